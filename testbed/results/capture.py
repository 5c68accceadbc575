"""The run's own capture: what the UE's module and the HSE put on their networks, both sides.

One file, two interfaces, link type raw IP. Neither side lets us see the outer headers: the module
writes its own, and the HSE's operating system writes the HSE's. They are reconstructed, with every
length and checksum right, and each packet's comment says so. Wireshark takes ESP in UDP for what it
is on port 4500 only, so the HSE's ESP port is written as 4500 whatever it really was, and the real
one stands in the interface's comment.

Non-IP data have no outer header on the UE's side, and none is invented: those packets stand on an
interface of their own, added with the first of them, whose link type says nothing of what they
begin with (ESP, a ROHC packet, a payload, or a key exchange's marker). The HSE's side has them in
the UDP and IP of the network's tunnel.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.packets import Address, build_udp_packet
from testbed.results.capture_reader import CaptureReader
from testbed.results.pcapng import Direction, LinkType, PcapngWriter

__all__ = [
    "ESP_IN_UDP_PORT",
    "HELLO",
    "HSE_RECONSTRUCTED",
    "NON_IP",
    "UE_RECONSTRUCTED",
    "Endpoint",
    "RunCapture",
]

ESP_IN_UDP_PORT = 4500
"""Port of UDP-encapsulated ESP (RFC 3948 section 2)."""
UE_RECONSTRUCTED = "IP and UDP header reconstructed: the module wrote its own"
"""Comment of every packet of the UE's interface."""
NON_IP = "non-IP data as the module carried it: there is no IP and no UDP header on this side"
"""Comment of every packet of the UE's interface for non-IP data."""
HSE_RECONSTRUCTED = "IP and UDP header reconstructed: the HSE's operating system wrote its own"
"""Comment of every packet of the HSE's interface."""
HELLO = "Key agreement behind the non-ESP marker; it is not IKE, for which Wireshark takes it"
"""Comment of a packet on the ESP port that begins with the marker of RFC 3948 section 2.2."""

_NON_ESP_MARKER = bytes(4)

Endpoint = tuple[Address, int]
"""Address and UDP port."""

_NS = 1_000_000_000


