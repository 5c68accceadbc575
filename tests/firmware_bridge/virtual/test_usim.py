"""The virtual USIM: by APDU, and through the AT commands of every virtual family."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.aka import (
    AkaFunction,
    UsimAnswer,
    UsimMacFailure,
    UsimSuccess,
    UsimSyncFailure,
)
from firmware_bridge.virtual import (
    FAMILIES,
    CardSettings,
    ModuleSettings,
    UsimCard,
    UsimSettings,
    VirtualModule,
)
from firmware_bridge.virtual.faults import FaultKind
from firmware_bridge.virtual.usim_files import AID

Hands = Callable[..., Any]
ROOT = Path(__file__).parents[3]
DATA = json.loads((ROOT / "tests/data/aka/published_authenticate.json").read_text())
SHARED = ROOT.parent / "shared/vectors/aka/usim_authenticate_example.json"
RAND, AUTN = bytes.fromhex(DATA["rand"]), bytes.fromhex(DATA["autn"])
SUCCESS = UsimSuccess(**{name: bytes.fromhex(DATA[name]) for name in ("res", "ck", "ik")})
AUTHENTICATE = b"\x00\x88\x00\x81\x22\x10" + RAND + b"\x10" + AUTN
SELECT_USIM = "00A4040407A0000000871002"
IMSI = bytes.fromhex("080910100000000010")
ICCID = bytes.fromhex("98883209000000000031")
OK = b"\r\nOK\r\n"


def aka(rand: bytes, autn: bytes) -> UsimAnswer:
    """The published card: one challenge is good, one of another SQN is late, the rest is forged."""
    if (rand, autn) == (RAND, AUTN):
        return SUCCESS
    if rand == RAND and autn == bytes(16):
        return UsimSyncFailure(auts=bytes.fromhex(DATA["auts"]))
    return UsimMacFailure()


def card(function: AkaFunction | None = aka, **usim: Any) -> UsimCard:
    return UsimCard(CardSettings(), UsimSettings(**usim), function)


def told(usim: UsimCard, *commands: str) -> str:
    """The answer to the last of them."""
    answer = b""
    for command in commands:
        answer = usim.exchange(bytes.fromhex(command))
    return answer.hex().upper()


def test_the_data_here_is_the_shared_vector() -> None:
    if not SHARED.exists():
        pytest.skip("the shared vectors are not beside this checkout")
    shared = json.loads(SHARED.read_text())
    assert shared["csim_command"] == DATA["csim_command"]
    assert shared["csim_response"] == DATA["csim_response"]
    failure = shared["sync_failure_example"]
    assert failure["response_apdu"].upper() in DATA["csim_sync_failure"]
    assert (shared["RAND"], shared["AUTN"]) == (DATA["rand"], DATA["autn"])


# -- selection and files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "commands", "answer"),
    [
        ("whole AID", ["00A4040010" + AID.hex()], "611F"),
        ("AID from its beginning", [SELECT_USIM], "611F"),
        ("AID with its Le", [SELECT_USIM + "00"], "611F"),
        ("AID without an answer", ["00A4040C07A0000000871002"], "9000"),
        ("the RID alone", ["00A4040C05A000000087"], "9000"),
        ("another application", ["00A4040C07A0000000871004"], "6A82"),
        ("an AID too short", ["00A4040C04A0000000"], "6A82"),
        ("the next occurrence", ["00A4040E07A0000000871002"], "6A82"),
        ("a file by its identifier", ["00A4000C022FE2"], "9000"),
        ("a file that is not there", ["00A4000C022FFF"], "6A82"),
        ("a file of the application from outside", ["00A4000C026F07"], "6A82"),
        ("the application by 7FFF", ["00A4000C027FFF", "00A4000C026F07"], "9000"),
        ("a path from the master file", ["00A4080C047FFF6F07"], "9000"),
        ("an identifier of one octet", ["00A4000C012F"], "6700"),
        ("a way to select that there is none", ["00A4070C022FE2"], "6A86"),
        ("the ICCID", ["00A4000C022FE2", "00B000000A"], ICCID.hex().upper() + "9000"),
        ("with an Le of 00", ["00A4000C022FE2", "00B0000000"], ICCID.hex().upper() + "9000"),
        ("with an offset", ["00A4000C022FE2", "00B0000800"], "00319000"),
        ("more than there is", ["00A4000C022FE2", "00B000000B"], "6C0A"),
        ("less than there is", ["00A4000C022FE2", "00B0000002"], "98889000"),
        ("beyond the end", ["00A4000C022FE2", "00B0000A00"], "6B00"),
        ("by the short identifier", ["00B0820000"], ICCID.hex().upper() + "9000"),
        ("a short identifier of no file", ["00B0930000"], "6A82"),
        ("nothing selected", ["00B0000000"], "6986"),
        ("the IMSI", [SELECT_USIM, "00A4000C026F07", "00B0000009"], IMSI.hex().upper() + "9000"),
        ("a record", ["00A4000C022F00", "00B2010426"], None),
        ("a record by short identifier", ["00B201F400"], None),
        ("a record that is not there", ["00A4000C022F00", "00B2020426"], "6A83"),
        ("a record's wrong length", ["00A4000C022F00", "00B2010400"], None),
        ("octets of a file of records", ["00A4000C022F00", "00B0000000"], "6981"),
        ("records of a file of octets", ["00A4000C022FE2", "00B2010400"], "6981"),
        ("the state", ["00F2000000"], None),
        ("the state of the class of old", ["80F2000C"], "9000"),
        ("the application's name", [SELECT_USIM, "00F2000112"], "8410" + AID.hex().upper()),
        ("an instruction that there is none", ["00FF0000"], "6D00"),
        ("a class that there is none", ["A0A4000002"], "6E00"),
        ("a channel that is not open", ["01A4000C022FE2"], "6881"),
        ("a length that does not fit", ["00A4000C052FE2"], "6700"),
        ("three octets", ["00A400"], "6700"),
    ],
)  # fmt: skip
def test_the_card_selects_and_reads(name: str, commands: list[str], answer: str | None) -> None:
    found = told(card(), *commands)
    if answer is None:
        assert found.endswith("9000") and len(found) > 4, name
    elif len(answer) > 4 and not answer.endswith("9000"):
        assert found.startswith(answer), name
    else:
        assert found == answer, name


def test_the_directory_names_the_application() -> None:
    record = bytes.fromhex(told(card(), "00A4000C022F00", "00B2010426"))
    assert record[:4] == bytes.fromhex("61184F10")
    assert AID in record
    assert len(record) == 38 + 2


def test_what_a_selection_says_is_fetched_and_once_only() -> None:
    usim = card()
    assert told(usim, SELECT_USIM) == "611F"
    assert told(usim, "00C0000020") == "6C1F"
    parameters = bytes.fromhex(told(usim, "00C000001F"))
    assert parameters[0] == 0x62 and parameters[1] == len(parameters) - 4
    assert b"\x84\x10" + AID in parameters
    assert told(usim, "00C000001F") == "6985"
    assert told(usim, SELECT_USIM, "00F2000C", "00C000001F") == "6985"  # something came between


def test_an_answer_is_fetched_in_parts() -> None:
    usim = card()
    parts = [told(usim, SELECT_USIM, "00C0000010"), told(usim, "00C000000F")]
    assert parts[0].endswith("610F") and parts[1].endswith("9000")


@pytest.mark.parametrize(
    ("imsi", "coded"),
    [("001010000000001", "080910100000000010"), ("00101000000001", "0801101000000000F1")],
)
def test_an_imsi_is_coded_with_its_parity(imsi: str, coded: str) -> None:
    usim = UsimCard(CardSettings(imsi=imsi), UsimSettings())
    assert told(usim, SELECT_USIM, "00A4000C026F07", "00B0000009") == coded + "9000"


def test_every_channel_has_its_own_selection() -> None:
    usim = card()
    assert told(usim, "0070000001") == "019000"
    assert told(usim, "01A4040C07A0000000871002") == "9000"
    assert told(usim, "01A4000C026F07") == "9000"
    assert told(usim, "00A4000C026F07") == "6A82"  # channel 0 is in the master file still
    assert told(usim, "0070000200") == "9000"  # a channel by its number
    assert told(usim, "0070000001") == "039000"
    assert told(usim, "0070000001") == "6A81"
    assert told(usim, "00708001") == "9000"
    assert told(usim, "01B0000000") == "6881"
    assert told(usim, "0070800900") == "6881"
    assert told(usim, "00708000") == "6A86"  # the basic channel stays
    usim.reset()
    assert told(usim, "03F2000C") == "6881"


# -- authentication ------------------------------------------------------------------------------


def test_the_published_exchange_needs_one_more_command_on_the_card_itself() -> None:
    usim = card()
    told(usim, SELECT_USIM)
    assert told(usim, AUTHENTICATE.hex() + "00") == "6135"
    answer = told(usim, "00C0000035")
    assert f'+CSIM: {len(answer)},"{answer}"' == DATA["csim_response"]


@pytest.mark.parametrize(
    ("name", "changed", "answer"),
    [
        ("a forged challenge", {"data": b"\x10" + RAND + b"\x10" + bytes(15) + b"\x01"}, "9862"),
        ("one that is out of range", {"data": b"\x10" + RAND + b"\x10" + bytes(16)}, "6110"),
        ("the GSM context", {"p2": 0x80, "data": b"\x10" + RAND}, "9864"),
        ("the VGCS context", {"p2": 0x82}, "9864"),
        ("the GBA context", {"p2": 0x84}, "9864"),
        ("a context that there is none", {"p2": 0x87}, "6A86"),
        ("global reference data", {"p2": 0x01}, "6A86"),
        ("a P1", {"p1": 0x01}, "6A86"),
        ("an instruction beside it", {"ins": 0x89}, "6D00"),
        ("no data", {"data": b""}, "6700"),
        ("too little", {"data": b"\x10" + RAND}, "6700"),
        ("other lengths inside", {"data": b"\x0f" + RAND + b"\x10" + AUTN}, "6A80"),
        ("a length beyond the end", {"data": b"\x10" + RAND + b"\x11" + AUTN}, "6A80"),
    ],
)
def test_what_authenticate_is_refused_with(name: str, changed: Any, answer: str) -> None:
    fields = {"ins": 0x88, "p1": 0, "p2": 0x81, "data": AUTHENTICATE[5:]} | changed
    data = fields.pop("data")
    command = bytes((0, *fields.values())) + (bytes((len(data),)) + data if data else b"")
    usim = card()
    told(usim, SELECT_USIM)
    assert told(usim, command.hex()) == answer, name


def test_authenticate_needs_the_application_selected() -> None:
    assert told(card(), AUTHENTICATE.hex()) == "6985"
    usim = card()
    assert told(usim, SELECT_USIM, "00A4000C023F00", AUTHENTICATE.hex()) == "6985"


def test_a_card_without_a_function_has_no_such_context() -> None:
    assert told(card(None), SELECT_USIM, AUTHENTICATE.hex()) == "9864"


def test_a_refusal_can_be_set() -> None:
    usim = card(refuses_authenticate="6982")
    assert told(usim, SELECT_USIM, AUTHENTICATE.hex()) == "6982"


def test_without_service_27_there_is_no_kc() -> None:
    usim = card(gsm_access=False)
    assert told(usim, SELECT_USIM, AUTHENTICATE.hex()) == "612C"
    service_table = bytes.fromhex(told(usim, "00A4000C026F38", "00B0000000"))
    assert not service_table[3] & 0x04
    assert bytes.fromhex(told(card(), SELECT_USIM, "00B0840000"))[3] & 0x04


def test_gba_bootstraps_and_derives_for_an_application() -> None:
    usim = UsimCard(CardSettings(), UsimSettings(), aka, gba=aka)
    told(usim, SELECT_USIM)
    impi = b"001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
    naf = b"hse.best.example.org" + bytes.fromhex("0100000001")
    body = b"\xde" + bytes((len(naf),)) + naf + bytes((len(impi),)) + impi
    derive = (b"\x00\x88\x00\x84" + bytes((len(body),)) + body).hex()
    assert told(usim, derive) == "6985"  # nothing bootstrapped
    bootstrap = "0088008423DD" + AUTHENTICATE[5:].hex()
    assert told(usim, bootstrap, "00C000000A") == "DB08" + DATA["res"].upper() + "9000"
    # Derived by a formula example of TS 33.220 B.3 in the shared vectors, of the same CK and IK.
    wanted = "c87c7174e9b3af9496f30b290c2d8fb0129058d01514894a736e75b386f947b8"
    assert told(usim, derive, "00C0000022") == "DB20" + wanted.upper() + "9000"
    forged = b"\xdd\x10" + RAND + b"\x10" + bytes(15) + b"\x01"
    assert told(usim, "0088008423" + forged.hex()) == "9862"
    assert told(usim, "0088008402DD00") == "6A80"
    table = bytes.fromhex(told(usim, "00B0840000"))
    assert table[8] & 0x08  # service 68


@settings(deadline=None, max_examples=300)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_whatever_it_is_asked_the_card_answers_with_a_status_word(commands: list[bytes]) -> None:
    usim = UsimCard(CardSettings(), UsimSettings(), aka, gba=aka)
    for command in commands:
        assert len(usim.exchange(command)) >= 2


@settings(deadline=None, max_examples=500)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 0x80, 0x40, 0xA0]),
            st.sampled_from([0x88, 0xA4, 0xB0, 0xB2, 0xC0, 0xF2, 0x70]),
            st.sampled_from([0, 1, 4, 8, 0x80, 0x82, 0x84]),
            st.sampled_from([0, 1, 4, 0x0C, 0x81, 0x84, 0xF4]),
            st.sampled_from([b"", AID, AID[:7], b"\x3f\x00", b"\x7f\xff", b"\x2f\xe2"])
            | st.binary(max_size=255).map(lambda body: b"\xdd" + body[1:]),
            st.sampled_from([b"", b"\x00", b"\x07"]),
        ),
        max_size=12,
    )
)
def test_commands_of_the_right_form_never_raise_either(commands: list[Any]) -> None:
    usim = UsimCard(CardSettings(), UsimSettings(), aka, gba=aka)
    told(usim, SELECT_USIM)
    for *head, body, expected in commands:
        command = bytes(head) + (bytes((len(body),)) + body if body else b"") + expected
        answer = usim.exchange(command)
        assert 2 <= len(answer) <= 258


@pytest.mark.parametrize(
    "wrong",
    [
        {"busy_s": -1.0},
        {"logical_channels": 20},
        {"refuses_authenticate": "698"},
        {"refuses_authenticate": "69xx"},
        {"selection_lost_every": -1},
    ],
)
def test_settings_without_sense_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UsimSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"imsi": "12ab56"}, {"iccid": "1234"}])
def test_a_card_has_digits_for_identities(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))) as caught:
        CardSettings(**wrong)
    assert next(iter(wrong.values())) not in str(caught.value)


# -- through the AT commands ---------------------------------------------------------------------


def made(hand: Hands, family: str, steady: ModuleSettings, **usim: Any) -> Any:
    """A module of `family` that offers everything, with the published card."""
    offers = {"generic_access": True, "channels": True} | usim
    settings = replace(steady, usim=UsimSettings(**offers))
    bench = hand(settings, family=family)
    bench.module = VirtualModule(family, settings, 1, 1000.0, aka)
    bench.attach("AT+CMEE=1")
    return bench


def csim(apdu: str) -> str:
    return f'AT+CSIM={len(apdu)},"{apdu}"'


def as_written(family: str, line: str) -> bytes:
    """A line of the standard's form in the family's."""
    if family == "bc95":
        line = line.replace(": ", ":").replace('"', "")
    return f"\r\n{line}\r\n".encode() + OK


@pytest.mark.parametrize("family", FAMILIES)
def test_the_published_exchange_byte_for_byte(
    hand: Hands, steady: ModuleSettings, family: str
) -> None:
    bench = made(hand, family, steady)
    assert bench.ask(csim("00A4040C07A0000000871002")) == as_written(family, '+CSIM: 4,"9000"')
    assert bench.ask(DATA["csim_command"]) == as_written(family, DATA["csim_response"])
    late = DATA["csim_command"].replace(DATA["autn"].upper(), "00" * 16)
    assert bench.ask(late) == as_written(family, DATA["csim_sync_failure"])
    forged = DATA["csim_command"].replace(DATA["autn"].upper(), "00" * 15 + "01")
    assert bench.ask(forged) == as_written(family, '+CSIM: 4,"9862"')


@pytest.mark.parametrize("family", FAMILIES)
def test_a_modem_that_does_not_chain_shows_what_the_card_says(
    hand: Hands, steady: ModuleSettings, family: str
) -> None:
    bench = made(hand, family, steady, chained=False)
    assert bench.ask(csim(SELECT_USIM)) == as_written(family, '+CSIM: 4,"611F"')
    assert bench.ask(DATA["csim_command"]) == as_written(family, '+CSIM: 4,"6135"')
    assert bench.ask(csim("00C0000035")) == as_written(family, DATA["csim_response"])
    assert bench.ask(csim("00B0870000")) == as_written(family, f'+CSIM: 22,"{IMSI.hex()}9000"')
    assert bench.ask(csim("00B0870010")) == as_written(family, '+CSIM: 4,"6C09"')


@pytest.mark.parametrize("family", FAMILIES)
def test_on_a_logical_channel_the_modem_sets_the_class(
    hand: Hands, steady: ModuleSettings, family: str
) -> None:
    bench = made(hand, family, steady)
    assert bench.ask(f'AT+CCHO="{AID.hex().upper()}"') == as_written(family, "+CCHO: 1")
    apdu = DATA["csim_command"].removeprefix("AT+CSIM=")
    answer = DATA["csim_response"].replace("CSIM", "CGLA")
    assert bench.ask(f"AT+CGLA=1,{apdu}") == as_written(family, answer)
    apdu = apdu.replace('"00', '"03')  # whatever the host wrote there
    assert bench.ask(f"AT+CGLA=1,{apdu}") == as_written(family, answer)
    assert bench.ask(DATA["csim_command"]) == as_written(family, '+CSIM: 4,"6985"')
    assert bench.ask("AT+CCHC=1") == OK
    assert bench.ask(f"AT+CGLA=1,{apdu}") == b"\r\n+CME ERROR: 50\r\n"
    assert bench.ask("AT+CCHC=1") == b"\r\n+CME ERROR: 50\r\n"
    assert bench.ask('AT+CCHO="A0000000871004"') == b"\r\n+CME ERROR: 4\r\n"
    for number in (1, 2, 3):
        assert bench.ask('AT+CCHO="A0000000871002"') == as_written(family, f"+CCHO: {number}")
    assert bench.ask('AT+CCHO="A0000000871002"') == b"\r\n+CME ERROR: 4\r\n"


@pytest.mark.parametrize("family", FAMILIES)
def test_card_and_commands_tell_the_same_identities(
    hand: Hands, steady: ModuleSettings, family: str
) -> None:
    bench = made(hand, family, steady)
    shown = {"bc95": b"+NCCID:"}.get(family, b"+QCCID: ")
    name = shown.decode().strip(": ")
    assert shown + b"89882390000000000013" in bench.ask(f"AT{name}")
    assert b"001010000000001" in bench.ask("AT+CIMI")
    assert ICCID.hex().encode() in bench.ask(csim("00B082000A"))
    bench.ask(csim("00A4040C07A0000000871002"))
    assert IMSI.hex().encode() in bench.ask(csim("00B0870009"))


@pytest.mark.parametrize(
    ("family", "basic", "channels"),
    [("bc66", True, False), ("bc660k", True, True), ("bc95", False, False)],
)
def test_what_a_family_does_not_offer_is_an_error(
    hand: Hands, steady: ModuleSettings, family: str, basic: bool, channels: bool
) -> None:
    bench = made(hand, family, steady, generic_access=None, channels=None)
    error = b"\r\nERROR\r\n"
    assert (bench.ask("AT+CSIM=?") == OK) == basic
    assert (bench.ask(csim("00F2000C")) != error) == basic
    for command in ("AT+CCHO=?", "AT+CGLA=?", "AT+CCHC=?", 'AT+CCHO="A0000000871002"'):
        assert (bench.ask(command) != error) == channels, command


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("command", "result"),
    [
        ('AT+CSIM=12,"00F2000C"', "+CME ERROR: 50"),
        ('AT+CSIM=7,"00F2000"', "+CME ERROR: 50"),
        ('AT+CSIM=8,"00F2000G"', "+CME ERROR: 50"),
        ('AT+CSIM=4,"00F2"', "+CME ERROR: 50"),
        ("AT+CSIM=8", "+CME ERROR: 50"),
        ('AT+CSIM="00F2000C"', "ERROR"),
        ('AT+CSIM=8,"00F2000C",1', "ERROR"),
        ("AT+CSIM?", "+CME ERROR: 4"),
        ("AT+CSIM", "+CME ERROR: 4"),
        ('AT+CGLA=9,8,"00F2000C"', "+CME ERROR: 50"),
        ('AT+CCHO="A00000008"', "+CME ERROR: 50"),
        ("AT+CCHC=0", "+CME ERROR: 50"),
    ],
)
def test_a_command_that_makes_no_sense_is_an_error(
    hand: Hands, steady: ModuleSettings, family: str, command: str, result: str
) -> None:
    assert made(hand, family, steady).ask(command) == f"\r\n{result}\r\n".encode()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_card_is_busy_for_a_while_after_boot(
    hand: Hands, steady: ModuleSettings, family: str
) -> None:
    bench = made(hand, family, steady, busy_s=600.0)
    assert bench.ask(csim("00F2000C")) == b"\r\n+CME ERROR: 14\r\n"
    assert bench.ask('AT+CCHO="A0000000871002"') == b"\r\n+CME ERROR: 14\r\n"
    bench.wait(600.0)
    bench.ask("AT")  # from sleep
    bench.wait(1.0)
    assert bench.ask(csim("00F2000C")) == as_written(family, '+CSIM: 4,"9000"')


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_card_and_after_it_the_selection_is_gone(
    hand: Hands, steady: ModuleSettings, family: str
) -> None:
    bench = made(hand, family, steady)
    bench.ask(csim("00A4040C07A0000000871002"))
    bench.ask('AT+CCHO="A0000000871002"')
    bench.module.fail(FaultKind.CARD_REMOVED, 30.0, bench.now)
    bench.wait(1.0)
    assert bench.ask(csim("00F2000C")) == b"\r\n+CME ERROR: 10\r\n"
    bench.wait(60.0)
    assert bench.ask(DATA["csim_command"]) == as_written(family, '+CSIM: 4,"6985"')
    assert bench.ask('AT+CGLA=1,8,"00F2000C"') == b"\r\n+CME ERROR: 50\r\n"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reboot_and_a_radio_that_is_off_cost_the_selection(
    hand: Hands, steady: ModuleSettings, family: str
) -> None:
    bench = made(hand, family, steady)
    bench.ask(csim("00A4040C07A0000000871002"))
    bench.module.reboot(bench.now)
    bench.wait(3.0)
    bench.attach("AT+CMEE=1")
    assert bench.ask(DATA["csim_command"]) == as_written(family, '+CSIM: 4,"6985"')
    bench.ask(csim("00A4040C07A0000000871002"))
    bench.ask("AT+CFUN=0", 30.0)
    bench.ask("AT+CFUN=1", 30.0)
    assert bench.ask(DATA["csim_command"]) == as_written(family, '+CSIM: 4,"6985"')


def test_the_modems_own_traffic_takes_the_selection(hand: Hands, steady: ModuleSettings) -> None:
    bench = made(hand, "bc66", steady, selection_lost_every=2)
    bench.ask(csim("00A4040C07A0000000871002"))
    assert bench.ask(DATA["csim_command"]) == as_written("bc66", '+CSIM: 4,"6985"')


@pytest.mark.parametrize("genuine", [True, False])
def test_the_network_puts_its_challenge_to_the_card_at_each_attach(
    hand: Hands, steady: ModuleSettings, genuine: bool
) -> None:
    asked: list[AkaFunction] = []

    def network(function: AkaFunction) -> bool:
        asked.append(function)
        return genuine

    bench = hand(steady)
    bench.module = VirtualModule("bc66", steady, 1, 1000.0, aka, network=network)
    bench.wait(60.0)
    assert asked == [aka]
    assert bench.module.equipment.registered is genuine
    # EMM cause 3: illegal UE (TS 24.301 9.9.3.9).
    assert bench.module.equipment.reject_cause == (0 if genuine else 3)
