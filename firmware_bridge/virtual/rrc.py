"""States of the radio connection, as a table.

The table says which moves exist; :class:`Connection` refuses every other, so that a fault in the
machine around it is seen at once and not as a strange latency. What causes the events, and what
each state means for the terminal and the battery, is in :mod:`firmware_bridge.virtual.equipment`.

Rules, from TS 36.331 (RRC), TS 36.304 (idle mode) and TS 24.301 (power saving):

* a module that is switched on searches for a cell before it can do anything else;
* it connects from idle or from power saving mode, for data, for signalling or because it was paged
  (never paged in power saving mode);
* the network releases the connection: after its inactivity timer, or at once when the module said
  that it has nothing more (release assistance);
* T3324 runs from the release; when it ends the module is in power saving mode and unreachable
  until it connects by itself, for data or when T3412 demands a tracking area update;
* losing the cell leads back to searching from wherever it happens.
"""

from __future__ import annotations

import enum

__all__ = ["TRANSITIONS", "Connection", "ConnectionEvent", "ConnectionState"]


class ConnectionState(enum.Enum):
    """Where the radio connection stands."""

    OFF = "off"
    """Radio off: CFUN 0 or 4."""
    SEARCHING = "searching"
    """Looking for a cell."""
    IDLE = "idle"
    """Camped on a cell, reachable by paging."""
    CONNECTING = "connecting"
    """Random access and connection set-up."""
    CONNECTED = "connected"
    """RRC connection up."""
    POWER_SAVING = "power saving"
    """Registered, but unreachable: PSM."""


class ConnectionEvent(enum.Enum):
    """What moves it."""

    SWITCHED_ON = "switched on"
    CELL_FOUND = "cell found"
    CONNECTION_NEEDED = "connection needed"
    CONNECTION_UP = "connection up"
    CONNECTION_FAILED = "connection failed"
    RELEASED = "released"
    ACTIVE_TIME_OVER = "T3324 over"
    CELL_LOST = "cell lost"
    SWITCHED_OFF = "switched off"


_S = ConnectionState
_E = ConnectionEvent

TRANSITIONS: dict[tuple[ConnectionState, ConnectionEvent], ConnectionState] = {
    (_S.OFF, _E.SWITCHED_ON): _S.SEARCHING,
    (_S.SEARCHING, _E.CELL_FOUND): _S.IDLE,
    (_S.IDLE, _E.CONNECTION_NEEDED): _S.CONNECTING,
    (_S.POWER_SAVING, _E.CONNECTION_NEEDED): _S.CONNECTING,
    (_S.CONNECTING, _E.CONNECTION_UP): _S.CONNECTED,
    (_S.CONNECTING, _E.CONNECTION_FAILED): _S.IDLE,
    (_S.CONNECTED, _E.RELEASED): _S.IDLE,
    (_S.IDLE, _E.ACTIVE_TIME_OVER): _S.POWER_SAVING,
    (_S.SEARCHING, _E.SWITCHED_OFF): _S.OFF,
    (_S.IDLE, _E.SWITCHED_OFF): _S.OFF,
    (_S.CONNECTING, _E.SWITCHED_OFF): _S.OFF,
    (_S.CONNECTED, _E.SWITCHED_OFF): _S.OFF,
    (_S.POWER_SAVING, _E.SWITCHED_OFF): _S.OFF,
    (_S.IDLE, _E.CELL_LOST): _S.SEARCHING,
    (_S.CONNECTING, _E.CELL_LOST): _S.SEARCHING,
    (_S.CONNECTED, _E.CELL_LOST): _S.SEARCHING,
    (_S.POWER_SAVING, _E.CELL_LOST): _S.SEARCHING,
}
"""(state, event) -> next state. A pair that is not here can't happen."""


class Connection:
    """The state, moved only along :data:`TRANSITIONS`."""

    def __init__(self) -> None:
        self.state = ConnectionState.OFF
        """Where the connection stands."""

    def fire(self, event: ConnectionEvent) -> ConnectionState:
        """Move by ``event`` and return the new state.

        Raises:
            RuntimeError: the table has no such move.
        """
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise RuntimeError(f"no move from {self.state.value!r} by {event.value!r}") from None
        return self.state
