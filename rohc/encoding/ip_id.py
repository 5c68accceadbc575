"""Offset IP-ID encoding (RFC 3095 section 4.5.5), and how a sender's IP-ID behaves.

Where the IP-ID is a counter, IP-ID - SN changes rarely; that offset is sent with W-LSB encoding and
p = 0. A counter kept in the wrong byte order (NBO = 0) is swapped first. An unpredictable IP-ID
(RND = 1) is sent whole.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Behaviour", "behaviour_between", "offset_of", "swapped"]

SEQUENTIAL_STEP_MAX = 64
"""How far a counter may have moved on (other flows of the host) and still count as a counter."""


class Behaviour(IntEnum):
    """How two IP-IDs in a row relate."""

    SEQUENTIAL = 0
    """a counter in network byte order"""
    SWAPPED = 1
    """a counter in the other byte order"""
    CONSTANT = 2
    """the same value again"""
    RANDOM = 3
    """nothing of these"""


def swapped(value: int) -> int:
    """The two octets of a 16-bit value exchanged."""
    return (value >> 8) | ((value & 0xFF) << 8)


def offset_of(identification: int, sn: int, nbo: bool) -> int:
    """Offset_i = ID_i - SN_i, modulo 2^16, the ID swapped first when NBO is 0."""
    counter = identification if nbo else swapped(identification)
    return (counter - sn) & 0xFFFF


def behaviour_between(previous: int, current: int) -> Behaviour:
    """How `current` follows `previous` in one flow."""
    if current == previous:
        return Behaviour.CONSTANT
    if 0 < (current - previous) & 0xFFFF <= SEQUENTIAL_STEP_MAX:
        return Behaviour.SEQUENTIAL
    if 0 < (swapped(current) - swapped(previous)) & 0xFFFF <= SEQUENTIAL_STEP_MAX:
        return Behaviour.SWAPPED
    return Behaviour.RANDOM
