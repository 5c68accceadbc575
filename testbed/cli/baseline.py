"""``testbed baseline``: runs kept, so that later ones can be compared with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from testbed.cli.shared import app, print_json, stdout
from testbed.cli.verdict import BaselinesOption
from testbed.results import RunDirectory

__all__ = ["commands"]

commands = typer.Typer(help="Keep runs to compare later ones with.", no_args_is_help=True)
app.add_typer(commands, name="baseline")

RunsOption = Annotated[
    Path, typer.Option(envvar="TESTBED_RUNS", help="Folder that holds the run directories.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@commands.command()
def save(
    name: Annotated[str, typer.Argument(help="Name of the baseline.")],
    run: Annotated[
        Path | None,
        typer.Argument(help="The run directory; none takes the newest one.", show_default=False),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the one of that name.")
    ] = False,
    baselines: BaselinesOption = Path("baselines"),
    runs: RunsOption = Path("runs"),
    json_output: JsonOption = False,
) -> None:
    """Keep a run's values and what was measured under, in one file that is made to be committed."""
    from testbed.results.baselines import Baselines  # here: numpy takes its time

    directory = RunDirectory.latest(runs) if run is None else RunDirectory.open(run)
    shelf = Baselines(baselines)
    kept = shelf.save(name, directory, replace=replace)
    if json_output:
        print_json(kept.summary())
        return
    messages = sum(len(arm) for arm in kept.measurements.arms)
    stdout().print(
        escape(f"{shelf.path / name}.json: {messages} messages of {directory.name}"), soft_wrap=True
    )


@commands.command("list")
def list_baselines(
    baselines: BaselinesOption = Path("baselines"), json_output: JsonOption = False
) -> None:
    """The baselines there are."""
    from testbed.results.baselines import Baselines  # here: numpy takes its time

    shelf = Baselines(baselines)
    found = [shelf.read(name).summary() for name in shelf.names()]
    if json_output:
        print_json(found)
        return
    console = stdout()
    if not found:
        console.print(escape(f"no baseline in {shelf.path}"), soft_wrap=True)
    for one in found:
        parts = [one["saved_at"], one["origin"], one["module"], one["firmware"], one["run"]]
        said = ", ".join(str(part) for part in parts if part)
        console.print(escape(f"{one['name']}: {said}"), soft_wrap=True)


@commands.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the baseline.")],
    baselines: BaselinesOption = Path("baselines"),
    json_output: JsonOption = False,
) -> None:
    """What is known of a baseline; its hash is checked."""
    from testbed.results.baselines import Baselines  # here: numpy takes its time

    kept = Baselines(baselines).read(name)
    if json_output:
        print_json(kept.summary() | {"manifest": dict(kept.manifest)})
        return
    console = stdout()
    for key, value in kept.summary().items():
        shown = (
            ", ".join(f"{arm}: {count}" for arm, count in value.items())
            if isinstance(value, dict)
            else value
        )
        console.print(escape(f"{key}: {shown}"), soft_wrap=True)
