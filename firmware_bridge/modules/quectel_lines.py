"""Reading the lines that the Quectel NB-IoT families share: +QENG, +QIURC, +QIRD, +QNBIOTEVENT."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_bridge.at.fields import after_colon, number, octets, split_fields, unquote
from firmware_bridge.modules.records import RadioReport

__all__ = [
    "SOCKET_ERRORS",
    "SocketLine",
    "decode_counters",
    "decode_qird",
    "decode_qiurc",
    "decode_serving_cell",
]

SOCKET_ERRORS = {
    550: "unknown error",
    551: "operation blocked",
    552: "invalid parameters",
    553: "not enough memory",
    554: "socket could not be created",
    555: "operation not supported",
    556: "socket could not be bound",
    557: "socket could not listen",
    558: "socket could not be written",
    559: "socket could not be read",
    561: "PDP context could not be opened",
    562: "PDP context could not be closed",
    563: "socket identity in use",
    564: "DNS busy",
    565: "DNS failed",
    566: "connection failed",
    567: "socket closed",
    568: "operation busy",
    569: "operation timed out",
    570: "PDP context broken down",
    571: "sending cancelled",
    572: "operation not allowed",
    573: "network unreachable",
    574: "port busy",
    575: "APN not configured",
}
"""Results of +QIOPEN and numbers of +CME ERROR on socket commands: Renode names 552, 553, 555, 563,
566, 568 to 570 and 572 to 574; the others stand in the maker's application notes [unproven]."""

IDENTITY_IN_USE = 563
GONE = frozenset({567, 570})
"""Results that say that the socket will not work again."""

_NEVER = 200
"""A power beyond this many dBm is the module's way to say "none" (-32768)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketLine:
    """One +QIURC line."""

    kind: str
    """`recv`, `closed`, `pdpdeact`, `dnsgip`, ..."""
    socket_id: int | None = None
    """Its first number: socket or context."""
    length: int | None = None
    """Octets announced or carried."""
    data: bytes | None = None
    """The datagram, if the line carries it."""
    fields: tuple[str, ...] = ()
    """What stands after the kind, unquoted."""


def decode_qiurc(line: str, *, direct: bool) -> SocketLine | None:
    """A +QIURC line, payload in hexadecimal digits with or without quotes.

    `direct`: datagrams are pushed, so a single field after the socket's number is the payload; else
    it is a length. A length that does not agree with the payload makes the line unreadable (None).
    """
    fields = [unquote(field) for field in split_fields(after_colon(line))]
    if not fields or not fields[0]:
        return None
    kind, rest = fields[0], fields[1:]
    first = number(rest[0]) if rest else None
    if kind != "recv":
        return SocketLine(kind=kind, socket_id=first, fields=tuple(rest))
    if first is None:
        return None
    after = rest[1:]
    if not after:
        return SocketLine(kind=kind, socket_id=first, fields=tuple(rest))
    if len(after) == 1 and not direct:
        return SocketLine(kind=kind, socket_id=first, length=number(after[0]), fields=tuple(rest))
    data = octets(after[-1])
    if data is None:
        return None
    length = number(after[-2]) if len(after) > 1 else len(data)
    if length != len(data):
        return None
    return SocketLine(kind=kind, socket_id=first, length=length, data=data, fields=tuple(rest))


def decode_qird(lines: list[str]) -> bytes | None:
    """The datagram of an AT+QIRD answer, b"" if none was waiting; None if it can't be read.

    `+QIRD: <length>[,<remaining>]` with the digits in a line after it, or after a comma in the
    same. Lines that are none of it (a notice that nobody knows) are passed over.
    """
    if not lines:
        return b""
    start = next((index for index, line in enumerate(lines) if line.startswith("+QIRD")), None)
    if start is None:
        return None
    fields = [unquote(field) for field in split_fields(after_colon(lines[start]))]
    length = number(fields[0])
    if not length:
        return b"" if length == 0 else None
    for text in (*lines[start + 1 :], fields[-1]):
        data = octets(unquote(text.strip()))
        if data is not None and len(data) == length:
            return data
    return None


def decode_serving_cell(line: str, at: float) -> RadioReport | None:
    """The serving cell's +QENG: 0 line; None for another line.

    0, EARFCN, offset, PCI, "cell", RSRP, RSRQ, RSSI, SINR, band, "TAC", ECL, transmit power, mode:
    dBm and dB as whole numbers (hardware trace in renode issue 917).
    """
    fields = [unquote(field) for field in split_fields(after_colon(line))]
    if len(fields) < 13 or fields[0] != "0":
        return None
    values = [number(field) for field in fields]
    return RadioReport(
        at=at,
        earfcn=values[1],
        pci=values[3],
        cell=fields[4].upper() or None,
        rsrp_dbm=_level(values[5]),
        rsrq_db=_level(values[6]),
        rssi_dbm=_level(values[7]),
        sinr_db=_level(values[8]),
        band=values[9],
        tac=fields[10].upper() or None,
        ecl=values[11] if values[11] in (0, 1, 2) else None,
        tx_power_dbm=_level(values[12]),
    )


def decode_counters(line: str) -> dict[str, float] | None:
    """The times of `+QENG: 3,sleep,rx,tx` (0.1 s each), or None."""
    fields = [number(field) for field in split_fields(after_colon(line))]
    if len(fields) < 4:
        return None
    names = ("sleep_time_s", "rx_time_s", "tx_time_s")
    return {
        name: value / 10
        for name, value in zip(names, fields[1:4], strict=True)
        if value is not None
    }


def _level(value: int | None) -> float | None:
    return float(value) if value is not None and abs(value) <= _NEVER else None
