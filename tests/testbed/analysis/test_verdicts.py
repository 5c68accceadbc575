"""The two grades: fail, warn, pass, inconclusive with the number that would decide."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import aa
from testbed.analysis.limits import Limit, LimitsDescription
from testbed.analysis.measurements import UNKNOWN, Measurements
from testbed.analysis.measures import MEDIAN
from testbed.analysis.series import stretches
from testbed.analysis.significance import Test, interval_test
from testbed.analysis.statistics import Estimate, Sample, estimate
from testbed.analysis.verdicts import (
    Grade,
    Judgement,
    exit_code,
    grade_bound,
    grade_regression,
    judge,
    needed_messages,
    overall,
    precise_enough,
)
from tests.testbed.analysis.journals import journal, measurements


def interval(value: float, low: float, high: float, clusters: int = 100) -> Estimate:
    return Estimate(value=value, low=low, high=high, n=300, clusters=clusters)


def limit(measure: str, **described: str) -> Limit:
    return LimitsDescription.model_validate({measure: described}).limits()[0]


def only(run: Any, one: Limit, **options: Any) -> Judgement:
    (found,) = judge(run, [one], **options)
    return found


@pytest.mark.parametrize(
    ("name", "ratio", "p", "z", "grade"),
    [
        ("clearly worse", (1.10, 1.07, 1.13), 1e-6, 5.0, Grade.FAIL),
        ("worse, how much is not clear", (1.10, 1.03, 1.17), 1e-4, 4.0, Grade.WARN),
        ("past the limit by chance", (1.10, 0.97, 1.24), 0.2, 1.3, Grade.INCONCLUSIVE),
        ("past the limit, p just above", (1.10, 1.06, 1.14), 0.011, 2.5, Grade.INCONCLUSIVE),
        ("worse, and within the limit", (1.03, 1.01, 1.045), 1e-5, 4.5, Grade.PASS),
        ("worse, perhaps past the limit", (1.03, 1.01, 1.07), 1e-5, 4.5, Grade.INCONCLUSIVE),
        ("the same", (1.0, 0.98, 1.02), 0.9, 0.1, Grade.PASS),
        ("the same, badly known", (1.0, 0.8, 1.25), 0.9, 0.1, Grade.INCONCLUSIVE),
        ("better", (0.8, 0.75, 0.85), 1e-9, -6.0, Grade.PASS),
        ("the test says better", (1.10, 1.07, 1.13), 1e-6, -5.0, Grade.INCONCLUSIVE),
    ],
)
def test_the_grades_of_a_regression_of_5_percent(
    name: str, ratio: tuple[float, float, float], p: float, z: float, grade: Grade
) -> None:
    assert grade_regression(interval(*ratio), Test(p=p, z=z), p, 0.05) is grade, name


@pytest.mark.parametrize(
    ("name", "figure", "p", "grade"),
    [
        ("past", (13.0, 12.5, 13.5), 1e-4, Grade.FAIL),
        ("past at 95 % only", (13.0, 12.1, 14.0), 0.02, Grade.WARN),
        ("perhaps past", (12.5, 11.5, 13.5), 0.3, Grade.INCONCLUSIVE),
        ("perhaps kept", (11.5, 11.0, 12.5), 0.3, Grade.INCONCLUSIVE),
        ("kept", (11.0, 10.5, 11.5), 1e-4, Grade.PASS),
        ("exactly kept", (12.0, 12.0, 12.0), 1.0, Grade.PASS),
        ("no upper end", (40.0, 11.0, math.inf), 0.5, Grade.INCONCLUSIVE),
    ],
)
def test_the_grades_of_a_bound_of_12(
    name: str, figure: tuple[float, float, float], p: float, grade: Grade
) -> None:
    assert grade_bound(interval(*figure), p, limit("latency_p95", max="12 s")) is grade, name


def test_too_few_clusters_give_no_verdict() -> None:
    few = interval(1.5, 1.4, 1.6, clusters=3)
    assert grade_regression(few, Test(p=1e-9, z=9.0), 1e-9, 0.05) is Grade.INCONCLUSIVE
    assert grade_bound(few, 0.0, limit("latency_p95", max="1 s")) is Grade.INCONCLUSIVE


def short_arm(level_s: float, *, visit: int = 6, visits: int = 6, sigma: float = 0.3) -> Sample:
    """Few stretches, all messages of each alike."""
    rng = np.random.default_rng(5)
    levels = np.repeat(rng.normal(0, sigma, visits), visit)
    values = level_s * np.exp(levels + rng.normal(0, 0.05, visit * visits))
    return Sample.of(values, clusters=np.arange(visit * visits) // visit)


@pytest.mark.parametrize(
    ("level_s", "grade"),
    [
        (1.0, Grade.PASS),  # a twelfth of the limit
        (5.0, Grade.PASS),
        (8.5, Grade.INCONCLUSIVE),
        (12.0, Grade.INCONCLUSIVE),
        (18.0, Grade.WARN),
        (60.0, Grade.FAIL),
    ],
)
def test_few_stretches_are_judged_where_even_students_interval_is_clear(
    level_s: float, grade: Grade
) -> None:
    figure = estimate(short_arm(level_s), MEDIAN)
    assert figure.clusters == 6
    one = limit("latency_median", max="12 s")
    assert grade_bound(figure, interval_test(figure, one.bound).p, one) is grade


def test_a_short_campaign_far_below_its_limit_passes_though_its_messages_look_dependent() -> None:
    # Of 36 independent values 4 in 100 look dependent; these are some that do.
    chosen = []
    for seed in range(200):
        latencies = np.random.default_rng(seed).lognormal(0.05, 0.15, 36)
        if 4 <= len(set(stretches(latencies).tolist())) < 10:
            chosen.append(latencies)
    assert len(chosen) >= 4
    for latencies in chosen:
        arm = replace(
            measurements(messages=36).arms[0],
            latency_s=latencies,
            block=np.full(36, UNKNOWN),  # not in blocks: there are few stretches, and no visits
        )
        run = replace(measurements(messages=36), arms=(arm,), missing=())
        found = only(run, limit("latency_median", max="12 s"))
        assert found.value is not None and found.value.clusters < 10
        assert found.grade is Grade.PASS, found.reason
        close = only(run, limit("latency_median", max="1.1 s"))
        assert close.grade is Grade.INCONCLUSIVE, close.reason


@given(st.floats(0.5, 2), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 1))
def test_a_wider_interval_never_turns_inconclusive_into_a_verdict(
    value: float, below: float, above: float, p: float
) -> None:
    narrow = interval(value, value - below, value + above)
    wide = interval(value, value - 2 * below, value + 2 * above)
    test = Test(p=p, z=1.0)
    if grade_regression(narrow, test, p, 0.05) is Grade.INCONCLUSIVE:
        assert grade_regression(wide, test, p, 0.05) is Grade.INCONCLUSIVE


def test_the_worst_grade_decides_and_a_warning_alone_fails_nothing() -> None:
    assert overall([Grade.PASS, Grade.INCONCLUSIVE, Grade.WARN]) is Grade.INCONCLUSIVE
    assert overall([Grade.PASS, Grade.FAIL, Grade.INCONCLUSIVE]) is Grade.FAIL
    assert overall([]) is Grade.NOT_JUDGED
    assert [int(exit_code(grade)) for grade in Grade] == [1, 4, 0, 0, 0]


# -- limits of a campaign --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "described", "grade"),
    [
        ("uplink_bytes", {"max": "100 B", "configuration": "rohc+esp-tunnel"}, Grade.PASS),
        ("uplink_bytes", {"max": "90 B", "configuration": "rohc+esp-tunnel"}, Grade.FAIL),
        ("latency_median", {"max": "2 s", "configuration": "esp-tunnel"}, Grade.PASS),
        ("latency_median", {"max": "1 s", "configuration": "esp-tunnel"}, Grade.FAIL),
        ("latency_p95", {"max": "1.0 s", "configuration": "esp-tunnel"}, Grade.FAIL),
        ("delivery", {"min": "80 %", "configuration": "esp-tunnel"}, Grade.PASS),
        ("delivery", {"min": "99.9 %", "configuration": "esp-tunnel"}, Grade.INCONCLUSIVE),
        ("energy", {"max": "1 J", "configuration": "esp-tunnel"}, Grade.PASS),
        ("energy_median", {"max": "100 mJ", "configuration": "esp-tunnel"}, Grade.FAIL),
        ("saved_bytes", {"min": "30 B", "against": "esp-tunnel"}, Grade.PASS),
        ("saved_bytes", {"min": "50 B", "against": "esp-tunnel"}, Grade.FAIL),
        ("saved_latency", {"min": "100 ms", "against": "esp-tunnel"}, Grade.PASS),
        ("saved_energy", {"min": "1 J", "against": "esp-tunnel"}, Grade.FAIL),
        ("latency_median", {"regression": "5 %", "against": "rohc+esp-tunnel"}, Grade.FAIL),
        ("latency_median", {"regression": "5 %", "against": "esp-tunnel"}, Grade.PASS),
    ],
)
def test_a_campaign_is_held_against_its_limits(
    measure: str, described: dict[str, str], grade: Grade
) -> None:
    found = only(measurements(messages=100), limit(measure, **described))
    assert found.grade is grade, found.reason


def test_a_limit_without_a_configuration_is_for_each() -> None:
    found = judge(measurements(), [limit("latency_p95", max="12 s")])
    assert [one.configuration for one in found] == ["esp-tunnel", "rohc+esp-tunnel"]


def test_a_configuration_without_a_message_is_inconclusive() -> None:
    found = only(measurements(), limit("latency_p95", max="12 s", configuration="none"))
    assert (found.grade, found.reason) == (Grade.INCONCLUSIVE, "the run has no message of it")


def test_a_configuration_that_never_sent_is_not_forgotten() -> None:
    records = [record for record in journal(messages=60) if record.get("compression") != "rohc"]
    run = Measurements.of(records, name="run")
    found = judge(run, [limit("latency_p95", max="12 s")])
    assert [(one.configuration, one.grade) for one in found] == [
        ("rohc+esp-tunnel", Grade.INCONCLUSIVE),
        ("esp-tunnel", Grade.PASS),
    ]
    nothing = Measurements.of([{"kind": "run"}], name="run")
    assert only(nothing, limit("latency_p95", max="12 s")).grade is Grade.INCONCLUSIVE


def test_a_regression_that_the_baseline_knows_nothing_of_is_inconclusive() -> None:
    baseline = measurements(1, latencies_s={"esp-tunnel": 1.0})
    found = judge(measurements(2), [limit("delivery", regression="40 %")], baseline=baseline)
    assert [(one.grade, one.reason) for one in found][1] == (
        Grade.INCONCLUSIVE,
        "run has no message of it",
    )


def test_a_regression_without_a_baseline_is_not_judged_and_says_so() -> None:
    found = only(
        measurements(), limit("latency_median", regression="5 %", configuration="esp-tunnel")
    )
    assert found.grade is Grade.NOT_JUDGED and "no baseline" in found.reason


def test_a_limit_beyond_the_time_out_is_inconclusive() -> None:
    found = only(
        measurements(loss=0.2), limit("latency_p95", max="60 s", configuration="esp-tunnel")
    )
    assert found.grade is Grade.INCONCLUSIVE and "beyond the time-out" in found.reason


def test_energies_of_two_kinds_are_never_one_figure() -> None:
    baseline = measurements(1, kind="measured", model="ppk2", messages=100)
    run = measurements(2, messages=100)
    one = limit("energy", regression="50 %", configuration="esp-tunnel")
    found = only(run, one, baseline=baseline)
    assert found.grade is Grade.INCONCLUSIVE and "not mixed" in found.reason
    same = measurements(1, messages=100)
    assert only(run, one, baseline=same).grade is Grade.PASS


def test_more_limits_need_stronger_evidence() -> None:
    baseline = measurements(1, messages=120, sigma=0.3)
    slower = {"esp-tunnel": 1.32, "rohc+esp-tunnel": 1.0}
    run = measurements(2, messages=120, sigma=0.3, latencies_s=slower)
    one = limit("latency_median", regression="5 %", configuration="esp-tunnel")
    alone = only(run, one, baseline=baseline)
    others = [limit("energy_median", regression=f"{n} %") for n in range(5, 45)]
    among = judge(run, [one, *others], baseline=baseline)[0]
    assert alone.p == among.p and alone.p_adjusted is not None and among.p_adjusted is not None
    assert among.p_adjusted > alone.p_adjusted


# -- the number that would decide ------------------------------------------------------------------


def test_the_number_that_is_asked_for_decides_mostly() -> None:
    def run(seed: int, messages: int) -> Any:
        return measurements(
            seed, messages=messages, sigma=0.4, blocks=False, visit=1,
            latencies_s={"esp-tunnel": 1.0}, sizes={"esp-tunnel": 100},
        )  # fmt: skip

    one = limit("latency_median", regression="10 %")
    asked = []
    for seed in range(12):
        found = only(run(seed, 60), one, baseline=run(seed + 100, 60))
        if found.grade is Grade.INCONCLUSIVE:
            assert found.needed is not None and found.needed > 60
            asked.append(found.needed)
    assert len(asked) >= 8
    needed = min(2 * int(np.median(asked)), 4000)  # twice: the first figure is badly known itself
    decided = [
        only(run(seed, needed), one, baseline=run(seed + 100, needed)).grade for seed in range(8)
    ]
    assert decided.count(Grade.PASS) >= 6


@pytest.mark.parametrize(
    ("described", "needed"),
    [
        ({"min": "95 %"}, 73),  # n / (n + 1.96**2) reaches .95
        ({"regression": "5 %"}, 77),
    ],
)
def test_the_number_for_a_share_is_that_of_its_own_limits(
    described: dict[str, str], needed: int
) -> None:
    one = limit("delivery", **described, configuration="esp-tunnel")
    found = only(measurements(2, messages=40), one, baseline=measurements(1, messages=40))
    assert found.grade is Grade.INCONCLUSIVE
    assert found.needed == pytest.approx(needed, abs=2)


def test_a_number_is_not_named_where_nobody_knows() -> None:
    assert needed_messages(60, interval(1.0, 0.5, math.inf), 1.05, 0.01) is None


def test_a_figure_among_lost_messages_says_why_no_number_of_messages_would_do() -> None:
    limit_ = limit("latency_median", regression="5 %", against="esp-tunnel")
    found = only(measurements(messages=120, loss=0.6), limit_)
    assert found.grade is Grade.INCONCLUSIVE and found.needed is None
    assert "without an answer" in found.reason and "need more messages" not in found.reason


@given(st.integers(10, 1000), st.floats(0.01, 1), st.floats(0, 1))
def test_the_number_that_would_decide_is_larger_than_the_one_that_did_not(
    n: int, half: float, distance: float
) -> None:
    found = needed_messages(n, interval(0.0, -half, half), distance, 0.01)
    assert found is not None and found > n


# -- stopping --------------------------------------------------------------------------------------


def test_to_stop_depends_on_precision_and_not_on_the_verdict() -> None:
    rng = np.random.default_rng(1)
    slow, fast = (Sample.of(rng.lognormal(level, 0.1, 400)) for level in (3.0, 0.0))
    loose = Sample.of(rng.lognormal(0.0, 1.0, 40))
    assert precise_enough([slow, fast], MEDIAN, 0.03)
    assert not precise_enough([slow, loose], MEDIAN, 0.03)
    scaled = [Sample.of(sample.values * 100) for sample in (slow, fast)]
    assert precise_enough(scaled, MEDIAN, 0.03)


def test_a_campaign_of_few_clusters_or_lost_messages_goes_on() -> None:
    steady = np.full(90, 1.0)
    assert precise_enough([Sample.of(steady)], MEDIAN, 0.05)
    assert not precise_enough([Sample.of(steady, clusters=np.arange(90) // 10)], MEDIAN, 0.05)
    lost = Sample.of(steady, np.ones(90, np.bool_))
    assert not precise_enough([lost], MEDIAN, 0.05)
    assert not precise_enough([Sample.of([])], MEDIAN, 0.05)


# -- short form of the proofs ----------------------------------------------------------------------


def test_equal_arms_raise_no_alarm(record_property: Any) -> None:
    figures = aa.false_alarms(aa.simulated, 20)
    record_property("figure: alarms", figures["blocks_warn_or_fail"])
    assert figures["blocks_warn_or_fail"] <= 1 and figures["runs_warn_or_fail"] <= 1


def test_campaigns_that_are_run_raise_no_alarm() -> None:
    figures = aa.false_alarms(aa.ran, 3)
    assert figures["blocks_warn_or_fail"] == 0 and figures["runs_warn_or_fail"] == 0


def test_a_change_of_10_percent_is_found() -> None:
    figures = aa.power(12, 0.15)
    assert figures["blocks_warn_or_fail"] >= 11 and figures["runs_warn_or_fail"] >= 11


def test_the_alarm_would_ring_if_arms_were_not_equal() -> None:
    changed = aa.simulated(1, change=0.5, memory=0.0, spread=0.0)
    assert aa.worst(judge(changed, aa.limits(aa.ARMS[0]))) is Grade.FAIL


def test_the_estimate_of_an_arm_is_what_its_judgement_shows() -> None:
    run = measurements(messages=100)
    found = only(run, limit("energy", max="1 J", configuration="esp-tunnel"))
    assert found.value is not None
    assert found.value.value == pytest.approx(float(run.arms[0].energy_j.mean()))
    assert estimate(Sample.of(run.arms[0].energy_j), MEDIAN).n == found.value.n
