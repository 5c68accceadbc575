"""The module and the HSE that a run uses: opened, and closed again."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

from firmware_bridge import (
    Line,
    MemoryLine,
    Module,
    ModuleError,
    ModuleOptions,
    PortMissing,
    driver,
    open_port,
)
from firmware_bridge.virtual import (
    Door,
    MemoryDoor,
    MemoryNetwork,
    ModuleSettings,
    virtual_module_in_memory,
    virtual_module_on_pty,
)
from testbed.bench import Bench, Keys, ModuleDescription, PdpType, Security
from testbed.bench.secrets import parse_secret, read_secret_file
from testbed.bench.subscribers import AkaSubscribers
from testbed.campaign.currents import CHANGES_PER_MESSAGE
from testbed.campaign.subscriber import Card, bench_centre
from testbed.errors import UsageError
from testbed.hse import (
    AkaService,
    Endpoint,
    HsePort,
    HseServer,
    ListenAddresses,
    ServerObserver,
)
from testbed.ue.session import HseAddresses, Secret

__all__ = ["Hse", "ModuleLink", "bench_secret", "open_hse", "open_module", "virtual_settings"]

_LOOPBACK = "127.0.0.1"
_OWN_SECRET_OCTETS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Hse:
    """The HSE of a run."""

    addresses: HseAddresses
    """Where the module finds it."""
    secret: Secret | None
    """What the UE shares with it; none with keys from AKA."""
    server: HseServer | None
    """The HSE itself when the run started it, else ``None``."""


def bench_secret(bench: Bench) -> Secret | None:
    """The secret that the description gives, if it gives one.

    Raises:
        UsageError: unreadable, or no secret.
    """
    if bench.hse.secret is not None:
        value = parse_secret(bench.hse.secret.get_secret_value(), where="hse.secret")
    elif bench.hse.secret_file is not None:
        value = read_secret_file(bench.hse.secret_file)
    else:
        return None
    return Secret(value, test=bench.hse.test)


@asynccontextmanager
async def open_hse(
    bench: Bench,
    observer: ServerObserver,
    network: MemoryNetwork | None = None,
    part: int = 0,
    subscribers: AkaSubscribers | None = None,
) -> AsyncIterator[Hse]:
    """The HSE that the description names, or one of our own in this event loop.

    Args:
        bench: the description.
        observer: sees what our own HSE sees; an HSE elsewhere shows nothing.
        network: where our own listens; this machine's loopback by default.
        part: which part of a resumed run it is for, from 0: no part uses another's random octets.
        subscribers: those of our own, with keys from AKA (`testbed.campaign.subscriber`).

    Raises:
        UsageError: no secret for an HSE elsewhere, or its name is unknown.
        LabFault: our own can't listen.
    """
    from_aka = bench.keys is Keys.AKA
    secret = None if from_aka else bench_secret(bench)
    if bench.hse.address is not None:
        protected = [c.name for c in bench.matrix if c.security is not Security.NONE]
        if secret is None and protected and not from_aka:
            raise UsageError(
                f"configuration {protected[0]} needs the secret shared with the HSE at "
                f"{bench.hse.address}, and the bench gives none",
                hint="Give --secret-file FILE, or hse: secret_file in the bench file.",
            )
        port = bench.hse.port
        assert port is not None
        yield Hse(
            addresses=HseAddresses(
                host=_resolve(bench.hse.host or ""),
                esp_port=port,
                rohc_port=bench.hse.rohc_port or port + 1,
                plain_port=bench.hse.plain_port or port + 2,
            ),
            secret=secret,
            server=None,
        )
        return
    aka = None
    if from_aka:
        assert subscribers is not None  # an HSE of our own has subscribers
        aka = AkaService(vectors=bench_centre(bench, subscribers, part))
    elif secret is None:
        secret = Secret(bench.random("secret")(_OWN_SECRET_OCTETS), test=True)
    shared = None if secret is None else secret.reveal()
    server = HseServer(
        secrets=lambda identity: shared if identity == bench.identity else None,
        aka=aka,
        listen=(
            ListenAddresses(host=_LOOPBACK, esp_port=0, rohc_port=0, plain_port=0)
            if network is None
            else ListenAddresses(host=_LOOPBACK)
        ),
        rohc_settings=bench.rohc_settings,
        lifetime=bench.lifetime.lifetime,
        associations=bench.esp.settings,
        policy=bench.policy,
        random=bench.random("hse", part),
        observer=observer,
        open_port=Endpoint if network is None else network.bind,
    )
    async with server:
        yield Hse(
            addresses=HseAddresses(
                host=_LOOPBACK,
                esp_port=server.address(HsePort.ESP)[1],
                rohc_port=server.address(HsePort.ROHC)[1],
                plain_port=server.address(HsePort.PLAIN)[1],
            ),
            secret=secret,
            server=server,
        )


def _resolve(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise UsageError(
            f"the HSE's name {host!r} is not known here: {error.strerror or error}",
            hint="Give its IPv4 address in place of the name.",
        ) from error
    return str(found[0][4][0])


class ModuleLink:
    """The way to the module: its line and its driver, both replaced when the line was lost.

    Args:
        connect: opens the line by the module's address, whatever its port is called by now.
        description: the module.
        on_line: called with each driver before its first command, to subscribe to its events.

    Raises:
        firmware_bridge.UnknownFamily: there is no driver for it.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Line]],
        description: ModuleDescription,
        on_line: Callable[[Module], None] | None = None,
    ) -> None:
        self._connect = connect
        self._kind = driver(description.family)
        self._description = description
        self._on_line = on_line
        self._module: Module | None = None
        self.pdp_type = description.pdp_type
        """What the PDN connection carries that the module is attached for, or will be."""
        self.door: Door | None = None
        """The virtual module's; none of a real one."""

    @property
    def module(self) -> Module:
        """The driver that speaks with the module now."""
        if self._module is None:
            raise RuntimeError("the link is not open")
        return self._module

    async def open(self) -> None:
        """Open the line and put a driver on it, in place of the one before.

        Raises:
            firmware_bridge.PortError: missing, busy, unreachable.
        """
        await self.close()
        line = await self._connect()
        self._module = self._kind(line, options=self._options())
        if self._on_line is not None:
            self._on_line(self._module)

    def _options(self) -> ModuleOptions:
        return ModuleOptions(
            max_payload=self._description.max_payload,
            pdp_type="NONIP" if self.pdp_type is PdpType.NON_IP else "IP",
        )

    def carry(self, pdp_type: PdpType) -> None:
        """Ask for such a PDN connection from the next attach on."""
        self.pdp_type = pdp_type
        self.module.options = self._options()

    def tunnel_to(self, host: str, port: int) -> None:
        """Let a virtual module's network carry non-IP data there; an operator's knows its own."""
        if self.door is not None:
            self.door.tunnel_to(host, port)

    def stand(self, rsrp_dbm: float) -> None:
        """Put a virtual module where its cell is heard so well; a real one stands where it is."""
        if self.door is not None:
            self.door.stand(rsrp_dbm)

    async def close(self) -> None:
        """Close the line; harmless when it is closed, or lost."""
        if self._module is not None:
            with contextlib.suppress(ModuleError):
                await self._module.close()


