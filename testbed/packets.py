"""IPv4, IPv6 and UDP headers: parsed, built and turned round.

The UE's stack, the HSE and the captures all handle whole IP packets that hold one UDP datagram.
This is the one place that knows their headers:

====================  =======================================================================
RFC 791, section 3.1  IPv4 header (options are skipped when read, never written)
RFC 8200, section 3   IPv6 header; extension headers (section 4) are skipped when read
RFC 768               UDP header, and the pseudo header of its checksum
RFC 8200, section 8.1 the pseudo header over IPv6, where a zero checksum is not allowed
====================  =======================================================================

Nothing here checks whether a checksum is right unless it is asked to: captures are full of packets
whose checksum a network card was to fill in later.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from esp.checksum import internet_checksum, transport_checksum
from testbed.errors import TestbedError

__all__ = [
    "IPV4_HEADER_BYTES",
    "IPV6_HEADER_BYTES",
    "PROTOCOL_ESP",
    "PROTOCOL_UDP",
    "UDP_HEADER_BYTES",
    "Address",
    "InnerPacket",
    "PacketError",
    "build_udp_datagram",
    "build_udp_packet",
    "packed_address",
    "parse_udp_datagram",
    "parse_udp_packet",
    "swap_endpoints",
    "udp_checksum_valid",
]

IPV4_HEADER_BYTES = 20
IPV6_HEADER_BYTES = 40
UDP_HEADER_BYTES = 8
PROTOCOL_UDP = 17
PROTOCOL_ESP = 50

Address = str | bytes | IPv4Address | IPv6Address
"""An IP address as text, as its 4 or 16 octets, or as an object of :mod:`ipaddress`."""

_MAX_IPV4_BYTES = 0xFFFF
_MAX_UDP_BYTES = 0xFFFF

# RFC 791 section 3.1: version and IHL, type of service, total length, identification,
# flags and fragment offset, time to live, protocol, header checksum, source, destination.
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
# RFC 8200 section 3: version, traffic class and flow label, payload length, next header,
# hop limit, source, destination.
_IPV6 = struct.Struct("!IHBB16s16s")
# RFC 768: source port, destination port, length, checksum.
_UDP = struct.Struct("!HHHH")
_WORD = struct.Struct("!H")

_DONT_FRAGMENT = 0x4000
_MORE_FRAGMENTS_OR_OFFSET = 0x3FFF

# RFC 8200 section 4: extension headers that may stand before UDP and give their own length in
# units of 8 octets, not counting the first. The fragment header (44) has a fixed length of 8.
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION_OPTIONS, _MOBILITY = 0, 43, 44, 60, 135
_SIZED_EXTENSIONS = frozenset({_HOP_BY_HOP, _ROUTING, _DESTINATION_OPTIONS, _MOBILITY})


class PacketError(TestbedError):
    """A packet is not one whole UDP datagram over IP.

    Attributes:
        reason: a short stable word, fit for a counter's label: ``truncated``, ``not-ip``,
            ``bad-header``, ``fragment``, ``not-udp`` or ``bad-length``.

    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InnerPacket(NamedTuple):
    """One UDP datagram in one IP packet, as read by :func:`parse_udp_packet`.

    A tuple, because one is made per packet: a frozen dataclass takes four times as long to make.
    """

    version: int
    """4 or 6."""
    source: bytes
    """The source address, 4 or 16 octets."""
    destination: bytes
    """The destination address, 4 or 16 octets."""
    source_port: int
    destination_port: int
    payload: bytes
    """What UDP carries."""
    ip_header_bytes: int
    """Octets before the UDP header: IP header with its options or extension headers."""
    traffic_class: int
    """Type of service (IPv4) or traffic class (IPv6): DSCP and ECN."""
    hop_limit: int
    """Time to live (IPv4) or hop limit (IPv6)."""
    identification: int
    """Identification of an IPv4 packet; 0 for IPv6."""
    flow_label: int
    """Flow label of an IPv6 packet; 0 for IPv4."""
    checksum: int
    """The UDP checksum as it stood in the packet; 0 means that there was none (IPv4 only)."""
    raw: bytes
    """The packet itself, without anything that followed its IP length."""

    def __repr__(self) -> str:
        """The two ends and sizes; octets are not shown."""
        return (
            f"InnerPacket({self.source_text} port {self.source_port} to {self.destination_text}"
            f" port {self.destination_port}, {len(self.payload)} of {len(self.raw)} octets)"
        )

    @property
    def source_text(self) -> str:
        """The source address in text form."""
        return str(ip_address(self.source))

    @property
    def destination_text(self) -> str:
        """The destination address in text form."""
        return str(ip_address(self.destination))

    @property
    def datagram(self) -> bytes:
        """The UDP datagram: its header and payload (what ESP's transport mode protects)."""
        end = self.ip_header_bytes + UDP_HEADER_BYTES + len(self.payload)
        return self.raw[self.ip_header_bytes : end]


