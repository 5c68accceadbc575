"""PromQL over the metric catalogue: no name and no label that the exporter does not have.

Every selector goes through `select`, which looks metric and labels up in the catalogue. What a
panel shows is narrowed by the dashboard's variables: `shown` adds them for the labels of a metric.
``origin`` and ``kind`` are variables of one value each, so that no panel mixes real modules with
virtual ones, or measured energy with estimated.
"""

from __future__ import annotations

from typing import Final

from testbed.metrics.catalogue import MetricType, metric

__all__ = [
    "ARM",
    "RUN",
    "increase",
    "mean",
    "quantile",
    "rate",
    "select",
    "share",
    "shown",
    "total",
]

RUN: Final = ("bench", "module", "origin")
"""What tells one bench's module from another's."""

ARM: Final = ("security", "compression")
"""What is compared: the protection, and whether headers are compressed."""

_PARTS: Final = ("bucket", "count", "sum")
_VARIABLES: Final = {
    "bench": ("=~", "$bench"),
    "module": ("=~", "$module"),
    "origin": ("=", "$origin"),
    "payload": ("=~", "$payload"),
    "kind": ("=", "$kind"),
}
"""Labels that dashboards narrow by a variable of that name."""
_OPERATORS: Final = ("!~", "=~", "!=")


def select(name: str, part: str = "", **matchers: str) -> str:
    """A selector of one metric's series.

    Args:
        name: the catalogue's name without ``testbed_``.
        part: of a histogram: ``bucket``, ``count`` or ``sum``.
        matchers: value by label; ``!~``, ``=~`` or ``!=`` in front of it for something else than
            equality.

    Raises:
        KeyError: there is no such metric.
        ValueError: the metric has no such label or part.
    """
    entry = metric(f"testbed_{name}")
    histogram = entry.type is MetricType.HISTOGRAM
    if (part in _PARTS) is not histogram or (part and not histogram):
        raise ValueError(f"{entry.name} is a {entry.type}: no part {part!r} of it")
    unknown = matchers.keys() - set(entry.labels) - {"instance", "job"}
    if unknown:
        raise ValueError(f"{entry.name} has no label {', '.join(sorted(unknown))}")
    found = []
    for label, value in matchers.items():
        operator = next((one for one in _OPERATORS if value.startswith(one)), "=")
        found.append(f'{label}{operator}"{value.removeprefix(operator)}"')
    text = f"{entry.name}_{part}" if part else entry.name
    return f"{text}{{{','.join(found)}}}" if found else text


def shown(name: str, part: str = "", **matchers: str) -> str:
    """A selector narrowed by the dashboard's variables."""
    labels = metric(f"testbed_{name}").labels
    narrowed = {
        label: value if operator == "=" else f"{operator}{value}"
        for label, (operator, value) in _VARIABLES.items()
        if label in labels and label not in matchers
    }
    if name.startswith("hse_"):
        narrowed["instance"] = "=~$hse"
    return select(name, part, **narrowed, **matchers)


def rate(selector: str, window: str = "$window") -> str:
    """Per second, over a window of time."""
    return f"rate({selector}[{window}])"


def increase(selector: str, window: str = "$__range") -> str:
    """By how much a counter rose, over the time shown unless told otherwise."""
    return f"increase({selector}[{window}])"


def total(expression: str, *by: str) -> str:
    """The sum over all other labels."""
    return f"sum by ({', '.join(by)}) ({expression})"


def mean(whole: str, count: str, *by: str) -> str:
    """One sum over another, by the same labels."""
    return f"{total(whole, *by)} / {total(count, *by)}"


def share(part: str, whole: str, *by: str) -> str:
    """The share that a part has in the whole; 0 where the part has no series."""
    return f"({total(part, *by)} or 0 * {total(whole, *by)}) / {total(whole, *by)}"


def quantile(value: float, buckets: str, *by: str) -> str:
    """A quantile of a histogram.

    Args:
        value: 0 to 1.
        buckets: rates of its buckets.
        by: labels to keep, beside ``le``.
    """
    return f"histogram_quantile({value:g}, {total(buckets, 'le', *by)})"
