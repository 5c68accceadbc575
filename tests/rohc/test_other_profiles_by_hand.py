"""Profiles 0x0003, 0x0004, 0x0007 and 0x0008 packet by packet, drawn by hand.

RFC 3095 section 5.12 (ESP), RFC 3843 (IP) and RFC 4019 (UDP-Lite) say what differs from the formats
of sections 5.7 and 5.11; each part of this file begins with that.
"""

from __future__ import annotations

import pytest
from by_hand import Hand, draw, initial
from rohc_packets import ipv4, ipv6, udp

from rohc import Channel, Compressor, CrcFailure, Decompressor, MalformedPacket

IP4 = "40 {protocol:02x} 0a000001 c0000207"
DYN4 = "00 40 {identification:04x} {flags} 00"

# ESP: the SN is the 32-bit sequence number of the ESP header (5.12) -----------------------------


def esp(sequence: int, **fields: int) -> bytes:
    body = (0xCAFE0001 << 32 | sequence & 0xFFFFFFFF).to_bytes(8, "big") + b"secret"
    identification = fields.pop("identification", 0x0F00 + sequence & 0xFFFF)
    return ipv4(body, protocol=50, identification=identification, **fields)


def esp_ir(sequence: int) -> bytes:
    static = IP4.format(protocol=50) + "cafe0001"
    dynamic = DYN4.format(identification=0x0F00 + sequence & 0xFFFF, flags="a0")
    return initial(0xFD, 3, f"{static} {dynamic} {sequence:08x}", b"secret")


def esp_flow(sequence: int) -> Hand:
    return Hand(esp(sequence), esp_ir(sequence))


ESP_ROWS = [
    ("the successor", 0x10000, 0x10001, {}, "0 sn:0001 crc:3", "UO-0", True),
    ("four bits wrap around", 0x1000F, 0x10010, {}, "0 sn:0000 crc:3", "UO-0", True),
    ("thirty-two bits wrap around", 0xFFFFFFFF, 0, {}, "0 sn:0000 crc:3", "UO-0", True),
    # p = 1 with four bits: f = [v_ref - 1, v_ref + 14]
    ("the farthest of four bits", 0x100, 0x10E, {}, "0 sn:1110 crc:3", "UO-0", False),
    # p = 2^(5-5) - 1 = 0 with five bits: f = [v_ref, v_ref + 31]
    ("five bits", 0x100, 0x10F, {}, "10 id:000000 sn:01111 crc:3", "UO-1", False),
    ("the farthest of five bits", 0x100, 0x11F, {}, "10 id:000000 sn:11111 crc:3", "UO-1", False),
    # Where the source leaps the compressor takes a longer CRC, and half of an interval.
    ("a leap", 0x100, 0x102, {}, "110 sn:00010 x:0 crc:7", "UOR-2", True),
    ("a leap as far as five bits go", 0x100, 0x110, {}, "110 sn:10000 x:0 crc:7", "UOR-2", True),
    (
        "a leap as far as eight bits go",
        0x100,
        0x180,
        {},
        "110 sn:10000 x:1 crc:7 00 sn:000 id:000",
        "UOR-2-EXT-0",
        True,
    ),
    (
        # p = 2^(8-5) - 1 = 7 with eight bits: f = [v_ref - 7, v_ref + 248]
        "eight bits",
        0x100,
        0x120,
        {},
        "110 sn:00100 x:1 crc:7 00 sn:000 id:000",
        "UOR-2-EXT-0",
        True,
    ),
    (
        "the farthest of eight bits",
        0x100,
        0x100 + 248,
        {},
        # 0x1f8: eight bits 11111 000
        "110 sn:11111 x:1 crc:7 00 sn:000 id:000",
        "UOR-2-EXT-0",
        False,
    ),
    (
        # p = 2^(13-5) - 1 = 255 with thirteen bits: f = [v_ref - 255, v_ref + 7936]
        "thirteen bits",
        0x100,
        0x100 + 249,
        {},
        # 0x1f9: thirteen bits 00001 11111001
        "110 sn:00001 x:1 crc:7 11 s:1 mode:01 i:0 ip:0 ip2:0 xf9",
        "UOR-2-EXT-3",
        True,
    ),
    (
        "a leap as far as thirteen bits go",
        0x100,
        0x1100,
        {},
        # 0x1100: thirteen bits 10001 00000000
        "110 sn:10001 x:1 crc:7 11 s:1 mode:01 i:0 ip:0 ip2:0 x00",
        "UOR-2-EXT-3",
        True,
    ),
    (
        "the farthest of thirteen bits",
        0x100,
        0x100 + 7936,
        {},
        # 0x2000: thirteen bits 00000 00000000
        "110 sn:00000 x:1 crc:7 11 s:1 mode:01 i:0 ip:0 ip2:0 x00",
        "UOR-2-EXT-3",
        False,
    ),
    (
        "the TTL",
        0x100,
        0x101,
        {"ttl": 5},
        "110 sn:00001 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:0 "
        "tos:0 ttl:1 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0 x05",
        "UOR-2-EXT-3",
        True,
    ),
]


