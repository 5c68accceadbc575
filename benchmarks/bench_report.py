"""The report of a run of 100,000 messages: from the run directory to the page.

The run is the one that `bench_analysis.py` draws: two configurations in randomised blocks, losses,
two coverage levels. It is held against limits and a baseline of the same size, as
`testbed report RUN --baseline NAME` does it. Seconds are those of the clock on the wall, and of the
processor, which others on a shared machine do not lengthen as much.

    python benchmarks/bench_report.py [--messages 100000] [--json]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from bench_analysis import LIMITS, records

from testbed.analysis.measurements import Measurements
from testbed.report.page import render_page
from testbed.report.run import load_run
from testbed.results import RunDirectory, start_manifest


def main() -> None:
    """Draw, read, render, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures: dict[str, float] = {"messages": options.messages}
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(folder)
        with run.journal_path.open("w", encoding="utf-8") as file:
            for record in records(1, options.messages):
                file.write(json.dumps(record, separators=(",", ":")) + "\n")
        limits = {"latency_median": {"regression": "5 %"}} | LIMITS
        manifest = start_manifest(run.name, config={"campaign": {"limits": limits}})
        run.write_manifest(manifest.finished("complete"))
        baseline = Measurements.of(records(2, options.messages), name="baseline")
        started, processor = time.perf_counter(), time.process_time()
        view = load_run(Path(folder), baseline=baseline)
        figures["read_s"] = round(time.perf_counter() - started, 2)
        page = render_page(view)
        figures["report_s"] = round(time.perf_counter() - started, 2)
        figures["processor_s"] = round(time.process_time() - processor, 2)
    figures["page_mb"] = round(len(page.encode()) / 1e6, 2)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["memory_mb"] = round(highest / (1e6 if sys.platform == "darwin" else 1e3), 0)
    if not options.json:
        for name, value in figures.items():
            sys.stdout.write(f"{name:14} {value:g}\n")
    result = {"name": "report", "figures": figures, "ratios": {}, "runs": 1, "spread": {}}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
