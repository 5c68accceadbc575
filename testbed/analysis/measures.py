"""Every figure that a limit or a comparison can be about: one table.

Its names stand in campaign files, on command lines, in baselines and in JUnit reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "MEAN",
    "MEASURES",
    "MEDIAN",
    "P95",
    "P99",
    "SHARE",
    "Better",
    "Measure",
    "Statistic",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """What is estimated: a quantile, a mean, or a share."""

    name: str
    """``median``, ``p95``, ``p99``, ``mean`` or ``share``."""
    share: float | None = None
    """Of a quantile, between 0 and 1; None for a mean."""
    is_share: bool = False
    """The mean of values that are 0 or 1: a share of all messages, with limits of its own."""


MEDIAN: Final = Statistic(name="median", share=0.5)
P95: Final = Statistic(name="p95", share=0.95)
P99: Final = Statistic(name="p99", share=0.99)
MEAN: Final = Statistic(name="mean")
SHARE: Final = Statistic(name="share", is_share=True)


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
    column: str
    """Which column of an arm holds the value of each message."""
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


_TABLE: Final = (
    Measure(
        name="latency_median",
        unit="s",
        statistic=MEDIAN,
        column="latency_s",
        censors=True,
        help="Half of all messages were answered within it.",
    ),
    Measure(
        name="latency_p95",
        unit="s",
        statistic=P95,
        column="latency_s",
        censors=True,
        help="95 of 100 messages were answered within it.",
    ),
    Measure(
        name="latency_p99",
        unit="s",
        statistic=P99,
        column="latency_s",
        censors=True,
        help="99 of 100 messages were answered within it.",
    ),
    Measure(
        name="delivery",
        unit="1",
        statistic=SHARE,
        column="answered",
        better=Better.HIGHER,
        help="The share of messages that were answered before the time-out.",
    ),
    Measure(
        name="uplink_bytes",
        unit="B",
        statistic=MEAN,
        column="uplink_bytes",
        help="Mean size of the outer IP packet of an uplink message.",
    ),
    Measure(
        name="header_bytes",
        unit="B",
        statistic=MEAN,
        column="header_bytes",
        help="The same without the application's bytes.",
    ),
    Measure(
        name="downlink_bytes",
        unit="B",
        statistic=MEAN,
        column="downlink_bytes",
        help="Mean size of the outer IP packet of an answer.",
    ),
    Measure(
        name="energy",
        unit="J",
        statistic=MEAN,
        column="energy_j",
        help="Mean energy of a message, answered or not: what the battery pays.",
    ),
    Measure(
        name="energy_median",
        unit="J",
        statistic=MEDIAN,
        column="energy_j",
        help="Half of all messages cost no more.",
    ),
    Measure(
        name="saved_bytes",
        unit="B",
        statistic=MEAN,
        column="header_bytes",
        better=Better.HIGHER,
        saving=True,
        help="Mean header bytes of an uplink message less than another configuration's.",
    ),
    Measure(
        name="saved_latency",
        unit="s",
        statistic=MEDIAN,
        column="latency_s",
        censors=True,
        better=Better.HIGHER,
        saving=True,
        help="Median latency less than another configuration's.",
    ),
    Measure(
        name="saved_energy",
        unit="J",
        statistic=MEAN,
        column="energy_j",
        better=Better.HIGHER,
        saving=True,
        help="Mean energy of a message less than another configuration's.",
    ),
)

MEASURES: Final = {measure.name: measure for measure in _TABLE}
"""All of them by name, in the order in which they are shown."""
