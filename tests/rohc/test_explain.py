"""Packets in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rohc_packets import ipv4, known, own_streams, streams, udp

from rohc import Channel, Compressor, Decompressor, explain

FILES = [
    "syn-udp.jsonl",
    "syn-rtp.jsonl",
    "syn-esp.jsonl",
    "syn-ip.jsonl",
    "syn-multi.jsonl",
    "cap-packettypes.jsonl",
    "cap-rfc3095.jsonl",
]


@pytest.mark.parametrize("name", FILES)
def test_every_recorded_packet_is_named_whole_and_its_crc_found_good(name: str) -> None:
    for stream in streams(name):
        if stream["rohc_version"] != 1 or "tcp" in stream["profile"]:
            continue
        large = stream["cid_type"] == "large"
        decompressor = Decompressor(Channel(max_cid=stream["max_cid"], large_cids=large))
        for packet in stream["packets"]:
            data = bytes.fromhex(packet["rohc"])
            told = explain(data, decompressor)
            result = decompressor.decompress(data)
            assert (told.packet_type, told.cid, told.profile) == (
                result.packet_type,
                result.cid,
                result.profile,
            )
            assert told.problem == ""
            assert all("does not match" not in field.note for field in told.fields)
            assert "tail" not in {field.name for field in told.fields}


def test_a_uo_0_shows_its_whole_sequence_number() -> None:
    stream = own_streams("udp-u-mode.jsonl")[0]
    decompressor = Decompressor(Channel())
    decompressor.decompress(bytes.fromhex(stream["packets"][0]["rohc"]))
    told = explain(bytes.fromhex(stream["packets"][1]["rohc"]), decompressor)
    fields = {field.name: field for field in told.fields}
    assert fields["SN"].value == 1
    assert fields["SN"].note == "4 bits; SN 257"
    assert fields["CRC"].note == "good"
    assert (fields["UDP Checksum"].value, fields["UDP Checksum"].at) == (0xBBBB, 1)
    assert fields["payload"].octets == b"two"
    assert "UO-0, CID 0, profile 0x0002" in str(told)


def test_an_ir_packet_needs_no_context() -> None:
    told = explain(bytes.fromhex(own_streams("udp-u-mode.jsonl")[0]["packets"][0]["rohc"]))
    fields = {field.name: field for field in told.fields}
    assert told.packet_type == "IR"
    assert fields["CRC"].note == "good"
    assert fields["Source Address"].note == "10.0.0.1"
    assert fields["Destination Port"].value == 5683
    assert fields["SN"].value == 0x100


def test_a_wrong_crc_is_said() -> None:
    octets = bytearray.fromhex(own_streams("udp-u-mode.jsonl")[0]["packets"][0]["rohc"])
    octets[2] ^= 1
    told = explain(bytes(octets))
    assert [field.note for field in told.fields if field.name == "CRC"] == ["does not match"]


def test_padding_feedback_and_cids_are_named() -> None:
    stream = own_streams("udp-u-mode.jsonl")[2]
    channel = Channel(max_cid=16383, large_cids=True)
    ir = bytes.fromhex(stream["packets"][0]["rohc"])
    told = explain(b"\xe0\xf2\x05\x07" + ir, channel=channel)
    names = [field.name for field in told.fields]
    assert names[:3] == ["padding", "feedback type", "feedback data"]
    assert told.cid == 300
    assert "large CID" in names
    (feedback,) = [field for field in told.fields if field.name == "feedback data"]
    assert feedback.note == "CID 5, ACK (FEEDBACK-1), SN ...7 (8 bits)"


@pytest.mark.parametrize(
    ("octets", "packet_type"),
    [("3f00", "packet type 0"), ("80aa", "packet type 1"), ("c0aa", "packet type 2")],
)
def test_without_context_the_packet_type_is_still_told(octets: str, packet_type: str) -> None:
    told = explain(bytes.fromhex(octets))
    assert (told.packet_type, told.profile) == (packet_type, -1)


@settings(max_examples=120, deadline=None)
@given(octets=st.binary(max_size=60), large=st.booleans())
def test_explaining_any_octets_changes_nothing_and_never_fails(octets: bytes, large: bool) -> None:
    channel = Channel(large_cids=large)
    compressor, decompressor = Compressor(channel, mode="U"), Decompressor(channel)
    for number in range(6):
        decompressor.decompress(compressor.compress(ipv4(udp(b"x"), identification=number)))
    before = known(decompressor)
    told = explain(octets, decompressor)
    assert str(told)
    assert known(decompressor) == before
