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
import yaml

from firmware_bridge import PowerSaving, RegistrationState, ReleaseAssistance, open_module
from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    RadioSettings,
    virtual_module_on_pty,
)
from testbed.hse import HsePort, HseServer, ListenAddresses
from testbed.results import JournalReader
from tests.peers.test_virtual_ser2net import ser2net

pytestmark = [
    pytest.mark.peer,
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial's own
]

SETTINGS = ModuleSettings(
    line=LineSettings(answer_s=0.005, jitter=0.1),
    radio=RadioSettings(rsrp_variation_db=0.0),
    network=NetworkSettings(
        search_s=(0.01, 0.02), signalling_delay_s=0.01, core_delay_s=0.0, inactivity_timer_s=0.2
    ),
)
SECRET = "sixteen letters!"
TESTBED = "from testbed.cli import main; main()"

# A pseudo-terminal has no modem lines, so their state is not asked for.
RFC2217 = ("telnet(rfc2217),", "rfc2217://127.0.0.1:{port}?ign_set_control")
WAYS = pytest.mark.parametrize(
    ("accepter", "url"),
    [RFC2217, ("", "socket://127.0.0.1:{port}")],
    ids=["rfc2217", "raw"],
)


async def command(*arguments: str, text: str | None = None) -> tuple[int, str, str]:
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
        code, out, err = await command("module", "probe", address, "--json")
        assert code == 0, err
        text = "ATI\nAT+CEREG?\n"
        shell = await command("module", "shell", address, "--family", "bc660k", text=text)
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


async def test_a_whole_run_goes_through_ser2net_with_rfc_2217(tmp_path: Path) -> None:
    names = ["none", "rohc+esp-tunnel"]
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    async with (
        virtual_module_on_pty("bc66", settings=SETTINGS, seed=1) as door,
        ser2net(tmp_path, door.path, RFC2217[0]) as port,
        HseServer(
            secrets=lambda identity: SECRET.encode() if identity == "meter-17" else None,
            listen=ListenAddresses(esp_port=0, rohc_port=0, plain_port=0),
        ) as server,
    ):
        bench = {
            "schema_version": 1,
            "identity": "meter-17",
            "module": {"family": "bc66", "power_saving": {"psm": False}},
            "hse": {
                "address": f"127.0.0.1:{server.address(HsePort.ESP)[1]}",
                "rohc_port": server.address(HsePort.ROHC)[1],
                "plain_port": server.address(HsePort.PLAIN)[1],
                "secret_file": str(secret),
            },
            "matrix": names,
            "traffic": {"messages": 4},
            "answer_timeout_s": 10,
        }
        description = tmp_path / "bench.yaml"
        description.write_text(yaml.safe_dump(bench))
        runs = tmp_path / "runs"
        code, out, err = await command(
            *("run", "--bench", str(description), "--port", RFC2217[1].format(port=port)),
            *("--runs", str(runs)),
        )
    assert code == 0, err
    (made,) = runs.iterdir()
    journal = list(JournalReader(made / "journal.jsonl"))
    messages = [one for one in journal if one["kind"] == "message"]
    assert [(one["configuration"], one["index"]) for one in messages] == [
        (name, index) for name in names for index in range(4)
    ]
    assert {one["outcome"] for one in messages} == {"answered"}
    assert not [one for one in journal if one["kind"] == "fault"]
    assert journal[-1]["status"] == "complete"
    assert journal[0]["time"] == "real"
    # The table has a column for each configuration, and all its messages.
    assert "bc66 · real" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["messages", "4", "4"] in lines
    assert ["lost", "0", "0"] in lines
    assert SECRET not in out + err


async def test_a_port_without_a_module_behind_it_is_a_lab_fault(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        async with ser2net(tmp_path, os.ttyname(slave), RFC2217[0]) as port:
            url = RFC2217[1].format(port=port)
            code, out, err = await command("module", "probe", url)
    finally:
        os.close(master)
        os.close(slave)
    assert code == 3
    assert out == ""
    assert "silent" in err
    assert "Traceback" not in err
