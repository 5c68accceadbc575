"""The corrections of RFC 4815, one test or more for each section, named after it.

Some stand beside what they correct: 2.1, 5.3 and 5.7 in `test_encoding.py`, 2.3, 3.2, 8.5 and 8.6
in `test_feedback.py`, 4.2, 4.4.2, 4.6, 6.2, 6.4, 7.2.2, 8.3 and 8.4 in `test_rtp.py`, 3.1 in
`test_transitions.py`, 5.8 in `test_extension_headers.py`. Here are the others, and those that can
be told again by hand-made octets.
"""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import draw, initial
from rohc_packets import ipv4, ipv6, known, udp
from rtp_by_hand import BASE, STATIC4, TAIL, context_of, decompressor_at, ir, rtp

from rohc import (
    Channel,
    Compressor,
    CrcFailure,
    Decompressor,
    MalformedPacket,
    Mode,
    RohcError,
)
from rohc.decompression.context import State, Transition
from rohc.encoding.lists import ListState, read_list
from rohc.feedback import read_feedback
from rohc.headers.chain import Headers
from rohc.headers.coverage import in_crc_order
from rohc.headers.extension import item_octets
from rohc.headers.parse import parse_ip_chain, parse_transport


def headers_of(decompressor: Decompressor) -> Headers:
    headers = context_of(decompressor).headers
    assert headers is not None
    return headers


def compressed(drawing: str, packet: bytes) -> bytes:
    return draw(drawing, packet, rtp=True) + TAIL


# 2 CRC ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [0, 1, 5])
def test_rfc4815_2_2_padding_is_not_under_the_crc(octets: int) -> None:
    result = Decompressor(Channel()).decompress(b"\xe0" * octets + ir())
    assert result.packet == rtp(0)


def test_rfc4815_2_2_the_add_cid_octet_of_another_cid_is_under_the_crc() -> None:
    chains = "40 11 0a000001 c0000207 9c40 1633 00 40 0001 a0 00 1234 0001"
    good = initial(0xFD, 2, chains, b"x", cid="e5")
    assert Decompressor(Channel()).decompress(good).cid == 5
    with pytest.raises(CrcFailure):
        Decompressor(Channel()).decompress(b"\xe5" + initial(0xFD, 2, chains, b"x"))


def test_rfc4815_2_4_of_an_esp_header_spi_and_sequence_number_are_under_the_crc() -> None:
    packet = ipv4(bytes.fromhex("cafe0001 00000007") + b"payload and trailer", protocol=50)
    headers = parse_ip_chain(packet)
    assert headers is not None
    parse_transport(packet, headers)
    static, dynamic = in_crc_order(headers, packet)
    assert static.endswith(bytes.fromhex("cafe0001"))
    assert dynamic.endswith(bytes.fromhex("00000007"))
    assert len(static + dynamic) == 28


# 3 Mode transitions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "drawing"),
    [
        ("type 0 ends the transition", "00 sn:{0:06b}"),
        ("type 1 ends the transition", "10 sn:{0:06b} m:0 x:0 t:0 id:00000"),
    ],
)
def test_rfc4815_3_3_behind_the_breakpoint_packets_are_of_the_new_mode(
    name: str, drawing: str
) -> None:
    decompressor = Decompressor(Channel(), mode="R")
    decompressor.decompress(ir(mode="01"))
    assert context_of(decompressor).transition == Transition.INITIATED
    # Before: the old mode.
    packet = rtp(1)
    assert decompressor.decompress(compressed("0 sn:0001 crc:3", packet)).packet == packet
    decompressor.decompress(ir(mode="11"))
    assert context_of(decompressor).transition == Transition.PENDING
    packet = rtp(2)
    assert decompressor.decompress(compressed(drawing.format(2), packet)).packet == packet
    assert context_of(decompressor).transition == Transition.DONE
    assert context_of(decompressor).mode == Mode.RELIABLE


