"""The Internet checksum, and what transport mode through a NAT does to it.

RFC 3948 section 3.1.2: in transport mode the inner TCP or UDP checksum covers addresses that a
NAT may have changed on the way, so the receiver must repair it in one of three ways, one function
each: :func:`adjust_checksum` (incrementally, when the peer's real addresses are known),
:func:`recompute_checksum` (from the addresses now in the IP header), :func:`clear_udp_checksum`
(set to zero, since the ICV has protected the datagram; UDP over IPv4 only).
"""

from __future__ import annotations

from esp.errors import InvalidParameter, MalformedInner

__all__ = [
    "adjust_checksum",
    "clear_udp_checksum",
    "internet_checksum",
    "recompute_checksum",
    "transport_checksum",
]

_OFFSET = {6: 16, 17: 6}  # of the checksum in the TCP and the UDP header
_SMALLEST = {6: 20, 17: 8}


def _sum(data: bytes, initial: int = 0) -> int:
    """One's complement sum of 16-bit words (RFC 1071), folded to 16 bits, not inverted."""
    # 2^16 = 1 modulo 65535, so the whole string taken as one number has the same residue. Only
    # all zeros sum to zero: the carry makes 65535 of any other multiple.
    number = int.from_bytes(data, "big")
    if len(data) & 1:
        number <<= 8
    number += initial
    return 0 if not number else (number % 0xFFFF or 0xFFFF)


def internet_checksum(data: bytes, initial: int = 0) -> int:
    """The checksum of RFC 791 and RFC 1071 over octets whose checksum field is zero.

    ``initial`` is a sum to go on from, not negative. Over octets that include a right checksum the
    result is 0.
    """
    return 0xFFFF - _sum(data, initial)


def transport_checksum(source: bytes, destination: bytes, protocol: int, segment: bytes) -> int:
    """The TCP, UDP or ICMPv6 checksum of a segment whose checksum field is zero.

    ``source`` and ``destination`` are packed addresses of 4 or 16 octets (RFC 768, RFC 8200
    section 8.1). For UDP a result of zero is returned as 0xFFFF, as RFC 768 demands.
    """
    if len(source) != len(destination) or len(source) not in (4, 16):
        raise InvalidParameter("addresses are packed, both of 4 or both of 16 octets")
    # Both pseudo headers sum to the addresses, the length and the protocol, whatever their layout.
    value = internet_checksum(source + destination + segment, len(segment) + protocol)
    return 0xFFFF if protocol == 17 and value == 0 else value


def _place(protocol: int, segment: bytes) -> int:
    """Where the checksum stands; raises MalformedInner when the header is cut short."""
    if protocol not in _OFFSET:
        raise InvalidParameter(f"protocol {protocol} is neither TCP (6) nor UDP (17)")
    if len(segment) < _SMALLEST[protocol]:
        raise MalformedInner("the transport header is cut short")
    return _OFFSET[protocol]


def adjust_checksum(
    protocol: int,
    segment: bytes,
    *,
    real_source: bytes,
    real_destination: bytes,
    received_source: bytes,
    received_destination: bytes,
) -> bytes:
    """Way 1: incrementally, from the addresses that the peer summed over (``real``).

    The result is right for the addresses in the received IP header, which is what the local
    stack verifies against. A UDP checksum of zero means that there is none and stays.
    """
    at = _place(protocol, segment)
    old = segment[at] << 8 | segment[at + 1]
    if protocol == 17 and old == 0:
        return segment
    # RFC 3948's words, in one's complement: subtract the received addresses, add the real ones.
    total = (
        old
        + _sum(real_source)
        + _sum(real_destination)
        + (~_sum(received_source) & 0xFFFF)
        + (~_sum(received_destination) & 0xFFFF)
    )
    value = total % 0xFFFF
    if value == 0 and protocol == 17:
        value = 0xFFFF
    return segment[:at] + value.to_bytes(2, "big") + segment[at + 2 :]


def recompute_checksum(protocol: int, segment: bytes, source: bytes, destination: bytes) -> bytes:
    """Way 2: compute the TCP or UDP checksum afresh from the addresses in the IP header."""
    at = _place(protocol, segment)
    cleared = segment[:at] + b"\0\0" + segment[at + 2 :]
    value = transport_checksum(source, destination, protocol, cleared)
    return segment[:at] + value.to_bytes(2, "big") + segment[at + 2 :]


def clear_udp_checksum(segment: bytes) -> bytes:
    """Way 3: a UDP checksum of zero, which over IPv4 says that there is none."""
    at = _place(17, segment)
    return segment[:at] + b"\0\0" + segment[at + 2 :]
