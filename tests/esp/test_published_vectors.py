"""Vectors that standards and drafts printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esp import SUITES, InboundAssociation, Mode, OutboundAssociation, Suite
from esp.errors import InvalidParameter
from esp.transforms import new_transform

SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "esp" / "esp_vectors.json"

# From draft-mcgrew-gcm-test-01, so that there is one in every clone.
PRINTED: list[dict[str, Any]] = [
    {
        "name": "no payload, the last 32-bit number",
        "transform": "AES-GCM-16 (RFC 4106), 128-bit key",
        "key": "7d773d00c144c525ac619d18c84a3f47",
        "salt": "d9664267",
        "spi": "335467ae",
        "esn": False,
        "seq_hi": None,
        "seq_lo": "ffffffff",
        "iv": "43457e9182443bc6",
        "plaintext_with_trailer": "01020201",
        "next_header": 1,
        "esp_packet": "335467aeffffffff43457e9182443bc6437f866bcb3f699fe9b0822bac961c4504bef270",
    },
]


def row_of(vector: dict[str, Any]) -> Suite | None:
    """The row of the suite table that a vector's transform names."""
    size = len(vector["key"]) // 2 * 8
    text = vector["transform"]
    if text.startswith("AES-GCM-16"):
        return SUITES.get(f"aes-gcm-16-{size}")
    if "GMAC" in text:
        return SUITES.get(f"aes-gmac-{size}")
    if text.startswith("ChaCha20"):
        return SUITES.get("chacha20-poly1305")
    return None


def shared() -> list[dict[str, Any]]:
    if not SHARED.exists():
        return []
    return [v for v in json.loads(SHARED.read_text()) if "esp_packet" in v and row_of(v)]


CASES = [
    pytest.param(vector, id=vector["name"])
    for vector in [*PRINTED, *shared()]
    if int(vector["spi"], 16) >= 256
]


def number_of(vector: dict[str, Any]) -> int:
    return int((vector.get("seq_hi") or "") + vector["seq_lo"], 16)


@pytest.mark.parametrize("vector", CASES)
def test_a_published_packet_opens_and_is_made_again(vector: dict[str, Any]) -> None:
    row = row_of(vector)
    assert row is not None
    spi, key, salt = int(vector["spi"], 16), vector["key"], vector["salt"]
    packet = bytes.fromhex(vector["esp_packet"])
    inbound = InboundAssociation(
        spi,
        row,
        bytes.fromhex(key),
        bytes.fromhex(salt),
        Mode.TRANSPORT,
        esn=vector["esn"],
        sequence=number_of(vector) - 1,
    )
    opened = inbound.unprotect(packet)
    plaintext = bytes.fromhex(vector["plaintext_with_trailer"])
    assert opened.payload == plaintext[: -2 - plaintext[-2]]
    assert opened.next_header == plaintext[-1]
    assert opened.sequence == number_of(vector)
    outbound = OutboundAssociation(
        spi,
        row,
        bytes.fromhex(key),
        bytes.fromhex(salt),
        Mode.TRANSPORT,
        esn=vector["esn"],
        sequence=number_of(vector) - 1,
        iv_source=lambda sequence: bytes.fromhex(vector["iv"]),
    )
    assert outbound.protect(opened.payload, opened.next_header) == packet


def test_a_published_packet_with_spi_zero_opens_at_the_cipher_and_nowhere_else() -> None:
    vectors = [v for v in shared() if int(v["spi"], 16) < 256]
    if not vectors:
        pytest.skip("the shared vectors are not beside this checkout")
    for vector in vectors:
        row = row_of(vector)
        assert row is not None
        key, salt = bytes.fromhex(vector["key"]), bytes.fromhex(vector["salt"])
        transform = new_transform(row, key, salt, esn=vector["esn"])
        packet = bytes.fromhex(vector["esp_packet"])
        plaintext = transform.open(packet, number_of(vector))
        assert plaintext.hex() == vector["plaintext_with_trailer"]
        with pytest.raises(InvalidParameter):
            InboundAssociation(int(vector["spi"], 16), row, key, salt)


def test_the_shared_vectors_are_there() -> None:
    if not SHARED.exists():
        pytest.skip("the shared vectors are not beside this checkout")
    assert len(shared()) >= 16
