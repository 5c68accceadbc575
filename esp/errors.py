"""What can go wrong, and whose fault it is.

::

    EspError
    +-- LocalError                 the caller misused the library, or asked for what is not allowed
    |   +-- InvalidParameter       (ValueError) a size or combination that no standard defines
    |   +-- UnknownSuite           (InvalidParameter) no row of the suite table has this name
    |   +-- ForbiddenSuite         the policy in force does not allow this suite
    |   +-- AssociationEnded       its hard lifetime is over, or end() was called
    |   +-- SequenceExhausted      the last sequence number is used: re-key, numbers never cycle
    |   +-- StoreBusy              another process has the sequence store open
    |   +-- StoreDamaged           the sequence store can't be trusted: re-key everything
    |   +-- WeakSecret             (ValueError) a configured secret is too short
    |   +-- PayloadTooLarge        (ValueError) with the size and the largest that fits
    |   +-- MalformedLocalPacket   (ValueError) a packet to be protected is not what its header says
    +-- RemoteError                what arrived is refused: drop it, count it by ``reason``, go on
        +-- PacketRejected         an ESP packet
        |   +-- NotEsp, Truncated, ReservedSpi, UnknownSpi, Expired, Replayed, OutsideWindow,
        |       BadIcv, BadPadding, WrongNextHeader, MalformedInner, DecompressionFailed,
        |       WrongSelector
        +-- KeyingRejected         a message of the key exchange
            +-- MalformedMessage, UnknownIdentity, AuthenticationFailed, OfferRefused, Busy,
                UnexpectedMessage, PeerRefused, NoVector, ResynchronisationFailed

Nothing that a remote party sends raises anything else. Every remote error has a ``reason`` from
:class:`Reason`: short, stable, fit for a metric label. No error text holds a key, a secret, a salt
or a packet's content.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

__all__ = [
    "AssociationEnded",
    "AuthenticationFailed",
    "BadIcv",
    "BadPadding",
    "Busy",
    "DecompressionFailed",
    "EspError",
    "Expired",
    "ForbiddenSuite",
    "InvalidParameter",
    "KeyingRejected",
    "LocalError",
    "MalformedInner",
    "MalformedLocalPacket",
    "MalformedMessage",
    "NoVector",
    "NotEsp",
    "OfferRefused",
    "OutsideWindow",
    "PacketRejected",
    "PayloadTooLarge",
    "PeerRefused",
    "Reason",
    "RemoteError",
    "Replayed",
    "ReservedSpi",
    "ResynchronisationFailed",
    "SequenceExhausted",
    "StoreBusy",
    "StoreDamaged",
    "Truncated",
    "UnexpectedMessage",
    "UnknownIdentity",
    "UnknownSpi",
    "UnknownSuite",
    "WeakSecret",
    "WrongNextHeader",
    "WrongSelector",
]


class Reason(StrEnum):
    """Why something that arrived was refused: the registry of all reasons, for counters."""

    # ESP packets, in the order in which they are found out
    NOT_ESP = "not-esp"  # an IP packet or datagram that does not carry ESP where it should
    TRUNCATED = "truncated"  # shorter than the smallest packet of its security association
    RESERVED_SPI = "reserved-spi"  # SPI 1 to 255 (RFC 4303 section 2.1)
    UNKNOWN_SPI = "unknown-spi"  # no security association has this SPI
    EXPIRED = "expired"  # the security association reached its hard lifetime, or was ended
    REPLAYED = "replayed"  # the sequence number was accepted before
    OUTSIDE_WINDOW = "outside-window"  # the sequence number lies left of the replay window
    BAD_ICV = "bad-icv"  # the integrity check failed
    BAD_PADDING = "bad-padding"  # authentic, but not padded 1, 2, 3, ... (RFC 4303 section 2.4)
    WRONG_NEXT_HEADER = "wrong-next-header"  # authentic, but not what this mode carries
    MALFORMED_INNER = "malformed-inner"  # authentic, but the inner IP header contradicts itself
    DECOMPRESSION_FAILED = "decompression-failed"  # the ROHC decompressor refused the packet
    WRONG_SELECTOR = "wrong-selector"  # authentic, but not traffic that this SA may carry
    # messages of the key exchange
    MALFORMED_MESSAGE = "malformed-message"  # not a message of the exchange, or cut short
    UNKNOWN_IDENTITY = "unknown-identity"  # no secret is configured for this identity
    AUTHENTICATION_FAILED = "authentication-failed"  # the message authentication code is wrong
    OFFER_REFUSED = "offer-refused"  # no offered suite, mode and compression is acceptable here
    BUSY = "busy"  # the table of half-open sessions is full
    UNEXPECTED_MESSAGE = "unexpected-message"  # a message for another exchange or another role
    PEER_REFUSED = "peer-refused"  # an unauthenticated notice that the peer refused: a hint only
    # with AKA
    NO_VECTOR = "no-vector"  # the source of authentication vectors has none, or did not answer
    SYNCHRONISATION_FAILURE = "synchronisation-failure"  # the USIM saw the SQN, or a later one
    RESYNCHRONISATION_FAILED = "resynchronisation-failed"  # AUTS is not the USIM's, or came again
    CHALLENGE_REFUSED = "challenge-refused"  # the USIM says that AUTN is not its home network's
    USIM_UNAVAILABLE = "usim-unavailable"  # the UE says that its USIM did not answer


class EspError(Exception):
    """Root of everything that this package raises on purpose; ``hint`` says what to do next."""

    @property
    def hint(self) -> str:
        """What to do next, empty when there is nothing to say."""
        return ""


class LocalError(EspError):
    """The caller's fault: nothing that a remote party sends can raise it."""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self._hint = hint

    @property
    def hint(self) -> str:
        """What to do next, empty when there is nothing to say."""
        return self._hint


