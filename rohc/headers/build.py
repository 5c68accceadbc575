"""From a header chain to the octets of the original headers.

Lengths and IPv4 header checksums are not sent by ROHC; they are inferred here from the payload.
"""

from __future__ import annotations

from rohc.headers.chain import Headers, IpHeader, Transport
from rohc.headers.extension import to_wire
from rohc.headers.parse import internet_sum

__all__ = ["build_headers", "ipv4_checksum"]


def ipv4_checksum(header: bytes) -> int:
    """The IPv4 header checksum over 20 octets whose checksum field is zero."""
    return (0xFFFF - internet_sum(header)) % 0xFFFF


def build_headers(headers: Headers, payload_octets: int) -> bytes:
    """The octets of the chain in front of a payload of this size."""
    tail = _transport(headers, payload_octets)
    behind = payload_octets + len(tail)
    for level in reversed(headers.levels):
        tail = _ip_header(level, behind) + tail
        behind = payload_octets + len(tail)
    return tail


def _transport(headers: Headers, payload_octets: int) -> bytes:
    if headers.transport == Transport.NONE:
        return b""
    if headers.transport == Transport.ESP:
        return (headers.spi << 32 | headers.sequence).to_bytes(8, "big")
    rtp = _rtp(headers) if headers.has_rtp else b""
    length = headers.coverage
    if headers.transport == Transport.UDP:
        length = 8 + len(rtp) + payload_octets
    word = headers.source_port << 48 | headers.destination_port << 32
    return (word | (length & 0xFFFF) << 16 | headers.checksum).to_bytes(8, "big") + rtp


def _rtp(headers: Headers) -> bytes:
    first = (
        headers.rtp_version << 6
        | headers.padding << 5
        | headers.extension << 4
        | len(headers.csrcs)
    )
    word = first << 8 | headers.marker << 7 | headers.payload_type
    word = (word << 16 | headers.sequence) << 32 | headers.timestamp
    fixed = (word << 32 | headers.ssrc).to_bytes(12, "big")
    return fixed + b"".join(csrc.to_bytes(4, "big") for csrc in headers.csrcs)


def _ip_header(level: IpHeader, behind: int) -> bytes:
    """One IP header with its extension headers, in front of `behind` octets."""
    extensions, first_type = _extensions(level)
    length = behind + len(extensions)
    if level.version == 6:
        word = (6 << 28 | level.tos << 20 | level.flow_label) << 16 | (length & 0xFFFF)
        word = (word << 8 | first_type) << 8 | level.ttl
        addresses = level.source << 128 | level.destination
        return word.to_bytes(8, "big") + addresses.to_bytes(32, "big") + extensions
    word = (0x45 << 8 | level.tos) << 16 | (length + 20 & 0xFFFF)
    word = (word << 16 | level.identification) << 16 | level.df << 14
    word = (word << 16 | level.ttl << 8 | first_type) << 16
    word = word << 64 | level.source << 32 | level.destination
    header = word.to_bytes(20, "big")
    checksum = ipv4_checksum(header)
    return header[:10] + checksum.to_bytes(2, "big") + header[12:] + extensions


def _extensions(level: IpHeader) -> tuple[bytes, int]:
    """The extension headers, each with its real Next Header, and the type of the first one."""
    following = level.protocol
    parts: list[bytes] = []
    for extension in reversed(level.extensions):
        parts.append(to_wire(extension, following))
        following = extension[0]
    parts.reverse()
    return b"".join(parts), following
