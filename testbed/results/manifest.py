"""The manifest of a run: what it was, on what, when. Everything that one seed does not decide.

Wall-clock times, process ids and facts of the host stand here and not in the journal, so that two
runs of one seed can be compared line by line. The configuration is kept as it was, without secrets:
values under names such as ``secret``, ``psk`` or ``token`` are replaced before they get here.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from testbed.clock import TimeKind
from testbed.errors import UsageError
from testbed.version import __version__

__all__ = [
    "MANIFEST_SCHEMA_VERSION",
    "REDACTED",
    "Manifest",
    "ManifestError",
    "TimeKind",
    "redacted",
    "source_commit",
    "start_manifest",
]

MANIFEST_SCHEMA_VERSION = 1
"""The version that stands in a manifest."""

REDACTED = "(not shown)"
"""What stands in the place of a secret."""

_DISTRIBUTIONS = (
    "cryptography",
    "numpy",
    "pydantic",
    "pyserial",
    "pyserial-asyncio-fast",
    "prometheus-client",
)

# A last word that makes a name a secret's: "secret", "hse_secret", "--pre-shared-key", "k", "opc".
_SECRET_NAME = re.compile(
    r"(^|[-_.])(secret|secrets|psk|key|keys|password|passwd|passphrase|token|pin|puk|k|op|opc)$",
    re.IGNORECASE,
)


_PLAIN = {"keys": ("aka", "secret")}
"""Words that are no secret, under a name that could be a secret's: where keys come from."""


_NUMBERED = ("identity", "imsi", "iccid", "imei")
_LONG_NUMBER = re.compile(r"\d{10}")


