"""Headless Chromium follows a run: the journal's figures, nothing from elsewhere, no complaint."""

import importlib.util
import os
import re
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from firmware_bridge.virtual.dialects.quectel import Quectel
from testbed import clock
from testbed.analysis.summary import summarise_run
from testbed.bench import validate_bench
from testbed.campaign import Progress, load_payloads, run_bench
from testbed.campaign.ledger import ModulePhase
from testbed.live import LiveRun
from testbed.live.door import LiveDoor
from testbed.metrics import RunMetrics
from testbed.report import figures
from testbed.results import (
    EndRecord,
    FaultRecord,
    Record,
    RunDirectory,
    RunStatus,
    start_manifest,
)
from testbed.web import guard
from testbed.web.access import Access

pytestmark = pytest.mark.peer

HERE = Path(__file__).parent
VIEWS = [(1280, False), (1280, True), (390, False), (390, True)]
VIEW_NAMES = ["desktop light", "desktop dark", "phone light", "phone dark"]
EVIL = "<script>alert(1)</script><img src=x onerror=\"document.title='owned'\">"
TOKEN = "0123456789abcdef0123456789abcdef"


def load(path: Path) -> ModuleType:
    """A helper module from its file: the tests are no package."""
    name = f"peers_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


chromium = load(HERE / "chromium.py")
sample = load(HERE.parent / "testbed" / "report" / "sample.py")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if chromium.find() is None:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail("required, and not installed: chromium")
        pytest.skip("not installed: chromium (Debian: chromium)")
    with chromium.Chromium() as running:
        yield running


