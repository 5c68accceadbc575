"""The HSE's side of the hello, and the bookkeeping of the sessions it made.

The life of a session here::

    request verifies           -> half open: its inbound SA is in use, older sessions stay alive
    same request again         -> the same reply again, no new state
    confirm(spi)               -> open: the first valid ESP packet proved that the UE has the keys;
                                  the sessions that it replaces are handed back to be removed
    half_open_s without proof  -> dropped, handed back to be removed
    release(spi)               -> forgotten
    adopt(session)             -> open, after a restart

A request that somebody recorded and sends again makes a half-open session at most, with keys that
only the UE could derive: it never displaces an open one.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from esp.errors import (
    AuthenticationFailed,
    Busy,
    KeyingRejected,
    OfferRefused,
    Reason,
    UnexpectedMessage,
    UnknownIdentity,
)
from esp.keying.kdf import (
    MINIMUM_SECRET_BYTES,
    DerivationSettings,
    Direction,
    SessionBinding,
    authentication_code,
    authentication_key,
)
from esp.keying.messages import (
    NONCE_BYTES,
    NOTICE,
    RESPONSE,
    Notice,
    Offer,
    Request,
    Response,
    message_type,
)
from esp.keying.session import Session, derive_session

__all__ = ["Handled", "Limits", "Responder"]


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
    """How long a session may stay unproven, seconds."""
    notices_per_s: float = 10.0
    """Unauthenticated notices per second; 0 sends none and tells nobody who is known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What became of one message."""

    reply: bytes | None = None
    """To be sent back to where the message came from, behind the non-ESP marker."""
    session: Session | None = None
    """A new half-open session: put its inbound SA to use. None for a retransmission."""
    reason: Reason | None = None
    """Why the message was refused, for a counter; None when it was not."""
    dropped: tuple[Session, ...] = ()
    """Half-open sessions that had to go: remove their inbound SAs."""


class _Record:
    """A session and what is needed to answer its request again."""

    __slots__ = ("expires_at", "open", "reply", "request", "session")

    def __init__(self, request: bytes, reply: bytes, session: Session, expires_at: float) -> None:
        self.request = request
        self.reply = reply
        self.session = session
        self.expires_at = expires_at
        self.open = False


def _any_offer(identity: str, offer: Offer) -> bool:
    return True


class Responder:
    """Answers requests of many UEs; keeps bounded state.

    Arguments:
        lookup_secret: the secret of an identity, or None. Check secrets with
            :func:`~esp.keying.check_secret` when they are configured: an identity whose secret is
            too short counts as unknown here, since nothing that a peer sends may raise.
        allocate_spi: gives an unused SPI, from 256 up, unique at this HSE.
        accept: whether an identity may use an offer; by default every known one.
        random: source of nonces.
        limits: bounds on state and notices.
        settings: FC and labels, the same as at the UE.
    """

    __slots__ = (
        "_accept",
        "_allocate_spi",
        "_by_request",
        "_by_spi",
        "_half_open",
        "_limits",
        "_lookup_secret",
        "_notice_at",
        "_notice_credit",
        "_of_identity",
        "_random",
        "_settings",
    )

    def __init__(
        self,
        lookup_secret: Callable[[str], bytes | None],
        allocate_spi: Callable[[], int],
        *,
        accept: Callable[[str, Offer], bool] = _any_offer,
        random: Callable[[int], bytes] = os.urandom,
        limits: Limits | None = None,
        settings: DerivationSettings | None = None,
    ) -> None:
        self._lookup_secret = lookup_secret
        self._allocate_spi = allocate_spi
        self._accept = accept
        self._random = random
        self._limits = limits or Limits()
        self._settings = settings or DerivationSettings()
        self._by_request: dict[bytes, _Record] = {}
        self._by_spi: dict[int, _Record] = {}
        self._half_open: dict[int, _Record] = {}  # by SPI, oldest first: all live equally long
        self._of_identity: dict[str, list[_Record]] = {}  # oldest first
        self._notice_credit = self._limits.notices_per_s
        self._notice_at: float | None = None

    def __len__(self) -> int:
        """Sessions known, half open and open."""
        return len(self._by_spi)

    @property
    def half_open(self) -> int:
        """Sessions that no packet has proven yet."""
        return len(self._half_open)

    def handle(self, data: bytes, now: float) -> Handled:
        """Take one message (without the non-ESP marker); never raises on what a peer sent.

        ``now`` is in seconds on any clock that does not go back.
        """
        expired = self.expire(now)
        known = self._by_request.get(data)
        if known is not None:
            return Handled(reply=known.reply, dropped=expired)
        try:
            kind = message_type(data)
            if kind in (RESPONSE, NOTICE):
                raise UnexpectedMessage("a message for the other role")
            request, authenticated, mac = Request.decode(data)
        except KeyingRejected as error:
            return Handled(reason=error.reason, dropped=expired)
        try:
            record, crowded_out = self._admit(data, request, authenticated, mac, now)
        except KeyingRejected as error:
            reply = self._notice(request, error.reason, now)
            return Handled(reply=reply, reason=error.reason, dropped=expired)
        return Handled(reply=record.reply, session=record.session, dropped=(*expired, *crowded_out))

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
        excess = max(0, len(left) - self._limits.sessions_per_identity)
        replaced += [one for one in left if one is not record][:excess]
        return self._drop(replaced)

    def adopt(self, session: Session) -> None:
        """Take up a proven session from before a restart, so that a newer one can replace it.

        Its request is not known any more: sent again, it makes a session of its own.
        """
        spi = session.inbound.spi
        record = _Record(b"", b"", session, 0.0)  # no request: none finds it
        record.open = True
        self._by_spi[spi] = record
        self._of_identity.setdefault(session.identity, []).append(record)

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

    def _admit(
        self, data: bytes, request: Request, authenticated: bytes, mac: bytes, now: float
    ) -> tuple[_Record, tuple[Session, ...]]:
        """Check a request and make its session; raises KeyingRejected."""
        identity = request.identity
        secret = self._lookup_secret(identity)
        if secret is None or len(secret) < MINIMUM_SECRET_BYTES:
            raise UnknownIdentity("no secret is configured for this identity")
        settings = self._settings
        mac_key = authentication_key(secret, identity, Direction.UPLINK, settings)
        if not hmac.compare_digest(authentication_code(mac_key, authenticated), mac):
            raise AuthenticationFailed("the request does not verify")
        offer = self._choose(identity, request.proposals)
        crowded_out = self._make_room(identity)
        response = Response(
            ue_spi=request.ue_spi,
            hse_spi=self._allocate_spi(),
            hse_nonce=self._random(NONCE_BYTES),
            proposal=offer.encode(),
        )
        message = response.encode()
        mac_key = authentication_key(secret, identity, Direction.DOWNLINK, settings)
        binding = SessionBinding(
            identity=identity,
            proposal=response.proposal,
            ue_spi=request.ue_spi,
            hse_spi=response.hse_spi,
            ue_nonce=request.ue_nonce,
            hse_nonce=response.hse_nonce,
        )
        record = _Record(
            data,
            message + authentication_code(mac_key, data + message),
            derive_session(secret, binding, offer, at_ue=False, settings=settings),
            now + self._limits.half_open_s,
        )
        self._by_request[data] = record
        self._by_spi[response.hse_spi] = record
        self._half_open[response.hse_spi] = record
        self._of_identity.setdefault(identity, []).append(record)
        return record, crowded_out

    def _choose(self, identity: str, proposals: Iterable[bytes]) -> Offer:
        """The first proposal that is known and acceptable: the UE's order decides."""
        for proposal in proposals:
            offer = Offer.decode(proposal)
            if offer is not None and self._accept(identity, offer):
                return offer
        raise OfferRefused("no offered combination is acceptable here")

    def _make_room(self, identity: str) -> tuple[Session, ...]:
        """Keep to the limits on half-open sessions; raises Busy."""
        waiting = [one for one in self._of_identity.get(identity, ()) if not one.open]
        excess = len(waiting) + 1 - self._limits.half_open_per_identity
        if excess > 0:
            return self._drop(waiting[:excess])
        if len(self._half_open) >= self._limits.half_open:
            raise Busy("the table of half-open sessions is full")
        return ()

    def _drop(self, records: list[_Record]) -> tuple[Session, ...]:
        for record in records:
            session = record.session
            spi = session.inbound.spi
            del self._by_spi[spi]
            self._by_request.pop(record.request, None)  # an adopted one has none
            self._half_open.pop(spi, None)
            siblings = self._of_identity[session.identity]
            siblings.remove(record)
            if not siblings:
                del self._of_identity[session.identity]
        return tuple(record.session for record in records)

    def _notice(self, request: Request, reason: Reason, now: float) -> bytes | None:
        """A notice, if the rate allows one: smaller than any request, so nothing is amplified."""
        rate = self._limits.notices_per_s
        if self._notice_at is not None:
            gained = max(0.0, now - self._notice_at) * rate
            self._notice_credit = min(max(rate, 1.0 if rate else 0.0), self._notice_credit + gained)
        self._notice_at = now
        if self._notice_credit < 1.0:
            return None
        self._notice_credit -= 1.0
        notice = Notice(ue_spi=request.ue_spi, nonce_tag=request.ue_nonce[:4], reason=reason)
        return notice.encode()


def _alike(one: Session, other: Session) -> bool:
    return (one.suite.name, one.mode, one.compression) == (
        other.suite.name,
        other.mode,
        other.compression,
    )
