"""A bench that is watched: HSE, runs, Pushgateway and Prometheus as processes; a helper of tests.

Everything listens on the loopback address, on free ports, and ends with the fixture.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dashboards import FILES

PROGRAMS = ("prometheus", "promtool", "prometheus-pushgateway")
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from testbed.cli import main; main()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run."""

    name: str
    family: str
    hse: str | None = "hse"
    """Which HSE; none: the run starts its own, and takes its keys from AKA."""
    pace: str = "asap"
    blocks: int = 9_000
    """So many that the run goes on until it is ended."""


RUNS = (
    Plan(name="steady", family="bc66"),
    Plan(name="aka", family="bc660k", hse=None),
    # Keepalives are sent, and metered, where a device waits between its messages.
    Plan(name="waiting", family="bc95", pace="capture"),
    # Its HSE is ended: its key exchanges fail from then on.
    Plan(name="lonely", family="bc66", hse="gone"),
    Plan(name="short", family="bc66", blocks=12),
)
SECRET = "hex:000102030405060708090a0b0c0d0e0f"

BENCH = """
name: {name}
identity: ue-{name}
module:
  family: {family}
  port: virtual:{family}
  virtual:
    network: {{inactivity_timer_s: 2, core_loss: 0.04}}
    faults:
      - {{at_s: 60, kind: reboot}}
      - {{at_s: 150, kind: reboot}}
      - {{at_s: 300, kind: reboot}}
      - {{at_s: 600, kind: reboot}}
{keys}
matrix: [none, rohc, esp-tunnel, rohc+esp-tunnel]
campaign: {{blocks: {blocks}, messages_per_cell: 1, warm_up: 1}}
rohc: {{feedback: stand-alone}}
esp: {{keepalive_s: 15}}
traffic: {{pace: {pace}}}
lifetime: {{soft_packets: 3}}
recovery: {{pause_s: 2, give_up: 1000}}
answer_timeout_s: 40
time: scaled
time_scale: 40
"""

SUITE = """
name: nightly
module: {port: 'virtual:bc66'}
matrix: [esp-tunnel, rohc+esp-tunnel]
campaign:
  blocks: 6
  messages_per_cell: 4
  limits:
    latency_median: {regression: 20 %}
    uplink_bytes: {max: 200 B}
"""


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def free_port() -> int:
    """A TCP port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def get(url: str, accept: str = "text/plain") -> str:
    """What a server answers."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Wait for something that other processes do."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {timeout_s} s: {what}"
        time.sleep(0.2)


def answers(url: str) -> Callable[[], bool]:
    """Whether a server is there."""

    def asked() -> bool:
        try:
            get(url)
        except OSError:
            return False
        return True

    return asked


