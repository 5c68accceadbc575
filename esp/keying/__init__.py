"""Where the keys of a session come from: the hello, and the derivation behind it.

A configured secret is never an ESP key (RFC 8221 section 3). Each session derives keys and salts
per direction from the secret, a fresh nonce and a fresh SPI of each side, in an exchange of two
messages on the HSE's port, behind the non-ESP marker. ``docs/keying.md`` gives the formats, the
argument for each property, and what the exchange does not do.

The shelves::

    kdf          TS 33.220 Annex B.2 and what is derived with it
    messages     the messages as octets
    session      what a finished exchange gives
    initiator    the UE's side
    responder    the HSE's side, and the life of its sessions
"""

from esp.keying.initiator import Initiator, draw_spi
from esp.keying.kdf import (
    MINIMUM_SECRET_BYTES,
    DerivationSettings,
    Direction,
    DirectionKeys,
    SessionBinding,
    check_secret,
    kdf,
)
from esp.keying.messages import Offer
from esp.keying.responder import Handled, Limits, Responder
from esp.keying.session import Session, derive_session

__all__ = [
    "MINIMUM_SECRET_BYTES",
    "DerivationSettings",
    "Direction",
    "DirectionKeys",
    "Handled",
    "Initiator",
    "Limits",
    "Offer",
    "Responder",
    "Session",
    "SessionBinding",
    "check_secret",
    "derive_session",
    "draw_spi",
    "kdf",
]
