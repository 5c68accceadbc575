"""Headless Chromium opens the report: nothing fails, nothing is fetched, nothing hostile runs."""

import html
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from testbed.report.page import render_page, write_report
from testbed.report.run import load_run

pytestmark = pytest.mark.peer

HERE = Path(__file__).parent
VIEWS = [(1280, False), (1280, True), (390, False), (390, True)]
VIEW_NAMES = ["desktop light", "desktop dark", "phone light", "phone dark"]


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


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(sample.write_run(tmp_path_factory.mktemp("runs") / "run"))


def opened(browser: Any, page: Path, width: int = 1280, dark: bool = False) -> None:
    browser.view(width, 900, dark=dark)
    browser.open(page)
    browser.wait("document.documentElement.dataset.drawn !== undefined")


@pytest.mark.parametrize(("width", "dark"), VIEWS, ids=VIEW_NAMES)
def test_the_page_opens_without_a_complaint_and_asks_for_nothing(
    browser: Any, report: Path, width: int, dark: bool
) -> None:
    opened(browser, report, width, dark)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith(("data:", "blob:"))] == [
        report.as_uri()
    ]
    assert browser.run("document.querySelectorAll('.plot svg.main-svg').length") >= 4


@pytest.mark.parametrize(("width", "dark"), VIEWS, ids=VIEW_NAMES)
def test_nothing_is_wider_than_the_window(
    browser: Any, report: Path, width: int, dark: bool
) -> None:
    opened(browser, report, width, dark)
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_background(browser: Any, report: Path, dark: bool) -> None:
    opened(browser, report, dark=dark)
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
          return ["h1", "p.soft", ".badge", ".tile b", "tbody td", "tr.quiet td", "td.bad",
                  "summary", ".legend button", "tr.group th"].map(selector => {
            const node = document.querySelector(selector);
            const one = light(getComputedStyle(node).color), two = light(ground(node));
            const [high, low] = one > two ? [one, two] : [two, one];
            return [selector, (high + 0.05) / (low + 0.05)];
          });
        })()"""
    )
    assert len(contrasts) == 10
    assert [(name, ratio) for name, ratio in contrasts if ratio < 4.5] == []


def test_the_plots_hold_the_journal_s_figures(browser: Any, report: Path) -> None:
    opened(browser, report)
    summary = load_run(report).summary
    drawn = browser.run("document.getElementById('plot-bytes').data.map(t => [t.name, t.x])")
    layers = dict(drawn)
    for position, row in enumerate(summary.rows):
        total = sum(values[position] for values in layers.values())
        assert total == pytest.approx(row.uplink.total, abs=0.02)
    shown = browser.run("document.querySelector('.compare').innerText")
    for row in summary.rows:
        assert f"{row.uplink.total:.1f}" in shown


def test_another_view_can_be_chosen_and_a_series_hidden(browser: Any, report: Path) -> None:
    opened(browser, report)
    choose = """(() => {
      const select = document.getElementById('choose-bytes');
      select.selectedIndex = 1;
      select.dispatchEvent(new Event('change'));
      return document.getElementById('plot-bytes').data.find(t => t.name === 'ROHC header').x;
    })()"""
    assert browser.run(choose) == [0, 0, 52]
    hide = """(() => {
      document.querySelector('#legend-latency button').click();
      return document.getElementById('plot-latency').data.map(t => [t.name, t.visible !== false]);
    })()"""
    assert browser.run(hide) == [
        ["none", False],
        ["esp-tunnel", True],
        ["esp-tunnel", True],  # its mark for what had no answer
        ["rohc+esp-tunnel", True],
    ]
    hide = hide.replace("#legend-latency button", "#legend-latency button:nth-child(2)")
    assert [shown for _, shown in browser.run(hide)] == [False, False, False, True]
    assert browser.complaints() == []


def test_the_theme_can_be_changed_by_hand(browser: Any, report: Path) -> None:
    opened(browser, report)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = browser.run(ground)
    browser.run("document.getElementById('theme').click()")
    assert browser.run(ground) != light
    assert browser.run("document.getElementById('theme').textContent") == "Theme: dark"
    browser.run("document.getElementById('theme').click()")
    assert browser.run(ground) == light


def hostile_page(directory: Path, render: Any) -> Path:
    evil = sample.HOSTILE
    run = sample.write_run(
        directory, messages=3, more={"module": {"model": evil}, "notes": (evil,), "platform": evil}
    )
    journal = run / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for record in lines:
        if record.get("configuration") == "none":
            record["configuration"] = evil
    journal.write_text("".join(json.dumps(record) + "\n" for record in lines))
    page: Path = run / "report.html"
    page.write_text(render(load_run(run)), encoding="utf-8")
    return page


def test_hostile_text_does_not_run(browser: Any, tmp_path: Path) -> None:
    opened(browser, hostile_page(tmp_path / "run", render_page))
    assert browser.complaints() == []
    assert browser.run("document.title") != "owned"
    assert browser.run("document.querySelectorAll('img, h1 script').length") == 0
    assert "<script>" in browser.run("document.querySelector('h1').textContent")
    assert "<script>" in browser.run("document.querySelector('#legend-bytes').textContent") or (
        "<script>" in browser.run("document.querySelector('#legend-latency').textContent")
    )


def test_what_slipped_through_the_escaping_would_be_stopped_by_the_policy(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as unescaped:
        unescaped.setattr(html, "escape", lambda text, quote=True: text)
        page = hostile_page(tmp_path / "run", render_page)
    browser.view(1280, 900, dark=False)
    browser.open(page)
    assert browser.run("document.querySelectorAll('h1 script').length") == 1
    assert browser.run("document.title") != "owned"
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


def test_without_the_policy_it_would_have_run(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as unescaped:
        unescaped.setattr(html, "escape", lambda text, quote=True: text)
        page = hostile_page(
            tmp_path / "run",
            lambda view: render_page(view).replace("Content-Security-Policy", "X-Nothing"),
        )
    # The picture that cannot be loaded calls alert(), which would hold the page.
    page.write_text(page.read_text().replace("alert(1)", "0"))
    browser.view(1280, 900, dark=False)
    browser.open(page)
    assert browser.run("document.title") == "owned"
