"""Random lives of an HSE with durable state, against a model of what may never happen.

Each walk is a seeded mixture of all that can come to an HSE, in any order: key exchanges with
hello and AKA, finished or not, packets late, doubled, played again, forged and under another's
address, time that passes, lifetimes that end, sessions that crowd each other out, a disk that
fails, and the end of the process at any operation on the disk: in the middle of a write too, with
what was not synchronised lost in part. After each step:

* no number was used twice under one key, and no packet was delivered twice, in any life;
* nothing was accepted under an association that had ended or whose time was over, and what ended
  never came back;
* the tables of gateway, key exchange, database and addresses agree, and are bounded.

``TESTBED_PROOF_SCALE=15`` walks 180 times instead of 12.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import esp
from esp import keying
from esp.aka import AuthenticationCentre, Milenage, Subscriber, Usim
from esp.errors import EspError
from esp.store import SequenceStore
from testbed.hse import EchoApplication, Gateway, GatewayLimits, HsePort
from testbed.hse.agreement import AkaService
from testbed.hse.applications import Request
from testbed.hse.state import HseState
from testbed.packets import build_udp_packet
from tests.testbed.conftest import SECRET, UE_ADDRESS

WALKS = 12 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
STEPS = 250
SESSIONS = 6
LIFETIME = esp.Lifetime(soft_packets=100, hard_packets=150, hard_bytes=1500, hard_s=300.0)
OFFERS = [keying.Offer(suite=esp.suite(name)) for name in ("aes-gcm-16-128", "aes-ccm-8-128")]
NAMES = ("ue-1", "ue-2", "ue-3")


class Killed(BaseException):
    """The process is gone."""


class Disk:
    """The operations on the disk: any may be the last one, or fail."""

    def __init__(self, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = chance
        self.kill_in = self.fail_in = 0
        self.dead = False
        self.synced: dict[int, int] = {}  # octets that are safe, by inode
        self.logs: set[int] = set()  # descriptors of the log, which a process takes with it
        self.open, self.close, self.write = os.open, os.close, os.write
        replace, unlink = os.replace, os.unlink
        monkeypatch.setattr(os, "open", self._open)
        monkeypatch.setattr(os, "close", self._close)
        monkeypatch.setattr(os, "write", self._write)
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._sync)
        monkeypatch.setattr(os, "replace", lambda *names: self._step() or replace(*names))
        monkeypatch.setattr(os, "unlink", lambda name: self._step() or unlink(name))

    def _step(self) -> None:
        self.kill_in -= 1
        if self.dead or self.kill_in == 0:
            self.dead = True
            raise Killed
        self.fail_in -= 1
        if self.fail_in == 0:
            raise OSError(5, "Input/output error")

    def _open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        file = self.open(path, flags, mode)
        if "numbers.log" in str(path):
            self.logs.add(file)
        return file

    def _close(self, file: int) -> None:
        self.logs.discard(file)
        self.close(file)

    def _write(self, file: int, data: bytes) -> int:
        try:
            self._step()
        except Killed:
            self.write(file, data[: self.chance.randrange(len(data) + 1)])
            raise
        return self.write(file, data)

    def _sync(self, file: int) -> None:
        self._step()
        found = os.fstat(file)
        self.synced[found.st_ino] = found.st_size

    def after_the_end(self, log: Path) -> None:
        """The process is gone, and perhaps the power as well."""
        for file in list(self.logs):
            self._close(file)
        self.kill_in = self.fail_in = 0
        self.dead = False
        found = log.stat()
        safe = min(self.synced.get(found.st_ino, 0), found.st_size)
        os.truncate(log, self.chance.randint(safe, found.st_size))


@dataclass
class Pair:
    """The UE's end of a session."""

    name: str
    keys: keying.Session
    outbound: esp.OutboundAssociation
    inbound: esp.InboundAssociation

    @property
    def spi(self) -> int:
        return self.keys.outbound.spi


