"""IPv6 extension headers, the Authentication Header and CSRC lists in compressed flows."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from rohc_packets import ipv4, ipv6, udp

from rohc import Channel, Compressor, Decompressor, explain

HOP_BY_HOP = bytes.fromhex("00 00 0502 0000 0100")
"""A hop-by-hop header with a router alert; its first octet is replaced."""
DESTINATION = bytes.fromhex("00 01 0104 00000000 0104 00000000 0100")


def chain(*extensions: tuple[int, bytes], body: bytes, last: int = 17) -> tuple[int, bytes]:
    """Extension headers in front of a body, and the first one's type."""
    following, octets = last, body
    for kind, extension in reversed(extensions):
        octets = bytes((following,)) + extension[1:] + octets
        following = kind
    return following, octets


def authentication(sequence: int, data: bytes) -> bytes:
    """An Authentication Header; its first octet is replaced."""
    fixed = bytes((0, (12 + len(data)) // 4 - 2, 0, 0)) + b"\x00\x00\x12\x34"
    return fixed + sequence.to_bytes(4, "big") + data


def carry(packets: list[bytes], mode: str = "U", **settings: object) -> Counter[str]:
    compressor = Compressor(Channel(), mode=mode, optimistic_repeats=3, **settings)  # type: ignore[arg-type]
    decompressor = Decompressor(Channel(), mode=mode)
    types: Counter[str] = Counter()
    for packet in packets:
        sent = compressor.compress(packet)
        told = explain(sent, decompressor)
        result = decompressor.decompress(sent)
        assert result.packet == packet
        assert (told.packet_type, told.problem) == (result.packet_type, "")
        compressor.deliver_feedback(result.feedback)
        types[result.packet_type] += 1
    return types


@pytest.mark.parametrize("mode", "UOR")
def test_constant_ipv6_extension_headers_cost_nothing(mode: str) -> None:
    packets = []
    for number in range(40):
        first, octets = chain(
            (0, HOP_BY_HOP), (60, DESTINATION), body=udp(b"x", checksum=number + 1)
        )
        packets.append(ipv6(octets, next_header=first))
    types = carry(packets, mode)
    assert types["UO-0"] + types["R-0"] >= 36


def test_a_changed_extension_header_is_told_in_ir_dyn() -> None:
    packets = []
    for number in range(40):
        option = DESTINATION[:-2] + bytes((1, number // 20))
        first, octets = chain((60, option), body=udp(b"x", checksum=number + 1))
        packets.append(ipv6(octets, next_header=first))
    types = carry(packets)
    assert types["IR-DYN"] == 3


def test_an_extension_header_may_come_and_go() -> None:
    packets = []
    for number in range(60):
        extensions = [(0, HOP_BY_HOP)] if number // 15 % 2 else []
        first, octets = chain(*extensions, body=udp(b"x", checksum=number + 1))
        packets.append(ipv6(octets, next_header=first))
    types = carry(packets)
    assert types["UO-0"] >= 40


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize("version", [4, 6])
def test_rfc4815_5_8_an_authentication_header_follows_the_sn(mode: str, version: int) -> None:
    draw = random.Random(version)
    packets = []
    for number in range(40):
        header = authentication(77 + number, draw.randbytes(12))
        first, octets = chain((51, header), body=udp(b"x", checksum=number + 1))
        if version == 4:
            packets.append(ipv4(octets, protocol=first, identification=number))
        else:
            packets.append(ipv6(octets, next_header=first))
    types = carry(packets, mode)
    assert types["UO-0"] + types["R-0"] >= 36


def test_a_jump_of_the_authentication_sequence_is_told() -> None:
    draw = random.Random(1)
    packets = []
    for number in range(40):
        header = authentication(number + (1000 if number >= 20 else 0), draw.randbytes(12))
        first, octets = chain((51, header), body=udp(b"x", checksum=number + 1))
        packets.append(ipv6(octets, next_header=first))
    types = carry(packets)
    assert types["IR-DYN"] == 3
    assert types["UO-0"] >= 30


def test_authentication_in_both_levels_of_a_tunnel() -> None:
    draw = random.Random(8)
    packets = []
    for number in range(40):
        inner_type, inner = chain(
            (51, authentication(number, draw.randbytes(12))),
            body=udp(b"x", checksum=number + 1),
        )
        outer_type, outer = chain(
            (51, authentication(9 + number, draw.randbytes(20))),
            body=ipv4(inner, protocol=inner_type, identification=number),
            last=4,
        )
        packets.append(ipv6(outer, next_header=outer_type))
    types = carry(packets)
    assert types["UO-0"] >= 36


def rtp(number: int, csrcs: tuple[int, ...], marker: int = 0) -> bytes:
    head = bytes((0x80 | len(csrcs), marker << 7 | 96)) + number.to_bytes(2, "big")
    head += (160 * number).to_bytes(4, "big") + b"ssrc"
    listed = b"".join(csrc.to_bytes(4, "big") for csrc in csrcs)
    return ipv4(
        udp(head + listed + b"voice", destination_port=5004, checksum=number + 1),
        identification=number,
    )


@pytest.mark.parametrize("mode", "UOR")
def test_a_csrc_list_that_changes_is_told_in_extension_3(mode: str) -> None:
    lists = [(), (1,), (1, 2), (2,), tuple(range(15))]
    packets = [rtp(number, lists[number // 12]) for number in range(60)]
    types = carry(packets, mode, rtp_ports=(5004,), fo_refresh_packets=0)
    assert types["UO-0"] + types["R-0"] >= 30
    assert types["UOR-2-TS-EXT-3"] >= 4
    assert not types["IR-DYN"]


def test_a_marker_costs_no_more_than_type_1() -> None:
    packets = [rtp(number, (), marker=int(number % 10 == 9)) for number in range(50)]
    types = carry(packets, rtp_ports=(5004,))
    assert types["UO-1-TS"] == 5


def gre(number: int, flags: int, inner: bytes) -> bytes:
    """A GRE header with the parts that the flags ask for."""
    ether_type = 0x0800 if inner[0] >> 4 == 4 else 0x86DD
    head = bytes((flags, 0)) + ether_type.to_bytes(2, "big")
    if flags & 0x80:
        head += (0x4000 + 77 * number).to_bytes(2, "big") + b"\x00\x00"
    if flags & 0x20:
        head += b"\xde\xad\xbe\xef"
    if flags & 0x10:
        head += (9 + number).to_bytes(4, "big")
    return head + inner


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize("flags", [0x00, 0x80, 0x20, 0x10, 0xB0])
@pytest.mark.parametrize("version", [4, 6])
def test_rfc3095_5_8_4_4_gre_is_compressed_away(mode: str, flags: int, version: int) -> None:
    packets = []
    for number in range(40):
        datagram = udp(b"x", checksum=number + 1)
        inner = ipv4(datagram, identification=number) if version == 4 else ipv6(datagram)
        packets.append(ipv4(gre(number, flags, inner), protocol=47, identification=5 + number))
    types = carry(packets, mode)
    assert types["UO-0"] + types["R-0"] >= 36


def test_gre_with_another_protocol_type_is_payload() -> None:
    packets = [
        ipv4(b"\x00\x00\x65\x58" + bytes(20), protocol=47, identification=number)
        for number in range(12)
    ]
    types = carry(packets)
    assert types["UO-0"] >= 8


@pytest.mark.parametrize("source", [False, True])
def test_minimal_encapsulation_is_compressed_away(source: bool) -> None:
    header = bytes((17, 0x80 if source else 0, 0x12, 0x34, 10, 0, 0, 9))
    header += bytes((10, 0, 0, 8)) if source else b""
    packets = [
        ipv4(header + udp(b"x", checksum=number + 1), protocol=55, identification=number)
        for number in range(30)
    ]
    types = carry(packets)
    assert types["UO-0"] >= 26


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("GRE cut short", "8000 0800 1111"),
        ("GRE version 1", "0001 0800"),
        ("GRE with routing", "4000 0800"),
        ("GRE with reserved octets", "8000 0800 1111 0001"),
        ("minimal encapsulation cut short", "1100 1234"),
    ],
)
def test_a_header_that_is_not_whole_is_no_header(name: str, octets: str) -> None:
    protocol = 47 if name.startswith("GRE") else 55
    packets = [
        ipv4(bytes.fromhex(octets), protocol=protocol, identification=number) for number in range(8)
    ]
    carry(packets)
