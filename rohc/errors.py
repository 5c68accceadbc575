"""The errors of this package; the tree is drawn in the package's docstring."""

from __future__ import annotations

__all__ = [
    "CrcFailure",
    "MalformedPacket",
    "NoContext",
    "RohcError",
    "RohcUsageError",
    "UnsupportedProfile",
]


class RohcError(Exception):
    """Root of all errors of this package.

    Args:
        message: what happened, in one sentence.
        hint: the next step for a person, or an empty string.
        cid: the context identifier concerned, or None when there is none.

    Attributes:
        feedback_received: feedback that rode in front of a packet which was then rejected; it is
            good, and belongs to the local compressor.
        feedback: feedback that the rejection asks to send to the peer, b"" if none.
    """

    def __init__(self, message: str, *, hint: str = "", cid: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.cid = cid
        self.feedback_received = b""
        self.feedback = b""


class MalformedPacket(RohcError):
    """The peer sent octets that no packet format of RFC 5795 or of the profile allows."""


class NoContext(RohcError):
    """The packet needs a context that is not there, or was damaged (RFC 3095 5.3.2.2.1)."""


class CrcFailure(RohcError):
    """The header was decompressed, and its CRC says that it is not the original (RFC 3095 5.9)."""


class UnsupportedProfile(RohcError):
    """A profile is needed that the channel does not allow, or that this package does not have."""


class RohcUsageError(RohcError, ValueError):
    """The caller's own mistake: an argument out of its range, or nothing to compress."""
