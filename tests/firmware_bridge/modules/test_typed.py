"""Commands that a person typed, and what an operation sends."""

import re
from pathlib import Path

import pytest

from firmware_bridge import FAMILIES, driver
from firmware_bridge.modules.dialect import Family
from firmware_bridge.modules.operations import OPERATIONS, support
from firmware_bridge.modules.records import Status
from firmware_bridge.modules.typed import typed_command


def family(name: str) -> Family:
    found: Family = driver(name).FAMILY  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    ("text", "answer", "other"),
    [
        ("AT+CEREG?", '+CEREG: 5,1,"33C2","022FE6CF",9', '+CEREG: 1,"33C2","022FE6CF",9'),
        ("at+cesq", "+CESQ: 16,7,255,255,22,38", "+CSCON: 1"),
        ("AT+CSCON?", "+CSCON: 1,0", "+CEREG: 1"),
        ("AT+QCFG=?", '+QCFG: "band"', "+QIURC"),
    ],
)
def test_the_answer_is_told_from_what_comes_unasked(text: str, answer: str, other: str) -> None:
    command = typed_command(text, family("bc66"))
    assert command.bare
    assert command.answer is not None
    assert command.answer.match(answer)
    assert not command.answer.match(other)


def test_a_setting_has_no_answer_of_its_own() -> None:
    assert typed_command("AT+CEREG=5", family("bc66")).answer is None
    assert typed_command("ATE0").answer is None


@pytest.mark.parametrize(
    ("text", "result", "prompt"),
    [
        ('AT+QIOPEN=1,0,"UDP","192.0.2.1",5000', "+QIOPEN: 0,566", b""),
        ('AT+QIOPEN=1,0,"UDP","a,b",5000,0,1', "+QIOPEN: 3,0", b""),
        ("AT+QISEND=0,5", "SEND OK", b">"),
        ("AT+QISEND=0", "SEND FAIL", b">"),
        ("AT+QISEND=0,5,48656c6c6f", "SEND OK", b""),
        ("AT+QICLOSE=0", "CLOSE OK", b""),
    ],
)
def test_a_second_result_and_a_prompt_are_awaited(text: str, result: str, prompt: bytes) -> None:
    command = typed_command(text, family("bc66"))
    assert command.follow_up is not None
    assert command.follow_up.pattern.match(result)
    assert command.prompt == prompt


def test_an_unknown_setting_may_ask_for_a_payload() -> None:
    assert typed_command("AT+QFUPL=1,2", family("bc66")).prompt == b">"
    assert typed_command("AT+QFUPL?", family("bc66")).prompt == b""
    assert typed_command("AT+CMGS=1").prompt == b">"


def test_counted_octets_are_not_believed_because_the_format_is_unknown() -> None:
    assert typed_command("AT+QIRD=0,512", family("bc66")).body is None


def test_joined_commands_have_a_result_each_where_the_family_gives_one() -> None:
    text = "AT+CEREG=2;+NPSMR=1;+CSCON=1"
    assert typed_command(text, family("bc95")).finals == 3
    assert typed_command(text + ";", family("bc95")).finals == 3
    assert typed_command('AT+X="a;b"', family("bc95")).finals == 1
    assert typed_command(text, family("bc66")).finals == 1
    assert typed_command(text).finals == 1


def test_the_tables_time_counts_where_it_is_longer() -> None:
    assert typed_command("AT+CFUN=1", family("bc66"), timeout_s=2).timeout_s == 85
    assert typed_command("AT", family("bc66"), timeout_s=2).timeout_s == 2
    assert typed_command("AT+QRST=1", family("bc66")).reboots


@pytest.mark.parametrize("text", ["", "  ", "AT\rAT", "AT\nAT", "AT→"])
def test_what_is_no_line_of_octets_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        typed_command(text)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_operation_is_told_with_what_it_sends_and_where_that_is_known_from(name: str) -> None:
    told = {entry.operation: entry for entry in support(family(name))}
    assert set(family(name).operations) <= set(told)
    assert list(told)[: len(OPERATIONS)] == list(OPERATIONS)
    for entry in told.values():
        if entry.status is None:
            assert not entry.requests
            continue
        assert entry.requests, f"{entry.operation} sends nothing"
        assert all(request.source for _, request in entry.requests)
        if entry.status is Status.FIELD_LOGGED:
            logged = [request.status for _, request in entry.requests]
            assert Status.FIELD_LOGGED in logged, f"{entry.operation} has no log behind it"


def test_every_request_of_an_operation_is_one_that_some_family_has() -> None:
    known = {entry for name in FAMILIES for entry in family(name).requests}
    assert {entry for entries in OPERATIONS.values() for entry in entries} <= known


def test_only_what_a_driver_cannot_do_is_left_out() -> None:
    missing = {
        name: {e.operation for e in support(family(name)) if not e.status} for name in FAMILIES
    }
    assert missing == {"bc66": {"ping"}, "bc660k": {"ping"}, "bc95": {"dns"}}
    source = (Path(__file__).parents[3] / "firmware_bridge/modules/quectel.py").read_text()
    assert not re.search(r"async def ping", source)
