"""The HSE's gateway: what passes, what is refused and counted, what is remembered."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import esp
import rohc
from esp import keying
from testbed.bench import Configuration
from testbed.compression import FeedbackWay, RohcMode, RohcSettings
from testbed.hse import EchoApplication, Gateway, GatewayLimits, HsePort, Passage, Request
from testbed.packets import build_udp_packet, parse_udp_packet
from testbed.traffic import generated_traffic
from testbed.ue.layers import FeedbackOnly
from tests.testbed.conftest import SECRET, UE_ADDRESS, Device, initiator, make_device

ALL = Configuration.known_names()
PROTECTED = [name for name in ALL if "esp" in name]
MESSAGES = generated_traffic(messages=12, seed=1).messages


class Recorder:
    """An application that echoes and remembers."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers = True

    def answer(self, request: Request) -> bytes | None:
        self.requests.append(request)
        return request.payload if self.answers else None


class Lab:
    """A gateway and UEs that reach it without a network."""

    def __init__(
        self,
        limits: GatewayLimits | None = None,
        rohc_settings: RohcSettings | None = None,
    ) -> None:
        self.application = Recorder()
        self.now = 0.0
        self.gateway = Gateway(
            secrets={"ue-1": SECRET, "ue-2": SECRET[::-1]}.get,
            application=self.application,
            limits=limits or GatewayLimits(notices_per_s=0.0),
            rohc_settings=rohc_settings,
        )

    def send(self, port: HsePort, data: bytes, source: tuple[str, int] = UE_ADDRESS) -> list[bytes]:
        return [reply.data for reply in self.gateway.receive(port, data, source, self.now)]

    def one(self, port: HsePort, data: bytes) -> bytes:
        (answer,) = self.send(port, data)
        return answer

    def device(self, name: str) -> Device:
        return make_device(name, self.one)

    @property
    def rejected(self) -> dict[tuple[str, str], int]:
        return dict(self.gateway.snapshot().rejected)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.mark.parametrize("name", ALL)
def test_messages_reach_the_application_and_its_answers_come_back(lab: Lab, name: str) -> None:
    device = lab.device(name)
    for message in MESSAGES:
        answer = lab.one(device.port, device.stack.down(message.packet, 0.0).data)
        assert device.stack.up(answer, 0.0).data == message.payload
    assert [request.payload for request in lab.application.requests] == [
        message.payload for message in MESSAGES
    ]
    assert lab.rejected == {}
    snapshot = lab.gateway.snapshot()
    assert snapshot.delivered == {device.port: len(MESSAGES)}
    assert snapshot.answered == {device.port: len(MESSAGES)}


@pytest.mark.parametrize("name", ALL)
def test_the_layers_sum_to_the_packet_in_both_directions(lab: Lab, name: str) -> None:
    device = lab.device(name)
    for message in MESSAGES:
        unit = device.stack.down(message.packet, 0.0)
        unit.layer_bytes.check_total(28 + len(unit.data))
        answer = lab.one(device.port, unit.data)
        device.stack.up(answer, 0.0).layer_bytes.check_total(28 + len(answer))


def test_rohc_saves_what_the_inner_headers_had_less_its_own(lab: Lab) -> None:
    plain, compressed = lab.device("esp-tunnel"), lab.device("rohc+esp-tunnel")
    for message in MESSAGES:
        without = plain.stack.down(message.packet, 0.0).layer_bytes
        with_rohc = compressed.stack.down(message.packet, 0.0).layer_bytes
    assert without.inner_ip + without.inner_udp == 48  # IPv6 and UDP
    assert with_rohc.inner_ip == with_rohc.inner_udp == 0
    assert with_rohc.rohc_header == 3  # UO-0 and the UDP checksum, which IPv6 never lacks
    padding = with_rohc.esp_padding - without.esp_padding
    assert without.total - with_rohc.total == 48 - 3 - padding


