"""The runner: one configuration after the other, one message after the other, into the journal.

The way of one message is in `testbed.ue.messages`; here is what stands around it: when the next
one is sent, when a message is over (its answer came or not, and the radio is released), what is
written down, and when a run must not go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from esp import keying
from firmware_bridge import (
    Module,
    ModuleError,
    NotSupported,
    PowerSaving,
    RadioReport,
    ReleaseAssistance,
)
from firmware_bridge.virtual import MemoryNetwork
from testbed.analysis.energy import estimate_energy
from testbed.bench import Bench, Pace, Security
from testbed.campaign.faults import FaultWatch
from testbed.campaign.lab import Hse, open_hse, open_module
from testbed.campaign.radio import RadioWatch
from testbed.campaign.recovery import Recovery
from testbed.clock import TimeKind
from testbed.errors import LabFault
from testbed.hse import HsePort, Passage, ServerObserver, Way
from testbed.results import (
    EndRecord,
    EnergyRecord,
    EspSaTable,
    FaultRecord,
    FeedbackRecord,
    JournalWriter,
    MessageRecord,
    Outcome,
    Record,
    RunCapture,
    RunDirectory,
    RunRecord,
    RunStatus,
    SessionRecord,
    Stage,
    Sync,
)
from testbed.traffic import Message
from testbed.ue.messages import Exchange, exchange_message, send_feedback
from testbed.ue.session import KeyingFailed, UeSession, WireObserver
from testbed.ue.trace import Trace
from testbed.version import __version__

__all__ = ["Progress", "run_bench"]

SILENT_MESSAGES = 3
"""This many unanswered messages at the start, and none answered ever: the HSE is unreachable."""

LOCAL_PORTS = 49152
"""UDP port of the module's socket for the first configuration, counted up from there: said to the
module, so that the capture shows it (the first dynamic port, RFC 6335 section 6)."""

SETTLE_TIMEOUT_S = 70.0
"""How long a message may wait for the radio's release; operators' timers end within a minute."""

_TIME_COMMENTS = {
    TimeKind.REAL: "times are those of the clock on the wall",
    TimeKind.SCALED: "a second is the run's own, a part of one on the wall",
    TimeKind.VIRTUAL: "virtual time: a second is the run's own, and its first one is 1970's",
}

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


async def run_bench(
    bench: Bench,
    messages: Sequence[Message],
    directory: RunDirectory,
    *,
    traffic: str,
    export_keys: bool = False,
    progress: Progress | None = None,
) -> None:
    """Run a bench: every configuration of its matrix over the same messages.

    Args:
        bench: the description.
        messages: what each configuration sends.
        directory: where everything is written.
        traffic: where the messages come from, in words.
        export_keys: write ``esp_sa`` although the secret is not marked as a test secret.
        progress: sees the run go on.

    Raises:
        TestbedError: the run can't go on; the text says why.
        firmware_bridge.ModuleError: the module's share of that.
        asyncio.CancelledError: it was interrupted; what was done is in the journal.
    """
    runner = _Runner(bench, messages, directory, traffic, export_keys, progress or Progress())
    await runner.run()


class _InFlight:
    """What is on its way just now: the comment of its packets, and who marks its stages."""

    def __init__(self) -> None:
        self.configuration = ""
        self.what = ""
        self.exchange: Exchange | None = None

    @property
    def note(self) -> str:
        """Whose a packet is, so that a capture explains itself."""
        if self.exchange is None:
            what = self.what or "key exchange"
            return f"{self.configuration}: {what}" if self.configuration else ""
        return f"{self.configuration}: message {self.exchange.message.index}"


class _HseWatch(ServerObserver):
    """Our own HSE's side of a run: its datagrams, and the passage of the message in flight."""

    def __init__(self, in_flight: _InFlight) -> None:
        self._in_flight = in_flight
        self.capture: RunCapture | None = None
        self.addresses: dict[HsePort, tuple[str, int]] = {}

    def passed(self, passage: Passage) -> None:
        if self._in_flight.exchange is not None:
            self._in_flight.exchange.passed_hse(passage)

    def datagram(self, way: Way, port: HsePort, data: bytes, peer: tuple[str, int]) -> None:
        if self.capture is None:
            return
        own, note = self.addresses[port], self._in_flight.note
        if way is Way.IN:
            self.capture.hse_packet(data, peer, own, uplink=True, note=note)
        else:
            self.capture.hse_packet(data, own, peer, uplink=False, note=note)


