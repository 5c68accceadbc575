"""ROHC on bad channels: which share of the packets received is right, rejected, silently wrong.

    python benchmarks/loss_matrix.py [--json] [--first-seed N] [--seeds N] [--packets N]
                                     [--repeats L] [--rtp] [--flows]

Six flows (IPv4/UDP/CoAP with a counting IP-ID; with steps of TTL every 13 packets; with steps of
DSCP every 11; with a jittering IP-ID; IPv6/UDP/CoAP; IPv4/ESP), each on four channels, seeds 0 to
11, 300 packets each. In O-mode feedback reaches the compressor before its next packet. `late_by`
tells the decompressor how far behind the newest packet a packet is, as ESP's sequence numbers do.

The source's UDP checksums are right; `covered` is the share of wrong packets whose own checksum
tells. Type of Service, Time to Live, IP-ID and ESP are under no checksum. `--rtp` measures
IPv4/UDP/RTP instead of the six flows, where the checksum covers the sequence number too.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rohc import Channel, Compressor, Decompressor, RohcError

Step = tuple[int, int]
"""A packet's number, and how far behind the newest arrived it is."""


def ones_complement(data: bytes) -> int:
    """The Internet checksum."""
    if len(data) % 2:
        data += b"\x00"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(body: bytes, protocol: int, identification: int, tos: int = 0, ttl: int = 64) -> bytes:
    """An IPv4 packet."""
    addresses = bytes((10, 45, 0, 7, 198, 51, 100, 20))
    head = struct.pack(
        "!BBHHHBBH",
        0x45,
        tos,
        20 + len(body),
        identification & 0xFFFF,
        0x4000,
        ttl,
        protocol,
        0,
    )
    checksum = ones_complement(head + addresses)
    return head[:10] + checksum.to_bytes(2, "big") + addresses + body


def coap(draw: random.Random, pseudo: bytes) -> bytes:
    """A UDP datagram with a CoAP message and a right checksum."""
    payload = bytes((0x42, 0x02)) + draw.randbytes(2) + b"\xb1\x74\xff" + draw.randbytes(18)
    head = struct.pack("!HHH", 40001, 5683, 8 + len(payload))
    base = pseudo + struct.pack("!HH", 17, 8 + len(payload)) + head + b"\0\0" + payload
    return head + (ones_complement(base) or 0xFFFF).to_bytes(2, "big") + payload


def coap_in_ipv4(draw: random.Random, identification: int, tos: int = 0, ttl: int = 64) -> bytes:
    """IPv4/UDP/CoAP."""
    pseudo = bytes((10, 45, 0, 7, 198, 51, 100, 20))
    return ipv4(coap(draw, pseudo), 17, identification, tos, ttl)


def counting(draw: random.Random, count: int) -> Iterator[bytes]:
    """A counting IP-ID."""
    first = draw.randrange(0x10000)
    for number in range(count):
        yield coap_in_ipv4(draw, first + number)


