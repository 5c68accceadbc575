"""When a campaign knows enough: on precision only, never on what the figures say.

A campaign that stops when a difference shows finds differences that are none. So all that is looked
at here is how wide each cell's interval is, whatever lies in it, and the most blocks that there may
be are fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence

from testbed.bench import UntilDescription
from testbed.results import MessageRecord, Outcome

__all__ = ["precise"]


def precise(
    until: UntilDescription, cells: Sequence[Sequence[MessageRecord]], *, timeout_s: float
) -> bool:
    """Whether each cell's metric is known as well as wanted.

    Args:
        until: which metric, and how well.
        cells: the measured messages of each cell, without warm-up.
        timeout_s: what a message without an answer counts as, in seconds.
    """
    return all(
        precise_enough(values, relative_half_width=until.interval)
        for values in ([_value(one, until.metric, timeout_s) for one in cell] for cell in cells)
    )


def _value(record: MessageRecord, metric: str, timeout_s: float) -> float:
    if metric == "energy_median":
        return 0.0 if record.energy is None else record.energy.total_j
    answered = record.outcome is Outcome.ANSWERED and record.latency_s is not None
    return record.latency_s if answered and record.latency_s is not None else timeout_s


def precise_enough(values: Sequence[float], *, relative_half_width: float) -> bool:
    """Whether the 95 % interval of the median is as narrow as wanted (order statistics)."""
    ordered = sorted(values)
    half = 0.98 * len(ordered) ** 0.5
    low, high = int(len(ordered) / 2 - half), int(len(ordered) / 2 + half)
    if low < 0 or high >= len(ordered):
        return False
    median = ordered[len(ordered) // 2]
    return (ordered[high] - ordered[low]) / 2 <= relative_half_width * median
