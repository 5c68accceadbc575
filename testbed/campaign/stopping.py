"""When a campaign knows enough: on precision only, never on what the figures say.

A campaign that stops when a difference shows finds differences that are none. So all that is looked
at here is how wide each cell's interval is, whatever lies in it, and the most blocks that there may
be are fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence

from testbed.bench import UntilDescription
from testbed.results import MessageRecord

__all__ = ["precise"]


def precise(
    until: UntilDescription, cells: Sequence[Sequence[MessageRecord]], *, timeout_s: float
) -> bool:
    """Whether each cell's metric is known as well as wanted.

    Args:
        until: which metric, and how well.
        cells: the measured messages of each cell, without warm-up.
        timeout_s: when a message without an answer is censored, in seconds.

    Returns:
        False while there are fewer than ten blocks: too few to know how wide an interval is.
    """
    # Here, not above: numpy takes its time, and most runs don't ask.
    from testbed.analysis.measures import MEASURES
    from testbed.analysis.statistics import Sample
    from testbed.analysis.verdicts import precise_enough

    def sample(records: Sequence[MessageRecord]) -> Sample:
        if until.metric == "energy_median":
            known = [(one.energy.total_j, False, one.block) for one in records if one.energy]
        else:
            known = [
                (
                    timeout_s if one.latency_s is None else one.latency_s,
                    one.latency_s is None,
                    one.block,
                )
                for one in records
            ]
        return Sample.of(
            [value for value, _, _ in known],
            [censored for _, censored, _ in known],
            [block or 0 for _, _, block in known],
        )

    statistic = MEASURES[until.metric].statistic
    return precise_enough(map(sample, cells), statistic, until.interval)
