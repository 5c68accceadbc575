"""``testbed compare``: a run against another one, or against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from testbed.bench.source import YamlSource, read_yaml
from testbed.cli.shared import app, print_json, stdout
from testbed.cli.verdict import BaselinesOption, JUnitOption, write_junit
from testbed.errors import UsageError

if TYPE_CHECKING:
    from testbed.analysis.limits import Limit

__all__ = ["compare"]


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="The reference: run directory or baseline.")],
    second: Annotated[str, typer.Argument(help="What is compared with it: likewise.")],
    limits: Annotated[
        Path | None, typer.Option(help="YAML file with limits; by default those of the run.")
    ] = None,
    regression: Annotated[
        str | None,
        typer.Option(
            help="How much worse each figure may be where there are no limits; 5 % by default."
        ),
    ] = None,
    changed: Annotated[
        list[str] | None,
        typer.Option(
            help="What was changed on purpose, may be repeated: module, firmware, supply, cell, "
            "ecl, rsrp."
        ),
    ] = None,
    baselines: BaselinesOption = Path("baselines"),
    junit: JUnitOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Say whether a run is worse than another one, and how sure that is.

    Ends with 0 when all limits were shown to be kept, 1 when one is broken, 4 when it takes more
    messages to tell, or the two were made under different conditions.
    """
    # Here, not above: numpy and scipy take their time, and other commands need neither.
    from testbed.analysis.comparison import compare as compare_runs
    from testbed.analysis.verdicts import exit_code
    from testbed.report.compared import render_comparison
    from testbed.results.baselines import Baselines, read_measurements

    shelf = Baselines(baselines)
    reference, _ = read_measurements(first, shelf)
    run, config = read_measurements(second, shelf)
    try:
        result = compare_runs(
            reference, run, _limits(limits, regression, config), changed=changed or ()
        )
    except ValueError as error:
        raise UsageError(f"--changed: {error}", hint="See testbed compare --help.") from None
    if junit is not None:
        write_junit(junit, f"{result.second} against {result.first}", result.judgements)
    if json_output:
        print_json(result.to_json())
    else:
        stdout().print(render_comparison(result))
    return int(exit_code(result.grade))


def _limits(
    path: Path | None, regression: str | None, config: Mapping[str, Any] | None
) -> tuple[Limit, ...]:
    """What is judged: the limits of a file, or a share given, or the run's own; else none."""
    from testbed.analysis.comparison import DEFAULT_MEASURES
    from testbed.analysis.limits import parse_share, regression_limit

    if path is not None:
        source = read_yaml(path)
        found: Any = source.data if isinstance(source.data, Mapping) else {}
        place: tuple[str, ...] = ("limits",) if "limits" in found else ("campaign", "limits")
        for key in place:
            found = found.get(key) if isinstance(found, Mapping) else None
        if not found:
            raise UsageError(
                f"{path} has no limits",
                hint="Write them under 'limits:', such as latency_median: {regression: 5 %}.",
            )
        return _described(found, source, place)
    if regression is not None:
        try:
            share = parse_share(regression)
        except ValueError as error:
            raise UsageError(f"--regression: {error}", hint="Such as --regression '5 %'.") from None
        return tuple(regression_limit(name, share) for name in DEFAULT_MEASURES)
    own = ((config or {}).get("campaign") or {}).get("limits")
    return () if not own else _described(own, None, ())


def _described(found: Any, source: YamlSource | None, place: tuple[str, ...]) -> tuple[Limit, ...]:
    from testbed.analysis.limits import LimitsDescription

    try:
        return LimitsDescription.model_validate(found).limits()
    except ValidationError as error:
        sentences = []
        for detail in error.errors(include_url=False, include_input=False):
            location = (*place, *detail["loc"])
            line = None if source is None else source.line(location)
            where = f"{source.path}:{line}: " if source is not None and line is not None else ""
            cause = detail.get("ctx", {}).get("error", detail["msg"])
            sentences.append(f"{where}{'.'.join(map(str, location))}: {cause}")
        known = ", ".join(LimitsDescription.model_fields)
        raise UsageError("\n".join(sentences), hint=f"Figures are: {known}.") from None
