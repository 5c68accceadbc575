"""What feedback does to a compressor context (RFC 3095 sections 5.3.1.3, 5.4.1 and 5.5.1).

    ACK            what was sent up to its SN is known: repetitions end, windows shrink
    NACK           IR-DYN packets repair the dynamic fields
    STATIC-NACK    IR packets repair everything
    REJECT,
    CONTEXT_MEMORY the flow is no longer compressed

A Mode field counts only under a matching CRC option (RFC 4815 section 3.2). After a NACK has been
acted on, further ones are passed over for as many packets as the repair takes: neither a burst of
them nor forged ones make refreshes come faster.
"""

from __future__ import annotations

from rohc.channel import Mode, Profile
from rohc.compression.context import CompressorContext
from rohc.compression.settings import Settings
from rohc.feedback import Feedback
from rohc.formats.feedback import AckType
from rohc.profiles.spec import Spec

__all__ = ["RELIABLE_WIDTH", "apply", "set_width"]

_MAY_DECLINE = frozenset((Profile.IP, Profile.UDP_LITE_RTP, Profile.UDP_LITE))
RELIABLE_WIDTH = 64
"""R-mode: how many references may wait for an ACK; more are not sent."""
QUIET_PACKETS = 4
"""Packets after a repair has begun in which further NACKs are passed over."""


def apply(
    context: CompressorContext, spec: Spec | None, feedback: Feedback, settings: Settings
) -> None:
    """Let feedback work on the context that it names."""
    if spec is None or context.headers is None:
        # RFC 3095 section 5.10.3 c: any feedback moves profile 0x0000 to Bidirectional mode.
        if settings.mode != Mode.UNIDIRECTIONAL:
            context.mode = Mode.OPTIMISTIC
        context.ir_left = 0
        return
    sn = _matching_sn(context, spec, feedback)
    if feedback.ack_type == AckType.ACK and sn >= 0:
        if spec.own_sn:
            _acknowledged(context, spec, sn)
        else:
            _acknowledged_by_age(context, spec, sn, feedback)
    if feedback.protected:
        _move(context, spec, feedback, settings, sn)
    if feedback.jitter >= 0 and feedback.protected:
        # RFC 3095 section 5.7.6.8: a smaller jitter may be ignored.
        context.jitter = max(context.jitter, feedback.jitter)
    if feedback.loss >= 0 and feedback.protected:
        _widen(context, feedback.loss)
    if feedback.ack_type == AckType.ACK:
        return
    if context.mode == Mode.UNIDIRECTIONAL or context.quiet:
        return
    context.quiet = QUIET_PACKETS
    context.news_sn = -1
    if feedback.ack_type == AckType.STATIC_NACK:
        context.ir_left = settings.optimistic_repeats
    else:
        context.dyn_left = settings.optimistic_repeats


def _matching_sn(context: CompressorContext, spec: Spec, feedback: Feedback) -> int:
    """The SN of the most recent packet whose SN has these bits, or -1 (section 5.7.6.1)."""
    headers = context.headers
    if headers is None or not feedback.sn_valid:
        return -1
    bits = min(feedback.sn_bits, 32)
    distance = (headers.sn - feedback.sn) & ((1 << bits) - 1) & spec.sn_mask
    if spec.own_sn and distance >= context.sent:
        return -1
    sn = (headers.sn - distance) & spec.sn_mask
    kept = context.mode == Mode.RELIABLE or not spec.own_sn
    if kept and sn not in context.sn_window.numbers:
        # RFC 3095 section 5.5.1.2: an ACK for no packet that was sent is invalid. It may be one
        # for the flow that had the CID before.
        return -1
    return sn


def _acknowledged(context: CompressorContext, spec: Spec, sn: int) -> None:
    """The peer has verified the packet with this SN."""
    headers = context.headers
    if headers is None:
        return
    mask = spec.sn_mask
    distance = (headers.sn - sn) & mask
    if spec.own_sn and distance <= (headers.sn - context.sn_floor) & mask:
        context.sn_floor = sn
    _drop_older(context, sn, mask)
    if context.news_sn < 0 or distance > (headers.sn - context.news_sn) & mask:
        return
    _settle(context, context.sent - distance)


