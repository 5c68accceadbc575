"""The digester: tables of (octets, outstanding command, events), under any chunking."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.at import (
    Body,
    BodyRule,
    Command,
    Data,
    Digester,
    Echo,
    Event,
    Final,
    FollowUp,
    Noise,
    NoiseReason,
    Prompt,
    Syntax,
    Text,
    Urc,
    UrcRule,
)

SYNTAX = Syntax(
    urcs=(
        UrcRule(name="boot", pattern=re.compile(r"RDY$"), banner=True),
        UrcRule(name="registration", pattern=re.compile(r"\+CEREG: ?\d")),
        UrcRule(name="connection", pattern=re.compile(r"\+CSCON: ?[01]$")),
        UrcRule(
            name="raw",
            pattern=re.compile(r'\+QIURC: "recv",\d,\d+,"'),
            body=BodyRule(header=re.compile(r'\+QIURC: "recv",\d,(?P<n>\d+),"'), inline=True),
        ),
        UrcRule(
            name="pushed",
            pattern=re.compile(r"\+PUSH: \d+"),
            body=BodyRule(header=re.compile(r"\+PUSH: (?P<n>\d+)")),
        ),
    ),
    max_line=600,
)

SEND_OK = FollowUp(pattern=re.compile(r"SEND (?:(?P<ok>OK)|FAIL)$"))


def brief(event: Event) -> tuple[object, ...]:
    """An event without its times, as a tuple that reads well in a table."""
    match event:
        case Echo():
            return ("echo", event.text)
        case Text():
            return ("text", event.text)
        case Prompt():
            return ("prompt",)
        case Body():
            return ("body", event.data, event.urc)
        case Final():
            kind = "follow-up" if event.follow_up else "final"
            return (kind, event.text, event.ok, event.complete)
        case Urc():
            return ("urc", event.name, event.text)
        case Noise():
            return ("noise", event.reason.value, event.data)
        case Data():
            return ("data", event.data)
    raise AssertionError(event)


def digest(
    wire: bytes, command: Command | None = None, cuts: list[int] | None = None
) -> list[tuple[object, ...]]:
    digester = Digester(SYNTAX)
    if command is not None:
        digester.begin(command)
    pieces = [0, *sorted(cuts or []), len(wire)]
    events: list[tuple[object, ...]] = []
    for start, end in itertools.pairwise(pieces):
        events += [brief(event) for event in digester.feed(wire[start:end])]
    return joined(events)


def joined(events: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Data events that follow each other are one: only lines keep their borders."""
    result: list[tuple[object, ...]] = []
    for event in events:
        if event[0] == "data" and result and result[-1][0] == "data":
            result[-1] = ("data", result[-1][1] + event[1])  # type: ignore[operator]
        else:
            result.append(event)
    return result


CEREG_READ = Command(text="AT+CEREG?", answer=re.compile(r"\+CEREG: ?\d,\d{1,2}(,|$)"))
OK = ("final", "OK", True, True)