class RunCapture:
    """Writes a run's ``capture.pcapng``.

    Args:
        path: the file to create; it must not exist.
        hse_port: the port on which the HSE really takes ESP in UDP; written as 4500.
        start_ns: wall-clock time, in nanoseconds since 1970, of the moment when the run's clock
            stood at ``start_s``. A scaled clock's seconds are written as they are, so that times
            in the capture and in the journal agree.
        start_s: the run's clock at that moment, in seconds.
        clock: gives the run's time in seconds for packets that come without one.
        comment: comment of the whole file.
        resume: go on with the capture that a run left behind, if there is one, in a section of its
            own; a torn last packet is cut off.

    Attributes:
        packets: how many packets were written.

    Raises:
        FileExistsError: a capture is never overwritten.

    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        hse_port: int = ESP_IN_UDP_PORT,
        start_ns: int = 0,
        start_s: float = 0.0,
        clock: Callable[[], float] | None = None,
        comment: str = "",
        resume: bool = False,
    ) -> None:
        self._hse_port = hse_port
        self._start_ns = start_ns
        self._start_s = start_s
        self._clock = clock
        keep = _whole(Path(path)) if resume else None
        self._writer = PcapngWriter(path, comment=comment, keep=keep)
        real = (
            f"The HSE's ESP port is {hse_port}"
            if hse_port == ESP_IN_UDP_PORT
            else f"The HSE's ESP port is written as {ESP_IN_UDP_PORT}; it really is {hse_port}"
        )
        self._ue = self._writer.add_interface(
            "ue",
            description="UE side: the module's UDP socket",
            comment=f"{UE_RECONSTRUCTED}. {real}.",
            link_type=LinkType.RAW,
        )
        self._non_ip: int | None = None
        self._hse = self._writer.add_interface(
            "hse",
            description="HSE side: the HSE's UDP socket",
            comment=f"{HSE_RECONSTRUCTED}. {real}.",
            link_type=LinkType.RAW,
        )

    @property
    def packets(self) -> int:
        """How many packets were written."""
        return self._writer.packets

    def ue_packet(
        self,
        payload: bytes,
        source: Endpoint,
        destination: Endpoint,
        *,
        uplink: bool,
        at: float | None = None,
        note: str = "",
    ) -> bytes:
        """Write a datagram that the module's socket sent (``uplink``) or received.

        Args:
            payload: the UDP payload.
            source: address and port that sent it.
            destination: address and port that it goes to, of the same address family.
            uplink: whether it goes from the UE to the HSE.
            at: the run's time in seconds; ``None`` asks the clock.
            note: what else to say in the packet's comment, such as the message's number.

        Returns:
            The whole packet as written, to be counted.

        """
        direction = Direction.OUTBOUND if uplink else Direction.INBOUND
        comments = (UE_RECONSTRUCTED, note)
        return self._write(self._ue, payload, source, destination, uplink, direction, at, comments)

    def hse_packet(
        self,
        payload: bytes,
        source: Endpoint,
        destination: Endpoint,
        *,
        uplink: bool,
        at: float | None = None,
        note: str = "",
    ) -> bytes:
        """Write a datagram that the HSE's socket received (``uplink``) or sent.

        Arguments and result are those of :meth:`ue_packet`.
        """
        direction = Direction.INBOUND if uplink else Direction.OUTBOUND
        comments = (HSE_RECONSTRUCTED, note)
        return self._write(self._hse, payload, source, destination, uplink, direction, at, comments)

    def non_ip_packet(
        self, data: bytes, *, uplink: bool, at: float | None = None, note: str = ""
    ) -> bytes:
        """Write non-IP data that the module sent (``uplink``) or received, as they are.

        Arguments and result are those of :meth:`ue_packet`.
        """
        if self._non_ip is None:
            self._non_ip = self._writer.add_interface(
                "ue-non-ip",
                description="UE side: the module's non-IP PDN connection",
                comment=f"{NON_IP}. With security they are ESP; see also the HSE's side.",
                link_type=LinkType.USER0,
            )
        direction = Direction.OUTBOUND if uplink else Direction.INBOUND
        self._writer.write_packet(
            self._non_ip, data, self._time_ns(at), comments=(NON_IP, note), direction=direction
        )
        return data

    def _time_ns(self, at: float | None) -> int:
        if at is None:
            if self._clock is None:
                raise ValueError("a packet needs a time, or the capture a clock")
            at = self._clock()
        return max(self._start_ns + round((at - self._start_s) * _NS), 0)

    def _write(
        self,
        interface: int,
        payload: bytes,
        source: Endpoint,
        destination: Endpoint,
        uplink: bool,
        direction: Direction,
        at: float | None,
        comments: tuple[str, ...],
    ) -> bytes:
        time_ns = self._time_ns(at)
        source_port, destination_port = source[1], destination[1]
        # Only the HSE's own port is renamed: a module's socket may by chance have the same number.
        if (destination_port if uplink else source_port) == self._hse_port:
            if uplink:
                destination_port = ESP_IN_UDP_PORT
            else:
                source_port = ESP_IN_UDP_PORT
            if payload.startswith(_NON_ESP_MARKER):
                comments = (*comments, HELLO)
        packet = build_udp_packet(source[0], destination[0], source_port, destination_port, payload)
        self._writer.write_packet(
            interface, packet, time_ns, comments=comments, direction=direction
        )
        return packet

    def close(self) -> None:
        """Sync the file to the disk and close it; closing twice is fine."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _whole(path: Path) -> int | None:
    """Octets of an existing capture up to where it is torn; ``None`` where there is none."""
    if not path.exists():
        return None
    if path.stat().st_size == 0:  # killed before its first block
        return 0
    reader = CaptureReader(path)
    for _ in reader:
        pass
    return reader.good_bytes
