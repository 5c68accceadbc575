"""What a run has written down so far: the journal, and what follows from it.

Every record of a run goes through the ledger. It stamps records with the campaign's cell and block,
counts them, and keeps what decides whether a campaign goes on: energy spent, messages sent, the
figures that are to be known well enough. A resumed run hands it the journal of the parts before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from testbed.bench import BudgetDescription
from testbed.campaign.plan import Visit
from testbed.results import (
    EndRecord,
    FaultRecord,
    FeedbackRecord,
    JournalWriter,
    KeepaliveRecord,
    MessageRecord,
    Record,
    ResumedRecord,
    SessionRecord,
    SetupRecord,
)

__all__ = ["Ledger", "ModulePhase", "Progress"]


class ModulePhase(StrEnum):
    """What the module is doing."""

    STARTING = "starting"
    """It is switched on, or asked who it is."""
    ATTACHING = "attaching"
    IDLE = "idle"
    """Attached, without a radio connection."""
    CONNECTED = "connected"
    """Attached, with one."""
    ASLEEP = "asleep"
    """Attached, in power saving mode."""
    RECOVERING = "recovering"
    """Something went wrong with it, and it is being brought back."""
    ENDED = "ended"
    """The run needs it no more."""


class Progress:
    """Somebody who wants to see a run go on; does nothing here."""

    def module(self, phase: ModulePhase) -> None:
        """The module does something else from now on."""

    def identified(self, facts: Mapping[str, Any]) -> None:
        """The module has said what it is: ``manufacturer``, ``model``, ``firmware`` ..."""

    def phase(self, text: str) -> None:
        """Something that takes a while begins."""

    def record(self, record: Record) -> None:
        """A record was written to the journal."""


class Ledger:
    """Writes a run's records, and keeps the sums.

    Args:
        progress: sees the run go on.
        keep_measured: keep a campaign's measured messages, for who decides by them when to stop.
    """

    def __init__(self, progress: Progress, *, keep_measured: bool = False) -> None:
        self._progress = progress
        self._keep_measured = keep_measured
        self._started = 0.0
        self.visit: Visit | None = None
        """The campaign's cell and block that records belong to from now on; none outside one."""
        self.counts: Counter[str] = Counter()
        """What was counted over the run."""
        self.messages = 0
        """Messages in the journal."""
        self.energy_j = 0.0
        """What all records say that the module's battery gave, in joules."""
        self.next = 0
        """Number of the message that the plan has next."""
        self.part = 0
        """How often the run was resumed."""
        self.last_s = 0.0
        """The run's clock at the latest moment that a record tells of."""
        self.watch: Callable[[Record], None] | None = None
        """Called with each record once it is written; none where nobody asks for it."""
        self.measured: dict[str, list[MessageRecord]] = {}
        """A campaign's measured messages by cell, without warm-up, where they are kept."""

    def restore(self, records: Iterable[Record]) -> None:
        """Take in what the parts before have written."""
        for record in records:
            self._count(record)
            if isinstance(record, EndRecord):  # it alone holds what the HSE has counted
                for name, count in record.counts.items():
                    if name.startswith("hse_"):
                        self.counts[name] = count
            self._progress.record(record)

    def begin(self, journal: JournalWriter) -> None:
        """Write to this journal from now on; the run's clock goes on from where it stood."""
        self._journal = journal
        self._started = asyncio.get_running_loop().time() - self.last_s

    @property
    def now_s(self) -> float:
        """Seconds since the run began, by its own clock, to a microsecond."""
        return self.since_start(asyncio.get_running_loop().time())

    def since_start(self, at: float) -> float:
        """Seconds from the run's beginning to a moment of the loop's clock, to a microsecond."""
        return round(at - self._started, 6)

    def write(self, record: Record) -> None:
        """Write a record into the journal, stamped with the campaign's cell and block."""
        if self.visit is not None and isinstance(
            record, SessionRecord | MessageRecord | FeedbackRecord | KeepaliveRecord | FaultRecord
        ):
            record = replace(record, cell=self.visit.cell.name, block=self.visit.block)
        self._journal.append(record)
        self._count(record)
        self._progress.record(record)
        if self.watch is not None:
            self.watch(record)

    def over(self, budget: BudgetDescription) -> str | None:
        """Which part of a budget is used up, as the journal's end names it; none: go on."""
        if budget.messages is not None and self.messages >= budget.messages:
            return "budget-messages"
        if budget.energy is not None and self.energy_j >= budget.energy:
            return "budget-energy"
        if budget.time is not None and self.now_s >= budget.time:
            return "budget-time"
        return None

    def _count(self, record: Record) -> None:
        match record:
            case MessageRecord():
                self.counts[f"messages_{record.outcome.value}"] += 1
                self.messages += 1
                self.next = max(self.next, (record.planned or 0) + 1)
                self._passed(record.submitted_at_s, *record.stages_s.values())
                if self._keep_measured and record.cell is not None and not record.warm_up:
                    self.measured.setdefault(record.cell, []).append(record)
            case FeedbackRecord():
                self.counts["feedback"] += 1
            case KeepaliveRecord():
                self.counts["keepalives"] += 1
                self._passed(record.submitted_at_s, *record.stages_s.values())
            case FaultRecord():
                self.counts[f"faults_{record.fault}"] += 1
                self._passed(record.noticed_at_s, record.recovered_s or 0.0)
            case SessionRecord():
                self.counts["sessions" if record.failure is None else "sessions_failed"] += 1
            case SetupRecord():
                self.counts["setups"] += 1
                self._passed(record.at_s, record.duration_s)
            case ResumedRecord():
                self.part = record.part
                self._passed(record.at_s)
        if (
            isinstance(record, MessageRecord | SessionRecord | FeedbackRecord | KeepaliveRecord)
            and record.energy
        ):
            self.energy_j += record.energy.total_j

    def _passed(self, start_s: float, *later_s: float) -> None:
        self.last_s = max(self.last_s, start_s + max(later_s, default=0.0))
