"""The layers of the UE's stack.

A layer maps a packet down towards the wire and up again, and counts its octets by the layers of
`testbed.analysis.bytes`. A stack is a list of them; another way to protect or compress a message
is another layer, not another program.

========================  =================================================================
layer                     down
========================  =================================================================
`InnerPackets`            the device's IP packet as it is (tunnel mode, ROHC)
`InnerDatagrams`          its UDP datagram, summed over the carrier's addresses (transport mode)
`Payloads`                its payload alone (the module writes every header)
`Compression`             ROHC over the inner headers
`CompressionInTunnel`     the same, inside ESP
`Protection`              ESP
`ModuleDatagrams`         the UDP and IP header that the module writes around it, if any
========================  =================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import esp
import rohc
from esp.errors import AssociationEnded, DecompressionFailed, InvalidParameter, SequenceExhausted
from esp.rohcoipsec import CompressedTunnel
from testbed.analysis.bytes import Layer, LayerBytes
from testbed.association import EspSettings
from testbed.packets import (
    IPV4_HEADER_BYTES,
    UDP_HEADER_BYTES,
    InnerPacket,
    PacketError,
    build_udp_datagram,
    parse_udp_datagram,
    parse_udp_packet,
)
from testbed.results.records import Stage
from testbed.traffic.coap import coap_header_bytes

__all__ = [
    "MODULE_HEADERS",
    "Compression",
    "CompressionInTunnel",
    "FeedbackOnly",
    "Incomplete",
    "InnerDatagrams",
    "InnerPackets",
    "ModuleDatagrams",
    "Payloads",
    "Protection",
    "StackLayer",
    "Unit",
    "layer_bytes_of",
]


MODULE_HEADERS: Mapping[Layer, int] = {
    Layer.OUTER_UDP: UDP_HEADER_BYTES,
    Layer.OUTER_IP: IPV4_HEADER_BYTES,
}
"""What a module's UDP socket writes around a packet, in octets."""
SEGMENT_CRC_BYTES = 4
"""What stands behind the last segment of a ROHC packet (RFC 5795 section 5.2.5.2)."""


@dataclass(slots=True, kw_only=True)
class Unit:
    """One packet on its way through the stack."""

    data: bytes
    """The packet as it stands between two layers."""
    next_header: int = 0
    """IP protocol number of `data`, as ESP names its payload; 0 where it has none."""
    counts: dict[Layer, int] = field(default_factory=dict)
    """Octets by layer, as counted so far."""
    packet_type: str | None = None
    """The ROHC packet type, such as ``UO-0``, where one was used."""
    opened: esp.Unprotected | None = None
    """What ESP said about it, on the way up."""
    limit: int = 0
    """On the way down: octets that the module's socket takes; 0 where it is not known."""
    segments: range = range(0)
    """On the way up: ESP numbers of the packets that it came in, or its own as a part of another;
    empty for one that came whole."""
    coap: bool = False
    """The device's ports are CoAP's: what CoAP adds to its payload is counted apart."""
    feedback: bytes = b""
    """ROHC feedback that this packet asks to send to the peer in a packet of its own."""

    @property
    def layer_bytes(self) -> LayerBytes:
        """What was counted, as the journal holds it."""
        return layer_bytes_of([self])

    @property
    def total_bytes(self) -> int:
        """Octets of the packet around it, as counted."""
        return sum(self.counts.values())

    @property
    def payload_bytes(self) -> int:
        """Octets of the device's payload, as counted."""
        return self.counts.get(Layer.COAP, 0) + self.counts.get(Layer.APPLICATION, 0)

    def count_payload(self, payload: bytes) -> None:
        """Count the device's payload: CoAP's part, and the application's."""
        coap = coap_header_bytes(payload) if self.coap else 0
        self.counts[Layer.COAP] = coap
        self.counts[Layer.APPLICATION] = len(payload) - coap


def layer_bytes_of(units: Iterable[Unit]) -> LayerBytes:
    """What was counted of the packets that one message took."""
    counts: Counter[Layer] = Counter()
    for unit in units:
        counts.update(unit.counts)
    return LayerBytes(**{layer.value: count for layer, count in counts.items()})


class Incomplete(Exception):
    """A packet held a part of another, whose other parts are still to come."""


class FeedbackOnly(Exception):
    """A packet held ROHC feedback, which is taken in, and nothing for the application."""


