"""The page's first words: the verdict, what is worst, and the limits behind it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from testbed.analysis.rows import ConfigurationRow
from testbed.analysis.verdicts import Grade, Judgement, worst
from testbed.report import figures
from testbed.report.blocks import cells
from testbed.report.html import Html, element
from testbed.report.levels import cell_labels
from testbed.report.run import RunView

__all__ = ["verdict_section"]

_SIGNS: Final = {
    Grade.FAIL: "\u2715",
    Grade.INCONCLUSIVE: "?",
    Grade.WARN: "!",
    Grade.PASS: "\u2713",
    Grade.NOT_JUDGED: "\u2013",
}
_WORDS: Final = {
    Grade.FAIL: "A limit is broken",
    Grade.INCONCLUSIVE: "Too few messages to tell",
    Grade.WARN: "A limit may be broken",
    Grade.PASS: "All limits were shown to be kept",
    Grade.NOT_JUDGED: "Nothing was judged",
}


def verdict_section(view: RunView) -> Html:
    """Verdict, worst offender, limits."""
    judgements, grade = worst(view.judgements), view.grade
    counts = Counter(one.grade for one in judgements)
    labels = cell_labels(view.summary.run.cells)
    against = "" if view.comparison is None else f" Reference: {view.comparison.first}."
    if judgements:
        tally = ", ".join(f"{counts[one]} {one.value}" for one in Grade if counts[one])
        said = f"{tally} of {len(judgements)} judgements.{against}"
    else:
        said = f"The run has no limits of its own.{against}"
    return element(
        "section",
        element(
            "div",
            _grade(grade),
            element("div", element("strong", _WORDS[grade]), element("p", said, class_="soft")),
            class_="verdict",
        ),
        _offender(view, judgements, labels),
        _by_limit(judgements, labels) if judgements else None,
        element(
            "details",
            element("summary", f"All {len(judgements)} judgements"),
            _all(judgements, labels),
        )
        if judgements
        else None,
    )


def _grade(grade: Grade) -> Html:
    return element(
        "span",
        element("span", _SIGNS[grade], aria_hidden="true"),
        f" {grade.value}",
        class_=f"grade {grade.name.lower().replace('_', '-')}",
    )


def _offender(
    view: RunView, judgements: Sequence[Judgement], labels: Mapping[str, str]
) -> Html | None:
    """What a reader should look at first."""
    if judgements and judgements[0].grade is not Grade.NOT_JUDGED:
        found = judgements[0]
        label = "Nearest to its limit" if found.grade is Grade.PASS else "Worst offender"
        name, text = found.configuration, f"{found.limit.text}: {found.reason}"
    else:
        rows = [row for row in view.summary.cells or view.summary.rows if row.messages]
        if len(rows) < 2:
            return None
        row = max(rows, key=_badness)
        label, name = "Worst of the run", row.cell or row.configuration
        text = (
            f"{row.answered} of {row.messages} answered, 95 % within "
            f"{figures.quantile(row.latency.p95)}"
        )
    shown = element("strong", labels.get(name, name))
    return element("p", f"{label}: ", shown, f", {text}", class_="offender")


def _badness(row: ConfigurationRow) -> tuple[float, float]:
    """Losses first, then the slowest."""
    p95 = row.latency.p95
    seconds = math.inf if p95 is None or p95.value_s is None else p95.value_s
    return row.unanswered / row.messages, seconds


def _by_limit(judgements: Sequence[Judgement], labels: Mapping[str, str]) -> Html:
    """A line per limit: what became of it, and where it is worst; the worst limit first."""
    by_text: dict[str, list[Judgement]] = {}
    for one in judgements:
        by_text.setdefault(one.limit.text, []).append(one)

    def line(text: str, found: Sequence[Judgement]) -> Html:
        first = found[0]
        counts = Counter(one.grade for one in found)
        tally = ", ".join(f"{counts[grade]} {grade.value}" for grade in Grade if counts[grade])
        where = labels.get(first.configuration, first.configuration)
        said = f"{where}: {first.reason}" if first.reason else where
        return element(
            "tr",
            element("td", _grade(first.grade)),
            element(
                "td",
                element("strong", text),
                element("span", f" \u00b7 {tally}", class_="soft") if len(found) > 1 else None,
                element("br"),
                element("span", said, class_="soft small"),
            ),
        )

    return element(
        "table",
        element("tbody", *(line(text, found) for text, found in by_text.items())),
        class_="left limits",
    )


def _all(judgements: Sequence[Judgement], labels: Mapping[str, str]) -> Html:
    def line(one: Judgement) -> Html:
        unit = one.limit.measure.unit
        return element(
            "tr",
            element("td", _grade(one.grade)),
            element("td", labels.get(one.configuration, one.configuration)),
            element("td", one.limit.text),
            element("td", figures.measured(one.reference, unit), class_="figure"),
            element("td", figures.measured(one.value, unit), class_="figure"),
            element("td", one.reason, class_="soft small"),
        )

    head = ("verdict", "where", "limit", "reference", "run", "why")
    return element(
        "div",
        element(
            "table",
            element("thead", cells("th", head)),
            element("tbody", *(line(one) for one in judgements)),
            class_="left limits all",
        ),
        class_="scroll",
    )
