"""ROHC: what it sends, what it saves, what it takes to keep both ends in step."""

from __future__ import annotations

from typing import Final

from dashboards.boards.variables import DATASOURCE, REPORT, REPORTS, WINDOW, of_a_run
from dashboards.grafana import GREEN, ORANGE, RED, Dashboard, Query, Step, Variable
from dashboards.panels import bar_gauge, stat, time_series
from dashboards.queries import RUN, increase, mean, rate, share, shown, total

__all__ = ["COMPRESSION"]

_BY: Final = ("origin", "security")
_LEGEND: Final = "{{security}}"
_REFRESH: Final = "=~IR.*"
_INNER: Final = "=~inner_ip|inner_udp"

_HSE: Final = Variable(
    name="hse",
    label="HSE",
    description="An HSE of its own, as Prometheus names it; one that a run starts is not scraped.",
    query="label_values(testbed_hse_sessions, instance)",
    multi=True,
)


def _uplink(name: str, **matchers: str) -> str:
    return shown(name, direction="uplink", **matchers)


def _header(window: str) -> str:
    """Compressed header per uplink packet, under security or without."""
    return mean(
        increase(_uplink("message_bytes_total", layer="rohc_header"), window),
        increase(_uplink("message_packets_total", compression="rohc"), window),
        *_BY,
    )


_PLAIN: Final = mean(
    increase(
        _uplink("message_bytes_total", layer=_INNER, compression="none", security="esp-tunnel")
    ),
    increase(_uplink("message_packets_total", compression="none", security="esp-tunnel")),
    "origin",
)

COMPRESSION: Final = Dashboard(
    uid="testbed-rohc",
    title="Testbed: ROHC",
    description="Header compression: packet types, ratio to the headers of the uncompressed "
    "tunnel, refreshes and feedback.",
    variables=(DATASOURCE, *of_a_run(), _HSE, WINDOW, REPORTS),
    links=(REPORT,),
    rows=(
        (
            6,
            (
                (
                    8,
                    bar_gauge(
                        "Compressed header",
                        "Bytes of inner IP and UDP headers per uplink message, as ROHC sent them; "
                        "feedback that rode along is among them.",
                        "decbytes",
                        Query(expression=_header("$__range"), legend=_LEGEND, instant=True),
                        steps=(Step(None, GREEN), Step(10, ORANGE), Step(30, RED)),
                    ),
                ),
                (
                    8,
                    stat(
                        "Ratio in the tunnel",
                        "The compressed header over the inner headers of the tunnel without "
                        "compression, which has to be among what is run.",
                        "percentunit",
                        Query(
                            expression=f"{_header('$__range')} / on (origin) group_left () "
                            f"({_PLAIN})",
                            legend=_LEGEND,
                            instant=True,
                        ),
                        steps=(Step(None, GREEN), Step(0.25, ORANGE), Step(0.75, RED)),
                        decimals=1,
                    ),
                ),
                (
                    8,
                    bar_gauge(
                        "Refreshes",
                        "Share of uplink packets that carry a whole context (IR, IR-DYN): the "
                        "first ones, and repairs.",
                        "percentunit",
                        Query(
                            expression=share(
                                increase(_uplink("rohc_packets_total", packet_type=_REFRESH)),
                                increase(_uplink("rohc_packets_total")),
                                *_BY,
                            ),
                            legend=_LEGEND,
                            instant=True,
                        ),
                        steps=(Step(None, GREEN), Step(0.1, ORANGE), Step(0.3, RED)),
                        most=1,
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
                        "Packet types, uplink",
                        "ROHC packets per second of real time by type.",
                        "pps",
                        Query(
                            expression=total(
                                rate(_uplink("rohc_packets_total")), "origin", "packet_type"
                            ),
                            legend="{{packet_type}}",
                        ),
                        stacked=True,
                        least=0,
                    ),
                ),
                (
                    12,
                    time_series(
                        "Packet types, downlink",
                        "ROHC packets per second of real time by type.",
                        "pps",
                        Query(
                            expression=total(
                                rate(shown("rohc_packets_total", direction="downlink")),
                                "origin",
                                "packet_type",
                            ),
                            legend="{{packet_type}}",
                        ),
                        stacked=True,
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
                        "Compressed header over time",
                        "Bytes per uplink message in each window.",
                        "decbytes",
                        Query(expression=_header("$window"), legend=_LEGEND),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Feedback in packets of its own",
                        "Packets in each window that carried feedback and nothing else.",
                        "none",
                        Query(
                            expression=total(
                                increase(shown("feedback_packets_total"), "$window"),
                                *RUN,
                                "direction",
                            ),
                            legend="{{bench}} {{module}} {{direction}}",
                        ),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "What feedback of its own costs",
                        "Bytes in each window, outer headers included.",
                        "decbytes",
                        Query(
                            expression=total(
                                increase(shown("feedback_bytes_total"), "$window"),
                                *RUN,
                                "direction",
                            ),
                            legend="{{bench}} {{module}} {{direction}}",
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
                        "Refreshes over time",
                        "IR and IR-DYN packets in each window: a context begins, or is repaired.",
                        "none",
                        Query(
                            expression=total(
                                increase(
                                    shown("rohc_packets_total", packet_type=_REFRESH), "$window"
                                ),
                                *RUN,
                                "direction",
                            ),
                            legend="{{bench}} {{module}} {{direction}}",
                        ),
                        least=0,
                    ),
                ),
                (
                    12,
                    time_series(
                        "Channels, feedback and repairs at the HSE",
                        "ROHC channels alive at the HSE; in each window, packets with which it "
                        "asks for a refresh, or confirms, outside an answer, and channels that "
                        "gave packets again after they had refused some.",
                        "none",
                        Query(
                            expression=f"sum by (instance) ({shown('hse_rohc_contexts')})",
                            legend="{{instance}} channels",
                        ),
                        Query(
                            expression=total(
                                increase(shown("hse_feedback_total"), "$window"), "instance"
                            ),
                            legend="{{instance}} feedback",
                        ),
                        Query(
                            expression=total(
                                increase(shown("hse_rohc_repairs_total"), "$window"), "instance"
                            ),
                            legend="{{instance}} repairs",
                        ),
                        least=0,
                    ),
                ),
            ),
        ),
    ),
)
"""The dashboard."""
