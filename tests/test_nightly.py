"""The recipe of docs/nightly.md: its script on virtual modules, its units."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.junit_structure import check

ROOT = Path(__file__).parents[1]
NIGHTLY = ROOT / "docs" / "examples" / "nightly"

BENCH = """
name: desk
module: {port: "virtual:bc66"}
matrix: [none]
campaign:
  blocks: 12
  messages_per_cell: 4
  limits: LIMITS
"""
KEPT = "{latency_p95: {max: 12 s}}"
BROKEN = "{uplink_bytes: {max: 20 B}}"
OPEN = "{delivery: {min: 99.9 %}}"


def night(place: Path, **environment: str) -> int:
    """One night in a directory; commands are this checkout's."""
    commands = place / "bin"
    commands.mkdir(exist_ok=True)
    for name, code in (
        ("testbed", "from testbed.cli import main; main()"),
        ("pytest", "import sys, pytest; sys.exit(pytest.main(['-p', 'no:testbed', '-p', "
         "'testbed.pytest_plugin', '-p', 'no:cacheprovider', *sys.argv[1:]]))"),
    ):  # fmt: skip
        command = commands / name
        command.write_text(f"#!{sys.executable}\n{code}\n")
        command.chmod(0o755)
    given = {name: value for name, value in os.environ.items() if not name.startswith("TESTBED_")}
    given |= {"PATH": f"{commands}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    script = str(NIGHTLY / "nightly")
    return subprocess.run(
        [script, str(place)], env=given | environment, check=False, capture_output=True
    ).returncode


def benches(place: Path, **limits: str) -> None:
    (place / "benches").mkdir(exist_ok=True)
    for name, text in limits.items():
        description = BENCH.replace("LIMITS", text).replace("desk", name)
        (place / "benches" / f"{name}.yaml").write_text(description)


@pytest.mark.slow
def test_a_night_ends_as_its_worst_bench_and_leaves_a_report_of_each(tmp_path: Path) -> None:
    old = tmp_path / "runs" / "20200101T000000Z-0000"
    old.mkdir(parents=True)
    os.utime(old, (1.6e9, 1.6e9))
    benches(tmp_path, kept=KEPT, open=OPEN)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(
        "def test_attached(module):\n    assert module.registration().registered\n"
    )
    assert night(tmp_path) == 4
    assert not old.exists()
    reports = sorted((tmp_path / "junit").iterdir())
    assert [report.name for report in reports] == ["kept.xml", "open.xml", "tests.xml"]
    for report in reports:
        check(ElementTree.parse(report).getroot())
    cases = [case.get("name") for case in ElementTree.parse(reports[2]).iter("testcase")]
    assert cases == ["test_attached[kept]", "test_attached[open]"]
    benches(tmp_path, broken=BROKEN)
    assert night(tmp_path) == 1


@pytest.mark.slow
def test_a_night_tells_faults_of_the_lab_and_mistakes_from_broken_limits(tmp_path: Path) -> None:
    (tmp_path / "benches").mkdir()
    bench = tmp_path / "benches" / "shelf.yaml"
    bench.write_text(
        "module: {port: /dev/no-such-port}\nmatrix: [none]\nhse: {address: 127.0.0.1:4500}\n"
    )
    assert night(tmp_path) == 3
    (error,) = ElementTree.parse(tmp_path / "junit" / "shelf.xml").iter("error")
    assert "port /dev/no-such-port does not exist" in (error.text or "")
    bench.write_text("modul: {}\n")
    assert night(tmp_path) == 2


@pytest.mark.peer
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail("systemd-analyze is required, and not installed", pytrace=False)
        pytest.skip("systemd-analyze is not installed (package systemd)")
    for name in ("testbed-nightly.service", "testbed-nightly.timer"):
        text = (NIGHTLY / name).read_text()
        # There is no /srv/testbed here: systemd looks whether the command exists.
        text = text.replace("ExecStart=/srv/testbed/nightly", f"ExecStart={NIGHTLY / 'nightly'}")
        (tmp_path / name).write_text(text)

    def verified() -> tuple[int, str]:
        units = [str(path) for path in sorted(tmp_path.glob("testbed-nightly.*"))]
        done = subprocess.run(
            [analyze, "verify", *units], check=False, capture_output=True, text=True
        )
        said = [line for line in done.stderr.splitlines() if "testbed-nightly" in line]
        return done.returncode, "\n".join(said)

    assert verified() == (0, "")
    with (tmp_path / "testbed-nightly.service").open("a") as file:
        file.write("TimeoutStartSec=some time\nNoSuchKey=yes\n")
    said = verified()[1]
    assert "some time" in said and "NoSuchKey" in said, "the check does not bite"
