"""From a captured frame to the IP packet in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.packets import build_udp_packet
from testbed.results.links import KNOWN_LINK_TYPES, NoIp, ip_packet, trim_ip
from testbed.results.pcapng import LinkType

V4 = build_udp_packet("10.0.0.1", "10.0.0.2", 1, 2, b"reading")
V6 = build_udp_packet("2001:db8::1", "2001:db8::2", 1, 2, b"reading")
MACS = bytes(12)
SLL = bytes.fromhex("0000 0001 0006 024200000001 0000")
SLL2_REST = bytes.fromhex("0000 00000002 0001 00 06 0242000000010000")


@pytest.mark.parametrize(
    ("link", "header"),
    [
        (LinkType.ETHERNET, MACS + b"\x86\xdd"),
        (LinkType.ETHERNET, MACS + b"\x81\x00\x00\x05\x86\xdd"),
        (LinkType.ETHERNET, MACS + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x86\xdd"),
        (LinkType.ETHERNET, MACS + b"\x91\x00\x00\x05\x86\xdd"),
        (LinkType.RAW, b""),
        (LinkType.RAW_BSD, b""),
        (LinkType.RAW_OPENBSD, b""),
        (LinkType.IPV6, b""),
        (LinkType.LINUX_SLL, SLL + b"\x86\xdd"),
        (LinkType.LINUX_SLL, SLL + b"\x81\x00\x00\x05\x86\xdd"),
        (LinkType.LINUX_SLL2, b"\x86\xdd" + SLL2_REST),
        (LinkType.LINUX_SLL2, b"\x81\x00" + SLL2_REST + b"\x00\x05\x86\xdd"),
        (LinkType.NULL, b"\x1e\x00\x00\x00"),
        (LinkType.NULL, b"\x00\x00\x00\x18"),
        (LinkType.NULL, b"\x0a\x00\x00\x00"),
        (LinkType.LOOP, b"\x00\x00\x00\x1c"),
    ],
)
def test_ipv6_is_found_behind_every_link_header(link: LinkType, header: bytes) -> None:
    assert ip_packet(link, header + V6) == V6


@pytest.mark.parametrize(
    ("link", "header"),
    [
        (LinkType.ETHERNET, MACS + b"\x08\x00"),
        (LinkType.RAW, b""),
        (LinkType.IPV4, b""),
        (LinkType.LINUX_SLL, SLL + b"\x08\x00"),
        (LinkType.LINUX_SLL2, b"\x08\x00" + SLL2_REST),
        (LinkType.NULL, b"\x02\x00\x00\x00"),
        (LinkType.LOOP, b"\x00\x00\x00\x02"),
    ],
)
def test_ipv4_is_found_and_the_padding_of_a_short_frame_left_out(
    link: LinkType, header: bytes
) -> None:
    assert ip_packet(link, header + V4 + bytes(11)) == V4


@pytest.mark.parametrize(
    ("link", "frame", "why"),
    [
        (LinkType.ETHERNET, MACS + b"\x08\x06" + bytes(28), NoIp.NOT_IP),
        (LinkType.ETHERNET, MACS + b"\x00\x26" + bytes(38), NoIp.NOT_IP),
        (LinkType.ETHERNET, MACS + b"\x08", NoIp.TRUNCATED),
        (LinkType.ETHERNET, MACS + b"\x81\x00\x00\x05", NoIp.TRUNCATED),
        (LinkType.RAW, b"", NoIp.TRUNCATED),
        (LinkType.RAW, b"\x10" + bytes(30), NoIp.NOT_IP),
        (LinkType.LINUX_SLL, SLL, NoIp.TRUNCATED),
        (LinkType.LINUX_SLL2, b"\x86\xdd" + SLL2_REST[:-1], NoIp.TRUNCATED),
        (LinkType.LINUX_SLL2, b"\x08\x06" + SLL2_REST + bytes(28), NoIp.NOT_IP),
        (LinkType.NULL, b"\x02\x00\x00", NoIp.TRUNCATED),
        (LinkType.NULL, b"\x07\x00\x00\x00" + V4, NoIp.NOT_IP),
        (LinkType.NULL, b"\x02\x00\x00\x00", NoIp.TRUNCATED),
        (105, bytes(60), NoIp.LINK_TYPE),
        (9, b"\xff\x03\x00\x21" + V4, NoIp.LINK_TYPE),
    ],
)
def test_a_frame_without_an_ip_packet_says_why(link: int, frame: bytes, why: NoIp) -> None:
    assert ip_packet(link, frame) is why


def test_the_known_link_types_are_those_of_the_table() -> None:
    assert {0, 1, 12, 14, 101, 108, 113, 228, 229, 276} == KNOWN_LINK_TYPES


@settings(deadline=None)
@given(st.sampled_from(sorted(KNOWN_LINK_TYPES)), st.binary(max_size=80))
def test_random_frames_give_a_packet_of_theirs_or_a_reason(link: int, frame: bytes) -> None:
    packet = ip_packet(link, frame)
    assert isinstance(packet, NoIp) or packet in frame


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45",
        V4[:15],
        V6[:30],
        V4[:2] + b"\x00\x00" + V4[4:] + b"padding",  # a length for the network card to fill in
        V6[:4] + b"\x00\x00" + V6[6:] + b"padding",
        V4[:2] + b"\x00\x05" + V4[4:],  # shorter than its own header: left for the parser to refuse
        b"\x15" + V4[1:],
    ],
)
def test_a_packet_without_a_usable_length_is_left_as_captured(packet: bytes) -> None:
    assert trim_ip(packet) == packet


@pytest.mark.parametrize("packet", [V4, V6])
def test_a_packet_is_trimmed_to_its_own_length(packet: bytes) -> None:
    assert trim_ip(packet + b"tail") == packet
    assert trim_ip(packet) == packet
    assert trim_ip(packet[:-1]) == packet[:-1]
