"""Feedback drawn by hand: RFC 3095 sections 5.2.1, 5.2.2 and 5.7.6, in both directions.

| 1 1 1 1 0 | Code |   1 to 7: that many octets follow; 0: a Size octet gives their number
/ CID              /   nothing for CID 0, an Add-CID octet, or a large CID
/ FEEDBACK-1 or -2 /   one octet, or more
"""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import crc, draw, initial
from rohc_packets import ipv4, udp

from rohc import Channel, Compressor, CrcFailure, Decompressor, MalformedPacket, Mode, RohcError
from rohc.feedback import Feedback, read_feedback, write_feedback_1, write_feedback_2
from rohc.formats.feedback import AckType, Option


def element(content: bytes) -> bytes:
    """A feedback element around this content."""
    if len(content) < 8:
        return bytes((0xF0 | len(content),)) + content
    return bytes((0xF0, len(content))) + content


def protected(content: str) -> bytes:
    """An element whose CRC option, at the end, is right."""
    octets = bytes.fromhex(content) + b"\x11\x00"
    return element(octets[:-1] + bytes((crc(8, octets),)))


# FEEDBACK-1 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "octets", "large", "cid", "sn"),
    [
        ("CID 0, small", "f1 2a", False, 0, 0x2A),
        ("CID 1, small", "f2 e1 2a", False, 1, 0x2A),
        ("CID 15, small", "f2 ef ff", False, 15, 0xFF),
        ("CID 0, large", "f2 00 2a", True, 0, 0x2A),
        ("CID 127, large, one octet", "f2 7f 2a", True, 127, 0x2A),
        ("CID 128, large, two octets", "f3 8080 2a", True, 128, 0x2A),
        ("CID 16383, large", "f3 bfff 00", True, 16383, 0),
    ],
)
def test_feedback_1_is_an_ack_with_eight_bits_of_sn(
    name: str, octets: str, large: bool, cid: int, sn: int
) -> None:
    data = bytes.fromhex(octets)
    assert write_feedback_1(cid, large, sn).hex() == data.hex()
    assert write_feedback_1(cid, large, sn | 0x4500).hex() == data.hex()
    (feedback,) = read_feedback(data, large)
    assert (feedback.cid, feedback.sn, feedback.sn_bits) == (cid, sn, 8)
    assert (feedback.ack_type, feedback.mode) == (AckType.ACK, 0)
    assert feedback.sn_valid
    assert not feedback.protected


@pytest.mark.parametrize("sn", [0xC0, 0xE1, 0xF0, 0xFF])
def test_a_feedback_1_whose_sn_looks_like_an_add_cid_octet_is_none(sn: int) -> None:
    # RFC 3095 5.2.2: FEEDBACK-1 is one octet; an Add-CID octet has something behind it.
    (feedback,) = read_feedback(bytes((0xF1, sn)), False)
    assert (feedback.cid, feedback.sn) == (0, sn)


# FEEDBACK-2 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "octets", "ack_type", "mode", "sn"),
    [
        # Acktype 00, Mode 10, SN 0x234
        ("ACK(O)", "f2 22 34", AckType.ACK, 2, 0x234),
        ("ACK(R)", "f2 3f ff", AckType.ACK, 3, 0xFFF),
        ("ACK(U)", "f2 10 00", AckType.ACK, 1, 0),
        # Acktype 01
        ("NACK(O)", "f2 62 34", AckType.NACK, 2, 0x234),
        ("NACK(R)", "f2 70 01", AckType.NACK, 3, 1),
        # Acktype 10
        ("STATIC-NACK(U)", "f2 92 34", AckType.STATIC_NACK, 1, 0x234),
        ("STATIC-NACK(R)", "f2 b0 00", AckType.STATIC_NACK, 3, 0),
    ],
)
def test_feedback_2_without_options(
    name: str, octets: str, ack_type: AckType, mode: int, sn: int
) -> None:
    data = bytes.fromhex(octets)
    assert write_feedback_2(0, False, ack_type=ack_type, mode=mode, sn=sn).hex() == data.hex()
    (feedback,) = read_feedback(data, False)
    assert (feedback.ack_type, feedback.mode) == (ack_type, mode)
    assert (feedback.sn, feedback.sn_bits) == (sn, 12)


