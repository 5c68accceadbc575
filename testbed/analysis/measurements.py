"""The values of a run in columns: what statistics, limits and comparisons work on.

A run directory gives them, and so does a saved baseline, in the same form. A message without a
value in a column has NaN there: none was measured. What never is mixed is kept apart here: energy
by its kind and model, real and virtual modules by the origin of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from testbed.analysis.bytes import LAYERS, Layer

__all__ = ["UNKNOWN", "Arm", "Conditions", "Gathering", "Measurements"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNKNOWN: Final = -1
"""In a column of whole numbers: not known."""

_NAN: Final = math.nan
_DIGITS: Final = 6
_FLOATS: Final = (
    "submitted_at_s",
    "latency_s",
    "uplink_bytes",
    "header_bytes",
    "downlink_bytes",
    "energy_j",
    "rsrp_dbm",
)
_INTS: Final = ("block", "ecl", "cell", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """All messages of one configuration, or cell of a campaign, in the order of time."""

    name: str
    """The configuration's name, or that of a campaign's cell: ``esp-tunnel coverage=1``."""
    configuration: str
    """The configuration's name, such as ``rohc+esp-tunnel``."""
    security: str
    """``none``, ``esp-transport`` or ``esp-tunnel``."""
    compression: str
    """``none`` or ``rohc``."""
    submitted_at_s: Floats
    """Since the run began."""
    latency_s: Floats
    """NaN where no answer came."""
    uplink_bytes: Floats
    """Size of the outer IP packet."""
    header_bytes: Floats
    """The same without the application's bytes."""
    downlink_bytes: Floats
    """Size of the answer's outer IP packet."""
    energy_j: Floats
    """By the source that `source` numbers."""
    rsrp_dbm: Floats
    """In the module's report around the message."""
    block: Ints
    """Number of the randomised block, or `UNKNOWN`."""
    ecl: Ints
    """Coverage enhancement level in the module's report, or `UNKNOWN`."""
    cell: Ints
    """Position in `cells`, or `UNKNOWN`."""
    source: Ints
    """Position in `sources`, or `UNKNOWN`."""
    cells: tuple[str, ...] = ()
    """Identities of the cells that served it."""
    sources: tuple[tuple[str, str], ...] = ()
    """Kind and model of each source of energy figures."""
    factors: Mapping[str, str] = field(default_factory=dict)
    """A campaign's factors with this arm's levels, such as its release assistance."""

    def __len__(self) -> int:
        return len(self.latency_s)

    @property
    def unanswered(self) -> Bools:
        """Messages without an answer: lost, or failed."""
        return np.isnan(self.latency_s)

    @property
    def answered(self) -> Floats:
        """1 for a message with an answer, else 0."""
        return (~self.unanswered).astype(np.float64)

    @property
    def blocked(self) -> bool:
        """Every message was sent in a randomised block."""
        return len(self) > 0 and bool((self.block != UNKNOWN).all())

    def where(self, chosen: Bools) -> Arm:
        """The arm with some of its messages only."""
        columns = {name: getattr(self, name)[chosen] for name in (*_FLOATS, *_INTS)}
        rest = {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.name not in columns
        }
        return Arm(**columns, **rest)

    def to_json(self) -> dict[str, Any]:
        """The arm as a baseline holds it: a list per column, null where there is no value."""
        record: dict[str, Any] = {
            "name": self.name,
            "configuration": self.configuration,
            "security": self.security,
            "compression": self.compression,
            "factors": dict(self.factors),
            "cells": list(self.cells),
            "sources": [list(source) for source in self.sources],
        }
        for name in _FLOATS:
            record[name] = [
                None if math.isnan(value) else round(value, _DIGITS)
                for value in getattr(self, name).tolist()
            ]
        for name in _INTS:
            record[name] = getattr(self, name).tolist()
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        columns: dict[str, Any] = {
            name: np.array(
                [_NAN if value is None else value for value in record[name]], dtype=np.float64
            )
            for name in _FLOATS
        }
        columns |= {name: np.array(record[name], dtype=np.int64) for name in _INTS}
        if len({len(column) for column in columns.values()}) != 1:
            raise ValueError("its columns are of different lengths")
        return cls(
            name=str(record["name"]),
            configuration=str(record["configuration"]),
            security=str(record["security"]),
            compression=str(record["compression"]),
            factors={str(name): str(value) for name, value in record["factors"].items()},
            cells=tuple(str(cell) for cell in record["cells"]),
            sources=tuple((str(kind), str(model)) for kind, model in record["sources"]),
            **columns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under what a run was made: what has to agree before two of them are compared."""

    origin: str = ""
    """``real`` or ``virtual``."""
    module: str | None = None
    """Family and model."""
    firmware: str | None = None
    """As the module says it."""
    supply_v: float | None = None
    """Supply voltage, where it is known."""
    meter: str | None = None
    """The instrument that measured energy, or None."""
    release_assistance: str | None = None
    """What messages told the network, where all of a run said the same."""
    answer_timeout_s: float | None = None
    """How long was waited for an answer."""
    traffic: str | None = None
    """Where the payloads came from."""
    carrier: str = "udp"
    """What carried the packets, where it is no factor: ``udp`` or ``non-ip``."""

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; unknown fields are ignored."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in record.items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """What was measured in one run, or is kept of it as a baseline."""

    name: str
    """The run's or the baseline's name."""
    conditions: Conditions
    """Under what it was made."""
    arms: tuple[Arm, ...]
    """One per configuration or cell, in the order in which the run names them."""
    missing: tuple[str, ...] = ()
    """Arms that the run names and that have no message."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""

    def arm(self, name: str) -> Arm | None:
        """The arm of that name, or None."""
        return next((arm for arm in self.arms if arm.name == name), None)

    def like(self, arm: Arm, configuration: str) -> Arm | None:
        """The arm of that configuration with the same level of every factor, or None."""
        return next(
            (
                other
                for other in self.arms
                if other.configuration == configuration and other.factors == arm.factors
            ),
            None,
        )

    def to_json(self) -> dict[str, Any]:
        """As a baseline holds it."""
        return {
            "name": self.name,
            "conditions": self.conditions.to_json(),
            "arms": [arm.to_json() for arm in self.arms],
            "missing": list(self.missing),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        return cls(
            name=str(record["name"]),
            conditions=Conditions.from_json(record["conditions"]),
            arms=tuple(Arm.from_json(arm) for arm in record["arms"]),
            missing=tuple(str(arm) for arm in record["missing"]),
            notes=tuple(str(note) for note in record["notes"]),
        )

    @classmethod
    def of(
        cls,
        records: Iterable[Mapping[str, Any]],
        *,
        name: str,
        manifest: Mapping[str, Any] | None = None,
    ) -> Measurements:
        """Gather a journal's records, as dictionaries: nothing else of them is kept in memory.

        Args:
            records: in their order, the run's first.
            name: of the run.
            manifest: the run's manifest as a dictionary; without it, less is known of conditions.

        Returns:
            Messages of a warm-up are left out, which a note says; nothing else is.
        """
        gathering = Gathering(name=name, manifest=manifest)
        for record in records:
            gathering.add(record)
        return gathering.measurements()


class Gathering:
    """Measurements while a journal is read, for who reads it for something else as well.

    Args:
        name: see `Measurements.of`.
        manifest: likewise.
    """

    def __init__(self, *, name: str, manifest: Mapping[str, Any] | None = None) -> None:
        self._name = name
        self._manifest = manifest or {}
        self._run: Mapping[str, Any] = {}
        self._columns: dict[str, _Columns] = {}
        self._warm_up = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Take the next record, as a dictionary."""
        kind = record.get("kind")
        if kind == "message":
            if record.get("warm_up"):
                self._warm_up += 1
                return
            arm = str(record.get("cell") or record["configuration"])
            if arm not in self._columns:
                self._columns[arm] = _Columns(record)
            self._columns[arm].add(record)
        elif kind == "run" and not self._run:
            self._run = record

    def measurements(self) -> Measurements:
        """What was gathered."""
        run, columns = self._run, self._columns
        cells = {str(cell["name"]): cell for cell in run.get("cells") or ()}
        named = list(cells) or [str(arm) for arm in run.get("configurations", ())]
        order = [arm for arm in named if arm in columns]
        order += [arm for arm in columns if arm not in named]
        left_out = f"{self._warm_up} messages of the warm-up are left out."
        return Measurements(
            name=self._name,
            conditions=_conditions(run, self._manifest),
            arms=tuple(columns[arm].arm(arm, cells.get(arm, {})) for arm in order),
            missing=tuple(arm for arm in named if arm not in columns),
            notes=(left_out,) if self._warm_up else (),
        )


class _Columns:
    """The columns of an arm while a journal is read."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._first = record
        self._floats: dict[str, list[float]] = {name: [] for name in _FLOATS}
        self._ints: dict[str, list[int]] = {name: [] for name in _INTS}
        self._cells: dict[str, int] = {}
        self._sources: dict[tuple[str, str], int] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        floats, ints = self._floats, self._ints
        radio = record.get("radio") or {}
        floats["submitted_at_s"].append(record.get("submitted_at_s", 0.0))
        floats["latency_s"].append(_number(record.get("latency_s")))
        total, application = _sizes(record.get("uplink_bytes"))
        floats["uplink_bytes"].append(total)
        floats["header_bytes"].append(total - application)
        floats["downlink_bytes"].append(_sizes(record.get("downlink_bytes"))[0])
        floats["rsrp_dbm"].append(_number(radio.get("rsrp_dbm")))
        ints["block"].append(_whole(record.get("block")))
        ints["ecl"].append(_whole(radio.get("ecl")))
        cell = radio.get("cell")
        ints["cell"].append(
            UNKNOWN if cell is None else self._cells.setdefault(str(cell), len(self._cells))
        )
        energy = record.get("energy")
        if energy is None:
            floats["energy_j"].append(_NAN)
            ints["source"].append(UNKNOWN)
        else:
            floats["energy_j"].append(energy["total_j"])
            source = (str(energy["kind"]), str(energy["model"]))
            ints["source"].append(self._sources.setdefault(source, len(self._sources)))

    def arm(self, name: str, cell: Mapping[str, Any]) -> Arm:
        levels = {str(factor): str(level) for factor, level in cell.items()}
        columns: dict[str, Any] = {
            key: np.array(values, dtype=np.float64) for key, values in self._floats.items()
        }
        columns |= {key: np.array(values, dtype=np.int64) for key, values in self._ints.items()}
        return Arm(
            name=name,
            configuration=str(self._first["configuration"]),
            security=str(self._first.get("security", "")),
            compression=str(self._first.get("compression", "")),
            factors={key: levels[key] for key in levels if key not in ("name", "configuration")},
            cells=tuple(self._cells),
            sources=tuple(self._sources),
            **columns,
        )


_APPLICATION: Final = Layer.APPLICATION.value
_LAYER_NAMES: Final = tuple(layer.value for layer in LAYERS)


def _sizes(layers: Mapping[str, int] | None) -> tuple[float, float]:
    """The packet's size and the application's part of it."""
    if layers is None:
        return _NAN, _NAN
    get = layers.get
    return sum([get(name, 0) for name in _LAYER_NAMES]), get(_APPLICATION, 0)


def _number(value: float | None) -> float:
    return _NAN if value is None else value


def _whole(value: int | None) -> int:
    return UNKNOWN if value is None else value


def _conditions(run: Mapping[str, Any], manifest: Mapping[str, Any]) -> Conditions:
    module = manifest.get("module") or {}
    config = manifest.get("config") or {}
    settings = run.get("settings") or {}
    meter = manifest.get("meter")
    names: Sequence[str] = [str(name) for name in (run.get("module"), module.get("model")) if name]
    return Conditions(
        origin=str(run.get("origin", "")),
        module=" ".join(names) or None,
        firmware=module.get("firmware"),
        supply_v=_supply(meter or {}, config),
        meter=None if not meter else str(meter.get("model") or meter.get("name") or meter),
        release_assistance=settings.get("release_assistance"),
        answer_timeout_s=settings.get("answer_timeout_s"),
        traffic=run.get("traffic"),
        carrier=settings.get("carrier", "udp"),
    )


def _supply(meter: Mapping[str, Any], config: Mapping[str, Any]) -> float | None:
    """What the meter was set to, or the virtual module was given."""
    virtual = ((config.get("module") or {}).get("virtual") or {}).get("power") or {}
    for value in (meter.get("voltage_v"), meter.get("supply_v"), virtual.get("voltage_v")):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None
