"""Mode transitions message by message (RFC 3095 section 5.6, RFC 4815 section 3), and 0x0000's own.

Feedback and packets are given by hand, so that each arrow of the RFC's ladder diagrams is one step:

    C_MODE, C_TRANS   the compressor's mode, and whether a transition is pending
    D_MODE, D_TRANS   the decompressor's, and whether one is initiated, pending or done
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from by_hand import crc, draw, initial
from rohc_packets import ipv4, ipv6, udp

from rohc import Channel, Compressor, CrcFailure, Decompressor, Mode, RohcError
from rohc.compression.acknowledge import QUIET_PACKETS
from rohc.compression.context import CompressorContext
from rohc.decompression.context import DecompressorContext, State, Transition
from rohc.decompression.policy import (
    IR_ACK_INTERVAL,
    NACK_INTERVAL,
    NO_CONTEXT_AFTER,
    STATIC_AFTER,
    TRANSITION_TRIES,
)
from rohc.feedback import read_feedback, write_feedback_1, write_feedback_2
from rohc.formats.feedback import AckType, Option

U, O, R = Mode.UNIDIRECTIONAL, Mode.OPTIMISTIC, Mode.RELIABLE  # noqa: E741


def packet(sn: int, **fields: int) -> bytes:
    return ipv4(udp(b"x", checksum=0x1234), identification=0x0F00 + sn, **fields)


def rtp(sn: int) -> bytes:
    head = b"\x80\x60" + sn.to_bytes(2, "big") + (160 * sn).to_bytes(4, "big") + b"ssrc"
    return ipv4(udp(head + b"v", destination_port=5004, checksum=9), identification=sn)


def ping(sn: int) -> bytes:
    return ipv4(b"\x08\x00ping", protocol=1, identification=0x0F00 + sn)


def feedback(
    ack_type: AckType,
    mode: int,
    sn: int,
    protect: bool = True,
    options: tuple[tuple[Option, int], ...] = (),
) -> bytes:
    return write_feedback_2(
        0, False, ack_type=ack_type, mode=mode, sn=sn, options=options, protect=protect
    )


def ack(mode: int, sn: int, protect: bool = True) -> bytes:
    return feedback(AckType.ACK, mode, sn, protect)


class Sender:
    """A compressor that numbers its own packets.

    Args:
        mode: the highest mode.
        make: the packet with an SN.
        first_sn: the first SN.
    """

    def __init__(self, mode: str, make=packet, first_sn: int = 0x100, **settings: object) -> None:  # type: ignore[no-untyped-def]
        given = {"optimistic_repeats": 2, "fo_refresh_packets": 0, "rtp_ports": (5004,), **settings}
        self.compressor = Compressor(Channel(), mode=mode, first_sn=first_sn, **given)  # type: ignore[arg-type]
        self.make = make
        self.sn = first_sn - 1

    def send(self) -> str:
        """The type of the next packet."""
        self.sn += 1
        self.octets = self.compressor.compress(self.make(self.sn))
        assert self.compressor.last is not None
        return self.compressor.last.packet_type

    def hear(self, data: bytes) -> None:
        self.compressor.deliver_feedback(data)

    @property
    def context(self) -> CompressorContext:
        return self.compressor._by_cid[0]

    @property
    def state(self) -> tuple[Mode, bool]:
        """C_MODE, and whether C_TRANS is Pending."""
        return self.context.mode, self.context.transition_pending


# The compressor ---------------------------------------------------------------------------------


def test_5_6_2_u_to_o_needs_one_ack_and_is_done_at_once() -> None:
    sender = Sender("O")
    assert sender.send() == "IR"
    assert sender.state == (U, False)
    sender.hear(ack(O, 0x100))
    assert sender.state == (O, False)
    assert sender.send() == "UO-0"


@pytest.mark.parametrize("kind", [AckType.NACK, AckType.STATIC_NACK])
def test_5_6_2_a_nack_moves_to_o_mode_too(kind: AckType) -> None:
    sender = Sender("O")
    sender.send()
    sender.hear(feedback(kind, O, 0x100))
    assert sender.state == (O, False)


@pytest.mark.parametrize("wanted", [O, R])
def test_rfc4815_3_2_without_crc_option_no_mode_moves(wanted: Mode) -> None:
    sender = Sender("R")
    sender.send()
    sender.hear(ack(wanted, 0x100, protect=False))
    assert sender.state == (U, False)


@pytest.mark.parametrize("mode", ["U", "O"])
def test_5_6_1_a_mode_above_the_highest_is_not_entered(mode: str) -> None:
    sender = Sender(mode)
    sender.send()
    sender.hear(ack(R, 0x100))
    assert sender.state == (U, False)


def test_5_6_3_u_to_r_is_pending_until_a_packet_with_the_mode_is_acknowledged() -> None:
    sender = Sender("R")
    sender.send()
    sender.hear(ack(R, 0x100))
    assert sender.state == (R, True)
    # UOR-2 with the Mode field: extension 3, Mode 11.
    assert sender.send() == "UOR-2-EXT-3"
    assert sender.octets[2] == 0b11011000
    # C_TRANS stays P: an ACK for an older packet has not seen the new mode.
    sender.hear(ack(R, 0x100))
    assert sender.state == (R, True)
    assert sender.send() == "UOR-2-EXT-3"
    sender.hear(ack(R, 0x101))
    assert sender.state == (R, False)
    # The second UOR-2 is a reference too that the peer may have; an R-0-CRC makes it one.
    assert [sender.send(), sender.send()] == ["R-0-CRC", "R-0-CRC"]
    sender.hear(write_feedback_1(0, False, sender.sn))
    assert sender.send() == "R-0"


def test_5_6_1_a_request_during_a_transition_is_ignored() -> None:
    sender = Sender("R")
    sender.send()
    sender.hear(ack(R, 0x100))
    sender.send()
    sender.hear(ack(O, 0x101))
    assert sender.state == (R, True)


def test_5_6_4_o_to_r() -> None:
    sender = Sender("R")
    sender.send()
    sender.hear(ack(O, 0x100))
    sender.send()
    sender.hear(ack(R, 0x101))
    assert sender.state == (R, True)
    assert sender.send() == "UOR-2-EXT-3"
    sender.hear(ack(R, 0x102))
    assert sender.state == (R, False)
    assert sender.send() == "R-0"


def in_r_mode() -> Sender:
    sender = Sender("R")
    sender.send()
    sender.hear(ack(R, 0x100))
    sender.send()
    sender.hear(ack(R, 0x101))
    assert sender.state == (R, False)
    return sender


@pytest.mark.parametrize(("wanted", "field"), [(O, 0b10), (U, 0b01)])
def test_5_6_5_and_5_6_6_r_to_o_and_to_u(wanted: Mode, field: int) -> None:
    sender = in_r_mode()
    assert sender.send() == "R-0"
    sender.hear(ack(wanted, 0x101))
    assert sender.state == (wanted, True)
    assert sender.send() == "UOR-2-EXT-3"
    assert sender.octets[2] >> 3 & 3 == field
    sender.hear(ack(wanted, sender.sn))
    assert sender.state == (wanted, False)
    assert sender.send() == "UO-0"


def test_an_rtp_flow_tells_its_mode_in_ir_packets_too() -> None:
    sender = Sender("R", make=rtp, first_sn=1)
    sender.send()
    sender.hear(ack(R, 0))
    assert sender.context.mode == R
    assert sender.send()
    assert sender.context.transition_sn >= 0 or sender.send()


@pytest.mark.parametrize(
    ("profile", "make"), [(4, ping), (2, packet)], ids=["IP may decline", "UDP may not"]
)
def test_rfc3843_3_4_mode_0_declines_a_transition(profile: int, make) -> None:  # type: ignore[no-untyped-def]
    sender = Sender("O", make=make)
    sender.send()
    sender.hear(ack(O, 0x100))
    sender.send()
    sender.hear(ack(R, 0x101))
    assert sender.state == (O, False)
    if profile == 4:
        assert [sender.send(), sender.send()] == ["UOR-2-EXT-3", "UOR-2-EXT-3"]
        assert sender.octets[2] == 0b11000000
    assert sender.send() == "UO-0"


def test_reordering_keeps_r_mode_away() -> None:
    sender = Sender("R", reordering_expected=True)
    sender.send()
    sender.hear(ack(R, 0x100))
    assert sender.state == (U, False)


# What feedback does besides ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "kind", "expected"),
    [
        ("O", AckType.NACK, ["IR-DYN", "IR-DYN", "UO-0"]),
        ("O", AckType.STATIC_NACK, ["IR", "IR", "UO-0"]),
        ("U", AckType.NACK, ["UO-0", "UO-0", "UO-0"]),
        ("U", AckType.STATIC_NACK, ["UO-0", "UO-0", "UO-0"]),
    ],
)
def test_5_3_1_3_and_5_4_1_what_a_nack_does_in_each_mode(
    mode: str, kind: AckType, expected: list[str]
) -> None:
    sender = Sender(mode, ir_refresh_packets=0)
    sender.send()
    sender.send()
    if mode == "O":
        sender.hear(ack(O, 0x101))
    assert sender.send() == "UO-0"
    sender.hear(feedback(kind, O, 0x101))
    assert [sender.send() for _ in range(3)] == expected


@pytest.mark.parametrize("kind", [AckType.NACK, AckType.STATIC_NACK])
@pytest.mark.parametrize("per_packet", [1, 10, 100])
def test_forged_nacks_do_not_make_refreshes_come_faster(kind: AckType, per_packet: int) -> None:
    sender = Sender("O", optimistic_repeats=1)
    sender.send()
    sender.hear(ack(O, 0x100))
    types = []
    for _ in range(60):
        sender.hear(feedback(kind, O, sender.sn) * per_packet)
        types.append(sender.send())
    repairs = sum(kind in ("IR", "IR-DYN") for kind in types)
    assert 0 < repairs <= 60 // QUIET_PACKETS


def test_an_ack_in_r_mode_counts_only_for_a_packet_that_was_sent() -> None:
    sender = in_r_mode()
    sender.hear(write_feedback_1(0, False, 0x77))
    assert sender.context.sn_window.numbers == [0x101]
    for _ in range(5):
        sender.send()
    assert sender.context.sn_window.numbers == [0x101]


@pytest.mark.parametrize("option", [Option.REJECT, Option.CONTEXT_MEMORY])
def test_5_7_6_4_a_reject_stops_the_compression_of_its_flow(option: Option) -> None:
    sender = Sender("O")
    sender.send()
    sender.hear(feedback(AckType.STATIC_NACK, O, 0x100, options=((option, 0),)))
    assert sender.send() == "IR"
    assert sender.compressor.last is not None
    assert (sender.compressor.last.profile, sender.compressor.last.cid) == (0, 1)
    assert sender.compressor.last.why == "the peer rejected the flow"


def test_5_7_6_9_the_loss_option_widens_the_windows_to_fifteen_at_most() -> None:
    sender = Sender("O")
    sender.send()
    for loss, width in ((1, 2), (5, 6), (3, 6), (14, 15), (200, 15)):
        sender.hear(feedback(AckType.ACK, O, 0x100, options=((Option.LOSS, loss),)))
        assert sender.context.sn_window.width == width


def test_5_7_6_8_the_jitter_option_only_grows() -> None:
    sender = Sender("O", make=rtp, first_sn=1)
    sender.send()
    for jitter, kept in ((1, 2), (9, 9), (4, 9)):
        sender.hear(feedback(AckType.ACK, O, 0, options=((Option.JITTER, jitter),)))
        assert sender.context.jitter == kept


@pytest.mark.parametrize(
    "option", [(Option.LOSS, 9), (Option.JITTER, 9), (Option.CLOCK, 9), (Option.REJECT, 0)]
)
def test_options_without_a_crc_option_do_nothing(option: tuple[Option, int]) -> None:
    sender = Sender("O", make=rtp, first_sn=1)
    sender.send()
    before = (sender.context.sn_window.width, sender.context.jitter)
    sender.hear(feedback(AckType.ACK, O, 0, protect=False, options=(option,)))
    assert (sender.context.sn_window.width, sender.context.jitter) == before
    assert sender.compressor._clock_resolution_ms == 0
    assert not sender.compressor._rejected


# The decompressor -------------------------------------------------------------------------------


def ir(sn: int) -> bytes:
    chains = f"40 11 0a000001 c0000207 9c40 1633 00 40 {0x0F00 + sn:04x} a0 00 1234 {sn:04x}"
    return initial(0xFD, 2, chains, b"x")


def uo_0(sn: int) -> bytes:
    return draw(f"0 sn:{sn & 15:04b} crc:3", packet(sn)) + b"\x12\x34x"


def uor_2_mode(sn: int, mode: int) -> bytes:
    drawing = f"110 sn:{sn & 31:05b} x:1 crc:7 11 s:0 mode:{mode:02b} i:0 ip:0 ip2:0"
    return draw(drawing, packet(sn)) + b"\x12\x34x"


def r_0(sn: int) -> bytes:
    return draw(f"00 sn:{sn & 63:06b}") + b"\x12\x34x"


class Receiver:
    """A decompressor, and what it says about each packet.

    Args:
        mode: the highest mode.
    """

    def __init__(self, mode: str) -> None:
        self.decompressor = Decompressor(Channel(), mode=mode)

    def hear(self, data: bytes, sn: int) -> tuple[str, int, int, bool]:
        """The feedback for a good packet: kind, mode, SN, whether it has a CRC option."""
        result = self.decompressor.decompress(data)
        assert result.packet == packet(sn)
        return self.read(result.feedback)

    def fail(self, data: bytes) -> tuple[str, int, int, bool]:
        """The feedback for a packet that is refused."""
        with pytest.raises(RohcError) as caught:
            self.decompressor.decompress(data)
        return self.read(caught.value.feedback)

    def read(self, data: bytes) -> tuple[str, int, int, bool]:
        if not data:
            return ("", 0, 0, False)
        (one,) = read_feedback(data, False)
        return (AckType(one.ack_type).name, one.mode, one.sn, one.protected)

    @property
    def context(self) -> DecompressorContext:
        context = self.decompressor.context_of(0)
        assert context is not None
        return context

    @property
    def state(self) -> tuple[Mode, Transition]:
        """D_MODE and D_TRANS."""
        return self.context.mode, self.context.transition


NOTHING = ("", 0, 0, False)


def test_5_6_2_the_decompressor_is_in_o_mode_with_its_first_ack() -> None:
    receiver = Receiver("O")
    assert receiver.hear(ir(0x100), 0x100) == ("ACK", O, 0x100, True)
    assert receiver.state == (O, Transition.DONE)
    assert receiver.hear(uo_0(0x101), 0x101) == NOTHING


def test_5_6_3_u_to_r_on_the_decompressors_side() -> None:
    receiver = Receiver("R")
    assert receiver.hear(ir(0x100), 0x100) == ("ACK", R, 0x100, True)
    assert receiver.state == (U, Transition.INITIATED)
    # While D_TRANS is I, each packet is answered.
    assert receiver.hear(uo_0(0x101), 0x101) == ("ACK", R, 0x101, True)
    # RFC 4815 3.3: the packet with the new mode is the breakpoint.
    assert receiver.hear(uor_2_mode(0x102, R), 0x102) == ("ACK", R, 0x102, True)
    assert receiver.state == (R, Transition.PENDING)
    assert receiver.hear(uor_2_mode(0x103, R), 0x103) == ("ACK", R, 0x103, True)
    # A packet of type 0 or 1 completes the transition.
    assert receiver.hear(r_0(0x104), 0x104) == NOTHING
    assert receiver.state == (R, Transition.DONE)


def test_rfc4815_3_1_while_pending_feedback_has_a_crc_option() -> None:
    receiver = Receiver("R")
    receiver.hear(ir(0x100), 0x100)
    receiver.hear(uor_2_mode(0x101, R), 0x101)
    for sn in range(0x102, 0x106):
        assert receiver.hear(uor_2_mode(sn, R), sn) == ("ACK", R, sn, True)
    assert receiver.state == (R, Transition.PENDING)


def test_a_request_that_nobody_answers_is_given_up() -> None:
    receiver = Receiver("R")
    told = [receiver.hear(ir(0x100), 0x100)]
    for sn in range(0x101, 0x120):
        told.append(receiver.hear(uo_0(sn), sn))
    assert sum(one != NOTHING for one in told) == TRANSITION_TRIES
    assert receiver.state == (U, Transition.DONE)
    assert receiver.context.declined


def test_rfc3843_3_4_mode_0_ends_the_request_at_once() -> None:
    receiver = Receiver("R")
    receiver.hear(ir(0x100), 0x100)
    assert receiver.hear(uor_2_mode(0x101, 0), 0x101) == NOTHING
    assert receiver.state == (U, Transition.DONE)
    assert receiver.hear(uo_0(0x102), 0x102) == NOTHING


def test_before_the_breakpoint_type_0_is_read_as_uo_0_and_behind_it_as_r_0() -> None:
    receiver = Receiver("R")
    receiver.hear(ir(0x100), 0x100)
    assert receiver.decompressor.decompress(uo_0(0x101)).packet_type == "UO-0"
    receiver.hear(uor_2_mode(0x102, R), 0x102)
    assert receiver.decompressor.decompress(r_0(0x103)).packet_type == "R-0"


@pytest.mark.parametrize("mode", "UOR")
def test_in_u_mode_nothing_is_said_whatever_comes(mode: str) -> None:
    receiver = Receiver("U")
    assert receiver.hear(ir(0x100), 0x100) == NOTHING
    wanted = {"U": U, "O": O, "R": R}[mode]
    assert receiver.hear(uor_2_mode(0x101, wanted), 0x101) == NOTHING
    assert receiver.state == (U, Transition.DONE)
    wrong = uo_0(0x102)
    assert receiver.fail(bytes((wrong[0] ^ 1,)) + wrong[1:]) == NOTHING


def test_5_4_2_2_repeated_ir_packets_are_acknowledged_now_and_then() -> None:
    receiver = Receiver("O")
    told = [receiver.hear(ir(sn), sn) != NOTHING for sn in range(0x100, 0x111)]
    assert told[0]
    assert sum(told) == 1 + 16 // IR_ACK_INTERVAL


# States and rate limits -------------------------------------------------------------------------


def wrong_uo_0(sn: int) -> bytes:
    good = uo_0(sn)
    return bytes((good[0] ^ 1,)) + good[1:]


def wrong_uor_2(sn: int) -> bytes:
    good = uor_2_mode(sn, O)
    return good[:1] + bytes((good[1] ^ 1,)) + good[2:]


def test_5_3_2_2_3_the_states_go_down_one_step_at_a_time() -> None:
    receiver = Receiver("O")
    receiver.hear(ir(0x100), 0x100)
    states = []
    for _ in range(STATIC_AFTER):
        receiver.fail(wrong_uo_0(0x101))
        states.append(receiver.context.state)
    assert states == [State.FULL_CONTEXT, State.STATIC_CONTEXT]
    # In Static Context, packets of type 0 and 1 are not even tried.
    receiver.fail(uo_0(0x101))
    assert receiver.context.state == State.STATIC_CONTEXT
    for _ in range(NO_CONTEXT_AFTER):
        receiver.fail(wrong_uor_2(0x101))
    assert receiver.context.state == State.NO_CONTEXT
    receiver.fail(uor_2_mode(0x101, O))
    receiver.hear(ir(0x102), 0x102)
    assert receiver.context.state == State.FULL_CONTEXT


def test_5_3_2_2_3_an_update_leads_back_from_static_context() -> None:
    receiver = Receiver("O")
    receiver.hear(ir(0x100), 0x100)
    for _ in range(STATIC_AFTER):
        receiver.fail(wrong_uo_0(0x101))
    assert receiver.hear(uor_2_mode(0x102, O), 0x102)[0] == "ACK"
    assert receiver.context.state == State.FULL_CONTEXT
    assert receiver.hear(uo_0(0x103), 0x103) == NOTHING


def test_nacks_come_once_in_an_interval_and_become_static_nacks() -> None:
    receiver = Receiver("O")
    receiver.hear(ir(0x100), 0x100)
    told = [receiver.fail(wrong_uor_2(0x101))[0] for _ in range(40)]
    given = [place for place, kind in enumerate(told) if kind]
    assert told[0] == "NACK"
    assert all(b - a > NACK_INTERVAL for a, b in pairwise(given))
    assert [told[place] for place in given][1:] == ["STATIC_NACK"] * (len(given) - 1)


@pytest.mark.parametrize("cids", [1, 3, 15])
def test_static_nacks_without_context_are_limited_for_each_cid(cids: int) -> None:
    decompressor = Decompressor(Channel())
    count = 0
    for _ in range(40):
        for cid in range(1, cids + 1):
            with pytest.raises(RohcError) as caught:
                decompressor.decompress(bytes((0xE0 | cid, 8, 1, 2)))
            count += bool(caught.value.feedback)
    assert count == cids * 40 // NACK_INTERVAL


def test_good_packets_let_the_next_nack_out_again() -> None:
    receiver = Receiver("O")
    receiver.hear(ir(0x100), 0x100)
    assert receiver.fail(wrong_uo_0(0x101))[0] == "NACK"
    for sn in range(0x101, 0x101 + 2 * NACK_INTERVAL):
        receiver.decompressor.decompress(uor_2_mode(sn, O))
    assert receiver.fail(wrong_uo_0(0x101 + 2 * NACK_INTERVAL))[0] == "NACK"


# Profile 0x0000 ---------------------------------------------------------------------------------


def uncompressed_ir(payload: bytes) -> bytes:
    return b"\xfc\x00" + bytes((crc(8, b"\xfc\x00"),)) + payload


def test_5_10_2_an_ir_and_then_normal_packets() -> None:
    compressor = Compressor(Channel(), mode="U", optimistic_repeats=2, ir_refresh_packets=0)
    packets = [b"\x00not ip", b"\x12neither", b"\x7fnor this", b"\x00"]
    sent = [compressor.compress(data) for data in packets]
    assert sent == [
        uncompressed_ir(packets[0]),
        uncompressed_ir(packets[1]),
        packets[2],
        packets[3],
    ]
    decompressor = Decompressor(Channel())
    assert [decompressor.decompress(data).packet for data in sent] == packets


@pytest.mark.parametrize("first", [0xE0, 0xEF, 0xF0, 0xF8, 0xFC, 0xFD, 0xFE, 0xFF])
def test_5_10_2_a_packet_that_looks_like_one_of_rohc_goes_in_an_ir(first: int) -> None:
    compressor = Compressor(Channel(), mode="U", optimistic_repeats=1, ir_refresh_packets=0)
    decompressor = Decompressor(Channel())
    for data in (b"\x00a", bytes((first,)) + b"b", b"\x00c"):
        sent = compressor.compress(data)
        assert decompressor.decompress(sent).packet == data
        assert compressor.last is not None
        expected = "Normal" if data == b"\x00c" else "IR"
        assert compressor.last.packet_type == expected


def test_5_10_3_in_its_unidirectional_mode_ir_packets_come_again() -> None:
    compressor = Compressor(Channel(), mode="U", optimistic_repeats=1, ir_refresh_packets=5)
    types = []
    for _ in range(16):
        compressor.compress(b"\x00x")
        assert compressor.last is not None
        types.append(compressor.last.packet_type)
    assert [place for place, kind in enumerate(types) if kind == "IR"] == [0, 5, 10, 15]


@pytest.mark.parametrize(
    "answer",
    [
        write_feedback_1(0, False, 0),
        feedback(AckType.ACK, O, 0),
        feedback(AckType.NACK, O, 0),
        feedback(AckType.STATIC_NACK, R, 0, protect=False),
    ],
)
def test_5_10_3_any_feedback_moves_it_to_its_bidirectional_mode(answer: bytes) -> None:
    compressor = Compressor(Channel(), optimistic_repeats=3, ir_refresh_packets=5)
    compressor.compress(b"\x00x")
    compressor.deliver_feedback(answer)
    types = set()
    for _ in range(30):
        compressor.compress(b"\x00x")
        assert compressor.last is not None
        types.add(compressor.last.packet_type)
    assert types == {"Normal"}


def test_a_compressor_kept_in_u_mode_stays_in_its_unidirectional_mode() -> None:
    compressor = Compressor(Channel(), mode="U", optimistic_repeats=1, ir_refresh_packets=5)
    compressor.compress(b"\x00x")
    compressor.deliver_feedback(write_feedback_1(0, False, 0))
    for _ in range(5):
        compressor.compress(b"\x00x")
    assert compressor.last is not None
    assert compressor.last.packet_type == "IR"


def test_5_10_4_every_ir_packet_is_acknowledged_and_normal_ones_are_not() -> None:
    decompressor = Decompressor(Channel())
    assert decompressor.decompress(uncompressed_ir(b"\x00x")).feedback.hex() == "f100"
    assert decompressor.decompress(b"\x00y").feedback == b""
    assert decompressor.decompress(uncompressed_ir(b"")).packet is None
    with pytest.raises(CrcFailure):
        decompressor.decompress(b"\xfc\x00\x00x")


def test_profile_0_cannot_be_rejected() -> None:
    compressor = Compressor(Channel())
    compressor.compress(b"\x00x")
    compressor.deliver_feedback(feedback(AckType.STATIC_NACK, O, 0, options=((Option.REJECT, 0),)))
    assert compressor.compress(b"\x00x")[-2:] == b"\x00x"


def test_a_cid_may_change_between_a_compressed_flow_and_profile_0() -> None:
    channel = Channel(max_cid=0)
    compressor, decompressor = Compressor(channel, mode="U"), Decompressor(channel)
    for turn in range(12):
        for data in (packet(turn), b"\x00raw", ipv6(udp(b"six")), b"\xffodd"):
            assert decompressor.decompress(compressor.compress(data)).packet == data
