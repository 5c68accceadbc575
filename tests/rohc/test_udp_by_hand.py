"""Profile 0x0002 packet by packet, drawn from RFC 3095 sections 5.7.1 and 5.11.3 to 5.11.5.

Each row is a packet of one flow: its fields, the drawing, what stands behind the base header and
extension, and whether this package's compressor chooses the same octets. Nothing in the drawings
comes from the package: the CRCs are worked out bit by bit in `by_hand`.
"""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import Hand, draw, initial
from rohc_packets import ipv4, ipv6, udp

from rohc import Channel, CrcFailure, Decompressor, MalformedPacket

STATIC4 = "40 11 0a000001 c0000207  9c40 1633"
"""IPv4: version, protocol, both addresses; UDP: both ports."""


def v4(sn: int, **fields: Any) -> bytes:
    """The packet with this SN; the IP-ID is 0x0F00 more unless it is given."""
    checksum = fields.pop("checksum", 0x1234)
    identification = fields.pop("identification", 0x0F00 + sn & 0xFFFF)
    payload = fields.pop("payload", b"x")
    return ipv4(udp(payload, checksum=checksum), identification=identification, **fields)


def v6(**fields: Any) -> bytes:
    checksum = fields.pop("checksum", 0x1234)
    return ipv6(udp(b"x", checksum=checksum), **fields)


def ir4(sn: int, checksum: int = 0x1234) -> bytes:
    """The IR packet of `v4(sn)`: TOS 0, TTL 64, IP-ID, DF and NBO, no list, checksum, SN."""
    dynamic = f"00 40 {0x0F00 + sn & 0xFFFF:04x} a0 00  {checksum:04x} {sn:04x}"
    return initial(0xFD, 2, STATIC4 + dynamic, b"x")


def flow4(sn: int, checksum: int = 0x1234, **settings: object) -> Hand:
    return Hand(v4(sn, checksum=checksum), ir4(sn, checksum), first_sn=sn, **settings)


# Type 0: UO-0 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "first", "drawing"),
    [
        ("the successor", 0x0100, "0 sn:0001 crc:3"),
        ("four bits wrap around", 0x010F, "0 sn:0000 crc:3"),
        ("an octet of the SN wraps around", 0x00FF, "0 sn:0000 crc:3"),
        ("the whole SN wraps around", 0xFFFF, "0 sn:0000 crc:3"),
        ("before the half", 0x7FFE, "0 sn:1111 crc:3"),
        ("the half", 0x7FFF, "0 sn:0000 crc:3"),
    ],
)
def test_uo_0_carries_four_bits_of_the_sn_and_the_udp_checksum(
    name: str, first: int, drawing: str
) -> None:
    hand = flow4(first)
    packet = v4(first + 1)
    hand.both(packet, draw(drawing, packet) + b"\x12\x34" + b"x", "UO-0")


@pytest.mark.parametrize("gap", range(1, 17))
def test_uo_0_reaches_from_the_next_sn_to_the_sixteenth(gap: int) -> None:
    # RFC 3095 5.11: p = -1, so that f(v_ref, 4) = [v_ref + 1, v_ref + 16].
    hand = flow4(0x0200)
    packet = v4(0x0200 + gap)
    drawing = f"0 sn:{gap & 15:04b} crc:3"
    hand.down(draw(drawing, packet) + b"\x12\x34x", packet, "UO-0")


def test_without_checksums_a_uo_0_is_one_octet() -> None:
    hand = flow4(5, checksum=0)
    packet = v4(6, checksum=0)
    hand.both(packet, draw("0 sn:0110 crc:3", packet) + b"x", "UO-0")


def test_a_zero_checksum_where_checksums_are_in_use_is_sent_as_it_is() -> None:
    hand = flow4(5)
    packet = v4(6, checksum=0)
    hand.both(packet, draw("0 sn:0110 crc:3", packet) + b"\x00\x00x", "UO-0")


