"""The permutation against the hash functions that the standard library builds on the same one."""

from __future__ import annotations

import hashlib

import pytest

from esp.aka.keccak import STATE_BYTES, keccak_f1600


def sponge(data: bytes, rate: int, suffix: int, size: int) -> bytes:
    """FIPS 202 section 4 with multi-rate padding, octets only."""
    padded = bytearray(data + bytes((suffix,)))
    padded += bytes(-len(padded) % rate)
    padded[-1] |= 0x80
    state = bytes(STATE_BYTES)
    for at in range(0, len(padded), rate):
        block = padded[at : at + rate].ljust(STATE_BYTES, b"\0")
        state = keccak_f1600(bytes(a ^ b for a, b in zip(state, block, strict=True)))
    out = b""
    while len(out) < size:
        out += state[:rate]
        state = keccak_f1600(state)
    return out[:size]


@pytest.mark.parametrize("size", [0, 1, 135, 136, 137, 500])
def test_sha3_and_shake_come_out(size: int) -> None:
    data = bytes(n * 7 & 0xFF for n in range(size))
    assert sponge(data, 136, 0x06, 32) == hashlib.sha3_256(data).digest()
    assert sponge(data, 72, 0x06, 64) == hashlib.sha3_512(data).digest()
    assert sponge(data, 168, 0x1F, 400) == hashlib.shake_128(data).digest(400)


def test_the_first_lane_of_the_permuted_zero_state_is_the_published_one() -> None:
    """The first lane of KeccakF-1600-IntermediateValues for the all-zero state."""
    assert keccak_f1600(bytes(STATE_BYTES))[:8] == bytes.fromhex("e7dde140798f25f1")
