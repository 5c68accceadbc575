"""The collectors: a journal's records and the HSE's counters, as Prometheus reads them."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from testbed.analysis.bytes import LAYERS, LayerBytes
from testbed.campaign.ledger import ModulePhase
from testbed.metrics.catalogue import CATALOGUE, MetricType
from testbed.metrics.catalogue import LABELS as LABEL_VALUES
from testbed.metrics.collectors import HseMetrics, RunMetrics
from testbed.results import (
    EndRecord,
    EnergyRecord,
    FaultRecord,
    FeedbackRecord,
    KeepaliveRecord,
    MessageRecord,
    Outcome,
    RecordError,
    RunRecord,
    RunStatus,
    SessionRecord,
)

RUN = RunRecord(
    testbed_version="0.1.0",
    bench="lab-3",
    module="bc66",
    origin="virtual",
    configurations=("none", "rohc+esp-tunnel"),
    messages=10,
    traffic="thermostat.pcapng",
    seed=5,
    time_scale=200.0,
    settings={"answer_timeout_s": 60.0},
)
TUNNEL = LayerBytes(
    outer_ip=20,
    outer_udp=8,
    esp_header=8,
    esp_iv=8,
    rohc_header=3,
    application=30,
    esp_padding=1,
    esp_trailer=2,
    esp_icv=16,
)
MESSAGE = MessageRecord(
    index=0,
    configuration="rohc+esp-tunnel",
    security="esp-tunnel",
    compression="rohc",
    outcome=Outcome.ANSWERED,
    latency_s=2.0,
    uplink_bytes=TUNNEL,
    downlink_bytes=dataclasses.replace(TUNNEL, application=4),
    energy=EnergyRecord(
        kind="estimated", model="m", total_j=0.75, setup_j=0.5, transmit_j=0.05, tail_j=0.2
    ),
    uplink_packet="UO-0",
    downlink_packet="IR",
    radio={"ecl": 1, "rsrp_dbm": -110.5},
)
LABELS = {
    "security": "esp-tunnel",
    "compression": "rohc",
    "ecl": "1",
}


def lost(index: int = 1, reason: str = "timeout") -> MessageRecord:
    return dataclasses.replace(
        MESSAGE,
        index=index,
        outcome=Outcome.LOST,
        reason=reason,
        latency_s=None,
        downlink_bytes=None,
        downlink_packet=None,
    )


def fed(*records: Any) -> RunMetrics:
    metrics = RunMetrics("run-1", wall_clock=lambda: 7.0)
    for record in (RUN, *records):
        metrics.observe(record)
    return metrics


def samples(collector: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What a scrape in the plain text format says."""
    registry = CollectorRegistry()
    registry.register(collector)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_a_message_is_counted_by_its_outcome() -> None:
    metrics = fed(MESSAGE, MESSAGE, lost())
    name = "testbed_messages_total"
    assert metrics.value(name, **LABELS, outcome="answered") == 2
    assert metrics.value(name, **LABELS, outcome="lost") == 1
    reasons = "testbed_messages_unanswered_total"
    assert metrics.value(reasons, **LABELS, reason="timeout") == 1


def test_the_layers_sum_to_the_bytes_of_the_packets() -> None:
    metrics = fed(MESSAGE, lost())
    by_layer = {
        layer: metrics.value(
            "testbed_message_bytes_total", **LABELS, direction="uplink", layer=layer.value
        )
        for layer in LAYERS
    }
    assert by_layer == {layer: 2 * count for layer, count in TUNNEL}
    packets = "testbed_message_packets_total"
    assert metrics.value(packets, **LABELS, direction="uplink") == 2
    assert metrics.value(packets, **LABELS, direction="downlink") == 1


def test_latency_goes_into_its_bucket_and_a_lost_message_beyond_all() -> None:
    found = samples(fed(MESSAGE, lost()))
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "testbed_message_latency_seconds_bucket"
    }
    assert (buckets["1.0"], buckets["2.5"], buckets["80.0"], buckets["+Inf"]) == (0, 1, 1, 2)
    (total,) = (v for (n, _), v in found.items() if n == "testbed_message_latency_seconds_sum")
    assert total == 2.0 + 60.0


