"""Which octets of the original header a CRC covers, and in which order (RFC 3095 section 5.9.2).

First all CRC-STATIC octets in their order, then all CRC-DYNAMIC octets in theirs, so that the state
after the static ones can be kept while they do not change.
"""

from __future__ import annotations

from rohc.headers.chain import Headers, Transport
from rohc.headers.extension import crc_parts, wire_octets

__all__ = ["in_crc_order"]


def in_crc_order(headers: Headers, raw: bytes) -> tuple[bytes, bytes]:
    """The CRC-STATIC and the CRC-DYNAMIC octets of the chain whose octets are `raw`."""
    static: list[bytes] = []
    dynamic: list[bytes] = []
    at = 0
    for level in headers.levels:
        if level.version == 4:
            # RFC 3095 5.7.7.4: Total Length, Identification and Header Checksum are dynamic.
            static += (raw[at : at + 2], raw[at + 6 : at + 10], raw[at + 12 : at + 20])
            dynamic += (raw[at + 2 : at + 6], raw[at + 10 : at + 12])
            at += 20
        else:
            # RFC 3095 5.7.7.3: Payload Length is dynamic.
            static += (raw[at : at + 4], raw[at + 6 : at + 40])
            dynamic.append(raw[at + 4 : at + 6])
            at += 40
        for extension in level.extensions:
            octets = wire_octets(extension)
            fixed, varying = crc_parts(extension, raw[at : at + octets])
            static.append(fixed)
            dynamic.append(varying)
            at += octets
    if headers.transport != Transport.NONE:
        # RFC 3095 5.7.7.5 and 5.7.7.7, RFC 4019 5.2.1: the second half is dynamic.
        static.append(raw[at : at + 4])
        dynamic.append(raw[at + 4 : at + 8])
        at += 8
    if headers.has_rtp:
        # RFC 3095 5.7.7.6: octets 2 to 8 are dynamic.
        static += (raw[at : at + 1], raw[at + 8 :])
        dynamic.append(raw[at + 1 : at + 8])
    return b"".join(static), b"".join(dynamic)
