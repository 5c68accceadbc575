"""What can be set on a virtual module: one frozen record, units in the names, real defaults.

The defaults are a BC66 at home in a good cell of a network that grants what is asked for. A bench
description may expose any of it; nothing here is read from anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from string import hexdigits

from firmware_bridge.virtual.faults import Fault
from firmware_bridge.virtual.parameters import (
    COVERAGE_LEVELS,
    CoverageLevel,
    Currents,
)

__all__ = [
    "CardSettings",
    "LineSettings",
    "ModuleSettings",
    "Move",
    "NetworkSettings",
    "PowerSettings",
    "RadioSettings",
    "UsimSettings",
]


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _digits(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and least <= len(text) <= most


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSettings:
    """The USIM in the slot, as far as attaching needs it."""

    present: bool = True
    """False: an empty slot."""
    imsi: str = "001010000000001"
    """International mobile subscriber identity; PLMN 001 01 is 3GPP's test network."""
    iccid: str = "89882390000000000013"
    """Number printed on the card."""

    def __post_init__(self) -> None:
        _check(_digits(self.imsi, 6, 15), "imsi: 6 to 15 digits")
        _check(_digits(self.iccid, 18, 20), "iccid: 18 to 20 digits")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsimSettings:
    """How the USIM and the modem's way to it behave towards AT+CSIM, CCHO, CGLA and CCHC."""

    generic_access: bool | None = None
    """AT+CSIM is offered; None: as the family does."""
    channels: bool | None = None
    """AT+CCHO, CGLA and CCHC are offered; None: as the family does."""
    chained: bool = True
    """The modem fetches what 61xx announces by itself; False: the host sees 61xx and 6Cxx."""
    busy_s: float = 0.0
    """So long after each boot the modem answers +CME ERROR: 14 (SIM busy)."""
    refuses_authenticate: str | None = None
    """Status word, four hexadecimal digits, with which AUTHENTICATE is refused; None: it is not."""
    logical_channels: int = 3
    """How many the card has beside the basic one, 0 to 19."""
    selection_lost_every: int = 0
    """Before each AT+CSIM whose number is a multiple of this, the modem's own traffic selects the
    master file on the basic channel; 0: never."""
    gsm_access: bool = True
    """Service 27: AUTHENTICATE also answers Kc."""

    def __post_init__(self) -> None:
        _check(self.busy_s >= 0, "busy_s: not below 0")
        _check(0 <= self.logical_channels <= 19, "logical_channels: 0 to 19")
        _check(self.selection_lost_every >= 0, "selection_lost_every: not below 0")
        word = self.refuses_authenticate
        _check(
            word is None or (len(word) == 4 and all(digit in hexdigits for digit in word)),
            "refuses_authenticate: four hexadecimal digits, in quotes",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """From ``at_s`` on another cell is the best one."""

    at_s: float
    """Seconds after the module was made."""
    cell: int
    """Its identity, 28 bits."""
    tracking_area: int | None = None
    """Its tracking area; None: the same as before, so that no update is due."""
    physical_cell: int | None = None
    """0 to 503; None: the same as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioSettings:
    """Where the module stands."""

    rsrp_dbm: float = -92.0
    """Mean reference signal power, -150 to -40. The default is the recorded BC660K trace's."""
    rsrp_variation_db: float = 1.5
    """Amplitude of slow seeded variation around the mean; 0 holds it still."""
    variation_period_s: float = 180.0
    """Longest period of that variation."""
    shadowing_db: float = 0.0
    """Standard deviation of seeded random shadowing on top of it; 0: none."""
    shadowing_time_s: float = 60.0
    """After this long a shadow is correlated by 1/e with what it was (M. Gudmundson, Electronics
    Letters 27, 1991, has that by distance: this is the time that a distance takes)."""
    noise_dbm: float = -102.0
    """Noise and interference in one subcarrier; SINR = RSRP - this, kept within -20 to 30 dB."""
    ecl_thresholds_dbm: tuple[float, float] = (-112.0, -122.0)
    """RSRP below the first is ECL 1, below the second ECL 2 (rsrp-ThresholdsPrachInfoList)."""
    lowest_rsrp_dbm: float = -140.0
    """Below it there is no cell."""
    moves: tuple[Move, ...] = ()
    """Cell reselections, by time."""
    outages_s: tuple[tuple[float, float], ...] = ()
    """(from, to) seconds after switching on during which there is no cell."""
    coverage_levels: tuple[CoverageLevel, CoverageLevel, CoverageLevel] = COVERAGE_LEVELS
    """What the cell schedules for ECL 0, 1, 2."""

    def __post_init__(self) -> None:
        _check(-150 <= self.rsrp_dbm <= -40, f"rsrp_dbm {self.rsrp_dbm}: -150 to -40")
        _check(self.rsrp_variation_db >= 0, "rsrp_variation_db: not below 0")
        _check(self.variation_period_s > 0, "variation_period_s: above 0")
        _check(self.shadowing_db >= 0, "shadowing_db: not below 0")
        _check(self.shadowing_time_s > 0, "shadowing_time_s: above 0")
        first, second = self.ecl_thresholds_dbm
        _check(first >= second, "ecl_thresholds_dbm: the first is the higher")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The network that the module finds."""

    plmn: str = "00101"
    """Mobile country and network code."""
    operator: str = "Testbed"
    """Long name; also shown as the short one."""
    roaming: bool = False
    """Registered as 5 (roaming) in place of 1 (home)."""
    reject_cause: int | None = None
    """EMM cause with which the network refuses the attach (e.g. 15), None accepts."""
    tracking_area: int = 0x33C2
    """Tracking area code, two octets."""
    cell: int = 0x022FE6CF
    """Cell identity, 28 bits."""
    physical_cell: int = 284
    """0 to 503."""
    earfcn: int = 1694
    """Channel number."""
    band: int = 3
    """LTE band."""
    reference_power_dbm: float = 27.0
    """Power of one reference signal element; pathloss = this - RSRP."""
    address: str = "10.127.33.7"
    """The module's own IPv4 address behind the operator's NAT."""
    apn: str = "iot"
    """Access point name when the module asks for none."""
    inactivity_timer_s: float = 20.0
    """The network releases a connection after this long without data (operators: 10 to 60 s)."""
    release_assistance: bool = True
    """The network honours release assistance indications."""
    psm: bool = True
    """The network grants power saving mode as asked for."""
    edrx: bool = True
    """The network grants extended DRX as asked for."""
    paging_window: str = "0011"
    """Paging time window granted with eDRX, coded: 10.24 s."""
    connected_monitoring: float = 0.5
    """Share of the time that the receiver is on while connected with nothing to carry: 1/G of the
    search space, less with connected mode DRX. 0.5 gives the 25 to 30 mA means measured."""
    drx_cycle_s: float = 2.56
    """Paging cycle in idle."""
    periodic_tau_s: float = 54 * 60.0
    """T3412 when no extended value is granted (TS 24.008: 54 minutes)."""
    psm_buffer_packets: int = 0
    """Downlink packets kept for a module in PSM (TS 23.401 5.3.4B); 0: they are lost."""
    search_s: tuple[float, float] = (1.5, 4.0)
    """Shortest and longest cell search after switching on."""
    signalling_delay_s: float = 0.2
    """From one signalling message at the base station to the answer's scheduling (*assumed*: the
    connection then comes up 0.6 to 0.8 s after the data, and the mean delay of a small message is
    a good second; Zephyr's traces of a BC660K show 0.55 s, live cells 1.8 to 2.0 s)."""
    core_delay_s: float = 0.050
    """One way between base station and the far end's network."""
    core_loss: float = 0.0
    """Share of datagrams lost in the core network, each way (0 to 1)."""
    nat_timeout_s: float | None = None
    """The operator's NAT forgets a UDP binding this long after the latest uplink datagram, and the
    next one leaves from another port; None: it never does. Operators: 30 to 300 s."""
    non_ip_far_end: tuple[str, int] | None = None
    """Address and port to which the network carries non-IP data, each packet in a UDP datagram
    (the point-to-point tunnel of TS 23.401 4.3.17.8.3.3.2); None: it has nowhere to go."""
    names: tuple[tuple[str, str], ...] = ()
    """(host name, address) pairs that the network's DNS knows before anybody is asked."""

    def __post_init__(self) -> None:
        _check(self.inactivity_timer_s > 0, "inactivity_timer_s: above 0")
        _check(0 <= self.core_loss <= 1, "core_loss: 0 to 1")
        _check(self.search_s[0] <= self.search_s[1], "search_s: shortest, then longest")


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSettings:
    """The supply, and what the module draws from it."""

    voltage_v: float = 3.3
    """Supply voltage."""
    currents: Currents | None = None
    """Draw by activity; None takes the family's figures (``parameters.FAMILY_CURRENTS``)."""
    trace_length: int = 0
    """How many of the latest changes of current to keep (``VirtualModule.take_current_trace``)."""
    sleep_lock_s: float = 10.0
    """The processor stays awake this long after the last command (slplocktimes)."""
    wake_by_rxd: bool = True
    """Activity on the line wakes the module from deep sleep (the characters that do it are lost).
    False: only the PSM_EINT pin does, see ``VirtualModule.wake_pin``."""
    wake_s: float = 0.3
    """From the first edge until the line hears again."""
    sleep_closes_sockets: bool | None = None
    """Deep sleep loses the open sockets; None: as the family does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """The serial line and how quickly the module answers on it."""

    baudrate: int | None = None
    """A byte takes ten bits of it. 0: bytes take no time; None: the family's usual speed."""
    strict_baudrate: bool = False
    """A host on a pseudo-terminal that has set another speed than the module's reads and writes
    noise, as on a real line; False: any speed will do."""
    answer_s: float = 0.040
    """From the end of a command to its answer (hardware trace of a BC660K: 40 ms)."""
    jitter: float = 0.15
    """Answer times vary by this share either way, from the seed; 0 to 1."""
    boot_s: float = 1.2
    """From reset to the command interpreter."""

    def __post_init__(self) -> None:
        _check((self.baudrate or 0) >= 0, "baudrate: not below 0")
        _check(self.answer_s >= 0, "answer_s: not below 0")
        _check(0 <= self.jitter < 1, "jitter: 0 up to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSettings:
    """All that can be set on a virtual module."""

    imei: str = "866818030000002"
    """Fifteen digits."""
    serial_number: str = "MPA19BD1P000001"
    """The maker's own number."""
    firmware: str | None = None
    """Firmware name; None takes the one of the dialect's transcripts."""
    card: CardSettings = field(default_factory=CardSettings)
    """The USIM's identities."""
    usim: UsimSettings = field(default_factory=UsimSettings)
    """How the USIM behaves."""
    radio: RadioSettings = field(default_factory=RadioSettings)
    """Where the module stands."""
    network: NetworkSettings = field(default_factory=NetworkSettings)
    """The network it finds."""
    power: PowerSettings = field(default_factory=PowerSettings)
    """Supply and current draw."""
    line: LineSettings = field(default_factory=LineSettings)
    """Serial line."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong, and when."""
    booted: bool = True
    """True: the module was switched on earlier, its interpreter answers at once (but it has yet to
    attach). False: it boots when created, with its boot lines."""
