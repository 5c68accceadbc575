"""Modules that fail while a campaign runs: noticed, brought back, every message accounted for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import esp
from firmware_bridge import (
    CommandFailed,
    Detached,
    LineLost,
    LineVanished,
    ModuleEvent,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
    NetworkContextLost,
    NoiseRead,
    Rebooted,
    Registration,
    RegistrationChanged,
    RegistrationState,
    RrcConnected,
    SimChanged,
    SimNotReady,
    UnexpectedAnswer,
)
from testbed.analysis.summary import summarise_run
from testbed.bench import RecoveryDescription
from testbed.campaign.faults import FLOOD_LINES, FLOOD_PAUSE_S, FaultWatch
from testbed.campaign.radio import RadioWatch
from testbed.campaign.recovery import Recovery
from testbed.campaign.upkeep import SETTLE_TIMEOUT_S
from testbed.cli import main
from testbed.results import FaultRecord, JournalReader, Outcome, RunDirectory, read_journal

# -- what is a fault -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (LineVanished(at=1.0, reason="unplugged"), "line-lost"),
        (Rebooted(at=1.0, banner="RDY"), "rebooted"),
        (Rebooted(at=1.0, banner="RDY", expected=True), None),
        (SimChanged(at=1.0, state="NOT INSERTED"), "sim-lost"),
        (SimChanged(at=1.0, state="READY"), None),
        (NetworkContextLost(at=1.0, context_id=1), "network-lost"),
        (NoiseRead(at=1.0, octets=1, garbage=True), None),
    ],
)
def test_an_event_is_this_fault(event: ModuleEvent, fault: str | None) -> None:
    watch = FaultWatch()
    watch.attached()
    watch.event(event)
    assert watch.fault == fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (LineLost("/dev/ttyUSB0"), "line-lost"),
        (ModuleRebooted("AT", "RDY"), "rebooted"),
        (SimNotReady("NOT INSERTED"), "sim-lost"),
        (Detached("no address"), "network-lost"),
        (ModuleSilent("AT", 1.0), "silent"),
        (UnexpectedAnswer("AT", "?", "a number"), "garbage"),
        (CommandFailed("AT+QISEND", "ERROR"), None),
    ],
)
def test_an_error_is_this_fault(error: Any, fault: str | None) -> None:
    watch = FaultWatch()
    watch.error(error, 2.0)
    assert watch.fault == fault


@pytest.mark.parametrize(
    "event",
    [
        NetworkContextLost(at=1.0, context_id=1),
        RegistrationChanged(at=1.0, registration=Registration(state=RegistrationState.SEARCHING)),
    ],
)
def test_a_module_on_its_way_to_the_network_has_not_lost_it(event: ModuleEvent) -> None:
    watch = FaultWatch()
    watch.event(event)
    assert watch.fault is None
    watch.attached()
    watch.event(event)
    assert watch.fault == "network-lost"
    watch.clear()
    watch.event(event)
    assert watch.fault is None


@pytest.mark.parametrize(("read_at", "fault"), [(9.0, "silent"), (10.0, "garbage")])
def test_a_command_that_is_answered_by_garbage_was_not_met_with_silence(
    read_at: float, fault: str
) -> None:
    watch = FaultWatch()
    watch.event(NoiseRead(at=read_at, octets=7, garbage=True))
    assert watch.fault is None
    watch.error(ModuleTimeout("AT+CSQ", 5.0), 15.0)  # written at 10
    assert watch.fault == fault


def test_the_gravest_fault_is_kept_with_the_time_of_the_first() -> None:
    watch = FaultWatch()
    watch.note("network-lost", 1.0)
    watch.note("line-lost", 2.0)
    watch.note("silent", 3.0)
    assert (watch.fault, watch.since) == ("line-lost", 1.0)
    watch.attached()
    assert watch.fault == "line-lost"
    watch.clear()
    watch.note("silent", 4.0)
    watch.attached()
    assert watch.fault is None


def test_the_boot_of_a_module_that_is_plugged_in_again_is_no_other_fault() -> None:
    watch = FaultWatch()
    watch.note("rebooted", 1.0)
    watch.plugged_in()
    assert watch.fault is None
    watch.note("rebooted", 2.0)  # later: one that nobody had asked for
    watch.attached()
    assert (watch.fault, watch.since) == ("rebooted", 2.0)
    watch.note("line-lost", 3.0)
    watch.plugged_in()
    assert watch.fault == "line-lost"


def test_senseless_lines_are_a_flood_only_when_they_are_many_between_two_messages() -> None:
    watch = FaultWatch()
    for _ in range(2):
        for _ in range(FLOOD_LINES - 1):
            watch.event(NoiseRead(at=1.0, octets=40, garbage=False))
        assert watch.fault is None
        watch.message(refused=False, at=2.0)
    for _ in range(FLOOD_LINES):
        watch.event(NoiseRead(at=3.0, octets=40, garbage=False))
    assert watch.fault == "flood"


def test_a_flood_that_goes_on_is_the_same_one_until_it_pauses() -> None:
    watch = FaultWatch()

    def lines(start: float, apart: float) -> None:
        for number in range(3 * FLOOD_LINES):
            watch.event(NoiseRead(at=start + number * apart, octets=40, garbage=False))

    lines(0.0, 1.0)
    assert watch.fault == "flood"
    watch.clear()
    lines(3 * FLOOD_LINES, 1.0)
    watch.message(refused=False, at=7 * FLOOD_LINES)
    assert watch.fault is None
    lines(7 * FLOOD_LINES + FLOOD_PAUSE_S, 0.0)
    assert watch.fault == "flood"


def test_messages_that_are_refused_one_after_the_other_are_a_fault() -> None:
    watch = FaultWatch()
    for refused in (True, False, True):
        watch.message(refused=refused, at=1.0)
    assert watch.fault is None
    watch.message(refused=True, at=2.0)
    assert watch.fault == "refused"


@pytest.mark.parametrize(
    "event", [Rebooted(at=2.0, banner="RDY"), LineVanished(at=2.0, reason="unplugged")]
)
async def test_after_a_reboot_nobody_waits_for_a_release(event: ModuleEvent) -> None:
    radio = RadioWatch()
    radio.event(RrcConnected(at=1.0))
    radio.event(event)
    assert not radio.connected
    assert await radio.settle(1.0)
    assert radio.released_since(0.0) is None


def test_another_address_is_a_reason_to_re_key_until_there_are_new_keys() -> None:
    recovery = Recovery(RecoveryDescription())
    recovery.moved()
    assert recovery.reason(esp.LifetimeState.CURRENT) == "address-changed"
    recovery.failed()
    assert recovery.reason(esp.LifetimeState.CURRENT) == "address-changed"
    recovery.keyed()
    assert recovery.reason(esp.LifetimeState.CURRENT) is None


# -- the whole bench -------------------------------------------------------------------------------

SCRIPT = [
    {"at_s": 60, "kind": "reboot"},
    {"at_s": 130, "kind": "flood", "duration_s": 15},
    {"at_s": 200, "kind": "garbage", "duration_s": 40},
    {"at_s": 330, "kind": "card removed", "duration_s": 60},
    {"at_s": 480, "kind": "network lost", "duration_s": 60},
    {"at_s": 620, "kind": "vanish", "duration_s": 45},
    {"at_s": 760, "kind": "hang", "duration_s": 75},
]
"""Every kind of fault, far enough apart to tell them apart."""

NAMES = ["rebooted", "flood", "garbage", "sim-lost", "network-lost", "line-lost", "silent"]
"""As what each of them is noticed."""

Run = Callable[..., tuple[int, RunDirectory]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a bench with these faults; gives the exit code and the run's directory."""
    monkeypatch.chdir(tmp_path)

    def go(faults: list[dict[str, Any]], messages: int, **more: Any) -> tuple[int, RunDirectory]:
        family = more.pop("family", "bc66")
        bench = {
            "schema_version": 1,
            "module": {
                "family": family,
                "port": f"virtual:{family}",
                "virtual": {"faults": faults},
            },
            "matrix": ["esp-tunnel"],
            "traffic": {"messages": messages},
            **more,
        }
        Path("bench.yaml").write_text(yaml.safe_dump(bench))
        capsys.readouterr()
        before = set(Path("runs").glob("*"))
        with pytest.raises(SystemExit) as ended:
            main(["run", "--bench", "bench.yaml", "--json"])
        code = ended.value.code
        (made,) = set(Path("runs").glob("*")) - before
        return int(code or 0), RunDirectory.open(made)

    return go


