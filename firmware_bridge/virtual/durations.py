"""Bit strings in which 3GPP codes the timers of power saving, decoded and coded.

Sources: TS 24.008 table 10.5.163 (GPRS timer 2: active time T3324), table 10.5.163a (GPRS timer 3:
extended periodic TAU T3412), table 10.5.5.32 (eDRX cycle and paging time window in NB-S1 mode).
"""

from __future__ import annotations

__all__ = [
    "EDRX_CYCLES_S",
    "NOT_GRANTED",
    "active_time_bits",
    "active_time_s",
    "edrx_bits",
    "paging_window_s",
    "periodic_tau_bits",
    "periodic_tau_s",
]

NOT_GRANTED = "11100000"
"""Unit 111: the timer is deactivated. A network answers so when it does not grant PSM."""

_ACTIVE_TIME_UNITS_S: dict[str, float | None] = {
    "000": 2.0,
    "001": 60.0,
    "010": 360.0,
    "111": None,
}
_OTHER_ACTIVE_TIME_UNIT_S = 60.0  # "Other values shall be interpreted as multiples of 1 minute"

_PERIODIC_TAU_UNITS_S: dict[str, float | None] = {
    "000": 600.0,
    "001": 3600.0,
    "010": 36000.0,
    "011": 2.0,
    "100": 30.0,
    "101": 60.0,
    "110": 1152000.0,  # 320 hours
    "111": None,
}

EDRX_CYCLES_S: dict[str, float] = {
    "0010": 20.48,
    "0011": 40.96,
    "0101": 81.92,
    "1001": 163.84,
    "1010": 327.68,
    "1011": 655.36,
    "1100": 1310.72,
    "1101": 2621.44,
    "1110": 5242.88,
    "1111": 10485.76,
}
"""eDRX cycle lengths of NB-S1 mode; other codes are read as 20.48 s (TS 24.008 10.5.5.32)."""


def _value(bits: str, width: int) -> int:
    if len(bits) != width or any(bit not in "01" for bit in bits):
        raise ValueError(f"{bits!r} is not a string of {width} bits")
    return int(bits, 2)


def active_time_s(bits: str) -> float | None:
    """Seconds that T3324 lasts, or None when the timer is deactivated.

    Raises:
        ValueError: not eight bits.
    """
    value = _value(bits, 8) & 0x1F
    unit = _ACTIVE_TIME_UNITS_S.get(bits[:3], _OTHER_ACTIVE_TIME_UNIT_S)
    return None if unit is None else value * unit


def periodic_tau_s(bits: str) -> float | None:
    """Seconds that the extended T3412 lasts, or None when the timer is deactivated.

    Raises:
        ValueError: not eight bits.
    """
    value = _value(bits, 8) & 0x1F
    unit = _PERIODIC_TAU_UNITS_S[bits[:3]]
    return None if unit is None else value * unit


def _coded(seconds: float, units: dict[str, float | None]) -> str:
    """The greatest codable value that is not above ``seconds``, in its finest unit."""
    best, best_bits = -1.0, ""
    for bits, unit in units.items():
        if unit is None:
            continue
        count = min(31, int(seconds // unit))
        finer = count * unit == best and best_bits and unit < (units[best_bits[:3]] or 0.0)
        if count * unit > best or finer:
            best, best_bits = count * unit, f"{bits}{count:05b}"
    return best_bits


def active_time_bits(seconds: float | None) -> str:
    """T3324 as eight bits: the greatest value not above ``seconds``; None codes 'deactivated'."""
    return NOT_GRANTED if seconds is None else _coded(seconds, _ACTIVE_TIME_UNITS_S)


def periodic_tau_bits(seconds: float | None) -> str:
    """Extended T3412 as eight bits: the greatest value not above ``seconds``; None deactivates."""
    return NOT_GRANTED if seconds is None else _coded(seconds, _PERIODIC_TAU_UNITS_S)


def edrx_bits(cycle_s: float) -> str:
    """The longest codable eDRX cycle that is not above ``cycle_s``, as four bits."""
    fitting = [bits for bits, length in EDRX_CYCLES_S.items() if length <= cycle_s + 1e-9]
    return fitting[-1] if fitting else "0010"


def paging_window_s(bits: str) -> float:
    """Length of the paging time window in NB-S1 mode: (value + 1) x 2.56 s.

    Raises:
        ValueError: not four bits.
    """
    return (_value(bits, 4) + 1) * 2.56
