"""How many transport blocks a message takes on the air, and how long: sizes, no randomness.

Of use to whoever models the air, also for real modules: the tables are the standard's, what the
cell schedules is a :class:`~firmware_bridge.virtual.parameters.CoverageLevel`.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.virtual.parameters import (
    DOWNLINK_BLOCK_BITS,
    RESOURCE_UNIT_S,
    SUBFRAMES,
    UPLINK_BLOCK_BITS,
    UPLINK_RESOURCE_UNITS,
    CoverageLevel,
)

__all__ = ["Block", "downlink_blocks", "uplink_blocks"]

_BLOCK_HEADER_BITS = 5 * 8
"""MAC subheader (2), RLC AM header (2) and padding subheader (1) octets in each block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One transport block."""

    payload_bits: int
    """Bits of user or signalling data in it."""
    block_bits: int
    """Transport block size."""
    units: int
    """Resource units (uplink) or subframes (downlink)."""
    duration_s: float
    """Time on the air with its repetitions."""


def uplink_blocks(size_bytes: int, level: CoverageLevel) -> list[Block]:
    """Cut ``size_bytes`` into NPUSCH blocks: the largest the level has, then one that fits."""
    unit_s = RESOURCE_UNIT_S[level.uplink_subcarriers] * level.uplink_repetitions
    row = UPLINK_BLOCK_BITS[level.uplink_mcs]
    return _cut(size_bytes, row, UPLINK_RESOURCE_UNITS, unit_s)


def downlink_blocks(size_bytes: int, level: CoverageLevel) -> list[Block]:
    """Cut ``size_bytes`` into NPDSCH blocks."""
    row = DOWNLINK_BLOCK_BITS[level.downlink_mcs]
    return _cut(size_bytes, row, SUBFRAMES, 0.001 * level.downlink_repetitions)


def _cut(
    size_bytes: int, row: tuple[int, ...], units: tuple[int, ...], unit_s: float
) -> list[Block]:
    """As many of the largest blocks as needed, the last one the smallest that holds the rest."""
    remaining = size_bytes * 8
    blocks: list[Block] = []
    while remaining > 0 or not blocks:
        index = next(
            (i for i, bits in enumerate(row) if bits - _BLOCK_HEADER_BITS >= remaining),
            len(row) - 1,
        )
        payload = min(remaining, row[index] - _BLOCK_HEADER_BITS)
        blocks.append(
            Block(
                payload_bits=payload,
                block_bits=row[index],
                units=units[index],
                duration_s=units[index] * unit_s,
            )
        )
        remaining -= payload
    return blocks
