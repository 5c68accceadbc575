"""A campaign of 100,000 messages analysed: read, summarised, judged, compared.

A journal is drawn (two configurations in randomised blocks, an autocorrelated level, losses, two
coverage levels) and analysed as `testbed report` and `testbed compare` do it: the summary of the
table, the columns, ten limits, what ROHC saves per coverage level, a comparison with a baseline.
Each part's seconds are processor time; memory is the highest resident set of the process.

    python benchmarks/bench_analysis.py [--messages 100000] [--json]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from testbed.analysis.answers import savings
from testbed.analysis.bytes import LAYERS
from testbed.analysis.comparison import compare
from testbed.analysis.limits import LimitsDescription
from testbed.analysis.measurements import Measurements
from testbed.analysis.summary import summarise_journal
from testbed.analysis.verdicts import judge
from testbed.results import JournalReader

T = TypeVar("T")

ARMS = ("esp-tunnel", "rohc+esp-tunnel")
VISIT = 10
LIMITS = {
    "latency_median": [{"max": "12 s"}, {"regression": "10 %", "against": "esp-tunnel"}],
    "latency_p95": {"max": "20 s"},
    "delivery": {"min": "97 %"},
    "uplink_bytes": {"max": "150 B"},
    "saved_bytes": {"min": "30 B", "against": "esp-tunnel"},
}


def records(seed: int, messages: int) -> Iterator[dict[str, Any]]:
    """The journal, as a campaign writes it."""
    rng = random.Random(seed)
    yield {
        "kind": "run",
        "schema_version": 1,
        "module": "bc66",
        "configurations": list(ARMS),
        "messages": messages // len(ARMS),
        "settings": {"answer_timeout_s": 40.0, "release_assistance": "after-downlink"},
    }
    level = 0.0
    for number in range(messages):
        visit = number // VISIT
        block = visit // len(ARMS)
        arm = ARMS[(visit + block * (block % 2)) % len(ARMS)]
        compressed = arm.startswith("rohc")
        level = 0.98 * level + 0.2 * rng.gauss(0, 0.3)
        ecl = int(level > 0.3)
        latency_s = (1.0 if compressed else 1.15) * math.exp(level + rng.gauss(0, 0.15)) * (1 + ecl)
        lost = rng.random() < 0.01
        layers = dict.fromkeys((layer.value for layer in LAYERS), 0)
        layers |= {"outer_ip": 20, "outer_udp": 8, "esp_header": 8, "esp_iv": 8, "esp_icv": 16}
        layers |= {"application": 24, "esp_trailer": 2, "esp_padding": 2}
        layers |= {"rohc_header": 3} if compressed else {"inner_ip": 40, "inner_udp": 8}
        stages = {"submitted": 0.0, "protected": 0.0, "at_written": 0.0, "accepted": 0.09}
        if not lost:
            stages |= {"rrc_connected": 0.7, "received": latency_s, "delivered": latency_s}
        yield {
            "kind": "message",
            "index": number,
            "configuration": arm,
            "security": "esp-tunnel",
            "compression": "rohc" if compressed else "none",
            "outcome": "lost" if lost else "answered",
            "reason": "no-answer" if lost else None,
            "submitted_at_s": 60.0 * number,
            "stages_s": stages,
            "latency_s": None if lost else round(latency_s, 6),
            "uplink_bytes": layers,
            "downlink_bytes": None if lost else layers,
            "energy": {
                "kind": "estimated",
                "model": "state-nb1-1",
                "total_j": round(0.1 + 0.1 * latency_s, 6),
                "setup_j": 0.1,
                "transmit_j": 0.006,
                "receive_j": 0.015,
                "tail_j": 0.03,
                "sleep_j": 0.0,
            },
            "radio": {"rsrp_dbm": -92.0 - 20 * ecl, "ecl": ecl, "cell": "022FE6CF"},
            "planned": number,
            "cell": arm,
            "block": block,
        }
    yield {"kind": "end", "status": "complete", "counts": {}}


def timed(do: Callable[[], T], figures: dict[str, float], name: str) -> T:
    """What it gives; its processor seconds go into the figures."""
    started = time.process_time()
    found = do()
    figures[f"{name}_s"] = round(time.process_time() - started, 2)
    return found


def main() -> None:
    """Draw, analyse, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures: dict[str, float] = {"messages": options.messages}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for record in records(1, options.messages):
                file.write(json.dumps(record, separators=(",", ":")) + "\n")
        figures["journal_mb"] = round(path.stat().st_size / 1e6, 1)
        timed(lambda: summarise_journal(path), figures, "summary")
        run = timed(lambda: Measurements.of(JournalReader(path), name="run"), figures, "columns")
    limits = LimitsDescription.model_validate(LIMITS).limits()
    timed(lambda: judge(run, limits), figures, "limits")
    timed(lambda: savings(run), figures, "savings")
    baseline = timed(
        lambda: Measurements.of(records(2, options.messages), name="baseline"), figures, "draw"
    )
    timed(lambda: compare(baseline, run), figures, "compare")
    del figures["draw_s"]
    figures["total_s"] = round(sum(v for name, v in figures.items() if name.endswith("_s")), 2)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["memory_mb"] = round(highest / (1e6 if sys.platform == "darwin" else 1e3), 0)
    if not options.json:
        for name, value in figures.items():
            sys.stdout.write(f"{name:14} {value:g}\n")
    result = {"name": "analysis", "figures": figures, "ratios": {}, "runs": 1, "spread": {}}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
