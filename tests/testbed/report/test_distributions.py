"""Distributions: the lines are the journal's, the unanswered ones are seen, thinning is told."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from testbed.report import distributions
from testbed.report.plots import Figure
from testbed.report.run import RunView, load_run


@pytest.fixture
def view(sample: ModuleType, tmp_path: Path) -> RunView:
    return load_run(sample.write_run(tmp_path / "run"))


def lines(figure: Figure | None) -> dict[str, Any]:
    assert figure is not None
    return {trace["name"]: trace for trace in figure.variants[0].data if trace["mode"] == "lines"}


def test_messages_without_an_answer_have_a_mark_where_their_line_ends(view: RunView) -> None:
    figure = distributions.latency_figure(view)
    assert figure is not None
    (mark,) = [trace for trace in figure.variants[0].data if trace["mode"] == "markers"]
    line = lines(figure)["esp-tunnel"]
    assert mark["name"] == mark["tied"] == "esp-tunnel"
    assert mark["y"] == [line["y"][-1]]
    assert line["x"][-2] < mark["x"][0] < line["x"][-1]
    assert mark["hovertemplate"] == "2 of 40 not answered within 40 s"


def test_the_share_answered_ends_below_one_where_messages_were_lost(view: RunView) -> None:
    traces = lines(distributions.latency_figure(view))
    assert traces["none"]["y"][-1] == 1.0
    assert traces["esp-tunnel"]["y"][-1] == pytest.approx(38 / 40)
    for trace in traces.values():
        assert trace["x"] == sorted(trace["x"])
        assert trace["y"] == sorted(trace["y"])
        assert len(trace["x"]) == len(trace["y"])


def test_the_median_on_the_line_is_the_median_of_the_table(view: RunView) -> None:
    traces = lines(distributions.latency_figure(view))
    for row in view.summary.rows:
        trace = traces[row.configuration]
        reached = next(x for x, y in zip(trace["x"], trace["y"], strict=True) if y >= 0.5)
        assert row.latency.median is not None
        assert reached == pytest.approx(row.latency.median.value_s)


def test_a_long_run_is_thinned_and_says_so(view: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = distributions.latency_figure(view)
    assert whole is not None and not whole.thinned
    monkeypatch.setattr(distributions, "MAX_POINTS", 30)
    thinned = distributions.latency_figure(view)
    assert thinned is not None and thinned.thinned
    for name, trace in lines(thinned).items():
        assert len(trace["x"]) <= 12
        assert trace["x"][-2] == lines(whole)[name]["x"][-2]
        assert trace["y"][-1] == lines(whole)[name]["y"][-1]
