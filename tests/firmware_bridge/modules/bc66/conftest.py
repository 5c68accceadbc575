"""A BC66's driver and the scripted module that it talks to, which answers as transcripts do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from firmware_bridge import (
    ModuleOptions,
)
from firmware_bridge.modules import events as ev
from firmware_bridge.modules.bc66 import Bc66

QENG = '+QENG: 0,1694,12,284,"022FE6CF",-92,-5,-87,10,3,"33C2",0,14,2'
REGISTERED = '+CEREG: 5,1,"33C2","022FE6CF",9,,,"00000101","00100001"'


class Bench:
    """A driver and the scripted module that it talks to."""

    def __init__(self, scripted: Any, **options: Any) -> None:
        self.fake = scripted.Scripted("/dev/ttyUSB0")
        fake = self.fake
        fake.on("AT", "OK")
        fake.on("ATE0", "OK")
        fake.on("AT+CMEE=1", "OK")
        fake.on("AT+CFUN?", "+CFUN: 1|OK")
        fake.on("AT+CFUN=1", "OK")
        fake.on("AT+CPIN?", "+CPIN: READY|OK")
        fake.on("ATI", "Quectel_Ltd|Quectel_BC66|Revision: BC66NBR01A10|OK")
        fake.on("AT+CGMR", "Revision: BC66NBR01A10|OK")
        fake.on("AT+CGSN=1", "+CGSN: 867726031076062|OK")
        fake.on("AT+QCCID", "+QCCID: 89882390000214136817|OK")
        fake.on("AT+CEREG=5", "OK")
        fake.on("AT+CSCON=1", "OK")
        fake.on("AT+QNBIOTEVENT=1,1", "OK")
        fake.on("AT+CEREG?", REGISTERED + "|OK")
        fake.on("AT+CGPADDR", '+CGPADDR: 1,"10.26.255.38"|OK')
        fake.on("AT+QENG=0", [(0.04, QENG), (0.105, "OK")])
        fake.on("AT+CESQ", "+CESQ: 16,7,255,255,22,38|OK")
        fake.on("^AT\\+QICFG=.*", "OK")
        fake.on('^AT\\+QIOPEN=1,(.),"UDP",.*', [(0.05, "OK"), (0.2, "+QIOPEN: {1},0")])
        fake.on("^AT\\+QICLOSE=.", [(0.04, "OK"), (0.09, "CLOSE OK")])
        fake.on("^AT\\+QISEND=.*", [(0.05, "OK"), (0.15, "SEND OK")])
        self.module = Bc66(fake.line, options=ModuleOptions(**options))
        self.events: list[ev.ModuleEvent] = []
        self.module.subscribe(self.events.append)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def now(self) -> float:
        return asyncio.get_running_loop().time()


Test = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def bench(scripted: Any) -> Callable[..., None]:
    """Run a test with a bench, under a clock that jumps."""

    def run(test: Test, **options: Any) -> None:
        async def main() -> None:
            await test(Bench(scripted, **options))

        scripted.virtually(main)

    return run


Run = Callable[..., None]
