"""Two runs compared: per configuration, coverage level and release assistance.

A comparison is of no use where something else changed as well. So it is inconclusive, whatever the
figures, unless the two agree in:

- module, firmware and supply voltage (within 2 %), as far as both say them;
- cell, and coverage level (ECL): at least 80 % of the messages have their like in the other run;
- RSRP: at least 80 % of the messages of each lie within the other's 5 to 95 % range, widened by
  3 dB either way.

What was changed on purpose (the new firmware, another supply) is named, and then no obstacle.
Real and virtual modules are never compared, whatever is named; nor are measured and estimated
energies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from testbed.analysis.contrast import Contrast, contrast
from testbed.analysis.limits import Limit, regression_limit
from testbed.analysis.measurements import UNKNOWN, Arm, Measurements
from testbed.analysis.measures import MEASURES, Measure
from testbed.analysis.samples import sample
from testbed.analysis.series import notes as series_notes
from testbed.analysis.verdicts import Grade, Judgement, judge, overall

__all__ = [
    "CHANGEABLE",
    "DEFAULT_MEASURES",
    "ComparisonResult",
    "Row",
    "compare",
    "obstacles",
    "strata",
]

OVERLAP: Final = 0.8
"""At least this share of messages has its like in the other run."""

RSRP_MARGIN_DB: Final = 3.0
SUPPLY_TOLERANCE: Final = 0.02

CHANGEABLE: Final = ("module", "firmware", "supply", "cell", "ecl", "rsrp")
"""What may have been changed on purpose."""

DEFAULT_MEASURES: Final = ("latency_median", "delivery", "uplink_bytes", "energy")
"""What is compared, each at 5 %, where no limits are given."""

LEAST: Final = 10
"""A stratum with fewer messages in an arm is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One configuration and measure of both runs, over all messages or those of one level."""

    configuration: str
    """Which one."""
    measure: str
    """Which figure."""
    stratum: str
    """``all``, or ``ECL 0`` to ``ECL 2``."""
    release_assistance: str
    """What messages told the network, or ``?``."""
    contrast: Contrast
    """The figures."""

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {
            "configuration": self.configuration,
            "measure": self.measure,
            "stratum": self.stratum,
            "release_assistance": self.release_assistance,
            **_contrast_json(self.contrast),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonResult:
    """What a comparison of two runs says."""

    first: str
    """Name of the reference."""
    second: str
    """Name of what was compared with it."""
    grade: Grade
    """The worst of all judgements."""
    judgements: tuple[Judgement, ...]
    """One per limit and configuration."""
    rows: tuple[Row, ...]
    """The figures behind them, also by coverage level."""
    obstacles: tuple[str, ...]
    """Why the two can't be compared; then all is inconclusive."""
    notes: tuple[str, ...]
    """What a reader must know."""

    def to_json(self) -> dict[str, object]:
        """For scripts."""
        return {
            "schema_version": 1,
            "first": self.first,
            "second": self.second,
            "grade": self.grade.value,
            "judgements": [judgement.to_json() for judgement in self.judgements],
            "rows": [row.to_json() for row in self.rows],
            "obstacles": list(self.obstacles),
            "notes": list(self.notes),
        }


def _contrast_json(found: Contrast) -> dict[str, object]:
    return {
        "first": None if found.first is None else found.first.to_json(),
        "second": None if found.second is None else found.second.to_json(),
        "worse_ratio": None if found.worse is None else found.worse.to_json(),
        "change": None if found.change is None else found.change.to_json(),
        "p": None if found.test is None else float(f"{found.test.p:.4g}"),
        "in_blocks": found.paired,
        "problem": found.problem,
    }


def compare(
    first: Measurements,
    second: Measurements,
    limits: Iterable[Limit] = (),
    *,
    changed: Collection[str] = (),
) -> ComparisonResult:
    """Compare a run with a reference.

    Args:
        first: the reference: a baseline, or an earlier run.
        second: the run.
        limits: what is judged; by default a regression of 5 % of `DEFAULT_MEASURES`.
        changed: which of `CHANGEABLE` were changed on purpose.

    Raises:
        ValueError: something in ``changed`` is unknown.
    """
    unknown = sorted(set(changed) - set(CHANGEABLE))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(CHANGEABLE)}")
    judged = tuple(limits) or tuple(regression_limit(name) for name in DEFAULT_MEASURES)
    found = tuple(obstacles(first, second, changed))
    measures = list(dict.fromkeys(one.measure for one in judged if not one.measure.saving))
    rows = tuple(_rows(first, second, measures))
    judgements = judge(
        second,
        judged,
        baseline=first,
        problems=found,
        contrasts={
            (row.configuration, row.measure): row.contrast for row in rows if row.stratum == "all"
        },
    )
    return ComparisonResult(
        first=first.name,
        second=second.name,
        grade=overall(judgement.grade for judgement in judgements),
        judgements=judgements,
        rows=rows,
        obstacles=found,
        notes=tuple(_notes(first, second, changed)),
    )


