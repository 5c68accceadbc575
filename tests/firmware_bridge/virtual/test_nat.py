"""Bindings of the operator's NAT."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    SocketRebound,
    virtual_module_in_memory,
)
from firmware_bridge.virtual.nat import Nat

Hands = Callable[..., Any]


def test_without_a_timeout_everything_passes_and_nothing_changes() -> None:
    nat = Nat(None)
    assert nat.inbound(1, 0.0)
    assert not nat.outbound(1, 0.0)
    assert not nat.outbound(1, 1e9)
    assert nat.inbound(1, 1e9)


def test_a_binding_lives_from_what_goes_out_only() -> None:
    nat = Nat(30.0)
    assert not nat.inbound(1, 0.0)  # nobody has sent yet
    assert not nat.outbound(1, 0.0)
    assert nat.inbound(1, 29.0)
    assert nat.inbound(1, 30.0)
    assert not nat.inbound(1, 30.1)  # what came in did not keep it alive
    assert nat.outbound(1, 31.0)  # another binding
    assert not nat.outbound(1, 60.0)
    assert nat.inbound(1, 80.0)


def test_bindings_are_per_socket_and_end_with_it() -> None:
    nat = Nat(30.0)
    nat.outbound(1, 0.0)
    assert not nat.inbound(2, 1.0)
    nat.forget(1)
    assert not nat.inbound(1, 1.0)
    assert not nat.outbound(1, 100.0)


def test_a_late_answer_is_lost_and_the_next_datagram_has_another_binding(
    hand: Hands, steady: ModuleSettings
) -> None:
    bench = hand(replace(steady, network=replace(steady.network, nat_timeout_s=60.0)))
    bench.attach('AT+QIOPEN=1,0,"UDP","192.0.2.1",5683')
    number = bench.actions[0].socket
    bench.ask("AT+QISEND=0,1,a", 40)
    bench.module.datagram(number, b"in time", bench.now)
    assert b"in time" in bench.wait(15)
    bench.wait(20)
    bench.module.datagram(number, b"late", bench.now)
    assert b"late" not in bench.wait(30)
    assert bench.module.counters.lost_downlink == 1
    assert not any(isinstance(action, SocketRebound) for action in bench.actions)
    bench.ask("AT+QISEND=0,1,b", 10)
    kinds = [type(action).__name__ for action in bench.actions]
    assert kinds == ["SocketOpened", "DatagramSent", "SocketRebound", "DatagramSent"]


async def test_another_binding_is_another_port_for_the_far_end() -> None:
    settings = ModuleSettings(
        line=LineSettings(answer_s=0.0, jitter=0.0, baudrate=0),
        network=NetworkSettings(
            search_s=(0.01, 0.01),
            signalling_delay_s=0.0,
            core_delay_s=0.0,
            nat_timeout_s=1.0,
        ),
    )
    loop = asyncio.get_running_loop()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    async def next_port() -> int:
        async with asyncio.timeout(10):
            _, address = await loop.sock_recvfrom(server, 100)
        return int(address[1])

    with server:
        async with virtual_module_in_memory("bc66", settings=settings, seed=1) as door:
            server.bind(("127.0.0.1", 0))
            server.setblocking(False)
            async with asyncio.timeout(10):
                while not door.module.equipment.registered:
                    await asyncio.sleep(0.01)
            port = server.getsockname()[1]
            door.write(b'AT+QIOPEN=1,0,"UDP","127.0.0.1",%d\r' % port)
            await asyncio.sleep(0.2)
            door.write(b"AT+QISEND=0,1,a\r")
            first = await next_port()
            door.write(b"AT+QISEND=0,1,b\r")
            second = await next_port()
            await asyncio.sleep(1.2)
            door.write(b"AT+QISEND=0,1,c\r")
            third = await next_port()
            assert first == second
            assert third != first
            server.sendto(b"back", ("127.0.0.1", third))
            got = bytearray()
            door.connect(got.extend)
            async with asyncio.timeout(10):
                while b'"recv",0,4,"back"' not in got:
                    await asyncio.sleep(0.01)
            assert door.network.local_address(99) is None
