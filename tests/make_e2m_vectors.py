"""Write tests/data/esp/e2m_vectors.json: worked keys from CK and IK, for every suite.

    python tests/make_e2m_vectors.py

The inputs are made of SHA-256 of a name, so that each is different and the file the same each time.
One vector per suite with K_e2m from CK || IK, then one per further base key. A second
implementation reads them: tests/esp/keying/test_e2m_vectors.py.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from esp import SUITES, Mode, Suite, suite
from esp.keying import BaseKey, Hierarchy, KeyAgreement, Offer, RohcChannel, SessionBinding
from esp.keying.hierarchy import k_e2m
from esp.keying.kdf import Direction, DirectionKeys, authentication_key, derive_direction

PATH = Path(__file__).parent / "data" / "esp" / "e2m_vectors.json"
IDENTITY = "001010000000001"
BASES = {
    BaseKey.KASME: {"network": bytes.fromhex("00f110")},
    BaseKey.K_HSE: {"network": b"5G:mnc001.mcc001.3gppnetwork.org"},
    BaseKey.K_HSE_PRIME: {"network": b"5G:mnc001.mcc001.3gppnetwork.org"},
    BaseKey.KS_NAF: {"naf_id": b"hse.example" + b"\1\0\0\0\1"},
}


def octets(name: str, size: int) -> bytes:
    """Octets that look random and are always the same."""
    return hashlib.sha256(name.encode()).digest()[:size]


def keys_of(keys: DirectionKeys) -> dict[str, str]:
    """One direction's keys as text."""
    return {
        "key": keys.key.hex(),
        "salt": keys.salt.hex(),
        "integrity_key": keys.integrity_key.hex(),
        "rohc_key": keys.rohc_key.hex(),
    }


def vector(row: Suite, offer: Offer, hierarchy: Hierarchy) -> dict[str, Any]:
    """One worked example."""
    name = f"{row.name} {hierarchy.base}"
    given = {
        field: octets(f"{field} of {name}", 16)
        for field in ("ck", "ik", "rand", "autn", "ue_nonce", "hse_nonce")
    }
    key = k_e2m(
        hierarchy,
        given["ck"],
        given["ik"],
        rand=given["rand"],
        autn=given["autn"],
        identity=IDENTITY,
    )
    binding = SessionBinding(
        identity=IDENTITY,
        proposal=offer.encode(),
        ue_spi=int.from_bytes(octets(f"ue {name}", 4), "big") | 0x100,
        hse_spi=int.from_bytes(octets(f"hse {name}", 4), "big") | 0x100,
        ue_nonce=given["ue_nonce"],
        hse_nonce=given["hse_nonce"],
        key_agreement=KeyAgreement.AKA,
        rohc=RohcChannel().encode() if offer.compression else b"",
    )
    settings = hierarchy.derivation
    record: dict[str, Any] = {
        "suite": row.name,
        "base_key": hierarchy.base.value,
        "network": hierarchy.network.hex(),
        "naf_id": hierarchy.naf_id.hex(),
        "identity": IDENTITY,
        "proposal": binding.proposal.hex(),
        "rohc": binding.rohc.hex(),
        "ue_spi": binding.ue_spi,
        "hse_spi": binding.hse_spi,
        **{field: value.hex() for field, value in given.items()},
        "k_e2m": key.hex(),
    }
    for direction in Direction:
        message_key = authentication_key(key, IDENTITY, direction, settings, KeyAgreement.AKA)
        record[direction.name.lower()] = {
            "message_key": message_key.hex(),
            **keys_of(derive_direction(key, binding, row, direction, settings)),
        }
    return record


def vectors() -> list[dict[str, Any]]:
    """All of them: suites alternate between tunnel with ROHC, tunnel, and transport mode."""
    found = []
    for number, row in enumerate(SUITES.values()):
        offer = (
            Offer(suite=row, compression=True),
            Offer(suite=row),
            Offer(suite=row, mode=Mode.TRANSPORT),
        )[number % 3]
        found.append(vector(row, offer, Hierarchy()))
    plain = suite("aes-gcm-16-128")
    for base, needs in BASES.items():
        found.append(vector(plain, Offer(suite=plain), Hierarchy(base=base, **needs)))
    return found


def main() -> None:
    """Write the file."""
    lines = ",\n".join(json.dumps(one) for one in vectors())
    PATH.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
