"""Feedback elements, read and written (RFC 3095 sections 5.2.1, 5.2.2 and 5.7.6).

An element is its type octet (and Size octet), then the CID as the receiving compressor's channel
has it, then FEEDBACK-1 or FEEDBACK-2. A CRC option covers all but the type and Size octets (RFC
4815 section 2.3), with the CRC itself taken as zero.
"""

from __future__ import annotations

from rohc.encoding.crc import CRC8
from rohc.errors import MalformedPacket
from rohc.formats.feedback import FEEDBACK_1, FEEDBACK_2, FEEDBACK_OPTION, AckType, Option
from rohc.framing import ADD_CID, cid_octets, read_feedback_element, read_large_cid

__all__ = ["Feedback", "next_element", "read_feedback", "write_feedback_1", "write_feedback_2"]

_SN_BITS_1 = 8
_SN_BITS_2 = 12
_TYPE = 0xF0
_CODE_MAX = 7
_SIZE_MAX = 255


class Feedback:
    """One feedback element.

    Attributes:
        cid: the context that it is about.
        ack_type: ACK, NACK or STATIC-NACK.
        mode: the Mode field, 0 when it has none (FEEDBACK-1).
        sn: the sequence number's least significant bits, and `sn_bits` how many.
        sn_valid: False with the SN-NOT-VALID option.
        protected: it carries a CRC option that matches.
        reject, context_memory: these options are there.
        clock_resolution_ms, jitter, loss: these options' values, or -1.
    """

    __slots__ = (
        "ack_type",
        "cid",
        "clock_resolution_ms",
        "context_memory",
        "jitter",
        "loss",
        "mode",
        "protected",
        "reject",
        "sn",
        "sn_bits",
        "sn_valid",
    )

    def __init__(self, cid: int) -> None:
        self.cid = cid
        self.ack_type = AckType.ACK
        self.mode = 0
        self.sn = 0
        self.sn_bits = _SN_BITS_1
        self.sn_valid = True
        self.protected = False
        self.reject = False
        self.context_memory = False
        self.clock_resolution_ms = -1
        self.jitter = -1
        self.loss = -1


def read_feedback(data: bytes, large: bool) -> list[Feedback]:
    """The elements in `data`, one behind the other.

    Args:
        data: feedback elements with their type octets.
        large: whether the compressor that receives them has large CIDs.

    Raises:
        MalformedPacket: an element is cut short, is no feedback, or its CRC option does not match.
    """
    found: list[Feedback] = []
    at = 0
    while at < len(data):
        element, at = next_element(data, at)
        head = 1 if element[0] & _CODE_MAX else 2
        found.append(_read_content(element[head:], large))
    return found


def next_element(data: bytes, at: int) -> tuple[bytes, int]:
    """The feedback element at offset `at`, and the offset behind it.

    Raises:
        MalformedPacket: it is cut short, or is no feedback.
    """
    if data[at] & 0xF8 != _TYPE:
        raise MalformedPacket(f"no feedback element begins with 0x{data[at]:02x}")
    return read_feedback_element(data, at)


def _read_content(content: bytes, large: bool) -> Feedback:
    """The element behind its type and Size octets (section 5.2.2)."""
    if not content:
        raise MalformedPacket("an empty feedback element")
    cid = 0
    at = 0
    if large:
        cid, at = read_large_cid(content, 0)
    elif len(content) > 1 and content[0] & 0xC0 == 0xC0:
        if content[0] & 0xF0 != ADD_CID:
            raise MalformedPacket("feedback with Acktype 3, which is reserved")
        cid, at = content[0] & 0x0F, 1
    left = len(content) - at
    if not left:
        raise MalformedPacket("a feedback element ends behind its CID")
    feedback = Feedback(cid)
    if left == 1:
        (feedback.sn,) = FEEDBACK_1.unpack(content, at)
        return feedback
    ack_type, feedback.mode, feedback.sn = FEEDBACK_2.unpack(content, at)
    if ack_type > AckType.STATIC_NACK:
        raise MalformedPacket("feedback with Acktype 3, which is reserved")
    feedback.ack_type = AckType(ack_type)
    feedback.sn_bits = _SN_BITS_2
    _read_options(content, at + FEEDBACK_2.octets, feedback)
    return feedback


