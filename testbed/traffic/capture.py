"""The messages of a device, taken from a capture of its own traffic.

Every UDP packet that the device sends is a message. Which end is the device is an option; without
it, it is the address that sent the most UDP packets (the one that sent first, if several did). What
is no message is skipped and counted by reason:

=====================  ====================================================================
``not-ip``             ARP and other protocols that are not IP
``not-udp``            TCP, ICMP and others
``fragment``           a fragment of a larger IP packet
``truncated``          the capture kept less than the packet
``bad-header`` ...     the packet's own lengths contradict each other (``bad-length``)
``unknown-link-type``  the capture's link layer is none that is read here
``other-sender``       UDP that another end sent
=====================  ====================================================================
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

from testbed.errors import UsageError
from testbed.packets import InnerPacket, PacketError, parse_udp_packet, udp_checksum_valid
from testbed.results.capture_reader import CaptureReader
from testbed.results.links import NoIp, ip_packet
from testbed.traffic.message import Message, Traffic

__all__ = ["NoUsablePacket", "capture_traffic"]

_OTHER_SENDER = "other-sender"
_NS = 1_000_000_000


class NoUsablePacket(UsageError):
    """A capture holds no UDP packet of the device.

    Attributes:
        path: the capture.
        found: what it holds instead: packets by reason.

    """

    def __init__(self, path: Path, message: str, *, hint: str, found: Counter[str]) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.found = found


def capture_traffic(
    path: str | os.PathLike[str], *, device: str | None = None, limit: int | None = None
) -> Traffic:
    """Read the messages of a device from a capture.

    The file is gone through twice, so that memory holds the device's messages only.

    Args:
        path: a pcap or pcapng file.
        device: the device's IP address; ``None`` takes the address that sent most UDP packets.
        limit: take so many messages at most; the counts are over the whole capture all the same.

    Raises:
        NotACapture: the file is missing or no capture.
        NoUsablePacket: there is no UDP packet, or none that the device sent.
        UsageError: ``device`` is no IP address.

    """
    reader = CaptureReader(path)
    wanted = _address(device)
    senders: Counter[bytes] = Counter()
    skipped: Counter[str] = Counter()
    for _, found in _packets(reader):
        if isinstance(found, str):
            skipped[found] += 1
        else:
            senders[found.source] += 1
    torn = reader.torn
    if not senders or (wanted is not None and wanted not in senders):
        raise _nothing(reader.path, device, senders, skipped, torn)
    # Counter keeps the order of first sight, and max() the first of several: the first sender.
    source = wanted if wanted is not None else max(senders, key=lambda sender: senders[sender])
    others = senders.total() - senders[source]
    if others:
        skipped[_OTHER_SENDER] = others

    messages: list[Message] = []
    bad_checksums = 0
    start_ns: int | None = None
    last_ns = 0
    for time_ns, found in _packets(reader):
        if isinstance(found, str) or found.source != source:
            continue
        if limit is not None and len(messages) >= limit:
            break
        last_ns = last_ns if time_ns is None else time_ns
        start_ns = last_ns if start_ns is None else start_ns
        bad_checksums += not udp_checksum_valid(found)
        messages.append(Message.of(len(messages), (last_ns - start_ns) / _NS, found))
    return Traffic(
        description=reader.path.name,
        device=_text(source),
        messages=tuple(messages),
        notes=tuple(_notes(wanted is not None, source, senders, torn, bad_checksums)),
        skipped=MappingProxyType(dict(skipped)),
        bad_checksums=bad_checksums,
    )


def _packets(reader: CaptureReader) -> Iterator[tuple[int | None, InnerPacket | str]]:
    """Each packet's time, and the UDP packet in it or the reason why there is none."""
    for captured in reader:
        packet = ip_packet(captured.interface.link_type, captured.data)
        if isinstance(packet, NoIp):
            yield captured.time_ns, str(packet)
            continue
        try:
            yield captured.time_ns, parse_udp_packet(packet)
        except PacketError as error:
            yield captured.time_ns, error.reason


def _address(device: str | None) -> bytes | None:
    if device is None:
        return None
    try:
        return ip_address(device.strip("[] ")).packed
    except ValueError:
        raise UsageError(
            f"{device!r} is no IP address", hint="name the device by its IPv4 or IPv6 address"
        ) from None


def _text(address: bytes) -> str:
    return str(ip_address(address))


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in found.most_common())


def _senders(senders: Counter[bytes]) -> str:
    named = [f"{_text(sender)} ({count})" for sender, count in senders.most_common(4)]
    more = len(senders) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _nothing(
    path: Path,
    device: str | None,
    senders: Counter[bytes],
    skipped: Counter[str],
    torn: str | None,
) -> NoUsablePacket:
    found = skipped.copy()
    if senders:
        found["udp"] = senders.total()
        return NoUsablePacket(
            path,
            f"{path} has no usable packet: none is UDP that {device} sent;"
            f" UDP was sent by {_senders(senders)}",
            hint="name one of these as the device, or none to take the busiest",
            found=found,
        )
    held = _counted(skipped) if skipped else "no packet at all"
    if torn:
        held += f"; {torn}"
    hint = "capture the device's own UDP traffic, such as CoAP or DNS, on an IP interface"
    if set(skipped) == {NoIp.LINK_TYPE.value}:
        hint = "capture on an Ethernet, raw IP, loopback or Linux cooked interface"
    return NoUsablePacket(
        path, f"{path} has no usable packet: it holds {held}", hint=hint, found=found
    )


def _notes(
    named: bool,
    source: bytes,
    senders: Counter[bytes],
    torn: str | None,
    bad_checksums: int,
) -> Iterator[str]:
    if not named:
        yield (
            f"the device is {_text(source)}, which sent {senders[source]}"
            f" of {senders.total()} UDP packets"
        )
    if torn:
        yield f"the capture is torn: {torn}"
    if bad_checksums:
        yield (
            f"{bad_checksums} messages have a wrong UDP checksum,"
            " as packets have that were captured before the network card completed them"
        )
