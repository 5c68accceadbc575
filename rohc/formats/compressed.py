"""Compressed headers: a base header with or without one of the extensions.

`Compressed` joins the figures of `base` and `extensions` into one format in which each field has
one name and one width, whichever of the two carries its bits. `Extension3` is the content of the
extension that has no fixed form.
"""

from __future__ import annotations

from rohc.encoding import sdvl
from rohc.encoding.lists import ListState, csrc_length, read_list
from rohc.errors import MalformedPacket
from rohc.formats import extensions as ext
from rohc.formats.figure import Figure
from rohc.headers.extension import item_octets

__all__ = ["IPX_FLAGS", "Compressed", "Extension3", "read_extension_3", "write_extension_3"]

IPX_FLAGS = Figure(
    "IP extension headers",
    "RFC 3095 5.8.5.1",
    """
    +-----+-----+-----+-----+-----+-----+-----+-----+
    | CL  | ASeq| ESeq| Gseq|          res          |  1 octet
    +-----+-----+-----+-----+-----+-----+-----+-----+
    """,
)


class Compressed:
    """A base header, and an extension of fixed form or none.

    Args:
        base: the base header's figure.
        extension: the figure of extension 0, 1 or 2, or None.
        plus_t: what +T stands for; -T is the other of "TS" and "IP-ID". Empty when neither is used.
        minus_t: what -T stands for.
    """

    __slots__ = (
        "_base_fields",
        "_extension_fields",
        "base",
        "extension",
        "name",
        "octets",
        "widths",
    )

    def __init__(
        self, base: Figure, extension: Figure | None = None, plus_t: str = "", minus_t: str = ""
    ) -> None:
        self.base = base
        self.extension = extension
        self.name = base.name if extension is None else f"{base.name}-EXT-{extension.name[-1]}"
        self.octets = base.octets + (0 if extension is None else extension.octets)
        names = {"+T": plus_t, "-T": minus_t}
        added = () if extension is None else extension.fields
        added_widths = () if extension is None else extension.widths
        extension_names = [names.get(field, field) for field in added]
        low: dict[str, int] = {}
        placed: list[tuple[str, int, int]] = []
        # From the right: a field's last piece holds its least significant bits (4.5.7).
        for field, width in zip(reversed(extension_names), reversed(added_widths), strict=True):
            placed.append((field, width, low.get(field, 0)))
            low[field] = low.get(field, 0) + width
        self._extension_fields = tuple(reversed(placed))
        self._base_fields = tuple(
            (field, width, low.get(field, 0))
            for field, width in zip(base.fields, base.widths, strict=True)
        )
        self.widths: dict[str, int] = {}
        for field, width, _ in self._base_fields + self._extension_fields:
            self.widths[field] = self.widths.get(field, 0) + width

    def bits(self, field: str) -> int:
        """How many bits of `field` the format carries."""
        return self.widths.get(field, 0)

    def pack(self, values: dict[str, int]) -> bytes:
        """The octets of the format; a field without value is zero, X is set as fits."""
        has_extension = self.extension is not None
        head = self.base.pack(
            *[
                int(has_extension) if field == "X" else values.get(field, 0) >> low
                for field, _, low in self._base_fields
            ]
        )
        if self.extension is None:
            return head
        return head + self.extension.pack(
            *[values.get(field, 0) >> low for field, _, low in self._extension_fields]
        )

    def unpack(self, data: bytes, at: int) -> dict[str, int]:
        """Field values by name at offset `at`, each with all its bits."""
        values: dict[str, int] = {}
        numbers = self.base.unpack(data, at)
        for (field, _, low), number in zip(self._base_fields, numbers, strict=True):
            values[field] = values.get(field, 0) | number << low
        if self.extension is not None:
            numbers = self.extension.unpack(data, at + self.base.octets)
            for (field, _, low), number in zip(self._extension_fields, numbers, strict=True):
                values[field] = values.get(field, 0) | number << low
        return values


class Extension3:
    """The content of an extension 3 (RFC 3095 sections 5.7.5 and 5.11.4).

    Attributes:
        flags: flags that are values themselves (DF, NBO, RND, Mode, Tsc, M, ...) and the flags
            that announce octets.
        values: the fields that are present, by name.
        ts_bits: how many bits the TS field has, 0 when it is absent.
        lists: the decompressed lists that are present ("IPX", "IPX2", "CSRC").
        sequences: compressed sequence numbers of AH, ESP and GRE extension headers, by list and
            letter, as (value, bits).
    """

    __slots__ = ("flags", "lists", "sequences", "ts_bits", "values")

    def __init__(self) -> None:
        self.flags: dict[str, int] = {}
        self.values: dict[str, int] = {}
        self.ts_bits = 0
        self.lists: dict[str, tuple[bytes, ...]] = {}
        self.sequences: dict[str, tuple[int, int]] = {}


