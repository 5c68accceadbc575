"""``testbed report``: the table and the page of a run that was, or was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from testbed.analysis.summary import summarise_run
from testbed.cli.shared import app, print_json, stdout
from testbed.report.page import write_report
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
    json_output: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Print the table of a run from its journal, and write its report again.

    It works on a run that was interrupted or killed, too: its journal holds each message that was
    finished.
    """
    # Here, not above: numpy takes its time, and other commands don't need it.
    from testbed.analysis.comparison import savings
    from testbed.report.compared import render_savings
    from testbed.results.baselines import measured

    directory = RunDirectory.latest(runs) if run is None else RunDirectory.open(run)
    summary = summarise_run(directory.path)
    page = write_report(directory.path)
    saved = savings(measured(directory))
    if json_output:
        found: dict[str, object] = {"savings": [one.to_json() for one in saved]}
        found |= {"directory": str(directory.path), "report": str(page)}
        print_json(summary.to_json() | found)
        return
    console = stdout()
    console.print(render_table(summary))
    if saved:
        console.print(render_savings(saved))
    console.print(f"report: {escape(str(page))}", soft_wrap=True)
