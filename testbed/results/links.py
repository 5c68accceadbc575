"""From a captured frame to the IP packet in it, for the link types that captures of devices have.

====================  =====================================================================
Ethernet              EtherType after any VLAN tags (IEEE 802.1Q, 802.1ad)
raw IP                link types 101, 228, 229, and 12 or 14 in older files
Linux SLL, SLL2       "cooked" captures of the interface ``any``
NULL, LOOP            BSD loopback: an address family before the packet
====================  =====================================================================
"""

from __future__ import annotations

import struct
from enum import StrEnum

from testbed.results.pcapng import LinkType

__all__ = ["KNOWN_LINK_TYPES", "NoIp", "ip_packet", "trim_ip"]

_WORD = struct.Struct("!H")

_ETHERTYPE_IPV4, _ETHERTYPE_IPV6 = 0x0800, 0x86DD
_VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
_MAX_802_3_LENGTH = 0x05DC

# Address families of the BSD loopback header: AF_INET everywhere, AF_INET6 as NetBSD and OpenBSD,
# FreeBSD, Darwin and Linux have it.
_FAMILIES = frozenset({2, 10, 24, 28, 30})


class NoIp(StrEnum):
    """Why there is no IP packet in a frame: short stable words for counting."""

    LINK_TYPE = "unknown-link-type"
    """The link type is none that is known here."""
    TRUNCATED = "truncated"
    """The frame ends inside its link header."""
    NOT_IP = "not-ip"
    """The frame holds another protocol (ARP, LLDP ...)."""


def _ethernet(frame: bytes) -> bytes | NoIp:
    return _by_ethertype(frame, 12)


def _by_ethertype(frame: bytes, at: int) -> bytes | NoIp:
    """The packet behind the EtherType at ``at``, past any VLAN tags."""
    while True:
        if len(frame) < at + 2:
            return NoIp.TRUNCATED
        (ethertype,) = _WORD.unpack_from(frame, at)
        if ethertype in _VLAN_TAGS:
            at += 4
            continue
        if ethertype in (_ETHERTYPE_IPV4, _ETHERTYPE_IPV6):
            return frame[at + 2 :]
        return NoIp.NOT_IP


def _raw(frame: bytes) -> bytes | NoIp:
    if not frame:
        return NoIp.TRUNCATED
    return frame if frame[0] >> 4 in (4, 6) else NoIp.NOT_IP


def _sll(frame: bytes) -> bytes | NoIp:
    # Packet type, ARPHRD type, address length, address of 8 octets, protocol.
    return _by_ethertype(frame, 14) if len(frame) >= 16 else NoIp.TRUNCATED


def _sll2(frame: bytes) -> bytes | NoIp:
    # Protocol, reserved, interface, ARPHRD type, packet type, address length, address of 8 octets.
    if len(frame) < 20:
        return NoIp.TRUNCATED
    (protocol,) = _WORD.unpack_from(frame)
    if protocol in _VLAN_TAGS:
        return _by_ethertype(frame, 22)
    return frame[20:] if protocol in (_ETHERTYPE_IPV4, _ETHERTYPE_IPV6) else NoIp.NOT_IP


def _null(frame: bytes) -> bytes | NoIp:
    if len(frame) < 4:
        return NoIp.TRUNCATED
    # In the byte order of the host that captured, which need not be the file's.
    families = {int.from_bytes(frame[:4], "little"), int.from_bytes(frame[:4], "big")}
    return _raw(frame[4:]) if families & _FAMILIES else NoIp.NOT_IP


_LINKS = {
    LinkType.NULL: _null,
    LinkType.ETHERNET: _ethernet,
    LinkType.RAW_BSD: _raw,
    LinkType.RAW_OPENBSD: _raw,
    LinkType.RAW: _raw,
    LinkType.LOOP: _null,
    LinkType.LINUX_SLL: _sll,
    LinkType.IPV4: _raw,
    LinkType.IPV6: _raw,
    LinkType.LINUX_SLL2: _sll2,
}

KNOWN_LINK_TYPES = frozenset(int(link) for link in _LINKS)
"""Link types in which :func:`ip_packet` finds packets."""


def ip_packet(link_type: int, frame: bytes) -> bytes | NoIp:
    """The IP packet in a frame, without the padding of a short frame, or why there is none.

    Args:
        link_type: what the frame begins with.
        frame: as captured, from its link header on.

    """
    link = _LINKS.get(link_type)  # type: ignore[call-overload]
    if link is None:
        return NoIp.LINK_TYPE
    packet = link(frame)
    return packet if isinstance(packet, NoIp) else trim_ip(packet)


def trim_ip(packet: bytes) -> bytes:
    """An IP packet without what follows its own length; a length of zero is left as captured."""
    if not packet:
        return packet
    if packet[0] >> 4 == 4 and len(packet) >= 20:
        length = _WORD.unpack_from(packet, 2)[0]
    elif packet[0] >> 4 == 6 and len(packet) >= 40:
        payload = _WORD.unpack_from(packet, 4)[0]
        length = 40 + payload if payload else 0
    else:
        length = 0
    return packet[:length] if 20 <= length < len(packet) else packet
