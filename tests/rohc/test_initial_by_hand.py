"""IR and IR-DYN packets of every profile, drawn by hand: RFC 3095 sections 5.2.3 and 5.7.7.

Each packet is a row of words in hex, one for each field of the static and the dynamic chain. The
CRC-8 is worked out bit by bit. Both directions: the compressor's first packet is the IR packet, and
a refresh of the dynamic fields is the IR-DYN packet.
"""

from __future__ import annotations

import pytest
from by_hand import crc, initial
from rohc_packets import ipv4, ipv6, udp

from rohc import (
    Channel,
    Compressor,
    CrcFailure,
    Decompressor,
    MalformedPacket,
    NoContext,
    RohcError,
    UnsupportedProfile,
)
from rohc.decompression.context import State

SIX = "20010db8000a00000000000000000003 20010db8000a00000000000000000020"
"""Source and destination of `ipv6`."""
FOUR = "0a000001 c0000207"
"""Source and destination of `ipv4`."""


def rtp(sequence: int, csrcs: bytes = b"", first: int = 0x80, kind: int = 0x60) -> bytes:
    head = bytes((first | len(csrcs) // 4, kind)) + sequence.to_bytes(2, "big")
    return head + (0xA000).to_bytes(4, "big") + b"ssrc" + csrcs + b"voice"


def lite(body: bytes, coverage: int, port: int = 5683) -> bytes:
    datagram = udp(body, destination_port=port)
    return datagram[:4] + coverage.to_bytes(2, "big") + datagram[6:]


ROWS: list[tuple[str, int, bytes, str, str, bytes]] = [
    # name, profile, original packet, static chain, dynamic chain, payload
    (
        "UDP over IPv4",
        2,
        ipv4(udp(b"hello"), identification=0x1234),
        # Version 4, Protocol 17, addresses | ports
        f"40 11 {FOUR} | 9c40 1633",
        # TOS, TTL, IP-ID, DF 1 RND 0 NBO 1, empty list | checksum | SN
        "00 40 1234 a0 00 | 1234 | 0007",
        b"hello",
    ),
    (
        "UDP over IPv4 without DF and with a TOS",
        2,
        ipv4(udp(b"hello"), identification=0, tos=0xFF, ttl=1, flags=0),
        f"40 11 {FOUR} | 9c40 1633",
        "ff 01 0000 20 00 | 1234 | 0007",
        b"hello",
    ),
    (
        "UDP over IPv6",
        2,
        ipv6(udp(b"hello"), traffic_class=0x48, hop_limit=9, flow_label=0xABCDE),
        # Version 6 and Flow Label, Next Header 17, addresses | ports
        f"6abcde 11 {SIX} | 9c40 1633",
        "48 09 00 | 1234 | 0007",
        b"hello",
    ),
    (
        "UDP without payload and checksum",
        2,
        ipv4(udp(b"", checksum=0)),
        f"40 11 {FOUR} | 9c40 1633",
        "00 40 0001 a0 00 | 0000 | 0007",
        b"",
    ),
    (
        "UDP in a tunnel of IPv4 in IPv6",
        2,
        ipv6(ipv4(udp(b"hello")), next_header=4),
        f"600000 04 {SIX} | 40 11 {FOUR} | 9c40 1633",
        "00 40 00 | 00 40 0001 a0 00 | 1234 | 0007",
        b"hello",
    ),
    (
        "ESP",
        3,
        ipv4(bytes.fromhex("cafe0001 00000007") + b"secret", protocol=50),
        # SPI
        f"40 32 {FOUR} | cafe0001",
        # Sequence Number; no SN behind it
        "00 40 0001 a0 00 | 00000007",
        b"secret",
    ),
    (
        "IP only",
        4,
        ipv4(b"\x08\x00ping", protocol=1),
        f"40 01 {FOUR}",
        "00 40 0001 a0 00 | 0007",
        b"\x08\x00ping",
    ),
    (
        "IP only, three levels",
        4,
        ipv6(ipv4(ipv4(b"ping", protocol=1), protocol=4), next_header=4),
        f"600000 04 {SIX} | 40 04 {FOUR} | 40 01 {FOUR}",
        "00 40 00 | 00 40 0001 a0 00 | 00 40 0001 a0 00 | 0007",
        b"ping",
    ),
    (
        "IP only with a hop-by-hop header as a list of one item",
        4,
        ipv6(bytes.fromhex("3a00050200000100") + b"ping", next_header=0),
        f"600000 3a {SIX}",
        # ET 0, PS 0, one item; XI: X 1, index 0, four bits of padding; the item with its own type
        "00 40 | 01 80 00 00 0502 0000 0100 | 0007",
        b"ping",
    ),
    (
        "RTP",
        1,
        ipv4(udp(rtp(7), destination_port=5004)),
        f"40 11 {FOUR} | 9c40 138c | 73737263",
        # V 2, P 0, RX 0, CC 0; M 0, PT 96; SN; TS; CSRC list
        "00 40 0001 a0 00 | 1234 | 80 60 0007 0000a000 00",
        b"voice",
    ),
    (
        "RTP with padding, marker and two CSRCs",
        1,
        ipv4(udp(rtp(7, b"oneXtwoX", 0xA0, 0xE0), destination_port=5004)),
        f"40 11 {FOUR} | 9c40 138c | 73737263",
        # CC 2; list: ET 0, PS 0, two items, XI 1000 1001
        "00 40 0001 a0 00 | 1234 | a2 e0 0007 0000a000 | 02 89 6f6e6558 74776f58",
        b"voice",
    ),
    (
        "RTP with the X bit: RX = 1",
        1,
        ipv4(udp(rtp(7, first=0x90), destination_port=5004)),
        f"40 11 {FOUR} | 9c40 138c | 73737263",
        # RX 1; X 1, Mode 01 (U), TIS 0, TSS 0
        "00 40 0001 a0 00 | 1234 | 90 60 0007 0000a000 00 14",
        b"voice",
    ),
    (
        "UDP-Lite",
        8,
        ipv4(lite(b"hello", 8), protocol=136),
        f"40 88 {FOUR} | 9c40 1633",
        # Checksum Coverage, Checksum | SN
        "00 40 0001 a0 00 | 0008 1234 | 0007",
        b"hello",
    ),
    (
        "RTP over UDP-Lite",
        7,
        ipv4(lite(rtp(7), 20, 5004), protocol=136),
        f"40 88 {FOUR} | 9c40 138c | 73737263",
        "00 40 0001 a0 00 | 0014 1234 | 80 60 0007 0000a000 00",
        b"voice",
    ),
]
NAMES = [row[0] for row in ROWS]


def chain(text: str) -> str:
    return text.replace("|", " ")


def compressor(channel: Channel | None = None) -> Compressor:
    return Compressor(
        channel or Channel(),
        mode="U",
        rtp_ports=(5004,),
        first_sn=7,
        optimistic_repeats=1,
        ir_refresh_packets=0,
        fo_refresh_packets=0,
    )


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
def test_the_first_packet_of_a_flow_is_this_ir_packet(
    name: str, profile: int, packet: bytes, static: str, dynamic: str, payload: bytes
) -> None:
    ir = initial(0xFD, profile, chain(static + dynamic), payload)
    assert compressor().compress(packet).hex(" ") == ir.hex(" ")
    result = Decompressor(Channel()).decompress(ir)
    assert (result.packet, result.packet_type, result.profile) == (packet, "IR", profile)
    assert result.header_bytes == len(ir) - len(payload)


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
@pytest.mark.parametrize(
    ("cid", "large", "octets"),
    [
        (0, False, ""),
        (1, False, "e1"),
        (15, False, "ef"),
        (0, True, "00"),
        (127, True, "7f"),
        (128, True, "8080"),
        (300, True, "812c"),
    ],
)
def test_the_crc_covers_every_kind_of_cid(
    name: str,
    profile: int,
    packet: bytes,
    static: str,
    dynamic: str,
    payload: bytes,
    cid: int,
    large: bool,
    octets: str,
) -> None:
    channel = Channel(max_cid=400 if large else 15, large_cids=large)
    ir = initial(0xFD, profile, chain(static + dynamic), payload, cid=octets, large=large)
    decompressor = Decompressor(channel)
    result = decompressor.decompress(ir)
    assert (result.packet, result.cid) == (packet, cid)
    # The same header with the CRC of another CID.
    if octets:
        other = f"{int(octets, 16) ^ 1:0{len(octets)}x}"
        wrong = bytearray(initial(0xFD, profile, chain(static + dynamic), payload, cid=other))
        at = 2 + len(octets) // 2
        damaged = bytearray(ir)
        damaged[at] = wrong[at]
        assert damaged != ir
        with pytest.raises(CrcFailure):
            decompressor.decompress(bytes(damaged))


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
def test_padding_in_front_is_not_under_the_crc(
    name: str, profile: int, packet: bytes, static: str, dynamic: str, payload: bytes
) -> None:
    # RFC 4815 2.2: one octet 1110 0000 may be an Add-CID octet of CID 0; that is not under it too.
    ir = initial(0xFD, profile, chain(static + dynamic), payload)
    for octets in (1, 2, 20):
        result = Decompressor(Channel()).decompress(b"\xe0" * octets + ir)
        assert result.packet == packet
        assert result.header_bytes == len(ir) - len(payload)


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
def test_every_single_bit_of_the_header_is_under_the_crc(
    name: str, profile: int, packet: bytes, static: str, dynamic: str, payload: bytes
) -> None:
    ir = initial(0xFD, profile, chain(static + dynamic), b"")
    for place in range(len(ir)):
        for bit in (0, 3, 7):
            damaged = bytearray(ir)
            damaged[place] ^= 1 << bit
            try:
                result = Decompressor(Channel(), mode="U").decompress(bytes(damaged) + payload)
            except RohcError:
                continue
            # A bit in front of the type octet's last made another packet type of it.
            assert place == 0
            assert result.packet_type in ("segment", "feedback")


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
def test_an_ir_packet_cut_short_anywhere_is_refused(
    name: str, profile: int, packet: bytes, static: str, dynamic: str, payload: bytes
) -> None:
    ir = initial(0xFD, profile, chain(static + dynamic), b"")
    for octets in range(1, len(ir)):
        with pytest.raises((MalformedPacket, CrcFailure)):
            Decompressor(Channel()).decompress(ir[:octets])


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
def test_the_payload_is_not_under_the_crc(
    name: str, profile: int, packet: bytes, static: str, dynamic: str, payload: bytes
) -> None:
    ir = initial(0xFD, profile, chain(static + dynamic), b"other octets")
    result = Decompressor(Channel()).decompress(ir)
    assert result.packet is not None
    assert result.packet.endswith(b"other octets")


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
def test_an_ir_dyn_packet_has_the_dynamic_chain_alone(
    name: str, profile: int, packet: bytes, static: str, dynamic: str, payload: bytes
) -> None:
    ir = initial(0xFD, profile, chain(static + dynamic), payload)
    ir_dyn = initial(0xF8, profile, chain(dynamic), payload)
    decompressor = Decompressor(Channel())
    decompressor.decompress(ir)
    result = decompressor.decompress(ir_dyn)
    assert (result.packet, result.packet_type, result.profile) == (packet, "IR-DYN", profile)
    with pytest.raises(NoContext):
        Decompressor(Channel()).decompress(ir_dyn)
    for place in range(1, len(ir_dyn) - len(payload)):
        damaged = bytearray(ir_dyn)
        damaged[place] ^= 0x10
        with pytest.raises(RohcError):
            decompressor.decompress(bytes(damaged))
        decompressor.decompress(ir)


@pytest.mark.parametrize(
    ("name", "profile", "packet", "static", "dynamic", "payload"), ROWS, ids=NAMES
)
def test_a_refresh_by_packets_is_this_ir_dyn_packet(
    name: str, profile: int, packet: bytes, static: str, dynamic: str, payload: bytes
) -> None:
    sender = Compressor(
        Channel(),
        mode="U",
        rtp_ports=(5004,),
        first_sn=6,
        optimistic_repeats=1,
        ir_refresh_packets=0,
        fo_refresh_packets=1,
    )
    sender.compress(packet)
    made = sender.compress(packet)
    assert sender.last is not None
    assert sender.last.packet_type == "IR-DYN"
    assert made[:2] == bytes((0xF8, profile))
    receiver = Decompressor(Channel(), mode="U")
    receiver.decompress(initial(0xFD, profile, chain(static + dynamic), payload))
    assert receiver.decompress(made).packet == packet


# An IR packet of RTP without dynamic chain -------------------------------------------------------


def test_an_ir_packet_with_d_0_gives_the_static_part_alone() -> None:
    _, _, packet, static, dynamic, payload = ROWS[NAMES.index("RTP")]
    decompressor = Decompressor(Channel())
    result = decompressor.decompress(initial(0xFC, 1, chain(static), payload))
    assert (result.packet, result.packet_type) == (None, "IR")
    assert decompressor._contexts[0].state == State.STATIC_CONTEXT
    with pytest.raises(NoContext):
        decompressor.decompress(b"\x00" + payload)
    result = decompressor.decompress(initial(0xF8, 1, chain(dynamic), payload))
    assert result.packet == packet
    assert decompressor._contexts[0].state == State.FULL_CONTEXT


@pytest.mark.parametrize("bit", range(8))
def test_an_ir_packet_with_d_0_has_its_own_crc(bit: int) -> None:
    static = ROWS[NAMES.index("RTP")][3]
    data = bytearray(initial(0xFC, 1, chain(static)))
    data[-1] ^= 1 << bit
    with pytest.raises(CrcFailure):
        Decompressor(Channel()).decompress(bytes(data))


# Profile 0x0000 ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cid", "octets", "large"),
    [
        ("CID 0", 0, "", False),
        ("CID 3", 3, "e3", False),
        ("large CID 5", 5, "05", True),
        ("large CID 300", 300, "812c", True),
    ],
)
def test_the_crc_of_profile_0_ends_in_front_of_itself(
    name: str, cid: int, octets: str, large: bool
) -> None:
    # RFC 3095 5.10.1: "over the first octets of the IR packet ... up to the CRC field".
    cids = bytes.fromhex(octets)
    head = b"\xfc" + cids + b"\x00" if large else cids + b"\xfc\x00"
    data = head + bytes((crc(8, head),)) + b"\x45 anything"
    channel = Channel(max_cid=400 if large else 15, large_cids=large)
    result = Decompressor(channel).decompress(data)
    assert (result.packet, result.cid, result.profile) == (b"\x45 anything", cid, 0)
    assert result.header_bytes == 3 + len(cids)
    with pytest.raises(CrcFailure):
        Decompressor(channel).decompress(head + bytes((crc(8, head) ^ 0x40,)) + b"\x45 anything")


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "packet", "error"),
    [
        ("a profile of nobody", initial(0xFD, 0x77, "00"), UnsupportedProfile),
        ("TCP's profile", initial(0xFD, 6, "00"), UnsupportedProfile),
        ("IP version 5", initial(0xFD, 2, "50 11" + "00" * 20), MalformedPacket),
        (
            "a chain of profile 2 that ends with ESP",
            initial(0xFD, 2, f"40 32 {FOUR} 00000001"),
            MalformedPacket,
        ),
        (
            "a chain of profile 3 that ends with UDP",
            initial(0xFD, 3, f"40 11 {FOUR} 00000001"),
            MalformedPacket,
        ),
        (
            "a chain of profile 8 that ends with UDP",
            initial(0xFD, 8, f"40 11 {FOUR} 00000001"),
            MalformedPacket,
        ),
        (
            "an ended chain outside profile 4",
            initial(0xFD, 2, f"c0 11 {FOUR} 9c401633" + "00" * 12),
            MalformedPacket,
        ),
        (
            "41 IP headers",
            initial(0xFD, 4, f"40 04 {FOUR}" * 41 + f"40 01 {FOUR}"),
            MalformedPacket,
        ),
        (
            "a list item of no extension header",
            initial(0xFD, 4, f"600000 3a {SIX} 0040 01 80 11 00"),
            MalformedPacket,
        ),
        (
            "a list with an index never told",
            initial(0xFD, 4, f"600000 3a {SIX} 0040 01 10 0007"),
            MalformedPacket,
        ),
    ],
)
def test_what_no_profile_allows_is_refused_without_a_context(
    name: str, packet: bytes, error: type[RohcError]
) -> None:
    decompressor = Decompressor(Channel())
    with pytest.raises(error):
        decompressor.decompress(packet)
    assert not decompressor._contexts


@pytest.mark.parametrize("profile", [0, 1, 2, 3, 4, 7, 8])
def test_a_profile_that_the_channel_does_not_have_is_unsupported(profile: int) -> None:
    others = {0, 1, 2, 3, 4, 7, 8} - {profile}
    decompressor = Decompressor(Channel(profiles=sorted(others)))
    with pytest.raises(UnsupportedProfile, match=f"0x{profile:02x}"):
        decompressor.decompress(initial(0xFD, profile, "00" * 40))