class ManifestError(UsageError):
    """A manifest is missing, or cannot be read.

    Attributes:
        path: the manifest.

    """

    def __init__(self, path: Path, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What stands in ``manifest.json``."""

    schema_version: int = MANIFEST_SCHEMA_VERSION
    run: str
    """The name of the run's directory."""
    status: str = "running"
    """``running``, ``complete``, ``interrupted`` or ``failed``; ``running`` also when killed."""
    started_at: str
    """UTC, ISO 8601."""
    ended_at: str | None = None
    """UTC, ISO 8601; ``None`` while it runs, or when it was killed."""
    command: tuple[str, ...] = ()
    """The command line, without secrets."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """The testbed's version, Python's, and those of what it stands on."""
    platform: str = ""
    """Operating system and machine."""
    host: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the host: name, processors."""
    pid: int = 0
    commit: str | None = None
    """Commit of the checkout that ran, with ``+`` where it had changes; ``None`` elsewhere."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The bench description as it was used, without secrets."""
    seed: int = 0
    time: Mapping[str, Any] = field(default_factory=dict)
    """``kind`` (see :class:`TimeKind`) and ``scale``: seconds of the run per second of the wall,
    ``None`` in virtual time."""
    module: Mapping[str, Any] = field(default_factory=dict)
    """The module as it identified itself: manufacturer, model, firmware ..."""
    radio: Mapping[str, Any] = field(default_factory=dict)
    """The radio report at the run's beginning."""
    meter: Mapping[str, Any] | None = None
    """The instrument that measured energy; ``None`` where energy is estimated."""
    test_keys: bool = False
    """Whether the keys in ``esp_sa`` come from a test secret."""
    decrypt: str | None = None
    """The command that decrypts the capture, where there is a key table."""
    notes: tuple[str, ...] = ()
    """What else a reader should know."""
    earlier: tuple[Mapping[str, Any], ...] = ()
    """The parts before, where the run was interrupted and resumed, the first one first: what stood
    here of each, such as its times, process, host and versions. All else is the last part's."""

    def to_dict(self) -> dict[str, Any]:
        """The manifest as the file holds it."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, path: Path, text: str) -> Manifest:
        """Read what :meth:`to_json` wrote; unknown fields are ignored.

        Raises:
            ManifestError: no manifest, or of another version.

        """
        try:
            record = json.loads(text)
        except ValueError as error:
            raise ManifestError(
                path, f"{path} is not JSON: {error}", hint="restore it, or run again"
            ) from error
        version = record.get("schema_version") if isinstance(record, dict) else None
        if version != MANIFEST_SCHEMA_VERSION:
            raise ManifestError(
                path,
                f"{path} has schema version {version!r};"
                f" this testbed reads {MANIFEST_SCHEMA_VERSION}",
                hint="read it with the testbed that wrote it",
            )
        known = {entry.name for entry in fields(cls)}
        values = {name: value for name, value in record.items() if name in known}
        for name in ("command", "notes", "earlier"):
            values[name] = tuple(values.get(name) or ())
        try:
            return cls(**values)
        except TypeError as error:
            raise ManifestError(
                path, f"{path} lacks a field: {error}", hint="restore it, or run again"
            ) from error

    def finished(self, status: str, *, now: datetime | None = None, **changes: Any) -> Manifest:
        """The manifest at the end of the run.

        Args:
            status: ``complete``, ``interrupted`` or ``failed``.
            now: the time on the wall; the present by default.
            changes: further fields to set, such as ``notes``.

        """
        return replace(self, status=status, ended_at=_iso(now), **changes)

    def resumed(self, part: Manifest) -> Manifest:
        """The manifest when the run goes on: ``part``'s, with this one's facts among the earlier.

        Args:
            part: made for the part that begins.
        """
        once = ("schema_version", "run", "config", "seed", "notes", "earlier")
        before = {name: value for name, value in self.to_dict().items() if name not in once}
        notes = tuple(dict.fromkeys((*self.notes, *part.notes)))
        return replace(part, earlier=(*self.earlier, before), notes=notes)


def start_manifest(
    run: str,
    *,
    config: Mapping[str, Any],
    seed: int = 0,
    time_kind: str = TimeKind.REAL,
    time_scale: float | None = 1.0,
    command: Sequence[str] | None = None,
    now: datetime | None = None,
    **facts: Any,
) -> Manifest:
    """The manifest at the beginning of a run, with the facts of this host and process.

    Args:
        run: name of the run's directory.
        config: the bench description as it is used; secrets are taken out.
        seed: what every random choice comes from.
        time_kind: see :class:`TimeKind`.
        time_scale: seconds of the run per second of the wall; ``None`` in virtual time, where
            there is no such ratio.
        command: the command line; this process's by default.
        now: the time on the wall; the present by default.
        facts: further fields, such as ``module``, ``radio``, ``test_keys``, ``notes``.

    """
    return Manifest(
        run=run,
        started_at=_iso(now),
        command=tuple(_redacted_command(sys.argv if command is None else command)),
        versions=_versions(),
        platform=platform.platform(),
        host={"name": socket.gethostname(), "processors": os.cpu_count()},
        pid=os.getpid(),
        commit=source_commit(),
        config=redacted(config),
        seed=seed,
        time={"kind": time_kind, "scale": time_scale},
        **facts,
    )


def redacted(value: Any) -> Any:
    """A copy of a configuration with :data:`REDACTED` in the place of every secret.

    An identity that holds a number as long as an IMSI counts as one.
    """
    if isinstance(value, Mapping):
        return {
            str(name): REDACTED if _is_secret(str(name), entry) else redacted(entry)
            for name, entry in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(entry) for entry in value]
    return value


def _is_secret(name: str, value: object) -> bool:
    word = name.lstrip("-")
    if word in _NUMBERED:
        return _LONG_NUMBER.search(str(value)) is not None
    return (
        value is not None
        and _SECRET_NAME.search(name) is not None
        and value not in _PLAIN.get(name.lstrip("-"), ())
    )


def _names_secret(name: str) -> bool:
    return name in _NUMBERED or _SECRET_NAME.search(name) is not None


def _plain(value: object) -> object:
    """What JSON can hold of a value: a number that it lacks becomes null, all else text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Enum):
        return _plain(value.value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _redacted_command(command: Sequence[str]) -> list[str]:
    shown: list[str] = []
    hide_next = ""
    for word in command:
        name, equals, value = word.partition("=")
        if hide_next:
            word, hide_next = REDACTED if _is_secret(hide_next, word) else word, ""
        elif word.startswith("-") and _names_secret(name.lstrip("-")) and len(name) > 2:
            if not equals:
                hide_next = name
            elif _is_secret(name, value):
                word = f"{name}={REDACTED}"
        shown.append(word)
    return shown


def source_commit(root: Path | None = None) -> str | None:
    """The commit of the checkout that holds this package, with ``+`` where files were changed.

    Args:
        root: the checkout's directory; by default where this package lies.

    Returns:
        ``None`` for an installed package, or where git is missing.

    """
    root = Path(__file__).parents[2] if root is None else root
    if not (root / ".git").exists():
        return None
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return None
    return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    versions = {"testbed": __version__, "python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _iso(now: datetime | None) -> str:
    moment = datetime.now(UTC) if now is None else now.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
