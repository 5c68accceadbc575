"""Ten kinds of hostile packets in equal shares through the HSE's gateway, one good one for each.

None reaches the application, each is counted by its reason, and all good ones are answered. How
the packets are made is in the tests of ``esp``; here they meet the whole way of a message.
``TESTBED_PROOF_SCALE=20`` makes 100,000 of the 5,000.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable

import pytest

import esp
import esp.inbound
from esp.errors import Reason
from esp.replay import ReplayWindow
from esp.transforms import new_transform
from testbed.bench import Configuration
from testbed.hse import EchoApplication, Gateway, GatewayLimits, HsePort
from testbed.hse.addresses import SourceBinding
from tests.esp.test_hostile import KINDS, SPI, SUITES, Attacker, inner, keys_of
from tests.testbed.conftest import SECRET, UE_ADDRESS, initiator

EACH = 100 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
"""Hostile packets of each kind and suite."""
NULL = "null+aes-cmac-96"
_ICV = 12
SOMEBODY = ("198.51.100.66", 666)


class Insider(Attacker):
    """The attacker of ``esp``'s tests against a session of the gateway, one step more thorough."""

    def __init__(self, name: str) -> None:
        row = esp.suite(name)
        super().__init__(row, 7)
        spis = iter([SPI.to_bytes(4, "big")])
        self.application = EchoApplication()
        self.gateway = Gateway(
            secrets=lambda identity: SECRET,
            application=self.application,
            limits=GatewayLimits(notices_per_s=0.0),
            random=lambda size: next(spis) if size == 4 else os.urandom(size),
        )
        one = initiator(Configuration.parse(f"esp-tunnel/{name}"))
        (reply,) = self.gateway.receive(HsePort.ESP, esp.add_marker(one.request()), UE_ADDRESS, 0.0)
        keys = one.response(esp.remove_marker(reply.data)).outbound
        assert keys.spi == SPI
        self.transform = new_transform(row, keys.key, keys.salt, keys.integrity_key)
        self.sender = esp.OutboundAssociation(
            SPI, row, keys.key, keys.salt, integrity_key=keys.integrity_key
        )
        self.stranger = esp.OutboundAssociation(SPI, row, **keys_of(row, 3))
        self._turn = itertools.count()
        for _ in range(200):
            self.serve()

    @property
    def association(self) -> esp.InboundAssociation:
        entry = self.gateway._database.get(SPI)
        assert entry is not None
        return entry.association

    def attack(self, packet: bytes) -> bool:
        """Whether a packet reached the application."""
        before = self.application.requests
        self.gateway.receive(HsePort.ESP, packet, SOMEBODY, 0.0)
        return self.application.requests > before

    def serve(self) -> None:
        (reply,) = self.gateway.receive(HsePort.ESP, self.good(), UE_ADDRESS, 0.0)
        assert reply.destination == UE_ADDRESS

    def forged(self) -> bytes:
        """By somebody who knows the format, not the keys."""
        body = self._filled(inner(), 4)
        header = SPI.to_bytes(4, "big") + (self.sender.sequence + 1).to_bytes(4, "big")
        secret = self.chance.randbytes(self.row.iv_bytes), self.chance.randbytes(self.row.icv_bytes)
        return header + secret[0] + body + secret[1]

    def replayed(self) -> bytes:
        inside = next(self._turn) % 2
        return self.replayed_inside() if inside else self.replayed_outside()

    def truncated(self) -> bytes:
        """After each octet in turn."""
        packet = self.sender.protect(inner(), 4)
        return packet[: next(self._turn) % len(packet)]

    def flipped(self) -> bytes:
        """Each bit in turn: all fields."""
        packet = bytearray(self.sender.protect(inner(), 4))
        bit = next(self._turn) % (len(packet) * 8)
        packet[bit // 8] ^= 1 << bit % 8
        return bytes(packet)


Kind = tuple[Callable[[Insider], bytes], set[Reason]]


def of_esp(name: str, own: Callable[[Insider], bytes] | None = None) -> Kind:
    make, reasons = KINDS[name]
    return own or make, reasons


TEN: dict[str, Kind] = {
    "forged": of_esp("forged", Insider.forged),
    "replayed": (Insider.replayed, {Reason.REPLAYED, Reason.OUTSIDE_WINDOW}),
    "truncated": of_esp("truncated", Insider.truncated),
    "flipped bit": of_esp("flipped bit", Insider.flipped),
    **{
        name: of_esp(name)
        for name in (
            "wrong SPI",
            "wrong selector",
            "wrong padding",
            "reserved next header",
            "another SA's key",
            "oversized",
        )
    },
}


def test_there_are_ten_kinds_and_five_suites() -> None:
    assert len(TEN) == 10
    assert len(SUITES) == 5


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("kind", TEN)
def test_none_reaches_the_application_each_is_counted_and_good_ones_are_served(
    kind: str, name: str, record_property: Callable[[str, object], None]
) -> None:
    make, reasons = TEN[kind]
    attacker = Insider(name)
    for _ in range(EACH):
        assert not attacker.attack(make(attacker))
        attacker.serve()
    counted: Counter[str] = Counter()
    for (_, reason), count in attacker.gateway.snapshot().rejected.items():
        counted[reason] += count
    assert counted.total() == EACH
    assert set(counted) <= {reason.value for reason in reasons}
    assert attacker.application.requests == 200 + EACH
    record_property("figure: hostile packets refused and counted", counted.total())
    record_property("figure: good packets served between them", EACH)


# -- each kind passes when its check is switched off -----------------------------------------------


def passed(attacker: Insider, kind: str, count: int = 40) -> int:
    return sum(attacker.attack(TEN[kind][0](attacker)) for _ in range(count))


def test_replays_pass_without_the_window() -> None:
    attacker = Insider("aes-gcm-16-128")
    attacker.association.window = ReplayWindow(0)
    assert passed(attacker, "replayed") == 40


@pytest.mark.parametrize(
    ("kind", "count", "at_least"),
    [
        ("forged", 40, 40),
        ("another SA's key", 40, 40),
        ("oversized", 40, 40),
        ("truncated", 92, _ICV),  # those that end inside the ICV
        ("flipped bit", 92 * 8, 100),  # payload, ports, destination, ICV
    ],
)
def test_what_the_icv_keeps_out_passes_without_it(kind: str, count: int, at_least: int) -> None:
    attacker = Insider(NULL)
    end = len(attacker.good()) - _ICV
    attacker.association._open = lambda packet, sequence: packet[8:end]
    attacker.association._minimum = end
    attacker.association.window = ReplayWindow(0)
    assert passed(attacker, kind, count) >= at_least


def test_a_wrong_spi_passes_when_the_database_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attacker = Insider("aes-gcm-16-128")
    entry = attacker.gateway._database.get(SPI)
    assert entry is not None

    def for_all(self: object, packet: bytes) -> object:
        return entry, entry.association.unprotect(SPI.to_bytes(4, "big") + packet[4:])

    # The SPI is under the ICV as well: the receiver must put its own in the place of the wrong one.
    monkeypatch.setattr(esp.SecurityAssociationDatabase, "unprotect", for_all)
    assert passed(attacker, "wrong SPI") == 40


def test_a_wrong_selector_passes_without_the_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SourceBinding, "refusal", lambda self, packet: None)
    assert passed(Insider("aes-gcm-16-128"), "wrong selector") == 40


