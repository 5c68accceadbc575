"""The messages of the AKA exchange, as octets (version 2).

::

    request          0x21 | SPI of the UE 4 | nonce of the UE 16 | n 1 | proposals 4n
                     | ROHC channel 11, if a proposal has the ROHC bit | l 1 | identity l
    challenge        0x22 | SPI of the UE 4 | SPI of the HSE 4 | nonce of the HSE 16 | RAND 16
                     | AUTN 16 | proposal 4 | ROHC channel 11, if the proposal has the ROHC bit
    confirm          0x23 | SPI of the HSE 4 | result 1 | body | the request, if result has bit 0x80
    acknowledgement  0x24 | SPI of the UE 4 | MAC 16

    result  1  the USIM answered                         body: MAC 16
            2  the USIM reports a synchronisation failure  body: AUTS 14
            3  the USIM says that AUTN is not genuine      no body
            4  the USIM did not answer                     no body

Proposals and notices are those of the hello (:mod:`esp.keying.messages`), and so are the rules: no
marker here, network order, nothing behind the last field.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

from esp.aka.records import AUTN_BYTES, AUTS_BYTES, RAND_BYTES
from esp.errors import MalformedMessage
from esp.keying.kdf import MAC_BYTES
from esp.keying.messages import NONCE_BYTES, Reader, encode_identity, offers_rohc
from esp.keying.rohc_channel import ROHC_CHANNEL_BYTES, RohcChannel

__all__ = [
    "AKA_ACKNOWLEDGEMENT",
    "AKA_CHALLENGE",
    "AKA_CONFIRM",
    "AKA_REQUEST",
    "AkaAcknowledgement",
    "AkaChallenge",
    "AkaConfirm",
    "AkaRequest",
    "Result",
]

AKA_REQUEST = 0x21
AKA_CHALLENGE = 0x22
AKA_CONFIRM = 0x23
AKA_ACKNOWLEDGEMENT = 0x24

_WITH_REQUEST = 0x80


class Result(IntEnum):
    """What a confirm says of the challenge."""

    ANSWERED = 1
    """The USIM accepted it; the MAC proves its keys."""
    SYNCHRONISATION_FAILURE = 2
    """AUTS is for the authentication centre."""
    CHALLENGE_REFUSED = 3
    """AUTN is not the home network's: a hint, not authenticated."""
    USIM_UNAVAILABLE = 4
    """The card was busy, or refused the command: a hint, not authenticated."""


