"""The engine and a driver over a real pty, in real time."""

import asyncio
import os
import re
import sys
import tty
from collections.abc import AsyncIterator

import pytest

from firmware_bridge import LineLost, ModuleRebooted, open_module, open_port
from firmware_bridge.at import AtEngine, AtLog, Command, Syntax, UrcRule

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ptys are POSIX only")

SYNTAX = Syntax(
    urcs=(
        UrcRule(name="boot", pattern=re.compile("RDY$"), banner=True),
        UrcRule(name="connection", pattern=re.compile(r"\+CSCON: ?[01]$")),
    )
)


class FarSide:
    """The master side of a pty: answers from a table, `piece` octets per write."""

    def __init__(self, answers: dict[str, bytes], piece: int = 4_096) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)
        self.answers = answers
        self.piece = piece
        self.waiting = b""
        self.outgoing = b""
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(self.master, self.read)

    def read(self) -> None:
        try:
            self.waiting += os.read(self.master, 4_096)
        except OSError:
            return
        *commands, self.waiting = self.waiting.split(b"\r")
        for command in commands:
            self.say(self.answers.get(command.decode(), b"\r\nERROR\r\n"))

    def say(self, data: bytes) -> None:
        idle = not self.outgoing
        self.outgoing += data
        if idle:
            self.loop.call_soon(self.write)

    def write(self) -> None:
        os.write(self.master, self.outgoing[: self.piece])
        self.outgoing = self.outgoing[self.piece :]
        if self.outgoing:
            self.loop.call_soon(self.write)

    def close(self) -> None:
        self.loop.remove_reader(self.master)
        os.close(self.master)
        os.close(self.slave)


ANSWERS = {
    "AT": b"\r\nOK\r\n",
    "AT+CSQ": b"AT+CSQ\r\r\n+CSCON: 1\r\n\r\n+CSQ: 18,99\r\n\r\nOK\r\n",
    "AT+CFUN?": b"\r\n+CFUN: 1\r\n\r\nOK\r\n",
    "AT+BOOT": b"\x00\xff\r\nRDY\r\n",
}


@pytest.fixture(params=[1, 7, 4_096], ids=["octet by octet", "sevens", "whole"])
async def far(request: pytest.FixtureRequest) -> AsyncIterator[FarSide]:
    side = FarSide(dict(ANSWERS), request.param)
    yield side
    side.close()


async def test_exchanges_are_the_same_however_the_octets_arrive(far: FarSide) -> None:
    log = AtLog()
    line = await open_port(far.path)
    urcs: list[str] = []
    engine = AtEngine(line, SYNTAX, log=log, on_urc=lambda urc: urcs.append(urc.text))
    for _ in range(5):
        response = await engine.execute(
            Command(text="AT+CSQ", answer=re.compile(r"\+CSQ: ?\d"), timeout_s=10)
        )
        assert response.lines == ["+CSQ: 18,99"]
        assert response.echoed
        assert response.written_at <= response.began_at <= response.final_at
    assert urcs == ["+CSCON: 1"] * 5
    assert log.transcript().count("< +CSQ: 18,99") == 5
    with pytest.raises(ModuleRebooted):
        await engine.execute(Command(text="AT+BOOT", timeout_s=10))
    assert (await engine.execute(Command(text="AT", timeout_s=10))).final == "OK"
    await engine.close()


async def test_a_port_that_vanishes_ends_the_exchange() -> None:
    far = FarSide({"AT+WAIT": b""})
    line = await open_port(far.path)
    engine = AtEngine(line, SYNTAX)
    waiting = asyncio.create_task(engine.execute(Command(text="AT+WAIT", timeout_s=60)))
    await asyncio.sleep(0.05)
    far.close()
    with pytest.raises(LineLost):
        async with asyncio.timeout(5):
            await waiting
    await engine.close()


async def test_a_driver_starts_on_a_pty(far: FarSide) -> None:
    far.answers |= {
        "ATE0": b"ATE0\r\r\nOK\r\n",
        "ATI": b"\r\nQuectel_Ltd\r\nQuectel_BC66\r\nRevision: BC66NBR01A10\r\n\r\nOK\r\n",
    }
    module = await open_module("bc66", far.path)
    identity = await module.start()
    assert (identity.model, identity.firmware) == ("Quectel_BC66", "BC66NBR01A10")
    await module.close()
