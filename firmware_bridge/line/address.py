"""Port addresses: what a user may write, and which ports exist."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firmware_bridge.errors import PortMissing

__all__ = ["PortAddress", "PortInfo", "PortKind", "available_ports", "parse_address"]

_USB = re.compile(r"usb:([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})(?::(.+))?")
_URL = re.compile(r"([a-z][a-z0-9+.]*)://")
_URL_SCHEMES = ("socket", "rfc2217", "loop", "spy", "alt", "cp2110")


class PortKind(Enum):
    """How a port is opened."""

    DEVICE = "device"
    """A local character device, also a pty."""
    SOCKET = "socket"
    """A URL that has a file descriptor (socket://)."""
    THREADED = "threaded"
    """A URL without one (rfc2217://, loop://, ...)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortAddress:
    """An address that was understood."""

    written: str
    """As the user wrote it."""
    target: str
    """What pyserial opens: a device path, or a URL."""
    kind: PortKind
    """How it is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortInfo:
    """One serial port of this machine."""

    device: str
    """What to open, e.g. `/dev/ttyUSB0`."""
    description: str = ""
    """The system's words for it."""
    usb: str = ""
    """`usb:VID:PID:SERIAL`, stable over re-plugging; "" if it is not on USB."""


def available_ports() -> list[PortInfo]:
    """The serial ports of this machine, by device name."""
    from serial.tools import list_ports

    found = []
    for port in list_ports.comports():
        usb = ""
        if port.vid is not None and port.pid is not None:
            usb = f"usb:{port.vid:04x}:{port.pid:04x}"
            if port.serial_number:
                usb += f":{port.serial_number}"
        described = "" if port.description in (None, "n/a") else port.description
        found.append(PortInfo(device=port.device, description=described, usb=usb))
    return sorted(found, key=lambda port: port.device)


def parse_address(
    written: str, ports: Callable[[], Iterable[PortInfo]] = available_ports
) -> PortAddress:
    """Understand what the user wrote.

    `ports` lists the ports that exist (for `usb:` addresses and for the error).

    Raises `ValueError` for an address of no known form, `PortMissing` for a port that is not
    there.
    """
    text = written.strip()
    if not text:
        raise ValueError("the port address is empty")
    if text.startswith("usb:"):
        return PortAddress(written=written, target=_find_usb(text, ports), kind=PortKind.DEVICE)
    url = _URL.match(text)
    if url is not None:
        scheme = url.group(1)
        if scheme not in _URL_SCHEMES:
            raise ValueError(
                f"port address {text!r}: unknown scheme {scheme}://, "
                f"known are {', '.join(s + '://' for s in _URL_SCHEMES)}"
            )
        kind = PortKind.SOCKET if scheme == "socket" else PortKind.THREADED
        return PortAddress(written=written, target=text, kind=kind)
    if os.name == "posix" and not Path(text).exists():
        raise PortMissing(written, [port.device for port in ports()])
    return PortAddress(written=written, target=text, kind=PortKind.DEVICE)


def _find_usb(text: str, ports: Callable[[], Iterable[PortInfo]]) -> str:
    parts = _USB.fullmatch(text)
    if parts is None:
        raise ValueError(f"port address {text!r}: expected usb:VID:PID or usb:VID:PID:SERIAL")
    wanted = f"usb:{parts.group(1)}:{parts.group(2)}".lower()
    serial = parts.group(3)
    existing = list(ports())
    for port in existing:
        if not port.usb.lower().startswith(wanted):
            continue
        if serial is None or port.usb[len(wanted) + 1 :] == serial:
            return port.device
    raise PortMissing(text, [port.usb or port.device for port in existing])
