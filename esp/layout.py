"""The parts of an ESP packet that every SA shares: modes, numbers, padding, sizes (RFC 4303 2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from esp.errors import InvalidParameter, MalformedInner
from esp.suites import Suite

__all__ = [
    "NEXT_HEADER_IPV4",
    "NEXT_HEADER_IPV6",
    "NEXT_HEADER_NONE",
    "NEXT_HEADER_ROHC",
    "NEXT_HEADER_UDP",
    "OCTETS",
    "PADDING",
    "EspParts",
    "Mode",
    "check_spi",
    "esp_parts",
    "inner_packet",
]

NEXT_HEADER_IPV4 = 4
"""Tunnel mode: the payload is an IPv4 packet."""
NEXT_HEADER_UDP = 17
"""Transport mode: the payload is a UDP datagram."""
NEXT_HEADER_IPV6 = 41
"""Tunnel mode: the payload is an IPv6 packet."""
NEXT_HEADER_NONE = 59
"""A dummy packet, to be dropped without further ado (RFC 4303 section 2.6)."""
NEXT_HEADER_ROHC = 142
"""The payload is a ROHC packet (RFC 5858 section 4.1)."""

PADDING = [bytes(range(1, size + 1)) for size in range(256)]
"""RFC 4303 section 2.4: the padding is 1, 2, 3, ...; all 256 of them by their length."""
OCTETS = [bytes((value,)) for value in range(256)]
"""Every octet as a string of its own."""


class Mode(Enum):
    """Transport mode protects a payload, tunnel mode a whole IP packet (RFC 4301 section 4.1)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


@dataclass(frozen=True, slots=True, kw_only=True)
class EspParts:
    """The octets that ESP adds to one payload, by part."""

    header: int
    """SPI and sequence number, always 8."""
    iv: int
    """Initialisation vector in the packet."""
    padding: int
    """Padding proper, without pad length and next header."""
    trailer: int
    """Pad length and next header, always 2."""
    icv: int
    """Integrity check value."""

    @property
    def total(self) -> int:
        """All that is not payload."""
        return self.header + self.iv + self.padding + self.trailer + self.icv


def esp_parts(suite: Suite, payload_bytes: int, packet_bytes: int | None = None) -> EspParts:
    """What ESP adds to a payload, by part.

    With ``packet_bytes``, the size from SPI to ICV of a packet seen, the padding is what that
    packet has (a peer may pad more than it must); else what this library would add.
    """
    if packet_bytes is None:
        padding = suite.padding_bytes(payload_bytes)
    else:
        padding = packet_bytes - 8 - suite.iv_bytes - payload_bytes - 2 - suite.icv_bytes
    return EspParts(header=8, iv=suite.iv_bytes, padding=padding, trailer=2, icv=suite.icv_bytes)


def check_spi(spi: int) -> int:
    """The SPI; raises :class:`~esp.errors.InvalidParameter` when it names no association."""
    if not 256 <= spi <= 0xFFFF_FFFF:
        raise InvalidParameter(
            f"SPI {spi} can't name a security association",
            hint="choose an SPI from 256 to 4294967295 (RFC 4303 section 2.1)",
        )
    return spi


def inner_packet(payload: bytes, next_header: int) -> bytes:
    """The IP packet at the start of a tunnel payload, without TFC padding (RFC 4303 2.7).

    Raises :class:`~esp.errors.MalformedInner` when there is none, or less of it than it says.
    """
    size = len(payload)
    if next_header == NEXT_HEADER_IPV4:
        if size < 20 or payload[0] >> 4 != 4:
            raise MalformedInner("no IPv4 packet in the tunnel")
        length = payload[2] << 8 | payload[3]
        if length < 20:
            raise MalformedInner("the inner IPv4 packet is shorter than its header")
    else:
        if size < 40 or payload[0] >> 4 != 6:
            raise MalformedInner("no IPv6 packet in the tunnel")
        length = 40 + (payload[4] << 8 | payload[5])
    if length == size:
        return payload
    if length > size:
        raise MalformedInner("the inner packet is longer than the tunnel payload")
    return payload[:length]
