"""A ROHC packet in words: each field by its RFC name, in the order of its octets.

    print(explain(octets, decompressor))

Of a compressed header the RFC's figure depends on the context: its profile, its mode, its RND
flags, what its static chain holds. The decompressor that would receive the packet knows them.
Without one, framing, feedback, IR and IR-DYN packets are named whole, and of a compressed header
what all profiles have in common. Nothing is changed by explaining.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

from rohc import framing
from rohc.channel import Channel, Mode, Profile
from rohc.decompression.context import DecompressorContext
from rohc.decompression.received import Received, take_apart
from rohc.decompression.reconstruct import attempt, decode_sn
from rohc.decompressor import Decompressor
from rohc.encoding.crc import CRC8, fcs32
from rohc.encoding.lists import ListState, read_list
from rohc.errors import MalformedPacket, RohcError, UnsupportedProfile
from rohc.feedback import read_feedback
from rohc.formats import parts
from rohc.formats.base import CCE, CCE_NAMES
from rohc.formats.feedback import AckType
from rohc.formats.figure import Figure
from rohc.headers.chain import Headers, Transport
from rohc.headers.extension import item_octets, varying_of
from rohc.profiles.registry import spec_of
from rohc.profiles.spec import Spec

__all__ = ["Explanation", "Field", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a packet.

    Attributes:
        name: the RFC's name.
        value: its value as a number, or None for octets without one.
        octets: the octets that hold it, perhaps together with its neighbours.
        at: where these begin in the packet.
        note: what a person would want to know about it.
        in_unit: `at` counts from the beginning of the unit that this last segment completes.
    """

    name: str
    value: int | None
    octets: bytes
    at: int
    note: str = ""
    in_unit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a packet says.

    Attributes:
        packet_type: its type's name, "" when it cannot be told; that of the reconstructed unit
            where this is the last segment and the others are known.
        profile: its profile's number, -1 when it cannot be told.
        cid: its context identifier, -1 when it has none.
        fields: its fields in order.
        problem: why the rest could not be named, "" when all was.
    """

    packet_type: str
    profile: int
    cid: int
    fields: tuple[Field, ...]
    problem: str = ""

    def __str__(self) -> str:
        profile = f"profile 0x{self.profile:04x}" if self.profile >= 0 else "profile unknown"
        lines = [f"{self.packet_type or 'unknown packet'}, CID {self.cid}, {profile}"]
        for field in self.fields:
            # An address as a number says nothing; its note says it as an address.
            number = None if field.name.endswith("Address") else field.value
            value = "" if number is None else str(number)
            octets = (
                field.octets.hex(" ")
                if len(field.octets) <= 8
                else (f"{field.octets[:6].hex(' ')} ... ({len(field.octets)} octets)")
            )
            lines.append(f"  {field.at:4}  {octets:30} {field.name:24} {value:>12}  {field.note}")
        if self.problem:
            lines.append(f"  {self.problem}")
        return "\n".join(line.rstrip() for line in lines)


FCS_OCTETS = 4
_KNOWN = frozenset(int(profile) for profile in Profile)


class _Teller:
    """Collects fields while it walks through a packet."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fields: list[Field] = []
        self.at = 0

    def octets(self, name: str, count: int, note: str = "", number: bool = True) -> int:
        """A field of whole octets."""
        piece = self.data[self.at : self.at + count]
        if len(piece) < count:
            raise MalformedPacket(f"the packet ends inside {name}")
        value = int.from_bytes(piece, "big")
        self.fields.append(
            Field(name=name, value=value if number else None, octets=piece, at=self.at, note=note)
        )
        self.at += count
        return value

    def figure(self, figure: Figure) -> dict[str, int]:
        """All fields of a figure."""
        values = figure.named(figure.unpack(self.data, self.at))
        piece = self.data[self.at : self.at + figure.octets]
        for name, value in values.items():
            note = figure.section if name == figure.fields[0] else ""
            if name.endswith("Address"):
                width = figure.bits(name) // 8
                note = str(ip_address(value.to_bytes(width, "big")))
            self.fields.append(Field(name=name, value=value, octets=piece, at=self.at, note=note))
        self.at += figure.octets
        return values

    def rest(self) -> None:
        """The payload."""
        if self.at < len(self.data):
            piece = self.data[self.at :]
            self.fields.append(
                Field(
                    name="payload",
                    value=None,
                    octets=piece,
                    at=self.at,
                    note=f"{len(piece)} octets",
                )
            )
            self.at = len(self.data)


