"""The live page over HTTP: read-only, from this server alone, nothing fetched from elsewhere."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
from types import TracebackType
from typing import Final, Self

from aiohttp import hdrs, web

from testbed.live.assets import LIVE_SCRIPT, LIVE_STYLE, PLOTLY_STYLE
from testbed.live.page import live_page, login_page
from testbed.live.state import LiveRun
from testbed.metrics.exporter import metrics_route
from testbed.metrics.exposition import Collector
from testbed.metrics.last_scrape import LastScrape
from testbed.web.access import Access
from testbed.web.guard import LOGIN_PATH
from testbed.web.limits import Limits
from testbed.web.server import WebServer

__all__ = ["LiveDoor"]

_FOREVER: Final = "private, max-age=31536000, immutable"


class LiveDoor:
    """Serves the live page, its data and the metrics until it is closed; a context manager.

    Args:
        run: what is shown.
        collectors: what ``/metrics`` shows beside it.
        port: the TCP port; 0 lets the system choose one.
        access: who may come in, and where it listens; none is everybody on this computer.
        limits: how much it gives.
        last: told whenever somebody looks.

    Raises:
        UsageError: the port is in use or may not be used, or the address is not this machine's.
    """

    def __init__(
        self,
        run: LiveRun,
        *collectors: Collector,
        port: int = 0,
        access: Access | None = None,
        limits: Limits | None = None,
        last: LastScrape | None = None,
    ) -> None:
        self._run = run
        self._last = last
        style, script = LIVE_STYLE.encode(), LIVE_SCRIPT.encode()
        digest = hashlib.sha256(style + script + PLOTLY_STYLE.encode() + _plotly_version())
        self._base = f"/static/{digest.hexdigest()[:12]}"
        self._server = WebServer(
            [
                web.get("/", self._page),
                web.get("/api/run", self._data),
                web.get(LOGIN_PATH, self._login),
                metrics_route(*collectors, *(() if last is None else (last,))),
                self._file("live.css", "text/css", style),
                self._file("plotly.css", "text/css", PLOTLY_STYLE.encode()),
                self._file("live.js", "text/javascript", script),
                web.get(f"{self._base}/plotly.js", self._plotly),
            ],
            port=port,
            access=access,
            limits=limits,
            what="live page",
            option="--web",
            public=frozenset({f"{self._base}/live.css"}),
            login=True,
        )

    @property
    def url(self) -> str:
        """Where the page is found."""
        return self._server.url

    @property
    def port(self) -> int:
        """The port it listens on, also where 0 was asked for."""
        return self._server.port

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

    async def _page(self, request: web.Request) -> web.Response:
        page = live_page(self._base, present=_style_identifiers())
        return web.Response(text=page, content_type="text/html")

    async def _login(self, request: web.Request) -> web.Response:
        page = login_page(self._base, wrong="wrong" in request.query)
        return web.Response(text=page, content_type="text/html")

    async def _data(self, request: web.Request) -> web.Response:
        if self._last is not None:
            self._last.collect()
        snapshot = self._run.snapshot()
        if request.query.get("since") == str(snapshot["version"]):
            return web.Response(status=204)
        text = json.dumps(snapshot, separators=(",", ":"), allow_nan=False)
        response = web.Response(text=text, content_type="application/json")
        response.enable_compression()
        return response

    async def _plotly(self, request: web.Request) -> web.Response:
        return web.Response(
            body=_zipped_plotly(),
            headers={
                hdrs.CONTENT_TYPE: "text/javascript; charset=utf-8",
                hdrs.CONTENT_ENCODING: "gzip",
                hdrs.CACHE_CONTROL: _FOREVER,
            },
        )

    def _file(self, name: str, kind: str, content: bytes) -> web.RouteDef:
        async def serve(request: web.Request) -> web.Response:
            headers = {
                hdrs.CONTENT_TYPE: f"{kind}; charset=utf-8",
                hdrs.CACHE_CONTROL: _FOREVER,
            }
            return web.Response(body=content, headers=headers)

        return web.get(f"{self._base}/{name}", serve)


def _plotly_version() -> bytes:
    from plotly import __version__ as version  # slow to import; needed with a page only

    return str(version).encode()


@functools.cache
def _style_identifiers() -> tuple[str, ...]:
    """Identifiers of the style elements that plotly adds for its maps, unless they are there.

    The page has no map, and its policy allows no style sheet within it: so they are there, empty.
    """
    from plotly.offline import get_plotlyjs

    return tuple(sorted(set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', get_plotlyjs()))))


@functools.cache
def _zipped_plotly() -> bytes:
    """Plotly's script as every browser takes it: a third of its 5 MB."""
    from plotly.offline import get_plotlyjs

    return gzip.compress(get_plotlyjs().encode(), compresslevel=6, mtime=0)
