"""What every source of traffic gives: the packets that a device sends, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType

from testbed.packets import InnerPacket
from testbed.traffic.coap import COAP_PORTS

__all__ = ["Message", "Traffic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One UDP packet that the device sends."""

    index: int
    """Number of the message, from 0."""
    time_s: float
    """When the device sends it, in seconds since its first message."""
    packet: bytes = field(repr=False)
    """The IP packet, octet for octet as the device sent it."""
    payload: bytes
    """What UDP carries: the application's octets."""
    source: bytes
    """The device's address, 4 or 16 octets."""
    destination: bytes
    """The address it is sent to, 4 or 16 octets."""
    source_port: int
    destination_port: int
    ip_header_bytes: int
    """Octets before the UDP header."""

    @property
    def source_text(self) -> str:
        """The device's address in text form."""
        return str(ip_address(self.source))

    @property
    def destination_text(self) -> str:
        """The address it is sent to in text form."""
        return str(ip_address(self.destination))

    @property
    def is_coap(self) -> bool:
        """Whether it goes to, or comes from, CoAP's port."""
        return bool(COAP_PORTS & {self.source_port, self.destination_port})

    @classmethod
    def of(cls, index: int, time_s: float, packet: InnerPacket) -> Message:
        """The message of a parsed packet."""
        return cls(
            index=index,
            time_s=time_s,
            packet=packet.raw,
            payload=packet.payload,
            source=packet.source,
            destination=packet.destination,
            source_port=packet.source_port,
            destination_port=packet.destination_port,
            ip_header_bytes=packet.ip_header_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The messages of one device, and where they come from."""

    description: str
    """Where they come from, for journal and report: a file's name, a generator and its seed."""
    device: str
    """The device's address in text form."""
    messages: tuple[Message, ...] = field(repr=False)
    """The messages in the order in which the device sends them."""
    notes: tuple[str, ...] = ()
    """What a person should know about the source: how the device was chosen, what was torn."""
    skipped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Packets of the source that are no message, counted by reason."""
    bad_checksums: int = 0
    """Messages whose UDP checksum is wrong (captured before a network card filled it in)."""

    @property
    def duration_s(self) -> float:
        """From the first message to the last, in seconds."""
        return self.messages[-1].time_s if self.messages else 0.0

    @property
    def payload_bytes(self) -> int:
        """Octets of all payloads."""
        return sum(len(message.payload) for message in self.messages)
