"""``testbed hse``: the HSE emulator as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import esp
from esp.suites import EVERY_SUITE
from testbed.association import EspSettings
from testbed.bench import allowed_suites
from testbed.bench.secrets import read_secret_file, read_subscribers
from testbed.bench.subscribers import read_aka_subscribers
from testbed.cli.doors import (
    DoorOptions,
    InsecureOption,
    MetricsHostOption,
    TlsCertOption,
    TlsKeyOption,
    TokenFileOption,
)
from testbed.cli.shared import app, print_json_line, show_warning, stderr, stdout
from testbed.compression import FeedbackWay, RohcMode, RohcSettings
from testbed.errors import UsageError
from testbed.hse import AddressPlan, HsePort, HseServer, ListenAddresses
from testbed.hse.manual import read_associations
from testbed.hse.sources import VectorSources, holds_usim_keys
from testbed.hse.state import HseState
from testbed.metrics import HseMetrics, MetricsServer
from testbed.web.access import Access

__all__ = ["hse"]

Addresses = dict[str, tuple[IPv4Network | IPv6Network, ...]]
"""Inner source addresses by identity."""


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
        typer.Option(
            help="YAML file: identity of each UE with its secret, perhaps its addresses; or "
            "subscribers with the keys of their USIMs, for AKA (mode 0600)."
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="For AKA where no K is known: a file of vectors, or https://HOST of their source.",
        ),
    ] = None,
    vectors_token: Annotated[
        Path | None, typer.Option(help="File: the token that this source wants (mode 0600).")
    ] = None,
    vectors_ca: Annotated[
        Path | None, typer.Option(help="Certificates to trust there, in place of the system's.")
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
    sa_file: Annotated[
        Path | None,
        typer.Option(help="YAML file: associations with configured keys, beside the others."),
    ] = None,
    ue: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDENTITY=ADDRESS",
            help="An inner address, or network, that is this UE's alone; may be repeated.",
        ),
    ] = None,
    share_addresses: Annotated[
        bool,
        typer.Option(
            "--share-addresses", help="Several UEs may use one inner address, unless it is --ue's."
        ),
    ] = False,
    soft_packets: Annotated[
        int | None, typer.Option(min=1, help="Lifetime: tell of it after so many packets.")
    ] = None,
    hard_packets: Annotated[
        int | None, typer.Option(min=1, help="Lifetime: end the association after so many.")
    ] = None,
    soft_bytes: Annotated[
        int | None, typer.Option(min=1, help="The same, payload octets in one direction.")
    ] = None,
    hard_bytes: Annotated[
        int | None, typer.Option(min=1, help="The same, payload octets in one direction.")
    ] = None,
    soft_s: Annotated[
        float | None, typer.Option(min=0.001, help="The same, seconds since the key exchange.")
    ] = None,
    hard_s: Annotated[
        float | None, typer.Option(min=0.001, help="The same, seconds since the key exchange.")
    ] = None,
    rohc_mrru: Annotated[
        int,
        typer.Option(min=0, max=65535, help="ROHC packets inside ESP may be segmented up to this."),
    ] = 0,
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
        int | None, typer.Option(min=0, max=65535, help="Serve Prometheus metrics.")
    ] = None,
    metrics_host: MetricsHostOption = None,
    token_file: TokenFileOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    insecure_lab_network: InsecureOption = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print addresses and counts as JSON lines.")
    ] = False,
) -> None:
    """Run the Home Security Endpoint emulator until Ctrl-C.

    It terminates ESP and ROHC from several UEs, and echoes each message back the same way.
    """
    with_usims = subscribers is not None and holds_usim_keys(subscribers)
    if secret_file is not None and subscribers is not None and not with_usims:
        raise UsageError("both --secret-file and --subscribers: give one of the two")
    if (secret_file, subscribers, sa_file, vectors) == (None, None, None, None):
        raise UsageError(
            "an HSE needs to know its UEs: give --secret-file, --subscribers, --vectors or "
            "--sa-file",
            hint="Make a secret: (umask 077; echo hex:$(openssl rand -hex 16) > secret.txt)",
        )
    sources = VectorSources(
        subscribers=(
            read_aka_subscribers(subscribers) if with_usims and subscribers is not None else None
        ),
        vectors=vectors,
        token_file=vectors_token,
        ca_file=vectors_ca,
        durable=state is not None,
    )
    if sources.subscribers is not None and state is None:
        show_warning(
            "without --state sequence numbers of AKA begin anew at each start",
            "Each USIM's first exchange then costs a resynchronisation; give --state DIR.",
        )
    known_ues = None if subscribers is None or with_usims else read_subscribers(subscribers)
    table = {} if known_ues is None else known_ues.secrets
    shared = None if secret_file is None else read_secret_file(secret_file)
    with_usim = () if sources.subscribers is None else sources.subscribers.identities

    def known(identity: str) -> bytes | None:
        # Who knows the shared secret must not pass for somebody whose USIM proves who they are.
        return None if identity in with_usim else table.get(identity, shared)

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
    manual = None if sa_file is None else read_associations(sa_file, policy.allows)
    if manual is not None and not manual.test_vectors and state is None:
        raise UsageError(
            f"{sa_file}: its keys outlive this HSE, and without --state the next one would accept "
            "again what this one has accepted",
            hint="Give --state DIR, or say test_vectors: true in the file.",
        )
    addresses = _plan(
        {} if known_ues is None else known_ues.addresses,
        {} if manual is None else manual.addresses,
        _assigned(ue or []),
    )
    try:
        lifetime = esp.Lifetime(
            soft_packets=soft_packets,
            hard_packets=hard_packets,
            soft_bytes=soft_bytes,
            hard_bytes=hard_bytes,
            soft_s=soft_s,
            hard_s=hard_s,
        )
    except esp.LocalError as error:
        raise UsageError(str(error)) from None
    try:
        rohc_settings = RohcSettings(
            mode=rohc_mode,
            feedback=rohc_feedback,
            integrity=rohc_integrity,
            icv_bytes=rohc_icv_bytes,
            mrru=rohc_mrru,
        )
    except ValueError as error:
        raise UsageError(f"--rohc-integrity: {error}") from None
    doors = DoorOptions(
        token_file=token_file, certificate=tls_cert, key=tls_key, insecure=insecure_lab_network
    )
    access = None if metrics_port is None else doors.access(metrics_host)
    with contextlib.ExitStack() as stack:
        kept = None if state is None else stack.enter_context(contextlib.closing(HseState(state)))

        async def serve() -> None:
            async with sources.open(kept) as (aka, slow_vectors):
                server = HseServer(
                    secrets=known,
                    aka=aka,
                    vectors=slow_vectors,
                    listen=listen,
                    policy=policy,
                    addresses=addresses,
                    share_addresses=share_addresses,
                    lifetime=None if lifetime == esp.Lifetime() else lifetime,
                    manual=() if manual is None else manual.sessions,
                    rohc_settings=rohc_settings,
                    associations=EspSettings(replay_window=replay_window, pad_to=pad_to),
                    state=kept,
                )
                await _serve(server, metrics_port, access, json_output)

        asyncio.run(serve())


def _assigned(options: list[str]) -> Addresses:
    """What the options ``--ue IDENTITY=ADDRESS`` say."""
    found: Addresses = {}
    for option in options:
        identity, _, address = option.rpartition("=")
        if not identity:
            raise UsageError(f"--ue {option}: no identity", hint="--ue meter-17=10.0.0.17")
        try:
            network = ip_network(address)
        except ValueError as error:
            raise UsageError(f"--ue {option}: {error}", hint="--ue meter-17=10.0.0.17") from None
        found[identity] = (*found.get(identity, ()), network)
    return found


def _plan(*sources: Addresses) -> AddressPlan:
    together: Addresses = {}
    for source in sources:
        for identity, networks in source.items():
            together[identity] = (*together.get(identity, ()), *networks)
    try:
        return AddressPlan(together)
    except ValueError as error:
        raise UsageError(
            str(error), hint="Look at --subscribers, --sa-file and --ue: each address is one UE's."
        ) from None


async def _serve(
    server: HseServer, metrics_port: int | None, access: Access | None, json_output: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        with contextlib.ExitStack() as stack:
            addresses = {port.value: server.address(port) for port in HsePort}
            if metrics_port is not None:
                metrics = stack.enter_context(
                    MetricsServer(HseMetrics(server.snapshot), port=metrics_port, access=access)
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
        "keepalives": snapshot.keepalives,
        "lifetimes": dict(snapshot.lifetimes),
        "rejected": {f"{port}/{why}": n for (port, why), n in sorted(snapshot.rejected.items())},
    }
    if json_output:
        print_json_line(counts)
    else:
        console = stdout()
        for name, value in counts.items():
            console.print(f"{name:10} {value}")
