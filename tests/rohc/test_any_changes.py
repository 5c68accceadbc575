"""Round trips of every profile over arbitrary header changes, in all modes, with lossy feedback.

`ROHC_FLOW_EXAMPLES` says how many flows of each kind; the proof `rohc-flows` sets it.

Hypothesis draws a flow as a row of steps; each says which fields change and by how much, and what
becomes of the feedback: delivered, late, lost, or damaged. No packet is lost, so every one must
come back, whatever its source did.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rohc_packets import ipv4, ipv6, udp

from rohc import Channel, Compressor, CrcFailure, Decompressor, RohcError, explain

EXAMPLES = int(os.environ.get("ROHC_FLOW_EXAMPLES", "12"))
"""How many flows of each kind are drawn; a proof draws more."""
NEXT = st.sampled_from((0, 1, 1, 1, 1, 1, 1, 2, 3, 7, 17, 29, 40, 300, 5000, -1, -3, 0x7FFF))
RARELY = st.sampled_from((0,) * 12 + (1, 2, 3))


class Source:
    """Fields that a flow of any profile may have, and how they move on.

    Attributes are the fields; `step` moves them as a drawn tuple says.
    """

    def __init__(self) -> None:
        self.sn = 0xFFF0
        self.identification = 0xFFF8
        self.outer = 0x00F0
        self.timestamp = 0xFFFFF000
        self.tos = 0
        self.ttl = 64
        self.df = 1
        self.checksum = 1
        self.marker = 0
        self.payload_type = 96
        self.padding = 0
        self.extension = 0
        self.csrcs = 0
        self.octets = 3
        self.coverage = 0

    def step(self, drawn: dict[str, int]) -> None:
        self.sn = self.sn + drawn["sn"] & 0xFFFFFFFF
        self.identification = self.identification + drawn["identification"] & 0xFFFF
        self.outer = self.outer + drawn["outer"] & 0xFFFF
        self.timestamp = self.timestamp + 160 * drawn["timestamp"] + drawn["odd"] & 0xFFFFFFFF
        self.tos ^= 0x48 * (drawn["tos"] == 1)
        self.ttl = (self.ttl - drawn["ttl"]) % 256
        self.df ^= drawn["df"] == 1
        self.checksum = (0, 1, 0xFFFF, self.checksum * 7 % 65521)[drawn["checksum"]]
        self.marker = drawn["marker"] == 1
        self.payload_type = 96 + (drawn["payload_type"] == 2)
        self.padding ^= drawn["padding"] == 1
        self.extension ^= drawn["extension"] == 1
        self.csrcs = drawn["csrcs"]
        self.octets = drawn["octets"]
        self.coverage = drawn["coverage"]

    def ip(self, body: bytes, protocol: int, version: int = 4) -> bytes:
        if version == 6:
            return ipv6(body, next_header=protocol, traffic_class=self.tos, hop_limit=self.ttl)
        return ipv4(
            body,
            protocol=protocol,
            identification=self.identification,
            tos=self.tos,
            ttl=self.ttl,
            flags=0x4000 * self.df,
        )

    @property
    def payload(self) -> bytes:
        return b"p" * self.octets

    def rtp(self) -> bytes:
        first = 0x80 | self.padding << 5 | self.extension << 4 | self.csrcs
        head = bytes((first, self.marker << 7 | self.payload_type))
        head += (self.sn & 0xFFFF).to_bytes(2, "big") + self.timestamp.to_bytes(4, "big") + b"ssrc"
        return head + b"".join(bytes((9, 9, 9, n)) for n in range(self.csrcs)) + self.payload

    def lite(self, body: bytes, port: int) -> bytes:
        datagram = udp(body, destination_port=port, checksum=self.checksum or 1)
        covered = (len(datagram), len(datagram), 8, min(20, len(datagram)))[self.coverage]
        return datagram[:4] + covered.to_bytes(2, "big") + datagram[6:]


STEP = st.fixed_dictionaries(
    {
        "sn": NEXT,
        "identification": NEXT,
        "outer": NEXT,
        "timestamp": NEXT,
        "odd": RARELY,
        "tos": RARELY,
        "ttl": RARELY,
        "df": RARELY,
        "checksum": st.sampled_from((3, 3, 3, 3, 0, 1, 2)),
        "marker": RARELY,
        "payload_type": RARELY,
        "padding": RARELY,
        "extension": RARELY,
        "csrcs": RARELY,
        "octets": st.integers(0, 6),
        "coverage": st.sampled_from((0, 0, 0, 0, 1, 2, 3)),
        "feedback": st.sampled_from(("given", "given", "given", "late", "lost", "damaged")),
    }
)


def udp4(source: Source) -> bytes:
    return source.ip(udp(source.payload, checksum=source.checksum), 17)


def udp6(source: Source) -> bytes:
    return source.ip(udp(source.payload, checksum=source.checksum), 17, 6)


def tunnel(source: Source) -> bytes:
    return ipv4(udp4(source), protocol=4, identification=source.outer, source="10.8.8.8")


def tunnel6(source: Source) -> bytes:
    return ipv6(udp4(source), next_header=4, hop_limit=source.ttl)


def esp(source: Source) -> bytes:
    return source.ip((7 << 32 | source.sn).to_bytes(8, "big") + source.payload, 50)


def esp6(source: Source) -> bytes:
    return source.ip((7 << 32 | source.sn).to_bytes(8, "big") + source.payload, 50, 6)


def ip_only(source: Source) -> bytes:
    return source.ip(b"\x08\x00" + source.payload, 1)


def ip_levels(source: Source) -> bytes:
    inner = ipv4(ip_only(source), protocol=4, identification=source.outer, source="10.7.7.7")
    return ipv6(ipv4(inner, protocol=4, identification=77, source="10.6.6.6"), next_header=4)


def rtp4(source: Source) -> bytes:
    return source.ip(udp(source.rtp(), destination_port=5004, checksum=source.checksum), 17)


def rtp6(source: Source) -> bytes:
    return source.ip(udp(source.rtp(), destination_port=5004, checksum=source.checksum), 17, 6)


def rtp_tunnel(source: Source) -> bytes:
    return ipv4(rtp4(source), protocol=4, identification=source.outer, source="10.8.8.8")


def lite4(source: Source) -> bytes:
    return source.ip(source.lite(source.payload, 7000), 136)


def lite_rtp(source: Source) -> bytes:
    return source.ip(source.lite(source.rtp(), 5004), 136)


def lite_rtp6(source: Source) -> bytes:
    return source.ip(source.lite(source.rtp(), 5004), 136, 6)


def hop_by_hop(source: Source) -> bytes:
    option = bytes((17, 0, 5, 2, 0, 0, 1, source.csrcs))
    return source.ip(option + udp(source.payload, checksum=source.checksum), 0, 6)


def authenticated(source: Source) -> bytes:
    header = bytes((17, 4, 0, 0)) + b"\0\0\0\x07" + source.sn.to_bytes(4, "big") + b"i" * 12
    return source.ip(header + udp(source.payload, checksum=source.checksum), 51)


FLOWS: list[tuple[Callable[[Source], bytes], int]] = [
    (udp4, 2),
    (udp6, 2),
    (tunnel, 2),
    (tunnel6, 2),
    (esp, 3),
    (esp6, 3),
    (ip_only, 4),
    (ip_levels, 4),
    (rtp4, 1),
    (rtp6, 1),
    (rtp_tunnel, 1),
    (lite4, 8),
    (lite_rtp, 7),
    (lite_rtp6, 7),
    (hop_by_hop, 2),
    (authenticated, 2),
]


class Link:
    """Both ends, and the way of the feedback between them.

    Args:
        channel: the channel.
        mode: the highest mode of both.
        given: what the compressor is given besides.
    """

    def __init__(self, channel: Channel, mode: str, **given: Any) -> None:
        self.compressor = Compressor(channel, mode=mode, rtp_ports=(5004,), **given)
        self.decompressor = Decompressor(channel, mode=mode)
        self.late: list[bytes] = []

    def carry(self, packet: bytes, feedback: str) -> int:
        sent = self.compressor.compress(packet)
        told = explain(sent, self.decompressor)
        result = self.decompressor.decompress(sent)
        assert result.packet == packet
        chosen = self.compressor.last
        assert chosen is not None
        assert (chosen.packet_type, chosen.cid) == (result.packet_type, result.cid)
        assert (chosen.profile, chosen.header_bytes) == (result.profile, result.header_bytes)
        assert (told.packet_type, told.problem) == (result.packet_type, "")
        if feedback == "given":
            for earlier in self.late:
                self.compressor.deliver_feedback(earlier)
            self.late.clear()
            self.compressor.deliver_feedback(result.feedback)
        elif feedback == "late":
            self.late.append(result.feedback)
        elif feedback == "damaged" and result.feedback:
            self.compressor.deliver_feedback(result.feedback[:-1])
        return result.profile


@pytest.mark.parametrize(("flow", "profile"), FLOWS, ids=[flow.__name__ for flow, _ in FLOWS])
@pytest.mark.parametrize("mode", "UOR")
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, min_size=2, max_size=24), repeats=st.integers(1, 4))
def test_without_loss_any_flow_comes_back(
    flow: Callable[[Source], bytes],
    profile: int,
    mode: str,
    steps: list[dict[str, Any]],
    repeats: int,
) -> None:
    link = Link(Channel(), mode, optimistic_repeats=repeats, fo_refresh_packets=9)
    source = Source()
    for drawn in steps:
        source.step(drawn)
        assert link.carry(flow(source), drawn["feedback"]) == profile


@pytest.mark.parametrize("mode", "UOR")
@pytest.mark.parametrize(("large", "max_cid"), [(False, 0), (False, 2), (True, 1), (True, 200)])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(st.integers(0, len(FLOWS) - 1), STEP), min_size=2, max_size=40))
def test_flows_of_all_profiles_share_the_cids(
    mode: str, large: bool, max_cid: int, steps: list[tuple[int, dict[str, Any]]]
) -> None:
    link = Link(Channel(max_cid=max_cid, large_cids=large), mode, optimistic_repeats=2)
    sources = [Source() for _ in FLOWS]
    for number, drawn in steps:
        flow, profile = FLOWS[number]
        sources[number].step(drawn)
        assert link.carry(flow(sources[number]), drawn["feedback"]) == profile
    assert len(link.decompressor._contexts) <= max_cid + 1


@pytest.mark.parametrize(("flow", "profile"), FLOWS, ids=[flow.__name__ for flow, _ in FLOWS])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(STEP, min_size=8, max_size=40),
    lost=st.sets(st.integers(1, 39), max_size=12),
    mode=st.sampled_from("UOR"),
)
def test_with_loss_nothing_but_errors_of_this_package_is_raised(
    flow: Callable[[Source], bytes],
    profile: int,
    steps: list[dict[str, Any]],
    lost: set[int],
    mode: str,
) -> None:
    compressor = Compressor(Channel(), mode=mode, rtp_ports=(5004,), optimistic_repeats=2)
    decompressor = Decompressor(Channel(), mode=mode)
    source = Source()
    for number, drawn in enumerate(steps):
        source.step(drawn)
        sent = compressor.compress(flow(source))
        if number in lost:
            continue
        try:
            compressor.deliver_feedback(decompressor.decompress(sent).feedback)
        except RohcError as error:
            assert str(error)
            compressor.deliver_feedback(error.feedback)
    # A fresh start heals whatever the loss has left.
    again = Compressor(Channel(), mode="U", rtp_ports=(5004,))
    assert decompressor.decompress(again.compress(flow(source))).packet == flow(source)


@pytest.mark.parametrize(("flow", "profile"), FLOWS, ids=[flow.__name__ for flow, _ in FLOWS])
@pytest.mark.parametrize("mode", "UO")
def test_a_steady_flow_settles_at_its_smallest_packet(
    flow: Callable[[Source], bytes], profile: int, mode: str
) -> None:
    link = Link(Channel(), mode, optimistic_repeats=2, fo_refresh_packets=0, static_ip_id=True)
    source = Source()
    source.sn = 1
    source.timestamp = 5
    steady = dict.fromkeys(Source().__dict__, 0) | {
        "sn": 1,
        "identification": 1,
        "outer": 1,
        "timestamp": 1,
        "odd": 0,
        "checksum": 3,
        "octets": 4,
    }
    for _ in range(16):
        source.step(steady)
        assert link.carry(flow(source), "given") == profile
    assert link.compressor.last is not None
    assert link.compressor.last.packet_type == "UO-0"
    # One octet, checksum and AH data apart; IP only sends levels beyond the second whole.
    behind = {udp4: 2, udp6: 2, tunnel: 2, tunnel6: 2, rtp4: 2, rtp6: 2, rtp_tunnel: 2}
    behind |= {lite4: 2, lite_rtp: 2, lite_rtp6: 2, hop_by_hop: 2, authenticated: 14}
    behind |= {ip_levels: 12}
    assert link.compressor.last.header_bytes == 1 + behind.get(flow, 0)


# Segments ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    payload=st.binary(max_size=300),
    octets=st.integers(2, 120),
    large=st.booleans(),
    feedback=st.booleans(),
)
def test_any_packet_comes_back_from_segments_of_any_size(
    payload: bytes, octets: int, large: bool, feedback: bool
) -> None:
    channel = Channel(mrru=500, large_cids=large)
    compressor, decompressor = Compressor(channel, mode="U"), Decompressor(channel)
    packet = ipv4(udp(payload))
    if feedback:
        compressor.queue_feedback(b"\xf1\x05")
    pieces = compressor.compress_segments(packet, segment_octets=octets)
    assert all(len(piece) <= octets for piece in pieces[int(feedback) :])
    results = [decompressor.decompress(piece) for piece in pieces]
    assert [result.packet for result in results[:-1]] == [None] * (len(pieces) - 1)
    assert results[-1].packet == packet
    received = b"".join(result.feedback_received for result in results)
    assert received == (b"\xf1\x05" if feedback else b"")


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), lost=st.integers(0, 20))
def test_a_damaged_or_missing_segment_never_gives_a_packet(place: int, bit: int, lost: int) -> None:
    channel = Channel(mrru=500)
    packet = ipv4(udp(bytes(range(100))))
    pieces = Compressor(channel, mode="U").compress_segments(packet, segment_octets=20)
    damaged = [bytearray(piece) for piece in pieces]
    piece = damaged[place % len(damaged)]
    # The type octet apart: a flipped bit in it makes another packet type.
    piece[1 + place % (len(piece) - 1)] ^= 1 << bit
    for variant in (damaged, pieces[: lost % len(pieces)] + pieces[lost % len(pieces) + 1 :]):
        decompressor = Decompressor(channel)
        given = []
        for octets in variant:
            try:
                given.append(decompressor.decompress(bytes(octets)).packet)
            except CrcFailure:
                given.append(None)
        assert given == [None] * len(variant)
