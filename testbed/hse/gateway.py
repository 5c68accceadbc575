"""The HSE's gateway: a datagram in, counted events and datagrams out.

Sans-IO. Nothing that a peer sends raises; everything that is refused is counted by a short stable
reason. The way of a datagram, by port::

    esp     keepalive                       counted, nothing else
            non-ESP marker                  key exchange: a reply, perhaps a new session
            else: SPI -> SA                 replay window, ICV, then window update (RFC 4303 3.4.3)
                  next header 142           ROHC decompressor of the session (RFC 5858)
                  inner packet or datagram  application, and the answer back the same way
    rohc    decompressor of the source address, application, compressor of that address
    plain   application, and the answer back

A new session does not end the one before it: the key exchange's request can be replayed by anybody
who saw it. It takes over when its first packet proves that the peer holds the new keys.
"""

from __future__ import annotations

import os
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

import esp
import rohc
from esp import keying
from esp.errors import DecompressionFailed
from esp.rohcoipsec import CompressedTunnel
from esp.suites import EVERY_SUITE, SuitePolicy
from testbed.compression import FeedbackWay, RohcSettings
from testbed.hse.applications import Application, Request
from testbed.packets import (
    UDP_HEADER_BYTES,
    InnerPacket,
    PacketError,
    parse_udp_packet,
    swap_endpoints,
)

__all__ = [
    "Gateway",
    "GatewayLimits",
    "GatewayObserver",
    "GatewaySnapshot",
    "HsePort",
    "Passage",
    "Reply",
]

SocketAddress = tuple[str, int]

_UDP = struct.Struct("!HHHH")  # RFC 768: source port, destination port, length, checksum


class HsePort(StrEnum):
    """The three ports of an HSE."""

    ESP = "esp"
    """ESP in UDP, the key exchange behind the non-ESP marker (RFC 3948)."""
    ROHC = "rohc"
    """ROHC packets without security."""
    PLAIN = "plain"
    """Datagrams without anything."""


class Reply(NamedTuple):
    """A datagram that the gateway wants sent."""

    port: HsePort
    """The port to send it from."""
    data: bytes
    """Its payload."""
    destination: SocketAddress
    """Where it goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The way of one message through the gateway; times in seconds on the observer's clock."""

    port: HsePort
    """The port it came in by."""
    identity: str
    """Who sent it, ``""`` without security."""
    payload: bytes
    """What the application got."""
    received_at: float
    """The datagram was read off its socket."""
    verified_at: float | None
    """Replay window and ICV accepted it; none without security."""
    decompressed_at: float | None
    """The inner packet was there; none without compression."""
    answered_at: float | None
    """The answer was ready to be sent; none when the application gave none."""
    packet_type: str | None
    """The ROHC packet type it came in, such as ``UO-0``; none without compression."""


class GatewayObserver(Protocol):
    """Something that wants to know when messages pass and when sessions begin."""

    def clock(self) -> float:
        """The time for the stamps of a `Passage`."""
        ...

    def passed(self, passage: Passage) -> None:
        """A message reached the application."""
        ...

    def keyed(self, session: keying.Session) -> None:
        """A key exchange gave new keys."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Bounds on what peers can make the gateway remember."""

    sessions: int = 20_000
    """Sessions at most; the one unused for longest goes first."""
    rohc_peers: int = 1_024
    """Addresses on the ROHC port whose contexts are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySnapshot:
    """What the gateway has counted so far."""

    datagrams: Mapping[str, int]
    """Datagrams read, by port."""
    bytes_received: Mapping[str, int]
    """Octets of their payloads, by port."""
    delivered: Mapping[str, int]
    """Messages that reached the application, by port."""
    answered: Mapping[str, int]
    """Answers given back, by port."""
    rejected: Mapping[tuple[str, str], int]
    """Datagrams refused, by port and reason."""
    feedback: Mapping[str, int]
    """Packets sent that hold ROHC feedback and nothing else, by port."""
    keepalives: int
    """NAT keepalives seen (RFC 3948 section 2.3)."""
    exchanges: int
    """Key exchanges that gave a session."""
    sessions: int
    """Sessions alive now."""
    security_associations: int
    """Inbound security associations alive now."""
    rohc_contexts: int
    """ROHC channels alive now: one each way per session or address that compresses."""

    @property
    def rejected_total(self) -> int:
        """All refused datagrams."""
        return sum(self.rejected.values())


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """One UE's session: two associations, perhaps a ROHC channel each way."""

    keys: keying.Session
    outbound: esp.OutboundAssociation
    tunnel: CompressedTunnel | None
    peer: SocketAddress
    highest: int = -1


