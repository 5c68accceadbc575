"""The engine against a scripted module, under a clock that jumps."""

import asyncio
import re
from typing import Any

import pytest

from firmware_bridge import (
    CommandFailed,
    LineLost,
    ModuleRebooted,
    ModuleSilent,
    ModuleTimeout,
)
from firmware_bridge.at import (
    AtEngine,
    AtLog,
    BodyRule,
    Command,
    Direction,
    Event,
    FollowUp,
    Noise,
    Syntax,
    Urc,
    UrcRule,
)

SYNTAX = Syntax(
    urcs=(
        UrcRule(name="boot", pattern=re.compile(r"RDY$"), banner=True),
        UrcRule(name="registration", pattern=re.compile(r"\+CEREG: ?\d")),
        UrcRule(name="received", pattern=re.compile(r'\+QIURC: "recv"')),
    )
)
SEND = Command(
    text="AT+QISEND=0,1,00",
    follow_up=FollowUp(pattern=re.compile(r"SEND (?:(?P<ok>OK)|FAIL)$"), timeout_s=30),
)
CEREG = Command(text="AT+CEREG?", answer=re.compile(r"\+CEREG: ?\d,\d{1,2}(,|$)"))


class Bench:
    """Engine and scripted module, with what came unasked."""

    def __init__(self, scripted: Any, **options: Any) -> None:
        self.module = scripted.Scripted()
        self.urcs: list[Urc] = []
        self.noises: list[Noise] = []
        self.log = AtLog()
        self.engine = AtEngine(
            self.module.line,
            options.pop("syntax", SYNTAX),
            log=self.log,
            on_urc=self.urcs.append,
            on_noise=self.noises.append,
            **options,
        )
        self.module.on("AT", "OK")
        self.module.on("AT+CFUN?", "+CFUN: 1|OK")


def test_an_exchange_has_its_lines_and_its_times(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+CEREG?", [(0.04, "+CEREG: 5,1"), (0.1, "OK")])
        start = asyncio.get_running_loop().time()
        response = await bench.engine.execute(CEREG)
        assert response.lines == ["+CEREG: 5,1"]
        assert response.final == "OK"
        assert response.written_at == start
        assert response.began_at == pytest.approx(start + 0.04)
        assert response.final_at == response.done_at == pytest.approx(start + 0.1)

    scripted.virtually(main)


def test_commands_queue_and_each_gets_its_own_answer(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        for index in range(20):
            bench.module.on(f"AT+X={index}", (0.01, f"+X: {index}|OK"))
        responses = await asyncio.gather(
            *(
                bench.engine.execute(Command(text=f"AT+X={index}", answer=re.compile(r"\+X: ")))
                for index in range(20)
            )
        )
        assert [response.lines for response in responses] == [[f"+X: {i}"] for i in range(20)]

    scripted.virtually(main)


@pytest.mark.parametrize("echo", [False, True])
def test_echo_makes_no_difference(scripted: Any, echo: bool) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.echo = echo
        bench.module.on("ATI", "Quectel_Ltd|Quectel_BC66|Revision: BC66NBR01A10|OK")
        response = await bench.engine.execute(Command(text="ATI", bare=True))
        assert response.lines == ["Quectel_Ltd", "Quectel_BC66", "Revision: BC66NBR01A10"]

    scripted.virtually(main)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("ERROR", None),
        ("+CME ERROR: 513", 513),
        ("+CMS ERROR: 500", 500),
        ("+CME ERROR: operation not allowed", None),
    ],
)
def test_a_refusal_is_raised_with_its_code(scripted: Any, reply: str, code: int | None) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+NMGS=1,00", reply)
        with pytest.raises(CommandFailed) as caught:
            await bench.engine.execute(Command(text="AT+NMGS=1,00"))
        assert (caught.value.text, caught.value.code) == (reply, code)
        assert (await bench.engine.execute(Command(text="AT"))).final == "OK"

    scripted.virtually(main)


