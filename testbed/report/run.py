"""What the report is made from: one run directory, its journal read once.

The journal is read through once for the summary and for the figures in columns; of the few messages
whose stages are drawn it is remembered where their lines begin, and these are read again. So a long
run needs no more memory than its columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from testbed.analysis.answers import Cost, Saving, costs, savings
from testbed.analysis.comparison import ComparisonResult, compare, obstacles
from testbed.analysis.limits import LimitKind, LimitsDescription
from testbed.analysis.measurements import Gathering, Measurements
from testbed.analysis.rows import RunSummary
from testbed.analysis.summary import summarise
from testbed.analysis.verdicts import Grade, Judgement, judge, overall
from testbed.results.directory import RunDirectory
from testbed.results.journal import JournalReader
from testbed.results.manifest import Manifest
from testbed.results.records import MessageRecord, record_from_dict
from testbed.results.trace import CurrentTrace, CurrentTraces

__all__ = ["RawFile", "RunView", "StagedMessage", "load_run"]

UNANSWERED: Final = 3
"""So many unanswered messages of each configuration are drawn."""

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
    """Why this one: ``median``, ``near the median``, ``slowest``, ``lost`` or ``failed``."""
    record: MessageRecord
    """The message."""
    current: CurrentTrace | None = None
    """What the module drew meanwhile, where that was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """All that the page shows."""

    directory: RunDirectory
    """Where the run lies."""
    name: str
    """The run's name: that of its directory."""
    summary: RunSummary
    """One row per configuration."""
    manifest: Manifest
    """What the run was."""
    measurements: Measurements
    """The messages in columns."""
    judgements: tuple[Judgement, ...]
    """What became of the limits in the run's own description."""
    costs: tuple[Cost, ...]
    """What security costs."""
    savings: tuple[Saving, ...]
    """What compression saves."""
    comparison: ComparisonResult | None
    """The run held against a baseline, where one was given."""
    staged: tuple[StagedMessage, ...]
    """Per configuration a median message, the slowest one, and some without an answer."""
    files: tuple[RawFile, ...]
    """The directory's files, the page itself left out."""

    @property
    def grade(self) -> Grade:
        """The worst of the judgements."""
        return overall(judgement.grade for judgement in self.judgements)


def load_run(directory: Path, *, baseline: Measurements | None = None) -> RunView:
    """Read a run directory, and judge what was read.

    Args:
        directory: the run directory, or a file in it.
        baseline: what regressions are held against; none: they are not judged.

    Raises:
        UsageError: it is not a run directory, or its journal or manifest cannot be read.
    """
    run = RunDirectory.open(directory)
    manifest = run.read_manifest()
    reader = run.journal()
    reading = _Reading(reader, run.name, manifest)
    summary = summarise(reader.typed(reading.take), torn=lambda: reader.torn, notes=manifest.notes)
    measurements = reading.gathering.measurements()
    campaign = manifest.config.get("campaign") or {}
    limits = LimitsDescription.model_validate(campaign.get("limits") or {}).limits()
    problems = () if baseline is None else tuple(obstacles(baseline, measurements))
    regressions = [
        limit for limit in limits if limit.kind is LimitKind.REGRESSION and limit.against is None
    ]
    return RunView(
        directory=run,
        name=run.name,
        summary=summary,
        manifest=manifest,
        measurements=measurements,
        judgements=judge(measurements, limits, baseline=baseline, problems=problems),
        costs=costs(measurements),
        savings=savings(measurements),
        comparison=None if baseline is None else compare(baseline, measurements, regressions),
        staged=tuple(reading.staged(summary, CurrentTraces.open(run.path))),
        files=tuple(_files(run.path)),
    )


class _Reading:
    """What is kept of a journal's lines while they are read."""

    def __init__(self, reader: JournalReader, name: str, manifest: Manifest) -> None:
        self._reader = reader
        self.gathering = Gathering(name=name, manifest=manifest.to_dict())
        self._answered: dict[str, list[tuple[float, int, float, float]]] = {}
        self._unanswered: dict[str, list[int]] = {}

    def take(self, plain: Mapping[str, Any]) -> None:
        """Take the next line."""
        self.gathering.add(plain)
        if plain.get("kind") != MessageRecord.kind or plain.get("warm_up"):
            return
        name, latency_s = plain["configuration"], plain.get("latency_s")
        begins = self._reader.line_begins
        if latency_s is None:
            found = self._unanswered.setdefault(name, [])
            if len(found) < UNANSWERED:
                found.append(begins)
            return
        submitted_s = plain.get("submitted_at_s", 0.0)
        until_s = submitted_s + max(plain.get("stages_s", {}).values(), default=0.0)
        self._answered.setdefault(name, []).append((latency_s, begins, submitted_s, until_s))

    def staged(self, summary: RunSummary, traces: CurrentTraces) -> Iterator[StagedMessage]:
        """The messages to draw, those of the last configuration first: it has the most stages."""
        for row in reversed(summary.rows):
            answered = sorted(self._answered.get(row.configuration, ()))
            if answered:
                median_s = answered[(len(answered) - 1) // 2][0]
                known = [one for one in answered if traces.covers(*one[2:])] if traces else []
                median = min(known or answered, key=lambda one: (abs(one[0] - median_s), one[1]))
                why = "median" if median[0] == median_s else "near the median"
                yield self._again(why, median[1], traces)
                if answered[-1] != median:
                    yield self._again("slowest", answered[-1][1], traces)
            for begins in self._unanswered.get(row.configuration, ()):
                yield self._again("", begins, traces)

    def _again(self, why: str, begins: int, traces: CurrentTraces) -> StagedMessage:
        record = record_from_dict(self._reader.at(begins))
        assert isinstance(record, MessageRecord)
        from_s = record.submitted_at_s
        until_s = from_s + max(record.stages_s.values(), default=0.0)
        return StagedMessage(
            why=why or record.outcome.value,
            record=record,
            current=traces.within(from_s, until_s) if until_s > from_s else None,
        )


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
