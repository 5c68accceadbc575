"""Series: counted under a lock, read out as one snapshot in the exposition format."""

import threading

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.registry import DuplicateTimeseries

from testbed.metrics.catalogue import metric
from testbed.metrics.series import OTHER, Bounded, SeriesSet

COUNTER = "testbed_hse_datagrams_total"
GAUGE = "testbed_hse_sessions"
HISTOGRAM = "testbed_session_setup_seconds"
SESSION = dict.fromkeys(metric(HISTOGRAM).labels, "x")


def exposed(series: SeriesSet) -> str:
    registry = CollectorRegistry()
    registry.register(series)
    return generate_latest(registry).decode()


def test_a_counter_counts_by_its_labels() -> None:
    series = SeriesSet([COUNTER])
    series.add(COUNTER, {"port": "esp"})
    series.add(COUNTER, {"port": "esp"}, 2)
    series.add(COUNTER, {"port": "rohc", "ignored": "yes"})
    assert series.value(COUNTER, {"port": "esp"}) == 3
    assert series.value(COUNTER, {"port": "plain"}) == 0
    text = exposed(series)
    assert 'testbed_hse_datagrams_total{port="esp"} 3.0' in text
    assert 'testbed_hse_datagrams_total{port="rohc"} 1.0' in text


def test_a_counter_does_not_count_down() -> None:
    with pytest.raises(ValueError, match="cannot count down"):
        SeriesSet([COUNTER]).add(COUNTER, {"port": "esp"}, -1)


def test_a_label_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError, match="port"):
        SeriesSet([COUNTER]).add(COUNTER, {})


def test_a_metric_that_the_set_does_not_hold_is_an_error() -> None:
    with pytest.raises(KeyError, match=GAUGE):
        SeriesSet([COUNTER]).set(GAUGE, {}, 1)


@pytest.mark.parametrize("name", [GAUGE, HISTOGRAM])
def test_a_metric_is_used_as_its_type(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is a"):
        SeriesSet([name]).add(name, SESSION)


def test_a_gauge_keeps_its_latest_value() -> None:
    series = SeriesSet([GAUGE])
    series.set(GAUGE, {}, 3)
    series.set(GAUGE, {}, 2)
    assert "testbed_hse_sessions 2.0" in exposed(series)


def test_an_info_is_one_and_keeps_its_suffix_once() -> None:
    labels = dict.fromkeys(metric("testbed_run_info").labels, "v")
    series = SeriesSet(["testbed_run_info"])
    series.set("testbed_run_info", labels, 1)
    assert "testbed_run_info{" in exposed(series)
    assert "_info_info" not in exposed(series)


@pytest.mark.parametrize(
    ("value", "bucket"), [(0.05, "0.1"), (0.1, "0.1"), (0.11, "0.25"), (80.0, "80.0"), (81, "+Inf")]
)
def test_a_value_counts_in_the_first_bucket_that_holds_it(value: float, bucket: str) -> None:
    series = SeriesSet([HISTOGRAM])
    series.observe(HISTOGRAM, SESSION, value)
    lines = [line for line in exposed(series).splitlines() if "_bucket" in line]
    filled = [line for line in lines if line.endswith(" 1.0")]
    assert f'le="{bucket}"' in filled[0]
    assert filled == lines[-len(filled) :], "buckets are cumulative"


def test_what_is_beyond_counts_in_the_infinite_bucket_only() -> None:
    series = SeriesSet([HISTOGRAM])
    series.observe(HISTOGRAM, SESSION, 40.0, beyond=True)
    text = exposed(series)
    assert text.count("} 1.0") == 2  # the infinite bucket, and the count
    assert 'le="+Inf",module="x"' in text or 'le="+Inf"' in text
    assert "} 40.0" in text


def test_an_exemplar_travels_in_openmetrics() -> None:
    series = SeriesSet([HISTOGRAM])
    series.observe(HISTOGRAM, SESSION, 3.0, exemplar={"run": "r1", "message": "none/7"})
    registry = CollectorRegistry()
    registry.register(series)
    text = openmetrics(registry).decode()
    (line,) = [line for line in text.splitlines() if "#" in line and "none/7" in line]
    assert 'le="5.0"' in line
    assert 'run="r1"' in line
    assert "none/7" not in exposed(series)


def test_two_collectors_of_the_same_metric_are_refused_by_the_registry() -> None:
    registry = CollectorRegistry()
    registry.register(SeriesSet([COUNTER]))
    with pytest.raises(DuplicateTimeseries):
        registry.register(SeriesSet([COUNTER]))


def test_a_bounded_label_lets_only_so_many_values_through() -> None:
    bounded = Bounded(limit=3)
    assert [bounded(value) for value in "abcdea"] == ["a", "b", "c", OTHER, OTHER, "a"]


def test_a_snapshot_is_consistent_while_others_count() -> None:
    series = SeriesSet([COUNTER])
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            with series.lock:
                series.add(COUNTER, {"port": "esp"})
                series.add(COUNTER, {"port": "rohc"})

    thread = threading.Thread(target=count)
    thread.start()
    try:
        for _ in range(200):
            values = {s.labels["port"]: s.value for f in series.collect() for s in f.samples}
            assert values.get("esp") == values.get("rohc")
    finally:
        stop.set()
        thread.join()
