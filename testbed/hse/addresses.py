"""Which inner source address a UE may speak for.

Two ways, and the strict one needs configuration:

* *Assigned.* The subscriber file names the addresses of an identity. They become the traffic
  selectors of its inbound associations (RFC 4301 section 5.2), and nobody else may use them.
* *Learned.* Where nothing is assigned, an association is bound to the first source address of each
  IP version that comes out of it. A second one is refused; so is one that is assigned to another.

An HSE that knows no addresses can't tell whose a learned one is. First come first served across
identities would let whoever is first lock the owner out, so it does not try: answers go back over
the association that the question came from, never by inner address, and two UEs with the same
inner address do not meet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

import esp
from esp.errors import WrongSelector
from testbed.packets import InnerPacket

__all__ = ["AddressPlan", "SourceBinding"]

Network = IPv4Network | IPv6Network


class AddressPlan:
    """The addresses that are assigned to identities.

    Args:
        assigned: networks by identity; an identity without an entry has learned addresses.

    Raises:
        ValueError: two identities share an address.
    """

    def __init__(self, assigned: Mapping[str, Iterable[Network]] | None = None) -> None:
        self._assigned = {name: tuple(nets) for name, nets in (assigned or {}).items()}
        seen: list[tuple[str, Network]] = []
        for name, networks in self._assigned.items():
            for network in networks:
                for other, taken in seen:
                    if other != name and _overlap(network, taken):
                        raise ValueError(f"{name!r} and {other!r} share addresses of {network}")
                seen.append((name, network))
        self._all = tuple(seen)

    def selectors(self, identity: str) -> esp.TrafficSelectors | None:
        """What an identity's packets must match; none when its address is learned."""
        networks = self._assigned.get(identity)
        if not networks:
            return None
        return esp.TrafficSelectors(esp.Selector(source=network) for network in networks)

    def is_anothers(self, identity: str, address: bytes) -> bool:
        """Whether an address is assigned to somebody else."""
        if not self._all:
            return False
        one = ip_address(address)
        return any(name != identity and one in network for name, network in self._all)


def _overlap(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.overlaps(other)
    return isinstance(other, IPv6Network) and one.overlaps(other)


class SourceBinding:
    """The learned source addresses of one association: one of each IP version.

    Args:
        plan: says which addresses are somebody else's.
        identity: who speaks over the association.
    """

    __slots__ = ("_identity", "_learned", "_plan")

    def __init__(self, plan: AddressPlan, identity: str) -> None:
        self._plan = plan
        self._identity = identity
        self._learned: dict[int, bytes] = {}

    def require(self, inner: InnerPacket) -> None:
        """Let a packet pass, and learn its source address if it is the first.

        Raises:
            WrongSelector: another source address than the one learned, or somebody else's.
        """
        learned = self._learned.get(inner.version)
        if learned == inner.source:
            return
        if learned is not None:
            raise WrongSelector("the source address is not the one of this association")
        if self._plan.is_anothers(self._identity, inner.source):
            raise WrongSelector("the source address is assigned to another UE")
        self._learned[inner.version] = inner.source