@asynccontextmanager
async def open_module(
    bench: Bench,
    on_line: Callable[[Module], None] | None = None,
    network: MemoryNetwork | None = None,
    part: int = 0,
    card: Card | None = None,
) -> AsyncIterator[ModuleLink]:
    """The module that the description names, its line opened.

    Args:
        bench: the description.
        on_line: called with the driver before the first command, to subscribe to its events; again
            with the next one, when the line was lost and opened anew.
        network: puts a virtual module in memory, on this network; on a pty by default.
        part: which part of a resumed run it is for, from 0: a virtual module's radio is another.
        card: in a virtual module; none has no authentication.

    Raises:
        firmware_bridge.ModuleError: port missing, busy, unreachable.
    """
    driver(bench.module.family)  # a family that nobody knows is named before anything is opened
    async with contextlib.AsyncExitStack() as stack:
        connect, door = await _line_opener(bench, network, stack, part, card)
        link = ModuleLink(connect, bench.module, on_line)
        link.door = door
        stack.push_async_callback(link.close)
        await link.open()
        yield link


async def _line_opener(
    bench: Bench,
    network: MemoryNetwork | None,
    stack: contextlib.AsyncExitStack,
    part: int,
    card: Card | None,
) -> tuple[Callable[[], Awaitable[Line]], Door | None]:
    """What opens the line, any number of times; a virtual module lives as long as ``stack``."""
    description = bench.module
    settings = virtual_settings(description)
    aka = None if card is None else card.authenticate
    attach = None if card is None else card.attach
    seed = bench.seed if not part else Random(f"{bench.seed}/part {part}").getrandbits(63)
    if network is not None:
        door = await stack.enter_async_context(
            virtual_module_in_memory(
                description.family,
                settings=settings,
                seed=seed,
                network=network,
                aka=aka,
                attach=attach,
            )
        )

        async def connect_in_memory() -> Line:
            if not door.present:
                raise PortMissing(description.port)
            return _memory_line(description.port, door)

        return connect_in_memory, door
    if description.is_virtual:
        pty = await stack.enter_async_context(
            virtual_module_on_pty(
                description.family,
                settings=settings,
                seed=seed,
                aka=aka,
                attach=attach,
            )
        )

        async def connect_to_pty() -> Line:
            if not pty.path:
                raise PortMissing(description.port)
            return await open_port(pty.path, baudrate=description.baudrate)

        return connect_to_pty, pty

    async def connect() -> Line:
        return await open_port(description.port, baudrate=description.baudrate)

    return connect, None


def virtual_settings(description: ModuleDescription) -> ModuleSettings:
    """The settings of a virtual module, its draw kept as long as the description wants it."""
    settings = description.virtual or ModuleSettings()
    if not description.keep_current or settings.power.trace_length:
        return settings
    return replace(settings, power=replace(settings.power, trace_length=CHANGES_PER_MESSAGE))


def _memory_line(address: str, door: MemoryDoor) -> MemoryLine:
    """The line between a driver and a virtual module in memory."""
    line = MemoryLine(address)
    line.on_write = door.write
    door.connect(line.feed, line.break_off)
    return line
