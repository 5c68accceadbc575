"""Campaigns in virtual time: they repeat byte for byte, and agree with those on a pty."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge import FAMILIES as DRIVERS
from firmware_bridge.virtual import FAMILIES
from testbed.cli import main
from testbed.packets import parse_udp_packet
from testbed.results import JournalReader, RunDirectory
from testbed.results.capture_reader import CaptureReader

ALL = ("none", "rohc", "esp-transport", "esp-tunnel", "rohc+esp-tunnel")
CBC = "esp-tunnel/aes-cbc-128+hmac-sha2-256-128"
"""A suite whose IVs are drawn at random."""

Run = Callable[..., RunDirectory]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a bench with one more option or another."""
    monkeypatch.chdir(tmp_path)

    def go(*options: str) -> RunDirectory:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["run", "--json", *options])
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        return RunDirectory.open(json.loads(out)["directory"])

    return go


def chosen(*names: str) -> list[str]:
    return [word for name in names for word in ("-c", name)]


def records(run: RunDirectory, kind: str = "message") -> list[dict[str, Any]]:
    return [record for record in JournalReader(run.journal_path) if record["kind"] == kind]


# -- the same seed ---------------------------------------------------------------------------------


def run_apart(place: Path, hash_seed: str, *options: str) -> RunDirectory:
    """A run in a process of its own."""
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", "from testbed.cli import main; main()", "run", "--json", *options],
        cwd=place,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return RunDirectory.open(place / json.loads(done.stdout)["directory"])


def test_one_seed_gives_one_journal_byte_for_byte_in_any_process(tmp_path: Path) -> None:
    options = ("-n", "6", "--pace", "capture", "--seed", "42", *chosen(*ALL, CBC))
    one, other = (
        run_apart(tmp_path / hash_seed, hash_seed, *options) for hash_seed in ("1", "4321")
    )
    assert len(records(one)) == 6 * 6
    for name in ("journal.jsonl", "capture.pcapng", "esp_sa"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name


def test_another_seed_gives_another_journal_with_other_keys(run: Run) -> None:
    one, other = (run("-n", "2", "-c", "esp-tunnel", "--seed", seed) for seed in ("1", "2"))
    assert one.journal_path.read_bytes() != other.journal_path.read_bytes()
    keys = [set(place.esp_sa_path.read_text().splitlines()) for place in (one, other)]
    assert keys[0] and not keys[0] & keys[1]


def test_what_the_wall_says_stands_in_the_manifest_only(run: Run) -> None:
    place = run("-n", "2", "-c", "esp-tunnel")
    manifest = json.loads(place.manifest_path.read_text())
    assert manifest["time"] == {"kind": "virtual", "scale": None}
    assert manifest["test_keys"] is True
    assert any("from the seed: test keys" in note for note in manifest["notes"])
    year, host = manifest["started_at"][:5], manifest["host"]["name"]
    for path in (place.journal_path, place.esp_sa_path):
        text = path.read_text()
        assert year not in text
        assert f'"{host}"' not in text
    (record,) = records(place, "run")
    assert (record["time"], record["time_scale"]) == ("virtual", None)


# -- beside a pty ----------------------------------------------------------------------------------

BYTES = ("uplink_bytes", "downlink_bytes", "outcome", "index", "configuration")


def test_byte_columns_agree_with_those_of_a_run_on_a_pty(run: Run) -> None:
    options = ("-n", "6", *chosen(*ALL))
    virtual, pty = run(*options), run(*options, "--time-scale", "200")
    assert records(pty, "run")[0]["time"] == "scaled"
    columns = [[{name: one[name] for name in BYTES} for one in records(r)] for r in (virtual, pty)]
    assert columns[0] == columns[1]
    sizes = [
        [
            len(parse_udp_packet(packet.data).payload)
            for packet in CaptureReader(place.capture_path)
            if packet.interface.name == "ue"
        ]
        for place in (virtual, pty)
    ]
    assert sizes[0] == sizes[1]
    for one, other in zip(records(virtual), records(pty), strict=True):
        assert set(one["stages_s"]) == set(other["stages_s"])


# -- what time and its figures are -----------------------------------------------------------------


def test_host_work_takes_no_time_and_no_figure_pretends_that_it_does(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    place = run("-n", "2", "-c", "rohc+esp-tunnel")
    for record in records(place):
        stages = record["stages_s"]
        assert stages["compressed"] == stages["protected"] == stages["submitted"] == 0.0
        assert stages["hse_received"] == stages["hse_verified"] == stages["hse_answered"]
        assert stages["delivered"] > stages["hse_answered"] > stages["accepted"] > 0.0
        assert stages["released"] > stages["delivered"]
    with pytest.raises(SystemExit):
        main(["report", str(place.path)])
    table = capsys.readouterr().out
    assert "computing" not in table
    assert "virtual" in table
    page = place.report_path.read_text()
    assert "modelled in virtual time" in page
    assert "of it computing" not in page


def test_half_an_hour_of_readings_passes_and_the_module_sleeps_between_them(run: Run) -> None:
    place = run("-n", "48", "--pace", "capture", "-c", "none")
    messages = records(place)
    assert {record["outcome"] for record in messages} == {"answered"}
    assert messages[-1]["submitted_at_s"] > 1_800.0
    assert max(record["energy"]["sleep_j"] for record in messages) > 0.0


@pytest.mark.parametrize(
    ("in_file", "options", "time"),
    [
        ("time_scale: 50", ("--time", "virtual"), {"kind": "virtual", "scale": None}),
        ("time: virtual", ("--time-scale", "200"), {"kind": "scaled", "scale": 200.0}),
        ("time: virtual", ("--time", "scaled"), {"kind": "scaled", "scale": 200.0}),
        ("time_scale: 200", (), {"kind": "scaled", "scale": 200.0}),
    ],
)
def test_an_option_is_all_that_counts_about_time_and_the_file_what_is_left(
    run: Run, in_file: str, options: tuple[str, ...], time: dict[str, Any]
) -> None:
    Path("bench.yaml").write_text(f"{in_file}\nmatrix: [none]\ntraffic: {{messages: 1}}\n")
    place = run("--bench", "bench.yaml", *options)
    assert place.read_manifest().time == time
    assert [record["outcome"] for record in records(place)] == ["answered"]


@pytest.mark.parametrize("port", ["/dev/ttyUSB0", "virtual:bc66"])
def test_a_bench_that_is_not_all_inside_the_run_refuses_virtual_time(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--port", port, "--hse", "192.0.2.1:4500", "--time", "virtual"])
    assert ended.value.code == 2
    assert "time: virtual" in capsys.readouterr().err


# -- families --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(set(FAMILIES) & set(DRIVERS)))
def test_every_family_carries_every_configuration(run: Run, family: str) -> None:
    place = run("--module", family, "-n", "4", "--pace", "capture", *chosen(*ALL))
    messages = records(place)
    assert [record["configuration"] for record in messages[::4]] == list(ALL)
    assert {(record["outcome"], record["reason"]) for record in messages} == {("answered", None)}
    expected = {"submitted", "at_written", "accepted", "hse_received", "received", "delivered"}
    assert all(expected <= set(record["stages_s"]) for record in messages)
    totals = {
        name: {
            sum(one["uplink_bytes"].values()) for one in messages if one["configuration"] == name
        }
        for name in ALL
    }
    assert max(totals["none"]) < max(totals["esp-tunnel"])
    assert place.read_manifest().module["family"] == family
