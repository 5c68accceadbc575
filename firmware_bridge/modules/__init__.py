"""Drivers: one per module family, all behind one contract.

    contract   Module, DatagramSocket, ModuleOptions: what every family offers
    records    Identity, Registration, PowerSaving, RadioReport, ...
    events     RrcConnected, PsmEntered, Rebooted, SocketClosed, ...
    registry   family name -> driver class, imported when asked for
    probe      which family a port leads to
    explain    lines in plain words
    typed      commands that a person typed
    operations what each operation of the contract sends, for telling its status
    dialect    how a family's tables are written; every entry names its source
    threegpp   what all families share: +CEREG, +CESQ, the timers (TS 27.007, TS 24.008)
    quectel    the behaviour that the Quectel NB-IoT families share
    bc66, ...  one file per family: its tables, and what is left to say in code

Nothing here knows the virtual modules, and they know nothing of this: a driver that shared its
tables with the module that it talks to would prove only that both make the same mistake.
"""

from firmware_bridge.modules.contract import DatagramSocket, Module, ModuleOptions
from firmware_bridge.modules.explain import explain
from firmware_bridge.modules.probe import Probed, probe
from firmware_bridge.modules.registry import FAMILIES, driver, families, open_module

__all__ = [
    "FAMILIES",
    "DatagramSocket",
    "Module",
    "ModuleOptions",
    "Probed",
    "driver",
    "explain",
    "families",
    "open_module",
    "probe",
]
