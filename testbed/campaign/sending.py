"""One message after the other: sent, awaited, written down; and what happens between two of them.

The way of one message is in `testbed.ue.messages`; here is what stands around it: when the next
one is sent, when one is over (its answer came or not, and the radio is released), when keys are
due, what is written down, and when a run must not go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from firmware_bridge import ModuleError, NotSupported, RadioReport, ReleaseAssistance
from testbed.analysis.energy import estimate_energy
from testbed.bench import Bench, BudgetDescription, Pace, Security
from testbed.campaign.accounting import check_exchange, check_keepalive, check_session
from testbed.campaign.ledger import Ledger, Progress
from testbed.campaign.observers import InFlight
from testbed.campaign.plan import PlannedMessage
from testbed.campaign.recovery import Recovery
from testbed.campaign.upkeep import SETTLE_TIMEOUT_S, Upkeep, radio_dict
from testbed.errors import LabFault
from testbed.results import (
    EnergyRecord,
    FeedbackRecord,
    KeepaliveRecord,
    MessageRecord,
    Outcome,
    SessionRecord,
    Stage,
)
from testbed.traffic import Message
from testbed.ue.messages import (
    KEEPALIVE_BYTES,
    Exchange,
    exchange_message,
    send_feedback,
    send_keepalive,
)
from testbed.ue.session import KeyingFailed, UeSession
from testbed.ue.trace import Trace

__all__ = ["Arm", "Sender"]

SILENT_MESSAGES = 3
"""This many unanswered messages at the start, and none answered ever: the HSE is unreachable."""

CONNECT_TIMEOUT_S = 15.0
"""How long a keepalive waits for the radio connection that it brings about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A configuration's session, and what is known about its keys."""

    session: UeSession
    recovery: Recovery


