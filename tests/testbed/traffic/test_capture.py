"""The messages of a device, from captures of all kinds."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import ExitCode, UsageError
from testbed.packets import build_udp_packet
from testbed.results.capture_reader import NotACapture
from testbed.results.pcapng import LinkType, PcapngWriter
from testbed.traffic import NoUsablePacket, capture_traffic

DEVICE, SERVER, OTHER = "2001:db8::3", "2001:db8::20", "2001:db8::99"
UP = build_udp_packet(DEVICE, SERVER, 37024, 5683, b"reading")
DOWN = build_udp_packet(SERVER, DEVICE, 5683, 37024, b"ack")
V4 = build_udp_packet("10.0.0.1", "10.0.0.2", 1, 2, b"v4")
ICMPV6 = UP[:6] + b"\x3a" + UP[7:]
FRAGMENT = V4[:6] + b"\x20\x00" + V4[8:]
MACS = bytes(12)

LESHAN = (
    Path(__file__).parents[3].parent / "shared" / "traffic" / "leshan-thermostat-readings.pcapng"
)


def capture(
    path: Path, *packets: bytes, link: int = LinkType.RAW, step_ns: int = 500_000_000
) -> Path:
    with PcapngWriter(path) as writer:
        writer.add_interface("any", link_type=link)
        for number, packet in enumerate(packets):
            writer.write_packet(0, packet, 10**18 + number * step_ns)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "device.pcapng"


def test_every_udp_packet_that_the_device_sends_is_a_message(path: Path) -> None:
    traffic = capture_traffic(capture(path, UP, DOWN, UP, UP))
    assert traffic.device == DEVICE
    assert traffic.description == "device.pcapng"
    assert [message.index for message in traffic.messages] == [0, 1, 2]
    assert [message.time_s for message in traffic.messages] == [0.0, 1.0, 1.5]
    assert traffic.duration_s == 1.5
    message = traffic.messages[0]
    assert (message.packet, message.payload) == (UP, b"reading")
    assert (message.source_text, message.destination_text) == (DEVICE, SERVER)
    assert (message.source_port, message.destination_port) == (37024, 5683)
    assert message.ip_header_bytes == 40


def test_the_busiest_sender_is_taken_for_the_device_and_that_is_said(path: Path) -> None:
    traffic = capture_traffic(capture(path, DOWN, UP, UP))
    assert traffic.device == DEVICE
    assert traffic.notes == (f"the device is {DEVICE}, which sent 2 of 3 UDP packets",)
    assert traffic.skipped == {"other-sender": 1}


def test_of_several_busiest_senders_the_first_is_taken(path: Path) -> None:
    assert capture_traffic(capture(path, DOWN, UP, UP, DOWN)).device == SERVER


@pytest.mark.parametrize("text", [SERVER, "2001:0DB8:0:0:0:0:0:20", f"[{SERVER}]"])
def test_the_device_can_be_named(path: Path, text: str) -> None:
    traffic = capture_traffic(capture(path, UP, DOWN, UP), device=text)
    assert traffic.device == SERVER
    assert [message.payload for message in traffic.messages] == [b"ack"]
    assert traffic.notes == ()


def test_what_is_no_message_is_counted_by_reason(path: Path) -> None:
    ip = b"\x86\xdd"
    traffic = capture_traffic(
        capture(
            path,
            MACS + ip + UP,
            MACS + ip + ICMPV6,
            MACS + ip + ICMPV6,
            MACS + b"\x08\x00" + FRAGMENT,
            MACS + b"\x08\x06" + bytes(28),
            MACS + ip + UP[:-1],
            MACS + ip,
            MACS,
            MACS + ip + DOWN,
            link=LinkType.ETHERNET,
        )
    )
    assert len(traffic.messages) == 1
    assert traffic.skipped == {
        "not-udp": 2,
        "fragment": 1,
        "not-ip": 1,
        "truncated": 3,
        "other-sender": 1,
    }


def test_the_padding_of_short_frames_is_no_part_of_a_message(path: Path) -> None:
    frame = (MACS + b"\x08\x00" + V4).ljust(60, b"\0")
    (message,) = capture_traffic(capture(path, frame, link=LinkType.ETHERNET)).messages
    assert message.packet == V4


def test_a_limit_cuts_the_messages_and_not_the_counts(path: Path) -> None:
    traffic = capture_traffic(capture(path, UP, UP, DOWN, UP, DOWN), limit=2)
    assert len(traffic.messages) == 2
    assert traffic.skipped == {"other-sender": 2}
    assert "3 of 5" in traffic.notes[0]


def test_wrong_checksums_are_counted_and_the_packet_left_as_it_is(path: Path) -> None:
    offloaded = UP[:46] + b"\x12\x34" + UP[48:]
    traffic = capture_traffic(capture(path, UP, offloaded))
    assert traffic.bad_checksums == 1
    assert traffic.messages[1].packet == offloaded
    assert "1 messages have a wrong UDP checksum" in traffic.notes[-1]


def test_a_torn_capture_gives_what_it_has_and_says_so(path: Path) -> None:
    content = capture(path, UP, UP, UP).read_bytes()
    path.write_bytes(content[:-3])
    traffic = capture_traffic(path)
    assert len(traffic.messages) == 2
    assert "torn" in traffic.notes[-1]


@pytest.mark.parametrize(
    ("packets", "link", "words"),
    [
        ([], LinkType.RAW, "no packet at all"),
        ([ICMPV6, ICMPV6, FRAGMENT], LinkType.RAW, "2 not-udp, 1 fragment"),
        ([MACS + b"\x08\x06" + bytes(28)], LinkType.ETHERNET, "1 not-ip"),
        ([b"\0" * 40] * 3, 127, "3 unknown-link-type"),
    ],
)
def test_a_capture_without_udp_names_what_it_holds(
    path: Path, packets: list[bytes], link: int, words: str
) -> None:
    with pytest.raises(NoUsablePacket, match=f"no usable packet.*{words}") as caught:
        capture_traffic(capture(path, *packets, link=link))
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint
    if link == 127:
        assert "Ethernet" in str(caught.value.hint)


def test_a_device_that_sent_nothing_is_told_from_those_that_did(path: Path) -> None:
    with pytest.raises(NoUsablePacket) as caught:
        capture_traffic(capture(path, UP, UP, DOWN, ICMPV6), device=OTHER)
    assert OTHER in str(caught.value)
    assert f"UDP was sent by {DEVICE} (2), {SERVER} (1)" in str(caught.value)
    assert caught.value.found == {"udp": 3, "not-udp": 1}


def test_a_crowd_of_senders_is_named_in_part(path: Path) -> None:
    crowd = [build_udp_packet(f"10.0.0.{n}", "10.0.1.1", 1, 2, b"") for n in range(1, 8)]
    with pytest.raises(NoUsablePacket, match="and 3 more"):
        capture_traffic(capture(path, *crowd), device=OTHER)


def test_a_device_that_is_no_address_is_a_usage_error(path: Path) -> None:
    with pytest.raises(UsageError, match="thermostat-3"):
        capture_traffic(capture(path, UP), device="thermostat-3")


def test_what_is_no_capture_is_refused(path: Path) -> None:
    path.write_text("time,payload\n0,AA==\n")
    with pytest.raises(NotACapture):
        capture_traffic(path)


def test_packets_without_a_time_keep_their_place(path: Path) -> None:
    capture(path, UP)
    body = len(UP).to_bytes(4, "little") + UP + bytes(-len(UP) % 4)
    length = (12 + len(body)).to_bytes(4, "little")
    with path.open("ab") as file:
        file.write(b"\x03\0\0\0" + length + body + length)
    assert [message.time_s for message in capture_traffic(path).messages] == [0.0, 0.0]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=8))
def test_random_packets_are_counted_or_messages(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes]
) -> None:
    path = capture(tmp_path_factory.mktemp("random") / "c.pcapng", UP, *packets)
    traffic = capture_traffic(path)
    assert len(traffic.messages) + sum(traffic.skipped.values()) == 1 + len(packets)


@pytest.mark.skipif(not LESHAN.exists(), reason=f"{LESHAN.name} is not beside the checkout")
def test_a_real_thermostat_gives_all_its_messages() -> None:
    traffic = capture_traffic(LESHAN)
    assert traffic.device == "2001:db8:a::3"
    assert len(traffic.messages) == 9135
    assert traffic.skipped == {"other-sender": 865}
    assert traffic.bad_checksums == 0
    assert {message.destination_port for message in traffic.messages} == {5683}
    assert {len(message.packet) - len(message.payload) for message in traffic.messages} == {48}
    sizes = sorted(len(message.payload) for message in traffic.messages)
    assert (sizes[0], sizes[len(sizes) // 2], sizes[-1]) == (6, 25, 25)
