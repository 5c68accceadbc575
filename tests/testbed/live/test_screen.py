"""The live run on a terminal: its figures, and nothing that a terminal obeys."""

import copy
import io
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from testbed.live.screen import plain_lines, progress_line, render
from testbed.live.state import LiveRun
from testbed.printable import printable
from testbed.results import FaultRecord

EVIL = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>[red]\u202e\r\x9b31m\nsecond"


@pytest.fixture
def snapshot(sample: ModuleType) -> dict[str, Any]:
    live = LiveRun("run-1")
    live.identified({"manufacturer": "Quectel", "model": "BC66"})
    for record in sample.records(40, None):
        live.record(record)
    live.record(FaultRecord(fault="silent", configuration="none", noticed_at_s=60, recovered_s=9.5))
    live.module("idle")
    live.phase("rohc+esp-tunnel")
    return live.snapshot()


def drawn(snapshot: dict[str, Any], width: int = 100) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(render(snapshot))
    return file.getvalue()


def test_the_screen_has_the_run_s_figures(snapshot: dict[str, Any]) -> None:
    text = drawn(snapshot)
    assert "Quectel BC66 · demo · virtual · modelled time · run-1" in text
    assert "120 of 120" in text and "idle, rohc+esp-tunnel, ECL 0, RSRP -93 dBm, 1 faults" in text
    assert "energy is estimated" in text
    assert "none: module failed at 0:01:00.0 (silent); away 9.50 s" in text
    median = snapshot["configurations"][1]["latency"]["median"]["value_s"]
    row = next(line for line in text.splitlines() if line.split()[:1] == ["esp-tunnel"])
    assert f"{median:.2f} s" in row and row.split()[1:3] == ["40", "2"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits_the_terminal(snapshot: dict[str, Any], width: int) -> None:
    assert max(len(line) for line in drawn(snapshot, width).splitlines()) <= width


def test_without_a_terminal_it_is_lines(snapshot: dict[str, Any]) -> None:
    assert "running 120/120; rohc+esp-tunnel; idle; unanswered 2; faults 1" in progress_line(
        snapshot
    )
    lines = list(plain_lines(snapshot))
    assert lines[2].startswith("esp-tunnel: n 40, unanswered 2, latency ")


def test_what_comes_from_outside_is_not_obeyed(snapshot: dict[str, Any]) -> None:
    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: poisoned(entry) for name, entry in value.items()}
        if isinstance(value, list):
            return [poisoned(entry) for entry in value]
        return EVIL if isinstance(value, str) else value

    evil = poisoned(copy.deepcopy(snapshot))
    console = Console(width=400, force_terminal=True, highlight=False)
    with console.capture() as captured:
        console.print(render(evil))
    for text in (captured.get(), progress_line(evil), *plain_lines(evil)):
        assert "<script>alert(1)</script>[red]" in text
        for control in ("\x1b]", "\x1b[2J", "\x07", "\r", "\x9b", "\u202e"):
            assert control not in text


def test_printable_keeps_what_people_read() -> None:
    assert printable("Größe 5 µJ\nnext") == "Größe 5 µJ\nnext"
    assert printable("\x1b[31m\x00\u2028\u200b") == "?[31m???"


@pytest.mark.parametrize("wrong", [{}, {"status": "x"}, {"status": "running", "done": "many"}])
def test_what_is_no_snapshot_is_told_apart(wrong: dict[str, Any]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        render(wrong)
