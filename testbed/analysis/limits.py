"""Limits with units, as they stand in a campaign file.

::

    limits:
      latency_p95: {max: 12 s}
      latency_median: {regression: 10 %}
      uplink_bytes:
        - {max: 90 B, configuration: rohc+esp-tunnel}
        - {max: 130 B, configuration: esp-tunnel}
      delivery: {min: 99 %}
      saved_bytes: {min: 30 B, against: esp-tunnel, configuration: rohc+esp-tunnel}

A limit says the most or the least that a figure may be, or by how much it may be worse than the
baseline's (``regression``), or than another configuration's of the same campaign (``regression``
with ``against``). Without a ``configuration`` it is for each of them; a configuration means all of
its cells where the campaign varies factors, or one cell by its name. A number without its unit is
a mistake: nobody knows whether 12 is seconds or milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from testbed.analysis.measures import MEASURES, Better, Measure

__all__ = [
    "DEFAULT_REGRESSION",
    "Limit",
    "LimitDescription",
    "LimitKind",
    "LimitsDescription",
    "parse_quantity",
    "parse_share",
    "regression_limit",
    "show",
]

DEFAULT_REGRESSION: Final = 0.05
"""By how much a figure may be worse than its baseline's where nobody says otherwise."""

_UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "s": {"ms": 1e-3, "s": 1.0, "min": 60.0},
    "B": {"B": 1.0, "kB": 1e3},
    "J": {"uJ": 1e-6, "mJ": 1e-3, "J": 1.0, "mWh": 3.6},
    "1": {"%": 0.01},
}
"""What a base unit may be written in, with the factor."""

_QUANTITY: Final = re.compile(r"([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)")


class LimitKind(StrEnum):
    """What a limit says."""

    MAX = "max"
    """The most that the figure may be."""
    MIN = "min"
    """The least that it may be."""
    REGRESSION = "regression"
    """By what share of another figure it may be worse than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit, its bound in the measure's base unit."""

    measure: Measure
    """Which figure."""
    kind: LimitKind
    """What the bound says."""
    bound: float
    """In the base unit; of a regression the share, 0.1 for 10 %."""
    configuration: str | None = None
    """For which one; None: each."""
    against: str | None = None
    """Compared with which configuration of the same run; None: the baseline, or a plain bound."""

    @property
    def text(self) -> str:
        """As people write it: ``latency_p95 <= 12 s``."""
        against = f" against {self.against}" if self.against is not None else ""
        match self.kind:
            case LimitKind.MAX:
                return f"{self.measure.name} <= {show(self.bound, self.measure.unit)}{against}"
            case LimitKind.MIN:
                return f"{self.measure.name} >= {show(self.bound, self.measure.unit)}{against}"
            case LimitKind.REGRESSION:
                return f"{self.measure.name} worse by <= {show(self.bound, '1')}{against}"

    def to_json(self) -> dict[str, object]:
        """All fields by name, with the text."""
        return {
            "measure": self.measure.name,
            "kind": self.kind.value,
            "bound": self.bound,
            "configuration": self.configuration,
            "against": self.against,
            "text": self.text,
        }


def show(value: float, unit: str) -> str:
    """A figure with its unit; a share in percent."""
    return f"{value * 100:.4g} %" if unit == "1" else f"{value:.4g} {unit}"


def parse_quantity(text: object, unit: str) -> float:
    """A figure with its unit, in the base unit.

    Args:
        text: such as ``12 s``, ``350 ms``, ``90 B``, ``0.5 J``, ``99 %``.
        unit: the base unit: ``s``, ``B``, ``J`` or ``1`` (a share, given in percent).

    Raises:
        ValueError: no number, no unit, or the unit of something else; says what is allowed.
    """
    allowed = _UNITS[unit]
    words = ", ".join(allowed)
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        raise ValueError(f"{text!r} is no figure with a unit ({words})")
    found = _QUANTITY.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"{str(text)!r} is no figure with a unit ({words})")
    number, given = found.groups()
    if not given:
        raise ValueError(f"{number} has no unit: write {number} {list(allowed)[-1]}")
    if given not in allowed:
        raise ValueError(f"{str(text)!r}: the unit here is {words}, not {given}")
    return float(number) * allowed[given]


def parse_share(text: object) -> float:
    """A share given in percent: 0.1 for ``10 %``; raises as `parse_quantity`."""
    return parse_quantity(text, "1")


