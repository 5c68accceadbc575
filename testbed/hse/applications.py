"""What answers the messages that come out of the security association."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Application", "EchoApplication", "Request"]


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
