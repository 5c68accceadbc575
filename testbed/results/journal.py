"""The journal: one JSON object per line, on the disk before the next message is sent.

The journal is the source of truth: metrics, report and statistics are readers of it. A record is
written in one piece and synced, so a run that is killed loses at most the record it was writing.
Such a torn last line is normal after a crash; the reader drops it and says so.

A line counts once its newline is on the disk. Writer (when it resumes) and reader agree on that,
so a message is in the journal for both of them or for neither.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testbed.errors import UsageError
from testbed.results.files import AppendOnlyFile, sync_directory
from testbed.results.records import (
    SCHEMA_VERSION,
    EndRecord,
    FeedbackRecord,
    KeepaliveRecord,
    MessageRecord,
    Record,
    RecordError,
    RunRecord,
    SessionRecord,
    record_from_dict,
)

__all__ = [
    "Journal",
    "JournalCorrupt",
    "JournalError",
    "JournalMissing",
    "JournalReader",
    "JournalVersionError",
    "JournalWriter",
    "Sync",
    "read_journal",
]


class JournalError(UsageError):
    """A journal cannot be read.

    Attributes:
        path: the journal.

    """

    def __init__(self, path: Path, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class JournalMissing(JournalError):
    """There is no journal, or nothing in it."""


class JournalVersionError(JournalError):
    """The journal has a format that this version does not read."""


class JournalCorrupt(JournalError):
    """A line in the middle of a journal cannot be read: more than a crash happened to it."""


class Sync(Enum):
    """When a journal's records are on the disk for good.

    Each record is handed to the operating system at once, whichever it is: a process that is killed
    loses nothing of what it has written. A machine that loses its power does.
    """

    EACH_RECORD = "each record"
    """Before the next one is begun: what is measured can't be measured again."""
    AT_THE_END = "at the end"
    """When the journal is closed: what can be had again from a seed."""
    NEVER = "never"
    """What is not a run's own journal."""


