"""What the Quectel NB-IoT families do alike; each family's file holds its tables."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from firmware_bridge.at.events import Body, Urc
from firmware_bridge.at.fields import after_colon, number, split_fields, unquote
from firmware_bridge.errors import (
    CommandFailed,
    Detached,
    ModuleError,
    ModuleTimeout,
    UnexpectedAnswer,
)
from firmware_bridge.modules.cellular import CellularModule, plain_text
from firmware_bridge.modules.events import (
    DeepSleepEntered,
    DeepSleepLeft,
    NetworkContextLost,
    PsmEntered,
    PsmLeft,
    UnknownEvent,
)
from firmware_bridge.modules.quectel_lines import (
    IDENTITY_IN_USE,
    SOCKET_ERRORS,
    decode_counters,
    decode_qiurc,
    decode_serving_cell,
)
from firmware_bridge.modules.quectel_socket import QuectelSocket
from firmware_bridge.modules.records import Identity, RadioReport, ReleaseAssistance
from firmware_bridge.modules.threegpp import CME_ERRORS

if TYPE_CHECKING:
    from firmware_bridge.at.log import AtLog
    from firmware_bridge.line import Line
    from firmware_bridge.modules.contract import ModuleOptions

__all__ = ["QuectelNbIot"]

DNS_PATIENCE_S = 60.0
"""How long the network may take to resolve a name, s."""


class QuectelNbIot(CellularModule):
    """Driver of the families whose tables stand in `FAMILY`."""

    ERRORS: ClassVar = CME_ERRORS | SOCKET_ERRORS

    def __init__(
        self, line: Line, *, log: AtLog | None = None, options: ModuleOptions | None = None
    ) -> None:
        super().__init__(line, log=log, options=options)
        self.release_by = ""
        self._release_set = ReleaseAssistance.NONE
        self._context: int | None = None
        self._apn_set: tuple[str, str] | None = None
        self._names: asyncio.Queue[list[str]] | None = None
        self._handlers |= {
            "sleep": self._on_sleep,
            "awake": self._on_awake,
            "socket": self._on_socket,
            "dns": self._on_dns,
        }

    async def _configure(self) -> None:
        await super()._configure()
        await self._optional("sleep_events", "sleep-events")
        for setting in ("show_length", "hide_remote", "view_mode"):
            await self._optional(setting, "")
        if "deep_sleep_events" in self.FAMILY.requests:
            await self._optional("deep_sleep_events", "deep-sleep-events")

    def _forget_settings(self, reason: str) -> None:
        super()._forget_settings(reason)
        self._context = None
        self._release_set = ReleaseAssistance.NONE

    # -- asking ------------------------------------------------------------------------------------

    async def identify(self) -> Identity:
        """See `Module.identify`."""
        about = await self.ask("identify")
        plain = [line for line in about.lines if not line.startswith("Revision:")]
        revision = [line for line in about.lines if line.startswith("Revision:")]
        if not plain:
            raise UnexpectedAnswer("ATI", " | ".join(about.lines), "manufacturer and model")
        firmware = _after_revision(revision[0]) if revision else ""
        told = await self._first_line("firmware")
        self.identity = Identity(
            manufacturer=plain[0],
            model=plain[1] if len(plain) > 1 else "",
            firmware=_after_revision(told) or firmware,
            imei=unquote(after_colon(await self._first_line("imei"))),
            iccid=after_colon(await self._first_line("iccid")),
        )
        return self.identity

    async def radio(self) -> RadioReport:
        """See `Module.radio`: AT+QENG=0, else signal strength and quality of AT+CESQ alone."""
        try:
            response = await self.ask("radio_report")
        except CommandFailed as error:
            self._degrade("serving-cell", str(error))
        else:
            for line in response.lines:
                report = decode_serving_cell(line, response.done_at)
                if report is not None:
                    return report
        return await super().radio()

    async def counters(self) -> dict[str, float]:
        """See `Module.counters`: `sleep_time_s`, `rx_time_s`, `tx_time_s` since boot."""
        response = await self.ask("counters")
        for line in response.lines:
            found = decode_counters(line)
            if found is not None:
                return found
        raise UnexpectedAnswer(response.command, " | ".join(response.lines), "+QENG: 3,a,b,c")

    # -- attaching and power saving ----------------------------------------------------------------

    async def _set_apn(self, apn: str) -> None:
        wanted = self.options.pdp_type, _apn_stem(apn)
        stored = await self._stored_apn() or self._apn_set
        if stored is not None and (stored[0], _apn_stem(stored[1])) == wanted:
            return
        await self.ask("set_apn", type=self.options.pdp_type, apn=apn)
        self._apn_set = self.options.pdp_type, apn
        if self.options.reset_for_apn:
            await self.reset()

    async def _stored_apn(self) -> tuple[str, str] | None:
        """PDP type and APN that the module would attach with; None if it does not tell."""
        for operation, place in (("read_apn", 0), ("read_contexts", 1)):
            try:
                response = await self.ask(operation)
            except CommandFailed:
                continue
            for line in response.lines:
                fields = [unquote(field) for field in split_fields(after_colon(line))]
                if len(fields) > place + 1:
                    return fields[place].upper(), fields[place + 1]
        return None

    async def _timers_granted(self) -> tuple[float | None, float | None]:
        line = await self._first_line("psm_granted")
        fields = [number(field) for field in split_fields(after_colon(line))] if line else []
        if len(fields) < 2 or fields[0] is None:
            return None, None
        return float(fields[0]), None if fields[1] is None else float(fields[1])

    async def no_release_assistance(self) -> None:
        """Take back a release assistance that was set by a command of its own."""
        if self._release_set is not ReleaseAssistance.NONE:
            await self.ask("release_assistance", rai=0)
            self._release_set = ReleaseAssistance.NONE

    async def release_command_works(self, rai: ReleaseAssistance) -> bool:
        """Set release assistance by its own command; False if that is refused too."""
        try:
            await self.ask("release_assistance", rai=int(rai))
        except CommandFailed:
            return False
        self.release_by = "command"
        self._release_set = rai
        self._degrade("release-assistance-argument", "AT+QISEND takes none: AT+QNBIOTRAI is used")
        return True

    async def detach(self) -> None:
        """See `Module.detach`: AT+CGATT=0, else AT+CFUN=0."""
        self._context = None
        await super().detach()

    # -- sockets -----------------------------------------------------------------------------------

    async def open_udp(self, host: str, port: int, local_port: int = 0) -> QuectelSocket:
        """See `Module.open_udp`. The payload's format is set each time: sleep may forget it."""
        plain_text("host", host)
        if not 1 <= port <= 65_535 or not 0 <= local_port <= 65_535:
            raise ValueError(f"port {port} or local port {local_port} is not within 1 to 65535")
        await self.ready()
        context = await self._socket_context()
        binary = self.options.payload_format == "binary"
        await self.ask("binary_format" if binary else "hex_format")
        socket_id = self._free_id()
        values: dict[str, object] = {
            "context": context,
            "id": socket_id,
            "host": host,
            "port": port,
            "local_port": local_port,
            "mode": 1 if self.options.receive_mode == "direct" else 0,
        }
        try:
            await self.ask("open_udp", **values)
        except CommandFailed as error:
            if error.code != IDENTITY_IN_USE:
                raise
            await self._optional("close", "", id=socket_id)
            await self.ask("open_udp", **values)
        socket = QuectelSocket(self, socket_id, host, port)
        self._sockets[socket_id] = socket
        return socket

    async def resolve(self, name: str) -> tuple[str, ...]:
        """See `Module.resolve`: AT+QIDNSGIP."""
        plain_text("name", name)
        await self.ready()
        context = await self._socket_context()
        if self._names is not None:
            raise ModuleError("another name is being resolved", hint="one at a time")
        told: asyncio.Queue[list[str]] = asyncio.Queue()
        self._names = told
        try:
            await self.ask("resolve", context=context, name=name)
            result, *more = await _next(told, DNS_PATIENCE_S, name)
            if number(result) != 0:
                raise CommandFailed(
                    f"AT+QIDNSGIP={name}",
                    f"result {result}",
                    number(result),
                    meaning=SOCKET_ERRORS.get(number(result) or -1, ""),
                )
            count = number(more[0]) if more else None
            return tuple(
                [(await _next(told, DNS_PATIENCE_S, name))[0] for _ in range(min(count or 1, 16))]
            )
        finally:
            self._names = None

    async def _socket_context(self) -> int:
        if self.options.context_id is not None:
            return self.options.context_id
        if self._context is None:
            found = await self._context_address()
            if found is None:
                raise Detached("the module has no address to use a socket with")
            self._context = found[0]
        return self._context

    # -- what comes unasked ------------------------------------------------------------------------

    def _on_dns(self, urc: Urc) -> None:
        self._tell_name([unquote(field) for field in split_fields(after_colon(urc.text))], urc)

    def _tell_name(self, fields: list[str], urc: Urc) -> None:
        if self._names is None or not fields:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))
        else:
            self._names.put_nowait(fields)

    def _on_awake(self, urc: Urc) -> None:
        self._asleep = False
        self._emit(DeepSleepLeft(at=urc.at))

    def _on_sleep(self, urc: Urc) -> None:
        said = unquote(after_colon(urc.text)).upper()
        entering = said.startswith("ENTER")
        if entering:
            self._emit(
                PsmEntered(at=urc.at) if said.endswith("PSM") else DeepSleepEntered(at=urc.at)
            )
            self._asleep = True
            if self.FAMILY.sleep_loses_sockets:
                self._lose_sockets("deep-sleep")
        elif said.startswith("EXIT"):
            self._asleep = False
            self._emit(PsmLeft(at=urc.at) if said.endswith("PSM") else DeepSleepLeft(at=urc.at))
        else:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))

    def _on_body(self, body: Body) -> None:
        """A datagram that was pushed as it is: `+QIURC: "recv",<id>,<n>,"<octets>"`."""
        socket = self._sockets.get(_or_none(number(split_fields(after_colon(body.header))[1])))
        if socket is not None:
            socket.deliver(body.data, body.at)
        else:
            self._emit(UnknownEvent(at=body.at, name=body.urc, text=body.header))

    def _on_socket(self, urc: Urc) -> None:
        line = decode_qiurc(urc.text, direct=self.options.receive_mode == "direct")
        socket = None if line is None else self._sockets.get(line.socket_id or 0)
        if line is None:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))
        elif line.kind == "dnsgip":
            self._tell_name(list(line.fields), urc)
        elif line.kind == "pdpdeact":
            self._context = None
            self._emit(NetworkContextLost(at=urc.at, context_id=line.socket_id or 0))
            self._lose_sockets("context-lost")
        elif line.kind == "closed" and socket is not None:
            socket.lose("network")
        elif line.kind == "recv" and socket is not None:
            if line.data is not None:
                socket.deliver(line.data, urc.at)
            else:
                socket.announce(urc.at)
        else:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))


async def _next(told: asyncio.Queue[list[str]], timeout_s: float, name: str) -> list[str]:
    try:
        async with asyncio.timeout(timeout_s):
            return await told.get()
    except TimeoutError:
        raise ModuleTimeout(f"the question for the name {name}", timeout_s) from None


def _or_none(value: int | None) -> int:
    return -1 if value is None else value


def _apn_stem(apn: str) -> str:
    """Without the operator identifier that the network adds (TS 23.003 9.1)."""
    return apn.casefold().partition(".mnc")[0]


def _after_revision(text: str) -> str:
    return text.removeprefix("Revision:").strip()
