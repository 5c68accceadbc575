"""One cell of the matrix: how a message is protected and whether its headers are compressed.

A name says all of it: ``rohc+esp-tunnel/aes-ccm-8-128`` is ROHC inside tunnel-mode ESP with that
suite of ``esp``'s table. A name without a suite means :data:`DEFAULT_SUITE`, and is the name that
stands in tables and journals for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import esp

__all__ = ["DEFAULT_MATRIX", "DEFAULT_SUITE", "Compression", "Configuration", "Security"]

DEFAULT_SUITE = "aes-gcm-16-128"
"""The suite of ESP where a configuration names none."""


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
        "rohc: nothing is protected; the ROHC packet is all that the module carries to the HSE's "
        "ROHC port."
    ),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """A security and a compression that may be combined.

    Args:
        security: what protects the message.
        compression: what compresses its inner headers.
        suite: name of ESP's suite; none is :data:`DEFAULT_SUITE`, and that one becomes none.

    Raises:
        ValueError: no standard defines the combination, the text says which one rules it out; an
            unknown suite, or one without ESP.
    """

    security: Security
    compression: Compression = Compression.NONE
    suite: str | None = None

    def __post_init__(self) -> None:
        reason = _REFUSED.get((self.security, self.compression))
        if reason is not None:
            raise ValueError(reason)
        if self.suite is None:
            return
        if self.security is Security.NONE:
            raise ValueError(
                f"suite {self.suite!r} without ESP: name a mode, esp-tunnel/{self.suite}"
            )
        if self.suite not in esp.SUITES:
            raise ValueError(f"unknown suite {self.suite!r}: known are {', '.join(esp.SUITES)}")
        if self.suite == DEFAULT_SUITE:
            object.__setattr__(self, "suite", None)  # one configuration, one name

    @property
    def name(self) -> str:
        """The name in tables and journals: ``none``, ``rohc``, ``rohc+esp-tunnel`` and so on."""
        suite = "" if self.suite is None else f"/{self.suite}"
        if self.compression is Compression.NONE:
            return self.security.value + suite
        if self.security is Security.NONE:
            return self.compression.value
        return f"{self.compression.value}+{self.security.value}{suite}"

    @property
    def esp_suite(self) -> esp.Suite | None:
        """The row of the suite table that ESP uses; none without security."""
        if self.security is Security.NONE:
            return None
        return esp.SUITES[self.suite or DEFAULT_SUITE]

    @property
    def note(self) -> str | None:
        """What a reader of the table must know about this configuration, if anything."""
        return _NOTES.get(self.name.partition("/")[0])

    @classmethod
    def parse(cls, name: str) -> Configuration:
        """Read a configuration's name.

        Args:
            name: one security and at most one compression joined by ``+``, in either order; ESP
                may be followed by ``/`` and its suite.

        Raises:
            ValueError: an unknown part, or a combination that no standard defines.
        """
        security: Security | None = None
        compression: Compression | None = None
        before, slash, suite = (part.strip().lower() for part in name.partition("/"))
        parts = [part.strip() for part in before.split("+")]
        for word in _COMPRESSIONS:  # the compression may stand last, and suites have a + as well
            if suite.endswith(f"+{word}"):
                suite = suite.removesuffix(f"+{word}").rstrip()
                parts.append(word)
        for word in parts:
            if word in _SECURITIES and security is None:
                security = _SECURITIES[word]
            elif word in _COMPRESSIONS and compression is None:
                compression = _COMPRESSIONS[word]
            elif word != "none" or len(parts) > 2:
                raise ValueError(
                    f"unknown configuration {name!r}: known are {', '.join(cls.known_names())}"
                )
        return cls(
            security or Security.NONE, compression or Compression.NONE, suite if slash else None
        )

    @classmethod
    def known_names(cls) -> list[str]:
        """The names of all combinations that may be used, each with ESP's default suite."""
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
