"""Gateway and endpoint together: an HSE that can be started and stopped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType

import esp
from esp import keying
from esp.suites import EVERY_SUITE, SuitePolicy
from testbed.association import EspSettings
from testbed.compression import RohcSettings
from testbed.hse.addresses import AddressPlan
from testbed.hse.agreement import AkaService
from testbed.hse.applications import Application, EchoApplication
from testbed.hse.endpoint import DatagramPort, Endpoint, OpenPort
from testbed.hse.events import (
    GatewayLimits,
    GatewayObserver,
    GatewaySnapshot,
    HsePort,
    Passage,
    Reply,
)
from testbed.hse.gateway import Gateway
from testbed.hse.state import HseState
from testbed.hse.vectors import SlowVectorSource, ask_slowly

__all__ = ["HseServer", "ListenAddresses", "ServerObserver", "Way"]

SocketAddress = tuple[str, int]

_ANY_ADDRESS = ("0.0.0.0", "::", "")


class Way(StrEnum):
    """Which way a datagram went at the HSE's sockets."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddresses:
    """Where an HSE listens; a port of 0 lets the system choose."""

    host: str = "127.0.0.1"
    """Address of all three ports."""
    esp_port: int = 4500
    """ESP in UDP and the key exchange."""
    rohc_port: int = 4501
    """ROHC packets without security."""
    plain_port: int = 4502
    """Datagrams without anything."""


class ServerObserver:
    """What somebody beside the HSE may want to see; every method does nothing here."""

    def passed(self, passage: Passage) -> None:
        """A message reached the application."""

    def keyed(self, session: keying.Session) -> None:
        """A key exchange gave new keys."""

    def datagram(self, way: Way, port: HsePort, data: bytes, peer: SocketAddress) -> None:
        """A datagram was read from, or written to, a socket."""


class _ObserverWithClock(GatewayObserver):
    def __init__(self, observer: ServerObserver, clock: Callable[[], float]) -> None:
        self._observer = observer
        self._clock = clock

    def clock(self) -> float:
        return self._clock()

    def passed(self, passage: Passage) -> None:
        self._observer.passed(passage)

    def keyed(self, session: keying.Session) -> None:
        self._observer.keyed(session)


