"""The HSE's side of the hello: one message in, one out.

A request that verifies makes a half-open session (:mod:`esp.keying.table`), and gets its response
again whenever it comes again.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable

from esp.errors import (
    AuthenticationFailed,
    KeyingRejected,
    OfferRefused,
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
    Offer,
    Request,
    Response,
    message_type,
)
from esp.keying.session import Session, derive_session
from esp.keying.table import Handled, Limits, NoticeBudget, SessionTable

__all__ = ["Responder", "any_offer", "choose"]


def any_offer(identity: str, offer: Offer) -> bool:
    """Accept whatever is known here."""
    return True


def choose(
    identity: str, proposals: Iterable[bytes], accept: Callable[[str, Offer], bool]
) -> Offer:
    """The first proposal that is known and acceptable: the UE's order decides.

    Raises :class:`~esp.errors.OfferRefused`.
    """
    for proposal in proposals:
        offer = Offer.decode(proposal)
        if offer is not None and accept(identity, offer):
            return offer
    raise OfferRefused("no offered combination is acceptable here")


class Responder:
    """Answers requests of many UEs; keeps bounded state.

    Arguments:
        lookup_secret: the secret of an identity, or None. Check secrets with
            :func:`~esp.keying.check_secret` when they are configured: an identity whose secret is
            too short counts as unknown here, since nothing that a peer sends may raise.
        allocate_spi: gives an unused SPI, from 256 up, unique at this HSE.
        accept: whether an identity may use an offer; by default every known one.
        random: source of nonces.
        sessions: where sessions are kept, shared with the HSE's other responders; by default one of
            its own with ``limits``.
        limits: bounds on state and notices.
        settings: FC and labels, the same as at the UE.
    """

    __slots__ = (
        "_accept",
        "_allocate_spi",
        "_lookup_secret",
        "_notices",
        "_random",
        "_settings",
        "sessions",
    )

    sessions: SessionTable
    """The sessions that were made."""

    def __init__(
        self,
        lookup_secret: Callable[[str], bytes | None],
        allocate_spi: Callable[[], int],
        *,
        accept: Callable[[str, Offer], bool] = any_offer,
        random: Callable[[int], bytes] = os.urandom,
        sessions: SessionTable | None = None,
        limits: Limits | None = None,
        settings: DerivationSettings | None = None,
    ) -> None:
        self._lookup_secret = lookup_secret
        self._allocate_spi = allocate_spi
        self._accept = accept
        self._random = random
        self._settings = settings or DerivationSettings()
        self.sessions = sessions if sessions is not None else SessionTable(limits)
        self._notices = NoticeBudget(self.sessions.limits.notices_per_s)

    def __len__(self) -> int:
        """Sessions known, half open and open."""
        return len(self.sessions)

    @property
    def half_open(self) -> int:
        """Sessions that no packet has proven yet."""
        return self.sessions.half_open

    def handle(self, data: bytes, now: float) -> Handled:
        """Take one message (without the non-ESP marker); never raises on what a peer sent.

        ``now`` is in seconds on any clock that does not go back.
        """
        expired = self.sessions.expire(now)
        known = self.sessions.answer_to(data)
        if known is not None:
            return Handled(reply=known, dropped=expired)
        try:
            kind = message_type(data)
            if kind in (RESPONSE, NOTICE):
                raise UnexpectedMessage("a message for the other role")
            request, authenticated, mac = Request.decode(data)
        except KeyingRejected as error:
            return Handled(reason=error.reason, dropped=expired)
        try:
            return self._admit(data, request, authenticated, mac, now, expired)
        except KeyingRejected as error:
            notice = self._notices.notice(request.ue_spi, request.ue_nonce, error.reason, now)
            return Handled(reply=notice, reason=error.reason, dropped=expired)

    def confirm(self, spi: int) -> tuple[Session, ...]:
        """As :meth:`SessionTable.confirm`."""
        return self.sessions.confirm(spi)

    def adopt(self, session: Session) -> None:
        """As :meth:`SessionTable.adopt`."""
        self.sessions.adopt(session)

    def expire(self, now: float) -> tuple[Session, ...]:
        """As :meth:`SessionTable.expire`."""
        return self.sessions.expire(now)

    def release(self, spi: int) -> Session | None:
        """As :meth:`SessionTable.release`."""
        return self.sessions.release(spi)

    def _admit(
        self,
        data: bytes,
        request: Request,
        authenticated: bytes,
        mac: bytes,
        now: float,
        expired: tuple[Session, ...],
    ) -> Handled:
        """Check a request and make its session; raises KeyingRejected."""
        identity = request.identity
        secret = self._lookup_secret(identity)
        if secret is None or len(secret) < MINIMUM_SECRET_BYTES:
            raise UnknownIdentity("no secret is configured for this identity")
        settings = self._settings
        mac_key = authentication_key(secret, identity, Direction.UPLINK, settings)
        if not hmac.compare_digest(authentication_code(mac_key, authenticated), mac):
            raise AuthenticationFailed("the request does not verify")
        offer = choose(identity, request.proposals, self._accept)
        crowded_out = self.sessions.make_room(identity)
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
        reply = message + authentication_code(mac_key, data + message)
        session = derive_session(secret, binding, offer, at_ue=False, settings=settings)
        self.sessions.add(session, message=data, reply=reply, now=now)
        return Handled(reply=reply, session=session, dropped=(*expired, *crowded_out))
