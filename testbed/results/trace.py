"""``trace/*.parquet``: what the module drew from its supply, measured by a meter or modelled.

A file holds *stretches* of the run's clock. Within one, each row's current is drawn until the next
row, or until the stretch ends; between stretches nothing was recorded.

=============  =====================================================================
``at_s``       seconds since the run began
``current_a``  amperes at the supply
``part``       what it was for, where a virtual module knows it: ``setup``, ``tail``
=============  =====================================================================

The file's metadata says ``schema_version``, ``kind`` (``measured`` or ``modelled``), ``source``
(which meter, or which virtual module), ``supply_v``, and ``stretches``: begin and end of each.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from testbed.errors import UsageError
from testbed.results.files import WriteFailed

__all__ = [
    "TRACE_SCHEMA_VERSION",
    "CurrentTrace",
    "CurrentTraces",
    "Stretch",
    "TraceError",
    "write_trace",
]

TRACE_SCHEMA_VERSION: Final = 1
"""Stands in the file's metadata as ``schema_version``."""

_FOLDER = "trace"


class TraceError(UsageError):
    """A file in a run's ``trace`` folder cannot be read.

    Attributes:
        path: the file.

    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(
            f"{path} {message}", hint="Restore it, or take it away: a report does without it."
        )
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of a run whose current was recorded without a gap."""

    begin_s: float
    """Since the run began."""
    end_s: float
    """Likewise; until then the last row's current is drawn."""
    at_s: Sequence[float]
    """Rising, from ``begin_s`` on."""
    current_a: Sequence[float]
    """As many."""
    part: Sequence[str | None]
    """As many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTrace:
    """The current over some time of a run."""

    kind: str
    """``measured`` or ``modelled``."""
    source: str
    """Which meter, or which virtual module."""
    supply_v: float | None
    """Supply voltage, where it is known."""
    begin_s: float
    """Since the run began."""
    end_s: float
    """Likewise; until then the last current is drawn."""
    at_s: NDArray[np.float64]
    """Since the run began, rising from ``begin_s``; each current is drawn until the next one."""
    current_a: NDArray[np.float64]
    """Amperes."""
    part: tuple[str | None, ...]
    """What each was for."""

    @property
    def charge_c(self) -> float:
        """Coulombs over the whole."""
        return float((self.current_a * np.diff(self.at_s, append=self.end_s)).sum())


def write_trace(
    path: Path, stretches: Sequence[Stretch], *, kind: str, source: str, supply_v: float | None
) -> None:
    """Write a file of stretches, whole or not at all; its folder is made.

    Args:
        path: ``trace/NAME.parquet`` in the run directory.
        stretches: in the order of time; none overlaps another.
        kind: ``measured`` or ``modelled``.
        source: which meter with its serial number, or which virtual module.
        supply_v: supply voltage, where it is known.

    Raises:
        WriteFailed: the disk is full or gone.
    """
    import pyarrow
    from pyarrow import parquet

    metadata = {
        "schema_version": str(TRACE_SCHEMA_VERSION),
        "kind": kind,
        "source": source,
        "supply_v": json.dumps(supply_v),
        "stretches": json.dumps([[one.begin_s, one.end_s] for one in stretches]),
    }
    table = pyarrow.table(
        {
            "at_s": pyarrow.array((at for one in stretches for at in one.at_s), pyarrow.float64()),
            "current_a": pyarrow.array(
                (current for one in stretches for current in one.current_a), pyarrow.float64()
            ),
            "part": pyarrow.array(
                (part for one in stretches for part in one.part), pyarrow.string()
            ),
        }
    ).replace_schema_metadata(metadata)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(table, temporary, compression="zstd", row_group_size=100_000)
        temporary.replace(path)
    except OSError as error:
        raise WriteFailed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: Path
    kind: str
    source: str
    supply_v: float | None
    stretches: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTraces:
    """All that a run has recorded of its module's current.

    Args:
        files: see `open`.
    """

    files: tuple[_File, ...] = field(default=())

    @classmethod
    def open(cls, directory: Path) -> CurrentTraces:
        """Read what the files of a run directory say about themselves, not yet their rows.

        Raises:
            TraceError: one of them is no such file, or of another version.
        """
        paths = sorted((directory / _FOLDER).glob("*.parquet"))
        return cls(files=tuple(_described(path) for path in paths if not path.is_symlink()))

    def __bool__(self) -> bool:
        return bool(self.files)

    def covers(self, begin_s: float, end_s: float) -> bool:
        """Whether all of a time was recorded without a gap."""
        return next(self._covering(begin_s, end_s), None) is not None

    def within(self, begin_s: float, end_s: float) -> CurrentTrace | None:
        """The current over a time of the run, or None where it was not recorded without a gap.

        A measured one is taken before a modelled one.

        Raises:
            TraceError: the rows cannot be read.
        """
        found = sorted(self._covering(begin_s, end_s), key=lambda file: file.kind != "measured")
        return _read(found[0], begin_s, end_s) if found else None

    def _covering(self, begin_s: float, end_s: float) -> Iterator[_File]:
        for file in self.files:
            if _stretch(file, begin_s, end_s) is not None:
                yield file


def _stretch(file: _File, begin_s: float, end_s: float) -> tuple[float, float] | None:
    """The stretch that holds all of a time."""
    position = bisect_right(file.stretches, (begin_s, inf)) - 1
    if position >= 0 and end_s <= file.stretches[position][1]:
        return file.stretches[position]
    return None


def _described(path: Path) -> _File:
    import pyarrow
    from pyarrow import parquet

    try:
        metadata = parquet.read_schema(path).metadata or {}
        texts = {name.decode(): value.decode() for name, value in metadata.items()}
        version = texts.get("schema_version")
        if version != str(TRACE_SCHEMA_VERSION):
            raise TraceError(path, f"has schema version {version}, not {TRACE_SCHEMA_VERSION}")
        if texts["kind"] not in ("measured", "modelled"):
            raise TraceError(path, f"is neither measured nor modelled: {texts['kind']!r}")
        return _File(
            path=path,
            kind=texts["kind"],
            source=texts["source"],
            supply_v=json.loads(texts["supply_v"]),
            stretches=tuple(
                sorted((float(begin), float(end)) for begin, end in json.loads(texts["stretches"]))
            ),
        )
    except (OSError, pyarrow.ArrowException, KeyError, TypeError, ValueError) as error:
        raise TraceError(path, f"cannot be read: {error}") from error


def _read(file: _File, begin_s: float, end_s: float) -> CurrentTrace:
    import pyarrow
    from pyarrow import parquet

    first, _ = _stretch(file, begin_s, end_s) or (begin_s, end_s)
    try:
        # Rows before the begin: the last of them says what was drawn then.
        table = parquet.read_table(
            file.path, filters=[("at_s", ">=", first), ("at_s", "<=", end_s)]
        )
        at_s = table.column("at_s").to_numpy()
        current_a = table.column("current_a").to_numpy()
        parts = table.column("part").to_pylist()
    except (OSError, pyarrow.ArrowException, KeyError, ValueError) as error:
        raise TraceError(file.path, f"cannot be read: {error}") from error
    start = max(int(np.searchsorted(at_s, begin_s, side="right")) - 1, 0)
    return CurrentTrace(
        kind=file.kind,
        source=file.source,
        supply_v=file.supply_v,
        begin_s=begin_s,
        end_s=end_s,
        at_s=np.maximum(at_s[start:], begin_s),
        current_a=current_a[start:],
        part=tuple(parts[start:]),
    )
