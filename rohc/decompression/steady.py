"""The hot path of the decompressor: UO-0 of a settled UDP flow.

`Steady4` and `Steady6` hold the header of the last packet as ready-made fields and the CRC state
after the CRC-STATIC octets. A UO-0 whose CRC matches is restored with one look at each octet. One
that does not match is left to the general path, which decides what to do, and so
is one that is not the successor of the last; a test compares the two paths.
"""

from __future__ import annotations

from struct import Struct

from rohc.encoding.crc import CRC3
from rohc.encoding.ip_id import offset_of, swapped
from rohc.formats import base
from rohc.headers.chain import Headers

__all__ = ["CHECK_INTERVAL", "Steady", "Steady4", "Steady6"]

_IPV4_UDP = Struct("!HHHIHQIHH")
"""Version to TOS, Total Length, Identification, flags to Protocol, Header Checksum, both addresses,
both ports, UDP Length, UDP Checksum."""
_LENGTHS_MAX = 0xFFFF
NO_CHECK = 1 << 60
CHECK_INTERVAL = 16
"""How many packets share one look at the UDP checksum once the flow's record of them stands."""

_SN_SHIFT = base.UO_0.shift("SN")
_SN_MASK = (1 << base.UO_0.bits("SN")) - 1
_CRC_MASK = (1 << base.UO_0.bits("CRC")) - 1


class Steady:
    """What the two IP versions have in common.

    Args:
        headers: the context's headers.

    Attributes:
        sn, sn_before: the last verified SN and the one before.
        last: the SN of `headers`, which the hot path leaves behind.
        tail_octets: octets between the type octet (and CID) and the payload.
        packets: how many packets went this way.
        arrived_at: when the last of them did, where a clock runs.
        check_at: at which of them the UDP checksum is looked at next.
    """

    __slots__ = (
        "arrived_at",
        "check_at",
        "checksum_present",
        "last",
        "packets",
        "sn",
        "sn_before",
        "tail_octets",
    )

    def __init__(self, headers: Headers, sn_before: int) -> None:
        self.sn = headers.sn
        self.sn_before = sn_before
        self.last = headers.sn
        self.checksum_present = headers.checksum_present
        self.tail_octets = 2 if self.checksum_present else 0
        self.packets = 0
        self.arrived_at: float | None = None
        self.check_at = 1 if self.checksum_present else NO_CHECK

    def decompress(self, octet: int, data: bytes, at: int) -> bytes | None:
        """The original packet, or None when this is one for the general path.

        Args:
            octet: the UO-0's first octet.
            data: the ROHC packet.
            at: the offset behind that octet and the CID.
        """
        raise NotImplementedError


class Steady4(Steady):
    """UDP behind one IPv4 header.

    Args:
        headers: the context's headers.
        raw: 28 octets of a header with the same static fields.
        sn_before: the reference SN before the last.
    """

    __slots__ = (
        "addresses",
        "crc_state",
        "first",
        "flags_to_protocol",
        "offset",
        "pairs",
        "ports",
        "rnd",
        "sid",
        "static_sum",
        "swap",
    )

    def __init__(self, headers: Headers, raw: bytes, sn_before: int) -> None:
        super().__init__(headers, sn_before)
        level = headers.levels[0]
        fields = _IPV4_UDP.unpack_from(raw)
        self.first: int = fields[0]
        self.flags_to_protocol: int = fields[3]
        self.addresses: int = fields[5]
        self.ports: int = fields[6]
        self.static_sum = (self.first + self.flags_to_protocol + self.addresses) % 0xFFFF
        self.rnd = bool(level.rnd)
        self.sid = bool(level.sid) and not self.rnd
        self.swap = not level.nbo
        self.offset = offset_of(level.identification, headers.sn, bool(level.nbo))
        if self.sid:
            self.offset = level.identification
        self.tail_octets += 2 if self.rnd else 0
        self.crc_state = CRC3.of(raw[0:2] + raw[6:10] + raw[12:24])
        self.pairs = CRC3.pairs()

    def decompress(self, octet: int, data: bytes, at: int) -> bytes | None:
        """The original packet, or None when this is one for the general path."""
        size = len(data) - at - self.tail_octets
        if size < 0:
            return None
        sn = (self.sn + 1) & 0xFFFF
        if (octet >> _SN_SHIFT) & _SN_MASK != sn & _SN_MASK:
            return None
        if self.rnd:
            identification = data[at] << 8 | data[at + 1]
            at += 2
        elif self.sid:
            identification = self.offset
        else:
            identification = (sn + self.offset) & 0xFFFF
            if self.swap:
                identification = swapped(identification)
        checksum = 0
        if self.checksum_present:
            checksum = data[at] << 8 | data[at + 1]
            at += 2
        total = size + 28
        if total > _LENGTHS_MAX:
            return None
        header_checksum = (0xFFFF - (self.static_sum + total + identification) % 0xFFFF) % 0xFFFF
        length = size + 8
        pairs = self.pairs
        crc = pairs[total ^ self.crc_state << 8]
        crc = pairs[identification ^ crc << 8]
        crc = pairs[header_checksum ^ crc << 8]
        crc = pairs[length ^ crc << 8]
        crc = pairs[checksum ^ crc << 8]
        if crc != octet & _CRC_MASK:
            return None
        self.sn_before = self.sn
        self.sn = sn
        self.packets += 1
        header = _IPV4_UDP.pack(
            self.first,
            total,
            identification,
            self.flags_to_protocol,
            header_checksum,
            self.addresses,
            self.ports,
            length,
            checksum,
        )
        return header + data[at:]


class Steady6(Steady):
    """UDP behind one IPv6 header without extension headers.

    Args:
        headers: the context's headers.
        raw: 48 octets of a header with the same static fields.
        sn_before: the reference SN before the last.
    """

    __slots__ = ("before_length", "crc_state", "middle", "pairs")

    def __init__(self, headers: Headers, raw: bytes, sn_before: int) -> None:
        super().__init__(headers, sn_before)
        self.before_length = raw[0:4]
        self.middle = raw[6:44]
        self.crc_state = CRC3.of(raw[0:4] + raw[6:44])
        self.pairs = CRC3.pairs()

    def decompress(self, octet: int, data: bytes, at: int) -> bytes | None:
        """The original packet, or None when this is one for the general path."""
        size = len(data) - at - self.tail_octets
        if size < 0:
            return None
        sn = (self.sn + 1) & 0xFFFF
        if (octet >> _SN_SHIFT) & _SN_MASK != sn & _SN_MASK:
            return None
        checksum = 0
        if self.checksum_present:
            checksum = data[at] << 8 | data[at + 1]
        length = size + 8
        if length > _LENGTHS_MAX:
            return None
        pairs = self.pairs
        crc = pairs[length ^ self.crc_state << 8]
        crc = pairs[length ^ crc << 8]
        crc = pairs[checksum ^ crc << 8]
        if crc != octet & _CRC_MASK:
            return None
        self.sn_before = self.sn
        self.sn = sn
        self.packets += 1
        octets = length.to_bytes(2, "big")
        if self.checksum_present:
            return self.before_length + octets + self.middle + octets + data[at:]
        return self.before_length + octets + self.middle + octets + b"\x00\x00" + data[at:]