class Bench:
    """The processes, started one after the other; also a context manager that ends them.

    Args:
        folder: an empty one, for everything that they write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Where they write."""
        self._started: list[subprocess.Popen[str]] = []
        self._logs: list[IO[str]] = []
        self.exporters: dict[str, str] = {}
        """Addresses of ``/metrics`` by name."""
        self.gateway = f"http://127.0.0.1:{free_port()}"
        """The Pushgateway."""
        self.prometheus = f"http://127.0.0.1:{free_port()}"
        """Prometheus."""
        self.hses: dict[str, dict[str, str]] = {}
        """Each HSE's addresses."""
        self.runs: dict[str, subprocess.Popen[str]] = {}
        """Runs by name."""

    def start(self, name: str, *command: str, stdout: int | IO[str] | None = None) -> Any:
        """Start a process; what it says on standard error goes to ``NAME.log``."""
        log = (self.folder / f"{name}.log").open("w+")
        self._logs.append(log)
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log if stdout is None else stdout,
            stderr=log,
            text=True,
            env={key: value for key, value in os.environ.items() if "TESTBED_" not in key}
            | {"COLUMNS": "200"},
        )
        self._started.append(process)
        return process

    def testbed(self, name: str, *arguments: str, stdout: int | IO[str] | None = None) -> Any:
        """Start one of our commands."""
        return self.start(name, sys.executable, "-c", COMMAND, *arguments, stdout=stdout)

    def log(self, name: str) -> str:
        """What a process has said so far."""
        return (self.folder / f"{name}.log").read_text()

    def open(self) -> None:
        """Start everything: gateway, HSE, runs, and Prometheus that scrapes them."""
        self.start(
            "gateway",
            "prometheus-pushgateway",
            f"--web.listen-address={self.gateway.removeprefix('http://')}",
        )
        (self.folder / "secret.txt").write_text(SECRET + "\n")
        (self.folder / "secret.txt").chmod(0o600)
        more = ("--metrics-port", "0", "--rohc-feedback", "stand-alone", "--soft-packets", "2")
        self._serve("hse", *more)
        gone = self._serve("gone")
        self.exporters["hse"] = f"http://{self.hses['hse']['metrics']}/metrics"
        for plan in RUNS:
            self.runs[plan.name] = self._run(plan)
        for name in self.runs:
            wait_until(lambda name=name: "metrics: " in self.log(name), f"{name} serves metrics")
            self.exporters[name] = self.log(name).partition("metrics: ")[2].split()[0]
        self._start_prometheus()
        wait_until(self._lonely_has_keys, "lonely has an answer under each key")
        gone.kill()

    def _lonely_has_keys(self) -> bool:
        """An HSE that a run has never heard ends it; one that goes later does not."""
        answered = [
            line
            for line in get(self.exporters["lonely"]).splitlines()
            if 'outcome="answered"' in line and 'security="esp-tunnel"' in line
        ]
        return all(
            any(f'compression="{name}"' in line for line in answered) for name in ("none", "rohc")
        )

    def _serve(self, name: str, *options: str) -> Any:
        """Start an HSE."""
        command = ("hse", "--port", "0", "--json", "--secret-file", "secret.txt", *options)
        process = self.testbed(name, *command, stdout=subprocess.PIPE)
        line = process.stdout.readline()
        assert line, self.log(name)
        self.hses[name] = json.loads(line)
        return process

    def _run(self, plan: Plan) -> Any:
        """Start a run on a virtual module."""
        keys = "keys: aka"
        if plan.hse is not None:
            hse = self.hses[plan.hse]
            rohc, plain = (hse[port].rpartition(":")[2] for port in ("rohc", "plain"))
            keys = (
                f"hse: {{address: '{hse['esp']}', rohc_port: {rohc}, plain_port: {plain},"
                f" secret: '{SECRET}', test: true}}"
            )
        text = BENCH.format(
            name=plan.name, family=plan.family, keys=keys, blocks=plan.blocks, pace=plan.pace
        )
        (self.folder / f"{plan.name}.yaml").write_text(text)
        return self.testbed(
            plan.name,
            *("run", "--bench", f"{plan.name}.yaml", "--runs", f"runs-{plan.name}"),
            *("--metrics-port", "0"),
        )

    def _start_prometheus(self) -> None:
        """Prometheus with the shipped configuration, only quicker, and with our targets."""
        place = self.folder / "prometheus"
        shutil.copytree(FILES / "prometheus", place)
        config = (place / "prometheus.yml").read_text()
        for name in ("scrape_interval: 5s", "evaluation_interval: 15s"):
            assert name in config
            config = config.replace(name, f"{name.partition(':')[0]}: 1s")
        (place / "prometheus.yml").write_text(config)
        hosts = {name: urllib.parse.urlsplit(url).netloc for name, url in self.exporters.items()}
        targets = {
            "runs": [host for name, host in hosts.items() if name != "hse"],
            "hse": [hosts["hse"]],
            "gateway": [urllib.parse.urlsplit(self.gateway).netloc],
        }
        for job, group in targets.items():
            text = json.dumps([{"targets": group}])
            (place / "targets" / f"{job}.yml").write_text(text)
        self.start(
            "prometheus",
            "prometheus",
            f"--config.file={place / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}",
            f"--web.listen-address={self.prometheus.removeprefix('http://')}",
            "--enable-feature=exemplar-storage",
        )
        wait_until(answers(f"{self.prometheus}/-/ready"), "Prometheus is ready")
        wait_until(answers(f"{self.gateway}/-/ready"), "the Pushgateway is ready")

    def disturb(self) -> None:
        """Send the HSE something that it refuses, and tells that it knows no such association."""
        host, _, port = self.hses["hse"]["esp"].rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(1, 4):
                packet = bytes.fromhex("0badcafe") + number.to_bytes(4, "big") + bytes(40)
                sender.sendto(packet, (host, int(port)))

    def suite(self) -> list[str]:
        """Run the suite twice, the second time against the first; what each said."""
        (self.folder / "suite.yaml").write_text(SUITE)
        said = []
        for number in range(2):
            more = () if number == 0 else ("--baseline", str(self._suite_run()))
            process = self.testbed(
                f"suite-{number}",
                *("run", "--bench", "suite.yaml", "--runs", "runs-suite", "--json"),
                *("--pushgateway", self.gateway, *more),
            )
            process.wait(timeout=60)
            said.append(self.log(f"suite-{number}"))
        return said

    def scraped(self) -> None:
        """Wait until Prometheus has come to every target, and to the gateway after the suite.

        It takes targets from files once in five seconds: the suite may be over sooner.
        """

        def seen() -> bool:
            targets = self.api("targets")["activeTargets"]
            return len(targets) == len(RUNS) + 2 and all(
                target["health"] != "unknown" for target in targets
            )

        wait_until(seen, "Prometheus has come to every target")
        wait_until(lambda: self.values("testbed_suite_grade"), "what the suite pushed is scraped")

    def _suite_run(self) -> Path:
        (run,) = (self.folder / "runs-suite").iterdir()
        return run

    def api(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus; what its answer holds as data."""
        query = urllib.parse.urlencode(parameters)
        try:
            answer = json.loads(get(f"{self.prometheus}/api/v1/{path}?{query}", "application/json"))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        assert answer["status"] == "success", answer
        return answer["data"]

    def values(self, expression: str) -> list[float]:
        """An expression's values now."""
        found = self.api("query", query=expression)["result"]
        return [float(series["value"][1]) for series in found]

    def close(self) -> None:
        """End every process that was started; a run has nothing more to say."""
        for process in self.runs.values():
            process.kill()
        for process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in reversed(self._started):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for log in self._logs:
            log.close()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