# Type 1: UO-1 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sn", "identification", "drawing"),
    [
        # Offset = ID - SN is 0x0F00 in the context; six bits, p = 0: 0x0F00 to 0x0F3F.
        ("the offset grows by one", 0x0101, 0x0F00 + 0x0102, "10 id:000001 sn:00001 crc:3"),
        ("the offset grows by 63", 0x0101, 0x0F00 + 0x0140, "10 id:111111 sn:00001 crc:3"),
    ],
)
def test_uo_1_carries_six_bits_of_the_ip_id_offset(
    name: str, sn: int, identification: int, drawing: str
) -> None:
    hand = flow4(0x0100)
    packet = v4(sn, identification=identification)
    hand.both(packet, draw(drawing, packet) + b"\x12\x34x", "UO-1")


@pytest.mark.parametrize("gap", [1, 2, 16, 17, 31, 32])
def test_uo_1_reaches_from_the_next_sn_to_the_thirty_second(gap: int) -> None:
    hand = flow4(0x0200)
    packet = v4(0x0200 + gap)
    drawing = f"10 id:000000 sn:{gap & 31:05b} crc:3"
    hand.down(draw(drawing, packet) + b"\x12\x34x", packet, "UO-1")


def test_an_offset_that_shrinks_is_outside_the_interval_of_uo_1() -> None:
    # p = 0: the smallest offset that can be told is the reference; one less is 63 more.
    hand = flow4(0x0100)
    packet = v4(0x0101, identification=0x0F00 + 0x0100)
    wrong = v4(0x0101, identification=0x0F00 + 0x0101 + 63)
    octets = draw("10 id:111111 sn:00001 crc:3", packet) + b"\x12\x34x"
    try:
        assert hand.decompressor.decompress(octets).packet == wrong
    except CrcFailure:
        assert draw("10 id:111111 sn:00001 crc:3", wrong)[:2] != octets[:2]


# Type 2: UOR-2 ----------------------------------------------------------------------------------

UOR_2 = [
    # name, new SN, IP-ID offset, drawing, the packet type, whether the compressor chooses it
    ("no extension", 1, 0, "110 sn:00001 x:0 crc:7", "UOR-2", False),
    ("no extension, the last SN", 32, 0, "110 sn:00000 x:0 crc:7", "UOR-2", False),
    (
        "extension 0: SN of 8 bits, offset of 3",
        1,
        7,
        "110 sn:00000 x:1 crc:7 00 sn:001 id:111",
        "UOR-2-EXT-0",
        False,
    ),
    (
        "extension 0: the last SN that 8 bits reach",
        256,
        0,
        "110 sn:00000 x:1 crc:7 00 sn:000 id:000",
        "UOR-2-EXT-0",
        False,
    ),
    (
        "extension 1: offset of 11 bits",
        # 0x0f00 + 0x07ff = 0x16ff, of which 11 bits are 110 11111111
        1,
        0x07FF,
        "110 sn:00000 x:1 crc:7 01 sn:001 id:110 id:11111111",
        "UOR-2-EXT-1",
        True,
    ),
    (
        "extension 1: the smallest that UO-1 cannot tell",
        1,
        64,
        "110 sn:00000 x:1 crc:7 01 sn:001 id:111 id:01000000",
        "UOR-2-EXT-1",
        True,
    ),
    (
        "extension 3: the SN alone",
        300,
        0,
        # SN 0x0200 + 300 = 0x032c: 5 bits in the base header, 8 in the extension.
        "110 sn:00011 x:1 crc:7 11 s:1 mode:01 i:0 ip:0 ip2:0 x2c",
        "UOR-2-EXT-3",
        False,
    ),
    (
        "extension 3: the whole offset",
        1,
        0x0800,
        "110 sn:00001 x:1 crc:7 11 s:0 mode:01 i:1 ip:0 ip2:0 x1700",
        "UOR-2-EXT-3",
        True,
    ),
    (
        "extension 3: an offset that went back",
        1,
        -5,
        "110 sn:00001 x:1 crc:7 11 s:0 mode:01 i:1 ip:0 ip2:0 x0efb",
        "UOR-2-EXT-3",
        True,
    ),
]