@pytest.mark.parametrize(
    ("name", "first", "second", "fields", "drawing", "kind", "chosen"),
    ESP_ROWS,
    ids=[row[0] for row in ESP_ROWS],
)
def test_esp(
    name: str,
    first: int,
    second: int,
    fields: dict[str, int],
    drawing: str,
    kind: str,
    chosen: bool,
) -> None:
    hand = esp_flow(first)
    packet = esp(second, **fields)
    octets = draw(drawing, packet) + b"secret"
    if chosen:
        hand.up(packet, octets, kind)
    hand.down(octets, packet, kind)


@pytest.mark.parametrize("sequence", [0x1101, 0x100, 0xFF])
def test_where_thirteen_bits_leave_a_doubt_the_esp_sequence_number_goes_into_ir_dyn(
    sequence: int,
) -> None:
    hand = esp_flow(0x100)
    packet = esp(sequence)
    dynamic = DYN4.format(identification=0x0F00 + sequence, flags="a0") + f"{sequence:08x}"
    hand.both(packet, initial(0xF8, 3, dynamic, b"secret"), "IR-DYN")


def test_esp_over_ipv6_and_in_a_tunnel() -> None:
    def packet(sequence: int) -> bytes:
        inner = ipv6((7 << 32 | sequence).to_bytes(8, "big") + b"s", next_header=50)
        return ipv4(inner, protocol=41, identification=sequence)

    static = (
        IP4.format(protocol=41)
        + "600000 32 20010db8000a00000000000000000003 20010db8000a00000000000000000020"
        + "00000007"
    )
    dynamic = DYN4.format(identification=3, flags="a0") + "004000" + "00000003"
    hand = Hand(packet(3), initial(0xFD, 3, static + dynamic, b"s"))
    hand.both(packet(4), draw("0 sn:0100 crc:3", packet(4)) + b"s", "UO-0")


# IP only: SN of the compressor, a chain of any length, SID (RFC 3843) ---------------------------


def ping(sn: int, **fields: int) -> bytes:
    identification = fields.pop("identification", 0x0F00 + sn)
    return ipv4(b"\x08\x00ping", protocol=1, identification=identification, **fields)


def ip_ir(sn: int, flags: str = "a0", identification: int | None = None) -> bytes:
    number = 0x0F00 + sn if identification is None else identification
    chains = IP4.format(protocol=1) + DYN4.format(identification=number, flags=flags)
    return initial(0xFD, 4, f"{chains} {sn:04x}", b"\x08\x00ping")


def test_ip_only_ends_its_headers_behind_the_last_ip_header() -> None:
    hand = Hand(ping(0x20), ip_ir(0x20), first_sn=0x20)
    for sn, fields, drawing, kind in (
        (0x21, {}, "0 sn:0001 crc:3", "UO-0"),
        (0x22, {"identification": 0x0F24}, "10 id:000010 sn:00010 crc:3", "UO-1"),
        (
            0x23,
            {"identification": 0x0F25, "tos": 8},
            "110 sn:00011 x:1 crc:7 11 s:0 mode:01 i:0 ip:1 ip2:0 "
            "tos:1 ttl:0 df:1 pr:0 ipx:0 nbo:1 rnd:0 res:0 x08",
            "UOR-2-EXT-3",
        ),
        (0x24, {"identification": 0x0F26, "tos": 8}, "0 sn:0100 crc:3", "UO-0"),
    ):
        packet = ping(sn, **fields)
        octets = draw(drawing, packet, last=True) + b"\x08\x00ping"
        hand.both(packet, octets, kind)


