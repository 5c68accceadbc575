"""An HSE whose ports are bound on a network in memory."""

from __future__ import annotations

import asyncio

from firmware_bridge.virtual import MemoryNetwork
from testbed.hse import HsePort, HseServer, ListenAddresses
from tests.testbed.conftest import SECRET


async def test_it_answers_there_and_its_ports_are_free_when_it_is_closed() -> None:
    network = MemoryNetwork()
    received: list[tuple[bytes, tuple[str, int]]] = []
    ue = network.bind("10.0.0.1", 0, lambda data, source: received.append((data, source)))
    server = HseServer(
        secrets=lambda identity: SECRET,
        listen=ListenAddresses(host="192.0.2.1"),
        open_port=network.bind,
    )
    async with server:
        assert [server.address(port) for port in HsePort] == [
            ("192.0.2.1", 4500),
            ("192.0.2.1", 4501),
            ("192.0.2.1", 4502),
        ]
        ue.send(b"reading", server.address(HsePort.PLAIN))
        ue.send(b"no packet at all", server.address(HsePort.ESP))
        for _ in range(4):
            await asyncio.sleep(0)
        assert received == [(b"reading", ("192.0.2.1", 4502))]
        assert server.snapshot().delivered == {"plain": 1}
        assert sum(server.snapshot().rejected.values()) == 1
    assert not ue.send(b"reading", ("192.0.2.1", 4502))
