"""The comparison table for the terminal: one column per configuration, so that it fits 80 columns.

Everything that comes from outside (module, configuration names, notes) is placed as `Text`, never
as markup: a module's answer cannot colour or hide anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from testbed.analysis.bytes import LAYERS, Layer, LayerMeans
from testbed.analysis.rows import ConfigurationRow, EnergyMeans, RunSummary, SessionSummary
from testbed.report import figures
from testbed.report.cells import render_cells
from testbed.results.records import FaultRecord

__all__ = ["foot_notes", "render_table"]

SHOWN_FAULTS = 10
"""So many faults of the module are told one by one under the table; the page shows all."""

_Cell = Callable[[ConfigurationRow], str | Text]


def render_table(summary: RunSummary) -> Table:
    """The table of a run, with its foot notes as caption.

    Args:
        summary: what the journal says.

    Returns:
        A table to print on a rich console; its values are those of ``summary.to_json()``.
    """
    rows = summary.rows
    caption = "\n".join(f"* {note}" for note in foot_notes(summary))
    if summary.cells:
        return render_cells(summary, title=_title(summary), caption=caption)
    table = Table(
        title=Text(_title(summary), style="bold"),
        caption=Text(caption),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        caption_style="none",
        pad_edge=False,
        collapse_padding=len(rows) > 3,
        min_width=72,  # the notes below take the table's width
    )
    table.add_column("per configuration", no_wrap=True)
    for row in rows:
        name = row.configuration
        if len(rows) > 3:
            name = re.sub(r"(?<=[+-])", "\n", name)
        table.add_column(Text(name), justify="right", vertical="bottom")

    def line(label: str, cell: _Cell, style: str = "") -> None:
        table.add_row(Text(label, style=style), *(cell(row) for row in rows), style=style or None)

    line("messages", lambda row: str(row.messages))
    line("lost", lambda row: _losses(row.lost))
    if any(row.failed for row in rows):
        line("failed", lambda row: _losses(row.failed))
    if summary.faults:
        line("module failed", lambda row: _losses(len(summary.faults_of(row.configuration))))
        line("  and was away, in all", lambda row: _away(summary.faults_of(row.configuration)))
    line("latency, median", lambda row: figures.quantile(row.latency.median))
    if any(row.computing_s is not None for row in rows):
        line("  of it computing", lambda row: figures.seconds(row.computing_s), style="dim")
    line("latency, 95 %", lambda row: figures.quantile(row.latency.p95))
    table.add_section()
    line("bytes per uplink message", lambda _: "", style="dim")
    for layer in LAYERS:
        if any(row.uplink[layer] for row in rows):
            line(f"  {layer.label}", _layer(layer))
    line("  headers", lambda row: _mean(row.uplink, row.uplink.header), style="bold")
    line("  total", lambda row: _mean(row.uplink, row.uplink.total), style="bold")
    line(
        "  first message",
        lambda row: figures.byte_count(row.first_uplink.total if row.first_uplink else None),
        style="dim",
    )
    line("total per downlink message", lambda row: _mean(row.downlink, row.downlink.total))
    if any(row.session for row in rows):
        line("session set-up, up / down", _session_bytes)
    if any(_aka(row) for row in rows):
        line("  of it messages", _session_message_bytes, style="dim")
        line("  their number", _session_messages, style="dim")
        line("  USIM, mean", _usim_time, style="dim")
    if any(row.session and row.session.resynchronisations for row in rows):
        line("  resynchronised", _resynchronised, style="dim")
    if any(row.session and row.session.rekey_reasons for row in rows):
        line("re-keyed by itself", _rekeyings)
        line("  failed", _rekeyings_failed, style="dim")
        line("  bytes up / down", _rekey_bytes)
        line("  time, mean", _rekey_time)
        line("  energy, all", _rekey_energy)
    if any(row.feedback for row in rows):
        line("feedback alone, up / down", _feedback_bytes)
    if any(row.keepalives for row in rows):
        line("keepalives", lambda row: str(row.keepalives.packets_up) if row.keepalives else "")
        line("  bytes, all", _keepalive_bytes, style="dim")
        line("  energy, all", _keepalive_energy, style="dim")
    table.add_section()
    kinds = figures.energy_kinds(rows)
    if kinds:
        line(
            f"energy per message, {kinds}",
            lambda row: _joules(row.shown_energy()),
            style="bold",
        )
        line("  of it radio tail", _tail, style="dim")
        if any(row.unanswered for row in rows):
            line(
                "  answered messages only",
                lambda row: _joules(row.shown_energy(answered_only=True)),
            )
    return table


def foot_notes(summary: RunSummary) -> Sequence[str]:
    """What stands under the table: ROHC's saving, the energy's range, and the notes."""
    notes: list[str] = []
    if summary.rohc_saving is not None:
        notes.append(figures.saving(summary.rohc_saving))
    exchanges = [figures.key_exchange(one) for row in summary.rows if (one := _aka(row))]
    notes.extend(dict.fromkeys(exchanges))
    models: dict[str, list[str]] = {}
    for row in summary.rows:
        if row.energy and row.energy[0].kind == "estimated":
            stated = figures.energy_range(row.energy[0])
            models.setdefault(row.energy[0].model, []).extend(
                [f"{row.configuration} {stated}"] if stated else []
            )
    for model, ranges in models.items():
        text = f"Energy is estimated by the model {model}, not measured"
        notes.append(f"{text}; its stated range: {', '.join(ranges)}." if ranges else f"{text}.")
    notes.extend(figures.fault(fault) for fault in summary.faults[:SHOWN_FAULTS])
    if len(summary.faults) > SHOWN_FAULTS:
        notes.append(f"{len(summary.faults) - SHOWN_FAULTS} more faults are in the journal.")
    air = figures.air(summary.rows)
    if air is not None:
        notes.append(air)
    notes.extend(summary.notes)
    return notes


def _title(summary: RunSummary) -> str:
    run = summary.run
    parts = [part for part in (run.module, run.origin, run.traffic) if part]
    if run.settings.get("carrier") == "non-ip":
        parts.append("carrier: non-IP")
    if run.settings.get("keys") == "aka":
        parts.append("soft USIM" if run.settings.get("usim") == "soft" else "keys from AKA")
    if run.time != "real":
        parts.append(figures.modelled_time(run))
    if summary.status != "complete":
        parts.append("INTERRUPTED")
    return " · ".join(parts)


def _away(faults: Sequence[FaultRecord]) -> str:
    """How long the module was away in all."""
    away = [fault.recovered_s for fault in faults if fault.recovered_s is not None]
    return figures.seconds(sum(away)) if away else figures.NOTHING


def _losses(count: int) -> Text:
    return Text(str(count), style="bold red" if count else "")


def _layer(layer: Layer) -> _Cell:
    return lambda row: figures.byte_count(row.uplink[layer], zero=figures.NOTHING)


def _mean(means: LayerMeans, value: float) -> str:
    return figures.byte_count(value) if means.packets else figures.NOTHING


def _keepalive_bytes(row: ConfigurationRow) -> str:
    return figures.NOTHING if row.keepalives is None else str(row.keepalives.bytes_up)


def _keepalive_energy(row: ConfigurationRow) -> str:
    return figures.energy(None if row.keepalives is None else row.keepalives.energy_j)


def _feedback_bytes(row: ConfigurationRow) -> str:
    if row.feedback is None:
        return figures.NOTHING
    return f"{row.feedback.bytes_up} / {row.feedback.bytes_down}"


def _session_bytes(row: ConfigurationRow) -> str:
    if row.session is None:
        return figures.NOTHING
    return f"{row.session.bytes_up} / {row.session.bytes_down}"


def _aka(row: ConfigurationRow) -> SessionSummary | None:
    return row.session if row.session is not None and row.session.key_agreement == "aka" else None


def _session_message_bytes(row: ConfigurationRow) -> str:
    session = _aka(row)
    if session is None:
        return figures.NOTHING
    return f"{session.message_bytes_up} / {session.message_bytes_down}"


def _session_messages(row: ConfigurationRow) -> str:
    session = _aka(row)
    if session is None:
        return figures.NOTHING
    return f"{session.messages_up} / {session.messages_down}"


def _usim_time(row: ConfigurationRow) -> str:
    session = _aka(row)
    if session is None:
        return figures.NOTHING
    soft = " soft" if "soft" in session.usim else ""
    return f"{figures.seconds(session.usim_s)}{soft}"


def _resynchronised(row: ConfigurationRow) -> str:
    session = _aka(row)
    return figures.NOTHING if session is None else str(session.resynchronisations)


def _rekeyed(row: ConfigurationRow) -> SessionSummary | None:
    return row.session if row.session is not None and row.session.rekey_reasons else None


def _rekeyings(row: ConfigurationRow) -> str:
    session = _rekeyed(row)
    return figures.NOTHING if session is None else str(session.rekeyings)


def _rekeyings_failed(row: ConfigurationRow) -> str:
    session = _rekeyed(row)
    return figures.NOTHING if session is None else str(session.failed)


def _rekey_bytes(row: ConfigurationRow) -> str:
    session = _rekeyed(row)
    if session is None:
        return figures.NOTHING
    return f"{session.rekey_bytes_up} / {session.rekey_bytes_down}"


def _rekey_time(row: ConfigurationRow) -> str:
    session = _rekeyed(row)
    return figures.NOTHING if session is None else figures.seconds(session.rekey_s)


def _rekey_energy(row: ConfigurationRow) -> str:
    session = _rekeyed(row)
    return figures.NOTHING if session is None else figures.energy(session.rekey_energy_j)


def _tail(row: ConfigurationRow) -> str:
    means = row.shown_energy()
    return figures.energy(None if means is None else means.tail_j)


def _joules(means: EnergyMeans | None) -> str:
    return figures.energy(None if means is None else means.total_j)
