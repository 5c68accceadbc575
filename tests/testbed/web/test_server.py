"""The server behind a door: what it lets in, how much, for how long."""

import asyncio
import contextlib
import errno
import http.client
import logging
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from testbed.web.access import Access, open_access
from testbed.web.guard import CONTENT_SECURITY_POLICY, LOGIN_PATH
from testbed.web.limits import Limits
from testbed.web.server import WebServer

TOKEN = "0123456789abcdef0123456789abcdef"
BIG = b"x" * (32 << 20)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
QUICK = Limits(clients=4, clients_per_address=4, asking_s=0.3, answering_s=0.5)


async def page(request: web.Request) -> web.Response:
    return web.Response(text="the page")


async def big(request: web.Request) -> web.Response:
    return web.Response(body=BIG)


async def broken(request: web.Request) -> web.Response:
    raise RuntimeError("with a secret in it")


ROUTES = [web.get("/", page), web.get("/big", big), web.get("/broken", broken)]
LOGIN = [*ROUTES, web.get(LOGIN_PATH, page)]


@pytest.fixture
def open_door() -> Iterator[WebServer]:
    with WebServer(ROUTES) as server:
        yield server


@pytest.fixture
def guarded() -> Iterator[WebServer]:
    with WebServer(LOGIN, access=Access(token=TOKEN), login=True) as server:
        yield server


async def status(server: WebServer, path: str = "/", method: str = "GET", **more: object) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method,
            server.url.rstrip("/") + path,
            allow_redirects=False,
            **more,  # type: ignore[arg-type]
        ) as answer,
    ):
        await answer.read()
        return answer.status


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_the_page_is_served_with_every_header(open_door: WebServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(open_door.url) as answer:
        assert await answer.text() == "the page"
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "testbed"
        assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused(open_door: WebServer, method: str) -> None:
    assert await status(open_door, method=method) == 405


async def test_head_is_a_way_of_reading(open_door: WebServer) -> None:
    assert await status(open_door, method="HEAD") == 200


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../../etc/passwd",
        "//etc/passwd",
        "/..%5c..%5cetc",
        "/\\..\\etc",
    ],
)
def test_a_path_that_is_not_served_leads_nowhere(open_door: WebServer, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", open_door.port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status in (400, 404)
        assert b"root:" not in answer.read()


async def test_without_the_token_nothing_is_shown(guarded: WebServer) -> None:
    for path in ("/big", "/broken", "/nothing"):
        url = guarded.url.rstrip("/") + path
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert await status(guarded) == 303


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + " x", "\xe4" * 32])
async def test_a_wrong_token_opens_nothing(guarded: WebServer, token: str) -> None:
    assert await status(guarded, "/big", headers=bearer(token)) == 401


async def test_a_token_in_the_url_opens_nothing(guarded: WebServer) -> None:
    assert await status(guarded, f"/big?token={TOKEN}&access_token={TOKEN}") == 401


async def test_another_scheme_opens_nothing(guarded: WebServer) -> None:
    assert await status(guarded, "/big", headers={"Authorization": f"Basic {TOKEN}"}) == 401


async def test_the_token_opens_the_door(guarded: WebServer) -> None:
    assert await status(guarded, headers=bearer(TOKEN)) == 200


async def test_a_browser_logs_in_and_gets_a_cookie_that_no_script_reads(
    guarded: WebServer,
) -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # an address in place of a name
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.post(
            guarded.url + "login", data={"token": TOKEN}, allow_redirects=False
        ) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == "/"
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
            assert TOKEN not in cookie
        async with session.get(guarded.url + "big") as answer:
            assert answer.status == 200
    assert await status(guarded, "/big") == 401


@pytest.mark.parametrize("form", [{"token": "wrong"}, {}, {"other": TOKEN}])
async def test_a_wrong_login_gives_no_cookie(guarded: WebServer, form: dict[str, str]) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(guarded.url + "login", data=form, allow_redirects=False) as answer,
    ):
        assert answer.headers["Location"] == "/login?wrong"
        assert "Set-Cookie" not in answer.headers


async def test_a_form_on_another_site_cannot_log_in(guarded: WebServer) -> None:
    headers = {"Origin": "https://evil.example"}
    form = {"token": TOKEN}
    assert await status(guarded, "/login", "POST", data=form, headers=headers) == 403
    headers = {"Origin": guarded.url.rstrip("/")}
    assert await status(guarded, "/login", "POST", data=form, headers=headers) == 303


async def test_what_is_no_form_cannot_log_in(guarded: WebServer) -> None:
    assert await status(guarded, "/login", "POST", json={"token": TOKEN}) == 415
    with aiohttp.MultipartWriter("form-data") as form:
        form.append(TOKEN)
        assert await status(guarded, "/login", "POST", data=form) == 415


