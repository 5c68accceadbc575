"""Finding the family of a port; playing records back; operator, bands and PDP type."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge import (
    FAMILIES,
    CommandFailed,
    LineLost,
    ModuleOptions,
    ModuleSilent,
    driver,
    probe,
)
from firmware_bridge.at import AtEngine, AtLog, Command, Direction, ReplayLine, as_vector
from firmware_bridge.at.log import read_transcript

SHARED = Path(__file__).parents[3].parent / "shared" / "vectors" / "at"
TO, FROM = Direction.TO_MODULE, Direction.FROM_MODULE

# -- probe ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "family"),
    [
        ({"ATI": "Quectel_Ltd|Quectel_BC66|Revision: BC66NBR01A10|OK"}, "bc66"),
        ({"ATI": "Quectel_Ltd|Quectel_BC660K-GL|Revision: QCX212|OK"}, "bc660k"),
        ({"AT+CGMR": "SSB,V150R100C10B200SP1|SECURITY_A,V150R100C20B300SP2|OK"}, "bc95"),
        ({"AT+QGMR": "BC68JAR01A08|OK"}, "bc95"),
        ({"ATI": "SARA-N211-02X|OK"}, None),
    ],
)
def test_the_family_is_found_by_what_the_module_says(
    scripted: Any, answers: dict[str, str], family: str | None
) -> None:
    async def main() -> None:
        fake = scripted.Scripted()
        fake.echo = family == "bc66"
        fake.on("AT", None, "OK")
        fake.on("AT+CFUN?", "+CFUN: 1|OK")
        for command, answer in answers.items():
            fake.on(command, answer)
        found = await probe(fake.line)
        assert found.family == family
        assert found.baudrate == 115_200
        assert found.lines

    scripted.virtually(main)


def test_the_speeds_are_tried_in_turn_and_silence_is_bounded(scripted: Any) -> None:
    async def main() -> None:
        fake = scripted.Scripted()
        fake.on("AT", None, None, None, None, None, "OK")
        fake.on("AT+QGMR", "BC95GJBR01A07|OK")
        fake.on("AT+CFUN?", "+CFUN:1|OK")
        found = await probe(fake.line)
        assert (found.family, found.baudrate, fake.line.baudrate) == ("bc95", 9_600, 9_600)
        fake.deaf = True
        start = asyncio.get_running_loop().time()
        with pytest.raises(ModuleSilent):
            await probe(fake.line)
        assert asyncio.get_running_loop().time() - start < 10

    scripted.virtually(main)


# -- replay --------------------------------------------------------------------------------------

RECORD = """\
# a module that boots, and is asked twice
< RDY
> AT+CSQ
< +CSQ: 18,99
< OK
> AT+QISEND=0,5
< >\x20
> hello
< OK
< +CSCON: 1
"""


def test_a_record_answers_as_the_module_did(scripted: Any) -> None:
    async def main() -> None:
        line = ReplayLine(read_transcript(RECORD))
        log = AtLog()
        engine = AtEngine(line, driver("bc66").FAMILY.syntax(), log=log)  # type: ignore[attr-defined]
        await asyncio.sleep(1)
        engine._unanswered = None
        response = await engine.execute(Command(text="AT+CSQ", bare=True))
        assert response.lines == ["+CSQ: 18,99"]
        await engine.execute(Command(text="AT+QISEND=0,5", prompt=b">", payload=b"hello"))
        await asyncio.sleep(1)
        assert line.finished
        again = as_vector(log.entries(), family="quectel-bc66", source="a test", notes=["short"])
        assert again.startswith("# family: quectel-bc66\n# kind: field-log\n# source: a test\n")
        assert [step for step in read_transcript(again) if step[0] is TO] == [
            (TO, b"AT+CSQ"),
            (TO, b"AT+QISEND=0,5"),
            (TO, b"hello"),
        ]

    scripted.virtually(main)


def test_a_record_ends_at_the_first_difference(scripted: Any) -> None:
    async def main() -> None:
        engine = AtEngine(ReplayLine([(TO, b"AT"), (FROM, b"OK"), (TO, b"ATI")]))
        await engine.execute(Command(text="AT"))
        with pytest.raises(LineLost, match=r"'ATI', not 'AT\+CSQ'"):
            await engine.execute(Command(text="AT+CSQ"))

    scripted.virtually(main)


def test_a_record_that_is_over_takes_no_more(scripted: Any) -> None:
    async def main() -> None:
        engine = AtEngine(ReplayLine([(TO, b"AT"), (FROM, b"OK")]))
        await engine.execute(Command(text="AT"))
        with pytest.raises(LineLost, match="nothing more"):
            await engine.execute(Command(text="AT"))

    scripted.virtually(main)


@pytest.mark.parametrize("name", ["quectel-bc66_boot-noapp", "neul-bc95_nuestats-nmgs"])
def test_the_shared_records_play(scripted: Any, name: str) -> None:
    path = SHARED / f"{name}.txt"
    if not path.is_file():
        pytest.skip("the shared transcripts are not beside this checkout")

    async def main() -> None:
        steps = read_transcript(path.read_text("utf-8"))
        line = ReplayLine(steps)
        engine = AtEngine(line)
        for direction, data in steps:
            if direction is TO:
                await engine.execute(Command(text=data.decode(), bare=True))
        await asyncio.sleep(1)
        assert line.finished

    scripted.virtually(main)


# -- operator, bands, PDP type -------------------------------------------------------------------


async def _driven(scripted: Any, family: str, **options: Any) -> tuple[Any, Any]:
    fake = scripted.Scripted()
    fake.on("^AT(E0|\\+CMEE=1|\\+CEREG=5|\\+CSCON=1|\\+NPSMR=1|\\+QNBIOTEVENT=1,1)?", "OK")
    fake.on("AT+CFUN?", "+CFUN: 1|OK")
    module = driver(family)(fake.line, options=ModuleOptions(**options))
    return module, fake


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_operator_is_read_and_chosen(scripted: Any, family: str) -> None:
    async def main() -> None:
        module, fake = await _driven(scripted, family)
        fake.on("AT+COPS?", '+COPS: 1,2,"23003",9|OK', "+COPS: 0|OK")
        fake.on('AT+COPS=1,2,"21401"', "OK")
        fake.on("AT+COPS=0", "OK")
        assert await module.operator() == "23003"
        assert await module.operator() == ""
        await module.select_operator("21401")
        await module.select_operator(None)
        assert fake.sent[-2:] == ['AT+COPS=1,2,"21401"', "AT+COPS=0"]
        for wrong in ("2140", "2140123", "2140x", "²1401"):
            with pytest.raises(ValueError, match="operator"):
                await module.select_operator(wrong)

    scripted.virtually(main)


@pytest.mark.parametrize(
    ("family", "command"),
    [("bc66", "AT+QBAND=2,8,20"), ("bc660k", "AT+QBAND=2,8,20"), ("bc95", "AT+NBAND=8,20")],
)
def test_bands_are_chosen_as_the_family_says(scripted: Any, family: str, command: str) -> None:
    async def main() -> None:
        module, fake = await _driven(scripted, family)
        fake.on(command, "OK")
        await module.select_bands((8, 20))
        assert fake.sent[-1] == command
        for wrong in ((), (0,), (256,)):
            with pytest.raises(ValueError, match="bands"):
                await module.select_bands(wrong)

    scripted.virtually(main)


def test_another_pdp_type_is_set_even_when_the_apn_is_the_same(scripted: Any) -> None:
    async def main() -> None:
        module, fake = await _driven(scripted, "bc66", pdp_type="IPV6", reset_for_apn=False)
        fake.on("AT+QCGDEFCONT?", '+QCGDEFCONT: "IP","iot"|OK')
        fake.on('AT+QCGDEFCONT="IPV6","iot"', "OK")
        fake.on("AT+CPIN?", "+CPIN: READY|OK")
        fake.on("AT+CEREG?", "+CEREG: 5,1|OK")
        fake.on("AT+CGPADDR", '+CGPADDR: 1,"2001:db8::1"|OK')
        await module.attach(apn="iot")
        assert fake.count('AT+QCGDEFCONT="IPV6","iot"') == 1
        assert fake.count("AT+QRST=1") == 0
        fake.on("AT+QCGDEFCONT?", '+QCGDEFCONT: "IPV6","iot"|OK')
        await module.attach(apn="iot")
        assert fake.count('AT+QCGDEFCONT="IPV6","iot"') == 1

    scripted.virtually(main)


@pytest.mark.parametrize(
    "options", [{"max_payload": 0}, {"time_scale": 0}, {"time_scale": float("inf")}]
)
def test_options_that_can_not_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        ModuleOptions(**options)


def test_a_refusal_says_what_the_number_means(scripted: Any) -> None:
    async def main() -> None:
        module, fake = await _driven(scripted, "bc66")
        fake.on("AT+COPS=0", "+CME ERROR: 30")
        with pytest.raises(CommandFailed, match="no network service") as caught:
            await module.select_operator(None)
        assert caught.value.code == 30
        assert str(caught.value).startswith("the module answered +CME ERROR: 30")

    scripted.virtually(main)
