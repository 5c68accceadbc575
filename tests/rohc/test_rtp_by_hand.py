"""Profile 0x0001 packet by packet, drawn from RFC 3095 sections 5.7.1 to 5.7.5.

The flow: SN 0x0400, timestamp 160 * SN, IP-ID 0x0F00 + SN. The decompressor gets TS_STRIDE 160 in
a hand-made IR packet; the compressor finds it in three packets. TS_OFFSET is 0, so that the scaled
timestamp of the context is the SN.
"""

from __future__ import annotations

import pytest
from by_hand import draw
from rtp_by_hand import BASE, TAIL, context_of, decompressor_at, ir, rtp

from rohc import Channel, Compressor, CrcFailure, Decompressor, MalformedPacket, Mode


def compressor_at(version: int = 4) -> Compressor:
    """A compressor that knows the stride and has sent `rtp(0)` last."""
    compressor = Compressor(
        Channel(),
        mode="U",
        rtp_ports=(5004,),
        optimistic_repeats=1,
        ir_refresh_packets=0,
        fo_refresh_packets=0,
    )
    for gap in (-3, -2, -1, 0):
        compressor.compress(rtp(gap, version=version))
    assert compressor.last is not None
    assert compressor.last.packet_type == "UO-0"
    return compressor


def check(
    name: str, packet: bytes, octets: bytes, kind: str, chosen: bool, version: int = 4
) -> None:
    """The decompressor restores the packet; the compressor makes the octets if it `chosen`."""
    result = decompressor_at(version).decompress(octets)
    assert (result.packet_type, result.profile) == (kind, 1), name
    assert result.packet == packet, name
    if chosen:
        compressor = compressor_at(version)
        assert compressor.compress(packet).hex(" ") == octets.hex(" "), name


# With an IP-ID that is not random: the T bit ----------------------------------------------------

