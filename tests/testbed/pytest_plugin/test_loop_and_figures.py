"""The lab's loop, and the figures of what is repeated, in this process."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Iterator
from typing import Any

import pytest

from firmware_bridge import ModuleSilent
from testbed.analysis.limits import LimitKind
from testbed.analysis.verdicts import Grade
from testbed.errors import LabFault, UsageError
from testbed.pytest_plugin.loop import LabLoop
from testbed.pytest_plugin.measuring import Measurer
from testbed.pytest_plugin.outcomes import Verdicts, lab_fault


class Item:
    """As much of a test as verdicts need."""

    def __init__(self) -> None:
        self.user_properties: list[tuple[str, object]] = []


@pytest.fixture
def loop() -> Iterator[LabLoop]:
    lab = LabLoop(None)
    yield lab
    lab.close()


@pytest.fixture
def measure(loop: LabLoop) -> Measurer:
    item: Any = Item()
    return Measurer(loop, Verdicts(item))


def test_virtual_time_passes_only_while_something_is_asked(loop: LabLoop) -> None:
    async def tick_for_ever() -> None:
        while True:
            await asyncio.sleep(1.0)

    async def begin() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(tick_for_ever())

    ticking = loop.wait(begin())
    before = loop.loop.time()
    time.sleep(0.02)
    assert loop.loop.time() == before
    loop.wait(asyncio.sleep(3600))
    assert loop.loop.time() == before + 3600

    async def end() -> None:
        ticking.cancel()

    loop.wait(end())


def test_operations_of_one_asynchronous_test_go_on_side_by_side(loop: LabLoop) -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def main() -> str:
        waiting = loop.call(queue.get())
        await asyncio.sleep(0.01)
        await loop.call(queue.put("came"))
        return str(await waiting)

    assert asyncio.run(main()) == "came"


def test_a_wait_that_is_cancelled_cancels_what_it_waits_for(loop: LabLoop) -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await loop.call(long())

    asyncio.run(main())
    loop.wait(asyncio.sleep(0))
    assert ended == ["cancelled"]


def test_an_operation_inside_the_loop_is_awaited_there(loop: LabLoop) -> None:
    async def inner() -> int:
        return 7

    async def outer() -> int:
        return int(await loop.call(inner()))

    assert loop.wait(outer()) == 7


def test_what_an_operation_raises_reaches_the_test(loop: LabLoop) -> None:
    async def broken() -> None:
        raise LabFault("gone")

    with pytest.raises(LabFault, match="gone"):
        loop.wait(broken())
    future = loop.submit(asyncio.sleep(0, "next"))
    assert future.result() == "next"
    assert isinstance(future, concurrent.futures.Future)


def test_durations_are_read_from_the_clock_of_the_lab(loop: LabLoop, measure: Measurer) -> None:
    found = measure(lambda: loop.wait(asyncio.sleep(2.5)), n=12, name="nap", warm_up=1)
    assert set(found.values) == {2.5} and len(found) == 12
    assert (found.name, found.unit, found.median.value) == ("nap", "s", 2.5)
    assert found.judge(LimitKind.MAX, "2600 ms").grade is Grade.PASS
    assert found.judge(LimitKind.MAX, "2400 ms", "p95").grade is not Grade.PASS
    assert found.judge(LimitKind.MIN, "3 s").grade is Grade.FAIL


def test_what_times_out_counts_as_longer_than_the_time_out(measure: Measurer) -> None:
    numbers = iter(range(40))

    def action() -> float:
        number = next(numbers)
        if number % 2:
            raise TimeoutError
        return 1.0 + number % 3

    found = measure(action, n=40, unit="s", timeout_s=10.0)
    assert sum(found.censored) == 20
    worst = found.figure("p95")
    assert worst.censored and worst.value == 10.0
    judgement = found.judge(LimitKind.MAX, "20 s", "p95")
    assert judgement.grade is Grade.INCONCLUSIVE
    assert "beyond the time-out of 10 s" in judgement.reason
    assert found.judge(LimitKind.MAX, "5 s", "p95").grade is Grade.FAIL


def test_a_time_out_without_a_bound_and_a_silent_module_are_the_tests_own(
    measure: Measurer,
) -> None:
    def late() -> None:
        raise TimeoutError("late")

    def silent() -> None:
        raise ModuleSilent("AT", 3.0)

    with pytest.raises(TimeoutError, match="late"):
        measure(late, n=3)
    with pytest.raises(ModuleSilent):
        measure(silent, n=3, timeout_s=5.0)


def test_mistakes_in_a_measurement_are_named(measure: Measurer) -> None:
    with pytest.raises(UsageError, match="at least once"):
        measure(lambda: None, n=0)
    with pytest.raises(UsageError, match="'mJ'"):
        measure(lambda: 1.0, n=3, unit="mJ")
    with pytest.raises(UsageError, match="returned NoneType"):
        measure(lambda: None, n=3, unit="J")
    found = measure(lambda: 1.0, n=12, unit="J", name="charge")
    with pytest.raises(UsageError, match="12 has no unit"):
        found.judge(LimitKind.MAX, "12")
    with pytest.raises(UsageError, match="'p50'"):
        found.figure("p50")


def test_a_fault_is_told_with_its_next_step_and_other_errors_are_not_the_labs() -> None:
    assert lab_fault(ValueError("no")) is None
    assert lab_fault(LabFault("the HSE is away", hint="start it")) == (
        "lab fault: the HSE is away\nnext: start it"
    )
    assert (lab_fault(UsageError("no such figure")) or "").startswith("usage: ")
    assert "next: check power" in (lab_fault(ModuleSilent("AT", 3.0)) or "")
