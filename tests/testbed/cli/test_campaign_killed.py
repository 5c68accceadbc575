"""A campaign killed at random moments, and resumed each time: nothing twice, nothing lost.

The short form kills five times; ``TESTBED_PROOF_SCALE=10`` fifty times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.bench import load_bench
from testbed.campaign import load_payloads
from testbed.results import JournalReader, RunDirectory
from testbed.results.capture import HELLO
from testbed.results.capture_reader import CaptureReader

KILLS = 5 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))

DESCRIPTION: dict[str, Any] = {
    "matrix": ["none", "rohc", "esp-tunnel", "rohc+esp-tunnel"],
    "rohc": {"mode": "O", "feedback": "stand-alone"},
    "lifetime": {"soft_packets": 40},
    "campaign": {
        "factors": {
            "coverage": [0, 2],
            "power_saving": {"psm": {"psm": True}, "none": {"psm": False}},
        },
        "blocks": 12 * max(KILLS // 10, 1),
        "messages_per_cell": 3,
        "warm_up": 1,
    },
}


class Campaign:
    """A campaign in processes of its own, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bench = folder / "bench.yaml"
        self.bench.write_text(yaml.safe_dump(DESCRIPTION), encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def directory(self) -> Path | None:
        """The run directory, once there is a manifest in it."""
        found = list((self.folder / "runs").glob("*/manifest.json"))
        return found[0].parent if found else None

    @property
    def journal_bytes(self) -> int:
        directory = self.directory
        journal = None if directory is None else directory / "journal.jsonl"
        return journal.stat().st_size if journal is not None and journal.exists() else 0

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, or go on with what is there."""
        where = ["--bench", str(self.bench)]
        if self.directory is not None:
            where = ["--resume", str(self.directory)]
        return subprocess.Popen(
            [sys.executable, "-c", "from testbed.cli import main; main()", "run", *where],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )


def killed(campaign: Campaign, journal_bytes: int, after_s: float) -> bool:
    """Start a campaign, kill it so long after its journal has a size; whether it still ran."""
    process = campaign.start()
    deadline = time.monotonic() + 60
    while (
        campaign.journal_bytes < journal_bytes
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.005)
    time.sleep(after_s)
    alive = process.poll() is None
    if alive:
        process.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert alive or process.returncode == 0, said.decode()
    return alive


def test_a_campaign_killed_again_and_again_has_every_message_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    campaign, chosen = Campaign(tmp_path), random.Random(KILLS)
    kills = 0
    while kills < KILLS:
        begun = campaign.journal_bytes
        wanted = begun + chosen.choice((0, 1, chosen.randint(0, 25_000)))
        pause_s = chosen.choice((0.0, 0.02, 0.3)) * chosen.random()
        if not killed(campaign, wanted, pause_s):
            pytest.fail(f"the campaign was over after {kills} kills: make it longer")
        kills += 1
    last = campaign.start()
    _, said = last.communicate(timeout=300)
    assert last.returncode == 0, said.decode()

    assert campaign.directory is not None
    run = RunDirectory.open(campaign.directory)
    payloads = load_payloads(load_bench(campaign.bench))
    records = list(JournalReader(run.journal_path))
    messages = [record for record in records if record["kind"] == "message"]
    planned = [m for visit in payloads.plan.visits() for m in payloads.plan.messages(visit)]
    assert [(m["planned"], m["cell"], m["block"], m["index"]) for m in messages] == [
        (m.number, m.cell.name, m.block, m.index) for m in planned
    ]
    assert {message["outcome"] for message in messages} == {"answered"}
    resumptions = [record for record in records if record["kind"] == "resumed"]
    assert [record["part"] for record in resumptions] == list(range(1, len(resumptions) + 1))
    assert len(resumptions) <= kills
    manifest = run.read_manifest()
    assert manifest.status == "complete"
    assert {part["status"] for part in manifest.earlier} <= {"running"}

    reader = CaptureReader(run.capture_path)
    sent: Counter[bytes] = Counter()
    for packet in reader:
        to_esp_port = packet.data[22:24] == (4500).to_bytes(2, "big")
        if packet.interface.name == "ue" and to_esp_port and HELLO not in packet.comments:
            sent[packet.data[28:36]] += 1  # SPI and sequence number
    assert reader.torn is None
    assert sent
    assert set(sent.values()) == {1}
    lines = run.esp_sa_path.read_text(encoding="utf-8").splitlines()
    keys = Counter(line.split('","')[5] for line in lines if line.startswith('"IPv4"'))
    assert set(keys.values()) == {1}
    record_property("figure: kills", kills)
    record_property("figure: resumptions", len(resumptions))
    record_property("figure: messages", len(messages))
    summary = json.loads(
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from testbed.cli import main; main()",
                *("report", "--json", str(run.path)),
            ],
            capture_output=True,
            check=True,
        ).stdout
    )
    assert summary["status"] == "complete"