def explain(
    data: bytes, context: Decompressor | None = None, *, channel: Channel | None = None
) -> Explanation:
    """Name every field of a ROHC packet.

    Args:
        data: the packet, with padding and feedback in front if it has them.
        context: the decompressor that would receive the packet next; it is not changed.
        channel: the channel's parameters where there is no decompressor; small CIDs by default.
    """
    if context is not None:
        channel = context.channel
    teller = _Teller(data)
    large = channel.large_cids if channel is not None else False
    name, profile, cid, problem = "", -1, -1, ""
    try:
        _front(teller, large)
        if teller.at >= len(data):
            name = "feedback" if teller.fields else ""
        else:
            name, profile, cid = _header(teller, large, context)
    except RohcError as error:
        problem = str(error)
        teller.rest()
    return Explanation(
        packet_type=name, profile=profile, cid=cid, fields=tuple(teller.fields), problem=problem
    )


def _front(teller: _Teller, large: bool) -> None:
    """Padding and feedback (RFC 5795 section 5.2)."""
    data = teller.data
    while teller.at < len(data) and data[teller.at] == framing.PADDING:
        teller.octets("padding", 1, "RFC 5795 5.2.1")
    while teller.at < len(data) and data[teller.at] & 0xF8 == framing.FEEDBACK:
        element, behind = framing.read_feedback_element(data, teller.at)
        head = 1 if element[0] & 7 else 2
        teller.octets("feedback type", 1, f"{len(element) - head} octets of feedback follow")
        if head == 2:
            teller.octets("feedback size", 1)
        _feedback(teller, element, large, behind)


def _feedback(teller: _Teller, element: bytes, large: bool, behind: int) -> None:
    try:
        (feedback,) = read_feedback(element, large)
    except MalformedPacket as error:
        teller.octets("feedback data", behind - teller.at, str(error), number=False)
        return
    told = [f"CID {feedback.cid}"]
    if feedback.mode:
        mode = _mode_name(feedback.mode)
        told += [AckType(feedback.ack_type).name.replace("_", "-"), f"mode {mode}"]
    else:
        told.append("ACK (FEEDBACK-1)")
    told.append(f"SN ...{feedback.sn} ({feedback.sn_bits} bits)")
    for there, text in (
        (not feedback.sn_valid, "SN-NOT-VALID"),
        (feedback.reject, "REJECT"),
        (feedback.context_memory, "CONTEXT_MEMORY"),
        (feedback.clock_resolution_ms >= 0, f"CLOCK {feedback.clock_resolution_ms} ms"),
        (feedback.jitter >= 0, f"JITTER {feedback.jitter}"),
        (feedback.loss >= 0, f"LOSS {feedback.loss}"),
        (feedback.protected, "CRC good"),
    ):
        if there:
            told.append(text)
    teller.octets("feedback data", behind - teller.at, ", ".join(told), number=False)


def _mode_name(mode: int) -> str:
    if mode in tuple(Mode):
        return Mode(mode).name[0]
    return str(mode)


def _header(teller: _Teller, large: bool, context: Decompressor | None) -> tuple[str, int, int]:
    data = teller.data
    start = teller.at
    first = data[start]
    if first & 0xFE == framing.SEGMENT:
        return _segment(teller, large, context)
    cid = 0
    if not large and first & 0xF0 == framing.ADD_CID:
        cid = first & 0x0F
        teller.octets("Add-CID", 1, f"CID {cid}")
        if teller.at >= len(data):
            raise MalformedPacket("the packet ends behind its Add-CID octet")
        first = data[teller.at]
    type_at = teller.at
    size = 0
    if large:
        cid, size = framing.read_large_cid(data, type_at + 1)
    # The figures have the CID behind their first octet; they are read from a packet without it.
    body = data[type_at : type_at + 1] + data[type_at + 1 + size :]
    inner = _Teller(body)
    try:
        name, profile = _body(inner, data[start:], cid, size or (type_at - start), context)
    finally:
        _take_over(teller, inner, type_at, size, cid)
    teller.at = len(data)
    return name, profile, cid


def _segment(teller: _Teller, large: bool, context: Decompressor | None) -> tuple[str, int, int]:
    """A segment, and behind the last one the unit (RFC 5795 section 5.2.5)."""
    last = bool(teller.data[teller.at] & 1)
    teller.octets("segment type", 1, "the last segment" if last else "more follow")
    piece = teller.data[teller.at :]
    count = len(piece)
    teller.octets("segment", count, f"{count} octets of a unit", number=False)
    if context is None or not last or not context.channel.mrru:
        return "segment", -1, -1
    unit = b"".join([*context._reassembly.segments, piece])
    packet, fcs = unit[:-FCS_OCTETS], unit[-FCS_OCTETS:]
    if not packet:
        raise MalformedPacket(f"a reconstructed unit of {len(unit)} octets, its CRC alone")
    inner = _Teller(packet)
    good = fcs32(packet) == fcs
    told = "segment", -1, -1
    problem: RohcError | None = None
    if good and packet[0] & 0xFE != framing.SEGMENT:
        try:
            told = _header(inner, large, context)
        except RohcError as error:
            problem = error
            inner.rest()
    note = f"{'good' if good else 'does not match'}; the unit has {len(unit)} octets"
    end = Field(name="FCS-32", value=None, octets=fcs, at=len(packet), note=note)
    teller.fields += [replace(field, in_unit=True) for field in (*inner.fields, end)]
    if problem is not None:
        raise problem
    return told


