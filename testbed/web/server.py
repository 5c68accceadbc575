"""The server behind a door: a thread with an event loop of its own.

It has nothing to do with the loop that a run is on, which may be one of virtual time: what is shown
is handed over between the threads, and a run with a door gives the same journal as one without.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from testbed.errors import UsageError
from testbed.web.access import Access
from testbed.web.guard import LOGIN_PATH, Guard
from testbed.web.limits import Connection, Limits

__all__ = ["WebServer"]

_logger = logging.getLogger(__name__)

_LEAVING_S: Final = 1.0
"""How long answers that are being written may go on when the server is closed, in seconds."""

_RESPITE_S: Final = 1.0
"""How long nobody is taken up when that failed, in seconds."""


class WebServer:
    """Serves until it is closed; also a context manager.

    Args:
        routes: what is served; handlers run in the server's thread.
        port: the TCP port; 0 lets the system choose one, see `port`.
        access: who may come in, and where it listens.
        limits: how much it gives.
        what: what is served, in errors; its option is ``--WHAT-port``, or as ``option`` says.
        option: the option of the command line that chose the port.
        public: paths that need no token.
        login: a browser may log in; ``routes`` then have the form at `LOGIN_PATH`.

    Raises:
        UsageError: the port is in use or may not be used, or the address is not this machine's.
    """

    def __init__(
        self,
        routes: Iterable[web.RouteDef],
        *,
        port: int = 0,
        access: Access | None = None,
        limits: Limits | None = None,
        what: str = "metrics",
        option: str = "--metrics-port",
        public: frozenset[str] = frozenset(),
        login: bool = False,
    ) -> None:
        self._access = Access() if access is None else access
        self._limits = Limits() if limits is None else limits
        self.address = self._access.address
        """Where it listens."""
        if not 0 <= port <= 65535:
            raise UsageError(f"{port} is not a TCP port", hint="give a port from 1 to 65535")
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        try:
            self._listening = socket.create_server((self.address, port), family=family, backlog=64)
        except OSError as error:
            raise _refused(error, self.address, port, what, option) from error
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        """The port it listens on, also where 0 was asked for."""
        guard = Guard(self._access, body_bytes=self._limits.body_bytes, public=public, login=login)
        self._app = web.Application(
            middlewares=[guard.handle], client_max_size=self._limits.body_bytes
        )
        self._app.add_routes(routes)
        if login:
            self._app.router.add_post(LOGIN_PATH, guard.log_in)
        self._serving: set[asyncio.Task[None]] = set()
        self._peers: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        started = threading.Event()
        self._closing = threading.Lock()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(started)), name=f"{what} server", daemon=True
        )
        self._thread.start()
        started.wait()

    @property
    def url(self) -> str:
        """Where it is found."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self._access.scheme}://{host}:{self.port}/"

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return self._peers.total()

    def close(self) -> None:
        """Stop listening and wait for the thread; closing twice is fine."""
        with self._closing:
            if self._loop is None or self._stop is None:
                return
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._loop = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def _main(self, started: threading.Event) -> None:
        try:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            runner = web.AppRunner(
                self._app,
                handle_signals=False,
                access_log=None,
                shutdown_timeout=_LEAVING_S,
                lingering_time=_LEAVING_S,
            )
            await runner.setup()
        finally:
            started.set()
        server = runner.server
        assert server is not None
        with self._listening:
            self._listen(server, True)
            await self._stop.wait()
            self._listen(server, False)
        if self._serving:  # who is being answered gets the answer: a run's last scrape
            await asyncio.wait(self._serving, timeout=_LEAVING_S)
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await runner.cleanup()

    def _listen(self, server: web.Server, listen: bool) -> None:
        """Take connections up from now on, or leave them waiting."""
        loop = asyncio.get_running_loop()
        if not listen:
            loop.remove_reader(self._listening)
        elif self._stop is not None and not self._stop.is_set():
            loop.add_reader(self._listening, self._accept, server)

    def _accept(self, server: web.Server) -> None:
        """Somebody has come: take the connection up, or close it."""
        try:
            accepted, peer = self._listening.accept()
        except BlockingIOError:
            return
        except ConnectionError:  # gone again
            return
        except OSError as error:  # no descriptor left: others have to go first
            _logger.warning("a connection could not be accepted: %s", error.strerror or error)
            self._listen(server, False)
            asyncio.get_running_loop().call_later(_RESPITE_S, self._listen, server, True)
            return
        host = str(peer[0])
        if self._peers.total() >= 2 * self._limits.clients:
            accepted.close()
            return
        accepted.setblocking(False)
        crowded = (
            self._peers.total() >= self._limits.clients
            or self._peers[host] >= self._limits.clients_per_address
        )
        self._peers[host] += 1
        task = asyncio.get_running_loop().create_task(self._serve(server, accepted, host, crowded))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(
        self, server: web.Server, accepted: socket.socket, host: str, crowded: bool
    ) -> None:
        """One connection from its beginning to its end."""
        connection = Connection(server(), self._limits.request_bytes, crowded=crowded)
        tls = self._access.tls
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else self._limits.asking_s,
                ssl_shutdown_timeout=None if tls is None else _LEAVING_S,
            )
            await connection.watch(self._limits)
        except OSError as error:  # a handshake that came to nothing: the client's affair
            _logger.debug("no connection from %s: %s", host, type(error).__name__)
        finally:
            connection.abort()
            self._peers[host] -= 1
            if not self._peers[host]:
                del self._peers[host]


def _refused(error: OSError, address: str, port: int, what: str, option: str) -> UsageError:
    """The sentence for a port that cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"the {what} port {port} on {address} is in use",
            hint=f"another run or exporter has it; choose another with {option}",
        )
    if error.errno == errno.EACCES:
        return UsageError(
            f"the {what} port {port} on {address} may not be used",
            hint=f"ports below 1024 need privileges; choose a higher one with {option}",
        )
    return UsageError(
        f"the {what} cannot be served on {address} port {port}: {error.strerror or error}",
        hint="the address has to be one of this machine's",
    )
