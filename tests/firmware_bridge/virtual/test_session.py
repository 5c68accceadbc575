"""The interpreter: echo, framing, errors, chains, prompts, whatever chunks bytes come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge.virtual import LineSettings, ModuleSettings, VirtualModule

Hands = Callable[..., Any]

# (what is written, what comes back), one after the other on a module fresh from reset.
DIALOGUE = [
    (b"AT\r", b"AT\r\r\nOK\r\n"),
    (b"at\r\n", b"at\r\r\nOK\r\n"),
    (b"\r\n", b"\r"),
    (b"\x1b\r", b"\x1b\r"),
    (b"hello\r", b"hello\r"),
    (b"\x00\xffAT\r", b"\x00\xffAT\r\r\nOK\r\n"),
    (b"AX\x08T\r", b"AX\x08T\r\r\nOK\r\n"),
    (b"ATE0\r", b"ATE0\r\r\nOK\r\n"),
    (b"AT\r", b"\r\nOK\r\n"),
    (b"ATE\r", b"\r\nOK\r\n"),
    (b"ATE2\r", b"\r\nERROR\r\n"),
    (b"ATV0\r", b"0\r"),
    (b"AT+CMEE?\r", b"+CMEE: 0\r\n0\r"),
    (b"AT+NOPE\r", b"4\r"),
    (b"ATV1\r", b"\r\nOK\r\n"),
    (b"AT+CMEE=1;+CMEE?\r", b"\r\n+CMEE: 1\r\n\r\nOK\r\n"),
    (b"AT+CMEE?;+CPIN?\r", b"\r\n+CMEE: 1\r\n\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    (b"AT+CMEE?;+NOPE;+CSCON?\r", b"\r\n+CMEE: 1\r\n\r\nERROR\r\n"),
    (b"AT+NOPE\r", b"\r\nERROR\r\n"),
    (b"AT+CEREG=9\r", b"\r\nERROR\r\n"),
    (b"AT+QISEND=0,2,hi\r", b"\r\n+CME ERROR: 552\r\n"),
    (b"AT+CMEE=2\r", b"\r\nOK\r\n"),
    (b"AT+QISEND=0,2,hi\r", b"\r\n+CME ERROR: 552\r\n"),
    (b"AT+CMEE=0\r", b"\r\nOK\r\n"),
    (b"AT+QISEND=0,2,hi\r", b"\r\nERROR\r\n"),
    (b"AT+CREG?\r", b"\r\nERROR\r\n"),
    (b"ATD*99#\r", b"\r\nERROR\r\n"),
    (b"ATZ\r", b"\r\nERROR\r\n"),
    (b"AT+csq=?\r", b"\r\n+CSQ: (0-31,99),(0-7,99)\r\n\r\nOK\r\n"),
    (b"AT+CGMM=?\r", b"\r\nOK\r\n"),
    (b"AT+CGMM?\r", b"\r\nERROR\r\n"),
]


@pytest.mark.parametrize("piece", [1, 2, 3, 100])
def test_the_dialogue_comes_out_byte_for_byte_in_any_chunks(hand: Hands, piece: int) -> None:
    bench = hand()
    for written, wanted in DIALOGUE:
        before = len(bench.output)
        for start in range(0, len(written), piece):
            bench.write(written[start : start + piece])
        bench.wait(0.5)
        got = b"".join(data for _, data in bench.output[before:])
        assert got == wanted, written


def test_a_client_that_writes_ahead_gets_every_answer_in_turn(hand: Hands) -> None:
    bench = hand()
    bench.ask("ATE0")
    bench.write(b"AT\rAT+CMEE?\rAT+NOPE\r")
    assert bench.wait(1.0) == b"\r\nOK\r\n\r\n+CMEE: 0\r\n\r\nOK\r\n\r\nERROR\r\n"


def test_what_is_typed_while_a_command_runs_is_echoed_when_its_turn_comes(hand: Hands) -> None:
    bench = hand()
    bench.write(b"AT\rATI\r")
    assert bench.wait(0.039) == b""
    assert bench.output[-1][1] == b"AT\r"
    assert bench.wait(0.002) == b"\r\nOK\r\nATI\r"


def test_an_endless_line_is_bounded_and_the_next_one_works(hand: Hands) -> None:
    bench = hand()
    bench.ask("ATE0")
    bench.write(b"x" * 100_000)
    assert len(bench.module._session._line) <= 4096
    bench.write(b"\r")
    assert bench.ask("AT") == b"\r\nOK\r\n"


def test_answers_take_their_time_and_vary_with_the_seed_only(
    hand: Hands, steady: ModuleSettings
) -> None:
    jittery = replace(steady, line=LineSettings(answer_s=0.04, jitter=0.25, baudrate=0))

    def times(seed: int) -> list[float]:
        bench = hand(jittery, seed=seed)
        bench.ask("ATE0")
        found = []
        for _ in range(20):
            asked = bench.now
            bench.ask("AT", 0.5)
            found.append(bench.output[-1][0] - asked)
        return found

    one = times(5)
    assert all(0.03 <= t <= 0.05 for t in one)
    assert len({round(t, 6) for t in one}) > 10
    assert times(5) == one
    assert times(6) != one


def test_bytes_take_their_time_on_the_line(hand: Hands, steady: ModuleSettings) -> None:
    slow = replace(steady, line=LineSettings(answer_s=0.0, jitter=0.0, baudrate=9600))
    bench = hand(slow)
    asked = bench.now
    bench.ask("AT")
    # Three bytes in, three of echo and six of answer out, ten bits each.
    assert bench.output[0][0] - asked == pytest.approx(6 * 10 / 9600)
    assert bench.output[-1][0] - asked == pytest.approx(12 * 10 / 9600)


def test_with_neither_delay_nor_line_time_an_answer_is_there_at_once(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(replace(steady, line=LineSettings(answer_s=0.0, jitter=0.0, baudrate=0)))
    bench.write(b"ATI;+CMEE?\r")
    assert bench.output == [
        (
            bench.now,
            b"ATI;+CMEE?\r\r\nQuectel_Ltd\r\nQuectel_BC66\r\nRevision: BC66NBR01A10\r\n"
            b"\r\n+CMEE: 0\r\n\r\nOK\r\n",
        )
    ]


@given(data=st.binary(max_size=300), cut=st.integers(1, 20))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_bytes_break_the_module_and_chunks_do_not_matter(data: bytes, cut: int) -> None:
    answers = []
    for size in (cut, len(data) or 1):
        module = VirtualModule("bc66", ModuleSettings(line=LineSettings(baudrate=0)), 1, 0.0)
        for start in range(0, len(data), size):
            module.write(data[start : start + size], 0.0)
        module.advance(5.0)
        module.write(b"\x1a\r\x1a\rAT\r", 5.0)
        module.advance(8.0)
        answers.append(module.take_output())
    assert answers[0] == answers[1]
    assert b"OK" in answers[0] or b"ATE0" in data.upper() or b"QRST" in data.upper()


def opened(hand: Hands, *commands: str) -> Any:
    bench = hand()
    bench.attach('AT+QIOPEN=1,0,"UDP","192.0.2.1",5683', *commands)
    return bench


def sent(bench: Any) -> list[bytes]:
    bench.wait(30)
    return [datagram.payload for datagram in bench.actions if hasattr(datagram, "payload")]


def test_a_prompt_with_a_length_takes_exactly_so_many_bytes_of_any_value(hand: Hands) -> None:
    bench = opened(hand)
    assert bench.ask("AT+QISEND=0,6") == b"\r\n>"
    bench.write(b"\r\n\x1a\x1bO")
    assert bench.wait(1.0) == b""
    bench.write(b"KAT\r")
    assert bench.wait(0.5) == b"\r\nOK\r\n\r\nOK\r\n\r\nSEND OK\r\n"
    assert sent(bench) == [b"\r\n\x1a\x1bOK"]


def test_a_prompt_without_length_ends_at_ctrl_z(hand: Hands) -> None:
    bench = opened(hand)
    assert bench.ask("AT+QISEND=0") == b"\r\n>"
    bench.write(b"two\r\nlines\x1a")
    assert bench.wait(1.0) == b"\r\nOK\r\n\r\nSEND OK\r\n"
    assert sent(bench) == [b"two\r\nlines"]


def test_escape_gives_a_prompt_up(hand: Hands) -> None:
    bench = opened(hand)
    bench.ask("AT+QISEND=0")
    bench.write(b"never\x1b")
    assert bench.wait(1.0) == b"\r\nOK\r\n"
    assert sent(bench) == []
    assert bench.ask("AT") == b"\r\nOK\r\n"


def test_too_much_after_a_prompt_is_refused(hand: Hands) -> None:
    bench = opened(hand)
    bench.ask("AT+QISEND=0")
    bench.write(b"x" * 1025 + b"\x1a")
    assert bench.wait(1.0) == b"\r\nERROR\r\n"
    assert sent(bench) == []


def test_unsolicited_lines_wait_for_the_end_of_a_prompt(hand: Hands) -> None:
    bench = opened(hand, "AT+CSCON=1")
    bench.ask("AT+QISEND=0,2,hi")  # connects, to be released in twenty seconds
    assert bench.ask("AT+QISEND=0,2") == b"\r\n>"
    assert bench.wait(60) == b""
    bench.write(b"ok")
    assert bench.wait(0.04) == b"\r\nOK\r\n\r\n+CSCON: 0\r\n"


def test_an_unsolicited_line_may_come_between_a_command_and_its_answer(hand: Hands) -> None:
    bench = opened(hand, "AT+CSCON=1")
    bench.ask("AT+QISEND=0,2,hi", 0.2)
    due = bench.now
    while b"+CSCON" not in bench.wait(0.001):
        assert bench.now < due + 5
    bench.wait(20)  # the release is near
    seen = b""
    while b"+CSCON: 0" not in seen:
        bench.write(b"AT\r")
        seen = bench.wait(0.045)
        assert bench.now < due + 60
    assert seen in (b"\r\n+CSCON: 0\r\n\r\nOK\r\n", b"\r\nOK\r\n\r\n+CSCON: 0\r\n")


def test_a_command_under_way_is_forgotten_by_a_reset(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.write(b"AT+COPS=?\r")
    bench.module.reboot(bench.now)
    after = bench.wait(5.0)
    assert b"COPS" not in after
    assert b"OK" not in after
    assert bench.ask("AT") == b"AT\r\r\nOK\r\n"
