"""A module socket towards the HSE, keyed where the configuration asks for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import esp
from esp import keying
from firmware_bridge import (
    DatagramSocket,
    Module,
    ModuleError,
    Received,
    ReleaseAssistance,
    SendReceipt,
    SocketLost,
)
from firmware_bridge.masking import mask_identities
from testbed.association import EspSettings
from testbed.bench import Compression, Configuration, Security
from testbed.compression import RohcSettings
from testbed.errors import UsageError
from testbed.notice import UnknownAssociation
from testbed.results.records import SessionRecord, Stage
from testbed.ue.agreement import (
    AkaExchange,
    Failure,
    HelloExchange,
    KeyExchange,
    Outgoing,
    UsimFailed,
)
from testbed.ue.carrier import Carrier, UdpWay
from testbed.ue.exchanged import (
    ExchangedMessages,
    KeyingFailed,
    KeyingRefused,
    KeyingTimeouts,
    Secret,
)
from testbed.ue.stack import UeStack, build_stack
from testbed.ue.trace import KeyingTrace
from testbed.ue.usim import UeUsim

__all__ = [
    "HseAddresses",
    "KeyingFailed",
    "KeyingRefused",
    "KeyingTimeouts",
    "Secret",
    "UeSession",
    "WireObserver",
]

_logger = logging.getLogger(__name__)

_ROHC_AT_MOST_BYTES = 48
"""What ROHC, its own ICV included, may add to a packet that it sends with all its headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HseAddresses:
    """Where the HSE is, as the module's network reaches it."""

    host: str
    """Address or name."""
    esp_port: int
    """ESP in UDP and the key exchange."""
    rohc_port: int
    """ROHC packets without security."""
    plain_port: int
    """Datagrams without anything."""

    def port_for(self, configuration: Configuration) -> int:
        """The port that a configuration's datagrams go to."""
        if configuration.security is not Security.NONE:
            return self.esp_port
        return self.plain_port if configuration.name == "none" else self.rohc_port


class WireObserver:
    """Somebody who sees what the module's socket sends and receives; does nothing here."""

    def sent(self, session: UeSession, data: bytes, at: float) -> None:
        """A datagram was given to the module."""

    def received(self, session: UeSession, data: bytes, at: float) -> None:
        """A datagram was read from the module."""

    def keyed(self, keys: keying.Session) -> None:
        """A key exchange gave new keys."""


