"""``testbed hse``: the HSE emulator as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from esp.suites import EVERY_SUITE
from testbed.association import EspSettings
from testbed.bench import allowed_suites
from testbed.bench.secrets import read_secret_file, read_subscribers
from testbed.cli.shared import app, print_json_line, stderr, stdout
from testbed.compression import FeedbackWay, RohcMode, RohcSettings
from testbed.errors import UsageError
from testbed.hse import AddressPlan, HsePort, HseServer, ListenAddresses
from testbed.hse.state import HseState
from testbed.metrics import HseMetrics, MetricsServer

__all__ = ["hse"]


@app.command()
def hse(
    host: Annotated[
        str, typer.Option(envvar="TESTBED_HSE_HOST", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="ESP port; 0: any free port.")] = 4500,
    rohc_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="ROHC port; default: ESP port + 1.")
    ] = None,
    plain_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Plain port; default: ESP port + 2.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            envvar="TESTBED_SECRET_FILE", help="One secret, shared with every UE that knows it."
        ),
    ] = None,
    subscribers: Annotated[
        Path | None,
        typer.Option(help="YAML file: identity of each UE, its secret, perhaps its addresses."),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(help="A suite that sessions may use, may be repeated; default: all."),
    ] = None,
    rohc_mode: Annotated[
        RohcMode, typer.Option(help="Highest mode of ROHC; the UEs' runs need the same.")
    ] = RohcMode.OPTIMISTIC,
    rohc_feedback: Annotated[
        FeedbackWay, typer.Option(help="Feedback rides on the answer, or goes in a packet.")
    ] = FeedbackWay.PIGGYBACK,
    rohc_integrity: Annotated[
        str | None,
        typer.Option(help="Transform of the ROHC ICV inside ESP, such as hmac-sha2-256-128."),
    ] = None,
    rohc_icv_bytes: Annotated[
        int | None, typer.Option(min=1, max=32, help="Its octets; default: the transform's own.")
    ] = None,
    replay_window: Annotated[
        int, typer.Option(min=32, max=4096, help="Packets that may come late.")
    ] = 64,
    pad_to: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Fill payloads of ESP up to so many octets; 0: none."),
    ] = 0,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder in which sessions survive a restart; it holds their keys."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve Prometheus metrics on loopback.")
    ] = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print addresses and counts as JSON lines.")
    ] = False,
) -> None:
    """Run the Home Security Endpoint emulator until Ctrl-C.

    It terminates ESP and ROHC from several UEs, and echoes each message back the same way.
    """
    if (secret_file is None) == (subscribers is None):
        raise UsageError(
            "an HSE needs to know its UEs: give either --secret-file or --subscribers",
            hint="Make a secret: (umask 077; echo hex:$(openssl rand -hex 16) > secret.txt)",
        )
    if subscribers is not None:
        known_ues = read_subscribers(subscribers)
        table, shared = known_ues.secrets, None
        try:
            addresses = AddressPlan(known_ues.addresses)
        except ValueError as error:
            raise UsageError(f"{subscribers}: {error}") from None
    else:
        assert secret_file is not None
        table, addresses = {}, AddressPlan()
        shared = read_secret_file(secret_file)

    def known(identity: str) -> bytes | None:
        return table.get(identity, shared)

    def beside(given: int | None, offset: int) -> int:
        if given is not None:
            return given
        return 0 if port == 0 else port + offset

    listen = ListenAddresses(
        host=host, esp_port=port, rohc_port=beside(rohc_port, 1), plain_port=beside(plain_port, 2)
    )
    try:
        policy = allowed_suites(suite, "this HSE") if suite else EVERY_SUITE
    except ValueError as error:
        raise UsageError(f"--suite: {error}") from None
    try:
        rohc_settings = RohcSettings(
            mode=rohc_mode,
            feedback=rohc_feedback,
            integrity=rohc_integrity,
            icv_bytes=rohc_icv_bytes,
        )
    except ValueError as error:
        raise UsageError(f"--rohc-integrity: {error}") from None
    with contextlib.ExitStack() as stack:
        kept = None if state is None else stack.enter_context(contextlib.closing(HseState(state)))
        server = HseServer(
            secrets=known,
            listen=listen,
            policy=policy,
            addresses=addresses,
            rohc_settings=rohc_settings,
            associations=EspSettings(replay_window=replay_window, pad_to=pad_to),
            state=kept,
        )
        asyncio.run(_serve(server, metrics_port, json_output))


async def _serve(server: HseServer, metrics_port: int | None, json_output: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        with contextlib.ExitStack() as stack:
            addresses = {port.value: server.address(port) for port in HsePort}
            if metrics_port is not None:
                metrics = stack.enter_context(
                    MetricsServer(HseMetrics(server.snapshot), port=metrics_port)
                )
                addresses["metrics"] = (metrics.address, metrics.port)
            if json_output:
                print_json_line(
                    {name: f"{host}:{port}" for name, (host, port) in addresses.items()}
                )
            else:
                console = stdout()
                for name, (host, port) in addresses.items():
                    console.print(f"{name:8} {escape(host)}:{port}")
                stderr().print("serving; Ctrl-C ends it")
            await stop.wait()
        snapshot = server.snapshot()
    counts = {
        "datagrams": dict(snapshot.datagrams),
        "delivered": dict(snapshot.delivered),
        "answered": dict(snapshot.answered),
        "exchanges": snapshot.exchanges,
        "rejected": {f"{port}/{why}": n for (port, why), n in sorted(snapshot.rejected.items())},
    }
    if json_output:
        print_json_line(counts)
    else:
        console = stdout()
        for name, value in counts.items():
            console.print(f"{name:10} {value}")
