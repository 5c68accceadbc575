"""The module through a run: started, attached, set up otherwise, brought back when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from firmware_bridge import (
    DeepSleepEntered,
    DeepSleepLeft,
    Module,
    ModuleError,
    ModuleEvent,
    ModuleSilent,
    NotSupported,
    PowerSaving,
    PsmEntered,
    PsmLeft,
    RadioReport,
    RrcConnected,
    RrcReleased,
)
from testbed.bench import Bench, PdpType, PowerSavingDescription
from testbed.campaign.faults import FaultWatch
from testbed.campaign.lab import ModuleLink
from testbed.campaign.ledger import Ledger, ModulePhase, Progress
from testbed.campaign.observers import InFlight
from testbed.campaign.radio import RadioWatch
from testbed.errors import LabFault
from testbed.results import FaultRecord

__all__ = ["SETTLE_TIMEOUT_S", "Upkeep", "radio_dict", "wanted_power_saving"]

_PHASES: tuple[tuple[type[ModuleEvent], ModulePhase], ...] = (
    (RrcConnected, ModulePhase.CONNECTED),
    (RrcReleased, ModulePhase.IDLE),
    (PsmEntered, ModulePhase.ASLEEP),
    (PsmLeft, ModulePhase.IDLE),
    (DeepSleepEntered, ModulePhase.ASLEEP),
    (DeepSleepLeft, ModulePhase.IDLE),
)
"""What an attached module is doing after an event."""

SETTLE_TIMEOUT_S = 70.0
"""How long a message may wait for the radio's release; operators' timers end within a minute."""


class Upkeep:
    """Keeps a run's module attached, and knows what went wrong with it.

    Args:
        bench: the description.
        ledger: where faults are written down.
        progress: sees the run go on.
        in_flight: knows whose configuration it is.
    """

    def __init__(
        self, bench: Bench, ledger: Ledger, progress: Progress, in_flight: InFlight
    ) -> None:
        self._bench = bench
        self._ledger = ledger
        self._progress = progress
        self._in_flight = in_flight
        self._wanted = wanted_power_saving(bench.module.power_saving)
        self.radio = RadioWatch()
        """The module's radio connection."""
        self.faults = FaultWatch()
        """What went wrong with the module and is not dealt with yet."""
        self.address = ""
        """The address that the network gave the module; empty where it gives none (non-IP)."""
        self.granted = PowerSaving()
        """The power saving that the network granted it."""
        self._attached = False
        self.on_restored: Callable[[], None] = lambda: None
        """Called when the module was brought back, perhaps behind another driver."""

    def watch(self, module: Module) -> None:
        """Follow a module's events."""
        module.subscribe(self.radio.event)
        module.subscribe(self.faults.event)
        module.subscribe(self._event)

    def _event(self, event: ModuleEvent) -> None:
        """Tell what an attached module is doing."""
        if self._attached:
            for kind, phase in _PHASES:
                if isinstance(event, kind):
                    self._progress.module(phase)

    def _phase(self, phase: ModulePhase, *, attached: bool = False) -> None:
        self._attached = attached
        self._progress.module(phase)

    def use(self, link: ModuleLink) -> None:
        """Speak with the module over this link."""
        self._link = link

    @property
    def module(self) -> Module:
        """The driver that speaks with the module now."""
        return self._link.module

    def finish(self) -> None:
        """Write down a fault that nobody dealt with any more."""
        if self.faults.fault is not None:
            self._ledger.write(self._fault_record(None))
        self._phase(ModulePhase.ENDED)

    async def start(self) -> None:
        """Start and attach the module for the first time; bring it back if it fails meanwhile.

        Raises:
            firmware_bridge.ModuleError: it never answered, it can't do what the bench wants, it
                does not come back, or the bench says to stop.
        """
        try:
            await self._bring_up()
        except NotSupported:
            raise
        except ModuleError as error:
            if isinstance(error, ModuleSilent) and self.module.identity is None:
                raise  # nobody is there who could be brought back
            loop = asyncio.get_running_loop()
            self.faults.error(error, loop.time())
            if self.faults.fault is None:
                self.faults.note("refused", loop.time())
            if self._bench.recovery.module == "stop":
                self._ledger.write(self._fault_record(None))
                raise
            await self.restore_if_due(None)

    async def save_power(self, description: PowerSavingDescription) -> None:
        """Ask the network for another power saving, and wait until the module is idle again."""
        self._wanted = wanted_power_saving(description)
        try:
            await self.module.configure_power_saving(self._wanted)
            self.granted = await self.module.power_saving()
        except NotSupported:
            raise
        except ModuleError as error:  # who brings it back asks for it again
            self.faults.error(error, asyncio.get_running_loop().time())
            if self.faults.fault is None:
                self.faults.note("refused", asyncio.get_running_loop().time())
            await self.restore_if_due(None)
        await self.radio.settle(SETTLE_TIMEOUT_S)

    async def carry(self, pdp_type: PdpType) -> None:
        """Set a PDN connection of another type up, and wait until the module is idle again."""
        self._link.carry(pdp_type)
        try:
            await self.module.reset()  # the PDN connection there was ends, whatever the family
            self.radio.forget()
            await self._bring_up()
        except NotSupported:
            raise
        except ModuleError as error:
            self.faults.error(error, asyncio.get_running_loop().time())
            if self.faults.fault is None:
                self.faults.note("refused", asyncio.get_running_loop().time())
            await self.restore_if_due(None)
        await self.radio.settle(SETTLE_TIMEOUT_S)

    async def see_non_ip(self) -> None:
        """See that the module's firmware has non-IP data, before anything is measured.

        Raises:
            firmware_bridge.NotSupported: it has none.
        """
        try:
            await (await self.module.open_non_ip()).close()
        except NotSupported:
            raise
        except ModuleError as error:  # something else: whoever needs it finds out
            self.faults.error(error, asyncio.get_running_loop().time())

    @property
    def pdp_type(self) -> PdpType:
        """What the module's PDN connection carries."""
        return self._link.pdp_type

    def _apn(self) -> str | None:
        """The APN to attach with: named where the PDN connection is not the module's usual one."""
        description, pdp_type = self._bench.module, self._link.pdp_type
        if PdpType.NON_IP not in self._bench.pdp_types:
            return description.apn
        return description.apn_of(pdp_type)

    def stand(self, rsrp_dbm: float) -> None:
        """Put a virtual module where its cell is heard so well."""
        self._link.stand(rsrp_dbm)

    async def restore_if_due(self, after: int | None) -> None:
        """Bring the module back if something went wrong with it, as the bench says.

        Args:
            after: number of the last message; none before the first one.

        Raises:
            LabFault: the bench says to stop.
            firmware_bridge.ModuleError: it does not come back.
        """
        description = self._bench.recovery
        loop = asyncio.get_running_loop()
        if self.faults.fault is None:
            return
        if self.faults.fault == "network-lost":
            await self._ask_for_sim()
        noticed = self._fault_record(after)
        if description.module == "stop":
            self._ledger.write(noticed)
            raise LabFault(
                f"something went wrong with the module: {noticed.fault}",
                hint="To go on after such things: recovery: {module: continue}.",
            )
        self._progress.phase(f"bringing the module back ({noticed.fault})")
        self._phase(ModulePhase.RECOVERING)
        fault = noticed.fault
        for attempt in range(1, description.attempts + 1):
            self.faults.clear()  # what happens from here on is another one
            self.radio.forget()
            try:
                await self._bring_back(fault)
                break
            except ModuleError as error:
                self.faults.error(error, loop.time())
                fault = self.faults.fault or "refused"
                if attempt == description.attempts:
                    self._ledger.write(replace(noticed, attempts=attempt, failure=fault))
                    self.faults.clear()
                    raise
            await asyncio.sleep(description.pause_s)
        recovered_s = round(self._ledger.now_s - noticed.noticed_at_s, 6)
        self._ledger.write(replace(noticed, attempts=attempt, recovered_s=recovered_s))
        self.on_restored()
        self._progress.phase(self._in_flight.cell)

    async def report(self) -> RadioReport | None:
        """What the module says about its radio; none when it has other things to do."""
        if self.faults.fault is not None:
            return None  # or it will be long in answering
        try:
            return await self.module.radio()
        except ModuleError as error:
            # An observation beside the message: its lack fails nothing, but may tell of more.
            self.faults.error(error, asyncio.get_running_loop().time())
            return None

    async def _bring_up(self, *, plugged_in: bool = False) -> None:
        """Start the module, perhaps just plugged in, ask for power saving, and attach."""
        module = self.module
        self._phase(ModulePhase.STARTING)
        await module.start()
        if plugged_in:
            self.faults.plugged_in()
        description = self._bench.module
        await module.configure_power_saving(self._wanted)
        self._progress.phase("attaching")
        self._phase(ModulePhase.ATTACHING)
        await module.attach(apn=self._apn(), timeout_s=description.attach_timeout_s)
        self.granted = await module.power_saving()
        non_ip = self._link.pdp_type is PdpType.NON_IP
        self.address = "" if non_ip else await module.address()
        self.faults.attached()
        connected = self.radio.connected
        self._phase(ModulePhase.CONNECTED if connected else ModulePhase.IDLE, attached=True)

    async def _bring_back(self, fault: str) -> None:
        """Open the line again if it was lost; start and attach the module."""
        if fault == "line-lost":
            await self._link.open()
        await self._bring_up(plugged_in=fault == "line-lost")

    async def _ask_for_sim(self) -> None:
        """Not each module tells that its SIM is out: some only that they have no network."""
        loop = asyncio.get_running_loop()
        try:
            if await self.module.sim_state() != "READY":
                self.faults.note("sim-lost", loop.time())
        except NotSupported:
            return
        except ModuleError as error:
            self.faults.error(error, loop.time())

    def _fault_record(self, after: int | None) -> FaultRecord:
        fault = self.faults.fault
        assert fault is not None
        return FaultRecord(
            fault=fault,
            configuration=self._in_flight.configuration,
            after=after,
            noticed_at_s=self._ledger.since_start(self.faults.since),
        )


def wanted_power_saving(saving: PowerSavingDescription) -> PowerSaving:
    """What a description asks the network for, as a driver takes it."""
    return PowerSaving(
        psm=saving.psm,
        active_time_s=saving.active_time_s if saving.psm else None,
        periodic_tau_s=saving.periodic_tau_s if saving.psm else None,
        edrx_cycle_s=saving.edrx_cycle_s,
    )


def radio_dict(report: RadioReport | None) -> dict[str, Any]:
    """A radio report without its time and without what was not told; empty when there is none."""
    if report is None:
        return {}
    return {
        name: value for name, value in asdict(report).items() if name != "at" and value is not None
    }
