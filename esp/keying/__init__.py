"""Where the keys of a session come from: two exchanges, and the derivation behind them.

A configured secret is never an ESP key (RFC 8221 section 3), and neither are CK and IK. Each
session derives keys and salts per direction, from the secret (the hello, two messages) or from an
AKA run (four messages), with a fresh nonce and a fresh SPI of each side. Both exchanges run on the
HSE's port, behind the non-ESP marker. ``docs/keying.md`` gives the formats, the argument for each
property, and what the exchanges do not do.

The shelves::

    kdf            TS 33.220 Annex B.2 and what is derived with it
    hierarchy      from CK and IK to K_e2m, which takes the place of the hello's secret
    messages       the messages of the hello as octets
    aka_messages   those of the exchange with AKA
    aka_proof      what its two sides make of CK and IK
    rohc_channel   what it negotiates about ROHC
    session        what a finished exchange gives
    initiator      the UE's side of the hello; aka_initiator that with AKA
    responder      the HSE's side of the hello; aka_responder that with AKA
    table          the life of the sessions that an HSE made; limits
    dispatch       both responders behind one door
"""

from esp.keying.aka_initiator import MAXIMUM_CHALLENGES, AkaInitiator, Challenge, Reply
from esp.keying.aka_responder import AkaResponder, VectorOutcome
from esp.keying.dispatch import KeyAgreements, ask
from esp.keying.hierarchy import BaseKey, Hierarchy
from esp.keying.initiator import Initiator, draw_spi
from esp.keying.kdf import (
    MINIMUM_SECRET_BYTES,
    DerivationSettings,
    Direction,
    DirectionKeys,
    KeyAgreement,
    SessionBinding,
    check_secret,
    kdf,
)
from esp.keying.messages import Offer
from esp.keying.responder import Responder
from esp.keying.rohc_channel import RohcChannel
from esp.keying.session import Session, derive_session
from esp.keying.table import Handled, Limits, SessionTable, VectorWanted

__all__ = [
    "MAXIMUM_CHALLENGES",
    "MINIMUM_SECRET_BYTES",
    "AkaInitiator",
    "AkaResponder",
    "BaseKey",
    "Challenge",
    "DerivationSettings",
    "Direction",
    "DirectionKeys",
    "Handled",
    "Hierarchy",
    "Initiator",
    "KeyAgreement",
    "KeyAgreements",
    "Limits",
    "Offer",
    "Reply",
    "Responder",
    "RohcChannel",
    "Session",
    "SessionBinding",
    "SessionTable",
    "VectorOutcome",
    "VectorWanted",
    "ask",
    "check_secret",
    "derive_session",
    "draw_spi",
    "kdf",
]
