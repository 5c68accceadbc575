"""Captures of other programs, written out here octet by octet, read packet by packet."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import ExitCode
from testbed.results.capture_reader import CapturedPacket, CaptureReader, NotACapture

SECOND = 1_700_000_000
DATA = bytes.fromhex("4500001c")


def pcap(order: str, magic: int, units: int, link: int = 101) -> bytes:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    record = struct.pack(order + "IIII", SECOND, units, len(DATA), 60) + DATA
    return head + record + record


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str, options: bytes = b"", major: int = 1) -> bytes:
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1)
    return block(order, 0x0A0D0D0A, body + options)


def interface(order: str, link: int = 101, snap: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap) + options)


def enhanced(
    order: str, units: int, index: int = 0, data: bytes = DATA, options: bytes = b""
) -> bytes:
    head = struct.pack(
        order + "IIIII", index, units >> 32, units & 0xFFFFFFFF, len(data), len(data)
    )
    return block(order, 6, head + data + bytes(-len(data) % 4) + options)


def simple(order: str, data: bytes = DATA, original: int | None = None) -> bytes:
    size = len(data) if original is None else original
    return block(order, 3, struct.pack(order + "I", size) + data)


def obsolete(order: str, units: int, index: int = 0) -> bytes:
    head = struct.pack(
        order + "HHIIII", index, 9, units >> 32, units & 0xFFFFFFFF, len(DATA), len(DATA)
    )
    return block(order, 2, head + DATA)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], tuple[list[CapturedPacket], str | None]]:
    def reader(content: bytes) -> tuple[list[CapturedPacket], str | None]:
        path = tmp_path / "capture"
        path.write_bytes(content)
        capture = CaptureReader(path)
        return list(capture), capture.torn

    return reader


Read = Callable[[bytes], tuple[list[CapturedPacket], str | None]]
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


@ORDERS
@pytest.mark.parametrize(
    ("magic", "unit_ns", "units"), [(0xA1B2C3D4, 1000, 999_999), (0xA1B23C4D, 1, 999_999_999)]
)
def test_pcap_is_read_in_both_byte_orders_and_resolutions(
    read: Read, order: str, magic: int, unit_ns: int, units: int
) -> None:
    packets, torn = read(pcap(order, magic, units))
    assert torn is None
    assert [packet.number for packet in packets] == [1, 2]
    assert packets[0].time_ns == SECOND * 10**9 + units * unit_ns
    assert packets[0].data == DATA
    assert packets[0].original_bytes == 60
    assert packets[0].cut
    assert packets[0].interface.link_type == 101


def test_what_pcap_says_about_frame_checks_is_not_part_of_the_link_type(read: Read) -> None:
    packets, _ = read(pcap("<", 0xA1B2C3D4, 0, link=0x2400_0000 | 1))
    assert packets[0].interface.link_type == 1


@ORDERS
def test_pcapng_is_read_in_both_byte_orders(read: Read, order: str) -> None:
    options = option(order, 2, b"eth0") + option(order, 9, b"\x09") + option(order, 0, b"")
    comment = option(order, 1, "größer".encode()) + option(order, 1, b"two")
    packets, torn = read(
        section(order)
        + interface(order, 1, options=options)
        + enhanced(order, SECOND * 10**9 + 5, options=comment)
    )
    assert torn is None
    (packet,) = packets
    assert packet.time_ns == SECOND * 10**9 + 5
    assert packet.data == DATA
    assert packet.comments == ("größer", "two")
    assert (packet.interface.name, packet.interface.link_type) == ("eth0", 1)


def test_sections_have_byte_orders_and_interfaces_of_their_own(read: Read) -> None:
    packets, torn = read(
        section("<")
        + interface("<", 1)
        + interface("<", 101)
        + enhanced("<", 7, index=1)
        + section(">", option(">", 1, b"second"))
        + interface(">", 228)
        + enhanced(">", 8)
    )
    assert torn is None
    assert [packet.interface.link_type for packet in packets] == [101, 228]
    assert [packet.time_ns for packet in packets] == [7000, 8000]
    assert [packet.number for packet in packets] == [1, 2]


@ORDERS
def test_simple_and_obsolete_packet_blocks_are_read(read: Read, order: str) -> None:
    packets, torn = read(
        section(order)
        + interface(order, snap=2)
        + simple(order)
        + simple(order, DATA[:2], original=90)
        + obsolete(order, 5)
    )
    assert torn is None
    assert [packet.data for packet in packets] == [DATA[:2], DATA[:2], DATA]
    assert [packet.original_bytes for packet in packets] == [4, 90, 4]
    assert [packet.time_ns for packet in packets] == [None, None, 5000]


@pytest.mark.parametrize(
    ("options", "units", "time_ns"),
    [
        (option("<", 9, b"\x06"), 3, 3_000),
        (option("<", 9, b"\x03"), 3, 3_000_000),
        (option("<", 9, b"\x0c"), 3_000, 3),
        (option("<", 9, b"\x8a"), 1024, 10**9),
        (option("<", 14, struct.pack("<q", -2)), 5_000_000, 3 * 10**9),
        (option("<", 9, b""), 3, 3_000),
    ],
)
def test_time_resolutions_and_offsets_are_those_of_the_interface(
    read: Read, options: bytes, units: int, time_ns: int
) -> None:
    packets, _ = read(section("<") + interface("<", options=options) + enhanced("<", units))
    assert packets[0].time_ns == time_ns


def test_blocks_that_hold_no_packet_are_skipped(read: Read) -> None:
    packets, torn = read(
        section("<")
        + interface("<")
        + block("<", 4, b"\x00" * 8)
        + block("<", 5, b"\x00" * 20)
        + block("<", 0x80000001, b"local")
        + enhanced("<", 1)
    )
    assert torn is None
    assert len(packets) == 1


SMALL = section("<") + interface("<", options=option("<", 2, b"ue")) + enhanced("<", 1) * 3


@pytest.mark.parametrize("whole", [SMALL, pcap("<", 0xA1B2C3D4, 0), pcap(">", 0xA1B23C4D, 0)])
def test_a_capture_cut_at_any_octet_is_read_up_to_the_tear(read: Read, whole: bytes) -> None:
    complete, _ = read(whole)
    counts = []
    for length in range(4, len(whole)):
        packets, torn = read(whole[:length])
        assert packets == complete[: len(packets)]
        counts.append(len(packets))
        if torn is not None:
            assert "octet" in torn
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == len(complete) - 1


def test_where_a_capture_is_torn_is_said(read: Read) -> None:
    packets, torn = read(SMALL[:-1])
    assert len(packets) == 2
    assert torn == f"the file ends inside a record (octet {len(SMALL) - len(enhanced('<', 1))})"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (struct.pack("<II", 6, 8), "block of 8 octets"),
        (struct.pack("<II", 6, 33) + bytes(25), "block of 33 octets"),
        (struct.pack("<II", 6, 0x7FFFFFFC), "octets cannot be right"),
        (block("<", 6, bytes(20))[:-4] + struct.pack("<I", 44), "says 32 octets .* and 44"),
        (block("<", 6, bytes(8)), "too short"),
        (block("<", 1, bytes(4)), "too short"),
        (block("<", 3, b""), "too short"),
        (enhanced("<", 1, index=5), "interface 5"),
        (block("<", 6, struct.pack("<IIIII", 0, 0, 0, 500, 500)), "packet of 500"),
        (interface("<", options=option("<", 9, b"\x7f")), "exponent 127"),
        (section("<", major=2), "version 2"),
        (block("<", 0x0A0D0D0A, b"\x01\x02\x03\x04" + bytes(12)), "in place of its byte order"),
    ],
)
def test_damage_ends_the_reading_where_it_stands(read: Read, damage: bytes, words: str) -> None:
    good = section("<") + interface("<") + enhanced("<", 1)
    packets, torn = read(good + damage + enhanced("<", 2))
    assert len(packets) == 1
    assert torn is not None
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(torn)
    assert f"octet {len(good)}" in torn


def test_damage_in_a_pcap_file_ends_the_reading(read: Read) -> None:
    whole = pcap("<", 0xA1B2C3D4, 0)
    packets, torn = read(whole[:24] + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30))
    assert packets == []
    assert torn is not None
    assert "octet 24" in torn


def test_without_the_check_of_both_lengths_damage_is_read_as_packets(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = bytearray(enhanced("<", 2, data=bytes(8)))
    bad[-4] ^= 0x04
    content = section("<") + interface("<") + bytes(bad)
    assert read(content)[0] == []

    def lenient(source: object, order: str, head: bytes, taken: int = 0) -> bytes:
        (length,) = struct.unpack_from(order + "I", head, 4)
        body: bytes = source.take(length - 8 - taken)[:-4]  # type: ignore[attr-defined]
        return body

    monkeypatch.setattr("testbed.results.capture_reader._body", lenient)
    assert len(read(content)[0]) == 1


def test_compressed_captures_are_read(read: Read) -> None:
    packets, torn = read(gzip.compress(SMALL))
    assert torn is None
    assert len(packets) == 3
    whole = gzip.compress(SMALL + enhanced("<", 9) * 100)
    packets, torn = read(whole[:-12])
    assert torn is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 octets"),
        (b"\x0a\x0d", "2 octets"),
        (b"PK\x03\x04 a zip archive", "neither pcap nor pcapng"),
        (b"version: 1\nname: bench\n", "neither pcap nor pcapng"),
        (b"\x1f\x8b\x08\x00not gzip at all", "cannot be read"),
    ],
)
def test_what_is_no_capture_is_refused_with_a_next_step(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "capture"
    path.write_bytes(content)
    with pytest.raises(NotACapture, match=words) as caught:
        CaptureReader(path)
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.path == path


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotACapture, match="there is no capture"):
        CaptureReader(tmp_path / "absent.pcapng")
    with pytest.raises(NotACapture, match="no file"):
        CaptureReader(tmp_path)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_octets_after_a_section_never_raise(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("noise") / "capture"
    path.write_bytes(section("<") + interface("<") + enhanced("<", 1) + noise)
    reader = CaptureReader(path)
    packets = list(reader)
    assert packets[0].data == DATA
    good = len(section("<") + interface("<") + enhanced("<", 1))
    assert good <= reader.good_bytes <= good + len(noise)
    assert (reader.torn is None) == (reader.good_bytes == good + len(noise))


@settings(deadline=None)
@given(
    st.sampled_from([SMALL, SMALL + SMALL, pcap("<", 0xA1B2C3D4, 0), pcap(">", 0xA1B23C4D, 0)]),
    st.lists(st.tuples(st.integers(4, 400), st.integers(1, 255)), min_size=1, max_size=4),
)
def test_a_damaged_capture_is_read_as_far_as_it_can_be_followed(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, flips: list[tuple[int, int]]
) -> None:
    damaged = bytearray(whole)
    for at, mask in flips:
        damaged[4 + at % (len(damaged) - 4)] ^= mask
    path = tmp_path_factory.mktemp("damaged") / "capture"
    path.write_bytes(damaged)
    reader = CaptureReader(path)
    packets = list(reader)
    assert len(packets) <= 6
    assert 0 <= reader.good_bytes <= len(damaged)
    assert (reader.torn is None) == (reader.good_bytes == len(damaged))
