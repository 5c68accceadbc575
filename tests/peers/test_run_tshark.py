"""tshark judges a whole run: every ESP packet of its capture decrypts, every ICV is good."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
THERMOSTAT = ROOT.parent / "shared" / "traffic" / "leshan-thermostat-readings.pcapng"
OWN = ROOT / "tests" / "data" / "traffic" / "thermostat.pcapng"


@pytest.fixture(scope="module")
def tshark() -> str:
    found = shutil.which("tshark")
    if found is None:
        reason = "tshark is not installed"
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run(tmp_path: Path, capture: Path, messages: int) -> Path:
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from testbed.cli import main; main()"),
            *("run", "--json", "--traffic", str(capture), "--messages", str(messages)),
            *("--runs", str(tmp_path), "-c", "none", "-c", "rohc", "-c", "esp-transport"),
            *("-c", "esp-tunnel", "-c", "rohc+esp-tunnel"),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    table = json.loads(done.stdout)
    assert all(row["answered"] == messages for row in table["configurations"])
    return Path(table["directory"])


def fields(tshark: str, directory: Path, *names: str, only: str = "esp") -> list[list[str]]:
    """What tshark says about the packets of a run, with the run's own key table."""
    options = [word for name in names for word in ("-e", name)]
    done = subprocess.run(
        [
            *(tshark, "-r", str(directory / "capture.pcapng"), "-Y", only, "-T", "fields"),
            *("-o", "esp.enable_encryption_decode:TRUE"),
            *("-o", "esp.enable_authentication_check:TRUE"),
            *options,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"WIRESHARK_CONFIG_DIR": str(directory)},
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("capture", "messages"), [(OWN, 20), (THERMOSTAT, 200)], ids=["own", "thermostat"]
)
def test_the_icvs_reported_good_are_as_many_as_the_esp_packets(
    tshark: str, tmp_path: Path, capture: Path, messages: int
) -> None:
    if not capture.exists():
        pytest.skip("the thermostat capture is not beside this checkout")
    directory = run(tmp_path, capture, messages)
    packets = fields(tshark, directory, "esp.icv_good", "esp.icv_bad", "frame.interface_name")
    verdicts = Counter(tuple(packet) for packet in packets)
    # Three configurations with ESP, a message and its answer each, seen from both sides.
    assert verdicts == {
        ("1", "0", "ue"): 3 * 2 * messages,
        ("1", "0", "hse"): 3 * 2 * messages,
    }


def test_the_icv_check_bites_on_a_wrong_key(tshark: str, tmp_path: Path) -> None:
    directory = run(tmp_path, OWN, 2)
    table = directory / "esp_sa"
    lines = table.read_text().splitlines()
    columns = lines[0].split(",")
    columns[5] = f'"0x{"00" * 20}"'
    table.write_text("\n".join([",".join(columns), *lines[1:]]) + "\n")
    verdicts = Counter(good for (good,) in fields(tshark, directory, "esp.icv_good"))
    assert verdicts["0"] > 0
    assert verdicts["1"] > 0


def test_tunnels_hold_the_devices_packets_and_transport_mode_its_datagrams(
    tshark: str, tmp_path: Path
) -> None:
    directory = run(tmp_path, OWN, 5)
    tunnels = fields(
        tshark, directory, "ipv6.src", "ipv6.dst", only='ipv6 && frame.interface_name == "ue"'
    )
    assert len(tunnels) == 2 * 5  # esp-tunnel alone shows IPv6: with ROHC it is compressed
    assert {frozenset(pair) for pair in tunnels} == {frozenset(tunnels[0])}
    inside = fields(
        tshark,
        directory,
        "udp.dstport",
        only='esp && !ipv6 && udp.dstport == 5683 && frame.interface_name == "ue"',
    )
    assert len(inside) == 5
