"""Baselines: what is kept of a run so that later runs can be compared with it.

A baseline is one JSON file, ``NAME.json``, in a directory of baselines: what the manifest says of
module, software and time, the measured values in columns, and a hash over all of it. It holds
nothing that is secret or that names a subscriber, and is made to be committed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from testbed.analysis.measurements import Measurements
from testbed.errors import UsageError
from testbed.results.directory import NotARunDirectory, RunDirectory
from testbed.results.files import write_atomically

__all__ = ["Baseline", "BaselineError", "Baselines", "measured", "read_measurements"]

BASELINE_SCHEMA_VERSION: Final = 1
"""The version that stands in a baseline."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ESSENTIALS: Final = (
    "run",
    "status",
    "started_at",
    "ended_at",
    "versions",
    "platform",
    "commit",
    "seed",
    "time",
    "meter",
    "notes",
)
_MODULE: Final = ("family", "manufacturer", "model", "firmware", "power_saving")
"""What is kept of the module's identity: neither its own number nor the card's."""


class BaselineError(UsageError):
    """A baseline is missing, was changed, or has a name that no file should have.

    Attributes:
        path: the file.

    """

    def __init__(self, path: Path, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is kept of a run."""

    name: str
    """Its own name."""
    saved_at: str
    """UTC, ISO 8601."""
    manifest: Mapping[str, Any]
    """The essentials of the run's manifest."""
    measurements: Measurements
    """The values."""
    sha256: str = ""
    """Over all of it; set when it is written or read."""

    def content(self) -> dict[str, Any]:
        """Everything but the hash."""
        return {
            "schema_version": BASELINE_SCHEMA_VERSION,
            "name": self.name,
            "saved_at": self.saved_at,
            "manifest": dict(self.manifest),
            "measurements": self.measurements.to_json(),
        }

    def summary(self) -> dict[str, Any]:
        """What a list shows of it."""
        conditions = self.measurements.conditions
        return {
            "name": self.name,
            "saved_at": self.saved_at,
            "run": self.manifest.get("run"),
            "origin": conditions.origin,
            "module": conditions.module,
            "firmware": conditions.firmware,
            "messages": {arm.name: len(arm) for arm in self.measurements.arms},
            "sha256": self.sha256,
        }


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def measured(directory: RunDirectory, *, name: str | None = None) -> Measurements:
    """The values of a run, read from its journal record by record.

    Args:
        directory: of the run.
        name: of the measurements; by default the run's.

    Raises:
        JournalError, ManifestError: one of them cannot be read.

    """
    manifest = directory.read_manifest().to_dict()
    return Measurements.of(directory.journal(), name=name or directory.name, manifest=manifest)


class Baselines:
    """A directory of baselines.

    Args:
        path: the directory; made when the first one is saved.

    """

    def __init__(self, path: str | os.PathLike[str] = "baselines") -> None:
        self.path = Path(path)

    def names(self) -> list[str]:
        """The names of all baselines, in order."""
        return sorted(entry.stem for entry in self.path.glob("*.json")) if self._there() else []

    def _there(self) -> bool:
        return self.path.is_dir()

    def _file(self, name: str) -> Path:
        path = self.path / f"{name}.json"
        if not _NAME.fullmatch(name):
            raise BaselineError(
                path,
                f"{name!r} is no name for a baseline",
                hint="Use letters, digits, dots, dashes and underscores, such as bc66-home.",
            )
        return path

    def save(
        self,
        name: str,
        directory: RunDirectory,
        *,
        replace: bool = False,
        now: datetime | None = None,
    ) -> Baseline:
        """Keep a run as a baseline.

        Args:
            name: the baseline's.
            directory: the run's.
            replace: whether one of that name may be replaced.
            now: the time on the wall; the present by default.

        Raises:
            BaselineError: no such name, or there is one already.
            UsageError: the run cannot be read, or has no message.

        """
        path = self._file(name)
        if path.exists() and not replace:
            raise BaselineError(
                path,
                f"there is a baseline {name} already",
                hint="Choose another name, or say --replace.",
            )
        manifest = directory.read_manifest().to_dict()
        measurements = measured(directory, name=name)
        if not measurements.arms:
            raise UsageError(
                f"{directory.path} has no message to keep", hint="Run it again, or choose another."
            )
        essentials = {key: manifest.get(key) for key in _ESSENTIALS}
        module = manifest.get("module") or {}
        essentials["module"] = {key: module[key] for key in _MODULE if key in module}
        essentials["config_sha256"] = _digest(manifest.get("config") or {})
        moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
        baseline = Baseline(
            name=name,
            saved_at=moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
            manifest=essentials,
            measurements=measurements,
        )
        content = baseline.content()
        digest = _digest(content)
        self.path.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content | {"sha256": digest}, allow_nan=False, separators=(",", ":"))
        write_atomically(path, text + "\n")
        return self.read(name)

    def read(self, name: str) -> Baseline:
        """A baseline.

        Raises:
            BaselineError: there is none of that name, or it isn't as it was written.

        """
        path = self._file(name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise BaselineError(
                path, f"there is no baseline {name} in {self.path}", hint=self._names_hint()
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise BaselineError(
                path, f"{path} cannot be read: {error}", hint="Restore it, or save it again."
            ) from error
        return self._parsed(path, text)

    def _parsed(self, path: Path, text: str) -> Baseline:
        try:
            content = json.loads(text)
        except ValueError as error:
            raise BaselineError(
                path, f"{path} is not JSON: {error}", hint="Restore it, or save it again."
            ) from error
        version = content.get("schema_version") if isinstance(content, dict) else None
        if version != BASELINE_SCHEMA_VERSION:
            raise BaselineError(
                path,
                f"{path} has schema version {version!r}; "
                f"this testbed reads {BASELINE_SCHEMA_VERSION}",
                hint="Save it again, with this testbed, from its run.",
            )
        digest = content.pop("sha256", None)
        if digest != _digest(content):
            raise BaselineError(
                path,
                f"{path} was changed after it was saved: its hash does not fit",
                hint="Restore it, or save it again from its run.",
            )
        try:
            return Baseline(
                name=content["name"],
                saved_at=content["saved_at"],
                manifest=content["manifest"],
                measurements=Measurements.from_json(content["measurements"]),
                sha256=digest,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BaselineError(
                path, f"{path} is no baseline: {error}", hint="Save it again from its run."
            ) from error

    def _names_hint(self) -> str:
        names = self.names()
        if not names:
            return "Save one with: testbed baseline save NAME [RUN]."
        return f"There are: {', '.join(names)}."


def read_measurements(
    given: str, baselines: Baselines
) -> tuple[Measurements, Mapping[str, Any] | None]:
    """The values behind what a person named: a run directory, or a baseline.

    Args:
        given: a path, or a baseline's name.
        baselines: where to look for baselines.

    Returns:
        The values, and the run's configuration where it is a run.

    Raises:
        UsageError: it is neither, or cannot be read.

    """
    if Path(given).exists():
        directory = RunDirectory.open(given)
        return measured(directory), directory.read_manifest().config
    if given in baselines.names():
        return baselines.read(given).measurements, None
    names = baselines.names()
    known = f"baselines in {baselines.path}: {', '.join(names)}" if names else "no baseline yet"
    raise NotARunDirectory(
        Path(given),
        f"{given!r} is neither a run directory nor a baseline",
        hint=f"Give a directory that testbed run has made, or a name ({known}).",
    )
