"""The AT engine: one command at a time over a line, under asyncio.

Rules that it keeps:

- Commands queue; one is outstanding. Unsolicited lines are handed on whenever they come.
- Times are the loop's. `Response.written_at` is taken when the system took the last octet of the
  command, the others where the octets were read.
- A response to a command that nobody waits for any more (time-out, cancellation) never answers the
  next one: before the next command the engine asks a marker question whose answer can't be
  mistaken, and drops everything before it. While a second result (`SEND OK`) is still owed, no
  command that ends with such a one is sent: the engine waits for it, at most twice its time.
- A boot banner ends the outstanding command with `ModuleRebooted`; the next one finds its place by
  a marker, because some families end their boot with an OK of its own.
- A time-out that the loop itself was late for gets that lateness back, because the answer may lie
  unread in the port (a busy machine, or a loop whose clock runs many times faster than real).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

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
from firmware_bridge.at.exchange import Exchange, Response
from firmware_bridge.at.log import AtLog, Direction, escape
from firmware_bridge.at.parser import Digester
from firmware_bridge.at.syntax import Command, FollowUp, Marker, Syntax
from firmware_bridge.errors import (
    CommandFailed,
    LineLost,
    ModuleError,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
)
from firmware_bridge.line.contract import Line
from firmware_bridge.masking import mask_digits

__all__ = ["AtEngine", "Response"]

_logger = logging.getLogger(__name__)
_E = TypeVar("_E", bound=Event)

ESCAPE = b"\x1b"
"""Takes a module out of a prompt that came too late."""

MARKER_ROUNDS = 3
"""How many markers are sent before the module counts as silent."""
STRAY = Command(text="AT")
"""Stands for "a result may come that nobody asked for": some families end their boot with OK."""

QUIET_MARKERS = 2
"""Silence for so many marker times after which a module that knows no marker counts as done."""
OWED_TIMES = 2
"""An owed second result may still come within so many times its own time."""


class AtEngine:
    """Drives one line. `syntax` is the dialect's; `log` sees every octet.

    Each callback is called in the event loop and must be short. `on_event` sees whatever the parser
    told, before the engine acts on it: for a terminal.
    """

    def __init__(
        self,
        line: Line,
        syntax: Syntax | None = None,
        *,
        log: AtLog | None = None,
        on_urc: Callable[[Urc], None] | None = None,
        on_body: Callable[[Body], None] | None = None,
        on_noise: Callable[[Noise], None] | None = None,
        on_data: Callable[[Data], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        time_scale: float = 1.0,
    ) -> None:
        self.syntax = syntax or Syntax()
        self.line = line
        self.on_urc = on_urc
        self.on_body = on_body
        self.on_noise = on_noise
        self.on_data = on_data
        self.on_lost = on_lost
        self.on_event = on_event
        self.time_scale = time_scale
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._digester = Digester(self.syntax)
        self._queue = asyncio.Lock()
        self._exchange: Exchange | None = None
        self._unanswered: Command | None = None
        self._lost: str | None = None
        self._last_octet_at = self._loop.time()
        self._came_late = asyncio.Event()
        self._late_finals = 0
        self._last_final_at = float("-inf")
        line.connect(self)

    # -- state -----------------------------------------------------------------------------------

    @property
    def last_octet_at(self) -> float:
        """Loop time of the last octet either way, s."""
        return self._last_octet_at

    @property
    def lost(self) -> bool:
        """The line is gone."""
        return self._lost is not None

    @property
    def busy(self) -> bool:
        """A command is outstanding."""
        return self._exchange is not None

    # -- commands --------------------------------------------------------------------------------

    async def execute(self, command: Command) -> Response:
        """Send `command` when its turn comes and wait for its end.

        Raises `CommandFailed`, `ModuleTimeout`, `ModuleSilent` (not one octet came),
        `ModuleRebooted`, `LineLost`.
        """
        async with self._queue:
            if self._unanswered is not None:
                await self._find_place()
            if command.follow_up is not None:
                await self._settle(command.follow_up)
            return await self._run(command)

    async def probe(self, text: str, timeout_s: float) -> Response | None:
        """Send `text` (`AT`) and return the answer, None if no OK came in time.

        For waking: no time-out is raised, and several may be sent in a row, after which the next
        command finds its place by a marker.
        """
        async with self._queue:
            try:
                return await self._run(Command(text=text, timeout_s=timeout_s))
            except (ModuleTimeout, CommandFailed, ModuleRebooted):
                return None

    async def settle(self, follow_up: FollowUp) -> None:
        """Wait until no second result of a command of before can come any more.

        `execute` does it by itself; call this ahead of waking a module that falls asleep meanwhile.
        """
        async with self._queue:
            await self._settle(follow_up)

    async def resynchronise(self) -> None:
        """Drop all that is still to come for commands of before. Raises `ModuleSilent`."""
        async with self._queue:
            if self._unanswered is not None:
                await self._find_place()

    def write_raw(self, data: bytes) -> None:
        """Write octets past the queue: data mode, escapes."""
        self._write(data)

    def leave_data_mode(self) -> None:
        """The line carries lines again."""
        self._digester.leave_data_mode()

    async def close(self) -> None:
        """Close the line; the outstanding command fails with `LineLost`."""
        await self.line.close()
        self.line_lost("")

    # -- one exchange ----------------------------------------------------------------------------

    async def _run(self, command: Command) -> Response:
        if self._lost is not None:
            raise LineLost(self.line.address, self._lost)
        loop = self._loop
        gap = self.syntax.command_gap_s
        if gap:
            wait = self._last_final_at + gap - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
        exchange = Exchange(command, loop.create_future())
        response = exchange.response
        self._exchange = exchange
        self._digester.begin(command)
        try:
            self._write(command.text.encode("latin-1") + self.syntax.terminator)
            self._arm(exchange, command.timeout_s)
            drained = bool(self.line.pending)
            if drained:
                await self.line.drain()
            if not command.payload:
                response.written_at = loop.time()
                if drained and exchange.heard:  # a writing thread may tell later than the answer
                    response.written_at = min(response.written_at, response.began_at)
            await exchange.done
        except (ModuleTimeout, asyncio.CancelledError):
            self._unanswered = command
            self._owe(exchange)
            raise
        finally:
            self._exchange = None
            if exchange.timer is not None:
                exchange.timer.cancel()
            if self._digester.outstanding is not None:
                self._dispatch(self._digester.abandon(loop.time()))
        return response

    def _owe(self, exchange: Exchange) -> None:
        command = exchange.command
        if command.follow_up is not None and not exchange.response.follow_up:
            self._digester.owe(command.follow_up, self._patience(command.follow_up))

    def _patience(self, follow_up: FollowUp) -> float:
        return self._loop.time() + OWED_TIMES * self._scaled(follow_up.timeout_s)

    async def _settle(self, follow_up: FollowUp) -> None:
        """Wait until no such second result can come for a command of before."""
        while (until := self._digester.owed_until(follow_up)) is not None:
            self._came_late.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._came_late.wait()
            except TimeoutError:
                self._digester.forgive(follow_up)
                return
            if self._lost is not None:
                return

    def _write(self, data: bytes) -> None:
        self.line.write(data)
        at = self._loop.time()
        self._last_octet_at = at
        if self._log is not None:
            self._log.record(at, Direction.TO_MODULE, data)

    def _scaled(self, seconds: float) -> float:
        return seconds * self.time_scale

    def _arm(self, exchange: Exchange, timeout_s: float) -> None:
        if exchange.timer is not None:
            exchange.timer.cancel()
        exchange.deadline = self._loop.time() + self._scaled(timeout_s)
        exchange.timer = self._loop.call_at(exchange.deadline, self._expire, exchange)

    def _expire(self, exchange: Exchange) -> None:
        if exchange.done.done():
            return
        now = self._loop.time()
        late = now - exchange.deadline
        if late > 0 and exchange.grants > 0:
            exchange.grants -= 1
            exchange.deadline = now + 2 * late
            exchange.timer = self._loop.call_at(exchange.deadline, self._expire, exchange)
            return
        command = exchange.command
        follow_up = command.follow_up
        waited = command.timeout_s
        if exchange.response.final and follow_up is not None:
            waited = follow_up.timeout_s
        error: ModuleTimeout
        if exchange.heard:
            seen = (*exchange.response.lines, exchange.response.final)
            error = ModuleTimeout(command.text, waited, seen=[line for line in seen if line])
        else:
            error = ModuleSilent(command.text, waited, address=self.line.address)
        exchange.done.set_exception(error)

    # -- finding the place after a time-out ------------------------------------------------------

    async def _find_place(self) -> None:
        unanswered = self._unanswered
        assert unanswered is not None
        if unanswered.prompt and self._lost is None:
            self._write(ESCAPE)
        heard = False
        self._late_finals = 0
        sent = unanswered.finals
        for marker in self._markers(unanswered):
            sent += 1
            command = Command(
                text=marker.text,
                timeout_s=self.syntax.marker_timeout_s,
                answer=marker.answer,
                needs_answer=True,
            )
            try:
                await self._run(command)
            except ModuleSilent:
                continue
            except ModuleTimeout:
                heard = True
                if self._late_finals < sent:
                    continue  # else everything that was sent has its result: none can follow
            self._found_place(unanswered)
            return
        if not heard:
            raise ModuleSilent(
                unanswered.text,
                self._scaled(self.syntax.marker_timeout_s) * MARKER_ROUNDS,
                address=self.line.address,
            )
        await self._wait_for_quiet()
        self._found_place(unanswered)

    def _found_place(self, unanswered: Command) -> None:
        self._unanswered = None
        follow_up = unanswered.follow_up
        if follow_up is not None and self._digester.owed_until(follow_up) is not None:
            self._digester.owe(follow_up, self._patience(follow_up))

    def _markers(self, unanswered: Command) -> list[Marker]:
        """Markers to try: none whose answer the unanswered command could still give."""
        stem = unanswered.text.rstrip("?").partition("=")[0].upper()
        usable = [
            marker
            for marker in self.syntax.markers
            if marker.text.rstrip("?").partition("=")[0].upper() != stem
        ]
        if not usable:
            return []
        return [usable[index % len(usable)] for index in range(MARKER_ROUNDS)]

    async def _wait_for_quiet(self) -> None:
        for _ in range(30):
            quiet_s = self._scaled(QUIET_MARKERS * self.syntax.marker_timeout_s)
            wait = self._last_octet_at + quiet_s - self._loop.time()
            if wait <= 0:
                return
            await asyncio.sleep(wait)

    # -- Receiver --------------------------------------------------------------------------------

    def data_received(self, data: bytes, at: float) -> None:
        """See `Receiver.data_received`."""
        self._last_octet_at = at
        if self._log is not None:
            self._log.record(at, Direction.FROM_MODULE, data)
        exchange = self._exchange
        if exchange is not None and not exchange.heard:
            exchange.heard = True
            exchange.response.began_at = at
        self._dispatch(self._digester.feed(data, at))

    def line_lost(self, reason: str) -> None:
        """See `Receiver.line_lost`."""
        if self._lost is not None:
            return
        self._lost = reason
        self._came_late.set()
        exchange = self._exchange
        if exchange is not None and not exchange.done.done():
            exchange.done.set_exception(LineLost(self.line.address, reason))
        if self.on_lost is not None:
            self.on_lost(reason)

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            if self.on_event is not None:
                self._tell(self.on_event, event)
            if isinstance(event, Final):
                self._on_final(event)
            elif isinstance(event, Text):
                if self._exchange is not None:
                    self._exchange.response.lines.append(event.text)
            elif isinstance(event, Urc):
                self._on_urc(event)
            elif isinstance(event, Body):
                self._on_body(event)
            elif isinstance(event, Echo):
                if self._exchange is not None:
                    self._exchange.response.echoed = True
            elif isinstance(event, Prompt):
                self._on_prompt()
            elif isinstance(event, Noise):
                told = mask_digits(escape(event.data))
                _logger.debug("%s: %s %s", self.line.address, event.reason.value, told)
                self._on_noise(event)
                self._tell(self.on_noise, event)
            elif isinstance(event, Data):
                self._tell(self.on_data, event)

    def _on_final(self, event: Final) -> None:
        exchange = self._exchange
        if exchange is None or exchange.done.done():
            return
        response = exchange.response
        if event.follow_up:
            response.follow_up = event.text
        elif not response.final:
            response.final = event.text
            response.final_at = event.at
        response.done_at = event.at
        if event.complete:
            self._last_final_at = event.at
            if event.ok:
                exchange.done.set_result(None)
            else:
                exchange.done.set_exception(
                    CommandFailed(exchange.command.text, event.text, event.code)
                )
        elif exchange.command.follow_up is not None and not event.follow_up:
            self._arm(exchange, exchange.command.follow_up.timeout_s)

    def _on_noise(self, event: Noise) -> None:
        if event.reason is not NoiseReason.LATE:
            return
        self._came_late.set()
        exchange = self._exchange
        if event.data in (b"OK", b"ERROR") or event.data.startswith(b"+CM"):
            self._late_finals += 1
            if exchange is not None and exchange.command.needs_answer and exchange.extensions:
                exchange.extensions -= 1
                self._arm(exchange, exchange.command.timeout_s)

    def _on_urc(self, event: Urc) -> None:
        exchange = self._exchange
        if event.banner:
            self._unanswered = STRAY
            self._came_late.set()
            reboots = exchange is not None and exchange.command.reboots
            if exchange is not None and not exchange.done.done() and not reboots:
                exchange.done.set_exception(ModuleRebooted(exchange.command.text, event.text))
        self._tell(self.on_urc, event)

    def _on_body(self, event: Body) -> None:
        if event.urc:
            self._tell(self.on_body, event)
        elif self._exchange is not None:
            self._exchange.response.lines.append(event.header)
            self._exchange.response.bodies.append(event.data)

    def _on_prompt(self) -> None:
        exchange = self._exchange
        if exchange is None or exchange.done.done():
            return
        try:
            self._write(exchange.command.payload)
        except LineLost as error:
            exchange.done.set_exception(error)
            return
        exchange.response.written_at = self._loop.time()

    def _tell(self, callback: Callable[[_E], None] | None, event: _E) -> None:
        if callback is None:
            return
        try:
            callback(event)
        except ModuleError as error:
            _logger.warning("%s: %s", self.line.address, error)
        except Exception:
            told = mask_digits(repr(event))
            _logger.exception("%s: a callback failed on %s", self.line.address, told)
