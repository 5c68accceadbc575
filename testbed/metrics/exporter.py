"""The HTTP server that Prometheus scrapes: loopback by default, its own registry, a clean end."""

from __future__ import annotations

import errno
import ipaddress
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric as Family

from testbed.errors import UsageError

__all__ = ["MetricsServer"]


class Collector(Protocol):
    """What a registry collects from."""

    def describe(self) -> Iterable[Family]:
        """The families' names."""

    def collect(self) -> Iterable[Family]:
        """The families with their samples."""


class MetricsServer:
    """Serves ``/metrics`` in a thread until it is closed; also a context manager.

    Args:
        collectors: what to export, such as `RunMetrics` and `HseMetrics`.
        port: the TCP port; 0 lets the system choose one, see `port`.
        address: where to listen. Anything but a loopback address shows the metrics to the
            network, without a password: it needs ``exposed=True``.
        exposed: the caller means it, and has warned the user.

    Raises:
        UsageError: the port is in use or may not be used, the address is not this machine's, or
            it is open to the network without being meant.
    """

    def __init__(
        self,
        *collectors: Collector,
        port: int = 0,
        address: str = "127.0.0.1",
        exposed: bool = False,
    ) -> None:
        if not exposed and not _is_loopback(address):
            raise UsageError(
                f"metrics on {address} would be open to the network",
                hint="listen on 127.0.0.1 and let Prometheus come through a tunnel",
            )
        if not 0 <= port <= 65535:
            raise UsageError(f"{port} is not a TCP port", hint="give a port from 1 to 65535")
        self.registry = CollectorRegistry()
        """Holds the collectors; never the library's global registry."""
        for collector in collectors:
            self.registry.register(collector)
        try:
            self._server, self._thread = start_http_server(
                port, addr=address, registry=self.registry
            )
        except OSError as error:
            raise _refused(error, address, port) from error
        self._closing = threading.Lock()
        self._closed = False
        self.address = address
        """Where it listens."""
        self.port: int = self._server.server_port
        """The port it listens on, also where 0 was asked for."""

    @property
    def url(self) -> str:
        """What Prometheus scrapes."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}/metrics"

    def close(self) -> None:
        """Stop listening and wait for the thread; closing twice is fine."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _refused(error: OSError, address: str, port: int) -> UsageError:
    """The sentence for a port that cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"the metrics port {port} on {address} is in use",
            hint="another run or exporter has it; choose another with --metrics-port",
        )
    if error.errno == errno.EACCES:
        return UsageError(
            f"the metrics port {port} on {address} may not be used",
            hint="ports below 1024 need privileges; choose a higher one with --metrics-port",
        )
    return UsageError(
        f"the metrics cannot be served on {address} port {port}: {error.strerror or error}",
        hint="the address has to be one of this machine's",
    )