def test_rfc3843_3_3_a_constant_ip_id_is_told_with_the_sid_flag() -> None:
    # flags: DF 1, RND 0, NBO 1, SID 1
    decompressor = Decompressor(Channel(), mode="U")
    ir = ip_ir(0x20, flags="b0", identification=0x7777)
    assert decompressor.decompress(ir).packet == ping(0x20, identification=0x7777)
    for sn in range(0x21, 0x31):
        packet = ping(sn, identification=0x7777)
        octets = draw(f"0 sn:{sn & 15:04b} crc:3", packet, last=True) + b"\x08\x00ping"
        assert decompressor.decompress(octets).packet == packet


def test_rfc3843_3_1_the_static_chain_of_a_fragment_ends_at_its_ip_header() -> None:
    # Version 0xC is IPv4 whose next header is IP, but not for this chain.
    inner = ipv4(udp(b"x"), flags=0x2000)
    packet = ipv4(inner, protocol=4, identification=9)
    chains = "c0 04 0a000001 c0000207" + DYN4.format(identification=9, flags="a0") + "0001"
    ir = initial(0xFD, 4, chains, inner)
    Hand(packet, ir, first_sn=1)


def levels_of(count: int, sn: int) -> bytes:
    packet = ping(sn)
    for level in range(1, count):
        packet = ipv4(packet, protocol=4, identification=level * 0x1000 + sn, ttl=64 - level)
    return packet


@pytest.mark.parametrize("count", [3, 4, 7])
def test_rfc3843_3_6_more_than_two_levels_send_the_rest_as_dynamic_chains(count: int) -> None:
    static, dynamic = "", ""
    for level in range(count - 1, -1, -1):
        static += IP4.format(protocol=1 if not level else 4)
        identification = level * 0x1000 + 0x40 if level else 0x0F40
        dynamic += f"00 {64 - level:02x} {identification:04x} a0 00"
    ir = initial(0xFD, 4, f"{static} {dynamic} 0040", b"\x08\x00ping")
    hand = Hand(levels_of(count, 0x40), ir, first_sn=0x40)
    packet = levels_of(count, 0x41)
    chains = ""
    for level in range(count - 3, -1, -1):
        identification = level * 0x1000 + 0x41 if level else 0x0F41
        chains += f"00 {64 - level:02x} {identification:04x} a0 00"
    crc_over = packet
    from by_hand import crc, crc_order

    value = crc(3, crc_order(crc_over, levels=count, last=True))
    octets = draw(f"0 sn:0001 {value:03b}") + bytes.fromhex(chains) + b"\x08\x00ping"
    hand.both(packet, octets, "UO-0")


# UDP-Lite without RTP: the checksum is always there, the coverage perhaps (RFC 4019) -------------


def lite(sn: int, coverage: int | None = None, payload: bytes = b"light") -> bytes:
    datagram = udp(payload, checksum=0x1234)
    covered = len(datagram) if coverage is None else coverage
    datagram = datagram[:4] + covered.to_bytes(2, "big") + datagram[6:]
    return ipv4(datagram, protocol=136, identification=0x0F00 + sn)


def lite_ir(sn: int, coverage: int, payload: bytes = b"light") -> bytes:
    static = IP4.format(protocol=136) + "9c40 1633"
    dynamic = DYN4.format(identification=0x0F00 + sn, flags="a0")
    return initial(0xFD, 8, f"{static} {dynamic} {coverage:04x} 1234 {sn:04x}", payload)


def lite_flow(coverage: int | None = None) -> Hand:
    covered = 13 if coverage is None else coverage
    return Hand(lite(0x50, coverage), lite_ir(0x50, covered), first_sn=0x50)


def test_rfc4019_5_2_2_a_coverage_of_the_whole_datagram_is_inferred_for_every_length() -> None:
    hand = lite_flow()
    for sn, payload in ((0x51, b"light"), (0x52, b"lighter"), (0x53, b"")):
        packet = lite(sn, payload=payload)
        octets = draw(f"0 sn:{sn & 15:04b} crc:3", packet) + b"\x12\x34" + payload
        hand.both(packet, octets, "UO-0")


