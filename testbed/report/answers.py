"""The answer table: what security costs, and what ROHC saves, each with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from testbed.analysis.measures import Measure
from testbed.analysis.statistics import Estimate
from testbed.report import figures
from testbed.report.blocks import section
from testbed.report.html import Html, element
from testbed.report.levels import levels_text
from testbed.report.run import RunView

__all__ = ["answer_section"]

_MANY: Final = 10
"""Longer groups of lines are folded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """One figure of the table."""

    saves: bool
    configuration: str
    against: str
    place: str
    measure: Measure
    kind: str
    found: Estimate | None
    detectable: bool
    messages: int
    problem: str | None

    @property
    def question(self) -> tuple[bool, str, str]:
        return self.saves, self.configuration, self.against


def answer_section(view: RunView) -> Html:
    """What security costs and what ROHC saves; or what it takes to tell."""
    answers = list(_answers(view))
    heading = "What does ESP cost, what does ROHC save?"
    if not answers:
        return section(
            heading,
            element(
                "p",
                "This run cannot tell: it takes the configuration none beside one with security, "
                "or one with ROHC beside the same without it.",
                class_="soft",
            ),
        )
    answers.sort(key=lambda one: one.question)  # stable: places stay in the run's order
    groups = [list(found) for _, found in groupby(answers, key=lambda one: one.question)]
    units = list(dict.fromkeys(one.measure.unit for one in answers))
    kinds = " / ".join(sorted({one.kind for one in answers if one.kind}))
    titles = {"B": "header bytes", "s": "median latency", "J": f"energy, {kinds or 'not known'}"}
    tables = [_group(group, units, titles) for group in groups]
    return section(
        heading,
        *tables,
        element(
            "p",
            "Per uplink message, with 95 % intervals; soft where no difference is detectable. "
            "Levels of coverage (ECL) are those that the module reported; RAI is what messages "
            "told the network about the traffic to come.",
            class_="soft small",
        ),
    )


def _answers(view: RunView) -> Iterator[_Answer]:
    run = view.measurements
    arms = {arm.name: arm for arm in run.arms}

    def place(name: str, stratum: str, assistance: str) -> str:
        levels = dict(arms[name].factors)
        said = levels_text(levels)
        if "release_assistance" not in levels and assistance != "?":
            said = ", ".join(part for part in (said, f"RAI {assistance}") if part)
        return ", ".join(part for part in ("" if stratum == "all" else stratum, said) if part)

    for cost in view.costs:
        yield _Answer(
            saves=False,
            configuration=arms[cost.secured].configuration,
            against=arms[cost.without].configuration,
            place=place(cost.secured, cost.stratum, cost.release_assistance),
            measure=cost.measure,
            kind=cost.kind.partition(" ")[0],
            found=cost.added,
            detectable=cost.detectable,
            messages=cost.messages,
            problem=cost.problem,
        )
    for saving in view.savings:
        yield _Answer(
            saves=True,
            configuration=arms[saving.compressed].configuration,
            against=arms[saving.without].configuration,
            place=place(saving.compressed, saving.stratum, saving.release_assistance),
            measure=saving.measure,
            kind=saving.kind.partition(" ")[0],
            found=saving.saved,
            detectable=saving.detectable,
            messages=saving.messages,
            problem=saving.problem,
        )


def _group(group: Sequence[_Answer], units: Sequence[str], titles: dict[str, str]) -> Html:
    """One question with its lines, folded where they are many."""
    head = group[0]
    verb = "saves" if head.saves else "costs"
    by_place: dict[str, dict[str, _Answer]] = {}
    for one in group:
        by_place.setdefault(one.place, {})[one.measure.unit] = one

    def line(place: str, found: dict[str, _Answer]) -> Html:
        messages = max(one.messages for one in found.values())
        return element(
            "tr",
            element("th", place or "all messages", scope="row"),
            element("td", str(messages)),
            *(_answer(found.get(unit)) for unit in units),
        )

    label = element(
        "span", element("strong", head.configuration), f" {verb}, against {head.against}"
    )
    table = element(
        "div",
        element(
            "table",
            element(
                "thead",
                element(
                    "tr",
                    element("th", label),
                    element("th", "n"),
                    *(element("th", titles[unit], scope="col") for unit in units),
                ),
            ),
            element("tbody", *(line(place, found) for place, found in by_place.items())),
            class_="answers",
        ),
        class_="scroll",
    )
    if len(by_place) <= _MANY:
        return table
    spans = "; ".join(_span(group, unit) for unit in units)
    return element(
        "details",
        element("summary", f"{head.configuration} {verb}, against {head.against}: {spans}"),
        table,
        data_print=True,
    )


def _span(group: Sequence[_Answer], unit: str) -> str:
    """From the least to the largest figure of a group."""
    values = sorted(
        one.found.value for one in group if one.measure.unit == unit and one.found is not None
    )
    if not values:
        return "not known"
    low, high = (_signed(group[0], value, unit) for value in (values[0], values[-1]))
    return low if low == high else f"{low} to {high}"


def _answer(answer: _Answer | None) -> Html:
    """A cell with a figure and its interval below."""
    if answer is None:
        return element("td", figures.NOTHING)
    found = answer.found
    if found is None:
        return element("td", answer.problem or figures.NOTHING, class_="soft small")
    low, value, high = (
        _signed(answer, value, answer.measure.unit).replace(" ", "\u00a0")
        for value in (found.low, found.value, found.high)
    )
    return element(
        "td",
        element("b", value) if answer.detectable else element("span", value, class_="soft"),
        element("br"),
        element("span", f"{low} to {high}", class_="soft small"),
    )


def _signed(answer: _Answer, value: float, unit: str) -> str:
    """What is saved goes without a sign, what is added with one."""
    said = figures.change(value, unit)
    return said.removeprefix("+") if answer.saves else said