class HseServer:
    """An HSE on three UDP ports in the running event loop.

    Args:
        secrets: gives the secret shared with an identity, or ``None`` for a stranger.
        aka: keys from AKA, beside those from secrets; none has no AKA.
        vectors: where AKA's vectors come from, when ``aka`` has no source that answers at once.
        listen: where to listen.
        application: answers messages; an echo by default.
        limits: bounds on what peers can make it remember.
        rohc_settings: mode, feedback and integrity check of all ROHC channels.
        addresses: which identity may use which inner source addresses.
        share_addresses: several identities may use one inner address that was learned.
        lifetime: limits on the associations of both directions.
        associations: their replay window and padding.
        policy: the suites that sessions may use.
        state: sessions and numbers that survive a restart; its owner closes it.
        manual: sessions with configured keys (see `testbed.hse.manual`).
        random: gives random octets for SPIs and nonces; the operating system's by default.
        observer: sees passages, sessions and datagrams.
        open_port: binds a port; a UDP socket of this machine by default.

    Raises:
        ValueError: AKA without a source of vectors, or with two.
        LabFault: an address can't be bound (from `start`).
    """

    def __init__(
        self,
        *,
        secrets: Callable[[str], bytes | None],
        aka: AkaService | None = None,
        vectors: SlowVectorSource | None = None,
        listen: ListenAddresses | None = None,
        application: Application | None = None,
        limits: GatewayLimits | None = None,
        rohc_settings: RohcSettings | None = None,
        addresses: AddressPlan | None = None,
        share_addresses: bool = False,
        lifetime: esp.Lifetime | None = None,
        associations: EspSettings | None = None,
        policy: SuitePolicy = EVERY_SUITE,
        state: HseState | None = None,
        manual: Iterable[keying.Session] = (),
        random: Callable[[int], bytes] = os.urandom,
        observer: ServerObserver | None = None,
        open_port: OpenPort = Endpoint,
    ) -> None:
        if vectors is not None and (aka is None or aka.vectors is not None):
            raise ValueError("vectors go with an AkaService that has no source of its own")
        if aka is not None and aka.vectors is None and vectors is None:
            raise ValueError("an AkaService without a source needs vectors")
        self._secrets = secrets
        self._aka = aka
        self._vectors = vectors
        self._asking: set[asyncio.Task[None]] = set()
        self._listen = listen or ListenAddresses()
        self._application = application or EchoApplication()
        self._limits = limits
        self._rohc_settings = rohc_settings
        self._addresses = addresses
        self._share_addresses = share_addresses
        self._lifetime = lifetime
        self._associations = associations
        self._policy = policy
        self._state = state
        self._manual = tuple(manual)
        self._random = random
        self._observer = observer
        self._open_port = open_port
        self._endpoints: dict[HsePort, DatagramPort] = {}
        self._gateway: Gateway | None = None

    async def start(self) -> None:
        """Bind the sockets and begin to serve."""
        loop = asyncio.get_running_loop()
        watcher = None if self._observer is None else _ObserverWithClock(self._observer, loop.time)
        gateway = Gateway(
            secrets=self._secrets,
            aka=self._aka,
            application=self._application,
            limits=self._limits,
            rohc_settings=self._rohc_settings,
            addresses=self._addresses,
            share_addresses=self._share_addresses,
            lifetime=self._lifetime,
            associations=self._associations,
            policy=self._policy,
            state=self._state,
            own_address=None if self._listen.host in _ANY_ADDRESS else self._listen.host,
            now=loop.time(),
            random=self._random,
            observer=watcher,
        )
        for keys in self._manual:
            gateway.adopt(keys)
        self._gateway = gateway
        ports = {
            HsePort.ESP: self._listen.esp_port,
            HsePort.ROHC: self._listen.rohc_port,
            HsePort.PLAIN: self._listen.plain_port,
        }
        try:
            for port, number in ports.items():
                self._endpoints[port] = self._open_port(
                    self._listen.host, number, self._receiver(gateway, port)
                )
        except BaseException:
            self.close()
            raise

    def _receiver(self, gateway: Gateway, port: HsePort) -> Callable[[bytes, SocketAddress], None]:
        endpoints = self._endpoints
        observer = self._observer
        loop = asyncio.get_running_loop()
        now = loop.time
        receive = gateway.receive

        def send(replies: list[Reply]) -> None:
            for reply in replies:
                endpoints[reply.port].send(reply.data, reply.destination)
                if observer is not None:
                    observer.datagram(Way.OUT, reply.port, reply.data, reply.destination)

        def quiet(data: bytes, source: SocketAddress) -> None:
            for reply in receive(port, data, source, now()):
                endpoints[reply.port].send(reply.data, reply.destination)

        def watched(data: bytes, source: SocketAddress) -> None:
            if observer is not None:
                observer.datagram(Way.IN, port, data, source)
            waiting = gateway.waiting
            send(receive(port, data, source, now()))
            if gateway.waiting and not waiting:
                # When this wake-up's datagrams are all read: one write makes them all durable.
                loop.call_soon(flush)

        def flush() -> None:
            send(gateway.flush(now()))

        async def ask(source: SlowVectorSource, wanted: keying.VectorWanted) -> None:
            send(gateway.supply(wanted.token, await ask_slowly(source, wanted), now()))

        def waiting_for_vectors(data: bytes, peer: SocketAddress) -> None:
            watched(data, peer)
            assert vectors is not None
            for wanted in gateway.take_wanted():
                task = loop.create_task(ask(vectors, wanted))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)

        vectors = self._vectors
        if vectors is not None and port is HsePort.ESP:
            return waiting_for_vectors
        return quiet if observer is None and self._state is None else watched

    def address(self, port: HsePort) -> SocketAddress:
        """Where a port is bound, once the server is started."""
        return self._endpoints[port].address

    def snapshot(self) -> GatewaySnapshot:
        """What the gateway has counted so far."""
        if self._gateway is None:
            raise RuntimeError("the HSE is not started")
        return self._gateway.snapshot()

    def close(self) -> None:
        """Close the sockets; may be called twice."""
        for task in self._asking:
            task.cancel()
        for endpoint in self._endpoints.values():
            endpoint.close()

    async def __aenter__(self) -> HseServer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
