"""Secrets shared between UE and HSE: read from files, kept out of every text."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from esp import keying
from testbed.bench.source import read_yaml
from testbed.errors import UsageError

__all__ = ["Subscribers", "parse_secret", "read_secret_file", "read_subscribers", "warn_if_shared"]

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


def warn_if_shared(path: Path) -> None:
    """Log a warning when others than its owner can read a file of secrets."""
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
    warn_if_shared(path)
    return parse_secret(text, where=f"secret file {path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribers:
    """The UEs that an HSE knows."""

    secrets: dict[str, bytes] = field(repr=False)
    """Secret by identity."""
    addresses: dict[str, tuple[IPv4Network | IPv6Network, ...]]
    """Inner source addresses by identity, for those that have any assigned."""


def read_subscribers(path: Path) -> Subscribers:
    """The table of UEs that an HSE knows: a YAML mapping from identity to its secret.

    In place of a secret may stand a mapping with the keys ``secret`` and ``addresses``, the latter
    a list of addresses or networks that are this UE's, and nobody else's, inside the tunnel.

    Raises:
        UsageError: unreadable, no such mapping, a secret or address that is none; names the line.
    """
    source = read_yaml(path)
    warn_if_shared(path)
    if not isinstance(source.data, dict) or not source.data:
        raise UsageError(
            f"{path}: a subscriber file maps each UE's identity to its secret",
            hint="For example:  ue-1: hex:00112233445566778899aabbccddeeff",
        )
    secrets = {}
    addresses = {}
    for identity, entry in source.data.items():
        where = f"{path}:{source.line((str(identity),)) or 1}"
        secret = entry.get("secret") if isinstance(entry, dict) else entry
        if not isinstance(identity, str) or not isinstance(secret, str):
            raise UsageError(
                f"{where}: identity and secret are texts",
                hint="Put quotes around them when they look like numbers.",
            )
        secrets[identity] = parse_secret(secret, where=where)
        if isinstance(entry, dict):
            unknown = sorted(set(entry) - {"secret", "addresses"})
            if unknown:
                raise UsageError(
                    f"{where}: unknown key {unknown[0]!r}", hint="Known: secret, addresses."
                )
            found = tuple(_networks(entry.get("addresses", []), where))
            if found:
                addresses[identity] = found
    return Subscribers(secrets=secrets, addresses=addresses)


def _networks(listed: Any, where: str) -> Iterator[IPv4Network | IPv6Network]:
    if not isinstance(listed, list):
        raise UsageError(f"{where}: addresses is a list", hint="addresses: [10.0.0.1]")
    for one in listed:
        try:
            yield ip_network(str(one))
        except ValueError as error:
            raise UsageError(
                f"{where}: {error}", hint="For example 10.0.0.1, or 2001:db8::/64."
            ) from None
