"""The long rows: the same tests and benchmarks as everywhere, with larger numbers.

    python tests/proof.py list
    python tests/proof.py NAME [NAME ...]
    python tests/proof.py all [--resume]

Each writes ``docs/proof/NAME.json``: the command, the commit, the seconds and the figures. A proof
of tests counts them and adds up what they recorded (``record_property("figure: ...", number)``); a
proof of a benchmark takes its JSON object. ``--resume`` leaves out those whose file names the
present commit. A proof that fails writes nothing and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "proof"
FIGURE = "figure: "


@dataclass(frozen=True)
class Proof:
    """One long row."""

    what: str
    """What it shows, in a line."""
    arguments: tuple[str, ...]
    """Of pytest, or a benchmark's path and options."""
    environment: dict[str, str] = field(default_factory=dict)
    """What makes the numbers large."""

    @property
    def is_benchmark(self) -> bool:
        return self.arguments[0].startswith("benchmarks/")

    def command(self, junit: Path | None = None) -> list[str]:
        if self.is_benchmark:
            return [sys.executable, *self.arguments, "--json"]
        report = [f"--junitxml={junit}"] if junit is not None else []
        return [sys.executable, "-m", "pytest", "-q", *self.arguments, *report]

    @property
    def shown(self) -> str:
        """The command as a person gives it."""
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        return " ".join([*settings, "python", *self.command()[1:]])


PROOFS = {
    "kills": Proof(
        "senders, receivers and authentication centres killed at random: no number reused, no "
        "packet delivered twice",
        ("tests/esp/test_store.py", "tests/esp/aka/test_centre.py", "-k", "killed"),
        {"TESTBED_PROOF_SCALE": "42"},
    ),
    "hostile": Proof(
        "100,000 hostile packets over five suites, mixed with good ones: none gets in",
        ("tests/esp/test_hostile.py",),
        {"TESTBED_PROOF_SCALE": "31"},
    ),
    "hostile-hse": Proof(
        "100,000 hostile packets of ten kinds over five suites through the HSE's gateway",
        ("tests/testbed/hse/test_hostile_gateway.py",),
        {"TESTBED_PROOF_SCALE": "20"},
    ),
    "hostile-rate": Proof(
        "good packets' rate at the HSE among as many hostile ones, of their rate alone",
        ("benchmarks/bench_hostile.py",),
    ),
    "hse-kills": Proof(
        "an HSE with durable state killed under load, all that was recorded played to the next",
        ("tests/testbed/cli/test_hse_killed.py",),
        {"TESTBED_PROOF_SCALE": "25"},
    ),
    "hse-walks": Proof(
        "random lives of an HSE, its disk and its UEs against a model, killed at any operation",
        ("tests/testbed/hse/test_random_lives.py", "-k", "no_walk"),
        {"TESTBED_PROOF_SCALE": "15"},
    ),
    "aka-attacker": Proof(
        "10,000 attacks on each message and field of the exchange with AKA, under 30 % loss",
        ("tests/esp/keying/test_aka_attacker.py",),
        {"TESTBED_PROOF_SCALE": "20"},
    ),
    "aka-sessions": Proof(
        "10,000 sessions with AKA, crashes and resynchronisations between: no key, no IV repeats",
        ("tests/esp/keying/test_aka_sessions.py",),
        {"TESTBED_PROOF_SCALE": "40"},
    ),
    "campaign-kills": Proof(
        "a campaign killed at 50 random moments and resumed: every message in the journal once",
        ("tests/testbed/cli/test_campaign_killed.py",),
        {"TESTBED_PROOF_SCALE": "10"},
    ),
    "wrong-packets": Proof(
        "wrong packets under loss and reordering, without and with the ROHC ICV",
        ("benchmarks/wrong_packets.py",),
    ),
    "loss-matrix": Proof(
        "ROHC on bad channels, seeds 0 to 11: right, rejected, silently wrong",
        ("benchmarks/loss_matrix.py",),
    ),
    "rohc-fuzz": Proof(
        "half a million damaged ROHC packets and as many feedback elements: nothing but RohcError",
        ("benchmarks/fuzz_rohc.py", "--packets", "500000"),
    ),
    "rohc-flows": Proof(
        "arbitrary header changes in flows of every ROHC profile and mode: each packet comes back",
        ("tests/rohc/test_any_changes.py",),
        {"ROHC_FLOW_EXAMPLES": "400"},
    ),
    "aa": Proof(
        "A/A campaigns in virtual time with autocorrelated radio, seeds 0 to 199: false alarms",
        ("benchmarks/aa.py", "--seeds", "200"),
    ),
    "aa-simulated": Proof(
        "the same with drawn values, and how often a true change of 10 % is found",
        ("benchmarks/aa.py", "--simulated", "--seeds", "200"),
    ),
    "kernel": Proof(
        "a live Linux kernel at the other end of our ESP",
        ("tests/peers/test_esp_linux.py",),
        {"TESTBED_REQUIRE_PEERS": "1"},
    ),
    "at-fuzz": Proof(
        "mangled real exchanges and late answers on the AT engine and every driver",
        (
            "tests/firmware_bridge/modules/test_fuzzing.py",
            "tests/firmware_bridge/at/test_engine_late_answers.py",
        ),
        {"AT_FUZZ_EXAMPLES": "3000"},
    ),
}


