"""The way of one message through its stages, over the current that the module drew meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np

from testbed.report import figures
from testbed.report.colours import STATE_COLOURS
from testbed.report.plots import (
    CATEGORIES,
    MAX_POINTS,
    Figure,
    Trace,
    Variant,
    plain_text,
    rounded,
    thin,
)
from testbed.report.run import StagedMessage
from testbed.results.records import MessageRecord, Stage
from testbed.results.trace import CurrentTrace

__all__ = ["waterfall_figure"]

_POINTS: Final = 100_000
"""Of all messages' currents together, to keep the page light."""

_PARTS: Final = {"setup": "set-up"}
"""Parts of a trace that the page calls otherwise."""

_HOST, _SERIAL, _RADIO, _HSE, _TAIL = "#0d9488", "#d69e12", "#4f8df5", "#a855f7", "#94a3b8"

_STEPS: Final[dict[Stage, tuple[str, str]]] = {
    Stage.SUBMITTED: ("submitted", _HOST),
    Stage.COMPRESSED: ("ROHC compressed", _HOST),
    Stage.PROTECTED: ("ESP protected", _HOST),
    Stage.AT_WRITTEN: ("AT command written", _SERIAL),
    Stage.ACCEPTED: ("module accepted", _SERIAL),
    Stage.RRC_CONNECTED: ("radio connected", _RADIO),
    Stage.HSE_RECEIVED: ("HSE received", _RADIO),
    Stage.HSE_VERIFIED: ("HSE verified", _HSE),
    Stage.HSE_DECOMPRESSED: ("HSE decompressed", _HSE),
    Stage.HSE_ANSWERED: ("HSE answered", _HSE),
    Stage.RECEIVED: ("host received", _RADIO),
    Stage.UNPROTECTED: ("ESP unprotected", _HOST),
    Stage.DELIVERED: ("delivered", _HOST),
    Stage.RELEASED: ("radio released", _TAIL),
}
"""What has happened when a stage is reached, and the colour of who did it."""


_Step = tuple[Stage, float, float]


def waterfall_figure(staged: Sequence[StagedMessage], labels: Mapping[str, str]) -> Figure | None:
    """The stages of one message, to be chosen among a few; None when no message has stages.

    Args:
        staged: the messages.
        labels: how a campaign's cells are called on the page.
    """
    drawn = [message for message in staged if _steps(message.record)]
    if not drawn:
        return None
    traced = sum(message.current is not None for message in drawn)
    # A step of the current takes two points, and each message is drawn up to twice.
    limit = min(MAX_POINTS, _POINTS // max(traced, 1)) // 4
    steps = max(len(_steps(message.record)) for message in drawn)
    return Figure(
        name="waterfall",
        summary="The stages of one message, each from the end of the stage before, over the "
        "module's current.",
        height=110 + 28 * steps + (190 if traced else 0),
        variants=tuple(
            variant for message in drawn for variant in _waterfalls(message, limit, labels)
        ),
        thinned=any(
            message.current is not None and len(message.current.at_s) > limit for message in drawn
        ),
    )


def _waterfalls(message: StagedMessage, limit: int, labels: Mapping[str, str]) -> Iterator[Variant]:
    record = message.record
    steps = _steps(record)
    transfer = [step for step in steps if step[0] is not Stage.RELEASED]
    label = f"{message.why} message, number {record.index}"
    if record.latency_s is not None:
        label += f", {figures.seconds(record.latency_s)}"
    elif record.reason:
        label += f" ({record.reason})"
    if record.cell is not None and record.cell != record.configuration:
        place = labels.get(record.cell, record.cell)
        label += f", {place.removeprefix(f'{record.configuration}, ')}"
    whole = "" if len(transfer) == len(steps) else ", with the radio tail"
    if transfer and whole and record.latency_s is not None:
        yield _waterfall(message, label, transfer, limit)
    yield _waterfall(message, f"{label}{whole}", steps, limit)


def _steps(record: MessageRecord) -> list[_Step]:
    """Stage, begin and end of each step, in the order of time."""
    order = {stage.value: position for position, stage in enumerate(Stage)}
    reached = sorted(record.stages_s.items(), key=lambda item: (item[1], order[item[0]]))
    steps = []
    before = 0.0
    for name, at in reached:
        if name != Stage.SUBMITTED:
            steps.append((Stage(name), before, max(at, before)))
            before = max(at, before)
    return steps


def _waterfall(message: StagedMessage, label: str, steps: Sequence[_Step], limit: int) -> Variant:
    end = max(step[2] for step in steps)
    bars: Trace = {
        "type": "bar",
        "orientation": "h",
        "y": [_STEPS[stage][0] for stage, _, _ in steps],
        "base": rounded(begin for _, begin, _ in steps),
        "x": rounded(max(finish - begin, end / 2000) for _, begin, finish in steps),
        "text": [
            figures.seconds(finish - begin) if finish > begin else "0 s"
            for _, begin, finish in steps
        ],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": [_STEPS[stage][1] for stage, _, _ in steps]},
        "customdata": rounded(finish for _, _, finish in steps),
        "hovertemplate": "%{text}, until %{customdata:.4~f} s<extra></extra>",
    }
    data = [bars]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "seconds after submission"}, "range": [0, end * 1.12]},
        "yaxis": dict(CATEGORIES),
        "bargap": 0.35,
    }
    if message.current is not None:
        data += _current(message.current, message.record.submitted_at_s, end, limit)
        layout["xaxis"]["anchor"] = "y2"
        layout["yaxis"]["domain"] = [0.4, 1]
        layout["yaxis2"] = {
            "domain": [0, 0.33],
            "title": {"text": f"mA, {message.current.kind}"},
            "rangemode": "tozero",
        }
    return Variant(
        label=label, data=data, layout=layout, group=plain_text(message.record.configuration)
    )


def _current(trace: CurrentTrace, zero_s: float, end: float, limit: int) -> list[Trace]:
    """The draw until the end of what is shown, one area per part of the message's energy."""
    within = trace.at_s - zero_s < end
    chosen = thin(trace.current_a[within], limit)
    at = trace.at_s[within][chosen] - zero_s
    until = np.append(at[1:], min(end, trace.end_s - zero_s))
    milliamperes = trace.current_a[within][chosen] * 1e3
    parts = [trace.part[position] for position in chosen.tolist()]
    points: dict[str, tuple[list[float], list[float]]] = {}
    position = 0
    for part, run in groupby(parts):
        name = _PARTS.get(part or "", part or "current")
        x, y = points.setdefault(name, ([], []))
        # On the ground between its stretches: a gap would be filled, too.
        x += rounded((x[-1] if x else at[position], at[position]))
        y += [0.0, 0.0]
        for _ in run:
            x += rounded((at[position], until[position]))
            y += rounded([milliamperes[position]] * 2, 4)
            position += 1
        x.append(x[-1])
        y.append(0.0)
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "yaxis": "y2",
            "name": plain_text(name),
            "meta": f"current: {name}",
            "x": x,
            "y": y,
            "fill": "tozeroy",
            "line": {"width": 1.5, "color": STATE_COLOURS.get(name, "#d69e12")},
            "hovertemplate": "%{y:.3~f} mA at %{x:.4~f} s",
        }
        for name, (x, y) in points.items()
    ]
