"""What becomes of a limit: fail, warn, pass, or inconclusive with the number that would decide.

Two grades say that a figure is worse than allowed. With p after Holm's adjustment over all limits
that are judged together, and the 95 % interval of the ratio (1 is "the same", above 1 is worse):

============  ======================================================================================
fail          p < .01, and all of the interval lies past the limit
warn          p < .01, the figure lies past the limit, and all of the interval lies above 1
pass          all of the interval lies within the limit: that it is kept was shown
inconclusive  none of these; the number of messages that would decide is given
============  ======================================================================================

Of a plain bound (``max``, ``min``) the reference is the bound itself: fail as above, warn where the
interval lies past it and p does not reach .01. What was not shown is never a pass, and nobody may
repeat a campaign until it is green: when to stop depends on precision alone (`precise_enough`).

Of few independent stretches (`FEW_CLUSTERS`) intervals and tests are Student's, and so are wide. A
figure far from its bound is judged all the same; then a pass, too, needs p < .01. Of fewer than
`LEAST_CLUSTERS` nothing is judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from testbed.analysis import significance, statistics
from testbed.analysis.contrast import Contrast, contrast, mixed_sources
from testbed.analysis.limits import Limit, LimitKind, show
from testbed.analysis.measurements import Arm, Measurements
from testbed.analysis.measures import SHARE, Better, Measure, Statistic
from testbed.analysis.samples import sample
from testbed.analysis.series import MIN_CLUSTERS
from testbed.analysis.significance import Test
from testbed.analysis.statistics import FEW_CLUSTERS, Estimate, Sample, reach
from testbed.errors import ExitCode

__all__ = [
    "ALPHA",
    "LEAST_CLUSTERS",
    "Grade",
    "Judgement",
    "exit_code",
    "grade_bound",
    "grade_regression",
    "judge",
    "judge_sample",
    "needed_messages",
    "overall",
    "past_limit",
    "precise_enough",
    "worst",
]

ALPHA: Final = 0.01
"""A difference is one when p is below, over all limits together."""

LEAST_CLUSTERS: Final = 4
"""Fewer independent stretches than this give no verdict: of their spread nothing is known."""

_POWER_Z: Final = 0.8416  # of 80 %
_Z: Final = 1.9600


class Grade(StrEnum):
    """What becomes of a limit, the worst first."""

    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    WARN = "warn"
    PASS = "pass"
    NOT_JUDGED = "not judged"
    """There was nothing to compare with; the reason says what."""


def overall(grades: Iterable[Grade]) -> Grade:
    """The worst of several; of none, nothing was judged."""
    found = set(grades)
    return next((grade for grade in Grade if grade in found), Grade.NOT_JUDGED)


def exit_code(grade: Grade) -> ExitCode:
    """What the command line ends with: a warning alone fails nothing."""
    match grade:
        case Grade.FAIL:
            return ExitCode.LIMIT_FAILED
        case Grade.INCONCLUSIVE:
            return ExitCode.INCONCLUSIVE
        case _:
            return ExitCode.PASS


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One limit applied to one configuration."""

    configuration: str
    """Which one."""
    limit: Limit
    """Which limit."""
    grade: Grade
    """What became of it."""
    value: Estimate | None
    """The figure."""
    reference: Estimate | None = None
    """What it was compared with, where it was."""
    effect: Estimate | None = None
    """What was held against the limit: the ratio (above 1 is worse), the saving, or the figure."""
    p: float | None = None
    """Two-sided p value, on its own."""
    p_adjusted: float | None = None
    """After Holm, over all limits judged together."""
    needed: int | None = None
    """Of an inconclusive one: messages per configuration that would decide, roughly."""
    reason: str = ""
    """In words."""

    def to_json(self) -> dict[str, object]:
        """All fields by name."""
        return {
            "configuration": self.configuration,
            "limit": self.limit.to_json(),
            "grade": self.grade.value,
            "value": None if self.value is None else self.value.to_json(),
            "reference": None if self.reference is None else self.reference.to_json(),
            "effect": None if self.effect is None else self.effect.to_json(),
            "p": _rounded(self.p),
            "p_adjusted": _rounded(self.p_adjusted),
            "needed_messages": self.needed,
            "reason": self.reason,
        }