class StackLayer(ABC):
    """One layer of the stack.

    Both methods take ``now`` in seconds and change the unit in place. `down` gives what goes on
    down: the unit, or several that it became. `up` raises :class:`esp.RemoteError`,
    :class:`rohc.RohcError` or :class:`PacketError` for what it refuses, :class:`FeedbackOnly` for
    what holds nothing else, and :class:`Incomplete` for a part.
    """

    name: ClassVar[str]
    """The layer's name, for people."""
    down_stage: ClassVar[Stage | None] = None
    """The stage of a trace that is reached when `down` is done."""
    up_stage: ClassVar[Stage | None] = None
    """The stage of a trace that is reached when `up` is done."""

    @abstractmethod
    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Towards the wire."""

    @abstractmethod
    def up(self, unit: Unit, now: float) -> None:
        """Towards the application: `data` ends as the application's payload."""


class InnerPackets(StackLayer):
    """The device's own IP packet, carried as it is."""

    name = "inner IP and UDP"

    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Count the headers of the packet; it stays as it is."""
        packet = self._count(unit)
        unit.next_header = esp.NEXT_HEADER_IPV4 if packet.version == 4 else esp.NEXT_HEADER_IPV6
        return [unit]

    def up(self, unit: Unit, now: float) -> None:
        """Take the payload out of the packet."""
        packet = self._count(unit)
        if Layer.ROHC_HEADER in unit.counts:
            unit.counts[Layer.ROHC_HEADER] -= len(packet.payload)
        unit.data = packet.payload

    @staticmethod
    def _count(unit: Unit) -> InnerPacket:
        packet = parse_udp_packet(unit.data)
        if Layer.ROHC_HEADER not in unit.counts:  # else they are inside the compressed header
            unit.counts[Layer.INNER_IP] = packet.ip_header_bytes
            unit.counts[Layer.INNER_UDP] = UDP_HEADER_BYTES
        unit.count_payload(packet.payload)
        return packet


class InnerDatagrams(StackLayer):
    """The device's UDP datagram, for transport mode: the IP header is the carrier's.

    Going down, the checksum is that of a stack on the module: over the module's address and the
    HSE's. Coming up it is not looked at, since a NAT has changed the addresses (RFC 3948 section
    3.1.2, third way).

    Args:
        module_address: the address that the network gave the module.
        hse_address: the HSE's address, as text, of the same IP version.
    """

    name = "inner UDP"

    def __init__(self, module_address: str, hse_address: str) -> None:
        self._module_address = module_address
        self._hse_address = hse_address

    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Rebuild the datagram over the carrier's addresses."""
        packet = parse_udp_packet(unit.data)
        unit.data = build_udp_datagram(
            self._module_address,
            self._hse_address,
            packet.source_port,
            packet.destination_port,
            packet.payload,
        )
        unit.next_header = esp.NEXT_HEADER_UDP
        unit.counts[Layer.INNER_UDP] = UDP_HEADER_BYTES
        unit.count_payload(packet.payload)
        return [unit]

    def up(self, unit: Unit, now: float) -> None:
        """Take the payload out of the datagram."""
        _, _, unit.data = parse_udp_datagram(unit.data)
        unit.counts[Layer.INNER_UDP] = UDP_HEADER_BYTES
        unit.count_payload(unit.data)


class Payloads(StackLayer):
    """The payload alone: the module's own headers are all there are."""

    name = "payload"

    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Take the payload out of the device's packet."""
        unit.data = parse_udp_packet(unit.data).payload
        unit.count_payload(unit.data)
        return [unit]

    def up(self, unit: Unit, now: float) -> None:
        """Nothing to take off."""
        unit.count_payload(unit.data)


class Compression(StackLayer):
    """ROHC over the inner headers, the ROHC packet being the payload of the module's datagram.

    Args:
        compressor: of the uplink.
        decompressor: of the downlink.
        piggyback: feedback waits for the next packet; else it is left in the unit, to be sent.
    """

    name = "ROHC"
    down_stage = Stage.COMPRESSED

    def __init__(
        self, compressor: rohc.Compressor, decompressor: rohc.Decompressor, *, piggyback: bool
    ) -> None:
        self._compressor = compressor
        self._decompressor = decompressor
        self._piggyback = piggyback

    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Compress."""
        compressed = self._compressor.compress(unit.data, now)
        _count_compressed(unit, compressed, self._compressor)
        return [unit]

    def up(self, unit: Unit, now: float) -> None:
        """Decompress, and take the peer's feedback in."""
        try:
            result = self._decompressor.decompress(unit.data, now)
        except rohc.RohcError as error:
            self._compressor.deliver_feedback(error.feedback_received)
            self.give_feedback(unit, error.feedback)
            raise
        self._compressor.deliver_feedback(result.feedback_received)
        self.give_feedback(unit, result.feedback)
        _count_decompressed(unit, result.packet, result.packet_type)

    def give_feedback(self, unit: Unit, feedback: bytes) -> None:
        """Let feedback for the peer ride on the next packet, or leave it in the unit."""
        if feedback and self._piggyback:
            self._compressor.queue_feedback(feedback)
        else:
            unit.feedback = feedback