def test_the_answer_of_a_tunnel_is_the_turned_packet(lab: Lab) -> None:
    device = lab.device("esp-tunnel")
    assert device.keys is not None
    answer = lab.one(HsePort.ESP, device.stack.down(MESSAGES[0].packet, 0.0).data)
    opened = device.keys.inbound_association().unprotect(answer)
    inner, sent = parse_udp_packet(opened.payload), parse_udp_packet(MESSAGES[0].packet)
    assert (inner.source, inner.destination) == (sent.destination, sent.source)
    assert (inner.source_port, inner.destination_port) == (
        sent.destination_port,
        sent.source_port,
    )


def test_transport_mode_carries_ports_and_an_absent_checksum_back(lab: Lab) -> None:
    device = lab.device("esp-transport")
    assert device.keys is not None
    answer = lab.one(HsePort.ESP, device.stack.down(MESSAGES[0].packet, 0.0).data)
    opened = device.keys.inbound_association().unprotect(answer)
    assert opened.next_header == esp.NEXT_HEADER_UDP
    sent = parse_udp_packet(MESSAGES[0].packet)
    assert opened.payload[:8] == (
        sent.destination_port.to_bytes(2, "big")
        + sent.source_port.to_bytes(2, "big")
        + (8 + len(sent.payload)).to_bytes(2, "big")
        + b"\0\0"
    )


def test_an_application_may_stay_silent(lab: Lab) -> None:
    lab.application.answers = False
    device = lab.device("esp-tunnel")
    assert lab.send(HsePort.ESP, device.stack.down(MESSAGES[0].packet, 0.0).data) == []
    assert lab.gateway.snapshot().answered == {}


# -- what is refused -----------------------------------------------------------------------------


def hostile(lab: Lab, kind: str, device: Device) -> bytes:
    good = device.stack.down(MESSAGES[0].packet, 0.0).data
    match kind:
        case "replayed":
            lab.send(HsePort.ESP, good)
            lab.application.requests.clear()
            return good
        case "unknown-spi":
            return b"\x7f\xff\xff\xff" + good[4:]
        case "reserved-spi":
            return b"\0\0\0\x07" + good[4:]
        case "truncated":
            return good[:20]
        case "bad-icv":
            return good[:-1] + bytes((good[-1] ^ 1,))
    raise AssertionError(kind)


@pytest.mark.parametrize("name", PROTECTED)
@pytest.mark.parametrize(
    "kind", ["replayed", "unknown-spi", "reserved-spi", "truncated", "bad-icv"]
)
def test_a_hostile_packet_is_counted_by_its_reason_and_goes_no_further(
    lab: Lab, kind: str, name: str
) -> None:
    device = lab.device(name)
    assert lab.send(HsePort.ESP, hostile(lab, kind, device)) == []
    assert lab.rejected == {("esp", kind): 1}
    assert lab.application.requests == []


def test_a_packet_far_behind_the_window_is_refused(lab: Lab) -> None:
    device = lab.device("esp-tunnel")
    packets = [device.stack.down(MESSAGES[0].packet, 0.0).data for _ in range(80)]
    lab.send(HsePort.ESP, packets[-1])
    assert lab.send(HsePort.ESP, packets[0]) == []
    assert lab.rejected == {("esp", "outside-window"): 1}
    assert len(lab.send(HsePort.ESP, packets[40])) == 1  # inside the window, though late


@pytest.mark.parametrize(
    ("payload", "next_header", "reason"),
    [
        (b"\x45\0\0\x14" + bytes(16), esp.NEXT_HEADER_IPV4, "inner-not-udp"),
        (MESSAGES[0].packet[:30], esp.NEXT_HEADER_IPV6, "malformed-inner"),
        (b"\xf9\x00\x02\x03", esp.NEXT_HEADER_ROHC, "wrong-next-header"),
        (MESSAGES[0].packet, 6, "wrong-next-header"),
    ],
)
def test_an_authentic_packet_with_the_wrong_content_is_refused(
    lab: Lab, payload: bytes, next_header: int, reason: str
) -> None:
    device = lab.device("esp-tunnel")
    assert device.keys is not None
    packet = device.keys.outbound_association().protect(payload, next_header)
    assert lab.send(HsePort.ESP, packet) == []
    assert lab.rejected == {("esp", reason): 1}


