"""The rows of the comparison table: what a journal comes to, ready for terminal, page and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from testbed.analysis.air import AirMeans
from testbed.analysis.bytes import LayerBytes, LayerMeans
from testbed.analysis.latency import LatencySummary
from testbed.analysis.waterfall import StageSummary
from testbed.results.records import FaultRecord, RunRecord

__all__ = [
    "ConfigurationRow",
    "EnergyMeans",
    "PacketSummary",
    "RohcSaving",
    "RunSummary",
    "SessionSummary",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyMeans:
    """Mean energy per message by one meter or one model; kinds and models are never mixed."""

    kind: str
    """``measured`` or ``estimated``."""
    model: str
    """Which meter, or which model."""
    messages: int
    """Messages that have such a figure, answered or not."""
    setup_j: float
    """Connection set-up."""
    transmit_j: float
    """Uplink bytes."""
    receive_j: float
    """Waiting for the answer and receiving it."""
    tail_j: float
    """Connected after the last datagram."""
    sleep_j: float
    """Paging and PSM until the next message."""
    total_j: float
    """The whole, as the records have it."""
    low_j: float | None = None
    """Mean lower end of the total; None unless every message states one."""
    high_j: float | None = None
    """Mean upper end of the total; None unless every message states one."""
    assumed: tuple[tuple[str, int], ...] = ()
    """What a model had to assume, with the number of messages, most frequent first."""

    def split(self) -> tuple[tuple[str, float], ...]:
        """State and joules, in the order of time."""
        return (
            ("set-up", self.setup_j),
            ("transmit", self.transmit_j),
            ("receive", self.receive_j),
            ("tail", self.tail_j),
            ("sleep", self.sleep_j),
        )

    def to_json(self) -> dict[str, object]:
        """All fields by name, joules rounded to a microjoule."""
        record: dict[str, object] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            record[entry.name] = round(value, 6) if isinstance(value, float) else value
        record["assumed"] = dict(self.assumed)
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """What setting up the sessions of one configuration cost; messages are not in it."""

    sessions: int
    """How many sessions were set up."""
    attempts: int
    """How many requests that took."""
    bytes_up: int
    """Bytes sent by the UE for all of them, outer headers included."""
    bytes_down: int
    """Bytes received by the UE for all of them, outer headers included."""
    setup_s: float | None
    """Mean duration in seconds of those that gave keys; None when no record gave one."""
    rekeyings: int = 0
    """How many of the sessions replaced an earlier one, since the UE re-keyed by itself."""
    rekey_reasons: Mapping[str, int] = field(default_factory=dict)
    """How many by reason, failed ones included."""
    rekey_bytes_up: int = 0
    """Bytes sent for re-keyings alone, failed ones included."""
    rekey_bytes_down: int = 0
    """Bytes received for them."""
    rekey_s: float | None = None
    """Mean duration of re-keyings that gave keys, in seconds; None when there was none."""
    rekey_energy_j: float | None = None
    """Energy of all re-keyings, failed ones included; None where it is not known."""
    failed: int = 0
    """Key exchanges that the HSE did not answer; not among the sessions."""
    energy_j: float | None = None
    """Energy of all key exchanges; None where it is not known."""
    energy_kind: str | None = None
    """``measured`` or ``estimated``."""
    key_agreement: str | None = None
    """``hello`` or ``aka``; None where the journal does not say."""
    messages_up: int = 0
    """Messages that the UE sent for all of them."""
    messages_down: int = 0
    """Messages that it received."""
    message_bytes_up: int = 0
    """Octets of those that it sent, without lower layers and marker."""
    message_bytes_down: int = 0
    """Octets of those that it received."""
    first: tuple[tuple[str, int], ...] = ()
    """The messages of the first exchange that gave keys: what each is, and its octets."""
    usim: tuple[str, ...] = ()
    """With AKA: how the USIM was reached, ``csim``, ``cgla``, ``soft``; all there were."""
    usim_s: float | None = None
    """With AKA: how long AUTHENTICATE took, mean of the exchanges that gave keys, in seconds."""
    resynchronisations: int = 0
    """With AKA: how often the USIM reported a synchronisation failure."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Why exchanges gave no keys, and how often."""

    def to_json(self) -> dict[str, object]:
        """All fields by name; what concerns re-keying only where there was any."""
        record: dict[str, object] = {
            "sessions": self.sessions,
            "attempts": self.attempts,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "setup_s": None if self.setup_s is None else round(self.setup_s, 6),
        }
        if self.energy_j is not None:
            record |= {"energy_j": round(self.energy_j, 6), "energy_kind": self.energy_kind}
        if self.key_agreement is not None:
            record |= {
                "key_agreement": self.key_agreement,
                "messages_up": self.messages_up,
                "messages_down": self.messages_down,
                "message_bytes_up": self.message_bytes_up,
                "message_bytes_down": self.message_bytes_down,
                "first": [list(one) for one in self.first],
            }
        if self.key_agreement == "aka":
            record |= {
                "usim": list(self.usim),
                "usim_s": None if self.usim_s is None else round(self.usim_s, 6),
                "resynchronisations": self.resynchronisations,
            }
        if self.failures:
            record["failures"] = dict(self.failures)
        if self.rekey_reasons or self.failed:
            record |= {
                "rekeyings": self.rekeyings,
                "rekey_reasons": dict(self.rekey_reasons),
                "rekey_bytes_up": self.rekey_bytes_up,
                "rekey_bytes_down": self.rekey_bytes_down,
                "rekey_s": None if self.rekey_s is None else round(self.rekey_s, 6),
                "rekey_energy_j": (
                    None if self.rekey_energy_j is None else round(self.rekey_energy_j, 6)
                ),
                "failed": self.failed,
            }
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketSummary:
    """What packets cost one configuration that are no messages: feedback alone, keepalives."""

    packets_up: int
    """Packets that the UE sent."""
    packets_down: int
    """Packets that the HSE sent."""
    bytes_up: int
    """Bytes of the UE's, outer headers included."""
    bytes_down: int
    """Bytes of the HSE's, outer headers included."""
    energy_j: float | None
    """What sending cost the module in all; None when no record gave a figure."""
    energy_kind: str | None
    """``measured`` or ``estimated``."""

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        record: dict[str, object] = {
            entry.name: getattr(self, entry.name) for entry in fields(self)
        }
        record["energy_j"] = None if self.energy_j is None else round(self.energy_j, 6)
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRow:
    """One row of the comparison table."""

    configuration: str
    """The configuration's name, such as ``rohc+esp-tunnel``."""
    security: str
    """``none``, ``esp-transport`` or ``esp-tunnel``."""
    compression: str
    """``none`` or ``rohc``."""
    messages: int
    """Messages in the journal: answered, lost and failed."""
    answered: int
    """Messages whose answer was delivered."""
    lost: int
    """Messages sent whose answer did not come before the time-out."""
    failed: int
    """Messages that could not be sent."""
    reasons: tuple[tuple[str, int], ...]
    """Why messages were lost or failed, with counts, most frequent first."""
    latency: LatencySummary
    """Latency with the unanswered messages censored."""
    computing_s: float | None
    """Mean time within the latency in which UE stack and HSE computed; None when not observed.

    It is this computer's, also where the module's time is modelled."""
    uplink: LayerMeans
    """Mean bytes per uplink message, over all messages that were sent."""
    later_uplink: LayerMeans
    """The same without the first message of the configuration."""
    first_uplink: LayerBytes | None
    """The first message: with compression, the one that sets the context up."""
    downlink: LayerMeans
    """Mean bytes per downlink message, over all answers."""
    session: SessionSummary | None
    """What setting sessions up cost; None where there is no session."""
    energy: tuple[EnergyMeans, ...]
    """Mean energy per message, one entry per kind and model: kinds are never mixed."""
    energy_answered: tuple[EnergyMeans, ...] = ()
    """The same over the answered messages alone: a lost one listens until the radio is released,
    which costs more than everything else."""
    feedback: PacketSummary | None = None
    """What ROHC feedback in packets of its own cost; None where there was none."""
    keepalives: PacketSummary | None = None
    """What NAT keepalives cost; None where there was none. One that was sent while an answer was
    awaited is in that message's energy."""
    uplink_packets: tuple[tuple[str, int], ...] = ()
    """ROHC packet types sent, with counts, most frequent first."""
    cell: str | None = None
    """The campaign's cell that the row is of; none: all messages of the configuration."""
    blocks: int | None = None
    """In how many of a campaign's blocks it was; none without a campaign."""
    warm_up: int = 0
    """Messages that only warmed up: in the journal, and in no other figure of this row."""
    stages: StageSummary | None = None
    """Where the messages' time went; none in a row that was made without it."""
    air: AirMeans | None = None
    """Modelled: transport blocks, and outer headers under the network's own ROHC."""
    setups: int = 0
    """How often the module was set up otherwise for the cell."""
    setups_s: float = 0.0
    """What that took, all in all; no message's time."""

    def shown_energy(self, *, answered_only: bool = False) -> EnergyMeans | None:
        """The energy that stands in the table: that of the first meter or model, or None."""
        found = self.energy_answered if answered_only else self.energy
        if not self.energy:
            return None
        source = (self.energy[0].kind, self.energy[0].model)
        return next((means for means in found if (means.kind, means.model) == source), None)

    @property
    def unanswered(self) -> int:
        """Lost and failed messages together."""
        return self.lost + self.failed

    def to_json(self) -> dict[str, object]:
        """All fields by name; bytes by layer with their sums."""
        return {
            "configuration": self.configuration,
            "security": self.security,
            "compression": self.compression,
            "messages": self.messages,
            "answered": self.answered,
            "lost": self.lost,
            "failed": self.failed,
            "reasons": dict(self.reasons),
            "latency": self.latency.to_json(),
            "computing_s": None if self.computing_s is None else round(self.computing_s, 6),
            "uplink_bytes_per_message": _means_json(self.uplink),
            "later_uplink_bytes_per_message": _means_json(self.later_uplink),
            "first_uplink_bytes": _bytes_json(self.first_uplink),
            "downlink_bytes_per_message": _means_json(self.downlink),
            "session": None if self.session is None else self.session.to_json(),
            "feedback": None if self.feedback is None else self.feedback.to_json(),
            "keepalives": None if self.keepalives is None else self.keepalives.to_json(),
            "energy_per_message": [means.to_json() for means in self.energy],
            "energy_per_answered_message": [means.to_json() for means in self.energy_answered],
            "uplink_rohc_packets": dict(self.uplink_packets),
            "stages": None if self.stages is None else self.stages.to_json(),
            "air": None if self.air is None else self.air.to_json(),
            "warm_up": self.warm_up,
        } | self._cell_json()

    def _cell_json(self) -> dict[str, object]:
        if self.blocks is None:
            return {}
        return {
            "cell": self.cell,
            "blocks": self.blocks,
            "setups": self.setups,
            "setups_s": round(self.setups_s, 6),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RohcSaving:
    """What ROHC saves under tunnel ESP, against the same tunnel without it, in header bytes.

    Headers are compared, not whole packets, so that a different mix of payloads cannot pose as a
    saving; padding belongs to the headers, it depends on the payload by up to three bytes.
    """

    without: str
    """The configuration without compression."""
    compressed: str
    """The configuration with compression."""
    uplink_bytes: float
    """Mean header bytes saved per uplink message, the first included."""
    later_uplink_bytes: float | None
    """Mean header bytes saved per uplink message after the first; None when there is none."""
    first_uplink_bytes: int
    """Header bytes saved by the first message: negative, as it carries the whole context."""
    downlink_bytes: float | None
    """Mean header bytes saved per downlink message; None when an answer is missing on one side."""
    share_of_packet: float
    """`uplink_bytes` as a share of the mean packet without compression, 0 to 1."""
    same_payloads: bool
    """Both configurations carried the same mean payload bytes."""

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        downlink = None if self.downlink_bytes is None else round(self.downlink_bytes, 3)
        later = None if self.later_uplink_bytes is None else round(self.later_uplink_bytes, 3)
        return {
            "without": self.without,
            "compressed": self.compressed,
            "uplink_bytes_per_message": round(self.uplink_bytes, 3),
            "later_uplink_bytes_per_message": later,
            "first_uplink_bytes": self.first_uplink_bytes,
            "downlink_bytes_per_message": downlink,
            "share_of_packet": round(self.share_of_packet, 4),
            "same_payloads": self.same_payloads,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a journal says, ready for table, page and JSON."""

    status: str
    """``complete``, or ``interrupted`` when the run did not come to its end."""
    rows: tuple[ConfigurationRow, ...]
    """One row per configuration, in the order the run names them."""
    rohc_saving: RohcSaving | None
    """None unless the run has tunnel ESP with and without compression."""
    notes: tuple[str, ...]
    """What a reader must know: interruption, unreadable lines, what a configuration means."""
    run: RunRecord
    """The journal's first record: what was to run."""
    faults: tuple[FaultRecord, ...] = ()
    """What went wrong with the module, in order; each names its configuration."""

    cells: tuple[ConfigurationRow, ...] = ()
    """One row per cell of a campaign, in the order of the plan; none without a campaign."""
    stopped: str | None = None
    """Why a campaign ended before its last block, as the journal's end names it."""

    @property
    def messages(self) -> int:
        """Messages over all configurations."""
        return sum(row.messages for row in self.rows)

    def row(self, configuration: str) -> ConfigurationRow | None:
        """The row of one configuration, or None."""
        return next((row for row in self.rows if row.configuration == configuration), None)

    def faults_of(self, configuration: str) -> tuple[FaultRecord, ...]:
        """What went wrong with the module in one configuration."""
        return tuple(one for one in self.faults if one.configuration == configuration)

    def to_json(self) -> dict[str, object]:
        """The summary for scripts: what the table and the report show."""
        return {
            "schema_version": 1,
            "status": self.status,
            "run": self.run.to_dict(),
            "messages": self.messages,
            "configurations": [row.to_json() for row in self.rows],
            "cells": [row.to_json() for row in self.cells],
            "stopped": self.stopped,
            "rohc_saving": None if self.rohc_saving is None else self.rohc_saving.to_json(),
            "faults": [fault.to_dict() for fault in self.faults],
            "notes": list(self.notes),
        }


def _means_json(means: LayerMeans) -> dict[str, object]:
    return {
        "messages": means.packets,
        "total": round(means.total, 3),
        "header": round(means.header, 3),
        "by_layer": means.to_json(),
    }


def _bytes_json(layers: LayerBytes | None) -> dict[str, object] | None:
    if layers is None:
        return None
    return {"total": layers.total, "header": layers.header, "by_layer": layers.to_json()}
