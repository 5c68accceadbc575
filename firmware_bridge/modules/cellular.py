"""What the 3GPP defines for every family: registration, attaching, power saving, signal.

Needs the family's tables to have the operations `radio_on`, `radio_state`, `sim_state`,
`registration`, `registration_events`, `connection_events`, `attach`, `detach`, `address`, `signal`,
`psm_on`, `psm_off`, `edrx_on`, `edrx_off`, `edrx_granted`. A family that differs overrides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from firmware_bridge.at.events import Urc
from firmware_bridge.at.fields import after_colon, number, split_fields, unquote
from firmware_bridge.errors import (
    CommandFailed,
    Detached,
    ModuleTimeout,
    NotSupported,
    RegistrationDenied,
    SimNotReady,
    UnexpectedAnswer,
)
from firmware_bridge.modules.atmodule import AtModule
from firmware_bridge.modules.events import (
    AddressChanged,
    RegistrationChanged,
    RrcConnected,
    RrcReleased,
    SimChanged,
    UnknownEvent,
)
from firmware_bridge.modules.nonip import NonIpSocket, decode_crtdcp, largest_message
from firmware_bridge.modules.records import (
    PowerSaving,
    RadioReport,
    Registration,
    RegistrationState,
)
from firmware_bridge.modules.simaccess import decode_apdu, decode_channel
from firmware_bridge.modules.threegpp import (
    CME_ERRORS,
    decode_cereg,
    decode_cesq,
    decode_edrx_cycle,
    decode_paging_window,
    encode_edrx_cycle,
    encode_t3324,
    encode_t3412,
)

if TYPE_CHECKING:
    from firmware_bridge.at.log import AtLog
    from firmware_bridge.line import Line
    from firmware_bridge.modules.contract import DatagramSocket, ModuleOptions

__all__ = ["CellularModule", "plain_text"]

POLL_S = 2.0
"""Between two questions for registration or address, s."""
SIM_PATIENCE_S = 10.0
"""How long a SIM may take after the radio is switched on, s."""
DENIED_PATIENCE_S = 20.0
"""How long a denial without a permanent cause may last before it is believed, s."""
PERMANENT_CAUSES = frozenset({3, 6, 7, 8, 11, 14, 35})
"""EMM causes after which this network is not tried again (TS 24.301 5.5.1.2.5): subscription or
device not accepted, network not allowed."""
ROHC = 4
"""<PDP_head_comp> of TS 27.007 10.1.1: RFC 3095, profiles as TS 36.323."""
GRANT_PATIENCE_S = 15.0
"""How long the network may take to grant power saving, s."""


class CellularModule(AtModule):
    """Registration, attaching, power saving and signal as TS 27.007 has them."""

    def __init__(
        self, line: Line, *, log: AtLog | None = None, options: ModuleOptions | None = None
    ) -> None:
        super().__init__(line, log=log, options=options)
        self._handlers |= {
            "registration": self._on_registration,
            "connection": self._on_connection,
            "sim": self._on_sim,
            "address": self._on_address,
            "non-ip": self._on_non_ip,
        }

    async def _configure(self) -> None:
        await super()._configure()
        await self._optional("error_numbers", "error-numbers")
        for level in (5, 4, 2, 1):
            if await self._optional("registration_events", "", level=level):
                break
        else:
            self._degrade("registration-events", "AT+CEREG=5, 4, 2 and 1 were refused")
        await self._optional("connection_events", "rrc-events")

    # -- asking ------------------------------------------------------------------------------------

    async def registration(self) -> Registration:
        """See `Module.registration`."""
        response = await self.ask("registration")
        for line in response.lines:
            found = decode_cereg(line, read=True)
            if found is not None:
                return found
        raise UnexpectedAnswer(response.command, " | ".join(response.lines), "+CEREG: n,stat,...")

    async def radio(self) -> RadioReport:
        """See `Module.radio`: signal strength and quality of AT+CESQ."""
        response = await self.ask("signal")
        for line in response.lines:
            rsrp_dbm, rsrq_db = decode_cesq(line)
            return RadioReport(at=response.done_at, rsrp_dbm=rsrp_dbm, rsrq_db=rsrq_db)
        raise UnexpectedAnswer(response.command, " | ".join(response.lines), "+CESQ: ...")

    async def address(self) -> str:
        """See `Module.address`."""
        found = await self._context_address()
        if found is None:
            raise Detached("the module has no address")
        return found[1]

    async def power_saving(self) -> PowerSaving:
        """See `Module.power_saving`."""
        registration = await self.registration()
        active, periodic = registration.active_time_s, registration.periodic_tau_s
        if registration.registered and not registration.timers_told:
            active, periodic = await self._timers_granted()
        cycle, window = await self._edrx_granted()
        return PowerSaving(
            psm=active is not None,
            active_time_s=active,
            periodic_tau_s=periodic,
            edrx_cycle_s=cycle,
            paging_window_s=window,
        )

    # -- attaching ---------------------------------------------------------------------------------

    async def attach(self, apn: str | None = None, timeout_s: float = 180.0) -> Registration:
        """See `Module.attach`."""
        if apn is not None:
            plain_text("apn", apn)
        deadline = self._loop.time() + timeout_s
        await self.ready()
        if apn is not None:
            await self._set_apn(apn)
        if await self._radio_state() != 1:
            await self.ask("radio_on")
        await self._wait_for_sim()
        await self._see_that_it_searches()
        registration = await self._wait_registered(deadline, timeout_s)
        with_address = self.options.pdp_type != "NONIP"
        while with_address and await self._context_address() is None:
            if self._loop.time() >= deadline:
                raise Detached(
                    f"registered, but the network gave no address within {timeout_s:g} s",
                    hint="check the APN",
                )
            await self._notice(POLL_S)
        return registration

    async def detach(self) -> None:
        """See `Module.detach`: AT+CGATT=0, else AT+CFUN=0."""
        try:
            await self.ask("detach")
        except CommandFailed:
            await self.ask("radio_off")
        self._lose_sockets("detached")

    async def sim_state(self) -> str:
        """See `Module.sim_state`: AT+CPIN?."""
        try:
            response = await self.ask("sim_state")
        except CommandFailed as error:
            return CME_ERRORS.get(error.code or -1, f"AT+CPIN? was answered {error.text}")
        return after_colon(response.lines[0]) if response.lines else ""

    async def operator(self) -> str:
        """See `Module.operator`: AT+COPS? in digits."""
        await self._optional("operator_as_digits", "")
        response = await self.ask("operator")
        for line in response.lines:
            fields = split_fields(after_colon(line))
            if len(fields) > 2:
                return unquote(fields[2])
        return ""

    async def select_operator(self, plmn: str | None) -> None:
        """See `Module.select_operator`: AT+COPS."""
        if plmn is None:
            await self.ask("any_operator")
            return
        if not (plmn.isascii() and plmn.isdigit() and len(plmn) in (5, 6)):
            raise ValueError(f"operator {plmn!r} must be 5 or 6 digits (MCC and MNC)")
        await self.ask("choose_operator", plmn=plmn)

    async def select_bands(self, bands: Sequence[int]) -> None:
        """See `Module.select_bands`."""
        if not bands or any(not 1 <= band <= 255 for band in bands):
            raise ValueError(f"bands {list(bands)} must be numbers from 1 to 255")
        await self.ask("bands", count=len(bands), bands=",".join(str(band) for band in bands))

    async def _set_apn(self, apn: str) -> None:
        """Make `apn` the one that the module attaches with, if it is not yet."""
        raise NotImplementedError

    async def _see_that_it_searches(self) -> None:
        """Ask for the attach if the module does not set about it by itself (after a detach)."""
        for _ in range(2):
            if (await self.registration()).state is not RegistrationState.IDLE:
                return
            await self._notice(POLL_S)
        try:
            await self._optional("attach", "")
        except ModuleTimeout:
            return  # it may take longer than the command's time: the registration tells

    async def _radio_state(self) -> int | None:
        return number(after_colon(await self._first_line("radio_state")))

    async def _wait_for_sim(self) -> None:
        deadline = self._loop.time() + SIM_PATIENCE_S
        while True:
            state = await self.sim_state()
            if state == "READY":
                return
            if state.startswith(("SIM PIN", "SIM PUK", "PH-")) or self._loop.time() >= deadline:
                raise SimNotReady(state)
            await self._notice(1.0)

    async def _wait_registered(self, deadline: float, timeout_s: float) -> Registration:
        denied_since: float | None = None
        while True:
            registration = await self.registration()
            now = self._loop.time()
            if registration.registered:
                return registration
            if registration.state is not RegistrationState.DENIED:
                denied_since = None
            elif denied_since is None:
                denied_since = now
            left = deadline - now
            if denied_since is not None and (
                registration.cause in PERMANENT_CAUSES
                or now - denied_since >= DENIED_PATIENCE_S
                or left <= 0
            ):
                raise RegistrationDenied(registration.cause)
            if left <= 0:
                raise Detached(
                    f"not registered within {timeout_s:g} s "
                    f"(state {registration.state.name.lower()})"
                )
            await self._notice(min(POLL_S, left))

    async def _context_address(self) -> tuple[int, str] | None:
        """The first context with an address."""
        for operation in ("address", "address_of"):
            values = {"context": self.FAMILY.context_id} if operation == "address_of" else {}
            try:
                response = await self.ask(operation, **values)
            except CommandFailed:
                continue
            for line in response.lines:
                fields = [unquote(field) for field in split_fields(after_colon(line))]
                context = number(fields[0])
                if context is not None and len(fields) > 1 and _is_address(fields[1]):
                    return context, fields[1]
        return None

    # -- power saving ------------------------------------------------------------------------------

    async def configure_power_saving(self, wanted: PowerSaving) -> PowerSaving:
        """See `Module.configure_power_saving`.

        Waits up to 15 s for the network's answer when the module is registered.
        """
        periodic = _quoted(encode_t3412, wanted.periodic_tau_s)
        active = _quoted(encode_t3324, wanted.active_time_s)
        cycle = None if wanted.edrx_cycle_s is None else encode_edrx_cycle(wanted.edrx_cycle_s)
        if wanted.psm:
            await self.ask("psm_on", timers=f",,,{periodic},{active}".rstrip(","))
        else:
            await self.ask("psm_off")
        if cycle is None:
            await self._optional("edrx_off", "")
        else:
            await self.ask("edrx_on", cycle=cycle)
        registration = await self.registration()
        if not registration.registered:
            return PowerSaving()
        deadline = self._loop.time() + GRANT_PATIENCE_S
        while True:
            granted = await self.power_saving()
            settled = granted.psm == wanted.psm and (
                (granted.edrx_cycle_s is None) == (wanted.edrx_cycle_s is None)
            )
            if settled or self._loop.time() >= deadline:
                return granted
            await self._notice(POLL_S)

    async def _timers_granted(self) -> tuple[float | None, float | None]:
        """T3324 and T3412 in s where +CEREG does not tell them."""
        return None, None

    async def _edrx_granted(self) -> tuple[float | None, float | None]:
        line = await self._first_line("edrx_granted")
        fields = split_fields(after_colon(line)) if line else []
        if len(fields) < 3 or number(fields[0]) in (None, 0):
            return None, None
        window = decode_paging_window(fields[3]) if len(fields) > 3 else None
        return decode_edrx_cycle(fields[2]), window

    async def configure_header_compression(self, on: bool) -> None:
        """See `Module.configure_header_compression`: the last field of AT+CGDCONT."""
        for line in (await self.ask("read_contexts")).lines:
            fields = [unquote(field) for field in split_fields(after_colon(line))]
            if len(fields) > 2:
                break
        else:
            raise Detached("the module has no PDP context to set up", hint="call attach() first")
        try:
            await self.ask(
                "header_compression",
                context=fields[0],
                type=fields[1],
                apn=fields[2],
                value=ROHC if on else 0,
            )
        except CommandFailed as error:
            raise NotSupported(self.family, "header compression", error.text) from error

    # -- non-IP data and the SIM -------------------------------------------------------------------

    async def open_non_ip(self, apn: str | None = None) -> DatagramSocket:
        """See `Module.open_non_ip`: AT+CRTDCP switches its messages on."""
        self.FAMILY.request("send_non_ip")
        if apn is not None:
            plain_text("apn", apn)
        await self.ready()
        context = self.options.context_id
        if context is None:
            context = self.FAMILY.context_id
        if apn is not None:
            await self.ask("non_ip_context", context=context, apn=apn)
        try:
            await self.ask("non_ip_events")
        except CommandFailed as error:
            raise NotSupported(self.family, "non-IP data", error.text) from error
        limit = self.options.max_payload
        for told in () if limit else ("non_ip_send_limits", "non_ip_limits"):
            limit = limit or largest_message(await self._first_line(told))
        limit = limit or self.FAMILY.max_payload
        socket = NonIpSocket(self, context, limit)
        self._sockets[socket.socket_id] = socket
        return socket

    async def apdu(self, command: bytes, channel: int = 0) -> bytes:
        """See `Module.apdu`: AT+CSIM, or AT+CGLA on a logical channel."""
        if len(command) < 4:
            raise ValueError(f"an APDU has at least 4 octets, not {len(command)}")
        values: dict[str, object] = {"size": 2 * len(command), "data": command.hex().upper()}
        if channel:
            response = await self.ask("sim_channel_apdu", channel=channel, **values)
        else:
            response = await self.ask("sim_apdu", **values)
        for line in response.lines:
            data = decode_apdu(line)
            if data is not None:
                return data
        raise UnexpectedAnswer(response.command, " | ".join(response.lines), "length and digits")

    async def open_channel(self, aid: bytes) -> int:
        """See `Module.open_channel`: AT+CCHO."""
        response = await self.ask("sim_open_channel", aid=aid.hex().upper())
        for line in response.lines:
            channel = decode_channel(line)
            if channel is not None:
                return channel
        raise UnexpectedAnswer(response.command, " | ".join(response.lines), "a channel's number")

    async def close_channel(self, channel: int) -> None:
        """See `Module.close_channel`: AT+CCHC."""
        await self.ask("sim_close_channel", channel=channel)

    # -- what comes unasked ------------------------------------------------------------------------

    def _on_registration(self, urc: Urc) -> None:
        registration = decode_cereg(urc.text, read=False)
        if registration is None:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))
            return
        self._emit(RegistrationChanged(at=urc.at, registration=registration))

    def _on_connection(self, urc: Urc) -> None:
        connected = after_colon(urc.text).startswith("1")
        self._emit(RrcConnected(at=urc.at) if connected else RrcReleased(at=urc.at))

    def _on_sim(self, urc: Urc) -> None:
        self._emit(SimChanged(at=urc.at, state=after_colon(urc.text)))

    def _on_address(self, urc: Urc) -> None:
        self._emit(AddressChanged(at=urc.at, address=unquote(after_colon(urc.text))))

    def _on_non_ip(self, urc: Urc) -> None:
        found = decode_crtdcp(urc.text)
        socket = None if found is None else self._sockets.get(-1 - found[0])
        if found is None or socket is None:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))
        else:
            socket.deliver(found[1], urc.at)


def plain_text(name: str, value: str) -> str:
    """`value`, if it can stand in a command. Raises `ValueError`."""
    if not value or not value.isascii() or not value.isprintable() or set(value) & set('",'):
        raise ValueError(f"{name} {value!r} must be plain text without quotes and commas")
    return value


def _quoted(encode: Callable[[float], str], seconds: float | None) -> str:
    return "" if seconds is None else f'"{encode(seconds)}"'


def _is_address(text: str) -> bool:
    return any(character not in "0.:" for character in text)
