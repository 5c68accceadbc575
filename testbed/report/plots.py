"""The report's plots as plain plotly figures: traces and layout, no colours of the page.

Each figure has one or more variants that the reader switches between. Fonts, grid and background
come from the page's style sheet when it is drawn, so that light and dark are the same figure.
Every name is escaped for plotly, which reads a little HTML in its texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from testbed.analysis.bytes import LAYERS, LayerBytes, LayerMeans
from testbed.analysis.rows import ConfigurationRow, EnergyMeans, RunSummary
from testbed.report import figures
from testbed.report.colours import COLOURS, LAYER_COLOURS, MORE_COLOURS, STATE_COLOURS
from testbed.report.run import RunView, StagedMessage
from testbed.results.records import MessageRecord, Stage

__all__ = [
    "MAX_POINTS",
    "Figure",
    "Variant",
    "bytes_figure",
    "configuration_colour",
    "energy_figure",
    "latency_figure",
    "waterfall_figure",
]

MAX_POINTS: Final = 20_000
"""Points per plot; longer traces are thinned, and the page says so."""

Trace = dict[str, Any]

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


_CATEGORIES: Final[dict[str, Any]] = {
    "autorange": "reversed",
    "type": "category",
    "showgrid": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to see a figure."""

    label: str
    """What the reader chooses it by."""
    data: Sequence[Trace]
    """Plotly traces; ``meta`` is the name in the page's own legend, as plain text."""
    layout: dict[str, Any]
    """Plotly layout, without fonts and colours of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One plot of the page."""

    name: str
    """Identifies its place on the page."""
    summary: str
    """What it shows, for who cannot see it."""
    height: int
    """Height in pixels."""
    variants: tuple[Variant, ...]
    """At least one."""
    thinned: bool = False
    """Points were left out to keep the page light."""

    def to_json(self) -> dict[str, Any]:
        """What the page's script draws."""
        return {
            "name": self.name,
            "height": self.height,
            "variants": [
                {"label": variant.label, "data": list(variant.data), "layout": variant.layout}
                for variant in self.variants
            ],
        }


def configuration_colour(summary: RunSummary, configuration: str) -> str:
    """The colour that a configuration has everywhere on the page."""
    if configuration in COLOURS:
        return COLOURS[configuration]
    others = [row.configuration for row in summary.rows if row.configuration not in COLOURS]
    return MORE_COLOURS[others.index(configuration) % len(MORE_COLOURS)]


def latency_figure(view: RunView) -> Figure | None:
    """The share of messages answered within a time, and boxes; None without any latency."""
    rows = [row for row in view.summary.rows if row.messages]
    slowest = max((row.latency.slowest_s or 0.0 for row in rows), default=0.0)
    if slowest <= 0:
        return None
    fastest = min(row.latency.fastest_s for row in rows if row.latency.fastest_s is not None)
    end = slowest * 1.05
    start = max(fastest - 0.15 * (end - fastest), 0.0)
    limit = MAX_POINTS // max(len(rows), 1)
    shares: list[Trace] = []
    boxes: list[Trace] = []
    thinned = False
    for row in rows:
        latencies = view.latencies_s.get(row.configuration, ())
        colour = configuration_colour(view.summary, row.configuration)
        name = _text(row.configuration)
        chosen = _thin(len(latencies), limit)
        thinned = thinned or len(chosen) < len(latencies)
        times = [start, *(latencies[position] for position in chosen), end]
        reached = [(position + 1) / row.messages for position in chosen]
        shares.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "meta": row.configuration,
                "x": _rounded(times),
                "y": _rounded([0.0, *reached, reached[-1] if reached else 0.0]),
                "line": {"shape": "hv", "color": colour, "width": 2},
                "hovertemplate": "%{y:.1%} within %{x:.3~f} s",
            }
        )
        if latencies:
            boxes.append(_box(name, colour, latencies))
    axis = {"title": {"text": "seconds from submission to delivery"}, "range": [start, end]}
    return Figure(
        name="latency",
        summary="Share of messages answered within a time, one line per configuration.",
        height=380,
        thinned=thinned,
        variants=(
            Variant(
                label="share answered within a time",
                data=shares,
                layout={
                    "xaxis": axis,
                    "yaxis": {
                        "title": {"text": "share of all messages"},
                        "tickformat": ".0%",
                        "range": [0, 1.03],
                    },
                    "hovermode": "x unified",
                },
            ),
            Variant(
                label="quartiles of the answered messages",
                data=boxes,
                layout={
                    "xaxis": axis,
                    "yaxis": dict(_CATEGORIES),
                },
            ),
        ),
    )


