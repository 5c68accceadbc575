"""The part of a bench description that says which module is under test, and how it is set up."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from firmware_bridge.virtual import ModuleSettings
from testbed.bench.model import Model

__all__ = ["ModuleDescription", "PdpType", "PowerSavingDescription", "ReleaseAssistanceName"]

ReleaseAssistanceName = Literal["none", "after-uplink", "after-downlink"]
"""What a message tells the network: nothing, no more data at all, or one answer expected."""


class PdpType(StrEnum):
    """What the PDN connection carries."""

    IP = "ip"
    """IP packets: the module's UDP socket."""
    NON_IP = "non-ip"
    """Non-IP data (NIDD): what we give it, without IP and UDP header on the air."""


class PowerSavingDescription(Model):
    """What the module asks the network for."""

    psm: bool = True
    """Ask for power saving mode (AT+CPSMS)."""
    active_time_s: float = Field(default=4.0, ge=0, le=11160)
    """T3324: how long the module stays reachable after it is released, in seconds."""
    periodic_tau_s: float = Field(default=86400.0, ge=2, le=35712000)
    """T3412 extended: period of the tracking area update, in seconds."""
    edrx_cycle_s: float | None = Field(default=None, gt=0, le=10485.76)
    """eDRX cycle to ask for, in seconds; none asks for no eDRX."""


class ModuleDescription(Model):
    """The NB-IoT module: which family, on which port, and how it is set up."""

    family: str = "bc66"
    """The module's family; `testbed run --help` lists those there are."""
    port: str = "virtual:bc66"
    """``/dev/ttyUSB0``, ``rfc2217://host:port``, ``socket://host:port`` or ``virtual:FAMILY``."""
    baudrate: int = Field(default=115200, ge=300, le=4_000_000)
    """Line speed in bit/s; a virtual module ignores it."""
    apn: str | None = Field(default=None, max_length=99)
    """Access point name; none keeps what the module has."""
    pdp_type: PdpType = PdpType.IP
    """What the PDN connection carries: ``ip``, or ``non-ip`` data that the network wraps in UDP
    towards the HSE. See docs/bench.md."""
    non_ip_apn: str | None = Field(default=None, max_length=99)
    """Access point name of the non-IP PDN connection; none takes ``apn``."""
    attach_timeout_s: float = Field(default=180.0, gt=0, le=3600)
    """How long the module may take to register, in seconds."""
    power_saving: PowerSavingDescription = PowerSavingDescription()
    """PSM and eDRX."""
    release_assistance: ReleaseAssistanceName = "after-downlink"
    """What each message tells the network: nothing, no more data at all, or one answer expected."""
    max_payload: int | None = Field(default=None, ge=1, le=1500)
    """Largest UDP payload the module's socket takes, in octets; none uses the family's figure."""
    keep_current: int = Field(default=10, ge=0, le=1000)
    """Of how many messages per cell the modelled current of a virtual module is kept in ``trace/``,
    besides the slowest and the first unanswered ones of each configuration; 0 keeps none."""
    virtual: ModuleSettings | None = None
    """Settings of a virtual module: coverage, network timers, loss; only with a virtual port."""

    @property
    def is_virtual(self) -> bool:
        """True when the port is a virtual module."""
        return self.port.startswith("virtual:")

    def apn_of(self, pdp_type: PdpType) -> str | None:
        """The access point name of a PDN connection of this type; none where nothing says it."""
        own = self.apn
        if own is None and self.is_virtual:
            own = (self.virtual or ModuleSettings()).network.apn
        return (self.non_ip_apn or own) if pdp_type is PdpType.NON_IP else own

    @model_validator(mode="after")
    def _port_and_family_agree(self) -> ModuleDescription:
        if self.is_virtual:
            named = self.port.removeprefix("virtual:")
            if named != self.family:
                raise ValueError(
                    f"port {self.port!r} is a virtual {named or '(nothing)'}, the family is "
                    f"{self.family!r}: name the same family twice"
                )
        elif self.virtual is not None:
            raise ValueError(
                f"'virtual' settings with the real port {self.port!r}: remove them, "
                f"or use port: virtual:{self.family}"
            )
        return self
