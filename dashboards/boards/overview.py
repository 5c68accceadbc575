"""Every module of the bench, now."""

from __future__ import annotations

from typing import Final

from dashboards.boards.variables import DATASOURCE, REPORT, REPORTS, WINDOW, of_a_run
from dashboards.grafana import BLUE, GREEN, ORANGE, RED, Dashboard, Query, Step
from dashboards.panels import stat, table, time_series, timeline
from dashboards.queries import RUN, increase, mean, quantile, rate, share, shown, total

__all__ = ["OVERVIEW"]

_ONE: Final = (*RUN, "instance")
_LEGEND: Final = "{{bench}} {{module}}"
_YES: Final = {0: ("no", RED), 1: ("yes", GREEN)}
_PHASES: Final = {
    1: ("starting", BLUE),
    2: ("attaching", ORANGE),
    3: ("idle", "semi-dark-green"),
    4: ("connected", GREEN),
    5: ("asleep", "dark-purple"),
    6: ("recovering", RED),
    7: ("ended", "text"),
}


def _each(expression: str) -> str:
    return f"max by ({', '.join(_ONE)}) ({expression})"


_PHASE: Final = total(
    " or ".join(
        f"{number} * {shown('module_state', phase=name)}" for number, (name, _) in _PHASES.items()
    ),
    *_ONE,
)
_DONE: Final = (
    f"({total(shown('messages_total'), *_ONE)}"
    f" + ({total(shown('warm_up_messages_total'), *_ONE)} or 0 * {_each(shown('run_complete'))}))"
    f" / {_each(shown('run_planned_messages'))}"
)


def _column(expression: str) -> Query:
    return Query(expression=expression, instant=True, table=True)


OVERVIEW: Final = Dashboard(
    uid="testbed-overview",
    title="Testbed: bench overview",
    description="Every module of the bench: is it registered, how well is it heard, what is it "
    "doing, when did its latest message end.",
    variables=(DATASOURCE, *of_a_run(), WINDOW, REPORTS),
    links=(REPORT,),
    span="1h",
    rows=(
        (
            8,
            (
                (
                    24,
                    table(
                        "Every module now",
                        "A row per run that is scraped. A run's name leads to its report, which is "
                        "written when the run has ended.",
                        ("", _column(f"max by ({', '.join(_ONE)}, run) ({shown('run_info')})")),
                        ("Registered", _column(_each(shown("module_registered")))),
                        ("Doing", _column(_PHASE)),
                        ("RSRP", _column(_each(shown("module_rsrp_dbm")))),
                        ("ECL", _column(_each(shown("module_ecl")))),
                        (
                            "Latest message",
                            _column(
                                "time() - " + _each(shown("module_last_message_timestamp_seconds"))
                            ),
                        ),
                        ("Done", _column(_DONE)),
                        ("Complete", _column(_each(shown("run_complete")))),
                        ("Time scale", _column(_each(shown("run_time_scale_ratio")))),
                        units={
                            "RSRP": "dBm",
                            "Latest message": "s",
                            "Done": "percentunit",
                            "Time scale": "suffix:x",
                        },
                        links={"run": "${reports:raw}/${__value.raw}/report.html"},
                        names={"Registered": _YES, "Complete": _YES, "Doing": _PHASES},
                    ),
                ),
            ),
        ),
        (
            6,
            (
                (
                    12,
                    timeline(
                        "What each module is doing",
                        "As the run last told; a run that has ended is no longer scraped.",
                        Query(expression=_PHASE, legend="{{bench}} {{module}} {{instance}}"),
                        names=_PHASES,
                    ),
                ),
                (
                    3,
                    stat(
                        "Registered",
                        "Modules attached to the network, of those that are scraped.",
                        "none",
                        Query(
                            expression=f"sum by (origin) ({shown('module_registered')})",
                            legend="registered",
                        ),
                        steps=(Step(None, RED), Step(1, GREEN)),
                    ),
                ),
                (
                    3,
                    stat(
                        "Answered",
                        "Share of all messages of the time shown that were answered.",
                        "percentunit",
                        Query(
                            expression=share(
                                increase(shown("messages_total", outcome="answered")),
                                increase(shown("messages_total")),
                                "origin",
                            ),
                            legend="answered",
                        ),
                        steps=(Step(None, RED), Step(0.95, ORANGE), Step(0.99, GREEN)),
                        decimals=1,
                    ),
                ),
                (
                    3,
                    stat(
                        "Faults",
                        "What went wrong with modules in the time shown.",
                        "none",
                        Query(
                            expression=f"{total(increase(shown('module_faults_total')), 'origin')}"
                            f" or 0 * {total(shown('module_registered'), 'origin')}",
                            legend="faults",
                        ),
                        steps=(Step(None, GREEN), Step(0.5, ORANGE), Step(5, RED)),
                        decimals=0,
                    ),
                ),
                (
                    3,
                    stat(
                        "Recovery",
                        "From a fault noticed to the module attached again, on average over the "
                        "time shown, in module time.",
                        "s",
                        Query(
                            expression=mean(
                                increase(shown("module_recovery_seconds", "sum")),
                                increase(shown("module_recovery_seconds", "count")),
                                "origin",
                            ),
                            legend="recovery",
                        ),
                        steps=(Step(None, GREEN), Step(60, ORANGE), Step(300, RED)),
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
                        "Signal (RSRP)",
                        "Reference signal received power in the module's reports. Below the "
                        "network's first threshold (lines: -112 and -122 dBm, the virtual cell's) "
                        "a message is repeated.",
                        "dBm",
                        Query(expression=_each(shown("module_rsrp_dbm")), legend=_LEGEND),
                        steps=(Step(None, RED), Step(-122, ORANGE), Step(-112, GREEN)),
                    ),
                ),
                (
                    8,
                    time_series(
                        "Coverage enhancement level",
                        "As the module reports it: the higher, the more often all is repeated.",
                        "none",
                        Query(expression=_each(shown("module_ecl")), legend=_LEGEND),
                        least=0,
                        most=2,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Answered within (95 %)",
                        "95 % of all messages got their answer within that time, in module time; "
                        "messages without an answer count as slower than everything.",
                        "s",
                        Query(
                            expression=quantile(
                                0.95, rate(shown("message_latency_seconds", "bucket")), *RUN
                            ),
                            legend=_LEGEND,
                            exemplars=True,
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
                        "Messages by outcome",
                        "Messages per second of real time, by how they ended.",
                        "cps",
                        Query(
                            expression=total(rate(shown("messages_total")), *RUN, "outcome"),
                            legend="{{bench}} {{module}} {{outcome}}",
                        ),
                        stacked=True,
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Without an answer, by reason",
                        "Messages per second without an answer: lost and failed ones.",
                        "cps",
                        Query(
                            expression=total(
                                rate(shown("messages_unanswered_total")), *RUN, "reason"
                            ),
                            legend="{{bench}} {{module}} {{reason}}",
                        ),
                        stacked=True,
                        least=0,
                    ),
                ),
                (
                    8,
                    time_series(
                        "Faults by kind",
                        "What went wrong with the modules, in each window.",
                        "none",
                        Query(
                            expression=total(
                                increase(shown("module_faults_total"), "$window"), *RUN, "fault"
                            ),
                            legend="{{bench}} {{module}} {{fault}}",
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
