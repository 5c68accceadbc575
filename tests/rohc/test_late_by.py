"""What a lower layer's sequence numbers are good for: `late_by`, and the hot path beside it."""

from __future__ import annotations

import pytest
from rohc_packets import ipv4, ipv6, known, udp

from rohc import Channel, Compressor, CrcFailure, Decompressed, Decompressor
from rohc.decompression import steady

Received = tuple[Decompressor, list[Decompressed]]


def packet_of(version: int, number: int) -> bytes:
    datagram = udp(bytes((number,)), checksum=number + 1)
    return ipv4(datagram, identification=number) if version == 4 else ipv6(datagram)


def receive(version: int, late_by: int | None, count: int = 40) -> Received:
    compressor = Compressor(Channel(), mode="U", first_sn=0)
    decompressor = Decompressor(Channel(), mode="U")
    results = []
    for number in range(count):
        data = compressor.compress(packet_of(version, number))
        results.append(decompressor.decompress(data, float(number), late_by))
    return decompressor, results


@pytest.mark.parametrize("version", [4, 6])
def test_packets_in_order_take_the_hot_path_whether_or_not_a_lower_layer_says_so(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot: list[int] = []
    kind = steady.Steady4 if version == 4 else steady.Steady6
    original = kind.decompress

    def counted(self: steady.Steady, octet: int, data: bytes, at: int) -> bytes | None:
        made = original(self, octet, data, at)
        hot.append(made is not None)
        return made

    monkeypatch.setattr(kind, "decompress", counted)
    receive(version, None)
    unsaid = hot.copy()
    hot.clear()
    receive(version, 0)
    assert hot == unsaid
    assert sum(hot) >= 30


@pytest.mark.parametrize("version", [4, 6])
def test_the_hot_path_leaves_the_context_and_the_clock_of_the_general_path(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, restored = receive(version, 0)
    monkeypatch.setattr(Decompressor, "_hot", lambda *_: None)
    slow, expected = receive(version, 0)
    assert restored == expected
    fast.context_of(0)
    context, other = known(fast), known(slow)
    for image in (*context.values(), *other.values()):
        # The general path keeps headers for late packets that it has no need of any more.
        del image["history"]
        del image["headers"]["checksum"]
        del image["headers"]["payload_octets"]
        del image["headers"]["size"]
    assert context == other
    assert fast._clock.elapsed_s(0, 50.0) == slow._clock.elapsed_s(0, 50.0) == 11.0
    for elapsed in (46.9, 47.0):
        assert fast._clock.wrap_likely(0, elapsed, 4) == slow._clock.wrap_likely(0, elapsed, 4)
    assert fast._clock.wrap_likely(0, 47.0, 4)


def test_a_late_packet_that_looks_like_the_next_one_does_not_take_the_hot_path() -> None:
    compressor = Compressor(Channel(), mode="U", optimistic_repeats=1, first_sn=0)
    packets = [ipv4(udp(bytes((number,))), identification=number) for number in range(60)]
    sent = [compressor.compress(packet) for packet in packets]
    # Two whose SNs have the same four bits, and which the 3-bit CRC cannot tell apart.
    number = next(n for n in range(2, 40) if sent[n][0] == sent[n + 16][0])
    for late_by, wrong in ((None, True), (0, True), (16, False)):
        decompressor = Decompressor(Channel(), mode="U")
        for data in sent[:number] + sent[number + 1 : number + 16]:
            decompressor.decompress(data, late_by=0)
        try:
            result = decompressor.decompress(sent[number], late_by=late_by)
        except CrcFailure:
            assert not wrong
        else:
            assert (result.packet != packets[number]) is wrong
