"""The run as it stands: what page and terminal show, as one JSON object.

Figures come from the same place as those of the table and the report
(`testbed.analysis.summary.Reading`), so that all of them say the same of the same messages. What
grows with a run beyond those sums is bounded: the latest messages, the latest faults, and points
for the plots, of which every second one is dropped whenever there are too many.
"""

from __future__ import annotations

import math
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from testbed.analysis.summary import Reading
from testbed.metrics.catalogue import LATENCY_BUCKETS_S
from testbed.results.records import (
    EndRecord,
    FaultRecord,
    KeepaliveRecord,
    MessageRecord,
    Record,
    ResumedRecord,
    RunRecord,
)

__all__ = ["LAST_FAULTS", "LAST_MESSAGES", "MOST_POINTS", "LiveRun"]

LAST_MESSAGES: Final = 12
"""So many messages are shown one by one."""

LAST_FAULTS: Final = 10
"""So many faults are shown one by one."""

MOST_POINTS: Final = 600
"""Points of one configuration in a plot."""

_FRESH_S: Final = 0.5
"""How long one summary serves all who ask, in seconds: what they cost a run is bounded."""

_REST: Final = 20.0
"""And so many times as long as it took to make: a twentieth of the time at most."""

_MOST_WAITING: Final = 1000
"""So much is handed over before it is taken in although nobody looks."""

_MOST_LETTERS: Final = 80
"""So much of what a module says of itself is shown."""

_IDENTITY: Final = ("manufacturer", "model", "firmware")


@dataclass(slots=True)
class _Points:
    """Messages of one configuration for the plots: every one, or every second, fourth ..."""

    stride: int = 1
    seen: int = 0
    kept: list[tuple[float, float | None]] = field(default_factory=list)
    within: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_S) + 1))

    def add(self, at_s: float, latency_s: float | None) -> None:
        position = len(LATENCY_BUCKETS_S)
        if latency_s is not None:
            position = bisect_left(LATENCY_BUCKETS_S, latency_s)
        self.within[position] += 1
        if self.seen % self.stride == 0:
            self.kept.append((at_s, latency_s))
            if len(self.kept) > MOST_POINTS:
                self.kept = self.kept[::2]
                self.stride *= 2
        self.seen += 1

    def shares(self) -> list[float]:
        """Which share of the messages was answered within each bound of the catalogue."""
        found, running = [], 0
        for count in self.within[:-1]:
            running += count
            found.append(round(running / self.seen, 6))
        return found


@dataclass(frozen=True, slots=True)
class _Made:
    """A snapshot that was made."""

    version: int
    fresh_until: float
    snapshot: dict[str, Any]


