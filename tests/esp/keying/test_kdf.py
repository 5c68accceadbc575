"""The key derivation function, and what changes a derived key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import SUITES, Mode, suite
from esp.errors import InvalidParameter, WeakSecret
from esp.keying import (
    DerivationSettings,
    KeyAgreement,
    Offer,
    RohcChannel,
    SessionBinding,
    check_secret,
    derive_session,
    kdf,
)
from esp.keying.kdf import Direction, authentication_key, derive_direction

PUBLISHED = Path(__file__).parents[2] / "data" / "aka" / "kdf_vectors.json"
SECRET = bytes(range(32))
SETTINGS = DerivationSettings()
GCM = suite("aes-gcm-16-128")
BINDING = SessionBinding(
    identity="ue-1",
    proposal=Offer(suite=GCM).encode(),
    ue_spi=0x1111_1111,
    hse_spi=0x2222_2222,
    ue_nonce=bytes(16),
    hse_nonce=bytes(range(16)),
)


def written_out(key: bytes, text: bytes) -> bytes:
    """HMAC-SHA-256 from its definition (RFC 2104), without the hmac module."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).digest()


def test_the_string_is_fc_then_each_parameter_with_its_length_behind() -> None:
    assert kdf(SECRET, b"\x10", b"ab", b"") == written_out(SECRET, b"\x10ab\0\2\0\0")
    assert kdf(SECRET, b"\xff\x01") == written_out(SECRET, b"\xff\x01")


def test_a_published_kasme_comes_out() -> None:
    """TS 33.401 A.2: FC 0x10, P0 serving network (MCC 001 MNC 01), P1 SQN xor AK."""
    key = bytes.fromhex("7bc15d69309cf3ec5d324404edd6f0f9c15d69309cf3ec5d324404edd6f0f97b")
    assert kdf(key, b"\x10", bytes.fromhex("00f110"), bytes.fromhex("5d69309ce135")).hex() == (
        "d5ef4d8f33266902295d42f322a2f2cf11fb2ccc124c09b4d88d361597037990"
    )


def test_published_values_come_out() -> None:
    checked = 0
    for vector in json.loads(PUBLISHED.read_text()):
        if vector["expected"] is None:
            continue
        parameters = [bytes.fromhex(one) for one in vector["P"]]
        fc = int(vector["FC"], 16).to_bytes(1, "big")
        result = kdf(bytes.fromhex(vector["key"]), fc, *parameters).hex()
        assert vector["expected"].lower() == result
        checked += 1
    assert checked == 9


@pytest.mark.parametrize("fc", [b"", b"\x00\x01", b"\xfe\x01", b"\xff\x00\x01"])
def test_fc_is_one_octet_or_two_of_which_the_first_is_ff(fc: bytes) -> None:
    with pytest.raises(InvalidParameter):
        kdf(SECRET, fc)


def test_a_parameter_has_at_most_65535_octets() -> None:
    assert len(kdf(SECRET, b"\x01", bytes(65535))) == 32
    with pytest.raises(InvalidParameter):
        kdf(SECRET, b"\x01", bytes(65536))


@settings(deadline=None)
@given(one=st.lists(st.binary(max_size=6), max_size=4), other=st.lists(st.binary(max_size=6)))
def test_other_parameters_give_another_key(one: list[bytes], other: list[bytes]) -> None:
    same = kdf(SECRET, b"\x01", *one) == kdf(SECRET, b"\x01", *other)
    assert same == (one == other)


def test_a_derived_key_is_what_the_documentation_says_it_is() -> None:
    """The parameters of docs/keying.md, put together by hand."""

    def block(purpose: bytes, direction: bytes, number: int) -> bytes:
        text = SETTINGS.fc
        for parameter in (
            b"best-esp",
            purpose,
            direction,
            b"\x14\x10\x00\x01",
            b"\x11" * 4,
            b"\x22" * 4,
            bytes(16),
            bytes(range(16)),
            b"ue-1",
            b"\x01",
            b"",
            bytes((number,)),
        ):
            text += parameter + len(parameter).to_bytes(2, "big")
        return written_out(SECRET, text)

    up = derive_direction(SECRET, BINDING, GCM, Direction.UPLINK, SETTINGS)
    assert up.key == block(b"encr", b"\0", 1)[:16]
    assert up.salt == block(b"salt", b"\0", 1)[:4]
    assert up.spi == BINDING.hse_spi
    assert up.rohc_key == block(b"rohc", b"\0", 1) + block(b"rohc", b"\0", 2)
    down = derive_direction(SECRET, BINDING, GCM, Direction.DOWNLINK, SETTINGS)
    assert down.key == block(b"encr", b"\1", 1)[:16]
    assert down.spi == BINDING.ue_spi
    long = replace(GCM, key_bytes=80)
    key = derive_direction(SECRET, BINDING, long, Direction.UPLINK, SETTINGS).key
    assert key == b"".join(block(b"encr", b"\0", n) for n in (1, 2, 3))[:80]


