"""Payloads that pass the line as they are, whatever octets they have."""

import asyncio
from typing import Any

import pytest

from firmware_bridge import (
    CommandFailed,
    Detached,
    ModuleOptions,
    ModuleTimeout,
    NotSupported,
    PayloadTooLarge,
    ReleaseAssistance,
    driver,
)

NASTY = b'OK\r\n"SEND OK"\r\n+QIURC: "recv",0,3,"\x00\xff> \x1b\x1a'


class BinaryModule:
    """Counts payloads after its prompt, as a BC66 does; everything else is scripted."""

    def __init__(self, scripted: Any) -> None:
        self.fake = scripted.Scripted()
        self.payloads: list[bytes] = []
        self.awaited = 0
        self.partial = b""
        self.prompts = True
        self.scripted_write = self.fake.written
        self.fake.line.on_write = self.written
        self.fake.on("^AT(E0|\\+CMEE=1|\\+CEREG=5|\\+CSCON=1|\\+QNBIOTEVENT=1,1)?", "OK")
        self.fake.on("^AT\\+Q(ICFG|CFG|NBIOTRAI)=.*", "OK")
        self.fake.on("AT+CFUN?", "+CFUN: 1|OK")
        self.fake.on("AT+CGPADDR", '+CGPADDR: 1,"10.0.0.1"|OK')
        self.fake.on('^AT\\+QIOPEN=1,(.),"UDP",.*', "OK|+QIOPEN: {1},0")

    def written(self, data: bytes) -> None:
        if self.awaited:
            self.partial += data
            if len(self.partial) >= self.awaited:
                self.payloads.append(self.partial)
                self.awaited, self.partial = 0, b""
                self.fake.say("OK|SEND OK")
            return
        if data.startswith(b"AT+QISEND="):
            self.fake.sent.append(data.decode().strip())
            if self.prompts:
                self.awaited = int(data.strip().split(b",")[1])
                self.fake.line.feed(b"\r\n> ")
            return
        self.scripted_write(data)


def run(scripted: Any, test: Any, family: str = "bc66", **options: Any) -> None:
    async def main() -> None:
        far = BinaryModule(scripted)
        module = driver(family)(
            far.fake.line, options=ModuleOptions(payload_format="binary", **options)
        )
        await test(module, far)

    scripted.virtually(main)


def test_a_payload_goes_after_the_prompt_and_comes_by_its_count(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        socket = await module.open_udp("192.0.2.1", 4500)
        assert 'AT+QICFG="dataformat",0,0' in far.fake.sent
        start = asyncio.get_running_loop().time()
        receipt = await socket.send(NASTY)
        assert far.payloads == [NASTY]
        assert receipt.written_at >= start
        pushed = b'\r\n+QIURC: "recv",0,%d,"%s"\r\n' % (len(NASTY), NASTY)
        for cut in (1, 20, 30, len(pushed) - 1):
            far.fake.line.feed(pushed[:cut])
            far.fake.line.feed(pushed[cut:])
            assert (await socket.receive(1)).data == NASTY

    run(scripted, test)


def test_a_kept_payload_is_fetched_by_its_count(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        socket = await module.open_udp("192.0.2.1", 4500)
        answer = b"\r\n+QIRD: %d,0\r\n%s\r\n\r\nOK\r\n" % (len(NASTY), NASTY)
        far.fake.on("AT+QIRD=0,1024", answer, "+QIRD: 0|OK")
        far.fake.say(f'+QIURC: "recv",0,{len(NASTY)}')
        assert (await socket.receive(1)).data == NASTY
        with pytest.raises(TimeoutError):
            await socket.receive(1)

    run(scripted, test, receive_mode="buffered")


def test_the_limit_is_that_of_binary_payloads_unless_told(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        socket = await module.open_udp("192.0.2.1", 4500)
        assert socket.max_payload == 1_024
        with pytest.raises(PayloadTooLarge):
            await socket.send(bytes(1_025))
        await socket.send(bytes(range(256)) * 4)
        assert far.payloads == [bytes(range(256)) * 4]

    run(scripted, test)


def test_release_assistance_goes_by_its_own_command(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        socket = await module.open_udp("192.0.2.1", 4500)
        receipt = await socket.send(b"x", ReleaseAssistance.AFTER_DOWNLINK)
        assert receipt.release_assistance == "command"
        assert far.fake.sent[-2:] == ["AT+QNBIOTRAI=2", "AT+QISEND=0,1"]
        far.fake.on("^AT\\+QNBIOTRAI=.*", "ERROR")
        with pytest.raises((NotSupported, CommandFailed)):
            await socket.send(b"x", ReleaseAssistance.AFTER_UPLINK)

    run(scripted, test)


def test_a_prompt_that_never_comes_is_a_time_out(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        socket = await module.open_udp("192.0.2.1", 4500)
        far.prompts = False
        with pytest.raises(ModuleTimeout):
            await socket.send(b"x")
        assert far.payloads == []

    run(scripted, test)


def test_a_datagram_for_no_socket_is_an_event(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        seen: list[Any] = []
        module.subscribe(seen.append)
        far.fake.say(b'\r\n+QIURC: "recv",2,2,"ab"\r\n')
        await asyncio.sleep(1)
        assert [type(event).__name__ for event in seen] == ["UnknownEvent"]

    run(scripted, test)


def test_a_family_that_has_no_binary_payloads_says_so(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        with pytest.raises(NotSupported, match="binary payloads"):
            await module.open_udp("192.0.2.1", 4500)

    run(scripted, test, "bc95")


# -- header compression on the PDP context -------------------------------------------------------


@pytest.mark.parametrize(("on", "value"), [(True, 4), (False, 0)])
def test_header_compression_is_the_last_field_of_the_context(
    scripted: Any, on: bool, value: int
) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        far.fake.on("AT+CGDCONT?", '+CGDCONT: 1,"IP","iot.example","10.0.0.1",0,0|OK')
        far.fake.on(f'AT+CGDCONT=1,"IP","iot.example",,0,{value}', "OK")
        await module.configure_header_compression(on)
        assert far.fake.sent[-1] == f'AT+CGDCONT=1,"IP","iot.example",,0,{value}'

    run(scripted, test)


def test_a_firmware_without_header_compression_says_so(scripted: Any) -> None:
    async def test(module: Any, far: BinaryModule) -> None:
        far.fake.on("AT+CGDCONT?", '+CGDCONT: 1,"IP","iot.example"|OK')
        with pytest.raises(NotSupported, match="header compression"):
            await module.configure_header_compression(True)
        far.fake.on("AT+CGDCONT?", "OK")
        with pytest.raises(Detached):
            await module.configure_header_compression(True)

    run(scripted, test)