class Recorder(EchoApplication):
    """Counts what reaches it, over all lives."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered: Counter[bytes] = Counter()

    def answer(self, request: Request) -> bytes:
        self.delivered[request.payload] += 1
        return super().answer(request)


@dataclass
class Walk:
    """One HSE over all its lives, its UEs, and what an attacker has recorded."""

    folder: Path
    chance: random.Random
    disk: Disk
    now: float = 1000.0
    application: Recorder = field(default_factory=Recorder)
    pairs: list[Pair] = field(default_factory=list)
    recorded: list[bytes] = field(default_factory=list)
    numbers: set[tuple[int, int]] = field(default_factory=set)  # SPI and number of each answer
    ended: set[int] = field(default_factory=set)  # for ever
    gone: set[int] = field(default_factory=set)  # in this life
    doubtful: bool = False  # the disk has failed in this life
    lives: int = 0
    sent: int = 0
    answered: int = 0

    def __post_init__(self) -> None:
        self.algorithms = {
            name: Milenage(k=self.chance.randbytes(16), opc=self.chance.randbytes(16))
            for name in NAMES
        }
        self.cards = {name: Usim(one) for name, one in self.algorithms.items()}
        self.begin()

    # -- lives ---------------------------------------------------------------------------------

    def begin(self) -> None:
        self.lives += 1
        self.doubtful = False
        self.gone = set()
        self.state = HseState(self.folder, clock=lambda: 2e9 + self.now)
        centre = AuthenticationCentre(
            [Subscriber(identity=name, algorithm=one) for name, one in self.algorithms.items()],
            store=self.state.store,
            random=self.chance.randbytes,
        )
        self.gateway = Gateway(
            secrets=lambda identity: SECRET,
            aka=AkaService(vectors=centre),
            application=self.application,
            limits=GatewayLimits(sessions=SESSIONS, notices_per_s=1000.0),
            lifetime=LIFETIME,
            state=self.state,
            now=self.now,
            random=self.chance.randbytes,
        )

    def end(self) -> None:
        self.disk.after_the_end(self.folder / "numbers.log")
        while True:
            try:
                self.begin()
            except Killed:
                self.disk.after_the_end(self.folder / "numbers.log")
            else:
                break
        if self.chance.random() < 0.5:
            for data in self.recorded[-40:]:  # nothing is better worth playing than the last
                self.receive(data)

    @property
    def alive(self) -> set[int]:
        return set(self.gateway._table._sessions)

    # -- what happens --------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[bytes]:
        spi = int.from_bytes(data[:4], "big")
        waiting = list(self.gateway._accepted)
        replies = self.gateway.receive(HsePort.ESP, data, UE_ADDRESS, self.now)
        new = [one for one in self.gateway._accepted if one not in waiting]
        for one in new:
            assert one.session.spi == spi
            assert spi not in self.ended | self.gone
            assert self.now < one.session.ends_at
        return self.came([reply.data for reply in replies])

    def flush(self) -> None:
        self.came([reply.data for reply in self.gateway.flush(self.now)])

    def came(self, replies: list[bytes]) -> list[bytes]:
        """Look at what the HSE sends: at the numbers, whether it arrives or not."""
        messages = []
        for data in replies:
            if data[:4] == bytes(4):
                messages.append(data[4:])
                continue
            name = (int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big"))
            assert name not in self.numbers, "a number was used twice under one key"
            self.numbers.add(name)
            for pair in self.pairs:
                if pair.inbound.spi == name[0] and self.chance.random() < 0.9:
                    pair.inbound.unprotect(data)
                    self.answered += 1
        return messages

    def hello(self) -> None:
        name = self.chance.choice(NAMES)
        one = keying.Initiator(
            name, SECRET, self.chance.choice(OFFERS), random=self.chance.randbytes
        )
        request = esp.add_marker(one.request())
        self.recorded.append(request)
        for reply in self.receive(request):
            if reply[0] == 0x12 and self.chance.random() < 0.8:
                self.agreed(name, one.response(reply))

    def aka(self) -> None:
        name, card = self.chance.choice(list(self.cards.items()))
        ue = keying.AkaInitiator(name, self.chance.choice(OFFERS), random=self.chance.randbytes)
        messages = [ue.request()]
        while messages and self.chance.random() < 0.95:
            data = esp.add_marker(messages.pop())
            self.recorded.append(data)
            for reply in self.receive(data):
                try:
                    found = ue.handle(reply)
                except EspError:
                    continue
                if isinstance(found, keying.Challenge):
                    answer = card.authenticate(found.rand, found.autn)
                    messages.append(ue.answer(found, answer))
                elif isinstance(found, keying.Session):
                    self.agreed(name, found)

    def agreed(self, name: str, keys: keying.Session) -> None:
        pair = Pair(name, keys, keys.outbound_association(), keys.inbound_association())
        self.pairs.append(pair)
        self.pairs = self.pairs[-6:]

    def packet(self) -> bytes:
        """The next packet of a UE, with an address that is mostly its own."""
        pair = self.chance.choice([*self.pairs, *self.pairs[-2:]])
        host = NAMES.index(pair.name) if self.chance.random() < 0.9 else self.chance.randrange(5)
        self.sent += 1
        payload = b"%d" % self.sent + bytes(self.chance.randrange(80))
        if self.chance.random() < 0.05:
            return pair.outbound.dummy(20)
        if self.chance.random() < 0.3:
            ends = f"2001:db8::{host + 1}", "2001:db8::9"
            return pair.outbound.protect(build_udp_packet(*ends, 40000, 5683, payload), 41)
        ends = f"10.0.0.{host + 1}", "10.9.9.9"
        return pair.outbound.protect(build_udp_packet(*ends, 40000, 5683, payload), 4)

    def traffic(self) -> None:
        """Some packets in one wake-up or several, out of order, doubled, lost."""
        if not self.pairs:
            return
        packets = [self.packet() for _ in range(self.chance.randint(1, 8))]
        self.recorded += packets
        packets += self.chance.sample(packets, self.chance.randrange(len(packets) + 1))
        if self.chance.random() < 0.5:
            self.chance.shuffle(packets)
        for packet in packets:
            if self.chance.random() < 0.9:
                self.receive(packet)
            if self.chance.random() < 0.1:
                self.flush()

    def attack(self) -> None:
        """Anything that was ever sent, as it was or changed."""
        for _ in range(min(len(self.recorded), 10)):
            data = bytearray(self.chance.choice(self.recorded))
            if self.chance.random() < 0.4:
                bit = self.chance.randrange(8 * len(data))
                data[bit // 8] ^= 1 << bit % 8
            if self.chance.random() < 0.1:
                del data[self.chance.randrange(len(data)) :]
            self.receive(bytes(data))

    def time(self) -> None:
        self.now += self.chance.choice([0.1, 5.0, 60.0, 130.0])

    def all_again(self) -> None:
        for data in self.recorded:
            self.receive(data)

    def kill(self) -> None:
        raise Killed

    # -- what must hold ------------------------------------------------------------------------

    def step(self) -> None:
        disk, chance = self.disk, self.chance
        if self.doubtful and chance.random() < 0.2:
            disk.kill_in = 1
        elif chance.random() < 0.08:
            disk.kill_in = chance.randint(1, 12)
        elif chance.random() < 0.02:
            disk.fail_in = chance.randint(1, 12)
            self.doubtful = True
        actions: list[Callable[[], None]] = [self.hello, self.aka, self.flush, self.attack]
        actions += [self.traffic] * 6 + [self.time] * 2
        if chance.random() < 0.02:
            actions = [self.all_again, self.kill]
        before = self.alive
        try:
            chance.choice(actions)()
        except Killed:
            self.end()
            ended: set[int] = set()  # what was ending when it was killed may come back
        else:
            ended = before - self.alive
            self.gone |= ended
        if not self.doubtful:
            self.ended |= ended
        self.check()

    def check(self) -> None:
        table = self.gateway._table
        sessions = table._sessions
        assert max(self.application.delivered.values(), default=0) <= 1
        for one in self.gateway._accepted:  # what ends is delivered before
            assert sessions.get(one.session.spi) is one.session
        assert not self.alive & self.gone
        assert not self.alive & self.ended
        assert sum(session.proven for session in sessions.values()) <= SESSIONS
        assert len(sessions) <= SESSIONS + 4 * len(NAMES)  # half open
        exchange = table._responder.sessions
        assert {entry.association.spi for entry in self.gateway._database} == set(sessions)
        assert len(exchange) == len(sessions)
        assert all(spi in exchange for spi in sessions)
        assert list(table._by_end.values()) == sorted(
            table._by_end.values(), key=lambda one: one.ends_at
        )
        assert set(table._by_end) == set(sessions)
        held: Counter[tuple[str, bytes]] = Counter()
        for session in sessions.values():
            assert session.sources is not None
            held.update((session.keys.identity, one) for one in session.sources.learned)
        assert held == Counter(
            {
                (name, address): count
                for address, holders in table._book._holders.items()
                for name, count in holders.items()
            }
        )
        if not self.doubtful and not self.disk.dead:
            kept = {path.stem for path in (self.folder / "sessions").glob("*.json")}
            assert kept == {f"{spi:08x}" for spi, one in sessions.items() if one.proven}


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Walk]]:
    walks: list[Walk] = []

    def begun(seed: int) -> Walk:
        chance = random.Random(seed)
        walks.append(Walk(tmp_path / "state", chance, Disk(chance, monkeypatch)))
        return walks[-1]

    yield begun
    for one in walks:
        one.state.close()


@pytest.mark.parametrize("seed", range(WALKS))
def test_no_walk_uses_a_number_twice_or_delivers_twice_or_under_what_has_ended(
    seed: int,
    walk: Callable[[int], Walk],
    record_property: Callable[[str, object], None],
) -> None:
    one = walk(seed)
    for _ in range(STEPS):
        one.step()
    assert one.answered > 20  # the walk was no idle one
    record_property("figure: lives", one.lives)
    record_property("figure: packets sent", one.sent)
    record_property("figure: packets delivered, none twice", one.application.delivered.total())
    record_property("figure: numbers used, none twice", len(one.numbers))
    record_property("figure: sessions that ended", len(one.ended))


@pytest.mark.parametrize(
    ("method", "broken"),
    [
        ("mark", lambda self, association, sequence, payload_bytes=0: None),
        ("reserved", lambda self, association: 0),
    ],
    ids=["nothing accepted is written down", "nothing reserved is read back"],
)
def test_the_model_finds_it_when_durable_state_is_not_used(
    walk: Callable[[int], Walk],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    broken: Callable[..., object],
) -> None:
    monkeypatch.setattr(SequenceStore, method, broken)
    one = walk(1)
    with pytest.raises(AssertionError):
        for _ in range(2 * STEPS):
            one.step()
