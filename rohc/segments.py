"""Segments of one ROHC packet, and the packet from its segments (RFC 5795 section 5.2.5).

A segment has a type octet and a piece of the reconstructed unit: the packet and a CRC of 4 octets.
It has no number of its own, so that the channel must keep the order; `Reassembly` relies on it. A
layer below with sequence numbers, as ESP's, stands in for it: `NumberedReassembly` puts segments
into their order, and knows by the CRC where a unit begins.
"""

from __future__ import annotations

from rohc import framing
from rohc.encoding.crc import fcs32
from rohc.errors import CrcFailure, MalformedPacket, RohcUsageError

__all__ = [
    "NumberedReassembly",
    "Reassembly",
    "check_segment_octets",
    "is_segment",
    "segments_of",
]

_CRC_OCTETS = 4


def is_segment(data: bytes, at: int = 0) -> bool:
    """Whether a segment begins at this offset."""
    return at < len(data) and data[at] & 0xFE == framing.SEGMENT


def check_segment_octets(octets: int) -> None:
    """See that a segment of so many octets can hold anything; 0 stands for any.

    Raises:
        RohcUsageError: it cannot.
    """
    if octets == 1 or octets < 0:
        raise RohcUsageError(f"segment_octets is 0 or at least 2, not {octets}")


def segments_of(data: bytes, *, segment_octets: int, mrru: int) -> list[bytes]:
    """One ROHC packet as packets of at most `segment_octets`.

    Feedback in front, which no unit may hold, stays in front of the first segment where there is
    room for it, and goes ahead alone where there is not.

    Args:
        data: what a compressor made, and what else the unit is to carry behind it.
        segment_octets: the largest packet that the link takes, at least 2; 0 for any.
        mrru: the largest reconstructed unit that the peer takes, CRC included; 0 for no segments.

    Raises:
        RohcUsageError: `segment_octets` is 1, or the packet with its CRC is larger than `mrru`.
    """
    check_segment_octets(segment_octets)
    if not segment_octets or not mrru or len(data) <= segment_octets:
        return [data]
    at = framing.behind_feedback(data)
    feedback = data[:at]
    unit = data[at:] + fcs32(data[at:])
    if len(unit) > mrru:
        raise RohcUsageError(f"{len(unit)} octets are more than the channel's mrru of {mrru}")
    if at + 2 > segment_octets:
        made, first = [feedback], b""
    else:
        made, first = [], feedback
    start, size = 0, len(unit)
    while start < size:
        end = start + segment_octets - 1 - len(first)
        made.append(first + bytes((framing.SEGMENT | (end >= size),)) + unit[start:end])
        start, first = end, b""
    return made


class Reassembly:
    """The segments received so far of one unit, on a channel that keeps the order.

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
        packet = _packet_in(unit)
        if packet is None:
            raise CrcFailure("the CRC of a reconstructed unit does not match")
        return _checked(packet)


class NumberedReassembly:
    """Segments on a channel whose lower layer numbers them: one number each, without gaps.

    A unit is a row of numbers that ends with a final segment and whose CRC is right. Where a row
    begins is not marked, so that a segment that came late may complete it at any place. What waits
    is bounded: the segments with the lowest numbers are given up.

    Args:
        mrru: the largest reconstructed unit in octets; 0 forbids segments.
    """

    __slots__ = ("_octets", "_waiting", "mrru")

    def __init__(self, mrru: int) -> None:
        self.mrru = mrru
        self._waiting: dict[int, bytes] = {}
        self._octets = 0

    @property
    def waiting(self) -> int:
        """How many segments wait for others."""
        return len(self._waiting)

    def take(self, number: int, framed: bytes) -> tuple[bytes, range] | None:
        """Take a segment with its type octet; the packet and its numbers if that completes it.

        Args:
            number: what the lower layer numbers it; no number comes twice.
            framed: the segment.

        Raises:
            MalformedPacket: segments are not allowed, a unit is larger than MRRU, or holds what may
                not be in one.
        """
        if not self.mrru:
            raise MalformedPacket(
                "a segment on a channel without segmentation", hint="set the channel's mrru"
            )
        if len(framed) - 1 > self.mrru:
            raise MalformedPacket(f"a segment of more than the channel's mrru of {self.mrru}")
        self._waiting[number] = framed
        self._octets += len(framed)
        found = self._complete(number)
        if found is None:
            self._bound()
            return None
        for one in found[1]:
            self._octets -= len(self._waiting.pop(one))
        return _checked(found[0]), found[1]

    def _complete(self, number: int) -> tuple[bytes, range] | None:
        """The packet that the segment with this number is of, if it is whole."""
        waiting = self._waiting
        last = number
        while not waiting[last][0] & 1:
            last += 1
            if last not in waiting:
                return None
        pieces = [waiting[last][1:]]
        octets, first = len(pieces[0]), last
        while first - 1 in waiting and not waiting[first - 1][0] & 1:
            first -= 1
            pieces.append(waiting[first][1:])
            octets += len(pieces[-1])
            if octets > self.mrru:
                return None
        packet = _packet_in(b"".join(reversed(pieces)))
        return None if packet is None else (packet, range(first, last + 1))

    def _bound(self) -> None:
        """Give up the oldest beyond what two units and their type octets take."""
        while self._octets > 2 * self.mrru + len(self._waiting):
            self._octets -= len(self._waiting.pop(min(self._waiting)))


def _packet_in(unit: bytes) -> bytes | None:
    """The packet in a reconstructed unit, or None when its CRC does not match."""
    packet = unit[:-_CRC_OCTETS]
    return packet if packet and fcs32(packet) == unit[-_CRC_OCTETS:] else None


def _checked(packet: bytes) -> bytes:
    first = packet[0]
    if first == framing.PADDING or first & 0xF8 == framing.FEEDBACK:
        raise MalformedPacket("padding or feedback in a reconstructed unit")
    if is_segment(packet):
        raise MalformedPacket("a segment in a reconstructed unit")
    return packet