class CompressionInTunnel(Compression):
    """ROHC inside a tunnel (RFC 5858): between the inner packets and ESP.

    Args:
        tunnel: the session's channels and associations; it leaves feedback to its caller.
        compressor: of the uplink.
        decompressor: of the downlink.
        piggyback: as for `Compression`.
        icv_bytes: octets of the ROHC ICV in each compressed packet, 0 without one.
    """

    def __init__(
        self,
        tunnel: CompressedTunnel,
        compressor: rohc.Compressor,
        decompressor: rohc.Decompressor,
        *,
        piggyback: bool,
        icv_bytes: int = 0,
    ) -> None:
        super().__init__(compressor, decompressor, piggyback=piggyback)
        self._tunnel = tunnel
        self._icv_bytes = icv_bytes

    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Compress, in segments if need be; what the compressor does not take stays as it is."""
        made = self._tunnel.compress_segments(
            unit.data, now, segment_octets=self._room(unit.limit) if unit.limit else 0
        )
        unit.next_header = made[0][1]
        if unit.next_header != esp.NEXT_HEADER_ROHC:
            return [unit]
        segments = [segment for segment, _ in made]
        _count_compressed(unit, b"".join(segments), self._compressor, self._icv_bytes)
        return [unit] if len(segments) == 1 else _apart(unit, segments)

    def _room(self, limit: int) -> int:
        """How large a ROHC packet fits into one ESP packet of so many octets."""
        try:
            return self._tunnel.outbound.suite.largest_payload_bytes(limit)
        except InvalidParameter:
            return 0

    def up(self, unit: Unit, now: float) -> None:
        """Decompress what ESP says is compressed."""
        if unit.opened is None or unit.next_header != esp.NEXT_HEADER_ROHC:
            return
        try:
            result = self._tunnel.decompress(unit.opened, now)
        except DecompressionFailed as error:
            self.give_feedback(unit, error.feedback)
            raise
        unit.segments = result.segments
        if result.is_incomplete:
            unit.counts[Layer.ROHC_HEADER] = len(unit.data)
            raise Incomplete
        self.give_feedback(unit, result.feedback)
        packet_type = None if result.rohc is None else str(result.rohc.packet_type)
        _count_decompressed(unit, result.packet, packet_type, self._icv_bytes)


def _count_compressed(
    unit: Unit, compressed: bytes, compressor: rohc.Compressor, icv_bytes: int = 0
) -> None:
    for inside in (Layer.INNER_IP, Layer.INNER_UDP):
        unit.counts.pop(inside, None)
    unit.counts[Layer.ROHC_ICV] = icv_bytes
    unit.counts[Layer.ROHC_HEADER] = len(compressed) - unit.payload_bytes - icv_bytes
    unit.packet_type = None if compressor.last is None else compressor.last.packet_type
    unit.data = compressed


def _apart(unit: Unit, segments: list[bytes]) -> list[Unit]:
    """A compressed unit as its segments, which share its counts out in the order of the wire."""
    order = (Layer.COAP, Layer.APPLICATION, Layer.ROHC_ICV)
    # What the segmentation adds counts as ROHC header: type octets, and the CRC at the end.
    added = len(segments) + SEGMENT_CRC_BYTES
    left = [(Layer.ROHC_HEADER, unit.counts[Layer.ROHC_HEADER] - added)]
    left += [(layer, unit.counts.get(layer, 0)) for layer in order]
    units = []
    for segment in segments:
        part = dict.fromkeys((Layer.ROHC_HEADER, *order), 0)
        part[Layer.ROHC_HEADER] = min(1, len(segment))
        room = len(segment) - part[Layer.ROHC_HEADER]
        while room and left:
            layer, count = left.pop(0)
            taken = min(count, room)
            part[layer] += taken
            room -= taken
            if taken < count:
                left.insert(0, (layer, count - taken))
        part[Layer.ROHC_HEADER] += room
        units.append(
            Unit(
                data=segment,
                next_header=unit.next_header,
                counts=part,
                packet_type=unit.packet_type,
                coap=unit.coap,
            )
        )
    return units


def _count_decompressed(
    unit: Unit, packet: bytes | None, packet_type: str | None, icv_bytes: int = 0
) -> None:
    if packet is None:
        unit.counts[Layer.ROHC_HEADER] = len(unit.data)
        raise FeedbackOnly
    # The header is what is left when the payload is taken off: `InnerPackets.up` does that.
    unit.counts[Layer.ROHC_ICV] = icv_bytes
    unit.counts[Layer.ROHC_HEADER] = len(unit.data) - icv_bytes
    unit.packet_type = packet_type
    unit.data = packet


class Protection(StackLayer):
    """ESP, from SPI to ICV.

    Args:
        outbound: the sending association.
        inbound: the receiving association.
        suite: of both.
        settings: padding.
    """

    name = "ESP"
    down_stage = Stage.PROTECTED
    up_stage = Stage.UNPROTECTED

    def __init__(
        self,
        outbound: esp.OutboundAssociation,
        inbound: esp.InboundAssociation,
        suite: esp.Suite,
        settings: EspSettings,
    ) -> None:
        self._outbound = outbound
        self._inbound = inbound
        self._settings = settings
        self.suite = suite

    def packet_bytes(self, payload_bytes: int) -> int:
        """Octets of the ESP packet, SPI to ICV, of a payload that may be padded."""
        return self.suite.packet_bytes(max(payload_bytes, self._settings.pad_to))

    def lifetime_state(self, age_s: float) -> esp.LifetimeState:
        """Where the older of the two associations is in its life, so long after it was made."""
        states = (self._outbound.lifetime_state(age_s), self._inbound.lifetime_state(age_s))
        for state in (esp.LifetimeState.HARD, esp.LifetimeState.SOFT):
            if state in states:
                return state
        return esp.LifetimeState.CURRENT

    def room_for(self, payload_bytes: int) -> bool:
        """Whether both associations let a payload of this size, and an answer like it, pass.

        New ones, which can't be bettered by re-keying, count as having room.
        """
        size = max(payload_bytes, self._settings.pad_to)
        outbound, inbound = self._outbound, self._inbound
        fresh = outbound.payload_bytes == inbound.payload_bytes == 0
        return fresh or (outbound.room_for(size) and inbound.room_for(size))

    def sent(self, spi: int, sequence: int) -> bool:
        """Whether a packet with this SPI and number went out."""
        return spi == self._outbound.spi and 0 < sequence <= self._outbound.sequence

    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Number, pad, seal."""
        try:
            protected = self._settings.protect(self._outbound, unit.data, unit.next_header)
        except (AssociationEnded, SequenceExhausted):
            self._outbound.end()  # a shorter packet might still fit: no use in waiting for one
            raise
        self._count(unit, len(unit.data), len(protected))
        unit.data = protected
        return [unit]

    def up(self, unit: Unit, now: float) -> None:
        """Check and open (RFC 4303 section 3.4)."""
        opened = self._inbound.unprotect(unit.data)
        if opened.is_dummy:
            raise PacketError("dummy", "a dummy packet: nothing in it")
        self._count(unit, len(opened.payload), len(unit.data))
        unit.opened = opened
        unit.data = opened.payload
        unit.next_header = opened.next_header

    def _count(self, unit: Unit, payload_bytes: int, packet_bytes: int) -> None:
        parts = esp.esp_parts(self.suite, payload_bytes, packet_bytes)
        unit.counts[Layer.ESP_HEADER] = parts.header
        unit.counts[Layer.ESP_IV] = parts.iv
        unit.counts[Layer.ESP_PADDING] = parts.padding
        unit.counts[Layer.ESP_TRAILER] = parts.trailer
        unit.counts[Layer.ESP_ICV] = parts.icv


class ModuleDatagrams(StackLayer):
    """The UDP and IP header that the module itself writes, seen from this side of the line.

    Args:
        outer: their octets; none of non-IP data.
    """

    name = "module's UDP and IP"

    def __init__(self, outer: Mapping[Layer, int] = MODULE_HEADERS) -> None:
        self._outer = outer

    def down(self, unit: Unit, now: float) -> list[Unit]:
        """Count what the module will add."""
        unit.counts |= self._outer
        return [unit]

    def up(self, unit: Unit, now: float) -> None:
        """Count what the module has taken off."""
        self.down(unit, now)
