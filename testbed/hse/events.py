"""What the gateway says: where datagrams go, how messages passed, what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from esp import keying

__all__ = [
    "GatewayLimits",
    "GatewayObserver",
    "GatewaySnapshot",
    "HsePort",
    "Passage",
    "Reply",
    "SocketAddress",
]

SocketAddress = tuple[str, int]
"""Host and port."""


class HsePort(StrEnum):
    """The three ports of an HSE."""

    ESP = "esp"
    """ESP in UDP, the key exchange behind the non-ESP marker (RFC 3948)."""
    ROHC = "rohc"
    """ROHC packets without security."""
    PLAIN = "plain"
    """Datagrams without anything."""


class Reply(NamedTuple):
    """A datagram that the gateway wants sent."""

    port: HsePort
    """The port to send it from."""
    data: bytes
    """Its payload."""
    destination: SocketAddress
    """Where it goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The way of one message through the gateway; times in seconds on the observer's clock."""

    port: HsePort
    """The port it came in by."""
    identity: str
    """Who sent it, ``""`` without security."""
    payload: bytes
    """What the application got."""
    received_at: float
    """The datagram was read off its socket."""
    verified_at: float | None
    """Replay window and ICV accepted it; none without security."""
    decompressed_at: float | None
    """The inner packet was there; none without compression."""
    answered_at: float | None
    """The answer was ready to be sent; none when the application gave none."""
    packet_type: str | None
    """The ROHC packet type it came in, such as ``UO-0``; none without compression."""


class GatewayObserver(Protocol):
    """Something that wants to know when messages pass and when sessions begin."""

    def clock(self) -> float:
        """The time for the stamps of a `Passage`."""
        ...

    def passed(self, passage: Passage) -> None:
        """A message reached the application."""
        ...

    def keyed(self, session: keying.Session) -> None:
        """A key exchange gave new keys."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Bounds on what peers can make the gateway remember."""

    sessions: int = 20_000
    """Sessions at most that a packet has proven; the one unused for longest goes first."""
    rohc_peers: int = 1_024
    """Addresses on the ROHC port whose contexts are kept."""
    notices_per_s: float = 10.0
    """Notices that an association is not known, per second; 0 sends none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySnapshot:
    """What the gateway has counted so far."""

    datagrams: Mapping[str, int]
    """Datagrams read, by port."""
    bytes_received: Mapping[str, int]
    """Octets of their payloads, by port."""
    delivered: Mapping[str, int]
    """Messages that reached the application, by port."""
    answered: Mapping[str, int]
    """Answers given back, by port."""
    rejected: Mapping[tuple[str, str], int]
    """Datagrams refused, by port and reason."""
    feedback: Mapping[str, int]
    """Packets sent that hold ROHC feedback and nothing else, by port."""
    repairs: Mapping[str, int]
    """ROHC channels that gave a packet again after they had refused one, by port."""
    lifetimes: Mapping[str, int]
    """Sessions that reached their ``soft`` or their ``hard`` lifetime."""
    notices: int
    """Notices sent that an association is not known."""
    keepalives: int
    """NAT keepalives seen (RFC 3948 section 2.3)."""
    exchanges: int
    """Key exchanges that gave a session."""
    sessions: int
    """Sessions alive now."""
    security_associations: int
    """Inbound security associations alive now."""
    rohc_contexts: int
    """ROHC channels alive now: one each way per session or address that compresses."""

    @property
    def rejected_total(self) -> int:
        """All refused datagrams."""
        return sum(self.rejected.values())
