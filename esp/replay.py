"""The anti-replay window of an inbound SA (RFC 4303 sections 3.4.3 and Appendix A).

The window is a bit mask behind the highest number that was accepted, its right edge: bit *n* says
whether the number *n* below the edge was accepted. Checking and accepting are apart, since the
integrity check stands between them: a forged packet must not move the window.

Most packets arrive in order, and for those nothing has to be written down but the edge: the mask
holds for the number ``_base``, and all numbers from there to the edge were accepted in a row. The
mask catches up when a packet comes out of order.
"""

from __future__ import annotations

from esp.errors import InvalidParameter, OutsideWindow, Replayed

__all__ = ["ReplayWindow"]

_LOW = 0xFFFF_FFFF


class ReplayWindow:
    """Which sequence numbers were accepted.

    ``size`` is in packets: 32 (the minimum of RFC 4303) to 4096, default 64; or 0, which switches
    the check off and only follows the highest number. ``top`` is the highest number accepted before
    this window was made; it and all below count as accepted.
    """

    __slots__ = ("_base", "_mask", "_seen", "_size", "top")

    top: int
    """The highest sequence number accepted so far, 0 before the first. May be raised by one,
    instead of calling :meth:`accept`, for the number that follows it."""

    def __init__(self, size: int = 64, *, top: int = 0) -> None:
        if size and not 32 <= size <= 4096:
            raise InvalidParameter(f"a replay window has 32 to 4096 packets, not {size}")
        if not 0 <= top < 1 << 64:
            raise InvalidParameter("a sequence number has at most 64 bits")
        self._size = size
        self._mask = (1 << size) - 1
        self.top = self._base = top
        # Number 0 is never sent, since a sender starts with 1 (RFC 4303 section 2.2).
        self._seen = self._mask | 1

    @property
    def size(self) -> int:
        """Packets that the window spans, 0 when the check is off."""
        return self._size

    def check(self, sequence: int) -> None:
        """Raise when the number was accepted before, or is too old to be told; change nothing."""
        behind = self.top - sequence
        if behind < 0 or not self._size:
            return
        if behind >= self._size:
            raise OutsideWindow("the sequence number lies left of the replay window")
        if self._caught_up() >> behind & 1:
            raise Replayed("the sequence number was accepted before")

    def accept(self, sequence: int) -> int:
        """Mark a number whose packet verified; how far it lies behind the newest, 0 if newest."""
        seen = self._caught_up()
        behind = self.top - sequence
        if behind >= 0:
            if behind < self._size:
                self._seen = seen | 1 << behind
            return behind
        self._seen = (seen << -behind | 1) & self._mask if -behind < self._size else 1
        self.top = self._base = sequence
        return 0

    def _caught_up(self) -> int:
        """The mask for the present edge: the numbers since ``_base`` came in a row."""
        run = self.top - self._base
        if run:
            if run < self._size:
                self._seen = (self._seen << run | (1 << run) - 1) & self._mask
            else:
                self._seen = self._mask
            self._base = self.top
        return self._seen

    def full_number(self, low: int) -> int:
        """The 64-bit number that a packet with these low 32 bits must have (Appendix A2).

        The window's span may lie in one subspace of 2^32 numbers (case A) or reach back into the
        one before (case B); the high half is inferred accordingly.

        Raises :class:`~esp.errors.OutsideWindow` when that leads before the first subspace or
        past the last.
        """
        top = self.top
        top_low = top & _LOW
        high = top >> 32
        span = self._size or 64
        if top_low >= span - 1:  # case A: the window lies in one subspace
            if low < top_low - span + 1:
                high += 1
        elif low >= (top_low - span + 1) & _LOW:  # case B: it began in the one before
            high -= 1
        if not 0 <= high <= _LOW:
            raise OutsideWindow("the sequence number belongs to no subspace that exists")
        return high << 32 | low
