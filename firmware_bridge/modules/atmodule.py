"""A module behind the AT engine: what every driver needs, whatever the family.

State that the driver keeps, and what changes it:

    asleep       set by the family's sleep notices; cleared by its wake notices, a banner, an answer
    configured   set by start(); cleared by a banner, or when the module echoes again after sleep
    sockets      lost by deep sleep (where the family loses them), banner, lost context, lost line

A command is preceded by `AT` when the module is asleep, or after `WakePolicy.idle_s` of silence,
because a sleeping UART loses the first characters.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from firmware_bridge.at.engine import AtEngine
from firmware_bridge.at.events import Body, Noise, NoiseReason, Urc
from firmware_bridge.at.exchange import Response
from firmware_bridge.at.fields import number, split_fields
from firmware_bridge.errors import (
    CommandFailed,
    ModuleError,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
    NotSupported,
)
from firmware_bridge.modules.contract import Module, ModuleOptions
from firmware_bridge.modules.dialect import Family
from firmware_bridge.modules.events import (
    DeepSleepLeft,
    Degraded,
    LineVanished,
    NoiseRead,
    Rebooted,
    SocketClosed,
    UnknownEvent,
)
from firmware_bridge.modules.records import Identity
from firmware_bridge.modules.sockets import ModuleSocket
from firmware_bridge.modules.threegpp import CME_ERRORS

if TYPE_CHECKING:
    from firmware_bridge.at.log import AtLog
    from firmware_bridge.line import Line

__all__ = ["AtModule"]

_logger = logging.getLogger(__name__)

PULSE_S = 0.1
"""Length of the pulse on a wake-up pin, s."""
SAME_BOOT_S = 5.0
"""Banner lines closer than this belong to one boot, s."""


class AtModule(Module):
    """Life, waking, set-up, commands and unsolicited lines of a module of `FAMILY`."""

    FAMILY: ClassVar[Family]
    ERRORS: ClassVar[Mapping[int, str]] = CME_ERRORS
    """Meaning of error numbers."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "FAMILY" in cls.__dict__:
            cls.family = cls.FAMILY.name
            cls.default_baudrate = cls.FAMILY.baudrate
            cls.operations = dict(cls.FAMILY.operations)

    def __init__(
        self, line: Line, *, log: AtLog | None = None, options: ModuleOptions | None = None
    ) -> None:
        super().__init__(line, log=log, options=options)
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[int, ModuleSocket] = {}
        self._next_id = 0
        self._asleep = False
        self._configured = False
        self._configuring = False
        self._resetting = False
        self._reset_told = False
        self._banner_at = float("-inf")
        self._degraded: set[str] = set()
        self._noticed = asyncio.Event()
        self._handlers: dict[str, Callable[[Urc], None]] = {
            "boot": self._on_banner,
            "boot-rom": self._on_banner,
        }
        self.engine = AtEngine(
            line,
            self.FAMILY.syntax(binary=self.options.payload_format == "binary"),
            log=log,
            on_urc=self._on_urc,
            on_body=self._on_body,
            on_noise=self._on_noise,
            on_lost=self._on_lost,
            time_scale=self.options.time_scale,
        )

    # -- life --------------------------------------------------------------------------------------

    async def start(self) -> Identity:
        """See `Module.start`."""
        await self.wake()
        self._configured = False
        await self.ready()
        return await self.identify()

    async def wake(self) -> None:
        """See `Module.wake`: `AT` until it is answered, as the family's policy says."""
        pauses = self.FAMILY.wake.pauses()
        slept = self._asleep
        for attempt, pause_s in enumerate(pauses):
            if slept or attempt:
                await self._pulse()
            response = await self.engine.probe("AT", pause_s)
            if response is None:
                continue
            self._asleep = False
            if (slept or attempt) and response.echoed:
                self._configured = False  # echo is on again: the settings did not survive
            if attempt and self.FAMILY.sleep_loses_sockets:
                for socket in self._sockets.values():
                    socket.suspect = True  # it slept, perhaps deeply and without a word
            return
        waited_s = sum(pauses) * self.options.time_scale
        raise ModuleSilent("AT", waited_s, address=self.line.address)

    async def _pulse(self) -> None:
        """A falling edge on the wake-up pin, where the board has one."""
        match self.options.wake_line:
            case "dtr":
                self.line.set_modem_lines(dtr=False)
                await asyncio.sleep(PULSE_S)
                self.line.set_modem_lines(dtr=True)
            case "rts":
                self.line.set_modem_lines(rts=False)
                await asyncio.sleep(PULSE_S)
                self.line.set_modem_lines(rts=True)

    async def close(self) -> None:
        """See `Module.close`."""
        if not self.engine.lost and not self._asleep:
            for socket in tuple(self._sockets.values()):
                try:
                    await socket.close()
                except ModuleError as error:
                    _logger.debug("%s: closing a socket: %s", self.line.address, error)
                    break
        await self.engine.close()

    async def reset(self) -> None:
        """Reboot the module and wait until it answers again. Settings and sockets are gone."""
        self._resetting = True
        try:
            try:
                await self.ask("reset")
            except ModuleTimeout:
                _logger.debug("%s: no word to the reset", self.line.address)
            self._forget_settings("reboot")
            await asyncio.sleep(1.0)
            deadline = self._loop.time() + self.FAMILY.boot_s
            while True:
                try:
                    await self.wake()
                    break
                except ModuleSilent:
                    if self._loop.time() >= deadline:
                        raise
        finally:
            self._resetting = False
            self._reset_told = False
        await self.ready()

    async def ready(self) -> None:
        """See that the module listens and is set up as this driver needs it."""
        if self._configuring:
            return
        idle = self._loop.time() - self.engine.last_octet_at
        if self._asleep or idle > self.FAMILY.wake.idle_s:
            await self.wake()
        if not self._configured:
            try:
                await self._set_up()
            except ModuleRebooted:  # it was still booting, or fell over once
                await self.wake()
                await self._set_up()

    async def _set_up(self) -> None:
        self._configuring = True
        self._configured = True  # a banner meanwhile takes it back
        try:
            await self._configure()
        except BaseException:
            self._configured = False
            raise
        finally:
            self._configuring = False

    async def _configure(self) -> None:
        """Set the module up as this driver needs it. Commands go by `_execute`, `_optional`."""
        await self._quiet()

    async def _quiet(self) -> None:
        """Switch echo off."""
        await self._execute("echo_off")

    def _forget_settings(self, reason: str) -> None:
        """The module is as after a boot."""
        self._configured = False
        self._asleep = False
        self._lose_sockets(reason)

    # -- commands ----------------------------------------------------------------------------------

    async def ask(self, operation: str, **values: object) -> Response:
        """Run the family's command for `operation`, awake and set up.

        Raises `NotSupported` if the family has none, `CommandFailed` with the code's meaning.
        """
        request = self.FAMILY.request(operation)
        follow_up = request.command(**values).follow_up
        if follow_up is not None:
            await self.engine.settle(follow_up)  # it may take so long that the module dozes off
        await self.ready()
        try:
            return await self._execute(operation, **values)
        except ModuleSilent:
            if not request.repeatable or request.reboots:
                raise
            await self.wake()
            return await self._execute(operation, **values)

    async def _execute(self, operation: str, **values: object) -> Response:
        try:
            return await self.engine.execute(self.FAMILY.request(operation).command(**values))
        except CommandFailed as error:
            code = error.code if error.code is not None else _result_code(error.text)
            meaning = self.ERRORS.get(code or -1, "")
            raise CommandFailed(error.command, error.text, code, meaning=meaning) from None

    async def _optional(self, operation: str, feature: str, **values: object) -> bool:
        """Run a command that firmware may refuse; `feature` names what is then missing."""
        try:
            if self._configuring:
                await self._execute(operation, **values)
            else:
                await self.ask(operation, **values)
        except (CommandFailed, NotSupported) as error:
            if feature:
                self._degrade(feature, str(error))
            return False
        return True

    async def _first_line(self, operation: str) -> str:
        """First line of an answer that firmware may refuse; "" then."""
        try:
            response = await self.ask(operation)
        except (CommandFailed, NotSupported):
            return ""
        return response.lines[0] if response.lines else ""

    def _degrade(self, feature: str, reason: str) -> None:
        if feature not in self._degraded:
            self._degraded.add(feature)
            _logger.info(
                "%s: %s goes on without %s: %s", self.line.address, self.family, feature, reason
            )
            self._emit(Degraded(at=self._loop.time(), feature=feature, reason=reason))

    async def _notice(self, timeout_s: float) -> None:
        """Wait for the next unsolicited line, at most `timeout_s`."""
        self._noticed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._noticed.wait()
        except TimeoutError:
            return

    # -- sockets -----------------------------------------------------------------------------------

    def forget(self, socket: ModuleSocket, reason: str | None) -> None:
        """A socket is gone; `reason` None: the caller closed it."""
        if self._sockets.get(socket.socket_id) is socket:
            del self._sockets[socket.socket_id]
        if reason is not None:
            self._emit(
                SocketClosed(at=self._loop.time(), socket_id=socket.socket_id, reason=reason)
            )

    def _free_id(self) -> int:
        ids = self.FAMILY.socket_ids
        for step in range(len(ids)):
            candidate = ids[(self._next_id + step) % len(ids)]
            if candidate not in self._sockets:
                self._next_id = (self._next_id + step + 1) % len(ids)
                return candidate
        raise ModuleError(
            f"all {len(ids)} sockets of the {self.family} are open", hint="close one first"
        )

    def _lose_sockets(self, reason: str) -> None:
        for socket in tuple(self._sockets.values()):
            socket.lose(reason)

    # -- what comes unasked ------------------------------------------------------------------------

    def _on_urc(self, urc: Urc) -> None:
        handler = self._handlers.get(urc.name)
        if handler is not None:
            handler(urc)
        else:
            self._emit(UnknownEvent(at=urc.at, name=urc.name, text=urc.text))
        self._noticed.set()

    def _on_body(self, body: Body) -> None:
        """Octets that came unasked (binary payloads)."""

    def _on_noise(self, noise: Noise) -> None:
        if noise.reason is NoiseReason.LATE:
            return  # the answer to a command that nobody waits for any more
        garbage = noise.reason is not NoiseReason.UNEXPECTED
        self._emit(NoiseRead(at=noise.at, octets=len(noise.data), garbage=garbage))

    def _on_banner(self, urc: Urc) -> None:
        same_boot = urc.at - self._banner_at < SAME_BOOT_S or self._reset_told
        self._banner_at = urc.at
        if same_boot:
            return
        self._reset_told = self._resetting
        slept = self._asleep
        self._forget_settings("deep-sleep" if slept else "reboot")
        if slept and not self._resetting:  # some firmware boots out of deep sleep
            self._emit(DeepSleepLeft(at=urc.at))
        else:
            self._emit(Rebooted(at=urc.at, banner=urc.text, expected=self._resetting))

    def _on_lost(self, reason: str) -> None:
        self._lose_sockets("line-lost")
        if reason:
            self._emit(LineVanished(at=self._loop.time(), reason=reason))
        self._noticed.set()


def _result_code(text: str) -> int | None:
    """The number of `+QIOPEN: 0,566`."""
    return number(split_fields(text)[-1]) if text.startswith("+") and "," in text else None
