"""Quantiles, intervals and tests for messages that may be lost, tied, and dependent on each other.

Three things make a bench's figures unlike those of a textbook, and each has one answer here.

A message without an answer is **censored**: nobody knows its latency, only that it is longer than
the time-out. It counts as longer than everything observed, in each quantile and each test. Where a
quantile falls among such messages it is "at least" the time-out.

Values are **tied** (bytes) or of no known distribution (latency): tests use ranks or other scores,
with the variance that the scores at hand have, so ties need no correction of their own.

Neighbours in time are **alike** (a radio that is bad stays so for a while). All uncertainty is
therefore counted by *clusters*, which are redrawn, or summed, as a whole: the randomised blocks of
a campaign, or stretches long against the autocorrelation (`testbed.analysis.series`).

Intervals are bootstrap percentile intervals over clusters (A. C. Davison and D. V. Hinkley,
"Bootstrap methods and their application", 1997, section 3.8), expanded for few clusters as
T. C. Hesterberg, "What teachers should know about the bootstrap", Am. Stat. 69 (2015), has it. BCa
corrects a median by its jackknife, which is not consistent for medians, and costs n times n. Of
fewer than `FEW_CLUSTERS` clusters the resamples say how wide the figure spreads but not how far:
no resample reaches beyond what was seen. There the interval is at least Student's, with the
standard error that resamples have (`_few`). Tests are in `testbed.analysis.significance`.

Everything is deterministic: resamples come from one fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from testbed.analysis.distributions import (
    normal_cdf,
    normal_isf,
    student_ppf,
)
from testbed.analysis.latency import quantile_rank
from testbed.analysis.measures import Statistic

__all__ = [
    "CONFIDENCE",
    "FEW_CLUSTERS",
    "RESAMPLES",
    "Estimate",
    "Pair",
    "Sample",
    "effective_size",
    "estimate",
    "mean_variance",
    "merge_clusters",
    "pair",
    "reach",
    "share_of",
    "share_ratio",
    "wilson",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CONFIDENCE: Final = 0.95
"""Of every interval, two-sided."""

RESAMPLES: Final = 2000
"""Bootstrap resamples per interval."""

FEW_CLUSTERS: Final = 10
"""Of fewer clusters an interval is at least Student's: their spread is known badly."""

MAX_CLUSTERS: Final = 400
"""More clusters than this are merged with their neighbours: it changes no interval that anybody
could see, and keeps 100,000 messages as quick as 1,000."""

