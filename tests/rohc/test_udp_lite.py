"""UDP-Lite (profiles 0x0007 and 0x0008, RFC 4019): the checksum coverage and its CCE packets."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from rohc_packets import ipv4, ipv6, known, udp

from rohc import Channel, Compressor, Decompressor, MalformedPacket, explain

SSRC = b"ssrc"


def packet(number: int, coverage: int | None, octets: int = 5) -> bytes:
    """An RTP-like datagram; coverage None is the whole of it."""
    rtp = b"\x80\x60" + number.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + SSRC
    datagram = udp(rtp + bytes(octets), destination_port=5004, checksum=1 + number)
    covered = len(datagram) if coverage is None else coverage
    datagram = datagram[:4] + covered.to_bytes(2, "big") + datagram[6:]
    return ipv4(datagram, protocol=136, identification=number, ttl=(64 - number // 30 * 2) % 256)


def carry(
    packets: list[bytes], mode: str = "U", rtp: bool = False, repeats: int = 2, refresh: int = 50
) -> Counter[str]:
    compressor = Compressor(
        Channel(),
        mode=mode,
        optimistic_repeats=repeats,
        rtp_ports=(5004,) if rtp else (),
        fo_refresh_packets=refresh,
    )
    decompressor = Decompressor(Channel(), mode=mode)
    types: Counter[str] = Counter()
    for data in packets:
        sent = compressor.compress(data)
        told = explain(sent, decompressor)
        result = decompressor.decompress(sent)
        assert result.packet == data
        assert result.profile == (7 if rtp else 8)
        assert (told.packet_type, told.problem) == (result.packet_type, "")
        compressor.deliver_feedback(result.feedback)
        types[result.packet_type] += 1
    return types


@pytest.mark.parametrize("rtp", [False, True])
def test_a_coverage_of_the_whole_packet_is_inferred(rtp: bool) -> None:
    types = carry([packet(n, None, 1 + n % 5) for n in range(30)], rtp=rtp)
    assert types["UO-0"] >= 25
    assert not any("CCE" in name for name in types)


def test_a_constant_coverage_is_left_out_after_a_while() -> None:
    types = carry([packet(n, 20) for n in range(30)])
    assert types["UO-0-CCE-OFF"] == 2
    assert types["UO-0"] >= 22


def test_one_other_coverage_is_told_by_itself() -> None:
    types = carry([packet(n, 12 if n == 20 else None) for n in range(40)])
    assert types["UO-0-CCE"] == 1
    assert not types["UO-0-CCE-ON"]


def test_a_coverage_that_changes_often_is_sent_in_every_packet() -> None:
    draw = random.Random(2)
    coverages = [None] * 8 + [draw.choice((8, 12, 20)) for _ in range(20)]
    types = carry([packet(n, coverage) for n, coverage in enumerate(coverages)])
    assert types["UO-0-CCE-ON"] >= 2


def test_ipv6_udp_lite_comes_through() -> None:
    datagrams = [udp(b"x" * (n % 4), checksum=n + 1) for n in range(20)]
    types = carry([ipv6(datagram, next_header=136) for datagram in datagrams])
    assert types["UO-0"] >= 15


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize("rtp", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_any_coverage_comes_through_in_any_mode(mode: str, rtp: bool, seed: int) -> None:
    draw = random.Random(seed)
    habit = draw.choice(("whole", "constant", "random", "both"))
    packets = []
    for number in range(70):
        coverage: int | None = None
        if habit == "constant" or (habit == "both" and (number % 17 or 25 < number < 40)):
            coverage = 20
        elif habit == "random":
            coverage = draw.choice((None, 8, 12, 0))
        packets.append(packet(number, coverage, draw.randrange(1, 9)))
    carry(packets, mode, rtp, draw.randrange(1, 5), draw.choice((5, 50)))


def test_rfc4019_5_3_2_a_cce_packet_cannot_switch_from_r_0() -> None:
    compressor, decompressor = Compressor(Channel(), mode="R"), Decompressor(Channel(), mode="R")
    for number in range(8):
        result = decompressor.decompress(compressor.compress(packet(number, None)))
        compressor.deliver_feedback(result.feedback)
    assert result.packet_type == "R-0"
    before = known(decompressor)
    sent = compressor.compress(packet(8, None))
    with pytest.raises(MalformedPacket, match="R-0"):
        decompressor.decompress(b"\xfa" + sent[:1] + b"\x00\x21" + sent[1:])
    assert known(decompressor) == before


def test_a_cce_octet_in_another_profile_is_malformed() -> None:
    compressor, decompressor = Compressor(Channel(), mode="U"), Decompressor(Channel())
    for number in range(8):
        decompressor.decompress(compressor.compress(ipv4(udp(b"x"), identification=number)))
    with pytest.raises(MalformedPacket):
        decompressor.decompress(b"\xf9" + compressor.compress(ipv4(udp(b"x"), identification=8)))


@pytest.mark.parametrize("mode", "OR")
@pytest.mark.parametrize("jump", range(4, 16))
def test_an_ack_of_an_ir_dyn_packet_does_not_end_what_only_a_cce_packet_tells(
    mode: str, jump: int
) -> None:
    packets = []
    for number in range(24):
        sn = number + (0x7FFF if number >= jump else 0)
        packets.append(packet(sn, 8 + number if number < 6 else None))
    carry(packets, mode, rtp=True)
