"""What a packet costs on the air, and what the network's own header compression would do to it.

Modelled, both of them, and said wherever they are shown: no module tells.

*Transport blocks.* The packet with its NAS header, cut into NPUSCH blocks of TS 36.213 as a network
schedules them at each coverage enhancement level (``firmware_bridge.virtual.COVERAGE_LEVELS``).

*The outer headers under ROHC.* The network may compress what we send: PDCP between module and base
station (TS 36.323), or the control plane's own between module and MME (TS 24.301). ESP's payload
is noise to it, so all that it can take away are the outer IP and UDP headers. Our codec is its
shadow: profile 2 over the flow of the module's socket, as RFC 3095 has it, with an IP-ID that
counts and a UDP checksum. Two figures, since networks differ in when contexts end:

=============  ===========================================================================
``continued``  the context lives on between connections (control plane optimisation)
``anew``       each radio connection begins with a new one (user plane without continuation)
=============  ===========================================================================
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache, lru_cache

import rohc
from esp.checksum import internet_checksum
from firmware_bridge.virtual import COVERAGE_LEVELS, NAS_OVERHEAD_BYTES, uplink_blocks

__all__ = ["OUTER_BYTES", "AirMeans", "AirTally", "OuterShadow", "SocketFlow", "npusch_blocks"]

OUTER_BYTES = 28
"""IPv4 and UDP headers that the module's socket puts around a packet."""
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_DEVICE, _HSE = bytes((10, 0, 0, 1)), bytes((192, 0, 2, 1))


@lru_cache(maxsize=4096)
def npusch_blocks(packet_bytes: int) -> tuple[int, int, int]:
    """NPUSCH transport blocks of one uplink packet at coverage levels 0, 1 and 2, modelled.

    Args:
        packet_bytes: size of the outer IP packet.
    """
    size = packet_bytes + NAS_OVERHEAD_BYTES
    zero, one, two = (len(uplink_blocks(size, level)) for level in COVERAGE_LEVELS)
    return zero, one, two


class OuterShadow:
    """One direction of a socket's flow, its outer headers compressed by our own codec.

    Args:
        uplink: from the device; else towards it.
    """

    def __init__(self, *, uplink: bool = True) -> None:
        self._ends = (_DEVICE, _HSE, 49152, 4500) if uplink else (_HSE, _DEVICE, 4500, 49152)
        self._identification = 0
        self._compressor: rohc.Compressor | None = None
        self._first: bytes | None = None

    def begin_anew(self) -> None:
        """The context is gone: what comes next sets another one up."""
        self._compressor = self._first = None

    def header_bytes(self, packet_bytes: int) -> int:
        """What is left of the 28 octets of outer IP and UDP header, modelled.

        Args:
            packet_bytes: size of the outer IP packet, at least 28.
        """
        packet = self._packet(packet_bytes)
        if self._compressor is None:
            if self._first is None:  # often it is also the context's last packet
                self._first = packet
                return _first_header_bytes()
            self._compressor = _compressor()
            self._compressor.compress(self._first)
        return len(self._compressor.compress(packet)) - (packet_bytes - OUTER_BYTES)

    def _packet(self, packet_bytes: int) -> bytes:
        source, destination, source_port, destination_port = self._ends
        self._identification = self._identification + 1 & 0xFFFF
        header = _IPV4.pack(
            0x45, 0, packet_bytes, self._identification, 0, 64, 17, 0, source, destination
        )
        checksum = internet_checksum(header).to_bytes(2, "big")
        # A UDP checksum that is there, whatever it is: it goes along as it stands.
        udp = _UDP.pack(source_port, destination_port, packet_bytes - 20, 0xBEEF)
        return header[:10] + checksum + header[12:] + udp + bytes(packet_bytes - OUTER_BYTES)


def _compressor() -> rohc.Compressor:
    return rohc.Compressor(rohc.Channel(), mode="U", first_sn=0)


@cache
def _first_header_bytes() -> int:
    """The header of a context's first packet: the same whatever it carries."""
    packet = OuterShadow()._packet(OUTER_BYTES + 1)
    return len(_compressor().compress(packet)) - 1


class SocketFlow:
    """The outer flow of one socket under the network's ROHC, both ways of keeping contexts."""

    def __init__(self) -> None:
        self._continued = OuterShadow()
        self._anew = OuterShadow()

    def uplink(self, packet_bytes: int, *, new_connection: bool) -> tuple[int, int]:
        """Outer header octets of the next uplink packet: contexts continued, and anew.

        Args:
            packet_bytes: size of the outer IP packet, at least 28.
            new_connection: whether the radio had to connect for it.
        """
        if new_connection:
            self._anew.begin_anew()
        return (
            self._continued.header_bytes(packet_bytes),
            self._anew.header_bytes(packet_bytes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AirMeans:
    """Modelled means per uplink message."""

    messages: int
    """How many messages they are over."""
    blocks: tuple[float, float, float]
    """NPUSCH transport blocks at coverage levels 0, 1 and 2."""
    outer_continued_bytes: float
    """Outer headers, compressed by the network, where contexts live on between connections; 0 where
    nothing had any."""
    outer_anew_bytes: float
    """The same where each connection begins a new context."""

    def to_json(self) -> dict[str, object]:
        """All fields by name; ``kind`` says that they are modelled."""
        return {
            "kind": "modelled",
            "messages": self.messages,
            "npusch_blocks_by_ecl": [round(blocks, 3) for blocks in self.blocks],
            "outer_headers_rohc_continued_bytes": round(self.outer_continued_bytes, 3),
            "outer_headers_rohc_anew_bytes": round(self.outer_anew_bytes, 3),
        }


class AirTally:
    """Collects what uplink messages would cost."""

    def __init__(self) -> None:
        self._messages = 0
        self._blocks = [0, 0, 0]
        self._continued = self._anew = self._with_outer = 0

    def add(self, packet_bytes: int, outer: tuple[int, int]) -> None:
        """Take one uplink packet that was sent.

        Args:
            packet_bytes: size of the outer IP packet.
            outer: what `SocketFlow.uplink` says about it; ``(0, 0)`` of non-IP data, which have no
                outer headers and are in no mean of them.
        """
        self._messages += 1
        self._with_outer += any(outer)
        for level, blocks in enumerate(npusch_blocks(packet_bytes)):
            self._blocks[level] += blocks
        self._continued += outer[0]
        self._anew += outer[1]

    def means(self) -> AirMeans | None:
        """The means; None when nothing was sent."""
        number = self._messages
        if not number:
            return None
        zero, one, two = (blocks / number for blocks in self._blocks)
        return AirMeans(
            messages=number,
            blocks=(zero, one, two),
            outer_continued_bytes=self._continued / max(self._with_outer, 1),
            outer_anew_bytes=self._anew / max(self._with_outer, 1),
        )
