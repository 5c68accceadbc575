"""Whether the UDP checksum of a packet is right, and whether that says anything.

The checksum covers the addresses, the ports, the length and the payload, and with RTP the whole RTP
header (RFC 768, RFC 8200 section 8.1; RFC 3828 for UDP-Lite). It may be wrong in the source packet
already, and must then come out wrong. So each context keeps a record: only where the flow's
checksums have been right so far does a decompressor take a wrong one for a sign of wrong headers.
"""

from __future__ import annotations

from rohc.headers.chain import Headers, Transport

__all__ = ["CEILING", "HELD_COST", "TRUSTED", "noted", "right_in", "right_in_packet"]

TRUSTED = 4
"""From this record on, a wrong checksum counts: so many right ones in a row at the beginning."""
CEILING = 16
"""The best record."""
FLOOR = -16
"""The worst: a flow whose checksums are wrong now and then never gets out of it."""
WRONG_COST = 8
"""What a wrong checksum in a packet that was delivered takes off the record."""
HELD_COST = 4
"""What a packet held back takes off: at most four in a row are, should the source be wrong."""


def noted(record: int, right: bool) -> int:
    """The record after a packet was delivered whose checksum is right, or is not."""
    if right:
        return record + 1 if record < CEILING else CEILING
    return max(record - WRONG_COST, FLOOR)


def right_in(headers: Headers, raw: bytes, payload: bytes) -> bool | None:
    """Whether the checksum is right; None when there is none.

    Args:
        headers: the headers.
        raw: their octets.
        payload: what follows them.
    """
    if not headers.checksum or headers.transport not in (Transport.UDP, Transport.UDP_LITE):
        return None
    level = headers.levels[-1]
    datagram = raw[len(raw) - headers.transport_octets :] + payload
    length = len(datagram)
    if headers.transport == Transport.UDP_LITE and headers.coverage:
        if not 8 <= headers.coverage <= length:
            return False
        datagram = datagram[: headers.coverage]
    addresses = level.source + level.destination
    return _sums_up(addresses + headers.transport + length, datagram)


def right_in_packet(packet: bytes) -> bool | None:
    """The same for a whole UDP packet with one IP header and no extension headers."""
    if packet[0] == 0x45:
        addresses, datagram = packet[12:20], packet[20:]
    else:
        addresses, datagram = packet[8:40], packet[40:]
    if datagram[6:8] == b"\x00\x00":
        return None
    return _sums_up(int.from_bytes(addresses, "big") + 17 + len(datagram), datagram)


def _sums_up(pseudo_header: int, datagram: bytes) -> bool:
    """The one's complement sum is a remainder modulo 0xFFFF (RFC 1071)."""
    value = int.from_bytes(datagram, "big")
    if len(datagram) & 1:
        value <<= 8
    return (value + pseudo_header) % 0xFFFF == 0
