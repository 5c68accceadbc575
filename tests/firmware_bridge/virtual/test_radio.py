"""Coverage and block timing against the standard's tables."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.virtual import NetworkSettings, RadioSettings
from firmware_bridge.virtual.blocks import downlink_blocks, uplink_blocks
from firmware_bridge.virtual.parameters import (
    COVERAGE_LEVELS,
    DOWNLINK_BLOCK_BITS,
    UPLINK_BLOCK_BITS,
)
from firmware_bridge.virtual.radio import Activity, Channel

HEADER_BITS = 40


def channel(seed: int = 1, **radio: object) -> Channel:
    settings = replace(RadioSettings(rsrp_variation_db=0.0), **radio)  # type: ignore[arg-type]
    return Channel(settings, NetworkSettings(), seed, 0.0)


LOSSLESS = tuple(replace(level, block_loss=0.0) for level in COVERAGE_LEVELS)


@pytest.mark.parametrize("table", [UPLINK_BLOCK_BITS, DOWNLINK_BLOCK_BITS])
def test_the_block_size_tables_rise_in_both_directions(table: tuple[tuple[int, ...], ...]) -> None:
    assert len(table) == 13
    for row, next_row in pairwise(table):
        assert list(row) == sorted(row)
        assert all(a <= b for a, b in zip(row, next_row, strict=False))
    assert all(bits % 8 == 0 for row in table for bits in row)


def test_category_nb1_carries_at_most_1000_bits_up_and_680_down() -> None:
    assert max(max(row) for row in UPLINK_BLOCK_BITS) == 1000
    assert max(max(row) for row in DOWNLINK_BLOCK_BITS) == 680


@pytest.mark.parametrize(
    ("rsrp_dbm", "ecl"), [(-80, 0), (-112, 0), (-112.1, 1), (-122, 1), (-122.1, 2), (-139, 2)]
)
def test_the_coverage_level_follows_the_thresholds(rsrp_dbm: float, ecl: int) -> None:
    assert channel(rsrp_dbm=rsrp_dbm).signal(0.0).ecl == ecl


def test_below_the_lowest_level_and_in_an_outage_there_is_no_cell() -> None:
    assert channel().signal(0.0).in_coverage
    assert not channel(rsrp_dbm=-141.0).signal(0.0).in_coverage
    shaded = channel(outages_s=((10.0, 20.0),))
    assert [shaded.signal(t).in_coverage for t in (9.9, 10.0, 19.9, 20.0)] == [
        True,
        False,
        False,
        True,
    ]


def test_the_figures_of_one_moment_belong_together() -> None:
    signal = channel(rsrp_dbm=-92.0).signal(0.0)
    # The recorded trace: -92 dBm, -5 dB, -87 dBm, 10 dB, ECL 0, 14 dBm.
    assert (round(signal.rsrp_dbm), round(signal.rsrq_db)) == (-92, -5)
    assert (round(signal.rssi_dbm), round(signal.sinr_db)) == (-87, 10)
    assert (signal.ecl, round(signal.power_dbm)) == (0, 14)


def test_power_control_ends_at_23_dbm_and_repetition_takes_all_of_it() -> None:
    assert channel(rsrp_dbm=-111.0).signal(0.0).power_dbm == 23.0
    assert channel(rsrp_dbm=-113.0).signal(0.0).power_dbm == 23.0
    assert channel(rsrp_dbm=-50.0).signal(0.0).power_dbm == pytest.approx(-28.0)


def test_coverage_varies_slowly_within_its_amplitude_and_from_the_seed_only() -> None:
    moving = channel(seed=3, rsrp_variation_db=4.0)
    values = [moving.signal(t).rsrp_dbm for t in range(600)]
    assert max(values) <= -88.0
    assert min(values) >= -96.0
    assert max(values) - min(values) > 3.0
    assert max(abs(a - b) for a, b in pairwise(values)) < 0.6
    again = channel(seed=3, rsrp_variation_db=4.0)
    assert [again.signal(t).rsrp_dbm for t in range(600)] == values
    other = channel(seed=4, rsrp_variation_db=4.0)
    assert [other.signal(t).rsrp_dbm for t in range(600)] != values


@given(st.integers(0, 1500), st.integers(0, 2))
def test_every_byte_travels_in_exactly_one_block(size: int, ecl: int) -> None:
    level = COVERAGE_LEVELS[ecl]
    for blocks in (uplink_blocks(size, level), downlink_blocks(size, level)):
        assert sum(block.payload_bits for block in blocks) == size * 8
        for block in blocks:
            assert block.payload_bits + HEADER_BITS <= block.block_bits
            assert block.duration_s > 0


def test_a_block_lasts_its_units_times_the_repetitions() -> None:
    # ECL 1: one subcarrier (8 ms a unit), I_TBS 5, 8 repetitions. 50 bytes + header = 440 bits
    # need 6 units of 504 bits: 6 x 8 ms x 8.
    (block,) = uplink_blocks(50, COVERAGE_LEVELS[1])
    assert (block.block_bits, block.units) == (504, 6)
    assert block.duration_s == pytest.approx(6 * 0.008 * 8)
    # ECL 0: twelve subcarriers (1 ms), I_TBS 9, once: 456 bits in 3 units.
    (block,) = uplink_blocks(50, COVERAGE_LEVELS[0])
    assert (block.block_bits, block.units) == (456, 3)
    assert block.duration_s == pytest.approx(0.003)


def test_a_message_larger_than_the_largest_block_is_cut() -> None:
    blocks = uplink_blocks(300, COVERAGE_LEVELS[0])  # 2400 bits, 936 - 40 a block
    assert [block.block_bits for block in blocks] == [936, 936, 776]
    assert [block.payload_bits for block in blocks] == [896, 896, 608]


def test_each_uplink_block_waits_for_a_grant_and_is_sent_with_the_power_of_the_moment() -> None:
    air = channel(coverage_levels=LOSSLESS)
    transfer = air.uplink(0.0, 300)
    sending = [s for s in transfer.segments if s.activity is Activity.TRANSMITTING]
    assert len(sending) == transfer.blocks == transfer.transmissions == 3
    assert sum(s.duration_s for s in sending) == pytest.approx(0.006 + 0.006 + 0.005)
    assert all(s.power_dbm == pytest.approx(14.0) for s in sending)
    first = transfer.segments[0]
    assert first.activity is Activity.RECEIVING
    assert 0 <= first.duration_s <= COVERAGE_LEVELS[0].control_period_s


def test_each_downlink_block_is_acknowledged() -> None:
    transfer = channel(coverage_levels=LOSSLESS).downlink(0.0, 200)
    acknowledgements = [s for s in transfer.segments if s.activity is Activity.TRANSMITTING]
    assert len(acknowledgements) == transfer.blocks
    assert all(s.duration_s == pytest.approx(0.002) for s in acknowledgements)


def test_lost_blocks_are_sent_again_as_often_as_the_loss_says() -> None:
    lossy = tuple(replace(level, block_loss=0.25) for level in COVERAGE_LEVELS)
    air = channel(coverage_levels=lossy)
    transfers = [air.uplink(0.0, 20) for _ in range(2000)]
    mean = sum(t.transmissions for t in transfers) / len(transfers)
    assert mean == pytest.approx(1 / 0.75, rel=0.05)
    assert all(t.delivered for t in transfers if t.transmissions < 8)


def test_a_block_that_never_gets_through_is_given_up() -> None:
    deaf = tuple(replace(level, block_loss=1.0) for level in COVERAGE_LEVELS)
    transfer = channel(coverage_levels=deaf).uplink(0.0, 300)
    assert not transfer.delivered
    assert transfer.transmissions == 8


def test_worse_coverage_takes_longer_at_every_size() -> None:
    for size in (16, 128, 512):
        durations = []
        for rsrp in (-92.0, -117.0, -127.0):
            air = channel(coverage_levels=LOSSLESS, rsrp_dbm=rsrp)
            durations.append(sum(air.uplink(0.0, size).duration_s for _ in range(50)) / 50)
        assert durations == sorted(durations)
        assert durations[2] > 5 * durations[0]


def test_random_access_synchronises_first_and_sends_the_preamble_of_its_level() -> None:
    air = channel(coverage_levels=LOSSLESS)
    access = air.random_access(0.0, 0.7, 0.2)
    assert access.segments[0].duration_s == 0.7
    assert access.segments[0].activity is Activity.RECEIVING
    preamble = next(s for s in access.segments if s.activity is Activity.TRANSMITTING)
    assert preamble.duration_s == pytest.approx(2 * 0.0056)
    assert access.duration_s == pytest.approx(sum(s.duration_s for s in access.segments))
    request = air.scheduling_request(0.0)
    assert request.duration_s < access.duration_s - 0.7


# -- shadowing -------------------------------------------------------------------------------------


def shadowed(seed: int = 1, **changes: float) -> Channel:
    settings = {"shadowing_db": 6.0, "shadowing_time_s": 60.0} | changes
    return channel(seed, **settings)


def test_without_shadowing_there_is_none() -> None:
    plain = channel()
    assert {plain.signal(float(now)).rsrp_dbm for now in range(0, 3600, 7)} == {-92.0}


def test_shadows_have_their_deviation_and_their_memory() -> None:
    air = shadowed()
    levels = [air.signal(6.0 * step).rsrp_dbm + 92.0 for step in range(40_000)]
    power = statistics.fmean(level**2 for level in levels)
    alike = statistics.fmean(a * b for a, b in zip(levels, levels[10:], strict=False)) / power
    assert power**0.5 == pytest.approx(6.0, rel=0.05)
    assert alike == pytest.approx(math.exp(-1), abs=0.05)


def test_a_shadow_depends_on_seed_and_time_alone() -> None:
    asked_often, asked_once = shadowed(), shadowed()
    for now in range(0, 900):
        asked_often.signal(float(now))
    assert asked_often.signal(900.0) == asked_once.signal(900.0)
    assert asked_often.signal(30.0) == shadowed().signal(30.0)
    assert shadowed(seed=2).signal(900.0) != asked_once.signal(900.0)


@pytest.mark.parametrize("change", [{"shadowing_db": -1.0}, {"shadowing_time_s": 0.0}])
def test_shadowing_that_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        RadioSettings(**change)  # type: ignore[arg-type]


def test_a_module_that_is_put_elsewhere_is_at_that_places_level() -> None:
    air = channel(rsrp_dbm=-92.0)
    assert air.signal(10.0).ecl == 0
    air.stand(-117.0)
    assert (air.signal(10.0).ecl, air.signal(10.0).rsrp_dbm) == (1, -117.0)
    air.stand(-128.0)
    assert air.signal(10.0).ecl == 2
