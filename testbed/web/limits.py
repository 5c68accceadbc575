"""One connection: one request of bounded size, in bounded time.

aiohttp reads and answers; this stands between it and the socket. A connection carries one request,
so that it has a beginning and an end which can be timed: whoever sends slowly, reads slowly, or
sends too much is cut off, and the others go on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

__all__ = ["Connection", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one door gives at most."""

    clients: int = 32
    """Connections at once; as many again are told that it is crowded, further ones are closed."""
    clients_per_address: int = 16
    """The same from one address, so that nobody keeps everybody else out alone."""
    request_bytes: int = 32 * 1024
    """Octets of a request, its headers included."""
    body_bytes: int = 4 * 1024
    """Octets of a request's body."""
    asking_s: float = 10.0
    """Seconds until a request, or a TLS handshake, is there as a whole."""
    answering_s: float = 60.0
    """Seconds until its answer is read as a whole."""


class Connection(asyncio.Protocol):
    """A connection on its way through aiohttp's protocol.

    Args:
        inner: aiohttp's.
        most_bytes: octets that are read; one more ends the connection.
        crowded: too many are here already: it only gets told so.
    """

    def __init__(self, inner: asyncio.Protocol, most_bytes: int, *, crowded: bool) -> None:
        loop = asyncio.get_running_loop()
        self._inner = inner
        self._left = most_bytes
        self._transport: asyncio.Transport | None = None
        self.crowded = crowded
        self._asked: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()

    def begin(self) -> None:
        """The request's headers are here."""
        if not self._asked.done():
            self._asked.set_result(None)

    async def watch(self, limits: Limits) -> None:
        """Wait for the end of the connection, and bring it about when it takes too long."""
        try:
            async with asyncio.timeout(limits.asking_s):
                await self._asked
            async with asyncio.timeout(limits.answering_s):
                await self._closed
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Close it at once, whatever is still to be written."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._left -= len(data)
        if self._left < 0:
            self.abort()
        else:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol`."""
        return self._inner.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.begin()
        if not self._closed.done():
            self._closed.set_result(None)
        self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._inner.resume_writing()
