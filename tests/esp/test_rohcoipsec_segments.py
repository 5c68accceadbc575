"""ROHC segments inside ESP (RFC 5858 section 4.3): each has the next sequence number."""

from __future__ import annotations

import random
import struct
from itertools import permutations

import pytest

from esp import InboundAssociation, OutboundAssociation, suite
from esp.errors import DecompressionFailed
from esp.rohcoipsec import CompressedTunnel, RohcIcv
from rohc import Channel, Compressor, Decompressor

GCM = suite("aes-gcm-16-128")
KEY, SALT = bytes(16), bytes(4)
LINK = 120
"""Octets of an ESP packet that the link takes."""
ICV = RohcIcv(key=bytes(range(32)), icv_bytes=8)


def ends(mrru: int = 1000, icv: RohcIcv | None = ICV) -> tuple[CompressedTunnel, CompressedTunnel]:
    """A UE's and an HSE's end with one key each way."""
    made = []
    for sending, receiving in ((1000, 2000), (2000, 1000)):
        made.append(
            CompressedTunnel(
                OutboundAssociation(sending, GCM, KEY, SALT),
                InboundAssociation(receiving, GCM, KEY, SALT, rohc=True),
                Compressor(Channel(), first_sn=7),
                Decompressor(Channel()),
                outbound_icv=icv,
                inbound_icv=icv,
                outbound_mrru=mrru,
                inbound_mrru=mrru,
            )
        )
    return made[0], made[1]


def packet(number: int, octets: int = 250) -> bytes:
    """IPv4 and UDP around random octets; the header checksum is right."""
    body = struct.pack("!HHHH", 40000, 5683, 8 + octets, 0) + random.Random(number).randbytes(
        octets
    )
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), number, 0x4000, 64, 17)
    addresses = bytes((10, 0, 0, 1, 10, 0, 0, 9))
    total = sum(struct.unpack("!9H", head + addresses))
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return head + checksum.to_bytes(2, "big") + addresses + body


def sequence_of(esp: bytes) -> int:
    return int.from_bytes(esp[4:8], "big")


def opened(tunnel: CompressedTunnel, packets: list[bytes]) -> list[bytes | None]:
    return [tunnel.unprotect(one).packet for one in packets]


@pytest.mark.parametrize("icv", [None, ICV], ids=["without ICV", "with ICV"])
def test_a_large_packet_goes_in_consecutive_esp_packets_that_the_link_takes(
    icv: RohcIcv | None,
) -> None:
    ue, hse = ends(icv=icv)
    for number in range(20):
        sent = packet(number)
        pieces = ue.protect_segments(sent, packet_octets=LINK)
        assert len(pieces) > 2
        assert max(map(len, pieces)) <= LINK
        first = sequence_of(pieces[0])
        assert [sequence_of(one) for one in pieces] == list(range(first, first + len(pieces)))
        results = [hse.unprotect(one) for one in pieces]
        assert [one.packet for one in results] == [None] * (len(pieces) - 1) + [sent]
        assert [one.is_incomplete for one in results] == [True] * (len(pieces) - 1) + [False]
        assert list(results[-1].segments) == [sequence_of(one) for one in pieces]
        answer = packet(number + 100, 20)
        (small,) = hse.protect_segments(answer, packet_octets=LINK)
        back = ue.unprotect(small)
        assert (back.packet, back.segments) == (answer, range(0))


def test_without_mrru_or_beyond_it_the_packet_stays_whole() -> None:
    for mrru in (0, 100):
        ue, hse = ends(mrru)
        (whole,) = ue.protect_segments(packet(1), packet_octets=LINK)
        assert len(whole) > LINK
        assert hse.unprotect(whole).packet == packet(1)


def test_mrru_counts_the_crc_and_the_icv() -> None:
    size = len(ends()[0].compress(packet(1))[0])
    for mrru, whole in ((size + 3, True), (size + 4, False)):
        pieces = ends(mrru)[0].protect_segments(packet(1), packet_octets=LINK)
        assert (len(pieces) == 1) is whole


