"""Non-IP data over the control plane: AT+CSODCP and AT+CRTDCP (TS 27.007 10.1.43, 10.1.44)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from firmware_bridge.at.fields import after_colon, number, octets, split_fields, unquote
from firmware_bridge.errors import CommandFailed, NotSupported
from firmware_bridge.modules.records import ReleaseAssistance, SendReceipt
from firmware_bridge.modules.sockets import ModuleSocket

if TYPE_CHECKING:
    from firmware_bridge.modules.cellular import CellularModule

__all__ = ["NonIpSocket", "decode_crtdcp", "largest_message"]

_LIMITS = (
    re.compile(r"\+CSODCP: ?\([^)]*\),\((?:\d+-)?(\d+)\)"),
    re.compile(r"\((?:\d+-)?(\d+)\)\s*$"),
)
"""Up: the second field of AT+CSODCP=?. Down: the last of AT+CRTDCP=?."""


class NonIpSocket(ModuleSocket):
    """The non-IP way of one PDN connection. Made by `open_non_ip`.

    `socket_id` is -1 less the context's number, to be apart from UDP sockets.
    """

    def __init__(self, module: CellularModule, context: int, limit: int) -> None:
        super().__init__(module, -1 - context, "", 0)
        self._module = module
        self._context = context
        self._limit = limit

    async def send(
        self, data: bytes, rai: ReleaseAssistance = ReleaseAssistance.NONE
    ) -> SendReceipt:
        """See `DatagramSocket.send`. Accepted means OK: the module took the message."""
        self._check_size(data)
        rai = ReleaseAssistance(rai)
        await self._module.ready()
        self._check_open()
        values = {"context": self._context, "size": len(data), "data": data.hex().upper()}
        if rai is ReleaseAssistance.NONE:
            response = await self._module.ask("send_non_ip", **values)
        else:
            try:
                response = await self._module.ask(
                    "send_non_ip_with_release", **values, rai=int(rai)
                )
            except CommandFailed as error:
                if error.code not in (None, 3, 4, 50):
                    raise
                raise NotSupported(
                    self._module.family, "release assistance of non-IP data", error.text
                ) from error
        return SendReceipt(
            written_at=response.written_at,
            accepted_at=response.done_at,
            release_assistance="" if rai is ReleaseAssistance.NONE else "argument",
        )

    async def close(self) -> None:
        """See `DatagramSocket.close`. The PDN connection stays."""
        self.lose("closed", tell=False)

    async def _fetch(self) -> tuple[bytes, float]:
        raise NotSupported(self._module.family, "fetching non-IP data")


def decode_crtdcp(line: str) -> tuple[int, bytes] | None:
    """Context and message of `+CRTDCP: <cid>,<len>,<hex>` (quotes vary), or None."""
    fields = [unquote(field) for field in split_fields(after_colon(line))]
    if len(fields) < 3:
        return None
    context, length = number(fields[0]), number(fields[1])
    data = octets(fields[2])
    if context is None or data is None or length != len(data):
        return None
    return context, data


def largest_message(line: str) -> int | None:
    """The limit in `+CSODCP: (0-10),(950),(0-2)` or `+CRTDCP: (0-1),(0-10),(1600)`, or None."""
    up, down = _LIMITS
    found = (up if line.startswith("+CSODCP") else down).search(line)
    return int(found.group(1)) if found and len(found.group(1)) < 7 else None
