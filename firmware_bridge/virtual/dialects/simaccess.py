"""Commands to the card: AT+CSIM, AT+CCHO, AT+CGLA and AT+CCHC (TS 27.007 8.17, 8.45, 8.43, 8.46).

Which of them a family has is the session's `generic_access` and `channels`, unless the settings
say otherwise; one that it does not have answers ERROR. A length that is not the string's answers
+CME ERROR: 50, a reading form +CME ERROR: 4: so does the published AT source of an NB-IoT chip
(EigenComm EC616), the only one of this class that could be read. What CCHO answers when the card
has no channel or no such application is not told anywhere: 4 [?]; an unknown session: 50 [?].
"""

from __future__ import annotations

from collections.abc import Callable
from string import hexdigits
from typing import ClassVar

from firmware_bridge.virtual.commands import Arguments
from firmware_bridge.virtual.dialects.table import Answer, Command, CommandFailed
from firmware_bridge.virtual.session import Session

__all__ = ["SIM_ACCESS", "SimAccessSession"]

_NOT_SUPPORTED, _SIM_NOT_INSERTED, _SIM_BUSY, _BAD_PARAMETERS = 4, 10, 14, 50
_CARD_S = 0.100  # *assumed*: the card's own time beside the module's
_LONGEST = 2 * (5 + 255 + 1)
_SETTING = {
    "+CSIM": "generic_access",
    "+CCHO": "channels",
    "+CGLA": "channels",
    "+CCHC": "channels",
}


class SimAccessSession(Session):
    """A session whose host can talk to the card."""

    generic_access: ClassVar[bool]
    """AT+CSIM."""
    channels: ClassVar[bool]
    """AT+CCHO, AT+CGLA, AT+CCHC."""
    csim_form: ClassVar[str] = '+CSIM: {size},"{data}"'
    ccho_form: ClassVar[str] = "+CCHO: {session}"
    cgla_form: ClassVar[str] = '+CGLA: {size},"{data}"'

    @property
    def card_powered(self) -> bool:
        """The module has its card under power."""
        return self.module.card_present

    def offers(self, name: str) -> bool:
        """Whether the module has the command, as far as that can be set."""
        what = _SETTING.get(name)
        if what is None:
            return True
        wanted: bool | None = getattr(self.settings.usim, what)
        return bool(getattr(self, what)) if wanted is None else wanted


Handler = Callable[[SimAccessSession, Arguments], Answer]


def _offered(name: str, handler: Handler) -> Handler:
    """`handler`, where the family or the settings offer it and the card can be asked."""

    def guarded(session: SimAccessSession, arguments: Arguments) -> Answer:
        _refuse_unless_offered(session, name)
        if not session.card_powered:
            raise CommandFailed(_SIM_NOT_INSERTED)
        if session.module.card_reader.busy(session.timers.now):
            raise CommandFailed(_SIM_BUSY)
        return handler(session, arguments)

    return guarded


def _refuse_unless_offered(session: SimAccessSession, name: str) -> None:
    if not session.offers(name):
        raise CommandFailed  # no such command: ERROR whatever CMEE says


def _tested(name: str) -> Handler:
    def test(session: SimAccessSession, _: Arguments) -> Answer:
        _refuse_unless_offered(session, name)
        return Answer()

    return test


def _unreadable(name: str) -> Handler:
    def read(session: SimAccessSession, _: Arguments) -> Answer:
        _refuse_unless_offered(session, name)
        raise CommandFailed(_NOT_SUPPORTED)

    return read


def _octets(arguments: Arguments, at: int) -> bytes:
    """The APDU of length and digits from parameter `at` on."""
    arguments.at_most(at + 2)
    size = arguments.integer(at, 0, 99_999)
    digits = arguments.string(at + 1, default="")
    if size != len(digits) or not 8 <= size <= _LONGEST or size % 2 or not _hexadecimal(digits):
        raise CommandFailed(_BAD_PARAMETERS)
    return bytes.fromhex(digits)


def _hexadecimal(text: str) -> bool:
    return all(digit in hexdigits for digit in text)


def _csim(session: SimAccessSession, arguments: Arguments) -> Answer:
    told = session.module.card_reader.basic(_octets(arguments, 0))
    return Answer(lines=(session.csim_form.format(size=2 * len(told), data=told.hex().upper()),))


def _ccho(session: SimAccessSession, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    digits = arguments.string(0)
    if len(digits) % 2 or not 10 <= len(digits) <= 32 or not _hexadecimal(digits):
        raise CommandFailed(_BAD_PARAMETERS)
    opened = session.module.card_reader.open(bytes.fromhex(digits))
    if opened is None:
        raise CommandFailed(_NOT_SUPPORTED)
    return Answer(lines=(session.ccho_form.format(session=opened),))


def _cgla(session: SimAccessSession, arguments: Arguments) -> Answer:
    number = arguments.integer(0, 0, 255)
    told = session.module.card_reader.on_channel(number, _octets(arguments, 1))
    if told is None:
        raise CommandFailed(_BAD_PARAMETERS)
    return Answer(lines=(session.cgla_form.format(size=2 * len(told), data=told.hex().upper()),))


def _cchc(session: SimAccessSession, arguments: Arguments) -> Answer:
    arguments.at_most(1)
    if not session.module.card_reader.close(arguments.integer(0, 0, 255)):
        raise CommandFailed(_BAD_PARAMETERS)
    return Answer()


def _command(section: str, name: str, handler: Handler) -> Command[SimAccessSession]:
    return Command(
        source=f"27.007 {section} [?]: see simaccess",
        test=_tested(name),
        read=_unreadable(name),
        set=_offered(name, handler),
        execute=_unreadable(name),
        answer_s=_CARD_S,
    )


SIM_ACCESS: dict[str, Command[SimAccessSession]] = {
    "+CSIM": _command("8.17", "+CSIM", _csim),
    "+CCHO": _command("8.45", "+CCHO", _ccho),
    "+CGLA": _command("8.43", "+CGLA", _cgla),
    "+CCHC": _command("8.46", "+CCHC", _cchc),
}
"""For a family's table."""