@pytest.mark.parametrize(
    ("name", "gap", "offset", "drawing", "kind", "chosen"), UOR_2, ids=[row[0] for row in UOR_2]
)
def test_uor_2_with_each_extension(
    name: str, gap: int, offset: int, drawing: str, kind: str, chosen: bool
) -> None:
    hand = flow4(0x0200)
    sn = 0x0200 + gap
    packet = v4(sn, identification=0x0F00 + sn + offset)
    octets = draw(drawing, packet) + b"\x12\x34x"
    if chosen:
        hand.up(packet, octets, kind)
    hand.down(octets, packet, kind)


IP_FLAGS = [
    # name, fields, drawing behind "110 sn:00001 x:1 crc:7", octets of the tail
    (
        "TOS",
        {"tos": 0xB8},
        "11 s:0 mode:01 i:0 ip:1 ip2:0  tos:1 ttl:0 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0 xb8",
        "1234",
    ),
    (
        "TTL",
        {"ttl": 32},
        "11 s:0 mode:01 i:0 ip:1 ip2:0  tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0 x20",
        "1234",
    ),
    (
        "TOS and TTL",
        {"tos": 0x01, "ttl": 255},
        "11 s:0 mode:01 i:0 ip:1 ip2:0  tos:1 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0 x01ff",
        "1234",
    ),
    (
        "Don't Fragment falls",
        {"flags": 0},
        "11 s:0 mode:01 i:0 ip:1 ip2:0  tos:0 ttl:0 df:0 pr:0 ipx:0 nbo:1 rnd:0 res:0",
        "1234",
    ),
    (
        "TTL and the whole IP-ID offset",
        {"ttl": 1, "identification": 0x9000},
        # 0x9000 - 0x0201 = 0x8dff
        "11 s:0 mode:01 i:1 ip:1 ip2:0  tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0 x01 x8dff",
        "1234",
    ),
]


@pytest.mark.parametrize(
    ("name", "fields", "drawing", "tail"), IP_FLAGS, ids=[row[0] for row in IP_FLAGS]
)
def test_the_inner_ip_flags_of_extension_3(
    name: str, fields: dict[str, int], drawing: str, tail: str
) -> None:
    hand = flow4(0x0200)
    packet = v4(0x0201, **fields)
    octets = draw("110 sn:00001 x:1 crc:7 " + drawing, packet) + bytes.fromhex(tail) + b"x"
    hand.both(packet, octets, "UOR-2-EXT-3")


def test_rnd_announces_whole_ip_ids_behind_every_header() -> None:
    hand = flow4(0x0200)
    packet = v4(0x0201, identification=0xBEEF)
    flags = "tos:0 ttl:0 df:1 pr:0 ipx:0 nbo:1 rnd:1 res:0"
    drawing = f"110 sn:00001 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:0 {flags}"
    hand.down(draw(drawing, packet) + b"\xbe\xef\x12\x34x", packet, "UOR-2-EXT-3")
    packet = v4(0x0202, identification=0x0001)
    hand.down(draw("0 sn:0010 crc:3", packet) + b"\x00\x01\x12\x34x", packet, "UO-0")
    # Six bits of IP-ID in the base header are ignored now (RFC 4815 section 8.2).
    packet = v4(0x0203, identification=0xCAFE)
    octets = draw("10 id:101010 sn:00011 crc:3", packet) + b"\xca\xfe\x12\x34x"
    hand.down(octets, packet, "UO-1")


def test_nbo_0_says_that_the_counter_is_in_the_other_byte_order() -> None:
    hand = flow4(0x0200)
    # The counter is 0x0F01 + 0x0200; swapped on the wire: 0x0111.
    packet = v4(0x0201, identification=0x0111)
    flags = "tos:0 ttl:0 df:1 pr:0 ipx:0 nbo:0 rnd:0 res:0"
    drawing = f"110 sn:00001 x:1 crc:7 11 s:0 mode:01 i:1 ip:1 ip2:0 {flags} x0f00"
    # 0x1101 - 0x0201 = 0x0f00
    hand.down(draw(drawing, packet) + b"\x12\x34x", packet, "UOR-2-EXT-3")
    packet = v4(0x0202, identification=0x0211)
    hand.down(draw("0 sn:0010 crc:3", packet) + b"\x12\x34x", packet, "UO-0")


# IPv6 -------------------------------------------------------------------------------------------

STATIC6 = (
    "6 00000 11 20010db8000a00000000000000000003 20010db8000a00000000000000000020 9c40 1633"
).replace(" ", "")


