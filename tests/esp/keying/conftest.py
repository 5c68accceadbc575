"""An HSE, its authentication centre, and UEs with USIMs, all in memory."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from esp import suite
from esp.aka import (
    AuthenticationCentre,
    AuthenticationVector,
    Milenage,
    Subscriber,
    Usim,
)
from esp.errors import KeyingRejected
from esp.keying import (
    AkaInitiator,
    AkaResponder,
    Challenge,
    Handled,
    KeyAgreements,
    Limits,
    Offer,
    Reply,
    Session,
    SessionTable,
)

TUNNEL = Offer(suite=suite("aes-gcm-16-128"))


class CountingSource:
    """The centre, with what was asked of it."""

    def __init__(self, centre: AuthenticationCentre) -> None:
        self.centre = centre
        self.given: list[AuthenticationVector] = []
        self.resynchronised = 0
        self.fails: KeyingRejected | OSError | None = None

    def vector(self, identity: str) -> AuthenticationVector:
        if self.fails is not None:
            raise self.fails
        vector = self.centre.vector(identity)
        self.given.append(vector)
        return vector

    def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        self.centre.resynchronise(identity, rand, auts)
        self.resynchronised += 1


class World:
    """One HSE for some identities; options go to its responder."""

    def __init__(
        self,
        *identities: str,
        seed: int = 1,
        limits: Limits | None = None,
        ask_at_once: bool = True,
        **options: object,
    ) -> None:
        self.chance = random.Random(seed)
        names = identities or ("ue-1",)
        self.algorithms = {name: self.algorithm() for name in names}
        self.subscribers = [
            Subscriber(identity=name, algorithm=one) for name, one in self.algorithms.items()
        ]
        self.source = CountingSource(
            AuthenticationCentre(self.subscribers, random=self.chance.randbytes)
        )
        self.cards = {name: Usim(one) for name, one in self.algorithms.items()}
        self.limits = limits
        self.ask_at_once = ask_at_once
        self.options = options
        self.restart()

    def algorithm(self) -> Milenage:
        """Another subscriber's key."""
        return Milenage(k=self.chance.randbytes(16), opc=self.chance.randbytes(16))

    def spi(self) -> int:
        """As the database of SAs gives it."""
        while True:
            spi = self.chance.getrandbits(32) | 0x100
            if spi not in self.hse.sessions:
                return spi

    def restart(self) -> None:
        """An HSE that knows nothing of what was before."""
        table = SessionTable(self.limits)
        self.aka = AkaResponder(
            self.spi,
            sessions=table,
            random=self.chance.randbytes,
            **self.options,  # type: ignore[arg-type]
        )
        source = self.source if self.ask_at_once else None
        self.hse = KeyAgreements(aka=self.aka, vectors=source)

    def ue(self, offer: Offer = TUNNEL, identity: str = "ue-1", **options: object) -> AkaInitiator:
        """A new run of the UE's side."""
        random = self.chance.randbytes
        return AkaInitiator(identity, offer, random=random, **options)  # type: ignore[arg-type]

    def said(self, ue: AkaInitiator, data: bytes, identity: str = "ue-1") -> bytes | None:
        """What a UE with its USIM says to a message; None for nothing. Raises KeyingRejected."""
        found = ue.handle(data)
        if isinstance(found, Challenge):
            card = self.cards[identity]
            return ue.answer(found, card.authenticate(found.rand, found.autn))
        return found.data if isinstance(found, Reply) else None

    def agree(
        self, ue: AkaInitiator | None = None, now: float = 0.0, identity: str = "ue-1"
    ) -> tuple[Session, Session]:
        """Run an exchange on a good channel; the sessions of UE and HSE."""
        initiator = ue or self.ue(identity=identity)
        handled = self.hse.handle(initiator.request(), now)
        made: Session | None = None
        for _ in range(4):
            assert handled.reply is not None, handled
            data = self.said(initiator, handled.reply, identity)
            made = handled.session or made
            if data is None:
                break
            handled = self.hse.handle(data, now)
        assert initiator.session is not None
        assert made is not None
        return initiator.session, made

    def until_confirm(self, ue: AkaInitiator, now: float = 0.0) -> tuple[Handled, bytes]:
        """Request and challenge; the challenge as handled, and the confirm that is to be sent."""
        handled = self.hse.handle(ue.request(), now)
        assert handled.reply is not None
        confirm = self.said(ue, handled.reply)
        assert confirm is not None
        return handled, confirm


@pytest.fixture
def world() -> World:
    """One HSE and one UE, ``ue-1``."""
    return World()


@pytest.fixture
def new_world() -> Callable[..., World]:
    """Worlds made to measure."""
    return World
