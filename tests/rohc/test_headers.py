"""Header chains: what is parsed comes back from `build`, and what cannot is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rohc_packets import ipv4, ipv6, udp

from rohc.headers.build import build_headers
from rohc.headers.chain import Headers, Transport
from rohc.headers.coverage import in_crc_order
from rohc.headers.parse import parse_ip_chain, parse_rtp, parse_transport

HOP_BY_HOP = bytes.fromhex("1100050200000100")
AUTHENTICATION = bytes.fromhex("11040000 00000001 00000002" + "ab" * 12)


def parsed(packet: bytes) -> Headers:
    headers = parse_ip_chain(packet)
    assert headers is not None
    parse_transport(packet, headers)
    return headers


@pytest.mark.parametrize(
    ("name", "packet", "versions", "transport"),
    [
        ("IPv4/UDP", ipv4(udp(b"hello")), [4], Transport.UDP),
        ("IPv6/UDP", ipv6(udp(b"hello")), [6], Transport.UDP),
        ("IPv4/IPv4/UDP", ipv4(ipv4(udp(b"x")), protocol=4), [4, 4], Transport.UDP),
        ("IPv6/IPv4/UDP", ipv6(ipv4(udp(b"x")), next_header=4), [6, 4], Transport.UDP),
        ("IPv4/IPv6/UDP", ipv4(ipv6(udp(b"x")), protocol=41), [4, 6], Transport.UDP),
        ("IPv4/ESP", ipv4(bytes(20), protocol=50), [4], Transport.ESP),
        ("IPv6/UDP-Lite", ipv6(udp(b"x"), next_header=136), [6], Transport.UDP_LITE),
        ("IPv4/ICMP", ipv4(b"\x08\x00\xf7\xff", protocol=1), [4], Transport.NONE),
        (
            "IPv6 with hop-by-hop options",
            ipv6(HOP_BY_HOP + udp(b"x"), next_header=0),
            [6],
            Transport.UDP,
        ),
        ("IPv4/AH/UDP", ipv4(AUTHENTICATION + udp(b"x"), protocol=51), [4], Transport.UDP),
    ],
)
def test_a_chain_is_parsed_and_built_again(
    name: str, packet: bytes, versions: list[int], transport: Transport
) -> None:
    headers = parsed(packet)
    assert [level.version for level in headers.levels] == versions
    assert headers.transport == transport
    assert build_headers(headers, len(packet) - headers.size) == packet[: headers.size]


@given(
    payload=st.binary(max_size=64),
    identification=st.integers(0, 0xFFFF),
    tos=st.integers(0, 255),
    ttl=st.integers(0, 255),
    df=st.booleans(),
)
def test_the_ipv4_checksum_is_inferred_for_every_header(
    payload: bytes, identification: int, tos: int, ttl: int, df: bool
) -> None:
    packet = ipv4(
        udp(payload),
        identification=identification,
        tos=tos,
        ttl=ttl,
        flags=0x4000 if df else 0,
    )
    headers = parsed(packet)
    assert build_headers(headers.copy(), len(payload)) + payload == packet


GOOD = ipv4(udp(b"payload"))


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("empty", b""),
        ("no IP version", b"\x00" * 40),
        ("IPv4 cut short", GOOD[:19]),
        ("IPv6 cut short", ipv6(b"")[:39]),
        ("IPv4 options", b"\x46" + GOOD[1:]),
        ("wrong IPv4 checksum", GOOD[:10] + b"\xff\x00" + GOOD[12:]),
        ("wrong IPv4 length", GOOD + b"\x00"),
        ("wrong IPv6 length", ipv6(udp(b"x")) + b"\x00"),
        ("more fragments", ipv4(udp(b"x"), flags=0x2000)),
        ("fragment offset", ipv4(udp(b"x"), flags=0x0001)),
        ("reserved flag", ipv4(udp(b"x"), flags=0x8000)),
        ("extension header cut short", ipv6(b"\x11\x09\x00\x00", next_header=0)),
    ],
)
def test_a_header_that_could_not_be_restored_is_refused(name: str, packet: bytes) -> None:
    assert parse_ip_chain(packet) is None


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("UDP length too large", ipv4(udp(b"x")[:4] + b"\x00\x0a" + udp(b"x")[6:])),
        ("UDP cut short", ipv4(b"\x00\x01\x00\x02")),
        ("UDP-Lite coverage of 1 to 7", ipv4(b"\0\1\0\2\0\7\0\0", protocol=136)),
        ("UDP-Lite coverage too large", ipv4(b"\0\1\0\2\0\x09\0\0", protocol=136)),
        ("ESP cut short", ipv4(b"\0\0\0\1", protocol=50)),
        ("TCP", ipv4(bytes(20), protocol=6)),
    ],
)
def test_a_transport_header_that_could_not_be_restored_is_left_to_the_payload(
    name: str, packet: bytes
) -> None:
    headers = parsed(packet)
    assert headers.transport == Transport.NONE
    assert headers.size == 20


def test_an_inner_header_that_cannot_be_compressed_ends_the_chain() -> None:
    inner = ipv4(udp(b"x"), flags=0x2000)
    headers = parsed(ipv4(inner, protocol=4))
    assert len(headers.levels) == 1
    assert headers.levels[0].protocol == 4


def test_rtp_is_parsed_and_built_again() -> None:
    rtp = bytes.fromhex("b2 e0 1234 0000a000 deadbeef 00000001 00000002")
    packet = ipv4(udp(rtp + b"voice"))
    headers = parsed(packet)
    assert parse_rtp(packet, headers)
    assert (headers.sequence, headers.timestamp, headers.csrcs) == (0x1234, 0xA000, (1, 2))
    assert (headers.marker, headers.payload_type, headers.padding) == (1, 0x60, 1)
    assert build_headers(headers, 5) + b"voice" == packet


@pytest.mark.parametrize("rtp", ["8000", "40" + "00" * 12, "81" + "00" * 12])
def test_what_is_no_rtp_is_refused(rtp: str) -> None:
    packet = ipv4(udp(bytes.fromhex(rtp)))
    assert not parse_rtp(packet, parsed(packet))


def test_the_crc_covers_static_octets_first() -> None:
    # RFC 3095 5.7.7.4 and 5.7.7.5: octets 1-2, 7-10, 13-20 and 1-4, then 3-6, 11-12 and 5-8.
    packet = ipv4(udp(b""))
    static, dynamic = in_crc_order(parsed(packet), packet)
    assert static == packet[0:2] + packet[6:10] + packet[12:24]
    assert dynamic == packet[2:6] + packet[10:12] + packet[24:28]


def test_rfc3095_5_8_7_an_authentication_header_is_dynamic() -> None:
    packet = ipv6(AUTHENTICATION + udp(b""), next_header=51)
    static, dynamic = in_crc_order(parsed(packet), packet)
    assert static == packet[0:4] + packet[6:40] + packet[64:68]
    assert dynamic == packet[4:6] + packet[40:64] + packet[68:72]


def test_a_copy_shares_nothing_that_changes() -> None:
    headers = parsed(GOOD)
    other = headers.copy()
    other.levels[0].ttl = 1
    other.sn = 9
    assert (headers.levels[0].ttl, headers.sn) == (64, 0)
