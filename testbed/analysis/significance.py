"""Tests: do two arms differ, does a figure differ from its limit.

Values may be censored, tied, and dependent on each other; what that means is told in
`testbed.analysis.statistics`. Scores take care of the first two, clusters of the third:

- Between two arms of one campaign, interleaved in randomised blocks, the blocks are the clusters,
  and the test is the permutation test that the randomisation itself justifies: the two visits of a
  block change places, other blocks untouched. It holds whatever the autocorrelation is. Scores for
  a change of location are ranks after alignment (each block's own level taken out), which keeps the
  power that van Elteren's test loses in blocks of two, where it is a sign test: J. L. Hodges and
  E. L. Lehmann, "Rank methods for combination of independent experiments in analysis of variance",
  Ann. Math. Statist. 33 (1962); P. van Elteren, Bull. Int. Statist. Inst. 37 (1960). The unit that
  is exchanged is the visit, all messages of an arm in a block, for it is what was randomised.
- Between two runs, the test is that of Mann and Whitney with a variance by clusters (E. Brunner
  and U. Munzel, Biometrical J. 42 (2000); N. A. Obuchowski, Biometrics 53 (1997)), a cluster being
  a stretch long against the autocorrelation (`testbed.analysis.series`).
- Against a plain bound, a quantile's test counts the messages beyond it and a mean's is Student's,
  both with the variance that clusters have. Where clusters are few, it is Student's for both, with
  the width of the interval (`interval_test`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.analysis.distributions import (
    binomial_tails,
    normal_isf,
    normal_two_sided,
    ranks,
    student_two_sided,
)
from testbed.analysis.latency import quantile_rank
from testbed.analysis.measures import Statistic
from testbed.analysis.statistics import (
    FEW_CLUSTERS,
    Estimate,
    Sample,
    effective_size,
    mean_variance,
    merge_clusters,
    reach,
)

__all__ = [
    "Test",
    "compare_clusters",
    "compare_in_blocks",
    "exceedance",
    "holm",
    "interval_test",
    "mean_test",
    "share_test",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """What a test says."""

    __test__ = False  # not a test to collect

    p: float
    """Two-sided p value."""
    z: float
    """The statistic; above 0 when the second arm's values are the larger."""


def _aligned_ranks(ordered: Floats, blocks: Ints) -> Floats:
    """Ranks after each block's own level was taken out; what is censored stays above all else."""
    finite = np.isfinite(ordered)
    if not finite.any():
        return np.zeros(len(ordered))
    known = ordered[finite]
    capped = np.where(finite, ordered, known.max())
    levels = np.log(capped) if known.min() > 0 else capped
    count = int(blocks.max()) + 1
    means = np.bincount(blocks, levels, minlength=count) / np.maximum(
        np.bincount(blocks, minlength=count), 1
    )
    # Rounded: equal values in one block differ by the rounding of its mean, and would be no ties.
    aligned = np.round(levels - means[blocks], 12)
    return ranks(np.where(finite, aligned, np.inf))


def compare_in_blocks(first: Sample, second: Sample, statistic: Statistic) -> Test:
    """Whether two arms of one campaign differ: the permutation test within its blocks.

    Of each block the difference of the arms' mean scores counts, whose sign would be the other one
    had the block's order come out otherwise. Scores are aligned ranks for the median, the values
    for a mean, and for another quantile whether a value lies beyond the pooled one.

    Args:
        first: one arm; its clusters are the numbers of the blocks.
        second: the other arm, sent in the same blocks.
        statistic: which difference matters.

    Returns:
        p is 1 where no block has both arms, or no two values differ.
    """
    ordered = np.concatenate([first.ordered, second.ordered])
    blocks = merge_clusters(np.concatenate([first.clusters, second.clusters]), most=len(ordered))
    is_second = np.repeat([0.0, 1.0], [len(first), len(second)])
    if statistic.share is None:
        scores = np.concatenate([first.values, second.values])
    elif statistic.share == 0.5:
        scores = _aligned_ranks(ordered, blocks)
    else:
        rank = quantile_rank(statistic.share, len(ordered)) - 1
        # Of the values tied with the quantile none is beyond it.
        scores = (ordered > np.partition(ordered, rank)[rank]).astype(np.float64)
    count = int(blocks.max()) + 1
    sizes = [np.bincount(blocks, chosen, minlength=count) for chosen in (1 - is_second, is_second)]
    both = (sizes[0] > 0) & (sizes[1] > 0)
    means = [
        np.bincount(blocks, scores * chosen, minlength=count)[both] / size[both]
        for chosen, size in zip((1 - is_second, is_second), sizes, strict=True)
    ]
    differences = means[1] - means[0]
    spread = float((differences**2).sum())
    if spread <= 1e-18 * max(float((scores**2).mean()), 1e-300):
        return Test(p=1.0, z=0.0)
    z = float(differences.sum()) / math.sqrt(spread)
    return Test(p=normal_two_sided(z), z=z)


