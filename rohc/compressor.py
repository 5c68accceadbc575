"""The compressor's door: original packets in, ROHC packets out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rohc import framing
from rohc.channel import Channel, Mode, Profile, mode_of
from rohc.compression.acknowledge import apply
from rohc.compression.choose import ONLY_SN, encode
from rohc.compression.classify import Classifier
from rohc.compression.context import CompressorContext
from rohc.compression.encode import Encoded
from rohc.compression.hot import leave, prepare, refresh_due
from rohc.compression.settings import Settings
from rohc.compression.steady import Steady
from rohc.encoding.crc import CRC8
from rohc.errors import MalformedPacket, RohcUsageError, UnsupportedProfile
from rohc.feedback import Feedback, next_element, read_feedback
from rohc.profiles.spec import Spec
from rohc.segments import check_segment_octets, segments_of

__all__ = ["Choice", "Compressor"]

_BEFORE_STEADY = frozenset(("UO-0", "IR", "IR-DYN"))
"""Packet types behind which nothing is left to tell when no counter says so."""
_REJECTED_MAX = 64
"""How many flows that the peer rejected are remembered."""


class Choice(NamedTuple):
    """What the compressor chose for a packet, and why.

    Attributes:
        packet_type: the packet type's name in the RFC.
        cid: the context identifier.
        profile: the context's profile.
        header_bytes: octets of the ROHC packet in front of the payload, piggybacked feedback
            excluded.
        why: the reason, for a person.
    """

    packet_type: str
    cid: int
    profile: int
    header_bytes: int
    why: str


class Compressor:
    """Compresses the headers of IP packets for the `Decompressor` on the same channel.

    The RFCs give no numbers for repetitions and refreshes. With these defaults, on the channels of
    `benchmarks/loss_matrix.py` (seeds 0 to 11, and 200 to 239), bursts of loss (mean 5) leave at
    least 95 % right in U-mode and 99.7 % in O-mode, and less than 0.01 % silently wrong. U-mode
    alone has refreshes; that of the dynamic fields every 50 packets costs a thermostat 0.13 octets
    per packet (`testbed rohc stats`, docs/rohc.md).

    A new flow takes a free CID, or that of the flow that was silent longest. Every context begins
    in U-mode; it never moves up without feedback from the peer.

    Args:
        channel: the channel's parameters, the same as the decompressor's.
        mode: the highest mode that a context may move to when the peer's feedback asks for it:
            "U", "O" or "R". With "U" requests to move are ignored, as they are with "O" for R-mode.
        optimistic_repeats: how many packets in a row carry a change before it is taken for known,
            and the width of the W-LSB windows; 1 to 15. More survives longer bursts of loss.
        ir_refresh_packets: in U-mode, after how many packets an IR packet refreshes the whole
            context; 0 for never.
        fo_refresh_packets: the same for IR-DYN and the dynamic fields.
        ir_refresh_s: the same in seconds, where `now` is given to `compress`.
        fo_refresh_s: likewise.
        rtp_ports: UDP destination ports whose packets are RTP.
        rtp_heuristic: also take UDP flows for RTP whose first packets look like it.
        time_stride_ms: the time that one stride of the RTP timestamp takes, in milliseconds. With
            it, with `now`, and once the peer has told its clock resolution, timestamps that do not
            follow the SN are compressed with the clock (RFC 3095 section 4.5.4); 0 for never.
        reordering_expected: packets may overtake each other behind the compressor, and the peer may
            not be prepared for it (this package's decompressor is). In U- and O-mode all packets
            then have a CRC of 7 bits, one octet more than the smallest, so that a peer that reads
            a late SN for a new one notices; R-mode is not entered, whose R-0 would not (RFC 4224).
        static_ip_id: tell a constant IP-ID with the SID flag in profiles 0x0001 to 0x0003 too; it
            saves two octets per packet. RFC 3843 and RFC 4019 define the flag for profiles 0x0004,
            0x0007 and 0x0008 alone; this package's decompressor and librohc know it everywhere.
        first_sn: the first sequence number of each flow where the compressor makes it; None for a
            random one (RFC 3095 section 5.11.1).

    Raises:
        RohcUsageError: an argument out of its range.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        mode: str = "O",
        optimistic_repeats: int = 4,
        ir_refresh_packets: int = 500,
        fo_refresh_packets: int = 50,
        ir_refresh_s: float = 0.0,
        fo_refresh_s: float = 0.0,
        rtp_ports: Iterable[int] = frozenset(),
        rtp_heuristic: bool = False,
        time_stride_ms: int = 0,
        reordering_expected: bool = False,
        static_ip_id: bool = False,
        first_sn: int | None = None,
    ) -> None:
        self.channel = channel
        self.settings = Settings(
            mode=mode_of(mode),
            optimistic_repeats=optimistic_repeats,
            ir_refresh_packets=ir_refresh_packets,
            fo_refresh_packets=fo_refresh_packets,
            ir_refresh_s=ir_refresh_s,
            fo_refresh_s=fo_refresh_s,
            rtp_ports=frozenset(rtp_ports),
            rtp_heuristic=rtp_heuristic,
            time_stride_ms=time_stride_ms,
            reordering_expected=reordering_expected,
            static_ip_id=static_ip_id,
            first_sn=first_sn,
        )
        self._large = channel.large_cids
        self._allowed = frozenset(int(profile) for profile in channel.profiles)
        self._flows: dict[bytes, CompressorContext] = {}
        self._by_cid: dict[int, CompressorContext] = {}
        self._steady: dict[bytes, CompressorContext] = {}
        self._queued: list[bytes] = []
        self._classifier = Classifier(self._allowed, self.settings)
        self._rejected: dict[bytes, None] = {}
        self._clock_resolution_ms = 0
        self.feedback_ignored = 0
        self._packets = 0
        self._last: CompressorContext | None = None
        self._last_steady: Steady | None = None
        self._last_type = ""
        self._last_header_bytes = 0
        self._last_why = ""

    @property
    def last(self) -> Choice | None:
        """What was chosen for the last packet, or None before the first."""
        context = self._last
        if context is None:
            return None
        profile = 0 if context.spec is None else int(context.spec.number)
        if self._last_steady is not None:
            header_bytes = self._last_steady.header_bytes
            return Choice("UO-0", context.cid, profile, header_bytes, ONLY_SN)
        return Choice(
            self._last_type, context.cid, profile, self._last_header_bytes, self._last_why
        )

    def compress(self, packet: bytes, now: float | None = None) -> bytes:
        """One packet as exactly one ROHC packet; nothing is segmented.

        Args:
            packet: an IP packet; anything else goes through profile 0x0000.
            now: the time in seconds, on any clock; None means that no timer runs.

        Raises:
            RohcUsageError: `packet` is empty.
            UnsupportedProfile: no profile of the channel can carry the packet.
        """
        if self._queued:
            feedback = b"".join(self._queued)
            self._queued.clear()
            return feedback + self._compress(packet, now)
        return self._compress(packet, now)

    def compress_segments(
        self, packet: bytes, now: float | None = None, *, segment_octets: int = 0
    ) -> list[bytes]:
        """One packet as ROHC packets that each fit the channel's segments.

        Without `mrru`, or when `segment_octets` is 0, this is one packet.

        Args:
            packet: as for `compress`.
            now: as for `compress`.
            segment_octets: the largest ROHC packet that the link takes, at least 2; larger ones are
                segmented (RFC 5795 section 5.2.5).

        Raises:
            RohcUsageError: `packet` is empty, `segment_octets` is 1, or the packet with its CRC is
                larger than `mrru`.
            UnsupportedProfile: no profile of the channel can carry the packet.
        """
        check_segment_octets(segment_octets)
        return segments_of(
            self.compress(packet, now), segment_octets=segment_octets, mrru=self.channel.mrru
        )

    def deliver_feedback(self, data: bytes) -> None:
        """Take feedback that the peer's decompressor gave (`Decompressed.feedback`, unchanged).

        Elements that are malformed, fail their CRC option or name no context are passed over and
        counted in `feedback_ignored`.

        Args:
            data: one or more feedback elements; empty data is fine.
        """
        at = 0
        while at < len(data):
            try:
                element, at = next_element(data, at)
            except MalformedPacket:
                # Where this element ends, and whether another follows, cannot be told.
                self.feedback_ignored += 1
                return
            try:
                feedback = read_feedback(element, self._large)[0]
            except MalformedPacket:
                self.feedback_ignored += 1
                continue
            self._apply(feedback)

    def _apply(self, feedback: Feedback) -> None:
        if feedback.protected and feedback.clock_resolution_ms >= 0:
            self._clock_resolution_ms = feedback.clock_resolution_ms
        context = self._by_cid.get(feedback.cid)
        if context is None:
            self.feedback_ignored += 1
            return
        if context.steady is not None and context.headers is not None:
            leave(context, context.headers, self.settings)
        if feedback.protected and (feedback.reject or feedback.context_memory):
            self._reject(context)
            return
        if self.settings.reordering_expected and feedback.mode == Mode.RELIABLE:
            feedback.mode = 0
        apply(context, context.spec, feedback, self.settings)

    def _reject(self, context: CompressorContext) -> None:
        """RFC 3095 section 5.7.6.4: stop compressing the flow; 0x0000 cannot be rejected."""
        if context.spec is None:
            return
        while len(self._rejected) >= _REJECTED_MAX:
            del self._rejected[next(iter(self._rejected))]
        self._rejected[context.key] = None

    def queue_feedback(self, data: bytes) -> None:
        """Let feedback ride in front of the next packet that `compress` makes.

        Args:
            data: feedback elements of the local decompressor; empty data is fine.
        """
        if data:
            self._queued.append(data)

    # One packet ---------------------------------------------------------------------------

    def _compress(self, packet: bytes, now: float | None) -> bytes:
        self._packets += 1
        first = packet[0] if packet else 0
        if first == 0x45:
            context = self._steady.get(packet[12:24])
        elif first >> 4 == 6:
            context = self._steady.get(packet[8:44])
        else:
            context = None
        if context is not None and (now is None or now < context.refresh_at):
            steady = context.steady
            if steady is not None:
                made = steady.compress(packet)
                if made is not None:
                    context.last_used = self._packets
                    self._last = context
                    self._last_steady = steady
                    return made
        return self._compress_thoroughly(packet, now)

    def _compress_thoroughly(self, packet: bytes, now: float | None) -> bytes:
        if not packet:
            raise RohcUsageError("an empty packet cannot be compressed")
        headers, spec, why = self._classifier.classify(packet)
        if headers is not None:
            headers.payload_octets = len(packet) - headers.size
        if headers is None or spec is None:
            return self._uncompressed(packet, now, why)
        key = bytes((spec.number,)) + spec.write_static_chain(headers)
        if key in self._rejected:
            return self._uncompressed(packet, now, "the peer rejected the flow")
        context = self._flows.get(key)
        if context is None:
            context = self._new_flow(key, spec)
            why = "first packet of a flow"
        context.last_used = self._packets
        encoded, why = encode(
            context,
            spec,
            headers,
            packet,
            now,
            why,
            self.settings,
            large=self._large,
            clocked=self._clock_resolution_ms > 0,
        )
        if encoded.name in _BEFORE_STEADY and prepare(
            context, spec, headers, packet, self.settings, self._large
        ):
            self._steady[context.steady_key] = context
        return self._framed(context, encoded, packet[headers.size :], why)

    # Profile 0x0000 -----------------------------------------------------------------------

    def _uncompressed(self, packet: bytes, now: float | None, why: str) -> bytes:
        """RFC 3095 section 5.10."""
        if Profile.UNCOMPRESSED not in self._allowed:
            raise UnsupportedProfile(
                f"{why}, and the channel does not allow profile 0x0000",
                hint="add profile 0 to the channel's profiles",
            )
        context = self._flows.get(b"")
        if context is None:
            context = self._new_flow(b"", None)
            context.ir_left = self.settings.optimistic_repeats
        context.last_used = self._packets
        refresh = refresh_due(context, now, self.settings)
        context.since_ir += 1
        context.since_fo = 0
        # A first octet that the framework reserves would not be read as a Normal packet.
        if context.ir_left or refresh == "IR" or packet[0] >= framing.ADD_CID:
            context.ir_left -= context.ir_left > 0
            context.since_ir = 1
            context.ir_at = context.ir_at if now is None else now
            head = bytes((framing.IR, Profile.UNCOMPRESSED))
            covered = context.cid_octets + head
            if self._large:
                covered = head[:1] + context.cid_octets + head[1:]
            encoded = Encoded("IR", head + bytes((CRC8.of(covered),)))
            return self._framed(context, encoded, packet, why)
        encoded = Encoded("Normal", packet[:1])
        made = self._framed(context, encoded, packet[1:], why)
        self._last_header_bytes -= 1
        return made

    # Contexts -----------------------------------------------------------------------------

    def _new_flow(self, key: bytes, spec: Spec | None) -> CompressorContext:
        """A context on a free CID, or on that of the flow that was silent longest."""
        cid = len(self._by_cid)
        old: CompressorContext | None = None
        if cid > self.channel.max_cid:
            old = min(self._by_cid.values(), key=_last_used)
            cid = old.cid
            del self._flows[old.key]
            self._forget_steady(old)
        context = CompressorContext(cid, framing.cid_octets(cid, self._large), spec, key)
        if old is not None and old.spec is spec:
            # RFC 4815 section 7.2.1: the mode is inherited.
            context.mode = old.mode
            context.reused = True
            context.transition_pending = old.transition_pending
        self._by_cid[cid] = context
        self._flows[key] = context
        return context

    def _framed(
        self, context: CompressorContext, encoded: Encoded, payload: bytes, why: str
    ) -> bytes:
        octets = encoded.octets
        self._last = context
        self._last_steady = None
        self._last_type = encoded.name
        self._last_header_bytes = len(octets) + len(context.cid_octets)
        self._last_why = why
        if self._large:
            return octets[:1] + context.cid_octets + octets[1:] + payload
        return context.cid_octets + octets + payload

    def _forget_steady(self, context: CompressorContext) -> None:
        context.steady = None
        if self._steady.get(context.steady_key) is context:
            del self._steady[context.steady_key]


def _last_used(context: CompressorContext) -> int:
    return context.last_used
