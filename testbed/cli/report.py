"""``testbed report``: the table and the page of a run that was, or was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from testbed.cli.shared import app, print_json, stdout
from testbed.cli.verdict import (
    BaselineOption,
    BaselinesOption,
    JUnitOption,
    Verdict,
    reference,
)
from testbed.report.table import render_table
from testbed.results import RunDirectory

__all__ = ["report"]


@app.command()
def report(
    run: Annotated[
        Path | None,
        typer.Argument(help="The run directory; none takes the newest one.", show_default=False),
    ] = None,
    runs: Annotated[
        Path, typer.Option(envvar="TESTBED_RUNS", help="Folder that holds the run directories.")
    ] = Path("runs"),
    baseline: BaselineOption = None,
    baselines: BaselinesOption = Path("baselines"),
    junit: JUnitOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> int:
    """Print the table of a run from its journal, its verdict, and write its report again.

    It works on a run that was interrupted or killed, too: its journal holds each message that was
    finished.
    """
    # Here, not above: numpy takes its time, and other commands don't need it.
    from testbed.report.page import write_page
    from testbed.report.run import load_run

    directory = RunDirectory.latest(runs) if run is None else RunDirectory.open(run)
    view = load_run(directory.path, baseline=reference(baseline, baselines))
    summary, page, verdict = view.summary, write_page(view), Verdict(view)
    verdict.write_junit(junit)
    if json_output:
        places = {"directory": str(directory.path), "report": str(page)}
        print_json(summary.to_json() | verdict.to_json() | places)
        return verdict.exit_code
    console = stdout()
    console.print(render_table(summary))
    verdict.show()
    console.print(f"report: {escape(str(page))}", soft_wrap=True)
    return verdict.exit_code
