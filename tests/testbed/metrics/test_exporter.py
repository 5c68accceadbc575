"""The exporter: on the loopback address, from its own registry, with a clean end."""

import http.client
import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from testbed.errors import ExitCode, UsageError
from testbed.metrics.collectors import RunMetrics
from testbed.metrics.exporter import MetricsServer
from testbed.results import RunRecord
from testbed.web.access import Access


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    metrics = RunMetrics("run-1")
    metrics.observe(RunRecord(bench="b", module="bc66", messages=3, configurations=("none",)))
    with MetricsServer(metrics) as serving:
        yield serving


def scrape(url: str, accept: str = "text/plain") -> tuple[str, str]:
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_a_scrape_gets_the_metrics(server: MetricsServer) -> None:
    kind, text = scrape(server.url)
    assert kind.startswith("text/plain")
    assert 'testbed_run_planned_messages{bench="b",module="bc66",origin="virtual"} 3.0' in text


def test_openmetrics_is_served_to_who_asks_for_it(server: MetricsServer) -> None:
    kind, text = scrape(server.url, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_it_listens_on_the_loopback_address_only(server: MetricsServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", server.port), timeout=1)


def test_only_our_own_metrics_are_exported(server: MetricsServer) -> None:
    _, text = scrape(server.url)
    assert "python_info" not in text
    assert "process_" not in text
    assert all(line.startswith(("#", "testbed_")) for line in text.splitlines())
    assert not any("testbed" in name for name in REGISTRY._names_to_collectors)


def test_after_closing_nobody_listens_and_no_thread_is_left() -> None:
    before = threading.active_count()
    serving = MetricsServer(RunMetrics())
    serving.close()
    serving.close()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", serving.port), timeout=5)


def test_the_port_can_be_used_again_at_once() -> None:
    with MetricsServer(RunMetrics()) as first:
        scrape(first.url)
        port = first.port
    with MetricsServer(RunMetrics(), port=port) as second:
        assert second.port == port


def test_a_busy_port_is_a_clear_error(server: MetricsServer) -> None:
    with pytest.raises(UsageError, match=f"metrics port {server.port} on 127.0.0.1 is in use") as e:
        MetricsServer(RunMetrics(), port=server.port)
    assert e.value.exit_code is ExitCode.USAGE
    assert "--metrics-port" in (e.value.hint or "")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "bench.example"])
def test_an_address_that_is_open_to_the_network_has_to_be_meant(address: str) -> None:
    with pytest.raises(UsageError, match="open to the network"):
        MetricsServer(RunMetrics(), access=Access(address=address))


def test_an_address_that_is_not_ours_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match=r"cannot be served on 192\.0\.2\.1"):
        MetricsServer(RunMetrics(), access=Access(address="192.0.2.1", trusted_network=True))


def test_an_exposed_address_is_served_when_it_is_meant() -> None:
    access = Access(address="0.0.0.0", trusted_network=True)
    with MetricsServer(RunMetrics(), access=access) as serving:
        assert scrape(f"http://127.0.0.1:{serving.port}/metrics")[1]


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_a_clear_error(port: int) -> None:
    with pytest.raises(UsageError, match="is not a TCP port"):
        MetricsServer(RunMetrics(), port=port)


def test_within_a_computer_nothing_is_compressed(server: MetricsServer) -> None:
    request = urllib.request.Request(server.url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Encoding"] is None
        assert b"testbed_run_planned_messages" in answer.read()


def test_two_collectors_of_one_metric_are_an_error() -> None:
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        MetricsServer(RunMetrics(), RunMetrics())


def test_a_token_is_asked_for_where_there_is_one() -> None:
    token = "0123456789abcdef"
    with MetricsServer(RunMetrics(), access=Access(token=token)) as serving:
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}"}, 200)):
            connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=5)
            connection.request("GET", "/metrics", headers=headers)
            assert connection.getresponse().status == status
            connection.close()
