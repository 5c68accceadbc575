"""What the report is made from: one run directory, read once and a half.

The journal is read through once for the summary and the latencies; then, without decoding all of
each record, once more for the few messages whose stages are drawn. So a long run needs no more
memory than its latencies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.analysis.rows import RunSummary
from testbed.analysis.summary import summarise
from testbed.results.directory import RunDirectory
from testbed.results.journal import JournalReader
from testbed.results.manifest import Manifest
from testbed.results.records import MessageRecord, Record, record_from_dict

__all__ = ["RawFile", "RunView", "StagedMessage", "load_run"]

_PAGE = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """One file of the run directory."""

    name: str
    """Its path within the directory, with slashes."""
    size: int
    """Octets."""
    sha256: str
    """Its digest in hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedMessage:
    """A message whose stages are drawn."""

    why: str
    """Why this one: ``median`` or ``slowest``."""
    record: MessageRecord
    """The message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """All that the page shows."""

    name: str
    """The run's name: that of its directory."""
    summary: RunSummary
    """One row per configuration."""
    manifest: Manifest
    """What the run was."""
    latencies_s: Mapping[str, tuple[float, ...]]
    """Latencies of the answered messages by configuration, in rising order."""
    staged: tuple[StagedMessage, ...]
    """Per configuration the message at the median and the slowest one."""
    files: tuple[RawFile, ...]
    """The directory's files, the page itself left out."""


def load_run(directory: Path) -> RunView:
    """Read a run directory.

    Args:
        directory: the run directory, or a file in it.

    Raises:
        UsageError: it is not a run directory, or its journal or manifest cannot be read.
    """
    run = RunDirectory.open(directory)
    manifest = run.read_manifest()
    reader = run.journal()
    latencies: dict[str, list[tuple[float, int]]] = {}
    summary = summarise(
        _watched(reader.typed(), latencies), torn=lambda: reader.torn, notes=manifest.notes
    )
    for found in latencies.values():
        found.sort()
    return RunView(
        name=run.name,
        summary=summary,
        manifest=manifest,
        latencies_s={
            name: tuple(latency for latency, _ in found) for name, found in latencies.items()
        },
        staged=tuple(_staged(reader, summary, latencies)),
        files=tuple(_files(run.path)),
    )


def _watched(
    records: Iterable[Record], latencies: dict[str, list[tuple[float, int]]]
) -> Iterator[Record]:
    """Pass the records on, and keep what the plots need."""
    for record in records:
        if isinstance(record, MessageRecord):
            found = latencies.setdefault(record.configuration, [])
            if record.latency_s is not None:
                found.append((record.latency_s, record.index))
        yield record


def _staged(
    reader: JournalReader,
    summary: RunSummary,
    latencies: Mapping[str, list[tuple[float, int]]],
) -> Iterator[StagedMessage]:
    """The messages to draw, those of the last configuration first: it has the most stages."""
    wanted: dict[tuple[str, int], str] = {}
    for row in reversed(summary.rows):
        found = latencies.get(row.configuration)
        if not found:
            continue
        wanted[row.configuration, found[(len(found) - 1) // 2][1]] = "median"
        wanted.setdefault((row.configuration, found[-1][1]), "slowest")
    records: dict[tuple[str, int], MessageRecord] = {}
    for plain in reader:
        key = _key(plain)
        if key in wanted and key not in records:
            record = record_from_dict(plain)
            if isinstance(record, MessageRecord):
                records[key] = record
    for key, why in wanted.items():
        if key in records:
            yield StagedMessage(why=why, record=records[key])


def _key(plain: Mapping[str, Any]) -> tuple[str, int]:
    if plain.get("kind") != MessageRecord.kind:
        return "", -1
    return plain.get("configuration", ""), plain.get("index", -1)


def _files(directory: Path) -> Iterator[RawFile]:
    """Regular files below the directory in the order of their names; links are not followed."""
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(directory).as_posix()
        if name == _PAGE or path.name.startswith("."):
            continue
        digest = hashlib.sha256()
        size = 0
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
        yield RawFile(name=name, size=size, sha256=digest.hexdigest())
