"""The limits of a campaign, applied where its run is shown: by ``run`` and by ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from testbed.cli.shared import stdout
from testbed.results import RunDirectory

if TYPE_CHECKING:
    from testbed.analysis.measurements import Measurements
    from testbed.analysis.verdicts import Judgement

__all__ = [
    "BaselineOption",
    "BaselinesOption",
    "JUnitOption",
    "Verdict",
    "reference",
    "write_junit",
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
    from datetime import UTC, datetime

    from testbed.report.junit import junit_xml
    from testbed.results.files import write_atomically

    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    write_atomically(path, junit_xml(name, judgements, timestamp=stamp))


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
        directory: of the run.
        baseline: what regressions are held against; none: they are not judged.
    """

    def __init__(self, directory: RunDirectory, baseline: Measurements | None) -> None:
        # Here, not above: numpy takes its time, and other commands don't need it.
        from testbed.analysis.comparison import obstacles
        from testbed.analysis.limits import LimitsDescription
        from testbed.analysis.verdicts import exit_code, judge, overall
        from testbed.results.baselines import measured

        self._name = directory.name
        self.run: Measurements = measured(directory)
        campaign = directory.read_manifest().config.get("campaign") or {}
        limits = LimitsDescription.model_validate(campaign.get("limits") or {}).limits()
        problems = () if baseline is None else tuple(obstacles(baseline, self.run))
        self.judgements = judge(self.run, limits, baseline=baseline, problems=problems)
        grade = overall(judgement.grade for judgement in self.judgements)
        self.exit_code = int(exit_code(grade))
        self.grade = grade

    def to_json(self) -> dict[str, Any]:
        """Grade, judgements and savings, for scripts."""
        from testbed.analysis.answers import savings

        return {
            "grade": self.grade.value,
            "judgements": [judgement.to_json() for judgement in self.judgements],
            "savings": [saving.to_json() for saving in savings(self.run)],
        }

    def write_junit(self, path: Path | None) -> None:
        """Write the JUnit report, if one was asked for."""
        if path is not None:
            write_junit(path, self._name, self.judgements)

    def show(self) -> None:
        """Print what compression saves, and what became of each limit."""
        from testbed.analysis.answers import savings
        from testbed.report.compared import render_judgements, render_savings

        saved = savings(self.run)
        if saved:
            stdout().print(render_savings(saved))
        if self.judgements:
            stdout().print(render_judgements(self.judgements))
            stdout().print(f"verdict: {self.grade.value}")
