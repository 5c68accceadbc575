"""Grafana's dashboard JSON, as far as it is needed, from small records.

What the JSON may hold is `@grafana/schema`'s; ``tests/peers/test_grafana_schema.py`` holds the
result against its types. A panel cannot be made without unit and description.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "BLUE",
    "GREEN",
    "MAX_PANELS",
    "ORANGE",
    "RED",
    "Dashboard",
    "Json",
    "Link",
    "Names",
    "Panel",
    "Query",
    "Step",
    "Variable",
    "mappings",
]

MAX_PANELS: Final = 12
"""Nobody looks at more."""

SCHEMA_VERSION: Final = 39
"""The JSON's format: Grafana 11's, which later ones migrate."""

COLUMNS: Final = 24
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

GREEN: Final = "green"
ORANGE: Final = "orange"
RED: Final = "red"
BLUE: Final = "blue"

Json = dict[str, Any]
Names = Mapping[int, tuple[str, str]]
"""Text and colour by value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One expression of a panel."""

    expression: str
    """PromQL with the dashboard's variables."""
    legend: str = ""
    """What its series are called, with ``{{label}}``."""
    instant: bool = False
    """Only its latest value."""
    table: bool = False
    """As rows with a column per label."""
    exemplars: bool = False
    """Show exemplars, which lead to the message's run."""

    def to_json(self, number: int) -> Json:
        """As a panel's target."""
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "exemplar": self.exemplars,
            "expr": self.expression,
            "format": "table" if self.table else "time_series",
            "instant": self.instant,
            "legendFormat": self.legend or "__auto",
            "range": not self.instant,
            "refId": chr(ord("A") + number),
        }


@dataclass(frozen=True, slots=True)
class Step:
    """From this value on a figure has this colour."""

    value: float | None
    """In the panel's unit; None: from the smallest on."""
    color: str
    """Grafana's name of it."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a panel leads."""

    title: str
    """What the menu says."""
    url: str
    """With the dashboard's variables."""

    def to_json(self) -> Json:
        """As a panel's link."""
        return {
            "asDropdown": False,
            "icon": "external link",
            "includeVars": False,
            "keepTime": False,
            "tags": [],
            "targetBlank": True,
            "title": self.title,
            "tooltip": "",
            "type": "link",
            "url": self.url,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel, without its place. Made by the functions of `dashboards.panels`."""

    type: str
    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    options: Json
    steps: Sequence[Step] = (Step(None, BLUE),)
    custom: Json = field(default_factory=dict)
    names: Names = field(default_factory=dict)
    """Text and colour by value."""
    least: float | None = None
    most: float | None = None
    decimals: int | None = None
    color: str = "palette-classic"
    transformations: Sequence[Json] = ()
    overrides: Sequence[Json] = ()

    def __post_init__(self) -> None:
        if not (self.description.endswith(".") and self.unit and self.queries):
            raise ValueError(f"{self.title}: a panel has a description, a unit and a query")

    def to_json(self, number: int, place: Json, links: Sequence[Link]) -> Json:
        """As the dashboard holds it."""
        defaults: Json = {
            "color": {"mode": self.color},
            "custom": self.custom,
            "mappings": mappings(self.names),
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": step.color, "value": step.value} for step in self.steps],
            },
            "unit": self.unit,
        }
        for name, value in (
            ("min", self.least),
            ("max", self.most),
            ("decimals", self.decimals),
        ):
            if value is not None:
                defaults[name] = value
        return {
            "datasource": DATASOURCE,
            "description": self.description,
            "fieldConfig": {"defaults": defaults, "overrides": list(self.overrides)},
            "gridPos": place,
            "id": number,
            "links": [link.to_json() for link in links],
            "options": self.options,
            "targets": [query.to_json(place) for place, query in enumerate(self.queries)],
            "title": self.title,
            "transformations": list(self.transformations),
            "type": self.type,
        }


def mappings(names: Names) -> list[Json]:
    """Texts and colours of values, as panels hold them."""
    if not names:
        return []
    options = {
        str(value): {"color": color, "index": index, "text": text}
        for index, (value, (text, color)) in enumerate(names.items())
    }
    return [{"options": options, "type": "value"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A choice at the top of a dashboard."""

    name: str
    label: str
    description: str
    type: str = "query"
    """``datasource``, ``query``, ``textbox`` or ``interval``."""
    query: str = ""
    """What gives its values, or the values, or the text."""
    multi: bool = False
    """Several at once, and all of them."""

    def to_json(self) -> Json:
        """As the dashboard holds it."""
        found: Json = {
            "description": self.description,
            "hide": 0,
            "label": self.label,
            "name": self.name,
            "query": self.query,
            "skipUrlSync": False,
            "type": self.type,
        }
        match self.type:
            case "query":
                found |= {
                    "datasource": DATASOURCE,
                    "includeAll": self.multi,
                    "multi": self.multi,
                    "query": {"query": self.query, "refId": "StandardVariableQuery"},
                    "refresh": 2,
                    "regex": "",
                    "sort": 1,
                }
                if self.multi:
                    found |= {
                        "allValue": ".*",
                        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
                    }
            case "interval":
                first, *_ = self.query.split(",")
                found["current"] = {"selected": True, "text": first, "value": first}
            case "textbox":
                found["current"] = {"selected": True, "text": self.query, "value": self.query}
            case "datasource":
                found |= {"includeAll": False, "multi": False, "refresh": 1, "regex": ""}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard: rows of panels, from the top.

    Raises:
        ValueError: more panels than anybody looks at, or wider than the screen.
    """

    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    rows: Sequence[tuple[int, Sequence[tuple[int, Panel]]]]
    """Height of a row, and its panels with their widths, in Grafana's 24 columns."""
    links: Sequence[Link] = ()
    """What each of its panels leads to."""
    span: str = "6h"
    """The time that it shows at first, back from now."""

    def __post_init__(self) -> None:
        if len(self.panels) > MAX_PANELS:
            raise ValueError(f"{self.title}: {len(self.panels)} panels, at most {MAX_PANELS}")
        for _, row in self.rows:
            if sum(width for width, _ in row) > COLUMNS:
                raise ValueError(f"{self.title}: a row is wider than {COLUMNS} columns")

    @property
    def panels(self) -> list[Panel]:
        """All panels, in their order."""
        return [panel for _, row in self.rows for _, panel in row]

    def to_json(self) -> Json:
        """As Grafana imports it."""
        panels: list[Json] = []
        top = 0
        for height, row in self.rows:
            left = 0
            for width, panel in row:
                place = {"h": height, "w": width, "x": left, "y": top}
                panels.append(panel.to_json(len(panels) + 1, place, self.links))
                left += width
            top += height
        return {
            "annotations": {"list": []},
            "description": self.description,
            "editable": True,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "links": [
                {
                    "asDropdown": True,
                    "icon": "external link",
                    "includeVars": True,
                    "keepTime": True,
                    "tags": ["testbed"],
                    "targetBlank": False,
                    "title": "Testbed",
                    "tooltip": "",
                    "type": "dashboards",
                    "url": "",
                }
            ],
            "panels": panels,
            "refresh": "10s",
            "schemaVersion": SCHEMA_VERSION,
            "tags": ["testbed"],
            "templating": {"list": [variable.to_json() for variable in self.variables]},
            "time": {"from": f"now-{self.span}", "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "weekStart": "",
        }
