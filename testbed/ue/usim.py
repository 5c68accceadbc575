"""Between the records of a USIM at the line (`firmware_bridge.aka`) and those of `esp.aka`.

The two packages know nothing of each other: the virtual card and the soft USIM take a function, the
key agreement takes an answer, and both are made here.
"""

from __future__ import annotations

from esp.aka import AkaAnswer, AkaMacFailure, AkaSuccess, AkaSyncFailure, Usim
from firmware_bridge.aka import (
    AkaFunction,
    UsimAnswer,
    UsimMacFailure,
    UsimSuccess,
    UsimSyncFailure,
)

__all__ = ["aka_answer", "card_function"]


def card_function(usim: Usim) -> AkaFunction:
    """What makes `usim`'s key and sequence numbers a virtual card's, or a soft USIM's."""

    def authenticate(rand: bytes, autn: bytes) -> UsimAnswer:
        answer = usim.authenticate(rand, autn)
        match answer:
            case AkaSuccess():
                return UsimSuccess(res=answer.res, ck=answer.ck, ik=answer.ik)
            case AkaSyncFailure():
                return UsimSyncFailure(auts=answer.auts)
            case AkaMacFailure():
                return UsimMacFailure()

    return authenticate


def aka_answer(answer: UsimAnswer) -> AkaAnswer:
    """What a USIM answered, as the key agreement takes it. Kc has no use there."""
    match answer:
        case UsimSuccess():
            return AkaSuccess(res=answer.res, ck=answer.ck, ik=answer.ik)
        case UsimSyncFailure():
            return AkaSyncFailure(auts=answer.auts)
        case UsimMacFailure():
            return AkaMacFailure()
