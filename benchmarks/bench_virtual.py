"""A campaign in virtual time against the time that it would take.

One bench, all virtual: 10,000 messages of a thermostat under tunnel ESP with ROHC, one a minute, so
that the module reaches power saving mode (T3324 is 4 s) and loses its socket between any two. What
is timed is the whole run, from the HSE's start to the closed run directory. `speedup` is module
seconds per second of the wall. Memory is this process's resident set after each tenth of the run.

    python benchmarks/bench_virtual.py [--messages 10000] [--period 60] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from testbed import clock
from testbed.bench import Bench, validate_bench
from testbed.campaign import Payloads, Progress, run_bench
from testbed.results import (
    JournalReader,
    MessageRecord,
    Record,
    RunDirectory,
    TimeKind,
    start_manifest,
)
from testbed.traffic import Message, generated_traffic

BLOCKS = 10
CONFIGURATION = "rohc+esp-tunnel"


def resident_kb() -> int:
    """The process's resident set, KB."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024
    except OSError:  # no Linux: the highest so far is all that can be had
        import resource

        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return highest // 1024 if sys.platform == "darwin" else highest


class Blocks(Progress):
    """Marks wall, module time and memory after each tenth of the messages."""

    def __init__(self, messages: int) -> None:
        self._every = max(messages // BLOCKS, 1)
        self._seen = 0
        self.marks: list[tuple[float, float, int]] = []

    def mark(self) -> None:
        """One mark now."""
        now = asyncio.get_running_loop().time()
        self.marks.append((time.perf_counter(), now, resident_kb()))

    def record(self, record: Record) -> None:
        """See `Progress.record`."""
        if isinstance(record, MessageRecord):
            self._seen += 1
            if self._seen % self._every == 0:
                self.mark()


def campaign(
    bench: Bench, messages: list[Message], directory: RunDirectory
) -> tuple[float, float, Blocks]:
    """Run it; module seconds, wall seconds, marks."""
    blocks = Blocks(len(messages))
    payloads = Payloads.of(bench, messages, "thermostat")

    async def main() -> float:
        blocks.mark()
        await run_bench(bench, payloads, directory, progress=blocks)
        return asyncio.get_running_loop().time()

    started = time.perf_counter()
    module_s = clock.run(main, time_scale=bench.timing.scale)
    return module_s, time.perf_counter() - started, blocks


def slept(directory: RunDirectory, active_time_s: float) -> tuple[int, int]:
    """Messages that were answered, and those before which the module was in power saving mode."""
    answered = sleeps = 0
    idle_since = None
    for record in JournalReader(directory.journal_path):
        if record["kind"] != "message":
            continue
        answered += record["outcome"] == "answered"
        submitted = record["submitted_at_s"]
        sleeps += idle_since is not None and submitted - idle_since > active_time_s
        released = record["stages_s"].get("released")
        idle_since = None if released is None else submitted + released
    return answered, sleeps


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--period", type=float, default=60.0, help="seconds between two messages")
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    options = parser.parse_args()
    bench = validate_bench({"matrix": [CONFIGURATION], "traffic": {"pace": "capture"}})
    assert bench.timing.kind is TimeKind.VIRTUAL
    source = generated_traffic(messages=options.messages, seed=bench.seed).messages
    messages = [replace(one, time_s=n * options.period) for n, one in enumerate(source)]
    with tempfile.TemporaryDirectory() as place:
        directory = RunDirectory.create(place)
        directory.write_manifest(start_manifest(directory.name, config={}))
        module_s, wall_s, blocks = campaign(bench, messages, directory)
        answered, sleeps = slept(directory, bench.module.power_saving.active_time_s)
    marks = blocks.marks
    speeds = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in itertools.pairwise(marks)
    ]
    quartiles = statistics.quantiles(speeds, n=4)
    growth_kb = marks[-1][2] - marks[1][2]
    if not options.json:
        print(f"{'messages':>10}{'module time':>14}{'wall':>10}{'x real':>10}{'resident':>12}")
        for number, (wall, module, memory) in enumerate(marks):
            speed = f"{speeds[number - 1]:,.0f}" if number else ""
            print(
                f"{number * len(messages) // BLOCKS:>10,}{module / 3600:>12,.1f} h"
                f"{wall - marks[0][0]:>8.1f} s{speed:>10}{memory / 1024:>9.1f} MB"
            )
        print(f"answered: {answered:,}; out of power saving mode: {sleeps:,}")
    result = {
        "name": "virtual",
        "figures": {
            "speedup": round(module_s / wall_s),
            "messages": len(messages),
            "answered": answered,
            "after_psm": sleeps,
            "module_s": round(module_s),
            "wall_s": round(wall_s, 2),
            "ms_per_message": round(wall_s / len(messages) * 1000, 3),
            "rss_growth_kb": growth_kb,
            "rss_kb": marks[-1][2],
        },
        "ratios": {
            "virtual_vs_real_time": round(module_s / wall_s),
            "rss_last_tenth_vs_first": round(marks[-1][2] / marks[1][2], 4),
        },
        "runs": len(speeds),
        "spread": round((quartiles[2] - quartiles[0]) / quartiles[1], 3),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
