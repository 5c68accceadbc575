"""Where a message's time goes: its stages as a waterfall, set-up and transfer, one-way times.

The *steps* of a message are the stretches between its stages, taken in the order of their times:
they sum to the whole. Not every message passes the same ones: one that finds the radio connected
has no set-up, one without an answer ends early. So each step says over how many messages it is.

*Set-up* is what the radio connection takes, from the command written to the connection reported;
*transfer* is the rest of the latency. A *one-way* time needs one clock at both ends: it is there
only where the run's own HSE shares the UE's clock, and its clock error is stated, 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from statistics import median

__all__ = ["OneWay", "StageSummary", "StageTally", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stretch of messages' ways: from one stage to the next that they passed."""

    begin: str
    """The earlier stage, in the journal's names."""
    end: str
    """The later one."""
    messages: int
    """How many messages passed these two one after the other."""
    median_s: float
    """Half of them took no longer."""
    mean_s: float
    """Their mean."""

    def to_json(self) -> dict[str, object]:
        """All fields by name, seconds rounded to a microsecond."""
        return {
            "begin": self.begin,
            "end": self.end,
            "messages": self.messages,
            "median_s": round(self.median_s, 6),
            "mean_s": round(self.mean_s, 6),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """One-way times between UE and HSE: from the command written, to the answer read."""

    uplink_s: float | None
    """Median from the command written to the HSE's socket; None when none was seen."""
    downlink_s: float | None
    """Median from the HSE's socket to the answer read; None when none was seen."""
    clock_error_s: float = 0.0
    """How far the two ends' clocks may be apart; 0: they are one clock."""

    def to_json(self) -> dict[str, object]:
        """All fields by name, rounded to a microsecond."""
        return {
            "uplink_s": _rounded(self.uplink_s),
            "downlink_s": _rounded(self.downlink_s),
            "clock_error_s": self.clock_error_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSummary:
    """Where the time of some messages went."""

    steps: tuple[Step, ...]
    """In the order in which messages pass them, as far as there is one."""
    setup_s: float | None
    """Median of the radio connection's set-up, over the messages that had one."""
    setups: int
    """How many had one."""
    transfer_s: float | None
    """Median of the latency without that, over the answered messages."""
    one_way: OneWay | None
    """None unless one clock saw both ends."""

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {
            "steps": [step.to_json() for step in self.steps],
            "setup_s": _rounded(self.setup_s),
            "setups": self.setups,
            "transfer_s": _rounded(self.transfer_s),
            "one_way": None if self.one_way is None else self.one_way.to_json(),
        }


class StageTally:
    """Collects messages' stages; memory holds one number per message and step."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], array[float]] = {}
        self._starts: dict[tuple[str, str], float] = {}
        self._setup = array("d")
        self._transfer = array("d")
        self._up = array("d")
        self._down = array("d")

    def add(self, stages_s: Mapping[str, float], latency_s: float | None) -> None:
        """Take one message.

        Args:
            stages_s: seconds after submission by stage, as in the journal.
            latency_s: its latency, if it was answered.
        """
        if not stages_s:
            return
        in_time = sorted(stages_s.items(), key=itemgetter(1))
        for (begin, start), (end, stop) in pairwise(in_time):
            found = self._steps.get((begin, end))
            if found is None:
                found = self._steps[begin, end] = array("d")
                self._starts[begin, end] = start
            found.append(stop - start)
        setup = connection_setup(stages_s)
        if setup is not None:
            self._setup.append(setup)
        if latency_s is not None:
            self._transfer.append(latency_s - (setup or 0.0))
        uplink, downlink = one_way(stages_s)
        if uplink is not None:
            self._up.append(uplink)
        if downlink is not None:
            self._down.append(downlink)

    def summary(self) -> StageSummary:
        """What was collected."""
        steps = sorted(self._steps, key=lambda step: self._starts[step])
        seen = self._up or self._down
        return StageSummary(
            steps=tuple(
                Step(
                    begin=begin,
                    end=end,
                    messages=len(found),
                    median_s=median(found),
                    mean_s=sum(found) / len(found),
                )
                for begin, end in steps
                for found in (self._steps[begin, end],)
            ),
            setup_s=_median(self._setup),
            setups=len(self._setup),
            transfer_s=_median(self._transfer),
            one_way=OneWay(uplink_s=_median(self._up), downlink_s=_median(self._down))
            if seen
            else None,
        )


def connection_setup(stages_s: Mapping[str, float]) -> float | None:
    """What the radio connection took, in seconds; None when the message did not need one."""
    connected = stages_s.get("rrc_connected")
    if connected is None:
        return None
    return max(connected - stages_s.get("at_written", 0.0), 0.0)


def one_way(stages_s: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Seconds to the HSE, and back: each None where a stage of it was not observed."""
    return (
        _between(stages_s, "at_written", "hse_received"),
        _between(stages_s, "hse_answered", "received"),
    )


def _between(stages_s: Mapping[str, float], begin: str, end: str) -> float | None:
    if begin not in stages_s or end not in stages_s:
        return None
    return stages_s[end] - stages_s[begin]


def _median(values: array[float]) -> float | None:
    return median(values) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
