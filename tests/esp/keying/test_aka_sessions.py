"""Thousands of sessions with AKA, with crashes and resynchronisations: no key and no IV repeats.

Everything that a crash takes is taken, and what the product keeps is kept: at the HSE proven
sessions and reserved sequence numbers, at the centre the numbers it reserved (or, in some runs, not
even those: then USIMs resynchronise), at the UE nothing. After each crash all that was recorded is
played to the HSE again.

``TESTBED_PROOF_SCALE=40`` makes 10,000 sessions of the 250.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from esp import OutboundAssociation, suite
from esp.aka import AuthenticationCentre
from esp.keying import AkaInitiator, DirectionKeys, Offer, Session
from esp.store import SequenceStore, association_id

if TYPE_CHECKING:
    from tests.esp.keying.conftest import World

SESSIONS = 250 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
NAMES = [f"ue-{number}" for number in range(5)]
OFFERS = [
    Offer(suite=suite("aes-gcm-16-128")),
    Offer(suite=suite("aes-ccm-8-128"), compression=True),
    Offer(suite=suite("aes-gcm-16-256"), esn=True),
]
PACKET = b"\x45\0\0\x1c".ljust(28, b"\1")


class MemoryLog:
    """Durable as far as this test goes: a crash of the process does not take it."""

    def __init__(self) -> None:
        self.data = b""

    def append(self, data: bytes) -> None:
        self.data += data

    def sync(self) -> None:
        pass

    def replace(self, data: bytes) -> None:
        self.data = data


def name_of(keys: DirectionKeys) -> bytes:
    return association_id(keys.spi, keys.key, keys.salt, keys.integrity_key)


class Life:
    """UEs and one HSE through good and bad days, and everything that must never repeat."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.keys: dict[str, set[bytes]] = {"UE": set(), "HSE": set()}
        self.pairs: set[tuple[bytes, bytes]] = set()
        self.repeated_keys = self.repeated_pairs = 0
        self.sessions = self.packets = self.crashes = 0
        self.numbers, self.sqns = MemoryLog(), MemoryLog()
        self.kept: dict[int, Session] = {}
        self.sending: dict[int, OutboundAssociation] = {}
        self.recorded: list[bytes] = []
        self.now = 0.0
        self.crash_centre(forgets=False)
        self.crash_hse()

    def fresh(self, side: str, session: Session) -> None:
        """Note a session that one side made."""
        for keys in (session.inbound, session.outbound):
            material = keys.key + keys.salt
            self.repeated_keys += material in self.keys[side]
            self.keys[side].add(material)

    def protect(self, sender: OutboundAssociation, keys: DirectionKeys) -> bytes:
        packet = sender.protect(PACKET, 4)
        pair = (keys.key + keys.salt, packet[8:16])
        self.repeated_pairs += pair in self.pairs
        self.pairs.add(pair)
        self.packets += 1
        return packet

    def hse(self, data: bytes) -> bytes | None:
        handled = self.world.hse.handle(data, self.now)
        if handled.session is not None:
            self.fresh("HSE", handled.session)
            self.open(handled.session)
        self.forget(handled.dropped)
        return handled.reply

    def open(self, session: Session) -> None:
        """What the HSE does with a session, new or from before a crash."""
        name = name_of(session.outbound)
        self.sending[session.inbound.spi] = session.outbound_association(
            sequence=self.store.reserved(name), reserve=self.store.reserver(name, 4)
        )

    def forget(self, sessions: tuple[Session, ...]) -> None:
        for session in sessions:
            self.kept.pop(session.inbound.spi, None)
            self.sending.pop(session.inbound.spi, None)
            self.store.forget(name_of(session.outbound))
        if self.store.overgrown:
            self.store.compact()

    def crash_hse(self) -> None:
        self.crashes += 1
        self.store = SequenceStore(self.numbers, self.numbers.data)
        self.sending.clear()
        self.world.restart()
        for session in self.kept.values():
            self.world.hse.adopt(session)
            self.open(session)
        for data in self.chance.sample(self.recorded, min(20, len(self.recorded))):
            self.hse(data)

    def crash_centre(self, *, forgets: bool) -> None:
        self.crashes += 1
        if forgets:
            self.sqns.data = b""
        self.world.source.centre = AuthenticationCentre(
            self.world.subscribers,
            store=SequenceStore(self.sqns, self.sqns.data),
            random=self.world.chance.randbytes,
        )

    def day(self, identity: str) -> None:
        """One session of one UE, as far as it comes."""
        world, chance = self.world, self.chance
        self.now += 30.0
        ue = AkaInitiator(identity, chance.choice(OFFERS), random=world.chance.randbytes)
        data: bytes | None = ue.request()
        for _ in range(8):
            if data is None or ue.session is not None:
                break
            self.recorded.append(data)
            reply = self.hse(data)
            if reply is None:
                return
            if chance.random() < 0.03:
                self.crash_hse()
            if chance.random() < 0.02:
                return  # the UE crashes
            if reply[0] not in (0x22, 0x24):
                return
            data = world.said(ue, reply, identity)
            self.recorded.append(ue.resend())
        self.recorded = self.recorded[-400:]
        if ue.session is not None:
            self.talk(ue.session)

    def talk(self, mine: Session) -> None:
        self.sessions += 1
        self.fresh("UE", mine)
        sender = mine.outbound_association()
        spi = mine.outbound.spi
        for _ in range(self.chance.randint(1, 3)):
            self.protect(sender, mine.outbound)
            if self.chance.random() < 0.1:
                self.crash_hse()
            if spi not in self.sending:
                return  # half open when the HSE crashed
            known = self.world.hse.sessions._by_spi[spi].session
            self.kept[spi] = known
            self.forget(self.world.hse.confirm(spi))
            self.protect(self.sending[spi], known.outbound)
        for other, association in list(self.sending.items())[:2]:
            # An older session goes on as well.
            keys = self.world.hse.sessions._by_spi[other].session.outbound
            self.protect(association, keys)


