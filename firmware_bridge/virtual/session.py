"""The AT command interpreter, without any command: lines in, answers out, as V.250 has it.

Bytes are taken one at a time whatever chunks they come in. A command line is echoed while it is
typed (ATE1), executed at its carriage return, and answered after the time that a module takes;
what is typed meanwhile waits in the module's buffer. Line feeds are ignored. Unsolicited lines go
out between the others, but never into a data prompt: they wait for its end.

A dialect derives from :class:`Session`, gives it a command table, and implements what the
equipment reports as its own unsolicited lines.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from firmware_bridge.virtual.commands import Arguments, BadArgument, Form, Invocation, split_line
from firmware_bridge.virtual.dialects.table import Answer, Command, CommandFailed, Later, Prompt

if TYPE_CHECKING:
    from firmware_bridge.virtual.module import VirtualModule

__all__ = ["CME_TEXTS", "Session"]

O = TypeVar("O", Answer, Answer | Later | Prompt)  # noqa: E741

_CR, _LF, _BACKSPACE, _DELETE, _CTRL_Z, _ESC = 0x0D, 0x0A, 0x08, 0x7F, 0x1A, 0x1B
_MAX_LINE = 4096

_NUMERIC_RESULTS = {"OK": 0, "CONNECT": 1, "RING": 2, "NO CARRIER": 3, "ERROR": 4}
"""ATV0 result codes (V.250 table 1)."""

CME_TEXTS: dict[int, str] = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    13: "SIM failure",
    14: "SIM busy",
    30: "no network service",
    31: "network timeout",
    50: "incorrect parameters",
    100: "unknown",
    148: "unspecified GPRS error",
}
"""+CME ERROR texts for CMEE 2 (TS 27.007 9.2); a code that is not here is shown as number."""


class Session:
    """One life of a command interpreter, from boot to reset.

    Args:
        module: The module it belongs to.
        storage: What outlives a reset; a dialect's own type. None makes a fresh one.
    """

    table: ClassVar[Mapping[str, Command[Any]]] = {}
    """The dialect's commands."""
    baudrate: ClassVar[int] = 115200
    """Speed of the line when the settings give none."""
    result_for_each: ClassVar[bool] = False
    """Several commands on one line get a final result each."""
    deaf_asleep: ClassVar[bool] = True
    """In deep sleep the characters that wake the module are lost."""
    sleep_closes_sockets: ClassVar[bool] = True
    """Deep sleep loses the open sockets, when the settings don't say."""

    def __init__(self, module: VirtualModule, rng: random.Random) -> None:
        self.module = module
        self.timers = module.timers
        self.settings = module.settings
        self._rng = rng
        self._line = bytearray()
        self._waiting = bytearray()
        self._busy = False
        self._pumping = False
        self._prompt: Prompt | None = None
        self._data = bytearray()
        self._held: list[bytes] = []
        self._queue: deque[Invocation] = deque()
        self._pending_lines = 0
        self.alive = True
        """False once the module has restarted: whatever is still due is void."""
        self.echo = True
        """ATE: characters are echoed."""
        self.verbose = True
        """ATV: results in words."""
        self.error_format = 0
        """CMEE: 0 plain ERROR, 1 numeric, 2 in words."""

    # -- input -----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take bytes from the host."""
        self._waiting += data
        self._pump()

    def _pump(self) -> None:
        """Work through what waits, unless that is just being done (an answer without delay)."""
        if not self._pumping:
            self._pumping = True
            try:
                self._work()
            finally:
                self._pumping = False

    def _work(self) -> None:
        echo = bytearray()
        position = 0
        waiting = self._waiting
        while position < len(waiting) and self.alive:
            if self._prompt is not None:
                position += self._take_data(waiting, position)
                continue
            if self._busy:
                break
            byte = waiting[position]
            position += 1
            if byte == _LF:
                continue
            if self.echo:
                echo.append(byte)
            if byte == _CR:
                if echo:
                    self.module.emit(bytes(echo))
                    echo.clear()
                line = bytes(self._line)
                self._line.clear()
                self._command_line(line)
            elif byte in (_BACKSPACE, _DELETE):
                del self._line[-1:]
            elif len(self._line) < _MAX_LINE:
                self._line.append(byte)
        del waiting[:position]
        if echo:
            self.module.emit(bytes(echo))

    def _take_data(self, waiting: bytearray, position: int) -> int:
        """Feed the prompt from ``waiting``; returns how many bytes it took."""
        prompt = self._prompt
        assert prompt is not None
        if prompt.length is not None:
            taken = min(prompt.length - len(self._data), len(waiting) - position)
            self._data += waiting[position : position + taken]
            if len(self._data) == prompt.length:
                self._end_prompt(bytes(self._data))
            return taken
        for index in range(position, len(waiting)):
            byte = waiting[index]
            if byte in (_CTRL_Z, _ESC):
                self._end_prompt(bytes(self._data) if byte == _CTRL_Z else None)
                return index + 1 - position
            self._data.append(byte)
        return len(waiting) - position

    def _end_prompt(self, data: bytes | None) -> None:
        prompt = self._prompt
        assert prompt is not None
        self._prompt = None
        self._data.clear()
        if data is None:
            answer = Answer(final="OK")
        elif len(data) > prompt.limit:
            answer = Answer(final="ERROR")
        else:
            answer = self._guarded(lambda: prompt.done(data))
        self._schedule(answer, self._answer_s(None), 0.0)

    # -- execution ---------------------------------------------------------------------------------

    def _command_line(self, raw: bytes) -> None:
        line = raw.decode("latin-1")
        start = line.upper().find("AT")
        if start < 0:
            return  # V.250 5.2.1: without the prefix it is not a command line
        self.module.note_command()
        self._busy = True
        self._pending_lines = 0
        self._queue.clear()
        self._queue.extend(split_line(line[start + 2 :], self._takes_rest))
        if not self._queue:
            self._schedule(Answer(), self._answer_s(None), 0.0)
        else:
            self._next()

    def _takes_rest(self, name: str) -> bool:
        command = self.table.get(name)
        return command is not None and command.takes_rest

    def _next(self) -> None:
        invocation = self._queue.popleft()
        command = self.table.get(invocation.name)
        outcome = self._outcome(command, invocation)
        answer_s = self._answer_s(command)
        final_s = self._jittered(command.final_s) if command is not None else 0.0
        if isinstance(outcome, Answer):
            self._schedule(outcome, answer_s, final_s)
        elif isinstance(outcome, Prompt):
            prompt = outcome

            def ask() -> None:
                if self.alive:
                    self.module.emit(b"\r\n>")
                    self._prompt = prompt
                    self._pump()

            self.timers.after(answer_s, ask)
        else:
            outcome.start(lambda answer: self._schedule(answer, answer_s, final_s))

    def _outcome(
        self, command: Command[Any] | None, invocation: Invocation
    ) -> Answer | Later | Prompt:
        if command is None:
            return Answer(final="ERROR")
        handler = {
            Form.TEST: command.test,
            Form.READ: command.read,
            Form.SET: command.set,
            Form.EXECUTE: command.execute,
        }[invocation.form]
        if handler is None:
            return Answer(final="ERROR")
        if isinstance(handler, str):
            return Answer(lines=tuple(handler.split("\n")) if handler else ())
        function = handler
        return self._guarded(lambda: function(self, Arguments(invocation.argument)))

    def _guarded(self, call: Callable[[], O]) -> O | Answer:
        try:
            return call()
        except BadArgument:
            return Answer(final="ERROR")  # syntax and parameters: ERROR whatever CMEE says
        except CommandFailed as failure:
            return Answer(final=self.error(failure.code))

    def error(self, code: int | None) -> str:
        """The final result for ``code``, as CMEE wants it."""
        if code is None or self.error_format == 0:
            return "ERROR"
        shown = CME_TEXTS.get(code, str(code)) if self.error_format == 2 else str(code)
        return f"+CME ERROR: {shown}"

    def _answer_s(self, command: Command[Any] | None) -> float:
        usual = self.settings.line.answer_s
        if command is not None and command.answer_s is not None and usual > 0:
            usual = command.answer_s
        return self._jittered(usual)

    def _jittered(self, seconds: float) -> float:
        jitter = self.settings.line.jitter
        if seconds == 0.0 or jitter == 0.0:
            return seconds
        return seconds * self._rng.uniform(1 - jitter, 1 + jitter)

    def _schedule(self, answer: Answer, answer_s: float, final_s: float) -> None:
        """Give the lines after ``answer_s``, and the final ``final_s`` later."""

        def lines() -> None:
            if not self.alive:
                return
            if answer.lines:
                self.module.emit(self._information(answer.lines))
            if answer.final is not None and final_s > 0 and answer.lines:
                self.timers.after(final_s, final)
            else:
                final()

        def final() -> None:
            if not self.alive:
                return
            failed = answer.final not in (None, "OK")
            if self._queue and not failed:
                if self.result_for_each and answer.final is not None:
                    self.module.emit(self._result(answer.final))
                if answer.then is not None:
                    answer.then()
                self._next()
                return
            self._queue.clear()
            if answer.final is not None:
                self.module.emit(self._result(answer.final))
            self._busy = False
            held, self._held = self._held, []
            for line in held:
                self.module.emit(line)
            if answer.then is not None:
                answer.then()
            self._pump()

        if answer_s <= 0:
            lines()
        else:
            self.timers.after(answer_s, lines)

    # -- output ------------------------------------------------------------------------------------

    def _information(self, lines: tuple[str | bytes, ...]) -> bytes:
        body = b"\r\n".join(
            line if isinstance(line, bytes) else line.encode("latin-1") for line in lines
        )
        return (b"\r\n" if self.verbose else b"") + body + b"\r\n"

    def _result(self, result: str) -> bytes:
        if self.verbose or result not in _NUMERIC_RESULTS:
            return b"\r\n" + result.encode("latin-1") + b"\r\n"
        return b"%d\r" % _NUMERIC_RESULTS[result]

    def unsolicited(self, line: str | bytes) -> None:
        """Send a line that nobody asked for."""
        if not self.alive:
            return
        raw = line if isinstance(line, bytes) else line.encode("latin-1")
        framed = b"\r\n" + raw + b"\r\n"
        if self._prompt is not None:
            self._held.append(framed)
        else:
            self.module.emit(framed)

    @property
    def idle(self) -> bool:
        """No command is being typed, executed or fed with data."""
        return not (self._busy or self._line or self._waiting or self._prompt)

    # -- what the equipment reports ------------------------------------------------------------

    def registration_changed(self) -> None:
        """Registration state, cell or granted timers are new."""

    def connection_changed(self, connected: bool) -> None:
        """An RRC connection came up or was released."""

    def power_saving_changed(self, entered: bool) -> None:
        """Power saving mode was entered or left."""

    def edrx_changed(self) -> None:
        """The network granted or withdrew extended DRX."""

    def datagram_arrived(self, handle: int, payload: bytes) -> None:
        """A datagram came for the socket that the module numbered ``handle``."""

    # -- what a dialect answers to ---------------------------------------------------------------

    def boot_lines(self) -> bytes:
        """What the module prints before its interpreter runs."""
        return b""

    def announce(self) -> None:
        """After a boot: print what follows the boot lines."""

    def booted(self) -> None:
        """The interpreter runs: switch the radio on."""

    def restarted(self) -> Session:
        """The session that begins after a reset, with what the module keeps over it."""
        return type(self)(self.module, self._rng)

    def woke_up(self) -> None:
        """The line hears again after deep sleep."""

    def falling_asleep(self) -> None:
        """Deep sleep is about to begin."""

    def card_changed(self) -> None:
        """The card was taken out or put in."""

    def sockets_lost(self) -> None:
        """Every socket is gone, without anybody having closed it."""
