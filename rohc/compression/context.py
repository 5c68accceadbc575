"""What the compressor remembers about one flow and its CID (RFC 3095 section 6.5.1)."""

from __future__ import annotations

from array import array
from math import inf

from rohc.channel import Mode
from rohc.compression.steady import Steady
from rohc.encoding.ip_id import Behaviour
from rohc.encoding.wlsb import Window
from rohc.formats.compressed import Compressed
from rohc.headers.chain import Headers, IpHeader
from rohc.profiles.spec import Spec

__all__ = ["CompressorContext", "LevelTracker"]


RECENT_PACKETS = 64
"""For so many packets an ACK of an old SN is told from one of the same SN sent again."""


class LevelTracker:
    """One IP header of the flow: what the peer may not know yet.

    Attributes:
        offsets: candidates for the peer's reference of the IP-ID offset (RFC 3095 4.5.5).
        behaviour: how the IP-ID is taken to behave.
        strikes: IP-IDs in a row that behaved otherwise.
        tos_left, ttl_left, df_left, identity_left, list_left: how many more packets carry Type of
            Service, Time to Live, DF, the flags NBO and RND, the list of extension headers.
    """

    __slots__ = (
        "behaviour",
        "df_left",
        "identity_left",
        "list_left",
        "offsets",
        "strikes",
        "tos_left",
        "ttl_left",
    )

    def __init__(self, width: int) -> None:
        self.offsets = Window(width, 0xFFFF)
        self.behaviour = Behaviour.SEQUENTIAL
        self.strikes = 0
        self.tos_left = 0
        self.ttl_left = 0
        self.df_left = 0
        self.identity_left = 0
        self.list_left = 0

    def pending(self) -> bool:
        """Whether extension 3 is to carry something of this header."""
        return bool(self.tos_left or self.ttl_left or self.df_left or self.identity_left)

    def settle(self) -> None:
        """The peer knows everything."""
        self.tos_left = self.ttl_left = self.df_left = 0
        self.identity_left = self.list_left = 0

    def count_sent(self) -> None:
        """One more packet carried all that is pending."""
        self.tos_left -= self.tos_left > 0
        self.ttl_left -= self.ttl_left > 0
        self.df_left -= self.df_left > 0
        self.identity_left -= self.identity_left > 0
        self.list_left -= self.list_left > 0


