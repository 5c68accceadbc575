"""Finding out which family a port leads to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_bridge.at.engine import AtEngine
from firmware_bridge.at.syntax import Command
from firmware_bridge.errors import CommandFailed, ModuleSilent, ModuleTimeout
from firmware_bridge.modules.registry import driver, families

if TYPE_CHECKING:
    from firmware_bridge.at.log import AtLog
    from firmware_bridge.line import Line

__all__ = ["BAUDRATES", "Probed", "probe"]

BAUDRATES = (115_200, 9_600)
"""Speeds that the known families have out of the box, the commoner first."""

ATTEMPTS = 4
"""How often each speed is tried: the first command after sleep is lost."""
PAUSE_S = 0.5
"""How long an `AT` is waited for, s."""
QUESTIONS = ("ATI", "AT+CGMR", "AT+QGMR", "AT+CGMM")
"""Asked in turn until a family is found. Each is refused by some family, which is no harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What was found."""

    family: str | None
    """Name in the registry; None: a module answers, but no family knows it."""
    baudrate: int
    """Speed at which it answered, bit/s."""
    lines: tuple[str, ...]
    """What it said about itself."""


async def probe(
    line: Line, baudrates: Sequence[int] = BAUDRATES, *, log: AtLog | None = None
) -> Probed:
    """Ask the module on `line` who it is; changes nothing in it. The line stays open.

    Raises `ModuleSilent` when it answers at none of the speeds, `LineLost`.
    """
    engine = AtEngine(line, log=log)
    for baudrate in baudrates:
        line.set_baudrate(baudrate)
        for _ in range(ATTEMPTS):
            if await engine.probe("AT", PAUSE_S) is not None:
                return await _ask(engine, baudrate)
    raise ModuleSilent("AT", len(baudrates) * ATTEMPTS * PAUSE_S, address=line.address)


async def _ask(engine: AtEngine, baudrate: int) -> Probed:
    patterns = {name: _models(name) for name in sorted(families())}
    told: list[str] = []
    for question in QUESTIONS:
        try:
            response = await engine.execute(Command(text=question, bare=True))
        except (CommandFailed, ModuleTimeout):
            continue
        told += response.lines
        for name, pattern in patterns.items():
            if pattern and any(re.search(pattern, text) for text in response.lines):
                return Probed(family=name, baudrate=baudrate, lines=tuple(told))
    return Probed(family=None, baudrate=baudrate, lines=tuple(told))


def _models(name: str) -> str:
    family = getattr(driver(name), "FAMILY", None)
    return "" if family is None else str(family.models)
