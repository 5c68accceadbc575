"""What the order of messages tells: dependence, drift, outliers; nothing is left out."""

from __future__ import annotations

import numpy as np
import pytest

from testbed.analysis import series
from tests.testbed.analysis.test_statistics import autocorrelated


@pytest.mark.parametrize(("memory", "time"), [(0.0, 1.0), (0.5, 3.0), (0.8, 9.0)])
def test_the_correlation_time_is_that_of_the_process(memory: float, time: float) -> None:
    # (1 + memory) / (1 - memory) of a first-order autoregressive process
    found = [series.dependence(autocorrelated(seed, 4000, memory)) for seed in range(5)]
    assert np.median([one.time for one in found]) == pytest.approx(time, rel=0.25)
    assert np.median([one.first for one in found]) == pytest.approx(memory, abs=0.06)


def test_a_series_without_variation_depends_on_nothing() -> None:
    assert series.dependence(np.ones(50)).time == 1.0
    assert series.dependence(np.array([1.0, 2.0])).stretch == 1


def test_stretches_are_long_against_the_memory() -> None:
    short = series.stretches(autocorrelated(1, 2000, 0.0))
    long = series.stretches(autocorrelated(1, 2000, 0.9))
    assert short.max() > 300 > long.max()


def visits(pause: float, *, blocks: int = 12, visit: int = 3) -> tuple[np.ndarray, ...]:
    """Values alike within visits, the numbers of blocks, and times with a pause between visits."""
    rng = np.random.default_rng(2)
    number = np.repeat(np.arange(blocks), visit)
    values = np.repeat(rng.normal(0, 1, blocks), visit) + rng.normal(0, 0.1, blocks * visit)
    return values, number, np.arange(blocks * visit) * 60.0 + number * pause


def test_visits_that_are_far_apart_are_clusters_and_others_are_not() -> None:
    apart, near = visits(33 * 60.0), visits(0.0)
    assert series.dependence(apart[0]).stretch > 3
    assert len(np.unique(series.visits_or_stretches(*apart))) == 12
    np.testing.assert_array_equal(series.visits_or_stretches(*near), series.stretches(near[0]))


def test_a_memory_longer_than_the_pauses_between_visits_keeps_its_stretches() -> None:
    values, number, times = visits(10 * 60.0, blocks=60)
    slow = autocorrelated(3, 60, 0.95)[number] + values / 100
    found = series.visits_or_stretches(slow, number, times)
    np.testing.assert_array_equal(found, series.stretches(slow))


def test_messages_that_pass_for_independent_stay_their_own_clusters() -> None:
    _, number, times = visits(33 * 60.0)
    plain = np.random.default_rng(1).normal(0, 1, 36)
    assert len(np.unique(series.visits_or_stretches(plain, number, times))) == 36


def test_alternating_values_are_not_taken_for_more_than_they_are() -> None:
    assert series.dependence(np.tile([1.0, 2.0], 100)).time == 1.0


def failing(n: int) -> np.ndarray:
    """Values of which more and more are lost."""
    rng = np.random.default_rng(4)
    return np.where(rng.random(n) < np.linspace(0, 1, n), np.inf, rng.lognormal(0, 0.2, n))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("steady", np.random.default_rng(1).lognormal(0, 0.2, 300), None),
        ("alike", autocorrelated(3, 900, 0.9), "neighbours are alike"),
        (
            "drifting",
            np.random.default_rng(2).lognormal(0, 0.3, 300) * np.linspace(1, 1.6, 300),
            "drifts",
        ),
        ("failing", failing(400), "of the second not answered"),
        (
            "outliers",
            np.append(np.random.default_rng(3).lognormal(0, 0.1, 200), [30.0, 35.0]),
            "2 of 202 values lie far from the others",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_notes_say_what_a_reader_must_know(name: str, values: np.ndarray, said: str | None) -> None:
    notes = list(series.notes(values, "arm"))
    if said is None:
        assert notes == []
    else:
        assert any(said in note for note in notes), (name, notes)
