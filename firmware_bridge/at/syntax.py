"""What the parser is told about a dialect (once) and about a command (each time).

All patterns are matched from the start of the line (`re.match`); end them with `$` to match it
whole. Lines are decoded as Latin-1, so that every octet has a character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["BodyRule", "Command", "FollowUp", "Marker", "Syntax", "UrcRule"]

DEFAULT_TIMEOUT_S = 5.0
"""For commands that the module answers by itself. Modules take 30 to 300 ms; a module that is
waking up, or writing its flash, takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRule:
    r"""Where octets are counted, not read as lines.

    `header` must have a group `n`, the count. With `inline` the body starts right where the
    header's match ends, so the pattern must end in a literal that can't be part of the count
    (`...,(?P<n>\d+),"`); otherwise the header is a whole line and the body starts after its end.
    """

    header: re.Pattern[str]
    """What announces the body."""
    inline: bool = False
    """The body stands in the same line as its header."""
    scale: int = 1
    """Octets on the line per counted unit (2 for hexadecimal digits)."""

    def __post_init__(self) -> None:
        if "n" not in self.header.groupindex:
            raise ValueError(f"body rule {self.header.pattern!r} has no group n")
        if self.inline and self.header.pattern[-1:] in "+*?)d":
            raise ValueError(f"inline body rule {self.header.pattern!r} must end in a literal")
        if self.scale < 1:
            raise ValueError(f"scale {self.scale} must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class UrcRule:
    """One unsolicited line of a dialect."""

    name: str
    """Name by which the driver knows it."""
    pattern: re.Pattern[str]
    """How the line starts."""
    banner: bool = False
    """Printed only at boot: the outstanding command has no answer any more."""
    body: BodyRule | None = None
    """Counted octets that it carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A second result after the final one, as `SEND OK` after `OK`.

    The result is a success if the pattern's group `ok` took part in the match.
    """

    pattern: re.Pattern[str]
    """The second result, good or bad."""
    timeout_s: float = 60.0
    """From the first result on."""

    def __post_init__(self) -> None:
        if "ok" not in self.pattern.groupindex:
            raise ValueError(f"follow-up {self.pattern.pattern!r} has no group ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command and what belongs to its answer."""

    text: str
    """As it is sent, without line end: `AT+CEREG?`."""
    timeout_s: float = DEFAULT_TIMEOUT_S
    """Until the final result."""
    answer: re.Pattern[str] | None = None
    """Lines of the answer; asked before the URC table, so that a read answer that shares its
    prefix with a URC is told apart by its fields."""
    bare: bool = False
    """Any line that is neither final nor URC belongs to the answer (ATI, AT+CGMR, ...)."""
    body: BodyRule | None = None
    """Counted octets in the answer."""
    finals: int = 1
    """How many final results: some families give one per command joined with `;`."""
    follow_up: FollowUp | None = None
    """A second result."""
    prompt: bytes = b""
    """The octet (`>`, `@`) that asks for `payload`; it comes without line end."""
    payload: bytes = b""
    """What is sent after the prompt, ^Z included where the dialect wants one."""
    success: re.Pattern[str] | None = None
    """Final results that are good, beside OK."""
    failure: re.Pattern[str] | None = None
    """Final results that are bad, beside ERROR, +CME ERROR and +CMS ERROR."""
    data_mode: bool = False
    """After a good final result the line carries data until `leave_data_mode()`."""
    reboots: bool = False
    """The module boots because of it: a boot banner is its good end."""
    needs_answer: bool = False
    """A final result without a line of `answer` before it is not this command's."""

    def __post_init__(self) -> None:
        if not self.text or "\r" in self.text or "\n" in self.text:
            raise ValueError(f"a command is one line of text, not {self.text!r}")
        if self.finals < 1 or self.timeout_s <= 0:
            raise ValueError(f"{self.text}: finals and timeout_s must be positive")
        if len(self.prompt) > 1:
            raise ValueError(f"{self.text}: a prompt is one octet, not {self.prompt!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A harmless question whose answer can't be mistaken: finds the place after a time-out."""

    text: str
    """The command."""
    answer: re.Pattern[str]
    """Its answer."""


def _default_markers() -> tuple[Marker, ...]:
    return (
        Marker(text="AT+CFUN?", answer=re.compile(r"\+CFUN: ?\d")),
        Marker(text="AT+CMEE?", answer=re.compile(r"\+CMEE: ?\d")),
        Marker(text="AT+CGSN=1", answer=re.compile(r'\+CGSN: ?"?\d{14,}')),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """What all commands of a dialect share."""

    urcs: tuple[UrcRule, ...] = ()
    """Unsolicited lines; the first that matches wins."""
    terminator: bytes = b"\r"
    """What ends a command."""
    command_gap_s: float = 0.0
    """Pause between a final result and the next command, s."""
    markers: tuple[Marker, ...] = field(default_factory=_default_markers)
    """Questions for finding the place after a time-out, the best first (TS 27.007 commands)."""
    marker_timeout_s: float = 3.0
    """How long one marker is waited for, s."""
    max_line: int = 8_192
    """Octets of a line; a longer one is noise."""
    max_body: int = 65_536
    """Octets of a counted body; a larger count is not believed."""
