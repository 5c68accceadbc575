"""The table of cryptographic suites: what an SA can be protected with.

One row per suite. A suite is an encryption transform with its key length and, where that is not a
combined mode, an integrity transform; numbers are those of the IKEv2 registry (IANA, "Transform
Type 1" and "Transform Type 3"). Status words: ``rfc8221`` is RFC 8221 sections 5 and 6;
``ts33210`` is 3GPP TS 33.210 clause 5.3, whose text could not be read while this table was made,
so every entry there says "unverified".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from esp.errors import ForbiddenSuite, InvalidParameter, UnknownSuite
from esp.integrity import INTEGRITY_TRANSFORMS

__all__ = [
    "EVERY_SUITE",
    "RFC8221_POLICY",
    "SUITES",
    "Construction",
    "Suite",
    "SuitePolicy",
    "check_manual_key",
    "suite",
    "suite_by_wire_id",
]


class Construction(Enum):
    """How the octets of a packet are made: selects the code in :mod:`esp.transforms`."""

    GCM = "gcm"  # RFC 4106
    CCM = "ccm"  # RFC 4309
    CHACHA20_POLY1305 = "chacha20-poly1305"  # RFC 7634
    GMAC = "gmac"  # RFC 4543: no confidentiality
    CBC = "cbc"  # RFC 3602, with a separate integrity transform
    CTR = "ctr"  # RFC 3686, with a separate integrity transform
    NULL = "null"  # RFC 2410, with a separate integrity transform


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One row of the table; sizes in octets."""

    name: str
    """The name used in configuration, for example ``aes-gcm-16-128``."""
    construction: Construction
    """Which packet construction it uses."""
    encryption: str
    """Name of the encryption (or combined) transform."""
    encryption_id: int
    """IANA IKEv2 transform type 1 number."""
    integrity: str = "none"
    """Name of the integrity transform, ``none`` for combined modes."""
    integrity_id: int = 0
    """IANA IKEv2 transform type 3 number, 0 (NONE) for combined modes."""
    key_bytes: int
    """Encryption key."""
    salt_bytes: int = 0
    """Salt or nonce that is taken from the keying material and never sent."""
    integrity_key_bytes: int = 0
    """Key of the separate integrity transform."""
    iv_bytes: int
    """Initialisation vector carried in each packet; 0 with an implicit one (RFC 8750)."""
    icv_bytes: int
    """Integrity check value at the end of each packet."""
    block_bytes: int = 4
    """What payload, padding and trailer are filled to: 4 (RFC 4303 2.4) or the cipher's block."""
    manual_keys: bool = False
    """Whether RFC 8221 section 3 lets the suite run on a manual key."""
    rfc8221: str
    """Requirement level in RFC 8221."""
    ts33210: str = "unverified"
    """Requirement level in 3GPP TS 33.210, or the word unverified."""
    source: str
    """The document that defines its use with ESP."""

    @property
    def wire_id(self) -> bytes:
        """Three octets: encryption number, key length in octets, integrity number."""
        return bytes((self.encryption_id, self.key_bytes, self.integrity_id))

    @property
    def keying_material_bytes(self) -> int:
        """Octets of keying material that one direction needs: key, salt and integrity key."""
        return self.key_bytes + self.salt_bytes + self.integrity_key_bytes

    @property
    def minimum_packet_bytes(self) -> int:
        """The smallest possible packet, SPI to ICV: an empty payload, filled to the block."""
        return 8 + self.iv_bytes + max(2, self.block_bytes) + self.icv_bytes

    def padding_bytes(self, payload_bytes: int) -> int:
        """Octets of padding after a payload, so that payload, padding and trailer fill blocks."""
        return -(payload_bytes + 2) % self.block_bytes

    def packet_bytes(self, payload_bytes: int) -> int:
        """Size of the packet, SPI to ICV, that carries a payload of this many octets."""
        filled = payload_bytes + self.padding_bytes(payload_bytes) + 2
        return 8 + self.iv_bytes + filled + self.icv_bytes

    def largest_payload_bytes(self, packet_bytes: int) -> int:
        """The largest payload whose packet, SPI to ICV, has at most this many octets.

        Raises :class:`~esp.errors.InvalidParameter` when not even an empty payload fits.
        """
        room = packet_bytes - 8 - self.iv_bytes - self.icv_bytes
        largest = room - room % self.block_bytes - 2
        if largest < 0:
            raise InvalidParameter(
                f"{packet_bytes} octets hold no {self.name} packet,"
                f" the smallest has {self.minimum_packet_bytes}"
            )
        return largest


