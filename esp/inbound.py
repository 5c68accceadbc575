"""The receiving end of a security association (RFC 4303 section 3.4).

The order of the checks is the RFC's: size, replay window, integrity, then the window moves, then
padding and next header. The hot path touches each octet once and builds nothing but its result.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from esp.errors import (
    BadIcv,
    BadPadding,
    Expired,
    InvalidParameter,
    MalformedInner,
    Truncated,
    UnknownSpi,
    WrongNextHeader,
)
from esp.layout import (
    NEXT_HEADER_IPV4,
    NEXT_HEADER_IPV6,
    NEXT_HEADER_NONE,
    NEXT_HEADER_ROHC,
    NEXT_HEADER_UDP,
    PADDING,
    Mode,
    check_spi,
    inner_packet,
)
from esp.lifetime import Lifetime, LifetimeState, Usage
from esp.replay import ReplayWindow
from esp.selectors import TrafficSelectors
from esp.suites import Suite
from esp.transforms import new_transform

__all__ = ["InboundAssociation", "Unprotected"]

_UNUSED = Usage()
_HEADER = Struct(">II").unpack_from  # RFC 4303 section 2: SPI, sequence number


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


class InboundAssociation:
    """The receiving end.

    Arguments:
        spi: the SPI that this end chose, 256 to 2^32-1.
        suite: a row of the suite table.
        key, salt, integrity_key: of the sizes that the suite names; not kept outside the cipher.
        mode: transport or tunnel.
        esn: extended (64-bit) sequence numbers.
        replay_window: packets, 32 to 4096, 0 switches the replay check off.
        sequence: the highest number that was accepted before; that and all below count as seen.
        selectors: what tunnel-mode packets may come out (RFC 4301 section 5.2); None for all. With
            compression the check follows decompression, in :mod:`esp.rohcoipsec`.
        rohc: whether a tunnel-mode packet may carry next header 142 (RFC 5858).
        lifetime: limits on octets, packets and seconds.
        used: what counts towards them already.
        tfc: whether UDP datagrams in transport mode may be followed by traffic-flow padding, which
            is cut off then; in tunnel mode it always is.
        resync_after: with ESN, after how many packets in a row that fail their integrity check one
            is tried in later subspaces (RFC 4303 Appendix A3): more than 2^32 may have been lost.
        resync_tries: how many subspaces are tried, 0 for none.

    Raises :class:`~esp.errors.InvalidParameter` for sizes and ranges.
    """

    __slots__ = (
        "_bytes",
        "_ended",
        "_esn",
        "_failures",
        "_lifetime",
        "_minimum",
        "_mode",
        "_open",
        "_packets",
        "_resync_after",
        "_resync_tries",
        "_rohc",
        "_spi",
        "_suite",
        "_tfc",
        "_tunnel",
        "selectors",
        "window",
    )

    selectors: TrafficSelectors | None
    """What tunnel-mode packets may come out, None for all."""

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
        selectors: TrafficSelectors | None = None,
        rohc: bool = False,
        lifetime: Lifetime | None = None,
        used: Usage = _UNUSED,
        tfc: bool = False,
        resync_after: int = 32,
        resync_tries: int = 4,
    ) -> None:
        if selectors is not None and mode is not Mode.TUNNEL:
            raise InvalidParameter("selectors look at inner packets: tunnel mode only")
        if rohc and mode is not Mode.TUNNEL:
            raise InvalidParameter(
                "ROHC goes with tunnel mode only (RFC 5856 section 1)",
                hint="use mode tunnel, or no compression",
            )
        self._spi = check_spi(spi)
        self._suite = suite
        self._mode = mode
        self._tunnel = mode is Mode.TUNNEL
        self._rohc = rohc
        self.selectors = selectors
        self._tfc = tfc
        self._esn = esn
        self._minimum = suite.minimum_packet_bytes
        self._open = new_transform(suite, key, salt, integrity_key, esn=esn).open
        self.window = ReplayWindow(replay_window, top=sequence)
        self._lifetime = lifetime
        self._ended = False
        self._packets = used.packets
        self._bytes = used.payload_bytes
        self._failures = 0
        self._resync_after = max(1, resync_after)
        self._resync_tries = resync_tries if esn else 0

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

    @property
    def packets(self) -> int:
        """Packets whose integrity check succeeded, those before a restart included."""
        return self._packets

    @property
    def payload_bytes(self) -> int:
        """Payload octets of those packets, traffic-flow padding included."""
        return self._bytes

    def __repr__(self) -> str:
        return (
            f"InboundAssociation(spi=0x{self._spi:08x}, suite={self._suite.name!r},"
            f" mode={self._mode.value!r}, top={self.window.top})"
        )

    def unprotect(self, packet: bytes) -> Unprotected:
        """Check and open one ESP packet, SPI to ICV.

        Raises a :class:`~esp.errors.PacketRejected`: Truncated, UnknownSpi (another SA's packet),
        Expired, Replayed, OutsideWindow, BadIcv, BadPadding, WrongNextHeader, MalformedInner or
        WrongSelector.
        The window moves when, and only when, the integrity check succeeds.
        """
        if len(packet) < self._minimum:
            raise Truncated("the packet is shorter than any of its security association")
        spi, sequence = _HEADER(packet)
        if spi != self._spi:
            raise UnknownSpi("the packet belongs to another security association")
        if self._lifetime is not None or self._ended:
            self._check_lifetime()
        window = self.window
        if self._esn:
            sequence = window.full_number(sequence)
        if sequence <= window.top:  # what is newer than the newest needs no look at the window
            window.check(sequence)
        try:
            plaintext = self._open(packet, sequence)
        except BadIcv:
            if not self._resync_tries:
                raise
            sequence, plaintext = self._resynchronised(packet, sequence)
        if self._esn:
            self._failures = 0
        if sequence == window.top + 1:  # in order: see esp.replay
            window.top = sequence
            late_by = 0
        else:
            late_by = window.accept(sequence)
        next_header = plaintext[-1]
        pad = plaintext[-2]
        if pad:
            end = -2 - pad
            if plaintext[end:-2] != PADDING[pad]:
                raise BadPadding("the padding is not 1, 2, 3, ...")
            payload = plaintext[:end]
        else:
            payload = plaintext[:-2]
        size = len(payload)
        self._packets += 1
        self._bytes += size
        if self._tunnel:
            if next_header == NEXT_HEADER_IPV4:
                if size < 20 or payload[0] >> 4 != 4 or payload[2] << 8 | payload[3] != size:
                    payload = inner_packet(payload, next_header)
                if self.selectors is not None:
                    self.selectors.require(payload)
            elif next_header == NEXT_HEADER_IPV6:
                payload = inner_packet(payload, next_header)
                if self.selectors is not None:
                    self.selectors.require(payload)
            elif next_header == NEXT_HEADER_ROHC:
                if not self._rohc:
                    raise WrongNextHeader("a ROHC packet on an SA without compression")
            elif next_header != NEXT_HEADER_NONE:
                raise WrongNextHeader("tunnel mode carries IP packets only")
        elif self._tfc and next_header == NEXT_HEADER_UDP:
            payload = _udp_datagram(payload)
        return _unprotected(Unprotected, (payload, next_header, sequence, late_by))

    def end(self) -> None:
        """Take no more packets: :meth:`unprotect` raises :class:`~esp.errors.Expired`."""
        self._ended = True

    def lifetime_state(self, age_s: float = 0.0) -> LifetimeState:
        """Where the SA is in its life, ``age_s`` seconds after it was made."""
        if self._ended:
            return LifetimeState.HARD
        if self._lifetime is None:
            return LifetimeState.CURRENT
        return self._lifetime.state(used_bytes=self._bytes, packets=self._packets, age_s=age_s)

    def room_for(self, payload_bytes: int) -> bool:
        """Whether a payload of this size stays within the hard lifetime in octets."""
        return self._lifetime is None or self._lifetime.room_for(
            payload_bytes, used_bytes=self._bytes
        )

    def _check_lifetime(self) -> None:
        """Refuse a packet when octets or packets have reached the hard lifetime."""
        if self.lifetime_state() is LifetimeState.HARD:
            raise Expired("the security association has ended")

    def _resynchronised(self, packet: bytes, sequence: int) -> tuple[int, bytes]:
        """Try a packet that failed in later subspaces, now and then (RFC 4303 Appendix A3.2).

        Gives its number and plaintext; raises BadIcv when it is none of them, or not yet time. A
        flood of forged packets costs ``resync_tries`` checks per ``resync_after`` packets.
        """
        self._failures += 1
        if self._failures >= self._resync_after:
            self._failures = 0
            for _ in range(self._resync_tries):
                sequence += 1 << 32
                if sequence >> 64:
                    break
                try:
                    return sequence, self._open(packet, sequence)
                except BadIcv:
                    continue
        raise BadIcv("the integrity check value does not verify")


def _udp_datagram(payload: bytes) -> bytes:
    """The UDP datagram at the start of a transport payload, without traffic-flow padding."""
    if len(payload) < 8:
        raise MalformedInner("no UDP datagram in the packet")
    length = payload[4] << 8 | payload[5]
    if not 8 <= length <= len(payload):
        raise MalformedInner("the UDP datagram contradicts its length")
    return payload[:length]
