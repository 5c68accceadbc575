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
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Self, get_args

from testbed.analysis.bytes import LayerBytes

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

SCHEMA_VERSION = 1
"""The version that stands in the first line of a journal."""


class RecordError(ValueError):
    """A dictionary is not the record that its ``kind`` says it is."""


class Outcome(StrEnum):
    """How a message ended."""

    ANSWERED = "answered"
    """The answer reached the device's application."""
    LOST = "lost"
    """No answer came within the time-out: censored there in every statistic."""
    FAILED = "failed"
    """It was not sent, or what came back could not be read; ``reason`` says why."""


class RunStatus(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"


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


class _Fields:
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
class RunRecord(_Fields):
    """The first line: what is about to run."""

    kind: ClassVar[str] = "run"

    schema_version: int = SCHEMA_VERSION
    """The journal's format."""
    testbed_version: str = ""
    """Version of the testbed that wrote it."""
    bench: str = ""
    """Name of the bench."""
    module: str = ""
    """Family of the module, such as ``bc66``."""
    origin: str = "virtual"
    """``real`` or ``virtual``: never mixed in one statistic."""
    configurations: tuple[str, ...] = ()
    """The arms of the comparison, such as ``rohc+esp-tunnel``, in the order of the table."""
    messages: int = 0
    """How many messages each configuration is to send, or each cell, warm-up included."""
    traffic: str = ""
    """Where the payloads come from: a capture's name or a generator's."""
    cells: tuple[Mapping[str, Any], ...] | None = field(default=None, metadata={"omit_none": True})
    """A campaign's cells: ``name``, ``configuration``, and the level of each varied factor."""
    excluded: tuple[Mapping[str, Any], ...] | None = field(
        default=None, metadata={"omit_none": True}
    )
    """Cells that are not measured, each with a ``reason`` besides."""
    blocks: int | None = field(default=None, metadata={"omit_none": True})
    """A campaign's blocks at most; each holds every cell once."""
    plan: str | None = field(default=None, metadata={"omit_none": True})
    """What tells the plan and its messages from others: a run is resumed with the same one."""
    seed: int = 0
    """What every random choice of the run comes from."""
    time: str = ""
    """What a second of the run is: ``real``, ``scaled`` or ``virtual``; a journal that does not
    say tells by its scale."""
    time_scale: float | None = 1.0
    """How many seconds of the run's clock pass in a real second; none in virtual time."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else a reader needs to tell runs apart (release assistance, ECL, pace ...)."""

    def __post_init__(self) -> None:
        _freeze(self, "configurations", tuple(self.configurations))
        for name in ("cells", "excluded"):
            if getattr(self, name) is not None:
                _freeze(self, name, tuple(getattr(self, name)))
        if not self.time:
            _freeze(self, "time", "real" if self.time_scale == 1.0 else "scaled")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord(_Fields):
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
    cell: str | None = field(default=None, metadata={"omit_none": True})
    """The campaign's cell: the configuration and each varied factor's level; absent without a
    campaign."""
    block: int | None = field(default=None, metadata={"omit_none": True})
    """The campaign's block, from 0."""

    def __post_init__(self) -> None:
        _freeze(self, "energy", _energy(self.energy))
        _check_not_negative(self, "setup_s", "bytes_up", "bytes_down", "attempts")


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
        _freeze(self, "assumed", tuple(self.assumed))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord(_Fields):
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
        _freeze(self, "outcome", Outcome(self.outcome))
        _freeze(self, "uplink_bytes", _layers(self.uplink_bytes))
        _freeze(self, "downlink_bytes", _layers(self.downlink_bytes))
        _freeze(self, "energy", _energy(self.energy))
        if not self.stages_s.keys() <= _STAGE_NAMES:
            unknown = ", ".join(sorted(self.stages_s.keys() - _STAGE_NAMES))
            raise ValueError(f"unknown stage {unknown}; known are {', '.join(STAGES)}")
        _check_not_negative(self, "index")
        if (self.latency_s is not None) != (self.outcome is Outcome.ANSWERED):
            raise ValueError(f"latency {self.latency_s} of a message that was {self.outcome}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord(_Fields):
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
        _freeze(self, "uplink_bytes", _layers(self.uplink_bytes))
        _freeze(self, "downlink_bytes", _layers(self.downlink_bytes))
        _freeze(self, "energy", _energy(self.energy))
        _check_not_negative(self, "after")
        if (self.uplink_bytes is None) == (self.downlink_bytes is None):
            raise ValueError("feedback travels one way: uplink or downlink bytes, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepaliveRecord(_Fields):
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
        _freeze(self, "uplink_bytes", _layers(self.uplink_bytes))
        _freeze(self, "energy", _energy(self.energy))
        _check_not_negative(self, "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord(_Fields):
    """Something went wrong with the module, and what was done about it."""

    kind: ClassVar[str] = "fault"

    fault: str
    """What was noticed: ``line-lost``, ``rebooted``, ``sim-lost``, ``network-lost``, ``silent``,
    ``garbage``, ``flood`` or ``refused``."""
    configuration: str
    """Which arm it happened to."""
    after: int | None = None
    """Number of the message during or after which it was noticed; none before the first one."""
    noticed_at_s: float = 0.0
    """When, in seconds since the run began."""
    recovered_s: float | None = None
    """From there to the module attached again; none when it did not come back, or nobody waited
    for it."""
    attempts: int = 0
    """How often it was opened, started and attached."""
    failure: str | None = field(default=None, metadata={"omit_none": True})
    """The fault that the last attempt failed with; absent when it did not fail."""

    cell: str | None = field(default=None, metadata={"omit_none": True})
    """The campaign's cell, as for a message."""
    block: int | None = field(default=None, metadata={"omit_none": True})
    """The campaign's block, from 0."""

    def __post_init__(self) -> None:
        _check_not_negative(self, "attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRecord(_Fields):
    """The module was set up otherwise, since a campaign's cell asked for it; no message's cost."""

    kind: ClassVar[str] = "setup"

    cell: str
    """The cell that asked for it."""
    block: int
    """Its block."""
    changed: Mapping[str, Any]
    """Factor and new level: ``power_saving``, ``coverage``."""
    at_s: float
    """When it began, in seconds since the run began."""
    duration_s: float
    """Until the module was ready for the next message, in seconds."""
    granted: Mapping[str, Any] | None = field(default=None, metadata={"omit_none": True})
    """The power saving that the network granted."""

    def __post_init__(self) -> None:
        _check_not_negative(self, "block", "duration_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedRecord(_Fields):
    """A run that was interrupted goes on, in another process: with new sessions and new keys."""

    kind: ClassVar[str] = "resumed"

    part: int
    """Which part of the run begins, from 1: the one before the first interruption was 0."""
    planned: int
    """Number of the message that comes next. If it was under way when the run was interrupted, it
    is sent again; what it sent before stands in the capture alone."""
    at_s: float
    """The run's clock, which stood still meanwhile, in seconds since the run began."""

    def __post_init__(self) -> None:
        _check_not_negative(self, "part", "planned")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRecord(_Fields):
    """The last line: how the run ended."""

    kind: ClassVar[str] = "end"

    status: RunStatus
    stopped: str | None = field(default=None, metadata={"omit_none": True})
    """Why a campaign ended before its last block: ``precise-enough``, ``budget-time``,
    ``budget-energy`` or ``budget-messages``."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was counted over the run: messages by outcome, the HSE's rejects by reason ..."""

    def __post_init__(self) -> None:
        _freeze(self, "status", RunStatus(self.status))


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


def _freeze(record: object, name: str, value: object) -> None:
    """Set a field of a frozen record while it is made: what JSON gave becomes what it means."""
    object.__setattr__(record, name, value)


def _layers(value: LayerBytes | Mapping[str, object] | None) -> LayerBytes | None:
    return LayerBytes.from_json(value) if isinstance(value, Mapping) else value


def _energy(value: EnergyRecord | Mapping[str, Any] | None) -> EnergyRecord | None:
    return EnergyRecord.from_dict(value) if isinstance(value, Mapping) else value


def _check_not_negative(record: object, *names: str) -> None:
    for name in names:
        if getattr(record, name) < 0:
            raise ValueError(f"{name} is {getattr(record, name)}")
