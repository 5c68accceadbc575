"""What the command line loads before it knows what is asked of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "plotly", "pyarrow", "scipy")
"""Libraries for pages, tables and statistics: each takes longer to load than a command to start."""


def loaded_by(code: str) -> list[str]:
    """Which of the heavy libraries a new interpreter has loaded after ``code``."""
    script = (
        f"{code}\nimport json, sys\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def asked(*arguments: str) -> str:
    return (
        "from testbed.cli import main\n"
        f"try:\n    main({list(arguments)!r})\nexcept SystemExit as end:\n    assert not end.code"
    )


@pytest.mark.parametrize(
    "code",
    [
        "import testbed.cli",
        asked("--help"),
        asked("hse", "--help"),
        asked("run", "--help"),
    ],
    ids=["import", "help", "hse", "run"],
)
def test_the_command_line_starts_without_heavy_libraries(code: str) -> None:
    assert loaded_by(code) == []


def test_a_heavy_library_that_is_loaded_is_seen() -> None:
    assert loaded_by("import testbed.cli, plotly") == ["plotly"]
