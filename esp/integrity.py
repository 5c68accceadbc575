"""Integrity transforms that stand beside an encryption transform: keyed, cut, one per SA."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from esp.errors import InvalidParameter

__all__ = [
    "INTEGRITY_TRANSFORMS",
    "IntegrityFunction",
    "IntegrityTransform",
    "integrity_function",
]

IntegrityFunction = Callable[[bytes], bytes]
"""Gives the integrity check value of octets."""


class IntegrityTransform(NamedTuple):
    """One row of the table of integrity transforms; sizes in octets."""

    number: int
    """IANA IKEv2 transform type 3 number."""
    key_bytes: int
    """Key."""
    icv_bytes: int
    """Integrity check value that is kept."""
    level: str
    """Requirement level in RFC 8221 section 6."""
    source: str
    """The document that defines it."""


INTEGRITY_TRANSFORMS = {
    "hmac-sha1-96": IntegrityTransform(2, 20, 12, "MUST-", "RFC 2404"),
    "aes-xcbc-96": IntegrityTransform(5, 16, 12, "MAY (SHOULD for IoT)", "RFC 3566"),
    "aes-cmac-96": IntegrityTransform(8, 16, 12, "not listed", "RFC 4494"),
    "hmac-sha2-256-128": IntegrityTransform(12, 32, 16, "MUST", "RFC 4868"),
    "hmac-sha2-384-192": IntegrityTransform(13, 48, 24, "not listed", "RFC 4868"),
    "hmac-sha2-512-256": IntegrityTransform(14, 64, 32, "SHOULD", "RFC 4868"),
}
"""Every integrity transform by its name."""

_HASH = {
    "hmac-sha1-96": "sha1",
    "hmac-sha2-256-128": "sha256",
    "hmac-sha2-384-192": "sha384",
    "hmac-sha2-512-256": "sha512",
}


def _hmac(key: bytes, digest: str, size: int) -> IntegrityFunction:
    def icv(data: bytes) -> bytes:
        return hmac.digest(key, data, digest)[:size]

    return icv


def _cmac_96(key: bytes) -> IntegrityFunction:
    """AES-CMAC-96 (RFC 4494)."""
    algorithm = algorithms.AES(key)

    def icv(data: bytes) -> bytes:
        context = CMAC(algorithm)
        context.update(data)
        return context.finalize()[:12]

    return icv


def _xor(one: bytes, other: bytes) -> bytes:
    number = int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
    return number.to_bytes(16, "big")


def _xcbc_96(key: bytes) -> IntegrityFunction:
    """AES-XCBC-MAC-96 (RFC 3566 section 4).

    Three keys are derived by encrypting three constants. The message goes through CBC under the
    first; its last block is first combined with the second key if it is whole, or padded with a
    one bit and zeros and combined with the third.
    """
    context = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # one block each: no chaining
    first, second, third = (context.update(bytes((n,)) * 16) for n in (1, 2, 3))
    algorithm = algorithms.AES(first)

    def icv(data: bytes) -> bytes:
        whole = len(data) and not len(data) % 16
        at = (len(data) - 1) // 16 * 16 if data else 0
        last = data[at:]
        if whole:
            last = _xor(last, second)
        else:
            last = _xor((last + b"\x80").ljust(16, b"\0"), third)
        chain = Cipher(algorithm, modes.CBC(bytes(16))).encryptor()
        return chain.update(data[:at] + last)[-16:-4]

    return icv


def integrity_function(name: str, key: bytes) -> IntegrityFunction:
    """The keyed function of an integrity transform, by its name in the suite table.

    Raises :class:`~esp.errors.InvalidParameter` for a name that no code makes.
    """
    if name in _HASH:
        return _hmac(key, _HASH[name], INTEGRITY_TRANSFORMS[name].icv_bytes)
    if name == "aes-cmac-96":
        return _cmac_96(key)
    if name == "aes-xcbc-96":
        return _xcbc_96(key)
    raise InvalidParameter(f"no integrity transform is named {name!r}")