def _take_over(teller: _Teller, inner: _Teller, type_at: int, size: int, cid: int) -> None:
    """The fields of the packet without CID, at their places in the packet with it."""
    first_octet = [field for field in inner.fields if not field.at]
    for number, field in enumerate(inner.fields):
        at = field.at + type_at + (size if field.at else 0)
        teller.fields.append(
            Field(name=field.name, value=field.value, octets=field.octets, at=at, note=field.note)
        )
        if size and number == len(first_octet) - 1:
            octets = teller.data[type_at + 1 : type_at + 1 + size]
            teller.fields.append(Field(name="large CID", value=cid, octets=octets, at=type_at + 1))
    teller.at = type_at + inner.at + (size if inner.at else 0)


def _body(
    teller: _Teller, framed: bytes, cid: int, cid_octets: int, context: Decompressor | None
) -> tuple[str, int]:
    first = teller.data[0]
    if first & 0xFE == framing.IR or first == framing.IR_DYN:
        return _initial(teller, framed, cid_octets, cid, context)
    known = None if context is None else context.context_of(cid)
    if known is not None and known.spec is None:
        teller.octets("first octet of the packet", 1, "RFC 3095 5.10.2")
        teller.rest()
        return "Normal", 0
    if known is None or known.spec is None or known.headers is None:
        kind = "type 0" if first < 0x80 else "type 1" if first < 0xC0 else "type 2"
        if first >= 0xE0:
            raise MalformedPacket(f"no packet begins with 0x{first:02x}")
        teller.octets("first octet", 1, f"packet {kind}; its fields depend on the context")
        teller.rest()
        return f"packet {kind}", -1
    return _compressed(teller, known, known.spec, known.headers)


def _initial(
    teller: _Teller, framed: bytes, cid_octets: int, cid: int, context: Decompressor | None
) -> tuple[str, int]:
    first = teller.data[0]
    name = "IR-DYN" if first == framing.IR_DYN else "IR"
    dynamic = name == "IR-DYN" or bool(first & 1)
    note = "" if name == "IR-DYN" else f"D = {first & 1}: dynamic chain {'present' * (first & 1)}"
    teller.octets("packet type", 1, f"{name} {note}".strip().rstrip(":"))
    number = teller.octets("Profile", 1)
    crc_at = len(teller.fields)
    crc = teller.octets("CRC", 1)
    if number == Profile.UNCOMPRESSED:
        good = CRC8.of(framed[: 2 + cid_octets]) == crc
        _judge(teller, crc_at, good)
        teller.rest()
        return name, 0
    if number not in _KNOWN:
        raise UnsupportedProfile(f"profile 0x{number:02x} is not one of this package's")
    spec = spec_of(Profile(number))
    headers: Headers | None = None
    if name == "IR":
        headers = _static_chain(teller, spec)
    else:
        known = None if context is None else context.context_of(cid)
        if known is not None and known.headers is not None:
            headers = known.headers.copy()
    if headers is None:
        raise MalformedPacket("the dynamic chain cannot be named without the static context")
    if dynamic or not spec.has_rtp:
        _dynamic_chain(teller, spec, headers)
    covered = framed[: 2 + cid_octets] + b"\x00" + framed[3 + cid_octets : teller.at + cid_octets]
    _judge(teller, crc_at, CRC8.of(covered) == crc)
    teller.rest()
    return name, number


def _judge(teller: _Teller, place: int, good: bool) -> None:
    old = teller.fields[place]
    teller.fields[place] = Field(
        name=old.name,
        value=old.value,
        octets=old.octets,
        at=old.at,
        note="good" if good else "does not match",
    )


def _static_chain(teller: _Teller, spec: Spec) -> Headers:
    headers, _ = spec.read_static_chain(teller.data, teller.at)
    for level in headers.levels:
        teller.figure(parts.IPV4_STATIC if level.version == 4 else parts.IPV6_STATIC)
    if spec.transport == Transport.ESP:
        teller.figure(parts.ESP_STATIC)
    elif spec.transport != Transport.NONE:
        teller.figure(parts.UDP_STATIC)
    if spec.has_rtp:
        teller.figure(parts.RTP_STATIC)
    return headers


