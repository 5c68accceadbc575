"""Figures for people: a unit each, few digits, and never a false precision."""

import pytest

from testbed.analysis.latency import Quantile
from testbed.analysis.rows import EnergyMeans, RohcSaving
from testbed.report import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.00 s"),
        (0.0003, "0.30 ms"),
        (0.0045, "4.5 ms"),
        (0.045, "45 ms"),
        (0.45, "0.45 s"),
        (2.1, "2.10 s"),
        (12.34, "12.3 s"),
        (128.4, "128 s"),
    ],
)
def test_seconds_carry_their_unit(value: float | None, text: str) -> None:
    assert figures.seconds(value) == text


@pytest.mark.parametrize(
    ("value_s", "censored", "text"),
    [(2.5, False, "2.50 s"), (40.0, True, "> 40 s"), (None, True, "not answered")],
)
def test_a_censored_quantile_is_shown_as_a_bound(
    value_s: float | None, censored: bool, text: str
) -> None:
    assert figures.quantile(Quantile(share=0.5, value_s=value_s, censored=censored)) == text


def test_no_quantile_is_shown_as_nothing() -> None:
    assert figures.quantile(None) == figures.NOTHING


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0, "0"), (20.0, "20"), (4.26, "4.3"), (-4.0, "-4")]
)
def test_bytes_are_whole_where_they_are_whole(value: float | None, text: str) -> None:
    assert figures.byte_count(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0, "0.00 J"), (0.0124, "12 mJ"), (1.294, "1.29 J")]
)
def test_joules_carry_their_unit(value: float | None, text: str) -> None:
    assert figures.energy(value) == text


def means(low_j: float | None, high_j: float | None) -> EnergyMeans:
    return EnergyMeans(
        kind="estimated",
        model="m",
        messages=1,
        setup_j=0,
        transmit_j=0,
        receive_j=0,
        tail_j=0,
        sleep_j=0,
        total_j=1.0,
        low_j=low_j,
        high_j=high_j,
    )


def test_an_energy_range_is_shown_only_when_it_is_stated() -> None:
    assert figures.energy_range(means(0.5, 2.0)) == "0.50 J to 2.00 J"
    assert figures.energy_range(means(None, 2.0)) is None


@pytest.mark.parametrize(
    ("uplink", "later", "first", "downlink", "same", "parts"),
    [
        (
            44.0,
            45.2,
            -4,
            42.8,
            True,
            ["saves 44 bytes", "45.2 in each", "costs 4 more", "; 42.8 per downlink message."],
        ),
        (44.0, 45.0, 3, None, True, ["the first saves 3, it sets"]),
        (44.0, 45.0, 0, None, True, ["the first saves nothing, it sets"]),
        (-2.0, None, -2, None, True, ["costs 2 bytes per uplink message"]),
        (44.0, 45.0, 0, None, False, ["only their headers are compared"]),
    ],
)
def test_the_saving_is_said_in_words(
    uplink: float,
    later: float | None,
    first: int,
    downlink: float | None,
    same: bool,
    parts: list[str],
) -> None:
    text = figures.saving(
        RohcSaving(
            without="esp-tunnel",
            compressed="rohc+esp-tunnel",
            uplink_bytes=uplink,
            later_uplink_bytes=later,
            first_uplink_bytes=first,
            downlink_bytes=downlink,
            share_of_packet=uplink / 140,
            same_payloads=same,
        )
    )
    assert text.startswith("ROHC ")
    for part in parts:
        assert part in text
