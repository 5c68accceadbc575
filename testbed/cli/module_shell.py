"""The terminal of ``testbed module shell``: a line editor in front, the AT engine behind.

The event loop runs in a thread of its own, so that what comes unasked is shown while the person
types; typing stays in the main thread, where the line editor and Ctrl-C belong.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from rich.text import Text

from firmware_bridge import ModuleError, ModuleSilent
from firmware_bridge.at import AtLog, as_vector
from firmware_bridge.modules.dialect import Family
from testbed.cli.module_show import plain
from testbed.cli.module_terminal import (
    Terminal,
    Transcriber,
    family_of,
    is_virtual,
    opened,
)
from testbed.cli.shared import show_error, stderr, stdout
from testbed.errors import UsageError

__all__ = ["run_shell"]

T = TypeVar("T")

PROMPT = "AT> "
PAYLOAD_PROMPT = "> "

STYLES = {">": "cyan", "<": "", "!": "magenta", "?": "yellow"}
"""Colour of a line by its mark, on a terminal that has colours."""

SECRET = ("AT+CPIN", "AT+CPWD", "AT+CLCK", "AT+CGAUTH")
"""Commands that carry a PIN or a password: no history keeps them."""

HISTORY_LINES = 1_000


def run_shell(
    port: str,
    family: str | None,
    baudrate: int | None,
    timeout_s: float,
    log_file: Path | None,
) -> None:
    """Talk to the module on ``port`` until the input ends.

    Raises:
        ModuleError: the port can't be opened or is lost; on a pipe also a command without answer.
        UsageError: an address or a family that nobody knows; on a pipe a line that can't be sent.
    """
    editor = _Editor() if sys.stdin.isatty() else None
    with _loop() as call:
        session = _Session(port, family, baudrate, timeout_s, editor)
        try:
            call(session.open())
            _read(session, call, editor)
        finally:
            call(session.close())
            if log_file is not None and session.log.entries():
                log_file.write_text(session.vector(), encoding="utf-8")


def _read(session: _Session, call: Callable[[Any], Any], editor: _Editor | None) -> None:
    if editor is None:
        for line in sys.stdin:
            if line.strip() and not line.startswith("#"):
                call(session.enter(line.rstrip("\r\n")))
        return
    if session.family is not None:
        editor.complete([request.text for request in session.family.requests.values()])
    while True:
        try:
            line = editor.ask(PAYLOAD_PROMPT if session.prompted else PROMPT)
        except EOFError:
            return
        except KeyboardInterrupt:
            call(session.abort_prompt())
            continue
        if not line.strip() and not session.prompted:
            continue
        try:
            session.transcriber.typed = line
            call(session.enter(line))
        except KeyboardInterrupt:
            stderr().print("given up; what still comes of it is shown as not understood")
        except (ModuleError, UsageError) as error:
            if session.lost:
                raise
            show_error(str(error), error.hint)
        finally:
            session.transcriber.typed = None


class _Session:
    """The module's side of the terminal; all of it runs in the event loop's thread."""

    def __init__(
        self,
        port: str,
        family: str | None,
        baudrate: int | None,
        timeout_s: float,
        editor: _Editor | None,
    ) -> None:
        self._port = port
        self._given = family
        self._baudrate = baudrate
        self._timeout_s = timeout_s
        self._editor = editor
        self._stack = contextlib.AsyncExitStack()
        self._terminal: Terminal | None = None
        self._began_at = 0.0
        self.family: Family | None = None
        self.lost = False
        self.unread = False
        self.transcriber = Transcriber(self._show)
        self.log = AtLog(self.transcriber.sent, keep=1_000_000)

    @property
    def prompted(self) -> bool:
        return self._terminal is not None and self._terminal.prompted

    async def open(self) -> None:
        line = await self._stack.enter_async_context(opened(self._port, self._baudrate))
        try:
            self.family = await family_of(line, self._given, self._baudrate)
        except ModuleSilent as error:
            error.hint += "; or give --family, and the terminal opens all the same"
            raise
        told = self.family.title if self.family is not None else "a module of no known family"
        stderr().print(Text(plain(f"{self._port}: {told}; Ctrl-D ends")), soft_wrap=True)
        self._began_at = asyncio.get_running_loop().time()
        self._terminal = Terminal(
            line,
            self.family,
            log=self.log,
            observe=self.transcriber.event,
            on_lost=self._on_lost,
            timeout_s=self._timeout_s,
        )

    async def enter(self, text: str) -> None:
        assert self._terminal is not None
        await self._terminal.enter(text)
        if self.unread:
            raise BrokenPipeError

    async def abort_prompt(self) -> None:
        if self._terminal is not None and not self.lost:
            with contextlib.suppress(ModuleError):
                await self._terminal.abort_prompt()

    async def close(self) -> None:
        await self.abort_prompt()
        self._terminal = None
        await self._stack.aclose()

    def vector(self) -> str:
        return as_vector(
            self.log.entries(),
            family="unknown" if self.family is None else self.family.name,
            kind="virtual" if is_virtual(self._port) else "field-log",
            source="testbed module shell",
            notes=("identities masked",),
        )

    def _on_lost(self, reason: str) -> None:
        self.lost = True
        if reason and self._terminal is not None:
            at = asyncio.get_running_loop().time()
            self._show(at, "?", f"the port is gone ({reason})", "press Enter" * bool(self._editor))

    def _show(self, at: float, mark: str, text: str, words: str) -> None:
        line = Text(f"{at - self._began_at:9.3f} ", style="dim")
        line.append(f"{mark} {plain(text)}", style=STYLES[mark])
        if words:
            line.append(f"{'  ' * bool(text)}# {plain(words)}", style="green")
        if self.unread:
            return
        try:
            with self._editor.hidden() if self._editor is not None else contextlib.nullcontext():
                stdout().print(line, soft_wrap=True)
                sys.stdout.flush()  # a pipe is read while the module still speaks
        except (BrokenPipeError, SystemExit):  # the latter is rich's word for the former
            self.unread = True


class _Editor:
    """The line editor: history, completion, and lines shown above what is being typed."""

    def __init__(self) -> None:
        self._asking: str | None = None
        try:
            import readline
        except ImportError:  # Python built without it: a plain line will do
            self._readline: Any = None
            return
        self._readline = readline
        self._history = (
            Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
            / "testbed"
            / "module_history"
        )
        readline.clear_history()
        readline.set_history_length(HISTORY_LINES)
        with contextlib.suppress(OSError):
            readline.read_history_file(self._history)

    def complete(self, texts: list[str]) -> None:
        """Offer these commands, up to where their arguments begin."""
        if self._readline is None:
            return
        offered = sorted({text.partition("{")[0] for text in texts})

        def completer(begun: str, state: int) -> str | None:
            fitting = [text for text in offered if text.upper().startswith(begun.upper())]
            return fitting[state] if state < len(fitting) else None

        self._readline.set_completer_delims("")
        self._readline.set_completer(completer)
        self._readline.parse_and_bind("tab: complete")

    def ask(self, prompt: str) -> str:
        """The next line that the person types. Raises `EOFError` at Ctrl-D."""
        self._asking = prompt
        try:
            line = input(prompt)
        except EOFError:
            sys.stdout.write("\n")
            raise
        finally:
            self._asking = None
        self._remember(line)
        return line

    def _remember(self, line: str) -> None:
        if self._readline is None or not line.strip():
            return
        if line.strip().upper().startswith(SECRET):
            last = self._readline.get_current_history_length()
            if last and self._readline.get_history_item(last) == line:
                self._readline.remove_history_item(last - 1)
            return
        with contextlib.suppress(OSError):
            self._history.parent.mkdir(parents=True, exist_ok=True)
            self._history.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
            self._readline.write_history_file(self._history)

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the line that is being typed off the screen, and put it back below."""
        asking = self._asking
        if asking is not None:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
        yield
        if asking is not None:
            begun = "" if self._readline is None else self._readline.get_line_buffer()
            sys.stdout.write(asking + begun)
            sys.stdout.flush()


@contextlib.contextmanager
def _loop() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """An event loop in a thread of its own, and a function that runs a coroutine in it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="module-line", daemon=True)
    thread.start()

    def call(coroutine: Coroutine[Any, Any, T]) -> T:
        waiting = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return waiting.result()
        except KeyboardInterrupt:
            waiting.cancel()
            raise

    try:
        yield call
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
