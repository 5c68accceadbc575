"""The manifest: what a run was, without its secrets."""

import json
import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from testbed.errors import ExitCode
from testbed.results.manifest import (
    REDACTED,
    Manifest,
    ManifestError,
    TimeKind,
    redacted,
    source_commit,
    start_manifest,
)
from testbed.version import __version__

NOON = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SECRET = "correct horse battery staple"


def begun(**changes: Any) -> Manifest:
    options: dict[str, Any] = {
        "config": {"name": "demo"},
        "now": NOON,
        "command": ["testbed", "run"],
    }
    return start_manifest("20260501T120000Z-ab12", **(options | changes))


def test_a_manifest_knows_the_host_and_the_process() -> None:
    manifest = begun(seed=9, module={"model": "BC66"}, radio={"ecl": 0}, test_keys=True)
    assert manifest.status == "running"
    assert manifest.ended_at is None
    assert manifest.started_at == "2026-05-01T12:00:00.250Z"
    assert manifest.pid == os.getpid()
    assert manifest.versions["testbed"] == __version__
    assert {"python", "cryptography", "pyserial"} <= manifest.versions.keys()
    assert manifest.host["processors"] == os.cpu_count()
    assert manifest.time == {"kind": "real", "scale": 1.0}
    assert (manifest.seed, manifest.module, manifest.radio) == (9, {"model": "BC66"}, {"ecl": 0})
    assert manifest.test_keys


def test_a_scaled_clock_is_said() -> None:
    manifest = begun(time_kind=TimeKind.SCALED, time_scale=200.0)
    assert json.loads(manifest.to_json())["time"] == {"kind": "scaled", "scale": 200.0}


def test_a_manifest_comes_back_from_its_file_as_it_was() -> None:
    manifest = begun(notes=("one", "two"), meter={"model": "PPK2"}).finished("complete", now=NOON)
    assert Manifest.from_json(Path("manifest.json"), manifest.to_json()) == manifest


def test_fields_of_a_later_version_are_ignored() -> None:
    record = begun().to_dict() | {"weather": "rain"}
    assert Manifest.from_json(Path("m"), json.dumps(record)) == begun_like(record)


def begun_like(record: dict[str, Any]) -> Manifest:
    known = {name: value for name, value in record.items() if name != "weather"}
    return Manifest.from_json(Path("m"), json.dumps(known))


def test_what_json_lacks_is_written_as_what_it_has() -> None:
    radio = MappingProxyType({"rsrp_dbm": float("nan"), "kind": TimeKind.REAL, "at": Path("a/b")})
    manifest = begun(radio=radio, module={"bands": (8, 20), "seen": frozenset({1})})
    record = json.loads(manifest.to_json())
    assert record["radio"] == {"rsrp_dbm": None, "kind": "real", "at": "a/b"}
    assert record["module"] == {"bands": [8, 20], "seen": [1]}


def test_the_end_keeps_the_beginning() -> None:
    begin = begun()
    end = begin.finished("interrupted", now=NOON + timedelta(minutes=5), notes=("Ctrl-C",))
    assert (end.status, end.ended_at) == ("interrupted", "2026-05-01T12:05:00.250Z")
    assert (end.started_at, end.run, end.notes) == (begin.started_at, begin.run, ("Ctrl-C",))


def test_times_are_utc_wherever_the_bench_stands() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    assert begun(now=east).started_at == begun().started_at


@pytest.mark.parametrize(
    "name", ["secret", "hse_secret", "SECRET", "psk", "pre-shared-key", "token", "pin", "opc", "k"]
)
def test_secrets_are_taken_out_of_the_configuration(name: str) -> None:
    config = {"hse": {name: SECRET, "port": 4500}, "list": [{name: SECRET}]}
    manifest = begun(config=config)
    assert SECRET not in manifest.to_json()
    assert manifest.config == {
        "hse": {name: REDACTED, "port": 4500},
        "list": [{name: REDACTED}],
    }
    assert config["hse"] == {name: SECRET, "port": 4500}


