"""The network in memory, and a module on it."""

from __future__ import annotations

import asyncio

import pytest

from firmware_bridge.virtual import MemoryNetwork, virtual_module_in_memory
from firmware_bridge.virtual.actions import (
    DatagramSent,
    NameAsked,
    SocketClosed,
    SocketOpened,
    SocketRebound,
)
from firmware_bridge.virtual.memory_network import MemoryUdp

FAR = ("192.0.2.1", 4500)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_datagrams_arrive_in_order_with_their_source_and_not_at_once() -> None:
    network = MemoryNetwork()
    seen: list[tuple[bytes, tuple[str, int]]] = []
    far = network.bind(*FAR, lambda data, source: seen.append((data, source)))
    near = network.bind("127.0.0.1", 0, lambda data, source: None)
    assert near.send(b"one", FAR)
    assert near.send(b"two", far.address)
    assert seen == []
    await turn()
    assert seen == [(b"one", near.address), (b"two", near.address)]


async def test_nobody_at_an_address_is_a_failure_that_is_counted() -> None:
    network = MemoryNetwork()
    near = network.bind("127.0.0.1", 0, lambda data, source: None)
    assert not near.send(b"lost", FAR)
    assert near.send_failures == 1


async def test_a_closed_socket_neither_sends_nor_receives_and_frees_its_port() -> None:
    network = MemoryNetwork()
    seen: list[bytes] = []
    far = network.bind(*FAR, lambda data, source: seen.append(data))
    near = network.bind("127.0.0.1", 0, lambda data, source: None)
    near.send(b"under way", FAR)
    far.close()
    far.close()
    await turn()
    assert (seen, far.closed) == ([], True)
    assert not far.send(b"no", near.address)
    network.bind(*FAR, lambda data, source: None)
    with pytest.raises(OSError, match="bound already"):
        network.bind(*FAR, lambda data, source: None)


async def test_dynamic_ports_are_counted_up_and_given_again_when_they_are_free() -> None:
    network = MemoryNetwork()
    kept = network.bind("h", 0, lambda data, source: None)
    ports = []
    for _ in range(16_384):
        taken = network.bind("h", 0, lambda data, source: None)
        ports.append(taken.address[1])
        taken.close()
    assert (kept.address[1], ports[0], ports[-2], ports[-1]) == (49_152, 49_153, 65_535, 49_153)
    for _ in range(16_383):
        network.bind("h", 0, lambda data, source: None)
    with pytest.raises(OSError, match="no port"):
        network.bind("h", 0, lambda data, source: None)


class Module:
    """What a module sees of the network."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.received: list[tuple[int, bytes]] = []
        self.names: list[tuple[int, str | None]] = []
        self.udp = MemoryUdp(
            network,
            "127.0.0.1",
            lambda socket, payload: self.received.append((socket, payload)),
            lambda token, address: self.names.append((token, address)),
        )
        self.udp.perform(SocketOpened(at=0.0, socket=1, address=FAR[0], port=FAR[1], local_port=0))

    def send(self, payload: bytes) -> None:
        self.udp.perform(DatagramSent(at=0.0, socket=1, payload=payload))


async def test_a_modules_socket_hears_its_far_end_and_nobody_else() -> None:
    network = MemoryNetwork()
    sources: list[tuple[str, int]] = []
    far = network.bind(*FAR, lambda data, source: sources.append(source))
    stranger = network.bind("192.0.2.9", 1, lambda data, source: None)
    module = Module(network)
    module.send(b"up")
    await turn()
    (source,) = sources
    assert source == module.udp.local_address(1)
    far.send(b"down", source)
    stranger.send(b"forged", source)
    await turn()
    assert module.received == [(1, b"down")]


async def test_a_rebound_socket_has_another_port_and_the_old_one_is_deaf() -> None:
    network = MemoryNetwork()
    far = network.bind(*FAR, lambda data, source: None)
    module = Module(network)
    before = module.udp.local_address(1)
    assert before is not None
    module.udp.perform(SocketRebound(at=0.0, socket=1))
    module.udp.perform(SocketRebound(at=0.0, socket=7))  # no such socket: nothing happens
    after = module.udp.local_address(1)
    assert after is not None and after != before
    assert not far.send(b"late", before)
    assert far.send(b"now", after)
    await turn()
    assert module.received == [(1, b"now")]


async def test_a_closed_modules_socket_lingers_then_is_gone() -> None:
    network = MemoryNetwork()
    module = Module(network)
    module.udp.perform(SocketClosed(at=0.0, socket=1))
    assert module.udp.local_address(1) is not None
    module.send(b"to nobody")
    module.udp.close()
    assert module.udp.local_address(1) is None
    module.send(b"from no socket")
    assert module.udp.failures == 2


async def test_names_are_those_that_the_network_was_given() -> None:
    module = Module(MemoryNetwork({"HSE.example": "192.0.2.1"}))
    module.udp.perform(NameAsked(at=0.0, token=1, host="hse.Example"))
    module.udp.perform(NameAsked(at=0.0, token=2, host="elsewhere.example"))
    assert module.names == []
    await turn()
    assert module.names == [(1, "192.0.2.1"), (2, None)]


async def test_a_line_to_a_module_that_vanishes_is_told_once() -> None:
    from firmware_bridge.virtual import FaultKind

    told: list[str] = []
    async with virtual_module_in_memory(network=MemoryNetwork()) as door:
        door.connect(lambda data: None, lambda: told.append("unplugged"))
        door.fail(FaultKind.VANISH, 1.0)
        door.fail(FaultKind.VANISH, 1.0)
        assert told == ["unplugged"]
