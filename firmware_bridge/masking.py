"""What is taken out of every log, transcript and error: identities, APDUs, PINs.

Everything that leaves this package as text goes through :func:`mask_secrets`, or, where the line
that it stands in is not known to be whole, through :func:`mask_digits`. The length of what is
masked stays, so that a masked transcript parses as the true one.
"""

from __future__ import annotations

import re

__all__ = ["carries_apdu", "mask_apdu", "mask_digits", "mask_identities", "mask_secrets"]

_IDENTITY = re.compile(r"(?<![0-9A-Fa-f.])(\d{14,20}F?)(?![0-9A-Fa-f])")
_PHONE = re.compile(r'(?<=")\+?\d{7,13}(?=",1(?:29|45|61)\b)')
_PASSWORD = re.compile(r"(?i)AT\+(?:CPIN|CPWD|CLCK|CGAUTH)=.*")
_SECRET_FIELD = re.compile(r'(?<=,)"[^"]*"?|(?<==)"?\d{4,8}"?|(?<=,)\d{4,8}')
_KEPT_DIGITS = 6
"""Leading digits that stay: an IMEI's type code, an ICCID's issuer, an IMSI's network."""

_APDU = re.compile(
    r"(\+(CSIM|CGLA|CRSM|CRLA) ?([=:]))((?:(?!\+(?:CSIM|CGLA|CRSM|CRLA) ?[=:]).)*)",
    re.IGNORECASE | re.DOTALL,
)
"""Head, name, mark, and everything up to the next head."""
_COMMAND = re.compile(r"\+(?:CSIM|CGLA|CRSM|CRLA) ?=", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9A-Fa-f]{8,}")
"""Four octets and more: the shortest RES has so many. A lone status word stays."""
_HEADER_DIGITS = 8
"""CLA, INS, P1 and P2 of a command APDU."""
_STATUS_DIGITS = 4
"""SW1 and SW2 of a response."""


def mask_identities(text: str) -> str:
    """Replace all but the first six digits of every number of 14 to 20 digits by `0`.

    So are telephone numbers (`"+43664123456",145`), PINs and passwords in the commands that carry
    them.
    """

    def masked(found: re.Match[str]) -> str:
        digits = found.group(1)
        tail = "F" if digits.endswith("F") else ""
        zeros = "0" * (len(digits) - _KEPT_DIGITS - len(tail))
        return digits[:_KEPT_DIGITS] + zeros + tail

    text = _PHONE.sub(lambda found: "0" * len(found.group()), _IDENTITY.sub(masked, text))
    if _PASSWORD.match(text):
        text = _SECRET_FIELD.sub(lambda found: re.sub(r'[^"]', "0", found.group()), text)
    return text


def carries_apdu(text: str) -> bool:
    """Whether `text` is a command that exchanges an APDU or reads the card."""
    return _COMMAND.search(text) is not None


def mask_apdu(text: str) -> str:
    """Mask the APDUs of AT+CSIM, CGLA, CRSM and CRLA, commands and answers alike.

    A command's header (CLA, INS, P1, P2) stays, and an answer's status word, if the length in front
    says that the answer is whole.
    """

    def masked(found: re.Match[str]) -> str:
        head, name, mark, body = found.groups()
        restricted = name.upper() in ("CRSM", "CRLA")  # data of a file, without header or status
        kept = _nothing if restricted else _header if mark == "=" else _status
        return head + _DIGITS.sub(kept, body)

    return _APDU.sub(masked, text)


def _nothing(found: re.Match[str]) -> str:
    return "0" * len(found.group())


def _header(found: re.Match[str]) -> str:
    digits = found.group()
    return digits[:_HEADER_DIGITS] + "0" * (len(digits) - _HEADER_DIGITS)


def _status(found: re.Match[str]) -> str:
    digits = found.group()
    counted = re.search(r'(\d{1,4}),[" ]*$', found.string[: found.start()])
    if counted is None or int(counted.group(1)) != len(digits):
        return _nothing(found)
    return "0" * (len(digits) - _STATUS_DIGITS) + digits[-_STATUS_DIGITS:]


def mask_digits(text: str) -> str:
    """Mask every run of eight or more hexadecimal digits: for pieces that nothing is known of."""
    return _DIGITS.sub(_nothing, text)


def mask_secrets(text: str) -> str:
    """`mask_identities` and `mask_apdu` together."""
    return mask_identities(mask_apdu(text))
