"""Loss, bursts and reordering: what arrives, what is refused, and what it costs to be careful."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from rohc_packets import SHARED, ipv4, udp

from rohc import Channel, Compressor, Decompressor, RohcError

LOSS = SHARED / "vectors" / "rohc" / "loss" / "loss-open.jsonl"
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "loss_matrix.py"


@pytest.fixture(scope="module")
def matrix() -> ModuleType:
    """The benchmark as a module."""
    specification = importlib.util.spec_from_file_location("rohc_loss_matrix", BENCHMARK)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["rohc_loss_matrix"] = module
    specification.loader.exec_module(module)
    return module


def shares(
    matrix: ModuleType, channel: str, mode: str, know_late: bool = False, seeds: int = 4
) -> tuple[float, float]:
    """Percent of the packets received that are right, and silently wrong."""
    total: Counter[str] = Counter()
    for flow in matrix.FLOWS:
        for seed in range(seeds):
            total += matrix.run(flow, channel, mode, seed, 300, know_late, 0)
    received = total["right"] + total["rejected"] + total["wrong"]
    return 100 * total["right"] / received, 100 * total["wrong"] / received


@pytest.mark.parametrize("mode", "UO")
@pytest.mark.parametrize("channel", ["loss 1 %", "loss 10 %"])
def test_random_loss_breaks_nothing(matrix: ModuleType, channel: str, mode: str) -> None:
    assert shares(matrix, channel, mode) == (100.0, 0.0)


@pytest.mark.parametrize(("mode", "least"), [("U", 95.07), ("O", 98.96)])
def test_bursts_of_loss_leave_more_right_than_librohc(
    matrix: ModuleType, mode: str, least: float
) -> None:
    right, wrong = shares(matrix, "bursts", mode, seeds=12)
    assert right >= least
    assert wrong <= 0.05


@pytest.mark.parametrize("mode", "UO")
def test_packets_that_change_places_come_through(matrix: ModuleType, mode: str) -> None:
    right, wrong = shares(matrix, "reordering", mode)
    assert right >= 97
    assert wrong == 0


@pytest.mark.parametrize("mode", "UO")
def test_with_late_by_reordering_is_never_silently_wrong(matrix: ModuleType, mode: str) -> None:
    right, wrong = shares(matrix, "reordering", mode, know_late=True)
    assert right >= 99
    assert wrong == 0


@pytest.mark.skipif(not LOSS.exists(), reason="the shared loss streams are not beside the checkout")
def test_the_recorded_loss_streams_give_no_less_than_the_recorder_got() -> None:
    count = 0
    for line in LOSS.read_text().splitlines():
        stream = json.loads(line)
        if stream["rohc_version"] != 1 or "tcp" in stream["name"]:
            continue
        count += 1
        channel = Channel(max_cid=stream["max_cid"], large_cids=stream["cid_type"] == "large")
        decompressor = Decompressor(channel, mode=stream["mode"])
        right = theirs = 0
        for packet in stream["packets"]:
            if packet.get("lost"):
                continue
            theirs += packet["status"] == "OK" and "wrong_ip" not in packet
            try:
                result = decompressor.decompress(bytes.fromhex(packet["rohc"]))
            except RohcError:
                continue
            assert result.packet == bytes.fromhex(packet["ip"])
            right += 1
        assert right >= theirs, stream["name"]
    assert count == 6


def test_with_late_by_a_packet_far_behind_is_restored() -> None:
    compressor, decompressor = (
        Compressor(Channel(), mode="U", optimistic_repeats=1, first_sn=0),
        Decompressor(Channel(), mode="U"),
    )
    packets = [ipv4(udp(b"x", checksum=n + 1), identification=n) for n in range(40)]
    sent = [compressor.compress(packet) for packet in packets]
    late = sent.pop(10)
    for data in sent[:19]:
        decompressor.decompress(data, late_by=0)
    assert decompressor.decompress(late, late_by=9).packet == packets[10]
    assert decompressor.decompress(sent[19], late_by=0).packet == packets[20]


def test_reordering_expected_costs_one_octet_per_packet() -> None:
    sizes = {}
    for careful in (False, True):
        compressor = Compressor(
            Channel(), mode="U", optimistic_repeats=2, reordering_expected=careful
        )
        decompressor = Decompressor(Channel(), mode="U")
        for number in range(20):
            packet = ipv4(udp(b"x", checksum=number + 1), identification=number)
            data = compressor.compress(packet)
            assert decompressor.decompress(data).packet == packet
        sizes[careful] = len(data)
    assert sizes == {False: 4, True: 5}


def test_a_wrap_around_is_repaired_when_the_clock_says_so() -> None:
    compressor, decompressor = (
        Compressor(Channel(), mode="U", optimistic_repeats=1, first_sn=0),
        Decompressor(Channel(), mode="U"),
    )
    packets = [ipv4(udp(b"x", checksum=n + 1), identification=n) for n in range(40)]
    outcomes = []
    for number, packet in enumerate(packets):
        data = compressor.compress(packet)
        if 10 <= number < 28:
            continue
        try:
            result = decompressor.decompress(data, now=float(number))
            assert result.packet == packet
            outcomes.append(number)
        except RohcError:
            continue
    # RFC 3095 section 5.3.2.2.4 e: two packets confirm the repair, the third is delivered.
    assert outcomes == [*range(10), *range(30, 40)]


@pytest.mark.parametrize("side", ["compressor", "decompressor"])
def test_a_context_takes_at_most_5_kilobytes(side: str) -> None:
    count = 300
    channel = Channel(max_cid=count, large_cids=True)
    compressor, decompressor = Compressor(channel, mode="U"), Decompressor(channel, mode="U")

    def packets(port: int) -> list[bytes]:
        return [
            ipv4(
                udp(b"x", source_port=port, checksum=n + 1),
                identification=3 * n if n > 5 else n,
                ttl=64 - (n > 7),
            )
            for n in range(14)
        ]

    for packet in packets(1):
        decompressor.decompress(compressor.compress(packet))
    flows = [packets(port) for port in range(2, count)]
    if side == "decompressor":
        flows = [[compressor.compress(packet) for packet in flow] for flow in flows]
    tracemalloc.start()
    begin = tracemalloc.get_traced_memory()[0]
    for flow in flows:
        for packet in flow:
            if side == "compressor":
                compressor.compress(packet)
            else:
                decompressor.decompress(packet)
    grown = tracemalloc.get_traced_memory()[0] - begin
    tracemalloc.stop()
    assert grown / len(flows) <= 5000


def test_memory_is_bounded_by_max_cid() -> None:
    channel = Channel(max_cid=3)
    compressor, decompressor = Compressor(channel), Decompressor(channel)
    draw = random.Random(1)
    for number in range(400):
        packet = ipv4(udp(b"x", source_port=draw.randrange(1, 200)), identification=number)
        result = decompressor.decompress(compressor.compress(packet))
        compressor.deliver_feedback(result.feedback)
    assert len(compressor._by_cid) == len(compressor._flows) == 4
    assert len(compressor._steady) <= 4
    assert len(decompressor._contexts) == 4
