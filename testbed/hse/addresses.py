"""Which inner source address a UE may speak for.

Two ways, and the strict one needs configuration:

* *Assigned.* The operator names the addresses of an identity. They become the traffic selectors of
  its inbound associations (RFC 4301 section 5.2), and nobody else may use them.
* *Learned.* Where nothing is assigned, an association is bound to the first source address of each
  IP version that comes out of it, and the address belongs to its identity for as long as one of the
  identity's associations is bound to it. A second address is refused, and so is somebody else's:
  assigned or learned.

An address is claimed by an authentic packet only, so each identity holds as many as it may have
sessions. It is free again when the last of its sessions is gone: replaced, expired, or crowded out.
Who assigns nothing lets whoever speaks first have an address; ``docs/decisions`` says why that is
the default. Where benches with the same traffic share an HSE on purpose, learned addresses may be
shared: answers go back over the association that the question came from, never by inner address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network

import esp

__all__ = ["ADDRESS_IN_USE", "AddressBook", "AddressPlan", "SourceBinding"]

ADDRESS_IN_USE = "address-in-use"
"""Reason of a packet whose inner source address another identity holds."""

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
        self._owners: dict[tuple[int, int], dict[int, str]] = {}  # by octets, bits behind prefix
        claims = [(net, name) for name, networks in self._assigned.items() for net in networks]
        for network, name in sorted(claims, key=lambda claim: claim[0].prefixlen):
            # Two networks overlap only where one holds the other, and the larger one came first.
            address = network.network_address.packed
            other = self._owner(address)
            if other not in (None, name):
                raise ValueError(f"{name!r} and {other!r} share addresses of {network}")
            behind = network.max_prefixlen - network.prefixlen
            owners = self._owners.setdefault((len(address), behind), {})
            owners[int.from_bytes(address, "big") >> behind] = name

    def selectors(self, identity: str) -> esp.TrafficSelectors | None:
        """What an identity's packets must match; none when its address is learned."""
        networks = self._assigned.get(identity)
        if not networks:
            return None
        return esp.TrafficSelectors(esp.Selector(source=network) for network in networks)

    def is_anothers(self, identity: str, address: bytes) -> bool:
        """Whether an address is assigned to somebody else."""
        return self._owner(address) not in (None, identity)

    def _owner(self, address: bytes) -> str | None:
        """Whose an address is: one look per length of prefix in use."""
        number = int.from_bytes(address, "big")
        for (octets, behind), owners in self._owners.items():
            if octets == len(address) and (owner := owners.get(number >> behind)) is not None:
                return owner
        return None


class AddressBook:
    """Who holds which learned address now.

    Args:
        plan: says which addresses are assigned.
        shared: several identities may hold one learned address.
    """

    __slots__ = ("_holders", "_plan", "_shared")

    def __init__(self, plan: AddressPlan, *, shared: bool = False) -> None:
        self._plan = plan
        self._shared = shared
        self._holders: dict[bytes, Counter[str]] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def refusal(self, identity: str, address: bytes) -> str | None:
        """Why an identity may not use an address, as a counter's label; none when it may."""
        if self._plan.is_anothers(identity, address):
            return esp.Reason.WRONG_SELECTOR
        if not self._shared and self._holders.get(address, {identity: 1}).keys() != {identity}:
            return ADDRESS_IN_USE
        return None

    def hold(self, identity: str, address: bytes) -> None:
        """One more session of an identity uses an address."""
        self._holders.setdefault(address, Counter())[identity] += 1

    def release(self, identity: str, address: bytes) -> None:
        """One less does."""
        holders = self._holders[address]
        holders[identity] -= 1
        if not holders[identity]:
            del holders[identity]
        if not holders:
            del self._holders[address]


class SourceBinding:
    """The learned source addresses of one association: one of each IP version.

    Args:
        book: says which addresses are somebody else's.
        identity: who speaks over the association.
        learned: what it was bound to before a restart; what is somebody else's by now is not taken.
    """

    __slots__ = ("_book", "_identity", "_learned", "_released")

    def __init__(self, book: AddressBook, identity: str, learned: Iterable[bytes] = ()) -> None:
        self._book = book
        self._identity = identity
        self._learned: dict[int, bytes] = {}
        self._released = False
        for address in learned:
            self.refusal(address)

    @property
    def learned(self) -> tuple[bytes, ...]:
        """The addresses, 4 and 16 octets."""
        return tuple(self._learned.values())

    def holds(self, source: bytes) -> bool:
        """Whether the association is bound to a source address: for each packet."""
        return self._learned.get(len(source)) == source

    def refusal(self, source: bytes) -> str | None:
        """Why a source address may not be used, as a counter's label.

        None when it may: then it is the first of its IP version, and learned.
        """
        if len(source) in self._learned:
            return esp.Reason.WRONG_SELECTOR
        refusal = self._book.refusal(self._identity, source)
        if refusal is None:
            self._learn(source)
        return refusal

    def _learn(self, address: bytes) -> None:
        self._learned[len(address)] = address
        if not self._released:
            self._book.hold(self._identity, address)

    def release(self) -> None:
        """The association is gone: it holds nothing any more.

        It stays bound, for packets that it had accepted before.
        """
        for address in self._learned.values():
            self._book.release(self._identity, address)
        self._released = True
