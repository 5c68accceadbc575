"""The HTTP server that Prometheus scrapes: loopback by default, its own registry, a clean end."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family

if TYPE_CHECKING:
    from aiohttp import web

    from testbed.web.access import Access
    from testbed.web.limits import Limits

__all__ = ["METRICS_PATH", "Collector", "MetricsServer", "metrics_route"]

METRICS_PATH = "/metrics"
"""Where Prometheus looks."""


class Collector(Protocol):
    """What a registry collects from."""

    def describe(self) -> Iterable[Family]:
        """The families' names."""

    def collect(self) -> Iterable[Family]:
        """The families with their samples."""


def metrics_route(registry: CollectorRegistry) -> web.RouteDef:
    """``/metrics`` of a server: the registry in the format that the scraper asks for."""
    from aiohttp import hdrs, web  # slow to import; most runs are without a server

    async def scrape(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        response = web.Response(body=encode(registry), headers={hdrs.CONTENT_TYPE: content_type})
        response.enable_compression()
        return response

    return web.get(METRICS_PATH, scrape)


class MetricsServer:
    """Serves ``/metrics`` in a thread until it is closed; also a context manager.

    Args:
        collectors: what to export, such as `RunMetrics` and `HseMetrics`.
        port: the TCP port; 0 lets the system choose one, see `port`.
        access: who may come in, and where it listens; none is everybody on this computer.
        limits: how much it gives.

    Raises:
        UsageError: the port is in use or may not be used, or the address is not this machine's.
    """

    def __init__(
        self,
        *collectors: Collector,
        port: int = 0,
        access: Access | None = None,
        limits: Limits | None = None,
    ) -> None:
        from testbed.web.server import WebServer

        self.registry = CollectorRegistry()
        """Holds the collectors; never the library's global registry."""
        for collector in collectors:
            self.registry.register(collector)
        self._server = WebServer(
            [metrics_route(self.registry)], port=port, access=access, limits=limits
        )

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._server.address

    @property
    def port(self) -> int:
        """The port it listens on, also where 0 was asked for."""
        return self._server.port

    @property
    def url(self) -> str:
        """What Prometheus scrapes."""
        return self._server.url.rstrip("/") + METRICS_PATH

    def close(self) -> None:
        """Stop listening and wait for the thread; closing twice is fine."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
