"""Bad input: only errors of this package, and no trace of it in a context."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rohc_packets import ipv4, ipv6, known, udp

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
from rohc.encoding.crc import CRC3


def settled(large: bool = False, packets: int = 12) -> tuple[Compressor, Decompressor]:
    channel = Channel(max_cid=15, large_cids=large)
    compressor = Compressor(channel, mode="U", first_sn=100)
    decompressor = Decompressor(channel, mode="U")
    for number in range(packets):
        for packet in (
            ipv4(udp(b"four"), identification=number),
            ipv6(udp(b"six")),
            ipv4(ipv4(udp(b"tunnel"), identification=number), protocol=4),
        ):
            decompressor.decompress(compressor.compress(packet))
    return compressor, decompressor


@pytest.mark.parametrize(
    ("name", "octets", "error"),
    [
        ("only padding", "e0e0", MalformedPacket),
        ("Add-CID alone", "e3", MalformedPacket),
        ("Add-CID twice", "e3e4", MalformedPacket),
        ("Add-CID and feedback", "e3f101", MalformedPacket),
        ("feedback cut short", "f201", MalformedPacket),
        ("sized feedback without size", "f0", MalformedPacket),
        ("sized feedback cut short", "f00301", MalformedPacket),
        ("segment without MRRU", "ff00", MalformedPacket),
        ("CID without context", "e90801", NoContext),
        ("IR cut short", "fd02", MalformedPacket),
        ("IR of a profile that does not exist", "fd0600", UnsupportedProfile),
        ("IR with a bad IP version", "fd0200500000", MalformedPacket),
        ("IR-DYN without context", "e9f8020000", NoContext),
        ("type octet of no packet", "f9", MalformedPacket),
        ("UO-1 cut short", "80", MalformedPacket),
        ("UOR-2 cut short", "c0", MalformedPacket),
        ("extension missing", "c080", MalformedPacket),
        ("extension 3 cut short", "c080ca", MalformedPacket),
        ("UO-0 without checksum", "08", MalformedPacket),
    ],
)
def test_bad_octets_are_rejected_without_a_trace(
    name: str, octets: str, error: type[RohcError]
) -> None:
    _, decompressor = settled()
    before = known(decompressor)
    with pytest.raises(error):
        decompressor.decompress(bytes.fromhex(octets))
    assert known(decompressor) == before


def test_a_cid_above_max_cid_is_rejected() -> None:
    decompressor = Decompressor(Channel(max_cid=3))
    with pytest.raises(MalformedPacket, match="MAX_CID 3"):
        decompressor.decompress(bytes.fromhex("e4fc00b7"))


@pytest.mark.parametrize("octets", ["00", "00c0", "0080", "e30001", "fd", "00ff00"])
def test_bad_large_cids_are_rejected(octets: str) -> None:
    decompressor = Decompressor(Channel(max_cid=300, large_cids=True))
    with pytest.raises((MalformedPacket, NoContext)):
        decompressor.decompress(bytes.fromhex(octets))


@pytest.mark.parametrize("place", range(20))
@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_in_an_ir_packet_is_caught_by_its_crc(place: int, bit: int) -> None:
    compressor = Compressor(Channel(), mode="U")
    sent = bytearray(compressor.compress(ipv4(udp(b"payload"))))
    sent[place] ^= 1 << bit
    with pytest.raises(RohcError):
        Decompressor(Channel()).decompress(bytes(sent))


def test_a_wrong_crc_is_caught_and_passes_when_the_check_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compressor, decompressor = settled()
    packet = ipv4(udp(b"four"), identification=12)
    sent = bytearray(compressor.compress(packet))
    assert compressor.last is not None
    assert compressor.last.packet_type == "UO-0"
    sent[0] ^= 0x01
    before = known(decompressor)
    with pytest.raises(CrcFailure):
        decompressor.decompress(bytes(sent))
    assert known(decompressor) == before
    from rohc.decompression.reconstruct import Candidate

    monkeypatch.setattr(Candidate, "verifies", lambda candidate, received: True)
    _, decompressor = settled()
    assert decompressor.decompress(bytes(sent)).packet == packet


def test_a_wrong_crc_8_is_caught_and_passes_when_the_check_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packet = ipv4(udp(b"x"))
    sent = bytearray(Compressor(Channel(), mode="U").compress(packet))
    sent[2] ^= 0xFF
    with pytest.raises(CrcFailure):
        Decompressor(Channel()).decompress(bytes(sent))
    monkeypatch.setattr("rohc.decompressor.verify_crc8", lambda *arguments: None)
    assert Decompressor(Channel()).decompress(bytes(sent)).packet == packet


def test_feedback_in_front_of_a_rejected_packet_is_kept() -> None:
    with pytest.raises(NoContext) as caught:
        Decompressor(Channel()).decompress(bytes.fromhex("f101 f22002 0801"))
    assert caught.value.feedback_received.hex() == "f101f22002"


def test_feedback_alone_is_handed_over() -> None:
    result = Decompressor(Channel()).decompress(bytes.fromhex("e0 f101"))
    assert (result.packet, result.feedback_received.hex()) == (None, "f101")


@settings(max_examples=120, deadline=None)
@given(octets=st.binary(min_size=1, max_size=80), large=st.booleans())
def test_no_octets_raise_anything_else(octets: bytes, large: bool) -> None:
    _, decompressor = settled(large)
    before = known(decompressor)
    try:
        decompressor.decompress(octets)
    except RohcError:
        assert known(decompressor) == before


@settings(max_examples=120, deadline=None)
@given(
    place=st.integers(0, 60),
    value=st.integers(0, 255),
    cut=st.integers(0, 70),
    kind=st.integers(0, 5),
)
def test_no_damaged_packet_raises_anything_else(
    place: int, value: int, cut: int, kind: int
) -> None:
    compressor, decompressor = settled()
    packet = [
        ipv4(udp(b"four"), identification=12),
        ipv4(udp(b"four"), identification=30, ttl=3),
        ipv4(udp(b"new", source_port=9)),
        ipv6(udp(b"six"), hop_limit=1),
        ipv4(ipv4(udp(b"tunnel"), identification=900, tos=4), protocol=4, identification=7777),
        b"\x01\x02",
    ][kind]
    sent = bytearray(compressor.compress(packet))
    if place < len(sent):
        sent[place] = value
    damaged = bytes(sent[: max(1, len(sent) - cut)] if cut < 40 else sent)
    before = known(decompressor)
    try:
        decompressor.decompress(damaged)
    except RohcError:
        assert known(decompressor) == before


def test_the_snapshot_sees_a_changed_context() -> None:
    compressor, decompressor = settled()
    before = copy.deepcopy(known(decompressor))
    decompressor.decompress(compressor.compress(ipv4(udp(b"four"), identification=12)))
    assert known(decompressor) != before


def test_crc3_lets_one_in_eight_random_headers_pass() -> None:
    passed = sum(CRC3.of(bytes((value, value >> 3))) == 5 for value in range(256))
    assert 20 <= passed <= 44