TABLE: list[tuple[str, bytes, Command | None, list[tuple[object, ...]]]] = [
    (
        "echo on",
        b"AT+CSQ\r\r\n+CSQ: 18,99\r\n\r\nOK\r\n",
        Command(text="AT+CSQ", answer=re.compile(r"\+CSQ:")),
        [("echo", "AT+CSQ"), ("text", "+CSQ: 18,99"), OK],
    ),
    ("echo off", b"\r\nOK\r\n", Command(text="AT"), [OK]),
    (
        "echo that lost its first character on waking",
        b"T+CSQ\r\r\nOK\r\n",
        Command(text="AT+CSQ"),
        [("echo", "T+CSQ"), OK],
    ),
    (
        "zero octets at a power event",
        b"\x00\x00\r\nOK\r\n",
        Command(text="AT"),
        [("noise", "garbage", b"\x00\x00"), OK],
    ),
    (
        "zero octets glued to the result",
        b"\x00\x00OK\r\n",
        Command(text="AT"),
        [("noise", "garbage", b"\x00\x00"), OK],
    ),
    (
        "numeric error",
        b"\r\n+CME ERROR: 513\r\n",
        Command(text="AT+NMGS=1,00"),
        [("final", "+CME ERROR: 513", False, True)],
    ),
    (
        "numeric error without the space",
        b"\r\n+CME ERROR:513\r\n",
        Command(text="AT+NMGS=1,00"),
        [("final", "+CME ERROR:513", False, True)],
    ),
    (
        "verbose error",
        b"\r\n+CME ERROR: operation not allowed\r\n",
        Command(text="AT+COPS=0"),
        [("final", "+CME ERROR: operation not allowed", False, True)],
    ),
    (
        "URC before the answer that shares its prefix",
        b'\r\n+CEREG: 5,"0216","0153803F",9\r\n\r\n+CEREG: 5,1\r\n\r\nOK\r\n',
        CEREG_READ,
        [
            ("urc", "registration", '+CEREG: 5,"0216","0153803F",9'),
            ("text", "+CEREG: 5,1"),
            OK,
        ],
    ),
    (
        "URC with empty fields is no read answer",
        b"\r\n+CEREG: 3,,,,,0,15\r\n\r\n+CEREG: 5,3,,,,0,15\r\n\r\nOK\r\n",
        CEREG_READ,
        [("urc", "registration", "+CEREG: 3,,,,,0,15"), ("text", "+CEREG: 5,3,,,,0,15"), OK],
    ),
    (
        "URC between echo and answer",
        b"AT+CGATT?\r\r\n+CSCON: 1\r\n\r\n+CGATT: 0\r\n\r\nOK\r\n",
        Command(text="AT+CGATT?", answer=re.compile(r"\+CGATT:")),
        [
            ("echo", "AT+CGATT?"),
            ("urc", "connection", "+CSCON: 1"),
            ("text", "+CGATT: 0"),
            OK,
        ],
    ),
    (
        "bare lines",
        b"\r\nQuectel_Ltd\r\nQuectel_BC66\r\nRevision: BC66NBR01A10\r\n\r\nOK\r\n",
        Command(text="ATI", bare=True),
        [
            ("text", "Quectel_Ltd"),
            ("text", "Quectel_BC66"),
            ("text", "Revision: BC66NBR01A10"),
            OK,
        ],
    ),
    (
        "three results to one joined command",
        b"\r\nOK\r\n\r\nOK\r\n\r\nOK\r\n",
        Command(text="AT+CEREG=2;+NPSMR=1;+CSCON=1", finals=3),
        [("final", "OK", True, False), ("final", "OK", True, False), OK],
    ),
    (
        "an error ends a joined command early",
        b"\r\nOK\r\n\r\nERROR\r\n",
        Command(text="AT+A;+B;+C", finals=3),
        [("final", "OK", True, False), ("final", "ERROR", False, True)],
    ),
    (
        "second result",
        b"\r\nOK\r\n\r\nSEND OK\r\n",
        Command(text="AT+QISEND=0,1,00", follow_up=SEND_OK),
        [("final", "OK", True, False), ("follow-up", "SEND OK", True, True)],
    ),
    (
        "second result first",
        b"\r\nSEND OK\r\n\r\nOK\r\n",
        Command(text="AT+QISEND=0,1,00", follow_up=SEND_OK),
        [("follow-up", "SEND OK", True, False), OK],
    ),
    (
        "bad second result",
        b"\r\nOK\r\n\r\nSEND FAIL\r\n",
        Command(text="AT+QISEND=0,1,00", follow_up=SEND_OK),
        [("final", "OK", True, False), ("follow-up", "SEND FAIL", False, True)],
    ),
    (
        "prompt without line end, with and without a space",
        b"\r\n> \r\nOK\r\n",
        Command(text="AT+QISEND=0,5", prompt=b">", payload=b"hello"),
        [("prompt",), OK],
    ),
    (
        "prompt at",
        b"\r\n@\r\n+USOST: 0,7\r\n\r\nOK\r\n",
        Command(
            text='AT+USOST=0,"1.2.3.4",5,7',
            prompt=b"@",
            payload=b"1234567",
            answer=re.compile(r"\+USOST:"),
        ),
        [("prompt",), ("text", "+USOST: 0,7"), OK],
    ),
    (
        "a greater-than sign is text when no prompt is awaited",
        b"\r\n>hello\r\n\r\nOK\r\n",
        Command(text="AT+X", bare=True),
        [("text", ">hello"), OK],
    ),
    (
        "a refusal instead of the prompt",
        b"\r\nERROR\r\n",
        Command(text="AT+QISEND=0,5", prompt=b">", payload=b"hello"),
        [("final", "ERROR", False, True)],
    ),
    (
        "body after its header line holds anything",
        b"\r\n+QIRD: 12\r\n\r\nOK\r\n+QIR\x00\xff\r\n\r\nOK\r\n",
        Command(
            text="AT+QIRD=0,512",
            answer=re.compile(r"\+QIRD: \d"),
            body=BodyRule(header=re.compile(r"\+QIRD: (?P<n>\d+)")),
        ),
        [("text", "+QIRD: 12"), ("body", b"\r\nOK\r\n+QIR\x00\xff", ""), OK],
    ),
    (
        "empty body",
        b"\r\n+QIRD: 0\r\n\r\nOK\r\n",
        Command(
            text="AT+QIRD=0,512",
            answer=re.compile(r"\+QIRD: \d"),
            body=BodyRule(header=re.compile(r"\+QIRD: (?P<n>\d+)")),
        ),
        [("text", "+QIRD: 0"), OK],
    ),
    (
        "body inside a line holds quotes and line ends",
        b'\r\n+USORF: 0,"1.2.3.4",5,6,"a"\r\nb\r"\r\n\r\nOK\r\n',
        Command(
            text="AT+USORF=0,1024",
            body=BodyRule(header=re.compile(r'\+USORF: \d,"[^"]*",\d+,(?P<n>\d+),"'), inline=True),
        ),
        [("body", b'a"\r\nb\r', ""), OK],
    ),
    (
        "unsolicited body inside a line",
        b'\r\n+QIURC: "recv",0,5,"OK\r\n""\r\n+CSCON: 0\r\n',
        None,
        [("body", b'OK\r\n"', "raw"), ("urc", "connection", "+CSCON: 0")],
    ),
    (
        "unsolicited body after its line",
        b"\r\n+PUSH: 4\r\nOK\r\n\r\n+CSCON: 0\r\n",
        None,
        [
            ("urc", "pushed", "+PUSH: 4"),
            ("body", b"OK\r\n", "pushed"),
            ("urc", "connection", "+CSCON: 0"),
        ],
    ),
    (
        "a count beyond belief is no body",
        b"\r\n+PUSH: 99999999\r\n+CSCON: 0\r\n",
        None,
        [("urc", "pushed", "+PUSH: 99999999"), ("urc", "connection", "+CSCON: 0")],
    ),
    (
        "a boot banner ends the command",
        b"\r\nRDY\r\n\r\nOK\r\n",
        Command(text="AT+CESQ", answer=re.compile(r"\+CESQ:")),
        [("urc", "boot", "RDY"), ("noise", "late", b"OK")],
    ),
    (
        "a boot banner is the good end of a reset",
        b"\r\nRDY\r\n",
        Command(text="AT+QRST=1", reboots=True),
        [("urc", "boot", "RDY"), ("final", "RDY", True, True)],
    ),
    ("a result that nobody waits for", b"\r\nOK\r\n", None, [("noise", "late", b"OK")]),
    (
        "a marker's answer must come before its result",
        b"\r\nOK\r\n\r\n+CFUN: 1\r\n\r\nOK\r\n",
        Command(text="AT+CFUN?", answer=re.compile(r"\+CFUN: \d"), needs_answer=True),
        [("noise", "late", b"OK"), ("text", "+CFUN: 1"), OK],
    ),
    (
        "octets after CONNECT are data from exactly there",
        b"\r\nCONNECT 150000000\r\n\n\r\nOK\r\n~\xff}#",
        Command(text="ATD*99***1#", success=re.compile("CONNECT"), data_mode=True),
        [("final", "CONNECT 150000000", True, True), ("data", b"\n\r\nOK\r\n~\xff}#")],
    ),
    (
        "no carrier",
        b"\r\nNO CARRIER\r\n",
        Command(text="ATD*99#", success=re.compile("CONNECT"), failure=re.compile("NO CARRIER")),
        [("final", "NO CARRIER", False, True)],
    ),
    (
        "a line without end is dropped, the next one counts",
        b"x" * 700 + b"\r\nOK\r\n",
        Command(text="AT"),
        [("noise", "overlong", b"x" * 256), OK],
    ),
    (
        "a text that nobody knows",
        b"\r\nSMS Ready\r\n\r\nOK\r\n",
        Command(text="AT"),
        [("noise", "unexpected", b"SMS Ready"), OK],
    ),
    (
        "garbage at a wrong speed",
        b"\xc3\xe2F\xf8\r\nOK\r\n",
        Command(text="AT"),
        [("noise", "garbage", b"\xc3\xe2"), ("noise", "unexpected", b"F\xf8"), OK],
    ),
    (
        "echo of the payload",
        b"\r\n> hello\r\nOK\r\n",
        Command(text="AT+QISEND=0,5", prompt=b">", payload=b"hello\x1a"),
        [("prompt",), ("echo", "hello"), OK],
    ),
]

