"""``testbed export``: a run's messages or metrics for other programs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.markup import escape

from testbed.cli.shared import app, stderr
from testbed.errors import UsageError
from testbed.metrics.backfill import SHORTEST_STEP_S, write_openmetrics
from testbed.results import RunDirectory
from testbed.results.files import replaced
from testbed.results.parquet import columns, flat_rows, write_messages

__all__ = ["export"]


class Format(StrEnum):
    """What is written."""

    CSV = "csv"
    PARQUET = "parquet"
    OPENMETRICS = "openmetrics"


@app.command()
def export(
    run: Annotated[
        Path | None,
        typer.Argument(help="The run directory; none takes the newest one.", show_default=False),
    ] = None,
    form: Annotated[
        Format,
        typer.Option("--format", "-f", help="Messages as CSV or Parquet, or metrics with times."),
    ] = Format.CSV,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; none is standard output."),
    ] = None,
    step: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="OpenMetrics: seconds of the run between samples.",
            show_default=f"{SHORTEST_STEP_S:g}, or more in a long run",
        ),
    ] = None,
    runs: Annotated[
        Path, typer.Option(envvar="TESTBED_RUNS", help="Folder that holds the run directories.")
    ] = Path("runs"),
) -> None:
    """Export a run: a row per message (csv, parquet), or its metrics over time (openmetrics).

    It reads the journal, also of a run that was interrupted or goes on. Prometheus takes in the
    last one with: promtool tsdb create-blocks-from openmetrics FILE DATA
    """
    directory = RunDirectory.latest(runs) if run is None else RunDirectory.open(run)
    if form is not Format.OPENMETRICS and step is not None:
        raise UsageError("--step belongs to --format openmetrics", hint="Leave it out.")
    if form is Format.PARQUET:
        if output is None:
            raise UsageError("Parquet is no text", hint="Give a file with --output.")
        what = f"{write_messages(directory.journal_path, output)} messages"
    else:
        with _writing(output) as file:
            if form is Format.CSV:
                what = f"{_write_csv(directory, file)} messages"
            else:
                what = f"{write_openmetrics(directory, file, step_s=step)} samples of each metric"
    if output is not None:
        stderr().print(f"{what}: {escape(str(output))}", soft_wrap=True)


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
    else:
        with replaced(output) as file:
            yield file


def _write_csv(directory: RunDirectory, file: TextIO) -> int:
    """The messages, in the columns of ``messages.parquet``; a null is an empty field."""
    names = list(columns())
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    count = 0
    for row in flat_rows(directory.journal().typed()):
        writer.writerow([_field(row.get(name)) for name in names])
        count += 1
    return count


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
