"""The messages of the hello, as octets (version 1).

::

    request    0x11 | SPI of the UE 4 | nonce of the UE 16 | n 1 | proposals 4n | l 1 | identity l
               | MAC 16
    response   0x12 | SPI of the UE 4 | SPI of the HSE 4 | nonce of the HSE 16 | proposal 4 | MAC 16
    notice     0x1f | SPI of the UE 4 | first 4 octets of the UE's nonce | code 1

    proposal   IKEv2 encryption transform 1 | key octets 1 | IKEv2 integrity transform 1
               | bits: 0x01 tunnel mode, 0x02 ROHC, 0x04 ESN, others zero

On the wire each follows the non-ESP marker (RFC 3948 section 2.2), which is not added here. The
high half of the first octet is the version, the low half the type. Everything is in network
order, and nothing may follow the last field.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from esp.errors import InvalidParameter, MalformedMessage, Reason
from esp.keying.kdf import MAC_BYTES
from esp.layout import Mode
from esp.suites import Suite, suite_by_wire_id

__all__ = [
    "MAXIMUM_OFFERS",
    "NONCE_BYTES",
    "NOTICE_REASONS",
    "Notice",
    "Offer",
    "Reader",
    "Request",
    "Response",
    "decode_identity",
    "encode_identity",
    "message_type",
    "offers_rohc",
]

NONCE_BYTES = 16
"""Octets of each side's nonce."""
MAXIMUM_IDENTITY_BYTES = 128
MAXIMUM_OFFERS = 16

REQUEST = 0x11
RESPONSE = 0x12
NOTICE = 0x1F

_TUNNEL = 0x01
_ROHC = 0x02
_ESN = 0x04

_NOTICE_CODES = {
    1: Reason.UNKNOWN_IDENTITY,
    2: Reason.AUTHENTICATION_FAILED,
    3: Reason.OFFER_REFUSED,
    4: Reason.BUSY,
    5: Reason.NO_VECTOR,
    6: Reason.RESYNCHRONISATION_FAILED,
}
_CODE_OF = {reason: code for code, reason in _NOTICE_CODES.items()}
NOTICE_REASONS = frozenset(_CODE_OF)
"""The reasons that a notice can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One combination that a UE is willing to use, or that an HSE chose."""

    suite: Suite
    """Row of the suite table."""
    mode: Mode = Mode.TUNNEL
    """Transport or tunnel."""
    compression: bool = False
    """Whether ROHC runs inside the tunnel (RFC 5856: tunnel mode only)."""
    esn: bool = False
    """Whether sequence numbers have 64 bits (RFC 4303 section 2.2.1)."""

    def __post_init__(self) -> None:
        if self.compression and self.mode is not Mode.TUNNEL:
            raise InvalidParameter(
                "ROHC goes with tunnel mode only (RFC 5856 section 1)",
                hint="use mode tunnel, or no compression",
            )

    def encode(self) -> bytes:
        """The four octets of a proposal."""
        bits = _TUNNEL if self.mode is Mode.TUNNEL else 0
        bits |= (_ROHC if self.compression else 0) | (_ESN if self.esn else 0)
        return self.suite.wire_id + bytes((bits,))

    @classmethod
    def decode(cls, data: bytes) -> Offer | None:
        """The offer in four octets; None when the suite or a bit is not known here."""
        row = suite_by_wire_id(data[:3])
        bits = data[3]
        if row is None or bits & ~(_TUNNEL | _ROHC | _ESN) or bits & (_TUNNEL | _ROHC) == _ROHC:
            return None
        mode = Mode.TUNNEL if bits & _TUNNEL else Mode.TRANSPORT
        return cls(suite=row, mode=mode, compression=bool(bits & _ROHC), esn=bool(bits & _ESN))


class Reader:
    """Takes fields off the front of a message; MalformedMessage when they run out."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """So many octets."""
        field = self._data[self._at : self._at + size]
        if len(field) != size:
            raise MalformedMessage("the message is cut short")
        self._at += size
        return field

    def number(self, size: int) -> int:
        """A number of so many octets."""
        return int.from_bytes(self.take(size), "big")

    def spi(self) -> int:
        """An SPI that is not reserved."""
        spi = self.number(4)
        if spi < 256:
            raise MalformedMessage("the SPI is reserved")
        return spi

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def proposals(self) -> tuple[bytes, ...]:
        """Their number, and the proposals, four octets each."""
        count = self.number(1)
        if not 1 <= count <= MAXIMUM_OFFERS:
            raise MalformedMessage(f"a request has 1 to {MAXIMUM_OFFERS} proposals")
        return tuple(self.take(4) for _ in range(count))

    def identity(self) -> str:
        """Its length, and the identity."""
        size = self.number(1)
        if size > MAXIMUM_IDENTITY_BYTES:
            raise MalformedMessage("the identity is too long")
        return decode_identity(self.take(size))

    def expect(self, message_type: int) -> None:
        """The first octet: version and type."""
        if self.number(1) != message_type:
            raise MalformedMessage("not a message of this version and type")

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise MalformedMessage("octets follow the end of the message")


def offers_rohc(proposal: bytes) -> bool:
    """Whether a proposal's four octets, known or not, have the ROHC bit."""
    return bool(proposal[3] & _ROHC)


