"""ROHC under mutated packets: decompressor, feedback parser and `explain`, in plain Python.

    python benchmarks/fuzz_rohc.py [--packets N] [--seed N] [--json]

Packets of all profiles, modes and CID kinds are damaged and fed to a decompressor. In every third
pair of contexts all CRCs of headers match, as an attacker would see to, so that what damaged fields
lead to is reached too. Feedback is damaged likewise and fed to the compressor. It fails when

- anything but a `RohcError` is raised,
- a rejected packet leaves a trace in a context (looked at now and then; states and counters apart),
- a packet takes a second of processor time or more,
- contexts, list tables or reassembly hold more than the channel allows.

The seed and the number of the packet that failed are printed. `benchmarks/fuzz_rohc_atheris.py`
drives the same target by coverage.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "rohc"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rohc_packets import ipv4, ipv6, known, udp

from rohc import Channel, Compressor, Decompressor, RohcError, explain
from rohc.decompression.reconstruct import Candidate
from rohc.encoding.crc import fcs32
from rohc.errors import RohcUsageError

SLOWEST_ALLOWED_S = 1.0
LOOK_EVERY = 16
"""One packet in so many is checked for a trace of its rejection, and explained."""
PACKETS_PER_TARGET = 400
"""After so many packets a new pair of contexts begins, so that none stays broken for long."""
TABLE_MAX = 128
REFERENCES_MAX = 4


def rtp(number: int, csrcs: int = 0) -> bytes:
    """An RTP header with some CSRCs, and a payload."""
    head = bytes((0x80 | csrcs, 96 | (number % 7 == 0) << 7)) + (number & 0xFFFF).to_bytes(2, "big")
    head += (160 * number & 0xFFFFFFFF).to_bytes(4, "big") + b"ssrc"
    return head + b"".join(bytes((1, 2, 3, place)) for place in range(csrcs)) + b"voice"


def udp_lite(number: int, body: bytes, coverage: int, port: int) -> bytes:
    """A UDP-Lite datagram."""
    datagram = udp(body, destination_port=port, checksum=number % 65535 + 1)
    return datagram[:4] + coverage.to_bytes(2, "big") + datagram[6:]


def authentication(number: int) -> bytes:
    """An Authentication Header in front of UDP."""
    return bytes((17, 4, 0, 0)) + b"\x00\x00\x12\x34" + number.to_bytes(4, "big") + b"a" * 12


def packet(draw: random.Random, number: int) -> bytes:
    """The packet with this number of one of ten flows."""
    flow = draw.randrange(10)
    ttl = 64 - number // 37 % 3
    if flow == 0:
        return ipv4(udp(b"reading", checksum=number % 9), identification=number & 0xFFFF, ttl=ttl)
    if flow == 1:
        return ipv6(udp(b"six", checksum=7), hop_limit=ttl)
    if flow == 2:
        body = (0x1234 << 32 | number).to_bytes(8, "big") + b"secret"
        return ipv4(body, protocol=50, identification=number & 0xFFFF)
    if flow == 3:
        inner = ipv4(b"\x08\x00ping", protocol=1, identification=number & 0xFFFF, ttl=ttl)
        return ipv4(ipv4(inner, protocol=4), protocol=4, identification=draw.randrange(0x10000))
    if flow == 4:
        body = udp(rtp(number, number // 50 % 3), destination_port=5004)
        return ipv4(body, identification=number & 0xFFFF)
    if flow == 5:
        return ipv6(udp(rtp(number), destination_port=5006), hop_limit=ttl)
    if flow == 6:
        body = udp_lite(number, b"light", draw.choice((13, 13, 13, 8)), 7000)
        return ipv4(body, protocol=136, identification=number & 0xFFFF)
    if flow == 7:
        body = udp_lite(number, rtp(number), 8, 5004)
        return ipv4(body, protocol=136, identification=number & 0xFFFF)
    if flow == 8:
        return ipv6(authentication(number) + udp(b"ah", checksum=1), next_header=51)
    return draw.choice((b"\x00not ip", b"\xfcno", ipv4(b"x" * 8, protocol=6)))


def damaged(draw: random.Random, data: bytes, other: bytes) -> bytes:
    """A mutation of `data`, perhaps with a piece of `other`."""
    octets = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        kind = draw.randrange(9)
        at = draw.randrange(min(len(octets), 40)) if octets else 0
        if kind == 0 and octets:
            octets[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and octets:
            octets[at] = draw.choice((0, 1, 0x7F, 0x80, 0xC0, 0xE0, 0xFF, draw.randrange(256)))
        elif kind == 2:
            del octets[at:]
        elif kind == 3:
            octets[at:at] = draw.randbytes(draw.randrange(1, 5))
        elif kind == 4:
            del octets[at : at + draw.randrange(1, 5)]
        elif kind == 5:
            octets[at:] = other[draw.randrange(len(other) + 1) :]
        elif kind == 6:
            front = (b"\xe0", b"\xf1\x05", b"\xe3", b"\xf8", b"\xfd", b"\xf0\x03\x20\x01\x02")
            octets[0:0] = draw.choice(front)
        elif kind == 7:
            octets = bytearray(draw.randbytes(draw.randrange(1, 40)))
        else:
            unit = bytes(octets)
            octets = bytearray(b"\xff" + unit + fcs32(unit))
    return bytes(octets)


@contextmanager
def forging(wanted: bool) -> Iterator[None]:
    """All CRCs of headers match, as those of an attacker would, if `wanted`."""
    if not wanted:
        yield
        return
    with (
        patch("rohc.decompressor.verify_crc8", lambda *arguments: None),
        patch.object(Candidate, "verifies", lambda candidate, received: True),
    ):
        yield


class Target:
    """A compressor and a decompressor on one channel, and what is true of them always.

    Args:
        large: whether the channel has large CIDs.
        mode: the mode of both ends.
    """

    def __init__(self, large: bool, mode: str) -> None:
        self.channel = Channel(max_cid=7, large_cids=large, mrru=300)
        self.large = large
        self.compressor = Compressor(
            self.channel,
            mode=mode,
            rtp_ports=(5004, 5006),
            optimistic_repeats=2,
            time_stride_ms=20,
            first_sn=1,
        )
        self.decompressor = Decompressor(self.channel, mode=mode, clock_resolution_ms=10)
        self.slowest_s = 0.0
        self.now = 0.0

    def receive(self, data: bytes, look: bool = False) -> str:
        """Feed octets to the decompressor; what came of it, in words without numbers."""
        before = known(self.decompressor) if look else None
        self.now += 0.02
        if look:
            str(explain(data, self.decompressor))
        begin = time.process_time()
        try:
            result = self.decompressor.decompress(data, self.now)
            outcome = result.packet_type
            feedback = result.feedback
        except RohcUsageError:
            return "empty"
        except RohcError as error:
            outcome = f"{type(error).__name__}: {re.sub('[0-9]+', 'N', str(error))}"
            feedback = error.feedback
            if look and known(self.decompressor) != before:
                raise AssertionError(f"a trace of a rejected packet: {outcome}") from error
        spent = time.process_time() - begin
        self.slowest_s = max(self.slowest_s, spent)
        self.compressor.deliver_feedback(feedback)
        return outcome

    def feedback(self, data: bytes) -> None:
        """Feed octets to the compressor's feedback parser."""
        begin = time.process_time()
        self.compressor.deliver_feedback(data)
        self.slowest_s = max(self.slowest_s, time.process_time() - begin)

    def check(self) -> None:
        """What no packet may break."""
        contexts = self.decompressor._contexts
        limit = self.channel.max_cid + 1
        assert len(contexts) <= limit
        assert len(self.decompressor._unsupported) <= limit
        assert len(self.decompressor._policy._silent) <= limit
        assert len(self.decompressor._clock._last) <= limit
        assert len(self.compressor._by_cid) <= limit
        assert len(self.compressor._rejected) <= 64
        assert self.decompressor._reassembly.octets <= self.channel.mrru
        for context in contexts.values():
            for state in context.lists:
                assert len(state.table) <= TABLE_MAX
                assert len(state.references) <= REFERENCES_MAX
        assert self.slowest_s < SLOWEST_ALLOWED_S


