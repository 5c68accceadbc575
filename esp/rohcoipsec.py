"""ROHC inside a tunnel: RFC 5856 to 5858. The one door between this package and ``rohc``.

Out: ROHC ICV over the uncompressed packet (optional), compress, append the ICV, ESP with next
header 142. In: ESP, take the ICV off, decompress, compute it again, compare (RFC 5858 section
4.2.1). The next header is 142 when, and only when, the packet is a ROHC packet (section 4.1): a
packet that the compressor does not take goes into the tunnel as it is.

One channel per SA. The channel of an inbound SA is coupled with that of the outbound SA between
the same two ends (FEEDBACK_FOR, section 3.2), so feedback goes back over the reverse SA: ridden
piggyback on the next packet, or in a packet of its own. Tunnel mode only (RFC 5856 section 1).
ESP's sequence number tells the decompressor how late a packet is.
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
from rohc.errors import RohcError

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
    """The inner IP packet; None for a dummy, for feedback only, for a segment but the last."""
    esp: Unprotected
    """What ESP said: next header, sequence number, how late."""
    rohc: DecompressedLike | None = None
    """What the decompressor said; None for a packet that was not compressed."""
    feedback: bytes = b""
    """For the peer's compressor, still to be sent: see CompressedTunnel.protect_feedback.
    Empty when there is none or it rides on the next packet."""


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

    Raises :class:`~esp.errors.InvalidParameter` for SAs that are not in tunnel mode.
    """

    __slots__ = (
        "_inbound_icv",
        "_outbound_icv",
        "_piggyback",
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
        data = opened.payload
        icv = self._inbound_icv
        stated = b""
        if icv is not None and not _is_feedback_only(data):
            if len(data) <= icv.size:
                raise DecompressionFailed("the ROHC packet is shorter than its ICV")
            data, stated = data[: -icv.size], data[-icv.size :]
        try:
            result = self.decompressor.decompress(data, now, opened.late_by)
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
        return Decapsulated(packet=inner, esp=opened, rohc=result, feedback=feedback)

    def _exchange_feedback(self, source: DecompressedLike | RohcError) -> bytes:
        """Give the compressor what rode in; the feedback that the caller is to send back."""
        if source.feedback_received:
            self.compressor.deliver_feedback(source.feedback_received)
        if source.feedback and self._piggyback:
            self.compressor.queue_feedback(source.feedback)
            return b""
        return source.feedback


def _is_feedback_only(data: bytes) -> bool:
    """Whether a ROHC packet is feedback and nothing else (RFC 5795 section 5.2.4).

    Feedback elements begin 11110 with their size in three bits, or 11110000 and a size octet.
    """
    at = 0
    size = len(data)
    while at < size and data[at] == 0xE0:  # padding
        at += 1
    found = False
    while at < size and data[at] >> 3 == 0x1E:
        found = True
        length = data[at] & 7
        if not length:
            if at + 1 >= size:
                return False
            length = data[at + 1]
            at += 1
        at += 1 + length
    return found and at == size
