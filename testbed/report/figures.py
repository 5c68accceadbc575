"""How figures are written for people: the same in the terminal and on the page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from testbed.analysis.latency import Quantile
from testbed.analysis.rows import ConfigurationRow, EnergyMeans, RohcSaving, SessionSummary
from testbed.results.records import FaultRecord, RunRecord

if TYPE_CHECKING:
    from testbed.analysis.statistics import Estimate

__all__ = [
    "NOTHING",
    "air",
    "away",
    "byte_count",
    "change",
    "clock",
    "energy",
    "energy_kinds",
    "energy_range",
    "fault",
    "key_exchange",
    "measured",
    "modelled_time",
    "quantile",
    "saving",
    "seconds",
]

_SHOWN_ARMS = 6
"""So many configurations are named in a note."""

NOTHING = "-"
"""What stands where there is nothing to show."""


_MESSAGE_OVERHEAD = 20 + 8 + 4
"""Octets around a message of a key exchange: IPv4, UDP, non-ESP marker."""


def _scaled(value: float, unit: str) -> str:
    """A figure with its unit, in thousandths below a tenth: two or three significant digits."""
    size = abs(value)
    if 0 < size < 0.1:
        thousandths = value * 1e3
        digits = 0 if abs(thousandths) >= 10 else 1 if abs(thousandths) >= 1 else 2
        return f"{thousandths:.{digits}f} m{unit}"
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def seconds(value: float | None) -> str:
    """A duration with its unit: ``45 ms``, ``2.13 s``, ``128 s``."""
    return NOTHING if value is None else _scaled(value, "s")


def change(value: float, unit: str) -> str:
    """How much more or less, with its sign: ``+45 B``, ``-12 ms``; bytes, seconds or joules."""
    if not math.isfinite(value):
        return "?"
    said = f"{byte_count(abs(value))} B" if unit == "B" else _scaled(abs(value), unit)
    nothing = not any(digit in said for digit in "123456789")
    return said if nothing else f"{'-' if value < 0 else '+'}{said}"


def measured(found: Estimate | None, unit: str) -> str:
    """An estimate without its interval, ``>= 40 s`` where it is censored."""
    if found is None or not math.isfinite(found.value):
        return NOTHING
    if unit == "1":
        said = f"{found.value:.1%}"
    else:
        said = f"{byte_count(found.value)} B" if unit == "B" else _scaled(found.value, unit)
    return f">= {said}" if found.censored else said


def clock(value: float) -> str:
    """A moment of a run: ``0:00:59.1``, hours, minutes and seconds since it began."""
    minutes, second = divmod(round(value, 1), 60)
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{second:04.1f}"


def fault(record: FaultRecord) -> str:
    """One sentence on what went wrong with the module."""
    after = "" if record.after is None else f", after message {record.after}"
    where = f"{record.configuration}: " if record.configuration else ""
    what = f"{where}module failed at {clock(record.noticed_at_s)} ({record.fault}){after}"
    return f"{what}; {away(record)}."


def away(record: FaultRecord) -> str:
    """How long the module was away: ``away 12.1 s``, or that it stayed away."""
    if record.recovered_s is not None:
        return f"away {seconds(record.recovered_s)}"
    return "did not come back" if record.attempts else "not brought back"


def modelled_time(run: RunRecord) -> str:
    """What a run's durations are, where they are not those of the clock on the wall."""
    if run.time_scale is None:
        return "modelled in virtual time"
    return f"modelled time at scale {run.time_scale:g}"


def quantile(value: Quantile | None) -> str:
    """A quantile of latency; ``> 40 s`` where the share was not answered before the time-out."""
    if value is None:
        return NOTHING
    if not value.censored:
        return seconds(value.value_s)
    return "not answered" if value.value_s is None else f"> {value.value_s:g} s"


def byte_count(value: float | None, *, zero: str = "0") -> str:
    """Bytes without a unit: whole where they are whole, else with one decimal."""
    if value is None:
        return NOTHING
    if abs(value) < 0.005:
        return zero
    if abs(value - round(value)) < 0.005:
        return f"{value:.0f}"
    return f"{value:.1f}"


def energy(joules: float | None) -> str:
    """Joules with their unit: ``12 mJ``, ``1.29 J``."""
    return NOTHING if joules is None else _scaled(joules, "J")


def energy_range(means: EnergyMeans) -> str | None:
    """The range that the model or meter states: ``0.2 to 3.5 J``; None when it states none."""
    if means.low_j is None or means.high_j is None:
        return None
    return f"{energy(means.low_j)} to {energy(means.high_j)}"


def saving(found: RohcSaving) -> str:
    """What ROHC saves, in one or two sentences."""
    verb = "saves" if found.uplink_bytes >= 0 else "costs"
    text = (
        f"ROHC {verb} {byte_count(abs(found.uplink_bytes))} bytes per uplink message under tunnel "
        f"ESP ({abs(found.share_of_packet):.0%} of the packet without it)"
    )
    if found.later_uplink_bytes is not None:
        first = found.first_uplink_bytes
        text += f": {byte_count(found.later_uplink_bytes)} in each after the first; the first "
        if first < 0:
            text += f"costs {-first} more, it sets the context up"
        else:
            text += f"saves {first or 'nothing'}, it sets the context up"
    if found.downlink_bytes is not None:
        text += f"; {byte_count(found.downlink_bytes)} per downlink message"
    text += "."
    if not found.same_payloads:
        text += " The two carried different payloads, so only their headers are compared."
    return text


def key_exchange(session: SessionSummary) -> str:
    """What setting a session up with AKA takes: each message's octets, and whose USIM answered."""
    sizes = ", ".join(f"{what} {size}" for what, size in session.first)
    text = f"Keys from AKA, USIM by {' and '.join(session.usim) or 'no way'}"
    if sizes:
        text += f": {sizes} octets; IPv4, UDP and non-ESP marker add {_MESSAGE_OVERHEAD} to each"
    return f"{text}."


def energy_kinds(rows: tuple[ConfigurationRow, ...]) -> str:
    """``estimated``, ``measured``, or both where the shown rows differ; empty without energy."""
    return " / ".join(sorted({row.energy[0].kind for row in rows if row.energy}))


def air(rows: tuple[ConfigurationRow, ...]) -> str | None:
    """What is modelled of the air, as a sentence; None when nothing was sent."""
    found = [(row.configuration, row.air) for row in rows if row.air is not None]
    if not found:
        return None
    kept = byte_count(max(means.outer_continued_bytes for _, means in found))
    anew = byte_count(max(means.outer_anew_bytes for _, means in found))
    blocks = ", ".join(
        f"{name} {' / '.join(byte_count(count) for count in means.blocks)}"
        for name, means in found[:_SHOWN_ARMS]
    )
    if len(found) > _SHOWN_ARMS:
        blocks += ", ..."
    outer = (
        "of the 28 bytes of outer IP and UDP header the network's own ROHC would leave "
        f"{kept} on average where contexts live on, {anew} where each connection begins anew"
        if any(means.outer_anew_bytes for _, means in found)
        else "non-IP data have no outer IP and UDP header that the network could compress"
    )
    return f"Modelled: {outer}. NPUSCH blocks per uplink message at ECL 0 / 1 / 2: {blocks}."
