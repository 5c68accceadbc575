"""Registration, connection and power saving of the user equipment, over time.

:class:`Mobility` is told what the host wants (switch on, attach, save power so), plays the
consequences, and tells an :class:`~firmware_bridge.virtual.observer.Observer` what the host would
notice. :class:`~firmware_bridge.virtual.equipment.UserEquipment` adds the datagrams.

Whatever needs the radio is a *job*: the attach, a tracking area update, an uplink datagram, a
downlink one. Jobs wait in a queue; a job makes the equipment connect, jobs run one at a time while
it is connected (the radio is half duplex), and an empty queue starts the network's inactivity
timer or, with release assistance, the release.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from firmware_bridge.virtual.current import Energy, Meter, Part
from firmware_bridge.virtual.durations import active_time_s, periodic_tau_s
from firmware_bridge.virtual.observer import Counters, Observer, PowerSavingRequest
from firmware_bridge.virtual.paging import Paging
from firmware_bridge.virtual.parameters import (
    ATTACH_SIGNALLING,
    DETACH_SIGNALLING,
    RELEASE_BYTES,
    RESYNCHRONISE_IDLE_S,
    RESYNCHRONISE_SLEEP_S,
    SETUP_COMPLETE_BYTES,
    TRACKING_AREA_SIGNALLING,
)
from firmware_bridge.virtual.player import RadioPlayer
from firmware_bridge.virtual.radio import Activity, Channel, Segment, Signal
from firmware_bridge.virtual.rrc import Connection, ConnectionEvent, ConnectionState
from firmware_bridge.virtual.scheduler import Timer, Timers
from firmware_bridge.virtual.settings import ModuleSettings, Move

__all__ = ["RELEASE_AFTER_SIGNALLING_S", "Mobility", "cancel"]

_S = ConnectionState
_E = ConnectionEvent

RELEASE_AFTER_SIGNALLING_S = 0.3
"""The network releases so soon when it knows that nothing more comes."""

_SEARCH_PAUSE_S = 10.0  # between two searches that found nothing
_DETACH_TIMEOUT_S = 15.0  # T3421 (TS 24.301 table 10.2.1): then it is done locally
_RETRY_S = 2.0  # after a random access that got no answer
_ILLEGAL_UE = 3  # TS 24.301 9.9.3.9


class Mobility:
    """See the module's docstring.

    Args:
        settings: Radio, network and power settings are used.
        seed: Of every random choice.
        timers: Shared with the module around it.
        observer: Told what happens.
        authenticate: Whether the network takes the card for genuine; asked at each attach.
    """

    def __init__(
        self,
        settings: ModuleSettings,
        seed: int,
        timers: Timers,
        observer: Observer,
        authenticate: Callable[[], bool] = lambda: True,
    ) -> None:
        self._network = settings.network
        self._authenticate = authenticate
        self._timers = timers
        self._observer = observer
        self._rng = random.Random(f"{seed}/search")
        self._channel = Channel(settings.radio, settings.network, seed, timers.now)
        self._origin = timers.now
        self._player = RadioPlayer(settings, timers)
        self._paging = Paging(settings.network, timers.now)
        self._connection = Connection()
        self._jobs: deque[Callable[[], None]] = deque()
        self._running = False
        self._inactivity: Timer | None = None
        self._t3324: Timer | None = None
        self._t3412: Timer | None = None
        self._release_after = 0
        self._quick_release = False
        self._granted = False
        self._update_due = False
        self._attaching = False
        self._attach_wanted = True
        self._attached = False
        self._power_saving = PowerSavingRequest(
            enabled=False, periodic_tau="00100001", active_time="00000101"
        )
        self._edrx_wanted: str | None = None
        self.status = 0
        """Registration, as +CEREG counts: 0, 1, 2, 3 or 5."""
        self.reject_cause = 0
        """EMM cause of the last refusal, 0 for none."""
        self.granted_active_time: str | None = None
        """T3324 granted, eight bits; None when power saving mode is not granted."""
        self.granted_periodic_tau: str | None = None
        """Extended T3412 granted, eight bits, likewise."""
        self.granted_edrx: str | None = None
        """eDRX cycle granted, four bits; None when not."""
        self.counters = Counters()
        """Datagrams so far."""
        self.cell = settings.network
        """The serving cell: its identity, tracking area, physical cell, channel and band."""
        self._move: Move | None = None
        for move in settings.radio.moves:
            timers.at(self._origin + move.at_s, partial(self._moved, move))
        for start, end in settings.radio.outages_s:
            timers.at(self._origin + start, self._coverage_changed)
            timers.at(self._origin + end, self._coverage_changed)
        self._draw()

    # -- what can be read --------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Where the radio connection stands."""
        return self._connection.state

    @property
    def registered(self) -> bool:
        """At home or roaming."""
        return self.status in (1, 5)

    @property
    def address(self) -> str | None:
        """The module's address while attached."""
        return self._network.address if self._attached else None

    @property
    def current_a(self) -> float:
        """Supply current now."""
        return self._player.meter.current_a

    def signal(self) -> Signal:
        """Coverage now."""
        return self._channel.signal(self._timers.now)

    def energy(self) -> Energy:
        """Energy used so far."""
        return self._player.meter.energy(self._timers.now)

    def charge_c(self) -> float:
        """Charge used so far, coulombs."""
        return self._player.meter.charge_c(self._timers.now)

    def seconds(self, activity: Activity) -> float:
        """Time the radio spent so far in ``activity``."""
        return self._player.meter.seconds(self._timers.now, activity)

    @property
    def meter(self) -> Meter:
        """The current meter, for its trace."""
        return self._player.meter

    # -- what the host wants -----------------------------------------------------------------------

    def switch_on(self) -> None:
        """Radio on: search, and attach unless told not to (CFUN 1)."""
        if self.state is _S.OFF:
            self._connection.fire(_E.SWITCHED_ON)
            self._set_status(2 if self._attach_wanted else 0)
            self._search()

    def switch_off(self) -> None:
        """Radio off at once (CFUN 0 and 4 after the detach; a reset without one)."""
        if self.state is _S.OFF:
            return
        connected = self.state is _S.CONNECTED
        power_saving = self.state is _S.POWER_SAVING
        self._stop()
        self._jobs.clear()
        self._attaching = False
        self._switched_off()
        self._attached = False
        self._connection.fire(_E.SWITCHED_OFF)
        self._withdraw_grants()
        self._draw()
        if power_saving:
            self._observer.power_saving_changed(False)
        if connected:
            self._observer.connection_changed(False)
        self._set_status(0)

    def attach(self) -> None:
        """Attach if not attached (CGATT 1, COPS 0)."""
        self._attach_wanted = True
        if self._attached or self.state is _S.OFF:
            return
        self._set_status(2)
        if self.state is not _S.SEARCHING and not self._attaching:
            self._attaching = True
            self._queue(self._attach_job)

    def lose_network(self, duration_s: float) -> None:
        """There is no cell for ``duration_s`` from now on."""
        self._channel.lose(self._timers.now, duration_s)
        self._coverage_changed()

    def stand(self, rsrp_dbm: float) -> None:
        """The module is put where its cell is heard so well, -150 to -40 dBm in the mean."""
        self._channel.stand(rsrp_dbm)
        self._coverage_changed()

    def stay_detached(self) -> None:
        """Find a cell, but attach only when told to."""
        self._attach_wanted = False

    def detach(self, done: Callable[[], None]) -> None:
        """Detach; ``done`` is called when the network has answered or there was nothing to do."""
        self._attach_wanted = False
        finished = False

        def finish() -> None:
            nonlocal finished
            if finished:
                return
            finished = True
            self._attached = False
            self._withdraw_grants()
            self._quick_release = True
            self._set_status(0)
            done()

        if not self._attached or self.state in (_S.OFF, _S.SEARCHING):
            finish()
            return
        self._queue(lambda: self._signal(DETACH_SIGNALLING, finish))
        self._timers.after(_DETACH_TIMEOUT_S, finish)

    def request_power_saving(self, request: PowerSavingRequest) -> None:
        """Ask for (or give up) power saving mode, by a tracking area update when attached."""
        if request != self._power_saving:
            self._power_saving = request
            self._update()

    def request_edrx(self, cycle: str | None) -> None:
        """Ask for extended DRX with this cycle (four bits), or give it up."""
        if cycle != self._edrx_wanted:
            self._edrx_wanted = cycle
            self._update()

    def _update(self) -> None:
        """The network has to be told something new."""
        if self._attached:
            self._update_due = True
            self._queue(self._tracking_area_job)

    def set_processor(self, state: str) -> None:
        """Tell what the processor does: ``awake``, ``light sleep`` or ``deep sleep``."""
        if self._player.set_processor(state) and self.state in (
            _S.OFF,
            _S.IDLE,
            _S.POWER_SAVING,
        ):  # elsewhere the radio decides what is drawn
            self._draw()

    def reset(self) -> None:
        """The module restarts: the radio is off, what the network knows stays with the network."""
        self.switch_off()
        self._attach_wanted = True
        self._release_after = 0

    # -- searching and registering -----------------------------------------------------------------

    def _search(self) -> None:
        shortest, longest = self._network.search_s
        self._draw()
        self._player.wait(self._rng.uniform(shortest, longest), self._searched)

    def _searched(self) -> None:
        if not self.signal().in_coverage:
            self._player.pause()
            self._player.wait(_SEARCH_PAUSE_S, self._search)
            return
        self._connection.fire(_E.CELL_FOUND)
        self._reselect()
        self._draw()
        if self._attached:
            self._set_status(5 if self._network.roaming else 1)
            if self._update_due:
                self._jobs.append(self._tracking_area_job)
        elif self._attach_wanted:
            if not self._attaching:
                self._attaching = True
                self._jobs.appendleft(self._attach_job)
        else:
            self._set_status(0)
        self._proceed()
        self._idle()

    def _moved(self, move: Move) -> None:
        """Another cell is the best; there is no handover, so a connection stays where it is."""
        self._move = move
        if self.state is _S.IDLE:
            self._reselect()
            self._proceed()

    def _reselect(self) -> None:
        """Camp on the cell that is the best now; another tracking area wants an update."""
        move, self._move = self._move, None
        if move is None:
            return
        before = self.cell
        area = before.tracking_area if move.tracking_area is None else move.tracking_area
        physical = before.physical_cell if move.physical_cell is None else move.physical_cell
        self.cell = replace(before, cell=move.cell, tracking_area=area, physical_cell=physical)
        self._observer.registration_changed()
        if area != before.tracking_area and self._attached:
            self._jobs.appendleft(self._tracking_area_job)

    def _coverage_changed(self) -> None:
        if self.signal().in_coverage or self.state in (_S.OFF, _S.SEARCHING, _S.POWER_SAVING):
            return
        self._cell_lost()

    def _cell_lost(self) -> None:
        connected = self.state is _S.CONNECTED
        power_saving = self.state is _S.POWER_SAVING
        self._stop()
        self._connection.fire(_E.CELL_LOST)
        if power_saving:
            self._observer.power_saving_changed(False)
        if connected:
            self._observer.connection_changed(False)
        self._set_status(2)
        self._search()

    def _attach_job(self) -> None:
        def finish() -> None:
            self._attaching = False
            cause = self._network.reject_cause
            if cause is None and not self._authenticate():
                cause = _ILLEGAL_UE
            if cause is not None:
                self.reject_cause = cause
                self._attach_wanted = False
                self._quick_release = True
                self._set_status(3)
            else:
                self._attached = True
                self.reject_cause = 0
                self._grant()
                self._set_status(5 if self._network.roaming else 1)

        self._signal(ATTACH_SIGNALLING, finish)

    def _tracking_area_job(self) -> None:
        def finish() -> None:
            self._update_due = False
            if self._grant():
                self._observer.registration_changed()
            self._quick_release = True

        self._signal(TRACKING_AREA_SIGNALLING, finish)

    def _grant(self) -> bool:
        """Let the network decide on power saving; True when anything changed."""
        before = (self.granted_active_time, self.granted_periodic_tau, self.granted_edrx)
        request = self._power_saving
        wanted = request.enabled and active_time_s(request.active_time) is not None
        self.granted_active_time = request.active_time if wanted and self._network.psm else None
        extended = wanted and self._network.psm and periodic_tau_s(request.periodic_tau) is not None
        self.granted_periodic_tau = request.periodic_tau if extended else None
        self.granted_edrx = self._edrx_wanted if self._network.edrx else None
        after = (self.granted_active_time, self.granted_periodic_tau, self.granted_edrx)
        if before[2] != after[2]:
            self._observer.edrx_changed()
        return before != after

    def _withdraw_grants(self) -> None:
        self.granted_active_time = self.granted_periodic_tau = self.granted_edrx = None

    def _set_status(self, status: int) -> None:
        if status != self.status:
            self.status = status
            self._observer.registration_changed()

    # -- the connection ----------------------------------------------------------------------------

    def _queue(self, job: Callable[[], None]) -> None:
        self._jobs.append(job)
        self._proceed()

    def _proceed(self) -> None:
        """Run the next job, or do what must come first."""
        if not self._jobs:
            return
        if self.state in (_S.IDLE, _S.POWER_SAVING):
            self._connect()
        elif self.state is _S.CONNECTED and not self._running:
            cancel(self._inactivity)
            self._running = True
            self._jobs.popleft()()

    def _connect(self) -> None:
        if not self.signal().in_coverage:
            self._cell_lost()
            return
        asleep = self.state is _S.POWER_SAVING
        self._connection.fire(_E.CONNECTION_NEEDED)
        cancel(self._t3324, self._t3412)
        if asleep:
            self._observer.power_saving_changed(False)
            self._reselect()
        resynchronise_s = RESYNCHRONISE_SLEEP_S if asleep else RESYNCHRONISE_IDLE_S
        now, network_s = self._timers.now, self._network.signalling_delay_s
        access = self._channel.random_access(now, resynchronise_s, network_s)
        complete = self._channel.uplink(now, SETUP_COMPLETE_BYTES)
        segments = (
            *access.segments,
            *complete.segments,
            Segment(network_s, Activity.RECEIVING),
        )
        self._player.play(segments, Part.SETUP, self._connected)

    def _connected(self) -> None:
        if not self.signal().in_coverage:
            self._connection.fire(_E.CONNECTION_FAILED)
            self._draw()
            self._player.wait(_RETRY_S, self._proceed)
            return
        self._connection.fire(_E.CONNECTION_UP)
        self._granted = True
        self._observer.connection_changed(True)
        self._reachable()
        self._proceed()

    def _job_done(self) -> None:
        if self.state is not _S.CONNECTED:
            return  # what the job brought about has switched the radio off
        self._running = False
        self._draw()
        if self._jobs:
            self._proceed()
            return
        self._granted = False
        quick = self._quick_release
        self._quick_release = False
        if self._release_after == 1 and self._network.release_assistance:
            self._release_after = 0
            quick = True
        wait_s = self._network.inactivity_timer_s
        if quick:
            wait_s = RELEASE_AFTER_SIGNALLING_S
        self._inactivity = self._timers.after(wait_s, self._release)

    def _release(self) -> None:
        """The network's release reaches the module."""
        self._running = True  # nothing else starts while it is on the air
        transfer = self._channel.downlink(self._timers.now, RELEASE_BYTES)
        self._player.play(transfer.segments, Part.TAIL, self._released)

    def _released(self) -> None:
        self._running = False
        if self._jobs:  # something came in between: the release is void
            self._proceed()
            return
        self._release_after = 0
        self._connection.fire(_E.RELEASED)
        self._draw()
        self._observer.connection_changed(False)
        self._reselect()
        self._idle()
        self._proceed()

    def _idle(self) -> None:
        """Start what runs in idle: the active time, and the time to the next update."""
        if self.state is not _S.IDLE or not self._attached:
            return
        if self.granted_active_time is not None:
            active_s = active_time_s(self.granted_active_time) or 0.0
            self._t3324 = self._timers.after(active_s, self._sleep)
        tau_s = self._network.periodic_tau_s
        if self.granted_periodic_tau is not None:
            tau_s = periodic_tau_s(self.granted_periodic_tau) or tau_s
        self._t3412 = self._timers.after(tau_s, lambda: self._queue(self._tracking_area_job))

    def _sleep(self) -> None:
        if self.state is not _S.IDLE:
            return
        self._connection.fire(_E.ACTIVE_TIME_OVER)
        self._draw()
        self._observer.power_saving_changed(True)
        self._unreachable()

    # -- jobs --------------------------------------------------------------------------------------

    def _signal(self, messages: Sequence[tuple[str, int]], done: Callable[[], None]) -> None:
        """Exchange signalling messages, then ``done`` and the job is over."""
        segments: list[Segment] = []
        for direction, size in messages:
            if direction == "down":
                segments.append(Segment(self._network.signalling_delay_s, Activity.RECEIVING))
                segments.extend(self._channel.downlink(self._timers.now, size).segments)
            else:
                segments.extend(self._channel.uplink(self._timers.now, size).segments)

        def finish() -> None:
            done()
            self._job_done()

        self._player.play(segments, Part.SETUP, finish)

    # -- what the traffic does about it ----------------------------------------------------------

    def _reachable(self) -> None:
        """A connection is up: what waits in the network can come."""

    def _unreachable(self) -> None:
        """Power saving mode was entered."""

    def _interrupted(self) -> None:
        """Whatever is on the air is lost."""

    def _switched_off(self) -> None:
        """Nothing that waits for the radio will be sent."""

    def _draw(self) -> None:
        """Draw what follows from the state while nothing is on the air."""
        self._player.rest(self.state, self._paging.share(self.granted_edrx))

    def _stop(self) -> None:
        """Forget every timer of the radio."""
        self._player.stop()
        cancel(self._inactivity, self._t3324, self._t3412)
        if self._running:  # what is on the air is lost; what waits is not
            self._attaching = self._attach_job in self._jobs
        self._running = False
        self._interrupted()
        self._release_after = 0
        self._quick_release = False


def cancel(*timers: Timer | None) -> None:
    """Cancel whichever of them there are."""
    for timer in timers:
        if timer is not None:
            timer.cancel()
