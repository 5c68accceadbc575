"""Journals that were drawn, as dictionaries, for the tests of statistics."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from testbed.analysis.measurements import Measurements

TIMEOUT_S = 40.0


def journal(
    seed: int = 1,
    *,
    messages: int = 60,
    visit: int = 2,
    blocks: bool = True,
    sigma: float = 0.1,
    latencies_s: dict[str, float] | None = None,
    sizes: dict[str, int] | None = None,
    loss: float = 0.0,
    levels: tuple[int, ...] = (0,),
    kind: str = "estimated",
    model: str = "state",
    origin: str = "virtual",
    rsrp_dbm: float = -92.0,
    cell: str = "022FE6CF",
    warm_up: int = 0,
    factors: dict[str, dict[str, Any]] | None = None,
) -> Iterator[dict[str, Any]]:
    """A run with tunnel ESP, without and with ROHC."""
    latencies_s = latencies_s or {"esp-tunnel": 1.2, "rohc+esp-tunnel": 1.0}
    sizes = sizes or {"esp-tunnel": 136, "rohc+esp-tunnel": 92}
    rng = random.Random(seed)
    run: dict[str, Any] = {
        "kind": "run",
        "module": "bc66",
        "origin": origin,
        "configurations": list(latencies_s),
        "settings": {"answer_timeout_s": TIMEOUT_S, "release_assistance": "after-downlink"},
    }
    if factors is not None:
        run["cells"] = [{"name": name} | levels_ for name, levels_ in factors.items()]
    yield run
    number = 0
    for block in range(messages // visit):
        order = list(latencies_s)
        rng.shuffle(order)
        level = levels[block % len(levels)]
        for name in order:
            for _ in range(visit):
                lost = rng.random() < loss
                layers = {"outer_ip": 20, "inner_ip": sizes[name] - 44, "application": 24}
                latency_s = latencies_s[name] * (1 + level) * rng.lognormvariate(0, sigma)
                record: dict[str, Any] = {
                    "kind": "message",
                    "index": number,
                    "configuration": name if factors is None else factors[name]["configuration"],
                    "security": "esp-tunnel" if "esp" in name else "none",
                    "compression": "rohc" if "rohc" in name else "none",
                    "submitted_at_s": 60.0 * number,
                    "latency_s": None if lost else latency_s,
                    "uplink_bytes": layers,
                    "downlink_bytes": None if lost else {"outer_ip": 20, "application": 24},
                    "energy": {"kind": kind, "model": model, "total_j": 0.1 + 0.05 * latency_s},
                    "radio": {"ecl": level, "rsrp_dbm": rsrp_dbm - 20 * level, "cell": cell},
                }
                if factors is not None:
                    record["cell"] = name
                if blocks:
                    record["block"] = block
                if number < warm_up:
                    record["warm_up"] = True
                number += 1
                yield record


MANIFEST: dict[str, Any] = {
    "module": {"family": "bc66", "model": "Quectel_BC66", "firmware": "BC66NBR01A10"},
    "config": {"module": {"virtual": {"power": {"voltage_v": 3.3}}}},
}


def measurements(
    seed: int = 1, *, name: str = "run", manifest: dict[str, Any] | None = None, **settings: Any
) -> Measurements:
    """The same in columns."""
    return Measurements.of(journal(seed, **settings), name=name, manifest=manifest or MANIFEST)
