"""The BC66 driver. Datagrams, and the release that is asked for with them."""

import asyncio

import pytest

from firmware_bridge import (
    CommandFailed,
    ModuleError,
    ModuleTimeout,
    NotSupported,
    PayloadTooLarge,
    ReleaseAssistance,
    SocketLost,
)
from tests.firmware_bridge.modules.bc66.conftest import Bench, Run

# -- sockets -------------------------------------------------------------------------------------


def test_a_datagram_goes_out_in_hexadecimal_and_the_receipt_has_its_times(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500, 10_000)
        assert 'AT+QIOPEN=1,0,"UDP","192.0.2.1",4500,10000,1' in b.fake.sent
        assert 'AT+QICFG="dataformat",1,1' in b.fake.sent
        start = b.now()
        receipt = await socket.send(b"Hello")
        assert b.fake.sent[-1] == "AT+QISEND=0,5,48656C6C6F"
        assert receipt.written_at == start
        assert receipt.accepted_at == pytest.approx(start + 0.15)
        assert receipt.release_assistance == ""

    bench(test)


@pytest.mark.parametrize(
    "line",
    [
        '+QIURC: "recv",0,5,"48656C6C6F"',
        '+QIURC: "recv",0,5,48656C6C6F',
        '+QIURC: "recv",0,"48656C6C6F"',
        '+QIURC: "recv",0,"192.0.2.1",4500,5,"48656c6c6f"',
    ],
)
def test_a_pushed_datagram_is_received_in_every_form(bench: Run, line: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        start = b.now()
        b.fake.later(2.0, line)
        received = await socket.receive(timeout_s=10)
        assert received.data == b"Hello"
        assert received.at == pytest.approx(start + 2.0)
        assert received.announced_at is None

    bench(test)


def test_datagrams_wait_in_order_until_they_are_asked_for(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.say('+QIURC: "recv",0,1,"01"|+QIURC: "recv",0,1,"02"')
        await asyncio.sleep(1)
        assert [(await socket.receive(1)).data for _ in range(2)] == [b"\x01", b"\x02"]
        with pytest.raises(TimeoutError):
            await socket.receive(timeout_s=3)

    bench(test)


def test_a_full_inbox_drops_the_oldest_and_counts(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        for index in range(1_030):
            b.fake.say(f'+QIURC: "recv",0,2,"{index:04X}"')
        await asyncio.sleep(1)
        assert socket.dropped == 6
        assert (await socket.receive(1)).data == b"\x00\x06"

    bench(test)


def test_a_buffered_datagram_is_fetched_after_its_announcement(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        assert b.fake.sent[-1].endswith(",0,0")
        b.fake.on("AT+QIRD=0,512", [(0.1, "+QIRD: 2,1|4F4B|OK")], "+QIRD: 1,0|41|OK", "+QIRD: 0|OK")
        start = b.now()
        b.fake.later(2.0, '+QIURC: "recv",0,3')
        received = await socket.receive(timeout_s=10)
        assert received.data == b"OK"
        assert received.announced_at == pytest.approx(start + 2.0)
        assert received.at == pytest.approx(start + 2.1)
        assert (await socket.receive(timeout_s=1)).data == b"A"
        with pytest.raises(TimeoutError):
            await socket.receive(timeout_s=1)

    bench(test, receive_mode="buffered")


def test_a_datagram_that_is_handed_over_when_the_waiting_ends_is_not_lost(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("AT+QIRD=0,512", (2.0, "+QIRD: 2,0|4F4B|OK"), "+QIRD: 0|OK")
        b.fake.say('+QIURC: "recv",0,2')
        with pytest.raises(TimeoutError):
            await socket.receive(timeout_s=1)
        assert (await socket.receive(timeout_s=5)).data == b"OK"
        assert b.fake.count("AT+QIRD=0,512") == 1

    bench(test, receive_mode="buffered")


@pytest.mark.parametrize(
    "answer",
    [
        "+QIRD: 2,0|4F4B|OK",
        "+QIRD: 2,0,4F4B|OK",
        '+QIRD: 2|"4F4B"|OK',
        "HELLO|+QIRD: 2|NEWS|4F4B|OK",
    ],
)
def test_a_kept_datagram_is_read_in_every_form(bench: Run, answer: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("AT+QIRD=0,512", answer)
        b.fake.say('+QIURC: "recv",0')
        assert (await socket.receive(timeout_s=5)).data == b"OK"

    bench(test, receive_mode="buffered")


@pytest.mark.parametrize("answer", ["+QIRD: 3|4F4B|OK", "+QIRD: x|OK", "+QIRD: 2|xyz|OK"])
def test_a_buffered_datagram_whose_length_is_wrong_is_refused(bench: Run, answer: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("AT+QIRD=0,512", answer)
        b.fake.say('+QIURC: "recv",0')
        with pytest.raises(ModuleError, match=r"can't be read|ERROR"):
            await socket.receive(timeout_s=5)

    bench(test, receive_mode="buffered")


def test_a_pushed_datagram_whose_length_is_wrong_is_not_delivered(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.say('+QIURC: "recv",0,5,"4865"')
        with pytest.raises(TimeoutError):
            await socket.receive(timeout_s=1)
        assert b.kinds() == ["UnknownEvent"]

    bench(test)


def test_a_payload_beyond_the_limit_is_refused_before_anything_is_sent(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        assert socket.max_payload == 512
        before = list(b.fake.sent)
        with pytest.raises(PayloadTooLarge) as caught:
            await socket.send(bytes(513))
        assert (caught.value.size, caught.value.limit) == (513, 512)
        with pytest.raises(ValueError, match="at least one"):
            await socket.send(b"")
        assert b.fake.sent == before
        await socket.send(bytes(512))

    bench(test)


def test_the_limit_can_be_raised(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        await socket.send(bytes(1_400))
        assert b.fake.sent[-1] == "AT+QISEND=0,1400," + "00" * 1_400

    bench(test, max_payload=1_400)


@pytest.mark.parametrize("result", ["+QIOPEN: 0,566", "+QIOPEN: 0,-1"])
def test_a_socket_that_can_not_be_opened_tells_why(bench: Run, result: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("^AT\\+QIOPEN=.*", [(0.1, "OK"), (3.0, result)])
        with pytest.raises(CommandFailed) as caught:
            await b.module.open_udp("192.0.2.1", 4500)
        assert caught.value.code == int(result.rpartition(",")[2])
        assert ("connection failed" in str(caught.value)) == result.endswith("566")

    bench(test)


def test_an_identity_that_the_module_still_holds_is_closed_first(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("^AT\\+QIOPEN=.*", "OK|+QIOPEN: 0,563", "OK|+QIOPEN: 0,0")
        socket = await b.module.open_udp("192.0.2.1", 4500)
        assert not socket.closed
        assert b.fake.count("AT+QICLOSE=0") == 1

    bench(test)


def test_only_as_many_sockets_open_as_the_module_has(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        sockets = [await b.module.open_udp("192.0.2.1", 4500) for _ in range(4)]
        assert [socket.socket_id for socket in sockets] == [0, 1, 2, 3]
        with pytest.raises(ModuleError, match="all 4 sockets"):
            await b.module.open_udp("192.0.2.1", 4500)
        await sockets[2].close()
        assert (await b.module.open_udp("192.0.2.1", 4500)).socket_id == 2

    bench(test)


@pytest.mark.parametrize(
    ("host", "port"), [("", 1), ('a"', 1), ("a,b", 1), ("h", 0), ("h", 65_536)]
)
def test_a_destination_that_can_not_be_is_refused(bench: Run, host: str, port: int) -> None:
    async def test(b: Bench) -> None:
        with pytest.raises(ValueError, match=r"host|port"):
            await b.module.open_udp(host, port)
        assert b.fake.sent == []

    bench(test)


def test_the_context_with_an_address_is_used(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CGPADDR", '+CGPADDR: 0,0.0.0.0|+CGPADDR: 2,"2001:db8::1"|OK')
        b.fake.on("^AT\\+QIOPEN=2,0,.*", "OK|+QIOPEN: 0,0")
        await b.module.open_udp("2001:db8::2", 4500)
        assert any(sent.startswith("AT+QIOPEN=2,") for sent in b.fake.sent)

    bench(test)


def test_closing_a_socket_tells_the_module_once_and_is_no_event(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        async with await b.module.open_udp("192.0.2.1", 4500) as socket:
            assert not socket.closed
        await socket.close()
        assert b.fake.count("AT+QICLOSE=0") == 1
        assert b.events == []
        with pytest.raises(SocketLost):
            await socket.send(b"x")
        with pytest.raises(SocketLost):
            await socket.receive(1)

    bench(test)


# -- release assistance --------------------------------------------------------------------------


@pytest.mark.parametrize("rai", [1, 2])
def test_release_assistance_is_the_last_argument_of_sending(bench: Run, rai: int) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        receipt = await socket.send(b"\x01", ReleaseAssistance(rai))
        assert b.fake.sent[-1] == f"AT+QISEND=0,1,01,{rai}"
        assert receipt.release_assistance == "argument"
        await socket.send(b"\x01")
        assert b.fake.sent[-1] == "AT+QISEND=0,1,01"

    bench(test)


def test_where_the_argument_is_refused_the_command_of_its_own_is_used(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("^AT\\+QISEND=0,1,01,.", "ERROR")
        b.fake.on("^AT\\+QNBIOTRAI=.", "OK")
        receipt = await socket.send(b"\x01", ReleaseAssistance.AFTER_DOWNLINK)
        assert receipt.release_assistance == "command"
        assert b.fake.sent[-2:] == ["AT+QNBIOTRAI=2", "AT+QISEND=0,1,01"]
        await socket.send(b"\x01", ReleaseAssistance.AFTER_UPLINK)
        assert b.fake.sent[-2:] == ["AT+QNBIOTRAI=1", "AT+QISEND=0,1,01"]
        await socket.send(b"\x01")
        assert b.fake.sent[-2:] == ["AT+QNBIOTRAI=0", "AT+QISEND=0,1,01"]
        await socket.send(b"\x01")
        assert b.fake.sent[-2:] == ["AT+QISEND=0,1,01"] * 2
        assert b.kinds() == ["Degraded"]

    bench(test)


def test_release_assistance_that_no_way_takes_is_not_supported(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("^AT\\+QISEND=0,1,01,.", "ERROR")
        with pytest.raises(NotSupported, match="release assistance"):
            await socket.send(b"\x01", ReleaseAssistance.AFTER_UPLINK)
        assert b.fake.count("AT+QISEND=0,1,01") == 0

    bench(test)


def test_a_send_that_the_network_fails_is_no_question_of_syntax(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("^AT\\+QISEND=.*", "OK|SEND FAIL")
        with pytest.raises(CommandFailed, match="SEND FAIL"):
            await socket.send(b"\x01", ReleaseAssistance.AFTER_UPLINK)
        assert b.fake.sent[-1] == "AT+QISEND=0,1,01,1"

    bench(test)


def test_a_context_that_broke_down_loses_the_socket(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("^AT\\+QISEND=.*", "+CME ERROR: 570")
        with pytest.raises(SocketLost, match="broken down"):
            await socket.send(b"\x01")
        assert socket.closed
        assert b.kinds() == ["SocketClosed"]

    bench(test)


def test_a_send_that_is_never_confirmed_times_out_and_is_not_repeated(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("^AT\\+QISEND=.*", None)
        with pytest.raises(ModuleTimeout):
            await socket.send(b"\x01")
        assert sum(sent.startswith("AT+QISEND") for sent in b.fake.sent) == 1

    bench(test)