_BITS = (128, 192, 256)

# RFC 8221 section 5: the level holds for 128- and 256-bit keys, 192-bit keys remain at MAY.
_MUST_BUT_192 = {128: "MUST", 192: "MAY", 256: "MUST"}


def _gcm_rows() -> list[Suite]:
    # RFC 8221 lists the 16-octet ICV only; 8 and 12 octets are registered as 18 and 19.
    return [
        Suite(
            name=f"aes-gcm-{icv}-{bits}",
            construction=Construction.GCM,
            encryption=f"aes-gcm-{icv}",
            encryption_id=number,
            key_bytes=bits // 8,
            salt_bytes=4,
            iv_bytes=8,
            icv_bytes=icv,
            rfc8221=_MUST_BUT_192[bits] if icv == 16 else "not listed",
            source="RFC 4106",
        )
        for icv, number in ((16, 20), (12, 19), (8, 18))
        for bits in _BITS
    ]


def _ccm_rows() -> list[Suite]:
    # RFC 8221: CCM with an 8-octet ICV is SHOULD for the Internet of Things, 128-bit keys only.
    return [
        Suite(
            name=f"aes-ccm-{icv}-{bits}",
            construction=Construction.CCM,
            encryption=f"aes-ccm-{icv}",
            encryption_id=number,
            key_bytes=bits // 8,
            salt_bytes=3,
            iv_bytes=8,
            icv_bytes=icv,
            rfc8221="SHOULD (IoT)" if (icv, bits) == (8, 128) else "not listed",
            source="RFC 4309",
        )
        for icv, number in ((8, 14), (12, 15), (16, 16))
        for bits in _BITS
    ]


def _chacha_rows() -> list[Suite]:
    return [
        Suite(
            name="chacha20-poly1305",
            construction=Construction.CHACHA20_POLY1305,
            encryption="chacha20-poly1305",
            encryption_id=28,
            key_bytes=32,
            salt_bytes=4,
            iv_bytes=8,
            icv_bytes=16,
            rfc8221="SHOULD",
            source="RFC 7634",
        )
    ]


def _implicit_iv_rows(explicit: dict[str, Suite]) -> list[Suite]:
    """RFC 8750 section 8: the forms of three transforms whose IV is the sequence number."""
    numbers = {"aes-ccm-8": 29, "aes-gcm-16": 30, "chacha20-poly1305": 31}
    return [
        replace(
            row,
            name=row.name.replace(row.encryption, f"{row.encryption}-iiv"),
            encryption=f"{row.encryption}-iiv",
            encryption_id=numbers[row.encryption],
            iv_bytes=0,
            rfc8221="not listed",
            source=f"RFC 8750 over {row.source}",
        )
        for row in explicit.values()
        if row.encryption in numbers
    ]


def _gmac_rows() -> list[Suite]:
    # RFC 8221 section 6 names ENCR_NULL_AUTH_AES_GMAC as the form for ESP, without a level.
    return [
        Suite(
            name=f"aes-gmac-{bits}",
            construction=Construction.GMAC,
            encryption="aes-gmac-16",
            encryption_id=21,
            key_bytes=bits // 8,
            salt_bytes=4,
            iv_bytes=8,
            icv_bytes=16,
            rfc8221="recommended form of GMAC",
            source="RFC 4543",
        )
        for bits in _BITS
    ]


