"""The digester: octets and the outstanding command in, events out. No I/O, no clock.

The same octets give the same events however they are cut into pieces. Each line is judged in this
order, the first that fits wins:

    1. echo of the outstanding command, of its payload, or of one before it
    2. final result: OK, ERROR, +CME/+CMS ERROR, the command's own; its follow-up result
    3. the outstanding command's answer          before the URCs, for prefixes that both share
    4. an unsolicited line of the dialect; a boot banner ends the outstanding command
    5. a bare line, if the command's answer has such
    6. noise

Before any line is looked for: a prompt at the start of a line, if one is awaited, and bodies, which
are cut out by their count and never looked into. A line ends at CR or LF; empty ones are dropped.

Memory is bounded by `Syntax.max_line` and `Syntax.max_body`, whatever comes.
"""

from __future__ import annotations

import re
from collections import deque

from firmware_bridge.at.events import (
    Body,
    Data,
    Echo,
    Event,
    Final,
    Noise,
    NoiseReason,
    Prompt,
    Text,
    Urc,
)
from firmware_bridge.at.fields import number
from firmware_bridge.at.syntax import BodyRule, Command, FollowUp, Syntax

__all__ = ["Digester"]

_LINE_END = re.compile(rb"[\r\n]")
_ERROR_WITH_CODE = re.compile(r"\+CM[ES] ERROR: ?(.*)")
_UNPRINTABLE_LEAD = re.compile(rb"[^\x21-\x7e]*")
_NOISE_KEPT = 256
_RECENT = 4
_LOST_ON_WAKING = 2
"""Characters that an echo may lack at its start."""


class _Counted:
    """A body that is being counted."""

    __slots__ = ("began_at", "header", "inline", "size", "urc")

    def __init__(self, header: str, size: int, inline: bool, urc: str, began_at: float) -> None:
        self.header = header
        self.size = size
        self.inline = inline
        self.urc = urc
        self.began_at = began_at


