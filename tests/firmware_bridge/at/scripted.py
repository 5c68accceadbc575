"""A scripted module on a memory line, and a loop whose clock jumps: shared by the tests here.

Written from the transcripts; it knows nothing of the drivers nor of the virtual modules.
"""

import asyncio
import re
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

from firmware_bridge.line import MemoryLine

Reply = str | bytes | None | tuple[float, str | bytes]


class JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, the clock is put forward."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.elapsed += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = JumpingSelector()
        super().__init__(self.clock)

    def time(self) -> float:
        return 1_000.0 + self.clock.elapsed


def virtually(test: Callable[[], Awaitable[None]]) -> None:
    """Run `test` under the jumping clock."""

    async def main() -> None:
        await test()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main())


class Scripted:
    """Answers commands from a table.

    A reply is a text whose lines are parted by `|` (sent as CR LF line CR LF each), raw octets,
    None for silence, or (delay in s, text or octets). Several replies for one command are given
    in turn, the last one for ever. Unknown commands get ERROR.
    """

    def __init__(self, address: str = "memory:scripted") -> None:
        self.line = MemoryLine(address)
        self.line.on_write = self.written
        self.sent: list[str] = []
        self.raw: list[bytes] = []
        self.echo = False
        self.deaf = False
        self.default: Reply = "ERROR"
        self._table: list[tuple[re.Pattern[str], list[list[Reply]]]] = []
        self._partial = b""

    def on(self, command: str, *replies: Reply | list[Reply]) -> None:
        """`command` is a text, or a pattern if it starts with `^`."""
        pattern = re.compile(command if command.startswith("^") else re.escape(command))
        turns = [reply if isinstance(reply, list) else [reply] for reply in replies]
        self._table.insert(0, (pattern, turns))

    def say(self, text: str | bytes) -> None:
        self.line.feed(wire(text))

    def later(self, delay_s: float, text: str | bytes) -> None:
        asyncio.get_running_loop().call_later(delay_s, self.say, text)

    def count(self, command: str) -> int:
        return self.sent.count(command)

    def written(self, data: bytes) -> None:
        self.raw.append(data)
        *commands, self._partial = (self._partial + data).split(b"\r")
        for command in commands:
            text = command.decode("latin-1").strip("\n\x1b")
            self.sent.append(text)
            if self.deaf:
                continue
            if self.echo:
                self.line.feed(text.encode("latin-1") + b"\r")
            for reply in self._reply(text):
                match reply:
                    case None:
                        pass
                    case (delay, content):
                        self.later(delay, content)
                    case _:
                        self.say(reply)

    def _reply(self, text: str) -> list[Reply]:
        for pattern, turns in self._table:
            found = pattern.fullmatch(text)
            if found:
                replies = turns.pop(0) if len(turns) > 1 else turns[0]
                return [filled(reply, found) for reply in replies]
        return [self.default]


def filled(reply: Reply, found: re.Match[str]) -> Reply:
    """`{1}` in a reply stands for the command pattern's first group."""
    if isinstance(reply, tuple):
        content = filled(reply[1], found)
        assert isinstance(content, str | bytes)
        return reply[0], content
    if isinstance(reply, str) and "{1}" in reply:
        return reply.replace("{1}", found.group(1))
    return reply


def wire(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    return "".join(f"\r\n{line}\r\n" for line in text.split("|")).encode("latin-1")