@dataclass(slots=True, eq=False)
class _RohcPeer:
    compressor: rohc.Compressor
    decompressor: rohc.Decompressor


@dataclass(slots=True)
class _Counts:
    datagrams: Counter[str] = field(default_factory=Counter)
    bytes_received: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    feedback: Counter[str] = field(default_factory=Counter)
    keepalives: int = 0
    exchanges: int = 0


class Gateway:
    """Terminates ESP and ROHC, and hands messages to an application.

    Args:
        secrets: gives the secret shared with an identity, or ``None`` for a stranger.
        application: answers the messages.
        limits: bounds on what is remembered.
        rohc_settings: mode and feedback of all ROHC channels.
        policy: the suites that sessions may use.
        random: gives that many random octets; the operating system's by default.
        observer: is told of passages and sessions.
    """

    def __init__(
        self,
        *,
        secrets: Callable[[str], bytes | None],
        application: Application,
        limits: GatewayLimits | None = None,
        rohc_settings: RohcSettings | None = None,
        policy: SuitePolicy = EVERY_SUITE,
        random: Callable[[int], bytes] = os.urandom,
        observer: GatewayObserver | None = None,
    ) -> None:
        self._application = application
        self._limits = limits or GatewayLimits()
        self._rohc = rohc_settings or RohcSettings()
        self._piggyback = self._rohc.feedback is FeedbackWay.PIGGYBACK
        self._observer = observer
        self._database: esp.SecurityAssociationDatabase[_Session] = esp.SecurityAssociationDatabase(
            random
        )
        self._responder = keying.Responder(
            secrets,
            self._database.allocate_spi,
            accept=lambda identity, offer: policy.allows(offer.suite),
            random=random,
        )
        self._sessions: OrderedDict[int, _Session] = OrderedDict()  # by inbound SPI, oldest first
        self._rohc_peers: OrderedDict[SocketAddress, _RohcPeer] = OrderedDict()
        self._counts = _Counts()
        self._receivers = {
            HsePort.ESP: self._receive_esp,
            HsePort.ROHC: self._receive_rohc,
            HsePort.PLAIN: self._receive_plain,
        }

    # -- what a socket calls -----------------------------------------------------------------

    def receive(self, port: HsePort, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        """Take one datagram.

        Args:
            port: the port it arrived on.
            data: its payload.
            source: ``(host, port)`` it came from.
            now: seconds on the caller's clock.

        Returns:
            What to send; empty for whatever was refused. Never raises on remote input.
        """
        self._counts.datagrams[port] += 1
        self._counts.bytes_received[port] += len(data)
        try:
            return self._receivers[port](data, source, now)
        except esp.RemoteError as error:
            return self._reject(port, error.reason)
        except PacketError as error:
            return self._reject(port, f"inner-{error.reason}")

    def snapshot(self) -> GatewaySnapshot:
        """What was counted so far, as plain numbers."""
        counts = self._counts
        channels = sum(1 for session in self._sessions.values() if session.tunnel is not None)
        return GatewaySnapshot(
            datagrams=dict(counts.datagrams),
            bytes_received=dict(counts.bytes_received),
            delivered=dict(counts.delivered),
            answered=dict(counts.answered),
            rejected=dict(counts.rejected),
            feedback=dict(counts.feedback),
            keepalives=counts.keepalives,
            exchanges=counts.exchanges,
            sessions=len(self._sessions),
            security_associations=len(self._database),
            rohc_contexts=2 * (channels + len(self._rohc_peers)),
        )

    # -- the ESP port ------------------------------------------------------------------------

    def _receive_esp(self, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        kind = esp.classify(data)
        if kind is esp.DatagramKind.ESP:
            return self._receive_protected(data, source, now)
        if kind is esp.DatagramKind.MESSAGE:
            return self._receive_keying(esp.remove_marker(data), source, now)
        if kind is esp.DatagramKind.KEEPALIVE:
            self._counts.keepalives += 1
            return []
        return self._reject(HsePort.ESP, esp.Reason.TRUNCATED)

    def _receive_keying(self, message: bytes, source: SocketAddress, now: float) -> list[Reply]:
        handled = self._responder.handle(message, now)
        self._forget(handled.dropped)
        if handled.session is not None:
            self._begin_session(handled.session, source)
        if handled.reason is not None:
            self._reject(HsePort.ESP, handled.reason)
        if handled.reply is None:
            return []
        return [Reply(HsePort.ESP, esp.add_marker(handled.reply), source)]

    def _begin_session(self, keys: keying.Session, source: SocketAddress) -> None:
        self._counts.exchanges += 1
        outbound, inbound = keys.outbound_association(), keys.inbound_association()
        session = _Session(
            keys=keys,
            outbound=outbound,
            tunnel=(
                CompressedTunnel(outbound, inbound, *self._rohc.ends(), piggyback=False)
                if keys.compression
                else None
            ),
            peer=source,
        )
        self._database.add(inbound, session)
        self._sessions[keys.inbound.spi] = session
        if len(self._sessions) > self._limits.sessions:
            oldest = next(iter(self._sessions))
            self._responder.release(oldest)
            self._forget((self._sessions[oldest].keys,))
        if self._observer is not None:
            self._observer.keyed(keys)

    def _forget(self, ended: Iterable[keying.Session]) -> None:
        for keys in ended:
            self._sessions.pop(keys.inbound.spi, None)
            self._database.remove(keys.inbound.spi)

    def _receive_protected(self, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        entry, opened = self._database.unprotect(data)
        session = entry.owner
        observer = self._observer
        verified_at = None if observer is None else observer.clock()
        if session.highest < 0:
            self._forget(self._responder.confirm(session.keys.inbound.spi))
        self._sessions.move_to_end(session.keys.inbound.spi)
        if opened.sequence > session.highest:
            # RFC 3948 and RFC 7296 section 2.23: a NAT may have moved the peer; only the newest
            # authentic packet says where it is now.
            session.highest = opened.sequence
            session.peer = source
        if opened.is_dummy:
            return []
        replies: list[Reply] = []
        packet_type = None
        decompressed_at = None
        inner = None
        if session.keys.mode is esp.Mode.TRANSPORT:
            request = _datagram_request(session.keys.identity, opened.payload)
        else:
            packet: bytes | None = opened.payload
            if opened.next_header == esp.NEXT_HEADER_ROHC:
                tunnel = session.tunnel
                if tunnel is None:
                    return self._reject(HsePort.ESP, esp.Reason.WRONG_NEXT_HEADER)
                try:
                    decompressed = tunnel.decompress(opened, now)
                except DecompressionFailed as error:
                    # There is no answer for this feedback to ride on: it goes at once.
                    self._reject(HsePort.ESP, error.reason)
                    return self._feedback_in_tunnel(session, tunnel, error.feedback)
                if decompressed.feedback and self._piggyback:
                    tunnel.compressor.queue_feedback(decompressed.feedback)
                else:
                    replies += self._feedback_in_tunnel(session, tunnel, decompressed.feedback)
                packet_type = None if decompressed.rohc is None else decompressed.rohc.packet_type
                decompressed_at = None if observer is None else observer.clock()
                packet = decompressed.packet
            if packet is None:
                return replies
            inner = parse_udp_packet(packet)
            request = _packet_request(session.keys.identity, inner)
        answer = self._deliver(HsePort.ESP, request)
        if answer is not None:
            replies.append(self._protect(session, inner, request, answer, now))
        self._observe(
            HsePort.ESP,
            request,
            now,
            verified_at,
            decompressed_at,
            answer is not None,
            packet_type,
        )
        return replies

    def _feedback_in_tunnel(
        self, session: _Session, tunnel: CompressedTunnel, feedback: bytes
    ) -> list[Reply]:
        """Feedback for the UE's compressor in a packet of its own, if there is any."""
        if not feedback:
            return []
        self._counts.feedback[HsePort.ESP] += 1
        return [Reply(HsePort.ESP, tunnel.protect_feedback(feedback), session.peer)]

    def _protect(
        self,
        session: _Session,
        inner: InnerPacket | None,
        request: Request,
        answer: bytes,
        now: float,
    ) -> Reply:
        if inner is None:
            # Checksum 0, "none": a NAT would make any other wrong, and the ICV protects the
            # datagram (RFC 3948 section 3.1.2).
            ports = _UDP.pack(
                request.destination_port,
                request.source_port,
                UDP_HEADER_BYTES + len(answer),
                0,
            )
            payload = ports + answer
            next_header = esp.NEXT_HEADER_UDP
        else:
            payload = swap_endpoints(inner, answer)
            if session.tunnel is not None:
                payload, next_header = session.tunnel.compress(payload, now)
            else:
                next_header = esp.NEXT_HEADER_IPV4 if inner.version == 4 else esp.NEXT_HEADER_IPV6
        protected = session.outbound.protect(payload, next_header)
        return Reply(HsePort.ESP, protected, session.peer)

    # -- the ports without security ----------------------------------------------------------

    def _receive_rohc(self, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        peer = self._rohc_peers.get(source)
        if peer is None:
            peer = _RohcPeer(*self._rohc.ends())
        try:
            decompressed = peer.decompressor.decompress(data, now)
        except rohc.RohcError as error:
            peer.compressor.deliver_feedback(error.feedback_received)
            self._reject(HsePort.ROHC, "decompression-failed")
            return self._feedback_alone(error.feedback, source)
        peer.compressor.deliver_feedback(decompressed.feedback_received)
        # Only an address that sent something meaningful is worth a place in the table.
        self._rohc_peers[source] = peer
        self._rohc_peers.move_to_end(source)
        if len(self._rohc_peers) > self._limits.rohc_peers:
            self._rohc_peers.popitem(last=False)
        replies: list[Reply] = []
        if decompressed.feedback and self._piggyback:
            peer.compressor.queue_feedback(decompressed.feedback)
        else:
            replies += self._feedback_alone(decompressed.feedback, source)
        if decompressed.packet is None:
            return replies
        decompressed_at = None if self._observer is None else self._observer.clock()
        inner = parse_udp_packet(decompressed.packet)
        request = _packet_request("", inner)
        answer = self._deliver(HsePort.ROHC, request)
        if answer is not None:
            compressed = peer.compressor.compress(swap_endpoints(inner, answer), now)
            replies.append(Reply(HsePort.ROHC, compressed, source))
        self._observe(
            HsePort.ROHC,
            request,
            now,
            None,
            decompressed_at,
            answer is not None,
            decompressed.packet_type,
        )
        return replies

    def _feedback_alone(self, feedback: bytes, source: SocketAddress) -> list[Reply]:
        if not feedback:
            return []
        self._counts.feedback[HsePort.ROHC] += 1
        return [Reply(HsePort.ROHC, feedback, source)]

    def _receive_plain(self, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        request = Request(identity="", payload=data, source_port=source[1], destination_port=0)
        answer = self._deliver(HsePort.PLAIN, request)
        replies = [] if answer is None else [Reply(HsePort.PLAIN, answer, source)]
        self._observe(HsePort.PLAIN, request, now, None, None, bool(replies), None)
        return replies

    # -- shared ------------------------------------------------------------------------------

    def _deliver(self, port: HsePort, request: Request) -> bytes | None:
        self._counts.delivered[port] += 1
        answer = self._application.answer(request)
        if answer is not None:
            self._counts.answered[port] += 1
        return answer

    def _reject(self, port: HsePort, reason: str) -> list[Reply]:
        self._counts.rejected[port.value, str(reason)] += 1
        return []

    def _observe(
        self,
        port: HsePort,
        request: Request,
        now: float,
        verified_at: float | None,
        decompressed_at: float | None,
        answered: bool,
        packet_type: str | None,
    ) -> None:
        observer = self._observer
        if observer is None:
            return
        observer.passed(
            Passage(
                port=port,
                identity=request.identity,
                payload=request.payload,
                received_at=now,
                verified_at=verified_at,
                decompressed_at=decompressed_at,
                answered_at=observer.clock() if answered else None,
                packet_type=packet_type,
            )
        )


def _packet_request(identity: str, inner: InnerPacket) -> Request:
    return Request(
        identity=identity,
        payload=inner.payload,
        source_port=inner.source_port,
        destination_port=inner.destination_port,
    )


def _datagram_request(identity: str, datagram: bytes) -> Request:
    """The request in a UDP datagram of transport mode.

    Its checksum covers addresses that a NAT has changed: it is not looked at, as RFC 3948 section
    3.1.2 allows for UDP.
    """
    if len(datagram) < UDP_HEADER_BYTES:
        raise PacketError("truncated", f"{len(datagram)} octets are less than a UDP header")
    length = int.from_bytes(datagram[4:6], "big")
    if not UDP_HEADER_BYTES <= length <= len(datagram):
        raise PacketError("bad-length", f"UDP length {length} in {len(datagram)} octets")
    return Request(
        identity=identity,
        payload=datagram[UDP_HEADER_BYTES:length],
        source_port=int.from_bytes(datagram[0:2], "big"),
        destination_port=int.from_bytes(datagram[2:4], "big"),
    )
