"""The report: one HTML file that opens without a network, made from a run directory alone.

The page carries a content security policy that names its own two scripts by their digests and
allows no connection: a text that slipped through the escaping could still neither run nor fetch.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from testbed.analysis.measurements import Measurements
from testbed.report import sections
from testbed.report.answers import answer_section
from testbed.report.assets import SCRIPT, STYLE
from testbed.report.comparison import comparison, tiles
from testbed.report.distributions import latency_figure
from testbed.report.grouped import cells_figure, cells_table
from testbed.report.html import Html, element, join, json_block, raw
from testbed.report.levels import cell_labels
from testbed.report.plots import Figure, bytes_figure, energy_figure
from testbed.report.run import RunView, load_run
from testbed.report.verdict import verdict_section
from testbed.report.versus import versus_section
from testbed.report.waterfalls import waterfall_figure
from testbed.results.files import write_atomically
from testbed.version import __version__

__all__ = ["render_page", "write_page", "write_report"]


def write_report(run_directory: Path, *, baseline: Measurements | None = None) -> Path:
    """Write ``report.html`` into a run directory, in place of an earlier one.

    Args:
        run_directory: the run directory, or a file in it; the run may have been interrupted.
        baseline: what the run is held against; none: it stands alone.

    Returns:
        The path of the page.

    Raises:
        UsageError: it is not a run directory, or its journal or manifest cannot be read.
    """
    return write_page(load_run(run_directory, baseline=baseline))


def write_page(view: RunView) -> Path:
    """Write ``report.html`` of a run that was read already.

    Returns:
        The path of the page.

    Raises:
        WriteFailed: the disk is full or gone.
    """
    write_atomically(view.directory.report_path, render_page(view))
    return view.directory.report_path


def render_page(view: RunView) -> str:
    """The page as text.

    Args:
        view: what was read from the run directory.
    """
    from plotly.offline import get_plotlyjs  # the page's only user of it; slow to import

    plotly: str = get_plotlyjs()
    found = (
        bytes_figure(view.summary),
        latency_figure(view),
        cells_figure(view.summary),
        energy_figure(view.summary),
        waterfall_figure(view.staged, cell_labels(view.summary.run.cells)),
    )
    drawn = {figure.name: figure for figure in found if figure is not None}
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
        _main(view, drawn),
        json_block("figures", [figure.to_json() for figure in drawn.values()]),
        element("script", raw(plotly)),
        element("script", raw(SCRIPT)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _main(view: RunView, drawn: Mapping[str, Figure]) -> Html:
    summary = view.summary
    return element(
        "main",
        verdict_section(view),
        answer_section(view),
        tiles(summary),
        element("noscript", element("section", "The plots need JavaScript; the tables do not.")),
        comparison(summary),
        sections.plot_section("By cell", drawn["cells"], without="", below=cells_table(summary))
        if "cells" in drawn
        else None,
        versus_section(view.comparison, cell_labels(summary.run.cells)),
        sections.notes_section(summary),
        sections.plot_section(
            "Bytes by layer",
            drawn.get("bytes"),
            without="Nothing was sent.",
            below=sections.air_table(summary),
        ),
        sections.plot_section(
            "Latency",
            drawn.get("latency"),
            element(
                "p",
                "A line that ends below 100 % at a triangle has messages without an answer: they "
                "count as slower than the time-out.",
                class_="soft small",
            )
            if any(row.unanswered for row in summary.rows)
            else None,
            without="No message was answered.",
        ),
        sections.energy_section(summary, drawn.get("energy")),
        sections.plot_section(
            "One message",
            drawn.get("waterfall"),
            element(
                "p",
                "A bar ends when its stage was reached, and begins at the stage before. After deep "
                "sleep the first one includes opening the module's socket again.",
                class_="soft small",
            ),
            _current_text(view),
            without="No message has stages to show.",
        ),
        sections.faults_section(summary),
        sections.sessions_section(summary),
        sections.feedback_section(summary),
        sections.keepalive_section(summary),
        sections.manifest_section(view.manifest),
        sections.files_section(view),
        element("footer", f"Written by testbed report, version {__version__}."),
    )


def _current_text(view: RunView) -> Html | None:
    """What the current below the stages is worth."""
    traces = [message.current for message in view.staged if message.current is not None]
    sources = sorted({(trace.kind, trace.source) for trace in traces})
    if not sources:
        return None
    said = "; ".join(f"{kind} by {source}" for kind, source in sources)
    modelled = any(kind == "modelled" for kind, _ in sources)
    return element(
        "p",
        element("strong", "Modelled, not measured. ") if modelled else None,
        f"The current below the stages is {said}. It is kept for a few messages of each "
        "configuration; others are drawn without.",
        class_="small",
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
