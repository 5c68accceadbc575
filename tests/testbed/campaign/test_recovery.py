"""A UE that recovers: when it re-keys by itself, and what that costs, as the journal has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import esp
from testbed import clock
from testbed.analysis.summary import summarise_run
from testbed.bench import Bench, RecoveryDescription, validate_bench
from testbed.campaign import Payloads, Progress, run_bench
from testbed.campaign.recovery import Recovery
from testbed.clock import TimeKind
from testbed.errors import LabFault
from testbed.hse import GatewayLimits, HsePort, HseServer, ListenAddresses
from testbed.hse.state import HseState
from testbed.report.table import render_table
from testbed.results import (
    FeedbackRecord,
    JournalReader,
    MessageRecord,
    Outcome,
    Record,
    RunDirectory,
    SessionRecord,
    start_manifest,
)
from testbed.traffic import generated_traffic

SECRET = "sixteen letters!"
CURRENT, SOFT, HARD = (
    esp.LifetimeState.CURRENT,
    esp.LifetimeState.SOFT,
    esp.LifetimeState.HARD,
)

# -- the decision ----------------------------------------------------------------------------------


def told(*outcomes: Outcome, unknown: bool = False, **settings: Any) -> Recovery:
    recovery = Recovery(RecoveryDescription(**settings))
    for outcome in outcomes:
        recovery.message(outcome, unknown_at_hse=unknown)
    return recovery


LOST, ANSWERED, FAILED = Outcome.LOST, Outcome.ANSWERED, Outcome.FAILED


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        ((), None),
        ((LOST, LOST), None),
        ((LOST, LOST, LOST), "unanswered"),
        ((LOST, LOST, ANSWERED, LOST), None),
        ((FAILED, FAILED, FAILED), None),  # the module sent nothing: no word about the keys
        ((LOST, FAILED, LOST, LOST), "unanswered"),
    ],
)
def test_so_many_unanswered_messages_in_a_row_are_a_reason(
    outcomes: tuple[Outcome, ...], reason: str | None
) -> None:
    assert told(*outcomes, unanswered=3).reason(CURRENT) == reason


def test_the_number_is_the_bench_s_and_none_switches_it_off() -> None:
    assert told(LOST, unanswered=1).reason(CURRENT) == "unanswered"
    assert told(*[LOST] * 50, unanswered=None).reason(CURRENT) is None


def test_a_notice_counts_with_an_unanswered_message_only() -> None:
    assert told(LOST, unknown=True).reason(CURRENT) == "unknown-at-hse"
    assert told(ANSWERED, unknown=True).reason(CURRENT) is None
    assert told(LOST, unknown=True, notice=False).reason(CURRENT) is None


@pytest.mark.parametrize(("state", "reason"), [(SOFT, "lifetime-soft"), (HARD, "lifetime-hard")])
def test_a_lifetime_is_a_reason_of_its_own(state: esp.LifetimeState, reason: str) -> None:
    assert told(ANSWERED).reason(state) == reason


def test_after_a_re_keying_the_count_begins_anew_and_failures_end_it() -> None:
    recovery = told(LOST, LOST, unanswered=2, give_up=2)
    assert not recovery.failed()
    assert recovery.reason(CURRENT) is None
    recovery.message(LOST)
    recovery.message(LOST)
    assert (recovery.reason(CURRENT), recovery.unanswered) == ("unanswered", 4)
    recovery.keyed()
    assert recovery.reason(CURRENT) is None
    assert not recovery.failed()
    assert recovery.failed()


# -- the whole bench -------------------------------------------------------------------------------


@dataclass
class Hook(Progress):
    """Does something when a message was written down."""

    at: Callable[[int], None]

    def record(self, record: Record) -> None:
        if isinstance(record, MessageRecord):
            self.at(record.index)


class Hse:
    """An HSE that can be killed, and started again on its ports without anything it knew."""

    def __init__(
        self, *, notices: bool, lifetime: esp.Lifetime | None = None, state: Path | None = None
    ) -> None:
        self._folder = state
        self._state: HseState | None = None
        self._limits = GatewayLimits(notices_per_s=10.0 if notices else 0.0)
        self._lifetime = lifetime
        self._listen = ListenAddresses(esp_port=0, rohc_port=0, plain_port=0)
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._state = None if self._folder is None else HseState(self._folder)
        self.server = HseServer(
            secrets=lambda identity: SECRET.encode(),
            listen=self._listen,
            limits=self._limits,
            lifetime=self._lifetime,
            state=self._state,
        )
        await self.server.start()
        ports = {f"{port.value}_port": self.server.address(port)[1] for port in HsePort}
        self._listen = ListenAddresses(**ports)  # type: ignore[arg-type]

    def kill(self) -> None:
        self.server.close()
        if self._state is not None:
            self._state.close()
            self._state = None

    def restart(self) -> None:
        self.kill()
        self._starting = asyncio.get_running_loop().create_task(self.start())

    @property
    def port(self) -> int:
        return self._listen.esp_port


def bench_with(port: int, **settings: Any) -> Bench:
    data: dict[str, Any] = {
        "hse": {"address": f"127.0.0.1:{port}", "secret": SECRET, "test": True},
        "matrix": ["esp-tunnel"],
        "answer_timeout_s": 15,
        "time_scale": 100,
    }
    return validate_bench(data | settings)


def run(
    tmp_path: Path,
    hse: Hse,
    at: Callable[[int], None],
    *,
    messages: int = 8,
    **settings: Any,
) -> RunDirectory:
    directory = RunDirectory.create(tmp_path)
    directory.write_manifest(
        start_manifest(
            directory.name, config={}, seed=1, time_kind=TimeKind.SCALED, time_scale=100.0
        )
    )

    async def main() -> None:
        await hse.start()
        try:
            bench = bench_with(hse.port, **settings)
            traffic = generated_traffic(messages=messages, seed=1)
            payloads = Payloads.of(bench, traffic.messages, "generated")
            await run_bench(bench, payloads, directory, progress=Hook(at))
        finally:
            hse.kill()

    clock.run(main, time_scale=100.0)
    return directory


def records(directory: RunDirectory) -> tuple[list[SessionRecord], list[MessageRecord]]:
    found = list(JournalReader(directory.journal_path).typed())
    return (
        [one for one in found if isinstance(one, SessionRecord)],
        [one for one in found if isinstance(one, MessageRecord)],
    )


def at_message(number: int, act: Callable[[], None]) -> Callable[[int], None]:
    return lambda index: act() if index == number else None


@pytest.mark.parametrize("name", ["esp-tunnel", "rohc+esp-tunnel", "esp-transport/aes-ccm-8-128"])
def test_a_restarted_hse_is_found_after_n_unanswered_messages(tmp_path: Path, name: str) -> None:
    hse = Hse(notices=False)
    directory = run(
        tmp_path,
        hse,
        at_message(2, hse.restart),
        matrix=[name],
        recovery={"unanswered": 2},
    )
    (first, again), messages = records(directory)
    assert [one.outcome for one in messages] == [ANSWERED] * 3 + [LOST] * 2 + [ANSWERED] * 3
    assert (first.reason, first.after, first.unanswered) == (None, None, None)
    assert (again.reason, again.after, again.unanswered) == ("unanswered", 4, 2)
    assert again.attempts == 1
    assert (again.bytes_up, again.bytes_down) == (first.bytes_up, first.bytes_down) == (79, 77)
    assert again.setup_s > 0.2
    for session in (first, again):
        assert session.energy is not None
        assert session.energy.total_j > 0.01
    row = summarise_run(directory.path).rows[0]
    assert row.session is not None
    assert (row.session.sessions, row.session.rekeyings) == (2, 1)
    assert row.session.rekey_reasons == {"unanswered": 1}
    assert row.session.rekey_energy_j == again.energy.total_j  # type: ignore[union-attr]
    assert render_table(summarise_run(directory.path)).row_count > 20


def test_the_hse_s_word_that_it_knows_no_such_session_saves_the_wait(tmp_path: Path) -> None:
    hse = Hse(notices=True)
    directory = run(tmp_path, hse, at_message(2, hse.restart))
    (_, again), messages = records(directory)
    assert [one.outcome for one in messages] == [ANSWERED] * 3 + [LOST] + [ANSWERED] * 4
    assert messages[3].reason == "unknown-at-hse"
    assert (again.reason, again.after, again.unanswered) == ("unknown-at-hse", 3, 1)


def test_an_hse_that_stays_away_ends_the_run_and_each_try_is_in_the_journal(
    tmp_path: Path,
) -> None:
    hse = Hse(notices=True)
    with pytest.raises(LabFault, match="did not answer 3 requests"):
        run(
            tmp_path,
            hse,
            at_message(0, hse.kill),
            recovery={"unanswered": 1, "give_up": 2},
        )
    (_, *failed), messages = records(RunDirectory.latest(tmp_path))
    assert [(one.reason, one.failure) for one in failed] == [("unanswered", "no-answer")] * 2
    assert [one.unanswered for one in failed] == [1, 2]
    assert all(one.attempts == 3 and one.bytes_up == 3 * 79 for one in failed)
    assert all(one.energy is not None for one in failed)
    assert [one.outcome for one in messages] == [ANSWERED, LOST, LOST]


def test_a_soft_lifetime_is_renewed_before_the_next_message(tmp_path: Path) -> None:
    hse = Hse(notices=True)
    directory = run(tmp_path, hse, lambda index: None, lifetime={"soft_packets": 3})
    (_, *again), messages = records(directory)
    assert all(one.outcome is ANSWERED for one in messages)
    assert [(one.reason, one.after) for one in again] == [
        ("lifetime-soft", 2),
        ("lifetime-soft", 5),
    ]


def test_a_lifetime_in_seconds_ends_the_association_at_both_ends(tmp_path: Path) -> None:
    hse = Hse(notices=True, lifetime=esp.Lifetime(hard_s=6.0))
    directory = run(tmp_path, hse, lambda index: None, lifetime={"hard_s": 4})
    (_, *again), messages = records(directory)
    assert all(one.outcome is ANSWERED for one in messages)
    assert {one.reason for one in again} == {"lifetime-hard"}
    assert len(again) >= 2


@pytest.mark.parametrize(("notices", "reason"), [(True, "unknown-at-hse"), (False, "unanswered")])
def test_an_association_that_ends_at_the_hse_first_is_replaced(
    tmp_path: Path, notices: bool, reason: str
) -> None:
    hse = Hse(notices=notices, lifetime=esp.Lifetime(hard_packets=3))
    recovery = {"unanswered": 3 if notices else 1}
    directory = run(tmp_path, hse, lambda index: None, recovery=recovery, messages=6)
    (_, *again), messages = records(directory)
    assert [one.outcome for one in messages] == [ANSWERED] * 3 + [LOST] + [ANSWERED] * 2
    assert [one.reason for one in again] == [reason]


def test_nothing_is_sent_over_an_ended_association(tmp_path: Path) -> None:
    hse = Hse(notices=True)
    directory = run(
        tmp_path,
        hse,
        at_message(1, hse.kill),
        messages=4,
        lifetime={"hard_packets": 2},
        recovery={"give_up": 3},
    )
    (_, *failed), messages = records(directory)
    assert [(one.outcome, one.reason) for one in messages[2:]] == [
        (FAILED, "association-ended")
    ] * 2
    assert [one.failure for one in failed] == ["no-answer"] * 2


def test_with_durable_state_a_restart_costs_rohc_one_message_and_no_re_keying(
    tmp_path: Path,
) -> None:
    hse = Hse(notices=True, state=tmp_path / "state")
    directory = run(tmp_path, hse, at_message(4, hse.restart), matrix=["rohc+esp-tunnel"])
    (first,), messages = records(directory)
    assert first.reason is None
    assert [one.outcome for one in messages] == [ANSWERED] * 5 + [LOST] + [ANSWERED] * 2
    found = list(JournalReader(directory.journal_path).typed())
    (told,) = [one for one in found if isinstance(one, FeedbackRecord)]
    assert told.after == 5
    assert told.downlink_bytes is not None
    assert told.downlink_bytes.total == 68  # a STATIC-NACK in an ESP packet of its own
    assert messages[5].uplink_packet == "UO-0"
    assert messages[6].uplink_packet == "IR"
    # What the packets cost that bring the contexts back, beside the message that was lost.
    again, steady = messages[6].uplink_bytes, messages[4].uplink_bytes
    assert again is not None
    assert steady is not None
    assert (again.rohc_header, steady.rohc_header) == (50, 3)
