"""The HSE's gateway: a datagram in, counted events and datagrams out.

Sans-IO. Nothing that a peer sends raises; everything that is refused is counted by a short stable
reason. The way of a datagram, by port::

    esp     keepalive                       counted, nothing else
            non-ESP marker                  hello or AKA: a reply, perhaps a new session
            else: SPI -> SA                 replay window, ICV, then window update (RFC 4303 3.4.3)
                  next header 142           ROHC decompressor of the session (RFC 5858)
                  source address            is it this UE's? (see `testbed.hse.addresses`)
                  inner packet or datagram  application, and the answer back the same way
            else: no such SA                a notice now and then (see `testbed.notice`)
    rohc    decompressor of the source address, application, compressor of that address
    plain   application, and the answer back

A new session does not end the one before it: the key exchange's request can be replayed by anybody
who saw it. It takes over when its first packet proves that the peer holds the new keys.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable

import esp
import rohc
from esp import keying
from esp.errors import (
    AssociationEnded,
    DecompressionFailed,
    Expired,
    SequenceExhausted,
    UnknownSpi,
)
from esp.rohcoipsec import CompressedTunnel
from esp.suites import EVERY_SUITE, SuitePolicy
from testbed.association import EspSettings
from testbed.compression import FeedbackWay, RohcSettings
from testbed.hse.addresses import ADDRESS_IN_USE, AddressPlan
from testbed.hse.agreement import AkaService, KeyExchanges
from testbed.hse.applications import (
    Application,
    Request,
    datagram_answer,
    datagram_request,
    packet_request,
)
from testbed.hse.events import (
    GatewayLimits,
    GatewayObserver,
    GatewaySnapshot,
    HsePort,
    Passage,
    Reply,
    SocketAddress,
)
from testbed.hse.sessions import Accepted, Counts, RohcPeer, Session
from testbed.hse.state import HseState
from testbed.hse.table import SessionTable
from testbed.notice import Notices
from testbed.packets import (
    InnerPacket,
    PacketError,
    parse_udp_packet,
    swap_endpoints,
)

__all__ = ["Gateway"]

_NOT_DURABLE = "not-durable"
"""Reason of what is not delivered, since the state could not be written."""


class Gateway:
    """Terminates ESP and ROHC, and hands messages to an application.

    Args:
        secrets: gives the secret shared with an identity, or ``None`` for a stranger.
        aka: keys from AKA, beside those from secrets; none has no AKA.
        application: answers the messages.
        limits: bounds on what is remembered.
        rohc_settings: mode, feedback and integrity check of all ROHC channels.
        addresses: which identity may use which inner source addresses.
        share_addresses: several identities may use one inner address that was learned.
        lifetime: limits on the associations of both directions.
        associations: their replay window and padding.
        policy: the suites that sessions may use.
        state: sessions and numbers that survive a restart; what is accepted is then delivered by
            `flush`, when it is durable that it was. None: sessions die with the gateway.
        own_address: where peers reach it, for the checksum of transport mode's answers over IPv6.
        now: seconds on the caller's clock.
        random: gives that many random octets; the operating system's by default.
        observer: is told of passages and sessions.
    """

    def __init__(
        self,
        *,
        secrets: Callable[[str], bytes | None],
        application: Application,
        aka: AkaService | None = None,
        limits: GatewayLimits | None = None,
        rohc_settings: RohcSettings | None = None,
        addresses: AddressPlan | None = None,
        share_addresses: bool = False,
        lifetime: esp.Lifetime | None = None,
        associations: EspSettings | None = None,
        policy: SuitePolicy = EVERY_SUITE,
        state: HseState | None = None,
        own_address: str | None = None,
        now: float = 0.0,
        random: Callable[[int], bytes] = os.urandom,
        observer: GatewayObserver | None = None,
    ) -> None:
        self._application = application
        self._limits = limits or GatewayLimits()
        self._rohc = rohc_settings or RohcSettings()
        self._lifetime = lifetime
        self._own_address = own_address
        self._associations = associations or EspSettings()
        self._notices = Notices(self._limits.notices_per_s)
        self._piggyback = self._rohc.feedback is FeedbackWay.PIGGYBACK
        self._observer = observer
        self._database: esp.SecurityAssociationDatabase[Session] = esp.SecurityAssociationDatabase(
            random
        )
        self._exchanges = KeyExchanges(
            secrets=secrets,
            aka=aka,
            allocate_spi=self._database.allocate_spi,
            accept=lambda identity, offer: policy.allows(offer.suite),
            rohc=self._rohc,
            random=random,
        )

        def admits(keys: keying.Session) -> bool:
            if not policy.allows(keys.suite):
                return False
            if keys.key_agreement is keying.KeyAgreement.HELLO:
                return secrets(keys.identity) is not None
            return aka is not None and (aka.knows is None or aka.knows(keys.identity))

        self._counts = Counts()
        self._table = SessionTable(
            self._database,
            self._exchanges.both,
            admits=admits,
            limit=self._limits.sessions,
            counts=self._counts,
            rohc=self._rohc,
            addresses=addresses or AddressPlan(),
            share_addresses=share_addresses,
            lifetime=lifetime,
            associations=self._associations,
            state=state,
            random=random,
        )
        self._table.restore(now)
        self._rohc_peers: OrderedDict[SocketAddress, RohcPeer] = OrderedDict()
        self._state = state
        self._accepted: list[Accepted] = []
        self._receivers = {
            HsePort.ESP: self._receive_esp,
            HsePort.ROHC: self._receive_rohc,
            HsePort.PLAIN: self._receive_plain,
        }

    def adopt(self, keys: keying.Session) -> None:
        """Put a session with configured keys to use (see `testbed.hse.manual`).

        Raises:
            esp.LocalError: its SPI is taken.
        """
        self._table.adopt(keys)

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
        except UnknownSpi as error:
            self._reject(port, error.reason)
            return self._unknown(data, source, now)
        except esp.RemoteError as error:
            return self._reject(port, error.reason)
        except PacketError as error:
            return self._reject(port, f"inner-{error.reason}")
        except (AssociationEnded, SequenceExhausted):  # feedback that can't be sent any more
            return self._reject(port, esp.Reason.EXPIRED)
        except OSError:
            return self._reject(port, _NOT_DURABLE)

    @property
    def waiting(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._accepted)

    def flush(self, now: float) -> list[Reply]:
        """With durable state: deliver what was accepted since the last time, after one write.

        Args:
            now: seconds on the caller's clock.

        Returns:
            What to send. Nothing is delivered when the write fails: that is counted.
        """
        accepted, self._accepted = self._accepted, []
        if self._state is None or not accepted:
            return []
        try:
            self._state.commit()
        except OSError:
            for _ in accepted:
                self._reject(HsePort.ESP, _NOT_DURABLE)
            return []
        replies: list[Reply] = []
        for one in accepted:
            try:
                replies += self._deliver_accepted(one, now)
            except esp.RemoteError as error:
                self._reject(HsePort.ESP, error.reason)
            except PacketError as error:
                self._reject(HsePort.ESP, f"inner-{error.reason}")
            except (AssociationEnded, SequenceExhausted):
                self._reject(HsePort.ESP, esp.Reason.EXPIRED)
            except OSError:
                self._reject(HsePort.ESP, _NOT_DURABLE)
        return replies

    def take_wanted(self) -> list[keying.VectorWanted]:
        """The vectors that AKA waits for since the last time: get each, then `supply` it."""
        wanted, self._exchanges.wanted = self._exchanges.wanted, []
        return wanted

    def supply(self, token: int, outcome: keying.VectorOutcome, now: float) -> list[Reply]:
        """Go on with a vector that was wanted, or with why there is none.

        Args:
            token: of `take_wanted`; one that is not known is ignored.
            outcome: the vector, or the error in its place.
            now: seconds on the caller's clock.

        Returns:
            What to send.
        """
        supplied = self._exchanges.supply(token, outcome, now)
        return [] if supplied is None else self._handled(*supplied, now)

    def snapshot(self) -> GatewaySnapshot:
        """What was counted so far, as plain numbers."""
        counts = self._counts
        return GatewaySnapshot(
            datagrams=dict(counts.datagrams),
            bytes_received=dict(counts.bytes_received),
            delivered=dict(counts.delivered),
            answered=dict(counts.answered),
            rejected=dict(counts.rejected),
            feedback=dict(counts.feedback),
            repairs=dict(counts.repairs),
            lifetimes=dict(counts.lifetimes),
            notices=counts.notices,
            keepalives=counts.keepalives,
            exchanges=counts.exchanges,
            sessions=len(self._table),
            security_associations=len(self._database),
            rohc_contexts=2 * (self._table.channels + len(self._rohc_peers)),
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
        return self._handled(self._exchanges.handle(message, source, now), source, now)

    def _handled(self, handled: keying.Handled, source: SocketAddress, now: float) -> list[Reply]:
        self._table.forget(handled.dropped)
        replies: list[Reply] = []
        if handled.session is not None:
            replies += self.flush(now)  # others may be at their end
            self._table.begin(handled.session, source, now)
            if self._observer is not None:
                self._observer.keyed(handled.session)
        if handled.reason is not None:
            self._reject(HsePort.ESP, handled.reason)
        if handled.reply is not None:
            replies.append(Reply(HsePort.ESP, esp.add_marker(handled.reply), source))
        return replies

    def _unknown(self, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        """Tell a UE, at a bounded rate, that its association is not known here."""
        notice = self._notices.about(data, now)
        if notice is None:
            return []
        self._counts.notices += 1
        return [Reply(HsePort.ESP, notice.encode(), source)]

    def _receive_protected(self, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        try:
            entry, opened = self._database.unprotect(data)
            session = entry.owner
            if now >= session.ends_at:
                raise Expired("the security association has lived its time")
        except Expired:
            replies = self.flush(now)  # what it has accepted comes before its end
            self._table.expire(int.from_bytes(data[:4], "big"))
            self._reject(HsePort.ESP, esp.Reason.EXPIRED)
            return [*replies, *self._unknown(data, source, now)]
        replies = [] if session.proven else self.flush(now)  # it may end others
        observer = self._observer
        verified_at = None if observer is None else observer.clock()
        state = self._state
        self._table.use(session, entry.association, now)
        if opened.sequence > session.highest:
            # RFC 3948 and RFC 7296 section 2.23: a NAT may have moved the peer; only the newest
            # authentic packet says where it is now.
            session.highest = opened.sequence
            session.peer = source
        if state is not None:
            lifetime = self._lifetime
            counted = lifetime is not None and lifetime.counts_bytes
            octets = entry.association.payload_bytes if counted else 0
            state.mark(session.keys, opened.sequence, octets)
        if opened.is_dummy:
            return replies
        accepted = Accepted(session, opened, now, verified_at)
        if state is None:
            return self._deliver_accepted(accepted, now)
        self._accepted.append(accepted)
        return replies

    def _deliver_accepted(self, accepted: Accepted, now: float) -> list[Reply]:
        session, opened, received_at, verified_at = accepted
        observer = self._observer
        replies: list[Reply] = []
        packet_type = None
        decompressed_at = None
        inner = None
        if session.keys.mode is esp.Mode.TRANSPORT:
            request = datagram_request(session.keys.identity, opened.payload)
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
                    session.broken = True
                    self._reject(HsePort.ESP, error.reason)
                    return self._feedback_in_tunnel(session, tunnel, error.feedback)
                if session.broken:
                    session.broken = False
                    self._counts.repairs[HsePort.ESP] += 1
                if decompressed.segments:
                    session.segment_bytes = max(session.segment_bytes, len(opened.payload))
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
            sources = session.sources
            if sources is not None and not sources.holds(inner.source):
                refusal = sources.refusal(inner.source)
                if refusal == ADDRESS_IN_USE:  # perhaps by one whose time is over
                    self._table.expire_due(now)
                    refusal = sources.refusal(inner.source)
                if refusal is not None:
                    self._reject(HsePort.ESP, refusal)
                    return replies
                self._table.keep(session, now)
            request = packet_request(session.keys.identity, inner)
        answer = self._deliver(HsePort.ESP, request)
        if answer is not None:
            try:
                replies += self._protect(session, inner, request, answer, now)
            except (AssociationEnded, SequenceExhausted):
                answer = None
                self._table.expire(session.spi)
                self._reject(HsePort.ESP, esp.Reason.EXPIRED)
        self._observe(
            HsePort.ESP,
            request,
            received_at,
            verified_at,
            decompressed_at,
            answer is not None,
            packet_type,
        )
        return replies

    def _ends(self, session: Session) -> tuple[str, str] | None:
        """Own and peer's address, where a datagram between them needs a checksum."""
        peer = session.peer[0]
        if self._own_address is None or ":" not in peer or ":" not in self._own_address:
            return None
        return self._own_address, peer

    def _feedback_in_tunnel(
        self, session: Session, tunnel: CompressedTunnel, feedback: bytes
    ) -> list[Reply]:
        """Feedback for the UE's compressor in a packet of its own, if there is any."""
        if not feedback:
            return []
        self._counts.feedback[HsePort.ESP] += 1
        return [Reply(HsePort.ESP, tunnel.protect_feedback(feedback), session.peer)]

    def _protect(
        self,
        session: Session,
        inner: InnerPacket | None,
        request: Request,
        answer: bytes,
        now: float,
    ) -> list[Reply]:
        if inner is None:
            payload = datagram_answer(request, answer, self._ends(session))
            next_header = esp.NEXT_HEADER_UDP
        else:
            payload = swap_endpoints(inner, answer)
            if session.tunnel is not None:
                if session.segment_bytes:
                    size = session.segment_bytes
                    made = session.tunnel.compress_segments(payload, now, segment_octets=size)
                    protect, outbound = self._associations.protect, session.outbound
                    return [
                        Reply(HsePort.ESP, protect(outbound, *one), session.peer) for one in made
                    ]
                payload, next_header = session.tunnel.compress(payload, now)
            else:
                next_header = esp.NEXT_HEADER_IPV4 if inner.version == 4 else esp.NEXT_HEADER_IPV6
        if self._associations.pad_to:
            protected = self._associations.protect(session.outbound, payload, next_header)
        else:
            protected = session.outbound.protect(payload, next_header)
        return [Reply(HsePort.ESP, protected, session.peer)]

    # -- the ports without security ----------------------------------------------------------

    def _receive_rohc(self, data: bytes, source: SocketAddress, now: float) -> list[Reply]:
        peer = self._rohc_peers.get(source)
        if peer is None:
            peer = RohcPeer(*self._rohc.ends())
        try:
            decompressed = peer.decompressor.decompress(data, now)
        except rohc.RohcError as error:
            peer.broken = True
            peer.compressor.deliver_feedback(error.feedback_received)
            self._reject(HsePort.ROHC, "decompression-failed")
            return self._feedback_alone(error.feedback, source)
        peer.compressor.deliver_feedback(decompressed.feedback_received)
        if peer.broken:
            peer.broken = False
            self._counts.repairs[HsePort.ROHC] += 1
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
        request = packet_request("", inner)
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
