"""``testbed run`` as a user runs it: the table, the run directory, the bytes."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.virtual import ModuleSettings
from testbed.cli import main
from testbed.packets import parse_udp_packet
from testbed.results import JournalReader, RunDirectory
from testbed.results.capture_reader import CaptureReader
from testbed.traffic import generated_traffic
from tests.testbed.cli.conftest import Done

Run = Callable[..., Done]
DATA = Path(__file__).parents[2] / "data"
CAPTURE = DATA / "traffic" / "thermostat.pcapng"
ALL = ("none", "rohc", "esp-transport", "esp-tunnel", "rohc+esp-tunnel")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The table of one run of every configuration over a device's capture."""
    chosen = [word for name in ALL for word in ("-c", name)]
    return run_json(
        tmp_path_factory.mktemp("everything"), "--traffic", str(CAPTURE), "-n", "12", *chosen
    )


def run_json(runs: Path, *arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(["run", "--json", "--runs", str(runs), *arguments])
    assert not ended.value.code
    table: dict[str, Any] = json.loads(out.getvalue())
    return table


def test_without_any_option_the_demo_runs_and_says_where_the_report_is(testbed: Run) -> None:
    done = testbed("run", "-n", "3")
    assert done.code == 0, done.err
    for name in ("none", "esp-tunnel", "rohc+esp-tunnel"):
        assert name in done.out
    assert "ROHC saves" in done.out
    assert "estimated" in done.out
    assert "modelled" in done.out
    (run,) = Path("runs").iterdir()
    assert f"{run}/report.html" in done.out
    assert (run / "report.html").stat().st_size > 1_000_000  # its plots are inside
    assert {path.name for path in run.iterdir()} == {
        "manifest.json",
        "journal.jsonl",
        "messages.parquet",
        "capture.pcapng",
        "esp_sa",
        "report.html",
        "trace",
    }


def test_every_configuration_carries_a_devices_capture(everything: dict[str, Any]) -> None:
    rows = everything["configurations"]
    assert [row["configuration"] for row in rows] == list(ALL)
    for row in rows:
        assert (row["messages"], row["answered"], row["lost"]) == (12, 12, 0), row
    header = {row["configuration"]: row["uplink_bytes_per_message"]["header"] for row in rows}
    # 28: the module's own headers. 8 UDP, 34 ESP and its alignment, 40 inner IPv6.
    assert header["none"] == 28
    assert header["esp-transport"] == pytest.approx(28 + 8 + 34, abs=4)
    assert header["esp-tunnel"] == pytest.approx(header["esp-transport"] + 40, abs=0.01)
    assert header["none"] < header["rohc"] < header["esp-transport"]
    assert header["rohc+esp-tunnel"] < header["esp-tunnel"]


def test_each_message_is_in_the_capture_with_the_size_that_its_layers_sum_to(
    everything: dict[str, Any],
) -> None:
    run = RunDirectory.open(everything["directory"])
    sizes: dict[str, Counter[int]] = {"ue-up": Counter(), "ue-down": Counter()}
    for packet in CaptureReader(run.capture_path):
        if packet.interface.name != "ue":
            continue
        inner = parse_udp_packet(packet.data)
        keying = inner.payload.startswith(b"\0\0\0\0")
        if not keying:
            up = inner.source_text != "127.0.0.1"
            sizes["ue-up" if up else "ue-down"][len(packet.data)] += 1
    counted: dict[str, Counter[int]] = {"ue-up": Counter(), "ue-down": Counter()}
    for record in JournalReader(run.journal_path):
        if record["kind"] == "message":
            counted["ue-up"][sum(record["uplink_bytes"].values())] += 1
            counted["ue-down"][sum(record["downlink_bytes"].values())] += 1
    assert sizes == counted
    assert sizes["ue-up"].total() == 5 * 12


def test_both_sides_of_the_bench_are_in_the_capture(everything: dict[str, Any]) -> None:
    run = RunDirectory.open(everything["directory"])
    payloads: dict[str, list[bytes]] = {"ue": [], "hse": []}
    for packet in CaptureReader(run.capture_path):
        payloads[packet.interface.name].append(parse_udp_packet(packet.data).payload)
    assert sorted(payloads["ue"]) == sorted(payloads["hse"])
    assert len(payloads["ue"]) == 5 * 12 * 2 + 3 * 2  # messages, answers; three key exchanges


def test_the_journal_tells_each_stage_in_the_order_of_the_way(everything: dict[str, Any]) -> None:
    run = RunDirectory.open(everything["directory"])
    for record in JournalReader(run.journal_path):
        if record["kind"] != "message":
            continue
        stages = record["stages_s"]
        expected = {
            "submitted",
            "at_written",
            "accepted",
            "rrc_connected",
            "hse_received",
            "hse_answered",
            "received",
            "delivered",
            "released",
        }
        if record["security"] != "none":
            expected |= {"protected", "hse_verified", "unprotected"}
        if record["compression"] == "rohc":
            expected |= {"compressed", "hse_decompressed"}
        assert set(stages) == expected
        host = [
            "submitted",
            "compressed",
            "protected",
            "at_written",
            "hse_received",
            "hse_verified",
            "hse_decompressed",
            "hse_answered",
            "received",
            "unprotected",
            "delivered",
        ]
        times = [stages[name] for name in host if name in stages]
        assert times == sorted(times)
        assert stages["delivered"] == record["latency_s"]
        assert record["energy"]["kind"] == "estimated"
        assert (record.get("uplink_packet") is None) == (record["compression"] == "none")


def test_the_manifest_shows_the_module_and_masks_who_owns_it(everything: dict[str, Any]) -> None:
    text = RunDirectory.open(everything["directory"]).manifest_path.read_text()
    module = json.loads(text)["module"]
    assert module["model"] == "Quectel_BC66"
    assert module["firmware"].startswith("BC66")
    settings = ModuleSettings()
    for name, whole in (("imei", settings.imei), ("iccid", settings.card.iccid)):
        assert module[name] == "*" * (len(whole) - 4) + whole[-4:]
        for path in (p for p in Path(everything["directory"]).rglob("*") if p.is_file()):
            assert whole.encode() not in path.read_bytes(), path


def test_transport_mode_says_in_the_table_what_it_does_to_addresses(testbed: Run) -> None:
    done = testbed("run", "-n", "1", "-c", "esp-transport")
    assert done.code == 0, done.err
    assert "RFC 3948 section 3.1.2" in " ".join(done.out.split())


def test_a_bench_file_is_run_and_options_beat_it(testbed: Run, tmp_path: Path) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text(
        "name: desk-3\n"
        "matrix: [esp-tunnel]\n"
        "traffic: {messages: 2}\n"
        "module:\n"
        "  virtual:\n"
        "    radio: {rsrp_dbm: -118}\n"
    )
    done = testbed("run", "--bench", str(bench), "--json", "-n", "3")
    assert done.code == 0, done.err
    (row,) = done.json["configurations"]
    assert (row["configuration"], row["messages"]) == ("esp-tunnel", 3)
    assert done.json["run"]["bench"] == "desk-3"
    records = list(JournalReader(Path(done.json["directory"]) / "journal.jsonl"))
    assert {record["radio"]["ecl"] for record in records if record["kind"] == "message"} == {1}


def test_the_environment_stands_between_file_and_option(
    testbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = tmp_path / "bench.yaml"
    bench.write_text("identity: from-file\nmatrix: [none]\ntraffic: {messages: 1}\n")
    monkeypatch.setenv("TESTBED_IDENTITY", "from-environment")

    def identity(*more: str) -> str:
        done = testbed("run", "--bench", str(bench), "--json", *more)
        manifest = json.loads((Path(done.json["directory"]) / "manifest.json").read_text())
        return str(manifest["config"]["identity"])

    assert identity() == "from-environment"
    assert identity("--identity", "from-option") == "from-option"


def test_release_assistance_shortens_the_radio_tail(testbed: Run, tmp_path: Path) -> None:
    tails = {}
    for assistance in ("none", "after-downlink"):
        bench = tmp_path / f"{assistance}.yaml"
        bench.write_text(
            f"module: {{release_assistance: {assistance}}}\nmatrix: [none]\n"
            "traffic: {messages: 2}\n"
        )
        done = testbed("run", "--bench", str(bench), "--json")
        records = list(JournalReader(Path(done.json["directory"]) / "journal.jsonl"))
        stages = [one["stages_s"] for one in records if one["kind"] == "message"]
        tails[assistance] = max(one["released"] - one["received"] for one in stages)
    assert tails["after-downlink"] < 1.0
    assert tails["none"] == pytest.approx(20.0, abs=1.5)  # the network's inactivity timer


@pytest.mark.parametrize("name", ["rohc", "rohc+esp-tunnel"])
def test_at_the_captures_pace_the_module_sleeps_between_messages_and_rohc_goes_on(
    tmp_path: Path, name: str
) -> None:
    table = run_json(tmp_path, "-n", "5", "--pace", "capture", "-c", name)
    records = list(JournalReader(Path(table["directory"]) / "journal.jsonl"))
    messages = [record for record in records if record["kind"] == "message"]
    assert {record["outcome"] for record in messages} == {"answered"}
    gaps = [
        later["submitted_at_s"] - earlier["submitted_at_s"]
        for earlier, later in itertools.pairwise(messages)
    ]
    source = [message.time_s for message in generated_traffic(messages=5, seed=1).messages]
    assert gaps == pytest.approx(
        [later - earlier for earlier, later in itertools.pairwise(source)], abs=1.0
    )
    longest = gaps.index(max(gaps))
    assert gaps[longest] > 30.0  # long past the active time: the module lost its socket
    assert messages[longest]["energy"]["sleep_j"] > 0


def test_the_same_bench_gives_the_same_bytes_and_nearly_the_same_times(tmp_path: Path) -> None:
    options = ("-n", "8", "-c", "rohc+esp-tunnel")
    ((one,), (other,)) = (run_json(tmp_path, *options)["configurations"] for _ in range(2))
    assert one["uplink_bytes_per_message"] == other["uplink_bytes_per_message"]
    assert one["downlink_bytes_per_message"] == other["downlink_bytes_per_message"]
    medians = [row["latency"]["median"]["value_s"] for row in (one, other)]
    assert medians[0] == pytest.approx(medians[1], rel=0.1)


def run_rohc(tmp_path: Path, mode: str, feedback: str) -> dict[str, Any]:
    table = run_json(
        tmp_path,
        *("-n", "12", "-c", "rohc", "-c", "rohc+esp-tunnel"),
        *("--rohc-mode", mode, "--rohc-feedback", feedback),
    )
    for row in table["configurations"]:
        assert row["answered"] == 12, row
    return table


def test_feedback_saves_bytes_and_in_packets_of_its_own_costs_transmissions(
    tmp_path: Path,
) -> None:
    tables = {
        (mode, way): run_rohc(tmp_path, mode, way)
        for mode, way in (("U", "piggyback"), ("O", "piggyback"), ("O", "stand-alone"))
    }
    for position in (0, 1):
        rows = {key: table["configurations"][position] for key, table in tables.items()}
        total = {
            key: row["uplink_bytes_per_message"]["total"]
            + row["downlink_bytes_per_message"]["total"]
            for key, row in rows.items()
        }
        assert total["O", "piggyback"] < total["U", "piggyback"]
        assert total["O", "stand-alone"] <= total["O", "piggyback"]
        assert rows["U", "piggyback"]["feedback"] is None
        assert rows["O", "piggyback"]["feedback"] is None
        alone = rows["O", "stand-alone"]["feedback"]
        assert alone["packets_up"] > 0
        assert alone["packets_down"] > 0
        assert alone["bytes_up"] >= alone["packets_up"] * 30
        assert alone["energy_kind"] == "estimated"
        assert alone["energy_j"] > 0.02 * alone["packets_up"]
    directory = Path(tables["O", "stand-alone"]["directory"])
    records = [
        one for one in JournalReader(directory / "journal.jsonl") if one["kind"] == "feedback"
    ]
    sent = [one for one in records if one["uplink_bytes"] is not None]
    assert all({"submitted", "at_written", "accepted"} <= set(one["stages_s"]) for one in sent)
    sizes = Counter(
        len(packet.data)
        for packet in CaptureReader(directory / "capture.pcapng")
        if packet.interface.name == "ue" and "feedback after" in " ".join(packet.comments)
    )
    assert sizes == Counter(sum(one["uplink_bytes"].values()) for one in sent)


def test_the_report_of_a_run_with_feedback_alone_shows_what_it_cost(tmp_path: Path) -> None:
    table = run_rohc(tmp_path, "O", "stand-alone")
    page = Path(table["report"]).read_text()
    assert "ROHC feedback in packets of its own" in page
