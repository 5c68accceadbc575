"""From the fields of a compressed header to the original headers (RFC 3095 section 5.3.2.2.2).

`Candidate` is the outcome of one attempt with one reference for the SN; it is kept only when the
CRC says that it is the original. The context is not touched here.
"""

from __future__ import annotations

from rohc.decompression.received import Received, inner_of, outer_of
from rohc.encoding import wlsb
from rohc.encoding.ip_id import offset_of, swapped
from rohc.encoding.lists import ListState
from rohc.errors import MalformedPacket
from rohc.headers.build import build_headers
from rohc.headers.chain import Headers, IpHeader, Transport
from rohc.headers.coverage import in_crc_order
from rohc.headers.extension import GRE, has_sequence, replaced, sequence_of, varying_of
from rohc.profiles.spec import Spec, read_ip_dynamic

__all__ = ["Candidate", "attempt", "decode_sn", "moved_by_sn"]


class Candidate:
    """Headers that may be the original ones.

    Attributes:
        headers: the headers of this packet.
        updated: the headers as the context shall have them; another record than `headers` when
            the packet does not update all that it carries.
        raw: the octets of the original headers.
        at: the offset of the payload in the packet.
        checksum_right: what the UDP checksum says; None when there is none or nobody looked.
    """

    __slots__ = ("at", "checksum_right", "headers", "raw", "updated")

    def __init__(self, headers: Headers, updated: Headers, raw: bytes, at: int) -> None:
        self.headers = headers
        self.updated = updated
        self.raw = raw
        self.at = at
        self.checksum_right: bool | None = None

    def verifies(self, received: Received) -> bool:
        """Whether the CRC of the packet matches these headers."""
        crc = received.crc
        if crc is None:
            return True
        static, dynamic = in_crc_order(self.headers, self.raw)
        return crc.update(crc.update(crc.initial, static), dynamic) == received.crc_value


def decode_sn(received: Received, spec: Spec, reference: int) -> int:
    """The SN of the packet with this reference."""
    bits = received.bits["SN"]
    return wlsb.decode(reference, received.values["SN"], bits, spec.sn_shift(bits), spec.sn_mask)


def attempt(
    received: Received,
    body: bytes,
    spec: Spec,
    context: Headers,
    lists: list[ListState],
    sn: int,
) -> Candidate:
    """The headers of the packet if its SN is `sn`.

    Args:
        received: the fields.
        body: the packet from its type octet on.
        spec: the profile.
        context: the context's headers, not changed.
        lists: the context's list states, not changed.
        sn: the SN.

    Raises:
        MalformedPacket: the packet ends inside its header, or contradicts itself.
    """
    headers = context.copy()
    headers.sn = sn
    if not spec.own_sn:
        headers.sequence = sn
    _apply_extension_3(received, headers)
    at = _read_tail(received, body, headers, context, lists)
    _apply_identifications(received, headers, context)
    if spec.has_rtp:
        _apply_rtp(received, headers, context)
    payload_octets = len(body) - at
    if headers.transport == Transport.UDP_LITE:
        _apply_coverage(headers, received.cce, headers.transport_octets + payload_octets)
    raw = build_headers(headers, payload_octets)
    headers.size = len(raw)
    updated = headers
    if received.kind == 1 and received.extension is not None:
        updated = moved_by_sn(headers, context)
    return Candidate(headers, updated, raw, at)


def _apply_coverage(headers: Headers, cce: int, length: int) -> None:
    """RFC 4019 sections 5.3.2.1 to 5.3.2.3 and 5.5."""
    if not headers.cfp and not cce:
        headers.coverage = length if headers.cfi else headers.coverage_kept
    if cce == 2:
        headers.cfp = True
    elif cce == 3:
        headers.cfp = False
        headers.cfi = headers.coverage == length
        headers.coverage_kept = headers.coverage


