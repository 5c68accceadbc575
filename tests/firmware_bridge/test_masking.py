"""Nothing secret gets out: canaries in every place, searched in all that is written."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge import (
    CommandFailed,
    ModuleError,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
    UnexpectedAnswer,
    UsimRefused,
    UsimUnreachable,
    driver,
)
from firmware_bridge.aka import UsimSuccess
from firmware_bridge.at import AtLog, Direction, as_vector
from firmware_bridge.line import MemoryLine
from firmware_bridge.masking import mask_apdu, mask_digits, mask_secrets
from firmware_bridge.usim import open_usim
from firmware_bridge.virtual import (
    FAMILIES,
    CardSettings,
    MemoryNetwork,
    ModuleSettings,
    UsimSettings,
    virtual_module_in_memory,
)
from tests.firmware_bridge.at import scripted

DATA = json.loads((Path(__file__).parents[1] / "data/aka/published_authenticate.json").read_text())
RAND, AUTN = bytes.fromhex(DATA["rand"]), bytes.fromhex(DATA["autn"])
IMSI, ICCID, IMEI = "001017293847561", "89882398765432101234", "866818098765432"
COMMAND, ANSWER = DATA["csim_command"], DATA["csim_response"]


def swapped(digits: str) -> str:
    return "".join(digits[i + 1] + digits[i] for i in range(0, len(digits) - 1, 2))


CANARIES = (
    *(DATA[name] for name in ("rand", "autn", "res", "ck", "ik", "kc", "auts")),
    *(IMSI, ICCID, IMEI, swapped("9" + IMSI), swapped(ICCID)),
)


def leaks(text: str) -> list[str]:
    """Canaries in `text`: whole, or eight digits of them in a row."""
    text = text.lower()
    return [
        canary
        for canary in CANARIES
        if any(canary[i : i + 8] in text for i in range(6, len(canary) - 7))
    ]


def test_the_search_finds_what_is_not_masked() -> None:
    assert len(leaks(COMMAND + ANSWER)) == 6
    assert leaks(f"IMSI {IMSI}") == [IMSI]
    assert leaks(swapped("9" + IMSI))
    assert leaks(mask_secrets(f"{COMMAND} {ANSWER} {IMSI} {ICCID} {IMEI}")) == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('AT+CSIM=10,"0020000100"', 'AT+CSIM=10,"0020000100"'),
        ('+CSIM: 4,"63C3"', '+CSIM: 4,"63C3"'),
        ('+CSIM: 12,"A5421100' + '9000"', '+CSIM: 12,"00000000' + '9000"'),
        ('+CSIM: 14,"A54211009000"', '+CSIM: 14,"000000000000"'),  # cut: the end is no status
        ('AT+CGLA=1,20,"0088008105A542119999"', 'AT+CGLA=1,20,"00880081000000000000"'),
        ("+CGLA:1,12,A54211009000", "+CGLA:1,12,000000009000"),
        ("at+csim=20,00880081A542119999FF", "at+csim=20,00880081000000000000"),
        ('+CRSM: 144,0,"0809101032"', '+CRSM: 144,0,"0000000000"'),
        ('AT+CRSM=214,28423,0,0,9,"0809101032"', 'AT+CRSM=214,28423,0,0,9,"0000000000"'),
        ("AT+CSIM=A542110012345678 +CSIM: A5421100", "AT+CSIM=A542110000000000 +CSIM: 00000000"),
        ('AT+QISEND=0,4,"DEADBEEF"', 'AT+QISEND=0,4,"DEADBEEF"'),
    ],
)
def test_apdus_are_masked_and_keep_their_length(text: str, masked: str) -> None:
    assert mask_apdu(text) == masked
    assert len(mask_secrets(text)) == len(text)


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_masked_to_its_length_and_twice_is_as_once(before: str, after: str) -> None:
    for text in (before + after, before + COMMAND + after, before + ANSWER + after):
        once = mask_secrets(text)
        assert len(once) == len(text)
        assert mask_secrets(once) == once
        assert re.search("[1-9A-Fa-f]{8}", mask_digits(text)) is None


@pytest.mark.parametrize("quote", ['"', ""])
@pytest.mark.parametrize("end", ["", ",1", '"'])
def test_errors_mask_what_they_are_given(quote: str, end: str) -> None:
    command = COMMAND.replace('"', quote) + end
    answer = ANSWER.replace('"', quote) + end
    halves = [answer[:60], answer[60:]]
    errors: list[ModuleError] = [
        CommandFailed(command, answer, 14),
        UnexpectedAnswer(command, " | ".join(halves), "a status word"),
        ModuleTimeout(command, 15.0, seen=halves),
        ModuleSilent(command, 15.0, address="/dev/ttyUSB0"),
        ModuleRebooted(command, "RDY"),
        UsimUnreachable({"basic": f"{command} was answered {answer}"}),
        UsimRefused(0x6982, "AUTHENTICATE"),
        ModuleError(f"{command} and {answer} of {IMSI} with {ICCID} in {IMEI}"),
    ]
    for error in errors:
        told = f"{error} {error!r} {error.args} {vars(error)}"
        assert leaks(told) == [], type(error)


def test_a_transcript_masks_an_answer_in_pieces_on_several_lines_and_out_of_place() -> None:
    log = AtLog()
    told = (
        (Direction.TO_MODULE, COMMAND.encode() + b"\r"),
        (Direction.FROM_MODULE, COMMAND.encode() + b"\r\r\n" + ANSWER[:30].encode()),
        (Direction.FROM_MODULE, ANSWER[30:70].encode() + b"\r\n"),
        (Direction.FROM_MODULE, ANSWER[70:].encode() + b"\r\n\r\nOK\r\n"),
        (Direction.FROM_MODULE, ANSWER.encode() + b"\r\n"),
        (Direction.TO_MODULE, b'AT+QISEND=0,4,"DEADBEEF"\r'),
        (Direction.FROM_MODULE, b'\r\n+QIURC: "recv",0,4,"DEADBEEF"\r\n'),
    )
    for at, (direction, data) in enumerate(told):
        log.record(float(at), direction, data)
    text = log.transcript()
    assert leaks(text) == []
    assert text.count("DEADBEEF") == 2  # payloads are no identities
    assert "00880081" in text
    assert leaks(log.transcript(mask=False)) != []


def test_a_log_that_begins_within_a_line_masks_the_rest_of_it() -> None:
    log = AtLog(keep=2)
    log.record(1.0, Direction.TO_MODULE, COMMAND.encode() + b"\r")
    log.record(2.0, Direction.FROM_MODULE, ANSWER[:50].encode())
    log.record(3.0, Direction.FROM_MODULE, ANSWER[50:].encode() + b"\r\n")
    log.record(4.0, Direction.FROM_MODULE, b"\r\nOK\r\n")
    assert len(log.entries()) == 2
    assert leaks(log.transcript()) == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("channels", [True, False])
def test_nothing_of_an_authentication_is_in_logs_and_vectors(
    caplog: pytest.LogCaptureFixture, family: str, channels: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    log = AtLog()
    settings = ModuleSettings(
        imei=IMEI,
        card=CardSettings(imsi=IMSI, iccid=ICCID),
        usim=UsimSettings(generic_access=True, channels=channels, chained=False),
    )
    answer = UsimSuccess(**{name: bytes.fromhex(DATA[name]) for name in ("res", "ck", "ik")})
    seen: list[str] = []

    async def main() -> None:
        async with virtual_module_in_memory(
            family, settings=settings, network=MemoryNetwork(), aka=lambda rand, autn: answer
        ) as door:
            line = MemoryLine("memory:canary")
            line.on_write = door.write
            door.connect(line.feed)
            module = driver(family)(line, log=log)
            module.subscribe(_failing(seen))
            await module.start()
            await module.attach()
            usim = await open_usim(module)
            assert await usim.authenticate(RAND, AUTN) == answer_with_kc(answer)
            line.feed(f"\r\n{ANSWER}\r\n{ANSWER[40:]}\r\n".encode())  # late, and in pieces
            door.garble(1)
            try:
                await usim.authenticate(RAND, AUTN)
            except ModuleError as error:
                seen.append(f"{error} {error!r} {vars(error)}")
            await usim.close()
            await module.close()

    scripted.virtually(main)
    raw = log.transcript(mask=False)
    assert len(leaks(raw)) >= 7  # they were there
    texts = {
        "transcript": log.transcript(times=True),
        "vector": as_vector(log.entries(), family=family, source="test"),
        "log": caplog.text,
        "errors": "\n".join(seen),
    }
    assert caplog.text
    for name, text in texts.items():
        assert leaks(text) == [], name


def answer_with_kc(answer: UsimSuccess) -> UsimSuccess:
    return UsimSuccess(res=answer.res, ck=answer.ck, ik=answer.ik, kc=bytes.fromhex(DATA["kc"]))


def _failing(seen: list[str]) -> Callable[[Any], None]:
    """A subscriber that fails on everything, so that the driver logs what it failed on."""

    def fail(event: Any) -> None:
        raise RuntimeError("a subscriber's own mistake")

    return fail
