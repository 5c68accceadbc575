"""Loss and reordering between UE and HSE, with ROHC inside the tunnel.

ROHC's own CRC of 3 bits lets some wrong packets through after long losses. The ROHC ICV (RFC 5858
section 4.2) is computed over the packet before compression, and lets none through. Here both ends
are watched where the decompressed packet stands, for packets that nobody sent.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

import esp
import testbed.hse.gateway
import testbed.ue.layers
from testbed.compression import FeedbackWay, RohcMode, RohcSettings
from testbed.hse import EchoApplication, Gateway, HsePort
from testbed.packets import PacketError, build_udp_packet, parse_udp_packet, swap_endpoints
from testbed.ue.layers import FeedbackOnly, Unit
from tests.testbed.conftest import SECRET, UE_ADDRESS, make_device

MESSAGES = 1500 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
ICV = {"integrity": "hmac-sha2-256-128"}
ICV_OF_4 = {"integrity": "hmac-sha1-96", "icv_bytes": 4}


@dataclass
class Line:
    """One direction: loses single packets and bursts, and lets some overtake others."""

    chance: random.Random
    loss: float = 0.03
    burst: float = 0.01
    late: float = 0.05
    _held: list[tuple[int, bytes]] = field(default_factory=list)
    _lost: int = 0

    def carry(self, data: bytes) -> list[bytes]:
        """What arrives now."""
        arrived = []
        if self._lost:
            self._lost -= 1
        elif self.chance.random() < self.burst:
            self._lost = self.chance.randrange(10, 45)
        elif self.chance.random() < self.late:
            self._held.append((self.chance.randrange(1, 12), data))
        elif self.chance.random() >= self.loss:
            arrived.append(data)
        waiting = [(left - 1, one) for left, one in self._held]
        arrived += [one for left, one in waiting if left <= 0]
        self._held = [(left, one) for left, one in waiting if left > 0]
        return arrived


@dataclass
class Outcome:
    """What a run over the two lines gave."""

    sent: set[bytes] = field(default_factory=set)
    answered: set[bytes] = field(default_factory=set)
    at_hse: list[bytes] = field(default_factory=list)
    at_ue: list[bytes] = field(default_factory=list)
    rejected: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        """Packets that came out at either end and that nobody sent."""
        return sum(one not in self.sent for one in self.at_hse) + sum(
            one not in self.answered for one in self.at_ue
        )


def run(
    patch: pytest.MonkeyPatch, settings: RohcSettings, *, seed: int = 1, messages: int = MESSAGES
) -> Outcome:
    outcome = Outcome()

    def watched(seen: list[bytes]) -> Callable[[bytes], object]:
        def parse(packet: bytes) -> object:
            seen.append(packet)
            return parse_udp_packet(packet)

        return parse

    def turned(inner: object, answer: bytes) -> bytes:
        packet = swap_endpoints(inner, answer)  # type: ignore[arg-type]
        outcome.answered.add(packet)
        return packet

    gateway = Gateway(
        secrets=lambda identity: SECRET, application=EchoApplication(), rohc_settings=settings
    )

    def one(port: HsePort, data: bytes) -> bytes:
        (reply,) = gateway.receive(port, data, UE_ADDRESS, 0.0)
        return reply.data

    device = make_device("rohc+esp-tunnel", one, settings=settings)
    stack = device.stack
    chance = random.Random(seed)
    up, down = Line(random.Random(seed + 1)), Line(random.Random(seed + 2))

    def climb(data: bytes, now: float) -> None:
        unit = Unit(data=data)
        with contextlib.suppress(esp.RemoteError, FeedbackOnly, PacketError):
            for layer in reversed(stack.layers):
                layer.up(unit, now)
        if unit.feedback:
            to_hse(stack.feedback_down(unit.feedback, now).data, now)

    def to_hse(data: bytes, now: float) -> None:
        for arrived in up.carry(data):
            for reply in gateway.receive(HsePort.ESP, arrived, UE_ADDRESS, now):
                for back in down.carry(reply.data):
                    climb(back, now)

    with patch.context() as watching:
        for number in range(messages):
            now = 10.0 * number
            payload = chance.randbytes(chance.randrange(4, 30))
            packet = build_udp_packet(
                "10.0.0.1", "10.0.0.9", 40000, 5683, payload, identification=number & 0xFFFF
            )
            outcome.sent.add(packet)
            data = stack.down(packet, now).data
            watching.setattr(testbed.hse.gateway, "parse_udp_packet", watched(outcome.at_hse))
            watching.setattr(testbed.hse.gateway, "swap_endpoints", turned)
            watching.setattr(testbed.ue.layers, "parse_udp_packet", watched(outcome.at_ue))
            to_hse(data, now)
            watching.undo()
    outcome.rejected = dict(gateway.snapshot().rejected)
    return outcome


WAYS = list(FeedbackWay)


@pytest.mark.parametrize("icv", [ICV, ICV_OF_4], ids=["16 octets", "4 octets"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", [RohcMode.OPTIMISTIC, RohcMode.UNIDIRECTIONAL])
def test_with_the_rohc_icv_no_wrong_packet_comes_out(
    monkeypatch: pytest.MonkeyPatch, mode: RohcMode, way: FeedbackWay, icv: dict[str, object]
) -> None:
    settings = RohcSettings(mode=mode, feedback=way, **icv)  # type: ignore[arg-type]
    outcome = run(monkeypatch, settings)
    assert outcome.wrong == 0
    assert len(outcome.at_hse) > MESSAGES / 4
    assert len(outcome.at_ue) > MESSAGES / 8


def test_without_it_some_do_and_their_number_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RohcSettings(mode=RohcMode.OPTIMISTIC)
    outcome = run(monkeypatch, settings)
    assert outcome.wrong > 0
