"""Key derivation: the KDF of TS 33.220 Annex B.2, and what this project derives with it.

::

    S = FC || P0 || L0 || P1 || L1 || ... || Pn || Ln          Li: length of Pi, two octets
    derived key = HMAC-SHA-256(Key, S)                         32 octets

ESP keys need up to 96 octets per direction, and the KDF gives 32: each key is made of as many
blocks as it needs, with the block's number as the last parameter. The parameters, in order:

    P0  label, "best-esp"              P6   nonce of the UE
    P1  purpose, see below             P7   nonce of the HSE
    P2  direction, one octet           P8   identity of the UE, UTF-8
    P3  suite, mode and options, 4     P9   version of the key agreement, one octet
    P4  the UE's inbound SPI, 4        P10  ROHC channel as agreed, empty where none was
    P5  the HSE's inbound SPI, 4       P11  block number, one octet, from 1

Purposes: ``encr``, ``salt``, ``integ`` for ESP, ``rohc`` for the ROHC ICV inside a tunnel. The key
is the secret of the hello, or K_e2m of AKA (:mod:`esp.keying.hierarchy`): one derivation for both.

Every parameter carries its length, so that no two sets of parameters give the same S: changing
any one of them changes every key. TR 33.863 and TS 33.163 name FC values and labels for their
own keys that could not be read; FC and labels are therefore settings, see
:class:`DerivationSettings`.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from esp.errors import InvalidParameter, WeakSecret
from esp.suites import Suite

__all__ = [
    "MAC_BYTES",
    "MINIMUM_SECRET_BYTES",
    "DerivationSettings",
    "Direction",
    "DirectionKeys",
    "KeyAgreement",
    "SessionBinding",
    "authentication_code",
    "authentication_key",
    "check_secret",
    "derive_direction",
    "kdf",
]

MAC_BYTES = 16
"""Octets of a message authentication code: HMAC-SHA-256 cut to 128 bits."""

MINIMUM_SECRET_BYTES = 16
"""The shortest secret that is accepted: 128 bits, if it is random."""


def kdf(key: bytes, fc: bytes, *parameters: bytes) -> bytes:
    """The generic key derivation function of TS 33.220 B.2.0, 32 octets.

    ``fc`` is one octet, or two of which the first is 0xFF (B.2.2). Raises InvalidParameter for
    another FC and for a parameter of more than 65535 octets.
    """
    if not (len(fc) == 1 or (len(fc) == 2 and fc[0] == 0xFF)):
        raise InvalidParameter("FC is one octet, or two of which the first is 0xFF")
    text = bytearray(fc)
    for parameter in parameters:
        if len(parameter) > 0xFFFF:
            raise InvalidParameter("a KDF parameter has at most 65535 octets")
        text += parameter
        text += len(parameter).to_bytes(2, "big")
    return hmac.digest(key, bytes(text), hashlib.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivationSettings:
    """Values that no published document fixes for this use; both sides need the same."""

    fc: bytes = b"\xff\xfe"
    """FC of all derivations here. Not an allocation of 3GPP: a two-octet value, clear of all
    published ones."""
    esp_label: bytes = b"best-esp"
    """P0 of the keys of ESP."""
    message_label: bytes = b"best-message"
    """P0 of the keys that authenticate the messages of an exchange."""
    e2m_label: bytes = b"best-e2m"
    """P0 of K_e2m."""


class KeyAgreement(StrEnum):
    """How two sides came to a session's keys."""

    HELLO = "hello"
    """From a configured secret, in two messages."""
    AKA = "aka"
    """From CK and IK of an AKA run, in four messages."""

    @property
    def version(self) -> int:
        """The high half of the first octet of each message, and P9."""
        return 1 if self is KeyAgreement.HELLO else 2


class Direction(Enum):
    """Which way the traffic goes that a key protects; the value is P2."""

    UPLINK = b"\x00"
    DOWNLINK = b"\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBinding:
    """All that enters the derivation beside the secret; none of it is secret."""

    identity: str = field(repr=False)
    """Identity of the UE; may be an IMSI, and is not shown."""
    proposal: bytes
    """Suite, mode and options as on the wire, 4 octets."""
    ue_spi: int
    """The SPI that the UE chose for what it receives."""
    hse_spi: int
    """The SPI that the HSE chose for what it receives."""
    ue_nonce: bytes
    """Fresh nonce of the UE."""
    hse_nonce: bytes
    """Fresh nonce of the HSE."""
    key_agreement: KeyAgreement = KeyAgreement.HELLO
    """Which exchange it was."""
    rohc: bytes = b""
    """The ROHC channel as on the wire; empty where none was negotiated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionKeys:
    """SPI and keying material of one direction. Keys never show in its repr."""

    spi: int
    """The receiver's SPI."""
    key: bytes = field(repr=False)
    """Encryption key."""
    salt: bytes = field(repr=False)
    """Salt, empty where the suite has none."""
    integrity_key: bytes = field(default=b"", repr=False)
    """Integrity key, empty for combined modes."""
    rohc_key: bytes = field(default=b"", repr=False)
    """64 octets for the ROHC ICV of this direction, of which a transform takes the first ones."""


def check_secret(secret: bytes) -> bytes:
    """The secret; raises :class:`~esp.errors.WeakSecret` when it is too short."""
    if len(secret) < MINIMUM_SECRET_BYTES:
        raise WeakSecret(
            f"a secret has at least {MINIMUM_SECRET_BYTES} octets, this one has {len(secret)}",
            hint="make one with: openssl rand -hex 16",
        )
    return secret


def authentication_key(
    secret: bytes,
    identity: str,
    direction: Direction,
    settings: DerivationSettings,
    key_agreement: KeyAgreement = KeyAgreement.HELLO,
) -> bytes:
    """The key that authenticates one direction of an exchange, 32 octets."""
    return kdf(
        secret,
        settings.fc,
        settings.message_label,
        direction.value,
        identity.encode("utf-8"),
        bytes((key_agreement.version,)),
    )


def authentication_code(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256, cut to 128 bits."""
    return hmac.digest(key, data, hashlib.sha256)[:MAC_BYTES]


def derive_direction(
    secret: bytes,
    binding: SessionBinding,
    suite: Suite,
    direction: Direction,
    settings: DerivationSettings,
) -> DirectionKeys:
    """Key, salt and integrity key of one direction of a session."""
    common = (
        direction.value,
        binding.proposal,
        binding.ue_spi.to_bytes(4, "big"),
        binding.hse_spi.to_bytes(4, "big"),
        binding.ue_nonce,
        binding.hse_nonce,
        binding.identity.encode("utf-8"),
        bytes((binding.key_agreement.version,)),
        binding.rohc,
    )

    def material(purpose: bytes, size: int) -> bytes:
        blocks = b"".join(
            kdf(secret, settings.fc, settings.esp_label, purpose, *common, bytes((number,)))
            for number in range(1, -(-size // 32) + 1)
        )
        return blocks[:size]

    return DirectionKeys(
        spi=binding.hse_spi if direction is Direction.UPLINK else binding.ue_spi,
        key=material(b"encr", suite.key_bytes),
        salt=material(b"salt", suite.salt_bytes),
        integrity_key=material(b"integ", suite.integrity_key_bytes),
        rohc_key=material(b"rohc", 64),
    )