def compare_clusters(first: Sample, second: Sample, statistic: Statistic) -> Test:
    """Whether two runs differ: Mann and Whitney's test with a variance by clusters.

    For a quantile other than the median the scores are whether a value lies beyond the pooled one,
    for the mean they are the values.

    Args:
        first: one run's arm.
        second: the other's.
        statistic: which difference matters.

    Returns:
        p is 1 where there are too few clusters for any variance.
    """
    if statistic.share is None:
        one, other = first.values, second.values
    elif statistic.share == 0.5:
        one, other = (
            -_placements(first.ordered, second.ordered),
            np.asarray(_placements(second.ordered, first.ordered)),
        )
        one = one + 1  # the mean of both is then the same where nothing differs
    else:
        pooled = np.concatenate([first.ordered, second.ordered])
        rank = quantile_rank(statistic.share, len(pooled)) - 1
        bound = np.partition(pooled, rank)[rank]
        one = (first.ordered > bound).astype(np.float64)
        other = (second.ordered > bound).astype(np.float64)
    (spread_one, count_one), (spread_other, count_other) = (
        mean_variance(one, first.clusters),
        mean_variance(other, second.clusters),
    )
    if statistic.share == 0.5:
        surplus = float(other.mean()) - 0.5
    else:
        surplus = float(other.mean() - one.mean())
    variance = spread_one + spread_other
    if not math.isfinite(variance):
        return Test(p=1.0, z=0.0)
    if variance <= 0:
        same = abs(surplus) <= 1e-12 * max(abs(float(other.mean())), 1e-300)
        return Test(p=1.0, z=0.0) if same else Test(p=0.0, z=math.copysign(math.inf, surplus))
    degrees = variance**2 / (spread_one**2 / (count_one - 1) + spread_other**2 / (count_other - 1))
    z = surplus / math.sqrt(variance)
    return Test(p=student_two_sided(z, degrees), z=z)


def _placements(values: Floats, others: Floats) -> Floats:
    """For each value the share of the others below it, half of the equal ones counted."""
    sorted_others = np.sort(others)
    below = np.searchsorted(sorted_others, values, side="left")
    not_above = np.searchsorted(sorted_others, values, side="right")
    return np.asarray((below + not_above) / (2 * len(others)))


def mean_test(sample: Sample, bound: float) -> Test:
    """Whether a mean differs from a bound: Student's test with a variance by clusters.

    Args:
        sample: the arm.
        bound: in the values' unit.
    """
    variance, count = mean_variance(sample.values, sample.clusters)
    surplus = float(sample.values.mean()) - bound
    if not math.isfinite(variance):
        return Test(p=1.0, z=0.0)
    if variance <= 0:
        if surplus == 0:
            return Test(p=1.0, z=0.0)
        return Test(p=0.0, z=math.copysign(math.inf, surplus))
    z = surplus / math.sqrt(variance)
    return Test(p=student_two_sided(z, count - 1), z=z)


def interval_test(figure: Estimate, bound: float) -> Test:
    """Whether a figure differs from a bound, by how wide its interval is on the bound's side.

    Student's test where the interval is Student's, of few clusters; else the normal one.

    Args:
        figure: with its interval; of logarithms where all of it, and the bound, lie above 0.
        bound: in the figure's unit.
    """
    value, end = figure.value, figure.high if figure.value < bound else figure.low
    if not math.isfinite(end):
        return Test(p=1.0, z=0.0)
    if figure.clusters < FEW_CLUSTERS and min(value, end, bound) > 0:
        surplus, half = math.log(value / bound), abs(math.log(end / value))
    else:
        surplus, half = value - bound, abs(end - value)
    if surplus == 0:
        return Test(p=1.0, z=0.0)
    if half == 0:
        return Test(p=0.0, z=math.copysign(math.inf, surplus))
    z = surplus / half * reach(figure.clusters)
    few = 1 < figure.clusters < FEW_CLUSTERS
    return Test(p=student_two_sided(z, figure.clusters - 1) if few else normal_two_sided(z), z=z)


def exceedance(sample: Sample, bound: float, share: float) -> Test:
    """Whether a quantile differs from a bound: the share of messages beyond it, exactly.

    The number beyond is binomial where the quantile is the bound, with the number of messages
    divided by the design effect of the clusters (E. L. Korn and B. I. Graubard, 1998).

    Args:
        sample: the arm; a censored message lies beyond its time-out.
        bound: in the values' unit; beyond the time-out nobody knows.
        share: of the quantile.

    Returns:
        z is positive where more messages lie beyond than may.
    """
    beyond = ((sample.values > bound) | (sample.censored & (sample.values >= bound))).astype(
        np.float64
    )
    return share_test(beyond, sample.clusters, 1 - share)


def share_test(indicator: Floats, clusters: Ints, expected: float) -> Test:
    """Whether a share differs from what is expected; see `exceedance`.

    Args:
        indicator: 0 or 1 per message.
        clusters: which of them may depend on each other.
        expected: between 0 and 1.
    """
    n = effective_size(indicator, clusters)
    share = float(indicator.mean())
    k = share * n
    p = min(1.0, 2 * min(binomial_tails(k, n, expected)))
    return Test(p=p, z=math.copysign(normal_isf(p / 2), share - expected))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for how many limits are judged at once (S. Holm, 1979).

    Args:
        p_values: of all limits of a campaign.

    Returns:
        In the same order, each at least what it was and at most 1.
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for position, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - position)))
        adjusted[index] = largest
    return adjusted
