"""What the network does with a datagram for a module that is not connected.

In idle the module listens at its paging occasions: one in each DRX cycle, with extended DRX only
within the paging time window at the start of each long cycle (TS 36.304 7.1, 7.3). In power saving
mode it does not listen at all: the network keeps a few packets, or loses them (TS 23.401 5.3.4B).
"""

from __future__ import annotations

import math

from firmware_bridge.virtual.durations import EDRX_CYCLES_S, paging_window_s
from firmware_bridge.virtual.parameters import PAGING_S
from firmware_bridge.virtual.settings import NetworkSettings

__all__ = ["Paging"]

Waiting = tuple[int, bytes]
"""(socket, payload)."""


class Paging:
    """Datagrams that wait in the network, and when the module can be told.

    Args:
        network: Cycles, window, and how much is kept for a module in power saving mode.
        origin: Time from which the cycles count, seconds.
    """

    def __init__(self, network: NetworkSettings, origin: float) -> None:
        self._network = network
        self._origin = origin
        self.paged: list[Waiting] = []
        """Waiting for the next occasion."""
        self.kept: list[Waiting] = []
        """Waiting for a module in power saving mode to connect by itself."""

    def next_occasion(self, now: float, edrx: str | None) -> float:
        """When the module listens next; ``edrx`` is its granted cycle, coded, or None."""
        cycle = self._network.drx_cycle_s
        occasion = math.ceil((now - self._origin) / cycle) * cycle
        if edrx is not None:
            long_cycle = EDRX_CYCLES_S.get(edrx, 20.48)
            if occasion % long_cycle >= paging_window_s(self._network.paging_window):
                occasion = math.ceil(occasion / long_cycle) * long_cycle
        return self._origin + occasion

    def share(self, edrx: str | None) -> float:
        """Share of the time in idle that the receiver is on for paging."""
        share = PAGING_S / self._network.drx_cycle_s
        if edrx is not None:
            window = paging_window_s(self._network.paging_window)
            share *= min(1.0, window / EDRX_CYCLES_S.get(edrx, 20.48))
        return share

    def keep(self, waiting: Waiting) -> bool:
        """Keep a packet for a module in power saving mode; False when it is lost."""
        if len(self.kept) >= self._network.psm_buffer_packets:
            return False
        self.kept.append(waiting)
        return True

    def take_all(self) -> list[Waiting]:
        """Everything that waits, to be delivered now."""
        waiting = [*self.paged, *self.kept]
        self.paged.clear()
        self.kept.clear()
        return waiting

    def take_paged(self) -> list[Waiting]:
        """What waits for an occasion."""
        paged, self.paged = self.paged, []
        return paged
