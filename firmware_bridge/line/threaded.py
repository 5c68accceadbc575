"""A line over a pyserial object that has no file descriptor (rfc2217://, loop://).

One thread reads, one writes; both hand over to the event loop. pyserial's `timeout` is set before
the port is opened and never again: on an RFC 2217 port each assignment renegotiates all settings
and costs 150 ms.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from firmware_bridge.errors import LineLost
from firmware_bridge.line.contract import Receiver

__all__ = ["READ_TIMEOUT_S", "ThreadedLine"]

READ_TIMEOUT_S = 0.5
"""How long the reading thread may not notice that the line was closed, real seconds."""


class ThreadedLine:
    """A `Line` over an open pyserial object. Made by `open_port`."""

    def __init__(self, address: str, serial_port: Any) -> None:
        self._address = address
        self._serial = serial_port
        self._loop = asyncio.get_running_loop()
        self._receiver: Receiver | None = None
        self._early: list[tuple[bytes, float]] = []
        self._lost: str | None = None
        self._pending = 0
        self._drained = asyncio.Event()
        self._drained.set()
        self._stop = threading.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="line-writer")
        self._reader = threading.Thread(target=self._read, name="line-reader", daemon=True)
        self._reader.start()

    @property
    def address(self) -> str:
        """See `Line.address`."""
        return self._address

    @property
    def pending(self) -> int:
        """See `Line.pending`."""
        return self._pending

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
        data = bytes(data)
        self._pending += len(data)
        self._drained.clear()
        self._writer.submit(self._write, data)

    async def drain(self) -> None:
        """See `Line.drain`."""
        await self._drained.wait()
        if self._lost is not None:
            raise LineLost(self._address, self._lost)

    def set_baudrate(self, baudrate: int) -> None:
        """See `Line.set_baudrate`. Runs in the writing thread: it negotiates over the network."""
        self._writer.submit(setattr, self._serial, "baudrate", baudrate)

    def set_modem_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """See `Line.set_modem_lines`. Whether the far end has them is not known: True."""
        if dtr is not None:
            self._writer.submit(setattr, self._serial, "dtr", dtr)
        if rts is not None:
            self._writer.submit(setattr, self._serial, "rts", rts)
        return True

    async def close(self) -> None:
        """See `Line.close`."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._finish("")
        await asyncio.to_thread(self._shut)

    # -- threads ---------------------------------------------------------------------------------

    def _read(self) -> None:
        reason = "closed by the other side"
        try:
            while not self._stop.is_set():
                data = self._serial.read(1)
                if not data:
                    continue
                data += self._serial.read(self._serial.in_waiting)
                self._call(self._deliver, data)
        except Exception as error:  # pyserial raises several kinds when a port dies
            reason = str(error) or type(error).__name__
        if not self._stop.is_set():
            self._call(self._finish, reason)

    def _write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except Exception as error:
            self._call(self._finish, str(error) or type(error).__name__)
        self._call(self._written, len(data))

    def _shut(self) -> None:
        self._writer.shutdown(wait=True)
        socket = getattr(self._serial, "_socket", None)
        self._serial.close()
        if socket is not None:
            socket.close()  # pyserial leaves it open when the server hung up first
        self._reader.join(READ_TIMEOUT_S * 4)

    def _call(self, function: Any, *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            self._stop.set()  # the loop is closed: nobody is left to tell

    # -- in the event loop -----------------------------------------------------------------------

    def _deliver(self, data: bytes) -> None:
        if self._lost is not None:
            return
        at = self._loop.time()
        if self._receiver is None:
            self._early.append((data, at))
        else:
            self._receiver.data_received(data, at)

    def _written(self, count: int) -> None:
        self._pending -= count
        if self._pending <= 0:
            self._drained.set()

    def _finish(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
            self._drained.set()
            if self._receiver is not None:
                self._receiver.line_lost(reason)
