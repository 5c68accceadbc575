"""Devices that do not exist: meters and thermostats that talk LwM2M over CoAP.

``testbed run`` without a capture takes its messages from here. A device has a handful of resources
that its server observes; each is notified with its own period, most of them non-confirmable, every
so many confirmable and acknowledged (RFC 7641 section 4.5). In between it renews its registration,
and the server reads a resource. Values walk as such values do, so payloads repeat and differ as in
real traffic. Everything comes from the seed: one seed, one octet-for-octet conversation, on every
version of Python.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from random import Random

from testbed.errors import UsageError
from testbed.packets import build_udp_packet, packed_address, parse_udp_packet
from testbed.results.pcapng import LinkType, PcapngWriter
from testbed.traffic.coap import (
    Code,
    ContentFormat,
    OptionNumber,
    Type,
    cbor,
    coap_message,
    tlv,
    uint,
)
from testbed.traffic.message import Message, Traffic

__all__ = ["PROFILES", "GeneratedPacket", "conversation", "generated_traffic", "write_capture"]

_COAP_PORT = 5683
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource that the server observes."""

    path: tuple[int, int, int]
    """LwM2M object, instance and resource."""
    period_s: float
    """Seconds between two notifications."""
    value: Callable[[float, Random, float], float | int]
    """The next value from the time, the randomness and the last value."""
    start: float
    """The first value."""
    content_format: ContentFormat = ContentFormat.TLV


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A kind of device."""

    resources: tuple[Resource, ...]
    registration_s: float
    """Seconds between two renewals of the registration."""
    read_s: float
    """Seconds between two reads by the server."""
    confirmable_every: int
    """Every so many notifications of a resource, one is confirmable."""


def _temperature(time_s: float, random: Random, last: float) -> float:
    """Room air: 19 to 22 degrees over the day, noise, a sensor's steps of a tenth of a degree."""
    target = 19.0 + 3.0 * abs(1.0 - (time_s % 86_400) / 43_200)
    return _rounded(last + 0.1 * (target - last) + 0.2 * (random.random() - 0.5))


def _humidity(_: float, random: Random, last: float) -> float:
    return _rounded(min(max(last + random.random() - 0.5, 25.0), 75.0))


def _set_point(_: float, random: Random, last: float) -> float:
    return float(18 + int(random.random() * 5)) if random.random() < 0.1 else last


def _battery(_: float, random: Random, last: float) -> int:
    return max(int(last) - (random.random() < 0.02), 1)


def _energy(_: float, random: Random, last: float) -> float:
    """A household's energy in kWh: a quarter of an hour adds 0.02 to 0.5."""
    return round(last + 0.02 + 0.48 * random.random() ** 3, 3)


def _power(_: float, random: Random, last: float) -> float:
    return float(int(80 + 1900 * random.random() ** 3))


def _volume(_: float, random: Random, last: float) -> float:
    return round(last + (random.random() < 0.4) * 0.001 * int(1 + 30 * random.random()), 3)


def _rounded(value: float) -> float:
    return round(value, 1)


