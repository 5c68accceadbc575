"""How the octets of an ESP packet are made and opened, one class per construction.

A transform holds the keyed cipher object of one SA: it is made once, when the SA is made, since
setting up a cipher costs more than using it on a small packet. It knows nothing of sequence
windows, padding or modes. ``header`` is always the eight octets of SPI and sequence number, and
``sequence`` the full number, 64 bits wide with ESN; ``plaintext`` ends with the ESP trailer.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from esp.errors import BadIcv, InvalidParameter, Truncated
from esp.integrity import integrity_function
from esp.suites import Construction, Suite

__all__ = ["Transform", "new_transform"]

_NUMBER = Struct(">Q").pack  # a 64-bit sequence number, or an IV that counts

Aead = AESGCM | AESCCM | ChaCha20Poly1305


class Transform:
    """What every construction offers; keys stay inside the cipher objects."""

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        """The whole packet, SPI to ICV; the IV is chosen here, unique under the key."""
        raise NotImplementedError

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        """As :meth:`seal` with an IV from outside: for test vectors, never for traffic."""
        raise NotImplementedError

    def open(self, packet: bytes, sequence: int) -> bytes:
        """The plaintext with its trailer; raises :class:`~esp.errors.BadIcv`."""
        raise NotImplementedError


class AeadTransform(Transform):
    """A combined mode with its IV in the packet (RFC 4106, RFC 4309, RFC 7634).

    Nonce: salt || IV. The IV is the 64-bit sequence number, which never repeats under a key (RFC
    4106 section 3.1 allows any generator that guarantees this). Additional authenticated data:
    SPI and sequence number, the latter 64 bits wide with ESN (RFC 4106 section 5).
    """

    __slots__ = ("_decrypt", "_encrypt", "_esn", "_salt")

    def __init__(self, aead: Aead, salt: bytes, esn: bool) -> None:
        self._encrypt = aead.encrypt
        self._decrypt = aead.decrypt
        self._salt = salt
        self._esn = esn

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        iv = _NUMBER(sequence)
        authenticated = header[:4] + iv if self._esn else header
        return header + iv + self._encrypt(self._salt + iv, plaintext, authenticated)

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        authenticated = header[:4] + _NUMBER(sequence) if self._esn else header
        return header + iv + self._encrypt(self._salt + iv, plaintext, authenticated)

    def open(self, packet: bytes, sequence: int) -> bytes:
        if self._esn:
            authenticated = packet[:4] + _NUMBER(sequence)
        else:
            authenticated = packet[:8]
        try:
            return self._decrypt(self._salt + packet[8:16], packet[16:], authenticated)
        except InvalidTag:
            raise BadIcv("the integrity check value does not verify") from None


class ShortTagGcmTransform(AeadTransform):
    """AES-GCM with an ICV of 8 or 12 octets: the tag's first octets (NIST SP 800-38D 7.1)."""

    __slots__ = ("_algorithm", "_icv_bytes")

    def __init__(self, key: bytes, salt: bytes, esn: bool, icv_bytes: int) -> None:
        super().__init__(AESGCM(key), salt, esn)
        self._algorithm = algorithms.AES(key)
        self._icv_bytes = icv_bytes

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        return super().seal(header, sequence, plaintext)[: self._icv_bytes - 16]

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        return super().seal_with_iv(header, sequence, plaintext, iv)[: self._icv_bytes - 16]

    def open(self, packet: bytes, sequence: int) -> bytes:
        if self._esn:
            authenticated = packet[:4] + _NUMBER(sequence)
        else:
            authenticated = packet[:8]
        size = self._icv_bytes
        mode = modes.GCM(self._salt + packet[8:16], packet[-size:], min_tag_length=size)
        context = Cipher(self._algorithm, mode).decryptor()
        context.authenticate_additional_data(authenticated)
        try:
            return context.update(packet[16:-size]) + context.finalize()
        except InvalidTag:
            raise BadIcv("the integrity check value does not verify") from None


class ImplicitIvTransform(AeadTransform):
    """A combined mode whose IV is the sequence number and stays at home (RFC 8750 section 4).

    With 32-bit sequence numbers the upper half of the IV is zero.
    """

    __slots__ = ()

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        iv = _NUMBER(sequence)
        authenticated = header[:4] + iv if self._esn else header
        return header + self._encrypt(self._salt + iv, plaintext, authenticated)

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        return self.seal(header, sequence, plaintext)

    def open(self, packet: bytes, sequence: int) -> bytes:
        iv = _NUMBER(sequence)
        authenticated = packet[:4] + iv if self._esn else packet[:8]
        try:
            return self._decrypt(self._salt + iv, packet[8:], authenticated)
        except InvalidTag:
            raise BadIcv("the integrity check value does not verify") from None


class GmacTransform(AeadTransform):
    """AES-GMAC: integrity without confidentiality (RFC 4543 sections 3.3 and 4).

    Everything is authenticated and nothing encrypted: SPI, sequence number (64 bits wide with
    ESN), IV, payload and trailer.
    """

    __slots__ = ()

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        return self.seal_with_iv(header, sequence, plaintext, _NUMBER(sequence))

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        numbered = header[:4] + _NUMBER(sequence) if self._esn else header
        icv = self._encrypt(self._salt + iv, b"", numbered + iv + plaintext)
        return header + iv + plaintext + icv

    def open(self, packet: bytes, sequence: int) -> bytes:
        numbered = packet[:4] + _NUMBER(sequence) if self._esn else packet[:8]
        try:
            self._decrypt(self._salt + packet[8:16], packet[-16:], numbered + packet[8:-16])
        except InvalidTag:
            raise BadIcv("the integrity check value does not verify") from None
        return packet[16:-16]


