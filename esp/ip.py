"""IPv4 and IPv6 headers as far as IPsec must understand them (RFC 791, RFC 8200)."""

from __future__ import annotations

from typing import NamedTuple

from esp.errors import MalformedInner

__all__ = ["UpperLayer", "upper_layer"]

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60


class UpperLayer(NamedTuple):
    """Where an IP packet's header chain ends."""

    protocol: int
    """Protocol number of what follows."""
    protocol_at: int
    """Offset of the octet that says so."""
    start: int
    """Offset of what follows."""
    fragment: bool
    """Whether the packet is a fragment; one with everything in it (RFC 6946) is not."""
    later_fragment: bool
    """Whether it is a fragment that does not begin with the upper layer's header."""


def upper_layer(packet: bytes, *, for_esp: bool = False) -> UpperLayer:
    """Walk the header chain of an IP packet.

    With ``for_esp`` the chain ends where ESP goes in: after hop-by-hop, routing and fragment
    headers and the destination options in front of a routing header, but before other destination
    options (RFC 4303 section 3.1.1). Raises :class:`~esp.errors.MalformedInner` when the packet is
    not what its headers say.
    """
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        size = (packet[0] & 15) * 4
        length = packet[2] << 8 | packet[3]
        if size < 20 or length < size or length != len(packet):
            raise MalformedInner("the IPv4 header contradicts the packet's size")
        place = packet[6] << 8 | packet[7]
        return UpperLayer(packet[9], 9, size, bool(place & 0x3FFF), bool(place & 0x1FFF))
    if len(packet) < 40 or packet[0] >> 4 != 6:
        raise MalformedInner("neither an IPv4 nor an IPv6 packet")
    if 40 + (packet[4] << 8 | packet[5]) != len(packet):
        raise MalformedInner("the IPv6 header contradicts the packet's size")
    protocol, at, offset = packet[6], 6, 40
    fragment = later = False
    while protocol in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION) and not later:
        if len(packet) < offset + 8:
            raise MalformedInner("an IPv6 extension header is cut short")
        size = 8 if protocol == _FRAGMENT else 8 * (packet[offset + 1] + 1)
        if len(packet) < offset + size:
            raise MalformedInner("an IPv6 extension header is cut short")
        if protocol == _DESTINATION and for_esp and packet[offset] != _ROUTING:
            break
        if protocol == _FRAGMENT:
            place = packet[offset + 2] << 8 | packet[offset + 3]
            fragment, later = bool(place & 0xFFF9), bool(place & 0xFFF8)
        protocol, at, offset = packet[offset], offset, offset + size
    return UpperLayer(protocol, at, offset, fragment, later)