WITH_T = [
    # name, packet, drawing, packet type, chosen by the compressor
    ("UO-0", rtp(1), "0 sn:0001 crc:3", "UO-0", True),
    ("UO-0, three lost", rtp(4), "0 sn:0100 crc:3", "UO-0", False),
    # p = 1 with four bits: f = [v_ref - 1, v_ref + 14]
    ("UO-0, the last SN", rtp(14), "0 sn:1110 crc:3", "UO-0", False),
    # Where the source leaps the compressor takes a longer CRC.
    ("UOR-2-ID: a leap", rtp(4), "110 id:00000 t:0 m:0 sn:000100 x:0 crc:7", "UOR-2-ID", True),
    (
        "UO-1-ID: the IP-ID offset grows by 3",
        rtp(1, offset=3),
        "10 t:0 id:00011 x:0 sn:0001 crc:3",
        "UO-1-ID",
        True,
    ),
    (
        "UO-1-ID: the IP-ID offset grows by 31",
        rtp(1, offset=31),
        "10 t:0 id:11111 x:0 sn:0001 crc:3",
        "UO-1-ID",
        True,
    ),
    (
        "UO-1-TS: five bits of the scaled timestamp and the marker",
        rtp(1, scaled=5, marker=1),
        "10 t:1 ts:00101 m:1 sn:0001 crc:3",
        "UO-1-TS",
        True,
    ),
    # p = 2^(5-2) - 1 = 7: f = [v_ref - 7, v_ref + 24]
    (
        "UO-1-TS: the farthest timestamp ahead",
        rtp(1, scaled=24),
        "10 t:1 ts:11000 m:0 sn:0001 crc:3",
        "UO-1-TS",
        True,
    ),
    (
        "UO-1-TS: the farthest timestamp behind",
        rtp(1, scaled=-7),
        "10 t:1 ts:11001 m:0 sn:0001 crc:3",
        "UO-1-TS",
        True,
    ),
    (
        "UO-1-TS with the marker alone repeats the timestamp",
        rtp(1, marker=1),
        "10 t:1 ts:00001 m:1 sn:0001 crc:3",
        "UO-1-TS",
        True,
    ),
    (
        "UO-1-ID with extension 0: SN of 7 bits, IP-ID of 8",
        rtp(100, offset=200),
        # SN 0x464: 1100 100; offset 0x0fc8: 11001 000
        "10 t:0 id:11001 x:1 sn:1100 crc:3 00 sn:100 id:000",
        "UO-1-ID-EXT-0",
        False,
    ),
    (
        "UO-1-ID with extension 0, chosen for the IP-ID",
        rtp(1, offset=200),
        "10 t:0 id:11001 x:1 sn:0000 crc:3 00 sn:001 id:000",
        "UO-1-ID-EXT-0",
        True,
    ),
    (
        "UO-1-ID with extension 1: eight bits of timestamp too",
        rtp(1, offset=200, scaled=50),
        # scaled 0x0432: eight bits 00110010
        "10 t:0 id:11001 x:1 sn:0000 crc:3 01 sn:001 id:000 ts:00110010",
        "UO-1-ID-EXT-1",
        False,
    ),
    (
        "UO-1-ID with extension 2: IP-ID of 16 bits, timestamp of 8",
        rtp(1, offset=0x2345, scaled=50),
        # offset 0x0f00 + 0x2345 = 0x3245: 00110 010 01000101
        "10 t:0 id:00110 x:1 sn:0000 crc:3 10 sn:001 id:010 id:01000101 ts:00110010",
        "UO-1-ID-EXT-2",
        False,
    ),
    (
        "UOR-2-ID: five bits of the IP-ID, six of the SN",
        rtp(30, offset=7, marker=1),
        "110 id:00111 t:0 m:1 sn:011110 x:0 crc:7",
        "UOR-2-ID",
        True,
    ),
    (
        "UOR-2-TS: five bits of the timestamp",
        rtp(30, scaled=20),
        # scaled 0x0414: 10100
        "110 ts:10100 t:1 m:0 sn:011110 x:0 crc:7",
        "UOR-2-TS",
        True,
    ),
    (
        "UOR-2-ID with extension 0",
        rtp(200, offset=100),
        # SN 0x4c8: nine bits 011001 000; offset 0x0f64: eight bits 01100 100
        "110 id:01100 t:0 m:0 sn:011001 x:1 crc:7 00 sn:000 id:100",
        "UOR-2-ID-EXT-0",
        False,
    ),
    (
        "UOR-2-TS with extension 0",
        rtp(2, scaled=100),
        # scaled 0x0464: eight bits 01100 100
        "110 ts:01100 t:1 m:0 sn:000000 x:1 crc:7 00 sn:010 ts:100",
        "UOR-2-TS-EXT-0",
        False,
    ),
    (
        "UOR-2-ID with extension 1: eight bits of timestamp",
        rtp(2, offset=100, scaled=50),
        "110 id:01100 t:0 m:0 sn:000000 x:1 crc:7 01 sn:010 id:100 ts:00110010",
        "UOR-2-ID-EXT-1",
        False,
    ),
    (
        "UOR-2-TS with extension 1: eight bits of IP-ID",
        rtp(2, offset=100, scaled=100),
        "110 ts:01100 t:1 m:0 sn:000000 x:1 crc:7 01 sn:010 ts:100 id:01100100",
        "UOR-2-TS-EXT-1",
        False,
    ),
    (
        "UOR-2-ID with extension 2: +T is the IP-ID",
        rtp(2, offset=0x2345, scaled=50),
        "110 id:00110 t:0 m:0 sn:000000 x:1 crc:7 10 sn:010 id:010 id:01000101 ts:00110010",
        "UOR-2-ID-EXT-2",
        False,
    ),
    (
        "UOR-2-TS with extension 2: +T is the timestamp",
        rtp(2, scaled=0x5000, offset=9),
        # scaled 0x5400: sixteen bits 01010 100 00000000; offset 0x0f09: eight bits 00001001
        "110 ts:01010 t:1 m:0 sn:000000 x:1 crc:7 10 sn:010 ts:100 ts:00000000 id:00001001",
        "UOR-2-TS-EXT-2",
        False,
    ),
]


