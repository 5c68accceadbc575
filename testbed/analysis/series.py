"""What the order of messages tells: how long they depend on each other, drift, outliers.

Nothing here leaves a message out. It says what a reader must know, and how messages are to be
gathered so that intervals and tests hold (`testbed.analysis.statistics`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from testbed.analysis.distributions import normal_two_sided, ranks

__all__ = ["MIN_CLUSTERS", "Dependence", "dependence", "notes", "stretches", "visits_or_stretches"]

MIN_CLUSTERS: Final = 10
"""Fewer clusters than this never stop a campaign, tell of no drift, and are no pairs."""

_TIMES: Final = 4
"""Stretches are this many correlation times long."""

_CHANCE: Final = 1.645  # one-sided, 5 %

_DRIFT_P: Final = 0.001
_FENCE: Final = 3.0  # Tukey's outer fence, in interquartile ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """How much the messages of an arm depend on their predecessors."""

    first: float
    """Autocorrelation of neighbours, of ranks."""
    time: float
    """Messages that tell as much as one: 1 plus twice the sum of autocorrelations; exactly 1 where
    these are no larger than chance makes them."""
    n: int
    """Messages."""

    @property
    def effective(self) -> float:
        """How many independent messages they are worth."""
        return self.n / self.time

    @property
    def stretch(self) -> int:
        """How many neighbours make a stretch that depends on the next one by next to nothing."""
        return math.ceil(_TIMES * self.time) if self.time > 1 else 1


def dependence(ordered: NDArray[np.float64]) -> Dependence:
    """Autocorrelation of an arm's values, by ranks: a lost message and a slow one count alike.

    Autocorrelations are summed as long as the sums of two neighbours stay positive (C. J. Geyer,
    "Practical Markov chain Monte Carlo", Stat. Sci. 7 (1992), section 3.3). Of independent values
    each has a standard deviation of 1 over the root of their number: if neither the first nor the
    sum of the first five lies beyond 1.645 times its own, the values pass for independent.

    Args:
        ordered: in the order of time, infinite where no answer came.
    """
    n = len(ordered)
    centred = ranks(ordered)
    centred -= centred.mean()
    power = float(centred @ centred)
    if n < 4 or power == 0:
        return Dependence(first=0.0, time=1.0, n=n)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    correlations = np.fft.irfft(spectrum, size)[: n // 2] / power
    first, five = float(correlations[1]), float(correlations[1:6].sum())
    if first <= _CHANCE / math.sqrt(n) and five <= _CHANCE * math.sqrt(5 / n):
        return Dependence(first=first, time=1.0, n=n)
    total = 0.0
    for lag in range(0, len(correlations) - 1, 2):
        pair = float(correlations[lag] + correlations[lag + 1])
        if pair <= 0:
            break
        total += pair
    return Dependence(first=first, time=max(2 * total - 1, 1.0), n=n)


def stretches(ordered: NDArray[np.float64]) -> NDArray[np.int64]:
    """A cluster number per message: neighbours that may depend on each other share one.

    Args:
        ordered: in the order of time, infinite where no answer came.
    """
    return np.arange(len(ordered)) // dependence(ordered).stretch


def visits_or_stretches(
    ordered: NDArray[np.float64], blocks: NDArray[np.int64], submitted_at_s: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The same for an arm that was sent in randomised blocks, whose visits are apart in time.

    Neighbours in an arm's list are neighbours in time within a visit only: between two visits other
    cells had theirs. Where three of four pauses last longer than a stretch does, each visit is a
    cluster. The few values of a short campaign look dependent by chance now and then (a few in 100
    arms of 36 independent values); their messages would else be thrown together by sixes.

    Args:
        ordered: in the order of time, infinite where no answer came.
        blocks: the number of each message's block.
        submitted_at_s: when each was submitted.
    """
    stretch = dependence(ordered).stretch
    begins = np.flatnonzero(np.diff(blocks))
    apart = np.diff(submitted_at_s)
    within = np.delete(apart, begins)
    if (
        len(begins)
        and len(within)
        and len(blocks) / (len(begins) + 1) < stretch
        and float(np.quantile(apart[begins], 0.25)) >= stretch * float(np.median(within))
    ):
        return blocks
    return np.arange(len(ordered)) // stretch


def notes(ordered: NDArray[np.float64], what: str) -> Iterator[str]:
    """What a reader must know about an arm's values: dependence, drift, outliers.

    Args:
        ordered: in the order of time, infinite where no answer came.
        what: the name to begin with, such as ``esp-tunnel, latency``.
    """
    found = dependence(ordered)
    if found.time >= 2:
        yield (
            f"{what}: neighbours are alike (autocorrelation {found.first:.2f}): "
            f"{found.n} messages are worth about {found.effective:.0f} independent ones."
        )
    yield from _drift(ordered, what, found)
    finite = ordered[np.isfinite(ordered)]
    if len(finite) >= 20 and finite.min() > 0:
        logarithms = np.log(finite)
        low, high = np.percentile(logarithms, (25, 75))
        reach = _FENCE * (high - low)
        outside = int(((logarithms > high + reach) | (logarithms < low - reach)).sum())
        if outside and high > low:
            yield (
                f"{what}: {outside} of {len(finite)} values lie far from the others (outside "
                f"{math.exp(low - reach):.3g} to {math.exp(high + reach):.3g}); they count."
            )


def _drift(ordered: NDArray[np.float64], what: str, found: Dependence) -> Iterator[str]:
    """Whether values rise or fall over the run, more than their dependence explains."""
    ranked = ranks(ordered)
    if found.n < 20 or ranked.min() == ranked.max():
        return
    place = np.arange(found.n) - (found.n - 1) / 2
    slope = float(np.corrcoef(ranked, place)[0, 1])
    # The trend itself makes neighbours alike: what is left without it counts.
    rest = dependence(ranked - place * float(ranked @ place) / float(place @ place))
    if rest.effective < MIN_CLUSTERS:
        return
    z = math.atanh(min(max(slope, -0.999999), 0.999999)) * math.sqrt(rest.effective - 3)
    if normal_two_sided(z) < _DRIFT_P:
        half = found.n // 2
        first, second = (
            "not answered" if math.isinf(middle) else f"{middle:.3g}"
            for middle in (float(np.median(part)) for part in (ordered[:half], ordered[half:]))
        )
        yield (
            f"{what}: drifts (rank correlation with time {slope:+.2f}); median of the first half "
            f"{first}, of the second {second}."
        )
