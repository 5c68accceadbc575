"""Records that a driver takes and gives. Units stand in the names; None means "not told"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

__all__ = [
    "Identity",
    "PowerSaving",
    "RadioReport",
    "Received",
    "Registration",
    "RegistrationState",
    "ReleaseAssistance",
    "SendReceipt",
    "Status",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the module says it is."""

    manufacturer: str
    """As ATI gives it, e.g. `Quectel_Ltd`."""
    model: str
    """As ATI gives it, e.g. `Quectel_BC66`."""
    firmware: str
    """Revision, e.g. `BC66NBR01A10`."""
    imei: str = ""
    """15 digits, "" if not told."""
    iccid: str = ""
    """19 or 20 digits of the SIM, "" without a SIM."""


class RegistrationState(IntEnum):
    """<stat> of +CEREG (TS 27.007 10.1.22)."""

    IDLE = 0
    HOME = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4
    ROAMING = 5
    SMS_ONLY_HOME = 6
    SMS_ONLY_ROAMING = 7
    EMERGENCY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where the module stands with the network."""

    state: RegistrationState
    """<stat>."""
    tac: str = ""
    """Tracking area code, upper-case hexadecimal, "" if not told."""
    cell: str = ""
    """E-UTRAN cell identity, upper-case hexadecimal, "" if not told."""
    access_technology: int | None = None
    """<AcT>: 7 E-UTRAN (LTE-M), 9 E-UTRAN NB-S1."""
    cause: int | None = None
    """Reject cause of cause type 0: EMM (TS 24.301 9.9.3.9)."""
    active_time_s: float | None = None
    """Granted T3324; None if not told or deactivated."""
    periodic_tau_s: float | None = None
    """Granted T3412 (extended); None if not told or deactivated."""
    timers_told: bool = False
    """The answer carried timer fields, so None above means deactivated."""

    @property
    def registered(self) -> bool:
        """Registered for data, at home or roaming."""
        return self.state in (RegistrationState.HOME, RegistrationState.ROAMING)

    @property
    def roaming(self) -> bool:
        """Registered in a visited network."""
        return self.state is RegistrationState.ROAMING


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSaving:
    """Power saving as it is asked for, or as the network granted it.

    Asked-for times are rounded up to the next value that the 3GPP timer fields can carry.
    """

    psm: bool = False
    """Power saving mode (TS 23.682 4.5.4)."""
    active_time_s: float | None = None
    """T3324: time in idle mode before the module sleeps; 0 to 11,160 s."""
    periodic_tau_s: float | None = None
    """T3412 extended: time between tracking area updates; 0 to 35,712,000 s."""
    edrx_cycle_s: float | None = None
    """eDRX cycle, 20.48 to 10,485.76 s; None: no eDRX."""
    paging_window_s: float | None = None
    """eDRX paging time window, given by the network; never asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioReport:
    """What the module says of its serving cell. None: this module did not tell."""

    at: float
    """Loop time at which the answer was read, s."""
    rsrp_dbm: float | None = None
    """Reference signal received power, dBm."""
    rsrq_db: float | None = None
    """Reference signal received quality, dB."""
    rssi_dbm: float | None = None
    """Received signal strength, dBm."""
    sinr_db: float | None = None
    """Signal to interference and noise ratio, dB."""
    ecl: int | None = None
    """Coverage enhancement level, 0 to 2."""
    cell: str | None = None
    """Cell identity, upper-case hexadecimal."""
    tac: str | None = None
    """Tracking area code, upper-case hexadecimal."""
    band: int | None = None
    """E-UTRA band."""
    earfcn: int | None = None
    """Downlink channel number."""
    pci: int | None = None
    """Physical cell identity, 0 to 503."""
    tx_power_dbm: float | None = None
    """Last transmit power, dBm; None before the first transmission."""


class ReleaseAssistance(IntEnum):
    """Release assistance indication (TS 24.301 9.9.4.25): what the device expects next."""

    NONE = 0
    """Nothing is told; the network's inactivity timer decides."""
    AFTER_UPLINK = 1
    """No further uplink or downlink: release after this one."""
    AFTER_DOWNLINK = 2
    """One downlink is expected: release after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReceipt:
    """When a datagram left the host and when the module took it. Loop times, s."""

    written_at: float
    """The last byte of the command was handed to the port."""
    accepted_at: float
    """The module's last word (`SEND OK`) was read."""
    release_assistance: str = ""
    """How release assistance was told: "argument", "command", or "" if it was not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One datagram from the network."""

    data: bytes
    """The payload."""
    at: float
    """Loop time at which its last byte was read from the line, s."""
    announced_at: float | None = None
    """Loop time at which the module announced it, when it keeps datagrams until asked."""


class Status(Enum):
    """How well an entry of a family's tables is known."""

    FIELD_LOGGED = "field-logged"
    """Seen in the log of a real module."""
    DOCUMENTED = "documented"
    """In a manual or in another driver's source, not seen in a log."""
    UNPROVEN = "unproven"
    """From memory or one weak source: tried at run time, given up by name."""
