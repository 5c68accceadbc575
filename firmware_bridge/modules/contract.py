"""The driver contract: what every module family offers to the testbed.

A driver is made from an open line and used from one event loop:

    line = await open_port("/dev/ttyUSB0", baudrate=115200)
    module = driver("bc66")(line)
    await module.start()                                # wake, echo off, identify, switch URCs on
    await module.attach(apn="iot.example")              # register and get an address
    socket = await module.open_udp("192.0.2.1", 4500)
    receipt = await socket.send(b"...", rai=ReleaseAssistance.AFTER_DOWNLINK)
    answer = await socket.receive(timeout_s=30)
    await module.close()

Methods raise `ModuleError` and its children (see `firmware_bridge.errors`). What a family can't
do raises `NotSupported`. All times are the running loop's, so that a loop with a scaled clock
gives module time.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Literal

from firmware_bridge.errors import NotSupported
from firmware_bridge.masking import mask_digits
from firmware_bridge.modules.events import ModuleEvent
from firmware_bridge.modules.records import (
    Identity,
    PowerSaving,
    RadioReport,
    Received,
    Registration,
    ReleaseAssistance,
    SendReceipt,
    Status,
)

if TYPE_CHECKING:
    from firmware_bridge.at.log import AtLog
    from firmware_bridge.line import Line

__all__ = ["DatagramSocket", "Module", "ModuleOptions"]

_logger = logging.getLogger(__name__)

Subscriber = Callable[[ModuleEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleOptions:
    """What a user may set for one module. The defaults are the family's own."""

    max_payload: int | None = None
    """Octets per datagram; None: what the family is known to take."""
    receive_mode: Literal["direct", "buffered"] = "direct"
    """Whether datagrams are pushed by the module or fetched after an announcement."""
    payload_format: Literal["hex", "binary"] = "hex"
    """How payloads pass the line: as hexadecimal digits, or as they are, counted (half as long, and
    often a larger limit). Families without the choice refuse `binary` when a socket is opened."""
    context_id: int | None = None
    """PDP context of sockets; None: the one that has an address, else the family's default."""
    pdp_type: Literal["IP", "IPV6", "IPV4V6", "NONIP"] = "IP"
    """What kind of address is asked for when the APN is set; ``NONIP`` gets none, and carries only
    what `Module.open_non_ip` opens."""
    reset_for_apn: bool = True
    """Reboot the module when another APN has to be set (it takes effect only then)."""
    wake_line: Literal["none", "dtr", "rts"] = "none"
    """Modem-control line that the board leads to the wake-up pin (PSM_EINT, PWRKEY): before
    each `AT` that wakes it is released for 0.1 s and driven again, a falling edge at the module."""
    time_scale: float = 1.0
    """Multiplies every time-out: for slow links (RFC 2217 over a far network), > 0."""

    def __post_init__(self) -> None:
        if self.max_payload is not None and self.max_payload < 1:
            raise ValueError(f"max_payload {self.max_payload} must be at least 1 octet")
        if not 0 < self.time_scale < float("inf"):
            raise ValueError(f"time_scale {self.time_scale} must be positive")


