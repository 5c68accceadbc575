"""What both sides of the exchange with AKA make of CK and IK: two codes, and the session.

The code of the confirm is over the request, the challenge and the head of the confirm, then RES,
which is not sent. The code of the acknowledgement is over the request, the challenge and the whole
confirm. Each side takes the messages as it sent or received them, so that a difference between the
two is a wrong code. The keys of the codes differ by direction.
"""

from __future__ import annotations

from esp.keying.aka_messages import AkaChallenge, AkaRequest
from esp.keying.hierarchy import Hierarchy, k_e2m
from esp.keying.kdf import (
    Direction,
    KeyAgreement,
    SessionBinding,
    authentication_code,
    authentication_key,
)
from esp.keying.messages import Offer
from esp.keying.session import Session, derive_session

__all__ = ["AkaProof"]


class AkaProof:
    """The keys of one request and one challenge.

    Arguments:
        hierarchy: how K_e2m comes from CK and IK.
        request: the request, and ``data`` its octets.
        challenge: the challenge.
        ck: CK, 16 octets, of the challenge's RAND.
        ik: IK, 16 octets.
    """

    __slots__ = ("_binding", "_key", "_settings", "_transcript", "challenge")

    challenge: AkaChallenge
    """The challenge."""

    def __init__(
        self,
        hierarchy: Hierarchy,
        request: AkaRequest,
        data: bytes,
        challenge: AkaChallenge,
        *,
        ck: bytes,
        ik: bytes,
    ) -> None:
        identity = request.identity
        self.challenge = challenge
        self._settings = hierarchy.derivation
        self._key = k_e2m(
            hierarchy, ck, ik, rand=challenge.rand, autn=challenge.autn, identity=identity
        )
        self._transcript = data + challenge.encode()
        self._binding = SessionBinding(
            identity=identity,
            proposal=challenge.proposal,
            ue_spi=request.ue_spi,
            hse_spi=challenge.hse_spi,
            ue_nonce=request.ue_nonce,
            hse_nonce=challenge.hse_nonce,
            key_agreement=KeyAgreement.AKA,
            rohc=b"" if challenge.rohc is None else challenge.rohc.encode(),
        )

    def confirm_code(self, head: bytes, res: bytes) -> bytes:
        """The code of the confirm with this head."""
        return self._code(Direction.UPLINK, head + res)

    def acknowledgement_code(self, confirm: bytes) -> bytes:
        """The code of the acknowledgement of this confirm, without the request behind it."""
        return self._code(Direction.DOWNLINK, confirm)

    def session(self, offer: Offer, *, at_ue: bool) -> Session:
        """The session of one side, with the offer that was chosen."""
        return derive_session(self._key, self._binding, offer, at_ue=at_ue, settings=self._settings)

    def _code(self, direction: Direction, rest: bytes) -> bytes:
        key = authentication_key(
            self._key, self._binding.identity, direction, self._settings, KeyAgreement.AKA
        )
        return authentication_code(key, self._transcript + rest)
