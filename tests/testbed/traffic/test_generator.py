"""Generated devices: the seed decides everything, and it looks like the real thing."""

from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import pytest

from testbed.errors import UsageError
from testbed.packets import parse_udp_packet, udp_checksum_valid
from testbed.results.capture_reader import CaptureReader
from testbed.traffic import PROFILES, Traffic, capture_traffic, generated_traffic
from testbed.traffic.generator import GeneratedPacket, conversation, write_capture

SAMPLE = Path(__file__).parents[2] / "data" / "traffic" / "thermostat.pcapng"
SAMPLE_START_NS = 1_767_225_600 * 10**9  # 2026-01-01 00:00 UTC


def packets(count: int, profile: str = "thermostat", **options: int) -> list[GeneratedPacket]:
    return list(islice(conversation(profile, **options), count))


def write_sample(path: Path) -> None:
    """How the sample came to be; to renew it, delete it and call this with its path."""
    write_capture(path, packets(300, seed=1), start_ns=SAMPLE_START_NS)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("ip_version", [4, 6])
def test_one_seed_gives_one_conversation(profile: str, ip_version: int) -> None:
    first = packets(300, profile, seed=5, ip_version=ip_version)
    assert first == packets(300, profile, seed=5, ip_version=ip_version)
    assert first != packets(300, profile, seed=6, ip_version=ip_version)


def test_the_sample_capture_is_what_the_generator_writes(tmp_path: Path) -> None:
    write_sample(tmp_path / "thermostat.pcapng")
    assert (tmp_path / "thermostat.pcapng").read_bytes() == SAMPLE.read_bytes()


def test_the_sample_capture_holds_both_sides_over_ethernet() -> None:
    captured = list(CaptureReader(SAMPLE))
    assert len(captured) == 300
    assert {packet.interface.link_type for packet in captured} == {1}
    traffic = capture_traffic(SAMPLE)
    assert 200 < len(traffic.messages) < 300
    assert traffic.skipped == {"other-sender": 300 - len(traffic.messages)}
    assert traffic.bad_checksums == 0


def test_the_sample_read_back_is_what_was_generated() -> None:
    read = capture_traffic(SAMPLE)
    made = generated_traffic(messages=len(read.messages), seed=1)
    assert read.device == made.device
    for ours, theirs in zip(read.messages, made.messages, strict=True):
        assert ours.packet == theirs.packet
        assert ours.time_s == pytest.approx(theirs.time_s, abs=2e-6)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("ip_version", [4, 6])
def test_every_packet_is_whole_and_between_the_same_two_ends(profile: str, ip_version: int) -> None:
    ends = Counter[tuple[bytes, int, bool]]()
    for generated in packets(500, profile, ip_version=ip_version):
        packet = parse_udp_packet(generated.packet)
        assert packet.version == ip_version
        assert packet.raw == generated.packet
        assert udp_checksum_valid(packet)
        ends[packet.source, packet.source_port, generated.uplink] += 1
    assert len(ends) == 2
    device, server = ends.most_common()
    assert device[0][2]
    assert server[0][1] == 5683
    assert device[1] > server[1] > 10


def test_identifications_count_up_and_flow_labels_stay() -> None:
    made = [parse_udp_packet(p.packet) for p in packets(200, ip_version=4) if p.uplink]
    for earlier, later in pairwise(made):
        assert later.identification == (earlier.identification + 1) & 0xFFFF
    labels = {parse_udp_packet(p.packet).flow_label for p in packets(200) if p.uplink}
    assert len(labels) == 1


def test_time_goes_on_and_readings_keep_their_periods() -> None:
    made = packets(400)
    assert all(earlier.time_s <= later.time_s for earlier, later in pairwise(made))
    assert made[0].time_s == 0.0
    token = parse_udp_packet(made[0].packet).payload[4:6]  # the first reading is the temperature's
    readings = [
        p.time_s for p in made if p.uplink and parse_udp_packet(p.packet).payload[4:6] == token
    ]
    gaps = [later - earlier for earlier, later in pairwise(readings)]
    assert sum(59.9 < gap < 60.1 for gap in gaps) > 0.9 * len(gaps)
    assert 3 < made[-1].time_s / 3600 < 6


