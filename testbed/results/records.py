"""The records of a journal, in the order in which a run writes them.

====================  ========================================================================
``run``               first line: what is about to run; carries the journal's schema version
``session``           one per key agreement with the HSE: how long it took, what it cost
``message``           one per message: outcome, time per stage, bytes per layer, energy
``feedback``          one per packet that carried ROHC feedback and nothing else
``keepalive``         one per NAT keepalive that the UE sent
``fault``             one per thing that went wrong with the module, and how long that lasted
``setup``             one per change of the module's settings that a campaign's cell asked for
``resumed``           a run that was interrupted goes on: what comes next has new sessions
``end``               last line: how the run ended; absent when it was killed
====================  ========================================================================

Times are seconds on the run's own clock (module time, when the clock is scaled). Wall-clock times,
process ids and host facts live in the manifest only, so that one seed gives one journal.
A reader ignores fields that it does not know and kinds that it does not know; a change that would
mislead such a reader raises :data:`SCHEMA_VERSION`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, get_args

from testbed.analysis.bytes import LayerBytes
from testbed.results.record_fields import (
    EnergyRecord,
    Fields,
    RecordError,
    check_not_negative,
    freeze,
    to_energy,
    to_layers,
)
from testbed.results.run_records import (
    SCHEMA_VERSION,
    EndRecord,
    FaultRecord,
    ResumedRecord,
    RunRecord,
    RunStatus,
    SetupRecord,
)

__all__ = [
    "SCHEMA_VERSION",
    "STAGES",
    "EndRecord",
    "EnergyRecord",
    "FaultRecord",
    "FeedbackRecord",
    "KeepaliveRecord",
    "MessageRecord",
    "Outcome",
    "Record",
    "RecordError",
    "ResumedRecord",
    "RunRecord",
    "RunStatus",
    "SessionRecord",
    "SetupRecord",
    "Stage",
    "record_from_dict",
]


class Outcome(StrEnum):
    """How a message ended."""

    ANSWERED = "answered"
    """The answer reached the device's application."""
    LOST = "lost"
    """No answer came within the time-out: censored there in every statistic."""
    FAILED = "failed"
    """It was not sent, or what came back could not be read; ``reason`` says why."""


class Stage(StrEnum):
    """The stages of a message's trace, in the order in which a message passes them."""

    SUBMITTED = "submitted"
    """The device's application handed the message over: the zero of every other stage."""
    COMPRESSED = "compressed"
    """The ROHC compressor gave its packet."""
    PROTECTED = "protected"
    """The outbound SA gave its ESP packet."""
    AT_WRITTEN = "at_written"
    """The last octet of the send command was written to the serial line."""
    ACCEPTED = "accepted"
    """The module's acceptance was read."""
    RRC_CONNECTED = "rrc_connected"
    """The module reported the radio connection."""
    HSE_RECEIVED = "hse_received"
    """The HSE read the datagram off its socket."""
    HSE_VERIFIED = "hse_verified"
    """The inbound SA accepted the packet: window and ICV."""
    HSE_DECOMPRESSED = "hse_decompressed"
    """The HSE holds the inner packet."""
    HSE_ANSWERED = "hse_answered"
    """The HSE wrote the answer to its socket."""
    RECEIVED = "received"
    """The answer's last octet was read off the serial line."""
    UNPROTECTED = "unprotected"
    """The UE's inbound SA accepted the answer."""
    DELIVERED = "delivered"
    """The device's application has the answer."""
    RELEASED = "released"
    """The module reported that the radio connection is gone."""


STAGES: tuple[Stage, ...] = tuple(Stage)
"""All stages in the order of the way of a message."""

