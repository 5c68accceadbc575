"""The report: one HTML file that opens without a network, made from a run directory alone.

The page carries a content security policy that names its own two scripts by their digests and
allows no connection: a text that slipped through the escaping could still neither run nor fetch.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from testbed.report import sections
from testbed.report.assets import SCRIPT, STYLE
from testbed.report.comparison import comparison, tiles
from testbed.report.html import Html, element, join, json_block, raw
from testbed.report.plots import (
    Figure,
    bytes_figure,
    energy_figure,
    latency_figure,
    waterfall_figure,
)
from testbed.report.run import RunView, load_run
from testbed.results.directory import RunDirectory
from testbed.results.files import write_atomically
from testbed.version import __version__

__all__ = ["render_page", "write_report"]


def write_report(run_directory: Path) -> Path:
    """Write ``report.html`` into a run directory, in place of an earlier one.

    Args:
        run_directory: the run directory, or a file in it; the run may have been interrupted.

    Returns:
        The path of the page.

    Raises:
        UsageError: it is not a run directory, or its journal or manifest cannot be read.
    """
    run = RunDirectory.open(run_directory)
    write_atomically(run.report_path, render_page(load_run(run.path)))
    return run.report_path


def render_page(view: RunView) -> str:
    """The page as text.

    Args:
        view: what was read from the run directory.
    """
    from plotly.offline import get_plotlyjs  # the page's only user of it; slow to import

    plotly: str = get_plotlyjs()
    latency, layers = latency_figure(view), bytes_figure(view.summary)
    energy, waterfall = energy_figure(view.summary), waterfall_figure(view.staged)
    drawn = [figure for figure in (latency, layers, energy, waterfall) if figure is not None]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        # In front of everything that it governs.
        raw(f'<meta http-equiv="Content-Security-Policy" content="{_policy(plotly, SCRIPT)}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"BEST testbed {__version__}"),
        element("title", sections.title(view)),
        element("style", raw(STYLE)),
    )
    body = element(
        "body",
        sections.headline(view),
        _main(view, latency, layers, energy, waterfall),
        json_block("figures", [figure.to_json() for figure in drawn]),
        element("script", raw(plotly)),
        element("script", raw(SCRIPT)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _main(
    view: RunView,
    latency: Figure | None,
    layers: Figure | None,
    energy: Figure | None,
    waterfall: Figure | None,
) -> Html:
    summary = view.summary
    return element(
        "main",
        tiles(summary),
        element("noscript", element("section", "The plots need JavaScript; the tables do not.")),
        comparison(summary),
        sections.notes_section(summary),
        sections.plot_section("Bytes by layer", layers, without="Nothing was sent."),
        sections.plot_section("Latency", latency, without="No message was answered."),
        sections.energy_section(summary, energy),
        sections.plot_section(
            "One message",
            waterfall,
            element(
                "p",
                "A bar ends when its stage was reached, and begins at the stage before. After deep "
                "sleep the first one includes opening the module's socket again.",
                class_="soft small",
            ),
            without="No answered message has stages to show.",
        ),
        sections.faults_section(summary),
        sections.sessions_section(summary),
        sections.feedback_section(summary),
        sections.keepalive_section(summary),
        sections.manifest_section(view.manifest),
        sections.files_section(view),
        element("footer", f"Written by testbed report, version {__version__}."),
    )


def _policy(*scripts: str) -> str:
    """Only these scripts run; styles may be set (plotly does); nothing is fetched."""
    digests = join(
        [raw(f"'sha256-{_digest(script)}'") for script in scripts],
        " ",
    )
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
