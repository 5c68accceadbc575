"""scapy agrees on headers and checksums, and reads our captures."""

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.packets import (
    build_udp_packet,
    parse_udp_packet,
    swap_endpoints,
    udp_checksum_valid,
)
from testbed.results.capture import UE_RECONSTRUCTED, RunCapture
from testbed.results.capture_reader import CaptureReader

pytestmark = pytest.mark.peer

if importlib.util.find_spec("scapy") is None:
    if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
        pytest.fail("scapy is required, and not installed", pytrace=False)
    pytest.skip("scapy is not installed (pip install scapy)", allow_module_level=True)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scapy.layers.inet import IP, UDP
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
    from scapy.packet import Raw
    from scapy.utils import PcapNgReader, wrpcap

port = st.integers(0, 0xFFFF)
v4 = st.binary(min_size=4, max_size=4)
v6 = st.binary(min_size=16, max_size=16)
# scapy reads some ports as protocols of its own; what they carry is compared as octets only.
payload = st.binary(max_size=100)


def dotted(address: bytes) -> str:
    return ".".join(map(str, address))


def colons(address: bytes) -> str:
    return ":".join(address[at : at + 2].hex() for at in range(0, 16, 2))


@settings(max_examples=60, deadline=None)
@given(v4, v4, port, port, payload, st.integers(1, 255), st.integers(0, 255), port)
def test_ipv4_packets_are_those_of_scapy(
    source: bytes,
    destination: bytes,
    sport: int,
    dport: int,
    data: bytes,
    ttl: int,
    tos: int,
    identification: int,
) -> None:
    ours = build_udp_packet(
        source,
        destination,
        sport,
        dport,
        data,
        hop_limit=ttl,
        traffic_class=tos,
        identification=identification,
    )
    theirs = (
        IP(
            src=dotted(source),
            dst=dotted(destination),
            ttl=ttl,
            tos=tos,
            id=identification,
            flags=2,
        )
        / UDP(sport=sport, dport=dport)
        / Raw(data)
    )
    assert ours == bytes(theirs)


@settings(max_examples=60, deadline=None)
@given(
    v6, v6, port, port, payload, st.integers(0, 255), st.integers(0, 255), st.integers(0, 0xFFFFF)
)
def test_ipv6_packets_are_those_of_scapy(
    source: bytes,
    destination: bytes,
    sport: int,
    dport: int,
    data: bytes,
    hop_limit: int,
    traffic_class: int,
    label: int,
) -> None:
    ours = build_udp_packet(
        source,
        destination,
        sport,
        dport,
        data,
        hop_limit=hop_limit,
        traffic_class=traffic_class,
        flow_label=label,
    )
    theirs = (
        IPv6(
            src=colons(source), dst=colons(destination), hlim=hop_limit, tc=traffic_class, fl=label
        )
        / UDP(sport=sport, dport=dport)
        / Raw(data)
    )
    assert ours == bytes(theirs)


@settings(max_examples=40, deadline=None)
@given(v6, v6, port, port, payload, st.integers(0, 2), st.binary(max_size=20))
def test_packets_of_scapy_are_read_with_their_extension_headers(
    source: bytes,
    destination: bytes,
    sport: int,
    dport: int,
    data: bytes,
    extensions: int,
    tail: bytes,
) -> None:
    packet: Any = IPv6(src=colons(source), dst=colons(destination))
    for extension in (IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt())[:extensions]:
        packet /= extension
    octets = bytes(packet / UDP(sport=sport, dport=dport) / Raw(data))
    parsed = parse_udp_packet(octets + tail)
    assert parsed.raw == octets
    assert (parsed.source, parsed.destination) == (source, destination)
    assert (parsed.source_port, parsed.destination_port, parsed.payload) == (sport, dport, data)
    assert parsed.ip_header_bytes == 40 + 8 * extensions
    assert udp_checksum_valid(parsed)


@settings(max_examples=40, deadline=None)
@given(v4, v4, port, port, payload, payload)
def test_answers_are_those_of_scapy(
    source: bytes, destination: bytes, sport: int, dport: int, data: bytes, answer: bytes
) -> None:
    packet = build_udp_packet(source, destination, sport, dport, data, identification=7)
    theirs = (
        IP(src=dotted(destination), dst=dotted(source), id=7, flags=2)
        / UDP(sport=dport, dport=sport)
        / Raw(answer)
    )
    assert swap_endpoints(packet, answer) == bytes(theirs)


def test_scapy_reads_our_captures(tmp_path: Path) -> None:
    path = tmp_path / "capture.pcapng"
    ue, hse = ("10.0.0.1", 41_000), ("10.0.0.2", 34_500)
    with RunCapture(path, hse_port=34_500, start_ns=1_700_000_000_000_000_000) as capture:
        written = [
            capture.ue_packet(b"one", ue, hse, uplink=True, at=0.25, note="message 0"),
            capture.hse_packet(b"two", hse, ue, uplink=False, at=0.5),
        ]
    with PcapNgReader(str(path)) as reader:
        packets = list(reader)
    assert [bytes(packet) for packet in packets] == written
    assert [float(packet.time) for packet in packets] == [1_700_000_000.25, 1_700_000_000.5]
    assert [packet.sniffed_on for packet in packets] == ["ue", "hse"]
    assert packets[0].comments == [UE_RECONSTRUCTED.encode(), b"message 0"]
    assert packets[0][UDP].dport == 4500


def test_we_read_captures_of_scapy(tmp_path: Path) -> None:
    path = tmp_path / "scapy.pcap"
    packet = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / Raw(b"reading")
    wrpcap(str(path), [packet, packet], linktype=101)
    read = list(CaptureReader(path))
    assert [captured.data for captured in read] == [bytes(packet)] * 2
    assert read[0].interface.link_type == 101
