"""Vectors from a file and from a server: each used once, all bounded, nothing shown."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from esp.aka import (
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationCentre,
    AuthenticationVector,
    Milenage,
    Subscriber,
    UsedVectors,
    Usim,
)
from esp.errors import EspError, NoVector, Reason, ResynchronisationFailed, UnknownIdentity
from esp.store import SequenceStore
from esp.store_file import open_store
from testbed.errors import UsageError
from testbed.hse.vectors import HttpVectorSource, read_ready_vectors, read_token_file

IMSI = "262019876543210"
TOKEN = "CANARY-token"
ALGORITHM = Milenage(k=b"CANARY of the K!", op=b"CANARY of the OP")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
posix = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX only")


def home() -> AuthenticationCentre:
    return AuthenticationCentre(
        [Subscriber(identity=IMSI, algorithm=ALGORITHM)], random=random.Random(1).randbytes
    )


def plain(vector: AuthenticationVector) -> dict[str, str]:
    return {name: getattr(vector, name).hex() for name in ("rand", "autn", "xres", "ck", "ik")}


class Server:
    """A vector server of the operator's, with an authentication centre behind it."""

    def __init__(self) -> None:
        self.centre = home()
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    async def vector(self, request: web.Request) -> web.Response:
        body = await self._noted(request)
        try:
            return web.json_response(plain(self.centre.vector(body["identity"])))
        except UnknownIdentity:
            raise web.HTTPNotFound from None

    async def resynchronise(self, request: web.Request) -> web.Response:
        body = await self._noted(request)
        try:
            self.centre.resynchronise(
                body["identity"], bytes.fromhex(body["rand"]), bytes.fromhex(body["auts"])
            )
        except UnknownIdentity:
            raise web.HTTPNotFound from None
        except ResynchronisationFailed:
            raise web.HTTPConflict from None
        return web.Response(status=204)

    async def _noted(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.requests.append((request.path_qs, body, dict(request.headers)))
        return body


@asynccontextmanager
async def serving(
    vector: Handler, resynchronise: Handler | None = None, tls: ssl.SSLContext | None = None
) -> Any:
    """The URL of a server on this machine."""
    app = web.Application()
    app.router.add_post("/hse/vector", vector)
    if resynchronise is not None:
        app.router.add_post("/hse/resynchronise", resynchronise)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}/hse"
    finally:
        await runner.cleanup()


def shown(error: EspError | UsageError) -> str:
    return f"{error} {error.hint} {error!r} {error.__cause__!r}"


async def refused(url: str, **options: Any) -> NoVector:
    async with HttpVectorSource(url, token=TOKEN, **options) as source:
        with pytest.raises(NoVector) as caught:
            await source.vector(IMSI)
    assert caught.value.reason is Reason.NO_VECTOR
    assert caught.value.hint
    for secret in ("CANARY", IMSI):
        assert secret not in shown(caught.value)
    return caught.value


# --- a server -----------------------------------------------------------------------------------


async def test_a_vector_comes_from_the_server_and_a_card_accepts_it() -> None:
    server, usim = Server(), Usim(ALGORITHM)
    async with (
        serving(server.vector) as url,
        HttpVectorSource(url + "/", token=TOKEN) as source,
    ):
        for _ in range(3):
            vector = await source.vector(IMSI)
            answer = usim.authenticate(vector.rand, vector.autn)
            assert isinstance(answer, AkaSuccess)
            assert answer.res == vector.xres
    assert len(server.requests) == 3
    path, body, headers = server.requests[0]
    assert path == "/hse/vector", "nothing of the subscriber is in the URL"
    assert body == {"identity": IMSI}
    assert headers["Authorization"] == f"Bearer {TOKEN}"


async def test_without_a_token_none_is_sent() -> None:
    server = Server()
    async with serving(server.vector) as url, HttpVectorSource(url) as source:
        await source.vector(IMSI)
        assert TOKEN not in repr(source)
    assert "Authorization" not in server.requests[0][2]


async def test_a_synchronisation_failure_is_handed_on_and_repaired() -> None:
    server, usim = Server(), Usim(ALGORITHM, accepted=(1000,) * 32)
    async with (
        serving(server.vector, server.resynchronise) as url,
        HttpVectorSource(url) as source,
    ):
        vector = await source.vector(IMSI)
        answer = usim.authenticate(vector.rand, vector.autn)
        assert isinstance(answer, AkaSyncFailure)
        with pytest.raises(ResynchronisationFailed, match="refuses AUTS") as caught:
            await source.resynchronise(IMSI, vector.rand, bytes(14))
        assert caught.value.reason is Reason.RESYNCHRONISATION_FAILED
        await source.resynchronise(IMSI, vector.rand, answer.auts)
        vector = await source.vector(IMSI)
        assert isinstance(usim.authenticate(vector.rand, vector.autn), AkaSuccess)
    assert all(path in ("/hse/vector", "/hse/resynchronise") for path, _, _ in server.requests)


