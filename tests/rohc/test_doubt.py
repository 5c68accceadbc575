"""Where a 3-bit CRC proves too little: what both ends do so that nothing wrong comes out."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from rohc_packets import ipv4, ipv6, udp

from rohc import Channel, Compressor, Decompressor, RohcError
from rohc.compression import observe
from rohc.decompression import policy, repair
from rohc.decompression.context import DecompressorContext

Build = Callable[[int, int], bytes]


def by_tos(number: int, value: int) -> bytes:
    return ipv4(udp(b"x", checksum=number * 77 % 65535 + 1), identification=number, tos=4 * value)


def by_ttl(number: int, value: int) -> bytes:
    datagram = udp(b"x", checksum=number * 77 % 65535 + 1)
    return ipv4(datagram, identification=number, ttl=64 - value)


def by_hop_limit(number: int, value: int) -> bytes:
    return ipv6(udp(b"x", checksum=number * 77 % 65535 + 1), hop_limit=64 - value)


def wrong_behind_a_missed_change(build: Build) -> int:
    """How many wrong packets come out when a burst takes all packets that tell a change."""
    wrong = 0
    for value in range(1, 25):
        for lost in (4, 7, 12):
            compressor = Compressor(Channel(), mode="U", first_sn=0)
            decompressor = Decompressor(Channel(), mode="U")
            for number in range(20 + lost + 10):
                packet = build(number, value if number >= 20 else 0)
                data = compressor.compress(packet)
                if 20 <= number < 20 + lost:
                    continue
                try:
                    wrong += decompressor.decompress(data).packet != packet
                except RohcError:
                    continue
    return wrong


@pytest.mark.parametrize("build", [by_tos, by_ttl, by_hop_limit])
def test_a_peer_that_missed_a_change_restores_nothing_wrong(build: Build) -> None:
    assert wrong_behind_a_missed_change(build) == 0


@pytest.mark.parametrize("build", [by_tos, by_ttl, by_hop_limit])
def test_with_short_crcs_alone_it_would(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "_short_crc_is_blind", lambda *_: False)
    assert wrong_behind_a_missed_change(build) > 10


def test_the_longer_crc_ends_with_an_ack() -> None:
    compressor, decompressor = Compressor(Channel(), first_sn=0), Decompressor(Channel())
    types = []
    for number in range(60):
        data = compressor.compress(by_hop_limit(number, number >= 20))
        assert compressor.last is not None
        types.append(compressor.last.packet_type)
        compressor.deliver_feedback(decompressor.decompress(data).feedback)
    assert types[20] == "UOR-2-EXT-3"
    assert set(types[21:]) == {"UO-0"}


def test_in_u_mode_updates_that_fail_do_not_end_a_context_that_a_change_will_repair() -> None:
    """RFC 3095 section 5.3.2.2.3: k_2 is the implementation's."""

    def right(limit: int) -> int:
        compressor = Compressor(Channel(), mode="U", first_sn=0, fo_refresh_packets=0)
        decompressor = Decompressor(Channel(), mode="U")
        decompressor._policy._no_context_after = limit
        count = 0
        for number in range(120):
            # Hop Limits that leave the 3-bit CRC in one state: all packets of a while are UOR-2.
            packet = by_hop_limit(number, (0, 14, 0, 14)[number // 30])
            data = compressor.compress(packet)
            if 30 <= number < 38:
                continue
            try:
                assert decompressor.decompress(data).packet == packet
            except RohcError:
                continue
            count += 1
        return count

    assert right(policy.NO_CONTEXT_AFTER_UNIDIRECTIONAL) >= right(policy.NO_CONTEXT_AFTER)


def esp_packet(number: int) -> bytes:
    body = (0x1234).to_bytes(4, "big") + (1 + number).to_bytes(4, "big") + b"\xaa" * 32
    return ipv4(body, protocol=50, identification=number)


def wrong_esp(bursts: range) -> tuple[int, int]:
    """Wrong and right packets of ESP flows, which have no checksum, behind bursts of loss."""
    wrong = right = 0
    for first in range(20, 52):
        for lost in bursts:
            compressor = Compressor(Channel(), mode="U")
            decompressor = Decompressor(Channel(), mode="U")
            for number in range(first + lost + 12):
                data = compressor.compress(esp_packet(number))
                if first <= number < first + lost:
                    continue
                try:
                    result = decompressor.decompress(data)
                except RohcError:
                    continue
                wrong += result.packet != esp_packet(number)
                right += result.packet == esp_packet(number)
    return wrong, right


def test_confirmations_that_would_confirm_another_sn_as_well_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    careful, _ = wrong_esp(range(21, 30))
    monkeypatch.setattr(repair, "trial_is_ambiguous", lambda *_: False)
    monkeypatch.setattr("rohc.decompression.trial.trial_is_ambiguous", lambda *_: False)
    careless, _ = wrong_esp(range(21, 30))
    assert careful == 0
    assert careless > 0


def test_where_loss_comes_in_bursts_smaller_gaps_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def after_bursts() -> int:
        wrong = 0
        for first in range(60, 92):
            compressor = Compressor(Channel(), mode="U", fo_refresh_packets=0)
            decompressor = Decompressor(Channel(), mode="U")
            gone = {*range(20, 27), *range(40, 47), *range(first, first + 19)}
            for number in range(first + 40):
                data = compressor.compress(esp_packet(number))
                if number in gone:
                    continue
                try:
                    result = decompressor.decompress(data)
                except RohcError:
                    continue
                wrong += result.packet != esp_packet(number)
        return wrong

    assert after_bursts() == 0
    monkeypatch.setattr(DecompressorContext, "bursty", False)
    assert after_bursts() > 0


def test_random_loss_is_not_taken_for_bursts() -> None:
    draw = random.Random(2)
    compressor, decompressor = Compressor(Channel(), mode="U"), Decompressor(Channel(), mode="U")
    for number in range(2000):
        data = compressor.compress(esp_packet(number))
        if number > 8 and draw.random() < 0.1:
            continue
        assert decompressor.decompress(data).packet == esp_packet(number)
        assert not decompressor._contexts[0].bursty
