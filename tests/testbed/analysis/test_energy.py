"""The energy estimate: what each state costs, what is assumed, and how far it may be wrong."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.analysis.energy import EnergyEstimate, estimate_energy
from testbed.analysis.parameters import DEFAULT, MODEL, Bound, EnergyParameters, Parameter

STAGES = {"submitted": 0.0, "rrc_connected": 1.0, "received": 2.0, "released": 12.0}


def exact(value: float, unit: str = "") -> Parameter:
    return Parameter(best=value, low=value, high=value, unit=unit, source="test")


ROUND = EnergyParameters(
    supply_v=exact(2.0),
    transmit_a=exact(0.1),
    receive_a=exact(0.05),
    connected_a=exact(0.03),
    idle_a=exact(0.001),
    psm_a=exact(0.00001),
    preamble_s=(exact(0.01), exact(0.02), exact(0.04)),
    signalling_bytes=exact(10.0),
    setup_s=(exact(1.0), exact(2.0), exact(3.0)),
    npusch_s_per_byte=(exact(0.001), exact(0.01), exact(0.1)),
    npdsch_s_per_byte=(exact(0.002), exact(0.02), exact(0.2)),
    release_s=exact(0.5),
    inactivity_s=exact(10.0),
)
"""A table of round figures, so that a test can do the arithmetic by hand."""


def estimate(stages: dict[str, float] | None = None, **overrides: object) -> EnergyEstimate:
    arguments: dict[str, object] = {
        "bytes_up": 100,
        "bytes_down": 50,
        "ecl": 0,
        "parameters": ROUND,
    }
    return estimate_energy(
        STAGES if stages is None else stages,
        **(arguments | overrides),  # type: ignore[arg-type]
    )


def test_each_state_costs_time_times_current_times_voltage() -> None:
    split = estimate(sleep_s=1000.0, active_time_s=10.0).split
    signalling_s = 0.01 + 10 * 0.001
    assert split.setup_j == pytest.approx(2.0 * (signalling_s * 0.1 + (1 - signalling_s) * 0.05))
    assert split.transmit_j == pytest.approx(2.0 * 100 * 0.001 * 0.1)
    assert split.receive_j == pytest.approx(2.0 * (0.1 * 0.05 + (1.0 - 0.1 - 0.1) * 0.03))
    assert split.tail_j == pytest.approx(2.0 * 10.0 * 0.03)
    assert split.sleep_j == pytest.approx(2.0 * (10 * 0.001 + 990 * 0.00001))


def test_the_total_is_the_sum_of_the_states() -> None:
    found = estimate(sleep_s=5.0)
    assert found.total_j == pytest.approx(math.fsum(dataclasses.astuple(found.split)))


def test_the_kind_is_always_estimated_and_the_model_is_named() -> None:
    assert estimate().kind == "estimated"
    assert estimate().model == MODEL


@pytest.mark.parametrize(
    ("stages", "options", "tail_s", "assumed"),
    [
        (STAGES, {}, 10.0, ()),
        ({"rrc_connected": 1.0, "received": 2.0}, {}, 10.0, ("released",)),
        ({"rrc_connected": 1.0, "received": 2.0}, {"rai": True}, 0.5, ("released",)),
        (
            {"rrc_connected": 1.0, "received": 2.0},
            {"observed_until_s": 6.0},
            4.0,
            ("tail-cut-off",),
        ),
        ({"rrc_connected": 1.0, "received": 2.0, "released": 1.5}, {}, 0.0, ()),
    ],
    ids=["observed", "timer-assumed", "rai-assumed", "next-message-came", "released-before"],
)
def test_the_tail_is_observed_or_assumed_and_says_which(
    stages: dict[str, float], options: dict[str, object], tail_s: float, assumed: tuple[str, ...]
) -> None:
    found = estimate(stages, **options)
    assert found.split.tail_j == pytest.approx(2.0 * tail_s * 0.03)
    assert found.assumed == assumed


def test_a_setup_that_was_not_observed_is_assumed_by_coverage() -> None:
    stages = {"received": 2.0, "released": 3.0}
    good, poor = estimate(stages, ecl=0), estimate(stages, ecl=2)
    assert good.assumed == poor.assumed == ("rrc_connected",)
    assert poor.split.setup_j > good.split.setup_j > 0


def test_a_standing_connection_costs_no_setup() -> None:
    found = estimate({"received": 1.0, "released": 2.0}, already_connected=True)
    assert found.split.setup_j == 0
    assert found.split.receive_j == pytest.approx(2.0 * (0.1 * 0.05 + 0.8 * 0.03))
    assert found.assumed == ()


def test_the_time_before_the_module_was_told_is_not_its_energy() -> None:
    late = {name: at + 0.4 for name, at in STAGES.items()} | {"at_written": 0.4}
    assert estimate(late).total_j == pytest.approx(estimate().total_j)
    standing = estimate(
        {"at_written": 0.4, "received": 1.4, "released": 2.4}, already_connected=True
    )
    prompt = estimate({"received": 1.0, "released": 2.0}, already_connected=True)
    assert standing.total_j == pytest.approx(prompt.total_j)


def test_a_connection_reported_before_the_command_was_written_costs_no_setup() -> None:
    found = estimate({"at_written": 1.0, "rrc_connected": 0.9, "received": 2.0, "released": 3.0})
    assert found.split.setup_j == 0
    assert found.split.receive_j == pytest.approx(2.0 * (0.1 * 0.05 + 0.8 * 0.03))


def test_an_unknown_coverage_is_taken_as_the_best_and_said() -> None:
    unknown = estimate(ecl=None)
    assert unknown.assumed == ("ecl",)
    assert unknown.total_j == estimate(ecl=0).total_j


def test_a_lost_message_listens_until_it_is_given_up_or_released() -> None:
    sent = {"submitted": 0.0, "rrc_connected": 1.0, "accepted": 1.2}
    given_up = estimate(sent, observed_until_s=31.0)
    released = estimate({**sent, "released": 11.0}, observed_until_s=31.0)
    assert given_up.split.receive_j == pytest.approx(2.0 * (0.1 * 0.05 + (30 - 0.2) * 0.03))
    assert released.split.receive_j == pytest.approx(2.0 * (0.1 * 0.05 + (10 - 0.2) * 0.03))
    assert released.split.tail_j == 0


def test_a_modelled_transmission_cannot_outlast_the_observed_setup() -> None:
    found = estimate({"rrc_connected": 0.005, "received": 2.0, "released": 3.0}, ecl=2)
    assert found.split.setup_j == pytest.approx(2.0 * 0.005 * 0.1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ecl": 3}, "level 3 is not 0, 1 or 2"),
        ({"bytes_up": -1}, "bytes_up is -1"),
        ({"bytes_down": -1}, "bytes_down is -1"),
        ({"sleep_s": -1.0}, "sleep_s is -1.0 s"),
        ({"active_time_s": -1.0}, "active_time_s is -1.0 s"),
    ],
)
def test_an_argument_out_of_range_is_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        estimate(**options)


@given(
    stages=st.dictionaries(
        st.sampled_from(
            ["at_written", "rrc_connected", "accepted", "hse_answered", "received", "released"]
        ),
        st.floats(0, 300),
    ),
    bytes_up=st.integers(0, 1400),
    bytes_down=st.integers(0, 1400),
    ecl=st.sampled_from([0, 1, 2, None]),
    rai=st.booleans(),
    already_connected=st.booleans(),
    observed_until_s=st.none() | st.floats(0, 300),
)
def test_no_state_is_ever_negative_and_the_range_holds_the_estimate(
    stages: dict[str, float], **arguments: object
) -> None:
    found = estimate_energy(stages, **arguments)  # type: ignore[arg-type]
    assert all(joules >= 0 for joules in dataclasses.astuple(found.split))
    assert found.low_j <= found.total_j + 1e-9
    assert found.total_j <= found.high_j + 1e-9


@given(ecl=st.integers(0, 2), up=st.integers(0, 1000), saved=st.integers(0, 400))
def test_fewer_bytes_never_cost_more(ecl: int, up: int, saved: int) -> None:
    stages = {**STAGES, "received": 400.0, "released": 410.0}
    long = estimate_energy(stages, bytes_up=up + saved, bytes_down=0, ecl=ecl)
    short = estimate_energy(stages, bytes_up=up, bytes_down=0, ecl=ecl)
    assert short.total_j <= long.total_j + 1e-9


def test_the_journal_object_holds_the_split_and_the_range() -> None:
    record = json.loads(json.dumps(estimate().to_json()))
    parts = ("setup_j", "transmit_j", "receive_j", "tail_j", "sleep_j")
    assert record["kind"] == "estimated"
    assert record["total_j"] == pytest.approx(sum(record[part] for part in parts), abs=5e-6)
    assert record["low_j"] == record["total_j"] == record["high_j"]
    assert record["assumed"] == []


def test_every_parameter_names_its_unit_and_its_source() -> None:
    rows = dict(DEFAULT.rows())
    assert len(rows) == 9 + 4 * 3
    assert {row.unit for row in rows.values()} <= {"V", "A", "s", "s/B", "B"}
    assert all(len(row.source) > 10 for row in rows.values())


def test_a_parameter_whose_range_does_not_hold_its_value_is_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        Parameter(best=1.0, low=2.0, high=3.0, unit="s", source="test")


@pytest.mark.parametrize("bound", list(Bound))
def test_worse_coverage_takes_longer_per_byte(bound: Bound) -> None:
    for table in (DEFAULT.npusch_s_per_byte, DEFAULT.npdsch_s_per_byte):
        good, middle, poor = (row.at(bound) for row in table)
        assert good < middle < poor


PUBLISHED = [
    # what was measured, estimate's arguments, J from, J to
    (
        "nRF9160, 536 B with RAI, 106 mJ; zephyr-coaps-client 200-400 B, 270-360 mJ",
        {"bytes_up": 400, "bytes_down": 50, "ecl": 0, "rai": True},
        0.106,
        0.36,
    ),
    (
        "nRF9160, 536 B without RAI and a 12 s timer, 1.46 J",
        {"bytes_up": 536, "bytes_down": 50, "ecl": 0},
        1.46,
        1.46,
    ),
    (
        "Robinson 2019, ECL 1, 16-512 B, 1.3-4.6 J",
        {"bytes_up": 256, "bytes_down": 50, "ecl": 1},
        1.3,
        4.6,
    ),
    (
        "Robinson 2019, ECL 2, 200 B, 0.72-3.9 J",
        {"bytes_up": 200, "bytes_down": 50, "ecl": 2, "already_connected": True, "rai": True},
        0.72,
        3.9,
    ),
]


@pytest.mark.parametrize(
    ("arguments", "from_j", "to_j"),
    [row[1:] for row in PUBLISHED],
    ids=[row[0] for row in PUBLISHED],
)
def test_published_measurements_lie_within_the_stated_range(
    arguments: dict[str, object], from_j: float, to_j: float
) -> None:
    stages = {"rrc_connected": 1.2, "received": 2.2}
    found = estimate_energy(stages, **arguments)  # type: ignore[arg-type]
    assert found.low_j <= to_j
    assert found.high_j >= from_j
    assert from_j / 3 <= found.total_j <= to_j * 3
