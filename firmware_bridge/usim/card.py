"""The card behind a module: which way leads to it, and AUTHENTICATE on that way.

    probe = await probe_usim(module)        # asks for the identity only: no sequence number is used
    usim = await open_usim(module, probe)
    answer = await usim.authenticate(rand, autn)

What happens between two authentications does not matter to the caller: a selection that the modem
took away, a reboot, a card that lost its power in PSM are found out and set right once, before the
card has seen the challenge. A reboot or a time-out *during* one is raised, because nobody knows
whether the card has used the challenge up; the next call begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from firmware_bridge.aka import (
    UsimAnswer,
    UsimBootstrapped,
    UsimMacFailure,
    UsimSuccess,
    UsimSyncFailure,
)
from firmware_bridge.errors import (
    CommandFailed,
    ModuleError,
    ModuleRebooted,
    ModuleTimeout,
    NotSupported,
    UnexpectedAnswer,
    UsimRefused,
    UsimUnreachable,
)
from firmware_bridge.masking import mask_identities
from firmware_bridge.modules.events import Rebooted, SimChanged
from firmware_bridge.usim.apdu import ApduAnswer, meaning_of
from firmware_bridge.usim.contract import Usim, UsimPath, check_challenge
from firmware_bridge.usim.paths import BasicPath, CardPath, ChannelPath

if TYPE_CHECKING:
    from firmware_bridge.modules.contract import Module
    from firmware_bridge.modules.events import ModuleEvent

__all__ = ["CardIdentity", "CardUsim", "UsimProbe", "open_usim", "probe_usim"]

_WAYS: tuple[type[CardPath], ...] = (ChannelPath, BasicPath)
"""The better first: a channel of its own is not disturbed by the modem."""

_IN_3G, _IN_GBA = 0x81, 0x84  # TS 31.102 7.1.2: P2, the application's reference data and context
_AUTS = 14
_EF_IMSI, _EF_UST = 0x6F07, 0x6F38
_GSM_ACCESS, _GBA = 27, 68
_MAC_FAILURE, _NO_CONTEXT = 0x9862, 0x9864
_OK = 0x9000
_SHORTEST_RES, _LONGEST_RES = 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CardIdentity:
    """What the USIM application says of itself."""

    imsi: str = field(default="", repr=False)
    """The subscriber's identity, "" if the card did not tell."""
    gsm_access: bool | None = None
    """Service 27: AUTHENTICATE also answers Kc; None: not told."""
    gba: bool | None = None
    """Service 68: the GBA context; None: not told."""

    @property
    def masked_imsi(self) -> str:
        """The IMSI with all but its first six digits masked."""
        return mask_identities(self.imsi)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsimProbe:
    """Which way leads to the USIM."""

    path: UsimPath | None
    """The one to use; None: none does."""
    reasons: Mapping[UsimPath, str]
    """Why the others do not: those that were tried before the one that works."""
    identity: CardIdentity = CardIdentity()
    """The card's."""


async def probe_usim(module: Module, only: UsimPath | None = None) -> UsimProbe:
    """Find out how `module` leads to its USIM, without an authentication.

    Selects the application and reads EF_IMSI and EF_UST on each way in turn, or on `only` this one.

    Raises `SimNotReady` (no card, PIN), `UsimBusy`, `ModuleSilent`, `LineLost`: with those there is
    no saying.
    """
    reasons: dict[UsimPath, str] = {}
    for way in _WAYS:
        if only not in (None, way.path):
            continue
        path = way(module)
        try:
            identity = await _tried(path)
        except (CommandFailed, NotSupported, UnexpectedAnswer, UsimRefused) as error:
            reasons[way.path] = str(error)
        except ModuleTimeout as error:  # some modems say nothing to what they do not know
            reasons[way.path] = str(error)
            await module.wake()
        else:
            return UsimProbe(path=way.path, reasons=MappingProxyType(reasons), identity=identity)
        finally:
            await path.close()
    return UsimProbe(path=None, reasons=MappingProxyType(reasons))


