"""A BC95-G of the Neul firmware line, against its recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from firmware_bridge.virtual import (
    CardSettings,
    ConnectionState,
    ModuleSettings,
    RadioSettings,
    VirtualModule,
)
from firmware_bridge.virtual.dialects.bc95 import TABLE

Hands = Callable[..., Any]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


def line(*lines: str) -> bytes:
    return b"\r\n" + "\r\n".join(lines).encode() + b"\r\n" + OK


def bench_of(hand: Hands, settings: ModuleSettings | None = None) -> Any:
    """A registered module, idle, with nothing left to read."""
    bench = hand(settings, family="bc95") if settings else hand(family="bc95")
    for _ in range(100):
        if bench.module.equipment.registered and bench.module.state is ConnectionState.IDLE:
            break
        bench.wait(1.0)
    assert bench.module.equipment.registered
    return bench


ATTACHED = [
    ("AT", OK),
    ("ATI", line("Quectel", "BC95-G", "Revision:BC95GJBR01A08")),
    ("AT+CGMI", line("Quectel")),
    ("AT+QGMR", line("BC95GJBR01A08")),
    ("AT+CGSN=1", line("+CGSN:866818030000002")),
    ("AT+CIMI", line("001010000000001")),
    ("AT+NCCID", line("+NCCID:89882390000000000013")),
    ("AT+CSQ", line("+CSQ:13,99")),
    ("AT+CFUN?", line("+CFUN:1")),
    ("AT+CEREG?", line("+CEREG:0,1")),
    ("AT+CEREG=2;+CEREG?", b"\r\nOK\r\n" + line("+CEREG:2,1,33C2,022FE6CF,9")),
    ("AT+CEREG=3;+CEREG?", b"\r\nOK\r\n" + line("+CEREG:3,1,33C2,022FE6CF,9,0,0")),
    (
        "AT+CEREG=5;+CEREG?",
        b"\r\nOK\r\n" + line("+CEREG:5,1,33C2,022FE6CF,9,0,0,11100000,11100000"),
    ),
    ("AT+CEREG=0", OK),
    ("AT+CSCON?", line("+CSCON:0,0")),
    ("AT+NPSMR?", line("+NPSMR:0,0")),
    ("AT+CGATT?", line("+CGATT:1")),
    ("AT+COPS?", line('+COPS:0,2,"00101"')),
    ("AT+CGPADDR", line("+CGPADDR:0,10.127.33.7")),
    ('AT+CGDCONT=1,"IP",""', OK),
    ("AT+CMEE=2", ERROR),
    ("AT+CPSMS?", line("+CPSMS:0,,,00100001,00000101")),
    ("AT+NBAND?", line("+NBAND:5,8,3,28,20,1")),
    ("AT+NBAND=20;+NBAND?", b"\r\nOK\r\n" + line("+NBAND:20")),
    ("AT+NCDP=49.4.85.232,5683", OK),
    ("AT+NCDP?", line("+NCDP:49.4.85.232,5683")),
    ("AT+QREGSWT=2", OK),
    ("AT+NCONFIG=AUTOCONNECT,MAYBE", ERROR),
    ("AT+NSOCR=STREAM,6,0,1", ERROR),
    ("AT+NSOCR=DGRAM,17,5683,1", ERROR),
    ("AT+NSORF=1,10", ERROR),
    ("AT+NUESTATS=CELL", line("NUESTATS:CELL,1694,284,1,-920,-51,-869,100")),
]


def test_every_form_answers_without_a_space_and_once_for_each_command(hand: Hands) -> None:
    bench = bench_of(hand)
    wrong = []
    for command, wanted in ATTACHED:
        got = bench.ask(command)
        if got != wanted:
            wrong.append((command, got, wanted))
    assert wrong == []


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_command_has_a_source(name: str) -> None:
    assert len(TABLE[name].source) >= 2


def test_there_is_no_echo_and_the_line_runs_at_9600_baud() -> None:
    module = VirtualModule("bc95", ModuleSettings(), 1, 0.0)
    module.write(b"AT+CGMI\r", 0.0)
    module.advance(8 * 10 / 9600 + 0.030)
    assert module.take_output() == b""
    module.advance(0.3)
    assert module.take_output() == b"\r\nQuectel\r\n\r\nOK\r\n"


def test_a_reboot_speaks_as_in_the_recordings(hand: Hands) -> None:
    bench = bench_of(hand)
    bench.ask("AT+NCONFIG=AUTOCONNECT,FALSE")
    bench.write(b"AT+NRB\r")
    said = bench.wait(3.0)
    head, tail = said.split(b"Boot: Unsigned")
    assert head.startswith(b"\r\nREBOOTING\r\n")
    assert len(head) > len(b"\r\nREBOOTING\r\n") + 4  # bytes at another speed
    assert tail == (
        b"\r\nSecurity B.. Verified\r\nProtocol A.. Verified\r\nApps A...... Verified\r\n"
        b"\r\nREBOOT_CAUSE_APPLICATION_AT\r\nNeul \r\nOK\r\n"
    )
    bench.wait(30)
    assert bench.ask("AT+CFUN?") == line("+CFUN:0")
    assert "+NCONFIG:AUTOCONNECT,FALSE" in bench.ask("AT+NCONFIG?").decode()


def test_the_recorded_session_of_a_bc68_word_for_word(hand: Hands, steady: ModuleSettings) -> None:
    network = replace(steady.network, plmn="21401", roaming=True, tracking_area=0x0216,
                      cell=0x0153803F)  # fmt: skip
    bench = bench_of(hand, replace(steady, network=network))
    bench.ask("AT+NCONFIG=AUTOCONNECT,FALSE")
    bench.ask("AT+NRB", 3.0)
    assert bench.ask("AT+CEREG=2;+NPSMR=1;+CSCON=1") == OK * 3
    assert bench.ask('AT+CPSMS=1,,,"00100001","00000101"') == OK
    assert bench.ask("AT+CFUN=1", 10.0) == b"\r\n+CEREG:0,0000,00000000,9\r\n\r\nOK\r\n"
    bench.ask('AT+CGDCONT=1,"IP",""')
    registered = bench.ask('AT+COPS=1,2,"21401"', 10.0)
    assert registered == OK + (
        b"\r\n+CEREG:2,0000,00000000,9\r\n\r\n+CSCON:1\r\n\r\n+CEREG:5,0216,0153803F,9\r\n"
    )
    assert bench.ask("AT+NSOCR= DGRAM,17,16666,1") == line("1")
    sent = bench.ask("AT+NSOST=1,192.0.2.7,16666,12,48656C6C6F20576F726C6421", 3.0)
    assert sent == line("1,12")
    (datagram,) = [a for a in bench.actions if hasattr(a, "payload")]
    assert datagram.payload == b"Hello World!"
    bench.module.datagram(datagram.socket, datagram.payload, bench.now)
    assert bench.wait(3) == b"\r\n+NSONMI:1,12\r\n"
    assert bench.ask("AT+NSORF=1,12") == line("1,192.0.2.7,16666,12,48656C6C6F20576F726C6421,0")
    assert bench.ask("AT+NSOCL=1") == OK
    assert bench.wait(40) == b"\r\n+CSCON:0\r\n\r\n+NPSMR:1\r\n"
    # The line wakes on any character and loses none.
    assert bench.module.asleep
    assert bench.ask("AT+NPSMR?") == line("+NPSMR:1,1")


def test_a_numbered_datagram_is_reported_when_it_has_left(hand: Hands) -> None:
    bench = bench_of(hand)
    bench.ask("AT+NSOCR=DGRAM,17,0,1")
    answer = bench.ask("AT+NSOST=1,192.0.2.7,5683,2,6869,100", 5.0)
    assert answer == line("1,2") + b"\r\n+NSOSTR:1,100,1\r\n"


def test_a_numbered_datagram_that_the_cell_took_with_it_is_reported_as_failed(
    hand: Hands, steady: ModuleSettings
) -> None:
    radio = RadioSettings(rsrp_dbm=-125, rsrp_variation_db=0.0, outages_s=((300.0, 400.0),))
    bench = bench_of(hand, replace(steady, radio=radio))
    bench.ask("AT+NSOCR=DGRAM,17,0,1")
    bench.until(1285.0)
    answer = bench.ask("AT+NSOST=1,192.0.2.7,5683,900," + "00" * 900 + ",7", 60.0)
    assert answer == line("1,900") + b"\r\n+NSOSTR:1,7,0\r\n"


def test_one_socket_talks_to_several_and_says_who_answered(hand: Hands) -> None:
    bench = bench_of(hand)
    bench.ask("AT+NSOCR=DGRAM,17,4000,1")
    bench.ask("AT+NSOST=1,192.0.2.7,1000,1,41", 3.0)
    bench.ask("AT+NSOST=1,192.0.2.8,2000,1,42", 3.0)
    bench.ask("AT+NSOST=1,192.0.2.7,1000,1,43", 3.0)
    opened = [a for a in bench.actions if hasattr(a, "address")]
    assert [(a.address, a.port, a.local_port) for a in opened] == [
        ("192.0.2.7", 1000, 4000),
        ("192.0.2.8", 2000, 4000),
    ]
    bench.module.datagram(opened[1].socket, b"two", bench.now)
    bench.module.datagram(opened[0].socket, b"one", bench.now)
    assert bench.wait(5) == b"\r\n+NSONMI:1,3\r\n"  # the second is told when the first is read
    assert bench.ask("AT+NSORF=1,2") == line("1,192.0.2.8,2000,2,7477,1")
    assert bench.ask("AT+NSORF=1,100") == line("1,192.0.2.8,2000,1,6F,0") + (b"\r\n+NSONMI:1,3\r\n")
    assert bench.ask("AT+NSORF=1,100") == line("1,192.0.2.7,1000,3,6F6E65,0")
    assert bench.ask("AT+NSORF=1,100") == OK
    bench.ask("AT+NSOCL=1")
    assert sum(type(a).__name__ == "SocketClosed" for a in bench.actions) == 2


@pytest.mark.parametrize(
    ("flag", "released_soon"), [("0x000", False), ("0x100", False), ("0x200", True)]
)
def test_flags_carry_release_assistance(hand: Hands, flag: str, released_soon: bool) -> None:
    bench = bench_of(hand)
    bench.ask("AT+NSOCR=DGRAM,17,0,1")
    bench.ask(f"AT+NSOSTF=1,192.0.2.7,5683,{flag},1,41", 5.0)
    assert (bench.module.state is ConnectionState.IDLE) is released_soon


@pytest.mark.parametrize(
    "command",
    [
        "AT+NSOST=1,192.0.2.7,5683,2,41",
        "AT+NSOST=1,192.0.2.7,5683,1,4x",
        "AT+NSOST=1,192.0.2.7,0,1,41",
        "AT+NSOST=2,192.0.2.7,5683,1,41",
        "AT+NSOST=1,192.0.2.7,5683,1359," + "00" * 1359,
        "AT+NSOSTF=1,192.0.2.7,5683,0x300,1,41",
        "AT+NSOSTF=1,192.0.2.7,5683,zz,1,41",
    ],
)
def test_what_does_not_fit_is_refused(hand: Hands, command: str) -> None:
    bench = bench_of(hand)
    bench.ask("AT+NSOCR=DGRAM,17,0,1")
    assert bench.ask(command, 3.0) == ERROR


def test_six_sockets_and_no_seventh(hand: Hands) -> None:
    bench = bench_of(hand)
    numbers = [bench.ask("AT+NSOCR=DGRAM,17,0,1").split(b"\r\n")[1] for _ in range(6)]
    assert numbers == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert bench.ask("AT+NSOCR=DGRAM,17,0,1") == ERROR


def test_statistics_are_in_tenths_and_know_no_power_before_the_first_transmission(
    hand: Hands,
) -> None:
    bench = hand(family="bc95")
    assert b"TX power:-32768" in bench.ask("AT+NUESTATS")
    bench = bench_of(hand)
    shown = dict(
        entry.split(":")
        for entry in bench.ask("AT+NUESTATS").decode().split("\r\n")
        if ":" in entry
    )
    assert list(shown) == [
        "Signal power",
        "Total power",
        "TX power",
        "TX time",
        "RX time",
        "Cell ID",
        "ECL",
        "SNR",
        "EARFCN",
        "PCI",
        "RSRQ",
        "OPERATOR MODE",
    ]
    assert (shown["Signal power"], shown["Total power"], shown["RSRQ"]) == ("-920", "-869", "-51")
    assert (shown["TX power"], shown["SNR"], shown["ECL"]) == ("140", "100", "0")
    assert int(shown["TX time"]) > 10
    assert int(shown["RX time"]) > 10_000
    assert int(shown["Cell ID"]) == 0x022FE6CF


def test_ping_and_its_failure(hand: Hands) -> None:
    bench = bench_of(hand)
    answer = bench.ask("AT+NPING=192.0.2.7", 10.0)
    assert answer.startswith(b"\r\nOK\r\n\r\n+NPING:192.0.2.7,61,")
    bench.ask("AT+CFUN=0", 5.0)
    assert bench.ask("AT+NPING=192.0.2.7", 3.0) == b"\r\nOK\r\n\r\n+NPINGERR:1\r\n"


def test_with_the_radio_off_much_is_refused(hand: Hands, steady: ModuleSettings) -> None:
    bench = bench_of(hand)
    bench.ask("AT+CFUN=0", 5.0)
    bench.ask("AT+CMEE=1")
    refused = b"\r\n+CME ERROR: 3\r\n"
    assert bench.ask("AT+CGATT=1") == refused
    assert bench.ask("AT+COPS=0") == refused
    assert bench.ask("AT+CIMI") == b"\r\n+CME ERROR: 10\r\n"
    assert bench.ask("AT+CSQ") == line("+CSQ:99,99")
    assert b"ECL:255" in bench.ask("AT+NUESTATS")
    assert bench.ask("AT+CGPADDR") == line("+CGPADDR:0")
    without = hand(replace(steady, card=CardSettings(present=False)), family="bc95")
    without.wait(60)
    assert without.ask("AT+CGATT?") == line("+CGATT:0")
