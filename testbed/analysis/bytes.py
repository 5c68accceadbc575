"""The byte layers of one message on the wire: one definition for everybody.

The UE's stack fills it, the journal carries it, the table, the metrics and the report read it.
The layers stand in the order of the wire and sum to the size of the outer IP packet::

    outer_ip | outer_udp | esp_header | esp_iv | rohc_header | inner_ip | inner_udp
             | coap | application | rohc_icv | esp_padding | esp_trailer | esp_icv

CoAP is counted where the message is one, on CoAP's port; else all of the payload is the
application's. The ROHC ICV is there only where the session has one (RFC 5858 section 4.2).

========================  =============================================================
what is sent              what is zero
========================  =============================================================
``none``                  everything but outer_ip, outer_udp, coap, application
``none`` with ``rohc``    as ``none``, and rohc_header counts the compressed header
``esp-transport``         inner_ip and rohc_header (the ESP payload is a UDP datagram)
``esp-tunnel``            rohc_header
``rohc`` in a tunnel      inner_ip and inner_udp: both are inside rohc_header
========================  =============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import add, attrgetter

__all__ = ["LAYERS", "Layer", "LayerBytes", "LayerMeans", "LayerSumError", "LayerTally"]


class LayerSumError(ValueError):
    """The layers of a packet do not sum to the size of that packet.

    Attributes:
        layers: what was counted.
        packet_bytes: the size of the packet as sent, in bytes.
    """

    def __init__(self, layers: LayerBytes, packet_bytes: int) -> None:
        self.layers = layers
        self.packet_bytes = packet_bytes
        super().__init__(
            f"the layers sum to {layers.total} bytes, the packet has {packet_bytes}: "
            + ", ".join(f"{name}={count}" for name, count in layers if count)
        )


class Layer(StrEnum):
    """A layer's name as it stands in the journal, in the order of the wire."""

    OUTER_IP = "outer_ip"
    OUTER_UDP = "outer_udp"
    ESP_HEADER = "esp_header"
    ESP_IV = "esp_iv"
    ROHC_HEADER = "rohc_header"
    INNER_IP = "inner_ip"
    INNER_UDP = "inner_udp"
    COAP = "coap"
    APPLICATION = "application"
    ROHC_ICV = "rohc_icv"
    ESP_PADDING = "esp_padding"
    ESP_TRAILER = "esp_trailer"
    ESP_ICV = "esp_icv"

    @property
    def label(self) -> str:
        """The name for people: short enough for a table's column."""
        return _DESCRIPTIONS[self][0]

    @property
    def help(self) -> str:
        """One sentence that says what these bytes are, with their source."""
        return _DESCRIPTIONS[self][1]


_DESCRIPTIONS: dict[Layer, tuple[str, str]] = {
    Layer.OUTER_IP: ("outer IP", "The IP header the network routes by, written by the module."),
    Layer.OUTER_UDP: ("outer UDP", "The module's UDP header; with ESP it is RFC 3948 section 2.1."),
    Layer.ESP_HEADER: ("ESP header", "SPI and sequence number (RFC 4303 section 2.1, 2.2)."),
    Layer.ESP_IV: ("ESP IV", "The explicit IV of the suite (RFC 4106 section 3.1)."),
    Layer.ROHC_HEADER: ("ROHC header", "The inner IP and UDP headers as ROHC compressed them."),
    Layer.INNER_IP: ("inner IP", "The device's own IP header, where it is carried as it is."),
    Layer.INNER_UDP: ("inner UDP", "The device's own UDP header, where it is carried as it is."),
    Layer.COAP: ("CoAP", "CoAP's header, token and options (RFC 7252 section 3)."),
    Layer.APPLICATION: ("application", "What the device's application sent."),
    Layer.ROHC_ICV: ("ROHC ICV", "ROHC's integrity check inside ESP (RFC 5858 section 4.2)."),
    Layer.ESP_PADDING: ("ESP padding", "Octets that align the trailer (RFC 4303 section 2.4)."),
    Layer.ESP_TRAILER: ("ESP trailer", "Pad length and next header (RFC 4303 section 2.5, 2.6)."),
    Layer.ESP_ICV: ("ESP ICV", "The integrity check value (RFC 4303 section 2.8)."),
}

LAYERS: tuple[Layer, ...] = tuple(Layer)
"""All layers in the order of the wire."""