class Fuzzer:
    """Targets in turn, fed with damaged and some good packets.

    Args:
        seed: what all choices come from.
    """

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.most_contexts = 0
        self.packets = 0

    def run(self, packets: int) -> None:
        """So many damaged packets."""
        while self.packets < packets:
            with forging(self.draw.random() < 0.34):
                self._one_target(min(PACKETS_PER_TARGET, packets - self.packets))

    def _one_target(self, packets: int) -> None:
        draw = self.draw
        target = Target(draw.random() < 0.4, draw.choice("UOR"))
        made = b"\x00"
        elements = [b"\xf1\x02", b"\xf4\x20\x02\x11\x88", b"\xf7\x60\x02\x11\x00\x30\x41\x01"]
        for number in range(packets):
            before, made = made, target.compressor.compress(packet(draw, number), target.now)
            if draw.random() < 0.4:
                target.receive(made)
            data = damaged(draw, made, before)
            outcome = target.receive(data, look=not number % LOOK_EVERY)
            self.outcomes[outcome] += 1
            self.packets += 1
            target.feedback(damaged(draw, draw.choice(elements), made))
        target.check()
        self.slowest_s = max(self.slowest_s, target.slowest_s)
        self.most_contexts = max(self.most_contexts, len(target.decompressor._contexts))


def main() -> None:
    """Run, print a table, and with --json one object."""
    parser = argparse.ArgumentParser(description="Mutated ROHC packets and feedback")
    parser.add_argument("--packets", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fuzzer = Fuzzer(options.seed)
    try:
        fuzzer.run(options.packets)
    except BaseException:
        print(f"failed in the packets behind number {fuzzer.packets}, seed {options.seed}")
        raise
    figures = {
        "packets": fuzzer.packets,
        "distinct_outcomes": len(fuzzer.outcomes),
        "accepted": sum(n for name, n in fuzzer.outcomes.items() if ":" not in name),
        "slowest_packet_ms": round(1000 * fuzzer.slowest_s, 2),
        "most_contexts": fuzzer.most_contexts,
        "contexts_allowed": 8,
    }
    for name, count in fuzzer.outcomes.most_common(25):
        print(f"{count:8}  {name[:90]}")
    for name, value in figures.items():
        print(f"{name:20} {value:>12}")
    if options.json:
        print(json.dumps({"name": "rohc-fuzz", "figures": figures}))


if __name__ == "__main__":
    main()
