"""Into the hot path and out of it again, and when U-mode asks for a refresh.

`prepare` sets up a `Steady` for a flow whose peer knows everything but the SN; `leave` brings the
context up to the packets that went that way.
"""

from __future__ import annotations

from math import inf

from rohc.channel import Mode, Profile
from rohc.compression.context import CompressorContext
from rohc.compression.heuristic import PACKETS as RTP_PACKETS
from rohc.compression.settings import Settings
from rohc.compression.steady import Steady, Steady4, Steady6
from rohc.encoding.ip_id import offset_of, swapped
from rohc.headers.chain import Headers
from rohc.profiles.spec import Spec

__all__ = ["leave", "prepare", "refresh_due"]

_NEVER = 1 << 60


def refresh_due(context: CompressorContext, now: float | None, settings: Settings) -> str:
    """Which refresh U-mode asks for now: "IR", "IR-DYN" or none (RFC 3095 section 5.3.1.1.2)."""
    if context.mode != Mode.UNIDIRECTIONAL:
        return ""
    if 0 < settings.ir_refresh_packets <= context.since_ir:
        return "IR"
    if now is not None and 0 < settings.ir_refresh_s <= now - context.ir_at:
        return "IR"
    if 0 < settings.fo_refresh_packets <= context.since_fo:
        return "IR-DYN"
    if now is not None and 0 < settings.fo_refresh_s <= now - context.fo_at:
        return "IR-DYN"
    return ""


def prepare(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    packet: bytes,
    settings: Settings,
    large: bool,
) -> bool:
    """Let the next packets of a settled UDP flow take the hot path.

    Args:
        context: the flow, whose last packet was a UO-0, an IR or an IR-DYN packet.
        spec: its profile.
        headers: that packet's headers.
        packet: that packet.
        settings: the user's choices.
        large: whether the channel has large CIDs.

    Returns:
        Whether they may; `context.steady_key` then finds the flow.
    """
    level = headers.levels[0]
    tracker = context.trackers[0]
    if (
        spec.number != Profile.UDP
        or len(headers.levels) > 1
        or level.extensions
        or context.ir_left
        or context.dyn_left
        or context.stale
        or context.always_long_crc
        # A flow that may yet turn out to be RTP must be looked at.
        or (settings.rtp_heuristic and context.sent <= RTP_PACKETS)
        or context.must_tell_mode()
        or context.mode == Mode.RELIABLE
        or tracker.pending()
        or tracker.strikes
    ):
        return False
    steady: Steady
    if level.version == 4:
        offset = offset_of(level.identification, headers.sn, bool(level.nbo))
        if not level.rnd and not tracker.offsets.agrees(offset):
            return False
        steady = Steady4(context.cid_octets, large, headers.checksum_present, level, packet, offset)
        context.steady_key = packet[12:24]
    else:
        steady = Steady6(context.cid_octets, large, headers.checksum_present, packet)
        context.steady_key = packet[8:44]
    steady.sn = headers.sn
    steady.budget = _packets_until_refresh(context, settings)
    context.steady = steady
    context.refresh_at = inf
    if context.mode == Mode.UNIDIRECTIONAL:
        if settings.ir_refresh_s:
            context.refresh_at = context.ir_at + settings.ir_refresh_s
        if settings.fo_refresh_s:
            context.refresh_at = min(context.refresh_at, context.fo_at + settings.fo_refresh_s)
    return True


def _packets_until_refresh(context: CompressorContext, settings: Settings) -> int:
    budget = _NEVER
    if context.mode == Mode.UNIDIRECTIONAL:
        if settings.ir_refresh_packets:
            budget = settings.ir_refresh_packets - context.since_ir
        if settings.fo_refresh_packets:
            budget = min(budget, settings.fo_refresh_packets - context.since_fo)
    return budget


def leave(context: CompressorContext, last: Headers, settings: Settings) -> None:
    """Bring the context up to the packets that took the hot path."""
    steady = context.steady
    context.steady = None
    if steady is None:
        return
    count = _packets_until_refresh(context, settings) - steady.budget
    if not count:
        return
    level = last.levels[0]
    if level.version == 4 and not level.rnd:
        offset = context.trackers[0].offsets.values[-1]
        counter = (steady.sn + offset) & 0xFFFF
        level.identification = counter if level.nbo else swapped(counter)
    last.sn = steady.sn
    if last.checksum_present:
        context.zero_checksums = 0
    context.sent += count
    context.since_ir += count
    context.since_fo += count