@pytest.mark.parametrize(
    ("name", "packet", "drawing", "kind", "chosen"), WITH_T, ids=[row[0] for row in WITH_T]
)
def test_packets_with_a_sequential_ip_id(
    name: str, packet: bytes, drawing: str, kind: str, chosen: bool
) -> None:
    check(name, packet, draw(drawing, packet, rtp=True) + TAIL, kind, chosen)


# Without: IPv6 ----------------------------------------------------------------------------------

WITHOUT_T = [
    ("UO-0", {"gap": 1}, "0 sn:0001 crc:3", "UO-0", True),
    (
        "UO-1: six bits of the timestamp, the marker",
        {"gap": 1, "scaled": 40, "marker": 1},
        "10 ts:101000 m:1 sn:0001 crc:3",
        "UO-1",
        True,
    ),
    # p = 2^(6-2) - 1 = 15: f = [v_ref - 15, v_ref + 48]
    (
        "UO-1: the farthest ahead",
        {"gap": 1, "scaled": 48},
        "10 ts:110000 m:0 sn:0001 crc:3",
        "UO-1",
        True,
    ),
    (
        "UO-1: the farthest behind",
        {"gap": 1, "scaled": -15},
        "10 ts:110001 m:0 sn:0001 crc:3",
        "UO-1",
        True,
    ),
    (
        "UOR-2: six bits of the timestamp around the type octet's end",
        {"gap": 20, "scaled": 40},
        "110 ts:10100 ts:0 m:0 sn:010100 x:0 crc:7",
        "UOR-2",
        True,
    ),
    (
        "UOR-2 with extension 0: nine bits of each",
        {"gap": 200, "scaled": 240},
        # SN 0x4c8: 011001 000; scaled 0x4f0: nine bits 011110 000
        "110 ts:01111 ts:0 m:0 sn:011001 x:1 crc:7 00 sn:000 ts:000",
        "UOR-2-EXT-0",
        False,
    ),
    (
        "UOR-2 with extension 1: seventeen bits of timestamp",
        {"gap": 2, "scaled": 0x5000},
        # scaled 0x05400: 001010 100 00000000
        "110 ts:00101 ts:0 m:0 sn:000000 x:1 crc:7 01 sn:010 ts:100 ts:00000000",
        "UOR-2-EXT-1",
        True,
    ),
    (
        "UOR-2 with extension 2: twenty-five bits of timestamp",
        {"gap": 2, "scaled": 0x123456 - BASE},
        # scaled 0x0123456: 000010 010 00110100 01010110
        "110 ts:00001 ts:0 m:0 sn:000000 x:1 crc:7 10 sn:010 ts:010 ts:00110100 ts:01010110",
        "UOR-2-EXT-2",
        True,
    ),
]


@pytest.mark.parametrize(
    ("name", "fields", "drawing", "kind", "chosen"), WITHOUT_T, ids=[row[0] for row in WITHOUT_T]
)
def test_packets_without_an_ip_id(
    name: str, fields: dict[str, int], drawing: str, kind: str, chosen: bool
) -> None:
    gap = fields.pop("gap")
    packet = rtp(gap, version=6, **fields)  # type: ignore[arg-type]
    fields["gap"] = gap
    check(name, packet, draw(drawing, packet, rtp=True) + TAIL, kind, chosen, version=6)


# Extension 3 ------------------------------------------------------------------------------------