def test_rfc4815_3_2_an_ack_in_r_mode_has_the_sn_of_the_last_update() -> None:
    decompressor = Decompressor(Channel(), mode="R")
    decompressor.decompress(ir(mode="01"))
    result = decompressor.decompress(ir(mode="11"))
    assert read_feedback(result.feedback, False)[0].sn == BASE & 0xFFF
    # R-0 updates nothing and is not acknowledged.
    assert decompressor.decompress(compressed("00 sn:000101", rtp(5))).feedback == b""
    packet = rtp(6)
    result = decompressor.decompress(compressed("01 sn:000011 sn:0 crc:7", packet))
    assert read_feedback(result.feedback, False)[0].sn & 0xFF == BASE + 6 & 0xFF


# 4 Timestamps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [1, 2, 7, 14])
def test_rfc4815_4_2_without_bits_the_timestamp_grows_as_the_sn(gap: int) -> None:
    packet = rtp(gap)
    result = decompressor_at().decompress(compressed(f"0 sn:{gap & 15:04b} crc:3", packet))
    assert result.packet == packet


def test_rfc4815_4_2_delta_sn_is_signed() -> None:
    packet = rtp(-1)
    decompressor = Decompressor(Channel(), mode="R")
    decompressor.decompress(ir(mode="01"))
    decompressor.decompress(ir(mode="11"))
    result = decompressor.decompress(compressed("00 sn:111111", packet))
    assert result.packet == packet


UNSCALED = [
    # name, timestamp, drawing of base header and extension 3 with Tsc 0 and R-TS 1
    (
        "seven bits in the extension, five in the base header",
        160 * BASE + 33,
        # TS 0x28021: twelve bits 00000 0100001
        "110 ts:00000 t:1 m:0 sn:000001 x:1 crc:7 11 s:0 rts:1 tsc:0 i:0 ip:0 rtp:0 x21",
    ),
    (
        "fourteen bits in the extension",
        160 * BASE + 9999,
        # TS 0x2a70f: nineteen bits 01010 10011100001111
        "110 ts:01010 t:1 m:0 sn:000001 x:1 crc:7 11 s:0 rts:1 tsc:0 i:0 ip:0 rtp:0 xa70f",
    ),
    (
        "twenty-nine bits in the extension",
        0x12345678,
        # 34 bits: 00000 and 29 bits, whose form is 111 and the rest
        "110 ts:00000 t:1 m:0 sn:000001 x:1 crc:7 11 s:0 rts:1 tsc:0 i:0 ip:0 rtp:0 xf2345678",
    ),
]


@pytest.mark.parametrize(
    ("name", "timestamp", "drawing"), UNSCALED, ids=[row[0] for row in UNSCALED]
)
def test_rfc4815_4_1_an_unscaled_timestamp_is_w_lsb_encoded(
    name: str, timestamp: int, drawing: str
) -> None:
    packet = rtp(1, timestamp=timestamp)
    decompressor = decompressor_at()
    assert decompressor.decompress(compressed(drawing, packet)).packet == packet


@pytest.mark.parametrize(
    ("name", "timestamp", "drawing"), UNSCALED, ids=[row[0] for row in UNSCALED]
)
def test_rfc4815_4_5_an_unscaled_timestamp_gives_a_new_ts_offset(
    name: str, timestamp: int, drawing: str
) -> None:
    decompressor = decompressor_at()
    decompressor.decompress(compressed(drawing, rtp(1, timestamp=timestamp)))
    headers = headers_of(decompressor)
    assert (headers.ts_stride, headers.ts_offset) == (160, timestamp % 160)
    # The next one goes on from there, scaled.
    packet = rtp(2, timestamp=timestamp + 160)
    assert decompressor.decompress(compressed("0 sn:0010 crc:3", packet)).packet == packet


