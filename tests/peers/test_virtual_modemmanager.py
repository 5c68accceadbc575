"""ModemManager on the virtual module: on a bus of its own, with neither udev nor hardware.

The way in is ModemManager's own test interface: a profile with an abstract socket, which socat
joins to the pseudo-terminal. What ModemManager makes of a BC66, which has no AT+WS46 and no
AT+CREG: it takes it for a GSM/UMTS modem, enables it, polls its signal, and never sees it as
registered, because it asks CREG and CGREG only. The answers are the real module's, so they stay.
A BC660K-GL has AT+CREG, and is seen as registered (for SMS only: CREG says 6), with its operator.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    PtyDoor,
    RadioSettings,
    virtual_module_on_pty,
)

pytestmark = pytest.mark.peer

SETTINGS = ModuleSettings(
    line=LineSettings(answer_s=0.005, jitter=0.1),
    radio=RadioSettings(rsrp_dbm=-97.5, rsrp_variation_db=0.0),
    network=NetworkSettings(search_s=(0.01, 0.02), signalling_delay_s=0.01),
)

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="method_return"/>
    <allow receive_type="error"/><allow receive_type="signal"/>
  </policy>
</busconfig>
"""

PROGRAMS = {
    "dbus-daemon": "dbus",
    "ModemManager": "modemmanager",
    "mmcli": "modemmanager",
    "gdbus": "libglib2.0-bin",
    "socat": "socat",
    "polkitd": "polkitd",
}


def programs() -> dict[str, str]:
    """Paths of all that is needed; skips (or fails, where peers are required) without."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/polkit-1"
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    missing = sorted({PROGRAMS[name] for name, where in found.items() if where is None})
    if missing and os.environ.get("TESTBED_REQUIRE_PEERS") == "1":
        pytest.fail(f"Debian packages required here and missing: {', '.join(missing)}")
    if missing:
        pytest.skip(f"Debian packages not installed: {', '.join(missing)}")
    if os.getuid() != 0:
        pytest.skip("ModemManager and polkitd need to be started as root")
    return {name: str(where) for name, where in found.items()}


class Manager:
    """A running ModemManager with its bus."""

    def __init__(self, paths: dict[str, str], environment: dict[str, str]) -> None:
        self._paths = paths
        self._environment = environment

    async def start(self, stack: AsyncExitStack, name: str, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            self._paths[name],
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment,
        )

        async def stop() -> None:
            if process.returncode is None:
                process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

        stack.push_async_callback(stop)

    async def run(self, name: str, *arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            self._paths[name],
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def until(self, wanted: str, *arguments: str, timeout_s: float = 60.0) -> str:
        """Ask mmcli until its answer matches."""
        output = ""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    _, output = await self.run("mmcli", *arguments)
                    if re.search(wanted, output):
                        return output
                    await asyncio.sleep(0.3)
        except TimeoutError:
            pytest.fail(f"mmcli never showed {wanted!r}; at last: {output}")


@asynccontextmanager
async def managed(door: PtyDoor, folder: Path, plugin: str) -> AsyncIterator[Manager]:
    paths = programs()
    bus = folder / "bus"
    (folder / "bus.conf").write_text(BUS.format(path=bus))
    environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}", "LC_ALL": "C"}
    manager = Manager(paths, environment)
    name = f"vmod{os.getpid()}"
    async with AsyncExitStack() as stack:
        await manager.start(
            stack, "dbus-daemon", f"--config-file={folder / 'bus.conf'}", "--nofork"
        )
        async with asyncio.timeout(10):
            while not bus.exists():
                await asyncio.sleep(0.01)
        await manager.start(stack, "polkitd", "--no-debug")
        code, output = await manager.run(
            "gdbus", "wait", "--system", "--timeout", "20", "org.freedesktop.PolicyKit1"
        )
        assert code == 0, output
        await manager.start(
            stack,
            "socat",
            # ModemManager opens its port anew between probing and enabling: what joined the first
            # one must not linger and take answers from the second.
            *("-t", "0"),
            f"ABSTRACT-LISTEN:abstract\\:{name},fork",
            f"OPEN:{door.path},raw,echo=0",
        )
        await manager.start(
            stack,
            "ModemManager",
            "--test-enable",
            "--test-no-udev",
            "--no-auto-scan",
            "--test-no-suspend-resume",
        )
        async with asyncio.timeout(20):
            while True:
                code, _ = await manager.run(
                    "gdbus",
                    *("call", "--system", "-d", "org.freedesktop.ModemManager1"),
                    *("-o", "/org/freedesktop/ModemManager1"),
                    *("-m", "org.freedesktop.ModemManager1.Test.SetProfile"),
                    *(name, plugin, f"['abstract:{name}']"),
                )
                if code == 0:
                    break
                await asyncio.sleep(0.2)
        yield manager


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter: polkitd gives root up before it opens the bus."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def enabled(manager: Manager) -> None:
    """Wait until the modem has been probed, and enable it."""
    await manager.until(r"state: \S*disabled", "-m", "any")
    code, output = await manager.run("mmcli", "-m", "any", "-e")
    assert code == 0, output
    await manager.until(r"state: \S*(enabled|registered)", "-m", "any")


async def signal_of_the_radio(manager: Manager, door: PtyDoor) -> None:
    """What mmcli shows is what the virtual radio hears."""
    code, output = await manager.run("mmcli", "-m", "any", "--signal-setup=1")
    assert code == 0, output
    output = await manager.until(r"rsrp: +-\d", "-m", "any", "--signal-get")
    rsrp = re.search(r"rsrp: +(-?[\d.]+) dBm", output)
    rsrq = re.search(r"rsrq: +(-?[\d.]+) dB", output)
    assert rsrp
    assert rsrq
    # +CESQ counts in steps of 1 dB and half a decibel; ModemManager takes the lower edge.
    assert float(rsrp[1]) == pytest.approx(door.module.signal.rsrp_dbm, abs=1.01)
    assert float(rsrq[1]) == pytest.approx(door.module.signal.rsrq_db, abs=0.51)


@pytest.mark.parametrize("plugin", ["generic", "quectel"])
async def test_modemmanager_enables_a_bc66_and_reads_the_signal_of_its_radio(
    open_folder: Path, plugin: str
) -> None:
    async with (
        virtual_module_on_pty("bc66", settings=SETTINGS, seed=1) as door,
        managed(door, open_folder, plugin) as manager,
    ):
        await enabled(manager)
        _, shown = await manager.run("mmcli", "-m", "any")
        assert "Quectel_BC66" in shown
        assert "firmware revision: Revision: BC66NBR01A10" in shown
        await signal_of_the_radio(manager, door)


async def test_modemmanager_sees_a_bc660k_registered_with_its_operator(
    open_folder: Path,
) -> None:
    async with (
        virtual_module_on_pty("bc660k", settings=SETTINGS, seed=1) as door,
        managed(door, open_folder, "generic") as manager,
    ):
        await enabled(manager)
        shown = await manager.until(r"operator name: \S+", "-m", "any")
        assert re.search(r"state: \S*registered", shown)
        assert f"operator id: {SETTINGS.network.plmn}" in shown
        assert f"operator name: {SETTINGS.network.operator}" in shown
        assert "registration: home-sms-only" in shown
        await signal_of_the_radio(manager, door)
