"""Timers, registration and signal codes: tables from the standards and from field logs."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge import Registration, RegistrationState
from firmware_bridge.modules.threegpp import (
    EDRX_CYCLES_S,
    decode_cereg,
    decode_cesq,
    decode_edrx_cycle,
    decode_paging_window,
    decode_t3324,
    decode_t3412,
    encode_edrx_cycle,
    encode_t3324,
    encode_t3412,
)

T3412 = [
    ("00100001", 3_600),
    ("00111000", 86_400),
    ("00110100", 72_000),
    ("01111111", 62),
    ("10000001", 30),
    ("10100001", 60),
    ("00000001", 600),
    ("01000001", 36_000),
    ("11011111", 35_712_000),
    ("01100000", 0),
]
T3324 = [
    ("00000101", 10),
    ("00100001", 60),
    ("01000001", 360),
    ("00000000", 0),
    ("01011111", 11_160),
]


@pytest.mark.parametrize(("bits", "seconds"), T3412)
def test_periodic_tau_is_read_as_the_standard_says(bits: str, seconds: float) -> None:
    assert decode_t3412(bits) == seconds
    assert decode_t3412(encode_t3412(seconds)) == seconds


@pytest.mark.parametrize(("bits", "seconds"), T3324)
def test_active_time_is_read_as_the_standard_says(bits: str, seconds: float) -> None:
    assert decode_t3324(bits) == seconds
    assert decode_t3324(encode_t3324(seconds)) == seconds


@pytest.mark.parametrize("bits", ["11100000", "11111111", "", "0010000", "0010000x", "001000011"])
def test_a_deactivated_or_broken_timer_is_none(bits: str) -> None:
    assert decode_t3324(bits) is None
    assert decode_t3412(bits) is None


def test_other_units_of_the_active_time_are_minutes() -> None:
    assert decode_t3324("01100010") == 120


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=11_160))
def test_any_active_time_is_rounded_up_by_less_than_one_step(seconds: float) -> None:
    granted = decode_t3324(encode_t3324(seconds))
    assert granted is not None
    assert seconds <= granted < seconds + 360


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=35_712_000))
def test_any_periodic_tau_is_rounded_up_to_the_nearest_that_fits(seconds: float) -> None:
    granted = decode_t3412(encode_t3412(seconds))
    assert granted is not None and granted >= seconds
    every = [
        steps * unit
        for unit in (2, 30, 60, 600, 3_600, 36_000, 1_152_000)
        for steps in range(32)
        if steps * unit >= seconds
    ]
    assert granted == min(every)


@pytest.mark.parametrize("seconds", [-1, 11_161, math.inf, math.nan])
def test_an_active_time_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"T3324"):
        encode_t3324(seconds)


@pytest.mark.parametrize("seconds", [-1, 35_712_001, math.inf])
def test_a_periodic_tau_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"T3412"):
        encode_t3412(seconds)


def test_edrx_cycles_round_up_and_read_back() -> None:
    for code, cycle_s in EDRX_CYCLES_S.items():
        assert encode_edrx_cycle(cycle_s) == f"{code:04b}"
        assert decode_edrx_cycle(f'"{code:04b}"') == cycle_s
    assert encode_edrx_cycle(1) == "0010"
    assert encode_edrx_cycle(21) == "0011"
    assert decode_edrx_cycle("0100") == 20.48
    assert decode_edrx_cycle("x") is None
    assert decode_paging_window("0011") == 10.24
    assert decode_paging_window("") is None


@pytest.mark.parametrize("seconds", [0, -1, 10_486, math.nan])
def test_an_edrx_cycle_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="eDRX"):
        encode_edrx_cycle(seconds)


HOME, ROAMING, SEARCHING = (
    RegistrationState.HOME,
    RegistrationState.ROAMING,
    RegistrationState.SEARCHING,
)

CEREG = [
    ("+CEREG: 0,2", True, Registration(state=SEARCHING)),
    ("+CEREG:0,1", True, Registration(state=HOME)),
    ("+CEREG: 2", False, Registration(state=SEARCHING)),
    (
        "+CEREG:5,0216,0153803F,9",
        False,
        Registration(state=ROAMING, tac="0216", cell="0153803F", access_technology=9),
    ),
    (
        "+CEREG:0,0000,00000000,9",
        False,
        Registration(
            state=RegistrationState.IDLE, tac="0000", cell="00000000", access_technology=9
        ),
    ),
    (
        '+CEREG: 5,5,"B4DC","000AE520",9,0,18,"00000000","00111000"',
        True,
        Registration(
            state=ROAMING,
            tac="B4DC",
            cell="000AE520",
            access_technology=9,
            cause=18,
            active_time_s=0,
            periodic_tau_s=86_400,
            timers_told=True,
        ),
    ),
    (
        '+CEREG: 1,"5b57","01a50b1a",9,,,"00000101","00100001"',
        False,
        Registration(
            state=HOME,
            tac="5B57",
            cell="01A50B1A",
            access_technology=9,
            active_time_s=10,
            periodic_tau_s=3_600,
            timers_told=True,
        ),
    ),
    (
        '+CEREG: 4,1,"5B57","01A50B1A",9,"00",,,"11100000","11100000"',
        True,
        Registration(
            state=HOME, tac="5B57", cell="01A50B1A", access_technology=9, timers_told=True
        ),
    ),
    ("+CEREG: 2,,,,,0,0", False, Registration(state=SEARCHING, cause=0)),
    ("+CEREG: 3,,,,,0,15", False, Registration(state=RegistrationState.DENIED, cause=15)),
    (
        "+CEREG: 3,,,,0,15",
        False,
        Registration(state=RegistrationState.DENIED, cause=15),
    ),
    ("+CEREG: 3,,,,1,15", False, Registration(state=RegistrationState.DENIED)),
]


@pytest.mark.parametrize(("line", "read", "expected"), CEREG)
def test_every_form_of_cereg_is_read(line: str, read: bool, expected: Registration) -> None:
    assert decode_cereg(line, read=read) == expected


@pytest.mark.parametrize("line", ["+CEREG: ", "+CEREG: x", "+CEREG: 77", ""])
def test_a_broken_cereg_is_none(line: str) -> None:
    assert decode_cereg(line, read=False) is None
    assert decode_cereg("+CEREG: 5", read=True) is None


@settings(deadline=None)
@given(st.text(max_size=60), st.booleans())
def test_any_text_as_cereg_raises_nothing(text: str, read: bool) -> None:
    found = decode_cereg("+CEREG: " + text, read=read)
    assert found is None or isinstance(found.state, RegistrationState)


def test_registered_means_home_or_roaming() -> None:
    assert Registration(state=HOME).registered and not Registration(state=HOME).roaming
    assert Registration(state=ROAMING).registered and Registration(state=ROAMING).roaming
    assert not Registration(state=SEARCHING).registered


@pytest.mark.parametrize(
    ("line", "signal"),
    [
        ("+CESQ: 16,7,255,255,22,38", (-103.0, -9.0)),
        ("+CESQ: 99,99,255,255,8,61", (-80.0, -16.0)),
        ("+CESQ: 99,99,255,255,255,255", (None, None)),
        ("+CESQ: 1", (None, None)),
    ],
)
def test_signal_is_the_lower_edge_of_the_code(
    line: str, signal: tuple[float | None, float | None]
) -> None:
    assert decode_cesq(line) == signal
