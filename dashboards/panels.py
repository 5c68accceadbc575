"""The kinds of panel that the dashboards have, each with what Grafana asks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dashboards.grafana import BLUE, Json, Names, Panel, Query, Step, mappings

__all__ = ["bar_gauge", "bars", "stat", "table", "time_series", "timeline"]

_TOOLTIP: Final = {"mode": "multi", "sort": "desc"}
_REDUCE: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _legend(shown: bool = True) -> Json:
    return {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": shown}


def time_series(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    steps: Sequence[Step] = (),
    stacked: bool = False,
    least: float | None = None,
    most: float | None = None,
) -> Panel:
    """Lines over time; with ``steps`` their thresholds are drawn, too."""
    custom = {
        "drawStyle": "line",
        "fillOpacity": 25 if stacked else 0,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if steps else "off"},
    }
    return Panel(
        type="timeseries",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        options={"legend": _legend(), "tooltip": _TOOLTIP},
        steps=tuple(steps) or (Step(None, BLUE),),
        custom=custom,
        least=least,
        most=most,
    )


def stat(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    steps: Sequence[Step] = (),
    names: Names | None = None,
    decimals: int | None = None,
) -> Panel:
    """One figure, coloured by its thresholds."""
    return Panel(
        type="stat",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        options={
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": _REDUCE,
            "showPercentChange": False,
            "textMode": "auto",
            "wideLayout": True,
        },
        steps=tuple(steps) or (Step(None, BLUE),),
        names=names or {},
        decimals=decimals,
        color="thresholds",
    )


def bar_gauge(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    steps: Sequence[Step] = (),
    most: float | None = None,
    decimals: int | None = None,
) -> Panel:
    """A bar per series, over the time shown."""
    return Panel(
        type="bargauge",
        title=title,
        description=description,
        unit=unit,
        queries=queries,
        options={
            "displayMode": "basic",
            "legend": _legend(False),
            "maxVizHeight": 300,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "auto",
            "orientation": "horizontal",
            "reduceOptions": _REDUCE,
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "color",
        },
        steps=tuple(steps) or (Step(None, BLUE),),
        least=0,
        most=most,
        decimals=decimals,
        color="thresholds" if steps else "palette-classic",
    )


def bars(title: str, description: str, unit: str, query: Query, *, row: str, column: str) -> Panel:
    """Stacked bars: one per value of a label, its parts by another's."""
    return Panel(
        type="barchart",
        title=title,
        description=description,
        unit=unit,
        queries=(query,),
        options={
            "barWidth": 0.8,
            "fullHighlight": False,
            "groupWidth": 0.7,
            "legend": _legend(),
            "orientation": "horizontal",
            "showValue": "auto",
            "stacking": "normal",
            "tooltip": _TOOLTIP,
            "xTickLabelMaxLength": 40,
            "xTickLabelRotation": 0,
        },
        custom={"fillOpacity": 80, "lineWidth": 1},
        transformations=(
            {
                "id": "groupingToMatrix",
                "options": {
                    "columnField": column,
                    "emptyValue": "null",
                    "rowField": row,
                    "valueField": "Value",
                },
            },
        ),
    )


def timeline(
    title: str,
    description: str,
    *queries: Query,
    names: Names,
) -> Panel:
    """What something is, over time: a row per series, the value's name in colour."""
    return Panel(
        type="state-timeline",
        title=title,
        description=description,
        unit="none",
        queries=queries,
        options={
            "alignValue": "left",
            "legend": _legend(),
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "auto",
            "tooltip": _TOOLTIP,
        },
        custom={"fillOpacity": 70, "lineWidth": 0},
        names=names,
        color="thresholds",
    )


def table(
    title: str,
    description: str,
    *columns: tuple[str, Query],
    units: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    names: Mapping[str, Names] | None = None,
    hidden: Sequence[str] = (),
) -> Panel:
    """Instant queries side by side, joined by the labels that they share.

    Args:
        title: of the panel.
        description: of the panel.
        columns: heading and query; an empty heading hides the value, which is always 1.
        units: Grafana's unit by heading.
        links: where a column's values lead, by heading.
        names: text and colour of values by heading.
        hidden: labels that are not shown.
    """
    headings = {
        f"Value #{chr(ord('A') + number)}": heading for number, (heading, _) in enumerate(columns)
    }
    overrides: dict[str, list[Json]] = {}
    for heading, unit in (units or {}).items():
        overrides.setdefault(heading, []).append({"id": "unit", "value": unit})
    for heading, url in (links or {}).items():
        link = {"targetBlank": True, "title": "Open the report", "url": url}
        overrides.setdefault(heading, []).append({"id": "links", "value": [link]})
    for heading, texts in (names or {}).items():
        overrides.setdefault(heading, []).append({"id": "mappings", "value": mappings(texts)})
        overrides[heading].append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    gone = ["Time", *hidden, *(value for value, heading in headings.items() if not heading)]
    return Panel(
        type="table",
        title=title,
        description=description,
        unit="none",
        queries=tuple(query for _, query in columns),
        options={"cellHeight": "sm", "frameIndex": 0, "showHeader": True},
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        color="thresholds",
        transformations=(
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": dict.fromkeys(gone, True),
                    "indexByName": {},
                    "renameByName": {value: text for value, text in headings.items() if text},
                },
            },
        ),
        overrides=tuple(
            {"matcher": {"id": "byName", "options": heading}, "properties": properties}
            for heading, properties in overrides.items()
        ),
    )
