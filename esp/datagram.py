"""ESP over whole IP packets: outer headers, tunnel and transport mode, IPv4 and IPv6.

A UE behind an AT command set never builds its outer header, its module does. These functions are
for everything that sees whole packets: a raw IP carrier, captures, peers.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from esp.checksum import internet_checksum, transport_checksum
from esp.encapsulation import UDP_ENCAPSULATION_PORT
from esp.errors import InvalidParameter, MalformedInner, MalformedLocalPacket, NotEsp
from esp.inbound import InboundAssociation, Unprotected
from esp.ip import upper_layer
from esp.layout import NEXT_HEADER_IPV4, NEXT_HEADER_IPV6, Mode
from esp.outbound import OutboundAssociation

__all__ = [
    "IPPROTO_ESP",
    "DontFragment",
    "EspPacket",
    "OuterHeader",
    "find_esp",
    "protect_packet",
    "unprotect_packet",
]

IPPROTO_ESP = 50
_UDP = 17

DontFragment = bool | None
"""The outer DF bit of a tunnel: set, clear, or None to copy it from an inner IPv4 header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OuterHeader:
    """The outer IP header of a tunnel (RFC 4301 section 5.1.2), and its UDP header if there is one.

    DS field and ECN are copied from the inner header; options and extension headers never are.
    """

    source: IPv4Address | IPv6Address
    """Outer source address."""
    destination: IPv4Address | IPv6Address
    """Outer destination address, of the same version."""
    udp_ports: tuple[int, int] | None = None
    """Source and destination port of the UDP encapsulation, None for plain ESP."""
    hop_limit: int = 64
    """TTL or hop limit, 1 to 255."""
    dont_fragment: DontFragment = True
    """The DF bit over IPv4."""

    def __post_init__(self) -> None:
        if self.source.version != self.destination.version:
            raise InvalidParameter("outer source and destination are of different IP versions")
        if not 1 <= self.hop_limit <= 255:
            raise InvalidParameter(f"a hop limit lies from 1 to 255, not {self.hop_limit}")

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.source.version

    def wrap(self, esp: bytes, *, traffic_class: int = 0, inner_df: bool = False) -> bytes:
        """The IP packet that carries an ESP packet.

        Arguments:
            esp: SPI to ICV.
            traffic_class: DS field and ECN together, of the inner header.
            inner_df: the inner DF bit, used when :attr:`dont_fragment` is None.

        Raises :class:`~esp.errors.MalformedLocalPacket` when the result has more than 65535
        octets.
        """
        source, destination = self.source.packed, self.destination.packed
        protocol = IPPROTO_ESP
        if self.udp_ports is not None:
            esp = _udp_header(esp, self.udp_ports, source, destination) + esp
            protocol = _UDP
        df = inner_df if self.dont_fragment is None else self.dont_fragment
        if self.version == 4:
            head = _ipv4_header(
                source, destination, protocol, len(esp), traffic_class, self.hop_limit, df
            )
        else:
            if len(esp) > 0xFFFF:
                raise MalformedLocalPacket("the protected packet exceeds 65535 octets")
            head = (
                (6 << 28 | traffic_class << 20).to_bytes(4, "big")
                + len(esp).to_bytes(2, "big")
                + bytes((protocol, self.hop_limit))
                + source
                + destination
            )
        return head + esp


@dataclass(frozen=True, slots=True, kw_only=True)
class EspPacket:
    """An IP packet taken apart around its ESP packet."""

    head: bytes
    """IP header with options or extension headers, as received."""
    esp: bytes
    """SPI to ICV."""
    protocol_at: int
    """Offset in ``head`` of the octet that names the next protocol."""
    udp_encapsulated: bool
    """Whether a UDP header stood in between."""

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.head[0] >> 4


def _ipv4_header(
    source: bytes,
    destination: bytes,
    protocol: int,
    payload_bytes: int,
    traffic_class: int,
    ttl: int,
    df: bool,
) -> bytes:
    """An IPv4 header without options. Identification is 0: see RFC 6864 for packets with DF."""
    if payload_bytes > 0xFFFF - 20:
        raise MalformedLocalPacket("the protected packet exceeds 65535 octets")
    head = (
        bytes((0x45, traffic_class))
        + (20 + payload_bytes).to_bytes(2, "big")
        + b"\0\0"
        + (b"\x40\0" if df else b"\0\0")
        + bytes((ttl, protocol))
    )
    checksum = internet_checksum(head + source + destination)
    return head + checksum.to_bytes(2, "big") + source + destination


def _udp_header(esp: bytes, ports: tuple[int, int], source: bytes, destination: bytes) -> bytes:
    """The UDP header in front of ESP: checksum 0 over IPv4 (RFC 3948 2.1), computed over IPv6."""
    if len(esp) + 8 > 0xFFFF:
        raise MalformedLocalPacket("the protected packet exceeds 65535 octets")
    head = b"".join(n.to_bytes(2, "big") for n in (*ports, 8 + len(esp)))
    if len(source) == 4:
        return head + b"\0\0"
    value = transport_checksum(source, destination, _UDP, head + b"\0\0" + esp)
    return head + value.to_bytes(2, "big")


def _rebuilt(packet: bytes, protocol_at: int, start: int, protocol: int, payload: bytes) -> bytes:
    """The same IP header in front of another payload: protocol, length and checksum follow."""
    head = bytearray(packet[:start])
    head[protocol_at] = protocol
    if head[0] >> 4 == 4:
        if start + len(payload) > 0xFFFF:
            raise MalformedLocalPacket("the protected packet exceeds 65535 octets")
        head[2:4] = (start + len(payload)).to_bytes(2, "big")
        head[10:12] = b"\0\0"
        head[10:12] = internet_checksum(bytes(head)).to_bytes(2, "big")
    else:
        if start - 40 + len(payload) > 0xFFFF:
            raise MalformedLocalPacket("the protected packet exceeds 65535 octets")
        head[4:6] = (start - 40 + len(payload)).to_bytes(2, "big")
    return bytes(head) + payload


