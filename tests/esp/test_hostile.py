"""Ten kinds of hostile packets among good ones: none gets in, each is counted by its reason.

The kinds are made from packets of a genuine sender, by somebody who sees the traffic, and in four
cases by somebody who has a key: of this SA (wrong selector, wrong padding, reserved next header)
or of another one.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_network

import pytest

from esp import (
    InboundAssociation,
    OutboundAssociation,
    Reason,
    SecurityAssociationDatabase,
    Selector,
    Suite,
    TrafficSelectors,
    suite,
)
from esp.errors import RemoteError
from esp.transforms import Transform, new_transform

SUITES = [
    "aes-gcm-16-128",
    "aes-ccm-8-128",
    "chacha20-poly1305",
    "aes-cbc-128+hmac-sha2-256-128",
    "null+aes-cmac-96",
]
# Of each kind and suite; 31 makes more than 100,000 of the proof.
EACH = 60 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
SPI, OTHER_SPI = 0x4000_0001, 0x4000_0002
ADDRESS = b"\x0a\0\0\1"


def inner(source: bytes = ADDRESS, size: int = 60) -> bytes:
    head = b"\x45\0" + size.to_bytes(2, "big") + b"\0\0\x40\0\x40\x11\0\0"
    datagram = b"\x9c\x40\x16\x33" + (size - 20).to_bytes(2, "big") + b"\0\0"
    return (head + source + b"\x0a\0\0\2" + datagram).ljust(size, b"d")


def keys_of(row: Suite, seed: int) -> dict[str, bytes]:
    source = random.Random(seed)
    return {
        "key": source.randbytes(row.key_bytes),
        "salt": source.randbytes(row.salt_bytes),
        "integrity_key": source.randbytes(row.integrity_key_bytes),
    }


class Attacker:
    """Makes packets of every kind from genuine ones."""

    def __init__(self, row: Suite, seed: int) -> None:
        self.row = row
        self.chance = random.Random(seed)
        keys = keys_of(row, 1)
        self.sender = OutboundAssociation(SPI, row, **keys)
        self.transform = new_transform(row, **keys)
        self.stranger = OutboundAssociation(SPI, row, **keys_of(row, 3))
        self.sent: list[bytes] = []

    def good(self) -> bytes:
        packet = self.sender.protect(inner(), 4)
        self.sent.append(packet)
        return packet

    def _insider(self, plaintext: bytes) -> bytes:
        """Authentic, with any plaintext; uses the sender's next number."""
        self.sender.skip_to(self.sender.sequence + 1)
        sequence = self.sender.sequence
        header = SPI.to_bytes(4, "big") + sequence.to_bytes(4, "big")
        return self.transform.seal(header, sequence, plaintext)

    def _filled(self, payload: bytes, next_header: int) -> bytes:
        pad = self.row.padding_bytes(len(payload))
        return payload + bytes(range(1, pad + 1)) + bytes((pad, next_header))

    def forged(self) -> bytes:
        return SPI.to_bytes(4, "big") + (2**31).to_bytes(4, "big") + self.chance.randbytes(96)

    def replayed_inside(self) -> bytes:
        return self.chance.choice(self.sent[-20:])

    def replayed_outside(self) -> bytes:
        return self.chance.choice(self.sent[:-64])

    def truncated(self) -> bytes:
        packet = self.sender.protect(inner(), 4)
        return packet[: self.chance.randrange(len(packet))]

    def flipped(self) -> bytes:
        packet = bytearray(self.sender.protect(inner(), 4))
        bit = self.chance.randrange(len(packet) * 8)
        packet[bit // 8] ^= 1 << bit % 8
        return bytes(packet)

    def wrong_spi(self) -> bytes:
        spi = self.chance.randrange(SPI + 100, 2**32)
        return spi.to_bytes(4, "big") + self.sender.protect(inner(), 4)[4:]

    def wrong_selector(self) -> bytes:
        return self._insider(self._filled(inner(b"\x0a\0\0\x09"), 4))

    def wrong_padding(self) -> bytes:
        body = self._filled(inner(), 4)
        pad = body[-2] or self.row.block_bytes
        wrong = bytes(pad - 1) + b"\xff" if body[-2] else bytes(pad)
        head = body[: -2 - body[-2]]
        return self._insider(head + wrong + bytes((pad, 4)))

    def reserved_next_header(self) -> bytes:
        number = self.chance.choice((0, 6, 17, 50, 142, 143, 253, 255))
        return self._insider(self._filled(inner(), number))

    def other_key(self) -> bytes:
        self.stranger.skip_to(max(2**31, self.stranger.sequence + 1))
        return self.stranger.protect(inner(), 4)

    def oversized(self) -> bytes:
        return self.sender.protect(inner(), 4) + self.chance.randbytes(2000)


KINDS: dict[str, tuple[Callable[[Attacker], bytes], set[Reason]]] = {
    "forged": (Attacker.forged, {Reason.BAD_ICV, Reason.TRUNCATED}),
    "replayed inside the window": (Attacker.replayed_inside, {Reason.REPLAYED}),
    "replayed outside the window": (Attacker.replayed_outside, {Reason.OUTSIDE_WINDOW}),
    "truncated": (Attacker.truncated, {Reason.TRUNCATED, Reason.BAD_ICV}),
    "flipped bit": (
        Attacker.flipped,
        {
            Reason.BAD_ICV,
            Reason.UNKNOWN_SPI,
            Reason.RESERVED_SPI,
            Reason.OUTSIDE_WINDOW,
            Reason.REPLAYED,
        },
    ),
    "wrong SPI": (Attacker.wrong_spi, {Reason.UNKNOWN_SPI}),
    "wrong selector": (Attacker.wrong_selector, {Reason.WRONG_SELECTOR}),
    "wrong padding": (Attacker.wrong_padding, {Reason.BAD_PADDING}),
    "reserved next header": (Attacker.reserved_next_header, {Reason.WRONG_NEXT_HEADER}),
    "another SA's key": (Attacker.other_key, {Reason.BAD_ICV}),
    "oversized": (Attacker.oversized, {Reason.BAD_ICV, Reason.TRUNCATED}),
}


def receiver(row: Suite, **options: object) -> SecurityAssociationDatabase[str]:
    """A database with the SA under attack and another one."""
    options.setdefault("selectors", TrafficSelectors([Selector(source=ip_network("10.0.0.1"))]))
    database: SecurityAssociationDatabase[str] = SecurityAssociationDatabase()
    for spi, seed in ((SPI, 1), (OTHER_SPI, 2)):
        keys = keys_of(row, seed)
        database.add(InboundAssociation(spi, row, **keys, **options), "UE")  # type: ignore[arg-type]
    return database


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("kind", KINDS)
def test_none_gets_in_each_is_counted_and_good_traffic_goes_on(
    name: str, kind: str, record_property: Callable[[str, object], None]
) -> None:
    row = suite(name)
    make, reasons = KINDS[kind]
    attacker = Attacker(row, 7)
    database = receiver(row)
    for _ in range(200):
        database.unprotect(attacker.good())
    counted: Counter[Reason] = Counter()
    for _ in range(EACH):
        hostile = make(attacker)
        with pytest.raises(RemoteError) as caught:
            database.unprotect(hostile)
        counted[caught.value.reason] += 1
        entry, opened = database.unprotect(attacker.good())
        assert (entry.owner, opened.payload) == ("UE", inner())
    assert set(counted) <= reasons
    assert counted.total() == EACH
    record_property("figure: hostile packets refused and counted", counted.total())
    record_property("figure: good packets delivered between them", EACH)


# --- each kind passes when its check is switched off -------------------------------------------


class _Blind(Transform):
    """Opens without looking at the ICV, for counter modes and NULL."""

    def __init__(self, row: Suite) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        keys = keys_of(row, 1)
        self.row = row

        def decrypt(packet: bytes) -> bytes:
            nonce = keys["salt"] + packet[8:16] + b"\0\0\0\2"
            context = Cipher(algorithms.AES(keys["key"]), modes.CTR(nonce)).decryptor()
            return context.update(packet[16:-16])

        self.decrypt = decrypt

    def open(self, packet: bytes, sequence: int) -> bytes:
        return self.decrypt(packet)


def gets_in(kind: str, database: SecurityAssociationDatabase[str], attacker: Attacker) -> int:
    """How many of a kind get through."""
    passed = 0
    for _ in range(40):
        try:
            database.unprotect(KINDS[kind][0](attacker))
        except RemoteError:
            continue
        passed += 1
    return passed


@pytest.mark.parametrize("kind", ["replayed inside the window", "replayed outside the window"])
def test_replays_pass_when_the_window_is_switched_off(kind: str) -> None:
    row = suite("aes-gcm-16-128")
    attacker, database = Attacker(row, 7), receiver(row, replay_window=0)
    for _ in range(200):
        database.unprotect(attacker.good())
    assert gets_in(kind, database, attacker) == 40


def test_a_wrong_selector_passes_when_there_is_none() -> None:
    row = suite("aes-gcm-16-128")
    attacker, database = Attacker(row, 7), receiver(row, selectors=None)
    assert gets_in("wrong selector", database, attacker) == 40


def test_a_next_header_passes_when_the_mode_does_not_restrict_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = suite("aes-gcm-16-128")
    attacker, database = Attacker(row, 7), receiver(row)
    for entry in database:
        entry.association._tunnel = False
    assert gets_in("reserved next header", database, attacker) == 40


def test_wrong_padding_passes_when_it_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    import esp.inbound

    class Anything:
        def __ne__(self, other: object) -> bool:
            return False

    row = suite("aes-gcm-16-128")
    attacker, database = Attacker(row, 7), receiver(row)
    monkeypatch.setattr(esp.inbound, "PADDING", [Anything()] * 256)
    assert gets_in("wrong padding", database, attacker) == 40


def test_flipped_bits_pass_when_the_icv_is_not_looked_at() -> None:
    row = suite("aes-gcm-16-128")
    attacker, database = Attacker(row, 7), receiver(row, replay_window=0)
    for entry in database:
        if entry.association.spi == SPI:
            entry.association._open = _Blind(row).open
    assert gets_in("flipped bit", database, attacker) > 10


def test_a_wrong_spi_passes_when_the_database_is_not_asked() -> None:
    row = suite("null+aes-cmac-96")
    attacker, database = Attacker(row, 7), receiver(row)
    entry = database.get(SPI)
    assert entry is not None
    packet = attacker.wrong_spi()
    association = entry.association
    association._spi = int.from_bytes(packet[:4], "big")
    real = association._open
    association._open = lambda data, sequence: real(SPI.to_bytes(4, "big") + data[4:], sequence)
    assert association.unprotect(packet).payload == inner()
