"""MILENAGE: the functions f1 to f5* from AES-128 (TS 35.206).

::

    TEMP = E[RAND xor OPc]                   IN1 = SQN || AMF || SQN || AMF
    OUT1 = E[TEMP xor rot(IN1 xor OPc, r1) xor c1] xor OPc      MAC-A || MAC-S
    OUTi = E[rot(TEMP xor OPc, ri) xor ci] xor OPc              i = 2 to 5

    OUT2: AK in octets 0 to 5, RES in octets 8 to 15      OUT3: CK      OUT4: IK
    OUT5: AK* in octets 0 to 5                            OPc = E[OP] xor OP
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from esp.aka.records import AMF_BYTES, RAND_BYTES, SQN_BYTES, check_size, xor
from esp.errors import InvalidParameter

__all__ = ["MILENAGE_CONSTANTS", "MILENAGE_ROTATIONS", "Milenage"]

_BLOCK = 16

MILENAGE_CONSTANTS = tuple(value.to_bytes(_BLOCK, "big") for value in (0, 1, 2, 4, 8))
"""c1 to c5 of TS 35.206 section 4.1, 16 octets each."""
MILENAGE_ROTATIONS = (64, 0, 32, 64, 96)
"""r1 to r5 of TS 35.206 section 4.1, in bits towards the most significant one."""


def _rotated(block: bytes, bits: int) -> bytes:
    value = int.from_bytes(block, "big")
    value = (value << bits | value >> (128 - bits)) & ((1 << 128) - 1)
    return value.to_bytes(_BLOCK, "big")


class Milenage:
    """f1 to f5* under one key.

    Arguments:
        k: the subscriber's key, 16 octets.
        op: the operator's variant, 16 octets; give either this or ``opc``.
        opc: OP encrypted under ``k``, as a USIM stores it.
        constants: c1 to c5, 16 octets each.
        rotations: r1 to r5, 0 to 127 bits.

    Raises:
        InvalidParameter: wrong sizes, both or neither of OP and OPc, or two of the pairs (c, r)
            that are the same, so that two functions would be.
    """

    __slots__ = ("_block", "_constants", "_opc", "_rotations")

    def __init__(
        self,
        *,
        k: bytes,
        op: bytes | None = None,
        opc: bytes | None = None,
        constants: Sequence[bytes] = MILENAGE_CONSTANTS,
        rotations: Sequence[int] = MILENAGE_ROTATIONS,
    ) -> None:
        check_size("K of MILENAGE", k, _BLOCK)
        if len(constants) != 5 or len(rotations) != 5:
            raise InvalidParameter("MILENAGE has five constants and five rotations")
        for number, (constant, rotation) in enumerate(zip(constants, rotations, strict=True), 1):
            check_size(f"c{number} of MILENAGE", constant, _BLOCK)
            if not 0 <= rotation <= 127:
                raise InvalidParameter(f"r{number} of MILENAGE is {rotation}, not 0 to 127 bits")
        if len(set(zip(constants, rotations, strict=True))) != 5:
            raise InvalidParameter("two functions of MILENAGE have the same constant and rotation")
        # ECB keeps nothing between blocks, so one encryptor serves them all.
        self._block = Cipher(AES(k), ECB()).encryptor().update
        if opc is None and op is not None:
            check_size("OP", op, _BLOCK)
            opc = xor(self._block(op), op)
        elif opc is None or op is not None:
            raise InvalidParameter("MILENAGE takes either OP or OPc")
        self._opc = check_size("OPc", opc, _BLOCK)
        self._constants = tuple(constants)
        self._rotations = tuple(rotations)

    def __repr__(self) -> str:
        return "Milenage(...)"

    @property
    def opc(self) -> bytes:
        """OPc, as a USIM stores it: a secret."""
        return self._opc

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A, 8 octets."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S, 8 octets; the caller gives the AMF, which is zero in AUTS."""
        return self._out1(rand, sqn, amf)[8:]

    def f2345(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """RES (8 octets), CK (16), IK (16), AK (6)."""
        temp = self._temp(rand)
        out2 = self._out(temp, 2)
        return out2[8:], self._out(temp, 3), self._out(temp, 4), out2[:6]

    def f5_star(self, rand: bytes) -> bytes:
        """AK*, 6 octets."""
        return self._out(self._temp(rand), 5)[:6]

    def _temp(self, rand: bytes) -> bytes:
        return self._block(xor(check_size("RAND", rand, RAND_BYTES), self._opc))

    def _out(self, temp: bytes, number: int) -> bytes:
        turned = _rotated(xor(temp, self._opc), self._rotations[number - 1])
        return xor(self._block(xor(turned, self._constants[number - 1])), self._opc)

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        half = check_size("SQN", sqn, SQN_BYTES) + check_size("AMF", amf, AMF_BYTES)
        turned = _rotated(xor(half + half, self._opc), self._rotations[0])
        mixed = xor(xor(self._temp(rand), turned), self._constants[0])
        return xor(self._block(mixed), self._opc)
