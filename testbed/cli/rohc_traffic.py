"""What ``testbed rohc`` counts: a compressor with its decompressor, and what each packet cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import rohc
from testbed.cli.rohc_files import FoundPacket
from testbed.errors import ExitCode

__all__ = [
    "FIRST_PACKETS",
    "Contexts",
    "Failures",
    "Flow",
    "Pair",
    "Sent",
    "Tally",
    "Trial",
    "describe",
    "error_kind",
    "flow_of",
]

FIRST_PACKETS = 5
"""A flow's packets whose cost is told one by one: contexts are set up in them."""

_PROTOCOLS = {1: "ICMP", 4: "IPv4", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE", 50: "ESP"}
_PROTOCOLS |= {51: "AH", 58: "ICMPv6", 132: "SCTP", 136: "UDP-Lite"}
_WITH_PORTS = frozenset({6, 17, 132, 136})
_FRAGMENT = 44
_SIZED_EXTENSIONS = frozenset({0, 43, 60, 135})
"""IPv6 extension headers that say their length in units of 8 octets beyond the first."""


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """Packets that a person takes for one conversation's direction."""

    source: str
    destination: str
    protocol: str
    source_port: int | None = None
    destination_port: int | None = None

    def __str__(self) -> str:
        def end(address: str, port: int | None) -> str:
            if port is None:
                return address
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

        source = end(self.source, self.source_port)
        return f"{self.protocol} {source} > {end(self.destination, self.destination_port)}"


def flow_of(packet: bytes) -> Flow:
    """The flow that an IP packet belongs to; what is no IP packet belongs to a flow of its own."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        source, destination, protocol = packet[12:16], packet[16:20], packet[9]
        at = 4 * (packet[0] & 0x0F)
        later = int.from_bytes(packet[6:8], "big") & 0x1FFF != 0
    elif version == 6 and len(packet) >= 40:
        source, destination = packet[8:24], packet[24:40]
        protocol, at, later = _behind_extensions(packet)
    else:
        return Flow("?", "?", "not IP")
    name = _PROTOCOLS.get(protocol, f"protocol {protocol}")
    ends = (str(ip_address(source)), str(ip_address(destination)), name)
    if later or protocol not in _WITH_PORTS or len(packet) < at + 4:
        return Flow(*ends)
    ports = packet[at : at + 4]
    return Flow(*ends, int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big"))


def _behind_extensions(packet: bytes) -> tuple[int, int, bool]:
    """Protocol, its offset, and whether it is the later part of a fragmented packet."""
    protocol, at, later = packet[6], 40, False
    while len(packet) >= at + 8:
        if protocol == _FRAGMENT:
            later = later or int.from_bytes(packet[at + 2 : at + 4], "big") & 0xFFF8 != 0
            size = 8
        elif protocol in _SIZED_EXTENSIONS:
            size = 8 * (packet[at + 1] + 1)
        else:
            break
        protocol, at = packet[at], at + size
    return protocol, at, later


def describe(packet: bytes) -> str:
    """An IP packet in a few words."""
    return f"{flow_of(packet)}, {len(packet)} octets"


def error_kind(error: rohc.RohcError) -> str:
    """The kind of an error as a protocol developer names it, such as ``CrcFailure``."""
    return type(error).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One packet that went through a pair."""

    packets: list[bytes]
    """The ROHC packets: one, or its segments."""
    choice: rohc.Choice
    """What the compressor chose, and why."""
    header_before: int
    """Octets of the original headers that the profile compresses; 0 with profile 0x0000."""
    feedback: bytes
    """What the decompressor answered."""
    restored: bool
    """Whether the decompressor gave the original back, octet by octet."""


class Pair:
    """A compressor and the decompressor that hears it without loss.

    In O- and R-mode the decompressor's feedback reaches the compressor before the next packet; in
    U-mode there is none.

    Args:
        channel: the parameters of both.
        mode: the highest mode of both: "U", "O" or "R".
        segment_octets: the largest ROHC packet, for `Compressor.compress_segments`; 0: no limit.
        settings: further arguments of `rohc.Compressor`.

    Raises:
        rohc.RohcUsageError: a setting is out of its range.

    """

    def __init__(
        self, channel: rohc.Channel, *, mode: str, segment_octets: int = 0, **settings: Any
    ) -> None:
        self.compressor = rohc.Compressor(channel, mode=mode, **settings)
        # The compressor uses the clock only once the decompressor has told how fine its own is.
        resolution_ms = 1 if settings.get("time_stride_ms") else 0
        self.decompressor = rohc.Decompressor(channel, mode=mode, clock_resolution_ms=resolution_ms)
        self._segment_octets = segment_octets

    def send(self, packet: bytes, now: float | None) -> Sent:
        """Compress a packet, decompress it again, deliver the feedback.

        Raises:
            rohc.UnsupportedProfile: no profile of the channel can carry the packet.

        """
        made = self.compressor.compress_segments(packet, now, segment_octets=self._segment_octets)
        choice = self.compressor.last
        assert choice is not None
        segmented = len(made) > 1 or made[0][0] & 0xFE == 0xFE
        # The unit in segments has a CRC of 4 octets behind it, and an octet before each segment.
        size = sum(map(len, made)) - (4 + len(made) if segmented else 0)
        restored: bytes | None = None
        feedback = b""
        for one in made:
            try:
                result = self.decompressor.decompress(one, now)
            except rohc.RohcError as error:
                feedback += error.feedback
            else:
                feedback += result.feedback
                restored = result.packet
        self.compressor.deliver_feedback(feedback)
        header_before = len(packet) - (size - choice.header_bytes)
        if choice.profile == rohc.Profile.UNCOMPRESSED:
            header_before = 0
        return Sent(
            packets=made,
            choice=choice,
            header_before=header_before,
            feedback=feedback,
            restored=restored == packet,
        )


@dataclass(slots=True)
class Tally:
    """Counts over packets."""

    packets: int = 0
    octets_before: int = 0
    """Of the IP packets."""
    octets_after: int = 0
    """Of the ROHC packets."""
    header_before: int = 0
    header_after: int = 0
    feedback_octets: int = 0
    feedback_packets: int = 0
    not_restored: int = 0
    types: Counter[str] = field(default_factory=Counter)
    type_headers: Counter[str] = field(default_factory=Counter)
    """Header octets by packet type."""
    profiles: Counter[int] = field(default_factory=Counter)
    first: list[tuple[str, int, int]] = field(default_factory=list)
    """Packet type, header octets before and after of the first packets."""

    def add(self, octets_before: int, sent: Sent) -> None:
        """Count a packet that went through a pair."""
        self.feedback_octets += len(sent.feedback)
        self.feedback_packets += bool(sent.feedback)
        self.not_restored += not sent.restored
        choice = sent.choice
        self.count(
            choice.packet_type,
            choice.profile,
            octets=(octets_before, sum(map(len, sent.packets))),
            headers=(sent.header_before, choice.header_bytes),
        )

    def count(
        self, packet_type: str, profile: int, *, octets: tuple[int, int], headers: tuple[int, int]
    ) -> None:
        """Count a packet by its type; ``octets`` and ``headers`` are before and after."""
        self.packets += 1
        self.octets_before += octets[0]
        self.octets_after += octets[1]
        self.header_before += headers[0]
        self.header_after += headers[1]
        self.types[packet_type] += 1
        self.type_headers[packet_type] += headers[1]
        self.profiles[profile] += 1
        if len(self.first) < FIRST_PACKETS:
            self.first.append((packet_type, headers[0], headers[1]))

    @property
    def first_after(self) -> int:
        """Header octets of the first packets, compressed."""
        return sum(after for _, _, after in self.first)

    def to_json(self) -> dict[str, Any]:
        """The counts as a script reads them."""
        return {
            "packets": self.packets,
            "octets": {"before": self.octets_before, "after": self.octets_after},
            "header_octets": {"before": self.header_before, "after": self.header_after},
            "packet_types": {
                name: {"packets": count, "header_octets": self.type_headers[name]}
                for name, count in self.types.most_common()
            },
            "profiles": {f"0x{number:04x}": n for number, n in self.profiles.most_common()},
            "first_packets": [
                {"packet_type": name, "header_octets": {"before": before, "after": after}}
                for name, before, after in self.first
            ],
            "feedback": {"packets": self.feedback_packets, "octets": self.feedback_octets},
            "not_restored": self.not_restored,
        }


class Trial:
    """One choice of settings, tried on all flows.

    Args:
        mode: "U", "O" or "R".
        repeats: the `optimistic_repeats` that were asked for, or None for the package's own.
        pair: a compressor and decompressor with these settings.

    Attributes:
        name: what a table's column is called.
        flows: the counts of each flow, in the order of appearance.
        total: the counts of all.
        failures: packets that were not carried, or did not come back.

    """

    def __init__(self, mode: str, repeats: int | None, pair: Pair) -> None:
        self.mode = mode
        self.repeats = pair.compressor.settings.optimistic_repeats
        self.name = f"{mode}-mode" if repeats is None else f"{mode}-mode, repeats {repeats}"
        self.flows: dict[Flow, Tally] = {}
        self.total = Tally()
        self.failures = Failures()
        self._pair = pair

    def send(self, flow: Flow, packet: FoundPacket) -> None:
        """Let a packet go through, and count it."""
        tally = self.flows.setdefault(flow, Tally())
        try:
            sent = self._pair.send(packet.data, packet.now)
        except rohc.UnsupportedProfile as error:
            self.failures.add(packet.number, error)
            return
        tally.add(len(packet.data), sent)
        self.total.add(len(packet.data), sent)
        if not sent.restored:
            self.failures.note(packet.number, "NotRestored", "it did not come back as it was")

    def to_json(self, tally: Tally) -> dict[str, Any]:
        """Counts of a flow or of all, with the settings that they are for."""
        return {"mode": self.mode, "optimistic_repeats": self.repeats} | tally.to_json()


class Contexts:
    """A decompressor for each direction of a capture."""

    def __init__(self, channel: rohc.Channel) -> None:
        self._channel = channel
        self._decompressors: dict[str, rohc.Decompressor] = {}

    def of(self, direction: str) -> rohc.Decompressor:
        """The one that hears this direction."""
        decompressor = self._decompressors.get(direction)
        if decompressor is None:
            # "R" follows whatever mode the packets signal: they tell when they change to it.
            decompressor = rohc.Decompressor(self._channel, mode="R")
            self._decompressors[direction] = decompressor
        return decompressor


class Failures:
    """Packets that failed, by kind and one by one."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.packets: list[tuple[int, str, str]] = []

    def add(self, number: int, error: rohc.RohcError) -> None:
        """A packet failed with an error."""
        self.note(number, error_kind(error), str(error))

    def note(self, number: int, kind: str, text: str) -> None:
        """A packet failed in a way that this word names."""
        self.kinds[kind] += 1
        self.packets.append((number, kind, text))

    @property
    def exit_code(self) -> int:
        """What the command ends with: 1 when a packet failed."""
        return int(ExitCode.LIMIT_FAILED if self.packets else ExitCode.PASS)

    def to_json(self) -> dict[str, Any]:
        """All of them, for a script."""
        return {
            "kinds": dict(self.kinds),
            "packets": [
                {"number": number, "kind": kind, "message": text}
                for number, kind, text in self.packets
            ],
        }
