"""What tests of whole runs share."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.cli import main
from testbed.results import RunDirectory

Run = Callable[..., RunDirectory]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a bench with `testbed run --json` in this process, or go on with a run."""
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()

    def go(*options: str, code: int = 0, **description: Any) -> RunDirectory:
        if description:
            path = tmp_path / f"bench-{next(numbers)}.yaml"
            path.write_text(yaml.safe_dump(description), encoding="utf-8")
            options = ("--bench", str(path), *options)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["run", "--json", *options])
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, err
        return RunDirectory.open(json.loads(out)["directory"])

    return go
