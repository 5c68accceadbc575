"""Something that a test repeats, and its figures."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from firmware_bridge import ModuleError
from testbed.analysis import statistics
from testbed.analysis.limits import Limit, LimitKind, parse_quantity
from testbed.analysis.measures import MEAN, MEDIAN, P95, P99, Measure, Statistic
from testbed.analysis.series import stretches
from testbed.analysis.statistics import Estimate, Sample
from testbed.analysis.verdicts import Judgement, judge_sample
from testbed.errors import UsageError
from testbed.pytest_plugin.campaigns import shown
from testbed.pytest_plugin.loop import LabLoop
from testbed.pytest_plugin.outcomes import Verdicts

__all__ = ["Measure", "Measured", "Measurer"]

_STATISTICS: Final = {one.name: one for one in (MEDIAN, MEAN, P95, P99)}
_UNITS: Final = ("s", "B", "J")


class Measured:
    """Values of one thing, in the order in which they were taken.

    Args:
        name: what was measured.
        unit: base unit of the values: ``s``, ``B`` or ``J``.
        values: one per repetition; a censored one holds the time-out.
        censored: which repetitions ended at the time-out.
        verdicts: the test's.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        values: Sequence[float],
        censored: Sequence[bool],
        verdicts: Verdicts,
    ) -> None:
        self.name = name
        self.unit = unit
        self.values = tuple(values)
        self.censored = tuple(censored)
        self._verdicts = verdicts

    def __repr__(self) -> str:
        return f"<{self.name}: {shown(self.median, self.unit)}>"

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def sample(self) -> Sample:
        """The values as statistics take them: neighbours that are alike share a cluster."""
        values, censored = np.array(self.values), np.array(self.censored)
        clusters = stretches(np.where(censored, np.inf, values))
        return Sample(values=values, censored=censored, clusters=clusters)

    @cached_property
    def median(self) -> Estimate:
        """The median with its 95 % interval."""
        return self.figure("median")

    def figure(self, statistic: str = "median") -> Estimate:
        """A figure with its 95 % interval.

        Args:
            statistic: ``median``, ``mean``, ``p95`` or ``p99``.
        """
        return statistics.estimate(self.sample, _statistic(statistic))

    def judge(self, kind: LimitKind, limit: str, statistic: str = "median") -> Judgement:
        """Hold a figure against a bound.

        Args:
            kind: a maximum or a minimum.
            limit: with its unit, such as ``2.5 s`` or ``350 mJ``.
            statistic: which figure.
        """
        chosen = _statistic(statistic)
        measure = Measure(
            name=statistic, unit=self.unit, statistic=chosen, column="", help=self.name
        )
        try:
            bound = parse_quantity(limit, self.unit)
        except ValueError as error:
            raise UsageError(f"{self.name}: {error}", hint="Such as '2.5 s'.") from None
        return judge_sample(self.name, self.sample, Limit(measure=measure, kind=kind, bound=bound))

    def assert_at_most(self, limit: str, statistic: str = "median") -> None:
        """Fail the test when a figure was shown to be above a limit.

        Where neither that nor the contrary was shown the test is inconclusive at its end.

        Args:
            limit: with its unit, such as ``2.5 s``.
            statistic: ``median``, ``mean``, ``p95`` or ``p99``.
        """
        __tracebackhide__ = True
        self._verdicts.check([self.judge(LimitKind.MAX, limit, statistic)])

    def assert_at_least(self, limit: str, statistic: str = "median") -> None:
        """Fail the test when a figure was shown to be below a limit; see `assert_at_most`."""
        __tracebackhide__ = True
        self._verdicts.check([self.judge(LimitKind.MIN, limit, statistic)])


def _statistic(name: str) -> Statistic:
    found = _STATISTICS.get(name)
    if found is None:
        raise UsageError(
            f"{name!r} is no figure of repeated values", hint=f"Known: {', '.join(_STATISTICS)}."
        )
    return found


