"""Packets without IP over the control plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from firmware_bridge.virtual import ConnectionState, ModuleSettings, SocketClosed, SocketOpened
from firmware_bridge.virtual.radio import Activity

Hands = Callable[..., Any]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


def tunnelled(steady: ModuleSettings) -> ModuleSettings:
    network = replace(steady.network, non_ip_far_end=("192.0.2.9", 6000))
    return replace(steady, network=network)


def prepared(hand: Hands, steady: ModuleSettings, family: str) -> tuple[Any, int]:
    """A registered module with a context without IP; its number."""
    bench = hand(tunnelled(steady), family=family)
    if family == "bc95":
        bench.ask('AT+CGDCONT=1,"NONIP","iot"')
        context = 1
    else:
        bench.ask("ATE0")
        bench.ask('AT+QCGDEFCONT="NONIP","iot"')
        bench.write(b"AT+QRST=1\r")
        bench.wait(3)
        bench.ask("ATE0")
        context = 1 if family == "bc66" else 0
    while not (bench.module.equipment.registered and bench.module.state is ConnectionState.IDLE):
        bench.wait(1)
    return bench, context


@pytest.mark.parametrize(
    ("family", "report"),
    [
        ("bc66", b'\r\n+CRTDCP: 1,3,"0A0B0C"\r\n'),
        ("bc660k", b'\r\n+CRTDCP: 0,3,"0A0B0C"\r\n'),
        ("bc95", b"\r\n+CRTDCP:1,3,0A0B0C\r\n"),
    ],
)
def test_packets_go_through_the_tunnel_and_come_back_as_reports(
    hand: Hands, steady: ModuleSettings, family: str, report: bytes
) -> None:
    bench, context = prepared(hand, steady, family)
    assert bench.ask("AT+CRTDCP=1") == OK
    assert bench.ask(f'AT+CSODCP={context},4,"31313132",1', 5) == OK
    opened, sent = bench.actions[-2:]
    assert isinstance(opened, SocketOpened)
    assert (opened.address, opened.port) == ("192.0.2.9", 6000)
    assert sent.payload == b"1112"
    assert bench.module.state is ConnectionState.IDLE  # release assistance was given
    bench.module.datagram(opened.socket, b"\x0a\x0b\x0c", bench.now)
    assert bench.wait(30) == report
    bench.ask("AT+CRTDCP=0")
    bench.module.datagram(opened.socket, b"\x0a", bench.now)
    assert bench.wait(30) == b""


def test_without_ip_headers_the_air_carries_less(hand: Hands, steady: ModuleSettings) -> None:
    quiet = replace(
        steady,
        radio=replace(
            steady.radio,
            rsrp_dbm=-117.0,
            coverage_levels=tuple(
                replace(level, block_loss=0.0) for level in steady.radio.coverage_levels
            ),
        ),
    )

    def cost(bench: Any, command: str) -> float:
        def spent() -> float:  # transmitting time is what blocks take
            return float(bench.module.equipment.seconds(Activity.TRANSMITTING))

        start = spent()
        bench.ask(command, 60)
        return spent() - start

    bench = hand(quiet, family="bc660k")
    bench.wait(40)
    bench.ask('AT+QIOPEN=0,0,"UDP","192.0.2.1",5683')
    with_headers = min(cost(bench, "AT+QISEND=0,40," + "x" * 40) for _ in range(3))
    bench, context = prepared(hand, quiet, "bc660k")
    assert bench.ask('AT+QIOPEN=0,0,"UDP","192.0.2.1",5683') == ERROR  # there is no IP
    without = min(cost(bench, f'AT+CSODCP={context},40,"' + "78" * 40 + '"') for _ in range(3))
    # ECL 1: 82 bytes and header in 872 bits (10 units), 54 and header in 504 (6 units) of 64 ms.
    assert with_headers - without == pytest.approx(4 * 0.064, abs=0.02)


@pytest.mark.parametrize(
    "arguments",
    ['{cid},3,"31"', '{cid},1,"3"', '{cid},1,"zz"', '{cid},951,""', '{cid},1,"31",3', '9,1,"31"'],
)
@pytest.mark.parametrize("family", ["bc66", "bc660k", "bc95"])
def test_what_does_not_fit_is_refused(
    hand: Hands, steady: ModuleSettings, family: str, arguments: str
) -> None:
    bench, context = prepared(hand, steady, family)
    assert bench.ask("AT+CSODCP=" + arguments.format(cid=context)) == ERROR


@pytest.mark.parametrize("family", ["bc66", "bc660k", "bc95"])
def test_a_context_with_ip_carries_none(hand: Hands, steady: ModuleSettings, family: str) -> None:
    bench = hand(tunnelled(steady), family=family)
    bench.ask("ATE0")
    bench.wait(40)
    for context in (0, 1):
        assert bench.ask(f'AT+CSODCP={context},1,"31"') == ERROR
    assert b"CRTDCP" in bench.ask("AT+CRTDCP?")


def test_the_air_carries_less_down_too(
    hand: Hands, steady: ModuleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, context = prepared(hand, steady, "bc95")
    equipment = bench.module.equipment
    sizes: list[int] = []
    carry = equipment._downlink
    monkeypatch.setattr(
        equipment, "_downlink", lambda size, done: (sizes.append(size), carry(size, done))
    )
    bench.ask(f'AT+CSODCP={context},1,"31"', 5)
    socket = bench.actions[-1].socket
    bench.module.datagram(socket, bytes(40), bench.now)
    bench.wait(5)
    equipment.without_ip.clear()
    bench.module.datagram(socket, bytes(40), bench.now)
    bench.wait(5)
    assert sizes == [40, 68]


def test_a_tunnel_outlives_a_nat_and_deep_sleep_and_ends_with_the_attach(
    hand: Hands, steady: ModuleSettings
) -> None:
    impatient = replace(steady, network=replace(steady.network, nat_timeout_s=5.0))
    bench, context = prepared(hand, impatient, "bc660k")
    command = f'AT+CSODCP={context},1,"31",1'
    bench.ask("AT+CRTDCP=1")
    assert bench.ask(command, 5) == OK
    (opened,) = (one for one in bench.actions if isinstance(one, SocketOpened))
    bench.wait(60)
    bench.module.datagram(opened.socket, b"\x0a", bench.now)
    assert b"+CRTDCP" in bench.wait(30)
    bench.module._close_sockets()  # what deep sleep does
    assert bench.ask(command, 5) == OK
    assert sum(isinstance(one, SocketOpened) for one in bench.actions) == 1
    assert bench.ask("AT+CGATT=0", 30) == OK
    assert any(isinstance(one, SocketClosed) for one in bench.actions)
    assert bench.ask(command, 5) == ERROR


def test_each_far_end_has_a_tunnel_of_its_own(hand: Hands, steady: ModuleSettings) -> None:
    bench, context = prepared(hand, steady, "bc66")
    sockets = []
    for port in (6000, 6001, 6000):
        bench.module.tunnel_to("192.0.2.9", port, bench.now)
        assert bench.ask(f'AT+CSODCP={context},1,"31",1', 5) == OK
        sockets.append(bench.actions[-1].socket)
    assert sockets[0] == sockets[2] != sockets[1]
    opened = [one for one in bench.actions if isinstance(one, SocketOpened)]
    assert [(one.address, one.port) for one in opened] == [("192.0.2.9", 6000), ("192.0.2.9", 6001)]
