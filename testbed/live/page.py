"""The live page's HTML: an empty page that its script fills, and the login form.

Texts of the run never are in here: the script asks for them and places them as text. What is here
are our own words: names, colours and the metric catalogue's help, in a block of data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from testbed.analysis.bytes import LAYERS
from testbed.metrics.catalogue import metric
from testbed.report.colours import COLOURS, LAYER_COLOURS, MORE_COLOURS, STATE_COLOURS
from testbed.report.html import Html, element, json_block
from testbed.version import __version__

__all__ = ["live_page", "login_page"]

_PLOTS: Final = (
    ("latency", "Latency over the run", "testbed_message_latency_seconds"),
    ("within", "Answered within", "testbed_message_latency_seconds"),
    ("bytes", "Bytes per uplink message", "testbed_message_bytes_total"),
    ("energy", "Energy per message", "testbed_message_state_energy_joules_total"),
)
"""Name, heading and the metric of the catalogue that shows the same."""

_STATES: Final = {"setup": "set-up"}


def live_page(base: str, *, present: Sequence[str] = ()) -> str:
    """The page as text.

    Args:
        base: the path that its own files are under.
        present: identifiers of elements that a script looks for before it adds its own.
    """
    words: dict[str, Any] = {
        "layers": [[layer.value, layer.label, LAYER_COLOURS[layer]] for layer in LAYERS],
        "states": [
            [name, _STATES.get(name, name), STATE_COLOURS[_STATES.get(name, name)]]
            for name in ("setup", "transmit", "receive", "tail", "sleep")
        ],
        "colours": COLOURS,
        "more": MORE_COLOURS,
    }
    body = element(
        "body",
        element(
            "header",
            element(
                "div",
                element("span", "BEST testbed · live", class_="eyebrow", id="eyebrow"),
                element("button", "Theme: auto", id="theme", type="button"),
                class_="line",
            ),
            element("h1", "Waiting for the run", id="title"),
            element("p", class_="soft", id="what"),
            element("div", class_="badges", id="badges"),
            class_="top",
        ),
        element(
            "main",
            element("noscript", element("section", "This page needs JavaScript.")),
            element("p", class_="lost", id="connection", role="status", hidden=True),
            element(
                "div",
                _tile("progress", "messages", element("progress", id="bar", max="1", value="0")),
                _tile("phase", "module"),
                _tile("radio", "coverage"),
                _tile("unanswered", "without an answer"),
                _tile("faults", "module faults"),
                class_="tiles",
            ),
            element("section", element("h2", "By configuration"), _table("configurations")),
            element("div", *(_plot(*plot) for plot in _PLOTS), class_="plots"),
            element("section", element("h2", "Latest messages"), _table("last")),
            element(
                "section",
                element("h2", "Module faults"),
                _table("fault-list"),
                id="fault-section",
                hidden=True,
            ),
            element(
                "footer",
                f"Read-only. Figures are those of the run's journal. Testbed {__version__}.",
            ),
        ),
        json_block("words", words),
        element("script", src=f"{base}/plotly.js", defer=True),
        element("script", src=f"{base}/live.js", defer=True),
    )
    return _document(base, "BEST testbed · live", body, plots=True, present=present)


def login_page(base: str, *, wrong: bool) -> str:
    """The form that a browser shows the token in.

    Args:
        base: the path that the page's files are under.
        wrong: a wrong one was just given.
    """
    form = element(
        "form",
        element("h1", "Token"),
        element("p", "The run's token file holds it.", class_="soft"),
        element("p", "That was not it.", class_="lost", role="alert") if wrong else None,
        element(
            "input",
            type="password",
            name="token",
            aria_label="Token",
            required=True,
            autofocus=True,
            autocomplete="current-password",
        ),
        element("button", "Show the run", type="submit"),
        method="post",
        action="/login",
        class_="login",
    )
    return _document(base, "BEST testbed", element("body", element("main", form)))


def _document(
    base: str, title: str, body: Html, *, plots: bool = False, present: Sequence[str] = ()
) -> str:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("link", rel="stylesheet", href=f"{base}/live.css"),
        # plotly takes a style sheet with this id and class in place of its own inline one
        element(
            "link",
            rel="stylesheet",
            href=f"{base}/plotly.css",
            id="plotly.js-style-global",
            class_="no-inline-styles",
        )
        if plots
        else None,
        *(element("meta", id=one) for one in present),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _tile(name: str, what: str, more: Html | None = None) -> Html:
    return element(
        "div",
        element("span", what, class_="what"),
        element("b", "-", id=f"{name}-value"),
        more,
        element("span", class_="more soft", id=f"{name}-more"),
        class_="tile",
    )


def _table(name: str) -> Html:
    return element("div", element("table", id=name), class_="scroll")


def _plot(name: str, heading: str, source: str) -> Html:
    entry = metric(source)
    return element(
        "section",
        element("h2", heading),
        element("div", class_="legend", id=f"legend-{name}"),
        element("div", class_="plot", id=f"plot-{name}"),
        element("p", class_="soft small", id=f"note-{name}"),
        element(
            "p", "As a metric: ", element("code", entry.name, title=entry.help), class_="soft small"
        ),
    )