def of_kind(directory: RunDirectory, kind: str) -> list[dict[str, Any]]:
    return [one for one in JournalReader(directory.journal_path) if one["kind"] == kind]


@pytest.mark.parametrize("family", ["bc66", "bc660k", "bc95"])
def test_500_messages_under_every_fault_are_accounted_for_and_the_run_ends_by_itself(
    run: Run, family: str
) -> None:
    code, directory = run(SCRIPT, 500, family=family)
    assert code == 0
    messages = of_kind(directory, "message")
    assert [one["index"] for one in messages] == list(range(500))
    outcomes = Counter(one["outcome"] for one in messages)
    assert outcomes["answered"] >= 490
    assert outcomes.total() == sum(outcomes[known.value] for known in Outcome) == 500
    assert {one["reason"] for one in messages if one["outcome"] != "answered"} <= {
        "no-answer",
        "line-lost",
        "module-rebooted",
        "module-timeout",
        "network-lost",
        "send-failed",
        "socket-lost",
        "unexpected-answer",
    }
    faults = of_kind(directory, "fault")
    assert [one["fault"] for one in faults] == NAMES
    for one, cause in zip(faults, SCRIPT, strict=True):
        assert 0 <= one["noticed_at_s"] - cause["at_s"] < SETTLE_TIMEOUT_S
        assert one["recovered_s"] is not None
    (end,) = of_kind(directory, "end")
    assert end["status"] == "complete"
    assert sum(n for name, n in end["counts"].items() if name.startswith("messages_")) == 500
    summary = summarise_run(directory.path)
    assert summary.rows[0].messages == 500
    assert len(read_journal(directory.journal_path).messages) == 500


