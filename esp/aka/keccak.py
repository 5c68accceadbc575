"""The permutation Keccak-f[1600] of FIPS 202 section 3, which TUAK is made of."""

from __future__ import annotations

__all__ = ["STATE_BYTES", "keccak_f1600"]

STATE_BYTES = 200
"""Octets of the state: 25 lanes of 64 bits; lane A[x, y] is number x + 5y, little endian."""

_LANE = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    """RC of each round (section 3.2.5): bit 2^j - 1 is bit j + 7 i of a shift register's output."""
    constants = []
    register = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171  # x^8 + x^6 + x^5 + x^4 + 1
        constants.append(constant)
    return tuple(constants)


def _moves() -> tuple[tuple[int, int, int], ...]:
    """Rho and pi (sections 3.2.2 and 3.2.3): from which lane, to which, turned by how many bits."""
    moves = [(0, 0, 0)]
    x, y = 1, 0
    for t in range(24):
        offset = (t + 1) * (t + 2) // 2 % 64
        x, y, source = y, (2 * x + 3 * y) % 5, x + 5 * y
        moves.append((source, x + 5 * y, offset))
    return tuple(moves)


_ROUND_CONSTANTS = _round_constants()
_MOVES = _moves()
_ROWS = tuple((y, y + 1, y + 2, y + 3, y + 4) for y in range(0, 25, 5))


def keccak_f1600(state: bytes) -> bytes:
    """All 24 rounds over a state of 200 octets."""
    a = [int.from_bytes(state[at : at + 8], "little") for at in range(0, STATE_BYTES, 8)]
    b = [0] * 25
    for constant in _ROUND_CONSTANTS:
        # theta: each column takes the parities of its two neighbours
        parity = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        effect = [
            parity[x - 1] ^ (parity[x - 4] << 1 & _LANE | parity[x - 4] >> 63) for x in range(5)
        ]
        # rho and pi: each lane turns and moves
        for source, target, offset in _MOVES:
            lane = a[source] ^ effect[source % 5]
            b[target] = (lane << offset | lane >> (64 - offset)) & _LANE
        # chi: each lane takes from the next two of its row
        for r0, r1, r2, r3, r4 in _ROWS:
            b0, b1, b2, b3, b4 = b[r0], b[r1], b[r2], b[r3], b[r4]
            a[r0] = b0 ^ ~b1 & b2
            a[r1] = b1 ^ ~b2 & b3
            a[r2] = b2 ^ ~b3 & b4
            a[r3] = b3 ^ ~b4 & b0
            a[r4] = b4 ^ ~b0 & b1
        a[0] ^= constant  # iota
    return b"".join(lane.to_bytes(8, "little") for lane in a)
