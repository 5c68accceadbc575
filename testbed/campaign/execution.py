"""A plan carried out: cell after cell, over sessions that live side by side at the HSE.

Going from one cell to another costs what it has to, and no more:

=======================  ====================================================================
another configuration    its own session goes on; keys are agreed on once, at its first visit,
                         and again when they are due. The module has one socket at a time: the
                         one before is closed, this one's is opened again
another payload          nothing
release assistance       nothing: each message says it
power saving             the module asks the network anew: a set-up, written down as such
PDP type                 another PDN connection is set up, likewise. A session with keys goes on
                         over it; one without is another one to the HSE, which knows it by address
coverage                 a virtual module is put elsewhere: written down as a set-up
=======================  ====================================================================
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from firmware_bridge import ReleaseAssistance
from firmware_bridge.virtual import RadioSettings
from testbed.bench import (
    Bench,
    BudgetDescription,
    Configuration,
    PdpType,
    Security,
    UntilDescription,
)
from testbed.campaign.ledger import Ledger, Progress
from testbed.campaign.observers import InFlight
from testbed.campaign.payloads import Payloads
from testbed.campaign.plan import Cell, Visit
from testbed.campaign.recovery import Recovery
from testbed.campaign.sending import Arm, Sender
from testbed.campaign.stopping import precise
from testbed.campaign.upkeep import SETTLE_TIMEOUT_S, Upkeep
from testbed.results import SetupRecord
from testbed.ue.carrier import Carrier
from testbed.ue.session import UeSession

__all__ = ["Execution", "rsrp_of_level"]

_RELEASE_ASSISTANCE = {
    "none": ReleaseAssistance.NONE,
    "after-uplink": ReleaseAssistance.AFTER_UPLINK,
    "after-downlink": ReleaseAssistance.AFTER_DOWNLINK,
}

_ABOVE_LEVEL_1_DB = 20.0
_BELOW_LEVEL_2_DB = 6.0


class Execution:
    """Carries a plan out, from the first message that is not in the journal.

    Args:
        bench: the description.
        payloads: the plan and its messages.
        ledger: the journal.
        upkeep: the module, attached.
        progress: sees the run go on.
        in_flight: told whose messages pass.
        new_session: makes a configuration's session, with its number among the plan's.
        new_carrier: makes what carries the packets of the configuration with this number over a
            PDN connection of this type.
    """

    def __init__(
        self,
        bench: Bench,
        payloads: Payloads,
        ledger: Ledger,
        upkeep: Upkeep,
        progress: Progress,
        in_flight: InFlight,
        new_session: Callable[[Configuration, int], UeSession],
        new_carrier: Callable[[PdpType, int], Carrier],
    ) -> None:
        self._bench = bench
        self._payloads = payloads
        self._ledger = ledger
        self._upkeep = upkeep
        self._progress = progress
        self._in_flight = in_flight
        self._new_session = new_session
        self._new_carrier = new_carrier
        self._sender = Sender(bench, ledger, upkeep, progress, in_flight)
        self._arms: dict[tuple[Configuration, PdpType | None], Arm] = {}
        self._set: dict[str, Any] = {"pdp_type": bench.module.pdp_type.value}

    async def run(self) -> str | None:
        """Send what is left of the plan.

        Returns:
            Why it ended before the plan's last message, as the journal's end names it; none when
            all was sent.
        """
        campaign = self._bench.campaign
        plan, start = self._payloads.plan, self._ledger.next
        budget = BudgetDescription() if campaign is None else campaign.budget
        until = None if campaign is None else campaign.until
        self._upkeep.on_restored = self._restored
        block: int | None = None
        for visit in plan.visits(start):
            if visit.block != block:
                block = visit.block
                if until is not None and visit.first >= start and self._precise(until, block):
                    return "precise-enough"
            stopped = self._ledger.over(budget)  # before a set-up that would be for nothing
            if stopped is None:
                async with self._at(visit) as arm:
                    messages = [
                        (planned, self._payloads.message(visit.cell, planned.index))
                        for planned in plan.messages(visit, start)
                    ]
                    stopped = await self._sender.send(arm, messages, budget)
            if stopped is not None:
                return stopped
        return None

    def _precise(self, until: UntilDescription, blocks: int) -> bool:
        return blocks >= until.at_least and precise(
            until,
            [self._ledger.measured.get(cell.name, ()) for cell in self._payloads.plan.cells],
            timeout_s=self._bench.answer_timeout_s,
        )

    @contextlib.asynccontextmanager
    async def _at(self, visit: Visit) -> AsyncIterator[Arm]:
        """The session of a visit's cell, open, with the module set up as the cell wants it."""
        cell = visit.cell
        self._in_flight.configuration = cell.configuration.name
        self._in_flight.cell = cell.name
        if self._bench.campaign is not None:
            self._ledger.visit = visit
        await self._upkeep.restore_if_due(None)
        await self._upkeep.radio.settle(SETTLE_TIMEOUT_S)
        await self._set_up(visit)
        keyed = cell.configuration.security is not Security.NONE
        key = cell.configuration, None if keyed else self._upkeep.pdp_type
        arm = self._arms.get(key)
        number = self._payloads.plan.configurations.index(cell.configuration)
        if arm is None:
            arm = self._new_arm(cell.configuration, number)
            self._progress.phase(f"{cell.configuration.name}: opening the session")
        arm.session.carry_by(self._new_carrier(self._upkeep.pdp_type, number))
        arm.session.release_assistance = self._release_assistance(cell)
        try:
            if key not in self._arms:
                self._arms[key] = arm
                await self._sender.open(arm)
            yield arm
        finally:
            await arm.session.close()

    def _new_arm(self, configuration: Configuration, number: int) -> Arm:
        return Arm(
            session=self._new_session(configuration, number),
            recovery=Recovery(self._bench.recovery),
        )

    def _release_assistance(self, cell: Cell) -> ReleaseAssistance:
        name = cell.release_assistance or self._bench.module.release_assistance
        return _RELEASE_ASSISTANCE[name]

    def _restored(self) -> None:
        """The module came back: every session goes on with it, and perhaps with new keys."""
        for arm in self._arms.values():
            if arm.session.use(self._upkeep.module, self._upkeep.address):
                arm.recovery.moved()

    async def _set_up(self, visit: Visit) -> None:
        """Set the module up as a cell wants it, where it is set up otherwise."""
        wanted = {
            name: level
            for name, level in visit.cell.factors.items()
            if name in ("power_saving", "coverage", "pdp_type") and self._set.get(name) != level
        }
        if not wanted:
            return
        campaign = self._bench.campaign
        assert campaign is not None
        begun_s = self._ledger.now_s
        granted: dict[str, Any] | None = None
        if "coverage" in wanted:
            virtual = self._bench.module.virtual
            radio = RadioSettings() if virtual is None else virtual.radio
            self._upkeep.stand(rsrp_of_level(radio, int(wanted["coverage"])))
        if "pdp_type" in wanted:
            self._progress.phase(f"{visit.cell.name}: setting the PDN connection up")
            await self._upkeep.carry(PdpType(str(wanted["pdp_type"])))
            self._restored()
        if "power_saving" in wanted:
            self._progress.phase(f"{visit.cell.name}: setting the module up")
            await self._upkeep.save_power(
                campaign.factors.power_saving[str(wanted["power_saving"])]
            )
            granted = asdict(self._upkeep.granted)
        self._set |= wanted
        self._ledger.write(
            SetupRecord(
                cell=visit.cell.name,
                block=visit.block,
                changed=wanted,
                at_s=begun_s,
                duration_s=round(self._ledger.now_s - begun_s, 6),
                granted=granted,
            )
        )


def rsrp_of_level(radio: RadioSettings, level: int) -> float:
    """The mean reference signal power at which a virtual module is at a coverage level.

    Args:
        radio: the thresholds of its cell.
        level: coverage enhancement level, 0 to 2.

    Returns:
        dBm, well inside the level: further from its ends than the usual variation.
    """
    first, second = radio.ecl_thresholds_dbm
    return (first + _ABOVE_LEVEL_1_DB, (first + second) / 2, second - _BELOW_LEVEL_2_DB)[level]
