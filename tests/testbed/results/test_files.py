"""Files of a run: written whole, or as if the write had not begun."""

import errno
import os
import stat
from pathlib import Path

import pytest

from testbed.errors import ExitCode, LabFault
from testbed.results.files import AppendOnlyFile, WriteFailed, write_atomically


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_records_follow_each_other(path: Path) -> None:
    with AppendOnlyFile(path) as file:
        file.write(b"one")
        file.write(b"")
        file.write(b"two")
        file.sync()
        assert path.read_bytes() == b"onetwo"
        assert file.size == 6
    assert file.closed


def test_a_file_is_made_with_its_permissions_and_never_overwritten(path: Path) -> None:
    AppendOnlyFile(path, mode=0o600).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        AppendOnlyFile(path)


def test_a_file_is_gone_on_with_after_what_is_to_be_kept(path: Path) -> None:
    path.write_bytes(b"one-torn")
    with AppendOnlyFile(path, keep=4) as file:
        file.write(b"two")
        assert file.size == 7
    assert path.read_bytes() == b"one-two"


def test_there_is_nothing_to_keep_of_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AppendOnlyFile(path, keep=0)


def test_a_write_that_fails_half_way_is_taken_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    calls: list[int] = []

    def write(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        return full() if len(calls) > 1 else real(descriptor, bytes(data[:2]))

    with AppendOnlyFile(path) as file:
        file.write(b"one")
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(WriteFailed) as caught:
            file.write(b"two")
        assert path.read_bytes() == b"one"
        assert file.size == 3
    assert calls == [3, 1]
    assert isinstance(caught.value, LabFault)
    assert isinstance(caught.value, OSError)
    assert (caught.value.errno, caught.value.path) == (errno.ENOSPC, path)
    assert caught.value.exit_code is ExitCode.LAB_FAULT
    assert str(caught.value) == f"{path} cannot be written: No space left on device"
    assert caught.value.hint


def test_without_taking_it_back_the_half_would_stay(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    sizes = iter([2])

    def write(descriptor: int, data: bytes) -> int:
        size = next(sizes, 0)
        return real(descriptor, bytes(data[:size])) if size else full()

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "ftruncate", lambda *_: None)
    with AppendOnlyFile(path) as file, pytest.raises(WriteFailed):
        file.write(b"two")
    assert path.read_bytes() == b"tw"


def test_a_disk_that_is_gone_altogether_is_still_one_clear_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(os, "ftruncate", full)
    with AppendOnlyFile(path) as file, pytest.raises(WriteFailed, match="No space left"):
        file.write(b"two")
    assert path.read_bytes() == b""


def test_a_sync_that_fails_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AppendOnlyFile(path) as file:
        monkeypatch.setattr(os, "fdatasync", full)
        with pytest.raises(WriteFailed):
            file.sync()
    assert file.closed


def test_a_closed_file_takes_nothing(path: Path) -> None:
    file = AppendOnlyFile(path)
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.write(b"one")
    assert path.read_bytes() == b""


def test_an_atomic_write_that_fails_leaves_the_old_content(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomically(path, "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteFailed):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
