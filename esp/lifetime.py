"""How long a security association may be used (RFC 4301 section 4.4.2.1).

Two kinds of limit, in octets, packets and seconds, of which the first to be reached counts: at the
*soft* one a replacement is to be set up, at the *hard* one the SA ends. Octets and packets are
enforced by the SA itself; seconds are judged by who has a clock, with :meth:`Lifetime.state`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from esp.errors import InvalidParameter

__all__ = ["Lifetime", "LifetimeState", "Usage"]


class LifetimeState(Enum):
    """Where an SA is in its life."""

    CURRENT = "current"
    SOFT = "soft"  # set up a replacement now
    HARD = "hard"  # use it no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an SA had carried before the object that stands for it now was made: after a restart."""

    payload_bytes: int = 0
    """Payload octets, or more."""
    packets: int = 0
    """Packets, or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """Limits on one SA; None is no limit. Raises InvalidParameter when soft lies above hard."""

    soft_bytes: int | None = None
    """Payload octets after which to set up a replacement."""
    hard_bytes: int | None = None
    """Payload octets that the SA may carry."""
    soft_packets: int | None = None
    """Packets after which to set up a replacement."""
    hard_packets: int | None = None
    """Packets that the SA may carry."""
    soft_s: float | None = None
    """Seconds after which to set up a replacement."""
    hard_s: float | None = None
    """Seconds that the SA may live."""

    def __post_init__(self) -> None:
        for soft, hard, unit in (
            (self.soft_bytes, self.hard_bytes, "octets"),
            (self.soft_packets, self.hard_packets, "packets"),
            (self.soft_s, self.hard_s, "seconds"),
        ):
            if (soft is not None and soft <= 0) or (hard is not None and hard <= 0):
                raise InvalidParameter(f"a lifetime in {unit} is more than zero")
            if soft is not None and hard is not None and soft > hard:
                raise InvalidParameter(f"the soft lifetime of {soft} {unit} exceeds the hard one")

    def state(self, *, used_bytes: int, packets: int, age_s: float = 0.0) -> LifetimeState:
        """Where an SA is that has carried and lived so much."""
        used = (used_bytes, packets, age_s)
        if _reached(used, (self.hard_bytes, self.hard_packets, self.hard_s)):
            return LifetimeState.HARD
        if _reached(used, (self.soft_bytes, self.soft_packets, self.soft_s)):
            return LifetimeState.SOFT
        return LifetimeState.CURRENT

    def room_for(self, payload_bytes: int, *, used_bytes: int) -> bool:
        """Whether the hard limit lets an SA that has carried so much carry so much more."""
        return self.hard_bytes is None or used_bytes + payload_bytes <= self.hard_bytes

    @property
    def counts_bytes(self) -> bool:
        """Whether there is a limit on octets."""
        return self.soft_bytes is not None or self.hard_bytes is not None

    def deadlines_s(self) -> tuple[float, ...]:
        """The ages, in seconds, at which the state may change without any packet."""
        return tuple(limit for limit in (self.soft_s, self.hard_s) if limit is not None)


def _reached(
    used: tuple[int, int, float], limits: tuple[int | None, int | None, float | None]
) -> bool:
    return any(
        limit is not None and amount >= limit for amount, limit in zip(used, limits, strict=True)
    )
