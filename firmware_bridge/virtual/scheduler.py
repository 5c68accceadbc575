"""Timers of a sans-IO machine: an ordered list of what is due when.

Nothing here knows what time it is. Whoever owns a :class:`Timers` calls :meth:`Timers.run` with the
present; each callback then runs with :attr:`Timers.now` set to the moment it was due, in order, so
that a late call (a busy machine, a clock running 200 times too fast) changes nothing in what the
machine does, only how late it is told.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

__all__ = ["Timer", "Timers"]

_SWEEP = 64


class Timer:
    """One thing to be done at one time; :meth:`cancel` makes it never happen."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget it; harmless when it has already run."""
        self.callback = None


class Timers:
    """Callbacks ordered by time, and for equal times by the order they were asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        """The present of the machine: seconds on the caller's clock."""
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._sweep_at = _SWEEP

    def at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` at ``when`` (seconds; the past means as soon as possible)."""
        timer = Timer(max(when, self.now), callback)
        self._count += 1
        heapq.heappush(self._heap, (timer.when, self._count, timer))
        if len(self._heap) > self._sweep_at:
            self._sweep()
        return timer

    def _sweep(self) -> None:
        """Let the cancelled go, so that timers far ahead that never come don't pile up."""
        self._heap = [entry for entry in self._heap if entry[2].callback is not None]
        heapq.heapify(self._heap)
        self._sweep_at = 2 * len(self._heap) + _SWEEP

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` ``delay_s`` seconds from the machine's present."""
        return self.at(self.now + delay_s, callback)

    def next(self) -> float | None:
        """When something is due next, or None."""
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Do everything that is due up to ``now``, each at its own time, and arrive at ``now``."""
        while self._heap and self._heap[0][0] <= now:
            when, _, timer = heapq.heappop(self._heap)
            callback = timer.callback
            if callback is not None:
                timer.callback = None
                self.now = max(self.now, when)
                callback()
        self.now = max(self.now, now)

    def clear(self) -> None:
        """Forget everything that was to be done."""
        self._heap.clear()
