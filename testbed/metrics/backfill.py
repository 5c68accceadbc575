"""A run's metrics over its time, for Prometheus to take in afterwards (OpenMetrics, time stamped).

The journal is played through `RunMetrics` once more, and a sample is taken every so many seconds:
what a scraper would have got. ``promtool tsdb create-blocks-from openmetrics`` makes blocks of it.

In real time the samples lie where they were: each part of a run from its own beginning on. Where a
second of the run was none of the wall's, its clock is laid so that it ended when the run did: a
day in virtual time becomes the day before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TextIO

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.samples import Sample

from testbed.clock import TimeKind
from testbed.metrics.collectors import RunMetrics
from testbed.results.directory import RunDirectory
from testbed.results.records import (
    FaultRecord,
    KeepaliveRecord,
    MessageRecord,
    Record,
    ResumedRecord,
    RunRecord,
    SetupRecord,
)

__all__ = ["SHORTEST_STEP_S", "write_openmetrics"]

SHORTEST_STEP_S: Final = 15.0
"""Samples are as far apart unless told otherwise, in seconds of the run: as if it was scraped."""

_MOST_SAMPLES: Final = 1000
"""With the default step, a longer run has samples further apart."""

_Labels = tuple[tuple[str, str], ...]


def write_openmetrics(directory: RunDirectory, file: TextIO, *, step_s: float | None = None) -> int:
    """Write a run's metrics with their times.

    Args:
        directory: the run; it may have been interrupted, or go on.
        file: where to.
        step_s: seconds of the run between two samples; by default `SHORTEST_STEP_S`, or more in a
            run of more than some hours.

    Returns:
        How many samples each series has at most.

    Raises:
        UsageError: journal or manifest cannot be read.
    """
    times = _Times(directory)
    step = step_s or max(SHORTEST_STEP_S, times.last_s / _MOST_SAMPLES)
    moments: list[float] = []
    families: dict[str, _Family] = {}

    def take(at_s: float, found: list[Family]) -> None:
        for family in found:
            if family.samples:
                kept = families.setdefault(family.name, _Family(family))
                kept.add(len(moments), family.samples)
        moments.append(round(times.wall(at_s), 3))

    now_s = 0.0
    metrics = RunMetrics(directory.name, wall_clock=lambda: times.wall(now_s))
    found: list[Family] | None = None
    next_s = step
    for record in directory.journal().typed():
        now_s = max(now_s, moment(record))
        while now_s > next_s:
            found = found or list(metrics.collect())
            take(next_s, found)
            next_s += step
        metrics.observe(record)
        found = None
    take(now_s, list(metrics.collect()))
    for kept in families.values():
        file.write(kept.text(moments))
    file.write("# EOF\n")
    return len(moments)


def moment(record: Record) -> float:
    """The run's clock when a record was over, in seconds; 0 where it does not say."""
    match record:
        case MessageRecord() | KeepaliveRecord():
            return record.submitted_at_s + max(record.stages_s.values(), default=0.0)
        case FaultRecord():
            return record.noticed_at_s + (record.recovered_s or 0.0)
        case SetupRecord():
            return record.at_s + record.duration_s
        case ResumedRecord():
            return record.at_s
        case _:
            return 0.0


class _Times:
    """The wall's time of a run's seconds."""

    def __init__(self, directory: RunDirectory) -> None:
        manifest = directory.read_manifest()
        begins = [0.0]
        self.last_s = 0.0
        kind = ""
        for record in directory.journal().typed():
            self.last_s = max(self.last_s, moment(record))
            if isinstance(record, ResumedRecord):
                begins.append(record.at_s)
            elif isinstance(record, RunRecord):
                kind = record.time
        starts = [one.get("started_at") for one in manifest.earlier]
        parts = [_unix(str(start)) for start in (*starts, manifest.started_at)]
        if kind == TimeKind.REAL and len(parts) == len(begins):
            self._parts = list(zip(begins, parts, strict=True))
            return
        end = (
            directory.journal_path.stat().st_mtime
            if manifest.ended_at is None
            else _unix(manifest.ended_at)
        )
        self._parts = [(0.0, end - self.last_s)]

    def wall(self, at_s: float) -> float:
        """The Unix time of a second of the run."""
        begin, start = next(
            part for part in reversed(self._parts) if part[0] <= at_s or part is self._parts[0]
        )
        return start + at_s - begin


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass(slots=True)
class _Series:
    """One series: from which sample on it is there, and its values; none is missing since."""

    first: int
    values: list[float] = field(default_factory=list)


class _Family:
    """One metric with its series over time; those of one label set stay together."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._groups: dict[_Labels, dict[tuple[str, _Labels], _Series]] = {}

    def add(self, position: int, samples: list[Sample]) -> None:
        for sample in samples:
            labels = tuple(sample.labels.items())
            group = self._groups.setdefault(tuple(pair for pair in labels if pair[0] != "le"), {})
            series = group.setdefault((sample.name, labels), _Series(position))
            series.values.append(sample.value)

    def text(self, moments: list[float]) -> str:
        """The family in OpenMetrics, without the end mark."""
        given = self._family
        family = Family(given.name, given.documentation, given.type, given.unit)
        for group in self._groups.values():
            for position, at in enumerate(moments):
                for (name, labels), series in group.items():
                    if series.first <= position < series.first + len(series.values):
                        value = series.values[position - series.first]
                        family.samples.append(Sample(name, dict(labels), value, at))
        registry = CollectorRegistry()
        registry.register(_Ready(family))
        text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
        return text.decode().removesuffix("# EOF\n")


class _Ready:
    """One family as a collector."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def describe(self) -> Iterator[Family]:
        return iter(())

    def collect(self) -> Iterator[Family]:
        yield self._family
