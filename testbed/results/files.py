"""Files of a run: written whole, or as if the write had not begun.

A disk that is full in the middle of a record would leave half of it, and the next record would then
follow that half: the file would be damaged in its middle, where no reader expects it. So a write
that fails is taken back before the failure is reported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from testbed.errors import LabFault

__all__ = ["AppendOnlyFile", "WriteFailed", "replaced", "sync_directory", "write_atomically"]


class WriteFailed(LabFault, OSError):
    """A file of the run cannot be written: most often, the disk is full.

    Attributes:
        path: the file.

    """

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path} cannot be written: {error.strerror or error}",
            hint="free some space; what the file holds up to here is whole",
        )
        self.path = path
        self.errno = error.errno


class AppendOnlyFile:
    """A file that grows record by record, each handed to the operating system in one piece.

    Args:
        path: the file.
        mode: its permissions when it is created.
        keep: ``None`` creates the file, which must not exist; a number of octets opens an existing
            one, cuts it to that size, and goes on from there.

    Attributes:
        size: how many octets the file holds.

    Raises:
        FileExistsError: it is to be created and exists.
        OSError: it cannot be opened.

    """

    def __init__(
        self, path: str | os.PathLike[str], *, mode: int = 0o644, keep: int | None = None
    ) -> None:
        self.path = Path(path)
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        if keep is None:
            flags |= os.O_CREAT | os.O_EXCL
        self._descriptor = os.open(self.path, flags, mode)
        self.size = 0
        if keep is not None:
            os.ftruncate(self._descriptor, keep)
            self.size = keep

    @property
    def closed(self) -> bool:
        """Whether the file was closed."""
        return self._descriptor < 0

    def write(self, data: bytes) -> None:
        """Append a record; on return the operating system has all of it.

        Raises:
            ValueError: the file is closed.
            WriteFailed: nothing of it was written, or what was has been taken back.

        """
        if self.closed:
            raise ValueError(f"{self.path} is closed")
        remaining = memoryview(data)
        try:
            while remaining:
                remaining = remaining[os.write(self._descriptor, remaining) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise WriteFailed(self.path, error) from error
        self.size += len(data)

    def sync(self) -> None:
        """Have everything on the disk.

        Raises:
            WriteFailed: the disk did not take it.

        """
        # fdatasync is enough: a file's size is synced with its data. macOS has fsync only.
        sync = getattr(os, "fdatasync", os.fsync)
        try:
            sync(self._descriptor)
        except OSError as error:
            raise WriteFailed(self.path, error) from error

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if not self.closed:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def sync_directory(directory: Path) -> None:
    """Make the names in a directory last: they are kept apart from the files they name."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, and a crash, find the old content or the new one, whole.

    Raises:
        WriteFailed: it cannot be written; the old content stands.

    """
    with replaced(path) as file:
        file.write(text)


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """A file to write text into that takes its place once it is whole.

    Raises:
        WriteFailed: it cannot be written; the old content stands.

    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise WriteFailed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
