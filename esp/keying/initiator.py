"""The UE's side of the hello."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence

from esp.errors import (
    AuthenticationFailed,
    InvalidParameter,
    LocalError,
    MalformedMessage,
    PeerRefused,
    Reason,
    UnexpectedMessage,
)
from esp.keying.kdf import (
    DerivationSettings,
    Direction,
    SessionBinding,
    authentication_code,
    authentication_key,
    check_secret,
)
from esp.keying.messages import (
    MAXIMUM_OFFERS,
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

__all__ = ["Initiator", "draw_spi", "notice_error"]


def draw_spi(random: Callable[[int], bytes] = os.urandom) -> int:
    """A random SPI from 256 up; raises LocalError when the random source gives none."""
    for _ in range(64):
        octets = random(4)
        if octets[:3] != b"\0\0\0":
            return int.from_bytes(octets, "big")
    raise LocalError("no SPI from 256 up in 64 draws", hint="is the random source stuck?")


class Initiator:
    """One run of the exchange, and the session it ends in.

    Arguments:
        identity: who asks, 1 to 128 octets of printable UTF-8.
        secret: shared with the HSE, at least 16 octets.
        offer: what the UE is willing to use, one or several, best first.
        inbound_spi: the SPI for what this side receives, 256 up and unique here; None draws one.
        random: source of the nonce (and the SPI).
        settings: FC and labels, the same as at the HSE.

    Raises :class:`~esp.errors.WeakSecret` and :class:`~esp.errors.InvalidParameter`. A new
    session takes a new initiator; retransmission sends :meth:`request` of the same one again.
    """

    __slots__ = (
        "_offers",
        "_request",
        "_request_data",
        "_response_data",
        "_secret",
        "_session",
        "_settings",
        "refusal",
    )

    refusal: Reason | None
    """What the last unauthenticated notice said: worth showing when no valid response came."""

    def __init__(
        self,
        identity: str,
        secret: bytes,
        offer: Offer | Sequence[Offer],
        *,
        inbound_spi: int | None = None,
        random: Callable[[int], bytes] = os.urandom,
        settings: DerivationSettings | None = None,
    ) -> None:
        offers = (offer,) if isinstance(offer, Offer) else tuple(offer)
        if not 1 <= len(offers) <= MAXIMUM_OFFERS:
            raise InvalidParameter(f"a request offers 1 to {MAXIMUM_OFFERS} combinations")
        spi = draw_spi(random) if inbound_spi is None else inbound_spi
        if not 256 <= spi <= 0xFFFF_FFFF:
            raise InvalidParameter(f"SPI {spi} can't name a security association")
        self._secret = check_secret(bytes(secret))
        self._settings = settings or DerivationSettings()
        self._offers = {one.encode(): one for one in offers}
        self._request = Request(
            ue_spi=spi,
            ue_nonce=random(NONCE_BYTES),
            proposals=tuple(self._offers),
            identity=identity,
        )
        message = self._request.encode()
        mac_key = authentication_key(self._secret, identity, Direction.UPLINK, self._settings)
        self._request_data = message + authentication_code(mac_key, message)
        self._response_data: bytes | None = None
        self._session: Session | None = None
        self.refusal = None

    def __repr__(self) -> str:
        return (
            f"Initiator(identity={self._request.identity!r},"
            f" inbound_spi=0x{self._request.ue_spi:08x}, finished={self._session is not None})"
        )

    @property
    def inbound_spi(self) -> int:
        """The SPI that this side chose."""
        return self._request.ue_spi

    @property
    def session(self) -> Session | None:
        """The session, once a valid response came."""
        return self._session

    def request(self) -> bytes:
        """The request; the same octets each time, so it may be sent again and again."""
        return self._request_data

    def response(self, data: bytes) -> Session:
        """Take what came back, and give the session.

        The same response again gives the same session. Raises a
        :class:`~esp.errors.KeyingRejected` for everything that is no valid response to this
        request; keep waiting then, since anybody can send anything. A notice raises
        :class:`~esp.errors.PeerRefused` and stays in :attr:`refusal`.
        """
        if self._session is not None:
            if data == self._response_data:
                return self._session
            raise UnexpectedMessage("this exchange is finished")
        kind = message_type(data)
        if kind == NOTICE:
            error = notice_error(Notice.decode(data), self._request.ue_spi, self._request.ue_nonce)
            self.refusal = error.notice
            raise error
        if kind != RESPONSE:
            raise MalformedMessage("not a response of this version")
        response, authenticated, mac = Response.decode(data)
        request = self._request
        if response.ue_spi != request.ue_spi:
            raise UnexpectedMessage("a response to another request")
        mac_key = authentication_key(
            self._secret, request.identity, Direction.DOWNLINK, self._settings
        )
        if not hmac.compare_digest(
            authentication_code(mac_key, self._request_data + authenticated), mac
        ):
            raise AuthenticationFailed(
                "the response does not verify",
                hint="does the HSE know this identity under the same secret?",
            )
        offer = self._offers.get(response.proposal)
        if offer is None:
            raise UnexpectedMessage("the response grants what was not offered")
        binding = SessionBinding(
            identity=request.identity,
            proposal=response.proposal,
            ue_spi=request.ue_spi,
            hse_spi=response.hse_spi,
            ue_nonce=request.ue_nonce,
            hse_nonce=response.hse_nonce,
        )
        self._session = derive_session(
            self._secret, binding, offer, at_ue=True, settings=self._settings
        )
        self._response_data = data
        return self._session


def notice_error(notice: Notice, ue_spi: int, nonce: bytes) -> PeerRefused:
    """What a notice about a request says; raises UnexpectedMessage when it is about another one."""
    if notice.ue_spi != ue_spi or notice.nonce_tag != nonce[:4]:
        raise UnexpectedMessage("a notice about another request")
    return PeerRefused(notice.reason, hint=_HINTS[notice.reason])


_HINTS = {
    Reason.UNKNOWN_IDENTITY: "is the identity configured at the HSE?",
    Reason.AUTHENTICATION_FAILED: "do both sides have the same secret, or the same K and OPc?",
    Reason.OFFER_REFUSED: "which suites and modes does the HSE allow?",
    Reason.BUSY: "try again later",
    Reason.NO_VECTOR: "does the HSE reach its source of authentication vectors?",
    Reason.RESYNCHRONISATION_FAILED: "does the HSE's source of vectors know this USIM's K and OPc?",
}
