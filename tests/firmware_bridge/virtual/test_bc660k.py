"""What is peculiar to a BC660K-GL, against its recordings and its manual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from firmware_bridge.virtual import CardSettings, ModuleSettings
from firmware_bridge.virtual.dialects.bc66 import TABLE as BC66_TABLE
from firmware_bridge.virtual.dialects.bc660k import AS_ON_A_BC66, TABLE

Hands = Callable[..., Any]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
OPEN = 'AT+QIOPEN=0,0,"UDP","192.0.2.1",5683'


def line(*lines: str) -> bytes:
    return b"\r\n" + "\r\n".join(lines).encode() + b"\r\n" + OK


ATTACHED = [
    ("ATI", line("Quectel_Ltd", "Quectel_BC660K-GL", "Revision: BC660KGLAAR01A")),
    ("AT+CGMI", line("Quectel_Ltd", "Quectel_BC660K-GL", "Revision: QCX212")),
    ("AT+CGMR", line("Revision: BC660KGLAAR01A03")),
    ("AT+QGMR", line("BC660KGLAAR01A03_01.002.01.002")),
    ("AT+CGPADDR", line('+CGPADDR: 0,"10.127.33.7"')),
    ("AT+CGPADDR=1", ERROR),
    ("AT+CGDCONT?", line('+CGDCONT: 0,"IP","IOT","10.127.33.7"')),
    ("AT+CREG?", line("+CREG: 0,6")),
    ("AT+CREG=2;+CREG?", line("+CREG: 2,6")),
    ("AT+CESQ", line("+CESQ: 99,99,255,255,29,49")),
    ("AT+CSQ", line("+CSQ: 13,4")),
    ("AT+QENG=0", line('+QENG: 0,1694,12,284,"022FE6CF",-92,-5,-87,10,3,"33C2",0,14,2')),
    ("AT+QSCLK?", line("+QSCLK: 1")),
    ("AT+QSCLK=3", ERROR),
    ("AT+QSCLK=0;+QSCLK?", line("+QSCLK: 0")),
    ("AT+QPSMS?", line("+QPSMS: 1,3240")),
    ("AT+QNBIOTRAI=1", ERROR),
    ("AT+QNBIOTRAI=2", ERROR),
    ('AT+QCFG="slplocktimes"', line('+QCFG: "slplocktimes",10')),
    ('AT+QCFG="atlocktime"', ERROR),
    ("AT+CBC", line("+CBC: 3300")),
    ("AT+QDRX?", line("+QDRX: 1,2560")),
    ("AT+QIRD=0,100", ERROR),
    ("AT+QRELLOCK", ERROR),
    ('AT+QIOPEN=1,0,"UDP","192.0.2.1",5683', ERROR),
    ('AT+QIOPEN=0,0,"UDP","192.0.2.1",5683,0,0', ERROR),
]


def bench_of(hand: Hands, *commands: str, settings: ModuleSettings | None = None) -> Any:
    bench = hand(settings, family="bc660k") if settings else hand(family="bc660k")
    bench.attach(*commands)
    return bench


def test_every_peculiar_form_answers_as_its_source_says(hand: Hands) -> None:
    bench = bench_of(hand)
    wrong = []
    for command, wanted in ATTACHED:
        got = bench.ask(command)
        if got != wanted:
            wrong.append((command, got, wanted))
    assert wrong == []


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_command_has_a_source_and_its_test_form_ends_in_a_result(
    hand: Hands, name: str
) -> None:
    assert len(TABLE[name].source) >= 5
    assert (name in AS_ON_A_BC66) == (TABLE[name] is BC66_TABLE.get(name))
    if name[0] != "+":
        return
    answer = bench_of(hand).ask(f"AT{name}=?", 20.0)
    assert answer.endswith(OK if TABLE[name].test is not None else ERROR)


def test_a_reset_says_ok_and_then_boots_as_in_the_recording(hand: Hands) -> None:
    bench = bench_of(hand, "AT+CEREG=1")
    bench.write(b"AT+QRST=1\r")
    said = bench.wait(10)
    assert said == (
        b"\r\nOK\r\n\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+CEREG: 2\r\n"
        b"\r\n+CEREG: 1\r\n\r\n+IP: 10.127.33.7\r\n"
    )
    # Echo and reports are in flash, QSCLK is not.
    assert bench.ask("AT+CEREG?") == line("+CEREG: 1,1")
    assert bench.ask("AT+QSCLK?") == line("+QSCLK: 1")


def test_without_a_card_the_radio_comes_up_and_cpin_is_an_error(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(replace(steady, card=CardSettings(present=False)), family="bc660k")
    assert bench.ask("AT") == b"AT\r\r\nOK\r\n"
    bench.ask("ATE0")
    assert bench.ask("AT+QSCLK=0") == OK
    assert bench.ask("AT+QBAND=2,8,20") == OK
    bench.ask("AT+CFUN=0", 3)
    assert bench.ask("AT+CFUN=1") == b"\r\nOK\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: NOT READY\r\n"
    assert bench.ask("AT+CPIN?") == ERROR


def test_the_recorded_session_of_a_sent_datagram(hand: Hands) -> None:
    bench = bench_of(hand, OPEN)
    assert bench.ask("AT+QISEND=0,2,hi") == b"\r\nOK\r\n\r\nSEND OK\r\n"
    assert bench.ask("AT") == OK
    assert bench.ask("AT+QENG=0").startswith(b"\r\n+QENG: 0,1694,12,284,")
    assert bench.ask("AT+QR14FEATURE") == line(
        "+QR14FEATURE: 14,1", "+QR14FEATURE: 0", "+QR14FEATURE: 0,0,0,0,0"
    )
    assert bench.ask("AT+QICLOSE=0") == b"\r\nOK\r\n\r\nCLOSE OK\r\n"


def test_data_is_pushed_with_its_source_when_wanted(hand: Hands) -> None:
    bench = bench_of(hand, OPEN, 'AT+QICFG="dataformat",1,1')
    socket = bench.actions[0].socket
    bench.module.datagram(socket, b"Hello", bench.now)
    assert bench.wait(20) == b'\r\n+QIURC: "recv",0,5,"48656C6C6F"\r\n'
    assert bench.ask('AT+QICFG="showRA",1') == OK
    bench.module.datagram(socket, b"Hello", bench.now)
    assert bench.wait(20) == b'\r\n+QIURC: "recv",0,5,"192.0.2.1",5683,"48656C6C6F"\r\n'
    assert bench.ask('AT+QICFG="viewmode",1') == ERROR


def test_names_are_answered_under_the_commands_own_name(hand: Hands) -> None:
    bench = bench_of(hand)
    answer = bench.ask('AT+QIDNSGIP=0,"192.0.2.5"', 10.0)
    assert answer == b'\r\nOK\r\n\r\n+QIDNSGIP: 0,1,600\r\n\r\n+QIDNSGIP: "192.0.2.5"\r\n'


def test_release_assistance_needs_a_connection(hand: Hands) -> None:
    bench = bench_of(hand, OPEN, "AT+CMEE=1")
    assert bench.ask("AT+QNBIOTRAI=1") == b"\r\n+CME ERROR: 602\r\n"
    bench.ask("AT+QISEND=0,2,hi", 3)
    assert bench.ask("AT+QNBIOTRAI=1") == OK


def test_psm_timers_can_be_asked_for_in_seconds(hand: Hands) -> None:
    bench = bench_of(hand)
    bench.ask("AT+QPSMS=10,3600", 10)
    assert bench.ask("AT+CPSMS?") == line('+CPSMS: 1,,,"00000110","00000101"')
    assert bench.ask("AT+QPSMS?") == line("+QPSMS: 10,3600")


@pytest.mark.parametrize(("mode", "asleep"), [(0, False), (1, True), (2, False)])
def test_qsclk_decides_how_deeply_it_sleeps(hand: Hands, mode: int, asleep: bool) -> None:
    bench = bench_of(hand, "AT+QPSMS=2,3600", f"AT+QSCLK={mode}")
    bench.wait(60)
    assert bench.module.asleep is asleep
    drawn = {0: 6.0e-3, 1: 0.8e-6, 2: 0.25e-3}[mode]
    assert bench.module.current_a == pytest.approx(drawn)


def test_waking_is_reported_when_wanted_and_the_first_at_is_lost(hand: Hands) -> None:
    bench = bench_of(hand, "AT+QATWAKEUP=1", "AT+QPSMS=2,3600")
    bench.wait(60)
    assert bench.module.asleep
    assert bench.ask("AT") == b"\r\n+QATWAKEUP\r\n"
    assert bench.ask("AT") == OK


def test_the_times_of_qeng_can_be_had_in_milliseconds(hand: Hands) -> None:
    bench = bench_of(hand)
    coarse = bench.ask("AT+QENG=2").split(b"\r\n")[1].decode().split(",")
    fine = bench.ask("AT+QENG=2,0").split(b"\r\n")[1].decode().split(",")
    assert abs(int(fine[2]) / 100 - int(coarse[2])) <= 1
    assert int(fine[3]) > 0


def test_the_circuit_registration_is_reported_beside_the_other(hand: Hands) -> None:
    bench = bench_of(hand, "AT+CFUN=4", "AT+CEREG=1", "AT+CREG=1")
    said = bench.ask("AT+CFUN=1", 20.0)
    assert b"\r\n+CEREG: 2\r\n\r\n+CREG: 2\r\n" in said
    assert b"\r\n+CEREG: 1\r\n\r\n+CREG: 6\r\n" in said
