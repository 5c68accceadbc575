"""The card's side of AKA: TS 33.102 section 6.3.3, as a state without any I/O."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from esp.aka.records import (
    AMF_BYTES,
    AUTN_BYTES,
    RAND_BYTES,
    SQN_BYTES,
    AkaAlgorithm,
    AkaAnswer,
    AkaMacFailure,
    AkaSuccess,
    AkaSyncFailure,
    check_algorithm,
    check_size,
    xor,
)
from esp.aka.sequence import PROFILE_2, SequenceProfile, SequenceVerifier

__all__ = ["Usim"]

_AUTS_AMF = bytes(AMF_BYTES)
"""The AMF of MAC-S is zero, so that AUTS need not carry one (section 6.3.3)."""


class Usim:
    """One USIM: its key and the sequence numbers that it has accepted.

    Arguments:
        algorithm: MILENAGE or TUAK with the card's key.
        profile: how the card judges sequence numbers.
        accepted: what it has accepted, as :attr:`accepted` gave it; none is a fresh card.

    Raises:
        InvalidParameter: an algorithm whose results have sizes that AKA has no room for, or an
            array that does not fit the profile.
    """

    __slots__ = ("_algorithm", "_sequence")

    def __init__(
        self,
        algorithm: AkaAlgorithm,
        *,
        profile: SequenceProfile = PROFILE_2,
        accepted: Sequence[int] | None = None,
    ) -> None:
        check_algorithm(algorithm)
        self._algorithm = algorithm
        self._sequence = SequenceVerifier(profile, accepted)

    def __repr__(self) -> str:
        return "Usim(...)"

    @property
    def accepted(self) -> tuple[int, ...]:
        """The last SEQ accepted under each IND: keep it where the card is to survive a restart.

        A card that forgets accepts every challenge of the past once more.
        """
        return self._sequence.accepted

    def authenticate(self, rand: bytes, autn: bytes) -> AkaAnswer:
        """Judge a challenge.

        Arguments:
            rand: 16 octets.
            autn: 16 octets: SQN xor AK, AMF, MAC-A.

        Returns:
            :class:`~esp.aka.AkaMacFailure` when AUTN was not made with this card's key,
            :class:`~esp.aka.AkaSyncFailure` when its SQN is not fresh,
            :class:`~esp.aka.AkaSuccess` otherwise; only then anything changes.

        Raises:
            InvalidParameter: other sizes.
        """
        check_size("RAND", rand, RAND_BYTES)
        check_size("AUTN", autn, AUTN_BYTES)
        res, ck, ik, ak = self._algorithm.f2345(rand)
        sqn = xor(autn[:SQN_BYTES], ak)
        amf, mac = autn[SQN_BYTES : SQN_BYTES + AMF_BYTES], autn[SQN_BYTES + AMF_BYTES :]
        if not hmac.compare_digest(self._algorithm.f1(rand, sqn, amf), mac):
            return AkaMacFailure()
        if not self._sequence.accept(sqn):
            return AkaSyncFailure(auts=self._auts(rand))
        return AkaSuccess(res=res, ck=ck, ik=ik)

    def _auts(self, rand: bytes) -> bytes:
        sqn = self._sequence.highest
        concealed = xor(sqn, self._algorithm.f5_star(rand))
        return concealed + self._algorithm.f1_star(rand, sqn, _AUTS_AMF)
