"""What all records of a journal share: to and from the dictionary that a line holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Self

from testbed.analysis.bytes import LayerBytes

__all__ = [
    "EnergyRecord",
    "Fields",
    "RecordError",
    "check_not_negative",
    "freeze",
    "to_energy",
    "to_layers",
]


class RecordError(ValueError):
    """A dictionary is not the record that its ``kind`` says it is."""


class Fields:
    """What all records share: to and from the dictionary that a journal's line holds."""

    __slots__ = ()
    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The record as the journal holds it, ``kind`` first, in the order of the fields."""
        record: dict[str, Any] = {"kind": self.kind}
        for entry in fields(self):  # type: ignore[arg-type]
            value = getattr(self, entry.name)
            if (value is None or value is False) and entry.metadata.get("omit_none"):
                continue
            record[entry.name] = _plain(value)
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote; unknown fields are ignored.

        Raises:
            RecordError: another kind, a missing field, or a value out of range.

        """
        if record.get("kind") != cls.kind:
            raise RecordError(f"a {record.get('kind')!r} record where a {cls.kind!r} one belongs")
        known = _names(cls)
        try:
            return cls(**{name: value for name, value in record.items() if name in known})
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise RecordError(f"a {cls.kind!r} record is not as it should be: {error}") from error


_NAMES: dict[type, frozenset[str]] = {}


def _names(record: type) -> frozenset[str]:
    """The names of a record's fields, found out once per kind."""
    names = _NAMES.get(record)
    if names is None:
        names = _NAMES[record] = frozenset(entry.name for entry in fields(record))
    return names


def _plain(value: object) -> object:
    if isinstance(value, EnergyRecord):
        return value.to_dict()
    if isinstance(value, LayerBytes):
        return value.to_json()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRecord:
    """The energy of one message or exchange, split by what the module was doing."""

    kind: str
    """``measured`` (a meter) or ``estimated`` (a model)."""
    model: str
    """Which meter with its serial number, or which model."""
    total_j: float
    """The whole of it, in joules."""
    setup_j: float = 0.0
    """Wake-up, attach and the set-up of the radio connection."""
    transmit_j: float = 0.0
    receive_j: float = 0.0
    tail_j: float = 0.0
    """From the last octet to the release: the network's inactivity timer."""
    sleep_j: float = 0.0
    low_j: float | None = None
    """Lower end of the total, where the model or the meter states one."""
    high_j: float | None = None
    """Upper end of the total."""
    assumed: tuple[str, ...] = ()
    """What a model had to assume because it was not observed."""

    def __post_init__(self) -> None:
        if self.kind not in ("measured", "estimated"):
            raise ValueError(f"energy is measured or estimated, not {self.kind!r}")
        freeze(self, "assumed", tuple(self.assumed))

    def to_dict(self) -> dict[str, Any]:
        """The record as the journal holds it; ends and assumptions only where there are any."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        values["assumed"] = list(self.assumed)
        return {
            name: value
            for name, value in values.items()
            if name not in ("low_j", "high_j", "assumed") or value not in (None, [])
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> EnergyRecord:
        """Read what :meth:`to_dict` wrote; unknown fields are ignored."""
        known = _names(cls)
        return cls(**{name: value for name, value in record.items() if name in known})


def freeze(record: object, name: str, value: object) -> None:
    """Set a field of a frozen record while it is made: what JSON gave becomes what it means."""
    object.__setattr__(record, name, value)


def check_not_negative(record: object, *names: str) -> None:
    """Raise ValueError for the first of a record's fields that is below 0."""
    for name in names:
        if getattr(record, name) < 0:
            raise ValueError(f"{name} is {getattr(record, name)}")


def to_layers(value: LayerBytes | Mapping[str, object] | None) -> LayerBytes | None:
    """The layers that JSON gave, or that are layers already."""
    return LayerBytes.from_json(value) if isinstance(value, Mapping) else value


def to_energy(value: EnergyRecord | Mapping[str, Any] | None) -> EnergyRecord | None:
    """The energy that JSON gave, or that is a record already."""
    return EnergyRecord.from_dict(value) if isinstance(value, Mapping) else value
