"""The BC66 driver. What comes unasked: notices, sleep, reboots, and the end of the line."""

import asyncio

import pytest

from firmware_bridge import (
    CommandFailed,
    ModuleError,
    ModuleRebooted,
    RegistrationState,
    ReleaseAssistance,
    SocketLost,
)
from firmware_bridge.modules import events as ev
from tests.firmware_bridge.modules.bc66.conftest import QENG, Bench, Run

# -- events --------------------------------------------------------------------------------------

EVENTS: list[tuple[str, str, dict[str, object]]] = [
    ("+CSCON: 1", "RrcConnected", {}),
    ("+CSCON:0", "RrcReleased", {}),
    ('+QNBIOTEVENT: "ENTER PSM"', "PsmEntered", {}),
    ('+QNBIOTEVENT: "EXIT PSM"', "PsmLeft", {}),
    ('+QNBIOTEVENT: "ENTER DEEPSLEEP"', "DeepSleepEntered", {}),
    ('+QNBIOTEVENT: "EXIT DEEPSLEEP"', "DeepSleepLeft", {}),
    ('+QNBIOTEVENT: "SOMETHING"', "UnknownEvent", {"name": "sleep"}),
    ("+IP: 10.26.255.38", "AddressChanged", {"address": "10.26.255.38"}),
    ("+CPIN: NOT READY", "SimChanged", {"state": "NOT READY"}),
    ("+CPIN: READY", "SimChanged", {"state": "READY"}),
    ("RDY", "Rebooted", {"banner": "RDY", "expected": False}),
    ("F1: 0000 0000", "Rebooted", {"banner": "F1: 0000 0000", "expected": False}),
    ("Leaving the BROM", "Rebooted", {"banner": "Leaving the BROM", "expected": False}),
    ('+QIURC: "pdpdeact",1', "NetworkContextLost", {"context_id": 1}),
    ('+QIURC: "recv",3,1,"00"', "UnknownEvent", {"name": "socket"}),
    ('+QIURC: "incoming full"', "UnknownEvent", {"name": "socket"}),
    ("+CFUN: 1", "UnknownEvent", {"name": "function", "text": "+CFUN: 1"}),
    ("+CEREG: x", "NoiseRead", {"garbage": False}),
    ("+CEREG: 9", "UnknownEvent", {"name": "registration"}),
]


@pytest.mark.parametrize(("line", "kind", "fields"), EVENTS, ids=[row[0] for row in EVENTS])
def test_a_line_is_this_event(bench: Run, line: str, kind: str, fields: dict[str, object]) -> None:
    async def test(b: Bench) -> None:
        start = b.now()
        b.fake.later(1.0, line)
        await asyncio.sleep(2)
        assert b.kinds() == ([kind] if kind else [])
        for event in b.events:
            assert event.at == pytest.approx(start + 1.0)
            for name, value in fields.items():
                assert getattr(event, name) == value

    bench(test)


