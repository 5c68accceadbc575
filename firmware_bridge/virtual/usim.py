"""The virtual USIM: APDUs in, APDUs out, as the card under T=0 has them.

Rules (TS 102 221, TS 31.102 7.1; section numbers at the code):

- The class says the logical channel: 00 to 03, 40 to 4F, and 80 to 83 for STATUS. Each channel has
  its own selection; channel 0 begins in the master file, an opened one likewise.
- A command with data that has something to answer says 61xx; GET RESPONSE fetches it, on the same
  channel, before anything else. A command without data, asked for another length than there is,
  says 6Cxx.
- AUTHENTICATE needs the USIM application selected on its channel. The order of its checks is the
  code's: selection, parameters, context, lengths.

The authentication itself is a function given from outside. Without one the card answers 9864
(context not supported), as a card without that service. GBA has a function of its own, because the
network masks the MAC in AUTN there (GBA_U, TS 33.220 5.3.2 [?]), which the function has to undo
before it checks: it takes the AUTN as it came. After it the card keeps Ks and answers NAF
derivations; the layout of both answers is from memory of TS 31.102 7.1.1.4 [?].

No input makes it raise; every answer has at least the two octets of the status word.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.aka import AkaFunction, UsimAnswer, UsimMacFailure, UsimSuccess
from firmware_bridge.virtual.settings import CardSettings, UsimSettings
from firmware_bridge.virtual.usim_files import (
    AID,
    ElementaryFile,
    Folder,
    card_files,
    control_parameters,
)

__all__ = ["UsimCard"]

OK = 0x9000
_LENGTH = 0x6700
_CHANNEL_CLOSED = 0x6881
_NOT_RECORDS = 0x6981
_CONDITIONS = 0x6985
_NO_FILE = 0x6986
_BAD_DATA = 0x6A80
_NO_SUCH_FILE = 0x6A82
_NO_SUCH_RECORD = 0x6A83
_BAD_PARAMETERS = 0x6A86
_NO_CHANNEL_LEFT = 0x6A81
_OFFSET = 0x6B00
_NO_INSTRUCTION = 0x6D00
_NO_CLASS = 0x6E00
_MAC_FAILURE = 0x9862
_NO_CONTEXT = 0x9864

_STATUS, _GET_RESPONSE = 0xF2, 0xC0


@dataclass(slots=True)
class _Channel:
    """What one logical channel has selected."""

    folder: Folder
    file: ElementaryFile | None = None
    pending: bytes = b""
    """For GET RESPONSE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """A command APDU, taken apart."""

    ins: int
    p1: int
    p2: int
    data: bytes
    expected: int | None
    """Le, 256 for 00; None: not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a command comes to, before T=0 has its way."""

    sw: int = OK
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bootstrapped:
    """What GBA leaves in the card."""

    ks: bytes
    rand: bytes


