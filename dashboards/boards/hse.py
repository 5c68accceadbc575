"""The Home Security Endpoint: what comes, what passes, what is refused and why."""

from __future__ import annotations

from typing import Final

from dashboards.boards.variables import DATASOURCE, WINDOW
from dashboards.grafana import BLUE, GREEN, ORANGE, RED, Dashboard, Link, Query, Step, Variable
from dashboards.panels import stat, time_series
from dashboards.queries import increase, rate, share, shown, total

__all__ = ["HSE"]

_PORT: Final = "{{instance}} {{port}}"


def _counted(name: str, *by: str, legend: str) -> Query:
    """A counter's rise in each window."""
    return Query(expression=total(increase(shown(name), "$window"), "instance", *by), legend=legend)


HSE: Final = Dashboard(
    uid="testbed-hse",
    title="Testbed: HSE",
    description="Home Security Endpoints that run as processes of their own "
    "(testbed hse --metrics-port).",
    variables=(
        DATASOURCE,
        Variable(
            name="hse",
            label="HSE",
            description="Which one, as Prometheus names it.",
            query="label_values(testbed_hse_sessions, instance)",
            multi=True,
        ),
        WINDOW,
    ),
    links=(Link("Bench overview", "/d/testbed-overview"),),
    rows=(
        (
            5,
            (
                (
                    6,
                    stat(
                        "Sessions",
                        "Sessions alive.",
                        "none",
                        Query(
                            expression=total(shown("hse_sessions"), "instance"),
                            legend="{{instance}}",
                        ),
                        steps=(Step(None, BLUE),),
                    ),
                ),
                (
                    6,
                    stat(
                        "Security associations",
                        "Inbound security associations alive; more than sessions means that a "
                        "re-keying is under way.",
                        "none",
                        Query(
                            expression=total(shown("hse_security_associations"), "instance"),
                            legend="{{instance}}",
                        ),
                        steps=(Step(None, BLUE),),
                    ),
                ),
                (
                    6,
                    stat(
                        "ROHC channels",
                        "Channels alive, one each way per session that compresses.",
                        "none",
                        Query(
                            expression=total(shown("hse_rohc_contexts"), "instance"),
                            legend="{{instance}}",
                        ),
                        steps=(Step(None, BLUE),),
                    ),
                ),
                (
                    6,
                    stat(
                        "Refused",
                        "Share of the datagrams of the time shown that were refused.",
                        "percentunit",
                        Query(
                            expression=share(
                                increase(shown("hse_rejected_total")),
                                increase(shown("hse_datagrams_total")),
                                "instance",
                            ),
                            legend="{{instance}}",
                        ),
                        steps=(Step(None, GREEN), Step(0.01, ORANGE), Step(0.05, RED)),
                        decimals=2,
                    ),
                ),
            ),
        ),
        (
            8,
            (
                (
                    8,
                    time_series(
                        "Datagrams",
                        "Read per second, by port.",
                        "pps",
                        Query(
                            expression=total(
                                rate(shown("hse_datagrams_total")), "instance", "port"
                            ),
                            legend=_PORT,
                        ),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Bytes",
                        "Octets of UDP payloads read per second, by port.",
                        "Bps",
                        Query(
                            expression=total(
                                rate(shown("hse_received_bytes_total")), "instance", "port"
                            ),
                            legend=_PORT,
                        ),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Delivered and answered",
                        "Messages per second that reached the application, and answers given back.",
                        "cps",
                        Query(
                            expression=total(
                                rate(shown("hse_delivered_total")), "instance", "port"
                            ),
                            legend=f"{_PORT} delivered",
                        ),
                        Query(
                            expression=total(rate(shown("hse_answered_total")), "instance", "port"),
                            legend=f"{_PORT} answered",
                        ),
                        least=0,
                    ),
                ),
            ),
        ),
        (
            8,
            (
                (
                    12,
                    time_series(
                        "Refused by reason",
                        "Datagrams per second that never reached the application, by port and "
                        "reason (docs/security.md).",
                        "pps",
                        Query(
                            expression=total(
                                rate(shown("hse_rejected_total")), "instance", "port", "reason"
                            ),
                            legend=f"{_PORT} {{{{reason}}}}",
                        ),
                        stacked=True,
                        least=0,
                    ),
                ),
                (
                    12,
                    time_series(
                        "Sessions over time",
                        "Sessions and inbound security associations alive.",
                        "none",
                        Query(
                            expression=total(shown("hse_sessions"), "instance"),
                            legend="{{instance}} sessions",
                        ),
                        Query(
                            expression=total(shown("hse_security_associations"), "instance"),
                            legend="{{instance}} associations",
                        ),
                        least=0,
                    ),
                ),
            ),
        ),
        (
            8,
            (
                (
                    8,
                    time_series(
                        "Key exchanges and lifetimes",
                        "In each window: exchanges that gave a session, and sessions that reached "
                        "their soft or hard lifetime.",
                        "none",
                        _counted("hse_key_exchanges_total", legend="{{instance}} exchanges"),
                        _counted(
                            "hse_lifetimes_total", "limit", legend="{{instance}} {{limit}} lifetime"
                        ),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Notices",
                        "In each window: notices to peers whose association the HSE does not "
                        "know, as after a restart without its state.",
                        "none",
                        _counted("hse_notices_total", legend="{{instance}}"),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "NAT keepalives",
                        "In each window (RFC 3948 section 2.3).",
                        "none",
                        _counted("hse_keepalives_total", legend="{{instance}}"),
                        least=0,
                    ),
                ),
            ),
        ),
    ),
)
"""The dashboard."""