def test_energy_carries_its_kind_and_its_states() -> None:
    metrics = fed(MESSAGE)
    state = "testbed_message_state_energy_joules_total"
    assert metrics.value(state, **LABELS, kind="estimated", state="setup") == 0.5
    assert metrics.value(state, **LABELS, kind="estimated", state="sleep") == 0
    assert metrics.value(state, **LABELS, kind="measured", state="setup") == 0
    found = samples(metrics)
    (total,) = (v for (n, _), v in found.items() if n == "testbed_message_energy_joules_sum")
    assert total == 0.75


def test_rohc_packets_are_counted_by_type_and_direction() -> None:
    metrics = fed(MESSAGE, lost())
    name = "testbed_rohc_packets_total"
    assert metrics.value(name, **LABELS, direction="uplink", packet_type="UO-0") == 2
    assert metrics.value(name, **LABELS, direction="downlink", packet_type="IR") == 1


def test_the_radio_report_sets_gauges_and_the_coverage_label() -> None:
    metrics = fed(MESSAGE)
    assert metrics.value("testbed_module_ecl") == 1
    assert metrics.value("testbed_module_rsrp_dbm") == -110.5
    unknown = fed(dataclasses.replace(MESSAGE, radio=None))
    labels = LABELS | {"ecl": "unknown", "outcome": "answered"}
    assert unknown.value("testbed_messages_total", **labels) == 1


@pytest.mark.parametrize("ecl", [3, -1, True, "1", None, "<script>"])
def test_a_coverage_level_that_is_none_becomes_unknown(ecl: object) -> None:
    metrics = fed(dataclasses.replace(MESSAGE, radio={"ecl": ecl}))
    labels = LABELS | {"ecl": "unknown", "outcome": "answered"}
    assert metrics.value("testbed_messages_total", **labels) == 1


def test_a_warm_up_is_in_no_other_figure() -> None:
    warm = dataclasses.replace(MESSAGE, warm_up=True)
    metrics = fed(warm, warm, MESSAGE)
    assert metrics.value("testbed_warm_up_messages_total") == 2
    assert metrics.value("testbed_messages_total", **LABELS, outcome="answered") == 1


def test_a_campaign_plans_messages_for_each_cell() -> None:
    cells = tuple({"name": f"none n={n}", "configuration": "none"} for n in range(6))
    metrics = RunMetrics("run-1")
    metrics.observe(dataclasses.replace(RUN, messages=7, configurations=("none",), cells=cells))
    assert metrics.value("testbed_run_planned_messages") == 42


def test_the_latest_message_has_the_time_of_the_wall() -> None:
    now = 1000.0
    metrics = RunMetrics("run-1", wall_clock=lambda: now)
    name = "testbed_module_last_message_timestamp_seconds"
    metrics.observe(RUN)
    assert name not in {name for name, _ in samples(metrics)}
    metrics.observe(MESSAGE)
    now = 2000.0
    metrics.observe(lost())
    assert metrics.value(name) == 2000.0


def test_the_module_is_in_one_phase_at_a_time_and_registered_in_some() -> None:
    metrics = fed()
    for phase, registered in (
        ("starting", 0),
        ("attaching", 0),
        ("idle", 1),
        ("connected", 1),
        ("asleep", 1),
        ("recovering", 0),
        ("ended", 0),
    ):
        metrics.phase(phase)
        shown = {
            dict(labels)["phase"]: value
            for (name, labels), value in samples(metrics).items()
            if name == "testbed_module_state"
        }
        assert len(shown) == 7
        assert [name for name, value in shown.items() if value] == [phase]
        assert metrics.value("testbed_module_registered") == registered
    with pytest.raises(ValueError, match="none of starting"):
        metrics.phase("dancing")


def test_every_phase_of_a_campaign_is_known_here_and_in_the_catalogue() -> None:
    metrics = fed()
    for phase in ModulePhase:
        metrics.phase(phase.value)
        assert f"`{phase.value}`" in LABEL_VALUES["phase"]


def test_re_keyings_are_counted_by_reason_and_energy_of_what_is_no_message_by_kind() -> None:
    session = SessionRecord(
        configuration="rohc+esp-tunnel",
        setup_s=3.0,
        bytes_up=200,
        bytes_down=150,
        reason="lifetime-soft",
        energy=EnergyRecord(kind="estimated", model="m", total_j=0.5),
    )
    metrics = fed(dataclasses.replace(session, reason=None), session, session)
    labels = {"security": "esp-tunnel", "compression": "rohc"}
    rekeyings = "testbed_session_rekeyings_total"
    assert metrics.value(rekeyings, **labels, reason="lifetime-soft") == 2
    energy = "testbed_session_energy_joules_total"
    assert metrics.value(energy, **labels, kind="estimated") == 1.5
    assert metrics.value(energy, **labels, kind="measured") == 0