def flow6(sn: int) -> Hand:
    dynamic = f"0040 00 1234 {sn:04x}"
    return Hand(v6(), initial(0xFD, 2, STATIC6 + dynamic, b"x"), first_sn=sn)


@pytest.mark.parametrize(
    ("name", "fields", "drawing", "kind"),
    [
        ("the successor", {}, "0 sn:1000 crc:3", "UO-0"),
        (
            "Traffic Class",
            {"traffic_class": 0x48},
            "110 sn:01000 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:0 "
            "tos:1 ttl:0 df:0 pr:0 ipx:0 nbo:1 rnd:0 res:0 x48",
            "UOR-2-EXT-3",
        ),
        (
            "Hop Limit",
            {"hop_limit": 7},
            "110 sn:01000 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:0 "
            "tos:0 ttl:1 df:0 pr:0 ipx:0 nbo:1 rnd:0 res:0 x07",
            "UOR-2-EXT-3",
        ),
    ],
)
def test_an_ipv6_flow(name: str, fields: dict[str, int], drawing: str, kind: str) -> None:
    hand = flow6(7)
    packet = v6(**fields)
    hand.both(packet, draw(drawing, packet) + b"\x12\x34x", kind)


@pytest.mark.parametrize(
    ("name", "drawing", "kind"),
    [
        ("UO-1 with idle IP-ID bits", "10 id:111111 sn:01000 crc:3", "UO-1"),
        ("extension 0 with idle bits", "110 sn:00001 x:1 crc:7 00 sn:000 id:101", "UOR-2-EXT-0"),
        (
            "extension 2 with idle bits",
            "110 sn:00001 x:1 crc:7 10 sn:000 id:101 xffaa",
            "UOR-2-EXT-2",
        ),
    ],
)
def test_rfc4815_8_2_ip_id_bits_mean_nothing_with_ipv6(name: str, drawing: str, kind: str) -> None:
    hand = flow6(7)
    hand.down(draw(drawing, v6()) + b"\x12\x34x", v6(), kind)


# Two levels -------------------------------------------------------------------------------------


def tunnel(sn: int, **fields: int) -> bytes:
    """IPv4 in IPv4: offset 0x0F00 inside, 0x2000 outside."""
    inner = ipv4(
        udp(b"x", checksum=0x1234),
        identification=fields.get("inner", 0x0F00 + sn),
        ttl=fields.get("inner_ttl", 64),
    )
    return ipv4(
        inner,
        protocol=4,
        identification=fields.get("outer", 0x2000 + sn),
        ttl=fields.get("outer_ttl", 33),
        tos=fields.get("outer_tos", 0),
        source="10.9.9.9",
    )


def flow_in_tunnel() -> Hand:
    static = "40 04 0a090909 c0000207  40 11 0a000001 c0000207  9c40 1633"
    dynamic = "00 21 2010 a0 00  00 40 0f10 a0 00  1234 0010"
    ir = initial(0xFD, 2, static + dynamic, b"x")
    return Hand(tunnel(0x10), ir, first_sn=0x10)


