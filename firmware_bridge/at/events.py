"""What the parser tells. Loop times in s, taken where the bytes were read.

`at` is when the last byte of the thing was read, `began_at` when its first one was.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = [
    "Body",
    "Data",
    "Echo",
    "Event",
    "Final",
    "Noise",
    "NoiseReason",
    "Prompt",
    "Text",
    "Urc",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Root of all."""

    at: float
    """When its last byte was read."""
    began_at: float
    """When its first byte was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(Event):
    """The module repeated what was sent to it."""

    text: str
    """The echoed line, which may lack its first characters after a wake-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Event):
    """An intermediate line of the outstanding command's answer."""

    text: str
    """The line without its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt(Event):
    """The module waits for the command's payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Event):
    """Octets of a counted body, exactly as many as its header said."""

    header: str
    """The text that announced it."""
    data: bytes
    """The octets, whatever they are."""
    urc: str = ""
    """Name of the URC it belongs to; "" for the outstanding command's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Final(Event):
    """A final result of the outstanding command, or its follow-up result."""

    text: str
    """The line."""
    ok: bool
    """Success."""
    code: int | None = None
    """Number of +CME/+CMS ERROR, if it is one."""
    follow_up: bool = False
    """It is the second result (`SEND OK`, `+QIOPEN: 0,0`)."""
    complete: bool = True
    """Nothing more belongs to this command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Urc(Event):
    """An unsolicited line."""

    name: str
    """Name in the dialect's table."""
    text: str
    """The line."""
    banner: bool = False
    """It is printed only when the module boots."""


class NoiseReason(Enum):
    """Why a line was not understood."""

    GARBAGE = "garbage"
    """Octets that are no text (wake-up, wrong baud rate)."""
    OVERLONG = "overlong"
    """No line end within the limit; the rest of the line is dropped."""
    UNEXPECTED = "unexpected"
    """Text that neither the outstanding command nor the URC table knows."""
    LATE = "late"
    """A result that belongs to no command any more."""
    CUT = "cut"
    """The beginning of a body whose end never came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise(Event):
    """Something that was not understood."""

    reason: NoiseReason
    """Why."""
    data: bytes
    """The octets, at most 256 of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(Event):
    """Octets in data mode (after CONNECT)."""

    data: bytes
    """As they came."""
