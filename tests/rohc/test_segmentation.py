"""Segmentation (RFC 5795 section 5.2.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rohc_packets import ipv4, udp

from rohc import (
    Channel,
    Compressor,
    CrcFailure,
    Decompressor,
    MalformedPacket,
    RohcError,
    RohcUsageError,
)
from rohc.encoding.crc import fcs32
from rohc.segments import NumberedReassembly, segments_of

PACKET = ipv4(udp(b"a payload that is cut in pieces" * 4))


@given(segment_octets=st.integers(2, 80), queued=st.booleans())
def test_a_packet_in_segments_comes_back(segment_octets: int, queued: bool) -> None:
    channel = Channel(mrru=400)
    compressor, decompressor = Compressor(channel, mode="U"), Decompressor(channel)
    if queued:
        compressor.queue_feedback(b"\xf1\x05")
    segments = compressor.compress_segments(PACKET, segment_octets=segment_octets)
    results = [decompressor.decompress(segment) for segment in segments]
    assert results[-1].packet == PACKET
    assert all(result.packet is None for result in results[:-1])
    assert b"".join(result.feedback_received for result in results) == b"\xf1\x05" * queued
    assert all(len(segment) <= segment_octets for segment in segments[int(queued) :])


def test_without_mrru_or_need_there_is_one_packet() -> None:
    for channel in (Channel(), Channel(mrru=400)):
        compressor = Compressor(channel, mode="U", first_sn=1)
        (sent,) = compressor.compress_segments(PACKET)
        assert Decompressor(channel).decompress(sent).packet == PACKET
        (sent,) = compressor.compress_segments(PACKET, segment_octets=1000)
        assert sent[0] == 0xFD


@pytest.mark.parametrize("segment_octets", [1, -3])
def test_a_segment_size_out_of_range_is_refused(segment_octets: int) -> None:
    compressor = Compressor(Channel(mrru=9))
    compressor.queue_feedback(b"\xf1\x05")
    with pytest.raises(RohcUsageError, match="at least 2"):
        compressor.compress_segments(PACKET, segment_octets=segment_octets)
    assert compressor.last is None
    assert compressor.compress(PACKET).startswith(b"\xf1\x05")


def test_a_packet_larger_than_mrru_is_the_callers_mistake() -> None:
    with pytest.raises(RohcUsageError, match="mrru of 20"):
        Compressor(Channel(mrru=20)).compress_segments(PACKET, segment_octets=10)


def segments() -> tuple[Decompressor, list[bytes]]:
    channel = Channel(mrru=400)
    sent = Compressor(channel, mode="U").compress_segments(PACKET, segment_octets=40)
    return Decompressor(channel), sent


def test_another_packet_between_segments_aborts_the_unit() -> None:
    decompressor, sent = segments()
    decompressor.decompress(sent[0])
    with pytest.raises(RohcError):
        decompressor.decompress(b"\x01\x02")
    with pytest.raises(RohcError):
        for segment in sent[1:]:
            decompressor.decompress(segment)


def test_a_damaged_segment_is_caught_and_passes_when_the_check_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decompressor, sent = segments()
    damaged = sent[-1][:-5] + bytes((sent[-1][-5] ^ 1,)) + sent[-1][-4:]
    with pytest.raises(CrcFailure, match="reconstructed"):
        for segment in [*sent[:-1], damaged]:
            decompressor.decompress(segment)
    monkeypatch.setattr("rohc.segments.fcs32", lambda data: damaged[-4:])
    for segment in sent[:-1]:
        decompressor.decompress(segment)
    assert decompressor.decompress(damaged).packet != PACKET


@pytest.mark.parametrize("unit", ["", "01020304", "e0", "f101", "fe00", "ff00"])
def test_a_unit_that_may_not_be_one_is_discarded(unit: str) -> None:
    octets = bytes.fromhex(unit)
    data = octets + fcs32(octets) if len(octets) != 4 else octets
    with pytest.raises((MalformedPacket, RohcError)):
        Decompressor(Channel(mrru=100)).decompress(b"\xff" + data)


def test_segments_beyond_mrru_do_not_pile_up() -> None:
    decompressor = Decompressor(Channel(mrru=50))
    with pytest.raises(MalformedPacket, match="50"):
        for _ in range(10):
            decompressor.decompress(b"\xfe" + bytes(20))
    assert decompressor._reassembly.octets <= 50


# Segments that a lower layer numbers -------------------------------------------------------------


def numbered(count: int, octets: int, mrru: int = 400) -> list[tuple[int, bytes, int]]:
    """The segments of some packets: number, octets, which packet."""
    made: list[tuple[int, bytes, int]] = []
    for packet in range(count):
        data = bytes((0x10 + packet,)) + bytes(range(packet, packet + 90))
        for segment in segments_of(data, segment_octets=octets, mrru=mrru):
            made.append((1000 + len(made), segment, packet))
    return made


@given(
    octets=st.integers(2, 60),
    shifts=st.lists(st.integers(0, 5), min_size=200, max_size=200),
    lost=st.sets(st.integers(0, 199), max_size=6),
)
def test_numbered_segments_make_their_packets_in_any_order_and_none_twice(
    octets: int, shifts: list[int], lost: set[int]
) -> None:
    sent = numbered(4, octets)
    order = sorted(range(len(sent)), key=lambda place: place + shifts[place % 200])
    reassembly = NumberedReassembly(400)
    found = []
    for place in order:
        if place in lost:
            continue
        number, segment, _ = sent[place]
        taken = reassembly.take(number, segment)
        if taken is not None:
            packet = taken[0][0] - 0x10
            assert taken[0] == bytes((0x10 + packet,)) + bytes(range(packet, packet + 90))
            assert list(taken[1]) == [one for one, _, which in sent if which == packet]
            found.append(packet)
    hurt = {sent[place][2] for place in lost if place < len(sent)}
    assert sorted(found) == [packet for packet in range(4) if packet not in hurt]


def test_segments_whose_others_never_come_are_given_up() -> None:
    reassembly = NumberedReassembly(100)
    for number in range(0, 1000, 2):
        assert reassembly.take(number, b"\xff" + bytes(30)) is None
    assert reassembly.waiting <= 7


def test_numbered_segments_are_refused_without_mrru_and_beyond_it() -> None:
    with pytest.raises(MalformedPacket, match="without segmentation"):
        NumberedReassembly(0).take(1, b"\xff\x01")
    with pytest.raises(MalformedPacket, match="mrru of 20"):
        NumberedReassembly(20).take(1, b"\xff" + bytes(21))
    reassembly = NumberedReassembly(50)
    sent = numbered(1, 20)
    assert [reassembly.take(number, segment) for number, segment, _ in sent] == [None] * len(sent)


@pytest.mark.parametrize("unit", ["e0", "f101", "fe00"])
def test_a_numbered_unit_that_may_not_be_one_is_discarded(unit: str) -> None:
    octets = bytes.fromhex(unit)
    reassembly = NumberedReassembly(100)
    with pytest.raises(MalformedPacket, match="reconstructed unit"):
        reassembly.take(5, b"\xff" + octets + fcs32(octets))
    assert not reassembly.waiting


def test_a_damaged_numbered_segment_gives_nothing_and_would_without_the_crc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = [(number, bytearray(segment)) for number, segment, _ in numbered(1, 30)]
    sent[1][1][5] ^= 4

    def last_taken() -> tuple[bytes, range] | None:
        reassembly = NumberedReassembly(400)
        return [reassembly.take(number, bytes(segment)) for number, segment in sent][-1]

    assert last_taken() is None
    right = bytes(sent[-1][1][-4:])
    monkeypatch.setattr("rohc.segments.fcs32", lambda data: right)
    assert last_taken() is not None


@pytest.mark.parametrize(("octets", "alone"), [(5, False), (4, False), (3, True)])
def test_feedback_rides_on_the_first_segment_where_there_is_room(octets: int, alone: bool) -> None:
    first, second, *_ = segments_of(b"\xf1\x05" + PACKET, segment_octets=octets, mrru=400)
    assert first.startswith(b"\xf1\x05")
    assert (len(first) == 2) is alone
    assert len(first) <= octets
    assert second[0] == 0xFE