async def test_without_descriptors_a_door_waits_until_there_are_some(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("testbed.web.server._RESPITE_S", 0.05)
    with WebServer(ROUTES) as server:
        listening = server._listening

        class Full:
            tries = 0

            def fileno(self) -> int:
                return listening.fileno()

            def close(self) -> None:
                listening.close()

            def __enter__(self) -> None: ...

            def __exit__(self, *_: object) -> None:
                listening.close()

            def accept(self) -> tuple[socket.socket, tuple[str, int]]:
                self.tries += 1
                if self.tries <= 3:
                    raise OSError(errno.EMFILE, "Too many open files")
                return listening.accept()

        full = Full()
        monkeypatch.setattr(server, "_listening", full)
        assert await status(server) == 200
        assert full.tries == 4
        assert caplog.text.count("Too many open files") == 3


async def test_a_made_up_session_opens_nothing(guarded: WebServer) -> None:
    cookies = {f"testbed-{guarded.port}": "guessed"}
    assert await status(guarded, "/big", cookies=cookies) == 401


async def test_a_site_whose_name_points_here_is_not_answered(open_door: WebServer) -> None:
    assert await status(open_door, headers={"Host": "evil.example"}) == 421
    for host in ("localhost:1", "127.0.0.1", "[::1]:9", "bench.localhost"):
        assert await status(open_door, headers={"Host": host}) == 200


async def test_a_body_is_refused_where_none_belongs_or_when_it_is_too_large(
    guarded: WebServer,
) -> None:
    assert await status(guarded, headers=bearer(TOKEN), data=b"x") == 413
    assert await status(guarded, "/login", "POST", data={"token": "x" * 5000}) == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"token=" + b"x" * 1024

    assert await status(guarded, "/login", "POST", data=endless(), headers=FORM) == 413


async def test_what_sends_more_than_a_request_is_cut_off(open_door: WebServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", open_door.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    with contextlib.suppress(ConnectionError):
        for _ in range(64):
            writer.write(b"A: " + b"x" * 1000 + b"\r\n")
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        assert b"200" not in (await reader.read()).splitlines()[0:1]
    writer.close()


async def test_what_goes_wrong_inside_is_not_told_outside(
    open_door: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession() as session, session.get(open_door.url + "broken") as answer:
        assert answer.status == 500
        assert await answer.text() == "500 Internal Server Error\n"
    assert "with a secret in it" in caplog.text


async def test_nothing_of_a_request_is_logged(
    guarded: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await status(guarded, f"/big?token={TOKEN}", headers=bearer(TOKEN))
        await status(guarded, "/login", "POST", data={"token": TOKEN})
    assert TOKEN not in caplog.text


async def test_a_client_that_asks_slowly_is_cut_off_and_others_go_on() -> None:
    with WebServer(ROUTES, limits=QUICK) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: local")
        assert await status(server) == 200
        assert await reader.read() == b""
        writer.close()


async def test_a_client_that_reads_slowly_is_cut_off() -> None:
    with WebServer(ROUTES, limits=QUICK) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        while not server.connections:
            await asyncio.sleep(0.01)
        while server.connections:
            await asyncio.sleep(0.02)
        transport.resume_reading()
        received = 0
        with contextlib.suppress(ConnectionError):
            while block := await reader.read(1 << 20):
                received += len(block)
        assert received < len(BIG)
        writer.close()


async def test_whoever_comes_when_it_is_crowded_is_told_so() -> None:
    with WebServer(ROUTES, limits=Limits(clients=2, asking_s=30.0)) as server:
        waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        while server.connections < 2:
            await asyncio.sleep(0.01)
        assert await status(server) == 503
        for _, writer in waiting:
            writer.close()
        while server.connections:
            await asyncio.sleep(0.01)
        assert await status(server) == 200


async def test_one_address_alone_cannot_keep_everybody_out() -> None:
    limits = Limits(clients=4, clients_per_address=2, asking_s=30.0)
    access = Access(address="0.0.0.0", trusted_network=True)
    with WebServer(ROUTES, limits=limits, access=access) as server:
        waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        while server.connections < 2:
            await asyncio.sleep(0.01)
        assert await status(server) == 503
        other = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with (
            aiohttp.ClientSession(connector=other) as session,
            session.get(f"http://127.0.0.1:{server.port}/") as answer,
        ):
            assert answer.status == 200
        for _, writer in waiting:
            writer.close()


async def test_beyond_that_connections_are_closed_at_once() -> None:
    with WebServer(ROUTES, limits=Limits(clients=1, asking_s=30.0)) as server:
        waiting = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        while server.connections < 2:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await reader.read() == b""
        for _, one in [*waiting, (reader, writer)]:
            one.close()


async def test_a_connection_carries_one_request(open_door: WebServer) -> None:
    async with aiohttp.ClientSession() as session, session.get(open_door.url) as answer:
        assert answer.headers["Connection"] == "close"


async def test_tls_is_spoken_and_plain_http_is_not(
    certificate: Callable[[], tuple[Path, Path]], private: Callable[[str, str], Path]
) -> None:
    cert, key = certificate()
    token_file = private("token", TOKEN)
    access = open_access("0.0.0.0", token_file=token_file, certificate=cert, key=key)
    trusting = ssl.create_default_context(cafile=cert)
    limits = Limits(asking_s=0.3)
    with WebServer(LOGIN, access=access, limits=limits, login=True) as server:
        url = f"https://localhost:{server.port}/"
        async with aiohttp.ClientSession() as session:
            async with session.get(url + "big", ssl=trusting, headers=bearer(TOKEN)) as answer:
                assert await answer.read() == BIG
            async with session.post(
                url + "login", ssl=trusting, data={"token": TOKEN}, allow_redirects=False
            ) as answer:
                assert "Secure" in answer.headers["Set-Cookie"]
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://localhost:{server.port}/")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await reader.read() == b""  # no handshake within its time
        writer.close()


def test_after_closing_nobody_listens_and_no_thread_is_left() -> None:
    before = threading.active_count()
    server = WebServer(ROUTES)
    with socket.create_connection(("127.0.0.1", server.port)):
        server.close()
        server.close()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


async def test_who_is_being_answered_when_it_closes_gets_the_answer() -> None:
    asked, go_on = threading.Event(), threading.Event()

    async def slow(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.to_thread(go_on.wait, 5)
        return web.Response(text="the last figures")

    server = WebServer([web.get("/", slow)])
    async with aiohttp.ClientSession() as session:
        answering = asyncio.create_task(session.get(server.url))
        await asyncio.to_thread(asked.wait, 5)
        closing = asyncio.create_task(asyncio.to_thread(server.close))
        go_on.set()
        answer = await answering
        assert await answer.text() == "the last figures"
        await closing