IDS = [row[0] for row in TABLE]


@pytest.mark.parametrize(("name", "wire", "command", "events"), TABLE, ids=IDS)
def test_octets_give_these_events(
    name: str, wire: bytes, command: Command | None, events: list[tuple[object, ...]]
) -> None:
    assert digest(wire, command) == events


@pytest.mark.parametrize(("name", "wire", "command", "events"), TABLE, ids=IDS)
def test_one_octet_at_a_time_gives_the_same_events(
    name: str, wire: bytes, command: Command | None, events: list[tuple[object, ...]]
) -> None:
    assert digest(wire, command, list(range(1, len(wire)))) == events


@pytest.mark.parametrize(("name", "wire", "command", "events"), TABLE, ids=IDS)
def test_every_single_cut_gives_the_same_events(
    name: str, wire: bytes, command: Command | None, events: list[tuple[object, ...]]
) -> None:
    results = {tuple(digest(wire, command, [cut])) for cut in range(len(wire))}
    assert results == {tuple(events)}


FRAGMENTS = st.sampled_from(
    [
        b"\r\nOK\r\n",
        b"ERROR\r",
        b"\n",
        b"\r",
        b"> ",
        b"@",
        b"+CEREG: 1\r\n",
        b"+CEREG: 5,1\r\n",
        b'+QIURC: "recv",0,4,"',
        b'+QIURC: "recv",0,9999999,"',
        b"+PUSH: 3\r\n",
        b"+PUSH: 0\r\n",
        b"RDY\r\n",
        b"SEND OK\r\n",
        b"SEND FAIL\n",
        b"+CME ERROR: " + b"9" * 30 + b"\r\n",
        b"AT+CEREG?\r",
        b"\x00",
        b"\xff\xfe",
        b"x" * 650,
        b'"',
    ]
)
WIRE = st.lists(st.one_of(FRAGMENTS, st.binary(max_size=12)), max_size=30).map(b"".join)
COMMANDS = st.sampled_from([row[2] for row in TABLE])


