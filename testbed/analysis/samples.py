"""From an arm's columns to the values that statistics work on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from testbed.analysis.measurements import Arm
from testbed.analysis.measures import Measure
from testbed.analysis.series import stretches, visits_or_stretches
from testbed.analysis.statistics import Sample

__all__ = ["sample"]


def sample(
    arm: Arm, measure: Measure, *, timeout_s: float | None, in_blocks: bool = False
) -> Sample:
    """An arm's values for one measure, with what is censored and what depends on what.

    Args:
        arm: the messages.
        measure: which figure.
        timeout_s: when an unanswered message is censored; None where nobody knows, then it is
            censored at the longest latency that was seen. Longer latencies are censored there too,
            so that two runs with different time-outs can be compared at the shorter one.
        in_blocks: clusters are the arm's randomised blocks; else its
            visits where these are far apart, or stretches of neighbours.

    Returns:
        Messages for which nothing was measured are not in it.
    """
    values: NDArray[np.float64] = getattr(arm, measure.column)
    blocks, submitted_at_s = arm.block, arm.submitted_at_s
    if measure.censors:
        censored = np.isnan(values)
        if timeout_s is None:
            timeout_s = float(values[~censored].max()) if not censored.all() else 0.0
        else:
            censored = censored | (values > timeout_s)
        values = np.where(censored, timeout_s, values)
    else:
        known = ~np.isnan(values)
        values, blocks, submitted_at_s = values[known], blocks[known], submitted_at_s[known]
        censored = np.zeros(len(values), np.bool_)
    if in_blocks or not len(values):
        clusters = blocks
    else:
        ordered = np.where(censored, np.inf, values)
        if arm.blocked:
            clusters = visits_or_stretches(ordered, blocks, submitted_at_s)
        else:
            clusters = stretches(ordered)
    return Sample(values=values, censored=censored, clusters=clusters)