PROFILES: dict[str, Profile] = {
    "thermostat": Profile(
        resources=(
            Resource(path=(3303, 0, 5700), period_s=60, value=_temperature, start=20.5),
            Resource(path=(3304, 0, 5700), period_s=300, value=_humidity, start=45.0),
            Resource(
                path=(3308, 0, 5900),
                period_s=900,
                value=_set_point,
                start=20.0,
                content_format=ContentFormat.CBOR,
            ),
            Resource(path=(3, 0, 9), period_s=3600, value=_battery, start=93),
        ),
        registration_s=3000,
        read_s=1700,
        confirmable_every=20,
    ),
    "meter": Profile(
        resources=(
            Resource(path=(3305, 0, 5805), period_s=900, value=_energy, start=1204.5),
            Resource(path=(3305, 0, 5800), period_s=900, value=_power, start=310.0),
            Resource(path=(3424, 0, 1), period_s=3600, value=_volume, start=88.417),
            Resource(path=(3, 0, 9), period_s=86_400, value=_battery, start=98),
        ),
        registration_s=43_200,
        read_s=86_400,
        confirmable_every=24,
    ),
}
"""The devices that can be generated, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedPacket:
    """One packet of a conversation."""

    time_s: float
    """Seconds since the conversation began."""
    uplink: bool
    """Whether the device sent it."""
    packet: bytes
    """The IP packet."""


def conversation(
    profile: str = "thermostat", *, seed: int = 0, ip_version: int = 6, identity: str = ""
) -> Iterator[GeneratedPacket]:
    """What a device and its server say to each other, packet by packet, without end.

    Args:
        profile: a name of :data:`PROFILES`.
        seed: what everything is drawn from.
        ip_version: 4 or 6.
        identity: whose traffic it is: over IPv6 each has a subnet of its own.

    Raises:
        UsageError: no such profile or IP version.

    """
    if profile not in PROFILES:
        raise UsageError(
            f"there is no traffic profile {profile!r}", hint=f"known are {', '.join(PROFILES)}"
        )
    if ip_version not in (4, 6):
        raise UsageError(f"IP version {ip_version} cannot be generated", hint="take 4 or 6")
    subnet = int.from_bytes(sha256(identity.encode()).digest()[:2], "big") if identity else 0
    random = Random(f"{profile}/{seed}/{ip_version}")
    return _Conversation(PROFILES[profile], random, ip_version, subnet)


class _Conversation(Iterator[GeneratedPacket]):
    """An agenda of what happens when; what happens puts its consequences on the agenda."""

    def __init__(self, profile: Profile, random: Random, ip_version: int, subnet: int) -> None:
        # Only random() and getrandbits() are used: theirs are the sequences that Python keeps.
        self._profile = profile
        self._random = random
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[float], GeneratedPacket]]] = []
        if ip_version == 6:
            number = 1 + random.getrandbits(12)
            device, server = f"2001:db8:be57:{subnet:x}::{number:x}", "2001:db8:be57::5683"
        else:
            device, server = f"192.0.2.{20 + random.getrandbits(7)}", "192.0.2.5"
        self._device, self._server = packed_address(device), packed_address(server)
        self._device_port = 49_152 + random.getrandbits(14)
        self._labels = (random.getrandbits(20), random.getrandbits(20))
        self._identifications = [random.getrandbits(16), random.getrandbits(16)]
        self._message_ids = [random.getrandbits(16), random.getrandbits(16)]
        self._registration = "".join(
            "abcdefghijklmnopqrstuvwxyz234567"[random.getrandbits(5)] for _ in range(10)
        )
        self._values = [resource.start for resource in profile.resources]
        self._tokens = [self._octets(2) for _ in profile.resources]
        self._notified = [1 + random.getrandbits(5) for _ in profile.resources]
        for number, resource in enumerate(profile.resources):
            first = 0.0 if number == 0 else 2.0 * number
            self._at(first, self._notification(number, resource, first))
        self._at(profile.registration_s, self._renewal(profile.registration_s))
        self._at(profile.read_s, self._read(profile.read_s))

    def __next__(self) -> GeneratedPacket:
        time_s, _, happens = heapq.heappop(self._agenda)
        return happens(time_s)

    # What happens. Each gives the function that the agenda calls when its time has come.

    def _notification(
        self, number: int, resource: Resource, due_s: float
    ) -> Callable[[float], GeneratedPacket]:
        def happens(time_s: float) -> GeneratedPacket:
            next_s = due_s + resource.period_s
            jitter_s = 0.02 * self._random.random()
            self._at(next_s + jitter_s, self._notification(number, resource, next_s))
            value = resource.value(time_s, self._random, self._values[number])
            self._values[number] = value
            self._notified[number] += 1
            sequence = self._notified[number] & 0xFFFFFF  # RFC 7641 section 4.4: 24 bits
            confirmable = sequence % self._profile.confirmable_every == 0
            message = coap_message(
                Type.CON if confirmable else Type.NON,
                Code.CONTENT,
                self._message_id(0),
                self._tokens[number],
                [
                    (OptionNumber.OBSERVE, uint(sequence)),
                    (OptionNumber.CONTENT_FORMAT, uint(resource.content_format)),
                ],
                _written(resource, value),
            )
            if confirmable:
                answer = coap_message(Type.ACK, Code.EMPTY, int.from_bytes(message[2:4], "big"))
                self._confirm(time_s, message, answer)
            return self._packet(time_s, message, uplink=True)

        return happens

    def _renewal(self, due_s: float) -> Callable[[float], GeneratedPacket]:
        def happens(time_s: float) -> GeneratedPacket:
            next_s = due_s + self._profile.registration_s
            self._at(next_s, self._renewal(next_s))
            message_id, token = self._message_id(0), self._octets(8)
            path = [(OptionNumber.URI_PATH, b"rd")]
            path.append((OptionNumber.URI_PATH, self._registration.encode()))
            request = coap_message(Type.CON, Code.POST, message_id, token, path)
            answer = coap_message(Type.ACK, Code.CHANGED, message_id, token)
            self._confirm(time_s, request, answer)
            return self._packet(time_s, request, uplink=True)

        return happens

    def _read(self, due_s: float) -> Callable[[float], GeneratedPacket]:
        def happens(time_s: float) -> GeneratedPacket:
            next_s = due_s + self._profile.read_s
            self._at(next_s, self._read(next_s))
            number = int(self._random.random() * len(self._profile.resources))
            resource = self._profile.resources[number]
            message_id, token = self._message_id(1), self._octets(8)
            request = coap_message(
                Type.CON,
                Code.GET,
                message_id,
                token,
                [(OptionNumber.URI_PATH, str(part).encode()) for part in resource.path],
            )
            answer = coap_message(
                Type.ACK,
                Code.CONTENT,
                message_id,
                token,
                [(OptionNumber.CONTENT_FORMAT, uint(resource.content_format))],
                _written(resource, self._values[number]),
            )
            self._at(time_s + 0.01 + 0.04 * self._random.random(), self._say(answer, uplink=True))
            return self._packet(time_s, request, uplink=False)

        return happens

    def _confirm(self, time_s: float, message: bytes, answer: bytes) -> None:
        """The server answers; one in sixteen is sent again before (RFC 7252 section 4.2)."""
        if self._random.getrandbits(4) == 0:
            time_s += 2.0 * (1.0 + 0.5 * self._random.random())  # ACK_TIMEOUT, ACK_RANDOM_FACTOR
            self._at(time_s, self._say(message, uplink=True))
        self._at(time_s + 0.6 + 1.2 * self._random.random(), self._say(answer, uplink=False))

    def _say(self, message: bytes, *, uplink: bool) -> Callable[[float], GeneratedPacket]:
        return lambda time_s: self._packet(time_s, message, uplink=uplink)

    # Odds and ends.

    def _at(self, time_s: float, happens: Callable[[float], GeneratedPacket]) -> None:
        heapq.heappush(self._agenda, (time_s, next(self._order), happens))

    def _octets(self, size: int) -> bytes:
        return self._random.getrandbits(8 * size).to_bytes(size, "big")

    def _message_id(self, side: int) -> int:
        self._message_ids[side] = (self._message_ids[side] + 1) & 0xFFFF
        return self._message_ids[side]

    def _packet(self, time_s: float, message: bytes, *, uplink: bool) -> GeneratedPacket:
        side = 0 if uplink else 1
        self._identifications[side] = (self._identifications[side] + 1) & 0xFFFF
        ends = [(self._device, self._device_port), (self._server, _COAP_PORT)]
        (source, source_port), (destination, destination_port) = ends if uplink else ends[::-1]
        packet = build_udp_packet(
            source,
            destination,
            source_port,
            destination_port,
            message,
            identification=self._identifications[side],
            flow_label=self._labels[side],
            dont_fragment=False,
        )
        return GeneratedPacket(time_s=time_s, uplink=uplink, packet=packet)


def _written(resource: Resource, value: float | int) -> bytes:
    if resource.content_format is ContentFormat.CBOR:
        return cbor(value)
    return tlv(resource.path[2], value)


def generated_traffic(
    profile: str = "thermostat",
    *,
    messages: int,
    seed: int = 0,
    ip_version: int = 6,
    identity: str = "",
) -> Traffic:
    """The first messages of a generated device.

    Args:
        profile: a name of :data:`PROFILES`.
        messages: how many, at least 1.
        seed: what everything is drawn from.
        ip_version: 4 or 6.
        identity: whose traffic it is: over IPv6 each has a subnet of its own.

    Raises:
        UsageError: no such profile or IP version, or fewer than one message.

    """
    if messages < 1:
        raise UsageError(f"{messages} messages cannot be generated", hint="take 1 or more")
    taken: list[Message] = []
    for generated in conversation(profile, seed=seed, ip_version=ip_version, identity=identity):
        if generated.uplink:
            taken.append(
                Message.of(len(taken), generated.time_s, parse_udp_packet(generated.packet))
            )
            if len(taken) == messages:
                break
    return Traffic(
        description=f"generator:{profile} (seed {seed}, IPv{ip_version})",
        device=taken[0].source_text,
        messages=tuple(taken),
    )


def write_capture(
    path: str | os.PathLike[str], packets: Iterable[GeneratedPacket], *, start_ns: int
) -> int:
    """Write generated packets as a capture of an Ethernet interface would have them.

    Args:
        path: the file to create; it must not exist.
        packets: the packets of a conversation, as many as are wanted.
        start_ns: wall-clock time of the conversation's beginning in nanoseconds since 1970.

    Returns:
        How many packets were written.

    """
    device, server = bytes.fromhex("02be57000001"), bytes.fromhex("02be57000002")
    with PcapngWriter(path, application="bestbed traffic generator") as writer:
        writer.add_interface("eth0", link_type=LinkType.ETHERNET, resolution="us")
        for generated in packets:
            ends = server + device if generated.uplink else device + server
            ethertype = b"\x86\xdd" if generated.packet[0] >> 4 == 6 else b"\x08\x00"
            frame = (ends + ethertype + generated.packet).ljust(60, b"\0")
            writer.write_packet(0, frame, start_ns + round(generated.time_s * _NS))
        return writer.packets
