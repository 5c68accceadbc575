"""Recorded packets of all kinds, some with a flipped bit at their source, through any settings.

Nothing is lost on the channel, so that every packet must come back, whatever the source does:
numbers that jump and return, fields that flap, flows that take each other's CIDs, feedback that is
late or lost.
"""

from __future__ import annotations

import random

import pytest
from rohc_packets import streams

from rohc import Channel, Compressor, Decompressor

FILES = (
    "syn-udp.jsonl",
    "syn-rtp.jsonl",
    "syn-esp.jsonl",
    "syn-ip.jsonl",
    "syn-multi.jsonl",
    "syn-udplite.jsonl",
    "syn-tcp.jsonl",
    "cap-rfc3095.jsonl",
    "cap-packettypes.jsonl",
)


def flipped(draw: random.Random, packet: bytes) -> bytes:
    octets = bytearray(packet)
    octets[draw.randrange(min(len(octets), 60))] ^= 1 << draw.randrange(8)
    return bytes(octets)


@pytest.mark.parametrize("seed", range(60))
def test_without_loss_every_packet_comes_back(seed: int) -> None:
    draw = random.Random(seed)
    chosen = [draw.choice(streams(draw.choice(FILES))) for _ in range(draw.randrange(1, 4))]
    large = draw.random() < 0.4
    channel = Channel(max_cid=draw.choice((0, 1, 3, 15)), large_cids=large)
    mode = draw.choice("UOR")
    time_stride_ms = draw.choice((0, 20))
    compressor = Compressor(
        channel,
        mode=mode,
        rtp_heuristic=draw.random() < 0.5,
        rtp_ports=(1234, 5002, 36780),
        time_stride_ms=time_stride_ms,
        optimistic_repeats=draw.randrange(1, 6),
        static_ip_id=draw.random() < 0.5,
        reordering_expected=draw.random() < 0.2,
        ir_refresh_packets=draw.choice((0, 9, 500)),
        fo_refresh_packets=draw.choice((0, 4, 50)),
    )
    decompressor = Decompressor(
        channel, mode=draw.choice((mode, mode, "U", "O")), clock_resolution_ms=draw.choice((0, 5))
    )
    delay = draw.choice((0, 0, 1, 4))
    under_way: list[bytes] = []
    remaining = [[bytes.fromhex(packet["ip"]) for packet in one["packets"]] for one in chosen]
    now = 0.0
    while any(remaining):
        packet = draw.choice([packets for packets in remaining if packets]).pop(0)
        if draw.random() < 0.03:
            packet = flipped(draw, packet)
        now += 0.02
        at = now if time_stride_ms else None
        result = decompressor.decompress(compressor.compress(packet, at), now=at)
        assert result.packet == packet
        under_way.append(result.feedback)
        if len(under_way) > delay:
            feedback = under_way.pop(0)
            if draw.random() < 0.9:
                compressor.deliver_feedback(feedback)
