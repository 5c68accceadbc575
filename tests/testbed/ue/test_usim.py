"""AKA from end to end: a centre, a driver, AT commands, a card with the real algorithm."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from esp.aka import (
    AkaMacFailure,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationCentre,
    Milenage,
    SequenceProfile,
    Subscriber,
    Usim,
)
from firmware_bridge import driver
from firmware_bridge.line import MemoryLine
from firmware_bridge.usim import SoftUsim, open_usim
from firmware_bridge.virtual import (
    FAMILIES,
    MemoryNetwork,
    ModuleSettings,
    UsimSettings,
    virtual_module_in_memory,
)
from firmware_bridge.virtual.clock import run
from testbed.ue.usim import aka_answer, card_function

DATA = json.loads((Path(__file__).parents[2] / "data/aka/published_authenticate.json").read_text())
RAND, AUTN = bytes.fromhex(DATA["rand"]), bytes.fromhex(DATA["autn"])
IMSI = "001010000000001"
ONE_COUNTER = SequenceProfile(ind_bits=0)
"""The published exchange has SQN 1, which is below the first number with five bits of IND."""


def algorithm(k: str = DATA["k"]) -> Milenage:
    return Milenage(k=bytes.fromhex(k), opc=bytes.fromhex(DATA["opc"]))


def through_a_module(
    family: str, card: Usim, test: Callable[[Any], Awaitable[None]], *, channels: bool
) -> None:
    settings = ModuleSettings(usim=UsimSettings(generic_access=True, channels=channels))

    async def main() -> None:
        async with virtual_module_in_memory(
            family, settings=settings, network=MemoryNetwork(), aka=card_function(card)
        ) as door:
            line = MemoryLine("memory:card")
            line.on_write = door.write
            door.connect(line.feed, line.break_off)
            module = driver(family)(line)
            await module.start()
            await module.attach()
            await test(await open_usim(module))
            await module.close()

    run(main, time_scale=None)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("channels", [True, False])
def test_the_published_exchange_with_the_algorithm_itself(family: str, channels: bool) -> None:
    async def test(usim: Any) -> None:
        answer = aka_answer(await usim.authenticate(RAND, AUTN))
        assert isinstance(answer, AkaSuccess)
        assert (answer.res, answer.ck, answer.ik) == tuple(
            bytes.fromhex(DATA[name]) for name in ("res", "ck", "ik")
        )

    through_a_module(family, Usim(algorithm(), profile=ONE_COUNTER), test, channels=channels)
    late = Usim(algorithm(), profile=ONE_COUNTER, accepted=(0x20,))

    async def too_late(usim: Any) -> None:
        answer = aka_answer(await usim.authenticate(RAND, AUTN))
        assert isinstance(answer, AkaSyncFailure)
        assert answer.auts == bytes.fromhex(DATA["auts"])

    through_a_module(family, late, too_late, channels=channels)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("channels", [True, False])
def test_centre_and_card_agree_and_synchronise_once(family: str, channels: bool) -> None:
    centre = AuthenticationCentre([Subscriber(identity=IMSI, algorithm=algorithm())])
    accepted = tuple(1_000 + index for index in range(32))

    async def test(usim: Any) -> None:
        assert usim.imsi == IMSI
        vector = centre.vector(IMSI)
        failure = aka_answer(await usim.authenticate(vector.rand, vector.autn))
        assert isinstance(failure, AkaSyncFailure)
        centre.resynchronise(IMSI, vector.rand, failure.auts)
        for _ in range(5):
            vector = centre.vector(IMSI)
            answer = aka_answer(await usim.authenticate(vector.rand, vector.autn))
            assert isinstance(answer, AkaSuccess)
            assert (answer.res, answer.ck, answer.ik) == (vector.xres, vector.ck, vector.ik)

    through_a_module(family, Usim(algorithm(), accepted=accepted), test, channels=channels)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_key_is_a_mac_failure(family: str) -> None:
    centre = AuthenticationCentre([Subscriber(identity=IMSI, algorithm=algorithm("00" * 16))])

    async def test(usim: Any) -> None:
        vector = centre.vector(IMSI)
        answer = await usim.authenticate(vector.rand, vector.autn)
        assert isinstance(aka_answer(answer), AkaMacFailure)

    through_a_module(family, Usim(algorithm()), test, channels=False)


def test_a_soft_usim_answers_as_the_card_does() -> None:
    async def test() -> None:
        usim = SoftUsim(card_function(Usim(algorithm(), profile=ONE_COUNTER)), imsi=IMSI)
        answer = aka_answer(await usim.authenticate(RAND, AUTN))
        assert isinstance(answer, AkaSuccess)
        assert answer.res == bytes.fromhex(DATA["res"])
        assert isinstance(aka_answer(await usim.authenticate(RAND, AUTN)), AkaSyncFailure)
        assert isinstance(aka_answer(await usim.authenticate(bytes(16), AUTN)), AkaMacFailure)
        assert usim.soft

    run(test)
