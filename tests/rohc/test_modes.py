"""U-, O- and R-mode on both sides, and the transitions between them (RFC 3095 section 5.6)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from rohc_packets import ipv4, ipv6, streams, udp

from rohc import Channel, Compressor, Decompressor, Mode, RohcError
from rohc.decompression.context import State, Transition

RTP_PORTS = (1234, 36780, 33238, 5020, 5002, 5006)


def rtp_packets() -> list[bytes]:
    for stream in streams("syn-rtp.jsonl"):
        if stream["name"] == "rtp4-ptchange/1B":
            return [bytes.fromhex(packet["ip"]) for packet in stream["packets"]]
    raise AssertionError("the stream is not in the file")


def udp_packets() -> list[bytes]:
    return [
        ipv4(udp(b"x" * (n % 5), checksum=n + 1), identification=n, ttl=64 - n // 20)
        for n in range(80)
    ]


def ipv6_packets() -> list[bytes]:
    return [ipv6(udp(b"x" * (n % 5), checksum=n + 1), traffic_class=n // 30) for n in range(80)]


def jittering_packets() -> list[bytes]:
    draw = random.Random(4)
    made, identification = [], 0
    for _ in range(80):
        identification += draw.choice((1, 1, 2, 90, 3000))
        made.append(ipv4(udp(b"x"), identification=identification & 0xFFFF))
    return made


def esp_packets() -> list[bytes]:
    return [
        ipv4(
            (0x1234 << 32 | 1 + n).to_bytes(8, "big") + b"secret",
            protocol=50,
            identification=n,
        )
        for n in range(150)
    ]


FLOWS: list[Callable[[], list[bytes]]] = [
    udp_packets,
    ipv6_packets,
    jittering_packets,
    esp_packets,
    rtp_packets,
]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
@pytest.mark.parametrize("mode", "UOR")
def test_each_flow_comes_through_in_each_mode(flow: Callable[[], list[bytes]], mode: str) -> None:
    compressor = Compressor(Channel(), mode=mode, rtp_ports=RTP_PORTS)
    decompressor = Decompressor(Channel(), mode=mode)
    types: Counter[str] = Counter()
    for packet in flow():
        result = decompressor.decompress(compressor.compress(packet))
        assert result.packet == packet
        assert (result.feedback == b"") or mode != "U"
        compressor.deliver_feedback(result.feedback)
        types[result.packet_type] += 1
    expected = {"U": Mode.UNIDIRECTIONAL, "O": Mode.OPTIMISTIC, "R": Mode.RELIABLE}[mode]
    assert compressor._by_cid[0].mode == expected
    assert decompressor._contexts[0].mode == expected
    assert decompressor._contexts[0].transition == Transition.DONE
    assert (types["R-0"] > 0) == (mode == "R")


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
@pytest.mark.parametrize("mode", "OR")
@pytest.mark.parametrize("delay", [1, 3, 7])
def test_late_feedback_does_not_break_a_mode(
    flow: Callable[[], list[bytes]], mode: str, delay: int
) -> None:
    compressor = Compressor(Channel(), mode=mode, rtp_ports=RTP_PORTS)
    decompressor = Decompressor(Channel(), mode=mode)
    under_way: list[bytes] = []
    for packet in flow():
        result = decompressor.decompress(compressor.compress(packet))
        assert result.packet == packet
        under_way.append(result.feedback)
        if len(under_way) > delay:
            compressor.deliver_feedback(under_way.pop(0))


def reliable(seed: int, packets: list[bytes], share: float) -> Iterator[tuple[bytes, bytes | None]]:
    """R-mode over a channel that loses packets and feedback."""
    draw = random.Random(seed)
    compressor = Compressor(Channel(), mode="R", rtp_ports=RTP_PORTS)
    decompressor = Decompressor(Channel(), mode="R")
    for packet in packets:
        sent = compressor.compress(packet)
        if draw.random() < share:
            continue
        try:
            result = decompressor.decompress(sent)
        except RohcError as error:
            yield packet, None
            compressor.deliver_feedback(error.feedback)
            continue
        yield packet, result.packet
        if draw.random() >= share:
            compressor.deliver_feedback(result.feedback)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_in_r_mode_loss_in_both_directions_breaks_nothing(
    flow: Callable[[], list[bytes]], seed: int
) -> None:
    outcomes = list(reliable(seed, flow(), 0.2))
    right = sum(packet == restored for packet, restored in outcomes)
    assert all(restored in (packet, None) for packet, restored in outcomes)
    assert right >= len(outcomes) - 3


def esp_octets(octets: int) -> int:
    """UDP-encapsulated tunnel-mode ESP with AES-GCM-16 over IPv4 around a ROHC packet."""
    padded = octets + 2 + -(octets + 2) % 4
    return 20 + 8 + 8 + 8 + padded + 16


def first_five(mode: str) -> tuple[int, list[int], list[int]]:
    """Header octets, sizes of the ROHC packets, sizes of the feedback."""
    compressor, decompressor = Compressor(Channel(), mode=mode), Decompressor(Channel(), mode=mode)
    header, sent, feedback = 0, [], []
    for number in range(5):
        packet = ipv4(udp(b"reading", checksum=number + 1), identification=100 + number)
        sent.append(len(data := compressor.compress(packet)))
        result = decompressor.decompress(data)
        assert result.packet == packet
        compressor.deliver_feedback(result.feedback)
        header += result.header_bytes
        feedback.append(len(result.feedback))
    return header, sent, feedback


def test_the_first_five_packets_of_a_flow_in_o_mode_cost_at_most_45_octets() -> None:
    header, sent, feedback = first_five("O")
    unidirectional, sent_u, none = first_five("U")
    alone = sum(esp_octets(octets) for octets in feedback if octets)
    there = sum(map(esp_octets, sent))
    report = (
        f"first five packets: O {header} header octets, U {unidirectional}; feedback "
        f"{sum(feedback)} octets, piggybacked no more, alone {alone} octets of ESP; ESP both ways: "
        f"O piggybacked {there + sum(feedback)}, O alone {there + alone}, "
        f"U {sum(map(esp_octets, sent_u))}"
    )
    print(report)  # noqa: T201
    assert header <= 45
    assert not any(none)


def test_a_compressor_limited_to_o_mode_stays_there_and_the_peer_gives_up() -> None:
    compressor, decompressor = Compressor(Channel(), mode="O"), Decompressor(Channel(), mode="R")
    given = 0
    for packet in udp_packets():
        result = decompressor.decompress(compressor.compress(packet))
        assert result.packet == packet
        given += bool(result.feedback)
        compressor.deliver_feedback(result.feedback)
    assert compressor._by_cid[0].mode == Mode.UNIDIRECTIONAL
    assert given < 20


def test_a_nack_repairs_a_context_that_missed_a_change() -> None:
    compressor = Compressor(Channel(), optimistic_repeats=2)
    decompressor = Decompressor(Channel())
    packets = [
        ipv4(udp(b"x", checksum=n + 1), identification=n, ttl=64 if n < 10 else 61)
        for n in range(30)
    ]
    rejected = 0
    for number, packet in enumerate(packets):
        sent = compressor.compress(packet)
        if 10 <= number < 13:
            continue
        try:
            result = decompressor.decompress(sent)
            assert result.packet == packet
            compressor.deliver_feedback(result.feedback)
        except RohcError as error:
            rejected += 1
            compressor.deliver_feedback(error.feedback)
    assert rejected <= 2


def test_a_decompressor_that_lost_everything_asks_for_ir() -> None:
    compressor, decompressor = Compressor(Channel()), Decompressor(Channel())
    packets = udp_packets()
    for packet in packets[:10]:
        compressor.deliver_feedback(decompressor.decompress(compressor.compress(packet)).feedback)
    restarted = Decompressor(Channel())
    restored = 0
    for packet in packets[10:20]:
        try:
            result = restarted.decompress(compressor.compress(packet))
            assert result.packet == packet
            restored += 1
            compressor.deliver_feedback(result.feedback)
        except RohcError as error:
            compressor.deliver_feedback(error.feedback)
    assert restored == 9


def test_in_u_mode_a_decompressor_never_gives_feedback() -> None:
    decompressor = Decompressor(Channel(), mode="U")
    for octets in ("08", "e308", "c001", "fd0200"):
        with pytest.raises(RohcError) as caught:
            decompressor.decompress(bytes.fromhex(octets))
        assert caught.value.feedback == b""


def test_nacks_are_limited_in_rate() -> None:
    compressor, decompressor = Compressor(Channel(), first_sn=5), Decompressor(Channel())
    compressor.deliver_feedback(
        decompressor.decompress(compressor.compress(ipv4(udp(b"x")))).feedback
    )
    given = 0
    for forged in range(100):
        try:
            decompressor.decompress(bytes((forged & 0x7F, 1, 2, 3, 4)))
        except RohcError as error:
            given += bool(error.feedback)
    assert 0 < given <= 25


def test_states_fall_with_failures_and_rise_with_updates() -> None:
    compressor, decompressor = (
        Compressor(Channel(), mode="U", first_sn=1),
        Decompressor(Channel(), mode="U"),
    )
    packets = udp_packets()
    for packet in packets[:8]:
        decompressor.decompress(compressor.compress(packet))
    context = decompressor._contexts[0]
    assert context.state == State.FULL_CONTEXT
    good = compressor.compress(packets[8])
    for _ in range(2):
        with pytest.raises(RohcError):
            decompressor.decompress(bytes((good[0] ^ 1,)) + good[1:])
    assert context.state == State.STATIC_CONTEXT
    for _ in range(12):
        assert context.state == State.STATIC_CONTEXT
        with pytest.raises(RohcError):
            decompressor.decompress(bytes.fromhex("c900aabbcc"))
    assert context.state == State.NO_CONTEXT
    fresh = Compressor(Channel(), mode="U", first_sn=77)
    assert decompressor.decompress(fresh.compress(packets[9])).packet == packets[9]
    assert decompressor._contexts[0].state == State.FULL_CONTEXT


def test_profile_0_becomes_bidirectional_with_any_feedback() -> None:
    compressor, decompressor = Compressor(Channel()), Decompressor(Channel())
    types = []
    for _ in range(3):
        result = decompressor.decompress(compressor.compress(b"\x00not ip"))
        types.append(result.packet_type)
        compressor.deliver_feedback(result.feedback)
    assert types == ["IR", "Normal", "Normal"]


def test_rfc3843_3_4_a_mode_transition_may_be_declined_with_mode_0() -> None:
    compressor, decompressor = Compressor(Channel(), mode="O"), Decompressor(Channel(), mode="R")
    asked = 0
    for number in range(40):
        packet = ipv4(b"\x08\x00\xf7\xff" + bytes(4), protocol=1, identification=number)
        result = decompressor.decompress(compressor.compress(packet))
        assert result.packet == packet
        asked += bool(result.feedback)
        compressor.deliver_feedback(result.feedback)
    assert decompressor._contexts[0].declined
    assert asked <= 4
    assert result.packet_type == "UO-0"
