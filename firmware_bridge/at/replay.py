"""Playing a transcript back: a line that answers as a recorded module did.

    line = ReplayLine(read_transcript(path.read_text()))
    module = driver("bc66")(line)

What was recorded before the first command comes at once; what follows a command comes when that
command is written. A command that differs from the recorded one ends the line, with both in the
reason, so that a changed driver is noticed at the first difference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from firmware_bridge.at.log import Direction, Entry, transcript
from firmware_bridge.line.contract import Receiver
from firmware_bridge.line.memory import MemoryLine

__all__ = ["ReplayLine", "as_vector"]

PROMPTS = (b">", b"> ", b"@")
"""Lines that a module sends without an end."""


class ReplayLine(MemoryLine):
    """Plays `steps` back, as `read_transcript` gives them.

    `delay_s` is the module's time to answer, in loop seconds.
    """

    def __init__(
        self,
        steps: Sequence[tuple[Direction, bytes]],
        *,
        address: str = "replay:",
        delay_s: float = 0.05,
    ) -> None:
        super().__init__(address)
        self._steps = list(steps)
        self._next = 0
        self._delay_s = delay_s
        self._partial = b""
        self.on_write = self._written

    @property
    def finished(self) -> bool:
        """Everything recorded was said and heard."""
        return self._next == len(self._steps)

    def connect(self, receiver: Receiver) -> None:
        """See `Line.connect`."""
        super().connect(receiver)
        self._answer()

    def _written(self, data: bytes) -> None:
        *commands, self._partial = (self._partial + data).split(b"\r")
        for command in commands:
            self._expect(command.strip(b"\n\x1b"))
        if self._partial and self._upcoming() == self._partial:
            command, self._partial = self._partial, b""  # a payload has no line end
            self._expect(command)

    def _upcoming(self) -> bytes | None:
        if self.finished:
            return None
        direction, data = self._steps[self._next]
        return data if direction is Direction.TO_MODULE else None

    def _expect(self, command: bytes) -> None:
        expected = self._upcoming()
        if command != expected:
            wanted = "nothing more" if expected is None else repr(expected.decode("latin-1"))
            self.break_off(f"the record has {wanted}, not {command.decode('latin-1')!r}")
            return
        self._next += 1
        self._answer()

    def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        wire = b""
        while not self.finished and self._steps[self._next][0] is Direction.FROM_MODULE:
            data = self._steps[self._next][1]
            wire += b"\r\n" + data + (b"" if data in PROMPTS else b"\r\n")
            self._next += 1
        if wire:
            loop.call_later(self._delay_s, self.feed, wire)


def as_vector(
    entries: Iterable[Entry],
    *,
    family: str,
    source: str,
    kind: str = "field-log",
    notes: Sequence[str] = (),
) -> str:
    """What was recorded as a new vector: a head, then the transcript with identities masked.

    `kind`: `field-log` for a real module, `virtual` for one that is made of software.
    """
    head = [f"# family: {family}", f"# kind: {kind}", f"# source: {source}"]
    head += [f"# note: {note}" for note in notes]
    return "\n".join(head) + "\n" + transcript(entries, mask=True)
