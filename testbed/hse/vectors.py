"""Authentication vectors from elsewhere: a file of ready ones, or a server that makes them.

The server is asked over HTTPS, one request per vector, so that it keeps K and sequence numbers::

    POST URL/vector          {"identity": "..."}
                        200  {"rand": "...", "autn": "...", "xres": "...", "ck": "...", "ik": "..."}
    POST URL/resynchronise   {"identity": "...", "rand": "...", "auts": "..."}
                        204  done

404 is an identity that it does not know; 409 or 422 an AUTS that it refuses. Values are
hexadecimal digits. They stand in bodies, never in a URL: those are written into logs. Nothing of
an answer is shown in an error.
"""

from __future__ import annotations

import json
import logging
import ssl
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlsplit

from esp.aka import (
    AuthenticationVector,
    ReadyVectors,
    UsedVectors,
    parse_ready_vectors,
    parse_vector,
)
from esp.errors import (
    InvalidParameter,
    KeyingRejected,
    NoVector,
    ResynchronisationFailed,
    UnknownIdentity,
)
from esp.keying import VectorOutcome, VectorWanted
from testbed.bench.private import read_private_text, read_token_file
from testbed.errors import UsageError

__all__ = [
    "HttpVectorSource",
    "SlowVectorSource",
    "ask_slowly",
    "read_ready_vectors",
    "read_token_file",
]

_logger = logging.getLogger(__name__)

_HINT = "Check the server and its log; the UE asks again by itself."


def read_ready_vectors(path: Path, used: UsedVectors) -> ReadyVectors:
    """The ready vectors in a file that its owner alone may read, as `esp.aka.ready` describes it.

    Args:
        path: the file.
        used: which vectors were given out before.

    Raises:
        UsageError: open to others, unreadable, or a mistake in a line; shows no value.
    """
    text = read_private_text(path, what="file of vectors")
    try:
        return ReadyVectors(parse_ready_vectors(text), used)
    except InvalidParameter as error:
        raise UsageError(f"{path}: {error}", hint=error.hint or None) from None


class SlowVectorSource(Protocol):
    """A source of vectors that takes its time; what it raises is a vector source's."""

    async def vector(self, identity: str) -> AuthenticationVector:
        """See `esp.aka.VectorSource.vector`."""

    async def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        """See `esp.aka.VectorSource.resynchronise`."""


async def ask_slowly(source: SlowVectorSource, wanted: VectorWanted) -> VectorOutcome:
    """What a source gives for one wish, or why it gives nothing; raises nothing."""
    try:
        if wanted.auts:
            await source.resynchronise(wanted.identity, wanted.rand, wanted.auts)
        return await source.vector(wanted.identity)
    except KeyingRejected as error:
        _logger.warning("no vector: %s", error)
        return error
    except OSError:
        return NoVector("the source of vectors can't be used")


