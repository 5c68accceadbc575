"""A UE's session over a socket in memory: what forged and late datagrams can do to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import pytest

import esp
from firmware_bridge import DatagramSocket, Module, Received, ReleaseAssistance, SendReceipt
from testbed.bench import Configuration
from testbed.hse import EchoApplication, Gateway, HsePort
from testbed.notice import UnknownAssociation
from testbed.results import Outcome
from testbed.traffic import generated_traffic
from testbed.ue.messages import Exchange, exchange_message, send_feedback
from testbed.ue.session import HseAddresses, KeyingFailed, KeyingTimeouts, Secret, UeSession
from tests.testbed.conftest import SECRET, UE_ADDRESS

MESSAGES = generated_traffic(messages=8, seed=3).messages
Answer = Callable[[bytes], list[bytes]]


class Socket(DatagramSocket):
    """A module's socket whose network is a function."""

    def __init__(self, network: Answer) -> None:
        self._network = network
        self._waiting: deque[bytes] = deque()
        self.sent: list[bytes] = []

    @property
    def max_payload(self) -> int:
        return 1358

    @property
    def closed(self) -> bool:
        return False

    async def send(
        self, data: bytes, rai: ReleaseAssistance = ReleaseAssistance.NONE
    ) -> SendReceipt:
        self.sent.append(data)
        self._waiting.extend(self._network(data))
        now = asyncio.get_running_loop().time()
        return SendReceipt(written_at=now, accepted_at=now)

    async def receive(self, timeout_s: float | None = None) -> Received:
        if not self._waiting:
            raise TimeoutError
        now = asyncio.get_running_loop().time()
        return Received(data=self._waiting.popleft(), at=now)

    async def close(self) -> None:
        self._waiting.clear()


class Bench:
    """A session, its HSE, and somebody on the line between them."""

    def __init__(self, name: str, **options: Any) -> None:
        self.gateway = Gateway(secrets=lambda identity: SECRET, application=EchoApplication())
        self.before: Answer = lambda sent: []
        self.cut = False
        self.socket = Socket(self._network)
        bench = self

        class OneSocket:
            async def open_udp(self, *_: object) -> Socket:
                return bench.socket

        self.session = UeSession(
            cast(Module, OneSocket()),
            Configuration.parse(name),
            HseAddresses(host="192.0.2.1", esp_port=4500, rohc_port=4501, plain_port=4502),
            identity="ue-1",
            secret=Secret(SECRET),
            module_address="10.0.0.7",
            local_port=49152,
            timeouts=KeyingTimeouts(waits_s=(0.001, 0.001)),
            **options,
        )

    def _network(self, data: bytes) -> list[bytes]:
        forged = self.before(data)
        if self.cut:
            return forged
        replies = self.gateway.receive(HsePort.ESP, data, UE_ADDRESS, 0.0)
        return forged + [reply.data for reply in replies]

    async def exchange(self, number: int) -> Exchange:
        now = asyncio.get_running_loop().time()
        exchange = Exchange(message=MESSAGES[number], submitted_at=now)
        await exchange_message(self.session, exchange, answer_timeout_s=0.05)
        return exchange


def notice(sent: bytes) -> list[bytes]:
    about = UnknownAssociation.about(sent)
    return [] if about is None else [about.encode()]


@pytest.mark.parametrize("name", ["esp-transport", "esp-tunnel", "rohc+esp-tunnel"])
async def test_a_forged_notice_changes_nothing_while_the_answer_comes(name: str) -> None:
    bench = Bench(name)
    await bench.session.open()
    bench.before = notice
    for number in range(4):
        exchange = await bench.exchange(number)
        assert exchange.outcome is Outcome.ANSWERED
        assert exchange.unknown_at_hse
        assert exchange.strays == 1


async def test_a_notice_says_why_a_message_had_no_answer() -> None:
    bench = Bench("esp-tunnel")
    await bench.session.open()
    bench.before, bench.cut = notice, True
    exchange = await bench.exchange(0)
    assert (exchange.outcome, exchange.reason) == (Outcome.LOST, "unknown-at-hse")