class _WireWatch(WireObserver):
    """The UE's side of a run: what its socket sends and receives, and its keys."""

    def __init__(self, in_flight: _InFlight, capture: RunCapture, key_table: Path | None) -> None:
        self._in_flight = in_flight
        self._capture = capture
        self._table = None if key_table is None else EspSaTable(key_table)

    def close(self) -> None:
        """Close the key table."""
        if self._table is not None:
            self._table.close()

    def sent(self, session: UeSession, data: bytes, at: float) -> None:
        hse, note = (session.hse.host, session.port), self._in_flight.note
        self._capture.ue_packet(data, session.local_address, hse, uplink=True, at=at, note=note)

    def received(self, session: UeSession, data: bytes, at: float) -> None:
        hse, note = (session.hse.host, session.port), self._in_flight.note
        self._capture.ue_packet(data, hse, session.local_address, uplink=False, at=at, note=note)

    def keyed(self, keys: keying.Session) -> None:
        if self._table is None:
            return
        for one in (keys.outbound, keys.inbound):
            self._table.add(one.spi, keys.suite, one.key, one.salt, integrity_key=one.integrity_key)


class _Runner:
    def __init__(
        self,
        bench: Bench,
        messages: Sequence[Message],
        directory: RunDirectory,
        traffic: str,
        export_keys: bool,
        progress: Progress,
    ) -> None:
        self._bench = bench
        self._messages = messages
        self._directory = directory
        self._traffic = traffic
        self._export_keys = export_keys
        self._progress = progress
        self._virtual = bench.timing.kind is TimeKind.VIRTUAL
        self._network = MemoryNetwork() if self._virtual else None
        self._radio = RadioWatch()
        self._faults = FaultWatch()
        self._address = ""
        self._in_flight = _InFlight()
        self._counts: Counter[str] = Counter()
        self._release_assistance = _RELEASE_ASSISTANCE[bench.module.release_assistance]
        self._active_time_s = 0.0
        self._answered_ever = False
        self._silent = 0

    async def run(self) -> None:
        self._started = asyncio.get_running_loop().time()
        status = RunStatus.INTERRUPTED
        final = "failed"
        watch = _HseWatch(self._in_flight)
        # A run in virtual time can be had again from its seed: its journal is synced at the end.
        sync = Sync.AT_THE_END if self._virtual else Sync.EACH_RECORD
        with JournalWriter(self._directory.journal_path, sync=sync) as journal:
            self._journal = journal
            self._append(self._run_record())
            try:
                async with open_hse(self._bench, watch, self._network) as hse:
                    try:
                        await self._run_with_hse(hse, watch)
                    finally:
                        self._count_rejections(hse)
                status = RunStatus.COMPLETE
                final = "complete"
            except asyncio.CancelledError:
                final = "interrupted"
                raise
            finally:
                self._append(EndRecord(status=status, counts=dict(self._counts)))
                self._update_manifest(final=final)

    async def _run_with_hse(self, hse: Hse, watch: _HseWatch) -> None:
        bench = self._bench
        loop = asyncio.get_running_loop()
        secret = hse.secret
        keyed = any(one.security is not Security.NONE for one in bench.matrix)
        write_keys = keyed and secret is not None and (secret.test or self._export_keys)
        if write_keys:
            self._update_manifest(
                test_keys=secret is not None and secret.test,
                decrypt=self._directory.decrypt_command,
            )
        capture = RunCapture(
            self._directory.capture_path,
            hse_port=hse.addresses.esp_port,
            start_ns=0 if self._virtual else time.time_ns(),
            start_s=loop.time(),
            clock=loop.time,
            comment=f"testbed {__version__}; {_TIME_COMMENTS[bench.timing.kind]}",
        )
        key_table = self._directory.esp_sa_path if write_keys else None
        wire = _WireWatch(self._in_flight, capture, key_table)
        with capture, contextlib.closing(wire):
            if hse.server is not None:
                watch.capture = capture
                watch.addresses = {port: hse.server.address(port) for port in HsePort}
            try:
                await self._run_module(hse, wire)
            finally:
                watch.capture = None

    def _count_rejections(self, hse: Hse) -> None:
        if hse.server is not None:
            for (port, reason), count in sorted(hse.server.snapshot().rejected.items()):
                self._counts[f"hse_rejected_{port}_{reason}"] = count

    def _update_manifest(self, *, final: str | None = None, **changes: Any) -> None:
        manifest = self._directory.read_manifest()
        if final is None:
            manifest = replace(manifest, **changes)
        else:
            manifest = manifest.finished(final, **changes)
        self._directory.write_manifest(manifest)

    def _run_record(self) -> RunRecord:
        bench = self._bench
        return RunRecord(
            testbed_version=__version__,
            bench=bench.name,
            module=bench.module.family,
            origin="virtual" if bench.module.is_virtual else "real",
            configurations=tuple(configuration.name for configuration in bench.matrix),
            messages=len(self._messages),
            traffic=self._traffic,
            seed=bench.seed,
            time=bench.timing.kind,
            time_scale=bench.timing.scale,
            settings={
                "release_assistance": bench.module.release_assistance,
                "pace": bench.traffic.pace.value,
                "answer_timeout_s": bench.answer_timeout_s,
                "rohc_mode": bench.rohc.mode.value,
                "rohc_feedback": bench.rohc.feedback.value,
            },
        )

    async def _run_module(self, hse: Hse, wire: _WireWatch) -> None:
        bench = self._bench
        self._progress.phase(f"starting {bench.module.family} on {bench.module.port}")

        def watch(module: Module) -> None:
            module.subscribe(self._radio.event)
            module.subscribe(self._faults.event)

        async with open_module(bench, watch, self._network) as self._link:
            module = self._link.module
            granted = await self._attach(module)
            self._address = await module.address()
            identity = {} if module.identity is None else asdict(module.identity)
            for name in ("imei", "iccid"):
                if identity.get(name):
                    identity[name] = masked(identity[name])
            self._update_manifest(
                module={
                    "family": bench.module.family,
                    "port": bench.module.port,
                    **identity,
                    "address": self._address,
                    "power_saving": asdict(granted),
                },
                radio=_radio_dict(await module.radio()),
            )
            self._faults.clear()  # on its way to the network a module is not registered
            for number, configuration in enumerate(bench.matrix):
                self._in_flight.configuration = configuration.name
                await self._restore_if_due(None, None)
                await self._radio.settle(SETTLE_TIMEOUT_S)
                self._progress.phase(f"{configuration.name}: opening the session")
                session = UeSession(
                    self._link.module,
                    configuration,
                    hse.addresses,
                    identity=bench.identity,
                    secret=hse.secret,
                    module_address=self._address,
                    local_port=LOCAL_PORTS + number,
                    release_assistance=self._release_assistance,
                    rohc_settings=bench.rohc_settings,
                    lifetime=bench.lifetime.lifetime,
                    observer=wire,
                    random=bench.random(f"ue/{configuration.name}"),
                )
                await self._run_configuration(session)
            if self._faults.fault is not None:
                self._write(self._fault_record(None))

    async def _attach(self, module: Module) -> PowerSaving:
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
        granted = await module.power_saving()
        self._active_time_s = granted.active_time_s or 0.0
        return granted

    async def _run_configuration(self, session: UeSession) -> None:
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
                await self._restore_if_due(session, after)
                await self._wait_for(due[position])
                await self._restore_if_due(session, after)
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
                self._faults.error(error, asyncio.get_running_loop().time())
                if not again:
                    raise
            except KeyingFailed:
                # Nobody's fault but the HSE's, unless something happened to the module.
                if not again or self._faults.fault is None:
                    raise
            await self._restore_if_due(session, None)

    async def _restore_if_due(self, session: UeSession | None, after: int | None) -> None:
        """Bring the module back if something went wrong with it, as the bench says.

        Raises:
            LabFault: the bench says to stop.
            firmware_bridge.ModuleError: it does not come back.
        """
        description = self._bench.recovery
        loop = asyncio.get_running_loop()
        if self._faults.fault is None:
            return
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
            self._faults.clear()  # what happens from here on is another one
            self._radio.forget()
            try:
                await self._bring_back(fault)
                break
            except ModuleError as error:
                self._faults.error(error, loop.time())
                fault = self._faults.fault or "refused"
                if attempt == description.attempts:
                    self._write(replace(noticed, attempts=attempt, failure=fault))
                    self._faults.clear()
                    raise
            await asyncio.sleep(description.pause_s)
        recovered_s = round(loop.time() - self._started - noticed.noticed_at_s, 6)
        self._write(replace(noticed, attempts=attempt, recovered_s=recovered_s))
        if session is not None and session.use(self._link.module, self._address):
            self._recovery.moved()
        self._progress.phase(self._in_flight.configuration)

    async def _bring_back(self, fault: str) -> None:
        """Open the line again if it was lost; start and attach the module."""
        if fault == "line-lost":
            await self._link.open()
        module = self._link.module
        await module.start()
        await self._attach(module)
        self._address = await module.address()
        self._faults.attached()

    def _fault_record(self, after: int | None) -> FaultRecord:
        fault = self._faults.fault
        assert fault is not None
        return FaultRecord(
            fault=fault,
            configuration=self._in_flight.configuration,
            after=after,
            noticed_at_s=round(self._faults.since - self._started, 6),
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
            if self._faults.fault is None and recovery.failed():
                raise
        except NotSupported:
            raise
        except ModuleError as error:  # the reason stands: the next message finds it again
            self._faults.error(error, asyncio.get_running_loop().time())
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
        already_connected = self._radio.connected
        failure: KeyingFailed | None = None
        try:
            record = await agreement
        except KeyingFailed as error:
            record, failure = error.record, error
        trace = session.agreement
        if record is None or trace is None:
            return
        radio = await self._radio_report()
        await self._radio.settle(SETTLE_TIMEOUT_S)
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
        already_connected = self._radio.connected
        exchange = Exchange(message=message, submitted_at=loop.time())
        self._in_flight.exchange = exchange
        try:
            await exchange_message(session, exchange, answer_timeout_s=self._bench.answer_timeout_s)
            if exchange.error is not None:
                self._faults.error(exchange.error, loop.time())
            radio = await self._radio_report()
            await self._settle(next_due)
        finally:
            self._in_flight.exchange = None
        self._mark_radio(exchange)
        refused = exchange.outcome is Outcome.FAILED and exchange.reason != "association-ended"
        self._faults.message(refused=refused, at=loop.time())
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
        already_connected = self._radio.connected
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
        await self._radio.settle(timeout_s)

    def _mark_radio(self, trace: Trace) -> None:
        connected = self._radio.connected_since(trace.submitted_at)
        if connected is not None:
            trace.mark(Stage.RRC_CONNECTED, connected)
        released = self._radio.released_since(trace.submitted_at)
        if released is not None and not self._radio.connected:
            trace.mark(Stage.RELEASED, released)

    async def _radio_report(self) -> RadioReport | None:
        if self._faults.fault is not None:
            return None  # the module has other things to do, or will be long in answering
        try:
            return await self._link.module.radio()
        except ModuleError as error:
            # An observation beside the message: its lack fails nothing, but may tell of more.
            self._faults.error(error, asyncio.get_running_loop().time())
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
            radio=None if radio is None else _radio_dict(radio),
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
            rai=self._release_assistance is not ReleaseAssistance.NONE,
            already_connected=already_connected,
            observed_until_s=asyncio.get_running_loop().time() - trace.submitted_at,
            sleep_s=sleep_s,
            active_time_s=self._active_time_s,
        )
        return EnergyRecord.from_dict(estimate.to_json())

    def _write(self, record: SessionRecord | MessageRecord | FeedbackRecord | FaultRecord) -> None:
        if isinstance(record, MessageRecord):
            self._counts[f"messages_{record.outcome.value}"] += 1
        elif isinstance(record, FeedbackRecord):
            self._counts["feedback"] += 1
        elif isinstance(record, FaultRecord):
            self._counts[f"faults_{record.fault}"] += 1
        else:
            self._counts["sessions" if record.failure is None else "sessions_failed"] += 1
        self._append(record)

    def _append(self, record: Record) -> None:
        self._journal.append(record)
        self._progress.record(record)

    def _give_up_on_silence(self, record: MessageRecord, session: UeSession) -> None:
        if record.outcome is Outcome.ANSWERED:
            self._answered_ever = True
        if self._answered_ever or self._faults.fault is not None:
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


def masked(digits: str) -> str:
    """An identity of module or subscriber as it may be written down: its last four digits."""
    return "*" * (len(digits) - 4) + digits[-4:]


def _radio_dict(report: RadioReport) -> dict[str, Any]:
    """A radio report without its time and without what was not told."""
    return {
        name: value for name, value in asdict(report).items() if name != "at" and value is not None
    }