def test_wrong_padding_passes_when_it_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    class Anything:
        def __ne__(self, other: object) -> bool:
            return False

    attacker = Insider("aes-gcm-16-128")
    monkeypatch.setattr(esp.inbound, "PADDING", [Anything()] * 256)
    assert passed(attacker, "wrong padding") == 40


def test_a_reserved_next_header_passes_when_the_mode_does_not_restrict_it() -> None:
    attacker = Insider("aes-gcm-16-128")
    attacker.association._tunnel = False
    # 142 and 59 go ways of their own: all others are taken for inner packets.
    assert passed(attacker, "reserved next header", 80) >= 40


# -- what it costs ---------------------------------------------------------------------------------


def test_good_packets_keep_nearly_half_their_rate_among_as_many_hostile_ones() -> None:
    ratios: dict[str, float] = {}
    for name in SUITES:
        attacker = Insider(name)
        receive = attacker.gateway.receive

        def spent(packets: list[bytes], receive: Callable[..., object] = receive) -> float:
            started = time.process_time()
            for packet in packets:
                receive(HsePort.ESP, packet, UE_ADDRESS, 0.0)
            return time.process_time() - started

        alone = mixed = 0.0
        makers = [make for make, _ in TEN.values()]
        for _ in range(10):
            good = [attacker.good() for _ in range(50)]
            alone += spent(good)
            both = []
            for number in range(50):
                both += [makers[number % 10](attacker), attacker.good()]
            mixed += spent(both)
        ratios[name] = alone / mixed
    assert sum(ratios.values()) / len(ratios) >= 0.45, ratios
