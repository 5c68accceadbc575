"""The AT log, its transcripts, and the splitting of fields."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.at import AtLog, Direction, Entry, split_fields, unquote
from firmware_bridge.at.fields import after_colon, number
from firmware_bridge.at.log import read_transcript, transcript
from firmware_bridge.masking import mask_identities

TO, FROM = Direction.TO_MODULE, Direction.FROM_MODULE


def test_a_transcript_joins_pieces_to_lines() -> None:
    log = AtLog()
    log.record(1.0, TO, b"AT+CSQ\r")
    log.record(1.1, FROM, b"\r\n+CSQ: 1")
    log.record(1.2, FROM, b"8,99\r")
    log.record(1.3, FROM, b"\n\r\nOK\r\n")
    assert log.transcript() == "> AT+CSQ\n< +CSQ: 18,99\n< OK\n"
    assert log.transcript(times=True).splitlines()[1] == "1.200000 < +CSQ: 18,99"


def test_a_line_that_has_not_ended_stands_last() -> None:
    entries = [Entry(1.0, FROM, b"\r\n> "), Entry(2.0, TO, b"hi")]
    assert transcript(entries) == "< > \n> hi\n"


def test_every_entry_goes_to_the_sink_and_the_oldest_are_forgotten() -> None:
    seen: list[Entry] = []
    log = AtLog(seen.append, keep=2)
    for index in range(5):
        log.record(float(index), TO, b"AT\r")
    assert [entry.at for entry in seen] == [0, 1, 2, 3, 4]
    assert [entry.at for entry in log.entries()] == [3, 4]
    log.clear()
    assert log.entries() == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+CGSN: 867726031076062", "+CGSN: 867726000000000"),
        ("+QCCID: 89882390000214136817", "+QCCID: 89882300000000000000"),
        ("+CCID: 8988239000021413681F", "+CCID: 8988230000000000000F"),
        ("460111175090234", "460111000000000"),
        ("+CSQ: 18,99", "+CSQ: 18,99"),
        ("1,104.199.85.211,5683,35,5841", "1,104.199.85.211,5683,35,5841"),
        ("+NUESTATS: 150360403", "+NUESTATS: 150360403"),
    ],
)
def test_identities_are_masked_and_keep_their_length(text: str, masked: str) -> None:
    assert mask_identities(text) == masked
    assert len(masked) == len(text)


def test_masking_can_be_switched_off() -> None:
    entries = [Entry(0.0, FROM, b"+CGSN: 867726031076062\r\n")]
    assert "031076062" not in transcript(entries)
    assert "031076062" in transcript(entries, mask=False)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([TO, FROM]), st.binary(min_size=1, max_size=20))))
def test_a_transcript_reads_back_as_the_lines_it_was_made_of(
    lines: list[tuple[Direction, bytes]],
) -> None:
    lines = [
        (direction, data)
        for direction, data in lines
        if not set(data) & set(b"\r\n") and not data.isspace()
    ]
    entries = [Entry(1.0, direction, data + b"\r\n") for direction, data in lines]
    assert read_transcript(transcript(entries, mask=False)) == lines
    assert read_transcript(transcript(entries, mask=False, times=True)) == lines


def test_a_transcript_with_a_strange_line_is_refused_with_its_number() -> None:
    with pytest.raises(ValueError, match="line 3"):
        read_transcript("# a comment\n> AT\nOK\n")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("18,99", ["18", "99"]),
        ('5,5,"B4DC","000AE520",9', ["5", "5", '"B4DC"', '"000AE520"', "9"]),
        ('1,"a,b",,9', ["1", '"a,b"', "", "9"]),
        ("", [""]),
        ('1,"never ends, really', ["1", '"never ends, really']),
        (" 1 , 2 ", ["1", "2"]),
    ],
)
def test_fields_are_split_at_commas_outside_quotes(text: str, fields: list[str]) -> None:
    assert split_fields(text) == fields


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_text_splits_and_joins_back(text: str) -> None:
    joined = ",".join(split_fields(text))
    assert joined.replace(" ", "") == "".join(joined.split(" "))
    assert len(split_fields(text)) >= 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ('"12"', 12),
        ("-92", -92),
        ("+3", 3),
        ("", None),
        ("1A", None),
        ("²", None),
        ("-", None),
        ("9" * 19, None),
    ],
)
def test_a_number_is_a_number_or_none(text: str, value: int | None) -> None:
    assert number(text) == value


def test_small_helpers() -> None:
    assert unquote('"a"') == "a"
    assert unquote('"') == '"'
    assert after_colon("+CSQ:18,99") == after_colon("+CSQ: 18,99") == "18,99"
    assert after_colon("REBOOTING") == "REBOOTING"


def test_telephone_and_serial_numbers_are_masked_and_cell_identities_are_not() -> None:
    log = AtLog()
    told = (
        (Direction.TO_MODULE, b"AT+CGSN\r"),
        (Direction.FROM_MODULE, b"AT+CGSN\r\r\nMPA19BD1P000001\r\n\r\n+CSCON: 1\r\n\r\nOK\r\n"),
        (Direction.TO_MODULE, b"AT+CNUM\r"),
        (Direction.FROM_MODULE, b'+CNUM: ,"+43664123456",145\r\n'),
        (Direction.FROM_MODULE, b'+CEREG: 5,1,"5B57","01250123",9\r\nBC66NBR01A10\r\n'),
    )
    for at, (direction, data) in enumerate(told):
        log.record(float(at), direction, data)
    assert log.transcript().splitlines() == [
        "> AT+CGSN",
        "< AT+CGSN",
        "< MPA100000000000",
        "< +CSCON: 1",
        "< OK",
        "> AT+CNUM",
        '< +CNUM: ,"000000000000",145',
        '< +CEREG: 5,1,"5B57","01250123",9',
        "< BC66NBR01A10",
    ]
    assert "MPA19BD1P000001" in log.transcript(mask=False)
