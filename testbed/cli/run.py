"""``testbed run``: a bench, its campaign, its table."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time as wall_time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from firmware_bridge import FAMILIES, ModuleError
from testbed import clock
from testbed.bench import (
    Bench,
    Configuration,
    Keys,
    Pace,
    UsimKind,
    UsimWay,
    load_bench,
    validate_bench,
)
from testbed.campaign import Payloads, load_payloads, run_bench
from testbed.campaign import Progress as RunProgress
from testbed.campaign.ledger import ModulePhase
from testbed.campaign.resuming import (
    begin_manifest,
    check_resumable,
    interrupted_bench,
    open_interrupted,
)
from testbed.cli.doors import (
    DoorOptions,
    InsecureOption,
    MetricsHostOption,
    TlsCertOption,
    TlsKeyOption,
    TokenFileOption,
    WebHostOption,
)
from testbed.cli.shared import INTERRUPTED, app, print_json, show_warning, stderr, stdout
from testbed.cli.verdict import (
    BaselineOption,
    BaselinesOption,
    JUnitOption,
    Verdict,
    reference,
    write_junit_fault,
)
from testbed.compression import FeedbackWay, RohcMode
from testbed.errors import LabFault, TestbedError
from testbed.live import LiveRun
from testbed.metrics import LastScrape, MetricsServer, RunMetrics
from testbed.metrics.pushgateway import check_gateway, push
from testbed.report.table import render_table
from testbed.results import (
    JournalReader,
    MessageRecord,
    Record,
    RunDirectory,
    RunRecord,
    TimeKind,
)
from testbed.web.access import Access

if TYPE_CHECKING:
    from testbed.report.run import RunView

__all__ = ["run"]


@app.command()
def run(
    bench_file: Annotated[
        Path | None,
        typer.Option("--bench", envvar="TESTBED_BENCH", help="Bench description (YAML)."),
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(envvar="TESTBED_MODULE", help=f"Family of the module: {', '.join(FAMILIES)}."),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            envvar="TESTBED_PORT",
            help="Its port: /dev/ttyUSB0, rfc2217://host:port, socket://host:port, virtual:bc66.",
        ),
    ] = None,
    hse: Annotated[
        str | None,
        typer.Option(
            envvar="TESTBED_HSE", help="HOST:PORT of an HSE's ESP port; none starts one here."
        ),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(envvar="TESTBED_SECRET_FILE", help="File: the secret shared with the HSE."),
    ] = None,
    identity: Annotated[
        str | None, typer.Option(envvar="TESTBED_IDENTITY", help="Who this UE is to the HSE.")
    ] = None,
    keys: Annotated[
        Keys | None,
        typer.Option(help="Where keys come from: the secret, or AKA through a USIM."),
    ] = None,
    subscribers: Annotated[
        Path | None,
        typer.Option(help="With AKA: file with the K of a virtual card, or of a soft USIM."),
    ] = None,
    usim: Annotated[
        UsimKind | None,
        typer.Option(help="With AKA: the card in the module, or software in its place."),
    ] = None,
    usim_path: Annotated[
        UsimWay | None, typer.Option(help="With AKA: the way to the card in the module.")
    ] = None,
    apn: Annotated[
        str | None, typer.Option(envvar="TESTBED_APN", help="Access point name.")
    ] = None,
    traffic: Annotated[
        Path | None,
        typer.Option(help="Capture of a device: each UDP packet that it sends is a message."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="The device's address in the capture.")] = None,
    messages: Annotated[
        int | None, typer.Option("--messages", "-n", min=1, help="Messages per configuration.")
    ] = None,
    configuration: Annotated[
        list[str] | None,
        typer.Option(
            "--configuration",
            "-c",
            help=f"What to measure, may be repeated: {', '.join(Configuration.known_names())}; "
            "ESP with another suite as esp-tunnel/aes-ccm-8-128.",
        ),
    ] = None,
    rohc_mode: Annotated[
        RohcMode | None,
        typer.Option(help="Highest mode of ROHC: U without feedback, O or R with it."),
    ] = None,
    rohc_feedback: Annotated[
        FeedbackWay | None,
        typer.Option(help="Feedback rides on the next packet, or goes in one of its own."),
    ] = None,
    pace: Annotated[
        Pace | None, typer.Option(help="As soon as the module is idle again, or as captured.")
    ] = None,
    time: Annotated[
        TimeKind | None,
        typer.Option(
            envvar="TESTBED_TIME",
            help="Virtual: the clock jumps, all in memory (default where all of the bench is in "
            "the run); scaled: on a pty; real.",
        ),
    ] = None,
    time_scale: Annotated[
        float | None,
        typer.Option(
            envvar="TESTBED_TIME_SCALE",
            help="Module seconds per real second in scaled time; 1 is real time.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of generated traffic and virtual radio; in virtual time of keys."),
    ] = None,
    runs: Annotated[
        Path, typer.Option(envvar="TESTBED_RUNS", help="Folder that holds the run directories.")
    ] = Path("runs"),
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve Prometheus metrics meanwhile."),
    ] = None,
    metrics_host: MetricsHostOption = None,
    web: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Show the run as a page on this port meanwhile."),
    ] = None,
    web_host: WebHostOption = None,
    token_file: TokenFileOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    insecure_lab_network: InsecureOption = False,
    pushgateway: Annotated[
        str | None,
        typer.Option(
            envvar="TESTBED_PUSHGATEWAY",
            metavar="URL",
            help="Push the run's figures to this Prometheus Pushgateway when it has ended.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on with the interrupted run in this directory, where it stopped."),
    ] = None,
    export_keys: Annotated[
        bool,
        typer.Option(
            "--export-keys", help="Write esp_sa though the secret is not marked as a test secret."
        ),
    ] = False,
    baseline: BaselineOption = None,
    baselines: BaselinesOption = Path("baselines"),
    junit: JUnitOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> int:
    """Send a device's messages through a module to an HSE and back, and measure what it costs.

    Without any option: generated thermostat readings through a virtual BC66 to an HSE started for
    the run, without security, under tunnel ESP, and under tunnel ESP with header compression.
    """
    overrides: dict[str, Any] = {}

    def override(value: Any, *path: str) -> None:
        if value is None:
            return
        node = overrides
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = value

    override(module, "module", "family")
    if module is not None and port is None and bench_file is None:
        port = f"virtual:{module}"
    override(port, "module", "port")
    override(apn, "module", "apn")
    override(hse, "hse", "address")
    if secret_file is not None:
        override(str(secret_file), "hse", "secret_file")
    override(identity, "identity")
    override(None if keys is None else keys.value, "keys")
    if subscribers is not None:
        override(str(subscribers), "aka", "subscribers")
    override(None if usim is None else usim.value, "aka", "usim")
    override(None if usim_path is None else usim_path.value, "aka", "path")
    if traffic is not None:
        override(str(traffic), "traffic", "capture")
    override(device, "traffic", "device")
    override(messages, "traffic", "messages")
    if rohc_mode is not None:
        override(rohc_mode.value, "rohc", "mode")
    if rohc_feedback is not None:
        override(rohc_feedback.value, "rohc", "feedback")
    if pace is not None:
        override(pace.value, "traffic", "pace")
    override(list(configuration) if configuration else None, "matrix")
    if time is not None or time_scale is not None:  # either of them is all that is said about time
        overrides["time"] = None if time is None else time.value
        overrides["time_scale"] = time_scale
    override(seed, "seed")
    directory = None
    goes_on = False
    if resume is not None:
        directory, goes_on = open_interrupted(resume)
        bench = interrupted_bench(directory, bench_file, overrides)
    elif bench_file is not None:
        bench = load_bench(bench_file, overrides)
    else:
        bench = validate_bench(overrides)
    payloads = load_payloads(bench)
    gateway = None if pushgateway is None else check_gateway(pushgateway)
    before = reference(baseline, baselines)  # a wrong name is told now, not after the run
    doors = DoorOptions(
        token_file=token_file, certificate=tls_cert, key=tls_key, insecure=insecure_lab_network
    )
    open_doors = _Doors(
        metrics=None if metrics_port is None else (metrics_port, doors.access(metrics_host)),
        web=None if web is None else (web, doors.access(web_host)),
    )
    if directory is None:
        directory = RunDirectory.create(runs)
    elif goes_on:
        check_resumable(directory, payloads)
    try:
        interrupted = _run(bench, payloads, directory, goes_on, open_doors, export_keys)
    except (TestbedError, ModuleError) as error:
        if junit is not None:
            write_junit_fault(junit, directory.name, error)
        raise
    from testbed.report.run import load_run  # here: numpy takes its time

    view = load_run(directory.path, baseline=before)
    verdict = None if interrupted else Verdict(view)
    if verdict is not None:
        verdict.write_junit(junit)
        if gateway is not None:
            _push(gateway, directory, verdict)
    _show(view, verdict, json_output)
    if verdict is not None:
        return verdict.exit_code
    stderr().print(
        "[bold red]interrupted[/]: the table shows what was done until then; go on with: "
        f"testbed run --resume {escape(str(directory.path))}",
        soft_wrap=True,
    )
    return INTERRUPTED


def _run(
    bench: Bench,
    payloads: Payloads,
    directory: RunDirectory,
    resume: bool,
    doors: _Doors,
    export_keys: bool,
) -> bool:
    """Carry the run out; whether it was interrupted."""
    timing = bench.timing
    begin_manifest(bench, payloads, directory, resume=resume)
    if bench.campaign is not None:
        plan = payloads.plan
        stderr().print(
            f"campaign: {len(plan.cells)} cells, at most {plan.blocks} blocks of "
            f"{plan.block_messages} messages, in random order from seed {bench.seed}"
        )
    metrics = RunMetrics(directory.name)
    live = LiveRun(directory.name, payloads.plan.total)
    interrupted = False
    with contextlib.ExitStack() as stack:
        if resume and doors:
            for record in JournalReader(directory.journal_path).typed():
                metrics.observe(record)
                live.record(record)
        for last_scrape in doors.open(stack, metrics, live):
            stack.callback(_wait_for, last_scrape)
        shown = live if doors.web else None
        progress = stack.enter_context(_progress(payloads.plan.total, metrics, shown))

        async def main() -> None:
            _cancel_on_termination()
            await run_bench(
                bench,
                payloads,
                directory,
                export_keys=export_keys,
                progress=progress,
                resume=resume,
            )

        try:
            clock.run(main, time_scale=timing.scale)
        except (KeyboardInterrupt, asyncio.CancelledError):
            interrupted = True
        except Exception:
            stderr().print(f"run directory: {escape(str(directory.path))}", soft_wrap=True)
            raise
    return interrupted


def _push(gateway: str, directory: RunDirectory, verdict: Verdict) -> None:
    """Push the run's figures; a gateway that does not take them costs a warning."""
    # Here, not above: numpy takes its time, and most runs don't need it this early.
    from testbed.metrics.suite import SuiteMetrics

    first = next(iter(JournalReader(directory.journal_path).typed()))
    assert isinstance(first, RunRecord)
    metrics = SuiteMetrics(
        first,
        directory.name,
        verdict.run,
        verdict.judgements,
        verdict.grade,
        ended_at_s=wall_time.time(),
    )
    try:
        push(gateway, metrics, metrics.grouping_key)
    except LabFault as error:
        show_warning(error.message, error.hint)


