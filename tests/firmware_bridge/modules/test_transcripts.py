"""Real exchanges through each family's parser: every received line has the meaning that the table
beside it says, whole and one octet at a time.

A table's row is [">", command] or ["<", line, meaning, values]; the meanings are `text`,
`final ok`, `final error`, `follow-up ok`, `urc NAME`, and `noise REASON` for the lines that nobody
can know.
The values are those of the event that the driver gives for an unsolicited line, and of the record
that it decodes an answer to; a line that the drivers do not use has none. The rows are from field
logs and tutorials, whose sources stand in the files.
"""

import asyncio
import dataclasses
import enum
import json
import re
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.at import (
    Command,
    Digester,
    Echo,
    Event,
    Final,
    FollowUp,
    Noise,
    Text,
    Urc,
)
from firmware_bridge.at.fields import after_colon, unquote
from firmware_bridge.at.log import read_transcript
from firmware_bridge.modules import driver
from firmware_bridge.modules.neul import decode_nsorf, decode_nuestats
from firmware_bridge.modules.quectel_lines import decode_serving_cell
from firmware_bridge.modules.threegpp import decode_cereg, decode_cesq

DATA = Path(__file__).parents[2] / "data" / "at"
SHARED = Path(__file__).parents[3].parent / "shared" / "vectors" / "at"
FAMILIES = {"bc66": "quectel-bc66_*", "bc660k": "quectel-bc660k_*", "bc95": "neul*"}

BARE = re.compile(
    r"(?i)ATI|AT\+CGMR|AT\+QGMR|AT\+CIMI|AT\+NSOCR|AT\+NSOST|AT\+NSORF|AT\+NUESTATS$|AT\+NQMG"
)
CLOSE = FollowUp(pattern=re.compile(r"(?P<ok>CLOSE OK)$"))


def load(family: str) -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = json.loads((DATA / f"{family}.json").read_text("utf-8"))
    return tables


TABLES = [(family, table) for family in FAMILIES for table in load(family)]
IDS = [f"{family}-{table['name']}" for family, table in TABLES]


def command_for(text: str) -> Command:
    """What anybody who sends `text` would tell the parser."""
    name = re.match(r"AT([+&]?\w*)", text.strip())
    stem = re.escape(name.group(1)) if name and name.group(1)[:1] == "+" else ""
    answer = re.compile(rf"{stem}: ?") if stem else None
    if "NUESTATS=" in text:
        answer = re.compile(r"NUESTATS:")
    if text == "AT+CEREG?":
        answer = re.compile(r"\+CEREG: ?\d,\d{1,2}(,|$)")
    return Command(
        text=text,
        answer=answer,
        bare=bool(BARE.match(text)),
        finals=text.count(";") + 1,
        follow_up=CLOSE if "QICLOSE" in text else None,
        reboots=text in ("AT+NRB", "AT+QRST=1"),
    )


def meaning(event: Event) -> str:
    match event:
        case Text():
            return "text"
        case Echo():
            return "echo"
        case Final(follow_up=True, ok=ok):
            return "follow-up ok" if ok else "follow-up error"
        case Final(ok=ok):
            return "final ok" if ok else "final error"
        case Urc(name=name):
            return f"urc {name}"
        case Noise(reason=reason):
            return f"noise {reason.value}"
    return type(event).__name__


def values_of_event(event: object) -> dict[str, Any]:
    """An event as plain values, without its time."""
    values: dict[str, Any] = {"event": type(event).__name__}
    for field in dataclasses.fields(event):  # type: ignore[arg-type]
        if field.name != "at":
            values |= plain(field.name, getattr(event, field.name))
    return values


def plain(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, enum.Enum):
        return {name: value.name}
    if dataclasses.is_dataclass(value):
        found: dict[str, Any] = {}
        for field in dataclasses.fields(value):
            if field.name != "at":
                found |= plain(field.name, getattr(value, field.name))
        return found
    return {name: value}


