"""CoAP messages and LwM2M values, as far as the generator writes them.

RFC 7252 section 3 (message format), RFC 7641 section 2 (Observe), OMA LwM2M 1.1 section 7.4.4
(TLV), RFC 8949 section 3.3 (CBOR floating point).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum

__all__ = [
    "COAP_PORTS",
    "Code",
    "ContentFormat",
    "OptionNumber",
    "Type",
    "cbor",
    "coap_header_bytes",
    "coap_message",
    "tlv",
    "uint",
]

COAP_PORTS = frozenset({5683})
"""UDP ports on which CoAP is spoken in clear (RFC 7252 section 12.6)."""


class Type(IntEnum):
    """Message types (RFC 7252 section 3)."""

    CON = 0
    NON = 1
    ACK = 2
    RST = 3


class Code(IntEnum):
    """Codes, class and detail in one octet (RFC 7252 section 12.1)."""

    EMPTY = 0x00
    GET = 0x01
    POST = 0x02
    CHANGED = 0x44
    CONTENT = 0x45


class OptionNumber(IntEnum):
    """Option numbers (RFC 7252 section 12.2; RFC 7641 section 2)."""

    OBSERVE = 6
    URI_PATH = 11
    CONTENT_FORMAT = 12
    URI_QUERY = 15


class ContentFormat(IntEnum):
    """Content formats (RFC 7252 section 12.3 and its registry)."""

    TEXT = 0
    CBOR = 60
    TLV = 11542


def uint(number: int) -> bytes:
    """An option's number in as few octets as it takes; 0 takes none (RFC 7252 section 3.2)."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def coap_message(
    kind: Type,
    code: Code,
    message_id: int,
    token: bytes = b"",
    options: Iterable[tuple[int, bytes]] = (),
    payload: bytes = b"",
) -> bytes:
    """A CoAP message.

    Args:
        kind: message type.
        code: request or response code.
        message_id: 0 to 0xFFFF.
        token: 0 to 8 octets.
        options: number and value, in ascending order of number.
        payload: without the marker.

    """
    parts = [struct.pack("!BBH", 1 << 6 | kind << 4 | len(token), code, message_id), token]
    last = 0
    for number, value in options:
        delta, delta_more = _nibble(number - last)
        length, length_more = _nibble(len(value))
        parts += [bytes([delta << 4 | length]), delta_more, length_more, value]
        last = number
    if payload:
        parts += [b"\xff", payload]
    return b"".join(parts)


def _nibble(number: int) -> tuple[int, bytes]:
    """Four bits of an option's delta or length, and its extension (RFC 7252 section 3.1)."""
    if number < 13:
        return number, b""
    if number < 269:
        return 13, bytes([number - 13])
    return 14, struct.pack("!H", number - 269)


def tlv(resource: int, value: float | int) -> bytes:
    """An LwM2M resource with its value in TLV.

    Args:
        resource: resource id, 0 to 0xFFFF.
        value: a float is written in 8 octets, an integer in 1, 2, 4 or 8.

    """
    if isinstance(value, float):
        data = struct.pack("!d", value)
    else:
        size = next(
            size for size in (1, 2, 4, 8) if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1
        )
        data = value.to_bytes(size, "big", signed=True)
    kind = 0b11 << 6  # a resource with a value
    if resource > 0xFF:
        kind |= 1 << 5
    identifier = struct.pack("!H", resource) if resource > 0xFF else bytes([resource])
    if len(data) < 8:
        return bytes([kind | len(data)]) + identifier + data
    return bytes([kind | 1 << 3]) + identifier + bytes([len(data)]) + data


def cbor(value: float) -> bytes:
    """A CBOR floating-point number in 8 octets."""
    return b"\xfb" + struct.pack("!d", value)


def coap_header_bytes(message: bytes) -> int:
    """How much of a CoAP message is CoAP's own: header, token, options and the payload's marker.

    Args:
        message: what UDP carries.

    Returns:
        Octets before the payload, all of them where there is none; 0 for what is no whole message
        of RFC 7252 section 3.
    """
    if len(message) < 4 or message[0] >> 6 != 1:
        return 0
    token_bytes, code_class = message[0] & 0x0F, message[1] >> 5
    if token_bytes > 8 or code_class in (1, 6, 7):  # reserved: section 3, section 12.1
        return 0
    at = 4 + token_bytes
    while at < len(message):
        if message[at] == 0xFF:
            return at + 1 if at + 1 < len(message) else 0  # a marker without payload is an error
        sizes = message[at] >> 4, message[at] & 0x0F
        at += 1
        length = 0
        for place, size in enumerate(sizes):  # option delta, then option length
            if size == 15:
                return 0
            extended = max(size - 12, 0)
            value = size
            if extended:
                value = (13, 269)[extended - 1] + int.from_bytes(message[at : at + extended], "big")
                at += extended
            length = value if place else 0
        at += length
    return at if at == len(message) else 0
