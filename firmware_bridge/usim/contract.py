"""What a USIM offers to the UE, be it a card or software."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum

from firmware_bridge.aka import UsimAnswer

__all__ = ["Usim", "UsimPath", "check_challenge"]


class UsimPath(Enum):
    """How the USIM is reached."""

    CHANNEL = "channel"
    """A logical channel of the card: AT+CCHO, AT+CGLA."""
    BASIC = "basic"
    """The basic channel, which the modem uses too: AT+CSIM."""
    SOFT = "soft"
    """No card: software in its place."""


class Usim(ABC):
    """One USIM."""

    path: UsimPath
    """How it is reached."""
    imsi: str
    """The subscriber's identity, "" if it is not known. Mask it wherever it is shown."""

    @property
    def soft(self) -> bool:
        """Software stands in for the card: whatever comes of it must be labelled so."""
        return self.path is UsimPath.SOFT

    @abstractmethod
    async def authenticate(self, rand: bytes, autn: bytes) -> UsimAnswer:
        """Run AKA on the challenge `rand`, `autn` (16 octets each).

        Every call may use up a sequence number of the card's, the ones that raise too.

        Raises `UsimBusy`, `UsimRefused`, `UsimUnreachable`, `SimNotReady`, `UnexpectedAnswer`,
        and what the line raises (`ModuleTimeout`, `ModuleRebooted`, `LineLost`).
        """

    @abstractmethod
    async def close(self) -> None:
        """Give back what it holds of the card. Never raises `ModuleError`."""


def check_challenge(rand: bytes, autn: bytes) -> None:
    """Raises `ValueError` for a challenge of another length."""
    if len(rand) != 16 or len(autn) != 16:
        raise ValueError(f"RAND and AUTN have 16 octets each, not {len(rand)} and {len(autn)}")
