"""What a scraper is answered is, byte for byte, what the library would write."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from testbed.analysis.bytes import LayerBytes
from testbed.metrics.collectors import RunMetrics
from testbed.metrics.exposition import exposition
from testbed.metrics.last_scrape import LastScrape
from testbed.metrics.series import SeriesSet
from testbed.results import EnergyRecord, MessageRecord, Outcome, RunRecord

PLAIN = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
each_format = pytest.mark.parametrize("accept", [PLAIN, OPENMETRICS, PROMETHEUS, ""])

MESSAGE = MessageRecord(
    index=0,
    configuration="esp-tunnel",
    security="esp-tunnel",
    compression="none",
    outcome=Outcome.ANSWERED,
    latency_s=2.0,
    uplink_bytes=LayerBytes(outer_ip=20, outer_udp=8, application=30),
    energy=EnergyRecord(kind="estimated", model="m", total_j=0.75, tail_j=0.2),
    radio={"ecl": 1, "rsrp_dbm": -110.5},
)


def by_the_library(collector: object, accept: str) -> tuple[bytes, str]:
    registry = CollectorRegistry()
    registry.register(collector)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def run(bench: str = "lab-3") -> RunMetrics:
    metrics = RunMetrics("run-1", wall_clock=lambda: 1.0)
    metrics.observe(RunRecord(bench=bench, module="bc66", configurations=("none",), messages=3))
    return metrics


@each_format
def test_it_is_what_the_library_writes_before_and_after_changes(accept: str) -> None:
    metrics = run()
    for index in range(5):
        assert exposition([metrics], accept) == by_the_library(metrics, accept)
        assert exposition([metrics], accept) == by_the_library(metrics, accept)
        metrics.observe(dataclasses.replace(MESSAGE, index=index, latency_s=0.4 * 3**index))
        metrics.phase("connected" if index % 2 else "idle")


def test_formats_do_not_get_into_each_others_way() -> None:
    metrics = run()
    for _ in range(3):
        metrics.observe(MESSAGE)
        for accept in (PLAIN, OPENMETRICS, PLAIN):
            assert exposition([metrics], accept) == by_the_library(metrics, accept)


@each_format
def test_hostile_label_values_are_written_as_the_library_does(accept: str) -> None:
    metrics = run('x"}\nevil 1\\ \N{SNOWMAN}')
    metrics.observe(MESSAGE)
    assert exposition([metrics], accept) == by_the_library(metrics, accept)


def test_several_collectors_follow_each_other_and_the_end_comes_once() -> None:
    body, _ = exposition([run(), LastScrape(), run()], OPENMETRICS)
    assert body.count(b"# EOF") == 1
    assert body.endswith(b"# EOF\n")
    assert body.count(b"testbed_run_planned_messages{") == 2


def test_a_collector_without_texts_of_its_own_is_asked_to_collect() -> None:
    scrape = LastScrape(clock=iter([1.0, 2.0, 2.0]).__next__)
    for _ in range(2):
        assert exposition([scrape], PLAIN)[0] == b""
    assert scrape.patience_s == 1.5


LABELS = st.sampled_from(["esp", "rohc", "plain"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("hse_datagrams_total"), LABELS, st.integers(0, 9)),
        st.tuples(st.just("hse_keepalives_total"), LABELS, st.integers(0, 9)),
        st.tuples(st.just("hse_sessions"), LABELS, st.floats(allow_nan=False)),
        st.tuples(st.just("module_recovery_seconds"), LABELS, st.floats(0, 1e4)),
    ),
    max_size=12,
)


@given(st.lists(CHANGES, max_size=4))
def test_whatever_changes_between_two_scrapes(rounds: list[list[tuple[str, str, float]]]) -> None:
    names = ("hse_datagrams_total", "hse_keepalives_total", "hse_sessions")
    series = SeriesSet(f"testbed_{name}" for name in (*names, "module_recovery_seconds"))
    fixed = {"bench": "b", "module": "m", "origin": "virtual"}
    for changes in rounds:
        for name, label, value in changes:
            labels = fixed | {"port": label, "fault": label}
            if name.endswith("_total"):
                series.add(f"testbed_{name}", labels, value)
            elif name == "hse_sessions":
                series.set(f"testbed_{name}", labels, value)
            else:
                exemplar = {"run": label, "message": "none/1"}
                series.observe(f"testbed_{name}", labels, value, exemplar=exemplar)
        for accept in (PLAIN, OPENMETRICS):
            assert exposition([series], accept) == by_the_library(series, accept)
