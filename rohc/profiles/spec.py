"""What a profile with compressed headers is made of, and its IR and IR-DYN chains.

A `Spec` is data with two pairs of functions: the static and the dynamic chain, written and read
from the figures in `rohc.formats.parts`.
"""

from __future__ import annotations

from rohc.channel import Profile
from rohc.encoding import sdvl
from rohc.encoding.lists import (
    ListState,
    csrc_length,
    read_list,
    write_generic,
)
from rohc.errors import MalformedPacket
from rohc.formats import parts
from rohc.headers.chain import Headers, IpHeader, Transport
from rohc.headers.extension import item_octets

__all__ = ["Spec"]

_LEVELS_MAX = 40
_ENDS_CHAIN = 0x8


class Spec:
    """A profile of the RFC 3095 family.

    Args:
        number: its registered number.
        section: where it is defined.
        transport: what its header chain ends with.
        has_rtp: whether an RTP header follows.
        own_sn: the compressor makes the sequence number, which then never repeats or goes back
            (p = -1, RFC 3095 section 5.11).
        sn_mask: the modulus of the sequence number less one.
        levels_max: how many IP headers its compressed headers cover.
        static_id: whether it has the SID flag for a constant IP-ID (RFC 3843 section 3.3).
    """

    def __init__(
        self,
        *,
        number: Profile,
        section: str,
        transport: Transport,
        has_rtp: bool,
        own_sn: bool,
        sn_mask: int,
        levels_max: int,
        static_id: bool = False,
    ) -> None:
        self.number = number
        self.section = section
        self.transport = transport
        self.has_rtp = has_rtp
        self.own_sn = own_sn
        self.sn_mask = sn_mask
        self.levels_max = levels_max
        self.static_id = static_id
        self.checksummed = transport in (Transport.UDP, Transport.UDP_LITE)

    def sn_shift(self, k: int) -> int:
        """The p of the sequence number's interpretation interval with k bits."""
        if self.own_sn:
            return -1
        return 1 if k <= 4 else (1 << (k - 5)) - 1

    # The static chain ---------------------------------------------------------------------

    def write_static_chain(self, headers: Headers) -> bytes:
        """The static chain of an IR packet (RFC 3095 section 5.7.7.1)."""
        chain = [_write_ip_static(level) for level in headers.levels]
        if self.transport == Transport.ESP:
            chain.append(parts.ESP_STATIC.pack(headers.spi))
        elif self.transport != Transport.NONE:
            ports = (headers.source_port, headers.destination_port)
            chain.append(parts.UDP_STATIC.pack(*ports))
        if self.has_rtp:
            chain.append(parts.RTP_STATIC.pack(headers.ssrc))
        return b"".join(chain)

    def read_static_chain(self, data: bytes, at: int) -> tuple[Headers, int]:
        """A header chain with its static fields, and the offset behind the static chain.

        Raises:
            MalformedPacket: the chain is cut short or does not end as the profile demands.
        """
        headers = Headers()
        while True:
            level, at = _read_ip_static(data, at)
            headers.levels.append(level)
            if level.ends_chain or level.protocol not in (4, 41):
                break
            if len(headers.levels) >= _LEVELS_MAX:
                raise MalformedPacket("a static chain has too many IP headers")
        headers.transport = self.transport
        if self.transport != Transport.NONE and level.protocol != self.transport:
            # RFC 3095 section 5.7.7.2: the chain MUST end with the profile's own header.
            raise MalformedPacket(f"the static chain does not end as profile {self.number} demands")
        if level.ends_chain and self.number != Profile.IP:
            raise MalformedPacket("only profile 0x0004 ends a static chain at a chosen header")
        if self.transport == Transport.ESP:
            (headers.spi,) = parts.ESP_STATIC.unpack(data, at)
            at += 4
        elif self.transport != Transport.NONE:
            headers.source_port, headers.destination_port = parts.UDP_STATIC.unpack(data, at)
            at += 4
        if self.has_rtp:
            headers.has_rtp = True
            (headers.ssrc,) = parts.RTP_STATIC.unpack(data, at)
            at += 4
        return headers, at

    # The dynamic chain --------------------------------------------------------------------

    def write_dynamic_chain(self, headers: Headers, mode: int) -> bytes:
        """The dynamic chain of an IR or IR-DYN packet (RFC 3095 section 5.7.7)."""
        chain = [write_ip_dynamic(level) for level in headers.levels]
        if self.transport == Transport.ESP:
            chain.append(parts.ESP_DYNAMIC.pack(headers.sequence))
        elif self.transport == Transport.UDP:
            chain.append(parts.UDP_DYNAMIC.pack(headers.checksum))
        elif self.transport == Transport.UDP_LITE:
            chain.append(parts.UDP_LITE_DYNAMIC.pack(headers.coverage, headers.checksum))
        if self.has_rtp:
            chain.append(_write_rtp_dynamic(headers, mode))
        if self.own_sn:
            chain.append(parts.IP_DYNAMIC_END.pack(headers.sn))
        return b"".join(chain)

    def read_dynamic_chain(
        self, data: bytes, at: int, headers: Headers, lists: list[ListState]
    ) -> tuple[int, int]:
        """Put the dynamic fields at offset `at` into `headers`.

        Args:
            data: the ROHC packet.
            at: where the chain begins.
            headers: the chain whose static fields are known; changed in place.
            lists: one state per IP header and, with RTP, one for the CSRC list; changed in place.

        Returns:
            The offset behind the chain, and the Mode field (0 when it is not there).

        Raises:
            MalformedPacket: the chain is cut short.
        """
        mode = 0
        for level, state in zip(headers.levels, lists, strict=False):
            at = read_ip_dynamic(data, at, level, state)
        if self.transport == Transport.ESP:
            (headers.sequence,) = parts.ESP_DYNAMIC.unpack(data, at)
            headers.sn = headers.sequence
            at += 4
        elif self.transport == Transport.UDP:
            (headers.checksum,) = parts.UDP_DYNAMIC.unpack(data, at)
            at += 2
        elif self.transport == Transport.UDP_LITE:
            headers.coverage, headers.checksum = parts.UDP_LITE_DYNAMIC.unpack(data, at)
            at += 4
        if self.has_rtp:
            at, mode = _read_rtp_dynamic(data, at, headers, lists[-1])
        if self.own_sn:
            (headers.sn,) = parts.IP_DYNAMIC_END.unpack(data, at)
            at += 2
        return at, mode

    def read_rtp_dynamic_end(self, data: bytes, at: int, headers: Headers, csrcs: ListState) -> int:
        """The offset behind the RTP dynamic part at offset `at`; for explaining."""
        return _read_rtp_dynamic(data, at, headers, csrcs)[0]


