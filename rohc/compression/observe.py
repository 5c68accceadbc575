"""What is new in a packet of a known flow, and for how long the peer is to be told.

`observe` compares a packet's headers with the last ones, decides how each IP-ID is compressed, and
sets the counters of what is pending. In U- and O-mode the optimistic approach repeats each change
in `optimistic_repeats` packets (RFC 3095 section 5.3.1.1.1).
"""

from __future__ import annotations

from rohc.compression.context import CompressorContext, LevelTracker
from rohc.compression.settings import Settings
from rohc.compression.timestamp import observe_rtp
from rohc.encoding.crc import CRC3
from rohc.encoding.ip_id import Behaviour, behaviour_between, swapped
from rohc.formats import base
from rohc.headers.build import build_headers
from rohc.headers.chain import Headers, IpHeader, Transport
from rohc.headers.coverage import in_crc_order
from rohc.headers.extension import skeleton
from rohc.profiles.spec import Spec

__all__ = ["leap_of", "observe"]

LONG_CRC_FACTOR = 4
"""For how many times `optimistic_repeats` packets after a change a peer is thought of that missed
it, and the 7-bit CRC is used where the 3-bit CRC cannot tell."""
STALE_MAX = 3
"""How many changes in a row it may have missed."""
UO_0_INTERVAL = 1 << base.UO_0.bits("SN")
COVERAGE_RUN = 4
"""Packets in a row with a checksum coverage that could be left out before it is left out."""
ZERO_CHECKSUMS_TO_STOP = 16
"""After so many zero UDP checksums in a row they are no longer sent; see `_observe_checksum`."""


def leap_of(sn: int, last: int, mask: int) -> int:
    """By how much the source's own SN goes on: 0 when it repeats it, less when it goes back."""
    ahead = (sn - last) & mask
    return ahead if ahead <= mask >> 1 else ahead - mask - 1


def observe(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    last: Headers,
    settings: Settings,
    time_stride_ms: int,
) -> str:
    """Set the control values of `headers` and the context's counters.

    Args:
        context: the flow.
        spec: its profile.
        headers: the packet's headers, with the SN; control values are filled in.
        last: the headers before.
        settings: the user's choices.
        time_stride_ms: TIME_STRIDE where timer-based compression may be used, else 0.

    Returns:
        What changed, in words for a person; empty when nothing did.
    """
    reasons: list[str] = []
    repeats = settings.optimistic_repeats
    headers.checksum_present = last.checksum_present
    headers.cfp = last.cfp
    headers.cfi = last.cfi
    headers.ts_stride = last.ts_stride
    headers.ts_offset = last.ts_offset
    headers.time_stride = last.time_stride
    for place, tracker in enumerate(context.trackers):
        _observe_level(
            context,
            tracker,
            headers.levels[place],
            last.levels[place],
            headers.sn,
            last.sn,
            repeats,
            spec.static_id or settings.static_ip_id,
            reasons,
        )
    if spec.has_rtp:
        observe_rtp(context, headers, last, repeats, time_stride_ms, reasons)
    if reasons:
        _observe_change(context, headers, last, repeats)
    context.long_crc = bool(context.stale) and _short_crc_is_blind(context, headers)
    if spec.transport == Transport.UDP:
        _observe_checksum(context, headers, repeats, reasons)
    elif spec.transport == Transport.UDP_LITE:
        _observe_coverage(context, headers, last, repeats, reasons)
    return ", ".join(reasons)


def _observe_level(
    context: CompressorContext,
    tracker: LevelTracker,
    level: IpHeader,
    last: IpHeader,
    sn: int,
    last_sn: int,
    repeats: int,
    static_id: bool,
    reasons: list[str],
) -> None:
    if level.tos != last.tos:
        tracker.tos_left = repeats
        reasons.append("Type of Service" if level.version == 4 else "Traffic Class")
    if level.ttl != last.ttl:
        tracker.ttl_left = repeats
        reasons.append("Time to Live" if level.version == 4 else "Hop Limit")
    if (level.extensions or last.extensions) and skeleton(level.extensions, sn) != skeleton(
        last.extensions, last_sn
    ):
        context.dyn_left = max(context.dyn_left, repeats)
        reasons.append("extension headers")
    if level.version != 4:
        return
    if level.df != last.df:
        tracker.df_left = repeats
        reasons.append("Don't Fragment")
    level.rnd, level.nbo, level.sid = last.rnd, last.nbo, last.sid
    seen = behaviour_between(last.identification, level.identification)
    if seen == tracker.behaviour:
        tracker.strikes = 0
        return
    tracker.strikes += 1
    # While IR packets are repeated anyway a change costs nothing; later one jump is no habit.
    # A constant that changes is at once no longer constant: nothing else would tell it.
    if tracker.strikes < (1 if context.ir_left or level.sid else 2):
        return
    tracker.behaviour = seen
    tracker.strikes = 0
    rnd = int(seen == Behaviour.RANDOM or (seen == Behaviour.CONSTANT and not static_id))
    nbo = level.nbo if rnd else int(seen != Behaviour.SWAPPED)
    sid = int(seen == Behaviour.CONSTANT and static_id)
    if (rnd, nbo) != (level.rnd, level.nbo):
        level.rnd, level.nbo = rnd, nbo
        tracker.identity_left = repeats
        tracker.offsets.clear()
        reasons.append("IP-ID behaviour")
    if sid != level.sid:
        # RFC 3843 section 3.3: only IR and IR-DYN update SID.
        level.sid = sid
        tracker.offsets.clear()
        context.dyn_left = max(context.dyn_left, repeats)
        reasons.append("static IP-ID")


