"""Sixteen modules on pseudo-terminals in one process, in real time: each for itself."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from firmware_bridge.virtual import (
    FaultKind,
    LineSettings,
    ModuleSettings,
    PtyDoor,
    virtual_module_on_pty,
)

ROOT = Path(__file__).parents[3]
MODULES = 16
FAMILIES = ("bc66", "bc660k", "bc95")


class Host:
    """A program that has one of the devices open."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.said = asyncio.Queue[bytes]()
        asyncio.get_running_loop().add_reader(self.file, self._read)

    def _read(self) -> None:
        data = os.read(self.file, 4096)
        self.said.put_nowait(data)
        if not data:
            self.close()

    def write(self, command: str) -> None:
        os.write(self.file, command.encode() + b"\r")

    async def until(self, last: bytes) -> bytes:
        """All that is said up to ``last``."""
        said = b""
        async with asyncio.timeout(20):
            while not said.endswith(last):
                data = await self.said.get()
                assert data, said
                said += data
        return said

    async def ask(self, command: str) -> bytes:
        self.write(command)
        return await self.until(b"\r\nOK\r\n")

    def close(self) -> None:
        if self.file >= 0:
            asyncio.get_running_loop().remove_reader(self.file)
            os.close(self.file)
            self.file = -1


def imei(number: int) -> str:
    return f"8668180300{number:05}"


@asynccontextmanager
async def sixteen() -> AsyncIterator[list[tuple[PtyDoor, Host]]]:
    async with AsyncExitStack() as stack:
        found = []
        for number in range(MODULES):
            door = await stack.enter_async_context(
                virtual_module_on_pty(
                    FAMILIES[number % 3],
                    settings=ModuleSettings(
                        imei=imei(number), line=LineSettings(baudrate=0, answer_s=0.005)
                    ),
                    seed=number,
                )
            )
            host = Host(door.path)
            stack.callback(host.close)
            found.append((door, host))
        yield found


async def test_each_module_answers_its_own_host_and_nobody_else_s() -> None:
    async with sixteen() as modules:
        for turn in range(5):
            answers = await asyncio.gather(*(host.ask("AT+CGSN=1") for _, host in modules))
            for number, answer in enumerate(answers):
                assert imei(number).encode() in answer, turn
                assert answer.count(b"+CGSN") <= 2  # the echo at most, and the answer


async def test_what_goes_wrong_with_some_of_them_is_nothing_to_the_others() -> None:
    kinds = [FaultKind.HANG, FaultKind.FLOOD, FaultKind.REBOOT, FaultKind.VANISH]
    async with sixteen() as modules:
        for kind, (door, _) in zip(kinds, modules, strict=False):
            door.fail(kind, 60.0)
        hanging, flooded, _, vanished = (host for _, host in modules[:4])
        hanging.write("AT+CGSN=1")
        others = modules[len(kinds) :]
        for _ in range(5):
            answers = await asyncio.gather(*(host.ask("AT+CGSN=1") for _, host in others))
            for number, answer in enumerate(answers, start=len(kinds)):
                assert imei(number).encode() in answer
        assert modules[0][0].path
        assert hanging.said.empty()
        assert (await flooded.until(b"\r\n")).isascii()
        async with asyncio.timeout(10):
            assert await vanished.said.get() == b""


def test_the_benchmark_gets_from_each_module_the_answer_of_its_model() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "benchmarks/bench_many.py", "--json"),
            *("--modules", str(MODULES), "--rounds", "1", "--seconds", "1"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told) == {"name", "figures", "ratios", "runs", "spread"}
    assert told["figures"]["modules"] == MODULES
    assert told["figures"]["exchanges"] > 0
    assert told["figures"]["added_p99_ms"] > 0
