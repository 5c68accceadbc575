"""One cell of the matrix: how a message is protected and whether its headers are compressed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DEFAULT_MATRIX", "Compression", "Configuration", "Security"]


class Security(StrEnum):
    """What protects the user plane between UE and HSE."""

    NONE = "none"
    """Nothing: the module's own UDP datagram carries the payload."""
    ESP_TRANSPORT = "esp-transport"
    """ESP in transport mode, UDP-encapsulated (RFC 4303, RFC 3948)."""
    ESP_TUNNEL = "esp-tunnel"
    """ESP in tunnel mode, UDP-encapsulated (RFC 4303, RFC 3948)."""


class Compression(StrEnum):
    """What compresses the inner headers."""

    NONE = "none"
    ROHC = "rohc"
    """Robust header compression (RFC 3095; inside ESP as RFC 5858 says)."""


_SECURITIES = {member.value: member for member in Security if member is not Security.NONE}
_COMPRESSIONS = {member.value: member for member in Compression if member is not Compression.NONE}

_REFUSED: dict[tuple[Security, Compression], str] = {
    (Security.ESP_TRANSPORT, Compression.ROHC): (
        "rohc under esp-transport is not defined: ROHCoIPsec is for tunnel mode SAs only "
        "(RFC 5856 section 1)"
    ),
}

_NOTES: dict[str, str] = {
    "esp-transport": (
        "esp-transport: the ESP payload is the UDP datagram (next header 17). The IP header is "
        "the carrier's, so the addresses of the traffic source are not carried; the receiver "
        "does not look at the inner UDP checksum, which a NAT makes wrong and the ICV replaces "
        "(RFC 3948 section 3.1.2)."
    ),
    "rohc": (
        "rohc: nothing is protected; the ROHC packet is the payload of the module's own datagram "
        "to the HSE's ROHC port."
    ),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """A security and a compression that may be combined.

    Args:
        security: what protects the message.
        compression: what compresses its inner headers.

    Raises:
        ValueError: no standard defines the combination; the text says which one rules it out.
    """

    security: Security
    compression: Compression = Compression.NONE

    def __post_init__(self) -> None:
        reason = _REFUSED.get((self.security, self.compression))
        if reason is not None:
            raise ValueError(reason)

    @property
    def name(self) -> str:
        """The name in tables and journals: ``none``, ``rohc``, ``rohc+esp-tunnel`` and so on."""
        if self.compression is Compression.NONE:
            return self.security.value
        if self.security is Security.NONE:
            return self.compression.value
        return f"{self.compression.value}+{self.security.value}"

    @property
    def note(self) -> str | None:
        """What a reader of the table must know about this configuration, if anything."""
        return _NOTES.get(self.name)

    @classmethod
    def parse(cls, name: str) -> Configuration:
        """Read a configuration's name.

        Args:
            name: one security and at most one compression joined by ``+``, in either order.

        Raises:
            ValueError: an unknown part, or a combination that no standard defines.
        """
        security: Security | None = None
        compression: Compression | None = None
        parts = [part.strip().lower() for part in name.split("+")]
        for word in parts:
            if word in _SECURITIES and security is None:
                security = _SECURITIES[word]
            elif word in _COMPRESSIONS and compression is None:
                compression = _COMPRESSIONS[word]
            elif word != "none" or len(parts) > 2:
                raise ValueError(
                    f"unknown configuration {name!r}: known are {', '.join(cls.known_names())}"
                )
        return cls(security or Security.NONE, compression or Compression.NONE)

    @classmethod
    def known_names(cls) -> list[str]:
        """The names of all combinations that may be used."""
        return [
            cls(security, compression).name
            for security in Security
            for compression in Compression
            if (security, compression) not in _REFUSED
        ]


DEFAULT_MATRIX: tuple[Configuration, ...] = (
    Configuration(Security.NONE),
    Configuration(Security.ESP_TUNNEL),
    Configuration(Security.ESP_TUNNEL, Compression.ROHC),
)
"""What a run measures when nothing else is asked for."""
