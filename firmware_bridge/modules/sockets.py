"""What the sockets of all families share: the inbox, waiting, and being lost."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from firmware_bridge.errors import ModuleError, PayloadTooLarge, SocketLost
from firmware_bridge.modules.contract import DatagramSocket
from firmware_bridge.modules.records import Received

if TYPE_CHECKING:
    from firmware_bridge.modules.atmodule import AtModule

__all__ = ["INBOX", "ModuleSocket"]

_logger = logging.getLogger(__name__)

INBOX = 1_024
"""Datagrams kept until they are asked for; the oldest goes when there are more."""

LATENESS_GRANTS = 3
"""How often a time-out that the loop itself was late for is put off, as in the AT engine."""


class ModuleSocket(DatagramSocket):
    """A socket of a module that pushes datagrams, or announces them to be fetched."""

    def __init__(self, module: AtModule, socket_id: int, host: str, port: int) -> None:
        self.socket_id = socket_id
        self.host = host
        self.port = port
        self.dropped = 0
        """Datagrams that were pushed out of a full inbox."""
        self.suspect = False
        """The module was found asleep since: a refusal now means that the socket is gone."""
        self._owner = module
        self._limit = module.options.max_payload or module.FAMILY.max_payload
        self._inbox: deque[Received] = deque(maxlen=INBOX)
        self._announced_at: float | None = None
        self._may_be_more = False
        self._fetching: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._lost: str | None = None

    @property
    def max_payload(self) -> int:
        """See `DatagramSocket.max_payload`."""
        return self._limit

    @property
    def closed(self) -> bool:
        """See `DatagramSocket.closed`."""
        return self._lost is not None

    async def receive(self, timeout_s: float | None = None) -> Received:
        """See `DatagramSocket.receive`. What came before the socket was lost is still given."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout_s is None else loop.time() + timeout_s
        for _ in range(LATENESS_GRANTS):
            try:
                return await self._receive(deadline)
            except TimeoutError:
                assert deadline is not None
                late = loop.time() - deadline
                if late <= 0:
                    raise
                deadline = loop.time() + 2 * late
        return await self._receive(deadline)

    # -- what the driver says --------------------------------------------------------------------

    def deliver(self, data: bytes, at: float) -> None:
        """A datagram came."""
        self._keep(Received(data=data, at=at))

    def announce(self, at: float) -> None:
        """A datagram waits in the module."""
        if self._announced_at is None:
            self._announced_at = at
        self._changed.set()

    def lose(self, reason: str, *, tell: bool = True) -> None:
        """The socket is gone; `tell` emits `SocketClosed`."""
        if self._lost is not None:
            return
        self._lost = reason
        self._announced_at = None
        self._may_be_more = False
        self._changed.set()
        self._owner.forget(self, reason if tell else None)

    # -- inside ----------------------------------------------------------------------------------

    async def _receive(self, deadline: float | None) -> Received:
        async with asyncio.timeout_at(deadline):
            while True:
                if self._inbox:
                    return self._inbox.popleft()
                self._check_open()
                if self._announced_at is not None or self._may_be_more:
                    await self._fetch_announced()
                    continue
                self._changed.clear()
                await self._changed.wait()

    @abstractmethod
    async def _fetch(self) -> tuple[bytes, float]:
        """Take one datagram from the module: payload (b"" if none) and when it was read."""

    async def _fetch_announced(self) -> None:
        """Fetch in a task of its own: whoever waits may give up while the module hands over."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._take())
            self._fetching.add_done_callback(self._fetched)
        await asyncio.shield(self._fetching)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is not None:
            _logger.debug("fetching a datagram: %s", task.exception())

    async def _take(self) -> None:
        announced_at, unsure = self._announced_at, self._may_be_more
        self._announced_at, self._may_be_more = None, False
        try:
            data, at = await self._fetch()
        except (ModuleError, asyncio.CancelledError):
            if self._lost is None:
                self._announced_at, self._may_be_more = announced_at, unsure
            raise
        if data:
            # Modules announce once and stay silent until everything was read.
            self._may_be_more = self._lost is None
            self._keep(Received(data=data, at=at, announced_at=announced_at))

    def _keep(self, received: Received) -> None:
        if len(self._inbox) == INBOX:
            self.dropped += 1
        self._inbox.append(received)
        self._changed.set()

    def _check_open(self) -> None:
        if self._lost is not None:
            raise SocketLost(self.socket_id, self._lost)

    def _check_size(self, data: bytes) -> None:
        if len(data) > self._limit:
            raise PayloadTooLarge(len(data), self._limit)
        if not data:
            raise ValueError("a datagram needs at least one octet")
