"""What the decompressor remembers about one CID (RFC 3095 section 6.5.2)."""

from __future__ import annotations

from enum import IntEnum

from rohc.channel import Mode
from rohc.decompression.steady import Steady
from rohc.encoding.ip_id import offset_of, swapped
from rohc.encoding.lists import ListState
from rohc.headers.chain import Headers
from rohc.profiles.spec import Spec

__all__ = ["DecompressorContext", "State"]


class State(IntEnum):
    """Decompressor states (RFC 3095 section 5.3.2)."""

    NO_CONTEXT = 0
    STATIC_CONTEXT = 1
    FULL_CONTEXT = 2


class DecompressorContext:
    """One context.

    Attributes:
        cid: its identifier.
        spec: its profile, or None for profile 0x0000.
        headers: the last verified headers with the context's control values; None for 0x0000.
        sn_before: the reference SN before the last one ("ref -1", RFC 3095 5.3.2.2.5), or -1.
        lists: one state per IP header and, with RTP, one for the CSRC list.
        steady: what the hot path prepared, or None when it must be prepared anew.
        mode: the mode of operation that packets are decompressed in.
        state: the decompressor state.
    """

    __slots__ = (
        "cid",
        "headers",
        "lists",
        "mode",
        "sn_before",
        "spec",
        "state",
        "steady",
    )

    def __init__(self, cid: int, spec: Spec | None) -> None:
        self.cid = cid
        self.spec = spec
        self.headers: Headers | None = None
        self.sn_before = -1
        self.lists: list[ListState] = []
        self.steady: Steady | None = None
        self.mode = Mode.UNIDIRECTIONAL
        self.state = State.NO_CONTEXT

    def leave_steady(self) -> None:
        """Bring `headers` up to the packets that took the hot path."""
        steady, headers = self.steady, self.headers
        if steady is None or headers is None or not steady.packets:
            return
        level = headers.levels[0]
        if level.version == 4 and not level.rnd and not level.sid:
            offset = offset_of(level.identification, headers.sn, bool(level.nbo))
            counter = (steady.sn + offset) & 0xFFFF
            level.identification = counter if level.nbo else swapped(counter)
        headers.sn = steady.sn
        self.sn_before = steady.sn_before
        steady.packets = 0

    def accept(self, headers: Headers) -> None:
        """Make verified headers the reference for what follows."""
        if self.headers is not None:
            self.sn_before = self.headers.sn
        self.headers = headers
        self.steady = None
        self.state = State.FULL_CONTEXT
