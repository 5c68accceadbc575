"""What a virtual module wants of the network around it, and what it reports of itself.

Actions must be carried out by whoever runs the module (see
:mod:`firmware_bridge.virtual.network`); events are for those who watch.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = [
    "Action",
    "DatagramSent",
    "Event",
    "EventKind",
    "LineLost",
    "NameAsked",
    "SocketClosed",
    "SocketOpened",
    "SocketRebound",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketOpened:
    """A UDP socket to ``address``:``port`` exists from now on."""

    at: float
    """Seconds on the module's clock."""
    socket: int
    """Its number: every socket of a module gets another one."""
    address: str
    """IPv4 or IPv6 address."""
    port: int
    """The far end's port."""
    local_port: int
    """The port on the module's own address; a NAT shows another one to the world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketClosed:
    """The socket is gone."""

    at: float
    """Seconds on the module's clock."""
    socket: int
    """Its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramSent:
    """A datagram leaves the mobile network for the far end."""

    at: float
    """Seconds on the module's clock."""
    socket: int
    """From this socket."""
    payload: bytes
    """UDP payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameAsked:
    """A name is to be resolved; answer with ``VirtualModule.resolved(token, ...)``."""

    at: float
    """Seconds on the module's clock."""
    token: int
    """To be given back."""
    host: str
    """The name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRebound:
    """The NAT has another binding for the socket: what it sends comes from another port now."""

    at: float
    """Seconds on the module's clock."""
    socket: int
    """Its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLost:
    """The device disappears; it comes back under another name."""

    at: float
    """Seconds on the module's clock."""
    duration_s: float
    """For how long."""


Action = SocketOpened | SocketClosed | SocketRebound | DatagramSent | NameAsked | LineLost


class EventKind(enum.Enum):
    """What happened inside the module."""

    REGISTRATION = "registration"
    """``value``: the new registration state as +CEREG counts."""
    CONNECTED = "connected"
    """RRC connection up."""
    RELEASED = "released"
    """RRC connection released."""
    POWER_SAVING_ENTERED = "power saving entered"
    """PSM: nobody can reach the module."""
    POWER_SAVING_LEFT = "power saving left"
    """It connects again."""
    FELL_ASLEEP = "fell asleep"
    """The processor is down, the line deaf."""
    WOKE_UP = "woke up"
    """The line hears again."""
    RESTARTED = "restarted"
    """Reset, by command or by fault."""
    SENT = "sent"
    """A datagram of ``value`` bytes left the core network."""
    FAULT = "fault"
    """A fault of the script began."""
    RECEIVED = "received"
    """A datagram of ``value`` bytes reached the module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    at: float
    """Seconds on the module's clock."""
    kind: EventKind
    """What."""
    value: int = 0
    """See :class:`EventKind`."""
