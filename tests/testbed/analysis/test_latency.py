"""Latency quantiles: a lost message counts as slow, it never disappears."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.analysis.latency import Quantile, computing_time, summarise_latency

latencies = st.lists(st.floats(0.001, 59.0), max_size=60)

TABLE = [
    # name, answered, lost at, median, censored, p95, censored
    ("one", [1.0], [], 1.0, False, 1.0, False),
    ("two", [1.0, 3.0], [], 1.0, False, 3.0, False),
    ("three", [3.0, 1.0, 2.0], [], 2.0, False, 3.0, False),
    ("twenty", [float(n) for n in range(1, 21)], [], 10.0, False, 19.0, False),
    ("one of twenty lost", [float(n) for n in range(1, 20)], [60.0], 10.0, False, 19.0, False),
    ("two of twenty lost", [float(n) for n in range(1, 19)], [60.0] * 2, 10.0, False, 60.0, True),
    ("half lost", [1.0, 2.0], [60.0] * 2, 2.0, False, 60.0, True),
    ("most lost", [1.0], [60.0] * 2, 60.0, True, 60.0, True),
    ("all lost", [], [60.0] * 3, 60.0, True, 60.0, True),
    ("lost without a known bound", [1.0], [None] * 3, None, True, None, True),
]


@pytest.mark.parametrize(
    ("answered", "lost", "median", "median_censored", "p95", "p95_censored"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_quantile_is_the_time_within_which_that_share_was_answered(
    answered: list[float],
    lost: list[float | None],
    median: float | None,
    median_censored: bool,
    p95: float | None,
    p95_censored: bool,
) -> None:
    summary = summarise_latency(answered, lost)
    assert summary.median == Quantile(share=0.5, value_s=median, censored=median_censored)
    assert summary.p95 == Quantile(share=0.95, value_s=p95, censored=p95_censored)
    assert (summary.answered, summary.censored) == (len(answered), len(lost))


def test_leaving_the_lost_out_would_have_looked_faster() -> None:
    answered = [1.0] * 15 + [2.0]
    with_lost = summarise_latency(answered, [30.0] * 4)
    without = summarise_latency(answered, [])
    assert without.p95 is not None and without.p95.value_s == 2.0
    assert with_lost.p95 is not None and with_lost.p95.value_s == 30.0
    assert with_lost.p95.censored and not without.p95.censored


def test_no_message_has_no_quantile() -> None:
    summary = summarise_latency([], [])
    assert summary.median is summary.p95 is summary.fastest_s is summary.slowest_s is None


@given(latencies, st.integers(0, 30))
def test_the_share_answered_within_the_quantile_is_at_least_the_share(
    answered: list[float], lost: int
) -> None:
    summary = summarise_latency(answered, [60.0] * lost)
    for quantile in (summary.median, summary.p95):
        if quantile is None or quantile.censored or quantile.value_s is None:
            continue
        within = sum(1 for latency in answered if latency <= quantile.value_s)
        assert within >= quantile.share * (len(answered) + lost) - 1e-6


@given(latencies, st.integers(0, 30))
def test_losing_one_more_never_makes_it_faster(answered: list[float], lost: int) -> None:
    before = summarise_latency(answered, [60.0] * lost)
    after = summarise_latency(answered, [60.0] * (lost + 1))
    for old, new in ((before.median, after.median), (before.p95, after.p95)):
        if old is not None and old.value_s is not None:
            assert new is not None and new.value_s is not None
            assert new.value_s >= old.value_s


def test_the_json_says_whether_a_quantile_is_a_bound() -> None:
    record = json.loads(json.dumps(summarise_latency([1.23456789], [60.0]).to_json()))
    assert record["median"] == {"value_s": 1.234568, "censored": False}
    assert record["p95"] == {"value_s": 60.0, "censored": True}
    assert record["fastest_s"] == record["slowest_s"] == 1.234568
    assert (record["answered"], record["censored"]) == (1, 1)


STRETCHES = {
    "submitted": 0.0,
    "compressed": 0.01,
    "protected": 0.03,
    "at_written": 0.1,
    "hse_received": 1.0,
    "hse_verified": 1.01,
    "hse_decompressed": 1.02,
    "hse_answered": 1.05,
    "received": 2.0,
    "unprotected": 2.01,
    "delivered": 2.02,
}


@pytest.mark.parametrize(
    ("missing", "computing_s"),
    [
        ((), 0.02 + 0.05 + 0.02),
        (("compressed",), 0.05 + 0.02),
        (("hse_received",), 0.02 + 0.02),
        (("hse_answered",), 0.02 + 0.02 + 0.02),
        (("received", "delivered", "unprotected"), 0.02 + 0.05),
    ],
)
def test_computing_is_what_lies_between_stages_without_line_or_radio(
    missing: tuple[str, ...], computing_s: float
) -> None:
    stages = {name: at for name, at in STRETCHES.items() if name not in missing}
    assert computing_time(stages) == pytest.approx(computing_s)


def test_opening_the_socket_again_is_not_computing() -> None:
    late = {name: at + 0.2 for name, at in STRETCHES.items()} | {"submitted": 0.0}
    assert computing_time(late) == pytest.approx(0.09)


def test_without_stages_nothing_is_known_about_computing() -> None:
    assert computing_time({}) is None
    assert computing_time({"submitted": 0.0, "accepted": 1.0}) is None
