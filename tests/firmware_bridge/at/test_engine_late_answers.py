"""Whatever a slow module does, an answer never goes to another command than its own."""

import asyncio
import os
import random
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_bridge import CommandFailed, MemoryLine, ModuleTimeout
from firmware_bridge.at import AtEngine, Command, FollowUp

QUESTION = re.compile(r"AT\+(Q|S)=(\d+)")


class SlowModule:
    """Works on one command after the other, each as long as it likes.

    `AT+Q=n` answers `+Q: n`; `AT+S=n` answers OK, and later `SENT n`. With `deaf_when_busy` it
    drops what is written while it works, as some modules do.
    """

    def __init__(self, seed: int, *, deaf_when_busy: bool) -> None:
        self.line = MemoryLine()
        self.line.on_write = self.written
        self.source = random.Random(seed)
        self.deaf_when_busy = deaf_when_busy
        self.free_at = 0.0
        self.partial = b""

    def written(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        *commands, self.partial = (self.partial + data).split(b"\r")
        for command in commands:
            if self.deaf_when_busy and now < self.free_at:
                continue
            self.work(command.decode().strip("\x1b"), now)

    def work(self, text: str, now: float) -> None:
        loop = asyncio.get_running_loop()
        self.free_at = max(self.free_at, now) + self.source.choice([0.05, 0.3, 1.0, 2.5, 4.0])
        found = QUESTION.fullmatch(text)
        if text == "AT+CFUN?":
            answer = "+CFUN: 1|OK"
        elif text == "AT+CMEE?":
            answer = "+CMEE: 1|OK"
        elif found is None:
            answer = "ERROR"
        elif found.group(1) == "Q":
            number = found.group(2)
            answer = self.source.choice([f"+Q: {number}|OK", f"+Q: {number}|OK", "ERROR"])
        else:
            answer = "OK"
            after = self.source.choice([0.1, 1.0, 5.0])
            loop.call_at(self.free_at + after, self.say, f"SENT {found.group(2)}")
        loop.call_at(self.free_at, self.say, answer)

    def say(self, text: str) -> None:
        self.line.feed("".join(f"\r\n{line}\r\n" for line in text.split("|")).encode())


def question(number: int) -> Command:
    return Command(text=f"AT+Q={number}", answer=re.compile(r"\+Q: \d+"), timeout_s=2.0)


def sending(number: int) -> Command:
    return Command(
        text=f"AT+S={number}",
        timeout_s=2.0,
        follow_up=FollowUp(pattern=re.compile(r"(?P<ok>SENT) \d+"), timeout_s=3.0),
    )


@pytest.mark.parametrize("deaf_when_busy", [False, True])
@given(seed=st.integers(0, 2**32))
@settings(
    max_examples=int(os.environ.get("AT_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_answer_is_the_commands_own(scripted: Any, deaf_when_busy: bool, seed: int) -> None:
    async def main() -> None:
        module = SlowModule(seed, deaf_when_busy=deaf_when_busy)
        engine = AtEngine(module.line)
        answered = 0
        for number in range(12):
            command = question(number) if number % 3 else sending(number)
            try:
                response = await engine.execute(command)
            except (ModuleTimeout, CommandFailed):
                continue
            answered += 1
            if command.follow_up is None:
                assert response.lines == [f"+Q: {number}"]
            else:
                assert response.follow_up == f"SENT {number}"
        assert answered <= 12

    scripted.virtually(main)


def test_the_check_bites_when_the_engine_does_not_find_its_place(scripted: Any) -> None:
    wrong = 0

    async def main() -> None:
        nonlocal wrong
        for seed in range(30):
            module = SlowModule(seed, deaf_when_busy=False)
            engine = AtEngine(module.line)
            for number in range(12):
                engine._unanswered = None
                engine._digester.forgive()
                try:
                    response = await engine.execute(question(number))
                except (ModuleTimeout, CommandFailed):
                    continue
                wrong += response.lines != [f"+Q: {number}"]

    scripted.virtually(main)
    assert wrong > 10
