"""The security association database: inbound SAs by SPI (RFC 4301 section 4.4.2)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from esp.errors import InvalidParameter, LocalError, ReservedSpi, Truncated, UnknownSpi
from esp.inbound import InboundAssociation, Unprotected

__all__ = ["Entry", "SecurityAssociationDatabase"]

Owner = TypeVar("Owner")


class Entry(Generic[Owner]):
    """One inbound SA and whom it belongs to."""

    __slots__ = ("association", "owner")

    association: InboundAssociation
    """The inbound SA."""
    owner: Owner
    """Whatever the user of the database stored with it: a session, a peer, a tunnel."""

    def __init__(self, association: InboundAssociation, owner: Owner) -> None:
        self.association = association
        self.owner = owner


class SecurityAssociationDatabase(Generic[Owner]):
    """Inbound SAs by SPI: one look-up per packet.

    ``random`` gives the octets from which :meth:`allocate_spi` draws.
    """

    __slots__ = ("_by_spi", "_random")

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._by_spi: dict[bytes, Entry[Owner]] = {}
        self._random = random

    def __len__(self) -> int:
        return len(self._by_spi)

    def __iter__(self) -> Iterator[Entry[Owner]]:
        return iter(list(self._by_spi.values()))

    def __contains__(self, spi: int) -> bool:
        return 0 <= spi <= 0xFFFF_FFFF and spi.to_bytes(4, "big") in self._by_spi

    def add(self, association: InboundAssociation, owner: Owner) -> Entry[Owner]:
        """Store an SA; raises InvalidParameter when its SPI is taken."""
        key = association.spi.to_bytes(4, "big")
        if key in self._by_spi:
            raise InvalidParameter(
                f"SPI 0x{association.spi:08x} is taken", hint="allocate_spi() gives a free one"
            )
        entry = Entry(association, owner)
        self._by_spi[key] = entry
        return entry

    def remove(self, spi: int) -> bool:
        """Forget an SA; whether there was one."""
        return self._by_spi.pop(spi.to_bytes(4, "big"), None) is not None

    def get(self, spi: int) -> Entry[Owner] | None:
        """The entry of an SPI, or None."""
        return self._by_spi.get(spi.to_bytes(4, "big"))

    def find(self, packet: bytes) -> Entry[Owner]:
        """The entry that an ESP packet belongs to.

        Raises :class:`~esp.errors.Truncated` (no SPI and sequence number in it),
        :class:`~esp.errors.ReservedSpi` or :class:`~esp.errors.UnknownSpi`.
        """
        entry = self._by_spi.get(packet[:4])
        return entry if entry is not None else self._missing(packet)

    def _missing(self, packet: bytes) -> Entry[Owner]:
        """Say why a packet finds nothing."""
        if len(packet) < 8:
            raise Truncated("the packet ends before its sequence number")
        if packet[:3] == b"\0\0\0":
            raise ReservedSpi("SPIs 0 to 255 are reserved")
        raise UnknownSpi("no security association has this SPI")

    def unprotect(self, packet: bytes) -> tuple[Entry[Owner], Unprotected]:
        """Find the SA of a packet and open it; raises what the two steps raise."""
        entry = self._by_spi.get(packet[:4]) or self._missing(packet)
        return entry, entry.association.unprotect(packet)

    def allocate_spi(self) -> int:
        """A random SPI from 256 up that no SA of this database has."""
        for _ in range(64):
            octets = self._random(4)
            if octets[:3] != b"\0\0\0" and octets not in self._by_spi:
                return int.from_bytes(octets, "big")
        raise LocalError("no free SPI was found in 64 draws", hint="is the random source stuck?")
