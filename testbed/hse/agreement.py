"""The HSE's key exchanges: hello and AKA behind one door, and vectors that take their time.

Sans-IO. A source of vectors in this process is asked at once. Another one is asked by whoever runs
the gateway: it takes what `wanted` holds, and hands each outcome to `Gateway.supply`.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from esp import keying
from esp.aka import VectorSource
from testbed.compression import RohcSettings
from testbed.hse.events import SocketAddress

__all__ = ["AkaService", "KeyExchanges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaService:
    """AKA at an HSE."""

    vectors: VectorSource | None = None
    """Gives vectors at once; none: they are wanted, and supplied from outside."""
    hierarchy: keying.Hierarchy = field(default_factory=keying.Hierarchy)
    """How keys come from CK and IK."""
    knows: Callable[[str], bool] | None = None
    """Whether an identity is a subscriber; none where only the source of vectors can tell."""


class KeyExchanges:
    """Hello and AKA over one table of sessions, with where their replies go.

    Args:
        secrets: gives the secret shared with an identity, or ``None``.
        aka: AKA beside the hello; none has no AKA.
        allocate_spi: gives an unused SPI.
        accept: whether an identity may use an offer.
        rohc: what this end's ROHC can do.
        random: source of nonces.
    """

    def __init__(
        self,
        *,
        secrets: Callable[[str], bytes | None],
        aka: AkaService | None,
        allocate_spi: Callable[[], int],
        accept: Callable[[str, keying.Offer], bool],
        rohc: RohcSettings,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        sessions = keying.SessionTable()
        hello = keying.Responder(
            secrets, allocate_spi, accept=accept, random=random, sessions=sessions
        )
        responder = None
        if aka is not None:
            responder = keying.AkaResponder(
                allocate_spi,
                sessions=sessions,
                accept=accept,
                rohc=rohc.channel,
                hierarchy=aka.hierarchy,
                random=random,
            )
        self.both = keying.KeyAgreements(
            hello=hello, aka=responder, vectors=None if aka is None else aka.vectors
        )
        """Both exchanges."""
        self.wanted: list[keying.VectorWanted] = []
        """Vectors that somebody has to get; who takes them empties the list."""
        self._most_waiting = sessions.limits.waiting
        self._waiting: OrderedDict[int, SocketAddress] = OrderedDict()  # by token

    def handle(self, message: bytes, source: SocketAddress, now: float) -> keying.Handled:
        """Take a message, without the marker."""
        handled = self.both.handle(message, now)
        wanted = handled.wanted
        if wanted is not None:
            self.wanted.append(wanted)
            self._waiting[wanted.token] = source
            if len(self._waiting) > self._most_waiting:  # the responder waits for no more
                given_up, _ = self._waiting.popitem(last=False)
                self.wanted = [one for one in self.wanted if one.token != given_up]
        return handled

    def supply(
        self, token: int, outcome: keying.VectorOutcome, now: float
    ) -> tuple[keying.Handled, SocketAddress] | None:
        """Go on with a vector, or with why there is none; and where the reply goes.

        None for a token that nobody waits for any more.
        """
        source = self._waiting.pop(token, None)
        if source is None:
            return None
        return self.both.supply(token, outcome, now), source
