"""What a module tells unasked. `at` is the loop time at which the line's last byte was read, s."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.modules.records import Registration

__all__ = [
    "AddressChanged",
    "DeepSleepEntered",
    "DeepSleepLeft",
    "Degraded",
    "LineVanished",
    "ModuleEvent",
    "NetworkContextLost",
    "NoiseRead",
    "PsmEntered",
    "PsmLeft",
    "Rebooted",
    "RegistrationChanged",
    "RrcConnected",
    "RrcReleased",
    "SimChanged",
    "SocketClosed",
    "UnknownEvent",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleEvent:
    """Root of all events."""

    at: float
    """Loop time at which it was read, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RrcConnected(ModuleEvent):
    """A radio connection stands (`+CSCON: 1`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RrcReleased(ModuleEvent):
    """The radio connection was released (`+CSCON: 0`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PsmEntered(ModuleEvent):
    """The module went into power saving mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PsmLeft(ModuleEvent):
    """The module came out of power saving mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSleepEntered(ModuleEvent):
    """The module's processor went to sleep and stops listening to the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSleepLeft(ModuleEvent):
    """The module's processor runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebooted(ModuleEvent):
    """A boot banner was read."""

    banner: str
    """The line that gave it away."""
    expected: bool = False
    """The driver itself had asked for the reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketClosed(ModuleEvent):
    """A socket is gone without the caller having closed it."""

    socket_id: int
    """The module's number of the socket."""
    reason: str
    """`deep-sleep`, `reboot`, `network`, `context-lost`, `line-lost`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationChanged(ModuleEvent):
    """The module reported its registration."""

    registration: Registration
    """As decoded from +CEREG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChanged(ModuleEvent):
    """The network gave the module an address."""

    address: str
    """IPv4 or IPv6 address as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkContextLost(ModuleEvent):
    """The network took the PDN connection away."""

    context_id: int
    """The module's number of the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimChanged(ModuleEvent):
    """The SIM's state changed (`+CPIN: READY`, `NOT READY`, `NOT INSERTED`)."""

    state: str
    """As the module said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineVanished(ModuleEvent):
    """The port is gone (USB unplugged, serial server closed)."""

    reason: str
    """The system's word for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded(ModuleEvent):
    """The firmware lacks something that the driver would have used; it goes on without."""

    feature: str
    """What is missing, e.g. `psm-events`."""
    reason: str
    """What the module answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseRead(ModuleEvent):
    """Octets that belong to no command and that the family's table does not know."""

    octets: int
    """How many, as far as they were kept."""
    garbage: bool
    """They are no line of a module at all; False: a line, but one that nobody asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(ModuleEvent):
    """An unsolicited line that the family's table knows but that has no event of its own."""

    name: str
    """The table's name of it."""
    text: str
    """The line."""
