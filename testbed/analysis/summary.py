"""From journal records to one row per configuration: the table, the report and ``--json`` read it.

Nothing is left out silently: a lost or failed message counts in the latency quantiles, and a run
without its end, or with a torn last line, is summarised and marked.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from testbed.analysis.bytes import LayerBytes, LayerTally
from testbed.analysis.latency import computing_time, summarise_latency
from testbed.analysis.rows import (
    ConfigurationRow,
    EnergyMeans,
    FeedbackSummary,
    RohcSaving,
    RunSummary,
    SessionSummary,
)
from testbed.clock import TimeKind
from testbed.results.directory import RunDirectory
from testbed.results.journal import JournalReader
from testbed.results.records import (
    EndRecord,
    EnergyRecord,
    FaultRecord,
    FeedbackRecord,
    MessageRecord,
    Outcome,
    Record,
    RunRecord,
    RunStatus,
    SessionRecord,
)

__all__ = ["summarise", "summarise_journal", "summarise_run"]

PLAIN_TUNNEL = "esp-tunnel"
"""The configuration that ROHC's saving is measured against."""

_ENERGY_PARTS = ("setup_j", "transmit_j", "receive_j", "tail_j", "sleep_j", "total_j")


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
    run: RunRecord | None = None
    end: EndRecord | None = None
    timeout_s: float | None = None
    virtual = False
    tallies: dict[str, _Tally] = {}
    faults: list[FaultRecord] = []
    for record in records:
        match record:
            case MessageRecord(configuration=name):
                tallies.setdefault(name, _Tally(name)).add_message(record, timeout_s, virtual)
            case SessionRecord(configuration=name):
                tallies.setdefault(name, _Tally(name)).add_session(record)
            case FeedbackRecord(configuration=name):
                tallies.setdefault(name, _Tally(name)).feedback.append(record)
            case FaultRecord():
                faults.append(record)
            case RunRecord():
                run = run or record
                timeout_s = _timeout(record.settings)
                virtual = record.time == TimeKind.VIRTUAL  # where work takes no time
            case EndRecord():
                end = record
    if run is None:
        run = RunRecord()
    rows = tuple(tally.row() for tally in _in_order(tallies, run.configurations))
    complete = end is not None and end.status is RunStatus.COMPLETE
    return RunSummary(
        status=(RunStatus.COMPLETE if complete else RunStatus.INTERRUPTED).value,
        rows=rows,
        rohc_saving=_rohc_saving(rows),
        notes=(*notes, *_notes(rows, run, end, torn())),
        run=run,
        faults=tuple(faults),
    )


NOTABLE_COMPUTING = 0.05
"""Computing that takes more than this share of the median latency is noted."""


@dataclass(slots=True)
class _EnergyTally:
    """The running sums of one meter's or model's figures."""

    messages: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * len(_ENERGY_PARTS))
    low_j: float | None = 0.0
    high_j: float | None = 0.0
    assumed: Counter[str] = field(default_factory=Counter)

    def add(self, energy: EnergyRecord) -> None:
        self.messages += 1
        for position, name in enumerate(_ENERGY_PARTS):
            self.sums[position] += getattr(energy, name)
        self.low_j = _sum(self.low_j, energy.low_j)
        self.high_j = _sum(self.high_j, energy.high_j)
        self.assumed.update(energy.assumed)

    def means(self, kind: str, model: str) -> EnergyMeans:
        number = self.messages
        parts = zip(_ENERGY_PARTS, self.sums, strict=True)
        return EnergyMeans(
            kind=kind,
            model=model,
            messages=number,
            low_j=None if self.low_j is None else self.low_j / number,
            high_j=None if self.high_j is None else self.high_j / number,
            assumed=_by_frequency(self.assumed),
            **{name: total / number for name, total in parts},
        )


