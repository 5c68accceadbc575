"""The table of connection states."""

from __future__ import annotations

import pytest

from firmware_bridge.virtual.rrc import TRANSITIONS, Connection, ConnectionEvent, ConnectionState


def test_every_state_can_be_reached_from_off_and_left_to_off() -> None:
    reached, frontier = {ConnectionState.OFF}, [ConnectionState.OFF]
    while frontier:
        state = frontier.pop()
        for (start, _), end in TRANSITIONS.items():
            if start is state and end not in reached:
                reached.add(end)
                frontier.append(end)
    assert reached == set(ConnectionState)
    for state in set(ConnectionState) - {ConnectionState.OFF}:
        assert TRANSITIONS[state, ConnectionEvent.SWITCHED_OFF] is ConnectionState.OFF


def test_every_event_moves_something() -> None:
    assert {event for _, event in TRANSITIONS} == set(ConnectionEvent)


def test_nobody_can_be_paged_out_of_power_saving_by_a_release() -> None:
    assert (ConnectionState.POWER_SAVING, ConnectionEvent.RELEASED) not in TRANSITIONS


@pytest.mark.parametrize("state", list(ConnectionState))
@pytest.mark.parametrize("event", list(ConnectionEvent))
def test_a_move_that_is_not_in_the_table_is_refused(
    state: ConnectionState, event: ConnectionEvent
) -> None:
    connection = Connection()
    connection.state = state
    if (state, event) in TRANSITIONS:
        assert connection.fire(event) is TRANSITIONS[state, event] is connection.state
    else:
        with pytest.raises(RuntimeError, match="no move"):
            connection.fire(event)
        assert connection.state is state
