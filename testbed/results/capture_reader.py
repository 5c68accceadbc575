"""Captures read packet by packet: pcap and pcapng, whoever wrote them.

=========  ==================================================================================
pcap       both byte orders, times in micro- or nanoseconds
pcapng     any number of sections, each in its own byte order; interfaces with their names and
           time resolutions; Enhanced, Simple and obsolete Packet Blocks; packet comments
gzip       either of them compressed
=========  ==================================================================================

A capture is often torn: the program that wrote it was killed, or the disk was full. It is read up
to the tear, and :attr:`CaptureReader.torn` says where that is.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from testbed.errors import UsageError
from testbed.results.pcapng import BYTE_ORDER_MAGIC, Block, Option

__all__ = ["CaptureReader", "CapturedPacket", "Interface", "NotACapture"]

_MAX_BLOCK_BYTES = 16 * 1024 * 1024  # libpcap's own bound: beyond it a length is damage
_NS = 1_000_000_000

# File magic of pcap, as read in big-endian order: struct prefix and nanoseconds per unit.
_PCAP_MAGIC = {
    0xA1B2C3D4: (">", 1000),
    0xD4C3B2A1: ("<", 1000),
    0xA1B23C4D: (">", 1),
    0x4D3CB2A1: ("<", 1),
}


class NotACapture(UsageError):
    """A file is no capture.

    Attributes:
        path: the file.

    """

    def __init__(self, path: Path, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """An interface as a capture describes it."""

    link_type: int
    """What its packets begin with."""
    name: str = ""
    description: str = ""
    comment: str = ""
    snap_bytes: int = 0
    """Octets of a packet that are kept at most; 0 for no limit."""
    units_per_s: int = 1_000_000
    """Time units per second."""
    offset_s: int = 0
    """Seconds to add to every time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedPacket:
    """One packet of a capture."""

    number: int
    """Number in the file, from 1, as Wireshark counts."""
    time_ns: int | None
    """Nanoseconds since 1970; ``None`` for a Simple Packet Block, which has no time."""
    interface: Interface
    """Where it was captured."""
    data: bytes = field(repr=False)
    """The octets as captured, from the link header on."""
    original_bytes: int
    """Size of the packet on the wire."""
    comments: tuple[str, ...] = ()
    """What the file says about it."""

    @property
    def cut(self) -> bool:
        """Whether less was captured than was on the wire."""
        return len(self.data) < self.original_bytes


class _Torn(Exception):
    """The file ends, or cannot be followed further, at this place."""


class CaptureReader:
    """Yields the packets of a capture, one pass per iteration.

    Args:
        path: a pcap or pcapng file, gzip-compressed or not.

    Attributes:
        torn: after an iteration: where and how the file ended before it should have, or ``None``.
        good_bytes: after an iteration: how many octets of the file (uncompressed) are whole.

    Raises:
        NotACapture: the file is missing, empty, or begins as no capture does.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.torn: str | None = None
        self.good_bytes = 0
        if not self.path.exists():
            raise NotACapture(
                self.path,
                f"there is no capture {self.path}",
                hint="give the path of a pcap or pcapng file",
            )
        if not self.path.is_file():
            raise NotACapture(
                self.path,
                f"{self.path} is no file",
                hint="give the path of a pcap or pcapng file",
            )
        try:
            with self._open() as file:
                magic = file.read(4)
        except (EOFError, OSError, zlib.error) as error:
            raise NotACapture(
                self.path,
                f"{self.path} cannot be read: {error}",
                hint="check the file and its permissions",
            ) from error
        if len(magic) < 4:
            raise NotACapture(
                self.path,
                f"{self.path} has {len(magic)} octets: no capture begins so",
                hint="was it still being written, or copied before it was flushed?",
            )
        self._is_pcapng = int.from_bytes(magic, "big") == Block.SECTION_HEADER
        if not self._is_pcapng and int.from_bytes(magic, "big") not in _PCAP_MAGIC:
            raise NotACapture(
                self.path,
                f"{self.path} is neither pcap nor pcapng: it begins with {magic.hex(' ')}",
                hint="open it in Wireshark and save it as pcapng, or use editcap -F pcapng",
            )

    def _open(self) -> BinaryIO:
        file = self.path.open("rb")
        if file.read(2) == b"\x1f\x8b":
            file.close()
            return gzip.open(self.path, "rb")  # type: ignore[return-value]
        file.seek(0)
        return file

    def __iter__(self) -> Iterator[CapturedPacket]:
        """Yield the packets in the order of the file, up to its end or to where it is torn."""
        self.torn = None
        with self._open() as file:
            source = _Source(file)
            try:
                yield from _pcapng(source) if self._is_pcapng else _pcap(source)
            except _Torn as error:
                self.torn = f"{error} (octet {source.whole})"
            except (EOFError, OSError, zlib.error) as error:  # the compression is what is torn
                self.torn = f"{error} (octet {source.whole})"
            finally:
                self.good_bytes = source.whole


class _Source:
    """Reads exactly what is asked for, and knows up to where everything was whole."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self.whole = 0

    def take(self, size: int) -> bytes:
        data = self._file.read(size)
        self._at += len(data)
        if len(data) < size:
            raise _Torn("the file ends inside a record")
        return data

    def begin(self, size: int) -> bytes | None:
        """The first octets of a record, or ``None`` at the end of the file."""
        self.whole = self._at
        data = self._file.read(size)
        self._at += len(data)
        if not data:
            return None
        if len(data) < size:
            raise _Torn("the file ends inside a record")
        return data