EXTENSION_3 = [
    (
        "the unscaled timestamp with a new stride",
        rtp(1, timestamp=160 * BASE + 80),
        # TS 0x28050 = 163920; five bits in the base header, fourteen in the extension
        # SDVL of 14 bits: 10 00000001010000 = 0x8050; above it 01010 (163920 >> 14 = 10)
        "110 ts:01010 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:1 tsc:0 i:0 ip:0 rtp:1 x8050 mode:01 rpt:0 m:0 rx:0 csrc:0 tss:1 tis:0 x50",
        80,
    ),
    (
        "the payload type",
        rtp(1, payload_type=0),
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 mode:01 rpt:1 m:0 rx:0 csrc:0 tss:0 tis:0 x00",
        160,
    ),
    (
        "payload type and padding bit share an octet",
        rtp(1, payload_type=8, padding=1),
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 mode:01 rpt:1 m:0 rx:0 csrc:0 tss:0 tis:0 x88",
        160,
    ),
    (
        "the X bit",
        rtp(1, extension=1),
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 mode:01 rpt:0 m:0 rx:1 csrc:0 tss:0 tis:0",
        160,
    ),
    (
        "the marker in both places",
        rtp(1, marker=1, payload_type=8),
        "110 ts:00001 t:1 m:1 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 mode:01 rpt:1 m:1 rx:0 csrc:0 tss:0 tis:0 x08",
        160,
    ),
    (
        "a CSRC list: ET 0, 4-bit XI, two items of index 0 and 1",
        rtp(1, csrcs=(0x11111111, 0x22222222)),
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 mode:01 rpt:0 m:0 rx:0 csrc:1 tss:0 tis:0 "
        "et:00 gp:0 ps:0 cc:0010 x1:1 i1:000 x2:1 i2:001 x11111111 x22222222",
        160,
    ),
    (
        "the TTL, the flags of the inner IP header first",
        rtp(1, ttl=63),
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:1 rtp:0 "
        "tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 ip2:0 x3f",
        160,
    ),
    (
        "a whole IP-ID offset",
        rtp(1, offset=0x4000),
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 11 s:0 rts:0 tsc:1 i:1 ip:0 rtp:0 x4f00",
        160,
    ),
    (
        "fourteen more SN and timestamp bits",
        rtp(0x0700, scaled=0x1700),
        # SN 0x0b00: six bits 001011, eight 00; scaled 0x1b00: 19 bits 00000 01101100000000
        "110 ts:00000 t:1 m:0 sn:001011 x:1 crc:7 11 s:1 rts:1 tsc:1 i:0 ip:0 rtp:0 x00 x9b00",
        160,
    ),
    (
        "a TIME_STRIDE of 20 ms",
        rtp(1),
        "110 ts:00001 t:1 m:0 sn:000001 x:1 crc:7 "
        "11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 mode:01 rpt:0 m:0 rx:0 csrc:0 tss:0 tis:1 x14",
        160,
    ),
]
CHOSEN = {
    "the payload type",
    "the TTL, the flags of the inner IP header first",
    "a CSRC list: ET 0, 4-bit XI, two items of index 0 and 1",
}


@pytest.mark.parametrize(
    ("name", "packet", "drawing", "stride"), EXTENSION_3, ids=[row[0] for row in EXTENSION_3]
)
def test_extension_3_of_a_timestamp_packet(
    name: str, packet: bytes, drawing: str, stride: int
) -> None:
    octets = draw(drawing, packet, rtp=True) + TAIL
    decompressor = decompressor_at()
    result = decompressor.decompress(octets)
    assert (result.packet, result.packet_type) == (packet, "UOR-2-TS-EXT-3")
    headers = context_of(decompressor).headers
    assert headers is not None
    assert headers.ts_stride == stride
    assert headers.ts_offset == headers.timestamp % stride
    if name in CHOSEN:
        assert compressor_at().compress(packet).hex(" ") == octets.hex(" ")


def test_a_time_stride_stands_in_the_context() -> None:
    decompressor = decompressor_at()
    _, packet, drawing, _ = EXTENSION_3[-1]
    decompressor.decompress(draw(drawing, packet, rtp=True) + TAIL)
    headers = context_of(decompressor).headers
    assert headers is not None
    assert headers.time_stride == 20


def test_what_extension_3_gave_stays_for_the_packets_behind_it() -> None:
    decompressor = decompressor_at()
    packet = rtp(1, payload_type=8, padding=1)
    drawing = EXTENSION_3[2][2]
    decompressor.decompress(draw(drawing, packet, rtp=True) + TAIL)
    packet = rtp(2, payload_type=8, padding=1)
    result = decompressor.decompress(draw("0 sn:0010 crc:3", packet, rtp=True) + TAIL)
    assert result.packet == packet


