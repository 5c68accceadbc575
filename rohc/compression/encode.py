"""Which packet says what the peer must know, and its octets (RFC 3095 sections 5.3.1.2 and 5.7).

The smallest format wins that carries all that is pending and enough bits of each W-LSB field. What
no compressed format carries goes into IR-DYN, static fields into IR.
"""

from __future__ import annotations

from rohc import framing
from rohc.channel import Mode
from rohc.compression.context import CompressorContext
from rohc.encoding.crc import CRC3, CRC7, CRC8
from rohc.encoding.ip_id import offset_of
from rohc.encoding.wlsb import lies_within
from rohc.formats import sets
from rohc.formats.compressed import Compressed, write_extension_3
from rohc.headers.chain import Headers, IpHeader, Transport
from rohc.headers.coverage import in_crc_order
from rohc.headers.extension import varying_of
from rohc.profiles.spec import Spec, write_ip_dynamic

__all__ = [
    "Encoded",
    "commit",
    "encode_ir",
    "encode_ir_dyn",
    "encode_plain",
    "header_crc",
    "ip_flags",
    "ip_items",
    "sn_suffices",
    "tail_of",
]


class Encoded:
    """A compressed header, not yet sent. It carries all that is pending.

    Attributes:
        name: the packet type.
        octets: the header without CID octets.
    """

    __slots__ = ("name", "octets")

    def __init__(self, name: str, octets: bytes) -> None:
        self.name = name
        self.octets = octets


def encode_ir(context: CompressorContext, spec: Spec, headers: Headers, large: bool) -> Encoded:
    """An IR packet with its dynamic chain (section 5.7.7.1)."""
    chains = spec.write_static_chain(headers) + spec.write_dynamic_chain(headers, context.mode)
    return _initial(context, framing.IR | 1, spec, chains, large, "IR")


def encode_ir_dyn(context: CompressorContext, spec: Spec, headers: Headers, large: bool) -> Encoded:
    """An IR-DYN packet (section 5.7.7.2)."""
    chain = spec.write_dynamic_chain(headers, context.mode)
    return _initial(context, framing.IR_DYN, spec, chain, large, "IR-DYN")


def _initial(
    context: CompressorContext, first: int, spec: Spec, chains: bytes, large: bool, name: str
) -> Encoded:
    head = bytes((first, spec.number & 0xFF, 0))
    if large:
        covered = head[:1] + context.cid_octets + head[1:] + chains
    else:
        covered = context.cid_octets + head + chains
    crc = CRC8.of(covered)
    return Encoded(name, head[:2] + bytes((crc,)) + chains)


def encode_plain(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    raw: bytes,
    sequential: list[int],
    offsets: list[int],
) -> Encoded | None:
    """A packet of type 0, 1 or 2 of a profile without RTP, or None when none of them is enough.

    Args:
        context: the flow.
        spec: its profile.
        headers: the packet's headers.
        raw: their octets in the original packet.
        sequential: places of the IPv4 headers with an IP-ID offset, innermost first.
        offsets: these offsets.
    """
    tail = tail_of(headers)
    if not (any(tracker.pending() for tracker in context.trackers[:2]) or context.must_tell_mode()):
        family = sets.PLAIN_R if context.mode == Mode.RELIABLE else sets.PLAIN_UO
        for form in family:
            if form.bits("CRC") < context.crc_bits_needed(form):
                continue
            if _suffices(context, spec, headers, form, sequential, offsets):
                values = {"SN": headers.sn}
                for name, offset in zip(("IP-ID", "IP-ID2"), offsets, strict=False):
                    values[name] = offset
                values["CRC"] = header_crc(form, headers, raw)
                return Encoded(form.name, form.pack(values) + tail)
    return _with_extension_3(context, spec, headers, raw, sequential, offsets, tail)


def _suffices(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    form: Compressed,
    sequential: list[int],
    offsets: list[int],
) -> bool:
    if not sn_suffices(context, spec, headers, form.bits("SN")):
        return False
    for name, place, offset in zip(("IP-ID", "IP-ID2"), sequential, offsets, strict=False):
        level = headers.levels[place]
        window = context.trackers[place].offsets
        if not level.sid and not window.suffices(offset, form.bits(name), 0):
            return False
    return True


def sn_suffices(context: CompressorContext, spec: Spec, headers: Headers, k: int) -> bool:
    """Whether k bits of the SN suffice whatever reference the peer has."""
    p = spec.sn_shift(k)
    if not spec.own_sn or context.mode == Mode.RELIABLE:
        if context.leap << 1 > 1 << k:
            # A peer would take a longer way ahead for a shorter way back.
            return False
        return context.sn_window.suffices(headers.sn, k, p)
    oldest = (headers.sn - context.sn_window.width) & 0xFFFF
    if (headers.sn - context.sn_floor) & 0xFFFF < context.sn_window.width:
        oldest = context.sn_floor
    return lies_within(oldest, headers.sn, k, p, 0xFFFF)


def _with_extension_3(
    context: CompressorContext,
    spec: Spec,
    headers: Headers,
    raw: bytes,
    sequential: list[int],
    offsets: list[int],
    tail: bytes,
) -> Encoded | None:
    """UOR-2 with extension 3 (sections 5.7.5 and 5.11.4)."""
    flags: dict[str, int] = {"Mode": context.mode_field()}
    items: dict[str, bytes] = {}
    ip_items(context, headers, flags, items, sequential, offsets, 0)
    base = sets.UOR_2_PLAIN[0]
    width = base.bits("SN")
    sn = headers.sn
    if not sn_suffices(context, spec, headers, width):
        if not sn_suffices(context, spec, headers, width + 8):
            return None
        items["SN"] = bytes((sn & 0xFF,))
        sn >>= 8
    values = (sn & ((1 << width) - 1), 1, header_crc(base, headers, raw))
    octets = base.base.pack(*values) + write_extension_3(True, flags, items)
    return Encoded("UOR-2-EXT-3", octets + tail)


