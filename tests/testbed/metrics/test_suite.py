"""A suite's latest run: figures, grades and baselines as a few gauges."""

import dataclasses
import math

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families as parse

from testbed.analysis.bytes import LayerBytes
from testbed.analysis.limits import Limit, LimitKind
from testbed.analysis.measurements import Measurements
from testbed.analysis.measures import MEASURES
from testbed.analysis.verdicts import Grade, judge, overall
from testbed.metrics.catalogue import CATALOGUE
from testbed.metrics.suite import MOST_ARMS, SuiteMetrics
from testbed.results import EnergyRecord, MessageRecord, Outcome, RunRecord

RUN = RunRecord(
    testbed_version="0.1.0",
    bench="lab-3",
    module="bc66",
    origin="virtual",
    configurations=("none", "esp-tunnel"),
    messages=40,
    seed=5,
    settings={"answer_timeout_s": 40.0},
)
SERIES = {"bench": "lab-3", "module": "bc66", "origin": "virtual"}


def message(index: int, configuration: str, latency_s: float | None) -> MessageRecord:
    return MessageRecord(
        index=index,
        configuration=configuration,
        security=configuration,
        compression="none",
        outcome=Outcome.LOST if latency_s is None else Outcome.ANSWERED,
        reason="no-answer" if latency_s is None else None,
        submitted_at_s=60.0 * index,
        latency_s=latency_s,
        uplink_bytes=LayerBytes(outer_ip=20, outer_udp=8, application=32),
        energy=EnergyRecord(kind="estimated", model="m", total_j=0.5),
    )


def measurements(slower: float = 1.0, *, arms: tuple[str, ...] = ("none", "esp-tunnel")) -> object:
    records = [RUN]
    for arm in arms:
        for index in range(40):
            latency_s = slower * (2.0 + 0.01 * (index * 7 % 13))
            records.append(message(index, arm, None if index == 39 else latency_s))
    return Measurements.of([record.to_dict() for record in records], name="run-1")


def metrics(
    run: object, judgements: tuple = (), *, grade: Grade = Grade.NOT_JUDGED
) -> SuiteMetrics:
    return SuiteMetrics(RUN, "run-1", run, judgements, grade, ended_at_s=1_000.0)


def found(collector: SuiteMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    registry = CollectorRegistry()
    registry.register(collector)
    return {
        (sample.name, frozenset(sample.labels.items() - SERIES.items())): sample.value
        for family in parse(generate_latest(registry).decode())
        for sample in family.samples
    }


def arm(name: str, **labels: str) -> frozenset[tuple[str, str]]:
    security = name.split()[0]
    return frozenset({"arm": name, "security": security, "compression": "none", **labels}.items())


def test_figures_of_each_arm_have_their_intervals() -> None:
    values = found(metrics(measurements()))
    low, value, high = (
        values["testbed_suite_latency_seconds", arm("none", statistic="median", estimate=end)]
        for end in ("low", "value", "high")
    )
    assert 2.0 <= low <= value <= high <= 2.2
    size = values["testbed_suite_uplink_bytes", arm("esp-tunnel", estimate="value")]
    assert size == 60.0
    energy = arm("none", kind="estimated", estimate="value")
    assert values["testbed_suite_energy_joules", energy] == 0.5


def test_messages_without_an_answer_are_lost() -> None:
    values = found(metrics(measurements()))
    assert values["testbed_suite_messages", arm("none", outcome="answered")] == 39
    assert values["testbed_suite_messages", arm("none", outcome="lost")] == 1


def test_a_regression_is_told_as_a_ratio_where_above_1_is_worse() -> None:
    limit = Limit(measure=MEASURES["latency_median"], kind=LimitKind.REGRESSION, bound=0.1)
    run = measurements(1.5)
    judgements = judge(run, (limit,), baseline=measurements(), problems=())
    values = found(metrics(run, judgements, grade=overall(j.grade for j in judgements)))
    labels = arm("none", measure="latency_median", estimate="value")
    assert values["testbed_suite_regression_ratio", labels] == pytest.approx(1.5)
    graded = {dict(key)["grade"]: v for (n, key), v in values.items() if n == "testbed_suite_grade"}
    assert graded["fail"] == 1
    assert sum(graded.values()) == 1
    assert values["testbed_suite_limits", frozenset({("grade", "fail")})] == 2


@pytest.mark.parametrize(
    ("grade", "success"),
    [
        (Grade.PASS, True),
        (Grade.WARN, True),
        (Grade.NOT_JUDGED, True),
        (Grade.FAIL, False),
        (Grade.INCONCLUSIVE, False),
    ],
)
def test_only_a_success_moves_the_time_of_the_latest_one(grade: Grade, success: bool) -> None:
    collector = metrics(measurements(), grade=grade)
    values = found(collector)
    assert values["testbed_suite_last_run_timestamp_seconds", frozenset()] == 1_000.0
    name = "testbed_suite_last_success_timestamp_seconds"
    assert ((name, frozenset()) in values) is success
    # A family without a sample would make the gateway forget the one that it has.
    assert (name in {family.name for family in collector.collect()}) is success


def test_figures_without_an_end_are_left_out() -> None:
    lost = [message(index, "none", None) for index in range(5)]
    run = Measurements.of([RUN.to_dict(), *(m.to_dict() for m in lost)], name="run-1")
    values = found(metrics(run))
    assert all(math.isfinite(value) for value in values.values())
    latency = arm("none", statistic="median", estimate="value")
    assert values["testbed_suite_latency_seconds", latency] == 40.0


def test_energy_of_two_models_is_not_mixed() -> None:
    records = [message(index, "none", 2.0) for index in range(4)]
    other = EnergyRecord(kind="measured", model="ppk2 1", total_j=0.7)
    records.append(dataclasses.replace(records[0], index=4, energy=other))
    run = Measurements.of([RUN.to_dict(), *(m.to_dict() for m in records)], name="run-1")
    assert not [name for name, _ in found(metrics(run)) if name == "testbed_suite_energy_joules"]


def test_the_number_of_arms_is_bounded() -> None:
    names = tuple(f"none n={number}" for number in range(MOST_ARMS + 20))
    records = [dataclasses.replace(message(0, "none", 2.0), cell=name) for name in names]
    run = Measurements.of([RUN.to_dict(), *(m.to_dict() for m in records)], name="run-1")
    arms = {dict(labels).get("arm") for _, labels in found(metrics(run))} - {None}
    assert len(arms) == MOST_ARMS + 1
    assert "other" in arms


def test_everything_of_a_suite_in_the_catalogue_is_exported() -> None:
    limit = Limit(measure=MEASURES["latency_median"], kind=LimitKind.REGRESSION, bound=0.1)
    run = measurements()
    collector = metrics(run, judge(run, (limit,), baseline=measurements()), grade=Grade.PASS)
    registry = CollectorRegistry()
    registry.register(collector)
    families = {family.name: family for family in parse(generate_latest(registry).decode())}
    entries = [entry for entry in CATALOGUE if entry.name.startswith("testbed_suite_")]
    assert families.keys() == {entry.name for entry in entries}
    for entry in entries:
        own = {label for sample in families[entry.name].samples for label in sample.labels}
        assert own == set(entry.labels)


def test_the_group_at_the_gateway_is_the_bench_its_module_and_its_origin() -> None:
    assert metrics(measurements()).grouping_key == SERIES