def test_sessions_are_counted_with_their_bytes_and_attempts() -> None:
    session = SessionRecord(
        configuration="rohc+esp-tunnel", setup_s=3.0, bytes_up=200, bytes_down=150, attempts=2
    )
    metrics = fed(session, session)
    labels = {"security": "esp-tunnel", "compression": "rohc"}
    assert metrics.value("testbed_sessions_total", **labels) == 2
    assert metrics.value("testbed_session_attempts_total", **labels) == 4
    assert metrics.value("testbed_session_bytes_total", **labels, direction="uplink") == 400
    assert metrics.value("testbed_session_bytes_total", **labels, direction="downlink") == 300


def test_virtual_time_has_no_scale() -> None:
    metrics = RunMetrics("run-1")
    metrics.observe(dataclasses.replace(RUN, time="virtual", time_scale=None))
    registry = CollectorRegistry()
    registry.register(metrics)
    text = generate_latest(registry).decode()
    assert "testbed_run_planned_messages{" in text
    assert "testbed_run_time_scale_ratio{" not in text


def test_a_suite_is_no_label_and_a_failed_re_keying_no_session() -> None:
    suite = "rohc+esp-tunnel/aes-cbc-128+hmac-sha2-256-128"
    session = SessionRecord(configuration=suite, setup_s=3.0, bytes_up=200, bytes_down=150)
    failed = SessionRecord(
        configuration=suite,
        setup_s=45.0,
        bytes_up=237,
        bytes_down=0,
        attempts=3,
        reason="unanswered",
        failure="no-answer",
    )
    metrics = fed(session, failed)
    labels = {"security": "esp-tunnel", "compression": "rohc"}
    assert metrics.value("testbed_sessions_total", **labels) == 1
    assert metrics.value("testbed_session_attempts_total", **labels) == 4
    assert metrics.value("testbed_session_bytes_total", **labels, direction="uplink") == 437


def test_the_run_says_what_it_is_and_whether_it_is_over() -> None:
    metrics = fed()
    assert metrics.value("testbed_run_planned_messages") == 20
    assert metrics.value("testbed_run_time_scale_ratio") == 200
    assert metrics.value("testbed_run_complete") == 0
    metrics.observe(EndRecord(status=RunStatus.COMPLETE))
    assert metrics.value("testbed_run_complete") == 1
    info = next(dict(labels) for (name, labels) in samples(metrics) if name == "testbed_run_info")
    assert info["run"] == "run-1"
    assert info["payload"] == "thermostat.pcapng"


def test_an_interrupted_run_is_not_complete() -> None:
    assert fed(EndRecord(status=RunStatus.INTERRUPTED)).value("testbed_run_complete") == 0


def test_lines_of_the_journal_count_like_their_records() -> None:
    typed, plain = fed(MESSAGE, lost()), RunMetrics("run-1", wall_clock=lambda: 7.0)
    for record in (RUN, MESSAGE, lost()):
        plain.observe(record.to_dict())
    assert samples(plain) == samples(typed)


def test_unknown_kinds_are_ignored_and_wrong_records_refused() -> None:
    metrics = fed()
    before = samples(metrics)
    metrics.observe({"kind": "something-new", "value": 1})
    assert samples(metrics) == before
    with pytest.raises(RecordError):
        metrics.observe({"kind": "message"})


def test_the_number_of_series_stays_bounded_whatever_the_reasons() -> None:
    metrics = fed(*(lost(index, f"reason {index}") for index in range(500)))
    reasons = [n for n, _ in samples(metrics) if n == "testbed_messages_unanswered_total"]
    assert len(reasons) == 33
    assert metrics.value("testbed_messages_unanswered_total", **LABELS, reason="other") == 468


def test_the_number_of_series_has_a_bound_whatever_a_journal_says() -> None:
    """What modules, peers and files can choose: reasons, packet types, faults, levels."""
    metrics = fed()
    for n in range(1_000):
        metrics.observe(
            dataclasses.replace(
                lost(n, f"reason {n}"), uplink_packet=f"type {n}", radio={"ecl": n - 500}
            )
        )
        metrics.observe(
            SessionRecord(
                configuration="esp-tunnel",
                setup_s=1.0,
                bytes_up=1,
                bytes_down=1,
                reason=f"reason {n}",
            )
        )
        metrics.observe(FaultRecord(fault=f"fault {n}", configuration="none", recovered_s=n))
    levels, others = 4, 33
    bound = {
        "testbed_messages_unanswered_total": levels * others,
        "testbed_rohc_packets_total": levels * others,
        "testbed_session_rekeyings_total": others,
        "testbed_module_faults_total": others,
        "testbed_module_recovery_seconds_count": others,
    }
    counted = Counter(name for name, _ in samples(metrics))
    for name, most in bound.items():
        assert 32 < counted[name] <= most, name
    assert sum(counted.values()) < 1_500


