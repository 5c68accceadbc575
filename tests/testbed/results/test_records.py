"""The records of a journal, to dictionaries and back."""

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.analysis.bytes import LayerBytes
from testbed.results import (
    SCHEMA_VERSION,
    STAGES,
    EndRecord,
    EnergyRecord,
    MessageRecord,
    Outcome,
    Record,
    RecordError,
    RunRecord,
    RunStatus,
    SessionRecord,
    record_from_dict,
)

ENERGY = EnergyRecord(
    kind="estimated", model="states-1", total_j=0.31, setup_j=0.1, transmit_j=0.05, tail_j=0.16
)
BOUNDED = EnergyRecord(
    kind="estimated",
    model="states-1",
    total_j=0.3,
    low_j=0.1,
    high_j=0.9,
    assumed=("rrc_connected",),
)
MESSAGE = MessageRecord(
    index=7,
    configuration="rohc+esp-tunnel",
    security="esp-tunnel",
    compression="rohc",
    outcome=Outcome.ANSWERED,
    submitted_at_s=12.5,
    stages_s={"submitted": 0.0, "compressed": 0.001, "delivered": 1.5},
    latency_s=1.5,
    uplink_bytes=LayerBytes(outer_ip=20, outer_udp=8, esp_header=8, application=25),
    downlink_bytes=LayerBytes(outer_ip=20, outer_udp=8, application=25),
    energy=ENERGY,
    uplink_packet="UO-0",
)
RUN = RunRecord(
    testbed_version="0.1.0",
    bench="demo",
    module="bc66",
    configurations=("none", "esp-tunnel"),
    messages=40,
    traffic="generator:thermostat",
    seed=7,
    time_scale=200.0,
    settings={"rai": 1},
)
SESSION = SessionRecord(
    configuration="esp-tunnel", setup_s=0.8, bytes_up=120, bytes_down=130, energy=ENERGY
)
END = EndRecord(status=RunStatus.COMPLETE, counts={"answered": 80})

BOUNDED_MESSAGE = MessageRecord(
    index=0,
    configuration="none",
    security="none",
    compression="none",
    outcome=Outcome.LOST,
    energy=BOUNDED,
    radio={"ecl": 1},
)
ALL: list[Record] = [RUN, SESSION, MESSAGE, BOUNDED_MESSAGE, END]


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.kind)
def test_a_record_comes_back_from_its_line_as_it_was(record: Record) -> None:
    line = json.dumps(record.to_dict())
    assert record_from_dict(json.loads(line)) == record


def test_a_message_is_written_as_the_journal_documents_it() -> None:
    record = MESSAGE.to_dict()
    assert next(iter(record)) == "kind"
    assert record["kind"] == "message"
    assert record["outcome"] == "answered"
    assert type(record["outcome"]) is str
    assert record["stages_s"] == {"submitted": 0.0, "compressed": 0.001, "delivered": 1.5}
    assert record["uplink_bytes"]["outer_ip"] == 20
    assert record["uplink_bytes"]["rohc_header"] == 0
    assert record["energy"]["kind"] == "estimated"
    assert record["energy"]["total_j"] == 0.31
    assert "low_j" not in record["energy"]
    assert BOUNDED_MESSAGE.to_dict()["energy"]["assumed"] == ["rrc_connected"]
    assert record["uplink_packet"] == "UO-0"
    assert "downlink_packet" not in record
    assert "radio" not in record


def test_a_run_record_carries_the_schema_version() -> None:
    record = RUN.to_dict()
    assert (record["kind"], record["schema_version"]) == ("run", SCHEMA_VERSION)
    assert record["configurations"] == ["none", "esp-tunnel"]


def test_unknown_fields_are_ignored_and_unknown_kinds_are_nothing() -> None:
    record = MESSAGE.to_dict() | {"weather": "rain"}
    record["energy"]["colour"] = "green"
    assert record_from_dict(record) == MESSAGE
    assert record_from_dict({"kind": "weather"}) is None
    assert record_from_dict({}) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": "eaten"}, "eaten"),
        ({"stages_s": {"digested": 1.0}}, "unknown stage digested"),
        ({"stages_s": None}, "message"),
        ({"latency_s": None}, "latency"),
        ({"index": -1}, "index"),
        ({"uplink_bytes": {"outer_ip": -1}}, "outer_ip"),
        ({"uplink_bytes": {"cake": 1}}, "cake"),
        ({"energy": {"kind": "guessed", "model": "m", "total_j": 1.0}}, "guessed"),
        ({"energy": {"kind": "measured"}}, "model"),
    ],
)
def test_a_field_that_is_not_as_it_should_be_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(RecordError, match=words):
        record_from_dict(MESSAGE.to_dict() | change)


def test_a_missing_field_is_named() -> None:
    record = MESSAGE.to_dict()
    del record["configuration"]
    with pytest.raises(RecordError, match="configuration"):
        record_from_dict(record)


def test_one_kind_is_not_read_as_another() -> None:
    with pytest.raises(RecordError, match="session"):
        SessionRecord.from_dict(MESSAGE.to_dict())


@pytest.mark.parametrize("outcome", [Outcome.LOST, Outcome.FAILED])
def test_only_an_answered_message_has_a_latency(outcome: Outcome) -> None:
    with pytest.raises(ValueError, match="latency"):
        MessageRecord(
            index=0,
            configuration="none",
            security="none",
            compression="none",
            outcome=outcome,
            latency_s=1.0,
        )


def test_a_session_never_costs_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="bytes_up"):
        SessionRecord(configuration="esp-tunnel", setup_s=0.8, bytes_up=-1, bytes_down=0)


def test_records_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        MESSAGE.index = 8  # type: ignore[misc]


@settings(deadline=None)
@given(
    index=st.integers(0, 1 << 40),
    outcome=st.sampled_from(Outcome),
    stages=st.dictionaries(st.sampled_from(STAGES), st.floats(-1, 1e6)),
    reason=st.none() | st.text(max_size=20),
    latency=st.floats(0, 1e6),
    layers=st.none() | st.builds(LayerBytes, outer_ip=st.integers(0, 99), esp_iv=st.integers(0, 9)),
)
def test_any_message_survives_json(
    index: int,
    outcome: Outcome,
    stages: dict[str, float],
    reason: str | None,
    latency: float,
    layers: LayerBytes | None,
) -> None:
    record = MessageRecord(
        index=index,
        configuration="none",
        security="none",
        compression="none",
        outcome=outcome,
        reason=reason,
        stages_s=stages,
        latency_s=latency if outcome is Outcome.ANSWERED else None,
        uplink_bytes=layers,
    )
    assert record_from_dict(json.loads(json.dumps(record.to_dict()))) == record


@pytest.mark.parametrize(
    ("fields", "time"),
    [
        ({}, "real"),
        ({"time_scale": 200.0}, "scaled"),
        ({"time": "virtual", "time_scale": None}, "virtual"),
        ({"time": "real", "time_scale": 1.0}, "real"),
    ],
)
def test_a_run_that_does_not_say_its_time_tells_it_by_its_scale(
    fields: dict[str, Any], time: str
) -> None:
    assert RunRecord.from_dict({"kind": "run", **fields}).time == time
