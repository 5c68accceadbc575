"""docs/rohc.md shows what its commands print, and its Python runs.

``python tests/testbed/cli/test_rohc_page.py`` writes the commands' output into the page again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "rohc.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def printed(block: str, folder: Path) -> str:
    """A block with the output of its commands behind each of them."""
    environment = {name: value for name, value in os.environ.items() if "TESTBED_" not in name}
    parts: list[str] = []
    for line in block.splitlines():
        if not line.startswith("$ testbed "):
            continue
        done = subprocess.run(
            [sys.executable, "-c", "from testbed.cli import main; main()", *line.split()[2:]],
            cwd=folder,
            env=environment | {"COLUMNS": "80"},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        parts += [line, *(row.rstrip() for row in done.stdout.rstrip().splitlines()), ""]
    return "\n".join(parts[:-1]) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder from which the paths of the page lead somewhere."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    return tmp_path


def test_the_page_shows_what_its_commands_print(folder: Path) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 3
    for block in blocks:
        assert block == printed(block, folder), f"write it again: python {Path(__file__).name}"


def test_the_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = PYTHON.findall(PAGE.read_text(encoding="utf-8"))
    exec(compile(code, str(PAGE), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].split()[0] == "IR"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "tests").symlink_to(ROOT / "tests")
        text = PAGE.read_text(encoding="utf-8")
        written = BLOCK.sub(lambda found: f"```console\n{printed(found[1], place)}```", text)
        PAGE.write_text(written, encoding="utf-8")
