"""Columns from a journal: what is there, what is not, and nothing mixed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from testbed.analysis.measurements import UNKNOWN, Measurements
from testbed.analysis.measures import MEASURES
from testbed.analysis.samples import sample
from tests.testbed.analysis.journals import TIMEOUT_S, journal, measurements


def test_each_arm_has_its_messages_in_order() -> None:
    run = measurements(messages=10)
    assert [arm.name for arm in run.arms] == ["esp-tunnel", "rohc+esp-tunnel"]
    arm = run.arms[1]
    assert len(arm) == 10 and arm.compression == "rohc" and arm.blocked
    assert (np.diff(arm.submitted_at_s) > 0).all()
    assert set(arm.uplink_bytes) == {92.0} and set(arm.header_bytes) == {68.0}
    assert arm.cells == ("022FE6CF",) and arm.sources == (("estimated", "state"),)
    assert run.conditions.firmware == "BC66NBR01A10" and run.conditions.supply_v == 3.3


def test_the_layers_of_a_packet_sum_to_its_size() -> None:
    records = list(journal(messages=2))
    run = Measurements.of(records, name="run")
    whole = sum(records[1]["uplink_bytes"].values())
    arm = run.arm(records[1]["configuration"])
    assert arm is not None and arm.uplink_bytes[0] == whole


def test_cells_of_a_campaign_are_arms_with_their_levels() -> None:
    factors = {
        f"{name} coverage={level}": {"configuration": name, "coverage": level}
        for name in ("esp-tunnel", "rohc+esp-tunnel")
        for level in (0, 1)
    }
    run = measurements(
        factors=factors,
        latencies_s=dict.fromkeys(factors, 1.0),
        sizes=dict.fromkeys(factors, 100),
    )
    arm = run.arm("rohc+esp-tunnel coverage=1")
    assert arm is not None
    assert (arm.configuration, dict(arm.factors)) == ("rohc+esp-tunnel", {"coverage": "1"})
    other = run.like(arm, "esp-tunnel")
    assert other is not None and other.name == "esp-tunnel coverage=1"


def test_a_warm_up_is_left_out_and_a_note_says_so() -> None:
    run = measurements(messages=20, warm_up=7)
    assert sum(map(len, run.arms)) == 33
    assert run.notes == ("7 messages of the warm-up are left out.",)


def test_what_was_not_measured_is_nothing_and_not_zero() -> None:
    records = [
        {"kind": "run", "configurations": ["none"]},
        {"kind": "message", "configuration": "none", "latency_s": None, "energy": None},
    ]
    arm = Measurements.of(records, name="run").arms[0]
    assert np.isnan(arm.uplink_bytes[0]) and np.isnan(arm.energy_j[0])
    assert (arm.ecl[0], arm.block[0], arm.cell[0], arm.source[0]) == (UNKNOWN,) * 4
    assert not arm.blocked
    assert len(sample(arm, MEASURES["energy"], timeout_s=TIMEOUT_S)) == 0


def test_a_lost_message_is_censored_at_the_time_out() -> None:
    arm = measurements(messages=200, loss=0.2).arms[0]
    lost = int(arm.unanswered.sum())
    found = sample(arm, MEASURES["latency_p95"], timeout_s=TIMEOUT_S)
    assert len(found) == 200 and found.censored.sum() == lost > 20
    assert set(found.values[found.censored]) == {TIMEOUT_S}
    assert sample(arm, MEASURES["delivery"], timeout_s=None).values.mean() == 1 - lost / 200


def test_a_shorter_time_out_censors_what_took_longer() -> None:
    arm = measurements(messages=200).arms[0]
    found = sample(arm, MEASURES["latency_median"], timeout_s=1.2)
    assert 60 < found.censored.sum() < 140
    assert found.values.max() == 1.2


def test_without_a_known_time_out_a_lost_message_is_longer_than_all() -> None:
    arm = measurements(messages=200, loss=0.1).arms[0]
    found = sample(arm, MEASURES["latency_median"], timeout_s=None)
    assert found.values.max() == np.nanmax(arm.latency_s)
    assert found.censored.sum() == arm.unanswered.sum()


def test_columns_come_back_from_json() -> None:
    run = measurements(messages=30, loss=0.1)
    back = Measurements.from_json(json.loads(json.dumps(run.to_json(), allow_nan=False)))
    assert back.to_json() == run.to_json()
    assert np.array_equal(back.arms[0].block, run.arms[0].block)
    assert np.allclose(back.arms[0].latency_s, run.arms[0].latency_s, atol=1e-6, equal_nan=True)


def test_columns_of_different_lengths_are_no_arm() -> None:
    record = measurements(messages=4).to_json()
    record["arms"][0]["ecl"].pop()
    with pytest.raises(ValueError, match="different lengths"):
        Measurements.from_json(record)
