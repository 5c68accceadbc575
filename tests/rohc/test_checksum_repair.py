"""What the UDP checksum is good for: it ranks candidates and holds back what is in doubt."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rohc_packets import ipv4, ipv6, known, udp, udp_checksum

from rohc import Channel, Compressor, CrcFailure, Decompressor, RohcError
from rohc.decompression import repair
from rohc.decompression.context import DecompressorContext
from rohc.headers import checksum
from rohc.headers.chain import Transport
from rohc.headers.parse import parse_ip_chain, parse_transport

RTP_PORT = 5004


def checked(packet: bytes, wrong: bool = False) -> bytes:
    """The packet with the right UDP checksum, or with one that is not."""
    at = 26 if packet[0] >> 4 == 4 else 46
    right = udp_checksum(packet)
    value = (right ^ 0x0101) or 1 if wrong else right
    return packet[:at] + value.to_bytes(2, "big") + packet[at + 2 :]


def message(version: int, number: int, wrong: bool = False) -> bytes:
    datagram = udp(bytes((number & 0xFF, 7, number >> 8)))
    if version == 4:
        return checked(ipv4(datagram, identification=number), wrong)
    return checked(ipv6(datagram), wrong)


def sound(number: int, wrong: bool = False) -> bytes:
    head = struct.pack("!BBHII", 0x80, 0, 1000 + number, 160 * number, 9)
    datagram = udp(head + bytes((number & 0xFF,)) * 20, destination_port=RTP_PORT)
    return checked(ipv4(datagram, identification=number), wrong)


class Line:
    """A compressor, a decompressor, and a channel that can lose packets."""

    def __init__(self, mode: str = "O") -> None:
        self.compressor = Compressor(Channel(), mode=mode, first_sn=0, rtp_ports={RTP_PORT})
        self.decompressor = Decompressor(Channel(), mode=mode)

    def lose(self, *packets: bytes) -> None:
        for packet in packets:
            self.compressor.compress(packet)

    def carry(self, packet: bytes) -> bytes | None:
        try:
            result = self.decompressor.decompress(self.compressor.compress(packet))
        except RohcError as error:
            self.compressor.deliver_feedback(error.feedback)
            raise
        self.compressor.deliver_feedback(result.feedback)
        return result.packet


# Holding back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("before", [8, 100])
def test_behind_a_gap_a_wrong_checksum_holds_a_packet_back_and_says_so(
    version: int, before: int
) -> None:
    line = Line()
    for number in range(before):
        line.carry(message(version, number))
    line.lose(message(version, before), message(version, before + 1))
    data = line.compressor.compress(message(version, before + 2, wrong=True))
    memory = known(line.decompressor)
    with pytest.raises(CrcFailure, match="UDP checksum") as caught:
        line.decompressor.decompress(data)
    assert caught.value.feedback
    assert known(line.decompressor) == memory
    line.compressor.deliver_feedback(caught.value.feedback)
    repaired = message(version, before + 3)
    assert line.carry(repaired) == repaired
    assert line.compressor.last is not None
    assert line.compressor.last.packet_type == "IR-DYN"


def test_without_the_record_of_checksums_it_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DecompressorContext, "trusts_checksum", False)
    line = Line()
    for number in range(20):
        line.carry(message(4, number))
    line.lose(message(4, 20), message(4, 21))
    packet = message(4, 22, wrong=True)
    assert line.carry(packet) == packet


@pytest.mark.parametrize("version", [4, 6])
def test_where_nothing_is_in_doubt_a_wrong_checksum_rejects_nothing(version: int) -> None:
    line = Line("U")
    for number in range(300):
        packet = message(version, number, wrong=number % 40 > 30)
        assert line.carry(packet) == packet


@pytest.mark.parametrize("period", [2, 3])
def test_a_flow_whose_checksums_are_often_wrong_is_not_held_back_by_them(period: int) -> None:
    line = Line("U")
    draw = random.Random(4)
    for number in range(600):
        packet = message(4, number, wrong=number % period == 0)
        if number > 10 and draw.random() < 0.1:
            line.lose(packet)
        else:
            assert line.carry(packet) == packet


def test_a_flow_without_checksums_is_not_held_back() -> None:
    line = Line("U")
    for number in range(200):
        packet = ipv4(udp(b"x", checksum=0), identification=number)
        if number > 40 and number % 9 == 0:
            line.lose(packet)
        else:
            assert line.carry(packet) == packet


def test_a_source_that_turns_wrong_is_held_back_four_times_at_most() -> None:
    line = Line("U")
    refused = 0
    for number in range(400):
        packet = message(4, number, wrong=number >= 99)
        if number >= 99 and number % 3 == 0:
            line.lose(packet)
            continue
        try:
            assert line.carry(packet) == packet
        except CrcFailure as error:
            refused += "UDP checksum" in str(error)
        except RohcError:
            continue
    assert 0 < refused <= 4


def test_the_hot_path_keeps_the_record_too() -> None:
    line = Line("U")
    for number in range(40):
        line.carry(message(4, number))
    context = line.decompressor._contexts[0]
    assert context.steady is not None
    assert context.steady.packets > 20
    assert context.trusts_checksum
    for number in range(40, 140):
        line.carry(message(4, number, wrong=True))
    assert not context.trusts_checksum


# Ranking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", range(1, 60))
def test_rtp_behind_a_gap_of_up_to_sixty_is_restored_at_once(lost: int) -> None:
    line = Line("U")
    for number in range(20):
        line.carry(sound(number))
    line.lose(*(sound(number) for number in range(20, 20 + lost)))
    assert line.carry(sound(20 + lost)) == sound(20 + lost)


def test_without_the_checksum_a_long_gap_costs_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "decisive", lambda *_: False)
    line = Line("U")
    for number in range(20):
        line.carry(sound(number))
    line.lose(*(sound(number) for number in range(20, 40)))
    with pytest.raises(CrcFailure):
        line.carry(sound(40))


def test_rtp_is_delivered_right_behind_a_failure() -> None:
    line = Line("U")
    for number in range(20):
        line.carry(sound(number))
    data = line.compressor.compress(sound(20))
    with pytest.raises(CrcFailure):
        line.decompressor.decompress(bytes((data[0] ^ 1,)) + data[1:])
    assert line.carry(sound(21)) == sound(21)


def test_a_late_rtp_packet_is_told_by_its_checksum() -> None:
    line = Line("U")
    for number in range(20):
        line.carry(sound(number))
    sent = [line.compressor.compress(sound(number)) for number in range(20, 40)]
    order = [0, 1, 9, 8, 7, 6, 5, 4, 3, 2, *range(10, 20)]
    for number in order:
        assert line.decompressor.decompress(sent[number]).packet == sound(20 + number)


def test_an_rtp_packet_that_is_wrong_at_its_source_passes_where_nothing_is_in_doubt() -> None:
    line = Line("U")
    for number in range(200):
        packet = sound(number, wrong=number % 23 == 22)
        assert line.carry(packet) == packet


# The checksum itself --------------------------------------------------------------------------


@given(
    version=st.sampled_from((4, 6)),
    payload=st.binary(max_size=40),
    wrong=st.booleans(),
    zero=st.booleans(),
)
def test_both_forms_agree_with_the_checksum_of_the_rfc(
    version: int, payload: bytes, wrong: bool, zero: bool
) -> None:
    build = ipv4 if version == 4 else ipv6
    packet = checked(build(udp(payload)), wrong)
    if zero:
        packet = build(udp(payload, checksum=0))
    headers = parse_ip_chain(packet)
    assert headers is not None
    parse_transport(packet, headers)
    expected = None if zero else not wrong
    assert checksum.right_in_packet(packet) is expected
    assert headers.transport == Transport.UDP
    assert checksum.right_in(headers, packet[: headers.size], packet[headers.size :]) is expected


@pytest.mark.parametrize("coverage", [0, 8, 12, 20, 7, 21])
def test_udp_lite_counts_what_it_covers(coverage: int) -> None:
    payload = bytes(range(12))
    pseudo = bytes((10, 0, 0, 1, 192, 0, 2, 7)) + struct.pack("!HH", 136, 20)
    head = struct.pack("!HHH", 1, 2, coverage)
    covered = (head + b"\0\0" + payload)[: coverage or 20]
    total = int.from_bytes(pseudo + covered + bytes(len(covered) & 1), "big") % 0xFFFF
    datagram = head + (0xFFFF - total).to_bytes(2, "big") + payload
    headers = parse_ip_chain(ipv4(datagram, protocol=136))
    assert headers is not None
    headers.transport = Transport.UDP_LITE
    headers.coverage, headers.checksum = coverage, 0xFFFF - total
    raw = ipv4(datagram, protocol=136)[:28]
    assert checksum.right_in(headers, raw, payload) is (coverage not in (7, 21))
    changed = payload[:-1] + b"\xff"
    assert checksum.right_in(headers, raw, changed) is (coverage in (8, 12))


def test_a_record_is_slow_to_rise_and_quick_to_fall() -> None:
    record = 0
    for _ in range(100):
        record = checksum.noted(record, True)
    assert record == checksum.CEILING
    record = checksum.noted(checksum.noted(record, False), False)
    assert record < checksum.TRUSTED
    for _ in range(100):
        record = checksum.noted(record, False)
    assert -20 < record < 0