async def test_an_identity_that_the_server_does_not_know_is_told_apart() -> None:
    server = Server()
    async with (
        serving(server.vector, server.resynchronise) as url,
        HttpVectorSource(url) as source,
    ):
        with pytest.raises(UnknownIdentity) as caught:
            await source.vector("CANARY")
        assert "CANARY" not in shown(caught.value)
        with pytest.raises(UnknownIdentity):
            await source.resynchronise("CANARY", bytes(16), bytes(14))


async def test_a_vector_that_comes_again_is_not_used_again() -> None:
    """A cache in between, or a server that lost its state."""
    vector = plain(home().vector(IMSI))

    async def cached(request: web.Request) -> web.Response:
        return web.json_response(vector)

    store = SequenceStore(_Log())
    async with serving(cached) as url:
        async with HttpVectorSource(url, used=UsedVectors(store)) as source:
            assert plain(await source.vector(IMSI)) == vector
        error = await refused(url, used=UsedVectors(store))
        assert "gave before" in str(error)
        async with HttpVectorSource(url) as forgetful:
            assert plain(await forgetful.vector(IMSI)) == vector, "the store alone forbids it"


class _Log:
    def append(self, data: bytes) -> None: ...
    def sync(self) -> None: ...
    def replace(self, data: bytes) -> None: ...


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "refuses this HSE (status 401)"),
        (403, "refuses this HSE (status 403)"),
        (301, "points elsewhere (status 301)"),
        (307, "points elsewhere (status 307)"),
        (204, "answered with status 204"),
        (429, "answered with status 429"),
        (500, "answered with status 500"),
    ],
)
async def test_each_status_has_its_sentence_and_nobody_follows_a_redirection(
    status: int, expected: str
) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        body = None if status == 204 else json.dumps({"error": f"CANARY {IMSI}"})
        return web.Response(status=status, text=body, headers={"Location": "/hse/vector"})

    async with serving(answer, answer) as url:
        assert expected in str(await refused(url))
        async with HttpVectorSource(url) as source:
            if status == 204:
                await source.resynchronise(IMSI, bytes(16), bytes(14))
            else:
                with pytest.raises(ResynchronisationFailed, match=str(status)):
                    await source.resynchronise(IMSI, bytes(16), bytes(14))
    assert len(asked) == 2