def _read_options(content: bytes, at: int, feedback: Feedback) -> None:
    crcs: list[int] = []
    blank = bytearray(content)
    while at < len(content):
        kind, octets = FEEDBACK_OPTION.unpack(content, at)
        at += 1
        if at + octets > len(content):
            raise MalformedPacket("a feedback option is cut short")
        value = int.from_bytes(content[at : at + octets], "big")
        if kind in _ONE_OCTET and octets != 1:
            raise MalformedPacket(f"feedback option {kind} has {octets} octets, not 1")
        if kind == Option.CRC:
            crcs.append(value)
            blank[at] = 0
        elif kind == Option.SN:
            # RFC 4815 section 8.5: several SN options are concatenated.
            feedback.sn = feedback.sn << 8 | value
            feedback.sn_bits += 8
        elif kind == Option.SN_NOT_VALID:
            feedback.sn_valid = False
        elif kind == Option.REJECT:
            feedback.reject = True
        elif kind == Option.CONTEXT_MEMORY:
            feedback.context_memory = True
        elif kind == Option.CLOCK:
            feedback.clock_resolution_ms = value
        elif kind == Option.JITTER:
            feedback.jitter = value
        elif kind == Option.LOSS:
            feedback.loss = value
        # RFC 3095 section 5.7.6.10: an option that is not known is passed over.
        at += octets
    if crcs:
        # RFC 4815 section 8.6: several CRC options must be identical.
        if any(crc != crcs[0] for crc in crcs) or CRC8.of(blank) != crcs[0]:
            raise MalformedPacket("the CRC option of a feedback element does not match")
        feedback.protected = True


_ONE_OCTET = frozenset((Option.CRC, Option.SN, Option.CLOCK, Option.JITTER, Option.LOSS))


def write_feedback_1(cid: int, large: bool, sn: int) -> bytes:
    """A FEEDBACK-1 element, which is an ACK with 8 bits of SN."""
    return _element(cid_octets(cid, large) + FEEDBACK_1.pack(sn & 0xFF))


def write_feedback_2(
    cid: int,
    large: bool,
    *,
    ack_type: AckType,
    mode: int,
    sn: int,
    sn_bits: int = _SN_BITS_2,
    options: tuple[tuple[Option, int], ...] = (),
    protect: bool = False,
) -> bytes:
    """A FEEDBACK-2 element.

    Args:
        cid: the context.
        large: whether the compressor that receives it has large CIDs.
        ack_type: ACK, NACK or STATIC-NACK.
        mode: the Mode field.
        sn: the sequence number.
        sn_bits: how many of its bits to send, 12 or more in steps of 8.
        options: further options with their values; those without value take 0.
        protect: whether to add a CRC option.
    """
    extra = (sn_bits - _SN_BITS_2 + 7) // 8
    parts = [
        cid_octets(cid, large),
        FEEDBACK_2.pack(ack_type, mode, sn >> 8 * extra & 0xFFF),
    ]
    for place in range(extra - 1, -1, -1):
        parts.append(FEEDBACK_OPTION.pack(Option.SN, 1) + bytes((sn >> 8 * place & 0xFF,)))
    for kind, value in options:
        if kind in _ONE_OCTET:
            parts.append(FEEDBACK_OPTION.pack(kind, 1) + bytes((min(value, 0xFF),)))
        else:
            parts.append(FEEDBACK_OPTION.pack(kind, 0))
    content = b"".join(parts)
    if protect:
        content += FEEDBACK_OPTION.pack(Option.CRC, 1)
        content += bytes((CRC8.of(content + b"\x00"),))
    return _element(content)


def _element(content: bytes) -> bytes:
    if len(content) <= _CODE_MAX:
        return bytes((_TYPE | len(content),)) + content
    return bytes((_TYPE, len(content) & _SIZE_MAX)) + content