@dataclass(slots=True)
class _Tally:
    """The running sums of one configuration."""

    configuration: str
    security: str = ""
    compression: str = ""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    packets: Counter[str] = field(default_factory=Counter)
    answered_s: list[float] = field(default_factory=list)
    censored_at_s: list[float | None] = field(default_factory=list)
    computing_s: float = 0.0
    computed: int = 0
    first_uplink: LayerBytes | None = None
    later_uplink: LayerTally = field(default_factory=LayerTally)
    downlink: LayerTally = field(default_factory=LayerTally)
    sessions: list[SessionRecord] = field(default_factory=list)
    feedback: list[FeedbackRecord] = field(default_factory=list)
    energy: dict[tuple[str, str], _EnergyTally] = field(default_factory=dict)
    energy_answered: dict[tuple[str, str], _EnergyTally] = field(default_factory=dict)

    def add_session(self, record: SessionRecord) -> None:
        self.sessions.append(record)

    def add_message(self, record: MessageRecord, timeout_s: float | None, virtual: bool) -> None:
        self.security, self.compression = record.security, record.compression
        self.outcomes[record.outcome] += 1
        if record.latency_s is not None:
            self.answered_s.append(record.latency_s)
            computing_s = None if virtual else computing_time(record.stages_s)
            if computing_s is not None:
                self.computing_s += computing_s
                self.computed += 1
        else:
            self.censored_at_s.append(timeout_s)
            self.reasons[record.reason or record.outcome.value] += 1
        if record.uplink_bytes is not None:
            if self.first_uplink is None:
                self.first_uplink = record.uplink_bytes
            else:
                self.later_uplink.add(record.uplink_bytes)
        if record.downlink_bytes is not None:
            self.downlink.add(record.downlink_bytes)
        if record.uplink_packet is not None:
            self.packets[record.uplink_packet] += 1
        if record.energy is not None:
            source = (record.energy.kind, record.energy.model)
            self.energy.setdefault(source, _EnergyTally()).add(record.energy)
            if record.outcome is Outcome.ANSWERED:
                self.energy_answered.setdefault(source, _EnergyTally()).add(record.energy)

    def row(self) -> ConfigurationRow:
        return ConfigurationRow(
            configuration=self.configuration,
            security=self.security,
            compression=self.compression,
            messages=self.outcomes.total(),
            answered=self.outcomes[Outcome.ANSWERED],
            lost=self.outcomes[Outcome.LOST],
            failed=self.outcomes[Outcome.FAILED],
            reasons=_by_frequency(self.reasons),
            latency=summarise_latency(self.answered_s, self.censored_at_s),
            computing_s=self.computing_s / self.computed if self.computed else None,
            uplink=self.later_uplink.means(*([self.first_uplink] if self.first_uplink else [])),
            later_uplink=self.later_uplink.means(),
            first_uplink=self.first_uplink,
            downlink=self.downlink.means(),
            session=_session(self.sessions),
            feedback=_feedback(self.feedback),
            energy=_energy(self.energy),
            energy_answered=_energy(self.energy_answered),
            uplink_packets=_by_frequency(self.packets),
        )


def _energy(tallies: Mapping[tuple[str, str], _EnergyTally]) -> tuple[EnergyMeans, ...]:
    return tuple(tally.means(kind, model) for (kind, model), tally in tallies.items())


def _session(records: Sequence[SessionRecord]) -> SessionSummary | None:
    if not records:
        return None
    keyed = [record for record in records if record.failure is None]
    rekeyings = [record for record in records if record.reason is not None]
    kinds = [record.energy.kind for record in records if record.energy is not None]
    return SessionSummary(
        sessions=len(keyed),
        attempts=sum(record.attempts for record in records),
        bytes_up=sum(record.bytes_up for record in records),
        bytes_down=sum(record.bytes_down for record in records),
        setup_s=_mean_setup(keyed),
        rekeyings=sum(1 for record in rekeyings if record.failure is None),
        rekey_reasons=dict(Counter(record.reason for record in rekeyings if record.reason)),
        rekey_bytes_up=sum(record.bytes_up for record in rekeyings),
        rekey_bytes_down=sum(record.bytes_down for record in rekeyings),
        rekey_s=_mean_setup([record for record in rekeyings if record.failure is None]),
        rekey_energy_j=_joules(rekeyings),
        failed=len(records) - len(keyed),
        energy_j=_joules(records),
        energy_kind=kinds[0] if kinds else None,
    )


def _mean_setup(records: Sequence[SessionRecord]) -> float | None:
    return sum(record.setup_s for record in records) / len(records) if records else None


def _joules(records: Sequence[SessionRecord]) -> float | None:
    energy = [record.energy.total_j for record in records if record.energy is not None]
    return sum(energy) if energy else None


def _feedback(records: Sequence[FeedbackRecord]) -> FeedbackSummary | None:
    if not records:
        return None
    up = [record.uplink_bytes.total for record in records if record.uplink_bytes]
    down = [record.downlink_bytes.total for record in records if record.downlink_bytes]
    energy = [record.energy for record in records if record.energy]
    return FeedbackSummary(
        packets_up=len(up),
        packets_down=len(down),
        bytes_up=sum(up),
        bytes_down=sum(down),
        energy_j=sum(one.total_j for one in energy) if energy else None,
        energy_kind=energy[0].kind if energy else None,
    )


def _in_order(tallies: Mapping[str, _Tally], names: Sequence[str]) -> list[_Tally]:
    """As the run names its configurations; those it does not name follow as they appeared."""
    ordered = [tallies[name] for name in names if name in tallies]
    return ordered + [tally for name, tally in tallies.items() if name not in names]


def _notes(
    rows: Sequence[ConfigurationRow], run: RunRecord, end: EndRecord | None, torn: bool
) -> Iterable[str]:
    messages = sum(row.messages for row in rows)
    planned = run.messages * len(run.configurations)
    progress = f"{messages} of {planned} messages" if planned else f"{messages} messages"
    if end is None:
        yield f"No end record: the run was killed, or still runs. The journal has {progress}."
    elif end.status is not RunStatus.COMPLETE:
        yield f"The run was interrupted after {progress}."
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


def _sum(one: float | None, other: float | None) -> float | None:
    """The sum, unless one is not known: then neither is the sum."""
    return None if one is None or other is None else one + other


def _timeout(settings: Mapping[str, object]) -> float | None:
    """How long the run waits for an answer: ``answer_timeout_s`` of the run record's settings."""
    value = settings.get("answer_timeout_s", settings.get("timeout_s"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _by_frequency(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
