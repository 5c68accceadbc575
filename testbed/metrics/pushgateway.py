"""A suite's latest run, pushed to a Pushgateway when it has ended.

Only that is pushed: a gateway never forgets, and hides whether a target is up, so a bench that runs
is scraped. A gateway that does not answer costs a warning, never a run.
"""

from __future__ import annotations

from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, pushadd_to_gateway
from prometheus_client.exposition import default_handler

from testbed.errors import LabFault, UsageError
from testbed.metrics.exposition import Collector

__all__ = ["JOB", "TIMEOUT_S", "check_gateway", "push"]

JOB: Final = "testbed-suite"
"""The job that pushed series belong to."""

TIMEOUT_S: Final = 10.0
"""How long a gateway may take to answer, in seconds."""


def check_gateway(url: str) -> str:
    """The gateway's address, told apart from what is none before anything runs.

    Args:
        url: such as ``http://127.0.0.1:9091``.

    Raises:
        UsageError: it is no such address, or holds a password, which logs would show.
    """
    hint = "give it as http://HOST:PORT, such as http://127.0.0.1:9091"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"the Pushgateway's address can't be read: {error}", hint=hint) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("the Pushgateway's address holds a user's name or password", hint=hint)
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise UsageError(f"{url!r} is not the address of a Pushgateway", hint=hint)
    if parts.query or parts.fragment:
        raise UsageError("the Pushgateway's address has a query or a fragment", hint=hint)
    return url.rstrip("/")


def push(
    url: str, collector: Collector, grouping_key: dict[str, str], *, timeout_s: float = TIMEOUT_S
) -> None:
    """Push a collector's metrics; metrics of other names in the group stay as they are.

    Args:
        url: the gateway's address.
        collector: what to push.
        grouping_key: labels that tell the group from others.
        timeout_s: how long to wait for each step of the exchange, in seconds.

    Raises:
        LabFault: the gateway did not take it; the text says why.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        pushadd_to_gateway(
            url,
            job=JOB,
            registry=registry,
            grouping_key=grouping_key,
            timeout=timeout_s,
            handler=default_handler,
        )
    except HTTPError as error:
        error.close()
        raise LabFault(
            f"the Pushgateway at {url} refused the run's figures: {error.code} {error.reason}",
            hint="its log says why; testbed run can push a later run",
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise LabFault(
            f"the Pushgateway at {url} did not take the run's figures: {reason}",
            hint="is it running there? The run itself is complete.",
        ) from error