class SeparateTransform(Transform):
    """Encryption, then a separate integrity transform over all of it (RFC 4303 3.3.2.1).

    With ESN the upper half of the sequence number is appended for the integrity transform and not
    sent (section 2.2.1). This class is the NULL encryption of RFC 2410; others override three
    methods.
    """

    __slots__ = ("_esn", "_icv", "_icv_bytes", "_iv_bytes")

    def __init__(self, suite: Suite, integrity_key: bytes, esn: bool) -> None:
        self._esn = esn
        self._iv_bytes = suite.iv_bytes
        self._icv_bytes = suite.icv_bytes
        self._icv = integrity_function(suite.integrity, integrity_key)

    def new_iv(self, sequence: int) -> bytes:
        """The IV of a packet."""
        return b""

    def encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        """The ciphertext, without the IV."""
        return plaintext

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        """The plaintext."""
        return ciphertext

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        return self.seal_with_iv(header, sequence, plaintext, self.new_iv(sequence))

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        body = header + iv + self.encrypt(iv, plaintext)
        if self._esn:
            return body + self._icv(body + (sequence >> 32).to_bytes(4, "big"))
        return body + self._icv(body)

    def open(self, packet: bytes, sequence: int) -> bytes:
        body = packet[: -self._icv_bytes]
        covered = body + (sequence >> 32).to_bytes(4, "big") if self._esn else body
        if not hmac.compare_digest(self._icv(covered), packet[-self._icv_bytes :]):
            raise BadIcv("the integrity check value does not verify")
        start = 8 + self._iv_bytes
        return self.decrypt(body[8:start], body[start:])


class CbcTransform(SeparateTransform):
    """AES-CBC (RFC 3602): the IV is random, since an attacker must not foresee it."""

    __slots__ = ("_algorithm", "_random")

    def __init__(
        self,
        suite: Suite,
        key: bytes,
        integrity_key: bytes,
        esn: bool,
        random: Callable[[int], bytes],
    ) -> None:
        super().__init__(suite, integrity_key, esn)
        self._algorithm = algorithms.AES(key)
        self._random = random

    def new_iv(self, sequence: int) -> bytes:
        return self._random(16)

    def encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        context = Cipher(self._algorithm, modes.CBC(iv)).encryptor()
        return context.update(plaintext) + context.finalize()

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        if len(ciphertext) % 16:
            raise Truncated("the ciphertext is not whole blocks")
        context = Cipher(self._algorithm, modes.CBC(iv)).decryptor()
        return context.update(ciphertext) + context.finalize()


class CtrTransform(SeparateTransform):
    """AES-CTR (RFC 3686 section 4): counter block = nonce || IV || 1; the IV never repeats."""

    __slots__ = ("_algorithm", "_nonce")

    def __init__(
        self, suite: Suite, key: bytes, nonce: bytes, integrity_key: bytes, esn: bool
    ) -> None:
        super().__init__(suite, integrity_key, esn)
        self._algorithm = algorithms.AES(key)
        self._nonce = nonce

    def new_iv(self, sequence: int) -> bytes:
        return _NUMBER(sequence)

    def encrypt(self, iv: bytes, plaintext: bytes) -> bytes:
        mode = modes.CTR(self._nonce + iv + b"\0\0\0\1")
        context = Cipher(self._algorithm, mode).encryptor()
        return context.update(plaintext) + context.finalize()

    def decrypt(self, iv: bytes, ciphertext: bytes) -> bytes:
        return self.encrypt(iv, ciphertext)


def new_transform(
    suite: Suite,
    key: bytes,
    salt: bytes,
    integrity_key: bytes = b"",
    *,
    esn: bool = False,
    random: Callable[[int], bytes] = os.urandom,
) -> Transform:
    """The keyed transform of a suite; raises InvalidParameter when a size does not fit.

    ``random`` gives the IVs of suites that need unpredictable ones (AES-CBC).
    """
    for name, value, size in (
        ("key", key, suite.key_bytes),
        ("salt", salt, suite.salt_bytes),
        ("integrity key", integrity_key, suite.integrity_key_bytes),
    ):
        if len(value) != size:
            raise InvalidParameter(
                f"{suite.name} takes a {name} of {size} octets, not {len(value)}"
            )
    match suite.construction:
        case Construction.GCM:
            if suite.icv_bytes != 16:
                return ShortTagGcmTransform(key, salt, esn, suite.icv_bytes)
            aead: Aead = AESGCM(key)
        case Construction.CCM:
            aead = AESCCM(key, suite.icv_bytes)
        case Construction.CHACHA20_POLY1305:
            aead = ChaCha20Poly1305(key)
        case Construction.GMAC:
            return GmacTransform(AESGCM(key), salt, esn)
        case Construction.CBC:
            return CbcTransform(suite, key, integrity_key, esn, random)
        case Construction.CTR:
            return CtrTransform(suite, key, salt, integrity_key, esn)
        case Construction.NULL:
            return SeparateTransform(suite, integrity_key, esn)
    if suite.iv_bytes:
        return AeadTransform(aead, salt, esn)
    return ImplicitIvTransform(aead, salt, esn)
