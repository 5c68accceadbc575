"""The table of cryptographic suites: what an SA can be protected with.

One row per suite. A suite is an encryption transform with its key length and, where that is not a
combined mode, an integrity transform; numbers are those of the IKEv2 registry (IANA, "Transform
Type 1" and "Transform Type 3"). Status words: ``rfc8221`` is RFC 8221 sections 5 and 6;
``ts33210`` is 3GPP TS 33.210 clause 5.3, whose text could not be read while this table was made,
so every entry there says "unverified".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from esp.errors import InvalidParameter, UnknownSuite

__all__ = ["SUITES", "Construction", "Suite", "suite", "suite_by_wire_id"]


class Construction(Enum):
    """How the octets of a packet are made: selects the code in :mod:`esp.transforms`."""

    GCM = "gcm"  # RFC 4106


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
    """Initialisation vector carried in each packet."""
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


def _gcm_rows() -> list[Suite]:
    # RFC 8221 section 5: AES-GCM with a 16-octet ICV is MUST with 128- and 256-bit keys; 192 MAY.
    # The 8- and 12-octet ICVs are registered (18, 19) and not mentioned there.
    levels = {128: "MUST", 192: "MAY", 256: "MUST"}
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
            rfc8221=levels[bits] if icv == 16 else "not listed",
            source="RFC 4106",
        )
        for icv, number in ((16, 20), (12, 19), (8, 18))
        for bits in (128, 192, 256)
    ]


SUITES: dict[str, Suite] = {row.name: row for row in _gcm_rows()}
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
