"""CRCs of the RFC 3095 family (RFC 3095 section 5.9, algorithm of RFC 4815 section 2.1).

The three short CRCs protect headers, FCS-32 a reconstructed unit. All are computed least
significant bit first with the register preset to ones; only FCS-32 is complemented at the end
(RFC 4815 appendix A).

A CRC is a state machine, and RFC 3095 section 5.9.2 orders the octets of a header so that the
state after the static ones can be kept. The functions take and give that state.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

__all__ = ["CRC3", "CRC7", "CRC8", "Crc", "fcs32"]


class Crc:
    """One of the short CRCs.

    Args:
        bits: the width, 3, 7 or 8.
        polynomial: the polynomial in reversed bit order, as RFC 4815 appendix A writes it.
    """

    def __init__(self, bits: int, polynomial: int) -> None:
        self.bits = bits
        self.initial = (1 << bits) - 1
        self.table = _octet_table(polynomial)

    def update(self, state: int, data: bytes | bytearray | memoryview) -> int:
        """The state after `data`, coming from `state`."""
        table = self.table
        for octet in data:
            state = table[state ^ octet]
        return state

    def of(self, data: bytes | bytearray | memoryview) -> int:
        """The CRC over `data` alone."""
        return self.update(self.initial, data)

    def pairs(self) -> bytes:
        """A table for two octets at once: index `word ^ state << 8`, word big-endian.

        64 KiB, made at the first use and kept for the life of the process.
        """
        return _pair_table(self.table)


def _octet_table(polynomial: int) -> bytes:
    table = bytearray(256)
    for octet in range(256):
        state = octet
        for _ in range(8):
            state = (state >> 1) ^ polynomial if state & 1 else state >> 1
        table[octet] = state
    return bytes(table)


@lru_cache(maxsize=3)
def _pair_table(table: bytes) -> bytes:
    return b"".join(
        bytes(table[first ^ second] for second in range(256))
        for first in (table[high] for high in range(256))
    )


CRC3 = Crc(3, 0x6)
"""C(x) = 1 + x + x^3, in UO-0 and UO-1."""
CRC7 = Crc(7, 0x79)
"""C(x) = 1 + x + x^2 + x^3 + x^6 + x^7, in UOR-2 and R-0-CRC."""
CRC8 = Crc(8, 0xE0)
"""C(x) = 1 + x + x^2 + x^8, in IR, IR-DYN and the CRC feedback option."""


def fcs32(data: bytes) -> bytes:
    """The four CRC octets of a reconstructed unit (RFC 5795 section 5.2.5.2, as in RFC 1662).

    RFC 1662 sends the FCS least significant octet first.
    """
    return zlib.crc32(data).to_bytes(4, "little")
