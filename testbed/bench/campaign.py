"""The part of a bench description that makes a campaign of it: factors, blocks, when to stop.

A campaign measures *cells*: each combination of a configuration of the matrix with a level of every
factor. Each block holds every cell once, in an order of its own drawn from the seed, so that what
changes with time (the network, the weather, the battery) meets all cells alike.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from testbed.analysis.limits import LimitsDescription
from testbed.bench.model import Model
from testbed.bench.module import PdpType, PowerSavingDescription, ReleaseAssistanceName

__all__ = [
    "CONFIGURATION_FACTORS",
    "FACTORS",
    "BudgetDescription",
    "CampaignDescription",
    "ExclusionDescription",
    "FactorsDescription",
    "UntilDescription",
]

FACTORS = ("payload", "payload_bytes", "release_assistance", "power_saving", "coverage", "pdp_type")
"""Factors beside the matrix, in the order in which a cell's name has them."""

CONFIGURATION_FACTORS = ("configuration", "security", "suite", "compression")
"""What a configuration of the matrix consists of: exclusions may name these, too."""

_UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_UNITS_J = {"mJ": 1e-3, "J": 1.0, "kJ": 1e3}


def _quantity(value: Any, units: dict[str, float], base: str) -> Any:
    """A number of base units from a number, or from text such as ``2 h``."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*", value)
    factor = units.get((found[2] or base) if found else "")
    if found is None or factor is None:
        raise ValueError(f"{value!r} is no number with one of the units {', '.join(units)}")
    return float(found[1]) * factor


def _share(value: Any) -> Any:
    """A share from a number such as 0.05, or from text such as ``5 %``."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(%?)\s*", value)
    if found is None:
        raise ValueError(f"{value!r} is no share: write 5 % or 0.05")
    return float(found[1]) / (100.0 if found[2] else 1.0)


_NUMBER_OR_TEXT: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string"}]}

Seconds = Annotated[
    float,
    BeforeValidator(lambda value: _quantity(value, _UNITS_S, "s")),
    WithJsonSchema(_NUMBER_OR_TEXT | {"description": "seconds, or text such as 2 h"}),
]
Joules = Annotated[
    float,
    BeforeValidator(lambda value: _quantity(value, _UNITS_J, "J")),
    WithJsonSchema(_NUMBER_OR_TEXT | {"description": "joules, or text such as 100 J"}),
]
Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(_NUMBER_OR_TEXT | {"description": "a share, or text such as 5 %"}),
]
PayloadBytes = Annotated[int, Field(ge=1, le=1500)]


class FactorsDescription(Model):
    """The levels of each factor; a factor that is left away stays as the bench has it."""

    payload: tuple[str, ...] = ()
    """Sources of messages: names of generated devices, or captures (paths as in ``traffic``)."""
    payload_bytes: tuple[PayloadBytes, ...] = ()
    """Octets of UDP payload: each message of the source is cut, or filled up, to that size."""
    release_assistance: tuple[ReleaseAssistanceName, ...] = ()
    """What each message tells the network."""
    power_saving: dict[str, PowerSavingDescription] = Field(default_factory=dict)
    """PSM and eDRX settings by a name of your own; switching is a set-up of the module."""
    coverage: tuple[Literal[0, 1, 2], ...] = ()
    """Coverage enhancement levels; of virtual modules only, a real one's is observed."""

    pdp_type: tuple[PdpType, ...] = ()
    """IP or non-IP data; switching sets another PDN connection up."""

    @model_validator(mode="after")
    def _no_level_twice(self) -> FactorsDescription:
        for name in FACTORS:
            levels = list(getattr(self, name))
            for level in levels:
                if levels.count(level) > 1:
                    raise ValueError(f"{name}: {level!r} stands twice")
        return self


class ExclusionDescription(Model):
    """Cells that are not measured, and why."""

    cells: dict[str, str | int] = Field(min_length=1)
    """Factor and level; a cell is excluded when all of them are its own."""
    reason: str = Field(min_length=1)
    """Why, for the reader of the results."""

    @model_validator(mode="after")
    def _factors_are_known(self) -> ExclusionDescription:
        known = (*CONFIGURATION_FACTORS, *FACTORS)
        for name in self.cells:
            if name not in known:
                raise ValueError(f"unknown factor {name!r}: known are {', '.join(known)}")
        return self


class UntilDescription(Model):
    """Go on until the figures are known well enough: on precision only, never on the verdict."""

    interval: Share = Field(gt=0, lt=1)
    """Half width of the metric's 95 % interval in each cell, as a share of the metric."""
    metric: Literal["latency_median", "energy_median"] = "latency_median"
    """Which figure has to be that well known."""
    at_least: int = Field(default=10, ge=10, le=10_000)
    """Blocks before the first look; fewer than ten say nothing about an interval's width."""
    at_most: int = Field(ge=10, le=10_000)
    """Blocks after which the campaign ends whatever is known: fixed beforehand."""

    @model_validator(mode="after")
    def _least_below_most(self) -> UntilDescription:
        if self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} is more than at_most {self.at_most}")
        return self


class BudgetDescription(Model):
    """What a campaign may cost at most; it ends before the message that would begin beyond."""

    time: Seconds | None = Field(default=None, gt=0)
    """Seconds of the run's clock, set-ups included."""
    energy: Joules | None = Field(default=None, gt=0)
    """Joules of all messages, key exchanges and feedback, measured or estimated."""
    messages: int | None = Field(default=None, ge=1)
    """Messages, warm-up included."""


class CampaignDescription(Model):
    """A campaign: what is varied, how often, and when it ends."""

    factors: FactorsDescription = FactorsDescription()
    """What is varied beside the matrix."""
    exclude: tuple[ExclusionDescription, ...] = ()
    """Cells that are not measured."""
    blocks: int | None = Field(default=None, ge=1, le=10_000)
    """How many blocks; none: one, or as many as ``until`` wants."""
    messages_per_cell: int = Field(default=10, ge=1, le=100_000)
    """Messages of each cell in each block, warm-up apart."""
    warm_up: int = Field(default=0, ge=0, le=1000)
    """Messages before these, each time a cell begins: in the journal, and in no statistic."""
    until: UntilDescription | None = None
    """Stop when the figures are known well enough, in place of a number of blocks."""
    budget: BudgetDescription = BudgetDescription()
    """What it may cost at most."""
    limits: LimitsDescription = LimitsDescription()
    """What the figures may be at most, or at least, with units; see docs/statistics.md."""

    @model_validator(mode="after")
    def _blocks_or_until(self) -> CampaignDescription:
        if self.blocks is not None and self.until is not None:
            raise ValueError("both 'blocks' and 'until': keep one of the two (until: at_most)")
        return self

    @property
    def most_blocks(self) -> int:
        """Blocks that there are at most."""
        return self.until.at_most if self.until is not None else self.blocks or 1
