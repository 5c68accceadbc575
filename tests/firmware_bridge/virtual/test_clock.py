"""The event loop's clock: scaled and virtual."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import threading
import time
import tty

import pytest

from firmware_bridge.virtual import clock


def test_a_scaled_loop_sleeps_a_fraction_of_the_time_it_counts() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        started, real = loop.time(), time.monotonic()
        await asyncio.sleep(20.0)
        return loop.time() - started, time.monotonic() - real

    counted, real = clock.run(main, time_scale=200.0)
    assert counted >= 20.0
    assert counted == pytest.approx(real * 200.0, rel=0.2)


def test_timeouts_follow_the_loops_clock() -> None:
    async def main() -> None:
        async with asyncio.timeout(5.0):
            await asyncio.sleep(3600.0)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        clock.run(main, time_scale=100.0)
    assert 0.04 < time.monotonic() - started < 2.0


def test_descriptors_wake_a_scaled_loop() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(4)).upper())
        await writer.drain()
        writer.close()

    async def main() -> bytes:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"ping")
            answer = await reader.readexactly(4)
            writer.close()
            await writer.wait_closed()
            return answer

    assert clock.run(main, time_scale=200.0) == b"PING"


def test_work_takes_its_real_time_and_a_wait_the_scaled_one() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        time.sleep(0.05)  # a machine that is busy with something else
        worked = loop.time() - started
        await asyncio.sleep(10.0)
        return worked, loop.time() - started - worked

    worked, waited = clock.run(main, time_scale=200.0)
    assert 0.05 <= worked < 1.0
    assert 10.0 <= waited < 10.5


def test_a_stall_lets_no_timeout_fire_before_the_answer_that_was_due() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        # Three steps to an answer, each due long before the time-out ...
        loop.call_later(
            1.0,
            lambda: loop.call_later(1.0, lambda: loop.call_later(1.0, answer.set_result, "here")),
        )
        # ... and a machine that stalls for ten times that time-out.
        loop.call_later(0.5, time.sleep, 0.3)
        return await asyncio.wait_for(answer, 6.0)

    assert clock.run(main, time_scale=200.0) == "here"


def test_timers_fire_on_time_and_in_order_however_close_they_are() -> None:
    async def main() -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        fired: list[tuple[int, float]] = []
        started = loop.time()
        for number in range(1, 201):
            loop.call_at(
                started + number * 0.01, lambda n=number: fired.append((n, loop.time() - started))
            )
        await asyncio.sleep(2.5)
        return fired

    fired = clock.run(main, time_scale=200.0)
    assert [number for number, _ in fired] == list(range(1, 201))
    late = sorted(at - number * 0.01 for number, at in fired)
    assert late[0] >= -1e-6
    assert late[len(late) // 2] < 0.005  # not the 200 ms that a millisecond would be


def test_bytes_on_their_way_through_a_pty_are_hardly_ever_overtaken_by_a_timer() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        master, slave = pty.openpty()
        tty.setraw(slave)
        seen: list[str] = []
        loop.add_reader(slave, lambda: seen.append(os.read(slave, 100).decode()))
        started = loop.time()
        for number in range(50):
            loop.call_at(started + number, os.write, master, str(number).encode())
            loop.call_at(started + number + 0.05, seen.append, "timer")
        await asyncio.sleep(60.0)
        loop.remove_reader(slave)
        os.close(master)
        os.close(slave)
        return seen

    seen = clock.run(main, time_scale=200.0)
    assert "".join(entry for entry in seen if entry != "timer") == "".join(map(str, range(50)))
    # A busy machine may hold the kernel's thread up now and then; without the moment's wait nearly
    # all of them are overtaken.
    assert sum(entry == "timer" for entry in seen[1::2]) >= 40


def test_close_timers_do_not_outrun_the_scale() -> None:
    async def main() -> float:
        real = time.monotonic()
        for _ in range(1000):
            await asyncio.sleep(0.01)
        return time.monotonic() - real

    assert clock.run(main, time_scale=100.0) >= 10.0 / 100.0 - 0.01


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e6])
def test_a_scale_out_of_range_is_refused_with_the_range(scale: float) -> None:
    with pytest.raises(ValueError, match="at most 1000"):
        clock.run(lambda: asyncio.sleep(0), time_scale=scale)


# -- virtual time ------------------------------------------------------------------------------


def test_a_virtual_year_takes_no_time_of_the_wall() -> None:
    year_s = 365 * 86_400.0

    async def main() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(year_s)
        return loop.time()

    real = time.monotonic()
    assert clock.run(main, time_scale=None) == pytest.approx(year_s)
    assert time.monotonic() - real < 5.0


def test_virtual_timers_fire_exactly_when_they_are_due() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        fired: list[float] = []
        for number in (3, 1, 2):
            loop.call_at(number * 1e6 + 0.1, lambda: fired.append(loop.time()))
        await asyncio.sleep(4e6)
        return fired

    assert clock.run(main, time_scale=None) == [1e6 + 0.1, 2e6 + 0.1, 3e6 + 0.1]


def test_work_takes_no_virtual_time() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        time.sleep(0.02)
        await asyncio.sleep(0)
        worked = loop.time()
        await asyncio.sleep(1.0)
        return worked, loop.time()

    assert clock.run(main, time_scale=None) == (0.0, 1.0)


def test_what_is_ready_runs_before_the_virtual_clock_moves() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()

        def hop(left: int) -> None:
            if left:
                loop.call_soon(hop, left - 1)
            else:
                answer.set_result("here")

        hop(1000)
        return await asyncio.wait_for(answer, 0.001)

    assert clock.run(main, time_scale=None) == "here"


def test_a_thread_holds_the_virtual_clock_until_it_is_done() -> None:
    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(1.0):
            size = await asyncio.to_thread(lambda: time.sleep(0.05) or 7)
        return size, loop.time()

    assert clock.run(main, time_scale=None) == (7, 0.0)


def test_an_interrupt_ends_a_virtual_run_that_never_ends_by_itself() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(5.0, signal.raise_signal, signal.SIGINT)
        try:
            for _ in range(1000):
                await asyncio.sleep(1.0)
        finally:
            tidied.append(loop.time())

    tidied: list[float] = []
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # may be ignored in background
    try:
        with pytest.raises(KeyboardInterrupt):
            clock.run(main, time_scale=None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert tidied
    assert tidied[0] < 100.0


def test_a_virtual_loop_waits_for_the_world_when_it_has_nothing_planned() -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe()
        came: asyncio.Future[bytes] = loop.create_future()
        loop.add_reader(reader, lambda: came.set_result(os.read(reader, 10)))
        thread = threading.Timer(0.02, os.write, (writer, b"world"))
        thread.start()
        try:
            return await came
        finally:
            thread.join()
            loop.remove_reader(reader)
            os.close(reader)
            os.close(writer)

    assert clock.run(main, time_scale=None) == b"world"
