"""What Quectel's NB-IoT families have in common: the interpreter's state and what it reports.

The commands are in :mod:`~firmware_bridge.virtual.dialects.quectel_network`,
:mod:`~firmware_bridge.virtual.dialects.quectel_power` and
:mod:`~firmware_bridge.virtual.dialects.quectel_sockets`; which of them a family has, with which
forms and from which source, stands in the family's own table.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from firmware_bridge.virtual.dialects.quectel_sockets import QuectelSockets
from firmware_bridge.virtual.dialects.table import Answer
from firmware_bridge.virtual.durations import EDRX_CYCLES_S, NOT_GRANTED
from firmware_bridge.virtual.observer import PowerSavingRequest

if TYPE_CHECKING:
    from firmware_bridge.virtual.module import VirtualModule

__all__ = ["NO_NETWORK_SERVICE", "SIM_NOT_INSERTED", "Quectel", "QuectelStorage"]

SIM_NOT_INSERTED = 10
"""+CME ERROR."""

NO_NETWORK_SERVICE = 30
"""+CME ERROR."""

_ATTACH_TIMEOUT_S = 70.0  # manual: maximum response time of CGATT


@dataclass(slots=True)
class QuectelStorage:
    """What the module keeps in its flash: outlives QRST and deep sleep."""

    pdp_type: str = "IP"
    """QCGDEFCONT: effective after a reset (log klenk)."""
    apn: str | None = None
    """Likewise; None: the network's own."""
    psm_mode: int = 0
    """CPSMS: 1 on."""
    periodic_tau: str = "00100001"
    """Requested T3412, eight bits: 1 h."""
    active_time: str = "00000101"
    """Requested T3324, eight bits: 10 s."""
    edrx_mode: int = 0
    """CEDRXS mode 0 to 3."""
    edrx_cycle: str = "0010"
    """Requested eDRX cycle, four bits."""
    bands: tuple[int, ...] = (3, 5, 8, 20, 28)
    """QBAND."""
    baudrate: int = 115200
    """IPR."""
    settings: dict[str, int] = field(default_factory=lambda: {"dsevent": 0})
    """QCFG, by function in lower case."""


