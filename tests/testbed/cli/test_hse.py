"""``testbed hse`` as a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.cli.conftest import Done

Start = Callable[..., "subprocess.Popen[str]"]


def serve(start: Any, *options: str) -> dict[str, str]:
    """Start an HSE on free ports and give its addresses."""
    process = start("hse", "--port", "0", "--json", *options)
    line = process.stdout.readline()
    assert line, process.stderr.read()
    addresses: dict[str, str] = json.loads(line)
    addresses["pid"] = str(process.pid)
    return addresses


def ports(hse: dict[str, str]) -> str:
    rohc, plain = (hse[name].rpartition(":")[2] for name in ("rohc", "plain"))
    return f"hse: {{address: '{hse['esp']}', rohc_port: {rohc}, plain_port: {plain}"


def test_several_ues_run_against_one_hse_at_once(start: Start, tmp_path: Path) -> None:
    names = [f"ue-{number}" for number in range(4)]
    (tmp_path / "subscribers.yaml").write_text(
        "".join(f"{name}: hex:{number:032x}\n" for number, name in enumerate(names, 1))
    )
    process = start("hse", "--port", "0", "--json", "--subscribers", "subscribers.yaml")
    assert process.stdout is not None
    hse = json.loads(process.stdout.readline())
    runs = []
    for number, name in enumerate(names, 1):
        bench = tmp_path / f"{name}.yaml"
        bench.write_text(
            f"{ports(hse)}, secret: 'hex:{number:032x}'}}\n"
            f"identity: {name}\n"
            "matrix: [none, rohc, esp-transport, esp-tunnel, rohc+esp-tunnel]\n"
            "traffic: {messages: 4}\n"
        )
        runs.append(start("run", "--bench", bench.name, "--json", "--runs", f"runs-{name}"))
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert run.returncode == 0, err
        for row in json.loads(out)["configurations"]:
            assert (row["messages"], row["answered"]) == (4, 4), row
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    counts = json.loads(out)
    assert counts["delivered"] == {"plain": 16, "rohc": 16, "esp": 48}
    assert counts["answered"] == counts["delivered"]
    assert counts["exchanges"] == 12
    assert counts["rejected"] == {}


def test_no_key_is_written_down_for_a_secret_that_is_no_test_secret(
    start: Start, testbed: Callable[..., Done], secret_file: Path
) -> None:
    hse = serve(start, "--secret-file", str(secret_file))
    options = (
        *("run", "--hse", hse["esp"], "--secret-file", str(secret_file)),
        *("-c", "esp-tunnel", "-n", "1", "--time-scale", "50", "--json"),
    )
    quiet = Path(testbed(*options).json["directory"])
    assert not (quiet / "esp_sa").exists()
    told = Path(testbed(*options, "--export-keys").json["directory"])
    assert (told / "esp_sa").stat().st_mode & 0o777 == 0o600
    secret = secret_file.read_text().strip().removeprefix("hex:")
    for run in (quiet, told):
        for path in (path for path in run.rglob("*") if path.is_file()):
            assert secret.encode() not in path.read_bytes(), path
            assert bytes.fromhex(secret) not in path.read_bytes(), path


def test_an_hse_says_where_it_listens(start: Start, secret_file: Path) -> None:
    process = start("hse", "--port", "0", "--secret-file", str(secret_file))
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(3)]
    assert [name for name, _ in lines] == ["esp", "rohc", "plain"]
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", address) for _, address in lines)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def test_metrics_of_an_hse_count_what_passed(
    start: Start, testbed: Callable[..., Done], secret_file: Path
) -> None:
    hse = serve(start, "--secret-file", str(secret_file), "--metrics-port", "0")
    done = testbed(
        *("run", "--hse", hse["esp"], "--secret-file", str(secret_file)),
        *("-c", "esp-tunnel", "-n", "3", "--time-scale", "50", "--json"),
    )
    assert done.code == 0, done.err
    text = scrape(f"http://{hse['metrics']}/metrics")
    assert re.search(r'testbed_hse_delivered\w*_total\{[^}]*port="esp"[^}]*\} 3\.0', text), text


def test_metrics_of_a_run_can_be_scraped_while_it_runs(start: Start, tmp_path: Path) -> None:
    from tests.testbed.cli.conftest import wait_for_messages

    process = start("run", "-n", "5000", "-c", "none", "--metrics-port", "0", "--runs", "runs")
    assert process.stderr is not None
    url = process.stderr.readline().split()[-1]
    wait_for_messages(tmp_path / "runs", 5, process)
    text = scrape(url)
    found = re.search(r'testbed_messages_total\{[^}]*configuration="none"|security="none"', text)
    assert found, text
    assert 'origin="virtual"' in text
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("port", ["esp", "plain"])
def test_a_port_in_use_ends_an_hse_with_a_lab_fault(
    start: Start, secret_file: Path, port: str
) -> None:
    hse = serve(start, "--secret-file", str(secret_file))
    taken = hse[port].rpartition(":")[2]
    options = {"esp": ("--port", taken), "plain": ("--port", "0", "--plain-port", taken)}
    process = start("hse", "--secret-file", str(secret_file), *options[port])
    _, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert f"cannot listen on 127.0.0.1:{taken}" in err
    assert "Traceback" not in err
