"""The records of a header chain: IP headers from the outermost inwards, then one transport.

They are plain mutable records with slots: one stands in every context, and one is made for every
packet off the hot path. Fields have the values of the wire, as unsigned integers.
"""

from __future__ import annotations

from enum import IntEnum

from rohc.headers.extension import wire_octets

__all__ = ["Headers", "IpHeader", "Transport"]


class Transport(IntEnum):
    """What ends the chain, by its IP protocol number."""

    NONE = -1
    """nothing: the payload begins behind the last IP header"""
    UDP = 17
    ESP = 50
    UDP_LITE = 136


class IpHeader:
    """One IPv4 or IPv6 header with its extension headers.

    Attributes:
        version: 4 or 6.
        tos: Type of Service or Traffic Class, 0 to 255.
        ttl: Time to Live or Hop Limit, 0 to 255.
        protocol: what follows the extension headers in the chain.
        source, destination: addresses as integers.
        flow_label: IPv6 only.
        identification, df: IPv4 only; IP-ID and the Don't Fragment bit.
        extensions: extension headers in order, each with its own type as first octet in place of
            its Next Header field (RFC 3095 section 5.8.4.1).
        nbo, rnd, sid: how the IP-ID is compressed (RFC 3095 4.5.5, RFC 3843 3.3). Not on the wire
            of the original packet.
        ends_chain: the static chain of profile 0x0004 ends here although an IP header follows.
    """

    __slots__ = (
        "destination",
        "df",
        "ends_chain",
        "extensions",
        "flow_label",
        "identification",
        "nbo",
        "protocol",
        "rnd",
        "sid",
        "source",
        "tos",
        "ttl",
        "version",
    )

    def __init__(self, version: int) -> None:
        self.version = version
        self.tos = 0
        self.ttl = 0
        self.protocol = 0
        self.source = 0
        self.destination = 0
        self.flow_label = 0
        self.identification = 0
        self.df = 0
        self.extensions: tuple[bytes, ...] = ()
        self.nbo = 1
        self.rnd = 0
        self.sid = 0
        self.ends_chain = False

    def copy(self) -> IpHeader:
        """A second record with the same values."""
        other = IpHeader(self.version)
        other.tos = self.tos
        other.ttl = self.ttl
        other.protocol = self.protocol
        other.source = self.source
        other.destination = self.destination
        other.flow_label = self.flow_label
        other.identification = self.identification
        other.df = self.df
        other.extensions = self.extensions
        other.nbo = self.nbo
        other.rnd = self.rnd
        other.sid = self.sid
        other.ends_chain = self.ends_chain
        return other

    @property
    def octets(self) -> int:
        """The header's size with its extension headers."""
        base = 20 if self.version == 4 else 40
        return base + sum(wire_octets(extension) for extension in self.extensions)


class Headers:
    """A header chain.

    Attributes:
        levels: the IP headers, outermost first.
        transport: what ends the chain.
        has_rtp: an RTP header follows the UDP or UDP-Lite header.
        source_port, destination_port, checksum: UDP and UDP-Lite.
        coverage: UDP-Lite's checksum coverage as it stands in the header.
        spi: ESP's Security Parameters Index.
        sequence: the sequence number of ESP (32 bits) or RTP (16 bits).
        rtp_version: 2; another one only where a peer's dynamic chain says so.
        timestamp, ssrc, csrcs, padding, extension, marker, payload_type: RTP.
        size: octets of the whole chain in the original packet.
        payload_octets: octets behind the chain.

    What a context keeps besides the fields of the original headers:
        sn: the sequence number that compressed headers carry; RTP's, ESP's, or the compressor's.
        ts_stride, ts_offset, time_stride: RTP timestamp coding (RFC 3095 4.5.3 and 4.5.4).
        checksum_present: context(UDP Checksum) is not zero (RFC 3095 section 5.7).
        explicit_stride: IR and IR-DYN are to give the strides even if they have their initial
            values. Not copied.
        cfp, cfi: UDP-Lite coverage field present, and inferred (RFC 4019 section 5.1).
        coverage_kept: the context's checksum coverage, for packets that carry none.
        cce: which CCE packet type this packet has (5.3.2): 0 none, 1 CCE(), 2 CCE(ON), 3 CCE(OFF).
            Not copied.
    """

    __slots__ = (
        "cce",
        "cfi",
        "cfp",
        "checksum",
        "checksum_present",
        "coverage",
        "coverage_kept",
        "csrcs",
        "destination_port",
        "explicit_stride",
        "extension",
        "has_rtp",
        "levels",
        "marker",
        "padding",
        "payload_octets",
        "payload_type",
        "rtp_version",
        "sequence",
        "size",
        "sn",
        "source_port",
        "spi",
        "ssrc",
        "time_stride",
        "timestamp",
        "transport",
        "ts_offset",
        "ts_stride",
    )

    def __init__(self) -> None:
        self.levels: list[IpHeader] = []
        self.transport = Transport.NONE
        self.has_rtp = False
        self.source_port = 0
        self.destination_port = 0
        self.checksum = 0
        self.coverage = 0
        self.spi = 0
        self.sequence = 0
        self.rtp_version = 2
        self.timestamp = 0
        self.ssrc = 0
        self.csrcs: tuple[int, ...] = ()
        self.padding = 0
        self.extension = 0
        self.marker = 0
        self.payload_type = 0
        self.size = 0
        self.payload_octets = 0
        self.sn = 0
        self.ts_stride = 1
        self.explicit_stride = False
        self.ts_offset = 0
        self.time_stride = 0
        self.checksum_present = False
        self.cfp = False
        self.cfi = False
        self.coverage_kept = 0
        self.cce = 0

    def copy(self) -> Headers:
        """A second record with the same values, its IP headers copied too."""
        other = Headers()
        other.levels = [level.copy() for level in self.levels]
        other.transport = self.transport
        other.has_rtp = self.has_rtp
        other.source_port = self.source_port
        other.destination_port = self.destination_port
        other.checksum = self.checksum
        other.coverage = self.coverage
        other.spi = self.spi
        other.sequence = self.sequence
        other.rtp_version = self.rtp_version
        other.timestamp = self.timestamp
        other.ssrc = self.ssrc
        other.csrcs = self.csrcs
        other.padding = self.padding
        other.extension = self.extension
        other.marker = self.marker
        other.payload_type = self.payload_type
        other.size = self.size
        other.payload_octets = self.payload_octets
        other.sn = self.sn
        other.ts_stride = self.ts_stride
        other.ts_offset = self.ts_offset
        other.time_stride = self.time_stride
        other.checksum_present = self.checksum_present
        other.cfp = self.cfp
        other.cfi = self.cfi
        other.coverage_kept = self.coverage_kept
        return other

    @property
    def transport_octets(self) -> int:
        """The size of what follows the IP headers."""
        if self.transport == Transport.NONE:
            return 0
        return 8 + (12 + 4 * len(self.csrcs) if self.has_rtp else 0)
