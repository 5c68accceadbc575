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
    with pytest.raises(RohcUsageError, match="at least 2"):
        Compressor(Channel(mrru=9)).compress_segments(PACKET, segment_octets=segment_octets)


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
    monkeypatch.setattr("rohc.decompression.reassembly.fcs32", lambda data: damaged[-4:])
    for segment in sent[:-1]:
        decompressor.decompress(segment)
    assert decompressor.decompress(damaged).packet != PACKET


@pytest.mark.parametrize("unit", ["", "01020304", "e0", "f101", "fe00", "ff00"])
def test_a_unit_that_may_not_be_one_is_discarded(unit: str) -> None:
    from rohc.encoding.crc import fcs32

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