def values_of_answer(line: str) -> dict[str, Any]:
    """What the drivers' decoders make of a line of an answer."""
    if line.startswith("+CEREG"):
        return plain("", decode_cereg(line, read=True))
    if line.startswith("+CESQ"):
        rsrp_dbm, rsrq_db = decode_cesq(line)
        return {"rsrp_dbm": rsrp_dbm, "rsrq_db": rsrq_db}
    if line.startswith("+QENG: 0"):
        return plain("", decode_serving_cell(line, 0.0))
    if line.startswith(("+QCCID", "+CGSN")):
        return {"identity": unquote(after_colon(line))}
    if (data := decode_nsorf(line)) is not None:
        return {"data": data.decode("latin-1")}
    return dict(decode_nuestats([line])) if re.match(r"[A-Z][A-Za-z ]+:-?\d+$", line) else {}


def with_values(scripted: Any, family: str, rows: list[list[Any]]) -> list[list[Any]]:
    """The rows with the values that the driver gives."""
    found: list[list[Any]] = []

    async def main() -> None:
        fake = scripted.Scripted()
        module = driver(family)(fake.line)
        events: list[object] = []
        module.subscribe(events.append)
        for row in rows:
            row = row[:2] + [word for word in row[2:] if isinstance(word, str)]
            values: dict[str, Any] = {}
            if len(row) > 2 and row[2].startswith("urc"):
                events.clear()
                fake.say(row[1].encode("latin-1") + b"\r\n")
                await asyncio.sleep(0.1)
                values = values_of_event(events[-1]) if events else {}
            elif len(row) > 2 and row[2] == "text":
                values = values_of_answer(row[1])
            found.append([*row, values] if values else row)

    scripted.virtually(main)
    return found


def run(family: str, rows: list[list[Any]], *, piece: int | None) -> list[list[str]]:
    """The rows with the meanings that the parser finds."""
    digester = Digester(driver(family).FAMILY.syntax())  # type: ignore[attr-defined]
    found: list[list[str]] = []
    for direction, text, *_ in rows:
        if direction == ">":
            if digester.outstanding is not None:
                digester.abandon(0.0)
            digester.begin(command_for(text))
            found.append([direction, text])
            continue
        wire = b"\r\n" + text.encode("latin-1") + b"\r\n"
        step = piece or len(wire)
        events: list[Event] = []
        for start in range(0, len(wire), step):
            events += digester.feed(wire[start : start + step])
        found.append([direction, text, *(meaning(event) for event in events)])
    return found


@pytest.mark.parametrize(("family", "table"), TABLES, ids=IDS)
@pytest.mark.parametrize("piece", [None, 1, 3], ids=["whole", "octets", "threes"])
def test_every_line_of_a_real_exchange_has_its_meaning(
    family: str, table: dict[str, Any], piece: int | None
) -> None:
    meanings = [[word for word in row if isinstance(word, str)] for row in table["steps"]]
    assert run(family, table["steps"], piece=piece) == meanings


@pytest.mark.parametrize(("family", "table"), TABLES, ids=IDS)
def test_every_value_of_a_real_exchange_is_what_the_table_says(
    scripted: Any, family: str, table: dict[str, Any]
) -> None:
    assert with_values(scripted, family, table["steps"]) == table["steps"]


def test_only_the_lines_listed_here_are_noise() -> None:
    noise = {
        (family, row[1])
        for family, table in TABLES
        for row in table["steps"]
        if any(str(word).startswith("noise") for word in row[2:])
    }
    assert noise == {
        ("bc660k", "SEND OK"),  # the log begins after its command
        ("bc95", "\xc3\xe2F\xf8"),  # octets at another speed
        ("bc95", "H?"),
        ("bc95", "?@?"),
        ("bc95", "OK"),  # the boot's own
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tables_hold_the_shared_transcripts_unchanged(family: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared transcripts are not beside this checkout")
    tables = {table["name"]: table["steps"] for table in load(family)}
    for path in sorted(SHARED.glob(FAMILIES[family])):
        steps = [
            [direction.value, data.decode("latin-1")]
            for direction, data in read_transcript(path.read_text("utf-8"))
        ]
        name = path.stem.partition("_")[2]
        assert [row[:2] for row in tables[name]] == steps, name


def test_every_table_names_its_source() -> None:
    assert all(table["source"] and table["kind"] for _, table in TABLES)