class Digester:
    """The parser of one line. `syntax` is the dialect's."""

    def __init__(self, syntax: Syntax | None = None) -> None:
        self.syntax = syntax or Syntax()
        self._urc_bodies = tuple(
            (rule.name, rule.body) for rule in self.syntax.urcs if rule.body is not None
        )
        self._compiled: dict[str, re.Pattern[bytes]] = {}
        self._buffer = bytearray()
        self._began_at: float | None = None
        self._scanned = 0
        self._skip_lf = False
        self._dropping = False
        self._data_mode = False
        self._counted: _Counted | None = None
        self._command: Command | None = None
        self._echo_open = False
        self._prompt_open = False
        self._answered = False
        self._finals_left = 0
        self._follow_up_open = False
        self._recent: deque[str] = deque(maxlen=_RECENT)
        self._owed: list[tuple[str, float]] = []
        self._inline: tuple[tuple[str, BodyRule], ...] = ()
        self._choose_inline()

    # -- what the engine says --------------------------------------------------------------------

    @property
    def outstanding(self) -> Command | None:
        """The command whose answer is awaited."""
        return self._command

    @property
    def data_mode(self) -> bool:
        """The line carries data, not lines."""
        return self._data_mode

    @property
    def buffered(self) -> int:
        """Octets held back until more come."""
        return len(self._buffer)

    def begin(self, command: Command) -> None:
        """`command` is being sent. Raises `RuntimeError` if another one is outstanding."""
        if self._command is not None:
            raise RuntimeError(f"{self._command.text} is still outstanding")
        self._command = command
        self._echo_open = True
        self._prompt_open = bool(command.prompt)
        self._answered = False
        self._finals_left = command.finals
        self._follow_up_open = command.follow_up is not None
        self._choose_inline()

    def abandon(self, at: float) -> list[Event]:
        """Nobody waits for the outstanding command any more (time-out). Returns what was cut."""
        self._end()
        if self._counted is None:
            return []
        body, self._counted = self._counted, None
        cut = bytes(self._buffer[:_NOISE_KEPT])
        self._buffer.clear()
        self._scanned = 0
        self._skip_lf = False
        self._began_at = None
        return [Noise(at=at, began_at=body.began_at, reason=NoiseReason.CUT, data=cut)]

    def owe(self, follow_up: FollowUp, until: float) -> None:
        """A command ended without this second result: if it still comes before `until`, drop it.

        Said again, it moves the time.
        """
        pattern = follow_up.pattern.pattern
        self._owed = [entry for entry in self._owed if entry[0] != pattern]
        self._owed.append((pattern, until))

    def owed_until(self, follow_up: FollowUp) -> float | None:
        """Until when such a second result of an earlier command may still come; None: it can't."""
        pattern = follow_up.pattern.pattern
        return next((until for owed, until in self._owed if owed == pattern), None)

    def forgive(self, follow_up: FollowUp | None = None) -> None:
        """Such a late result, or none at all (reboot), can come any more."""
        if follow_up is None:
            self._owed.clear()
            return
        pattern = follow_up.pattern.pattern
        self._owed = [entry for entry in self._owed if entry[0] != pattern]

    def leave_data_mode(self) -> None:
        """The line carries lines again."""
        self._data_mode = False

    # -- what the line says ----------------------------------------------------------------------

    def feed(self, data: bytes, at: float = 0.0) -> list[Event]:
        """Digest `data`, read at `at`. Never raises for any octets."""
        events: list[Event] = []
        self._buffer += data
        while self._buffer and self._step(at, events):
            pass
        if self._buffer and self._began_at is None:
            self._began_at = at
        return events

    def _step(self, at: float, events: list[Event]) -> bool:
        """Take one thing off the front of the buffer; False if more octets are needed."""
        buffer = self._buffer
        if self._skip_lf:
            self._skip_lf = False
            if buffer[0] == 0x0A:
                del buffer[0]
                return True
        if self._data_mode:
            events.append(Data(at=at, began_at=at, data=bytes(buffer)))
            buffer.clear()
            return False
        if self._counted is not None:
            return self._step_body(at, events)
        if self._dropping:
            return self._step_drop()
        if not self._scanned:
            start = 0
            while start < len(buffer) and buffer[start] in b"\r\n ":
                start += 1
            if start:
                del buffer[:start]
                self._began_at = None
                return True
            if self._prompt_open and buffer[:1] == self._prompt_octet():
                began_at = self._take(1, at)
                self._prompt_open = False
                events.append(Prompt(at=at, began_at=began_at))
                return True
        if self._inline and self._start_inline_body(at):
            return True
        return self._step_line(at, events)

    def _step_line(self, at: float, events: list[Event]) -> bool:
        buffer = self._buffer
        limit = self.syntax.max_line
        found = _LINE_END.search(buffer, self._scanned, limit + 1)
        if found is None:
            if len(buffer) <= limit:
                self._scanned = len(buffer)
                return False
            data = bytes(buffer[:_NOISE_KEPT])
            began_at = self._take(limit + 1, at)
            self._dropping = True
            events.append(Noise(at=at, began_at=began_at, reason=NoiseReason.OVERLONG, data=data))
            return True
        end = found.start()
        raw = bytes(buffer[:end])
        ended_by_cr = buffer[end] == 0x0D
        began_at = self._take(end + 1, at)
        self._judge(raw, at, began_at, events)
        if ended_by_cr and (self._counted is not None or self._data_mode):
            self._skip_lf = True
        return True

    def _step_drop(self) -> bool:
        found = _LINE_END.search(self._buffer)
        if found is None:
            self._buffer.clear()
            return False
        del self._buffer[: found.end()]
        self._dropping = False
        return True

    def _step_body(self, at: float, events: list[Event]) -> bool:
        body = self._counted
        assert body is not None
        if len(self._buffer) < body.size:
            return False
        data = bytes(self._buffer[: body.size])
        self._take(body.size, at)
        self._counted = None
        events.append(
            Body(at=at, began_at=body.began_at, header=body.header, data=data, urc=body.urc)
        )
        if body.inline:
            self._dropping = True  # the closing quote and whatever else ends the line
        return True

    def _take(self, count: int, at: float) -> float:
        """Remove octets; returns when the first of them was read."""
        del self._buffer[:count]
        self._scanned = 0
        began_at = at if self._began_at is None else self._began_at
        self._began_at = None
        return began_at

    # -- bodies ----------------------------------------------------------------------------------

    def _choose_inline(self) -> None:
        rules = [(name, body) for name, body in self._urc_bodies if body.inline]
        command = self._command
        if command is not None and command.body is not None and command.body.inline:
            rules.insert(0, ("", command.body))
        self._inline = tuple(rules)

    def _start_inline_body(self, at: float) -> bool:
        for name, rule in self._inline:
            pattern = self._compiled.get(rule.header.pattern)
            if pattern is None:
                pattern = re.compile(rule.header.pattern.encode("latin-1"))
                self._compiled[rule.header.pattern] = pattern
            found = pattern.match(self._buffer)
            if found is None:
                continue
            size = self._believed(found.group("n"), rule)
            if size is None:
                continue
            header = found.group(0).decode("latin-1")
            end = found.end()
            del found  # it keeps the buffer from shrinking
            began_at = self._take(end, at)
            self._answered = self._answered or not name
            self._counted = _Counted(header, size, True, name, began_at)
            return True
        return False

    def _believed(self, count: bytes | str, rule: BodyRule) -> int | None:
        if not 1 <= len(count) <= 7 or not count.isdigit():
            return None
        size = int(count) * rule.scale
        return size if size <= self.syntax.max_body else None

    def _start_body(self, rule: BodyRule, text: str, urc: str, began_at: float) -> None:
        found = rule.header.match(text)
        size = None if found is None else self._believed(found.group("n") or "", rule)
        if size:
            self._counted = _Counted(text, size, False, urc, began_at)

    def _prompt_octet(self) -> bytes:
        return self._command.prompt if self._command is not None else b""

    # -- lines -----------------------------------------------------------------------------------

    def _judge(self, raw: bytes, at: float, began_at: float, events: list[Event]) -> None:
        lead = _UNPRINTABLE_LEAD.match(raw)
        assert lead is not None
        if lead.end():
            junk = raw[: lead.end()]
            if junk.strip(b" \t"):
                events.append(
                    Noise(
                        at=at,
                        began_at=began_at,
                        reason=NoiseReason.GARBAGE,
                        data=junk[:_NOISE_KEPT],
                    )
                )
            raw = raw[lead.end() :]
        text = raw.decode("latin-1").rstrip()
        if not text:
            return
        if self._is_echo(text):
            events.append(Echo(at=at, began_at=began_at, text=text))
            return
        if self._judge_final(text, raw, at, began_at, events):
            return
        command = self._command
        if command is not None and command.answer is not None and command.answer.match(text):
            self._answer(command, text, at, began_at, events)
            return
        if self._judge_urc(text, at, began_at, events):
            return
        if command is not None and command.bare:
            self._answer(command, text, at, began_at, events)
            return
        events.append(self._noise(NoiseReason.UNEXPECTED, raw, at, began_at))

    def _answer(
        self, command: Command, text: str, at: float, began_at: float, events: list[Event]
    ) -> None:
        self._answered = True
        events.append(Text(at=at, began_at=began_at, text=text))
        if command.body is not None and not command.body.inline:
            self._start_body(command.body, text, "", at)

    def _is_echo(self, text: str) -> bool:
        command = self._command
        if command is not None:
            sent = command.text
            if text == sent.rstrip():
                self._echo_open = False
                return True
            if self._echo_open:
                lost = len(sent) - len(text)
                if 0 < lost <= _LOST_ON_WAKING and len(text) > 2 and sent.endswith(text):
                    self._echo_open = False
                    return True
            if command.payload and text == command.payload.decode("latin-1").strip("\r\n \x1a"):
                return True
        return text in self._recent

    def _judge_final(
        self, text: str, raw: bytes, at: float, began_at: float, events: list[Event]
    ) -> bool:
        command = self._command
        verdict = self._verdict(text, command)
        if verdict is not None:
            ok, code = verdict
            if command is None or (command.needs_answer and not self._answered):
                events.append(self._noise(NoiseReason.LATE, raw, at, began_at))
                return True
            self._finals_left -= 1
            complete = not ok or (self._finals_left <= 0 and not self._follow_up_open)
            self._finish(
                Final(at=at, began_at=began_at, text=text, ok=ok, code=code, complete=complete),
                command,
                events,
            )
            return True
        follow_up = command.follow_up if command is not None else None
        for index, (pattern, until) in enumerate(self._owed):
            if until >= at and re.match(pattern, text):
                del self._owed[index]
                events.append(self._noise(NoiseReason.LATE, raw, at, began_at))
                return True
        if command is None or follow_up is None or not self._follow_up_open:
            return False
        found = follow_up.pattern.match(text)
        if found is None:
            return False
        ok = found.group("ok") is not None
        self._follow_up_open = False
        self._finish(
            Final(
                at=at,
                began_at=began_at,
                text=text,
                ok=ok,
                follow_up=True,
                complete=not ok or self._finals_left <= 0,
            ),
            command,
            events,
        )
        return True

    def _verdict(self, text: str, command: Command | None) -> tuple[bool, int | None] | None:
        if text == "OK":
            return True, None
        if text == "ERROR":
            return False, None
        if text.startswith("+CM"):
            found = _ERROR_WITH_CODE.match(text)
            if found is not None:
                said = found.group(1).strip()
                return False, number(said)
        if command is not None:
            if command.success is not None and command.success.match(text):
                return True, None
            if command.failure is not None and command.failure.match(text):
                return False, None
        return None

    def _judge_urc(self, text: str, at: float, began_at: float, events: list[Event]) -> bool:
        for rule in self.syntax.urcs:
            if rule.pattern.match(text):
                break
        else:
            return False
        events.append(Urc(at=at, began_at=began_at, name=rule.name, text=text, banner=rule.banner))
        if rule.body is not None and not rule.body.inline:
            self._start_body(rule.body, text, rule.name, at)
        if rule.banner:
            command = self._command
            self._owed.clear()
            if command is not None and command.reboots:
                self._finish(Final(at=at, began_at=began_at, text=text, ok=True), command, events)
            else:
                self._end()
        return True

    def _finish(self, final: Final, command: Command, events: list[Event]) -> None:
        events.append(final)
        if final.complete:
            self._end()
            if command.data_mode and final.ok:
                self._data_mode = True

    def _end(self) -> None:
        if self._command is None:
            return
        self._recent.append(self._command.text.rstrip())
        self._command = None
        self._prompt_open = False
        self._echo_open = False
        self._follow_up_open = False
        self._choose_inline()

    @staticmethod
    def _noise(reason: NoiseReason, raw: bytes, at: float, began_at: float) -> Noise:
        return Noise(at=at, began_at=began_at, reason=reason, data=raw[:_NOISE_KEPT])