_STAGE_NAMES = frozenset(STAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord(Fields):
    """A key agreement with the HSE: before the first message, or a re-keying."""

    kind: ClassVar[str] = "session"

    configuration: str
    """Whose session it is."""
    setup_s: float
    """From the first request written to the keys in place."""
    bytes_up: int
    """Octets of the exchange towards the HSE, outer headers included, retransmissions too."""
    bytes_down: int
    """Octets of the exchange from the HSE, outer headers included."""
    attempts: int = 1
    """Requests sent, the first included."""
    energy: EnergyRecord | None = field(default=None, metadata={"omit_none": True})
    """What the exchange cost the module's battery, where it is known."""
    reason: str | None = field(default=None, metadata={"omit_none": True})
    """Why the UE re-keyed: ``unanswered``, ``unknown-at-hse``, ``address-changed``,
    ``lifetime-soft`` or ``lifetime-hard``; absent for the first keys of a session."""
    after: int | None = field(default=None, metadata={"omit_none": True})
    """Number of the message before a re-keying."""
    unanswered: int | None = field(default=None, metadata={"omit_none": True})
    """How many messages in a row had no answer before a re-keying."""
    failure: str | None = field(default=None, metadata={"omit_none": True})
    """Why no keys came of it, such as ``no-answer``; absent when there are keys."""
    key_agreement: str | None = field(default=None, metadata={"omit_none": True})
    """``hello`` (from a secret) or ``aka``; absent in journals that know the hello only."""
    messages: tuple[Mapping[str, Any], ...] | None = field(
        default=None, metadata={"omit_none": True}
    )
    """Each message that was sent or came: ``type``, ``way`` (``up``, ``down``), and ``bytes``
    without lower layers and marker."""
    layers_up: Mapping[str, int] | None = field(default=None, metadata={"omit_none": True})
    """``bytes_up`` by layer: ``outer_ip``, ``outer_udp``, ``marker``, ``key_exchange``."""
    layers_down: Mapping[str, int] | None = field(default=None, metadata={"omit_none": True})
    """``bytes_down`` by layer."""
    stages_s: Mapping[str, float] | None = field(default=None, metadata={"omit_none": True})
    """Seconds after its beginning per stage: those of a message, where a key exchange has them, and
    with AKA ``challenged``, ``authenticated`` (the USIM has answered) and ``confirmed``."""
    usim: str | None = field(default=None, metadata={"omit_none": True})
    """How the USIM was reached: ``csim``, ``cgla``, or ``soft`` where software stood in for it."""
    usim_s: float | None = field(default=None, metadata={"omit_none": True})
    """How long AUTHENTICATE took, the module's line included, all together."""
    resynchronisations: int | None = field(default=None, metadata={"omit_none": True})
    """With AKA: how often the USIM reported a synchronisation failure."""
    cell: str | None = field(default=None, metadata={"omit_none": True})
    """The campaign's cell: the configuration and each varied factor's level; absent without a
    campaign."""
    block: int | None = field(default=None, metadata={"omit_none": True})
    """The campaign's block, from 0."""

    def __post_init__(self) -> None:
        freeze(self, "energy", to_energy(self.energy))
        if self.messages is not None:
            freeze(self, "messages", tuple(self.messages))
        check_not_negative(self, "setup_s", "bytes_up", "bytes_down", "attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord(Fields):
    """One message: what became of it, when it passed each stage, what it cost."""

    kind: ClassVar[str] = "message"

    index: int
    """Number of the message within its source, from 0: within its configuration or cell, too."""
    configuration: str
    """The arm it belongs to, such as ``rohc+esp-tunnel``."""
    security: str
    """``none``, ``esp-transport`` or ``esp-tunnel``."""
    compression: str
    """``none`` or ``rohc``."""
    outcome: Outcome
    reason: str | None = None
    """Why a message failed or what the HSE counted it under; ``None`` for an answered one."""
    submitted_at_s: float = 0.0
    """When it was submitted, in seconds since the run began."""
    stages_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds after submission per :class:`Stage`; a stage that was not observed is absent."""
    latency_s: float | None = None
    """Submitted to delivered; ``None`` unless answered."""
    uplink_bytes: LayerBytes | None = None
    """The packet towards the HSE by layer; ``None`` when none was built."""
    downlink_bytes: LayerBytes | None = None
    """The answer by layer; ``None`` when none was read."""
    energy: EnergyRecord | None = None
    """What it cost the module's battery; ``None`` when neither measured nor estimated."""
    uplink_packet: str | None = field(default=None, metadata={"omit_none": True})
    """The ROHC packet type that was sent, such as ``UO-0``."""
    downlink_packet: str | None = field(default=None, metadata={"omit_none": True})
    """The ROHC packet type that came back."""
    radio: Mapping[str, Any] | None = field(default=None, metadata={"omit_none": True})
    """The module's radio report around the message (``ecl``, ``rsrp_dbm`` ...)."""
    planned: int | None = field(default=None, metadata={"omit_none": True})
    """Number of the message in the plan, from 0: each stands in a journal once."""
    cell: str | None = field(default=None, metadata={"omit_none": True})
    """The campaign's cell: the configuration and each varied factor's level; absent without a
    campaign."""
    block: int | None = field(default=None, metadata={"omit_none": True})
    """The campaign's block, from 0."""
    warm_up: bool = field(default=False, metadata={"omit_none": True})
    """It only warms its cell up: in no statistic. Absent when false."""

    def __post_init__(self) -> None:
        freeze(self, "outcome", Outcome(self.outcome))
        freeze(self, "uplink_bytes", to_layers(self.uplink_bytes))
        freeze(self, "downlink_bytes", to_layers(self.downlink_bytes))
        freeze(self, "energy", to_energy(self.energy))
        if not self.stages_s.keys() <= _STAGE_NAMES:
            unknown = ", ".join(sorted(self.stages_s.keys() - _STAGE_NAMES))
            raise ValueError(f"unknown stage {unknown}; known are {', '.join(STAGES)}")
        check_not_negative(self, "index")
        if (self.latency_s is not None) != (self.outcome is Outcome.ANSWERED):
            raise ValueError(f"latency {self.latency_s} of a message that was {self.outcome}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord(Fields):
    """A packet that carried ROHC feedback and nothing else: what that cost."""

    kind: ClassVar[str] = "feedback"

    configuration: str
    """The arm it belongs to."""
    after: int
    """Number of the message that asked for it, or during which it came."""
    uplink_bytes: LayerBytes | None = None
    """By layer, when the UE sent it; the feedback itself counts as ROHC header."""
    downlink_bytes: LayerBytes | None = None
    """By layer, when the HSE sent it."""
    stages_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds after submission per :class:`Stage`, when the UE sent it."""
    energy: EnergyRecord | None = field(default=None, metadata={"omit_none": True})
    """What sending it cost the module's battery; receiving is in the message's own figure."""
    cell: str | None = field(default=None, metadata={"omit_none": True})
    """The campaign's cell: the configuration and each varied factor's level; absent without a
    campaign."""
    block: int | None = field(default=None, metadata={"omit_none": True})
    """The campaign's block, from 0."""

    def __post_init__(self) -> None:
        freeze(self, "uplink_bytes", to_layers(self.uplink_bytes))
        freeze(self, "downlink_bytes", to_layers(self.downlink_bytes))
        freeze(self, "energy", to_energy(self.energy))
        check_not_negative(self, "after")
        if (self.uplink_bytes is None) == (self.downlink_bytes is None):
            raise ValueError("feedback travels one way: uplink or downlink bytes, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepaliveRecord(Fields):
    """A NAT keepalive (RFC 3948 section 4): one octet up, no answer, and what that cost."""

    kind: ClassVar[str] = "keepalive"

    configuration: str
    """The arm it belongs to."""
    after: int
    """Number of the message after which, or during which, it was sent."""
    submitted_at_s: float = 0.0
    """When, in seconds since the run began."""
    uplink_bytes: LayerBytes
    """By layer; its one octet counts as ESP header."""
    stages_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds after submission per :class:`Stage`."""
    energy: EnergyRecord | None = field(default=None, metadata={"omit_none": True})
    """What it cost the module's battery; absent where the message's own figure holds it, since its
    answer was awaited meanwhile."""
    cell: str | None = field(default=None, metadata={"omit_none": True})
    """The campaign's cell, as for a message."""
    block: int | None = field(default=None, metadata={"omit_none": True})
    """The campaign's block, from 0."""

    def __post_init__(self) -> None:
        freeze(self, "uplink_bytes", to_layers(self.uplink_bytes))
        freeze(self, "energy", to_energy(self.energy))
        check_not_negative(self, "after")


Record = (
    RunRecord
    | SessionRecord
    | MessageRecord
    | FeedbackRecord
    | KeepaliveRecord
    | FaultRecord
    | SetupRecord
    | ResumedRecord
    | EndRecord
)
"""Any record of a journal."""

_KINDS: dict[str, type[Record]] = {kind.kind: kind for kind in get_args(Record)}


def record_from_dict(record: Mapping[str, Any]) -> Record | None:
    """The record of a journal's line, or ``None`` for a kind that this version does not know.

    Raises:
        RecordError: the fields are not those of its kind.

    """
    kind = _KINDS.get(str(record.get("kind")))
    return None if kind is None else kind.from_dict(record)
