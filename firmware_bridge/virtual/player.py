"""The radio at work: segments played one after the other, each with its current.

Between two plays the draw is that of the connection's state: searching, connected with nothing to
carry, idle with its paging, or asleep as deeply as the processor is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firmware_bridge.virtual.current import Meter, Part, transmit_current_a
from firmware_bridge.virtual.parameters import BC66_CURRENTS
from firmware_bridge.virtual.radio import Activity, Segment
from firmware_bridge.virtual.rrc import ConnectionState
from firmware_bridge.virtual.scheduler import Timer, Timers
from firmware_bridge.virtual.settings import ModuleSettings

__all__ = ["RadioPlayer"]

_S = ConnectionState


class RadioPlayer:
    """Plays segments over time and tells the meter what they draw.

    Args:
        settings: Currents, supply, and the share of time that a connected receiver is on.
        timers: Shared with the equipment.
    """

    def __init__(self, settings: ModuleSettings, timers: Timers) -> None:
        self._currents = settings.power.currents or BC66_CURRENTS
        self._monitoring = settings.network.connected_monitoring
        self._timers = timers
        self._timer: Timer | None = None
        self._processor = "awake"
        self.meter = Meter(
            settings.power.voltage_v, timers.now, trace_length=settings.power.trace_length
        )
        """What adds up."""

    def play(self, segments: Sequence[Segment], part: Part, done: Callable[[], None]) -> None:
        """Let the radio do ``segments`` one after the other, then call ``done``."""
        remaining = iter(segments)

        def step() -> None:
            segment = next(remaining, None)
            if segment is None:
                self._timer = None
                done()
                return
            self._set(self._current_of(segment), part, segment.activity)
            self._timer = self._timers.after(segment.duration_s, step)

        step()

    def wait(self, duration_s: float, done: Callable[[], None]) -> None:
        """Call ``done`` after ``duration_s``, the draw unchanged; :meth:`stop` ends that too."""
        self._timer = self._timers.after(duration_s, done)

    def stop(self) -> None:
        """Whatever is being played ends here."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pause(self) -> None:
        """A search found nothing: receiver off until the next one."""
        self._set(self._currents.awake_a, Part.SETUP, Activity.WAITING)

    def rest(self, state: ConnectionState, paging_share: float) -> None:
        """Draw what ``state`` draws when nothing is played.

        Args:
            state: Where the connection stands.
            paging_share: Share of the time in idle that the receiver listens for paging.
        """
        currents = self._currents
        if state is _S.SEARCHING:
            self._set(currents.receive_a, Part.SETUP, Activity.RECEIVING)
        elif state is _S.CONNECTED:
            share = self._monitoring
            mean = share * currents.receive_a + (1 - share) * currents.awake_a
            self._set(mean, Part.TAIL, Activity.RECEIVING, share)
        elif state is not _S.CONNECTING:
            base = {
                "awake": currents.awake_a,
                "light sleep": currents.light_sleep_a,
                "deep sleep": currents.deep_sleep_a,
            }[self._processor]
            if state is _S.IDLE:
                base = (1 - paging_share) * base + paging_share * currents.receive_a
            self._set(base, Part.SLEEP, Activity.ASLEEP)

    def set_processor(self, processor: str) -> bool:
        """``awake``, ``light sleep`` or ``deep sleep``; True when that is new."""
        changed = processor != self._processor
        self._processor = processor
        return changed

    def _current_of(self, segment: Segment) -> float:
        if segment.activity is Activity.TRANSMITTING:
            return transmit_current_a(self._currents, segment.power_dbm)
        if segment.activity is Activity.RECEIVING:
            return self._currents.receive_a
        return self._currents.awake_a

    def _set(self, current_a: float, part: Part, activity: Activity, share: float = 1.0) -> None:
        self.meter.set(self._timers.now, current_a, part, activity, share)
