"""The options of the HTTP doors: who may see a run's page and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from testbed.cli.shared import show_warning
from testbed.web.access import Access, open_access

__all__ = [
    "DoorOptions",
    "InsecureOption",
    "MetricsHostOption",
    "TlsCertOption",
    "TlsKeyOption",
    "TokenFileOption",
    "WebHostOption",
]

MetricsHostOption = Annotated[
    str | None,
    typer.Option(
        envvar="TESTBED_METRICS_HOST",
        help="Where the metrics listen; other than loopback needs a token and TLS.",
        show_default="127.0.0.1",
    ),
]
WebHostOption = Annotated[
    str | None,
    typer.Option(
        envvar="TESTBED_WEB_HOST",
        help="Where the page listens; other than loopback needs a token and TLS.",
        show_default="127.0.0.1",
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="TESTBED_TOKEN_FILE",
        help="File with the token that page and metrics ask for (mode 0600).",
    ),
]
TlsCertOption = Annotated[
    Path | None,
    typer.Option(envvar="TESTBED_TLS_CERT", help="Certificate for page and metrics (PEM)."),
]
TlsKeyOption = Annotated[
    Path | None,
    typer.Option(
        envvar="TESTBED_TLS_KEY", help="Its key (PEM, mode 0600); default: in the certificate."
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure-lab-network",
        help="Page and metrics may be open to the network without token or TLS.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorOptions:
    """What the command line says about who may come in."""

    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def access(self, host: str | None) -> Access:
        """The door at an address, with a warning where it is open to the network.

        Args:
            host: where it listens; none is the loopback address.

        Raises:
            UsageError: a file that cannot be used, or a door that would be open to the network.
        """
        access = open_access(
            host,
            token_file=self.token_file,
            certificate=self.certificate,
            key=self.key,
            trusted_network=self.insecure,
        )
        if access.warning is not None:
            show_warning(
                access.warning,
                "everybody there may see what is shown; a token would be sent in clear."
                if access.tls is None and access.token is not None
                else "everybody there may see what is shown.",
            )
        return access
