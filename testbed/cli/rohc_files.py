"""Where ``testbed rohc`` finds packets, and how it writes them down.

ROHC packets come from

====================  ============================================================================
hex                   on the command line, in a text file (a packet per line), on standard input
EtherType 0x22F1      Ethernet (past VLAN tags) and Linux "cooked" captures; `RFC 5795`_ has no
                      link layer of its own, and this is what Wireshark knows
user-defined links    link types 147 to 162 (DLT_USER0 to 15): the whole frame is the packet
UDP                   the payload of datagrams from or to a port that the caller names
====================  ============================================================================

.. _RFC 5795: https://www.rfc-editor.org/rfc/rfc5795
"""

from __future__ import annotations

import string
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed.errors import UsageError
from testbed.packets import PacketError, parse_udp_packet
from testbed.results.capture_reader import CapturedPacket, CaptureReader
from testbed.results.links import NoIp, ip_packet
from testbed.results.pcapng import LinkType, PcapngWriter

__all__ = [
    "ETHERTYPE_ROHC",
    "FoundPacket",
    "IpPackets",
    "RohcPackets",
    "create_capture",
    "packet_of_hex",
    "rohc_frame",
]

ETHERTYPE_ROHC = 0x22F1
"""IEEE's EtherType for ROHC; Wireshark dissects what stands behind it."""

_VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
_USER_LINKS = range(147, 163)
_FRAME_HEAD = bytes.fromhex("020000000002 020000000001") + ETHERTYPE_ROHC.to_bytes(2, "big")
"""Locally administered addresses: the frames stand for a link that has none."""

_CAPTURE_STARTS = frozenset(
    bytes.fromhex(magic) for magic in ("0a0d0d0a", "a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1")
)
_SEPARATORS = str.maketrans("", "", string.whitespace + ":,-")
_LINE_MAX = 400_000
"""Characters of a hex line: a packet of 65,535 octets, however it is spaced."""
_NOT_ROHC = "not-rohc"
_OTHER_PORT = "other-udp-port"
_EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPacket:
    """A packet, and where it was found."""

    number: int
    """Number of the packet in its capture, of the line in its text, or of the argument."""
    time_ns: int | None
    """When it was captured, in nanoseconds since 1970."""
    direction: str
    """Which way it went, as far as the capture tells: packets of one direction share contexts."""
    data: bytes = field(repr=False)

    @property
    def now(self) -> float | None:
        """The same time in seconds, as the codec takes it."""
        return None if self.time_ns is None else self.time_ns / 1e9


def packet_of_hex(text: str) -> bytes | None:
    """The octets that hex digits spell, or None when the text is no hex.

    Args:
        text: digits, perhaps with a leading 0x, with spaces, colons, commas or dashes between.

    """
    words = (word.removeprefix("0x").removeprefix("0X") for word in text.split())
    digits = "".join(words).translate(_SEPARATORS)
    if not digits or len(digits) % 2 or not set(digits) <= set(string.hexdigits):
        return None
    return bytes.fromhex(digits)


