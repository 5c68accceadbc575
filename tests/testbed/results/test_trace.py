"""What a module drew: written by stretches, read for any time within one of them."""

from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from testbed.results.trace import CurrentTraces, Stretch, TraceError, write_trace

STRETCHES = (
    Stretch(
        begin_s=10.0,
        end_s=12.0,
        at_s=[10.0, 10.5, 11.0],
        current_a=[0.006, 0.2, 0.02],
        part=["sleep", "transmit", "tail"],
    ),
    Stretch(begin_s=20.0, end_s=21.0, at_s=[20.0], current_a=[0.006], part=["sleep"]),
)


def written(directory: Path, name: str = "virtual-0", kind: str = "modelled") -> CurrentTraces:
    path = directory / "trace" / f"{name}.parquet"
    write_trace(path, STRETCHES, kind=kind, source="virtual bc66", supply_v=3.3)
    return CurrentTraces.open(directory)


def test_a_whole_stretch_comes_back_as_it_was_written(tmp_path: Path) -> None:
    trace = written(tmp_path).within(10.0, 12.0)
    assert trace is not None
    assert (trace.kind, trace.source, trace.supply_v) == ("modelled", "virtual bc66", 3.3)
    assert trace.at_s.tolist() == [10.0, 10.5, 11.0]
    assert trace.current_a.tolist() == [0.006, 0.2, 0.02]
    assert trace.part == ("sleep", "transmit", "tail")
    assert trace.charge_c == pytest.approx(0.006 * 0.5 + 0.2 * 0.5 + 0.02 * 1.0)


def test_a_time_within_a_stretch_begins_with_what_was_drawn_then(tmp_path: Path) -> None:
    trace = written(tmp_path).within(10.7, 11.5)
    assert trace is not None
    assert trace.at_s.tolist() == [10.7, 11.0]
    assert trace.current_a.tolist() == [0.2, 0.02]
    assert trace.charge_c == pytest.approx(0.2 * 0.3 + 0.02 * 0.5)


@pytest.mark.parametrize(
    ("begin_s", "end_s"), [(9.9, 11.0), (11.0, 12.1), (11.0, 20.5), (15.0, 16.0)]
)
def test_where_something_was_not_recorded_there_is_no_trace(
    tmp_path: Path, begin_s: float, end_s: float
) -> None:
    traces = written(tmp_path)
    assert not traces.covers(begin_s, end_s)
    assert traces.within(begin_s, end_s) is None


def test_what_was_measured_goes_before_what_was_modelled(tmp_path: Path) -> None:
    written(tmp_path, "a-virtual")
    trace = written(tmp_path, "ppk2", "measured").within(10.0, 11.0)
    assert trace is not None
    assert trace.kind == "measured"


def test_a_run_without_traces_has_none(tmp_path: Path) -> None:
    traces = CurrentTraces.open(tmp_path)
    assert not traces
    assert traces.within(0.0, 1.0) is None


def test_a_long_stretch_is_read_by_its_part_that_is_asked_for(tmp_path: Path) -> None:
    at_s = np.arange(250_000) / 1000
    stretch = Stretch(
        begin_s=0.0,
        end_s=250.0,
        at_s=at_s.tolist(),
        current_a=at_s.tolist(),
        part=[None] * len(at_s),
    )
    path = tmp_path / "trace" / "meter.parquet"
    write_trace(path, [stretch], kind="measured", source="PPK2", supply_v=None)
    trace = CurrentTraces.open(tmp_path).within(200.0, 200.01)
    assert trace is not None
    assert len(trace.at_s) == 11
    assert trace.current_a[0] == 200.0
    assert trace.supply_v is None


def test_another_file_in_the_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "trace"
    folder.mkdir()
    (folder / "x.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(TraceError, match=r"x\.parquet cannot be read"):
        CurrentTraces.open(tmp_path)
    table = pyarrow.table({"at_s": [0.0]}).replace_schema_metadata({"schema_version": "9"})
    parquet.write_table(table, folder / "x.parquet")
    with pytest.raises(TraceError, match="schema version 9"):
        CurrentTraces.open(tmp_path)
    table = table.replace_schema_metadata({"schema_version": "1", "kind": "<b>", "source": ""})
    parquet.write_table(table, folder / "x.parquet")
    with pytest.raises(TraceError, match="neither measured nor modelled"):
        CurrentTraces.open(tmp_path)
    (folder / "x.parquet").unlink()
    (folder / "x.parquet").symlink_to("/etc/passwd")
    assert not CurrentTraces.open(tmp_path)  # what a link points to is not the run's
