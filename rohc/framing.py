"""CIDs, padding and feedback in front of a packet (RFC 5795 section 5.2, RFC 3095 section 5.2).

First octets that the framework reserves:

    1110 0000    padding (an Add-CID octet for CID 0)
    1110 cccc    Add-CID octet
    1111 0ccc    feedback
    1111 1000    IR-DYN
    1111 110d    IR
    1111 111f    segment
"""

from __future__ import annotations

from rohc.errors import MalformedPacket

__all__ = [
    "ADD_CID",
    "FEEDBACK",
    "IR",
    "IR_DYN",
    "PADDING",
    "SEGMENT",
    "behind_feedback",
    "cid_octets",
    "read_feedback_element",
    "read_large_cid",
    "split_cid",
]

PADDING = 0xE0
ADD_CID = 0xE0
FEEDBACK = 0xF0
IR_DYN = 0xF8
IR = 0xFC
SEGMENT = 0xFE


def cid_octets(cid: int, large: bool) -> bytes:
    """The octets that carry a CID: an Add-CID octet or none, or 1 to 2 octets (4.5.6)."""
    if not large:
        return bytes((ADD_CID | cid,)) if cid else b""
    if cid < 0x80:
        return bytes((cid,))
    return (0x8000 | cid).to_bytes(2, "big")


def read_large_cid(data: bytes, at: int) -> tuple[int, int]:
    """The large CID at offset `at`, and how many octets it takes (RFC 3095 section 5.2.6, step 8).

    Raises:
        MalformedPacket: it is cut short, or its first bits are neither 0 nor 10.
    """
    if at >= len(data):
        raise MalformedPacket("the packet ends before its CID")
    first = data[at]
    if first < 0x80:
        return first, 1
    if first >= 0xC0:
        raise MalformedPacket("a large CID begins with 0 or 10")
    if at + 1 >= len(data):
        raise MalformedPacket("the packet ends inside its CID")
    return (first & 0x3F) << 8 | data[at + 1], 2


def read_feedback_element(data: bytes, at: int) -> tuple[bytes, int]:
    """The feedback element at offset `at` with its type octet, and the offset behind it.

    Raises:
        MalformedPacket: it is cut short.
    """
    code = data[at] & 0x07
    behind = at + 1 + code
    if not code:
        if at + 1 >= len(data):
            raise MalformedPacket("a feedback element is cut short")
        behind = at + 2 + data[at + 1]
    if behind > len(data):
        raise MalformedPacket("a feedback element is cut short")
    return data[at:behind], behind


def behind_feedback(data: bytes) -> int:
    """The offset behind padding and feedback in front of a packet.

    Raises:
        MalformedPacket: a feedback element is cut short.
    """
    at = 0
    while at < len(data) and data[at] == PADDING:
        at += 1
    while at < len(data) and data[at] & 0xF8 == FEEDBACK:
        _, at = read_feedback_element(data, at)
    return at


def split_cid(framed: bytes, large: bool) -> tuple[int, int, bytes]:
    """The CID, how many octets it takes, and the packet without them (5.2.6, steps 2, 7 and 8).

    Args:
        framed: a packet without padding and feedback in front.
        large: whether the channel has large CIDs.

    Raises:
        MalformedPacket: the CID is cut short, or there is one where none may be.
    """
    first = framed[0]
    if not large:
        if first & 0xF0 != ADD_CID:
            return 0, 0, framed
        if len(framed) < 2:
            raise MalformedPacket("the packet ends behind its Add-CID octet")
        second = framed[1]
        if second & 0xF0 == ADD_CID or second & 0xF8 == FEEDBACK:
            raise MalformedPacket("an Add-CID octet stands before no header")
        return first & 0x0F, 1, framed[1:]
    if first & 0xF0 == ADD_CID:
        raise MalformedPacket("an Add-CID octet on a channel with large CIDs")
    cid, octets = read_large_cid(framed, 1)
    return cid, octets, framed[:1] + framed[1 + octets :]
