"""A network in this process: UDP ports that deliver through the event loop, without a system call.

`MemoryNetwork` is what lies between a virtual module and whatever answers it when both live in one
event loop. Nothing in it takes time or is lost: delay and loss between base station and far end are
the module's own (``NetworkSettings.core_delay_s``, ``core_loss``), from its seed and its clock. So
everything that happens on it is decided by who sends what, and repeats itself.

`MemoryUdp` is the module's side of it, in the place of
:class:`~firmware_bridge.virtual.network.UdpNetwork`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from firmware_bridge.virtual.actions import (
    Action,
    DatagramSent,
    NameAsked,
    SocketClosed,
    SocketOpened,
    SocketRebound,
)

__all__ = ["MemoryNetwork", "MemorySocket", "MemoryUdp"]

SocketAddress = tuple[str, int]

_FIRST_PORT = 49_152
_LAST_PORT = 65_535
"""Dynamic ports (RFC 6335 section 6)."""

_LINGER_S = 30.0
"""A closed socket still sends what was under way on the air, seconds of the loop's clock."""


class MemorySocket:
    """A bound UDP port of a `MemoryNetwork`; see `MemoryNetwork.bind`."""

    def __init__(
        self,
        network: MemoryNetwork,
        address: SocketAddress,
        receive: Callable[[bytes, SocketAddress], None],
    ) -> None:
        self.address = address
        """Where it is bound."""
        self.send_failures = 0
        """Datagrams to an address that nobody has bound."""
        self._network = network
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self.closed = False
        """Whether it is closed."""

    def send(self, data: bytes, destination: SocketAddress) -> bool:
        """Send one datagram; it arrives when the event loop has its next turn.

        Returns:
            True when there is somebody at ``destination``.
        """
        far = None if self.closed else self._network.find(destination)
        if far is None:
            self.send_failures += 1
            return False
        self._loop.call_soon(far.arrive, data, self.address)
        return True

    def arrive(self, data: bytes, source: SocketAddress) -> None:
        """A datagram is here; a socket that was closed meanwhile does not take it."""
        if not self.closed:
            self._receive(data, source)

    def close(self) -> None:
        """Give the port back; may be called twice."""
        if not self.closed:
            self.closed = True
            self._network.release(self.address)


class MemoryNetwork:
    """The ports of all hosts of a network in memory.

    Args:
        names: What names resolve to, host to address.
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._names = {name.lower(): address for name, address in (names or {}).items()}
        self._sockets: dict[SocketAddress, MemorySocket] = {}
        self._next = _FIRST_PORT

    def bind(
        self, host: str, port: int, receive: Callable[[bytes, SocketAddress], None]
    ) -> MemorySocket:
        """A socket that hands each datagram and its source to ``receive``.

        Args:
            host: Address; any text.
            port: 0 takes the next free dynamic port.
            receive: Called by the event loop.

        Raises:
            OSError: the port is taken, or none is free.
        """
        if port == 0:
            port = self._free(host)
        elif (host, port) in self._sockets:
            raise OSError(f"{host}:{port} is bound already")
        made = self._sockets[host, port] = MemorySocket(self, (host, port), receive)
        return made

    def _free(self, host: str) -> int:
        for _ in range(_FIRST_PORT, _LAST_PORT + 1):
            port = self._next
            self._next = _FIRST_PORT if port == _LAST_PORT else port + 1
            if (host, port) not in self._sockets:
                return port
        raise OSError(f"no port is free on {host}")

    def find(self, address: SocketAddress) -> MemorySocket | None:
        """Who has bound an address."""
        return self._sockets.get(address)

    def release(self, address: SocketAddress) -> None:
        """For a socket: it is closed."""
        self._sockets.pop(address, None)

    def resolve(self, host: str) -> str | None:
        """The address of a name."""
        return self._names.get(host.lower())


class MemoryUdp:
    """Carries out a module's actions on a network in memory, in the running event loop.

    Args:
        network: Where the far ends are.
        host: Address that the module's datagrams come from: its operator's NAT.
        received: Called with (socket number, payload) for each datagram from outside.
        resolved: Called with (token, address or None) for each answered name.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        host: str,
        received: Callable[[int, bytes], None],
        resolved: Callable[[int, str | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._network = network
        self._host = host
        self._received = received
        self._resolved = resolved
        self._sockets: dict[int, tuple[MemorySocket, SocketAddress]] = {}
        self._closing: dict[int, asyncio.TimerHandle] = {}
        self.failures = 0
        """Datagrams for which there was nobody."""

    def perform(self, action: Action) -> None:
        """Carry out one action of the module."""
        if isinstance(action, DatagramSent):
            self._send(action.socket, action.payload)
        elif isinstance(action, SocketOpened):
            self._open(action.socket, (action.address, action.port))
        elif isinstance(action, SocketClosed):
            if action.socket in self._sockets:
                self._closing[action.socket] = self._loop.call_later(
                    _LINGER_S, self._close, action.socket
                )
        elif isinstance(action, SocketRebound):
            self._rebind(action.socket)
        elif isinstance(action, NameAsked):
            found = self._network.resolve(action.host)
            self._loop.call_soon(self._resolved, action.token, found)

    def local_address(self, number: int) -> SocketAddress | None:
        """Where datagrams of the module's socket ``number`` come from."""
        found = self._sockets.get(number)
        return None if found is None else found[0].address

    def close(self) -> None:
        """Close every socket."""
        for handle in self._closing.values():
            handle.cancel()
        self._closing.clear()
        for number in list(self._sockets):
            self._close(number)

    def _open(self, number: int, far: SocketAddress) -> None:
        def receive(payload: bytes, source: SocketAddress) -> None:
            if source == far:  # as a connected socket: others are not heard
                self._received(number, payload)

        self._sockets[number] = self._network.bind(self._host, 0, receive), far

    def _rebind(self, number: int) -> None:
        """Another port towards the far end."""
        found = self._sockets.get(number)
        if found is not None:
            found[0].close()
            self._open(number, found[1])

    def _send(self, number: int, payload: bytes) -> None:
        found = self._sockets.get(number)
        if found is None or not found[0].send(payload, found[1]):
            self.failures += 1

    def _close(self, number: int) -> None:
        self._closing.pop(number, None)
        found = self._sockets.pop(number, None)
        if found is not None:
            found[0].close()
