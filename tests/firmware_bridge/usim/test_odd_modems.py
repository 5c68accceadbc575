"""AUTHENTICATE through modems that answer in ways of their own: hand-made transcripts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge import (
    CommandFailed,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
    SimNotReady,
    UnexpectedAnswer,
    UsimBusy,
    UsimError,
    UsimRefused,
    UsimUnreachable,
    driver,
)
from firmware_bridge.aka import UsimMacFailure, UsimSuccess, UsimSyncFailure
from firmware_bridge.modules.simaccess import decode_apdu, decode_channel
from firmware_bridge.usim import SoftUsim, UsimPath, open_usim, probe_usim
from firmware_bridge.usim.card import _decoded, _decoded_imsi

DATA = json.loads((Path(__file__).parents[2] / "data/aka/published_authenticate.json").read_text())
RAND, AUTN = bytes.fromhex(DATA["rand"]), bytes.fromhex(DATA["autn"])
AUTHENTICATE = DATA["csim_command"]
ANSWER = DATA["csim_response"].partition('"')[2].rstrip('"')
SUCCESS = UsimSuccess(**{name: bytes.fromhex(DATA[name]) for name in ("res", "ck", "ik", "kc")})
SELECT = '^AT\\+CSIM=24,"00A4040C07A0000000871002"'
OPEN = 'AT+CCHO="A0000000871002"'

Test = Callable[[Any, Any], Awaitable[None]]
Run = Callable[[Test], None]


def drive(scripted: Any, test: Test, *, split: bool = False) -> None:
    """Run `test` with a started BC66 driver on a scripted module; `split` feeds octet by octet."""

    async def main() -> None:
        fake = scripted.Scripted()
        if split:
            feed = fake.line.feed
            fake.line.feed = lambda data: [feed(bytes((octet,))) for octet in data]
        fake.on("^AT(E0|\\+CMEE=1|\\+CEREG=5|\\+CSCON=1|\\+QNBIOTEVENT=1,1)?", "OK")
        fake.on("AT+CFUN?", "+CFUN: 1|OK")
        module = driver("bc66")(fake.line)
        await test(module, fake)
        await module.close()

    scripted.virtually(main)


@pytest.fixture(params=["whole", "octet by octet"])
def run(request: pytest.FixtureRequest, scripted: Any) -> Run:
    return partial(drive, scripted, split=request.param != "whole")


def basic(fake: Any) -> None:
    """A modem with AT+CSIM only, which reads the card's identity."""
    fake.on("^AT\\+CSIM=.*", '+CSIM: 4,"6A82"|OK')
    fake.on(SELECT, '+CSIM: 4,"9000"|OK')
    fake.on('AT+CSIM=14,"00A4000C026F07"', '+CSIM: 4,"9000"|OK')
    fake.on('AT+CSIM=10,"00B0000009"', '+CSIM: 22,"0809101000000000109000"|OK')
    fake.on(AUTHENTICATE, DATA["csim_response"] + "|OK")


def on_channel(fake: Any, answer: str = "+CCHO: 1|OK") -> None:
    """A modem with logical channels."""
    basic(fake)
    fake.on(OPEN, answer)
    fake.on("^AT\\+CGLA=1,.*", '+CGLA: 4,"6A82"|OK')
    fake.on("^AT\\+CCHC=.*", "OK")
    apdu = AUTHENTICATE.removeprefix("AT+CSIM=")
    fake.on(f"AT+CGLA=1,{apdu}", DATA["csim_response"].replace("CSIM", "CGLA") + "|OK")


# -- which way -----------------------------------------------------------------------------------


