"""Files that are secrets: who may read them is looked at before what stands in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import testbed.bench.private as private
from testbed.bench.private import read_private_text
from testbed.errors import UsageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX only")


def written(path: Path, data: bytes = b"CANARY", mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_that_is_its_owners_only_is_read(tmp_path: Path, mode: int) -> None:
    assert read_private_text(written(tmp_path / "f", mode=mode), what="file") == "CANARY"


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_any_right_of_group_or_others_is_too_many(tmp_path: Path, bit: int) -> None:
    path = written(tmp_path / "f", mode=0o600 | bit)
    with pytest.raises(UsageError, match=f"mode {0o600 | bit:04o}") as caught:
        read_private_text(path, what="token file")
    assert str(caught.value).startswith(f"token file {path}: others")
    assert caught.value.hint is not None and f"chmod 600 {path}" in caught.value.hint
    assert "CANARY" not in str(caught.value)


def test_a_link_counts_for_what_it_points_to(tmp_path: Path) -> None:
    target = written(tmp_path / "f")
    link = tmp_path / "link"
    link.symlink_to(target)
    assert read_private_text(link, what="file") == "CANARY"
    target.chmod(0o644)
    with pytest.raises(UsageError, match="others than its owner"):
        read_private_text(link, what="file")


def test_another_users_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "f")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(UsageError, match="belongs to another user") as caught:
        read_private_text(path, what="file")
    assert caught.value.hint is not None and "install -m 600" in caught.value.hint


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(UsageError, match="not a regular file"):
        read_private_text(tmp_path / "pipe", what="file")
    with pytest.raises(UsageError, match="not a regular file"):
        read_private_text(tmp_path, what="file")
    with pytest.raises(UsageError, match="No such file"):
        read_private_text(tmp_path / "none", what="file")


def test_octets_that_are_no_text_are_refused_without_being_shown(tmp_path: Path) -> None:
    path = written(tmp_path / "f", b"CANARY\xff")
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        read_private_text(path, what="file")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_file_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "MAX_PRIVATE_BYTES", 6)
    path = written(tmp_path / "f")
    assert read_private_text(path, what="file") == "CANARY"
    with pytest.raises(UsageError, match="more than 6 octets"):
        read_private_text(written(path, b"CANARY!"), what="file")
