"""What ``testbed rohc`` prints.

Everything goes through :func:`say` or a cell's `Text`: never as markup, and nothing in it that a
terminal obeys, as much of it comes from files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

import rohc
from testbed.cli.rohc_files import FoundPacket
from testbed.cli.rohc_traffic import Failures, Tally, describe, error_kind
from testbed.cli.shared import stdout

__all__ = [
    "explanation_json",
    "print_explanation",
    "print_failures",
    "print_leftovers",
    "print_sizes",
    "print_trials",
    "print_types",
    "say",
]

SHOWN_FAILURES = 10
"""Failed packets that are named one by one; --json names all."""


def _plain(text: str) -> str:
    """Text from a file with nothing in it that a terminal obeys."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


def say(text: str, style: str = "") -> None:
    """Print lines as they are, without what a terminal or markup would obey."""
    # A Text and not a string: in a string, rich takes the ":a:" of an IPv6 address for an emoji.
    stdout().print(Text(_plain(text), style=style), soft_wrap=True)


def explanation_json(
    found: FoundPacket,
    explanation: rohc.Explanation,
    result: rohc.Decompressed | None,
    error: rohc.RohcError | None,
) -> dict[str, Any]:
    """A packet, its fields and what it decompressed to, for a script."""
    return {
        "number": found.number,
        "time_ns": found.time_ns,
        "direction": found.direction,
        "octets": found.data.hex(),
        "packet_type": explanation.packet_type,
        "profile": explanation.profile,
        "cid": explanation.cid,
        "fields": [asdict(field) | {"octets": field.octets.hex()} for field in explanation.fields],
        "problem": explanation.problem,
        "header_bytes": None if result is None else result.header_bytes,
        "packet": None if result is None or result.packet is None else result.packet.hex(),
        "error": None if error is None else {"kind": error_kind(error), "message": str(error)},
    }


def print_explanation(
    found: FoundPacket,
    explanation: rohc.Explanation,
    result: rohc.Decompressed | None,
    error: rohc.RohcError | None,
) -> None:
    """A packet, its fields and what it decompressed to, for a person."""
    where = f", {found.direction}" if found.direction else ""
    say(f"packet {found.number}: {len(found.data)} octets{where}", style="bold")
    profile = f"profile 0x{explanation.profile:04x}, " if explanation.profile >= 0 else ""
    cid = f"CID {explanation.cid}" if explanation.cid >= 0 else "no CID"
    say(f"  {explanation.packet_type or 'unknown packet'}, {profile}{cid}")
    if explanation.fields:
        say("\n".join(_field_lines(explanation)))
    if explanation.problem:
        say(f"  {explanation.problem}", style="yellow")
    if error is not None:
        say(f"  not decompressed: {error_kind(error)}: {error}", style="red")
    elif result is not None and result.packet is not None:
        packet = result.packet
        payload = len(found.data) - len(result.feedback_received) - result.header_bytes
        header = len(packet) - payload if result.profile else 0
        say(f"  decompressed: {describe(packet)}")
        if header > 0 and explanation.packet_type != "segment":
            say(f"  headers: {header} octets from {result.header_bytes}: {packet[:header].hex()}")
    say("")


def _field_lines(explanation: rohc.Explanation) -> Iterator[str]:
    """The fields, with the octets that several of them share shown once."""
    before: tuple[int, bytes] | None = None
    for field in explanation.fields:
        place = (field.at, field.octets)
        octets = field.octets[:8].hex(" ") + (" ..." if len(field.octets) > 8 else "")
        where = f"{field.at:4}  {octets:27}" if place != before else " " * 33
        before = place
        # An address is told by its note: as a number nobody reads it.
        hidden = field.value is None or field.name.endswith("Address")
        value = "" if hidden else str(field.value)
        yield f"  {where} {field.name:26} {value:>10}  {field.note}".rstrip()


def print_leftovers(skipped: Counter[str], torn: str | None) -> None:
    """What of a capture was not taken."""
    if skipped:
        say("skipped: " + ", ".join(f"{count} {why}" for why, count in skipped.most_common()))
    if torn:
        say(f"the capture is torn: {torn}", style="bold red")


def print_failures(failures: Failures, what: str) -> None:
    """Failed packets by kind, and the first of them one by one."""
    if not failures.packets:
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in failures.kinds.most_common())
    say(f"{len(failures.packets)} packets {what}: {kinds}", style="bold red")
    for number, kind, text in failures.packets[:SHOWN_FAILURES]:
        say(f"  packet {number}: {kind}: {text}")
    more = len(failures.packets) - SHOWN_FAILURES
    if more > 0:
        say(f"  and {more} more; --json names them all")


def _table(title: str, *columns: str) -> Table:
    """An empty table under its title; numbers stand to the right."""
    say(title, style="bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=not number)
    return table


def print_types(title: str, tally: Tally) -> None:
    """Packets and their headers by packet type."""
    table = _table(title, "packet type", "packets", "header octets", "mean")
    for name, count in tally.types.most_common():
        octets = tally.type_headers[name]
        table.add_row(Text(name), str(count), str(octets), f"{octets / count:.2f}")
    table.add_row(
        "all",
        str(tally.packets),
        str(tally.header_after),
        f"{tally.header_after / tally.packets:.2f}" if tally.packets else "-",
    )
    stdout().print(table)


def print_sizes(before: int, after: int, what: str, then: str) -> None:
    """Octets before and after, and the share that is left."""
    share = f" ({100 * after / before:.1f} %)" if before else ""
    say(f"{what}: {before} octets, {then}: {after} octets{share}")


def print_trials(title: str, named: dict[str, Tally], *, first: bool = True) -> None:
    """Counts side by side, a column for each choice of settings."""
    tallies = list(named.values())
    table = _table(title, "", *named)

    def row(label: str, cells: list[str]) -> None:
        table.add_row(label, *(Text(cell) for cell in cells))

    row("packets", [str(tally.packets) for tally in tallies])
    row("profile", [_joined(f"0x{number:04x}" for number in t.profiles) for t in tallies])
    row("header octets before", [str(tally.header_before) for tally in tallies])
    row("header octets after", [str(tally.header_after) for tally in tallies])
    row("per packet, before", [_mean(tally.header_before, tally.packets) for tally in tallies])
    row("per packet, after", [_mean(tally.header_after, tally.packets) for tally in tallies])
    if first:
        row("first packets, after", [_joined(str(a) for _, _, a in t.first) for t in tallies])
        row("first packets, sum", [str(tally.first_after) for tally in tallies])
    names = dict.fromkeys(name for tally in tallies for name in tally.types)
    for name in names:
        row(f"{name} packets", [str(tally.types[name]) for tally in tallies])
    row("feedback packets", [str(tally.feedback_packets) for tally in tallies])
    row("feedback octets", [str(tally.feedback_octets) for tally in tallies])
    stdout().print(table)


def _joined(words: Iterator[str]) -> str:
    return " ".join(words) or "-"


def _mean(octets: int, packets: int) -> str:
    return f"{octets / packets:.2f}" if packets else "-"
