"""One message after the other: sent, awaited, written down; and what happens between two of them.

The way of one message is in `testbed.ue.messages`; here is what stands around it: when the next
one is sent, when one is over (its answer came or not, and the radio is released), when keys are due
or the module has to be brought back, what is written down, and when a run must not go on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, replace
from typing import Any

from firmware_bridge import (
    Module,
    ModuleError,
    ModuleSilent,
    NotSupported,
    PowerSaving,
    RadioReport,
    ReleaseAssistance,
)
from testbed.analysis.energy import estimate_energy
from testbed.bench import Bench, Pace, Security
from testbed.campaign.faults import FaultWatch
from testbed.campaign.lab import ModuleLink
from testbed.campaign.observers import InFlight
from testbed.campaign.radio import RadioWatch
from testbed.campaign.recovery import Recovery
from testbed.errors import LabFault
from testbed.results import (
    EnergyRecord,
    FaultRecord,
    FeedbackRecord,
    JournalWriter,
    MessageRecord,
    Outcome,
    Record,
    SessionRecord,
    Stage,
)
from testbed.traffic import Message
from testbed.ue.messages import Exchange, exchange_message, send_feedback
from testbed.ue.session import KeyingFailed, UeSession
from testbed.ue.trace import Trace

__all__ = ["SETTLE_TIMEOUT_S", "Progress", "Sender", "radio_dict"]

SILENT_MESSAGES = 3
"""This many unanswered messages at the start, and none answered ever: the HSE is unreachable."""

SETTLE_TIMEOUT_S = 70.0
"""How long a message may wait for the radio's release; operators' timers end within a minute."""

_RELEASE_ASSISTANCE = {
    "none": ReleaseAssistance.NONE,
    "after-uplink": ReleaseAssistance.AFTER_UPLINK,
    "after-downlink": ReleaseAssistance.AFTER_DOWNLINK,
}


class Progress:
    """Somebody who wants to see a run go on; does nothing here."""

    def phase(self, text: str) -> None:
        """Something that takes a while begins."""

    def record(self, record: Record) -> None:
        """A record was written to the journal."""


class Sender:
    """Sends a configuration's messages, one after the other, and writes down what became of them.

    Args:
        bench: the description.
        messages: what each configuration sends.
        progress: sees the run go on.
        in_flight: told what is on its way.
    """

    def __init__(
        self, bench: Bench, messages: Sequence[Message], progress: Progress, in_flight: InFlight
    ) -> None:
        self._bench = bench
        self._messages = messages
        self._progress = progress
        self._in_flight = in_flight
        self.radio = RadioWatch()
        """The module's radio connection."""
        self.faults = FaultWatch()
        """What went wrong with the module and is not dealt with yet."""
        self.address = ""
        """The address that the network gave the module."""
        self.counts: Counter[str] = Counter()
        """What was counted over the run."""
        self.granted = PowerSaving()
        """The power saving that the network granted it."""
        self.release_assistance = _RELEASE_ASSISTANCE[bench.module.release_assistance]
        """What each message tells the network."""
        self._answered_ever = False
        self._silent = 0

    def begin(self, journal: JournalWriter, started: float) -> None:
        """Write to this journal from now on; the run began at ``started``."""
        self._journal = journal
        self._started = started

    def watch(self, module: Module) -> None:
        """Follow a module's events."""
        module.subscribe(self.radio.event)
        module.subscribe(self.faults.event)

    def use(self, link: ModuleLink) -> None:
        """Speak with the module over this link."""
        self._link = link

    def finish(self) -> None:
        """Write down a fault that nobody dealt with any more."""
        if self.faults.fault is not None:
            self._write(self._fault_record(None))

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
            if isinstance(error, ModuleSilent) and self._link.module.identity is None:
                raise  # nobody is there who could be brought back
            loop = asyncio.get_running_loop()
            self.faults.error(error, loop.time())
            if self.faults.fault is None:
                self.faults.note("refused", loop.time())
            if self._bench.recovery.module == "stop":
                self._write(self._fault_record(None))
                raise
            await self.restore_if_due(None, None)

    async def _bring_up(self) -> None:
        """Start the module, ask for power saving, and attach."""
        module = self._link.module
        await module.start()
        description = self._bench.module
        saving = description.power_saving
        wanted = PowerSaving(
            psm=saving.psm,
            active_time_s=saving.active_time_s if saving.psm else None,
            periodic_tau_s=saving.periodic_tau_s if saving.psm else None,
            edrx_cycle_s=saving.edrx_cycle_s,
        )
        await module.configure_power_saving(wanted)
        self._progress.phase("attaching")
        await module.attach(apn=description.apn, timeout_s=description.attach_timeout_s)
        self.granted = await module.power_saving()
        self.address = await module.address()
        self.faults.attached()

    async def radio_now(self) -> dict[str, Any]:
        """The module's radio report, empty when there is none to be had."""
        report = await self._radio_report()
        return {} if report is None else radio_dict(report)

    async def run_configuration(self, session: UeSession) -> None:
        """Open a session, send every message over it, and close it."""
        loop = asyncio.get_running_loop()
        self._recovery = Recovery(self._bench.recovery)
        try:
            await self._open_session(session)
            self._progress.phase(session.configuration.name)
            start = loop.time() - self._messages[0].time_s
            due = [start + message.time_s for message in self._messages]
            for position, message in enumerate(self._messages):
                next_due = due[position + 1] if position + 1 < len(due) else None
                after = message.index - 1 if position else None
                await self.restore_if_due(session, after)
                await self._wait_for(due[position])
                await self.restore_if_due(session, after)
                await self._rekey_if_due(session, message.index - 1)
                await self._run_message(session, message, next_due)
        finally:
            await session.close()

    async def _open_session(self, session: UeSession) -> None:
        """Open a session, also when the module fails meanwhile."""
        for again in reversed(range(self._bench.recovery.attempts)):
            try:
                await self._agree(session, session.open())
                return
            except NotSupported:
                raise
            except ModuleError as error:
                self.faults.error(error, asyncio.get_running_loop().time())
                if not again:
                    raise
            except KeyingFailed:
                # Nobody's fault but the HSE's, unless something happened to the module.
                if not again or self.faults.fault is None:
                    raise
            await self.restore_if_due(session, None)

    async def restore_if_due(self, session: UeSession | None, after: int | None) -> None:
        """Bring the module back if something went wrong with it, as the bench says.

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
            self._write(noticed)
            raise LabFault(
                f"something went wrong with the module: {noticed.fault}",
                hint="To go on after such things: recovery: {module: continue}.",
            )
        self._progress.phase(f"bringing the module back ({noticed.fault})")
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
                    self._write(replace(noticed, attempts=attempt, failure=fault))
                    self.faults.clear()
                    raise
            await asyncio.sleep(description.pause_s)
        recovered_s = round(loop.time() - self._started - noticed.noticed_at_s, 6)
        self._write(replace(noticed, attempts=attempt, recovered_s=recovered_s))
        if session is not None and session.use(self._link.module, self.address):
            self._recovery.moved()
        self._progress.phase(self._in_flight.configuration)

    async def _bring_back(self, fault: str) -> None:
        """Open the line again if it was lost; start and attach the module."""
        if fault == "line-lost":
            await self._link.open()
        await self._bring_up()

    async def _ask_for_sim(self) -> None:
        """Not each module tells that its SIM is out: some only that they have no network."""
        loop = asyncio.get_running_loop()
        try:
            if await self._link.module.sim_state() != "READY":
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
            noticed_at_s=round(self.faults.since - self._started, 6),
        )

    async def _rekey_if_due(self, session: UeSession, after: int) -> None:
        recovery = self._recovery
        reason = recovery.reason(session.lifetime_state())
        if reason is None or session.configuration.security is Security.NONE:
            return
        self._progress.phase(f"{session.configuration.name}: re-keying ({reason})")
        try:
            await self._agree(session, session.rekey(reason), max(after, 0))
        except KeyingFailed:
            if self.faults.fault is None and recovery.failed():
                raise
        except NotSupported:
            raise
        except ModuleError as error:  # the reason stands: the next message finds it again
            self.faults.error(error, asyncio.get_running_loop().time())
        else:
            recovery.keyed()
        self._progress.phase(session.configuration.name)

    async def _agree(
        self,
        session: UeSession,
        agreement: Awaitable[SessionRecord | None],
        after: int | None = None,
    ) -> None:
        """Await a key exchange, and write down what it cost, also when nothing came of it."""
        already_connected = self.radio.connected
        failure: KeyingFailed | None = None
        try:
            record = await agreement
        except KeyingFailed as error:
            record, failure = error.record, error
        trace = session.agreement
        if record is None or trace is None:
            return
        radio = await self._radio_report()
        await self.radio.settle(SETTLE_TIMEOUT_S)
        self._mark_radio(trace)
        energy = self._energy(
            trace, radio, already_connected, record.bytes_up, record.bytes_down, 0.0
        )
        unanswered = None if after is None else self._recovery.unanswered
        self._write(replace(record, energy=energy, after=after, unanswered=unanswered))
        if failure is not None:
            raise failure

    async def _wait_for(self, due: float) -> None:
        if self._bench.traffic.pace is Pace.CAPTURE:
            delay = due - asyncio.get_running_loop().time()
            if delay > 0:
                await asyncio.sleep(delay)

    async def _run_message(
        self,
        session: UeSession,
        message: Message,
        next_due: float | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        already_connected = self.radio.connected
        exchange = Exchange(message=message, submitted_at=loop.time())
        self._in_flight.exchange = exchange
        try:
            await exchange_message(session, exchange, answer_timeout_s=self._bench.answer_timeout_s)
            if exchange.error is not None:
                self.faults.error(exchange.error, loop.time())
            radio = await self._radio_report()
            await self._settle(next_due)
        finally:
            self._in_flight.exchange = None
        self._mark_radio(exchange)
        refused = exchange.outcome is Outcome.FAILED and exchange.reason != "association-ended"
        self.faults.message(refused=refused, at=loop.time())
        self._recovery.message(exchange.outcome, unknown_at_hse=exchange.unknown_at_hse)
        record = self._message_record(exchange, session, radio, already_connected, next_due)
        self._write(record)
        for _, layers in exchange.feedback_received:
            self._write(
                FeedbackRecord(
                    configuration=session.configuration.name,
                    after=message.index,
                    downlink_bytes=layers,
                )
            )
        if exchange.feedback_due:
            await self._send_feedback(session, exchange, radio, next_due)
        self._give_up_on_silence(record, session)

    async def _send_feedback(
        self,
        session: UeSession,
        exchange: Exchange,
        radio: RadioReport | None,
        next_due: float | None,
    ) -> None:
        """Feedback in a packet of its own is a transmission like a message's, and measured so."""
        already_connected = self.radio.connected
        self._in_flight.what = f"feedback after message {exchange.message.index}"
        sending = await send_feedback(session, exchange)
        if sending is None:
            return
        await self._settle(next_due)
        self._in_flight.what = ""
        self._mark_radio(sending)
        uplink = sending.uplink_bytes
        assert uplink is not None
        self._write(
            FeedbackRecord(
                configuration=session.configuration.name,
                after=exchange.message.index,
                uplink_bytes=uplink,
                stages_s=sending.stages_s,
                energy=self._energy(sending, radio, already_connected, uplink.total, 0, 0.0),
            )
        )

    async def _settle(self, next_due: float | None) -> None:
        timeout_s = SETTLE_TIMEOUT_S
        if self._bench.traffic.pace is Pace.CAPTURE and next_due is not None:
            timeout_s = min(timeout_s, next_due - asyncio.get_running_loop().time())
        loop = asyncio.get_running_loop()
        since = loop.time()
        if not await self.radio.settle(timeout_s):
            self.faults.missed(since, loop.time())

    def _mark_radio(self, trace: Trace) -> None:
        connected = self.radio.connected_since(trace.submitted_at)
        if connected is not None:
            trace.mark(Stage.RRC_CONNECTED, connected)
        released = self.radio.released_since(trace.submitted_at)
        if released is not None and not self.radio.connected:
            trace.mark(Stage.RELEASED, released)

    async def _radio_report(self) -> RadioReport | None:
        if self.faults.fault is not None:
            return None  # the module has other things to do, or will be long in answering
        try:
            return await self._link.module.radio()
        except ModuleError as error:
            # An observation beside the message: its lack fails nothing, but may tell of more.
            self.faults.error(error, asyncio.get_running_loop().time())
            return None

    def _message_record(
        self,
        exchange: Exchange,
        session: UeSession,
        radio: RadioReport | None,
        already_connected: bool,
        next_due: float | None,
    ) -> MessageRecord:
        now = asyncio.get_running_loop().time()
        sleep_s = 0.0
        if self._bench.traffic.pace is Pace.CAPTURE and next_due is not None:
            sleep_s = max(next_due - now, 0.0)
        uplink, downlink = exchange.uplink_bytes, exchange.downlink_bytes
        sent = Stage.AT_WRITTEN in exchange.stages
        return MessageRecord(
            index=exchange.message.index,
            configuration=session.configuration.name,
            security=session.configuration.security.value,
            compression=session.configuration.compression.value,
            outcome=exchange.outcome,
            reason=None if exchange.outcome is Outcome.ANSWERED else exchange.reason,
            submitted_at_s=round(exchange.submitted_at - self._started, 6),
            stages_s=exchange.stages_s,
            latency_s=exchange.latency_s,
            uplink_bytes=uplink,
            downlink_bytes=downlink,
            energy=self._energy(
                exchange,
                radio,
                already_connected,
                uplink.total if sent and uplink is not None else 0,
                sum(one.total for _, one in exchange.feedback_received)
                + (0 if downlink is None else downlink.total),
                sleep_s,
            ),
            uplink_packet=exchange.uplink_packet,
            downlink_packet=exchange.downlink_packet,
            radio=None if radio is None else radio_dict(radio),
        )

    def _energy(
        self,
        trace: Trace,
        radio: RadioReport | None,
        already_connected: bool,
        bytes_up: int,
        bytes_down: int,
        sleep_s: float,
    ) -> EnergyRecord:
        """The estimate for an exchange that is over now."""
        estimate = estimate_energy(
            trace.stages_s,
            bytes_up=bytes_up,
            bytes_down=bytes_down,
            ecl=None if radio is None else radio.ecl,
            rai=self.release_assistance is not ReleaseAssistance.NONE,
            already_connected=already_connected,
            observed_until_s=asyncio.get_running_loop().time() - trace.submitted_at,
            sleep_s=sleep_s,
            active_time_s=self.granted.active_time_s or 0.0,
        )
        return EnergyRecord.from_dict(estimate.to_json())

    def _write(self, record: SessionRecord | MessageRecord | FeedbackRecord | FaultRecord) -> None:
        if isinstance(record, MessageRecord):
            self.counts[f"messages_{record.outcome.value}"] += 1
        elif isinstance(record, FeedbackRecord):
            self.counts["feedback"] += 1
        elif isinstance(record, FaultRecord):
            self.counts[f"faults_{record.fault}"] += 1
        else:
            self.counts["sessions" if record.failure is None else "sessions_failed"] += 1
        self.append(record)

    def append(self, record: Record) -> None:
        """Write a record into the journal."""
        self._journal.append(record)
        self._progress.record(record)

    def _give_up_on_silence(self, record: MessageRecord, session: UeSession) -> None:
        if record.outcome is Outcome.ANSWERED:
            self._answered_ever = True
        if self._answered_ever or self.faults.fault is not None:
            return
        self._silent += 1
        if self._silent >= SILENT_MESSAGES:
            raise LabFault(
                f"the HSE at {session.hse.host}:{session.port} answered none of the first "
                f"{self._silent} messages ({session.configuration.name}; last: {record.reason})",
                hint=(
                    "Is `testbed hse` running there, is that UDP port open in every firewall, "
                    "and does the module's APN reach it?"
                ),
            )


def radio_dict(report: RadioReport) -> dict[str, Any]:
    """A radio report without its time and without what was not told."""
    return {
        name: value for name, value in asdict(report).items() if name != "at" and value is not None
    }