@pytest.mark.parametrize(
    ("k", "lowest", "highest"),
    [
        # p = 2^(k-2) - 1
        (5, -7, 24),
        (6, -15, 48),
    ],
)
def test_rfc4815_4_3_the_interval_of_a_timestamp_without_clock(
    k: int, lowest: int, highest: int
) -> None:
    version = 4 if k == 5 else 6
    for scaled in (lowest, highest):
        packet = rtp(1, scaled=scaled, version=version)
        bits = f"{BASE + scaled & ((1 << k) - 1):0{k}b}"
        drawing = f"10 {'t:1 ' if k == 5 else ''}ts:{bits} m:0 sn:0001 crc:3"
        result = decompressor_at(version).decompress(compressed(drawing, packet))
        assert result.packet == packet


def timed(elapsed_s: float) -> Decompressor:
    """A decompressor with TIME_STRIDE 20 ms whose last packet came at 100 s."""
    decompressor = Decompressor(Channel(), mode="U", clock_resolution_ms=1)
    decompressor.decompress(ir(), now=100.0 - elapsed_s)
    packet = rtp(1)
    drawing = (
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 mode:01 rpt:0 m:0 rx:0 csrc:0 tss:0 tis:1 x14"
    )
    assert decompressor.decompress(compressed(drawing, packet), now=100.0).packet == packet
    return decompressor


@pytest.mark.parametrize("strides", [1, 100, 1000, 90000])
@pytest.mark.parametrize("off", [-15, -3, 0, 3, 16])
def test_rfc4815_4_3_with_a_clock_p_is_2_to_the_k_less_1_less_1(strides: int, off: int) -> None:
    # k = 5: f = [T - 15, T + 16] around the clock's estimate T
    decompressor = timed(0.02)
    scaled = 1 + strides + off
    packet = rtp(2, scaled=scaled)
    bits = f"{BASE + scaled & 31:05b}"
    octets = compressed(f"10 t:1 ts:{bits} m:0 sn:0010 crc:3", packet)
    result = decompressor.decompress(octets, now=100.0 + 0.02 * strides + 0.001)
    assert result.packet == packet


def test_rfc4815_4_7_without_timestamp_bits_the_clock_is_not_asked() -> None:
    decompressor = timed(0.02)
    packet = rtp(2)
    octets = compressed("0 sn:0010 crc:3", packet)
    assert decompressor.decompress(octets, now=100.0 + 33.0).packet == packet


def test_rfc4815_4_7_the_compressor_waits_for_the_peers_clock() -> None:
    def strides(resolution: int) -> set[int]:
        compressor = Compressor(Channel(), rtp_ports=(5004,), time_stride_ms=20)
        decompressor = Decompressor(Channel(), clock_resolution_ms=resolution)
        told = set()
        for gap in range(30):
            now = 1.0 + 0.02 * gap
            result = decompressor.decompress(compressor.compress(rtp(gap), now), now)
            assert result.packet == rtp(gap)
            compressor.deliver_feedback(result.feedback)
            headers = headers_of(decompressor)
            told.add(headers.time_stride)
        return told

    assert strides(0) == {0}
    assert strides(10) == {0, 20}


def test_rfc4815_4_4_1_a_stride_of_zero_is_not_divided_by() -> None:
    part = f"90 60 {BASE:04x} {160 * BASE:08x} 00 05 00"
    chains = f"{STATIC4} 00 40 {0x0F00 + BASE:04x} a0 00 1234 {part}"
    decompressor = Decompressor(Channel(), mode="U")
    assert decompressor.decompress(initial(0xFD, 1, chains, b"v")).packet == rtp(0)
    assert headers_of(decompressor).ts_stride == 0
    packet = rtp(1, scaled=0)
    result = decompressor.decompress(compressed("0 sn:0001 crc:3", packet))
    assert result.packet == packet


