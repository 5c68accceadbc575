"""Files that nobody but their owner may read: keys, tokens, vectors."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from testbed.errors import UsageError

__all__ = ["MAX_PRIVATE_BYTES", "read_private_text", "read_token_file"]

MAX_PRIVATE_BYTES = 64 << 20
"""A larger file is taken for a mistake."""


def read_private_text(path: Path, *, what: str) -> str:
    """The text of a file that is a secret.

    What is checked is the file that is read, not whatever stands at its path a moment later.

    Args:
        path: the file; a symbolic link counts for what it points to.
        what: what it is called in errors, such as ``subscriber file``.

    Raises:
        UsageError: unreadable, no regular file, somebody else's, open to others, too large, or
            not UTF-8 text. The text of the file is never shown.
    """
    name = f"{what} {path}"
    try:
        # Opening a pipe would wait for its writer.
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            _check(os.fstat(file), name, path)
            with os.fdopen(file, "rb", closefd=False) as stream:
                data = stream.read(MAX_PRIVATE_BYTES + 1)
        finally:
            os.close(file)
    except OSError as error:
        raise UsageError(
            f"{name}: {error.strerror or error}", hint="Check the path and its permissions."
        ) from error
    if len(data) > MAX_PRIVATE_BYTES:
        raise UsageError(f"{name}: more than {MAX_PRIVATE_BYTES} octets", hint="Is it this file?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # No cause: it would hold the text.
        raise UsageError(f"{name}: not UTF-8 text", hint="Is it this file?") from None


def read_token_file(path: Path) -> str:
    """The token in a file of one line that its owner alone may read.

    Raises:
        UsageError: open to others, unreadable, or nothing that a header can carry.
    """
    token = read_private_text(path, what="token file").strip()
    if not token or not all("!" <= letter <= "~" for letter in token):
        raise UsageError(
            f"token file {path}: not one line of printable ASCII without spaces",
            hint="Write the token alone into it.",
        )
    return token


def _check(status: os.stat_result, name: str, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{name}: not a regular file", hint="Write it into a file of its own.")
    if os.name != "posix":
        return
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{name}: belongs to another user (uid {status.st_uid})",
            hint=f"Make a copy of your own: install -m 600 {path} COPY",
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"{name}: others than its owner may use it (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod 600 {path} - and if others had access, take new keys.",
        )