def test_a_long_run_has_no_more_series_than_a_short_one() -> None:
    short = len(samples(fed(MESSAGE, lost())))
    many = [dataclasses.replace(MESSAGE, index=index) for index in range(300)]
    assert len(samples(fed(lost(), *many))) == short


def test_exemplars_name_run_and_message() -> None:
    registry = CollectorRegistry()
    registry.register(fed(MESSAGE))
    exemplars = [
        sample.exemplar.labels
        for family in parse_openmetrics(openmetrics(registry).decode())
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert exemplars
    assert all(e == {"run": "run-1", "message": "rohc+esp-tunnel/0"} for e in exemplars)


def test_faults_are_counted_by_kind_and_only_those_it_came_back_from_have_a_duration() -> None:
    back = FaultRecord(fault="rebooted", configuration="none", recovered_s=5.5, attempts=1)
    gone = FaultRecord(fault="line-lost", configuration="none", attempts=5, failure="line-lost")
    metrics = fed(back, back, gone)
    assert metrics.value("testbed_module_faults_total", fault="rebooted") == 2
    assert metrics.value("testbed_module_faults_total", fault="line-lost") == 1
    found = {
        (name, dict(labels)["fault"]): value
        for (name, labels), value in samples(metrics).items()
        if name.startswith("testbed_module_recovery_seconds_") and "le" not in dict(labels)
    }
    assert found["testbed_module_recovery_seconds_count", "rebooted"] == 2
    assert found["testbed_module_recovery_seconds_sum", "rebooted"] == 11.0
    assert ("testbed_module_recovery_seconds_count", "line-lost") not in found


def test_feedback_in_packets_of_its_own_is_counted_by_way() -> None:
    metrics = RunMetrics()
    metrics.observe(RUN)
    layers = LayerBytes(outer_ip=20, outer_udp=8, rohc_header=3)
    for name in ("rohc", "rohc+esp-tunnel"):
        metrics.observe(FeedbackRecord(configuration=name, after=0, uplink_bytes=layers))
    metrics.observe(FeedbackRecord(configuration="rohc", after=1, downlink_bytes=layers))
    found = {
        (name, dict(labels)["security"], dict(labels)["direction"]): value
        for (name, labels), value in samples(metrics).items()
        if "feedback" in name and "created" not in name
    }
    assert found == {
        ("testbed_feedback_packets_total", "none", "uplink"): 1,
        ("testbed_feedback_packets_total", "none", "downlink"): 1,
        ("testbed_feedback_packets_total", "esp-tunnel", "uplink"): 1,
        ("testbed_feedback_bytes_total", "none", "uplink"): 31,
        ("testbed_feedback_bytes_total", "none", "downlink"): 31,
        ("testbed_feedback_bytes_total", "esp-tunnel", "uplink"): 31,
    }


def test_hostile_label_values_survive_the_exposition_format() -> None:
    name = 'x"}\nevil 1\\'
    metrics = RunMetrics()
    metrics.observe(dataclasses.replace(RUN, module=name))
    modules = {dict(labels).get("module") for _, labels in samples(metrics)}
    assert modules == {name}


@dataclasses.dataclass
class Counters:
    datagrams: Mapping[str, int]
    bytes_received: Mapping[str, int]
    delivered: Mapping[str, int]
    answered: Mapping[str, int]
    rejected: Mapping[tuple[str, str], int]
    feedback: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"esp": 3})
    lifetimes: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"soft": 1})
    repairs: Mapping[str, int] = dataclasses.field(default_factory=lambda: {"esp": 2})
    notices: int = 5
    keepalives: int = 2
    exchanges: int = 3
    sessions: int = 4
    security_associations: int = 4
    rohc_contexts: int = 6


def counters(**more: Any) -> Counters:
    values: dict[str, Any] = {
        "datagrams": {"esp": 10, "rohc": 1},
        "bytes_received": {"esp": 1000, "rohc": 50},
        "delivered": {"esp": 7},
        "answered": {"esp": 6},
        "rejected": {("esp", "replayed"): 2, ("esp", "bad-icv"): 1},
    }
    return Counters(**(values | more))


