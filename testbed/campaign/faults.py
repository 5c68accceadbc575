"""What goes wrong with the module during a campaign: noticed, named, kept until dealt with.

====================  ===========================================================================
name                  what was noticed
====================  ===========================================================================
``line-lost``         the port is gone: USB unplugged, serial server closed
``rebooted``          a boot banner that nobody had asked for
``sim-lost``          the SIM is out, or can't be used
``network-lost``      the module is not registered any more, or has no address
``silent``            no answer to a command within its time
``garbage``           octets that are no line, `GARBAGE_LINES` times or in an answer's place
``flood``             lines that nobody had asked for, `FLOOD_LINES` of them
``refused``           message after message was refused, for whatever reason
====================  ===========================================================================

Several may show at once (a module that vanishes was rebooted, too): the one that stands highest in
this table is kept. The banner of a module that is plugged in again is no other fault. A flood that
goes on is the same one, and noted once. A module that is on its way to the network has not lost it:
that is noted only once `attached` was said.
"""

from __future__ import annotations

from math import inf

from firmware_bridge import (
    Detached,
    LineVanished,
    ModuleError,
    ModuleEvent,
    ModuleRebooted,
    ModuleTimeout,
    NetworkContextLost,
    NoiseRead,
    PortError,
    Rebooted,
    RegistrationChanged,
    SimChanged,
    SimNotReady,
    UnexpectedAnswer,
)

__all__ = ["FAULTS", "FaultWatch"]

FAULTS = (
    "line-lost",
    "rebooted",
    "sim-lost",
    "network-lost",
    "silent",
    "garbage",
    "flood",
    "refused",
)
"""Names of faults, the gravest first: short and stable, since readers count them."""

FLOOD_LINES = 20
"""So many unasked lines that mean nothing since the last message are a flood; a few are usual."""

GARBAGE_LINES = 3
"""So often something that is no line since the last message: once is usual when a module wakes."""

FLOOD_PAUSE_S = 10.0
"""After so long without an unasked line a flood is over: what comes then is another one."""

REFUSED_MESSAGES = 2
"""So many messages in a row that the module did not send are a fault, whatever it answered."""

_BY_ERROR: tuple[tuple[type[ModuleError], str], ...] = (
    (PortError, "line-lost"),
    (ModuleRebooted, "rebooted"),
    (SimNotReady, "sim-lost"),
    (Detached, "network-lost"),
    (ModuleTimeout, "silent"),
    (UnexpectedAnswer, "garbage"),
)


class FaultWatch:
    """Follows a module's events and errors. Subscribe `event` to the module."""

    def __init__(self) -> None:
        self.fault: str | None = None
        """The gravest fault since `clear`."""
        self.since: float = 0.0
        """When the first one was noticed, by the loop's clock."""
        self._attached = False
        self._flooded_at: float | None = None
        self._garbage_at = -inf
        self._garbage = self._lines = self._refused = 0

    def event(self, event: ModuleEvent) -> None:
        """Take one event of the module."""
        match event:
            case LineVanished():
                self.note("line-lost", event.at)
            case Rebooted(expected=False):
                self.note("rebooted", event.at)
            case SimChanged() if event.state != "READY":
                self.note("sim-lost", event.at)
            case RegistrationChanged() if not event.registration.registered:
                self._network_lost(event.at)
            case NetworkContextLost():
                self._network_lost(event.at)
            case NoiseRead(garbage=True):
                self._garbage_at = event.at
                self._garbage += 1
                if self._garbage >= GARBAGE_LINES:
                    self.note("garbage", event.at)
            case NoiseRead():
                self._unasked(event.at)

    def _network_lost(self, at: float) -> None:
        if self._attached:
            self.note("network-lost", at)

    def _unasked(self, at: float) -> None:
        """A line came that nobody had asked for."""
        if self._flooded_at is not None:
            if at - self._flooded_at < FLOOD_PAUSE_S:
                self._flooded_at = at
                return
            self._flooded_at = None
            self._lines = 0
        self._lines += 1
        if self._lines >= FLOOD_LINES:
            self._flooded_at = at
            self.note("flood", at)

    def error(self, error: ModuleError, at: float) -> None:
        """Take an error of the module's driver, raised at ``at``; not each one is a fault."""
        if isinstance(error, ModuleTimeout) and self.missed(at - error.waited_s, at):
            return
        for kind, fault in _BY_ERROR:
            if isinstance(error, kind):
                self.note(fault, at)
                return

    def missed(self, since: float, at: float) -> bool:
        """What was waited for from ``since`` to ``at`` did not come.

        Returns:
            Whether garbage came in its place: a fault then.
        """
        if self._garbage_at < since:
            return False
        self.note("garbage", at)
        return True

    def message(self, *, refused: bool, at: float) -> None:
        """A message is over at ``at``; whether the module did not send it."""
        self._garbage = self._lines = 0
        self._refused = self._refused + 1 if refused else 0
        if self._refused >= REFUSED_MESSAGES:
            self.note("refused", at)

    def note(self, fault: str, at: float) -> None:
        """Keep a fault, unless a graver one is known."""
        if self.fault is None:
            self.since = at
            self.fault = fault
        elif FAULTS.index(fault) < FAULTS.index(self.fault):
            self.fault = fault

    def plugged_in(self) -> None:
        """The module answers on a line that was opened again: its boot belongs to the loss."""
        if self.fault == "rebooted":
            self.fault = None

    def attached(self) -> None:
        """The module is attached, and heard: only what broke that off once more remains."""
        if self.fault not in ("line-lost", "rebooted"):
            self.clear()
        self._attached = True

    def clear(self) -> None:
        """What was noticed is dealt with, and the module on its way to be attached again."""
        self.fault = None
        self._attached = False
        self._garbage = self._lines = self._refused = 0
