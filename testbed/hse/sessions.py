"""What the gateway remembers: sessions, contexts, counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import esp
import rohc
from esp import keying
from esp.rohcoipsec import CompressedTunnel
from testbed.hse.addresses import SourceBinding
from testbed.hse.events import SocketAddress

__all__ = ["Accepted", "Counts", "RohcPeer", "Session"]


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """One UE's session: two associations, perhaps a ROHC channel each way."""

    spi: int
    """SPI of what it receives."""
    keys: keying.Session
    outbound: esp.OutboundAssociation
    tunnel: CompressedTunnel | None
    peer: SocketAddress
    sources: SourceBinding | None
    """The learned addresses; none when ESP checks assigned ones, or there are no inner packets."""
    begun_at: float
    """When its keys were agreed on."""
    ends_at: float
    """When its lifetime in seconds is over."""
    proven: bool = False
    """Whether a packet has shown that the peer holds the keys."""
    manual: bool = False
    """Whether its keys are configured: they outlive it."""
    soft: bool = False
    """Whether it has reached its soft lifetime."""
    highest: int = -1
    """The newest number, which says where the peer is."""
    segment_bytes: int = 0
    """The largest ROHC segment that came from this UE: its module takes no larger ones, so that
    answers go in such segments, too. 0 before there was one."""
    broken: bool = False
    """Whether its last ROHC packet was refused by the decompressor."""


class Accepted(NamedTuple):
    """A packet that ESP accepted, on its way to the application."""

    session: Session
    opened: esp.Unprotected
    received_at: float
    verified_at: float | None


@dataclass(slots=True, eq=False)
class RohcPeer:
    """The contexts of one address on the ROHC port."""

    compressor: rohc.Compressor
    decompressor: rohc.Decompressor
    broken: bool = False
    """Whether its last packet was refused by the decompressor."""


@dataclass(slots=True)
class Counts:
    """What was counted, as `GatewaySnapshot` names it."""

    datagrams: Counter[str] = field(default_factory=Counter)
    bytes_received: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    feedback: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    lifetimes: Counter[str] = field(default_factory=Counter)
    keepalives: int = 0
    notices: int = 0
    exchanges: int = 0
