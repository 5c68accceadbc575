"""One door for both exchanges: what an HSE with hello and AKA on one port talks to."""

from __future__ import annotations

from dataclasses import replace

from esp.aka import VectorSource
from esp.errors import InvalidParameter, KeyingRejected, LocalError, NoVector
from esp.keying.aka_responder import AkaResponder, VectorOutcome
from esp.keying.kdf import KeyAgreement
from esp.keying.responder import Responder
from esp.keying.session import Session
from esp.keying.table import Handled, SessionTable, VectorWanted

__all__ = ["KeyAgreements", "ask"]


class KeyAgreements:
    """A responder for each version of message, over one table of sessions.

    Arguments:
        hello: answers the hello; None refuses it.
        aka: answers requests with AKA; None refuses them.
        vectors: asked at once for what AKA wants. None hands ``wanted`` to the caller, who gets the
            vector in his own time and gives it to :meth:`supply`.

    Raises :class:`~esp.errors.InvalidParameter` unless there is a responder, and both share their
    table of sessions.
    """

    __slots__ = ("_aka", "_hello", "_vectors", "sessions")

    sessions: SessionTable
    """The sessions that were made, whichever way."""

    def __init__(
        self,
        *,
        hello: Responder | None = None,
        aka: AkaResponder | None = None,
        vectors: VectorSource | None = None,
    ) -> None:
        tables = [one.sessions for one in (hello, aka) if one is not None]
        if not tables or any(one is not tables[0] for one in tables):
            raise InvalidParameter("responders of one HSE share one table of sessions")
        self._hello = hello
        self._aka = aka
        self._vectors = vectors
        self.sessions = tables[0]

    def __len__(self) -> int:
        """Sessions known, half open and open."""
        return len(self.sessions)

    @property
    def half_open(self) -> int:
        """Sessions that no packet has proven yet."""
        return self.sessions.half_open

    def handle(self, data: bytes, now: float) -> Handled:
        """Take one message (without the non-ESP marker); never raises on what a peer sent."""
        version = data[0] >> 4 if data else 0
        if version == KeyAgreement.AKA.version and self._aka is not None:
            return self._at_once(self._aka, self._aka.handle(data, now), now)
        if self._hello is not None:
            return self._hello.handle(data, now)
        assert self._aka is not None
        return self._aka.handle(data, now)  # which refuses it

    def supply(self, token: int, outcome: VectorOutcome, now: float) -> Handled:
        """As :meth:`AkaResponder.supply`."""
        return Handled() if self._aka is None else self._aka.supply(token, outcome, now)

    def confirm(self, spi: int) -> tuple[Session, ...]:
        """As :meth:`SessionTable.confirm`."""
        return self.sessions.confirm(spi)

    def adopt(self, session: Session) -> None:
        """As :meth:`SessionTable.adopt`."""
        self.sessions.adopt(session)

    def expire(self, now: float) -> tuple[Session, ...]:
        """As :meth:`SessionTable.expire`."""
        return self.sessions.expire(now) if self._aka is None else self._aka.expire(now)

    def release(self, spi: int) -> Session | None:
        """As :meth:`SessionTable.release`."""
        return self.sessions.release(spi)

    def _at_once(self, aka: AkaResponder, handled: Handled, now: float) -> Handled:
        if handled.wanted is None or self._vectors is None:
            return handled
        outcome = ask(self._vectors, handled.wanted)
        supplied = aka.supply(handled.wanted.token, outcome, now)
        return replace(
            supplied,
            reason=supplied.reason or handled.reason,
            dropped=(*handled.dropped, *supplied.dropped),
        )


def ask(source: VectorSource, wanted: VectorWanted) -> VectorOutcome:
    """What a source gives for one wish. An error of this package, or of the system, is none."""
    try:
        if wanted.auts:
            source.resynchronise(wanted.identity, wanted.rand, wanted.auts)
        return source.vector(wanted.identity)
    except KeyingRejected as error:
        return error
    except (LocalError, OSError):
        return NoVector("the source of vectors can't be read")
