"""The doors: a plain client on the pty, nothing of our own driver side."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable

import pytest

from firmware_bridge.virtual import (
    LineSettings,
    ModuleSettings,
    NetworkSettings,
    virtual_module_in_memory,
    virtual_module_on_pty,
)

QUICK = ModuleSettings(
    line=LineSettings(answer_s=0.002, jitter=0.0, baudrate=0),
    network=NetworkSettings(search_s=(0.01, 0.01), signalling_delay_s=0.0, core_delay_s=0.0),
)


class PtyClient:
    """Opens the device as any program would, reads and writes bytes."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.received = bytearray()
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        self.received += os.read(self._fd, 4096)

    def write(self, data: bytes) -> None:
        assert os.write(self._fd, data) == len(data)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    async def until(self, wanted: bytes, timeout_s: float = 10.0) -> bytes:
        """Everything up to and with ``wanted``."""
        async with asyncio.timeout(timeout_s):
            while wanted not in self.received:
                await asyncio.sleep(0.001)
        end = self.received.index(wanted) + len(wanted)
        taken = bytes(self.received[:end])
        del self.received[:end]
        return taken

    async def ask(self, command: bytes, final: bytes = b"\r\nOK\r\n") -> bytes:
        self.write(command + b"\r")
        return await self.until(final)


class EchoServer:
    """A UDP echo on loopback."""

    def __init__(self, change: Callable[[bytes], bytes] = bytes) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._change = change
        self.port = self._socket.getsockname()[1]
        self.seen: list[bytes] = []
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        data, address = self._socket.recvfrom(65535)
        self.seen.append(data)
        self._socket.sendto(self._change(data), address)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()


async def attached(client: PtyClient) -> None:
    await client.ask(b"ATE0")
    for _ in range(400):
        if b"+CEREG: 0,1" in await client.ask(b"AT+CEREG?"):
            return
        await asyncio.sleep(0.01)
    pytest.fail("the module does not register")


async def test_a_plain_client_identifies_the_module_on_the_pty() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        client = PtyClient(door.path)
        assert await client.ask(b"ATI") == (
            b"ATI\r\r\nQuectel_Ltd\r\nQuectel_BC66\r\nRevision: BC66NBR01A10\r\n\r\nOK\r\n"
        )
        client.close()


async def test_bytes_cross_unchanged_without_the_client_setting_raw_mode() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        client = PtyClient(door.path)
        client.write(b"AT\r\n")
        assert await client.until(b"OK\r\n") == b"AT\r\r\nOK\r\n"
        client.close()


async def test_a_datagram_is_echoed_through_the_loopback_network() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        server, client = EchoServer(), PtyClient(door.path)
        await attached(client)
        await client.ask(b'AT+QIOPEN=1,0,"UDP","127.0.0.1",%d' % server.port)
        await client.until(b"+QIOPEN: 0,0\r\n")
        await client.ask(b'AT+QICFG="dataformat",1,1')
        client.write(b"AT+QISEND=0,5,00FF0D0A1A\r")
        await client.until(b"\r\nOK\r\n\r\nSEND OK\r\n")
        got = await client.until(b'+QIURC: "recv",0,5,"00FF0D0A1A"\r\n')
        assert got.startswith(b"\r\n")
        assert server.seen == [b"\x00\xff\x0d\x0a\x1a"]
        server.close()
        client.close()


async def test_a_name_is_resolved_by_this_machine_when_the_settings_do_not_know_it() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        server, client = EchoServer(), PtyClient(door.path)
        await attached(client)
        await client.ask(b'AT+QIOPEN=1,0,"UDP","localhost",%d' % server.port)
        await client.until(b"+QIOPEN: 0,0\r\n")
        client.write(b"AT+QISEND=0,2,hi\r")
        await client.until(b'"recv",0,2,"hi"')
        server.close()
        client.close()


async def test_a_datagram_sent_just_before_the_socket_is_closed_still_leaves() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        server, client = EchoServer(), PtyClient(door.path)
        await attached(client)
        await client.ask(b'AT+QIOPEN=1,0,"UDP","127.0.0.1",%d' % server.port)
        await client.until(b"+QIOPEN: 0,0\r\n")
        client.write(b"AT+QISEND=0,2,hi\r")
        await client.until(b"\r\nOK\r\n")
        client.write(b"AT+QICLOSE=0\r")
        await client.until(b"CLOSE OK")
        async with asyncio.timeout(5):
            while not server.seen:
                await asyncio.sleep(0.01)
        assert server.seen == [b"hi"]
        server.close()
        client.close()


async def test_nobody_listening_at_the_far_end_costs_the_datagram_only() -> None:
    unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unused.bind(("127.0.0.1", 0))
    port = unused.getsockname()[1]
    unused.close()
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        client = PtyClient(door.path)
        await attached(client)
        await client.ask(b'AT+QIOPEN=1,0,"UDP","127.0.0.1",%d' % port)
        await client.until(b"+QIOPEN: 0,0\r\n")
        for _ in range(3):
            client.write(b"AT+QISEND=0,2,hi\r")
            await client.until(b"SEND OK")
        async with asyncio.timeout(5):
            while door.module.counters.sent < 3 or not door.network.failures:
                await asyncio.sleep(0.01)
        assert await client.ask(b"AT") == b"\r\n\r\nOK\r\n"  # first the end of SEND OK's line
        client.close()


async def test_clients_come_and_go_and_each_finds_the_module_as_it_was_left() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        first = PtyClient(door.path)
        await first.ask(b"ATE0")
        first.close()
        for _ in range(20):
            client = PtyClient(door.path)
            assert await client.ask(b"AT") == b"\r\nOK\r\n"
            client.close()