def test_the_basic_channel_is_taken_where_there_is_no_other(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        probe = await probe_usim(module)
        assert probe.path is UsimPath.BASIC
        assert "AT+CCHO" in probe.reasons[UsimPath.CHANNEL]
        assert probe.identity.imsi == "001010000000001"
        assert probe.identity.masked_imsi == "001010000000000"
        assert "001010000000001" not in repr(probe)
        assert probe.identity.gba is None
        assert not any("0088" in sent for sent in fake.sent)  # no authentication
        usim = await open_usim(module, probe)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        assert (usim.path, usim.soft, usim.imsi) == (UsimPath.BASIC, False, "001010000000001")
        await usim.close()

    run(test)


@pytest.mark.parametrize("answer", ["+CCHO: 1|OK", "1|OK", "+CCHO:1|OK", '+CCHO: "1"|OK'])
def test_a_logical_channel_is_better(run: Run, answer: str) -> None:
    async def test(module: Any, fake: Any) -> None:
        on_channel(fake, answer)
        probe = await probe_usim(module)
        assert (probe.path, dict(probe.reasons)) == (UsimPath.CHANNEL, {})
        assert fake.sent[-1] == "AT+CCHC=1"
        usim = await open_usim(module, probe)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        await usim.close()
        assert fake.count(OPEN) == fake.count("AT+CCHC=1") == 2

    run(test)


@pytest.mark.parametrize("answer", ["+CCHO: 00000000038aa32f|OK", "+CCHO: 0|OK", "OK"])
def test_a_channel_that_can_t_be_named_is_left_for_the_basic_one(run: Run, answer: str) -> None:
    async def test(module: Any, fake: Any) -> None:
        on_channel(fake, answer)
        probe = await probe_usim(module)
        assert probe.path is UsimPath.BASIC
        assert "can't be read" in probe.reasons[UsimPath.CHANNEL]

    run(test)


def test_no_way_at_all_is_said_with_both_reasons(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        probe = await probe_usim(module)
        assert probe.path is None and set(probe.reasons) == {UsimPath.CHANNEL, UsimPath.BASIC}
        with pytest.raises(UsimUnreachable, match=r"channel: .*ERROR.*; basic: .*ERROR") as caught:
            await open_usim(module)
        assert "soft USIM" in caught.value.hint
        assert set(caught.value.reasons) == {"channel", "basic"}

    run(test)


def test_a_modem_that_says_nothing_to_what_it_does_not_know_is_asked_on(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on("AT+CMEE?", "+CMEE: 1|OK")
        fake.on(OPEN, None)
        probe = await probe_usim(module)
        assert probe.path is UsimPath.BASIC
        assert "no answer to AT+CCHO" in probe.reasons[UsimPath.CHANNEL]
        fake.deaf = True
        with pytest.raises(ModuleSilent):
            await probe_usim(module)

    run(test)


def test_a_card_without_the_application_is_no_way_either(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        fake.on("^AT\\+CSIM=.*", '+CSIM: 4,"6A82"|OK')
        probe = await probe_usim(module)
        assert probe.path is None
        assert "6A82 (file or application not found)" in probe.reasons[UsimPath.BASIC]

    run(test)


@pytest.mark.parametrize("text", ["+CME ERROR: 10", "+CME ERROR: SIM not inserted"])
def test_a_missing_card_is_no_matter_of_the_way(run: Run, text: str) -> None:
    async def test(module: Any, fake: Any) -> None:
        fake.on("^AT\\+C(SIM|CHO)=.*", text)
        with pytest.raises(SimNotReady, match="SIM not inserted"):
            await probe_usim(module)

    run(test)


# -- how answers are written -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        DATA["csim_response"],
        DATA["csim_response"].replace('"', ""),
        DATA["csim_response"].replace(": ", ":"),
        DATA["csim_response"].lower().replace("csim", "CSIM"),
        f'+CSIM: "{ANSWER}"',
        f'+CSIM:"110","{ANSWER}"',
        f"+CSIM: {ANSWER}",
    ],
)
def test_an_answer_is_read_however_it_is_written(run: Run, answer: str) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on(AUTHENTICATE, answer + "|OK")
        usim = await open_usim(module)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS

    run(test)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("+CGLA: 1,4,9000", "9000"),
        ("+CGLA: 4,9000", "9000"),
        ('+CGLA: 1,4,"9000"', "9000"),
        ('+CSIM: 6,"9000"', None),
        ('+CSIM: 110,"DB08A54211', None),
        ('+CSIM: 2,"90"', None),
        ("+CSIM: 4", None),
        ('+CSIM: 5,"90001"', None),
        ('+CSIM: 4,"90zz"', None),
    ],
)
def test_lines_of_answers(line: str, answer: str | None) -> None:
    assert decode_apdu(line) == (None if answer is None else bytes.fromhex(answer))


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_line_makes_the_readers_raise(line: str) -> None:
    for text in (line, "+CSIM: " + line, "+CCHO:" + line):
        decode_apdu(text)
        decode_channel(text)


