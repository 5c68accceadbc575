"""Verdicts, comparisons and savings for the terminal.

Everything that comes from outside is placed as `Text`, never as markup.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from testbed.analysis.answers import Saving
from testbed.analysis.comparison import ComparisonResult, Row
from testbed.analysis.limits import show
from testbed.analysis.measures import MEASURES
from testbed.analysis.statistics import Estimate
from testbed.analysis.verdicts import Grade, Judgement, worst

__all__ = ["render_comparison", "render_judgements", "render_savings"]

_STYLES = {
    Grade.FAIL: "bold red",
    Grade.INCONCLUSIVE: "yellow",
    Grade.WARN: "bold yellow",
    Grade.PASS: "green",
    Grade.NOT_JUDGED: "dim",
}


def _table(*columns: str, title: str) -> Table:
    table = Table(
        title=Text(title, style="bold"),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        pad_edge=False,
    )
    for position, column in enumerate(columns):
        first = position == 0
        table.add_column(column, justify="left" if first else "right", no_wrap=not first)
    return table


def _figure(found: Estimate | None, unit: str) -> str:
    if found is None:
        return "-"
    return f"{'>= ' if found.censored else ''}{show(found.value, unit)}"


def _ratio(found: Estimate | None) -> str:
    """A ratio as what it is worse or better by, with its interval."""
    if found is None:
        return "-"

    def percent(value: float) -> str:
        return f"{(value - 1) * 100:+.1f} %" if math.isfinite(value) else "?"

    low, high = (percent(end).removesuffix(" %") for end in (found.low, found.high))
    return f"{percent(found.value)} ({low} to {high})"


def render_judgements(
    judgements: Sequence[Judgement],
    *,
    title: str = "Limits",
    labels: Mapping[str, str] | None = None,
) -> RenderableType:
    """A block per limit: all that passes in one line with what is worst, the others in full.

    Args:
        judgements: to show.
        title: over them.
        labels: how cells are called; a name without one stands as it is.
    """
    names = labels or {}
    by_limit: dict[str, list[Judgement]] = {}
    for one in judgements:
        by_limit.setdefault(one.limit.text, []).append(one)
    lines = [Text(title, style="bold")]
    for text, found in by_limit.items():
        lines.append(Text(f" {text}"))
        passed = [one for one in found if one.grade is Grade.PASS]
        if passed:
            lines.append(Text.assemble("  ", *_passed(passed, names)))
        reasons: dict[tuple[Grade, str], list[str]] = {}
        for one in worst(one for one in found if one.grade is not Grade.PASS):
            name = names.get(one.configuration, one.configuration)
            reasons.setdefault((one.grade, one.reason), []).append(name)
        for (grade, reason), alike in reasons.items():
            who = alike[0] if len(alike) == 1 else f"{len(alike)} of them"
            lines.append(Text.assemble("  ", (grade.value, _STYLES[grade]), f" {who}: {reason}"))
    return Group(*lines)


def _passed(
    passed: Sequence[Judgement], names: Mapping[str, str]
) -> Iterator[str | tuple[str, str]]:
    """Who passes, and which of them is nearest to the limit."""
    nearest = worst(passed)[0]
    yield (Grade.PASS.value, _STYLES[Grade.PASS])
    name = names.get(nearest.configuration, nearest.configuration)
    unit = nearest.limit.measure.unit
    value = _figure(nearest.value, unit)
    if nearest.reference is not None:
        value += f" against {_figure(nearest.reference, unit)}"
    yield f" {name}: {value}" if len(passed) == 1 else f" {len(passed)}: worst {value} in {name}"


def render_comparison(result: ComparisonResult) -> RenderableType:
    """A comparison: verdicts, the figures by coverage level, why and notes.

    Args:
        result: of two runs.
    """
    parts: list[RenderableType] = [
        render_judgements(result.judgements, title=f"{result.second} against {result.first}")
    ]
    strata = [row for row in result.rows if row.stratum != "all"]
    if strata:
        table = _table("by coverage level", "reference", "run", "worse by", title="")
        for row in strata:
            table.add_row(*(Text(cell) for cell in _stratum(row)))
        parts.append(table)
    parts += [Text(f"! {obstacle}", style="yellow") for obstacle in result.obstacles]
    parts += [Text(f"* {note}") for note in result.notes]
    parts.append(Text.assemble("verdict: ", (result.grade.value, _STYLES[result.grade])))
    return Group(*parts)


def _stratum(row: Row) -> Iterator[str]:
    unit = MEASURES[row.measure].unit
    yield f"{row.configuration}, {row.stratum}, RAI {row.release_assistance}: {row.measure}"
    yield _figure(row.contrast.first, unit)
    yield _figure(row.contrast.second, unit)
    yield _ratio(row.contrast.worse)


def render_savings(savings: Sequence[Saving]) -> RenderableType:
    """What compression saves, per coverage level and release assistance.

    Args:
        savings: of one run.
    """
    lines: list[Text] = [Text("What ROHC saves per message, with its 95 % interval", style="bold")]
    seen: tuple[str, str, str] | None = None
    for saving in savings:
        head = (saving.compressed, saving.stratum, saving.release_assistance)
        if head != seen:
            seen = head
            blocks = "within blocks" if saving.paired else "not in blocks"
            where = "" if saving.stratum == "all" else f", {saving.stratum}"
            assistance = f", RAI {saving.release_assistance}"
            if saving.release_assistance in saving.compressed:
                assistance = ""  # a level of the campaign: the name has it
            lines.append(
                Text(f"{saving.compressed}{where}{assistance}: n = {saving.messages}, {blocks}")
            )
        what = saving.measure.name.removeprefix("saved_")
        kind = f" ({saving.kind})" if saving.kind else ""
        lines.append(Text(f"  {what}{kind}: {saving.text}"))
    return Group(*lines)