@pytest.mark.parametrize(
    ("stride", "unscaled"),
    # 2^32 is a multiple of 256 and not one of 160.
    [(160, True), (256, False)],
)
def test_rfc4815_4_4_3_only_a_stride_that_is_no_power_of_two_changes_at_the_wrap_around(
    stride: int, unscaled: bool
) -> None:
    compressor = Compressor(
        Channel(), mode="U", rtp_ports=(5004,), optimistic_repeats=2, fo_refresh_packets=0
    )
    decompressor = Decompressor(Channel(), mode="U")
    types = []
    first = 0x100000000 - 20 * stride
    for gap in range(40):
        packet = rtp(gap, timestamp=first + gap * stride)
        result = decompressor.decompress(compressor.compress(packet))
        assert result.packet == packet
        types.append(result.packet_type)
    assert any("EXT-3" in kind for kind in types[15:]) == unscaled


# 5 Lists ----------------------------------------------------------------------------------------


def test_rfc4815_5_1_the_csrc_list_of_the_dynamic_chain_has_at_least_one_octet() -> None:
    whole = ir()
    at = whole.index(bytes.fromhex("00 05 80a0"))
    # Without the list's octet the chain is one octet shorter and means something else.
    body = whole[3:at] + whole[at + 1 : -1]
    with pytest.raises(RohcError):
        Decompressor(Channel()).decompress(initial(0xFD, 1, body.hex(), b""))


@pytest.mark.parametrize("cc", range(0, 16, 3))
def test_rfc4815_5_2_the_cc_of_the_list_counts_and_not_the_other(cc: int) -> None:
    part = f"{0x80 | cc:02x} 60 {BASE:04x} {160 * BASE:08x} 01 80 00000009"
    chains = f"{STATIC4} 00 40 {0x0F00 + BASE:04x} a0 00 1234 {part}"
    result = Decompressor(Channel()).decompress(initial(0xFD, 1, chains, b"v"))
    assert result.packet == rtp(0, csrcs=(9,))


@pytest.mark.parametrize(
    ("name", "kind", "header"),
    [
        ("ESP NULL is a transport, not an item", 50, bytes(16)),
        ("the fragment header", 44, bytes.fromhex("1100000000000001")),
        ("no next header", 59, b""),
        ("ICMPv6", 58, bytes(8)),
    ],
)
def test_rfc4815_5_4_other_headers_end_the_chain(name: str, kind: int, header: bytes) -> None:
    packet = ipv6(header + udp(b"x"), next_header=kind)
    headers = parse_ip_chain(packet)
    assert headers is not None
    assert headers.levels[0].extensions == ()
    compressor, decompressor = Compressor(Channel()), Decompressor(Channel())
    for _ in range(6):
        assert decompressor.decompress(compressor.compress(packet)).packet == packet


def test_rfc4815_5_5_a_second_esp_header_is_payload() -> None:
    inner = (7 << 32 | 3).to_bytes(8, "big") + b"null"
    compressor, decompressor = Compressor(Channel()), Decompressor(Channel())
    for sequence in range(8):
        packet = ipv4((9 << 32 | sequence).to_bytes(8, "big") + inner, protocol=50)
        result = decompressor.decompress(compressor.compress(packet))
        assert (result.packet, result.profile) == (packet, 3)


def test_rfc4815_5_6_two_headers_of_one_type_have_an_index_each() -> None:
    one, two = bytes.fromhex("3c 00 0104 00000000"), bytes.fromhex("3c 00 0104 00000001")
    state = ListState()
    octets = b"\x02\x89" + one + two
    assert read_list(octets, 0, state, item_octets)[0] == (one, two)
    assert state.table == {0: one, 1: two}
    # Two that are the same may share one; each occurrence is told.
    assert read_list(b"\x02\x88" + two + two, 0, state, item_octets)[0] == (two, two)