def test_kinds_of_message_are_those_of_an_observed_device() -> None:
    made = packets(2000)
    payloads = [(packet.uplink, parse_udp_packet(packet.packet).payload) for packet in made]
    kinds = Counter((uplink, payload[0] >> 4 & 3, payload[1]) for uplink, payload in payloads)
    assert set(kinds) == {
        (True, 1, 0x45),  # NON notification
        (True, 0, 0x45),  # CON notification
        (False, 2, 0x00),  # its acknowledgement
        (True, 0, 0x02),  # renewal of the registration
        (False, 2, 0x44),  # its answer
        (False, 0, 0x01),  # a read
        (True, 2, 0x45),  # its answer
    }
    assert kinds[True, 1, 0x45] > 0.8 * len(made)
    assert kinds[False, 2, 0x00] <= kinds[True, 0, 0x45]


def test_a_retransmission_repeats_the_message_octet_for_octet() -> None:
    sent = Counter(
        parse_udp_packet(packet.packet).payload for packet in packets(4000) if packet.uplink
    )
    repeated = [payload for payload, times in sent.items() if times > 1]
    assert repeated
    assert all(payload[0] >> 4 & 3 == 0 for payload in repeated)


def test_message_ids_differ_but_for_retransmissions() -> None:
    ids = Counter(
        parse_udp_packet(packet.packet).payload[2:4]
        for packet in packets(1000)
        if packet.uplink and parse_udp_packet(packet.packet).payload[0] >> 4 & 3 == 1
    )
    assert set(ids.values()) == {1}


def test_readings_differ_and_sizes_are_those_of_real_readings() -> None:
    traffic = generated_traffic(messages=500)
    sizes = sorted(len(message.payload) for message in traffic.messages)
    assert sizes[0] >= 14
    assert sizes[-1] <= 30
    assert sizes[len(sizes) // 2] in range(22, 27)
    assert len({message.payload[-8:] for message in traffic.messages}) > 30


def test_a_generated_device_describes_itself() -> None:
    traffic = generated_traffic("meter", messages=7, seed=3, ip_version=4)
    assert isinstance(traffic, Traffic)
    assert traffic.description == "generator:meter (seed 3, IPv4)"
    assert traffic.device.startswith("192.0.2.")
    assert [message.index for message in traffic.messages] == list(range(7))
    assert traffic.duration_s == traffic.messages[-1].time_s > 0
    assert traffic.payload_bytes == sum(len(message.payload) for message in traffic.messages)
    assert traffic.messages[0].source_text == traffic.device
    assert traffic.messages[0].destination_text == "192.0.2.5"


def test_messages_are_the_same_however_many_are_taken() -> None:
    assert generated_traffic(messages=5).messages == generated_traffic(messages=50).messages[:5]


def test_short_ipv4_packets_are_padded_as_ethernet_does(tmp_path: Path) -> None:
    made = packets(200, ip_version=4)
    write_capture(tmp_path / "v4.pcapng", made, start_ns=0)
    frames = [packet.data for packet in CaptureReader(tmp_path / "v4.pcapng")]
    assert min(map(len, frames)) == 60
    read = capture_traffic(tmp_path / "v4.pcapng")
    assert [message.packet for message in read.messages] == [
        packet.packet for packet in made if packet.uplink
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: generated_traffic("toaster", messages=1), "toaster"),
        (lambda: generated_traffic(messages=0), "0 messages"),
        (lambda: generated_traffic(messages=1, ip_version=5), "IP version 5"),
    ],
)
def test_what_cannot_be_generated_is_said(call: object, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        call()  # type: ignore[operator]
    assert caught.value.hint
