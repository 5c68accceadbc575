"""Arrival times, to judge whether the SN's least significant bits have wrapped around.

RFC 3095 section 5.3.2.2.4: a wrap-around needs 2^k packet times; where the time since the last
verified packet is shorter, packets cannot have been lost in that number.
"""

from __future__ import annotations

__all__ = ["Clock"]

_WEIGHT = 0.25
_TOLERANCE = 0.5
"""How much of the time of 2^k packets must have passed for a wrap-around to be likely."""


class Clock:
    """Arrival times and mean packet intervals of a decompressor's contexts."""

    __slots__ = ("_intervals", "_last")

    def __init__(self) -> None:
        self._last: dict[int, float] = {}
        self._intervals: dict[int, float] = {}

    def arrived(self, cid: int, now: float, ahead: int, packets: int = 1) -> None:
        """A verified packet arrived, `ahead` SNs after the last one told here.

        Args:
            cid: its context.
            now: when, in seconds.
            ahead: how many SNs; the time is shared out among them.
            packets: how many packets have arrived, those between included; the more, the more the
                time counts.
        """
        last = self._last.get(cid)
        self._last[cid] = now
        if last is None or ahead < 1 or now < last:
            return
        interval = (now - last) / ahead
        mean = self._intervals.get(cid)
        if mean is not None:
            interval = mean + (1.0 - (1.0 - _WEIGHT) ** packets) * (interval - mean)
        self._intervals[cid] = interval

    def elapsed_s(self, cid: int, now: float | None) -> float | None:
        """The time since the last verified packet, or None when it is not known."""
        last = self._last.get(cid)
        return None if now is None or last is None else now - last

    def wrap_likely(self, cid: int, now: float | None, k: int) -> bool:
        """Whether 2^k packets can have been lost since the last verified one."""
        last, interval = self._last.get(cid), self._intervals.get(cid)
        if now is None or last is None or interval is None or interval <= 0:
            return False
        return now - last >= _TOLERANCE * (1 << k) * interval
