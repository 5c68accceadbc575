"""A campaign's table: a line per cell, factors apart, in 80 columns."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from types import ModuleType

import pytest
from rich.console import Console

from testbed.analysis.rows import RunSummary
from testbed.analysis.summary import summarise
from testbed.report.table import render_table
from testbed.results import MessageRecord, Outcome, Record, SetupRecord

LEVELS = {
    "release_assistance": ("none", "after-downlink"),
    "power_saving": ("psm", "edrx"),
    "coverage": (0, 2),
}


@pytest.fixture
def summary(sample: ModuleType) -> RunSummary:
    """Two messages in each of sixteen cells, after one of warm-up."""
    run, *_ = sample.records()
    message = next(record for record in sample.records() if isinstance(record, MessageRecord))
    cells = [
        {
            "name": f"{name} {levels}",
            "configuration": name,
            **dict(zip(LEVELS, levels, strict=True)),
        }
        for name in ("esp-tunnel", "rohc+esp-tunnel")
        for levels in itertools.product(*LEVELS.values())
    ]
    records: list[Record] = [
        replace(
            run, configurations=("esp-tunnel", "rohc+esp-tunnel"), cells=tuple(cells), messages=3
        )
    ]
    for number, cell in enumerate(cells):
        name = cell["name"]
        if number % 2:
            setup = SetupRecord(
                cell=name, block=0, changed={"coverage": 2}, at_s=number, duration_s=1.5
            )
            records.append(setup)
        records += [
            replace(
                message,
                configuration=cell["configuration"],
                cell=name,
                block=0,
                planned=3 * number + place,
                warm_up=place == 0,
            )
            for place in range(3)
        ]
    lost = replace(message, outcome=Outcome.LOST, latency_s=None, reason="no-answer", planned=48)
    records.append(replace(lost, configuration="esp-tunnel", cell=cells[0]["name"], block=0))
    return summarise(records)


def printed(summary: RunSummary, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(render_table(summary))
    return out.getvalue()


def test_every_cell_has_a_line_with_its_levels_and_nothing_is_cut(summary: RunSummary) -> None:
    text = printed(summary)
    table = text[: text.index("* ")]
    assert max(len(row) for row in text.splitlines()) <= 80
    assert "…" not in table
    lines = [row.split() for row in table.splitlines()]
    for assistance, saving, coverage in itertools.product(("none", "down"), ("psm", "edrx"), "02"):
        found = [row for row in lines if [assistance, saving, coverage] in (row[:3], row[1:4])]
        assert len(found) == 2, (assistance, saving, coverage)


def test_the_configuration_stands_once_over_its_cells(summary: RunSummary) -> None:
    text = printed(summary)
    table = text[: text.index("* ")]
    assert sum(row.lstrip().startswith("rohc+") for row in table.splitlines()) == 1
    assert sum(row.lstrip().startswith("esp-tunnel ") for row in table.splitlines()) <= 2


def test_losses_have_a_column_when_there_are_any(summary: RunSummary) -> None:
    assert "answ." in printed(summary)
    assert summary.cells[0].unanswered == 1
    whole = replace(summary, cells=summary.cells[1:])
    assert "answ." not in printed(whole)


def test_cells_leave_warm_up_out_and_tell_their_set_ups(summary: RunSummary) -> None:
    assert [row.messages for row in summary.cells] == [3, *[2] * 15]
    assert [row.warm_up for row in summary.cells] == [1] * 16
    assert [row.setups for row in summary.cells] == [0, 1] * 8
    cell = summary.cells[1].to_json()
    assert (cell["setups"], cell["setups_s"], cell["blocks"]) == (1, 1.5, 1)
    assert "air" in cell
    assert "stages" in cell
