"""What authentication and key agreement on a USIM ends in, and the function that does it.

The virtual card and the soft USIM get their AKA as an argument, an :data:`AkaFunction`, so that
this package needs no cryptography. A real card answers with the same records.

Terms are TS 33.102's; sizes in octets: RAND 16, AUTN 16, RES 4 to 16, CK 16, IK 16, AUTS 14, Kc 8.
None of the records shows its contents when it is printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = [
    "AkaFunction",
    "NetworkFunction",
    "UsimAnswer",
    "UsimBootstrapped",
    "UsimMacFailure",
    "UsimSuccess",
    "UsimSyncFailure",
]


def _sized(name: str, value: bytes, low: int, high: int) -> None:
    if not low <= len(value) <= high:
        span = str(low) if low == high else f"{low} to {high}"
        raise ValueError(f"{name} has {span} octets, not {len(value)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsimSuccess:
    """The network is genuine and its challenge fresh."""

    res: bytes = field(repr=False)
    """Response, 4 to 16 octets."""
    ck: bytes = field(repr=False)
    """Cipher key."""
    ik: bytes = field(repr=False)
    """Integrity key."""
    kc: bytes | None = field(default=None, repr=False)
    """GSM cipher key; None where the card gives none (it needs service 27)."""

    def __post_init__(self) -> None:
        _sized("RES", self.res, 4, 16)
        _sized("CK", self.ck, 16, 16)
        _sized("IK", self.ik, 16, 16)
        if self.kc is not None:
            _sized("Kc", self.kc, 8, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsimSyncFailure:
    """The challenge is genuine, but its sequence number is out of range."""

    auts: bytes = field(repr=False)
    """For the home network to synchronise with, 14 octets."""

    def __post_init__(self) -> None:
        _sized("AUTS", self.auts, 14, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsimMacFailure:
    """The challenge does not come from the home network, or was altered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsimBootstrapped:
    """GBA_U: the network is genuine; Ks stays in the card."""

    res: bytes = field(repr=False)
    """Response, 4 to 16 octets."""

    def __post_init__(self) -> None:
        _sized("RES", self.res, 4, 16)


UsimAnswer = UsimSuccess | UsimSyncFailure | UsimMacFailure
"""How AUTHENTICATE ends."""

AkaFunction = Callable[[bytes, bytes], UsimAnswer]
"""RAND and AUTN, 16 octets each, to the answer; keeps the card's sequence numbers itself."""

NetworkFunction = Callable[[AkaFunction], bool]
"""The network's side of an attach: puts its challenges to the card, and says whether the card is
genuine."""
