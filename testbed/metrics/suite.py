"""A suite's latest run in a few gauges: what is pushed when a run has ended.

A run of a suite lasts seconds or hours, and then its process is gone: nobody scrapes it later. What
stays is pushed once: when it ended, its grade, and per arm the figures with their intervals. That
is the regression trend of a bench; the journal holds everything else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from prometheus_client.metrics_core import Metric as Family

from testbed.analysis import statistics
from testbed.analysis.contrast import mixed_sources
from testbed.analysis.limits import LimitKind
from testbed.analysis.measurements import Arm, Measurements
from testbed.analysis.measures import MEASURES
from testbed.analysis.samples import sample
from testbed.analysis.statistics import Estimate
from testbed.analysis.verdicts import Grade, Judgement
from testbed.metrics.catalogue import CATALOGUE
from testbed.metrics.collectors import run_labels
from testbed.metrics.series import Bounded, SeriesSet
from testbed.results.records import RunRecord

__all__ = ["SuiteMetrics"]

_PREFIX: Final = "testbed_suite_"
_SUCCESS: Final = (Grade.PASS, Grade.WARN, Grade.NOT_JUDGED)
MOST_ARMS: Final = 100
"""More arms than that are ``other``; a campaign may not have more cells."""


class SuiteMetrics:
    """A complete run as a collector.

    Args:
        run: the journal's first record.
        run_id: name of the run directory.
        measurements: what was measured.
        judgements: what became of the limits.
        grade: the worst of them.
        ended_at_s: when the run ended, in Unix time.
    """

    def __init__(
        self,
        run: RunRecord,
        run_id: str,
        measurements: Measurements,
        judgements: Sequence[Judgement],
        grade: Grade,
        *,
        ended_at_s: float,
    ) -> None:
        self._series = SeriesSet(
            entry.name for entry in CATALOGUE if entry.name.startswith(_PREFIX)
        )
        labels = run_labels(run)
        self.grouping_key = {name: labels[name] for name in ("bench", "module", "origin")}
        """What tells this suite from others at the Pushgateway."""
        self._arms = Bounded(MOST_ARMS)
        self._timeout_s = measurements.conditions.answer_timeout_s
        self._set(
            "run_info",
            {"run": run_id, "version": run.testbed_version, "seed": str(run.seed)},
            1.0,
        )
        self._set("last_run_timestamp_seconds", {}, ended_at_s)
        if grade in _SUCCESS:
            self._set("last_success_timestamp_seconds", {}, ended_at_s)
        for one in Grade:
            name = _grade_label(one)
            self._set("grade", {"grade": name}, float(one is grade))
            count = sum(judgement.grade is one for judgement in judgements)
            self._set("limits", {"grade": name}, count)
        arms = {arm.name: self._arm_labels(arm) for arm in measurements.arms}
        for arm in measurements.arms:
            self._arm(arm, arms[arm.name])
        for judgement in judgements:
            known = arms.get(judgement.configuration)
            if (
                known is not None
                and judgement.effect is not None
                and judgement.limit.kind is LimitKind.REGRESSION
                and judgement.limit.against is None
            ):
                measure = {"measure": judgement.limit.measure.name}
                self._estimate("regression_ratio", known | measure, judgement.effect)

    def describe(self) -> Iterable[Family]:
        """The families' names, for the registry."""
        return self._series.describe()

    def collect(self) -> Iterable[Family]:
        """Those families that have a value: a push leaves the others at the gateway as they are."""
        return [family for family in self._series.collect() if family.samples]

    def _arm_labels(self, arm: Arm) -> dict[str, str]:
        return {
            "security": arm.security,
            "compression": arm.compression,
            "arm": self._arms(arm.name),
        }

    def _arm(self, arm: Arm, labels: dict[str, str]) -> None:
        unanswered = int(np.count_nonzero(arm.unanswered))
        self._set("messages", labels | {"outcome": "answered"}, len(arm) - unanswered)
        self._set("messages", labels | {"outcome": "lost"}, unanswered)
        for statistic in ("median", "p95"):
            found = self._figure(arm, f"latency_{statistic}")
            self._estimate("latency_seconds", labels | {"statistic": statistic}, found)
        self._estimate("uplink_bytes", labels, self._figure(arm, "uplink_bytes"))
        if arm.sources and mixed_sources(arm) is None:
            kind = {"kind": arm.sources[0][0]}
            self._estimate("energy_joules", labels | kind, self._figure(arm, "energy"))

    def _figure(self, arm: Arm, name: str) -> Estimate | None:
        measure = MEASURES[name]
        values = sample(arm, measure, timeout_s=self._timeout_s)
        return statistics.estimate(values, measure.statistic) if len(values) else None

    def _estimate(self, name: str, labels: dict[str, str], found: Estimate | None) -> None:
        """Set a figure and the ends of its interval, as far as there are any."""
        if found is None:
            return
        for end in ("value", "low", "high"):
            number = getattr(found, end)
            if math.isfinite(number):
                self._set(name, labels | {"estimate": end}, number)

    def _set(self, name: str, labels: dict[str, str], value: float) -> None:
        self._series.set(f"{_PREFIX}{name}", self.grouping_key | labels, value)


def _grade_label(grade: Grade) -> str:
    return grade.value.replace(" ", "-")
