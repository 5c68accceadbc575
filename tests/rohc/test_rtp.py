"""RTP (profile 0x0001): timestamps, and the corrections of RFC 4815, each under its section."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from rohc_packets import ipv4, ipv6, streams, udp

from rohc import Channel, Compressor, Decompressor, MalformedPacket, RohcError
from rohc.compression.heuristic import RtpHeuristic
from rohc.decompression.received import take_apart
from rohc.decompression.reconstruct import attempt, decode_sn
from rohc.formats import base
from rohc.formats.compressed import write_extension_3
from rohc.headers.build import build_headers

PORT = 5004


def rtp(
    sequence: int,
    timestamp: int,
    *,
    marker: int = 0,
    payload_type: int = 96,
    padding: int = 0,
    extension: int = 0,
    identification: int | None = None,
    version: int = 4,
) -> bytes:
    first = 0x80 | padding << 5 | extension << 4
    head = bytes((first, marker << 7 | payload_type)) + (sequence & 0xFFFF).to_bytes(2, "big")
    head += (timestamp & 0xFFFFFFFF).to_bytes(4, "big") + b"ssrc"
    datagram = udp(head + b"voice", destination_port=PORT, checksum=(sequence & 0xFFFF) or 1)
    if version == 6:
        return ipv6(datagram)
    number = sequence if identification is None else identification
    return ipv4(datagram, identification=number & 0xFFFF)


def carry(packets: list[bytes], mode: str = "U", **settings: Any) -> Counter[str]:
    settings = {"rtp_ports": (PORT,), "optimistic_repeats": 2, "fo_refresh_packets": 0, **settings}
    compressor = Compressor(Channel(), mode=mode, **settings)
    decompressor = Decompressor(Channel(), mode=mode)
    types: Counter[str] = Counter()
    for packet in packets:
        result = decompressor.decompress(compressor.compress(packet))
        assert result.packet == packet
        compressor.deliver_feedback(result.feedback)
        types[result.packet_type] += 1
    return types


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("stride", [1, 160, 3000, 90000])
def test_a_steady_timestamp_is_inferred(version: int, stride: int) -> None:
    types = carry([rtp(n, 5 + n * stride, version=version) for n in range(40)])
    assert types["UO-0"] >= 37


def test_silence_costs_a_few_bits_of_the_scaled_timestamp() -> None:
    packets = [rtp(n, 160 * (n + 7 * (n >= 20))) for n in range(40)]
    types = carry(packets)
    assert types["UO-1-TS"] == 2


@pytest.mark.parametrize("mode", "UOR")
def test_any_timestamp_comes_through(mode: str) -> None:
    draw = random.Random(6)
    packets, timestamp, sequence = [], 0xFFFFF000, 0xFFF0
    for _ in range(200):
        sequence += draw.choice((1, 1, 1, 1, 2, 9, 300))
        timestamp += draw.choice((160, 160, 160, 320, 0, 7, 160 * 50, 1 << 30, -160))
        packets.append(
            rtp(
                sequence,
                timestamp,
                marker=draw.choice((0, 0, 0, 1)),
                payload_type=draw.choice((96, 96, 96, 0)),
                padding=draw.choice((0, 0, 0, 0, 1)),
                extension=draw.choice((0, 0, 0, 0, 1)),
                identification=draw.choice((sequence, sequence, sequence + 40)),
            )
        )
    carry(packets, mode)


def test_rfc4815_4_4_2_a_timestamp_wrap_around_is_sent_unscaled() -> None:
    # 160 does not divide 2^32, so that TS_OFFSET changes at the wrap-around.
    packets = [rtp(n, 0xFFFFFFFF - 160 * 20 + 160 * n) for n in range(40)]
    types = carry(packets)
    assert types["UOR-2-TS-EXT-3"] == 1 + 2


def test_rfc4815_6_4_the_padding_bit_falls_with_r_pt_absent() -> None:
    packets = [rtp(n, 160 * n, padding=int(10 <= n < 20)) for n in range(40)]
    types = carry(packets)
    assert types["UO-0"] >= 30


def test_rfc4815_6_5_the_x_bit_is_zero_without_rx() -> None:
    packets = [rtp(n, n, extension=int(n < 12)) for n in range(30)]
    carry(packets, ir_refresh_packets=5)


def test_rfc4815_7_2_2_another_profile_on_a_cid_begins_in_u_mode() -> None:
    channel = Channel(max_cid=0)
    compressor = Compressor(channel, rtp_ports=(PORT,))
    decompressor = Decompressor(channel)
    for number in range(10):
        for packet in (rtp(number, 160 * number), ipv6(udp(b"other"))):
            result = decompressor.decompress(compressor.compress(packet))
            assert result.packet == packet
            compressor.deliver_feedback(result.feedback)


def settled() -> tuple[Compressor, Decompressor]:
    compressor = Compressor(Channel(), mode="U", rtp_ports=(PORT,), optimistic_repeats=1)
    decompressor = Decompressor(Channel(), mode="U")
    for number in range(10):
        decompressor.decompress(compressor.compress(rtp(number, 160 * number)))
    return compressor, decompressor


def uor_2_ts(decompressor: Decompressor, marker: int, extension: bytes, tail: bytes) -> bytes:
    """UOR-2-TS for SN 10 and its timestamp, with an extension 3 and the CRC that it needs."""
    context = decompressor._contexts[0]
    assert context.spec is not None
    assert context.headers is not None
    head = base.UOR_2_TS.pack(10, marker, 10, 1, 0)
    received = take_apart(
        head + extension + tail, context.spec, context.mode, context.headers, context.lists
    )
    candidate = attempt(
        received,
        head + extension + tail,
        context.spec,
        context.headers,
        context.lists,
        decode_sn(received, context.spec, context.headers.sn),
    )
    for crc in range(128):
        received.crc_value = crc
        if candidate.verifies(received):
            return base.UOR_2_TS.pack(10, marker, 10, 1, crc) + extension + tail
    raise AssertionError("no CRC fits")


def test_rfc4815_4_2_an_unscaled_timestamp_without_bits_is_malformed() -> None:
    _, decompressor = settled()
    # UOR-2-ID has no TS bits in its base header; Tsc = 0 and R-TS = 0.
    head = base.UOR_2_ID.pack(0, 0, 10, 1, 0)
    with pytest.raises(MalformedPacket, match="unscaled"):
        decompressor.decompress(head + write_extension_3(False, {"Tsc": 0}, {}) + b"\x00\x0avoice")


def test_rfc4815_8_4_two_m_bits_that_differ_are_malformed() -> None:
    _, decompressor = settled()
    head = base.UOR_2_TS.pack(10, 1, 10, 1, 0)
    extension = write_extension_3(False, {"Tsc": 1, "rtp": 1, "Mode": 1, "M": 0}, {})
    with pytest.raises(MalformedPacket, match="M bits"):
        decompressor.decompress(head + extension + b"\x00\x0avoice")


def test_rfc4815_4_6_a_stride_beside_a_scaled_timestamp_is_ignored() -> None:
    _, decompressor = settled()
    extension = write_extension_3(False, {"Tsc": 1, "rtp": 1, "Mode": 1}, {"TS_STRIDE": b"\x50"})
    sent = uor_2_ts(decompressor, 0, extension, b"\x00\x0avoice")
    assert decompressor.decompress(sent).packet == rtp(10, 1600)
    headers = decompressor._contexts[0].headers
    assert headers is not None
    assert headers.ts_stride == 160


def test_rfc4815_8_3_a_changed_rnd_flag_changes_the_base_header() -> None:
    packets = []
    draw = random.Random(3)
    for number in range(60):
        identification = number if number < 20 or number >= 40 else draw.randrange(0x10000)
        packets.append(rtp(number, 160 * number, identification=identification))
    types = carry(packets)
    assert types["UOR-2-EXT-3"] >= 2
    assert types["UOR-2-TS-EXT-3"] >= 2


def test_rfc4815_6_2_uo_1_id_updates_no_other_field() -> None:
    _, decompressor = settled()
    context = decompressor._contexts[0]
    headers = context.headers
    assert headers is not None
    assert context.spec is not None
    extension = write_extension_3(False, {"Tsc": 1, "ip": 1, "DF": 1, "NBO": 1}, {"TTL": b"\x21"})
    body = base.UO_1_ID.pack(0, 1, 10, 0) + extension + b"\x00\x0a"
    received = take_apart(body, context.spec, context.mode, headers, context.lists)
    candidate = attempt(received, body, context.spec, headers, context.lists, 10)
    assert candidate.headers.levels[0].ttl == 0x21
    assert candidate.updated.levels[0].ttl == 64
    assert candidate.updated.sn == 10
    assert build_headers(candidate.headers, 0)[8] == 0x21


# Recognition ---------------------------------------------------------------------------------


def test_the_heuristic_finds_rtp_and_nothing_else() -> None:
    compressor = Compressor(Channel(), mode="U", rtp_heuristic=True)
    profiles = []
    for number in range(8):
        compressor.compress(rtp(number, 160 * number))
        assert compressor.last is not None
        profiles.append(compressor.last.profile)
        compressor.compress(ipv4(udp(b"\x80 not rtp at all"), identification=number))
        assert compressor.last.profile == 2
    assert profiles == [2, 2, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "port", "change"),
    [
        ("odd port", 5005, {}),
        ("low port", 1000, {}),
        ("RTCP", 5004, {"payload_type": 72}),
    ],
)
def test_what_cannot_be_rtp_is_not_taken_for_it(
    name: str, port: int, change: dict[str, int]
) -> None:
    heuristic = RtpHeuristic()
    found = [
        heuristic.is_rtp(b"flow", port, rtp(number, number, **change)[28:]) for number in range(10)
    ]
    assert not any(found)


def test_the_heuristic_remembers_a_bounded_number_of_flows() -> None:
    heuristic = RtpHeuristic()
    for flow in range(2000):
        heuristic.is_rtp(flow.to_bytes(4, "big"), 5004, rtp(1, 1)[28:])
    assert len(heuristic._flows) <= 256


def test_the_recorded_rtp_streams_are_recognised() -> None:
    for stream in streams("syn-rtp.jsonl"):
        compressor = Compressor(Channel(), mode="U", rtp_heuristic=True)
        decompressor = Decompressor(Channel(), mode="U")
        for packet in stream["packets"]:
            original = bytes.fromhex(packet["ip"])
            assert decompressor.decompress(compressor.compress(original)).packet == original
        assert compressor.last is not None
        assert compressor.last.profile == 1


def test_rtp_with_loss_is_never_silently_wrong() -> None:
    draw = random.Random(12)
    compressor = Compressor(Channel(), rtp_ports=(PORT,))
    decompressor = Decompressor(Channel())
    right = arrived = 0
    for number in range(300):
        packet = rtp(number, 160 * (number + number // 50 * 3), marker=int(number % 50 == 0))
        sent = compressor.compress(packet)
        if draw.random() < 0.1:
            continue
        arrived += 1
        try:
            result = decompressor.decompress(sent)
        except RohcError as error:
            compressor.deliver_feedback(error.feedback)
            continue
        assert result.packet == packet
        right += 1
        compressor.deliver_feedback(result.feedback)
    assert right >= 0.98 * arrived


# Timer-based compression (RFC 3095 section 4.5.4) ------------------------------------------------


def timed(clock_resolution_ms: int, jitter_s: float = 0.0) -> tuple[Counter[str], int]:
    """Talk and long silences at 20 ms a stride; packet types and header octets."""
    draw = random.Random(4)
    compressor = Compressor(Channel(), rtp_ports=(PORT,), optimistic_repeats=2, time_stride_ms=20)
    decompressor = Decompressor(Channel(), clock_resolution_ms=clock_resolution_ms)
    types: Counter[str] = Counter()
    octets = 0
    now, timestamp = 100.0, 5
    for number in range(200):
        silent = 1 + (draw.randrange(500, 5000) if number % 20 == 19 else 0)
        now += 0.020 * silent
        timestamp += 160 * silent
        packet = rtp(number, timestamp)
        sent = compressor.compress(packet, now=now)
        result = decompressor.decompress(sent, now=now + 0.1 + draw.random() * jitter_s)
        assert result.packet == packet
        compressor.deliver_feedback(result.feedback)
        types[result.packet_type] += 1
        octets += result.header_bytes
    return types, octets


def test_with_the_peers_clock_silence_costs_constant_bits() -> None:
    with_clock, less = timed(10)
    without_clock, more = timed(0)
    assert with_clock["UO-1-TS"] >= 15
    assert without_clock["UO-1-TS"] < with_clock["UO-1-TS"]
    assert less < more


def test_timer_based_compression_bears_jitter() -> None:
    types, _ = timed(10, jitter_s=0.035)
    assert types["UO-1-TS"] >= 15


def test_a_clock_resolution_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        Decompressor(Channel(), clock_resolution_ms=256)
