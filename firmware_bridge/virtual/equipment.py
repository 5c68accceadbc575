"""The user equipment: registration, connection, power saving, traffic and current draw together.

This is the part of a module that its AT dialect knows nothing of. It is told what the host wants
(switch on, send this, save power so) and what arrives from the network, plays the consequences over
time, and tells an :class:`Observer` what the host would notice.

Whatever needs the radio is a *job*: the attach, a tracking area update, an uplink datagram, a
downlink one. Jobs wait in a queue; a job makes the equipment connect, jobs run one at a time while
it is connected (the radio is half duplex), and an empty queue starts the network's inactivity
timer or, with release assistance, the release.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from firmware_bridge.virtual.current import Energy, Meter, Part, transmit_current_a
from firmware_bridge.virtual.durations import (
    EDRX_CYCLES_S,
    active_time_s,
    paging_window_s,
    periodic_tau_s,
)
from firmware_bridge.virtual.parameters import (
    ATTACH_SIGNALLING,
    DETACH_SIGNALLING,
    NAS_OVERHEAD_BYTES,
    PAGING_S,
    RELEASE_BYTES,
    RESYNCHRONISE_IDLE_S,
    RESYNCHRONISE_SLEEP_S,
    SETUP_COMPLETE_BYTES,
    TRACKING_AREA_SIGNALLING,
)
from firmware_bridge.virtual.radio import Activity, Channel, Segment, Signal, Transfer
from firmware_bridge.virtual.rrc import Connection, ConnectionEvent, ConnectionState
from firmware_bridge.virtual.scheduler import Timer, Timers
from firmware_bridge.virtual.settings import ModuleSettings

__all__ = ["Counters", "Observer", "PowerSavingRequest", "UserEquipment"]

_S = ConnectionState
_E = ConnectionEvent

UPLINK_QUEUE = 8
"""Datagrams that wait for the radio at once; more are refused."""

_SEARCH_PAUSE_S = 10.0  # between two searches that found nothing
_RETRY_S = 2.0  # after a random access that got no answer
_RELEASE_AFTER_SIGNALLING_S = 0.3  # the network has nothing more after a TAU or a detach


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSavingRequest:
    """What the host asks the network for."""

    enabled: bool
    """Whether power saving mode is wanted."""
    periodic_tau: str
    """Extended T3412, eight bits."""
    active_time: str
    """T3324, eight bits."""


@dataclass(slots=True)
class Counters:
    """What happened to datagrams."""

    sent: int = 0
    """Left the module towards the network."""
    received: int = 0
    """Reached the module."""
    lost_uplink: int = 0
    """Given up on the air, or lost in the core network."""
    lost_downlink: int = 0
    """Lost in the core network, on the air, or because nobody could be paged."""


class Observer(Protocol):
    """Whoever wants to know what the equipment does: the dialect, through the module."""

    def registration_changed(self) -> None:
        """Registration state, cell or granted timers are new."""

    def connection_changed(self, connected: bool) -> None:
        """An RRC connection came up or was released."""

    def power_saving_changed(self, entered: bool) -> None:
        """Power saving mode was entered or left."""

    def edrx_changed(self) -> None:
        """The network granted or withdrew extended DRX."""

    def datagram_left(self, socket: int, payload: bytes) -> None:
        """``payload`` reached the network on the far side of the core."""

    def datagram_arrived(self, socket: int, payload: bytes) -> None:
        """``payload`` reached the module."""


class UserEquipment:
    """See the module's docstring.

    Args:
        settings: Radio, network and power settings are used.
        seed: Of every random choice.
        timers: Shared with the module around it.
        observer: Told what happens.
    """

    def __init__(
        self, settings: ModuleSettings, seed: int, timers: Timers, observer: Observer
    ) -> None:
        self._network = settings.network
        self._currents = settings.power.currents
        self._timers = timers
        self._observer = observer
        self._rng = random.Random(f"{seed}/search")
        self._core_rng = random.Random(f"{seed}/core")
        self._channel = Channel(settings.radio, settings.network, seed, timers.now)
        self._origin = timers.now
        self._meter = Meter(
            settings.power.voltage_v, timers.now, trace_length=settings.power.trace_length
        )
        self._connection = Connection()
        self._processor = "awake"
        self._jobs: deque[Callable[[], None]] = deque()
        self._running = False
        self._uplinks = 0
        self._uplink_running = False
        self._active: Timer | None = None
        self._inactivity: Timer | None = None
        self._t3324: Timer | None = None
        self._t3412: Timer | None = None
        self._page: Timer | None = None
        self._paged: list[tuple[int, bytes]] = []
        self._kept: list[tuple[int, bytes]] = []
        self._release_after = 0
        self._quick_release = False
        self._granted = False
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
        return self._meter.current_a

    def signal(self) -> Signal:
        """Coverage now."""
        return self._channel.signal(self._timers.now)

    def energy(self) -> Energy:
        """Energy used so far."""
        return self._meter.energy(self._timers.now)

    def charge_c(self) -> float:
        """Charge used so far, coulombs."""
        return self._meter.charge_c(self._timers.now)

    def seconds(self, activity: Activity) -> float:
        """Time the radio spent so far in ``activity``."""
        return self._meter.seconds(self._timers.now, activity)

    @property
    def meter(self) -> Meter:
        """The current meter, for its trace."""
        return self._meter

    # -- what the host wants -----------------------------------------------------------------------

    def switch_on(self) -> None:
        """Radio on: search, and attach unless told not to (CFUN 1)."""
        if self.state is _S.OFF:
            self._connection.fire(_E.SWITCHED_ON)
            self._set_status(2)
            self._search()

    def switch_off(self) -> None:
        """Radio off at once (CFUN 0 and 4 after the detach; a reset without one)."""
        if self.state is _S.OFF:
            return
        connected = self.state is _S.CONNECTED
        power_saving = self.state is _S.POWER_SAVING
        self._stop()
        self._jobs.clear()
        self._uplinks = 0
        self._paged.clear()
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
        if not self._attached and self.state in (_S.IDLE, _S.CONNECTED):
            self._set_status(2)
            self._queue(self._attach_job)

    def detach(self, done: Callable[[], None]) -> None:
        """Detach; ``done`` is called when the network has answered or there was nothing to do."""
        self._attach_wanted = False
        if not self._attached:
            self._set_status(0)
            done()
            return

        def finish() -> None:
            self._attached = False
            self._withdraw_grants()
            self._quick_release = True
            self._set_status(0)
            done()

        self._queue(lambda: self._signal(DETACH_SIGNALLING, finish))

    def request_power_saving(self, request: PowerSavingRequest) -> None:
        """Ask for (or give up) power saving mode, by a tracking area update when attached."""
        if request != self._power_saving:
            self._power_saving = request
            if self._attached:
                self._queue(self._tracking_area_job)

    def request_edrx(self, cycle: str | None) -> None:
        """Ask for extended DRX with this cycle (four bits), or give it up."""
        if cycle != self._edrx_wanted:
            self._edrx_wanted = cycle
            if self._attached:
                self._queue(self._tracking_area_job)

    def send(self, socket: int, payload: bytes, header_bytes: int, release: int) -> bool:
        """Queue a datagram for the uplink.

        Args:
            socket: Passed back to the observer.
            payload: UDP payload.
            header_bytes: IP and UDP header that the module's own stack adds.
            release: Release assistance: 0 none, 1 nothing follows, 2 one answer follows.

        Returns:
            False when it was refused: not attached, or the queue is full.
        """
        if not self._attached or self._uplinks >= UPLINK_QUEUE:
            return False
        self._uplinks += 1
        self._queue(lambda: self._uplink_job(socket, payload, header_bytes, release))
        return True

    def release_soon(self) -> None:
        """The host has nothing more to send: ask the network for the release (CNMPSD)."""
        if self.state is not _S.CONNECTED or not self._network.release_assistance:
            return
        if self._jobs or self._running:
            self._release_after = 1
        else:
            _cancel(self._inactivity)
            self._inactivity = self._timers.after(_RELEASE_AFTER_SIGNALLING_S, self._release)

    def exchange(self, size_bytes: int, done: Callable[[float], None]) -> bool:
        """Send and receive ``size_bytes`` of the module's own (DNS, ping).

        ``done`` gets the seconds from its being asked to the answer. Returns False when refused.
        """
        if not self._attached:
            return False
        asked = self._timers.now

        def finish() -> None:
            done(self._timers.now - asked)

        def answer() -> None:
            self._downlink(size_bytes, finish)

        def job() -> None:
            transfer = self._channel.uplink(self._timers.now, size_bytes + NAS_OVERHEAD_BYTES)
            round_trip_s = 2 * self._network.core_delay_s
            segments = (
                *self._request_grant(),
                *transfer.segments,
                Segment(round_trip_s, Activity.RECEIVING),
            )
            self._play(segments, Part.TRANSMIT, answer)

        self._queue(job)
        return True

    def set_processor(self, state: str) -> None:
        """Tell what the processor does: ``awake``, ``light sleep`` or ``deep sleep``."""
        if state != self._processor:
            self._processor = state
            self._draw_state()

    def reset(self) -> None:
        """The module restarts: the radio is off, what the network knows stays with the network."""
        self.switch_off()
        self._attach_wanted = True
        self._release_after = 0

    # -- what the network brings -------------------------------------------------------------------

    def deliver(self, socket: int, payload: bytes) -> None:
        """A datagram for ``socket`` came to the network from outside."""
        if self._core_rng.random() < self._network.core_loss:
            self.counters.lost_downlink += 1
            return
        self._timers.after(
            self._network.core_delay_s, lambda: self._downlink_waits(socket, payload)
        )

    def _downlink_waits(self, socket: int, payload: bytes) -> None:
        if not self._attached or self.state is _S.OFF:
            self.counters.lost_downlink += 1
        elif self.state in (_S.CONNECTED, _S.CONNECTING):
            self._queue(lambda: self._downlink_job(socket, payload))
        elif self.state is _S.IDLE:
            self._paged.append((socket, payload))
            if self._page is None:
                self._page = self._timers.at(self._next_paging(), self._paging)
        elif len(self._kept) < self._network.psm_buffer_packets:
            self._kept.append((socket, payload))
        else:
            self.counters.lost_downlink += 1

    def _next_paging(self) -> float:
        """The next paging occasion: every DRX cycle, with eDRX only within its windows."""
        now, cycle = self._timers.now, self._network.drx_cycle_s
        since = now - self._origin
        occasion = math.ceil(since / cycle) * cycle
        if self.granted_edrx is not None:
            long_cycle = EDRX_CYCLES_S.get(self.granted_edrx, 20.48)
            window = paging_window_s(self._network.paging_window)
            if occasion % long_cycle >= window:
                occasion = math.ceil(occasion / long_cycle) * long_cycle
        return self._origin + occasion

    def _paging(self) -> None:
        self._page = None
        paged, self._paged = self._paged, []
        if self.state is _S.POWER_SAVING:
            for item in paged:
                self._downlink_waits(*item)
            return
        for socket, payload in paged:
            self._jobs.append(self._downlink_of(socket, payload))
        self._proceed()

    def _downlink_of(self, socket: int, payload: bytes) -> Callable[[], None]:
        return lambda: self._downlink_job(socket, payload)

    # -- searching and registering -----------------------------------------------------------------

    def _search(self) -> None:
        shortest, longest = self._network.search_s
        self._draw()
        self._active = self._timers.after(self._rng.uniform(shortest, longest), self._searched)

    def _searched(self) -> None:
        self._active = None
        if not self.signal().in_coverage:
            self._set(self._currents.awake_a, Part.SETUP, Activity.WAITING)
            self._active = self._timers.after(_SEARCH_PAUSE_S, self._search)
            return
        self._connection.fire(_E.CELL_FOUND)
        self._draw()
        if self._attached:
            self._set_status(5 if self._network.roaming else 1)
        elif self._attach_wanted:
            self._jobs.appendleft(self._attach_job)
        else:
            self._set_status(0)
        self._proceed()
        self._idle()

    def _coverage_changed(self) -> None:
        if self.signal().in_coverage or self.state in (_S.OFF, _S.SEARCHING, _S.POWER_SAVING):
            return
        self._cell_lost()

    def _cell_lost(self) -> None:
        connected = self.state is _S.CONNECTED
        power_saving = self.state is _S.POWER_SAVING
        self._stop()
        self._connection.fire(_E.CELL_LOST)
        self.counters.lost_downlink += len(self._paged)
        self._paged.clear()
        if power_saving:
            self._observer.power_saving_changed(False)
        if connected:
            self._observer.connection_changed(False)
        self._set_status(2)
        self._search()

    def _attach_job(self) -> None:
        def finish() -> None:
            if self._network.reject_cause is not None:
                self.reject_cause = self._network.reject_cause
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
            _cancel(self._inactivity)
            self._running = True
            self._jobs.popleft()()

    def _connect(self) -> None:
        if not self.signal().in_coverage:
            self._cell_lost()
            return
        asleep = self.state is _S.POWER_SAVING
        self._connection.fire(_E.CONNECTION_NEEDED)
        _cancel(self._t3324, self._t3412)
        if asleep:
            self._observer.power_saving_changed(False)
        resynchronise_s = RESYNCHRONISE_SLEEP_S if asleep else RESYNCHRONISE_IDLE_S
        now, network_s = self._timers.now, self._network.signalling_delay_s
        access = self._channel.random_access(now, resynchronise_s, network_s)
        complete = self._channel.uplink(now, SETUP_COMPLETE_BYTES)
        segments = (
            *access.segments,
            *complete.segments,
            Segment(network_s, Activity.RECEIVING),
        )
        self._play(segments, Part.SETUP, self._connected)

    def _connected(self) -> None:
        if not self.signal().in_coverage:
            self._connection.fire(_E.CONNECTION_FAILED)
            self._draw()
            self._active = self._timers.after(_RETRY_S, self._proceed)
            return
        self._connection.fire(_E.CONNECTION_UP)
        self._granted = True
        self._observer.connection_changed(True)
        for socket, payload in (*self._paged, *self._kept):
            self._jobs.append(self._downlink_of(socket, payload))
        self._paged.clear()
        self._kept.clear()
        _cancel(self._page)
        self._page = None
        self._proceed()

    def _job_done(self) -> None:
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
            wait_s = _RELEASE_AFTER_SIGNALLING_S
        self._inactivity = self._timers.after(wait_s, self._release)

    def _release(self) -> None:
        """The network's release reaches the module."""
        self._running = True  # nothing else starts while it is on the air
        transfer = self._channel.downlink(self._timers.now, RELEASE_BYTES)
        self._play(transfer.segments, Part.TAIL, self._released)

    def _released(self) -> None:
        self._running = False
        if self._jobs:  # something came in between: the release is void
            self._proceed()
            return
        self._release_after = 0
        self._connection.fire(_E.RELEASED)
        self._draw()
        self._observer.connection_changed(False)
        self._idle()

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
        _cancel(self._page)
        self._page = None
        paged, self._paged = self._paged, []
        self._draw()
        self._observer.power_saving_changed(True)
        for socket, payload in paged:
            self._downlink_waits(socket, payload)

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

        self._play(segments, Part.SETUP, finish)

    def _uplink_job(self, socket: int, payload: bytes, header_bytes: int, release: int) -> None:
        size = len(payload) + header_bytes + NAS_OVERHEAD_BYTES
        transfer = self._channel.uplink(self._timers.now, size)
        segments = (*self._request_grant(), *transfer.segments)

        self._uplink_running = True

        def finish() -> None:
            self._uplinks -= 1
            self._uplink_running = False
            self._leave(socket, payload, transfer)
            self._release_after = release
            self._job_done()

        self._play(segments, Part.TRANSMIT, finish)

    def _request_grant(self) -> tuple[Segment, ...]:
        """Ask for uplink resources, unless the set-up has just told that there is data."""
        granted, self._granted = self._granted, bool(self._jobs)
        if granted:
            return ()
        return self._channel.scheduling_request(self._timers.now).segments

    def _leave(self, socket: int, payload: bytes, transfer: Transfer) -> None:
        lost = self._core_rng.random() < self._network.core_loss
        if lost or not transfer.delivered:
            self.counters.lost_uplink += 1
            return

        def arrive() -> None:
            self.counters.sent += 1
            self._observer.datagram_left(socket, payload)

        self._timers.after(self._network.core_delay_s, arrive)

    def _downlink_job(self, socket: int, payload: bytes) -> None:
        def finish() -> None:
            self.counters.received += 1
            self._observer.datagram_arrived(socket, payload)
            if self._release_after == 2:
                self._release_after = 1  # that was the one answer: nothing follows

        self._downlink(len(payload) + 28, finish)

    def _downlink(self, size: int, done: Callable[[], None]) -> None:
        transfer = self._channel.downlink(self._timers.now, size + NAS_OVERHEAD_BYTES)

        def finish() -> None:
            if transfer.delivered:
                done()
            else:
                self.counters.lost_downlink += 1
            self._job_done()

        self._play(transfer.segments, Part.RECEIVE, finish)

    # -- the radio's doings and their current ------------------------------------------------------

    def _play(self, segments: Sequence[Segment], part: Part, done: Callable[[], None]) -> None:
        """Let the radio do ``segments`` one after the other, then call ``done``."""
        remaining = iter(segments)

        def step() -> None:
            segment = next(remaining, None)
            if segment is None:
                self._active = None
                done()
                return
            self._set(self._current_of(segment), part, segment.activity)
            self._active = self._timers.after(segment.duration_s, step)

        step()

    def _current_of(self, segment: Segment) -> float:
        if segment.activity is Activity.TRANSMITTING:
            return transmit_current_a(self._currents, segment.power_dbm)
        if segment.activity is Activity.RECEIVING:
            return self._currents.receive_a
        return self._currents.awake_a

    def _set(self, current_a: float, part: Part, activity: Activity, share: float = 1.0) -> None:
        self._meter.set(self._timers.now, current_a, part, activity, share)

    def _draw_state(self) -> None:
        """The processor changed: matters only where the radio doesn't decide."""
        if self.state in (_S.OFF, _S.IDLE, _S.POWER_SAVING):
            self._draw()

    def _draw(self) -> None:
        """Set the draw that follows from the state when no segment is being played."""
        currents = self._currents
        if self.state is _S.SEARCHING:
            self._set(currents.receive_a, Part.SETUP, Activity.RECEIVING)
        elif self.state is _S.CONNECTED:
            share = self._network.connected_monitoring
            mean = share * currents.receive_a + (1 - share) * currents.awake_a
            self._set(mean, Part.TAIL, Activity.RECEIVING, share)
        elif self.state is not _S.CONNECTING:
            base = {
                "awake": currents.awake_a,
                "light sleep": currents.light_sleep_a,
                "deep sleep": currents.deep_sleep_a,
            }[self._processor]
            if self.state is _S.IDLE:
                share = self._paging_share()
                base = (1 - share) * base + share * currents.receive_a
            self._set(base, Part.SLEEP, Activity.ASLEEP)

    def _paging_share(self) -> float:
        """Share of the time in idle that the receiver listens for paging."""
        share = PAGING_S / self._network.drx_cycle_s
        if self.granted_edrx is not None:
            window = paging_window_s(self._network.paging_window)
            share *= min(1.0, window / EDRX_CYCLES_S.get(self.granted_edrx, 20.48))
        return share

    def _stop(self) -> None:
        """Forget every timer of the radio."""
        _cancel(self._active, self._inactivity, self._t3324, self._t3412, self._page)
        self._active = self._page = None
        self._running = False
        if self._uplink_running:
            self._uplink_running = False
            self._uplinks -= 1
            self.counters.lost_uplink += 1
        self._release_after = 0
        self._quick_release = False


def _cancel(*timers: Timer | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
