"""What the module is doing, as who watches a run is told."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from testbed import clock
from testbed.bench import validate_bench
from testbed.campaign import Progress, load_payloads, run_bench
from testbed.campaign.ledger import ModulePhase
from testbed.results import RunDirectory, start_manifest


class Watch(Progress):
    def __init__(self) -> None:
        self.phases: list[ModulePhase] = []

    def module(self, phase: ModulePhase) -> None:
        self.phases.append(phase)


def watched(folder: Path, virtual: dict[str, Any]) -> list[ModulePhase]:
    """The phases of a short run in virtual time."""
    bench = validate_bench(
        {
            "module": {
                "port": "virtual:bc66",
                "virtual": virtual,
                "power_saving": {"psm": True, "active_time_s": 4, "periodic_tau_s": 86400},
            },
            "matrix": ["none"],
            "traffic": {"messages": 8, "pace": "capture"},
        }
    )
    directory = RunDirectory.create(folder)
    timing = bench.timing
    directory.write_manifest(
        start_manifest(
            directory.name,
            config=bench.model_dump(mode="json"),
            seed=bench.seed,
            time_kind=timing.kind,
            time_scale=timing.scale,
        )
    )
    watch = Watch()

    async def main() -> None:
        await run_bench(bench, load_payloads(bench), directory, progress=watch)

    clock.run(main, time_scale=timing.scale)
    return watch.phases


def test_a_module_starts_attaches_and_goes_between_idle_connected_and_asleep(
    tmp_path: Path,
) -> None:
    phases = watched(tmp_path, {})
    assert phases[:3] == [ModulePhase.STARTING, ModulePhase.ATTACHING, ModulePhase.CONNECTED]
    assert phases[-1] is ModulePhase.ENDED
    assert set(phases[2:-1]) == {ModulePhase.IDLE, ModulePhase.CONNECTED, ModulePhase.ASLEEP}
    assert phases.count(ModulePhase.CONNECTED) >= 4  # each message has a connection


def test_a_module_that_fails_is_recovering_until_it_is_attached_again(tmp_path: Path) -> None:
    phases = watched(tmp_path, {"faults": [{"at_s": 90, "kind": "reboot"}]})
    at = phases.index(ModulePhase.RECOVERING)
    assert phases[at + 1 : at + 3] == [ModulePhase.STARTING, ModulePhase.ATTACHING]
    attached = {ModulePhase.IDLE, ModulePhase.CONNECTED, ModulePhase.ASLEEP}
    assert phases[at + 3] in attached
    # Events of a module that is not attached change nothing.
    for before, after in pairwise(phases):
        if before in (ModulePhase.STARTING, ModulePhase.RECOVERING):
            assert after not in attached
