"""Compression inside a tunnel: next header 142, feedback over the reverse SA, the second ICV."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esp import (
    NEXT_HEADER_IPV4,
    NEXT_HEADER_IPV6,
    NEXT_HEADER_NONE,
    NEXT_HEADER_ROHC,
    InboundAssociation,
    Mode,
    OutboundAssociation,
    Selector,
    TrafficSelectors,
    suite,
)
from esp.errors import (
    BadIcv,
    DecompressionFailed,
    InvalidParameter,
    MalformedLocalPacket,
    Reason,
    Replayed,
    WrongSelector,
)
from esp.rohc_parameters import RohcIcv
from esp.rohcoipsec import CompressedTunnel, _behind_feedback
from rohc.errors import CrcFailure, MalformedPacket, RohcError, UnsupportedProfile

GCM = suite("aes-gcm-16-128")
PACKET = (b"\x45\0\0\x26" + bytes(24) + b"ten octets").ljust(38, b"\0")
IPV6 = (b"\x60\0\0\0\0\x0a".ljust(40, b"\0") + b"ten octets").ljust(50, b"\0")
REFUSED = b"\x45\0\0\x20".ljust(32, b"\xee")


@dataclass(frozen=True)
class Result:
    packet: bytes | None
    feedback: bytes = b""
    feedback_received: bytes = b""


class Compressor:
    """Of the shape of rohc.Compressor: the whole packet first, then without its 28-octet header."""

    def __init__(self) -> None:
        self.known = b""
        self.waiting = b""
        self.delivered: list[bytes] = []

    def compress(self, packet: bytes, now: float | None = None) -> bytes:
        if packet == REFUSED:
            raise UnsupportedProfile("not this one")
        head, waiting = packet[:28], self.waiting
        self.waiting = b""
        if head == self.known:
            return waiting + b"\x01" + packet[28:]
        self.known = head
        return waiting + b"\xfd" + packet

    def queue_feedback(self, data: bytes) -> None:
        self.waiting += data

    def deliver_feedback(self, data: bytes) -> None:
        self.delivered.append(data)


class Decompressor:
    """The other end; answers each initialisation with a feedback element."""

    def __init__(self) -> None:
        self.known = b""
        self.seen: list[tuple[float | None, int | None]] = []
        self.damage = False

    def decompress(
        self, data: bytes, now: float | None = None, late_by: int | None = None
    ) -> Result:
        self.seen.append((now, late_by))
        received = b""
        if data[0] >> 3 == 0x1E:
            size = 1 + (data[0] & 7)
            received, data = data[:size], data[size:]
            if not data:
                return Result(None, b"", received)
        if data[0] == 0xFD:
            self.known = data[1:29]
            return Result(data[1:], b"\xf1\x10", received)
        if data[0] != 1:
            raise MalformedPacket("what is this?")
        if not self.known:
            raise CrcFailure("no context")
        known = self.known[:-1] + b"\x99" if self.damage else self.known
        return Result(known + data[1:], b"", received)


def ends(
    *, piggyback: bool = True, icv: RohcIcv | None = None
) -> tuple[CompressedTunnel, CompressedTunnel]:
    up, down = (bytes([n]) * 16 for n in (1, 2))

    def end(out_key: bytes, in_key: bytes, out_spi: int, in_spi: int) -> CompressedTunnel:
        return CompressedTunnel(
            OutboundAssociation(out_spi, GCM, out_key, b"salt"),
            InboundAssociation(in_spi, GCM, in_key, b"salt", rohc=True),
            Compressor(),
            Decompressor(),
            piggyback=piggyback,
            outbound_icv=icv,
            inbound_icv=icv,
        )

    return end(up, down, 1000, 2000), end(down, up, 2000, 1000)


def next_header_of(esp: bytes) -> int:
    inbound = InboundAssociation(1000, GCM, b"\1" * 16, b"salt", rohc=True)
    return inbound.unprotect(esp).next_header


@pytest.mark.parametrize("packet", [PACKET, IPV6])
def test_packets_come_out_as_they_went_in_and_the_second_is_shorter(packet: bytes) -> None:
    ue, hse = ends()
    sizes = []
    for number in range(4):
        esp = ue.protect(packet)
        sizes.append(len(esp))
        result = hse.unprotect(esp)
        assert result.packet == packet
        assert result.esp.sequence == number + 1
        assert result.rohc is not None
    assert sizes[1] < sizes[0] - 20


def test_next_header_142_marks_compressed_packets_and_no_others() -> None:
    ue, hse = ends()
    compressed, plain = ue.protect(PACKET), ue.protect(REFUSED)
    assert next_header_of(compressed) == NEXT_HEADER_ROHC
    assert next_header_of(plain) == NEXT_HEADER_IPV4
    hse.unprotect(compressed)
    result = hse.unprotect(plain)
    assert result.packet == REFUSED
    assert result.rohc is None


def test_an_ipv6_packet_that_is_not_compressed_keeps_its_own_next_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ue, _ = ends()

    def refuse(packet: bytes, now: float | None = None) -> bytes:
        raise RohcError("no")

    monkeypatch.setattr(ue.compressor, "compress", refuse)
    assert next_header_of(ue.protect(IPV6)) == NEXT_HEADER_IPV6


@pytest.mark.parametrize("data", [b"", b"\x35junk", b"\xff"])
def test_what_is_no_ip_packet_is_refused_and_uses_no_number(data: bytes) -> None:
    ue, _ = ends()
    with pytest.raises(MalformedLocalPacket):
        ue.protect(data)
    assert ue.outbound.sequence == 0


def test_time_and_lateness_reach_the_decompressor() -> None:
    ue, hse = ends()
    first, second, third = (ue.protect(PACKET) for _ in range(3))
    hse.unprotect(first, 1.0)
    hse.unprotect(third, 2.0)
    hse.unprotect(second, 3.0)
    assert hse.decompressor.seen == [(1.0, 0), (2.0, 0), (3.0, 1)]  # type: ignore[attr-defined]


def test_feedback_rides_on_the_next_packet_back() -> None:
    ue, hse = ends()
    result = hse.unprotect(ue.protect(PACKET))
    assert result.feedback == b""
    answer = ue.unprotect(hse.protect(PACKET))
    assert answer.packet == PACKET
    assert ue.compressor.delivered == [b"\xf1\x10"]  # type: ignore[attr-defined]


def test_feedback_can_go_back_in_a_packet_of_its_own() -> None:
    ue, hse = ends(piggyback=False)
    result = hse.unprotect(ue.protect(PACKET))
    assert result.feedback == b"\xf1\x10"
    answer = ue.unprotect(hse.protect_feedback(result.feedback))
    assert answer.packet is None
    assert answer.esp.next_header == NEXT_HEADER_ROHC
    assert ue.compressor.delivered == [b"\xf1\x10"]  # type: ignore[attr-defined]


def test_a_replayed_packet_never_reaches_the_decompressor() -> None:
    ue, hse = ends()
    esp = ue.protect(PACKET)
    hse.unprotect(esp)
    with pytest.raises(Replayed):
        hse.unprotect(esp)
    with pytest.raises(BadIcv):
        hse.unprotect(esp[:4] + b"\0\0\0\7" + esp[8:])
    assert len(hse.decompressor.seen) == 1  # type: ignore[attr-defined]


def test_a_packet_that_the_decompressor_refuses_is_a_remote_error_with_its_cause() -> None:
    ue, hse = ends()
    ue.protect(PACKET)
    with pytest.raises(DecompressionFailed) as caught:
        hse.unprotect(ue.protect(PACKET))
    assert caught.value.reason is Reason.DECOMPRESSION_FAILED
    assert isinstance(caught.value.cause, CrcFailure)


@pytest.mark.parametrize("piggyback", [True, False])
def test_the_feedback_of_a_refusal_goes_back(
    piggyback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ue, hse = ends(piggyback=piggyback)

    def refuse(data: bytes, now: float | None = None, late_by: int | None = None) -> Result:
        error = CrcFailure("no context")
        error.feedback = b"\xf1\x20"  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr(hse.decompressor, "decompress", refuse)
    with pytest.raises(DecompressionFailed) as caught:
        hse.unprotect(ue.protect(PACKET))
    assert caught.value.feedback == (b"" if piggyback else b"\xf1\x20")
    assert hse.compressor.waiting == (b"\xf1\x20" if piggyback else b"")  # type: ignore[attr-defined]


def test_a_dummy_packet_gives_no_packet() -> None:
    ue, hse = ends()
    result = hse.unprotect(ue.outbound.protect(b"noise", NEXT_HEADER_NONE))
    assert result.packet is None
    assert result.esp.is_dummy


def test_the_selectors_of_the_association_apply_to_what_was_decompressed() -> None:
    ue, hse = ends()
    source = ip_network("10.0.0.1/32")
    hse.inbound.selectors = TrafficSelectors([Selector(source=source)])
    own = PACKET[:12] + source.network_address.packed + PACKET[16:]
    assert hse.unprotect(ue.protect(own)).packet == own
    with pytest.raises(WrongSelector):
        hse.unprotect(ue.protect(PACKET))
    hse.inbound.selectors = None
    assert hse.unprotect(ue.protect(PACKET)).packet == PACKET


def test_what_comes_out_of_the_decompressor_must_be_an_ip_packet() -> None:
    ue, hse = ends()
    esp = ue.outbound.protect(b"\xfd" + b"\x15" + bytes(30), NEXT_HEADER_ROHC)
    with pytest.raises(DecompressionFailed):
        hse.unprotect(esp)


def test_transport_mode_and_an_inbound_association_without_rohc_are_refused() -> None:
    key, salt = bytes(16), bytes(4)
    tunnel = OutboundAssociation(1000, GCM, key, salt)
    good = InboundAssociation(1000, GCM, key, salt, rohc=True)
    with pytest.raises(InvalidParameter, match="rohc=True"):
        CompressedTunnel(
            tunnel, InboundAssociation(1000, GCM, key, salt), Compressor(), Decompressor()
        )
    transport = OutboundAssociation(1000, GCM, key, salt, Mode.TRANSPORT)
    with pytest.raises(InvalidParameter, match="RFC 5856"):
        CompressedTunnel(transport, good, Compressor(), Decompressor())


# --- the second integrity check ---------------------------------------------------------------


ICV = RohcIcv(key=b"CANARY-CANARY-16", integrity="aes-cmac-96", icv_bytes=8)


def test_the_rohc_icv_is_carried_checked_and_taken_off() -> None:
    plain, _ = ends()
    ue, hse = ends(icv=ICV)
    for _ in range(3):
        esp = ue.protect(PACKET)
        assert hse.unprotect(esp).packet == PACKET
        assert len(esp) - len(plain.protect(PACKET)) == 8


def test_a_wrong_decompression_is_dropped_with_the_icv_and_delivered_without() -> None:
    for icv in (ICV, None):
        ue, hse = ends(icv=icv)
        hse.unprotect(ue.protect(PACKET))
        hse.decompressor.damage = True  # type: ignore[attr-defined]
        esp = ue.protect(PACKET)
        if icv is None:
            assert hse.unprotect(esp).packet not in (PACKET, None)
        else:
            with pytest.raises(DecompressionFailed, match="ROHC ICV"):
                hse.unprotect(esp)


def test_feedback_alone_carries_no_rohc_icv() -> None:
    ue, hse = ends(icv=ICV, piggyback=False)
    feedback = hse.unprotect(ue.protect(PACKET)).feedback
    assert ue.unprotect(hse.protect_feedback(feedback)).packet is None
    ue, hse = ends(icv=ICV)
    hse.unprotect(ue.protect(PACKET))
    assert ue.unprotect(hse.protect(PACKET)).packet == PACKET


def test_a_packet_shorter_than_its_icv_is_refused() -> None:
    ue, hse = ends(icv=ICV)
    with pytest.raises(DecompressionFailed, match="shorter"):
        hse.unprotect(ue.outbound.protect(bytes(8), NEXT_HEADER_ROHC))


def test_the_icv_key_never_shows() -> None:
    ue, _ = ends(icv=ICV)
    for text in (repr(ICV), repr(ue), str(ue)):
        assert "CANARY" not in text
        assert ICV.key.hex() not in text


@pytest.mark.parametrize(
    ("data", "only"),
    [
        ("f120", True),
        ("e0e0f120", True),
        ("f120f3010203", True),
        ("f0020102", True),
        ("f0", False),
        ("f30102", False),
        ("f12001aa", False),
        ("", True),
        ("e0e0", True),
        ("fd00", False),
        ("01", False),
    ],
)
def test_feedback_only_packets_are_recognised(data: str, only: bool) -> None:
    assert (_behind_feedback(bytes.fromhex(data)) == len(data) // 2) is only


@settings(deadline=None)
@given(data=st.binary(max_size=40))
def test_any_octets_can_be_looked_at_for_feedback(data: bytes) -> None:
    assert 0 <= _behind_feedback(data) <= len(data)
