"""The run as it stands: the journal's figures, bounded in size and cost."""

import json
import threading
from types import ModuleType

import pytest

from testbed.analysis.summary import summarise
from testbed.live.state import LAST_FAULTS, LAST_MESSAGES, MOST_POINTS, LiveRun
from testbed.metrics import RunMetrics
from testbed.metrics.catalogue import LATENCY_BUCKETS_S
from testbed.results import (
    EndRecord,
    FaultRecord,
    MessageRecord,
    Outcome,
    Record,
    ResumedRecord,
    RunRecord,
    RunStatus,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fed(records: list[Record], clock: Clock | None = None) -> LiveRun:
    live = LiveRun("run-1", clock=clock or Clock())
    for record in records:
        live.record(record)
    return live


def message(index: int, configuration: str = "none", latency_s: float | None = 1.0) -> Record:
    return MessageRecord(
        index=index,
        configuration=configuration,
        security="none",
        compression="none",
        outcome=Outcome.LOST if latency_s is None else Outcome.ANSWERED,
        submitted_at_s=float(index),
        latency_s=latency_s,
    )


def test_the_figures_are_those_of_table_and_report(sample: ModuleType) -> None:
    records = sample.records(40)
    snapshot = fed(records).snapshot()
    assert snapshot["configurations"] == [row.to_json() for row in summarise(records).rows]
    assert snapshot["status"] == "complete"
    assert snapshot["done"] == snapshot["planned"] == 120
    assert snapshot["run"]["bench"] == "demo"


def test_the_shares_are_those_of_the_exported_histogram(sample: ModuleType) -> None:
    records = sample.records(40)
    metrics = RunMetrics()
    for record in records:
        metrics.observe(record)
    family = next(one for one in metrics.collect() if one.name == "testbed_message_latency_seconds")
    snapshot = fed(records).snapshot()
    for security, compression, name in (
        ("none", "none", "none"),
        ("esp-tunnel", "none", "esp-tunnel"),
        ("esp-tunnel", "rohc", "rohc+esp-tunnel"),
    ):
        counts = {
            one.labels["le"]: one.value
            for one in family.samples
            if one.name.endswith("_bucket")
            and (one.labels["security"], one.labels["compression"]) == (security, compression)
        }
        shares = [counts[repr(bound)] / counts["+Inf"] for bound in LATENCY_BUCKETS_S]
        assert snapshot["points"][name]["within"] == pytest.approx(shares, abs=1e-6)


def test_a_long_run_takes_no_more_room_than_a_short_one() -> None:
    run = RunRecord(configurations=("none", "rohc"), messages=5000)
    records: list[Record] = [run]
    for index in range(5000):
        records += [message(index), message(index, "rohc", None if index % 7 else 2.0)]
    records += [FaultRecord(fault="silent", configuration="none") for _ in range(100)]
    snapshot = fed(records).snapshot()
    for name in ("none", "rohc"):
        points = snapshot["points"][name]
        assert MOST_POINTS / 2 <= len(points["at_s"]) == len(points["latency_s"]) <= MOST_POINTS
        assert points["stride"] == 16
        assert points["at_s"] == [float(index) for index in range(0, 5000, 16)]
    assert len(snapshot["last"]) == LAST_MESSAGES
    assert len(snapshot["faults"]) == LAST_FAULTS
    assert snapshot["fault_count"] == 100
    assert len(json.dumps(snapshot)) < 60_000


def test_who_asks_often_gets_the_same_summary_and_the_last_one_at_once() -> None:
    clock = Clock()
    live = fed([RunRecord(configurations=("none",), messages=9), message(0)], clock)
    assert live.snapshot()["done"] == 1
    live.record(message(1))
    clock.now = 0.4
    assert live.snapshot()["done"] == 1
    clock.now = 0.6
    assert live.snapshot()["done"] == 2
    live.record(EndRecord(status=RunStatus.COMPLETE))
    assert live.snapshot()["status"] == "complete"


def test_what_a_module_says_is_a_text_and_its_numbers_are_not_shown() -> None:
    live = fed([RunRecord()])
    live.identified(
        {
            "manufacturer": "<script>alert(1)</script>",
            "model": 7,
            "firmware": "F" * 999,
            "imei": "***1234",
            "iccid": "x",
        }
    )
    assert live.snapshot()["module"] == {
        "manufacturer": "<script>alert(1)</script>",
        "model": "7",
        "firmware": "F" * 80,
    }


def test_a_radio_report_that_json_lacks_the_words_for_is_left_out() -> None:
    record = MessageRecord(
        index=0,
        configuration="none",
        security="none",
        compression="none",
        outcome=Outcome.ANSWERED,
        latency_s=1.0,
        radio={"ecl": 1, "rsrp_dbm": float("nan"), "sinr_db": float("inf"), "cell": "01"},
    )
    snapshot = fed([RunRecord(), record]).snapshot()
    assert snapshot["radio"] == {"ecl": 1, "cell": "01"}
    json.dumps(snapshot, allow_nan=False)


def test_a_resumed_run_runs_again() -> None:
    live = fed([RunRecord(), EndRecord(status=RunStatus.INTERRUPTED)])
    assert live.status == "interrupted"
    live.record(ResumedRecord(part=1, planned=0, at_s=0.0))
    assert live.status == "running"


def test_the_first_word_on_the_end_counts() -> None:
    live = fed([RunRecord()])
    live.ended("killed")
    live.ended("complete")
    assert live.status == "killed"


def test_before_its_first_record_a_run_is_shown_as_nothing_yet() -> None:
    snapshot = LiveRun("run-1", 30).snapshot()
    assert snapshot["done"] == 0 and snapshot["planned"] == 30
    assert snapshot["run"]["origin"] is None
    assert snapshot["configurations"] == []


def test_who_feeds_it_never_waits_for_who_looks(sample: ModuleType) -> None:
    live = LiveRun("run-1")
    records = sample.records(500, None)
    with live._lock:  # somebody is making a summary of it
        for record in records:
            live.record(record)
    assert live.snapshot()["done"] == 1500


def test_what_nobody_looks_at_does_not_pile_up(sample: ModuleType) -> None:
    live = LiveRun("run-1")
    for record in sample.records(500, None):
        live.record(record)
    assert len(live._waiting) <= 1000


def test_a_summary_that_takes_long_is_made_less_often(
    sample: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("testbed.live.state._REST", 1e9)
    clock = Clock()
    live = fed(sample.records(5, None), clock)
    assert live.snapshot()["done"] == 15
    live.record(message(5))
    clock.now = 100.0
    assert live.snapshot()["done"] == 15
    live.record(EndRecord(status=RunStatus.COMPLETE))
    assert live.snapshot()["done"] == 16


def test_it_can_be_asked_while_it_is_fed(sample: ModuleType) -> None:
    live = LiveRun("run-1", clock=iter(range(10**9)).__next__)
    records = sample.records(60)
    thread = threading.Thread(target=lambda: [live.record(record) for record in records])
    thread.start()
    done = [live.snapshot()["done"]]
    while thread.is_alive():
        done.append(live.snapshot()["done"])
    thread.join()
    assert done == sorted(done)
    live.ended("complete")
    assert live.snapshot()["done"] == 180
