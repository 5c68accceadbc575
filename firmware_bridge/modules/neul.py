"""What modules of the Neul dialect do alike (HiSilicon chips: BC95, BC68; SARA-N2 is close)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from typing import TYPE_CHECKING

from firmware_bridge.at.events import Urc
from firmware_bridge.at.fields import after_colon, number, octets, split_fields, unquote
from firmware_bridge.errors import (
    CommandFailed,
    Detached,
    ModuleError,
    ModuleTimeout,
    NotSupported,
    UnexpectedAnswer,
)
from firmware_bridge.modules.cellular import CellularModule, plain_text
from firmware_bridge.modules.events import PsmEntered, PsmLeft, UnknownEvent
from firmware_bridge.modules.records import (
    Identity,
    RadioReport,
    ReleaseAssistance,
    SendReceipt,
)
from firmware_bridge.modules.sockets import ModuleSocket
from firmware_bridge.modules.threegpp import CME_ERRORS

if TYPE_CHECKING:
    from firmware_bridge.at.log import AtLog
    from firmware_bridge.line import Line
    from firmware_bridge.modules.contract import ModuleOptions

__all__ = ["NeulModule", "NeulSocket", "decode_nsorf", "decode_nuestats"]

RELEASE_FLAGS = {
    ReleaseAssistance.AFTER_UPLINK: "0x200",
    ReleaseAssistance.AFTER_DOWNLINK: "0x400",
}
"""Flags of AT+NSOSTF (docs.nbiot.engineering)."""

NOTHING_SENT = -32_768
"""TX power of AT+NUESTATS before the first transmission (BC35 field log), and levels without a
cell; its numbers are then all ones."""
NO_CELL = frozenset({0xFFFFFFFF, -1, 0xFFFF})

_BANDS_BY_EARFCN = (
    (0, 599, 1),
    (1_200, 1_949, 3),
    (2_400, 2_649, 5),
    (3_450, 3_799, 8),
    (6_150, 6_449, 20),
    (9_210, 9_659, 28),
)
"""Downlink EARFCNs of the bands that these modules have (TS 36.101 table 5.7.3-1)."""


class NeulModule(CellularModule):
    """Driver of the families of this dialect whose tables stand in `FAMILY`."""

    def __init__(
        self, line: Line, *, log: AtLog | None = None, options: ModuleOptions | None = None
    ) -> None:
        super().__init__(line, log=log, options=options)
        self._pinged: asyncio.Future[float] | None = None
        self._handlers |= {
            "psm": self._on_psm,
            "received": self._on_received,
            "closed": self._on_closed,
            "ping": self._on_ping,
        }

    async def _configure(self) -> None:
        await super()._configure()
        await self._optional("sleep_events", "sleep-events")

    async def _quiet(self) -> None:
        """There is no echo to switch off."""

    # -- asking ----------------------------------------------------------------------------------

    async def identify(self) -> Identity:
        """See `Module.identify`. The model is the firmware's prefix (`BC68JAR01A08`)."""
        versions = (await self.ask("identify")).lines
        firmware = await self._first_line("firmware")
        if not firmware:
            protocol = [line for line in versions if line.startswith("PROTOCOL_A")]
            firmware = after_comma(protocol[0]) if protocol else (versions or [""])[0]
        model = re.match(r"BC\d+", firmware)
        self.identity = Identity(
            manufacturer="Quectel",
            model=model.group(0) if model else "",
            firmware=firmware,
            imei=unquote(after_colon(await self._first_line("imei"))),
            iccid=after_colon(await self._first_line("iccid")),
        )
        return self.identity

    async def radio(self) -> RadioReport:
        """See `Module.radio`: AT+NUESTATS."""
        response = await self.ask("statistics")
        values = decode_nuestats(response.lines)
        if not values:
            raise UnexpectedAnswer(response.command, " | ".join(response.lines), "Signal power:...")
        cell, earfcn, pci = (
            None if values.get(name) in NO_CELL else values.get(name)
            for name in ("Cell ID", "EARFCN", "PCI")
        )
        return RadioReport(
            at=response.done_at,
            rsrp_dbm=_tenth(values.get("Signal power")),
            rssi_dbm=_tenth(values.get("Total power")),
            rsrq_db=_tenth(values.get("RSRQ")),
            sinr_db=_tenth(values.get("SNR")),
            ecl=values["ECL"] if values.get("ECL") in (0, 1, 2) else None,
            cell=None if cell is None else f"{cell:08X}",
            earfcn=earfcn,
            pci=pci,
            band=_band(earfcn),
            tx_power_dbm=_tenth(values.get("TX power")),
        )

    async def counters(self) -> dict[str, float]:
        """See `Module.counters`: `tx_time_s`, `rx_time_s` since boot."""
        values = decode_nuestats((await self.ask("statistics")).lines)
        return {
            name: values[theirs] / 1_000
            for theirs, name in (("TX time", "tx_time_s"), ("RX time", "rx_time_s"))
            if theirs in values
        }

    async def ping(self, host: str, timeout_s: float = 30.0) -> float:
        """See `Module.ping`: AT+NPING."""
        plain_text("host", host)
        if self._pinged is not None:
            raise ModuleError("another ping is under way", hint="one at a time")
        self._pinged = self._loop.create_future()
        try:
            await self.ask("ping", host=host)
            async with asyncio.timeout(timeout_s):
                return await self._pinged
        except TimeoutError as error:
            if isinstance(error, ModuleError):
                raise
            raise ModuleTimeout(f"AT+NPING={host}", timeout_s) from None
        finally:
            self._pinged = None

    # -- attaching -------------------------------------------------------------------------------

    async def sim_state(self) -> str:
        """See `Module.sim_state`: the SIM is there when AT+CIMI answers digits."""
        try:
            response = await self.ask("imsi")
        except CommandFailed as error:
            return CME_ERRORS.get(error.code or -1, f"AT+CIMI was answered {error.text}")
        if any(line.isdigit() for line in response.lines):
            return "READY"
        return "AT+CIMI was answered without digits"

    async def _set_apn(self, apn: str) -> None:
        for line in (await self.ask("read_contexts")).lines:
            fields = split_fields(after_colon(line))
            told = [unquote(field).casefold() for field in fields[1:3]]
            if told == [self.options.pdp_type.casefold(), apn.casefold()]:
                return
        await self.ask(
            "set_apn", context=self.FAMILY.context_id, type=self.options.pdp_type, apn=apn
        )

    # -- sockets ---------------------------------------------------------------------------------

    async def open_udp(self, host: str, port: int, local_port: int = 0) -> NeulSocket:
        """See `Module.open_udp`. `host` must be an address: this dialect sends to no name."""
        plain_text("host", host)
        if self.options.payload_format == "binary":
            raise NotSupported(self.family, "binary payloads", "it takes hexadecimal digits only")
        if not 1 <= port <= 65_535 or not 0 <= local_port <= 65_535:
            raise ValueError(f"port {port} or local port {local_port} is not within 1 to 65535")
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise NotSupported(
                self.family, f"sending to the name {host!r}", "give its address"
            ) from None
        await self.ready()
        if self.options.context_id is None and await self._context_address() is None:
            raise Detached("the module has no address to open a socket with")
        response = await self.ask("open_udp", local_port=local_port)
        socket_id = number(response.lines[0]) if response.lines else None
        if socket_id is None:
            raise UnexpectedAnswer(
                response.command, " | ".join(response.lines), "the socket's number"
            )
        stale = self._sockets.get(socket_id)
        if stale is not None:
            stale.lose("network")
        socket = NeulSocket(self, socket_id, host, port)
        self._sockets[socket_id] = socket
        return socket

    # -- what comes unasked ----------------------------------------------------------------------

    def _on_psm(self, urc: Urc) -> None:
        entered = after_colon(urc.text) == "1"
        self._emit(PsmEntered(at=urc.at) if entered else PsmLeft(at=urc.at))

    def _on_received(self, urc: Urc) -> None:
        socket = self._sockets.get(_first_number(urc.text))
        if socket is None:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))
        else:
            socket.announce(urc.at)

    def _on_closed(self, urc: Urc) -> None:
        socket = self._sockets.get(_first_number(urc.text))
        if socket is not None:
            socket.lose("network")

    def _on_ping(self, urc: Urc) -> None:
        waiting = self._pinged
        if waiting is None or waiting.done():
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))
            return
        taken_ms = number(split_fields(after_colon(urc.text))[-1])
        if urc.text.startswith("+NPINGERR") or taken_ms is None:
            waiting.set_exception(
                CommandFailed("AT+NPING", urc.text, hint="is the host reachable?")
            )
        else:
            waiting.set_result(taken_ms / 1_000)


