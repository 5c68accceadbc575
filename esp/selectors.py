"""Traffic selectors and the security policy database (RFC 4301 sections 4.4.1 and 5).

Outbound, the policy database says what happens to a packet: the first entry whose selector matches
decides, and what no entry names is discarded (section 5.1). Inbound, an SA carries the selectors
that it was set up for, and what comes out of it must match one of them (section 5.2 step 4): so a
UE can't speak for another's address, whatever its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Generic, NamedTuple, TypeVar

from esp.errors import InvalidParameter, MalformedInner, WrongSelector
from esp.ip import upper_layer

__all__ = [
    "Action",
    "PolicyEntry",
    "SecurityPolicyDatabase",
    "Selector",
    "TrafficSelectors",
    "selected_fields",
]

Target = TypeVar("Target")
_PORTED = (6, 17, 33, 132, 136)  # TCP, UDP, DCCP, SCTP, UDP-Lite: ports in the first four octets


class SelectedFields(NamedTuple):
    """The fields of a packet that selectors look at."""

    version: int
    """4 or 6."""
    source: int
    """Source address as a number."""
    destination: int
    """Destination address as a number."""
    protocol: int
    """Upper-layer protocol."""
    source_port: int | None
    """None where the packet has none, or hides it as a later fragment does (OPAQUE)."""
    destination_port: int | None
    """Likewise."""


def selected_fields(packet: bytes) -> SelectedFields:
    """The fields of an IP packet; raises :class:`~esp.errors.MalformedInner`."""
    layer = upper_layer(packet)
    version = packet[0] >> 4
    start, size = (12, 4) if version == 4 else (8, 16)
    middle = start + size
    ports: tuple[int, int] | tuple[None, None] = (None, None)
    at = layer.start
    if layer.protocol in _PORTED and not layer.later_fragment and len(packet) >= at + 4:
        ports = (packet[at] << 8 | packet[at + 1], packet[at + 2] << 8 | packet[at + 3])
    return SelectedFields(
        version,
        int.from_bytes(packet[start:middle], "big"),
        int.from_bytes(packet[middle : middle + size], "big"),
        layer.protocol,
        *ports,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """One set of conditions; None matches anything (ANY)."""

    source: IPv4Network | IPv6Network | None = None
    """Network that the source address lies in."""
    destination: IPv4Network | IPv6Network | None = None
    """Network that the destination address lies in."""
    protocol: int | None = None
    """Upper-layer protocol number."""
    source_ports: range | None = None
    """Source ports; a packet that shows none does not match."""
    destination_ports: range | None = None
    """Destination ports; a packet that shows none does not match."""

    def __post_init__(self) -> None:
        if (
            self.source is not None
            and self.destination is not None
            and self.source.version != self.destination.version
        ):
            raise InvalidParameter("a selector names networks of one IP version")

    def matches(self, fields: SelectedFields) -> bool:
        """Whether a packet with these fields is meant."""
        return (
            (self.protocol is None or self.protocol == fields.protocol)
            and _inside(self.source, fields.version, fields.source)
            and _inside(self.destination, fields.version, fields.destination)
            and _among(self.source_ports, fields.source_port)
            and _among(self.destination_ports, fields.destination_port)
        )


def _among(ports: range | None, port: int | None) -> bool:
    return ports is None or (port is not None and port in ports)


def _inside(network: IPv4Network | IPv6Network | None, version: int, address: int) -> bool:
    return network is None or (
        network.version == version
        and int(network.network_address) == address & int(network.netmask)
    )


class TrafficSelectors:
    """The selectors of one SA: a packet must match one of them."""

    __slots__ = ("_host", "_selectors")

    def __init__(self, selectors: Iterable[Selector]) -> None:
        self._selectors = tuple(selectors)
        if not self._selectors:
            raise InvalidParameter("an SA without a selector carries nothing")
        self._host = _single_source(self._selectors)

    def __iter__(self) -> Iterator[Selector]:
        return iter(self._selectors)

    def matches(self, packet: bytes) -> bool:
        """Whether an IP packet is meant; raises MalformedInner when it is none."""
        # The common case, one address of a UE and nothing else, costs one comparison.
        host = self._host
        if host is not None:
            version, address = host
            if packet[0] >> 4 != version:
                return False
            return packet[12:16] == address if version == 4 else packet[8:24] == address
        fields = selected_fields(packet)
        return any(selector.matches(fields) for selector in self._selectors)

    def require(self, packet: bytes) -> bytes:
        """The packet; raises :class:`~esp.errors.WrongSelector` when it is not meant."""
        if not packet:
            raise MalformedInner("no packet")
        if not self.matches(packet):
            raise WrongSelector("the inner packet is not one that this association may carry")
        return packet


def _single_source(selectors: tuple[Selector, ...]) -> tuple[int, bytes] | None:
    """Version and address, if the selectors say nothing but one source address."""
    if len(selectors) != 1:
        return None
    only = selectors[0]
    source = only.source
    if source is None or source.num_addresses != 1 or only != Selector(source=source):
        return None
    return source.version, source.network_address.packed


class Action(Enum):
    """What a policy entry does with a packet (RFC 4301 section 4.4.1)."""

    PROTECT = "protect"
    BYPASS = "bypass"
    DISCARD = "discard"


class PolicyEntry(Generic[Target]):
    """One line of the policy database.

    Arguments:
        selector: which packets.
        action: what happens to them.
        target: whatever protects them (an SA, a session): with PROTECT, and only then.

    Raises :class:`~esp.errors.InvalidParameter`.
    """

    # A plain class, since mypyc compiles no generic dataclass.
    __slots__ = ("action", "selector", "target")

    def __init__(self, *, selector: Selector, action: Action, target: Target | None = None) -> None:
        if (target is None) == (action is Action.PROTECT):
            raise InvalidParameter("PROTECT names what protects, and nothing else does")
        self.selector = selector
        self.action = action
        self.target = target

    def __repr__(self) -> str:
        return f"PolicyEntry({self.action.value}, {self.selector!r})"


class SecurityPolicyDatabase(Generic[Target]):
    """An ordered list of entries; the first match decides."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[PolicyEntry[Target]] = ()) -> None:
        self._entries = list(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, entry: PolicyEntry[Target]) -> None:
        """Add an entry behind all others."""
        self._entries.append(entry)

    def remove(self, entry: PolicyEntry[Target]) -> None:
        """Take an entry out; raises InvalidParameter when it is not there."""
        try:
            self._entries.remove(entry)
        except ValueError:
            raise InvalidParameter("the policy database has no such entry") from None

    def find(self, packet: bytes) -> PolicyEntry[Target] | None:
        """The entry that decides about an IP packet; None: discard it (RFC 4301 section 5.1).

        Raises :class:`~esp.errors.MalformedInner` when it is no IP packet.
        """
        fields = selected_fields(packet)
        for entry in self._entries:
            if entry.selector.matches(fields):
                return entry
        return None
