"""How latencies are distributed, per configuration and per cell, the unanswered ones shown."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from testbed.analysis.measurements import Arm, Measurements
from testbed.analysis.rows import ConfigurationRow, RunSummary
from testbed.report.plots import (
    CATEGORIES,
    MAX_POINTS,
    Figure,
    Trace,
    Variant,
    configuration_colour,
    plain_text,
    rounded,
    thin,
)
from testbed.report.run import RunView

__all__ = ["answered_s", "latency_figure"]

Floats = NDArray[np.float64]


def answered_s(run: Measurements) -> Mapping[str, Floats]:
    """Latencies of the answered messages by configuration, in rising order, in seconds."""
    found: dict[str, list[Arm]] = {}
    for arm in run.arms:
        found.setdefault(arm.configuration, []).append(arm)
    return {
        name: np.sort(np.concatenate([arm.latency_s[~arm.unanswered] for arm in arms]))
        for name, arms in found.items()
    }


def latency_figure(view: RunView) -> Figure | None:
    """The share of messages answered within a time, and boxes; None without any latency."""
    summary = view.summary
    rows = [row for row in summary.rows if row.messages]
    slowest = max((row.latency.slowest_s or 0.0 for row in rows), default=0.0)
    if slowest <= 0:
        return None
    by_name = answered_s(view.measurements)
    fastest = min(row.latency.fastest_s for row in rows if row.latency.fastest_s is not None)
    end = slowest * 1.05
    start = max(fastest - 0.15 * (end - fastest), 0.0)
    limit = max(MAX_POINTS // len(rows) - 2, 4)
    found = [(row, by_name.get(row.configuration, np.empty(0))) for row in rows]
    shares = [
        trace for row, ordered in found for trace in _share(view, row, ordered, start, end, limit)
    ]
    boxes = [_box(summary, row.configuration, times) for row, times in found if len(times)]
    axis = {"title": {"text": "seconds from submission to delivery"}, "range": [start, end]}
    variants = [
        Variant(
            label="share answered within a time",
            data=shares,
            layout={
                "xaxis": axis,
                "yaxis": {
                    "title": {"text": "share of all messages"},
                    "tickformat": ".0%",
                    "range": [0, 1.04],
                },
                "hovermode": "x unified",
            },
        ),
        Variant(
            label="boxes of the answered messages (5, 25, 50, 75, 95 %)",
            data=boxes,
            layout={"xaxis": axis, "yaxis": dict(CATEGORIES)},
        ),
    ]
    return Figure(
        name="latency",
        summary="Share of messages answered within a time, one line per configuration.",
        height=max(380, 90 + 34 * len(rows)),
        thinned=any(len(times) > limit for _, times in found),
        variants=tuple(variants),
    )


def _share(
    view: RunView, row: ConfigurationRow, ordered: Floats, start: float, end: float, limit: int
) -> list[Trace]:
    """The line of a configuration, and a mark at its end where messages had no answer."""
    colour = configuration_colour(view.summary, row.configuration)
    name = plain_text(row.configuration)
    chosen = thin(ordered, limit)
    reached = (chosen + 1) / row.messages
    last = len(ordered) / row.messages
    ends_at = [start, *ordered[chosen], end]
    line: Trace = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "meta": row.configuration,
        "x": rounded(ends_at),
        "y": rounded([0.0, *reached, last]),
        "line": {"shape": "hv", "color": colour, "width": 2},
        "hovertemplate": "%{y:.1%} within %{x:.3~f} s",
    }
    if not row.unanswered:
        return [line]
    timeout_s = view.measurements.conditions.answer_timeout_s
    within = "" if timeout_s is None else f" within {timeout_s:g} s"
    return [
        line,
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "tied": row.configuration,
            "x": rounded([end - 0.005 * (end - start)]),  # just inside: else it is not drawn
            "y": rounded([last]),
            "cliponaxis": False,
            "marker": {"symbol": "triangle-right", "size": 11, "color": colour},
            "hovertemplate": f"{row.unanswered} of {row.messages} not answered{within}",
        },
    ]


def _box(summary: RunSummary, configuration: str, ordered: Floats) -> Trace:
    """A box from quantiles that were computed here, so that the page carries six numbers."""
    colour = configuration_colour(summary, configuration)
    last = len(ordered) - 1

    def at(share: float) -> list[float]:
        return rounded([ordered[round(share * last)]])

    return {
        "type": "box",
        "orientation": "h",
        "name": plain_text(configuration),
        "y": [plain_text(configuration)],
        "lowerfence": at(0.05),
        "q1": at(0.25),
        "median": at(0.5),
        "q3": at(0.75),
        "upperfence": at(0.95),
        "marker": {"color": colour},
        "line": {"color": colour},
        "hoverinfo": "x",
    }
