"""The UE's side against the virtual modules: every family, every way, all that can be set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge import SimNotReady, UsimBusy, UsimRefused, UsimUnreachable, driver
from firmware_bridge.aka import (
    AkaFunction,
    UsimAnswer,
    UsimBootstrapped,
    UsimMacFailure,
    UsimSuccess,
    UsimSyncFailure,
)
from firmware_bridge.line import MemoryLine
from firmware_bridge.usim import UsimPath, open_usim, probe_usim
from firmware_bridge.virtual import (
    FAMILIES,
    CardSettings,
    FaultKind,
    MemoryNetwork,
    ModuleSettings,
    UsimSettings,
    virtual_module_in_memory,
)

DATA = json.loads((Path(__file__).parents[2] / "data/aka/published_authenticate.json").read_text())
RAND, AUTN = bytes.fromhex(DATA["rand"]), bytes.fromhex(DATA["autn"])
SUCCESS = UsimSuccess(**{name: bytes.fromhex(DATA[name]) for name in ("res", "ck", "ik", "kc")})
LATE = bytes(16)
IMPI = b"001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
NAF = b"hse.best.example.org" + bytes.fromhex("0100000001")
KS_NAF = "c87c7174e9b3af9496f30b290c2d8fb0129058d01514894a736e75b386f947b8"
"""By a formula example of TS 33.220 B.3 in the shared vectors, of the same CK, IK and RAND."""

Test = Callable[[Any, Any], Awaitable[None]]


class Published:
    """The published card: counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, rand: bytes, autn: bytes) -> UsimAnswer:
        self.asked += 1
        if (rand, autn) == (RAND, AUTN):
            return SUCCESS
        if (rand, autn) == (RAND, LATE):
            return UsimSyncFailure(auts=bytes.fromhex(DATA["auts"]))
        return UsimMacFailure()


def live(
    scripted: Any,
    family: str,
    test: Test,
    aka: AkaFunction | None,
    card: CardSettings | None = None,
    *,
    gba: bool = False,
    **usim: Any,
) -> None:
    """Run `test` with a driver on a virtual module, under the jumping clock."""
    offers = {"generic_access": True, "channels": True} | usim
    settings = ModuleSettings(usim=UsimSettings(**offers), card=card or CardSettings())

    async def main() -> None:
        async with virtual_module_in_memory(
            family, settings=settings, network=MemoryNetwork(), aka=aka, gba=aka if gba else None
        ) as door:
            line = MemoryLine(f"memory:{family}")
            line.on_write = door.write
            door.connect(line.feed, line.break_off)
            module = driver(family)(line)
            await module.start()
            if family == "bc95":
                await module.attach()  # its card has power with the radio only
            await test(module, door)
            await module.close()

    scripted.virtually(main)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize("way", list(UsimPath)[:2])
def test_the_published_challenge_is_answered(
    scripted: Any, family: str, chained: bool, way: UsimPath
) -> None:
    aka = Published()

    async def test(module: Any, door: Any) -> None:
        probe = await probe_usim(module)
        assert probe.path is way
        assert probe.identity.imsi == "001010000000001"
        assert (probe.identity.gsm_access, probe.identity.gba) == (True, False)
        assert aka.asked == 0
        usim = await open_usim(module, probe)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        failure = await usim.authenticate(RAND, LATE)
        assert failure == UsimSyncFailure(auts=bytes.fromhex(DATA["auts"]))
        assert await usim.authenticate(LATE, AUTN) == UsimMacFailure()
        assert aka.asked == 3
        await usim.close()

    live(scripted, family, test, aka, chained=chained, channels=way is UsimPath.CHANNEL)


@pytest.mark.parametrize(
    ("family", "way"), [("bc66", "basic"), ("bc660k", "channel"), ("bc95", None)]
)
def test_the_families_lead_to_their_card_as_they_are_said_to(
    scripted: Any, family: str, way: str | None
) -> None:
    async def test(module: Any, door: Any) -> None:
        probe = await probe_usim(module)
        assert (probe.path and probe.path.value) == way
        if way is None:
            with pytest.raises(UsimUnreachable):
                await open_usim(module, probe)

    live(scripted, family, test, Published(), generic_access=None, channels=None)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("channels", [True, False])
def test_each_refusal_is_one_error_and_asks_the_function_never(
    scripted: Any, family: str, channels: bool
) -> None:
    aka = Published()

    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        with pytest.raises(UsimRefused) as caught:
            await usim.authenticate(RAND, AUTN)
        assert caught.value.sw == 0x6982
        assert aka.asked == 0

    live(scripted, family, test, aka, refuses_authenticate="6982", channels=channels)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_card_without_authentication_is_refused_by_its_context(
    scripted: Any, family: str
) -> None:
    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        with pytest.raises(UsimRefused) as caught:
            await usim.authenticate(RAND, AUTN)
        assert caught.value.sw == 0x9864

    live(scripted, family, test, None)


