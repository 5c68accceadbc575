"""``testbed hse`` with the keys of USIMs: runs against it, and what survives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.results import JournalReader
from tests.testbed.cli.conftest import Done

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., Done]
KEYS = """schema_version: 1
subscribers:
  - identity: meter-17
    k: hex:8baf473f2f8fd09487cccbd7097c6862
    opc: hex:{opc}
"""
OPC = "8e27b6af0e692e750f32667a3b14605d"


def keys(path: Path, opc: str = OPC, mode: int = 0o600) -> Path:
    path.write_text(KEYS.format(opc=opc))
    path.chmod(mode)
    return path


def begin(start: Start, *options: str, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    where = ("--port", str(port), "--rohc-port", "0", "--plain-port", "0")
    process = start("hse", "--json", *options, *where)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()
    return process, int(json.loads(line)["esp"].rpartition(":")[2])


def counts(process: subprocess.Popen[str]) -> dict[str, Any]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def against(testbed: Run, port: int, file: Path, *more: str) -> Done:
    return testbed(
        *("run", "--json", "--keys", "aka", "--identity", "meter-17", "--subscribers", str(file)),
        *("--hse", f"127.0.0.1:{port}", "-c", "esp-tunnel", "-n", "2", "--time-scale", "100"),
        *more,
    )


def sessions(done: Done) -> list[dict[str, Any]]:
    journal = Path(done.json["directory"]) / "journal.jsonl"
    return [one for one in JournalReader(journal) if one["kind"] == "session"]


def test_sequence_numbers_survive_a_kill_of_the_hse(
    testbed: Run, start: Start, tmp_path: Path
) -> None:
    """A soft USIM and a virtual card are new at each run, so it is the HSE's numbers that grow."""
    file = keys(tmp_path / "keys.yaml")
    options = ("--subscribers", str(file), "--state", str(tmp_path / "state"))
    process, port = begin(start, *options)
    first = against(testbed, port, file)
    assert first.code == 0, first.err
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=20)
    log = (tmp_path / "state" / "numbers.log").read_bytes()
    process, port = begin(start, *options, port=port)
    second = against(testbed, port, file, "--usim", "soft")
    assert second.code == 0, second.err
    told = counts(process)
    assert (told["exchanges"], told["rejected"]) == (1, {})
    assert [one["usim"] for one in (*sessions(first), *sessions(second))] == ["csim", "soft"]
    assert all(one["resynchronisations"] == 0 for one in (*sessions(first), *sessions(second)))
    assert len((tmp_path / "state" / "numbers.log").read_bytes()) > len(log)
    for secret in (bytes.fromhex(OPC), b"8baf473f2f8fd09487cccbd7097c6862"):
        assert secret not in log
    assert not (Path(first.json["directory"]) / "esp_sa").exists()


def test_another_key_at_the_hse_is_told_on_both_sides(
    testbed: Run, start: Start, tmp_path: Path
) -> None:
    theirs = keys(tmp_path / "theirs.yaml", opc="00" * 16)
    process, port = begin(start, "--subscribers", str(theirs))
    done = against(testbed, port, keys(tmp_path / "ours.yaml"), "--time-scale", "1000")
    assert done.code == 2
    assert "not its home network's" in done.err
    assert "same K, OPc and algorithm" in done.err
    told = counts(process)
    assert set(told["rejected"]) == {"esp/challenge-refused"}
    assert told["exchanges"] == 0


def test_both_kinds_of_keys_are_served_at_once(
    testbed: Run, start: Start, tmp_path: Path, secret_file: Path
) -> None:
    file = keys(tmp_path / "keys.yaml")
    options = ("--subscribers", str(file), "--secret-file", str(secret_file))
    process, port = begin(start, *options)
    assert against(testbed, port, file).code == 0
    hello = testbed(
        *("run", "--json", "--hse", f"127.0.0.1:{port}", "--secret-file", str(secret_file)),
        *("-c", "esp-tunnel", "-n", "2", "--time-scale", "100"),
    )
    assert hello.code == 0, hello.err
    impostor = testbed(
        *("run", "--json", "--hse", f"127.0.0.1:{port}", "--secret-file", str(secret_file)),
        *("--identity", "meter-17", "-c", "esp-tunnel", "-n", "2", "--time-scale", "1000"),
    )
    assert impostor.code == 2  # the secret that all share proves nobody who has a USIM
    assert "unknown-identity" in impostor.err
    assert counts(process)["exchanges"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["hse", "--subscribers", "open.yaml"], "others than its owner may use it"),
        (["hse", "--subscribers", "broken.yaml"], "not valid YAML"),
        (["hse", "--vectors", "ready.jsonl"], "without --state nothing remembers"),
        (["hse", "--vectors", "http://192.0.2.1/hse", "--port", "0"], "in the clear"),
        (["hse", "--vectors-token", "token"], "an HSE needs to know its UEs"),
        (["run", "--subscribers", "keys.yaml"], "without keys: aka"),
        (["run", "--keys", "aka", "--subscribers", "keys.yaml"], "no subscriber with the bench's"),
        (["run", "--keys", "aka", "--subscribers", "open.yaml"], "others than its owner"),
        (["run", "--keys", "aka", "--subscribers", "missing.yaml"], "missing.yaml"),
        (["run", "--keys", "aka", "--hse", "192.0.2.1:4500"], "both have to know the same key"),
        (["run", "--keys", "aka", "--usim", "soft", "--usim-path", "csim"], "usim is soft"),
        (
            [
                *("run", "--keys", "aka", "--port", "/dev/ttyUSB0", "--hse", "192.0.2.1:4500"),
                *("--subscribers", "keys.yaml"),
            ],
            "the card in the module has its own key",
        ),
        (["run", "--keys", "magic"], "'aka'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_about_keys_is_named_without_showing_one(
    testbed: Run, tmp_path: Path, options: list[str], said: str
) -> None:
    keys(tmp_path / "keys.yaml")
    keys(tmp_path / "open.yaml", mode=0o644)
    broken = tmp_path / "broken.yaml"
    broken.write_text(KEYS.format(opc=OPC) + "  - identity: [" + OPC)
    broken.chmod(0o600)
    done = testbed(*options)
    assert done.code == 2, done.err
    told = " ".join((done.out + done.err).split())
    assert said in told
    assert OPC not in told
    assert "Traceback" not in told
