"""Cell reselection: what is reported, and when the network is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from firmware_bridge.virtual import ConnectionState, EventKind, ModuleSettings, Move

Hands = Callable[..., Any]
FAR = Move(at_s=100.0, cell=0x0ABCDEF, tracking_area=0x1234, physical_cell=7)
NEAR = Move(at_s=100.0, cell=0x0ABCDEF)


def moving(steady: ModuleSettings, *moves: Move) -> ModuleSettings:
    return replace(steady, radio=replace(steady.radio, moves=moves))


def test_another_cell_of_the_same_area_is_reported_and_costs_nothing(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(moving(steady, NEAR))
    bench.attach("AT+CEREG=2")
    bench.until(1099.0)
    bench.module.take_events()
    assert bench.wait(20) == b'\r\n+CEREG: 1,"33C2","00ABCDEF",9\r\n'
    assert EventKind.CONNECTED not in [event.kind for event in bench.module.take_events()]
    assert b'"00ABCDEF"' in bench.ask("AT+QENG=0")


def test_another_tracking_area_wants_an_update(hand: Hands, steady: ModuleSettings) -> None:
    bench = hand(moving(steady, FAR))
    bench.attach("AT+CEREG=2", "AT+CSCON=1")
    bench.until(1099.0)
    assert bench.wait(20) == (
        b'\r\n+CEREG: 1,"1234","00ABCDEF",9\r\n\r\n+CSCON: 1\r\n\r\n+CSCON: 0\r\n'
    )
    assert b",7," in bench.ask("AT+QENG=0")


def test_who_only_wants_the_state_hears_nothing_of_it(hand: Hands, steady: ModuleSettings) -> None:
    bench = hand(moving(steady, FAR))
    bench.attach("AT+CEREG=1")
    bench.until(1099.0)
    assert bench.wait(20) == b""
    # Nor of granted timers: the state is the same as before.
    assert bench.ask('AT+CPSMS=1,,,"00100001","00001111"', 10) == b"\r\nOK\r\n"


def test_in_power_saving_the_move_is_noticed_at_the_next_connection(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(moving(steady, FAR))
    bench.attach("AT+CEREG=2", 'AT+CPSMS=1,,,"10101100","00000000"')  # T3412 12 min
    bench.wait(40)
    assert bench.module.state is ConnectionState.POWER_SAVING
    bench.until(1200.0)
    assert b"ABCDEF" not in b"".join(data for _, data in bench.output)
    assert b'\r\n+CEREG: 1,"1234","00ABCDEF",9\r\n' in bench.wait(720)


def test_a_connection_stays_where_it_is_until_it_is_released(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(moving(steady, FAR))
    bench.attach("AT+CEREG=2", "AT+CSCON=1", 'AT+QIOPEN=1,0,"UDP","192.0.2.1",5683')
    bench.until(1095.0)
    bench.ask("AT+QISEND=0,2,hi", 10)
    assert bench.module.state is ConnectionState.CONNECTED
    said = bench.wait(30)
    assert said.startswith(b'\r\n+CSCON: 0\r\n\r\n+CEREG: 1,"1234","00ABCDEF",9\r\n')
    assert said.endswith(b"\r\n+CSCON: 1\r\n\r\n+CSCON: 0\r\n")


def test_a_neul_module_reports_in_its_own_form(hand: Hands, steady: ModuleSettings) -> None:
    bench = hand(moving(steady, FAR), family="bc95")
    bench.wait(60)
    bench.ask("AT+CEREG=2")
    bench.until(1099.0)
    assert b"\r\n+CEREG:1,1234,00ABCDEF,9\r\n" in bench.wait(20)
    assert b"Cell ID:11259375\r\n" in bench.ask("AT+NUESTATS")
