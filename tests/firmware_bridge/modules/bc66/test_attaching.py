"""The BC66 driver. Starting, and finding the network."""

import pytest

from firmware_bridge import (
    Detached,
    ModuleSilent,
    RegistrationDenied,
    RegistrationState,
    SimNotReady,
)
from firmware_bridge.modules import events as ev
from tests.firmware_bridge.modules.bc66.conftest import REGISTERED, Bench, Run

# -- start ---------------------------------------------------------------------------------------


def test_starting_tells_who_it_is_and_sets_it_up(bench: Run) -> None:
    async def test(b: Bench) -> None:
        identity = await b.module.start()
        assert identity.manufacturer == "Quectel_Ltd"
        assert identity.model == "Quectel_BC66"
        assert identity.firmware == "BC66NBR01A10"
        assert identity.imei == "867726031076062"
        assert identity.iccid == "89882390000214136817"
        assert b.module.identity == identity
        assert b.fake.sent[:6] == [
            "AT",
            "ATE0",
            "AT+CMEE=1",
            "AT+CEREG=5",
            "AT+CSCON=1",
            "AT+QNBIOTEVENT=1,1",
        ]
        assert b.events == []

    bench(test)


def test_the_first_commands_may_be_lost(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.on("AT", None, None, "OK")
        start = b.now()
        await b.module.start()
        assert b.fake.count("AT") == 3
        assert b.now() - start < 5

    bench(test)


def test_a_silent_module_is_reported_within_the_policy(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.deaf = True
        start = b.now()
        with pytest.raises(ModuleSilent, match="/dev/ttyUSB0") as caught:
            await b.module.start()
        assert 5 < b.now() - start < 12
        assert "baud rate" in caught.value.hint

    bench(test)


def test_a_module_that_refuses_extras_is_used_without_them_and_they_are_named(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.on("AT+CEREG=5", "ERROR")
        b.fake.on("AT+CEREG=4", "ERROR")
        b.fake.on("AT+CEREG=2", "OK")
        b.fake.on("AT+CSCON=1", "ERROR")
        b.fake.on("AT+QNBIOTEVENT=1,1", "ERROR")
        b.fake.on("AT+CGSN=1", "ERROR")
        b.fake.on("AT+QCCID", "+CME ERROR: 10")
        identity = await b.module.start()
        assert (identity.imei, identity.iccid) == ("", "")
        degraded = [event.feature for event in b.events if isinstance(event, ev.Degraded)]
        assert degraded == ["rrc-events", "sleep-events"]

    bench(test)


def test_garbage_and_echo_at_start_do_no_harm(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.echo = True
        b.fake.say(b"\x00\xff\xc3\xe2F\xf8\r\n+++\r\n")
        assert (await b.module.start()).model == "Quectel_BC66"

    bench(test)


# -- attach --------------------------------------------------------------------------------------


def test_attaching_waits_for_registration_and_address(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CFUN?", "+CFUN: 0|OK")
        b.fake.on("AT+CFUN=1", [(1.5, "OK")])
        b.fake.on("AT+CPIN?", "ERROR", "+CPIN: READY|OK")
        b.fake.on("AT+CEREG?", "+CEREG: 5,2|OK", "+CEREG: 5,2|OK", REGISTERED + "|OK")
        b.fake.on("AT+CGPADDR", "OK", '+CGPADDR: 1,"10.26.255.38"|OK')
        b.fake.on("AT+CGPADDR=1", "OK", '+CGPADDR: 1,"10.26.255.38"|OK')
        registration = await b.module.attach()
        assert registration.state is RegistrationState.HOME
        assert (registration.tac, registration.cell) == ("33C2", "022FE6CF")
        assert registration.active_time_s == 10
        assert await b.module.address() == "10.26.255.38"

    bench(test)


def test_a_registration_notice_ends_the_waiting_early(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CEREG?", "+CEREG: 5,2|OK", "+CEREG: 5,2|OK", REGISTERED + "|OK")
        b.fake.later(0.5, '+CEREG: 1,"33C2","022FE6CF",9')
        start = b.now()
        await b.module.attach()
        assert b.now() - start < 1.0
        (event,) = b.events
        assert isinstance(event, ev.RegistrationChanged)
        assert event.registration.registered
        assert event.at == pytest.approx(start + 0.5)

    bench(test)


def test_the_apn_is_set_and_the_module_reset_only_when_it_differs(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+QCGDEFCONT?", '+QCGDEFCONT: "IP","iot.1nce.net"|OK')
        await b.module.attach(apn="IOT.1nce.net")
        assert b.fake.count("AT+QRST=1") == 0
        b.fake.on('AT+QCGDEFCONT="IP","nb.inetd.gdsp"', "OK")
        boot = "F1: 0000 0000|V0: 0000 0000 [0001]|00: 0006 000C|01: 0000 0000"
        boot += "|U0: 0000 0001 [0000]|T0: 0000 00B4|Leaving the BROM"
        b.fake.on("AT+QRST=1", (0.2, boot))
        await b.module.attach(apn="nb.inetd.gdsp")
        assert b.fake.count("AT+QRST=1") == 1
        reboots = [event for event in b.events if isinstance(event, ev.Rebooted)]
        assert [(event.banner, event.expected) for event in reboots] == [("F1: 0000 0000", True)]
        after = b.fake.sent[b.fake.sent.index("AT+QRST=1") :]
        assert after[1:4] == ["AT", "AT+CFUN?", "ATE0"]

    bench(test)


def test_the_apn_of_the_context_counts_where_the_default_can_not_be_read(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CGDCONT?", '+CGDCONT: 1,"IP","iot.1nce.net.mnc040.mcc901.gprs",,0,0|OK')
        await b.module.attach(apn="iot.1nce.net")
        assert b.fake.count("AT+QRST=1") == 0

    bench(test)


def test_an_apn_that_can_not_be_read_is_set_once(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on('AT+QCGDEFCONT="IP","iot"', "OK")
        b.fake.on("AT+QRST=1", [(0.1, "OK"), (1.0, "RDY")])
        await b.module.attach(apn="iot")
        await b.module.attach(apn="iot")
        assert b.fake.count("AT+QRST=1") == 1

    bench(test)


def test_a_reset_without_any_word_is_waited_out(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+QRST=1", None)
        b.fake.on("AT", None, None, "OK")
        await b.module.reset()
        assert b.fake.sent[-1] == 'AT+QICFG="viewmode",0'

    bench(test)


@pytest.mark.parametrize(
    ("answer", "state"),
    [("ERROR", "AT+CPIN? was answered ERROR"), ("+CPIN: SIM PIN|OK", "SIM PIN")],
)
def test_a_missing_or_locked_sim_is_said_so(bench: Run, answer: str, state: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CPIN?", answer)
        start = b.now()
        with pytest.raises(SimNotReady) as caught:
            await b.module.attach()
        assert caught.value.state == state
        assert b.now() - start < 15

    bench(test)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("+CPIN: READY|OK", "READY"),
        ("+CPIN: SIM PIN|OK", "SIM PIN"),
        ("ERROR", "AT+CPIN? was answered ERROR"),
        ("+CME ERROR: 10", "SIM not inserted"),
    ],
)
def test_the_sim_is_ready_or_what_the_module_says(bench: Run, answer: str, state: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CPIN?", answer)
        assert await b.module.sim_state() == state

    bench(test)


def test_a_denied_registration_tells_the_cause(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CEREG?", "+CEREG: 5,3,,,,0,11|OK")
        start = b.now()
        with pytest.raises(RegistrationDenied) as caught:
            await b.module.attach()
        assert caught.value.cause == 11
        assert b.now() == start

    bench(test)


def test_a_denial_that_may_pass_is_waited_for(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        denied = "+CEREG: 5,3,,,,0,22|OK"
        b.fake.on("AT+CEREG?", denied, denied, denied, "+CEREG: 5,2|OK", REGISTERED + "|OK")
        assert (await b.module.attach()).registered
        b.fake.on("AT+CEREG?", denied)
        start = b.now()
        with pytest.raises(RegistrationDenied, match="22"):
            await b.module.attach()
        assert b.now() - start == pytest.approx(20, abs=5)

    bench(test)


def test_no_network_ends_at_the_time_given(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CEREG?", "+CEREG: 5,2|OK")
        start = b.now()
        with pytest.raises(Detached, match="searching"):
            await b.module.attach(timeout_s=30)
        assert b.now() - start == pytest.approx(30, abs=3)

    bench(test)


def test_an_idle_module_is_told_to_attach(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CEREG?", "+CEREG: 5,0|OK", "+CEREG: 5,0|OK", REGISTERED + "|OK")
        b.fake.on("AT+CGATT=1", "OK")
        await b.module.attach()
        assert b.fake.count("AT+CGATT=1") == 1

    bench(test)


def test_detaching_takes_the_sockets_along(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.on("AT+CGATT=0", "ERROR")
        b.fake.on("AT+CFUN=0", "OK")
        await b.module.detach()
        assert socket.closed
        assert b.kinds() == ["SocketClosed"]
        b.fake.on("AT+CGPADDR", "OK")
        b.fake.on("AT+CGPADDR=1", "OK")
        with pytest.raises(Detached):
            await b.module.address()
        with pytest.raises(Detached):
            await b.module.open_udp("192.0.2.1", 4500)

    bench(test)


@pytest.mark.parametrize("apn", ["", 'a"b', "a,b", "a\rb", "é"])
def test_an_apn_that_would_break_the_command_is_refused(bench: Run, apn: str) -> None:
    async def test(b: Bench) -> None:
        with pytest.raises(ValueError, match="apn"):
            await b.module.attach(apn=apn)
        assert b.fake.sent == []

    bench(test)