def _observe_checksum(
    context: CompressorContext, headers: Headers, repeats: int, reasons: list[str]
) -> None:
    """RFC 3095 section 5.7: only IR and IR-DYN say whether UDP checksums are in use.

    A zero checksum can be sent as it is where checksums are in use. Leaving them out costs some
    IR-DYN packets and saves two octets per packet, so it is done only after a run of zeros.
    """
    if headers.checksum:
        context.zero_checksums = 0
        if not headers.checksum_present:
            headers.checksum_present = True
            context.dyn_left = max(context.dyn_left, repeats)
            reasons.append("UDP checksum in use")
        return
    context.zero_checksums += 1
    if headers.checksum_present and context.zero_checksums >= ZERO_CHECKSUMS_TO_STOP:
        headers.checksum_present = False
        context.dyn_left = max(context.dyn_left, repeats)
        reasons.append("UDP checksum not in use")


def _observe_coverage(
    context: CompressorContext, headers: Headers, last: Headers, repeats: int, reasons: list[str]
) -> None:
    """Whether the checksum coverage is sent, and with which CCE packet type (RFC 4019 5.3.2)."""
    length = headers.payload_octets + headers.transport_octets
    whole = headers.coverage == length
    headers.coverage_kept = last.coverage_kept
    fits = whole if headers.cfi else headers.coverage == headers.coverage_kept
    if not headers.cfp:
        if fits:
            context.coverage_run += 1
        elif context.coverage_run >= COVERAGE_RUN:
            # One packet that is different: CCE() carries its coverage and changes nothing else.
            context.coverage_run = 0
            headers.cce = 1
            reasons.append("another checksum coverage")
        else:
            headers.cfp = True
            context.cce, context.cce_left = 2, repeats
            context.coverage_run = 0
            reasons.append("checksum coverage changes")
    else:
        same = (
            whole
            if last.coverage == last.payload_octets + last.transport_octets
            else (headers.coverage == last.coverage)
        )
        context.coverage_run = context.coverage_run + 1 if same else 0
        if context.coverage_run >= COVERAGE_RUN and not context.cce_left:
            headers.cfp = False
            headers.cfi = whole
            headers.coverage_kept = headers.coverage
            context.cce, context.cce_left = 3, repeats
            reasons.append("checksum coverage is steady")
    if context.cce_left and not headers.cce:
        headers.cce = context.cce
        if context.cce == 3:
            headers.cfi = whole
            headers.coverage_kept = headers.coverage


def _observe_change(
    context: CompressorContext, headers: Headers, last: Headers, repeats: int
) -> None:
    """Remember what a peer that misses the change would go on with."""
    before, _ = in_crc_order(last, build_headers(last, 0))
    after, _ = in_crc_order(headers, build_headers(headers, 0))
    if before == after:
        return
    context.stale_left = LONG_CRC_FACTOR * repeats
    context.stale.append(last)
    del context.stale[:-STALE_MAX]


def _short_crc_is_blind(context: CompressorContext, headers: Headers) -> bool:
    """RFC 3095 section 5.9.2, note: a change that the 3-bit CRC cannot see.

    A peer that missed the change restores this packet with an old value. Where neither the 3-bit
    CRC nor the header checksum of IPv4, which is under it, would tell, the longer CRC has to; and
    likewise where a peer that missed 16 packets would take the SN of UO-0 for one 16 lower.
    """
    octets = headers.payload_octets
    static, dynamic = in_crc_order(headers, build_headers(headers, octets))
    right = CRC3.of(static + dynamic)
    for old in context.stale:
        wrong = headers.copy()
        for level, before in zip(wrong.levels, old.levels, strict=True):
            level.tos, level.ttl, level.df = before.tos, before.ttl, before.df
        wrong.csrcs = old.csrcs
        other, varying = in_crc_order(wrong, build_headers(wrong, octets))
        if other == static:
            continue
        if CRC3.of(other) == CRC3.of(static) or CRC3.of(other + varying) == right:
            return True
        for level in wrong.levels:
            if level.version == 4 and not level.rnd and not level.sid:
                counter = level.identification if level.nbo else swapped(level.identification)
                counter = counter - UO_0_INTERVAL & 0xFFFF
                level.identification = counter if level.nbo else swapped(counter)
        other, varying = in_crc_order(wrong, build_headers(wrong, octets))
        if CRC3.of(other + varying) == right:
            return True
    return False