class Measurer:
    """Repeats something and takes its figures, for one test.

    Args:
        loop: the lab's, whose clock durations are read from.
        verdicts: the test's.
    """

    def __init__(self, loop: LabLoop, verdicts: Verdicts) -> None:
        self._loop = loop
        self._verdicts = verdicts

    def __call__(
        self,
        action: Callable[[], Any],
        n: int,
        *,
        name: str | None = None,
        unit: str | None = None,
        timeout_s: float | None = None,
        warm_up: int = 0,
    ) -> Any:
        """Repeat something.

        Args:
            action: a function, or a coroutine function, without arguments.
            n: how often, at least once; few decide little.
            name: what it is called in reports; the function's name by default.
            unit: of the number that the action returns: ``s``, ``B`` or ``J``. None: how long it
                takes is measured, in seconds of the module's clock.
            timeout_s: an action that raises `TimeoutError`, or takes longer, counts as longer than
                this. None: such an error is the test's.
            warm_up: repetitions before, which don't count.

        Returns:
            `Measured`; to be awaited in an asynchronous test.
        """
        if n < 1 or warm_up < 0:
            raise UsageError(f"n {n}, warm_up {warm_up}: measure something at least once", hint="")
        if unit is not None and unit not in _UNITS:
            raise UsageError(
                f"unit {unit!r}: values are in a base unit", hint=f"One of {', '.join(_UNITS)}."
            )
        taker = _Taker(self._loop, action, unit, timeout_s)
        title = name or getattr(action, "__name__", "").strip("<>") or "measured"
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pairs = [taker.take() for _ in range(warm_up + n)]
            return self._measured(title, unit, pairs[warm_up:])

        async def taken() -> Measured:
            pairs = [await taker.take_awaiting() for _ in range(warm_up + n)]
            return self._measured(title, unit, pairs[warm_up:])

        return taken()

    def _measured(
        self, name: str, unit: str | None, pairs: Sequence[tuple[float, bool]]
    ) -> Measured:
        values, censored = zip(*pairs, strict=True)
        found = Measured(name, unit or "s", values, censored, self._verdicts)
        self._verdicts.tell(f"{name} median", shown(found.median, found.unit))
        return found


class _Taker:
    """Takes one value after the other."""

    def __init__(
        self,
        loop: LabLoop,
        action: Callable[[], Any],
        unit: str | None,
        timeout_s: float | None,
    ) -> None:
        self._loop = loop
        self._action = action
        self._unit = unit
        self._timeout_s = timeout_s

    def take(self) -> tuple[float, bool]:
        begun_s = self._loop.loop.time()
        try:
            result = self._action()
            if inspect.iscoroutine(result):
                result = self._loop.wait(result)
        except TimeoutError as error:
            return self._timed_out(error)
        return self._value(result, self._loop.loop.time() - begun_s)

    async def take_awaiting(self) -> tuple[float, bool]:
        begun_s = self._loop.loop.time()
        try:
            result = self._action()
            if inspect.isawaitable(result):
                result = await result
        except TimeoutError as error:
            return self._timed_out(error)
        return self._value(result, self._loop.loop.time() - begun_s)

    def _timed_out(self, error: TimeoutError) -> tuple[float, bool]:
        if self._timeout_s is None or isinstance(error, ModuleError):
            raise error  # a module that is silent is a fault of the lab
        return self._timeout_s, True

    def _value(self, result: Any, took_s: float) -> tuple[float, bool]:
        if self._unit is None:
            value = took_s
        elif isinstance(result, int | float) and not isinstance(result, bool):
            value = float(result)
        else:
            raise UsageError(
                f"unit {self._unit!r} was given, and the action returned {type(result).__name__}",
                hint="Return a number, or leave the unit away: then the time it takes is measured.",
            )
        if self._timeout_s is not None and self._unit in (None, "s") and value > self._timeout_s:
            return self._timeout_s, True
        return value, False
