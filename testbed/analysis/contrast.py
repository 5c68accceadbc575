"""Two arms set against each other by one measure, within blocks where there are blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from testbed.analysis import significance, statistics
from testbed.analysis.measurements import UNKNOWN, Arm
from testbed.analysis.measures import Better, Measure
from testbed.analysis.samples import sample
from testbed.analysis.series import MIN_CLUSTERS
from testbed.analysis.significance import Test
from testbed.analysis.statistics import FEW_CLUSTERS, Estimate

__all__ = ["Contrast", "contrast", "mixed_sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Two arms compared by one measure."""

    first: Estimate | None
    """The reference; None where it has no values."""
    second: Estimate | None
    """What is compared with it."""
    worse: Estimate | None
    """Ratio of the two, turned so that above 1 is worse; None where they can't be compared."""
    change: Estimate | None
    """Second less first, in the base unit; None for shares, and as `worse`."""
    test: Test | None
    """Whether they differ; z above 0 where the second is larger."""
    paired: bool
    """Compared within randomised blocks that both were sent in."""
    problem: str | None = None
    """Why they can't be compared."""


def contrast(
    first: Arm,
    second: Arm,
    measure: Measure,
    *,
    timeouts_s: tuple[float | None, float | None],
    same_run: bool,
) -> Contrast:
    """Compare two arms by one measure.

    Args:
        first: the reference.
        second: what is compared with it.
        measure: which figure.
        timeouts_s: when an unanswered message of each was given up; the shorter one counts.
        same_run: both belong to one campaign: where both were sent in enough randomised blocks,
            they are compared within these.
    """
    known = [timeout for timeout in timeouts_s if timeout is not None]
    timeout_s = min(known, default=None)
    common = np.intersect1d(first.block, second.block)
    paired = same_run and first.blocked and second.blocked and len(common) >= MIN_CLUSTERS
    if paired:
        first = first.where(np.isin(first.block, common))
        second = second.where(np.isin(second.block, common))
    one, other = (
        sample(arm, measure, timeout_s=timeout_s, in_blocks=paired) for arm in (first, second)
    )
    empty = [arm.name for arm, values in ((first, one), (second, other)) if not len(values)]
    problem = mixed_sources(first, second) if measure.sourced else None
    if empty:
        problem = f"{measure.name}: nothing was measured for {' and '.join(dict.fromkeys(empty))}"
    if problem is not None:
        estimates = [
            statistics.estimate(values, measure.statistic) if len(values) else None
            for values in (one, other)
        ]
        return Contrast(
            first=estimates[0],
            second=estimates[1],
            worse=None,
            change=None,
            test=None,
            paired=paired,
            problem=problem,
        )
    compare = significance.compare_in_blocks if paired else significance.compare_clusters
    found = statistics.pair(one, other, measure.statistic, paired=paired)
    worse = found.ratio
    if measure.better is Better.HIGHER and not measure.saving:  # a saving's own figure is a cost
        worse = statistics.pair(other, one, measure.statistic, paired=paired).ratio
    test = compare(one, other, measure.statistic)
    if found.ratio.clusters < FEW_CLUSTERS:  # a variance of so few is not known: nor is its p
        test = max(test, significance.interval_test(found.ratio, 1.0), key=lambda one: one.p)
    return Contrast(
        first=found.first,
        second=found.second,
        worse=worse,
        change=found.difference,
        test=test,
        paired=paired,
    )


def mixed_sources(*arms: Arm) -> str | None:
    """Why arms' energy figures can't be taken together, or None.

    Args:
        arms: one or several.
    """
    found = sorted({arm.sources[i] for arm in arms for i in np.unique(arm.source) if i != UNKNOWN})
    if len(found) < 2:
        return None
    named = ", ".join(f"{kind} by {model}" for kind, model in found)
    return f"energy is {named}: these are not mixed"
