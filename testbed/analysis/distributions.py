"""The few distributions that intervals and tests need.

scipy is imported where it is first called: it takes a good part of a second, which nobody who asks
the command line for its help should wait.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "binomial_tails",
    "normal_cdf",
    "normal_isf",
    "normal_two_sided",
    "ranks",
    "student_ppf",
    "student_two_sided",
]


def normal_two_sided(z: float) -> float:
    """The chance of a standard normal value at least as far from 0 as z."""
    return math.erfc(abs(z) / math.sqrt(2))


def normal_isf(p: float) -> float:
    """The standard normal value that is exceeded with chance p, between 0 and 1."""
    from scipy import special

    return float(-special.ndtri(p))


def normal_cdf(z: float) -> float:
    """The chance of a standard normal value below z."""
    return math.erfc(-z / math.sqrt(2)) / 2


def student_two_sided(t: float, degrees: float) -> float:
    """The chance of a value of Student's distribution at least as far from 0 as t."""
    from scipy import special

    return float(2 * special.stdtr(degrees, -abs(t)))


def student_ppf(share: float, degrees: float) -> float:
    """The quantile of Student's distribution."""
    from scipy import special

    return float(special.stdtrit(degrees, share))


def binomial_tails(k: float, n: float, share: float) -> tuple[float, float]:
    """The chances of at least, and of at most, k of n successes; k and n need not be whole.

    Args:
        k: successes, 0 to n.
        n: trials.
        share: chance of each, between 0 and 1.
    """
    from scipy import special

    at_least = float(special.betainc(k, n - k + 1, share)) if k > 0 else 1.0
    at_most = float(special.betaincc(k + 1, n - k, share)) if k < n else 1.0
    return at_least, at_most


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
