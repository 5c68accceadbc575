"""IPv4, IPv6 and UDP headers, parsed, built and turned round."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.packets import (
    InnerPacket,
    PacketError,
    build_udp_datagram,
    build_udp_packet,
    packed_address,
    parse_udp_packet,
    swap_endpoints,
    udp_checksum_valid,
)

# A notification of a thermostat, written out by hand from RFC 8200 section 3 and RFC 768.
V6 = bytes.fromhex(
    "600ff85f 000d 11 40"
    "20010db8000a00000000000000000003 20010db8000a00000000000000000020"
    "90a0 1633 000d 0000"
    "5245145ed1".replace(" ", "")
)
V4 = bytes.fromhex(
    "4500 0021 1234 4000 40 11 0000 0a000001 0a000002 90a0 1633 000d 0000 5245145ed1"
)

octets = st.binary(max_size=300)
port = st.integers(0, 0xFFFF)
family = st.sampled_from([4, 16])


def words(data: bytes) -> int:
    """The checksum as RFC 1071 words it: a loop over 16-bit words with end-around carry."""
    if len(data) & 1:
        data += b"\0"
    total = 0
    for (word,) in struct.iter_unpack("!H", data):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def test_an_ipv6_packet_is_read_field_by_field() -> None:
    packet = parse_udp_packet(V6)
    assert packet.version == 6
    assert (packet.source_text, packet.destination_text) == ("2001:db8:a::3", "2001:db8:a::20")
    assert (packet.source_port, packet.destination_port) == (37024, 5683)
    assert packet.payload == bytes.fromhex("5245145ed1")
    assert (packet.ip_header_bytes, packet.hop_limit, packet.traffic_class) == (40, 64, 0)
    assert (packet.flow_label, packet.identification, packet.checksum) == (0xFF85F, 0, 0)
    assert packet.raw == V6
    assert packet.datagram == V6[40:]


def test_an_ipv4_packet_is_read_field_by_field() -> None:
    packet = parse_udp_packet(V4)
    assert packet.version == 4
    assert (packet.source_text, packet.destination_text) == ("10.0.0.1", "10.0.0.2")
    assert (packet.source_port, packet.destination_port) == (37024, 5683)
    assert (packet.ip_header_bytes, packet.hop_limit, packet.identification) == (20, 64, 0x1234)


@pytest.mark.parametrize("packet", [V4, V6])
def test_the_padding_of_a_short_frame_is_left_out(packet: bytes) -> None:
    parsed = parse_udp_packet(packet + bytes(13))
    assert parsed.raw == packet
    assert parsed.payload == packet[-5:]


def test_ipv4_options_are_skipped() -> None:
    packet = b"\x46" + V4[1:2] + struct.pack("!H", 0x25) + V4[4:20] + b"\x94\x04\0\0" + V4[20:]
    parsed = parse_udp_packet(packet)
    assert (parsed.ip_header_bytes, parsed.payload) == (24, V4[-5:])


@pytest.mark.parametrize(
    ("chain", "size"),
    [
        ([(0, 8)], 8),
        ([(60, 16)], 16),
        ([(43, 24)], 24),
        ([(44, 8)], 8),
        ([(0, 8), (60, 8), (43, 16), (44, 8), (60, 8)], 48),
    ],
)
def test_ipv6_extension_headers_are_skipped(chain: list[tuple[int, int]], size: int) -> None:
    headers = b""
    for index, (kind, length) in enumerate(chain):
        following = chain[index + 1][0] if index + 1 < len(chain) else 17
        reserved = 0 if kind == 44 else length // 8 - 1
        headers += bytes([following, reserved]) + bytes(length - 2)
    packet = V6[:4] + struct.pack("!HB", 13 + size, chain[0][0]) + V6[7:40] + headers + V6[40:]
    parsed = parse_udp_packet(packet)
    assert (parsed.ip_header_bytes, parsed.payload, parsed.datagram) == (
        40 + size,
        V6[-5:],
        V6[40:],
    )


def test_a_length_of_zero_means_what_was_captured() -> None:
    v4 = V4[:2] + b"\0\0" + V4[4:24] + b"\0\0" + V4[26:]
    v6 = V6[:4] + b"\0\0" + V6[6:44] + b"\0\0" + V6[46:]
    assert parse_udp_packet(v4).payload == V4[-5:]
    assert parse_udp_packet(v6).payload == V6[-5:]


def fragment_header(offset_and_flags: int) -> bytes:
    return (
        V6[:4]
        + b"\x00\x15\x2c"
        + V6[7:40]
        + struct.pack("!BBHI", 17, 0, offset_and_flags, 7)
        + V6[40:]
    )


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"", "truncated"),
        (V4[:19], "truncated"),
        (V4[:-1], "truncated"),
        (V6[:39], "truncated"),
        (V6[:-1], "truncated"),
        (b"\x10" + V4[1:], "not-ip"),
        (b"\xf0" + V6[1:], "not-ip"),
        (b"\x44" + V4[1:], "bad-header"),
        (V4[:2] + b"\x00\x13" + V4[4:], "bad-length"),
        (V4[:6] + b"\x20\x00" + V4[8:], "fragment"),
        (V4[:6] + b"\x00\x01" + V4[8:], "fragment"),
        (fragment_header(0x0001), "fragment"),
        (fragment_header(0x0008), "fragment"),
        (V4[:9] + b"\x06" + V4[10:], "not-udp"),
        (V6[:6] + b"\x3a" + V6[7:], "not-udp"),
        (V6[:6] + b"\x3b" + V6[7:], "not-udp"),
        (V4[:2] + b"\x00\x1b" + V4[4:27], "truncated"),
        (V6[:4] + b"\x00\x04\x00" + V6[7:44], "truncated"),
        (V6[:4] + b"\x00\x07" + V6[6:47], "truncated"),
        (V6[:44] + b"\x00\x07" + V6[46:], "bad-length"),
        (V6[:44] + b"\x00\x0e" + V6[46:], "bad-length"),
        (V4[:24] + b"\xff\xff" + V4[26:], "bad-length"),
    ],
)
def test_what_is_not_one_whole_udp_datagram_is_refused_with_a_reason(
    packet: bytes, reason: str
) -> None:
    with pytest.raises(PacketError) as caught:
        parse_udp_packet(packet)
    assert caught.value.reason == reason


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_random_octets_are_parsed_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        packet = parse_udp_packet(data)
    except PacketError as error:
        assert error.reason in {
            "truncated", "not-ip", "bad-header", "fragment", "not-udp", "bad-length"
        }  # fmt: skip
    else:
        assert packet.payload in data


@settings(deadline=None)
@given(st.sampled_from([V4, V6]), st.integers(0, 60))
def test_every_shorter_packet_is_refused(packet: bytes, length: int) -> None:
    cut = packet[: min(length, len(packet) - 1)]
    with pytest.raises(PacketError):
        parse_udp_packet(cut)


@settings(deadline=None)
@given(
    size=family,
    addresses=st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16)),
    ports=st.tuples(port, port),
    payload=octets,
    hop_limit=st.integers(0, 255),
    traffic_class=st.integers(0, 255),
    identification=st.integers(0, 0xFFFF),
    flow_label=st.integers(0, 0xFFFFF),
)
def test_what_is_built_is_read_back(
    size: int,
    addresses: tuple[bytes, bytes],
    ports: tuple[int, int],
    payload: bytes,
    hop_limit: int,
    traffic_class: int,
    identification: int,
    flow_label: int,
) -> None:
    source, destination = addresses[0][:size], addresses[1][:size]
    packet = parse_udp_packet(
        build_udp_packet(
            source,
            destination,
            *ports,
            payload,
            hop_limit=hop_limit,
            traffic_class=traffic_class,
            identification=identification,
            flow_label=flow_label,
        )
    )
    assert (packet.source, packet.destination) == (source, destination)
    assert (packet.source_port, packet.destination_port) == ports
    assert packet.payload == payload
    assert (packet.hop_limit, packet.traffic_class) == (hop_limit, traffic_class)
    assert packet.checksum != 0
    assert udp_checksum_valid(packet)
    if size == 4:
        assert packet.identification == identification
        assert words(packet.raw[:20]) == 0
    else:
        assert packet.flow_label == flow_label


@settings(deadline=None)
@given(size=family, payload=st.binary(min_size=1, max_size=60), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_payload_breaks_the_checksum(
    size: int, payload: bytes, bit: int
) -> None:
    packet = bytearray(build_udp_packet(bytes([1] * size), bytes([2] * size), 1, 2, payload))
    packet[-1] ^= 1 << bit
    assert not udp_checksum_valid(parse_udp_packet(bytes(packet)))


def test_an_absent_checksum_is_right_over_ipv4_and_wrong_over_ipv6() -> None:
    assert udp_checksum_valid(parse_udp_packet(V4))
    assert not udp_checksum_valid(parse_udp_packet(V6))


def test_a_checksum_that_comes_out_as_zero_is_sent_as_all_ones() -> None:
    source, destination = packed_address("0.0.0.0"), packed_address("0.0.0.0")
    # The words sum to 0xFFFF: length 10 twice, protocol 17, and the payload makes up the rest.
    rest = 0xFFFF - (10 + 10 + 17)
    datagram = build_udp_datagram(source, destination, 0, 0, struct.pack("!H", rest))
    assert datagram[6:8] == b"\xff\xff"
    packet = build_udp_packet(source, destination, 0, 0, struct.pack("!H", rest))
    assert udp_checksum_valid(parse_udp_packet(packet))


@settings(deadline=None)
@given(size=family, payload=octets, answer=octets, ports=st.tuples(port, port))
def test_an_answer_goes_back_where_the_packet_came_from(
    size: int, payload: bytes, answer: bytes, ports: tuple[int, int]
) -> None:
    packet = build_udp_packet(
        bytes([10] * size), bytes([11] * size), *ports, payload, traffic_class=0x28, flow_label=5
    )
    back = parse_udp_packet(swap_endpoints(packet, answer))
    assert (back.source, back.destination) == (bytes([11] * size), bytes([10] * size))
    assert (back.destination_port, back.source_port) == ports
    assert (back.payload, back.traffic_class, back.hop_limit) == (answer, 0x28, 64)
    assert udp_checksum_valid(back)


@pytest.mark.parametrize("packet", [V4, V6])
def test_an_echo_carries_the_packets_own_payload(packet: bytes) -> None:
    parsed = parse_udp_packet(packet)
    back = parse_udp_packet(swap_endpoints(parsed))
    assert back.payload == parsed.payload
    assert (back.identification, back.flow_label) == (parsed.identification, parsed.flow_label)
    assert udp_checksum_valid(back)
    twice = parse_udp_packet(swap_endpoints(back))
    assert (twice.source, twice.destination_port) == (parsed.source, parsed.destination_port)


def test_an_answer_may_have_an_identification_and_a_flow_label_of_its_own() -> None:
    assert parse_udp_packet(swap_endpoints(V4, b"", identification=9)).identification == 9
    assert parse_udp_packet(swap_endpoints(V6, b"", flow_label=9, hop_limit=3)).flow_label == 9


@pytest.mark.parametrize("text", ["10.0.0.1", "2001:db8::1"])
def test_addresses_are_taken_as_text_as_objects_and_packed(text: str) -> None:
    expected = ip_address(text).packed
    assert packed_address(text) == packed_address(ip_address(text)) == expected
    assert packed_address(expected) is expected


def test_a_scoped_address_is_taken_without_its_scope() -> None:
    assert packed_address("fe80::1%eth0") == ip_address("fe80::1").packed


@pytest.mark.parametrize(
    ("arguments", "options", "words_of_error"),
    [
        (("10.0.0.1", "::1", 1, 2, b""), {}, "two families"),
        (("10.0.0.1", "10.0.0.2", 65536, 2, b""), {}, "ports"),
        (("10.0.0.1", "10.0.0.2", 1, -1, b""), {}, "ports"),
        (("10.0.0.1", "10.0.0.2", 1, 2, bytes(65528)), {}, "too long"),
        (("10.0.0.1", "10.0.0.2", 1, 2, bytes(65520)), {}, "too long"),
        (("10.0.0.1", "10.0.0.2", 1, 2, b""), {"identification": 65536}, "identification"),
        (("10.0.0.1", "10.0.0.2", 1, 2, b""), {"hop_limit": 256}, "hop limit"),
        (("::1", "::2", 1, 2, b""), {"flow_label": 1 << 20}, "flow label"),
        (("::1", "::2", 1, 2, b""), {"traffic_class": -1}, "traffic class"),
        ((b"\x01", b"\x02", 1, 2, b""), {}, "4 or 16"),
    ],
)
def test_a_field_out_of_range_is_the_callers_error(
    arguments: tuple[str, str, int, int, bytes], options: dict[str, int], words_of_error: str
) -> None:
    with pytest.raises(ValueError, match=words_of_error):
        build_udp_packet(*arguments, **options)  # type: ignore[arg-type]


def test_a_packet_record_does_not_print_the_packet() -> None:
    packet = parse_udp_packet(V6)
    assert isinstance(packet, InnerPacket)
    assert (
        repr(packet)
        == "InnerPacket(2001:db8:a::3 port 37024 to 2001:db8:a::20 port 5683, 5 of 53 octets)"
    )
