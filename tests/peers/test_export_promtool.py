"""promtool takes a run's exported metrics in, and finds the journal's figures in its blocks."""

import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.analysis.summary import summarise_run
from testbed.cli import main
from testbed.results import RunDirectory

pytestmark = pytest.mark.peer

SAMPLE = re.compile(r"\{(.*)\} (\S+) (\d+)")


@pytest.fixture(scope="module")
def promtool() -> Callable[..., str]:
    path = shutil.which("promtool")
    if path is None:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail("required, and not installed: promtool")
        pytest.skip("not installed: promtool (Debian: prometheus)")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_blocks_made_from_an_export_hold_the_run_s_figures(
    promtool: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["run", "--messages", "30", "--json"],
        ["export", "--format", "openmetrics", "-o", "metrics.txt"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code
    made = promtool("tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "blocks")
    lines = [
        line for line in Path("metrics.txt").read_text().splitlines() if not line.startswith("#")
    ]
    numbers = [int(number) for number in re.findall(r"\s(\d+) +\d+ +\d+ +\d+\n", made)]
    assert sum(numbers) == len(lines) > 1000, made

    Path("blocks/wal").mkdir()  # which a running Prometheus would have made
    series: dict[tuple[tuple[str, str], ...], list[tuple[int, float]]] = defaultdict(list)
    for line in promtool("tsdb", "dump", "blocks").splitlines():
        found = SAMPLE.fullmatch(line)
        assert found is not None, line
        labels = tuple(sorted(re.findall(r'(\w+)="([^"]*)"', found[1])))
        series[labels].append((int(found[3]), float(found[2])))

    def last(name: str, **wanted: str) -> float:
        named = {"__name__": name, **wanted}
        return sum(
            max(samples)[1]
            for labels, samples in series.items()
            if named.items() <= dict(labels).items()
        )

    directory = RunDirectory.latest("runs")
    summary = summarise_run(directory.path)
    assert len(summary.rows) == 3
    for row in summary.rows:
        labels = {"security": row.security, "compression": row.compression}
        assert last("testbed_messages_total", outcome="answered", **labels) == row.answered
        octets = last("testbed_message_bytes_total", direction="uplink", **labels)
        assert octets == pytest.approx(row.uplink.total * row.uplink.packets)
        assert last("testbed_message_latency_seconds_count", **labels) == row.messages
        energy = row.shown_energy()
        assert energy is not None
        assert last("testbed_message_energy_joules_sum", **labels) == pytest.approx(
            energy.total_j * energy.messages
        )
    assert last("testbed_run_complete") == 1.0
    for samples in series.values():
        times = [at for at, _ in samples]
        assert times == sorted(set(times))
