"""Programs that are not ours, on the virtual module's pseudo-terminal.

Each is run as its users run it, in a process of its own. Where one of them asks for something that
the module does not have, the module's true answer stays, and what the client makes of it is written
down here:

* gammu's ``networkinfo`` insists on ``AT+CREG``, which a BC66 does not have: it gives up
* python-gsmmodem's ``connect()`` insists on ``ATZ``, which a BC66 does not have: it raises
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest

from firmware_bridge.virtual import LineSettings, ModuleSettings, NetworkSettings, RadioSettings
from firmware_bridge.virtual import virtual_module_on_pty as on_pty

pytestmark = pytest.mark.peer

SETTINGS = ModuleSettings(
    line=LineSettings(answer_s=0.005, jitter=0.1),
    radio=RadioSettings(rsrp_variation_db=0.0),
    network=NetworkSettings(search_s=(0.01, 0.02), signalling_delay_s=0.01),
)


def missing(what: str) -> None:
    """Skip, or fail where all peers are required."""
    if os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
        pytest.fail(f"{what} is required here and missing")
    pytest.skip(f"{what} is not installed")


def need_program(name: str) -> str:
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        missing(name)
    return str(path)


def need_package(name: str, distribution: str) -> None:
    if importlib.util.find_spec(name) is None:
        missing(f"the Python package {distribution}")


async def run(*command: str, timeout_s: float = 60.0) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode(errors="replace")


async def registered(module: object) -> None:
    async with asyncio.timeout(30):
        while not module.equipment.registered:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)


def gammu_rc(tmp_path: Path, device: str) -> str:
    path = tmp_path / "gammurc"
    path.write_text(f"[gammu]\ndevice={device}\nconnection=at115200\n")
    return str(path)


async def test_gammu_identifies_the_module(tmp_path: Path) -> None:
    gammu = need_program("gammu")
    async with on_pty("bc66", settings=SETTINGS, seed=1) as door:
        code, output = await run(gammu, "-c", gammu_rc(tmp_path, door.path), "identify")
    assert code == 0, output
    shown = dict(re.findall(r"^(\S[^:]*?) +: (.*)$", output, re.MULTILINE))
    assert shown["Manufacturer"] == "Quectel_Ltd"
    assert shown["Firmware"] == "BC66NBR01A10"
    assert shown["SIM IMSI"] == SETTINGS.card.imsi
    assert "Quectel_BC66" in shown["Model"]


async def test_gammu_shows_the_signal_of_the_virtual_radio(tmp_path: Path) -> None:
    gammu = need_program("gammu")
    async with on_pty("bc66", settings=SETTINGS, seed=1) as door:
        await registered(door.module)
        _, output = await run(gammu, "-c", gammu_rc(tmp_path, door.path), "monitor", "1")
        rssi_dbm = door.module.signal.rssi_dbm
    found = re.search(r"Signal strength +: (-?\d+) dBm", output)
    assert found, output
    assert int(found[1]) == pytest.approx(rssi_dbm, abs=2.0)  # +CSQ counts in steps of 2 dB


async def test_gammu_gives_networkinfo_up_because_there_is_no_creg(tmp_path: Path) -> None:
    gammu = need_program("gammu")
    async with on_pty("bc66", settings=SETTINGS, seed=1) as door:
        code, output = await run(gammu, "-c", gammu_rc(tmp_path, door.path), "networkinfo")
    assert code != 0
    assert "Unknown error" in output


PYATCOMMAND = """
import sys
from pyatcommand import AtClient
client = AtClient()
client.connect(port=sys.argv[1], baudrate=115200)
for command in sys.argv[2:]:
    answer = client.send_command(command, timeout=5)
    print(command, answer.ok, repr(answer.info))
client.disconnect()
"""


async def test_pyatcommand_reads_identity_and_registration() -> None:
    need_package("pyatcommand", "pyatcommand")
    async with on_pty("bc66", settings=SETTINGS, seed=1) as door:
        await registered(door.module)
        code, output = await run(
            sys.executable,
            "-c",
            PYATCOMMAND,
            door.path,
            "AT+CGMR",
            "AT+CEREG?",
            "AT+CIMI",
            "AT+NOPE",
        )
    assert code == 0, output
    assert "AT+CGMR True 'Revision: BC66NBR01A10'" in output
    assert "AT+CEREG? True '+CEREG: 0,1'" in output
    assert f"AT+CIMI True '{SETTINGS.card.imsi}'" in output
    assert "AT+NOPE False" in output


GSMMODEM = """
import sys
from gsmmodem.exceptions import CommandError
from gsmmodem.modem import GsmModem
modem = GsmModem(sys.argv[1], 115200)
try:
    modem.connect()
    print("connected")
except CommandError as error:
    print("refused", error.command)
modem.write("ATE0")
print(modem.manufacturer, modem.model, modem.imsi, modem.networkName)
print(modem.signalStrength)
print(modem.write("AT+CEREG?"))
modem.close()
"""


async def test_python_gsmmodem_stops_at_atz_and_reads_the_rest() -> None:
    need_package("gsmmodem", "python-gsmmodem-new")
    async with on_pty("bc66", settings=SETTINGS, seed=1) as door:
        await registered(door.module)
        code, output = await run(sys.executable, "-c", GSMMODEM, door.path)
    assert code == 0, output
    lines = output.splitlines()
    assert lines[0] == "refused ATZ"
    assert lines[1] == f"Quectel_Ltd Quectel_BC66 {SETTINGS.card.imsi} {SETTINGS.network.plmn}"
    assert lines[2] == "13"
    assert lines[3] == "['+CEREG: 0,1', 'OK']"


PYSERIAL = """
import serial, sys
line = serial.Serial(sys.argv[1], 115200, timeout=10, rtscts=True, exclusive=True)
def ask(command, last=b"OK\\r\\n"):
    line.write(command + b"\\r")
    return line.read_until(last)
ask(b"ATE0")
while b"+CEREG: 0,1" not in ask(b"AT+CEREG?"):
    pass
ask(b'AT+QICFG="dataformat",1,1')
ask(b'AT+QIOPEN=1,0,"UDP","127.0.0.1",' + sys.argv[2].encode(), b"+QIOPEN: 0,0\\r\\n")
for size in (1, 100, 512):
    payload = bytes(i % 256 for i in range(size))
    ask(b"AT+QISEND=0,%d,%s" % (size, payload.hex().encode()), b"SEND OK\\r\\n")
    got = line.read_until(b'"\\r\\n')
    assert got.split(b'"')[3] == payload[::-1].hex().upper().encode(), got
print("echoed")
"""


async def test_pyserial_carries_datagrams_of_every_size_to_loopback_and_back() -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)

    def echo() -> None:
        data, address = server.recvfrom(65535)
        server.sendto(data[::-1], address)

    asyncio.get_running_loop().add_reader(server.fileno(), echo)
    async with on_pty("bc66", settings=SETTINGS, seed=1) as door:
        port = str(server.getsockname()[1])
        code, output = await run(sys.executable, "-c", PYSERIAL, door.path, port)
    asyncio.get_running_loop().remove_reader(server.fileno())
    server.close()
    assert code == 0, output
    assert "echoed" in output


async def test_chat_walks_its_script_through_echo_and_answers() -> None:
    chat = need_program("chat")
    async with on_pty("bc66", settings=SETTINGS, seed=1) as door:
        device = door.path
        script = f"{chat} -v -t 5 '' AT OK ATI BC66 '' OK < {device} > {device}"
        code, output = await run("sh", "-c", script)
    assert code == 0, output
