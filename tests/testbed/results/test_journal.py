"""The journal: written record by record, read back after any kind of end."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import ExitCode
from testbed.results import (
    EndRecord,
    JournalCorrupt,
    JournalError,
    JournalMissing,
    JournalReader,
    JournalVersionError,
    JournalWriter,
    MessageRecord,
    Outcome,
    RunRecord,
    RunStatus,
    SessionRecord,
    Sync,
    read_journal,
)
from testbed.results.files import WriteFailed


def message(index: int) -> MessageRecord:
    return MessageRecord(
        index=index,
        configuration="none",
        security="none",
        compression="none",
        outcome=Outcome.LOST,
        reason="no answer within 30 s",
    )


def written(path: Path, messages: int = 3, end: bool = False) -> Path:
    with JournalWriter(path) as journal:
        journal.append(RunRecord(messages=messages, testbed_version="0.1.0"))
        for index in range(messages):
            journal.append(message(index))
        if end:
            journal.append(EndRecord(status=RunStatus.COMPLETE, counts={"lost": messages}))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_a_journal_is_read_back_as_it_was_written(path: Path) -> None:
    journal = read_journal(written(path, end=True))
    assert journal.run == RunRecord(messages=3, testbed_version="0.1.0")
    assert journal.messages == (message(0), message(1), message(2))
    assert journal.sessions == ()
    assert journal.end == EndRecord(status=RunStatus.COMPLETE, counts={"lost": 3})
    assert not journal.torn


def test_each_record_is_one_line_of_json(path: Path) -> None:
    lines = written(path).read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["run", "message", "message", "message"]


def test_dictionaries_are_taken_as_they_are(path: Path) -> None:
    with JournalWriter(path) as journal:
        journal.append({"kind": "run", "schema_version": 1, "seed": 4})
        journal.append({"kind": "weather", "words": "Grüße\n"})
        assert journal.records == 2
    assert list(JournalReader(path))[1] == {"kind": "weather", "words": "Grüße\n"}
    assert [record.kind for record in JournalReader(path).typed()] == ["run"]


def test_every_record_is_synced_before_append_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fdatasync

    def fdatasync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with JournalWriter(path) as journal:
        for record in (RunRecord(), message(0), message(1)):
            journal.append(record)
            assert synced[-1] == path.stat().st_size
    assert len(synced) == 3
    assert synced == sorted(set(synced))


def test_a_journal_that_is_not_a_runs_own_need_not_be_synced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fdatasync")
    with JournalWriter(path, sync=False) as journal:
        journal.append(RunRecord())
    assert len(list(JournalReader(path))) == 1


def test_a_journal_synced_at_the_end_hands_each_record_over_and_syncs_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(path.stat().st_size))
    with JournalWriter(path, sync=Sync.AT_THE_END) as journal:
        journal.append(RunRecord())
        journal.append(message(0))
        assert len(list(JournalReader(path))) == 2  # a killed process would leave both
        assert synced == []
    journal.close()
    assert synced == [path.stat().st_size]


def test_without_fdatasync_fsync_does_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = os.fsync
    monkeypatch.delattr(os, "fdatasync")

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    written(path, messages=1)
    assert len(calls) == 3  # the directory, and two records


def test_a_short_write_is_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:7])))
    written(path)
    assert len(read_journal(path).messages) == 3


def test_a_full_disk_leaves_a_whole_journal_that_can_be_gone_on_with(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    room = [400]

    def write(descriptor: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= (size := min(room[0], len(data)))
        return real(descriptor, bytes(data[:size]))

    with JournalWriter(path) as journal:
        journal.append(RunRecord())
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(WriteFailed, match="No space left") as caught:
            for index in range(100):
                journal.append(message(index))
        assert caught.value.exit_code is ExitCode.LAB_FAULT
        assert not read_journal(path).torn
        monkeypatch.undo()
        written_before = journal.records - 1
        journal.append(message(written_before))
    after = read_journal(path)
    assert [record.index for record in after.messages] == list(range(written_before + 1))
    assert not after.torn


def test_an_existing_journal_is_never_overwritten(path: Path) -> None:
    before = written(path).read_bytes()
    with pytest.raises(FileExistsError):
        JournalWriter(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "message"},
        {"kind": "run"},
        {"kind": "run", "schema_version": 0},
        {"schema_version": 1},
        {"kind": None},
    ],
)
def test_a_journal_begins_with_the_run_record(path: Path, record: dict[str, Any]) -> None:
    with JournalWriter(path) as journal, pytest.raises(ValueError, match=r"kind|begins"):
        journal.append(record)
    assert path.read_bytes() == b""


def test_a_number_that_json_lacks_is_the_callers_error_and_leaves_no_line(path: Path) -> None:
    with JournalWriter(path) as journal:
        journal.append(RunRecord())
        with pytest.raises(ValueError, match="JSON"):
            journal.append(SessionRecord(
                configuration="none", setup_s=float("inf"), bytes_up=1, bytes_down=1
            ))  # fmt: skip
    assert len(list(JournalReader(path))) == 1


def test_closing_twice_is_fine(path: Path) -> None:
    journal = JournalWriter(path)
    journal.close()
    journal.close()
    assert path.exists()


def test_a_journal_cut_at_any_octet_loses_the_torn_record_only(path: Path) -> None:
    whole = written(path).read_bytes()
    ends = [at + 1 for at, octet in enumerate(whole) if octet == 0x0A]
    for length in range(ends[0], len(whole) + 1):
        path.write_bytes(whole[:length])
        reader = JournalReader(path)
        records = list(reader)
        assert len(records) == sum(end <= length for end in ends)
        assert reader.torn == (length not in ends)
        assert reader.good_bytes == max(end for end in ends if end <= length)


@pytest.mark.parametrize("tail", [b"\0" * 300, b'{"kind":', b"{]\n", b"7\n", b"\xff\xfe\n", b"\n"])
def test_what_a_crash_leaves_at_the_end_is_dropped_and_said(path: Path, tail: bytes) -> None:
    with written(path).open("ab") as file:
        file.write(tail)
    journal = read_journal(path)
    assert journal.torn
    assert len(journal.messages) == 3


def test_the_torn_record_would_pass_without_the_check_for_its_newline(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(written(path).read_bytes()[:-1])
    assert len(read_journal(path).messages) == 2

    def lenient(line: bytes) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(line)
        return record

    monkeypatch.setattr("testbed.results.journal._parse", lenient)
    assert len(read_journal(path).messages) == 3


def test_a_bad_line_in_the_middle_is_not_taken_for_a_crash(path: Path) -> None:
    lines = written(path).read_bytes().splitlines(keepends=True)
    lines[2] = b'{"kind": "mess\n'
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalCorrupt, match="line 3") as caught:
        read_journal(path)
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_record_with_impossible_fields_is_an_error_of_the_file(path: Path) -> None:
    with written(path).open("a") as file:
        file.write('{"kind":"message","index":4}\n')
    assert len(list(JournalReader(path))) == 5
    with pytest.raises(JournalCorrupt, match="configuration"):
        read_journal(path)


def test_a_journal_of_another_version_is_refused_with_a_hint(path: Path) -> None:
    path.write_text('{"kind":"run","schema_version":99,"testbed_version":"9.9.0"}\n')
    with pytest.raises(JournalVersionError, match="99") as caught:
        read_journal(path)
    assert "9.9.0" in str(caught.value.hint)


def test_json_lines_of_another_program_are_refused(path: Path) -> None:
    path.write_text('{"level":"info"}\n{"level":"info"}\n')
    with pytest.raises(JournalVersionError, match="run record"):
        list(JournalReader(path))


def test_a_missing_journal_is_named(path: Path) -> None:
    with pytest.raises(JournalMissing, match=r"journal\.jsonl") as caught:
        JournalReader(path)
    assert caught.value.path == path
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b'{"kind":"run","schema_ver', b"\0\0\0"])
def test_a_journal_without_one_whole_record_is_missing(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalMissing, match="no whole record"):
        list(JournalReader(path))


def test_a_reader_can_be_gone_through_twice(path: Path) -> None:
    reader = JournalReader(written(path))
    assert list(reader) == list(reader)


def test_a_line_that_was_passed_can_be_read_again_by_where_it_begins(path: Path) -> None:
    reader = JournalReader(written(path, end=True))
    places = [(reader.line_begins, record) for record in reader]
    assert places[0][0] == 0
    for begins, record in reversed(places):
        assert reader.at(begins) == record
    with pytest.raises(JournalCorrupt, match="no record begins at octet 1"):
        reader.at(1)


def test_who_reads_along_gets_each_line_once_it_was_understood(path: Path) -> None:
    seen: list[dict[str, Any]] = []
    reader = JournalReader(written(path, end=True))
    kinds = [record.kind for record in reader.typed(seen.append)]
    assert [line["kind"] for line in seen] == kinds
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, '{"kind":"message"}']) + "\n")
    seen.clear()
    with pytest.raises(JournalCorrupt):
        list(reader.typed(seen.append))
    assert len(seen) == len(lines)


def test_resuming_cuts_off_the_torn_record_and_goes_on(path: Path) -> None:
    path.write_bytes(written(path).read_bytes()[:-9])
    with JournalWriter.resume(path) as journal:
        assert journal.records == 3
        journal.append(message(2))
    after = read_journal(path)
    assert [record.index for record in after.messages] == [0, 1, 2]
    assert not after.torn


def test_resuming_a_whole_journal_changes_nothing(path: Path) -> None:
    before = written(path).read_bytes()
    JournalWriter.resume(path).close()
    assert path.read_bytes() == before


def test_nothing_cannot_be_resumed(path: Path) -> None:
    with pytest.raises(JournalMissing):
        JournalWriter.resume(path)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_damaged_journal_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "journal.jsonl"
    with JournalWriter(path, sync=False) as journal_writer:
        for record in (RunRecord(), message(0), message(1), EndRecord(status=RunStatus.COMPLETE)):
            journal_writer.append(record)
    damaged = bytearray(path.read_bytes())
    for at, mask in flips:
        damaged[at % len(damaged)] ^= mask
    path.write_bytes(damaged)
    try:
        journal = read_journal(path)
    except JournalError as error:
        assert error.hint
    else:
        assert len(journal.messages) <= 4


WRITER = textwrap.dedent(
    """
    import sys
    from testbed.results import JournalWriter, MessageRecord, RunRecord
    with JournalWriter(sys.argv[1]) as journal:
        journal.append(RunRecord())
        for index in range(10**9):
            journal.append(MessageRecord(index=index, configuration="none", security="none",
                                         compression="none", outcome="lost", reason="x" * 500))
            print(index, flush=True)
    """
)


def test_kill_9_leaves_every_record_that_append_had_returned_for(path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        for line in process.stdout:
            if int(line) >= 20:
                break
        process.send_signal(signal.SIGKILL)
        said = [20, *(int(line) for line in process.stdout.read().split())]
    assert process.returncode == -signal.SIGKILL
    journal = read_journal(path)
    assert journal.end is None
    indices = [record.index for record in journal.messages]
    assert indices == list(range(len(indices)))
    assert len(indices) - 1 in (said[-1], said[-1] + 1)
