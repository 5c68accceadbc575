"""ROHC inside a tunnel: RFC 5856 to 5858. The one door between this package and ``rohc``.

Out: ROHC ICV over the uncompressed packet (optional), compress, append the ICV, ESP with next
header 142. In: ESP, take the ICV off, decompress, compute it again, compare (RFC 5858 section
4.2.1). The next header is 142 when, and only when, the packet is a ROHC packet (section 4.1): a
packet that the compressor does not take goes into the tunnel as it is.

One channel per SA. The channel of an inbound SA is coupled with that of the outbound SA between
the same two ends (FEEDBACK_FOR, section 3.2), so feedback goes back over the reverse SA: ridden
piggyback on the next packet, or in a packet of its own. Tunnel mode only (RFC 5856 section 1).
ESP's sequence number tells the decompressor how late a packet is.

With an MRRU a ROHC packet and its ICV may go in segments, each in an ESP packet with the next
sequence number; these numbers put them in order again (section 4.3).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Protocol

from esp.errors import DecompressionFailed, InvalidParameter, MalformedLocalPacket
from esp.inbound import InboundAssociation, Unprotected
from esp.layout import NEXT_HEADER_IPV4, NEXT_HEADER_IPV6, NEXT_HEADER_ROHC, Mode
from esp.outbound import OutboundAssociation
from esp.rohc_parameters import RohcIcv
from rohc.errors import MalformedPacket, RohcError, RohcUsageError
from rohc.framing import behind_feedback
from rohc.segments import NumberedReassembly, is_segment, segments_of

__all__ = ["CompressedTunnel", "Compresses", "Decapsulated", "Decompresses", "RohcIcv"]


class Compresses(Protocol):
    """What this door needs of a ROHC compressor."""

    def compress(self, packet: bytes, now: float | None = None) -> bytes:
        """One IP packet in, exactly one ROHC packet out."""

    def deliver_feedback(self, data: bytes) -> None:
        """What the peer's decompressor said."""

    def queue_feedback(self, data: bytes) -> None:
        """Let feedback for the peer ride on the next packet."""


class DecompressedLike(Protocol):
    """What this door needs of a decompressor's result."""

    @property
    def packet(self) -> bytes | None:
        """The IP packet, None for feedback only and for all segments but the last."""

    @property
    def packet_type(self) -> str:
        """The packet type's name, such as UO-0."""

    @property
    def feedback(self) -> bytes:
        """For the peer's compressor, empty when there is none."""

    @property
    def feedback_received(self) -> bytes:
        """For the local compressor, empty when there is none."""