def moved_by_sn(headers: Headers, context: Headers) -> Headers:
    """The context's headers with the SN, TS and IP-ID of a packet.

    RFC 4815 section 6.2: UO-1-ID updates only these, whatever its extension says.

    Recorded compressors also establish TS_STRIDE this way. A compressor that keeps to the RFC has
    no use for a TS_STRIDE in this packet, so that taking it disturbs nobody.
    """
    updated = context.copy()
    updated.sn = headers.sn
    updated.sequence = headers.sequence
    updated.timestamp = headers.timestamp
    updated.ts_stride = headers.ts_stride
    updated.ts_offset = headers.ts_offset
    for mine, theirs in zip(updated.levels, headers.levels, strict=True):
        mine.identification = theirs.identification
    return updated


def _apply_extension_3(received: Received, headers: Headers) -> None:
    extension = received.extension
    if extension is None:
        return
    flags = extension.flags
    values = extension.values
    if flags["ip"]:
        _apply_ip(headers.levels[inner_of(headers)], flags, values, "", extension.lists)
    if flags.get("ip2"):
        place = outer_of(headers)
        if place < 0:
            raise MalformedPacket("extension 3 has outer IP header flags, but there is one header")
        _apply_ip(headers.levels[place], flags, values, "2", extension.lists)


def _apply_ip(
    level: IpHeader,
    flags: dict[str, int],
    values: dict[str, int],
    ending: str,
    lists: dict[str, tuple[bytes, ...]],
) -> None:
    level.tos = values.get("TOS" + ending, level.tos)
    level.ttl = values.get("TTL" + ending, level.ttl)
    level.protocol = values.get("PR" + ending, level.protocol)
    level.extensions = lists.get("IPX" + ending, level.extensions)
    if level.version == 4:
        level.df = flags["DF" + ending]
        level.nbo = flags["NBO" + ending]
        level.rnd = flags["RND" + ending]


def _read_tail(
    received: Received,
    body: bytes,
    headers: Headers,
    context: Headers,
    lists: list[ListState],
) -> int:
    """What follows the extension, in the order of the original header (RFC 3095 section 5.7)."""
    at = received.at
    outer = outer_of(headers)
    for place, level in enumerate(headers.levels[:2]):
        if level.version == 4 and level.rnd:
            level.identification, at = _two_octets(body, at, "IP-ID")
        if level.extensions:
            ending = "2" if place == outer else ""
            at = _read_varying(received, body, at, headers, context, place, ending)
    if len(headers.levels) > 2:
        # RFC 3843 section 3.6: the list of dynamic chains for additional IP headers.
        if received.lists is None:
            received.lists = [state.copy() for state in lists]
        for level, state in zip(headers.levels[2:], received.lists[2:], strict=False):
            at = read_ip_dynamic(body, at, level, state)
    if headers.transport == Transport.UDP_LITE:
        if headers.cfp or received.cce:
            headers.coverage, at = _two_octets(body, at, "UDP-Lite checksum coverage")
        headers.checksum, at = _two_octets(body, at, "UDP-Lite checksum")
    elif headers.transport == Transport.UDP and headers.checksum_present:
        headers.checksum, at = _two_octets(body, at, "UDP checksum")
    return at


def _read_varying(
    received: Received,
    body: bytes,
    at: int,
    headers: Headers,
    context: Headers,
    place: int,
    ending: str,
) -> int:
    """AH data, GRE checksums, and sequence numbers that follow the SN (section 5.8.4)."""
    level = headers.levels[place]
    extension = received.extension
    if extension is not None and "IPX" + ending in extension.lists:
        # Uncompressed items carry everything themselves.
        return at
    items: list[bytes] = []
    for item in level.extensions:
        octets = len(varying_of(item))
        data = body[at : at + octets]
        if len(data) < octets:
            raise MalformedPacket("the packet ends inside its AH data or GRE checksum")
        at += octets
        if has_sequence(item):
            sequence = sequence_of(item) + headers.sn - context.sn
            letter = f"IPX{ending}{'G' if item[0] == GRE else 'A'}"
            if extension is not None and letter in extension.sequences:
                value, bits = extension.sequences[letter]
                sequence = wlsb.decode(sequence_of(item), value, bits, -1, 0xFFFFFFFF)
            item = replaced(item, sequence, data)
        elif data:
            item = replaced(item, 0, data)
        items.append(item)
    level.extensions = tuple(items)
    return at