class UsimCard:
    """One card.

    Args:
        card: Its identities.
        usim: How it behaves.
        aka: Its authentication; None: it has none.
        gba: Its authentication in the GBA context; None: it has none.
    """

    def __init__(
        self,
        card: CardSettings,
        usim: UsimSettings,
        aka: AkaFunction | None = None,
        gba: AkaFunction | None = None,
    ) -> None:
        self._settings = usim
        self._aka = aka
        self._gba = gba
        self._master, self._application = card_files(card, usim, gba=gba is not None)
        self._channels: dict[int, _Channel] = {}
        self._bootstrapped: _Bootstrapped | None = None
        self._instructions: dict[int, Callable[[_Channel, _Command], _Answer]] = {
            0x88: self._authenticate,
            0xA4: self._select,
            0xB0: self._read_binary,
            0xB2: self._read_record,
            _STATUS: self._status,
        }
        self.reset()

    def reset(self) -> None:
        """Power off and on: every selection is gone."""
        self._channels = {0: _Channel(self._master)}

    def select_master(self) -> None:
        """What the modem's own traffic may leave behind on channel 0."""
        self._channels[0] = _Channel(self._master)

    def exchange(self, apdu: bytes) -> bytes:
        """The answer to `apdu`, with its status word."""
        if len(apdu) < 4:
            return _word(_LENGTH)
        number = _channel_of(apdu[0], apdu[1])
        if number is None:
            return _word(_NO_CLASS)
        channel = self._channels.get(number)
        if channel is None:
            return _word(_CHANNEL_CLOSED)
        command = _taken_apart(apdu)
        if command is None:
            return _word(_LENGTH)
        if command.ins == _GET_RESPONSE:
            return _fetch(channel, command)
        channel.pending = b""
        if command.ins == 0x70:
            return _without_data(self._manage(number, command), command)
        instruction = self._instructions.get(command.ins)
        if instruction is None:
            return _word(_NO_INSTRUCTION)
        answer = instruction(channel, command)
        if command.data and answer.data and answer.sw == OK:  # T=0: fetched by GET RESPONSE
            channel.pending = answer.data
            return _word(0x6100 | len(answer.data) & 0xFF)
        return _without_data(answer, command)

    # -- selection and reading (TS 102 221 11.1) ---------------------------------------------------

    def _select(self, channel: _Channel, command: _Command) -> _Answer:
        if command.p2 & 0x1F not in (0x00, 0x04, 0x0C):  # 1 to 3: another occurrence
            return _Answer(sw=_BAD_PARAMETERS if command.p1 != 4 else _NO_SUCH_FILE)
        if command.p1 == 0x04:
            found = self._application if _names(command.data) else None
            if found is None:
                return _Answer(sw=_NO_SUCH_FILE)
            channel.folder, channel.file = found, None
        elif command.p1 in (0x00, 0x08, 0x09):
            path = command.data if command.data or command.p1 else b"\x3f\x00"
            if len(path) < 2 or len(path) % 2 or (command.p1 == 0 and len(path) != 2):
                return _Answer(sw=_LENGTH)
            folder = self._master if command.p1 == 0x08 else channel.folder
            found_at = self._walk(folder, path)
            if found_at is None:
                return _Answer(sw=_NO_SUCH_FILE)
            channel.folder, channel.file = found_at
        else:
            return _Answer(sw=_BAD_PARAMETERS)
        if command.p2 & 0x0C == 0x0C:
            return _Answer()
        return _Answer(data=control_parameters(channel.folder, channel.file))

    def _walk(self, folder: Folder, path: bytes) -> tuple[Folder, ElementaryFile | None] | None:
        file: ElementaryFile | None = None
        for index in range(0, len(path), 2):
            fid = int.from_bytes(path[index : index + 2], "big")
            file = None
            if fid == self._master.fid:
                folder = self._master
            elif fid == self._application.fid:
                folder = self._application
            else:
                file = folder.by_fid(fid)
                if file is None:
                    return None
        return folder, file

    def _file(self, channel: _Channel, short: int | None) -> ElementaryFile | int:
        """The file to read, or the status word why there is none."""
        if short is None:
            return channel.file if channel.file is not None else _NO_FILE
        found = channel.folder.by_short(short)
        if found is None:
            return _NO_SUCH_FILE
        channel.file = found
        return found

    def _read_binary(self, channel: _Channel, command: _Command) -> _Answer:
        if command.data:
            return _Answer(sw=_LENGTH)
        by_short = command.p1 & 0x80
        if by_short and command.p1 & 0x60:
            return _Answer(sw=_BAD_PARAMETERS)
        found = self._file(channel, command.p1 & 0x1F if by_short else None)
        if isinstance(found, int):
            return _Answer(sw=found)
        if found.record:
            return _Answer(sw=_NOT_RECORDS)
        offset = command.p2 if by_short else command.p1 << 8 | command.p2
        if offset >= len(found.data):
            return _Answer(sw=_OFFSET)
        left = found.data[offset:]
        wanted = 256 if command.expected is None else command.expected
        return _Answer(data=left if wanted == 256 else left[:wanted])

    def _read_record(self, channel: _Channel, command: _Command) -> _Answer:
        if command.data:
            return _Answer(sw=_LENGTH)
        if command.p2 & 0x07 != 0x04:  # absolute
            return _Answer(sw=_BAD_PARAMETERS)
        short = command.p2 >> 3
        found = self._file(channel, short or None)
        if isinstance(found, int):
            return _Answer(sw=found)
        if not found.record:
            return _Answer(sw=_NOT_RECORDS)
        start = (command.p1 - 1) * found.record
        if command.p1 == 0 or start >= len(found.data):
            return _Answer(sw=_NO_SUCH_RECORD)
        return _Answer(data=found.data[start : start + found.record])

    def _status(self, channel: _Channel, command: _Command) -> _Answer:
        if command.data:
            return _Answer(sw=_LENGTH)
        if command.p1 > 2 or command.p2 not in (0x00, 0x01, 0x0C):
            return _Answer(sw=_BAD_PARAMETERS)
        if command.p2 == 0x0C:
            return _Answer()
        if command.p2 == 0x01:
            aid = channel.folder.aid
            return _Answer(data=b"\x84" + bytes((len(aid),)) + aid)
        return _Answer(data=control_parameters(channel.folder, None))

    # -- channels (TS 102 221 11.1.17) -------------------------------------------------------------

    def _manage(self, number: int, command: _Command) -> _Answer:
        if command.data:
            return _Answer(sw=_LENGTH)
        if command.p1 == 0x00:
            last = self._settings.logical_channels
            wanted = command.p2 or next(
                (free for free in range(1, last + 1) if free not in self._channels), last + 1
            )
            if wanted > last or wanted in self._channels:
                return _Answer(sw=_NO_CHANNEL_LEFT)
            opener = self._channels[number]
            self._channels[wanted] = _Channel(self._master if number == 0 else opener.folder)
            return _Answer(data=b"" if command.p2 else bytes((wanted,)))
        if command.p1 == 0x80:
            closed = command.p2 or number
            if closed == 0 or closed not in self._channels:
                return _Answer(sw=_BAD_PARAMETERS if closed == 0 else _CHANNEL_CLOSED)
            del self._channels[closed]
            return _Answer()
        return _Answer(sw=_BAD_PARAMETERS)

    # -- authentication (TS 31.102 7.1) ------------------------------------------------------------

    def _authenticate(self, channel: _Channel, command: _Command) -> _Answer:
        refused = self._settings.refuses_authenticate
        if refused is not None:
            return _Answer(sw=int(refused, 16))
        if channel.folder is not self._application:
            return _Answer(sw=_CONDITIONS)
        if command.p1 or not command.p2 & 0x80 or command.p2 & 0x78:
            return _Answer(sw=_BAD_PARAMETERS)
        match command.p2 & 0x07:
            case 1 if self._aka is not None:
                return self._challenged(self._aka, command.data)
            case 4 if self._gba is not None:
                return self._in_gba(self._gba, command.data)
            case 0 | 1 | 2 | 4:  # GSM (service 38), 3G, VGCS, GBA
                return _Answer(sw=_NO_CONTEXT)
        return _Answer(sw=_BAD_PARAMETERS)

    def _challenged(self, aka: AkaFunction, data: bytes) -> _Answer:
        fields = _fields(data)
        if len(data) != 34:
            return _Answer(sw=_LENGTH)
        if fields is None or [len(field) for field in fields] != [16, 16]:
            return _Answer(sw=_BAD_DATA)
        answer = aka(*fields)
        if not isinstance(answer, UsimSuccess):
            return _failed(answer)
        told = _counted(answer.res) + _counted(answer.ck) + _counted(answer.ik)
        if self._settings.gsm_access:
            told += _counted(answer.kc or _c3(answer.ck, answer.ik))
        return _Answer(data=b"\xdb" + told)

    def _in_gba(self, gba: AkaFunction, data: bytes) -> _Answer:
        fields = _fields(data[1:])
        match data[:1], fields:
            case b"\xdd", (rand, autn) if len(rand) == len(autn) == 16:
                answer = gba(rand, autn)
                if not isinstance(answer, UsimSuccess):
                    return _failed(answer)
                self._bootstrapped = _Bootstrapped(ks=answer.ck + answer.ik, rand=rand)
                return _Answer(data=b"\xdb" + _counted(answer.res))
            case b"\xde", (naf, impi):
                if self._bootstrapped is None:
                    return _Answer(sw=_CONDITIONS)
                return _Answer(data=b"\xdb" + _counted(_ks_naf(self._bootstrapped, naf, impi)))
        return _Answer(sw=_BAD_DATA if data else _LENGTH)