def message_type(data: bytes) -> int:
    """The first octet: version and type; raises MalformedMessage for an empty message."""
    if not data:
        raise MalformedMessage("the message is empty")
    return data[0]


def encode_identity(identity: str) -> bytes:
    """An identity as octets; raises InvalidParameter when it can't be sent."""
    # Lone surrogates are not printable, so encoding can't fail after that check.
    octets = identity.encode("utf-8") if identity.isprintable() else b""
    if not 1 <= len(octets) <= MAXIMUM_IDENTITY_BYTES:
        raise InvalidParameter(
            f"an identity has 1 to {MAXIMUM_IDENTITY_BYTES} octets of printable UTF-8"
        )
    return octets


def decode_identity(octets: bytes) -> str:
    """The identity in octets; raises MalformedMessage."""
    try:
        identity = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedMessage("the identity is not UTF-8") from None
    if not identity or not identity.isprintable():
        raise MalformedMessage("the identity is empty or not printable")
    return identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the UE asks for."""

    ue_spi: int
    """The SPI that the UE chose for what it receives."""
    ue_nonce: bytes
    """16 fresh random octets."""
    proposals: tuple[bytes, ...]
    """Each four octets, best first; unknown ones are kept, since the MAC covers them."""
    identity: str = field(repr=False)
    """Who asks."""

    def encode(self) -> bytes:
        """The message without its MAC."""
        identity = encode_identity(self.identity)
        return (
            bytes((REQUEST,))
            + self.ue_spi.to_bytes(4, "big")
            + self.ue_nonce
            + bytes((len(self.proposals),))
            + b"".join(self.proposals)
            + bytes((len(identity),))
            + identity
        )

    @classmethod
    def decode(cls, data: bytes) -> tuple[Request, bytes, bytes]:
        """Request, the octets under the MAC, the MAC; raises MalformedMessage."""
        reader = Reader(data)
        reader.expect(REQUEST)
        request = cls(
            ue_spi=reader.spi(),
            ue_nonce=reader.take(NONCE_BYTES),
            proposals=reader.proposals(),
            identity=reader.identity(),
        )
        mac = reader.take(MAC_BYTES)
        reader.end()
        return request, data[:-MAC_BYTES], mac


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the HSE grants."""

    ue_spi: int
    """The request's SPI again: names the exchange."""
    hse_spi: int
    """The SPI that the HSE chose for what it receives."""
    hse_nonce: bytes
    """16 fresh random octets."""
    proposal: bytes
    """The one that was chosen, as it stood in the request."""

    def encode(self) -> bytes:
        """The message without its MAC."""
        return (
            bytes((RESPONSE,))
            + self.ue_spi.to_bytes(4, "big")
            + self.hse_spi.to_bytes(4, "big")
            + self.hse_nonce
            + self.proposal
        )

    @classmethod
    def decode(cls, data: bytes) -> tuple[Response, bytes, bytes]:
        """Response, the octets under the MAC, the MAC; raises MalformedMessage."""
        reader = Reader(data)
        reader.expect(RESPONSE)
        response = cls(
            ue_spi=reader.number(4),
            hse_spi=reader.spi(),
            hse_nonce=reader.take(NONCE_BYTES),
            proposal=reader.take(4),
        )
        mac = reader.take(MAC_BYTES)
        reader.end()
        return response, data[:-MAC_BYTES], mac


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Unauthenticated word that a request was refused: a hint for the user, nothing more.

    The same for the hello and for AKA.
    """

    ue_spi: int
    """The request's SPI."""
    nonce_tag: bytes
    """The first four octets of the request's nonce, which only who saw the request knows."""
    reason: Reason
    """One of those that have a code."""

    def encode(self) -> bytes:
        """The whole message."""
        return (
            bytes((NOTICE,))
            + self.ue_spi.to_bytes(4, "big")
            + self.nonce_tag
            + bytes((_CODE_OF[self.reason],))
        )

    @classmethod
    def decode(cls, data: bytes) -> Notice:
        """The notice; raises MalformedMessage."""
        reader = Reader(data)
        reader.expect(NOTICE)
        ue_spi = reader.number(4)
        tag = reader.take(4)
        reason = _NOTICE_CODES.get(reader.number(1))
        reader.end()
        if reason is None:
            raise MalformedMessage("a notice with a code that has no meaning")
        return cls(ue_spi=ue_spi, nonce_tag=tag, reason=reason)
