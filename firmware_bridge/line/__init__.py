"""Lines: whatever carries AT commands to a module.

    contract   Line and Receiver: what the AT engine needs of a line
    address    /dev/ttyUSB0, COM3, usb:VID:PID[:SERIAL], rfc2217://, socket://; which ports exist
    holders    who has a port open, and keeping one between two openings
    transport  a serial port under asyncio (local devices, socket://)
    threaded   ports without a file descriptor (rfc2217://): a reading thread
    memory     a line inside the process, for virtual modules and tests

Nothing here knows AT commands.
"""

from firmware_bridge.line.address import PortInfo, available_ports
from firmware_bridge.line.contract import Line, Receiver
from firmware_bridge.line.holders import holder_of, lock_port
from firmware_bridge.line.memory import MemoryLine
from firmware_bridge.line.opening import open_port

__all__ = [
    "Line",
    "MemoryLine",
    "PortInfo",
    "Receiver",
    "available_ports",
    "holder_of",
    "lock_port",
    "open_port",
]