class HttpVectorSource:
    """Asks a server for each vector. Make and use it in a running event loop, and close it.

    Args:
        url: ``https://HOST[:PORT][/PATH]``; plain ``http`` to this machine only.
        token: sent as ``Authorization: Bearer``.
        used: refuses a vector that came before, whatever lies between here and the server.
        ca_file: certificates to trust, in place of the system's.
        timeout_s: how long one request may take in all, in seconds of the event loop's clock.
        max_bytes: longest answer that is read.

    Raises:
        UsageError: not such a URL, or no such certificates.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        used: UsedVectors | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 5.0,
        max_bytes: int = 16384,
    ) -> None:
        import aiohttp  # slow to import; most commands ask no service for vectors

        self._url = _checked(url).rstrip("/")
        self._used = used if used is not None else UsedVectors()
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        # No compression: what is read must be as short as what came.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=_tls(ca_file), limit=8),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=8190,
            max_field_size=8190,
        )

    async def __aenter__(self) -> HttpVectorSource:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"HttpVectorSource({self._url!r})"

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def vector(self, identity: str) -> AuthenticationVector:
        """A vector that was never given out before.

        Raises:
            UnknownIdentity: the server does not know it.
            NoVector: no answer in time, or none that will do; ``hint`` says what to look at.
        """
        status, body = await self._post("vector", {"identity": identity})
        if status == 404:
            raise UnknownIdentity(
                f"{self._url} does not know this identity", hint="Or is the URL's path wrong?"
            )
        if status != 200:
            raise _refused(self._url, status)
        try:
            vector = parse_vector(json.loads(body))
        except InvalidParameter as error:
            raise NoVector(f"{self._url} answered with no vector: {error}", hint=_HINT) from None
        except (ValueError, RecursionError):
            raise NoVector(f"{self._url} answered with what is not JSON", hint=_HINT) from None
        if not self._used.use(vector):
            raise NoVector(
                f"{self._url} answered with a vector that it gave before",
                hint="Each is good for one session: does something cache its answers?",
            )
        return vector

    async def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        """Hand a USIM's AUTS on to the server.

        Raises:
            UnknownIdentity: the server does not know it.
            ResynchronisationFailed: the server refuses AUTS, or did not answer in time.
        """
        request = {"identity": identity, "rand": rand.hex(), "auts": auts.hex()}
        try:
            status, _ = await self._post("resynchronise", request)
        except NoVector as error:
            raise ResynchronisationFailed(str(error), hint=error.hint) from error
        if status == 404:
            raise UnknownIdentity(f"{self._url} does not know this identity")
        if status in (409, 422):
            raise ResynchronisationFailed(f"{self._url} refuses AUTS", hint=_HINT)
        if status not in (200, 204):
            refused = _refused(self._url, status)
            raise ResynchronisationFailed(str(refused), hint=refused.hint)

    async def _post(self, what: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of the answer; raises NoVector when there is none."""
        import aiohttp

        try:
            async with self._session.post(
                f"{self._url}/{what}", json=body, allow_redirects=False
            ) as response:
                answer = bytearray()
                async for chunk in response.content.iter_chunked(4096):
                    answer += chunk
                    if len(answer) > self._max_bytes:
                        response.close()
                        raise NoVector(
                            f"{self._url} answered with more than {self._max_bytes} octets",
                            hint=_HINT,
                        )
                return response.status, bytes(answer)
        except TimeoutError:
            raise NoVector(
                f"{self._url} did not answer within {self._timeout_s:g} s", hint=_HINT
            ) from None
        except aiohttp.ClientConnectorCertificateError:
            raise NoVector(
                f"{self._url}: its certificate is not to be trusted",
                hint="Give the certificate of who signed it, or correct the server's name.",
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The kind alone: the text of some holds what was sent or came back.
            raise NoVector(
                f"{self._url} could not be asked: {type(error).__name__}", hint=_HINT
            ) from None


def _refused(url: str, status: int) -> NoVector:
    if status in (401, 403):
        return NoVector(
            f"{url} refuses this HSE (status {status})", hint="Is the token the one it expects?"
        )
    if 300 <= status < 400:
        return NoVector(
            f"{url} points elsewhere (status {status})", hint="Give the URL it points to."
        )
    return NoVector(f"{url} answered with status {status}", hint=_HINT)


def _checked(url: str) -> str:
    """The URL; raises UsageError for one that would show or send secrets in the clear."""
    hint = "For example https://vectors.example/hse"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError("the URL of the vector server is none", hint=hint) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "the URL of the vector server holds a user or a password",
            hint="Put the token into a file of its own.",
        )
    if parts.query or parts.fragment:
        raise UsageError("the URL of the vector server holds a query or fragment", hint=hint)
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(f"{url!r} is not the URL of a vector server", hint=hint)
    if parts.scheme == "http" and not _is_this_machine(host):
        raise UsageError(
            f"{url}: keys would travel in the clear", hint="Use https; http goes to this machine."
        )
    return url


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Verifies chain and name, as the default context does; there is no way to switch it off."""
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"certificates {ca_file}: {getattr(error, 'strerror', None) or type(error).__name__}",
            hint="It holds PEM certificates.",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
