"""Real exchanges, mangled: nothing but the package's own errors comes out, and memory is bounded.

`AT_FUZZ_EXAMPLES` in the environment makes it longer.
"""

import asyncio
import json
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge import FAMILIES, ModuleError, ModuleOptions, PowerSaving, driver
from firmware_bridge.at import Digester
from firmware_bridge.modules.quectel_lines import (
    decode_counters,
    decode_qird,
    decode_qiurc,
    decode_serving_cell,
)

DATA = Path(__file__).parents[2] / "data" / "at"
EXAMPLES = int(os.environ.get("AT_FUZZ_EXAMPLES", "60"))
LINES = 60
"""Of one mangled exchange."""
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def lines(family: str) -> list[bytes]:
    """Everything that modules of the family said in the records, and what they might say."""
    tables = json.loads((DATA / f"{family}.json").read_text("utf-8"))
    said = [row[1].encode("latin-1") for table in tables for row in table["steps"] if row[0] == "<"]
    return [
        *said,
        b'+QIURC: "recv",0,5,"48656C6C6F"',
        b'+QIURC: "closed",0',
        b'+QIURC: "pdpdeact",1',
        b'+QIURC: "dnsgip",0,1,600',
        b'+QNBIOTEVENT: "ENTER PSM"',
        b'+QNBIOTEVENT: "EXIT PSM"',
        b"+QIRD: 5,0",
        b"+QIOPEN: 0,0",
        b"+QIOPEN: 1,0",
        b"+CSCON: 1",
        b'+CEREG: 5,"33C2","022FE6CF",9,0,0,"00000101","00100001"',
        b"+CEREG: 5,1",
        b"+CRTDCP: 1,2,0000",
        b"+NSONMI:1,12",
        b"SEND OK",
        b"CLOSE OK",
        b"+CME ERROR: 50",
    ]


def mangled(line: bytes, source: random.Random) -> bytes:
    """The line, or what a bad line or module makes of it."""
    octets = bytearray(line)
    match source.randrange(7):
        case 0 if octets:
            octets[source.randrange(len(octets))] = source.randrange(256)
        case 1 if octets:
            del octets[source.randrange(len(octets)) :]
        case 2 if octets:
            del octets[: source.randrange(len(octets))]
        case 3:
            octets[0:0] = source.randbytes(source.randrange(1, 9))
        case 4:
            octets += bytes(octets)
        case _:
            pass
    return source.choice([b"\r\n", b"\r\n", b"\n", b"\r", b""]) + bytes(octets) + b"\r\n"


@pytest.mark.parametrize("family", sorted(FAMILIES))
@FUZZ
@given(seed=st.integers(0, 2**32))
def test_mangled_exchanges_give_the_same_events_in_any_pieces(
    record_property: Callable[[str, int], None], family: str, seed: int
) -> None:
    source = random.Random(seed)
    known = lines(family)
    wire = b"".join(mangled(source.choice(known), source) for _ in range(LINES))
    record_property("figure: mangled lines", LINES)
    syntax = driver(family).FAMILY.syntax()  # type: ignore[attr-defined]
    whole = Digester(syntax).feed(wire)
    pieces = Digester(syntax)
    events = []
    while wire:
        count = source.randrange(1, 20)
        events += pieces.feed(wire[:count])
        wire = wire[count:]
        assert pieces.buffered <= syntax.max_line + syntax.max_body
    assert events == whole


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("mode", ["direct", "buffered"])
@FUZZ
@given(seed=st.integers(0, 2**32))
def test_a_driver_among_mangled_lines_raises_only_what_it_documents(
    scripted: Any,
    caplog: pytest.LogCaptureFixture,
    record_property: Callable[[str, int], None],
    family: str,
    mode: Any,
    seed: int,
) -> None:
    record_property("figure: drivers among mangled lines", 1)
    source = random.Random(seed)
    known = lines(family)

    async def noise(fake: Any) -> None:
        while True:
            await asyncio.sleep(source.choice([0.0, 0.01, 0.5, 3.0]))
            fake.line.feed(mangled(source.choice(known), source))

    async def main() -> None:
        fake = scripted.Scripted()
        fake.default = "OK"
        for command in ("AT+CEREG?", "AT+CFUN?", "AT+CPIN?", "AT+CGPADDR", "ATI", "^AT\\+NSOCR.*"):
            fake.on(command, *(mangled(source.choice(known), source) + b"OK\r\n" for _ in range(9)))
        module = driver(family)(fake.line, options=ModuleOptions(receive_mode=mode))
        events: list[object] = []
        module.subscribe(events.append)
        making_noise = asyncio.create_task(noise(fake))
        socket = None
        for _ in range(6):
            try:
                match source.randrange(7):
                    case 0:
                        await module.start()
                    case 1:
                        await module.attach(timeout_s=20)
                    case 2:
                        await module.radio()
                    case 3:
                        await module.configure_power_saving(PowerSaving(psm=True, active_time_s=4))
                    case 4:
                        socket = await module.open_udp("192.0.2.1", 4500)
                    case _ if socket is not None:
                        await socket.send(b"hello")
                        await socket.receive(timeout_s=2)
                    case _:
                        await module.registration()
            except (ModuleError, TimeoutError):
                continue
        making_noise.cancel()
        await module.close()

    caplog.clear()
    with caplog.at_level(logging.ERROR):
        scripted.virtually(main)
    assert not caplog.records


@FUZZ
@given(st.text(max_size=80), st.booleans())
def test_any_text_is_read_or_refused(text: str, direct: bool) -> None:
    for line in (text, f"+QIURC: {text}", f'+QIURC: "recv",0,{text}', f"+QENG: 0,{text}"):
        found = decode_qiurc(line, direct=direct)
        assert found is None or found.data is None or found.length == len(found.data)
        report = decode_serving_cell(line, 1.0)
        assert report is None or report.at == 1.0
        counters = decode_counters(line)
        assert counters is None or all(name.endswith("_s") for name in counters)
        data = decode_qird([f"+QIRD: {text}"])
        assert data is None or isinstance(data, bytes)
