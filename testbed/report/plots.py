"""The report's plots as plain plotly figures: traces and layout, no colours of the page.

Each figure has one or more variants that the reader switches between. Fonts, grid and background
come from the page's style sheet when it is drawn, so that light and dark are the same figure.
Every name is escaped for plotly, which reads a little HTML in its texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from testbed.analysis.bytes import LAYERS, LayerBytes, LayerMeans
from testbed.analysis.rows import ConfigurationRow, EnergyMeans, RunSummary
from testbed.report import figures
from testbed.report.colours import COLOURS, LAYER_COLOURS, MORE_COLOURS, STATE_COLOURS

__all__ = [
    "CATEGORIES",
    "MAX_POINTS",
    "Figure",
    "Trace",
    "Variant",
    "bytes_figure",
    "configuration_colour",
    "energy_figure",
    "plain_text",
    "rounded",
    "thin",
]

MAX_POINTS: Final = 20_000
"""Points per plot; longer traces are thinned, and the page says so."""

Trace = dict[str, Any]

CATEGORIES: Final[dict[str, Any]] = {
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
    group: str = ""
    """Variants of one group stand together where the reader chooses; none without groups."""


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
    """Points were left out to keep the page light: of each stretch the extremes stay."""

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
    names = [plain_text(row.configuration) for row in rows]
    data: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": layer.label,
            "meta": layer.label,
            "x": rounded([mean[layer] for mean in means], 3),
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
        (plain_text(row.configuration), row.shown_energy(answered_only=answered_only))
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
                    "x": rounded(shown),
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
        "x": rounded([total for _, total, _, _ in found]),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "arrayminus": rounded([max(low, 0.0) for _, _, low, _ in found]),
            "array": rounded([max(high, 0.0) for _, _, _, high in found]),
            "thickness": 2,
            "width": 6,
        },
        "marker": {"size": 8, "symbol": "diamond"},
        "hovertemplate": f"%{{x:.3~r}} {unit}",
        "ink": True,
    }


def _stacked(title: str) -> dict[str, Any]:
    return {
        "barmode": "stack",
        "xaxis": {"title": {"text": title}, "rangemode": "tozero"},
        "yaxis": dict(CATEGORIES),
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


def thin(values: NDArray[np.float64], limit: int) -> NDArray[np.intp]:
    """Positions to keep of a series: all, or of each stretch its least and its largest value.

    Args:
        values: in their order.
        limit: so many positions at most, 4 or more; both ends are among them.
    """
    number = len(values)
    if number <= limit:
        return np.arange(number)
    edges = np.linspace(0, number, (limit - 2) // 2 + 1).astype(np.intp)
    found = {0, number - 1}
    for begin, end in pairwise(edges.tolist()):
        stretch = values[begin:end]
        found |= {begin + int(stretch.argmin()), begin + int(stretch.argmax())}
    return np.array(sorted(found), dtype=np.intp)


def rounded(values: Iterable[float], digits: int = 6) -> list[float]:
    """For the page: no more digits than anybody can see."""
    return [round(float(value), digits) for value in values]


def plain_text(text: str) -> str:
    """A text as plotly shows it unchanged: it reads a few tags and character references."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