class Quectel(QuectelSockets):
    """What the interpreters of the BC66 and the BC660K have in common."""

    manufacturer: ClassVar[str] = "Quectel_Ltd"
    """ATI, first line."""
    model: ClassVar[str]
    """ATI, second line."""
    default_firmware: ClassVar[str]
    """Firmware name when the settings give none."""
    chip: ClassVar[str]
    """Revision that CGMI shows."""
    keeps_reports: ClassVar[bool]
    """CEREG, CSCON, QNBIOTEVENT and ATE are kept in flash, too."""
    non_ip_form = '+CRTDCP: {cid},{length},"{data}"'
    lock_setting: ClassVar[str]
    """Name of the QCFG function that sets the sleep lock."""
    storage: QuectelStorage
    """What is in flash."""
    firmware: str
    """Name of the firmware."""
    context: tuple[str, str]
    """PDP type and APN of the default context, as they were at the start."""
    functionality: int
    """CFUN."""
    registration_reports: int
    """CEREG <n>."""
    registration_told: str
    """What CEREG would have reported last: only what differs from it is said."""
    connection_reports: int
    """CSCON <n>."""
    event_reports: int
    """QNBIOTEVENT."""
    operator_mode: int
    """COPS <mode>."""
    operator_format: int
    """COPS <format>."""

    def __init__(
        self, module: VirtualModule, rng: random.Random, storage: QuectelStorage | None = None
    ) -> None:
        super().__init__(module, rng)
        self.storage = storage or self.fresh_storage()
        self.firmware = module.settings.firmware or self.default_firmware
        self.context = (self.storage.pdp_type, self.storage.apn or module.settings.network.apn)
        self.without_ip = self.context[0] == "NONIP"
        self.functionality = 1
        self.registration_reports = 0
        self.registration_told = ""
        self.connection_reports = 0
        self.event_reports = 0
        self.operator_mode = 0
        self.operator_format = 2
        self._registration_waiters: list[Callable[[], None]] = []

    def fresh_storage(self) -> QuectelStorage:
        """Flash as the factory leaves it."""
        return QuectelStorage()

    def booted(self) -> None:
        """The module attaches by itself."""
        self.request_power_saving()
        self.request_edrx()
        self.switch_on()

    def switch_on(self) -> None:
        """Radio on, if there is a card to attach with."""
        if self.module.card_present:
            self.module.equipment.switch_on()
            if self.operator_mode != 2:
                self.module.equipment.attach()

    def restarted(self) -> Quectel:
        """The flash survives, and what this family keeps in it."""
        session = type(self)(self.module, self._rng, self.storage)
        if self.keeps_reports:
            session.registration_reports = self.registration_reports
            session.connection_reports = self.connection_reports
            session.event_reports = self.event_reports
            session.echo = self.echo
            session.error_format = self.error_format
            session.send_hex, session.receive_hex = self.send_hex, self.receive_hex
        return session

    def card_changed(self) -> None:
        """Attach again when the card is back."""
        if self.module.card_present and self.functionality == 1:
            self.switch_on()

    def functionality_reached(self) -> None:
        """CFUN=1 has been answered; some families say more."""

    def request_power_saving(self) -> None:
        """Ask the network for what CPSMS says."""
        storage = self.storage
        self.module.equipment.request_power_saving(
            PowerSavingRequest(
                enabled=storage.psm_mode == 1,
                periodic_tau=storage.periodic_tau,
                active_time=storage.active_time,
            )
        )

    def request_edrx(self) -> None:
        """Ask the network for what CEDRXS says."""
        wanted = self.storage.edrx_mode in (1, 2)
        self.module.equipment.request_edrx(self.storage.edrx_cycle if wanted else None)

    def non_ip_context(self) -> int:
        """The default context, if it was set up without IP at the start."""
        return self.context_id if self.without_ip else super().non_ip_context()

    @property
    def address(self) -> str | None:
        """The address of the default context, once there is one: without IP it has none."""
        return None if self.without_ip else self.module.equipment.address

    def when_registered(self, answer: Callable[[Answer], None]) -> None:
        """Answer OK once registered, an error once refused or after the manual's longest time."""
        given = False

        def decide() -> None:
            nonlocal given
            equipment = self.module.equipment
            if given:
                return
            if equipment.registered:
                given = True
                answer(Answer())
            elif equipment.status == 3:
                given = True
                answer(Answer(final=self.error(NO_NETWORK_SERVICE)))

        def give_up() -> None:
            nonlocal given
            if not given:
                given = True
                answer(Answer(final=self.error(NO_NETWORK_SERVICE)))

        self._registration_waiters.append(decide)
        self.timers.after(_ATTACH_TIMEOUT_S, give_up)

    # -- what the equipment reports ------------------------------------------------------------

    def registration(self, reports: int) -> str:
        """The fields of +CEREG after ``<n>``, for this ``<n>``."""
        equipment = self.module.equipment
        network = equipment.cell
        status = str(equipment.status)
        if reports < 2:
            return status
        if not equipment.registered:
            if reports in (3, 5):
                # One comma more than TS 27.007 has, as recorded while searching.
                return f"{status},,,,,0,{equipment.reject_cause}"
            return status
        fields = [status, f'"{network.tracking_area:04X}"', f'"{network.cell:08X}"', "9"]
        if reports in (3, 5):
            fields += ["0", "0"]
        elif reports == 4:
            fields += ["", ""]
        if reports >= 4:
            active_time = equipment.granted_active_time or NOT_GRANTED
            periodic_tau = equipment.granted_periodic_tau or NOT_GRANTED
            fields += [f'"{active_time}"', f'"{periodic_tau}"']
        return ",".join(fields)

    def registration_changed(self) -> None:
        """Report +CEREG when wanted."""
        text = self.registration(self.registration_reports)
        if self.registration_reports and text != self.registration_told:
            self.unsolicited(f"+CEREG: {text}")
        self.registration_told = text
        waiters, self._registration_waiters = self._registration_waiters, []
        for waiter in waiters:
            waiter()
        if not self.module.equipment.registered:
            self._registration_waiters += waiters

    def connection_changed(self, connected: bool) -> None:
        """Report +CSCON when wanted."""
        if self.connection_reports:
            self.unsolicited(f"+CSCON: {int(connected)}")

    def power_saving_changed(self, entered: bool) -> None:
        """Report the event when wanted."""
        if self.event_reports:
            self.unsolicited(f'+QNBIOTEVENT: "{"ENTER" if entered else "EXIT"} PSM"')

    def edrx_fields(self) -> str:
        """Access technology, requested and granted cycle, paging window; ``0`` without eDRX."""
        granted = self.module.equipment.granted_edrx
        if granted is None or granted not in EDRX_CYCLES_S:
            return "0"
        window = self.settings.network.paging_window
        return f'5,"{self.storage.edrx_cycle}","{granted}","{window}"'

    def edrx_changed(self) -> None:
        """Report +CEDRXP when wanted."""
        if self.storage.edrx_mode == 2:
            self.unsolicited(f"+CEDRXP: {self.edrx_fields()}")

    def falling_asleep(self) -> None:
        """Report deep sleep when wanted."""
        if self.storage.settings["dsevent"]:
            self.unsolicited('+QNBIOTEVENT: "ENTER DEEPSLEEP"')

    def woke_up(self) -> None:
        """Report its end when wanted."""
        if self.storage.settings["dsevent"]:
            self.unsolicited('+QNBIOTEVENT: "EXIT DEEPSLEEP"')