def past_limit(judgement: Judgement) -> float:
    """How far a figure lies past its limit, as a share of the limit; below 0 within it."""
    limit, effect = judgement.limit, judgement.effect
    if effect is None or not math.isfinite(effect.value):
        return -math.inf
    if limit.kind is LimitKind.REGRESSION:
        return effect.value - 1 - limit.bound
    scale = abs(limit.bound) or 1.0
    past = (effect.value - limit.bound) / scale
    return past if limit.kind is LimitKind.MAX else -past


def worst(judgements: Iterable[Judgement]) -> list[Judgement]:
    """The judgements, the worst first: by grade, then by how far past the limit they are."""
    order = {grade: position for position, grade in enumerate(Grade)}
    return sorted(judgements, key=lambda one: (order[one.grade], -past_limit(one)))


def _rounded(p: float | None) -> float | None:
    return None if p is None else float(f"{p:.4g}")


def needed_messages(n: int, effect: Estimate, limit: float, floor: float) -> int | None:
    """How many messages per configuration would decide, roughly.

    The interval narrows with the root of the number; what counts is its end on the limit's side.
    What is asked is that, if the figure stays where it is, it misses the limit in four of five
    campaigns of that size.

    Args:
        n: messages per configuration now.
        effect: what is held against the limit; on a logarithmic scale where that makes sense.
        limit: on the same scale.
        floor: the smallest distance that anybody needs to see; the figure itself is not known well.

    Returns:
        Two significant digits; None where the interval has no end.
    """
    half = effect.high - effect.value if effect.value <= limit else effect.value - effect.low
    if not math.isfinite(half) or half <= 0:
        return None
    distance = max(abs(effect.value - limit), floor)
    needed = n * ((half / reach(effect.clusters)) * (_Z + _POWER_Z) / distance) ** 2
    needed = max(needed, n + 1.0)
    step = 10 ** max(math.floor(math.log10(needed)) - 1, 0)
    return int(math.ceil(needed / step) * step)


def _logarithms(ratio: Estimate) -> Estimate:
    """A ratio on a logarithmic scale, where its interval is symmetrical."""

    def log(value: float) -> float:
        return math.log(value) if value > 0 else -math.inf

    return replace(ratio, value=log(ratio.value), low=log(ratio.low), high=log(ratio.high))


def grade_regression(worse: Estimate, test: Test, p_adjusted: float, allowed: float) -> Grade:
    """The grade of a ratio.

    Args:
        worse: above 1 is worse.
        test: whether there is any difference; its sign turned so that above 0 is worse.
        p_adjusted: its p after Holm.
        allowed: by what share it may be worse, 0.05 for 5 %.
    """
    if worse.clusters < LEAST_CLUSTERS:
        return Grade.INCONCLUSIVE
    limit = 1 + allowed
    differs = p_adjusted < ALPHA and test.z > 0
    if differs and worse.low > limit:
        return Grade.FAIL
    if differs and worse.value > limit and worse.low > 1:
        return Grade.WARN
    return Grade.PASS if worse.high <= limit else Grade.INCONCLUSIVE


