"""Subscribers, cards and a memory for the tests of AKA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from esp.aka import (
    AkaAlgorithm,
    AkaAnswer,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationCentre,
    AuthenticationVector,
    Milenage,
    Purpose,
    Subscriber,
    Tuak,
    Usim,
)

IDENTITY = "001010000000001"
K = bytes(range(16))
OPC = bytes(range(16, 32))

ALGORITHMS: dict[str, Callable[[], AkaAlgorithm]] = {
    "milenage": lambda: Milenage(k=K, opc=OPC),
    "tuak-128": lambda: Tuak(k=K, topc=OPC * 2),
    "tuak-256": lambda: Tuak(k=K * 2, topc=OPC * 2, res_bits=128, keccak_iterations=2),
}


def subscriber(**changes: Any) -> Subscriber:
    known: dict[str, Any] = {"identity": IDENTITY, "algorithm": Milenage(k=K, opc=OPC)}
    return Subscriber(**(known | changes))


def centre(**options: Any) -> AuthenticationCentre:
    return AuthenticationCentre([subscriber()], **options)


def card(**options: Any) -> Usim:
    return Usim(Milenage(k=K, opc=OPC), **options)


def present(usim: Usim, vector: AuthenticationVector) -> AkaAnswer:
    """Show a challenge to a card; what it accepts must be what the centre meant."""
    answer = usim.authenticate(vector.rand, vector.autn)
    if isinstance(answer, AkaSuccess):
        assert (answer.res, answer.ck, answer.ik) == (vector.xres, vector.ck, vector.ik)
    return answer


def agree(home: AuthenticationCentre, usim: Usim, purpose: Purpose = Purpose.HSE) -> int:
    """One authentication, resynchronised as often as it takes; how often that was."""
    for resynchronisations in range(3):
        vector = home.vector(IDENTITY, purpose)
        answer = present(usim, vector)
        if isinstance(answer, AkaSuccess):
            return resynchronisations
        assert isinstance(answer, AkaSyncFailure)
        home.resynchronise(IDENTITY, vector.rand, answer.auts)
    raise AssertionError("centre and card never agreed")


class Memory:
    """A log that remembers what was durable, and can fail."""

    def __init__(self, data: bytes = b"") -> None:
        self.written = data
        self.durable = data
        self.syncs = 0
        self.fail = False

    def append(self, data: bytes) -> None:
        self.written += data

    def sync(self) -> None:
        if self.fail:
            raise OSError(28, "No space left on device")
        self.durable = self.written
        self.syncs += 1

    def replace(self, data: bytes) -> None:
        self.written = data
        self.sync()
