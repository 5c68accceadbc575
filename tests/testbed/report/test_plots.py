"""The plots: what is drawn is what the journal says, thinned only where it is said."""

import dataclasses
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from testbed.report import plots
from testbed.report.distributions import latency_figure
from testbed.report.run import RunView, load_run
from testbed.report.waterfalls import waterfall_figure


@pytest.fixture
def view(sample: ModuleType, tmp_path: Path) -> RunView:
    return load_run(sample.write_run(tmp_path / "run"))


def by_name(figure: plots.Figure | None, variant: int = 0) -> dict[str, Any]:
    assert figure is not None
    return {trace["name"]: trace for trace in figure.variants[variant].data}


def test_every_figure_can_be_put_into_the_page(view: RunView) -> None:
    figures = [
        latency_figure(view),
        plots.bytes_figure(view.summary),
        plots.energy_figure(view.summary),
        waterfall_figure(view.staged, {}),
    ]
    for figure in figures:
        assert figure is not None
        text = json.dumps(figure.to_json(), allow_nan=False)
        assert json.loads(text)["variants"]
        assert len({variant.label for variant in figure.variants}) == len(figure.variants)


def test_the_layers_of_a_bar_sum_to_the_mean_packet(view: RunView) -> None:
    traces = by_name(plots.bytes_figure(view.summary))
    for position, row in enumerate(view.summary.rows):
        total = sum(trace["x"][position] for trace in traces.values())
        assert total == pytest.approx(row.uplink.total, abs=0.02)


def test_the_first_message_and_the_downlink_can_be_seen_too(view: RunView) -> None:
    figure = plots.bytes_figure(view.summary)
    first = by_name(figure, 1)
    assert first["ROHC header"]["x"] == [0, 0, 52]
    assert by_name(figure, 3)["application"]["x"] == [20, 20, 20]


def test_the_states_of_a_bar_sum_to_the_energy(view: RunView) -> None:
    figure = plots.energy_figure(view.summary)
    assert figure is not None
    assert "estimated" in figure.variants[0].label
    traces = by_name(figure)
    for position, row in enumerate(view.summary.rows):
        total = sum(trace["x"][position] for trace in traces.values())
        assert total == pytest.approx(row.energy[0].total_j, abs=1e-4)


def test_small_energies_are_drawn_in_millijoules(view: RunView) -> None:
    small = tuple(
        dataclasses.replace(
            row,
            energy=tuple(
                dataclasses.replace(
                    means,
                    setup_j=0.1,
                    transmit_j=0.02,
                    receive_j=0.0,
                    tail_j=0.0,
                    total_j=0.12,
                    low_j=0.05,
                    high_j=0.5,
                )
                for means in row.energy
            ),
        )
        for row in view.summary.rows
    )
    figure = plots.energy_figure(dataclasses.replace(view.summary, rows=small))
    traces = by_name(figure, 2)
    assert traces["set-up"]["x"] == [100, 100, 100]
    assert "receive" not in traces
    assert traces["range of the total"]["error_x"]["array"] == pytest.approx([380] * 3)
    assert figure is not None
    assert figure.variants[0].layout["xaxis"]["title"]["text"] == "mJ per message, estimated"


def test_the_answered_messages_can_be_seen_alone(view: RunView, sample: ModuleType) -> None:
    figure = plots.energy_figure(view.summary)
    assert figure is not None
    assert figure.variants[1].label == "answered messages only, estimated"
    traces = by_name(figure, 1)
    for position, row in enumerate(view.summary.rows):
        means = row.shown_energy(answered_only=True)
        assert means is not None
        total = sum(trace["x"][position] for trace in traces.values())
        assert total == pytest.approx(means.total_j, abs=1e-4)


def test_the_stated_range_can_be_seen(view: RunView) -> None:
    bars = by_name(plots.energy_figure(view.summary), 2)["range of the total"]
    means = view.summary.rows[0].energy[0]
    assert means.low_j is not None and means.high_j is not None
    assert bars["x"][0] - bars["error_x"]["arrayminus"][0] == pytest.approx(means.low_j, abs=1e-5)
    assert bars["x"][0] + bars["error_x"]["array"][0] == pytest.approx(means.high_j, abs=1e-5)


def test_a_run_without_messages_has_no_plots(sample: ModuleType, tmp_path: Path) -> None:
    view = load_run(sample.write_run(tmp_path / "run", messages=0, status=None))
    assert latency_figure(view) is None
    assert plots.bytes_figure(view.summary) is None
    assert plots.energy_figure(view.summary) is None
    assert waterfall_figure(view.staged, {}) is None


def test_configurations_keep_their_colours_and_unknown_ones_differ(view: RunView) -> None:
    colours = {plots.configuration_colour(view.summary, r.configuration) for r in view.summary.rows}
    assert len(colours) == 3


def test_a_name_is_no_markup_for_plotly() -> None:
    assert plots.plain_text("<a href='x'>&lt;") == "&lt;a href='x'&gt;&amp;lt;"


def test_a_series_that_is_short_enough_is_kept_whole() -> None:
    assert plots.thin(np.arange(5.0), 5).tolist() == [0, 1, 2, 3, 4]
    assert plots.thin(np.empty(0), 5).tolist() == []


def test_thinning_keeps_the_extremes_and_both_ends() -> None:
    values = np.sin(np.arange(10_000) / 700)
    values[1234], values[5678] = 9.0, -9.0
    kept = plots.thin(values, 100)
    assert len(kept) <= 100
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert {0, 1234, 5678, 9_999} <= set(kept.tolist())


def test_thinning_by_a_stride_would_lose_them() -> None:
    values = np.zeros(10_000)
    values[1234] = 9.0
    assert values[::100].max() == 0.0
    assert values[plots.thin(values, 100)].max() == 9.0
