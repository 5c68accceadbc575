"""Series by label values: what the collectors count into, and what a scrape reads out.

prometheus_client's own metric objects live in a registry and count for themselves; here the
journal counts, and a scrape turns one consistent snapshot into metric families (its Collector
protocol). A lock makes the snapshot consistent: records are observed in the event loop's thread,
scrapes are answered in another.
"""

from __future__ import annotations

import bisect
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Exemplar

from testbed.metrics.catalogue import Metric, MetricType, metric
from testbed.metrics.exposition import Encoder, encoded

__all__ = ["OTHER", "Bounded", "SeriesSet"]

OTHER: Final = "other"
"""The label value of what came after the bound."""


class Bounded:
    """Keeps a label's values bounded: what comes after the first ``limit`` is ``other``.

    Args:
        limit: how many different values are let through.
    """

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        """The value, or `OTHER` when there were too many different ones before it."""
        if value not in self._seen:
            if len(self._seen) >= self._limit:
                return OTHER
            self._seen.add(value)
        return value


@dataclass(slots=True)
class _Histogram:
    """One series of a histogram: counts per bucket (not cumulative), sum, latest exemplars."""

    counts: list[int]
    total: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict)


class SeriesSet:
    """The series of several metrics of the catalogue.

    Args:
        names: the metrics it holds; counting into another one is an error.

    Raises:
        KeyError: the catalogue has no such metric.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._metrics: dict[str, Metric] = {name: metric(name) for name in names}
        self._values: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in self._metrics}
        self._histograms: dict[str, dict[tuple[str, ...], _Histogram]] = {
            name: {} for name in self._metrics
        }
        self._texts: defaultdict[str, dict[tuple[str, tuple[str, ...] | None], bytes]]
        self._texts = defaultdict(dict)
        self.lock = threading.RLock()
        """Held by whoever changes or reads several series that belong together."""

    def add(self, name: str, labels: Mapping[str, str], amount: float = 1.0) -> None:
        """Count something.

        Args:
            name: a counter.
            labels: values for exactly the counter's labels; more are ignored.
            amount: how much, not negative.
        """
        entry = self._of_type(name, MetricType.COUNTER)
        if amount < 0:
            raise ValueError(f"{name} cannot count down by {-amount}")
        key = _key(entry, labels)
        with self.lock:
            values = self._values[name]
            values[key] = values.get(key, 0.0) + amount
            self._changed(name, key)

    def set(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge, or an info to 1.

        Args:
            name: a gauge or info.
            labels: values for exactly its labels; more are ignored.
            value: the value in the metric's unit.
        """
        entry = self._of_type(name, MetricType.GAUGE, MetricType.INFO)
        key = _key(entry, labels)
        with self.lock:
            self._values[name][key] = value
            self._changed(name, key)

    def observe(
        self,
        name: str,
        labels: Mapping[str, str],
        value: float,
        *,
        beyond: bool = False,
        exemplar: Mapping[str, str] | None = None,
    ) -> None:
        """Observe a value.

        Args:
            name: a histogram.
            labels: values for exactly the histogram's labels; more are ignored.
            value: the value in the metric's unit; it is added to the sum.
            beyond: count it in the infinite bucket, whatever the value: it is only known that
                the true value is larger.
            exemplar: labels that name the observation, such as the run and the message.
        """
        entry = self._of_type(name, MetricType.HISTOGRAM)
        key = _key(entry, labels)
        position = len(entry.buckets) if beyond else bisect.bisect_left(entry.buckets, value)
        with self.lock:
            series = self._histograms[name].get(key)
            if series is None:
                series = _Histogram([0] * (len(entry.buckets) + 1))
                self._histograms[name][key] = series
            series.counts[position] += 1
            series.total += value
            if exemplar is not None:
                series.exemplars[position] = Exemplar(dict(exemplar), value)
            self._changed(name, key)

    def value(self, name: str, labels: Mapping[str, str]) -> float:
        """The value of a counter's or gauge's series, 0 where there is none."""
        return self._values[name].get(_key(self._metrics[name], labels), 0.0)

    def describe(self) -> Iterator[Family]:
        """The families without samples: what the registry checks names with."""
        for entry in self._metrics.values():
            yield _family(entry)

    def collect(self) -> list[Family]:
        """One consistent snapshot of all series."""
        with self.lock:
            return [self._collected(entry) for entry in self._metrics.values()]

    def expose(self, encode: Encoder, format_name: str) -> bytes:
        """One consistent snapshot as text, from the texts of series that have not changed since.

        Args:
            encode: the library's encoder of a format.
            format_name: tells formats apart.
        """
        parts = []
        with self.lock:
            texts = self._texts[format_name]
            for entry in self._metrics.values():
                head = texts.get((entry.name, None))
                if head is None:
                    head = texts[entry.name, None] = encoded(encode, _family(entry))
                parts.append(head)
                for key in self._keys(entry):
                    text = texts.get((entry.name, key))
                    if text is None:
                        family = self._collected(entry, (key,))
                        text = encoded(encode, family).removeprefix(head)
                        texts[entry.name, key] = text
                    parts.append(text)
        return b"".join(parts)

    def _changed(self, name: str, key: tuple[str, ...]) -> None:
        """Forget how a series was written."""
        for texts in self._texts.values():
            texts.pop((name, key), None)

    def _keys(self, entry: Metric) -> Iterable[tuple[str, ...]]:
        """The series that a metric has."""
        if entry.type is MetricType.HISTOGRAM:
            return self._histograms[entry.name]
        return self._values[entry.name]

    def _of_type(self, name: str, *types: MetricType) -> Metric:
        entry = self._metrics[name]
        if entry.type not in types:
            raise TypeError(f"{name} is a {entry.type}")
        return entry

    def _collected(self, entry: Metric, keys: Iterable[tuple[str, ...]] | None = None) -> Family:
        """A metric's family, with all of its series or those that are named."""
        family = _family(entry)
        for key in self._keys(entry) if keys is None else keys:
            if isinstance(family, HistogramMetricFamily):
                series = self._histograms[entry.name][key]
                family.add_metric(key, _buckets(entry.buckets, series), series.total)
            elif isinstance(family, InfoMetricFamily):
                family.add_metric(key, {})
            elif isinstance(family, CounterMetricFamily | GaugeMetricFamily):
                family.add_metric(key, self._values[entry.name][key])
        return family


def _key(entry: Metric, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The label values in the catalogue's order."""
    return tuple(labels[label] for label in entry.labels)


def _family(entry: Metric) -> Family:
    match entry.type:
        case MetricType.COUNTER:
            return CounterMetricFamily(entry.name, entry.help, labels=entry.labels)
        case MetricType.GAUGE:
            return GaugeMetricFamily(entry.name, entry.help, labels=entry.labels)
        case MetricType.HISTOGRAM:
            return HistogramMetricFamily(entry.name, entry.help, labels=entry.labels)
        case MetricType.INFO:
            return InfoMetricFamily(
                entry.name.removesuffix("_info"), entry.help, labels=entry.labels
            )


def _buckets(
    bounds: Sequence[float], series: _Histogram
) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    """Cumulative counts by upper bound, as the exposition format wants them."""
    found: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    running = 0
    for position, count in enumerate(series.counts):
        running += count
        bound = repr(float(bounds[position])) if position < len(bounds) else "+Inf"
        exemplar = series.exemplars.get(position)
        found.append((bound, running) if exemplar is None else (bound, running, exemplar))
    return found
