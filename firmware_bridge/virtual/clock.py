"""The event loop's clock: real, virtual, or running faster than real while nothing is to be done.

Modules, lines and whoever drives them read time from the running event loop (``loop.time()``,
``asyncio.sleep``, ``asyncio.timeout``). So one object decides what a second is, and each duration
read off the loop is the module's time already.

In **virtual time** (`VirtualEventLoop`) the clock stands still while anything is ready to run, and
jumps to the next timer when nothing is. It needs all of a bench inside the loop: module, lines and
network in memory. Work takes no time there, waiting takes none of the wall's, and nothing depends
on how busy the machine is: the same program does the same things at the same times, always.

Where a pty or a socket takes part, the clock can only be **scaled** (`ScaledEventLoop`): a virtual
module on a pty lets twenty seconds of inactivity timer pass in a tenth of a second when the loop
runs at 200 times real time. Four rules keep such a clock honest:

- Waiting runs at the scale, work does not: what this machine computes takes its real time, not 200
  times that.
- A wait never carries the clock past the next timer. A machine that is busy with something else
  for half a second makes a run slower, and lets no time-out fire that should not.
- The clock moves on only when nothing more is to be read, and a moment after the last write: bytes
  on their way through a pty are not overtaken by a timer.
- A wait shorter than the system can wait (a millisecond) is not rounded up: the clock goes to the
  timer at once, and the time owed is waited for later.

So the scale is a bound: a run that has much to compute goes at less than it. Durations of a scaled
run are modelled, never measured.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

__all__ = [
    "MAX_TIME_SCALE",
    "ScaledEventLoop",
    "VirtualEventLoop",
    "run",
]

MAX_TIME_SCALE = 1000.0
"""Beyond this, one real millisecond of waiting for another process reads as a second."""


_SHORTEST_WAIT_S = 1e-3
"""What epoll can wait; shorter waits would be rounded up to it."""


_SETTLE_POLLS = 2
_SETTLE_S = 50e-6
"""Before the clock moves on, what was just written to a pty or a socket may arrive: a kernel
thread carries it, within some 50 microseconds on a machine that has one to spare."""


class _Clock:
    """Scaled seconds: a base, and what has passed since at the present rate."""

    __slots__ = ("_base", "_limit", "_rate", "_real", "_scale")

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._base = self._real = time.monotonic()
        self._rate = 1.0
        self._limit = math.inf

    def now(self) -> float:
        passed = (time.monotonic() - self._real) * self._rate
        return self._base + (passed if passed < self._limit else self._limit)

    def work(self) -> None:
        """From now on, time passes as it does on the wall."""
        self._begin(1.0, math.inf)

    def wait(self, limit: float) -> None:
        """From now on, time passes at the scale, for ``limit`` scaled seconds at most."""
        self._begin(self._scale, limit)

    def skip(self, seconds: float) -> None:
        """Let scaled seconds pass at once."""
        self.work()
        self._base += seconds

    def _begin(self, rate: float, limit: float) -> None:
        real = time.monotonic()
        passed = (real - self._real) * self._rate
        self._base += passed if passed < self._limit else self._limit
        self._real = real
        self._rate = rate
        self._limit = limit


class _WrappedSelector(selectors.BaseSelector):
    """A selector around another one; who inherits says what waiting is."""

    def __init__(self, inner: selectors.BaseSelector) -> None:
        self._inner = inner

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class _ScaledSelector(_WrappedSelector):
    """A selector whose time-outs are in scaled seconds, and which tells the clock of its waits."""

    def __init__(self, inner: selectors.BaseSelector, clock: _Clock, scale: float) -> None:
        super().__init__(inner)
        self._clock = clock
        self._scale = scale
        self._owed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            self._clock.wait(math.inf)
            ready = self._inner.select(None)
            self._clock.work()
            return ready
        if timeout <= 0:
            return self._inner.select(0)
        ready = self._settled()
        if ready:
            return ready
        self._owed_s += timeout / self._scale
        if self._owed_s < _SHORTEST_WAIT_S:
            self._clock.skip(timeout)
            return []
        self._clock.wait(timeout)
        ready = self._inner.select(self._owed_s)
        self._clock.work()
        self._owed_s = 0.0
        return ready

    def _settled(self) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready, once what this process has written had the time to get through."""
        for _ in range(_SETTLE_POLLS):
            ready = self._inner.select(0)
            if ready:
                return ready
            time.sleep(_SETTLE_S)
        return self._inner.select(0)


