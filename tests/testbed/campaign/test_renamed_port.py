"""A module addressed by USB identity that is unplugged, and comes back under another name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from firmware_bridge import PortMissing, open_port
from firmware_bridge.virtual import (
    FaultKind,
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    PtyDoor,
    virtual_module_on_pty,
)
from testbed.bench import validate_bench
from testbed.campaign import Payloads, Progress, run_bench
from testbed.hse import HsePort, HseServer, ListenAddresses
from testbed.results import (
    FaultRecord,
    JournalReader,
    MessageRecord,
    Record,
    RunDirectory,
    start_manifest,
)
from testbed.traffic import generated_traffic

SECRET = "sixteen letters!"
QUICK = ModuleSettings(
    line=LineSettings(answer_s=0.001, jitter=0.0, boot_s=0.05),
    network=NetworkSettings(
        search_s=(0.01, 0.02),
        signalling_delay_s=0.01,
        core_delay_s=0.0,
        inactivity_timer_s=0.05,
    ),
)
VENDOR, PRODUCT, SERIAL = 0x2C7C, 0x6005, "A1"
ADDRESS = f"usb:{VENDOR:04x}:{PRODUCT:04x}:{SERIAL}"


@dataclass
class Bus:
    """What the system lists: the module while it is there, and always one of the same make.

    Once the module has vanished, somebody else takes the number that it had.
    """

    door: PtyDoor
    other: PtyDoor
    takers: list[int] = field(default_factory=list)

    def __call__(self) -> list[SimpleNamespace]:
        if not self.door.path and not self.takers:
            self.takers.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
        plugged = [("B2", self.other.path), (SERIAL, self.door.path)]
        return [
            SimpleNamespace(
                device=path, vid=VENDOR, pid=PRODUCT, serial_number=serial, description="modem"
            )
            for serial, path in plugged
            if path
        ]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[PtyDoor, PtyDoor], Bus]]:
    """Let the system's list of ports be that of these two modules."""
    made: list[Bus] = []

    def go(door: PtyDoor, other: PtyDoor) -> Bus:
        bus = Bus(door, other)
        made.append(bus)
        monkeypatch.setattr("serial.tools.list_ports.comports", bus)
        return bus

    yield go
    for taker in made[0].takers:
        os.close(taker)


async def test_an_identity_is_looked_up_each_time_that_a_port_is_opened(
    plug: Callable[[PtyDoor, PtyDoor], Bus],
) -> None:
    async with virtual_module_on_pty("bc66") as door, virtual_module_on_pty("bc66") as other:
        plug(door, other)
        line = await open_port(ADDRESS)
        assert (line.address, os.ttyname(line._serial.fd)) == (ADDRESS, door.path)
        await line.close()
        before = door.path
        door.fail(FaultKind.VANISH, 0.2)
        with pytest.raises(PortMissing) as missing:
            await open_port(ADDRESS)
        assert missing.value.existing == ("usb:2c7c:6005:B2",)
        async with asyncio.timeout(10):
            while not door.path:
                await asyncio.sleep(0.01)
        assert door.path != before
        line = await open_port(ADDRESS)
        assert os.ttyname(line._serial.fd) == door.path
        await line.close()


@dataclass
class Unplug(Progress):
    """Pulls the plug after a message."""

    door: PtyDoor
    after: int
    was: str = ""

    def record(self, record: Record) -> None:
        if isinstance(record, MessageRecord) and record.index == self.after:
            self.was = self.door.path
            self.door.fail(FaultKind.VANISH, 0.5)


async def test_a_campaign_goes_on_under_the_port_s_new_name(
    tmp_path: Path, plug: Callable[[PtyDoor, PtyDoor], Bus]
) -> None:
    async with (
        virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door,
        virtual_module_on_pty("bc66", settings=QUICK, seed=2) as other,
        HseServer(
            secrets=lambda identity: SECRET.encode(),
            listen=ListenAddresses(esp_port=0, rohc_port=0, plain_port=0),
        ) as server,
    ):
        plug(door, other)
        bench = validate_bench(
            {
                "module": {"family": "bc66", "port": ADDRESS, "power_saving": {"psm": False}},
                "hse": {
                    "address": f"127.0.0.1:{server.address(HsePort.ESP)[1]}",
                    "secret": SECRET,
                    "test": True,
                },
                "matrix": ["esp-tunnel"],
                "recovery": {"attempts": 20, "pause_s": 0.1},
                "answer_timeout_s": 5,
            }
        )
        messages = generated_traffic(messages=5, seed=1).messages
        payloads = Payloads.of(bench, messages, "generated")
        directory = RunDirectory.create(tmp_path)
        directory.write_manifest(start_manifest(directory.name, config={}))
        unplug = Unplug(door, after=1)
        await run_bench(bench, payloads, directory, progress=unplug)
        assert door.path
        assert door.path != unplug.was
        assert other.module.counters.sent == 0
    found = list(JournalReader(directory.journal_path).typed())
    (fault,) = (one for one in found if isinstance(one, FaultRecord))
    assert (fault.fault, fault.failure) == ("line-lost", None)
    assert fault.attempts > 1  # it was away for a while, and its name was not known before
    assert fault.recovered_s is not None
    outcomes = [one.outcome.value for one in found if isinstance(one, MessageRecord)]
    assert len(outcomes) == 5
    assert outcomes[:2] == outcomes[3:] == ["answered"] * 2
