"""Packets in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rohc_packets import ipv4, ipv6, known, own_streams, streams, udp

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


@pytest.mark.parametrize("octet", ["f9", "fa", "fb"])
def test_a_cce_octet_alone_is_a_problem_and_no_failure(octet: str) -> None:
    compressor, decompressor = Compressor(Channel(), mode="U"), Decompressor(Channel())
    datagram = udp(b"light")
    light = ipv4(datagram[:4] + b"\x00\x08" + datagram[6:], protocol=136)
    decompressor.decompress(compressor.compress(light))
    told = explain(bytes.fromhex(octet), decompressor)
    assert (told.packet_type, told.profile) == ("", -1)
    assert "begins with" in told.problem


# Segments ------------------------------------------------------------------------------------


def in_segments(packet: bytes, octets: int) -> tuple[Decompressor, list[bytes]]:
    channel = Channel(mrru=500)
    compressor = Compressor(channel, mode="U", first_sn=7)
    return Decompressor(channel), compressor.compress_segments(packet, segment_octets=octets)


def test_the_last_segment_names_the_fields_of_its_unit() -> None:
    decompressor, segments = in_segments(ipv4(udp(b"in three pieces")), 20)
    for segment in segments[:-1]:
        told = explain(segment, decompressor)
        assert [field.name for field in told.fields] == ["segment type", "segment"]
        assert told.fields[0].note == "more follow"
        decompressor.decompress(segment)
    told = explain(segments[-1], decompressor)
    result = decompressor.decompress(segments[-1])
    assert (told.packet_type, told.cid, told.profile) == ("IR", 0, 2)
    assert (result.packet_type, result.cid, result.profile) == ("IR", 0, 2)
    unit = {field.name: field for field in told.fields if field.in_unit}
    assert unit["CRC"].note == "good"
    assert unit["SN"].value == 7
    assert unit["Source Address"].note == "10.0.0.1"
    assert unit["payload"].octets == b"in three pieces"
    assert unit["FCS-32"].octets == segments[-1][-4:]
    assert unit["FCS-32"].note.startswith("good; the unit has ")
    assert unit["payload"].at == unit["FCS-32"].at - len(b"in three pieces")


def test_one_segment_alone_is_a_whole_unit() -> None:
    decompressor, segments = in_segments(ipv4(udp(b"one")), 20)
    whole = bytes((0xFF,)) + b"".join(segment[1:] for segment in segments)
    told = explain(whole, decompressor)
    assert told.packet_type == "IR"
    assert told.problem == ""


def test_a_damaged_unit_is_not_named() -> None:
    decompressor, segments = in_segments(ipv4(udp(b"damaged")), 20)
    for segment in segments[:-1]:
        decompressor.decompress(segment)
    told = explain(segments[-1][:-1] + bytes((segments[-1][-1] ^ 1,)), decompressor)
    assert told.packet_type == "segment"
    assert told.fields[-1].name == "FCS-32"
    assert told.fields[-1].note.startswith("does not match")


def test_a_segment_without_decompressor_is_named_by_its_frame() -> None:
    told = explain(b"\xff\x01\x02\x03\x04\x05")
    assert (told.packet_type, told.cid, told.profile) == ("segment", -1, -1)
    assert [field.note for field in told.fields] == ["the last segment", "5 octets of a unit"]


def test_a_unit_that_is_only_a_crc_is_said_to_be_one() -> None:
    told = explain(b"\xff\x01\x02\x03\x04", Decompressor(Channel(mrru=50)))
    assert told.packet_type == ""
    assert "its CRC alone" in told.problem


def test_what_is_wrong_inside_a_unit_is_told_with_its_fields() -> None:
    from rohc.encoding.crc import fcs32

    unit = b"\xfd\x02\x00\x40"
    told = explain(b"\xff" + unit + fcs32(unit), Decompressor(Channel(mrru=50)))
    assert "ends inside" in told.problem
    assert [field.name for field in told.fields if field.in_unit][:3] == [
        "packet type",
        "Profile",
        "CRC",
    ]


# As text -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "address"), [(4, "10.0.0.1"), (6, "2001:db8:a::3"), (6, "2001:db8:a::20")]
)
def test_addresses_are_printed_as_addresses_and_not_as_numbers(version: int, address: str) -> None:
    packet = ipv4(udp(b"x")) if version == 4 else ipv6(udp(b"x"))
    told = explain(Compressor(Channel()).compress(packet))
    text = str(told)
    assert f" {address}" in text
    for field in told.fields:
        if field.name.endswith("Address"):
            assert str(field.value) not in text


def test_the_text_has_a_line_for_each_field_and_one_for_the_problem() -> None:
    told = explain(b"\xfd\x02\x00\x40\x11")
    lines = str(told).splitlines()
    assert len(lines) == 1 + len(told.fields) + 1
    assert lines[0] == "unknown packet, CID -1, profile unknown"
    assert lines[-1].strip() == told.problem
