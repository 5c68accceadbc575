"""The other end of the peer kernel's tunnels: the HSE's gateway behind raw and UDP sockets.

The gateway serves every association as one with configured keys, and its application echoes. Suites
with an implicit IV, which the kernel has not, take esp's own associations: what comes has an
explicit IV, what goes has none, and it is put in for the kernel. Prints READY when the sockets
stand, and on SIGTERM what was refused, by reason, and what the gateway has answered.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import sys
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from esp import (
    InboundAssociation,
    Mode,
    OutboundAssociation,
    RemoteError,
    suite,
)
from esp.keying import DirectionKeys, Session
from testbed.hse import AddressPlan, EchoApplication, Gateway, HsePort

OURS = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
# IPv6 inside is assigned, and so enforced by selectors; IPv4 inside is learned.
ASSIGNED = {"kernel-6": [ip_network("fd99:2::/64")]}


def is_implicit(cell: dict[str, Any]) -> bool:
    return "iiv" in cell["suite"]


def session(cell: dict[str, Any]) -> Session:
    row = suite(cell["suite"])
    material = bytes.fromhex(cell["key"])
    key, salt = material[: row.key_bytes], material[row.key_bytes :]
    integrity_key = bytes.fromhex(cell["integrity_key"])

    def direction(spi: int) -> DirectionKeys:
        return DirectionKeys(spi=spi, key=key, salt=salt, integrity_key=integrity_key, rohc_key=b"")

    return Session(
        identity=f"kernel-{cell['inner']}",
        suite=row,
        mode=Mode(cell["mode"]),
        compression=False,
        esn=cell["esn"],
        inbound=direction(cell["out_spi"]),
        outbound=direction(cell["in_spi"]),
    )


@dataclass(kw_only=True)
class ImplicitIv:
    """An association of RFC 8750 whose peer writes the IV out."""

    inbound: InboundAssociation
    outbound: OutboundAssociation

    def answer(self, packet: bytes) -> bytes:
        opened = self.inbound.unprotect(packet)
        payload = opened.payload
        start, size = (12, 4) if payload[0] >> 4 == 4 else (8, 16)
        middle, at = start + size, start + 2 * size
        turned = payload[:start] + payload[middle:at] + payload[start:middle]
        turned += payload[at + 2 : at + 4] + payload[at : at + 2] + payload[at + 4 :]
        answer = self.outbound.protect(turned, opened.next_header)
        # With the IV put where an explicit one stands, everything else must be right for the
        # kernel (RFC 8750 section 4).
        return answer[:8] + self.outbound.sequence.to_bytes(8, "big") + answer[8:]


def implicit_iv(cell: dict[str, Any]) -> ImplicitIv:
    keys = session(cell)
    explicit = suite(cell["suite"].replace("-iiv", ""))
    one = keys.inbound
    return ImplicitIv(
        inbound=InboundAssociation(one.spi, explicit, one.key, one.salt, keys.mode, esn=keys.esn),
        outbound=keys.outbound_association(),
    )


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def main() -> None:
    cells = json.loads(Path(sys.argv[1]).read_text())
    gateway = Gateway(
        secrets=lambda identity: None,
        application=EchoApplication(),
        addresses=AddressPlan(ASSIGNED),
        own_address=OURS[socket.AF_INET6],
    )
    implicit: dict[bytes, ImplicitIv] = {}
    encapsulated: dict[bytes, bool] = {}
    for cell in cells:
        spi = cell["out_spi"].to_bytes(4, "big")
        encapsulated[spi] = cell["udp"]
        if is_implicit(cell):
            implicit[spi] = implicit_iv(cell)
        else:
            gateway.adopt(session(cell))
    sockets = []
    for family, address in OURS.items():
        raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ESP)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        raw.bind((address, 0))
        udp.bind((address, 4500))
        sockets += [raw, udp]
    refused: Counter[str] = Counter()

    def stop(number: int, frame: object) -> None:
        snapshot = gateway.snapshot()
        for (_, reason), count in snapshot.rejected.items():
            refused[reason] += count
        say("REFUSED", json.dumps(refused))
        say("GATEWAY", json.dumps([snapshot.sessions, snapshot.answered.get("esp", 0)]))
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    say("READY")
    while True:
        for sock in select.select(sockets, [], [])[0]:
            data, sender = sock.recvfrom(65535)
            if sock.type == socket.SOCK_RAW and sock.family == socket.AF_INET:
                data = data[(data[0] & 15) * 4 :]
            if encapsulated.get(data[:4]) is not (sock.type == socket.SOCK_DGRAM):
                refused["wrong encapsulation"] += 1
            elif data[:4] in implicit:
                try:
                    sock.sendto(implicit[data[:4]].answer(data), sender)
                except RemoteError as error:
                    refused[error.reason] += 1
            else:
                for reply in gateway.receive(HsePort.ESP, data, sender[:2], 0.0):
                    sock.sendto(reply.data, sender)


main()
