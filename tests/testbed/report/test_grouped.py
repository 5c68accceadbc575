"""A campaign's cells on the page, and a baseline beside them."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from testbed.report.grouped import cells_figure, cells_table
from testbed.report.levels import cell_labels, levels_text
from testbed.report.page import render_page
from testbed.report.run import RunView, load_run
from testbed.report.versus import versus_section


@pytest.fixture
def view(sample: ModuleType, tmp_path: Path) -> RunView:
    return load_run(sample.write_campaign(tmp_path / "campaign"))


def test_levels_are_told_in_short() -> None:
    levels = {"release_assistance": "after-downlink", "coverage": 0, "payload": "a/b.pcapng"}
    assert levels_text(levels) == "payload b.pcapng, RAI down, ECL 0"
    assert levels_text({}) == ""
    cells = [{"name": "x", "configuration": "esp-tunnel", "coverage": 2}]
    assert cell_labels(cells) == {"x": "esp-tunnel, ECL 2"}
    assert cell_labels(None) == {}


def test_every_cell_has_a_dot_where_its_row_says(view: RunView) -> None:
    figure = cells_figure(view.summary)
    assert figure is not None
    labels = [variant.label for variant in figure.variants]
    assert labels[0] == "median latency, seconds"
    assert "energy per message, estimated, joules" in labels
    bytes_ = next(variant for variant in figure.variants if variant.label.startswith("bytes"))
    drawn = {
        (trace["name"], place): value
        for trace in bytes_.data
        for place, value in zip(trace["y"], trace["x"], strict=True)
    }
    assert drawn == {
        (row.configuration, f"ECL {row.cell[-1]}"): pytest.approx(row.uplink.total)
        for row in view.summary.cells
        if row.cell is not None
    }


def test_a_median_that_nobody_waited_for_has_no_dot(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_campaign(tmp_path / "run", messages=8)
    journal = run / "journal.jsonl"
    lines = journal.read_text().replace('"outcome":"answered"', '"outcome":"lost"')
    journal.write_text(re.sub(r'"latency_s":[0-9.]+', '"latency_s":null', lines))
    figure = cells_figure(load_run(run).summary)
    assert figure is not None
    assert not any(
        "latency" in variant.label and any(t["x"] for t in variant.data)
        for variant in figure.variants
    )


def test_the_table_has_a_line_per_cell_and_folds_where_there_are_many(
    sample: ModuleType, tmp_path: Path, view: RunView
) -> None:
    few = cells_table(view.summary)
    assert few is not None
    assert few.count("<tr>") == 6 + 3  # and three heads
    assert "<details" not in few
    many = cells_table(
        load_run(sample.write_campaign(tmp_path / "m", messages=2, levels=tuple(range(33)))).summary
    )
    assert many is not None
    assert many.count("<tr>") == 99 + 3
    assert many.count("<details") == 3
    assert "esp-tunnel: 33 cells" in many


def test_a_run_without_factors_has_no_section_for_cells(sample: ModuleType, tmp_path: Path) -> None:
    view = load_run(sample.write_run(tmp_path / "run", messages=3))
    assert cells_figure(view.summary) is None
    assert cells_table(view.summary) is None
    assert "By cell" not in render_page(view)


def test_a_baseline_is_compared_figure_by_figure(
    sample: ModuleType, tmp_path: Path, view: RunView
) -> None:
    assert versus_section(None, {}) is None
    again = load_run(sample.write_campaign(tmp_path / "again"), baseline=view.measurements)
    assert again.comparison is not None
    html = versus_section(again.comparison, cell_labels(again.summary.run.cells))
    assert html is not None
    assert "<h2>Against campaign</h2>" in html
    assert html.count('<tr class="sub">') == len(again.comparison.rows) == 6
    assert "esp-tunnel, ECL 1" in html
    assert "+0.0 % (" in html  # the same seed gave the same
    assert "cannot be compared" not in html
    assert html in render_page(again)


def test_what_cannot_be_compared_says_why(
    sample: ModuleType, tmp_path: Path, view: RunView
) -> None:
    run = sample.write_campaign(tmp_path / "other")
    manifest = run / "manifest.json"
    manifest.write_text(manifest.read_text().replace("BC66NBR01A10", "BC66NBR01A11"))
    other = load_run(run, baseline=view.measurements)
    html = versus_section(other.comparison, {})
    assert html is not None
    assert "These two cannot be compared" in html
    assert "the firmware differs: BC66NBR01A10 and BC66NBR01A11" in html


def test_hostile_names_stay_text_in_every_section(sample: ModuleType, tmp_path: Path) -> None:
    run = sample.write_campaign(tmp_path / "run", messages=12, evil=sample.HOSTILE)
    view = load_run(run)
    page = render_page(load_run(run, baseline=view.measurements))
    assert "<img src=x" not in page
    assert "<script>document" not in page
    assert page.count("&lt;script&gt;document.title") > 20