@pytest.mark.parametrize("datagram", [b"\0" * 7, b"\0" * 8, b"\0\1\0\2\0\x09\0\0"])
def test_a_wrong_datagram_in_transport_mode_is_refused(lab: Lab, datagram: bytes) -> None:
    device = lab.device("esp-transport")
    assert device.keys is not None
    packet = device.keys.outbound_association().protect(datagram, esp.NEXT_HEADER_UDP)
    assert lab.send(HsePort.ESP, packet) == []
    assert lab.rejected == {("esp", "malformed-inner"): 1}


def test_rohc_without_a_context_is_refused_and_the_peer_is_told_at_once(lab: Lab) -> None:
    device = lab.device("rohc+esp-tunnel")
    assert device.keys is not None
    packet = device.keys.outbound_association().protect(b"\x11\x22\x33\x44", esp.NEXT_HEADER_ROHC)
    told = lab.one(HsePort.ESP, packet)
    opened = device.keys.inbound_association().unprotect(told)
    assert opened.next_header == esp.NEXT_HEADER_ROHC
    assert opened.payload[0] >> 3 == 0b11110  # feedback (RFC 5795 section 5.2.4)
    assert lab.rejected == {("esp", "decompression-failed"): 1}
    assert lab.application.requests == []
    alone = lab.one(HsePort.ROHC, b"\x11\x22\x33\x44")
    assert alone[0] >> 3 == 0b11110
    assert lab.rejected[("rohc", "decompression-failed")] == 1
    assert lab.gateway.snapshot().feedback == {"esp": 1, "rohc": 1}


def test_a_channel_that_gives_packets_again_was_repaired(lab: Lab) -> None:
    plain = lab.device("rohc")
    junk = b"\x11\x22\x33\x44"
    lab.send(HsePort.ROHC, plain.stack.down(MESSAGES[0].packet, 0.0).data)
    assert lab.gateway.snapshot().repairs == {}
    for _ in range(2):  # refused twice in a row is repaired once
        lab.send(HsePort.ROHC, junk)
    lab.send(HsePort.ROHC, plain.stack.down(MESSAGES[1].packet, 0.0).data)
    lab.send(HsePort.ROHC, plain.stack.down(MESSAGES[2].packet, 0.0).data)
    assert lab.gateway.snapshot().repairs == {"rohc": 1}
    lab.send(HsePort.ROHC, junk, ("stranger", 1))
    lab.send(HsePort.ROHC, plain.stack.down(MESSAGES[3].packet, 0.0).data)
    assert lab.gateway.snapshot().repairs == {"rohc": 1}


def test_a_repair_inside_esp_is_counted_for_its_session(lab: Lab) -> None:
    device = lab.device("rohc+esp-tunnel")
    assert device.keys is not None
    outbound = device.keys.outbound_association()
    lab.send(HsePort.ESP, outbound.protect(b"\x11\x22\x33\x44", esp.NEXT_HEADER_ROHC))
    compressor = rohc.Compressor(rohc.Channel())
    packet = compressor.compress(MESSAGES[0].packet)
    lab.send(HsePort.ESP, outbound.protect(packet, esp.NEXT_HEADER_ROHC))
    assert lab.gateway.snapshot().repairs == {"esp": 1}


def test_in_u_mode_nobody_is_told_anything() -> None:
    lab = Lab(rohc_settings=RohcSettings(mode=RohcMode.UNIDIRECTIONAL))
    assert lab.send(HsePort.ROHC, b"\x11\x22\x33\x44") == []
    assert lab.rejected == {("rohc", "decompression-failed"): 1}


