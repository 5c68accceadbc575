"""Security associations: the two ends of a one-way protected channel.

Outbound: number, pad, seal. Inbound: the order of RFC 4303 section 3.4, that is size, replay
window, integrity check, then the window moves, then padding and next header. The hot path touches
each octet once and builds nothing but its result.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import NamedTuple

from esp.errors import (
    BadPadding,
    InvalidParameter,
    MalformedInner,
    SequenceExhausted,
    Truncated,
    UnknownSpi,
    WrongNextHeader,
)
from esp.replay import ReplayWindow
from esp.suites import Suite
from esp.transforms import Transform, new_transform

__all__ = [
    "NEXT_HEADER_IPV4",
    "NEXT_HEADER_IPV6",
    "NEXT_HEADER_NONE",
    "NEXT_HEADER_ROHC",
    "NEXT_HEADER_UDP",
    "EspParts",
    "InboundAssociation",
    "Mode",
    "OutboundAssociation",
    "Unprotected",
    "esp_parts",
]

NEXT_HEADER_IPV4 = 4
"""Tunnel mode: the payload is an IPv4 packet."""
NEXT_HEADER_UDP = 17
"""Transport mode: the payload is a UDP datagram."""
NEXT_HEADER_IPV6 = 41
"""Tunnel mode: the payload is an IPv6 packet."""
NEXT_HEADER_NONE = 59
"""A dummy packet, to be dropped without further ado (RFC 4303 section 2.6)."""
NEXT_HEADER_ROHC = 142
"""The payload is a ROHC packet (RFC 5858 section 4.1)."""

_LOW = 0xFFFF_FFFF
_HEADER = Struct(">II").unpack_from  # RFC 4303 section 2: SPI, sequence number
# RFC 4303 section 2.4: the padding is 1, 2, 3, ...; all 256 of them by their length.
_PADDING = [bytes(range(1, size + 1)) for size in range(256)]
_OCTET = [bytes((value,)) for value in range(256)]


class Mode(Enum):
    """Transport mode protects a payload, tunnel mode a whole IP packet (RFC 4301 section 4.1)."""

    TRANSPORT = "transport"
    TUNNEL = "tunnel"


@dataclass(frozen=True, slots=True, kw_only=True)
class EspParts:
    """The octets that ESP adds to one payload, by part."""

    header: int
    """SPI and sequence number, always 8."""
    iv: int
    """Initialisation vector in the packet."""
    padding: int
    """Padding proper, without pad length and next header."""
    trailer: int
    """Pad length and next header, always 2."""
    icv: int
    """Integrity check value."""

    @property
    def total(self) -> int:
        """All that is not payload."""
        return self.header + self.iv + self.padding + self.trailer + self.icv


def esp_parts(suite: Suite, payload_bytes: int, packet_bytes: int | None = None) -> EspParts:
    """What ESP adds to a payload, by part.

    With ``packet_bytes``, the size from SPI to ICV of a packet seen, the padding is what that
    packet has (a peer may pad more than it must); else what this library would add.
    """
    if packet_bytes is None:
        padding = suite.padding_bytes(payload_bytes)
    else:
        padding = packet_bytes - 8 - suite.iv_bytes - payload_bytes - 2 - suite.icv_bytes
    return EspParts(header=8, iv=suite.iv_bytes, padding=padding, trailer=2, icv=suite.icv_bytes)


class Unprotected(NamedTuple):
    """What came out of a packet (a tuple, because one is built per packet)."""

    payload: bytes
    """Tunnel mode: the inner IP packet; transport mode: what followed the IP header."""
    next_header: int
    """IP protocol number of the payload; 59 marks a dummy packet, which is dropped silently."""
    sequence: int
    """The packet's sequence number, 64 bits wide with ESN."""
    late_by: int
    """How far it lies behind the newest number accepted on this SA, 0 when it is the newest."""

    @property
    def is_dummy(self) -> bool:
        """Whether this is a dummy packet, sent only to hide traffic."""
        return self.next_header == NEXT_HEADER_NONE


_unprotected = tuple.__new__  # half the time of Unprotected(...), which is Python code


def _check_spi(spi: int) -> None:
    if not 256 <= spi <= _LOW:
        raise InvalidParameter(
            f"SPI {spi} can't name a security association",
            hint="choose an SPI from 256 to 4294967295 (RFC 4303 section 2.1)",
        )


class _FixedIv(Transform):
    """A transform whose IVs come from outside, to give published vectors back."""

    __slots__ = ("_inner", "_iv_source")

    def __init__(self, inner: Transform, iv_source: Callable[[int], bytes]) -> None:
        self._inner = inner
        self._iv_source = iv_source

    def seal(self, header: bytes, sequence: int, plaintext: bytes) -> bytes:
        return self._inner.seal_with_iv(header, sequence, plaintext, self._iv_source(sequence))


