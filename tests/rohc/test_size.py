"""Every source packet of the recorded streams, compressed and restored; and what it costs.

The recorder's own header octets are the measure. `optimistic_repeats`, refreshes and mode are those
that it was recorded with, and it uses the SID flag in every profile. In O-mode feedback reaches the
compressor before the next packet.
"""

from __future__ import annotations

from typing import Any

import pytest
from rohc_packets import streams

from rohc import Channel, Compressor, Decompressor

RTP_PORTS = (1234, 36780, 33238, 5020, 5002, 5006)
"""The ports that the recorder took for RTP."""

FILES = [
    "cap-ctxreuse.jsonl",
    "cap-packettypes.jsonl",
    "cap-rare.jsonl",
    "cap-rfc3095.jsonl",
    "syn-esp.jsonl",
    "syn-ip.jsonl",
    "syn-multi.jsonl",
    "syn-rtp.jsonl",
    "syn-udp.jsonl",
    "syn-udplite.jsonl",
    "syn-uncompressed.jsonl",
]
FILES_BY_WHOLE_PACKETS = ["cap-tcp.jsonl", "interop-foreign.jsonl"]
"""In these our compressor takes more of a packet for header than the recorder did (nine levels of
IP, extension headers in front of TCP), or the recorder gave no header sizes: whole packets are
compared."""


def channel_of(stream: dict[str, Any]) -> Channel:
    profiles = (0, 1, 2, 3, 4, 8) if "udplite" in stream["profile"] else (0, 1, 2, 3, 4)
    return Channel(
        max_cid=stream["max_cid"], large_cids=stream["cid_type"] == "large", profiles=profiles
    )


def carry(stream: dict[str, Any], settings: dict[str, Any]) -> tuple[int, int]:
    """Header octets and all octets; every packet must come back."""
    channel = channel_of(stream)
    compressor = Compressor(channel, mode=stream["mode"], rtp_ports=RTP_PORTS, **settings)
    decompressor = Decompressor(channel, mode=stream["mode"])
    header = total = 0
    for number, packet in enumerate(stream["packets"]):
        original = bytes.fromhex(packet["ip"])
        sent = compressor.compress(original)
        result = decompressor.decompress(sent)
        assert result.packet == original, (stream["name"], number)
        compressor.deliver_feedback(result.feedback)
        header += result.header_bytes
        total += len(sent)
    assert compressor.feedback_ignored == 0
    return header, total


def recorded_settings(stream: dict[str, Any]) -> dict[str, Any]:
    recorded = stream.get("comp") or {"oa": 4}
    return {
        "optimistic_repeats": recorded["oa"],
        "ir_refresh_packets": recorded.get("ir_timeout", 1700),
        "fo_refresh_packets": recorded.get("fo_timeout", 700),
        "static_ip_id": True,
    }


def chosen(name: str) -> list[dict[str, Any]]:
    return [
        stream
        for stream in streams(name)
        if stream["rohc_version"] == 1 and "tcp" not in stream["profile"]
    ]


@pytest.mark.parametrize("name", FILES)
def test_headers_are_no_larger_than_the_recorders(name: str) -> None:
    ours = theirs = default = 0
    for stream in chosen(name):
        ours += carry(stream, recorded_settings(stream))[0]
        default += carry(stream, {})[0]
        theirs += sum(packet["hdr"] for packet in stream["packets"])
    print(f"{name}: {ours} header octets, recorder {theirs}, default settings {default}")  # noqa: T201
    assert ours <= theirs


@pytest.mark.parametrize("name", FILES_BY_WHOLE_PACKETS)
def test_packets_are_no_larger_than_the_recorders(name: str) -> None:
    ours = theirs = 0
    for stream in chosen(name):
        ours += carry(stream, recorded_settings(stream))[1]
        theirs += sum(len(packet["rohc"]) // 2 for packet in stream["packets"])
    print(f"{name}: {ours} octets, recorder {theirs}")  # noqa: T201
    assert ours <= theirs
