"""The network around a virtual module, for real: its UDP sockets on this machine.

Each socket of the module is a connected, non-blocking UDP socket; what the module's core network
lets out is sent on it, what comes back goes to the module. Delay and loss between base station and
far end are the module's own (``NetworkSettings.core_delay_s``, ``core_loss``), so that they come
from its seed and its clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from firmware_bridge.virtual.actions import (
    Action,
    DatagramSent,
    NameAsked,
    SocketClosed,
    SocketOpened,
    SocketRebound,
)

__all__ = ["UdpNetwork"]

_LOG = logging.getLogger(__name__)

_DRAIN = 64
"""Datagrams read per readiness event: others get their turn."""

_LINGER_S = 30.0
"""A closed socket still sends what was under way on the air, seconds of the loop's clock."""


class UdpNetwork:
    """Carries out a module's actions on real sockets, in the running event loop.

    Args:
        received: Called with (socket number, payload) for each datagram from outside.
        resolved: Called with (token, address or None) for each answered name.
    """

    def __init__(
        self,
        received: Callable[[int, bytes], None],
        resolved: Callable[[int, str | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = received
        self._resolved = resolved
        self._sockets: dict[int, socket.socket] = {}
        self._closing: dict[int, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures = 0
        """Datagrams that this machine refused to send (no route, nobody listening)."""

    def perform(self, action: Action) -> None:
        """Carry out one action of the module."""
        if isinstance(action, DatagramSent):
            self._send(action.socket, action.payload)
        elif isinstance(action, SocketOpened):
            self._open(action)
        elif isinstance(action, SocketClosed):
            if action.socket in self._sockets:
                self._closing[action.socket] = self._loop.call_later(
                    _LINGER_S, self._close, action.socket
                )
        elif isinstance(action, SocketRebound):
            self._rebind(action.socket)
        elif isinstance(action, NameAsked):
            task = self._loop.create_task(self._resolve(action))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def local_address(self, number: int) -> tuple[str, int] | None:
        """Where datagrams of the module's socket ``number`` come from on this machine."""
        found = self._sockets.get(number)
        if found is None:
            return None
        address = found.getsockname()
        return str(address[0]), int(address[1])

    def close(self) -> None:
        """Close every socket."""
        for task in self._tasks:
            task.cancel()
        for handle in self._closing.values():
            handle.cancel()
        self._closing.clear()
        for number in list(self._sockets):
            self._close(number)

    def _open(self, action: SocketOpened) -> None:
        family = socket.AF_INET6 if ":" in action.address else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        try:
            opened.connect((action.address, action.port))
        except OSError as error:
            _LOG.warning("no way to %s port %d: %s", action.address, action.port, error)
            opened.close()
            return
        self._sockets[action.socket] = opened
        self._loop.add_reader(opened.fileno(), self._readable, action.socket, opened)

    def _rebind(self, number: int) -> None:
        """Another socket in place of this one: another port towards the far end."""
        old = self._sockets.get(number)
        if old is None:
            return
        far = old.getpeername()
        opened = socket.socket(old.family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.connect(far)
        self._loop.remove_reader(old.fileno())
        old.close()
        self._sockets[number] = opened
        self._loop.add_reader(opened.fileno(), self._readable, number, opened)

    def _send(self, number: int, payload: bytes) -> None:
        opened = self._sockets.get(number)
        if opened is None:
            self.failures += 1
            return
        try:
            opened.send(payload)
        except ConnectionRefusedError:
            # That was the answer to an earlier datagram; this one has not been sent yet.
            with contextlib.suppress(OSError):
                opened.send(payload)
            self.failures += 1
        except OSError as error:
            self.failures += 1
            _LOG.debug("datagram not sent: %s", error)

    def _readable(self, number: int, opened: socket.socket) -> None:
        for _ in range(_DRAIN):
            try:
                payload = opened.recv(65535)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # nobody listens at the far end: as if the datagram was lost
                self.failures += 1
                continue
            self._received(number, payload)
            if self._sockets.get(number) is not opened:
                return

    def _close(self, number: int) -> None:
        self._closing.pop(number, None)
        opened = self._sockets.pop(number, None)
        if opened is not None:
            self._loop.remove_reader(opened.fileno())
            opened.close()

    async def _resolve(self, action: NameAsked) -> None:
        try:
            found = await self._loop.getaddrinfo(action.host, None, type=socket.SOCK_DGRAM)
        except OSError:
            self._resolved(action.token, None)
            return
        found.sort(key=lambda entry: entry[0] != socket.AF_INET)  # the module is IPv4 first
        self._resolved(action.token, str(found[0][4][0]))