def _failed(answer: UsimAnswer) -> _Answer:
    if isinstance(answer, UsimMacFailure):
        return _Answer(sw=_MAC_FAILURE)
    assert not isinstance(answer, UsimSuccess)
    return _Answer(data=b"\xdc" + _counted(answer.auts))


def _word(sw: int) -> bytes:
    return sw.to_bytes(2, "big")


def _channel_of(cla: int, ins: int) -> int | None:
    """The channel that a class names (TS 102 221 10.1.1), None for a class of no use here."""
    if cla <= 0x03 or (0x80 <= cla <= 0x83 and ins == _STATUS):
        return cla & 0x03
    if 0x40 <= cla <= 0x4F or (0xC0 <= cla <= 0xCF and ins == _STATUS):
        return 4 + (cla & 0x0F)
    return None


def _taken_apart(apdu: bytes) -> _Command | None:
    """None: the length octets and the length do not agree."""
    data, expected = b"", None
    if len(apdu) == 5:
        expected = apdu[4] or 256
    elif len(apdu) > 5:
        size = apdu[4]
        if size == 0 or len(apdu) not in (5 + size, 6 + size):
            return None
        data = apdu[5 : 5 + size]
        if len(apdu) == 6 + size:
            expected = apdu[-1] or 256
    return _Command(ins=apdu[1], p1=apdu[2], p2=apdu[3], data=data, expected=expected)


