"""What it costs to be scraped: 16 modules, every 5 seconds, as a share of one core.

Each module's exporter holds what a campaign over five configurations and three coverage levels
leaves behind: every series that such a run can have. In each round every module has sent another
message, and all 16 are written as Prometheus asks for it (OpenMetrics with exemplars); the share is
the CPU time of one round over 5 s. The same is done by the library alone, in turn, and with the
HTTP exchange around it, of all threads, by scraping one exporter over the loopback address; the
client's share is in that figure, too.

    python benchmarks/bench_metrics.py [--rounds 20] [--json]

The ratios are shares of a core: `core` (to be below 0.01), `core_by_the_library`, `core_with_http`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable

from prometheus_client.openmetrics.exposition import generate_latest

from testbed.analysis.bytes import LayerBytes
from testbed.metrics import MetricsServer, RunMetrics
from testbed.metrics.exposition import exposition
from testbed.results import (
    EnergyRecord,
    FaultRecord,
    MessageRecord,
    Outcome,
    RunRecord,
    SessionRecord,
)

MODULES = 16
INTERVAL_S = 5.0
CONFIGURATIONS = (
    ("none", "none", "none"),
    ("rohc", "none", "rohc"),
    ("esp-transport", "esp-transport", "none"),
    ("esp-tunnel", "esp-tunnel", "none"),
    ("rohc+esp-tunnel", "esp-tunnel", "rohc"),
)
PACKET_TYPES = ("IR", "IR-DYN", "UO-0", "UO-1", "UOR-2")
FAULTS = ("rebooted", "silent", "network-lost")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def layers(security: str, compression: str) -> LayerBytes:
    """A packet with the layers of its configuration."""
    protected = {"esp_header": 8, "esp_iv": 8, "esp_padding": 2, "esp_trailer": 2, "esp_icv": 16}
    inner = {"rohc_header": 3} if compression == "rohc" else {"inner_ip": 40, "inner_udp": 8}
    return LayerBytes(
        outer_ip=20,
        outer_udp=8,
        coap=12,
        application=24,
        **(protected if security != "none" else {}),
        **(inner if security == "esp-tunnel" or compression == "rohc" else {}),
    )


def message(index: int, name: str, security: str, compression: str) -> MessageRecord:
    """A message; over 150 of them every bucket, level and packet type occurs."""
    lost = index % 25 == 0
    packet = PACKET_TYPES[index % len(PACKET_TYPES)] if compression == "rohc" else None
    size = layers(security, compression)
    return MessageRecord(
        index=index,
        configuration=name,
        security=security,
        compression=compression,
        outcome=Outcome.LOST if lost else Outcome.ANSWERED,
        reason="no-answer" if lost else None,
        latency_s=None if lost else 0.05 * 1.05 ** (index % 150),
        uplink_bytes=size,
        downlink_bytes=None if lost else size,
        energy=EnergyRecord(
            kind="estimated", model="m", total_j=0.03 * 1.04 ** (index % 150), tail_j=0.02
        ),
        uplink_packet=packet,
        downlink_packet=None if lost else packet,
        radio={"ecl": index % 3, "rsrp_dbm": -100.0 - index % 20},
    )


def exporter(number: int) -> RunMetrics:
    """A module's exporter in the middle of a campaign."""
    metrics = RunMetrics(f"20260101-000000-{number:02d}")
    metrics.observe(
        RunRecord(
            testbed_version="0",
            bench=f"bench-{number}",
            module=("bc66", "bc660k", "bc95")[number % 3],
            configurations=tuple(name for name, _, _ in CONFIGURATIONS),
            messages=1_000,
            traffic="thermostat",
            settings={"answer_timeout_s": 40.0},
        )
    )
    metrics.phase("idle")
    for name, security, compression in CONFIGURATIONS:
        metrics.observe(
            SessionRecord(configuration=name, setup_s=3.0, bytes_up=200, bytes_down=150)
        )
        for index in range(150):
            metrics.observe(message(index, name, security, compression))
    for fault in FAULTS:
        metrics.observe(FaultRecord(fault=fault, configuration="none", recovered_s=20.0))
    return metrics


def cpu_seconds(work: Callable[[], None]) -> float:
    """CPU time of some work, of all threads of this process, in seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def spread(values: list[float]) -> float:
    """Interquartile range over median."""
    first, median, third = statistics.quantiles(values, n=4)
    return (third - first) / median


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="scrapes of all modules")
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    arguments = parser.parse_args()

    exporters = [exporter(number) for number in range(MODULES)]
    text, _ = exposition([exporters[0]], OPENMETRICS)
    series = sum(1 for line in text.splitlines() if not line.startswith(b"#"))
    numbers = itertools.count(1)

    def messages() -> None:
        """Each module has sent a message since the last round."""
        index = next(numbers)
        for one in exporters:
            one.observe(message(index, *CONFIGURATIONS[index % len(CONFIGURATIONS)]))

    def render() -> None:
        for one in exporters:
            exposition([one], OPENMETRICS)

    def library() -> None:
        for one in exporters:
            generate_latest(one)

    render()
    rendering, plain = [], []
    for _ in range(arguments.rounds):
        messages()
        rendering.append(cpu_seconds(render))
        plain.append(cpu_seconds(library))
    with MetricsServer(exporters[0]) as server:
        request = urllib.request.Request(server.url, headers={"Accept": OPENMETRICS})

        def scrape() -> None:
            for _ in range(MODULES):
                exporters[0].observe(message(next(numbers), *CONFIGURATIONS[0]))
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answer.read()

        scraping = [cpu_seconds(scrape) for _ in range(arguments.rounds)]

    figures = {
        "modules": MODULES,
        "series_per_module": series,
        "bytes_per_scrape": len(text),
        "round_cpu_ms": statistics.median(rendering) * 1_000,
        "round_by_the_library_cpu_ms": statistics.median(plain) * 1_000,
        "round_with_http_cpu_ms": statistics.median(scraping) * 1_000,
    }
    result = {
        "name": "metrics",
        "figures": figures,
        "ratios": {
            "core": statistics.median(rendering) / INTERVAL_S,
            "core_by_the_library": statistics.median(plain) / INTERVAL_S,
            "core_with_http": statistics.median(scraping) / INTERVAL_S,
        },
        "runs": arguments.rounds,
        "spread": spread(rendering),
    }
    if not arguments.json:
        for name, value in figures.items():
            print(f"{name:28} {value:12.1f}")
        for name, value in result["ratios"].items():
            print(f"{name:28} {value * 100:11.2f} % of a core")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
