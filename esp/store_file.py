"""A file as the log of :mod:`esp.store`: the one place in this package that touches a disk."""

from __future__ import annotations

import os
from pathlib import Path

from esp.errors import StoreBusy, StoreDamaged
from esp.store import SequenceStore, valid_length

__all__ = ["FileLog", "open_store"]


def _sync_folder(path: Path) -> None:
    """Make a new or renamed directory entry durable; a no-op where folders can't be opened."""
    if os.name != "posix":
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _locked(path: Path, flags: int) -> int:
    """The open file, locked for this process; raises StoreBusy."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | flags, 0o600)
    try:
        import fcntl
    except ImportError:  # no flock on this platform
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever waited while the file was replaced holds the lock of a file that is gone.
        current = os.fstat(file).st_ino == path.stat().st_ino
    except OSError:
        current = False
    if not current:
        os.close(file)
        raise StoreBusy(
            f"{path} is in use by another process",
            hint="stop it, or give each process a store of its own",
        )
    return file


def _write(file: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.write(file, data[written:])


class FileLog:
    """An append-only file, readable by its owner only, and locked while it is open.

    Raises :class:`~esp.errors.StoreBusy` when another process has it: two writers would reserve
    the same numbers. Once a write or a sync has failed, all that follow raise OSError: what the
    kernel could not write may be gone, whatever it says the next time.
    """

    __slots__ = ("_broken", "_file", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._broken = False
        fresh = not path.exists()
        self._file = _locked(path, 0)
        if fresh:
            os.fsync(self._file)
            _sync_folder(path)
        try:
            length = valid_length(self.recorded())
        except StoreDamaged:
            self.close()
            raise
        if length != os.fstat(self._file).st_size:
            os.ftruncate(self._file, length)
            os.fsync(self._file)

    def recorded(self) -> bytes:
        """All that the file holds."""
        return self.path.read_bytes()

    def append(self, data: bytes) -> None:
        """Write behind what is there."""
        self._require_sound()
        self._broken = True
        _write(self._file, data)
        self._broken = False

    def sync(self) -> None:
        """Return when all that was appended is on disk."""
        self._require_sound()
        self._broken = True
        getattr(os, "fdatasync", os.fsync)(self._file)
        self._broken = False

    def replace(self, data: bytes) -> None:
        """Write a new file beside the old one and move it over it."""
        self._require_sound()
        beside = self.path.with_name(self.path.name + ".new")
        file = _locked(beside, os.O_TRUNC)
        try:
            _write(file, data)
            os.fsync(file)
            # From here on the file that is open may not be the one that a restart would read.
            self._broken = True
            beside.replace(self.path)
            _sync_folder(self.path)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self._file = file
        self._broken = False

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def _require_sound(self) -> None:
        if self._broken:
            raise OSError(f"an earlier write to {self.path} failed")


def open_store(path: Path) -> tuple[SequenceStore, FileLog]:
    """The store in a file, which is made if there is none, and the log to close at the end.

    Raises :class:`~esp.errors.StoreBusy` and :class:`~esp.errors.StoreDamaged`.
    """
    log = FileLog(path)
    return SequenceStore(log, log.recorded()), log
