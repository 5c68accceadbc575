"""What can go wrong, on a script or when asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.virtual import (
    EventKind,
    Fault,
    FaultKind,
    LineSettings,
    ModuleSettings,
    virtual_module_on_pty,
)

Hands = Callable[..., Any]
OPEN = 'AT+QIOPEN=1,0,"UDP","192.0.2.1",5683'


def test_a_script_lets_each_fault_happen_at_its_time(hand: Hands, steady: ModuleSettings) -> None:
    script = tuple(
        Fault(at_s=100.0 * (index + 1), kind=kind, duration_s=20.0)
        for index, kind in enumerate(FaultKind)
    )
    bench = hand(replace(steady, faults=script))
    bench.wait(1000)
    faults = [e.at for e in bench.module.take_events() if e.kind is EventKind.FAULT]
    assert faults == [1100.0, 1200.0, 1300.0, 1400.0, 1500.0, 1600.0, 1700.0]
    # After all of that the module works again.
    bench.ask("ATE0")
    assert bench.ask("AT+CEREG?") == b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n"
    bench.ask(OPEN)
    assert bench.ask("AT+QISEND=0,2,hi").endswith(b"SEND OK\r\n")
    bench.wait(10)
    assert bench.actions[-1].payload == b"hi"


def test_a_hanging_module_says_nothing_and_goes_on_afterwards(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.module.fail(FaultKind.HANG, 10.0, bench.now)
    assert bench.ask("AT", 9.0) == b""
    bench.wait(2)
    assert bench.ask("AT") == b"\r\nOK\r\n"


def test_garbage_has_no_meaning_but_an_end(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.module.fail(FaultKind.GARBAGE, 5.0, bench.now)
    spoiled = [bench.ask("AT") for _ in range(4)]
    assert all(len(answer) == 6 and b"OK" not in answer for answer in spoiled)
    bench.wait(2)
    assert bench.ask("AT") == b"\r\nOK\r\n"


def test_a_flood_is_fifty_lines_a_second_and_commands_are_still_answered(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.module.fail(FaultKind.FLOOD, 10.0, bench.now)
    flooded = bench.ask("AT", 5.0)
    assert flooded.count(b"\r\n") >= 2 * 240
    assert b"\r\nOK\r\n" in flooded
    bench.wait(6)
    assert bench.ask("AT") == b"\r\nOK\r\n"


def test_without_its_card_the_module_is_detached_and_finds_back_with_it(hand: Hands) -> None:
    bench = hand()
    bench.attach("AT+CEREG=1")
    bench.module.fail(FaultKind.CARD_REMOVED, 60.0, bench.now)
    assert bench.wait(1) == b"\r\n+CEREG: 0\r\n"
    assert bench.ask("AT+CPIN?") == b"\r\nERROR\r\n"
    assert bench.ask("AT+CGATT=1") == b"\r\nERROR\r\n"
    back = bench.wait(90)
    assert back == b"\r\n+CEREG: 2\r\n\r\n+CEREG: 1\r\n"
    assert bench.ask("AT+CPIN?") == b"\r\n+CPIN: READY\r\n\r\nOK\r\n"


def test_a_bc660k_tells_that_its_card_comes_and_goes(hand: Hands) -> None:
    bench = hand(family="bc660k")
    bench.attach()
    bench.module.fail(FaultKind.CARD_REMOVED, 10.0, bench.now)
    assert bench.wait(1) == b"\r\n+CPIN: NOT READY\r\n"
    assert bench.wait(30).startswith(b"\r\n+CPIN: READY\r\n")


def test_a_bc95_finds_back_with_its_card(hand: Hands) -> None:
    bench = hand(family="bc95")
    bench.wait(30)
    bench.module.fail(FaultKind.CARD_REMOVED, 10.0, bench.now)
    assert bench.ask("AT+CIMI") == b"\r\nERROR\r\n"
    bench.wait(60)
    assert b"+CGATT:1" in bench.ask("AT+CGATT?")


def test_a_lost_network_comes_back(hand: Hands) -> None:
    bench = hand()
    bench.attach("AT+CEREG=1")
    bench.module.fail(FaultKind.NETWORK_LOST, 60.0, bench.now)
    assert bench.wait(50) == b"\r\n+CEREG: 2\r\n"
    assert bench.ask("AT+CSQ") == b"\r\n+CSQ: 99,99\r\n\r\nOK\r\n"
    assert b"\r\n+CEREG: 1\r\n" in bench.wait(60)


def test_a_vanished_module_is_silent_and_comes_back_rebooted(hand: Hands) -> None:
    bench = hand()
    bench.attach(OPEN)
    bench.module.fail(FaultKind.VANISH, 30.0, bench.now)
    assert type(bench.wait(0) or bench.actions[-1]).__name__ == "LineLost"
    assert bench.ask("AT", 29.0) == b""
    assert b"Leaving the BROM" in bench.wait(3)
    assert bench.ask("AT+QISTATE?") == b"AT+QISTATE?\r\r\nOK\r\n"


def test_the_same_seed_spoils_the_same_bytes(hand: Hands) -> None:
    def spoiled() -> bytes:
        bench = hand()
        bench.attach()
        bench.module.fail(FaultKind.GARBAGE, 5.0, bench.now)
        answer: bytes = bench.ask("ATI")
        return answer

    assert spoiled() == spoiled()


@pytest.mark.parametrize(("at_s", "duration_s"), [(-1.0, 0.0), (0.0, -1.0)])
def test_a_fault_before_the_start_or_of_negative_length_is_refused(
    at_s: float, duration_s: float
) -> None:
    with pytest.raises(ValueError, match="fault"):
        Fault(at_s=at_s, kind=FaultKind.HANG, duration_s=duration_s)


async def test_a_vanished_device_comes_back_under_another_name_with_the_same_link(
    tmp_path: Path,
) -> None:
    link = tmp_path / "usb-Quectel_BC66"
    quick = ModuleSettings(line=LineSettings(answer_s=0.001, jitter=0.0, boot_s=0.01))
    async with virtual_module_on_pty("bc66", settings=quick, seed=1, link=link) as door:
        before = door.path
        assert str(link.readlink()) == before
        client = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        door.fail(FaultKind.VANISH, 0.2)
        assert door.path == ""
        assert not link.is_symlink()
        assert os.read(client, 100) == b""  # hung up, as when the plug is pulled
        holder = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)  # the old number is taken
        os.close(client)
        async with asyncio.timeout(5):
            while not door.path:
                await asyncio.sleep(0.01)
        assert str(link.readlink()) == door.path
        client = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        await asyncio.sleep(0.1)
        os.write(client, b"AT\r")
        await asyncio.sleep(0.2)
        assert os.read(client, 4096).endswith(b"\r\nOK\r\n")
        os.close(client)
        os.close(holder)
    assert not link.is_symlink()
