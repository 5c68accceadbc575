r"""A line inside the process: the far side is a pair of functions.

    line = MemoryLine("virtual:bc66")
    line.on_write = lambda data: ...      # what the driver wrote, at once
    line.feed(b"OK\r\n")                  # what the far side says

Delivery is by the event loop (`call_soon`), as with a real port, so that neither side runs inside
the other's call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from firmware_bridge.errors import LineLost
from firmware_bridge.line.contract import Receiver

__all__ = ["MemoryLine"]


class MemoryLine:
    """A `Line` without a port. `on_write` is called in the event loop with what was written."""

    def __init__(self, address: str = "memory:") -> None:
        self._address = address
        self._receiver: Receiver | None = None
        self._early: list[tuple[bytes, float]] = []
        self._lost: str | None = None
        self.on_write: Callable[[bytes], None] | None = None
        self.baudrate = 0

    @property
    def address(self) -> str:
        """Name of the line, as given."""
        return self._address

    @property
    def pending(self) -> int:
        """Always 0: memory takes everything at once."""
        return 0

    def connect(self, receiver: Receiver) -> None:
        """See `Line.connect`."""
        self._receiver = receiver
        early, self._early = self._early, []
        for data, at in early:
            receiver.data_received(data, at)
        if self._lost is not None:
            receiver.line_lost(self._lost)

    def write(self, data: bytes) -> None:
        """See `Line.write`."""
        if self._lost is not None:
            raise LineLost(self._address, self._lost)
        if self.on_write is not None:
            asyncio.get_running_loop().call_soon(self.on_write, bytes(data))

    async def drain(self) -> None:
        """Nothing to wait for."""

    def feed(self, data: bytes) -> None:
        """The far side says `data`."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._deliver, bytes(data))

    def break_off(self, reason: str = "unplugged") -> None:
        """The far side is gone: the receiver hears of it, writing raises `LineLost`."""
        if self._lost is None:
            self._lost = reason
            if self._receiver is not None:
                asyncio.get_running_loop().call_soon(self._receiver.line_lost, reason)

    def set_baudrate(self, baudrate: int) -> None:
        """Remembered, without effect."""
        self.baudrate = baudrate

    def set_modem_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """There are none."""
        return False

    async def close(self) -> None:
        """See `Line.close`."""
        if self._lost is None:
            self._lost = ""
            if self._receiver is not None:
                self._receiver.line_lost("")

    def _deliver(self, data: bytes) -> None:
        if self._lost is not None:
            return
        at = asyncio.get_running_loop().time()
        if self._receiver is None:
            self._early.append((data, at))
        else:
            self._receiver.data_received(data, at)
