"""Every figure that a limit or a comparison can be about: one table.

Its names stand in campaign files, on command lines, in baselines and in JUnit reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from testbed.analysis import statistics
from testbed.analysis.measurements import Arm
from testbed.analysis.series import stretches
from testbed.analysis.statistics import Sample, Statistic

__all__ = ["MEASURES", "Better", "Measure", "sample"]

Floats = NDArray[np.float64]


class Better(StrEnum):
    """Which way a figure improves."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure per arm, or per pair of arms."""

    name: str
    """As campaign files and command lines name it."""
    unit: str
    """Base unit: ``s``, ``B``, ``J``, or ``1`` for a share."""
    statistic: Statistic
    """What of the values counts."""
    column: Callable[[Arm], Floats]
    """The value of each message; NaN where there is none."""
    help: str
    """One sentence."""
    better: Better = Better.LOWER
    """Which way it improves."""
    saving: bool = False
    """The figure of another configuration less that of this one: it needs ``against``."""
    censors: bool = False
    """A message without a value is censored at the time-out."""

    @property
    def sourced(self) -> bool:
        """The values have a source, measured or estimated, which never is mixed."""
        return self.unit == "J"


def _answered(arm: Arm) -> Floats:
    return (~arm.unanswered).astype(np.float64)


def _latency(arm: Arm) -> Floats:
    return arm.latency_s


def _energy(arm: Arm) -> Floats:
    return arm.energy_j


_TABLE: Final = (
    Measure(
        name="latency_median",
        unit="s",
        statistic=statistics.MEDIAN,
        column=_latency,
        censors=True,
        help="Half of all messages were answered within it.",
    ),
    Measure(
        name="latency_p95",
        unit="s",
        statistic=statistics.P95,
        column=_latency,
        censors=True,
        help="95 of 100 messages were answered within it.",
    ),
    Measure(
        name="latency_p99",
        unit="s",
        statistic=statistics.P99,
        column=_latency,
        censors=True,
        help="99 of 100 messages were answered within it.",
    ),
    Measure(
        name="delivery",
        unit="1",
        statistic=statistics.SHARE,
        column=_answered,
        better=Better.HIGHER,
        help="The share of messages that were answered before the time-out.",
    ),
    Measure(
        name="uplink_bytes",
        unit="B",
        statistic=statistics.MEAN,
        column=lambda arm: arm.uplink_bytes,
        help="Mean size of the outer IP packet of an uplink message.",
    ),
    Measure(
        name="header_bytes",
        unit="B",
        statistic=statistics.MEAN,
        column=lambda arm: arm.header_bytes,
        help="The same without the application's bytes.",
    ),
    Measure(
        name="downlink_bytes",
        unit="B",
        statistic=statistics.MEAN,
        column=lambda arm: arm.downlink_bytes,
        help="Mean size of the outer IP packet of an answer.",
    ),
    Measure(
        name="energy",
        unit="J",
        statistic=statistics.MEAN,
        column=_energy,
        help="Mean energy of a message, answered or not: what the battery pays.",
    ),
    Measure(
        name="energy_median",
        unit="J",
        statistic=statistics.MEDIAN,
        column=_energy,
        help="Half of all messages cost no more.",
    ),
    Measure(
        name="saved_bytes",
        unit="B",
        statistic=statistics.MEAN,
        column=lambda arm: arm.header_bytes,
        better=Better.HIGHER,
        saving=True,
        help="Mean header bytes of an uplink message less than another configuration's.",
    ),
    Measure(
        name="saved_latency",
        unit="s",
        statistic=statistics.MEDIAN,
        column=_latency,
        censors=True,
        better=Better.HIGHER,
        saving=True,
        help="Median latency less than another configuration's.",
    ),
    Measure(
        name="saved_energy",
        unit="J",
        statistic=statistics.MEAN,
        column=_energy,
        better=Better.HIGHER,
        saving=True,
        help="Mean energy of a message less than another configuration's.",
    ),
)

MEASURES: Final = {measure.name: measure for measure in _TABLE}
"""All of them by name, in the order in which they are shown."""


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
        in_blocks: clusters are the arm's randomised blocks; else stretches of neighbours.

    Returns:
        Messages for which nothing was measured are not in it.
    """
    values = measure.column(arm)
    blocks = arm.block
    if measure.censors:
        censored = np.isnan(values)
        if timeout_s is None:
            timeout_s = float(values[~censored].max()) if not censored.all() else 0.0
        else:
            censored = censored | (values > timeout_s)
        values = np.where(censored, timeout_s, values)
    else:
        known = ~np.isnan(values)
        values, blocks = values[known], blocks[known]
        censored = np.zeros(len(values), np.bool_)
    if in_blocks or not len(values):
        clusters = blocks
    else:
        clusters = stretches(np.where(censored, np.inf, values))
    return Sample(values=values, censored=censored, clusters=clusters)
