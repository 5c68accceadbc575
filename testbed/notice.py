"""The HSE's word that it knows no such security association, as octets.

::

    notice     0x1e | SPI 4 | sequence number 4

It follows the non-ESP marker (RFC 3948 section 2.2), like the messages of the key exchange, whose
version and type its first octet continues. SPI and number are those of the packet that found
nothing. It is what INVALID_SPI is in IKEv2 (RFC 7296 section 1.5), and like that it is not
authenticated, since there are no keys left to do so: a hint for the UE, on which alone nothing is
given up. It has 13 octets with the marker, fewer than any ESP packet, so nothing is amplified.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

import esp

__all__ = ["SMALLEST_CAUSE_BYTES", "Notices", "UnknownAssociation"]

_NOTICE = Struct("!BII")
_TYPE = 0x1E

SMALLEST_CAUSE_BYTES = 20
"""A datagram with fewer octets is no ESP packet of any suite with an ICV, and is not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownAssociation:
    """The HSE received a packet for a security association that it does not know."""

    spi: int
    """SPI of that packet."""
    sequence: int
    """The low 32 bits of its sequence number."""

    @classmethod
    def about(cls, packet: bytes) -> UnknownAssociation | None:
        """What to say about a packet; none when it is too short to be one."""
        if len(packet) < SMALLEST_CAUSE_BYTES:
            return None
        return cls(
            spi=int.from_bytes(packet[:4], "big"), sequence=int.from_bytes(packet[4:8], "big")
        )

    def encode(self) -> bytes:
        """The datagram, marker included."""
        return esp.add_marker(_NOTICE.pack(_TYPE, self.spi, self.sequence))

    @classmethod
    def decode(cls, datagram: bytes) -> UnknownAssociation | None:
        """The notice in a datagram; none when it is anything else."""
        if esp.classify(datagram) is not esp.DatagramKind.MESSAGE:
            return None
        message = esp.remove_marker(datagram)
        if len(message) != _NOTICE.size or message[0] != _TYPE:
            return None
        _, spi, sequence = _NOTICE.unpack(message)
        return cls(spi=spi, sequence=sequence)


class Notices:
    """Notices at a bounded rate.

    Args:
        per_s: so many per second, and as many at once at most; 0 gives none.
    """

    __slots__ = ("_at", "_credit", "_rate")

    def __init__(self, per_s: float) -> None:
        self._rate = per_s
        self._credit = per_s
        self._at = 0.0

    def about(self, packet: bytes, now: float) -> UnknownAssociation | None:
        """What to say about a packet at this time, in seconds, if anything."""
        self._credit = min(self._rate, self._credit + max(0.0, now - self._at) * self._rate)
        self._at = now
        notice = UnknownAssociation.about(packet)
        if notice is None or self._credit < 1.0:
            return None
        self._credit -= 1.0
        return notice
