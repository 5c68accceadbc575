"""The interpreter of the Neul firmware line (HiSilicon Hi2110, Hi2115): state and reports.

Used by Quectel BC95-G, BC68, BC35 and u-blox SARA-N2. No echo, 9600 baud, no space after the colon,
hexadecimal identities without quotes, a final result for each command of a line, and a boot banner
that begins with bytes at another speed.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from firmware_bridge.virtual.dialects.nonip import NonIpSession
from firmware_bridge.virtual.durations import NOT_GRANTED
from firmware_bridge.virtual.observer import PowerSavingRequest

if TYPE_CHECKING:
    from firmware_bridge.virtual.module import VirtualModule

__all__ = ["Neul", "NeulSocket", "NeulStorage"]

SOCKETS = range(1, 7)
"""Numbers for the host; 0 is the platform client's own (the logs begin at 1)."""

BUFFER_DATAGRAMS = 8
"""Datagrams kept per socket until they are read."""

_BANNER = (
    "Boot: Unsigned",
    "Security B.. Verified",
    "Protocol A.. Verified",
    "Apps A...... Verified",
)


@dataclass(slots=True)
class NeulSocket:
    """One socket; it has no fixed far end, so there is a path for each one it talks to."""

    local_port: int
    """On the module's own address."""
    reports: bool
    """+NSONMI when something comes."""
    paths: dict[tuple[str, int], int] = field(default_factory=dict)
    """Far end to the module's number for the network around."""
    buffer: deque[tuple[str, int, bytes]] = field(default_factory=deque)
    """Waiting for NSORF: from whom, and what is left of it."""


@dataclass(slots=True)
class NeulStorage:
    """What outlives NRB."""

    configuration: dict[str, str] = field(
        default_factory=lambda: {
            "AUTOCONNECT": "TRUE",
            "CR_0354_0338_SCRAMBLING": "TRUE",
            "CR_0859_SI_AVOID": "TRUE",
            "COMBINE_ATTACH": "FALSE",
            "CELL_RESELECTION": "TRUE",
            "ENABLE_BIP": "FALSE",
        }
    )
    """NCONFIG (field logs)."""
    bands: tuple[int, ...] = (5, 8, 3, 28, 20, 1)
    """NBAND (the recorded list)."""
    registration_switch: int = 1
    """QREGSWT."""
    platform: str = ""
    """NCDP: address and port."""


