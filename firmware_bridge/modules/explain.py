"""Lines in plain words: decoded timers, codes and units, for a terminal or a log."""

from __future__ import annotations

import re
from collections.abc import Callable

from firmware_bridge.at.fields import after_colon, number, split_fields, unquote
from firmware_bridge.modules.quectel_lines import (
    SOCKET_ERRORS,
    decode_counters,
    decode_serving_cell,
)
from firmware_bridge.modules.records import Registration
from firmware_bridge.modules.threegpp import (
    CME_ERRORS,
    decode_cereg,
    decode_cesq,
    decode_edrx_cycle,
    decode_paging_window,
    decode_t3324,
    decode_t3412,
)

__all__ = ["duration", "explain"]

_CEREG_READ = re.compile(r"\+CEREG: ?\d,\d{1,2}(,|$)")


def explain(line: str) -> str:
    """What `line` says, in words; "" if there is nothing to add to it. Never raises."""
    for pattern, words in _EXPLAINED:
        if pattern.match(line):
            return words(line)
    return ""


def duration(seconds: float | None) -> str:
    """A time in the units that people say: `10 s`, `54 min`, `24 h`; None is `off`."""
    if seconds is None:
        return "off"
    if seconds >= 3_600 and seconds % 3_600 == 0:
        return f"{seconds / 3_600:g} h"
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s"


def _error(line: str) -> str:
    code = number(after_colon(line))
    if code is None:
        return ""
    return CME_ERRORS.get(code) or SOCKET_ERRORS.get(code, "")


def _registration(line: str) -> str:
    found = decode_cereg(line, read=bool(_CEREG_READ.match(line)))
    return "" if found is None else _of_registration(found)


def _of_registration(found: Registration) -> str:
    words = [found.state.name.lower().replace("_", " ")]
    if found.cell:
        words.append(f"cell {found.cell} in area {found.tac or '?'}")
    if found.cause:
        words.append(f"EMM cause {found.cause}")
    if found.timers_told:
        words.append(f"T3324 {duration(found.active_time_s)}")
        words.append(f"T3412 {duration(found.periodic_tau_s)}")
    return ", ".join(words)


def _signal(line: str) -> str:
    rsrp_dbm, rsrq_db = decode_cesq(line)
    words = []
    if rsrp_dbm is not None:
        words.append(f"RSRP {rsrp_dbm:g} dBm")
    if rsrq_db is not None:
        words.append(f"RSRQ {rsrq_db:g} dB")
    return ", ".join(words) or "no signal known"


def _power_saving(line: str) -> str:
    fields = split_fields(line.partition("=")[2] or after_colon(line))
    if number(fields[0]) != 1:
        return "PSM off"
    fields += [""] * (5 - len(fields))
    periodic, active = decode_t3412(fields[3]), decode_t3324(fields[4])
    return f"PSM on, T3412 {duration(periodic)}, T3324 {duration(active)}"


def _edrx(line: str) -> str:
    fields = split_fields(after_colon(line))
    if number(fields[0]) in (None, 0) or len(fields) < 3:
        return "eDRX not used"
    words = f"eDRX cycle {duration(decode_edrx_cycle(fields[2]))}"
    window = decode_paging_window(fields[3]) if len(fields) > 3 else None
    return words if window is None else f"{words}, paging window {duration(window)}"


def _cell(line: str) -> str:
    report = decode_serving_cell(line, 0.0)
    if report is None:
        return ""
    parts = (
        (report.rsrp_dbm, "RSRP {:g} dBm"),
        (report.rsrq_db, "RSRQ {:g} dB"),
        (report.sinr_db, "SINR {:g} dB"),
        (report.ecl, "coverage level {}"),
        (report.band, "band {}"),
        (report.cell, "cell {}"),
        (report.tx_power_dbm, "transmits {:g} dBm"),
    )
    return ", ".join(words.format(value) for value, words in parts if value is not None)


def _counters(line: str) -> str:
    found = decode_counters(line)
    if found is None:
        return ""
    return ", ".join(f"{name.removesuffix('_time_s')} {value:g} s" for name, value in found.items())


def _connection(line: str) -> str:
    fields = split_fields(after_colon(line))
    return "radio connected" if fields[-1] == "1" else "radio idle"


def _opened(line: str) -> str:
    fields = split_fields(after_colon(line))
    result = number(fields[-1])
    if result == 0:
        return f"socket {unquote(fields[0])} is open"
    return SOCKET_ERRORS.get(result or -1, "")


_EXPLAINED: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"\+CM[ES] ERROR: ?\d"), _error),
    (re.compile(r"\+CEREG: ?\d"), _registration),
    (re.compile(r"\+CESQ: ?\d"), _signal),
    (re.compile(r"(?:AT)?\+CPSMS[:=] ?\d"), _power_saving),
    (re.compile(r"\+CEDRXRDP: ?\d|\+CEDRXP: ?\d"), _edrx),
    (re.compile(r"\+QENG: ?0,"), _cell),
    (re.compile(r"\+QENG: ?[23],"), _counters),
    (re.compile(r"\+CSCON: ?\d"), _connection),
    (re.compile(r"\+QIOPEN: ?\d"), _opened),
)
