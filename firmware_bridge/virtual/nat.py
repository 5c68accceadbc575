"""The operator's NAT between module and far end: bindings that time out.

A binding is made, and kept alive, by what the module sends; what comes from outside passes only
while there is one, and does not keep it alive (RFC 4787 REQ-5 and REQ-6: at least two minutes by
the book, half a minute in the field). A datagram sent after a binding has gone leaves from another
port, which is how the far end learns of it.
"""

from __future__ import annotations

__all__ = ["Nat"]


class Nat:
    """Bindings of one module's sockets.

    Args:
        timeout_s: How long a binding outlives the latest datagram from inside; None: for ever.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._latest: dict[int, float] = {}

    def outbound(self, socket: int, now: float) -> bool:
        """The module sends; True when that makes another binding than the one before."""
        before = self._latest.get(socket)
        self._latest[socket] = now
        return before is not None and self._gone(before, now)

    def inbound(self, socket: int, now: float) -> bool:
        """Something comes for the module: whether it passes."""
        latest = self._latest.get(socket)
        if self._timeout_s is None:
            return True
        return latest is not None and not self._gone(latest, now)

    def forget(self, socket: int) -> None:
        """The socket is closed."""
        self._latest.pop(socket, None)

    def _gone(self, latest: float, now: float) -> bool:
        return self._timeout_s is not None and now - latest > self._timeout_s
