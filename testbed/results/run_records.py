"""The records of a journal that tell of the run as a whole, and of its module: no message's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from testbed.results.record_fields import Fields, check_not_negative, freeze

__all__ = [
    "SCHEMA_VERSION",
    "EndRecord",
    "FaultRecord",
    "ResumedRecord",
    "RunRecord",
    "RunStatus",
    "SetupRecord",
]

SCHEMA_VERSION = 1
"""The version that stands in the first line of a journal."""


class RunStatus(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(Fields):
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
        freeze(self, "configurations", tuple(self.configurations))
        for name in ("cells", "excluded"):
            if getattr(self, name) is not None:
                freeze(self, name, tuple(getattr(self, name)))
        if not self.time:
            freeze(self, "time", "real" if self.time_scale == 1.0 else "scaled")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRecord(Fields):
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
        check_not_negative(self, "attempts")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRecord(Fields):
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
        check_not_negative(self, "block", "duration_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedRecord(Fields):
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
        check_not_negative(self, "part", "planned")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRecord(Fields):
    """The last line: how the run ended."""

    kind: ClassVar[str] = "end"

    status: RunStatus
    stopped: str | None = field(default=None, metadata={"omit_none": True})
    """Why a campaign ended before its last block: ``precise-enough``, ``budget-time``,
    ``budget-energy`` or ``budget-messages``."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was counted over the run: messages by outcome, the HSE's rejects by reason ..."""

    def __post_init__(self) -> None:
        freeze(self, "status", RunStatus(self.status))