class InvalidParameter(LocalError, ValueError):
    """A size, a range or a combination that no standard defines."""


class UnknownSuite(InvalidParameter):
    """No row of the suite table has this name."""


class ForbiddenSuite(LocalError):
    """The policy in force does not allow this suite."""


class AssociationEnded(LocalError):
    """The sender reached its hard lifetime, or was told to end (RFC 4301 section 4.4.2.1)."""


class SequenceExhausted(LocalError):
    """The sender used its last sequence number; RFC 4303 section 3.3.3 forbids to cycle."""


class StoreBusy(LocalError):
    """Another process has the sequence store open."""


class StoreDamaged(LocalError):
    """The sequence store can't be trusted: no number in it may be used again."""


class WeakSecret(LocalError, ValueError):
    """A configured secret is shorter than its use allows."""


class PayloadTooLarge(LocalError, ValueError):
    """A payload does not fit; ``size`` is what it has, ``limit`` what fits, in octets."""

    size: int
    limit: int

    def __init__(self, size: int, limit: int, *, hint: str = "") -> None:
        super().__init__(f"a payload of {size} octets is too large, {limit} fit", hint=hint)
        self.size = size
        self.limit = limit


class MalformedLocalPacket(LocalError, ValueError):
    """A packet handed in for protection is not what its own header says."""


class RemoteError(EspError):
    """What arrived is refused. Drop it, count it under ``reason``, go on."""

    reason: ClassVar[Reason]


class PacketRejected(RemoteError):
    """An ESP packet, or what should have been one, is refused.

    A flood of these must cost little: they are made without any Python code of their own.
    """


class NotEsp(PacketRejected):
    """An IP packet or datagram does not carry ESP where it should."""

    reason = Reason.NOT_ESP


class Truncated(PacketRejected):
    """The packet is shorter than the smallest one of its security association."""

    reason = Reason.TRUNCATED


class ReservedSpi(PacketRejected):
    """The SPI is one of 0 to 255, which never name a security association on the wire."""

    reason = Reason.RESERVED_SPI


class UnknownSpi(PacketRejected):
    """No security association has this SPI."""

    reason = Reason.UNKNOWN_SPI


class Expired(PacketRejected):
    """The security association reached its hard lifetime, or was told to end."""

    reason = Reason.EXPIRED


class Replayed(PacketRejected):
    """A packet with this sequence number was accepted before."""

    reason = Reason.REPLAYED


class OutsideWindow(PacketRejected):
    """The sequence number lies left of the replay window: too old to be told from a replay."""

    reason = Reason.OUTSIDE_WINDOW


class BadIcv(PacketRejected):
    """The integrity check value does not verify."""

    reason = Reason.BAD_ICV


class BadPadding(PacketRejected):
    """The packet is authentic, but its padding is not the series 1, 2, 3, ..."""

    reason = Reason.BAD_PADDING


class WrongNextHeader(PacketRejected):
    """The packet is authentic, but its next header is not one that this mode carries."""

    reason = Reason.WRONG_NEXT_HEADER


class MalformedInner(PacketRejected):
    """The packet is authentic, but what it carries is not the IP packet it claims to be."""

    reason = Reason.MALFORMED_INNER


class WrongSelector(PacketRejected):
    """The packet is authentic, but not one that its security association may carry."""

    reason = Reason.WRONG_SELECTOR


class DecompressionFailed(PacketRejected):
    """The ROHC decompressor refused the packet.

    ``feedback`` is to be sent to the peer, ``cause`` is what the decompressor raised, None when the
    packet was refused for what came out.
    """

    reason = Reason.DECOMPRESSION_FAILED
    feedback: bytes
    cause: Exception | None

    def __init__(
        self,
        message: str = "",
        *,
        feedback: bytes = b"",
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message)
        self.feedback = feedback
        self.cause = cause


class KeyingRejected(RemoteError):
    """A message of the key exchange is refused."""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self._hint = hint

    @property
    def hint(self) -> str:
        """What to do next, empty when there is nothing to say."""
        return self._hint


class MalformedMessage(KeyingRejected):
    """The octets are not a message of the exchange."""

    reason = Reason.MALFORMED_MESSAGE


class UnknownIdentity(KeyingRejected):
    """No secret or subscriber is configured for the identity in the request."""

    reason = Reason.UNKNOWN_IDENTITY


class AuthenticationFailed(KeyingRejected):
    """The message authentication code is wrong: another secret, or an altered message."""

    reason = Reason.AUTHENTICATION_FAILED


class OfferRefused(KeyingRejected):
    """None of the offered combinations of suite, mode and compression is acceptable."""

    reason = Reason.OFFER_REFUSED


class Busy(KeyingRejected):
    """The table of half-open sessions is full."""

    reason = Reason.BUSY


class UnexpectedMessage(KeyingRejected):
    """A well-formed message of another exchange, or for the other role."""

    reason = Reason.UNEXPECTED_MESSAGE


class NoVector(KeyingRejected):
    """The source of authentication vectors has none for this identity, or did not answer."""

    reason = Reason.NO_VECTOR


class ResynchronisationFailed(KeyingRejected):
    """AUTS does not verify, or an exchange was synchronised once already."""

    reason = Reason.RESYNCHRONISATION_FAILED


class PeerRefused(KeyingRejected):
    """An unauthenticated notice says that the peer refused; ``notice`` is its reason.

    Anybody can forge it, so it never ends an exchange: keep waiting for a valid response, and
    show the notice to the user only when none came.
    """

    reason = Reason.PEER_REFUSED
    notice: Reason

    def __init__(self, notice: Reason, *, hint: str = "") -> None:
        super().__init__(f"the peer says it refused the request: {notice}", hint=hint)
        self.notice = notice
