"""A command line taken apart."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.virtual.commands import Arguments, BadArgument, Form, split_line


def split(line: str, *raw: str) -> list[tuple[str, Form, str]]:
    return [(i.name, i.form, i.argument) for i in split_line(line, lambda name: name in raw)]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", []),
        ("E0", [("E", Form.EXECUTE, "0")]),
        ("e", [("E", Form.EXECUTE, "")]),
        ("E0V1", [("E", Form.EXECUTE, "0"), ("V", Form.EXECUTE, "1")]),
        ("&W", [("&W", Form.EXECUTE, "")]),
        ("+csq", [("+CSQ", Form.EXECUTE, "")]),
        ("+CSQ=?", [("+CSQ", Form.TEST, "")]),
        ("+CEREG?", [("+CEREG", Form.READ, "")]),
        ("+CEREG=5", [("+CEREG", Form.SET, "5")]),
        ("+CEREG = 5", [("+CEREG", Form.SET, "5")]),
        ("+CSQ7", [("+CSQ7", Form.EXECUTE, "")]),
        ("+CMEE=1;+CSQ", [("+CMEE", Form.SET, "1"), ("+CSQ", Form.EXECUTE, "")]),
        (
            "E0;+CSQ;I",
            [("E", Form.EXECUTE, "0"), ("+CSQ", Form.EXECUTE, ""), ("I", Form.EXECUTE, "")],
        ),
        ("E0+CSQ", [("E", Form.EXECUTE, "0"), ("+CSQ", Form.EXECUTE, "")]),
        ('+X="a;b";+CSQ', [("+X", Form.SET, '"a;b"'), ("+CSQ", Form.EXECUTE, "")]),
        ("D*99***1#", [("D", Form.EXECUTE, "*99***1#")]),
        ("^DTMF=?", [("^DTMF", Form.TEST, "")]),
        (";;", []),
        ("+QICFG=", [("+QICFG", Form.SET, "")]),
    ],
)
def test_a_line_is_split_into_its_commands(line: str, wanted: list[tuple[str, Form, str]]) -> None:
    assert split(line) == wanted


def test_a_command_with_inline_data_takes_semicolons_too() -> None:
    assert split("+QISEND=0,5,he;lo", "+QISEND") == [("+QISEND", Form.SET, "0,5,he;lo")]
    assert split("+QISEND=0,5,he;lo")[0] == ("+QISEND", Form.SET, "0,5,he")


@given(st.text())
def test_no_line_breaks_the_splitter(line: str) -> None:
    assert isinstance(split(line), list)


def test_arguments_are_read_by_position_with_defaults() -> None:
    arguments = Arguments('0, 5 ,"a,b",,-3')
    assert len(arguments) == 5
    assert arguments.integer(0, 0, 1) == 0
    assert arguments.integer(1, 0, 9) == 5
    assert arguments.string(2) == "a,b"
    assert arguments.integer(3, 0, 9, default=7) == 7
    assert arguments.integer(4, -9, 0) == -3
    assert arguments.string(5, default="x") == "x"
    assert arguments.text_after[1] == '"a,b",,-3'
    assert not arguments.given(3)
    assert Arguments('""').given(0)


@pytest.mark.parametrize(
    "read",
    [
        lambda a: a.integer(0, 0, 9),  # a string
        lambda a: a.integer(1, 0, 1),  # out of range
        lambda a: a.integer(2, 0, 9),  # a quoted number
        lambda a: a.integer(9, 0, 9),  # missing
        lambda a: a.string(9),
        lambda a: a.bits(0, 8),
        lambda a: a.bits(3, 4),
        lambda a: a.at_most(3),
    ],
)
def test_what_does_not_fit_is_refused(read: object) -> None:
    with pytest.raises(BadArgument):
        read(Arguments('x,5,"1","10201000"'))  # type: ignore[operator]


@given(st.text())
def test_no_text_breaks_the_arguments(text: str) -> None:
    arguments = Arguments(text)
    for index in range(len(arguments) + 1):
        assert isinstance(arguments.string(index, default=""), str)
        with contextlib.suppress(BadArgument):
            assert 0 <= arguments.integer(index, 0, 100, default=3) <= 100