GOOD = plain(home().vector(IMSI))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "not JSON"),
        ("CANARY", "not JSON"),
        ("[" * 5000, "not JSON"),
        ("\0", "not JSON"),
        ("[]", "no vector: a vector is a JSON object"),
        ('"CANARY"', "no vector: a vector is a JSON object"),
        (json.dumps(GOOD | {"ck": "CANARY"}), "no vector: 'ck' is not an even number"),
        (json.dumps(GOOD | {"rand": "ab" * 15}), "no vector: RAND has 15 octets"),
        (json.dumps(GOOD | {"autn": None}), "no vector: 'autn' is missing"),
        (json.dumps(GOOD | {"note": "CANARY" * 4000}), "more than 16384 octets"),
    ],
)
async def test_an_answer_that_is_no_vector_is_refused_without_being_shown(
    body: str, expected: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    async with serving(answer) as url:
        assert expected in str(await refused(url))


async def test_octets_that_are_no_text_and_compressed_answers_are_refused() -> None:
    async def octets(request: web.Request) -> web.Response:
        return web.Response(body=b"\xff\xfe" + b"CANARY")

    async def compressed(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        answer = web.json_response(GOOD | {"note": " " * 10_000_000})
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    for handler in (octets, compressed):
        async with serving(handler) as url:
            assert "not JSON" in str(await refused(url))


async def test_an_answer_without_end_is_cut_off() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 100_000_000:
            await response.write(b" " * 4096)
            sent += 4096
        return response

    async with serving(endless) as url:
        assert "more than 4096 octets" in str(await refused(url, max_bytes=4096))
    assert sent < 100_000_000


@pytest.mark.parametrize("begun", [False, True])
async def test_a_server_that_says_nothing_more_is_not_waited_for(begun: bool) -> None:
    gone = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
            await response.write(b"{")
        await gone.wait()
        return response

    async with serving(silent, silent) as url:
        error = await refused(url, timeout_s=0.3)
        assert "did not answer within 0.3 s" in str(error)
        async with HttpVectorSource(url, timeout_s=0.3) as source:
            with pytest.raises(ResynchronisationFailed, match="did not answer within"):
                await source.resynchronise(IMSI, bytes(16), bytes(14))
        gone.set()


async def test_nobody_there_and_what_is_no_http_are_clear_errors() -> None:
    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"CANARY CANARY\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(noise, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert "could not be asked" in str(await refused(f"http://127.0.0.1:{port}"))
    server.close()
    await server.wait_closed()
    error = await refused(f"http://127.0.0.1:{port}")
    assert "could not be asked: ClientConnector" in str(error)


# --- TLS ----------------------------------------------------------------------------------------


def certificate(folder: Path, address: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate that signs itself: to trust, and to serve with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vectors.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, private = folder / f"{address}.pem", folder / f"{address}.key"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, private)
    return path, context


async def test_over_tls_a_server_is_asked_whose_certificate_is_trusted(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path, "127.0.0.1")
    server = Server()
    async with serving(server.vector, tls=context) as url:
        async with HttpVectorSource(url, ca_file=trusted) as source:
            assert plain(await source.vector(IMSI)) == GOOD
        assert "not to be trusted" in str(await refused(url))
    assert len(server.requests) == 1, "the token goes to nobody who is not trusted"


async def test_a_trusted_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    trusted, context = certificate(tmp_path, "127.0.0.2")
    server = Server()
    async with serving(server.vector, tls=context) as url:
        assert "not to be trusted" in str(await refused(url, ca_file=trusted))
    assert server.requests == []


async def test_certificates_that_are_none_are_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("CANARY")
    for path in (tmp_path / "text", tmp_path / "none"):
        with pytest.raises(UsageError, match="certificates"):
            HttpVectorSource("https://vectors.example", ca_file=path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://vectors.example/hse", "in the clear"),
        ("http://192.0.2.1", "in the clear"),
        ("http://127.0.0.1.example", "in the clear"),
        ("https://user:CANARY@vectors.example", "a user or a password"),
        ("https://vectors.example/?token=CANARY", "a query or fragment"),
        ("ftp://vectors.example", "not the URL"),
        ("vectors.example", "not the URL"),
        ("https://", "not the URL"),
        ("https://[::1", "is none"),
        ("https://vectors.example:port", "is none"),
    ],
)
async def test_a_url_that_would_not_do_is_refused(url: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        HttpVectorSource(url)
    assert "CANARY" not in shown(caught.value)


# --- files --------------------------------------------------------------------------------------


@posix
def test_ready_vectors_come_from_a_file_and_each_once(tmp_path: Path) -> None:
    centre = home()
    vectors = [centre.vector(IMSI) for _ in range(3)]
    path = tmp_path / "vectors.jsonl"
    path.write_text("".join(json.dumps({"identity": IMSI} | plain(one)) + "\n" for one in vectors))
    path.chmod(0o600)
    given = []
    for _ in range(3):
        store, log = open_store(tmp_path / "used")
        given.append(read_ready_vectors(path, UsedVectors(store)).vector(IMSI))
        log.close()
    assert given == vectors
    store, log = open_store(tmp_path / "used")
    with pytest.raises(NoVector):
        read_ready_vectors(path, UsedVectors(store)).vector(IMSI)
    log.close()


@posix
def test_a_file_of_vectors_with_a_mistake_or_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.jsonl"
    path.write_text(json.dumps({"identity": IMSI} | GOOD | {"ck": "CANARY"}))
    path.chmod(0o600)
    with pytest.raises(UsageError, match=r"vectors.jsonl: line 1: 'ck' is not") as caught:
        read_ready_vectors(path, UsedVectors())
    assert "CANARY" not in shown(caught.value) and IMSI not in shown(caught.value)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others than its owner"):
        read_ready_vectors(path, UsedVectors())


@posix
def test_a_token_is_one_line_of_a_file_that_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    assert read_token_file(path) == TOKEN
    path.chmod(0o640)
    with pytest.raises(UsageError, match="others than its owner"):
        read_token_file(path)


@posix
@pytest.mark.parametrize("text", ["", "\n", "CANARY two", "CANARY\r\nX-Header: y", "CANARY\u00e9"])
def test_what_no_header_can_carry_is_no_token(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="not one line") as caught:
        read_token_file(path)
    assert "CANARY" not in shown(caught.value)
