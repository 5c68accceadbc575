"""What a terminal follows: a run's directory on this computer, or the live page of another."""

from __future__ import annotations

import json
import os
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from testbed.errors import LabFault, UsageError
from testbed.live.state import LiveRun
from testbed.live.tail import JournalTail
from testbed.results.directory import RunDirectory
from testbed.results.manifest import Manifest
from testbed.web.access import is_loopback

__all__ = ["DirectorySource", "Source", "UrlSource"]

_MOST_BYTES: Final = 16 << 20
_TIMEOUT_S: Final = 10.0


class Source(Protocol):
    """Gives a run as it stands."""

    def snapshot(self) -> dict[str, Any]:
        """See `testbed.live.state.LiveRun.snapshot`."""


class DirectorySource:
    """A run's directory, while another process writes it, or afterwards.

    Args:
        directory: it has a manifest; the journal may not have begun.

    Raises:
        UsageError: the manifest cannot be read.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._live = LiveRun(directory.name)
        self._tail = JournalTail(directory.journal_path)
        self._seen: tuple[int, int] | None = None
        self._manifest = directory.read_manifest()

    def snapshot(self) -> dict[str, Any]:
        """The run as far as it is written down.

        Raises:
            UsageError: manifest or journal cannot be read, or were changed.
        """
        self._read_manifest()
        # Asked before the journal is read: what a run wrote before it ended is not missed.
        over = self._manifest.status != "running" or not _alive(self._manifest)
        for record in self._tail.read():
            self._live.record(record)
        if over:
            status = self._manifest.status
            self._live.ended("killed" if status == "running" else status)
        return self._live.snapshot()

    def _read_manifest(self) -> None:
        found = self._directory.manifest_path.stat()
        seen = (found.st_mtime_ns, found.st_ino)
        if seen == self._seen:
            return
        self._seen = seen
        self._manifest = self._directory.read_manifest()
        self._live.identified(self._manifest.module)


def _alive(manifest: Manifest) -> bool:
    """Whether the run's process is there, as far as that can be known from this computer."""
    if manifest.host.get("name") != socket.gethostname() or manifest.pid <= 0:
        return True
    try:
        os.kill(manifest.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class UrlSource:
    """A run's live page elsewhere.

    Args:
        url: of the page.
        token: what it asks for.
        ca_file: the certificate that it is known by, if not by the system's authorities.
        trusted_network: the token may go over the network in clear.

    Raises:
        UsageError: no such address, a token that would go in clear, or no certificate.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        ca_file: Path | None = None,
        trusted_network: bool = False,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(
                f"{_without_user(url)} is not the address of a live page",
                hint="give it as https://HOST:PORT/; the token goes into --token-file",
            )
        clear = parts.scheme == "http" and not is_loopback(parts.hostname)
        if token is not None and clear and not trusted_network:
            raise UsageError(
                f"the token would go to {parts.hostname} in clear",
                hint="Use https, or where everybody on the network may have it, "
                "--insecure-lab-network.",
            )
        self._url = f"{parts.scheme}://{parts.netloc}/api/run"
        self._where = f"{parts.scheme}://{parts.netloc}/"
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise UsageError(
                f"{ca_file} holds no certificate: {error.strerror or error}", hint="Give it in PEM."
            ) from None
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )

    def snapshot(self) -> dict[str, Any]:
        """The run as its page has it.

        Raises:
            UsageError: it wants a token, or another one.
            LabFault: it is gone, or no live page.
        """
        request = urllib.request.Request(self._url, headers=self._headers)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                text = answer.read(_MOST_BYTES + 1)
            found = json.loads(text) if len(text) <= _MOST_BYTES else None
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 401:
                raise UsageError(
                    f"{self._where} wants a token, or another one", hint="Give --token-file."
                ) from None
            raise LabFault(
                f"{self._where} answered {error.code}", hint="Is it a run's live page?"
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error) if isinstance(error, OSError) else "no JSON"
            raise LabFault(
                f"{self._where} cannot be followed: {reason}",
                hint="The run may have ended; a run shows itself with: testbed run --web PORT",
            ) from None
        if not isinstance(found, dict) or found.get("schema_version") != 1:
            raise LabFault(
                f"{self._where} is not a live page that this version reads",
                hint="Watch it with the testbed that it runs with.",
            )
        return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that the user gave, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""
        return None


def _without_user(url: str) -> str:
    """An address without what may be a password in it."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url