def lived(new_world: Callable[..., World], sessions: int) -> Life:
    life = Life(new_world(*NAMES), seed=11)
    days = 0
    while life.sessions < sessions:
        days += 1
        assert days < 10 * sessions
        if life.chance.random() < 0.05:
            life.crash_centre(forgets=life.chance.random() < 0.5)
        life.day(life.chance.choice(NAMES))
    return life


def test_no_key_and_no_iv_repeats_over_many_sessions(
    new_world: Callable[..., World], record_property: Callable[[str, object], None]
) -> None:
    life = lived(new_world, SESSIONS)
    assert life.repeated_keys == 0
    assert life.repeated_pairs == 0
    assert life.packets > 2 * SESSIONS
    assert life.crashes > SESSIONS // 10
    assert life.world.source.resynchronised > SESSIONS // 50
    record_property("figure: sessions", life.sessions)
    record_property("figure: packets", life.packets)
    record_property("figure: crashes", life.crashes)
    record_property("figure: resynchronisations", life.world.source.resynchronised)
    record_property("figure: repeated AEAD keys", life.repeated_keys)
    record_property("figure: repeated pairs of key and IV", life.repeated_pairs)


def test_pairs_repeat_when_the_numbers_do_not_survive_a_crash(
    new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryLog, "append", lambda self, data: None)
    assert lived(new_world, 100).repeated_pairs > 0


def test_keys_repeat_when_neither_nonces_nor_spis_nor_ck_and_ik_enter(
    new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["esp.keying.kdf"]  # esp.keying.kdf is the function
    true = module.kdf

    def poor(key: bytes, fc: bytes, *parameters: bytes) -> bytes:
        if parameters[0] != b"best-esp":
            return true(key, fc, *parameters)
        return true(bytes(32), fc, *parameters[:4], *parameters[8:])

    monkeypatch.setattr(module, "kdf", poor)
    assert lived(new_world, 20).repeated_keys > 0
