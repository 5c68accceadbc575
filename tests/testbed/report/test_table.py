"""The terminal's table: every figure of the summary, in 80 columns, and no markup from outside."""

import dataclasses
import io
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from testbed.analysis.rows import RunSummary
from testbed.analysis.summary import summarise
from testbed.report.table import SHOWN_FAULTS, foot_notes, render_table
from testbed.results import FaultRecord, SessionRecord


def printed(summary: RunSummary, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(render_table(summary))
    return out.getvalue()


@pytest.fixture
def summary(sample: ModuleType) -> RunSummary:
    return summarise(sample.records(), notes=["esp-transport: mind the carrier."])


def line(text: str, label: str) -> list[str]:
    """The cells behind a label."""
    found = next(row for row in text.splitlines() if row.strip().startswith(label))
    return found.strip().removeprefix(label).split()


def test_the_table_fits_a_terminal_of_80_columns(summary: RunSummary) -> None:
    assert max(len(row) for row in printed(summary).splitlines()) <= 80


def test_five_configurations_fit_80_columns(sample: ModuleType) -> None:
    names = ("none", "rohc", "esp-transport", "esp-tunnel", "rohc+esp-tunnel")
    first = sample.records()[0]
    message = sample.records()[3]
    many = [first, *(dataclasses.replace(message, configuration=name) for name in names)]
    session = SessionRecord(configuration="esp-transport", setup_s=1, bytes_up=158, bytes_down=277)
    text = printed(summarise([*many, session]))
    assert max(len(row) for row in text.splitlines()) <= 80
    assert "…" not in text
    for part in ("none", "rohc+", "esp-", "transport", "tunnel", "158 / 277"):
        assert part in text


def test_messages_and_losses_stand_in_the_table(summary: RunSummary) -> None:
    text = printed(summary)
    assert line(text, "messages") == ["40", "40", "40"]
    assert line(text, "lost") == ["0", "2", "0"]
    assert "failed" not in text


def fault(number: int, **more: Any) -> FaultRecord:
    at_s = 60.0 * number + 2.5
    return FaultRecord(
        fault="rebooted", configuration="esp-tunnel", after=number, noticed_at_s=at_s, **more
    )


def test_a_module_that_failed_has_lines_of_its_own_and_each_fault_a_note(
    sample: ModuleType, summary: RunSummary
) -> None:
    assert "module failed" not in printed(summary)
    gone = fault(70, attempts=5, failure="silent")
    stopped = FaultRecord(fault="silent", configuration="none")
    faults = [fault(1, recovered_s=5.5, attempts=1), fault(2, recovered_s=6.0), gone, stopped]
    summary = summarise([*sample.records(), *faults])
    text = printed(summary)
    assert line(text, "module failed") == ["1", "3", "0"]
    assert line(text, "and was away, in all") == ["-", "11.5", "s", "-"]
    assert max(len(row) for row in text.splitlines()) <= 80
    notes = foot_notes(summary)
    for note in (
        "esp-tunnel: module failed at 0:01:02.5 (rebooted), after message 1; away 5.50 s.",
        "esp-tunnel: module failed at 1:10:02.5 (rebooted), after message 70; did not come back.",
        "none: module failed at 0:00:00.0 (silent); not brought back.",
    ):
        assert note in notes
    assert [one["fault"] for one in summary.to_json()["faults"]] == ["rebooted"] * 3 + ["silent"]


def test_of_many_faults_the_notes_tell_some_and_how_many_more_there_are(
    sample: ModuleType,
) -> None:
    many = [fault(number, recovered_s=1.0) for number in range(SHOWN_FAULTS + 3)]
    notes = foot_notes(summarise([*sample.records(), *many]))
    assert sum("(rebooted)" in note for note in notes) == SHOWN_FAULTS
    assert "3 more faults are in the journal." in notes


def test_every_layer_that_has_bytes_has_a_line(summary: RunSummary) -> None:
    text = printed(summary)
    assert line(text, "outer IP") == ["20", "20", "20"]
    assert line(text, "ESP ICV") == ["-", "16", "16"]
    assert line(text, "inner IP") == ["-", "40", "-"]
    assert line(text, "ROHC header")[:2] == ["-", "-"]
    none = printed(dataclasses.replace(summary, rows=summary.rows[:1]))
    assert "ESP ICV" not in none


def test_the_printed_totals_are_those_of_the_json(summary: RunSummary) -> None:
    text = printed(summary)
    for label, field in (("headers", "header"), ("total", "total")):
        expected = [getattr(row.uplink, field) for row in summary.rows]
        shown = [float(cell) for cell in line(text, label)]
        assert shown == pytest.approx(expected, abs=0.051)


def test_energy_is_marked_estimated(summary: RunSummary) -> None:
    assert "energy per message, estimated" in printed(summary)
    assert any("not measured" in note and "range" in note for note in foot_notes(summary))


def test_the_energy_of_answered_messages_is_shown_where_some_were_lost(
    summary: RunSummary, sample: ModuleType
) -> None:
    assert "answered messages only" in printed(summary)
    assert "answered messages only" not in printed(summarise(sample.records(5)))


def test_the_foot_notes_say_what_rohc_saves_and_what_was_given(summary: RunSummary) -> None:
    notes = foot_notes(summary)
    assert notes[0].startswith("ROHC saves")
    assert "esp-transport: mind the carrier." in notes
    text = " ".join(printed(summary).split())
    assert "* ROHC saves" in text
    assert "mind the carrier" in text


def test_computing_is_shown_where_it_was_observed(summary: RunSummary) -> None:
    assert line(printed(summary), "of it computing")[-2:] == ["1.6", "ms"]
    unknown = tuple(dataclasses.replace(row, computing_s=None) for row in summary.rows)
    assert "computing" not in printed(dataclasses.replace(summary, rows=unknown))


def test_modelled_time_and_interruption_stand_in_the_title(sample: ModuleType) -> None:
    text = " ".join(printed(summarise(sample.records(2, status=None))).split())
    assert "modelled time at scale 200" in text
    assert "INTERRUPTED" in text


def test_an_empty_run_prints_without_figures(sample: ModuleType) -> None:
    text = printed(summarise(sample.records()[:1]))
    assert "bc66" in text
    assert "per configuration" in text


def test_a_hostile_identity_is_shown_as_it_is(sample: ModuleType) -> None:
    first = dataclasses.replace(sample.records()[0], module="[red]x[/red][link=http://x]y")
    text = printed(summarise([first]), width=200)
    assert "[red]x[/red][link=http://x]y" in text