def _pcap(source: _Source) -> Iterator[CapturedPacket]:
    # Magic, version (2 words), time zone, accuracy of times, snapshot length, link type.
    header = source.take(24)
    order, unit_ns = _PCAP_MAGIC[int.from_bytes(header[:4], "big")]
    snap, link = struct.unpack_from(order + "II", header, 16)
    record = struct.Struct(order + "IIII")
    # The upper half of the link type tells about a frame check sequence, of no interest here.
    interface = Interface(link_type=link & 0xFFFF, snap_bytes=snap, units_per_s=_NS // unit_ns)
    number = 0
    while (head := source.begin(record.size)) is not None:
        seconds, units, size, original = record.unpack(head)
        if size > _MAX_BLOCK_BYTES:
            raise _Torn(f"a packet of {size} octets cannot be right")
        number += 1
        yield CapturedPacket(
            number=number,
            time_ns=seconds * _NS + units * unit_ns,
            interface=interface,
            data=source.take(size),
            original_bytes=original,
        )


def _pcapng(source: _Source) -> Iterator[CapturedPacket]:
    order = "<"
    interfaces: list[Interface] = []
    number = 0
    while (head := source.begin(8)) is not None:
        if int.from_bytes(head[:4], "big") == Block.SECTION_HEADER:  # a palindrome: reads both ways
            magic = source.take(4)
            order = _byte_order(magic)
            interfaces = []
            body = magic + _body(source, order, head, taken=4)
            (major,) = struct.unpack_from(order + "H", body.ljust(6, b"\0"), 4)
            if major != 1:
                raise _Torn(f"a section of pcapng version {major} cannot be read")
            continue
        (kind,) = struct.unpack_from(order + "I", head)
        body = _body(source, order, head)
        if kind == Block.INTERFACE_DESCRIPTION:
            interfaces.append(_interface(order, body))
        elif kind in (Block.ENHANCED_PACKET, Block.SIMPLE_PACKET, Block.OBSOLETE_PACKET):
            number += 1
            yield _packet(order, kind, body, interfaces, number)


def _byte_order(magic: bytes) -> str:
    for order in ("<", ">"):
        if struct.unpack(order + "I", magic)[0] == BYTE_ORDER_MAGIC:
            return order
    raise _Torn(f"a section begins with {magic.hex(' ')} in place of its byte order")


def _body(source: _Source, order: str, head: bytes, taken: int = 0) -> bytes:
    """The rest of a block without its two lengths, which must agree."""
    (length,) = struct.unpack_from(order + "I", head, 4)
    if length < 12 + taken or length % 4 or length > _MAX_BLOCK_BYTES:
        raise _Torn(f"a block of {length} octets cannot be right")
    rest = source.take(length - 8 - taken)
    (again,) = struct.unpack_from(order + "I", rest, len(rest) - 4)
    if again != length:
        raise _Torn(f"a block says {length} octets at its begin and {again} at its end")
    return rest[:-4]


def _options(order: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        if code == Option.END:
            return
        at += 4
        yield code, data[at : at + size]
        at += size + -size % 4


def _interface(order: str, body: bytes) -> Interface:
    if len(body) < 8:
        raise _Torn("an interface description is too short")
    link, _, snap = struct.unpack_from(order + "HHI", body)
    text = {Option.IF_NAME: "", Option.IF_DESCRIPTION: "", Option.COMMENT: ""}
    units, offset = 1_000_000, 0
    for code, value in _options(order, body[8:]):
        if code in text:
            text[Option(code)] = value.decode("utf-8", "replace")
        elif code == Option.IF_TSRESOL and value:
            exponent = value[0] & 0x7F
            if exponent > 63:
                raise _Torn(f"a time resolution with exponent {exponent} cannot be right")
            units = 2**exponent if value[0] & 0x80 else 10**exponent
        elif code == Option.IF_TSOFFSET and len(value) == 8:
            (offset,) = struct.unpack(order + "q", value)
    return Interface(
        link_type=link,
        name=text[Option.IF_NAME],
        description=text[Option.IF_DESCRIPTION],
        comment=text[Option.COMMENT],
        snap_bytes=snap,
        units_per_s=units,
        offset_s=offset,
    )


def _packet(
    order: str, kind: int, body: bytes, interfaces: list[Interface], number: int
) -> CapturedPacket:
    if kind == Block.SIMPLE_PACKET:
        if len(body) < 4 or not interfaces:
            raise _Torn("a simple packet is too short, or has no interface")
        interface = interfaces[0]
        (original,) = struct.unpack_from(order + "I", body)
        size = min(original, interface.snap_bytes or original, len(body) - 4)
        return CapturedPacket(
            number=number,
            time_ns=None,
            interface=interface,
            data=body[4 : 4 + size],
            original_bytes=original,
        )
    if len(body) < 20:
        raise _Torn("a packet block is too short")
    # The obsolete block has the interface in 16 bits and a count of drops in the next 16.
    layout = order + ("IIIII" if kind == Block.ENHANCED_PACKET else "HxxIIII")
    index, high, low, size, original = struct.unpack_from(layout, body)
    if index >= len(interfaces):
        raise _Torn(f"a packet of interface {index}, of which the file says nothing")
    if 20 + size > len(body):
        raise _Torn(f"a packet of {size} octets in a block of {len(body)}")
    interface = interfaces[index]
    units = high << 32 | low
    comments = tuple(
        value.decode("utf-8", "replace")
        for code, value in _options(order, body[20 + size + -size % 4 :])
        if code == Option.COMMENT
    )
    return CapturedPacket(
        number=number,
        time_ns=interface.offset_s * _NS + units * _NS // interface.units_per_s,
        interface=interface,
        data=body[20 : 20 + size],
        original_bytes=original,
        comments=comments,
    )
