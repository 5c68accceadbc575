"""The event loop's clock: real, or running faster than real.

Everything in the testbed reads time from the running event loop (``loop.time()``,
``asyncio.sleep``, ``asyncio.timeout``). So one object decides what a second is: a virtual module
on a pty lets twenty seconds of inactivity timer pass in a tenth of a second when the loop runs at
200 times real time, and each duration read off the loop is the module's time already.

What such a clock can't do: the work of this machine (a system call, an AEAD) takes its real time,
which reads as that time multiplied by the scale. Durations of a scaled run are therefore reported
as *modelled*, never as measured.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

__all__ = ["MAX_TIME_SCALE", "ScaledEventLoop", "run"]

MAX_TIME_SCALE = 1000.0
"""Beyond this, a scheduling hiccup of one real millisecond already reads as a second."""


class _ScaledSelector(selectors.BaseSelector):
    """A selector whose time-outs are in scaled seconds."""

    def __init__(self, inner: selectors.BaseSelector, scale: float) -> None:
        self._inner = inner
        self._scale = scale

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._inner.select(None if timeout is None else timeout / self._scale)

    def close(self) -> None:
        self._inner.close()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class ScaledEventLoop(asyncio.SelectorEventLoop):
    """A selector event loop whose clock runs ``scale`` times faster than real time.

    Args:
        scale: Loop seconds per real second.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self._origin: float | None = None
        super().__init__(_ScaledSelector(selectors.DefaultSelector(), scale))
        self._origin = super().time()

    def time(self) -> float:
        """Scaled seconds; starts where the real monotonic clock stood."""
        real = super().time()
        if self._origin is None:  # during construction
            return real
        return self._origin + (real - self._origin) * self.scale


def run(main: Callable[[], Coroutine[Any, Any, T]], *, time_scale: float = 1.0) -> T:
    """Run ``main()`` to its end in a new event loop whose clock runs at ``time_scale``.

    Ctrl-C cancels the main task, as :func:`asyncio.run` does, so that it can tidy up.

    Raises:
        ValueError: ``time_scale`` is not above 0 and at most :data:`MAX_TIME_SCALE`.
    """
    if not (math.isfinite(time_scale) and 0 < time_scale <= MAX_TIME_SCALE):
        raise ValueError(
            f"time scale {time_scale!r}: give a number above 0 and at most {MAX_TIME_SCALE:g}"
        )
    with asyncio.Runner(loop_factory=lambda: ScaledEventLoop(time_scale)) as runner:
        return runner.run(main())
