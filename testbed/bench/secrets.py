"""Secrets shared between UE and HSE: read from files, kept out of every text."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

from esp import keying
from testbed.bench.source import read_yaml
from testbed.errors import UsageError

__all__ = ["parse_secret", "read_secret_file", "read_subscribers"]

_logger = logging.getLogger(__name__)

_MAKE_ONE = "Make one: (umask 077; echo hex:$(openssl rand -hex 16) > secret.txt)"


def parse_secret(text: str, *, where: str) -> bytes:
    """The octets of a secret.

    Args:
        text: ``hex:`` and hexadecimal digits, or any text, which counts as UTF-8.
        where: named in errors; the text itself never is.

    Raises:
        UsageError: odd or wrong hexadecimal digits, or fewer than 16 octets.
    """
    if text.startswith("hex:"):
        try:
            value = bytes.fromhex(text.removeprefix("hex:"))
        except ValueError:
            raise UsageError(
                f"{where}: what follows hex: is not an even number of hexadecimal digits",
                hint=_MAKE_ONE,
            ) from None
    else:
        value = text.encode("utf-8")
    if len(value) < keying.MINIMUM_SECRET_BYTES:
        raise UsageError(
            f"{where}: the secret has {len(value)} octets, fewer than "
            f"{keying.MINIMUM_SECRET_BYTES}",
            hint=_MAKE_ONE,
        )
    return value


def _warn_if_shared(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        _logger.warning("%s can be read by others than its owner: chmod 600 it", path)


def read_secret_file(path: Path) -> bytes:
    """The secret in a file of one line.

    Raises:
        UsageError: unreadable, empty, or no secret.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(
            f"secret file {path}: {error.strerror or error}", hint=_MAKE_ONE
        ) from error
    except UnicodeDecodeError:
        raise UsageError(f"secret file {path}: not UTF-8 text", hint=_MAKE_ONE) from None
    _warn_if_shared(path)
    return parse_secret(text, where=f"secret file {path}")


def read_subscribers(path: Path) -> dict[str, bytes]:
    """The table of UEs that an HSE knows: a YAML mapping from identity to secret.

    Raises:
        UsageError: unreadable, no such mapping, or a secret that is none; names the line.
    """
    source = read_yaml(path)
    _warn_if_shared(path)
    if not isinstance(source.data, dict) or not source.data:
        raise UsageError(
            f"{path}: a subscriber file maps each UE's identity to its secret",
            hint="For example:  ue-1: hex:00112233445566778899aabbccddeeff",
        )
    table = {}
    for identity, secret in source.data.items():
        where = f"{path}:{source.line((str(identity),)) or 1}"
        if not isinstance(identity, str) or not isinstance(secret, str):
            raise UsageError(
                f"{where}: identity and secret are texts",
                hint="Put quotes around them when they look like numbers.",
            )
        table[identity] = parse_secret(secret, where=where)
    return table
