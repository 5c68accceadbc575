"""The other end of the peer kernel's tunnels: this project's ESP behind raw and UDP sockets.

Opens what comes, exchanges source and destination (which leaves every checksum as it is) and sends
it back. Prints READY when the sockets stand, and on SIGTERM what was refused, by reason.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from esp import (
    InboundAssociation,
    Mode,
    OutboundAssociation,
    RemoteError,
    SecurityAssociationDatabase,
    suite,
)

Cell = tuple[dict[str, Any], OutboundAssociation]


def database(cells: list[dict[str, Any]]) -> SecurityAssociationDatabase[Cell]:
    sad: SecurityAssociationDatabase[Cell] = SecurityAssociationDatabase()
    for cell in cells:
        row = suite(cell["suite"])
        split = row.key_bytes
        material = bytes.fromhex(cell["key"])
        integrity_key = bytes.fromhex(cell["integrity_key"])
        arguments = (row, material[:split], material[split:], Mode(cell["mode"]))
        options = {"integrity_key": integrity_key, "esn": cell["esn"]}
        outbound = OutboundAssociation(cell["in_spi"], *arguments, **options)
        explicit = (suite(cell["suite"].replace("-iiv", "")), *arguments[1:])
        inbound = InboundAssociation(cell["out_spi"], *explicit, **options)
        sad.add(inbound, (cell, outbound))
    return sad


def turned(payload: bytes, mode: Mode) -> bytes:
    """The same datagram on its way back."""
    at = 0
    head = b""
    if mode is Mode.TUNNEL:
        start, size, at = (12, 4, 20) if payload[0] >> 4 == 4 else (8, 16, 40)
        middle = start + size
        head = payload[:start] + payload[middle : middle + size] + payload[start:middle]
    return head + payload[at + 2 : at + 4] + payload[at : at + 2] + payload[at + 4 :]


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    sad = database(json.loads(Path(sys.argv[1]).read_text()))
    sockets = []
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ESP)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        raw.bind((address, 0))
        udp.bind((address, 4500))
        sockets += [raw, udp]
    refused: Counter[str] = Counter()

    def stop(number: int, frame: object) -> None:
        say("REFUSED", json.dumps(refused))
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    say("READY")
    while True:
        for sock in select.select(sockets, [], [])[0]:
            data, sender = sock.recvfrom(65535)
            if sock.type == socket.SOCK_RAW and sock.family == socket.AF_INET:
                data = data[(data[0] & 15) * 4 :]
            try:
                entry, opened = sad.unprotect(data)
            except RemoteError as error:
                refused[error.reason] += 1
                continue
            cell, outbound = entry.owner
            if cell["udp"] is not (sock.type == socket.SOCK_DGRAM):
                refused["wrong encapsulation"] += 1
                continue
            answer = outbound.protect(turned(opened.payload, outbound.mode), opened.next_header)
            if "iiv" in cell["suite"]:
                # The kernel has no implicit IVs; with the IV put where an explicit one stands,
                # everything else must be right for it (RFC 8750 section 4).
                answer = answer[:8] + outbound.sequence.to_bytes(8, "big") + answer[8:]
            sock.sendto(answer, sender)


main()