TUNNEL = [
    ("the successor", {}, "0 sn:0001 crc:3", "UO-0", True),
    ("the inner counter jumps", {"inner": 0x0F12}, "10 id:000001 sn:10001 crc:3", "UO-1", True),
    (
        "both counters jump: extension 2 has IP-ID2 first",
        {"inner": 0x0F15, "outer": 0x2311},
        # inner offset 0x0f04: 8 bits 00000100; outer offset 0x2300: 11 bits 011 00000000
        "110 sn:00010 x:1 crc:7 10 sn:001 id2:011 id2:00000000 id:00000100",
        "UOR-2-EXT-2",
        True,
    ),
    (
        "the outer TTL and TOS",
        {"outer_ttl": 32, "outer_tos": 4},
        "110 sn:10001 x:1 crc:7 11 s:0 mode:01 i:0 ip:0 ip2:1 "
        "tos2:1 ttl2:1 df2:1 pr2:0 ipx2:0 nbo2:1 rnd2:0 i2:0 x0420",
        "UOR-2-EXT-3",
        True,
    ),
    (
        "both TTLs: the inner flags and fields come first",
        {"outer_ttl": 32, "inner_ttl": 63},
        "110 sn:10001 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:1 "
        "tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0 "
        "tos2:0 ttl2:1 df2:1 pr2:0 ipx2:0 nbo2:1 rnd2:0 i2:0 x3f x20",
        "UOR-2-EXT-3",
        True,
    ),
    (
        "the outer IP-ID offset whole: I2 in the outer flags",
        {"outer": 0x9011},
        "110 sn:10001 x:1 crc:7 11 s:0 mode:01 i:0 ip:0 ip2:1 "
        "tos2:0 ttl2:0 df2:1 pr2:0 ipx2:0 nbo2:1 rnd2:0 i2:1 x9000",
        "UOR-2-EXT-3",
        True,
    ),
    (
        "both whole",
        {"outer": 0x9011, "inner": 0x8011},
        "110 sn:10001 x:1 crc:7 11 s:0 mode:01 i:1 ip:0 ip2:1 "
        "tos2:0 ttl2:0 df2:1 pr2:0 ipx2:0 nbo2:1 rnd2:0 i2:1 x8000 x9000",
        "UOR-2-EXT-3",
        True,
    ),
]


@pytest.mark.parametrize(
    ("name", "fields", "drawing", "kind", "chosen"), TUNNEL, ids=[row[0] for row in TUNNEL]
)
def test_two_ip_levels(
    name: str, fields: dict[str, int], drawing: str, kind: str, chosen: bool
) -> None:
    hand = flow_in_tunnel()
    packet = tunnel(0x11, **fields)
    octets = draw(drawing, packet) + b"\x12\x34x"
    if chosen:
        hand.up(packet, octets, kind)
    hand.down(octets, packet, kind)


def test_random_ip_ids_of_both_levels_follow_outermost_first() -> None:
    hand = flow_in_tunnel()
    packet = tunnel(0x11, outer=0xAAAA, inner=0xBBBB)
    flags = "tos:0 ttl:0 df:1 pr:0 ipx:0 nbo:1 rnd:1 res:0"
    outer = "tos2:0 ttl2:0 df2:1 pr2:0 ipx2:0 nbo2:1 rnd2:1 i2:0"
    drawing = f"110 sn:10001 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:1 {flags} {outer}"
    hand.down(draw(drawing, packet) + b"\xaa\xaa\xbb\xbb\x12\x34x", packet, "UOR-2-EXT-3")


def test_with_the_inner_ip_id_random_the_outer_one_takes_the_bits_of_the_base_header() -> None:
    # RFC 4815 8.2: IP-ID is that of the innermost IPv4 header whose RND flag is not 1.
    hand = flow_in_tunnel()
    packet = tunnel(0x11, inner=0xBBBB)
    flags = "tos:0 ttl:0 df:1 pr:0 ipx:0 nbo:1 rnd:1 res:0"
    drawing = f"110 sn:10001 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:0 {flags}"
    hand.down(draw(drawing, packet) + b"\xbb\xbb\x12\x34x", packet, "UOR-2-EXT-3")
    packet = tunnel(0x12, inner=0x0777, outer=0x2012 + 5)
    octets = draw("10 id:000101 sn:10010 crc:3", packet) + b"\x07\x77\x12\x34x"
    hand.down(octets, packet, "UO-1")


def test_outer_flags_for_a_single_header_are_malformed() -> None:
    hand = flow4(1)
    drawing = "110 sn:00010 x:1 crc:0000000 11 s:0 mode:01 i:0 ip:0 ip2:1 x00"
    drawing = drawing.replace("crc:0000000", "0000000")
    with pytest.raises(MalformedPacket, match="outer"):
        hand.decompressor.decompress(draw(drawing) + b"\x12\x34x")


# R-mode -----------------------------------------------------------------------------------------


def reliable(sn: int) -> Decompressor:
    """A decompressor whose context works in R-mode with this SN as its reference."""
    decompressor = Decompressor(Channel(), mode="R")
    decompressor.decompress(ir4(sn))
    packet = v4(sn + 1)
    drawing = f"110 sn:{sn + 1 & 31:05b} x:1 crc:7 11 s:0 mode:11 i:0 ip:0 ip2:0"
    decompressor.decompress(draw(drawing, packet) + b"\x12\x34x")
    assert decompressor._contexts[0].mode.name == "RELIABLE"
    return decompressor


