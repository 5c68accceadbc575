"""One command to the card and its whole answer, whatever modem is between.

What differs between modems and is evened out here:

- 61xx: the answer waits for GET RESPONSE (many modems fetch it by themselves).
- 6Cxx: the command is to be repeated with this length.
- Busy: +CME ERROR: 14 or the text of it while the modem reads the card for itself, SW 9300 while
  the card is in a session of its own; asked again for `BUSY_PATIENCE_S`.
- No card: +CME ERROR: 10, 11, 13, 15, as `SimNotReady`.

The class octet is always that of the basic channel: AT+CGLA wants it so (TS 27.007 8.43), and
AT+CSIM is used on the basic channel only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from firmware_bridge.errors import CommandFailed, SimNotReady, UnexpectedAnswer, UsimBusy

__all__ = ["BUSY_PATIENCE_S", "ApduAnswer", "Exchange", "exchange", "meaning_of", "patiently"]

T = TypeVar("T")
Exchange = Callable[[bytes], Awaitable[bytes]]
"""An APDU to its answer with the status word at the end."""

BUSY_PATIENCE_S = 10.0
"""How long a busy card is asked again, s."""
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 2.0
_ROUNDS = 16
"""How often an answer may be continued: 16 times 256 octets is more than any has."""

_BUSY = 14
_BUSY_WORD = b"\x93\x00"
_NO_CARD = {10: "SIM not inserted", 11: "SIM PIN", 13: "SIM failure", 15: "SIM wrong"}
_TEXTS = {"sim busy": _BUSY, **{text.lower(): code for code, text in _NO_CARD.items()}}
"""Without AT+CMEE=1 a modem may answer in words."""

_MEANINGS = {
    0x6881: "logical channel not open",
    0x6982: "security status not satisfied",
    0x6983: "authentication method blocked",
    0x6985: "conditions of use not satisfied",
    0x6A82: "file or application not found",
    0x6A86: "wrong parameters P1 P2",
    0x6D00: "instruction not supported",
    0x6E00: "class not supported",
    0x9864: "security context not supported",
}
"""TS 102 221 10.2.1, TS 31.102 7.3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApduAnswer:
    """What the card answered."""

    sw: int
    """Status word, 16 bits."""
    data: bytes = field(repr=False)
    """The data before it."""
    begun: bool = False
    """The card carried the command out and promised data: another attempt is another command."""


def meaning_of(sw: int) -> str:
    """A status word in words, "" if it is none of the usual ones."""
    if sw >> 8 == 0x67:
        return "wrong length"
    return _MEANINGS.get(sw, "")


async def exchange(send: Exchange, command: bytes) -> ApduAnswer:
    """Send `command` by `send` and gather all of its answer.

    Raises `UsimBusy`, `SimNotReady`, `UnexpectedAnswer`, and what `send` raises otherwise.
    """

    async def ask(apdu: bytes) -> bytes | None:
        answer = await send(apdu)
        if len(answer) < 2:
            raise UnexpectedAnswer(
                "an APDU", f"{len(answer)} octets", "a status word of two octets at the end"
            )
        return None if answer[-2:] == _BUSY_WORD else answer

    asked, data, begun = command, b"", False
    for _ in range(_ROUNDS):
        try:
            answer = await patiently(partial(ask, asked))
        except CommandFailed as error:
            if not begun:
                raise
            raise UnexpectedAnswer("GET RESPONSE", error.text, "the rest of an answer") from None
        sw1, sw2 = answer[-2:]
        data += answer[:-2]
        if sw1 == 0x61:
            begun = True
            asked = bytes((command[0], 0xC0, 0, 0, sw2))
        elif sw1 == 0x6C and asked[-1] != sw2:
            asked = (asked[:4] if len(asked) == 5 else asked[:-1]) + bytes((sw2,))
        else:
            return ApduAnswer(sw=sw1 << 8 | sw2, data=data, begun=begun)
    raise UnexpectedAnswer("an APDU", f"more than {_ROUNDS} parts", "an answer that ends")


async def patiently(ask: Callable[[], Awaitable[T | None]]) -> T:
    """What `ask` brings, asked again while it brings None or the card is busy.

    Raises `UsimBusy`, `SimNotReady`, and what `ask` raises otherwise.
    """
    loop = asyncio.get_running_loop()
    began, pause_s = loop.time(), _FIRST_PAUSE_S
    while True:
        try:
            found = await ask()
        except CommandFailed as error:
            code = _code(error)
            if code in _NO_CARD:
                raise SimNotReady(_NO_CARD[code]) from None
            if code != _BUSY:
                raise
        else:
            if found is not None:
                return found
        waited_s = loop.time() - began
        if waited_s + pause_s > BUSY_PATIENCE_S:
            raise UsimBusy(waited_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _code(error: CommandFailed) -> int | None:
    if error.code is not None:
        return error.code
    return _TEXTS.get(error.text.rpartition(":")[2].strip().lower())