@pytest.mark.parametrize("name", SUITES)
def test_keys_have_the_sizes_of_their_suite_and_fit_the_associations(name: str) -> None:
    row = SUITES[name]
    offer = Offer(suite=row)
    binding = replace(BINDING, proposal=offer.encode())
    ue = derive_session(SECRET, binding, offer, at_ue=True, settings=SETTINGS)
    hse = derive_session(SECRET, binding, offer, at_ue=False, settings=SETTINGS)
    assert len(ue.inbound.key) == row.key_bytes
    assert len(ue.inbound.salt) == row.salt_bytes
    assert len(ue.inbound.integrity_key) == row.integrity_key_bytes
    packet = b"\x45\0\0\x1c".ljust(28, b"\1")
    up = ue.outbound_association().protect(packet, 4)
    assert hse.inbound_association().unprotect(up).payload == packet
    down = hse.outbound_association().protect(packet, 4)
    assert ue.inbound_association().unprotect(down).payload == packet


CHANGES = {
    "identity": {"identity": "ue-2"},
    "suite": {"proposal": Offer(suite=suite("aes-gcm-16-256")).encode()},
    "mode": {"proposal": Offer(suite=GCM, mode=Mode.TRANSPORT).encode()},
    "compression": {"proposal": Offer(suite=GCM, compression=True).encode()},
    "esn": {"proposal": Offer(suite=GCM, esn=True).encode()},
    "UE SPI": {"ue_spi": 0x1111_1112},
    "HSE SPI": {"hse_spi": 0x2222_2223},
    "SPIs exchanged": {"ue_spi": 0x2222_2222, "hse_spi": 0x1111_1111},
    "UE nonce": {"ue_nonce": b"\1" + bytes(15)},
    "HSE nonce": {"hse_nonce": b"\1" + bytes(range(1, 16))},
    "nonces exchanged": {"ue_nonce": bytes(range(16)), "hse_nonce": bytes(16)},
    "key agreement": {"key_agreement": KeyAgreement.AKA},
    "ROHC channel": {"rohc": RohcChannel().encode()},
    "ROHC profiles": {"rohc": RohcChannel(profiles=(0, 2)).encode()},
}


@pytest.mark.parametrize("change", CHANGES)
def test_changing_one_thing_changes_every_key_and_salt(change: str) -> None:
    seen = set()
    for binding in (BINDING, replace(BINDING, **CHANGES[change])):
        for direction in Direction:
            keys = derive_direction(SECRET, binding, GCM, direction, SETTINGS)
            seen |= {keys.key, keys.salt, keys.rohc_key}
    assert len(seen) == 12


def test_secret_fc_and_label_change_every_key() -> None:
    seen = set()
    for secret, options in (
        (SECRET, SETTINGS),
        (bytes(32), SETTINGS),
        (SECRET, replace(SETTINGS, fc=b"\x70")),
        (SECRET, replace(SETTINGS, esp_label=b"other")),
    ):
        keys = derive_direction(secret, BINDING, GCM, Direction.UPLINK, options)
        seen |= {keys.key, keys.salt}
    assert len(seen) == 8


def test_the_keys_of_the_hello_differ_by_direction_and_identity() -> None:
    keys = {
        authentication_key(SECRET, identity, direction, SETTINGS)
        for identity in ("ue-1", "ue-2")
        for direction in Direction
    }
    assert len(keys) == 4


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_short_secret_is_refused_and_not_shown(size: int) -> None:
    with pytest.raises(WeakSecret) as caught:
        check_secret(b"s" * size)
    assert str(size) in str(caught.value)
    assert "sss" not in str(caught.value)
    assert caught.value.hint
    assert check_secret(b"s" * 16) == b"s" * 16


def test_no_repr_shows_a_key() -> None:
    session = derive_session(SECRET, BINDING, Offer(suite=GCM), at_ue=True, settings=SETTINGS)
    for text in (repr(session), str(session), f"{session.inbound}", repr(session.outbound)):
        for keys in (session.inbound, session.outbound):
            for leak in (keys.key, keys.salt, keys.rohc_key):
                assert leak.hex() not in text
                assert repr(leak) not in text
        assert "0x" in text or "spi=" in text