def ttl_steps(draw: random.Random, count: int) -> Iterator[bytes]:
    """Another TTL every 13 packets."""
    first = draw.randrange(0x10000)
    for number in range(count):
        yield coap_in_ipv4(draw, first + number, ttl=64 - number // 13 % 3)


def dscp_steps(draw: random.Random, count: int) -> Iterator[bytes]:
    """Another DSCP every 11 packets."""
    first = draw.randrange(0x10000)
    for number in range(count):
        yield coap_in_ipv4(draw, first + number, tos=(0, 0x28, 0x48)[number // 11 % 3])


def jittering(draw: random.Random, count: int) -> Iterator[bytes]:
    """An IP-ID that other traffic of the host moves on."""
    identification = draw.randrange(0x10000)
    for _ in range(count):
        yield coap_in_ipv4(draw, identification)
        identification += draw.choice((1, 1, 1, 1, 2, 3, 5))


def coap_in_ipv6(draw: random.Random, count: int) -> Iterator[bytes]:
    """IPv6/UDP/CoAP."""
    addresses = bytes.fromhex("20010db800000045000000000000000720010db8000100000000000000000020")
    for _ in range(count):
        datagram = coap(draw, addresses)
        yield struct.pack("!IHBB", 6 << 28, len(datagram), 17, 64) + addresses + datagram


def esp(draw: random.Random, count: int) -> Iterator[bytes]:
    """IPv4/ESP."""
    first = draw.randrange(0x10000)
    for number in range(count):
        body = struct.pack("!II", 0x1234, 1 + number) + draw.randbytes(32)
        yield ipv4(body, 50, first + number)


def rtp(draw: random.Random, count: int) -> Iterator[bytes]:
    """IPv4/UDP/RTP, 20 ms per packet, with a talk spurt's pause every 25."""
    identification, number, stamp = draw.randrange(0x10000), draw.randrange(0x10000), 0
    for index in range(count):
        marker = index % 25 == 0
        stamp += 4000 if marker else 160
        header = struct.pack("!BBHII", 0x80, marker << 7, (number + index) & 0xFFFF, stamp, 7)
        payload = header + draw.randbytes(20)
        head = struct.pack("!HHH", 40001, RTP_PORT, 8 + len(payload))
        pseudo = bytes((10, 45, 0, 7, 198, 51, 100, 20)) + struct.pack("!HH", 17, 8 + len(payload))
        checksum = ones_complement(pseudo + head + b"\0\0" + payload) or 0xFFFF
        datagram = head + checksum.to_bytes(2, "big") + payload
        yield ipv4(datagram, 17, identification + index)


RTP_PORT = 5004
KINDS = ("right", "rejected", "wrong", "covered")
FLOWS: dict[str, Callable[[random.Random, int], Iterator[bytes]]] = {
    "counting": counting,
    "ttl-steps": ttl_steps,
    "dscp-steps": dscp_steps,
    "jittering": jittering,
    "ipv6": coap_in_ipv6,
    "esp": esp,
}


RTP_FLOWS: dict[str, Callable[[random.Random, int], Iterator[bytes]]] = {"rtp": rtp}


def checksum_tells(packet: bytes) -> bool:
    """Whether a restored packet's own UDP checksum says that it is wrong."""
    if packet[0] >> 4 == 6:
        protocol, addresses, body = packet[6], packet[8:40], packet[40:]
    else:
        protocol, addresses, body = packet[9], packet[12:20], packet[20:]
    if protocol != 17:
        return False
    return ones_complement(addresses + struct.pack("!HH", 17, len(body)) + body) != 0


def losing(share: float) -> Callable[[random.Random, int], list[int]]:
    """A channel that loses packets at random."""

    def order(draw: random.Random, count: int) -> list[int]:
        return [number for number in range(count) if draw.random() >= share]

    return order


def bursts(draw: random.Random, count: int) -> list[int]:
    """Gilbert-Elliott: good to bad 0.0125, stay bad 0.8; a bad channel loses everything."""
    arrived = []
    bad = False
    for number in range(count):
        bad = draw.random() < (0.8 if bad else 0.0125)
        if not bad:
            arrived.append(number)
    return arrived


def swapping(draw: random.Random, count: int) -> list[int]:
    """Each packet changes places with its successor with 5 %."""
    arrived = list(range(count))
    number = 0
    while number + 1 < count:
        if draw.random() < 0.05:
            arrived[number], arrived[number + 1] = arrived[number + 1], arrived[number]
            number += 1
        number += 1
    return arrived


CHANNELS: dict[str, Callable[[random.Random, int], list[int]]] = {
    "loss 1 %": losing(0.01),
    "loss 10 %": losing(0.10),
    "bursts": bursts,
    "reordering": swapping,
}


def run(
    flow: str, channel: str, mode: str, seed: int, count: int, know_late: bool, repeats: int
) -> Counter[str]:
    """One flow over one channel: packets by what became of them, and header octets.

    `covered` counts those of the wrong ones whose UDP checksum tells.
    """
    draw = random.Random(f"{flow} {seed}")
    packets = list((FLOWS | RTP_FLOWS)[flow](draw, count))
    arrival = CHANNELS[channel](random.Random(f"{channel} {seed}"), count)
    parameters = Channel()
    options: dict[str, int] = {"optimistic_repeats": repeats} if repeats else {}
    ports = {RTP_PORT}
    compressor = Compressor(parameters, mode=mode, first_sn=seed, rtp_ports=ports, **options)
    decompressor = Decompressor(parameters, mode=mode)
    outcome: Counter[str] = Counter()
    sent: list[bytes] = []
    newest = -1
    for number in arrival:
        while len(sent) <= number:
            sent.append(compressor.compress(packets[len(sent)]))
            outcome["header octets"] += len(sent[-1]) - len(packets[len(sent) - 1])
            outcome["packets"] += 1
        late_by = max(newest - number, 0) if know_late else None
        newest = max(newest, number)
        try:
            result = decompressor.decompress(sent[number], late_by=late_by)
        except RohcError as error:
            outcome["rejected"] += 1
            compressor.deliver_feedback(error.feedback)
            continue
        right = result.packet == packets[number]
        outcome["right" if right else "wrong"] += 1
        if not right and result.packet is not None:
            outcome["covered"] += checksum_tells(result.packet)
        compressor.deliver_feedback(result.feedback)
    return outcome


def main() -> None:
    """Run the matrix and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rtp", action="store_true", help="IPv4/UDP/RTP instead of the six flows")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--packets", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=0, help="0: the default")
    parser.add_argument("--flows", action="store_true", help="a line per flow")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    rows = [(channel, mode, False) for channel in CHANNELS for mode in "UO"]
    rows += [("reordering", mode, True) for mode in "UO"]
    print(f"{'channel':24}{'right':>9}{'rejected':>10}{'wrong':>8}{'covered':>9}")
    for channel, mode, know_late in rows:
        total: Counter[str] = Counter()
        for flow in RTP_FLOWS if options.rtp else FLOWS:
            part: Counter[str] = Counter()
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                part += run(flow, channel, mode, seed, options.packets, know_late, options.repeats)
                part["header octets"] += 0
            if options.flows:
                print(f"    {flow:20}", dict(part))
            total.update(part)
        received = total["right"] + total["rejected"] + total["wrong"]
        name = f"{channel}, {mode}{', late_by' if know_late else ''}"
        shares = [100 * total[kind] / received for kind in KINDS]
        print(f"{name:24}{shares[0]:9.2f}{shares[1]:10.2f}{shares[2]:8.3f}{shares[3]:9.3f}")
        for kind, share in zip(KINDS, shares, strict=True):
            figures[f"{name}: {kind} %"] = round(share, 4)
    if options.json:
        print(json.dumps({"name": "rohc loss matrix", "figures": figures, "ratios": {}}))


if __name__ == "__main__":
    main()
