"""``python -m firmware_bridge.virtual bc66``: a virtual module to try one's own software on."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import selectors
import signal
import sys
from collections.abc import Mapping
from typing import Any

from firmware_bridge.virtual.dialects import FAMILIES
from firmware_bridge.virtual.doors import virtual_module_on_pty
from firmware_bridge.virtual.settings import ModuleSettings, RadioSettings


class _FastSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type, unused-ignore]
    """A selector whose time-outs are in seconds of a faster clock."""

    scale = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self.scale)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return super().get_map()


class _FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs ``scale`` times faster than real time."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        selector = _FastSelector()
        selector.scale = scale
        super().__init__(selector)

    def time(self) -> float:
        return super().time() * self._scale


async def _serve(family: str, settings: ModuleSettings, seed: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with virtual_module_on_pty(family, settings=settings, seed=seed) as door:
        sys.stdout.write(f"{door.path}\n")
        sys.stdout.flush()
        await stopped.wait()


def main(arguments: list[str] | None = None) -> int:
    """Print the path of a pseudo-terminal with a virtual module on it, serve until stopped.

    Returns 0, or 2 when the arguments make no sense.
    """
    parser = argparse.ArgumentParser(
        prog="python -m firmware_bridge.virtual",
        description="A virtual NB-IoT module on a pseudo-terminal; its path is printed. "
        "Its UDP sockets reach the network of this machine. Stop it with Ctrl-C.",
    )
    parser.add_argument("family", choices=FAMILIES, help="module family")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="module seconds per real second (default 1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of every random choice (default 0)")
    parser.add_argument(
        "--rsrp",
        type=float,
        default=RadioSettings().rsrp_dbm,
        metavar="DBM",
        help="mean reference signal power (default %(default)s)",
    )
    given = parser.parse_args(arguments)
    if not 0 < given.scale <= 1000:
        parser.error("--scale: above 0, at most 1000")
    try:
        settings = ModuleSettings(radio=RadioSettings(rsrp_dbm=given.rsrp))
    except ValueError as error:
        parser.error(str(error))
    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=lambda: _FastLoop(given.scale)) as runner,
    ):
        runner.run(_serve(given.family, settings, given.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
