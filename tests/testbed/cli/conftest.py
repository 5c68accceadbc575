"""Commands as a user gives them: in this process, or as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.cli import main

COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from testbed.cli import main; main()"
)
"""Where the tests run in the background Ctrl-C is ignored, and children would inherit that."""


@dataclass(frozen=True)
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def testbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run a command in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in list(os.environ):
        if name.startswith("TESTBED_"):
            monkeypatch.delenv(name)

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own, in an empty directory."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if "TESTBED_" not in name}
            | {"COLUMNS": "200"},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """A secret of this test's own."""
    path = tmp_path / "secret.txt"
    path.write_text("hex:" + os.urandom(16).hex() + "\n")
    path.chmod(0o600)
    return path


def messages_in(run: Path) -> int:
    """Finished messages in a run's journal, which may still grow."""
    try:
        return (run / "journal.jsonl").read_text().count('"kind":"message"')
    except OSError:
        return 0


def wait_for_messages(runs: Path, count: int, process: subprocess.Popen[str]) -> Path:
    """Wait until the one run in ``runs`` has so many finished messages."""
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        for run in runs.glob("*"):
            if messages_in(run) >= count:
                return run
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise AssertionError(f"no {count} messages in time: {process.poll()}")
