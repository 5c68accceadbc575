"""What ``testbed module`` prints.

Everything goes through :func:`say` or a cell's `Text`: never as markup, and nothing in it that a
terminal obeys, since modules, USB descriptors and records are not ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from firmware_bridge.modules.dialect import Family
from firmware_bridge.modules.explain import duration
from firmware_bridge.modules.operations import support
from testbed.cli.shared import stdout

__all__ = [
    "families_json",
    "families_markdown",
    "plain",
    "print_families",
    "print_ports",
    "print_probe",
    "say",
]

NONE = "cannot"
"""Status of an operation that a family's module can't do."""


def plain(text: str) -> str:
    """`text` with nothing in it that a terminal obeys."""
    return "".join(char if char.isprintable() else "?" for char in text)


def say(text: str, style: str = "") -> None:
    """Print a line as it is, without what a terminal or markup would obey."""
    stdout().print(Text(plain(text), style=style), soft_wrap=True)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


# -- ports -----------------------------------------------------------------------------------------


def print_ports(ports: Sequence[dict[str, Any]]) -> None:
    """The serial ports, one per line."""
    rows = [
        (
            port["port"],
            port["usb"] or "-",
            port["family"] or "-",
            port["holder"] or "-",
            port["said"] or port["description"],
        )
        for port in ports
    ]
    stdout().print(_table(("port", "usb", "family", "held by", "about it"), rows))


# -- families --------------------------------------------------------------------------------------


def families_json(families: Sequence[Family]) -> list[dict[str, Any]]:
    """The families with their operations, for a script."""
    return [
        {
            "family": family.name,
            "title": family.title,
            "chipset": family.chipset,
            "baudrate": family.baudrate,
            "max_payload": family.max_payload,
            "max_payload_source": family.max_payload_source,
            "operations": {
                entry.operation: {
                    "status": NONE if entry.status is None else entry.status.value,
                    "commands": [
                        {
                            "name": name,
                            "text": request.text,
                            "status": request.status.value,
                            "source": request.source,
                            "note": request.note,
                        }
                        for name, request in entry.requests
                    ],
                }
                for entry in support(family)
            },
        }
        for family in families
    ]


def print_families(families: Sequence[Family]) -> None:
    """Each family with its operations, what they send, and where that is known from."""
    for family in families:
        say(f"{family.name}: {family.title} ({family.chipset}), {family.baudrate} bit/s", "bold")
        rows = []
        for entry in support(family):
            status = NONE if entry.status is None else entry.status.value
            first = (entry.operation, status)
            for _, request in entry.requests:
                rows.append((*first, request.text, request.status.value, request.source))
                first = ("", "")
            if not entry.requests:
                rows.append((*first, "", "", ""))
        columns = ("operation", "status", "command", "its status", "source")
        stdout().print(_table(columns, rows))
        say(f"a datagram holds {family.max_payload} octets: {family.max_payload_source}")
        stdout().print()


def families_markdown(families: Sequence[Family]) -> str:
    """The table of ``docs/modules.md``: operations by families."""
    lines = [
        "| operation | " + " | ".join(f"`{family.name}`" for family in families) + " |",
        "|---" * (len(families) + 1) + "|",
    ]
    told = [support(family) for family in families]
    for entries in zip(*told, strict=True):
        states = [NONE if entry.status is None else entry.status.value for entry in entries]
        lines.append(f"| {entries[0].operation} | " + " | ".join(states) + " |")
    return "\n".join(lines) + "\n"


# -- probe -----------------------------------------------------------------------------------------


def print_probe(found: dict[str, Any]) -> None:
    """What a module told, in lines of name and value."""
    identity = found["identity"]
    lines = [
        ("port", f"{found['port']} at {found['baudrate']} bit/s"),
        ("family", f"{found['family']} ({found['title']})"),
        ("model", " ".join(filter(None, (identity["manufacturer"], identity["model"])))),
        ("firmware", identity["firmware"] or "-"),
        ("IMEI", identity["imei"] or "-"),
        ("ICCID", identity["iccid"] or "-"),
        ("registration", _registration(found["registration"])),
        ("operator", found["operator"] or "-"),
        ("address", found["address"] or "-"),
        ("radio", _radio(found["radio"])),
        ("power saving", _power_saving(found["power_saving"])),
        *_usim(found["usim"]),
    ]
    for name, value in lines:
        say(f"{name:13} {value}")
    for name, reason in found["unanswered"].items():
        say(f"{name:13} not told: {reason}", "yellow")
    for name, reason in found["degraded"].items():
        say(f"{'without':13} {name}: {reason}", "dim")


_USIM_PATHS = {
    "channel": "a logical channel (AT+CCHO, AT+CGLA)",
    "basic": "the basic channel (AT+CSIM)",
    None: "no way leads to it; a soft USIM can stand in",
}
_USIM_NAMES = {"channel": "logical channel", "basic": "basic channel"}


def _usim(told: dict[str, Any] | None) -> list[tuple[str, str]]:
    if told is None:
        return []
    lines = [("USIM", _USIM_PATHS[told["path"]])]
    if told["path"] is not None:
        lines.append(("IMSI", told["imsi"] or "-"))
    reasons = told["reasons"]
    return [*lines, *(("", f"no {_USIM_NAMES[path]}: {reasons[path]}") for path in reasons)]


def _registration(told: dict[str, Any] | None) -> str:
    if told is None:
        return "-"
    words = [str(told["state"]).replace("_", " ")]
    if told["cell"]:
        words.append(f"cell {told['cell']} in area {told['tac'] or '?'}")
    if told["cause"]:
        words.append(f"EMM cause {told['cause']}")
    return ", ".join(words)


def _radio(told: dict[str, Any] | None) -> str:
    if told is None:
        return "-"
    parts = (
        ("rsrp_dbm", "RSRP {:g} dBm"),
        ("rsrq_db", "RSRQ {:g} dB"),
        ("sinr_db", "SINR {:g} dB"),
        ("ecl", "coverage level {}"),
        ("band", "band {}"),
        ("earfcn", "EARFCN {}"),
        ("pci", "PCI {}"),
        ("tx_power_dbm", "transmits {:g} dBm"),
    )
    words = [form.format(told[name]) for name, form in parts if told[name] is not None]
    return ", ".join(words) or "no signal"


def _power_saving(told: dict[str, Any] | None) -> str:
    if told is None:
        return "-"
    words = ["PSM granted" if told["psm"] else "PSM not granted"]
    if told["psm"]:
        words.append(f"T3324 {duration(told['active_time_s'])}")
    if told["periodic_tau_s"] is not None:
        words.append(f"T3412 {duration(told['periodic_tau_s'])}")
    if told["edrx_cycle_s"] is None:
        words.append("no eDRX")
    else:
        words.append(f"eDRX cycle {duration(told['edrx_cycle_s'])}")
        if told["paging_window_s"] is not None:
            words.append(f"paging window {duration(told['paging_window_s'])}")
    return ", ".join(words)