def protect_packet(
    association: OutboundAssociation, packet: bytes, outer: OuterHeader | None = None
) -> bytes:
    """The IP packet that carries a whole IP packet protected.

    Tunnel mode: ``packet`` is the inner packet and goes whole into the ESP payload, behind the
    ``outer`` header, which is required. Transport mode: what follows the IP header (and those
    extension headers that stay in front) goes into ESP, the header itself stays; ``outer`` gives
    nothing but the UDP ports, and may be None.

    Raises :class:`~esp.errors.MalformedLocalPacket` for a packet that is not what its header says
    or is a fragment in transport mode (RFC 4303 section 3.3.4), and
    :class:`~esp.errors.InvalidParameter` without an outer header in tunnel mode.
    """
    try:
        protocol, at, start, fragment, _ = upper_layer(packet, for_esp=True)
    except MalformedInner as error:
        raise MalformedLocalPacket(str(error)) from None
    if association.mode is Mode.TUNNEL:
        if outer is None:
            raise InvalidParameter("tunnel mode needs an outer header")
        if packet[0] >> 4 == 4:
            esp = association.protect(packet, NEXT_HEADER_IPV4)
            return outer.wrap(esp, traffic_class=packet[1], inner_df=bool(packet[6] & 0x40))
        esp = association.protect(packet, NEXT_HEADER_IPV6)
        return outer.wrap(esp, traffic_class=(packet[0] << 4 | packet[1] >> 4) & 0xFF)
    if fragment:
        raise MalformedLocalPacket("transport mode protects whole datagrams, not fragments")
    esp = association.protect(packet[start:], protocol)
    protocol = IPPROTO_ESP
    if outer is not None and outer.udp_ports is not None:
        half = 4 if packet[0] >> 4 == 4 else 16
        begin = 12 if half == 4 else 8
        source, destination = packet[begin : begin + half], packet[begin + half :][:half]
        esp = _udp_header(esp, outer.udp_ports, source, destination) + esp
        protocol = _UDP
    return _rebuilt(packet, at, start, protocol, esp)


def find_esp(packet: bytes, *, udp_port: int | None = UDP_ENCAPSULATION_PORT) -> EspPacket:
    """Take an IP packet apart around its ESP packet, plain or behind UDP.

    ``udp_port`` is the encapsulation port, on either side; None takes plain ESP only. Raises
    :class:`~esp.errors.NotEsp` for everything else, fragments included.
    """
    try:
        protocol, at, start, fragment, _ = upper_layer(packet)
    except MalformedInner as error:
        raise NotEsp(str(error)) from None
    if fragment:
        raise NotEsp("a fragment: reassemble before ESP")
    body = packet[start:]
    if protocol == _UDP and udp_port is not None and len(body) >= 8:
        port = udp_port.to_bytes(2, "big")
        length = body[4] << 8 | body[5]
        if port not in (body[0:2], body[2:4]) or not 8 <= length <= len(body):
            raise NotEsp("a UDP datagram that carries no ESP")
        body = body[8:length]
        if len(body) < 8 or body[:4] == b"\0\0\0\0":
            raise NotEsp("a keepalive or a message, not ESP")
        return EspPacket(head=packet[:start], esp=body, protocol_at=at, udp_encapsulated=True)
    if protocol != IPPROTO_ESP:
        raise NotEsp("an IP packet that carries no ESP")
    return EspPacket(head=packet[:start], esp=body, protocol_at=at, udp_encapsulated=False)


def unprotect_packet(
    association: InboundAssociation, packet: bytes, *, udp_port: int | None = UDP_ENCAPSULATION_PORT
) -> tuple[bytes, Unprotected]:
    """Open a whole IP packet: the packet that was protected, and what ESP said about it.

    Tunnel mode gives the inner packet, with Congestion Experienced carried over from the outer
    header (RFC 4301 section 5.1.2.1 note 6); a dummy or a ROHC packet gives its payload as it is.
    Transport mode gives the IP header back in front of the payload; the checksum inside is
    repaired by :mod:`esp.checksum` where a NAT stood in between. Raises PacketRejected.
    """
    found = find_esp(packet, udp_port=udp_port)
    opened = association.unprotect(found.esp)
    if association.mode is Mode.TRANSPORT:
        if opened.is_dummy:
            return opened.payload, opened
        return (
            _rebuilt(
                found.head, found.protocol_at, len(found.head), opened.next_header, opened.payload
            ),
            opened,
        )
    head = found.head
    outer_ecn = (head[1] if found.version == 4 else head[1] >> 4) & 3
    if outer_ecn == 3 and opened.next_header in (NEXT_HEADER_IPV4, NEXT_HEADER_IPV6):
        return _congestion_experienced(opened.payload), opened
    return opened.payload, opened


def _congestion_experienced(inner: bytes) -> bytes:
    """The inner packet with ECN set to CE if its transport is ECN-capable."""
    data = bytearray(inner)
    if inner[0] >> 4 == 4:
        if data[1] & 3 in (1, 2):
            data[1] |= 3
            size = (data[0] & 15) * 4
            data[10:12] = b"\0\0"
            data[10:12] = internet_checksum(bytes(data[:size])).to_bytes(2, "big")
    elif data[1] >> 4 & 3 in (1, 2):
        data[1] |= 0x30
    return bytes(data)
