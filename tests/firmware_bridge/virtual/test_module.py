"""The module as a whole: same seed, same life; faults; nothing shared with the drivers."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import firmware_bridge.virtual as room
from firmware_bridge.virtual import FAMILIES, EventKind, ModuleSettings, VirtualModule

Hands = Callable[..., Any]
ROOM = Path(room.__file__).parent


def a_day(seed: int) -> str:
    """A digest of all that one seed's module says and does in a busy hour."""
    module = VirtualModule("bc66", ModuleSettings(), seed, 0.0)
    digest = hashlib.sha256()
    now = 0.0
    for index in range(120):
        commands = b"AT+CESQ\rAT+QENG=0\rAT+QENG=2\r"
        if index == 10:
            commands = b'AT+CSCON=1;+CEREG=5\rAT+QIOPEN=1,0,"UDP","192.0.2.1",5683\r'
        elif index > 10 and index % 3 == 0:
            commands = b"AT+QISEND=0,20,01234567890123456789\r"
        module.write(commands, now)
        target = now + 30.0
        while (due := module.next_timer()) is not None and due <= target:
            module.advance(due)
            output, actions = module.take_output(), module.take_actions()
            if output or actions:
                digest.update(repr((due, output, actions)).encode())
            for action in actions:
                if hasattr(action, "payload"):
                    module.datagram(action.socket, action.payload[::-1], due)
        now = target
    digest.update(repr(module.energy(now)).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_life_to_the_last_bit() -> None:
    assert a_day(1) == a_day(1)
    assert a_day(1) != a_day(2)


def test_the_same_seed_gives_the_same_life_in_another_process_with_another_hash_seed() -> None:
    code = (
        "import importlib.util, sys;"
        f"spec = importlib.util.spec_from_file_location('day', {__file__!r});"
        "day = importlib.util.module_from_spec(spec); spec.loader.exec_module(day);"
        "sys.stdout.write(day.a_day(5))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert digests == {a_day(5)}


def test_how_often_it_is_looked_at_changes_nothing() -> None:
    def life(steps: int) -> tuple[bytes, float]:
        module = VirtualModule("bc66", ModuleSettings(), 3, 0.0)
        module.write(b"AT+CEREG=5\r", 0.0)
        output = b""
        for step in range(1, steps + 1):
            module.advance(100.0 * step / steps)
            output += module.take_output()
        return output, round(module.energy(100.0).total_j, 9)

    assert life(10_000) == life(1000) == life(2)


def test_a_silent_module_neither_hears_nor_speaks_until_it_is_over(hand: Hands) -> None:
    bench = hand()
    bench.attach("AT+CSCON=1", 'AT+QIOPEN=1,0,"UDP","192.0.2.1",1')
    bench.ask("AT+QISEND=0,1,x", 0.1)
    bench.module.silence(30.0, bench.now)
    assert bench.ask("AT", 29.0) == b""
    bench.wait(2)
    assert bench.ask("AT") == b"\r\nOK\r\n"
    assert bench.ask("AT+CSCON?") == b"\r\n+CSCON: 1,0\r\n\r\nOK\r\n"  # life went on meanwhile


def test_garbled_output_has_the_length_of_what_it_stands_for(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.module.garble(2, bench.now)
    first, second = bench.ask("AT"), bench.ask("AT")
    assert len(first) == len(second) == len(b"\r\nOK\r\n")
    assert b"OK" not in first + second
    assert bench.ask("AT") == b"\r\nOK\r\n"


def test_a_reboot_closes_the_sockets_and_is_told_to_who_watches(hand: Hands) -> None:
    bench = hand()
    bench.attach('AT+QIOPEN=1,0,"UDP","192.0.2.1",1')
    bench.module.take_events()
    bench.module.reboot(bench.now)
    assert b"Leaving the BROM" in bench.wait(3)
    assert type(bench.actions[-1]).__name__ == "SocketClosed"
    assert EventKind.RESTARTED in [event.kind for event in bench.module.take_events()]
    assert bench.ask("AT+QISTATE?") == b"AT+QISTATE?\r\r\nOK\r\n"


def test_a_module_that_is_switched_on_boots_first() -> None:
    module = VirtualModule("bc66", ModuleSettings(booted=False), 1, 0.0)
    module.advance(1.0)
    assert module.take_output().endswith(b"Leaving the BROM\r\n")
    module.write(b"AT\r", 1.0)
    module.advance(1.15)
    assert module.take_output() == b""
    module.write(b"AT\r", 2.0)
    module.advance(3.0)
    assert module.take_output() == b"AT\r\r\nOK\r\n"


def test_only_the_datagrams_can_be_taken(hand: Hands) -> None:
    bench = hand()
    bench.attach()
    bench.module.write(b'AT+QIOPEN=1,0,"UDP","192.0.2.1",1\r', bench.now)
    bench.module.advance(bench.now + 1)
    bench.module.write(b"AT+QISEND=0,1,x\r", bench.now + 1)
    bench.module.advance(bench.now + 10)
    (datagram,) = bench.module.take_datagrams()
    assert datagram.payload == b"x"
    (opened,) = bench.module.take_actions()
    assert opened.socket == datagram.socket


def test_there_is_no_other_family() -> None:
    assert "bc66" in FAMILIES
    with pytest.raises(ValueError, match="bc66"):
        VirtualModule("toaster")


def imports(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(ROOM.rglob("*.py")), ids=lambda p: p.name)
def test_this_room_uses_nothing_of_the_drivers_and_nothing_of_ours_outside(path: Path) -> None:
    for name in imports(path):
        if name.startswith("firmware_bridge"):
            # `aka` holds the records of the function that a card is given: no dialect, no command.
            assert name.startswith(("firmware_bridge.virtual", "firmware_bridge.aka")), name
        assert not name.startswith(("testbed", "rohc", "esp", "dashboards")), name


@pytest.mark.parametrize("folder", ["at", "line", "modules"])
def test_the_drivers_use_nothing_of_this_room(folder: str) -> None:
    paths = sorted((ROOM.parent / folder).rglob("*.py"))
    users = [
        path
        for path in paths
        if any(name.startswith("firmware_bridge.virtual") for name in imports(path))
    ]
    assert users == []


WITH_IO = {
    "network.py",
    "memory_network.py",
    "clock.py",
    "doors.py",
    "serving.py",
    "__main__.py",
    "__init__.py",
}
SANS_IO = sorted(path for path in ROOM.rglob("*.py") if path.name not in WITH_IO)


@pytest.mark.parametrize("path", SANS_IO, ids=lambda p: p.name)
def test_the_machine_inside_has_no_clock_no_socket_and_no_thread(path: Path) -> None:
    forbidden = {"asyncio", "socket", "time", "threading", "os", "select", "logging", "datetime"}
    assert not imports(path) & forbidden
