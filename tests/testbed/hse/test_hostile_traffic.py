"""The HSE under hostile traffic, on its real sockets: it survives, counts, and goes on serving."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

import esp
from testbed.bench import Configuration
from testbed.errors import LabFault
from testbed.hse import (
    EchoApplication,
    Endpoint,
    GatewayLimits,
    HsePort,
    HseServer,
    ListenAddresses,
)
from testbed.hse.endpoint import DRAIN_PER_WAKE_UP
from testbed.traffic import generated_traffic
from tests.testbed.conftest import SECRET, Device, device_with, initiator, port_of

EACH = 10_000
"""Hostile packets of each kind."""
BATCH = 50
"""Hostile packets between two good ones: few enough for a socket buffer."""
MESSAGES = generated_traffic(messages=200, seed=2).messages
EPHEMERAL = ListenAddresses(esp_port=0, rohc_port=0, plain_port=0)


class Client:
    """A UE's UDP socket."""

    def __init__(self, server: HseServer) -> None:
        self._server = server
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self._endpoint = Endpoint("127.0.0.1", 0, lambda data, _: self.received.put_nowait(data))

    def send(self, port: HsePort, data: bytes) -> None:
        assert self._endpoint.send(data, self._server.address(port))

    async def exchange(self, port: HsePort, data: bytes) -> bytes:
        self.send(port, data)
        return await asyncio.wait_for(self.received.get(), 5.0)

    async def device(self, name: str) -> Device:
        """A UE whose key exchange, if it needs one, went over this socket."""
        configuration = Configuration.parse(name)
        if port_of(configuration) is not HsePort.ESP:
            return device_with(configuration, None)
        one = initiator(configuration)
        answer = await self.exchange(HsePort.ESP, esp.add_marker(one.request()))
        return device_with(configuration, one.response(esp.remove_marker(answer)))

    def close(self) -> None:
        self._endpoint.close()


@asynccontextmanager
async def served(application: EchoApplication) -> AsyncIterator[tuple[HseServer, Client]]:
    server = HseServer(
        secrets=lambda identity: SECRET,
        listen=EPHEMERAL,
        application=application,
        limits=GatewayLimits(notices_per_s=0.0),
    )
    async with server:
        client = Client(server)
        try:
            yield server, client
        finally:
            client.close()


Maker = Callable[[random.Random, bytes, bytes], bytes]


def truncated(draw: random.Random, good: bytes, _: bytes) -> bytes:
    return good[: draw.randrange(len(good))]


def flipped(draw: random.Random, good: bytes, _: bytes) -> bytes:
    place, bit = draw.randrange(4, len(good)), 1 << draw.randrange(8)
    return good[:place] + bytes((good[place] ^ bit,)) + good[place + 1 :]


def unknown_spi(draw: random.Random, good: bytes, _: bytes) -> bytes:
    return (int.from_bytes(good[:4], "big") ^ (1 + draw.randrange(1 << 16))).to_bytes(
        4, "big"
    ) + good[4:]


KINDS: dict[str, tuple[Maker, set[str]]] = {
    "random": (
        lambda draw, good, used: draw.randbytes(draw.randrange(1, 120)),
        {
            "unknown-spi",
            "truncated",
            "reserved-spi",
            "malformed-message",
            "unexpected-message",
        },
    ),
    "truncated": (truncated, {"truncated", "bad-icv"}),
    "unknown SPI": (unknown_spi, {"unknown-spi", "reserved-spi"}),
    "replayed": (lambda draw, good, used: used, {"replayed"}),
    "flipped bit": (flipped, {"bad-icv", "replayed", "outside-window"}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_ten_thousand_hostile_packets_are_counted_and_none_gets_through(kind: str) -> None:
    make, reasons = KINDS[kind]
    draw = random.Random(kind)
    application = EchoApplication()
    async with served(application) as (server, client):
        device = await client.device("rohc+esp-tunnel")
        used = device.stack.down(MESSAGES[0].packet, 0.0).data
        assert device.stack.up(await client.exchange(HsePort.ESP, used), 0.0).data
        served_well = 1
        for number in range(EACH // BATCH):
            message = MESSAGES[number % len(MESSAGES)]
            good = device.stack.down(message.packet, 0.0).data
            for _ in range(BATCH):
                client.send(HsePort.ESP, make(draw, good, used))
            answer = await client.exchange(HsePort.ESP, good)
            assert device.stack.up(answer, 0.0).data == message.payload
            served_well += 1
            used = good
        snapshot = server.snapshot()
    assert application.requests == served_well
    assert client.received.empty()
    # An empty cut and a single 0xFF are what they are: nothing, and a keepalive.
    counted = snapshot.rejected_total + snapshot.keepalives
    assert counted == EACH
    assert {reason for _, reason in snapshot.rejected} <= reasons
    assert snapshot.datagrams[HsePort.ESP] == EACH + served_well + 1


@pytest.mark.parametrize("name", Configuration.known_names())
async def test_every_configuration_is_served_on_real_sockets(name: str) -> None:
    application = EchoApplication()
    async with served(application) as (_, client):
        device = await client.device(name)
        for message in MESSAGES[:20]:
            answer = await client.exchange(device.port, device.stack.down(message.packet, 0.0).data)
            assert device.stack.up(answer, 0.0).data == message.payload
    assert application.requests == 20


async def test_a_port_in_use_is_named_and_nothing_stays_open() -> None:
    async with served(EchoApplication()) as (server, _):
        taken = server.address(HsePort.PLAIN)[1]
        other = HseServer(
            secrets=lambda identity: None,
            listen=ListenAddresses(esp_port=0, rohc_port=0, plain_port=taken),
        )
        with pytest.raises(LabFault, match=f"cannot listen on 127.0.0.1:{taken}"):
            await other.start()
        assert all(endpoint.closed for endpoint in other._endpoints.values())


async def test_an_address_of_another_machine_is_refused() -> None:
    server = HseServer(
        secrets=lambda identity: None,
        listen=ListenAddresses(host="192.0.2.1", esp_port=0, rohc_port=0, plain_port=0),
    )
    with pytest.raises(LabFault, match=r"cannot listen on 192\.0\.2\.1"):
        await server.start()


async def test_a_busy_port_does_not_starve_the_event_loop() -> None:
    seen: list[int] = []
    endpoint = Endpoint("127.0.0.1", 0, lambda data, _: seen.append(len(data)))
    sender = Endpoint("127.0.0.1", 0, lambda data, _: None)
    for _ in range(200):
        sender.send(b"x", endpoint.address)
    endpoint.drain()
    assert len(seen) == DRAIN_PER_WAKE_UP
    await asyncio.sleep(0.05)
    assert len(seen) == 200
    endpoint.close()
    sender.close()
    endpoint.close()


async def test_what_the_system_refuses_to_send_is_counted() -> None:
    endpoint = Endpoint("127.0.0.1", 0, lambda data, _: None)
    assert not endpoint.send(bytes(70_000), endpoint.address)
    assert endpoint.send_failures == 1
    endpoint.close()
