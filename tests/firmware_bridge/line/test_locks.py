"""Keeping a port between two openings: lock files as FHS 5.9 has them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_bridge import PortBusy
from firmware_bridge.line import holders, lock_port
from firmware_bridge.line.holders import lock_file_holder

DEVICE = "/dev/ttyUSB0"


def test_a_locked_port_has_a_lock_file_for_as_long_as_it_is_locked(tmp_path: Path) -> None:
    with lock_port(DEVICE, folders=(tmp_path,)) as locked:
        assert locked
        assert [entry.name for entry in tmp_path.iterdir()] == ["LCK..ttyUSB0"]
        text = (tmp_path / "LCK..ttyUSB0").read_bytes()
        assert text == f"{os.getpid():>10}\n".encode()  # ten characters and a line feed
    assert not list(tmp_path.iterdir())


def test_another_process_sees_who_has_locked_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "from pathlib import Path; from firmware_bridge.line.holders import lock_file_holder;"
        f"print(lock_file_holder({DEVICE!r}, folders=(Path({str(tmp_path)!r}),)))"
    )
    with lock_port(DEVICE, folders=(tmp_path,)):
        told = subprocess.check_output([sys.executable, "-c", code], text=True)
        assert told.strip().endswith(f"(pid {os.getpid()})")
        assert lock_file_holder(DEVICE, folders=(tmp_path,)) == ""  # its own is no obstacle


def test_a_port_that_a_live_process_has_locked_is_busy(tmp_path: Path) -> None:
    (tmp_path / "LCK..ttyUSB0").write_text(f"{os.getppid():>10}\n")
    with (
        pytest.raises(PortBusy, match=rf"pid {os.getppid()}"),
        lock_port(DEVICE, folders=(tmp_path,)),
    ):
        pass
    assert (tmp_path / "LCK..ttyUSB0").read_text().strip() == str(os.getppid())
    assert len(list(tmp_path.iterdir())) == 1


def test_a_port_is_locked_once_only_by_one_process_too(tmp_path: Path) -> None:
    with (
        lock_port(DEVICE, folders=(tmp_path,)),
        pytest.raises(PortBusy, match="this process"),
        lock_port(DEVICE, folders=(tmp_path,)),
    ):
        pass


def test_a_stale_lock_makes_room(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "LCK..ttyUSB0").write_text(f"{ended.pid:>10}\n")
    with lock_port(DEVICE, folders=(tmp_path,)) as locked:
        assert locked
        assert (tmp_path / "LCK..ttyUSB0").read_text().strip() == str(os.getpid())


def test_a_link_by_id_and_its_device_are_one_port(tmp_path: Path) -> None:
    device, link = tmp_path / "ttyUSB7", tmp_path / "usb-Quectel_BC66-port0"
    device.touch()
    link.symlink_to(device)
    folder = tmp_path / "lock"
    folder.mkdir()
    (folder / "LCK..ttyUSB7").write_text(f"{os.getppid():>10}\n")
    assert str(os.getppid()) in lock_file_holder(str(link), folders=(folder,))
    with pytest.raises(PortBusy), lock_port(str(link), folders=(folder,)):
        pass


def test_without_a_folder_for_lock_files_nothing_is_locked_and_it_is_said(tmp_path: Path) -> None:
    with lock_port(DEVICE, folders=(tmp_path / "missing",)) as locked:
        assert not locked


def test_lock_files_go_where_others_look_for_them() -> None:
    assert holders.LOCK_FOLDERS[0] == Path("/run/lock")
