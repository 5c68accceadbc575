"""What all families share: timers, registration and signal codes of the 3GPP.

Sources: TS 24.008 10.5.7.4 (GPRS timer 2), 10.5.7.4a (GPRS timer 3), 10.5.5.32 (eDRX);
TS 27.007 8.69 (+CESQ), 9.2 (error codes), 10.1.22 (+CEREG).
"""

from __future__ import annotations

from firmware_bridge.at.fields import after_colon, number, split_fields, unquote
from firmware_bridge.modules.records import Registration, RegistrationState

__all__ = [
    "CME_ERRORS",
    "decode_cereg",
    "decode_cesq",
    "decode_edrx_cycle",
    "decode_paging_window",
    "decode_t3324",
    "decode_t3412",
    "encode_edrx_cycle",
    "encode_t3324",
    "encode_t3412",
]

T3324_UNITS_S = {0b000: 2, 0b001: 60, 0b010: 360}
"""GPRS timer 2: value of one step by the three upper bits; 111 is deactivated."""

T3412_UNITS_S = {
    0b011: 2,
    0b100: 30,
    0b101: 60,
    0b000: 600,
    0b001: 3_600,
    0b010: 36_000,
    0b110: 1_152_000,
}
"""GPRS timer 3, smallest step first; 111 is deactivated."""

DEACTIVATED = 0b111
MOST_STEPS = 31

EDRX_CYCLES_S = {
    0b0010: 20.48,
    0b0011: 40.96,
    0b0101: 81.92,
    0b1001: 163.84,
    0b1010: 327.68,
    0b1011: 655.36,
    0b1100: 1_310.72,
    0b1101: 2_621.44,
    0b1110: 5_242.88,
    0b1111: 10_485.76,
}
"""eDRX cycle in NB-S1 mode; every other code is read as 0010 (24.008 table 10.5.5.32)."""

STATES: dict[int | None, RegistrationState] = {state.value: state for state in RegistrationState}
"""<stat> of +CEREG."""

CME_ERRORS = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    11: "SIM PIN required",
    13: "SIM failure",
    14: "SIM busy",
    15: "SIM wrong",
    30: "no network service",
    50: "incorrect parameters",
    51: "command implemented but currently disabled",
    100: "unknown",
    148: "unspecified GPRS error",
}
"""+CME ERROR numbers that NB-IoT modules give (TS 27.007 9.2)."""


def encode_t3324(seconds: float) -> str:
    """Active time as the eight bits of +CPSMS, rounded up to what they can carry.

    `seconds`: 0 to 11,160. Raises `ValueError` outside.
    """
    return _encode(seconds, T3324_UNITS_S, "active time (T3324)")


def encode_t3412(seconds: float) -> str:
    """Periodic TAU as the eight bits of +CPSMS, rounded up to what they can carry.

    `seconds`: 0 to 35,712,000. Raises `ValueError` outside.
    """
    return _encode(seconds, T3412_UNITS_S, "periodic TAU (T3412)")


def decode_t3324(bits: str) -> float | None:
    """Active time in s; None if it is deactivated (PSM not granted) or no eight bits."""
    return _decode(bits, T3324_UNITS_S)


def decode_t3412(bits: str) -> float | None:
    """Extended periodic TAU in s; None if it is deactivated or no eight bits."""
    return _decode(bits, T3412_UNITS_S)


def encode_edrx_cycle(seconds: float) -> str:
    """EDRX cycle as the four bits of +CEDRXS in NB-S1 mode: the shortest that is not shorter.

    `seconds`: more than 0 to 10,485.76. Raises `ValueError` outside.
    """
    if seconds > 0:
        for code, cycle_s in EDRX_CYCLES_S.items():
            if cycle_s >= seconds - 1e-9:
                return f"{code:04b}"
    raise ValueError(f"eDRX cycle {seconds:g} s is not within 0 to 10485.76 s")


def decode_edrx_cycle(bits: str) -> float | None:
    """EDRX cycle in s in NB-S1 mode; None if these are no four bits."""
    code = _binary(bits, 4)
    return None if code is None else EDRX_CYCLES_S.get(code, 20.48)


def decode_paging_window(bits: str) -> float | None:
    """Paging time window in s in NB-S1 mode: (code + 1) times 2.56 s."""
    code = _binary(bits, 4)
    return None if code is None else round((code + 1) * 2.56, 2)


def decode_cereg(line: str, *, read: bool) -> Registration | None:
    """A +CEREG line. `read`: it answers AT+CEREG? and has <n> in front, which a URC has not.

    Knows every form of TS 27.007: stat only; with tac, ci and AcT; with reject cause; with the
    granted timers; fields left empty; hexadecimal with or without quotes; and an extra field after
    AcT that some firmware prints, empty or in quotes. None if the line can't be read.
    """
    fields = [unquote(field) for field in split_fields(after_colon(line))]
    if read:
        fields = fields[1:]
    stat = number(fields[0]) if fields else None
    if stat not in STATES:
        return None
    # The extra field: two digits where <cause_type> has one, or nothing although a cause follows.
    if len(fields) > 5 and (len(fields[4]) == 2 or (not fields[4] and fields[5])):
        del fields[4]
    fields += [""] * (8 - len(fields))
    _, tac, cell, technology, cause_type, cause, active, periodic = fields[:8]
    return Registration(
        state=STATES[stat],
        tac=_hexadecimal(tac),
        cell=_hexadecimal(cell),
        access_technology=number(technology),
        cause=number(cause) if number(cause_type) in (0, None) else None,
        active_time_s=decode_t3324(active),
        periodic_tau_s=decode_t3412(periodic),
        timers_told=bool(active or periodic),
    )


def decode_cesq(line: str) -> tuple[float | None, float | None]:
    """RSRP in dBm and RSRQ in dB (lower edges) of a +CESQ line; None where unknown (255)."""
    fields = [number(field) for field in split_fields(after_colon(line))]
    if len(fields) < 6:
        return None, None
    rsrq, rsrp = fields[4], fields[5]
    return (
        float(rsrp - 141) if rsrp is not None and 0 <= rsrp <= 97 else None,
        -20.0 + rsrq / 2 if rsrq is not None and 0 <= rsrq <= 34 else None,
    )


def _encode(seconds: float, units: dict[int, int], name: str) -> str:
    most = max(units.values()) * MOST_STEPS
    if not 0 <= seconds <= most:
        raise ValueError(f"{name} {seconds:g} s is not within 0 to {most} s")
    fitting = [
        (steps * unit_s - seconds, code, steps)
        for code, unit_s in units.items()
        if (steps := int(-(-seconds // unit_s))) <= MOST_STEPS
    ]
    _, code, steps = min(fitting, key=lambda entry: (entry[0], entry[2]))
    return f"{code:03b}{steps:05b}"


def _decode(bits: str, units: dict[int, int]) -> float | None:
    value = _binary(bits, 8)
    if value is None or value >> 5 == DEACTIVATED:
        return None
    # 24.008: other codes of the unit are read as the one-minute (timer 2) step.
    unit_s = units.get(value >> 5, 60)
    return float((value & 0b11111) * unit_s)


def _binary(bits: str, length: int) -> int | None:
    bits = unquote(bits.strip())
    if len(bits) != length or set(bits) - {"0", "1"}:
        return None
    return int(bits, 2)


def _hexadecimal(field: str) -> str:
    text = field.strip().upper()
    return text if text and not set(text) - set("0123456789ABCDEF") else ""
