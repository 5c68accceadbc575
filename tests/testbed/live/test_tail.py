"""A journal that grows while it is read."""

from pathlib import Path
from types import ModuleType

import pytest

from testbed.live.tail import JournalTail
from testbed.results import JournalReader
from testbed.results.journal import JournalCorrupt


def test_a_journal_that_grows_by_octets_gives_each_record_once(
    sample: ModuleType, tmp_path: Path
) -> None:
    whole = sample.write_run(tmp_path / "run", messages=3) / "journal.jsonl"
    data = whole.read_bytes()
    growing = tmp_path / "growing.jsonl"
    growing.touch()
    tail = JournalTail(growing)
    found = []
    with growing.open("ab", buffering=0) as file:
        for start in range(0, len(data), 97):
            file.write(data[start : start + 97])
            found += list(tail.read())
    assert found == list(JournalReader(whole).typed())
    assert list(tail.read()) == []


def test_a_journal_that_is_not_there_yet_has_no_records(tmp_path: Path) -> None:
    assert list(JournalTail(tmp_path / "journal.jsonl").read()) == []


def test_kinds_from_a_later_version_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"kind":"of another time","value":1}\n')
    assert list(JournalTail(path).read()) == []


@pytest.mark.parametrize(
    "line", [b"no JSON\n", b"[]\n", b"\xff\n", b'{"kind":"message"}\n', b"{\n"]
)
def test_a_whole_line_that_is_no_record_is_an_error_that_names_it(
    line: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"kind":"run"}\n' + line)
    with pytest.raises(JournalCorrupt, match=r"line 2 of .* cannot be understood"):
        list(JournalTail(path).read())


def test_a_journal_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"kind":"run"}\n{"kind":"run"}\n')
    tail = JournalTail(path)
    assert len(list(tail.read())) == 2
    path.write_text('{"kind":"run"}\n')
    with pytest.raises(JournalCorrupt, match="shorter"):
        list(tail.read())
