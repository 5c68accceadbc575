"""The limits of a campaign, applied where its run is shown: by ``run`` and by ``report``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.shared import stdout

if TYPE_CHECKING:
    from testbed.analysis.measurements import Measurements
    from testbed.analysis.verdicts import Judgement
    from testbed.report.run import RunView

__all__ = [
    "BaselineOption",
    "BaselinesOption",
    "JUnitOption",
    "Verdict",
    "reference",
    "write_junit",
    "write_junit_fault",
]

BaselinesOption = Annotated[
    Path, typer.Option("--baselines", envvar="TESTBED_BASELINES", help="Folder of baselines.")
]
BaselineOption = Annotated[
    str | None,
    typer.Option(
        "--baseline", envvar="TESTBED_BASELINE", help="What regressions are held against."
    ),
]
JUnitOption = Annotated[
    Path | None, typer.Option("--junit", help="Write verdicts as a JUnit report there.")
]


def write_junit(path: Path, name: str, judgements: tuple[Judgement, ...]) -> None:
    """Write a JUnit report, whole or not at all."""
    from testbed.report.junit import junit_xml
    from testbed.results.files import write_atomically

    write_atomically(path, junit_xml(name, judgements, timestamp=_stamp()))


def write_junit_fault(path: Path, name: str, error: Exception) -> None:
    """Write the JUnit report of a run that a fault of the lab has ended."""
    from testbed.report.junit import fault_xml
    from testbed.results.files import write_atomically

    hint = getattr(error, "hint", None)
    write_atomically(path, fault_xml(name, str(error), hint, timestamp=_stamp()))


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def reference(baseline: str | None, baselines: Path) -> Measurements | None:
    """What regressions are held against, if anything is.

    Args:
        baseline: a run directory, or a baseline's name.
        baselines: folder of baselines.

    Raises:
        UsageError: there is no such thing.
    """
    if baseline is None:
        return None
    from testbed.results.baselines import Baselines, read_measurements

    return read_measurements(baseline, Baselines(baselines))[0]


class Verdict:
    """What became of the limits that stand in a run's own description.

    Args:
        view: the run, read and judged.
    """

    def __init__(self, view: RunView) -> None:
        # Here, not above: numpy takes its time, and other commands don't need it.
        from testbed.analysis.verdicts import exit_code
        from testbed.report.levels import cell_labels

        self._name = view.name
        self._savings, self._costs = view.savings, view.costs
        self.run: Measurements = view.measurements
        self.judgements = view.judgements
        self.grade = view.grade
        self.exit_code = int(exit_code(view.grade))
        self._labels = cell_labels(view.summary.run.cells)

    def to_json(self) -> dict[str, Any]:
        """Grade, judgements, costs and savings, for scripts."""
        return {
            "grade": self.grade.value,
            "judgements": [judgement.to_json() for judgement in self.judgements],
            "costs": [cost.to_json() for cost in self._costs],
            "savings": [saving.to_json() for saving in self._savings],
        }

    def write_junit(self, path: Path | None) -> None:
        """Write the JUnit report, if one was asked for."""
        if path is not None:
            write_junit(path, self._name, self.judgements)

    def show(self) -> None:
        """Print what compression saves, and what became of each limit."""
        from testbed.report.compared import render_judgements, render_savings

        if self._savings:
            stdout().print(render_savings(self._savings))
        if self.judgements:
            stdout().print(render_judgements(self.judgements, labels=self._labels))
            stdout().print(f"verdict: {self.grade.value}")