def test_rfc4815_5_6_each_ip_header_has_its_own_table() -> None:
    option = bytes.fromhex("3c 00 0104 00000000")
    inner = ipv6(b"\x11" + option[1:] + udp(b"x"), next_header=60)
    packet = ipv6(inner, next_header=41)
    compressor, decompressor = Compressor(Channel()), Decompressor(Channel())
    assert decompressor.decompress(compressor.compress(packet)).packet == packet
    outer_list, inner_list = context_of(decompressor).lists
    assert outer_list.table == {}
    assert inner_list.table == {0: option}


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_rfc4815_5_7_a_reference_is_known_and_not_empty(kind: int) -> None:
    empty = ListState()
    read_list(bytes((0x20, 4)), 0, empty, item_octets)
    for state in (ListState(), empty):
        with pytest.raises(MalformedPacket, match="reference"):
            read_list(bytes((kind << 6, 4, 0, 0)), 0, state, item_octets)


# 6 What updates what ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "packet", "drawing", "expected"),
    [
        ("UO-0", rtp(3), "0 sn:0011 crc:3", (3, 3, 0)),
        ("UO-1-TS", rtp(1, scaled=9), "10 t:1 ts:01001 m:0 sn:0001 crc:3", (1, 9, 0)),
        ("UO-1-ID", rtp(1, offset=9), "10 t:0 id:01001 x:0 sn:0001 crc:3", (1, 1, 9)),
        ("UOR-2-TS", rtp(1, scaled=9), "110 ts:01001 t:1 m:0 sn:000001 x:0 crc:7", (1, 9, 0)),
        ("UOR-2-ID", rtp(1, offset=9), "110 id:01001 t:0 m:0 sn:000001 x:0 crc:7", (1, 1, 9)),
    ],
)
def test_rfc4815_6_1_an_update_moves_all_that_follows_the_sn(
    name: str, packet: bytes, drawing: str, expected: tuple[int, int, int]
) -> None:
    decompressor = decompressor_at()
    assert decompressor.decompress(compressed(drawing, packet)).packet == packet
    headers = headers_of(decompressor)
    gap, scaled, offset = expected
    assert headers.sn == BASE + gap
    assert headers.timestamp == 160 * (BASE + scaled)
    assert headers.levels[0].identification == 0x0F00 + BASE + gap + offset


def test_rfc4815_6_2_an_index_told_in_uo_1_id_stays_in_the_table() -> None:
    decompressor = decompressor_at()
    packet = rtp(1, csrcs=(0x11111111,))
    flags = "mode:01 rpt:0 m:0 rx:0 csrc:1 tss:0 tis:0"
    octets = compressed(
        "10 t:0 id:00000 x:1 sn:0001 crc:3 11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 "
        f"{flags} x0180 x11111111",
        packet,
    )
    result = decompressor.decompress(octets)
    assert (result.packet, result.packet_type) == (packet, "UO-1-ID-EXT-3")
    assert context_of(decompressor).lists[-1].table == {0: bytes.fromhex("11111111")}
    # The list itself has not changed.
    plain = rtp(2)
    assert decompressor.decompress(compressed("0 sn:0010 crc:3", plain)).packet == plain


def test_rfc4815_6_3_an_ir_packet_leaves_the_translation_table() -> None:
    decompressor = decompressor_at()
    packet = rtp(1, csrcs=(0x11111111,))
    drawing = (
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 "
        "mode:01 rpt:0 m:0 rx:0 csrc:1 tss:0 tis:0 x0180 x11111111"
    )
    decompressor.decompress(compressed(drawing, packet))
    decompressor.decompress(ir())
    packet = rtp(1, csrcs=(0x11111111,))
    drawing = drawing.replace("x0180 x11111111", "x0100")
    assert decompressor.decompress(compressed(drawing, packet)).packet == packet


def test_rfc4815_6_3_an_ir_without_dynamic_chain_leaves_the_rest() -> None:
    decompressor = decompressor_at()
    before = headers_of(decompressor).ts_stride
    decompressor.decompress(initial(0xFC, 1, STATIC4, b""))
    assert context_of(decompressor).state == State.STATIC_CONTEXT
    assert headers_of(decompressor).ts_stride == before == 160


