"""From CK and IK to K_e2m, the key that takes the place of the hello's secret.

::

    CK || IK                                      of one AKA run (TS 33.102)
      -> base key        CK || IK itself, or one of the published keys below
      -> K_e2m           KDF(base key, FC, "best-e2m", name of the base key)
      -> message keys    KDF(K_e2m, FC, "best-message", direction, identity, version)
      -> ESP keys        by direction and purpose, in blocks: :mod:`esp.keying.kdf`

TR 33.863 and TS 33.163 let the e2m keys come from CK and IK, KASME, K_HSE, or a GBA key. The
formulas of those are published, and they are here; the step to the e2m keys could not be read, so
its FC and labels are this project's (:class:`~esp.keying.DerivationSettings`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from esp.aka.records import AUTN_BYTES, RAND_BYTES, SQN_BYTES, check_size
from esp.errors import InvalidParameter
from esp.keying.kdf import DerivationSettings, kdf

__all__ = ["BaseKey", "Hierarchy", "base_key", "k_e2m"]


class BaseKey(StrEnum):
    """Which key K_e2m is derived from; the value is P1 of that derivation."""

    CK_IK = "ck-ik"
    """CK || IK."""
    KASME = "kasme"
    """TS 33.401 A.2: FC 0x10, P0 serving network identity (PLMN, 3 octets), P1 SQN xor AK."""
    K_HSE = "k-hse"
    """TS 33.163: FC 0x63, P0 serving network name, P1 SQN xor AK."""
    K_HSE_PRIME = "k-hse-prime"
    """TS 33.163: FC 0x64, the same over CK' || IK' (TS 33.402 A.2, RFC 5448 section 3.3)."""
    KS_NAF = "ks-naf"
    """TS 33.220 B.3, GBA_ME: FC 0x01, P0 "gba-me", P1 RAND, P2 IMPI, P3 NAF_Id."""

    @property
    def separated(self) -> bool:
        """What the separation bit of AMF must be (TS 33.102 Annex H): set for EPS and later."""
        return self in (BaseKey.KASME, BaseKey.K_HSE, BaseKey.K_HSE_PRIME)


_NEEDS_NETWORK = (BaseKey.KASME, BaseKey.K_HSE, BaseKey.K_HSE_PRIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """How K_e2m comes about: the same at the UE and at the HSE.

    Raises :class:`~esp.errors.InvalidParameter` when the base key needs what is not given.
    """

    base: BaseKey = BaseKey.CK_IK
    """What K_e2m is derived from."""
    network: bytes = b""
    """Serving network: 3 octets of PLMN for KASME, its name for K_HSE and the form with primes."""
    naf_id: bytes = b""
    """NAF_Id for Ks_NAF: the HSE's name, then the Ua security protocol identifier, 5 octets."""
    impi: str | None = None
    """IMPI for Ks_NAF; None takes the identity."""
    check_separation: bool = True
    """Whether the UE refuses a challenge whose AMF separation bit does not fit the base key."""
    derivation: DerivationSettings = field(default_factory=DerivationSettings)
    """FC and labels."""

    def __post_init__(self) -> None:
        if self.base in _NEEDS_NETWORK and not self.network:
            raise InvalidParameter(
                f"{self.base} needs the serving network",
                hint="give network=..., as both sides know",
            )
        if self.base is BaseKey.KASME and len(self.network) != 3:
            raise InvalidParameter("the serving network of KASME is a PLMN of 3 octets")
        if self.base is BaseKey.KS_NAF and len(self.naf_id) <= 5:
            raise InvalidParameter(
                "Ks_NAF needs a NAF_Id", hint="the HSE's name and five octets of Ua protocol"
            )


def base_key(
    hierarchy: Hierarchy, ck: bytes, ik: bytes, *, rand: bytes, autn: bytes, identity: str
) -> bytes:
    """The key that K_e2m is derived from, 32 octets. Raises InvalidParameter for wrong sizes.

    ``rand`` and ``autn`` are the challenge's: SQN xor AK are the first six octets of AUTN.
    """
    root = check_size("CK", ck, 16) + check_size("IK", ik, 16)
    hidden = check_size("AUTN", autn, AUTN_BYTES)[:SQN_BYTES]
    base, network = hierarchy.base, hierarchy.network
    if base is BaseKey.CK_IK:
        return root
    if base is BaseKey.KASME:
        return kdf(root, b"\x10", network, hidden)
    if base is BaseKey.K_HSE:
        return kdf(root, b"\x63", network, hidden)
    if base is BaseKey.K_HSE_PRIME:
        return kdf(kdf(root, b"\x20", network, hidden), b"\x64", network, hidden)
    impi = hierarchy.impi if hierarchy.impi is not None else identity
    challenge = check_size("RAND", rand, RAND_BYTES)
    return kdf(root, b"\x01", b"gba-me", challenge, impi.encode("utf-8"), hierarchy.naf_id)


def k_e2m(
    hierarchy: Hierarchy, ck: bytes, ik: bytes, *, rand: bytes, autn: bytes, identity: str
) -> bytes:
    """K_e2m of one AKA run, 32 octets: what the keys of messages and of ESP are derived from."""
    base = base_key(hierarchy, ck, ik, rand=rand, autn=autn, identity=identity)
    settings = hierarchy.derivation
    return kdf(base, settings.fc, settings.e2m_label, hierarchy.base.value.encode("ascii"))
