"""Segments to reconstructed units (RFC 5795 section 5.2.5)."""

from __future__ import annotations

from rohc import framing
from rohc.encoding.crc import fcs32
from rohc.errors import CrcFailure, MalformedPacket

__all__ = ["Reassembly"]

_CRC_OCTETS = 4


class Reassembly:
    """The segments received so far of one unit.

    Args:
        mrru: the largest reconstructed unit in octets; 0 forbids segments.
    """

    __slots__ = ("mrru", "octets", "segments")

    def __init__(self, mrru: int) -> None:
        self.mrru = mrru
        self.segments: list[bytes] = []
        self.octets = 0

    @property
    def under_way(self) -> bool:
        """Whether segments wait for their last one."""
        return bool(self.segments)

    def abort(self) -> None:
        """Another packet came between; the segments are of no use."""
        self.segments.clear()
        self.octets = 0

    def take(self, framed: bytes) -> bytes | None:
        """Take a segment with its type octet; the reconstructed packet behind the last one.

        Raises:
            MalformedPacket: segments are not allowed, the unit is larger than MRRU or smaller than
                its CRC, or it holds what may not be in one.
            CrcFailure: the unit's CRC does not match.
        """
        if not self.mrru:
            raise MalformedPacket(
                "a segment on a channel without segmentation", hint="set the channel's mrru"
            )
        self.segments.append(framed[1:])
        self.octets += len(framed) - 1
        if self.octets > self.mrru:
            self.abort()
            raise MalformedPacket(f"segments of more than the channel's mrru of {self.mrru} octets")
        if not framed[0] & 1:
            return None
        unit = b"".join(self.segments)
        self.abort()
        if len(unit) <= _CRC_OCTETS:
            raise MalformedPacket("a reconstructed unit of 4 octets or less")
        packet = unit[:-_CRC_OCTETS]
        if fcs32(packet) != unit[-_CRC_OCTETS:]:
            raise CrcFailure("the CRC of a reconstructed unit does not match")
        first = packet[0]
        if first == framing.PADDING or first & 0xF8 == framing.FEEDBACK:
            raise MalformedPacket("padding or feedback in a reconstructed unit")
        if first & 0xFE == framing.SEGMENT:
            raise MalformedPacket("a segment in a reconstructed unit")
        return packet
