"""The live run for a terminal, from the same object as the page.

Everything in it may come from outside, from a module or from another computer: it is placed as
`Text` and without anything that a terminal obeys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from testbed.analysis.latency import Quantile
from testbed.printable import printable
from testbed.report import figures

__all__ = ["plain_lines", "progress_line", "render"]

_TIMES: Final = {"virtual": "modelled in virtual time", "scaled": "modelled time"}
_SHOWN_MESSAGES: Final = 6
_SHOWN_FAULTS: Final = 3

Snapshot = Mapping[str, Any]


def render(snapshot: Snapshot) -> RenderableType:
    """The run as it stands.

    Args:
        snapshot: of `testbed.live.state.LiveRun`.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: it is no such snapshot.
    """
    bar = Table.grid(padding=(0, 1))
    done, planned = int(snapshot["done"]), int(snapshot["planned"])
    bar.add_row(
        Text(printable(snapshot["status"]), style=_style(snapshot["status"])),
        ProgressBar(total=planned or 1, completed=done, width=30),
        Text(f"{done} of {planned}"),
        Text(figures.clock(float(snapshot["at_s"])), style="dim"),
    )
    parts: list[RenderableType] = [
        Text(_title(snapshot), style="bold"),
        bar,
        Text(_module(snapshot)),
        _configurations(snapshot),
    ]
    if snapshot["last"]:
        parts.append(_messages(snapshot))
    for one in snapshot["faults"][-_SHOWN_FAULTS:]:
        parts.append(Text(_fault(one), style="red"))
    return Group(*parts)


def progress_line(snapshot: Snapshot) -> str:
    """The run in one line, where there is no terminal; raises as `render`."""
    parts = [
        f"{figures.clock(float(snapshot['at_s']))} {snapshot['status']} "
        f"{int(snapshot['done'])}/{int(snapshot['planned'])}",
        *(str(snapshot[name]) for name in ("doing", "phase") if snapshot[name]),
        f"unanswered {_unanswered(snapshot)}",
        f"faults {int(snapshot['fault_count'])}",
    ]
    return printable("; ".join(parts)).replace("\n", "?")


def plain_lines(snapshot: Snapshot) -> Iterator[str]:
    """A run's figures, one configuration a line; raises as `render`."""
    yield printable(_title(snapshot))
    for row in snapshot["configurations"]:
        yield printable(
            f"{row['configuration']}: n {row['messages']}, "
            f"unanswered {row['lost'] + row['failed']}, "
            f"latency {_quantile(row, 'median')} (95 %: {_quantile(row, 'p95')}), "
            f"{_bytes(row)} bytes up, energy {_energy(row)}"
        )
    for one in snapshot["faults"]:
        yield printable(_fault(one))


def _title(snapshot: Snapshot) -> str:
    run, said = snapshot["run"], snapshot["module"]
    name = " ".join(str(said[part]) for part in ("manufacturer", "model") if said.get(part))
    return printable(
        " · ".join(
            str(part)
            for part in (
                name or run["module"] or "a module",
                run["bench"],
                run["origin"],
                _TIMES.get(run["time"]),
                run["name"],
            )
            if part
        )
    ).replace("\n", "?")


def _module(snapshot: Snapshot) -> str:
    radio = snapshot["radio"]
    parts = [str(snapshot[name]) for name in ("phase", "doing") if snapshot[name]]
    if "ecl" in radio:
        parts.append(f"ECL {radio['ecl']}")
    if "rsrp_dbm" in radio:
        parts.append(f"RSRP {radio['rsrp_dbm']} dBm")
    parts.append(f"{int(snapshot['fault_count'])} faults")
    return printable(", ".join(parts)).replace("\n", "?")


def _configurations(snapshot: Snapshot) -> Table:
    rows = snapshot["configurations"]
    table = _table("configuration", "n", "unanswered", "median", "95 %", "bytes up", "energy")
    for row in rows:
        lost = row["lost"] + row["failed"]
        table.add_row(
            Text(printable(row["configuration"])),
            str(int(row["messages"])),
            Text(str(int(lost)), style="bold red" if lost else ""),
            Text(_quantile(row, "median")),
            Text(_quantile(row, "p95")),
            Text(_bytes(row)),
            Text(_energy(row)),
        )
    kinds = sorted({means["kind"] for row in rows for means in row["energy_per_message"]})
    if kinds:
        table.caption = Text(printable(f"energy is {' / '.join(kinds)}"), style="dim")
        table.caption_justify = "left"
    return table


def _messages(snapshot: Snapshot) -> Table:
    table = _table("latest messages", "at", "outcome", "latency", "bytes up", "energy")
    for one in snapshot["last"][-_SHOWN_MESSAGES:]:
        outcome = one["outcome"] + (f": {one['reason']}" if one["reason"] else "")
        table.add_row(
            Text(printable(f"{one['configuration']} {one['message']}")),
            Text(figures.clock(one["submitted_at_s"])),
            Text(printable(outcome), style="" if one["outcome"] == "answered" else "red"),
            Text(figures.seconds(one["latency_s"])),
            Text(figures.byte_count(one["uplink_bytes"])),
            Text(figures.energy(one["energy_j"])),
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _fault(one: Mapping[str, Any]) -> str:
    came_back = one["recovered_s"]
    away = "did not come back" if came_back is None else f"away {figures.seconds(came_back)}"
    where = f"{one['configuration']}: " if one["configuration"] else ""
    text = f"{where}module failed at {figures.clock(one['noticed_at_s'])} ({one['fault']}); {away}"
    return printable(text).replace("\n", "?")


def _unanswered(snapshot: Snapshot) -> int:
    return sum(int(row["lost"]) + int(row["failed"]) for row in snapshot["configurations"])


def _quantile(row: Mapping[str, Any], name: str) -> str:
    found = row["latency"][name]
    if found is None:
        return figures.NOTHING
    return figures.quantile(
        Quantile(share=0.0, value_s=found["value_s"], censored=found["censored"])
    )


def _bytes(row: Mapping[str, Any]) -> str:
    found = row["uplink_bytes_per_message"]
    return figures.byte_count(found["total"] if found["messages"] else None)


def _energy(row: Mapping[str, Any]) -> str:
    means = row["energy_per_message"]
    return figures.energy(means[0]["total_j"] if means else None)


def _style(status: str) -> str:
    return {"running": "cyan", "complete": "bold green"}.get(status, "bold red")
