"""A virtual module behind ser2net: as a serial port on the network, RFC 2217 and raw."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    virtual_module_on_pty,
)

pytestmark = pytest.mark.peer

SETTINGS = ModuleSettings(
    line=LineSettings(answer_s=0.005, jitter=0.1),
    network=NetworkSettings(search_s=(0.01, 0.02), signalling_delay_s=0.01, core_delay_s=0.0),
)

CLIENT = """
import serial, sys
line = serial.serial_for_url(sys.argv[1], 115200, timeout=10)
def ask(command, last=b"OK\\r\\n"):
    line.write(command + b"\\r")
    answer = line.read_until(last)
    assert answer.endswith(last), (command, answer)
    return answer
ask(b"ATE0")
assert b"Quectel_BC66" in ask(b"ATI")
while b"+CEREG: 0,1" not in ask(b"AT+CEREG?"):
    pass
ask(b'AT+QIOPEN=1,0,"UDP","127.0.0.1",' + sys.argv[2].encode(), b"+QIOPEN: 0,0\\r\\n")
# Every byte value through the prompt and back in a pushed line, in one direction and the other.
ask(b"AT+QISEND=0,256", b">")
line.write(bytes(range(256)))
line.read_until(b"SEND OK\\r\\n")
got = line.read_until(bytes(range(256)) + b'"\\r\\n')
assert got.endswith(bytes(range(256)) + b'"\\r\\n'), got
print("echoed")
"""


def need_ser2net() -> str:
    path = shutil.which("ser2net", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
            pytest.fail("the Debian package ser2net is required here and missing")
        pytest.skip("ser2net is not installed")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def ser2net(folder: Path, device: str, accepter: str) -> AsyncIterator[int]:
    """ser2net with ``device`` behind a TCP port; gives the port."""
    program, port = need_ser2net(), free_port()
    configuration = folder / "ser2net.yaml"
    configuration.write_text(
        f"connection: &module\n"
        f"  accepter: {accepter}tcp,127.0.0.1,{port}\n"
        f"  connector: serialdev,{device},115200n81,local\n"
    )
    process = await asyncio.create_subprocess_exec(
        program,
        *("-n", "-c", str(configuration), "-P", str(folder / "pid")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(10):
            while not listening(port):
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


def listening(port: int) -> bool:
    """Whether somebody listens there, without connecting: the port takes one client only."""
    wanted = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in lines)


@pytest.mark.parametrize(
    ("accepter", "url"),
    [
        # A pseudo-terminal has no modem lines, so their state is not asked for.
        ("telnet(rfc2217),", "rfc2217://127.0.0.1:{port}?ign_set_control&timeout=5"),
        ("", "socket://127.0.0.1:{port}"),
    ],
    ids=["rfc2217", "raw"],
)
async def test_a_datagram_of_every_byte_crosses_ser2net_both_ways(
    tmp_path: Path, accepter: str, url: str
) -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)

    def echo() -> None:
        data, address = server.recvfrom(65535)
        server.sendto(data, address)

    loop = asyncio.get_running_loop()
    loop.add_reader(server.fileno(), echo)
    async with (
        virtual_module_on_pty("bc66", settings=SETTINGS, seed=1) as door,
        ser2net(tmp_path, door.path, accepter) as port,
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", CLIENT, url.format(port=port), str(server.getsockname()[1])),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    loop.remove_reader(server.fileno())
    server.close()
    assert process.returncode == 0, output.decode()
    assert b"echoed" in output
