"""The page: one file from the run directory alone, whole for every run, inert to hostile text."""

import base64
import dataclasses
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from testbed.errors import UsageError
from testbed.report.distributions import answered_s
from testbed.report.page import render_page, write_report
from testbed.report.run import load_run
from testbed.report.sections import module_name
from testbed.results import FaultRecord, RunStatus
from testbed.results.directory import RunDirectory


class Page(HTMLParser):
    """The page taken apart: elements with attributes, visible text, scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)
            if tag == "script":
                self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def data(self) -> list[dict[str, Any]]:
        """The figures in the page's data block."""
        found: list[dict[str, Any]] = json.loads(self.scripts[0])
        return found


@pytest.fixture(scope="module")
def run(sample: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = sample.write_run(tmp_path_factory.mktemp("runs") / "20261124T063000Z-ab12")
    return directory


@pytest.fixture(scope="module")
def text(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_report_lies_in_the_run_directory_and_nothing_else_is_written(
    sample: ModuleType, tmp_path: Path
) -> None:
    run = sample.write_run(tmp_path / "run", messages=3)
    before = {path.name for path in run.iterdir()}
    written = write_report(run)
    assert written == run / "report.html"
    assert {path.name for path in run.iterdir()} == before | {"report.html"}


def test_the_same_run_gives_the_same_report(run: Path, text: str) -> None:
    assert write_report(run).read_text(encoding="utf-8") == text


def test_a_file_of_the_run_names_the_run_too(run: Path) -> None:
    assert write_report(run / "journal.jsonl") == run / "report.html"


def test_nothing_on_the_page_points_to_a_network(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert "src" not in attributes
        assert ":" not in (attributes.get("href") or "")


def test_plotly_is_in_the_page_once(text: str, page: Page) -> None:
    assert len(page.scripts) == 3
    assert text.count("plotly.js v") == 1
    assert len(text) < 6_000_000


def test_only_the_page_s_own_scripts_may_run_and_nothing_may_be_fetched(page: Page) -> None:
    policy = next(
        attributes["content"] or ""
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    digests = set(re.findall(r"'sha256-([^']+)'", policy))
    expected = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in page.scripts[1:]
    }
    assert digests == expected
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]


def test_the_policy_stands_before_everything_that_it_governs(page: Page) -> None:
    tags = [tag for tag, _ in page.elements]
    assert tags.index("style") > 3
    assert page.elements[3][1].get("http-equiv") == "Content-Security-Policy"


def test_the_headline_says_what_was_run(page: Page) -> None:
    for words in (
        "run 20261124T063000Z-ab12",
        "What security costs per message on Quectel BC66",
        "120 messages of thermostat-readings.pcapng over 3 configurations.",
        "Firmware BC66NBR01A10.",
        "virtual module",
        "modelled time at scale 200",
        "energy estimated",
        "test keys",
        "Begun 2026-11-24 06:30:00 UTC",
    ):
        assert words in page.text


def test_the_table_shows_the_summary_s_figures(run: Path, page: Page) -> None:
    summary = load_run(run).summary
    assert "ROHC saves" in page.text
    for row in summary.rows:
        assert f"{row.uplink.header:.1f}".removesuffix(".0") in page.text
        assert f"{row.uplink.total:.1f}" in page.text
    assert "lost 0 2 0" in page.text
    assert "ROHC packets sent - - UO-0 39, IR 1" in page.text


def test_the_notes_stand_on_the_page(page: Page) -> None:
    assert "none: the module's own IP and UDP headers carry the payload." in page.text
    assert "2 of 40 messages got no answer" in page.text


def test_every_figure_has_its_place_and_its_data(page: Page) -> None:
    names = [figure["name"] for figure in page.data()]
    assert names == ["bytes", "latency", "energy", "waterfall"]
    identifiers = {attributes.get("id") for _, attributes in page.elements}
    assert {f"plot-{name}" for name in names} <= identifiers
    assert {f"legend-{name}" for name in names} <= identifiers


def test_energy_is_marked_estimated_with_its_sources(page: Page) -> None:
    assert "Estimated, not measured." in page.text
    assert "total, estimated" in page.text
    assert "TR 45.820" in page.text


def test_sessions_and_manifest_stand_on_the_page(page: Page) -> None:
    assert "rohc+esp-tunnel 1 1 192 164 - - 2.31 s" in page.text
    assert "module.imei_sha256 3f1c" in page.text
    assert "command testbed run --traffic thermostat-readings.pcapng" in page.text


def test_what_went_wrong_with_the_module_stands_on_the_page(
    sample: ModuleType, tmp_path: Path, page: Page
) -> None:
    assert "When the module failed" not in page.text
    run = sample.write_run(tmp_path / "run")
    view = load_run(run)
    faults = (
        FaultRecord(
            fault="line-lost",
            configuration="esp-tunnel",
            after=3,
            noticed_at_s=3661.0,
            recovered_s=61.2,
            attempts=3,
        ),
        FaultRecord(fault="silent", configuration="none", attempts=5, failure="silent"),
    )
    summary = dataclasses.replace(view.summary, faults=faults)
    text = Page(render_page(dataclasses.replace(view, summary=summary))).text
    assert "When the module failed" in text
    assert "1:01:01.0 line-lost esp-tunnel 3 61.2 s 3" in text
    assert "0:00:00.0 silent none - did not come back 5" in text


def test_raw_files_are_listed_with_their_digests(run: Path, page: Page) -> None:
    for name in ("capture.pcapng", "esp_sa", "journal.jsonl", "manifest.json"):
        digest = hashlib.sha256((run / name).read_bytes()).hexdigest()
        assert f"{name} {(run / name).stat().st_size} {digest}" in page.text
        assert ("a", {"href": name}) in page.elements
    assert "report.html" not in page.text


@pytest.mark.parametrize("status", [None, RunStatus.INTERRUPTED], ids=["killed", "stopped"])
def test_an_interrupted_run_has_a_report_that_says_so(
    sample: ModuleType, tmp_path: Path, status: RunStatus | None
) -> None:
    run = sample.write_run(tmp_path / "run", messages=5, status=status)
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert "interrupted: the figures are those of the messages that were sent" in page.text
    assert len(page.data()) == 4


def test_a_torn_journal_has_a_report(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_run(tmp_path / "run", messages=5, status=None)
    journal = run / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-25])
    assert "not written whole" in Page(write_report(run).read_text(encoding="utf-8")).text


def test_a_run_that_sent_nothing_has_a_report(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_run(tmp_path / "run", messages=0, status=None)
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert page.data() == []
    assert "Nothing was sent." in page.text


def test_what_is_no_run_directory_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not the directory of a run"):
        write_report(tmp_path)


def hostile_run(sample: ModuleType, directory: Path) -> Path:
    """A run in which everything that comes from outside is an attack."""
    evil = sample.HOSTILE
    run: Path = sample.write_run(
        directory,
        messages=3,
        more={
            "module": {"manufacturer": evil, "model": evil, "firmware": evil, evil: evil},
            "radio": {"cell": evil},
            "config": {"a": {evil: [evil]}},
            "command": (evil,),
            "notes": (evil,),
            "decrypt": evil,
            "platform": evil,
        },
    )
    lines = []
    for line in (run / "journal.jsonl").read_text().splitlines():
        record = json.loads(line)
        match record["kind"]:
            case "run":
                record |= {"module": evil, "traffic": evil, "bench": evil, "origin": evil}
            case "message":
                record["reason"] = evil if record["latency_s"] is None else None
                if record["configuration"] == "none":
                    record["configuration"] = evil
                    record["uplink_packet"] = evil
                record["energy"]["model"] = evil
        lines.append(json.dumps(record))
    lines.insert(1, json.dumps({"kind": "fault", "fault": evil, "configuration": evil}))
    (run / "journal.jsonl").write_text("\n".join(lines) + "\n")
    (run / "x'><script>alert(1)<").write_text("")
    return run


def test_hostile_text_is_inert(sample: ModuleType, tmp_path: Path, page: Page) -> None:
    run = hostile_run(sample, tmp_path / "run")
    text = write_report(run).read_text(encoding="utf-8")
    hostile = Page(text)
    assert len(hostile.scripts) == len(page.scripts) == 3
    assert not [tag for tag, _ in hostile.elements if tag == "img"]
    assert not [
        1 for _, attributes in hostile.elements if any(a.startswith("on") for a in attributes)
    ]
    assert hostile.scripts[1:] == page.scripts[1:]
    assert sample.HOSTILE in " ".join(hostile.words), "it is shown, as text"
    assert "x'><script>alert(1)<" in hostile.text
    for figure in hostile.data():
        for variant in figure["variants"]:
            for trace in variant["data"]:
                assert "<" not in trace.get("name", "")


def test_without_escaping_the_same_text_would_run(
    sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = hostile_run(sample, tmp_path / "run")
    monkeypatch.setattr(html, "escape", lambda text, quote=True: text)
    hostile = Page(render_page(load_run(run)))
    assert len(hostile.scripts) > 3
    assert [tag for tag, _ in hostile.elements if tag == "img"]


def test_a_link_among_the_files_is_not_followed(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_run(tmp_path / "run", messages=1)
    (tmp_path / "outside").write_text("secret")
    (run / "link").symlink_to(tmp_path / "outside")
    assert "link" not in {file.name for file in load_run(run).files}


def test_only_a_few_messages_are_kept_for_their_stages(run: Path) -> None:
    view = load_run(run)
    whys = [(message.record.configuration, message.why) for message in view.staged]
    assert whys == [
        ("rohc+esp-tunnel", "median"),
        ("rohc+esp-tunnel", "slowest"),
        ("esp-tunnel", "median"),
        ("esp-tunnel", "slowest"),
        ("esp-tunnel", "lost"),
        ("esp-tunnel", "lost"),
        ("none", "median"),
        ("none", "slowest"),
    ]
    by_name = answered_s(view.measurements)
    for message in view.staged:
        latencies = by_name[message.record.configuration].tolist()
        expected = {
            "slowest": latencies[-1],
            "median": latencies[(len(latencies) - 1) // 2],
            "lost": None,
        }
        assert message.record.latency_s == expected[message.why]


def test_measured_energy_is_not_called_estimated(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_run(tmp_path / "run", messages=2)
    journal = run / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"kind":"estimated"', '"kind":"measured"'))
    text = Page(render_page(load_run(run))).text
    assert "energy measured" in text
    assert "estimated" not in text.lower()


def test_real_time_is_not_called_modelled(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_run(tmp_path / "run", messages=2)
    view = load_run(run)
    real = dataclasses.replace(view.summary.run, time="real", time_scale=1.0, origin="real")
    summary = dataclasses.replace(view.summary, run=real)
    view = dataclasses.replace(view, summary=summary)
    text = Page(render_page(view)).text
    assert "modelled" not in text
    assert "real module" in text
    assert RunDirectory(run).read_manifest().time["kind"] == "scaled"


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"manufacturer": "Quectel_Ltd", "model": "Quectel_BC66"}, "Quectel BC66"),
        ({"manufacturer": "u-blox", "model": "SARA-N211"}, "u-blox SARA-N211"),
        ({"model": "BC66"}, "BC66"),
        ({}, "bc66"),
    ],
)
def test_the_module_is_named_as_it_identified_itself(
    run: Path, identity: dict[str, str], name: str
) -> None:
    view = load_run(run)
    known = dataclasses.replace(view.manifest, module=identity)
    assert module_name(dataclasses.replace(view, manifest=known)) == name
