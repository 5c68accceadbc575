"""ser2net between us and a virtual module: ``testbed module`` and a driver's whole session."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import socket
import sys
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from firmware_bridge import PowerSaving, RegistrationState, ReleaseAssistance, open_module
from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    RadioSettings,
    virtual_module_on_pty,
)
from tests.peers.test_virtual_ser2net import ser2net

pytestmark = [
    pytest.mark.peer,
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial's own
]

SETTINGS = ModuleSettings(
    line=LineSettings(answer_s=0.005, jitter=0.1),
    radio=RadioSettings(rsrp_variation_db=0.0),
    network=NetworkSettings(search_s=(0.01, 0.02), signalling_delay_s=0.01, core_delay_s=0.0),
)
TESTBED = "from testbed.cli import main; main()"

WAYS = pytest.mark.parametrize(
    ("accepter", "url"),
    [
        # A pseudo-terminal has no modem lines, so their state is not asked for.
        ("telnet(rfc2217),", "rfc2217://127.0.0.1:{port}?ign_set_control"),
        ("", "socket://127.0.0.1:{port}"),
    ],
    ids=["rfc2217", "raw"],
)


async def testbed(*arguments: str, text: str | None = None) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TESTBED, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate((text or "").encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)

    def echo() -> None:
        data, address = server.recvfrom(65535)
        server.sendto(data[::-1], address)

    loop = asyncio.get_running_loop()
    loop.add_reader(server.fileno(), echo)
    try:
        yield int(server.getsockname()[1])
    finally:
        loop.remove_reader(server.fileno())
        server.close()


@WAYS
async def test_a_probe_goes_through_ser2net(tmp_path: Path, accepter: str, url: str) -> None:
    async with (
        virtual_module_on_pty("bc660k", settings=SETTINGS, seed=1) as door,
        ser2net(tmp_path, door.path, accepter) as port,
    ):
        address = url.format(port=port)
        code, out, err = await testbed("module", "probe", address, "--json")
        assert code == 0, err
        text = "ATI\nAT+CEREG?\n"
        shell = await testbed("module", "shell", address, "--family", "bc660k", text=text)
    told = json.loads(out)
    assert told["family"] == "bc660k"
    assert told["registration"]["state"] == "home"
    assert told["radio"]["rsrp_dbm"] == -92
    assert told["unanswered"] == {}
    code, out, err = shell
    assert code == 0, err
    assert "< Quectel_BC660K-GL" in out
    assert "# home, cell" in out


@WAYS
@pytest.mark.parametrize("family", ["bc66", "bc95"])
async def test_a_session_of_a_driver_goes_through_ser2net(
    tmp_path: Path, accepter: str, url: str, family: str
) -> None:
    async with (
        virtual_module_on_pty(family, settings=SETTINGS, seed=1) as door,
        ser2net(tmp_path, door.path, accepter) as port,
        echo_server() as server,
        asyncio.timeout(60),
        await open_module(family, url.format(port=port)) as module,
    ):
        await module.start()
        assert (await module.attach()).state is RegistrationState.HOME
        wanted = PowerSaving(psm=True, active_time_s=10, periodic_tau_s=3600)
        granted = await module.configure_power_saving(wanted)
        assert (granted.active_time_s, granted.periodic_tau_s) == (10, 3600)
        async with await module.open_udp("127.0.0.1", server) as udp:
            for size in (1, 100, udp.max_payload):
                payload = bytes(index % 256 for index in range(size))
                receipt = await udp.send(payload, rai=ReleaseAssistance.AFTER_DOWNLINK)
                assert receipt.written_at <= receipt.accepted_at
                assert (await udp.receive(timeout_s=20)).data == payload[::-1]


async def test_a_port_without_a_module_behind_it_is_a_lab_fault(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        async with ser2net(tmp_path, os.ttyname(slave), "telnet(rfc2217),") as port:
            url = f"rfc2217://127.0.0.1:{port}?ign_set_control"
            code, out, err = await testbed("module", "probe", url)
    finally:
        os.close(master)
        os.close(slave)
    assert code == 3
    assert out == ""
    assert "silent" in err
    assert "Traceback" not in err
