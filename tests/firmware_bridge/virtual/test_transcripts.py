"""The recorded exchanges of real modules, word for word from the virtual one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.virtual import CardSettings, ModuleSettings, RadioSettings

Hands = Callable[..., Any]
VECTORS = Path(__file__).parents[3].parent / "shared" / "vectors" / "at"

IN_THE_LOG = {
    # The coverage and the card of that day.
    "quectel-bc66_ident-errors.txt": lambda steady: replace(
        steady,
        card=CardSettings(iccid="89882390000214136817"),
        radio=RadioSettings(rsrp_dbm=-102.95, rsrp_variation_db=0.0, noise_dbm=-106.545),
    ),
    "quectel-bc66_boot-noapp.txt": lambda steady: steady,
    "quectel-bc66_boot-apn-reset.txt": lambda steady: steady,
}


def exchanges(text: str) -> list[tuple[str, list[str]]]:
    """(command, lines answered) pairs of a recording."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("> "):
            found.append((line[2:], []))
        elif line.startswith("< ") and found:
            found[-1][1].append(line[2:])
    return found


def lines_of(output: bytes) -> list[str]:
    return [line for line in output.decode("latin-1").split("\r\n") if line]


@pytest.mark.parametrize("name", sorted(IN_THE_LOG))
@pytest.mark.parametrize("piece", [1, 1000])
def test_the_module_answers_a_recorded_session_as_the_real_one_did(
    hand: Hands, steady: ModuleSettings, name: str, piece: int
) -> None:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"no recording {name} beside the checkout")
    bench = hand(IN_THE_LOG[name](steady))
    bench.attach()
    checked = 0
    for command, answer in exchanges(path.read_text()):
        if command == "AT+CGPADDR?":  # the session had no network by then
            bench.ask("AT+CEREG=0")
            bench.ask("AT+CFUN=4", 5.0)
        before = len(bench.output)
        raw = command.encode() + b"\r"
        for start in range(0, len(raw), piece):
            bench.write(raw[start : start + piece])
        bench.wait(1.3 if command == "AT+QRST=1" else 0.2)
        got = lines_of(b"".join(data for _, data in bench.output[before:]))
        if command == "AT+QRST=1":
            bench.ask("ATE0", 0.1)  # echo is on after a reset; the log was taken without
        elif answer and answer[-1] not in ("OK", "ERROR"):
            answer = [*answer, "OK"]  # left out by who made the recording
        if command == "AT+CGPADDR?":
            bench.ask("AT+CFUN=1", 10.0)
        assert got == answer, command
        checked += 1
    assert checked >= 2


def test_after_a_reset_the_boot_rom_speaks_and_no_ok_and_no_rdy_follows(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    assert bench.ask("AT+CEREG=1") == b"\r\nOK\r\n"
    bench.write(b"AT+QRST=1\r")
    boot = bench.wait(1.0)
    assert boot == (
        b"\r\nF1: 0000 0000\r\nV0: 0000 0000 [0001]\r\n00: 0006 000C\r\n01: 0000 0000\r\n"
        b"U0: 0000 0001 [0000]\r\nT0: 0000 00B4\r\nLeaving the BROM\r\n"
    )
    assert bench.ask("AT", 0.1) == b""  # the interpreter does not run yet
    bench.wait(0.5)
    # Echo is on again, the reporting off, and the module is looking for a network.
    assert bench.ask("AT+CEREG?", 0.2) == b"AT+CEREG?\r\r\n+CEREG: 0,2\r\n\r\nOK\r\n"


def test_the_engineering_line_of_the_hardware_trace_comes_out_with_its_timing(
    hand: Hands,
) -> None:
    bench = hand()
    bench.attach()
    asked = bench.now
    bench.ask("AT+QENG=0")
    line = b'+QENG: 0,1694,12,284,"022FE6CF",-92,-5,-87,10,3,"33C2",0,14,2'
    assert bench.when(line) - asked == pytest.approx(0.040)
    last_at, last = bench.output[-1]
    assert last == b"\r\nOK\r\n"
    assert last_at - asked == pytest.approx(0.105)


def test_closing_a_socket_says_so_twice_with_the_times_of_the_hardware_trace(
    hand: Hands,
) -> None:
    bench = hand()
    bench.attach('AT+QIOPEN=1,0,"UDP","192.0.2.1",5683')
    asked = bench.now
    bench.ask("AT+QICLOSE=0")
    (ok_at, ok), (close_at, close) = bench.output[-2:]
    assert (ok, close) == (b"\r\nOK\r\n", b"\r\nCLOSE OK\r\n")
    assert ok_at - asked == pytest.approx(0.040)
    assert close_at - asked == pytest.approx(0.090)


def test_an_empty_slot_answers_plain_error_to_cpin_even_with_verbose_errors(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(replace(steady, card=CardSettings(present=False)))
    bench.ask("ATE0")
    bench.ask("AT+CMEE=2")
    assert bench.ask("AT+CPIN?") == b"\r\nERROR\r\n"
    assert bench.ask("AT+CIMI") == b"\r\n+CME ERROR: SIM not inserted\r\n"
    assert bench.ask("AT+QCCID") == b"\r\n+CME ERROR: SIM not inserted\r\n"
    bench.wait(60)
    assert bench.ask("AT+CEREG?") == b"\r\n+CEREG: 0,0\r\n\r\nOK\r\n"
