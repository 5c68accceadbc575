"""Pushing: to a gateway that takes it, one that refuses, and one that is not there."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from testbed.errors import LabFault, UsageError
from testbed.metrics.collectors import RunMetrics
from testbed.metrics.pushgateway import check_gateway, push
from testbed.results import RunRecord

KEY = {"bench": "lab/3", "module": "bc66", "origin": "virtual"}


class Gateway(BaseHTTPRequestHandler):
    status: ClassVar[int] = 202
    seen: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(("POST", self.path, body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    Gateway.seen.clear()
    Gateway.status = 202
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def metrics() -> RunMetrics:
    collector = RunMetrics("run-1")
    collector.observe(RunRecord(bench="lab/3", module="bc66", messages=3, configurations=("a",)))
    return collector


def test_what_is_pushed_replaces_metrics_of_the_same_name_in_its_group(gateway: str) -> None:
    push(gateway, metrics(), KEY)
    ((method, path, body),) = Gateway.seen
    assert method == "POST"  # PUT would take the time of the latest success away
    assert path == "/metrics/job/testbed-suite/bench@base64/bGFiLzM=/module/bc66/origin/virtual"
    assert b"testbed_run_planned_messages" in body


def test_a_gateway_that_refuses_is_a_fault_that_says_so(gateway: str) -> None:
    Gateway.status = 400
    with pytest.raises(LabFault, match="refused the run's figures: 400 Bad Request") as error:
        push(gateway, metrics(), KEY)
    assert error.value.hint


def test_a_gateway_that_is_not_there_is_a_fault_that_says_so() -> None:
    with pytest.raises(LabFault, match=r"did not take the run's figures: .*refused"):
        push("http://127.0.0.1:9", metrics(), KEY)


def test_a_gateway_that_does_not_answer_is_given_up() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(LabFault, match="timed out"):
            push(url, metrics(), KEY, timeout_s=0.05)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:9091",
        "ftp://127.0.0.1",
        "http://",
        "http://host:port",
        "http://host:0",
        "http://[::1",
        "http://host/?job=x",
        "http://host/#x",
        "",
    ],
)
def test_what_is_no_address_is_told_before_the_run(url: str) -> None:
    with pytest.raises(UsageError) as error:
        check_gateway(url)
    assert "http://127.0.0.1:9091" in (error.value.hint or "")


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as error:
        check_gateway("http://me:s3cret@gateway:9091")
    assert "s3cret" not in str(error.value) + str(error.value.hint)


def test_an_address_may_end_in_a_slash() -> None:
    assert check_gateway("http://gateway:9091/") == "http://gateway:9091"