def _box(name: str, colour: str, ordered: Sequence[float]) -> Trace:
    """A box from quartiles that were computed here, so that the page carries six numbers."""
    last = len(ordered) - 1

    def at(share: float) -> float:
        return ordered[round(share * last)]

    return {
        "type": "box",
        "orientation": "h",
        "name": name,
        "y": [name],
        "lowerfence": _rounded([at(0.05)]),
        "q1": _rounded([at(0.25)]),
        "median": _rounded([at(0.5)]),
        "q3": _rounded([at(0.75)]),
        "upperfence": _rounded([at(0.95)]),
        "marker": {"color": colour},
        "line": {"color": colour},
        "hoverinfo": "x",
    }


def bytes_figure(summary: RunSummary) -> Figure | None:
    """Bytes by layer, stacked per configuration; None when nothing was sent."""
    rows = [row for row in summary.rows if row.uplink.packets]
    if not rows:
        return None
    variants = [
        ("mean uplink message", [row.uplink for row in rows]),
        ("first uplink message", [_one(row.first_uplink) for row in rows]),
        ("uplink after the first", [row.later_uplink for row in rows]),
        ("mean downlink message", [row.downlink for row in rows]),
    ]
    return Figure(
        name="bytes",
        summary="Bytes per message by layer, stacked, one bar per configuration.",
        height=150 + 62 * len(rows),
        variants=tuple(
            _bytes_variant(label, rows, means)
            for label, means in variants
            if any(mean.packets for mean in means)
        ),
    )


def _one(packet: LayerBytes | None) -> LayerMeans:
    return LayerMeans.over([] if packet is None else [packet])


def _bytes_variant(
    label: str, rows: Sequence[ConfigurationRow], means: Sequence[LayerMeans]
) -> Variant:
    names = [_text(row.configuration) for row in rows]
    data: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": layer.label,
            "meta": layer.label,
            "x": _rounded([mean[layer] for mean in means], 3),
            "y": names,
            "marker": {"color": LAYER_COLOURS[layer]},
            "texttemplate": "%{x:.3~g}",
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "hovertemplate": "%{x:.1f} bytes",
        }
        for layer in LAYERS
        if any(mean[layer] for mean in means)
    ]
    return Variant(
        label=label,
        data=data,
        layout=_stacked("bytes of the outer IP packet")
        | {
            "annotations": [
                _at_the_end(name, mean.total, figures.byte_count(mean.total))
                for name, mean in zip(names, means, strict=True)
                if mean.packets
            ]
        },
    )


def energy_figure(summary: RunSummary) -> Figure | None:
    """Energy per message by state, stacked, per configuration; None without energy."""
    kinds = figures.energy_kinds(summary.rows)
    every = _named_energy(summary, answered_only=False)
    if not every:
        return None
    # Small messages are drawn in millijoules: what differs is in the third digit.
    per_joule, unit = (1e3, "mJ") if max(m.total_j for _, m in every) < 1 else (1.0, "J")
    whole = _energy_variant(f"by state, {kinds}", every, per_joule, unit, kinds)
    variants = [whole]
    if any(row.unanswered for row in summary.rows):
        answered = _named_energy(summary, answered_only=True)
        if answered:
            label = f"answered messages only, {kinds}"
            variants.append(_energy_variant(label, answered, per_joule, unit, kinds))
    ranges = _ranges(every, per_joule, unit)
    if ranges:
        layout = {name: value for name, value in whole.layout.items() if name != "annotations"}
        variants.append(
            Variant(label="with the stated range", data=[*whole.data, ranges], layout=layout)
        )
    return Figure(
        name="energy",
        summary=f"Energy per message by state of the module, stacked, {kinds}.",
        height=150 + 62 * len(every),
        variants=tuple(variants),
    )


_NamedEnergy = Sequence[tuple[str, EnergyMeans]]
"""Configurations' names, escaped, with their energy."""


def _named_energy(summary: RunSummary, *, answered_only: bool) -> _NamedEnergy:
    found = (
        (_text(row.configuration), row.shown_energy(answered_only=answered_only))
        for row in summary.rows
    )
    return [(name, means) for name, means in found if means is not None]


def _energy_variant(
    label: str, energies: _NamedEnergy, per_joule: float, unit: str, kinds: str
) -> Variant:
    data: list[Trace] = []
    for position, (state, _) in enumerate(energies[0][1].split()):
        shown = [means.split()[position][1] * per_joule for _, means in energies]
        if any(shown):
            data.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": state,
                    "meta": state,
                    "x": _rounded(shown),
                    "y": [name for name, _ in energies],
                    "marker": {"color": STATE_COLOURS[state]},
                    "texttemplate": "%{x:.3~r}",
                    "textposition": "inside",
                    "insidetextanchor": "middle",
                    "textangle": 0,
                    "hovertemplate": f"%{{x:.4~r}} {unit}",
                }
            )
    totals = [
        _at_the_end(name, means.total_j * per_joule, figures.energy(means.total_j))
        for name, means in energies
    ]
    return Variant(
        label=label,
        data=data,
        layout=_stacked(f"{unit} per message, {kinds}") | {"annotations": totals},
    )


