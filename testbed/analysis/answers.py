"""The bench's two questions: what security costs, and what ROHC saves.

Answered for bytes, latency and energy, each with its 95 % interval, over all messages and by
coverage level, and by release assistance where a campaign varies it. Both sides are of one run:
compared within randomised blocks where there are enough of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from testbed.analysis.comparison import strata
from testbed.analysis.contrast import Contrast, contrast
from testbed.analysis.limits import show
from testbed.analysis.measurements import Arm, Measurements
from testbed.analysis.measures import MEASURES, Measure
from testbed.analysis.statistics import Estimate

__all__ = ["COST_MEASURES", "Cost", "Saving", "costs", "savings", "uncompressed"]

COST_MEASURES: Final = ("header_bytes", "latency_median", "energy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What compression saves: one measure, over all messages or those of one coverage level."""

    compressed: str
    """The configuration with compression."""
    without: str
    """The one that is the same without it."""
    measure: Measure
    """``saved_bytes``, ``saved_latency`` or ``saved_energy``."""
    stratum: str
    """``all``, or ``ECL 0`` to ``ECL 2``."""
    release_assistance: str
    """What messages told the network, or ``?``."""
    kind: str
    """Of energies ``measured`` or ``estimated``, with the model; else empty."""
    saved: Estimate | None
    """In the base unit, above 0 where compression saves; None where it can't be said."""
    messages: int
    """Messages in the smaller of the two."""
    paired: bool
    """Compared within randomised blocks."""
    problem: str | None = None
    """Why it can't be said."""

    @property
    def detectable(self) -> bool:
        """The interval excludes that nothing is saved or lost."""
        return _is_detectable(self.saved)

    @property
    def text(self) -> str:
        """In words: the saving with its interval, or that there is no detectable difference."""
        return _in_words(self.saved, self.measure, self.messages, self.problem)

    def to_json(self) -> dict[str, object]:
        """All fields by name, with the text."""
        return {
            "compressed": self.compressed,
            "without": self.without,
            "measure": self.measure.name,
            "stratum": self.stratum,
            "release_assistance": self.release_assistance,
            "kind": self.kind,
            "saved": None if self.saved is None else self.saved.to_json(),
            "messages": self.messages,
            "in_blocks": self.paired,
            "detectable": self.detectable,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What security costs: one measure, over all messages or those of one coverage level."""

    secured: str
    """The configuration with security, with or without compression."""
    without: str
    """The one with neither."""
    measure: Measure
    """``header_bytes``, ``latency_median`` or ``energy``."""
    stratum: str
    """``all``, or ``ECL 0`` to ``ECL 2``."""
    release_assistance: str
    """What messages told the network, or ``?``."""
    kind: str
    """Of energies ``measured`` or ``estimated``, with the model; else empty."""
    added: Estimate | None
    """In the base unit, above 0 where security costs; None where it can't be said."""
    messages: int
    """Messages in the smaller of the two."""
    paired: bool
    """Compared within randomised blocks."""
    problem: str | None = None
    """Why it can't be said."""

    @property
    def detectable(self) -> bool:
        """The interval excludes that nothing is added or taken away."""
        return _is_detectable(self.added)

    @property
    def text(self) -> str:
        """In words: the cost with its interval, or that there is no detectable difference."""
        return _in_words(self.added, self.measure, self.messages, self.problem)

    def to_json(self) -> dict[str, object]:
        """All fields by name, with the text."""
        return {
            "secured": self.secured,
            "without": self.without,
            "measure": self.measure.name,
            "stratum": self.stratum,
            "release_assistance": self.release_assistance,
            "kind": self.kind,
            "added": None if self.added is None else self.added.to_json(),
            "messages": self.messages,
            "in_blocks": self.paired,
            "detectable": self.detectable,
            "text": self.text,
        }


def _is_detectable(found: Estimate | None) -> bool:
    return found is not None and (found.low > 0 or found.high < 0)


def _in_words(found: Estimate | None, measure: Measure, n: int, problem: str | None) -> str:
    if found is None:
        return problem or "not known"
    low, high = show(found.low, measure.unit), show(found.high, measure.unit)
    said = f"{show(found.value, measure.unit)} ({low} to {high})"
    if _is_detectable(found):
        return said
    return f"no detectable difference at n = {n}: {said}"


def uncompressed(run: Measurements, arm: Arm) -> Arm | None:
    """The arm that is the same without compression, or None."""
    if arm.compression == "none":
        return None
    name = arm.configuration
    plain = name.replace("rohc+", "", 1) if "rohc+" in name else name.replace("rohc", "none", 1)
    found = run.like(arm, plain)
    return found if found is not None and found.compression == "none" else None


def savings(run: Measurements) -> tuple[Saving, ...]:
    """What compression saves in bytes, latency and energy, per ECL and release assistance.

    Args:
        run: a campaign with configurations with and without compression.
    """
    return tuple(_savings(run))


def _savings(run: Measurements) -> Iterator[Saving]:
    measures = [entry for entry in MEASURES.values() if entry.saving]
    for arm in run.arms:
        other = uncompressed(run, arm)
        if other is None:
            continue
        for measure, stratum, found, messages in _differences(run, other, arm, measures):
            yield Saving(
                compressed=arm.name,
                without=other.name,
                measure=measure,
                stratum=stratum,
                release_assistance=_own_assistance(run, arm),
                kind=_kind(arm) if measure.sourced else "",
                saved=None if found.change is None else _negated(found.change),
                messages=messages,
                paired=found.paired,
                problem=found.problem,
            )


def costs(run: Measurements) -> tuple[Cost, ...]:
    """What security costs in bytes, latency and energy, per ECL and release assistance.

    Args:
        run: a campaign with the configuration ``none`` and others.
    """
    return tuple(_costs(run))


def _costs(run: Measurements) -> Iterator[Cost]:
    measures = [MEASURES[name] for name in COST_MEASURES]
    for arm in run.arms:
        other = None if arm.security in ("none", "") else run.like(arm, "none")
        if other is None:
            continue
        for measure, stratum, found, messages in _differences(run, other, arm, measures):
            yield Cost(
                secured=arm.name,
                without=other.name,
                measure=measure,
                stratum=stratum,
                release_assistance=_own_assistance(run, arm),
                kind=_kind(arm) if measure.sourced else "",
                added=found.change,
                messages=messages,
                paired=found.paired,
                problem=found.problem,
            )


def _differences(
    run: Measurements, reference: Arm, arm: Arm, measures: Sequence[Measure]
) -> Iterator[tuple[Measure, str, Contrast, int]]:
    """An arm against another one of the same run, by measure and coverage level."""
    timeouts_s = (run.conditions.answer_timeout_s,) * 2
    for measure in measures:
        for stratum, one, two in strata(reference, arm):
            found = contrast(one, two, measure, timeouts_s=timeouts_s, same_run=True)
            yield measure, stratum, found, min(len(one), len(two))


def _own_assistance(run: Measurements, arm: Arm) -> str:
    return arm.factors.get("release_assistance", run.conditions.release_assistance or "?")


def _kind(arm: Arm) -> str:
    return ", ".join(" ".join(source) for source in arm.sources)


def _negated(change: Estimate) -> Estimate:
    return Estimate(
        value=-change.value,
        low=-change.high,
        high=-change.low,
        n=change.n,
        clusters=change.clusters,
        censored=change.censored,
    )
