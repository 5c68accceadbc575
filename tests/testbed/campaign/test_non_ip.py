"""Non-IP data as the carrier of a bench: answered, exact to the octet, repeatable, brought back."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from firmware_bridge.modules.bc66 import Bc66
from testbed.analysis.summary import summarise_run
from testbed.bench import validate_bench
from testbed.campaign.plan import plan_campaign, plan_matrix
from testbed.cli import main
from testbed.errors import UsageError
from testbed.metrics import RunMetrics
from testbed.results import JournalReader, RunDirectory
from testbed.results.capture import NON_IP
from testbed.results.capture_reader import CaptureReader
from testbed.results.pcapng import LinkType

FAMILIES = ("bc66", "bc660k", "bc95")
MATRIX = ["none", "rohc", "esp-tunnel", "rohc+esp-tunnel"]
OUTER = 28
"""IPv4 and UDP header that a module's UDP socket writes."""

Run = Callable[..., RunDirectory]


def module(family: str = "bc660k", **more: Any) -> dict[str, Any]:
    return {"family": family, "port": f"virtual:{family}"} | more


def bench(family: str = "bc660k", matrix: list[str] | None = None, **more: Any) -> dict[str, Any]:
    described = {"module": module(family, pdp_type="non-ip"), "matrix": matrix or MATRIX}
    return described | {"traffic": {"messages": 3}} | more


def records(place: RunDirectory, kind: str = "message") -> list[dict[str, Any]]:
    return [record for record in JournalReader(place.journal_path) if record["kind"] == kind]


@pytest.mark.parametrize("family", FAMILIES)
def test_messages_are_answered_and_lack_exactly_the_outer_headers(run: Run, family: str) -> None:
    bare = run(**bench(family))
    with_ip = run(**bench(family) | {"module": module(family)})
    messages, others = records(bare), records(with_ip)
    assert len(messages) == len(MATRIX) * 3
    assert {message["outcome"] for message in messages} == {"answered"}
    for message, other in zip(messages, others, strict=True):
        for way in ("uplink_bytes", "downlink_bytes"):
            layers, full = message[way], other[way]
            assert layers["outer_ip"] == layers["outer_udp"] == 0
            assert full == layers | {"outer_ip": 20, "outer_udp": 8}
    exchanges, full_exchanges = records(bare, "session"), records(with_ip, "session")
    for one, other in zip(exchanges, full_exchanges, strict=True):
        # Each of its two messages keeps the marker, by which the HSE's port tells them from ESP.
        assert one["layers_up"] == other["layers_up"] | {"outer_ip": 0, "outer_udp": 0}
        assert one["layers_up"]["marker"] == one["layers_down"]["marker"] == 4
        assert other["bytes_up"] - one["bytes_up"] == OUTER
    # What of it the radio carried: fewer octets take less energy.
    spent = [sum(one["energy"]["total_j"] for one in group) for group in (messages, others)]
    assert spent[0] < spent[1]


def test_the_capture_has_the_octets_as_they_went_and_the_hse_sees_udp(run: Run) -> None:
    place = run(**bench())
    sent = [sum(message["uplink_bytes"].values()) for message in records(place)]
    reader = CaptureReader(place.capture_path)
    packets = list(reader)
    ue = [packet for packet in packets if NON_IP in packet.comments]
    hse = [packet for packet in packets if NON_IP not in packet.comments]
    assert {packet.interface.link_type for packet in ue} == {LinkType.USER0}
    assert {packet.interface.link_type for packet in hse} == {LinkType.RAW}
    assert sorted(len(packet.data) + OUTER for packet in ue) == sorted(
        len(packet.data) for packet in hse
    )
    up = [len(packet.data) for packet in ue if ": message" in "".join(packet.comments)]
    assert sum(up[::2]) == sum(sent)
    # Each of the HSE's ports is reached by a tunnel of its own.
    ends = {(packet.data[20:22], packet.data[22:24]) for packet in hse[::2]}
    assert len(ends) == len({end for _, end in ends}) == 3


