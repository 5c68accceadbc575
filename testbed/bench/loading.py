"""A bench description read from its file and from options, and its mistakes told with their lines.

The file first, then ``TESTBED_*`` environment variables, then options: the command line merges
these into overrides. The JSON Schema for editors is here, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from testbed.bench.description import Bench
from testbed.bench.mistakes import usage_error
from testbed.bench.source import YamlSource, read_yaml
from testbed.errors import UsageError
from testbed.traffic import PROFILES

__all__ = ["bench_schema", "load_bench", "merged", "schema_text", "validate_bench"]


def bench_schema() -> dict[str, Any]:
    """The JSON Schema of a bench description, for editors."""
    schema = Bench.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "BEST testbed bench description"
    return schema


def load_bench(path: Path, overrides: Mapping[str, Any] | None = None) -> Bench:
    """Read a bench description.

    Args:
        path: the YAML file. Relative paths in it are relative to its folder.
        overrides: values that beat the file's, nested as in the file.

    Raises:
        UsageError: unreadable, no YAML, or against the format; names the file, the line, the
            mistake and what is allowed.
    """
    source = read_yaml(path)
    if source.data is None:
        raise UsageError(f"{path}: the file is empty", hint="See docs/bench.md for an example.")
    if not isinstance(source.data, dict):
        raise UsageError(
            f"{path}:1: a bench description is a mapping of keys to values",
            hint=f"Known keys: {', '.join(Bench.model_fields)}.",
        )
    data = merged(source.data, overrides or {})
    bench = validate_bench(data, source=source)
    traffic, hse = bench.traffic, bench.hse
    if traffic.capture is not None and _from_file(source.data, overrides, "traffic", "capture"):
        traffic = traffic.model_copy(update={"capture": path.parent / traffic.capture})
    if hse.secret_file is not None and _from_file(source.data, overrides, "hse", "secret_file"):
        hse = hse.model_copy(update={"secret_file": path.parent / hse.secret_file})
    aka = bench.aka
    if aka.subscribers is not None and _from_file(source.data, overrides, "aka", "subscribers"):
        aka = aka.model_copy(update={"subscribers": path.parent / aka.subscribers})
    campaign = bench.campaign
    if campaign is not None:
        sources = tuple(
            name if name in PROFILES else str(path.parent / name)
            for name in campaign.factors.payload
        )
        factors = campaign.factors.model_copy(update={"payload": sources})
        campaign = campaign.model_copy(update={"factors": factors})
    return bench.model_copy(
        update={"traffic": traffic, "hse": hse, "aka": aka, "campaign": campaign}
    )


def validate_bench(data: Mapping[str, Any], *, source: YamlSource | None = None) -> Bench:
    """Validate a description that is already a mapping.

    Args:
        data: nested as in the YAML file.
        source: the file it came from, for the lines of mistakes; none when it came from options.

    Raises:
        UsageError: names where, the mistake and what is allowed.
    """
    try:
        return Bench.model_validate(data)
    except ValidationError as error:
        raise usage_error(error, source, Bench) from None


def merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A nested mapping with the values of another one in place of its own."""
    result = dict(base)
    for key, value in overrides.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def _from_file(data: Mapping[str, Any], overrides: Mapping[str, Any] | None, *path: str) -> bool:
    """Whether a value is the file's own, and not an override's."""
    return _stands_in(data, *path) and not _stands_in(overrides, *path)


def _stands_in(data: Mapping[str, Any] | None, *path: str) -> bool:
    node: Any = data
    for part in path:
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def schema_text() -> str:
    """The JSON Schema as it is published, in one stable form."""
    return json.dumps(bench_schema(), indent=2, sort_keys=True) + "\n"
