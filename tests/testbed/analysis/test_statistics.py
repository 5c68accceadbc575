"""Intervals: known answers, what censoring does, what clusters are for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from testbed.analysis import statistics
from testbed.analysis.distributions import binomial_tails, ranks, student_ppf, student_two_sided
from testbed.analysis.measures import MEAN, MEDIAN, P95, SHARE, Statistic
from testbed.analysis.statistics import Sample

values = st.lists(st.floats(0.01, 50.0), min_size=2, max_size=80)
statistic = st.sampled_from([MEDIAN, P95, MEAN])


def autocorrelated(seed: int, n: int, memory: float) -> np.ndarray:
    """Lognormal values whose logarithms remember their predecessor."""
    rng = np.random.default_rng(seed)
    level = rng.normal()
    found = []
    for step in rng.normal(size=n) * math.sqrt(1 - memory**2):
        level = memory * level + step
        found.append(math.exp(0.3 * level))
    return np.array(found)


# -- known answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("one", [MEDIAN, MEAN])
def test_an_interval_is_that_of_scipys_percentile_bootstrap(seed: int, one: Statistic) -> None:
    drawn = np.random.default_rng(seed).lognormal(0, 0.3, 400)
    ours = statistics.estimate(Sample.of(drawn), one)
    theirs = stats.bootstrap(
        (drawn,), np.median if one is MEDIAN else np.mean, n_resamples=4000, method="percentile",
        rng=seed,
    ).confidence_interval  # fmt: skip
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.15 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.15 * width)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_limits_are_those_that_newcombe_printed(
    successes: int, n: int, low: float, high: float
) -> None:
    assert statistics.wilson(successes / n, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("n", [12, 200])
def test_a_share_has_wilsons_limits(n: int) -> None:
    sample = Sample.of([1.0] * (n - 2) + [0.0] * 2, clusters=np.random.permutation(n))
    found = statistics.estimate(sample, SHARE)
    peer = stats.binomtest(n - 2, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), rel=0.02)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50))
def test_ranks_are_scipys(drawn: list[int]) -> None:
    columns = np.array(drawn, dtype=float)
    assert ranks(columns).tolist() == stats.rankdata(columns).tolist()


@pytest.mark.parametrize("degrees", [1, 9, 399])
def test_distributions_are_scipys(degrees: int) -> None:
    assert student_ppf(0.025, degrees) == pytest.approx(stats.t.ppf(0.025, degrees))
    assert student_two_sided(2.5, degrees) == pytest.approx(2 * stats.t.sf(2.5, degrees))
    assert binomial_tails(3, degrees + 3, 0.2) == pytest.approx(
        (stats.binom.sf(2, degrees + 3, 0.2), stats.binom.cdf(3, degrees + 3, 0.2))
    )


def test_a_constant_has_an_interval_of_no_width() -> None:
    found = statistics.estimate(Sample.of([92.0] * 30), MEAN)
    assert (found.value, found.low, found.high) == (92.0, 92.0, 92.0)


# -- censoring -------------------------------------------------------------------------------------


def test_a_quantile_among_lost_messages_is_at_least_the_time_out() -> None:
    lost = [False] * 90 + [True] * 10
    sample = Sample.of([1.0] * 90 + [40.0] * 10, lost)
    median, p95 = statistics.estimate(sample, MEDIAN), statistics.estimate(sample, P95)
    assert (median.value, median.censored) == (1.0, False)
    assert (p95.value, p95.censored, p95.high) == (40.0, True, math.inf)


def test_leaving_lost_messages_out_would_make_a_bad_arm_look_fast() -> None:
    answered = np.linspace(1, 2, 60)
    whole = Sample.of([*answered, *[40.0] * 40], [False] * 60 + [True] * 40)
    without = Sample.of(answered)
    assert statistics.estimate(whole, MEDIAN).value > statistics.estimate(without, MEDIAN).value


def test_a_ratio_to_a_censored_figure_has_an_open_end() -> None:
    rng = np.random.default_rng(1)
    good = Sample.of(rng.lognormal(0, 0.2, 100))
    bad = Sample.of([40.0] * 100, [True] * 100)
    worse = statistics.pair(good, bad, MEDIAN, paired=False).ratio
    assert worse.censored and worse.high == math.inf and worse.low > 20
    assert statistics.pair(bad, good, MEDIAN, paired=False).ratio.low == 0.0
    unknown = statistics.pair(bad, bad, MEDIAN, paired=False).ratio
    assert (unknown.low, unknown.high) == (0.0, math.inf)


# -- properties ------------------------------------------------------------------------------------


@given(values, statistic, st.randoms())
def test_the_order_of_independent_messages_changes_no_point(
    drawn: list[float], one: Statistic, random: object
) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (statistics.estimate(Sample.of(v), one) for v in (drawn, shuffled))
    assert first.value == pytest.approx(second.value)


@given(values, statistic)
def test_the_point_lies_within_its_interval(drawn: list[float], one: Statistic) -> None:
    found = statistics.estimate(Sample.of(drawn), one)
    assert found.low <= found.value * (1 + 1e-9) and found.value <= found.high * (1 + 1e-9)


@given(values, st.floats(1.1, 5.0))
def test_a_scaled_arm_has_a_scaled_ratio(drawn: list[float], factor: float) -> None:
    first = Sample.of(drawn)
    second = Sample.of([value * factor for value in drawn])
    found = statistics.pair(first, second, MEDIAN, paired=True).ratio
    assert found.value == pytest.approx(factor)
    assert found.low == pytest.approx(factor) and found.high == pytest.approx(factor)


@given(values, st.integers(0, 79))
def test_losing_a_message_never_improves_a_quantile(drawn: list[float], place: int) -> None:
    place %= len(drawn)
    lost = [index == place for index in range(len(drawn))]
    before = statistics.estimate(Sample.of(drawn), P95)
    after = statistics.estimate(Sample.of([*drawn[:place], 60.0, *drawn[place + 1 :]], lost), P95)
    assert after.value >= before.value


def test_the_same_sample_has_the_same_interval_twice() -> None:
    drawn = np.random.default_rng(2).lognormal(0, 1, 500)
    assert statistics.estimate(Sample.of(drawn), P95) == statistics.estimate(Sample.of(drawn), P95)


def test_the_window_finds_what_a_whole_sort_finds() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(5), 400)  # clusters far apart: resamples leave the first window
    drawn = rng.normal(size=2000) + 10 * codes
    weights = statistics._weights(5, 0)
    found = statistics._quantile_replicates(drawn, codes, weights, 0.5)
    for row in range(0, 2000, 97):
        whole = np.sort(np.repeat(drawn, weights[row].astype(int)[codes]))
        assert found[row] == whole[math.ceil(len(whole) / 2) - 1]


# -- what clusters are for: the check bites --------------------------------------------------------


def covered(clusters: bool) -> int:
    """In how many of 60 runs the interval of a median of 1 holds it."""
    found = 0
    for seed in range(60):
        drawn = autocorrelated(seed, 600, 0.9)
        sample = Sample.of(drawn, clusters=np.arange(600) // 40 if clusters else None)
        interval = statistics.estimate(sample, MEDIAN)
        found += interval.low <= 1.0 <= interval.high
    return found


def test_intervals_of_messages_that_are_alike_hold_what_they_say_with_clusters_only() -> None:
    assert covered(clusters=True) >= 50
    assert covered(clusters=False) <= 35


def test_many_clusters_are_merged_with_neighbours() -> None:
    codes = statistics.merge_clusters(np.arange(10_000) * 7)
    assert codes.max() == statistics.MAX_CLUSTERS - 1
    assert (np.diff(codes) >= 0).all() and (np.bincount(codes) == 25).all()


def test_dependent_losses_are_worth_fewer_messages() -> None:
    scattered = np.tile([0.0] + [1.0] * 9, 40)
    bursts = np.repeat(np.tile([0.0] + [1.0] * 9, 4), 10)
    clusters = np.arange(400) // 10
    assert statistics.effective_size(bursts, clusters) < 60
    assert statistics.effective_size(scattered, np.arange(400)) > 390
    assert statistics.effective_size(np.ones(400), clusters) == 400


def test_the_interval_of_few_clusters_covers_where_resamples_alone_would_not() -> None:
    missed = {"ours": 0, "resamples": 0}
    for seed in range(300):
        rng = np.random.default_rng((seed, 11))
        levels = np.repeat(rng.normal(0, 0.3, 4), 6)
        values = np.exp(levels + rng.normal(0, 0.1, 24))
        found = statistics.estimate(Sample.of(values, clusters=np.arange(24) // 6), MEDIAN)
        missed["ours"] += not found.low <= 1.0 <= found.high
        middles = [float(np.median(part)) for part in values.reshape(4, 6)]
        missed["resamples"] += not min(middles) <= 1.0 <= max(middles)  # no resample lies beyond
    assert missed["ours"] <= 0.06 * 300 < missed["resamples"], missed


def test_a_few_dependent_messages_tell_less_of_a_share_than_as_many_clusters() -> None:
    answered = np.repeat([1.0, 1.0, 0.0, 1.0, 1.0], 8)
    clusters = np.arange(40) // 8
    assert statistics.effective_size(answered, clusters) < 5
