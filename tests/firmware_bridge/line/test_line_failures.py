"""What the system may answer when a port is opened, held, or taken away."""

import asyncio
import errno
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import pytest
import serial

from firmware_bridge import (
    LineLost,
    PortBusy,
    PortError,
    PortMissing,
    PortUnreachable,
    open_port,
)
from firmware_bridge.line import holders, opening, transport
from firmware_bridge.line.threaded import ThreadedLine
from firmware_bridge.line.transport import TransportLine, release_exclusive, take_exclusive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ptys are POSIX only")

TIOCGEXCL = 0x80045440
"""Linux: whether TIOCEXCL is in force (tty_ioctl(2))."""


class Receiver:
    def __init__(self) -> None:
        self.data = b""
        self.lost: list[str] = []

    def data_received(self, data: bytes, at: float) -> None:
        self.data += data

    def line_lost(self, reason: str) -> None:
        self.lost.append(reason)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (serial.SerialException(errno.ENOENT, "could not open"), PortMissing, "does not exist"),
        (serial.SerialException(errno.EBUSY, "could not open"), PortBusy, "in use"),
        (serial.SerialException(errno.EAGAIN, "Could not exclusively lock"), PortBusy, "in use"),
        (serial.SerialException("Could not exclusively lock port /dev/x"), PortBusy, "in use"),
        (serial.SerialException(errno.EACCES, "could not open"), PortError, "no permission"),
        (serial.SerialException("something else"), PortError, "something else"),
        (OSError(errno.EIO, "Input/output error"), PortError, "Input/output error"),
        # Windows has no errno in the exception, only words.
        (serial.SerialException("FileNotFoundError(2, 'x')"), PortMissing, "does not exist"),
        (serial.SerialException("PermissionError(13, 'Access is denied.')"), PortBusy, "in use"),
    ],
)
async def test_each_refusal_of_the_system_is_its_own_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[PortError], words: str
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(kind, match=words) as caught:
        await open_port("/dev/null")
    assert caught.value.address == "/dev/null"
    assert caught.value.hint


async def test_a_server_that_never_accepts_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "CONNECT_TIMEOUT_S", 0.2)

    async def never(*arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never, raising=False)
    with pytest.raises(PortUnreachable, match="no answer"):
        await open_port("socket://127.0.0.1:9")


async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    with pytest.raises(PortUnreachable):
        await open_port("socket://no-such-host.invalid:9")


def test_a_real_port_is_kept_to_ourselves_and_given_back() -> None:
    import fcntl

    master, slave = os.openpty()

    class Port:
        port = "/dev/ttyUSB0"

        def fileno(self) -> int:
            return slave

    def exclusive() -> bool:
        answer = fcntl.ioctl(slave, TIOCGEXCL, struct.pack("i", 0))
        return struct.unpack("i", answer)[0] != 0

    try:
        if sys.platform != "linux":
            pytest.skip("TIOCGEXCL is Linux only")
        take_exclusive(Port())
        assert exclusive()
        release_exclusive(Port())
        assert not exclusive()
        pty = Port()
        pty.port = "/dev/pts/7"
        take_exclusive(pty)
        assert not exclusive()
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_that_is_gone_is_given_back_without_complaint() -> None:
    class Gone:
        port = "/dev/ttyUSB0"

        asked = 0

        def fileno(self) -> int:
            self.asked += 1
            raise ValueError("I/O operation on closed file")

    port = Gone()
    release_exclusive(port)
    assert port.asked == 1


async def test_modem_lines_are_driven_where_there_are_some() -> None:
    class Port:
        dtr = rts = False
        baudrate = 0

    line = TransportLine("/dev/ttyUSB0")
    assert line.set_modem_lines(dtr=True) is False
    line.attach_serial(Port())
    assert line.set_modem_lines(dtr=True, rts=True) is True
    assert line.set_modem_lines() is True
    line.set_baudrate(9_600)
    assert (line._serial.dtr, line._serial.rts, line._serial.baudrate) == (True, True, 9_600)


