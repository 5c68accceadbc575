"""The modem's side of the card: what AT+CSIM and AT+CGLA make of it.

A modem that *chains* fetches what 61xx announces and repeats after 6Cxx by itself, and the host
sees one answer with 9000; one that does not hands every answer on as the card gave it. On a logical
channel the modem puts the channel into the class (TS 27.007 8.43), whatever the host wrote there.
"""

from __future__ import annotations

from firmware_bridge.virtual.settings import UsimSettings
from firmware_bridge.virtual.usim import UsimCard

__all__ = ["CardReader"]

_ROUNDS = 8
"""How often a chaining modem goes on fetching."""


class CardReader:
    """The only one who talks to the card.

    Args:
        card: The card.
        settings: How card and modem behave.
        now: The present, s.
    """

    def __init__(self, card: UsimCard, settings: UsimSettings, now: float) -> None:
        self._card = card
        self._settings = settings
        self._sessions: set[int] = set()
        self._asked = 0
        self._ready_at = now + settings.busy_s

    def reset(self, now: float) -> None:
        """The card was powered off and on."""
        self._card.reset()
        self._sessions.clear()
        self._ready_at = now + self._settings.busy_s

    def busy(self, now: float) -> bool:
        """The modem is still reading the card for itself."""
        return now < self._ready_at

    def basic(self, apdu: bytes) -> bytes:
        """AT+CSIM: as it is, on whatever channel its class says."""
        every = self._settings.selection_lost_every
        self._asked += 1
        if every and self._asked % every == 0:
            self._card.select_master()
        return self._exchange(apdu)

    def open(self, aid: bytes) -> int | None:
        """AT+CCHO: the session's number, None if the card has no channel or application for it."""
        answer = self._card.exchange(bytes.fromhex("0070000001"))
        if len(answer) != 3:
            return None
        number = answer[0]
        selection = bytes((number, 0xA4, 0x04, 0x0C, len(aid))) + aid
        if not aid or self._card.exchange(selection) != b"\x90\x00":
            self._card.exchange(bytes((0x00, 0x70, 0x80, number)))
            return None
        self._sessions.add(number)
        return number

    def on_channel(self, session: int, apdu: bytes) -> bytes | None:
        """AT+CGLA; None: there is no such session."""
        if session not in self._sessions or not apdu:
            return None
        mask = 0xFC if session < 4 else 0xB0
        patched = apdu[0] & mask | (session if session < 4 else 0x40 | session - 4)
        return self._exchange(bytes((patched,)) + apdu[1:])

    def close(self, session: int) -> bool:
        """AT+CCHC; False: there is no such session."""
        if session not in self._sessions:
            return False
        self._sessions.remove(session)
        self._card.exchange(bytes((0x00, 0x70, 0x80, session)))
        return True

    def _exchange(self, apdu: bytes) -> bytes:
        answer = self._card.exchange(apdu)
        if not self._settings.chained:
            return answer
        told = b""
        for _ in range(_ROUNDS):
            if answer[-2] == 0x6C and len(apdu) == 5:
                answer = self._card.exchange(apdu[:4] + answer[-1:])
            elif answer[-2] == 0x61:
                told += answer[:-2]
                answer = self._card.exchange(bytes((apdu[0], 0xC0, 0, 0, answer[-1])))
            else:
                break
        return told + answer
