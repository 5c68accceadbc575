"""``run --web``, ``watch`` and ``export`` as a user gives them."""

import contextlib
import csv
import json
import os
import pty
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from firmware_bridge.virtual.dialects.quectel import Quectel
from testbed.results import RunDirectory

EVIL = "<script>alert(1)</script>\x1b]0;owned\x07"
SHORT = ("run", "--messages", "4", "--json")


def served(start: Callable[..., Any], *options: str) -> tuple[Any, dict[str, str]]:
    """A slow run with doors, and where they are."""
    process = start(
        *("run", "--messages", "60", "--json", "--time", "scaled", "--time-scale", "40"), *options
    )
    places: dict[str, str] = {}
    wanted = sum(option in ("--web", "--metrics-port") for option in options)
    while len(places) < wanted:
        line = process.stderr.readline()
        assert line, process.communicate()
        found = re.fullmatch(r"(metrics|live page): (\S+)\n", line)
        if found:
            places[found[1]] = found[2]
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process, places


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def test_a_run_shows_itself_and_can_be_watched_by_directory_and_by_address(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process, places = served(start, "--web", "0", "--metrics-port", "0")
    page = places["live page"]
    watching = start("watch", page, "--interval", "0.2", "--json")
    following = start("watch", "--interval", "0.2")
    assert watching.stdout is not None and following.stdout is not None
    seen = [json.loads(watching.stdout.readline())]
    while "; none; " not in (line := following.stdout.readline()):
        assert line, following.communicate()
    assert re.match(r"0:\d\d:\d\d\.\d running \d+/180; none; unanswered 0; faults 0", line)
    found = read(page + "api/run")
    assert found["done"] >= 1 and found["status"] == "running"
    assert found["module"]["model"] == "Quectel_BC66"
    for url in (places["metrics"], page + "metrics"):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b"testbed_messages_total{" in answer.read()
    process.terminate()
    process.communicate(timeout=60)
    out, err = following.communicate(timeout=60)
    assert following.returncode == 3, err
    assert re.search(r"interrupted \d+/180; none", out)
    assert re.search(r"\nnone: n \d+, unanswered 0, latency ", out)
    out, _ = watching.communicate(timeout=60)
    seen += [json.loads(line) for line in out.splitlines()]
    assert [one["done"] for one in seen] == sorted(one["done"] for one in seen)
    assert watching.returncode == 3


def test_one_seed_gives_one_journal_with_a_page_and_without(
    testbed: Callable[..., Any], tmp_path: Path
) -> None:
    journals = []
    for options in ((), ("--web", "0", "--metrics-port", "0")):
        done = testbed(*SHORT, "--seed", "5", *options)
        assert done.code == 0, done.err
        journals.append((Path(done.json["directory"]) / "journal.jsonl").read_bytes())
    assert journals[0] == journals[1]
    assert journals[0].count(b"\n") > 12


def test_a_door_to_the_network_has_to_be_meant(testbed: Callable[..., Any], tmp_path: Path) -> None:
    for options in (
        ("--web", "0", "--web-host", "0.0.0.0"),
        ("--metrics-port", "0", "--metrics-host", "0.0.0.0"),
    ):
        before = len(list(tmp_path.glob("runs/*")))
        done = testbed(*SHORT, *options)
        assert done.code == 2
        assert "0.0.0.0 would be open to the network, without a token and TLS" in done.err
        assert len(list(tmp_path.glob("runs/*"))) == before
        done = testbed(*SHORT, *options, "--insecure-lab-network")
        assert done.code == 0
        assert "warning: 0.0.0.0 is open to the network, without a token and TLS" in done.err
    token = tmp_path / "token.txt"
    token.write_text("0123456789abcdef0123456789abcdef")
    token.chmod(0o644)
    done = testbed(*SHORT, "--web", "0", "--token-file", str(token))
    assert done.code == 2
    assert "others than its owner may use it" in done.err
    token.chmod(0o600)
    done = testbed(*SHORT, "--web", "0", "--token-file", str(token))
    assert done.code == 0
    everything = done.out + done.err
    for path in Path(done.json["directory"]).rglob("*"):
        everything += path.read_bytes().decode("latin-1") if path.is_file() else ""
    assert token.read_text() not in everything


def test_the_hse_s_metrics_are_guarded_the_same_way(
    testbed: Callable[..., Any], secret_file: Path
) -> None:
    done = testbed(
        *("hse", "--port", "0", "--secret-file", str(secret_file)),
        *("--metrics-port", "0", "--metrics-host", "::"),
    )
    assert done.code == 2
    assert ":: would be open to the network" in done.err


def test_what_a_hostile_module_says_is_a_text_everywhere(
    testbed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Quectel, "manufacturer", EVIL)
    done = testbed("run", "--messages", "2", "--web", "0")
    assert done.code == 0, done.err
    run = RunDirectory.latest(tmp_path / "runs")
    assert "<script>" in run.read_manifest().module["manufacturer"]
    report = run.report_path.read_text()
    assert "<script>alert(1)" not in report and "&lt;script&gt;alert(1)" in report
    watched = testbed("watch")
    assert watched.code == 0
    assert "<script>alert(1)</script>" in watched.out
    for text in (done.out, done.err, watched.out, watched.err):
        assert "\x1b]0" not in text and "\x07" not in text


def test_messages_are_exported_as_the_table_beside_the_journal(
    testbed: Callable[..., Any], tmp_path: Path
) -> None:
    run = Path(testbed(*SHORT).json["directory"])
    rows = pyarrow.parquet.read_table(run / "messages.parquet").to_pylist()
    exported = tmp_path / "out.parquet"
    assert testbed("export", "--format", "parquet", "-o", str(exported)).code == 0
    assert pyarrow.parquet.read_table(exported).to_pylist() == rows
    text = testbed("export").out
    found = list(csv.DictReader(text.splitlines()))
    assert [list(row) for row in found] == [list(row) for row in rows]
    for given, row in zip(rows, found, strict=True):
        for name, value in given.items():
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            assert row[name] == ("" if value is None else shown), name
    (tmp_path / "out.csv").write_text("something older")
    done = testbed("export", str(run), "--format", "csv", "-o", str(tmp_path / "out.csv"))
    assert "12 messages" in done.err
    assert (tmp_path / "out.csv").read_text() == text


def test_metrics_are_exported_with_their_times(testbed: Callable[..., Any], tmp_path: Path) -> None:
    assert testbed(*SHORT).code == 0
    out = testbed("export", "--format", "openmetrics", "--step", "30").out
    assert out.endswith("# EOF\n")
    assert re.search(r'^testbed_messages_total\{.*outcome="answered".*\} 4\.0 \d+', out, re.M)


def test_what_cannot_be_exported_is_said(testbed: Callable[..., Any]) -> None:
    assert testbed("export").code == 2
    assert testbed(*SHORT).code == 0
    done = testbed("export", "--format", "parquet")
    assert done.code == 2 and "Parquet is no text" in done.err
    done = testbed("export", "--step", "5")
    assert done.code == 2 and "--step belongs to --format openmetrics" in done.err
    done = testbed("export", "-o", "nowhere/out.csv")
    assert done.code == 3 and "nowhere/out.csv cannot be written" in done.err


def test_on_a_terminal_the_run_is_drawn_in_place(
    testbed: Callable[..., Any], tmp_path: Path
) -> None:
    assert testbed(*SHORT).code == 0
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from testbed.cli import main; main()", "watch"],
        cwd=tmp_path,
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's other end is closed
        while block := os.read(controller, 1 << 16):
            shown += block
    os.close(controller)
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert "Quectel_Ltd Quectel_BC66 · bench · virtual · modelled in virtual time" in text
    assert "complete" in text and "12 of 12" in text and "rohc+esp-tunnel 3" in text


def test_what_cannot_be_watched_is_said(testbed: Callable[..., Any]) -> None:
    done = testbed("watch")
    assert done.code == 2 and "there is no run in runs" in done.err
    done = testbed("watch", "http://127.0.0.1:1/")
    assert done.code == 3 and "cannot be followed" in done.err