@lru_cache(maxsize=1024)
def _packed_text(address: str) -> bytes:
    return ip_address(address.split("%", 1)[0]).packed


def packed_address(address: Address) -> bytes:
    """The 4 or 16 octets of an address.

    Raises:
        ValueError: the text is no IP address, or the octets are not 4 or 16.

    """
    if isinstance(address, bytes):
        if len(address) not in (4, 16):
            raise ValueError(f"an IP address has 4 or 16 octets, not {len(address)}")
        return address
    if isinstance(address, str):
        return _packed_text(address)
    return address.packed


def udp_checksum_valid(packet: InnerPacket) -> bool:
    """Whether the UDP checksum of a parsed packet is right; absent over IPv4 counts as right."""
    if packet.checksum == 0:
        return packet.version == 4
    found = transport_checksum(packet.source, packet.destination, PROTOCOL_UDP, packet.datagram)
    return found == 0xFFFF  # zero, which UDP writes so: the sum with a right checksum in it


def parse_udp_packet(packet: bytes) -> InnerPacket:
    """Read an IP packet that holds one whole UDP datagram.

    Octets after the packet's own IP length (the padding of a short Ethernet frame) are left out.
    Checksums are not checked; see :func:`udp_checksum_valid`.

    Args:
        packet: the IP packet, from the version on.

    Raises:
        PacketError: with ``reason`` ``truncated``, ``not-ip``, ``bad-header``, ``fragment``,
            ``not-udp`` or ``bad-length``.

    """
    if not packet:
        raise PacketError("truncated", "an empty packet holds no IP header")
    version = packet[0] >> 4
    if version == 6:
        return _parse_ipv6(packet)
    if version == 4:
        return _parse_ipv4(packet)
    raise PacketError("not-ip", f"IP version {version} is neither 4 nor 6")


def _parse_ipv4(packet: bytes) -> InnerPacket:
    if len(packet) < IPV4_HEADER_BYTES:
        raise PacketError("truncated", f"{len(packet)} octets are less than an IPv4 header")
    first, tos, total, identification, fragment, ttl, protocol, _, source, destination = (
        _IPV4.unpack_from(packet)
    )
    header = (first & 0x0F) * 4
    if header < IPV4_HEADER_BYTES:
        raise PacketError("bad-header", f"an IPv4 header of {header} octets is too short")
    if total == 0:  # a network card was to cut this packet up and to fill the length in
        total = len(packet)
    if total < header:
        raise PacketError("bad-length", f"total length {total} is less than its header's {header}")
    if total > len(packet):
        raise PacketError("truncated", f"{len(packet)} octets of a packet of {total}")
    if fragment & _MORE_FRAGMENTS_OR_OFFSET:
        raise PacketError("fragment", "the packet is a fragment of a larger one")
    if protocol != PROTOCOL_UDP:
        raise PacketError("not-udp", f"protocol {protocol} is not UDP")
    source_port, destination_port, payload, checksum = _parse_udp(packet, header, total)
    return InnerPacket(
        4,
        source,
        destination,
        source_port,
        destination_port,
        payload,
        header,
        tos,
        ttl,
        identification,
        0,
        checksum,
        packet if total == len(packet) else packet[:total],
    )


