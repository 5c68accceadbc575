"""What is wrong with a file that was read into a model, told with the line of each mistake."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from testbed.bench.source import Location, YamlSource
from testbed.errors import UsageError

__all__ = ["usage_error"]


def usage_error(
    error: ValidationError, source: YamlSource | None, model: type[BaseModel]
) -> UsageError:
    """The error to show.

    Args:
        error: what pydantic found.
        source: where the data came from, for the lines; none for options.
        model: what was validated, for the keys that are allowed.

    Returns:
        One sentence per mistake. None of them shows a value; where the source is confidential,
        none shows an unknown key either, since a misplaced value may have become one.
    """
    confidential = source is not None and source.confidential
    sentences = []
    hint: str | None = None
    for detail in error.errors(include_url=False, include_input=False):
        location: Location = tuple(detail["loc"])
        kind = detail["type"]
        dotted = ".".join(str(part) for part in location)
        if kind in ("extra_forbidden", "unexpected_keyword_argument", "invalid_key"):
            allowed = _allowed_keys(location[:-1], model)
            sentence = "unknown key" if confidential else f"unknown key {dotted!r}"
            hint = hint or (f"Known keys here: {', '.join(allowed)}." if allowed else None)
        elif kind == "value_error":
            reason = detail["ctx"]["error"]
            sentence = f"{dotted}: {reason}" if dotted else str(reason)
        else:
            message = detail["msg"]
            sentence = f"{dotted}: {message[0].lower()}{message[1:]}"
        if source is not None:
            line = source.line(location)
            where = f"{source.path}:{line}" if line is not None else str(source.path)
            sentence = f"{where}: {sentence}"
        sentences.append(sentence)
    return UsageError("\n".join(sentences), hint=hint)


def _allowed_keys(location: Location, model: type[BaseModel]) -> list[str]:
    """The keys that may stand at this place of a description."""
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        for option in [node, *node.get("anyOf", []), *node.get("allOf", [])]:
            reference = option.get("$ref")
            if reference is not None:
                found: dict[str, Any] = definitions[reference.rpartition("/")[2]]
                return found
        return node

    node: dict[str, Any] = schema
    for part in location:
        below = node.get("properties", {}).get(part, {}) if isinstance(part, str) else None
        node = resolve(node.get("items", {}) if below is None else below)
    return list(node.get("properties", {}))