OPTIONS: list[tuple[str, str, dict[str, Any]]] = [
    # name, the option's octets, what the feedback says then
    ("REJECT: type 2, length 0", "20", {"reject": True}),
    ("SN-NOT-VALID: type 3, length 0", "30", {"sn_valid": False}),
    ("SN: type 4, length 1", "41 56", {"sn": 0x23456, "sn_bits": 20}),
    ("SN twice", "41 56 41 78", {"sn": 0x2345678, "sn_bits": 28}),
    ("CLOCK: type 5, length 1, milliseconds", "51 0a", {"clock_resolution_ms": 10}),
    ("CLOCK of 255 ms", "51 ff", {"clock_resolution_ms": 255}),
    ("JITTER: type 6, length 1", "61 07", {"jitter": 7}),
    ("LOSS: type 7, length 1", "71 1f", {"loss": 31}),
    ("CONTEXT_MEMORY: type 9, length 0 (RFC 3843 3.7)", "90", {"context_memory": True}),
    ("an unknown option of no octets", "80", {}),
    ("an unknown option of fifteen octets", "cf" + "ab" * 15, {}),
    ("two options", "20 71 05", {"reject": True, "loss": 5}),
    ("two options the other way round", "71 05 20", {"reject": True, "loss": 5}),
    ("the later of two equal options", "71 05 71 09", {"loss": 9}),
]
NOTHING = {
    "reject": False,
    "context_memory": False,
    "sn_valid": True,
    "clock_resolution_ms": -1,
    "jitter": -1,
    "loss": -1,
    "sn": 0x234,
    "sn_bits": 12,
}


def said(feedback: Feedback) -> dict[str, Any]:
    return {name: getattr(feedback, name) for name in NOTHING}


@pytest.mark.parametrize(("name", "option", "meaning"), OPTIONS, ids=[row[0] for row in OPTIONS])
@pytest.mark.parametrize("cid", ["", "e3"])
def test_each_option(name: str, option: str, meaning: dict[str, Any], cid: str) -> None:
    plain = element(bytes.fromhex(cid + "6234" + option))
    (feedback,) = read_feedback(plain, False)
    assert said(feedback) == NOTHING | meaning
    assert (feedback.cid, feedback.protected) == (3 if cid else 0, False)
    (feedback,) = read_feedback(protected(cid + "6234" + option), False)
    assert said(feedback) == NOTHING | meaning
    assert feedback.protected


@pytest.mark.parametrize(
    ("name", "options", "octets"),
    [
        ("REJECT", ((Option.REJECT, 0),), "20"),
        ("SN-NOT-VALID", ((Option.SN_NOT_VALID, 0),), "30"),
        ("CLOCK", ((Option.CLOCK, 20),), "51 14"),
        ("JITTER", ((Option.JITTER, 3),), "61 03"),
        ("LOSS", ((Option.LOSS, 4),), "71 04"),
        ("a loss beyond an octet", ((Option.LOSS, 400),), "71 ff"),
        ("CONTEXT_MEMORY", ((Option.CONTEXT_MEMORY, 0),), "90"),
        ("two", ((Option.REJECT, 0), (Option.LOSS, 1)), "20 71 01"),
    ],
)
def test_each_option_is_written_as_it_is_drawn(
    name: str, options: tuple[tuple[Option, int], ...], octets: str
) -> None:
    made = write_feedback_2(0, False, ack_type=AckType.NACK, mode=2, sn=0x234, options=options)
    assert made == element(bytes.fromhex("6234" + octets))
    made = write_feedback_2(
        0, False, ack_type=AckType.NACK, mode=2, sn=0x234, options=options, protect=True
    )
    assert made == protected("6234" + octets)


@pytest.mark.parametrize(
    ("bits", "octets"),
    [
        (12, "2678"),
        (13, "2456 41 78"),
        (20, "2456 41 78"),
        (28, "2234 41 56 41 78"),
        (32, "2012 41 34 41 56 41 78"),
    ],
)
def test_more_bits_of_sn_take_sn_options(bits: int, octets: str) -> None:
    made = write_feedback_2(0, False, ack_type=AckType.ACK, mode=2, sn=0x12345678, sn_bits=bits)
    assert made == element(bytes.fromhex(octets))


