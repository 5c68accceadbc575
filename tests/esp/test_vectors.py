"""Packets that other implementations made: every one opens, and is made again octet by octet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esp import SUITES, InboundAssociation, Mode, OutboundAssociation, Suite

SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "esp"
OWN = Path(__file__).parents[1] / "data" / "esp" / "packets.jsonl"


def row_of(vector: dict[str, Any]) -> Suite | None:
    """The row of the table for a vector's transform, integrity transform and key size."""
    for row in SUITES.values():
        if (
            row.encryption == vector["transform"]
            and row.integrity == vector["auth"]
            and row.key_bytes == len(vector["key"]) // 2
        ):
            return row
    return None


def lines(path: Path) -> list[Any]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def name_of(vector: dict[str, Any]) -> str:
    return "-".join(
        str(part)
        for part in (
            vector["suite"],
            vector["mode"],
            vector.get("outer_ip", 4),
            vector.get("inner_ip", 4),
            "esn" if vector["esn"] else "sn",
            vector["spi"],
        )
    )


SOURCES = {
    "own": OWN,
    "linux": SHARED / "linux.jsonl",
    "strongswan": SHARED / "strongswan.jsonl",
    "scapy": SHARED / "scapy.jsonl",
}
CASES = [
    pytest.param(vector, id=f"{source}-{name_of(vector)}")
    for source, path in SOURCES.items()
    for vector in lines(path)
    if row_of(vector) is not None
]


@pytest.mark.parametrize("source", SOURCES)
def test_the_vectors_are_there(source: str) -> None:
    if not SOURCES[source].exists():
        pytest.skip("the shared vectors are not beside this checkout")
    assert all(row_of(vector) for vector in lines(SOURCES[source]))


def opened(vector: dict[str, Any], start: int) -> InboundAssociation:
    row = row_of(vector)
    assert row is not None
    return InboundAssociation(
        int(vector["spi"], 16),
        row,
        bytes.fromhex(vector["key"]),
        bytes.fromhex(vector["salt"]),
        Mode(vector["mode"]),
        integrity_key=bytes.fromhex(vector["auth_key"]),
        esn=vector["esn"],
        sequence=start,
    )


def next_header_of(vector: dict[str, Any], packet: dict[str, Any]) -> int:
    """Some sources leave it out: UDP in transport mode, the inner IP version in a tunnel."""
    if "next_header" in packet:
        return int(packet["next_header"])
    if vector["mode"] == "transport":
        return 17
    return 4 if packet["inner"][0] == "4" else 41


def first_number(vector: dict[str, Any]) -> int:
    packet = vector["packets"][0]
    high = packet.get("esn_hi", vector.get("esn_hi", 0)) if vector["esn"] else 0
    return int(high) << 32 | int(packet["seq"])


@pytest.mark.parametrize("vector", CASES)
def test_packets_of_other_implementations_open(vector: dict[str, Any]) -> None:
    inbound = opened(vector, first_number(vector) - 1)
    for packet in vector["packets"]:
        result = inbound.unprotect(bytes.fromhex(packet["wire"]))
        assert result.payload.hex() == packet["inner"]
        assert result.next_header == next_header_of(vector, packet)
        assert result.sequence & 0xFFFF_FFFF == packet["seq"]
        assert result.late_by == 0


@pytest.mark.parametrize("vector", CASES)
def test_with_the_same_iv_and_number_the_same_packet_is_made(vector: dict[str, Any]) -> None:
    row = row_of(vector)
    assert row is not None
    packets = {}
    number = first_number(vector)
    for packet in vector["packets"]:
        packets[number] = packet
        number += 1

    def iv_of(sequence: int) -> bytes:
        return bytes.fromhex(packets[sequence]["wire"])[8 : 8 + row.iv_bytes]

    outbound = OutboundAssociation(
        int(vector["spi"], 16),
        row,
        bytes.fromhex(vector["key"]),
        bytes.fromhex(vector["salt"]),
        Mode(vector["mode"]),
        integrity_key=bytes.fromhex(vector["auth_key"]),
        esn=vector["esn"],
        sequence=first_number(vector) - 1,
        iv_source=iv_of,
    )
    for packet in vector["packets"]:
        inner = bytes.fromhex(packet["inner"])
        made = outbound.protect(inner, next_header_of(vector, packet))
        assert made.hex() == packet["wire"]