@pytest.mark.parametrize("name", ["secret_file", "keyboard", "rsrp_dbm", "spin", "monkey", "top"])
def test_other_names_stay(name: str) -> None:
    assert redacted({name: "value"}) == {name: "value"}


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        ({"keys": "aka"}, {"keys": "aka"}),
        ({"keys": "secret"}, {"keys": "secret"}),
        ({"keys": "00112233"}, {"keys": REDACTED}),
        ({"identity": "ue-1"}, {"identity": "ue-1"}),
        ({"identity": "001017392846150"}, {"identity": REDACTED}),
        ({"card": {"imsi": "0010173928"}}, {"card": {"imsi": REDACTED}}),
        ({"iccid": "89882397162839405162"}, {"iccid": REDACTED}),
        ({"imei": None}, {"imei": None}),
    ],
)
def test_words_that_say_where_keys_come_from_stay_and_numbers_of_subscribers_go(
    config: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert redacted(config) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--keys", "aka", "-n", "3"], ["--keys", "aka", "-n", "3"]),
        (["--keys=aka"], ["--keys=aka"]),
        (["--keys", "0011"], ["--keys", REDACTED]),
        (["--identity", "meter-17"], ["--identity", "meter-17"]),
        (["--identity", "001017392846150"], ["--identity", REDACTED]),
        (["--identity=001017392846150"], [f"--identity={REDACTED}"]),
    ],
)
def test_so_it_is_on_the_command_line(words: list[str], shown: list[str]) -> None:
    assert list(start_manifest("run", config={}, command=words).command) == shown


def test_an_absent_secret_is_shown_as_absent() -> None:
    assert redacted({"secret": None}) == {"secret": None}


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["run", "--secret", SECRET, "--json"], ["run", "--secret", REDACTED, "--json"]),
        (["run", f"--hse-secret={SECRET}"], ["run", f"--hse-secret={REDACTED}"]),
        (["run", "--secret-file", "a"], ["run", "--secret-file", "a"]),
        (["run", "-k", "word"], ["run", "-k", "word"]),
    ],
)
def test_secrets_are_taken_out_of_the_command_line(command: list[str], shown: list[str]) -> None:
    assert list(begun(command=command).command) == shown


def test_without_the_redaction_a_secret_would_be_in_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("testbed.results.manifest.redacted", lambda value: value)
    assert SECRET in begun(config={"secret": SECRET}).to_json()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "version None"),
        ('{"schema_version": 99}', "version 99"),
        ('{"schema_version": 1}', "lacks a field"),
    ],
)
def test_what_is_no_manifest_is_refused_with_a_next_step(text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words) as caught:
        Manifest.from_json(Path("manifest.json"), text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_a_checkout_is_told_and_whether_files_were_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert source_commit(tmp_path) == head
    (tmp_path / "file").write_text("two")
    assert source_commit(tmp_path) == head + "+"


def test_outside_a_checkout_and_before_its_first_commit_there_is_none(tmp_path: Path) -> None:
    assert source_commit(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert source_commit(tmp_path) is None


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source_commit(tmp_path) is None


def test_a_resumed_run_keeps_the_facts_of_each_part() -> None:
    first = start_manifest("r", config={"name": "a"}, seed=7, command=["one"], notes=("n",))
    killed = replace(first, module={"revision": "R1"})
    again = killed.resumed(start_manifest("r", config={"name": "a"}, seed=7, command=["two"]))
    third = again.finished("interrupted").resumed(
        start_manifest("r", config={"name": "a"}, seed=7, command=["three"], notes=("m",))
    )
    assert third.command == ("three",)
    assert [part["command"] for part in third.earlier] == [["one"], ["two"]]
    assert [part["status"] for part in third.earlier] == ["running", "interrupted"]
    assert third.earlier[0]["module"] == {"revision": "R1"}
    assert third.notes == ("n", "m")
    assert all("config" not in part and "earlier" not in part for part in third.earlier)
    path = Path("manifest.json")
    assert Manifest.from_json(path, third.to_json()).earlier == third.earlier
