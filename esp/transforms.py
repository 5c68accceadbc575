"""How the octets of an ESP packet are made and opened, one class per construction.

A transform holds the keyed cipher object of one SA: it is made once, when the SA is made, since
setting up a cipher costs more than using it on a small packet. It knows nothing of sequence
windows, padding or modes. ``header`` is always the eight octets of SPI and sequence number, and
``sequence`` the full number, 64 bits wide with ESN; ``plaintext`` ends with the ESP trailer.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from esp.errors import BadIcv, InvalidParameter
from esp.suites import Construction, Suite

__all__ = ["Transform", "new_transform"]


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


class GcmTransform(Transform):
    """AES-GCM with the full 16-octet ICV (RFC 4106).

    Nonce: salt || IV (section 4). The IV is the 64-bit sequence number, which never repeats under
    a key (section 3.1 allows any generator that guarantees this). Additional authenticated data:
    SPI and sequence number, the latter 64 bits wide with ESN (section 5).
    """

    __slots__ = ("_decrypt", "_encrypt", "_esn", "_salt")

    def __init__(self, key: bytes, salt: bytes, esn: bool) -> None:
        aead = AESGCM(key)
        self._encrypt = aead.encrypt
        self._decrypt = aead.decrypt
        self._salt = salt
        self._esn = esn

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        iv = sequence.to_bytes(8, "big")
        authenticated = header[:4] + iv if self._esn else header
        return header + iv + self._encrypt(self._salt + iv, plaintext, authenticated)

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        authenticated = header[:4] + sequence.to_bytes(8, "big") if self._esn else header
        return header + iv + self._encrypt(self._salt + iv, plaintext, authenticated)

    def open(self, packet: bytes, sequence: int) -> bytes:
        if self._esn:
            authenticated = packet[:4] + sequence.to_bytes(8, "big")
        else:
            authenticated = packet[:8]
        try:
            return self._decrypt(self._salt + packet[8:16], packet[16:], authenticated)
        except InvalidTag:
            raise BadIcv("the integrity check value does not verify") from None


class ShortTagGcmTransform(GcmTransform):
    """AES-GCM with an ICV of 8 or 12 octets: the tag's first octets (NIST SP 800-38D 7.1)."""

    __slots__ = ("_algorithm", "_icv_bytes")

    def __init__(self, key: bytes, salt: bytes, esn: bool, icv_bytes: int) -> None:
        super().__init__(key, salt, esn)
        self._algorithm = algorithms.AES(key)
        self._icv_bytes = icv_bytes

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        return super().seal(header, sequence, plaintext)[: self._icv_bytes - 16]

    def seal_with_iv(self, header: bytes, sequence: int, plaintext: bytes, iv: bytes) -> bytes:
        return super().seal_with_iv(header, sequence, plaintext, iv)[: self._icv_bytes - 16]

    def open(self, packet: bytes, sequence: int) -> bytes:
        if self._esn:
            authenticated = packet[:4] + sequence.to_bytes(8, "big")
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


def new_transform(
    suite: Suite, key: bytes, salt: bytes, integrity_key: bytes = b"", *, esn: bool = False
) -> Transform:
    """The keyed transform of a suite; raises InvalidParameter when a size does not fit."""
    for name, value, size in (
        ("key", key, suite.key_bytes),
        ("salt", salt, suite.salt_bytes),
        ("integrity key", integrity_key, suite.integrity_key_bytes),
    ):
        if len(value) != size:
            raise InvalidParameter(
                f"{suite.name} takes a {name} of {size} octets, not {len(value)}"
            )
    if suite.construction is Construction.GCM:
        if suite.icv_bytes == 16:
            return GcmTransform(key, salt, esn)
        return ShortTagGcmTransform(key, salt, esn, suite.icv_bytes)
    raise InvalidParameter(f"no code makes {suite.construction}")
