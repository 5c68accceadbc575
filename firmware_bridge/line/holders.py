"""Who has a port open: lock files (FHS 5.9) and, on Linux, /proc."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["holder_of", "lock_file_holder"]

LOCK_FOLDERS = (Path("/run/lock"), Path("/var/lock"))
"""Where minicom, uucp, pppd and others leave `LCK..ttyUSB0` with their process number."""

PROC = Path("/proc")


def holder_of(device: str, *, proc: Path | None = None) -> str:
    """The programs that have `device` open, `name (pid N)` joined by commas; "" if none is seen.

    Without rights only one's own processes are seen. Our own process counts, because two modules
    of one bench file may name the same port.
    """
    where = proc or PROC
    try:
        wanted = Path(device).stat().st_rdev
    except OSError:
        return ""
    found = []
    try:
        processes = sorted(int(entry.name) for entry in where.iterdir() if entry.name.isdigit())
    except OSError:
        return lock_file_holder(device)
    for pid in processes:
        if _has_open(where / str(pid) / "fd", wanted):
            found.append(f"{_name(where, pid)} (pid {pid})")
    return ", ".join(found) or lock_file_holder(device)


def lock_file_holder(device: str, *, folders: tuple[Path, ...] | None = None) -> str:
    """The live process whose lock file names `device`, as `name (pid N)`; "" if there is none.

    A lock file whose process is gone is stale and does not count; our own does not either.
    """
    name = "LCK.." + Path(device).name
    for folder in LOCK_FOLDERS if folders is None else folders:
        try:
            text = (folder / name).read_text("ascii", "replace").split()
        except OSError:
            continue
        if not text or not text[0].isdigit():
            continue
        pid = int(text[0])
        if pid != os.getpid() and _alive(pid):
            return f"{_name(PROC, pid)} (pid {pid})"
    return ""


def _has_open(folder: Path, wanted: int) -> bool:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return False
    for entry in entries:
        try:
            target = str(entry.readlink())
            if target.startswith("/dev/") and Path(target).stat().st_rdev == wanted:
                return True
        except OSError:
            continue
    return False


def _name(proc: Path, pid: int) -> str:
    try:
        return (proc / str(pid) / "comm").read_text("utf-8", "replace").strip() or "process"
    except OSError:
        return "process"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
