"""Compressed headers of the profiles with RTP (RFC 3095 sections 5.7.1 to 5.7.5)."""

from __future__ import annotations

from rohc.channel import Mode
from rohc.compression.context import CompressorContext
from rohc.compression.encode import Encoded, header_crc, ip_flags, ip_items, sn_suffices, tail_of
from rohc.compression.timestamp import scaled_suffices, ts_inferred, unscaled_suffices
from rohc.encoding import sdvl
from rohc.encoding.lists import write_generic
from rohc.formats import sets
from rohc.formats.compressed import Compressed, write_extension_3
from rohc.headers.chain import Headers
from rohc.profiles.spec import Spec

__all__ = ["encode_rtp"]

_SELF_DESCRIBING_BITS = (7, 14, 21, 29)


def encode_rtp(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    raw: bytes,
    sequential: list[int],
    offsets: list[int],
) -> Encoded | None:
    """A packet of type 0, 1 or 2, or None when none of them is enough.

    Args:
        context: the flow.
        spec: its profile.
        headers: the packet's headers.
        raw: their octets in the original packet.
        sequential: places of the IPv4 headers with an IP-ID offset, innermost first.
        offsets: these offsets.
    """
    tail = tail_of(headers)
    pending = any(tracker.pending() for tracker in context.trackers[:2])
    if not (pending or _rtp_pending(context)):
        inferred = ts_inferred(context, headers)
        for form in _family(context, bool(sequential)):
            if not _suffices(context, spec, headers, form, sequential, offsets, inferred):
                continue
            values = _values(headers, offsets)
            values["CRC"] = header_crc(form, headers, raw)
            return Encoded(form.name, form.pack(values) + tail)
    return _with_extension_3(context, spec, headers, raw, sequential, offsets, tail)


def _rtp_pending(context: CompressorContext) -> bool:
    """Whether the RTP row of extension 3 is due."""
    return bool(
        context.rtp_left or context.stride_left or context.csrc_left or context.must_tell_mode()
    )


def _family(context: CompressorContext, has_t: bool) -> tuple[Compressed, ...]:
    if context.mode == Mode.RELIABLE:
        return sets.RTP_R_WITH_T if has_t else sets.RTP_R_WITHOUT_T
    return sets.RTP_UO_WITH_T if has_t else sets.RTP_UO_WITHOUT_T


def _values(headers: Headers, offsets: list[int]) -> dict[str, int]:
    values = {"SN": headers.sn, "M": headers.marker}
    values["TS"] = (headers.timestamp - headers.ts_offset) // max(headers.ts_stride, 1)
    if offsets:
        values["IP-ID"] = offsets[0]
    return values


def _suffices(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    form: Compressed,
    sequential: list[int],
    offsets: list[int],
    inferred: bool,
) -> bool:
    if headers.marker and not form.bits("M"):
        return False
    if form.bits("CRC") < context.crc_bits_needed(form):
        return False
    if not sn_suffices(context, spec, headers, form.bits("SN")):
        return False
    ts_bits = form.bits("TS")
    if ts_bits:
        if not scaled_suffices(context, headers, ts_bits):
            return False
    elif not inferred:
        return False
    for order, (place, offset) in enumerate(zip(sequential, offsets, strict=True)):
        if headers.levels[place].sid:
            continue
        bits = 0 if order else form.bits("IP-ID")
        if not context.trackers[place].offsets.suffices(offset, bits, 0):
            return False
    return True


def _with_extension_3(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    raw: bytes,
    sequential: list[int],
    offsets: list[int],
    tail: bytes,
) -> Encoded | None:
    """UOR-2, UOR-2-TS or UOR-2-ID with extension 3 (section 5.7.5)."""
    base = _base_of(context, headers, sequential, offsets)
    flags: dict[str, int] = {}
    items: dict[str, bytes] = {}
    values = _values(headers, offsets)
    ip_items(context, headers, flags, items, sequential, offsets, base.bits("IP-ID"))
    if flags.get("ip2") and not flags.get("ip"):
        # The flag ip2 stands in the inner header's flags, which then must be right.
        ip_flags(flags, headers.levels[1], "")
    if "IP-ID" in items:
        values["IP-ID"] = 0
    scaled = not context.stride_left
    if not _ts_items(context, headers, base, scaled, values, flags, items):
        return None
    marker_left = headers.marker and not base.bits("M")
    if _rtp_pending(context) or marker_left:
        _rtp_items(context, headers, flags, items)
    width = base.bits("SN")
    if not sn_suffices(context, spec, headers, width):
        if not sn_suffices(context, spec, headers, width + 8):
            return None
        items["SN"] = bytes((headers.sn & 0xFF,))
        values["SN"] = headers.sn >> 8
    values["CRC"] = header_crc(base, headers, raw)
    octets = base.base.pack(
        *[1 if field == "X" else values.get(field, 0) for field in base.base.fields]
    )
    octets += write_extension_3(False, flags, items)
    return Encoded(f"{base.name}-EXT-3", octets + tail)


def _base_of(
    context: CompressorContext, headers: Headers, sequential: list[int], offsets: list[int]
) -> Compressed:
    """UOR-2-ID where its few IP-ID bits save the two octets of extension 3, else UOR-2-TS."""
    if not sequential:
        return sets.UOR_2_RTP[0]
    window = context.trackers[sequential[0]].offsets
    if (
        not context.stride_left
        and not headers.levels[sequential[0]].sid
        and not window.agrees(offsets[0])
        and window.suffices(offsets[0], sets.UOR_2_ID[0].bits("IP-ID"), 0)
    ):
        return sets.UOR_2_ID[0]
    return sets.UOR_2_TS[0]


def _ts_items(
    context: CompressorContext,
    headers: Headers,
    base: Compressed,
    scaled: bool,
    values: dict[str, int],
    flags: dict[str, int],
    items: dict[str, bytes],
) -> bool:
    """The TS bits of the base header and of extension 3; False when they cannot suffice."""
    in_base = base.bits("TS")
    flags["Tsc"] = int(scaled)
    value = values["TS"] if scaled else headers.timestamp
    if scaled:
        if in_base and scaled_suffices(context, headers, in_base):
            return True
        if not in_base and ts_inferred(context, headers):
            return True
    for more in _SELF_DESCRIBING_BITS:
        if scaled:
            enough = scaled_suffices(context, headers, in_base + more)
        else:
            enough = unscaled_suffices(context, headers, in_base + more)
        if enough:
            items["TS"] = sdvl.encode_bits(value, more)
            values["TS"] = value >> more & ((1 << in_base) - 1)
            return True
    return False


def _rtp_items(
    context: CompressorContext,
    headers: Headers,
    flags: dict[str, int],
    items: dict[str, bytes],
) -> None:
    flags["rtp"] = 1
    flags["Mode"] = context.mode_field()
    flags["M"] = headers.marker
    flags["R-X"] = headers.extension
    if context.rtp_left or headers.padding:
        # RFC 4815 section 6.4: without R-PT the peer takes the padding bit for zero.
        items["RTP PT"] = bytes((headers.padding << 7 | headers.payload_type,))
    if context.csrc_left:
        csrcs = tuple(csrc.to_bytes(4, "big") for csrc in headers.csrcs)
        items["CSRC"] = write_generic(csrcs)
    if context.stride_left:
        items["TS_STRIDE"] = sdvl.encode(headers.ts_stride)
        if headers.time_stride:
            items["TIME_STRIDE"] = sdvl.encode(headers.time_stride)
