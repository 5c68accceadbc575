"""Who has a port open: lock files (FHS 5.9) and, on Linux, /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from firmware_bridge.errors import PortBusy

__all__ = ["holder_of", "lock_file_holder", "lock_port"]

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
    names = dict.fromkeys((Path(device).name, Path(device).resolve().name))
    where = LOCK_FOLDERS if folders is None else folders
    for path in (folder / f"LCK..{name}" for folder in where for name in names):
        try:
            text = path.read_text("ascii", "replace").split()
        except OSError:
            continue
        if not text or not text[0].isdigit():
            continue
        pid = int(text[0])
        if pid != os.getpid() and _alive(pid):
            return f"{_name(PROC, pid)} (pid {pid})"
    return ""


@contextlib.contextmanager
def lock_port(device: str, *, folders: tuple[Path, ...] | None = None) -> Iterator[bool]:
    """Keep `device` for this process by a lock file, also while it is not open.

    Whoever looks for lock files leaves it alone: minicom, pppd, uucp, and `open_port` in every
    other process. Gives False where no folder for lock files can be written: then it is not locked.

    Raises `PortBusy` when a live process has locked it, this one included.
    """
    name = "LCK.." + Path(device).resolve().name  # by-id links lead to one device
    own = f"{os.getpid():10d}\n".encode("ascii")  # ten characters and a line feed: FHS 5.9
    for folder in LOCK_FOLDERS if folders is None else folders:
        path = folder / name
        try:
            _write_lock(path, device, own)
        except OSError:
            continue
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):
                if path.read_bytes() == own:
                    path.unlink()
        return
    yield False


def _write_lock(path: Path, device: str, own: bytes) -> None:
    """Make a lock file that holds `own` from its first moment; a stale one makes room."""
    draft = path.with_name(f"LTMP..{os.getpid()}.{path.name}")
    draft.write_bytes(own)
    try:
        draft.chmod(0o644)
        for _ in range(2):
            try:
                os.link(draft, path)
                return
            except FileExistsError:
                if path.read_bytes() == own:
                    raise PortBusy(device, f"this process (pid {os.getpid()})") from None
                holder = lock_file_holder(device, folders=(path.parent,))
                if holder:
                    raise PortBusy(device, holder) from None
                path.unlink(missing_ok=True)
        raise PortBusy(device)
    finally:
        draft.unlink(missing_ok=True)


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
