"""Quantiles of latency in which a message without an answer counts.

A message that was lost, or that failed, has no latency; leaving it out would make a bad
configuration look fast. It is *censored* at its time-out: all that is known is that its answer
did not come within that time. A quantile is the smallest time within which at least that share of
all messages was answered (the inverse of the empirical distribution, no interpolation), so that
"p95 = 4.2 s" reads: 95 of 100 messages were answered within 4.2 s. Where the share is never
reached the quantile is censored: "> 60 s".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["LatencySummary", "Quantile", "computing_time", "quantile_rank", "summarise_latency"]

_COMPUTING: Final = (
    ("compressed", ("protected",)),
    ("hse_received", ("hse_answered", "hse_decompressed", "hse_verified")),
    ("received", ("delivered", "unprotected")),
)
"""Stretches of a message's way in which nothing but UE stack and HSE work: begin, ends to look for.

What lies between submission and the stack's first stage is not among them: the module's socket may
have to be opened again there, after a deep sleep.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """One quantile of latency."""

    share: float
    """The share of messages, between 0 and 1."""
    value_s: float | None
    """The latency in seconds; a lower bound when censored; None when no bound is known."""
    censored: bool
    """The share was not answered: the true quantile is beyond `value_s`."""

    def to_json(self) -> dict[str, object]:
        """Value in seconds and whether it is censored."""
        value = None if self.value_s is None else round(self.value_s, 6)
        return {"value_s": value, "censored": self.censored}


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """Latency over all messages of one configuration, answered or not."""

    answered: int
    """Messages with a latency."""
    censored: int
    """Messages without an answer, counted at their time-out."""
    median: Quantile | None
    """Half of the messages were answered within it; None when there was no message."""
    p95: Quantile | None
    """95 of 100 messages were answered within it; None when there was no message."""
    fastest_s: float | None
    """The shortest latency observed."""
    slowest_s: float | None
    """The longest latency observed; an unanswered message took longer than any bound."""

    def to_json(self) -> dict[str, object]:
        """Quantiles, extremes and counts by name."""
        return {
            "answered": self.answered,
            "censored": self.censored,
            "median": None if self.median is None else self.median.to_json(),
            "p95": None if self.p95 is None else self.p95.to_json(),
            "fastest_s": None if self.fastest_s is None else round(self.fastest_s, 6),
            "slowest_s": None if self.slowest_s is None else round(self.slowest_s, 6),
        }


def quantile_rank(share: float, n: int) -> int:
    """Rank, from 1, of the smallest value that at least this share of n values does not exceed.

    The inverse of the empirical distribution, without interpolation: "p95 = 4.2 s" reads that 95
    of 100 messages were answered within 4.2 s.

    Args:
        share: between 0 and 1.
        n: how many values, 1 or more.
    """
    # A grain of tolerance: 0.95 * 20 is 19.000000000000004 or so, not rank 20.
    return min(max(math.ceil(share * n - 1e-9), 1), n)


def _quantile(share: float, ordered: Sequence[tuple[float, bool]]) -> Quantile:
    """The smallest time by which ``share`` of all messages was answered."""
    value, censored = ordered[quantile_rank(share, len(ordered)) - 1]
    return Quantile(share=share, value_s=value if math.isfinite(value) else None, censored=censored)


def summarise_latency(
    answered_s: Sequence[float], censored_at_s: Sequence[float | None]
) -> LatencySummary:
    """Summarise the latencies of one configuration.

    Args:
        answered_s: latencies of the answered messages in seconds.
        censored_at_s: one entry per message without an answer: how long it was waited for in
            seconds, or None where that is not known (then it counts as longer than anything).

    Returns:
        Median and p95 over answered and unanswered messages together.
    """
    ordered = sorted(
        [(latency, False) for latency in answered_s]
        + [(math.inf if bound is None else bound, True) for bound in censored_at_s]
    )
    return LatencySummary(
        answered=len(answered_s),
        censored=len(censored_at_s),
        median=_quantile(0.5, ordered) if ordered else None,
        p95=_quantile(0.95, ordered) if ordered else None,
        fastest_s=min(answered_s, default=None),
        slowest_s=max(answered_s, default=None),
    )


def computing_time(stages_s: Mapping[str, float]) -> float | None:
    """The part of one message's way in which UE stack and HSE computed.

    Args:
        stages_s: seconds after submission by stage.

    Returns:
        Seconds of the run's clock, or None when no such stretch was observed. They belong to the
        computer that ran it, whatever the module was.
    """
    found = [
        stages_s[end] - stages_s[begin]
        for begin, ends in _COMPUTING
        if begin in stages_s
        for end in [next((name for name in ends if name in stages_s), None)]
        if end is not None
    ]
    return sum(found) if found else None
