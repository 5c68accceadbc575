"""``testbed watch``: a run while it goes on, in the terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from testbed.bench.private import read_token_file
from testbed.cli.doors import InsecureOption, TokenFileOption
from testbed.cli.shared import app, print_json_line, stdout
from testbed.errors import ExitCode, LabFault
from testbed.live.screen import plain_lines, progress_line, render
from testbed.live.source import DirectorySource, Source, UrlSource
from testbed.results import JournalMissing, RunDirectory

__all__ = ["watch"]

_REFRESH_S = 0.5
"""How often a terminal is drawn anew, in seconds."""


@app.command()
def watch(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|URL]",
            help="The run directory, or the address of a live page; none takes the newest run.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[
        Path, typer.Option(envvar="TESTBED_RUNS", help="Folder that holds the run directories.")
    ] = Path("runs"),
    interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two lines, where there is no terminal.")
    ] = 5.0,
    token_file: TokenFileOption = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificate that the live page is known by (PEM).")
    ] = None,
    insecure_lab_network: InsecureOption = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the run as a JSON object per line.")
    ] = False,
) -> int:
    """Follow a run until it ends: its progress, latest messages, figures and faults.

    It reads what the run writes, and may be started and ended at any time. Exit code 0 if the run
    came to its end, 3 if it was interrupted or killed.
    """
    source: Source
    if run is not None and run.startswith(("http://", "https://")):
        token = None if token_file is None else read_token_file(token_file)
        source = UrlSource(run, token=token, ca_file=ca_file, trusted_network=insecure_lab_network)
    else:
        source = DirectorySource(_directory(run, runs))
    try:
        status = _follow(source, interval, json_output)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if not isinstance(source, UrlSource):
            raise
        raise LabFault(
            f"{run} does not say what a run's live page says", hint="Is it one?"
        ) from error
    return int(ExitCode.PASS if status == "complete" else ExitCode.LAB_FAULT)


def _directory(run: str | None, runs: Path) -> RunDirectory:
    """The run to follow; its journal may not have begun."""
    try:
        return RunDirectory.latest(runs) if run is None else RunDirectory.open(run)
    except JournalMissing as missing:
        return RunDirectory(missing.path.parent)


def _follow(source: Source, interval: float, json_output: bool) -> str:
    """Show the run until it ends; how it did."""
    console = stdout()
    if not console.is_terminal or json_output:
        return _lines(source, interval, json_output)
    snapshot = source.snapshot()
    with Live(render(snapshot), console=console, auto_refresh=False) as live:
        while snapshot["status"] == "running":
            time.sleep(_REFRESH_S)
            snapshot = source.snapshot()
            live.update(render(snapshot), refresh=True)
    return str(snapshot["status"])


def _lines(source: Source, interval: float, json_output: bool) -> str:
    console = stdout()
    version: object = None
    while True:
        snapshot = source.snapshot()
        over = snapshot["status"] != "running"
        if snapshot["version"] != version or over:
            version = snapshot["version"]
            if json_output:
                print_json_line(snapshot)
            else:
                lines = [progress_line(snapshot), *(plain_lines(snapshot) if over else ())]
                for line in lines:
                    console.print(line, markup=False, soft_wrap=True)
        if over:
            return str(snapshot["status"])
        time.sleep(interval)
