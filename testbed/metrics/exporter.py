"""The HTTP server that Prometheus scrapes: loopback by default, its own registry, a clean end."""

from __future__ import annotations

from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry

from testbed.metrics.exposition import Collector, exposition

if TYPE_CHECKING:
    from aiohttp import web

    from testbed.web.access import Access
    from testbed.web.limits import Limits

__all__ = ["METRICS_PATH", "MetricsServer", "metrics_route"]

METRICS_PATH = "/metrics"
"""Where Prometheus looks."""


def metrics_route(*collectors: Collector) -> web.RouteDef:
    """``/metrics`` of a server: what the collectors have, in the format that the scraper asks for.

    Raises:
        ValueError: two of them have a metric of one name.
    """
    from aiohttp import hdrs, web  # slow to import; most runs are without a server

    registry = CollectorRegistry()  # looks at the names; never the library's global one
    for collector in collectors:
        registry.register(collector)

    async def scrape(request: web.Request) -> web.Response:
        body, content_type = exposition(collectors, request.headers.get(hdrs.ACCEPT, ""))
        response = web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})
        if not _from_here(request.remote):
            response.enable_compression()  # within a computer it only costs time
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

        self._server = WebServer(
            [metrics_route(*collectors)], port=port, access=access, limits=limits
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


def _from_here(address: str | None) -> bool:
    return address is not None and ip_address(address.partition("%")[0]).is_loopback
