"""From the octets of an IP packet to a header chain.

A packet can be compressed only if the decompressor can restore each octet of its headers: lengths
and IPv4 header checksums must be what they are inferred to be, IPv4 options and fragments are out
(RFC 3095 sections 5.7.7.3 to 5.7.7.7). What fails this is left to a profile that treats less as
header, in the end to profile 0x0000.
"""

from __future__ import annotations

from rohc.headers.chain import Headers, IpHeader, Transport
from rohc.headers.extension import ETHER_TYPES, GRE, item_octets

__all__ = ["internet_sum", "parse_ip_chain", "parse_rtp", "parse_transport"]

LEVELS_MAX = 32
"""How many IP headers in a row are taken for headers; the rest is payload."""

_BY_VERSION = {4: frozenset((51, 55)), 6: frozenset((0, 43, 51, 60, 135))}
"""Extension headers behind IPv4 (AH, minimal encapsulation) and IPv6; GRE comes to both."""
_FOLLOWING = {ether_type: protocol for protocol, ether_type in ETHER_TYPES.items()}
_IP_IN_IP = 4
_IPV6 = 41


def internet_sum(data: bytes) -> int:
    """The one's complement sum of RFC 1071 over an even number of octets, not complemented."""
    total = int.from_bytes(data, "big") % 0xFFFF
    return total


def parse_ip_chain(packet: bytes) -> Headers | None:
    """The IP headers of a packet, or None when the outermost cannot be compressed.

    The chain ends where the next header is not IP, or is an IP header that cannot be compressed.
    """
    headers = Headers()
    at = 0
    expected = -1
    while True:
        level = _parse_ip_header(packet, at, expected)
        if level is None:
            break
        headers.levels.append(level)
        at += level.octets
        if level.protocol == _IP_IN_IP:
            expected = 4
        elif level.protocol == _IPV6:
            expected = 6
        else:
            break
        if len(headers.levels) == LEVELS_MAX:
            break
    if not headers.levels:
        return None
    headers.size = at
    return headers


def _parse_ip_header(packet: bytes, at: int, expected: int) -> IpHeader | None:
    if at >= len(packet):
        return None
    version = packet[at] >> 4
    if expected not in (-1, version):
        return None
    if version == 4:
        return _parse_ipv4(packet, at)
    if version == 6:
        return _parse_ipv6(packet, at)
    return None


def _parse_ipv4(packet: bytes, at: int) -> IpHeader | None:
    header = packet[at : at + 20]
    if len(header) < 20 or header[0] != 0x45:
        return None
    if int.from_bytes(header[2:4], "big") != len(packet) - at:
        return None
    flags_and_offset = header[6] << 8 | header[7]
    if flags_and_offset & 0xBFFF:
        return None
    # A header that sums to zero would be all zeros; a right one sums to 0xFFFF, which is 0 here.
    if internet_sum(header) != 0 or header[10:12] == b"\xff\xff":
        return None
    level = IpHeader(4)
    level.tos = header[1]
    level.identification = header[4] << 8 | header[5]
    level.df = flags_and_offset >> 14
    level.ttl = header[8]
    level.protocol = header[9]
    level.source = int.from_bytes(header[12:16], "big")
    level.destination = int.from_bytes(header[16:20], "big")
    return _parse_extensions(packet, at + 20, level)


def _parse_ipv6(packet: bytes, at: int) -> IpHeader | None:
    header = packet[at : at + 40]
    if len(header) < 40:
        return None
    if int.from_bytes(header[4:6], "big") != len(packet) - at - 40:
        return None
    first = int.from_bytes(header[:4], "big")
    level = IpHeader(6)
    level.tos = (first >> 20) & 0xFF
    level.flow_label = first & 0xFFFFF
    level.protocol = header[6]
    level.ttl = header[7]
    level.source = int.from_bytes(header[8:24], "big")
    level.destination = int.from_bytes(header[24:40], "big")
    return _parse_extensions(packet, at + 40, level)


