"""The waterfall of one message, and the current under it."""

import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from testbed.report import waterfalls
from testbed.report.run import RunView, load_run
from testbed.results.trace import Stretch, write_trace


@pytest.fixture
def view(sample: ModuleType, tmp_path: Path) -> RunView:
    return load_run(sample.write_run(tmp_path / "run"))


def test_a_waterfall_goes_from_submission_to_delivery_without_gaps(view: RunView) -> None:
    figure = waterfalls.waterfall_figure(view.staged, {})
    assert figure is not None
    record = view.staged[0].record
    assert figure.variants[0].group == "rohc+esp-tunnel"
    assert figure.variants[0].label.startswith(f"median message, number {record.index}, ")
    (trace,) = figure.variants[0].data
    assert trace["y"][0] == "ROHC compressed"
    assert trace["y"][-1] == "delivered"
    assert trace["base"][0] == 0
    assert trace["base"][1:] == trace["customdata"][:-1]
    assert trace["customdata"][-1] == record.latency_s


def test_the_radio_tail_has_a_waterfall_of_its_own(view: RunView) -> None:
    figure = waterfalls.waterfall_figure(view.staged, {})
    assert figure is not None
    tails = [v for v in figure.variants if v.label.endswith("with the radio tail")]
    assert len(tails) == 8  # a median and the slowest of each, and two that were lost
    assert [v.label for v in tails if v.label.startswith("lost")] == [
        "lost message, number 19 (timeout), with the radio tail",
        "lost message, number 39 (timeout), with the radio tail",
    ]
    assert all(v.data[0]["y"][-1] == "radio released" for v in tails)


def test_stages_that_overlap_are_drawn_in_the_order_of_time(sample: ModuleType) -> None:
    stages = {"submitted": 0.0, "accepted": 1.0, "hse_received": 1.5, "rrc_connected": 2.0}
    steps = waterfalls._steps(
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
    assert set(waterfalls._STEPS) == set(waterfalls.Stage)


def traced(sample: ModuleType, place: Path, rows: int = 4) -> RunView:
    """A run that kept the current of its messages 3 to 5 of each configuration: 0.1 A, 10 mA."""
    at_s = [60.0, 60.5, *(80 + 30 * n / rows for n in range(rows))]
    stretch = Stretch(
        begin_s=60.0,
        end_s=115.0,
        at_s=at_s,
        current_a=[0.1 if n % 2 == 0 else 0.01 for n in range(len(at_s))],
        part=["setup", "transmit", *["tail"] * rows],
    )
    run = sample.write_run(place)
    path = run / "trace" / "virtual-0.parquet"
    write_trace(path, [stretch], kind="modelled", source="virtual bc66", supply_v=3.3)
    return load_run(run)


def test_where_current_was_kept_the_median_is_a_message_that_has_it(
    sample: ModuleType, tmp_path: Path
) -> None:
    view = traced(sample, tmp_path / "run")
    medians = [message for message in view.staged if "median" in message.why]
    assert len(medians) == 3
    for message in medians:
        assert message.current is not None
        assert message.record.index in (3, 4, 5)
    assert all(m.current is None for m in view.staged if m.why == "lost")


def test_the_area_under_the_current_is_the_charge_of_the_trace(
    sample: ModuleType, tmp_path: Path
) -> None:
    view = traced(sample, tmp_path / "run")
    message = next(message for message in view.staged if message.current is not None)
    figure = waterfalls.waterfall_figure([message], {})
    assert figure is not None and not figure.thinned
    areas = [trace for trace in figure.variants[-1].data if trace.get("yaxis") == "y2"]
    assert {trace["name"] for trace in areas} <= {"set-up", "transmit", "tail"}
    drawn_c = sum(np.trapezoid(trace["y"], trace["x"]) for trace in areas) / 1e3
    assert message.current is not None
    assert drawn_c == pytest.approx(message.current.charge_c, rel=1e-4)
    assert figure.variants[-1].layout["yaxis2"]["title"]["text"] == "mA, modelled"


def test_until_delivery_nothing_of_the_tail_s_current_is_drawn(
    sample: ModuleType, tmp_path: Path
) -> None:
    view = traced(sample, tmp_path / "run")
    message = next(message for message in view.staged if message.current is not None)
    figure = waterfalls.waterfall_figure([message], {})
    assert figure is not None
    delivered = message.record.stages_s["delivered"]
    areas = [trace for trace in figure.variants[0].data if trace.get("yaxis") == "y2"]
    assert max(max(trace["x"]) for trace in areas) == pytest.approx(delivered, abs=1e-5)


def test_a_long_trace_is_thinned_its_extremes_kept_and_that_is_said(
    sample: ModuleType, tmp_path: Path
) -> None:
    view = traced(sample, tmp_path / "run", rows=60_000)
    figure = waterfalls.waterfall_figure(view.staged, {})
    assert figure is not None and figure.thinned
    for variant in figure.variants:
        areas = [trace for trace in variant.data if trace.get("yaxis") == "y2"]
        assert sum(len(trace["x"]) for trace in areas) <= 20_000
        if areas and "radio tail" in variant.label:
            assert max(max(trace["y"]) for trace in areas) == 100.0
    assert sum(len(t["x"]) for v in figure.variants for t in v.data) < 110_000


def test_a_reason_and_a_cell_stand_in_the_label(view: RunView) -> None:
    message = view.staged[0]
    cell = "rohc+esp-tunnel coverage=1"
    record = dataclasses.replace(message.record, cell=cell)
    labels = {cell: "rohc+esp-tunnel, ECL 1"}
    figure = waterfalls.waterfall_figure([dataclasses.replace(message, record=record)], labels)
    assert figure is not None
    assert figure.variants[0].label.endswith(" s, ECL 1")


def test_what_a_trace_says_is_no_markup(sample: ModuleType, tmp_path: Path) -> None:
    message = next(m for m in traced(sample, tmp_path / "run").staged if m.current is not None)
    assert message.current is not None
    parts = tuple("<a href='x'>" for _ in message.current.part)
    evil = dataclasses.replace(message.current, part=parts)
    figure = waterfalls.waterfall_figure([dataclasses.replace(message, current=evil)], {})
    assert figure is not None
    assert figure.variants[0].data[1]["name"] == "&lt;a href='x'&gt;"
