"""What every request passes on its way in, and what every answer gets on its way out.

A door is read-only: ``GET`` and ``HEAD``, and ``POST`` for logging in alone. The token comes in an
``Authorization`` header, or a browser shows it once in a form and gets a cookie that no script can
read and no other site can use. It never is part of a URL, and nothing is logged.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from testbed.web.access import Access, is_loopback
from testbed.web.limits import Connection

__all__ = ["CONTENT_SECURITY_POLICY", "LOGIN_PATH", "Guard"]

LOGIN_PATH: Final = "/login"
"""Where a browser shows the token."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts, styles and connections of this door alone: nothing inline, nothing from elsewhere."""

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # no-referrer would leave a login without its origin
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FORM: Final = "application/x-www-form-urlencoded"
_SESSION_S: Final = 12 * 3600.0
_SESSIONS: Final = 64

_logger = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Lets requests in, or not.

    Args:
        access: who may come in.
        body_bytes: octets of a request's body, at most.
        public: paths that need no token, such as the login form's style sheet.
        login: a browser may log in here.
        clock: seconds, rising.
    """

    def __init__(
        self,
        access: Access,
        *,
        body_bytes: int,
        public: frozenset[str] = frozenset(),
        login: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._body_bytes = body_bytes
        self._login = login
        self._public = public | {LOGIN_PATH} if login else public
        self._clock = clock
        self._sessions: dict[str, float] = {}
        self._only_here = access.token is None and is_loopback(access.address)

    @web.middleware
    async def handle(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """See `aiohttp.web.middleware`."""
        crowded = False
        transport = request.transport
        if transport is not None:
            connection = transport.get_protocol()
            if isinstance(connection, Connection):
                connection.begin()
                crowded = connection.crowded
        try:
            response = self._refused(request, crowded=crowded) or await handler(request)
        except web.HTTPException as error:
            response = _text(error.status, f"{error.status} {error.reason}")
            if hdrs.LOCATION in error.headers:
                response.headers[hdrs.LOCATION] = error.headers[hdrs.LOCATION]
        except Exception:
            _logger.exception("an answer could not be made")
            response = _text(500, "500 Internal Server Error")
        response.headers.update(_HEADERS)
        response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
        response.headers[hdrs.SERVER] = "testbed"
        response.force_close()
        return response

    def _refused(self, request: web.Request, *, crowded: bool) -> web.Response | None:
        """Why a request is not let in; none lets it in."""
        if crowded:
            return _text(503, "503 Too many clients", {hdrs.RETRY_AFTER: "5"})
        posted = self._login and request.path == LOGIN_PATH and request.method == hdrs.METH_POST
        if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD) and not posted:
            return _text(405, "405 Read only", {hdrs.ALLOW: "GET, HEAD"})
        if (request.content_length or 0) > (self._body_bytes if posted else 0):
            return _text(413, "413 Request too large")
        if self._only_here and not _names_loopback(request.host):
            # A page from elsewhere whose name was made to point here (DNS rebinding).
            return _text(421, "421 This door is for localhost")
        if self._access.token is None or request.path in self._public or self._known(request):
            return None
        if self._login and request.path == "/":
            return _text(303, "303 Log in", {hdrs.LOCATION: LOGIN_PATH})
        return _text(401, "401 Token required", {hdrs.WWW_AUTHENTICATE: "Bearer"})

    def _known(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and self._access.admits(token.strip()):
            return True
        if not self._login:
            return False
        ends = self._sessions.get(request.cookies.get(_cookie(request), ""))
        return ends is not None and self._clock() < ends

    async def log_in(self, request: web.Request) -> web.Response:
        """Take the token of a login form: a session, or the form again.

        The session is a random number in a cookie: what a thief of the cookie has is this door
        until the run is over, never the token.
        """
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden
        if request.content_type != _FORM:
            raise web.HTTPUnsupportedMediaType
        given = (await request.post()).get("token", "")
        if not isinstance(given, str) or not self._access.admits(given.strip()):
            return _text(303, "303 Wrong token", {hdrs.LOCATION: f"{LOGIN_PATH}?wrong"})
        now = self._clock()
        self._sessions = {name: ends for name, ends in self._sessions.items() if ends > now}
        while len(self._sessions) >= _SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session = secrets.token_urlsafe(32)
        self._sessions[session] = now + _SESSION_S
        response = _text(303, "303 Welcome", {hdrs.LOCATION: "/"})
        response.set_cookie(
            _cookie(request),
            session,
            max_age=round(_SESSION_S),
            httponly=True,
            samesite="Strict",
            secure=self._access.tls is not None,
        )
        return response


def _cookie(request: web.Request) -> str:
    """Cookies do not tell ports apart: two runs on one machine would log each other out."""
    name: tuple[object, ...] | None = None
    if request.transport is not None:
        name = request.transport.get_extra_info("sockname")
    return f"testbed-{name[1] if name else 0}"


def _names_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=headers)