def write_extension_3(plain: bool, flags: dict[str, int], items: dict[str, bytes]) -> bytes:
    """The octets of an extension 3.

    Args:
        plain: the profile has no RTP header (5.11.4).
        flags: DF, NBO, RND, Mode, Tsc, M, R-X and their outer forms; "ip", "ip2" and "rtp" set to
            1 send the flags octet even when no octet follows for it.
        items: the octets of each field that is sent, by the names of `EXTENSION_3`.
    """
    marks = flags.copy()
    for item in ext.EXTENSION_3:
        if item.name in items:
            marks[item.flag] = 1
    if plain:
        head = ext.EXTENSION_3_FLAGS_PLAIN
        inner = ext.INNER_IP_FLAGS_PLAIN
    else:
        head = ext.EXTENSION_3_FLAGS
        inner = ext.INNER_IP_FLAGS
        if marks.get("ip2"):
            marks["ip"] = 1
    octets = [_flags(head, marks)]
    if marks.get("ip"):
        octets.append(_flags(inner, marks))
    if marks.get("ip2"):
        octets.append(_flags(ext.OUTER_IP_FLAGS, marks))
    rtp_flags_due = bool(marks.get("rtp"))
    for item in ext.EXTENSION_3:
        if rtp_flags_due and item.name == "RTP PT":
            octets.append(_flags(ext.RTP_FLAGS, marks))
        if item.name in items:
            octets.append(items[item.name])
    return b"".join(octets)


def _flags(figure: Figure, marks: dict[str, int]) -> bytes:
    return figure.pack(*[marks.get(field, 0) for field in figure.fields])


def read_extension_3(
    data: bytes, at: int, plain: bool, states: dict[str, ListState]
) -> tuple[Extension3, int]:
    """The extension 3 at offset `at`, and the offset behind it.

    Args:
        data: the packet.
        at: where the extension begins.
        plain: the profile has no RTP header (5.11.4).
        states: copies of the list states "IPX", "IPX2" and "CSRC"; changed in place.

    Raises:
        MalformedPacket: it is cut short, or holds a list that the context has no header for.
    """
    extension = Extension3()
    flags = extension.flags
    head = ext.EXTENSION_3_FLAGS_PLAIN if plain else ext.EXTENSION_3_FLAGS
    inner = ext.INNER_IP_FLAGS_PLAIN if plain else ext.INNER_IP_FLAGS
    at = _read_flags(head, data, at, flags)
    if flags["ip"]:
        at = _read_flags(inner, data, at, flags)
    if flags.get("ip2"):
        at = _read_flags(ext.OUTER_IP_FLAGS, data, at, flags)
    for item in ext.EXTENSION_3:
        if item.name == "RTP PT" and flags.get("rtp"):
            at = _read_flags(ext.RTP_FLAGS, data, at, flags)
        if not flags.get(item.flag):
            continue
        if item.octets == ext.SELF_DESCRIBING:
            value, bits, at = sdvl.decode_bits(data, at)
            extension.values[item.name] = value
            if item.name == "TS":
                extension.ts_bits = bits
        elif item.octets == ext.LIST:
            at = _read_list_field(data, at, item.name, states, extension)
        else:
            if at + item.octets > len(data):
                raise MalformedPacket(f"the packet ends inside {item.name} of extension 3")
            value = int.from_bytes(data[at : at + item.octets], "big")
            extension.values[item.name] = value
            at += item.octets
    return extension, at


def _read_flags(figure: Figure, data: bytes, at: int, flags: dict[str, int]) -> int:
    for field, value in zip(figure.fields, figure.unpack(data, at), strict=True):
        flags[field] = value
    return at + figure.octets


def _read_list_field(
    data: bytes, at: int, name: str, states: dict[str, ListState], extension: Extension3
) -> int:
    state = states.get(name)
    if state is None:
        raise MalformedPacket(f"extension 3 holds a {name} list for a header that is not there")
    if name == "CSRC":
        extension.lists[name], at = read_list(data, at, state, csrc_length)
        return at
    listed, authentication, encapsulation, routing, _ = IPX_FLAGS.unpack(data, at)
    at += 1
    for letter, present in (("A", authentication), ("E", encapsulation), ("G", routing)):
        if present:
            value, bits, at = _sequence(data, at)
            extension.sequences[name + letter] = (value, bits)
    if listed:
        extension.lists[name], at = read_list(data, at, state, item_octets)
    return at


def _sequence(data: bytes, at: int) -> tuple[int, int, int]:
    """A compressed sequence number of 7 or 31 bits (section 5.8.5.1)."""
    octets = 4 if at < len(data) and data[at] & 0x80 else 1
    if at + octets > len(data):
        raise MalformedPacket("a compressed sequence number is cut short")
    bits = 8 * octets - 1
    value = int.from_bytes(data[at : at + octets], "big") & ((1 << bits) - 1)
    return value, bits, at + octets
