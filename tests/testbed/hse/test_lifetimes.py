"""Lifetimes at the HSE: the soft limit is told, the hard one holds also over restarts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import esp
from esp.store import SequenceStore
from testbed.hse import EchoApplication, Gateway, GatewayLimits, HsePort
from testbed.hse.state import HseState
from testbed.traffic import generated_traffic
from testbed.ue.layers import Unit
from tests.testbed.conftest import SECRET, UE_ADDRESS, Device, make_device

MESSAGES = generated_traffic(messages=400, seed=6).messages
HARD = {
    "packets": esp.Lifetime(hard_packets=300),
    "octets": esp.Lifetime(hard_bytes=20_000),
}


class Life:
    """One life of an HSE over a folder of state, its clocks in the test's hands."""

    def __init__(
        self,
        folder: Path,
        lifetime: esp.Lifetime | None,
        wall: float = 0.0,
        now: float = 0.0,
        sessions: int = 10,
    ) -> None:
        self.now = now
        self.state = HseState(folder, clock=lambda: wall or time.time())
        self.application = EchoApplication()
        self.gateway = Gateway(
            secrets=lambda identity: SECRET,
            application=self.application,
            state=self.state,
            lifetime=lifetime,
            limits=GatewayLimits(sessions=sessions),
            now=now,
        )

    def receive(self, data: bytes) -> list[bytes]:
        """A datagram on the ESP port, of many in one wake-up."""
        replies = self.gateway.receive(HsePort.ESP, data, UE_ADDRESS, self.now)
        return [reply.data for reply in replies]

    def flush(self) -> list[bytes]:
        """The end of the wake-up."""
        return [reply.data for reply in self.gateway.flush(self.now)]

    def send(self, port: HsePort, data: bytes) -> list[bytes]:
        replies = self.gateway.receive(port, data, UE_ADDRESS, self.now)
        return [reply.data for reply in (*replies, *self.gateway.flush(self.now))]

    def one(self, port: HsePort, data: bytes) -> bytes:
        (reply,) = self.send(port, data)
        return reply

    def says(self, device: Device, number: int) -> int:
        """Send a message; gives the octets of ESP's payload that came back, 0 for no answer."""
        packet = device.stack.down(MESSAGES[number].packet, self.now).data
        answers = self.send(HsePort.ESP, packet)
        if not answers or answers[0][:4] == bytes(4):  # nothing, or the word that it is not known
            return 0
        unit = Unit(data=answers[0])
        protection = device.stack.protection
        assert protection is not None
        protection.up(unit, self.now)
        return len(unit.data)

    @property
    def lifetimes(self) -> dict[str, int]:
        return dict(self.gateway.snapshot().lifetimes)

    def end(self) -> None:
        """However it ended: nothing is written on the way out."""
        self.state.close()


def carried(folder: Path, lifetime: esp.Lifetime, every: int) -> tuple[int, int]:
    """Packets and octets answered over one session, the HSE killed after every so many."""
    packets = octets = number = 0
    device: Device | None = None
    while number < len(MESSAGES):
        hse = Life(folder, lifetime)
        if device is None:
            device = make_device("esp-tunnel", hse.one)
        for _ in range(every):
            if number == len(MESSAGES):
                break
            size = hse.says(device, number)
            packets += bool(size)
            octets += size
            number += 1
        hse.end()
    return packets, octets


@pytest.mark.parametrize("every", [7, 40, 1000])
@pytest.mark.parametrize("limit", HARD)
def test_no_number_of_restarts_gives_a_session_more_than_its_hard_limit(
    tmp_path: Path, limit: str, every: int
) -> None:
    packets, octets = carried(tmp_path, HARD[limit], every)
    assert 0 < packets <= 300
    assert 0 < octets <= 20_000 or limit == "packets"
    if every == 1000:  # without a restart nothing is lost of it
        assert packets == 300 if limit == "packets" else octets > 19_000