class OutboundAssociation:
    """The sending end.

    Arguments:
        spi: the receiver's SPI, 256 to 2^32-1.
        suite: a row of the suite table.
        key, salt, integrity_key: of the sizes that the suite names; not kept outside the cipher.
        mode: transport or tunnel.
        esn: extended (64-bit) sequence numbers.
        sequence: the last number that is used up already; 0 for a new key.
        random: source of the IVs that must be unpredictable (AES-CBC).
        iv_source: gives the IV for a sequence number. Only to reproduce published vectors; with a
            counter-based suite a repeated IV gives the key away, so leave it alone.

    Raises :class:`~esp.errors.InvalidParameter` for sizes and ranges.
    """

    __slots__ = (
        "_align",
        "_esn",
        "_limit",
        "_mode",
        "_seal",
        "_sequence",
        "_spi",
        "_spi_octets",
        "_suite",
        "_trailers",
    )

    def __init__(
        self,
        spi: int,
        suite: Suite,
        key: bytes,
        salt: bytes = b"",
        mode: Mode = Mode.TUNNEL,
        *,
        integrity_key: bytes = b"",
        esn: bool = False,
        sequence: int = 0,
        random: Callable[[int], bytes] = os.urandom,
        iv_source: Callable[[int], bytes] | None = None,
    ) -> None:
        _check_spi(spi)
        self._spi = spi
        self._spi_octets = spi.to_bytes(4, "big")
        self._suite = suite
        self._mode = mode
        self._esn = esn
        self._limit = (1 << 64) - 1 if esn else _LOW
        if not 0 <= sequence <= self._limit:
            raise InvalidParameter(f"a sequence number lies from 0 to {self._limit}")
        self._sequence = sequence
        transform = new_transform(suite, key, salt, integrity_key, esn=esn, random=random)
        if iv_source is not None:
            transform = _FixedIv(transform, iv_source)
        self._seal = transform.seal
        self._align = suite.block_bytes
        self._trailers = [_PADDING[n] + _OCTET[n] for n in range(suite.block_bytes)]

    @property
    def spi(self) -> int:
        """The SPI that the receiver chose."""
        return self._spi

    @property
    def suite(self) -> Suite:
        """The row of the suite table in use."""
        return self._suite

    @property
    def mode(self) -> Mode:
        """Transport or tunnel."""
        return self._mode

    @property
    def esn(self) -> bool:
        """Whether sequence numbers are 64 bits wide."""
        return self._esn

    @property
    def sequence(self) -> int:
        """The last sequence number used, 0 before the first packet."""
        return self._sequence

    def __repr__(self) -> str:
        return (
            f"OutboundAssociation(spi=0x{self._spi:08x}, suite={self._suite.name!r},"
            f" mode={self._mode.value!r}, sequence={self._sequence})"
        )

    def protect(self, payload: bytes, next_header: int) -> bytes:
        """The ESP packet, SPI to ICV, that carries a payload.

        Arguments:
            payload: tunnel mode: an IP packet (or a ROHC packet); transport mode: what follows
                the IP header.
            next_header: its IP protocol number, 0 to 255.

        Raises :class:`~esp.errors.SequenceExhausted` when no number is left, and
        :class:`~esp.errors.InvalidParameter` for a next header out of range.
        """
        if not 0 <= next_header <= 255:
            raise InvalidParameter(f"a next header is one octet, not {next_header}")
        sequence = self._sequence + 1
        if sequence > self._limit:
            raise SequenceExhausted(
                f"SPI 0x{self._spi:08x} used its last sequence number",
                hint="set up a new security association: numbers never cycle under a key",
            )
        self._sequence = sequence  # used up, whatever happens below
        return self._seal(
            self._spi_octets + (sequence & _LOW).to_bytes(4, "big"),
            sequence,
            payload + self._trailers[-(len(payload) + 2) % self._align] + _OCTET[next_header],
        )

    def overhead(self, payload_bytes: int) -> EspParts:
        """What :meth:`protect` adds to a payload of this many octets, by part."""
        return esp_parts(self._suite, payload_bytes)


