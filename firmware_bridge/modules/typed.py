"""A command that a person typed, as the AT engine needs it.

A driver asks by an operation's name and knows what belongs to the answer. A terminal has only the
text: what the family's tables know of a command of that name is used, whatever its arguments, and
what they do not know is taken as it comes.
"""

from __future__ import annotations

import re

from firmware_bridge.at.syntax import Command, FollowUp
from firmware_bridge.modules.dialect import Family, Request

__all__ = ["TYPED_TIMEOUT_S", "typed_command"]

TYPED_TIMEOUT_S = 60.0
"""How long a typed command may take, unless the family's table gives it longer, s."""

_SHAPE = re.compile(r"(?P<name>AT[^=?;]*)(?P<kind>=\?|\?|=|)(?P<fields>.*)", re.IGNORECASE | re.S)
_PLACE = re.compile(r"\{\w+\}")
_QUOTED = re.compile(r'"[^"]*"?')


def typed_command(
    text: str, family: Family | None = None, *, timeout_s: float = TYPED_TIMEOUT_S
) -> Command:
    """`text` as a command. `family` None: nothing is known of it.

    Raises `ValueError` if it is no line of text, or holds a character that has no octet.
    """
    if not text.strip():
        raise ValueError("an empty line is no command")
    if any(ord(character) > 0xFF for character in text):
        raise ValueError("it has a character that is no octet")
    known = None if family is None else _known(text, family)
    follow_up = None
    if known is not None and known.follow_up:
        follow_up = FollowUp(
            pattern=re.compile(_PLACE.sub(r"\\d+", known.follow_up)),
            timeout_s=known.follow_up_timeout_s,
        )
    return Command(
        text=text,
        timeout_s=timeout_s if known is None else max(timeout_s, known.timeout_s),
        answer=_answer(text, known),
        bare=True,
        finals=_finals(text, family),
        follow_up=follow_up,
        prompt=_prompt(text, known),
        reboots=known is not None and known.reboots,
    )


def _shape(text: str) -> tuple[str, str, int]:
    """Name, kind (`=?`, `?`, `=` or nothing) and number of fields."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        return text.strip().upper(), "", 0
    fields = _QUOTED.sub("", found["fields"])
    return found["name"].strip().upper(), found["kind"], fields.count(",")


def _known(text: str, family: Family) -> Request | None:
    name, kind, fields = _shape(text)
    alike: list[tuple[int, int, Request]] = []
    for request in family.requests.values():
        if request.body:  # counted octets, unless payloads are hexadecimal: a terminal can't know
            continue
        its_name, its_kind, its_fields = _shape(request.text)
        if (its_name, its_kind) == (name, kind):
            alike.append((abs(its_fields - fields), len(alike), request))
    return min(alike)[2] if alike else None


def _answer(text: str, known: Request | None) -> re.Pattern[str] | None:
    """What tells the answer from an unsolicited line of the same prefix."""
    if known is not None and known.answer:
        return re.compile(known.answer)
    name, kind, _ = _shape(text)
    if kind == "=" or not name.startswith("AT+"):
        return None
    return re.compile(re.escape(name[2:]) + ":", re.IGNORECASE)


def _prompt(text: str, known: Request | None) -> bytes:
    if known is not None:
        return known.prompt
    return b">" if _shape(text)[1] == "=" else b""


def _finals(text: str, family: Family | None) -> int:
    if family is None or not family.final_per_command:
        return 1
    return 1 + _QUOTED.sub("", text.rstrip("; ")).count(";")
