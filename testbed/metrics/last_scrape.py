"""Whoever scrapes a run is given the chance to see its end.

Prometheus comes every few seconds, and a run's process is gone the moment the run has ended: its
last messages, and that it is complete, would never be seen. So a run that is scraped regularly
stays until it was scraped once more, and no longer than a scraper's interval and a half.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client.metrics_core import Metric as Family

__all__ = ["LastScrape"]

MOST_S: Final = 60.0
"""Nobody is waited for longer, in seconds."""


class LastScrape:
    """A collector without metrics that knows when it was asked. Register it after the others.

    Args:
        clock: seconds, rising.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._scraped = threading.Event()
        self._lock = threading.Lock()
        self._before: float | None = None
        self._last: float | None = None

    def describe(self) -> Iterable[Family]:
        """No family."""
        return ()

    def collect(self) -> Iterable[Family]:
        """No family; somebody scrapes."""
        with self._lock:
            self._before, self._last = self._last, self._clock()
        self._scraped.set()
        return ()

    @property
    def patience_s(self) -> float:
        """How long to wait for the next scrape: 0 when nobody comes regularly, or any more."""
        with self._lock:
            if self._before is None or self._last is None:
                return 0.0
            interval = self._last - self._before
            left = self._last + 1.5 * interval - self._clock()
        return min(max(left, 0.0), MOST_S)

    def wait(self) -> bool:
        """Wait for the next scrape, if there is one to be expected.

        Returns:
            Whether it came.
        """
        self._scraped.clear()
        return self._scraped.wait(self.patience_s)
