"""Feedback elements (RFC 3095 sections 5.2.2 and 5.7.6.1)."""

from __future__ import annotations

from enum import IntEnum

from rohc.formats.figure import Figure

__all__ = ["FEEDBACK_1", "FEEDBACK_2", "FEEDBACK_OPTION", "AckType", "Option"]

FEEDBACK_1 = Figure(
    "FEEDBACK-1",
    "RFC 3095 5.7.6.1",
    """
    +---+---+---+---+---+---+---+---+
    |              SN               |
    +---+---+---+---+---+---+---+---+
    """,
)

FEEDBACK_2 = Figure(
    "FEEDBACK-2",
    "RFC 3095 5.7.6.1",
    """
    +---+---+---+---+---+---+---+---+
    |Acktype| Mode  |      SN       |
    +---+---+---+---+---+---+---+---+
    |              SN               |
    +---+---+---+---+---+---+---+---+
    """,
)

FEEDBACK_OPTION = Figure(
    "Feedback option",
    "RFC 3095 5.7.6.2",
    """
    +---+---+---+---+---+---+---+---+
    |   Opt Type    |    Opt Len    |
    +---+---+---+---+---+---+---+---+
    """,
)


class AckType(IntEnum):
    """Acktype; 3 is reserved."""

    ACK = 0
    NACK = 1
    STATIC_NACK = 2


class Option(IntEnum):
    """Feedback options (RFC 3095 5.7.6.3 to 5.7.6.9, RFC 3843 section 3.7)."""

    CRC = 1
    REJECT = 2
    SN_NOT_VALID = 3
    SN = 4
    CLOCK = 5
    JITTER = 6
    LOSS = 7
    CONTEXT_MEMORY = 9