def test_the_same_seed_gives_the_same_journal_under_faults(run: Run) -> None:
    journals = [run(SCRIPT, 60)[1].journal_path.read_bytes() for _ in range(2)]
    assert b'"fault"' in journals[0]
    assert journals[0] == journals[1]


def test_each_configuration_of_the_matrix_has_its_messages(run: Run) -> None:
    names = ["none", "rohc", "rohc+esp-tunnel"]
    code, directory = run(SCRIPT, 100, matrix=names)
    assert code == 0
    counted = Counter(one["configuration"] for one in of_kind(directory, "message"))
    assert counted == dict.fromkeys(names, 100)


def test_a_bench_that_says_stop_stops_and_names_the_fault(run: Run) -> None:
    code, directory = run(SCRIPT[:1], 100, recovery={"module": "stop"})
    assert code == 3
    (fault,) = of_kind(directory, "fault")
    assert (fault["fault"], fault["recovered_s"], fault["attempts"]) == ("rebooted", None, 0)
    assert 0 < len(of_kind(directory, "message")) < 100


def test_a_module_that_never_comes_back_ends_the_run_after_its_attempts(run: Run) -> None:
    gone = {"at_s": 60, "kind": "vanish", "duration_s": 100_000}
    code, directory = run([gone], 100, recovery={"attempts": 3, "pause_s": 5})
    assert code == 3
    (fault,) = of_kind(directory, "fault")
    assert (fault["attempts"], fault["failure"]) == (3, "line-lost")
    assert of_kind(directory, "end")[0]["status"] == "interrupted"


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ({"kind": "reboot"}, "rebooted"),
        ({"kind": "garbage", "duration_s": 40}, "garbage"),
        ({"kind": "card removed", "duration_s": 300}, "sim-lost"),
        ({"kind": "network lost", "duration_s": 300}, "network-lost"),
        ({"kind": "vanish", "duration_s": 45}, "line-lost"),
        ({"kind": "hang", "duration_s": 60}, "silent"),
    ],
    ids=str,
)
@pytest.mark.parametrize("family", ["bc66", "bc660k", "bc95"])
def test_a_module_that_fails_before_it_was_ever_attached_is_brought_back(
    run: Run, family: str, fault: dict[str, Any], name: str
) -> None:
    code, directory = run([{"at_s": 1.5, **fault}], 20, family=family)
    assert code == 0
    (record,) = of_kind(directory, "fault")
    assert (record["fault"], record["after"]) == (name, None)
    assert record["recovered_s"] > 0
    assert {one["outcome"] for one in of_kind(directory, "message")} == {"answered"}
    manifest = directory.read_manifest()
    assert manifest.module["address"]
    assert "imei" in manifest.module


def test_a_bench_that_says_stop_stops_at_a_module_that_fails_before_it_was_attached(
    run: Run,
) -> None:
    gone = {"at_s": 1.5, "kind": "vanish", "duration_s": 45}
    code, directory = run([gone], 20, recovery={"module": "stop"})
    assert code == 3
    (record,) = of_kind(directory, "fault")
    assert (record["fault"], record["recovered_s"], record["attempts"]) == ("line-lost", None, 0)
    assert not of_kind(directory, "message")


def test_a_module_that_was_never_heard_ends_the_run_at_once(run: Run) -> None:
    code, directory = run([{"at_s": 0, "kind": "hang", "duration_s": 100_000}], 20)
    assert code == 3
    assert not of_kind(directory, "fault")


@pytest.mark.parametrize("fault", SCRIPT, ids=[str(one["kind"]) for one in SCRIPT])
def test_on_a_pty_each_fault_leaves_a_run_that_ends_by_itself(
    run: Run, fault: dict[str, Any]
) -> None:
    soon = {**fault, "at_s": 20}
    code, directory = run([soon], 20, time="scaled", time_scale=100, answer_timeout_s=10)
    assert code == 0
    messages = of_kind(directory, "message")
    assert [one["index"] for one in messages] == list(range(20))
    assert messages[-1]["outcome"] == "answered"


def test_a_fault_record_is_read_as_it_was_written() -> None:
    record = FaultRecord(
        fault="silent", configuration="none", after=3, attempts=2, failure="silent"
    )
    assert FaultRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record
