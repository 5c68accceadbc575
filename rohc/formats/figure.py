"""A figure of an RFC as a working packet format.

RFCs draw a format as rows of octets:

      0   1   2   3   4   5   6   7
    +---+---+---+---+---+---+---+---+
    | 1   1   0 |        SN         |
    +===+===+===+===+===+===+===+===+     a large CID stands here, after the first octet
    | X |            CRC            |
    +---+---+---+---+---+---+---+---+

and a field of several octets as a row between slashes:

    /        Source Address         /   4 octets

`Figure` reads such text. A cell of zeros and ones, or with an equals sign (T=0), is constant; the
other cells are fields. Cells with one name are one field, the first cell holding its most
significant bits, as in the RFCs' fields that straddle the CID. Values go in and out in the order of
first appearance.
"""

from __future__ import annotations

import re
from itertools import pairwise

from rohc.errors import MalformedPacket

__all__ = ["Figure"]

_OCTETS = re.compile(r"/\s*(?P<name>.*?)\s*/\s*(?P<octets>\d+) octets?")


class Figure:
    """A format of whole octets.

    Args:
        name: the format's name in the RFC, such as "UO-0".
        section: where it is drawn, such as "RFC 3095 5.7.1".
        text: the drawing.
    """

    __slots__ = ("_index", "_pieces", "constant", "fields", "name", "octets", "section", "widths")

    def __init__(self, name: str, section: str, text: str) -> None:
        self.name = name
        self.section = section
        cells = _cells(text)
        total = sum(width for _, width, _ in cells)
        if total % 8:
            raise ValueError(f"{name}: the figure has {total} bits, not whole octets")
        self.octets = total // 8
        self.constant = 0
        names: list[str] = []
        pieces: dict[str, list[tuple[int, int]]] = {}
        shift = total
        for cell, width, constant in cells:
            shift -= width
            if constant is not None:
                self.constant |= constant << shift
                continue
            if cell not in pieces:
                names.append(cell)
                pieces[cell] = []
            pieces[cell].append((shift, width))
        self.fields = tuple(names)
        self.widths = tuple(sum(width for _, width in pieces[field]) for field in names)
        self._pieces = tuple(tuple(pieces[field]) for field in names)
        self._index = {field: index for index, field in enumerate(names)}

    def __repr__(self) -> str:
        return f"<Figure {self.name} ({self.section})>"

    def bits(self, field: str) -> int:
        """How many bits of `field` the format carries; 0 when it has no such field."""
        index = self._index.get(field)
        return 0 if index is None else self.widths[index]

    def shift(self, field: str) -> int:
        """The place of a field in one piece: how many bits stand to the right of it."""
        (piece,) = self._pieces[self._index[field]]
        return piece[0]

    def pack(self, *values: int) -> bytes:
        """The octets of the format with these field values, in the order of `fields`."""
        word = self.constant
        for pieces, width, value in zip(self._pieces, self.widths, values, strict=True):
            left = width
            for shift, bits in pieces:
                left -= bits
                word |= ((value >> left) & ((1 << bits) - 1)) << shift
        return word.to_bytes(self.octets, "big")

    def unpack(self, data: bytes, at: int) -> tuple[int, ...]:
        """The field values of the format at offset `at`, in the order of `fields`.

        Raises:
            MalformedPacket: the data ends before the format does.
        """
        if at + self.octets > len(data):
            raise MalformedPacket(f"the packet ends inside {self.name} ({self.section})")
        word = int.from_bytes(data[at : at + self.octets], "big")
        values = []
        for pieces in self._pieces:
            value = 0
            for shift, bits in pieces:
                value = value << bits | ((word >> shift) & ((1 << bits) - 1))
            values.append(value)
        return tuple(values)

    def named(self, values: tuple[int, ...]) -> dict[str, int]:
        """The values that `unpack` gave, by field name."""
        return dict(zip(self.fields, values, strict=True))


def _cells(text: str) -> list[tuple[str, int, int | None]]:
    """The cells of a drawing in order: name, width in bits, constant value or None."""
    cells: list[tuple[str, int, int | None]] = []
    for line in text.splitlines():
        row = line.strip()
        if row.startswith("/"):
            found = _OCTETS.match(row)
            if found is None:
                raise ValueError(f"no count of octets in the row {row!r}")
            cells.append((found["name"], 8 * int(found["octets"]), None))
        elif row.startswith("|"):
            row = row[: row.rindex("|") + 1]
            step, odd = divmod(len(row) - 1, 8)
            if odd or not step:
                raise ValueError(f"a row is not eight bits wide, not whole octets: {row!r}")
            places = [at for at, character in enumerate(row) if character == "|"]
            for left, right in pairwise(places):
                cells.append(_cell(row[left + 1 : right].strip(), (right - left) // step))
    return cells


def _cell(text: str, width: int) -> tuple[str, int, int | None]:
    digits = text.replace(" ", "")
    if digits and set(digits) <= {"0", "1"}:
        if len(digits) != width:
            raise ValueError(f"{text!r} is not {width} bits wide, not whole octets")
        return text, width, int(digits, 2)
    if "=" in text:
        name, value = text.split("=")
        return name.strip(), width, int(value, 2)
    return text, width, None
