"""Virtual modules: NB-IoT modules made of software, on a pseudo-terminal or in memory.

For whoever has no module at hand, needs a thousand hours of battery life by tomorrow, or wants to
know what really happened inside. A virtual module answers as the real one does (its dialect is
written from the maker's manual and from recordings), takes the time that the air takes, draws the
current that follows from what it does, and reaches the real network of this machine.

Who may come in: anybody who wants a module; ``python -m firmware_bridge.virtual bc66`` for people.
The drivers of :mod:`firmware_bridge.modules` may not, nor may this room import them.

On the shelves:

* ``doors``: a module on a pty or in memory, in the running event loop; ``network``: its sockets;
  ``serving``: a module as a program of its own; ``clock``: event loops of scaled and virtual time
* ``module``: the module itself, sans-IO; ``actions``: what it wants of the network, what it reports
* ``session``, ``commands``: the AT interpreter; ``dialects/``: one file per family
* ``equipment``: the datagrams, on top of ``mobility``: registration, connection, power saving;
  ``rrc``: the connection's states as a table; ``paging``: who waits in the network; ``observer``:
  who is told
* ``radio``: coverage and timing; ``blocks``: a message's transport blocks, by the tables;
  ``player``: the radio at work; ``current``: what is drawn
* ``usim``: the card, APDUs in and out; ``usim_files``: what is on it; ``card_reader``: the modem's
  way to it
* ``nat``: the operator's address translation; ``faults``: what can go wrong, as a script
* ``parameters``: all figures with their sources; ``settings``: what can be set; ``durations``:
  timers coded in bits; ``scheduler``: timers
"""

from __future__ import annotations

from firmware_bridge.virtual.actions import (
    Action,
    DatagramSent,
    Event,
    EventKind,
    LineLost,
    NameAsked,
    SocketClosed,
    SocketOpened,
    SocketRebound,
)
from firmware_bridge.virtual.blocks import Block, downlink_blocks, uplink_blocks
from firmware_bridge.virtual.current import Draw, Energy, Part
from firmware_bridge.virtual.dialects import FAMILIES
from firmware_bridge.virtual.doors import (
    Door,
    MemoryDoor,
    PtyDoor,
    virtual_module_in_memory,
    virtual_module_on_pty,
)
from firmware_bridge.virtual.faults import Fault, FaultKind
from firmware_bridge.virtual.memory_network import MemoryNetwork, MemorySocket
from firmware_bridge.virtual.module import VirtualModule
from firmware_bridge.virtual.parameters import (
    COVERAGE_LEVELS,
    NAS_OVERHEAD_BYTES,
    CoverageLevel,
)
from firmware_bridge.virtual.radio import Signal
from firmware_bridge.virtual.rrc import ConnectionState
from firmware_bridge.virtual.settings import (
    CardSettings,
    LineSettings,
    ModuleSettings,
    Move,
    NetworkSettings,
    PowerSettings,
    RadioSettings,
    UsimSettings,
)
from firmware_bridge.virtual.usim import UsimCard

__all__ = [
    "COVERAGE_LEVELS",
    "FAMILIES",
    "NAS_OVERHEAD_BYTES",
    "Action",
    "Block",
    "CardSettings",
    "ConnectionState",
    "CoverageLevel",
    "DatagramSent",
    "Door",
    "Draw",
    "Energy",
    "Event",
    "EventKind",
    "Fault",
    "FaultKind",
    "LineLost",
    "LineSettings",
    "MemoryDoor",
    "MemoryNetwork",
    "MemorySocket",
    "ModuleSettings",
    "Move",
    "NameAsked",
    "NetworkSettings",
    "Part",
    "PowerSettings",
    "PtyDoor",
    "RadioSettings",
    "Signal",
    "SocketClosed",
    "SocketOpened",
    "SocketRebound",
    "UsimCard",
    "UsimSettings",
    "VirtualModule",
    "downlink_blocks",
    "uplink_blocks",
    "virtual_module_in_memory",
    "virtual_module_on_pty",
]