async def open_usim(module: Module, probe: UsimProbe | None = None) -> CardUsim:
    """The USIM behind `module`, on the way that `probe` found; None: it is probed now.

    Raises `UsimUnreachable` when there is none, and what `probe_usim` raises.
    """
    found = probe or await probe_usim(module)
    for way in _WAYS:
        if way.path is found.path:
            return CardUsim(module, way(module), found.identity)
    raise UsimUnreachable({way.value: reason for way, reason in found.reasons.items()})


async def _tried(path: CardPath) -> CardIdentity:
    try:
        await path.open()
    except ModuleRebooted:  # nothing is lost: once more
        path.forget()
        await path.open()
    imsi = await _read(path, _EF_IMSI, 9)
    services = await _read(path, _EF_UST, 0)
    return CardIdentity(
        imsi=_decoded_imsi(imsi),
        gsm_access=_offers(services, _GSM_ACCESS),
        gba=_offers(services, _GBA),
    )


async def _read(path: CardPath, fid: int, size: int) -> bytes:
    """A file of the application, b"" if the card does not give it."""
    answer = await path.exchange(b"\x00\xa4\x00\x0c\x02" + fid.to_bytes(2, "big"))
    if answer.sw != _OK:
        return b""
    answer = await path.exchange(bytes((0x00, 0xB0, 0x00, 0x00, size)))
    return answer.data if answer.sw == _OK else b""


def _decoded_imsi(data: bytes) -> str:
    """Length, parity, digits (TS 31.102 4.2.2)."""
    if len(data) < 2 or not 1 <= data[0] < len(data):
        return ""
    digits = "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in data[1 : 1 + data[0]])[1:]
    digits = digits.rstrip("f")
    return digits if digits.isdigit() else ""


def _offers(table: bytes, service: int) -> bool | None:
    """A bit of EF_UST (TS 31.102 4.2.8)."""
    if not table:
        return None
    index, bit = divmod(service - 1, 8)
    return index < len(table) and bool(table[index] >> bit & 1)


