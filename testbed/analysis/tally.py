"""The running sums of one configuration, or of one cell of a campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, attrgetter

from testbed.analysis.air import AirTally
from testbed.analysis.bytes import LayerBytes, LayerTally
from testbed.analysis.latency import computing_time, summarise_latency
from testbed.analysis.rows import (
    ConfigurationRow,
    EnergyMeans,
    PacketSummary,
    SessionSummary,
)
from testbed.analysis.waterfall import StageTally
from testbed.results.records import (
    EnergyRecord,
    FeedbackRecord,
    KeepaliveRecord,
    MessageRecord,
    Outcome,
    SessionRecord,
    SetupRecord,
)

__all__ = ["Tally", "by_frequency"]

_ENERGY_PARTS = ("setup_j", "transmit_j", "receive_j", "tail_j", "sleep_j", "total_j")
_energy_parts = attrgetter(*_ENERGY_PARTS)


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
        self.sums = [*map(add, self.sums, _energy_parts(energy))]
        self.low_j = _sum(self.low_j, energy.low_j)
        self.high_j = _sum(self.high_j, energy.high_j)
        if energy.assumed:
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
            assumed=by_frequency(self.assumed),
            **{name: total / number for name, total in parts},
        )


@dataclass(slots=True)
class Tally:
    """The running sums of one configuration, or of one cell of a campaign.

    Args:
        configuration: its name.
        cell: the cell's name; none for the whole configuration.
    """

    configuration: str
    cell: str | None = None
    security: str = ""
    compression: str = ""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    packets: Counter[str] = field(default_factory=Counter)
    answered_s: list[float] = field(default_factory=list)
    censored_at_s: list[float | None] = field(default_factory=list)
    computing_s: float = 0.0
    computed: int = 0
    blocks: set[int] = field(default_factory=set)
    warm_up: int = 0
    stages: StageTally = field(default_factory=StageTally)
    air: AirTally = field(default_factory=AirTally)
    setups: list[SetupRecord] = field(default_factory=list)
    first_uplink: LayerBytes | None = None
    later_uplink: LayerTally = field(default_factory=LayerTally)
    downlink: LayerTally = field(default_factory=LayerTally)
    sessions: list[SessionRecord] = field(default_factory=list)
    feedback: list[FeedbackRecord] = field(default_factory=list)
    keepalives: list[KeepaliveRecord] = field(default_factory=list)
    energy: dict[tuple[str, str], _EnergyTally] = field(default_factory=dict)
    energy_answered: dict[tuple[str, str], _EnergyTally] = field(default_factory=dict)

    def add_message(
        self,
        record: MessageRecord,
        timeout_s: float | None,
        virtual: bool,
        outer: tuple[int, int] | None,
    ) -> None:
        """Take a message.

        Args:
            record: of the journal.
            timeout_s: what a message without an answer is censored at.
            virtual: work took no time.
            outer: modelled octets of its outer headers under the network's ROHC, if it was sent.
        """
        self.security, self.compression = record.security, record.compression
        if record.block is not None:
            self.blocks.add(record.block)
        if record.warm_up:
            self.warm_up += 1
            return
        self.stages.add(record.stages_s, record.latency_s)
        if outer is not None and record.uplink_bytes is not None:
            self.air.add(record.uplink_bytes.total, outer)
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
        """What they come to."""
        return ConfigurationRow(
            configuration=self.configuration,
            security=self.security,
            compression=self.compression,
            messages=self.outcomes.total(),
            answered=self.outcomes[Outcome.ANSWERED],
            lost=self.outcomes[Outcome.LOST],
            failed=self.outcomes[Outcome.FAILED],
            reasons=by_frequency(self.reasons),
            latency=summarise_latency(self.answered_s, self.censored_at_s),
            computing_s=self.computing_s / self.computed if self.computed else None,
            uplink=self.later_uplink.means(*([self.first_uplink] if self.first_uplink else [])),
            later_uplink=self.later_uplink.means(),
            first_uplink=self.first_uplink,
            downlink=self.downlink.means(),
            session=_session(self.sessions),
            feedback=_packets(
                [record.uplink_bytes for record in self.feedback],
                [record.downlink_bytes for record in self.feedback],
                [record.energy for record in self.feedback],
            ),
            keepalives=_packets(
                [record.uplink_bytes for record in self.keepalives],
                [],
                [record.energy for record in self.keepalives],
            ),
            energy=_energy(self.energy),
            energy_answered=_energy(self.energy_answered),
            uplink_packets=by_frequency(self.packets),
            cell=self.cell,
            blocks=len(self.blocks) or None,
            warm_up=self.warm_up,
            stages=self.stages.summary(),
            air=self.air.means(),
            setups=len(self.setups),
            setups_s=sum(record.duration_s for record in self.setups),
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
        key_agreement=next((one.key_agreement for one in records if one.key_agreement), None),
        first=next((_sizes(record) for record in keyed if record.messages), ()),
        usim=tuple(sorted({record.usim for record in records if record.usim is not None})),
        usim_s=_mean([record.usim_s for record in keyed if record.usim_s is not None]),
        resynchronisations=sum(record.resynchronisations or 0 for record in records),
        failures=dict(Counter(record.failure for record in records if record.failure)),
        **_messages(records),
    )


def _sizes(record: SessionRecord) -> tuple[tuple[str, int], ...]:
    return tuple((one["type"], one["bytes"]) for one in record.messages or ())


def _messages(records: Sequence[SessionRecord]) -> dict[str, int]:
    """How many messages there were, and their octets, by direction."""
    found: Counter[str] = Counter()
    for record in records:
        for one in record.messages or ():
            found[f"messages_{one['way']}"] += 1
            found[f"message_bytes_{one['way']}"] += one["bytes"]
    return dict(found)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _mean_setup(records: Sequence[SessionRecord]) -> float | None:
    return sum(record.setup_s for record in records) / len(records) if records else None


def _joules(records: Sequence[SessionRecord]) -> float | None:
    energy = [record.energy.total_j for record in records if record.energy is not None]
    return sum(energy) if energy else None


def _packets(
    uplink: Sequence[LayerBytes | None],
    downlink: Sequence[LayerBytes | None],
    energies: Sequence[EnergyRecord | None],
) -> PacketSummary | None:
    up = [layers.total for layers in uplink if layers is not None]
    down = [layers.total for layers in downlink if layers is not None]
    energy = [one for one in energies if one is not None]
    if not up and not down:
        return None
    return PacketSummary(
        packets_up=len(up),
        packets_down=len(down),
        bytes_up=sum(up),
        bytes_down=sum(down),
        energy_j=sum(one.total_j for one in energy) if energy else None,
        energy_kind=energy[0].kind if energy else None,
    )


def _sum(one: float | None, other: float | None) -> float | None:
    """The sum, unless one is not known: then neither is the sum."""
    return None if one is None or other is None else one + other


def by_frequency(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    """Counts in the order of their frequency, equal ones by name."""
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
