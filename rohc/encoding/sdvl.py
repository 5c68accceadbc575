"""Self-describing variable-length values (RFC 3095 section 4.5.6).

first bits   octets   bits of value
0            1        7
10           2        14
110          3        21
111          4        29
"""

from __future__ import annotations

from rohc.errors import MalformedPacket, RohcUsageError

__all__ = ["MAXIMUM", "decode", "decode_bits", "encode", "encode_bits"]

MAXIMUM = (1 << 29) - 1
"""The largest value that can be sent."""

_SIZES = ((7, 0x00), (14, 0x80), (21, 0xC0), (29, 0xE0))


def encode(value: int) -> bytes:
    """The shortest encoding of `value`.

    Raises:
        RohcUsageError: the value is not 0 to 2^29 - 1.
    """
    if not 0 <= value <= MAXIMUM:
        raise RohcUsageError(f"a self-describing value is 0 to {MAXIMUM}, not {value}")
    for octets, (bits, prefix) in enumerate(_SIZES, start=1):
        if value < 1 << bits:
            return (value | prefix << (8 * (octets - 1))).to_bytes(octets, "big")
    raise AssertionError("unreachable")


def encode_bits(value: int, bits: int) -> bytes:
    """The `bits` (7, 14, 21 or 29) least significant bits of `value`, in that size's form."""
    for octets, (size, prefix) in enumerate(_SIZES, start=1):
        if size == bits:
            low = value & ((1 << bits) - 1)
            return (low | prefix << (8 * (octets - 1))).to_bytes(octets, "big")
    raise RohcUsageError(f"a self-describing value has 7, 14, 21 or 29 bits, not {bits}")


def decode(data: bytes, at: int) -> tuple[int, int]:
    """The value at offset `at`, and the offset behind it.

    Raises:
        MalformedPacket: the data ends before the value does.
    """
    value, _, behind = decode_bits(data, at)
    return value, behind


def decode_bits(data: bytes, at: int) -> tuple[int, int, int]:
    """The value at offset `at`, how many bits it was sent with, and the offset behind it.

    Raises:
        MalformedPacket: the data ends before the value does.
    """
    if at >= len(data):
        raise MalformedPacket("a self-describing value is missing")
    first = data[at]
    octets = 1 if first < 0x80 else 2 if first < 0xC0 else 3 if first < 0xE0 else 4
    if at + octets > len(data):
        raise MalformedPacket("a self-describing value is cut short")
    bits = _SIZES[octets - 1][0]
    value = int.from_bytes(data[at : at + octets], "big") & ((1 << bits) - 1)
    return value, bits, at + octets