class Decompresses(Protocol):
    """What this door needs of a ROHC decompressor."""

    def decompress(
        self, data: bytes, now: float | None = None, late_by: int | None = None
    ) -> DecompressedLike:
        """One ROHC packet in; raises RohcError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decapsulated:
    """What came out of one ESP packet of a compressed tunnel."""

    packet: bytes | None
    """The inner IP packet; None for a dummy, for feedback only, for a segment that completes none.
    """
    esp: Unprotected
    """What ESP said: next header, sequence number, how late."""
    rohc: DecompressedLike | None = None
    """What the decompressor said; None for a packet that was not compressed."""
    feedback: bytes = b""
    """For the peer's compressor, still to be sent: see CompressedTunnel.protect_feedback.
    Empty when there is none or it rides on the next packet."""
    segments: range = range(0)
    """ESP sequence numbers of the segments that the packet came in; empty when it came whole. For a
    segment that completes none, its own."""

    @property
    def is_incomplete(self) -> bool:
        """Whether this was a segment of a packet that is not whole yet."""
        return self.rohc is None and bool(self.segments)


class CompressedTunnel:
    """A pair of tunnel-mode SAs with a ROHC channel in each direction.

    Arguments:
        outbound: the sending SA; its channel is the compressor's.
        inbound: the receiving SA, made with ``rohc=True``; its channel is the decompressor's.
        compressor: for what goes out.
        decompressor: for what comes in.
        piggyback: whether feedback waits for the next packet out (the saving choice for a device
            that answers soon or pays for each packet) or is given to the caller.
        outbound_icv: the second integrity check of what goes out; None for none.
        inbound_icv: the same of what comes in, with the peer's outbound key.
        outbound_mrru: the peer's MRRU, CRC and ICV included: larger packets are not sent in
            segments. 0, as RFC 5858 section 2.1 wants it by default, for no segments.
        inbound_mrru: this end's.

    Raises :class:`~esp.errors.InvalidParameter` for SAs that are not in tunnel mode.
    """

    __slots__ = (
        "_inbound_icv",
        "_newest",
        "_outbound_icv",
        "_outbound_mrru",
        "_piggyback",
        "_reassembly",
        "compressor",
        "decompressor",
        "inbound",
        "outbound",
    )

    def __init__(
        self,
        outbound: OutboundAssociation,
        inbound: InboundAssociation,
        compressor: Compresses,
        decompressor: Decompresses,
        *,
        piggyback: bool = True,
        outbound_icv: RohcIcv | None = None,
        inbound_icv: RohcIcv | None = None,
        outbound_mrru: int = 0,
        inbound_mrru: int = 0,
    ) -> None:
        if outbound.mode is not Mode.TUNNEL or inbound.mode is not Mode.TUNNEL:
            raise InvalidParameter(
                "ROHC goes with tunnel mode only (RFC 5856 section 1)",
                hint="use mode tunnel, or no compression",
            )
        if not inbound.rohc:
            raise InvalidParameter("the inbound SA does not take next header 142: set rohc=True")
        self.outbound = outbound
        self.inbound = inbound
        self.compressor = compressor
        self.decompressor = decompressor
        self._piggyback = piggyback
        self._outbound_icv = outbound_icv
        self._inbound_icv = inbound_icv
        self._outbound_mrru = outbound_mrru
        self._reassembly = NumberedReassembly(inbound_mrru)
        self._newest = 0

    def __repr__(self) -> str:
        return f"CompressedTunnel(outbound={self.outbound!r}, inbound={self.inbound!r})"

    def protect(self, packet: bytes, now: float | None = None) -> bytes:
        """The ESP packet, SPI to ICV, that carries an inner IP packet, compressed if possible.

        Raises what :meth:`compress` and :meth:`OutboundAssociation.protect` raise.
        """
        return self.outbound.protect(*self.compress(packet, now))

    def compress(self, packet: bytes, now: float | None = None) -> tuple[bytes, int]:
        """The first half of :meth:`protect`: the ESP payload and its next header.

        Raises :class:`~esp.errors.MalformedLocalPacket` for what is neither IPv4 nor IPv6.
        """
        version = packet[0] >> 4 if packet else 0
        if version not in (4, 6):
            raise MalformedLocalPacket("neither an IPv4 nor an IPv6 packet")
        try:
            compressed = self.compressor.compress(packet, now)
        except RohcError:
            return packet, NEXT_HEADER_IPV4 if version == 4 else NEXT_HEADER_IPV6
        if self._outbound_icv is not None:
            compressed += self._outbound_icv.compute(packet)
        return compressed, NEXT_HEADER_ROHC

    def protect_segments(
        self, packet: bytes, now: float | None = None, *, packet_octets: int
    ) -> list[bytes]:
        """The ESP packets that carry an inner IP packet, in the order in which to send them.

        Arguments:
            packet: as for :meth:`protect`.
            now: likewise.
            packet_octets: what the link takes, SPI to ICV. A larger packet goes in segments if the
                peer's MRRU allows it, and whole if not: then the link refuses it.

        Raises what :meth:`protect` raises.
        """
        room = self.outbound.suite.largest_payload_bytes(packet_octets)
        made = self.compress_segments(packet, now, segment_octets=room)
        return [self.outbound.protect(*one) for one in made]

    def compress_segments(
        self, packet: bytes, now: float | None = None, *, segment_octets: int
    ) -> list[tuple[bytes, int]]:
        """The first half of :meth:`protect_segments`: ESP payloads with their next headers.

        They must be protected one after the other: their numbers say that they belong together.
        """
        compressed, next_header = self.compress(packet, now)
        if next_header != NEXT_HEADER_ROHC or segment_octets < 2:
            return [(compressed, next_header)]
        try:
            made = segments_of(compressed, segment_octets=segment_octets, mrru=self._outbound_mrru)
        except RohcUsageError:
            return [(compressed, next_header)]
        return [(one, next_header) for one in made]

    def protect_feedback(self, feedback: bytes) -> bytes:
        """An ESP packet that carries nothing but feedback for the peer's compressor.

        With the ROHC ICV in use it has none: there is no uncompressed packet to compute one over,
        and the ESP ICV protects the feedback.
        """
        return self.outbound.protect(feedback, NEXT_HEADER_ROHC)

    def unprotect(self, packet: bytes, now: float | None = None) -> Decapsulated:
        """Check, open and decompress one ESP packet, SPI to ICV.

        Raises what :meth:`InboundAssociation.unprotect` raises, and
        :class:`~esp.errors.DecompressionFailed` when the decompressor or the ROHC ICV refuses the
        packet; the inbound SA's selectors apply to what was decompressed.
        """
        opened = self.inbound.unprotect(packet)
        if opened.next_header != NEXT_HEADER_ROHC:
            return Decapsulated(packet=None if opened.is_dummy else opened.payload, esp=opened)
        return self.decompress(opened, now)

    def decompress(self, opened: Unprotected, now: float | None = None) -> Decapsulated:
        """The second half of :meth:`unprotect`, for who opened the ESP packet already."""
        data, late_by = opened.payload, opened.late_by
        segments = range(0)
        if self._reassembly.mrru:
            sequence = opened.sequence
            if is_segment(data, _behind_feedback(data)):
                reassembled = self._take_segment(opened, data)
                if reassembled is None:
                    own = range(sequence, sequence + 1)
                    return Decapsulated(packet=None, esp=opened, segments=own)
                data, segments = reassembled
                sequence = segments[-1]
            # Not how far behind the newest ESP packet: that may be a segment of what is to come.
            late_by = max(self._newest - sequence, 0)
            self._newest = max(self._newest, sequence)
        icv = self._inbound_icv
        stated = b""
        if icv is not None and _behind_feedback(data) < len(data):
            if len(data) <= icv.size:
                raise DecompressionFailed("the ROHC packet is shorter than its ICV")
            data, stated = data[: -icv.size], data[-icv.size :]
        try:
            result = self.decompressor.decompress(data, now, late_by)
        except RohcError as error:
            feedback = self._exchange_feedback(error)
            raise DecompressionFailed(
                f"the decompressor refused the packet: {type(error).__name__}",
                feedback=feedback,
                cause=error,
            ) from error
        feedback = self._exchange_feedback(result)
        inner = result.packet
        if inner is not None:
            if icv is not None and not hmac.compare_digest(icv.compute(inner), stated):
                raise DecompressionFailed(
                    "the ROHC ICV says that the packet is not the original", feedback=feedback
                )
            if not inner or inner[0] >> 4 not in (4, 6):
                raise DecompressionFailed("no IP packet came out of the decompressor")
            if self.inbound.selectors is not None:
                self.inbound.selectors.require(inner)
        return Decapsulated(
            packet=inner, esp=opened, rohc=result, feedback=feedback, segments=segments
        )

    def _take_segment(self, opened: Unprotected, data: bytes) -> tuple[bytes, range] | None:
        """Put a segment to the others; the packet and their numbers if that makes it whole."""
        at = _behind_feedback(data)
        if at:
            self.compressor.deliver_feedback(data[:at].lstrip(b"\xe0"))
        try:
            return self._reassembly.take(opened.sequence, data[at:])
        except RohcError as error:
            raise DecompressionFailed(
                f"the segments make no packet: {type(error).__name__}", cause=error
            ) from error

    def _exchange_feedback(self, source: DecompressedLike | RohcError) -> bytes:
        """Give the compressor what rode in; the feedback that the caller is to send back."""
        if source.feedback_received:
            self.compressor.deliver_feedback(source.feedback_received)
        if source.feedback and self._piggyback:
            self.compressor.queue_feedback(source.feedback)
            return b""
        return source.feedback


def _behind_feedback(data: bytes) -> int:
    """Where the header of a ROHC packet begins; at the end when it is feedback and nothing else."""
    try:
        return behind_feedback(data)
    except MalformedPacket:
        return 0
