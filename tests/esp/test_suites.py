"""The suite table: sizes, numbers, levels, and nothing that must not be there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from esp import SUITES, Mode, OutboundAssociation, suite
from esp.errors import ForbiddenSuite, InvalidParameter, UnknownSuite
from esp.suites import RFC8221_POLICY, SuitePolicy, check_manual_key, suite_by_wire_id
from esp.transforms import new_transform

# From the documents: name, IANA numbers, key, salt, IV, ICV, integrity key.
EXPECTED = [
    ("aes-gcm-8-128", 18, 0, 16, 4, 8, 8, 0),
    ("aes-gcm-12-192", 19, 0, 24, 4, 8, 12, 0),
    ("aes-gcm-16-128", 20, 0, 16, 4, 8, 16, 0),
    ("aes-gcm-16-256", 20, 0, 32, 4, 8, 16, 0),
    ("aes-ccm-8-128", 14, 0, 16, 3, 8, 8, 0),
    ("aes-ccm-12-256", 15, 0, 32, 3, 8, 12, 0),
    ("aes-ccm-16-192", 16, 0, 24, 3, 8, 16, 0),
    ("chacha20-poly1305", 28, 0, 32, 4, 8, 16, 0),
    ("aes-gmac-128", 21, 0, 16, 4, 8, 16, 0),
    ("aes-ccm-8-iiv-128", 29, 0, 16, 3, 0, 8, 0),
    ("aes-gcm-16-iiv-256", 30, 0, 32, 4, 0, 16, 0),
    ("chacha20-poly1305-iiv", 31, 0, 32, 4, 0, 16, 0),
    ("aes-cbc-128+hmac-sha1-96", 12, 2, 16, 0, 16, 12, 20),
    ("aes-cbc-256+hmac-sha2-256-128", 12, 12, 32, 0, 16, 16, 32),
    ("aes-cbc-128+hmac-sha2-384-192", 12, 13, 16, 0, 16, 24, 48),
    ("aes-ctr-192+hmac-sha2-512-256", 13, 14, 24, 4, 8, 32, 64),
    ("aes-ctr-128+aes-cmac-96", 13, 8, 16, 4, 8, 12, 16),
    ("null+aes-xcbc-96", 11, 5, 0, 0, 0, 12, 16),
]


@pytest.mark.parametrize(
    ("name", "encryption", "integrity", "key", "salt", "iv", "icv", "integrity_key"), EXPECTED
)
def test_rows_have_the_sizes_and_numbers_of_their_documents(
    name: str,
    encryption: int,
    integrity: int,
    key: int,
    salt: int,
    iv: int,
    icv: int,
    integrity_key: int,
) -> None:
    row = suite(name)
    assert row.name == name
    assert (row.encryption_id, row.integrity_id) == (encryption, integrity)
    assert (row.key_bytes, row.salt_bytes, row.iv_bytes) == (key, salt, iv)
    assert (row.icv_bytes, row.integrity_key_bytes) == (icv, integrity_key)
    assert row.keying_material_bytes == key + salt + integrity_key


def test_no_row_encrypts_without_integrity() -> None:
    for row in SUITES.values():
        assert row.icv_bytes >= 8
        assert (row.integrity == "none") == (row.integrity_key_bytes == 0)


def test_every_row_says_where_its_level_comes_from_or_unverified() -> None:
    for row in SUITES.values():
        assert row.rfc8221
        assert row.ts33210 == "unverified"
        assert row.source.startswith("RFC ")


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_found_by_name_and_by_its_three_octets(name: str) -> None:
    assert suite(name) is SUITES[name]
    assert suite_by_wire_id(SUITES[name].wire_id) is SUITES[name]


@pytest.mark.parametrize("name", ["", "aes-gcm", "AES-GCM-16-128", "des-cbc", "aes-cbc-128"])
def test_an_unknown_suite_is_refused_by_name_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownSuite) as caught:
        suite(name)
    assert repr(name) in str(caught.value)
    assert "aes-gcm-16-128" in caught.value.hint
    assert suite_by_wire_id(b"\x02\x08\x00") is None


def test_a_policy_refuses_what_it_does_not_allow_by_name() -> None:
    policy = SuitePolicy(name="region X", allowed=frozenset({"aes-gcm-16-128"}))
    assert policy.require(suite("aes-gcm-16-128")) is suite("aes-gcm-16-128")
    assert policy.allows(suite("aes-gcm-16-128"))
    with pytest.raises(ForbiddenSuite, match=r"chacha20-poly1305 .* region X") as caught:
        policy.require(suite("chacha20-poly1305"))
    assert "aes-gcm-16-128" in caught.value.hint


def test_a_policy_with_an_unknown_suite_is_refused() -> None:
    with pytest.raises(UnknownSuite):
        SuitePolicy(name="typo", allowed=frozenset({"aes-gcm-16-129"}))


def test_the_rfc_8221_policy_holds_what_is_must_or_should() -> None:
    allowed = RFC8221_POLICY.allowed
    for name in (
        "aes-gcm-16-128",
        "aes-gcm-16-256",
        "aes-ccm-8-128",
        "chacha20-poly1305",
        "aes-cbc-128+hmac-sha2-256-128",
        "null+hmac-sha2-512-256",
    ):
        assert name in allowed
    for name in ("aes-gcm-8-128", "aes-gcm-16-192", "aes-ccm-16-128", "aes-ctr-128+hmac-sha1-96"):
        assert name not in allowed


@pytest.mark.parametrize("name", SUITES)
def test_only_cbc_and_null_run_on_manual_keys(name: str) -> None:
    row = SUITES[name]
    if row.encryption in ("aes-cbc", "null"):
        assert check_manual_key(row) is row
    else:
        with pytest.raises(ForbiddenSuite, match="RFC 8221") as caught:
            check_manual_key(row)
        assert caught.value.hint
    assert check_manual_key(row, test_vectors=True) is row


def test_a_row_that_no_code_makes_is_refused() -> None:
    row = replace(suite("null+aes-cmac-96"), integrity="rot-13")
    with pytest.raises(InvalidParameter):
        new_transform(row, b"", b"", bytes(16))


@pytest.mark.parametrize(
    ("name", "aead"),
    [
        ("aes-gcm-16-iiv-128", AESGCM),
        ("aes-ccm-8-iiv-128", lambda key: AESCCM(key, 8)),
        ("chacha20-poly1305-iiv", ChaCha20Poly1305),
    ],
)
@pytest.mark.parametrize("esn", [False, True])
def test_the_implicit_iv_is_the_sequence_number_and_stays_at_home(
    name: str, aead: type[AESGCM], esn: bool
) -> None:
    """RFC 8750 section 4, figures 1 and 2, put together by hand."""
    row = suite(name)
    key, salt = bytes(range(row.key_bytes)), b"salt"[: row.salt_bytes]
    number = 0x7_0000_0003 if esn else 3
    outbound = OutboundAssociation(
        0x1234, row, key, salt, Mode.TRANSPORT, esn=esn, sequence=number - 1
    )
    packet = outbound.protect(b"payload octets", 17)
    header = b"\0\0\x12\x34\0\0\0\3"
    authenticated = b"\0\0\x12\x34" + number.to_bytes(8, "big") if esn else header
    nonce = salt + number.to_bytes(8, "big")
    assert packet == header + aead(key).encrypt(nonce, b"payload octets\0\x11", authenticated)


def test_an_implicit_iv_saves_eight_octets() -> None:
    for row in SUITES.values():
        if row.iv_bytes == 0 and row.salt_bytes:
            explicit = suite(row.name.replace("-iiv", ""))
            assert explicit.packet_bytes(40) - row.packet_bytes(40) == 8
