"""Timers coded in bits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.virtual.durations import (
    EDRX_CYCLES_S,
    NOT_GRANTED,
    active_time_bits,
    active_time_s,
    edrx_bits,
    paging_window_s,
    periodic_tau_bits,
    periodic_tau_s,
)


@pytest.mark.parametrize(
    ("bits", "seconds"),
    [
        ("00000101", 10.0),  # Vodafone log
        ("00100100", 240.0),  # the manual's example: 4 minutes
        ("01000001", 360.0),
        ("01111111", 1860.0),  # another unit counts minutes
        ("11100000", None),
        ("00000000", 0.0),
    ],
)
def test_t3324_is_read_as_gprs_timer_2(bits: str, seconds: float | None) -> None:
    assert active_time_s(bits) == seconds


@pytest.mark.parametrize(
    ("bits", "seconds"),
    [
        ("00100001", 3600.0),  # Vodafone log
        ("01000111", 70 * 3600.0),  # the manual's example: 70 hours
        ("00111000", 24 * 3600.0),
        ("00000110", 3600.0),
        ("01100010", 4.0),
        ("10000010", 60.0),
        ("10100010", 120.0),
        ("11000001", 320 * 3600.0),
        ("11100000", None),
    ],
)
def test_t3412_is_read_as_gprs_timer_3(bits: str, seconds: float | None) -> None:
    assert periodic_tau_s(bits) == seconds


@pytest.mark.parametrize("bits", ["", "0", "000000000", "0000000x", "22222222"])
def test_what_is_not_eight_bits_is_refused(bits: str) -> None:
    with pytest.raises(ValueError, match="8 bits"):
        active_time_s(bits)
    with pytest.raises(ValueError, match="8 bits"):
        periodic_tau_s(bits)


@given(st.integers(0, 255))
def test_coding_what_was_decoded_gives_the_same_time(value: int) -> None:
    bits = f"{value:08b}"
    active = active_time_s(bits)
    if active is not None and bits[:3] in ("000", "001", "010"):
        assert active_time_s(active_time_bits(active)) == active
    tau = periodic_tau_s(bits)
    if tau is not None:
        assert periodic_tau_s(periodic_tau_bits(tau)) == tau


@given(st.floats(0, 40_000_000))
def test_a_coded_time_is_never_longer_than_asked(seconds: float) -> None:
    assert (periodic_tau_s(periodic_tau_bits(seconds)) or 0.0) <= seconds
    assert (active_time_s(active_time_bits(seconds)) or 0.0) <= seconds


def test_no_time_is_coded_as_deactivated() -> None:
    assert active_time_bits(None) == periodic_tau_bits(None) == NOT_GRANTED


def test_edrx_cycles_and_windows_are_those_of_nb_s1_mode() -> None:
    assert EDRX_CYCLES_S["0010"] == 20.48
    assert edrx_bits(81.92) == "0101"
    assert edrx_bits(100.0) == "0101"
    assert edrx_bits(1.0) == "0010"
    assert edrx_bits(1e9) == "1111"
    assert paging_window_s("0000") == 2.56
    assert paging_window_s("0011") == pytest.approx(10.24)
    with pytest.raises(ValueError, match="4 bits"):
        paging_window_s("00")
