"""The command that is outstanding, and what it has brought so far."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from firmware_bridge.at.syntax import Command

__all__ = ["EXTENSIONS", "LATENESS_GRANTS", "Exchange", "Response"]

EXTENSIONS = 20
"""How often a late result gives the marker its time again: the module works off a backlog."""

LATENESS_GRANTS = 3
"""How often a time-out that fired late is put off by twice its lateness."""


@dataclass(slots=True, kw_only=True)
class Response:
    """What a command brought."""

    command: str
    """The command."""
    lines: list[str] = field(default_factory=list)
    """Intermediate lines, in order."""
    bodies: list[bytes] = field(default_factory=list)
    """Counted bodies, in order."""
    final: str = ""
    """The first final result."""
    follow_up: str = ""
    """The second result, "" if there is none."""
    written_at: float = 0.0
    """The system took the command's last octet (its payload's, if it has one)."""
    began_at: float = 0.0
    """The answer's first octet was read."""
    final_at: float = 0.0
    """The first final result was read."""
    done_at: float = 0.0
    """The last of it was read."""
    echoed: bool = False
    """The module repeated the command."""


class Exchange:
    """The command that is outstanding."""

    __slots__ = (
        "command",
        "deadline",
        "done",
        "extensions",
        "grants",
        "heard",
        "response",
        "timer",
    )

    def __init__(self, command: Command, done: asyncio.Future[None]) -> None:
        self.command = command
        self.done = done
        self.response = Response(command=command.text)
        self.timer: asyncio.TimerHandle | None = None
        self.deadline = 0.0
        self.grants = LATENESS_GRANTS
        self.extensions = EXTENSIONS
        self.heard = False
