"""Lines over a bare pty, a TCP socket, pyserial's loop:// and memory."""

import asyncio
import os
import sys
from collections.abc import Iterator

import pytest

from firmware_bridge import (
    Line,
    LineLost,
    MemoryLine,
    PortBusy,
    PortError,
    PortMissing,
    PortUnreachable,
    open_port,
)
from firmware_bridge.line import opening
from firmware_bridge.line.threaded import ThreadedLine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ptys are POSIX only")


class Collector:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.times: list[float] = []
        self.lost: list[str] = []
        self._changed = asyncio.Event()

    def data_received(self, data: bytes, at: float) -> None:
        self.data += data
        self.times.append(at)
        self._changed.set()

    def line_lost(self, reason: str) -> None:
        self.lost.append(reason)
        self._changed.set()

    async def until(self, octets: int = 0, lost: bool = False) -> None:
        async with asyncio.timeout(5):
            while len(self.data) < octets or (lost and not self.lost):
                self._changed.clear()
                await self._changed.wait()


class Pty:
    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.path = os.ttyname(self.slave)
        os.set_blocking(self.master, False)

    def close(self) -> None:
        for descriptor in (self.master, self.slave):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self.slave = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    pair = Pty()
    yield pair
    pair.close()


async def test_octets_pass_both_ways_with_the_time_they_were_read(pty: Pty) -> None:
    line = await open_port(pty.path)
    receiver = Collector()
    line.connect(receiver)
    before = asyncio.get_running_loop().time()
    os.write(pty.master, b"\r\nRDY\r\n\x00\xff")
    await receiver.until(octets=9)
    assert receiver.data == b"\r\nRDY\r\n\x00\xff"
    assert before <= receiver.times[0] <= asyncio.get_running_loop().time()
    line.write(b"AT\r")
    assert line.pending == 0
    await line.drain()
    assert os.read(pty.master, 100) == b"AT\r"
    assert line.address == pty.path
    await line.close()
    assert receiver.lost == [""]


async def test_octets_that_came_before_the_receiver_are_not_lost(pty: Pty) -> None:
    line = await open_port(pty.path)
    os.write(pty.master, b"RDY\r\n")
    await asyncio.sleep(0.05)
    receiver = Collector()
    line.connect(receiver)
    assert receiver.data == b"RDY\r\n"
    await line.close()


async def test_a_second_opening_is_refused_and_says_who_holds_the_port(pty: Pty) -> None:
    line = await open_port(pty.path)
    with pytest.raises(PortBusy) as caught:
        await open_port(pty.path)
    assert f"pid {os.getpid()}" in caught.value.holder
    await line.close()
    again = await open_port(pty.path)
    await again.close()


async def test_a_lock_file_of_another_program_is_respected(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "lock_file_holder", lambda device: "minicom (pid 812)")
    with pytest.raises(PortBusy, match=r"minicom \(pid 812\)"):
        await open_port(pty.path)


async def test_a_missing_port_is_said_to_be_missing() -> None:
    with pytest.raises(PortMissing, match="does not exist"):
        await open_port("/dev/ttyNOSUCH0")


async def test_a_file_is_no_serial_port(tmp_path: object) -> None:
    path = f"{tmp_path}/file"
    with open(path, "w") as file:  # noqa: PTH123
        file.write("x")
    with pytest.raises(PortError, match="can't be opened"):
        await open_port(path)


async def test_a_speed_must_be_positive(pty: Pty) -> None:
    with pytest.raises(ValueError, match="positive"):
        await open_port(pty.path, baudrate=0)


async def test_a_pty_has_no_modem_lines_and_takes_any_speed(pty: Pty) -> None:
    line = await open_port(pty.path)
    assert line.set_modem_lines(dtr=True, rts=False) is False
    line.set_baudrate(9_600)
    os.write(pty.master, b"OK\r\n")
    receiver = Collector()
    line.connect(receiver)
    await receiver.until(octets=4)
    await line.close()


async def test_a_port_that_vanishes_is_reported_once_and_writing_is_refused(pty: Pty) -> None:
    line = await open_port(pty.path)
    receiver = Collector()
    line.connect(receiver)
    pty.close()
    await receiver.until(lost=True)
    assert len(receiver.lost) == 1 and receiver.lost[0]
    with pytest.raises(LineLost):
        line.write(b"AT\r")
    with pytest.raises(LineLost):
        await line.drain()
    late = Collector()
    line.connect(late)
    assert late.lost == receiver.lost
    await line.close()