def test_rfc4019_5_2_2_another_coverage_in_the_ir_packet_stands_in_every_packet() -> None:
    hand = lite_flow(8)
    for sn, coverage in ((0x51, 8), (0x52, 10), (0x53, 0)):
        packet = lite(sn, coverage)
        octets = draw(f"0 sn:{sn & 15:04b} crc:3", packet)
        octets += coverage.to_bytes(2, "big") + b"\x12\x34light"
        hand.down(octets, packet, "UO-0")


CCE = [
    (
        # F 0 K 1
        "CCE: the coverage of this packet alone",
        "111110 f:0 k:1 0 sn:0001 crc:3",
        "UO-0-CCE",
        False,
    ),
    # F 1 K 0
    ("CCE(ON): from now on in every packet", "111110 f:1 k:0 0 sn:0001 crc:3", "UO-0-CCE-ON", True),
]


@pytest.mark.parametrize(("name", "drawing", "kind", "stays"), CCE, ids=[row[0] for row in CCE])
def test_rfc4019_5_3_2_each_cce_packet(name: str, drawing: str, kind: str, stays: bool) -> None:
    hand = lite_flow()
    packet = lite(0x51, 9)
    hand.down(draw(drawing, packet) + b"\x00\x09\x12\x34light", packet, kind)
    packet = lite(0x52, 11 if stays else None)
    octets = draw("0 sn:0010 crc:3", packet)
    octets += (b"\x00\x0b" if stays else b"") + b"\x12\x34light"
    hand.down(octets, packet, "UO-0")


def test_rfc4019_5_3_2_3_cce_off_makes_its_coverage_that_of_the_context() -> None:
    hand = lite_flow(8)
    packet = lite(0x51, 10)
    octets = draw("111110 f:1 k:1 0 sn:0001 crc:3", packet) + b"\x00\x0a\x12\x34light"
    hand.down(octets, packet, "UO-0-CCE-OFF")
    for sn in (0x52, 0x53):
        packet = lite(sn, 10)
        octets = draw(f"0 sn:{sn & 15:04b} crc:3", packet) + b"\x12\x34light"
        hand.down(octets, packet, "UO-0")


def test_rfc4019_5_3_2_3_cce_off_with_the_whole_coverage_infers_it_from_then_on() -> None:
    hand = lite_flow(8)
    packet = lite(0x51)
    octets = draw("111110 f:1 k:1 0 sn:0001 crc:3", packet) + b"\x00\x0d\x12\x34light"
    hand.down(octets, packet, "UO-0-CCE-OFF")
    packet = lite(0x52, payload=b"longer than before")
    octets = draw("0 sn:0010 crc:3", packet) + b"\x12\x34longer than before"
    hand.down(octets, packet, "UO-0")


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ("10 id:000100 sn:10001 crc:3", "UO-1-CCE"),
        ("110 sn:10001 x:0 crc:7", "UOR-2-CCE"),
        ("110 sn:01010 x:1 crc:7 00 sn:001 id:100", "UOR-2-EXT-0-CCE"),
    ],
)
def test_a_cce_octet_stands_before_every_type(inner: str, kind: str) -> None:
    hand = lite_flow()
    packet = lite(0x51, 9)
    if "id" in inner:
        packet = ipv4(packet[20:], protocol=136, identification=0x0F51 + 4)
    hand.down(draw("111110 f:0 k:1 " + inner, packet) + b"\x00\x09\x12\x34light", packet, kind)


def test_a_coverage_cut_short_is_malformed() -> None:
    hand = lite_flow(8)
    with pytest.raises(MalformedPacket, match="coverage"):
        hand.decompressor.decompress(b"\x08\x00")
    with pytest.raises(MalformedPacket, match="checksum"):
        hand.decompressor.decompress(b"\x08\x00\x08\x12")


# UDP-Lite with RTP ------------------------------------------------------------------------------


def lite_rtp(sn: int, scaled: int | None = None, coverage: int = 20) -> bytes:
    timestamp = 160 * (sn if scaled is None else scaled)
    head = b"\x80\x60" + sn.to_bytes(2, "big") + timestamp.to_bytes(4, "big") + b"ssrc"
    datagram = udp(head + b"v", destination_port=5004, checksum=0x1234)
    datagram = datagram[:4] + coverage.to_bytes(2, "big") + datagram[6:]
    return ipv4(datagram, protocol=136, identification=0x0F00 + sn)


