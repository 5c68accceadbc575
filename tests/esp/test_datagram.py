"""Whole IP packets: outer headers, where ESP goes, what comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import InboundAssociation, Mode, OutboundAssociation, suite
from esp.checksum import internet_checksum, recompute_checksum
from esp.datagram import OuterHeader, find_esp, protect_packet, unprotect_packet
from esp.errors import (
    BadIcv,
    InvalidParameter,
    MalformedLocalPacket,
    NotEsp,
    PacketRejected,
    Reason,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "vectors" / "esp"
GCM = suite("aes-gcm-16-128")
OUTER = {
    4: OuterHeader(source=ip_address("192.0.2.1"), destination=ip_address("192.0.2.2")),
    6: OuterHeader(source=ip_address("2001:db8::1"), destination=ip_address("2001:db8::2")),
}
UDP = b"\x16\x33\x16\x33\0\x0c\0\0data"


def pair(mode: Mode) -> tuple[OutboundAssociation, InboundAssociation]:
    return (
        OutboundAssociation(4711, GCM, bytes(16), bytes(4), mode),
        InboundAssociation(4711, GCM, bytes(16), bytes(4), mode),
    )


def ipv4(
    payload: bytes = UDP,
    protocol: int = 17,
    *,
    tos: int = 0,
    flags: int = 0x4000,
    options: bytes = b"",
) -> bytes:
    size = 20 + len(options)
    head = bytes((0x40 | size // 4, tos)) + (size + len(payload)).to_bytes(2, "big") + b"\x12\x34"
    head += flags.to_bytes(2, "big") + bytes((63, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2))
    head += options
    checksum = internet_checksum(head).to_bytes(2, "big")
    return head[:10] + checksum + head[12:] + payload


def ipv6(payload: bytes = UDP, protocol: int = 17, *, traffic_class: int = 0) -> bytes:
    head = (6 << 28 | traffic_class << 20 | 0x12345).to_bytes(4, "big")
    head += len(payload).to_bytes(2, "big") + bytes((protocol, 63))
    return head + ip_address("fd00::1").packed + ip_address("fd00::2").packed + payload


def extension(next_header: int, size: int = 8) -> bytes:
    return bytes((next_header, size // 8 - 1, 1, size - 4)) + bytes(size - 4)


def valid_ipv4(packet: bytes) -> bool:
    return internet_checksum(packet[: (packet[0] & 15) * 4]) == 0 and (
        packet[2] << 8 | packet[3]
    ) == len(packet)


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("inner", [ipv4(), ipv4(b""), ipv6(), ipv6(b"", 59)])
@pytest.mark.parametrize("ports", [None, (4500, 4500), (62001, 4500), (4500, 62001)])
def test_a_tunnel_gives_the_inner_packet_back(
    outer: int, inner: bytes, ports: tuple[int, int] | None
) -> None:
    outbound, inbound = pair(Mode.TUNNEL)
    packet = protect_packet(outbound, inner, replace(OUTER[outer], udp_ports=ports))
    assert packet[0] >> 4 == outer
    if outer == 4:
        assert valid_ipv4(packet)
        assert packet[9] == (50 if ports is None else 17)
    else:
        assert packet[6] == (50 if ports is None else 17)
        assert 40 + (packet[4] << 8 | packet[5]) == len(packet)
    found = find_esp(packet)
    assert found.udp_encapsulated is (ports is not None)
    assert found.version == outer
    restored, opened = unprotect_packet(inbound, packet)
    assert restored == inner
    assert opened.next_header == (4 if inner[0] >> 4 == 4 else 41)


def test_the_size_of_a_tunnel_packet_is_the_sum_of_its_layers() -> None:
    outbound, _ = pair(Mode.TUNNEL)
    plain = protect_packet(outbound, ipv4(), OUTER[4])
    assert len(plain) == 20 + len(ipv4()) + outbound.overhead(len(ipv4())).total
    udp = protect_packet(outbound, ipv4(), replace(OUTER[4], udp_ports=(4500, 4500)))
    assert len(udp) == len(plain) + 8


def test_the_sizes_are_those_of_the_shared_arithmetic() -> None:
    path = SHARED / "esp_overhead_arithmetic.json"
    if not path.exists():
        pytest.skip("the shared vectors are not beside this checkout")
    rows = [r for r in json.loads(path.read_text())["rows"] if r["transform"] == "AES-GCM-16"]
    assert rows
    for row in rows:
        inner = ipv4(bytes(8 + row["app"]))
        outbound, _ = pair(Mode.TUNNEL)
        assert len(protect_packet(outbound, inner, OUTER[4])) == row["tunnel_total"]
        udp = replace(OUTER[4], udp_ports=(4500, 4500))
        assert len(protect_packet(outbound, inner, udp)) == row["udp_encap_tunnel_total"]
        outbound, _ = pair(Mode.TRANSPORT)
        assert len(protect_packet(outbound, inner)) == row["transport_total"]


@pytest.mark.parametrize("packet", [ipv4(), ipv4(options=b"\1\1\1\0"), ipv6()])
@pytest.mark.parametrize("ports", [None, (4500, 4500)])
def test_transport_mode_keeps_the_header_and_gives_the_packet_back(
    packet: bytes, ports: tuple[int, int] | None
) -> None:
    outbound, inbound = pair(Mode.TRANSPORT)
    outer = replace(OUTER[4], udp_ports=ports) if ports else None
    protected = protect_packet(outbound, packet, outer)
    if packet[0] >> 4 == 4:
        assert valid_ipv4(protected)
        assert protected[12:20] == packet[12:20]
    else:
        assert protected[8:40] == packet[8:40]
    restored, opened = unprotect_packet(inbound, protected)
    assert restored == packet
    assert opened.next_header == 17
    assert opened.payload == UDP


@pytest.mark.parametrize(
    ("chain", "before"),
    [
        ([0], 1),  # hop-by-hop stays in front
        ([43], 1),  # routing
        ([60, 43], 2),  # destination options for the routing header's stops
        ([60], 0),  # destination options for the last stop: behind ESP
        ([0, 60, 43, 60], 3),
        ([0, 43, 60], 2),
    ],
)
def test_esp_goes_behind_the_extension_headers_that_routers_read(
    chain: list[int], before: int
) -> None:
    body = UDP
    for at in range(len(chain) - 1, -1, -1):
        body = extension([*chain, 17][at + 1], 16 if chain[at] == 43 else 8) + body
    packet = ipv6(body, chain[0])
    outbound, inbound = pair(Mode.TRANSPORT)
    protected = protect_packet(outbound, packet)
    protocol, offset, seen = protected[6], 40, []
    while protocol != 50:
        seen.append(protocol)
        protocol, offset = protected[offset], offset + 8 * (protected[offset + 1] + 1)
    assert seen == chain[:before]
    assert int.from_bytes(protected[offset : offset + 4], "big") == 4711
    restored, opened = unprotect_packet(inbound, protected)
    assert restored == packet
    assert opened.next_header == [*chain, 17][before]


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(flags=0x2000),
        ipv4(flags=0x0001),
        ipv6(bytes((17, 0, 0, 1, 0, 0, 0, 9)) + UDP, 44),
        ipv6(bytes((17, 0, 0, 8, 0, 0, 0, 9)) + UDP, 44),
    ],
)
def test_transport_mode_refuses_fragments_and_a_tunnel_takes_them(packet: bytes) -> None:
    outbound, _ = pair(Mode.TRANSPORT)
    with pytest.raises(MalformedLocalPacket, match="fragment"):
        protect_packet(outbound, packet)
    outbound, inbound = pair(Mode.TUNNEL)
    assert unprotect_packet(inbound, protect_packet(outbound, packet, OUTER[4]))[0] == packet
    protected = bytearray(protect_packet(outbound, packet, OUTER[4]))
    protected[6] |= 0x20
    with pytest.raises(NotEsp):
        find_esp(bytes(protected))


def test_an_atomic_fragment_is_not_a_fragment() -> None:
    outbound, inbound = pair(Mode.TRANSPORT)
    packet = ipv6(bytes((17, 0, 0, 0, 0, 0, 0, 9)) + UDP, 44)
    protected = protect_packet(outbound, packet)
    assert protected[40] == 50
    assert unprotect_packet(inbound, protected)[0] == packet


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("traffic_class", [0, 0b10111000, 0b10111001, 2, 3])
def test_the_outer_header_copies_ds_field_and_ecn(
    inner: int, outer: int, traffic_class: int
) -> None:
    outbound, _ = pair(Mode.TUNNEL)
    packet = ipv4(tos=traffic_class) if inner == 4 else ipv6(traffic_class=traffic_class)
    made = protect_packet(outbound, packet, OUTER[outer])
    seen = made[1] if outer == 4 else (made[0] << 4 | made[1] >> 4) & 0xFF
    assert seen == traffic_class


@pytest.mark.parametrize("inner", [4, 6])
@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 3), (2, 3), (3, 3)])
def test_congestion_on_the_way_reaches_a_transport_that_knows_ecn(
    inner: int, outer: int, before: int, after: int
) -> None:
    outbound, inbound = pair(Mode.TUNNEL)

    def packet(ecn: int) -> bytes:
        return ipv4(tos=0x20 | ecn) if inner == 4 else ipv6(traffic_class=0x20 | ecn)

    made = bytearray(protect_packet(outbound, packet(before), OUTER[outer]))
    made[1] |= 3 if outer == 4 else 0x30
    assert unprotect_packet(inbound, bytes(made))[0] == packet(after)


@pytest.mark.parametrize(
    ("choice", "flags", "df"),
    [(True, 0, 1), (False, 0x4000, 0), (None, 0x4000, 1), (None, 0, 0)],
)
def test_the_outer_df_bit_is_set_clear_or_copied(choice: bool | None, flags: int, df: int) -> None:
    outbound, _ = pair(Mode.TUNNEL)
    outer = replace(OUTER[4], dont_fragment=choice)
    assert protect_packet(outbound, ipv4(flags=flags), outer)[6] >> 6 == df


def test_the_udp_checksum_is_zero_over_ipv4_and_computed_over_ipv6() -> None:
    outbound, _ = pair(Mode.TUNNEL)
    over4 = protect_packet(outbound, ipv4(), replace(OUTER[4], udp_ports=(4500, 4500)))
    assert over4[26:28] == b"\0\0"
    over6 = protect_packet(outbound, ipv4(), replace(OUTER[6], udp_ports=(4500, 4500)))
    assert over6[46:48] != b"\0\0"
    assert recompute_checksum(17, over6[40:], over6[8:24], over6[24:40]) == over6[40:]


def test_receiving_does_not_depend_on_the_udp_checksum() -> None:
    outbound, inbound = pair(Mode.TUNNEL)
    packet = bytearray(protect_packet(outbound, ipv4(), replace(OUTER[4], udp_ports=(4500, 9))))
    packet[26:28] = b"\xab\xcd"
    assert unprotect_packet(inbound, bytes(packet))[0] == ipv4()


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45",
        bytes(60),
        ipv4()[:-1],
        ipv4() + b"\0",
        ipv6()[:-1],
        ipv6()[:39],
        b"\x44" + ipv4()[1:],
        b"\x4f" + ipv4()[1:],
        ipv6(b"\x11", 0),
        ipv6(b"\x11\xff" + bytes(20), 60),
    ],
)
def test_a_packet_that_contradicts_itself_is_refused_both_ways(packet: bytes) -> None:
    for mode in Mode:
        outbound, inbound = pair(mode)
        with pytest.raises(MalformedLocalPacket):
            protect_packet(outbound, packet, OUTER[4])
        assert outbound.sequence == 0
        with pytest.raises(NotEsp) as caught:
            unprotect_packet(inbound, packet)
        assert caught.value.reason is Reason.NOT_ESP


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(protocol=1),
        ipv4(UDP, 17),
        ipv4(b"\x11\x94\x11\x94\0\x09\0\0\xff"),  # a keepalive
        ipv4(b"\x11\x94\x11\x94\0\x14\0\0" + bytes(12)),  # a message behind the marker
        ipv4(b"\x11\x94\x11\x94\0\x30\0\0" + bytes(12)),  # longer than the packet
        ipv4(b"\x11\x94\x11\x94\0\x07\0\0" + bytes(12)),  # shorter than its header
        ipv6(b"\x11\x94", 17),
    ],
)
def test_what_carries_no_esp_is_not_esp(packet: bytes) -> None:
    with pytest.raises(NotEsp):
        find_esp(packet)


def test_without_a_port_only_plain_esp_is_taken() -> None:
    outbound, _ = pair(Mode.TUNNEL)
    packet = protect_packet(outbound, ipv4(), replace(OUTER[4], udp_ports=(4500, 4500)))
    with pytest.raises(NotEsp):
        find_esp(packet, udp_port=None)
    with pytest.raises(NotEsp):
        find_esp(packet, udp_port=4501)


def test_a_tunnel_needs_an_outer_header_of_one_version() -> None:
    outbound, _ = pair(Mode.TUNNEL)
    with pytest.raises(InvalidParameter):
        protect_packet(outbound, ipv4())
    with pytest.raises(InvalidParameter):
        OuterHeader(source=ip_address("192.0.2.1"), destination=ip_address("::1"))
    with pytest.raises(InvalidParameter):
        replace(OUTER[4], hop_limit=0)


@pytest.mark.parametrize("outer", [4, 6])
@pytest.mark.parametrize("ports", [None, (4500, 4500)])
def test_what_does_not_fit_into_an_ip_packet_is_refused(
    outer: int, ports: tuple[int, int] | None
) -> None:
    outbound, _ = pair(Mode.TUNNEL)
    with pytest.raises(MalformedLocalPacket, match="65535"):
        protect_packet(outbound, ipv4(bytes(65_515)), replace(OUTER[outer], udp_ports=ports))
    outbound, _ = pair(Mode.TRANSPORT)
    packet = ipv4(bytes(65_510)) if outer == 4 else ipv6(bytes(65_530))
    with pytest.raises(MalformedLocalPacket, match="65535"):
        protect_packet(outbound, packet, replace(OUTER[outer], udp_ports=ports))


def test_a_dummy_packet_gives_its_payload_and_is_marked() -> None:
    for mode in Mode:
        outbound, inbound = pair(mode)
        packet = OUTER[4].wrap(outbound.protect(b"noise", 59))
        payload, opened = unprotect_packet(inbound, packet)
        assert opened.is_dummy
        assert payload == b"noise"


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=80),
    head=st.sampled_from([b"", ipv4()[:20], ipv6()[:40], ipv4(protocol=50)[:20]]),
)
def test_random_packets_raise_nothing_but_packet_rejected(data: bytes, head: bytes) -> None:
    for mode in Mode:
        _, inbound = pair(mode)
        with pytest.raises(PacketRejected):
            unprotect_packet(inbound, head + data)


def test_a_flipped_bit_behind_the_ip_header_never_gets_through() -> None:
    outbound, inbound = pair(Mode.TUNNEL)
    packet = protect_packet(outbound, ipv4(), OUTER[4])
    for bit in range(20 * 8, len(packet) * 8):
        altered = bytearray(packet)
        altered[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(PacketRejected):
            unprotect_packet(inbound, bytes(altered))
    with pytest.raises(BadIcv):
        unprotect_packet(inbound, packet[:-1] + bytes((packet[-1] ^ 1,)))
    assert unprotect_packet(inbound, packet)[0] == ipv4()


def vectors() -> list[Any]:
    path = SHARED / "linux.jsonl"
    if not path.exists():
        return []
    found = []
    for line in path.read_text().splitlines():
        vector = json.loads(line)
        if vector["suite"] == "aes-gcm-128-16":
            found.append(
                pytest.param(
                    vector,
                    id=f"{vector['mode']}-{vector['outer_ip']}-{vector['inner_ip']}"
                    f"-{vector['udp_encap']}-{vector['esn']}-{vector['spi']}",
                )
            )
    return found


@pytest.mark.parametrize("vector", vectors())
def test_whole_packets_of_the_linux_kernel_open(vector: dict[str, Any]) -> None:
    first = vector["packets"][0]
    inbound = InboundAssociation(
        int(vector["spi"], 16),
        GCM,
        bytes.fromhex(vector["key"]),
        bytes.fromhex(vector["salt"]),
        Mode(vector["mode"]),
        esn=vector["esn"],
        sequence=(first["esn_hi"] << 32 | first["seq"]) - 1,
    )
    for packet in vector["packets"]:
        outer = bytes.fromhex(packet["outer"])
        found = find_esp(outer)
        assert found.esp.hex() == packet["wire"]
        assert found.udp_encapsulated is vector["udp_encap"]
        restored, opened = unprotect_packet(inbound, outer)
        assert opened.payload.hex() == packet["inner"]
        if inbound.mode is Mode.TUNNEL:
            assert restored.hex() == packet["inner"]
        else:
            assert restored.endswith(opened.payload)
            assert restored[0] >> 4 == vector["outer_ip"]


def test_the_kernel_vectors_are_there() -> None:
    if not (SHARED / "linux.jsonl").exists():
        pytest.skip("the shared vectors are not beside this checkout")
    assert len(vectors()) == 16
