"""An HSE that is killed: its successor knows no old session, and a recorded one gets nowhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import esp
from testbed.bench import Configuration
from testbed.bench.secrets import read_secret_file
from testbed.notice import UnknownAssociation
from testbed.traffic import generated_traffic
from tests.testbed.conftest import Device, device_with, initiator

Start = Callable[..., "subprocess.Popen[str]"]
MESSAGES = generated_traffic(messages=40, seed=4).messages
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
            self._socket.send(data)

    def close(self) -> None:
        self._socket.close()


def begin(start: Start, secret_file: Path, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    options = ("--port", str(port), "--rohc-port", "0", "--plain-port", "0")
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
