"""Joules: per message and beside messages, by what the module did, and how long a battery lasts."""

from __future__ import annotations

from typing import Final

from dashboards.boards.variables import DATASOURCE, KIND, REPORT, REPORTS, WINDOW, of_a_run
from dashboards.grafana import GREEN, ORANGE, RED, Dashboard, Query, Step, Variable
from dashboards.panels import bar_gauge, bars, time_series
from dashboards.queries import ARM, RUN, increase, mean, quantile, rate, shown, total

__all__ = ["ENERGY"]

_ARM: Final = ("origin", "kind", *ARM)
_LEGEND: Final = "{{security}} {{compression}}"
_MESSAGES: Final = increase(shown("message_energy_joules", "count"))

_BATTERY: Final = (
    Variable(
        name="battery_wh",
        label="Battery, Wh",
        description="What the battery gives; 3GPP TR 45.820 reckons with 5 Wh.",
        type="textbox",
        query="5",
    ),
    Variable(
        name="messages_per_day",
        label="Messages a day",
        description="How many messages the device sends.",
        type="textbox",
        query="12",
    ),
    Variable(
        name="sleep_uw",
        label="Asleep, uW",
        description="What the device draws in power saving; 3GPP TR 45.820 reckons with 15 "
        "microwatts. Self-discharge of the battery may be added here.",
        type="textbox",
        query="15",
    ),
)

_AWAKE: Final = mean(
    increase(shown("message_state_energy_joules_total", state="!=sleep")), _MESSAGES, *_ARM
)
_YEARS: Final = (
    f"$battery_wh * 3600 / (($messages_per_day * {_AWAKE}) + $sleep_uw * 0.0864) / 365.25"
)
_SPLIT: Final = (
    f"{total(increase(shown('message_state_energy_joules_total')), *_ARM, 'state')}"
    f" / on ({', '.join(_ARM)}) group_left () {total(_MESSAGES, *_ARM)}"
)
_PER_BYTE: Final = (
    f"{total(increase(shown('message_energy_joules', 'sum')), *_ARM)}"
    " / on (origin, security, compression) group_left () "
    + total(
        increase(shown("message_bytes_total", direction="uplink", layer="application")),
        "origin",
        *ARM,
    )
)


def _beside(name: str) -> Query:
    words = {"session": "key exchanges", "feedback": "ROHC feedback", "keepalive": "keepalives"}
    return Query(
        expression=total(increase(shown(f"{name}_energy_joules_total")), *_ARM),
        legend=f"{words[name]}: {_LEGEND}",
        instant=True,
    )


def _keepalives(what: str) -> Query:
    return Query(
        expression=total(increase(shown(f"keepalive_{what}_total"), "$window"), *RUN),
        legend="{{bench}} {{module}}",
    )


ENERGY: Final = Dashboard(
    uid="testbed-energy",
    title="Testbed: energy",
    description="Joules of messages and of what goes beside them; every panel shows one kind, "
    "measured or estimated, and one origin.",
    variables=(DATASOURCE, *of_a_run(), KIND, WINDOW, *_BATTERY, REPORTS),
    links=(REPORT,),
    rows=(
        (
            7,
            (
                (
                    8,
                    bar_gauge(
                        "Energy per message",
                        "Mean over the time shown, answered or not.",
                        "joule",
                        Query(
                            expression=mean(
                                increase(shown("message_energy_joules", "sum")),
                                _MESSAGES,
                                *_ARM,
                            ),
                            legend=_LEGEND,
                            instant=True,
                        ),
                    ),
                ),
                (
                    8,
                    bars(
                        "By what the module was doing",
                        "Joules per message: set-up of the connection, sending, receiving, the "
                        "tail until the network lets go, sleep until the next message.",
                        "joule",
                        Query(
                            expression=f"label_join({_SPLIT}, "
                            '"arm", " ", "security", "compression")',
                            instant=True,
                            table=True,
                        ),
                        row="arm",
                        column="state",
                    ),
                ),
                (
                    8,
                    bar_gauge(
                        "Battery life",
                        "Years, were all messages like those of the time shown: the battery's "
                        "energy over what messages and sleep take a day. No self-discharge.",
                        "suffix: years",
                        Query(expression=_YEARS, legend=_LEGEND, instant=True),
                        steps=(Step(None, RED), Step(5, ORANGE), Step(10, GREEN)),
                        decimals=1,
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
                        "Energy per message (95 %)",
                        "95 % of messages cost no more. A point of light is a message: it leads "
                        "to its run.",
                        "joule",
                        Query(
                            expression=quantile(
                                0.95, rate(shown("message_energy_joules", "bucket")), *_ARM
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
                        "Energy per message by coverage",
                        "Mean in each window, by coverage enhancement level: a byte that "
                        "compression saves is worth far more at a higher one.",
                        "joule",
                        Query(
                            expression=mean(
                                rate(shown("message_energy_joules", "sum")),
                                rate(shown("message_energy_joules", "count")),
                                *_ARM,
                                "ecl",
                            ),
                            legend=f"{_LEGEND} ECL {{{{ecl}}}}",
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
                    bar_gauge(
                        "Beside messages",
                        "Joules in the time shown for key exchanges, for ROHC feedback in packets "
                        "of its own, and for NAT keepalives.",
                        "joule",
                        _beside("session"),
                        _beside("feedback"),
                        _beside("keepalive"),
                    ),
                ),
                (
                    12,
                    bar_gauge(
                        "Joules per byte of the application",
                        "Energy of messages over the bytes that the device's application sent.",
                        "joule",
                        Query(expression=_PER_BYTE, legend=_LEGEND, instant=True),
                    ),
                ),
            ),
        ),
        (
            7,
            (
                (
                    12,
                    time_series(
                        "NAT keepalives",
                        "Sent by the UE in each window so that the network's NAT keeps its "
                        "binding (RFC 3948 section 4).",
                        "none",
                        _keepalives("packets"),
                        least=0,
                    ),
                ),
                (
                    12,
                    time_series(
                        "Bytes of NAT keepalives",
                        "In each window, outer headers included.",
                        "decbytes",
                        _keepalives("bytes"),
                        least=0,
                    ),
                ),
            ),
        ),
    ),
)
"""The dashboard."""
