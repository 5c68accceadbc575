"""How often a difference is found where there is none, and where there is one.

An A/A campaign sends the same configuration under two names, in randomised blocks, through a radio
whose conditions stay alike for a while; every verdict but "pass" or "inconclusive" is a false
alarm. Each campaign is also compared with the next seed's, as a run is with its baseline. The seeds
are fixed beforehand: 0 up to their number.

Campaigns are run, in virtual time: tunnel ESP with ROHC over a virtual module where the cell is
heard at the edge of coverage level 1, with 6 dB of random shadowing (2 minutes), and one exchange
in a hundred lost. With ``--simulated`` they are drawn in place of that: latency is lognormal around
an autocorrelated level. That is also where a true change can be set: 10 %, with 300 messages and a
spread of 0.15 and of 0.6.

    python benchmarks/aa.py [--simulated] [--seeds 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scipy import stats

from testbed import clock
from testbed.analysis.comparison import obstacles
from testbed.analysis.limits import Limit, regression_limit
from testbed.analysis.measurements import Measurements
from testbed.analysis.verdicts import Grade, Judgement, judge
from testbed.bench import validate_bench
from testbed.campaign import load_payloads, run_bench
from testbed.results import RunDirectory, TimeKind, start_manifest
from testbed.results.baselines import measured

TIMEOUT_S = 40.0
MEASURES = ("latency_median", "latency_p95", "delivery", "uplink_bytes", "energy")
ARMS = ("esp-tunnel", "again")


def records(
    seed: int,
    *,
    blocks: int,
    visit: int,
    sigma: float,
    change: float = 0.0,
    memory: float = 0.0,
    spread: float = 0.0,
    loss: float = 0.0,
) -> Iterator[dict[str, Any]]:
    """The journal of a campaign that was drawn.

    Args:
        seed: of everything.
        blocks: how many; each has both arms in an order of its own.
        visit: messages of an arm in a block, one after the other.
        sigma: standard deviation of the logarithm of a message's latency.
        change: share by which the second arm is slower.
        memory: autocorrelation of the level from one message to the next.
        spread: standard deviation of the level's logarithm.
        loss: share of messages without an answer.
    """
    rng = random.Random(f"{seed}/aa")
    yield {
        "kind": "run",
        "origin": "virtual",
        "module": "bc66",
        "configurations": list(ARMS),
        "settings": {"answer_timeout_s": TIMEOUT_S},
    }
    level = rng.gauss(0, spread)
    at_s = 0.0
    for block in range(blocks):
        order = list(ARMS)
        rng.shuffle(order)
        for arm in order:
            factor = 1 + change if arm == ARMS[1] else 1.0
            for _ in range(visit):
                level = memory * level + rng.gauss(0, spread * math.sqrt(1 - memory**2))
                latency_s = 2.0 * factor * math.exp(rng.gauss(0, sigma) + level)
                lost = rng.random() < loss or latency_s > TIMEOUT_S
                at_s += 60.0
                yield {
                    "kind": "message",
                    "configuration": arm,
                    "security": "esp-tunnel",
                    "compression": "none",
                    "block": block,
                    "submitted_at_s": at_s,
                    "latency_s": None if lost else latency_s,
                    "uplink_bytes": {"outer_ip": 20, "application": 80 + rng.randrange(3)},
                    "energy": {
                        "kind": "estimated",
                        "model": "drawn",
                        "total_j": 0.1 + 0.1 * (TIMEOUT_S if lost else latency_s),
                    },
                }


def simulated(seed: int, **settings: Any) -> Measurements:
    """A campaign that was drawn."""
    settings = {
        "blocks": 30,
        "visit": 5,
        "sigma": 0.15,
        "memory": 0.9,
        "spread": 0.3,
        "loss": 0.01,
    } | settings
    return Measurements.of(records(seed, **settings), name=f"seed {seed}")


def ran(seed: int) -> Measurements:
    """A campaign that was run: two settings of power saving that are the same one."""
    bench = validate_bench(
        {
            "seed": seed,
            "matrix": ["rohc+esp-tunnel"],
            "answer_timeout_s": TIMEOUT_S,
            "module": {
                "virtual": {
                    "radio": {
                        "rsrp_dbm": -111.0,
                        "shadowing_db": 6.0,
                        "shadowing_time_s": 120.0,
                    },
                    "network": {"core_loss": 0.005},
                }
            },
            "campaign": {
                "factors": {"power_saving": {"one": {}, "other": {}}},
                "blocks": 25,
                "messages_per_cell": 4,
            },
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory.create(folder)
        directory.write_manifest(
            start_manifest(directory.name, config={}, seed=seed, time_kind=TimeKind.VIRTUAL)
        )
        payloads = load_payloads(bench)

        async def main() -> None:
            await run_bench(bench, payloads, directory)

        clock.run(main, time_scale=None)
        return measured(directory, name=f"seed {seed}")


def worst(judgements: tuple[Judgement, ...]) -> Grade:
    """The loudest of several: fail, else warn, else neither."""
    found = {judgement.grade for judgement in judgements}
    return next((grade for grade in (Grade.FAIL, Grade.WARN) if grade in found), Grade.PASS)


def limits(against: str | None) -> list[Limit]:
    """A regression of 5 % of each measure; against the other arm, or the baseline."""
    found = [regression_limit(name) for name in MEASURES]
    if against is None:
        return found
    return [
        Limit(measure=one.measure, kind=one.kind, bound=one.bound, against=against) for one in found
    ]


def upper_bound(found: int, trials: int) -> float:
    """The 95 % upper bound of a rate (Clopper and Pearson, one-sided)."""
    return float(stats.beta.ppf(0.95, found + 1, trials - found)) if found < trials else 1.0


def false_alarms(campaign: Callable[[int], Measurements], seeds: int) -> dict[str, float]:
    """Every seed's campaign held against itself, and against the next one."""
    inside: Counter[Grade] = Counter()
    between: Counter[Grade] = Counter()
    incomparable = 0
    first = before = campaign(0)
    for seed in range(seeds):
        run = before
        inside[worst(judge(run, limits(run.arms[0].name)))] += 1
        before = first if seed + 1 == seeds else campaign(seed + 1)
        found = tuple(obstacles(run, before))
        incomparable += bool(found)
        judged = judge(before, limits(None), baseline=run, problems=found)
        between[worst(judged)] += 1
    figures: dict[str, float] = {"seeds": seeds, "runs_incomparable": incomparable}
    for name, counts in (("blocks", inside), ("runs", between)):
        fail, loud = counts[Grade.FAIL], counts[Grade.FAIL] + counts[Grade.WARN]
        figures |= {
            f"{name}_fail": fail,
            f"{name}_fail_upper_bound": round(upper_bound(fail, seeds), 4),
            f"{name}_warn_or_fail": loud,
            f"{name}_warn_or_fail_upper_bound": round(upper_bound(loud, seeds), 4),
        }
    return figures