def _parse_ipv6(packet: bytes) -> InnerPacket:
    if len(packet) < IPV6_HEADER_BYTES:
        raise PacketError("truncated", f"{len(packet)} octets are less than an IPv6 header")
    first, length, protocol, hop_limit, source, destination = _IPV6.unpack_from(packet)
    # Length 0 is a jumbogram's, or one that a network card was to fill in (RFC 2675).
    total = IPV6_HEADER_BYTES + length if length else len(packet)
    if total > len(packet):
        raise PacketError("truncated", f"{len(packet)} octets of a packet of {total}")
    header = IPV6_HEADER_BYTES
    while protocol != PROTOCOL_UDP:
        if protocol not in _SIZED_EXTENSIONS and protocol != _FRAGMENT:
            raise PacketError("not-udp", f"next header {protocol} is not UDP")
        if header + 8 > total:
            raise PacketError("truncated", "the packet ends inside an extension header")
        if protocol == _FRAGMENT:
            # RFC 6946: a fragment header on a whole packet makes no fragment of it.
            if _WORD.unpack_from(packet, header + 2)[0] & 0xFFF9:
                raise PacketError("fragment", "the packet is a fragment of a larger one")
            size = 8
        else:
            size = 8 * (packet[header + 1] + 1)
        protocol = packet[header]
        header += size
    source_port, destination_port, payload, checksum = _parse_udp(packet, header, total)
    return InnerPacket(
        6,
        source,
        destination,
        source_port,
        destination_port,
        payload,
        header,
        (first >> 20) & 0xFF,
        hop_limit,
        0,
        first & 0xFFFFF,
        checksum,
        packet if total == len(packet) else packet[:total],
    )


def _parse_udp(packet: bytes, start: int, end: int) -> tuple[int, int, bytes, int]:
    """Source port, destination port, payload and checksum of the UDP datagram at ``start``."""
    body = start + UDP_HEADER_BYTES
    if body > end:
        raise PacketError("truncated", "the packet ends inside the UDP header")
    source_port, destination_port, length, checksum = _UDP.unpack_from(packet, start)
    if length == 0:  # as with the IP length: to be filled in by a network card
        length = end - start
    if length < UDP_HEADER_BYTES or start + length > end:
        raise PacketError("bad-length", f"UDP length {length} where {end - start} octets stand")
    return source_port, destination_port, packet[body : start + length], checksum


def build_udp_datagram(
    source: Address,
    destination: Address,
    source_port: int,
    destination_port: int,
    payload: bytes,
) -> bytes:
    """A UDP datagram with its checksum; the addresses go into the checksum only.

    Raises:
        ValueError: a port is out of range, the payload too long, or the addresses of two families.

    """
    source, destination = packed_address(source), packed_address(destination)
    if len(source) != len(destination):
        raise ValueError("source and destination are addresses of two families")
    length = UDP_HEADER_BYTES + len(payload)
    if length > _MAX_UDP_BYTES:
        raise ValueError(f"a UDP payload of {len(payload)} octets is too long")
    if not (0 <= source_port <= 0xFFFF and 0 <= destination_port <= 0xFFFF):
        raise ValueError(f"ports {source_port} and {destination_port} must be 0 to 65535")
    ports_and_length = _UDP.pack(source_port, destination_port, length, 0)[:6]
    zeroed = ports_and_length + b"\0\0" + payload
    checksum = transport_checksum(source, destination, PROTOCOL_UDP, zeroed)
    return ports_and_length + _WORD.pack(checksum) + payload


def parse_udp_datagram(datagram: bytes) -> tuple[int, int, bytes]:
    """Source port, destination port and payload of a UDP datagram, as transport mode carries it.

    Its checksum is not looked at: it covers addresses that a NAT has changed, and the ICV protects
    the datagram (RFC 3948 section 3.1.2).

    Raises:
        PacketError: with ``reason`` ``truncated`` or ``bad-length``.

    """
    if len(datagram) < UDP_HEADER_BYTES:
        raise PacketError("truncated", f"{len(datagram)} octets are less than a UDP header")
    source_port, destination_port, length, _ = _UDP.unpack_from(datagram)
    if not UDP_HEADER_BYTES <= length <= len(datagram):
        raise PacketError("bad-length", f"UDP length {length} in {len(datagram)} octets")
    return source_port, destination_port, datagram[UDP_HEADER_BYTES:length]


