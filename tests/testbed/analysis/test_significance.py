"""Tests of differences: known answers, exactness under randomisation, what clusters are for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from testbed.analysis import significance
from testbed.analysis.measures import MEAN, MEDIAN, P95, SHARE
from testbed.analysis.statistics import Sample
from tests.testbed.analysis.test_statistics import autocorrelated


def pair(seed: int, blocks: int, visit: int, change: float = 1.0) -> tuple[Sample, Sample]:
    """Two arms in blocks whose level differs from block to block."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.lognormal(0, 1.0, blocks), visit)
    codes = np.repeat(np.arange(blocks), visit)
    one, other = (
        Sample.of(level * factor * rng.lognormal(0, 0.15, blocks * visit), clusters=codes)
        for factor in (1.0, change)
    )
    return one, other


# -- known answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_independent_runs_are_compared_as_brunner_and_munzel_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 12, 60), rng.integers(0, 14, 45)  # with ties
    ours = significance.compare_clusters(Sample.of(one), Sample.of(other), MEDIAN)
    theirs = stats.brunnermunzel(one, other)
    assert (ours.z, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)


def test_brunner_and_munzels_own_example() -> None:
    # E. Brunner and U. Munzel, Biometrical Journal 42 (2000), table 1: pain scores.
    one = [1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1]
    other = [3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4]
    found = significance.compare_clusters(Sample.of(one), Sample.of(other), MEDIAN)
    assert found.z == pytest.approx(3.1374674823029505)
    assert found.p == pytest.approx(0.0057862086661515377)


