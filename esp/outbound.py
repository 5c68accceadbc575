"""The sending end of a security association: number, pad, seal (RFC 4303 section 3.3).

The hot path touches each octet once and builds nothing but its result. Numbers are used up before
the packet is made, so that no failure can bring one back; where they are reserved ahead in durable
storage, :class:`OutboundAssociation` asks for more before it uses the first of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from struct import Struct

from esp.errors import (
    AssociationEnded,
    InvalidParameter,
    LocalError,
    PayloadTooLarge,
    SequenceExhausted,
)
from esp.layout import (
    NEXT_HEADER_IPV4,
    NEXT_HEADER_IPV6,
    NEXT_HEADER_NONE,
    NEXT_HEADER_UDP,
    OCTETS,
    PADDING,
    EspParts,
    Mode,
    check_spi,
    esp_parts,
)
from esp.lifetime import Lifetime, LifetimeState, Usage
from esp.suites import Suite
from esp.transforms import Transform, new_transform

__all__ = ["OutboundAssociation"]

_LOW = 0xFFFF_FFFF
_UNUSED = Usage()
_HEADER = Struct(">II").pack  # RFC 4303 section 2: SPI, sequence number


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
        lifetime: limits on octets, packets and seconds.
        used: what counts towards them already.
        reserve: called with the next number before it is used, whenever no reserved one is left;
            makes a reservation durable and gives the highest number that may be used now. None:
            numbers live in memory only, and the key must die with the process.
        reserve_bytes: the same for the octets that ``lifetime`` counts: called with the octets that
            are about to be carried in all, gives what may be carried before it is asked again.
        random: source of the IVs that must be unpredictable (AES-CBC).
        iv_source: gives the IV for a sequence number. Only to reproduce published vectors; with a
            counter-based suite a repeated IV gives the key away, so leave it alone.

    Raises :class:`~esp.errors.InvalidParameter` for sizes and ranges.
    """

    __slots__ = (
        "_align",
        "_bytes",
        "_bytes_limit",
        "_ended",
        "_esn",
        "_first",
        "_last",
        "_lifetime",
        "_limit",
        "_mode",
        "_reserve",
        "_reserve_bytes",
        "_seal",
        "_sequence",
        "_spi",
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
        lifetime: Lifetime | None = None,
        used: Usage = _UNUSED,
        reserve: Callable[[int], int] | None = None,
        reserve_bytes: Callable[[int], int] | None = None,
        random: Callable[[int], bytes] = os.urandom,
        iv_source: Callable[[int], bytes] | None = None,
    ) -> None:
        self._spi = check_spi(spi)
        self._suite = suite
        self._mode = mode
        self._esn = esn
        self._last = (1 << 64) - 1 if esn else _LOW
        if not 0 <= sequence <= self._last:
            raise InvalidParameter(f"a sequence number lies from 0 to {self._last}")
        self._sequence = sequence
        self._first = sequence - used.packets
        self._lifetime = lifetime
        self._bytes = self._bytes_limit = used.payload_bytes
        self._reserve_bytes = reserve_bytes
        self._ended = False
        self._reserve = reserve
        self._limit = self._last if reserve is None else sequence
        transform = new_transform(suite, key, salt, integrity_key, esn=esn, random=random)
        if iv_source is not None:
            transform = _FixedIv(transform, iv_source)
        self._seal = transform.seal
        self._align = suite.block_bytes
        self._trailers = [PADDING[n] + OCTETS[n] for n in range(suite.block_bytes)]

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

    @property
    def packets(self) -> int:
        """Sequence numbers used, skipped ones and those before a restart included."""
        return self._sequence - self._first

    @property
    def payload_bytes(self) -> int:
        """Payload octets protected, those before a restart included."""
        return self._bytes

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

        Raises :class:`~esp.errors.SequenceExhausted` when no number is left,
        :class:`~esp.errors.AssociationEnded` at the hard lifetime and after :meth:`end`, and
        :class:`~esp.errors.InvalidParameter` for a next header out of range.
        """
        if not 0 <= next_header <= 255:
            raise InvalidParameter(f"a next header is one octet, not {next_header}")
        size = len(payload)
        if self._lifetime is not None:
            self._check_lifetime(self._lifetime, size)
        sequence = self._sequence + 1
        if sequence > self._limit:
            self._more_numbers(sequence)
        self._sequence = sequence  # used up, whatever happens below
        self._bytes += size
        return self._seal(
            _HEADER(self._spi, sequence & _LOW),
            sequence,
            payload + self._trailers[-(size + 2) % self._align] + OCTETS[next_header],
        )

    def protect_padded(self, payload: bytes, next_header: int, size: int) -> bytes:
        """As :meth:`protect`, with traffic-flow-confidentiality padding (RFC 4303 section 2.7).

        Zero octets fill the payload to ``size`` octets, so that packets of one size give away
        nothing. The receiver finds the end in the payload's own header: an IP packet in tunnel
        mode, a UDP datagram in transport mode, where the receiver must have agreed to it.

        Raises :class:`~esp.errors.InvalidParameter` for other payloads (a ROHC packet states no
        length) and when the payload is larger than ``size``.
        """
        if self._mode is Mode.TUNNEL:
            padded = next_header in (NEXT_HEADER_IPV4, NEXT_HEADER_IPV6, NEXT_HEADER_NONE)
        else:
            padded = next_header in (NEXT_HEADER_UDP, NEXT_HEADER_NONE)
        if not padded:
            raise InvalidParameter(
                f"next header {next_header} states no length, so it can't be padded",
                hint="send it without traffic-flow-confidentiality padding",
            )
        if len(payload) > size:
            raise InvalidParameter(f"a payload of {len(payload)} octets exceeds {size}")
        return self.protect(payload.ljust(size, b"\0"), next_header)

    def dummy(self, size: int, random: Callable[[int], bytes] = os.urandom) -> bytes:
        """A dummy packet with a payload of ``size`` random octets (RFC 4303 section 2.6).

        It uses a sequence number and is dropped by the receiver without a word; only its size and
        time are seen on the way.
        """
        return self.protect(random(size), NEXT_HEADER_NONE)

    def skip_to(self, sequence: int) -> None:
        """Use up all numbers to this one without sending them.

        For numbers that may have been used before a restart, and for senders whose numbers follow
        a clock (RFC 9333 section 4): a receiver minds no gap. Raises InvalidParameter when the
        number is not ahead, :class:`~esp.errors.SequenceExhausted` when there is no such number.
        """
        if sequence <= self._sequence:
            raise InvalidParameter(f"number {sequence} is used up already")
        if sequence > self._limit:
            self._more_numbers(sequence)
        self._sequence = sequence

    def end(self) -> None:
        """Use the SA no more: :meth:`protect` raises :class:`~esp.errors.AssociationEnded`."""
        self._ended = True
        self._limit = -1
        self._reserve_bytes = None  # nothing is written down any more of what is forgotten

    def lifetime_state(self, age_s: float = 0.0) -> LifetimeState:
        """Where the SA is in its life, ``age_s`` seconds after it was made."""
        if self._ended:
            return LifetimeState.HARD
        if self._lifetime is None:
            return LifetimeState.CURRENT
        return self._lifetime.state(used_bytes=self._bytes, packets=self.packets, age_s=age_s)

    def overhead(self, payload_bytes: int) -> EspParts:
        """What :meth:`protect` adds to a payload of this many octets, by part."""
        return esp_parts(self._suite, payload_bytes)

    def require_fit(self, payload_bytes: int, packet_bytes: int) -> None:
        """Check that a payload's packet, SPI to ICV, has at most ``packet_bytes`` octets.

        Raises :class:`~esp.errors.PayloadTooLarge` with the largest payload that fits.
        """
        largest = self._suite.largest_payload_bytes(packet_bytes)
        if payload_bytes > largest:
            raise PayloadTooLarge(
                payload_bytes,
                largest,
                hint=f"{self._suite.name} adds {self.overhead(largest).total} octets to a payload",
            )

    def _check_lifetime(self, lifetime: Lifetime, size: int) -> None:
        hard_bytes, hard_packets = lifetime.hard_bytes, lifetime.hard_packets
        if (hard_bytes is not None and self._bytes + size > hard_bytes) or (
            hard_packets is not None and self.packets >= hard_packets
        ):
            raise AssociationEnded(
                f"SPI 0x{self._spi:08x} reached its hard lifetime",
                hint="set up a new security association",
            )
        if self._reserve_bytes is not None and self._bytes + size > self._bytes_limit:
            self._bytes_limit = self._reserve_bytes(self._bytes + size)

    def room_for(self, payload_bytes: int) -> bool:
        """Whether the hard lifetime in octets lets a payload of this size pass."""
        return self._lifetime is None or self._lifetime.room_for(
            payload_bytes, used_bytes=self._bytes
        )

    def _more_numbers(self, sequence: int) -> None:
        """Reserve numbers up to this one at least, or say why there are none."""
        if self._ended:
            raise AssociationEnded(
                f"SPI 0x{self._spi:08x} was ended", hint="set up a new security association"
            )
        if sequence > self._last or self._reserve is None:
            raise SequenceExhausted(
                f"SPI 0x{self._spi:08x} used its last sequence number",
                hint="set up a new security association: numbers never cycle under a key",
            )
        reserved = self._reserve(sequence)
        if reserved < sequence:
            raise LocalError(f"number {sequence} was asked for, {reserved} was reserved")
        self._limit = min(reserved, self._last)