def test_the_network_wraps_non_ip_data_on_real_sockets_too(run: Run) -> None:
    place = run(**bench(matrix=["none", "rohc+esp-tunnel"], time="scaled"))
    messages = records(place)
    assert {message["outcome"] for message in messages} == {"answered"}
    assert {message["uplink_bytes"]["outer_udp"] for message in messages} == {0}


def test_keys_from_aka_are_agreed_on_over_non_ip_data(run: Run) -> None:
    place = run(**bench(matrix=["esp-tunnel"], keys="aka"))
    (session,) = records(place, "session")
    assert session["layers_up"]["outer_ip"] == 0
    assert session["bytes_up"] == sum(session["layers_up"].values())
    assert {message["outcome"] for message in records(place)} == {"answered"}


def test_one_seed_gives_one_journal_byte_for_byte(run: Run) -> None:
    described = {
        "module": module(),
        "matrix": MATRIX,
        "campaign": {
            "factors": {"pdp_type": ["ip", "non-ip"]},
            "blocks": 2,
            "messages_per_cell": 2,
        },
    }
    one, other = run(**described), run(**described)
    for name in ("journal.jsonl", "capture.pcapng", "esp_sa", "messages.parquet"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name
    messages, setups = records(one), records(one, "setup")
    assert {message["outcome"] for message in messages} == {"answered"}
    # A switch is a set-up, written down when the type changes and only then.
    order = [message["cell"].rpartition("=")[2] for message in messages[::2]]
    switches = [now for before, now in itertools.pairwise(["ip", *order]) if now != before]
    assert [setup["changed"] for setup in setups] == [{"pdp_type": now} for now in switches]
    assert all(5 < setup["duration_s"] < 60 for setup in setups)
    assert not records(one, "fault")
    # Keys are agreed on once per configuration: its session goes on over another carrier.
    assert len(records(one, "session")) == 2


def test_a_run_that_was_interrupted_goes_on_with_non_ip_data(run: Run) -> None:
    described = bench()
    whole = run(**described)
    lines = whole.journal_path.read_text("utf-8").splitlines(keepends=True)
    left = next(number for number, line in enumerate(lines) if '"planned":7' in line)
    for path in whole.path.iterdir():
        if path.name not in ("manifest.json", "journal.jsonl", "capture.pcapng", "esp_sa"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    whole.journal_path.write_text("".join(lines[:left]), "utf-8")
    place = run("--resume", str(whole.path))
    messages = records(place)
    assert [message["planned"] for message in messages] == list(range(12))
    assert {message["outcome"] for message in messages} == {"answered"}
    assert {message["uplink_bytes"]["outer_ip"] for message in messages} == {0}


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("bc66", "reboot"),
        ("bc66", "vanish"),
        ("bc66", "network lost"),
        ("bc660k", "reboot"),
        ("bc95", "reboot"),
    ],
)
def test_a_module_that_fails_is_brought_back_with_its_non_ip_connection(
    run: Run, family: str, kind: str
) -> None:
    fault = {"at_s": 30.0, "kind": kind, "duration_s": 20.0}
    described = bench(family, ["rohc", "rohc+esp-tunnel"], traffic={"messages": 10})
    described["module"]["virtual"] = {"faults": [fault]}
    place = run(**described)
    messages = records(place)
    assert [message["planned"] for message in messages] == list(range(20))
    assert messages[-1]["outcome"] == "answered"
    unanswered = [one for one in messages if one["outcome"] != "answered"]
    assert len(unanswered) <= 4
    assert {message["uplink_bytes"]["outer_ip"] for message in messages} == {0}
    assert records(place, "fault")


