"""Lines in plain words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.modules.explain import duration, explain


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("+CME ERROR: 30", "no network service"),
        ("+CME ERROR:570", "PDP context broken down"),
        ("+CME ERROR: 9999", ""),
        ("+CEREG: 2", "searching"),
        ("+CEREG: 5,3,,,,0,15", "denied, EMM cause 15"),
        (
            '+CEREG: 5,5,"B4DC","000AE520",9,0,0,"00000101","00111000"',
            "roaming, cell 000AE520 in area B4DC, T3324 10 s, T3412 24 h",
        ),
        (
            '+CEREG: 1,"5B57","01A50B1A",9,,,"11100000","01001001"',
            "home, cell 01A50B1A in area 5B57, T3324 off, T3412 90 h",
        ),
        ("+CESQ: 16,7,255,255,22,38", "RSRP -103 dBm, RSRQ -9 dB"),
        ("+CESQ: 99,99,255,255,255,255", "no signal known"),
        ('AT+CPSMS=1,,,"00100001","00000101"', "PSM on, T3412 1 h, T3324 10 s"),
        ('+CPSMS: 1,,,"00111000","11100000"', "PSM on, T3412 24 h, T3324 off"),
        ("AT+CPSMS=0", "PSM off"),
        ('+CEDRXRDP: 5,"0011","0010","0011"', "eDRX cycle 20.48 s, paging window 10.24 s"),
        ("+CEDRXRDP: 0", "eDRX not used"),
        (
            '+QENG: 0,1694,12,284,"022FE6CF",-92,-5,-87,10,3,"33C2",0,14,2',
            "RSRP -92 dBm, RSRQ -5 dB, SINR 10 dB, coverage level 0, band 3, cell 022FE6CF, "
            "transmits 14 dBm",
        ),
        ("+QENG: 3,1234,56,7", "sleep 123.4 s, rx 5.6 s, tx 0.7 s"),
        ("+CSCON: 1", "radio connected"),
        ("+CSCON: 1,0", "radio idle"),
        ("+QIOPEN: 0,0", "socket 0 is open"),
        ("+QIOPEN: 0,566", "connection failed"),
        ("OK", ""),
        ("", ""),
    ],
)
def test_a_line_is_said_in_plain_words(line: str, words: str) -> None:
    assert explain(line) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "off"), (0, "0 s"), (10, "10 s"), (3_240, "54 min"), (86_400, "24 h"), (90, "90 s")],
)
def test_a_time_is_said_in_its_largest_whole_unit(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@settings(deadline=None)
@given(
    st.sampled_from(["+CEREG: ", "+CESQ: ", "+CPSMS: ", "+CEDRXRDP: ", "+QENG: ", "+CME ERROR: "]),
    st.text(alphabet='0123456789,"ABCDEF- x²', max_size=60),
)
def test_any_line_is_explained_or_left_alone(prefix: str, rest: str) -> None:
    assert isinstance(explain(prefix + rest), str)
