"""Authentication and key agreement (TS 33.102): both its ends and the functions between them.

The shelves::

    records    vectors, answers, subscribers, and the sizes of all fields
    milenage   f1 to f5* from AES (TS 35.206)
    tuak       f1 to f5* from Keccak (TS 35.231); keccak is the permutation
    sequence   SQN: how it is made, and how a USIM judges it (Annex C)
    usim       the card's side: a challenge in, an answer out
    centre     the authentication centre: vectors and resynchronisation
    ready      vectors that somebody else made

No K, OP, RAND, RES, CK, IK or SQN shows in a repr or an error here, and no identity either: it may
be an IMSI.
"""

from esp.aka.centre import AuthenticationCentre, Purpose, VectorSource
from esp.aka.milenage import MILENAGE_CONSTANTS, MILENAGE_ROTATIONS, Milenage
from esp.aka.ready import ReadyVectors, UsedVectors, parse_ready_vectors, parse_vector
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
from esp.aka.sequence import (
    PROFILE_1,
    PROFILE_2,
    PROFILE_3,
    SequenceGenerator,
    SequenceProfile,
    SequenceVerifier,
)
from esp.aka.tuak import Tuak
from esp.aka.usim import Usim

__all__ = [
    "ATTACH_INDICES",
    "HSE_INDICES",
    "MILENAGE_CONSTANTS",
    "MILENAGE_ROTATIONS",
    "PROFILE_1",
    "PROFILE_2",
    "PROFILE_3",
    "AkaAlgorithm",
    "AkaAnswer",
    "AkaMacFailure",
    "AkaSuccess",
    "AkaSyncFailure",
    "AuthenticationCentre",
    "AuthenticationVector",
    "Milenage",
    "Purpose",
    "ReadyVectors",
    "SequenceGenerator",
    "SequenceProfile",
    "SequenceVerifier",
    "Subscriber",
    "Tuak",
    "UsedVectors",
    "Usim",
    "VectorSource",
    "parse_ready_vectors",
    "parse_vector",
    "separation_bit",
]