class NeulSocket(ModuleSocket):
    """Made by `open_udp`."""

    def __init__(self, module: NeulModule, socket_id: int, host: str, port: int) -> None:
        super().__init__(module, socket_id, host, port)
        self._module = module

    async def send(
        self, data: bytes, rai: ReleaseAssistance = ReleaseAssistance.NONE
    ) -> SendReceipt:
        """See `DatagramSocket.send`. Accepted means that the module queued the datagram."""
        self._check_size(data)
        rai = ReleaseAssistance(rai)
        await self._module.ready()
        self._check_open()
        values: dict[str, object] = {
            "id": self.socket_id,
            "host": self.host,
            "port": self.port,
            "size": len(data),
            "data": data.hex().upper(),
        }
        if rai is ReleaseAssistance.NONE:
            response = await self._module.ask("send", **values)
        else:
            flag = RELEASE_FLAGS[rai]
            response = await self._module.ask("send_with_release", **values, flag=flag)
        for line in response.lines:
            taken = number(split_fields(line)[-1])
            if taken is not None and taken != len(data):
                raise UnexpectedAnswer(response.command, line, f"{self.socket_id},{len(data)}")
        return SendReceipt(
            written_at=response.written_at,
            accepted_at=response.done_at,
            release_assistance="" if rai is ReleaseAssistance.NONE else "argument",
        )

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
        response = await self._module.ask("read", id=self.socket_id, size=self._limit)
        if not response.lines:
            return b"", response.done_at
        data = decode_nsorf(response.lines[0])
        if data is None:
            raise UnexpectedAnswer(
                response.command, response.lines[0], "id,address,port,octets,hex,remaining"
            )
        return data, response.done_at


def decode_nsorf(line: str) -> bytes | None:
    """The datagram of `1,<ip>,<port>,<octets>,<hex>,<remaining>`, or None."""
    fields = [unquote(field) for field in split_fields(line)]
    if len(fields) < 6:
        return None
    data = octets(fields[4])
    return data if data is not None and number(fields[3]) == len(data) else None


def decode_nuestats(lines: list[str]) -> dict[str, int]:
    """The `Name:value` lines of AT+NUESTATS."""
    values = {}
    for line in lines:
        name, colon, text = line.partition(":")
        value = number(text)
        if colon and value is not None:
            values[name.strip()] = value
    return values


def after_comma(line: str) -> str:
    """`PROTOCOL_A,V150R100` -> `V150R100`."""
    return line.partition(",")[2].strip()


def _tenth(value: int | None) -> float | None:
    return None if value in (None, NOTHING_SENT) else value / 10


def _band(earfcn: int | None) -> int | None:
    if earfcn is None:
        return None
    return next((band for low, high, band in _BANDS_BY_EARFCN if low <= earfcn <= high), None)


def _first_number(text: str) -> int:
    value = number(split_fields(after_colon(text))[0])
    return -1 if value is None else value
