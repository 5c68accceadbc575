"""The summary: one row per configuration, nothing left out silently."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from testbed.analysis.bytes import Layer, LayerBytes
from testbed.analysis.rows import RunSummary
from testbed.analysis.summary import summarise, summarise_journal
from testbed.results import (
    EndRecord,
    EnergyRecord,
    JournalCorrupt,
    JournalMissing,
    JournalWriter,
    MessageRecord,
    Outcome,
    Record,
    RunRecord,
    RunStatus,
    SessionRecord,
)

RUN = RunRecord(
    module="bc66",
    origin="virtual",
    configurations=("none", "esp-tunnel", "rohc+esp-tunnel"),
    messages=4,
    settings={"answer_timeout_s": 60.0},
)
END = EndRecord(status=RunStatus.COMPLETE)

NONE = LayerBytes(outer_ip=20, outer_udp=8, application=12)
TUNNEL = LayerBytes(
    outer_ip=20,
    outer_udp=8,
    esp_header=8,
    esp_iv=8,
    inner_ip=40,
    inner_udp=8,
    application=12,
    esp_padding=2,
    esp_trailer=2,
    esp_icv=16,
)
IR = dataclasses.replace(TUNNEL, inner_ip=0, inner_udp=0, rohc_header=50, esp_padding=0)
UO0 = dataclasses.replace(TUNNEL, inner_ip=0, inner_udp=0, rohc_header=3, esp_padding=3)

ENERGY = EnergyRecord(
    kind="estimated",
    model="test",
    total_j=1.0,
    setup_j=0.5,
    transmit_j=0.2,
    receive_j=0.1,
    tail_j=0.2,
)


def message(
    configuration: str, index: int, latency_s: float | None = 1.0, **fields: Any
) -> MessageRecord:
    security = configuration.rpartition("+")[2]
    answered = latency_s is not None
    arguments: dict[str, Any] = {
        "outcome": Outcome.ANSWERED if answered else Outcome.LOST,
        "security": security,
        "compression": "rohc" if "+" in configuration else "none",
        "uplink_bytes": {"none": NONE, "esp-tunnel": TUNNEL}.get(configuration, UO0),
        "downlink_bytes": NONE if answered else None,
        "energy": ENERGY,
    }
    return MessageRecord(
        index=index,
        configuration=configuration,
        latency_s=latency_s,
        **(arguments | fields),
    )


def records() -> list[Record]:
    """A complete run of four messages per configuration; one was lost in the tunnel."""
    session = {"setup_s": 1.5, "bytes_up": 100, "bytes_down": 80}
    return [
        RUN,
        SessionRecord(configuration="esp-tunnel", **session),
        SessionRecord(configuration="rohc+esp-tunnel", **session, attempts=3),
        *(message("none", index, 1.0 + index) for index in range(4)),
        *(message("esp-tunnel", index, 2.0 + index) for index in range(3)),
        message("esp-tunnel", 3, None, reason="timeout"),
        message("rohc+esp-tunnel", 0, uplink_bytes=IR, uplink_packet="IR"),
        *(message("rohc+esp-tunnel", index, uplink_packet="UO-0") for index in range(1, 4)),
        END,
    ]


def test_there_is_one_row_per_configuration_in_the_order_of_the_run() -> None:
    shuffled = [RUN, *reversed(records()[1:-1]), END]
    assert [row.configuration for row in summarise(shuffled).rows] == [*RUN.configurations]


def test_a_configuration_that_the_run_does_not_name_follows_the_others() -> None:
    rows = summarise([RUN, message("rohc", 0), message("none", 0), END]).rows
    assert [row.configuration for row in rows] == ["none", "rohc"]


def test_messages_are_counted_by_outcome() -> None:
    row = summarise(records()).row("esp-tunnel")
    assert row is not None
    assert (row.messages, row.answered, row.lost, row.failed) == (4, 3, 1, 0)
    assert row.reasons == (("timeout", 1),)
    assert (row.security, row.compression) == ("esp-tunnel", "none")


def test_a_lost_message_counts_in_the_quantiles_at_its_time_out() -> None:
    row = summarise(records()).row("esp-tunnel")
    assert row is not None and row.latency.median is not None and row.latency.p95 is not None
    assert (row.latency.median.value_s, row.latency.median.censored) == (3.0, False)
    assert (row.latency.p95.value_s, row.latency.p95.censored) == (60.0, True)


def test_a_failed_message_counts_in_the_quantiles_too() -> None:
    failed = message(
        "none", 1, None, outcome=Outcome.FAILED, reason="payload-too-large", uplink_bytes=None
    )
    row = summarise([RUN, message("none", 0), failed, END]).rows[0]
    assert (row.answered, row.lost, row.failed) == (1, 0, 1)
    assert row.latency.p95 is not None and row.latency.p95.censored
    assert row.uplink.packets == 1


def test_without_a_known_time_out_a_lost_message_is_slower_than_anything() -> None:
    run = dataclasses.replace(RUN, settings={})
    row = summarise([run, message("none", 0), message("none", 1, None), END]).rows[0]
    assert row.latency.p95 is not None
    assert (row.latency.p95.value_s, row.latency.p95.censored) == (None, True)


def test_bytes_are_means_over_all_uplink_messages_and_the_first_stands_apart() -> None:
    row = summarise(records()).row("rohc+esp-tunnel")
    assert row is not None
    assert row.first_uplink == IR
    assert row.later_uplink.total == UO0.total
    assert row.uplink.packets == 4
    assert row.uplink.total == pytest.approx((IR.total + 3 * UO0.total) / 4)
    assert row.uplink[Layer.ROHC_HEADER] == pytest.approx((50 + 3 * 3) / 4)
    assert row.uplink_packets == (("UO-0", 3), ("IR", 1))


def test_a_lost_message_was_sent_and_its_bytes_count() -> None:
    row = summarise(records()).row("esp-tunnel")
    assert row is not None
    assert row.uplink.packets == 4
    assert row.downlink.packets == 3


def test_session_set_up_is_apart_from_the_messages() -> None:
    summary = summarise(records())
    plain, compressed = summary.row("esp-tunnel"), summary.row("rohc+esp-tunnel")
    assert plain is not None and plain.session is not None
    assert (plain.session.bytes_up, plain.session.bytes_down) == (100, 80)
    assert plain.session.setup_s == 1.5
    assert compressed is not None and compressed.session is not None
    assert compressed.session.attempts == 3
    none = summary.row("none")
    assert none is not None and none.session is None


def test_rohc_saves_header_bytes_against_the_same_tunnel_without_it() -> None:
    saving = summarise(records()).rohc_saving
    assert saving is not None
    assert (saving.without, saving.compressed) == ("esp-tunnel", "rohc+esp-tunnel")
    assert saving.later_uplink_bytes == TUNNEL.header - UO0.header == 44
    assert saving.first_uplink_bytes == TUNNEL.header - IR.header == 0
    assert saving.uplink_bytes == pytest.approx((3 * 44 + 0) / 4)
    assert saving.downlink_bytes == 0
    assert saving.share_of_packet == pytest.approx(33 / TUNNEL.total)
    assert saving.same_payloads


def test_other_payloads_are_said_and_cannot_pose_as_a_saving() -> None:
    longer = dataclasses.replace(UO0, application=UO0.application + 100)
    journal = [
        RUN,
        message("esp-tunnel", 0),
        message("rohc+esp-tunnel", 0, uplink_bytes=longer),
        END,
    ]
    saving = summarise(journal).rohc_saving
    assert saving is not None
    assert saving.uplink_bytes == TUNNEL.header - UO0.header
    assert not saving.same_payloads
    assert saving.later_uplink_bytes is None


@pytest.mark.parametrize("missing", ["esp-tunnel", "rohc+esp-tunnel"])
def test_there_is_no_saving_without_both_sides(missing: str) -> None:
    kept = [record for record in records() if getattr(record, "configuration", None) != missing]
    assert summarise(kept).rohc_saving is None


def test_the_saving_is_that_of_one_suite() -> None:
    suite = "esp-tunnel/aes-ccm-8-128"
    tunnel = {"uplink_bytes": TUNNEL}
    journal = [RUN, message("esp-tunnel", 0), message(f"rohc+{suite}", 0), END]
    assert summarise(journal).rohc_saving is None
    saving = summarise([*journal, message(suite, 0, **tunnel)]).rohc_saving
    assert saving is not None
    assert (saving.without, saving.compressed) == (suite, f"rohc+{suite}")


def test_re_keyings_are_summed_up_with_their_reasons_and_failures() -> None:
    def session(**fields: Any) -> SessionRecord:
        common = {"configuration": "esp-tunnel", "bytes_up": 79, "bytes_down": 77, "setup_s": 2.0}
        return SessionRecord(**(common | {"energy": ENERGY} | fields))

    again = session(reason="unanswered", after=4, unanswered=3, setup_s=4.0)
    failed = session(
        reason="unanswered", bytes_up=237, bytes_down=0, setup_s=45.0, failure="no-answer"
    )
    soft = session(reason="lifetime-soft", setup_s=3.0)
    row = summarise([RUN, session(), failed, again, soft, END]).row("esp-tunnel")
    assert row is not None
    found = row.session
    assert found is not None
    assert (found.sessions, found.rekeyings, found.failed) == (3, 2, 1)
    assert found.rekey_reasons == {"unanswered": 2, "lifetime-soft": 1}
    assert (found.rekey_bytes_up, found.rekey_bytes_down) == (237 + 2 * 79, 2 * 77)
    assert (found.setup_s, found.rekey_s) == (3.0, 3.5)
    assert (found.energy_j, found.rekey_energy_j, found.energy_kind) == (4.0, 3.0, "estimated")
    assert found.to_json()["rekeyings"] == 2
    first = summarise([RUN, session(), END]).row("esp-tunnel")
    assert first is not None and first.session is not None
    assert "rekeyings" not in first.session.to_json()


def test_many_reasons_are_shortened_in_the_note_and_whole_in_the_row() -> None:
    lost = [message("none", n, None, reason=f"reason {n % 5}") for n in range(15)]
    summary = summarise([RUN, *lost, message("none", 15, None, reason="reason 4"), END])
    assert summary.rows[0].reasons[0] == ("reason 4", 4)
    assert len(summary.rows[0].reasons) == 5
    assert any("(reason 4: 4, reason 0: 3, reason 1: 3 and 6 others)" in n for n in summary.notes)


def test_energy_is_a_mean_per_message_with_its_kind_and_model() -> None:
    dearer = dataclasses.replace(ENERGY, total_j=3.0, tail_j=2.2)
    row = summarise([RUN, message("none", 0), message("none", 1, energy=dearer), END]).rows[0]
    (energy,) = row.energy
    assert (energy.kind, energy.model, energy.messages) == ("estimated", "test", 2)
    assert energy.total_j == 2.0
    assert sum(joules for _, joules in energy.split()) == pytest.approx(2.0)


def test_the_energy_of_answered_messages_stands_apart_from_that_of_all() -> None:
    listening = dataclasses.replace(ENERGY, total_j=3.0, receive_j=2.1)
    lost = message("none", 1, None, energy=listening)
    row = summarise([RUN, message("none", 0), lost, END]).rows[0]
    every, answered = row.shown_energy(), row.shown_energy(answered_only=True)
    assert every is not None and answered is not None
    assert (every.messages, every.total_j) == (2, 2.0)
    assert (answered.messages, answered.total_j) == (1, 1.0)
    row = summarise([RUN, lost, END]).rows[0]
    assert row.shown_energy(answered_only=True) is None


def test_measured_and_estimated_energy_are_never_mixed() -> None:
    measured = dataclasses.replace(ENERGY, kind="measured", model="meter 7", total_j=9.0)
    summary = summarise([RUN, message("none", 0), message("none", 1, energy=measured), END])
    assert [(e.kind, e.total_j) for e in summary.rows[0].energy] == [
        ("estimated", 1.0),
        ("measured", 9.0),
    ]
    assert any("not mixed" in note for note in summary.notes)


def test_the_range_of_the_energy_is_known_when_every_message_states_one() -> None:
    stated = dataclasses.replace(ENERGY, low_j=0.5, high_j=4.0, assumed=("released",))
    both = [RUN, message("none", 0, energy=stated), message("none", 1, energy=stated)]
    (energy,) = summarise(both).rows[0].energy
    assert (energy.low_j, energy.high_j) == (0.5, 4.0)
    assert energy.assumed == (("released", 2),)
    (energy,) = summarise([*both, message("none", 2)]).rows[0].energy
    assert (energy.low_j, energy.high_j) == (None, None)
    assert energy.to_json()["assumed"] == {"released": 2}


def test_a_complete_run_without_losses_has_no_notes_of_its_own() -> None:
    summary = summarise([RUN, message("none", 0), END], notes=["mind the carrier"])
    assert summary.status == "complete"
    assert summary.notes == ("mind the carrier",)


def test_computing_is_averaged_and_noted_where_it_matters() -> None:
    stages = {"compressed": 0.0, "protected": 0.001, "received": 0.9, "delivered": 0.902}
    quick = message("esp-tunnel", 0, 0.902, stages_s=stages)
    summary = summarise([RUN, message("none", 0), quick, END])
    assert summary.rows[0].computing_s is None
    assert summary.rows[1].computing_s == pytest.approx(0.003)
    assert summary.notes == ()
    slow = message("esp-tunnel", 1, 1.1, stages_s=stages | {"received": 1.0, "delivered": 1.1})
    summary = summarise([RUN, slow, END])
    assert summary.rows[0].computing_s == pytest.approx(0.101)
    (note,) = summary.notes
    assert "esp-tunnel: 0.10 s of a message's latency are the work of the computer" in note


def test_nothing_is_said_of_computing_where_it_takes_no_time() -> None:
    stages = {"compressed": 0.0, "protected": 0.0, "received": 0.9, "delivered": 0.9}
    virtual = dataclasses.replace(RUN, time="virtual", time_scale=None)
    summary = summarise([virtual, message("esp-tunnel", 0, 0.9, stages_s=stages), END])
    assert summary.rows[0].computing_s is None
    assert summary.to_json()["run"]["time"] == "virtual"


def test_losses_are_noted_with_their_reasons() -> None:
    assert any(
        "1 of 4 messages got no answer (timeout: 1)" in n for n in summarise(records()).notes
    )


@pytest.mark.parametrize(
    ("end", "note"),
    [
        ([], "No end record: the run was killed, or still runs. The journal has 1 of 12 messages."),
        (
            [EndRecord(status=RunStatus.INTERRUPTED)],
            "The run was interrupted after 1 of 12 messages.",
        ),
    ],
    ids=["killed", "stopped"],
)
def test_an_interrupted_run_is_summarised_and_marked(end: list[Record], note: str) -> None:
    summary = summarise([RUN, message("none", 0), *end])
    assert summary.status == "interrupted"
    assert summary.notes == (note,)
    assert summary.messages == 1


def test_a_run_that_sent_nothing_has_no_rows_and_no_error() -> None:
    summary = summarise([RUN])
    assert summary.rows == ()
    assert summary.status == "interrupted"
    assert summary.row("none") is None


def write(path: Path, entries: list[Record]) -> Path:
    with JournalWriter(path, sync=False) as journal:
        for entry in entries:
            journal.append(entry)
    return path


def test_the_journal_on_disk_gives_the_same_summary(tmp_path: Path) -> None:
    path = write(tmp_path / "journal.jsonl", records())
    assert summarise_journal(path).to_json() == summarise(records()).to_json()


def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "journal.jsonl", records()[:-1])
    whole = path.read_bytes()
    for cut in (1, 10, 60):
        path.write_bytes(whole[:-cut])
        summary = summarise_journal(path)
        assert summary.messages == 11
        assert summary.status == "interrupted"
        assert any("not written whole" in note for note in summary.notes)


def test_a_journal_cut_anywhere_after_its_first_line_is_summarised(tmp_path: Path) -> None:
    path = write(tmp_path / "journal.jsonl", records())
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    seen = []
    for cut in range(first, len(whole), 97):
        path.write_bytes(whole[:cut])
        seen.append(summarise_journal(path).messages)
    assert seen == sorted(seen)
    assert seen[0] == 0


def test_a_missing_or_broken_journal_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing):
        summarise_journal(tmp_path / "journal.jsonl")
    path = write(tmp_path / "journal.jsonl", records())
    path.write_text("\n".join(["not json", *path.read_text().splitlines()]) + "\n")
    with pytest.raises(JournalCorrupt):
        summarise_journal(path)


def json_of(summary: RunSummary) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(summary.to_json()))
    return plain


def test_the_json_carries_what_the_table_shows() -> None:
    plain = json_of(summarise(records()))
    assert plain["status"] == "complete"
    assert plain["messages"] == 12
    assert plain["run"]["module"] == "bc66"
    row = plain["configurations"][2]
    assert row["configuration"] == "rohc+esp-tunnel"
    assert row["uplink_bytes_per_message"]["by_layer"]["rohc_header"] == 14.75
    assert row["first_uplink_bytes"]["total"] == IR.total
    assert row["session"]["attempts"] == 3
    assert row["energy_per_message"][0]["kind"] == "estimated"
    assert row["uplink_rohc_packets"] == {"UO-0": 3, "IR": 1}
    assert plain["configurations"][1]["latency"]["p95"] == {"value_s": 60.0, "censored": True}
    assert plain["rohc_saving"]["later_uplink_bytes_per_message"] == 44


def test_the_layers_of_a_row_sum_to_its_total() -> None:
    for row in json_of(summarise(records()))["configurations"]:
        means = row["uplink_bytes_per_message"]
        assert sum(means["by_layer"].values()) == pytest.approx(means["total"], abs=0.01)
        assert means["total"] - means["by_layer"]["application"] == pytest.approx(
            means["header"], abs=0.01
        )


def test_an_empty_configuration_has_json_too() -> None:
    session = SessionRecord(configuration="esp-tunnel", setup_s=1.0, bytes_up=1, bytes_down=1)
    plain = json_of(summarise([RUN, session]))
    assert plain["configurations"][0]["latency"]["median"] is None
    assert plain["configurations"][0]["first_uplink_bytes"] is None
    assert plain["rohc_saving"] is None