@pytest.mark.parametrize("name", ["rohc", "rohc+esp-tunnel"])
@pytest.mark.parametrize("way", FeedbackWay)
def test_acknowledged_contexts_need_fewer_initial_packets(name: str, way: FeedbackWay) -> None:
    sizes = {}
    for mode in (RohcMode.UNIDIRECTIONAL, RohcMode.OPTIMISTIC):
        settings = RohcSettings(mode=mode, feedback=way)
        lab = Lab(rohc_settings=settings)
        device = make_device(name, lab.one, settings=settings)
        types, alone = [], 0
        for message in MESSAGES:
            unit = device.stack.down(message.packet, 0.0)
            types.append(unit.packet_type)
            answers = lab.send(device.port, unit.data)
            for answer in answers:
                try:
                    up = device.stack.up(answer, 0.0)
                except FeedbackOnly:
                    alone += 1
                    continue
                assert up.data == message.payload
                if up.feedback:
                    assert way is FeedbackWay.STAND_ALONE
                    told = device.stack.feedback_down(up.feedback, 0.0)
                    assert lab.send(device.port, told.data) == []
        sizes[mode] = types.count("IR")
        assert lab.rejected == {}
        assert (alone > 0) == (mode == "O" and way is FeedbackWay.STAND_ALONE)
    assert sizes[RohcMode.OPTIMISTIC] < sizes[RohcMode.UNIDIRECTIONAL]


def test_a_lost_context_is_repaired_by_feedback(lab: Lab) -> None:
    """The HSE forgets its contexts, as after a restart; the UE learns of it and begins anew."""
    device = lab.device("rohc")
    for message in MESSAGES[:6]:
        answer = lab.one(HsePort.ROHC, device.stack.down(message.packet, 0.0).data)
        device.stack.up(answer, 0.0)
    lab.gateway._rohc_peers.clear()
    served = 0
    for message in MESSAGES[6:]:
        for answer in lab.send(HsePort.ROHC, device.stack.down(message.packet, 0.0).data):
            try:
                served += device.stack.up(answer, 0.0).data == message.payload
            except FeedbackOnly:
                assert served == 0
    assert served >= 4
    assert lab.rejected[("rohc", "decompression-failed")] <= 2


def test_a_dummy_packet_is_dropped_in_silence(lab: Lab) -> None:
    device = lab.device("esp-tunnel")
    assert device.keys is not None
    packet = device.keys.outbound_association().protect(b"", esp.NEXT_HEADER_NONE)
    assert lab.send(HsePort.ESP, packet) == []
    assert lab.rejected == {}
    assert lab.application.requests == []


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0"])
def test_less_than_an_spi_is_truncated(lab: Lab, data: bytes) -> None:
    assert lab.send(HsePort.ESP, data) == []
    assert lab.rejected == {("esp", "truncated"): 1}


def test_a_keepalive_is_counted_and_not_answered(lab: Lab) -> None:
    assert lab.send(HsePort.ESP, esp.KEEPALIVE) == []
    assert lab.gateway.snapshot().keepalives == 1
    assert lab.rejected == {}


@given(data=st.binary(max_size=200), port=st.sampled_from(HsePort))
@settings(max_examples=300, deadline=None)
def test_no_datagram_raises(data: bytes, port: HsePort) -> None:
    lab = Lab()
    lab.send(port, data)
    lab.send(port, b"\0\0\0\0" + data)
    assert lab.gateway.snapshot().datagrams[port] == 2


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_altered_packet_reaches_the_application(data: st.DataObject) -> None:
    lab = Lab()
    device = lab.device("rohc+esp-tunnel")
    good = device.stack.down(MESSAGES[0].packet, 0.0).data
    place = data.draw(st.integers(0, len(good) - 1))
    flip = data.draw(st.integers(1, 255))
    altered = good[:place] + bytes((good[place] ^ flip,)) + good[place + 1 :]
    lab.send(HsePort.ESP, altered)
    assert lab.application.requests == []
    assert sum(lab.rejected.values()) == 1
    assert len(lab.send(HsePort.ESP, good)) == 1  # and nothing of it disturbed the session


def test_an_altered_packet_would_pass_were_the_icv_not_checked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = lab.device("esp-tunnel")
    entry = next(iter(lab.gateway._database))
    unprotect = entry.association.unprotect
    good = device.stack.down(MESSAGES[0].packet, 0.0).data
    opened = unprotect(good)
    assert lab.send(HsePort.ESP, good[:-1] + bytes((good[-1] ^ 1,))) == []
    database = lab.gateway._database
    monkeypatch.setattr(
        type(database), "unprotect", lambda self, packet: (entry, opened), raising=True
    )
    assert len(lab.send(HsePort.ESP, good[:-1] + bytes((good[-1] ^ 1,)))) == 1


