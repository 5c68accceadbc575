"""The hot path of the compressor: packet type 0 of a settled UDP flow.

Once the peer knows everything but the SN, most packets differ from the last one only in lengths,
checksums, IP-ID and payload. `Steady4` and `Steady6` hold what must be equal, the CRC state after
the CRC-STATIC octets, and the rest, so that such a packet is recognised, checked and sent as UO-0
with one look at each octet of its header. Whatever does not fit is left to the general path, which
gives the same octets for the packets that fit (a test compares them).
"""

from __future__ import annotations

from struct import Struct

from rohc.encoding.crc import CRC3
from rohc.encoding.ip_id import swapped
from rohc.formats import base
from rohc.headers.chain import IpHeader

__all__ = ["Steady", "Steady4", "Steady6"]

_IPV4_UDP = Struct("!HHHIHQIHH")
"""Version to TOS, Total Length, Identification, flags to Protocol, Header Checksum, both addresses,
both ports, UDP Length, UDP Checksum."""
_IPV6_UDP = Struct("!IHH32sIHH")
"""Version to Flow Label, Payload Length, Next Header and Hop Limit, both addresses, both ports, UDP
Length, UDP Checksum."""

_SN_SHIFT = base.UO_0.shift("SN")
_SN_MASK = (1 << base.UO_0.bits("SN")) - 1
_OCTETS = tuple(bytes((octet,)) for octet in range(256))


class Steady:
    """What the two IP versions have in common.

    Args:
        cid_octets: the CID's octets.
        large: whether the CID stands behind the first octet.
        checksum_present: UDP checksums are sent.

    Attributes:
        sn: the SN of the last packet.
        budget: how many packets may still go this way before a refresh is due.
        header_bytes: octets in front of the payload.
    """

    __slots__ = ("before", "behind", "budget", "checksum_present", "header_bytes", "sn")

    def __init__(self, cid_octets: bytes, large: bool, checksum_present: bool) -> None:
        self.before = b"" if large else cid_octets
        self.behind = cid_octets if large else b""
        self.checksum_present = checksum_present
        self.header_bytes = 1 + len(cid_octets) + (2 if checksum_present else 0)
        self.sn = 0
        self.budget = 0

    def compress(self, packet: bytes) -> bytes | None:
        """The packet as UO-0, or None when it is one for the general path."""
        raise NotImplementedError


class Steady4(Steady):
    """UDP behind one IPv4 header."""

    __slots__ = (
        "addresses",
        "crc_state",
        "first",
        "flags_to_protocol",
        "offset",
        "pairs",
        "ports",
        "rnd",
        "static_sum",
        "swap",
    )

    def __init__(
        self,
        cid_octets: bytes,
        large: bool,
        checksum_present: bool,
        level: IpHeader,
        packet: bytes,
        offset: int,
    ) -> None:
        super().__init__(cid_octets, large, checksum_present)
        self.rnd = bool(level.rnd)
        self.header_bytes += 2 if self.rnd else 0
        self.swap = not level.nbo
        self.offset = offset
        fields = _IPV4_UDP.unpack_from(packet)
        self.first: int = fields[0]
        self.flags_to_protocol: int = fields[3]
        self.addresses: int = fields[5]
        self.ports: int = fields[6]
        self.static_sum = (self.first + self.flags_to_protocol + self.addresses) % 0xFFFF
        static = packet[0:2] + packet[6:10] + packet[12:20] + packet[20:24]
        self.crc_state = CRC3.of(static)
        self.pairs = CRC3.pairs()

    def compress(self, packet: bytes) -> bytes | None:
        """The packet as UO-0, or None when it is one for the general path."""
        size = len(packet)
        if size < 28 or self.budget <= 0:
            return None
        (
            first,
            total,
            identification,
            flags_to_protocol,
            header_checksum,
            addresses,
            ports,
            length,
            checksum,
        ) = _IPV4_UDP.unpack_from(packet)
        if (
            first != self.first
            or flags_to_protocol != self.flags_to_protocol
            or addresses != self.addresses
            or ports != self.ports
            or total != size
            or length != size - 20
            or header_checksum == 0xFFFF
            or (self.static_sum + total + identification + header_checksum) % 0xFFFF
        ):
            return None
        sn = (self.sn + 1) & 0xFFFF
        if not self.rnd:
            counter = swapped(identification) if self.swap else identification
            if (counter - sn) & 0xFFFF != self.offset:
                return None
        if self.checksum_present:
            if not checksum:
                return None
            rest = packet[26:]
        elif checksum:
            return None
        else:
            rest = packet[28:]
        pairs = self.pairs
        crc = pairs[total ^ self.crc_state << 8]
        crc = pairs[identification ^ crc << 8]
        crc = pairs[header_checksum ^ crc << 8]
        crc = pairs[length ^ crc << 8]
        crc = pairs[checksum ^ crc << 8]
        self.sn = sn
        self.budget -= 1
        octet: bytes = _OCTETS[(sn & _SN_MASK) << _SN_SHIFT | crc]
        if self.rnd:
            return self.before + octet + self.behind + packet[4:6] + rest
        return self.before + octet + self.behind + rest


class Steady6(Steady):
    """UDP behind one IPv6 header without extension headers."""

    __slots__ = ("addresses", "crc_state", "first", "next_header_hop_limit", "pairs", "ports")

    def __init__(
        self, cid_octets: bytes, large: bool, checksum_present: bool, packet: bytes
    ) -> None:
        super().__init__(cid_octets, large, checksum_present)
        fields = _IPV6_UDP.unpack_from(packet)
        self.first: int = fields[0]
        self.next_header_hop_limit: int = fields[2]
        self.addresses: bytes = fields[3]
        self.ports: int = fields[4]
        self.crc_state = CRC3.of(packet[0:4] + packet[6:40] + packet[40:44])
        self.pairs = CRC3.pairs()

    def compress(self, packet: bytes) -> bytes | None:
        """The packet as UO-0, or None when it is one for the general path."""
        size = len(packet)
        if size < 48 or self.budget <= 0:
            return None
        (
            first,
            payload_length,
            next_header_hop_limit,
            addresses,
            ports,
            length,
            checksum,
        ) = _IPV6_UDP.unpack_from(packet)
        if (
            first != self.first
            or next_header_hop_limit != self.next_header_hop_limit
            or addresses != self.addresses
            or ports != self.ports
            or payload_length != size - 40
            or length != size - 40
        ):
            return None
        if self.checksum_present:
            if not checksum:
                return None
            rest = packet[46:]
        elif checksum:
            return None
        else:
            rest = packet[48:]
        sn = (self.sn + 1) & 0xFFFF
        pairs = self.pairs
        crc = pairs[payload_length ^ self.crc_state << 8]
        crc = pairs[length ^ crc << 8]
        crc = pairs[checksum ^ crc << 8]
        self.sn = sn
        self.budget -= 1
        octet: bytes = _OCTETS[(sn & _SN_MASK) << _SN_SHIFT | crc]
        return self.before + octet + self.behind + rest
