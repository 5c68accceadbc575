"""Extension headers as list items (RFC 3095 sections 5.8.4 and 5.8.7, RFC 4815 sections 5.4, 5.8).

An item is the header with its own type as first octet. Most items are static and say in their
second octet how long they are. Two have parts that vary:

    Authentication Header    its sequence number follows the SN of the compressed header at a
                             constant offset and is not sent; its authentication data are sent whole
                             behind the compressed header
    GRE                      likewise with its sequence number (if S) and its checksum (if C); as an
                             item it has no Protocol Type, which the following header implies

Minimal encapsulation is static.
"""

from __future__ import annotations

from rohc.errors import MalformedPacket

__all__ = [
    "ETHER_TYPES",
    "GRE",
    "crc_parts",
    "has_sequence",
    "item_octets",
    "replaced",
    "sequence_of",
    "skeleton",
    "to_wire",
    "varying_of",
    "wire_octets",
]

_GENERIC = frozenset((0, 43, 60, 135))
"""Hop-by-Hop Options, Routing, Destination Options and Mobility: length in units of 8 octets."""
GRE = 47
_AUTHENTICATION = 51
_MINIMAL_ENCAPSULATION = 55
_AH_FIXED = 12
"""Next Header, Payload Length, Reserved, SPI and Sequence Number (RFC 4302 section 2)."""
_CHECKSUM, _KEY, _SEQUENCE = 0x80, 0x20, 0x10
ETHER_TYPES = {4: 0x0800, 41: 0x86DD}
"""Protocol Types that correspond to an IP protocol number."""


def item_octets(data: bytes, at: int) -> int:
    """The length of the item at an offset.

    Raises:
        MalformedPacket: it is cut short, or its type is none of these.
    """
    if at + 2 > len(data):
        raise MalformedPacket("an extension header item is cut short")
    kind, second = data[at], data[at + 1]
    if kind in _GENERIC:
        return (second + 1) * 8
    if kind == _AUTHENTICATION:
        return max((second + 2) * 4, _AH_FIXED)
    if kind == _MINIMAL_ENCAPSULATION:
        return 12 if second & 0x80 else 8
    if kind == GRE:
        flags = second
        return (
            2 + 2 * bool(flags & _CHECKSUM) + 4 * bool(flags & _KEY) + 4 * bool(flags & _SEQUENCE)
        )
    raise MalformedPacket(f"a list item of type {kind} is no extension header")


def wire_octets(item: bytes) -> int:
    """The size of the item as a header of the original packet."""
    return len(item) + (2 + 2 * bool(item[1] & _CHECKSUM) if item[0] == GRE else 0)


def to_wire(item: bytes, following: int) -> bytes:
    """The header of the original packet, in front of a header of type `following`."""
    if item[0] != GRE:
        return bytes((following,)) + item[1:]
    head = bytes((item[1] & 0xF8, item[1] & 0x07)) + ETHER_TYPES.get(following, 0).to_bytes(
        2, "big"
    )
    if item[1] & _CHECKSUM:
        return head + item[2:4] + b"\x00\x00" + item[4:]
    return head + item[2:]


def has_sequence(item: bytes) -> bool:
    """Whether the item has a sequence number that follows the SN."""
    return item[0] == _AUTHENTICATION or (item[0] == GRE and bool(item[1] & _SEQUENCE))


def sequence_of(item: bytes) -> int:
    """Its sequence number."""
    place = slice(8, 12) if item[0] == _AUTHENTICATION else slice(-4, None)
    return int.from_bytes(item[place], "big")


def varying_of(item: bytes) -> bytes:
    """What of it is sent with every packet: authentication data, or GRE's checksum."""
    if item[0] == _AUTHENTICATION:
        return item[_AH_FIXED:]
    if item[0] == GRE and item[1] & _CHECKSUM:
        return item[2:4]
    return b""


def replaced(item: bytes, sequence: int, varying: bytes) -> bytes:
    """The item with another sequence number and other varying octets."""
    number = (sequence & 0xFFFFFFFF).to_bytes(4, "big")
    if item[0] == _AUTHENTICATION:
        return item[:8] + number + varying
    if varying:
        item = item[:2] + varying + item[4:]
    return item[:-4] + number if has_sequence(item) else item


def skeleton(items: tuple[bytes, ...], sn: int) -> tuple[bytes, ...]:
    """The list with what is not sent in it taken out: equal skeletons need no list.

    Args:
        items: the list.
        sn: the SN of the packet; sequence numbers are taken relative to it.
    """
    if not any(item[0] in (_AUTHENTICATION, GRE) for item in items):
        return items
    return tuple(
        replaced(
            item,
            sequence_of(item) - sn if has_sequence(item) else 0,
            bytes(len(varying_of(item))),
        )
        if item[0] in (_AUTHENTICATION, GRE)
        else item
        for item in items
    )


def crc_parts(item: bytes, raw: bytes) -> tuple[bytes, bytes]:
    """The CRC-STATIC and the CRC-DYNAMIC octets of a header (RFC 3095 section 5.8.7).

    Args:
        item: the header as an item.
        raw: the header's octets in the original packet.
    """
    if item[0] == _AUTHENTICATION:
        return b"", raw
    if item[0] != GRE:
        return raw, b""
    flags = item[1]
    static, dynamic, at = raw[:4], b"", 4
    if flags & _CHECKSUM:
        dynamic, static, at = raw[4:6], static + raw[6:8], 8
    end = len(raw) - (4 if flags & _SEQUENCE else 0)
    return static + raw[at:end], dynamic + raw[end:]
