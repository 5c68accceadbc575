"""A virtual module as a program: on a pseudo-terminal, until somebody stops it."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firmware_bridge.virtual.doors import virtual_module_on_pty
from firmware_bridge.virtual.settings import ModuleSettings

__all__ = ["MAX_SCALE", "serve"]

MAX_SCALE = 1000.0
"""Beyond this, one real millisecond of the host reads as a second of the module."""


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


def serve(
    family: str,
    *,
    settings: ModuleSettings | None = None,
    seed: int = 0,
    scale: float = 1.0,
    link: Path | None = None,
    announce: Callable[[str], None],
) -> None:
    """Put a virtual module on a pseudo-terminal and return when SIGINT or SIGTERM comes.

    Args:
        family: Dialect.
        settings: What can be set on it.
        seed: Of every random choice.
        scale: Module seconds per real second, above 0 and at most :data:`MAX_SCALE`.
        link: A symbolic link to keep on the device; one of that name is replaced.
        announce: Called with the path of the device once it can be opened.

    Raises:
        ValueError: no such family, a scale out of range, or ``link`` names something that is no
            symbolic link.
        OSError: no pseudo-terminal to be had, or the link can't be made.
    """
    if not 0 < scale <= MAX_SCALE:
        raise ValueError(f"scale {scale:g}: above 0, at most {MAX_SCALE:g}")
    if link is not None and link.exists() and not link.is_symlink():
        raise ValueError(f"{link} exists and is no symbolic link")

    async def until_stopped() -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with virtual_module_on_pty(family, settings=settings, seed=seed, link=link) as door:
            announce(door.path)
            await stopped.wait()

    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=lambda: _FastLoop(scale)) as runner,
    ):
        runner.run(until_stopped())