class JournalWriter:
    """Writes a journal, each record synced to the disk before :meth:`append` returns.

    Args:
        path: the journal to create; it must not exist.
        sync: when records are synced; False is never.

    Raises:
        FileExistsError: there is a journal already; see :meth:`resume`.

    """

    def __init__(self, path: str | os.PathLike[str], *, sync: Sync | bool = True) -> None:
        self.path = Path(path)
        self._file = AppendOnlyFile(self.path)
        self._sync = _sync(sync)
        self.records = 0
        """How many records the journal holds."""
        if self._sync is not Sync.NEVER:
            sync_directory(self.path.parent)

    @classmethod
    def resume(cls, path: str | os.PathLike[str], *, sync: Sync | bool = True) -> Self:
        """Go on with a journal that a run left behind: a torn last line is cut off.

        Raises:
            JournalError: there is nothing to go on with, or it cannot be read.

        """
        reader = JournalReader(path)
        records = sum(1 for _ in reader)
        writer = cls.__new__(cls)
        writer.path = reader.path
        writer._file = AppendOnlyFile(reader.path, keep=reader.good_bytes)
        writer._sync = _sync(sync)
        writer.records = records
        return writer

    def append(self, record: Record | Mapping[str, Any]) -> None:
        """Write one record; on return it is on the disk.

        Args:
            record: a record, or its dictionary with a ``kind``. The first one is the ``run``
                record, which carries the schema version.

        Raises:
            ValueError: no ``kind``, not the ``run`` record first, or a value that JSON lacks.
            WriteFailed: the disk is full or gone; the journal is whole without this record.

        """
        fields = record if isinstance(record, Mapping) else record.to_dict()
        if not isinstance(fields.get("kind"), str):
            raise ValueError("a journal's record says its kind")
        if self.records == 0 and not (
            fields["kind"] == RunRecord.kind and fields.get("schema_version") == SCHEMA_VERSION
        ):
            raise ValueError("a journal begins with the run record and its schema version")
        line = json.dumps(fields, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        self._file.write(line.encode() + b"\n")
        if self._sync is Sync.EACH_RECORD:
            self._file.sync()
        self.records += 1

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._sync is Sync.AT_THE_END and not self._file.closed:
            self._file.sync()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _sync(given: Sync | bool) -> Sync:
    if isinstance(given, Sync):
        return given
    return Sync.EACH_RECORD if given else Sync.NEVER


class JournalReader:
    """Yields a journal's records as dictionaries, one pass per iteration.

    Args:
        path: the journal.

    Attributes:
        torn: whether the last line was dropped because it was not written whole; known once an
            iteration came to its end.
        good_bytes: how many octets hold whole records, likewise.
        line_begins: the octet at which the latest record's line begins, for `at`.

    Raises:
        JournalMissing: no such file.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.torn = False
        self.good_bytes = self.line_begins = 0
        if not self.path.is_file():
            raise JournalMissing(
                self.path,
                f"there is no journal at {self.path}",
                hint="give the directory of a run; it holds manifest.json and journal.jsonl",
            )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the records.

        Raises:
            JournalMissing: the journal is empty, or torn before its first record was whole.
            JournalVersionError: it has a format that this version does not read.
            JournalCorrupt: a line other than the last cannot be read.

        """
        self.torn, self.good_bytes = False, 0
        with self.path.open("rb") as lines:
            bad_line = 0
            for number, line in enumerate(lines, start=1):
                if bad_line:
                    raise JournalCorrupt(
                        self.path,
                        f"line {bad_line} of {self.path} cannot be read and is not the last one",
                        hint="the file was changed after the run; restore it, or delete the line",
                    )
                record = _parse(line)
                if record is None:
                    bad_line = number
                    self.torn = True
                    continue
                if self.good_bytes == 0:
                    self._check_first(record)
                self.line_begins, self.good_bytes = self.good_bytes, self.good_bytes + len(line)
                yield record
        if self.good_bytes == 0:
            raise JournalMissing(
                self.path,
                f"{self.path} holds no whole record",
                hint="the run ended before it began; start it again",
            )

    def at(self, begins: int) -> dict[str, Any]:
        """One record again.

        Args:
            begins: its `line_begins`.

        Raises:
            JournalCorrupt: no record begins there any more.

        """
        with self.path.open("rb") as lines:
            lines.seek(begins)
            record = _parse(lines.readline())
        if record is None:
            raise JournalCorrupt(
                self.path,
                f"{self.path} was changed while it was read: no record begins at octet {begins}",
                hint="read it again",
            )
        return record

    def _check_first(self, record: Mapping[str, Any]) -> None:
        version = record.get("schema_version")
        if record.get("kind") != RunRecord.kind or version is None:
            raise JournalVersionError(
                self.path,
                f"{self.path} does not begin with a run record",
                hint="is this the journal.jsonl of a run directory?",
            )
        if version != SCHEMA_VERSION:
            raise JournalVersionError(
                self.path,
                f"{self.path} has schema version {version!r}; this testbed reads {SCHEMA_VERSION}",
                hint=f"read it with the testbed that wrote it"
                f" ({record.get('testbed_version') or 'see manifest.json'})",
            )

    def typed(self, plain: Callable[[dict[str, Any]], None] | None = None) -> Iterator[Record]:
        """Yield the records as dataclasses; kinds that this version does not know are left out.

        Args:
            plain: called with each record as the file holds it, once it was understood.

        Raises:
            JournalError: as when iterating, and for a record with fields that are not its kind's.

        """
        for record in self:
            try:
                typed = record_from_dict(record)
            except RecordError as error:
                raise JournalCorrupt(
                    self.path,
                    f"{self.path} holds a record that cannot be understood: {error}",
                    hint="the file was changed after the run, or written by another program",
                ) from error
            if plain is not None:
                plain(record)
            if typed is not None:
                yield typed


def _parse(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or ``None`` if the line is not a whole record."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:  # not JSON, or not UTF-8
        return None
    return record if isinstance(record, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """A whole journal in memory."""

    run: RunRecord
    sessions: tuple[SessionRecord, ...]
    messages: tuple[MessageRecord, ...]
    feedback: tuple[FeedbackRecord, ...]
    keepalives: tuple[KeepaliveRecord, ...]
    end: EndRecord | None
    """``None`` when the run was killed, or is still going on."""
    torn: bool
    """Whether a last line was dropped because it was not written whole."""


def read_journal(path: str | os.PathLike[str]) -> Journal:
    """Read a journal as a whole.

    Raises:
        JournalError: it is missing, of another format, or changed after the run.

    """
    reader = JournalReader(path)
    run: RunRecord | None = None
    end: EndRecord | None = None
    sessions: list[SessionRecord] = []
    messages: list[MessageRecord] = []
    feedback: list[FeedbackRecord] = []
    keepalives: list[KeepaliveRecord] = []
    for record in reader.typed():
        if isinstance(record, MessageRecord):
            messages.append(record)
        elif isinstance(record, SessionRecord):
            sessions.append(record)
        elif isinstance(record, FeedbackRecord):
            feedback.append(record)
        elif isinstance(record, KeepaliveRecord):
            keepalives.append(record)
        elif isinstance(record, RunRecord):
            run = run or record
        elif isinstance(record, EndRecord):
            end = record
    if run is None:  # the reader has seen to it that there is one
        raise JournalMissing(reader.path, f"{reader.path} holds no run record")
    return Journal(
        run=run,
        sessions=tuple(sessions),
        messages=tuple(messages),
        feedback=tuple(feedback),
        keepalives=tuple(keepalives),
        end=end,
        torn=reader.torn,
    )