def _ranges(energies: _NamedEnergy, per_joule: float, unit: str) -> Trace | None:
    """The range that the model or the meter states for the total, as error bars."""
    found = [
        (
            name,
            means.total_j * per_joule,
            (means.total_j - means.low_j) * per_joule,
            (means.high_j - means.total_j) * per_joule,
        )
        for name, means in energies
        if means.low_j is not None and means.high_j is not None
    ]
    if not found:
        return None
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "range of the total",
        "meta": "range of the total",
        "y": [name for name, *_ in found],
        "x": _rounded([total for _, total, _, _ in found]),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "arrayminus": _rounded([max(low, 0.0) for _, _, low, _ in found]),
            "array": _rounded([max(high, 0.0) for _, _, _, high in found]),
            "thickness": 2,
            "width": 6,
        },
        "marker": {"size": 8, "symbol": "diamond"},
        "hovertemplate": f"%{{x:.3~r}} {unit}",
        "ink": True,
    }


def waterfall_figure(staged: Sequence[StagedMessage]) -> Figure | None:
    """The stages of one message, to be chosen among a few; None when no message has stages."""
    variants = [variant for message in staged for variant in _waterfalls(message)]
    if not variants:
        return None
    steps = max(len(variant.data[0]["y"]) for variant in variants)
    return Figure(
        name="waterfall",
        summary="The stages of one message, each from the end of the stage before.",
        height=110 + 30 * steps,
        variants=tuple(variants),
    )


def _waterfalls(message: StagedMessage) -> Iterator[Variant]:
    record = message.record
    steps = _steps(record)
    transfer = [step for step in steps if step[0] is not Stage.RELEASED]
    title = f"{_text(record.configuration)}: {message.why} message, number {record.index}"
    if transfer:
        yield _waterfall(title, transfer)
    if message.why == "median" and len(transfer) < len(steps):
        yield _waterfall(f"{title}, with the radio tail", steps)


def _steps(record: MessageRecord) -> list[tuple[Stage, float, float]]:
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


def _waterfall(label: str, steps: Sequence[tuple[Stage, float, float]]) -> Variant:
    end = max(step[2] for step in steps)
    data: Trace = {
        "type": "bar",
        "orientation": "h",
        "y": [_STEPS[stage][0] for stage, _, _ in steps],
        "base": _rounded([begin for _, begin, _ in steps]),
        "x": _rounded([max(finish - begin, end / 2000) for _, begin, finish in steps]),
        "text": [figures.seconds(finish - begin) for _, begin, finish in steps],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": [_STEPS[stage][1] for stage, _, _ in steps]},
        "customdata": _rounded([finish for _, _, finish in steps]),
        "hovertemplate": "%{text}, until %{customdata:.4~f} s<extra></extra>",
    }
    return Variant(
        label=label,
        data=[data],
        layout={
            "xaxis": {
                "title": {"text": "seconds after submission"},
                "range": [0, end * 1.12],
            },
            "yaxis": dict(_CATEGORIES),
            "bargap": 0.35,
        },
    )


def _stacked(title: str) -> dict[str, Any]:
    return {
        "barmode": "stack",
        "xaxis": {"title": {"text": title}, "rangemode": "tozero"},
        "yaxis": dict(_CATEGORIES),
        "uniformtext": {"mode": "hide", "minsize": 10},
        "bargap": 0.35,
    }


def _at_the_end(name: str, value: float, text: str) -> dict[str, Any]:
    """A bold figure right of a bar."""
    return {
        "x": round(value, 6),
        "y": name,
        "text": f"<b>{text}</b>",
        "showarrow": False,
        "xanchor": "left",
        "xshift": 6,
    }


def _thin(number: int, limit: int) -> list[int]:
    """Positions to keep of an ordered series: all, or evenly spread ones with both ends."""
    if number <= limit:
        return list(range(number))
    return sorted({round(step * (number - 1) / (limit - 1)) for step in range(limit)})


def _rounded(values: Sequence[float], digits: int = 6) -> list[float]:
    return [round(value, digits) for value in values]


def _text(text: str) -> str:
    """A text as plotly shows it unchanged: it reads a few tags and character references."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
