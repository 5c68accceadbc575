"""What a record counts against what the capture holds: one wrong octet ends a run, and is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbed.analysis.bytes import Layer
from testbed.campaign import sending
from testbed.cli import main
from testbed.ue.layers import ModuleDatagrams, Unit


@pytest.fixture
def miscount(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that counts one octet too many in the sixth packet that it builds."""
    honest = ModuleDatagrams.down
    packets = []

    def down(self: ModuleDatagrams, unit: Unit, now: float) -> list[Unit]:
        made = honest(self, unit, now)
        packets.append(unit)
        if len(packets) == 6:
            unit.counts[Layer.OUTER_IP] += 1
        return made

    monkeypatch.setattr(ModuleDatagrams, "down", down)


def run(folder: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["run", "-n", "6", "-c", "esp-tunnel", "--runs", str(folder), *options])
    return int(ended.value.code or 0)


def test_a_wrong_octet_ends_the_run_and_names_the_message(
    tmp_path: Path, miscount: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 3
    said = " ".join(capsys.readouterr().err.split())
    # The stack builds uplink and downlink of a message: the sixth is the answer to the third.
    assert "esp-tunnel: message 2, downlink: the layers sum to" in said
    assert "octets, the capture has" in said
    (place,) = tmp_path.iterdir()
    records = [json.loads(line) for line in (place / "journal.jsonl").read_text().splitlines()]
    assert [record["kind"] for record in records].count("message") == 3
    assert records[-1]["status"] == "interrupted"


def test_without_the_check_nobody_would_notice(
    tmp_path: Path, miscount: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "check_exchange", lambda *_: None)
    assert run(tmp_path) == 0