@pytest.mark.parametrize("change", ["another SPI", "a number not sent yet", "number 0"])
async def test_a_notice_about_no_packet_of_this_session_is_a_stray(change: str) -> None:
    def forged(sent: bytes) -> list[bytes]:
        spi, number = int.from_bytes(sent[:4], "big"), int.from_bytes(sent[4:8], "big")
        if change == "another SPI":
            spi ^= 1 << 31
        else:
            number = 0 if change == "number 0" else number + 1
        return [UnknownAssociation(spi=spi, sequence=number).encode()]

    bench = Bench("esp-tunnel")
    await bench.session.open()
    bench.before, bench.cut = forged, True
    exchange = await bench.exchange(0)
    assert not exchange.unknown_at_hse
    assert exchange.outcome is Outcome.LOST
    assert exchange.strays == 1


async def test_a_notice_during_the_key_exchange_does_not_end_it() -> None:
    bench = Bench("esp-tunnel")
    bench.before = lambda sent: [UnknownAssociation(spi=1 << 20, sequence=1).encode()]
    record = await bench.session.open()
    assert record is not None
    assert (record.attempts, record.failure) == (1, None)


async def test_re_keying_gives_other_keys_and_a_failed_one_keeps_the_old_ones() -> None:
    bench = Bench("rohc+esp-tunnel")
    await bench.session.open()
    assert (await bench.exchange(0)).outcome is Outcome.ANSWERED
    first_spi = bench.socket.sent[-1][:4]
    record = await bench.session.rekey("unanswered")
    assert (record.reason, record.failure) == ("unanswered", None)
    assert (await bench.exchange(1)).outcome is Outcome.ANSWERED
    second = bench.socket.sent[-1]
    assert second[:4] != first_spi
    assert second[4:8] == b"\0\0\0\1"
    bench.cut = True
    with pytest.raises(KeyingFailed) as caught:
        await bench.session.rekey("lifetime-soft")
    failed = caught.value.record
    assert (failed.reason, failed.failure, failed.attempts) == ("lifetime-soft", "no-answer", 2)
    assert failed.bytes_up == 2 * 79
    bench.cut = False
    assert (await bench.exchange(2)).outcome is Outcome.ANSWERED
    assert bench.socket.sent[-1][:4] == second[:4]


async def test_at_the_hard_lifetime_a_message_fails_and_nothing_is_sent() -> None:
    limits = esp.Lifetime(soft_packets=1, hard_packets=2)
    bench = Bench("esp-tunnel", lifetime=limits)
    await bench.session.open()
    states = [bench.session.lifetime_state()]
    for number in range(2):
        assert (await bench.exchange(number)).outcome is Outcome.ANSWERED
        states.append(bench.session.lifetime_state())
    assert states == [
        esp.LifetimeState.CURRENT,
        esp.LifetimeState.SOFT,
        esp.LifetimeState.HARD,
    ]
    sent = len(bench.socket.sent)
    exchange = await bench.exchange(2)
    assert (exchange.outcome, exchange.reason) == (Outcome.FAILED, "association-ended")
    assert len(bench.socket.sent) == sent
    await bench.session.rekey("lifetime-hard")
    assert (await bench.exchange(3)).outcome is Outcome.ANSWERED


async def test_a_message_that_the_octets_left_do_not_carry_ends_the_association() -> None:
    bench = Bench("esp-tunnel", lifetime=esp.Lifetime(hard_bytes=100))
    await bench.session.open()
    assert (await bench.exchange(0)).outcome is Outcome.ANSWERED
    assert bench.session.lifetime_state() is esp.LifetimeState.CURRENT
    exchange = await bench.exchange(1)
    assert (exchange.outcome, exchange.reason) == (Outcome.FAILED, "association-ended")
    assert bench.session.lifetime_state() is esp.LifetimeState.HARD
    exchange.feedback_due = b"\xf3\x01\x02\x03"
    rohc = Bench("rohc+esp-tunnel", lifetime=esp.Lifetime(hard_packets=1))
    await rohc.session.open()
    assert (await rohc.exchange(0)).outcome is Outcome.ANSWERED
    assert await send_feedback(rohc.session, exchange) is None