@pytest.mark.parametrize("name", ["none", "esp-tunnel"])
def test_a_message_that_non_ip_data_cannot_take_is_refused_with_the_figure(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    # 950 octets of CSODCP; ESP: 8 + 8 + 16 leave 918, of which whole blocks of 4 are 916, less the
    # trailer's 2 and the device's own headers (IPv6 and UDP).
    room = {"none": 950, "esp-tunnel": 916 - 2 - 48}[name]
    described = bench(matrix=[name], campaign={"factors": {"payload_bytes": [room]}})
    del described["traffic"]
    assert {one["outcome"] for one in records(run(**described))} == {"answered"}
    described["campaign"] = {"factors": {"payload_bytes": [room + 1]}}
    path = tmp_path / "long.yaml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--bench", str(path)])
    said = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == 2
    assert "the module's way for non-IP data takes 950" in said
    assert f"At most {room} octets of payload fit here" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"matrix": ["esp-transport"]}, "transport mode protects what follows an IP header"),
        (
            {
                "matrix": ["esp-transport", "none"],
                "campaign": {"factors": {"pdp_type": ["non-ip"]}},
            },
            "transport mode protects",
        ),
    ],
)
def test_transport_mode_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    described = validate_bench(bench() | changes)
    with pytest.raises(UsageError, match=said) as refused:
        if described.campaign is None:
            plan_matrix(described, 1)
        else:
            plan_campaign(described, described.campaign)
    assert "esp-transport" in str(refused.value)
    assert "exclude" in (refused.value.hint or "")


def test_keepalives_are_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="no NAT"):
        validate_bench(bench(esp={"keepalive_s": 30}))


def test_a_real_module_needs_an_access_point_name_and_one_port() -> None:
    real = {"family": "bc66", "port": "/dev/ttyUSB9", "pdp_type": "non-ip"}
    hse = {"address": "192.0.2.1:4500", "secret": "hex:" + "00" * 16}
    described = {"hse": hse, "matrix": ["esp-tunnel", "rohc+esp-tunnel"]}
    with pytest.raises(UsageError, match="access point name"):
        validate_bench(described | {"module": real})
    named = real | {"non_ip_apn": "nidd.example"}
    plan_matrix(validate_bench(described | {"module": named}), 1)
    mixed = validate_bench(described | {"module": named, "matrix": MATRIX})
    with pytest.raises(UsageError, match=r"one port of the HSE.*esp, plain, rohc"):
        plan_matrix(mixed, 1)


def test_a_family_without_non_ip_data_is_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {name: how for name, how in Bc66.operations.items() if name != "non_ip"}
    monkeypatch.setattr(Bc66, "operations", known)
    with pytest.raises(UsageError, match="bc66 has no non-IP data"):
        plan_matrix(validate_bench(bench("bc66")), 1)


def test_table_parquet_and_metrics_name_the_carrier(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    campaign = {"factors": {"pdp_type": ["ip", "non-ip"]}, "messages_per_cell": 2}
    place = run(module=module(), matrix=["esp-tunnel"], campaign=campaign)
    metrics = RunMetrics(place.name)
    for record in JournalReader(place.journal_path):
        metrics.observe(record)
    for carrier in ("udp", "non-ip"):
        count = metrics.value(
            "testbed_messages_total",
            security="esp-tunnel",
            compression="none",
            carrier=carrier,
            ecl="0",
            outcome="answered",
        )
        assert count == 2
    whole = run(**bench(matrix=["none"]))
    assert records(whole, "run")[0]["settings"]["carrier"] == "non-ip"
    summary = summarise_run(whole.path)
    assert any("no IP and no UDP header on the air" in note for note in summary.notes)
    assert summary.rows[0].air is not None
    assert summary.rows[0].air.outer_anew_bytes == 0
    path = tmp_path / "bench.yaml"
    path.write_text(yaml.safe_dump(bench(matrix=["none"])), encoding="utf-8")
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["run", "--bench", str(path)])
    assert "carrier: non-IP" in " ".join(capsys.readouterr().out.split())
