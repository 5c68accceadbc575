"""What the compressor sends, the decompressor restores, and in few octets."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rohc_packets import SHARED, ipv4, ipv6, pcapng_packets, streams, udp, udp_checksum

from rohc import Channel, Compressor, Decompressor, RohcUsageError, UnsupportedProfile

THERMOSTAT = SHARED / "traffic" / "leshan-thermostat-readings.pcapng"


class Pair:
    """A compressor and a decompressor on one channel."""

    def __init__(self, channel: Channel | None = None, **settings: Any) -> None:
        channel = channel or Channel()
        self.compressor = Compressor(channel, mode="U", **settings)
        self.decompressor = Decompressor(channel, mode="U")
        self.types: Counter[str] = Counter()
        self.header_bytes = 0

    def carry(self, packet: bytes) -> bytes:
        sent = self.compressor.compress(packet)
        result = self.decompressor.decompress(sent)
        assert result.packet == packet
        chosen = self.compressor.last
        assert chosen is not None
        assert chosen.why
        assert (chosen.packet_type, chosen.cid) == (result.packet_type, result.cid)
        assert (chosen.profile, chosen.header_bytes) == (result.profile, result.header_bytes)
        self.types[result.packet_type] += 1
        self.header_bytes += result.header_bytes
        return sent


def test_a_settled_ipv4_flow_costs_three_octets() -> None:
    pair = Pair(optimistic_repeats=2)
    for number in range(50):
        sent = pair.carry(ipv4(udp(b"reading", checksum=0x100 + number), identification=number))
    assert len(sent) == 3 + 7
    assert pair.types == {"IR": 2, "UO-0": 48}


def test_a_settled_ipv6_flow_costs_three_octets() -> None:
    pair = Pair(optimistic_repeats=2)
    for number in range(50):
        sent = pair.carry(ipv6(udp(b"reading", checksum=0x100 + number)))
    assert len(sent) == 3 + 7
    assert pair.types == {"IR": 2, "UO-0": 48}


def test_a_flow_without_udp_checksums_costs_one_octet() -> None:
    pair = Pair(optimistic_repeats=2)
    for number in range(20):
        sent = pair.carry(ipv4(udp(b"x", checksum=0), identification=number))
    assert len(sent) == 1 + 1


@pytest.mark.parametrize("swap", [False, True])
def test_an_ip_id_counter_in_either_byte_order_is_compressed_away(swap: bool) -> None:
    pair = Pair(optimistic_repeats=2)
    for number in range(0xFFF0, 0x10020):
        counter = number & 0xFFFF
        identification = (counter >> 8 | counter << 8) & 0xFFFF if swap else counter
        sent = pair.carry(ipv4(udp(b"x"), identification=identification))
    assert len(sent) == 3 + 1


def test_random_ip_ids_are_sent_whole() -> None:
    draw = random.Random(5)
    pair = Pair(optimistic_repeats=2)
    for _ in range(60):
        sent = pair.carry(ipv4(udp(b"x"), identification=draw.randrange(0x10000)))
    assert len(sent) == 5 + 1
    assert pair.types["UO-0"] > 45


def test_a_jump_of_the_ip_id_is_told_without_leaving_the_counter() -> None:
    pair = Pair(optimistic_repeats=2)
    for number in range(10):
        pair.carry(ipv4(udp(b"x"), identification=number))
    for number in range(5000, 5010):
        sent = pair.carry(ipv4(udp(b"x"), identification=number))
    assert len(sent) == 3 + 1
    assert pair.types["UOR-2-EXT-3"] == 2


@pytest.mark.parametrize("step", [3, 40])
def test_small_gaps_of_the_ip_id_go_into_uo_1(step: int) -> None:
    pair = Pair(optimistic_repeats=1)
    for number in range(20):
        pair.carry(ipv4(udp(b"x"), identification=number * step))
    assert pair.types["UO-1"] >= 18


@pytest.mark.parametrize(
    ("field", "values"),
    [("tos", (0, 0x48)), ("ttl", (64, 62)), ("flags", (0x4000, 0))],
)
def test_a_changed_ipv4_field_is_told_as_often_as_asked(
    field: str, values: tuple[int, int]
) -> None:
    pair = Pair(optimistic_repeats=3)
    for number in range(30):
        value = values[number >= 15]
        pair.carry(ipv4(udp(b"x"), identification=number, **{field: value}))
    # Where the 3-bit CRC could not tell the old value from the new one there is a longer one.
    longer = pair.types.pop("UOR-2", 0)
    assert longer <= 9
    assert pair.types == {"IR": 3, "UO-0": 24 - longer, "UOR-2-EXT-3": 3}


@pytest.mark.parametrize(
    ("field", "values"), [("traffic_class", (0, 0x2E)), ("hop_limit", (64, 255))]
)
def test_a_changed_ipv6_field_is_told_as_often_as_asked(
    field: str, values: tuple[int, int]
) -> None:
    pair = Pair(optimistic_repeats=3)
    for number in range(30):
        pair.carry(ipv6(udp(b"x"), **{field: values[number >= 15]}))
    assert pair.types == {"IR": 3, "UO-0": 24, "UOR-2-EXT-3": 3}


def test_rfc3095_5_9_2_a_change_that_crc_3_cannot_see_is_followed_by_longer_crcs() -> None:
    pair = Pair(optimistic_repeats=3)
    for number in range(40):
        # 64 and 63 leave the 3-bit CRC in one state with these addresses.
        pair.carry(ipv4(udp(b"x"), identification=number, ttl=63 if number >= 15 else 64))
    assert pair.types["UOR-2-EXT-3"] == 3
    assert pair.types["UOR-2"] == 9


def test_wrong_and_zero_udp_checksums_come_through_unchanged() -> None:
    pair = Pair()
    draw = random.Random(1)
    for number in range(200):
        checksum = draw.choice((0, 0, 0xFFFF, 0xDEAD, number))
        pair.carry(ipv4(udp(b"x" * (number % 9), checksum=checksum), identification=number))


def test_checksums_that_stop_for_good_are_left_out_after_a_while() -> None:
    pair = Pair(optimistic_repeats=2)
    for number in range(60):
        checksum = 0x77 if number < 10 else 0
        sent = pair.carry(ipv4(udp(b"x", checksum=checksum), identification=number))
    assert len(sent) == 1 + 1
    sent = pair.carry(ipv4(udp(b"x", checksum=5), identification=60))
    assert pair.types["IR-DYN"] == 3


def test_right_checksums_stay_right() -> None:
    pair = Pair()
    for number in range(20):
        packet = ipv4(udp(b"data" * (number % 3), checksum=0), identification=number)
        right = udp_checksum(packet)
        pair.carry(packet[:26] + right.to_bytes(2, "big") + packet[28:])


def test_a_packet_without_payload_comes_through() -> None:
    pair = Pair()
    for number in range(10):
        pair.carry(ipv4(udp(b""), identification=number))


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("4 in 4", lambda n: ipv4(ipv4(udp(b"x"), identification=n), protocol=4, ttl=9)),
        ("6 in 4", lambda n: ipv4(ipv6(udp(b"x")), protocol=41, identification=n)),
        ("4 in 6", lambda n: ipv6(ipv4(udp(b"x"), identification=n), next_header=4)),
        ("6 in 6", lambda n: ipv6(ipv6(udp(b"x")), next_header=41)),
    ],
)
def test_two_ip_levels_cost_no_more_than_one(name: str, build: Any) -> None:
    pair = Pair(optimistic_repeats=2)
    for number in range(1, 30):
        sent = pair.carry(build(number))
    assert len(sent) <= 6


def test_both_levels_may_change_at_once() -> None:
    draw = random.Random(3)
    pair = Pair()
    for number in range(300):
        inner = ipv4(
            udp(b"x"), identification=number * 3, ttl=draw.choice((63, 64)), tos=number // 100
        )
        outer = draw.choice((number, number + 1, number + 700, number + 9000))
        pair.carry(ipv4(inner, protocol=4, identification=outer & 0xFFFF, ttl=draw.choice((9, 10))))


# Contexts and CIDs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("large", "max_cid"), [(False, 0), (False, 3), (False, 15), (True, 2), (True, 300)]
)
def test_more_flows_than_cids_reuse_the_contexts_that_were_silent_longest(
    large: bool, max_cid: int
) -> None:
    pair = Pair(Channel(max_cid=max_cid, large_cids=large))
    cids = set()
    for turn in range(3):
        for flow in range(max_cid + 4):
            for number in range(2):
                packet = ipv4(udp(b"x", source_port=1000 + flow), identification=turn * 10 + number)
                pair.carry(packet)
                assert pair.compressor.last is not None
                cids.add(pair.compressor.last.cid)
    assert cids == set(range(max_cid + 1))


def test_flows_side_by_side_do_not_disturb_each_other() -> None:
    pair = Pair(optimistic_repeats=2)
    draw = random.Random(9)
    counters = [0] * 10
    for _ in range(600):
        flow = draw.randrange(10)
        counters[flow] += 1
        if flow % 2:
            pair.carry(ipv6(udp(b"six", source_port=flow)))
        else:
            pair.carry(ipv4(udp(b"four", source_port=flow), identification=counters[flow]))
    assert pair.types["IR"] == 20


def test_one_address_pair_and_ports_with_another_flow_label_is_another_flow() -> None:
    pair = Pair(optimistic_repeats=3)
    for number in range(20):
        pair.carry(ipv6(udp(b"x"), flow_label=number % 2))
    assert pair.types["IR"] == 6


# Refreshes -----------------------------------------------------------------------------------


def test_u_mode_refreshes_by_packets() -> None:
    pair = Pair(optimistic_repeats=1, ir_refresh_packets=40, fo_refresh_packets=10)
    for number in range(121):
        pair.carry(ipv4(udp(b"x"), identification=number))
    assert pair.types["IR"] == 1 + 3
    assert pair.types["IR-DYN"] == 9


def test_u_mode_refreshes_by_time() -> None:
    channel = Channel()
    compressor = Compressor(
        channel, mode="U", optimistic_repeats=1, ir_refresh_s=100.0, fo_refresh_s=30.0
    )
    types = []
    for second in range(0, 220, 5):
        compressor.compress(ipv6(udp(b"x")), now=float(second))
        assert compressor.last is not None
        types.append(compressor.last.packet_type)
    assert types.count("IR") == 3
    assert types.count("IR-DYN") == 6
    assert types[20] == types[40] == "IR"


def test_a_refresh_heals_a_decompressor_that_came_late() -> None:
    channel = Channel()
    compressor = Compressor(channel, mode="U", optimistic_repeats=1, ir_refresh_packets=10)
    for number in range(10):
        compressor.compress(ipv4(udp(b"x"), identification=number))
    late = Decompressor(channel, mode="U")
    for number in range(10, 15):
        packet = ipv4(udp(b"x"), identification=number)
        assert late.decompress(compressor.compress(packet)).packet == packet


# Profile 0x0000 ------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("fragment", ipv4(b"fragment", flags=0x2000)),
        ("IPv4 with options", b"\x46" + ipv4(b"x")[1:]),
        ("wrong header checksum", ipv4(udp(b"x"))[:10] + b"\0\0" + ipv4(udp(b"x"))[12:]),
        ("padding behind the IP packet", ipv4(udp(b"x")) + b"\0\0"),
        ("not IP", b"\x00\x01\x02"),
        ("looks like an Add-CID octet", b"\xe3\x01"),
        ("looks like feedback", b"\xf1\x02"),
        ("looks like IR", b"\xfd\x02\x00"),
        ("looks like a segment", b"\xff\x02"),
        ("one octet", b"\x45"),
    ],
)
def test_what_no_profile_fits_goes_uncompressed(name: str, packet: bytes, large: bool) -> None:
    pair = Pair(Channel(max_cid=15, large_cids=large))
    for _ in range(6):
        pair.carry(ipv4(udp(b"good")))
        pair.carry(packet)
    assert pair.types["IR"] >= 3


def test_without_profile_0_nothing_is_lost_in_silence() -> None:
    compressor = Compressor(Channel(profiles=(2,)))
    with pytest.raises(UnsupportedProfile, match="0x0000"):
        compressor.compress(b"\x00\x01")
    with pytest.raises(UnsupportedProfile, match="0x0000"):
        compressor.compress(ipv4(b"\x08\x00\xf7\xff", protocol=1))


def test_an_empty_packet_is_the_callers_mistake() -> None:
    with pytest.raises(RohcUsageError, match="empty"):
        Compressor(Channel()).compress(b"")
    with pytest.raises(RohcUsageError, match="empty"):
        Decompressor(Channel()).decompress(b"")


# Real traffic and random flows ---------------------------------------------------------------


@pytest.mark.skipif(not THERMOSTAT.exists(), reason="the shared capture is not beside the checkout")
def test_the_thermostat_capture_comes_through_in_few_octets() -> None:
    pair = Pair()
    packets = [frame[14:] for frame in pcapng_packets(THERMOSTAT)]
    for packet in packets:
        pair.carry(packet)
    assert len(packets) == 10_000
    assert pair.header_bytes < 3.4 * len(packets)


@pytest.mark.parametrize("name", ["syn-udp.jsonl", "cap-rfc3095.jsonl", "syn-multi.jsonl"])
def test_every_source_packet_of_the_vectors_comes_through(name: str) -> None:
    for stream in streams(name):
        pair = Pair(Channel(max_cid=stream["max_cid"], large_cids=stream["cid_type"] == "large"))
        for packet in stream["packets"]:
            pair.carry(bytes.fromhex(packet["ip"]))


@st.composite
def flows(draw: st.DrawFn) -> list[bytes]:
    """Packets of a few flows whose fields change as they like."""
    made: list[bytes] = []
    counter = draw(st.integers(0, 0xFFFF))
    for _ in range(draw(st.integers(1, 40))):
        counter = (counter + draw(st.sampled_from((1, 1, 1, 1, 2, 7, 300, 40000)))) & 0xFFFF
        port = draw(st.sampled_from((1, 1, 1, 2)))
        payload = draw(st.binary(max_size=6))
        checksum = draw(st.sampled_from((0, 1, 0xFFFF, 0x1234)))
        datagram = udp(payload, source_port=port, checksum=checksum)
        tos = draw(st.sampled_from((0, 0, 0, 0x48)))
        ttl = draw(st.sampled_from((64, 64, 64, 63)))
        if draw(st.booleans()):
            flags = draw(st.sampled_from((0x4000, 0x4000, 0)))
            made.append(ipv4(datagram, identification=counter, tos=tos, ttl=ttl, flags=flags))
        else:
            made.append(ipv6(datagram, traffic_class=tos, hop_limit=ttl))
    return made


@settings(max_examples=60, deadline=None)
@given(packets=flows(), repeats=st.integers(1, 5), large=st.booleans())
def test_any_flow_comes_through(packets: list[bytes], repeats: int, large: bool) -> None:
    pair = Pair(Channel(max_cid=2, large_cids=large), optimistic_repeats=repeats)
    for packet in packets:
        pair.carry(packet)


@settings(max_examples=40, deadline=None)
@given(packets=flows())
def test_the_hot_path_gives_the_octets_of_the_general_path(packets: list[bytes]) -> None:
    hot = Compressor(Channel(), mode="U", first_sn=7)
    general = Compressor(Channel(), mode="U", first_sn=7)
    for packet in packets * 2:
        general._steady.clear()
        assert hot.compress(packet) == general.compress(packet)


@settings(max_examples=40, deadline=None)
@given(
    packets=flows(),
    lost=st.sets(st.integers(0, 79), max_size=20),
)
def test_loss_rejects_packets_but_never_fails_otherwise(
    packets: list[bytes], lost: set[int]
) -> None:
    pair = Pair()
    for number, packet in enumerate(packets * 2):
        sent = pair.compressor.compress(packet)
        if number in lost and number < 2 * len(packets) - 1:
            continue
        if not lost:
            assert pair.decompressor.decompress(sent).packet == packet
