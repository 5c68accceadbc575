"""The page's first screen: the few figures a reader came for, and the comparison table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from testbed.analysis.bytes import LAYERS
from testbed.analysis.rows import ConfigurationRow, EnergyMeans, RunSummary
from testbed.report import figures
from testbed.report.blocks import section
from testbed.report.html import Html, element, join
from testbed.report.plots import configuration_colour

__all__ = ["comparison", "tiles"]

_Cell = Callable[[ConfigurationRow], str]


def tiles(summary: RunSummary) -> Html:
    """The few figures that a reader came for."""
    return element("div", *_tiles(summary), class_="tiles")


def _tiles(summary: RunSummary) -> Iterator[Html]:
    plain, tunnel = summary.row("none"), summary.row("esp-tunnel")
    compressed = summary.row("rohc+esp-tunnel")
    saving = summary.rohc_saving
    if saving is not None:
        yield _tile(
            "ROHC saves under tunnel ESP",
            f"{figures.byte_count(saving.uplink_bytes)} B",
            f"per uplink message, {saving.share_of_packet:.0%} of the packet",
        )
    if plain is not None and tunnel is not None and plain.uplink.packets and tunnel.uplink.packets:
        with_rohc = "without compression"
        if compressed is not None and compressed.uplink.packets:
            added = compressed.uplink.header - plain.uplink.header
            with_rohc = f"{figures.byte_count(added)} B with ROHC"
        yield _tile(
            "Tunnel ESP adds",
            f"{figures.byte_count(tunnel.uplink.header - plain.uplink.header)} B",
            f"of headers per uplink message; {with_rohc}",
        )
    medians = [row.latency.median for row in summary.rows if row.latency.median]
    reached = sorted(m.value_s for m in medians if m.value_s is not None and not m.censored)
    if reached:
        yield _tile(
            "Median latency",
            _span(figures.seconds(reached[0]), figures.seconds(reached[-1])),
            "over the configurations, submission to delivery",
        )
    means = [row.shown_energy(answered_only=True) for row in summary.rows]
    energies = sorted(found.total_j for found in means if found is not None)
    if energies:
        unanswered = any(row.unanswered for row in summary.rows)
        yield _tile(
            "Energy per answered message" if unanswered else "Energy per message",
            _span(figures.energy(energies[0]), figures.energy(energies[-1])),
            f"{figures.energy_kinds(summary.rows)}, over the configurations",
        )
    answered = sum(row.answered for row in summary.rows)
    lost, failed = (sum(getattr(r, n) for r in summary.rows) for n in ("lost", "failed"))
    yield _tile(
        "Answered",
        f"{answered} of {summary.messages}",
        f"{lost} lost, {failed} failed" if failed else f"{lost} lost",
    )


def _span(low: str, high: str) -> str:
    """From low to high with a dash, the unit once where both have the same."""
    if low == high:
        return low
    number, _, unit = low.partition(" ")
    return f"{number}\u2013{high}" if high.endswith(f" {unit}") else f"{low} \u2013 {high}"


def _tile(what: str, figure: str, more: str) -> Html:
    return element(
        "div",
        element("span", what, class_="what"),
        element("b", figure),
        element("span", more, class_="more soft"),
        class_="tile",
    )


def comparison(summary: RunSummary) -> Html:
    """The same table as in the terminal."""
    if not summary.rows:
        return section("Comparison", element("p", "The journal has no message yet."))
    saving = summary.rohc_saving
    head = element(
        "tr",
        element("th", "per configuration"),
        *(
            element(
                "th",
                _swatch(configuration_colour(summary, row.configuration)),
                _breakable(row.configuration),
                scope="col",
            )
            for row in summary.rows
        ),
    )
    return section(
        "Comparison",
        element("p", figures.saving(saving)) if saving is not None else None,
        element(
            "div",
            element(
                "table",
                element("thead", head),
                element("tbody", *_comparison_lines(summary)),
                class_="compare",
            ),
            class_="scroll",
        ),
        element(
            "p",
            "Bytes are means over all uplink messages sent, the first included. A quantile is the "
            "time within which that share of all messages was answered: a message without an "
            "answer counts as slower than the time-out.",
            class_="soft small",
        ),
    )


def _swatch(colour: str) -> Html:
    return element("span", class_="swatch", style=f"background:{colour}")


def _breakable(name: str) -> Html:
    """A configuration's name that may be broken behind its joints."""
    parts = re.split(r"(?<=[+-])", name)
    return join(parts, "<wbr>")