def _without_data(answer: _Answer, command: _Command) -> bytes:
    """A command that brought no data: what it asks for has to be what there is, or 00."""
    if answer.sw != OK or not answer.data:
        return _word(answer.sw)
    size = len(answer.data)
    if command.expected is None or command.expected not in (size, 256):
        return _word(0x6C00 | size & 0xFF)
    return answer.data + _word(OK)


def _fetch(channel: _Channel, command: _Command) -> bytes:
    """GET RESPONSE (TS 102 221 7.3.1.1): all of it, or what was asked for."""
    if command.p1 or command.p2 or command.data:
        return _word(_BAD_PARAMETERS)
    if not channel.pending:
        return _word(_CONDITIONS)
    wanted = command.expected or 256
    if wanted != 256 and wanted > len(channel.pending):
        return _word(0x6C00 | len(channel.pending) & 0xFF)
    told, channel.pending = channel.pending[:wanted], channel.pending[wanted:]
    return told + _word(0x6100 | len(channel.pending) if channel.pending else OK)


def _names(aid: bytes) -> bool:
    """Whole or from its beginning: the RID at least (TS 102 221 11.1.1.2)."""
    return 5 <= len(aid) <= 16 and AID.startswith(aid)


def _fields(data: bytes) -> list[bytes] | None:
    """Two counted fields, None if these are none."""
    found, rest = [], data
    while rest:
        size = rest[0]
        if len(rest) < 1 + size:
            return None
        found.append(rest[1 : 1 + size])
        rest = rest[1 + size :]
    return found if len(found) == 2 else None


def _counted(field: bytes) -> bytes:
    return bytes((len(field),)) + field


def _c3(ck: bytes, ik: bytes) -> bytes:
    """Kc of CK and IK (TS 33.102 6.8.1.2)."""
    return bytes(a ^ b ^ c ^ d for a, b, c, d in zip(ck[:8], ck[8:], ik[:8], ik[8:], strict=True))


def _ks_naf(made: _Bootstrapped, naf: bytes, impi: bytes) -> bytes:
    """Ks_ext_NAF (TS 33.220 B.2, B.3)."""
    text = b"\x01"
    for part in (b"gba-me", made.rand, impi, naf):
        text += part + len(part).to_bytes(2, "big")
    return hmac.new(made.ks, text, hashlib.sha256).digest()
