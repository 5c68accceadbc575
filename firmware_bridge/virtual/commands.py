"""A command line, taken apart as ITU-T V.250 says.

``AT``, then any number of commands. A *basic* command is a letter (or ``&`` and a letter) with an
optional number and needs nothing after it; an *extended* one begins with ``+`` (or another mark of
the maker's) and ends at a semicolon. An extended command has one of four forms: test ``=?``, read
``?``, set ``=...``, execute.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Arguments", "BadArgument", "Form", "Invocation", "split_line"]

_EXTENDED_MARKS = "+*#$%^"


class Form(enum.Enum):
    """How a command is called."""

    TEST = "test"
    READ = "read"
    SET = "set"
    EXECUTE = "execute"


class BadArgument(Exception):
    """A parameter is missing, of the wrong kind, or out of range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One command of a line."""

    name: str
    """Upper case, with its mark: ``+CEREG``, ``E``, ``&F``."""
    form: Form
    """How it is called."""
    argument: str
    """What follows the ``=`` (or the letter), unchanged."""


def split_line(line: str, takes_rest: Callable[[str], bool]) -> list[Invocation]:
    """Take ``line``, the text after ``AT``, apart.

    Args:
        line: Without prefix and carriage return.
        takes_rest: Whether the named command takes everything to the end of the line, semicolons
            too (inline data).
    """
    found: list[Invocation] = []
    rest = line.lstrip(" ")
    while rest:
        if rest[0] == ";":
            rest = rest[1:].lstrip(" ")
            continue
        if rest[0] in _EXTENDED_MARKS:
            invocation, rest = _extended(rest, takes_rest)
        else:
            invocation, rest = _basic(rest)
        found.append(invocation)
        rest = rest.lstrip(" ")
    return found


def _extended(text: str, takes_rest: Callable[[str], bool]) -> tuple[Invocation, str]:
    end = 1
    while end < len(text) and (text[end].isalnum() or text[end] in "-_./:"):
        end += 1
    name, rest = text[:end].upper(), text[end:].lstrip(" ")
    if takes_rest(name):
        body, rest = rest, ""
    else:
        body, rest = _until_semicolon(rest)
        body = body.strip(" ")
    if body == "?":
        form, argument = Form.READ, ""
    elif body.startswith("="):
        argument = body[1:].lstrip(" ")
        form = Form.SET
        if argument == "?":
            form, argument = Form.TEST, ""
    elif not body:
        form, argument = Form.EXECUTE, ""
    else:  # "+CSQ7": no such command
        name, form, argument = name + body, Form.EXECUTE, ""
    return Invocation(name=name, form=form, argument=argument), rest


def _until_semicolon(text: str) -> tuple[str, str]:
    quoted = False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            return text[:index], text[index + 1 :]
    return text, ""


def _basic(text: str) -> tuple[Invocation, str]:
    end = 2 if text[0] == "&" and len(text) > 1 else 1
    name = text[:end].upper()
    if name == "D":  # a dial string takes the rest
        return Invocation(name=name, form=Form.EXECUTE, argument=text[1:]), ""
    start = end
    while end < len(text) and text[end].isdigit():
        end += 1
    return Invocation(name=name, form=Form.EXECUTE, argument=text[start:end]), text[end:]


class Arguments:
    """The comma separated parameters of a set command, read by position.

    Every reading method raises :class:`BadArgument` for what does not fit.
    """

    def __init__(self, text: str) -> None:
        self.text_after: list[str] = []
        self._values: list[tuple[str, bool]] = []
        for raw, rest in _split_commas(text):
            value = raw.strip(" ")
            quoted = len(value) >= 2 and value[0] == value[-1] == '"'
            self._values.append((value[1:-1] if quoted else value, quoted))
            self.text_after.append(rest)

    def __len__(self) -> int:
        return len(self._values)

    def given(self, index: int) -> bool:
        """Whether there is a non-empty parameter at ``index``."""
        return index < len(self._values) and (
            self._values[index][0] != "" or self._values[index][1]
        )

    def at_most(self, count: int) -> None:
        """Refuse more than ``count`` parameters."""
        if len(self._values) > count:
            raise BadArgument(f"more than {count} parameters")

    def integer(self, index: int, low: int, high: int, default: int | None = None) -> int:
        """The whole number at ``index``, from ``low`` to ``high``; ``default`` when omitted."""
        if not self.given(index):
            if default is None:
                raise BadArgument(f"parameter {index + 1} is missing")
            return default
        value, quoted = self._values[index]
        digits = value[1:] if value[:1] == "-" else value
        if quoted or not (digits.isascii() and digits.isdigit()):
            raise BadArgument(f"parameter {index + 1} is not a number")
        number = int(value)
        if not low <= number <= high:
            raise BadArgument(f"parameter {index + 1} is not within {low} to {high}")
        return number

    def string(self, index: int, default: str | None = None) -> str:
        """The string at ``index``, quoted or not; ``default`` when omitted."""
        if not self.given(index):
            if default is None:
                raise BadArgument(f"parameter {index + 1} is missing")
            return default
        return self._values[index][0]

    def bits(self, index: int, width: int, default: str | None = None) -> str:
        """A string of ``width`` ones and zeros."""
        value = self.string(index, default)
        if len(value) != width or any(bit not in "01" for bit in value):
            raise BadArgument(f"parameter {index + 1} is not {width} bits")
        return value


def _split_commas(text: str) -> list[tuple[str, str]]:
    """(parameter, everything after its comma) pairs; commas inside quotes don't count."""
    pairs: list[tuple[str, str]] = []
    start, quoted = 0, False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            pairs.append((text[start:index], text[index + 1 :]))
            start = index + 1
    pairs.append((text[start:], ""))
    return pairs
