r"""The AT log: every piece of octets both ways, with the loop time at which it was written or read.

A transcript is its readable form, one line per line on the wire: `> ` to the module, `< ` from it,
`\xNN` for an octet that is no text. Identities (IMEI, IMSI, ICCID) and what the card is asked and
answers (AT+CSIM, CGLA, CRSM) are masked in it unless asked for, so that a log can be given away.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from firmware_bridge.masking import carries_apdu, mask_digits, mask_secrets

__all__ = [
    "AtLog",
    "Direction",
    "Entry",
    "escape",
    "read_transcript",
    "transcript",
    "unescape",
]

_SERIAL_ASKED = re.compile(r"AT\+CGSN(?:=0)?", re.IGNORECASE)
_SERIAL_TOLD = re.compile(r"(?!OK$|ERROR$|AT|\+(?!CGSN)).{5,}")
_SERIAL_KEPT = 4
_FINAL = re.compile(r"(?:OK|ERROR|\+CME ERROR: ?.*)$")
_ANSWERED = re.compile(r"(?:AT)?\+(?:CSIM|CGLA|CRSM|CRLA) ?[=:]", re.IGNORECASE)
"""What `mask_secrets` knows how to mask."""
_ESCAPE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\\\")


class Direction(Enum):
    """Which way octets went. The value is the transcript's mark."""

    TO_MODULE = ">"
    FROM_MODULE = "<"


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of octets, as it was written or read."""

    at: float
    """Loop time, s."""
    direction: Direction
    """Which way."""
    data: bytes
    """The octets."""


Sink = Callable[[Entry], None]


class AtLog:
    """Keeps the last `keep` entries and hands each to `sink`.

    `sink` is called in the event loop, in the middle of an exchange: it must be quick. It gets
    the octets as they were, identities included: `transcript` masks them.
    """

    def __init__(self, sink: Sink | None = None, *, keep: int = 10_000) -> None:
        self._sink = sink
        self._entries: deque[Entry] = deque(maxlen=keep)

    def record(self, at: float, direction: Direction, data: bytes) -> None:
        """Take one piece."""
        entry = Entry(at, direction, data)
        self._entries.append(entry)
        if self._sink is not None:
            self._sink(entry)

    def entries(self) -> list[Entry]:
        """What is kept, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget what is kept."""
        self._entries.clear()

    def transcript(self, *, mask: bool = True, times: bool = False) -> str:
        """What is kept, as text. See `transcript`."""
        cut = len(self._entries) == self._entries.maxlen  # the oldest may be the rest of a line
        return _transcript(self._entries, mask, times, cut)


def transcript(entries: Iterable[Entry], *, mask: bool = True, times: bool = False) -> str:
    """The entries as a transcript; pieces are joined to lines first.

    `times` puts the loop time of the line's last octet in front, s with microseconds. `mask` also
    covers the maker's serial number, which only the question (`AT+CGSN`) gives away, and every
    line with hexadecimal digits that comes between an APDU and its final result.
    """
    return _transcript(entries, mask, times, False)


def _transcript(entries: Iterable[Entry], mask: bool, times: bool, card_asked: bool) -> str:
    lines = []
    serial_asked = False
    for at, direction, raw in _lines(entries):
        text = escape(raw)
        if mask:
            if direction is Direction.TO_MODULE:
                serial_asked = bool(_SERIAL_ASKED.fullmatch(text))
                card_asked = carries_apdu(text)
            elif serial_asked and _SERIAL_TOLD.fullmatch(text):
                text = text[:_SERIAL_KEPT] + re.sub(r"[0-9A-Za-z]", "0", text[_SERIAL_KEPT:])
            elif _FINAL.match(text):
                card_asked = False
            text = mask_secrets(text)
            if card_asked and direction is Direction.FROM_MODULE and not _ANSWERED.match(text):
                text = mask_digits(text)
        stamp = f"{at:.6f} " if times else ""
        lines.append(f"{stamp}{direction.value} {text}\n")
    return "".join(lines)


def read_transcript(text: str) -> list[tuple[Direction, bytes]]:
    """A transcript's lines back as (direction, octets without line end).

    Lines that start with `#` and empty ones are skipped; a time in front is dropped. Raises
    `ValueError`, with the line's number, for anything else.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.match(r"(?:\d+\.\d+ )?([<>])(?: (.*))?$", line)
        if match is None:
            raise ValueError(f"line {number} of the transcript starts with neither '> ' nor '< '")
        found.append((Direction(match.group(1)), unescape(match.group(2) or "")))
    return found


def _lines(entries: Iterable[Entry]) -> Iterator[tuple[float, Direction, bytes]]:
    partial: dict[Direction, bytes] = {}
    when: dict[Direction, float] = {}
    for entry in entries:
        data = partial.pop(entry.direction, b"") + entry.data
        *whole, rest = re.split(rb"[\r\n]+", data)
        for line in whole:
            if line:
                yield entry.at, entry.direction, line
        if rest:
            partial[entry.direction] = rest
            when[entry.direction] = entry.at
    for direction, rest in partial.items():
        yield when[direction], direction, rest


def escape(raw: bytes) -> str:
    r"""Octets as text: `\xNN` for one that is no printable ASCII, `\\` for a backslash."""
    return "".join(
        chr(octet) if 0x20 <= octet < 0x7F and octet != 0x5C else
        "\\\\" if octet == 0x5C else f"\\x{octet:02X}"
        for octet in raw
    )  # fmt: skip


def unescape(text: str) -> bytes:
    """The octets that `escape` wrote; a character that has no octet becomes `?`."""

    def octet(found: re.Match[str]) -> str:
        return chr(int(found.group(1), 16)) if found.group(1) else "\\"

    return _ESCAPE.sub(octet, text).encode("latin-1", "replace")
