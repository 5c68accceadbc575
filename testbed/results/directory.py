"""The run directory: one run, everything about it.

====================  =====================================================================
``manifest.json``     what the run was; written when it begins and again when it ends
``journal.jsonl``     one record per message: the source of truth
``messages.parquet``  the messages as a flat table, made from the journal
``trace/*.parquet``   what the module drew during some messages; modelled by a virtual one
``capture.pcapng``    what went over the networks of both sides
``esp_sa``            keys with which Wireshark decrypts the capture; test secrets only
``report.html``       made from the journal; it can be made again
====================  =====================================================================

Its name is the UTC time of its beginning with a short random suffix, so runs sort by time and two
that begin in one second do not meet. Nothing is ever overwritten but the manifest, the table and
the report, and these by renaming: a reader sees the old one or the new one, whole.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from testbed.errors import UsageError
from testbed.results.esp_sa import decrypt_command
from testbed.results.files import write_atomically
from testbed.results.journal import Journal, JournalMissing, JournalReader, read_journal
from testbed.results.manifest import Manifest, ManifestError

__all__ = ["NotARunDirectory", "RunDirectory", "write_atomically"]

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+")
_ATTEMPTS = 64


class NotARunDirectory(UsageError):
    """A path is not the directory of a run.

    Attributes:
        path: the path.

    """

    def __init__(self, path: Path, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class RunDirectory:
    """The directory of one run: where everything in it is.

    Args:
        path: an existing run directory; see :meth:`create` and :meth:`open`.

    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def name(self) -> str:
        """The directory's own name, which names the run."""
        return self.path.resolve().name

    @property
    def manifest_path(self) -> Path:
        """``manifest.json``."""
        return self.path / "manifest.json"

    @property
    def journal_path(self) -> Path:
        """``journal.jsonl``."""
        return self.path / "journal.jsonl"

    @property
    def messages_path(self) -> Path:
        """``messages.parquet``."""
        return self.path / "messages.parquet"

    @property
    def capture_path(self) -> Path:
        """``capture.pcapng``."""
        return self.path / "capture.pcapng"

    @property
    def esp_sa_path(self) -> Path:
        """``esp_sa``."""
        return self.path / "esp_sa"

    @property
    def report_path(self) -> Path:
        """``report.html``."""
        return self.path / "report.html"

    @property
    def decrypt_command(self) -> str:
        """The shell command that decrypts the capture with the key table beside it."""
        return decrypt_command(self.path)

    @classmethod
    def create(
        cls,
        base: str | os.PathLike[str] = "runs",
        *,
        now: datetime | None = None,
        suffix: Callable[[], str] = lambda: secrets.token_hex(2),
    ) -> Self:
        """Make the directory of a new run.

        Args:
            base: the directory for all runs; made if missing.
            now: the time that names it; the present by default.
            suffix: gives the few hexadecimal digits that follow the time.

        Raises:
            UsageError: the directory cannot be made.

        """
        moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
        try:
            Path(base).mkdir(parents=True, exist_ok=True)
            for _ in range(_ATTEMPTS):
                path = Path(base) / f"{moment:%Y%m%dT%H%M%SZ}-{suffix()}"
                try:
                    path.mkdir()
                except FileExistsError:
                    continue
                return cls(path)
        except OSError as error:
            raise UsageError(
                f"no run directory can be made in {base}: {error.strerror or error}",
                hint="choose another place for runs",
            ) from error
        raise UsageError(
            f"{_ATTEMPTS} names for a run directory in {base} were all taken",
            hint="begin fewer runs in one second, or choose another place",
        )

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """The directory of a run that was, or is still going on.

        Args:
            path: the directory, or a file in it.

        Raises:
            NotARunDirectory: there is nothing, or something else.
            ManifestError: there is a journal and no manifest.
            JournalMissing: there is a manifest and no journal.

        """
        given = Path(path)
        if not given.exists():
            raise NotARunDirectory(
                given, f"there is no run directory {given}", hint=_newest_hint(given.parent)
            )
        run = cls(given.parent if given.is_file() else given)
        has_manifest, has_journal = run.manifest_path.is_file(), run.journal_path.is_file()
        if not has_manifest and not has_journal:
            raise NotARunDirectory(
                given, f"{given} is not the directory of a run", hint=_newest_hint(given)
            )
        if not has_manifest:
            raise ManifestError(
                run.manifest_path,
                f"{run.path} has a journal and no manifest",
                hint="restore manifest.json; the journal alone does not say what was run",
            )
        if not has_journal:
            raise JournalMissing(
                run.journal_path,
                f"{run.path} has no journal: the run ended before its first record",
                hint="start the run again",
            )
        return run

    @classmethod
    def latest(cls, base: str | os.PathLike[str] = "runs") -> Self:
        """The run in ``base`` that began last.

        Raises:
            NotARunDirectory: there is none.

        """
        runs = _runs(Path(base))
        if not runs:
            raise NotARunDirectory(
                Path(base), f"there is no run in {base}", hint="start one with: testbed run"
            )
        return cls.open(runs[-1])

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, the old one being replaced in one step.

        Raises:
            WriteFailed: the disk is full or gone.

        """
        write_atomically(self.manifest_path, manifest.to_json())

    def read_manifest(self) -> Manifest:
        """The manifest.

        Raises:
            ManifestError: it is missing, or cannot be read.

        """
        try:
            text = self.manifest_path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(
                self.manifest_path,
                f"{self.manifest_path} cannot be read: {error}",
                hint="give the directory of a run",
            ) from error
        return Manifest.from_json(self.manifest_path, text)

    def journal(self) -> JournalReader:
        """The journal, to be gone through record by record.

        Raises:
            JournalMissing: there is none.

        """
        return JournalReader(self.journal_path)

    def read_journal(self) -> Journal:
        """The journal as a whole.

        Raises:
            JournalError: it is missing, or cannot be read.

        """
        return read_journal(self.journal_path)


def _runs(base: Path) -> list[Path]:
    """The runs in a directory, oldest first."""
    if not base.is_dir():
        return []
    named = (entry for entry in base.iterdir() if _NAME.fullmatch(entry.name))
    return sorted(entry for entry in named if (entry / "manifest.json").is_file())


def _newest_hint(base: Path) -> str:
    runs = _runs(base)
    if runs:
        return f"the newest of {len(runs)} runs here is {runs[-1]}"
    return "give a directory that testbed run has made; it holds manifest.json and journal.jsonl"
