"""From journal records to one row per configuration: the table, the report and ``--json`` read it.

Nothing is left out silently: a lost or failed message counts in the latency quantiles, and a run
without its end, or with a torn last line, is summarised and marked.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from testbed.analysis.air import SocketFlow
from testbed.analysis.rows import ConfigurationRow, RohcSaving, RunSummary
from testbed.analysis.tally import Tally
from testbed.clock import TimeKind
from testbed.results.directory import RunDirectory
from testbed.results.journal import JournalReader
from testbed.results.records import (
    EndRecord,
    FaultRecord,
    FeedbackRecord,
    KeepaliveRecord,
    MessageRecord,
    Record,
    ResumedRecord,
    RunRecord,
    RunStatus,
    SessionRecord,
    SetupRecord,
    Stage,
)

__all__ = ["Reading", "summarise", "summarise_journal", "summarise_run"]

PLAIN_TUNNEL = "esp-tunnel"
"""The configuration that ROHC's saving is measured against."""


def summarise_run(directory: str | os.PathLike[str]) -> RunSummary:
    """Summarise a run directory, with the notes of its manifest.

    Args:
        directory: the run directory, or a file in it.

    Raises:
        UsageError: it is not a run directory, or its journal or manifest cannot be read.
    """
    run = RunDirectory.open(directory)
    return summarise_journal(run.journal_path, notes=run.read_manifest().notes)


def summarise_journal(path: str | os.PathLike[str], *, notes: Sequence[str] = ()) -> RunSummary:
    """Summarise a journal alone, read line by line.

    Args:
        path: the ``journal.jsonl``.
        notes: see `summarise`.

    Raises:
        JournalError: it is missing, of another format, or changed after the run. A torn last
            line is no error: it is noted.
    """
    reader = JournalReader(path)
    return summarise(reader.typed(), torn=lambda: reader.torn, notes=notes)


def summarise(
    records: Iterable[Record],
    *,
    torn: Callable[[], bool] = lambda: False,
    notes: Sequence[str] = (),
) -> RunSummary:
    """Summarise a journal's records.

    Args:
        records: the records in their order; the first is the run's.
        torn: asked after the last record: whether a line was dropped because the run was
            killed while writing it.
        notes: what the reader of the table must know, for example what a configuration does
            with addresses; they stand before the notes found here.

    Returns:
        One row per configuration. A journal without messages gives no rows, and no error.
    """
    reading = Reading()
    for record in records:
        reading.add(record)
    return reading.summary(torn(), notes)


class Reading:
    """A journal on its way to a summary."""

    def __init__(self) -> None:
        self._run: RunRecord | None = None
        self._end: EndRecord | None = None
        self._timeout_s: float | None = None
        self._virtual = False
        self._configurations: dict[str, Tally] = {}
        self._cells: dict[str, Tally] = {}
        self._flows: defaultdict[str, SocketFlow] = defaultdict(SocketFlow)
        self._faults: list[FaultRecord] = []
        self._resumed = 0

    def add(self, record: Record) -> None:
        """Take the next record."""
        match record:
            case MessageRecord():
                outer = self._outer(record)
                for tally in self._tallies(record.configuration, record.cell):
                    tally.add_message(record, self._timeout_s, self._virtual, outer)
            case SessionRecord():
                for tally in self._tallies(record.configuration, record.cell):
                    tally.sessions.append(record)
            case FeedbackRecord():
                for tally in self._tallies(record.configuration, record.cell):
                    tally.feedback.append(record)
            case KeepaliveRecord():
                for tally in self._tallies(record.configuration, record.cell):
                    tally.keepalives.append(record)
            case SetupRecord():
                if record.cell in self._cells:
                    self._cells[record.cell].setups.append(record)
            case FaultRecord():
                self._faults.append(record)
            case RunRecord():
                self._begin(record)
            case ResumedRecord():
                self._resumed = record.part
                self._end = None
                self._flows.clear()  # new sockets: new flows
            case EndRecord():
                self._end = record

    def _begin(self, run: RunRecord) -> None:
        self._run = run
        self._timeout_s = _timeout(run.settings)
        self._virtual = run.time == TimeKind.VIRTUAL  # where work takes no time
        for cell in run.cells or ():
            self._cells[cell["name"]] = Tally(cell["configuration"], cell["name"])

    def _tallies(self, configuration: str, cell: str | None) -> Iterator[Tally]:
        found = self._configurations.get(configuration)
        if found is None:
            found = self._configurations[configuration] = Tally(configuration)
        yield found
        if cell is not None:
            if cell not in self._cells:
                self._cells[cell] = Tally(configuration, cell)
            yield self._cells[cell]

    def _outer(self, record: MessageRecord) -> tuple[int, int] | None:
        """Modelled octets of a sent message's outer headers under the network's ROHC."""
        if record.uplink_bytes is None or Stage.AT_WRITTEN not in record.stages_s:
            return None
        if not record.uplink_bytes.outer_ip:
            return 0, 0  # non-IP data: there are none
        return self._flows[record.configuration].uplink(
            record.uplink_bytes.total, new_connection=Stage.RRC_CONNECTED in record.stages_s
        )

    def summary(self, torn: bool, notes: Sequence[str]) -> RunSummary:
        """What was read."""
        run = self._run or RunRecord()
        end = self._end
        rows = tuple(tally.row() for tally in _in_order(self._configurations, run.configurations))
        complete = end is not None and end.status is RunStatus.COMPLETE
        return RunSummary(
            status=(RunStatus.COMPLETE if complete else RunStatus.INTERRUPTED).value,
            rows=rows,
            rohc_saving=_rohc_saving(rows),
            notes=(*notes, *_notes(rows, run, end, torn, self._resumed)),
            run=run,
            faults=tuple(self._faults),
            cells=tuple(tally.row() for tally in self._cells.values()),
            stopped=None if end is None else end.stopped,
        )


