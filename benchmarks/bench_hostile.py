"""Good packets' rate at the HSE among as many hostile ones, of their rate alone.

The hostile packets are those of the tests (ten kinds in equal shares, in turn with good ones); a
good packet passes the whole gateway: ESP, echo application, ESP. One core, no sockets. Prints a
table, and with ``--json`` one object as the last line.

    python benchmarks/bench_hostile.py [--json] [--quick]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from testbed.hse import HsePort
from tests.esp.test_hostile import SUITES
from tests.testbed.conftest import UE_ADDRESS
from tests.testbed.hse.test_hostile_gateway import TEN, Insider

BATCH = 100
"""Good packets of one measurement; as many hostile ones beside them."""


def spent(attacker: Insider, packets: list[bytes]) -> float:
    """Seconds that the gateway takes for these packets."""
    receive = attacker.gateway.receive
    started = time.perf_counter()
    for packet in packets:
        receive(HsePort.ESP, packet, UE_ADDRESS, 0.0)
    return time.perf_counter() - started


def measure(name: str, rounds: int) -> tuple[list[float], list[float]]:
    """Good packets per second alone and among hostile ones, round by round."""
    attacker = Insider(name)
    makers = [make for make, _ in TEN.values()]
    alone, mixed = [], []
    for _ in range(rounds):
        alone.append(BATCH / spent(attacker, [attacker.good() for _ in range(BATCH)]))
        both = []
        for number in range(BATCH):
            # Made in this order, so that what is replayed was delivered or will have been.
            both += [makers[number % len(makers)](attacker), attacker.good()]
        before = attacker.application.requests
        mixed.append(BATCH / spent(attacker, both))
        served = attacker.application.requests - before
        if served != BATCH:
            raise RuntimeError(f"{name}: {served} served, {BATCH} good packets")
    return alone, mixed


def main() -> None:
    """Measure, print the table, and with --json the object."""
    parser = argparse.ArgumentParser(description="Good packets' rate among hostile ones.")
    parser.add_argument("--json", action="store_true", help="print a JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="a fifth of the packets")
    options = parser.parse_args()
    rounds = 20 if options.quick else 100
    gc.disable()
    figures: dict[str, float] = {}
    ratios: dict[str, float] = {}
    spread = 0.0
    print(f"{'suite':32} {'alone/s':>10} {'mixed/s':>10} {'ratio':>6}")
    for name in SUITES:
        alone, mixed = measure(name, rounds)
        paired = [one / other for one, other in zip(mixed, alone, strict=True)]
        ratio = statistics.median(paired)
        key = name.replace("+", "_").replace("-", "_")
        figures[f"{key}_alone_pps"] = round(statistics.median(alone))
        figures[f"{key}_mixed_pps"] = round(statistics.median(mixed))
        ratios[f"{key}_mixed_vs_alone"] = round(ratio, 3)
        figures[f"{key}_mixed_vs_alone"] = round(ratio, 3)
        quartiles = statistics.quantiles(paired, n=4)
        spread = max(spread, (quartiles[2] - quartiles[0]) / quartiles[1])
        print(
            f"{name:32} {statistics.median(alone):10,.0f} {statistics.median(mixed):10,.0f} "
            f"{ratio:6.2f}"
        )
    if options.json:
        print(
            json.dumps(
                {
                    "name": "hostile",
                    "figures": figures,
                    "ratios": ratios,
                    "runs": rounds,
                    "spread": round(spread, 3),
                }
            )
        )


if __name__ == "__main__":
    main()