def lite_rtp_at(sn: int, coverage: int) -> Decompressor:
    static = IP4.format(protocol=136) + "9c40 138c" + b"ssrc".hex()
    dynamic = DYN4.format(identification=0x0F00 + sn, flags="a0")
    part = f"90 60 {sn:04x} {160 * sn:08x} 00 05 80a0"
    ir = initial(0xFD, 7, f"{static} {dynamic} {coverage:04x} 1234 {part}", b"v")
    decompressor = Decompressor(Channel(), mode="U")
    assert decompressor.decompress(ir).packet == lite_rtp(sn, coverage=coverage)
    return decompressor


@pytest.mark.parametrize(
    ("name", "scaled", "drawing", "kind"),
    [
        ("the successor", None, "0 sn:0001 crc:3", "UO-0"),
        ("five bits of timestamp", 0x69, "10 t:1 ts:01001 m:0 sn:0001 crc:3", "UO-1-TS"),
        ("UOR-2-TS", 0x69, "110 ts:01001 t:1 m:0 sn:100001 x:0 crc:7", "UOR-2-TS"),
    ],
)
@pytest.mark.parametrize("coverage", [20, 21])
def test_rtp_over_udp_lite_has_the_formats_of_rtp(
    name: str, scaled: int | None, drawing: str, kind: str, coverage: int
) -> None:
    decompressor = lite_rtp_at(0x60, coverage)
    packet = lite_rtp(0x61, scaled, coverage)
    carried = coverage.to_bytes(2, "big") if coverage == 20 else b""
    octets = draw(drawing, packet, rtp=True) + carried + b"\x12\x34v"
    result = decompressor.decompress(octets)
    assert (result.packet, result.packet_type, result.profile) == (packet, kind, 7)


# Between profiles -------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [2, 3, 4, 7, 8])
def test_an_rtp_only_packet_is_not_taken_for_one_of_another_profile(profile: int) -> None:
    makers = {2: None, 3: esp_flow(1), 4: None, 7: None, 8: lite_flow()}
    hand = makers[profile]
    decompressor = hand.decompressor if hand is not None else lite_rtp_at(1, 20)
    # UOR-2-TS with a CRC of zeros: three octets that other profiles read in another way.
    with pytest.raises((MalformedPacket, CrcFailure)):
        decompressor.decompress(draw("110 ts:00000 t:1 m:0 sn:111111 x:0 0000000"))


@pytest.mark.parametrize(
    ("name", "packet", "profile"),
    [
        ("IPv4/UDP", ipv4(udp(b"x")), 2),
        ("IPv6/UDP", ipv6(udp(b"x")), 2),
        ("IPv4/ESP", esp(1), 3),
        ("IPv4/ICMP", ping(1), 4),
        ("IPv4/UDP-Lite", lite(1), 8),
        (
            "IPv4/UDP/RTP on a port of RTP",
            ipv4(udp(b"\x80\x60" + bytes(12), destination_port=6)),
            1,
        ),
        ("IPv4/UDP that is no RTP on such a port", ipv4(udp(b"\x00", destination_port=6)), 2),
        ("IPv4/UDP-Lite/RTP", ipv4(lite_rtp(1)[20:], protocol=136), 7),
        ("IPv4/TCP", ipv4(bytes(20), protocol=6), 4),
        ("a fragment", ipv4(udp(b"x"), flags=0x2000), 0),
        ("no IP", b"\x00\x01", 0),
        ("three levels of UDP", ipv4(ipv4(ipv4(udp(b"x")), protocol=4), protocol=4), 4),
        ("three levels of UDP-Lite", ipv4(ipv4(lite(1), protocol=4), protocol=4), 8),
    ],
)
def test_each_packet_takes_the_profile_that_covers_most_of_its_headers(
    name: str, packet: bytes, profile: int
) -> None:
    compressor = Compressor(Channel(), mode="U", rtp_ports=(6, 5004))
    sent = compressor.compress(packet)
    assert compressor.last is not None
    assert compressor.last.profile == profile
    assert Decompressor(Channel()).decompress(sent).packet == packet