class LimitDescription(BaseModel):
    """One limit as it stands in a file: exactly one of max, min and regression, with a unit."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    max: str | None = None
    """The most that the figure may be, with its unit."""
    min: str | None = None
    """The least that it may be, with its unit."""
    regression: str | None = None
    """By how many percent it may be worse than the baseline's, or than that of ``against``."""
    configuration: str | None = None
    """For which configuration; none: for each."""
    against: str | None = None
    """Another configuration of the campaign with which it is compared."""

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_text(cls, value: Any) -> Any:
        """YAML gives a number where a unit is missing: the parser of units says so better."""
        if not isinstance(value, Mapping):
            raise ValueError("a limit is a mapping such as {max: 12 s}")
        return {
            name: str(entry) if isinstance(entry, int | float) else entry
            for name, entry in value.items()
        }

    @model_validator(mode="after")
    def _says_one_thing(self) -> LimitDescription:
        given = [kind.value for kind in LimitKind if getattr(self, kind.value) is not None]
        if len(given) != 1:
            found = f"both {given[0]} and {given[1]}" if given else "none of them"
            raise ValueError(f"a limit gives one of max, min and regression; here: {found}")
        return self

    def resolve(self, measure: Measure) -> Limit:
        """The limit in base units.

        Raises:
            ValueError: against units, or against what the measure can say.
        """
        kind = next(kind for kind in LimitKind if getattr(self, kind.value) is not None)
        text = getattr(self, kind.value)
        unit = "1" if kind is LimitKind.REGRESSION else measure.unit
        try:
            bound = parse_quantity(text, unit)
        except ValueError as error:
            raise ValueError(f"{kind}: {error}") from None
        if measure.saving:
            if kind is LimitKind.REGRESSION:
                raise ValueError("a saving has a min or a max, no regression")
            if self.against is None:
                raise ValueError(
                    f"{measure.name} needs against: the configuration that has no such saving"
                )
        elif self.against is not None and kind is not LimitKind.REGRESSION:
            saving = next(
                (m for m in MEASURES.values() if m.saving and m.unit == measure.unit), None
            )
            other = f", or a saving ({saving.name})" if saving is not None else ""
            raise ValueError(f"against goes with a regression{other}, not with {kind}")
        if kind is LimitKind.REGRESSION and bound <= 0:
            raise ValueError("regression: 0 % or less can never be shown to be kept")
        if measure.unit == "1" and kind is not LimitKind.REGRESSION and not 0 <= bound <= 1:
            raise ValueError(f"{kind}: {text} is not between 0 % and 100 %")
        if measure.better is Better.HIGHER and kind is LimitKind.MAX and measure.unit == "1":
            raise ValueError(f"{measure.name} has a min: more of it is better")
        if self.against is not None and self.against == self.configuration:
            raise ValueError(f"against: {self.against} is the configuration itself")
        return Limit(
            measure=measure,
            kind=kind,
            bound=bound,
            configuration=self.configuration,
            against=self.against,
        )


def _as_tuple(value: Any) -> Any:
    if isinstance(value, Mapping | LimitDescription):
        return (value,)
    return value


Limits = Annotated[tuple[LimitDescription, ...], BeforeValidator(_as_tuple), Field(max_length=64)]
"""One limit, or a list of them."""


class LimitsDescription(BaseModel):
    """The limits of a campaign, by the measure that they are about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_median: Limits = ()
    """Half of all messages are answered within it."""
    latency_p95: Limits = ()
    """95 of 100 messages are answered within it."""
    latency_p99: Limits = ()
    """99 of 100 messages are answered within it."""
    delivery: Limits = ()
    """The share of messages that are answered, in percent."""
    uplink_bytes: Limits = ()
    """Mean size of the outer IP packet of an uplink message."""
    header_bytes: Limits = ()
    """The same without the application's bytes."""
    downlink_bytes: Limits = ()
    """Mean size of the outer IP packet of an answer."""
    energy: Limits = ()
    """Mean energy of a message."""
    energy_median: Limits = ()
    """Half of all messages cost no more."""
    saved_bytes: Limits = ()
    """Header bytes of an uplink message less than those of ``against``."""
    saved_latency: Limits = ()
    """Median latency less than that of ``against``."""
    saved_energy: Limits = ()
    """Mean energy of a message less than that of ``against``."""

    @field_validator("*", mode="after")
    @classmethod
    def _units_fit(
        cls, value: tuple[LimitDescription, ...], info: ValidationInfo
    ) -> tuple[LimitDescription, ...]:
        assert info.field_name is not None
        for description in value:
            _ = description.resolve(MEASURES[info.field_name])
        return value

    def limits(self) -> tuple[Limit, ...]:
        """The limits, in the order of the table of measures."""
        return tuple(
            description.resolve(measure)
            for name, measure in MEASURES.items()
            for description in getattr(self, name)
        )

    def check_configurations(self, names: tuple[str, ...]) -> None:
        """Every configuration that a limit names is there.

        Args:
            names: of the campaign's configurations.

        Raises:
            ValueError: one is not; says which are.
        """
        for limit in self.limits():
            for name in (limit.configuration, limit.against):
                if name is not None and name not in names:
                    raise ValueError(
                        f"limits.{limit.measure.name}: there is no configuration {name!r}; "
                        f"there are {', '.join(names)}"
                    )


def regression_limit(name: str, share: float = DEFAULT_REGRESSION) -> Limit:
    """The limit that a measure may be no more than so much worse than its baseline's.

    Args:
        name: of the measure.
        share: 0.05 for 5 %.
    """
    return Limit(measure=MEASURES[name], kind=LimitKind.REGRESSION, bound=share)
