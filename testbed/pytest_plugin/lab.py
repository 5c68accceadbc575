"""What a session of tests holds of one bench: the lock on its port, the module, the HSE."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_bridge import DatagramSocket, Module, ModuleError
from firmware_bridge.line import lock_port
from firmware_bridge.line.address import PortKind, parse_address
from firmware_bridge.virtual import MemoryNetwork
from testbed.bench import Bench, load_bench
from testbed.bench.loading import merged
from testbed.campaign.lab import Hse, ModuleLink, open_hse, open_module
from testbed.campaign.subscriber import bench_subscribers, own_card
from testbed.campaign.upkeep import wanted_power_saving
from testbed.clock import TimeKind
from testbed.hse import ServerObserver
from testbed.pytest_plugin.loop import Handle, LabLoop

if TYPE_CHECKING:
    from testbed.analysis.measurements import Measurements

__all__ = ["Lab", "read_bench"]


def read_bench(
    path: Path, *, virtual: bool = False, changes: Mapping[str, Any] | None = None
) -> Bench:
    """A description as a session uses it.

    Args:
        path: of the bench file.
        virtual: with a virtual module of its family, and an HSE of the run, in place of its own.
        changes: values that beat the file's, nested as in it.

    Raises:
        UsageError: it cannot be used; names file, line and mistake.
    """
    bench = load_bench(path, changes)
    if not virtual or bench.module.is_virtual:
        return bench
    in_place: dict[str, Any] = {
        "module": {"port": f"virtual:{bench.module.family}"},
        "hse": {"address": None, "secret": None, "secret_file": None},
        "time": None,
        "time_scale": None,
    }
    return load_bench(path, merged(in_place, changes or {}))


class Lab:
    """One bench, for the length of a session.

    The port is locked from the beginning to the end. The module is attached when the first test
    asks for it, looked after before each further one, and let go while a campaign has the port.

    Args:
        path: of the bench file.
        virtual: with a virtual module in place of a real one.
        runs: folder of run directories.
        baseline: what regressions are held against.
    """

    def __init__(
        self, path: Path, *, virtual: bool, runs: Path, baseline: Measurements | None
    ) -> None:
        self.bench = read_bench(path, virtual=virtual)
        self.runs = runs
        self.baseline = baseline
        self.campaigns: dict[str, Any] = {}
        """Results of the session's campaigns, by what was changed for them."""
        self._path = path
        self._virtual = virtual
        timing = self.bench.timing
        self._network = MemoryNetwork() if timing.kind is TimeKind.VIRTUAL else None
        self._subscribers = bench_subscribers(self.bench)
        self._locks = contextlib.ExitStack()
        if not self.bench.module.is_virtual:
            port = parse_address(self.bench.module.port)
            if port.kind is PortKind.DEVICE:
                self._locks.enter_context(lock_port(port.target))
        self._hse_stack = contextlib.AsyncExitStack()
        self._module_stack = contextlib.AsyncExitStack()
        self._hse: Hse | None = None
        self._link: ModuleLink | None = None
        self._opened: list[DatagramSocket] = []
        self.loop = LabLoop(timing.scale)

    def changed(self, changes: Mapping[str, Any]) -> Bench:
        """The description with other values; module and port stay the bench's."""
        return read_bench(self._path, virtual=self._virtual, changes=changes)

    def hse(self) -> Hse:
        """The HSE: the bench's, or one of our own that lives as long as the session."""
        return self.loop.wait(self._open_hse())

    def module(self) -> Handle:
        """The module, attached, with no socket open."""
        return Handle(self.loop.wait(self._ready()), self.loop, self._opened.append)

    def release(self) -> None:
        """Close the module's line; the port stays locked."""
        self.loop.wait(self._close_module())

    def close(self) -> None:
        """Close everything."""
        try:
            self.loop.wait(self._close_module())
            self.loop.wait(self._hse_stack.aclose())
        finally:
            self.loop.close()
            self._locks.close()

    async def _open_hse(self) -> Hse:
        if self._hse is None:
            self._hse = await self._hse_stack.enter_async_context(
                open_hse(self.bench, ServerObserver(), self._network, subscribers=self._subscribers)
            )
        return self._hse

    async def _ready(self) -> Module:
        await self._open_hse()
        if self._link is None:
            card = own_card(self.bench, self._subscribers)
            self._link = await self._module_stack.enter_async_context(
                open_module(self.bench, network=self._network, card=card)
            )
            await self._bring_up(self._link)
            return self._link.module
        for socket in self._opened:
            with contextlib.suppress(ModuleError):
                await socket.close()
        self._opened.clear()
        try:
            await self._link.module.wake()
            if not (await self._link.module.registration()).registered:
                await self._bring_up(self._link)
        except ModuleError:  # a test left it rebooted, or its line is lost
            await self._link.open()
            await self._bring_up(self._link)
        return self._link.module

    async def _bring_up(self, link: ModuleLink) -> None:
        description = self.bench.module
        await link.module.start()
        await link.module.configure_power_saving(wanted_power_saving(description.power_saving))
        await link.module.attach(apn=description.apn, timeout_s=description.attach_timeout_s)

    async def _close_module(self) -> None:
        self._opened.clear()
        self._link = None
        await self._module_stack.aclose()
