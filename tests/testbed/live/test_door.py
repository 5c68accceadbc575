"""The live page over HTTP: its own files, the journal's figures, nothing without the token."""

import gzip
import re
from collections.abc import Iterator
from types import ModuleType

import aiohttp
import pytest

from testbed.live.door import LiveDoor
from testbed.live.state import LiveRun
from testbed.metrics import LastScrape, RunMetrics
from testbed.web.access import Access

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def live(sample: ModuleType) -> LiveRun:
    found = LiveRun("run-1")
    for record in sample.records(10, None):
        found.record(record)
    return found


@pytest.fixture
def door(live: LiveRun, sample: ModuleType) -> Iterator[LiveDoor]:
    metrics = RunMetrics("run-1")
    for record in sample.records(10, None):
        metrics.observe(record)
    with LiveDoor(live, metrics) as opened:
        yield opened


async def got(url: str, **more: str) -> tuple[int, bytes, str]:
    async with (
        aiohttp.ClientSession(headers=more) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.read(), answer.headers.get("Content-Type", "")


async def test_the_page_runs_nothing_inline_and_names_its_own_files_only(door: LiveDoor) -> None:
    status, body, kind = await got(door.url)
    text = body.decode()
    assert status == 200 and kind == "text/html; charset=utf-8"
    assert "style=" not in text and "<style" not in text
    assert re.findall(r"\son[a-z]+=", text) == []
    scripts = re.findall(r"<script([^>]*)>([^<]*)</script>", text)
    assert [content for given, content in scripts if "application/json" not in given] == ["", ""]
    links = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(link.startswith("/static/") or link == "data:," for link in links)
    for link in links:
        if link != "data:,":
            status, content, _ = await got(door.url.rstrip("/") + link)
            assert status == 200 and content


async def test_plotly_comes_from_here_and_stays_with_the_browser(door: LiveDoor) -> None:
    _, body, _ = await got(door.url)
    link = re.findall(r'src="([^"]*plotly\.js)"', body.decode())[0]
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(door.url.rstrip("/") + link) as answer,
    ):
        assert "immutable" in answer.headers["Cache-Control"]
        assert b"plotly" in gzip.decompress(await answer.read())[:200]


async def test_the_data_are_the_run_as_it_stands(door: LiveDoor, live: LiveRun) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(door.url + "api/run") as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            found = await answer.json()
        assert found == live.snapshot()
        async with session.get(door.url + f"api/run?since={found['version']}") as answer:
            assert answer.status == 204
        async with session.get(door.url + "api/run?since=0") as answer:
            assert answer.status == 200


async def test_the_metrics_are_those_of_the_page(door: LiveDoor, live: LiveRun) -> None:
    _, body, _ = await got(door.url + "metrics")
    shown = sum(row["messages"] for row in live.snapshot()["configurations"])  # type: ignore[misc]
    counted = re.findall(rb"^testbed_messages_total\{.*\} ([0-9.]+)$", body, re.MULTILINE)
    assert sum(float(one) for one in counted) == shown == 30


@pytest.mark.parametrize("path", ["/static/", "/static/x/live.js", "/api", "/journal.jsonl", "/.."])
async def test_nothing_else_is_served(door: LiveDoor, path: str) -> None:
    assert (await got(door.url.rstrip("/") + path))[0] == 404 or path == "/.."


async def test_whoever_looks_is_noticed(live: LiveRun) -> None:
    last = LastScrape()
    with LiveDoor(live, last=last) as door:
        for _ in range(2):
            await got(door.url + "api/run")
        assert last.patience_s > 0 or last.wait() is False


async def test_a_guarded_door_shows_the_form_and_its_style_and_nothing_else(live: LiveRun) -> None:
    with LiveDoor(live, RunMetrics(), access=Access(token=TOKEN)) as door:
        root = door.url.rstrip("/")
        assert (await got(root + "/"))[0] == 303
        status, body, _ = await got(root + "/login")
        form = body.decode()
        assert status == 200
        assert 'method="post"' in form and 'type="password"' in form
        assert "That was not it" not in form and "run-1" not in form
        assert "That was not it" in (await got(root + "/login?wrong"))[1].decode()
        style = re.findall(r'href="(/static/[^"]*)"', form)
        assert len(style) == 1 and (await got(root + style[0]))[0] == 200
        for path in ("/api/run", "/metrics", style[0].replace("live.css", "live.js")):
            assert (await got(root + path))[0] == 401
            assert (await got(root + path, Authorization=f"Bearer {TOKEN}"))[0] == 200
