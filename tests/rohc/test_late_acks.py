"""ACKs that come late, from flows whose sequence numbers are the source's own and repeat."""

from __future__ import annotations

import pytest
from rohc_packets import ipv4, udp

from rohc import Channel, Compressor, Decompressor
from rohc.compression.context import CompressorContext


def sound(sn: int, number: int, ttl: int) -> bytes:
    head = bytes((0x80, 0)) + sn.to_bytes(2, "big") + (160 * number).to_bytes(4, "big") + b"ssrc"
    return ipv4(udp(head + b"voice", destination_port=5004), identification=number, ttl=ttl)


def newest_of(context: CompressorContext, sn: int, mask: int) -> int:
    """What `age_of` would be if an SN that was sent twice meant the last packet."""
    recent = context.recent.tolist()
    ages = [age for age, other in enumerate(reversed(recent)) if (other ^ sn) & mask == 0]
    return ages[0] if ages else -1


def told(delay: int) -> int:
    """Before how many packets a new TTL is still to be told; ACKs are late, SNs come in fours."""
    compressor, decompressor = Compressor(Channel(), rtp_ports={5004}), Decompressor(Channel())
    late: list[bytes] = []
    count = 0
    for number in range(40):
        packet = sound(1000 + number // 4, number, 63 if number >= 21 else 64)
        data = compressor.compress(packet)
        count += compressor._by_cid[0].trackers[0].ttl_left > 0
        result = decompressor.decompress(data)
        assert result.packet == packet
        # The peer acknowledges each packet, as it may.
        headers = decompressor._contexts[0].headers
        assert headers is not None
        late.append(bytes((0xF1, headers.sn & 0xFF)))
        if len(late) > delay:
            compressor.deliver_feedback(late.pop(0))
    return count


def test_an_ack_of_an_older_packet_with_the_same_sn_does_not_end_a_repetition() -> None:
    assert told(4) >= 3


def test_were_it_taken_for_the_last_such_packet_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    careful = told(1)
    monkeypatch.setattr(CompressorContext, "age_of", newest_of)
    assert told(1) < careful


def test_an_ack_of_the_news_itself_still_ends_it() -> None:
    compressor, decompressor = Compressor(Channel(), rtp_ports={5004}), Decompressor(Channel())
    types = []
    for number in range(40):
        data = compressor.compress(sound(1000 + number, number, 63 if number >= 20 else 64))
        assert compressor.last is not None
        types.append(compressor.last.packet_type)
        compressor.deliver_feedback(decompressor.decompress(data).feedback)
    assert types[20].endswith("EXT-3")
    assert set(types[21:]) == {"UO-0"}