def _write_ip_static(level: IpHeader) -> bytes:
    version = level.version | (_ENDS_CHAIN if level.ends_chain else 0)
    if level.version == 4:
        return parts.IPV4_STATIC.pack(version, level.protocol, level.source, level.destination)
    return parts.IPV6_STATIC.pack(
        version, level.flow_label, level.protocol, level.source, level.destination
    )


def _read_ip_static(data: bytes, at: int) -> tuple[IpHeader, int]:
    if at >= len(data):
        raise MalformedPacket("the static chain is cut short")
    version = data[at] >> 4
    level = IpHeader(version & ~_ENDS_CHAIN)
    level.ends_chain = bool(version & _ENDS_CHAIN)
    if level.version == 4:
        _, level.protocol, level.source, level.destination = parts.IPV4_STATIC.unpack(data, at)
        return level, at + parts.IPV4_STATIC.octets
    if level.version == 6:
        values = parts.IPV6_STATIC.unpack(data, at)
        _, level.flow_label, level.protocol, level.source, level.destination = values
        return level, at + parts.IPV6_STATIC.octets
    raise MalformedPacket(f"IP version {version} in a static chain")


def write_ip_dynamic(level: IpHeader) -> bytes:
    """The dynamic part of one IP header (RFC 3095 sections 5.7.7.3 and 5.7.7.4)."""
    items = write_generic(level.extensions)
    if level.version == 6:
        return parts.IPV6_DYNAMIC.pack(level.tos, level.ttl) + items
    fixed = parts.IPV4_DYNAMIC.pack(
        level.tos, level.ttl, level.identification, level.df, level.rnd, level.nbo, level.sid
    )
    return fixed + items


def read_ip_dynamic(data: bytes, at: int, level: IpHeader, state: ListState) -> int:
    """Put the dynamic part of one IP header into `level`; returns the offset behind it."""
    if level.version == 6:
        level.tos, level.ttl = parts.IPV6_DYNAMIC.unpack(data, at)
        at += parts.IPV6_DYNAMIC.octets
    else:
        values = parts.IPV4_DYNAMIC.unpack(data, at)
        level.tos, level.ttl, level.identification, level.df = values[:4]
        level.rnd, level.nbo, level.sid = values[4:]
        at += parts.IPV4_DYNAMIC.octets
    level.extensions, at = read_list(data, at, state, item_octets)
    return at


def _write_rtp_dynamic(headers: Headers, mode: int) -> bytes:
    explicit = headers.explicit_stride
    stride = explicit or headers.ts_stride != 1
    time_stride = explicit or headers.time_stride > 0
    extended = bool(headers.extension or stride or time_stride or mode > 1)
    fixed = parts.RTP_DYNAMIC.pack(
        headers.rtp_version,
        headers.padding,
        extended,
        len(headers.csrcs),
        headers.marker,
        headers.payload_type,
        headers.sequence,
        headers.timestamp,
    )
    items = write_generic(tuple(csrc.to_bytes(4, "big") for csrc in headers.csrcs))
    if not extended:
        return fixed + items
    end = parts.RTP_DYNAMIC_EXTENSION.pack(0, headers.extension, mode, time_stride, stride)
    if stride:
        end += sdvl.encode(headers.ts_stride)
    if time_stride:
        end += sdvl.encode(headers.time_stride)
    return fixed + items + end


def _read_rtp_dynamic(data: bytes, at: int, headers: Headers, csrcs: ListState) -> tuple[int, int]:
    values = parts.RTP_DYNAMIC.unpack(data, at)
    at += parts.RTP_DYNAMIC.octets
    headers.rtp_version, headers.padding, extended, _, headers.marker, headers.payload_type = (
        values[:6]
    )
    headers.sequence, headers.timestamp = values[6:]
    headers.sn = headers.sequence
    items, at = read_list(data, at, csrcs, csrc_length)
    headers.csrcs = tuple(int.from_bytes(item, "big") for item in items)
    headers.extension = 0
    mode = 0
    if extended:
        values = parts.RTP_DYNAMIC_EXTENSION.unpack(data, at)
        at += 1
        _, headers.extension, mode, time_stride_present, stride_present = values
        if stride_present:
            headers.ts_stride, at = sdvl.decode(data, at)
        if time_stride_present:
            headers.time_stride, at = sdvl.decode(data, at)
    if headers.ts_stride:
        headers.ts_offset = headers.timestamp % headers.ts_stride
    return at, mode
