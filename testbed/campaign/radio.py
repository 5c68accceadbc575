"""What the module tells about its radio connection while messages pass."""

from __future__ import annotations

import asyncio
import contextlib

from firmware_bridge import LineVanished, ModuleEvent, Rebooted, RrcConnected, RrcReleased

__all__ = ["RadioWatch"]


class RadioWatch:
    """Follows the RRC connection through the module's events (``+CSCON``).

    Subscribe `event` to the module. Times are the event loop's, in seconds.
    """

    def __init__(self) -> None:
        self.connected = False
        """Whether the module last reported a connection."""
        self.reports = False
        """Whether it ever reported one: some firmware never does."""
        self.connected_at: float | None = None
        """When the connection that stands, or stood last, was reported."""
        self.released_at: float | None = None
        """When the last release was reported."""
        self._released = asyncio.Event()
        self._released.set()
        self._connected = asyncio.Event()

    def event(self, event: ModuleEvent) -> None:
        """Take one event of the module."""
        if isinstance(event, RrcConnected):
            self.reports = True
            self.connected = True
            self.connected_at = event.at
            self._connected.set()
            self._released.clear()
        elif isinstance(event, RrcReleased):
            self.reports = True
            self.connected = False
            self.released_at = event.at
            self._connected.clear()
            self._released.set()
        elif isinstance(event, (Rebooted, LineVanished)):
            self.forget()

    def forget(self) -> None:
        """The connection is gone, or nobody knows any more: there is nothing to wait for."""
        self.connected = False
        self._connected.clear()
        self._released.set()

    def connected_since(self, start: float) -> float | None:
        """When a connection was reported after ``start``; ``None`` if none was."""
        if self.connected_at is not None and self.connected_at >= start:
            return self.connected_at
        return None

    def released_since(self, start: float) -> float | None:
        """When a release was reported after ``start``; ``None`` if none was.

        A release at ``start`` itself is the one that was waited for: a connection takes time.
        """
        if self.released_at is not None and self.released_at > start:
            return self.released_at
        return None

    async def connect(self, timeout_s: float) -> None:
        """Wait for the connection that something sent brings about, at most ``timeout_s``.

        For what has no answer to wait for. A module that never told of a connection is not waited
        for.
        """
        if not self.reports or timeout_s <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()

    async def settle(self, timeout_s: float) -> bool:
        """Wait until the module is idle, at most ``timeout_s``.

        Returns:
            True when it is idle, as far as it tells.
        """
        if timeout_s <= 0:
            return not self.connected
        try:
            async with asyncio.timeout(timeout_s):
                await self._released.wait()
        except TimeoutError:
            return False
        return True
