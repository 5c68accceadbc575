"""What both ends of a ROHC channel agree on before the first packet (RFC 5795 section 5.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from rohc.errors import RohcUsageError

__all__ = ["LARGE_CID_MAX", "SMALL_CID_MAX", "Channel", "Mode", "Profile", "mode_of"]

SMALL_CID_MAX = 15
LARGE_CID_MAX = 16383


class Profile(IntEnum):
    """The profiles of the RFC 3095 family, by their registered numbers."""

    UNCOMPRESSED = 0x0000
    """RFC 3095 section 5.10"""
    RTP = 0x0001
    """RFC 3095 section 5.7"""
    UDP = 0x0002
    """RFC 3095 section 5.11"""
    ESP = 0x0003
    """RFC 3095 section 5.12"""
    IP = 0x0004
    """RFC 3843"""
    UDP_LITE_RTP = 0x0007
    """RFC 4019 section 5"""
    UDP_LITE = 0x0008
    """RFC 4019 section 5"""


class Mode(IntEnum):
    """The modes of operation with the numbers of the Mode field (RFC 3095 section 5.7.5)."""

    UNIDIRECTIONAL = 1
    OPTIMISTIC = 2
    RELIABLE = 3


_MODE_LETTERS = {"U": Mode.UNIDIRECTIONAL, "O": Mode.OPTIMISTIC, "R": Mode.RELIABLE}


def mode_of(letter: str) -> Mode:
    """The mode that a letter names.

    Args:
        letter: "U", "O" or "R".

    Raises:
        RohcUsageError: for any other text.
    """
    mode = _MODE_LETTERS.get(letter)
    if mode is None:
        raise RohcUsageError(f'mode is "U", "O" or "R", not {letter!r}')
    return mode


@dataclass(frozen=True, slots=True)
class Channel:
    """The parameters of one direction of a ROHC channel (RFC 5795 section 5.1.1).

    Args:
        max_cid: MAX_CID, the highest context identifier in use (not a count). 0 to 15 with small
            CIDs, 0 to 16383 with large CIDs.
        large_cids: LARGE_CIDS; False means that a CID other than 0 costs an Add-CID octet.
        profiles: PROFILES, the numbers (or `Profile`) that the decompressor supports.
        mrru: MRRU, the largest reconstructed unit in octets, its CRC included; 0 forbids
            segmentation.

    Raises:
        RohcUsageError: an argument out of its range, with the range in the text.
    """

    max_cid: int = SMALL_CID_MAX
    large_cids: bool = False
    profiles: Iterable[int] = (0, 1, 2, 3, 4, 7, 8)
    mrru: int = 0

    def __post_init__(self) -> None:
        limit = LARGE_CID_MAX if self.large_cids else SMALL_CID_MAX
        kind = "large" if self.large_cids else "small"
        if not 0 <= self.max_cid <= limit:
            raise RohcUsageError(f"max_cid is 0 to {limit} with {kind} CIDs, not {self.max_cid}")
        if not 0 <= self.mrru <= 65535:
            raise RohcUsageError(f"mrru is 0 to 65535 octets, not {self.mrru}")
        known = {int(profile) for profile in Profile}
        chosen = []
        for number in self.profiles:
            if int(number) not in known:
                names = ", ".join(f"0x{profile:04x}" for profile in sorted(known))
                raise RohcUsageError(f"profile 0x{int(number):04x} is not one of {names}")
            chosen.append(Profile(int(number)))
        if not chosen:
            raise RohcUsageError("profiles names no profile; at least one is needed")
        object.__setattr__(self, "profiles", tuple(sorted(set(chosen))))

    def allows(self, profile: int) -> bool:
        """Whether the channel's PROFILES hold this profile."""
        return profile in tuple(self.profiles)
