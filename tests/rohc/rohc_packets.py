"""Packets for tests, built octet by octet and without the package under test."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rohc import Decompressor

SHARED = Path(__file__).parents[2].parent / "shared"
DATA = Path(__file__).parents[1] / "data" / "rohc"


def ones_complement(data: bytes) -> int:
    """The Internet checksum of RFC 1071."""
    if len(data) % 2:
        data += b"\x00"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    body: bytes,
    *,
    protocol: int = 17,
    identification: int = 1,
    tos: int = 0,
    ttl: int = 64,
    flags: int = 0x4000,
    source: str = "10.0.0.1",
    destination: str = "192.0.2.7",
) -> bytes:
    """An IPv4 packet without options."""
    addresses = bytes(int(part) for part in f"{source}.{destination}".split("."))
    header = struct.pack(
        "!BBHHHBBH", 0x45, tos, 20 + len(body), identification, flags, ttl, protocol, 0
    )
    checksum = ones_complement(header + addresses)
    return header[:10] + checksum.to_bytes(2, "big") + addresses + body


def ipv6(
    body: bytes,
    *,
    next_header: int = 17,
    traffic_class: int = 0,
    hop_limit: int = 64,
    flow_label: int = 0,
    source: bytes = bytes.fromhex("20010db8000a00000000000000000003"),
    destination: bytes = bytes.fromhex("20010db8000a00000000000000000020"),
) -> bytes:
    """An IPv6 packet."""
    word = 6 << 28 | traffic_class << 20 | flow_label
    head = struct.pack("!IHBB", word, len(body), next_header, hop_limit)
    return head + source + destination + body


def udp(
    payload: bytes,
    *,
    source_port: int = 40000,
    destination_port: int = 5683,
    checksum: int = 0x1234,
) -> bytes:
    """A UDP datagram; its checksum is what is asked for, right or not."""
    length = 8 + len(payload)
    return struct.pack("!HHHH", source_port, destination_port, length, checksum) + payload


def udp_checksum(packet: bytes) -> int:
    """The right UDP checksum of an IPv4 or IPv6 packet with one IP header."""
    if packet[0] >> 4 == 4:
        addresses, datagram = packet[12:20], packet[20:]
    else:
        addresses, datagram = packet[8:40], packet[40:]
    pseudo = addresses + struct.pack("!HBBH", 0, 0, 17, len(datagram))
    zeroed = datagram[:6] + b"\x00\x00" + datagram[8:]
    return ones_complement(pseudo + zeroed) or 0xFFFF


def streams(name: str) -> list[dict[str, Any]]:
    """The streams of a shared vector file; skips the test when it is not there."""
    path = SHARED / "vectors" / "rohc" / name
    if not path.exists():
        pytest.skip(f"the shared vector file {name} is not beside the checkout")
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def own_streams(name: str) -> list[dict[str, Any]]:
    """The streams of a vector file of this repository."""
    return [json.loads(line) for line in (DATA / name).read_text().splitlines() if line.strip()]


def pcapng_packets(path: Path) -> Iterator[bytes]:
    """The packet octets of a little-endian pcapng file's enhanced packet blocks."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            (captured,) = struct.unpack_from("<I", data, at + 20)
            yield data[at + 28 : at + 28 + captured]
        at += length


def snapshot(value: Any) -> Any:
    """All that a context knows, as plain values."""
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [snapshot(item) for item in value]
    names = [
        name
        for kind in type(value).__mro__
        for name in getattr(kind, "__slots__", ())
        if type(value).__module__.startswith("rohc")
    ]
    if not names or not hasattr(value, names[0]):
        return value if isinstance(value, int | str | bytes | None) else repr(type(value))
    return {name: snapshot(getattr(value, name)) for name in names if name != "spec"}


STATES_AND_COUNTERS = (
    "checksum_record",
    "failures",
    "quiet",
    "state",
    "steady",
    "suspended",
    "trial",
    "trial_ambiguous",
    "trial_packets",
    "updates_failed",
)
"""What RFC 3095 section 5.3.2.2.3 moves when a packet is rejected."""


def known(decompressor: Decompressor) -> Any:
    contexts = decompressor._contexts
    for context in contexts.values():
        context.leave_steady()
    saved = {}
    for cid, context in contexts.items():
        image = snapshot(context)
        for name in STATES_AND_COUNTERS:
            del image[name]
        saved[cid] = image
    return saved
