"""A suite's runs over time: grades, figures with their intervals, and ratios to the baseline."""

from __future__ import annotations

from typing import Final

from dashboards.boards.variables import DATASOURCE, REPORT, REPORTS, of_a_run
from dashboards.grafana import GREEN, ORANGE, RED, Dashboard, Query, Step, Variable
from dashboards.panels import bar_gauge, stat, table, time_series, timeline
from dashboards.queries import RUN, shown, total

__all__ = ["REGRESSION"]

_GRADES: Final = {
    1: ("pass", GREEN),
    2: ("warn", ORANGE),
    3: ("inconclusive", "purple"),
    4: ("fail", RED),
    5: ("not-judged", "text"),
}
_ARM: Final = (*RUN, "arm")
_LEGEND: Final = "{{bench}} {{module}} {{arm}}"
_ENDS: Final = ("value", "low", "high")

_KIND: Final = Variable(
    name="kind",
    label="Energy",
    description="Measured by a meter, or estimated by a model: never both on one panel.",
    query='label_values(testbed_suite_energy_joules{origin="$origin"}, kind)',
)
_GRADE: Final = total(
    " or ".join(
        f"{number} * {shown('suite_grade', grade=name)}" for number, (name, _) in _GRADES.items()
    ),
    *RUN,
)


def _with_interval(name: str, *by: str, **matchers: str) -> tuple[Query, ...]:
    """A figure and the ends of its 95 % interval."""
    return tuple(
        Query(
            expression=f"max by ({', '.join((*_ARM, *by))}) "
            f"({shown(name, estimate=end, **matchers)})",
            legend=_LEGEND if end == "value" else f"{_LEGEND} {end}",
        )
        for end in _ENDS
    )


def _column(expression: str) -> Query:
    return Query(expression=expression, instant=True, table=True)


def _latest(name: str, *by: str) -> str:
    return f"max by ({', '.join((*RUN, *by))}) ({shown(name)})"


REGRESSION: Final = Dashboard(
    uid="testbed-regression",
    title="Testbed: regression trend",
    description="What complete runs have pushed (testbed run --pushgateway): each point is a "
    "suite's latest run at that time.",
    variables=(DATASOURCE, *of_a_run("suite_run_info", payload=False), _KIND, REPORTS),
    links=(REPORT,),
    span="30d",
    rows=(
        (
            7,
            (
                (
                    16,
                    table(
                        "Latest run of each suite",
                        "A run's name leads to its report.",
                        ("", _column(_latest("suite_run_info", "run", "version", "seed"))),
                        ("Grade", _column(_GRADE)),
                        (
                            "Ended",
                            _column("1000 * " + _latest("suite_last_run_timestamp_seconds")),
                        ),
                        (
                            "Since a success",
                            _column("time() - " + _latest("suite_last_success_timestamp_seconds")),
                        ),
                        units={"Ended": "dateTimeAsIso", "Since a success": "s"},
                        links={"run": "${reports:raw}/${__value.raw}/report.html"},
                        names={"Grade": _GRADES},
                    ),
                ),
                (
                    8,
                    bar_gauge(
                        "Limits by grade",
                        "What became of the limits of the latest runs.",
                        "none",
                        Query(
                            expression=total(shown("suite_limits"), "origin", "grade"),
                            legend="{{grade}}",
                            instant=True,
                        ),
                        decimals=0,
                    ),
                ),
            ),
        ),
        (
            5,
            (
                (
                    16,
                    timeline(
                        "Grades over time",
                        "The grade of each suite's latest run. Inconclusive is neither pass nor "
                        "fail: it needs more messages.",
                        Query(expression=_GRADE, legend="{{bench}} {{module}}"),
                        names=_GRADES,
                    ),
                ),
                (
                    8,
                    stat(
                        "Without an answer",
                        "Share of the latest run's messages.",
                        "percentunit",
                        Query(
                            expression=f"{total(shown('suite_messages', outcome='lost'), *RUN)}"
                            f" / {total(shown('suite_messages'), *RUN)}",
                            legend="{{bench}} {{module}}",
                        ),
                        steps=(Step(None, GREEN), Step(0.01, ORANGE), Step(0.05, RED)),
                        decimals=1,
                    ),
                ),
            ),
        ),
        (
            9,
            (
                (
                    24,
                    time_series(
                        "Against the baseline",
                        "Ratio of each figure to the baseline's, with its 95 % interval; above 1 "
                        "is worse. The limit that decides stands in the campaign's file.",
                        "none",
                        *(
                            Query(
                                expression=f"max by ({', '.join((*_ARM, 'measure'))}) "
                                f"({shown('suite_regression_ratio', estimate=end)})",
                                legend=f"{_LEGEND} {{{{measure}}}}"
                                + ("" if end == "value" else f" {end}"),
                            )
                            for end in _ENDS
                        ),
                        steps=(Step(None, GREEN), Step(1.05, ORANGE), Step(1.1, RED)),
                    ),
                ),
            ),
        ),
        (
            9,
            (
                (
                    12,
                    time_series(
                        "Latency, median",
                        "With its 95 % interval, in module time; messages without an answer count "
                        "as slower than the time-out.",
                        "s",
                        *_with_interval("suite_latency_seconds", statistic="median"),
                        least=0,
                    ),
                ),
                (
                    12,
                    time_series(
                        "Latency, 95 %",
                        "With its 95 % interval, in module time.",
                        "s",
                        *_with_interval("suite_latency_seconds", statistic="p95"),
                        least=0,
                    ),
                ),
            ),
        ),
        (
            9,
            (
                (
                    12,
                    time_series(
                        "Bytes per uplink message",
                        "Mean size of the outer IP packet, with its 95 % interval.",
                        "decbytes",
                        *_with_interval("suite_uplink_bytes"),
                        least=0,
                    ),
                ),
                (
                    12,
                    time_series(
                        "Energy per message",
                        "Mean with its 95 % interval, of the chosen kind only.",
                        "joule",
                        *_with_interval("suite_energy_joules", "kind"),
                        least=0,
                    ),
                ),
            ),
        ),
    ),
)
"""The dashboard."""
