"""A USIM in software, where no module leads to a real one."""

from __future__ import annotations

from firmware_bridge.aka import AkaFunction, UsimAnswer
from firmware_bridge.usim.contract import Usim, UsimPath, check_challenge

__all__ = ["SoftUsim"]


class SoftUsim(Usim):
    """An AKA function in place of a card. Takes no time and sends nothing.

    Its `path` is `UsimPath.SOFT` and its `soft` true: figures of its authentications hold no bytes
    and no time of a serial line, and its key is in this computer's memory.
    """

    path = UsimPath.SOFT

    def __init__(self, aka: AkaFunction, imsi: str = "") -> None:
        self._aka = aka
        self.imsi = imsi

    async def authenticate(self, rand: bytes, autn: bytes) -> UsimAnswer:
        """See `Usim.authenticate`; raises nothing of the line's."""
        check_challenge(rand, autn)
        return self._aka(rand, autn)

    async def close(self) -> None:
        """Nothing to give back."""
