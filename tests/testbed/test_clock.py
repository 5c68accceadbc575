"""The scaled clock of the event loop."""

from __future__ import annotations

import asyncio
import time

import pytest

from testbed import clock


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


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e6])
def test_a_scale_out_of_range_is_refused_with_the_range(scale: float) -> None:
    with pytest.raises(ValueError, match="at most 1000"):
        clock.run(lambda: asyncio.sleep(0), time_scale=scale)