@pytest.mark.parametrize("channels", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_card_that_is_busy_after_boot_is_waited_for(
    scripted: Any, family: str, channels: bool
) -> None:
    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        door.reboot()
        await asyncio.sleep(2.0)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS

    live(scripted, family, test, Published(), busy_s=6.0, channels=channels)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_card_that_stays_busy_is_said_to_be(scripted: Any, family: str) -> None:
    async def test(module: Any, door: Any) -> None:
        with pytest.raises(UsimBusy):
            await open_usim(module)

    live(scripted, family, test, Published(), busy_s=1_000.0)


@pytest.mark.parametrize(
    ("chained", "every"), [(True, 3), (True, 5), (False, 4), (False, 5), (False, 7)]
)
def test_a_selection_that_the_modem_takes_away_never_costs_a_challenge_twice(
    scripted: Any, chained: bool, every: int
) -> None:
    """A card that saw a challenge does not see it again: that would be a synchronisation failure.

    Without chaining the answer itself can be lost, between AUTHENTICATE and GET RESPONSE.
    """
    aka = Published()

    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        done = 0
        for turn in range(20):
            asked_before = aka.asked
            try:
                assert await usim.authenticate(RAND, AUTN) == SUCCESS
            except UsimRefused as error:
                assert error.sw == 0x6985
            else:
                done += 1
            assert aka.asked - asked_before <= 1, turn
        assert done >= 8
        assert done == 20 or not chained

    live(scripted, "bc66", test, aka, channels=False, chained=chained, selection_lost_every=every)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("channels", [True, False])
def test_reboots_and_a_card_taken_out_are_survived(
    scripted: Any, family: str, channels: bool
) -> None:
    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        for _ in range(3):
            assert await usim.authenticate(RAND, AUTN) == SUCCESS
            door.reboot()
            await asyncio.sleep(15.0)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        door.fail(FaultKind.CARD_REMOVED, 60.0)
        await asyncio.sleep(5.0)
        with pytest.raises(SimNotReady):
            await usim.authenticate(RAND, AUTN)
        await asyncio.sleep(120.0)
        assert await usim.authenticate(RAND, AUTN) == SUCCESS
        await usim.close()

    live(scripted, family, test, Published(), channels=channels)


@pytest.mark.parametrize("channels", [True, False])
@pytest.mark.parametrize("chained", [True, False])
def test_gba_bootstraps_in_the_card_and_derives_for_an_application(
    scripted: Any, channels: bool, chained: bool
) -> None:
    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        assert usim.identity.gba is True
        with pytest.raises(UsimRefused, match="6985"):
            await usim.derive(NAF, IMPI)
        assert await usim.bootstrap(RAND, AUTN) == UsimBootstrapped(res=SUCCESS.res)
        assert (await usim.derive(NAF, IMPI)).hex() == KS_NAF
        assert await usim.bootstrap(RAND, LATE) == UsimSyncFailure(auts=bytes.fromhex(DATA["auts"]))
        assert await usim.bootstrap(LATE, AUTN) == UsimMacFailure()
        assert DATA["res"] not in repr(UsimBootstrapped(res=SUCCESS.res))
        with pytest.raises(ValueError, match="range"):
            await usim.derive(bytes(256), IMPI)

    live(scripted, "bc660k", test, Published(), gba=True, channels=channels, chained=chained)


def test_a_card_without_gba_says_so(scripted: Any) -> None:
    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        with pytest.raises(UsimRefused, match="9864"):
            await usim.bootstrap(RAND, AUTN)

    live(scripted, "bc660k", test, Published())


def test_channels_are_given_back(scripted: Any) -> None:
    async def test(module: Any, door: Any) -> None:
        for _ in range(10):  # the card has three
            usim = await open_usim(module)
            assert usim.path is UsimPath.CHANNEL
            assert await usim.authenticate(RAND, AUTN) == SUCCESS
            await usim.close()

    live(scripted, "bc660k", test, Published())


def test_authentications_at_the_same_time_come_one_after_the_other(scripted: Any) -> None:
    async def test(module: Any, door: Any) -> None:
        usim = await open_usim(module)
        answers = await asyncio.gather(*(usim.authenticate(RAND, AUTN) for _ in range(5)))
        assert answers == [SUCCESS] * 5

    live(scripted, "bc66", test, Published(), chained=False)
