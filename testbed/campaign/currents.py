"""The modelled current of a virtual module, kept for a few messages of a run.

A run of 100,000 messages changes the draw some ten million times: nobody looks at all of that. Kept
are the messages that a report shows, and some more to choose from:

- the first few of each cell,
- the slowest of each configuration,
- the first three of each configuration that had no answer.

What is kept is decided by the messages alone, so the same seed keeps the same.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from firmware_bridge.virtual import Door, Draw, ModuleSettings
from testbed.campaign.ledger import Ledger
from testbed.results import MessageRecord, Record, RunDirectory
from testbed.results.trace import Stretch, write_trace

__all__ = ["CHANGES_PER_MESSAGE", "CurrentWatch"]

CHANGES_PER_MESSAGE: Final = 20_000
"""So many changes of the draw are held back at most; a message with more is not kept."""

_UNANSWERED: Final = 3
_CHANGES: Final = 300_000
"""Of all kept messages together; then only the slowest and the unanswered are kept."""


class CurrentWatch:
    """Takes the draw of a virtual module out of it, message by message.

    Args:
        door: the module's.
        ledger: the run's clock.
        keep: of how many messages per cell to keep it.
    """

    def __init__(self, door: Door, ledger: Ledger, keep: int) -> None:
        self._module = door.module
        self._ledger = ledger
        self._keep = keep
        self._level: Draw | None = None
        self._first: Counter[str] = Counter()
        self._unanswered: Counter[str] = Counter()
        self._changes = 0
        self._slowest: dict[str, tuple[float, Stretch | None]] = {}
        self._stretches: list[Stretch] = []

    def record(self, record: Record) -> None:
        """A record was written to the journal."""
        if not isinstance(record, MessageRecord):
            return
        level, draws = self._level, self._module.take_current_trace()
        if draws:
            self._level = draws[-1]
        if record.warm_up or len(draws) >= CHANGES_PER_MESSAGE:
            return
        few, slowest = self._one_of_few(record), self._slowest_so_far(record)
        if few or slowest:
            stretch = self._stretch(record, level, draws)
            if stretch is None:
                return
            if few:
                self._changes += len(stretch.at_s)
                self._stretches.append(stretch)
            if slowest and record.latency_s is not None:
                found = None if few else stretch
                self._slowest[record.configuration] = (record.latency_s, found)

    def _one_of_few(self, record: MessageRecord) -> bool:
        """Whether it is among a cell's first messages, or a configuration's first unanswered."""
        if record.latency_s is None and self._unanswered[record.configuration] < _UNANSWERED:
            self._unanswered[record.configuration] += 1
            return True
        cell = record.cell or record.configuration
        if self._first[cell] < self._keep and self._changes < _CHANGES:
            self._first[cell] += 1
            return True
        return False

    def _slowest_so_far(self, record: MessageRecord) -> bool:
        so_far, _ = self._slowest.get(record.configuration, (-1.0, None))
        return record.latency_s is not None and record.latency_s > so_far

    def _stretch(
        self, record: MessageRecord, level: Draw | None, draws: list[Draw]
    ) -> Stretch | None:
        """The draw from a message's beginning until now; None where it is not known whole."""
        begin_s = record.submitted_at_s
        rows: list[tuple[float, Draw]] = []
        for draw in draws:
            at_s = self._ledger.since_start(draw.at)
            if at_s > begin_s:
                rows.append((at_s, draw))
            else:
                level = draw
        if level is None:
            return None
        rows.insert(0, (begin_s, level))
        return Stretch(
            begin_s=begin_s,
            end_s=max(self._ledger.now_s, rows[-1][0], begin_s + max(record.stages_s.values())),
            at_s=[at_s for at_s, _ in rows],
            current_a=[round(draw.current_a, 9) for _, draw in rows],
            part=[draw.part.value for _, draw in rows],
        )

    def write(self, directory: RunDirectory, settings: ModuleSettings, family: str) -> None:
        """Write what was kept; nothing where there is nothing.

        Args:
            directory: of the run.
            settings: the module's.
            family: the module's.

        Raises:
            WriteFailed: the disk is full or gone.
        """
        slowest = [one for _, one in self._slowest.values() if one is not None]
        stretches = sorted([*self._stretches, *slowest], key=lambda one: one.begin_s)
        if stretches:
            write_trace(
                directory.path / "trace" / f"virtual-{self._ledger.part}.parquet",
                stretches,
                kind="modelled",
                source=f"virtual {family}",
                supply_v=settings.power.voltage_v,
            )
