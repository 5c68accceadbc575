"""What security costs: bytes, latency and energy of each protection, with and without ROHC."""

from __future__ import annotations

from typing import Final

from dashboards.boards.variables import DATASOURCE, KIND, REPORT, REPORTS, WINDOW, of_a_run
from dashboards.grafana import GREEN, ORANGE, RED, Dashboard, Query, Step
from dashboards.panels import bar_gauge, bars, time_series
from dashboards.queries import ARM, RUN, increase, mean, quantile, rate, share, shown, total

__all__ = ["SECURITY"]

_ARM: Final = ("origin", *ARM)
_LEGEND: Final = "{{security}} {{compression}}"
_KIND: Final = (*_ARM, "kind")

_BYTES: Final = mean(
    increase(shown("message_bytes_total", direction="uplink")),
    increase(shown("message_packets_total", direction="uplink")),
    *_ARM,
)
_PLAIN: Final = mean(
    increase(shown("message_bytes_total", direction="uplink", security="none", compression="none")),
    increase(
        shown("message_packets_total", direction="uplink", security="none", compression="none")
    ),
    "origin",
)
_LAYERS: Final = (
    f"{total(increase(shown('message_bytes_total', direction='uplink')), *_ARM, 'layer')}"
    f" / on ({', '.join(_ARM)}) group_left () "
    f"{total(increase(shown('message_packets_total', direction='uplink')), *_ARM)}"
)
_SECURED: Final = "!=none"


def _arm(expression: str, **more: bool) -> Query:
    return Query(expression=expression, legend=_LEGEND, **more)


SECURITY: Final = Dashboard(
    uid="testbed-security",
    title="Testbed: cost of security",
    description="What each protection costs a message in bytes, latency and energy, with and "
    "without header compression. Whether a difference is more than chance is the report's to say.",
    variables=(DATASOURCE, *of_a_run(), KIND, WINDOW, REPORTS),
    links=(REPORT,),
    rows=(
        (
            7,
            (
                (
                    6,
                    bar_gauge(
                        "Bytes per uplink message",
                        "Mean size of the outer IP packet, over the time shown.",
                        "decbytes",
                        _arm(_BYTES, instant=True),
                    ),
                ),
                (
                    6,
                    bar_gauge(
                        "Added to a message without security",
                        "The same, less the mean of messages without security and compression.",
                        "decbytes",
                        _arm(f"{_BYTES} - on (origin) group_left () ({_PLAIN})", instant=True),
                        steps=(Step(None, GREEN), Step(40, ORANGE), Step(80, RED)),
                    ),
                ),
                (
                    12,
                    bars(
                        "Bytes per uplink message by layer",
                        "What the bytes are, in the journal's names of layers; they sum to the "
                        "packet's size.",
                        "decbytes",
                        Query(
                            expression=f"label_join({_LAYERS}, "
                            '"arm", " ", "security", "compression")',
                            instant=True,
                            table=True,
                        ),
                        row="arm",
                        column="layer",
                    ),
                ),
            ),
        ),
        (
            7,
            (
                (
                    6,
                    bar_gauge(
                        "Answered within (50 %)",
                        "Half of all messages got their answer within that time, in module time.",
                        "s",
                        _arm(
                            quantile(
                                0.5, increase(shown("message_latency_seconds", "bucket")), *_ARM
                            ),
                            instant=True,
                        ),
                        steps=(Step(None, GREEN), Step(5, ORANGE), Step(20, RED)),
                    ),
                ),
                (
                    6,
                    bar_gauge(
                        "Energy per message",
                        "Mean over the time shown, of the chosen kind only.",
                        "joule",
                        _arm(
                            mean(
                                increase(shown("message_energy_joules", "sum")),
                                increase(shown("message_energy_joules", "count")),
                                *_KIND,
                            ),
                            instant=True,
                        ),
                    ),
                ),
                (
                    6,
                    bar_gauge(
                        "Answered",
                        "Share of messages that were answered, over the time shown.",
                        "percentunit",
                        _arm(
                            share(
                                increase(shown("messages_total", outcome="answered")),
                                increase(shown("messages_total")),
                                *_ARM,
                            ),
                            instant=True,
                        ),
                        steps=(Step(None, RED), Step(0.95, ORANGE), Step(0.99, GREEN)),
                        most=1,
                    ),
                ),
                (
                    6,
                    bar_gauge(
                        "Bytes per key exchange",
                        "Both directions, retransmissions and outer headers included.",
                        "decbytes",
                        _arm(
                            mean(
                                increase(shown("session_bytes_total", security=_SECURED)),
                                increase(shown("sessions_total", security=_SECURED)),
                                *_ARM,
                            ),
                            instant=True,
                        ),
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
                        "Answered within (95 %)",
                        "95 % of all messages got their answer within that time, in module time. "
                        "A point of light is a message: it leads to its run.",
                        "s",
                        Query(
                            expression=quantile(
                                0.95, rate(shown("message_latency_seconds", "bucket")), *_ARM
                            ),
                            legend=_LEGEND,
                            exemplars=True,
                        ),
                        least=0,
                    ),
                ),
                (
                    12,
                    time_series(
                        "Energy per message over time",
                        "Mean in each window, of the chosen kind only.",
                        "joule",
                        Query(
                            expression=mean(
                                rate(shown("message_energy_joules", "sum")),
                                rate(shown("message_energy_joules", "count")),
                                *_KIND,
                            ),
                            legend=_LEGEND,
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
                        "Key exchange: duration (95 %)",
                        "First request to keys in place, in module time; with AKA also the part of "
                        "it that the USIM took, by the way to it (soft: software stood in for it).",
                        "s",
                        Query(
                            expression=quantile(
                                0.95,
                                rate(shown("session_setup_seconds", "bucket", security=_SECURED)),
                                *_ARM,
                            ),
                            legend=_LEGEND,
                        ),
                        Query(
                            expression=quantile(
                                0.95, rate(shown("session_usim_seconds", "bucket")), *RUN, "usim"
                            ),
                            legend="{{bench}} {{module}} USIM by {{usim}}",
                        ),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Key exchanges, and what they took",
                        "In each window: sessions, and requests with retransmissions; more "
                        "requests than sessions means that some went unanswered. Beside them "
                        "exchanges that failed, and synchronisation failures of the USIM: many are "
                        "a storm.",
                        "none",
                        Query(
                            expression=total(
                                increase(shown("sessions_total", security=_SECURED), "$window"),
                                *RUN,
                            ),
                            legend="{{bench}} {{module}} sessions",
                        ),
                        Query(
                            expression=total(
                                increase(
                                    shown("session_attempts_total", security=_SECURED), "$window"
                                ),
                                *RUN,
                            ),
                            legend="{{bench}} {{module}} requests",
                        ),
                        Query(
                            expression=total(
                                increase(shown("session_failures_total"), "$window"),
                                *RUN,
                                "reason",
                            ),
                            legend="{{bench}} {{module}} failed: {{reason}}",
                        ),
                        Query(
                            expression=total(
                                increase(shown("session_resynchronisations_total"), "$window"),
                                *RUN,
                                "usim",
                            ),
                            legend="{{bench}} {{module}} out of step, USIM by {{usim}}",
                        ),
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Re-keyings by reason",
                        "In each window: why the UE replaced its keys.",
                        "none",
                        Query(
                            expression=total(
                                increase(shown("session_rekeyings_total"), "$window"),
                                *RUN,
                                "reason",
                            ),
                            legend="{{bench}} {{module}} {{reason}}",
                        ),
                        stacked=True,
                        least=0,
                    ),
                ),
            ),
        ),
    ),
)
"""The dashboard."""