def test_the_registration_notice_carries_every_field(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.say('+CEREG: 5,"33C2","022FE6CF",9,0,0,"00000101","00100001"')
        await asyncio.sleep(1)
        (event,) = b.events
        assert isinstance(event, ev.RegistrationChanged)
        found = event.registration
        assert (found.state, found.tac, found.cell) == (
            RegistrationState.ROAMING,
            "33C2",
            "022FE6CF",
        )
        assert (found.active_time_s, found.periodic_tau_s) == (10, 3_600)

    bench(test)


def test_a_subscriber_that_left_or_failed_disturbs_nobody(
    bench: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(b: Bench) -> None:
        seen: list[object] = []

        def broken(event: object) -> None:
            raise KeyError

        b.module.subscribe(broken)
        leave = b.module.subscribe(seen.append)
        b.fake.say("+CSCON: 1")
        await asyncio.sleep(1)
        leave()
        leave()
        b.fake.say("+CSCON: 0")
        await asyncio.sleep(1)
        assert len(seen) == 1
        assert b.kinds() == ["RrcConnected", "RrcReleased"]

    bench(test)
    assert "subscriber" in caplog.text


# -- sleep, reboot, loss -------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["PSM", "DEEPSLEEP"])
def test_sleep_loses_the_sockets_and_the_next_command_wakes_first(bench: Run, state: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        waiting = asyncio.create_task(socket.receive(600))
        b.fake.later(20.0, f'+QNBIOTEVENT: "ENTER {state}"')
        with pytest.raises(SocketLost, match="deep-sleep"):
            await waiting
        closed = b.events[-1]
        assert isinstance(closed, ev.SocketClosed)
        assert (closed.socket_id, closed.reason) == (0, "deep-sleep")
        with pytest.raises(SocketLost):
            await socket.send(b"\x01")
        await asyncio.sleep(300)
        b.fake.on("AT", None, None, "OK")
        sent = len(b.fake.sent)
        again = await b.module.open_udp("192.0.2.1", 4500)
        await again.send(b"\x02")
        assert b.fake.sent[sent : sent + 4] == ["AT", "AT", "AT", "AT+CFUN?"]
        assert again.socket_id != socket.socket_id or again is not socket

    bench(test)


def test_a_socket_that_an_unnoticed_sleep_took_is_lost_at_the_first_refusal(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        await asyncio.sleep(60)
        b.fake.on("AT", None, "OK")
        b.fake.on("^AT\\+QISEND=.*", "+CME ERROR: 552")
        with pytest.raises(SocketLost, match="deep-sleep"):
            await socket.send(b"\x01", ReleaseAssistance.AFTER_UPLINK)
        assert b.kinds() == ["SocketClosed"]
        assert not any(sent.startswith("AT+QNBIOTRAI") for sent in b.fake.sent)

    bench(test)


def test_a_socket_that_survived_an_unnoticed_sleep_goes_on(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        await asyncio.sleep(60)
        b.fake.on("AT", None, "OK")
        await socket.send(b"\x01")
        b.fake.on("^AT\\+QISEND=.*", "+CME ERROR: 552")
        with pytest.raises(CommandFailed, match="invalid parameters"):
            await socket.send(b"\x01")

    bench(test)


@pytest.mark.parametrize("name", ["dtr", "rts"])
def test_a_board_with_a_wake_up_pin_is_woken_by_its_modem_line(bench: Run, name: str) -> None:
    async def test(b: Bench) -> None:
        edges: list[tuple[float, dict[str, bool]]] = []

        def modem_lines(**lines: bool) -> bool:
            edges.append((b.now(), lines))
            return True

        b.fake.line.set_modem_lines = modem_lines
        await b.module.start()
        assert edges == []
        b.fake.say('+QNBIOTEVENT: "ENTER DEEPSLEEP"')
        await asyncio.sleep(60)
        await b.module.radio()
        (first, released), (second, driven) = edges
        assert (released, driven) == ({name: False}, {name: True})
        assert second - first == pytest.approx(0.1)

    bench(test, wake_line=name)


def test_a_module_that_boots_out_of_deep_sleep_is_awake_not_rebooted(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.say('+QNBIOTEVENT: "ENTER DEEPSLEEP"')
        await asyncio.sleep(60)
        b.fake.on("AT", [(0.1, "RDY")], "OK")
        sent = len(b.fake.sent)
        await b.module.radio()
        assert b.kinds() == ["DeepSleepEntered", "DeepSleepLeft"]
        assert b.fake.sent[sent : sent + 4] == ["AT", "AT", "AT+CFUN?", "ATE0"]

    bench(test)


def test_starting_in_the_middle_of_a_boot_waits_for_its_end(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.on("AT", [(0.1, "F1: 0000 0000|V0: 0000 0000 [0001]")], None, "OK")
        b.fake.on("AT+CMEE=1", [(0.1, "Leaving the BROM|RDY|+CFUN: 1")], "OK")
        identity = await b.module.start()
        assert identity.model == "Quectel_BC66"
        assert b.kinds().count("Rebooted") == 1

    bench(test)


def test_a_module_that_keeps_rebooting_is_reported(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.on("AT+CMEE=1", [(0.1, "RDY")])
        with pytest.raises(ModuleRebooted):
            await b.module.start()

    bench(test)


def test_settings_lost_in_sleep_are_noticed_by_the_echo_and_made_again(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.say('+QNBIOTEVENT: "ENTER DEEPSLEEP"')
        await asyncio.sleep(60)
        b.fake.echo = True
        sent = len(b.fake.sent)
        await b.module.radio()
        assert b.fake.sent[sent : sent + 2] == ["AT", "ATE0"]
        assert "AT+CSCON=1" in b.fake.sent[sent:]

    bench(test)


def test_settings_that_survived_sleep_are_not_made_again(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.say('+QNBIOTEVENT: "ENTER DEEPSLEEP"')
        await asyncio.sleep(60)
        sent = len(b.fake.sent)
        await b.module.radio()
        assert b.fake.sent[sent:] == ["AT", "AT+QENG=0"]

    bench(test)


def test_after_a_long_silence_a_sacrificial_command_goes_first(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        await b.module.radio()
        await asyncio.sleep(5)
        await b.module.radio()
        await asyncio.sleep(11)
        await b.module.radio()
        assert b.fake.sent[-4:] == ["AT+QENG=0", "AT+QENG=0", "AT", "AT+QENG=0"]

    bench(test)


def test_a_question_that_meets_a_sleeping_module_is_asked_again(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+QENG=0", None, QENG + "|OK")
        assert (await b.module.radio()).band == 3
        assert b.fake.count("AT+QENG=0") == 2

    bench(test)


def test_a_reboot_under_way_ends_the_command_and_loses_everything(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("^AT\\+QISEND=.*", [(0.2, "RDY|+CFUN: 1|+CPIN: READY|+CEREG: 2")])
        with pytest.raises(ModuleRebooted):
            await socket.send(b"\x01")
        assert socket.closed
        assert b.kinds()[:2] == ["SocketClosed", "Rebooted"]
        sent = len(b.fake.sent)
        await b.module.attach()
        assert b.fake.sent[sent : sent + 2] == ["AT+CFUN?", "ATE0"]

    bench(test)


def test_a_port_that_vanishes_is_an_event_and_ends_every_wait(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        waiting = asyncio.create_task(socket.receive(600))
        await asyncio.sleep(0.1)
        b.fake.line.break_off("No such device")
        with pytest.raises(SocketLost, match="line-lost"):
            await waiting
        assert b.kinds() == ["SocketClosed", "LineVanished"]
        with pytest.raises(ModuleError, match="vanished"):
            await b.module.radio()
        await b.module.close()

    bench(test)


def test_a_socket_that_the_network_closed_is_an_event(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.say('+QIURC: "recv",0,1,"07"|+QIURC: "closed",0')
        await asyncio.sleep(1)
        assert (await socket.receive(1)).data == b"\x07"
        with pytest.raises(SocketLost, match="network"):
            await socket.receive(1)
        assert b.kinds() == ["SocketClosed"]

    bench(test)


def test_closing_the_module_closes_its_sockets_and_the_line(bench: Run) -> None:
    async def test(b: Bench) -> None:
        async with b.module as module:
            await module.start()
            await module.open_udp("192.0.2.1", 4500)
        assert b.fake.sent[-1] == "AT+QICLOSE=0"
        with pytest.raises(ModuleError):
            await b.module.radio()

    bench(test)


def test_closing_a_module_that_does_not_answer_ends_in_bounded_time(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        for _ in range(2):
            await b.module.open_udp("192.0.2.1", 4500)
        b.fake.deaf = True
        start = b.now()
        await b.module.close()
        assert b.now() - start < 60

    bench(test)
