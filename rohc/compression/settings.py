"""What the user of a compressor chooses."""

from __future__ import annotations

from dataclasses import dataclass

from rohc.channel import Mode
from rohc.errors import RohcUsageError

__all__ = ["Settings"]

REPEATS_MAX = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Parameters of a compressor (RFC 3095 section 6.3.1).

    Args:
        mode: the highest mode of operation.
        optimistic_repeats: how many packets in a row carry a change before it is taken for known,
            and the width of the W-LSB windows; 1 to 15.
        ir_refresh_packets, fo_refresh_packets: in U-mode, after how many packets an IR and an
            IR-DYN packet refreshes the context; 0 for never.
        ir_refresh_s, fo_refresh_s: the same by time in seconds; 0 for never.
        rtp_ports: UDP destination ports whose packets are RTP.
        rtp_heuristic: take UDP payloads for RTP that look like it (see `RtpHeuristic`).
        time_stride_ms: the time of one RTP timestamp stride in milliseconds, for timer-based
            compression; 0 for none.
        reordering_expected: choose packets that survive reordering behind the compressor.
        static_ip_id: use the SID flag in profiles 0x0001 to 0x0003 too.
        first_sn: the first sequence number of each flow, for profiles where the compressor makes
            it; None for a random one.
    """

    mode: Mode
    optimistic_repeats: int
    ir_refresh_packets: int
    fo_refresh_packets: int
    ir_refresh_s: float
    fo_refresh_s: float
    rtp_ports: frozenset[int]
    rtp_heuristic: bool
    time_stride_ms: int
    reordering_expected: bool
    static_ip_id: bool
    first_sn: int | None

    def __post_init__(self) -> None:
        if not 1 <= self.optimistic_repeats <= REPEATS_MAX:
            raise RohcUsageError(
                f"optimistic_repeats is 1 to {REPEATS_MAX}, not {self.optimistic_repeats}"
            )
        for name, value in (
            ("ir_refresh_packets", self.ir_refresh_packets),
            ("fo_refresh_packets", self.fo_refresh_packets),
            ("ir_refresh_s", self.ir_refresh_s),
            ("fo_refresh_s", self.fo_refresh_s),
        ):
            if value < 0:
                raise RohcUsageError(f"{name} is 0 (never) or more, not {value}")
        if self.first_sn is not None and not 0 <= self.first_sn <= 0xFFFF:
            raise RohcUsageError(f"first_sn is 0 to 65535, not {self.first_sn}")
        if not 0 <= self.time_stride_ms < 1 << 29:
            raise RohcUsageError(
                f"time_stride_ms is 0 to {(1 << 29) - 1}, not {self.time_stride_ms}"
            )
        for port in self.rtp_ports:
            if not 0 <= port <= 0xFFFF:
                raise RohcUsageError(f"an RTP port is 0 to 65535, not {port}")
