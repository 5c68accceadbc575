"""What a second of a run is; the event loops themselves are `firmware_bridge.virtual.clock`'s.

Everything in the testbed reads time from the running event loop (``loop.time()``,
``asyncio.sleep``, ``asyncio.timeout``): each duration read off it is the module's time already.
"""

from __future__ import annotations

from enum import StrEnum

from firmware_bridge.virtual.clock import MAX_TIME_SCALE, run

__all__ = ["MAX_TIME_SCALE", "TimeKind", "run"]


class TimeKind(StrEnum):
    """What a second of a run is."""

    REAL = "real"
    """A second of the clock on the wall."""
    SCALED = "scaled"
    """The loop's clock runs faster: durations are modelled."""
    VIRTUAL = "virtual"
    """The loop's clock jumps from event to event: durations are modelled."""
