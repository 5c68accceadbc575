"""What a key exchange of the UE needs, counts and ends in, whichever exchange it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import esp
from esp import keying
from testbed.analysis.bytes import Layer
from testbed.errors import ExitCode, LabFault, UsageError
from testbed.results.records import SessionRecord
from testbed.ue.agreement import message_name

__all__ = [
    "ExchangedMessages",
    "KeyingFailed",
    "KeyingRefused",
    "KeyingTimeouts",
    "Secret",
]

_MARKER_BYTES = len(esp.add_marker(b""))
"""The non-ESP marker in front of each message of a key exchange."""
_MOST_ANSWERS = 8
"""So many messages are answered in one key exchange."""


class Secret:
    """A secret shared with the HSE, kept out of every text.

    Args:
        value: at least 16 octets.
        test: keys derived from it may be written down.

    Raises:
        UsageError: it is too short.
    """

    __slots__ = ("_value", "test")

    def __init__(self, value: bytes, *, test: bool = False) -> None:
        if len(value) < keying.MINIMUM_SECRET_BYTES:
            raise UsageError(
                f"the secret has {len(value)} octets, fewer than {keying.MINIMUM_SECRET_BYTES}",
                hint="Make one: openssl rand -hex 16, and write it as hex:DIGITS.",
            )
        self._value = value
        self.test = test

    def reveal(self) -> bytes:
        """The octets."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({'test' if self.test else '***'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyingTimeouts:
    """How long each request of the key exchange waits for its response, in seconds."""

    waits_s: tuple[float, ...] = (10.0, 15.0, 20.0)
    """One wait per request; NB-IoT takes up to 10 s one way in bad coverage."""


class KeyingFailed(LabFault):
    """A key exchange came to nothing.

    Attributes:
        record: what trying cost.
    """

    def __init__(self, record: SessionRecord, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.record = record


class KeyingRefused(KeyingFailed, UsageError):
    """The key exchange came to nothing because of a mistake in somebody's configuration."""

    default_exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class ExchangedMessages:
    """The messages of one key exchange, as they go and come.

    Args:
        outer: octets of the headers that the carrier puts around each of them.
    """

    def __init__(self, outer: Mapping[Layer, int]) -> None:
        self._outer = outer
        self.attempts = 0
        self.messages: list[dict[str, Any]] = []
        self._answers = 0
        self._markers = {"up": 0, "down": 0}

    def may_answer(self) -> bool:
        """Whether one more answer may be sent, which counts: who plays messages again gets few."""
        self._answers += 1
        return self._answers <= _MOST_ANSWERS

    def add(self, message: bytes, *, up: bool) -> None:
        """Note a message, without its marker."""
        self._add(message_name(message), len(message), "up" if up else "down")
        self._markers["up" if up else "down"] += 1

    def came(self, datagram: bytes) -> bytes:
        """Note a datagram that came; gives the message in it, empty when there is none."""
        if esp.classify(datagram) is not esp.DatagramKind.MESSAGE:
            self._add("other", len(datagram), "down")
            return b""
        message = esp.remove_marker(datagram)
        self.add(message, up=False)
        return message

    def _add(self, kind: str, octets: int, way: str) -> None:
        self.messages.append({"type": kind, "way": way, "bytes": octets})

    def layers(self, *, up: bool) -> dict[str, int]:
        """Octets by layer, one way."""
        way = "up" if up else "down"
        sizes = [one["bytes"] for one in self.messages if one["way"] == way]
        return {
            "outer_ip": self._outer.get(Layer.OUTER_IP, 0) * len(sizes),
            "outer_udp": self._outer.get(Layer.OUTER_UDP, 0) * len(sizes),
            "marker": _MARKER_BYTES * self._markers[way],
            "key_exchange": sum(sizes),
        }
