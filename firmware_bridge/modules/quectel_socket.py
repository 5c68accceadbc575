"""A UDP socket of a Quectel NB-IoT module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_bridge.at.exchange import Response
from firmware_bridge.errors import CommandFailed, NotSupported, SocketLost, UnexpectedAnswer
from firmware_bridge.modules.quectel_lines import GONE, decode_qird
from firmware_bridge.modules.records import ReleaseAssistance, SendReceipt
from firmware_bridge.modules.sockets import ModuleSocket

if TYPE_CHECKING:
    from firmware_bridge.modules.quectel import QuectelNbIot

__all__ = ["QuectelSocket"]


class QuectelSocket(ModuleSocket):
    """Made by `open_udp`."""

    def __init__(self, module: QuectelNbIot, socket_id: int, host: str, port: int) -> None:
        super().__init__(module, socket_id, host, port)
        self._module = module
        self._binary = module.options.payload_format == "binary"
        if self._binary and module.options.max_payload is None:
            self._limit = module.FAMILY.max_binary_payload or self._limit

    async def send(
        self, data: bytes, rai: ReleaseAssistance = ReleaseAssistance.NONE
    ) -> SendReceipt:
        """See `DatagramSocket.send`. The payload goes in hexadecimal digits, or after a prompt.

        Release assistance is the last argument of the command, or AT+QNBIOTRAI ahead of it where
        the firmware does not take the argument.
        """
        self._check_size(data)
        rai = ReleaseAssistance(rai)
        await self._module.ready()
        self._check_open()
        values: dict[str, object] = {"id": self.socket_id, "size": len(data)}
        values |= {"payload": data} if self._binary else {"data": data.hex().upper()}
        try:
            if rai is ReleaseAssistance.NONE:
                await self._module.no_release_assistance()
                receipt = _receipt(await self._send(values), "")
            else:
                receipt = await self._send_with_release(values, rai)
        except CommandFailed as error:
            if error.code in GONE or (self.suspect and not error.text.startswith("SEND")):
                reason = "network" if error.code in GONE else "deep-sleep"
                self.lose(reason)
                raise SocketLost(self.socket_id, f"{reason}: {error}") from error
            raise
        self.suspect = False
        return receipt

    async def _send_with_release(
        self, values: dict[str, object], rai: ReleaseAssistance
    ) -> SendReceipt:
        module = self._module
        if module.release_by != "command" and not self._binary:
            try:
                response = await module.ask("send_with_release", **values, rai=int(rai))
            except CommandFailed as error:
                known = module.release_by == "argument" or self.suspect
                if known or not _may_be_syntax(error):
                    raise
                refused = error
            else:
                module.release_by = "argument"
                return _receipt(response, "argument")
            if not await module.release_command_works(rai):
                raise NotSupported(
                    module.family, "release assistance", f"it answered {refused.text}"
                ) from refused
        elif not await module.release_command_works(rai):
            raise NotSupported(module.family, f"release assistance {rai.name}")
        return _receipt(await self._send(values), "command")

    async def _send(self, values: dict[str, object]) -> Response:
        return await self._module.ask("send_binary" if self._binary else "send", **values)

    async def close(self) -> None:
        """See `DatagramSocket.close`."""
        if self._lost is not None:
            return
        self.lose("closed", tell=False)
        try:
            await self._module.ask("close", id=self.socket_id)
        except CommandFailed:
            return  # it was gone already

    async def _fetch(self) -> tuple[bytes, float]:
        if self._binary:
            response = await self._module.ask("read_binary", id=self.socket_id, size=self._limit)
            return b"".join(response.bodies), response.done_at
        response = await self._module.ask("read", id=self.socket_id, size=self._limit)
        data = decode_qird(response.lines)
        if data is None:
            raise UnexpectedAnswer(
                response.command, " | ".join(response.lines), "a length and as many octets"
            )
        return data, response.done_at


def _receipt(response: Response, how: str) -> SendReceipt:
    return SendReceipt(
        written_at=response.written_at, accepted_at=response.done_at, release_assistance=how
    )


def _may_be_syntax(error: CommandFailed) -> bool:
    """Whether a refusal may be about the argument: plain ERROR, or codes that say so."""
    return error.text == "ERROR" or error.code in (3, 4, 50, 552, 555)
