"""What the compressor says about a packet: which packet type, and why.

First what the peer is yet to be told (`observe`), then what a refresh asks for, then the smallest
packet that carries all of it; at the end the context moves on.
"""

from __future__ import annotations

import random

from rohc.channel import Mode
from rohc.compression.acknowledge import RELIABLE_WIDTH, set_width
from rohc.compression.context import CompressorContext
from rohc.compression.encode import Encoded, commit, encode_ir, encode_ir_dyn, encode_plain
from rohc.compression.encode_rtp import encode_rtp
from rohc.compression.hot import leave, refresh_due
from rohc.compression.observe import leap_of, observe
from rohc.compression.settings import Settings
from rohc.encoding.ip_id import offset_of
from rohc.formats.base import CCE, CCE_NAMES
from rohc.headers.chain import Headers, Transport
from rohc.headers.checksum import right_in
from rohc.profiles.spec import Spec

__all__ = ["ONLY_SN", "encode"]

ONLY_SN = "only the sequence number is new"


def encode(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    packet: bytes,
    now: float | None,
    why: str,
    settings: Settings,
    *,
    large: bool,
    clocked: bool,
) -> tuple[Encoded, str]:
    """The compressed header of one packet, and why it is this one; the context moves on.

    Args:
        context: the flow.
        spec: its profile.
        headers: the packet's headers.
        packet: the packet.
        now: the time in seconds, or None.
        why: the reason that is known already, or "".
        settings: the user's choices.
        large: whether the channel has large CIDs.
        clocked: the peer has told its clock resolution.
    """
    last = context.headers
    context.now = now
    if context.steady is not None and last is not None:
        leave(context, last, settings)
    if last is None:
        _start(context, spec, headers, settings)
    else:
        if spec.own_sn:
            headers.sn = (last.sn + 1) & 0xFFFF
        else:
            headers.sn = headers.sequence
            context.leap = leap_of(headers.sn, last.sn, spec.sn_mask)
        timed = clocked and context.mode != Mode.UNIDIRECTIONAL
        time_stride = settings.time_stride_ms if timed else 0
        why = observe(context, spec, headers, last, settings, time_stride)
    context.quiet -= context.quiet > 0
    news = bool(why) or context.news_sn < 0
    refresh = refresh_due(context, now, settings)
    if headers.checksum_present and not headers.checksum:
        # An IR or IR-DYN packet with a zero checksum would say that none is in use.
        refresh = ""
    context.since_ir += 1
    context.since_fo += 1
    looks_wrong = not spec.own_sn and _looks_wrong(context, headers, packet)
    headers.explicit_stride = context.reused or context.stride_left > 0
    encoded: Encoded | None = None
    if context.ir_left or refresh == "IR":
        encoded = encode_ir(context, spec, headers, large)
        why = why or ("refresh" if refresh else "static part repeated")
    elif not (context.dyn_left or refresh or looks_wrong):
        encoded = _compressed_header(context, spec, headers, packet[: headers.size])
        why = why or ONLY_SN
    if encoded is None:
        encoded = encode_ir_dyn(context, spec, headers, large)
        why = why or ("refresh" if refresh else "dynamic part repeated")
    if encoded.name in ("IR", "IR-DYN"):
        context.since_fo = 1
        context.fo_at = context.fo_at if now is None else now
        if encoded.name == "IR":
            context.since_ir = 1
            context.ir_at = context.ir_at if now is None else now
        if spec.transport == Transport.UDP and headers.checksum_present != bool(headers.checksum):
            # RFC 3095 section 5.7: the packet itself has just said so.
            headers.checksum_present = bool(headers.checksum)
            context.dyn_left = max(context.dyn_left, settings.optimistic_repeats)
            news = True
        if spec.transport == Transport.UDP_LITE:
            news = _coverage_told(context, headers, settings) or news
    context.sent += 1
    if (
        context.transition_pending
        and context.transition_sn < 0
        and (encoded.name.endswith("EXT-3") or (spec.has_rtp and encoded.name[:2] == "IR"))
    ):
        context.transition_sn = headers.sn
    if news:
        context.news_sn = headers.sn
        context.news_at = context.sent
    commit(context, spec, headers, encoded)
    return encoded, why


def _coverage_told(context: CompressorContext, headers: Headers, settings: Settings) -> bool:
    """RFC 4019 section 5.2.2: what an IR or IR-DYN packet says about the coverage field."""
    length = headers.payload_octets + headers.transport_octets
    cfi = headers.coverage == length
    cfp = headers.cfp or not cfi
    kept = headers.coverage
    told = (headers.cfp, headers.cfi, headers.coverage_kept) == (cfp, cfi, kept)
    pending = bool(headers.cce) or context.cce_left > 0
    headers.cfp, headers.cfi, headers.coverage_kept = cfp, cfi, kept
    headers.cce = 0
    if (told or (cfi and not cfp)) and not pending:
        return False
    # A peer that misses this packet, or had not heard of the last change, must be told again.
    context.coverage_run = 0
    context.cce = 2 if cfp else 3
    context.cce_left = settings.optimistic_repeats + 1
    # This packet, not counted yet, does not tell; the next one does.
    context.cce_at = context.sent + 2
    return True


def _compressed_header(
    context: CompressorContext, spec: Spec, headers: Headers, raw: bytes
) -> Encoded | None:
    """A packet of type 0, 1 or 2, if one of them is enough."""
    sequential = context.sequential_levels(headers)
    offsets = [
        offset_of(level.identification, headers.sn, bool(level.nbo))
        for level in (headers.levels[place] for place in sequential)
    ]
    encode = encode_rtp if spec.has_rtp else encode_plain
    encoded = encode(context, spec, headers, raw, sequential, offsets)
    if encoded is not None and headers.cce:
        outer = CCE.pack(headers.cce >> 1, headers.cce & 1)
        name = f"{encoded.name}-{CCE_NAMES[headers.cce]}"
        return Encoded(name, outer + encoded.octets)
    return encoded


def _start(context: CompressorContext, spec: Spec, headers: Headers, settings: Settings) -> None:
    repeats = settings.optimistic_repeats
    context.start(headers, repeats, repeats)
    context.always_long_crc = settings.reordering_expected
    if context.mode == Mode.RELIABLE:
        set_width(context, RELIABLE_WIDTH)
    headers.checksum_present = headers.checksum != 0
    headers.cfi = headers.coverage == headers.payload_octets + headers.transport_octets
    headers.cfp = not headers.cfi
    headers.coverage_kept = headers.coverage
    if spec.own_sn:
        first = settings.first_sn
        headers.sn = random.randrange(0x10000) if first is None else first
        context.sn_floor = headers.sn
    else:
        headers.sn = headers.sequence


def _looks_wrong(context: CompressorContext, headers: Headers, packet: bytes) -> bool:
    """Whether a peer would take a packet whose source's own SN is not the next for another one.

    One that goes back, or repeats an SN, looks as if it came late, and would be restored from older
    headers. One behind a gap looks wrongly restored if its UDP checksum is wrong where others were
    right. An IR-DYN packet leaves no doubt.
    """
    if context.leap == 1 and context.checksum_known_right:
        return False
    size = headers.size
    right = right_in(headers, packet[:size], packet[size:])
    suspicious = context.checksum_known_right and right is False
    context.checksum_known_right = context.checksum_known_right or right is True
    return context.leap < 1 or (context.leap > 1 and suspicious)
