"""The Authentication Header as a list item (RFC 3095 section 5.8.4.2, RFC 4815 section 5.8).

Its sequence number follows the SN of the compressed header at a constant offset, and is not sent.
Its authentication data change with every packet, and are sent whole behind the compressed header.
What is left of it is static.
"""

from __future__ import annotations

__all__ = [
    "authentication_data",
    "authentication_sequence",
    "is_authentication",
    "skeleton",
    "with_authentication",
]

_TYPE = 51
_FIXED_OCTETS = 12
"""Next Header, Payload Length, Reserved, SPI and Sequence Number (RFC 4302 section 2)."""


def is_authentication(item: bytes) -> bool:
    """Whether a list item is an Authentication Header."""
    return item[0] == _TYPE and len(item) >= _FIXED_OCTETS


def authentication_sequence(item: bytes) -> int:
    """Its sequence number."""
    return int.from_bytes(item[8:12], "big")


def authentication_data(item: bytes) -> bytes:
    """Its authentication data."""
    return item[_FIXED_OCTETS:]


def with_authentication(item: bytes, sequence: int, data: bytes) -> bytes:
    """The item with another sequence number and other authentication data."""
    return item[:8] + (sequence & 0xFFFFFFFF).to_bytes(4, "big") + data


def skeleton(items: tuple[bytes, ...], sn: int) -> tuple[bytes, ...]:
    """The list with what is not sent taken out: equal skeletons need no list to be sent.

    Args:
        items: the list.
        sn: the SN of the packet; the sequence number is taken relative to it.
    """
    if not any(is_authentication(item) for item in items):
        return items
    return tuple(
        with_authentication(item, authentication_sequence(item) - sn, bytes(len(item) - 12))
        if is_authentication(item)
        else item
        for item in items
    )
