"""The module side of the testbed: serial lines, AT commands, one driver per module family.

    errors    what can go wrong; the tree of exceptions stands in its docstring
    line/     ports by address, the asyncio transport, who holds a port
    at/       sans-IO parser of AT dialects, the engine, the AT log
    modules/  the driver contract and one driver per family
    usim/     AUTHENTICATE through whatever module is on the line, or in software
    virtual/  the same families and a USIM, seen from the other end of the line
    aka       what an authentication ends in
    masking   what no log and no error shows

`modules` and `virtual` do not know each other. This package needs nothing else of the project.

Logging goes through `logging.getLogger("firmware_bridge...")`; nothing is set up here.
"""

from __future__ import annotations

import logging

from firmware_bridge.errors import (
    CommandFailed,
    Detached,
    LineLost,
    ModuleError,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
    NotSupported,
    PayloadTooLarge,
    PortBusy,
    PortError,
    PortMissing,
    PortUnreachable,
    RegistrationDenied,
    SimNotReady,
    SocketLost,
    UnexpectedAnswer,
    UnknownFamily,
    UsimBusy,
    UsimError,
    UsimRefused,
    UsimUnreachable,
)
from firmware_bridge.line import Line, MemoryLine, PortInfo, available_ports, open_port
from firmware_bridge.modules.contract import DatagramSocket, Module, ModuleOptions
from firmware_bridge.modules.events import (
    AddressChanged,
    DeepSleepEntered,
    DeepSleepLeft,
    Degraded,
    LineVanished,
    ModuleEvent,
    NetworkContextLost,
    NoiseRead,
    PsmEntered,
    PsmLeft,
    Rebooted,
    RegistrationChanged,
    RrcConnected,
    RrcReleased,
    SimChanged,
    SocketClosed,
    UnknownEvent,
)
from firmware_bridge.modules.probe import Probed, probe
from firmware_bridge.modules.records import (
    Identity,
    PowerSaving,
    RadioReport,
    Received,
    Registration,
    RegistrationState,
    ReleaseAssistance,
    SendReceipt,
    Status,
)
from firmware_bridge.modules.registry import FAMILIES, driver, families, open_module

logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "FAMILIES",
    "AddressChanged",
    "CommandFailed",
    "DatagramSocket",
    "DeepSleepEntered",
    "DeepSleepLeft",
    "Degraded",
    "Detached",
    "Identity",
    "Line",
    "LineLost",
    "LineVanished",
    "MemoryLine",
    "Module",
    "ModuleError",
    "ModuleEvent",
    "ModuleOptions",
    "ModuleRebooted",
    "ModuleSilent",
    "ModuleTimeout",
    "NetworkContextLost",
    "NoiseRead",
    "NotSupported",
    "PayloadTooLarge",
    "PortBusy",
    "PortError",
    "PortInfo",
    "PortMissing",
    "PortUnreachable",
    "PowerSaving",
    "Probed",
    "PsmEntered",
    "PsmLeft",
    "RadioReport",
    "Rebooted",
    "Received",
    "Registration",
    "RegistrationChanged",
    "RegistrationDenied",
    "RegistrationState",
    "ReleaseAssistance",
    "RrcConnected",
    "RrcReleased",
    "SendReceipt",
    "SimChanged",
    "SimNotReady",
    "SocketClosed",
    "SocketLost",
    "Status",
    "UnexpectedAnswer",
    "UnknownEvent",
    "UnknownFamily",
    "UsimBusy",
    "UsimError",
    "UsimRefused",
    "UsimUnreachable",
    "available_ports",
    "driver",
    "families",
    "open_module",
    "open_port",
    "probe",
]
