"""Timers that know no clock."""

from __future__ import annotations

from firmware_bridge.virtual.scheduler import Timers


def test_what_is_due_runs_in_order_each_at_its_own_time() -> None:
    timers, seen = Timers(), []
    timers.at(2.0, lambda: seen.append(("b", timers.now)))
    timers.at(1.0, lambda: seen.append(("a", timers.now)))
    timers.at(2.0, lambda: seen.append(("c", timers.now)))
    timers.run(5.0)
    assert seen == [("a", 1.0), ("b", 2.0), ("c", 2.0)]
    assert timers.now == 5.0


def test_what_a_callback_asks_for_is_done_in_the_same_run_when_due() -> None:
    timers, seen = Timers(), []

    def again() -> None:
        seen.append(timers.now)
        timers.after(1.0, again)

    timers.at(1.0, again)
    timers.run(3.5)
    assert seen == [1.0, 2.0, 3.0]
    assert timers.next() == 4.0


def test_a_cancelled_timer_neither_runs_nor_counts() -> None:
    timers = Timers()
    ran: list[int] = []
    timer = timers.at(1.0, lambda: ran.append(1))
    timer.cancel()
    assert timers.next() is None
    timers.run(2.0)
    assert ran == []
    timer.cancel()  # again, harmless


def test_the_past_means_now_and_time_never_runs_back() -> None:
    timers, seen = Timers(), []
    timers.run(10.0)
    timers.at(3.0, lambda: seen.append(timers.now))
    assert timers.next() == 10.0
    timers.run(9.0)
    assert timers.now == 10.0
    timers.run(10.0)
    assert seen == [10.0]


def test_clearing_forgets_everything() -> None:
    timers = Timers()
    timers.at(1.0, lambda: None)
    timers.clear()
    assert timers.next() is None


def test_cancelled_timers_far_ahead_do_not_pile_up_and_order_is_kept() -> None:
    timers, seen = Timers(), []
    for number in range(100):
        timers.at(5.0, lambda number=number: seen.append(number))  # type: ignore[misc]
    for _ in range(10_000):
        timers.at(1e6, lambda: None).cancel()
    assert len(timers._heap) <= 300
    timers.run(10.0)
    assert seen == list(range(100))