@pytest.mark.parametrize("seed", range(3))
def test_means_of_independent_runs_are_compared_as_welch_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(0, 1, 40), rng.normal(0.3, 2, 55)
    ours = significance.compare_clusters(Sample.of(one), Sample.of(other), MEAN)
    theirs = stats.ttest_ind(other, one, equal_var=False)
    assert (ours.z, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_a_mean_is_held_against_a_bound_as_student_does() -> None:
    drawn = np.random.default_rng(4).normal(5, 1, 30)
    theirs = stats.ttest_1samp(drawn, 4.6)
    found = significance.mean_test(Sample.of(drawn), 4.6)
    assert (found.z, found.p) == pytest.approx((theirs.statistic, theirs.pvalue))


@pytest.mark.parametrize("seed", range(3))
def test_within_blocks_the_test_is_the_permutation_test_of_the_visits(seed: int) -> None:
    one, other = pair(seed, 14, 1, 1.08)
    ours = significance.compare_in_blocks(one, other, MEAN)
    theirs = stats.permutation_test(
        (other.values, one.values), lambda x, y: np.mean(x - y), permutation_type="samples",
        vectorized=False, n_resamples=math.inf,
    )  # fmt: skip
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.03)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # S. Holm's procedure by hand
        ([0.5], [0.5]),
        ([], []),
        ([0.6, 0.7], [1.0, 1.0]),
    ],
)
def test_holms_adjustment(p_values: list[float], adjusted: list[float]) -> None:
    assert significance.holm(p_values) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = significance.holm(p_values)
    assert all(after >= before for before, after in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_the_share_beyond_a_bound_is_tested_exactly() -> None:
    sample = Sample.of(np.arange(1.0, 101.0))
    found = significance.exceedance(sample, 90.0, 0.95)  # 10 of 100 beyond, 5 allowed
    assert found.p == pytest.approx(2 * stats.binom.sf(9, 100, 0.05))
    assert found.z > 0
    assert significance.exceedance(sample, 95.0, 0.95).p == 1.0


# -- properties ------------------------------------------------------------------------------------

arms = st.lists(st.floats(0.1, 30.0), min_size=12, max_size=40)


@given(arms, arms, st.sampled_from([MEDIAN, P95, MEAN]))
def test_exchanging_the_arms_turns_the_sign_only(
    one: list[float], other: list[float], statistic: object
) -> None:
    first, second = Sample.of(one), Sample.of(other)
    there = significance.compare_clusters(first, second, statistic)  # type: ignore[arg-type]
    back = significance.compare_clusters(second, first, statistic)  # type: ignore[arg-type]
    assert there.p == pytest.approx(back.p, abs=1e-9)
    if math.isfinite(there.z):
        assert there.z == pytest.approx(-back.z, abs=1e-6)


@given(st.integers(0, 50), st.floats(0.1, 10.0))
def test_a_level_that_a_block_has_in_common_changes_nothing(seed: int, factor: float) -> None:
    one, other = pair(seed, 15, 2, 1.1)
    scale = np.where(one.clusters == 3, factor, 1.0)
    scaled = [Sample.of(sample.values * scale, clusters=sample.clusters) for sample in (one, other)]
    before = significance.compare_in_blocks(one, other, MEDIAN)
    after = significance.compare_in_blocks(scaled[0], scaled[1], MEDIAN)
    assert after.p == pytest.approx(before.p, rel=1e-6)


def test_nothing_differs_where_all_are_equal() -> None:
    same = Sample.of([92.0] * 40, clusters=np.arange(40) // 2)
    for statistic in (MEDIAN, MEAN, P95):
        assert significance.compare_in_blocks(same, same, statistic).p == 1.0
        assert significance.compare_clusters(same, same, statistic).p == 1.0
    ones = Sample.of([1.0] * 40)
    assert significance.compare_clusters(ones, ones, SHARE).p == 1.0


def test_constant_figures_that_differ_do_differ() -> None:
    one, other = Sample.of([135.0] * 20), Sample.of([92.0] * 20)
    found = significance.compare_clusters(one, other, MEAN)
    assert found.p == 0.0 and found.z < 0
    assert significance.compare_in_blocks(one, other, MEAN).p < 1e-4


def test_lost_messages_count_as_slower_than_everything() -> None:
    good = Sample.of(np.linspace(1, 2, 40))
    bad = Sample.of([*np.linspace(1, 2, 20), *[40.0] * 20], [False] * 20 + [True] * 20)
    found = significance.compare_clusters(good, bad, MEDIAN)
    assert found.z > 0 and found.p < 0.001


def test_a_block_of_one_arm_says_nothing() -> None:
    one = Sample.of([1.0, 2.0], clusters=[0, 1])
    other = Sample.of([9.0, 9.0], clusters=[2, 3])
    assert significance.compare_in_blocks(one, other, MEDIAN).p == 1.0


# -- the checks bite -------------------------------------------------------------------------------


def alarms_between_runs(clusters: bool) -> int:
    """Of 60 pairs of equal runs with memory, how many differ at p < .05."""
    found = 0
    for seed in range(60):
        one, other = (autocorrelated(seed * 2 + side, 400, 0.9) for side in (0, 1))
        codes = np.arange(400) // 40 if clusters else None
        test = significance.compare_clusters(
            Sample.of(one, clusters=codes), Sample.of(other, clusters=codes), MEDIAN
        )
        found += test.p < 0.05
    return found


def test_equal_runs_differ_seldom_with_clusters_and_often_without() -> None:
    assert alarms_between_runs(clusters=True) <= 7
    assert alarms_between_runs(clusters=False) >= 20


def alarms_in_blocks(paired: bool) -> int:
    """Of 100 campaigns of equal arms with memory within visits, how many differ at p < .05."""
    found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        drawn = autocorrelated(seed, 600, 0.95).reshape(60, 10)  # visits of ten
        first = rng.permuted(np.tile([0, 1], (30, 1)), axis=1).ravel() == 0
        arms = [
            Sample.of(
                drawn[chosen].ravel(),
                clusters=np.repeat(np.arange(30), 10) if paired else None,
            )
            for chosen in (first, ~first)
        ]
        compare = significance.compare_in_blocks if paired else significance.compare_clusters
        found += compare(arms[0], arms[1], MEDIAN).p < 0.05
    return found


def test_randomised_visits_are_exchanged_as_a_whole() -> None:
    assert alarms_in_blocks(paired=True) <= 10
    assert alarms_in_blocks(paired=False) >= 20  # messages taken for independent


def test_blocks_find_what_their_levels_hide() -> None:
    one, other = pair(1, 60, 2, 1.08)
    assert significance.compare_in_blocks(one, other, MEDIAN).p < 0.01
    apart = [Sample.of(sample.values) for sample in (one, other)]
    assert significance.compare_clusters(apart[0], apart[1], MEDIAN).p > 0.05
