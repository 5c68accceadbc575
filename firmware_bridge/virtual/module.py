"""A virtual module: a line on one side, a network on the other, time passed in from outside.

No I/O here. :meth:`VirtualModule.write` takes what the host wrote, :meth:`VirtualModule.datagram`
what came back from the far end; :meth:`VirtualModule.take_output` gives what the host reads,
:meth:`VirtualModule.take_actions` what the network has to do. :meth:`VirtualModule.next_timer` says
when to call :meth:`VirtualModule.advance` if nothing happens before. Every random choice comes from
the seed: the same inputs at the same times give the same outputs.
"""

from __future__ import annotations

import ipaddress
import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from firmware_bridge.aka import AkaFunction, NetworkFunction
from firmware_bridge.virtual.actions import (
    Action,
    DatagramSent,
    Event,
    EventKind,
    LineLost,
    NameAsked,
    SocketClosed,
    SocketOpened,
    SocketRebound,
)
from firmware_bridge.virtual.card_reader import CardReader
from firmware_bridge.virtual.current import Draw, Energy
from firmware_bridge.virtual.dialects import dialect
from firmware_bridge.virtual.equipment import UserEquipment
from firmware_bridge.virtual.faults import FaultKind
from firmware_bridge.virtual.nat import Nat
from firmware_bridge.virtual.observer import Counters
from firmware_bridge.virtual.parameters import BC66_CURRENTS, FAMILY_CURRENTS
from firmware_bridge.virtual.radio import Signal
from firmware_bridge.virtual.rrc import ConnectionState
from firmware_bridge.virtual.scheduler import Timer, Timers
from firmware_bridge.virtual.session import Session
from firmware_bridge.virtual.settings import ModuleSettings
from firmware_bridge.virtual.usim import UsimCard

__all__ = ["VirtualModule"]

_LOOKUP_TIMEOUT_S = 30.0
_EVENTS_KEPT = 10_000
_FLOOD_LINE_S = 0.020


