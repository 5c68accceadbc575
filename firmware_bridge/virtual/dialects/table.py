"""How a dialect is written down: a table of commands, and what a command may answer.

A dialect is a mapping from command names to :class:`Command`. Each form of a command (test, read,
set, execute) is either a fixed text, given as the lines it answers with before ``OK``, or a
function of the session that looks something up or does something. A form that is not in the table
does not exist on the module: it answers ``ERROR``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from firmware_bridge.virtual.commands import Arguments

__all__ = ["Answer", "Command", "CommandFailed", "Later", "Prompt", "Table"]

S = TypeVar("S", contravariant=True)
"""The session type of a dialect."""


class CommandFailed(Exception):
    """The command can't be done.

    Args:
        code: +CME ERROR code when the module reports it so; None answers plain ``ERROR`` whatever
            CMEE says.
    """

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Information lines and the final result, given after the command's delay."""

    lines: tuple[str | bytes, ...] = ()
    """Without line ends; bytes go out unchanged."""
    final: str | None = "OK"
    """Result code; None when none follows (the module restarts)."""
    then: Callable[[], None] | None = None
    """Called when the final result has gone out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The answer comes when something else has happened: ``start`` gets a function to give it."""

    start: Callable[[Callable[[Answer], None]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The module asks for data and takes bytes as they come."""

    length: int | None
    """This many bytes; None: until ^Z, and ESC gives up."""
    limit: int
    """Without a length, more than this fails."""
    done: Callable[[bytes], Answer]
    """Gets the data, gives the answer."""


Outcome = Answer | Later | Prompt
Handler = Callable[[S, Arguments], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Generic[S]):
    """One command of a dialect."""

    source: str
    """Where it is documented, or in which log it was seen."""
    test: str | Handler[S] | None = None
    """``=?``: lines separated by newlines (empty: only OK), a function, or None (ERROR)."""
    read: str | Handler[S] | None = None
    """``?``, likewise."""
    set: str | Handler[S] | None = None
    """``=...``, likewise."""
    execute: str | Handler[S] | None = None
    """Alone, likewise."""
    answer_s: float | None = None
    """Time to the first line when it is not the module's usual one."""
    final_s: float = 0.0
    """From the last information line to the final result."""
    takes_rest: bool = False
    """Inline data may hold semicolons: the command takes the rest of the line."""


Table = Mapping[str, Command[S]]
