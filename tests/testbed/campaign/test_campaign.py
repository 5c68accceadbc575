"""Campaigns in virtual time: carried out as planned, repeatable, stopped as described, resumed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.campaign.ledger import Ledger, Progress
from testbed.cli import main
from testbed.metrics import RunMetrics
from testbed.results import EndRecord, JournalReader, RunDirectory, RunStatus
from testbed.results.capture_reader import CaptureReader

SAMPLE = Path(__file__).parents[2] / "data" / "traffic" / "thermostat.pcapng"

Run = Callable[..., RunDirectory]

FACTORS = {
    "coverage": [0, 2],
    "release_assistance": ["none", "after-downlink"],
    "power_saving": {"psm": {"psm": True}, "edrx": {"psm": False, "edrx_cycle_s": 20.48}},
}
MATRIX = ["none", "rohc", "esp-tunnel", "rohc+esp-tunnel"]


def records(run: RunDirectory, kind: str = "message") -> list[dict[str, Any]]:
    return [record for record in JournalReader(run.journal_path) if record["kind"] == kind]


def small(**campaign: Any) -> dict[str, Any]:
    return {"matrix": ["none", "esp-tunnel"], "campaign": {"messages_per_cell": 2} | campaign}


def test_every_planned_message_is_sent_once_in_its_cell_with_the_modules_settings(run: Run) -> None:
    described = {
        "matrix": MATRIX,
        "module": {"virtual": {"radio": {"rsrp_variation_db": 0.0}}},
        "campaign": {"factors": FACTORS, "blocks": 2, "messages_per_cell": 2, "warm_up": 1},
    }
    place = run(**described)
    messages = records(place)
    cells = records(place, "run")[0]["cells"]
    assert len(cells) == 4 * 8
    assert [message["planned"] for message in messages] == list(range(2 * 32 * 3))
    level = {cell["name"]: cell["coverage"] for cell in cells}
    assert all(message["radio"]["ecl"] == level[message["cell"]] for message in messages)
    assert [message.get("warm_up", False) for message in messages] == [True, False, False] * 64
    # Keys are agreed on once per configuration, whatever else changes from cell to cell.
    sessions = [record["configuration"] for record in records(place, "session")]
    assert sorted(sessions) == ["esp-tunnel", "rohc+esp-tunnel"]
    # What changes in the module is told apart from messages, when it changes and only then.
    setups = records(place, "setup")
    changes = [message["cell"] for message in messages[::3]]
    now: dict[str, Any] = {}
    expected = []
    by_name = {cell["name"]: cell for cell in cells}
    for name in changes:
        wanted = {key: by_name[name][key] for key in ("power_saving", "coverage")}
        changed = {key: value for key, value in wanted.items() if now.get(key) != value}
        now |= wanted
        if changed:
            expected.append((name, changed))
    assert [(setup["cell"], setup["changed"]) for setup in setups] == expected
    for setup in setups:
        if "power_saving" in setup["changed"]:
            assert setup["granted"]["psm"] is (setup["changed"]["power_saving"] == "psm")
    tails = {
        assistance: [
            message["stages_s"]["released"] - message["stages_s"]["received"]
            for message in messages
            if f"release_assistance={assistance} " in message["cell"]
        ]
        for assistance in ("none", "after-downlink")
    }
    assert min(tails["none"]) > max(tails["after-downlink"])


def test_one_seed_gives_one_journal_byte_for_byte(run: Run) -> None:
    described = small(factors=FACTORS, blocks=2, warm_up=1)
    one, other = run(**described), run(**described)
    assert one.path != other.path
    for name in ("journal.jsonl", "capture.pcapng", "esp_sa", "messages.parquet"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name
    order = [message["cell"] for message in records(run("--seed", "2", **described))]
    assert order != [message["cell"] for message in records(one)]


def test_warm_up_is_in_the_journal_and_in_no_figure(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    place = run(**small(warm_up=2, blocks=2))
    assert len(records(place)) == 2 * 2 * 4
    with pytest.raises(SystemExit):
        main(["report", "--json", str(place.path)])
    summary = json.loads(capsys.readouterr().out)
    assert [row["messages"] for row in summary["configurations"]] == [4, 4]
    assert [(row["cell"], row["messages"], row["warm_up"]) for row in summary["cells"]] == [
        ("none", 4, 4),
        ("esp-tunnel", 4, 4),
    ]
    assert "8 messages only warmed their cells up: they are in no figure." in summary["notes"]


@pytest.mark.parametrize(
    ("budget", "stopped"),
    [
        ({"messages": 5}, "budget-messages"),
        ({"time": "60 s"}, "budget-time"),
        ({"energy": "2 J"}, "budget-energy"),
    ],
)
def test_a_budget_ends_the_campaign_before_the_message_beyond(
    run: Run, budget: dict[str, Any], stopped: str
) -> None:
    place = run(**small(blocks=40, budget=budget))
    (end,) = records(place, "end")
    assert (end["status"], end["stopped"]) == ("complete", stopped)
    messages = records(place)
    assert 0 < len(messages) < 160
    if stopped == "budget-messages":
        assert len(messages) == 5
    elif stopped == "budget-time":
        assert messages[-1]["submitted_at_s"] < 60 + 1
    else:
        spent = [
            record["energy"]["total_j"]
            for record in JournalReader(place.journal_path)
            if record["kind"] in ("message", "session")
        ]
        assert sum(spent[:-1]) < 2.0 <= sum(spent)


def test_a_campaign_ends_when_its_figures_are_known_well_enough(run: Run) -> None:
    until = {"interval": "30 %", "at_most": 30}
    place = run(**small(messages_per_cell=2, until=until))
    (end,) = records(place, "end")
    assert end["stopped"] == "precise-enough"
    blocks = {message["block"] for message in records(place)}
    assert 10 <= len(blocks) < 30
    assert len(records(place)) == len(blocks) * 4


def test_excluded_cells_stand_in_journal_and_manifest(run: Run) -> None:
    reason = "too slow to be of use"
    exclude = [{"cells": {"configuration": "none", "coverage": 2}, "reason": reason}]
    place = run(**small(factors={"coverage": [0, 2]}, exclude=exclude))
    assert records(place, "run")[0]["excluded"] == [
        {"name": "none coverage=2", "configuration": "none", "coverage": 2, "reason": reason}
    ]
    assert f"not measured: none coverage=2: {reason}" in place.read_manifest().notes
    assert {m["cell"] for m in records(place)} == {
        "none coverage=0",
        "esp-tunnel coverage=0",
        "esp-tunnel coverage=2",
    }


# -- octets ----------------------------------------------------------------------------------------


def test_layers_sum_to_the_capture_for_every_message_exchange_and_feedback(run: Run) -> None:
    described = small(blocks=2, warm_up=1) | {
        "matrix": [*MATRIX, "esp-transport/aes-ccm-8-128"],
        "rohc": {"mode": "R", "feedback": "stand-alone", "integrity": "hmac-sha2-256-128"},
    }
    place = run(**described)
    counted: dict[bool, int] = {True: 0, False: 0}
    for record in JournalReader(place.journal_path):
        for uplink, name in ((True, "uplink_bytes"), (False, "downlink_bytes")):
            if record.get(name):
                counted[uplink] += sum(record[name].values())
        if record["kind"] == "session":
            counted[True] += record["bytes_up"]
            counted[False] += record["bytes_down"]
    captured: dict[bool, int] = {True: 0, False: 0}
    for packet in CaptureReader(place.capture_path):
        if packet.interface.name == "ue":
            captured[packet.data[16:20] == bytes((127, 0, 0, 1))] += packet.original_bytes
    assert counted == captured
    assert records(place, "feedback")
    for message in records(place):
        inside = "rohc+esp" in message["configuration"]
        assert message["uplink_bytes"]["rohc_icv"] == (16 if inside else 0)
        assert message["uplink_bytes"]["coap"] > 4


# -- interruption ----------------------------------------------------------------------------------


def cut(place: RunDirectory, messages: int, torn: bytes = b"") -> None:
    """Leave a journal as a kill after so many messages does."""
    kept, found = [], 0
    for line in place.journal_path.read_bytes().splitlines(keepends=True):
        found += json.loads(line)["kind"] == "message"
        if found > messages:
            break
        kept.append(line)
    place.journal_path.write_bytes(b"".join(kept) + torn)


@pytest.mark.parametrize("messages", [0, 3, 11, 23])
def test_a_killed_campaign_goes_on_where_it_stopped(run: Run, messages: int) -> None:
    described = small(factors={"coverage": [0, 2]}, blocks=2, warm_up=1)
    place = run(**described)
    whole = [(m["planned"], m["cell"], m["index"]) for m in records(place)]
    keys = place.esp_sa_path.read_text().splitlines()
    cut(place, messages, b'{"kind":"mess')
    assert run("--resume", str(place.path)).path == place.path
    assert [(m["planned"], m["cell"], m["index"]) for m in records(place)] == whole
    (resumed,) = records(place, "resumed")
    assert (resumed["part"], resumed["planned"]) == (1, messages)
    times = [message["submitted_at_s"] for message in records(place)]
    assert times == sorted(times)
    # New sessions, new keys; the capture goes on in a section of its own.
    again = place.esp_sa_path.read_text().splitlines()
    assert again[: len(keys)] == keys
    assert (len(again) > len(keys)) is any("esp" in cell for _, cell, _ in whole[messages:])
    assert len(set(again)) == len(again)
    reader = CaptureReader(place.capture_path)
    packets = list(reader)
    assert len({id(packet.interface) for packet in packets}) == 4  # of two sections
    assert reader.torn is None
    manifest = place.read_manifest()
    assert (manifest.status, len(manifest.earlier)) == ("complete", 1)
    assert manifest.earlier[0]["status"] == "complete"
    assert manifest.earlier[0]["pid"] == manifest.pid


def test_a_run_without_a_campaign_is_resumed_as_well(run: Run) -> None:
    place = run("-n", "4", "-c", "none", "-c", "rohc+esp-tunnel")
    cut(place, 6)
    run("--resume", str(place.path))
    assert [message["planned"] for message in records(place)] == list(range(8))


def test_a_resumed_campaign_counts_what_was_spent_before(run: Run) -> None:
    place = run(**small(blocks=40, budget={"messages": 9}))
    cut(place, 6)
    run("--resume", str(place.path))
    assert len(records(place)) == 9
    assert records(place, "end")[-1]["counts"]["messages_answered"] == 9


def test_a_run_that_was_killed_before_its_first_record_begins_anew(run: Run) -> None:
    place = run("-n", "2", "-c", "none")
    for path in place.path.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != place.manifest_path:
            path.unlink()
    place.journal_path.write_text('{"kind":"run","sche', encoding="utf-8")
    run("--resume", str(place.path))
    assert [message["planned"] for message in records(place)] == [0, 1]
    assert not records(place, "resumed")


def test_metrics_of_a_resumed_run_hold_what_was_before(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = run(**small(blocks=2))
    cut(place, 5)
    made: list[RunMetrics] = []

    def keep(name: str) -> RunMetrics:
        made.append(RunMetrics(name))
        return made[0]

    monkeypatch.setattr("testbed.cli.run.RunMetrics", keep)
    run("--resume", str(place.path))
    (sample,) = (
        sample
        for family in made[0].collect()
        for sample in family.samples
        if sample.name == "testbed_run_complete"
    )
    assert (sample.value, sample.labels["module"]) == (1.0, "bc66")
    answered = sum(
        sample.value
        for family in made[0].collect()
        for sample in family.samples
        if sample.name == "testbed_messages_total"
    )
    assert answered == 8


def test_a_resumed_run_finds_its_capture_from_any_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(SAMPLE, tmp_path / "day.pcapng")
    place = run("--traffic", "day.pcapng", "-n", "3", "-c", "none")
    cut(place, 1)
    (tmp_path / "elsewhere").mkdir()
    path = place.path.absolute()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run("--resume", str(path))
    again = RunDirectory.open(path)
    assert [message["planned"] for message in records(again)] == [0, 1, 2]


def test_what_cannot_be_gone_on_with_is_said(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refused(*options: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["run", *options])
        assert ended.value.code == 2
        return " ".join(capsys.readouterr().err.split())

    place = run(**small(blocks=2))
    assert "is complete: there is nothing to go on with" in refused("--resume", str(place.path))
    cut(place, 3)
    for other in (("--seed", "7"), ("--rohc-mode", "U"), ("-c", "none")):
        assert "was begun with another plan" in refused("--resume", str(place.path), *other)
    assert "is not the directory of a run" in refused("--resume", str(tmp_path))
    lines = place.journal_path.read_bytes().splitlines(keepends=True)
    place.journal_path.write_bytes(b"".join([*lines, lines[-1]]))
    assert "does not hold the first messages of its plan" in refused("--resume", str(place.path))


def test_a_secret_that_is_not_written_down_is_asked_for_again(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    secret = "a secret of the bench 0123456789"
    described = {"matrix": ["esp-tunnel"], "traffic": {"messages": 3}, "time_scale": 200}
    place = run(**described, hse={"secret": secret})
    assert secret not in place.manifest_path.read_text()
    cut(place, 1)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--resume", str(place.path)])
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "does not hold the secret that the run was started with" in said
    assert "--secret-file FILE" in said
    file = tmp_path / "secret.txt"
    file.write_text(secret, encoding="utf-8")
    run("--resume", str(place.path), "--secret-file", str(file))
    assert [message["planned"] for message in records(place)] == [0, 1, 2]
    assert records(place, "run")[0]["time"] == "scaled"
    assert secret not in place.journal_path.read_text() + place.manifest_path.read_text()


def test_what_the_hse_refused_is_counted_over_all_parts() -> None:
    ledger = Ledger(Progress())
    ends = [{"hse_rejected_esp_bad-icv": 2, "setups": 9}, {"hse_rejected_esp_bad-icv": 5}]
    ledger.restore(EndRecord(status=RunStatus.INTERRUPTED, counts=counts) for counts in ends)
    assert dict(ledger.counts) == {"hse_rejected_esp_bad-icv": 5}
