"""The run held against a baseline: every figure of both, and how sure a difference is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

from testbed.analysis.comparison import ComparisonResult, Row
from testbed.analysis.measures import MEASURES
from testbed.analysis.statistics import Estimate
from testbed.report import figures
from testbed.report.blocks import section
from testbed.report.html import Html, element

__all__ = ["versus_section"]

_MANY = 20


def versus_section(result: ComparisonResult | None, labels: Mapping[str, str]) -> Html | None:
    """The comparison to a baseline; None where none was given.

    Args:
        result: of the run with the baseline.
        labels: how cells are called on the page.
    """
    if result is None:
        return None
    obstacles = [element("li", obstacle) for obstacle in result.obstacles]
    notes = [element("li", note) for note in result.notes]
    groups = [list(rows) for _, rows in groupby(result.rows, key=lambda row: row.configuration)]
    table = _table(groups, labels)
    return section(
        f"Against {result.first}",
        element("p", element("strong", "These two cannot be compared: "), class_="bad")
        if obstacles
        else None,
        element("ul", *obstacles, class_="notes") if obstacles else None,
        table
        if len(result.rows) <= _MANY
        else element(
            "details",
            element("summary", f"All {len(result.rows)} figures"),
            table,
            data_print=True,
        ),
        element(
            "p",
            "Worse by: the ratio of both, turned so that above 0 is worse, with its 95 % interval. "
            "p is that of each line on its own.",
            class_="soft small",
        ),
        element(
            "details",
            element("summary", "Notes on both runs"),
            element("ul", *notes, class_="notes"),
        )
        if notes
        else None,
    )


def _table(groups: Sequence[Sequence[Row]], labels: Mapping[str, str]) -> Html:
    head = ("", "baseline", "this run", "worse by", "p")
    body = []
    for rows in groups:
        body.append(
            element(
                "tr",
                element(
                    "th",
                    labels.get(rows[0].configuration, rows[0].configuration),
                    scope="rowgroup",
                    colspan=str(len(head)),
                ),
                class_="group",
            )
        )
        body += [_line(row) for row in rows]
    return element(
        "div",
        element(
            "table",
            element("thead", element("tr", *(element("th", text) for text in head))),
            element("tbody", *body),
        ),
        class_="scroll",
    )


def _line(row: Row) -> Html:
    found, unit = row.contrast, MEASURES[row.measure].unit
    test = found.test
    different = found.worse is not None and not found.worse.low <= 1 <= found.worse.high
    place = row.measure if row.stratum == "all" else f"{row.measure}, {row.stratum}"
    worse = found.problem if found.worse is None and found.problem else _percent(found.worse)
    return element(
        "tr",
        element("th", place, scope="row"),
        element("td", figures.measured(found.first, unit)),
        element("td", figures.measured(found.second, unit)),
        element("td", element("b", worse) if different else worse),
        element("td", figures.NOTHING if test is None else f"{test.p:.2g}"),
        class_="sub",
    )


def _percent(found: Estimate | None) -> str:
    if found is None:
        return figures.NOTHING

    def said(value: float) -> str:
        return f"{(value - 1) * 100:+.1f}" if math.isfinite(value) else "?"

    return f"{said(found.value)} % ({said(found.low)} to {said(found.high)})"
