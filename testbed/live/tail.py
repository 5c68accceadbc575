"""A journal that another process is writing, read as it grows.

A line counts once its newline is there, as for every reader of a journal. What was read is never
read again, so that following a long run costs what it adds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from testbed.results.journal import JournalCorrupt
from testbed.results.records import Record, RecordError, record_from_dict

__all__ = ["JournalTail"]

_BLOCK: Final = 1 << 20


class JournalTail:
    """The records of a growing journal, each once.

    Args:
        path: the journal; it may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._line = 0

    def read(self) -> Iterator[Record]:
        """What is there since the last time.

        Raises:
            JournalCorrupt: a whole line that is no record, or a journal that has become shorter.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            if file.seek(0, 2) < self._offset:
                raise JournalCorrupt(
                    self._path,
                    f"{self._path} has become shorter while it was followed",
                    hint="follow it again from its beginning",
                )
            file.seek(self._offset)
            while lines := file.readlines(_BLOCK):
                for line in lines:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    self._line += 1
                    record = self._record(line)
                    if record is not None:
                        yield record

    def _record(self, line: bytes) -> Record | None:
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise RecordError("no object")
            return record_from_dict(fields)
        except ValueError as error:  # not JSON, not UTF-8, or not its kind's fields
            raise JournalCorrupt(
                self._path,
                f"line {self._line} of {self._path} cannot be understood",
                hint="the file was changed after it was written, or by another program",
            ) from error
