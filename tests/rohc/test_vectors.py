"""Recorded and hand-made streams: each ROHC packet gives the original octets."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from rohc_packets import SHARED, own_streams, streams

from rohc import Channel, Decompressor, RohcError

COUNTS = {
    "cap-ctxreuse.jsonl": 20,
    "cap-packettypes.jsonl": 39,
    "cap-rare.jsonl": 4,
    "cap-rfc3095.jsonl": 58,
    "cap-tcp.jsonl": 9,
    "interop-foreign.jsonl": 1,
    "syn-esp.jsonl": 16,
    "syn-ip.jsonl": 7,
    "syn-multi.jsonl": 4,
    "syn-rtp.jsonl": 18,
    "syn-udp.jsonl": 55,
    "syn-udplite.jsonl": 6,
    "syn-uncompressed.jsonl": 2,
}
"""Streams of the RFC 3095 family without TCP, per file."""


OWN = own_streams("udp-u-mode.jsonl") + own_streams("other-profiles.jsonl")


def channel_of(stream: dict[str, Any]) -> Channel:
    return Channel(max_cid=stream["max_cid"], large_cids=stream["cid_type"] == "large")


def decompresses(stream: dict[str, Any]) -> bool:
    decompressor = Decompressor(channel_of(stream), mode=stream.get("mode", "U"))
    for number, packet in enumerate(stream["packets"]):
        result = decompressor.decompress(bytes.fromhex(packet["rohc"]))
        wanted = bytes.fromhex(packet["ip"])
        assert result.packet == wanted, (stream["name"], number, packet["type"])
        if result.packet_type != "Normal":
            # The recorder counts one octet for a Normal packet, which has none of its own.
            assert result.header_bytes == packet.get("hdr", result.header_bytes)
    return True


@pytest.mark.parametrize("name", COUNTS)
def test_every_recorded_stream_is_decompressed_octet_for_octet(name: str) -> None:
    chosen = [
        stream
        for stream in streams(name)
        if stream["rohc_version"] == 1 and "tcp" not in stream["profile"]
    ]
    right = sum(decompresses(stream) for stream in chosen)
    print(f"{name}: {right} of {len(chosen)} streams")  # noqa: T201
    assert right == COUNTS[name]


@pytest.mark.parametrize("stream", OWN, ids=lambda stream: stream["name"])
def test_the_streams_worked_out_by_hand_are_decompressed(stream: dict[str, Any]) -> None:
    decompressor = Decompressor(channel_of(stream), mode="U")
    for packet in stream["packets"]:
        result = decompressor.decompress(bytes.fromhex(packet["rohc"]))
        assert result.packet == bytes.fromhex(packet["ip"]), packet["meaning"]
        assert result.packet_type == packet["type"], packet["meaning"]


@pytest.mark.parametrize("stream", OWN, ids=lambda stream: stream["name"])
def test_padding_in_front_of_a_packet_is_skipped(stream: dict[str, Any]) -> None:
    decompressor = Decompressor(channel_of(stream), mode="U")
    for packet in stream["packets"]:
        result = decompressor.decompress(b"\xe0\xe0" + bytes.fromhex(packet["rohc"]))
        assert result.packet == bytes.fromhex(packet["ip"]), packet["meaning"]


def names_tcp(data: bytes, large: bool) -> bool:
    """Whether an IR or IR-DYN packet names profile 0x0006."""
    if not large:
        body = data[1:] if data[0] & 0xF0 == 0xE0 else data
        return body[1] == 6
    return data[2 if data[1] < 0x80 else 3] == 6


def test_packets_of_tcp_contexts_are_unsupported_and_disturb_nothing() -> None:
    outcomes: Counter[tuple[bool, str]] = Counter()
    for path in sorted((SHARED / "vectors" / "rohc").glob("*.jsonl")):
        for stream in streams(path.name):
            if stream["rohc_version"] != 1 or "tcp" not in stream["profile"]:
                continue
            decompressor = Decompressor(channel_of(stream), mode=stream["mode"])
            of_tcp: dict[int, bool] = {}
            for packet in stream["packets"]:
                data = bytes.fromhex(packet["rohc"])
                cid = packet.get("cid", 0)
                if packet["type"].startswith("IR"):
                    of_tcp[cid] = names_tcp(data, stream["cid_type"] == "large")
                try:
                    result = decompressor.decompress(data)
                except RohcError as error:
                    outcomes[(of_tcp[cid], type(error).__name__)] += 1
                else:
                    assert result.packet == bytes.fromhex(packet["ip"])
                    outcomes[(of_tcp[cid], "OK")] += 1
    print(dict(outcomes))  # noqa: T201
    assert set(outcomes) <= {(True, "UnsupportedProfile"), (False, "OK")}
