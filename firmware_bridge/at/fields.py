"""Splitting the fields of an answer."""

from __future__ import annotations

__all__ = ["after_colon", "number", "octets", "split_fields", "unquote"]

_BORDER = "\ue000"
"""Stands in no line: lines are decoded as Latin-1."""


def after_colon(line: str) -> str:
    """What stands after the first colon: `+CSQ: 18,99` -> `18,99` (with or without the space)."""
    _, colon, rest = line.partition(":")
    return rest.strip() if colon else line.strip()


def split_fields(text: str) -> list[str]:
    """The fields of `text`, split at commas outside quotes; quotes are kept, spaces stripped.

    `1,"a,b",,9` -> `['1', '"a,b"', '', '9']`. An unfinished quote runs to the end.
    """
    if '"' not in text:
        return [part.strip() for part in text.split(",")]
    parts = text.split('"')  # every other part stands outside the quotes
    parts[::2] = [part.replace(",", _BORDER) for part in parts[::2]]
    return [field.strip() for field in '"'.join(parts).split(_BORDER)]


def unquote(field: str) -> str:
    """`"a"` -> `a`; a field without quotes stays as it is."""
    if len(field) >= 2 and field[0] == field[-1] == '"':
        return field[1:-1]
    return field


def number(field: str) -> int | None:
    """The field as a decimal number of at most 18 digits, quotes allowed; None if it is none."""
    text = unquote(field.strip()).strip()
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    return int(text)


def octets(text: str) -> bytes | None:
    """Hexadecimal digits as octets; None if these are none."""
    try:
        return bytes.fromhex(text) if " " not in text else None
    except ValueError:
        return None
