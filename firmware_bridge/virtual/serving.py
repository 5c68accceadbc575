"""A virtual module as a program: on a pseudo-terminal, until somebody stops it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

from firmware_bridge.virtual import clock
from firmware_bridge.virtual.doors import virtual_module_on_pty
from firmware_bridge.virtual.settings import ModuleSettings

__all__ = ["serve"]


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
        scale: Module seconds per real second, above 0 and at most
            :data:`~firmware_bridge.virtual.clock.MAX_TIME_SCALE`.
        link: A symbolic link to keep on the device; one of that name is replaced.
        announce: Called with the path of the device once it can be opened.

    Raises:
        ValueError: no such family, a scale out of range, or ``link`` names something that is no
            symbolic link.
        OSError: no pseudo-terminal to be had, or the link can't be made.
    """
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

    with contextlib.suppress(KeyboardInterrupt):
        clock.run(until_stopped, time_scale=scale)