@given(wire=WIRE, command=COMMANDS, data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_octets_in_any_pieces_give_the_same_events(
    wire: bytes, command: Command | None, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=12))
    assert digest(wire, command, cuts) == digest(wire, command)


@given(wire=WIRE, command=COMMANDS)
@settings(max_examples=150, deadline=None)
def test_any_octets_one_by_one_give_the_same_events_and_little_is_held_back(
    wire: bytes, command: Command | None
) -> None:
    digester = Digester(SYNTAX)
    if command is not None:
        digester.begin(command)
    events: list[Event] = []
    for index in range(len(wire)):
        events += digester.feed(wire[index : index + 1])
        assert digester.buffered <= SYNTAX.max_body + SYNTAX.max_line
    assert joined([brief(event) for event in events]) == digest(wire, command)


def test_a_flood_without_line_ends_holds_back_no_more_than_one_line() -> None:
    digester = Digester(SYNTAX)
    most = 0
    noises = 0
    for _ in range(2_000):
        noises += len(digester.feed(b"\xa5" * 1_000))
        most = max(most, digester.buffered)
    assert most <= SYNTAX.max_line
    assert noises == 1


def test_times_are_those_of_the_first_and_last_octet() -> None:
    digester = Digester(SYNTAX)
    digester.begin(Command(text="AT"))
    assert digester.feed(b"\r\nO", 1.0) == []
    assert digester.feed(b"K", 2.0) == []
    (final,) = digester.feed(b"\r\n", 3.0)
    assert (final.began_at, final.at) == (1.0, 3.0)
    (urc,) = digester.feed(b"+CSCON: 1\r\n", 4.0)
    assert (urc.began_at, urc.at) == (4.0, 4.0)