class RohcPackets:
    """The ROHC packets that the words of a command line name; one pass per iteration.

    Args:
        words: hex words, each a packet (words of one octet each are one packet together); or one
            word: a capture, a text file of hex lines, or "-" for such lines on standard input.
        udp_port: payloads of UDP datagrams from or to this port are ROHC packets, too.

    Attributes:
        skipped: after an iteration: packets of a capture without ROHC, by reason.
        torn: after an iteration: where the capture is torn, or None.

    Raises:
        UsageError: a word is neither hex nor a file, or the file is neither capture nor hex.

    """

    def __init__(self, words: Sequence[str], *, udp_port: int | None = None) -> None:
        self.skipped: Counter[str] = Counter()
        self.torn: str | None = None
        self._udp_port = udp_port
        self._path: Path | None = None
        self._reader: CaptureReader | None = None
        self._given: list[bytes] = []
        if len(words) == 1 and (words[0] == "-" or Path(words[0]).is_file()):
            self._path = Path(words[0])
            if words[0] != "-" and _begins_as_capture(self._path):
                self._reader = CaptureReader(self._path)
            return
        for word in words:
            packet = packet_of_hex(word)
            if packet is None:
                raise _neither(word)
            self._given.append(packet)
        if len(self._given) > 1 and all(len(packet) == 1 for packet in self._given):
            self._given = [b"".join(self._given)]

    def __iter__(self) -> Iterator[FoundPacket]:
        """Yield the packets in order."""
        self.skipped.clear()
        if self._reader is not None:
            yield from self._captured(self._reader)
        elif self._path is not None:
            yield from _numbered(_lines(self._path))
        else:
            yield from _numbered(enumerate(self._given, 1))

    def _captured(self, reader: CaptureReader) -> Iterator[FoundPacket]:
        for captured in reader:
            found = _rohc_in(captured, self._udp_port)
            if isinstance(found, str):
                self.skipped[found] += 1
                continue
            direction, data = found
            yield FoundPacket(
                number=captured.number,
                time_ns=captured.time_ns,
                direction=f"{captured.interface.name} {direction}".strip(),
                data=data,
            )
        self.torn = reader.torn

    def nothing(self) -> UsageError:
        """What to say when an iteration gave no packet."""
        where = "the arguments" if self._path is None else str(self._path)
        if self._reader is None:
            return UsageError(
                f"{where} holds no packet: no line with hex octets",
                hint="write one ROHC packet per line, such as: fd 02 5c 40 11",
            )
        held = _counted(self.skipped, self.torn)
        if self._udp_port is not None:
            return UsageError(
                f"{where} holds no ROHC packet on UDP port {self._udp_port}: {held}",
                hint="look for the port in Wireshark: Statistics, Endpoints, UDP",
            )
        return UsageError(
            f"{where} holds no ROHC packet: {held}",
            hint="ROHC is looked for behind EtherType 0x22F1 and on user-defined link types; "
            "where it rides over UDP, name the port with --udp-port",
        )


class IpPackets:
    """The IP packets of a capture, one pass per iteration.

    Args:
        path: a pcap or pcapng file.
        device: only packets that this address sent; None for all.

    Attributes:
        skipped: after an iteration: packets that were not taken, by reason.
        torn: after an iteration: where the capture is torn, or None.

    Raises:
        NotACapture: the file is missing or no capture.

    """

    def __init__(self, path: Path, *, device: bytes | None = None) -> None:
        self.skipped: Counter[str] = Counter()
        self.torn: str | None = None
        self._device = device
        self._reader = CaptureReader(path)

    def __iter__(self) -> Iterator[FoundPacket]:
        """Yield the packets in the order of the file."""
        self.skipped.clear()
        for captured in self._reader:
            packet = ip_packet(captured.interface.link_type, captured.data)
            if isinstance(packet, NoIp):
                self.skipped[str(packet)] += 1
            elif captured.cut:
                self.skipped[NoIp.TRUNCATED.value] += 1
            elif self._device is not None and _source(packet) != self._device:
                self.skipped["other-sender"] += 1
            else:
                yield FoundPacket(
                    number=captured.number,
                    time_ns=captured.time_ns,
                    direction=captured.interface.name,
                    data=packet,
                )
        self.torn = self._reader.torn

    def nothing(self) -> UsageError:
        """What to say when an iteration gave no packet."""
        return UsageError(
            f"{self._reader.path} holds no IP packet to compress: "
            f"{_counted(self.skipped, self.torn)}",
            hint="capture on an Ethernet, raw IP, loopback or Linux cooked interface; "
            "--device takes the packets of one sender only",
        )


def rohc_frame(packet: bytes) -> bytes:
    """A ROHC packet as the Ethernet frame that Wireshark's dissector knows."""
    return _FRAME_HEAD + packet


def create_capture(path: Path, sources: Iterable[str], *, force: bool) -> PcapngWriter:
    """Begin a capture.

    Args:
        path: the file to make.
        sources: files that the command reads, which it cannot be.
        force: replace a file that exists.

    Raises:
        UsageError: the file exists, is one of the sources, or cannot be made.

    """
    try:
        if path.exists() and any(path.samefile(s) for s in sources if Path(s).exists()):
            raise UsageError(
                f"{path} is what is read: it cannot be written as well",
                hint="give the result a name of its own",
            )
        if force:
            path.unlink(missing_ok=True)
        return PcapngWriter(path)
    except FileExistsError:
        raise UsageError(
            f"{path} exists already", hint="give another name, or --force to replace it"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="check that its folder exists and may be written",
        ) from error