async def test_output_that_nobody_reads_is_bounded_and_the_module_lives_on() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        client = PtyClient(door.path)
        asyncio.get_running_loop().remove_reader(client._fd)
        for _ in range(300):
            client.write(b"AT+CLAC\r")
            await asyncio.sleep(0.001)
        assert len(door._unread) <= 65536
        asyncio.get_running_loop().add_reader(client._fd, client._readable)
        await client.until(b"OK")
        await asyncio.sleep(0.1)
        client.received.clear()
        client.write(b"AT\r")
        assert (await client.until(b"OK\r\n")).endswith(b"OK\r\n")
        client.close()


async def test_a_sleeping_module_wakes_the_loop_only_when_something_is_due() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        client = PtyClient(door.path)
        await attached(client)
        await asyncio.sleep(0.05)
        calls = 0
        advance = door.module.advance

        def counting(now: float) -> None:
            nonlocal calls
            calls += 1
            advance(now)

        door.module.advance = counting  # type: ignore[method-assign]
        await asyncio.sleep(0.5)
        assert calls < 5
        client.close()


async def test_the_memory_door_has_the_same_module_behind_it() -> None:
    async with virtual_module_in_memory("bc66", settings=QUICK, seed=1) as door:
        got = bytearray()
        door.connect(got.extend)
        door.write(b"ATI\r")
        async with asyncio.timeout(5):
            while b"OK\r\n" not in got:
                await asyncio.sleep(0.001)
        assert b"Quectel_BC66" in got
        door.disconnect()
        got.clear()
        door.write(b"AT\r")
        await asyncio.sleep(0.05)
        assert not got


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (lambda door: door.reboot(), b"Leaving the BROM"),
        (lambda door: door.garble(1), None),
        (lambda door: door.silence(60.0), None),
    ],
)
async def test_faults_can_be_caused_at_the_door(
    fault: Callable[[object], None], shown: bytes | None
) -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        client = PtyClient(door.path)
        await client.ask(b"ATE0")
        fault(door)
        if shown is not None:
            assert shown in await client.until(shown)
        else:
            client.write(b"AT\r")
            await asyncio.sleep(0.1)
            assert b"OK" not in client.received
        client.close()


async def test_the_energy_at_the_door_grows_with_the_clock() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        before = door.energy()
        await asyncio.sleep(0.05)
        used = door.energy() - before
        assert used.total_j > 0
        assert used.total_j == pytest.approx(
            used.setup_j + used.transmit_j + used.receive_j + used.tail_j + used.sleep_j
        )


async def test_closing_a_door_leaves_nothing_behind_in_the_loop() -> None:
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as door:
        path = door.path
    assert not os.path.exists(path)  # noqa: PTH110
    assert door._timer is None
    async with virtual_module_on_pty("bc66", settings=QUICK, seed=1) as again:
        client = PtyClient(again.path)
        assert (await client.ask(b"AT")).endswith(b"OK\r\n")
        client.close()


async def run_command(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "firmware_bridge.virtual",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_prints_a_path_and_serves_until_it_is_stopped() -> None:
    process = await run_command("bc66", "--scale", "50", "--seed", "3")
    assert process.stdout is not None
    async with asyncio.timeout(20):
        path = (await process.stdout.readline()).decode().strip()
        client = PtyClient(path)
        assert b"Quectel_BC66" in await client.ask(b"ATI")
        client.close()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bc99",), b"bc99"),
        (("bc66", "--scale", "0"), b"--scale"),
        (("bc66", "--rsrp", "10"), b"rsrp_dbm"),
    ],
)
async def test_the_command_says_what_is_wrong_with_its_arguments(
    arguments: tuple[str, ...], said: bytes
) -> None:
    process = await run_command(*arguments)
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert said in errors
    assert b"Traceback" not in errors


async def test_a_strict_line_makes_noise_of_another_speed() -> None:
    import termios

    line = LineSettings(answer_s=0.002, jitter=0.0, strict_baudrate=True)
    async with virtual_module_on_pty("bc66", settings=ModuleSettings(line=line)) as door:
        client = PtyClient(door.path)

        def set_speed(code: int) -> None:
            attributes = termios.tcgetattr(client._fd)
            attributes[4] = attributes[5] = code
            termios.tcsetattr(client._fd, termios.TCSANOW, attributes)

        set_speed(termios.B9600)
        client.write(b"AT\r")
        await asyncio.sleep(0.1)
        assert b"OK" not in client.received
        set_speed(termios.B115200)
        client.received.clear()
        client.write(b"\r")  # the end of whatever the noise was taken for
        await asyncio.sleep(0.1)
        client.received.clear()
        assert (await client.ask(b"AT")).endswith(b"AT\r\r\nOK\r\n")
        await client.ask(b"AT+IPR=9600")
        await asyncio.sleep(0.1)
        client.write(b"AT\r")
        await asyncio.sleep(0.1)
        assert b"OK" not in client.received
        set_speed(termios.B9600)
        client.write(b"\r")
        await asyncio.sleep(0.1)
        client.received.clear()
        assert (await client.ask(b"AT+IPR?")).endswith(b"+IPR: 9600\r\n\r\nOK\r\n")
        client.close()


async def test_a_line_that_is_not_strict_takes_any_speed() -> None:
    async with virtual_module_on_pty("bc95", settings=QUICK, seed=1) as door:
        client = PtyClient(door.path)  # a new pseudo-terminal is set to 38400
        assert await client.ask(b"AT+CGMI") == b"\r\nQuectel\r\n\r\nOK\r\n"
        client.close()
