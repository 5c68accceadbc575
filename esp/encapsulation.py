"""ESP in UDP, and what else arrives on that port (RFC 3948).

::

    one octet 0xFF                     NAT keepalive                       section 2.3
    four zero octets, then a message   IKE, or this project's hello        section 2.2
    anything else of four octets up    ESP: the SPI is never zero          section 2.1
"""

from __future__ import annotations

from enum import Enum

from esp.errors import NotEsp

__all__ = [
    "KEEPALIVE",
    "NON_ESP_MARKER",
    "UDP_ENCAPSULATION_PORT",
    "DatagramKind",
    "add_marker",
    "classify",
    "remove_marker",
]

UDP_ENCAPSULATION_PORT = 4500
"""The port of RFC 3947 and RFC 3948."""
NON_ESP_MARKER = b"\0\0\0\0"
"""Stands where ESP has its SPI, and says that this is not ESP."""
KEEPALIVE = b"\xff"
"""The payload of a NAT keepalive. It defeats power saving: this project sends none by default."""


class DatagramKind(Enum):
    """What a datagram on the encapsulation port is."""

    ESP = "esp"
    MESSAGE = "message"  # IKE or hello, behind the non-ESP marker
    KEEPALIVE = "keepalive"
    TOO_SHORT = "too-short"  # less than an SPI, and no keepalive


def classify(datagram: bytes) -> DatagramKind:
    """Tell what a UDP payload is, by its first octets only; never raises."""
    marker = datagram[:4]
    if len(marker) == 4:
        return DatagramKind.MESSAGE if marker == NON_ESP_MARKER else DatagramKind.ESP
    return DatagramKind.KEEPALIVE if datagram == KEEPALIVE else DatagramKind.TOO_SHORT


def add_marker(message: bytes) -> bytes:
    """The UDP payload that carries a message of the key exchange."""
    return NON_ESP_MARKER + message


def remove_marker(datagram: bytes) -> bytes:
    """The message in a UDP payload; raises :class:`~esp.errors.NotEsp` without the marker."""
    if datagram[:4] != NON_ESP_MARKER:
        raise NotEsp("no non-ESP marker in front of the message")
    return datagram[4:]
