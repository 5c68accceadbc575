"""Dashboards and rules written to files, which are committed and shipped.

A test builds them anew and compares: who changes a board or the catalogue runs
``python -m dashboards build``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from dashboards.boards import ALL
from dashboards.rules import RULES

__all__ = ["FILES", "build", "copy", "differing", "generated"]

FILES: Final = Path(__file__).parent / "files"
"""What is shipped: ``compose.yaml``, ``grafana/``, ``prometheus/``."""

_HEADER: Final = "# Written by `python -m dashboards build`; edit dashboards/rules.py instead.\n"


def generated() -> Iterator[tuple[Path, str]]:
    """Path within the shipped files, and text, of everything that is generated."""
    for board in ALL:
        text = json.dumps(board.to_json(), indent=2, sort_keys=True) + "\n"
        yield Path("grafana", "dashboards", f"{board.uid}.json"), text
    rules = yaml.safe_dump(RULES, sort_keys=False, width=96, allow_unicode=True)
    yield Path("prometheus", "rules.yml"), _HEADER + rules


def build(target: Path = FILES) -> list[Path]:
    """Write everything that is generated.

    Args:
        target: where the shipped files are.

    Returns:
        What was written.
    """
    written = []
    for path, text in generated():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        written.append(file)
    return written


def differing(target: Path = FILES) -> list[Path]:
    """What a build would change: files that differ or are missing, and dashboards too many."""
    found = []
    wanted = {target / path: text for path, text in generated()}
    for file, text in wanted.items():
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            found.append(file)
    found += [one for one in target.glob("grafana/dashboards/*.json") if one not in wanted]
    return found


def copy(target: Path) -> None:
    """Copy all shipped files into a new folder, where they may be changed.

    Raises:
        FileExistsError: it is there already.
    """
    shutil.copytree(FILES, target)