class LiveRun:
    """A run as it stands, fed by the thread it runs in and asked by others.

    Args:
        name: the run's name.
        planned: messages that it is to send, over all configurations.
        clock: seconds, rising; of the wall, never of a run.
    """

    def __init__(
        self, name: str, planned: int = 0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._planned = planned
        self._clock = clock
        self._lock = threading.Lock()
        self._reading = Reading()
        self._run: RunRecord | None = None
        self._status = "running"
        self._version = 0
        self._phase: str | None = None
        self._doing = ""
        self._module: dict[str, str] = {}
        self._radio: Mapping[str, Any] = {}
        self._done = 0
        self._at_s = 0.0
        self._fault_count = 0
        self._faults: deque[dict[str, Any]] = deque(maxlen=LAST_FAULTS)
        self._last: deque[dict[str, Any]] = deque(maxlen=LAST_MESSAGES)
        self._points: dict[str, _Points] = {}
        self._waiting: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._made: _Made | None = None

    @property
    def status(self) -> str:
        """``running``, or how the run ended: ``complete``, ``interrupted``, ``killed``..."""
        with self._lock:
            self._catch_up()
            return self._status

    def phase(self, text: str) -> None:
        """Something that takes a while begins; see `testbed.campaign.ledger.Progress`."""
        self._later(self._take_phase, text)

    def module(self, phase: str) -> None:
        """The module does something else from now on."""
        self._later(self._take_module, phase)

    def identified(self, facts: Mapping[str, Any]) -> None:
        """The module has said what it is: anything at all, perhaps."""
        self._later(self._take_identity, facts)

    def ended(self, status: str) -> None:
        """The run is over, whatever the journal says; the first such word counts."""
        self._later(self._take_end, status)

    def record(self, record: Record) -> None:
        """A record was written to the journal."""
        self._later(self._take_record, record)

    def snapshot(self) -> dict[str, Any]:
        """The run as it stands; whoever asks again soon gets the same."""
        with self._lock:
            self._catch_up()
            made, now = self._made, self._clock()
            over = self._status != "running"
            if made is not None and (
                made.version == self._version or (not over and now < made.fresh_until)
            ):
                return made.snapshot
            began = time.perf_counter()
            snapshot = self._snapshot()
            rest = max(_FRESH_S, _REST * (time.perf_counter() - began))
            self._made = _Made(self._version, now + rest, snapshot)
            return snapshot

    def _later(self, take: Callable[[Any], None], what: Any) -> None:
        """Hand something over: the run goes on at once, and never waits for who looks at it."""
        self._waiting.append((take, what))
        if len(self._waiting) > _MOST_WAITING and self._lock.acquire(blocking=False):
            try:
                self._catch_up()
            finally:
                self._lock.release()

    def _catch_up(self) -> None:
        """Take in what was handed over, in its order."""
        while self._waiting:
            take, what = self._waiting.popleft()
            take(what)
            self._version += 1

    def _take_phase(self, text: str) -> None:
        self._doing = text

    def _take_module(self, phase: str) -> None:
        self._phase = str(phase)

    def _take_identity(self, facts: Mapping[str, Any]) -> None:
        self._module = {
            name: str(facts[name])[:_MOST_LETTERS] for name in _IDENTITY if facts.get(name)
        }

    def _take_end(self, status: str) -> None:
        if self._status == "running":
            self._status = status

    def _take_record(self, record: Record) -> None:
        self._reading.add(record)
        match record:
            case MessageRecord():
                self._message(record)
            case KeepaliveRecord():
                self._passed(record.submitted_at_s)
            case FaultRecord():
                self._fault_count += 1
                self._faults.append(record.to_dict())
                self._passed(record.noticed_at_s + (record.recovered_s or 0.0))
            case RunRecord():
                self._run = record
                self._planned = self._planned or record.messages * len(
                    record.cells or record.configurations
                )
            case ResumedRecord():
                self._status = "running"
            case EndRecord():
                self._status = record.status.value

    def _passed(self, at_s: float) -> None:
        self._at_s = max(self._at_s, at_s)

    def _message(self, record: MessageRecord) -> None:
        self._done += 1
        self._passed(record.submitted_at_s + max(record.stages_s.values(), default=0.0))
        if record.radio:
            self._radio = record.radio
        self._last.append(
            {
                "message": record.index,
                "configuration": record.cell or record.configuration,
                "warm_up": record.warm_up,
                "outcome": record.outcome.value,
                "reason": record.reason,
                "submitted_at_s": record.submitted_at_s,
                "latency_s": record.latency_s,
                "uplink_bytes": None if record.uplink_bytes is None else record.uplink_bytes.total,
                "energy_j": None if record.energy is None else record.energy.total_j,
                "energy_kind": None if record.energy is None else record.energy.kind,
            }
        )
        if not record.warm_up:
            points = self._points.setdefault(record.configuration, _Points())
            points.add(record.submitted_at_s, record.latency_s)

    def _snapshot(self) -> dict[str, Any]:
        run = self._run or RunRecord()
        summary = self._reading.summary(False, ())
        return {
            "schema_version": 1,
            "version": self._version,
            "status": self._status,
            "stopped": summary.stopped,
            "run": {
                "name": self._name,
                "bench": run.bench,
                "module": run.module,
                "origin": run.origin if self._run else None,
                "time": run.time if self._run else None,
                "time_scale": run.time_scale,
                "seed": run.seed,
                "traffic": run.traffic,
                "testbed_version": run.testbed_version,
                "configurations": list(run.configurations),
                "cells": len(run.cells or ()),
                "answer_timeout_s": _number(run.settings.get("answer_timeout_s")),
            },
            "doing": self._doing or (self._last[-1]["configuration"] if self._last else ""),
            "phase": self._phase,
            "module": self._module,
            "radio": {name: value for name, value in self._radio.items() if _plain(value)},
            "planned": self._planned,
            "done": self._done,
            "at_s": round(self._at_s, 6),
            "configurations": [row.to_json() for row in summary.rows],
            "fault_count": self._fault_count,
            "faults": list(self._faults),
            "last": list(self._last),
            "bounds_s": list(LATENCY_BUCKETS_S),
            "points": {
                name: {
                    "stride": points.stride,
                    "at_s": [at for at, _ in points.kept],
                    "latency_s": [latency for _, latency in points.kept],
                    "within": points.shares(),
                }
                for name, points in self._points.items()
            },
        }


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _plain(value: object) -> bool:
    """Whether JSON has such a value."""
    return isinstance(value, str | int) or _number(value) is not None
