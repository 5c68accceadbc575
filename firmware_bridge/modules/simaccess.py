"""Answers of AT+CSIM, AT+CGLA and AT+CCHO, as modems write them.

The standard's form is `+CSIM: <length>,"<digits>"` (TS 27.007 8.17, 8.43). Seen beside it: without
quotes; with the session in front of the length (+CGLA); the digits alone; the channel's number of
+CCHO bare or in quotes. The length counts digits; one that does not fit means that the line was
cut, and the answer is not believed.
"""

from __future__ import annotations

from firmware_bridge.at.fields import after_colon, number, octets, split_fields, unquote

__all__ = ["decode_apdu", "decode_channel"]


def decode_apdu(line: str) -> bytes | None:
    """The response APDU in an answer's line, None if there is none, or not the whole of it."""
    fields = [unquote(field) for field in split_fields(after_colon(line))]
    data = octets(fields[-1])
    if data is None or len(data) < 2:
        return None
    if len(fields) > 1 and number(fields[-2]) != 2 * len(data):
        return None
    return data


def decode_channel(line: str) -> int | None:
    """The channel's number in `+CCHO: 1` or `1`, None if it is none.

    A session handle in hexadecimal (seen on a Sierra MC7455) is none of these.
    """
    text = unquote(after_colon(line))
    return number(text) if len(text) <= 10 else None