def commit() -> str:
    """The checkout's commit, with ``+`` where files were changed."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", ":!docs/proof")
    return git("rev-parse", "HEAD") + ("+" if changed else "")


def figures_of(junit: Path) -> dict[str, float]:
    """Tests counted, and what they recorded added up."""
    root = ElementTree.parse(junit).getroot()
    found: dict[str, float] = {"tests": 0, "skipped": 0}
    for case in root.iter("testcase"):
        found["skipped" if case.find("skipped") is not None else "tests"] += 1
        for entry in case.iter("property"):
            name = entry.get("name", "")
            if name.startswith(FIGURE):
                key = name.removeprefix(FIGURE)
                found[key] = found.get(key, 0) + float(entry.get("value", "0"))
    return {name: int(value) if value == int(value) else value for name, value in found.items()}


def run(name: str) -> bool:
    """Run one proof and write its file; whether it held."""
    proof = PROOFS[name]
    sys.stdout.write(f"== {name}: {proof.what}\n   {proof.shown}\n")
    sys.stdout.flush()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        done = subprocess.run(
            proof.command(None if proof.is_benchmark else junit),
            cwd=ROOT,
            env=os.environ | proof.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode != 0:
            sys.stdout.write(done.stdout[-3000:])
            return False
        if proof.is_benchmark:
            figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["figures"]
        else:
            figures = figures_of(junit)
    record = {
        "name": name,
        "what": proof.what,
        "command": proof.shown,
        "commit": commit(),
        "seconds": round(seconds, 1),
        "figures": figures,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=2) + "\n"
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return True


def proven(name: str) -> bool:
    """Whether the present commit has this proof already."""
    try:
        record = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(record.get("commit") == commit())


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="The long rows, each leaving docs/proof/NAME.json")
    parser.add_argument("names", nargs="+", help=f"list, all, or: {', '.join(PROOFS)}")
    parser.add_argument("--resume", action="store_true", help="leave out what is proven")
    options = parser.parse_args()
    if options.names == ["list"]:
        for name, proof in PROOFS.items():
            sys.stdout.write(f"{name:14} {proof.what}\n")
        return
    names = list(PROOFS) if options.names == ["all"] else options.names
    unknown = sorted(set(names) - set(PROOFS))
    if unknown:
        parser.error(f"unknown proof {unknown[0]!r}: known are {', '.join(PROOFS)}")
    failed = [name for name in names if not (options.resume and proven(name)) and not run(name)]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
