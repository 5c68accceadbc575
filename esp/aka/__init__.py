"""Authentication and key agreement (TS 33.102): both its ends and the functions between them.

The shelves::

    records    vectors, answers, subscribers, and the sizes of all fields
    milenage   f1 to f5* from AES (TS 35.206)
    tuak       f1 to f5* from Keccak (TS 35.231); keccak is the permutation
"""

from esp.aka.milenage import MILENAGE_CONSTANTS, MILENAGE_ROTATIONS, Milenage
from esp.aka.records import (
    ATTACH_INDICES,
    HSE_INDICES,
    AkaAlgorithm,
    AkaAnswer,
    AkaMacFailure,
    AkaSuccess,
    AkaSyncFailure,
    AuthenticationVector,
    Subscriber,
    separation_bit,
)
from esp.aka.tuak import Tuak

__all__ = [
    "ATTACH_INDICES",
    "HSE_INDICES",
    "MILENAGE_CONSTANTS",
    "MILENAGE_ROTATIONS",
    "AkaAlgorithm",
    "AkaAnswer",
    "AkaMacFailure",
    "AkaSuccess",
    "AkaSyncFailure",
    "AuthenticationVector",
    "Milenage",
    "Subscriber",
    "Tuak",
    "separation_bit",
]
