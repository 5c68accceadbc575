"""The BC66 driver against a scripted module that answers as the transcripts do."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from firmware_bridge import (
    CommandFailed,
    Detached,
    ModuleError,
    ModuleOptions,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
    NotSupported,
    PayloadTooLarge,
    PowerSaving,
    RegistrationDenied,
    RegistrationState,
    ReleaseAssistance,
    SimNotReady,
    SocketLost,
    driver,
)
from firmware_bridge.modules import events as ev
from firmware_bridge.modules.bc66 import Bc66

QENG = '+QENG: 0,1694,12,284,"022FE6CF",-92,-5,-87,10,3,"33C2",0,14,2'
REGISTERED = '+CEREG: 5,1,"33C2","022FE6CF",9,,,"00000101","00100001"'


class Bench:
    """A driver and the scripted module that it talks to."""

    def __init__(self, scripted: Any, **options: Any) -> None:
        self.fake = scripted.Scripted("/dev/ttyUSB0")
        fake = self.fake
        fake.on("AT", "OK")
        fake.on("ATE0", "OK")
        fake.on("AT+CMEE=1", "OK")
        fake.on("AT+CFUN?", "+CFUN: 1|OK")
        fake.on("AT+CFUN=1", "OK")
        fake.on("AT+CPIN?", "+CPIN: READY|OK")
        fake.on("ATI", "Quectel_Ltd|Quectel_BC66|Revision: BC66NBR01A10|OK")
        fake.on("AT+CGMR", "Revision: BC66NBR01A10|OK")
        fake.on("AT+CGSN=1", "+CGSN: 867726031076062|OK")
        fake.on("AT+QCCID", "+QCCID: 89882390000214136817|OK")
        fake.on("AT+CEREG=5", "OK")
        fake.on("AT+CSCON=1", "OK")
        fake.on("AT+QNBIOTEVENT=1,1", "OK")
        fake.on("AT+CEREG?", REGISTERED + "|OK")
        fake.on("AT+CGPADDR", '+CGPADDR: 1,"10.26.255.38"|OK')
        fake.on("AT+QENG=0", [(0.04, QENG), (0.105, "OK")])
        fake.on("AT+CESQ", "+CESQ: 16,7,255,255,22,38|OK")
        fake.on("^AT\\+QICFG=.*", "OK")
        fake.on('^AT\\+QIOPEN=1,(.),"UDP",.*', [(0.05, "OK"), (0.2, "+QIOPEN: {1},0")])
        fake.on("^AT\\+QICLOSE=.", [(0.04, "OK"), (0.09, "CLOSE OK")])
        fake.on("^AT\\+QISEND=.*", [(0.05, "OK"), (0.15, "SEND OK")])
        self.module = Bc66(fake.line, options=ModuleOptions(**options))
        self.events: list[ev.ModuleEvent] = []
        self.module.subscribe(self.events.append)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def now(self) -> float:
        return asyncio.get_running_loop().time()


Test = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def bench(scripted: Any) -> Callable[..., None]:
    """Run a test with a bench, under a clock that jumps."""

    def run(test: Test, **options: Any) -> None:
        async def main() -> None:
            await test(Bench(scripted, **options))

        scripted.virtually(main)

    return run


Run = Callable[..., None]

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


# -- radio ---------------------------------------------------------------------------------------


def test_the_radio_report_has_every_value_of_the_hardware_trace(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        start = b.now()
        report = await b.module.radio()
        assert report.rsrp_dbm == -92
        assert report.rsrq_db == -5
        assert report.rssi_dbm == -87
        assert report.sinr_db == 10
        assert report.ecl == 0
        assert report.cell == "022FE6CF"
        assert report.tac == "33C2"
        assert report.band == 3
        assert report.earfcn == 1694
        assert report.pci == 284
        assert report.tx_power_dbm == 14
        assert report.at == pytest.approx(start + 0.105)

    bench(test)


def test_without_the_serving_cell_the_signal_is_reported(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+QENG=0", "ERROR")
        report = await b.module.radio()
        assert (report.rsrp_dbm, report.rsrq_db, report.ecl) == (-103.0, -9.0, None)
        assert b.kinds() == ["Degraded"]

    bench(test)


def test_the_counters_are_in_seconds(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+QENG=2", "+QENG: 3,1234,56,7|OK")
        assert await b.module.counters() == {
            "sleep_time_s": 123.4,
            "rx_time_s": 5.6,
            "tx_time_s": 0.7,
        }

    bench(test)


# -- power saving --------------------------------------------------------------------------------


def test_power_saving_is_asked_for_in_bits_and_granted_in_seconds(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on('AT+CPSMS=1,,,"00111000","00000101"', "OK")
        b.fake.on('AT+CEDRXS=1,5,"0011"', "OK")
        off = '+CEREG: 5,1,"33C2","022FE6CF",9,,,"11100000","11100000"'
        b.fake.on("AT+CEREG?", off + "|OK", off + "|OK", REGISTERED + "|OK")
        b.fake.on("AT+CEDRXRDP", '+CEDRXRDP: 5,"0011","0010","0011"|OK')
        granted = await b.module.configure_power_saving(
            PowerSaving(psm=True, active_time_s=10, periodic_tau_s=86_000, edrx_cycle_s=40.96)
        )
        assert granted == PowerSaving(
            psm=True,
            active_time_s=10,
            periodic_tau_s=3_600,
            edrx_cycle_s=20.48,
            paging_window_s=10.24,
        )

    bench(test)


def test_power_saving_that_is_not_granted_is_returned_as_refused(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on('AT+CPSMS=1,,,,"00000101"', "OK")
        off = '+CEREG: 5,1,"33C2","022FE6CF",9,,,"11100000","00111000"'
        b.fake.on("AT+CEREG?", off + "|OK")
        start = b.now()
        granted = await b.module.configure_power_saving(PowerSaving(psm=True, active_time_s=10))
        assert granted == PowerSaving(psm=False, periodic_tau_s=86_400)
        assert b.now() - start == pytest.approx(15, abs=3)

    bench(test)


def test_power_saving_before_registration_waits_for_nothing(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CPSMS=1", "OK")
        b.fake.on("AT+CEREG?", "+CEREG: 5,2|OK")
        start = b.now()
        assert await b.module.configure_power_saving(PowerSaving(psm=True)) == PowerSaving()
        assert b.now() == start

    bench(test)


def test_timers_that_cereg_does_not_tell_are_asked_of_the_vendor_command(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CEREG?", '+CEREG: 2,1,"33C2","022FE6CF",9|OK')
        b.fake.on("AT+QPSMS?", "+QPSMS: 10,3600|OK")
        granted = await b.module.power_saving()
        assert (granted.psm, granted.active_time_s, granted.periodic_tau_s) == (True, 10, 3600)

    bench(test)


def test_power_saving_is_switched_off(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CPSMS=0", "OK")
        b.fake.on("AT+CEREG?", '+CEREG: 5,1,"33C2","022FE6CF",9,,,"11100000","11100000"|OK')
        granted = await b.module.configure_power_saving(PowerSaving())
        assert granted == PowerSaving()
        assert b.fake.count("AT+CPSMS=0") == b.fake.count("AT+CEDRXS=0") == 1

    bench(test)


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


# -- the tables ----------------------------------------------------------------------------------


def test_what_this_family_has_not_is_not_supported(bench: Run) -> None:
    async def test(b: Bench) -> None:
        with pytest.raises(NotSupported, match="bc66 does not support ping"):
            await b.module.ping("192.0.2.1")

    bench(test)


def test_the_registry_knows_the_driver() -> None:
    assert driver("BC66") is Bc66
    assert Bc66.family == "bc66"
    assert Bc66.default_baudrate == 115_200
    assert Bc66.operations


def test_every_entry_of_the_tables_names_its_source() -> None:
    for name, request in Bc66.FAMILY.requests.items():
        assert request.source.strip(), f"{name} has no source"
        assert request.text.startswith("AT")
        re.compile(request.answer)
    for line in Bc66.FAMILY.unsolicited:
        assert line.source.strip(), f"{line.name} has no source"
        re.compile(line.pattern)
    assert Bc66.FAMILY.max_payload_source
