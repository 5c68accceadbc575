"""A run that is killed at any moment leaves a directory that can be read."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from testbed.packets import parse_udp_packet
from testbed.results import CaptureReader, JournalWriter, MessageRecord, RunCapture, RunDirectory

RUN = textwrap.dedent(
    """
    import sys
    from testbed.results import (
        EspSaTable, JournalWriter, MessageRecord, RunCapture, RunDirectory, RunRecord,
        start_manifest,
    )
    run = RunDirectory.create(sys.argv[1])
    run.write_manifest(start_manifest(run.name, config={}))
    ue, hse = ("10.0.0.1", 41000), ("10.0.0.2", 34500)
    with (
        JournalWriter(run.journal_path) as journal,
        RunCapture(run.capture_path, hse_port=34500) as capture,
        EspSaTable(run.esp_sa_path) as table,
    ):
        journal.append(RunRecord())
        print(flush=True)
        for index in range(10**9):
            if index % 10 == 0:
                table.add(1 + index, "aes-gcm-16-128", bytes(16), b"salt")
            payload = index.to_bytes(8, "big") * (1 + index % 40)
            capture.ue_packet(payload, ue, hse, uplink=True, at=index)
            capture.hse_packet(payload, ue, hse, uplink=True, at=index)
            journal.append(MessageRecord(
                index=index, configuration="none", security="none", compression="none",
                outcome="lost", reason="x" * (index % 900),
            ))
            run.write_manifest(run.read_manifest().finished("complete"))
    """
)


def indices(run: RunDirectory) -> tuple[list[int], list[int], list[int]]:
    """Message numbers in the journal, and in the capture of each side."""
    journal = [record.index for record in run.read_journal().messages]
    sides: dict[str, list[int]] = {"ue": [], "hse": []}
    for packet in CaptureReader(run.capture_path):
        payload = parse_udp_packet(packet.data).payload
        sides[packet.interface.name].append(int.from_bytes(payload[:8], "big"))
    return journal, sides["ue"], sides["hse"]


@pytest.mark.parametrize("after_ms", [0, 3, 20, 55, 120])
def test_a_killed_run_can_be_read_and_gone_on_with(tmp_path: Path, after_ms: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        process.stdout.readline()
        time.sleep(after_ms / 1000)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    run = RunDirectory.latest(tmp_path)
    assert run.read_manifest().run == run.name
    assert run.read_journal().end is None
    journal, ue, hse = indices(run)
    assert journal == list(range(len(journal)))
    assert ue == list(range(len(ue)))
    assert hse == list(range(len(hse)))
    # What is in the journal is in the capture; of the message in flight there may be a part.
    assert len(journal) <= len(hse) <= len(ue) <= len(journal) + 1
    table = run.esp_sa_path.read_text() if run.esp_sa_path.exists() else ""
    assert len(table.splitlines()) >= len(journal) // 10
    assert table == "" or table.endswith("\n")

    ends = ("10.0.0.1", 41000), ("10.0.0.2", 34500)
    with (
        JournalWriter.resume(run.journal_path) as writer,
        RunCapture(run.capture_path, hse_port=34500, resume=True) as capture,
    ):
        for index in range(len(journal), len(journal) + 2):
            capture.ue_packet(index.to_bytes(8, "big"), *ends, uplink=True, at=index)
            writer.append(
                MessageRecord(
                    index=index,
                    configuration="none",
                    security="none",
                    compression="none",
                    outcome="lost",  # type: ignore[arg-type]
                )
            )
    resumed, _, _ = indices(run)
    assert resumed == list(range(len(journal) + 2))
