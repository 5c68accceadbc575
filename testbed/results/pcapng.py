"""The pcapng format as far as this project writes it, and its writer.

Source: IETF draft "PCAP Now Generic (pcapng) Capture File Format" (draft-ietf-opsawg-pcapng), whose
block and option numbers are declared here once; the reader (``capture_reader``) takes them from
here::

    Section Header Block          byte order and version
    Interface Description Block   link type, name, time resolution       (one per interface)
    Enhanced Packet Block         time, octets, direction, comments      (one per packet)

Every block is handed to the operating system in one write as soon as it is complete, so a process
that is killed leaves a capture that any program reads: at worst with a torn last block.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.results.files import AppendOnlyFile
from testbed.version import __version__

__all__ = ["Block", "Direction", "LinkType", "Option", "PcapngWriter"]

BYTE_ORDER_MAGIC = 0x1A2B3C4D
SECTION_LENGTH_UNKNOWN = 0xFFFF_FFFF_FFFF_FFFF


class Block(IntEnum):
    """Block types (draft section 4; the numbers of the obsolete one from its appendix)."""

    SECTION_HEADER = 0x0A0D0D0A
    INTERFACE_DESCRIPTION = 0x00000001
    OBSOLETE_PACKET = 0x00000002
    SIMPLE_PACKET = 0x00000003
    ENHANCED_PACKET = 0x00000006


class Option(IntEnum):
    """Option codes; those from 2 on mean different things in different blocks."""

    END = 0
    COMMENT = 1
    SHB_HARDWARE = 2
    SHB_OS = 3
    SHB_USERAPPL = 4
    IF_NAME = 2
    IF_DESCRIPTION = 3
    IF_TSRESOL = 9
    IF_TSOFFSET = 14
    EPB_FLAGS = 2


class LinkType(IntEnum):
    """Link types that this project writes or reads (the registry of tcpdump.org)."""

    NULL = 0
    """BSD loopback: an address family of 4 octets in the capturing host's byte order."""
    ETHERNET = 1
    RAW_BSD = 12
    """Raw IP in files of systems whose DLT_RAW is 12."""
    RAW_OPENBSD = 14
    """Raw IP in files of systems whose DLT_RAW is 14."""
    RAW = 101
    """Raw IP: the packet begins with an IPv4 or IPv6 header."""
    LOOP = 108
    """OpenBSD loopback: as NULL, in network byte order."""
    LINUX_SLL = 113
    """Linux "cooked" capture."""
    USER0 = 147
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276
    """Linux "cooked" capture, version 2."""


class Direction(IntEnum):
    """Direction of a packet at its interface (draft section 4.3.1, epb_flags bits 0 and 1)."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


_BLOCK = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_SECTION = struct.Struct("<IHHQ")
_INTERFACE = struct.Struct("<HHI")
_PACKET = struct.Struct("<IIIII")
_OPTION = struct.Struct("<HH")

_RESOLUTIONS = {"us": 6, "ns": 9}


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _text(code: Option, text: str) -> bytes:
    """A UTF-8 option; one that is longer than its 16-bit length allows is cut at a character."""
    value = text.encode("utf-8", "replace")
    if len(value) > 0xFFFF:
        value = value[:0xFFFF].decode("utf-8", "ignore").encode()
    return _OPTION.pack(code, len(value)) + _padded(value)


def _options(options: bytes) -> bytes:
    return options + _OPTION.pack(Option.END, 0) if options else b""


def _block(kind: Block, body: bytes) -> bytes:
    length = len(body) + 12
    return _BLOCK.pack(kind, length) + body + _LENGTH.pack(length)


class PcapngWriter:
    """Writes one pcapng section, block by block, straight to the file.

    Args:
        path: the file to create; it must not exist.
        application: what the section says has written it.
        comment: comment of the section.
        mode: permissions of the file.
        keep: go on with an existing capture after so many octets, in a section of its own; how many
            are whole, a :class:`~testbed.results.capture_reader.CaptureReader` knows.

    Raises:
        FileExistsError: a capture is never overwritten.

    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        application: str = f"bestbed {__version__}",
        comment: str = "",
        mode: int = 0o644,
        keep: int | None = None,
    ) -> None:
        self.path = Path(path)
        self._file = AppendOnlyFile(self.path, mode=mode, keep=keep)
        self._units_ns: list[int] = []
        self.packets = 0
        """How many packets were written."""
        options = _text(Option.COMMENT, comment) if comment else b""
        options += _text(Option.SHB_USERAPPL, application) if application else b""
        section = _SECTION.pack(BYTE_ORDER_MAGIC, 1, 0, SECTION_LENGTH_UNKNOWN)
        self._write(_block(Block.SECTION_HEADER, section + _options(options)))

    def add_interface(
        self,
        name: str,
        *,
        description: str = "",
        comment: str = "",
        link_type: int = LinkType.RAW,
        resolution: str = "ns",
    ) -> int:
        """Describe an interface; it may be done at any time before its first packet.

        Args:
            name: what captures show as the interface's name.
            description: what it is, for people.
            comment: what else is to be said about it.
            link_type: what its packets begin with.
            resolution: ``us`` or ``ns``, the unit of its packets' times.

        Returns:
            The number by which :meth:`write_packet` knows it.

        """
        exponent = _RESOLUTIONS[resolution]
        options = _text(Option.IF_NAME, name)
        options += _text(Option.IF_DESCRIPTION, description) if description else b""
        options += _OPTION.pack(Option.IF_TSRESOL, 1) + _padded(bytes([exponent]))
        options += _text(Option.COMMENT, comment) if comment else b""
        interface = _INTERFACE.pack(link_type, 0, 0)  # no limit on the octets of a packet
        self._write(_block(Block.INTERFACE_DESCRIPTION, interface + _options(options)))
        self._units_ns.append(10 ** (9 - exponent))
        return len(self._units_ns) - 1

    def write_packet(
        self,
        interface: int,
        data: bytes,
        time_ns: int,
        *,
        comments: Sequence[str] = (),
        direction: Direction = Direction.UNKNOWN,
        original_bytes: int | None = None,
    ) -> None:
        """Write one packet; on return the operating system has it.

        Args:
            interface: number of an interface of this file.
            data: the packet from its link header on.
            time_ns: wall-clock time in nanoseconds since 1970, not negative.
            comments: what to say about it, each an option of its own.
            direction: as seen from the interface.
            original_bytes: size of the packet when ``data`` is cut short.

        Raises:
            ValueError: no such interface, or a time before 1970.
            WriteFailed: the disk is full or gone; the capture is whole without this packet.

        """
        if not 0 <= interface < len(self._units_ns):
            raise ValueError(f"there is no interface {interface} in {self.path}")
        if time_ns < 0:
            raise ValueError(f"time {time_ns} ns lies before 1970")
        units = time_ns // self._units_ns[interface]
        options = b"".join(_text(Option.COMMENT, comment) for comment in comments if comment)
        if direction:
            options += _OPTION.pack(Option.EPB_FLAGS, 4) + _LENGTH.pack(direction)
        size = len(data)
        header = _PACKET.pack(
            interface,
            units >> 32,
            units & 0xFFFF_FFFF,
            size,
            size if original_bytes is None else original_bytes,
        )
        self._write(_block(Block.ENHANCED_PACKET, header + _padded(data) + _options(options)))
        self.packets += 1

    def _write(self, block: bytes) -> None:
        self._file.write(block)

    def close(self) -> None:
        """Sync the file to the disk and close it; closing twice is fine.

        Raises:
            WriteFailed: the disk did not take it.

        """
        if not self._file.closed:
            self._file.sync()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
