"""What the AT engine adds to an exchange, against bare pyserial on a pty of the same kind.

Both sides ask the same question (`AT+CSQ`) of the same responder, a thread that answers on the
master side of a pty. Bare pyserial writes, then reads until it has the answer, in a loop without
parser: the least that any host program has to do. The two alternate one by one, so that whatever
the machine does meanwhile hits both.

    python benchmarks/bench_at.py [--exchanges 2000] [--json]

`added_ms` is the median of the engine's times less the median of the bare ones.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import threading
import time
import tty

import serial

from firmware_bridge import open_port
from firmware_bridge.at import AtEngine, Command
from firmware_bridge.modules.bc66 import FAMILY

QUESTION = b"AT+CSQ\r"
ANSWER = b"\r\n+CSQ: 18,99\r\n\r\nOK\r\n"
COMMAND = Command(text="AT+CSQ", answer=re.compile(r"\+CSQ: ?\d"))
ROUNDS = 5
WARM_UP = 50


class Responder:
    """The far side of a pty: answers each question at once."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        waiting = b""
        while True:
            try:
                waiting += os.read(self.master, 1_024)
            except OSError:
                return
            while QUESTION in waiting:
                _, _, waiting = waiting.partition(QUESTION)
                os.write(self.master, ANSWER)


def bare_exchange(port: serial.Serial) -> float:
    """One exchange with pyserial alone, s."""
    start = time.perf_counter()
    port.write(QUESTION)
    answer = b""
    while not answer.endswith(b"OK\r\n"):
        answer += port.read(max(1, port.in_waiting))
    return time.perf_counter() - start


async def engine_exchange(engine: AtEngine) -> float:
    """One exchange with the engine, s."""
    start = time.perf_counter()
    response = await engine.execute(COMMAND)
    taken = time.perf_counter() - start
    if response.lines != ["+CSQ: 18,99"]:
        raise SystemExit(f"wrong answer: {response}")
    return taken


async def measure(exchanges: int) -> tuple[list[float], list[float]]:
    """Times of both sides, alternating, s."""
    bare_side, engine_side = Responder(), Responder()
    line = await open_port(engine_side.path)
    engine = AtEngine(line, FAMILY.syntax())
    bare: list[float] = []
    ours: list[float] = []
    with serial.Serial(bare_side.path, 115_200, timeout=5, exclusive=True) as port:
        for index in range(exchanges + WARM_UP):
            pair = bare_exchange(port), await engine_exchange(engine)
            if index >= WARM_UP:
                bare.append(pair[0])
                ours.append(pair[1])
    await engine.close()
    return bare, ours


def spread(values: list[float]) -> float:
    """Interquartile range over median."""
    first, median, third = statistics.quantiles(values, n=4)
    return (third - first) / median


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exchanges", type=int, default=2_000, help="of each side, per round")
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    arguments = parser.parse_args()

    rows = []
    for _ in range(ROUNDS):
        bare, ours = asyncio.run(measure(arguments.exchanges))
        rows.append(
            (
                statistics.median(bare) * 1_000,
                statistics.median(ours) * 1_000,
                statistics.quantiles(ours, n=100)[98] * 1_000,
                spread(ours),
            )
        )
    bare_ms = statistics.median(row[0] for row in rows)
    engine_ms = statistics.median(row[1] for row in rows)
    added_ms = statistics.median(row[1] - row[0] for row in rows)
    result = {
        "name": "at",
        "figures": {
            "added_ms": round(added_ms, 4),
            "bare_ms": round(bare_ms, 4),
            "engine_ms": round(engine_ms, 4),
            "engine_p99_ms": round(statistics.median(row[2] for row in rows), 4),
        },
        "ratios": {"engine_over_bare": round(engine_ms / bare_ms, 3)},
        "runs": ROUNDS,
        "spread": round(statistics.median(row[3] for row in rows), 3),
    }
    if not arguments.json:
        print(f"{'':24}{'median ms':>12}{'p99 ms':>10}")
        print(f"{'bare pyserial':24}{bare_ms:>12.4f}")
        print(f"{'AT engine':24}{engine_ms:>12.4f}{result['figures']['engine_p99_ms']:>10.4f}")
        print(f"{'added':24}{added_ms:>12.4f}")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