class UeSession:
    """One configuration's socket on the module, and the stack above it.

    Args:
        module: attached.
        configuration: what protects and compresses.
        hse: where the HSE is.
        identity: who this UE is to the HSE.
        secret: shared with the HSE; may be absent without security, and with a USIM.
        usim: keys come from AKA through it, and not from the secret.
        hierarchy: how keys come from CK and IK.
        module_address: the address that the network gave the module.
        local_port: the module's own UDP port for this socket, 1 to 65535.
        release_assistance: what each datagram tells the network.
        rohc_settings: mode and feedback of ROHC, where the configuration compresses.
        lifetime: limits on the associations of a session.
        associations: how they are used.
        observer: sees the datagrams.
        timeouts: of the key exchange.
        random: source of nonces, SPIs and IVs.
    """

    def __init__(
        self,
        module: Module,
        configuration: Configuration,
        hse: HseAddresses,
        *,
        identity: str,
        secret: Secret | None,
        usim: UeUsim | None = None,
        hierarchy: keying.Hierarchy | None = None,
        module_address: str,
        local_port: int,
        release_assistance: ReleaseAssistance = ReleaseAssistance.NONE,
        rohc_settings: RohcSettings | None = None,
        lifetime: esp.Lifetime | None = None,
        associations: EspSettings | None = None,
        observer: WireObserver | None = None,
        timeouts: KeyingTimeouts | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.configuration = configuration
        self.hse = hse
        self.port = hse.port_for(configuration)
        self.local_address = (module_address, local_port)
        """The module's own address and port, before any NAT."""
        self.carrier: Carrier = UdpWay(local_port)
        """What carries its packets; see `carry_by`."""
        self.reopened = 0
        """How often the socket had to be opened again, since the module lost it."""
        self._module = module
        self._identity = identity
        self._secret = secret
        self._usim = usim
        self._hierarchy = hierarchy
        self.release_assistance = release_assistance
        """What each datagram tells the network from now on."""
        self._rohc_settings = rohc_settings
        self._lifetime = lifetime
        self._associations = associations or EspSettings()
        self._keyed_at = 0.0
        self._sent_at = 0.0
        self.agreement: KeyingTrace | None = None
        """Stages of the last key exchange, whether it gave keys or not; none without security."""
        self.broken_off: SessionRecord | None = None
        """What the last key exchange cost, where the module failed after something was sent."""
        self._observer = observer or WireObserver()
        self._timeouts = timeouts or KeyingTimeouts()
        self._random = random
        self._socket: DatagramSocket | None = None
        self._stack: UeStack | None = None

    @property
    def stack(self) -> UeStack:
        """The layers, once the session is open."""
        if self._stack is None:
            raise RuntimeError("the session is not open")
        return self._stack

    @property
    def max_payload(self) -> int:
        """The largest UDP payload that the module's socket takes, in octets."""
        if self._socket is None:
            raise RuntimeError("the session is not open")
        return self._socket.max_payload

    async def open(self) -> SessionRecord | None:
        """Open the socket and agree on keys where the configuration needs them.

        Returns:
            What the key agreement cost; ``None`` without security.

        Raises:
            KeyingFailed: the HSE does not answer, or refuses; the USIM does not do its part. The
                text says what happened, the record what it cost.
            firmware_bridge.ModuleError: the module does not do its part.
        """
        await self._open_socket()
        if self.configuration.security is Security.NONE:
            self._stack = self._new_stack(None)
            return None
        return await self.rekey()

    async def rekey(self, reason: str | None = None) -> SessionRecord:
        """Agree on new keys, and use them from now on; without success the old ones stay in use.

        Args:
            reason: why, for the record; none for a session's first keys.

        Raises:
            KeyingFailed, firmware_bridge.ModuleError: as for `open`.
        """
        keys, record = await self._agree(reason)
        self._observer.keyed(keys)
        self._stack = self._new_stack(keys)
        self._keyed_at = asyncio.get_running_loop().time()
        return record

    def lifetime_state(self, packet: bytes = b"") -> esp.LifetimeState:
        """Where the session's associations are in their life.

        Args:
            packet: the device's packet that is next: their end is here when it would not fit.
        """
        protection = None if self._stack is None else self._stack.protection
        if protection is None:
            return esp.LifetimeState.CURRENT
        compressed = self.configuration.compression is not Compression.NONE
        most_bytes = len(packet) + (_ROHC_AT_MOST_BYTES if compressed else 0)
        if packet and not protection.room_for(most_bytes):
            return esp.LifetimeState.HARD
        return protection.lifetime_state(asyncio.get_running_loop().time() - self._keyed_at)

    def is_unknown_at_hse(self, datagram: bytes) -> bool:
        """Whether a datagram says that the HSE does not know this session (`testbed.notice`).

        It must name the SPI and a number of a packet that went out, which keeps those out who did
        not see one. It is not authenticated.
        """
        protection = self.stack.protection
        if protection is None:
            return False
        notice = UnknownAssociation.decode(datagram)
        return notice is not None and protection.sent(notice.spi, notice.sequence)

    async def ensure_open(self) -> None:
        """Open the socket again if the module has lost it, as deep sleep does.

        Call it before a message goes down the stack: without security a new socket begins new
        ROHC contexts.
        """
        if self._socket is None or self._socket.closed:
            await self._open_socket()

    async def send(self, data: bytes, *, more: bool = False) -> SendReceipt:
        """Send one datagram.

        Args:
            data: its payload.
            more: another follows at once, so that the network is not told of any end.

        Raises:
            firmware_bridge.SocketLost: the module has lost the socket, and nothing was sent.
            firmware_bridge.ModuleError: whatever else keeps the module from it.
        """
        if self._socket is None:
            raise RuntimeError("the session is not open")
        assistance = ReleaseAssistance.NONE if more else self.release_assistance
        return await self._send(self._socket, data, assistance)

    @property
    def keepalive_due(self) -> float:
        """When the next NAT keepalive is due, by the loop's clock; infinity for never."""
        every_s = self._associations.keepalive_s
        if every_s is None or self._stack is None or self._stack.protection is None:
            return math.inf
        return self._sent_at + every_s

    async def send_keepalive(self) -> SendReceipt:
        """Send the one octet that keeps a NAT's binding alive (RFC 3948 section 4).

        Nothing comes back, and the network is told so, if it is told anything.

        Raises:
            firmware_bridge.ModuleError: whatever keeps the module from it.
        """
        self._sent_at = asyncio.get_running_loop().time()  # one that fails is not tried again
        await self.ensure_open()
        if self._socket is None:
            raise RuntimeError("the session is not open")
        assistance = self.release_assistance and ReleaseAssistance.AFTER_UPLINK
        return await self._send(self._socket, esp.KEEPALIVE, assistance)

    async def _send(
        self, socket: DatagramSocket, data: bytes, assistance: ReleaseAssistance
    ) -> SendReceipt:
        receipt = await socket.send(data, assistance)
        self._sent_at = receipt.written_at
        self._observer.sent(self, data, receipt.written_at)
        return receipt

    async def receive(self, timeout_s: float) -> Received:
        """Wait for a datagram.

        Raises:
            TimeoutError: none came in time.
            firmware_bridge.SocketLost: none can come any more.
        """
        if self._socket is None:
            raise RuntimeError("the session is not open")
        received = await self._socket.receive(timeout_s)
        self._observer.received(self, received.data, received.at)
        return received

    def use(self, module: Module, module_address: str) -> bool:
        """Go on with a module that came back, perhaps behind another driver.

        Keys live on this side of it and stay in use. Without security another address begins new
        ROHC contexts, and so does a new PDN connection without IP.

        Returns:
            Whether new keys are due, because the module has another address than the one that
            stands inside ESP.
        """
        self._module = module
        before = self.local_address[0]
        moved = bool(module_address) and module_address != before
        if moved:
            self.local_address = (module_address, self.local_address[1])
        if self.configuration.security is not Security.NONE:
            return moved and bool(before)
        if self._stack is not None and (moved or not self.carrier.address_per_socket):
            self._stack = self._new_stack(None)
        return False

    def carry_by(self, carrier: Carrier) -> None:
        """Go over another carrier from the next opening on; keys and contexts inside ESP stay.

        The HSE learns of it as of any other address, from the first packet. Without security the
        address is all that the HSE knows a UE by: use another session for another carrier.
        """
        self.carrier = carrier
        if self._stack is not None:
            self._stack = self._stack.carried(carrier.outer)

    async def close(self) -> None:
        """Close the socket, as far as the module still does such things; keys and contexts stay.

        The next message opens another one.
        """
        if self._socket is not None:
            try:
                await self._socket.close()
            except ModuleError as error:
                _logger.info("%s: closing the socket: %s", self.configuration.name, error)
            self._socket = None

    async def _open_socket(self) -> DatagramSocket:
        if self._socket is not None:
            self.reopened += 1
            await self._socket.close()
        moved = self.carrier.address_per_socket
        if moved and self._stack is not None and self.configuration.name == "rohc":
            # A new socket is a new address behind the NAT, and without security the address
            # is all that names this UE's contexts: begin anew, with IR packets.
            self._stack = self._new_stack(None)
        self._socket = await self.carrier.open(self._module, self.hse.host, self.port)
        return self._socket

    def _new_stack(self, keys: keying.Session | None) -> UeStack:
        return build_stack(
            self.configuration,
            self.local_address[0],
            self.hse.host,
            keys,
            self._rohc_settings,
            self._lifetime,
            self._associations,
            self._random,
            outer=self.carrier.outer,
        )

    async def _agree(self, reason: str | None) -> tuple[keying.Session, SessionRecord]:
        self.broken_off = None
        exchange = self._new_exchange()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        refused: UsimFailed | None = None
        try:
            await exchange.begin()
        except UsimFailed as error:
            refused = error
        # To find the way to the USIM is no part of the exchange, unless it ends there.
        trace = self.agreement = KeyingTrace(submitted_at=loop.time() if not refused else begun)
        trace.mark(Stage.SUBMITTED, trace.submitted_at)
        tally = ExchangedMessages(self.carrier.outer)

        def record(until: float, failure: str | None = None) -> SessionRecord:
            aka = exchange.kind is keying.KeyAgreement.AKA
            return SessionRecord(
                configuration=self.configuration.name,
                setup_s=until - trace.submitted_at,
                bytes_up=sum(tally.layers(up=True).values()),
                bytes_down=sum(tally.layers(up=False).values()),
                attempts=tally.attempts,
                reason=reason,
                failure=failure,
                key_agreement=exchange.kind.value,
                messages=tuple(tally.messages),
                layers_up=tally.layers(up=True),
                layers_down=tally.layers(up=False),
                usim=exchange.usim,
                usim_s=exchange.usim_s,
                resynchronisations=exchange.resynchronisations if aka else None,
            )

        async def send(outgoing: Outgoing) -> None:
            await self.ensure_open()
            # The network is told that one answer is expected when that is the last; before it, the
            # answer is not the end, and the connection would be set up once more.
            receipt = await self.send(esp.add_marker(outgoing.data), more=not outgoing.last)
            tally.add(outgoing.data, up=True)
            trace.mark(Stage.AT_WRITTEN, receipt.written_at)
            trace.mark(Stage.ACCEPTED, receipt.accepted_at)
            if "authenticated" in exchange.marks:
                exchange.marks.setdefault("confirmed", receipt.written_at)

        try:
            if refused is not None:
                raise refused
            waits_s = list(self._timeouts.waits_s)
            while waits_s:
                tally.attempts += 1
                await send(exchange.outgoing())
                deadline = loop.time() + waits_s.pop(0)
                while (received := await self._before(deadline)) is not None:
                    taken = await exchange.take(tally.came(received.data))
                    if isinstance(taken, keying.Session):
                        trace.mark(Stage.RECEIVED, received.at)
                        return taken, record(received.at)
                    if taken is None or not tally.may_answer():
                        continue
                    await send(taken)
                    if taken.progress:
                        waits_s = list(self._timeouts.waits_s)
                        deadline = loop.time() + waits_s.pop(0)
        except ModuleError:
            if tally.messages:
                self.broken_off = record(loop.time(), "module-failed")
            raise
        except UsimFailed as error:
            if error.answer is not None:
                with contextlib.suppress(ModuleError):  # the HSE's count is the poorer for it
                    await send(Outgoing(data=error.answer, last=True))
            failed = record(loop.time(), error.failure.reason)
            raise self._failed(failed, error.failure) from error
        finally:
            trace.keying = dict(exchange.marks)
        failure = exchange.failure()
        raise self._failed(record(loop.time(), failure.reason), failure)

    def _new_exchange(self) -> KeyExchange:
        """The next run of the key exchange."""
        mode = (
            esp.Mode.TRANSPORT
            if self.configuration.security is Security.ESP_TRANSPORT
            else esp.Mode.TUNNEL
        )
        suite = self.configuration.esp_suite
        assert suite is not None
        offer = keying.Offer(
            suite=suite,
            mode=mode,
            compression=self.configuration.compression.value != "none",
            esn=self._associations.esn,
        )
        if self._usim is not None:
            aka = keying.AkaInitiator(
                self._identity,
                offer,
                rohc=(self._rohc_settings or RohcSettings()).channel,
                hierarchy=self._hierarchy,
                random=self._random,
            )
            return AkaExchange(aka, self._usim, self._module)
        if self._secret is None:
            raise UsageError(
                f"configuration {self.configuration.name} needs the secret shared with the HSE",
                hint="Give hse: secret_file in the bench file, or --secret-file FILE.",
            )
        hello = keying.Initiator(self._identity, self._secret.reveal(), offer, random=self._random)
        return HelloExchange(hello, repr(mask_identities(self._identity)))

    async def _before(self, deadline: float) -> Received | None:
        """What comes before a moment of the loop's clock; none when nothing does."""
        try:
            return await self.receive(deadline - asyncio.get_running_loop().time())
        except (TimeoutError, SocketLost):
            return None

    def _failed(self, record: SessionRecord, failure: Failure) -> KeyingFailed:
        where = f"the HSE at {self.hse.host}:{self.hse.esp_port}"
        if failure.reason == "no-answer":
            return KeyingFailed(
                record,
                f"{where} did not answer {record.attempts} requests in "
                f"{round(record.setup_s, 1):g} s",
                hint=(
                    "Is `testbed hse` running there, is its UDP port open in every firewall, and "
                    "does the module's APN reach it?"
                ),
            )
        usim = failure.reason.startswith("usim-")
        kind = KeyingRefused if failure.configuration else KeyingFailed
        said = failure.said if usim else f"{where} {failure.said}"
        return kind(record, said, hint=failure.hint or None)
