"""The BC95/BC68 driver against a scripted module that answers as the Neul transcripts do."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from firmware_bridge import (
    CommandFailed,
    Detached,
    ModuleError,
    ModuleOptions,
    ModuleTimeout,
    NotSupported,
    PayloadTooLarge,
    PowerSaving,
    RegistrationState,
    ReleaseAssistance,
    SimNotReady,
    SocketLost,
    UnexpectedAnswer,
    driver,
)
from firmware_bridge.modules import events as ev
from firmware_bridge.modules.bc95 import Bc95
from firmware_bridge.modules.neul import decode_nsorf, decode_nuestats

NUESTATS = (
    "Signal power:-819|Total power:-761|TX power:230|TX time:1144|RX time:76193"
    "|Cell ID:125414482|ECL:0|SNR:234|EARFCN:2509|PCI:226|RSRQ:-108|OPERATOR MODE:4|OK"
)
NEVER_SENT = (
    "Signal power:-784|Total power:-687|TX power:-32768|TX time:0|RX time:311653"
    "|Cell ID:150360403|ECL:1|SNR:17|EARFCN:2506|PCI:495|RSRQ:-131|OPERATOR MODE:4|OK"
)
BOOT = (
    b"\r\nREBOOTING\r\n\xc3\xe2F\xf8\r\nBoot: Unsigned\r\nSecurity B.. Verified\r\n"
    b"Protocol A.. Verified\r\nApps A...... Verified\r\n"
    b"\r\nREBOOT_CAUSE_APPLICATION_AT\r\nNeul \r\n"
    b"\r\nOK\r\n"
)


class Bench:
    def __init__(self, scripted: Any, **options: Any) -> None:
        self.fake = scripted.Scripted("/dev/ttyUSB0")
        fake = self.fake
        fake.on("AT", "OK")
        fake.on("AT+CMEE=1", "OK")
        fake.on("AT+CEREG=5", "ERROR")
        fake.on("AT+CEREG=4", "ERROR")
        fake.on("AT+CEREG=2", "OK")
        fake.on("AT+CSCON=1", "OK")
        fake.on("AT+NPSMR=1", "OK")
        fake.on("AT+CGMR", "SSB,V150R100C10B200SP1|SECURITY_A,V150R100C20B300SP2|PROTOCOL_A,V1|OK")
        fake.on("AT+QGMR", "BC68JAR01A08|OK")
        fake.on("AT+CGSN=1", "+CGSN:867726031076062|OK")
        fake.on("AT+CIMI", "460111175090234|OK")
        fake.on("AT+CFUN?", "+CFUN:1|OK")
        fake.on("AT+CFUN=1", [(2.0, "+CEREG:0,0000,00000000,9"), (3.0, "OK")])
        fake.on("AT+CEREG?", "+CEREG:2,5,0216,0153803F,9|OK")
        fake.on("AT+CGPADDR", "+CGPADDR:0,10.26.255.38|OK")
        fake.on("AT+NUESTATS", NUESTATS)
        fake.on("^AT\\+NSOCR=.*", "1|OK")
        fake.on("^AT\\+NSOST=1,.*", "1,12|OK")
        fake.on("AT+NSOCL=1", "OK")
        self.module = Bc95(fake.line, options=ModuleOptions(**options))
        self.events: list[ev.ModuleEvent] = []
        self.module.subscribe(self.events.append)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def now(self) -> float:
        return asyncio.get_running_loop().time()


Test = Callable[[Bench], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def bench(scripted: Any) -> Run:
    def run(test: Test, **options: Any) -> None:
        async def main() -> None:
            await test(Bench(scripted, **options))

        scripted.virtually(main)

    return run


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("460111175090234|OK", "READY"),
        ("OK", "AT+CIMI was answered without digits"),
        ("ERROR", "AT+CIMI was answered ERROR"),
        ("+CME ERROR:10", "SIM not inserted"),
    ],
)
def test_the_sim_is_ready_when_it_tells_its_identity(bench: Run, answer: str, state: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CIMI", answer)
        assert await b.module.sim_state() == state

    bench(test)


def test_starting_leaves_the_echo_alone_and_falls_back_on_registration_notices(bench: Run) -> None:
    async def test(b: Bench) -> None:
        identity = await b.module.start()
        assert (identity.manufacturer, identity.model) == ("Quectel", "BC68")
        assert (identity.firmware, identity.imei) == ("BC68JAR01A08", "867726031076062")
        assert identity.iccid == ""
        assert "ATE0" not in b.fake.sent
        assert b.fake.sent[1:7] == [
            "AT+CMEE=1",
            "AT+CEREG=5",
            "AT+CEREG=4",
            "AT+CEREG=2",
            "AT+CSCON=1",
            "AT+NPSMR=1",
        ]

    bench(test)


def test_without_the_vendor_version_the_protocol_version_is_the_firmware(bench: Run) -> None:
    async def test(b: Bench) -> None:
        b.fake.on("AT+QGMR", "ERROR")
        assert (await b.module.start()).firmware == "V1"

    bench(test)


def test_attaching_goes_by_the_imsi_and_sets_the_apn_without_a_reset(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CFUN?", "+CFUN:0|OK")
        b.fake.on("AT+CGDCONT?", '+CGDCONT:0,"IP","other.example"|OK')
        b.fake.on('AT+CGDCONT=1,"IP","iot.example"', "OK")
        b.fake.on("AT+CIMI", "+CME ERROR:14", "460111175090234|OK")
        registration = await b.module.attach(apn="iot.example")
        assert registration.state is RegistrationState.ROAMING
        assert (registration.tac, registration.cell) == ("0216", "0153803F")
        assert registration.access_technology == 9
        assert b.fake.count('AT+CGDCONT=1,"IP","iot.example"') == 1
        assert await b.module.address() == "10.26.255.38"
        b.fake.on("AT+CGDCONT?", '+CGDCONT:1,"IP","IOT.example"|OK')
        await b.module.attach(apn="iot.example")
        assert b.fake.count('AT+CGDCONT=1,"IP","iot.example"') == 1

    bench(test)


def test_without_a_sim_attaching_says_so(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+CIMI", "+CME ERROR:10")
        with pytest.raises(SimNotReady, match="not inserted"):
            await b.module.attach()

    bench(test)


def test_the_radio_report_is_scaled_from_tenths(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        report = await b.module.radio()
        assert (report.rsrp_dbm, report.rssi_dbm) == (-81.9, -76.1)
        assert (report.rsrq_db, report.sinr_db) == (-10.8, 23.4)
        assert (report.tx_power_dbm, report.ecl) == (23.0, 0)
        assert (report.cell, report.earfcn, report.pci, report.band) == ("0779AC52", 2509, 226, 5)
        assert report.tac is None
        assert await b.module.counters() == {"tx_time_s": 1.144, "rx_time_s": 76.193}

    bench(test)


def test_a_module_that_never_sent_has_no_transmit_power(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+NUESTATS", NEVER_SENT)
        report = await b.module.radio()
        assert report.tx_power_dbm is None
        assert (report.rsrp_dbm, report.sinr_db, report.ecl, report.pci) == (-78.4, 1.7, 1, 495)
        b.fake.on("AT+NUESTATS", "OK")
        with pytest.raises(UnexpectedAnswer):
            await b.module.radio()

    bench(test)


def test_a_session_goes_as_the_transcript_has_it(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("188.77.165.106", 16_666, 16_666)
        assert socket.socket_id == 1
        assert b.fake.sent[-1] == "AT+NSOCR=DGRAM,17,16666,1"
        start = b.now()
        b.fake.on("^AT\\+NSOST=1,.*", (0.1, "1,12|OK"))
        receipt = await socket.send(b"Hello World!")
        assert b.fake.sent[-1] == ("AT+NSOST=1,188.77.165.106,16666,12,48656C6C6F20576F726C6421")
        assert receipt.written_at == start
        assert receipt.accepted_at == pytest.approx(start + 0.1)
        b.fake.on("AT+NSORF=1,512", "1,188.77.165.106,16666,12,48656C6C6F20576F726C6421,0|OK", "OK")
        b.fake.later(1.0, "+NSONMI:1,12")
        received = await socket.receive(timeout_s=10)
        assert received.data == b"Hello World!"
        assert received.announced_at == pytest.approx(start + 1.1)
        with pytest.raises(TimeoutError):
            await socket.receive(timeout_s=1)
        await socket.close()
        await socket.close()
        assert b.fake.count("AT+NSOCL=1") == 1
        with pytest.raises(SocketLost):
            await socket.send(b"x")

    bench(test)


@pytest.mark.parametrize(
    ("rai", "flag"),
    [(ReleaseAssistance.AFTER_UPLINK, "0x200"), (ReleaseAssistance.AFTER_DOWNLINK, "0x400")],
)
def test_release_assistance_is_a_flag_of_its_own_command(
    bench: Run, rai: ReleaseAssistance, flag: str
) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("172.16.7.197", 31_415)
        b.fake.on("^AT\\+NSOSTF=.*", "OK")
        receipt = await socket.send(b"\x77", rai)
        assert b.fake.sent[-1] == f"AT+NSOSTF=1,172.16.7.197,31415,{flag},1,77"
        assert receipt.release_assistance == "argument"

    bench(test)


def test_a_send_that_took_another_number_of_octets_is_refused(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("172.16.7.197", 31_415)
        with pytest.raises(UnexpectedAnswer):
            await socket.send(b"\x77")
        with pytest.raises(PayloadTooLarge):
            await socket.send(bytes(513))

    bench(test)


@pytest.mark.parametrize("answer", ["1,188.77.165.106,16666,12,48,0|OK", "1,1.2.3.4,5,x|OK"])
def test_a_datagram_that_does_not_fit_its_length_is_refused(bench: Run, answer: str) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("188.77.165.106", 16_666)
        b.fake.on("AT+NSORF=1,512", answer)
        b.fake.say("+NSONMI:1,12")
        with pytest.raises((UnexpectedAnswer, TimeoutError)):
            await socket.receive(timeout_s=1)

    bench(test)


def test_names_are_not_sent_to_and_no_address_is_no_socket(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        with pytest.raises(NotSupported, match=r"hse\.example"):
            await b.module.open_udp("hse.example", 4500)
        with pytest.raises(ValueError, match="port"):
            await b.module.open_udp("192.0.2.1", 0)
        b.fake.on("AT+CGPADDR", "OK")
        b.fake.on("AT+CGPADDR=1", "OK")
        with pytest.raises(Detached):
            await b.module.open_udp("192.0.2.1", 4500)
        with pytest.raises(NotSupported):
            await b.module.resolve("hse.example")

    bench(test)


def test_a_number_that_the_module_gives_again_replaces_the_lost_socket(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        first = await b.module.open_udp("192.0.2.1", 4500)
        second = await b.module.open_udp("192.0.2.1", 4500)
        assert first.closed and not second.closed
        assert b.kinds() == ["SocketClosed"]

    bench(test)


def test_psm_is_told_and_costs_no_socket(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.say("+CSCON:0|+NPSMR:1")
        await asyncio.sleep(60)
        assert b.kinds() == ["RrcReleased", "PsmEntered"]
        assert not socket.closed
        sent = len(b.fake.sent)
        b.fake.on("^AT\\+NSOST=1,.*", "1,1|OK")
        await socket.send(b"x")
        assert len(b.fake.sent) == sent + 1
        b.fake.say("+NPSMR:0")
        await asyncio.sleep(1)
        assert b.kinds()[-1] == "PsmLeft"

    bench(test)


def test_a_ping_is_timed_by_the_module(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+NPING=10.112.28.10", ["OK", (2.0, "+NPING:10.112.28.10,61,909")])
        assert await b.module.ping("10.112.28.10") == pytest.approx(0.909)
        b.fake.on("AT+NPING=10.112.28.10", ["OK", (2.0, "+NPINGERR:1")])
        with pytest.raises(CommandFailed, match="NPINGERR"):
            await b.module.ping("10.112.28.10")
        b.fake.on("AT+NPING=10.112.28.10", "OK")
        with pytest.raises(ModuleTimeout, match="NPING"):
            await b.module.ping("10.112.28.10", timeout_s=5)
        b.fake.on("AT+NPING=10.112.28.10", ["OK", (2.0, "+NPING:10.112.28.10,61,909")])
        first = asyncio.create_task(b.module.ping("10.112.28.10"))
        await asyncio.sleep(0.1)
        with pytest.raises(ModuleError, match="another ping"):
            await b.module.ping("10.112.28.10")
        await first

    bench(test)


def test_the_ok_that_ends_the_boot_answers_no_command(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on("AT+NRB", [(0.1, BOOT[:30]), (6.0, BOOT[30:])])
        await b.module.reset()
        reboots = [event for event in b.events if isinstance(event, ev.Rebooted)]
        assert [(event.banner, event.expected) for event in reboots] == [("REBOOTING", True)]
        assert (await b.module.radio()).pci == 226

    bench(test)


def test_an_unasked_reboot_loses_the_sockets_and_the_next_command_sets_up_again(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.say(BOOT.replace(b"APPLICATION_AT", b"APPLICATION_WATCHDOG"))
        await asyncio.sleep(8)
        assert socket.closed
        assert [kind for kind in b.kinds() if kind != "NoiseRead"] == ["SocketClosed", "Rebooted"]
        sent = len(b.fake.sent)
        assert (await b.module.radio()).pci == 226
        assert b.fake.sent[sent : sent + 2] == ["AT+CFUN?", "AT+CMEE=1"]

    bench(test)


def test_power_saving_of_the_transcript(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on('AT+CPSMS=1,,,"00100001","00000101"', "OK")
        b.fake.on("AT+CEREG?", '+CEREG:4,1,0216,0153803F,9,,,"00000101","00100001"|OK')
        granted = await b.module.configure_power_saving(
            PowerSaving(psm=True, active_time_s=10, periodic_tau_s=3_600)
        )
        assert granted == PowerSaving(psm=True, active_time_s=10, periodic_tau_s=3_600)

    bench(test)


EVENTS: list[tuple[str, str, dict[str, object]]] = [
    ("+CSCON:1", "RrcConnected", {}),
    ("+CSCON:0", "RrcReleased", {}),
    ("+NPSMR:1", "PsmEntered", {}),
    ("+NPSMR:0", "PsmLeft", {}),
    ("REBOOTING", "Rebooted", {"banner": "REBOOTING"}),
    ("REBOOT_CAUSE_SECURITY_RESET_PIN", "Rebooted", {}),
    ("+NSONMI:1,12", "UnknownEvent", {"name": "received"}),
    ("+NSOSTR:1,100,1", "UnknownEvent", {"name": "sent", "text": "+NSOSTR:1,100,1"}),
    ("+NPING:10.112.28.10,61,909", "UnknownEvent", {"name": "ping"}),
    ("+NSMI:SENT", "UnknownEvent", {"name": "platform"}),
    ("+QLWEVTIND=0", "UnknownEvent", {"name": "platform"}),
    ("+NSOCLI:1", "", {}),
]


@pytest.mark.parametrize(("line", "kind", "fields"), EVENTS, ids=[row[0] for row in EVENTS])
def test_a_line_is_this_event(bench: Run, line: str, kind: str, fields: dict[str, object]) -> None:
    async def test(b: Bench) -> None:
        b.fake.say(line)
        await asyncio.sleep(1)
        assert b.kinds() == ([kind] if kind else [])
        for event in b.events:
            for name, value in fields.items():
                assert getattr(event, name) == value

    bench(test)


@pytest.mark.parametrize(
    ("line", "state", "tac", "cell"),
    [
        ("+CEREG:0,0000,00000000,9", RegistrationState.IDLE, "0000", "00000000"),
        ("+CEREG:2,0000,00000000,9", RegistrationState.SEARCHING, "0000", "00000000"),
        ("+CEREG:5,0216,0153803F,9", RegistrationState.ROAMING, "0216", "0153803F"),
    ],
)
def test_the_registration_notices_of_the_transcript(
    bench: Run, line: str, state: RegistrationState, tac: str, cell: str
) -> None:
    async def test(b: Bench) -> None:
        b.fake.say(line)
        await asyncio.sleep(1)
        (event,) = b.events
        assert isinstance(event, ev.RegistrationChanged)
        found = event.registration
        assert (found.state, found.tac, found.cell) == (state, tac, cell)
        assert found.access_technology == 9

    bench(test)


def test_a_socket_that_the_network_closed_is_an_event(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        socket = await b.module.open_udp("192.0.2.1", 4500)
        b.fake.say("+NSOCLI:1")
        await asyncio.sleep(1)
        assert socket.closed
        assert b.kinds() == ["SocketClosed"]

    bench(test)


def test_the_decoders_take_anything() -> None:
    assert decode_nsorf("") is None
    assert decode_nsorf("1,188.77.165.106,16666,2,4F4B,0") == b"OK"
    assert decode_nuestats(["", "ECL:x", "PCI:7", "no colon"]) == {"PCI": 7}


def test_the_registry_knows_the_driver_and_every_entry_has_a_source() -> None:
    assert driver("bc95") is Bc95
    assert Bc95.default_baudrate == 9_600
    assert all(request.source.strip() for request in Bc95.FAMILY.requests.values())
    assert all(line.source.strip() for line in Bc95.FAMILY.unsolicited)


def test_a_module_without_a_cell_reports_no_levels(bench: Run) -> None:
    async def test(b: Bench) -> None:
        await b.module.start()
        b.fake.on(
            "AT+NUESTATS",
            "Signal power:-32768|Total power:-32768|TX power:-32768|TX time:0|RX time:308"
            "|Cell ID:4294967295|ECL:255|SNR:-32768|EARFCN:4294967295|PCI:65535|RSRQ:-32768|OK",
        )
        report = await b.module.radio()
        told = (report.rsrp_dbm, report.rssi_dbm, report.rsrq_db, report.sinr_db, report.ecl)
        assert told == (None,) * 5
        assert (report.cell, report.earfcn, report.pci, report.band) == (None,) * 4

    bench(test)
