"""A line over an asyncio transport: a local serial port, or a TCP connection (socket://)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

from firmware_bridge.errors import LineLost
from firmware_bridge.line.contract import Receiver

__all__ = ["TransportLine"]

EARLY_LIMIT = 65_536
"""Octets kept for a receiver that has not connected yet; what is over is dropped, oldest first."""


class TransportLine(asyncio.Protocol):
    """Protocol and line in one, so that a byte passes through as few calls as can be.

    Made by `open_port`. The transport's buffer limit is 0, so that `pause_writing` tells at once
    when the system has not taken everything: a time stamp of "written" is then not too early.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._serial: Any = None
        self._receiver: Receiver | None = None
        self._early: list[tuple[bytes, float]] = []
        self._early_octets = 0
        self._lost: str | None = None
        self._closing = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()

    # -- Line ------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """See `Line.address`."""
        return self._address

    @property
    def pending(self) -> int:
        """See `Line.pending`."""
        if self._transport is None or self._lost is not None:
            return 0
        return self._transport.get_write_buffer_size()

    def connect(self, receiver: Receiver) -> None:
        """See `Line.connect`."""
        self._receiver = receiver
        early, self._early, self._early_octets = self._early, [], 0
        for data, at in early:
            receiver.data_received(data, at)
        if self._lost is not None:
            receiver.line_lost(self._lost)

    def write(self, data: bytes) -> None:
        """See `Line.write`."""
        if self._lost is not None or self._transport is None:
            raise LineLost(self._address, self._lost or "not open")
        self._transport.write(data)

    async def drain(self) -> None:
        """See `Line.drain`."""
        await self._writable.wait()
        if self._lost is not None:
            raise LineLost(self._address, self._lost)

    def set_baudrate(self, baudrate: int) -> None:
        """See `Line.set_baudrate`."""
        if self._serial is not None and self._lost is None:
            self._serial.baudrate = baudrate

    def set_modem_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """See `Line.set_modem_lines`. A pty answers ENOTTY, which is no error here."""
        if self._serial is None or self._lost is not None:
            return False
        try:
            if dtr is not None:
                self._serial.dtr = dtr
            if rts is not None:
                self._serial.rts = rts
        except OSError:
            return False
        return True

    async def close(self) -> None:
        """See `Line.close`. What the system has not taken yet is given up."""
        if self._transport is None:
            return
        if self._lost is None and not self._closing:
            self._closing = True
            if self._serial is not None:
                release_exclusive(self._serial)
            self._transport.abort()
        await self._gone.wait()

    # -- asyncio.Protocol ------------------------------------------------------------------------

    def attach_serial(self, serial_port: Any) -> None:
        """Remember pyserial's object, for speed and modem-control lines."""
        self._serial = serial_port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0, low=0)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`. The time stamp is taken here, where the bytes are read."""
        at = self._loop.time()
        if self._receiver is not None:
            self._receiver.data_received(data, at)
            return
        self._early.append((data, at))
        self._early_octets += len(data)
        while self._early_octets > EARLY_LIMIT and len(self._early) > 1:
            self._early_octets -= len(self._early.pop(0)[0])

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._lost is None:
            self._lost = "" if self._closing else (str(exc) if exc else "closed by the other side")
            if self._receiver is not None:
                self._receiver.line_lost(self._lost)
        self._writable.set()
        self._gone.set()


def take_exclusive(serial_port: Any) -> None:
    """Keep programs that do not lock (cat, screen) off a real port while it is ours: TIOCEXCL.

    Not on a pty: whoever made it keeps its other descriptors, and the mark would outlive us.
    """
    name = str(getattr(serial_port, "port", ""))
    if sys.platform == "win32" or name.startswith("/dev/pts/"):
        return
    import fcntl
    import termios

    with contextlib.suppress(OSError):
        fcntl.ioctl(serial_port.fileno(), termios.TIOCEXCL)


def release_exclusive(serial_port: Any) -> None:
    """Undo `take_exclusive`."""
    if sys.platform == "win32":
        return
    import fcntl
    import termios

    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(serial_port.fileno(), termios.TIOCNXCL)
