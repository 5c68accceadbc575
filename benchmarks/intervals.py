"""Intervals of a median: ours over clusters, scipy's percentile and BCa, by processor time.

python benchmarks/intervals.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from testbed.analysis.measures import MEDIAN
from testbed.analysis.statistics import Sample, estimate

RESAMPLES = 2000


def seconds(do: Callable[[], object]) -> float:
    """Processor time of one call."""
    started = time.process_time()
    do()
    return time.process_time() - started


def main() -> None:
    """Measure, print; scipy's are left out where they take minutes."""
    sys.stdout.write(f"{'values':>8}{'ours':>10}{'percentile':>12}{'BCa':>10}\n")
    for n in (1_000, 5_000, 20_000, 100_000):
        values = np.random.default_rng(1).lognormal(0, 0.3, n)
        line = [seconds(lambda v=values: estimate(Sample.of(v), MEDIAN))]  # type: ignore[misc]
        for method in ("percentile", "BCa") if n <= 20_000 else ():
            line.append(
                seconds(
                    lambda v=values, m=method: stats.bootstrap(  # type: ignore[misc]
                        (v,), np.median, n_resamples=RESAMPLES, method=m, rng=1, batch=200
                    )
                )
            )
        shown = [f"{value:.2f} s" for value in line] + ["-"] * (3 - len(line))
        sys.stdout.write(f"{n:>8,}{shown[0]:>10}{shown[1]:>12}{shown[2]:>10}\n")


if __name__ == "__main__":
    main()