def test_the_hse_counters_are_read_at_each_scrape() -> None:
    current = counters()
    collector = HseMetrics(lambda: current)
    found = samples(collector)
    assert found["testbed_hse_datagrams_total", frozenset({("port", "esp")})] == 10
    rejected = frozenset({("port", "esp"), ("reason", "replayed")})
    assert found["testbed_hse_rejected_total", rejected] == 2
    assert found["testbed_hse_sessions", frozenset()] == 4
    assert found["testbed_hse_rohc_contexts", frozenset()] == 6
    assert found["testbed_hse_lifetimes_total", frozenset({("limit", "soft")})] == 1
    assert found["testbed_hse_rohc_repairs_total", frozenset({("port", "esp")})] == 2
    assert found["testbed_hse_rohc_repairs_total", frozenset({("port", "rohc")})] == 0
    current = counters(sessions=9)
    assert samples(collector)["testbed_hse_sessions", frozenset()] == 9


def test_a_snapshot_that_changes_while_it_is_taken_is_asked_again() -> None:
    asked = 0

    def snapshot() -> Counters:
        nonlocal asked
        asked += 1
        if asked % 3:
            raise RuntimeError("dictionary changed size during iteration")
        return counters(keepalives=asked)

    found = samples(HseMetrics(snapshot))
    assert found["testbed_hse_keepalives_total", frozenset()] == 3


def test_a_snapshot_that_never_comes_leaves_the_last_one() -> None:
    fail = False

    def snapshot() -> Counters:
        if fail:
            raise RuntimeError("dictionary changed size during iteration")
        return counters()

    collector = HseMetrics(snapshot)
    before = samples(collector)
    fail = True
    assert samples(collector) == before
    assert samples(HseMetrics(snapshot)) == {}


def test_reasons_of_the_hse_are_bounded_too() -> None:
    rejected = {("esp", f"reason-{n}"): 1 for n in range(100)}
    found = samples(HseMetrics(lambda: counters(rejected=rejected)))
    assert sum(1 for name, _ in found if name == "testbed_hse_rejected_total") == 33
    assert (
        found["testbed_hse_rejected_total", frozenset({("port", "esp"), ("reason", "other")})] == 68
    )


def test_everything_in_the_catalogue_is_exported_and_nothing_else() -> None:
    session = SessionRecord(configuration="esp-tunnel", setup_s=1, bytes_up=1, bytes_down=1)
    registry = CollectorRegistry()
    feedback = FeedbackRecord(
        configuration="rohc", after=0, uplink_bytes=LayerBytes(outer_ip=20, rohc_header=3)
    )
    end = EndRecord(status=RunStatus.COMPLETE)
    fault = FaultRecord(fault="rebooted", configuration="none", recovered_s=5.5, attempts=1)
    keepalive = KeepaliveRecord(
        configuration="esp-tunnel",
        after=0,
        uplink_bytes=LayerBytes(outer_ip=20, outer_udp=8, esp_header=1),
        energy=MESSAGE.energy,
    )
    rekeying = dataclasses.replace(session, reason="unanswered", energy=MESSAGE.energy)
    aka = dataclasses.replace(
        session, key_agreement="aka", usim="csim", usim_s=0.2, resynchronisations=1
    )
    failed = dataclasses.replace(session, failure="challenge-refused")
    feedback = dataclasses.replace(feedback, energy=MESSAGE.energy)
    warm = dataclasses.replace(MESSAGE, warm_up=True)
    run = fed(
        MESSAGE, lost(), warm, session, rekeying, aka, failed, feedback, keepalive, fault, end
    )
    run.phase("idle")
    registry.register(run)
    registry.register(HseMetrics(counters))
    text = generate_latest(registry).decode()
    families = {family.name: family for family in parse(text)}
    for entry in CATALOGUE:
        if entry.name.startswith("testbed_suite_"):
            continue  # they are pushed: see test_suite
        # The plain text format writes an info as a gauge; its parser leaves _total off counters.
        family = families.pop(entry.name.removesuffix("_total"))
        assert family.documentation == entry.help
        assert family.samples, f"{entry.name} has no sample"
        assert family.type == ("gauge" if entry.type is MetricType.INFO else entry.type)
        own = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert own == set(entry.labels)
    assert not families
