"""pytest as a user starts it: a process of its own, in a directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.junit_structure import check

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Session:
    """What a session of pytest gave."""

    code: int
    out: str
    junit: ElementTree.Element | None

    def outcomes(self) -> dict[str, str]:
        """The outcome of each test by its name, as the terminal has it (with ``-v``)."""
        found = {}
        for line in self.out.splitlines():
            name, _, rest = line.partition(" ")
            if "::" in name and rest:
                found[name.split("::")[-1]] = rest.split()[0]
        return found

    def case(self, name: str) -> ElementTree.Element:
        """A test case of the JUnit report."""
        assert self.junit is not None
        (found,) = [case for case in self.junit.iter("testcase") if case.get("name") == name]
        return found

    def properties(self, name: str) -> dict[str, str]:
        """The properties of a test case."""
        found = self.case(name).iter("property")
        return {one.get("name", ""): one.get("value", "") for one in found}


@pytest.fixture
def session(tmp_path: Path) -> Callable[..., Session]:
    """Write files, run pytest on them."""

    def run(*arguments: str, **files: str) -> Session:
        for name, text in files.items():
            stem, _, ending = name.rpartition("_")
            (tmp_path / f"{stem}.{ending}").write_text(text)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("TESTBED_")
        }
        environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "PYTEST_ADDOPTS": ""}
        # By its module, whether or not this checkout is installed; never twice.
        plugin = ("-p", "no:testbed", "-p", "testbed.pytest_plugin")
        report = tmp_path / "junit.xml"
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugin, "-v", "-p", "no:cacheprovider",
             "-p", "no:hypothesispytest", "-W", "error", "--strict-markers",
             f"--junitxml={report}", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        junit = ElementTree.parse(report).getroot() if report.exists() else None
        if junit is not None:
            check(junit)
        return Session(code=done.returncode, out=done.stdout + done.stderr, junit=junit)

    return run