class CompressorContext:
    """One flow.

    Attributes:
        cid: its context identifier, and `cid_octets` its octets in a packet.
        spec: its profile, or None for profile 0x0000.
        key: what the flow is found by.
        headers: the last headers with the context's control values.
        trackers: one per IP header.
        sn_window: candidates for the peer's reference SN, where the SN is not the compressor's own.
        sn_floor: the oldest SN that may be the peer's reference, where it is.
        ir_left, dyn_left: how many more IR and IR-DYN packets are due.
        since_ir, since_fo: packets since the last refresh of all and of the dynamic fields.
        ir_at, fo_at: when these were, in seconds.
        news_sn: the SN of the first packet that carried the latest change, -1 before it is sent;
            `news_at` is its number among those sent.
        recent: the SNs of the last packets where they are the source's own, which may repeat them
            or go back.
        sent: packets sent on this context.
        cce, cce_left: CCE(ON) or CCE(OFF), and how many more packets have that type (RFC 4019);
            where an IR or IR-DYN packet made it necessary, `cce_at` is the first that can.
        coverage_run: packets in a row whose checksum coverage could have been left out.
        long_crc: this packet must have a CRC of 7 or 8 bits.
        checksum_known_right: some UDP checksum of a flow with SNs of its own was right, so that the
            peer may take a wrong one for a sign of wrong headers.
        leap: how far the source's own SN is from the last one; 1 where the compressor makes it.
        stale: headers before the last changes, which a peer may go on with that missed them, and
            `stale_left` for how many more packets that is thought of.
        cancel_left: how many more packets decline a mode transition.
        always_long_crc: all packets must have one.
        reused: another flow of the profile had the CID before; the peer keeps what is not told.
        quiet: packets in which a NACK is passed over.
        transition_pending: C_TRANS is P (RFC 3095 section 5.6.1).
        transition_sn: the SN of the first packet with the new mode, -1 before it is sent.
        timestamps: candidates for the peer's reference of the scaled RTP timestamp.
        stride_left: how many more packets carry TS_STRIDE and the unscaled timestamp.
        csrc_left: how many more packets carry the CSRC list.
        timestamp_times: when the packets with these timestamps came, in seconds; `now` when the
            packet under way did.
        jitter: Max_Jitter_CD in strides (RFC 3095 section 4.5.4).
        rtp_left: how many more packets carry the RTP row of extension 3.
        zero_checksums: UDP checksums in a row that were zero.
        last_used: the compressor's packet count when the flow was last seen.
        steady: the hot path prepared for this flow, or None; `steady_key` finds it.
        refresh_at: when the hot path must let a refresh go first, in seconds.
    """

    __slots__ = (
        "always_long_crc",
        "cancel_left",
        "cce",
        "cce_at",
        "cce_left",
        "checksum_known_right",
        "cid",
        "cid_octets",
        "coverage_run",
        "csrc_left",
        "dyn_left",
        "fo_at",
        "headers",
        "ir_at",
        "ir_left",
        "jitter",
        "key",
        "last_used",
        "leap",
        "long_crc",
        "mode",
        "news_at",
        "news_sn",
        "now",
        "quiet",
        "recent",
        "refresh_at",
        "reused",
        "rtp_left",
        "sent",
        "since_fo",
        "since_ir",
        "sn_floor",
        "sn_window",
        "spec",
        "stale",
        "stale_left",
        "steady",
        "steady_key",
        "stride_left",
        "timestamp_times",
        "timestamps",
        "trackers",
        "transition_pending",
        "transition_sn",
        "zero_checksums",
    )

    def __init__(self, cid: int, cid_octets: bytes, spec: Spec | None, key: bytes) -> None:
        self.cid = cid
        self.cid_octets = cid_octets
        self.spec = spec
        self.key = key
        self.mode = Mode.UNIDIRECTIONAL
        self.headers: Headers | None = None
        self.trackers: list[LevelTracker] = []
        self.sn_window = Window(1, 0xFFFF if spec is None else spec.sn_mask)
        self.sn_floor = 0
        self.ir_left = 0
        self.dyn_left = 0
        self.since_ir = 0
        self.since_fo = 0
        self.ir_at = 0.0
        self.fo_at = 0.0
        self.zero_checksums = 0
        self.last_used = 0
        self.steady: Steady | None = None
        self.steady_key = b""
        self.refresh_at = inf
        self.news_sn = -1
        self.news_at = 0
        self.recent = array("I")
        self.quiet = 0
        self.reused = False
        self.cce = 0
        self.cce_left = 0
        self.cce_at = 0
        self.coverage_run = 0
        self.long_crc = False
        self.leap = 1
        self.checksum_known_right = False
        self.stale: list[Headers] = []
        self.stale_left = 0
        self.always_long_crc = False
        self.cancel_left = 0
        self.sent = 0
        self.rtp_left = 0
        self.stride_left = 0
        self.csrc_left = 0
        self.timestamps = Window(1, 0xFFFFFFFF)
        self.timestamp_times: list[float] = []
        self.now: float | None = None
        self.jitter = 2
        self.transition_pending = False
        self.transition_sn = -1

    def start(self, headers: Headers, width: int, repeats: int) -> None:
        """Begin with the first headers of a flow."""
        self.headers = headers
        self.trackers = [LevelTracker(width) for _ in headers.levels]
        self.sn_window.width = width
        self.timestamps.width = width
        self.ir_left = repeats

    def mode_field(self) -> int:
        """The Mode field of the next packet that has one; 0 cancels a mode transition."""
        return 0 if self.cancel_left else int(self.mode)

    def remember_sn(self, sn: int) -> None:
        """A packet with an SN of the source's own goes out."""
        self.recent.append(sn)
        if len(self.recent) > RECENT_PACKETS:
            del self.recent[0]

    def age_of(self, sn: int, mask: int) -> int:
        """How many packets ago the SN was sent, the first time if it was repeated; -1 for never.

        Args:
            sn: the SN, or some of its bits.
            mask: which bits count.
        """
        recent = self.recent
        for place in range(len(recent)):
            if (recent[place] ^ sn) & mask == 0:
                return len(recent) - 1 - place
        return -1

    def forget_stale(self) -> None:
        """The peer knows the last changes."""
        self.stale.clear()
        self.stale_left = 0
        self.long_crc = False

    def must_tell_mode(self) -> bool:
        """Whether the next packet is to have a Mode field."""
        return self.transition_pending or self.cancel_left > 0

    def crc_bits_needed(self, form: Compressed) -> int:
        """How wide the CRC of a format must be now."""
        if self.mode == Mode.RELIABLE and self.cce_left:
            return 7
        if self.mode == Mode.RELIABLE:
            return 7 if self.sn_window.is_long() and form.bits("CRC") == 0 else 0
        return 7 if self.long_crc or self.always_long_crc or self.leap != 1 else 3

    def sequential_levels(self, headers: Headers) -> list[int]:
        """Places of the IPv4 headers whose IP-ID is sent as an offset, innermost first."""
        return [
            place
            for place in range(min(len(headers.levels), 2) - 1, -1, -1)
            if _is_sequential(headers.levels[place])
        ]


def _is_sequential(level: IpHeader) -> bool:
    return level.version == 4 and not level.rnd