class ScaledEventLoop(asyncio.SelectorEventLoop):
    """A selector event loop whose clock runs ``scale`` times faster than real while it waits.

    Args:
        scale: Loop seconds per real second of waiting.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self._scaled_clock = _Clock(scale)
        super().__init__(_ScaledSelector(selectors.DefaultSelector(), self._scaled_clock, scale))

    def time(self) -> float:
        """Scaled seconds; starts where the real monotonic clock stood."""
        return self._scaled_clock.now()


_RESOLUTION_S = 1e-9
"""How close timers of a virtual loop may be and still be told apart."""


class _JumpingSelector(_WrappedSelector):
    """A selector that does not wait: it lets the time that it would wait for pass at once."""

    def __init__(self, inner: selectors.BaseSelector) -> None:
        super().__init__(inner)
        self.now = 0.0
        self.outside = 0
        """How much is under way outside the loop (in threads), which the clock waits for."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (self.outside and timeout > 0):
            # Nothing is planned, or a thread is at work for the loop: only the world can go on.
            return self._inner.select(None)
        ready = self._inner.select(0)  # signals arrive here, too
        if not ready and timeout > 0:
            self.now += timeout
            if self.now + _RESOLUTION_S == self.now:
                # After some months a double is coarser than that: asyncio, which runs what is due
                # before now + resolution, would wait forever for a timer at exactly now.
                self.now = math.nextafter(self.now, math.inf)
        return ready


class VirtualEventLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and jumps to the next timer when nothing is ready.

    Only for what happens inside the loop: a file descriptor is served when it is ready, but the
    clock does not wait for it. Work that is handed to a thread takes no time of the loop's.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector(selectors.DefaultSelector())
        super().__init__(self._jumping)
        self._clock_resolution = _RESOLUTION_S  # asyncio's own is that of the system's clock

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """See `asyncio.loop.run_in_executor`; the clock stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.outside += 1
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: object) -> None:
        self._jumping.outside -= 1

    async def shutdown_default_executor(self, *args: Any, **keywords: Any) -> None:
        """See `asyncio.loop.shutdown_default_executor`; its time-out is not jumped to."""
        self._jumping.outside += 1
        try:
            await super().shutdown_default_executor(*args, **keywords)
        finally:
            self._jumping.outside -= 1


def run(main: Callable[[], Coroutine[Any, Any, T]], *, time_scale: float | None = 1.0) -> T:
    """Run ``main()`` to its end in a new event loop whose clock runs at ``time_scale``.

    Args:
        main: makes the coroutine.
        time_scale: loop seconds per real second of waiting; 1 is real time, ``None`` virtual time.

    Ctrl-C cancels the main task, as :func:`asyncio.run` does, so that it can tidy up.

    Raises:
        ValueError: ``time_scale`` is not above 0 and at most :data:`MAX_TIME_SCALE`.
    """
    if time_scale is None:
        with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
            return runner.run(main())
    if not (math.isfinite(time_scale) and 0 < time_scale <= MAX_TIME_SCALE):
        raise ValueError(
            f"time scale {time_scale!r}: give a number above 0 and at most {MAX_TIME_SCALE:g}"
        )
    if time_scale == 1.0:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=lambda: ScaledEventLoop(time_scale)) as runner:
        return runner.run(main())