_LAYER_NAMES = frozenset(LAYERS)
_counts: Callable[[LayerBytes], tuple[int, ...]] = attrgetter(*LAYERS)
"""All counts of a record at once: records are made and summed once per message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBytes:
    """The bytes of one packet by layer; each is 0 or more, absent layers are 0.

    The fields stand in the order of the wire. Iterating gives ``(layer, count)`` pairs.

    Raises:
        ValueError: a count is negative.
    """

    outer_ip: int = 0
    """The IP header the network routes by: 20 for IPv4, 40 for IPv6."""
    outer_udp: int = 0
    """The module's UDP header: 8."""
    esp_header: int = 0
    """SPI and sequence number: 8."""
    esp_iv: int = 0
    """The suite's explicit IV: 8 for AES-GCM-16."""
    rohc_header: int = 0
    """The compressed header, 0 when nothing is compressed."""
    inner_ip: int = 0
    """The device's own IP header, 0 when compressed or not carried."""
    inner_udp: int = 0
    """The device's own UDP header, 0 when compressed or not carried."""
    coap: int = 0
    """CoAP's header, token and options, 0 for what is no CoAP."""
    application: int = 0
    """What the application sent."""
    rohc_icv: int = 0
    """ROHC's integrity check value inside ESP, 0 without one."""
    esp_padding: int = 0
    """Octets before the pad length."""
    esp_trailer: int = 0
    """Pad length and next header: 2."""
    esp_icv: int = 0
    """The integrity check value: 16 for AES-GCM-16."""

    def __post_init__(self) -> None:
        if min(_counts(self)) < 0:
            name, count = next((name, count) for name, count in self if count < 0)
            raise ValueError(f"layer {name} has {count} bytes")

    def __iter__(self) -> Iterator[tuple[Layer, int]]:
        return zip(LAYERS, _counts(self), strict=True)

    def __add__(self, other: LayerBytes) -> LayerBytes:
        """The sum by layer: what several packets cost together."""
        return LayerBytes(**{name: count + getattr(other, name) for name, count in self})

    @property
    def total(self) -> int:
        """The size of the outer IP packet in bytes."""
        return sum(_counts(self))

    @property
    def payload(self) -> int:
        """What the device's UDP datagram carries: CoAP and application, in bytes."""
        return self.coap + self.application

    @property
    def header(self) -> int:
        """Everything around the device's payload, in bytes."""
        return self.total - self.payload

    @property
    def esp(self) -> int:
        """What ESP adds: header, IV, padding, trailer and ICV, in bytes."""
        return self.esp_header + self.esp_iv + self.esp_padding + self.esp_trailer + self.esp_icv

    @property
    def inner_header(self) -> int:
        """What names the inner packet's ends: ROHC header, inner IP and inner UDP, in bytes."""
        return self.rohc_header + self.inner_ip + self.inner_udp

    def check_total(self, packet_bytes: int) -> LayerBytes:
        """Return this record if it sums to the packet's size.

        Args:
            packet_bytes: size of the outer IP packet as it was sent.

        Raises:
            LayerSumError: a byte was counted twice, or not at all.
        """
        if self.total != packet_bytes:
            raise LayerSumError(self, packet_bytes)
        return self

    def to_json(self) -> dict[str, int]:
        """All layers by name, zeros included, in the order of the wire."""
        return {layer.value: count for layer, count in self}

    @classmethod
    def from_json(cls, record: Mapping[str, object]) -> LayerBytes:
        """Read what `to_json` wrote; a missing layer counts 0.

        Raises:
            ValueError: an unknown layer, a count that is no whole number, or a negative one.
        """
        if record.keys() <= _LAYER_NAMES and {int}.issuperset(map(type, record.values())):
            return cls(**record)  # type: ignore[arg-type]  # whole numbers all of them
        for name, count in record.items():
            if name not in _LAYER_NAMES:
                raise ValueError(f"unknown byte layer {name!r}; known are {', '.join(LAYERS)}")
            if isinstance(count, bool) or not isinstance(count, int):
                raise ValueError(f"layer {name} has {count!r} bytes: not a whole number")
        return cls(**record)  # type: ignore[arg-type]  # whole numbers all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMeans:
    """Mean bytes per packet by layer over several packets."""

    packets: int
    """How many packets the means are over."""
    by_layer: tuple[float, ...]
    """One mean per layer, in the order of `LAYERS`; all 0 when there was no packet."""

    def __post_init__(self) -> None:
        if len(self.by_layer) != len(LAYERS):
            raise ValueError(f"{len(self.by_layer)} means for {len(LAYERS)} layers")

    def __iter__(self) -> Iterator[tuple[Layer, float]]:
        return zip(LAYERS, self.by_layer, strict=True)

    def __getitem__(self, layer: Layer) -> float:
        return self.by_layer[LAYERS.index(layer)]

    @classmethod
    def over(cls, packets: Iterable[LayerBytes]) -> LayerMeans:
        """The means over these packets; zeros when there is none."""
        tally = LayerTally()
        for packet in packets:
            tally.add(packet)
        return tally.means()

    @property
    def total(self) -> float:
        """Mean size of the outer IP packet in bytes."""
        return sum(self.by_layer)

    @property
    def payload(self) -> float:
        """Mean of what the device's UDP datagrams carried: CoAP and application, in bytes."""
        return self[Layer.COAP] + self[Layer.APPLICATION]

    @property
    def header(self) -> float:
        """Mean of everything around the device's payload, in bytes."""
        return self.total - self.payload

    @property
    def inner_header(self) -> float:
        """Mean of ROHC header, inner IP and inner UDP, in bytes."""
        return self[Layer.ROHC_HEADER] + self[Layer.INNER_IP] + self[Layer.INNER_UDP]

    def to_json(self) -> dict[str, float]:
        """All layers by name in the order of the wire, rounded to a thousandth of a byte."""
        return {layer.value: round(mean, 3) for layer, mean in self}


class LayerTally:
    """Running sums by layer, for journals too long to keep every packet in memory."""

    __slots__ = ("_sums", "packets")

    def __init__(self) -> None:
        self.packets = 0
        """How many packets were added."""
        self._sums = [0] * len(LAYERS)

    def add(self, packet: LayerBytes) -> None:
        """Count one packet."""
        self.packets += 1
        self._sums = [*map(add, self._sums, _counts(packet))]

    def means(self, *also: LayerBytes) -> LayerMeans:
        """The means over the packets added, and over these; the sums stay as they are."""
        packets = self.packets + len(also)
        sums = list(self._sums)
        for packet in also:
            sums = [*map(add, sums, _counts(packet))]
        return LayerMeans(
            packets=packets, by_layer=tuple(total / max(packets, 1) for total in sums)
        )
