"""What a terminal follows: a directory that another process writes, or a page elsewhere."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp import web

from testbed.errors import LabFault, UsageError
from testbed.live.door import LiveDoor
from testbed.live.source import DirectorySource, UrlSource
from testbed.live.state import LiveRun
from testbed.results import JournalWriter, RunDirectory
from testbed.web.access import Access
from testbed.web.server import WebServer

TOKEN = "0123456789abcdef0123456789abcdef"


def running(sample: ModuleType, path: Path, pid: int) -> RunDirectory:
    """The directory of a run that has just begun in that process."""
    path.mkdir()
    directory = RunDirectory(path)
    host = {"name": socket.gethostname()}
    directory.write_manifest(
        sample.manifest(path.name, status="running", ended_at=None, pid=pid, host=host)
    )
    return directory


def test_a_run_is_followed_from_before_its_journal_to_its_end(
    sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.live.state._FRESH_S", 0.0)
    directory = running(sample, tmp_path / "run", os.getpid())
    source = DirectorySource(directory)
    assert source.snapshot()["done"] == 0
    records = sample.records(5)
    with JournalWriter(directory.journal_path, sync=False) as journal:
        for record in records[:-1]:
            journal.append(record)
        found = source.snapshot()
        assert found["done"] == 15 and found["status"] == "running"
        assert found["module"]["model"] == "BC66"
        journal.append(records[-1])
    assert source.snapshot()["status"] == "complete"


def test_a_run_whose_process_is_gone_was_killed(sample: ModuleType, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    source = DirectorySource(running(sample, tmp_path / "run", gone.pid))
    assert source.snapshot()["status"] == "killed"


def test_a_run_on_another_computer_is_not_judged_by_this_one_s_processes(
    sample: ModuleType, tmp_path: Path
) -> None:
    directory = running(sample, tmp_path / "run", 2**22 + 1)
    directory.write_manifest(
        sample.manifest("run", status="running", pid=2**22 + 1, host={"name": "elsewhere"})
    )
    assert DirectorySource(directory).snapshot()["status"] == "running"


def test_what_the_manifest_says_of_the_end_counts_where_the_journal_has_none(
    sample: ModuleType, tmp_path: Path
) -> None:
    run = sample.write_run(tmp_path / "run", status=None, more={"status": "failed"})
    assert DirectorySource(RunDirectory(run)).snapshot()["status"] == "failed"


@pytest.fixture
def door() -> Iterator[LiveDoor]:
    with LiveDoor(LiveRun("run-1", 30), access=Access(token=TOKEN)) as opened:
        yield opened


def test_a_page_is_followed_with_its_token(door: LiveDoor) -> None:
    assert UrlSource(door.url, token=TOKEN).snapshot()["planned"] == 30
    for token in (None, "wrong"):
        with pytest.raises(UsageError, match="wants a token, or another one"):
            UrlSource(door.url, token=token).snapshot()


def test_a_token_goes_to_no_other_network_in_clear() -> None:
    with pytest.raises(UsageError, match=r"would go to bench\.example in clear"):
        UrlSource("http://bench.example:8080/", token=TOKEN)
    UrlSource("http://bench.example:8080/", token=TOKEN, trusted_network=True)
    UrlSource("https://bench.example:8080/", token=TOKEN)


@pytest.mark.parametrize("url", ["ftp://bench/", "http://", "https://user:secret@bench/"])
def test_what_is_no_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a live page") as raised:
        UrlSource(url)
    assert "secret" not in str(raised.value)


def test_a_token_is_not_carried_along_to_where_an_answer_points(door: LiveDoor) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": door.url + "api/run"})

    with (
        WebServer([web.get("/api/run", elsewhere)]) as server,
        pytest.raises(LabFault, match="answered 302"),
    ):
        UrlSource(server.url, token=TOKEN).snapshot()


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"schema_version":2}'])
def test_what_is_no_live_page_is_told_apart(text: str) -> None:
    async def other(request: web.Request) -> web.Response:
        return web.Response(text=text)

    with (
        WebServer([web.get("/api/run", other)]) as server,
        pytest.raises(LabFault, match=r"cannot be followed|not a live page"),
    ):
        UrlSource(server.url).snapshot()


def test_a_page_that_is_gone_is_a_lab_fault() -> None:
    with LiveDoor(LiveRun("run-1")) as door:
        source = UrlSource(door.url)
        source.snapshot()
    with pytest.raises(LabFault, match="cannot be followed") as raised:
        source.snapshot()
    assert "may have ended" in (raised.value.hint or "")


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(UsageError, match="holds no certificate"):
        UrlSource("https://bench/", ca_file=tmp_path / "ca.pem")