def _comparison_lines(summary: RunSummary) -> Iterator[Html]:
    rows = summary.rows

    def line(label: str, cell: _Cell, kind: str | None = None) -> Html:
        return element(
            "tr",
            element("th", label, scope="row"),
            *(element("td", cell(row)) for row in rows),
            class_=kind,
        )

    def losses(label: str, count: Callable[[ConfigurationRow], int]) -> Html:
        cells = (element("td", str(count(r)), class_="bad" if count(r) else None) for r in rows)
        return element("tr", element("th", label, scope="row"), *cells)

    def group(label: str) -> Html:
        return element(
            "tr", element("th", label, scope="rowgroup", colspan=str(len(rows) + 1)), class_="group"
        )

    yield line("messages", lambda row: str(row.messages))
    yield losses("lost", lambda row: row.lost)
    if any(row.failed for row in rows):
        yield losses("failed", lambda row: row.failed)
    yield line("latency, median", lambda row: figures.quantile(row.latency.median))
    if any(row.computing_s is not None for row in rows):
        yield line("of it computing", lambda row: figures.seconds(row.computing_s), "sub quiet")
    yield line("latency, 95 %", lambda row: figures.quantile(row.latency.p95))
    yield group("bytes per uplink message")
    for layer in LAYERS:
        if any(row.uplink[layer] for row in rows):
            yield line(
                layer.label,
                lambda row, layer=layer: figures.byte_count(  # type: ignore[misc]
                    row.uplink[layer], zero=figures.NOTHING
                ),
                "sub",
            )
    yield line("headers", lambda row: _sent(row, row.uplink.header), "strong")
    yield line("total", lambda row: _sent(row, row.uplink.total), "strong")
    yield line(
        "first message",
        lambda row: figures.byte_count(row.first_uplink.total if row.first_uplink else None),
        "quiet",
    )
    yield line(
        "total per downlink message",
        lambda row: figures.byte_count(row.downlink.total if row.downlink.packets else None),
        "quiet",
    )
    if any(row.uplink_packets for row in rows):
        yield line("ROHC packets sent", _packets, "quiet wrap")
    kinds = figures.energy_kinds(rows)
    if kinds:
        yield group(f"energy per message, {kinds}")
        for position, (state, _) in enumerate(next(r for r in rows if r.energy).energy[0].split()):
            if any(row.energy and row.energy[0].split()[position][1] for row in rows):
                yield line(
                    state,
                    lambda row, position=position: figures.energy(  # type: ignore[misc]
                        row.energy[0].split()[position][1] if row.energy else None
                    ),
                    "sub",
                )
        yield line(f"total, {kinds}", lambda row: _joules(row.shown_energy()), "strong")
        if any(row.unanswered for row in rows):
            yield line(
                "answered messages only",
                lambda row: _joules(row.shown_energy(answered_only=True)),
                "strong",
            )


def _sent(row: ConfigurationRow, value: float) -> str:
    return figures.byte_count(value) if row.uplink.packets else figures.NOTHING


def _joules(means: EnergyMeans | None) -> str:
    return figures.energy(None if means is None else means.total_j)


def _packets(row: ConfigurationRow) -> str:
    shown = ", ".join(f"{name} {count}" for name, count in row.uplink_packets[:3])
    more = len(row.uplink_packets) - 3
    return (f"{shown} and {more} more" if more > 0 else shown) or figures.NOTHING
