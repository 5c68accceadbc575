"""The runner: everything of a run opened, one configuration after the other, and all closed again.

What happens to the messages is in `testbed.campaign.sending`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from firmware_bridge.virtual import MemoryNetwork
from testbed.bench import Bench, Security
from testbed.campaign.lab import Hse, open_hse, open_module
from testbed.campaign.observers import HseWatch, InFlight, WireWatch
from testbed.campaign.sending import SETTLE_TIMEOUT_S, Progress, Sender
from testbed.clock import TimeKind
from testbed.hse import HsePort
from testbed.results import (
    EndRecord,
    JournalWriter,
    RunCapture,
    RunDirectory,
    RunRecord,
    RunStatus,
    Sync,
)
from testbed.traffic import Message
from testbed.ue.session import UeSession
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
        self._in_flight = InFlight()
        self._sender = Sender(bench, messages, progress, self._in_flight)

    async def run(self) -> None:
        started = asyncio.get_running_loop().time()
        status = RunStatus.INTERRUPTED
        final = "failed"
        watch = HseWatch(self._in_flight)
        # A run in virtual time can be had again from its seed: its journal is synced at the end.
        sync = Sync.AT_THE_END if self._virtual else Sync.EACH_RECORD
        with JournalWriter(self._directory.journal_path, sync=sync) as journal:
            self._sender.begin(journal, started)
            self._sender.append(self._run_record())
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
                self._sender.append(EndRecord(status=status, counts=dict(self._sender.counts)))
                self._update_manifest(final=final)

    async def _run_with_hse(self, hse: Hse, watch: HseWatch) -> None:
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
        wire = WireWatch(self._in_flight, capture, key_table)
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
                self._sender.counts[f"hse_rejected_{port}_{reason}"] = count

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
                **_esp_settings(bench),
            },
        )

    async def _run_module(self, hse: Hse, wire: WireWatch) -> None:
        bench = self._bench
        self._progress.phase(f"starting {bench.module.family} on {bench.module.port}")
        sender = self._sender
        self._in_flight.configuration = bench.matrix[0].name

        async with open_module(bench, sender.watch, self._network) as link:
            sender.use(link)
            await sender.start()
            module = link.module
            identity = {} if module.identity is None else asdict(module.identity)
            for name in ("imei", "iccid"):
                if identity.get(name):
                    identity[name] = masked(identity[name])
            self._update_manifest(
                module={
                    "family": bench.module.family,
                    "port": bench.module.port,
                    **identity,
                    "address": sender.address,
                    "power_saving": asdict(sender.granted),
                },
                radio=await sender.radio_now(),
            )
            for number, configuration in enumerate(bench.matrix):
                self._in_flight.configuration = configuration.name
                await sender.restore_if_due(None, None)
                await sender.radio.settle(SETTLE_TIMEOUT_S)
                self._progress.phase(f"{configuration.name}: opening the session")
                session = UeSession(
                    link.module,
                    configuration,
                    hse.addresses,
                    identity=bench.identity,
                    secret=hse.secret,
                    module_address=sender.address,
                    local_port=LOCAL_PORTS + number,
                    release_assistance=sender.release_assistance,
                    rohc_settings=bench.rohc_settings,
                    lifetime=bench.lifetime.lifetime,
                    associations=bench.esp.settings,
                    observer=wire,
                    random=bench.random(f"ue/{configuration.name}"),
                )
                await sender.run_configuration(session)
            sender.finish()


def _esp_settings(bench: Bench) -> dict[str, Any]:
    """What the bench says about ESP that is not the default."""
    return {
        f"esp_{name}": value for name, value in bench.esp.model_dump(exclude_defaults=True).items()
    }


def masked(digits: str) -> str:
    """An identity of module or subscriber as it may be written down: its last four digits."""
    return "*" * (len(digits) - 4) + digits[-4:]
