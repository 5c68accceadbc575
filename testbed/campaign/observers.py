"""Who looks on while a run goes: at the HSE, on the wire, and what is in flight."""

from __future__ import annotations

from pathlib import Path

from esp import keying
from testbed.bench import PdpType
from testbed.hse import HsePort, Passage, ServerObserver, Way
from testbed.results import (
    EspSaTable,
    RunCapture,
)
from testbed.ue.messages import Exchange
from testbed.ue.session import UeSession, WireObserver

__all__ = ["HseWatch", "InFlight", "WireWatch"]


class InFlight:
    """What is on its way just now: the comment of its packets, and who marks its stages."""

    def __init__(self) -> None:
        self.configuration = ""
        """Whose session is in use."""
        self.cell = ""
        """The plan's cell; without a campaign, the configuration once more."""
        self.what = ""
        self.exchange: Exchange | None = None
        self.sent: list[int] = []
        """Octets of each packet that the UE has sent since `listen`, as captured."""
        self.received: list[int] = []
        """Octets of each packet that it has received since then, as captured."""

    def listen(self) -> None:
        """Count packets from now on."""
        self.sent.clear()
        self.received.clear()

    @property
    def note(self) -> str:
        """Whose a packet is, so that a capture explains itself."""
        if self.exchange is None:
            what = self.what or "key exchange"
            return f"{self.cell}: {what}" if self.cell else ""
        return f"{self.cell}: message {self.exchange.message.index}"


class HseWatch(ServerObserver):
    """Our own HSE's side of a run: its datagrams, and the passage of the message in flight."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self.capture: RunCapture | None = None
        self.addresses: dict[HsePort, tuple[str, int]] = {}

    def passed(self, passage: Passage) -> None:
        """See `ServerObserver.passed`."""
        if self._in_flight.exchange is not None:
            self._in_flight.exchange.passed_hse(passage)

    def datagram(self, way: Way, port: HsePort, data: bytes, peer: tuple[str, int]) -> None:
        """See `ServerObserver.datagram`."""
        if self.capture is None:
            return
        own, note = self.addresses[port], self._in_flight.note
        if way is Way.IN:
            self.capture.hse_packet(data, peer, own, uplink=True, note=note)
        else:
            self.capture.hse_packet(data, own, peer, uplink=False, note=note)


class WireWatch(WireObserver):
    """The UE's side of a run: what its socket sends and receives, and its keys."""

    def __init__(
        self,
        in_flight: InFlight,
        capture: RunCapture,
        key_table: Path | None,
        *,
        resume: bool = False,
    ) -> None:
        self._in_flight = in_flight
        self._capture = capture
        self._table = None if key_table is None else EspSaTable(key_table, resume=resume)

    def close(self) -> None:
        """Close the key table."""
        if self._table is not None:
            self._table.close()

    def sent(self, session: UeSession, data: bytes, at: float) -> None:
        """See `WireObserver.sent`."""
        self._in_flight.sent.append(self._captured(session, data, at, uplink=True))

    def received(self, session: UeSession, data: bytes, at: float) -> None:
        """See `WireObserver.received`."""
        self._in_flight.received.append(self._captured(session, data, at, uplink=False))

    def _captured(self, session: UeSession, data: bytes, at: float, *, uplink: bool) -> int:
        """Write a packet as it is on the UE's side; its octets."""
        note = self._in_flight.note
        if session.carrier.pdp_type is PdpType.NON_IP:
            return len(self._capture.non_ip_packet(data, uplink=uplink, at=at, note=note))
        ends = [session.local_address, (session.hse.host, session.port)]
        source, target = ends if uplink else reversed(ends)
        packet = self._capture.ue_packet(data, source, target, uplink=uplink, at=at, note=note)
        return len(packet)

    def keyed(self, keys: keying.Session) -> None:
        """See `WireObserver.keyed`."""
        if self._table is None:
            return
        for one in (keys.outbound, keys.inbound):
            self._table.add(one.spi, keys.suite, one.key, one.salt, integrity_key=one.integrity_key)