def test_uo_1_id_with_extension_3_updates_nothing_but_sn_ts_and_ip_id() -> None:
    # RFC 3095 5.7.3, RFC 4815 6.2
    decompressor = decompressor_at()
    packet = rtp(1, offset=2, payload_type=8, ttl=9)
    drawing = (
        "10 t:0 id:00010 x:1 sn:0001 crc:3 11 s:0 rts:0 tsc:1 i:0 ip:1 rtp:1 "
        "tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 ip2:0 x09 "
        "mode:01 rpt:1 m:0 rx:0 csrc:0 tss:0 tis:0 x08"
    )
    result = decompressor.decompress(draw(drawing, packet, rtp=True) + TAIL)
    assert (result.packet, result.packet_type) == (packet, "UO-1-ID-EXT-3")
    packet = rtp(2, offset=2)
    result = decompressor.decompress(draw("0 sn:0010 crc:3", packet, rtp=True) + TAIL)
    assert result.packet == packet


# RND --------------------------------------------------------------------------------------------


def test_with_a_random_ip_id_the_packets_have_no_t_bit() -> None:
    decompressor = Decompressor(Channel(), mode="U")
    assert decompressor.decompress(ir(random_id=True)).packet == rtp(0)
    rows = [
        ("UO-0", 1, "0 sn:0001 crc:3", {}),
        ("UO-1", 2, "10 ts:100010 m:1 sn:0010 crc:3", {"scaled": 34, "marker": 1}),
        ("UOR-2", 3, "110 ts:10010 ts:1 m:0 sn:000011 x:0 crc:7", {"scaled": 37}),
    ]
    for kind, gap, drawing, fields in rows:
        packet = rtp(gap, identification=0xA000 + 77 * gap, **fields)  # type: ignore[arg-type]
        tail = (0xA000 + 77 * gap).to_bytes(2, "big") + TAIL
        result = decompressor.decompress(draw(drawing, packet, rtp=True) + tail)
        assert (result.packet, result.packet_type) == (packet, kind)


def test_rfc4815_8_3_rnd_in_extension_3_makes_it_a_uor_2_without_t() -> None:
    decompressor = decompressor_at()
    packet = rtp(1, scaled=33, identification=0xBEEF)
    # Six bits of the scaled timestamp 0x421: 10000 1.
    drawing = (
        "110 ts:10000 ts:1 m:0 sn:000001 x:1 crc:7 11 s:0 rts:0 tsc:1 i:0 ip:1 rtp:0 "
        "tos:0 ttl:0 df:1 pr:0 ipx:0 nbo:1 rnd:1 ip2:0"
    )
    result = decompressor.decompress(draw(drawing, packet, rtp=True) + b"\xbe\xef" + TAIL)
    assert (result.packet, result.packet_type) == (packet, "UOR-2-EXT-3")


# R-mode -----------------------------------------------------------------------------------------


def reliable(version: int = 4) -> Decompressor:
    decompressor = Decompressor(Channel(), mode="R")
    decompressor.decompress(ir(version, mode="01"))
    decompressor.decompress(ir(version, mode="11"))
    assert context_of(decompressor).mode == Mode.RELIABLE
    return decompressor


