"""What the AT engine needs of a line, and what a line calls back."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Line", "Receiver"]


class Receiver(Protocol):
    """The side of the engine that a line talks to. Both are called in the event loop."""

    def data_received(self, data: bytes, at: float) -> None:
        """Bytes came; `at` is the loop time at which they were read, s."""

    def line_lost(self, reason: str) -> None:
        """No more bytes will come; `reason` is "" after `close()`."""


class Line(Protocol):
    """A byte stream to and from a module."""

    @property
    def address(self) -> str:
        """The port as the user wrote it."""

    @property
    def pending(self) -> int:
        """Octets that were written but not yet taken by the system."""

    def connect(self, receiver: Receiver) -> None:
        """Deliver everything to `receiver` from now on, first what came before."""

    def write(self, data: bytes) -> None:
        """Queue `data`. Raises `LineLost` when the line is gone."""

    async def drain(self) -> None:
        """Wait until `pending` is 0. Raises `LineLost` when the line goes meanwhile."""

    def set_baudrate(self, baudrate: int) -> None:
        """Change the speed, bit/s. Without effect where there is none (pty, memory)."""

    def set_modem_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
        """Drive DTR and RTS; False where the line has none, as a pty (they are optional)."""

    async def close(self) -> None:
        """Close it. Harmless when it is closed already."""
