"""Real exchanges through each family's parser: every received line has the meaning that the table
beside it says, whole and one octet at a time.

A table's row is [">", command] or ["<", line, meaning]; the meanings are `text`, `final ok`,
`final error`, `follow-up ok`, `urc NAME`, and `noise REASON` for the lines that nobody can know.
The rows are from field logs and tutorials, whose sources stand in the files.
"""

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
from firmware_bridge.at.log import read_transcript
from firmware_bridge.modules import driver

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


def run(family: str, rows: list[list[str]], *, piece: int | None) -> list[list[str]]:
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
    assert run(family, table["steps"], piece=piece) == table["steps"]


def test_only_the_lines_listed_here_are_noise() -> None:
    noise = {
        (family, row[1])
        for family, table in TABLES
        for row in table["steps"]
        if any(word.startswith("noise") for word in row[2:])
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
