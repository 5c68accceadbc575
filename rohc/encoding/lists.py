"""Lists of extension headers and of CSRC identifiers (RFC 3095 section 5.8).

A list is an ordered tuple of items; an item is its octets. Each list has a translation table from
an index to an item, kept by the decompressor and never cleared (RFC 4815 section 6.3), and
reference lists by generation identifier. A compressed list has one of four encoding types; type 0
gives the whole list, types 1 to 3 its difference from a reference list.
"""

from __future__ import annotations

from collections.abc import Callable

from rohc.errors import MalformedPacket
from rohc.formats.figure import Figure

__all__ = [
    "LIST_HEAD",
    "ItemLength",
    "ListState",
    "csrc_length",
    "read_list",
    "write_generic",
]

LIST_HEAD = Figure(
    "Compressed list",
    "RFC 3095 5.8.6",
    """
    +---+---+---+---+---+---+---+---+
    |  ET   |GP |PS |       m       |
    +---+---+---+---+---+---+---+---+
    """,
)

ItemLength = Callable[[bytes, int], int]
"""How long the item at an offset is; raises MalformedPacket when it cannot be told."""

_ITEMS_MAX = 15
_INDEX_MAX_SMALL = 7


def csrc_length(data: bytes, at: int) -> int:
    """The length of a CSRC item."""
    return 4


class ListState:
    """What a context knows about one list: translation table and reference lists."""

    __slots__ = ("current", "references", "table")

    def __init__(self) -> None:
        self.table: dict[int, bytes] = {}
        self.references: dict[int, tuple[bytes, ...]] = {}
        self.current: tuple[bytes, ...] = ()

    def copy(self) -> ListState:
        """A second state with the same contents."""
        other = ListState()
        other.table = self.table.copy()
        other.references = self.references.copy()
        other.current = self.current
        return other


def write_generic(items: tuple[bytes, ...]) -> bytes:
    """Encoding type 0 with every item present and no generation (section 5.8.6.1)."""
    count = len(items)
    if not count:
        return b"\x00"
    indices = [0x8 | index for index in range(count)] if count <= _INDEX_MAX_SMALL + 1 else []
    if not indices:
        marks = bytes(0x80 | index for index in range(count))
        return LIST_HEAD.pack(0, 0, 1, count) + marks + b"".join(items)
    if count % 2:
        indices.append(0)
    marks = bytes(high << 4 | low for high, low in zip(indices[::2], indices[1::2], strict=True))
    return LIST_HEAD.pack(0, 0, 0, count) + marks + b"".join(items)


def read_list(
    data: bytes, at: int, state: ListState, item_length: ItemLength
) -> tuple[tuple[bytes, ...], int]:
    """The list at offset `at`, and the offset behind it; `state` is brought up to date.

    The caller passes a copy of the context's state and keeps it only once a CRC has verified the
    packet.

    Raises:
        MalformedPacket: the list is cut short, names an unknown index or reference, or does not
            fit its reference.
    """
    kind, generation_present, wide, count = LIST_HEAD.unpack(data, at)
    at += 1
    generation = -1
    if generation_present:
        generation, at = _octet(data, at)
    if kind == 0:
        marks, at = _marks(data, at, count, bool(wide))
        items, at = _items(data, at, marks, state, item_length)
        result = tuple(items)
    else:
        result, at = _against_reference(data, at, kind, bool(wide), count, state, item_length)
    if generation >= 0 and generation not in state.references:
        state.references[generation] = result
        while len(state.references) > 4:
            del state.references[next(iter(state.references))]
    state.current = result
    return result, at


def _against_reference(
    data: bytes,
    at: int,
    kind: int,
    wide: bool,
    low_bits: int,
    state: ListState,
    item_length: ItemLength,
) -> tuple[tuple[bytes, ...], int]:
    """Encoding types 1 to 3 (sections 5.8.6.2 to 5.8.6.4)."""
    reference_id, at = _octet(data, at)
    reference = state.references.get(reference_id)
    if not reference:
        # RFC 4815 section 5.7: ref_id refers to a list that is known and not empty.
        raise MalformedPacket(f"no reference list has the identifier {reference_id}")
    for older in list(state.references):
        if older == reference_id:
            break
        del state.references[older]
    remaining = list(reference)
    if kind in (2, 3):
        if kind == 2 and low_bits != len(reference):
            raise MalformedPacket("the reference list has another number of items")
        mask, at = _mask(data, at)
        # RFC 4815 section 5.3: what the mask does not cover stays.
        kept = [
            item for place, item in enumerate(remaining) if place >= len(mask) or not mask[place]
        ]
        remaining = kept
    if kind == 2:
        return tuple(remaining), at
    mask, at = _mask(data, at)
    added = sum(mask)
    if wide:
        marks, at = _marks(data, at, added, wide=True)
    else:
        marks, at = _marks(data, at, added - 1, wide=False) if added > 1 else ([], at)
        if added:
            marks = [(low_bits & 0x7, bool(low_bits & 0x8)), *marks]
    new_items, at = _items(data, at, marks, state, item_length)
    result: list[bytes] = []
    place = 0
    pending = iter(new_items)
    for bit in mask:
        if bit:
            result.append(next(pending))
        elif place < len(remaining):
            result.append(remaining[place])
            place += 1
    result += remaining[place:]
    if len(result) > _ITEMS_MAX:
        raise MalformedPacket("a list has more than 15 items")
    return tuple(result), at


def _octet(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise MalformedPacket("a compressed list is cut short")
    return data[at], at + 1


def _mask(data: bytes, at: int) -> tuple[list[int], int]:
    first, at = _octet(data, at)
    bits = [first >> shift & 1 for shift in range(6, -1, -1)]
    if first & 0x80:
        second, at = _octet(data, at)
        bits += [second >> shift & 1 for shift in range(7, -1, -1)]
    return bits, at


def _marks(data: bytes, at: int, count: int, wide: bool) -> tuple[list[tuple[int, bool]], int]:
    """The XI fields: index, and whether the item follows."""
    marks: list[tuple[int, bool]] = []
    octets = count if wide else (count + 1) // 2
    if at + octets > len(data):
        raise MalformedPacket("a compressed list is cut short")
    for octet in data[at : at + octets]:
        if wide:
            marks.append((octet & 0x7F, bool(octet & 0x80)))
        else:
            marks.append((octet >> 4 & 0x7, bool(octet & 0x80)))
            marks.append((octet & 0x7, bool(octet & 0x08)))
    return marks[:count], at + octets


def _items(
    data: bytes,
    at: int,
    marks: list[tuple[int, bool]],
    state: ListState,
    item_length: ItemLength,
) -> tuple[list[bytes], int]:
    items: list[bytes] = []
    for index, present in marks:
        if present:
            octets = item_length(data, at)
            item = data[at : at + octets]
            if len(item) < octets:
                raise MalformedPacket("a list item is cut short")
            state.table[index] = item
            at += octets
        elif index in state.table:
            item = state.table[index]
        else:
            # RFC 3095 section 5.8.1.1: an index that is not known discards the header.
            raise MalformedPacket(f"a list names the unknown index {index}")
        items.append(item)
    return items, at
