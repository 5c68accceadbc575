"""From CK and IK to K_e2m: the published base keys, and what changes the key."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest

from esp.errors import InvalidParameter
from esp.keying import BaseKey, DerivationSettings, Hierarchy
from esp.keying.hierarchy import base_key, k_e2m

CK = bytes(range(16))
IK = bytes(range(16, 32))
RAND = b"r" * 16
AUTN = b"sqn-ak" + b"\0\0" + b"m" * 8
NAF = b"hse.example" + b"\1\0\0\0\1"
HIERARCHIES = {
    BaseKey.CK_IK: Hierarchy(),
    BaseKey.KASME: Hierarchy(base=BaseKey.KASME, network=bytes.fromhex("00f110")),
    BaseKey.K_HSE: Hierarchy(base=BaseKey.K_HSE, network=b"5G:mnc001.mcc001"),
    BaseKey.K_HSE_PRIME: Hierarchy(base=BaseKey.K_HSE_PRIME, network=b"5G:mnc001.mcc001"),
    BaseKey.KS_NAF: Hierarchy(base=BaseKey.KS_NAF, naf_id=NAF),
}


def text(fc: int, *parameters: bytes) -> bytes:
    return bytes((fc,)) + b"".join(one + len(one).to_bytes(2, "big") for one in parameters)


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def base(hierarchy: Hierarchy, identity: str = "ue-1") -> bytes:
    return base_key(hierarchy, CK, IK, rand=RAND, autn=AUTN, identity=identity)


def test_a_published_kasme_is_the_base_key() -> None:
    """srsRAN's test of TS 33.401 A.2: MCC 001, MNC 01."""
    key = bytes.fromhex("7bc15d69309cf3ec5d324404edd6f0f9")
    other = bytes.fromhex("c15d69309cf3ec5d324404edd6f0f97b")
    autn = bytes.fromhex("5d69309ce135") + bytes(10)
    found = base_key(HIERARCHIES[BaseKey.KASME], key, other, rand=RAND, autn=autn, identity="ue-1")
    assert found.hex() == "d5ef4d8f33266902295d42f322a2f2cf11fb2ccc124c09b4d88d361597037990"


RFC5448 = [
    # network name, AUTN, IK, CK, CK', IK': RFC 5448 appendix C, cases 1 and 2
    (
        b"WLAN",
        "bb52e91c747ac3ab2a5c23d15ee351d5",
        "9744871ad32bf9bbd1dd5ce54e3e2e5a",
        "5349fbe098649f948f5d2e973a81c00f",
        "0093962d0dd84aa5684b045c9edffa04",
        "ccfc230ca74fcc96c0a5d61164f5a76c",
    ),
    (
        b"HRPD",
        "bb52e91c747ac3ab2a5c23d15ee351d5",
        "9744871ad32bf9bbd1dd5ce54e3e2e5a",
        "5349fbe098649f948f5d2e973a81c00f",
        "3820f0277fa5f77732b1fb1d90c1a0da",
        "db94a0ab557ef6c9ab48619ca05b9a9f",
    ),
]


@pytest.mark.parametrize(("network", "autn", "ik", "ck", "ck_prime", "ik_prime"), RFC5448)
def test_the_published_ck_and_ik_with_primes_are_under_k_hse_with_primes(
    network: bytes, autn: str, ik: str, ck: str, ck_prime: str, ik_prime: str
) -> None:
    hierarchy = Hierarchy(base=BaseKey.K_HSE_PRIME, network=network)
    octets = bytes.fromhex(autn)
    found = base_key(
        hierarchy,
        bytes.fromhex(ck),
        bytes.fromhex(ik),
        rand=RAND,
        autn=octets,
        identity="ue-1",
    )
    primes = bytes.fromhex(ck_prime + ik_prime)
    assert found == mac(primes, text(0x64, network, octets[:6]))


def test_the_other_base_keys_are_their_formulas() -> None:
    network = b"5G:mnc001.mcc001"
    assert base(HIERARCHIES[BaseKey.CK_IK]) == CK + IK
    assert base(HIERARCHIES[BaseKey.K_HSE]) == mac(CK + IK, text(0x63, network, b"sqn-ak"))
    naf = HIERARCHIES[BaseKey.KS_NAF]
    assert base(naf) == mac(CK + IK, text(1, b"gba-me", RAND, b"ue-1", NAF))
    named = replace(naf, impi="ue@home")
    assert base(named) == mac(CK + IK, text(1, b"gba-me", RAND, b"ue@home", NAF))


@pytest.mark.parametrize("name", BaseKey)
def test_k_e2m_is_what_the_documentation_says_it_is(name: BaseKey) -> None:
    hierarchy = HIERARCHIES[name]
    found = k_e2m(hierarchy, CK, IK, rand=RAND, autn=AUTN, identity="ue-1")
    parameters = b"".join(
        one + len(one).to_bytes(2, "big") for one in (b"best-e2m", name.value.encode())
    )
    assert found == mac(base(hierarchy), b"\xff\xfe" + parameters)


def test_base_key_fc_and_label_change_k_e2m() -> None:
    plain = Hierarchy()
    others = [
        *HIERARCHIES.values(),
        replace(plain, derivation=DerivationSettings(fc=b"\x70")),
        replace(plain, derivation=DerivationSettings(e2m_label=b"other")),
        replace(HIERARCHIES[BaseKey.K_HSE], network=b"another"),
        replace(HIERARCHIES[BaseKey.KS_NAF], naf_id=NAF + b"x"),
    ]
    seen = {k_e2m(one, CK, IK, rand=RAND, autn=AUTN, identity="ue-1") for one in others}
    seen.add(k_e2m(plain, IK, CK, rand=RAND, autn=AUTN, identity="ue-1"))
    seen.add(k_e2m(plain, CK, CK, rand=RAND, autn=AUTN, identity="ue-1"))
    assert len(seen) == len(others) + 2


@pytest.mark.parametrize(
    "options",
    [
        {"base": BaseKey.KASME},
        {"base": BaseKey.KASME, "network": b"longer"},
        {"base": BaseKey.K_HSE},
        {"base": BaseKey.K_HSE_PRIME},
        {"base": BaseKey.KS_NAF},
        {"base": BaseKey.KS_NAF, "naf_id": b"\1\0\0\0\1"},
    ],
)
def test_a_base_key_without_what_it_needs_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter):
        Hierarchy(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ck", "autn"), [(b"short", AUTN), (CK, b"short")])
def test_wrong_sizes_are_refused_and_not_shown(ck: bytes, autn: bytes) -> None:
    with pytest.raises(InvalidParameter) as caught:
        k_e2m(Hierarchy(), ck, IK, rand=RAND, autn=autn, identity="ue-1")
    assert "short" not in str(caught.value)


def test_the_separation_bit_is_set_for_what_belongs_to_eps_and_later() -> None:
    assert {one for one in BaseKey if one.separated} == {
        BaseKey.KASME,
        BaseKey.K_HSE,
        BaseKey.K_HSE_PRIME,
    }
