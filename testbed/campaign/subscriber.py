"""Who a run's UE is to AKA: its key at the HSE that the run starts, and in the card that is ours.

A virtual module's card, and a soft USIM, are new cards at each run, with nothing accepted yet. The
virtual network attaches such a card with AKA, too, from a centre of its own that knows nothing of
the HSE's numbers, and holds vectors back as a real one does: INDs keep the two apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from esp.aka import (
    AuthenticationCentre,
    AuthenticationVector,
    Milenage,
    Purpose,
    SequenceProfile,
    Subscriber,
    Usim,
)
from esp.errors import KeyingRejected
from firmware_bridge.aka import (
    AkaFunction,
    NetworkFunction,
    UsimMacFailure,
    UsimSuccess,
    UsimSyncFailure,
)
from testbed.bench import Bench, Keys
from testbed.bench.subscribers import AkaSubscribers, read_aka_subscribers
from testbed.errors import UsageError
from testbed.ue.usim import card_function

__all__ = ["Card", "bench_centre", "bench_subscribers", "own_card"]

_HELD_VECTORS = 5
"""So many vectors a network's node fetches at once, and holds back (TS 33.102 section 6.3.1)."""


def bench_subscribers(bench: Bench) -> AkaSubscribers | None:
    """The subscribers of a bench with keys from AKA, of whom one is its UE.

    None where the run needs no key: it has another source of keys, or the card is a real one.

    Raises:
        UsageError: the file can't be used, or lacks the bench's identity.
    """
    if bench.keys is not Keys.AKA:
        return None
    path = bench.aka.subscribers
    if path is None:
        if not bench.makes_subscriber:
            return None
        random = bench.random("subscriber")
        made = Subscriber(identity=bench.identity, algorithm=Milenage(k=random(16), opc=random(16)))
        return AkaSubscribers(subscribers=(made,), profile=SequenceProfile())
    known = read_aka_subscribers(path)
    if all(one.identity != bench.identity for one in known.subscribers):
        raise UsageError(
            f"{path} has no subscriber with the bench's identity",
            hint="Give identity: NAME in the bench file, or --identity NAME, as it stands there.",
        )
    return known


def bench_centre(bench: Bench, known: AkaSubscribers, part: int = 0) -> AuthenticationCentre:
    """The HSE's authentication centre.

    Args:
        bench: the description.
        known: its subscribers.
        part: which part of a resumed run it is for: no part uses another's RANDs.
    """
    return AuthenticationCentre(
        known.subscribers, profile=known.profile, random=bench.random("vectors", part)
    )


class Card:
    """A card of ours, in a virtual module or in its place.

    Args:
        subscriber: whose card.
        profile: how it judges sequence numbers.
        random: RANDs of the network that it attaches to.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        profile: SequenceProfile,
        random: Callable[[int], bytes],
    ) -> None:
        self.usim = Usim(subscriber.algorithm, profile=profile)
        """Its state."""
        self.authenticate: AkaFunction = card_function(self.usim)
        """AKA on it."""
        self.attach: NetworkFunction = self._attach
        """The network's side of attaching it."""
        self.resynchronisations = 0
        """How often the network had to resynchronise."""
        self._identity = subscriber.identity
        self._network = AuthenticationCentre((subscriber,), profile=profile, random=random)
        self._held: deque[AuthenticationVector] = deque()

    def _attach(self, aka: AkaFunction) -> bool:
        for again in (True, False):
            if not self._held:
                self._held.extend(
                    self._network.vector(self._identity, Purpose.ATTACH)
                    for _ in range(_HELD_VECTORS)
                )
            vector = self._held.popleft()
            match aka(vector.rand, vector.autn):
                case UsimSuccess(res=res):
                    return res == vector.xres
                case UsimSyncFailure(auts=auts) if again:
                    self.resynchronisations += 1
                    self._held.clear()
                    try:
                        self._network.resynchronise(self._identity, vector.rand, auts)
                    except KeyingRejected:
                        return False
                case UsimSyncFailure() | UsimMacFailure():
                    return False
        return False


def own_card(bench: Bench, known: AkaSubscribers | None, part: int = 0) -> Card | None:
    """The card of the bench's UE, where it is not a real one.

    Args:
        bench: the description.
        known: its subscribers.
        part: which part of a resumed run it is for.
    """
    if known is None:
        return None
    mine = next((one for one in known.subscribers if one.identity == bench.identity), None)
    if mine is None:
        return None
    return Card(mine, known.profile, bench.random("attach", part))