_STOPPED = {
    "precise-enough": "every cell's figure is known as well as was wanted",
    "budget-time": "its budget of time is used up",
    "budget-energy": "its budget of energy is used up",
    "budget-messages": "its budget of messages is used up",
}

NOTABLE_COMPUTING = 0.05
"""Computing that takes more than this share of the median latency is noted."""


def _in_order(tallies: Mapping[str, Tally], names: Sequence[str]) -> list[Tally]:
    """As the run names its configurations; those it does not name follow as they appeared."""
    ordered = [tallies[name] for name in names if name in tallies]
    return ordered + [tally for name, tally in tallies.items() if name not in names]


def _notes(
    rows: Sequence[ConfigurationRow],
    run: RunRecord,
    end: EndRecord | None,
    torn: bool,
    resumed: int,
) -> Iterable[str]:
    messages = sum(row.messages + row.warm_up for row in rows)
    planned = run.messages * len(run.cells or run.configurations)
    progress = f"{messages} of {planned} messages" if planned else f"{messages} messages"
    if end is None:
        yield f"No end record: the run was killed, or still runs. The journal has {progress}."
    elif end.status is not RunStatus.COMPLETE:
        yield f"The run was interrupted after {progress}."
    elif end.stopped is not None:
        yield f"The campaign ended after {progress}: {_STOPPED.get(end.stopped, end.stopped)}."
    if resumed:
        times = "once" if resumed == 1 else f"{resumed} times"
        yield f"The run was interrupted and resumed {times}, each time with new sessions."
    warm_up = sum(row.warm_up for row in rows)
    if warm_up:
        yield f"{warm_up} messages only warmed their cells up: they are in no figure."
    if torn:
        yield "The journal's last line was not written whole and is dropped."
    for row in rows:
        if row.unanswered:
            yield (
                f"{row.configuration}: {row.unanswered} of {row.messages} messages got no answer "
                f"({_why(row.reasons)}). They count in the quantiles as slower than the time-out."
            )
        median = row.latency.median
        if (
            row.computing_s is not None
            and median is not None
            and median.value_s is not None
            and row.computing_s > NOTABLE_COMPUTING * median.value_s
        ):
            yield (
                f"{row.configuration}: {row.computing_s:.2f} s of a message's latency are the work "
                "of the computer that ran UE stack and HSE, not the module's or the network's."
            )
        if len(row.energy) > 1:
            yield (
                f"{row.configuration}: its energy comes from {len(row.energy)} meters or models, "
                "which are not mixed; the table shows the first."
            )


def _why(reasons: Sequence[tuple[str, int]], shown: int = 3) -> str:
    """The most frequent reasons with their counts, the others as one number."""
    text = ", ".join(f"{reason}: {count}" for reason, count in reasons[:shown])
    others = sum(count for _, count in reasons[shown:])
    return f"{text} and {others} others" if others else text


def _rohc_saving(rows: Sequence[ConfigurationRow]) -> RohcSaving | None:
    """What ROHC saves in the tunnel: with the default suite, or else the first that has both."""
    found = {row.configuration: row for row in rows}
    names = (PLAIN_TUNNEL, *(name for name in found if name.startswith(f"{PLAIN_TUNNEL}/")))
    name = next((name for name in names if name in found and f"rohc+{name}" in found), None)
    if name is None:
        return None
    without, compressed = found[name], found[f"rohc+{name}"]
    if without.first_uplink is None or compressed.first_uplink is None:
        return None
    downlink = None
    if without.downlink.packets and compressed.downlink.packets:
        downlink = without.downlink.header - compressed.downlink.header
    later = None
    if without.later_uplink.packets and compressed.later_uplink.packets:
        later = without.later_uplink.header - compressed.later_uplink.header
    saved = without.uplink.header - compressed.uplink.header
    return RohcSaving(
        without=without.configuration,
        compressed=compressed.configuration,
        uplink_bytes=saved,
        later_uplink_bytes=later,
        first_uplink_bytes=without.first_uplink.header - compressed.first_uplink.header,
        downlink_bytes=downlink,
        share_of_packet=saved / without.uplink.total if without.uplink.total else 0.0,
        same_payloads=abs(without.uplink.payload - compressed.uplink.payload) < 0.5,
    )


def _timeout(settings: Mapping[str, object]) -> float | None:
    """How long the run waits for an answer: ``answer_timeout_s`` of the run record's settings."""
    value = settings.get("answer_timeout_s", settings.get("timeout_s"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