# Inside ---------------------------------------------------------------------------------------


def _neither(word: str) -> UsageError:
    shown = word if len(word) <= 40 else f"{word[:40]}..."
    hint = "give hex octets such as fd025c or 'fd 02 5c', or one capture or text file"
    digits = "".join(word.split()).translate(_SEPARATORS)
    if digits and set(digits) <= set(string.hexdigits):
        return UsageError(f"{shown} has an odd number of hex digits", hint=hint)
    if Path(word).is_dir():
        return UsageError(f"{shown} is a directory, not a file", hint=hint)
    if Path(word).is_file():
        return UsageError(f"{shown} is a file; a file is given alone", hint=hint)
    return UsageError(f"{shown} is neither hex octets nor a file", hint=hint)


def _begins_as_capture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="check the file and its permissions",
        ) from error
    return start in _CAPTURE_STARTS or start[:2] == b"\x1f\x8b"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The packets of a text, with the numbers of their lines; what follows a # is a comment."""
    if str(path) == "-":
        yield from _hex_lines("standard input", sys.stdin)
        return
    with path.open(encoding="ascii", errors="replace") as file:
        yield from _hex_lines(str(path), file)


def _hex_lines(name: str, lines: Iterable[str]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        packet = packet_of_hex(text) if len(text) <= _LINE_MAX else None
        if packet is None:
            shown = text if len(text) <= 40 else f"{text[:40]}..."
            raise UsageError(
                f"{name}, line {number} is no packet in hex: {shown}",
                hint="one ROHC packet per line, such as: fd 02 5c 40 11; or give a pcap or pcapng",
            )
        yield number, packet


def _numbered(packets: Iterable[tuple[int, bytes]]) -> Iterator[FoundPacket]:
    for number, data in packets:
        yield FoundPacket(number=number, time_ns=None, direction="", data=data)


def _rohc_in(captured: CapturedPacket, udp_port: int | None) -> tuple[str, bytes] | str:
    """The direction and the ROHC packet of a frame, or the reason why there is none."""
    link, frame = captured.interface.link_type, captured.data
    if captured.cut:
        return NoIp.TRUNCATED.value
    found: tuple[str, bytes] | None = None
    if link in _USER_LINKS:
        found = ("", frame)
    elif link == LinkType.ETHERNET:
        found = _behind_ethertype(frame, 12, _mac_pair(frame))
    elif link == LinkType.LINUX_SLL and len(frame) >= 16:
        found = _behind_ethertype(frame, 14, _sll_way(frame[1]))
    elif link == LinkType.LINUX_SLL2 and len(frame) >= 20 and _word(frame, 0) == ETHERTYPE_ROHC:
        found = (_sll_way(frame[10]), frame[20:])
    if found is None and udp_port is not None:
        packet = ip_packet(link, frame)
        if isinstance(packet, NoIp):
            return str(packet)
        try:
            udp = parse_udp_packet(packet)
        except PacketError as error:
            return error.reason
        if udp_port not in (udp.source_port, udp.destination_port):
            return _OTHER_PORT
        source = f"{udp.source_text} port {udp.source_port}"
        direction = f"{source} to {udp.destination_text} port {udp.destination_port}"
        found = (direction, udp.payload)
    if found is None:
        return _NOT_ROHC
    return found if found[1] else _EMPTY


def _behind_ethertype(frame: bytes, at: int, direction: str) -> tuple[str, bytes] | None:
    while len(frame) >= at + 2:
        ethertype = _word(frame, at)
        if ethertype == ETHERTYPE_ROHC:
            return direction, frame[at + 2 :]
        if ethertype not in _VLAN_TAGS:
            return None
        at += 4
    return None


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _mac_pair(frame: bytes) -> str:
    return f"{frame[6:12].hex(':')} to {frame[:6].hex(':')}"


def _sll_way(packet_type: int) -> str:
    return "outbound" if packet_type == 4 else "inbound"


def _source(packet: bytes) -> bytes:
    return packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]


def _counted(skipped: Counter[str], torn: str | None) -> str:
    held = ", ".join(f"{count} {reason}" for reason, count in skipped.most_common())
    return (held or "no packet at all") + (f"; {torn}" if torn else "")
