"""The exchange with AKA on a bad channel, with an attacker on it.

The channel loses 30 % of the messages, doubles a fifth, and delays each at random, so that they
overtake each other. The attacker sees all of them, keeps them, and for each message of one kind
sends one of his own: an old one (replay), the same with one field changed (alter, in half of the
cases in the place of the true one), one with weaker choices (weaken), or one made from what he
knows (inject). In some runs the authentication centre has forgotten its numbers, so that there are
synchronisation failures to attack as well.

``TESTBED_PROOF_SCALE=20`` makes 10,000 attacks of the 517.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from esp import suite
from esp.aka import AuthenticationCentre
from esp.errors import KeyingRejected
from esp.keying import AkaInitiator, Challenge, Offer, Reply, RohcChannel, Session
from esp.keying import aka_responder as responder_module
from esp.keying.aka_messages import AkaChallenge, AkaRequest

if TYPE_CHECKING:
    from tests.esp.keying.conftest import World

EACH = 11 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
STRONG = Offer(suite=suite("aes-gcm-16-256"), compression=True)
WEAK = Offer(suite=suite("aes-ccm-8-128"))
CHANNEL = RohcChannel(integrity="hmac-sha2-256-128", icv_bytes=4)
LOSS, DOUBLED = 0.3, 0.2
SENDS_AT = (0.0, 10.0, 25.0, 45.0)
ENDS_AT = 65.0

FIELDS = {
    "request": {
        "type": (0, 1),
        "SPI of the UE": (1, 4),
        "nonce": (5, 16),
        "number of proposals": (21, 1),
        "proposals": (22, 8),
        "ROHC channel": (30, 11),
        "length of the identity": (41, 1),
        "identity": (42, 4),
    },
    "challenge": {
        "type": (0, 1),
        "SPI of the UE": (1, 4),
        "SPI of the HSE": (5, 4),
        "nonce": (9, 16),
        "RAND": (25, 16),
        "AUTN": (41, 16),
        "proposal": (57, 4),
        "ROHC channel": (61, 11),
    },
    "confirm": {
        "type": (0, 1),
        "SPI of the HSE": (1, 4),
        "result": (5, 1),
        "MAC": (6, 16),
    },
    "longer confirm": {
        "type": (0, 1),
        "SPI of the HSE": (1, 4),
        "result": (5, 1),
        "MAC": (6, 16),
        "request": (22, 46),
    },
    "synchronisation failure": {
        "type": (0, 1),
        "SPI of the HSE": (1, 4),
        "result": (5, 1),
        "AUTS": (6, 14),
    },
    "acknowledgement": {"type": (0, 1), "SPI of the UE": (1, 4), "MAC": (5, 16)},
    "notice": {},
}
CELLS = [
    *((kind, "alter", field) for kind, fields in FIELDS.items() for field in fields),
    *((kind, "replay", "") for kind in FIELDS if kind != "notice"),
    *((kind, "inject", "") for kind in FIELDS),
    *((kind, "weaken", "") for kind in ("request", "challenge")),
]


def kind_of(data: bytes) -> str:
    if data[0] == 0x23:
        if data[5] & 0x7F == 2:
            return "synchronisation failure"
        return "longer confirm" if data[5] & 0x80 else "confirm"
    return {0x21: "request", 0x22: "challenge", 0x24: "acknowledgement"}.get(data[0], "notice")


class Attacker:
    """Sees everything, and sends what he likes."""

    def __init__(self, kind: str, action: str, field: str, chance: random.Random) -> None:
        self.kind, self.action, self.field = kind, action, field
        self.chance = chance
        self.seen: dict[str, list[bytes]] = {name: [] for name in FIELDS}
        self.attacks = 0
        self.wanted = EACH
        self.turns = 0
        self.request = self.challenge = b""

    def __call__(self, data: bytes) -> tuple[list[bytes], list[bytes]]:
        """What goes on of a message, and what the attacker adds (to either side)."""
        kind = kind_of(data)
        self.seen[kind].append(data)
        if kind == "request":
            self.request = data
        elif kind == "challenge":
            self.challenge = data
        due = kind == self.kind or (self.action == "inject" and kind == "challenge")
        if not due or self.turns <= 0 or self.attacks >= self.wanted:
            return [data], []
        self.turns -= 1
        self.attacks += 1
        if self.action == "replay":
            return [data], [self.chance.choice(self.seen[kind])]
        if self.action == "inject":
            return [data], [self.made()]
        changed = self.weaker(data) if self.action == "weaken" else self.altered(data)
        return ([] if self.chance.random() < 0.5 else [data]), [changed]

    def altered(self, data: bytes) -> bytes:
        at, size = FIELDS[self.kind][self.field]
        field = bytearray(data[at : at + size])
        if self.chance.random() < 0.5:
            field[self.chance.randrange(len(field))] ^= 1 << self.chance.randrange(8)
        else:
            field = bytearray(self.chance.randbytes(len(field)))
        return data[:at] + bytes(field) + data[at + size :]

    def weaker(self, data: bytes) -> bytes:
        channel = RohcChannel(max_cid=0, mode="U", profiles=(0,))
        try:
            if self.kind == "request":
                request = AkaRequest.decode(data)
                fewer = replace(request, proposals=(WEAK.encode(),), rohc=None)
                other = replace(request, proposals=request.proposals[::-1])
                poorer = replace(request, rohc=channel)
                return self.chance.choice((fewer, other, poorer)).encode()
            challenge = AkaChallenge.decode(data)
            less = replace(challenge, proposal=WEAK.encode(), rohc=None)
            return self.chance.choice((less, replace(challenge, rohc=channel))).encode()
        except KeyingRejected:
            return data

    def made(self) -> bytes:
        """A message from nothing but what was seen of this exchange."""
        random_octets = self.chance.randbytes
        ue_spi, hse_spi = self.request[1:5], self.challenge[5:9]
        own = AkaInitiator("ue-1", [WEAK], random=random_octets)
        forged_vector = random_octets(22) + b"\0\0" + random_octets(8)
        stolen = self.challenge[:9] + random_octets(16) + self.challenge[25:]
        chosen = {
            "request": own.request(),
            "challenge": self.chance.choice(
                (stolen, self.challenge[:25] + forged_vector + self.challenge[57:])
            ),
            "confirm": b"\x23" + hse_spi + self.chance.choice((b"\3", b"\4", b"\1" + bytes(16))),
            "longer confirm": b"\x23" + hse_spi + b"\x81" + random_octets(16) + own.request(),
            "synchronisation failure": b"\x23" + hse_spi + b"\2" + random_octets(14),
            "acknowledgement": b"\x24" + ue_spi + random_octets(16),
            "notice": b"\x1f" + ue_spi + self.request[5:9] + bytes((self.chance.randint(1, 6),)),
        }
        return chosen[self.kind]


class Tally:
    """What came out of all runs."""

    def __init__(self) -> None:
        self.agreed = self.failed = self.downgraded = self.with_the_attacker = 0
        self.asked = 0


class Network:
    """One UE and one HSE with the attacker between them."""

    def __init__(self, world: World, attacker: Attacker, tally: Tally) -> None:
        self.world, self.attacker, self.tally = world, attacker, tally
        self.chance = attacker.chance
        self.order = itertools.count()
        self.flying: list[tuple[float, int, bytes]] = []
        self.start = 0.0

    def send(self, data: bytes, now: float) -> None:
        true, false = self.attacker(data)
        for one in true:
            for _ in range(2 if self.chance.random() < DOUBLED else 1):
                if self.chance.random() >= LOSS:
                    self.fly(one, now)
        for one in false:
            self.fly(one, now)

    def fly(self, data: bytes, now: float) -> None:
        heapq.heappush(self.flying, (now + self.chance.uniform(0.5, 8), next(self.order), data))

    def run(self) -> None:
        """One run of the exchange, to its end in agreement or by time."""
        world, start = self.world, self.start
        ue = AkaInitiator("ue-1", [STRONG, WEAK], rohc=CHANNEL, random=world.chance.randbytes)
        confirmed: set[bytes] = set()  # SPI and MAC of what the UE says
        made: dict[int, Session] = {}
        self.attacker.turns = self.chance.choice((1, 1, 1, 4))
        asked = 0
        for n, at in enumerate((*SENDS_AT, ENDS_AT)):
            while self.flying and self.flying[0][0] < start + at:
                now, _, data = heapq.heappop(self.flying)
                if data[:1] in (b"\x21", b"\x23"):
                    handled = world.hse.handle(data, now)
                    if handled.session is not None:
                        made[handled.session.inbound.spi] = handled.session
                        if data[1:5] + data[6:22] not in confirmed:
                            self.tally.with_the_attacker += 1
                    if handled.reply is not None:
                        self.send(handled.reply, now)
                    assert world.aka.pending <= 4 + 1
                    assert world.hse.half_open <= 4
                    continue
                try:
                    found = ue.handle(data)
                except KeyingRejected:
                    continue
                if isinstance(found, Challenge):
                    asked += 1
                    answer = world.cards["ue-1"].authenticate(found.rand, found.autn)
                    found = Reply(data=ue.answer(found, answer))
                if isinstance(found, Reply):
                    if found.data[5] == 1:
                        confirmed.add(found.data[1:5] + found.data[6:22])
                    self.send(found.data, now)
            if ue.session is None and n < len(SENDS_AT):
                self.send(ue.resend(), start + at)
        self.start = start + 1000.0
        self.flying.clear()
        self.judge(ue, made)
        assert asked <= 4

    def judge(self, ue: AkaInitiator, made: dict[int, Session]) -> None:
        tally = self.tally
        for session in (*made.values(), *([ue.session] if ue.session is not None else [])):
            if session.suite is not STRONG.suite or session.rohc != CHANNEL:
                tally.downgraded += 1
        for session in made.values():
            if session.outbound.spi != ue.inbound_spi:
                tally.with_the_attacker += 1
        if ue.session is None:
            tally.failed += 1
            return
        twin = made.get(ue.session.outbound.spi)
        if twin is None or (twin.inbound, twin.outbound) != (
            ue.session.outbound,
            ue.session.inbound,
        ):
            tally.with_the_attacker += 1
            return
        tally.agreed += 1
        self.world.hse.confirm(twin.inbound.spi)


def attacked(world: World, kind: str, action: str, field: str) -> tuple[Tally, Attacker]:
    """Runs until the attacker has had his turns."""
    chance = random.Random(f"{kind} {action} {field}")
    attacker = Attacker(kind, action, field, chance)
    tally = Tally()
    network = Network(world, attacker, tally)
    rare = kind == "synchronisation failure"
    for _ in range(40 * EACH):
        if attacker.attacks >= attacker.wanted:
            break
        if chance.random() < (0.9 if rare else 0.1):
            world.source.centre = AuthenticationCentre(
                world.subscribers, random=world.chance.randbytes
            )
            world.aka._open.clear()
        network.run()
    return tally, attacker


@pytest.mark.parametrize(("kind", "action", "field"), CELLS)
def test_each_exchange_ends_in_agreed_keys_or_a_clean_failure(
    new_world: Callable[..., World],
    kind: str,
    action: str,
    field: str,
    record_property: Callable[[str, object], None],
) -> None:
    tally, attacker = attacked(new_world(), kind, action, field)
    assert attacker.attacks == EACH
    assert tally.downgraded == 0
    assert tally.with_the_attacker == 0
    assert tally.agreed > 0
    record_property("figure: attacks", attacker.attacks)
    record_property("figure: agreed", tally.agreed)
    record_property("figure: clean failures", tally.failed)
    record_property("figure: downgrades", tally.downgraded)
    record_property("figure: agreed with the attacker", tally.with_the_attacker)


def test_without_an_attacker_nearly_all_agree(new_world: Callable[..., World]) -> None:
    world = new_world()
    tally = Tally()
    attacker = Attacker("notice", "replay", "", random.Random(7))
    network = Network(world, attacker, tally)
    for _ in range(100):
        network.run()
    assert attacker.attacks == tally.downgraded == tally.with_the_attacker == 0
    assert tally.agreed >= 80


def test_downgrades_get_through_when_the_code_of_the_confirm_is_not_checked(
    new_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        digest = staticmethod(responder_module.hmac.digest)

        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            return True

    monkeypatch.setattr(responder_module, "hmac", Blind)
    tally, _ = attacked(new_world(), "request", "weaken", "")
    assert tally.downgraded > 0
    tally, _ = attacked(new_world(), "longer confirm", "inject", "")
    assert tally.with_the_attacker > 0