# -- sessions --------------------------------------------------------------------------------------


def test_a_wrong_secret_and_a_stranger_get_no_session(lab: Lab) -> None:
    tunnel = Configuration.parse("esp-tunnel")
    wrong = initiator(tunnel, secret=bytes(16))
    lab.send(HsePort.ESP, esp.add_marker(wrong.request()))
    stranger = initiator(tunnel, identity="nobody")
    lab.send(HsePort.ESP, esp.add_marker(stranger.request()))
    assert lab.rejected == {
        ("esp", "authentication-failed"): 1,
        ("esp", "unknown-identity"): 1,
    }
    assert lab.gateway.snapshot().sessions == 0


def test_a_repeated_request_gives_the_same_response_and_one_session(lab: Lab) -> None:
    request = esp.add_marker(initiator(Configuration.parse("esp-tunnel")).request())
    assert lab.one(HsePort.ESP, request) == lab.one(HsePort.ESP, request)
    assert lab.gateway.snapshot().sessions == 1


def test_a_new_session_ends_the_old_one_only_when_it_is_proven(lab: Lab) -> None:
    old, new = lab.device("esp-tunnel"), lab.device("esp-tunnel")
    assert len(lab.send(HsePort.ESP, old.stack.down(MESSAGES[0].packet, 0.0).data)) == 1
    assert lab.gateway.snapshot().sessions == 2
    assert len(lab.send(HsePort.ESP, new.stack.down(MESSAGES[0].packet, 0.0).data)) == 1
    assert lab.gateway.snapshot().sessions == 1
    assert lab.send(HsePort.ESP, old.stack.down(MESSAGES[0].packet, 0.0).data) == []
    assert lab.rejected == {("esp", "unknown-spi"): 1}


def test_a_replayed_request_does_not_disturb_the_session_in_use(lab: Lab) -> None:
    request = esp.add_marker(initiator(Configuration.parse("esp-tunnel")).request())
    lab.send(HsePort.ESP, request)
    device = lab.device("esp-tunnel")
    for message in MESSAGES:
        lab.send(HsePort.ESP, request, ("198.51.100.66", 666))
        assert len(lab.send(HsePort.ESP, device.stack.down(message.packet, 0.0).data)) == 1


def test_several_ues_have_sessions_of_their_own(lab: Lab) -> None:
    one = make_device("esp-tunnel", lab.one)
    two_initiator = initiator(Configuration.parse("esp-tunnel"), "ue-2", SECRET[::-1])
    answer = lab.one(HsePort.ESP, esp.add_marker(two_initiator.request()))
    two = two_initiator.response(esp.remove_marker(answer))
    lab.send(HsePort.ESP, one.stack.down(MESSAGES[0].packet, 0.0).data)
    inner = build_udp_packet("2001:db8::2", "2001:db8::9", 40000, 5683, b"reading")
    packet = two.outbound_association().protect(inner, esp.NEXT_HEADER_IPV6)
    lab.send(HsePort.ESP, packet)
    assert [request.identity for request in lab.application.requests] == ["ue-1", "ue-2"]


def test_the_answer_goes_to_where_the_newest_packet_came_from(lab: Lab) -> None:
    device = lab.device("esp-tunnel")
    first, second = (device.stack.down(message.packet, 0.0).data for message in MESSAGES[:2])
    moved = ("203.0.113.9", 5)
    (reply,) = lab.gateway.receive(HsePort.ESP, second, moved, 0.0)
    assert reply.destination == moved
    (late,) = lab.gateway.receive(HsePort.ESP, first, UE_ADDRESS, 0.0)
    assert late.destination == moved


