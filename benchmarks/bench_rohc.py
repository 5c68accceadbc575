"""ROHC: one UDP flow on one core, compressed and decompressed, against a bare header copy.

    python benchmarks/bench_rohc.py [--json] [--runs N]

The bare copy takes the same packets through the least that any Python codec must do: slice the
header off and join it to the payload again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from rohc import Channel, Compressor, Decompressor

Item = TypeVar("Item")
PACKETS = 20_000
PAYLOAD_OCTETS = 32


def packets() -> list[bytes]:
    """One IPv4/UDP flow with a counting IP-ID and UDP checksums."""
    made = []
    addresses = bytes((10, 0, 0, 1, 192, 0, 2, 7))
    for number in range(PACKETS):
        payload = bytes((number + place) & 0xFF for place in range(PAYLOAD_OCTETS))
        header = struct.pack(
            "!BBHHHBBH", 0x45, 0, 28 + PAYLOAD_OCTETS, number & 0xFFFF, 0x4000, 64, 17, 0
        )
        total = sum(struct.unpack("!10H", header + addresses))
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        ip = header[:10] + checksum.to_bytes(2, "big") + addresses
        udp = struct.pack("!HHHH", 40000, 5683, 8 + PAYLOAD_OCTETS, number * 7 % 65535 + 1)
        made.append(ip + udp + payload)
    return made


def pass_over(work: Callable[[bytes], Item], items: list[bytes]) -> tuple[float, list[Item]]:
    """Packets per second of one pass, and what it made."""
    begin = time.perf_counter()
    made = [work(item) for item in items]
    return len(items) / (time.perf_counter() - begin), made


def copy_header(packet: bytes) -> bytes:
    """The bare header copy."""
    header = packet[:28]
    return header + packet[28:]


def main() -> None:
    """Measure in turn, print a table, and with --json one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    original = packets()
    rates: dict[str, list[float]] = {"copy": [], "compress": [], "decompress": []}
    for _ in range(options.runs):
        channel = Channel()
        compressor = Compressor(channel, mode="U")
        decompressor = Decompressor(channel, mode="U")
        speed, _ = pass_over(copy_header, original)
        rates["copy"].append(speed)
        speed, sent = pass_over(compressor.compress, original)
        rates["compress"].append(speed)
        speed, restored = pass_over(decompressor.decompress, sent)
        rates["decompress"].append(speed)
        if [result.packet for result in restored] != original:
            raise SystemExit("the round trip changed a packet")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    spread = {}
    for name, values in rates.items():
        quarters = statistics.quantiles(values, n=4)
        spread[name] = round((quarters[2] - quarters[0]) / medians[name], 3)
    figures = {
        "compress_pps": round(medians["compress"]),
        "decompress_pps": round(medians["decompress"]),
        "copy_pps": round(medians["copy"]),
    }
    ratios = {
        "compress_vs_copy": round(medians["compress"] / medians["copy"], 4),
        "decompress_vs_copy": round(medians["decompress"] / medians["copy"], 4),
    }
    for name, value in {**figures, **ratios}.items():
        print(f"{name:20} {value:>12}")
    if options.json:
        result = {
            "name": "rohc",
            "figures": figures,
            "ratios": ratios,
            "runs": options.runs,
            "spread": spread,
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()
