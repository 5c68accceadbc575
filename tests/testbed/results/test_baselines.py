"""Baselines: what is kept of a run, what is not, and that nobody changes it unseen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import UsageError
from testbed.results import JournalWriter, RunDirectory, start_manifest
from testbed.results.baselines import BaselineError, Baselines, measured, read_measurements
from tests.testbed.analysis.journals import journal

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def a_run(base: Path, **settings: Any) -> RunDirectory:
    """A run directory with a drawn journal."""
    directory = RunDirectory.create(base)
    directory.write_manifest(
        start_manifest(
            directory.name,
            config={"hse": {"secret": "correct horse battery staple"}, "identity": "ue-7"},
            module={
                "family": "bc66",
                "model": "Quectel_BC66",
                "firmware": "R01",
                "imei": "***********0002",
                "address": "10.0.0.1",
            },
        )
    )
    with JournalWriter(directory.journal_path, sync=False) as writer:
        for record in journal(**settings):
            if record["kind"] == "run":
                record = record | {"schema_version": 1}
            writer.append(record)
    return directory


def test_a_baseline_holds_the_values_of_its_run(tmp_path: Path) -> None:
    run = a_run(tmp_path / "runs")
    shelf = Baselines(tmp_path / "baselines")
    kept = shelf.save("home", run, now=NOW)
    assert shelf.names() == ["home"]
    assert kept.saved_at == "2026-05-01T12:00:00Z"
    assert kept.manifest["run"] == run.name and kept.manifest["module"]["firmware"] == "R01"
    expected = measured(run, name="home").to_json()
    assert kept.measurements.to_json() == expected
    assert shelf.read("home").sha256 == kept.sha256 != ""


def test_a_baseline_holds_no_secret_and_no_subscriber(tmp_path: Path) -> None:
    shelf = Baselines(tmp_path)
    shelf.save("home", a_run(tmp_path / "runs"))
    text = (tmp_path / "home.json").read_text(encoding="utf-8")
    for word in ("battery staple", "0002", "10.0.0.1", "ue-7"):
        assert word not in text


def test_a_baseline_that_was_changed_is_refused(tmp_path: Path) -> None:
    shelf = Baselines(tmp_path)
    shelf.save("home", a_run(tmp_path / "runs"))
    path = tmp_path / "home.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["measurements"]["arms"][0]["latency_s"][0] = 0.001
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(BaselineError, match="its hash does not fit"):
        shelf.read("home")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[]", "schema version None"),
        ('{"schema_version": 2}', "schema version 2; this testbed reads 1"),
        ('{"schema_version": 1}', "its hash does not fit"),
    ],
)
def test_what_is_no_baseline_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "home.json").write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError, match=said):
        Baselines(tmp_path).read("home")


def test_a_baseline_is_replaced_only_when_asked_to(tmp_path: Path) -> None:
    shelf = Baselines(tmp_path / "baselines")
    first = shelf.save("home", a_run(tmp_path / "runs", seed=1))
    second = a_run(tmp_path / "runs", seed=2)
    with pytest.raises(BaselineError, match="there is a baseline home already"):
        shelf.save("home", second)
    assert shelf.save("home", second, replace=True).sha256 != first.sha256


@pytest.mark.parametrize("name", ["", "../home", "a/b", ".hidden", "a" * 80])
def test_a_name_that_no_file_should_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BaselineError, match="is no name for a baseline"):
        Baselines(tmp_path).save(name, a_run(tmp_path / "runs"))


def test_a_run_without_a_message_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no message to keep"):
        Baselines(tmp_path).save("home", a_run(tmp_path / "runs", messages=0))


def test_what_a_person_names_is_a_run_or_a_baseline(tmp_path: Path) -> None:
    shelf = Baselines(tmp_path / "baselines")
    run = a_run(tmp_path / "runs")
    shelf.save("home", run)
    by_path, config = read_measurements(str(run.path), shelf)
    assert by_path.name == run.name and config is not None
    by_name, config = read_measurements("home", shelf)
    assert by_name.name == "home" and config is None
    with pytest.raises(UsageError, match="'away' is neither a run directory nor a baseline") as no:
        read_measurements("away", shelf)
    assert no.value.hint is not None and "home" in no.value.hint
    with pytest.raises(BaselineError, match="there is no baseline away"):
        shelf.read("away")
