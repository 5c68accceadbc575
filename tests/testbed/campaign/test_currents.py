"""The modelled current of a virtual module: for a few messages of a run, the same by every seed."""

import json
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.results import MessageRecord, RunDirectory, read_journal
from testbed.results.trace import CurrentTraces

BENCH = """
schema_version: 1
matrix: [none, esp-tunnel]
traffic: {{messages: {messages}}}
module:
  keep_current: {keep}
  virtual: {{network: {{core_loss: {loss}}}}}
"""


def run(folder: Path, *, keep: int = 3, loss: float = 0.0, messages: int = 12) -> RunDirectory:
    bench = folder / "bench.yaml"
    bench.write_text(BENCH.format(keep=keep, loss=loss, messages=messages))
    with pytest.raises(SystemExit) as ended:
        main(["run", "--bench", str(bench), "--runs", str(folder / "runs")])
    assert not ended.value.code
    return RunDirectory.latest(folder / "runs")


def keeping(folder: Path, keep: int) -> RunDirectory:
    return run(folder, keep=keep)


def kept(run: RunDirectory) -> dict[str, list[MessageRecord]]:
    traces = CurrentTraces.open(run.path)
    found: dict[str, list[MessageRecord]] = {"none": [], "esp-tunnel": []}
    for record in read_journal(run.journal_path).messages:
        end_s = record.submitted_at_s + max(record.stages_s.values())
        if traces.covers(record.submitted_at_s, end_s):
            found[record.configuration].append(record)
    return found


def test_the_first_messages_and_the_slowest_of_each_configuration_are_kept(tmp_path: Path) -> None:
    done = run(tmp_path)
    messages = read_journal(done.journal_path).messages
    for name, records in kept(done).items():
        slowest = max(
            (one for one in messages if one.configuration == name),
            key=lambda one: one.latency_s or 0.0,
        )
        assert {one.index for one in records} == {0, 1, 2, slowest.index}


def test_messages_without_an_answer_are_kept(tmp_path: Path) -> None:
    done = run(tmp_path, keep=1, loss=0.05, messages=60)
    for name, records in kept(done).items():
        lost = [
            one.index
            for one in read_journal(done.journal_path).messages
            if one.configuration == name and one.latency_s is None
        ]
        assert lost
        assert set(lost[:3]) <= {one.index for one in records}


def test_a_message_draws_more_than_the_sleep_before_it_and_says_what_for(tmp_path: Path) -> None:
    done = run(tmp_path)
    record = read_journal(done.journal_path).messages[1]
    trace = CurrentTraces.open(done.path).within(
        record.submitted_at_s, record.submitted_at_s + record.stages_s["released"]
    )
    assert trace is not None
    assert trace.kind == "modelled"
    assert {"setup", "transmit", "receive", "tail"} <= set(trace.part)
    assert trace.current_a.max() > 0.1  # the transmitter
    transmitting = trace.at_s[[part == "transmit" for part in trace.part]]
    assert transmitting.min() >= record.submitted_at_s + record.stages_s["at_written"]


def test_the_same_seed_keeps_the_same_and_keeping_changes_no_journal(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("one", "two", "without")]
    for place in places:
        place.mkdir()
    one, two, without = map(keeping, places, (3, 3, 0))
    files = [place.path / "trace" / "virtual-0.parquet" for place in (one, two)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not (without.path / "trace").exists()

    def lines(place: RunDirectory) -> list[dict[str, object]]:
        return [json.loads(line) for line in place.journal_path.read_text().splitlines()]

    assert lines(one) == lines(two)
    assert lines(one)[1:] == lines(without)[1:]  # the first one tells the plan