async def test_a_line_that_was_never_opened_takes_nothing() -> None:
    line = TransportLine("/dev/ttyUSB0")
    assert line.pending == 0
    with pytest.raises(LineLost, match="not open"):
        line.write(b"AT\r")
    await line.close()


async def test_what_comes_before_the_receiver_is_bounded() -> None:
    line = TransportLine("/dev/ttyUSB0")
    for index in range(200):
        line.data_received(bytes([index]) * 1_000)
    receiver = Receiver()
    line.connect(receiver)
    assert len(receiver.data) <= transport.EARLY_LIMIT
    assert receiver.data[-1] == 199


class Scripted:
    """A pyserial object whose writing fails."""

    in_waiting = 0

    def __init__(self) -> None:
        self.baudrate = 0
        self.dtr = self.rts = False
        self.open = True

    def read(self, size: int) -> bytes:
        import time

        time.sleep(0.01)
        return b""

    def write(self, data: bytes) -> int:
        raise OSError(errno.EPIPE, "Broken pipe")

    def close(self) -> None:
        self.open = False


async def test_a_write_that_fails_loses_the_line_and_frees_who_waits() -> None:
    port = Scripted()
    line = ThreadedLine("rfc2217://lab:1", port)
    receiver = Receiver()
    line.connect(receiver)
    line.write(b"AT\r")
    with pytest.raises(LineLost, match="Broken pipe"):
        await line.drain()
    late = Receiver()
    line.connect(late)
    assert receiver.lost == late.lost == ["[Errno 32] Broken pipe"]
    await line.close()
    assert not port.open


async def test_settings_of_a_line_with_threads_are_made_in_its_writing_thread() -> None:
    port = Scripted()
    line = ThreadedLine("rfc2217://lab:1", port)
    line.set_baudrate(9_600)
    line.set_modem_lines(dtr=True, rts=True)
    await line.close()
    assert (port.baudrate, port.dtr, port.rts) == (9_600, True, True)


async def test_a_line_whose_loop_is_over_stops_by_itself() -> None:
    """The threads must not outlive the loop that they report to."""
    lines: list[ThreadedLine] = []

    def other_loop() -> None:
        async def opened() -> None:
            line = ThreadedLine("rfc2217://lab:1", port)
            lines.append(line)

        asyncio.run(opened())

    port = Scripted()
    await asyncio.to_thread(other_loop)
    port.read = lambda size: b"x"  # type: ignore[method-assign]
    lines[0]._reader.join(5)
    assert not lines[0]._reader.is_alive()


def test_a_holder_without_a_name_is_a_process(tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        descriptors = tmp_path / "812" / "fd"
        descriptors.mkdir(parents=True)
        (descriptors / "3").symlink_to(os.ttyname(slave))
        (descriptors / "4").symlink_to("/dev/null")
        (descriptors / "5").symlink_to("socket:[1]")
        (tmp_path / "813").mkdir()
        (tmp_path / "self").mkdir()
        assert holders.holder_of(os.ttyname(slave), proc=tmp_path) == "process (pid 812)"
        (tmp_path / "812" / "comm").write_text("minicom\n")
        assert holders.holder_of(os.ttyname(slave), proc=tmp_path) == "minicom (pid 812)"
        assert holders.holder_of("/dev/zero", proc=tmp_path) == ""
    finally:
        os.close(master)
        os.close(slave)


def test_without_a_process_list_the_lock_file_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "LCK..null").write_text(str(os.getppid()))
    monkeypatch.setattr(holders, "LOCK_FOLDERS", (tmp_path,))
    found = holders.holder_of("/dev/null", proc=tmp_path / "none")
    assert f"(pid {os.getppid()})" in found


async def test_a_socket_port_survives_a_burst() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xa5" * 300_000)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    line = await open_port(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    receiver = Receiver()
    line.connect(receiver)
    async with asyncio.timeout(5):
        while len(receiver.data) < 300_000:
            await asyncio.sleep(0.01)
    assert receiver.data == b"\xa5" * 300_000
    await line.close()
    server.close()
    await server.wait_closed()