@pytest.mark.parametrize(
    ("name", "rpt", "padding"), [("R-PT = 1 sets it", True, 1), ("R-PT = 0 clears it", False, 0)]
)
def test_rfc4815_6_4_the_padding_bit_in_extension_3(name: str, rpt: bool, padding: int) -> None:
    decompressor = decompressor_at()
    headers_of(decompressor).padding = 1
    packet = rtp(1, padding=padding)
    drawing = (
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 "
        f"mode:01 rpt:{int(rpt)} m:0 rx:0 csrc:0 tss:0 tis:0{' xe0' if rpt else ''}"
    )
    assert decompressor.decompress(compressed(drawing, packet)).packet == packet
    assert headers_of(decompressor).padding == padding


def test_rfc4815_6_5_rx_0_clears_the_x_bit() -> None:
    decompressor = decompressor_at()
    headers_of(decompressor).extension = 1
    part = f"80 60 {BASE:04x} {160 * BASE:08x} 00"
    chain = f"00 40 {0x0F00 + BASE:04x} a0 00 1234 {part}"
    result = decompressor.decompress(initial(0xF8, 1, chain, b"v"))
    assert result.packet == rtp(0)
    assert headers_of(decompressor).extension == 0


# 7 Contexts -------------------------------------------------------------------------------------


def test_rfc4815_7_1_every_context_is_kept_until_its_cid_is_used_again() -> None:
    channel = Channel(max_cid=15)
    compressor, decompressor = Compressor(channel, mode="U"), Decompressor(channel, mode="U")
    for port in range(16):
        decompressor.decompress(compressor.compress(ipv4(udp(b"x", source_port=port))))
    # A long time in which one flow alone is seen.
    for number in range(2000):
        packet = ipv4(udp(b"x", source_port=15), identification=number)
        decompressor.decompress(compressor.compress(packet))
    assert sorted(decompressor._contexts) == list(range(16))
    result = decompressor.decompress(compressor.compress(ipv4(udp(b"x", source_port=0))))
    assert result.cid == 0
    assert result.packet is not None


@pytest.mark.parametrize("mode", ["O", "R"])
def test_rfc4815_7_2_1_a_flow_of_the_same_profile_inherits_the_mode(mode: str) -> None:
    channel = Channel(max_cid=0)
    compressor, decompressor = Compressor(channel, mode=mode), Decompressor(channel, mode=mode)
    modes = set()
    for port in (1, 2, 3):
        for number in range(12):
            packet = ipv4(udp(b"x", source_port=port), identification=number)
            result = decompressor.decompress(compressor.compress(packet))
            assert result.packet == packet
            compressor.deliver_feedback(result.feedback)
            if port > 1:
                modes.add(compressor._by_cid[0].mode)
    assert modes == {Mode.OPTIMISTIC if mode == "O" else Mode.RELIABLE}


@pytest.mark.parametrize("mode", ["O", "R"])
def test_rfc4815_7_2_2_a_flow_of_another_profile_begins_in_u_mode(mode: str) -> None:
    channel = Channel(max_cid=0)
    compressor, decompressor = Compressor(channel, mode=mode), Decompressor(channel, mode=mode)
    for number in range(12):
        packet = ipv4(udp(b"x"), identification=number)
        compressor.deliver_feedback(decompressor.decompress(compressor.compress(packet)).feedback)
    assert compressor._by_cid[0].mode != Mode.UNIDIRECTIONAL
    packet = ipv4(b"\x08\x00ping", protocol=1)
    result = decompressor.decompress(compressor.compress(packet))
    assert compressor._by_cid[0].mode == Mode.UNIDIRECTIONAL
    assert result.packet == packet
    assert result.feedback != b""


