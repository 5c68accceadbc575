"""The run's own capture: both sides, outer headers reconstructed and marked."""

from pathlib import Path

import pytest

from testbed.packets import parse_udp_packet, udp_checksum_valid
from testbed.results.capture import (
    HELLO,
    HSE_RECONSTRUCTED,
    UE_RECONSTRUCTED,
    RunCapture,
)
from testbed.results.capture_reader import CaptureReader, NotACapture

UE, HSE = ("10.20.0.2", 41_000), ("198.51.100.7", 34_500)
NAT = ("203.0.113.9", 52_111)
UE6, HSE6 = ("2001:db8:1::2", 41_000), ("2001:db8:2::7", 34_500)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "capture.pcapng"


@pytest.mark.parametrize(("ue", "hse", "headers"), [(UE, HSE, 28), (UE6, HSE6, 48)])
def test_both_sides_stand_in_one_file_with_whole_headers(
    path: Path, ue: tuple[str, int], hse: tuple[str, int], headers: int
) -> None:
    with RunCapture(path, hse_port=34_500) as capture:
        up = capture.ue_packet(b"request", ue, hse, uplink=True, at=1.0, note="message 0, uplink")
        capture.hse_packet(b"request", ue, hse, uplink=True, at=2.0)
        capture.hse_packet(b"answer!", hse, ue, uplink=False, at=3.0)
        capture.ue_packet(b"answer!", hse, ue, uplink=False, at=4.0)
        assert capture.packets == 4
    packets = list(CaptureReader(path))
    assert packets[0].data == up
    assert [packet.interface.name for packet in packets] == ["ue", "hse", "hse", "ue"]
    assert [packet.interface.link_type for packet in packets] == [101] * 4
    assert packets[0].comments == (UE_RECONSTRUCTED, "message 0, uplink")
    assert packets[1].comments == (HSE_RECONSTRUCTED,)
    for packet in packets:
        parsed = parse_udp_packet(packet.data)
        assert udp_checksum_valid(parsed)
        assert len(packet.data) == headers + 7
        assert parsed.hop_limit == 64


def test_the_hses_port_is_written_as_4500_and_the_real_one_said(path: Path) -> None:
    with RunCapture(path, hse_port=34_500) as capture:
        capture.ue_packet(b"x", UE, HSE, uplink=True, at=0)
        capture.hse_packet(b"x", HSE, NAT, uplink=False, at=0)
    up, down = (parse_udp_packet(packet.data) for packet in CaptureReader(path))
    assert (up.source_port, up.destination_port) == (41_000, 4500)
    assert (down.source_port, down.destination_port) == (4500, 52_111)
    for packet in CaptureReader(path):
        assert "written as 4500; it really is 34500" in packet.interface.comment
        assert "reconstructed" in packet.interface.comment


def test_only_the_hses_own_port_is_renamed(path: Path) -> None:
    by_chance = ("10.20.0.2", 34_500)
    with RunCapture(path, hse_port=34_500) as capture:
        capture.ue_packet(b"x", by_chance, HSE, uplink=True, at=0)
        capture.ue_packet(b"x", HSE, by_chance, uplink=False, at=0)
        capture.ue_packet(b"x", by_chance, ("198.51.100.7", 34_600), uplink=True, at=0)
    packets = [parse_udp_packet(packet.data) for packet in CaptureReader(path)]
    ports = [(packet.source_port, packet.destination_port) for packet in packets]
    assert ports == [(34_500, 4500), (4500, 34_500), (34_500, 34_600)]


def test_the_key_agreement_is_told_from_ike(path: Path) -> None:
    hello = bytes(4) + b"hello"
    plain = ("198.51.100.7", 34_600)
    with RunCapture(path, hse_port=34_500) as capture:
        capture.ue_packet(hello, UE, HSE, uplink=True, at=0, note="session")
        capture.hse_packet(hello, HSE, UE, uplink=False, at=0)
        capture.ue_packet(hello, UE, plain, uplink=True, at=0)
        capture.ue_packet(b"\0\0\1\0esp", UE, HSE, uplink=True, at=0)
    assert [packet.comments[1:] for packet in CaptureReader(path)] == [
        ("session", HELLO),
        (HELLO,),
        (),
        (),
    ]


def test_an_hse_that_really_has_port_4500_is_said_to_have_it(path: Path) -> None:
    with RunCapture(path) as capture:
        capture.ue_packet(b"x", UE, ("198.51.100.7", 4500), uplink=True, at=0)
    (packet,) = CaptureReader(path)
    assert packet.interface.comment.endswith("The HSE's ESP port is 4500.")


def test_times_are_the_runs_clock_laid_on_the_wall_clock(path: Path) -> None:
    start_ns = 1_800_000_000_123_456_789
    with RunCapture(path, start_ns=start_ns, start_s=5000.0) as capture:
        capture.ue_packet(b"x", UE, HSE, uplink=True, at=5000.0)
        capture.ue_packet(b"x", UE, HSE, uplink=True, at=5001.25)
        capture.ue_packet(b"x", UE, HSE, uplink=True, at=4999.5)
    times = [packet.time_ns for packet in CaptureReader(path)]
    assert times == [start_ns, start_ns + 1_250_000_000, start_ns - 500_000_000]


def test_a_clock_gives_the_times_that_are_not_given(path: Path) -> None:
    ticks = iter([1.0, 2.0])
    with RunCapture(path, clock=lambda: next(ticks)) as capture:
        capture.ue_packet(b"x", UE, HSE, uplink=True)
        capture.hse_packet(b"x", UE, HSE, uplink=True)
    assert [packet.time_ns for packet in CaptureReader(path)] == [10**9, 2 * 10**9]


def test_without_a_clock_a_packet_needs_a_time(path: Path) -> None:
    with RunCapture(path) as capture, pytest.raises(ValueError, match="time"):
        capture.ue_packet(b"x", UE, HSE, uplink=True)
    assert list(CaptureReader(path)) == []


def test_one_seed_gives_one_capture_octet_for_octet(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        with RunCapture(tmp_path / name, comment="test keys") as capture:
            capture.ue_packet(b"x", UE, HSE, uplink=True, at=0.25, note="message 0")
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_run_that_resumes_goes_on_in_the_same_file(path: Path) -> None:
    for start_ns in (10**18, 2 * 10**18):
        with RunCapture(path, hse_port=34_500, start_ns=start_ns, resume=True) as capture:
            capture.ue_packet(b"x", UE, HSE, uplink=True, at=0)
            capture.hse_packet(b"x", UE, HSE, uplink=True, at=1)
        path.write_bytes(path.read_bytes() + b"\x06\x00\x00\x00torn")
    reader = CaptureReader(path)
    packets = list(reader)
    assert [packet.interface.name for packet in packets] == ["ue", "hse"] * 2
    assert [packet.time_ns for packet in packets] == [
        10**18,
        10**18 + 10**9,
        2 * 10**18,
        2 * 10**18 + 10**9,
    ]
    assert reader.good_bytes == path.stat().st_size - 8


def test_resuming_from_nothing_is_a_beginning(path: Path) -> None:
    path.write_bytes(b"")
    with RunCapture(path, resume=True) as capture:
        capture.ue_packet(b"x", UE, HSE, uplink=True, at=0)
    assert len(list(CaptureReader(path))) == 1


def test_what_is_no_capture_is_not_gone_on_with(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(NotACapture):
        RunCapture(path, resume=True)
    assert path.read_bytes() == b"precious"