def _two_octets(body: bytes, at: int, name: str) -> tuple[int, int]:
    if at + 2 > len(body):
        raise MalformedPacket(f"the packet ends before its {name}")
    return body[at] << 8 | body[at + 1], at + 2


def _apply_identifications(received: Received, headers: Headers, context: Headers) -> None:
    """Offset IP-ID decoding (section 4.5.5)."""
    innermost = True
    second = received.bits.get("IP-ID2", 0)
    for place in range(min(len(headers.levels), 2) - 1, -1, -1):
        level = headers.levels[place]
        if level.version != 4 or level.rnd:
            continue
        bits, value = 0, 0
        if innermost:
            innermost = False
            bits, value = received.bits.get("IP-ID", 0), received.values.get("IP-ID", 0)
        if place == 0 and len(headers.levels) > 1 and second:
            bits, value = second, received.values["IP-ID2"]
        if level.sid:
            continue
        reference = offset_of(context.levels[place].identification, context.sn, bool(level.nbo))
        bits = min(bits, 16)
        offset = wlsb.decode(reference, value, bits, 0, 0xFFFF)
        counter = (headers.sn + offset) & 0xFFFF
        level.identification = counter if level.nbo else swapped(counter)


def _apply_rtp(received: Received, headers: Headers, context: Headers) -> None:
    """Marker, timestamp and the RTP row of extension 3 (sections 5.7 and 5.7.5, RFC 4815 4)."""
    values, bits = received.values, received.bits
    extension = received.extension
    scaled = True
    marker = values.get("M", 0)
    if extension is not None:
        scaled = bool(extension.flags["Tsc"])
        if extension.flags["rtp"]:
            if "M" in values and values["M"] != extension.flags["M"]:
                # RFC 4815 section 8.4
                raise MalformedPacket("the two M bits of the packet differ")
            marker = extension.flags["M"]
            _apply_rtp_fields(received, headers, scaled)
    headers.marker = marker
    k = bits.get("TS", 0)
    stride = context.ts_stride
    if not scaled:
        if not k:
            # RFC 4815 section 4.2
            raise MalformedPacket("an unscaled timestamp without bits")
        p = (1 << (k - 2)) - 1
        headers.timestamp = wlsb.decode(context.timestamp, values["TS"], k, p, 0xFFFFFFFF)
        if headers.ts_stride:
            # RFC 4815 section 4.5
            headers.ts_offset = headers.timestamp % headers.ts_stride
        return
    if not stride:
        return
    reference = (context.timestamp - context.ts_offset) // stride
    if k and context.time_stride and received.elapsed_s is not None:
        # RFC 3095 section 4.5.4, RFC 4815 section 4.3: the clock gives the reference.
        reference += int(received.elapsed_s * 1000 / context.time_stride)
        scaled_value = wlsb.decode(reference, values["TS"], k, (1 << (k - 1)) - 1, 0xFFFFFFFF)
    elif k:
        p = (1 << (k - 2)) - 1
        scaled_value = wlsb.decode(reference, values["TS"], k, p, 0xFFFFFFFF)
    else:
        delta = (headers.sn - context.sn) & 0xFFFF
        scaled_value = reference + (delta if delta < 0x8000 else delta - 0x10000)
    headers.timestamp = (scaled_value * stride + context.ts_offset) & 0xFFFFFFFF
    headers.ts_offset = context.ts_offset


def _apply_rtp_fields(received: Received, headers: Headers, scaled: bool) -> None:
    extension = received.extension
    if extension is None:
        return
    flags, values = extension.flags, extension.values
    headers.extension = flags["R-X"]
    headers.padding = 0
    if flags["R-PT"]:
        headers.padding = values["RTP PT"] >> 7
        headers.payload_type = values["RTP PT"] & 0x7F
    if flags["CSRC"]:
        headers.csrcs = tuple(int.from_bytes(item, "big") for item in extension.lists["CSRC"])
    if flags["TSS"] and not scaled:
        # RFC 4815 section 4.6: with a scaled TS the stride is ignored.
        headers.ts_stride = values["TS_STRIDE"]
    if flags["TIS"]:
        headers.time_stride = values["TIME_STRIDE"]