class Shown(Progress):
    """A run as ``testbed run --web`` shows it."""

    def __init__(self, name: str) -> None:
        self.live = LiveRun(name)
        self.metrics = RunMetrics(name)

    def identified(self, facts: Mapping[str, Any]) -> None:
        self.live.identified(facts)

    def phase(self, text: str) -> None:
        self.live.phase(text)

    def module(self, phase: ModulePhase) -> None:
        self.live.module(phase.value)
        self.metrics.phase(phase.value)

    def record(self, record: Record) -> None:
        self.live.record(record)
        self.metrics.observe(record)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, Path]:
    """A real run of a virtual module that says something hostile, shown after its end."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Quectel, "manufacturer", EVIL)
        bench = validate_bench({"traffic": {"messages": 12}, "seed": 3})
        directory = RunDirectory.create(tmp_path_factory.mktemp("runs"))
        directory.write_manifest(start_manifest(directory.name, config={}, time_scale=None))
        shown = Shown(directory.name)

        async def main() -> None:
            await run_bench(bench, load_payloads(bench), directory, progress=shown)

        clock.run(main, time_scale=bench.timing.scale)
    return shown, directory.path


@pytest.fixture(scope="module")
def page(ended: tuple[Shown, Path]) -> Iterator[str]:
    shown, _ = ended
    with LiveDoor(shown.live, shown.metrics) as door:
        yield door.url


def visit(browser: Any, url: str, width: int = 1280, dark: bool = False) -> None:
    browser.view(width, 900, dark=dark)
    browser.events.clear()
    browser.call("Page.navigate", url=url)
    browser.wait("document.readyState === 'complete'")


def drawn(browser: Any, url: str, width: int = 1280, dark: bool = False) -> None:
    visit(browser, url, width, dark)
    browser.wait("document.documentElement?.dataset.drawn !== undefined")


@pytest.mark.parametrize(("width", "dark"), VIEWS, ids=VIEW_NAMES)
def test_the_page_complains_of_nothing_and_asks_nobody_else(
    browser: Any, page: str, width: int, dark: bool
) -> None:
    drawn(browser, page, width, dark)
    assert browser.complaints() == []
    requests = browser.requests()
    assert requests[0] == page and any(url.endswith("/plotly.js") for url in requests)
    assert [url for url in requests if not url.startswith((page, "data:"))] == []
    assert browser.run("document.querySelectorAll('.plot svg.main-svg').length") >= 4
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(15, 20, 27)" if dark else "rgb(245, 246, 248)"
    )


def test_the_page_shows_the_journal_s_figures_and_those_of_the_metrics(
    browser: Any, page: str, ended: tuple[Shown, Path]
) -> None:
    drawn(browser, page)
    summary = summarise_run(ended[1])
    rows = browser.run(
        "[...document.querySelectorAll('#configurations tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    means = [row.shown_energy() for row in summary.rows]
    assert rows == [
        [
            row.configuration,
            str(row.messages),
            str(row.unanswered),
            figures.quantile(row.latency.median),
            figures.quantile(row.latency.p95),
            figures.byte_count(row.uplink.total),
            figures.energy(None if mean is None else mean.total_j),
        ]
        for row, mean in zip(summary.rows, means, strict=True)
    ]
    layers = browser.run("document.getElementById('plot-bytes').data.map(t => [t.name, t.x])")
    for position, row in enumerate(summary.rows):
        total = sum(values[position] for _, values in layers)
        assert total == pytest.approx(row.uplink.total, abs=0.02)
    energy = browser.run("document.getElementById('plot-energy').data.map(t => t.x)")
    for position, mean in enumerate(means):
        assert mean is not None
        total = sum(values[position] for values in energy)
        assert total == pytest.approx(mean.total_j, abs=1e-5)
    with urllib.request.urlopen(page + "metrics", timeout=10) as answer:
        text = answer.read().decode()
    for row in summary.rows:
        line = rf'^testbed_messages_total\{{.*compression="{row.compression}".*outcome="answered"'
        counted = re.search(rf'{line}.*security="{row.security}"\}} ([0-9.]+)$', text, re.M)
        assert counted is not None and float(counted[1]) == row.answered
    shares = browser.run(
        "Object.fromEntries(document.getElementById('plot-within').data.map(t => [t.name, t.y]))"
    )
    for row in summary.rows:
        found = re.findall(
            rf'^testbed_message_latency_seconds_bucket\{{.*compression="{row.compression}"'
            rf'.*,le="([^"]+)".*security="{row.security}"\}} ([0-9.]+)',
            text,
            re.M,
        )
        assert len(found) == 11
        expected = [float(count) / row.messages for bound, count in found if bound != "+Inf"]
        assert shares[row.configuration] == pytest.approx(expected, abs=1e-6)
    assert browser.run("document.getElementById('progress-value').textContent") == "36 of 36"
    assert browser.run("document.documentElement.dataset.ended") == "true"


def test_what_the_module_says_is_shown_as_text(browser: Any, page: str) -> None:
    drawn(browser, page)
    assert EVIL in browser.run("document.getElementById('title').textContent")
    assert browser.run("document.querySelectorAll('img, h1 *').length") == 0
    assert browser.run("document.title") != "owned"


@pytest.mark.parametrize("policy", [True, False], ids=["with the policy", "without it"])
def test_a_text_that_were_placed_as_html_would_be_stopped_by_the_policy(
    browser: Any,
    ended: tuple[Shown, Path],
    monkeypatch: pytest.MonkeyPatch,
    policy: bool,
) -> None:
    from testbed.live import door as module

    script = module.LIVE_SCRIPT.replace("node.textContent = value", "node.innerHTML = value")
    assert script != module.LIVE_SCRIPT
    monkeypatch.setattr(module, "LIVE_SCRIPT", script)
    if not policy:
        monkeypatch.delitem(guard._HEADERS, "Content-Security-Policy")
    with LiveDoor(ended[0].live) as opened:
        drawn(browser, opened.url)
        assert browser.run("document.querySelectorAll('h1 img').length") == 1
        if policy:
            browser.wait("document.querySelector('h1 img').complete")
            assert browser.run("document.title") != "owned"
            assert any("Content Security Policy" in one for one in browser.complaints())
        else:
            browser.wait("document.title === 'owned'")


def test_the_page_follows_the_run_to_its_end(browser: Any) -> None:
    live = LiveRun("run-1")
    records = sample.records(20, None)
    for record in records[:20]:
        live.record(record)
    with LiveDoor(live) as door:
        drawn(browser, door.url, 390)
        assert browser.run("document.getElementById('progress-value').textContent") == "17 of 60"
        assert browser.run("document.getElementById('fault-section').hidden")
        for record in records[20:]:
            live.record(record)
        live.module("recovering")
        live.record(FaultRecord(fault="silent", configuration="none", noticed_at_s=9.0))
        browser.wait("document.getElementById('progress-value').textContent === '60 of 60'")
        assert browser.run("document.getElementById('phase-value').textContent") == "recovering"
        text = browser.run("document.getElementById('fault-list').innerText")
        assert "silent" in text and "did not come back" in text
        assert browser.run("document.querySelectorAll('#last tbody tr').length") == 12
        live.record(EndRecord(status=RunStatus.COMPLETE))
        browser.wait("document.documentElement.dataset.ended === 'true'")
        assert "complete" in browser.run("document.getElementById('badges').innerText")
        assert browser.complaints() == []


def test_a_run_that_is_gone_is_told_apart_from_one_that_is_quiet(browser: Any) -> None:
    live = LiveRun("run-1")
    for record in sample.records(5, None):
        live.record(record)
    with LiveDoor(live) as door:
        drawn(browser, door.url)
        assert browser.run("document.getElementById('connection').hidden")
    browser.wait("!document.getElementById('connection').hidden")
    assert "No connection" in browser.run("document.getElementById('connection').innerText")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_gets_in_with_the_token_alone(
    browser: Any, ended: tuple[Shown, Path], dark: bool
) -> None:
    with LiveDoor(ended[0].live, access=Access(token=TOKEN)) as door:
        browser.call("Network.clearBrowserCookies")
        visit(browser, door.url, 390, dark)
        assert browser.run("location.pathname") == "/login"
        log_in = """(() => {
          document.querySelector('input').value = %r;
          document.querySelector('button').click();
        })()"""
        browser.run(log_in % "wrong")
        browser.wait("location.search === '?wrong' && document.readyState === 'complete'")
        assert "That was not it" in browser.run("document.body.innerText")
        browser.run(log_in % TOKEN)
        browser.wait("document.documentElement?.dataset.drawn !== undefined")
        assert browser.run("location.pathname + location.search") == "/"
        assert browser.run("document.cookie") == ""
        assert browser.complaints() == []
        assert [url for url in browser.requests() if TOKEN in url] == []


def test_text_stands_out_from_its_background(browser: Any, page: str) -> None:
    for dark in (False, True):
        drawn(browser, page, dark=dark)
        contrasts = browser.run(
            """(() => {
              const light = text => {
                const parts = text.match(/[0-9.]+/g).slice(0, 3).map(part => {
                  const value = part / 255;
                  return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
              };
              const ground = node => {
                for (let at = node; at; at = at.parentElement) {
                  const found = getComputedStyle(at).backgroundColor;
                  if (!found.startsWith("rgba(0, 0, 0, 0")) return found;
                }
                return "rgb(255, 255, 255)";
              };
              return ["h1", "p.soft", ".badge", ".badge.good", ".badge.warn", ".tile b",
                      ".tile .what", "tbody td", "footer", "code"].map(selector => {
                const node = document.querySelector(selector);
                const one = light(getComputedStyle(node).color), two = light(ground(node));
                const [high, low] = one > two ? [one, two] : [two, one];
                return [selector, (high + 0.05) / (low + 0.05)];
              });
            })()"""
        )
        assert len(contrasts) == 10
        assert [(name, ratio) for name, ratio in contrasts if ratio < 4.5] == []
