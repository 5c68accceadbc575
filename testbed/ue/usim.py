"""The UE's USIM: the card in the module, or software in its place, through a run.

Between the records of a USIM at the line (`firmware_bridge.aka`) and those of `esp.aka` stand two
small functions: the two packages know nothing of each other.
"""

from __future__ import annotations

import asyncio

from esp.aka import AkaAnswer, AkaMacFailure, AkaSuccess, AkaSyncFailure
from esp.aka import Usim as CardState
from firmware_bridge import Module
from firmware_bridge.aka import (
    AkaFunction,
    UsimAnswer,
    UsimMacFailure,
    UsimSuccess,
    UsimSyncFailure,
)
from firmware_bridge.usim import SoftUsim, Usim, UsimPath, open_usim, probe_usim

__all__ = ["USIM_PATHS", "UeUsim", "aka_answer", "card_function"]

USIM_PATHS = {UsimPath.BASIC: "csim", UsimPath.CHANNEL: "cgla", UsimPath.SOFT: "soft"}
"""What journal, table and metrics call the way to a USIM."""


class UeUsim:
    """The USIM that answers the HSE's challenges, behind whatever driver speaks with the module.

    Args:
        path: the way to the card; none takes the best there is.
        soft: answers in the card's place; none asks the card in the module.
    """

    def __init__(self, path: UsimPath | None = None, soft: AkaFunction | None = None) -> None:
        self._wanted = path
        self._soft = soft
        self._module: Module | None = None
        self._usim: Usim | None = None
        self.path = ""
        """How it is reached, in the words of `USIM_PATHS`; empty before it was opened."""
        self.spent_s = 0.0
        """How long AUTHENTICATE took, all together, in seconds."""

    async def open(self, module: Module) -> None:
        """Find the way to the USIM; harmless when it is known.

        Args:
            module: the driver that speaks with the module now.

        Raises:
            firmware_bridge.UsimUnreachable: there is none.
            firmware_bridge.ModuleError: whatever else the module has against it.
        """
        if self._usim is not None and (self._soft is not None or self._module is module):
            return
        await self.close()
        if self._soft is not None:
            self._usim = SoftUsim(self._soft)
        else:
            self._usim = await open_usim(module, await probe_usim(module, self._wanted))
        self._module = module
        self.path = USIM_PATHS[self._usim.path]

    async def authenticate(self, module: Module, rand: bytes, autn: bytes) -> AkaAnswer:
        """Put a challenge to the USIM.

        Raises:
            firmware_bridge.UsimError: busy, or a refusal.
            firmware_bridge.ModuleError: whatever else the module has against it.
        """
        await self.open(module)
        assert self._usim is not None
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            return aka_answer(await self._usim.authenticate(rand, autn))
        finally:
            self.spent_s += loop.time() - begun

    async def close(self) -> None:
        """Give back what it holds of the card."""
        if self._usim is not None:
            await self._usim.close()
            self._usim = None


def card_function(usim: CardState) -> AkaFunction:
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
