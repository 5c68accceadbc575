"""The user equipment's datagrams: up through the air and the core network, and down again.

This is the part of a module that its AT dialect knows nothing of; registration, connection and
power saving are :class:`~firmware_bridge.virtual.mobility.Mobility`, which it extends.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from firmware_bridge.virtual.current import Part
from firmware_bridge.virtual.mobility import RELEASE_AFTER_SIGNALLING_S, Mobility, cancel
from firmware_bridge.virtual.observer import Observer
from firmware_bridge.virtual.parameters import NAS_OVERHEAD_BYTES
from firmware_bridge.virtual.radio import Activity, Segment, Transfer
from firmware_bridge.virtual.rrc import ConnectionState
from firmware_bridge.virtual.scheduler import Timer, Timers
from firmware_bridge.virtual.settings import ModuleSettings

__all__ = ["UserEquipment"]

_S = ConnectionState

UPLINK_QUEUE = 8
"""Datagrams that wait for the radio at once; more are refused."""


class UserEquipment(Mobility):
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
        super().__init__(settings, seed, timers, observer, authenticate)
        self._core_rng = random.Random(f"{seed}/core")
        self._uplinks = 0
        self._uplink_running = False
        self._uplink_done: Callable[[bool], None] | None = None
        self._page: Timer | None = None
        self.without_ip: set[int] = set()
        """Sockets whose packets have neither IP nor UDP header on the air."""

    # -- up --------------------------------------------------------------------------------------

    def send(
        self,
        socket: int,
        payload: bytes,
        header_bytes: int,
        release: int,
        done: Callable[[bool], None] | None = None,
    ) -> bool:
        """Queue a datagram for the uplink.

        Args:
            socket: Passed back to the observer.
            payload: UDP payload.
            header_bytes: IP and UDP header that the module's own stack adds.
            release: Release assistance: 0 none, 1 nothing follows, 2 one answer follows.
            done: Told whether the base station has it, once that is known.

        Returns:
            False when it was refused: not attached, or the queue is full.
        """
        if not self._attached or self._uplinks >= UPLINK_QUEUE:
            return False
        self._uplinks += 1
        self._queue(lambda: self._uplink_job(socket, payload, header_bytes, release, done))
        return True

    def release_soon(self) -> None:
        """The host has nothing more to send: ask the network for the release (CNMPSD)."""
        if self.state is not _S.CONNECTED or not self._network.release_assistance:
            return
        if self._jobs or self._running:
            self._release_after = 1
        else:
            cancel(self._inactivity)
            self._inactivity = self._timers.after(RELEASE_AFTER_SIGNALLING_S, self._release)

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
            self._player.play(segments, Part.TRANSMIT, answer)

        self._queue(job)
        return True

    def _uplink_job(
        self,
        socket: int,
        payload: bytes,
        header_bytes: int,
        release: int,
        done: Callable[[bool], None] | None,
    ) -> None:
        size = len(payload) + header_bytes + NAS_OVERHEAD_BYTES
        transfer = self._channel.uplink(self._timers.now, size)
        segments = (*self._request_grant(), *transfer.segments)

        self._uplink_running = True
        self._uplink_done = done

        def finish() -> None:
            self._uplinks -= 1
            self._uplink_running = False
            if done is not None:
                done(transfer.delivered)
            self._leave(socket, payload, transfer)
            self._release_after = release
            self._job_done()

        self._player.play(segments, Part.TRANSMIT, finish)

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

    # -- down ------------------------------------------------------------------------------------

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
            self._paging.paged.append((socket, payload))
            if self._page is None:
                occasion = self._paging.next_occasion(self._timers.now, self.granted_edrx)
                self._page = self._timers.at(occasion, self._paged)
        elif not self._paging.keep((socket, payload)):
            self.counters.lost_downlink += 1

    def _paged(self) -> None:
        """The paging occasion has come."""
        self._page = None
        for socket, payload in self._paging.take_paged():
            self._jobs.append(self._downlink_of(socket, payload))
        self._proceed()

    def _downlink_of(self, socket: int, payload: bytes) -> Callable[[], None]:
        return lambda: self._downlink_job(socket, payload)

    def _downlink_job(self, socket: int, payload: bytes) -> None:
        def finish() -> None:
            self.counters.received += 1
            self._observer.datagram_arrived(socket, payload)
            if self._release_after == 2:
                self._release_after = 1  # that was the one answer: nothing follows

        headers = 0 if socket in self.without_ip else 28
        self._downlink(len(payload) + headers, finish)

    def _downlink(self, size: int, done: Callable[[], None]) -> None:
        transfer = self._channel.downlink(self._timers.now, size + NAS_OVERHEAD_BYTES)

        def finish() -> None:
            if transfer.delivered:
                done()
            else:
                self.counters.lost_downlink += 1
            self._job_done()

        self._player.play(transfer.segments, Part.RECEIVE, finish)

    # -- what mobility does to it ----------------------------------------------------------------

    def _reachable(self) -> None:
        for socket, payload in self._paging.take_all():
            self._jobs.append(self._downlink_of(socket, payload))
        cancel(self._page)
        self._page = None

    def _unreachable(self) -> None:
        cancel(self._page)
        self._page = None
        for socket, payload in self._paging.take_paged():
            self._downlink_waits(socket, payload)

    def _interrupted(self) -> None:
        cancel(self._page)
        self._page = None
        self.counters.lost_downlink += len(self._paging.take_paged())
        if self._uplink_running:
            self._uplink_running = False
            self._uplinks -= 1
            self.counters.lost_uplink += 1
            if self._uplink_done is not None:
                self._uplink_done(False)

    def _switched_off(self) -> None:
        self._uplinks = 0