class DatagramSocket(ABC):
    """One UDP socket of the module."""

    socket_id: int
    """The module's number of it."""
    host: str
    """Remote address or name."""
    port: int
    """Remote port."""

    @property
    @abstractmethod
    def max_payload(self) -> int:
        """Octets that one datagram may have."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Closed by the caller, or lost by the module."""

    @abstractmethod
    async def send(
        self, data: bytes, rai: ReleaseAssistance = ReleaseAssistance.NONE
    ) -> SendReceipt:
        """Send one datagram.

        Raises `PayloadTooLarge`, `SocketLost`, `NotSupported` (release assistance),
        `CommandFailed`, `ModuleTimeout`.
        """

    @abstractmethod
    async def receive(self, timeout_s: float | None = None) -> Received:
        """Wait for the next datagram, at most `timeout_s` (None: for ever).

        Raises `TimeoutError` when none came, `SocketLost` when none can come any more.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close it. Harmless when it is closed already."""

    async def __aenter__(self) -> DatagramSocket:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class Module(ABC):
    """One NB-IoT module behind a line.

    Arguments of every driver: `line`, an open line; `log`, an AT log that sees every byte;
    `options`.
    """

    family: ClassVar[str]
    """Name in the registry, e.g. `bc66`."""
    default_baudrate: ClassVar[int]
    """Bits per second that the family speaks out of the box."""
    operations: ClassVar[dict[str, Status]]
    """How well each operation of the contract is known for this family."""

    def __init__(
        self, line: Line, *, log: AtLog | None = None, options: ModuleOptions | None = None
    ) -> None:
        self.line = line
        self.log = log
        self.options = options or ModuleOptions()
        self.identity: Identity | None = None
        self._subscribers: list[Subscriber] = []

    # -- life ------------------------------------------------------------------------------------

    @abstractmethod
    async def start(self) -> Identity:
        """Wake the module, switch echo off and notifications on, and ask who it is.

        Raises `ModuleSilent` when it never answers.
        """

    @abstractmethod
    async def wake(self) -> None:
        """See that the module listens. Raises `ModuleSilent`."""

    @abstractmethod
    async def close(self) -> None:
        """Close the sockets if that is possible, and the line. Never raises `ModuleError`."""

    async def __aenter__(self) -> Module:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # -- asking ----------------------------------------------------------------------------------

    @abstractmethod
    async def identify(self) -> Identity:
        """Who the module and its SIM are."""

    @abstractmethod
    async def registration(self) -> Registration:
        """Where the module stands with the network."""

    @abstractmethod
    async def radio(self) -> RadioReport:
        """Signal, coverage level and cell."""

    @abstractmethod
    async def address(self) -> str:
        """The address that the network gave, as text. Raises `Detached` without one."""

    @abstractmethod
    async def power_saving(self) -> PowerSaving:
        """Power saving as the network granted it last."""

    # -- doing -----------------------------------------------------------------------------------

    @abstractmethod
    async def attach(self, apn: str | None = None, timeout_s: float = 180.0) -> Registration:
        """Switch the radio on, register and get an address.

        The PDP type NONIP has no address to wait for. `apn` None leaves the stored one.
        Setting another one may reboot the module (see `ModuleOptions.reset_for_apn`). Raises
        `SimNotReady`, `RegistrationDenied`, `Detached` when the time is over.
        """

    @abstractmethod
    async def detach(self) -> None:
        """Leave the network."""

    @abstractmethod
    async def configure_power_saving(self, wanted: PowerSaving) -> PowerSaving:
        """Ask for PSM and eDRX and return what was granted.

        Before the module is registered nothing is granted: the answer then has only `psm` False
        and no times, and `power_saving()` tells later.
        """

    @abstractmethod
    async def open_udp(self, host: str, port: int, local_port: int = 0) -> DatagramSocket:
        """Open a UDP socket towards `host` (address or name) and `port` (1 to 65,535).

        `local_port` 0 lets the module choose. Raises `Detached`, `CommandFailed`.
        """

    async def reset(self) -> None:
        """Reboot the module and wait until it answers again. Sockets and settings are gone."""
        raise NotSupported(self.family, "reset")

    async def sim_state(self) -> str:
        """What the SIM is: `READY`, or what the module says instead."""
        raise NotSupported(self.family, "state of the SIM")

    async def operator(self) -> str:
        """The serving network's code (MCC and MNC, e.g. `23003`), "" without one."""
        raise NotSupported(self.family, "operator")

    async def select_operator(self, plmn: str | None) -> None:
        """Register with this network only (5 or 6 digits), or with any again (None)."""
        raise NotSupported(self.family, "choice of the operator")

    async def select_bands(self, bands: Sequence[int]) -> None:
        """Search these E-UTRA bands only."""
        raise NotSupported(self.family, "choice of bands")

    async def configure_header_compression(self, on: bool) -> None:
        """Ask for ROHC (RFC 3095) on the PDP context, or for none; effective at the next attach."""
        raise NotSupported(self.family, "header compression")

    async def open_non_ip(self, apn: str | None = None) -> DatagramSocket:
        """Open the way for non-IP data (NIDD); `host` is "" and `port` 0 then.

        `apn` sets the PDN connection up as non-IP; None: it is set up already.
        """
        raise NotSupported(self.family, "non-IP data")

    async def resolve(self, name: str) -> tuple[str, ...]:
        """Ask the network's DNS for the addresses of `name`."""
        raise NotSupported(self.family, "DNS")

    async def ping(self, host: str, timeout_s: float = 30.0) -> float:
        """Round trip time of one ping, s."""
        raise NotSupported(self.family, "ping")

    async def apdu(self, command: bytes, channel: int = 0) -> bytes:
        """Exchange one APDU with the SIM, over the basic channel 0 or an open logical one.

        Returns the response with its status word (two octets) at the end.
        """
        raise NotSupported(self.family, "SIM access")

    async def open_channel(self, aid: bytes) -> int:
        """Open a logical channel of the SIM to the application `aid`; returns its number."""
        raise NotSupported(self.family, "SIM channels")

    async def close_channel(self, channel: int) -> None:
        """Close a logical channel of the SIM."""
        raise NotSupported(self.family, "SIM channels")

    async def counters(self) -> dict[str, float]:
        """The module's own statistics, by name with the unit in it (`tx_time_s`, ...)."""
        raise NotSupported(self.family, "counters")

    # -- events ----------------------------------------------------------------------------------

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with every event from now on. Returns a function that ends it.

        Callbacks run in the event loop where the bytes were read: they must be short. One that
        raises is logged and does not disturb the others.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def _emit(self, event: ModuleEvent) -> None:
        for callback in tuple(self._subscribers):
            try:
                callback(event)
            except Exception:
                told = mask_digits(repr(event))
                _logger.exception("a subscriber of %s failed on %s", self.family, told)
