"""The UE's side of the exchange with AKA.

What a message meets, and what the caller does with it::

    message          what is known                    handle() gives
    challenge        RAND and AUTN are new            Challenge: ask the USIM, then answer()
                     the USIM is being asked them     UnexpectedMessage: it answers once
                     the USIM has answered them       Reply: the confirm for this challenge
                     more than 4 were asked           UnexpectedMessage
    acknowledgement  MAC verifies                     Session: done
                     else                             AuthenticationFailed: keep waiting
    notice           about this request               PeerRefused: keep waiting

Nobody but the home network can make a challenge that the USIM accepts, but anybody can send an old
one, or a true one with something else around it. So no challenge ends the exchange: each is
answered, and the session is the one whose acknowledgement verifies. A challenge costs the USIM one
AUTHENTICATE at most, and there are at most :data:`MAXIMUM_CHALLENGES` of them in an exchange, so
that nobody can keep a USIM busy.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from esp.aka.records import (
    AMF_BYTES,
    SQN_BYTES,
    AkaAnswer,
    AkaMacFailure,
    AkaSuccess,
    separation_bit,
)
from esp.errors import (
    AuthenticationFailed,
    InvalidParameter,
    MalformedMessage,
    Reason,
    UnexpectedMessage,
)
from esp.keying.aka_messages import (
    AKA_ACKNOWLEDGEMENT,
    AKA_CHALLENGE,
    AkaAcknowledgement,
    AkaChallenge,
    AkaConfirm,
    AkaRequest,
    Result,
)
from esp.keying.aka_proof import AkaProof
from esp.keying.hierarchy import Hierarchy
from esp.keying.initiator import draw_spi, notice_error
from esp.keying.messages import (
    MAXIMUM_OFFERS,
    NONCE_BYTES,
    NOTICE,
    Notice,
    Offer,
    encode_identity,
    message_type,
)
from esp.keying.rohc_channel import RohcChannel
from esp.keying.session import Session

__all__ = ["MAXIMUM_CHALLENGES", "AkaInitiator", "Challenge", "Reply"]

MAXIMUM_CHALLENGES = 4
"""Challenges that are put to the USIM in one exchange. An honest HSE sends one, and one more after
a synchronisation failure."""
_MAXIMUM_CONFIRMS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Put this to the USIM, and hand its answer to :meth:`AkaInitiator.answer`."""

    rand: bytes = field(repr=False)
    """RAND, 16 octets."""
    autn: bytes = field(repr=False)
    """AUTN, 16 octets."""
    message: AkaChallenge = field(repr=False)
    """What it came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Send this."""

    data: bytes = field(repr=False)
    """The message, without the non-ESP marker."""