class CardUsim(Usim):
    """The USIM in a module. Made by `open_usim`."""

    def __init__(self, module: Module, path: CardPath, identity: CardIdentity) -> None:
        self._card = path
        self._lock = asyncio.Lock()
        self._unsubscribe = module.subscribe(self._on_event)
        self.path = path.path
        self.imsi = identity.imsi
        self.identity = identity
        """What it said of itself when it was probed."""

    async def authenticate(self, rand: bytes, autn: bytes) -> UsimAnswer:
        """See `Usim.authenticate`."""
        check_challenge(rand, autn)
        data = await self._authenticated(_IN_3G, _counted(rand) + _counted(autn))
        return UsimMacFailure() if data is None else _decoded(data)

    async def bootstrap(
        self, rand: bytes, autn: bytes
    ) -> UsimBootstrapped | UsimSyncFailure | UsimMacFailure:
        """Run AKA in the GBA context (GBA_U): the card keeps Ks and answers RES alone.

        `autn` is the bootstrapping server's, its MAC masked. Raises as `authenticate`; 9864 is a
        card without GBA. The layout is from memory of TS 31.102 7.1.2 [?].
        """
        check_challenge(rand, autn)
        data = await self._authenticated(_IN_GBA, b"\xdd" + _counted(rand) + _counted(autn))
        if data is None:
            return UsimMacFailure()
        match _fields(data):
            case [b"\xdb", res] if _SHORTEST_RES <= len(res) <= _LONGEST_RES:
                return UsimBootstrapped(res=res)
            case [b"\xdc", auts] if len(auts) == _AUTS:
                return UsimSyncFailure(auts=auts)
        raise _unreadable(data, "DB with RES, or DC with AUTS")

    async def derive(self, naf_id: bytes, impi: bytes) -> bytes:
        """Ks_ext_NAF for the application `naf_id`, 32 octets, after `bootstrap`.

        `impi` is the subscriber's private identity. Raises `UsimRefused` (6985: nothing was
        bootstrapped) and as `authenticate`.
        """
        data = await self._authenticated(_IN_GBA, b"\xde" + _counted(naf_id) + _counted(impi))
        fields = _fields(data or b"")
        if fields is None or len(fields) != 2 or (fields[0], len(fields[1])) != (b"\xdb", 32):
            raise _unreadable(data or b"", "DB with Ks_ext_NAF")
        return fields[1]

    async def _authenticated(self, context: int, body: bytes) -> bytes | None:
        """The answer's data, None for a MAC failure."""
        command = bytes((0x00, 0x88, 0x00, context)) + _counted(body) + b"\x00"
        async with self._lock:
            answer = await self._asked(command)
        if answer.sw == _OK:
            return answer.data
        if answer.sw == _MAC_FAILURE:
            return None
        raise _refusal(answer.sw)

    async def close(self) -> None:
        """See `Usim.close`."""
        self._unsubscribe()
        async with self._lock:
            await self._card.close()

    async def _asked(self, command: bytes) -> ApduAnswer:
        """The answer to `command`; a selection that was lost is made anew, once."""
        try:
            answer = await self._on_open_path(command)
            if answer.begun or answer.sw in (_OK, _MAC_FAILURE, _NO_CONTEXT):
                return answer
        except CommandFailed:
            self._card.forget()  # the modem knows no such channel any more
        else:
            await self._card.close()
        return await self._on_open_path(command)

    async def _on_open_path(self, command: bytes) -> ApduAnswer:
        try:
            await self._card.open()
        except ModuleRebooted:  # the card has not seen the challenge: once more
            self._card.forget()
            await self._card.open()
        try:
            answer = await self._card.exchange(command)
        except (ModuleTimeout, ModuleRebooted, UnexpectedAnswer):
            self._card.forget()
            raise
        if answer.begun and answer.sw not in (_OK, _MAC_FAILURE):
            self._card.forget()  # what it promised is gone, and the selection with it
        return answer

    def _on_event(self, event: ModuleEvent) -> None:
        if isinstance(event, Rebooted | SimChanged):
            self._card.forget()


def _refusal(sw: int) -> ModuleError:
    hint = "see that the module has the right card, and no PIN is asked for"
    if sw == _NO_CONTEXT:
        hint = "this card has no 3G authentication: use a USIM of the HSE's operator"
    return UsimRefused(sw, "AUTHENTICATE", meaning=meaning_of(sw), hint=hint)


def _counted(field: bytes) -> bytes:
    """Raises `ValueError` for what one octet can't count."""
    return bytes((len(field),)) + field


def _fields(data: bytes) -> list[bytes] | None:
    """The tag, then each field with its length in front; None if the lengths do not fit."""
    found, rest = [data[:1]], data[1:]
    while rest:
        size = rest[0]
        if len(rest) < 1 + size:
            return None
        found.append(rest[1 : 1 + size])
        rest = rest[1 + size :]
    return found


def _unreadable(data: bytes, expected: str) -> UnexpectedAnswer:
    told = f"{len(data)} octets" + (f", the first {data[0]:02X}" if data else "")
    return UnexpectedAnswer("AUTHENTICATE", told, expected)


def _decoded(data: bytes) -> UsimAnswer:
    """`DB` RES CK IK [Kc] or `DC` AUTS (TS 31.102 7.1.2.1)."""
    match _fields(data):
        case [b"\xdb", res, ck, ik, *more] if (
            _SHORTEST_RES <= len(res) <= _LONGEST_RES
            and len(ck) == len(ik) == 16
            and [len(field) for field in more] in ([], [8])
        ):
            return UsimSuccess(res=res, ck=ck, ik=ik, kc=more[0] if more else None)
        case [b"\xdc", auts] if len(auts) == _AUTS:
            return UsimSyncFailure(auts=auts)
    raise _unreadable(data, "DB with RES, CK and IK, or DC with AUTS")
