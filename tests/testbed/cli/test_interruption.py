"""A run that is interrupted or killed: its journal is readable, its report can be made."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import esp
from testbed.packets import parse_udp_packet
from testbed.results import JournalReader, RunDirectory
from testbed.results.capture_reader import CaptureReader
from tests.testbed.cli.conftest import Done, messages_in, wait_for_messages

Start = Callable[..., "subprocess.Popen[str]"]
ENOUGH = ("run", "-n", "5000", "-c", "esp-tunnel", "-c", "rohc+esp-tunnel", "--runs")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_journal_and_shows_its_table(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(*ENOUGH, str(tmp_path / "runs"))
    run = wait_for_messages(tmp_path / "runs", 5, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert "esp-tunnel" in out
    records = list(JournalReader(run / "journal.jsonl"))
    assert records[-1]["kind"] == "end"
    assert records[-1]["status"] == "interrupted"
    assert json.loads((run / "manifest.json").read_text())["status"] == "interrupted"
    assert (run / "report.html").exists()


def test_a_killed_run_has_a_readable_journal_and_report(
    start: Start, testbed: Callable[..., Done], tmp_path: Path
) -> None:
    process = start(*ENOUGH, str(tmp_path / "runs"))
    run = wait_for_messages(tmp_path / "runs", 5, process)
    process.kill()
    process.wait(timeout=30)
    finished = messages_in(run)
    assert finished >= 5
    done = testbed("report", str(run), "--json")
    assert done.code == 0, done.err
    assert done.json["status"] == "interrupted"
    assert done.json["messages"] in (finished, finished - 1)  # the last line may be torn
    assert (run / "report.html").exists()
    table = testbed("report", str(run))
    assert "INTERRUPTED" in table.out


def test_a_torn_last_line_is_dropped_and_said(
    start: Start, testbed: Callable[..., Done], tmp_path: Path
) -> None:
    process = start("run", "-n", "3", "-c", "none", "--runs", str(tmp_path / "runs"))
    process.communicate(timeout=60)
    (run,) = (tmp_path / "runs").iterdir()
    journal = run / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][: len(lines[3]) // 2])
    done = testbed("report", str(run), "--json")
    assert done.code == 0, done.err
    assert done.json["messages"] == 2
    assert any("torn" in note or "dropped" in note for note in done.json["notes"])


def used(run: Path) -> set[tuple[bytes, bytes]]:
    """(key and salt, IV) of every ESP packet that was sent in a run, from its own capture."""
    keys = {}
    for line in (run / "esp_sa").read_text().splitlines():
        columns = [column.strip('"') for column in line.split(",")]
        keys[bytes.fromhex(columns[3].removeprefix("0x"))] = bytes.fromhex(
            columns[5].removeprefix("0x")
        )
    found: list[tuple[bytes, bytes]] = []
    for packet in CaptureReader(RunDirectory.open(run).capture_path):
        inner = parse_udp_packet(packet.data)
        payload = inner.payload
        # Each packet is in the capture at both ends: the sender's is taken.
        sender = packet.interface.name == ("hse" if inner.source_port == 4500 else "ue")
        if sender and esp.classify(payload) is esp.DatagramKind.ESP:
            found.append((keys[payload[:4]], payload[8:16]))
    assert len(set(found)) == len(found)
    return set(found)


def test_no_key_salt_and_iv_repeats_over_runs_with_one_secret_file_and_a_kill(
    start: Start, tmp_path: Path, secret_file: Path
) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        f"hse: {{secret_file: {secret_file.name}, test: true}}\n"
        "matrix: [esp-transport, esp-tunnel, rohc+esp-tunnel]\n"
        "time: scaled\n"  # in virtual time all keys come from the seed
    )
    runs = tmp_path / "runs"
    options = ("run", "--bench", str(bench), "--runs", str(runs))
    killed = start(*options, "-n", "5000", "-c", "esp-tunnel")
    first = wait_for_messages(runs, 15, killed)  # an answer or two may be lost on a busy machine
    killed.kill()
    killed.wait(timeout=30)
    for _ in range(2):
        whole = start(*options, "-n", "6")
        _, err = whole.communicate(timeout=60)
        assert whole.returncode == 0, err
    sets = [used(run) for run in [first, *sorted(set(runs.iterdir()) - {first})]]
    assert [len(one) >= 20 for one in sets] == [True, True, True]
    assert len(sets[0] | sets[1] | sets[2]) == sum(len(one) for one in sets)
    keys = [{key for key, _ in one} for one in sets]
    assert not keys[0] & keys[1]
    assert not keys[1] & keys[2]
    # 3 configurations, a key each way, per whole run: nothing is shared between directions either.
    assert [len(one) for one in keys] == [2, 6, 6]
    secret = bytes.fromhex(secret_file.read_text().strip().removeprefix("hex:"))
    assert all(secret not in key for one in keys for key in one)
