"""YAML with the line of each key, so that an error can point at the mistake."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from testbed.errors import UsageError

__all__ = ["YamlSource", "parse_yaml", "read_yaml"]

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlSource:
    """A parsed YAML file and where each of its keys stands."""

    path: Path
    """The file."""
    data: Any = field(repr=False)
    """What it says: dicts, lists and scalars."""
    lines: dict[Location, int] = field(default_factory=dict, repr=False)
    """Line number (from 1) of each key or list item, by its path."""
    confidential: bool = False
    """Whether errors must not show anything that stands in the file."""

    def line(self, location: Location) -> int | None:
        """The line of the nearest place on this path that stands in the file."""
        for end in range(len(location), 0, -1):
            found = self.lines.get(location[:end])
            if found is not None:
                return found
        return None


def read_yaml(path: Path) -> YamlSource:
    """Read one YAML document.

    Args:
        path: the file.

    Raises:
        UsageError: it can't be read, is no YAML, or names one key twice; the text says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", hint="Check the path and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: not UTF-8 text (octet {error.start})", hint="Is this a bench description?"
        ) from error
    return parse_yaml(path, text)


def parse_yaml(path: Path, text: str, *, confidential: bool = False) -> YamlSource:
    """Parse one YAML document.

    Args:
        path: where it came from, for errors.
        text: the document.
        confidential: no error shows anything that stands in it, beside the line.

    Raises:
        UsageError: no YAML, or names one key twice; the text says where.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}" if mark is not None else ""
        problem = "" if confidential else f": {error.problem or error}"
        raise UsageError(
            f"{path}{where}: not valid YAML{problem}",
            hint="Indent with spaces, and put a space after each colon.",
        ) from (None if confidential else error)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that there is not
        problem = "" if confidential else f": {error}"
        raise UsageError(
            f"{path}: not valid YAML{problem}", hint="Check its characters; put texts in quotes."
        ) from (None if confidential else error)
    lines: dict[Location, int] = {}
    if root is not None:
        _index(path, root, (), lines, set(), confidential)
    return YamlSource(path=path, data=data, lines=lines, confidential=confidential)


def _index(
    path: Path,
    node: yaml.Node,
    location: Location,
    lines: dict[Location, int],
    parents: set[int],
    confidential: bool,
) -> None:
    if id(node) in parents:
        raise UsageError(
            f"{path}:{node.start_mark.line + 1}: an alias that contains itself",
            hint="A bench description needs no anchors: write the value out.",
        )
    parents = parents | {id(node)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*location, key.value)
            line = key.start_mark.line + 1
            if place in lines:
                name = "a key" if confidential else repr(key.value)
                raise UsageError(
                    f"{path}:{line}: {name} stands here again (first in line {lines[place]})",
                    hint="Keep one of the two.",
                )
            lines[place] = line
            _index(path, value, place, lines, parents, confidential)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*location, number)] = item.start_mark.line + 1
            _index(path, item, (*location, number), lines, parents, confidential)
