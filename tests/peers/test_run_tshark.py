"""tshark judges a whole run: every ESP packet of its capture decrypts, every ICV is good."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from esp import SUITES

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


READABLE = [
    name
    for name, row in SUITES.items()
    if (row.encryption in ("null", "aes-cbc", "aes-ctr") and row.integrity.startswith("hmac-"))
    or row.encryption in ("aes-gcm-8", "aes-gcm-12", "aes-gcm-16")
]
"""Suites that Wireshark can decrypt and whose ICV it can check."""
PLAIN = ("none", "rohc", "esp-transport", "esp-tunnel", "rohc+esp-tunnel")


def run(
    tmp_path: Path,
    capture: Path,
    messages: int,
    configurations: Iterable[str] = PLAIN,
    *more: str,
) -> Path:
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from testbed.cli import main; main()"),
            *("run", "--json", "--traffic", str(capture), "--messages", str(messages)),
            *("--runs", str(tmp_path)),
            *(word for name in configurations for word in ("-c", name)),
            *more,
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


@pytest.mark.parametrize("mode", ["esp-transport", "esp-tunnel", "rohc+esp-tunnel"])
def test_the_icvs_of_every_suite_that_it_reads_are_good(
    tshark: str, tmp_path: Path, mode: str
) -> None:
    assert len(READABLE) == 37
    directory = run(tmp_path, OWN, 3, [f"{mode}/{name}" for name in READABLE])
    found = fields(tshark, directory, "esp.icv_good", "esp.icv_bad", "esp.spi")
    assert Counter((good, bad) for good, bad, _ in found) == {
        ("1", "0"): 2 * 2 * 3 * len(READABLE)  # message and answer, each seen from both sides
    }
    assert len({spi for _, _, spi in found}) == 2 * len(READABLE)


def test_the_icvs_of_a_run_with_keys_from_aka_are_good(tshark: str, tmp_path: Path) -> None:
    messages = 10
    directory = run(tmp_path, OWN, messages, PLAIN, "--keys", "aka")
    packets = fields(tshark, directory, "esp.icv_good", "esp.icv_bad", "frame.interface_name")
    assert Counter(tuple(packet) for packet in packets) == {
        ("1", "0", "ue"): 3 * 2 * messages,
        ("1", "0", "hse"): 3 * 2 * messages,
    }
    # Each of the four messages of an exchange is there, from both sides, behind the marker.
    exchanges = fields(
        tshark, directory, "udp.payload", only="udp.payload[0:4] == 00:00:00:00 && udp.port == 4500"
    )
    kinds = Counter(payload.replace(":", "")[8:10] for (payload,) in exchanges)
    assert kinds == dict.fromkeys(("21", "22", "23", "24"), 3 * 2)


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


def test_the_capture_of_a_killed_and_resumed_run_decrypts_in_both_sections(
    tshark: str, tmp_path: Path
) -> None:
    directory = run(tmp_path, OWN, 6, ["esp-tunnel", "rohc+esp-tunnel"])
    journal = directory / "journal.jsonl"
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    journal.write_text("".join(lines[:5]), encoding="utf-8")  # run, session, three messages
    subprocess.run(
        [
            *(sys.executable, "-c", "from testbed.cli import main; main()"),
            *("run", "--resume", str(directory)),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    found = fields(tshark, directory, "esp.icv_good", "esp.icv_bad", "frame.section_number")
    # Twelve messages with their answers, seen from both sides; then the nine that were left.
    assert Counter(map(tuple, found)) == {("1", "0", "1"): 12 * 4, ("1", "0", "2"): 9 * 4}
