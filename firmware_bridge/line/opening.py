"""Opening a port by its address, exclusively, with errors that say what to do."""

from __future__ import annotations

import asyncio
import errno
from typing import Any
from urllib.parse import urlsplit

from firmware_bridge.errors import PortBusy, PortError, PortMissing, PortUnreachable
from firmware_bridge.line.address import PortAddress, PortKind, available_ports, parse_address
from firmware_bridge.line.contract import Line
from firmware_bridge.line.holders import holder_of, lock_file_holder
from firmware_bridge.line.threaded import READ_TIMEOUT_S, ThreadedLine
from firmware_bridge.line.transport import TransportLine, take_exclusive

__all__ = ["open_port"]

CONNECT_TIMEOUT_S = 10.0
"""How long a serial server on the network may take to accept, loop seconds."""


async def open_port(address: str, baudrate: int = 115_200) -> Line:
    """Open a port for AT commands: 8 data bits, no parity, one stop bit, no flow control.

    `address`: `/dev/ttyUSB0`, `COM3`, `usb:VID:PID[:SERIAL]`, `rfc2217://HOST:PORT[?options]`,
    `socket://HOST:PORT`. `baudrate` in bit/s, without effect on a pty or socket.

    Raises `PortMissing`, `PortBusy`, `PortUnreachable`, or `ValueError` for an address of no known
    form.
    """
    if baudrate <= 0:
        raise ValueError(f"baudrate {baudrate} must be positive")
    parsed = parse_address(address)
    if parsed.kind is PortKind.SOCKET:
        return await _open_socket(parsed)
    if parsed.kind is PortKind.THREADED:
        return await _open_threaded(parsed, baudrate)
    return await _open_device(parsed, baudrate)


async def _open_device(parsed: PortAddress, baudrate: int) -> Line:
    import serial
    from serial_asyncio_fast import SerialTransport

    locked_by = lock_file_holder(parsed.target)
    if locked_by:
        raise PortBusy(parsed.written, locked_by)
    try:
        port = serial.serial_for_url(
            parsed.target, baudrate=baudrate, timeout=0, write_timeout=0, exclusive=True
        )
    except (serial.SerialException, OSError) as error:
        raise _device_error(parsed, error) from error
    take_exclusive(port)
    line = TransportLine(parsed.written)
    line.attach_serial(port)
    SerialTransport(asyncio.get_running_loop(), line, port)
    await asyncio.sleep(0)  # lets the transport call connection_made and start reading
    return line


def _device_error(parsed: PortAddress, error: Exception) -> PortError:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT or "FileNotFoundError" in str(error):
        return PortMissing(parsed.written, [port.device for port in available_ports()])
    busy = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)
    if number in busy or "exclusively lock" in str(error) or "PermissionError(13" in str(error):
        return PortBusy(parsed.written, holder_of(parsed.target))
    if number == errno.EACCES:
        return PortError(
            f"no permission to open port {parsed.written}",
            address=parsed.written,
            hint="add yourself to the group that owns it: sudo usermod -aG dialout $USER",
        )
    return PortError(
        f"port {parsed.written} can't be opened: {error}",
        address=parsed.written,
        hint="is it a serial port?",
    )


async def _open_socket(parsed: PortAddress) -> Line:
    host, port = _host_and_port(parsed)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, line = await loop.create_connection(
                lambda: TransportLine(parsed.written), host, port
            )
    except TimeoutError as error:
        raise PortUnreachable(parsed.written, "no answer") from error
    except OSError as error:
        raise PortUnreachable(parsed.written, _system_words(error)) from error
    return line


async def _open_threaded(parsed: PortAddress, baudrate: int) -> Line:
    import serial

    if parsed.target.startswith("rfc2217:"):
        _host_and_port(parsed)

    def opened() -> Any:
        return serial.serial_for_url(parsed.target, baudrate=baudrate, timeout=READ_TIMEOUT_S)

    try:
        port = await asyncio.to_thread(opened)
    except (serial.SerialException, OSError, ValueError) as error:
        raise PortUnreachable(parsed.written, _system_words(error)) from error
    return ThreadedLine(parsed.written, port)


def _host_and_port(parsed: PortAddress) -> tuple[str, int]:
    try:
        parts = urlsplit(parsed.target)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"port address {parsed.written!r}: {error}") from error
    if not host or port is None:
        raise ValueError(f"port address {parsed.written!r}: expected {parts.scheme}://HOST:PORT")
    return host, port


def _system_words(error: Exception) -> str:
    text = str(error)
    if "Connection refused" in text or getattr(error, "errno", None) == errno.ECONNREFUSED:
        return "connection refused"
    return text or type(error).__name__