def _dynamic_chain(teller: _Teller, spec: Spec, headers: Headers) -> None:
    for level in headers.levels:
        teller.figure(parts.IPV4_DYNAMIC if level.version == 4 else parts.IPV6_DYNAMIC)
        _, behind = read_list(teller.data, teller.at, ListState(), item_octets)
        teller.octets("extension header list", behind - teller.at, number=False)
    if spec.transport == Transport.ESP:
        teller.figure(parts.ESP_DYNAMIC)
    elif spec.transport == Transport.UDP:
        teller.figure(parts.UDP_DYNAMIC)
    elif spec.transport == Transport.UDP_LITE:
        teller.figure(parts.UDP_LITE_DYNAMIC)
    if spec.has_rtp:
        start = teller.at
        values = teller.figure(parts.RTP_DYNAMIC)
        lists = [ListState() for _ in range(len(headers.levels) + 1)]
        behind = spec.read_rtp_dynamic_end(teller.data, start, headers, lists[-1])
        what = "CSRC list" if not values["RX"] else "CSRC list, X, Mode and strides"
        teller.octets(what, behind - teller.at, number=False)
    if spec.own_sn:
        teller.figure(parts.IP_DYNAMIC_END)


def _compressed(
    teller: _Teller, context: DecompressorContext, spec: Spec, headers: Headers
) -> tuple[str, int]:
    outer = teller.data[0]
    extends = 0xF8 < outer < framing.IR and spec.transport == Transport.UDP_LITE
    if extends and len(teller.data) > 1:
        teller.figure(CCE)
        inner = _Teller(teller.data[1:])
        name, number = _inner(inner, context, spec, headers, outer & 3)
        _take_over(teller, inner, 1, 0, 0)
        return f"{name}-{CCE_NAMES[outer & 3]}", number
    return _inner(teller, context, spec, headers, 0)


def _inner(
    teller: _Teller, context: DecompressorContext, spec: Spec, headers: Headers, cce: int
) -> tuple[str, int]:
    data = teller.data
    received = take_apart(data, spec, context.mode, headers, context.lists)
    received.cce = cce
    sn = decode_sn(received, spec, headers.sn)
    try:
        candidate = attempt(received, data, spec, headers, context.lists, sn)
        verdict = "good" if candidate.verifies(received) else "does not match"
        payload_at = candidate.at
    except MalformedPacket:
        verdict, payload_at = "cannot be checked", received.at
    notes = {"CRC": verdict, "SN": f"SN {sn}"}
    for name, bits in received.bits.items():
        piece = data[: received.at]
        text = notes.get(name, "")
        if name in ("SN", "TS", "IP-ID", "IP-ID2"):
            text = f"{bits} bits; {text}".rstrip("; ")
        teller.fields.append(
            Field(name=name, value=received.values[name], octets=piece, at=0, note=text)
        )
    _extension_3(teller, received)
    teller.at = received.at
    _tail(teller, spec, headers, received, payload_at)
    teller.rest()
    return received.name, int(spec.number)


def _extension_3(teller: _Teller, received: Received) -> None:
    extension = received.extension
    if extension is None:
        return
    octets = teller.data[: received.at]
    for name, value in {**extension.flags, **extension.values}.items():
        if name in ("SN", "TS", "IP-ID", "IP-ID2"):
            continue
        note = "extension 3"
        if name == "Mode":
            note += f", {_mode_name(value)}"
        teller.fields.append(Field(name=name, value=value, octets=octets, at=0, note=note))
    for name, items in extension.lists.items():
        text = f"extension 3, {len(items)} items"
        teller.fields.append(Field(name=name, value=None, octets=octets, at=0, note=text))


def _tail_with_ah(teller: _Teller, left: int) -> None:
    """AH data have no fixed size; the tail is shown whole."""
    if left > 0:
        teller.octets("IP-IDs, AH data, checksum", left, number=False)


def _tail(
    teller: _Teller, spec: Spec, headers: Headers, received: Received, payload_at: int
) -> None:
    left = payload_at - teller.at
    names: list[str] = []
    for place, level in enumerate(headers.levels[:2]):
        outer = place == 0 and len(headers.levels) > 1
        rnd = level.rnd
        if received.extension is not None:
            rnd = received.extension.flags.get("RND2" if outer else "RND", rnd)
        if level.version == 4 and rnd:
            names.append("IP-ID of outer IPv4 header" if outer else "IP-ID of inner IPv4 header")
        for extension in level.extensions:
            if varying_of(extension):
                return _tail_with_ah(teller, left)
    if spec.transport == Transport.UDP_LITE:
        names += ["UDP-Lite Checksum Coverage"] * (headers.cfp or received.cce > 0) + [
            "UDP-Lite Checksum"
        ]
    elif spec.transport == Transport.UDP and headers.checksum_present:
        names.append("UDP Checksum")
    if left == 2 * len(names):
        for name in names:
            teller.octets(name, 2)
    elif left > 0:
        teller.octets("tail", left, number=False)