def _parse_extensions(packet: bytes, at: int, level: IpHeader) -> IpHeader | None:
    extensions: list[bytes] = []
    kind = level.protocol
    while True:
        if kind == GRE:
            item, following, octets = _parse_gre(packet, at)
            if not octets:
                break
        elif kind in _BY_VERSION[level.version] and at + 2 <= len(packet):
            octets = item_octets(bytes((kind,)) + packet[at + 1 : at + 2], 0)
            item = bytes((kind,)) + packet[at + 1 : at + octets]
            following = packet[at]
        elif kind in _BY_VERSION[level.version]:
            return None
        else:
            break
        if at + octets > len(packet) or len(extensions) >= 15:
            return None
        extensions.append(item)
        kind = following
        at += octets
    level.protocol = kind
    level.extensions = tuple(extensions)
    return level


def _parse_gre(packet: bytes, at: int) -> tuple[bytes, int, int]:
    """A GRE header as an item, what follows it, and its size; size 0 when it is payload.

    RFC 3095 section 5.8.4.4: only Protocol Types with an IP protocol number, reserved bits zero.
    """
    nothing = b"", 0, 0
    if at + 4 > len(packet):
        return nothing
    flags, version = packet[at], packet[at + 1]
    following = _FOLLOWING.get(packet[at + 2] << 8 | packet[at + 3])
    if flags & 0x4F or version or following is None:
        return nothing
    item = bytes((GRE, flags))
    rest = at + 4
    if flags & 0x80:
        if packet[rest + 2 : rest + 4] != b"\x00\x00":
            return nothing
        item += packet[rest : rest + 2]
        rest += 4
    end = rest + 4 * bool(flags & 0x20) + 4 * bool(flags & 0x10)
    if end > len(packet):
        return nothing
    return item + packet[rest:end], following, end - at


def parse_transport(packet: bytes, headers: Headers) -> bool:
    """Add the transport header behind the IP headers, when there is one that can be compressed.

    Returns:
        True when `headers` was completed with UDP, UDP-Lite or ESP; RTP is not looked for.
    """
    at = headers.size
    protocol = headers.levels[-1].protocol
    rest = len(packet) - at
    if rest < 8:
        return False
    if protocol == Transport.UDP:
        if int.from_bytes(packet[at + 4 : at + 6], "big") != rest:
            return False
        headers.transport = Transport.UDP
    elif protocol == Transport.UDP_LITE:
        coverage = int.from_bytes(packet[at + 4 : at + 6], "big")
        if coverage > rest or 0 < coverage < 8:
            return False
        headers.transport = Transport.UDP_LITE
        headers.coverage = coverage
    elif protocol == Transport.ESP:
        headers.transport = Transport.ESP
        headers.spi = int.from_bytes(packet[at : at + 4], "big")
        headers.sequence = int.from_bytes(packet[at + 4 : at + 8], "big")
        headers.size = at + 8
        return True
    else:
        return False
    headers.source_port = packet[at] << 8 | packet[at + 1]
    headers.destination_port = packet[at + 2] << 8 | packet[at + 3]
    headers.checksum = packet[at + 6] << 8 | packet[at + 7]
    headers.size = at + 8
    return True


def parse_rtp(packet: bytes, headers: Headers) -> bool:
    """Add the RTP header behind UDP or UDP-Lite, when its fixed part is there and is version 2."""
    at = headers.size
    if len(packet) < at + 12 or packet[at] >> 6 != 2:
        return False
    count = packet[at] & 0x0F
    if len(packet) < at + 12 + 4 * count:
        return False
    headers.has_rtp = True
    headers.padding = packet[at] >> 5 & 1
    headers.extension = packet[at] >> 4 & 1
    headers.marker = packet[at + 1] >> 7
    headers.payload_type = packet[at + 1] & 0x7F
    headers.sequence = packet[at + 2] << 8 | packet[at + 3]
    headers.timestamp = int.from_bytes(packet[at + 4 : at + 8], "big")
    headers.ssrc = int.from_bytes(packet[at + 8 : at + 12], "big")
    headers.csrcs = tuple(
        int.from_bytes(packet[place : place + 4], "big")
        for place in range(at + 12, at + 12 + 4 * count, 4)
    )
    headers.size = at + 12 + 4 * count
    return True
