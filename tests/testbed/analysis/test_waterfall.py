"""Where a message's time goes: steps that sum to the whole, set-up apart, one-way times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.analysis.waterfall import StageTally
from testbed.results import STAGES

ANSWERED = {
    "submitted": 0.0,
    "protected": 0.001,
    "at_written": 0.1,
    "accepted": 0.2,
    "rrc_connected": 1.6,
    "hse_received": 2.0,
    "hse_answered": 2.0,
    "received": 2.9,
    "delivered": 2.9,
    "released": 12.0,
}

stages = st.dictionaries(st.sampled_from(STAGES), st.floats(0, 100), min_size=1).map(
    lambda found: {stage.value: seconds for stage, seconds in found.items()}
)


@given(stages)
def test_the_steps_of_a_message_sum_to_its_whole(stages_s: dict[str, float]) -> None:
    tally = StageTally()
    tally.add(stages_s, None)
    steps = tally.summary().steps
    assert sum(step.median_s for step in steps) == pytest.approx(
        max(stages_s.values()) - min(stages_s.values()), abs=1e-9
    )
    assert all(step.median_s >= 0 for step in steps)


def test_set_up_is_apart_from_transfer_and_they_sum_to_the_latency() -> None:
    tally = StageTally()
    tally.add(ANSWERED, 2.9)
    found = tally.summary()
    assert found.setup_s == pytest.approx(1.5)
    assert found.transfer_s == pytest.approx(1.4)
    assert found.setups == 1


def test_a_message_that_finds_the_radio_connected_is_all_transfer() -> None:
    tally = StageTally()
    tally.add(ANSWERED, 2.9)
    connected = {name: at for name, at in ANSWERED.items() if name != "rrc_connected"}
    tally.add(connected, 2.9)
    found = tally.summary()
    assert (found.setups, found.setup_s) == (1, pytest.approx(1.5))
    assert found.transfer_s == pytest.approx((1.4 + 2.9) / 2)
    counts = {(step.begin, step.end): step.messages for step in found.steps}
    assert counts["accepted", "rrc_connected"] == 1
    assert counts["accepted", "hse_received"] == 1
    assert counts["at_written", "accepted"] == 2


def test_a_one_way_time_states_its_clock_error_and_is_absent_without_the_hse() -> None:
    tally = StageTally()
    tally.add(ANSWERED, 2.9)
    one_way = tally.summary().one_way
    assert one_way is not None
    assert one_way.to_json() == {"uplink_s": 1.9, "downlink_s": 0.9, "clock_error_s": 0.0}
    elsewhere = StageTally()
    elsewhere.add({n: at for n, at in ANSWERED.items() if not n.startswith("hse")}, 2.9)
    assert elsewhere.summary().one_way is None


def test_steps_stand_in_the_order_of_time_with_median_and_mean() -> None:
    tally = StageTally()
    for seconds in (1.0, 2.0, 6.0):
        tally.add({"submitted": 0.0, "at_written": 0.5, "received": 0.5 + seconds}, seconds + 0.5)
    first, second = tally.summary().steps
    assert (first.begin, first.end) == ("submitted", "at_written")
    assert (second.median_s, second.mean_s, second.messages) == (2.0, 3.0, 3)


def test_nothing_gives_nothing() -> None:
    assert StageTally().summary().to_json() == {
        "steps": [],
        "setup_s": None,
        "setups": 0,
        "transfer_s": None,
        "one_way": None,
    }
