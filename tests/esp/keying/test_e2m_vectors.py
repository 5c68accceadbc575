"""Worked keys for every suite, against a second implementation.

What follows up to the tests is written from docs/keying.md with ``hashlib`` alone, and imports
nothing of ``esp.keying``: HMAC from its definition, the KDF of TS 33.220 B.2, the hierarchy, and
the key sizes from the RFCs of the suites.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from esp import SUITES

PATH = Path(__file__).parents[2] / "data" / "esp" / "e2m_vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text(encoding="utf-8"))


def hmac_sha_256(key: bytes, text: bytes) -> bytes:
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(one ^ 0x36 for one in block) + text).digest()
    return hashlib.sha256(bytes(one ^ 0x5C for one in block) + inner).digest()


def kdf(key: bytes, fc: str, *parameters: bytes) -> bytes:
    text = bytes.fromhex(fc)
    for one in parameters:
        text += one + bytes((len(one) >> 8, len(one) & 0xFF))
    return hmac_sha_256(key, text)


def base_key(given: dict[str, Any]) -> bytes:
    root = bytes.fromhex(given["ck"] + given["ik"])
    hidden = bytes.fromhex(given["autn"])[:6]
    network = bytes.fromhex(given["network"])
    if given["base_key"] == "ck-ik":
        return root
    if given["base_key"] == "kasme":
        return kdf(root, "10", network, hidden)
    if given["base_key"] == "k-hse":
        return kdf(root, "63", network, hidden)
    if given["base_key"] == "k-hse-prime":
        return kdf(kdf(root, "20", network, hidden), "64", network, hidden)
    assert given["base_key"] == "ks-naf"
    rand, naf_id = bytes.fromhex(given["rand"]), bytes.fromhex(given["naf_id"])
    return kdf(root, "01", b"gba-me", rand, given["identity"].encode(), naf_id)


def k_e2m(given: dict[str, Any]) -> bytes:
    return kdf(base_key(given), "fffe", b"best-e2m", given["base_key"].encode())


INTEGRITY_KEYS = {
    "hmac-sha1-96": 20,
    "aes-xcbc-96": 16,
    "aes-cmac-96": 16,
    "hmac-sha2-256-128": 32,
    "hmac-sha2-384-192": 48,
    "hmac-sha2-512-256": 64,
}


def sizes(name: str) -> tuple[int, int, int]:
    """Octets of key, salt and integrity key, read from the suite's name."""
    encryption, _, integrity = name.partition("+")
    bits = re.search(r"-(128|192|256)$", encryption)
    key = 32 if encryption.startswith("chacha20") else int(bits[1]) // 8 if bits else 0
    family = encryption.split("-")[1] if "-" in encryption else encryption
    salt = {"gcm": 4, "ccm": 3, "poly1305": 4, "gmac": 4, "ctr": 4}.get(family, 0)
    return key, salt, INTEGRITY_KEYS.get(integrity, 0)


def direction_keys(given: dict[str, Any], direction: bytes) -> dict[str, str]:
    key = k_e2m(given)
    identity = given["identity"].encode()

    def material(purpose: bytes, size: int) -> str:
        octets = b""
        number = 0
        while len(octets) < size:
            number += 1
            octets += kdf(
                key,
                "fffe",
                b"best-esp",
                purpose,
                direction,
                bytes.fromhex(given["proposal"]),
                given["ue_spi"].to_bytes(4, "big"),
                given["hse_spi"].to_bytes(4, "big"),
                bytes.fromhex(given["ue_nonce"]),
                bytes.fromhex(given["hse_nonce"]),
                identity,
                b"\2",
                bytes.fromhex(given["rohc"]),
                bytes((number,)),
            )
        return octets[:size].hex()

    encryption, salt, integrity = sizes(given["suite"])
    return {
        "message_key": kdf(key, "fffe", b"best-message", direction, identity, b"\2").hex(),
        "key": material(b"encr", encryption),
        "salt": material(b"salt", salt),
        "integrity_key": material(b"integ", integrity),
        "rohc_key": material(b"rohc", 64),
    }


NAMES = [f"{one['suite']} from {one['base_key']}" for one in VECTORS]


@pytest.mark.parametrize("given", VECTORS, ids=NAMES)
def test_the_second_implementation_gives_the_same_keys(given: dict[str, Any]) -> None:
    assert given["k_e2m"] == k_e2m(given).hex()
    assert given["uplink"] == direction_keys(given, b"\0")
    assert given["downlink"] == direction_keys(given, b"\1")


def test_there_is_a_vector_for_every_suite_and_every_base_key() -> None:
    assert {one["suite"] for one in VECTORS} == set(SUITES)
    assert {one["base_key"] for one in VECTORS} == {
        "ck-ik",
        "kasme",
        "k-hse",
        "k-hse-prime",
        "ks-naf",
    }
    assert {bool(one["rohc"]) for one in VECTORS} == {True, False}


def test_the_committed_vectors_are_what_this_version_derives() -> None:
    import runpy

    script = Path(__file__).parents[2] / "make_e2m_vectors.py"
    assert runpy.run_path(str(script))["vectors"]() == VECTORS


def test_no_key_stands_in_two_places() -> None:
    keys: list[str] = []
    for one in VECTORS:
        for side in ("uplink", "downlink"):
            # Salts have 3 or 4 octets: two may be the same by chance.
            keys += [value for name, value in one[side].items() if value and name != "salt"]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    "field",
    [
        "ck",
        "ik",
        "identity",
        "proposal",
        "rohc",
        "ue_spi",
        "hse_spi",
        "ue_nonce",
        "hse_nonce",
        "base_key",
    ],
)
def test_changing_one_input_changes_every_key(field: str) -> None:
    given = next(one for one in VECTORS if one["suite"] == "aes-cbc-256+hmac-sha2-512-256")
    value = given[field]
    other: Any
    if isinstance(value, int):
        other = value ^ 1
    elif field == "base_key":
        other = "k-hse"
    elif field == "rohc":
        other = "000f0000010000001f0000"
    elif field == "identity":
        other = value[:-1] + "2"
    else:
        other = value[:-1] + ("0" if value[-1] != "0" else "1")
    changed = {**given, field: other}
    for side, direction in (("uplink", b"\0"), ("downlink", b"\1")):
        keys = direction_keys(changed, direction)
        expected_same = {"message_key"} if field in _NOT_IN_MESSAGE_KEYS else set()
        same = {name for name, key in keys.items() if key and key == given[side][name]}
        assert same == expected_same


_NOT_IN_MESSAGE_KEYS = {"proposal", "rohc", "ue_spi", "hse_spi", "ue_nonce", "hse_nonce"}
"""They are under the code itself: in the transcript."""
