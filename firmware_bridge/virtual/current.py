"""What the module draws, and the charge and energy that add up from it.

The draw is piecewise constant: it changes when the state machine or the radio does something else,
so the integral is exact (one product per interval), not sampled. Every interval belongs to one
:class:`Part` of a message's energy, and its seconds to one radio activity (the module's own
counters, ``AT+QENG=2``, are those seconds).
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from firmware_bridge.virtual.parameters import Currents
from firmware_bridge.virtual.radio import Activity

__all__ = ["Draw", "Energy", "Meter", "Part", "transmit_current_a"]


class Part(enum.Enum):
    """Which part of a message's energy an interval belongs to."""

    SETUP = "setup"
    """Cell search, random access, attach and tracking area update signalling."""
    TRANSMIT = "transmit"
    """Uplink data: grants, blocks, the waits between them."""
    RECEIVE = "receive"
    """Downlink data, likewise, and paging."""
    TAIL = "tail"
    """Connected with nothing to carry: the inactivity timer."""
    SLEEP = "sleep"
    """No connection: idle, power saving mode, off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy since the module was made, joules at the supply, split by part."""

    total_j: float
    """The sum of the parts."""
    setup_j: float
    """See :class:`Part`."""
    transmit_j: float
    """See :class:`Part`."""
    receive_j: float
    """See :class:`Part`."""
    tail_j: float
    """See :class:`Part`."""
    sleep_j: float
    """See :class:`Part`."""

    def __sub__(self, earlier: Energy) -> Energy:
        """What was used between ``earlier`` and this."""
        return Energy(
            total_j=self.total_j - earlier.total_j,
            setup_j=self.setup_j - earlier.setup_j,
            transmit_j=self.transmit_j - earlier.transmit_j,
            receive_j=self.receive_j - earlier.receive_j,
            tail_j=self.tail_j - earlier.tail_j,
            sleep_j=self.sleep_j - earlier.sleep_j,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """From ``at`` on the module draws ``current_a``, until the next one."""

    at: float
    """Seconds on the module's clock."""
    current_a: float
    """Amperes at the supply pin."""
    part: Part
    """What it is for."""


def transmit_current_a(currents: Currents, power_dbm: float) -> float:
    """Supply current while transmitting at ``power_dbm``: linear between the given points."""
    points = currents.transmit_a
    if power_dbm <= points[0][0]:
        return points[0][1]
    for (low_dbm, low_a), (high_dbm, high_a) in pairwise(points):
        if power_dbm <= high_dbm:
            return low_a + (high_a - low_a) * (power_dbm - low_dbm) / (high_dbm - low_dbm)
    return points[-1][1]


class Meter:
    """Integrates the draw.

    Args:
        voltage_v: Supply voltage, constant.
        now: When it starts, seconds.
        trace_length: How many of the latest :class:`Draw` to keep for :meth:`take_trace`.
    """

    def __init__(self, voltage_v: float, now: float, trace_length: int = 0) -> None:
        self._voltage_v = voltage_v
        self._charge_c = dict.fromkeys(Part, 0.0)
        self._seconds = dict.fromkeys(Activity, 0.0)
        self._current_a = 0.0
        self._part = Part.SLEEP
        self._activity = Activity.ASLEEP
        self._share = 1.0
        self._since = now
        self._trace: deque[Draw] = deque(maxlen=trace_length)

    @property
    def current_a(self) -> float:
        """What is drawn now."""
        return self._current_a

    def set(
        self, now: float, current_a: float, part: Part, activity: Activity, share: float = 1.0
    ) -> None:
        """From ``now`` on ``current_a`` is drawn, for ``part``, with the radio in ``activity``.

        ``share``: of the time; the rest counts as waiting (a receiver that is on every other
        subframe). ``current_a`` is the mean of both.
        """
        self._settle(now)
        if self._trace.maxlen and (current_a != self._current_a or part is not self._part):
            self._trace.append(Draw(at=now, current_a=current_a, part=part))
        self._current_a = current_a
        self._part = part
        self._activity = activity
        self._share = share

    def _settle(self, now: float) -> None:
        elapsed = now - self._since
        if elapsed > 0:
            self._charge_c[self._part] += self._current_a * elapsed
            self._seconds[self._activity] += elapsed * self._share
            self._seconds[Activity.WAITING] += elapsed * (1.0 - self._share)
            self._since = now

    def energy(self, now: float) -> Energy:
        """Energy used up to ``now``."""
        self._settle(now)
        joules = {part: charge * self._voltage_v for part, charge in self._charge_c.items()}
        return Energy(
            total_j=sum(joules.values()),
            setup_j=joules[Part.SETUP],
            transmit_j=joules[Part.TRANSMIT],
            receive_j=joules[Part.RECEIVE],
            tail_j=joules[Part.TAIL],
            sleep_j=joules[Part.SLEEP],
        )

    def charge_c(self, now: float) -> float:
        """Coulombs taken from the supply up to ``now``."""
        self._settle(now)
        return sum(self._charge_c.values())

    def seconds(self, now: float, activity: Activity) -> float:
        """Time spent in ``activity`` up to ``now``."""
        self._settle(now)
        return self._seconds[activity]

    def take_trace(self) -> list[Draw]:
        """The changes of current since the last call, oldest first; empty unless kept."""
        trace = list(self._trace)
        self._trace.clear()
        return trace