def obstacles(
    first: Measurements, second: Measurements, changed: Collection[str] = ()
) -> Iterator[str]:
    """Why two runs can't be compared, if they can't.

    Args:
        first: one of them.
        second: the other.
        changed: which of `CHANGEABLE` were changed on purpose.
    """
    one, other = first.conditions, second.conditions
    if one.origin != other.origin:
        yield f"a {one.origin} module and a {other.origin} one are never compared"
    for name in ("module", "firmware"):
        values = getattr(one, name), getattr(other, name)
        if None not in values and values[0] != values[1] and name not in changed:
            yield f"the {name} differs: {values[0]} and {values[1]}"
    if "supply" not in changed and one.supply_v is not None and other.supply_v is not None:
        difference = abs(one.supply_v - other.supply_v)
        if difference > SUPPLY_TOLERANCE * max(one.supply_v, other.supply_v):
            yield f"the supply differs: {one.supply_v:g} V and {other.supply_v:g} V"
    pairs = [(arm, second.arm(arm.name)) for arm in first.arms]
    arms = [(a, b) for a, b in pairs if b is not None]
    if not arms:
        yield "the two have no configuration in common"
        return
    for name, what in (("cell", _cells), ("ecl", _levels)):
        counts = [_counted(what(arm) for arm in side) for side in zip(*arms, strict=True)]
        share = _overlap(*counts)
        if share is not None and share < OVERLAP and name not in changed:
            yield (
                f"{'ECL' if name == 'ecl' else name} differs: {_named(counts[0])} and "
                f"{_named(counts[1])}; {share:.0%} of the messages have their like, "
                f"{OVERLAP:.0%} are asked for"
            )
    if "rsrp" not in changed:
        yield from _rsrp(*([arm.rsrp_dbm for arm in side] for side in zip(*arms, strict=True)))


def _cells(arm: Arm) -> list[str]:
    return [arm.cells[code] for code in arm.cell.tolist() if code != UNKNOWN]


def _levels(arm: Arm) -> list[str]:
    return [str(level) for level in arm.ecl.tolist() if level != UNKNOWN]


def _counted(parts: Iterable[list[str]]) -> Counter[str]:
    return Counter(name for part in parts for name in part)


def _named(counts: Counter[str]) -> str:
    total = counts.total()
    return ", ".join(f"{name} ({count / total:.0%})" for name, count in sorted(counts.items()))


def _overlap(one: Counter[str], other: Counter[str]) -> float | None:
    """The share of messages that have their like on the other side; None where one side is mute."""
    if not one or not other:
        return None
    return sum(min(one[name] / one.total(), other[name] / other.total()) for name in one)


def _rsrp(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> Iterator[str]:
    sides = [np.concatenate(side) for side in (one, other)]
    sides = [side[~np.isnan(side)] for side in sides]
    if not all(len(side) for side in sides):
        return
    ranges = [np.percentile(side, (5, 95)) for side in sides]
    shares = [
        float(((side >= low - RSRP_MARGIN_DB) & (side <= high + RSRP_MARGIN_DB)).mean())
        for side, (low, high) in zip(sides, reversed(ranges), strict=True)
    ]
    if min(shares) < OVERLAP:
        text = " and ".join(f"{low:.0f} to {high:.0f} dBm" for low, high in ranges)
        yield (
            f"RSRP differs: {text}; {min(shares):.0%} of the messages lie within the other's "
            f"range, {OVERLAP:.0%} are asked for"
        )


def _rows(first: Measurements, second: Measurements, measures: Sequence[Measure]) -> Iterator[Row]:
    timeouts_s = (first.conditions.answer_timeout_s, second.conditions.answer_timeout_s)
    assistance = _assistance(first.conditions.release_assistance, second)
    for arm in second.arms:
        other = first.arm(arm.name)
        if other is None:
            continue
        for stratum, one, two in strata(other, arm):
            for measure in measures:
                yield Row(
                    configuration=arm.name,
                    measure=measure.name,
                    stratum=stratum,
                    release_assistance=arm.factors.get("release_assistance", assistance),
                    contrast=contrast(one, two, measure, timeouts_s=timeouts_s, same_run=False),
                )


def _assistance(reference: str | None, run: Measurements) -> str:
    own = run.conditions.release_assistance
    return own if own is not None and own == reference else "?"


def strata(one: Arm, other: Arm) -> Iterator[tuple[str, Arm, Arm]]:
    """All messages, then those of each coverage level that both have, where there are several."""
    yield "all", one, other
    levels = sorted((set(one.ecl.tolist()) | set(other.ecl.tolist())) - {UNKNOWN})
    if len(levels) < 2:
        return
    for level in levels:
        parts = one.where(one.ecl == level), other.where(other.ecl == level)
        if min(map(len, parts)) >= LEAST:
            yield f"ECL {level}", *parts


def _notes(first: Measurements, second: Measurements, changed: Collection[str]) -> Iterator[str]:
    for run in (first, second):
        for note in run.notes:
            yield f"{run.name}: {note}"
    if changed:
        yield f"Changed on purpose: {', '.join(changed)}."
    unsaid = [
        name
        for name, one, other in (
            ("firmware", first.conditions.firmware, second.conditions.firmware),
            ("supply", first.conditions.supply_v, second.conditions.supply_v),
        )
        if one is None or other is None
    ]
    if unsaid:
        yield f"Not known of both, so not compared: {', '.join(unsaid)}."
    for name in ("release_assistance", "answer_timeout_s", "traffic", "carrier", "meter"):
        one, other = getattr(first.conditions, name), getattr(second.conditions, name)
        if one != other:
            yield f"Differs as well: {name.replace('_', ' ')}, {one} and {other}."
    alone = [arm.name for arm in second.arms if first.arm(arm.name) is None]
    alone += [arm.name for arm in first.arms if second.arm(arm.name) is None]
    if alone:
        yield f"In one of the two only: {', '.join(alone)}."
    for run in (first, second):
        yield from latency_notes(run)


def latency_notes(run: Measurements) -> Iterator[str]:
    """What a reader must know about a run's latencies: losses, dependence, drift, outliers."""
    for arm in run.arms:
        lost = int(arm.unanswered.sum())
        what = f"{run.name}, {arm.name}, latency"
        if lost:
            yield f"{what}: {lost} of {len(arm)} messages had no answer; they count as slower."
        values = sample(arm, MEASURES["latency_median"], timeout_s=run.conditions.answer_timeout_s)
        if len(values):
            yield from series_notes(values.ordered, what)