def _acknowledged_by_age(
    context: CompressorContext, spec: Spec, sn: int, feedback: Feedback
) -> None:
    """The same where the SNs are the source's own.

    A source may repeat them or go back, and the ACK may be late: it is taken for the first of the
    packets that it can mean.
    """
    bits = (1 << min(feedback.sn_bits, 32)) - 1 & spec.sn_mask
    age = context.age_of(feedback.sn, bits)
    if age < 0:
        return
    if context.mode != Mode.RELIABLE:
        for window in (context.sn_window, context.timestamps):
            window.keep(age + 1)
        del context.timestamp_times[: -age - 1]
        for tracker in context.trackers:
            tracker.offsets.keep(age + 1)
    elif context.recent.count(sn) == 1:
        _drop_older(context, sn, spec.sn_mask)
    if context.news_sn >= 0 and context.sent - age >= context.news_at:
        _settle(context, context.sent - age)


def _drop_older(context: CompressorContext, sn: int, mask: int) -> None:
    """No packet before the one with this SN gives the peer's reference any more."""
    context.sn_window.acknowledge(sn, mask)
    context.timestamps.acknowledge(sn, mask)
    if context.timestamps.values:
        del context.timestamp_times[: -len(context.timestamps.values)]
    for tracker in context.trackers:
        tracker.offsets.acknowledge(sn, mask)


def _settle(context: CompressorContext, packet: int) -> None:
    """The peer knows everything that the packet with this number among those sent told."""
    context.ir_left = 0
    context.dyn_left = 0
    context.rtp_left = 0
    context.stride_left = 0
    context.csrc_left = 0
    if packet >= context.cce_at:
        context.cce_left = 0
    context.forget_stale()
    for tracker in context.trackers:
        tracker.settle()


def _move(
    context: CompressorContext, spec: Spec, feedback: Feedback, settings: Settings, sn: int
) -> None:
    """C_MODE and C_TRANS (section 5.6)."""
    wanted = feedback.mode
    headers = context.headers
    if context.transition_pending and wanted == context.mode and context.transition_sn >= 0:
        if sn >= 0 and headers is not None:
            reached = (headers.sn - sn) & spec.sn_mask
            if reached <= (headers.sn - context.transition_sn) & spec.sn_mask:
                context.transition_pending = False
        return
    if wanted > settings.mode and spec.number in _MAY_DECLINE:
        # RFC 3843 section 3.4, RFC 4019 section 5.6: Mode 0 cancels the transition.
        context.cancel_left = settings.optimistic_repeats
        return
    if context.transition_pending or not Mode.UNIDIRECTIONAL <= wanted <= settings.mode:
        # RFC 3095 section 5.6.1: requests during a transition are ignored.
        return
    if wanted == context.mode:
        return
    if context.mode == Mode.UNIDIRECTIONAL and wanted == Mode.OPTIMISTIC:
        context.mode = Mode.OPTIMISTIC
        return
    context.mode = Mode(wanted)
    context.transition_pending = True
    context.transition_sn = -1
    if wanted == Mode.RELIABLE and headers is not None:
        # What may be the peer's reference now stays a candidate until an ACK says otherwise.
        if spec.own_sn:
            context.sn_window.clear()
            for number in (context.sn_floor, headers.sn):
                context.sn_window.add(number, number)
        set_width(context, RELIABLE_WIDTH)


def _widen(context: CompressorContext, loss: int) -> None:
    """RFC 3095 section 5.7.6.9: the windows cover the longest loss; they do not shrink again."""
    if context.mode != Mode.RELIABLE:
        set_width(context, min(max(context.sn_window.width, loss + 1), 15))


def set_width(context: CompressorContext, width: int) -> None:
    """Let every window of the context hold so many candidates."""
    context.sn_window.width = width
    context.timestamps.width = width
    for tracker in context.trackers:
        tracker.offsets.width = width
