"""A person's end of an AT line: typed lines in, events told as they come.

``testbed module shell`` and ``testbed module record`` are both this: the AT engine keeps one
command apart from the next, the AT log has every octet, and :class:`Transcriber` says what it sees.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from firmware_bridge import CommandFailed, Line, ModuleRebooted, driver, open_port, probe
from firmware_bridge.at import (
    AtEngine,
    AtLog,
    Body,
    Data,
    Direction,
    Echo,
    Entry,
    Event,
    Final,
    Noise,
    Prompt,
    Syntax,
    Text,
    Urc,
)
from firmware_bridge.at.log import escape, unescape
from firmware_bridge.modules.dialect import Family
from firmware_bridge.modules.explain import explain
from firmware_bridge.modules.typed import TYPED_TIMEOUT_S, typed_command
from firmware_bridge.virtual import FAMILIES as VIRTUAL
from firmware_bridge.virtual import virtual_module_on_pty
from testbed.errors import UsageError

__all__ = ["Terminal", "Transcriber", "device_of", "family_of", "is_virtual", "opened"]

ESCAPE = b"\x1b"
"""Aborts at a prompt."""

BAUDRATE = 115_200

Show = Callable[[float, str, str, str], None]
"""Called with the loop time, the mark, the text and its explanation ("" for none).

Marks: `>` sent, `<` answered, `!` came unasked, `?` not understood.
"""


@asynccontextmanager
async def device_of(port: str) -> AsyncIterator[str]:
    """What to open for ``port``; for ``virtual:FAMILY`` a virtual module lives meanwhile.

    Raises:
        UsageError: no virtual module of that family.
    """
    if not port.startswith("virtual:"):
        yield port
        return
    family = port.removeprefix("virtual:")
    if family.lower() not in VIRTUAL:
        raise UsageError(
            f"there is no virtual module {family!r}", hint=f"There are: {', '.join(VIRTUAL)}."
        )
    async with virtual_module_on_pty(family) as door:
        yield door.path


@asynccontextmanager
async def opened(port: str, baudrate: int | None = None) -> AsyncIterator[Line]:
    """The open line at ``port``.

    Raises:
        UsageError: an address of no known form.
        PortError: it can't be opened.
    """
    async with device_of(port) as device:
        try:
            line = await open_port(device, baudrate or BAUDRATE)
        except ValueError as error:
            raise UsageError(
                str(error),
                hint="A port is /dev/ttyUSB0, usb:VID:PID[:SERIAL], rfc2217://HOST:PORT, "
                "socket://HOST:PORT or virtual:bc66.",
            ) from error
        try:
            yield line
        finally:
            await line.close()


def is_virtual(port: str) -> bool:
    """Whether ``port`` is a pseudo-terminal, which no real module is behind."""
    if port.startswith("virtual:"):
        return True
    try:
        return Path(port).resolve().is_relative_to("/dev/pts")
    except OSError:
        return False


async def family_of(line: Line, given: str | None, baudrate: int | None) -> Family | None:
    """The family's tables: as given, or as the module tells; ``None`` if nobody knows it.

    Raises:
        UnknownFamily: no family of that name.
        ModuleSilent: it was asked, and does not answer.
    """
    if given is None:
        given = (await probe(line, (baudrate,) if baudrate else _BAUDRATES)).family
        if given is None:
            return None
    cls = driver(given)
    family = getattr(cls, "FAMILY", None)
    if baudrate is None and family is not None:
        line.set_baudrate(family.baudrate)
    return family if isinstance(family, Family) else None


_BAUDRATES = (115_200, 9_600)


class Transcriber:
    """Turns events and sent lines into marked lines with their explanation."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self.typed: str | None = None
        """A line that the person sees already, because they typed it; told once."""

    def sent(self, entry: Entry) -> None:
        """Take what the AT log recorded."""
        if entry.direction is not Direction.TO_MODULE or not entry.data:
            return
        text = escape(entry.data.rstrip(b"\r\n"))
        words = explain(text)
        if self.typed is None or text != escape(unescape(self.typed)):
            self._show(entry.at, ">", text, words)
            return
        self.typed = None
        if words:
            self._show(entry.at, ">", "", words)

    def event(self, event: Event) -> None:
        """Take what the parser told."""
        match event:
            case Echo():
                return
            case Text() | Final():
                self._show(event.at, "<", event.text, explain(event.text))
            case Urc():
                self._show(event.at, "!", event.text, explain(event.text))
            case Prompt():
                self._show(event.at, "<", ">", "type the payload; \\xNN is an octet, \\x1B aborts")
            case Body():
                mark = "!" if event.urc else "<"
                self._show(event.at, mark, event.header + escape(event.data), "")
            case Data():
                self._show(event.at, "<", escape(event.data), "")
            case Noise():
                self._show(event.at, "?", escape(event.data), event.reason.value)


class Terminal:
    """One open line with a person, or a file of commands, in front of it."""

    def __init__(
        self,
        line: Line,
        family: Family | None,
        *,
        log: AtLog,
        observe: Callable[[Event], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
        timeout_s: float = TYPED_TIMEOUT_S,
    ) -> None:
        self._family = family
        self._observe = observe
        self._timeout_s = timeout_s
        self._running: asyncio.Task[object] | None = None
        self._prompted = asyncio.Event()
        self.engine = AtEngine(
            line,
            family.syntax() if family is not None else Syntax(),
            log=log,
            on_event=self._on_event,
            on_lost=on_lost,
        )

    @property
    def prompted(self) -> bool:
        """The module waits for a payload: the next line is one."""
        running = self._running
        return self._prompted.is_set() and running is not None and not running.done()

    async def enter(self, text: str) -> None:
        """Send a typed line, and come back when its answer is complete or a prompt is open.

        A refusal and a reboot are answers like others: whoever observes has seen them.

        Raises:
            UsageError: the line can't be sent.
            ModuleTimeout: no final answer in time.
            LineLost: the port is gone.
        """
        if self.prompted:
            self._prompted.clear()
            self.engine.write_raw(unescape(text))
        else:
            try:
                command = typed_command(text, self._family, timeout_s=self._timeout_s)
            except ValueError as error:
                raise UsageError(
                    f"{text!r} is no line that can be sent: {error}",
                    hint="A command is ASCII text; a payload may have octets as \\xNN.",
                ) from error
            self._prompted.clear()
            self._running = asyncio.ensure_future(self.engine.execute(command))
        await self._answered()

    async def abort_prompt(self) -> None:
        """Take the module out of an open prompt; harmless when there is none."""
        if self.prompted:
            self._prompted.clear()
            self.engine.write_raw(ESCAPE)
            await self._answered()

    async def _answered(self) -> None:
        running = self._running
        assert running is not None
        prompted = asyncio.ensure_future(self._prompted.wait())
        try:
            await asyncio.wait({running, prompted}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                return
            self._running = None
            await running
        except (CommandFailed, ModuleRebooted):
            return
        except asyncio.CancelledError:
            running.cancel()
            raise
        finally:
            prompted.cancel()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Prompt):
            self._prompted.set()
        if self._observe is not None:
            self._observe(event)