def _separate_rows() -> list[Suite]:
    """Encryption and integrity apart. RFC 8221 section 4: never the first without the second."""
    encryptions = [
        Suite(
            name=f"aes-cbc-{bits}",
            construction=Construction.CBC,
            encryption="aes-cbc",
            encryption_id=12,
            key_bytes=bits // 8,
            iv_bytes=16,
            icv_bytes=0,
            block_bytes=16,
            manual_keys=True,
            rfc8221=_MUST_BUT_192[bits],
            source="RFC 3602",
        )
        for bits in _BITS
    ]
    encryptions += [
        Suite(
            name=f"aes-ctr-{bits}",
            construction=Construction.CTR,
            encryption="aes-ctr",
            encryption_id=13,
            key_bytes=bits // 8,
            salt_bytes=4,
            iv_bytes=8,
            icv_bytes=0,
            rfc8221="not listed",
            source="RFC 3686",
        )
        for bits in _BITS
    ]
    encryptions.append(
        Suite(
            name="null",
            construction=Construction.NULL,
            encryption="null",
            encryption_id=11,
            key_bytes=0,
            iv_bytes=0,
            icv_bytes=0,
            manual_keys=True,
            rfc8221="MUST",
            source="RFC 2410",
        )
    )
    return [
        replace(
            row,
            name=f"{row.name}+{name}",
            integrity=name,
            integrity_id=number,
            integrity_key_bytes=key,
            icv_bytes=icv,
            rfc8221=f"encryption {row.rfc8221}, integrity {level}",
            source=f"{row.source}, {source}",
        )
        for row in encryptions
        for name, (number, key, icv, level, source) in INTEGRITY_TRANSFORMS.items()
    ]


def _table() -> dict[str, Suite]:
    aead = {row.name: row for row in (*_gcm_rows(), *_ccm_rows(), *_chacha_rows())}
    others = (*_implicit_iv_rows(aead), *_gmac_rows(), *_separate_rows())
    return aead | {row.name: row for row in others}


SUITES: dict[str, Suite] = _table()
"""Every suite by its name."""

_BY_WIRE_ID: dict[bytes, Suite] = {row.wire_id: row for row in SUITES.values()}


def suite(name: str) -> Suite:
    """The suite of this name; raises :class:`~esp.errors.UnknownSuite`, which lists the names."""
    try:
        return SUITES[name]
    except KeyError:
        raise UnknownSuite(
            f"no suite is named {name!r}", hint=f"known suites: {', '.join(SUITES)}"
        ) from None


def suite_by_wire_id(wire_id: bytes) -> Suite | None:
    """The suite with this three-octet identification, or None."""
    return _BY_WIRE_ID.get(wire_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitePolicy:
    """Which suites may be used: a regional or a customer's profile.

    Raises :class:`~esp.errors.UnknownSuite` for a name that is not in the table.
    """

    name: str
    """What the profile is called, for messages."""
    allowed: frozenset[str]
    """Names of the suites that it allows."""

    def __post_init__(self) -> None:
        for name in self.allowed:
            suite(name)

    def allows(self, row: Suite) -> bool:
        """Whether the profile allows a suite."""
        return row.name in self.allowed

    def require(self, row: Suite) -> Suite:
        """The suite; raises :class:`~esp.errors.ForbiddenSuite` when it is not allowed."""
        if row.name not in self.allowed:
            raise ForbiddenSuite(
                f"suite {row.name} is not allowed by the policy {self.name}",
                hint=f"allowed: {', '.join(sorted(self.allowed))}",
            )
        return row


def _recommended(row: Suite) -> bool:
    """Whether RFC 8221 says MUST or SHOULD for both parts of a suite."""
    parts = [part.split()[-1] for part in row.rfc8221.replace(" (IoT)", "").split(", ")]
    return all(part in ("MUST", "MUST-", "SHOULD") for part in parts)


EVERY_SUITE = SuitePolicy(name="every suite", allowed=frozenset(SUITES))
"""Allows the whole table."""

RFC8221_POLICY = SuitePolicy(
    name="RFC 8221", allowed=frozenset(name for name, row in SUITES.items() if _recommended(row))
)
"""Allows what RFC 8221 sections 5 and 6 call MUST or SHOULD."""


def check_manual_key(row: Suite, *, test_vectors: bool = False) -> Suite:
    """The suite, if it may run on a key that was written down by hand.

    RFC 8221 section 3: counter-mode and combined-mode suites MUST NOT. ``test_vectors`` lifts that
    for reproducing published packets. Raises :class:`~esp.errors.ForbiddenSuite`.
    """
    if not (row.manual_keys or test_vectors):
        raise ForbiddenSuite(
            f"suite {row.name} must not run on a manual key (RFC 8221 section 3)",
            hint="let the hello derive keys, or use AES-CBC or NULL with an HMAC",
        )
    return row
