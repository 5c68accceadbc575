"""A compressed header taken apart: which format, which bits of which field.

Nothing here looks at values in the context but those that decide the format: the mode, the RND
flags and what the static chain holds (RFC 3095 sections 5.7 and 5.7.5.1).
"""

from __future__ import annotations

from rohc.channel import Mode
from rohc.encoding.crc import CRC3, CRC7, Crc
from rohc.encoding.lists import ListState
from rohc.errors import MalformedPacket
from rohc.formats import base, sets
from rohc.formats.compressed import Compressed, Extension3, read_extension_3
from rohc.headers.chain import Headers
from rohc.profiles.spec import Spec

__all__ = ["Received", "inner_of", "outer_of", "take_apart"]


def inner_of(headers: Headers) -> int:
    """The place of the IP header that extension 3 calls inner: the second, or the only one."""
    return 1 if len(headers.levels) > 1 else 0


def outer_of(headers: Headers) -> int:
    """The place of the IP header that extension 3 calls outer, or -1 when there is none."""
    return 0 if len(headers.levels) > 1 else -1


class Received:
    """The fields of a compressed header.

    Attributes:
        name: the packet type.
        kind: 0, 1 or 2, the packet type's number.
        crc: which CRC it carries, or None (R-mode).
        crc_value: the CRC.
        values: the fields that the base header and extensions 0 to 2 hold, by name; extension 3's
            SN, TS and IP-ID bits are joined to them.
        bits: how many bits each of them has.
        extension: the extension 3, or None.
        lists: the list states as they are after this packet.
        at: the offset behind the base header and extension.
        elapsed_s: the time since the last verified packet of the context, when it is known.
        cce: which CCE packet type encloses it (RFC 4019 section 5.3.2), 0 for none.
    """

    __slots__ = (
        "at",
        "bits",
        "cce",
        "crc",
        "crc_value",
        "elapsed_s",
        "extension",
        "kind",
        "lists",
        "name",
        "values",
    )

    def __init__(self, name: str, kind: int) -> None:
        self.name = name
        self.kind = kind
        self.crc: Crc | None = None
        self.crc_value = 0
        self.values: dict[str, int] = {}
        self.bits: dict[str, int] = {}
        self.extension: Extension3 | None = None
        self.lists: list[ListState] | None = None
        self.at = 0
        self.cce = 0
        self.elapsed_s: float | None = None


def take_apart(
    body: bytes, spec: Spec, mode: Mode, headers: Headers, lists: list[ListState]
) -> Received:
    """The fields of a packet of type 0, 1 or 2.

    Args:
        body: the packet from its type octet on, without CID octets.
        spec: the context's profile.
        mode: the context's mode.
        headers: the context's headers.
        lists: the context's list states, not changed.

    Raises:
        MalformedPacket: the octets are no packet of the profile.
    """
    first = body[0]
    if first < 0x80:
        return _type_0(body, mode)
    if first >= 0xE0:
        raise MalformedPacket(f"no packet of profile 0x{spec.number:04x} begins with 0x{first:02x}")
    plain = not spec.has_rtp
    has_t = not plain and _some_sequential(headers, None)
    kind = 1 if first < 0xC0 else 2
    family = _family_of(body, kind, plain, has_t, mode)
    chosen = family[0]
    values = chosen.unpack(body, 0)
    at = chosen.octets
    if not values.get("X"):
        return _finished(Received(chosen.name, kind), chosen, values, at)
    if at >= len(body):
        raise MalformedPacket(f"the packet ends before the extension of {chosen.name}")
    number = body[at] >> 6
    if number < 3:
        chosen = family[number + 1]
        values = chosen.unpack(body, 0)
        return _finished(Received(chosen.name, kind), chosen, values, chosen.octets)
    copies = [state.copy() for state in lists]
    states = _list_states(headers, copies, spec)
    extension, behind = read_extension_3(body, at, plain, states)
    if kind == 2 and not plain and _some_sequential(headers, extension) != has_t:
        # RFC 4815 section 8.3: a changed RND flag changes the base header's format.
        chosen = _family_of(body, kind, plain, not has_t, mode)[0]
        values = chosen.unpack(body, 0)
    received = _finished(Received(f"{chosen.name}-EXT-3", kind), chosen, values, behind)
    received.extension = extension
    received.lists = copies
    for field, more in (("SN", 8), ("TS", extension.ts_bits), ("IP-ID", 16)):
        if field in extension.values:
            received.values[field] = received.values.get(field, 0) << more | extension.values[field]
            received.bits[field] = received.bits.get(field, 0) + more
    if "IP-ID2" in extension.values:
        received.values["IP-ID2"] = extension.values["IP-ID2"]
        received.bits["IP-ID2"] = 16
    return received


def _type_0(body: bytes, mode: Mode) -> Received:
    if mode != Mode.RELIABLE:
        values = sets.UO_0.unpack(body, 0)
        return _finished(Received("UO-0", 0), sets.UO_0, values, 1)
    chosen = sets.R_0_CRC if body[0] & 0x40 else sets.R_0
    values = chosen.unpack(body, 0)
    return _finished(Received(chosen.name, 0), chosen, values, chosen.octets)


def _finished(received: Received, chosen: Compressed, values: dict[str, int], at: int) -> Received:
    received.values = values
    received.bits = chosen.widths.copy()
    width = chosen.bits("CRC")
    if width:
        received.crc = CRC3 if width == 3 else CRC7
        received.crc_value = values["CRC"]
    received.at = at
    return received


def _family_of(
    body: bytes, kind: int, plain: bool, has_t: bool, mode: Mode
) -> tuple[Compressed, ...]:
    """The formats that the first octets allow: without extension, then with 0, 1 and 2."""
    if plain:
        if kind == 2:
            return sets.UOR_2_PLAIN
        return sets.R_1_PLAIN if mode == Mode.RELIABLE else (sets.UO_1_PLAIN,)
    if kind == 2:
        if not has_t:
            return sets.UOR_2_RTP
        if len(body) < base.UOR_2.octets:
            raise MalformedPacket("the packet ends inside UOR-2")
        return sets.UOR_2_TS if body[1] & 0x80 else sets.UOR_2_ID
    if mode == Mode.RELIABLE:
        if not has_t:
            return sets.R_1_RTP
        if len(body) < base.R_1.octets:
            raise MalformedPacket("the packet ends inside R-1")
        return sets.R_1_TS if body[1] & 0x20 else sets.R_1_ID
    if not has_t:
        return (sets.UO_1_RTP,)
    return (sets.UO_1_TS,) if body[0] & 0x20 else sets.UO_1_ID


def _some_sequential(headers: Headers, extension: Extension3 | None) -> bool:
    """Whether an IPv4 header has value(RND) = 0, with what an extension 3 changes."""
    inner, outer = inner_of(headers), outer_of(headers)
    for place, level in enumerate(headers.levels[:2]):
        if level.version != 4:
            continue
        rnd = level.rnd
        if extension is not None:
            if place == inner and extension.flags.get("ip"):
                rnd = extension.flags["RND"]
            if place == outer and extension.flags.get("ip2"):
                rnd = extension.flags["RND2"]
        if not rnd:
            return True
    return False


def _list_states(headers: Headers, copies: list[ListState], spec: Spec) -> dict[str, ListState]:
    states = {"IPX": copies[inner_of(headers)]}
    if outer_of(headers) >= 0:
        states["IPX2"] = copies[outer_of(headers)]
    if spec.has_rtp:
        states["CSRC"] = copies[-1]
    return states