_SEED: Final = 20_260_801
_CELLS: Final = 1_000_000  # of one piece of a resampling matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The values of one arm, in the order of time.

    Raises:
        ValueError: the columns do not have one length.
    """

    values: Floats
    """One per message, in a base unit; a censored one holds the time-out."""
    censored: Bools
    """The message had no answer: its value is a lower bound."""
    clusters: Ints
    """Which messages may depend on each other: a block's number, or a stretch's."""

    def __post_init__(self) -> None:
        if not len(self.values) == len(self.censored) == len(self.clusters):
            raise ValueError("values, censored and clusters are of different lengths")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def ordered(self) -> Floats:
        """The values as they compare: a censored one is longer than anything."""
        return np.where(self.censored, np.inf, self.values)

    @classmethod
    def of(
        cls,
        values: Sequence[float] | Floats,
        censored: Sequence[bool] | Bools | None = None,
        clusters: Sequence[int] | Ints | None = None,
    ) -> Sample:
        """A sample of plain sequences; by default nothing is censored, no message depends."""
        columns = np.asarray(values, dtype=np.float64)
        n = len(columns)
        return cls(
            values=columns,
            censored=np.zeros(n, np.bool_) if censored is None else np.asarray(censored, np.bool_),
            clusters=np.arange(n) if clusters is None else np.asarray(clusters, np.int64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    """The point; a lower bound when censored."""
    low: float
    """Lower end; minus infinity, or 0 of a ratio, where there is none."""
    high: float
    """Upper end; infinite where the data do not bound it."""
    n: int
    """Messages that it rests on."""
    clusters: int
    """How many of them are as good as independent."""
    censored: bool = False
    """The true value is at least `value`, and may be anything above."""

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2

    def to_json(self) -> dict[str, object]:
        """Fields by name; null where there is no bound."""
        return {
            "value": _finite(self.value),
            "low": _finite(self.low),
            "high": _finite(self.high),
            "n": self.n,
            "clusters": self.clusters,
            "censored": self.censored,
        }


def _finite(value: float) -> float | None:
    return float(f"{value:.9g}") if math.isfinite(value) else None


def merge_clusters(clusters: Ints, most: int = MAX_CLUSTERS) -> Ints:
    """Number clusters from 0 in the order of their labels, neighbours merged to at most `most`.

    Args:
        clusters: a label per message.
        most: how many may remain.
    """
    labels, codes = np.unique(clusters, return_inverse=True)
    codes = codes.astype(np.int64)
    count = len(labels)
    return codes if count <= most else codes * most // count


@lru_cache(maxsize=16)
def _weights(clusters: int, stream: int) -> Floats:
    """How often each cluster is drawn, a row per resample."""
    rng = np.random.default_rng((_SEED, clusters, stream))
    drawn = rng.integers(0, clusters, size=(RESAMPLES, clusters))
    rows = np.arange(RESAMPLES)[:, None] * clusters
    counts = np.bincount((drawn + rows).ravel(), minlength=RESAMPLES * clusters)
    weights = counts.reshape(RESAMPLES, clusters).astype(np.float64)
    weights.flags.writeable = False
    return weights


def _point(sample: Sample, statistic: Statistic) -> tuple[float, bool]:
    """The statistic, and whether it is only a lower bound."""
    if statistic.share is None:
        return float(sample.values.mean()), bool(sample.censored.any())
    rank = quantile_rank(statistic.share, len(sample)) - 1
    value = float(np.partition(sample.ordered, rank)[rank])
    if math.isinf(value):
        return float(sample.values[sample.censored].min()), True
    return value, False


def _replicates(
    ordered: Floats, codes: Ints, clusters: int, stream: int, statistic: Statistic
) -> Floats:
    """The statistic of each resample; NaN where a resample has no value."""
    weights = _weights(clusters, stream)
    if statistic.share is not None:
        return _quantile_replicates(ordered, codes, weights, statistic.share)
    sums = weights @ np.bincount(codes, ordered, minlength=clusters)
    totals = weights @ np.bincount(codes, minlength=clusters)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / totals)


def _quantile_replicates(values: Floats, codes: Ints, weights: Floats, share: float) -> Floats:
    """A quantile of each resample, looked for in a window around the sample's own."""
    clusters = weights.shape[1]
    order = np.argsort(values, kind="stable")
    values, codes = values[order], codes[order]
    n = len(values)
    totals = weights @ np.bincount(codes, minlength=clusters)
    targets = np.maximum(np.ceil(share * totals - 1e-9), 1)
    found = np.full(len(weights), np.nan)
    todo = np.flatnonzero(totals > 0)
    small = weights.astype(np.float32)  # whole numbers far below 2**24: exact, and twice as fast
    centre, half = quantile_rank(share, n) - 1, 32 + 2 * math.isqrt(n)
    while todo.size:
        first, end = max(centre - half, 0), min(centre + half, n)
        window = codes[first:end]
        missing = targets - weights @ np.bincount(codes[:first], minlength=clusters)
        rows = max(_CELLS // (end - first), 1)
        missed = []
        for start in range(0, todo.size, rows):
            piece = todo[start : start + rows]
            passed = np.cumsum(small[piece][:, window], axis=1)
            position = (passed < missing[piece, None]).sum(axis=1)
            good = (missing[piece] > 0) & (position < end - first)
            found[piece[good]] = values[first + position[good]]
            missed.append(piece[~good])
        todo = np.concatenate(missed)
        half *= 4
    return found


def reach(clusters: int) -> float:
    """How many standard errors an interval reaches to either side.

    Args:
        clusters: that the figure rests on: Student's distribution where they are few.
    """
    tail = (1 - CONFIDENCE) / 2
    if 1 < clusters < FEW_CLUSTERS:
        return -student_ppf(tail, clusters - 1)
    return normal_isf(tail)


def _interval(replicates: Floats, clusters: int, point: float) -> tuple[float, float]:
    """Ends of the expanded percentile interval, of few clusters at least of Student's.

    Args:
        replicates: a resample without a value, NaN, bounds neither end.
        clusters: that were redrawn.
        point: the figure itself.
    """
    tail = (1 - CONFIDENCE) / 2
    if clusters > 1:
        quantile = student_ppf(tail, clusters - 1)
        tail = normal_cdf(math.sqrt(clusters / (clusters - 1)) * quantile)
    low = np.sort(np.where(np.isnan(replicates), -np.inf, replicates))
    high = np.sort(np.where(np.isnan(replicates), np.inf, replicates))
    rank = math.floor(tail * len(replicates))
    ends = float(low[rank]), float(high[len(replicates) - 1 - rank])
    if clusters >= FEW_CLUSTERS:
        return ends
    least, most = _few(replicates, clusters, point)
    return min(ends[0], least), max(ends[1], most)


def _few(replicates: Floats, clusters: int, point: float) -> tuple[float, float]:
    """Ends of Student's interval, its standard error that of the resamples.

    Of figures above 0 it is that of their logarithms: latencies, energies and ratios spread further
    upwards than down. Resamples are narrower than the figure by the root of (clusters - 1) /
    clusters.
    """
    if clusters < 2 or not (np.isfinite(replicates).all() and math.isfinite(point)):
        return -math.inf, math.inf
    positive = point > 0 and float(replicates.min()) > 0
    spread = np.log(replicates) if positive else replicates
    half = reach(clusters) * float(spread.std()) * math.sqrt(clusters / (clusters - 1))
    if positive:
        return point * math.exp(-half), point * math.exp(min(half, 700.0))
    return point - half, point + half


def estimate(sample: Sample, statistic: Statistic) -> Estimate:
    """One arm's figure with its interval.

    Args:
        sample: at least one message.
        statistic: a quantile, or the mean; a mean with censored values is a lower bound.
    """
    codes = merge_clusters(sample.clusters)
    count = int(codes.max()) + 1
    return _estimate(sample, statistic, _draw(sample, statistic, codes, count, 0), count)


def _draw(sample: Sample, statistic: Statistic, codes: Ints, clusters: int, stream: int) -> Floats:
    """Replicates of an arm's figure; none of a share, whose limits are Wilson's."""
    if statistic.is_share:
        return np.empty(0)
    ordered = sample.values if statistic.share is None else sample.ordered
    return _replicates(ordered, codes, clusters, stream, statistic)


def _estimate(sample: Sample, statistic: Statistic, replicates: Floats, clusters: int) -> Estimate:
    value, censored = _point(sample, statistic)
    if statistic.is_share:
        low, high = wilson(value, effective_size(sample.values, sample.clusters))
    else:
        low, high = _interval(replicates, clusters, value)
    if low == math.inf:  # all of the interval lies among censored values
        low = value
    return Estimate(
        value=value,
        low=low,
        high=math.inf if censored else high,
        n=len(sample),
        clusters=clusters,
        censored=censored,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two arms' figures and what lies between them."""

    first: Estimate
    """The reference's figure."""
    second: Estimate
    """The other's."""
    ratio: Estimate
    """Second over first: infinite above where the second is censored, 0 below where the first is.
    A ratio of nothing to nothing is 1."""
    difference: Estimate | None
    """Second less first; None of shares."""


def pair(first: Sample, second: Sample, statistic: Statistic, *, paired: bool) -> Pair:
    """Two arms' figures, their ratio and their difference, with intervals.

    Args:
        first: the reference.
        second: the other arm.
        statistic: a quantile, a mean, or a share.
        paired: both were sent in common blocks, whose numbers are the clusters: of each resample
            both arms have the same blocks.
    """
    samples = (first, second)
    if paired:
        joint = merge_clusters(np.concatenate([first.clusters, second.clusters]))
        codes = [joint[: len(first)], joint[len(first) :]]
        streams = (0, 0)
    else:
        codes = [merge_clusters(sample.clusters) for sample in samples]
        streams = (1, 2)
    counts = [int(code.max()) + 1 for code in codes]
    if paired:
        counts = [max(counts)] * 2
    one, other = (
        _draw(sample, statistic, code, count, stream)
        for sample, code, count, stream in zip(samples, codes, counts, streams, strict=True)
    )
    figures = [
        _estimate(sample, statistic, replicates, count)
        for sample, replicates, count in zip(samples, (one, other), counts, strict=True)
    ]
    if statistic.is_share:
        ratio = share_ratio(figures[0], figures[1])
        return Pair(first=figures[0], second=figures[1], ratio=ratio, difference=None)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where((one == 0) & (other == 0), 1.0, other / one)
        differences = other - one
    below, above = figures
    point = above.value / below.value if below.value else math.inf if above.value else 1.0
    low, high = _interval(ratios, min(counts), point)
    change = above.value - below.value
    smallest, largest = _interval(differences, min(counts), change)
    rest: dict[str, Any] = {
        "n": len(first) + len(second),
        "clusters": min(counts),
        "censored": above.censored or below.censored,
    }
    return Pair(
        first=below,
        second=above,
        ratio=Estimate(
            value=point,
            low=0.0 if below.censored else max(low, 0.0),
            high=math.inf if above.censored else high,
            **rest,
        ),
        difference=Estimate(
            value=change,
            low=-math.inf if below.censored else smallest,
            high=math.inf if above.censored else largest,
            **rest,
        ),
    )


def share_ratio(first: Estimate, second: Estimate) -> Estimate:
    """The ratio of two shares, its limits from theirs (A. Donner and G. Y. Zou, 2012, "MOVER").

    A bootstrap would say that 20 of 20 against 20 of 20 is a ratio of 1 and nothing else.

    Args:
        first: the share in the denominator.
        second: the share in the numerator.
    """

    def end(near: float, far: float, sign: float) -> float:
        product = first.value * second.value
        one, other = near * (2 * second.value - near), far * (2 * first.value - far)
        if other <= 0:
            return math.inf if sign > 0 else 0.0
        return (product + sign * math.sqrt(max(product**2 - one * other, 0.0))) / other

    return Estimate(
        value=second.value / first.value if first.value else math.inf,
        low=max(end(second.low, first.high, -1.0), 0.0),
        high=end(second.high, first.low, 1.0),
        n=first.n + second.n,
        clusters=min(first.clusters, second.clusters),
    )


def share_of(value: float, n: int) -> Estimate:
    """A share with Wilson's limits.

    Args:
        value: between 0 and 1.
        n: independent messages.
    """
    low, high = wilson(value, n)
    return Estimate(value=value, low=low, high=high, n=n, clusters=n)


def mean_variance(scores: Floats, clusters: Ints) -> tuple[float, int]:
    """Variance of a mean whose terms depend on each other within clusters.

    Args:
        scores: one per message.
        clusters: which of them may depend on each other.

    Returns:
        The variance, NaN of a single cluster, and how many clusters there are.
    """
    codes = merge_clusters(clusters, most=len(scores))
    count = int(codes.max()) + 1
    if count < 2:
        return math.nan, count
    sums = np.bincount(codes, scores - scores.mean())
    return float((sums**2).sum()) * count / (count - 1) / len(scores) ** 2, count


def effective_size(indicator: Floats, clusters: Ints) -> float:
    """How many independent messages tell as much about a share as these.

    Of few clusters it is less by the square of what Student's quantile is above the normal one
    (E. L. Korn and B. I. Graubard, Surv. Methodol. 24 (1998)).

    Args:
        indicator: 0 or 1 per message.
        clusters: which of them may depend on each other.
    """
    n = len(indicator)
    share = float(indicator.mean())
    variance, count = mean_variance(indicator, clusters)
    if not 0 < share < 1 or not math.isfinite(variance) or variance <= 0:
        return float(n)  # nothing varies that could tell of dependence
    narrower = (reach(FEW_CLUSTERS) / reach(count)) ** 2  # 1, unless clusters are few
    return min(float(n), share * (1 - share) / variance * n / (n - 1)) * narrower


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's limits of a share.

    Args:
        share: observed, between 0 and 1.
        n: messages, or how many independent ones they are worth.
    """
    z = normal_isf((1 - CONFIDENCE) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(centre - half, 0.0), min(centre + half, 1.0)