def test_a_long_element_has_a_size_octet() -> None:
    made = write_feedback_2(
        9, False, ack_type=AckType.ACK, mode=2, sn=0x12345678, sn_bits=32, protect=True
    )
    assert made[:4].hex() == "f00be920"
    assert read_feedback(made, False)[0].protected


@pytest.mark.parametrize("size", [1, 2, 7, 8, 40, 255])
def test_a_size_octet_may_be_used_for_any_length(size: int) -> None:
    content = (b"\x22\x34" + b"\x80" * 300)[:size] if size > 1 else b"\x34"
    (feedback,) = read_feedback(bytes((0xF0, size)) + content, False)
    assert feedback.sn & 0xFF == 0x34


def test_the_crc_option_may_stand_anywhere() -> None:
    octets = bytes.fromhex("e5 2234 11 00 41 99 20")
    value = crc(8, octets)
    data = element(octets[:4] + bytes((value,)) + octets[5:])
    (feedback,) = read_feedback(data, False)
    assert feedback.protected
    assert (feedback.cid, feedback.sn) == (5, 0x23499)


@pytest.mark.parametrize("place", range(1, 8))
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_is_caught_by_the_crc_option(place: int, bit: int) -> None:
    data = bytearray(protected("e3 2234 71 05"))
    assert len(data) == 8
    data[place] ^= 1 << bit
    try:
        found = read_feedback(bytes(data), False)
    except MalformedPacket:
        return
    # The flip made another option of the CRC option, or another CID of the Add-CID octet.
    assert not any(feedback.protected for feedback in found)


@pytest.mark.parametrize(
    ("name", "octets", "large"),
    [
        ("no type octet", "e0", False),
        ("a type octet alone", "f2", False),
        ("three of four octets", "f4 2002 11", False),
        ("a size without octets", "f0 05 2002", False),
        ("a size of nothing", "f0 00", False),
        ("reserved Acktype 3 without CID", "f2 c002", False),
        ("reserved Acktype 3 behind a CID", "f3 e1 c002", False),
        ("an option longer than the element", "f4 2002 43 01", False),
        ("an SN option of no octets", "f3 2002 40", False),
        ("an SN option of two octets", "f5 2002 42 0102", False),
        ("a CLOCK option of no octets", "f3 2002 50", False),
        ("a CRC option of no octets", "f3 2002 10", False),
        ("a large CID that begins with 11", "f3 c000 02", True),
        ("a large CID alone", "f1 05", True),
        ("a large CID of two octets alone", "f2 8005", True),
    ],
)
def test_what_is_no_feedback_is_refused_and_moves_nothing(
    name: str, octets: str, large: bool
) -> None:
    data = bytes.fromhex(octets)
    with pytest.raises(MalformedPacket):
        read_feedback(data, large)
    compressor = Compressor(Channel(large_cids=large), first_sn=2)
    compressor.compress(ipv4(udp(b"x")))
    compressor.deliver_feedback(data)
    assert compressor.feedback_ignored == 1
    assert compressor._by_cid[0].mode == Mode.UNIDIRECTIONAL
    assert compressor._by_cid[0].ir_left == 3


# What a decompressor gives ----------------------------------------------------------------------


def packet(sn: int, **fields: int) -> bytes:
    return ipv4(udp(b"x", checksum=0x1234), identification=0x0F00 + sn, **fields)


def ir(sn: int, cid: str = "", large: bool = False) -> bytes:
    chains = f"40 11 0a000001 c0000207 9c40 1633 00 40 {0x0F00 + sn:04x} a0 00 1234 {sn:04x}"
    return initial(0xFD, 2, chains, b"x", cid=cid, large=large)


