"""The plots: what is drawn is what the journal says, thinned only where it is said."""

import dataclasses
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from testbed.report import plots
from testbed.report.run import RunView, load_run


@pytest.fixture
def view(sample: ModuleType, tmp_path: Path) -> RunView:
    return load_run(sample.write_run(tmp_path / "run"))


def by_name(figure: plots.Figure | None, variant: int = 0) -> dict[str, Any]:
    assert figure is not None
    return {trace["name"]: trace for trace in figure.variants[variant].data}


def test_every_figure_can_be_put_into_the_page(view: RunView) -> None:
    figures = [
        plots.latency_figure(view),
        plots.bytes_figure(view.summary),
        plots.energy_figure(view.summary),
        plots.waterfall_figure(view.staged),
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


def test_the_share_answered_ends_below_one_where_messages_were_lost(view: RunView) -> None:
    traces = by_name(plots.latency_figure(view))
    assert traces["none"]["y"][-1] == 1.0
    assert traces["esp-tunnel"]["y"][-1] == pytest.approx(38 / 40)
    for trace in traces.values():
        assert trace["x"] == sorted(trace["x"])
        assert trace["y"] == sorted(trace["y"])
        assert len(trace["x"]) == len(trace["y"])


def test_the_median_on_the_line_is_the_median_of_the_table(view: RunView) -> None:
    traces = by_name(plots.latency_figure(view))
    for row in view.summary.rows:
        trace = traces[row.configuration]
        reached = next(x for x, y in zip(trace["x"], trace["y"], strict=True) if y >= 0.5)
        assert row.latency.median is not None
        assert reached == pytest.approx(row.latency.median.value_s)


def test_a_long_run_is_thinned_and_says_so(view: RunView, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = plots.latency_figure(view)
    assert whole is not None and not whole.thinned
    monkeypatch.setattr(plots, "MAX_POINTS", 30)
    thinned = plots.latency_figure(view)
    assert thinned is not None and thinned.thinned
    for name, trace in by_name(thinned).items():
        assert len(trace["x"]) <= 12
        assert trace["x"][-2] == by_name(whole)[name]["x"][-2]
        assert trace["y"][-1] == by_name(whole)[name]["y"][-1]


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


def test_a_waterfall_goes_from_submission_to_delivery_without_gaps(view: RunView) -> None:
    figure = plots.waterfall_figure(view.staged)
    assert figure is not None
    record = view.staged[0].record
    assert figure.variants[0].label == f"rohc+esp-tunnel: median message, number {record.index}"
    (trace,) = figure.variants[0].data
    assert trace["y"][0] == "ROHC compressed"
    assert trace["y"][-1] == "delivered"
    assert trace["base"][0] == 0
    assert trace["base"][1:] == trace["customdata"][:-1]
    assert trace["customdata"][-1] == record.latency_s


def test_the_radio_tail_has_a_waterfall_of_its_own(view: RunView) -> None:
    figure = plots.waterfall_figure(view.staged)
    assert figure is not None
    tails = [v for v in figure.variants if v.label.endswith("with the radio tail")]
    assert len(tails) == 3
    assert all(v.data[0]["y"][-1] == "radio released" for v in tails)


def test_stages_that_overlap_are_drawn_in_the_order_of_time(sample: ModuleType) -> None:
    stages = {"submitted": 0.0, "accepted": 1.0, "hse_received": 1.5, "rrc_connected": 2.0}
    steps = plots._steps(
        sample.records()[3].__class__(
            index=0,
            configuration="none",
            security="none",
            compression="none",
            outcome="lost",
            stages_s=stages,
        )
    )
    assert [(stage.value, begin, end) for stage, begin, end in steps] == [
        ("accepted", 0.0, 1.0),
        ("hse_received", 1.0, 1.5),
        ("rrc_connected", 1.5, 2.0),
    ]


def test_every_stage_of_the_journal_has_a_name_and_a_colour() -> None:
    assert set(plots._STEPS) == set(plots.Stage)


def test_a_run_without_messages_has_no_plots(sample: ModuleType, tmp_path: Path) -> None:
    view = load_run(sample.write_run(tmp_path / "run", messages=0, status=None))
    assert plots.latency_figure(view) is None
    assert plots.bytes_figure(view.summary) is None
    assert plots.energy_figure(view.summary) is None
    assert plots.waterfall_figure(view.staged) is None


def test_configurations_keep_their_colours_and_unknown_ones_differ(view: RunView) -> None:
    colours = {plots.configuration_colour(view.summary, r.configuration) for r in view.summary.rows}
    assert len(colours) == 3


@pytest.mark.parametrize(
    ("number", "limit", "kept"),
    [(0, 5, []), (3, 5, [0, 1, 2]), (9, 5, [0, 2, 4, 6, 8]), (100, 2, [0, 99])],
)
def test_thinning_keeps_both_ends(number: int, limit: int, kept: list[int]) -> None:
    assert plots._thin(number, limit) == kept


def test_a_name_is_no_markup_for_plotly() -> None:
    assert plots._text("<a href='x'>&lt;") == "&lt;a href='x'&gt;&amp;lt;"
