"""How a module leads to its card, and what is kept of it.

    closed -- open() --> open -- exchange(), any number --> open
    open -- reset of the module, card lost --> closed -- open() at the next use

A path is open when the USIM application is selected on it. On the basic channel the modem's own
traffic may take the selection away at any time; on a logical channel nothing but a reset does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from firmware_bridge.errors import ModuleError, UnexpectedAnswer, UsimRefused
from firmware_bridge.usim.apdu import ApduAnswer, exchange, meaning_of, patiently
from firmware_bridge.usim.contract import UsimPath

if TYPE_CHECKING:
    from firmware_bridge.modules.contract import Module

__all__ = ["USIM_AID", "BasicPath", "CardPath", "ChannelPath"]

USIM_AID = bytes.fromhex("A0000000871002")
"""RID of the 3GPP and the USIM's application code: every USIM's AID begins so (TS 101 220)."""


class CardPath(ABC):
    """One way to the card of `module`."""

    path: UsimPath

    def __init__(self, module: Module) -> None:
        self._module = module

    @abstractmethod
    async def open(self) -> None:
        """See that the USIM application is selected. Raises `UsimRefused`, `ModuleError`."""

    @abstractmethod
    async def exchange(self, command: bytes) -> ApduAnswer:
        """One command and its whole answer. Raises `ModuleError`."""

    @abstractmethod
    def forget(self) -> None:
        """The module or the card was reset: nothing is selected any more."""

    @abstractmethod
    async def close(self) -> None:
        """Give the channel back. Never raises `ModuleError`."""


class BasicPath(CardPath):
    """AT+CSIM on the basic channel."""

    path = UsimPath.BASIC

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self._selected = False

    async def open(self) -> None:
        """SELECT the application, unless that was done."""
        if self._selected:
            return
        command = b"\x00\xa4\x04\x0c" + bytes((len(USIM_AID),)) + USIM_AID
        answer = await self.exchange(command)
        if answer.sw != 0x9000:
            raise UsimRefused(
                answer.sw,
                "to select the USIM application",
                meaning=meaning_of(answer.sw),
                hint="see that the card is a USIM",
            )
        self._selected = True

    async def exchange(self, command: bytes) -> ApduAnswer:
        """See `CardPath.exchange`."""
        return await exchange(self._module.apdu, command)

    def forget(self) -> None:
        """See `CardPath.forget`."""
        self._selected = False

    async def close(self) -> None:
        """Nothing to give back: the modem selects what it needs."""
        self._selected = False


class ChannelPath(CardPath):
    """AT+CGLA on a logical channel of its own."""

    path = UsimPath.CHANNEL

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self._channel: int | None = None

    async def open(self) -> None:
        """Open the channel, unless there is one; opening selects the application."""
        if self._channel is not None:
            return
        channel = await patiently(lambda: self._module.open_channel(USIM_AID))
        if channel <= 0:
            raise UnexpectedAnswer("AT+CCHO", str(channel), "a channel's number above 0")
        self._channel = channel

    async def exchange(self, command: bytes) -> ApduAnswer:
        """See `CardPath.exchange`."""
        channel = self._channel
        if channel is None:
            raise ModuleError("the channel to the USIM is not open", hint="open the USIM again")

        async def send(apdu: bytes) -> bytes:
            return await self._module.apdu(apdu, channel)

        return await exchange(send, command)

    def forget(self) -> None:
        """See `CardPath.forget`."""
        self._channel = None

    async def close(self) -> None:
        """Close the channel."""
        channel, self._channel = self._channel, None
        if channel is not None:
            try:
                await self._module.close_channel(channel)
            except ModuleError:
                return  # it is gone with whatever went wrong
