"""How a family's file is written: tables of what is sent and what comes unasked.

Every entry names its source and how well it is known. `{name}` in a text is filled in when the
command is made. A driver's code asks by the operation's name, so that reading one family's tables
tells how it differs from its neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from firmware_bridge.at.syntax import BodyRule, Command, FollowUp, Marker, Syntax, UrcRule
from firmware_bridge.errors import NotSupported
from firmware_bridge.modules.records import Status

__all__ = ["Family", "Request", "Unsolicited", "WakePolicy", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One command that a driver sends."""

    text: str
    """The command, with `{name}` where a value goes."""
    source: str
    """Where it is known from."""
    status: Status
    """How well it is known."""
    answer: str = ""
    """Pattern of its answer's lines; "" if it has none."""
    bare: bool = False
    """Its answer has lines without prefix."""
    follow_up: str = ""
    """Pattern of a second result, with group `ok` for the good one; `{name}` is filled in."""
    follow_up_timeout_s: float = 60.0
    """Time of the second result, s."""
    timeout_s: float = 5.0
    """Time of the final result, s."""
    reboots: bool = False
    """The module boots because of it."""
    body: str = ""
    """Pattern of the line that announces counted octets (group `n`), for binary payloads."""
    prompt: bytes = b""
    """What asks for the payload; the payload is given as the value `payload`."""
    repeatable: bool = True
    """Sent again after a wake-up when the module was found asleep; never for sending data."""
    note: str = ""
    """What a reader should know."""

    def command(self, **values: object) -> Command:
        """The command with its places filled in."""
        follow_up = None
        if self.follow_up:
            pattern = self.follow_up
            for name, value in values.items():
                pattern = pattern.replace("{" + name + "}", str(value))
            follow_up = FollowUp(pattern=_compiled(pattern), timeout_s=self.follow_up_timeout_s)
        payload = values.get("payload", b"")
        assert isinstance(payload, bytes)
        return Command(
            text=self.text.format(**values) if values else self.text,
            body=BodyRule(header=_compiled(self.body)) if self.body else None,
            prompt=self.prompt,
            payload=payload,
            timeout_s=self.timeout_s,
            answer=_compiled(self.answer) if self.answer else None,
            bare=self.bare,
            follow_up=follow_up,
            reboots=self.reboots,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsolicited:
    """One line that comes unasked."""

    name: str
    """What the driver calls it."""
    pattern: str
    """How it starts (`$` at the end: the whole line)."""
    source: str
    """Where it is known from."""
    status: Status
    """How well it is known."""
    banner: bool = False
    """Printed only at boot."""
    body: str = ""
    """Pattern up to counted octets in the same line (group `n`); looked for only when payloads are
    binary, since the count means octets and the digits are twice as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WakePolicy:
    """How a module is woken that may be asleep."""

    attempts: int
    """How many `AT` at most."""
    first_pause_s: float
    """How long the first is waited for, s: an awake module answers within 0.1 s. Each further one
    is waited for one and a half times as long."""
    pause_s: float
    """At most so long, s."""
    idle_s: float
    """After so much silence on the line the first characters may be lost: `AT` goes ahead."""

    def pauses(self) -> list[float]:
        """The pause after each attempt, s."""
        return [
            min(self.pause_s, self.first_pause_s * 1.5**attempt) for attempt in range(self.attempts)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All that is data about one family."""

    name: str
    """Name in the registry."""
    title: str
    """Maker and models."""
    chipset: str
    """What is inside."""
    models: str
    """Pattern that finds the family in the lines of `ATI` and `AT+CGMR`/`AT+QGMR`."""
    baudrate: int
    """Out of the box, bit/s."""
    requests: Mapping[str, Request]
    """Operation -> command."""
    unsolicited: tuple[Unsolicited, ...]
    """What comes unasked; the first that fits wins."""
    operations: Mapping[str, Status]
    """How well each operation of the contract is known."""
    wake: WakePolicy
    """How it is woken."""
    context_id: int
    """PDP context of sockets when the module does not tell."""
    socket_ids: tuple[int, ...]
    """Numbers that sockets may have."""
    max_payload: int
    """Octets per datagram."""
    max_payload_source: str
    """Where that limit is known from."""
    max_binary_payload: int | None = None
    """Octets per datagram when payloads are binary; None: the family knows hexadecimal only."""
    sleep_loses_sockets: bool
    """Sockets are gone after PSM or deep sleep."""
    boot_s: float
    """Within this time after a reset it answers again, s."""
    markers: tuple[Marker, ...] = ()
    """Questions to find the place after a time-out; () for the 3GPP ones."""
    command_gap_s: float = 0.0
    """Pause between commands, s."""
    final_per_command: bool = False
    """Commands joined with `;` get a final result each, not one together."""

    def request(self, operation: str) -> Request:
        """The command of `operation`. Raises `NotSupported`."""
        found = self.requests.get(operation)
        if found is None:
            raise NotSupported(self.name, operation.replace("_", " "))
        return found

    def syntax(self, *, binary: bool = False) -> Syntax:
        """What the AT engine is told about this family; `binary` payloads or hexadecimal ones."""
        urcs = tuple(
            UrcRule(
                name=entry.name,
                pattern=_compiled(entry.pattern),
                banner=entry.banner,
                body=BodyRule(header=_compiled(entry.body), inline=True)
                if entry.body and binary
                else None,
            )
            for entry in self.unsolicited
        )
        if self.markers:
            return Syntax(urcs=urcs, command_gap_s=self.command_gap_s, markers=self.markers)
        return Syntax(urcs=urcs, command_gap_s=self.command_gap_s)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def table(*others: Mapping[str, Request], **entries: Request) -> Mapping[str, Request]:
    """A table of requests that can't be changed: `others`, the later over the earlier, and more."""
    merged: dict[str, Request] = {}
    for other in others:
        merged.update(other)
    merged.update(entries)
    return MappingProxyType(merged)