def test_segments_in_any_order_make_the_packet_once() -> None:
    ue, _ = ends()
    pieces = ue.protect_segments(packet(1), packet_octets=LINK)
    assert len(pieces) == 4
    for order in permutations(pieces):
        _, hse = ends()
        results = opened(hse, list(order))
        assert results[-1] == packet(1)
        assert results[:-1] == [None] * 3


def test_a_lost_segment_costs_its_packet_and_no_other() -> None:
    ue, hse = ends()
    for number in range(30):
        pieces = ue.protect_segments(packet(number), packet_octets=LINK)
        if number % 5 == 4:
            del pieces[number // 5 % len(pieces)]
            assert opened(hse, pieces) == [None] * len(pieces)
        else:
            assert opened(hse, pieces)[-1] == packet(number)


@pytest.mark.parametrize("seed", range(6))
def test_loss_and_reordering_never_give_a_wrong_packet_and_whole_ones_come(seed: int) -> None:
    chance = random.Random(seed)
    ue, hse = ends()
    wire: list[tuple[float, bytes, int]] = []
    for number in range(150):
        octets = chance.choice((20, 60, 250))
        for piece in ue.protect_segments(packet(number, octets), packet_octets=LINK):
            wire.append((len(wire) + chance.choice((0, 0, 0, 1.5, 3.5)), piece, number))
    lost = {number for _, _, number in wire if chance.random() < 0.02}
    dropped: set[int] = set()
    came = []
    for _, piece, number in sorted(wire):
        if number in lost and number not in dropped:
            dropped.add(number)
            continue
        try:
            result = hse.unprotect(piece)
        except DecompressionFailed as failure:
            ue.compressor.deliver_feedback(failure.feedback)
            continue
        if result.packet is not None:
            assert result.packet in [packet(number, octets) for octets in (20, 60, 250)]
            came.append(number)
    assert len(set(came)) == len(came)
    assert not dropped & set(came)
    assert len(came) >= 0.97 * (150 - len(dropped))


def test_a_late_packet_among_segments_is_known_to_be_late() -> None:
    ue, hse = ends()
    for number in range(5):
        opened(hse, ue.protect_segments(packet(number), packet_octets=LINK))
    late = ue.protect_segments(packet(5, 20), packet_octets=LINK)
    newer = ue.protect_segments(packet(6), packet_octets=LINK)
    newest = ue.protect_segments(packet(7, 20), packet_octets=LINK)
    assert opened(hse, newer[:2]) == [None, None]
    assert opened(hse, [*newer[2:], *newest, *late])[-3:] == [
        packet(6),
        packet(7, 20),
        packet(5, 20),
    ]


def test_feedback_in_front_of_a_segment_reaches_the_compressor() -> None:
    ue, hse = ends()
    (sent,) = ue.protect_segments(packet(1, 20), packet_octets=LINK)
    assert hse.unprotect(sent).packet == packet(1, 20)
    # O-mode: the first answer carries the acknowledgement, here in front of a segment.
    opened(ue, hse.protect_segments(packet(2), packet_octets=LINK))
    ue.protect_segments(packet(2, 20), packet_octets=LINK)
    last = getattr(ue.compressor, "last", None)
    assert last is not None
    assert last.packet_type == "UO-0"


def test_a_segment_on_a_channel_without_mrru_is_refused() -> None:
    ue, _ = ends()
    _, hse = ends(0)
    for piece in ue.protect_segments(packet(1), packet_octets=LINK):
        with pytest.raises(DecompressionFailed):
            hse.unprotect(piece)


def test_a_reassembled_packet_with_a_wrong_icv_is_refused() -> None:
    ue, _ = ends(icv=RohcIcv(key=bytes(32), icv_bytes=8))
    _, hse = ends()
    *first, last = ue.protect_segments(packet(1), packet_octets=LINK)
    assert opened(hse, first) == [None] * len(first)
    with pytest.raises(DecompressionFailed, match="ROHC ICV"):
        hse.unprotect(last)