async def test_drain_waits_until_the_system_has_taken_everything(pty: Pty) -> None:
    line = await open_port(pty.path)
    line.connect(Collector())
    line.write(b"x" * 100_000)
    assert line.pending > 0
    waiting = asyncio.create_task(line.drain())
    taken = 0
    async with asyncio.timeout(5):
        while taken < 100_000:
            await asyncio.sleep(0)
            try:
                taken += len(os.read(pty.master, 65_536))
            except BlockingIOError:
                continue
        await waiting
    assert line.pending == 0
    await line.close()


async def test_closing_twice_is_harmless(pty: Pty) -> None:
    line = await open_port(pty.path)
    await line.close()
    await line.close()
    with pytest.raises(LineLost):
        line.write(b"AT\r")


async def test_a_tcp_port_works_as_a_line() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = await reader.readuntil(b"\r")
        writer.write(command + b"\r\nOK\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = await open_port(f"socket://127.0.0.1:{port}")
    receiver = Collector()
    line.connect(receiver)
    line.write(b"AT\r")
    await receiver.until(octets=9)
    assert receiver.data == b"AT\r\r\nOK\r\n"
    assert line.set_modem_lines(dtr=True) is False
    line.set_baudrate(9_600)
    await line.close()
    server.close()
    await server.wait_closed()


async def test_a_tcp_server_that_hangs_up_loses_the_line() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = await open_port(f"socket://127.0.0.1:{port}")
    receiver = Collector()
    line.connect(receiver)
    await receiver.until(lost=True)
    assert receiver.lost == ["closed by the other side"]
    await line.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_a_refused_connection_is_said_so(scheme: str) -> None:
    with pytest.raises(PortUnreachable, match="connection refused"):
        await open_port(f"{scheme}://127.0.0.1:1")


@pytest.mark.parametrize("address", ["socket://", "socket://host", "rfc2217://host:99999"])
async def test_a_network_port_needs_host_and_port(address: str) -> None:
    with pytest.raises(ValueError, match="port address"):
        await open_port(address)


async def test_a_line_without_a_file_descriptor_is_read_by_a_thread() -> None:
    line = await open_port("loop://")
    assert isinstance(line, ThreadedLine)
    line.write(b"AT\r")
    await line.drain()
    assert line.pending == 0
    await asyncio.sleep(0.05)
    receiver = Collector()
    line.connect(receiver)
    await receiver.until(octets=3)
    line.write(b"ATI\r")
    await receiver.until(octets=7)
    assert receiver.data == b"AT\rATI\r"
    assert line.set_modem_lines(dtr=True, rts=True) is True
    line.set_baudrate(9_600)
    await line.close()
    await line.close()
    assert receiver.lost == [""]
    with pytest.raises(LineLost):
        line.write(b"AT\r")


class Broken:
    """A pyserial object whose port died."""

    in_waiting = 0

    def __init__(self) -> None:
        self.closed = False

    def read(self, size: int) -> bytes:
        raise OSError("Input/output error")

    def close(self) -> None:
        self.closed = True


async def test_a_reading_thread_that_fails_loses_the_line() -> None:
    port = Broken()
    line = ThreadedLine("rfc2217://lab:1", port)
    receiver = Collector()
    line.connect(receiver)
    await receiver.until(lost=True)
    assert receiver.lost == ["Input/output error"]
    with pytest.raises(LineLost, match="Input/output error"):
        await line.drain()
    await line.close()
    assert port.closed


async def test_a_memory_line_delivers_through_the_loop() -> None:
    line: Line = MemoryLine("memory:test")
    assert isinstance(line, MemoryLine)
    line.feed(b"RDY\r\n")
    await asyncio.sleep(0)
    receiver = Collector()
    line.connect(receiver)
    assert receiver.data == b"RDY\r\n"
    written: list[bytes] = []
    line.on_write = written.append
    line.write(b"AT\r")
    assert written == []
    await line.drain()
    await asyncio.sleep(0)
    assert written == [b"AT\r"]
    line.break_off("unplugged")
    line.feed(b"too late")
    await asyncio.sleep(0)
    assert receiver.data == b"RDY\r\n"
    assert receiver.lost == ["unplugged"]
    with pytest.raises(LineLost, match="unplugged"):
        line.write(b"AT\r")
    await line.close()
    assert receiver.lost == ["unplugged"]