def _wait_for(scrape: LastScrape) -> None:
    """Let who scraped the run see its end; Ctrl-C ends that, too."""
    if scrape.patience_s > 1.0:
        stderr().print(f"waiting for the last scrape, at most {scrape.patience_s:.0f} s")
    with contextlib.suppress(KeyboardInterrupt):
        scrape.wait()


def _cancel_on_termination() -> None:
    """Let SIGTERM end a run as Ctrl-C does: with its journal closed and its module released."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGTERM, task.cancel)


def _show(view: RunView, verdict: Verdict | None, json_output: bool) -> None:
    from testbed.report.page import write_page

    directory, summary, report = view.directory, view.summary, write_page(view)
    if json_output:
        found = summary.to_json() if verdict is None else summary.to_json() | verdict.to_json()
        print_json(found | {"directory": str(directory.path), "report": str(report)})
        return
    console = stdout()
    console.print(render_table(summary))
    if verdict is not None:
        verdict.show()
    console.print(f"run directory: {escape(str(directory.path))}", soft_wrap=True)
    console.print(f"report:        {escape(str(report))}", soft_wrap=True)
    if directory.esp_sa_path.exists():
        console.print(f"decrypt:       {escape(directory.decrypt_command)}", soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Doors:
    """What the run is shown through: port and access each."""

    metrics: tuple[int, Access] | None
    web: tuple[int, Access] | None

    def __bool__(self) -> bool:
        return self.metrics is not None or self.web is not None

    def open(
        self, stack: contextlib.ExitStack, metrics: RunMetrics, live: LiveRun
    ) -> Iterator[LastScrape]:
        """Open them until the stack is closed; gives who knows of each when somebody looked."""
        if self.metrics is not None:
            port, access = self.metrics
            last = LastScrape()
            server = stack.enter_context(MetricsServer(metrics, last, port=port, access=access))
            stderr().print(f"metrics: {escape(server.url)}", soft_wrap=True)
            yield last
        if self.web is not None:
            from testbed.live.door import LiveDoor  # slow to import; most runs have no page

            port, access = self.web
            last = LastScrape()
            door = stack.enter_context(LiveDoor(live, metrics, port=port, access=access, last=last))
            stderr().print(f"live page: {escape(door.url)}", soft_wrap=True)
            yield last


class _Bar(RunProgress):
    def __init__(
        self, bar: Progress, task: TaskID, metrics: RunMetrics, live: LiveRun | None
    ) -> None:
        self._bar = bar
        self._task = task
        self._metrics = metrics
        self._live = live

    def identified(self, facts: Mapping[str, Any]) -> None:
        if self._live is not None:
            self._live.identified(facts)

    def phase(self, text: str) -> None:
        self._bar.update(self._task, description=escape(text))
        if self._live is not None:
            self._live.phase(text)

    def module(self, phase: ModulePhase) -> None:
        self._metrics.phase(phase.value)
        if self._live is not None:
            self._live.module(phase.value)

    def record(self, record: Record) -> None:
        self._metrics.observe(record)
        if self._live is not None:
            self._live.record(record)
        if isinstance(record, MessageRecord):
            self._bar.advance(self._task)


@contextlib.contextmanager
def _progress(total: int, metrics: RunMetrics, live: LiveRun | None) -> Iterator[_Bar]:
    """A progress bar on a terminal; nothing where standard error is a file."""
    console = stderr()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield _Bar(bar, bar.add_task("starting", total=total), metrics, live)