def test_sessions_are_bounded_and_the_idle_one_goes_first() -> None:
    lab = Lab(GatewayLimits(sessions=3))
    kept = lab.device("esp-tunnel")
    lab.send(HsePort.ESP, kept.stack.down(MESSAGES[0].packet, 0.0).data)
    for name in ("esp-transport", "rohc+esp-tunnel"):
        device = lab.device(name)
        lab.send(device.port, device.stack.down(MESSAGES[0].packet, 0.0).data)
    lab.send(HsePort.ESP, kept.stack.down(MESSAGES[1].packet, 0.0).data)
    new = lab.device("esp-tunnel/aes-ccm-8-128")
    assert len(lab.send(HsePort.ESP, new.stack.down(MESSAGES[0].packet, 0.0).data)) == 1
    snapshot = lab.gateway.snapshot()
    assert snapshot.sessions == snapshot.security_associations == 3
    assert len(lab.send(HsePort.ESP, kept.stack.down(MESSAGES[2].packet, 0.0).data)) == 1


def test_recorded_requests_crowd_out_no_session_at_the_limit() -> None:
    """Anybody can play them, and what they make is bounded on its own."""
    lab = Lab(GatewayLimits(sessions=2))
    devices = [lab.device(name) for name in ("esp-tunnel", "esp-transport")]
    for device in devices:
        assert len(lab.send(HsePort.ESP, device.stack.down(MESSAGES[0].packet, 0.0).data)) == 1
    recorded = [esp.add_marker(initiator(devices[0].configuration).request()) for _ in range(20)]
    for request in (*recorded, *recorded):
        assert len(lab.send(HsePort.ESP, request)) == 1
    assert lab.gateway.snapshot().sessions == 2 + keying.Limits().half_open_per_identity
    for device in devices:
        assert len(lab.send(HsePort.ESP, device.stack.down(MESSAGES[1].packet, 0.0).data)) == 1


def test_contexts_of_the_rohc_port_are_bounded() -> None:
    lab = Lab(GatewayLimits(rohc_peers=4))
    for number in range(9):
        device = lab.device("rohc")
        lab.send(HsePort.ROHC, device.stack.down(MESSAGES[0].packet, 0.0).data, ("h", number))
    for number in range(20):
        lab.send(HsePort.ROHC, os.urandom(9), ("stranger", number))
    assert lab.gateway.snapshot().rohc_contexts == 8


def test_each_address_has_contexts_of_its_own(lab: Lab) -> None:
    one, two = lab.device("rohc"), lab.device("rohc")
    other = build_udp_packet("10.1.1.1", "10.1.1.2", 7, 8, b"other")
    for message in MESSAGES:
        assert len(lab.send(HsePort.ROHC, one.stack.down(message.packet, 0.0).data)) == 1
        assert len(lab.send(HsePort.ROHC, two.stack.down(other, 0.0).data, ("h2", 1))) == 1


# -- what an observer sees -------------------------------------------------------------------------


class Watch:
    def __init__(self) -> None:
        self.ticks = iter(range(1, 10_000))
        self.passages: list[Passage] = []
        self.sessions: list[keying.Session] = []

    def clock(self) -> float:
        return float(next(self.ticks))

    def passed(self, passage: Passage) -> None:
        self.passages.append(passage)

    def keyed(self, session: keying.Session) -> None:
        self.sessions.append(session)


@pytest.fixture
def watched() -> Iterator[tuple[Lab, Watch]]:
    watch = Watch()
    lab = Lab()
    lab.gateway = Gateway(
        secrets={"ue-1": SECRET}.get, application=EchoApplication(), observer=watch
    )
    yield lab, watch


@pytest.mark.parametrize("name", ALL)
def test_an_observer_sees_the_stages_in_order(watched: tuple[Lab, Watch], name: str) -> None:
    lab, watch = watched
    device = lab.device(name)
    lab.send(device.port, device.stack.down(MESSAGES[0].packet, 0.0).data)
    (passage,) = watch.passages
    assert passage.payload == MESSAGES[0].payload
    assert passage.identity == ("ue-1" if "esp" in name else "")
    assert (passage.verified_at is not None) == ("esp" in name)
    assert (passage.decompressed_at is not None) == ("rohc" in name)
    assert (passage.packet_type == "IR") == ("rohc" in name)
    stages = [passage.received_at, passage.verified_at, passage.decompressed_at]
    seen = [*[stage for stage in stages if stage is not None], passage.answered_at]
    assert seen == sorted(seen, key=lambda stage: -1.0 if stage is None else stage)
    assert len(watch.sessions) == (1 if "esp" in name else 0)