@pytest.mark.parametrize(
    ("mode", "content"), [("O", "2123"), ("R", "3123")], ids=["ACK(O)", "ACK(R)"]
)
@pytest.mark.parametrize(
    ("cid", "large", "in_feedback"),
    [("", False, ""), ("e4", False, "e4"), ("05", True, "05"), ("8105", True, "8105")],
)
def test_the_first_ir_is_acknowledged_with_the_wanted_mode_and_a_crc(
    mode: str, content: str, cid: str, large: bool, in_feedback: str
) -> None:
    channel = Channel(max_cid=300 if large else 15, large_cids=large)
    result = Decompressor(channel, mode=mode).decompress(ir(0x123, cid, large))
    assert result.feedback.hex() == protected(in_feedback + content).hex()


def test_in_o_mode_a_change_is_acknowledged_with_feedback_1() -> None:
    decompressor = Decompressor(Channel())
    decompressor.decompress(ir(0x123))
    changed = packet(0x124, ttl=7)
    flags = "tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0"
    drawing = f"110 sn:00100 x:1 crc:7 11 s:0 mode:10 i:0 ip:1 ip2:0 {flags} x07"
    result = decompressor.decompress(draw(drawing, changed) + b"\x12\x34x")
    assert result.packet == changed
    assert result.feedback.hex() == "f124"
    quiet = packet(0x125, ttl=7)
    result = decompressor.decompress(draw("0 sn:0101 crc:3", quiet) + b"\x12\x34x")
    assert result.feedback == b""


def test_a_failed_packet_is_answered_with_a_nack_and_its_reference() -> None:
    decompressor = Decompressor(Channel())
    decompressor.decompress(ir(0x123))
    good = draw("0 sn:0100 crc:3", packet(0x124)) + b"\x12\x34x"
    with pytest.raises(CrcFailure) as caught:
        decompressor.decompress(bytes((good[0] ^ 1,)) + good[1:])
    # NACK(O) for SN 0x123
    assert caught.value.feedback == protected("6123")


@pytest.mark.parametrize(
    ("octets", "in_feedback"), [("08 1234", ""), ("e7 08 1234", "e7"), ("ef f802 00", "ef")]
)
def test_a_packet_without_context_is_answered_with_static_nack_and_sn_not_valid(
    octets: str, in_feedback: str
) -> None:
    with pytest.raises(RohcError) as caught:
        Decompressor(Channel()).decompress(bytes.fromhex(octets))
    # STATIC-NACK(O), SN 0, SN-NOT-VALID
    assert caught.value.feedback == protected(in_feedback + "a000 30")


def test_profile_0_answers_an_ir_packet_with_feedback_1() -> None:
    # RFC 3095 5.10.4
    octets = initial(0xFC, 0, "", b"")[:2]
    data = octets + bytes((crc(8, octets),)) + b"\x45payload"
    result = Decompressor(Channel()).decompress(data)
    assert (result.packet, result.feedback.hex()) == (b"\x45payload", "f100")


# In front of packets ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "front", "received"),
    [
        ("one element", "f12a", "f12a"),
        ("two elements", "f12a f22002", "f12af22002"),
        ("padding in front", "e0e0 f12a", "f12a"),
        ("an element with a size octet", "f0022002", "f0022002"),
        ("a size octet of many", "f008 2002 8080808080 80", "f008200280808080" + "8080"),
    ],
)
def test_feedback_in_front_of_a_packet_is_handed_over(name: str, front: str, received: str) -> None:
    data = bytes.fromhex(front) + ir(0x123)
    result = Decompressor(Channel()).decompress(data)
    assert result.packet == packet(0x123)
    assert result.feedback_received.hex() == received
    assert result.header_bytes == len(ir(0x123)) - 1


def test_feedback_is_read_with_the_cid_kind_of_its_own_channel() -> None:
    small, large = Channel(), Channel(large_cids=True, max_cid=300)
    data = bytes.fromhex("f2 e1 2a")
    assert read_feedback(data, small.large_cids)[0].cid == 1
    with pytest.raises(MalformedPacket):
        read_feedback(data, large.large_cids)


def test_padding_behind_feedback_is_an_add_cid_octet_of_cid_0() -> None:
    # RFC 3095 5.2: padding stands in front of all; 1110 0000 later is an Add-CID octet.
    result = Decompressor(Channel()).decompress(b"\xf1\x2a\xe0" + ir(0x123))
    assert (result.packet, result.cid) == (packet(0x123), 0)