_BODY_BYTES = {
    Result.ANSWERED: MAC_BYTES,
    Result.SYNCHRONISATION_FAILURE: AUTS_BYTES,
    Result.CHALLENGE_REFUSED: 0,
    Result.USIM_UNAVAILABLE: 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaRequest:
    """What the UE asks for. Its identity may be an IMSI: not shown."""

    ue_spi: int
    """The SPI that the UE chose for what it receives."""
    ue_nonce: bytes
    """16 fresh random octets."""
    proposals: tuple[bytes, ...]
    """Each four octets, best first; unknown ones are kept, since the MACs cover them."""
    rohc: RohcChannel | None
    """What the UE can do, if a proposal has the ROHC bit."""
    identity: str = field(repr=False)
    """Who asks."""

    def encode(self) -> bytes:
        """The message."""
        identity = encode_identity(self.identity)
        return (
            bytes((AKA_REQUEST,))
            + self.ue_spi.to_bytes(4, "big")
            + self.ue_nonce
            + bytes((len(self.proposals),))
            + b"".join(self.proposals)
            + (b"" if self.rohc is None else self.rohc.encode())
            + bytes((len(identity),))
            + identity
        )

    @classmethod
    def decode(cls, data: bytes) -> AkaRequest:
        """The request; raises MalformedMessage."""
        reader = Reader(data)
        reader.expect(AKA_REQUEST)
        ue_spi = reader.spi()
        nonce = reader.take(NONCE_BYTES)
        proposals = reader.proposals()
        request = cls(
            ue_spi=ue_spi,
            ue_nonce=nonce,
            proposals=proposals,
            rohc=_channel(reader, any(map(offers_rohc, proposals))),
            identity=reader.identity(),
        )
        reader.end()
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaChallenge:
    """What the HSE answers: the USIM's challenge, and what was chosen."""

    ue_spi: int
    """The request's SPI again: names the exchange to the UE."""
    hse_spi: int
    """The SPI that the HSE chose for what it receives: names the exchange to the HSE."""
    hse_nonce: bytes
    """16 fresh octets."""
    rand: bytes = field(repr=False)
    """RAND of the vector."""
    autn: bytes = field(repr=False)
    """AUTN of the vector."""
    proposal: bytes
    """The one that was chosen, as it stood in the request."""
    rohc: RohcChannel | None
    """What was agreed, if the proposal has the ROHC bit."""

    def encode(self) -> bytes:
        """The message."""
        return (
            bytes((AKA_CHALLENGE,))
            + self.ue_spi.to_bytes(4, "big")
            + self.hse_spi.to_bytes(4, "big")
            + self.hse_nonce
            + self.rand
            + self.autn
            + self.proposal
            + (b"" if self.rohc is None else self.rohc.encode())
        )

    @classmethod
    def decode(cls, data: bytes) -> AkaChallenge:
        """The challenge; raises MalformedMessage."""
        reader = Reader(data)
        reader.expect(AKA_CHALLENGE)
        ue_spi = reader.number(4)
        hse_spi = reader.spi()
        nonce = reader.take(NONCE_BYTES)
        rand = reader.take(RAND_BYTES)
        autn = reader.take(AUTN_BYTES)
        proposal = reader.take(4)
        challenge = cls(
            ue_spi=ue_spi,
            hse_spi=hse_spi,
            hse_nonce=nonce,
            rand=rand,
            autn=autn,
            proposal=proposal,
            rohc=_channel(reader, offers_rohc(proposal)),
        )
        reader.end()
        return challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaConfirm:
    """What the UE says to a challenge."""

    hse_spi: int
    """The challenge's SPI of the HSE: names the exchange."""
    result: Result
    """What the USIM said."""
    body: bytes = field(default=b"", repr=False)
    """MAC, AUTS or nothing."""
    request: bytes = field(default=b"", repr=False)
    """The request again, for an HSE that had to forget the exchange; empty without."""

    @property
    def head(self) -> bytes:
        """What the MAC covers of it."""
        return bytes((AKA_CONFIRM,)) + self.hse_spi.to_bytes(4, "big") + bytes((self.result,))

    @property
    def alone(self) -> AkaConfirm:
        """The same without the request."""
        return replace(self, request=b"")

    def encode(self) -> bytes:
        """The message."""
        head = bytearray(self.head)
        if self.request:
            head[-1] |= _WITH_REQUEST
        return bytes(head) + self.body + self.request

    @classmethod
    def decode(cls, data: bytes) -> AkaConfirm:
        """The confirm; raises MalformedMessage."""
        reader = Reader(data)
        reader.expect(AKA_CONFIRM)
        hse_spi = reader.spi()
        octet = reader.number(1)
        try:
            result = Result(octet & ~_WITH_REQUEST)
        except ValueError:
            raise MalformedMessage("a confirm with a result that has no meaning") from None
        body = reader.take(_BODY_BYTES[result])
        request = reader.rest() if octet & _WITH_REQUEST else b""
        reader.end()
        if octet & _WITH_REQUEST and not request:
            raise MalformedMessage("a confirm promises a request and holds none")
        return cls(hse_spi=hse_spi, result=result, body=body, request=request)


@dataclass(frozen=True, slots=True, kw_only=True)
class AkaAcknowledgement:
    """The HSE's last word: it has the keys too, and saw the same exchange."""

    ue_spi: int
    """The request's SPI: names the exchange to the UE."""
    mac: bytes = field(repr=False)
    """Over request, challenge, and confirm with its MAC."""

    def encode(self) -> bytes:
        """The message."""
        return bytes((AKA_ACKNOWLEDGEMENT,)) + self.ue_spi.to_bytes(4, "big") + self.mac

    @classmethod
    def decode(cls, data: bytes) -> AkaAcknowledgement:
        """The acknowledgement; raises MalformedMessage."""
        reader = Reader(data)
        reader.expect(AKA_ACKNOWLEDGEMENT)
        acknowledgement = cls(ue_spi=reader.number(4), mac=reader.take(MAC_BYTES))
        reader.end()
        return acknowledgement


def _channel(reader: Reader, present: bool) -> RohcChannel | None:
    return RohcChannel.decode(reader.take(ROHC_CHANNEL_BYTES)) if present else None
