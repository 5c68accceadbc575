"""TUAK: the functions f1 to f5* from Keccak (TS 35.231).

One state of 200 octets goes through the permutation; every field stands in it with its octets
reversed::

    octet    0       32         33        40     56    58    64    96     97 .. 134  135
             TOPc    INSTANCE   "TUAK1.0" RAND   AMF   SQN   K     0x1F   0          0x80

    out      0         32    64    96
             MAC|RES   CK    IK    AK

INSTANCE says which function it is and the sizes of what goes in and comes out, so that no two
choices give related results. A key of 128 bits is followed by zeros. TOPc comes out of the same
state with TOP in place of TOPc and neither RAND, AMF nor SQN.
"""

from __future__ import annotations

from esp.aka.keccak import STATE_BYTES, keccak_f1600
from esp.aka.records import AMF_BYTES, RAND_BYTES, SQN_BYTES, check_size
from esp.errors import InvalidParameter

__all__ = ["Tuak"]

_NAME = b"TUAK1.0"
_AK_BYTES = 6
_K256 = 0x01
_IK256 = 0x02
_CK256 = 0x04
_MAC_CODES = {64: 0x08, 128: 0x10, 256: 0x20}
_RES_CODES = {32: 0x00, 64: 0x08, 128: 0x10, 256: 0x20}
_F1, _F2345, _F1_STAR, _F5_STAR = 0x00, 0x40, 0x80, 0xC0


class Tuak:
    """f1 to f5* under one key.

    Arguments:
        k: the subscriber's key, 16 or 32 octets.
        top: the operator's variant, 32 octets; give either this or ``topc``.
        topc: what becomes of TOP under ``k``, as a USIM stores it.
        mac_bits: size of MAC-A and MAC-S: 64, 128 or 256. AUTN has room for 64.
        res_bits: size of RES: 32, 64, 128 or 256. A USIM answers at most 128.
        ck_bits, ik_bits: sizes of CK and IK: 128 or 256. A USIM answers 128.
        keccak_iterations: how often the permutation is applied; one by default.

    Raises:
        InvalidParameter: wrong sizes, or both or neither of TOP and TOPc.
    """

    __slots__ = (
        "_ck_bytes",
        "_f2345_instance",
        "_ik_bytes",
        "_iterations",
        "_k",
        "_key_flag",
        "_mac_bytes",
        "_mac_code",
        "_res_bytes",
        "_topc",
    )

    def __init__(
        self,
        *,
        k: bytes,
        top: bytes | None = None,
        topc: bytes | None = None,
        mac_bits: int = 64,
        res_bits: int = 64,
        ck_bits: int = 128,
        ik_bits: int = 128,
        keccak_iterations: int = 1,
    ) -> None:
        check_size("K of TUAK", k, 16, 32)
        for name, bits, allowed in (
            ("MAC", mac_bits, tuple(_MAC_CODES)),
            ("RES", res_bits, tuple(_RES_CODES)),
            ("CK", ck_bits, (128, 256)),
            ("IK", ik_bits, (128, 256)),
        ):
            if bits not in allowed:
                known = ", ".join(map(str, allowed))
                raise InvalidParameter(f"{name} of TUAK has {bits} bits; there are {known}")
        if keccak_iterations < 1:
            raise InvalidParameter("TUAK applies its permutation at least once")
        self._k = k
        self._iterations = keccak_iterations
        self._key_flag = _K256 if len(k) == 32 else 0
        self._mac_code = _MAC_CODES[mac_bits] | self._key_flag
        self._f2345_instance = (
            _F2345
            | _RES_CODES[res_bits]
            | (_CK256 if ck_bits == 256 else 0)
            | (_IK256 if ik_bits == 256 else 0)
            | self._key_flag
        )
        self._mac_bytes, self._res_bytes = mac_bits // 8, res_bits // 8
        self._ck_bytes, self._ik_bytes = ck_bits // 8, ik_bits // 8
        if topc is None and top is not None:
            check_size("TOP", top, 32)
            topc = self._permuted(top, self._key_flag, b"", b"", b"")[:32][::-1]
        elif topc is None or top is not None:
            raise InvalidParameter("TUAK takes either TOP or TOPc")
        self._topc = check_size("TOPc", topc, 32)

    def __repr__(self) -> str:
        return "Tuak(...)"

    @property
    def topc(self) -> bytes:
        """TOPc, as a USIM stores it: a secret."""
        return self._topc

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A."""
        return self._mac(_F1, rand, sqn, amf)

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S; the caller gives the AMF, which is zero in AUTS."""
        return self._mac(_F1_STAR, rand, sqn, amf)

    def f2345(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """RES, CK, IK and AK (6 octets)."""
        check_size("RAND", rand, RAND_BYTES)
        out = self._permuted(self._topc, self._f2345_instance, rand, b"", b"")
        return (
            out[: self._res_bytes][::-1],
            out[32 : 32 + self._ck_bytes][::-1],
            out[64 : 64 + self._ik_bytes][::-1],
            out[96 : 96 + _AK_BYTES][::-1],
        )

    def f5_star(self, rand: bytes) -> bytes:
        """AK*, 6 octets."""
        check_size("RAND", rand, RAND_BYTES)
        out = self._permuted(self._topc, _F5_STAR | self._key_flag, rand, b"", b"")
        return out[96 : 96 + _AK_BYTES][::-1]

    def _mac(self, function: int, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        check_size("RAND", rand, RAND_BYTES)
        check_size("SQN", sqn, SQN_BYTES)
        check_size("AMF", amf, AMF_BYTES)
        out = self._permuted(self._topc, function | self._mac_code, rand, amf, sqn)
        return out[: self._mac_bytes][::-1]

    def _permuted(self, top: bytes, instance: int, rand: bytes, amf: bytes, sqn: bytes) -> bytes:
        state = b"".join(
            (
                top[::-1],
                bytes((instance,)),
                _NAME[::-1],
                rand[::-1].ljust(RAND_BYTES, b"\0"),
                amf[::-1].ljust(AMF_BYTES, b"\0"),
                sqn[::-1].ljust(SQN_BYTES, b"\0"),
                self._k[::-1].ljust(32, b"\0"),
                b"\x1f".ljust(39, b"\0"),
                b"\x80",
            )
        ).ljust(STATE_BYTES, b"\0")
        for _ in range(self._iterations):
            state = keccak_f1600(state)
        return state