def power(seeds: int, sigma: float) -> dict[str, float]:
    """A true change of 10 % with 300 messages, in blocks and between runs."""
    inside: Counter[Grade] = Counter()
    between: Counter[Grade] = Counter()
    limit = [regression_limit("latency_median")]
    settings: Mapping[str, Any] = {
        "sigma": sigma,
        "blocks": 60,
        "visit": 5,
        "memory": 0.0,
        "spread": 0.0,
        "loss": 0.0,
    }
    for seed in range(seeds):
        changed = simulated(seed, change=0.10, **settings)
        against = [
            Limit(measure=one.measure, kind=one.kind, bound=one.bound, against=ARMS[0])
            for one in limit
        ]
        inside[worst(judge(changed, against))] += 1
        plain = simulated(seed + seeds, **settings)
        second = Measurements(
            name=changed.name,
            conditions=changed.conditions,
            arms=(changed.arms[1],),
        )
        first = Measurements(name=plain.name, conditions=plain.conditions, arms=(plain.arms[1],))
        between[worst(judge(second, limit, baseline=first))] += 1
    return {
        f"{name}_{grade}": count
        for name, counts in (("blocks", inside), ("runs", between))
        for grade, count in (
            ("fail", counts[Grade.FAIL]),
            ("warn_or_fail", counts[Grade.FAIL] + counts[Grade.WARN]),
        )
    }


def main() -> None:
    """Draw or run the campaigns, print the figures."""
    parser = argparse.ArgumentParser(description="False alarms of A/A campaigns, and power")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--simulated", action="store_true", help="draw campaigns, run none")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = false_alarms(simulated if options.simulated else ran, options.seeds)
    for sigma in (0.15, 0.6) if options.simulated else ():
        found = power(options.seeds, sigma)
        figures |= {f"change_10_sigma_{sigma}_{name}": value for name, value in found.items()}
    if not options.json:
        for name, value in figures.items():
            sys.stdout.write(f"{name:45} {value:g}\n")
    sys.stdout.write(
        json.dumps({"name": "aa-simulated" if options.simulated else "aa", "figures": figures})
        + "\n"
    )


if __name__ == "__main__":
    main()
