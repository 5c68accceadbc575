"""The files of the virtual USIM: contents, and the template that SELECT and STATUS answer with.

Identifiers, sizes and codings are TS 31.102 4.2 and 4.4, TS 31.101 13 (EF_DIR) and TS 102 221
11.1.1 (the file control parameters); the short identifiers are TS 31.102 annex H's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware_bridge.virtual.settings import CardSettings, UsimSettings

__all__ = ["AID", "ElementaryFile", "Folder", "card_files", "control_parameters"]

AID = bytes.fromhex("A0000000871002FFFFFFFF8903050001")
"""Application identifier: 3GPP's RID, USIM, then as published of a card (TS 101 220 annex E)."""

_SERVICE_GSM_ACCESS = 27
_SERVICE_GBA = 68
_SERVICE_REQUIRED = (33,)  # TS 31.102 4.2.8: "shall be set to 1"
_MNC_DIGITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementaryFile:
    """A file with data."""

    fid: int
    """Its identifier, 16 bits."""
    data: bytes
    """What is in it."""
    short: int = 0
    """Its short identifier, 1 to 30; 0: none."""
    record: int = 0
    """Octets of a record; 0: the file is transparent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The master file or an application."""

    fid: int
    """Its identifier."""
    files: tuple[ElementaryFile, ...]
    """What is in it."""
    aid: bytes = b""
    """Of an application."""

    def by_fid(self, fid: int) -> ElementaryFile | None:
        """The file of that identifier in it."""
        return next((file for file in self.files if file.fid == fid), None)

    def by_short(self, short: int) -> ElementaryFile | None:
        """The file of that short identifier in it."""
        return next((file for file in self.files if short and file.short == short), None)


def card_files(card: CardSettings, usim: UsimSettings, *, gba: bool) -> tuple[Folder, Folder]:
    """The master file and the USIM application."""
    entry = b"\x61\x18\x4f\x10" + AID + b"\x50\x04USIM"
    services = set(_SERVICE_REQUIRED)
    if usim.gsm_access:
        services.add(_SERVICE_GSM_ACCESS)
    if gba:
        services.add(_SERVICE_GBA)
    master = Folder(
        fid=0x3F00,
        files=(
            ElementaryFile(fid=0x2FE2, short=0x02, data=_swapped(card.iccid)),
            ElementaryFile(fid=0x2F00, short=0x1E, data=entry.ljust(38, b"\xff"), record=38),
        ),
    )
    application = Folder(
        fid=0x7FFF,
        aid=AID,
        files=(
            ElementaryFile(fid=0x6F07, short=0x07, data=_imsi(card.imsi)),
            ElementaryFile(fid=0x6FAD, short=0x03, data=bytes((0, 0, 0, _MNC_DIGITS))),
            ElementaryFile(fid=0x6F38, short=0x04, data=_service_table(services)),
            ElementaryFile(fid=0x6F78, short=0x06, data=b"\x00\x01"),
        ),
    )
    return master, application


def _swapped(digits: str) -> bytes:
    """Digits two to an octet, the first in the lower half, an odd one filled with F."""
    padded = digits + "F" * (len(digits) % 2)
    return bytes(
        int(high + low, 16) for low, high in zip(padded[::2], padded[1::2], strict=True)
    ).ljust(10, b"\xff")


def _imsi(digits: str) -> bytes:
    """Length, parity and digits (TS 31.102 4.2.2): nine octets."""
    parity = "9" if len(digits) % 2 else "1"
    padded = parity + digits + "F" * ((len(digits) + 1) % 2)
    coded = bytes(int(high + low, 16) for low, high in zip(padded[::2], padded[1::2], strict=True))
    return bytes((len(coded),)) + coded.ljust(8, b"\xff")


def _service_table(services: set[int]) -> bytes:
    table = bytearray(17)
    for service in services:
        table[(service - 1) // 8] |= 1 << ((service - 1) % 8)
    return bytes(table)


def control_parameters(folder: Folder, file: ElementaryFile | None) -> bytes:
    """The FCP template of `file`, or of `folder` when no file in it is selected."""
    if file is None:
        parts = b"\x82\x02\x78\x21" + b"\x83\x02" + folder.fid.to_bytes(2, "big")
        if folder.aid:
            parts += b"\x84" + bytes((len(folder.aid),)) + folder.aid
        parts += b"\x8a\x01\x05"
    else:
        if file.record:
            count = len(file.data) // file.record
            kind = b"\x82\x05\x42\x21" + file.record.to_bytes(2, "big") + bytes((count,))
        else:
            kind = b"\x82\x02\x41\x21"
        parts = kind + b"\x83\x02" + file.fid.to_bytes(2, "big") + b"\x8a\x01\x05"
        parts += b"\x80\x02" + len(file.data).to_bytes(2, "big")
        if file.short:
            parts += b"\x88\x01" + bytes((file.short << 3,))
    return b"\x62" + bytes((len(parts),)) + parts
