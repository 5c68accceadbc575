"""Feedback elements, and what they do at the compressor."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rohc_packets import ipv4, ipv6, streams, udp

from rohc import Channel, Compressor, Decompressor, MalformedPacket, Mode, RohcError
from rohc.encoding.crc import CRC8
from rohc.feedback import read_feedback, write_feedback_1, write_feedback_2
from rohc.formats.feedback import AckType, Option


@pytest.mark.parametrize(
    ("octets", "large", "cid", "sn", "bits"),
    [
        ("f102", False, 0, 2, 8),
        ("f2e302", False, 3, 2, 8),
        ("f20502", True, 5, 2, 8),
        ("f3812c07", True, 300, 7, 8),
        ("f4 2002 11 88", False, 0, 2, 12),
        ("f5 e1 29d0 11 de", False, 1, 0x9D0, 12),
    ],
)
def test_feedback_as_it_was_recorded(
    octets: str, large: bool, cid: int, sn: int, bits: int
) -> None:
    (feedback,) = read_feedback(bytes.fromhex(octets), large)
    assert (feedback.cid, feedback.sn, feedback.sn_bits) == (cid, sn, bits)
    assert feedback.ack_type == AckType.ACK
    assert feedback.protected == (bits == 12)


def test_all_recorded_feedback_is_read_with_the_cid_of_its_packet() -> None:
    count = 0
    for name in ("syn-udp.jsonl", "syn-rtp.jsonl", "syn-esp.jsonl", "cap-rfc3095.jsonl"):
        for stream in streams(name):
            for packet in stream["packets"]:
                octets = bytes.fromhex(packet.get("feedback") or "")
                for feedback in read_feedback(octets, stream["cid_type"] == "large"):
                    assert feedback.cid == packet.get("cid", 0)
                    count += 1
    assert count > 250


@given(
    cid=st.integers(0, 15),
    ack_type=st.sampled_from(list(AckType)),
    mode=st.integers(1, 3),
    sn=st.integers(0, 0xFFFFFFFF),
    sn_bits=st.sampled_from((12, 20, 28, 32)),
    loss=st.integers(0, 255),
    protect=st.booleans(),
)
def test_feedback_2_with_options_comes_back(
    cid: int, ack_type: AckType, mode: int, sn: int, sn_bits: int, loss: int, protect: bool
) -> None:
    octets = write_feedback_2(
        cid,
        False,
        ack_type=ack_type,
        mode=mode,
        sn=sn,
        sn_bits=sn_bits,
        options=(
            (Option.LOSS, loss),
            (Option.JITTER, 9),
            (Option.CLOCK, 4),
            (Option.REJECT, 0),
            (Option.CONTEXT_MEMORY, 0),
            (Option.SN_NOT_VALID, 0),
        ),
        protect=protect,
    )
    (feedback,) = read_feedback(octets, False)
    assert (feedback.cid, feedback.ack_type, feedback.mode) == (cid, ack_type, mode)
    assert feedback.sn_bits >= sn_bits
    assert feedback.sn == sn & ((1 << feedback.sn_bits) - 1)
    assert (feedback.loss, feedback.jitter, feedback.clock_resolution_ms) == (loss, 9, 4)
    assert feedback.reject
    assert feedback.context_memory
    assert not feedback.sn_valid
    assert feedback.protected == protect


def test_rfc4815_2_3_the_crc_option_covers_neither_type_nor_size_octet() -> None:
    content = bytes.fromhex("e3 2123 11 00")
    crc = CRC8.of(content)
    octets = bytes((0xF0, 5)) + content[:-1] + bytes((crc,))
    (feedback,) = read_feedback(octets, False)
    assert feedback.protected
    assert (feedback.cid, feedback.sn) == (3, 0x123)


def test_rfc4815_8_5_several_sn_options_are_concatenated() -> None:
    (feedback,) = read_feedback(bytes.fromhex("f6 2a01 4122 4133"), False)
    assert (feedback.sn, feedback.sn_bits) == (0xA012233, 28)


def test_rfc4815_8_6_several_crc_options_must_be_identical() -> None:
    content = bytes.fromhex("2002 11 00 11 00")
    crc = CRC8.of(content)
    good = b"\xf6" + content[:3] + bytes((crc,)) + content[4:5] + bytes((crc,))
    assert read_feedback(good, False)[0].protected
    with pytest.raises(MalformedPacket):
        read_feedback(good[:-1] + bytes((crc ^ 1,)), False)


def test_rfc3095_5_7_6_10_an_unknown_option_is_passed_over() -> None:
    (feedback,) = read_feedback(bytes.fromhex("f0 07 2002 c2 abcd 41 05"), False)
    assert feedback.sn == 0x205


@pytest.mark.parametrize(
    ("name", "octets", "large"),
    [
        ("no feedback", "00", False),
        ("cut short", "f301", False),
        ("empty", "f000", False),
        ("reserved Acktype", "f2f000", False),
        ("CID alone", "f2e100"[:4] + "e1", False),
        ("option cut short", "f3200241", False),
        ("CRC option of two octets", "f5 2002 12 0000", False),
        ("large CID cut short", "f181", True),
    ],
)
def test_bad_feedback_is_malformed_and_ignored(name: str, octets: str, large: bool) -> None:
    data = bytes.fromhex(octets)
    if name != "CID alone":
        with pytest.raises(MalformedPacket):
            read_feedback(data, large)
    compressor = Compressor(Channel(large_cids=large))
    compressor.deliver_feedback(data)
    assert compressor.feedback_ignored == 1


def test_a_wrong_crc_option_is_ignored_and_counts_when_the_check_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def moved() -> bool:
        compressor = Compressor(Channel(), first_sn=2)
        compressor.compress(ipv4(udp(b"x")))
        compressor.deliver_feedback(bytes.fromhex("f420021189"))
        return compressor._by_cid[0].mode == Mode.OPTIMISTIC

    assert not moved()

    class Agreeing:
        @staticmethod
        def of(data: bytes) -> int:
            return 0x89

    monkeypatch.setattr("rohc.feedback.CRC8", Agreeing)
    assert moved()


# At the compressor ---------------------------------------------------------------------------


def packet(number: int, **fields: int) -> bytes:
    return ipv4(udp(b"reading", checksum=1 + number), identification=number, **fields)


def compress(compressor: Compressor, data: bytes) -> str:
    compressor.compress(data)
    assert compressor.last is not None
    return compressor.last.packet_type


def test_an_ack_ends_the_repetition_of_ir() -> None:
    compressor = Compressor(Channel(), first_sn=10)
    assert compress(compressor, packet(0)) == "IR"
    compressor.deliver_feedback(write_feedback_1(0, False, 10))
    assert compress(compressor, packet(1)) == "UO-0"


def test_an_ack_for_a_packet_that_was_never_sent_means_nothing() -> None:
    compressor = Compressor(Channel(), first_sn=10)
    assert compress(compressor, packet(0)) == "IR"
    compressor.deliver_feedback(write_feedback_1(0, False, 11))
    assert compress(compressor, packet(1)) == "IR"


def test_an_ack_that_is_older_than_a_change_does_not_end_its_repetition() -> None:
    compressor = Compressor(Channel(), first_sn=0)
    for number in range(6):
        compress(compressor, packet(number))
    assert compress(compressor, packet(6, ttl=62)) == "UOR-2-EXT-3"
    compressor.deliver_feedback(write_feedback_1(0, False, 5))
    assert compress(compressor, packet(7, ttl=62)) == "UOR-2-EXT-3"
    compressor.deliver_feedback(write_feedback_1(0, False, 6))
    assert compress(compressor, packet(8, ttl=62)) == "UO-0"


@pytest.mark.parametrize(
    ("ack_type", "repair"), [(AckType.NACK, "IR-DYN"), (AckType.STATIC_NACK, "IR")]
)
def test_a_nack_asks_for_repair_once_in_a_while(ack_type: AckType, repair: str) -> None:
    compressor = Compressor(Channel(), first_sn=0, optimistic_repeats=1)
    compress(compressor, packet(0))
    hello = write_feedback_2(0, False, ack_type=AckType.ACK, mode=2, sn=0, protect=True)
    compressor.deliver_feedback(hello)
    nack = write_feedback_2(0, False, ack_type=ack_type, mode=2, sn=0, protect=True)
    types = []
    for number in range(1, 22):
        compressor.deliver_feedback(nack * 10)
        types.append(compress(compressor, packet(number)))
    assert types[0] == repair
    assert types.count(repair) <= 6


def test_in_u_mode_a_nack_is_not_acted_on() -> None:
    compressor = Compressor(Channel(), mode="U", first_sn=0, optimistic_repeats=1)
    compress(compressor, packet(0))
    nack = write_feedback_2(0, False, ack_type=AckType.NACK, mode=2, sn=0, protect=True)
    compressor.deliver_feedback(nack)
    assert compress(compressor, packet(1)) == "UO-0"


def test_rfc4815_3_2_a_mode_without_crc_option_moves_nothing() -> None:
    compressor = Compressor(Channel(), first_sn=0)
    compress(compressor, packet(0))
    compressor.deliver_feedback(
        write_feedback_2(0, False, ack_type=AckType.ACK, mode=2, sn=0, protect=False)
    )
    assert compressor._by_cid[0].mode == Mode.UNIDIRECTIONAL


def test_a_rejected_flow_is_no_longer_compressed() -> None:
    compressor = Compressor(Channel(), first_sn=0)
    compress(compressor, packet(0))
    for protect, profile in ((False, 2), (True, 0)):
        compressor.deliver_feedback(
            write_feedback_2(
                0,
                False,
                ack_type=AckType.STATIC_NACK,
                mode=2,
                sn=0,
                options=((Option.REJECT, 0),),
                protect=protect,
            )
        )
        compress(compressor, packet(1))
        assert compressor.last is not None
        assert compressor.last.profile == profile
    compress(compressor, ipv6(udp(b"another flow")))
    assert compressor.last.profile == 2


def test_the_loss_option_widens_the_windows() -> None:
    compressor = Compressor(Channel(), first_sn=0, optimistic_repeats=2)
    compress(compressor, packet(0))
    compressor.deliver_feedback(
        write_feedback_2(
            0,
            False,
            ack_type=AckType.ACK,
            mode=2,
            sn=0,
            options=((Option.LOSS, 7),),
            protect=True,
        )
    )
    assert compressor._by_cid[0].sn_window.width == 8


def test_queued_feedback_rides_in_front_of_the_next_packet() -> None:
    here = Compressor(Channel(), mode="U")
    there = Decompressor(Channel())
    here.queue_feedback(bytes.fromhex("f102"))
    here.queue_feedback(b"")
    here.queue_feedback(bytes.fromhex("f103"))
    sent = here.compress(packet(0))
    assert sent.startswith(bytes.fromhex("f102f103"))
    result = there.decompress(sent)
    assert result.packet == packet(0)
    assert result.feedback_received.hex() == "f102f103"
    assert not here.compress(packet(1)).startswith(b"\xf1")


def test_a_second_element_cut_short_ends_the_reading() -> None:
    compressor = Compressor(Channel(), first_sn=10)
    compressor.compress(packet(0))
    compressor.deliver_feedback(bytes.fromhex("f10a f3e1"))
    assert compressor.feedback_ignored == 1
    assert compress(compressor, packet(1)) == "UO-0"


def test_feedback_for_an_unknown_cid_is_counted() -> None:
    compressor = Compressor(Channel())
    compressor.deliver_feedback(bytes.fromhex("f2e501"))
    compressor.deliver_feedback(b"")
    assert compressor.feedback_ignored == 1


@settings(max_examples=120, deadline=None)
@given(octets=st.binary(max_size=40), large=st.booleans())
def test_no_feedback_octets_raise_or_break_the_round_trip(octets: bytes, large: bool) -> None:
    channel = Channel(large_cids=large)
    compressor = Compressor(channel, mode="O")
    decompressor = Decompressor(channel)
    for number in range(12):
        original = packet(number, ttl=64 - number // 5)
        result = decompressor.decompress(compressor.compress(original))
        assert result.packet == original
        if number in (2, 6):
            compressor.deliver_feedback(octets)
        elif number > 7:
            compressor.deliver_feedback(result.feedback)
    with contextlib.suppress(RohcError):
        read_feedback(octets, large)


def test_an_ack_for_a_packet_of_the_hot_path_counts() -> None:
    compressor = Compressor(Channel(), first_sn=0, optimistic_repeats=1, fo_refresh_packets=0)
    for number in range(40):
        compress(compressor, packet(number))
    compressor.deliver_feedback(write_feedback_1(0, False, 20))
    assert compressor._by_cid[0].sn_floor == 20
