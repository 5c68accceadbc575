"""The integral of the draw against arithmetic by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.virtual.current import Meter, Part, transmit_current_a
from firmware_bridge.virtual.parameters import BC66_CURRENTS, CURRENT_SOURCES, Currents
from firmware_bridge.virtual.radio import Activity


def test_the_energy_of_three_intervals_is_the_sum_of_their_products() -> None:
    meter = Meter(3.3, 10.0)
    meter.set(10.0, 0.046, Part.SETUP, Activity.RECEIVING)
    meter.set(10.5, 0.220, Part.TRANSMIT, Activity.TRANSMITTING)
    meter.set(10.6, 3.5e-6, Part.SLEEP, Activity.ASLEEP)
    energy = meter.energy(3610.6)
    assert energy.setup_j == pytest.approx(3.3 * 0.046 * 0.5, rel=1e-12)
    assert energy.transmit_j == pytest.approx(3.3 * 0.220 * 0.1, rel=1e-9)
    assert energy.sleep_j == pytest.approx(3.3 * 3.5e-6 * 3600.0, rel=1e-9)
    assert energy.receive_j == energy.tail_j == 0.0
    assert energy.total_j == pytest.approx(0.0759 + 0.0726 + 0.04158, rel=1e-9)
    assert meter.charge_c(3610.6) == pytest.approx(energy.total_j / 3.3)
    assert meter.seconds(3610.6, Activity.TRANSMITTING) == pytest.approx(0.1)


def test_before_anything_is_set_nothing_is_drawn() -> None:
    meter = Meter(3.3, 0.0)
    assert meter.energy(100.0).total_j == 0.0
    assert meter.current_a == 0.0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 0.5), st.sampled_from(Part))))
def test_asking_in_between_changes_nothing(steps: list[tuple[float, float, Part]]) -> None:
    asked, unasked = Meter(3.0, 0.0), Meter(3.0, 0.0)
    now = 0.0
    for duration, current, part in steps:
        for meter in (asked, unasked):
            meter.set(now, current, part, Activity.WAITING)
        asked.energy(now + duration / 2)
        now += duration
    one, other = asked.energy(now), unasked.energy(now)
    assert one.total_j == pytest.approx(other.total_j, rel=1e-9, abs=1e-12)
    assert one.total_j == pytest.approx(
        sum(3.0 * duration * current for duration, current, _ in steps), rel=1e-9, abs=1e-12
    )


def test_a_difference_is_what_was_used_between_two_moments() -> None:
    meter = Meter(2.0, 0.0)
    meter.set(0.0, 1.0, Part.TAIL, Activity.RECEIVING)
    first = meter.energy(1.0)
    used = meter.energy(3.0) - first
    assert used.tail_j == used.total_j == 4.0
    assert used.setup_j == used.sleep_j == used.transmit_j == used.receive_j == 0.0


def test_a_receiver_that_is_on_half_the_time_counts_half_its_seconds() -> None:
    meter = Meter(1.0, 0.0)
    meter.set(0.0, 0.026, Part.TAIL, Activity.RECEIVING, 0.5)
    assert meter.seconds(20.0, Activity.RECEIVING) == pytest.approx(10.0)
    assert meter.seconds(20.0, Activity.WAITING) == pytest.approx(10.0)


def test_the_trace_holds_the_changes_and_only_as_many_as_wanted() -> None:
    meter = Meter(1.0, 0.0, trace_length=2)
    for at, current in ((1.0, 0.1), (2.0, 0.2), (2.5, 0.2), (3.0, 0.3)):
        meter.set(at, current, Part.SETUP, Activity.WAITING)
    trace = meter.take_trace()
    assert [(draw.at, draw.current_a) for draw in trace] == [(2.0, 0.2), (3.0, 0.3)]
    assert meter.take_trace() == []
    assert Meter(1.0, 0.0).take_trace() == []


@pytest.mark.parametrize(
    ("power_dbm", "current_a"),
    [(-40, 0.070), (0, 0.070), (5, 0.085), (10, 0.100), (16.5, 0.160), (23, 0.220), (30, 0.220)],
)
def test_transmit_current_is_interpolated_between_the_points(
    power_dbm: float, current_a: float
) -> None:
    assert transmit_current_a(BC66_CURRENTS, power_dbm) == pytest.approx(current_a)


def test_every_current_names_its_source() -> None:
    assert set(CURRENT_SOURCES) == set(Currents.__dataclass_fields__)
    assert all(len(source) >= 10 for source in CURRENT_SOURCES.values())