R_MODE = [
    ("R-0: six bits of the SN, no CRC", 2, 0, "00 sn:000010", "R-0"),
    ("R-0 far ahead", 40, 0, "00 sn:101000", "R-0"),
    ("R-0-CRC: seven bits of the SN and of a CRC", 2, 0, "01 sn:000001 sn:0 crc:7", "R-0-CRC"),
    ("R-0-CRC far ahead", 100, 0, "01 sn:110010 sn:0 crc:7", "R-0-CRC"),
    ("R-1: six bits of SN, seven of the IP-ID", 2, 9, "10 sn:000010 x:0 id:0001001", "R-1"),
    (
        "R-1 with extension 0",
        200,
        9,
        # SN 0x0400 + 200 = 0x04c8: nine bits 011001 000; offset 0x0f09: ten bits 1100001 001
        "10 sn:011001 x:1 id:1100001 00 sn:000 id:001",
        "R-1-EXT-0",
    ),
    (
        "R-1 with extension 1",
        2,
        0x0123,
        # 18 bits of the offset 0x0f00 + 0x0123 = 0x1023: 7 in the base header, 3, 8
        "10 sn:000000 x:1 id:0000010 01 sn:010 id:000 id:00100011",
        "R-1-EXT-1",
    ),
    ("UOR-2", 2, 0, "110 sn:00010 x:0 crc:7", "UOR-2"),
]


@pytest.mark.parametrize(
    ("name", "gap", "offset", "drawing", "kind"), R_MODE, ids=[row[0] for row in R_MODE]
)
def test_each_packet_type_of_r_mode(
    name: str, gap: int, offset: int, drawing: str, kind: str
) -> None:
    decompressor = reliable(0x0400)
    sn = 0x0400 + gap
    packet = v4(sn, identification=0x0F00 + sn + offset)
    result = decompressor.decompress(draw(drawing, packet) + b"\x12\x34x")
    assert (result.packet, result.packet_type) == (packet, kind)


@pytest.mark.parametrize("drawing", ["00 sn:{0:06b}", "10 sn:{0:06b} x:0 id:0000000"])
def test_without_crc_no_reference_moves_and_no_ack_is_sent(drawing: str) -> None:
    decompressor = reliable(0x0400)
    for gap in (5, 3, 30):
        packet = v4(0x0400 + gap)
        octets = draw(drawing.format(gap), packet) + b"\x12\x34x"
        result = decompressor.decompress(octets)
        assert result.packet == packet
        headers = decompressor._contexts[0].headers
        assert headers is not None
        assert headers.sn == 0x0401


def test_r_0_crc_moves_the_reference_and_is_acknowledged() -> None:
    decompressor = reliable(0x0400)
    packet = v4(0x0400 + 60)
    sn = f"{0x3C:07b}"
    octets = draw(f"01 sn:{sn[:6]} sn:{sn[6]} crc:7", packet) + b"\x12\x34x"
    # During the transition the ACK has a CRC option; FEEDBACK-1 afterwards.
    assert decompressor.decompress(octets).feedback != b""
    headers = decompressor._contexts[0].headers
    assert headers is not None
    assert headers.sn == 0x043C


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("UO-0 without its checksum", "01"),
        ("UO-0 with half a checksum", "0112"),
        ("UO-1 of one octet", "80"),
        ("UOR-2 of one octet", "c1"),
        ("X without extension", "c180"),
        ("extension 1 cut short", "c18040"),
        ("extension 2 cut short", "c1808000"),
        ("extension 3 without its inner flags", "c180ca"),
        ("extension 3 without its SN", "c180e8"),
        ("extension 3 with half an IP-ID", "c180cc12"),
        ("extension 3 without its outer fields", "c180c980"),
    ],
)
def test_a_packet_cut_short_is_malformed(name: str, octets: str) -> None:
    hand = flow4(0)
    with pytest.raises(MalformedPacket):
        hand.decompressor.decompress(bytes.fromhex(octets))
