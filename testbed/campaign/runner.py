"""The runner: everything of a run opened, its plan carried out, and all closed again.

What happens to the messages is in `testbed.campaign.execution` and `testbed.campaign.sending`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from esp import keying
from firmware_bridge import Module, ModuleError, UsimRefused, UsimUnreachable
from firmware_bridge.usim import UsimPath
from firmware_bridge.virtual import MemoryNetwork
from testbed.bench import Bench, Configuration, Keys, PdpType, Security, UsimKind, UsimWay
from testbed.campaign.currents import CurrentWatch
from testbed.campaign.execution import Execution
from testbed.campaign.lab import Hse, ModuleLink, open_hse, open_module, virtual_settings
from testbed.campaign.ledger import Ledger, Progress
from testbed.campaign.observers import HseWatch, InFlight, WireWatch
from testbed.campaign.payloads import Payloads
from testbed.campaign.subscriber import bench_subscribers, own_card
from testbed.campaign.upkeep import Upkeep, radio_dict
from testbed.clock import TimeKind
from testbed.hse import HsePort
from testbed.results import (
    EndRecord,
    JournalReader,
    JournalWriter,
    ResumedRecord,
    RunCapture,
    RunDirectory,
    RunRecord,
    RunStatus,
    SessionRecord,
    Sync,
)
from testbed.results.parquet import write_messages
from testbed.ue.agreement import usim_failure
from testbed.ue.carrier import Carrier, NonIpWay, UdpWay
from testbed.ue.session import KeyingFailed, UeSession
from testbed.ue.usim import UeUsim
from testbed.version import __version__

__all__ = ["Progress", "run_bench"]

LOCAL_PORTS = 49152
"""UDP port of the module's socket for the first configuration, counted up from there: said to the
module, so that the capture shows it (the first dynamic port, RFC 6335 section 6)."""

_TIME_COMMENTS = {
    TimeKind.REAL: "times are those of the clock on the wall",
    TimeKind.SCALED: "a second is the run's own, a part of one on the wall",
    TimeKind.VIRTUAL: "virtual time: a second is the run's own, and its first one is 1970's",
}


_PATHS = {
    UsimWay.AUTO: None,
    UsimWay.CSIM: UsimPath.BASIC,
    UsimWay.CGLA: UsimPath.CHANNEL,
}


async def run_bench(
    bench: Bench,
    payloads: Payloads,
    directory: RunDirectory,
    *,
    export_keys: bool = False,
    progress: Progress | None = None,
    resume: bool = False,
) -> None:
    """Carry out a bench's plan.

    Args:
        bench: the description.
        payloads: the plan, and its messages.
        directory: where everything is written.
        export_keys: write ``esp_sa`` although the secret is not marked as a test secret.
        progress: sees the run go on.
        resume: go on with what stands in the directory, from the first message that is not in
            the journal, with new sessions.

    Raises:
        TestbedError: the run can't go on; the text says why.
        firmware_bridge.ModuleError: the module's share of that.
        asyncio.CancelledError: it was interrupted; what was done is in the journal.
    """
    await _Runner(bench, payloads, directory, export_keys, progress or Progress(), resume).run()


class _Runner:
    def __init__(
        self,
        bench: Bench,
        payloads: Payloads,
        directory: RunDirectory,
        export_keys: bool,
        progress: Progress,
        resume: bool,
    ) -> None:
        self._bench = bench
        self._payloads = payloads
        self._directory = directory
        self._export_keys = export_keys
        self._progress = progress
        self._resume = resume
        self._virtual = bench.timing.kind is TimeKind.VIRTUAL
        self._network = MemoryNetwork() if self._virtual else None
        self._in_flight = InFlight()
        campaign = bench.campaign
        keeps = campaign is not None and campaign.until is not None
        self._ledger = Ledger(progress, keep_measured=keeps)
        self._upkeep = Upkeep(bench, self._ledger, progress, self._in_flight)
        self._subscribers = bench_subscribers(bench)

    async def run(self) -> None:
        ledger = self._ledger
        status, stopped = RunStatus.INTERRUPTED, None
        final = "failed"
        watch = HseWatch(self._in_flight)
        with self._journal() as journal:
            try:
                async with open_hse(
                    self._bench, watch, self._network, ledger.part, self._subscribers
                ) as hse:
                    try:
                        stopped = await self._run_with_hse(hse, watch)
                    finally:
                        self._count_rejections(hse)
                status = RunStatus.COMPLETE
                final = "complete"
            except asyncio.CancelledError:
                final = "interrupted"
                raise
            finally:
                ledger.visit = None
                counts = dict(ledger.counts)
                ledger.write(EndRecord(status=status, stopped=stopped, counts=counts))
                journal.close()
                self._update_manifest(final=final)
                write_messages(self._directory.journal_path, self._directory.messages_path)

    def _journal(self) -> JournalWriter:
        """The journal with its first record, or with the one that says that the run goes on."""
        ledger, path = self._ledger, self._directory.journal_path
        # A run in virtual time can be had again from its seed: its journal is synced at the end.
        sync = Sync.AT_THE_END if self._virtual else Sync.EACH_RECORD
        if not self._resume:
            journal = JournalWriter(path, sync=sync)
            ledger.begin(journal)
            ledger.write(self._run_record())
            return journal
        journal = JournalWriter.resume(path, sync=sync)
        ledger.restore(JournalReader(path).typed())
        ledger.begin(journal)
        ledger.write(
            ResumedRecord(part=ledger.part + 1, planned=ledger.next, at_s=round(ledger.last_s, 6))
        )
        return journal

    async def _run_with_hse(self, hse: Hse, watch: HseWatch) -> str | None:
        bench = self._bench
        loop = asyncio.get_running_loop()
        test_keys = self._test_keys(hse)
        keyed = any(one.security is not Security.NONE for one in self._payloads.plan.configurations)
        write_keys = keyed and (test_keys or self._export_keys)
        if write_keys:
            self._update_manifest(
                test_keys=test_keys,
                decrypt=self._directory.decrypt_command,
            )
        capture = RunCapture(
            self._directory.capture_path,
            hse_port=hse.addresses.esp_port,
            start_ns=round(self._ledger.last_s * 1e9) if self._virtual else time.time_ns(),
            start_s=loop.time(),
            clock=loop.time,
            comment=f"testbed {__version__}; {_TIME_COMMENTS[bench.timing.kind]}",
            resume=self._resume,
        )
        key_table = self._directory.esp_sa_path if write_keys else None
        wire = WireWatch(self._in_flight, capture, key_table, resume=self._resume)
        with capture, contextlib.closing(wire):
            if hse.server is not None:
                watch.capture = capture
                watch.addresses = {port: hse.server.address(port) for port in HsePort}
            try:
                return await self._run_module(hse, wire)
            finally:
                watch.capture = None

    def _test_keys(self, hse: Hse) -> bool:
        """Whether the run's keys come from what is marked as a test secret."""
        aka = self._bench.aka
        if self._bench.keys is Keys.AKA:
            return self._subscribers is not None and (aka.subscribers is None or aka.test)
        return hse.secret is not None and hse.secret.test

    def _count_rejections(self, hse: Hse) -> None:
        if hse.server is not None:
            for (port, reason), count in sorted(hse.server.snapshot().rejected.items()):
                self._ledger.counts[f"hse_rejected_{port}_{reason}"] += count

    def _update_manifest(self, *, final: str | None = None, **changes: Any) -> None:
        manifest = self._directory.read_manifest()
        if final is None:
            manifest = replace(manifest, **changes)
        else:
            manifest = manifest.finished(final, **changes)
        self._directory.write_manifest(manifest)

    def _run_record(self) -> RunRecord:
        bench, plan = self._bench, self._payloads.plan
        campaign = bench.campaign is not None
        return RunRecord(
            testbed_version=__version__,
            bench=bench.name,
            module=bench.module.family,
            origin="virtual" if bench.module.is_virtual else "real",
            configurations=tuple(configuration.name for configuration in plan.configurations),
            messages=plan.source_messages,
            traffic=self._payloads.description,
            cells=tuple(cell.to_json() for cell in plan.cells) if campaign else None,
            excluded=tuple(one.to_json() for one in plan.excluded) if plan.excluded else None,
            blocks=plan.blocks if campaign else None,
            plan=self._payloads.digest,
            seed=bench.seed,
            time=bench.timing.kind,
            time_scale=bench.timing.scale,
            settings={
                "release_assistance": bench.module.release_assistance,
                "pace": bench.traffic.pace.value,
                "answer_timeout_s": bench.answer_timeout_s,
                "rohc_mode": bench.rohc.mode.value,
                "rohc_feedback": bench.rohc.feedback.value,
                **_carrier_settings(bench),
                **_esp_settings(bench),
                **_key_settings(bench),
            },
        )

    async def _run_module(self, hse: Hse, wire: WireWatch) -> str | None:
        bench, upkeep, payloads = self._bench, self._upkeep, self._payloads
        part = self._ledger.part
        self._progress.phase(f"starting {bench.module.family} on {bench.module.port}")
        self._in_flight.configuration = payloads.plan.cells[0].configuration.name

        card = own_card(bench, self._subscribers, part)
        usim = None
        hierarchy = keying.Hierarchy(check_separation=bench.aka.check_separation)
        if bench.keys is Keys.AKA:
            soft = bench.aka.usim is UsimKind.SOFT
            usim = UeUsim(
                _PATHS[bench.aka.path], card.authenticate if soft and card is not None else None
            )
        async with open_module(bench, upkeep.watch, self._network, part, card) as link:
            upkeep.use(link)
            await upkeep.start()
            module = link.module
            identity = {} if module.identity is None else asdict(module.identity)
            for name in ("imei", "iccid"):
                if identity.get(name):
                    identity[name] = masked(identity[name])
            self._progress.identified(identity)
            self._update_manifest(
                module={
                    "family": bench.module.family,
                    "port": bench.module.port,
                    **identity,
                    "address": upkeep.address,
                    "power_saving": asdict(upkeep.granted),
                },
                radio=radio_dict(await upkeep.report()),
            )

            if usim is not None:
                await self._find_usim(usim, link.module)

            if PdpType.NON_IP in bench.pdp_types:
                await upkeep.see_non_ip()

            def new_carrier(pdp_type: PdpType, number: int) -> Carrier:
                if pdp_type is PdpType.NON_IP:
                    return NonIpWay(link.tunnel_to)
                return UdpWay(LOCAL_PORTS + number)

            def new_session(configuration: Configuration, number: int) -> UeSession:
                return UeSession(
                    link.module,
                    configuration,
                    hse.addresses,
                    identity=bench.identity,
                    secret=hse.secret,
                    usim=usim,
                    hierarchy=hierarchy,
                    module_address=upkeep.address,
                    local_port=LOCAL_PORTS + number,
                    rohc_settings=bench.rohc_settings,
                    lifetime=bench.lifetime.lifetime,
                    associations=bench.esp.settings,
                    observer=wire,
                    random=bench.random(f"ue/{configuration.name}", part),
                )

            execution = Execution(
                bench,
                payloads,
                self._ledger,
                upkeep,
                self._progress,
                self._in_flight,
                new_session,
                new_carrier,
            )
            try:
                with self._current(link):
                    stopped = await execution.run()
            finally:
                if usim is not None and upkeep.faults.fault is None:
                    await usim.close()
            upkeep.finish()
            return stopped

    @contextlib.contextmanager
    def _current(self, link: ModuleLink) -> Iterator[None]:
        """Keep a virtual module's draw, as the bench wants it, and write it down at the end."""
        module = self._bench.module
        if link.door is None or not module.keep_current:
            yield
            return
        watch = CurrentWatch(link.door, self._ledger, module.keep_current)
        self._ledger.watch = watch.record
        try:
            yield
        finally:
            self._ledger.watch = None
            watch.write(self._directory, virtual_settings(module), module.family)

    async def _find_usim(self, usim: UeUsim, module: Module) -> None:
        """Find the way to the USIM before anything is measured: without one, the run ends here.

        Raises:
            KeyingFailed: there is none.
        """
        names = [
            one.name
            for one in self._payloads.plan.configurations
            if one.security is not Security.NONE
        ]
        if not names:
            return
        self._progress.phase("looking for the USIM")
        try:
            await usim.open(module)
        except (UsimUnreachable, UsimRefused) as error:
            failure = usim_failure(error)
            record = SessionRecord(
                configuration=names[0],
                setup_s=0.0,
                bytes_up=0,
                bytes_down=0,
                attempts=0,
                failure=failure.reason,
                key_agreement=Keys.AKA.value,
            )
            self._ledger.write(record)
            raise KeyingFailed(record, failure.said, hint=failure.hint) from error
        except ModuleError as error:  # it may come back until keys are due
            self._upkeep.faults.error(error, asyncio.get_running_loop().time())


def _carrier_settings(bench: Bench) -> dict[str, Any]:
    """What carries the packets, unless it is the module's UDP socket; a factor says it per cell."""
    return {"carrier": "non-ip"} if bench.pdp_types == (PdpType.NON_IP,) else {}


def _esp_settings(bench: Bench) -> dict[str, Any]:
    """What the bench says about ESP that is not the default."""
    return {
        f"esp_{name}": value for name, value in bench.esp.model_dump(exclude_defaults=True).items()
    }


def _key_settings(bench: Bench) -> dict[str, Any]:
    """Where keys come from, unless it is the secret."""
    if bench.keys is not Keys.AKA:
        return {}
    return {"keys": bench.keys.value, "usim": bench.aka.usim.value}


def masked(digits: str) -> str:
    """An identity of module or subscriber as it may be written down: its last four digits."""
    return "*" * (len(digits) - 4) + digits[-4:]
