"""The sessions that an HSE made, whichever exchange made them, and their life.

::

    add(session)               half open: its inbound SA is in use, older sessions stay alive
    same message again         the same reply again, no new state: :meth:`SessionTable.answer_to`
    confirm(spi)               open: the first valid ESP packet proved that the UE has the keys;
                               the sessions that it replaces are handed back to be removed
    half_open_s without proof  dropped, handed back to be removed
    release(spi)               forgotten
    adopt(session)             open, after a restart

A hello's request that somebody recorded and sends again makes a half-open session at most, with
keys that only the UE could derive: it never displaces an open one. A session of AKA is half open as
well, though the UE is known by then: the acknowledgement may be lost, and until the first packet
the UE may go on with the session before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from esp.errors import Busy, Reason
from esp.keying.messages import NOTICE_REASONS, Notice
from esp.keying.session import Session

__all__ = ["Handled", "Limits", "NoticeBudget", "SessionTable", "VectorWanted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what unproven peers may cost."""

    half_open: int = 1024
    """Half-open sessions in all; more requests are refused as busy."""
    half_open_per_identity: int = 4
    """Half-open sessions of one identity; the oldest makes room for a new one."""
    sessions_per_identity: int = 8
    """Open sessions of one identity, of different suite, mode or compression."""
    half_open_s: float = 120.0
    """How long a session, or an exchange with AKA, may stay unproven, seconds."""
    notices_per_s: float = 10.0
    """Unauthenticated notices per second; 0 sends none and tells nobody who is known here."""
    exchanges: int = 1024
    """Exchanges with AKA in all whose challenge went out; the oldest makes room for a new one."""
    exchanges_per_identity: int = 4
    """Of one identity; the oldest makes room for a new one."""
    vectors: int = 16384
    """Identities with a vector that no UE has answered yet; more are refused as busy. With as many
    as there are subscribers, nobody can crowd anybody out."""
    vector_s: float = 600.0
    """How long an unanswered vector serves new requests of its identity, seconds: what a stranger
    who knows an identity can burn is one vector in this time."""
    waiting: int = 256
    """Vectors that are being waited for in all; more requests are refused as busy."""
    waiting_s: float = 10.0
    """How long the source of vectors may take, seconds; after that a request asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorWanted:
    """The responder needs a vector before it can go on."""

    token: int
    """Names the answer: hand it to ``supply``."""
    identity: str = field(repr=False)
    """Whose vector."""
    rand: bytes = field(default=b"", repr=False)
    """With AUTS: the challenge that the USIM refused."""
    auts: bytes = field(default=b"", repr=False)
    """What the USIM answered: resynchronise with it, then make the vector. Empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What became of one message, of the hello or of AKA."""

    reply: bytes | None = field(default=None, repr=False)
    """To be sent back to where the message came from, behind the non-ESP marker."""
    session: Session | None = None
    """A new half-open session: put its inbound SA to use. None for a retransmission."""
    reason: Reason | None = None
    """Why the message was refused, or what the UE reports, for a counter; None when all is well."""
    dropped: tuple[Session, ...] = ()
    """Half-open sessions that had to go: remove their inbound SAs."""
    wanted: VectorWanted | None = None
    """The reply waits for a vector: remember where the message came from, get the vector, and
    send there what ``supply`` gives."""


class _Record:
    """A session and what is needed to answer its last message again."""

    __slots__ = ("expires_at", "message", "open", "reply", "session")

    def __init__(self, message: bytes, reply: bytes, session: Session, expires_at: float) -> None:
        self.message = message
        self.reply = reply
        self.session = session
        self.expires_at = expires_at
        self.open = False


class SessionTable:
    """Sessions by SPI and identity, half open and open; one for all responders of an HSE."""

    __slots__ = ("_by_message", "_by_spi", "_half_open", "_of_identity", "limits")

    limits: Limits
    """Bounds on what is kept."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._by_message: dict[bytes, _Record] = {}
        self._by_spi: dict[int, _Record] = {}
        self._half_open: dict[int, _Record] = {}  # by SPI, oldest first: all live equally long
        self._of_identity: dict[str, list[_Record]] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._by_spi)

    def __contains__(self, spi: int) -> bool:
        return spi in self._by_spi

    @property
    def half_open(self) -> int:
        """Sessions that no packet has proven yet."""
        return len(self._half_open)

    def answer_to(self, message: bytes) -> bytes | None:
        """The reply to a message that made one of these sessions; None for any other message."""
        record = self._by_message.get(message)
        return record.reply if record is not None else None

    def make_room(self, identity: str) -> tuple[Session, ...]:
        """Keep to the limits on half-open sessions; what had to go. Raises Busy."""
        waiting = [one for one in self._of_identity.get(identity, ()) if not one.open]
        excess = len(waiting) + 1 - self.limits.half_open_per_identity
        if excess > 0:
            return self._drop(waiting[:excess])
        if len(self._half_open) >= self.limits.half_open:
            raise Busy("the table of half-open sessions is full")
        return ()

    def add(self, session: Session, *, message: bytes, reply: bytes, now: float) -> None:
        """A new half-open session, and the message that made it with its reply."""
        record = _Record(message, reply, session, now + self.limits.half_open_s)
        self._by_message[message] = record
        self._half_open[session.inbound.spi] = record
        self._store(record)

    def adopt(self, session: Session) -> None:
        """Take up a proven session from before a restart, so that a newer one can replace it.

        Its message is not known any more: sent again, it is a new one.
        """
        record = _Record(b"", b"", session, 0.0)  # no message finds it
        record.open = True
        self._store(record)

    def confirm(self, spi: int) -> tuple[Session, ...]:
        """Note that a valid ESP packet arrived on the inbound SA with this SPI.

        The first time, gives the sessions that this one replaces, whose SAs may be removed: those
        of the same identity, suite, mode and compression, and the oldest beyond the limit per
        identity. Later, and for an SPI that is not known here, gives nothing. Cheap enough to be
        called for each packet; call it for the first of an SA.
        """
        record = self._half_open.pop(spi, None)
        if record is None:
            return ()
        record.open = True
        session = record.session
        records = self._of_identity[session.identity]
        older = records[: records.index(record)]
        replaced = [old for old in older if _alike(old.session, session)]
        left = [one for one in records if one.open and one not in replaced]
        excess = max(0, len(left) - self.limits.sessions_per_identity)
        replaced += [one for one in left if one is not record][:excess]
        return self._drop(replaced)

    def expire(self, now: float) -> tuple[Session, ...]:
        """Drop what stayed half open too long; the sessions whose SAs are to be removed."""
        late: list[_Record] = []
        for record in self._half_open.values():
            if record.expires_at > now:
                break
            late.append(record)
        return self._drop(late) if late else ()

    def release(self, spi: int) -> Session | None:
        """Forget the session with this inbound SPI, for whatever reason its SA was removed."""
        record = self._by_spi.get(spi)
        return self._drop([record])[0] if record is not None else None

    def _store(self, record: _Record) -> None:
        session = record.session
        self._by_spi[session.inbound.spi] = record
        self._of_identity.setdefault(session.identity, []).append(record)

    def _drop(self, records: list[_Record]) -> tuple[Session, ...]:
        for record in records:
            session = record.session
            spi = session.inbound.spi
            del self._by_spi[spi]
            self._by_message.pop(record.message, None)  # an adopted one has none
            self._half_open.pop(spi, None)
            siblings = self._of_identity[session.identity]
            siblings.remove(record)
            if not siblings:
                del self._of_identity[session.identity]
        return tuple(record.session for record in records)


class NoticeBudget:
    """Unauthenticated notices at a bounded rate: smaller than any request, nothing is amplified."""

    __slots__ = ("_at", "_credit", "_rate")

    def __init__(self, per_s: float) -> None:
        self._rate = per_s
        self._credit = per_s
        self._at: float | None = None

    def notice(self, ue_spi: int, nonce: bytes, reason: Reason, now: float) -> bytes | None:
        """The notice about a request, if the reason has one and the rate allows one."""
        if reason not in NOTICE_REASONS:
            return None
        rate = self._rate
        if self._at is not None:
            gained = max(0.0, now - self._at) * rate
            self._credit = min(max(rate, 1.0 if rate else 0.0), self._credit + gained)
        self._at = now
        if self._credit < 1.0:
            return None
        self._credit -= 1.0
        return Notice(ue_spi=ue_spi, nonce_tag=nonce[:4], reason=reason).encode()


def _alike(one: Session, other: Session) -> bool:
    return (one.suite.name, one.mode, one.compression) == (
        other.suite.name,
        other.mode,
        other.compression,
    )
