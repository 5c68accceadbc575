"""The RTP timestamp at the compressor (RFC 3095 section 4.5.3, RFC 4815 section 4).

The timestamp is sent scaled: TS = TS_SCALED * TS_STRIDE + TS_OFFSET. As long as TS_SCALED grows as
the SN does, nothing of it is sent. A new TS_STRIDE or TS_OFFSET goes out with the unscaled
timestamp, as often as any other change.
"""

from __future__ import annotations

from rohc.compression.context import CompressorContext
from rohc.encoding.sdvl import MAXIMUM
from rohc.headers.chain import Headers

__all__ = ["TS_MASK", "observe_rtp", "scaled_suffices", "ts_inferred", "unscaled_suffices"]

TS_MASK = 0xFFFFFFFF


def observe_rtp(
    context: CompressorContext,
    headers: Headers,
    last: Headers,
    repeats: int,
    time_stride_ms: int,
    reasons: list[str],
) -> None:
    """Set the control values of the timestamp, and what else of RTP is pending."""
    if time_stride_ms and last.ts_stride > 1 and not last.time_stride and context.now is not None:
        headers.time_stride = time_stride_ms
        context.stride_left = repeats
        reasons.append("time stride")
    _observe_timestamp(context, headers, last, repeats, reasons)
    if (headers.payload_type, headers.padding, headers.extension) != (
        last.payload_type,
        last.padding,
        last.extension,
    ):
        context.rtp_left = repeats
        reasons.append("RTP payload type, P or X bit")
    if headers.csrcs != last.csrcs:
        context.csrc_left = repeats
        reasons.append("CSRC list")


def _observe_timestamp(
    context: CompressorContext, headers: Headers, last: Headers, repeats: int, reasons: list[str]
) -> None:
    stride = last.ts_stride
    if headers.timestamp % stride == last.ts_offset:
        step = _step(headers, last)
        if stride > 1 or step <= 1:
            return
    else:
        step = _step(headers, last)
    if step > 0 and (stride == 1 or step % stride):
        stride = step
        reasons.append("timestamp stride")
    else:
        reasons.append("timestamp offset")
    headers.ts_stride = stride
    headers.ts_offset = headers.timestamp % stride
    context.stride_left = repeats


def _step(headers: Headers, last: Headers) -> int:
    """By how much the timestamp grows per packet, 0 when that is no whole number."""
    packets = (headers.sequence - last.sequence) & 0xFFFF
    growth = (headers.timestamp - last.timestamp) & TS_MASK
    if not 0 < packets < 0x8000 or not growth or growth % packets:
        return 0
    step = growth // packets
    return step if step <= MAXIMUM else 0


def ts_inferred(context: CompressorContext, headers: Headers) -> bool:
    """Whether the timestamp follows from the SN whatever reference the peer has."""
    window = context.timestamps
    stride = headers.ts_stride
    for number, value in zip(window.numbers, window.values, strict=True):
        packets = (headers.sequence - number) & 0xFFFF
        if packets >= 0x8000:
            packets -= 0x10000
        if (value + packets * stride) & TS_MASK != headers.timestamp:
            return False
    return bool(window.values)


def scaled_suffices(context: CompressorContext, headers: Headers, k: int) -> bool:
    """Whether k bits of the scaled timestamp suffice."""
    if k < 2:
        return False
    if headers.time_stride:
        return _timed_suffices(context, headers, k)
    stride, offset = headers.ts_stride, headers.ts_offset
    p = (1 << (k - 2)) - 1
    scaled = (headers.timestamp - offset) // stride
    limit = 1 << k
    for value in context.timestamps.values:
        if value % stride != offset:
            return False
        if (scaled - (value - offset) // stride + p) & TS_MASK >= limit:
            return False
    return bool(context.timestamps.values)


def _timed_suffices(context: CompressorContext, headers: Headers, k: int) -> bool:
    """Whether k bits suffice beside the peer's clock (RFC 3095 section 4.5.4)."""
    now = context.now
    if now is None:
        return False
    stride, offset = headers.ts_stride, headers.ts_offset
    scaled = (headers.timestamp - offset) // stride
    before = 0
    for value, arrived in zip(context.timestamps.values, context.timestamp_times, strict=True):
        if value % stride != offset:
            return False
        passed = int((now - arrived) * 1000 / headers.time_stride)
        before = max(before, abs(scaled - (value - offset) // stride - passed))
    return 2 * (before + context.jitter + 2) + 1 <= 1 << k and bool(context.timestamps.values)


def unscaled_suffices(context: CompressorContext, headers: Headers, k: int) -> bool:
    """Whether k bits of the timestamp itself suffice."""
    return k >= 34 or context.timestamps.suffices(headers.timestamp, k, (1 << (k - 2)) - 1)