def test_a_second_result_has_its_own_time(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+QISEND=0,1,00", [(4.0, "OK"), (29.0, "SEND OK")])
        start = asyncio.get_running_loop().time()
        response = await bench.engine.execute(SEND)
        assert response.follow_up == "SEND OK"
        assert response.final_at == pytest.approx(start + 4)
        assert response.done_at == pytest.approx(start + 29)

    scripted.virtually(main)


def test_a_bad_second_result_is_a_failed_command(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+QISEND=0,1,00", "OK|SEND FAIL")
        with pytest.raises(CommandFailed, match="SEND FAIL"):
            await bench.engine.execute(SEND)

    scripted.virtually(main)


def test_the_payload_is_sent_after_the_prompt(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+QISEND=0,5", (0.5, b"\r\n> "))
        bench.module.later(0.6, b"\r\nOK\r\n")
        start = asyncio.get_running_loop().time()
        response = await bench.engine.execute(
            Command(text="AT+QISEND=0,5", prompt=b">", payload=b"hello")
        )
        assert b"".join(bench.module.raw) == b"AT+QISEND=0,5\rhello"
        assert response.written_at == pytest.approx(start + 0.5)

    scripted.virtually(main)


def test_a_counted_body_is_handed_over_whole(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+QIRD=0,512", b"\r\n+QIRD: 6\r\nOK\r\nOK\r\n\r\nOK\r\n")
        response = await bench.engine.execute(
            Command(
                text="AT+QIRD=0,512",
                answer=re.compile(r"\+QIRD: "),
                body=BodyRule(header=re.compile(r"\+QIRD: (?P<n>\d+)$")),
            )
        )
        assert response.bodies == [b"OK\r\nOK"]

    scripted.virtually(main)


def test_silence_is_told_from_a_half_answer(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+A", None)
        bench.module.on("AT+B", "+B: 1")
        with pytest.raises(ModuleSilent, match="silent"):
            await bench.engine.execute(Command(text="AT+A", timeout_s=2))
        with pytest.raises(ModuleTimeout, match=r"\+B: 1") as caught:
            await bench.engine.execute(Command(text="AT+B", answer=re.compile(r"\+B"), timeout_s=2))
        assert not isinstance(caught.value, ModuleSilent)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.seen == ("+B: 1",)

    scripted.virtually(main)


@pytest.mark.parametrize("late_by", [0.1, 1.0, 2.5])
def test_a_late_response_never_answers_the_next_command(scripted: Any, late_by: float) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+SLOW", (2.0 + late_by, "+CEREG: 5,3|OK"))
        bench.module.on("AT+CFUN?", (late_by + 0.1, "+CFUN: 1|OK"))
        bench.module.on("AT+CEREG?", (0.05, "+CEREG: 5,1|OK"))
        with pytest.raises(ModuleTimeout):
            await bench.engine.execute(Command(text="AT+SLOW", timeout_s=2))
        response = await bench.engine.execute(CEREG)
        assert response.lines == ["+CEREG: 5,1"]
        assert bench.module.sent == ["AT+SLOW", "AT+CFUN?", "AT+CEREG?"]

    scripted.virtually(main)


def test_without_the_marker_a_late_response_would_answer_the_next_command(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+SLOW", (2.5, "+CEREG: 5,3|OK"))
        bench.module.on("AT+CEREG?", (1.0, "+CEREG: 5,1|OK"))
        with pytest.raises(ModuleTimeout):
            await bench.engine.execute(Command(text="AT+SLOW", timeout_s=2))
        bench.engine._unanswered = None
        response = await bench.engine.execute(CEREG)
        assert response.lines == ["+CEREG: 5,3"]

    scripted.virtually(main)


def test_the_marker_is_never_the_command_that_timed_out(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+CFUN=1", (20.0, "OK"))
        bench.module.on("AT+CMEE?", (19.0, "+CMEE: 1|OK"))
        with pytest.raises(ModuleTimeout):
            await bench.engine.execute(Command(text="AT+CFUN=1", timeout_s=18))
        bench.module.on("AT+CMEE?", (2.5, "+CMEE: 1|OK"))
        await bench.engine.execute(Command(text="AT"))
        assert bench.module.sent == ["AT+CFUN=1", "AT+CMEE?", "AT"]

    scripted.virtually(main)


def test_a_module_that_knows_no_marker_is_waited_for_until_it_is_quiet(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+CFUN?", "ERROR")
        bench.module.on("AT+SLOW", (2.5, "OK"))
        with pytest.raises(ModuleTimeout):
            await bench.engine.execute(Command(text="AT+SLOW", timeout_s=2))
        assert (await bench.engine.execute(Command(text="AT"))).final == "OK"
        assert bench.module.sent[-1] == "AT"

    scripted.virtually(main)


def test_a_module_that_stays_dumb_is_reported_silent(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.deaf = True
        for _ in range(2):
            with pytest.raises(ModuleSilent):
                await bench.engine.execute(Command(text="AT", timeout_s=1))
        bench.module.deaf = False
        assert (await bench.engine.execute(Command(text="AT"))).final == "OK"

    scripted.virtually(main)


def test_a_prompt_that_comes_too_late_is_escaped_from(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+QISEND=0,5", (6.0, b"\r\n> "))
        with pytest.raises(ModuleTimeout):
            await bench.engine.execute(Command(text="AT+QISEND=0,5", prompt=b">", payload=b"hello"))
        await bench.engine.execute(Command(text="AT"))
        assert b"hello" not in b"".join(bench.module.raw)
        assert b"\x1b" in bench.module.raw

    scripted.virtually(main)


def test_a_late_second_result_never_answers_the_next_command(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+QISEND=0,1,00", [(0.1, "OK"), (33.0, "SEND OK")])
        with pytest.raises(ModuleTimeout):
            await bench.engine.execute(SEND)
        bench.module.on("AT+QISEND=0,1,00", [(0.1, "OK"), (9.0, "SEND FAIL")])
        with pytest.raises(CommandFailed, match="SEND FAIL"):
            await bench.engine.execute(SEND)
        assert [noise.data for noise in bench.noises] == [b"SEND OK"]

    scripted.virtually(main)


def test_a_cancelled_command_is_treated_as_a_timed_out_one(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+SLOW", (1.0, "+CEREG: 5,3|OK"))
        bench.module.on("AT+CFUN?", (1.0, "+CFUN: 1|OK"))
        bench.module.on("AT+CEREG?", (0.01, "+CEREG: 5,1|OK"))
        task = asyncio.create_task(bench.engine.execute(Command(text="AT+SLOW")))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await bench.engine.execute(CEREG)).lines == ["+CEREG: 5,1"]

    scripted.virtually(main)


def test_a_boot_banner_aborts_the_outstanding_command(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+CEREG?", (0.1, "RDY|+CFUN: 1|+CPIN: READY"))
        with pytest.raises(ModuleRebooted) as caught:
            await bench.engine.execute(CEREG)
        assert (caught.value.command, caught.value.banner) == ("AT+CEREG?", "RDY")
        assert [urc.name for urc in bench.urcs] == ["boot"]
        assert (await bench.engine.execute(Command(text="AT"))).final == "OK"

    scripted.virtually(main)


def test_unsolicited_lines_are_handed_on_with_their_time(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        start = asyncio.get_running_loop().time()
        bench.module.later(3.0, "+CEREG: 5")
        await asyncio.sleep(5)
        assert [(urc.text, urc.at - start) for urc in bench.urcs] == [
            ("+CEREG: 5", pytest.approx(3.0))
        ]

    scripted.virtually(main)


def test_a_callback_that_fails_does_not_stop_the_engine(
    scripted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        bench = Bench(scripted)

        def broken(urc: Urc) -> None:
            raise KeyError(urc.name)

        bench.engine.on_urc = broken
        bench.module.on("AT+CEREG?", "+CEREG: 2|+CEREG: 5,1|OK")
        assert (await bench.engine.execute(CEREG)).lines == ["+CEREG: 5,1"]

    scripted.virtually(main)
    assert "a callback failed" in caplog.text


def test_a_line_that_vanishes_fails_the_outstanding_and_all_later_commands(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+CEREG?", None)
        task = asyncio.create_task(bench.engine.execute(CEREG))
        await asyncio.sleep(0.1)
        bench.module.line.break_off("No such device")
        with pytest.raises(LineLost, match="No such device"):
            await task
        with pytest.raises(LineLost):
            await bench.engine.execute(Command(text="AT"))
        assert bench.engine.lost

    scripted.virtually(main)


def test_closing_fails_the_outstanding_command(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+CEREG?", None)
        task = asyncio.create_task(bench.engine.execute(CEREG))
        await asyncio.sleep(0.1)
        await bench.engine.close()
        with pytest.raises(LineLost):
            await task

    scripted.virtually(main)


def test_probing_a_sleeping_module_raises_nothing_and_leaves_no_stray_answer(
    scripted: Any,
) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT", None, (0.9, "OK"), (1.2, "OK"))
        assert not await bench.engine.probe("AT", 1.0)
        assert await bench.engine.probe("AT", 1.0)
        bench.module.on("AT+CEREG?", (0.01, "+CEREG: 5,1|OK"))
        assert (await bench.engine.execute(CEREG)).lines == ["+CEREG: 5,1"]
        assert bench.module.sent == ["AT", "AT", "AT+CFUN?", "AT+CEREG?"]

    scripted.virtually(main)


def test_the_gap_between_commands_is_kept(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted, syntax=Syntax(command_gap_s=0.02))
        first = await bench.engine.execute(Command(text="AT"))
        second = await bench.engine.execute(Command(text="AT"))
        assert second.written_at - first.done_at == pytest.approx(0.02)

    scripted.virtually(main)


def test_a_time_scale_stretches_every_time_out(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted, time_scale=10)
        bench.module.on("AT+SLOW", (45.0, "OK"))
        assert (await bench.engine.execute(Command(text="AT+SLOW"))).final == "OK"

    scripted.virtually(main)


def test_a_time_out_that_the_loop_is_late_for_is_put_off(scripted: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        bench = Bench(scripted)
        bench.module.on("AT+SLOW", (4.9, "OK"))

        def stall() -> None:
            loop.clock.elapsed += 30.0  # type: ignore[attr-defined]

        loop.call_later(4.8, stall)
        assert (await bench.engine.execute(Command(text="AT+SLOW"))).final == "OK"

    scripted.virtually(main)


def test_the_log_has_every_octet_both_ways(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        await bench.engine.execute(Command(text="AT"))
        assert [(entry.direction, entry.data) for entry in bench.log.entries()] == [
            (Direction.TO_MODULE, b"AT\r"),
            (Direction.FROM_MODULE, b"\r\nOK\r\n"),
        ]

    scripted.virtually(main)


def test_after_connect_the_line_carries_data_until_told_otherwise(scripted: Any) -> None:
    async def main() -> None:
        data: list[bytes] = []
        bench = Bench(scripted, on_data=lambda event: data.append(event.data))
        bench.module.on("ATD*99#", b"\r\nCONNECT 150000000\r\n~\xff\x7d#OK\r\n")
        dial = Command(text="ATD*99#", success=re.compile("CONNECT"), data_mode=True)
        assert (await bench.engine.execute(dial)).final == "CONNECT 150000000"
        bench.engine.write_raw(b"~\xff}#")
        bench.module.say(b"more\r\n")
        await asyncio.sleep(1)
        assert b"".join(data) == b"~\xff}#OK\r\nmore\r\n"
        assert bench.module.raw[-1] == b"~\xff}#"
        bench.engine.leave_data_mode()
        bench.module.raw.clear()
        bench.module._partial = b""
        assert (await bench.engine.execute(Command(text="AT"))).final == "OK"

    scripted.virtually(main)


def test_resynchronising_drops_what_is_still_to_come(scripted: Any) -> None:
    async def main() -> None:
        bench = Bench(scripted)
        bench.module.on("AT+SLOW", (2.5, "OK"))
        bench.module.on("AT+CFUN?", (1.0, "+CFUN: 1|OK"))
        with pytest.raises(ModuleTimeout):
            await bench.engine.execute(Command(text="AT+SLOW", timeout_s=2))
        await bench.engine.resynchronise()
        assert bench.module.sent == ["AT+SLOW", "AT+CFUN?"]
        assert [noise.data for noise in bench.noises] == [b"OK"]
        await bench.engine.resynchronise()
        assert not bench.engine.busy

    scripted.virtually(main)


def test_an_observer_sees_everything_in_the_order_in_which_it_came(scripted: Any) -> None:
    async def main() -> None:
        seen: list[tuple[str, str]] = []

        def observe(event: Event) -> None:
            seen.append((type(event).__name__, getattr(event, "text", "")))

        bench = Bench(scripted, on_event=observe)
        bench.module.echo = True
        bench.module.on("AT+CSQ", "+CEREG: 1|+CSQ: 18,99|OK")
        await bench.engine.execute(Command(text="AT+CSQ", bare=True))
        bench.module.say("what")
        await asyncio.sleep(1)
        assert seen == [
            ("Echo", "AT+CSQ"),
            ("Urc", "+CEREG: 1"),
            ("Text", "+CSQ: 18,99"),
            ("Final", "OK"),
            ("Noise", ""),
        ]

    scripted.virtually(main)