def ip_items(
    context: CompressorContext,
    headers: Headers,
    flags: dict[str, int],
    items: dict[str, bytes],
    sequential: list[int],
    offsets: list[int],
    bits_in_base: int,
) -> None:
    """The rows of extension 3 for the IP headers, put into `flags` and `items`.

    Args:
        context: the flow.
        headers: the packet's headers.
        flags: flags that are values themselves, and those that announce a flags octet.
        items: octets of the fields that are sent.
        sequential: places of the IPv4 headers with an IP-ID offset, innermost first.
        offsets: these offsets.
        bits_in_base: how many bits of the innermost offset the base header carries.
    """
    inner = len(headers.levels[:2]) - 1
    for place, ending in ((inner, ""), (0, "2")):
        if place == inner and ending:
            continue
        tracker, level = context.trackers[place], headers.levels[place]
        if tracker.pending():
            ip_flags(flags, level, ending)
            flags["ip" + ending] = 1
            if tracker.tos_left:
                items["TOS" + ending] = bytes((level.tos,))
            if tracker.ttl_left:
                items["TTL" + ending] = bytes((level.ttl,))
    for order, (place, offset) in enumerate(zip(sequential, offsets, strict=True)):
        level = headers.levels[place]
        if level.sid or context.trackers[place].offsets.agrees(offset):
            continue
        if order == 0:
            if bits_in_base and context.trackers[place].offsets.suffices(offset, bits_in_base, 0):
                continue
            items["IP-ID"] = offset.to_bytes(2, "big")
        else:
            items["IP-ID2"] = offset.to_bytes(2, "big")
            ip_flags(flags, level, "2")
            flags["ip2"] = 1


def ip_flags(flags: dict[str, int], level: IpHeader, ending: str) -> None:
    """The flags of one IP header's row that are values themselves."""
    flags["DF" + ending] = level.df
    flags["NBO" + ending] = level.nbo
    flags["RND" + ending] = level.rnd


def tail_of(headers: Headers) -> bytes:
    """What follows the extension, in the order of the original header (section 5.7)."""
    parts: list[bytes] = []
    for level in headers.levels[:2]:
        if level.version == 4 and level.rnd:
            parts.append(level.identification.to_bytes(2, "big"))
        for item in level.extensions:
            parts.append(varying_of(item))
    for level in headers.levels[2:]:
        # RFC 3843 section 3.6
        parts.append(write_ip_dynamic(level))
    if headers.transport == Transport.UDP_LITE:
        if headers.cfp or headers.cce:
            parts.append(headers.coverage.to_bytes(2, "big"))
        parts.append(headers.checksum.to_bytes(2, "big"))
    elif headers.transport == Transport.UDP and headers.checksum_present:
        parts.append(headers.checksum.to_bytes(2, "big"))
    return b"".join(parts)


def header_crc(form: Compressed, headers: Headers, raw: bytes) -> int:
    """The CRC over the original header that the format carries; 0 when it carries none."""
    if not form.bits("CRC"):
        return 0
    crc = CRC3 if form.bits("CRC") == 3 else CRC7
    static, dynamic = in_crc_order(headers, raw)
    return crc.update(crc.update(crc.initial, static), dynamic)


_NO_REFERENCE = frozenset((sets.R_0.name,))


def commit(context: CompressorContext, spec: Spec, headers: Headers, encoded: Encoded) -> None:
    """The packet goes out: references, windows and counters move on."""
    sn = headers.sn
    # RFC 3095 section 5.5.1.2: in R-mode only a 7- or 8-bit CRC makes a reference.
    reliable = context.mode == Mode.RELIABLE
    if not spec.own_sn:
        context.remember_sn(sn)
    if reliable and encoded.name in _NO_REFERENCE:
        context.headers = headers
        return
    if not spec.own_sn or reliable:
        context.sn_window.add(sn, sn)
    if spec.has_rtp:
        context.timestamps.add(sn, headers.timestamp)
        context.timestamp_times.append(context.now or 0.0)
        del context.timestamp_times[: -len(context.timestamps.values)]
    for level, tracker in zip(headers.levels, context.trackers, strict=True):
        if level.version == 4:
            tracker.offsets.add(sn, offset_of(level.identification, sn, bool(level.nbo)))
        if not reliable:
            tracker.count_sent()
    if not reliable:
        context.cce_left -= context.cce_left > 0
    if reliable:
        # RFC 3095 section 5.5.1.1.1: only an ACK gives confidence.
        context.headers = headers
        return
    context.stale_left -= context.stale_left > 0
    if not context.stale_left:
        context.forget_stale()
    context.rtp_left -= context.rtp_left > 0
    context.stride_left -= context.stride_left > 0
    context.csrc_left -= context.csrc_left > 0
    if encoded.name.endswith("EXT-3"):
        context.cancel_left -= context.cancel_left > 0
    if encoded.name == "IR":
        context.ir_left -= context.ir_left > 0
    if encoded.name in ("IR", "IR-DYN"):
        context.dyn_left -= context.dyn_left > 0
    context.headers = headers
