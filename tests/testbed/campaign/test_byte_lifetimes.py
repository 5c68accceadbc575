"""A hard limit on octets without a soft one: keys are renewed before the message that won't fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.results import JournalReader, MessageRecord, Outcome, RunDirectory, SessionRecord
from testbed.ue.layers import Protection

Journal = Callable[..., tuple[list[MessageRecord], list[SessionRecord]]]


@pytest.fixture
def journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Journal:
    monkeypatch.chdir(tmp_path)

    def run(**settings: object) -> tuple[list[MessageRecord], list[SessionRecord]]:
        bench = tmp_path / "bench.json"
        bench.write_text(json.dumps({"traffic": {"messages": 12}, **settings}))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["run", "--json", "--bench", str(bench)])
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        place = RunDirectory.open(json.loads(out)["directory"])
        found = list(JournalReader(place.journal_path).typed())
        return (
            [one for one in found if isinstance(one, MessageRecord)],
            [one for one in found if isinstance(one, SessionRecord)],
        )

    return run


@pytest.mark.parametrize(
    ("mode", "esp"),
    [
        ("esp-transport", {}),
        ("esp-tunnel", {}),
        ("rohc+esp-tunnel", {}),
        ("esp-transport", {"pad_to": 100}),
        ("esp-tunnel", {"pad_to": 100}),
    ],
)
def test_no_message_is_lost_to_a_limit_on_octets(
    journal: Journal, mode: str, esp: dict[str, int]
) -> None:
    messages, sessions = journal(matrix=[mode], lifetime={"hard_bytes": 200}, esp=esp)
    assert [one.outcome for one in messages] == [Outcome.ANSWERED] * 12
    assert len(sessions) > 2
    assert [one.reason for one in sessions[1:]] == ["lifetime-hard"] * (len(sessions) - 1)
    assert len(sessions) <= 12


def test_without_the_look_ahead_messages_fail(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Protection, "room_for", lambda self, size: True)
    messages, _ = journal(matrix=["esp-tunnel"], lifetime={"hard_bytes": 350})
    assert "association-ended" in {one.reason for one in messages}


def test_a_limit_smaller_than_a_message_ends_the_run_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bench = tmp_path / "bench.json"
    bench.write_text(json.dumps({"matrix": ["esp-tunnel"], "lifetime": {"hard_bytes": 40}}))
    with pytest.raises(SystemExit) as ended:
        main(["run", "--json", "--bench", str(bench)])
    assert ended.value.code == 3
    assert "has no room for a message: raise lifetime: hard_bytes" in capsys.readouterr().err
    (place,) = (tmp_path / "runs").iterdir()
    found = list(JournalReader(place / "journal.jsonl").typed())
    reasons = [one.reason for one in found if isinstance(one, MessageRecord)]
    assert reasons == ["association-ended"] * 3