class Neul(NonIpSession):
    """State and reports of the interpreter."""

    baudrate = 9600
    non_ip_form = "+CRTDCP:{cid},{length},{data}"
    generic_access = False  # not among the 27.007 commands of the BC95-G and BC68 manual V1.2
    channels = False  # likewise
    csim_form = "+CSIM:{size},{data}"  # without space and quotes, as the line does it elsewhere [?]
    ccho_form = "+CCHO:{session}"
    cgla_form = "+CGLA:{size},{data}"
    result_for_each = True
    deaf_asleep = False  # field log: the line wakes on any character
    sleep_closes_sockets = False
    manufacturer: ClassVar[str]
    """ATI, first line."""
    model: ClassVar[str]
    """ATI, second line."""
    default_firmware: ClassVar[str]
    """QGMR when the settings give none."""

    storage: NeulStorage
    """What is in flash."""
    functionality: int
    """CFUN."""
    registration_reports: int
    """CEREG <n>."""
    connection_reports: int
    """CSCON <n>."""
    sleep_reports: int
    """NPSMR <n>."""

    def __init__(
        self, module: VirtualModule, rng: random.Random, storage: NeulStorage | None = None
    ) -> None:
        super().__init__(module, rng)
        self.echo = False
        self.storage = storage or NeulStorage()
        self.firmware = module.settings.firmware or self.default_firmware
        self.functionality = 0
        self.registration_reports = 0
        self.registration_told = ""
        """What CEREG would have reported last: only what differs from it is said."""
        self.connection_reports = 0
        self.sleep_reports = 0
        self.sending_power_dbm: float | None = None
        """Output power of the latest transmission; None before the first."""
        self.psm_mode = 0
        self.periodic_tau = "00100001"
        self.active_time = "00000101"
        self.edrx_mode = 0
        self.edrx_cycle = "0010"
        self.contexts: dict[int, tuple[str, str]] = {}
        """PDP type and APN by context, as CGDCONT defined it."""
        self.sockets: dict[int, NeulSocket] = {}
        """By number."""

    @property
    def card_powered(self) -> bool:
        """CFUN=0 switches the card off (log huawei: CIMI is refused)."""
        return super().card_powered and self.functionality == 1

    # -- life --------------------------------------------------------------------------------------

    def boot_lines(self) -> bytes:
        """REBOOTING, some bytes at another speed, the banner of the boot loader."""
        noise = bytes(self._rng.choice(b"\x80\xc3\xe2\xf8\xff?@H") for _ in range(4))
        lines = "\r\n".join(_BANNER).encode()
        return b"\r\nREBOOTING\r\n" + noise + b"\r\n" + lines + b"\r\n"

    def announce(self) -> None:
        """Why it restarted, and that it is there."""
        self.module.emit(b"\r\nREBOOT_CAUSE_APPLICATION_AT\r\nNeul \r\nOK\r\n")

    def booted(self) -> None:
        """Attach by itself when AUTOCONNECT says so."""
        self.request_power_saving()
        if self.storage.configuration["AUTOCONNECT"] == "TRUE":
            self.switch_on()

    def restarted(self) -> Neul:
        """Only the configuration survives."""
        return type(self)(self.module, self._rng, self.storage)

    def switch_on(self) -> None:
        """Radio on; with AUTOCONNECT it attaches, without it waits to be told."""
        self.functionality = 1
        equipment = self.module.equipment
        if not self.module.card_present:
            return
        if self.storage.configuration["AUTOCONNECT"] == "TRUE":
            equipment.attach()
        else:
            equipment.stay_detached()
        equipment.switch_on()

    def card_changed(self) -> None:
        """Attach again when the card is back."""
        if self.module.card_present and self.functionality == 1:
            self.switch_on()

    def request_power_saving(self) -> None:
        """Ask the network for what CPSMS and CEDRXS say."""
        equipment = self.module.equipment
        equipment.request_power_saving(
            PowerSavingRequest(
                enabled=self.psm_mode == 1,
                periodic_tau=self.periodic_tau,
                active_time=self.active_time,
            )
        )
        equipment.request_edrx(self.edrx_cycle if self.edrx_mode in (1, 2) else None)

    # -- what the equipment reports ----------------------------------------------------------------

    def non_ip_context(self) -> int:
        """The first context that was defined without IP."""
        found = [cid for cid, (kind, _) in self.contexts.items() if kind == "NONIP"]
        return found[0] if found else super().non_ip_context()

    def registration(self, reports: int) -> str:
        """The fields of +CEREG after ``<n>``, for this ``<n>``."""
        equipment = self.module.equipment
        network = equipment.cell
        status = str(equipment.status)
        if reports < 2:
            return status
        if equipment.registered:
            fields = [status, f"{network.tracking_area:04X}", f"{network.cell:08X}", "9"]
        else:
            fields = [status, "0000", "00000000", "9"]
        if reports in (3, 5):
            fields += ["0", str(equipment.reject_cause)]
        elif reports == 4:
            fields += ["", ""]
        if reports >= 4 and equipment.registered:
            fields.append(equipment.granted_active_time or NOT_GRANTED)
            fields.append(equipment.granted_periodic_tau or NOT_GRANTED)
        return ",".join(fields)

    def registration_changed(self) -> None:
        """Report +CEREG when wanted."""
        text = self.registration(self.registration_reports)
        if self.registration_reports and text != self.registration_told:
            self.unsolicited(f"+CEREG:{text}")
        self.registration_told = text

    def connection_changed(self, connected: bool) -> None:
        """Report +CSCON when wanted."""
        if connected:
            self.sending_power_dbm = self.module.signal.power_dbm
        if self.connection_reports:
            self.unsolicited(f"+CSCON:{int(connected)}")

    def power_saving_changed(self, entered: bool) -> None:
        """Report +NPSMR when wanted."""
        if self.sleep_reports:
            self.unsolicited(f"+NPSMR:{int(entered)}")

    def datagram_arrived(self, handle: int, payload: bytes) -> None:
        """Buffer it, and say so if nothing waited."""
        if self.non_ip_arrived(handle, payload):
            return
        for number, socket in self.sockets.items():
            for (address, port), path in socket.paths.items():
                if path != handle:
                    continue
                if len(socket.buffer) < BUFFER_DATAGRAMS:
                    socket.buffer.append((address, port, payload))
                    if len(socket.buffer) == 1:
                        self.tell(number)
                return

    def tell(self, number: int) -> None:
        """+NSONMI for the first datagram that waits."""
        socket = self.sockets[number]
        if socket.reports and socket.buffer:
            self.unsolicited(f"+NSONMI:{number},{len(socket.buffer[0][2])}")

    def free_port(self, used: set[int]) -> int:
        """A port of the dynamic range that is not in ``used``."""
        while True:
            port = self._rng.randint(49152, 65535)
            if port not in used:
                return port

    def sockets_lost(self) -> None:
        """Deep sleep or a reset took them."""
        self.sockets.clear()