class AkaInitiator:
    """One run of the exchange, and the session it ends in.

    Arguments:
        identity: who asks, 1 to 128 octets of printable UTF-8: an IMSI, or any name that the HSE's
            source of vectors knows. It goes in clear.
        offer: what the UE is willing to use, one or several, best first.
        inbound_spi: the SPI for what this side receives, 256 up and unique here; None draws one.
        rohc: what this side's ROHC can do, where an offer has compression. By default all defaults.
        hierarchy: how keys come from CK and IK, the same as at the HSE.
        random: source of the nonce (and the SPI).

    Raises :class:`~esp.errors.InvalidParameter`. A new session takes a new initiator. When nothing
    comes, send :meth:`resend` again.
    """

    __slots__ = (
        "_acknowledgement",
        "_answers",
        "_asking",
        "_confirmed",
        "_confirms",
        "_hierarchy",
        "_last",
        "_offers",
        "_request",
        "_request_data",
        "_resent",
        "_session",
        "failure",
        "refusal",
    )

    refusal: Reason | None
    """What the last unauthenticated notice said: worth showing when no session came."""
    failure: Reason | None
    """What the USIM last said against a challenge; None when all is well."""

    def __init__(
        self,
        identity: str,
        offer: Offer | Sequence[Offer],
        *,
        inbound_spi: int | None = None,
        rohc: RohcChannel | None = None,
        hierarchy: Hierarchy | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        encode_identity(identity)
        offers = (offer,) if isinstance(offer, Offer) else tuple(offer)
        if not 1 <= len(offers) <= MAXIMUM_OFFERS:
            raise InvalidParameter(f"a request offers 1 to {MAXIMUM_OFFERS} combinations")
        spi = draw_spi(random) if inbound_spi is None else inbound_spi
        if not 256 <= spi <= 0xFFFF_FFFF:
            raise InvalidParameter(f"SPI {spi} can't name a security association")
        compression = any(one.compression for one in offers)
        self._offers = {one.encode(): one for one in offers}
        self._request = AkaRequest(
            ue_spi=spi,
            ue_nonce=random(NONCE_BYTES),
            proposals=tuple(self._offers),
            rohc=(rohc or RohcChannel()) if compression else None,
            identity=identity,
        )
        self._request_data = self._request.encode()
        self._hierarchy = hierarchy or Hierarchy()
        self._answers: dict[bytes, AkaAnswer | None] = {}  # by RAND and AUTN; None without one
        self._asking: set[bytes] = set()  # what the USIM has before it now, likewise
        self._confirms: dict[bytes, bytes] = {}  # by challenge, oldest first
        self._confirmed: list[tuple[AkaProof, bytes]] = []  # each with its confirm
        self._last: AkaConfirm | None = None
        self._resent = False  # the last confirm, since it was made or since the request was
        self._acknowledgement: bytes | None = None
        self._session: Session | None = None
        self.refusal = None
        self.failure = None

    def __repr__(self) -> str:
        return (
            f"AkaInitiator(inbound_spi=0x{self._request.ue_spi:08x},"
            f" finished={self._session is not None})"
        )

    @property
    def inbound_spi(self) -> int:
        """The SPI that this side chose."""
        return self._request.ue_spi

    @property
    def session(self) -> Session | None:
        """The session, once a valid acknowledgement came."""
        return self._session

    def request(self) -> bytes:
        """The request; the same octets each time."""
        return self._request_data

    def resend(self) -> bytes:
        """What to send next when nothing came.

        Until a challenge was answered the request; then by turns the last confirm, since the
        acknowledgement may be lost, and the request, since the challenge may not have been the
        HSE's. The confirm holds the request too, for an HSE that had to forget the exchange.
        """
        if self._last is None or self._resent:
            self._resent = False
            return self._request_data
        self._resent = True
        return replace(self._last, request=self._request_data).encode()

    def handle(self, data: bytes) -> Challenge | Reply | Session:
        """Take what came back.

        Raises a :class:`~esp.errors.KeyingRejected` for everything that leads nowhere; keep waiting
        then, since anybody can send anything. A notice raises :class:`~esp.errors.PeerRefused` and
        stays in :attr:`refusal`.
        """
        if self._session is not None:
            if data == self._acknowledgement:
                return self._session
            raise UnexpectedMessage("this exchange is finished")
        kind = message_type(data)
        if kind == AKA_CHALLENGE:
            return self._challenged(data)
        if kind == AKA_ACKNOWLEDGEMENT:
            return self._acknowledged(data)
        if kind == NOTICE:
            request = self._request
            error = notice_error(Notice.decode(data), request.ue_spi, request.ue_nonce)
            self.refusal = error.notice
            raise error
        raise MalformedMessage("not an answer of this version")

    def answer(self, challenge: Challenge, answer: AkaAnswer | None) -> bytes:
        """The confirm for a challenge, from what the USIM said.

        None: it did not answer, being busy or refusing the command. The HSE is told; the same
        challenge may be answered later.
        """
        message = challenge.message
        self._asking.discard(message.rand + message.autn)
        if answer is None:
            self.failure = Reason.USIM_UNAVAILABLE
            hint = AkaConfirm(hse_spi=message.hse_spi, result=Result.USIM_UNAVAILABLE)
            return hint.encode()
        self._answers[message.rand + message.autn] = answer
        return self._confirm(message, answer)

    def _challenged(self, data: bytes) -> Challenge | Reply:
        known = self._confirms.get(data)
        if known is not None:
            return Reply(data=known)
        message = AkaChallenge.decode(data)
        request = self._request
        if message.ue_spi != request.ue_spi:
            raise UnexpectedMessage("a challenge to another request")
        if message.proposal not in self._offers:
            raise UnexpectedMessage("the challenge grants what was not offered")
        if message.rohc is not None:
            assert request.rohc is not None  # the offer with the ROHC bit came with a channel
            if not message.rohc.within(request.rohc):
                raise UnexpectedMessage("the challenge grants a ROHC channel that was not offered")
        if len(self._confirms) >= _MAXIMUM_CONFIRMS:
            raise UnexpectedMessage("enough challenges were answered")
        hierarchy = self._hierarchy
        separated = separation_bit(message.autn[SQN_BYTES : SQN_BYTES + AMF_BYTES])
        if hierarchy.check_separation and separated is not hierarchy.base.separated:
            raise AuthenticationFailed(
                "the challenge's AMF separation bit does not fit the base key",
                hint="vectors for the HSE must not be those of the network's attach",
            )
        asked = message.rand + message.autn
        answer = self._answers.get(asked)
        if answer is not None:
            return Reply(data=self._confirm(message, answer))
        if asked in self._asking:
            raise UnexpectedMessage("the USIM is being asked this")
        if asked not in self._answers and len(self._answers) >= MAXIMUM_CHALLENGES:
            raise UnexpectedMessage("the USIM was asked often enough")
        self._answers[asked] = None
        self._asking.add(asked)
        return Challenge(rand=message.rand, autn=message.autn, message=message)

    def _confirm(self, message: AkaChallenge, answer: AkaAnswer) -> bytes:
        if isinstance(answer, AkaSuccess):
            confirm = self._proof(message, answer)
            self.failure = None
        elif isinstance(answer, AkaMacFailure):
            confirm = AkaConfirm(hse_spi=message.hse_spi, result=Result.CHALLENGE_REFUSED)
            self.failure = Reason.CHALLENGE_REFUSED
        else:
            confirm = AkaConfirm(
                hse_spi=message.hse_spi,
                result=Result.SYNCHRONISATION_FAILURE,
                body=answer.auts,
            )
            self.failure = Reason.SYNCHRONISATION_FAILURE
        if confirm.body:
            self._last = confirm
            self._resent = False
        data = confirm.encode()
        self._confirms[message.encode()] = data
        return data

    def _proof(self, message: AkaChallenge, answer: AkaSuccess) -> AkaConfirm:
        proof = AkaProof(
            self._hierarchy,
            self._request,
            self._request_data,
            message,
            ck=answer.ck,
            ik=answer.ik,
        )
        confirm = AkaConfirm(hse_spi=message.hse_spi, result=Result.ANSWERED)
        confirm = replace(confirm, body=proof.confirm_code(confirm.head, answer.res))
        self._confirmed.append((proof, confirm.encode()))
        return confirm

    def _acknowledged(self, data: bytes) -> Session:
        acknowledgement = AkaAcknowledgement.decode(data)
        if acknowledgement.ue_spi != self._request.ue_spi:
            raise UnexpectedMessage("an acknowledgement of another exchange")
        for proof, confirm in self._confirmed:
            if hmac.compare_digest(proof.acknowledgement_code(confirm), acknowledgement.mac):
                break
        else:
            raise AuthenticationFailed("the acknowledgement does not verify")
        offer = self._offers[proof.challenge.proposal]
        self._session = proof.session(offer, at_ue=True)
        self._acknowledgement = data
        self._answers.clear()
        self._confirmed.clear()
        return self._session
