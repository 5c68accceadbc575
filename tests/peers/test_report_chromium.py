"""Headless Chromium opens the report: nothing fails, nothing is fetched, nothing hostile runs."""

import base64
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
from testbed.results.trace import Stretch, write_trace

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


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of 60 cells with limits, a baseline, and the current of some messages."""
    runs = tmp_path_factory.mktemp("runs")
    levels = tuple(range(20))
    before = load_run(sample.write_campaign(runs / "before", messages=12, levels=levels))
    run = sample.write_campaign(runs / "campaign", messages=12, levels=levels)
    stretch = Stretch(
        begin_s=0.0,
        end_s=60_000.0,
        at_s=[0.5 * n for n in range(120_000)],
        current_a=[0.2 if n % 8 == 0 else 0.02 for n in range(120_000)],
        part=["transmit" if n % 8 == 0 else "tail" for n in range(120_000)],
    )
    path = run / "trace" / "virtual-0.parquet"
    write_trace(path, [stretch], kind="modelled", source="virtual bc66", supply_v=3.3)
    return write_report(run, baseline=before.measurements)


@pytest.fixture(params=["report", "campaign"])
def page(request: pytest.FixtureRequest) -> Path:
    """Each of the two."""
    found: Path = request.getfixturevalue(request.param)
    return found


def opened(browser: Any, page: Path, width: int = 1280, dark: bool = False) -> None:
    browser.view(width, 900, dark=dark)
    browser.open(page)
    browser.wait("document.documentElement.dataset.drawn !== undefined")


@pytest.mark.parametrize(("width", "dark"), VIEWS, ids=VIEW_NAMES)
def test_the_page_opens_without_a_complaint_and_asks_for_nothing(
    browser: Any, page: Path, width: int, dark: bool
) -> None:
    opened(browser, page, width, dark)
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith(("data:", "blob:"))] == [
        page.as_uri()
    ]
    assert browser.run("document.querySelectorAll('.plot svg.main-svg').length") >= 4


@pytest.mark.parametrize(("width", "dark"), VIEWS, ids=VIEW_NAMES)
def test_nothing_is_wider_than_the_window(browser: Any, page: Path, width: int, dark: bool) -> None:
    opened(browser, page, width, dark)
    assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_background(browser: Any, campaign: Path, dark: bool) -> None:
    opened(browser, campaign, dark=dark)
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
                  "summary", ".legend button", "tr.group th", ".grade.fail",
                  ".grade.pass", ".grade.inconclusive", ".limits .soft", ".answers .soft"
          ].map(selector => {
            const node = document.querySelector(selector);
            const one = light(getComputedStyle(node).color), two = light(ground(node));
            const [high, low] = one > two ? [one, two] : [two, one];
            return [selector, (high + 0.05) / (low + 0.05)];
          });
        })()"""
    )
    assert len(contrasts) == 15
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


def test_verdict_and_answers_stand_on_the_first_screen(browser: Any, campaign: Path) -> None:
    opened(browser, campaign)
    tops = browser.run(
        """[".verdict", ".offender", "table.limits", "details[data-print]"].map(
          selector => document.querySelector(selector).getBoundingClientRect().top)"""
    )
    assert tops == sorted(tops)
    assert tops[-1] < 900


def test_a_message_stands_over_its_current_on_one_axis(browser: Any, campaign: Path) -> None:
    opened(browser, campaign)
    drawn = browser.run(
        """(() => {
          const plot = document.getElementById("plot-waterfall"), full = plot._fullLayout;
          const areas = plot.data.filter(trace => trace.yaxis === "y2");
          return [areas.map(trace => trace.name).sort(),
                  full.yaxis.domain[0] > full.yaxis2.domain[1],
                  full.yaxis2.title.text, Math.max(...areas.flatMap(trace => trace.y))];
        })()"""
    )
    assert drawn == [["tail", "transmit"], True, "mA, modelled", 200]
    labels = browser.run(
        "[...document.querySelectorAll('#choose-waterfall optgroup')].map(group => group.label)"
    )
    assert labels == ["rohc+esp-tunnel", "esp-tunnel", "none"]


def test_the_page_s_data_are_the_journal_s_figures(browser: Any, campaign: Path) -> None:
    opened(browser, campaign)
    summary = load_run(campaign).summary
    data = json.loads(browser.run("document.getElementById('figures').textContent"))
    cells = next(figure for figure in data if figure["name"] == "cells")
    drawn = {
        (trace["name"], place): value
        for trace in cells["variants"][0]["data"]
        for place, value in zip(trace["y"], trace["x"], strict=True)
    }
    assert len(drawn) == len(summary.cells) == 60
    for row in summary.cells:
        median = row.latency.median
        assert median is not None and row.cell is not None
        place = f"ECL {row.cell.rpartition('=')[2]}"
        assert drawn[row.configuration, place] == pytest.approx(median.value_s, abs=1e-6)


def test_on_paper_it_is_light_as_wide_as_the_paper_and_its_figures_unfolded(
    browser: Any, campaign: Path
) -> None:
    opened(browser, campaign, width=1280, dark=True)
    state = """(() => [
      document.documentElement.dataset.theme || "auto",
      document.querySelectorAll("details[data-print]:not([open])").length,
      Math.max(...[...document.querySelectorAll(".plot .main-svg")].map(svg => svg.clientWidth)),
    ])()"""
    before = browser.run(state)
    assert before[0] == "auto"
    assert before[1] > 3
    assert before[2] > 680
    assert browser.run(f"dispatchEvent(new Event('beforeprint')); {state}") == ["light", 0, 680]
    assert browser.run(f"dispatchEvent(new Event('afterprint')); {state}") == before
    data = browser.call("Page.printToPDF", printBackground=True)["data"]
    assert base64.b64decode(data).startswith(b"%PDF")
    assert browser.complaints() == []


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