def test_a_modem_that_does_not_fetch_is_fetched_from(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on(SELECT, '+CSIM: 4,"611F"|OK')
        fake.on('AT+CSIM=10,"00C000001F"', '+CSIM: 10,"6201009000"|OK')
        fake.on(AUTHENTICATE, '+CSIM: 4,"6135"|OK')
        fake.on('AT+CSIM=10,"00C0000035"', f'+CSIM: {16 + 4},"{ANSWER[:16]}612D"|OK')
        fake.on('AT+CSIM=10,"00C000002D"', f'+CSIM: {len(ANSWER) - 16},"{ANSWER[16:]}"|OK')
        usim = await open_usim(module)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS

    run(test)


def test_a_wrong_length_is_put_right(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on('AT+CSIM=10,"00B0000009"', '+CSIM: 4,"6C0A"|OK')
        fake.on('AT+CSIM=10,"00B000000A"', '+CSIM: 24,"080910100000000010FF9000"|OK')
        assert (await probe_usim(module)).identity.imsi == "001010000000001"
        fake.on('AT+CSIM=10,"00B0000009"', '+CSIM: 4,"6C09"|OK')  # the same again: no loop
        assert (await probe_usim(module)).identity.imsi == ""

    run(test)


def test_an_answer_without_an_end_is_given_up(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on("^AT\\+CSIM=10,.*", '+CSIM: 4,"6110"|OK')
        fake.on(AUTHENTICATE, '+CSIM: 4,"6110"|OK')
        usim = await open_usim(module, await probed_basic(module, fake))
        with pytest.raises(UnexpectedAnswer, match="16 parts"):
            await usim.authenticate(RAND, AUTN)

    run(test)


async def probed_basic(module: Any, fake: Any) -> Any:
    fake.on('AT+CSIM=10,"00B0000009"', '+CSIM: 4,"6A82"|OK')
    fake.on('AT+CSIM=10,"00B0000000"', '+CSIM: 4,"6A82"|OK')
    return await probe_usim(module)


# -- how authentications end -----------------------------------------------------------------------


@pytest.mark.parametrize("way", [basic, on_channel])
def test_sync_and_mac_failures_are_answers_not_errors(run: Run, way: Any) -> None:
    async def test(module: Any, fake: Any) -> None:
        way(fake)
        usim = await open_usim(module)
        told = DATA["csim_sync_failure"].partition(" ")[2]
        for name, head in (("CSIM", "AT\\+CSIM="), ("CGLA", "AT\\+CGLA=1,")):
            fake.on(f'^{head}80,"0088.*', f"+{name}: {told}|OK")
        failure = UsimSyncFailure(auts=bytes.fromhex(DATA["auts"]))
        assert await usim.authenticate(RAND, AUTN) == failure
        for name, head in (("CSIM", "AT\\+CSIM="), ("CGLA", "AT\\+CGLA=1,")):
            fake.on(f'^{head}80,"0088.*', f'+{name}: 4,"9862"|OK')
        assert await usim.authenticate(RAND, AUTN) == UsimMacFailure()

    run(test)


@pytest.mark.parametrize(
    ("sw", "meaning"), [("9864", "context not supported"), ("6982", "security"), ("6D00", "instr")]
)
def test_a_refusal_carries_its_status_word(run: Run, sw: str, meaning: str) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on(AUTHENTICATE, f'+CSIM: 4,"{sw}"|OK')
        usim = await open_usim(module)
        with pytest.raises(UsimRefused, match=meaning) as caught:
            await usim.authenticate(RAND, AUTN)
        assert caught.value.sw == int(sw, 16)
        assert caught.value.hint
        assert isinstance(caught.value, UsimError)
        # Another selection may help all but the context; it is tried once, no more.
        assert fake.count(AUTHENTICATE) == (1 if sw == "9864" else 2)

    run(test)


def test_a_lost_selection_is_made_anew_once(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on(AUTHENTICATE, '+CSIM: 4,"6985"|OK', DATA["csim_response"] + "|OK")
        usim = await open_usim(module)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        selections = [sent for sent in fake.sent if sent.startswith('AT+CSIM=24,"00A404')]
        assert len(selections) == 3  # the probe's, the first, the one again

    run(test)


@pytest.mark.parametrize("lost", ["+CME ERROR: 50", "ERROR", '+CGLA: 4,"6881"|OK'])
def test_a_channel_that_is_gone_is_opened_anew_once(run: Run, lost: str) -> None:
    async def test(module: Any, fake: Any) -> None:
        on_channel(fake)
        usim = await open_usim(module)
        apdu = AUTHENTICATE.removeprefix("AT+CSIM=")
        again = DATA["csim_response"].replace("CSIM", "CGLA") + "|OK"
        fake.on(f"AT+CGLA=1,{apdu}", lost, again)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        fake.on(f"AT+CGLA=1,{apdu}", lost)
        with pytest.raises((CommandFailed, UsimRefused)):
            await usim.authenticate(RAND, AUTN)

    run(test)


@pytest.mark.parametrize("busy", ["+CME ERROR: 14", "+CME ERROR: SIM busy", '+CSIM: 4,"9300"|OK'])
def test_a_busy_card_is_asked_again_for_a_while(run: Run, busy: str) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        usim = await open_usim(module)
        fake.on(AUTHENTICATE, busy, busy, DATA["csim_response"] + "|OK")
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        fake.on(AUTHENTICATE, busy)
        before = fake.count(AUTHENTICATE)
        with pytest.raises(UsimBusy) as caught:
            await usim.authenticate(RAND, AUTN)
        assert 5 < caught.value.waited_s <= 10
        assert 4 < fake.count(AUTHENTICATE) - before < 12

    run(test)


def test_a_busy_module_is_busy_when_it_is_probed_too(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        fake.on("^AT\\+C(SIM|CHO)=.*", "+CME ERROR: 14")
        with pytest.raises(UsimBusy):
            await probe_usim(module)

    run(test)


def test_a_time_out_during_authentication_is_raised_and_the_next_one_works(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        fake.on("AT+CMEE?", "+CMEE: 1|OK")
        usim = await open_usim(module)
        late: Any = [(20.0, DATA["csim_response"]), (20.1, "OK")]
        fake.on(AUTHENTICATE, ["+CSCON: 1", *late], DATA["csim_response"] + "|OK")
        with pytest.raises(ModuleTimeout) as caught:
            await usim.authenticate(RAND, AUTN)
        assert DATA["rand"] not in repr(vars(caught.value)).lower() + str(caught.value).lower()
        assert await usim.authenticate(RAND, AUTN) == SUCCESS

    run(test)


def test_a_reboot_during_authentication_is_raised_and_the_next_one_works(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        on_channel(fake)
        usim = await open_usim(module)
        apdu = AUTHENTICATE.removeprefix("AT+CSIM=")
        again = DATA["csim_response"].replace("CSIM", "CGLA") + "|OK"
        fake.on(f"AT+CGLA=1,{apdu}", "F1: 0000 0000", again)
        with pytest.raises(ModuleRebooted):
            await usim.authenticate(RAND, AUTN)
        before = fake.count(OPEN)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        assert fake.count(OPEN) == before + 1

    run(test)


def test_a_reboot_between_two_authentications_goes_unnoticed(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        on_channel(fake)
        usim = await open_usim(module)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        before = fake.count(OPEN)
        fake.say("F1: 0000 0000")
        await asyncio.sleep(1.0)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        assert fake.count(OPEN) == before + 1

    run(test)


def test_a_reboot_while_the_channel_is_opened_costs_one_more_opening(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        on_channel(fake)
        fake.on(OPEN, "F1: 0000 0000", "+CCHO: 1|OK")
        assert (await probe_usim(module)).path is UsimPath.CHANNEL
        fake.on(OPEN, "+CCHO: 1|OK", "F1: 0000 0000", "+CCHO: 1|OK")
        usim = await open_usim(module)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS

    run(test)


# -- what is no answer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "",
        "DB",
        "DB08A54211D5E3BA50BF",
        "DB03A5421110" + "00" * 16 + "10" + "00" * 16,
        "DB04A542110010" + "00" * 16 + "10" + "00" * 15,
        "DB04A542110010" + "00" * 16 + "10" + "00" * 16 + "07" + "00" * 7,
        "DC0D" + "00" * 13,
        "DC0E" + "00" * 14 + "00",
        "DD0E" + "00" * 14,
    ],
)
def test_an_answer_of_another_form_is_refused_without_being_shown(data: str) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        _decoded(bytes.fromhex(data))
    assert "A54211" not in str(caught.value).upper()


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_answer_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(UnexpectedAnswer):
        _decoded(data)
    assert _decoded_imsi(data) == "" or _decoded_imsi(data).isdigit()


def test_a_challenge_of_another_length_is_the_callers_mistake(run: Run) -> None:
    async def test(module: Any, fake: Any) -> None:
        basic(fake)
        usim = await open_usim(module)
        with pytest.raises(ValueError, match="16 octets"):
            await usim.authenticate(RAND[:15], AUTN)

    run(test)


# -- without a card --------------------------------------------------------------------------------


def test_a_soft_usim_says_that_it_is_one(scripted: Any) -> None:
    async def main() -> None:
        usim = SoftUsim(lambda rand, autn: SUCCESS, imsi="001010000000001")
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        assert (usim.soft, usim.path.value) == (True, "soft")
        assert "001010000000001" not in repr(usim)
        with pytest.raises(ValueError, match="16 octets"):
            await usim.authenticate(RAND, b"")
        await usim.close()

    scripted.virtually(main)


def test_no_record_shows_what_is_in_it() -> None:
    shown = repr(SUCCESS) + repr(UsimSyncFailure(auts=bytes.fromhex(DATA["auts"])))
    for name in ("res", "ck", "ik", "kc", "auts"):
        assert DATA[name] not in shown
        assert repr(bytes.fromhex(DATA[name]))[2:-1] not in shown


@pytest.mark.parametrize("field", ["res", "ck", "ik", "kc"])
def test_a_record_holds_fields_of_the_right_length_only(field: str) -> None:
    fields = {name: bytes.fromhex(DATA[name]) for name in ("res", "ck", "ik", "kc")}
    with pytest.raises(ValueError, match="octets"):
        UsimSuccess(**fields | {field: b"\x00" * 3})
    with pytest.raises(ValueError, match="AUTS"):
        UsimSyncFailure(auts=b"")
