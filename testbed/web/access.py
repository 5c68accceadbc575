"""Where an HTTP door listens, and who may come in.

On a loopback address everybody on this computer may. Any other address needs a token and TLS, or
the explicit word that the network is trusted.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from testbed.bench.private import read_private_text, read_token_file
from testbed.errors import UsageError

__all__ = ["LOOPBACK", "MINIMUM_TOKEN_LETTERS", "Access", "is_loopback", "open_access"]

LOOPBACK: Final = "127.0.0.1"
"""Where a door listens unless told otherwise."""

MINIMUM_TOKEN_LETTERS: Final = 16
"""A shorter token could be guessed."""

_MAKE_TOKEN: Final = "Make one: (umask 077; openssl rand -hex 32 > token.txt)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may come in at a door, and where it is.

    Raises:
        UsageError: it would be open to the network without a token, or without TLS.
    """

    address: str = LOOPBACK
    """Where to listen: an address of this machine, or a name for one."""
    token: str | None = field(default=None, repr=False)
    """What a request has to show; none lets everybody in who gets there."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """Certificate and key; none speaks plain HTTP."""
    trusted_network: bool = False
    """The network is trusted: token and TLS may be left out."""

    def __post_init__(self) -> None:
        if is_loopback(self.address) or self.trusted_network or not self._missing:
            return
        raise UsageError(
            f"{self.address} would be open to the network, without {self._missing}",
            hint="Give --token-file, --tls-cert and --tls-key; or listen on 127.0.0.1 and come "
            "through a tunnel; or, where everybody on the network may read it, give "
            "--insecure-lab-network.",
        )

    @property
    def _missing(self) -> str:
        """What stands between an open door and a guarded one."""
        parts = ["a token"] * (self.token is None) + ["TLS"] * (self.tls is None)
        return " and ".join(parts)

    @property
    def warning(self) -> str | None:
        """What the user is told of a door that is open to the network; none of a guarded one."""
        if is_loopback(self.address) or not self._missing:
            return None
        return f"{self.address} is open to the network, without {self._missing}"

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "http" if self.tls is None else "https"

    def admits(self, token: str) -> bool:
        """Whether this is the token, in a time that says nothing about it."""
        if self.token is None:
            return True
        return hmac.compare_digest(_digest(token), _digest(self.token))


def _digest(token: str) -> bytes:
    """Of one length, so that a comparison does not even tell the token's."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def is_loopback(address: str) -> bool:
    """Whether only this computer reaches the address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def open_access(
    address: str | None = None,
    *,
    token_file: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    trusted_network: bool = False,
) -> Access:
    """What the command line says about a door.

    Args:
        address: where to listen; none is `LOOPBACK`.
        token_file: holds the token; for its owner's eyes only.
        certificate: the server's certificate with its chain (PEM).
        key: its key (PEM), for its owner's eyes only; none looks for it in the certificate's file.
        trusted_network: see `Access`.

    Raises:
        UsageError: a file that cannot be used, or a door that would be open to the network.
    """
    token = None if token_file is None else read_token_file(token_file)
    if token is not None and len(token) < MINIMUM_TOKEN_LETTERS:
        raise UsageError(
            f"token file {token_file}: fewer than {MINIMUM_TOKEN_LETTERS} letters",
            hint=_MAKE_TOKEN,
        )
    if certificate is None and key is not None:
        raise UsageError("--tls-key without --tls-cert", hint="Give the certificate, too.")
    return Access(
        address=address or LOOPBACK,
        token=token,
        tls=None if certificate is None else _tls(certificate, key or certificate),
        trusted_network=trusted_network,
    )


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    read_private_text(key, what="TLS key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UsageError(
            f"{certificate} and {key} are no certificate and its key: {reason}",
            hint="Both in PEM; the key without a passphrase.",
        ) from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a passphrase")