class Sender:
    """Sends messages over sessions, one after the other, and writes down what became of them.

    Args:
        bench: the description.
        ledger: where that is written.
        upkeep: the module.
        progress: sees the run go on.
        in_flight: told what is on its way.
    """

    def __init__(
        self,
        bench: Bench,
        ledger: Ledger,
        upkeep: Upkeep,
        progress: Progress,
        in_flight: InFlight,
    ) -> None:
        self._bench = bench
        self._ledger = ledger
        self._upkeep = upkeep
        self._progress = progress
        self._in_flight = in_flight
        self._answered_ever = False
        self._silent = 0

    async def send(
        self,
        arm: Arm,
        messages: Sequence[tuple[PlannedMessage, Message]],
        budget: BudgetDescription,
    ) -> str | None:
        """Send messages over an open session, one after the other.

        Returns:
            Which part of the budget was used up before all were sent; none when none was.
        """
        loop = asyncio.get_running_loop()
        self._progress.phase(self._in_flight.cell)
        start = loop.time() - messages[0][1].time_s
        due = [start + message.time_s for _, message in messages]
        for position, (planned, message) in enumerate(messages):
            over = self._ledger.over(budget)
            if over is not None:
                return over
            next_due = due[position + 1] if position + 1 < len(due) else None
            after = message.index - 1 if position else None
            await self._upkeep.restore_if_due(after)
            await self._wait_for(arm, due[position], max(message.index - 1, 0))
            await self._upkeep.restore_if_due(after)
            await self._rekey_if_due(arm, message)
            await self._run_message(arm, planned, message, next_due)
        return None

    async def open(self, arm: Arm) -> None:
        """Open a session, also when the module fails meanwhile."""
        for again in reversed(range(self._bench.recovery.attempts)):
            try:
                await self._agree(arm, arm.session.open())
                return
            except NotSupported:
                raise
            except ModuleError as error:
                self._upkeep.faults.error(error, asyncio.get_running_loop().time())
                if not again:
                    raise
            except KeyingFailed:
                # Nobody's fault but the HSE's, unless something happened to the module.
                if not again or self._upkeep.faults.fault is None:
                    raise
            await self._upkeep.restore_if_due(None)

    async def _rekey_if_due(self, arm: Arm, message: Message) -> None:
        session, recovery = arm.session, arm.recovery
        reason = recovery.reason(session.lifetime_state(message.packet))
        if reason is None or session.configuration.security is Security.NONE:
            return
        self._progress.phase(f"{session.configuration.name}: re-keying ({reason})")
        try:
            await self._agree(arm, session.rekey(reason), max(message.index - 1, 0))
        except KeyingFailed:
            if self._upkeep.faults.fault is None and recovery.failed():
                raise
        except NotSupported:
            raise
        except ModuleError as error:  # the reason stands: the next message finds it again
            self._upkeep.faults.error(error, asyncio.get_running_loop().time())
        else:
            recovery.keyed()
        self._progress.phase(session.configuration.name)

    async def _agree(
        self,
        arm: Arm,
        agreement: Awaitable[SessionRecord | None],
        after: int | None = None,
    ) -> None:
        """Await a key exchange, and write down what it cost, also when nothing came of it."""
        already_connected = self._upkeep.radio.connected
        failure: KeyingFailed | None = None
        self._in_flight.listen()
        try:
            record = await agreement
        except KeyingFailed as error:
            record, failure = error.record, error
        except ModuleError:
            if arm.session.broken_off is not None:
                self._ledger.write(replace(arm.session.broken_off, after=after))
            raise
        trace = arm.session.agreement
        if record is None or trace is None:
            return
        check_session(record, self._in_flight, f"{record.configuration}: key exchange")
        radio = await self._upkeep.report()
        await self._upkeep.radio.settle(SETTLE_TIMEOUT_S)
        self._mark_radio(trace)
        energy = self._energy(
            arm.session, trace, radio, already_connected, record.bytes_up, record.bytes_down, 0.0
        )
        unanswered = None if after is None else arm.recovery.unanswered
        record = replace(
            record,
            energy=energy,
            after=after,
            unanswered=unanswered,
            stages_s=trace.all_stages_s,
        )
        self._ledger.write(record)
        if failure is not None:
            raise failure

    async def _wait_for(self, arm: Arm, due: float, after: int) -> None:
        """Wait until a message is due, and keep a NAT's binding alive meanwhile, if told to."""
        if self._bench.traffic.pace is not Pace.CAPTURE:
            return
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < due:
            failing = self._upkeep.faults.fault is not None
            until = due if failing else min(due, arm.session.keepalive_due)
            if until > now:
                await asyncio.sleep(until - now)
            else:
                await self._send_keepalive(arm.session, after, due)

    async def _send_keepalive(self, session: UeSession, after: int, next_due: float) -> None:
        """A keepalive is a transmission like a message's, and measured so."""
        already_connected = self._upkeep.radio.connected
        self._in_flight.what = f"keepalive after message {after}"
        self._in_flight.listen()
        try:
            sending = await send_keepalive(session)
        except NotSupported:
            raise
        except ModuleError as error:
            self._upkeep.faults.error(error, asyncio.get_running_loop().time())
            return
        loop = asyncio.get_running_loop()
        await self._upkeep.radio.connect(min(CONNECT_TIMEOUT_S, next_due - loop.time()))
        radio = await self._upkeep.report()
        await self._settle(next_due)
        what, self._in_flight.what = self._in_flight.what, ""
        check_keepalive(KEEPALIVE_BYTES, self._in_flight, what)
        self._mark_radio(sending)
        uplink = KEEPALIVE_BYTES
        energy = self._energy(session, sending, radio, already_connected, uplink.total, 0, 0.0)
        self._write_keepalive(session, sending, after, energy)

    def _write_keepalive(
        self, session: UeSession, sending: Trace, after: int, energy: EnergyRecord | None = None
    ) -> None:
        self._ledger.write(
            KeepaliveRecord(
                configuration=session.configuration.name,
                after=after,
                submitted_at_s=self._ledger.since_start(sending.submitted_at),
                uplink_bytes=KEEPALIVE_BYTES,
                stages_s=sending.stages_s,
                energy=energy,
            )
        )

    async def _run_message(
        self,
        arm: Arm,
        planned: PlannedMessage,
        message: Message,
        next_due: float | None,
    ) -> None:
        session = arm.session
        loop = asyncio.get_running_loop()
        already_connected = self._upkeep.radio.connected
        exchange = Exchange(message=message, submitted_at=loop.time())
        self._in_flight.exchange = exchange
        self._in_flight.listen()
        try:
            await exchange_message(session, exchange, answer_timeout_s=self._bench.answer_timeout_s)
            if exchange.error is not None:
                self._upkeep.faults.error(exchange.error, loop.time())
            radio = await self._upkeep.report()
            await self._settle(next_due)
        finally:
            self._in_flight.exchange = None
        self._mark_radio(exchange)
        refused = exchange.outcome is Outcome.FAILED and exchange.reason != "association-ended"
        self._upkeep.faults.message(refused=refused, at=loop.time())
        arm.recovery.message(exchange.outcome, unknown_at_hse=exchange.unknown_at_hse)
        record = self._message_record(exchange, session, radio, already_connected, next_due)
        record = replace(record, planned=planned.number, warm_up=planned.warm_up)
        self._ledger.write(record)
        what = f"{self._in_flight.cell}: message {message.index}"
        check_exchange(exchange, self._in_flight, what)
        for _, layers in exchange.feedback_received:
            self._ledger.write(
                FeedbackRecord(
                    configuration=session.configuration.name,
                    after=message.index,
                    downlink_bytes=layers,
                )
            )
        for sending in exchange.keepalives:
            self._write_keepalive(session, sending, message.index)
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
        already_connected = self._upkeep.radio.connected
        self._in_flight.what = f"feedback after message {exchange.message.index}"
        self._in_flight.listen()
        sending = await send_feedback(session, exchange)
        if sending is None:
            return
        await self._settle(next_due)
        what, self._in_flight.what = self._in_flight.what, ""
        check_exchange(sending, self._in_flight, what)
        self._mark_radio(sending)
        uplink = sending.uplink_bytes
        assert uplink is not None
        energy = self._energy(session, sending, radio, already_connected, uplink.total, 0, 0.0)
        self._ledger.write(
            FeedbackRecord(
                configuration=session.configuration.name,
                after=exchange.message.index,
                uplink_bytes=uplink,
                stages_s=sending.stages_s,
                energy=energy,
            )
        )

    async def _settle(self, next_due: float | None) -> None:
        loop = asyncio.get_running_loop()
        since = loop.time()
        timeout_s = SETTLE_TIMEOUT_S
        if self._bench.traffic.pace is Pace.CAPTURE and next_due is not None:
            timeout_s = min(timeout_s, next_due - since)
        if not await self._upkeep.radio.settle(timeout_s) and timeout_s == SETTLE_TIMEOUT_S:
            self._upkeep.faults.missed(since, loop.time())  # else the next one is merely due

    def _mark_radio(self, trace: Trace) -> None:
        connected = self._upkeep.radio.connected_since(trace.submitted_at)
        if connected is not None:
            trace.mark(Stage.RRC_CONNECTED, connected)
        released = self._upkeep.radio.released_since(trace.submitted_at)
        if released is not None and not self._upkeep.radio.connected:
            trace.mark(Stage.RELEASED, released)

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
            submitted_at_s=self._ledger.since_start(exchange.submitted_at),
            stages_s=exchange.stages_s,
            latency_s=exchange.latency_s,
            uplink_bytes=uplink,
            downlink_bytes=downlink,
            energy=self._energy(
                session,
                exchange,
                radio,
                already_connected,
                (uplink.total if sent and uplink is not None else 0)
                + KEEPALIVE_BYTES.total * len(exchange.keepalives),
                sum(one.total for _, one in exchange.feedback_received)
                + (0 if downlink is None else downlink.total),
                sleep_s,
            ),
            uplink_packet=exchange.uplink_packet,
            downlink_packet=exchange.downlink_packet,
            radio=radio_dict(radio) or None,
        )

    def _energy(
        self,
        session: UeSession,
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
            rai=session.release_assistance is not ReleaseAssistance.NONE,
            already_connected=already_connected,
            observed_until_s=asyncio.get_running_loop().time() - trace.submitted_at,
            sleep_s=sleep_s,
            active_time_s=self._upkeep.granted.active_time_s or 0.0,
        )
        return EnergyRecord.from_dict(estimate.to_json())

    def _give_up_on_silence(self, record: MessageRecord, session: UeSession) -> None:
        if record.outcome is Outcome.ANSWERED:
            self._answered_ever = True
        if self._answered_ever or self._upkeep.faults.fault is not None:
            return
        self._silent += 1
        if self._silent >= SILENT_MESSAGES:
            if record.reason == "association-ended":
                raise LabFault(
                    f"none of the first {self._silent} messages was sent "
                    f"({session.configuration.name}): new associations end before they carry one",
                    hint="The lifetime has no room for a message: raise lifetime: hard_bytes.",
                )
            raise LabFault(
                f"the HSE at {session.hse.host}:{session.port} answered none of the first "
                f"{self._silent} messages ({session.configuration.name}; last: {record.reason})",
                hint=(
                    "Is `testbed hse` running there, is that UDP port open in every firewall, "
                    "and does the module's APN reach it?"
                ),
            )
