"""An HSE that is killed: its successor knows no old session, and a recorded one gets nowhere."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import esp
from testbed.bench import Configuration
from testbed.bench.secrets import read_secret_file
from testbed.notice import UnknownAssociation
from testbed.packets import build_udp_packet
from testbed.traffic import generated_traffic
from tests.testbed.conftest import Device, device_with, initiator

Start = Callable[..., "subprocess.Popen[str]"]
MESSAGES = generated_traffic(messages=40, seed=4).messages
KILLS = 4 * int(os.environ.get("TESTBED_PROOF_SCALE", "1"))
NAMES = ["esp-transport", "esp-tunnel/aes-ccm-8-128", "rohc+esp-tunnel"]


class Ue:
    """Sockets of UEs whose sent datagrams are recorded, as a tap on the line would."""

    def __init__(self, port: int, secret: bytes) -> None:
        self._secret = secret
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(10.0)
        self.recorded: list[bytes] = []

    def exchange(self, data: bytes) -> bytes:
        self.recorded.append(data)
        self._socket.send(data)
        return self._socket.recv(65535)

    def keyed(self, name: str) -> Device:
        configuration = Configuration.parse(name)
        one = initiator(configuration, secret=self._secret)
        answer = self.exchange(esp.add_marker(one.request()))
        return device_with(configuration, one.response(esp.remove_marker(answer)))

    def echo(self, device: Device, count: int) -> None:
        for message in MESSAGES[:count]:
            answer = self.exchange(device.stack.down(message.packet, 0.0).data)
            assert device.stack.up(answer, 0.0).data == message.payload

    def replay(self, recorded: list[bytes]) -> None:
        for data in recorded:
            with contextlib.suppress(ConnectionRefusedError):  # the word of a port that was closed
                self._socket.send(data)

    def unread(self) -> list[bytes]:
        """What came and was not read."""
        self._socket.setblocking(False)
        found = []
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                found.append(self._socket.recv(65535))
        self._socket.settimeout(10.0)
        return found

    def until_hello(self) -> list[bytes]:
        """Begin another session; what came before the HSE answered to that."""
        one = initiator(Configuration.parse("esp-transport"), secret=self._secret)
        self.replay([esp.add_marker(one.request())])
        found = []
        while True:
            data = self._socket.recv(65535)
            with contextlib.suppress(esp.RemoteError):
                one.response(esp.remove_marker(data))
                return found
            found.append(data)

    def close(self) -> None:
        self._socket.close()


def begin(
    start: Start, secret_file: Path, port: int = 0, *more: str
) -> tuple[subprocess.Popen[str], int]:
    options = (*more, "--port", str(port), "--rohc-port", "0", "--plain-port", "0")
    process = start("hse", "--json", "--secret-file", str(secret_file), *options)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr
    return process, int(json.loads(line)["esp"].rpartition(":")[2])


def counts(process: subprocess.Popen[str]) -> dict[str, Any]:
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_that_was_recorded_is_delivered_by_the_successor(
    start: Start, secret_file: Path, end: signal.Signals
) -> None:
    process, port = begin(start, secret_file)
    ue = Ue(port, read_secret_file(secret_file))
    devices = [ue.keyed(name) for name in NAMES]
    for device in devices:
        ue.echo(device, 40)
    recorded = list(ue.recorded)
    assert len(recorded) == len(NAMES) * 41
    os.kill(process.pid, end)
    process.wait(timeout=20)
    successor, again = begin(start, secret_file, port)
    assert again == port
    for _ in range(3):  # the hello's recorded requests make sessions, whose keys are others
        ue.replay(recorded)
    # A genuine session beside it shows that all before it was read, and that the HSE serves.
    fresh = Ue(port, read_secret_file(secret_file))
    fresh.echo(fresh.keyed("esp-tunnel"), 5)
    told = counts(successor)
    assert told["delivered"] == {"esp": 5}
    assert told["rejected"] == {"esp/unknown-spi": 3 * 40 * len(NAMES)}
    assert told["exchanges"] == len(NAMES) + 1
    ue.close()
    fresh.close()


def test_the_ue_learns_that_its_session_is_gone_and_gets_another(
    start: Start, secret_file: Path
) -> None:
    process, port = begin(start, secret_file)
    ue = Ue(port, read_secret_file(secret_file))
    device = ue.keyed("rohc+esp-tunnel")
    ue.echo(device, 10)
    process.kill()
    process.wait(timeout=20)
    successor, _ = begin(start, secret_file, port)
    lost = device.stack.down(MESSAGES[0].packet, 0.0).data
    notice = UnknownAssociation.decode(ue.exchange(lost))
    assert notice == UnknownAssociation(
        spi=int.from_bytes(lost[:4], "big"), sequence=int.from_bytes(lost[4:8], "big")
    )
    assert device.stack.protection is not None
    assert device.stack.protection.sent(notice.spi, notice.sequence)
    assert not device.stack.protection.sent(notice.spi, notice.sequence + 1)
    again = ue.keyed("rohc+esp-tunnel")
    assert again.keys is not None
    assert device.keys is not None
    assert again.keys.outbound.key != device.keys.outbound.key
    ue.echo(again, 10)
    assert counts(successor)["delivered"] == {"esp": 10}
    ue.close()


def test_with_state_a_session_outlives_sigkill_and_nothing_is_delivered_or_numbered_twice(
    start: Start, secret_file: Path, record_property: Callable[[str, object], None]
) -> None:
    """Killed at random moments under load, and the whole recording replayed to each successor."""
    chance = random.Random(5)
    state = ("--state", "state")
    process, port = begin(start, secret_file, 0, *state)
    ue = Ue(port, read_secret_file(secret_file))
    device = ue.keyed("esp-tunnel")
    answered: set[bytes] = set()
    numbers: list[int] = []
    sent: list[bytes] = []

    def fresh() -> bytes:
        payload = chance.randbytes(12)
        packet = build_udp_packet("10.0.0.1", "10.0.0.9", 40000, 5683, payload)
        sent.append(device.stack.down(packet, 0.0).data)
        return sent[-1]

    def take(answers: list[bytes]) -> None:
        for answer in answers:
            opened = device.stack.up(answer, 0.0)
            assert opened.data not in answered
            answered.add(opened.data)
            numbers.append(int.from_bytes(answer[4:8], "big"))

    for life in range(KILLS + 1):
        if life:
            process, _ = begin(start, secret_file, port, *state)
        before = len(answered)
        recorded = list(sent)
        for first in range(0, len(recorded) + 1, 200):
            ue.replay(recorded[first : first + 200])
            take([ue.exchange(fresh())])  # an answer shows that all before it was read
        take(ue.unread())
        for _ in range(chance.randrange(20, 60)):
            ue.replay([fresh()])
        if life < KILLS:
            time.sleep(chance.random() * 0.003)
            process.kill()
            process.wait(timeout=20)
        else:
            told = counts(process)
        take(ue.unread())
    unanswered = len(sent) - len(answered)
    assert len(set(numbers)) == len(numbers) > 20
    # What the last life delivered is what it answered: nothing of the lives before.
    assert told["delivered"] == {"esp": len(answered) - before}
    assert set(told["rejected"]) <= {"esp/replayed", "esp/outside-window"}
    assert told["exchanges"] == 0
    record_property("figure: kills", KILLS)
    record_property("figure: answers, no two to one packet", len(numbers))
    record_property("figure: packets that a kill took", unanswered)
    ue.close()


@pytest.mark.parametrize(
    ("option", "limit"),
    [("--hard-bytes", 8000), ("--hard-packets", 250)],
    ids=["octets", "packets"],
)
def test_with_state_no_number_of_kills_gives_a_session_more_than_its_lifetime(
    start: Start, secret_file: Path, option: str, limit: int
) -> None:
    chance = random.Random(6)
    state = ("--state", "state", option, str(limit))
    process, port = begin(start, secret_file, 0, *state)
    ue = Ue(port, read_secret_file(secret_file))
    device = ue.keyed("esp-tunnel")
    came: list[bytes] = []
    packets = octets = 0

    def say(count: int) -> None:
        for _ in range(count):
            inner = build_udp_packet("10.0.0.1", "10.0.0.9", 40000, 5683, chance.randbytes(12))
            ue.replay([device.stack.down(inner, 0.0).data])

    def wait_for_answers() -> None:
        """A hello that is answered shows that all before it was read, the next one written down."""
        for _ in range(2):
            came.extend(ue.until_hello())

    for life in range(10):
        if life:
            process, _ = begin(start, secret_file, port, *state)
        say(30)
        wait_for_answers()
        say(10)
        time.sleep(chance.random() * 0.01)
        if life < 9:
            process.kill()
            process.wait(timeout=20)
    wait_for_answers()
    told = counts(process)
    for answer in (*came, *ue.unread()):
        if answer[:4] != bytes(4):  # the word that it is not known
            packets += 1
            octets += len(device.stack.up(answer, 0.0).data) + 28
    assert packets
    assert (octets if option == "--hard-bytes" else packets) <= limit
    assert told["delivered"] == {}  # 400 were sent: it is over, and stays so
    ue.close()
