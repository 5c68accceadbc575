"""The HSE's side of the exchange with AKA: four messages, and vectors from elsewhere.

What a message meets::

    message      what is known                     what happens
    request      same octets answered before       the same challenge again
                 a vector of this identity is open challenge with it: no vector is used up
                 one is being waited for           nothing; the UE asks again
                 none                              a vector is wanted; challenge when it comes
    confirm      same octets answered before       the same acknowledgement again
      ANSWERED   MAC verifies                      session (half open), acknowledgement
                 else                              refused; the exchange waits on
      SYNCHRO... first of this exchange            resynchronise, vector, a new challenge
                 of a vector that was replaced     challenge with the one in its place
                 again                             the same new challenge again, or refused
      others                                       counted; the exchange waits on

Nothing that is not authenticated ends an exchange, uses up a vector twice over, or touches a
session. What an attacker who knows an identity can do is make the HSE fetch one vector per
``vector_s``: it stays open for all requests of this identity until a UE has answered it.

Exchanges are a cache. The nonce of a challenge is a MAC, under a key of this responder, over the
request and the SPI; so a confirm that holds the request again finds all that was forgotten. A flood
of requests pushes exchanges out, and the UE that retransmits its confirm gets in all the same.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from esp.aka.records import AuthenticationVector
from esp.errors import (
    AuthenticationFailed,
    Busy,
    KeyingRejected,
    Reason,
    ResynchronisationFailed,
    UnexpectedMessage,
)
from esp.keying.aka_messages import (
    AKA_CONFIRM,
    AKA_REQUEST,
    AkaAcknowledgement,
    AkaChallenge,
    AkaConfirm,
    AkaRequest,
    Result,
)
from esp.keying.aka_proof import AkaProof
from esp.keying.hierarchy import Hierarchy
from esp.keying.messages import NONCE_BYTES, Offer, message_type
from esp.keying.responder import any_offer, choose
from esp.keying.rohc_channel import RohcChannel
from esp.keying.session import Session
from esp.keying.table import Handled, Limits, NoticeBudget, SessionTable, VectorWanted

__all__ = ["AkaResponder", "VectorOutcome"]

VectorOutcome = AuthenticationVector | KeyingRejected
"""What a source of vectors gives: one, or why not (UnknownIdentity, NoVector,
ResynchronisationFailed)."""

_MAXIMUM_SPI_DRAWS = 64


class _Open:
    """A vector that no UE has answered yet."""

    __slots__ = ("expires_at", "vector")

    def __init__(self, vector: AuthenticationVector, expires_at: float) -> None:
        self.vector = vector
        self.expires_at = expires_at


class _Exchange:
    """A challenge that went out, or two of them after a synchronisation failure."""

    __slots__ = ("auts", "data", "done", "expires_at", "offer", "request", "tries")

    def __init__(
        self,
        data: bytes,
        request: AkaRequest,
        offer: Offer,
        challenge: AkaChallenge,
        vector: AuthenticationVector,
        expires_at: float,
    ) -> None:
        self.data = data
        self.request = request
        self.offer = offer
        self.tries = [(challenge, vector)]  # all that a confirm may answer, the last one last
        self.expires_at = expires_at
        self.auts = b""  # what this exchange was synchronised with
        self.done = False  # it made its session, and must never make it again

    @property
    def challenge(self) -> AkaChallenge:
        """The last challenge."""
        return self.tries[-1][0]

    @property
    def vector(self) -> AuthenticationVector:
        """The vector in it."""
        return self.tries[-1][1]

    def challenge_again(self, vector: AuthenticationVector, auts: bytes) -> bytes:
        """The next challenge, after this synchronisation failure."""
        self.auts = auts
        challenge = replace(self.challenge, rand=vector.rand, autn=vector.autn)
        self.tries.append((challenge, vector))
        return challenge.encode()


class _Wait:
    """A message whose reply waits for a vector: a request, or an exchange with AUTS."""

    __slots__ = ("auts", "data", "exchange", "expires_at", "request")

    def __init__(
        self,
        data: bytes,
        request: AkaRequest,
        expires_at: float,
        exchange: _Exchange | None = None,
        auts: bytes = b"",
    ) -> None:
        self.data = data
        self.request = request
        self.expires_at = expires_at
        self.exchange = exchange
        self.auts = auts


class AkaResponder:
    """Answers requests of many UEs with AKA; keeps bounded state.

    Arguments:
        allocate_spi: gives an SPI that no SA has, from 256 up; the responder keeps it unique among
            its exchanges.
        sessions: where sessions are kept, shared with the HSE's other responders; by default one of
            its own with ``limits``.
        accept: whether an identity may use an offer; by default every known one.
        rohc: what this side's ROHC can do; a UE gets what both can. By default all defaults.
        hierarchy: how keys come from CK and IK, the same as at the UE.
        random: source of the key behind the nonces.
        limits: bounds on state and notices.

    When :meth:`handle` gives ``wanted``, get the vector and hand it to :meth:`supply`.
    """

    __slots__ = (
        "_accept",
        "_allocate_spi",
        "_by_request",
        "_exchanges",
        "_hierarchy",
        "_limits",
        "_nonce_key",
        "_notices",
        "_of_identity",
        "_open",
        "_rohc",
        "_token",
        "_waits",
        "_wanted_for",
        "sessions",
    )

    sessions: SessionTable
    """The sessions that were made."""

    def __init__(
        self,
        allocate_spi: Callable[[], int],
        *,
        sessions: SessionTable | None = None,
        accept: Callable[[str, Offer], bool] = any_offer,
        rohc: RohcChannel | None = None,
        hierarchy: Hierarchy | None = None,
        random: Callable[[int], bytes] = os.urandom,
        limits: Limits | None = None,
    ) -> None:
        self._allocate_spi = allocate_spi
        self.sessions = sessions if sessions is not None else SessionTable(limits)
        self._limits = self.sessions.limits
        self._accept = accept
        self._rohc = rohc or RohcChannel()
        self._hierarchy = hierarchy or Hierarchy()
        self._nonce_key = random(32)
        self._notices = NoticeBudget(self._limits.notices_per_s)
        self._open: OrderedDict[str, _Open] = OrderedDict()  # oldest first: all live equally long
        self._exchanges: OrderedDict[int, _Exchange] = OrderedDict()  # by SPI, oldest first
        self._by_request: dict[bytes, _Exchange] = {}
        self._of_identity: dict[str, list[int]] = {}  # SPIs of exchanges, oldest first
        self._waits: OrderedDict[int, _Wait] = OrderedDict()  # by token, oldest first
        self._wanted_for: dict[str, int] = {}  # token by identity
        self._token = 0

    def __len__(self) -> int:
        """Sessions known, half open and open."""
        return len(self.sessions)

    @property
    def half_open(self) -> int:
        """Sessions that no packet has proven yet."""
        return self.sessions.half_open

    @property
    def pending(self) -> int:
        """All that is kept for UEs that are not authenticated: exchanges, vectors, waits."""
        return len(self._exchanges) + len(self._open) + len(self._waits)

    def handle(self, data: bytes, now: float) -> Handled:
        """Take one message (without the non-ESP marker); never raises on what a peer sent.

        ``now`` is in seconds on any clock that does not go back.
        """
        expired = self.expire(now)
        try:
            kind = message_type(data)
            if kind == AKA_REQUEST:
                return self._requested(data, now, expired)
            if kind == AKA_CONFIRM:
                return self._confirmed(AkaConfirm.decode(data), now, expired)
            raise UnexpectedMessage("a message for the other role, or of another version")
        except KeyingRejected as error:
            return Handled(reason=error.reason, dropped=expired)

    def supply(self, token: int, outcome: VectorOutcome, now: float) -> Handled:
        """Go on with what a source of vectors gave; the reply goes to where ``wanted`` came from.

        A vector that comes too late, or under a token that is not known, is not used.
        """
        expired = self.expire(now)
        wait = self._waits.pop(token, None)
        if wait is None:
            return Handled(dropped=expired)
        request = wait.request
        identity = request.identity
        del self._wanted_for[identity]
        if not isinstance(outcome, AuthenticationVector):
            return self._refused(request, outcome.reason, now, expired)
        self._open.pop(identity, None)
        self._open[identity] = _Open(outcome, now + self._limits.vector_s)
        if wait.exchange is not None:
            challenge = wait.exchange.challenge_again(outcome, wait.auts)
            return Handled(reply=challenge, dropped=expired)
        try:
            return self._challenge(wait.data, request, outcome, now, expired)
        except KeyingRejected as error:
            return self._refused(request, error.reason, now, expired)

    def confirm(self, spi: int) -> tuple[Session, ...]:
        """As :meth:`SessionTable.confirm`."""
        return self.sessions.confirm(spi)

    def adopt(self, session: Session) -> None:
        """As :meth:`SessionTable.adopt`."""
        self.sessions.adopt(session)

    def release(self, spi: int) -> Session | None:
        """As :meth:`SessionTable.release`."""
        return self.sessions.release(spi)

    def expire(self, now: float) -> tuple[Session, ...]:
        """Drop what is too old; gives the sessions whose SAs are to be removed."""
        while self._exchanges:
            exchange = next(iter(self._exchanges.values()))
            if exchange.expires_at > now:
                break
            self._drop(exchange)
        while self._open and next(iter(self._open.values())).expires_at <= now:
            self._open.popitem(last=False)
        while self._waits and next(iter(self._waits.values())).expires_at <= now:
            _, wait = self._waits.popitem(last=False)
            del self._wanted_for[wait.request.identity]
        return self.sessions.expire(now)

    # -- request -----------------------------------------------------------------------------

    def _requested(self, data: bytes, now: float, expired: tuple[Session, ...]) -> Handled:
        known = self._by_request.get(data)
        if known is not None:
            return Handled(reply=known.challenge.encode(), dropped=expired)
        request = AkaRequest.decode(data)
        identity = request.identity
        try:
            current = self._open.get(identity)
            if current is not None:  # also while a resynchronisation, perhaps forged, is awaited
                return self._challenge(data, request, current.vector, now, expired)
            waiting = self._wanted_for.get(identity)
            if waiting is not None:
                same = self._waits[waiting].data == data
                return Handled(reason=None if same else Reason.BUSY, dropped=expired)
            self._choose(request)
            if len(self._open) >= self._limits.vectors:
                raise Busy("too many vectors are unanswered")
            wanted = self._want(_Wait(data, request, now + self._limits.waiting_s))
        except KeyingRejected as error:
            return self._refused(request, error.reason, now, expired)
        return Handled(wanted=wanted, dropped=expired)

    def _want(self, wait: _Wait) -> VectorWanted:
        if len(self._waits) >= self._limits.waiting:
            raise Busy("too many vectors are being waited for")
        self._token += 1
        identity = wait.request.identity
        self._waits[self._token] = wait
        self._wanted_for[identity] = self._token
        rand = wait.exchange.vector.rand if wait.exchange is not None else b""
        return VectorWanted(token=self._token, identity=identity, rand=rand, auts=wait.auts)

    def _choose(self, request: AkaRequest) -> tuple[Offer, RohcChannel | None]:
        """The offer and the channel that a request gets; raises OfferRefused."""
        channel = None if request.rohc is None else self._rohc.meet(request.rohc)

        def accept(identity: str, offer: Offer) -> bool:
            possible = channel is not None or not offer.compression
            return possible and self._accept(identity, offer)

        offer = choose(request.identity, request.proposals, accept)
        return offer, channel if offer.compression else None

    def _challenge(
        self,
        data: bytes,
        request: AkaRequest,
        vector: AuthenticationVector,
        now: float,
        expired: tuple[Session, ...],
    ) -> Handled:
        """A new exchange, in the place of the oldest when there are too many."""
        exchange = self._exchange(data, request, vector, self._free_spi(), now)
        of_identity = self._of_identity.get(request.identity, [])
        if len(of_identity) >= self._limits.exchanges_per_identity:
            self._drop(self._exchanges[of_identity[0]])
        elif len(self._exchanges) >= self._limits.exchanges:
            self._drop(next(iter(self._exchanges.values())))
        spi = exchange.challenge.hse_spi
        self._exchanges[spi] = exchange
        self._by_request[data] = exchange
        self._of_identity.setdefault(request.identity, []).append(spi)
        return Handled(reply=exchange.challenge.encode(), dropped=expired)

    def _exchange(
        self, data: bytes, request: AkaRequest, vector: AuthenticationVector, spi: int, now: float
    ) -> _Exchange:
        """All that follows from a request, a vector and an SPI; stored nowhere."""
        offer, channel = self._choose(request)
        text = spi.to_bytes(4, "big") + data
        challenge = AkaChallenge(
            ue_spi=request.ue_spi,
            hse_spi=spi,
            hse_nonce=hmac.digest(self._nonce_key, text, hashlib.sha256)[:NONCE_BYTES],
            rand=vector.rand,
            autn=vector.autn,
            proposal=offer.encode(),
            rohc=channel,
        )
        expires_at = now + self._limits.half_open_s
        return _Exchange(data, request, offer, challenge, vector, expires_at)

    def _free_spi(self) -> int:
        for _ in range(_MAXIMUM_SPI_DRAWS):
            spi = self._allocate_spi()
            if spi not in self._exchanges:
                return spi
        raise Busy("no SPI is free")

    # -- confirm -----------------------------------------------------------------------------

    def _confirmed(self, confirm: AkaConfirm, now: float, expired: tuple[Session, ...]) -> Handled:
        message = confirm.alone.encode()
        known = self.sessions.answer_to(message)
        if known is not None:
            return Handled(reply=known, dropped=expired)
        exchange = self._exchanges.get(confirm.hse_spi)
        if exchange is None:
            exchange = self._remembered(confirm, now)
        try:
            if confirm.result is Result.ANSWERED:
                return self._answered(exchange, confirm, message, now, expired)
            if confirm.result is Result.SYNCHRONISATION_FAILURE:
                return self._out_of_step(exchange, confirm.body, now, expired)
        except KeyingRejected as error:
            return self._refused(exchange.request, error.reason, now, expired)
        refused = confirm.result is Result.CHALLENGE_REFUSED
        reason = Reason.CHALLENGE_REFUSED if refused else Reason.USIM_UNAVAILABLE
        return Handled(reason=reason, dropped=expired)

    def _remembered(self, confirm: AkaConfirm, now: float) -> _Exchange:
        """The exchange of a confirm that holds its request, made again; raises KeyingRejected.

        It is stored nowhere. That its SPI and nonce are what this responder once sent is shown by
        the MAC of the confirm, or does not matter.
        """
        if not confirm.request:
            raise UnexpectedMessage("a confirm of an exchange that is not known")
        request = AkaRequest.decode(confirm.request)
        current = self._open.get(request.identity)
        if current is None:
            raise UnexpectedMessage("a confirm of an exchange that is over")
        return self._exchange(confirm.request, request, current.vector, confirm.hse_spi, now)

    def _answered(
        self,
        exchange: _Exchange,
        confirm: AkaConfirm,
        message: bytes,
        now: float,
        expired: tuple[Session, ...],
    ) -> Handled:
        if exchange.done:
            raise UnexpectedMessage("this exchange is over")
        for challenge, vector in exchange.tries:
            proof = AkaProof(
                self._hierarchy,
                exchange.request,
                exchange.data,
                challenge,
                ck=vector.ck,
                ik=vector.ik,
            )
            expected = proof.confirm_code(confirm.head, vector.xres)
            if hmac.compare_digest(expected, confirm.body):
                break
        else:
            raise AuthenticationFailed("the confirm does not verify")
        if challenge.hse_spi in self.sessions:
            raise UnexpectedMessage("another session has this SPI by now")
        identity = exchange.request.identity
        crowded_out = self.sessions.make_room(identity)
        acknowledgement = AkaAcknowledgement(
            ue_spi=challenge.ue_spi, mac=proof.acknowledgement_code(message)
        ).encode()
        session = proof.session(exchange.offer, at_ue=False)
        self.sessions.add(session, message=message, reply=acknowledgement, now=now)
        exchange.done = True
        current = self._open.get(identity)
        if current is not None and current.vector is vector:
            # A UE has answered it: no new request gets it, and no forgotten exchange comes back.
            del self._open[identity]
        return Handled(reply=acknowledgement, session=session, dropped=(*expired, *crowded_out))

    def _out_of_step(
        self, exchange: _Exchange, auts: bytes, now: float, expired: tuple[Session, ...]
    ) -> Handled:
        """The USIM says that the vector's SQN is not fresh."""
        identity = exchange.request.identity
        if exchange.done:
            raise UnexpectedMessage("this exchange is over")
        if auts == exchange.auts:
            return Handled(reply=exchange.challenge.encode(), dropped=expired)
        if exchange.auts:
            raise ResynchronisationFailed("this exchange was synchronised once already")
        if identity in self._wanted_for:
            return Handled(dropped=expired)  # one at a time; the UE sends it again
        current = self._open.get(identity)
        if current is None:
            raise UnexpectedMessage("a synchronisation failure of an exchange that is over")
        if current.vector is not exchange.vector:
            # Another exchange of this identity was faster: its vector serves this one too.
            challenge = exchange.challenge_again(current.vector, auts)
            return Handled(reply=challenge, reason=Reason.SYNCHRONISATION_FAILURE, dropped=expired)
        until = now + self._limits.waiting_s
        wanted = self._want(_Wait(exchange.data, exchange.request, until, exchange, auts))
        return Handled(wanted=wanted, reason=Reason.SYNCHRONISATION_FAILURE, dropped=expired)

    # -- shared ------------------------------------------------------------------------------

    def _refused(
        self, request: AkaRequest, reason: Reason, now: float, expired: tuple[Session, ...]
    ) -> Handled:
        notice = self._notices.notice(request.ue_spi, request.ue_nonce, reason, now)
        return Handled(reply=notice, reason=reason, dropped=expired)

    def _drop(self, exchange: _Exchange) -> None:
        spi = exchange.challenge.hse_spi
        identity = exchange.request.identity
        del self._exchanges[spi]
        del self._by_request[exchange.data]
        of_identity = self._of_identity[identity]
        of_identity.remove(spi)
        if not of_identity:
            del self._of_identity[identity]
