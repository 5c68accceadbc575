"""What answers the messages that come out of the security association."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from testbed.packets import (
    UDP_HEADER_BYTES,
    InnerPacket,
    build_udp_datagram,
    parse_udp_datagram,
)

__all__ = [
    "Application",
    "EchoApplication",
    "Request",
    "datagram_answer",
    "datagram_request",
    "packet_request",
]

_UDP = Struct("!HHHH")  # RFC 768: source port, destination port, length, checksum


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One message as the application sees it."""

    identity: str
    """Who sent it: the identity that the key exchange proved, or ``""`` without security."""
    payload: bytes
    """What the device's application sent."""
    source_port: int
    """The device's UDP port."""
    destination_port: int
    """The UDP port that the device addressed."""


class Application(Protocol):
    """Something that takes a request and may answer it."""

    def answer(self, request: Request) -> bytes | None:
        """Give the answer's payload, or ``None`` for no answer."""
        ...


class EchoApplication:
    """Answers each message with its own payload."""

    def __init__(self) -> None:
        self.requests = 0
        """How many requests reached the application."""

    def answer(self, request: Request) -> bytes:
        """Return the request's payload."""
        self.requests += 1
        return request.payload


def packet_request(identity: str, inner: InnerPacket) -> Request:
    """The request in an inner packet."""
    return Request(
        identity=identity,
        payload=inner.payload,
        source_port=inner.source_port,
        destination_port=inner.destination_port,
    )


def datagram_request(identity: str, datagram: bytes) -> Request:
    """The request in a UDP datagram of transport mode.

    Its checksum covers addresses that a NAT has changed: it is not looked at, as RFC 3948 section
    3.1.2 allows for UDP.
    """
    source_port, destination_port, payload = parse_udp_datagram(datagram)
    return Request(
        identity=identity,
        payload=payload,
        source_port=source_port,
        destination_port=destination_port,
    )


def datagram_answer(request: Request, answer: bytes, ends: tuple[str, str] | None = None) -> bytes:
    """The UDP datagram of transport mode that carries the answer to a request.

    Its checksum is 0, "none": a NAT would make any other wrong, and the ICV protects the datagram
    (RFC 3948 section 3.1.2). IPv6 knows no datagram without one (RFC 8200 section 8.1), and no NAT.

    Args:
        request: what is answered.
        answer: the payload.
        ends: source and destination address, where a checksum is needed.
    """
    if ends is not None:
        ports = request.destination_port, request.source_port
        return build_udp_datagram(*ends, *ports, answer)
    size = UDP_HEADER_BYTES + len(answer)
    return _UDP.pack(request.destination_port, request.source_port, size, 0) + answer