def grade_bound(figure: Estimate, p_adjusted: float, limit: Limit) -> Grade:
    """The grade of a figure held against a plain bound.

    Args:
        figure: in the base unit.
        p_adjusted: whether it differs from the bound at all, after Holm.
        limit: a max or a min.
    """
    if figure.clusters < LEAST_CLUSTERS:
        return Grade.INCONCLUSIVE
    shown = p_adjusted < ALPHA
    if limit.kind is LimitKind.MAX:
        past, within = figure.low > limit.bound, figure.high <= limit.bound
    else:
        past, within = figure.high < limit.bound, figure.low >= limit.bound
    if past:
        return Grade.FAIL if shown else Grade.WARN
    few = figure.clusters < FEW_CLUSTERS
    return Grade.PASS if within and (shown or not few) else Grade.INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A limit and a configuration, measured and not yet judged."""

    configuration: str
    limit: Limit
    n: int = 0
    value: Estimate | None = None
    reference: Estimate | None = None
    effect: Estimate | None = None
    test: Test | None = None
    problem: str | None = None
    judged: bool = True


def _needed_for_share(case: _Case) -> int | None:
    """How many messages would decide if shares stay as they are; None if that decides nothing."""
    assert case.value is not None
    limit, needed = case.limit, case.n
    while needed < 1_000_000:
        needed += max(needed // 50, 1)
        found = statistics.share_of(case.value.value, needed)
        bound = limit.bound
        if limit.kind is LimitKind.REGRESSION:
            assert case.reference is not None
            reference = statistics.share_of(case.reference.value, needed)
            found, bound = statistics.share_ratio(found, reference), 1 + limit.bound
        if found.high <= bound or found.low > bound:
            return needed
    return None


def judge(
    run: Measurements,
    limits: Iterable[Limit],
    *,
    baseline: Measurements | None = None,
    problems: Sequence[str] = (),
    contrasts: Mapping[tuple[str, str], Contrast] | None = None,
) -> tuple[Judgement, ...]:
    """Hold a run against its limits.

    Args:
        run: what was measured.
        limits: of the campaign; Holm's adjustment goes over all that are judged.
        baseline: what a regression without ``against`` is compared with; None: it isn't judged.
        problems: why run and baseline can't be compared; such limits are inconclusive.
        contrasts: what is known already of run and baseline, by configuration and measure.

    Returns:
        One judgement per limit and configuration, in the order of the limits.
    """
    reference = None if baseline is None else _Reference(baseline, problems, contrasts or {})
    cases = [case for limit in limits for case in _cases(run, limit, reference)]
    tested = [case for case in cases if case.test is not None and case.problem is None]
    adjusted = significance.holm([case.test.p for case in tested if case.test is not None])
    by_case = {id(case): p for case, p in zip(tested, adjusted, strict=True)}
    return tuple(_judged(case, by_case.get(id(case))) for case in cases)


def judge_sample(name: str, values: Sample, limit: Limit) -> Judgement:
    """Hold values that belong to no run against a plain bound, on its own.

    Args:
        name: what was measured, in place of a configuration.
        values: at least one, in the limit's base unit.
        limit: a max or a min.
    """
    timeout_s = float(values.values.max()) if values.censored.any() else None
    case = _held(_Case(configuration=name, limit=limit, n=len(values)), values, timeout_s)
    return _judged(case, None if case.test is None else case.test.p)


@dataclass(frozen=True, slots=True)
class _Reference:
    """What regressions are held against."""

    baseline: Measurements
    problems: Sequence[str]
    contrasts: Mapping[tuple[str, str], Contrast]


def _cases(run: Measurements, limit: Limit, reference: _Reference | None) -> Iterable[_Case]:
    arms = [arm for arm in run.arms if limit.configuration in (None, arm.name, arm.configuration)]
    silent = [
        name
        for name in run.missing
        if name != limit.against and limit.configuration in (None, name, name.split(" ")[0])
    ]
    if not arms and not silent:
        silent = [limit.configuration or run.name]
    for name in silent:
        yield _Case(configuration=name, limit=limit, problem="the run has no message of it")
    for arm in arms:
        if limit.against in (arm.name, arm.configuration):
            continue
        if limit.against is not None:
            yield _against(run, arm, limit)
        elif limit.kind is LimitKind.REGRESSION:
            yield _regression(run, arm, limit, reference)
        else:
            yield _bound(run, arm, limit)


def _against(run: Measurements, arm: Arm, limit: Limit) -> _Case:
    """A regression or a saving against another configuration of the same run."""
    other = run.arm(limit.against or "") or run.like(arm, limit.against or "")
    if other is None:
        problem = f"the run has no message of {limit.against}"
        return _Case(configuration=arm.name, limit=limit, problem=problem)
    timeout_s = run.conditions.answer_timeout_s
    found = contrast(other, arm, limit.measure, timeouts_s=(timeout_s, timeout_s), same_run=True)
    case = _Case(
        configuration=arm.name,
        limit=limit,
        n=min(len(arm), len(other)),
        value=found.second,
        reference=found.first,
        problem=found.problem,
    )
    if found.problem is not None:
        return case
    if not limit.measure.saving:
        return replace(case, effect=found.worse, test=_turned(found.test, limit.measure))
    change = found.change
    assert change is not None
    saved = replace(change, value=-change.value, low=-change.high, high=-change.low)
    return replace(case, effect=saved, test=significance.interval_test(saved, limit.bound))


def _regression(run: Measurements, arm: Arm, limit: Limit, reference: _Reference | None) -> _Case:
    """A regression against the baseline."""
    case = _Case(configuration=arm.name, limit=limit, n=len(arm))
    if reference is None:
        return replace(case, problem="there is no baseline to compare with", judged=False)
    baseline = reference.baseline
    other = baseline.arm(arm.name)
    if other is None:
        return replace(case, problem=f"{baseline.name} has no message of it")
    timeouts_s = (baseline.conditions.answer_timeout_s, run.conditions.answer_timeout_s)
    found = reference.contrasts.get((arm.name, limit.measure.name)) or contrast(
        other, arm, limit.measure, timeouts_s=timeouts_s, same_run=False
    )
    return replace(
        case,
        n=min(len(arm), len(other)),
        value=found.second,
        reference=found.first,
        effect=found.worse,
        test=_turned(found.test, limit.measure),
        problem="; ".join(reference.problems) or found.problem,
    )


def _bound(run: Measurements, arm: Arm, limit: Limit) -> _Case:
    """A plain bound."""
    measure = limit.measure
    timeout_s = run.conditions.answer_timeout_s
    values = sample(arm, measure, timeout_s=timeout_s)
    case = _Case(configuration=arm.name, limit=limit, n=len(values))
    if not len(values):
        return replace(case, problem="nothing was measured for it")
    if measure.sourced:
        case = replace(case, problem=mixed_sources(arm))
    return _held(case, values, timeout_s if measure.censors else None)


def _held(case: _Case, values: Sample, timeout_s: float | None) -> _Case:
    """Values held against a plain bound; beyond the time-out nobody knows any."""
    limit, problem = case.limit, case.problem
    if timeout_s is not None and limit.bound > timeout_s:
        problem = (
            f"the limit lies beyond the time-out of {show(timeout_s, 's')}, where nobody waited"
        )
    figure = statistics.estimate(values, limit.measure.statistic)
    return replace(
        case,
        value=figure,
        effect=figure,
        test=_bound_test(values, figure, limit),
        problem=problem,
    )


def _bound_test(values: Sample, figure: Estimate, limit: Limit) -> Test:
    statistic = limit.measure.statistic
    if statistic is SHARE:
        return significance.share_test(values.values, values.clusters, limit.bound)
    if figure.clusters < FEW_CLUSTERS:
        return significance.interval_test(figure, limit.bound)
    if statistic.share is not None:
        return significance.exceedance(values, limit.bound, statistic.share)
    return significance.mean_test(values, limit.bound)


def _turned(test: Test | None, measure: Measure) -> Test | None:
    """The test with its sign turned so that above 0 is worse."""
    if test is None or measure.better is Better.LOWER:
        return test
    return replace(test, z=-test.z)


def _judged(case: _Case, p_adjusted: float | None) -> Judgement:
    judgement = Judgement(
        configuration=case.configuration,
        limit=case.limit,
        grade=Grade.INCONCLUSIVE if case.judged else Grade.NOT_JUDGED,
        value=case.value,
        reference=case.reference,
        effect=case.effect,
        p=None if case.test is None else case.test.p,
        p_adjusted=p_adjusted,
        reason=case.problem or "",
    )
    effect, test, limit = case.effect, case.test, case.limit
    if case.problem is not None or effect is None or test is None or p_adjusted is None:
        return judgement
    if limit.kind is LimitKind.REGRESSION:
        grade = grade_regression(effect, test, p_adjusted, limit.bound)
        scaled, bound = _logarithms(effect), math.log1p(limit.bound)
        floor = bound / 4
    else:
        grade = grade_bound(effect, p_adjusted, limit)
        scaled, bound, floor = effect, limit.bound, max(abs(limit.bound) * 0.01, 1e-12)
    needed = None
    if grade is Grade.INCONCLUSIVE:
        if effect.clusters < LEAST_CLUSTERS:
            needed = math.ceil(case.n * LEAST_CLUSTERS / effect.clusters)
        elif limit.measure.statistic is SHARE:
            needed = _needed_for_share(case)
        else:
            needed = needed_messages(case.n, scaled, bound, floor)
    return replace(
        judgement, grade=grade, needed=needed, reason=_reason(grade, case, p_adjusted, needed)
    )


def _reason(grade: Grade, case: _Case, p_adjusted: float, needed: int | None) -> str:
    effect, limit = case.effect, case.limit
    assert effect is not None
    unit = "1" if limit.kind is LimitKind.REGRESSION else limit.measure.unit
    shift = 1.0 if limit.kind is LimitKind.REGRESSION else 0.0
    low, high = (
        show(end - shift, unit) if math.isfinite(end) else "?" for end in (effect.low, effect.high)
    )
    least = "at least " if effect.censored else ""
    said = f"{least}{show(effect.value - shift, unit)} ({low} to {high}), p {p_adjusted:.2g}"
    if limit.kind is LimitKind.REGRESSION:
        said = f"worse by {said}"
    elif limit.measure.saving:
        said = f"saves {said}"
    if grade is not Grade.INCONCLUSIVE:
        return said
    if effect.clusters < LEAST_CLUSTERS:
        said = f"too few independent stretches ({effect.clusters}) to judge: {said}"
    elif effect.clusters < FEW_CLUSTERS:
        said = f"of {effect.clusters} independent stretches {said}"
    more = f"need about n = {needed}" if needed is not None else _no_number(effect, limit)
    return f"{said}; inconclusive at n = {case.n}, {more}"


def _no_number(effect: Estimate, limit: Limit) -> str:
    """Why it can't be said how many messages would decide."""
    if effect.censored:
        return (
            "more messages alone won't tell: the figure lies among messages without an answer; "
            "find out why they have none, or wait longer"
        )
    if limit.measure.statistic is SHARE:
        return "no number of messages below 1,000,000 would decide: the figure is at the limit"
    if not (math.isfinite(effect.low) and math.isfinite(effect.high)):
        return "how many more would decide is not known: some resamples have no answer, or are 0"
    return "how many more would decide is not known: all values are the same"


def precise_enough(samples: Iterable[Sample], statistic: Statistic, share: float) -> bool:
    """Whether every interval is narrow enough to stop: it looks at widths, never at a verdict.

    A campaign may call this between blocks, with its largest number of messages fixed beforehand.
    To stop when a limit is kept, or broken, would find differences where there are none.

    Args:
        samples: what was measured so far, one per configuration.
        statistic: whose interval is looked at.
        share: the largest half width of its 95 % interval, as a share of the figure.
    """
    for values in samples:
        if not len(values):
            return False
        found = statistics.estimate(values, statistic)
        if found.clusters < MIN_CLUSTERS or found.censored:
            return False
        if found.half_width > share * abs(found.value):
            return False
    return True
