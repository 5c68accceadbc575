"""What goes in and out of the user equipment: requests, counters, and who is told what happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Counters", "Observer", "PowerSavingRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSavingRequest:
    """What the host asks the network for."""

    enabled: bool
    """Whether power saving mode is wanted."""
    periodic_tau: str
    """Extended T3412, eight bits."""
    active_time: str
    """T3324, eight bits."""


@dataclass(slots=True)
class Counters:
    """What happened to datagrams."""

    sent: int = 0
    """Left the module towards the network."""
    received: int = 0
    """Reached the module."""
    lost_uplink: int = 0
    """Given up on the air, or lost in the core network."""
    lost_downlink: int = 0
    """Lost in the core network, on the air, or because nobody could be paged."""


class Observer(Protocol):
    """Whoever wants to know what the equipment does: the dialect, through the module."""

    def registration_changed(self) -> None:
        """Registration state, cell or granted timers are new."""

    def connection_changed(self, connected: bool) -> None:
        """An RRC connection came up or was released."""

    def power_saving_changed(self, entered: bool) -> None:
        """Power saving mode was entered or left."""

    def edrx_changed(self) -> None:
        """The network granted or withdrew extended DRX."""

    def datagram_left(self, socket: int, payload: bytes) -> None:
        """``payload`` reached the network on the far side of the core."""

    def datagram_arrived(self, socket: int, payload: bytes) -> None:
        """``payload`` reached the module."""