class VirtualModule:
    """See the module's docstring.

    Args:
        family: Which dialect it speaks; see :data:`firmware_bridge.virtual.dialects.FAMILIES`.
        settings: Everything that can be set.
        seed: Of every random choice.
        now: The present, seconds on the clock that all later calls use.
        aka: The USIM's authentication; None: a card that has none.
        gba: The same in the GBA context, see :mod:`firmware_bridge.virtual.usim`.
        network: The network's side of AKA at each attach; None: it attaches every card.

    Raises:
        ValueError: no such family.
    """

    def __init__(
        self,
        family: str = "bc66",
        settings: ModuleSettings | None = None,
        seed: int = 0,
        now: float = 0.0,
        aka: AkaFunction | None = None,
        gba: AkaFunction | None = None,
        network: NetworkFunction | None = None,
    ) -> None:
        self.family = family
        session = dialect(family)
        self.settings = _with_currents(settings or ModuleSettings(), family)
        self.seed = seed
        self.timers = Timers()
        """Used by the parts of the module only."""
        self.timers.now = now
        self._output = bytearray()
        self._actions: list[Action] = []
        self._events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        baudrate = self.settings.line.baudrate
        if baudrate is None:
            baudrate = session.baudrate
        self.baudrate = baudrate
        """Speed of the line, bits per second; 0: bytes take no time."""
        self._arrived = now
        self._sent = now
        self._asleep = False
        self._lock_s = self.settings.power.sleep_lock_s
        self._sleep_depth = "deep"
        self._waking: Timer | None = None
        self._booting = False
        self._silent_until = now
        self._garbage_until = now
        self._garble = 0
        self.card_present = self.settings.card.present
        """Whether there is a card in the slot now; for the dialect."""
        card = UsimCard(self.settings.card, self.settings.usim, aka, gba)
        self.card_reader = CardReader(card, self.settings.usim, now)
        """The way to the card; for the dialect."""
        self._nat = Nat(self.settings.network.nat_timeout_s)
        self._fault_rng = random.Random(f"{seed}/faults")
        self._lock: Timer | None = None
        self._lookups: dict[int, Callable[[str | None], None]] = {}
        self._tokens = 0
        self._open: set[int] = set()
        self._tunnels: dict[tuple[str, int], int] = {}
        self._far_end = self.settings.network.non_ip_far_end
        self._handles = 0

        def authenticate() -> bool:
            return aka is None or network is None or network(aka)

        self.equipment = UserEquipment(self.settings, seed, self.timers, self, authenticate)
        """The radio side; for the dialect."""
        self._session: Session = session(self, random.Random(f"{seed}/line"))
        if self.settings.booted:
            self._session.booted()
            self._restart_lock()
        else:
            self._boot()
        for fault in self.settings.faults:
            self.timers.at(now + fault.at_s, partial(self.fail, fault.kind, fault.duration_s))

    # -- time ------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When :meth:`advance` is next needed, or None."""
        return self.timers.next()

    def advance(self, now: float) -> None:
        """Let everything happen that is due up to ``now``."""
        self.timers.run(now)

    def stand(self, rsrp_dbm: float, now: float) -> None:
        """Put the module where its cell is heard so well, -150 to -40 dBm in the mean."""
        self.advance(now)
        self.equipment.stand(rsrp_dbm)

    # -- the line --------------------------------------------------------------------------------

    def write(self, data: bytes, now: float) -> None:
        """The host wrote ``data`` to the line, beginning at ``now``."""
        self.advance(now)
        self._arrived = max(self._arrived, now) + len(data) * self._byte_s()
        if self._arrived > now:
            self.timers.at(self._arrived, lambda: self._hear(data))
        else:
            self._hear(data)

    def _hear(self, data: bytes) -> None:
        if self._asleep and not self._session.deaf_asleep:
            self._awake()
        if self._asleep:
            if self.settings.power.wake_by_rxd and self._waking is None:
                self._waking = self.timers.after(self.settings.power.wake_s, self._awake)
            return
        if self._booting or self.timers.now < self._silent_until:
            return
        self._session.receive(data)

    def emit(self, data: bytes) -> None:
        """Put ``data`` on the line to the host; for the dialect."""
        if self.timers.now < self._silent_until:
            return
        if self._garble > 0 or self.timers.now < self._garbage_until:
            self._garble = max(0, self._garble - 1)
            data = self._fault_rng.randbytes(len(data))
        self._sent = max(self._sent, self.timers.now) + len(data) * self._byte_s()
        if self._sent > self.timers.now:
            self.timers.at(self._sent, lambda: self._output.extend(data))
        else:
            self._output += data

    def _byte_s(self) -> float:
        return 10.0 / self.baudrate if self.baudrate else 0.0

    def heard_at(self, data: bytes, baudrate: int) -> bytes:
        """What ``data`` becomes when one side of the line runs at ``baudrate``.

        Unchanged unless the settings are strict about it and it is not the module's speed.
        """
        if not self.settings.line.strict_baudrate or baudrate == self.baudrate or not data:
            return data
        ratio = max(0.1, min(10.0, baudrate / self.baudrate)) if self.baudrate else 1.0
        return self._fault_rng.randbytes(max(1, round(len(data) * ratio)))

    def take_output(self) -> bytes:
        """What the host reads from the line now."""
        output = bytes(self._output)
        self._output.clear()
        return output

    # -- the network -----------------------------------------------------------------------------

    def take_actions(self) -> list[Action]:
        """What the network around the module has to do, in order."""
        actions, self._actions = self._actions, []
        return actions

    def take_datagrams(self) -> list[DatagramSent]:
        """Only the datagrams among the actions; the others stay for :meth:`take_actions`."""
        datagrams = [action for action in self._actions if isinstance(action, DatagramSent)]
        self._actions = [a for a in self._actions if not isinstance(a, DatagramSent)]
        return datagrams

    def datagram(self, socket: int, payload: bytes, now: float) -> None:
        """A datagram for ``socket`` came from the far end."""
        self.advance(now)
        if self.is_tunnel(socket) or self._nat.inbound(socket, now):
            self.equipment.deliver(socket, payload)
        else:
            self.counters.lost_downlink += 1

    def resolved(self, token: int, address: str | None, now: float) -> None:
        """The answer to :class:`~firmware_bridge.virtual.actions.NameAsked`; None: no such name."""
        self.advance(now)
        waiting = self._lookups.pop(token, None)
        if waiting is not None:
            waiting(address)

    def open_socket(self, address: str, port: int, local_port: int) -> int:
        """For the dialect: a socket exists; returns its number, never used again."""
        self._handles += 1
        socket = self._handles
        self._open.add(socket)
        self._actions.append(
            SocketOpened(
                at=self.timers.now,
                socket=socket,
                address=address,
                port=port,
                local_port=local_port,
            )
        )
        return socket

    def close_socket(self, socket: int) -> None:
        """For the dialect: a socket is gone."""
        if socket in self._open:
            self._open.remove(socket)
            self._nat.forget(socket)
            self._actions.append(SocketClosed(at=self.timers.now, socket=socket))

    def tunnel_to(self, address: str, port: int, now: float) -> None:
        """Provision the network: non-IP data go to this far end from now on.

        Each far end has a tunnel of its own, with a port of the network's own towards it, for as
        long as the PDN connection lasts: deep sleep ends none, a detach ends them all.
        """
        self.advance(now)
        self._far_end = (address, port)

    def tunnel(self) -> int | None:
        """For the dialect: the number of the tunnel that non-IP data take; None: nowhere to go."""
        if self._far_end is None:
            return None
        if self._far_end not in self._tunnels:
            socket = self.open_socket(*self._far_end, 0)
            self._tunnels[self._far_end] = socket
            self.equipment.without_ip.add(socket)
        return self._tunnels[self._far_end]

    def is_tunnel(self, socket: int) -> bool:
        """For the dialect: whether it is a tunnel of the network's, and no socket of the module."""
        return socket in self._tunnels.values()

    def _close_tunnels(self) -> None:
        """The PDN connection is over."""
        for socket in self._tunnels.values():
            self.close_socket(socket)
        self._tunnels.clear()

    def look_up(self, host: str, done: Callable[[str | None], None]) -> None:
        """For the dialect: resolve ``host``; ``done`` gets an address or None."""
        try:
            address: str | None = str(ipaddress.ip_address(host))
        except ValueError:
            address = dict(self.settings.network.names).get(host.lower())
        if address is not None:
            done(address)
            return
        self._tokens += 1
        token = self._tokens
        self._lookups[token] = done
        self._actions.append(NameAsked(at=self.timers.now, token=token, host=host))

        def give_up() -> None:
            waiting = self._lookups.pop(token, None)
            if waiting is not None:
                waiting(None)

        self.timers.after(_LOOKUP_TIMEOUT_S, give_up)

    # -- what can be seen ------------------------------------------------------------------------

    def take_events(self) -> list[Event]:
        """What happened since the last call (the latest 10,000)."""
        events = list(self._events)
        self._events.clear()
        return events

    def energy(self, now: float) -> Energy:
        """Energy taken from the supply since the module was made, up to ``now``."""
        self.advance(now)
        return self.equipment.energy()

    @property
    def energy_j(self) -> float:
        """Joules since the module was made, up to its latest moment."""
        return self.equipment.energy().total_j

    @property
    def current_a(self) -> float:
        """Supply current now, amperes."""
        return self.equipment.current_a

    def take_current_trace(self) -> list[Draw]:
        """Changes of current since the last call; needs ``power.trace_length`` in the settings."""
        return self.equipment.meter.take_trace()

    @property
    def state(self) -> ConnectionState:
        """Where the radio connection stands."""
        return self.equipment.state

    @property
    def signal(self) -> Signal:
        """Coverage now: what QENG and CESQ report."""
        return self.equipment.signal()

    @property
    def counters(self) -> Counters:
        """Datagrams sent, received, lost."""
        return self.equipment.counters

    @property
    def asleep(self) -> bool:
        """The processor is down; the line is deaf."""
        return self._asleep

    # -- faults and pins -------------------------------------------------------------------------

    def fail(self, kind: FaultKind, duration_s: float = 0.0, now: float | None = None) -> None:
        """Let something go wrong: now, or at ``now`` when given from outside."""
        if now is not None:
            self.advance(now)
        present, until = self.timers.now, self.timers.now + duration_s
        self._record(EventKind.FAULT)
        if kind is FaultKind.REBOOT:
            self.restart()
        elif kind is FaultKind.HANG:
            self._silent_until = until
        elif kind is FaultKind.GARBAGE:
            self._garbage_until = until
        elif kind is FaultKind.FLOOD:
            self._flood(until)
        elif kind is FaultKind.NETWORK_LOST:
            self.equipment.lose_network(duration_s)
        elif kind is FaultKind.CARD_REMOVED:
            self.card_present = False
            self.card_off()
            self.equipment.switch_off()
            self._session.card_changed()
            self.timers.after(duration_s, self._card_back)
        elif kind is FaultKind.VANISH:
            self._actions.append(LineLost(at=present, duration_s=duration_s))
            self._silent_until = until
            self.equipment.reset()
            self.timers.at(until, self.restart)

    def card_off(self) -> None:
        """For the dialect: the card loses its power, and with it every selection."""
        self.card_reader.reset(self.timers.now)

    def _card_back(self) -> None:
        self.card_off()
        self.card_present = True
        self._session.card_changed()

    def _flood(self, until: float) -> None:
        if self.timers.now < until:
            text = bytes(self._fault_rng.randint(0x20, 0x7E) for _ in range(40))
            self.emit(b"\r\n" + text + b"\r\n")
            self.timers.after(_FLOOD_LINE_S, lambda: self._flood(until))

    def silence(self, duration_s: float, now: float) -> None:
        """For ``duration_s`` the module neither hears nor says anything."""
        self.fail(FaultKind.HANG, duration_s, now)

    def garble(self, chunks: int, now: float) -> None:
        """The next ``chunks`` pieces of output (an echo, a line) are random bytes."""
        self.advance(now)
        self._garble = chunks

    def reboot(self, now: float) -> None:
        """The module restarts by itself now, without detaching."""
        self.fail(FaultKind.REBOOT, now=now)

    def wake_pin(self, now: float) -> None:
        """A falling edge on PSM_EINT."""
        self.advance(now)
        if self._asleep and self._waking is None:
            self._waking = self.timers.after(self.settings.power.wake_s, self._awake)

    # -- restarting and sleeping -----------------------------------------------------------------

    def restart(self) -> None:
        """For the dialect: reset now."""
        self._session.alive = False
        self._close_tunnels()
        self._close_sockets()
        self.equipment.reset()
        self._session = self._session.restarted()
        self._record(EventKind.RESTARTED)
        self._boot()

    def _boot(self) -> None:
        self._booting = True
        self._asleep = False
        _cancel(self._waking, self._lock)
        self._waking = None
        self.card_off()
        self.equipment.set_processor("awake")
        self.emit(self._session.boot_lines())
        session = self._session

        def ready() -> None:
            if session is self._session:
                self._booting = False
                session.announce()
                session.booted()
                self._restart_lock()

        self.timers.after(self.settings.line.boot_s, ready)

    def note_command(self) -> None:
        """For the session: a command came, stay awake."""
        self._restart_lock()

    def release_lock(self) -> None:
        """For the dialect: the host allows sleep at once (QRELLOCK)."""
        _cancel(self._lock)
        self._doze()

    def set_lock(self, seconds: float) -> None:
        """For the dialect: stay awake for ``seconds`` after each command from now on."""
        self._lock_s = seconds
        self._restart_lock()

    def set_sleep(self, depth: str) -> None:
        """For the dialect: how deeply the module may sleep: ``none``, ``light`` or ``deep``."""
        self._sleep_depth = depth
        self._restart_lock()

    def _restart_lock(self) -> None:
        _cancel(self._lock)
        self._lock = self.timers.after(self._lock_s, self._doze)
        self.equipment.set_processor("awake")

    def _doze(self) -> None:
        """The sleep lock is over: sleep as deeply as the radio's state allows."""
        self._lock = None
        if self._asleep or self._booting or self._sleep_depth == "none":
            return
        if not self._session.idle:
            self._restart_lock()
        elif self._sleep_depth == "deep" and self.equipment.state is ConnectionState.POWER_SAVING:
            self._session.falling_asleep()
            self._asleep = True
            self.card_off()  # TS 31.102: the module may switch the card off in PSM
            self._record(EventKind.FELL_ASLEEP)
            closes = self.settings.power.sleep_closes_sockets
            if self._session.sleep_closes_sockets if closes is None else closes:
                self._close_sockets()
                self._session.sockets_lost()
            self.equipment.set_processor("deep sleep")
        else:
            self.equipment.set_processor("light sleep")

    def _awake(self) -> None:
        self._waking = None
        if self._asleep:
            self._asleep = False
            self._record(EventKind.WOKE_UP)
            self._restart_lock()
            self._session.woke_up()

    def _close_sockets(self) -> None:
        for socket in sorted(self._open):
            if not self.is_tunnel(socket):
                self.close_socket(socket)

    # -- what the equipment reports (Observer) ---------------------------------------------------

    def registration_changed(self) -> None:
        """See :class:`~firmware_bridge.virtual.observer.Observer`."""
        self._record(EventKind.REGISTRATION, self.equipment.status)
        if self.equipment.address is None:
            self._close_tunnels()
        self._session.registration_changed()

    def connection_changed(self, connected: bool) -> None:
        """See :class:`~firmware_bridge.virtual.observer.Observer`."""
        self._record(EventKind.CONNECTED if connected else EventKind.RELEASED)
        self._session.connection_changed(connected)

    def power_saving_changed(self, entered: bool) -> None:
        """See :class:`~firmware_bridge.virtual.observer.Observer`."""
        self._record(EventKind.POWER_SAVING_ENTERED if entered else EventKind.POWER_SAVING_LEFT)
        if not entered and self._asleep:
            self._awake()
        self._session.power_saving_changed(entered)
        if entered and self._lock is None:
            self._doze()

    def edrx_changed(self) -> None:
        """See :class:`~firmware_bridge.virtual.observer.Observer`."""
        self._session.edrx_changed()

    def datagram_left(self, socket: int, payload: bytes) -> None:
        """See :class:`~firmware_bridge.virtual.observer.Observer`."""
        self._record(EventKind.SENT, len(payload))
        if not self.is_tunnel(socket) and self._nat.outbound(socket, self.timers.now):
            self._actions.append(SocketRebound(at=self.timers.now, socket=socket))
        self._actions.append(DatagramSent(at=self.timers.now, socket=socket, payload=payload))

    def datagram_arrived(self, socket: int, payload: bytes) -> None:
        """See :class:`~firmware_bridge.virtual.observer.Observer`."""
        self._record(EventKind.RECEIVED, len(payload))
        self._session.datagram_arrived(socket, payload)

    def _record(self, kind: EventKind, value: int = 0) -> None:
        self._events.append(Event(at=self.timers.now, kind=kind, value=value))


def _with_currents(settings: ModuleSettings, family: str) -> ModuleSettings:
    """Fill in what a module of the family draws, where the settings don't say."""
    if settings.power.currents is not None:
        return settings
    currents = FAMILY_CURRENTS.get(family.lower(), BC66_CURRENTS)
    return replace(settings, power=replace(settings.power, currents=currents))


def _cancel(*timers: Timer | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