class InboundAssociation:
    """The receiving end.

    Arguments as for :class:`OutboundAssociation`, and:
        replay_window: packets, 32 to 4096, 0 switches the replay check off.
        sequence: the highest number that was accepted before; that and all below count as seen.
        rohc: whether a tunnel-mode packet may carry next header 142 (RFC 5858).
    """

    __slots__ = (
        "_esn",
        "_minimum",
        "_mode",
        "_open",
        "_rohc",
        "_spi",
        "_suite",
        "_tunnel",
        "window",
    )

    window: ReplayWindow
    """The replay window."""

    def __init__(
        self,
        spi: int,
        suite: Suite,
        key: bytes,
        salt: bytes = b"",
        mode: Mode = Mode.TUNNEL,
        *,
        integrity_key: bytes = b"",
        esn: bool = False,
        replay_window: int = 64,
        sequence: int = 0,
        rohc: bool = False,
    ) -> None:
        _check_spi(spi)
        if rohc and mode is not Mode.TUNNEL:
            raise InvalidParameter(
                "ROHC goes with tunnel mode only (RFC 5856 section 1)",
                hint="use mode tunnel, or no compression",
            )
        self._spi = spi
        self._suite = suite
        self._mode = mode
        self._tunnel = mode is Mode.TUNNEL
        self._rohc = rohc
        self._esn = esn
        self._minimum = suite.minimum_packet_bytes
        self._open = new_transform(suite, key, salt, integrity_key, esn=esn).open
        self.window = ReplayWindow(replay_window, top=sequence)

    @property
    def spi(self) -> int:
        """The SPI that this end chose."""
        return self._spi

    @property
    def suite(self) -> Suite:
        """The row of the suite table in use."""
        return self._suite

    @property
    def mode(self) -> Mode:
        """Transport or tunnel."""
        return self._mode

    @property
    def esn(self) -> bool:
        """Whether sequence numbers are 64 bits wide."""
        return self._esn

    @property
    def rohc(self) -> bool:
        """Whether next header 142 is expected."""
        return self._rohc

    def __repr__(self) -> str:
        return (
            f"InboundAssociation(spi=0x{self._spi:08x}, suite={self._suite.name!r},"
            f" mode={self._mode.value!r}, top={self.window.top})"
        )

    def unprotect(self, packet: bytes) -> Unprotected:
        """Check and open one ESP packet, SPI to ICV.

        Raises a :class:`~esp.errors.PacketRejected`: Truncated, UnknownSpi (another SA's packet),
        Replayed, OutsideWindow, BadIcv, BadPadding, WrongNextHeader or MalformedInner. The window
        moves when, and only when, the integrity check succeeds.
        """
        if len(packet) < self._minimum:
            raise Truncated("the packet is shorter than any of its security association")
        spi, sequence = _HEADER(packet)
        if spi != self._spi:
            raise UnknownSpi("the packet belongs to another security association")
        window = self.window
        if self._esn:
            sequence = window.full_number(sequence)
        if sequence <= window.top:  # what is newer than the newest needs no look at the window
            window.check(sequence)
        plaintext = self._open(packet, sequence)
        late_by = window.accept(sequence)
        next_header = plaintext[-1]
        pad = plaintext[-2]
        if pad:
            end = -2 - pad
            if plaintext[end:-2] != _PADDING[pad]:
                raise BadPadding("the padding is not 1, 2, 3, ...")
            payload = plaintext[:end]
        else:
            payload = plaintext[:-2]
        if self._tunnel:
            if next_header == NEXT_HEADER_IPV4:
                size = len(payload)
                if size < 20 or payload[0] >> 4 != 4 or payload[2] << 8 | payload[3] != size:
                    payload = _inner_packet(payload, next_header)
            elif next_header == NEXT_HEADER_IPV6:
                payload = _inner_packet(payload, next_header)
            elif next_header == NEXT_HEADER_ROHC:
                if not self._rohc:
                    raise WrongNextHeader("a ROHC packet on an SA without compression")
            elif next_header != NEXT_HEADER_NONE:
                raise WrongNextHeader("tunnel mode carries IP packets only")
        return _unprotected(Unprotected, (payload, next_header, sequence, late_by))


def _inner_packet(payload: bytes, next_header: int) -> bytes:
    """The IP packet at the start of a tunnel payload, without TFC padding (RFC 4303 2.7)."""
    size = len(payload)
    if next_header == NEXT_HEADER_IPV4:
        if size < 20 or payload[0] >> 4 != 4:
            raise MalformedInner("no IPv4 packet in the tunnel")
        length = payload[2] << 8 | payload[3]
        if length < 20:
            raise MalformedInner("the inner IPv4 packet is shorter than its header")
    else:
        if size < 40 or payload[0] >> 4 != 6:
            raise MalformedInner("no IPv6 packet in the tunnel")
        length = 40 + (payload[4] << 8 | payload[5])
    if length == size:
        return payload
    if length > size:
        raise MalformedInner("the inner packet is longer than the tunnel payload")
    return payload[:length]
