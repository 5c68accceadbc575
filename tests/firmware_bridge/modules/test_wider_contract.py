"""Names, non-IP data, the SIM, and the registry, on the families that have them."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from firmware_bridge import (
    FAMILIES,
    CommandFailed,
    DatagramSocket,
    Module,
    ModuleError,
    ModuleOptions,
    ModuleTimeout,
    NotSupported,
    ReleaseAssistance,
    Status,
    UnexpectedAnswer,
    UnknownFamily,
    driver,
    families,
    open_module,
)
from firmware_bridge.modules import events as ev
from firmware_bridge.modules import registry
from firmware_bridge.modules.nonip import decode_crtdcp, largest_message

Test = Callable[[Any, Any, list[ev.ModuleEvent]], Awaitable[None]]
Run = Callable[..., None]


def drive(scripted: Any, family: str, test: Test, **options: Any) -> None:
    """Run `test` with a driver of `family`, a scripted module, and the events."""

    async def main() -> None:
        fake = scripted.Scripted()
        fake.on("^AT(E0|\\+CMEE=1|\\+CEREG=5|\\+CSCON=1|\\+NPSMR=1|\\+QNBIOTEVENT=1,1)?", "OK")
        fake.on('AT+QCFG="dsevent",1', "OK")
        fake.on("AT+CFUN?", "+CFUN: 1|OK")
        fake.on("AT+CGPADDR", '+CGPADDR: 1,"10.26.255.38"|OK')
        module = driver(family)(fake.line, options=ModuleOptions(**options))
        seen: list[ev.ModuleEvent] = []
        module.subscribe(seen.append)
        await test(module, fake, seen)

    scripted.virtually(main)


@pytest.fixture(params=sorted(FAMILIES))
def run(request: pytest.FixtureRequest, scripted: Any) -> Run:
    """Run a test on each family."""
    return partial(drive, scripted, request.param)


@pytest.fixture
def bc66(scripted: Any) -> Run:
    return partial(drive, scripted, "bc66")


@pytest.fixture
def bc660k(scripted: Any) -> Run:
    return partial(drive, scripted, "bc660k")


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        [
            '+QIURC: "dnsgip",0,2,600',
            '+QIURC: "dnsgip","192.0.2.1"',
            '+QIURC: "dnsgip","2001:db8::1"',
        ],
        ["+QIDNSGIP: 0,2,600", '+QIDNSGIP: "192.0.2.1"', '+QIDNSGIP: "2001:db8::1"'],
    ],
    ids=["bc66 form", "bc660k form"],
)
def test_a_name_is_resolved_by_the_network(run: Run, told: list[str]) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        if module.family == "bc95":
            with pytest.raises(NotSupported):
                await module.resolve("hse.example")
            return
        fake.on('AT+QIDNSGIP=1,"hse.example"', ["OK", (1.0, "|".join(told))])
        assert await module.resolve("hse.example") == ("192.0.2.1", "2001:db8::1")
        assert seen == []

    run(test)


def test_a_name_that_does_not_exist_tells_the_result(bc66: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        fake.on("^AT\\+QIDNSGIP=.*", ["OK", (1.0, '+QIURC: "dnsgip",565')])
        with pytest.raises(CommandFailed, match="DNS failed") as caught:
            await module.resolve("hse.example")
        assert caught.value.code == 565
        fake.on("^AT\\+QIDNSGIP=.*", "OK")
        with pytest.raises(ModuleTimeout, match=r"hse\.example"):
            await module.resolve("hse.example")

    bc66(test)


def test_one_name_at_a_time(bc66: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        fake.on(
            "^AT\\+QIDNSGIP=.*",
            ["OK", (1.0, '+QIURC: "dnsgip",0,1,600'), (1.1, '+QIURC: "dnsgip","192.0.2.1"')],
        )
        first = asyncio.create_task(module.resolve("hse.example"))
        await asyncio.sleep(0.5)
        with pytest.raises(ModuleError, match="another name"):
            await module.resolve("other.example")
        assert await first == ("192.0.2.1",)
        fake.say('+QIURC: "dnsgip",0,1,600')
        await asyncio.sleep(1)
        assert [type(event).__name__ for event in seen] == ["UnknownEvent"]

    bc66(test)


# -- non-IP data ---------------------------------------------------------------------------------


def test_non_ip_messages_go_and_come_over_the_control_plane(run: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        context = module.FAMILY.context_id
        fake.on(f'AT+CGDCONT={context},"NONIP","nidd.example"', "OK")
        fake.on("AT+CRTDCP=1", "OK")
        fake.on("AT+CRTDCP=?", "+CRTDCP: (0-1),(0-10),(1600)|OK")
        fake.on("^AT\\+CSODCP=.*", (0.1, "OK"))
        way: DatagramSocket = await module.open_non_ip("nidd.example")
        assert (way.host, way.port, way.max_payload) == ("", 0, 1_600)
        start = asyncio.get_running_loop().time()
        receipt = await way.send(b"1112", ReleaseAssistance.AFTER_DOWNLINK)
        assert fake.sent[-1] == f'AT+CSODCP={context},4,"31313132",2'
        assert receipt.accepted_at == pytest.approx(start + 0.1)
        assert receipt.release_assistance == "argument"
        await way.send(b"1")
        assert fake.sent[-1] == f'AT+CSODCP={context},1,"31"'
        fake.say(f"+CRTDCP: {context},4,31313132")
        assert (await way.receive(1)).data == b"1112"
        fake.say(f'+CRTDCP:{context},1,"0A"')
        assert (await way.receive(1)).data == b"\n"
        await way.close()
        assert way.closed
        fake.say(f"+CRTDCP: {context},1,00")
        await asyncio.sleep(1)
        assert [type(event).__name__ for event in seen] == ["UnknownEvent"]

    run(test)


def test_a_firmware_without_non_ip_data_is_said_so(run: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        with pytest.raises(NotSupported, match="non-IP data"):
            await module.open_non_ip()

    run(test)


def test_release_assistance_that_non_ip_data_does_not_take_is_not_supported(run: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        fake.on("AT+CRTDCP=1", "OK")
        way = await module.open_non_ip()
        assert way.max_payload == 512
        with pytest.raises(NotSupported, match="release assistance"):
            await way.send(b"x", ReleaseAssistance.AFTER_UPLINK)
        fake.on("^AT\\+CSODCP=.*", "+CME ERROR: 30")
        with pytest.raises(CommandFailed, match="no network service"):
            await way.send(b"x", ReleaseAssistance.AFTER_UPLINK)

    run(test)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("+CRTDCP: 0,4,31313132", (0, b"1112")),
        ('+CRTDCP:1,2,"0aFF"', (1, b"\n\xff")),
        ("+CRTDCP: 0,3,31313132", None),
        ("+CRTDCP: 0,4", None),
        ("+CRTDCP: x,1,00", None),
        ("+CRTDCP: 0,1,zz", None),
    ],
)
def test_a_non_ip_notice_is_read(line: str, found: tuple[int, bytes] | None) -> None:
    assert decode_crtdcp(line) == found


def test_the_longest_message_is_read() -> None:
    assert largest_message("+CRTDCP: (0-1),(0-10),(1600)") == 1_600
    assert largest_message("+CRTDCP: (0-1),(0-10),(1-1358)") == 1_358
    assert largest_message("") is None


# -- the SIM -------------------------------------------------------------------------------------


def test_an_apdu_goes_to_the_sim_and_back(run: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        fake.on('AT+CSIM=10,"0020000100"', '+CSIM: 4,"63C3"|OK')
        assert await module.apdu(bytes.fromhex("0020000100")) == b"\x63\xc3"
        fake.on('AT+CCHO="A0000000871002"', "+CCHO: 1|OK")
        fake.on('AT+CGLA=1,10,"01A4000002"', "+CGLA: 4,9000|OK")
        fake.on("AT+CCHC=1", "OK")
        channel = await module.open_channel(bytes.fromhex("A0000000871002"))
        assert channel == 1
        assert await module.apdu(bytes.fromhex("01A4000002"), channel) == b"\x90\x00"
        await module.close_channel(channel)
        assert fake.sent[-1] == "AT+CCHC=1"

    run(test)


def test_a_bare_channel_number_is_read_too(run: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        fake.on('AT+CCHO="A000"', "3|OK")
        assert await module.open_channel(bytes.fromhex("A000")) == 3

    run(test)


def test_a_sim_answer_whose_length_is_wrong_is_refused(run: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        fake.on("^AT\\+CSIM=.*", '+CSIM: 6,"63C3"|OK')
        with pytest.raises(UnexpectedAnswer):
            await module.apdu(bytes(5))
        fake.on("^AT\\+CCHO=.*", "OK")
        with pytest.raises(UnexpectedAnswer):
            await module.open_channel(b"\xa0")
        with pytest.raises(ValueError, match="4 octets"):
            await module.apdu(b"\x00")

    run(test)


# -- what differs --------------------------------------------------------------------------------


def test_the_bc660k_is_told_of_its_deep_sleep_and_of_waking(bc660k: Run) -> None:
    async def test(module: Any, fake: Any, seen: list[ev.ModuleEvent]) -> None:
        fake.say("RDY|+CFUN: 1|+CPIN: READY|+CEREG: 2")
        await asyncio.sleep(1)
        kinds = [type(event).__name__ for event in seen]
        assert kinds == ["Rebooted", "UnknownEvent", "SimChanged", "RegistrationChanged"]
        await module.ready()
        assert 'AT+QCFG="dsevent",1' in fake.sent
        fake.say('+QNBIOTEVENT: "ENTER DEEPSLEEP"')
        await asyncio.sleep(1)
        fake.say("+QATWAKEUP|+IP: 10.1.2.3")
        await asyncio.sleep(1)
        assert [type(event).__name__ for event in seen[4:]] == [
            "DeepSleepEntered",
            "DeepSleepLeft",
            "AddressChanged",
        ]
        sent = len(fake.sent)
        fake.on("AT+CESQ", "+CESQ: 16,7,255,255,22,38|OK")
        await module.ask("signal")
        assert fake.sent[sent:] == ["AT+CESQ"]

    bc660k(test)


def test_the_context_of_the_bc660k_is_zero_unless_told() -> None:
    assert driver("bc660k").FAMILY.context_id == 0  # type: ignore[attr-defined]
    assert driver("bc66").FAMILY.context_id == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_names_sources_states_and_limits(name: str) -> None:
    cls = driver(name)
    family = cls.FAMILY  # type: ignore[attr-defined]
    assert issubclass(cls, Module)
    assert (cls.family, cls.default_baudrate) == (name, family.baudrate)
    assert all(request.source.strip() for request in family.requests.values())
    assert all(line.source.strip() for line in family.unsolicited)
    assert set(cls.operations.values()) <= set(Status)
    assert {"identify", "attach", "udp", "radio", "power_saving"} <= set(cls.operations)
    assert family.max_payload_source and family.title and family.chipset
    for request in family.requests.values():
        re.compile(request.answer)
        assert request.text.startswith("AT")


def test_an_unknown_family_lists_the_known_ones() -> None:
    with pytest.raises(UnknownFamily) as caught:
        driver("bc77")
    assert caught.value.known == tuple(sorted(families()))
    assert "bc66" in caught.value.hint
    assert isinstance(caught.value, LookupError)


def test_other_distributions_can_add_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "toy"
        value = "firmware_bridge.modules.bc66:Bc66"

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()])
    assert families()["toy"] == Point.value
    assert driver("toy").family == "bc66"


async def test_a_module_is_opened_by_family_and_address() -> None:
    module = await open_module("bc66", "loop://", options=ModuleOptions(max_payload=100))
    assert module.family == "bc66"
    assert module.options.max_payload == 100
    await module.close()
