"""A campaign's table for the terminal: one line per cell, grouped by configuration.

The factors stand in columns of their own, so that what changes from line to line is seen at once.
Everything that comes from outside is placed as `Text`, never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rich import box
from rich.table import Table
from rich.text import Text

from testbed.analysis.rows import ConfigurationRow, RunSummary
from testbed.report import figures
from testbed.report.levels import FACTORS, short_level

__all__ = ["render_cells"]

_MANY_FACTORS = 3
"""With so many columns of factors there is no room for the bytes of headers."""

_KINDS = {"estimated": "estim.", "measured": "meas."}


def render_cells(summary: RunSummary, *, title: str, caption: str) -> Table:
    """The table of a campaign.

    Args:
        summary: what the journal says, of a run with cells.
        title: what was run.
        caption: notes that stand under the table.

    Returns:
        A table to print on a rich console; its values are those of ``summary.to_json()``.
    """
    table = Table(
        title=Text(title, style="bold"),
        caption=Text(caption),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        caption_style="none",
        pad_edge=False,
        collapse_padding=True,
        min_width=72,
    )
    levels = {cell["name"]: cell for cell in summary.run.cells or ()}
    factors = [
        name
        for name in FACTORS
        if any(levels.get(row.cell, {}).get(name) is not None for row in summary.cells)
    ]
    columns = _columns(summary, wide=len(factors) < _MANY_FACTORS)
    table.add_column("per cell", vertical="bottom", no_wrap=True)
    for name in factors:
        table.add_column(FACTORS[name], vertical="bottom", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, vertical="bottom", justify="right", no_wrap=True)
    group: str | None = None
    for row in summary.cells:
        name = row.configuration
        if group is not None and name != group:
            table.add_section()
        level = levels.get(row.cell, {})
        table.add_row(
            Text(_broken(name) if name != group else "", style="bold"),
            *(Text(short_level(level.get(factor, figures.NOTHING))) for factor in factors),
            *(cell(row) for _, cell in columns),
        )
        group = name
    return table


_Cell = Callable[[ConfigurationRow], str | Text]


def _columns(summary: RunSummary, *, wide: bool) -> list[tuple[str, _Cell]]:
    """The figures that have anything to say in this campaign."""
    rows = summary.cells
    columns: list[tuple[str, _Cell]] = [("n", lambda row: str(row.messages))]
    if any(row.unanswered for row in rows):
        columns.append(("un-\nansw.", lambda row: _losses(row.unanswered)))
    columns += [
        ("latency\nmedian", lambda row: figures.quantile(row.latency.median)),
        ("\n95 %", lambda row: figures.quantile(row.latency.p95)),
        ("bytes\nup", lambda row: _mean(row, row.uplink.total)),
    ]
    if wide:
        columns.append(("of it\nheaders", lambda row: _mean(row, row.uplink.header)))
    kinds = figures.energy_kinds(rows)
    if kinds:
        columns.append((f"energy\n{_KINDS.get(kinds, kinds)}", _energy))
    return columns


def _broken(name: str) -> str:
    """A configuration's name on lines of its own behind its joints."""
    return re.sub(r"(?<=[+/])", "\n", name)


def _losses(count: int) -> Text:
    return Text(str(count), style="bold red" if count else "")


def _mean(row: ConfigurationRow, value: float) -> str:
    return figures.byte_count(value) if row.uplink.packets else figures.NOTHING


def _energy(row: ConfigurationRow) -> str:
    means = row.shown_energy()
    return figures.energy(None if means is None else means.total_j)