# 8 Other ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "flags", "second"),
    [("NBO set: network byte order", "a0", 0x0202), ("NBO clear: swapped", "80", 0x0301)],
)
def test_rfc4815_8_1_what_nbo_means(name: str, flags: str, second: int) -> None:
    first = 0x0201
    chains = f"40 11 0a000001 c0000207 9c40 1633 00 40 {first:04x} {flags} 00 1234 0001"
    decompressor = Decompressor(Channel(), mode="U")
    decompressor.decompress(initial(0xFD, 2, chains, b"x"))
    packet = ipv4(udp(b"x", checksum=0x1234), identification=second)
    result = decompressor.decompress(draw("0 sn:0010 crc:3", packet) + b"\x12\x34x")
    assert result.packet == packet


def test_rfc4815_8_2_without_ip_id_bits_the_offset_stays() -> None:
    decompressor = decompressor_at()
    for gap in (1, 5, 9):
        packet = rtp(gap)
        octets = compressed(f"0 sn:{gap & 15:04b} crc:3", packet)
        assert decompressor.decompress(octets).packet == packet


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0)])
def test_rfc4815_8_4_two_m_bits_that_differ_are_discarded(first: int, second: int) -> None:
    decompressor = decompressor_at()
    before = known(decompressor)
    drawing = (
        f"110 ts:00001 t:1 m:{first} sn:000001 x:1 0000000 11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 "
        f"mode:01 rpt:0 m:{second} rx:0 csrc:0 tss:0 tis:0"
    )
    with pytest.raises(MalformedPacket, match="M bits"):
        decompressor.decompress(draw(drawing) + TAIL)
    assert known(decompressor) == before


def test_rfc4815_8_4_uo_1_id_has_one_m_bit_which_counts() -> None:
    decompressor = decompressor_at()
    packet = rtp(1, marker=1)
    drawing = (
        "10 t:0 id:00000 x:1 sn:0001 crc:3 11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 "
        "mode:01 rpt:0 m:1 rx:0 csrc:0 tss:0 tis:0"
    )
    assert decompressor.decompress(compressed(drawing, packet)).packet == packet


def test_rfc4815_8_7_a_compressor_that_hears_nothing_can_begin_anew() -> None:
    # A lost feedback link: the owner makes a new compressor in U-mode, on the same channel.
    settings: dict[str, Any] = {"rtp_ports": (5004,)}
    compressor = Compressor(Channel(), mode="R", **settings)
    decompressor = Decompressor(Channel(), mode="R")
    for gap in range(12):
        compressor.deliver_feedback(decompressor.decompress(compressor.compress(rtp(gap))).feedback)
    assert context_of(decompressor).mode == Mode.RELIABLE
    again = Compressor(Channel(), mode="U", **settings)
    assert decompressor.decompress(again.compress(rtp(12))).packet == rtp(12)


@pytest.mark.parametrize("profile", [2, 3, 4, 8])
def test_rfc4815_8_8_profiles_without_rtp_have_one_uor_2_of_two_octets(profile: int) -> None:
    made = {
        2: lambda n: ipv4(udp(b"x"), identification=n),
        3: lambda n: ipv4((1 << 32 | n).to_bytes(8, "big") + b"x", protocol=50, identification=n),
        4: lambda n: ipv4(b"ping", protocol=1, identification=n),
        8: lambda n: ipv6(udp(b"x")[:4] + b"\x00\x09\x12\x34x", next_header=136),
    }[profile]
    compressor = Compressor(
        Channel(), mode="U", optimistic_repeats=1, reordering_expected=True, first_sn=0
    )
    decompressor = Decompressor(Channel(), mode="U")
    types = []
    for number in range(6):
        result = decompressor.decompress(compressor.compress(made(number)))
        assert (result.packet, result.profile) == (made(number), profile)
        types.append((result.packet_type, result.header_bytes))
    tail = {2: 2, 3: 0, 4: 0, 8: 2}[profile]
    assert types[-1] == ("UOR-2", 2 + tail)
