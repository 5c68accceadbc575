"""What two ends agree on before ROHC runs inside a tunnel (RFC 5857, RFC 5858 section 3).

Here are the parameters of one direction's channel as a record and as the data of the IKEv2 notify
ROHC_SUPPORTED, and the second integrity check that may go with each packet. They may be set by hand
(RFC 5858 section 3.2); this module does no negotiation and needs nothing of ``rohc``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from esp.errors import InvalidParameter, MalformedMessage
from esp.integrity import INTEGRITY_TRANSFORMS, integrity_function

__all__ = ["ROHC_SUPPORTED", "RohcIcv", "RohcParameters", "rohc_key_bytes"]

ROHC_SUPPORTED = 16416
"""IKEv2 notify message type (RFC 5857 section 5)."""

# RFC 5857 section 5: attribute types. All are sent as type and value (AF = 1), two octets each.
_MAX_CID = 1
_PROFILE = 2
_INTEG = 3
_ICV_LEN = 4
_MRRU = 5
_AF = 0x8000


def rohc_key_bytes(integrity: str) -> int:
    """The key size of an integrity transform; raises InvalidParameter for an unknown one."""
    transform = INTEGRITY_TRANSFORMS.get(integrity)
    if transform is None:
        raise InvalidParameter(
            f"no integrity transform is named {integrity!r}",
            hint=f"known: {', '.join(INTEGRITY_TRANSFORMS)}",
        )
    return transform.key_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RohcIcv:
    """The second integrity check of one direction: over the packet before compression.

    Raises :class:`~esp.errors.InvalidParameter` for a key or a length that does not fit.
    """

    key: bytes = field(repr=False)
    """The key, of the size that the transform takes, used for nothing else."""
    integrity: str = "hmac-sha2-256-128"
    """An integrity transform of the suite table, as in IKEv2."""
    icv_bytes: int | None = None
    """Octets that each packet carries, 1 up to what the transform gives; None for all of them.
    A short one lets more wrong decompressions through (RFC 5857 section 4)."""

    def __post_init__(self) -> None:
        if len(self.key) != rohc_key_bytes(self.integrity):
            raise InvalidParameter(
                f"{self.integrity} takes a key of {rohc_key_bytes(self.integrity)} octets"
            )
        largest = INTEGRITY_TRANSFORMS[self.integrity].icv_bytes
        if self.icv_bytes is not None and not 1 <= self.icv_bytes <= largest:
            raise InvalidParameter(f"an ICV of {self.integrity} has 1 to {largest} octets")

    @property
    def size(self) -> int:
        """Octets that each packet carries."""
        return self.icv_bytes or INTEGRITY_TRANSFORMS[self.integrity].icv_bytes

    def compute(self, packet: bytes) -> bytes:
        """The ICV of an uncompressed packet: the transform's first octets."""
        return integrity_function(self.integrity, self.key)(packet)[: self.size]


@dataclass(frozen=True, slots=True, kw_only=True)
class RohcParameters:
    """What one end's decompressor can do: it binds the other end's compressor.

    Raises :class:`~esp.errors.InvalidParameter` for what RFC 5857 section 3.1.2 forbids.
    """

    max_cid: int = 15
    """MAX_CID, the highest context identifier: 0 to 16383."""
    profiles: tuple[int, ...] = (0x0000, 0x0002)
    """ROHC profiles, at least one, and never two versions of one (such as 0x0002 and 0x0102)."""
    integrity: tuple[int, ...] = (0,)
    """IKEv2 integrity transform numbers, at least one: what is proposed, or the one chosen. 0 is
    none."""
    icv_bytes: int | None = None
    """ROHC_ICV_LEN: octets of ICV that this end wants; None for the transform's own."""
    mrru: int = 0
    """MRRU: the largest reconstructed unit in octets, CRC and ICV included; 0: no segments."""

    def __post_init__(self) -> None:
        if not 0 <= self.max_cid <= 16383:
            raise InvalidParameter("MAX_CID lies from 0 to 16383")
        if not self.profiles or not all(0 <= one <= 0xFFFF for one in self.profiles):
            raise InvalidParameter("at least one profile of 16 bits is needed")
        if len({one & 0xFF for one in self.profiles}) != len(set(self.profiles)):
            raise InvalidParameter("two versions of one profile can't go together")
        if not self.integrity or not all(0 <= one <= 0xFFFF for one in self.integrity):
            raise InvalidParameter("at least one integrity transform is named, 0 for none")
        if self.icv_bytes is not None and not 0 <= self.icv_bytes <= 0xFFFF:
            raise InvalidParameter("ROHC_ICV_LEN has 16 bits")
        if not 0 <= self.mrru <= 0xFFFF:
            raise InvalidParameter("MRRU has 16 bits")

    @property
    def large_cids(self) -> bool:
        """LARGE_CIDS, never signalled (RFC 5857 section 3.2)."""
        return self.max_cid > 15

    def encode(self) -> bytes:
        """The notification data."""
        attributes = [(_MAX_CID, self.max_cid)]
        attributes += [(_PROFILE, one) for one in self.profiles]
        attributes += [(_INTEG, one) for one in self.integrity]
        if self.icv_bytes is not None:
            attributes.append((_ICV_LEN, self.icv_bytes))
        if self.mrru:
            attributes.append((_MRRU, self.mrru))
        return b"".join(
            (_AF | kind).to_bytes(2, "big") + value.to_bytes(2, "big") for kind, value in attributes
        )

    @classmethod
    def decode(cls, data: bytes) -> RohcParameters:
        """The parameters in notification data; raises :class:`~esp.errors.MalformedMessage`.

        Attributes of unknown types are ignored, in either format, as section 3.1.2 demands.
        """
        found: dict[int, list[int]] = {}
        at = 0
        while at < len(data):
            if len(data) < at + 4:
                raise MalformedMessage("a ROHC attribute is cut short")
            kind = data[at] << 8 | data[at + 1]
            value = data[at + 2] << 8 | data[at + 3]
            at += 4
            if not kind & _AF:
                at += value
                if at > len(data):
                    raise MalformedMessage("a ROHC attribute is cut short")
                if kind in (_MAX_CID, _PROFILE, _INTEG, _ICV_LEN, _MRRU):
                    raise MalformedMessage("a ROHC attribute of two octets came in another format")
                continue
            found.setdefault(kind & ~_AF, []).append(value)
        once = [len(found.get(kind, [])) for kind in (_ICV_LEN, _MRRU)]
        if len(found.get(_MAX_CID, [])) != 1 or max(once) > 1:
            raise MalformedMessage("a ROHC attribute is missing or repeated")
        try:
            return cls(
                max_cid=found[_MAX_CID][0],
                profiles=tuple(found.get(_PROFILE, ())),
                integrity=tuple(found.get(_INTEG, ())),
                icv_bytes=found[_ICV_LEN][0] if _ICV_LEN in found else None,
                mrru=found[_MRRU][0] if _MRRU in found else 0,
            )
        except InvalidParameter as error:
            raise MalformedMessage(f"ROHC attributes that can't be: {error}") from None