R_MODE = [
    ("R-0", 4, {"gap": 2}, "00 sn:000010", "R-0"),
    ("R-0-CRC", 4, {"gap": 2}, "01 sn:000001 sn:0 crc:7", "R-0-CRC"),
    (
        "R-1-ID",
        4,
        {"gap": 2, "offset": 9, "marker": 1},
        "10 sn:000010 m:1 x:0 t:0 id:01001",
        "R-1-ID",
    ),
    ("R-1-TS", 4, {"gap": 2, "scaled": 9}, "10 sn:000010 m:0 x:0 t:1 ts:01001", "R-1-TS"),
    (
        "R-1-ID with extension 0",
        4,
        {"gap": 2, "offset": 200},
        "10 sn:000000 m:0 x:1 t:0 id:11001 00 sn:010 id:000",
        "R-1-ID-EXT-0",
    ),
    (
        "R-1-TS with extension 1",
        4,
        {"gap": 2, "offset": 100, "scaled": 100},
        "10 sn:000000 m:0 x:1 t:1 ts:01100 01 sn:010 ts:100 id:01100100",
        "R-1-TS-EXT-1",
    ),
    (
        "R-1-ID with extension 2",
        4,
        {"gap": 2, "offset": 0x2345, "scaled": 50},
        "10 sn:000000 m:0 x:1 t:0 id:00110 10 sn:010 id:010 id:01000101 ts:00110010",
        "R-1-ID-EXT-2",
    ),
    ("R-1", 6, {"gap": 2, "scaled": 41}, "10 sn:000010 m:0 x:0 ts:101001", "R-1"),
    (
        "R-1 with extension 0",
        6,
        {"gap": 2, "scaled": 240},
        "10 sn:000000 m:0 x:1 ts:011110 00 sn:010 ts:000",
        "R-1-EXT-0",
    ),
    (
        "R-1 with extension 1",
        6,
        {"gap": 2, "scaled": 0x5000},
        "10 sn:000000 m:0 x:1 ts:001010 01 sn:010 ts:100 ts:00000000",
        "R-1-EXT-1",
    ),
    ("UOR-2", 6, {"gap": 2}, "110 ts:00001 ts:0 m:0 sn:000010 x:0 crc:7", "UOR-2"),
]


@pytest.mark.parametrize(
    ("name", "version", "fields", "drawing", "kind"), R_MODE, ids=[row[0] for row in R_MODE]
)
def test_each_packet_type_of_r_mode(
    name: str, version: int, fields: dict[str, int], drawing: str, kind: str
) -> None:
    packet = rtp(version=version, **fields)  # type: ignore[arg-type]
    result = reliable(version).decompress(draw(drawing, packet, rtp=True) + TAIL)
    assert (result.packet, result.packet_type) == (packet, kind)


def test_r_1_with_extension_3_may_carry_anything() -> None:
    decompressor = reliable()
    packet = rtp(2, offset=1, ttl=9, payload_type=0)
    drawing = (
        "10 sn:000010 m:0 x:1 t:0 id:00001 11 s:0 rts:0 tsc:1 i:0 ip:1 rtp:1 "
        "tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 ip2:0 x09 "
        "mode:11 rpt:1 m:0 rx:0 csrc:0 tss:0 tis:0 x00"
    )
    result = decompressor.decompress(draw(drawing, packet, rtp=True) + TAIL)
    assert (result.packet, result.packet_type) == (packet, "R-1-ID-EXT-3")
    headers = context_of(decompressor).headers
    assert headers is not None
    assert (headers.levels[0].ttl, headers.payload_type) == (64, 96)


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "drawing", "error"),
    [
        ("UO-1-ID of one octet", "10 t:0 id:00000", MalformedPacket),
        ("UO-1-TS of one octet", "10 t:1 ts:00000", MalformedPacket),
        ("UOR-2 of two octets", "110 00000 t:1 m:0 000001", MalformedPacket),
        ("an extension that is not there", "10 t:0 00000 x:1 sn:0001 000", MalformedPacket),
        (
            "extension 3 without its timestamp",
            "110 00001 1 0 000001 x:1 0000000 11 s:0 rts:1 tsc:1 i:0 ip:0 rtp:0",
            MalformedPacket,
        ),
        (
            "a timestamp cut short",
            "110 00001 1 0 000001 x:1 0000000 11 s:0 rts:1 tsc:1 i:0 ip:0 rtp:0 xe0",
            MalformedPacket,
        ),
        (
            "a CSRC list that names an unknown index",
            "110 00001 1 0 000001 x:1 0000000 11 s:0 rts:0 tsc:1 i:0 ip:0 rtp:1 "
            "mode:01 rpt:0 m:0 rx:0 csrc:1 tss:0 tis:0 x01 x40",
            MalformedPacket,
        ),
        ("a wrong CRC", "110 ts:00010 t:1 m:0 sn:000010 x:0 1111111 x123476", CrcFailure),
    ],
)
def test_what_no_format_allows_is_refused(name: str, drawing: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        decompressor_at().decompress(draw(drawing))
