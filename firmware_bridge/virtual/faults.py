"""What can go wrong with a module, as a script: so many seconds after it was made, this happens."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["Fault", "FaultKind"]


class FaultKind(enum.Enum):
    """What goes wrong."""

    REBOOT = "reboot"
    """The module restarts by itself, without detaching; sockets and settings are gone."""
    HANG = "hang"
    """It neither hears nor says anything for ``duration_s``."""
    GARBAGE = "garbage"
    """For ``duration_s`` everything that it says comes out as other bytes."""
    FLOOD = "flood"
    """For ``duration_s`` it says senseless lines, fifty a second."""
    CARD_REMOVED = "card removed"
    """The card is out of its slot for ``duration_s``."""
    NETWORK_LOST = "network lost"
    """There is no cell for ``duration_s``."""
    VANISH = "vanish"
    """The device disappears for ``duration_s`` and comes back under another name, rebooted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    at_s: float
    """Seconds after the module was made."""
    kind: FaultKind
    """What."""
    duration_s: float = 0.0
    """How long, where it lasts."""

    def __post_init__(self) -> None:
        if self.at_s < 0 or self.duration_s < 0:
            raise ValueError("a fault is not before the start, and lasts no negative time")
