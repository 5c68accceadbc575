"""The plan of a run: which message is sent when, decided before anything starts.

A plan is a pure function of the description and the seed. It holds *cells* (a configuration with a
level of every factor), *blocks* (every cell once, in an order of the block's own) and in each block
a *visit* to each cell: some warm-up messages, then those that are measured. All visits of one block
send the same messages of their sources, so that cells are compared over the same traffic.

Messages are numbered in the order in which they are sent. The number is the message's for good: a
run that was killed goes on with the first number that is not in its journal.

A bench without a campaign is the plan of one block: each configuration once, in the matrix's order.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from firmware_bridge import driver
from testbed.bench import Bench, CampaignDescription, Configuration, Security
from testbed.bench.campaign import FACTORS
from testbed.bench.module import PdpType, PowerSavingDescription
from testbed.errors import UsageError

__all__ = ["Cell", "Excluded", "Plan", "PlannedMessage", "Visit", "plan_campaign", "plan_matrix"]

Level = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A configuration with a level of every factor; ``None`` leaves it as the bench has it."""

    configuration: Configuration
    payload: str | None = None
    """Source of the messages: a generated device, or a capture's path."""
    payload_bytes: int | None = None
    """Octets of payload that each message is cut or filled up to."""
    release_assistance: str | None = None
    power_saving: str | None = None
    """Name of a setting of PSM and eDRX."""
    coverage: int | None = None
    """Coverage enhancement level of a virtual module."""
    pdp_type: PdpType | None = None
    """What the PDN connection carries."""

    @property
    def factors(self) -> dict[str, Level]:
        """Factor and level of each factor that is varied; of a capture, its file's name alone."""
        found = {name: getattr(self, name) for name in FACTORS}
        if self.payload is not None:
            found["payload"] = Path(self.payload).name
        if self.pdp_type is not None:
            found["pdp_type"] = self.pdp_type.value
        return {name: level for name, level in found.items() if level is not None}

    @property
    def name(self) -> str:
        """``esp-tunnel coverage=1``: the configuration, then each varied factor's level."""
        levels = (f"{name}={level}" for name, level in self.factors.items())
        return " ".join((self.configuration.name, *levels))

    def to_json(self) -> dict[str, Level]:
        """The cell as the journal's first line has it."""
        return {"name": self.name, "configuration": self.configuration.name} | self.factors

    def level(self, factor: str) -> Level | None:
        """The level of a factor, parts of the configuration included."""
        configuration = self.configuration
        match factor:
            case "configuration":
                return configuration.name
            case "security":
                return configuration.security.value
            case "compression":
                return configuration.compression.value
            case "suite":
                row = configuration.esp_suite
                return None if row is None else row.name
        return self.factors.get(factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A cell that is not measured."""

    cell: Cell
    reason: str

    def to_json(self) -> dict[str, Level]:
        """As the journal's first line has it."""
        return self.cell.to_json() | {"reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One cell in one block: its messages follow each other."""

    block: int
    """From 0."""
    cell: Cell
    first: int
    """Number of its first message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMessage:
    """One message of the plan."""

    number: int
    """Its place in the plan, from 0, for good."""
    block: int
    """From 0."""
    cell: Cell
    index: int
    """Which message of its source is sent, from 0."""
    warm_up: bool
    """In the journal, and in no statistic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which message is sent when."""

    seed: int
    """What the order of each block comes from."""
    cells: tuple[Cell, ...]
    """In the order of the description."""
    excluded: tuple[Excluded, ...] = ()
    """Cells that are not measured, each with the reason."""
    blocks: int
    """How many there are at most."""
    warm_up: int
    """Messages of a visit before the measured ones."""
    messages_per_cell: int
    """Measured messages of a visit."""
    randomised: bool
    """Whether each block has an order of its own; else it is the description's."""

    @property
    def visit_messages(self) -> int:
        """Messages of one visit."""
        return self.warm_up + self.messages_per_cell

    @property
    def block_messages(self) -> int:
        """Messages of one block."""
        return self.visit_messages * len(self.cells)

    @property
    def total(self) -> int:
        """Messages of the whole plan."""
        return self.block_messages * self.blocks

    @property
    def source_messages(self) -> int:
        """How many messages of each source are sent."""
        return self.visit_messages * self.blocks

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The configurations of all cells, each once."""
        return tuple(dict.fromkeys(cell.configuration for cell in self.cells))

    def order(self, block: int) -> tuple[Cell, ...]:
        """The cells in the order of one block."""
        if not self.randomised:
            return self.cells
        # A key per cell, and nothing but random(): its sequence is the one that Python keeps.
        random = Random(f"{self.seed}/block/{block}").random
        return tuple(cell for _, _, cell in sorted((random(), *e) for e in enumerate(self.cells)))

    def visits(self, start: int = 0) -> Iterator[Visit]:
        """The visits in their order, from the one that message ``start`` belongs to."""
        for block in range(start // self.block_messages if self.cells else 0, self.blocks):
            for place, cell in enumerate(self.order(block)):
                first = block * self.block_messages + place * self.visit_messages
                if first + self.visit_messages > start:
                    yield Visit(block=block, cell=cell, first=first)

    def messages(self, visit: Visit, start: int = 0) -> Iterator[PlannedMessage]:
        """The messages of a visit, from number ``start`` on."""
        for place in range(max(start - visit.first, 0), self.visit_messages):
            yield PlannedMessage(
                number=visit.first + place,
                block=visit.block,
                cell=visit.cell,
                index=visit.block * self.visit_messages + place,
                warm_up=place < self.warm_up,
            )

    @property
    def digest(self) -> str:
        """What tells this plan from another one: 16 hexadecimal digits."""
        what = {
            "seed": self.seed,
            "cells": [cell.to_json() for cell in self.cells],
            "blocks": self.blocks,
            "warm_up": self.warm_up,
            "messages_per_cell": self.messages_per_cell,
            "randomised": self.randomised,
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def plan_matrix(bench: Bench, messages: int) -> Plan:
    """The plan of a bench without a campaign.

    Args:
        bench: the description; of its matrix, each configuration is a cell.
        messages: how many each configuration sends.

    Raises:
        UsageError: non-IP data can't carry a configuration.
    """
    cells = tuple(Cell(configuration=one) for one in bench.matrix)
    _check_non_ip(bench, cells)
    return Plan(
        seed=bench.seed,
        cells=cells,
        blocks=1,
        warm_up=0,
        messages_per_cell=messages,
        randomised=False,
    )


def plan_campaign(bench: Bench, campaign: CampaignDescription) -> Plan:
    """The plan of a campaign.

    Raises:
        UsageError: every cell is excluded, an exclusion names no cell, or non-IP data can't carry
            a cell.
    """
    factors = campaign.factors
    power_saving: Mapping[str, PowerSavingDescription] = factors.power_saving
    levels: dict[str, tuple[Level | None, ...]] = {
        name: tuple(power_saving) if name == "power_saving" else getattr(factors, name)
        for name in FACTORS
    }
    cells: list[Cell] = []
    excluded: list[Excluded] = []
    used: set[int] = set()
    for configuration in bench.matrix:
        for chosen in itertools.product(*(levels[name] or (None,) for name in FACTORS)):
            cell = Cell(configuration=configuration, **dict(zip(FACTORS, chosen, strict=True)))  # type: ignore[arg-type]
            matching = [
                number
                for number, one in enumerate(campaign.exclude)
                if all(cell.level(name) == level for name, level in one.cells.items())
            ]
            used.update(matching)
            if matching:
                excluded.append(Excluded(cell=cell, reason=campaign.exclude[matching[0]].reason))
            else:
                cells.append(cell)
    called = Counter(cell.name for cell in cells)
    for name, count in called.items():
        if count > 1:
            raise UsageError(
                f"campaign: {count} cells are called {name!r}",
                hint="Give captures names of their own: their folders are not in a cell's name.",
            )
    for number, one in enumerate(campaign.exclude):
        if number not in used:
            named = ", ".join(f"{name}: {level}" for name, level in one.cells.items())
            raise UsageError(
                f"campaign: exclude names no cell: {{{named}}}",
                hint="Name levels as the matrix and the factors have them.",
            )
    if not cells:
        raise UsageError(
            "campaign: every cell is excluded", hint="Leave at least one combination to measure."
        )
    _check_non_ip(bench, cells)
    names = dict.fromkeys(name for cell in cells for name in (cell.configuration.name, cell.name))
    try:
        campaign.limits.check_configurations(tuple(names))
    except ValueError as error:
        raise UsageError(f"campaign: {error}", hint="Name a configuration, or one cell.") from None
    return Plan(
        seed=bench.seed,
        cells=tuple(cells),
        excluded=tuple(excluded),
        blocks=campaign.most_blocks,
        warm_up=campaign.warm_up,
        messages_per_cell=campaign.messages_per_cell,
        randomised=True,
    )


def _check_non_ip(bench: Bench, cells: Iterable[Cell]) -> None:
    """See that non-IP data can carry the cells that are to be carried so.

    Raises:
        UsageError: they can't.
    """
    module = bench.module
    carried = [one for one in cells if (one.pdp_type or module.pdp_type) is PdpType.NON_IP]
    if not carried:
        return
    if "non_ip" not in driver(module.family).operations:
        raise UsageError(
            f"pdp_type: non-ip: the driver of {module.family} has no non-IP data",
            hint="Use pdp_type: ip, or another module; docs/modules.md says what each can do.",
        )
    for cell in carried:
        if cell.configuration.security is Security.ESP_TRANSPORT:
            raise UsageError(
                f"{cell.name}: transport mode protects what follows an IP header, and with "
                "pdp_type: non-ip the module sends none",
                hint=(
                    "Leave it out of the matrix; beside pdp_type: ip exclude it: "
                    "campaign: exclude: [{cells: {security: esp-transport, pdp_type: non-ip}, "
                    "reason: no IP header}]."
                ),
            )
    ports = {_hse_port(cell.configuration) for cell in carried}
    if not module.is_virtual and len(ports) > 1:
        raise UsageError(
            f"pdp_type: non-ip on a real module: the network's tunnel ends at one port of the HSE, "
            f"and these configurations need {len(ports)} ({', '.join(sorted(ports))})",
            hint="Measure configurations with ESP in one run, and those without each in another.",
        )


def _hse_port(configuration: Configuration) -> str:
    """Which port of the HSE takes a configuration's packets."""
    if configuration.security is not Security.NONE:
        return "esp"
    return "plain" if configuration.name == "none" else "rohc"