@pytest.mark.parametrize("limit", HARD)
def test_with_nothing_of_it_written_down_restarts_would_give_it_more(
    tmp_path: Path, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sent", "received"):
        monkeypatch.setattr(SequenceStore, name, lambda self, association: esp.Usage())
    packets, octets = carried(tmp_path, HARD[limit], 40)
    assert packets > 300 if limit == "packets" else octets > 20_000


def test_what_a_restart_costs_of_a_lifetime_is_a_small_part_of_it(tmp_path: Path) -> None:
    _, whole = carried(tmp_path / "whole", HARD["octets"], 1000)
    _, broken = carried(tmp_path / "broken", HARD["octets"], 100)
    assert whole - broken <= 5 * (20_000 // 64)


def test_a_session_that_ended_stays_ended(tmp_path: Path) -> None:
    hse = Life(tmp_path, esp.Lifetime(hard_packets=3))
    device = make_device("esp-tunnel", hse.one)
    assert [bool(hse.says(device, number)) for number in range(4)] == [True] * 3 + [False]
    assert hse.lifetimes == {"hard": 1} or hse.lifetimes == {"soft": 1, "hard": 1}
    hse.end()
    after = Life(tmp_path, esp.Lifetime(hard_packets=3))
    assert after.gateway.snapshot().sessions == 0
    assert after.says(device, 4) == 0
    after.end()


@pytest.mark.parametrize(("away_s", "passes"), [(30.0, True), (61.0, False)])
def test_seconds_go_on_while_the_hse_is_away(tmp_path: Path, away_s: float, passes: bool) -> None:
    wall, lifetime = time.time() + 100, esp.Lifetime(hard_s=100.0)
    hse = Life(tmp_path, lifetime, wall=wall, now=500.0)
    device = make_device("esp-tunnel", hse.one)
    hse.now += 40.0  # its first packet comes late: the age is the keys'
    assert hse.says(device, 0)
    hse.end()
    after = Life(tmp_path, lifetime, wall=wall + away_s, now=3.0)
    assert bool(after.says(device, 1)) is passes
    after.now += 60.0 - away_s
    assert not after.says(device, 2)
    after.end()


def test_a_clock_that_was_set_back_gives_no_seconds(tmp_path: Path) -> None:
    lifetime = esp.Lifetime(hard_s=100.0)
    ahead = Life(tmp_path, lifetime, wall=time.time() + 5000)
    device = make_device("esp-tunnel", ahead.one)
    assert ahead.says(device, 0)
    ahead.end()
    back = Life(tmp_path, lifetime)  # younger than its keys: nothing is known of its age
    assert not back.says(device, 1)
    back.end()


def test_a_clock_from_before_the_last_write_is_not_believed(tmp_path: Path) -> None:
    lifetime = esp.Lifetime(hard_s=100.0)
    hse = Life(tmp_path, lifetime)
    device = make_device("esp-tunnel", hse.one)
    assert hse.says(device, 0)
    hse.end()
    (path,) = (tmp_path / "sessions").iterdir()
    record = json.loads(path.read_text())
    record["begun_s"] -= 99.0
    path.write_text(json.dumps(record))
    back = Life(tmp_path, lifetime, wall=time.time() - 98.0, now=0.0)
    assert back.says(device, 1)
    back.now = 1.5  # by the clock that was set back it would be 3 s old
    assert not back.says(device, 2)
    back.end()


def test_a_folder_from_before_ages_were_kept_has_sessions_of_unknown_age(tmp_path: Path) -> None:
    hse = Life(tmp_path, None)
    device = make_device("esp-tunnel", hse.one)
    assert hse.says(device, 0)
    hse.end()
    (path,) = (tmp_path / "sessions").iterdir()
    record = json.loads(path.read_text())
    for name in ("begun_s", "sources", "esn"):
        del record[name]
    path.write_text(json.dumps(record))
    unlimited = Life(tmp_path, None)
    assert unlimited.says(device, 1)
    unlimited.end()
    limited = Life(tmp_path, esp.Lifetime(hard_s=1e9))
    assert not limited.says(device, 2)
    limited.end()


def test_a_learned_address_is_still_its_owner_s_after_a_restart(tmp_path: Path) -> None:
    hse = Life(tmp_path, None)
    owner = make_device("esp-tunnel", hse.one, "ue-1")
    assert hse.says(owner, 0)
    hse.end()
    after = Life(tmp_path, None)
    other = make_device("esp-tunnel", after.one, "ue-2")
    assert not after.says(other, 1)
    assert dict(after.gateway.snapshot().rejected) == {("esp", "address-in-use"): 1}
    assert after.says(owner, 1)
    after.end()


@pytest.mark.parametrize(
    "lifetime",
    [
        esp.Lifetime(soft_packets=3, hard_packets=100),
        esp.Lifetime(soft_bytes=200),
        esp.Lifetime(soft_s=2.5),
    ],
    ids=["packets", "octets", "seconds"],
)
def test_the_soft_limit_is_told_once_per_session_and_ends_nothing(
    tmp_path: Path, lifetime: esp.Lifetime
) -> None:
    hse = Life(tmp_path, lifetime)
    device = make_device("esp-tunnel", hse.one)
    assert hse.says(device, 0)
    assert hse.lifetimes == {}
    for number in range(1, 8):
        hse.now += 1.0
        assert hse.says(device, number)
    assert hse.lifetimes == {"soft": 1}
    hse.end()


@pytest.mark.parametrize("end", ["expired", "replaced", "crowded out"])
def test_what_was_accepted_before_the_end_is_answered_and_the_session_never_comes_back(
    tmp_path: Path, end: str
) -> None:
    """All in one wake-up: its numbers are forgotten, so nothing may write its keys down again."""
    lifetime = esp.Lifetime(hard_packets=3) if end == "expired" else None
    hse = Life(tmp_path, lifetime, sessions=1 if end == "crowded out" else 10)
    device = make_device("esp-tunnel", hse.one)
    successor = make_device("esp-tunnel", hse.one) if end == "replaced" else None
    sent = [device.stack.down(MESSAGES[number].packet, 0.0).data for number in range(5)]
    batch = sent if end == "expired" else sent[:3]
    replies = [one for packet in batch for one in hse.receive(packet)]
    if successor is not None:
        replies += hse.receive(successor.stack.down(MESSAGES[5].packet, 0.0).data)
    elif end == "crowded out":
        other = make_device("esp-transport", lambda port, data: hse.receive(data)[-1], "ue-2")
        replies += hse.receive(other.stack.down(MESSAGES[5].packet, 0.0).data)
    replies += hse.flush()
    assert hse.application.requests == (3 if end == "expired" else 4)
    assert hse.gateway.snapshot().answered == {"esp": hse.application.requests}
    hse.end()
    kept = list((tmp_path / "sessions").iterdir())
    assert len(kept) == (0 if end == "expired" else 1)
    after = Life(tmp_path, lifetime)
    for packet in sent:
        assert [one for one in after.send(HsePort.ESP, packet) if one[:4] != bytes(4)] == []
    assert after.application.requests == 0
    after.end()


def test_packets_that_outlive_their_session_hold_no_address(tmp_path: Path) -> None:
    """One wake-up: an answer meets the end, and the next packets were accepted before it."""
    lifetime = esp.Lifetime(hard_packets=3)
    hse = Life(tmp_path, lifetime)
    device = make_device("esp-tunnel", hse.one)
    keys = device.keys
    assert keys is not None
    session = hse.gateway._table._sessions[keys.outbound.spi]
    session.outbound.end()  # as its last number would
    packets = [device.stack.down(MESSAGES[number].packet, 0.0).data for number in range(3)]
    assert [reply for packet in packets for reply in hse.receive(packet)] == []
    assert hse.flush() == []
    assert hse.application.requests == 3
    assert hse.gateway.snapshot().sessions == 0
    assert hse.says(make_device("esp-tunnel", hse.one, "ue-2"), 4)
    hse.end()


def test_the_end_of_a_session_in_seconds_needs_no_packet_to_be_noticed(tmp_path: Path) -> None:
    hse = Life(tmp_path, esp.Lifetime(hard_s=100.0))
    silent = make_device("esp-tunnel", hse.one, "ue-1")
    assert hse.says(silent, 0)
    hse.now += 60.0
    other = make_device("esp-tunnel", hse.one, "ue-2")
    assert not hse.says(other, 1)  # the address is the first one's
    hse.now += 40.0
    assert hse.says(other, 1)
    assert hse.lifetimes == {"hard": 1}
    assert len(list((tmp_path / "sessions").iterdir())) == 1
    hse.end()


def test_a_session_that_expired_while_the_hse_was_away_is_not_taken_up(tmp_path: Path) -> None:
    wall = time.time() + 100
    lifetime = esp.Lifetime(hard_s=100.0)
    hse = Life(tmp_path, lifetime, wall=wall)
    assert hse.says(make_device("esp-tunnel", hse.one, "ue-1"), 0)
    hse.end()
    after = Life(tmp_path, lifetime, wall=wall + 100.0)
    assert after.says(make_device("esp-tunnel", after.one, "ue-2"), 1)
    assert after.gateway.snapshot().sessions == 1
    after.end()
