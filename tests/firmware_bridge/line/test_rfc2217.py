"""Ports over RFC 2217: against pyserial's own server side, in front of a pty."""

import asyncio
import os
import re
import select
import socket
import sys
import threading
import tty
from collections.abc import Iterator

import pytest
import serial
import serial.rfc2217

from firmware_bridge import LineLost, open_port
from firmware_bridge.at import AtEngine, Command

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="ptys are POSIX only"),
    # pyserial 3.5 names its thread in a way that newer Pythons warn about.
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),
]


class PtyPort(serial.Serial):
    """A pty that pretends to have modem-control lines, which the server side asks for."""

    cts = dsr = ri = cd = True

    def _update_dtr_state(self) -> None: ...

    def _update_rts_state(self) -> None: ...


class Server:
    """One connection of an RFC 2217 server; the module behind it answers AT+CSQ."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = PtyPort(os.ttyname(self.slave), 115_200, timeout=0.05)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.connection: socket.socket | None = None
        self.stopped = False
        self.threads = [
            threading.Thread(target=work, daemon=True) for work in (self.accept, self.answer)
        ]
        for thread in self.threads:
            thread.start()

    def accept(self) -> None:
        try:
            self.connection, _ = self.listener.accept()
        except OSError:
            return
        manager = serial.rfc2217.PortManager(self.port, self)
        upward = threading.Thread(target=self.upward, args=(manager,), daemon=True)
        self.threads.append(upward)
        upward.start()
        while not self.stopped:
            try:
                data = self.connection.recv(1_024)
            except OSError:
                break
            if not data:
                break
            self.port.write(b"".join(manager.filter(data)))

    def upward(self, manager: serial.rfc2217.PortManager) -> None:
        while not self.stopped:
            data = self.port.read(self.port.in_waiting or 1)
            if data:
                self.write(b"".join(manager.escape(data)))

    def write(self, data: bytes) -> None:
        """Called by the manager, for its own answers too."""
        if self.connection is not None:
            try:
                self.connection.sendall(data)
            except OSError:
                self.stopped = True

    def answer(self) -> None:
        waiting = b""
        while not self.stopped:
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            waiting += os.read(self.master, 1_024)
            while b"AT+CSQ\r" in waiting:
                _, _, waiting = waiting.partition(b"AT+CSQ\r")
                os.write(self.master, b"\r\n+CSQ: 18,99\xff\r\n\r\nOK\r\n")

    def hang_up(self) -> None:
        self.stopped = True
        if self.connection is not None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.connection.close()

    def close(self) -> None:
        self.stopped = True
        self.listener.close()
        if self.connection is not None:
            self.connection.close()
        for thread in self.threads:
            thread.join(2)
        self.port.close()
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


async def test_an_exchange_passes_over_the_network(server: Server) -> None:
    line = await open_port(f"rfc2217://{server.address}?ign_set_control&timeout=5", 9_600)
    engine = AtEngine(line)
    for _ in range(3):
        response = await engine.execute(
            Command(text="AT+CSQ", answer=re.compile(r"\+CSQ: ?\d"), timeout_s=5)
        )
        assert response.lines == ["+CSQ: 18,99\xff"]
        assert response.written_at <= response.began_at <= response.done_at
    assert server.port.baudrate == 9_600
    await engine.close()


async def test_a_server_that_hangs_up_loses_the_line(server: Server) -> None:
    line = await open_port(f"rfc2217://{server.address}?ign_set_control&timeout=5")
    engine = AtEngine(line)
    await engine.execute(Command(text="AT+CSQ", answer=re.compile(r"\+CSQ"), timeout_s=5))
    server.hang_up()
    with pytest.raises(LineLost):
        async with asyncio.timeout(5):
            await engine.execute(Command(text="AT+NOTHING", timeout_s=60))
    await engine.close()
