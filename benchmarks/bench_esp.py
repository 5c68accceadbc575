"""ESP against the bare AEAD call under it: what the packet work costs.

Both sides are timed in turn in one process, on 100-octet inner packets under AES-GCM-16 with a
128-bit key: the bare call is one ``AESGCM.encrypt`` or ``decrypt`` over the same octets, cut out of
the packets beforehand, and nothing else; ours is the whole way, SAD look-up, window and all. Prints
a table, and with ``--json`` one object as the last line.

    python benchmarks/bench_esp.py [--json] [--quick]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from esp import (
    NEXT_HEADER_IPV4,
    InboundAssociation,
    Mode,
    OutboundAssociation,
    SecurityAssociationDatabase,
    suite,
)

INNER_BYTES = 100
KEY, SALT, SPI = bytes(range(16)), b"salt", 0x1000_0001
INNER = (b"\x45\0" + INNER_BYTES.to_bytes(2, "big")).ljust(INNER_BYTES, b"\x11")
SUITE = suite("aes-gcm-16-128")


def outbound() -> OutboundAssociation:
    """A fresh sending SA."""
    return OutboundAssociation(SPI, SUITE, KEY, SALT, Mode.TUNNEL)


def database(owners: int = 1000) -> SecurityAssociationDatabase[int]:
    """A SAD with many SAs, ours among them."""
    sad: SecurityAssociationDatabase[int] = SecurityAssociationDatabase()
    sad.add(InboundAssociation(SPI, SUITE, KEY, SALT, Mode.TUNNEL), 0)
    for number in range(1, owners):
        sad.add(InboundAssociation(SPI + number, SUITE, KEY, SALT, Mode.TUNNEL), number)
    return sad


def timed(work: Callable[[], None]) -> float:
    """Seconds of one run, the collector at rest."""
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    work()
    elapsed = time.perf_counter() - started
    gc.enable()
    return elapsed


def bare_encrypt(packets: int) -> float:
    """The AEAD call alone."""
    encrypt = AESGCM(KEY).encrypt
    nonce, plaintext, header = SALT + bytes(8), INNER + b"\1\2\2\4", bytes(8)

    def work() -> None:
        for _ in range(packets):
            encrypt(nonce, plaintext, header)

    return timed(work)


def bare_decrypt(packets: int) -> float:
    """The AEAD call alone, the other way, over as many different packets as ours opens."""
    decrypt = AESGCM(KEY).decrypt
    sender = outbound()
    traffic = []
    for _ in range(packets):
        packet = sender.protect(INNER, NEXT_HEADER_IPV4)
        traffic.append((SALT + packet[8:16], packet[16:], packet[:8]))

    def work() -> None:
        for nonce, sealed, header in traffic:
            decrypt(nonce, sealed, header)

    return timed(work)


def encapsulate(packets: int) -> float:
    """Our sending end."""
    protect = outbound().protect

    def work() -> None:
        for _ in range(packets):
            protect(INNER, NEXT_HEADER_IPV4)

    return timed(work)


def decapsulate(packets: int) -> float:
    """Our receiving end: look-up in a SAD of 1,000, window, integrity, padding, inner header."""
    sender = outbound()
    traffic = [sender.protect(INNER, NEXT_HEADER_IPV4) for _ in range(packets)]
    unprotect = database().unprotect

    def work() -> None:
        for packet in traffic:
            unprotect(packet)

    return timed(work)


def scapy_rates(packets: int) -> dict[str, float] | None:
    """Packets per second of scapy's ESP on the same packet; None where scapy is not installed."""
    try:
        from scapy.layers.inet import IP
        from scapy.layers.ipsec import ESP, SecurityAssociation
    except ImportError:
        return None
    sa = SecurityAssociation(ESP, spi=SPI, crypt_algo="AES-GCM", crypt_key=KEY + SALT)
    plain = IP(src="10.0.0.1", dst="10.0.0.2") / bytes(INNER_BYTES - 20)
    started = time.perf_counter()
    sealed = [sa.encrypt(plain) for _ in range(packets)]
    middle = time.perf_counter()
    for packet in sealed:
        sa.decrypt(packet)
    return {
        "scapy_encapsulate_pps": packets / (middle - started),
        "scapy_decapsulate_pps": packets / (time.perf_counter() - middle),
    }


def main() -> None:
    """Measure, print the table, and with --json the object."""
    parser = argparse.ArgumentParser(description="ESP against the bare AEAD call under it.")
    parser.add_argument("--json", action="store_true", help="print a JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="a fifth of the packets")
    options = parser.parse_args()
    packets, rounds = (4_000, 5) if options.quick else (20_000, 15)
    sides = {
        "aead_encrypt": bare_encrypt,
        "encapsulate": encapsulate,
        "aead_decrypt": bare_decrypt,
        "decapsulate": decapsulate,
    }
    for work in sides.values():
        work(packets // 10)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            rates[name].append(packets / work(packets))

    def ratio(ours: str, bare: str) -> list[float]:
        return [a / b for a, b in zip(rates[ours], rates[bare], strict=True)]

    pairs = {
        "encapsulate_vs_aead": ratio("encapsulate", "aead_encrypt"),
        "decapsulate_vs_aead": ratio("decapsulate", "aead_decrypt"),
    }
    figures = {f"{name}_pps": statistics.median(values) for name, values in rates.items()}
    figures |= scapy_rates(packets // 40) or {}
    ratios = {name: statistics.median(values) for name, values in pairs.items()}
    spread = {}
    for name, values in pairs.items():
        low, middle, high = statistics.quantiles(values, n=4)
        spread[name] = (high - low) / middle
    print(f"AES-GCM-16, 128-bit key, {INNER_BYTES}-octet inner packets, {rounds} x {packets}")
    for name, value in figures.items():
        print(f"  {name:24} {value:12,.0f} packets/s")
    for name, value in ratios.items():
        print(f"  {name:24} {value:12.3f} (spread {spread[name]:.3f})")
    if options.json:
        print(
            json.dumps(
                {
                    "name": "esp",
                    "figures": figures,
                    "ratios": ratios,
                    "runs": rounds,
                    "spread": spread,
                }
            )
        )


if __name__ == "__main__":
    main()