def build_udp_packet(
    source: Address,
    destination: Address,
    source_port: int,
    destination_port: int,
    payload: bytes,
    *,
    hop_limit: int = 64,
    traffic_class: int = 0,
    identification: int = 0,
    flow_label: int = 0,
    dont_fragment: bool = True,
) -> bytes:
    """An IP packet that holds one UDP datagram, every length and checksum right.

    Args:
        source: source address; its family decides between IPv4 and IPv6.
        destination: destination address, of the same family.
        source_port: 0 to 65535.
        destination_port: 0 to 65535.
        payload: what UDP carries.
        hop_limit: time to live (IPv4) or hop limit (IPv6), 0 to 255.
        traffic_class: type of service (IPv4) or traffic class (IPv6), 0 to 255.
        identification: identification of an IPv4 packet, 0 to 65535.
        flow_label: flow label of an IPv6 packet, 0 to 0xFFFFF.
        dont_fragment: the flag of an IPv4 packet.

    Raises:
        ValueError: a field is out of range, or the addresses are of two families.

    """
    source, destination = packed_address(source), packed_address(destination)
    datagram = build_udp_datagram(source, destination, source_port, destination_port, payload)
    if not (0 <= hop_limit <= 0xFF and 0 <= traffic_class <= 0xFF):
        raise ValueError(
            f"hop limit {hop_limit} and traffic class {traffic_class} must be 0 to 255"
        )
    if len(source) == 16:
        if not 0 <= flow_label <= 0xFFFFF:
            raise ValueError(f"flow label {flow_label} must be 0 to 0xFFFFF")
        first = 0x6000_0000 | traffic_class << 20 | flow_label
        return (
            _IPV6.pack(first, len(datagram), PROTOCOL_UDP, hop_limit, source, destination)
            + datagram
        )
    total = IPV4_HEADER_BYTES + len(datagram)
    if total > _MAX_IPV4_BYTES:
        raise ValueError(f"an IPv4 packet of {total} octets is too long")
    if not 0 <= identification <= 0xFFFF:
        raise ValueError(f"identification {identification} must be 0 to 65535")
    header = _IPV4.pack(
        0x45,
        traffic_class,
        total,
        identification,
        _DONT_FRAGMENT if dont_fragment else 0,
        hop_limit,
        PROTOCOL_UDP,
        0,
        source,
        destination,
    )
    return header[:10] + _WORD.pack(internet_checksum(header)) + header[12:] + datagram


def swap_endpoints(
    packet: bytes | InnerPacket,
    payload: bytes | None = None,
    *,
    hop_limit: int = 64,
    identification: int | None = None,
    flow_label: int | None = None,
) -> bytes:
    """The answer to a packet: addresses and ports swapped, every length and checksum right.

    IP options and extension headers of the packet are not carried over; its traffic class is.

    Args:
        packet: the packet to answer, parsed or not.
        payload: what the answer carries; ``None`` sends the packet's own payload back.
        hop_limit: time to live or hop limit of the answer.
        identification: of an IPv4 answer; ``None`` takes the packet's own.
        flow_label: of an IPv6 answer; ``None`` takes the packet's own.

    Raises:
        PacketError: ``packet`` is not one whole UDP datagram over IP.
        ValueError: a field is out of range.

    """
    if not isinstance(packet, InnerPacket):
        packet = parse_udp_packet(packet)
    return build_udp_packet(
        packet.destination,
        packet.source,
        packet.destination_port,
        packet.source_port,
        packet.payload if payload is None else payload,
        hop_limit=hop_limit,
        traffic_class=packet.traffic_class,
        identification=packet.identification if identification is None else identification,
        flow_label=packet.flow_label if flow_label is None else flow_label,
    )
