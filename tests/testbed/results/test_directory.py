"""The run directory: made once, found again, never overwritten."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from testbed.errors import ExitCode, TestbedError, UsageError
from testbed.results import (
    JournalMissing,
    JournalWriter,
    ManifestError,
    NotARunDirectory,
    RunDirectory,
    RunRecord,
    start_manifest,
)
from testbed.results.files import WriteFailed, write_atomically

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def made(base: Path, *, now: datetime = NOON, suffix: str = "ab12") -> RunDirectory:
    run = RunDirectory.create(base, now=now, suffix=lambda: suffix)
    run.write_manifest(start_manifest(run.name, config={}, now=now))
    with JournalWriter(run.journal_path) as journal:
        journal.append(RunRecord())
    return run


def test_a_run_is_named_by_its_time_and_a_suffix(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "a" / "runs", now=NOON, suffix=lambda: "ab12")
    assert run.path == tmp_path / "a" / "runs" / "20260501T120000Z-ab12"
    assert run.name == "20260501T120000Z-ab12"
    assert run.path.is_dir()
    assert list(run.path.iterdir()) == []


def test_everything_in_it_has_its_place(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    places = [
        run.manifest_path,
        run.journal_path,
        run.capture_path,
        run.esp_sa_path,
        run.report_path,
    ]
    assert [place.name for place in places] == [
        "manifest.json",
        "journal.jsonl",
        "capture.pcapng",
        "esp_sa",
        "report.html",
    ]
    assert {place.parent for place in places} == {tmp_path}
    assert str(tmp_path) in run.decrypt_command


def test_runs_of_one_second_have_directories_of_their_own(tmp_path: Path) -> None:
    names = {RunDirectory.create(tmp_path, now=NOON).name for _ in range(20)}
    assert len(names) == 20


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    first = made(tmp_path)
    suffixes = iter(["ab12", "ab12", "cd34"])
    second = RunDirectory.create(tmp_path, now=NOON, suffix=lambda: next(suffixes))
    assert second.name.endswith("cd34")
    assert len(list(first.path.iterdir())) == 2


def test_it_gives_up_when_every_name_is_taken(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(UsageError, match="all taken"):
        RunDirectory.create(tmp_path, now=NOON, suffix=lambda: "ab12")


def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no run directory can be made") as caught:
        RunDirectory.create(tmp_path / "file" / "runs")
    assert caught.value.hint


def test_a_run_is_opened_by_its_directory_or_any_file_in_it(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert RunDirectory.open(run.path).path == run.path
    assert RunDirectory.open(run.journal_path).path == run.path
    assert RunDirectory.open(run.manifest_path).read_manifest().run == run.name
    assert RunDirectory.open(str(run.path)).read_journal().run == RunRecord()
    assert len(list(RunDirectory.open(run.path).journal())) == 1


def test_a_run_is_named_from_inside_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path)
    monkeypatch.chdir(run.path)
    assert RunDirectory.open(".").name == run.name


def test_what_is_not_there_is_said_with_the_newest_run(tmp_path: Path) -> None:
    run = made(tmp_path)
    with pytest.raises(NotARunDirectory, match="there is no run directory") as caught:
        RunDirectory.open(tmp_path / "20260501T120000Z-0000")
    assert caught.value.hint is not None
    assert run.name in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE


def test_the_directory_of_all_runs_is_not_a_run(tmp_path: Path) -> None:
    made(tmp_path)
    newest = made(tmp_path, now=NOON.replace(hour=13))
    with pytest.raises(NotARunDirectory, match="not the directory of a run") as caught:
        RunDirectory.open(tmp_path)
    assert caught.value.hint == f"the newest of 2 runs here is {newest.path}"


def test_another_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotARunDirectory) as caught:
        RunDirectory.open(tmp_path)
    assert "testbed run" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("missing", "kind"), [("journal.jsonl", JournalMissing), ("manifest.json", ManifestError)]
)
def test_a_run_without_journal_or_manifest_says_which(
    tmp_path: Path, missing: str, kind: type[TestbedError]
) -> None:
    run = made(tmp_path)
    (run.path / missing).unlink()
    with pytest.raises(kind, match=missing.split(".")[0]) as caught:
        RunDirectory.open(run.path)
    assert caught.value.hint


def test_the_latest_run_is_the_one_that_began_last(tmp_path: Path) -> None:
    made(tmp_path, now=NOON.replace(hour=13))
    last = made(tmp_path, now=NOON.replace(hour=14), suffix="0000")
    made(tmp_path, now=NOON)
    (tmp_path / "20991231T000000Z-ffff").mkdir()  # begun, and killed before its manifest
    (tmp_path / "zzz").mkdir()
    assert RunDirectory.latest(tmp_path).path == last.path


@pytest.mark.parametrize("base", ["", "absent"])
def test_without_a_run_there_is_no_latest(tmp_path: Path, base: str) -> None:
    with pytest.raises(NotARunDirectory, match="there is no run in") as caught:
        RunDirectory.latest(tmp_path / base)
    assert "testbed run" in str(caught.value.hint)


def test_the_manifest_is_rewritten_in_one_step(tmp_path: Path) -> None:
    run = made(tmp_path)
    manifest = run.read_manifest()
    run.write_manifest(manifest.finished("complete", now=NOON))
    assert run.read_manifest().status == "complete"
    assert sorted(entry.name for entry in run.path.iterdir()) == ["journal.jsonl", "manifest.json"]


def test_a_crash_while_writing_leaves_the_old_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)

    def crash(descriptor: int) -> None:
        raise OSError("the power is gone")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(WriteFailed, match="power"):
        run.write_manifest(run.read_manifest().finished("complete", now=NOON))
    monkeypatch.undo()
    assert run.read_manifest().status == "running"
    assert len(list(run.path.iterdir())) == 2


def test_a_manifest_that_is_no_text_is_an_error_of_the_file(tmp_path: Path) -> None:
    run = made(tmp_path)
    run.manifest_path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="cannot be read"):
        run.read_manifest()


def test_text_is_synced_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        events.append("sync")
        real_sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        events.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    write_atomically(tmp_path / "file", "text")
    assert events == ["sync", "rename", "sync"]
    assert (tmp_path / "file").read_text() == "text"
