"""How security associations are used between UE and HSE, beside suite, mode and lifetime.

Sequence numbers of 64 bits are agreed on in the key exchange; the replay window and the padding are
each end's own business. Padding to one size hides lengths from who listens (RFC 4303 section 2.7,
traffic-flow confidentiality), and its octets are paid for over the air.
"""

from __future__ import annotations

from dataclasses import dataclass

import esp

__all__ = ["EspSettings"]

_PADDED = {
    esp.Mode.TUNNEL: (esp.NEXT_HEADER_IPV4, esp.NEXT_HEADER_IPV6),
    esp.Mode.TRANSPORT: (esp.NEXT_HEADER_UDP,),
}
"""What states its own length, by mode, so that the receiver finds its end among padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EspSettings:
    """One end's settings of its associations."""

    esn: bool = False
    """Sequence numbers of 64 bits: what a UE offers. An HSE takes either."""
    replay_window: int = 64
    """Packets that may come late and still be accepted, 32 to 4096."""
    pad_to: int = 0
    """Payloads of ESP (tunnel mode: inner packets, transport mode: datagrams) with fewer octets are
    filled up to so many; longer ones go as they are."""

    keepalive_s: float | None = None
    """A UE sends a NAT keepalive (RFC 3948 section 4) when it has sent nothing else for so many
    seconds; none sends none."""

    def __post_init__(self) -> None:
        if not 32 <= self.replay_window <= 4096:
            raise ValueError(f"a replay window has 32 to 4096 packets, not {self.replay_window}")
        if not 0 <= self.pad_to <= 65535:
            raise ValueError(f"a payload can't be padded to {self.pad_to} octets: 0 to 65535")
        if self.keepalive_s is not None and self.keepalive_s < 1:
            raise ValueError(f"a keepalive every {self.keepalive_s} s: 1 or more")

    def protect(self, outbound: esp.OutboundAssociation, payload: bytes, next_header: int) -> bytes:
        """The ESP packet of a payload, padded where it has to be and can.

        What does not state its own length (a ROHC packet) can't be told from padding and has none.
        Raises what :meth:`esp.OutboundAssociation.protect` raises.
        """
        if len(payload) < self.pad_to and next_header in _PADDED[outbound.mode]:
            return outbound.protect_padded(payload, next_header, self.pad_to)
        return outbound.protect(payload, next_header)
