"""What AKA hands around: vectors, answers, subscribers. No secret shows in a repr or an error.

Sizes are those of TS 33.102 section 6.3.7: RAND 16 octets, AUTN 16, RES 4 to 16, CK and IK 16,
AUTS 14, SQN 6, AMF 2. An identity may be an IMSI, so it is treated as a secret as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from esp.errors import InvalidParameter

__all__ = [
    "AMF_BYTES",
    "ATTACH_INDICES",
    "AUTN_BYTES",
    "AUTS_BYTES",
    "HSE_INDICES",
    "RAND_BYTES",
    "SQN_BYTES",
    "AkaAlgorithm",
    "AkaAnswer",
    "AkaMacFailure",
    "AkaSuccess",
    "AkaSyncFailure",
    "AuthenticationVector",
    "Subscriber",
    "check_algorithm",
    "check_size",
    "separation_bit",
    "xor",
]

RAND_BYTES = 16
AUTN_BYTES = 16
AUTS_BYTES = 14
SQN_BYTES = 6
AMF_BYTES = 2
_RES_BYTES = range(4, 17)
_KEY_BYTES = 16
_MAC_BYTES = 8

ATTACH_INDICES = range(0, 16)
"""INDs of vectors for attaching to the network, of the 32 that five bits give."""
HSE_INDICES = range(16, 32)
"""INDs of vectors for the HSE: none of those that attaching uses."""


def check_size(name: str, value: bytes, *sizes: int) -> bytes:
    """The value; raises InvalidParameter, without showing it, when it has none of these sizes."""
    if len(value) not in sizes:
        wanted = " or ".join(map(str, sizes))
        raise InvalidParameter(
            f"{name} has {len(value)} octets, not {wanted}",
            hint=f"Check where {name} comes from: two hexadecimal digits are one octet.",
        )
    return value


def xor(one: bytes, other: bytes) -> bytes:
    """Bitwise exclusive or of two octet strings of one length."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


class AkaAlgorithm(Protocol):
    """The functions f1 to f5* of TS 33.102 under one subscriber's key."""

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A: authenticates the network to the USIM."""

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S: authenticates a resynchronisation to the network."""

    def f2345(self, rand: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """RES, CK, IK, and AK, which hides SQN in AUTN."""

    def f5_star(self, rand: bytes) -> bytes:
        """AK that hides SQN in AUTS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationVector:
    """One challenge and what a genuine USIM makes of it. Raises InvalidParameter for wrong sizes.

    CK and IK are good for one session: a vector is used once.
    """

    rand: bytes = field(repr=False)
    """The challenge, 16 octets."""
    autn: bytes = field(repr=False)
    """SQN xor AK, AMF, MAC-A: 16 octets."""
    xres: bytes = field(repr=False)
    """The RES to expect, 4 to 16 octets."""
    ck: bytes = field(repr=False)
    """Cipher key, 16 octets."""
    ik: bytes = field(repr=False)
    """Integrity key, 16 octets."""

    def __post_init__(self) -> None:
        check_size("RAND", self.rand, RAND_BYTES)
        check_size("AUTN", self.autn, AUTN_BYTES)
        check_size("XRES", self.xres, *_RES_BYTES)
        check_size("CK", self.ck, _KEY_BYTES)
        check_size("IK", self.ik, _KEY_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaSuccess:
    """The USIM accepted the challenge."""

    res: bytes = field(repr=False)
    """Answer to the challenge, 4 to 16 octets."""
    ck: bytes = field(repr=False)
    """Cipher key, 16 octets."""
    ik: bytes = field(repr=False)
    """Integrity key, 16 octets."""

    @property
    def kc(self) -> bytes:
        """The GSM cipher key that a USIM with service 27 adds: c3 of TS 33.102 section 6.8.1.2."""
        return xor(xor(self.ck[:8], self.ck[8:]), xor(self.ik[:8], self.ik[8:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaSyncFailure:
    """AUTN is genuine, and its sequence number is not fresh to this USIM."""

    auts: bytes = field(repr=False)
    """SQN_MS xor AK*, MAC-S: 14 octets, for the authentication centre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaMacFailure:
    """AUTN was not made with this USIM's key."""


AkaAnswer: TypeAlias = AkaSuccess | AkaSyncFailure | AkaMacFailure
"""What a USIM answers to a challenge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One subscriber as the authentication centre knows it.

    Raises InvalidParameter for wrong sizes, and for an algorithm whose MAC, CK, IK or RES has a
    size that AUTN and the USIM's answer have no room for.
    """

    identity: str = field(repr=False)
    """What the UE calls itself: an IMSI or any other name."""
    algorithm: AkaAlgorithm = field(repr=False)
    """MILENAGE or TUAK with this subscriber's keys."""
    amf: bytes = b"\x00\x00"
    """Authentication management field; its first bit is the centre's to set."""
    sqn: bytes = field(default=bytes(SQN_BYTES), repr=False)
    """SQN_HE at the start: the first vector has a later one. Ignored once there is stored state."""
    hse_indices: range = HSE_INDICES
    """INDs of the vectors for the HSE."""
    attach_indices: range = ATTACH_INDICES
    """INDs of the vectors for attaching."""

    def __post_init__(self) -> None:
        check_size("AMF", self.amf, AMF_BYTES)
        check_size("SQN", self.sqn, SQN_BYTES)
        check_algorithm(self.algorithm)


def check_algorithm(algorithm: AkaAlgorithm) -> None:
    """Raise InvalidParameter unless the sizes of its results are those of TS 33.102."""
    rand = bytes(RAND_BYTES)
    res, ck, ik, ak = algorithm.f2345(rand)
    check_size("MAC", algorithm.f1(rand, bytes(SQN_BYTES), bytes(AMF_BYTES)), _MAC_BYTES)
    check_size("RES", res, *_RES_BYTES)
    check_size("CK", ck, _KEY_BYTES)
    check_size("IK", ik, _KEY_BYTES)
    check_size("AK", ak, SQN_BYTES)


def separation_bit(amf: bytes) -> bool:
    """Whether a vector is bound to EPS: the first bit of AMF (TS 33.102 Annex H).

    Where it is set, CK and IK must not be used outside EPS, and where it is not, a UE must not
    attach to EPS with them. The AMF of an AUTN is ``autn[6:8]``.
    """
    return bool(check_size("AMF", amf, AMF_BYTES)[0] & 0x80)