def test_the_time_of_an_inline_body_starts_with_its_header() -> None:
    digester = Digester(SYNTAX)
    assert digester.feed(b'+QIURC: "re', 1.0) == []
    assert digester.feed(b'cv",0,4,"ab', 2.0) == []
    (body,) = digester.feed(b'cd"\r\n', 3.0)
    assert isinstance(body, Body)
    assert (body.began_at, body.at, body.data) == (1.0, 3.0, b"abcd")


def test_an_abandoned_body_is_given_up_and_lines_are_read_again() -> None:
    digester = Digester(SYNTAX)
    digester.begin(Command(text="AT"))
    digester.feed(b"+PUSH: 100\r\nabc", 1.0)
    (cut,) = digester.abandon(9.0)
    assert brief(cut) == ("noise", "cut", b"abc")
    digester.begin(Command(text="AT"))
    assert [brief(event) for event in digester.feed(b"OK\r\n", 10.0)] == [OK]


def test_an_abandoned_command_leaves_its_echo_known() -> None:
    digester = Digester(SYNTAX)
    digester.begin(Command(text="AT+CEREG?"))
    digester.abandon(1.0)
    digester.begin(Command(text="AT", bare=True))
    events = digester.feed(b"AT+CEREG?\r\r\nAT\r\r\nOK\r\n")
    assert [brief(event) for event in events] == [("echo", "AT+CEREG?"), ("echo", "AT"), OK]


def test_a_second_result_that_is_owed_does_not_answer_the_next_command() -> None:
    digester = Digester(SYNTAX)
    digester.owe(SEND_OK, until=60.0)
    digester.begin(Command(text="AT+QISEND=0,1,01", follow_up=SEND_OK))
    events = digester.feed(b"SEND OK\r\nOK\r\nSEND OK\r\n", 10.0)
    assert [brief(event) for event in events] == [
        ("noise", "late", b"SEND OK"),
        ("final", "OK", True, False),
        ("follow-up", "SEND OK", True, True),
    ]


@pytest.mark.parametrize("forgiven", ["by time", "by reboot"])
def test_a_debt_ends(forgiven: str) -> None:
    digester = Digester(SYNTAX)
    digester.owe(SEND_OK, until=60.0)
    if forgiven == "by reboot":
        digester.forgive()
    digester.begin(Command(text="AT+QISEND=0,1,01", follow_up=SEND_OK))
    at = 61.0 if forgiven == "by time" else 10.0
    events = digester.feed(b"OK\r\nSEND OK\r\n", at)
    assert brief(events[-1]) == ("follow-up", "SEND OK", True, True)


def test_two_commands_at_once_are_refused() -> None:
    digester = Digester(SYNTAX)
    digester.begin(Command(text="AT"))
    with pytest.raises(RuntimeError, match="still outstanding"):
        digester.begin(Command(text="ATI"))


def test_data_mode_ends_when_told() -> None:
    digester = Digester(SYNTAX)
    digester.begin(Command(text="ATD", success=re.compile("CONNECT"), data_mode=True))
    digester.feed(b"CONNECT\r\n")
    assert digester.data_mode
    assert [brief(event) for event in digester.feed(b"OK\r\n")] == [("data", b"OK\r\n")]
    digester.leave_data_mode()
    assert [brief(event) for event in digester.feed(b"+CSCON: 1\r\n")] == [
        ("urc", "connection", "+CSCON: 1")
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Command(text=""), "one line"),
        (lambda: Command(text="AT\rAT"), "one line"),
        (lambda: Command(text="AT", finals=0), "positive"),
        (lambda: Command(text="AT", prompt=b"> "), "one octet"),
        (lambda: BodyRule(header=re.compile(r"\+X: \d+")), "no group n"),
        (lambda: BodyRule(header=re.compile(r"\+X: (?P<n>\d+)"), inline=True), "end in a literal"),
        (lambda: FollowUp(pattern=re.compile("SEND OK")), "no group ok"),
    ],
)
def test_a_description_that_can_not_work_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_noise_reasons_are_what_the_log_calls_them() -> None:
    assert {reason.value for reason in NoiseReason} == {
        "garbage",
        "overlong",
        "unexpected",
        "late",
        "cut",
    }
