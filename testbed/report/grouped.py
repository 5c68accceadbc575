"""A campaign's cells on the page: one line per cell, one dot per cell, grouped by its factors.

A hundred cells stay readable: a dot plot has one row per combination of levels with the
configurations side by side, and the table folds up by configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from testbed.analysis.rows import ConfigurationRow, RunSummary
from testbed.report import figures
from testbed.report.html import Html, element
from testbed.report.levels import FACTORS, levels_text, short_level
from testbed.report.plots import (
    CATEGORIES,
    Figure,
    Trace,
    Variant,
    configuration_colour,
    plain_text,
    rounded,
)

__all__ = ["cells_figure", "cells_table"]

_MANY: Final = 12
"""More cells than this are folded, by configuration."""


def _levels(summary: RunSummary) -> Mapping[str, Mapping[str, Any]]:
    return {
        cell["name"]: {name: cell[name] for name in FACTORS if cell.get(name) is not None}
        for cell in summary.run.cells or ()
    }


def _varied(summary: RunSummary) -> bool:
    return any(_levels(summary).values())


def cells_figure(summary: RunSummary) -> Figure | None:
    """Dots by levels and configuration; None where no factor is varied."""
    rows = [row for row in summary.cells if row.messages]
    if not rows or not _varied(summary):
        return None
    kinds = figures.energy_kinds(summary.rows)
    variants = [
        _dots(summary, rows, label, value)
        for label, value in (
            ("median latency, seconds", _median_s),
            ("latency within which 95 % were answered, seconds", _p95_s),
            ("bytes per uplink message", _bytes),
            (f"energy per message, {kinds}, joules", _energy_j),
            ("share of messages not answered", _unanswered),
        )
        if any(value(row) is not None for row in rows)
    ]
    if not variants:
        return None
    places = len({_place(summary, row) for row in rows})
    return Figure(
        name="cells",
        summary="One dot per cell: a row for each combination of levels, a colour for each "
        "configuration.",
        height=110 + 30 * places,
        variants=tuple(variants),
    )


def _place(summary: RunSummary, row: ConfigurationRow) -> str:
    return levels_text(_levels(summary).get(row.cell or "", {})) or "all"


_Value = Callable[[ConfigurationRow], float | None]


def _dots(
    summary: RunSummary, rows: Sequence[ConfigurationRow], label: str, value: _Value
) -> Variant:
    data: list[Trace] = []
    order = list(dict.fromkeys(plain_text(_place(summary, row)) for row in rows))
    for name in dict.fromkeys(row.configuration for row in rows):
        found = [
            (value(row), plain_text(_place(summary, row)))
            for row in rows
            if row.configuration == name
        ]
        known = [(x, y) for x, y in found if x is not None]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": plain_text(name),
                "meta": name,
                "x": rounded(x for x, _ in known),
                "y": [y for _, y in known],
                "marker": {"color": configuration_colour(summary, name), "size": 10},
                "hovertemplate": "%{x:.4~g}, %{y}",
            }
        )
    return Variant(
        label=label,
        data=data,
        layout={
            "xaxis": {"title": {"text": label}, "rangemode": "tozero"},
            "yaxis": CATEGORIES
            | {"categoryorder": "array", "categoryarray": order, "showgrid": True},
        },
    )


def _median_s(row: ConfigurationRow) -> float | None:
    median = row.latency.median
    return None if median is None or median.censored else median.value_s


def _p95_s(row: ConfigurationRow) -> float | None:
    p95 = row.latency.p95
    return None if p95 is None or p95.censored else p95.value_s


def _bytes(row: ConfigurationRow) -> float | None:
    return row.uplink.total if row.uplink.packets else None


def _energy_j(row: ConfigurationRow) -> float | None:
    means = row.shown_energy()
    return None if means is None else means.total_j


def _unanswered(row: ConfigurationRow) -> float | None:
    return row.unanswered / row.messages


def cells_table(summary: RunSummary) -> Html | None:
    """A line per cell, by configuration; None where there is no campaign with factors."""
    if not summary.cells or not _varied(summary):
        return None
    levels = _levels(summary)
    factors = [name for name in FACTORS if any(name in one for one in levels.values())]
    # A resumed plan may have a configuration in several places: its cells stand together.
    ordered = sorted(summary.cells, key=_position(summary))
    tables: list[Html] = []
    for name, found in groupby(ordered, key=lambda row: row.configuration):
        rows = list(found)
        table = _table(rows, levels, factors)
        if len(summary.cells) > _MANY:
            label = element("summary", f"{name}: {len(rows)} cells")
            tables.append(element("details", label, table, data_print=True))
        else:
            tables += [element("p", element("strong", name)), table]
    return element("div", *tables)


def _position(summary: RunSummary) -> Callable[[ConfigurationRow], int]:
    order = {row.configuration: position for position, row in enumerate(summary.rows)}
    return lambda row: order.get(row.configuration, len(order))


def _table(
    rows: Sequence[ConfigurationRow],
    levels: Mapping[str, Mapping[str, Any]],
    factors: Sequence[str],
) -> Html:
    kinds = figures.energy_kinds(tuple(rows))
    head = [
        *(FACTORS[name] for name in factors),
        "n",
        "unanswered",
        "latency, median",
        "95 %",
        "header bytes",
        "bytes",
        *([f"energy, {kinds}"] if kinds else []),
    ]

    def line(row: ConfigurationRow) -> Html:
        level = levels.get(row.cell or "", {})
        sent = bool(row.uplink.packets)
        energy = row.shown_energy()
        texts = [
            str(row.messages),
            None,
            figures.quantile(row.latency.median),
            figures.quantile(row.latency.p95),
            figures.byte_count(row.uplink.header if sent else None),
            figures.byte_count(row.uplink.total if sent else None),
            *([figures.energy(None if energy is None else energy.total_j)] if kinds else []),
        ]
        places = (short_level(level.get(name, figures.NOTHING)) for name in factors)
        return element(
            "tr",
            *(element("th", place, scope="row") for place in places),
            *(
                element("td", text)
                if text is not None
                else element("td", str(row.unanswered), class_="bad" if row.unanswered else None)
                for text in texts
            ),
        )

    return element(
        "div",
        element(
            "table",
            element("thead", element("tr", *(element("th", text, scope="col") for text in head))),
            element("tbody", *(line(row) for row in rows)),
            class_="cells",
        ),
        class_="scroll",
    )
