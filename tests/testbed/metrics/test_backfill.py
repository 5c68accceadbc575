"""A run's metrics over its time: what a scraper would have got, at the right times."""

import dataclasses
import importlib.util
import io
import re
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from testbed.metrics import RunMetrics
from testbed.metrics.backfill import write_openmetrics
from testbed.results import JournalWriter, Record, ResumedRecord, RunDirectory, RunRecord

SAMPLE = Path(__file__).parents[1] / "report" / "sample.py"
Key = tuple[str, tuple[tuple[str, str], ...]]


@pytest.fixture(scope="module")
def sample() -> ModuleType:
    name = "backfill_sample"
    spec = importlib.util.spec_from_file_location(name, SAMPLE)
    assert spec is not None and spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


SERIES = re.compile(r"([a-z_:]+)\{(.*)\} (\S+) (\S+)")


def exported(run: Path, step_s: float | None = None) -> tuple[int, dict[Key, list[Any]]]:
    """Times and values of each series.

    prometheus_client's own reader takes several points of a histogram for duplicates: it does not
    forget a point's samples when the next point's begin. What promtool says is in a peer test.
    """
    file = io.StringIO()
    count = write_openmetrics(RunDirectory(run), file, step_s=step_s)
    found: dict[Key, list[Any]] = defaultdict(list)
    text = file.getvalue()
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SERIES.fullmatch(line)
            assert match is not None, line
            labels = tuple(sorted(re.findall(r'(\w+)="([^"]*)"', match[2])))
            found[match[1], labels].append((float(match[4]), float(match[3])))
    return count, found


def test_the_last_samples_are_what_the_exporter_shows_at_the_end(
    sample: ModuleType, tmp_path: Path
) -> None:
    run = sample.write_run(tmp_path / "run")
    count, found = exported(run)
    metrics = RunMetrics("run", wall_clock=lambda: found_end)
    found_end = max(at for series in found.values() for at, _ in series)
    for record in sample.records():
        metrics.observe(record)
    for family in metrics.collect():
        for one in family.samples:
            series = found[one.name, tuple(sorted(one.labels.items()))]
            assert series[-1][1] == pytest.approx(one.value, abs=0.01), one
            assert series[-1][0] == found_end
    assert count == 53  # of 790 s every 15, and the end


def test_times_rise_and_counters_never_fall(sample: ModuleType, tmp_path: Path) -> None:
    _, found = exported(sample.write_run(tmp_path / "run"), step_s=5.0)
    for (name, _), series in found.items():
        times = [at for at, _ in series]
        assert times == sorted(set(times))
        if name.endswith(("_total", "_bucket")):
            values = [value for _, value in series]
            assert values == sorted(values)


def test_where_a_second_was_not_the_wall_s_the_run_ends_when_it_ended(
    sample: ModuleType, tmp_path: Path
) -> None:
    _, found = exported(sample.write_run(tmp_path / "run"))
    series = found["testbed_run_planned_messages", tuple(sorted(LABELS.items()))]
    assert series[-1][0] == pytest.approx(unix("2026-11-24T06:31:12Z"), abs=0.001)
    assert series[1][0] - series[0][0] == pytest.approx(15.0, abs=0.001)


LABELS = {"bench": "demo", "module": "bc66", "origin": "virtual"}


def test_in_real_time_each_part_of_a_run_stands_where_it_was(
    sample: ModuleType, tmp_path: Path
) -> None:
    run = sample.write_run(tmp_path / "run")
    records: list[Record] = sample.records(10)
    first = records[0]
    assert isinstance(first, RunRecord)
    records[0] = dataclasses.replace(first, time="real", time_scale=1.0)
    middle = next(
        place for place, one in enumerate(records) if getattr(one, "submitted_at_s", 0) == 100.0
    )
    records.insert(middle, ResumedRecord(part=1, planned=15, at_s=100.0))
    (run / "journal.jsonl").unlink()
    with JournalWriter(run / "journal.jsonl", sync=False) as journal:
        for record in records:
            journal.append(record)
    RunDirectory(run).write_manifest(
        sample.manifest(
            "run",
            started_at="2026-11-24T08:00:00.000Z",
            earlier=({"started_at": "2026-11-24T06:00:00.000Z"},),
        )
    )
    _, found = exported(run, step_s=10.0)
    series = found["testbed_run_planned_messages", tuple(sorted(LABELS.items()))]
    begin, later = unix("2026-11-24T06:00:00Z"), unix("2026-11-24T08:00:00Z")
    assert series[0][0] == begin + 10.0
    assert [at for at, _ in series if at < later] == [begin + 10.0 * one for one in range(1, 10)]
    assert series[9][0] == later


def test_a_long_run_has_samples_further_apart(
    sample: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.metrics.backfill._MOST_SAMPLES", 10)
    count, _ = exported(sample.write_run(tmp_path / "run"))
    assert count == 10


def test_a_run_without_its_end_is_exported_as_far_as_it_went(
    sample: ModuleType, tmp_path: Path
) -> None:
    run = sample.write_run(tmp_path / "run", status=None, more={"ended_at": None})
    _, found = exported(run)
    end = (run / "journal.jsonl").stat().st_mtime
    assert found["testbed_run_complete", tuple(sorted(LABELS.items()))][-1] == (
        pytest.approx(end, abs=0.01),
        0.0,
    )
